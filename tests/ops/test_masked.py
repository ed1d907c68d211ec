"""Reductions with masks, compared with PyTorch by value and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentTypeError, ShapeError
from onegraph.ops import masked
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import random, torch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

X = random(3, 4)
MASK = np.array([[True, True, False, True], [False, False, True, True], [True, False, True, True]])
CALLS: dict[str, list[dict[str, Any]]] = {
    "sum": [{}, {"dim": 0}, {"dim": (0, 1), "keepdim": True}],
    "prod": [{}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}],
    "amax": [{}, {"dim": 1, "keepdim": True}],
    "amin": [{}, {"dim": 1}],
    "argmax": [{}, {"dim": 1}],
    "argmin": [{}, {"dim": 0, "keepdim": True}],
    "mean": [{}, {"dim": 1}],
    "var": [{}, {"dim": 1, "unbiased": False}, {"dim": 0, "correction": 2}],
    "std": [{}, {"dim": 1}],
    "norm": [{"ord": 2.0}, {"ord": 1.0, "dim": 1}, {"ord": float("inf"), "dim": 1}, {"ord": -float("inf"), "dim": 0}],
    "logsumexp": [{"dim": 1}],
    "softmax": [{"dim": 1}],
    "log_softmax": [{"dim": 1}],
    "softmin": [{"dim": 0}],
    "normalize": [{"ord": 2.0, "dim": 1}],
    "cumsum": [{"dim": 1}],
    "cumprod": [{"dim": 0}],
    "median": [{"dim": 1}],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("with_mask", [True, False])
def test_agrees_with_pytorch(name: str, with_mask: bool) -> None:
    for options in CALLS[name]:
        theirs = getattr(torch.masked, name)(torch.tensor(X), mask=torch.tensor(MASK) if with_mask else None, **options)
        ours = getattr(masked, name)(numpy_constant(X), mask=numpy_constant(MASK) if with_mask else None, **options)
        (found,) = evaluate([ours])
        np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-9, atol=1e-12)
        assert found.dtype == theirs.numpy().dtype


def test_nothing_kept() -> None:
    x, none = numpy_constant(X), numpy_constant(np.zeros((3, 4), bool))
    found = evaluate(
        [masked.sum(x, mask=none), masked.prod(x, mask=none), masked.amax(x, mask=none), masked.mean(x, mask=none)]
    )
    np.testing.assert_array_equal(found, [0.0, 1.0, -np.inf, np.nan])
    assert evaluate([masked.amax(numpy_constant(np.arange(3)), mask=numpy_constant(np.zeros(3, bool)))])[0] == -(2**63)


def test_sums_of_exponentials() -> None:
    y, other = random(4), np.array([True, False, True, True])
    theirs = torch.masked.logaddexp(
        torch.tensor(X), torch.tensor(y), input_mask=torch.tensor(MASK), other_mask=torch.tensor(other)
    )
    ours = masked.logaddexp(
        numpy_constant(X), numpy_constant(y), input_mask=numpy_constant(MASK), other_mask=numpy_constant(other)
    )
    np.testing.assert_allclose(evaluate([ours])[0], theirs.numpy(), rtol=1e-9)


def test_masks_that_do_not_fit() -> None:
    x = numpy_constant(X)
    with pytest.raises(ShapeError, match=r"the mask \(2, 3, 4\) cannot be expanded to \(3, 4\)"):
        masked.sum(x, mask=numpy_constant(np.ones((2, 3, 4), bool)))
    with pytest.raises(ArgumentTypeError, match="mask must be bool, got int64"):
        masked.sum(x, mask=numpy_constant(np.ones(4, np.int64)))
