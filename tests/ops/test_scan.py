"""Running sums, products and maxima against PyTorch, at zeros, ties and NaN, gradients included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32, float64
from onegraph.ir.node import input_node
from onegraph.ops import scan
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.reduction import sum_
from tests.ops.torch_oracle import compare, random, torch

NAMES = ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"]
shapes_and_dims = pytest.mark.parametrize(
    ("shape", "dim"), [((), 0), ((1,), 0), ((9,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 17, 3), 1), ((0, 2), 0)]
)


@pytest.mark.parametrize("name", NAMES)
@shapes_and_dims
def test_against_torch(name: str, shape: tuple[int, ...], dim: int) -> None:
    compare(getattr(scan, name), getattr(torch, name), random(*shape), dim, gradients=0 not in shape)


@pytest.mark.parametrize("dim", [0, 1])
def test_cumprod_at_zeros(dim: int) -> None:
    zeros = np.array([[1.5, 0.0, 2.0, 0.0], [0.0, 2.0, 3.0, 1.0], [1.0, 2.0, 0.0, 4.0]])
    compare(scan.cumprod, torch.cumprod, zeros, dim)


def test_second_derivative_of_cumprod_at_a_zero() -> None:
    """y1 = a b: at a = 0 the derivative by b is 0, and that by a and b is 1."""
    x = input_node((2,), float64)
    y = scan.cumprod(x, 0)
    (first,) = gradient([y], [numpy_constant(np.array([0.0, 1.0]))], [x])
    (second,) = gradient([first], [numpy_constant(np.array([0.0, 1.0]))], [x])
    np.testing.assert_array_equal(evaluate([first, second], {x: np.array([0.0, 2.0])}), [[2, 0], [1, 0]])


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_ties_and_nan(name: str) -> None:
    ties = np.array([2.0, 5.0, 5.0, 1.0, 5.0, 1.0, 1.0])
    compare(getattr(scan, name), getattr(torch, name), ties, 0)
    edges = np.array([1.0, -math.inf, math.nan, 3.0, math.inf, math.nan, 0.0])
    compare(getattr(scan, name), getattr(torch, name), edges, 0, gradients=False)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool])
@pytest.mark.parametrize("name", NAMES[:4])
def test_integers(name: str, dtype: Any) -> None:
    compare(getattr(scan, name), getattr(torch, name), np.array([1, 0, 3, 2, 200]).astype(dtype), 0)


def test_another_dtype() -> None:
    (value,) = evaluate([scan.cumsum(numpy_constant(np.array([1, 2])), 0, dtype=float32)])
    assert value.dtype == np.float32


def test_logcumsumexp_at_extremes() -> None:
    rows = np.array([[-1000.0, 0.0, 1000.0], [-math.inf, -math.inf, 1.0], [-math.inf, 2.0, -math.inf]])
    compare(scan.logcumsumexp, torch.logcumsumexp, rows, 1, gradients=False)
    compare(scan.logcumsumexp, torch.logcumsumexp, rows[:1], 1)


@pytest.mark.parametrize("n", [0, 1, 2, 4])
@pytest.mark.parametrize("dim", [0, -1])
def test_diff(n: int, dim: int) -> None:
    compare(scan.diff, torch.diff, random(3, 4), n, dim)
    compare(scan.diff, torch.diff, np.array([True, False, False]), 1)


def test_diff_with_more_in_front_and_behind() -> None:
    compare(scan.diff, torch.diff, random(3, 4), prepend=random(3, 2), append=random(3, 1, seed=4))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_sizes(name: str) -> None:
    """Gradients along a size that is not known yet are right once it is."""
    x = input_node((Dim.unknown("n"), 2), float64)
    y = getattr(scan, name)(x, 0)
    values = y if not isinstance(y, tuple) else y[0]
    assert values.shape == x.shape
    if name != "logcumsumexp":
        (g,) = gradient([sum_(values)], [None], [x])
        assert g is not None and g.shape == x.shape


def test_recurrence() -> None:
    start, factor = random(3, 11), random(3, 11, seed=1)
    expected = np.zeros((3, 11))
    for i in range(11):
        expected[:, i] = start[:, i] + (factor[:, i] * expected[:, i - 1] if i else 0)
    (value,) = evaluate([scan.recurrence(numpy_constant(start), numpy_constant(factor), 1, False)])
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_errors() -> None:
    x = numpy_constant(random(2, 3))
    with pytest.raises(OutOfRangeError, match="cumsum: dimension 2 is out of range"):
        scan.cumsum(x, 2)
    with pytest.raises(ShapeError, match="without dimensions has no differences"):
        scan.diff(numpy_constant(np.array(1.0)))
    with pytest.raises(ArgumentError, match="must not be negative"):
        scan.diff(x, -1)
