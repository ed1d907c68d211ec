"""Linear maps and pixel rearrangements against PyTorch, and their errors.

Read next: `onegraph/ops/linear.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
import onegraph.nn.functional as F
from onegraph.errors import DTypeError, ShapeError

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("linear", [(5, 3), (2, 3), (2,)]),
        ("linear", [(3,), (2, 3)]),
        ("linear", [(2, 4, 3), (3,)]),
        ("linear", [(0, 3), (2, 3), (2,)]),
        ("bilinear", [(4, 3), (4, 2), (5, 3, 2), (5,)]),
        ("bilinear", [(2, 4, 3), (2, 4, 2), (5, 3, 2)]),
    ],
)
def test_values_and_gradients(name: str, shapes: list[tuple[int, ...]], rng: np.random.Generator) -> None:
    arrays = [rng.normal(size=s).astype(np.float32) for s in shapes]
    ours = [og.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.from_numpy(a).requires_grad_() for a in arrays]
    y, expected = getattr(F, name)(*ours), getattr(torch.nn.functional, name)(*theirs)
    assert tuple(y.shape) == tuple(expected.shape)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "argument"),
    [
        ("pixel_shuffle", (2, 9, 2, 3), 3),
        ("pixel_shuffle", (4, 2, 3), 2),
        ("pixel_unshuffle", (2, 3, 4, 6), 2),
        ("channel_shuffle", (2, 6, 3, 2), 3),
    ],
)
def test_rearranging(name: str, shape: tuple[int, ...], argument: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=shape).astype(np.float32)
    expected = getattr(torch.nn.functional, name)(torch.from_numpy(x), argument)
    np.testing.assert_array_equal(getattr(F, name)(og.tensor(x), argument).numpy(), expected.numpy())


def test_errors() -> None:
    with pytest.raises(ShapeError, match="the input has 3 features, the weight takes 4"):
        F.linear(og.ones(2, 3), og.ones(5, 4))
    with pytest.raises(ShapeError, match="one element for each output feature"):
        F.linear(og.ones(2, 3), og.ones(5, 3), og.ones(4))
    with pytest.raises(DTypeError):
        F.linear(og.ones(2, 3), og.ones(5, 3, dtype=og.float64))
    with pytest.raises(ShapeError, match="bilinear"):
        F.bilinear(og.ones(2, 3), og.ones(2, 3), og.ones(5, 3, 2))
    with pytest.raises(ShapeError, match="pixel_shuffle: 3 channels"):
        F.pixel_shuffle(og.ones(3, 2, 2), 2)
    with pytest.raises(ShapeError, match="pixel_unshuffle"):
        F.pixel_unshuffle(og.ones(3, 2, 3), 2)
    with pytest.raises(ShapeError, match="channel_shuffle"):
        F.channel_shuffle(og.ones(1, 6, 2), 4)
