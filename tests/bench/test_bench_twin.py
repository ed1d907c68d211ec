"""Networks of the zoo made of PyTorch's modules: the same names and, with the same weights, the same results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo

torch = pytest.importorskip("torch")

from bench.twin import twin, twin_of  # noqa: E402


@pytest.mark.parametrize("make", [zoo.lenet5, zoo.resnet20], ids=lambda make: make.__name__)
def test_results_are_equal_with_the_same_weights(make: Callable[..., Any]) -> None:
    model, theirs = make(in_channels=3), twin_of(make)(in_channels=3)
    assert isinstance(theirs, torch.nn.Module)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in model.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    with torch.no_grad(), og.no_grad():
        expected = theirs.eval()(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(model.eval()(og.tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_files_that_are_not_there() -> None:
    with pytest.raises(ImportError, match="the zoo has no file 'nowhere'"):
        twin("nowhere")
