"""Integrals of sampled values by the trapezoidal rule."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.binary import add, div, mul, sub
from onegraph.ops.movement import RESHAPE, slice_dim
from onegraph.ops.promotion import as_node, to_float
from onegraph.ops.public import public
from onegraph.ops.reduction import sum_
from onegraph.ops.scan import cumsum
from onegraph.ops.shapes import normalize_dim, show


def _areas(y: Node, x: Any, dx: Any, dim: int) -> Node:
    """The area of each trapezoid between neighbours along a dimension."""
    if not y.shape:
        raise ShapeError("trapezoid: needs at least one dimension to integrate along")
    size = y.shape[dim]
    pairs = add(slice_dim(y, dim, 1, size), slice_dim(y, dim, 0, size - 1))
    if x is None:
        return mul(pairs, div(1.0 if dx is None else dx, 2.0))
    if dx is not None:
        raise ArgumentError("trapezoid: give x or dx, not both")
    points = as_node(x)
    if not points.shape:
        raise ShapeError("trapezoid: x must have at least one dimension")
    if len(points.shape) == 1:
        points = RESHAPE(points, shape=(points.shape[0], *(1 for _ in y.shape[dim + 1 :])))
    along = len(points.shape) - (len(y.shape) - dim)
    if along < 0:
        raise ShapeError(f"trapezoid: x of shape {show(points.shape)} does not fit values of shape {show(y.shape)}")
    count = points.shape[along]
    widths = sub(slice_dim(points, along, 1, count), slice_dim(points, along, 0, count - 1))
    return div(mul(pairs, widths), 2.0)


@public("trapezoid", "trapz", method=False)
def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Node:
    """The integral along a dimension by the trapezoidal rule.

    Args:
        y: values.
        x: where they were taken; evenly spaced when None.
        dx: the spacing without x, 1 by default.
        dim: along which to integrate.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([trapezoid(as_node([1.0, 2.0, 3.0]))])
    [array(4., dtype=float32)]
    """
    values = to_float(y)
    place = normalize_dim("trapezoid", dim, len(values.shape))
    return sum_(_areas(values, x, dx, place), place)


@public("cumulative_trapezoid", method=False)
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Node:
    """The running integral along a dimension by the trapezoidal rule; arguments as for `trapezoid`."""
    values = to_float(y)
    place = normalize_dim("cumulative_trapezoid", dim, len(values.shape))
    return cumsum(_areas(values, x, dx, place), place)
