"""Programs as PyTorch's examples write them, run with `import onegraph as torch`, with the numbers that PyTorch gives.

Each program builds a model and trains a few steps on made data from the same first weights. Read next: `programs.py`,
`test_torch_names.py` (single names).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from tests.surface import programs, programs_of_text
from tests.surface.program_table import PROGRAMS, flat

__all__ = ["programs", "programs_of_text"]  # they enter themselves into the table


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


QUICK = ("actor_critic", "graph_convolution", "language_model_LSTM")


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in PROGRAMS])
def test_runs_and_gives_the_numbers_of_torch(name: str) -> None:
    run, tolerance = PROGRAMS[name]
    mine = flat(run(og))
    assert np.isfinite(mine).all()
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = flat(run(torch))
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["handwritten_digits", "language_model_LSTM", "small_gpt"])
def test_compiled_code_gives_the_same(name: str) -> None:
    run, tolerance = PROGRAMS[name]
    expected = flat(run(og))
    with og.config.using(backend="native"):
        found = flat(run(og))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)
