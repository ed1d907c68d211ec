"""Windows and the functions beside them, against PyTorch.

Read next: `onegraph/ops/signals.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dtype import bfloat16, float16, int64
from onegraph.ops import signal_windows, signals
from tests.ops.torch_oracle import compare, random, torch

WINDOWS = ["hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window"]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows(name: str, length: int, periodic: bool) -> None:
    (found,) = evaluate([getattr(signals, name)(length, periodic)])
    expected = getattr(torch, name)(length, periodic).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_powers_positions_and_norms() -> None:
    compare(signals.vander, torch.vander, random(3), gradients=False)
    compare(signals.vander, torch.vander, random(3), gradients=False, N=5, increasing=True)
    compare(signals.renorm, torch.renorm, random(3, 4, 2), 2, 1, 1.5)
    compare(signals.renorm, torch.renorm, random(3, 4), 1, -2, 0.7)
    indices = np.array([[3, 5], [0, 11]])
    for mine, theirs in zip(
        signals.unravel_index(indices, (2, 3, 2)),
        torch.unravel_index(torch.from_numpy(indices), (2, 3, 2)),
        strict=True,
    ):
        assert np.array_equal(evaluate([mine])[0], theirs.numpy())


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="from 0 on"):
        signals.hann_window(-1)
    with pytest.raises(ArgumentError, match="floating"):
        signals.kaiser_window(3, dtype="int64")
    with pytest.raises(ShapeError, match="vector"):
        signals.vander(np.ones((2, 2)))
    with pytest.raises(ShapeError, match="two dimensions"):
        signals.renorm(np.ones(3), 2, 0, 1.0)


@pytest.mark.parametrize("kind", [int64, float16, bfloat16])
def test_windows_are_of_float32_or_float64(kind: object) -> None:
    with pytest.raises(ArgumentError, match="hann: needs float32 or float64"):
        signal_windows.hann(3, dtype=kind)
