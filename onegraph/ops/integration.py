"""Integrals of sampled values by the trapezoidal rule, and their derivatives by differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node
from onegraph.ops.binary import add, div, mul, sub
from onegraph.ops.movement import RESHAPE, concat, full, slice_dim
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


@public("gradient", method=False)
def gradient(
    input: Any, *, spacing: Any = 1, dim: int | Sequence[int] | None = None, edge_order: int = 1
) -> tuple[Node, ...]:
    """The derivatives of sampled values along dimensions, by differences of second order inside.

    Args:
        input: values, with at least `edge_order` + 1 of them along each dimension.
        spacing: the distance of neighbours: a number, one for each dimension, or vectors of the places.
        dim: along which to differentiate; all dimensions by default.
        edge_order: 1 or 2, the order of the differences at the two ends.

    Returns:
        One tensor for each dimension.

    Source: B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", 1988.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(gradient(as_node([1.0, 2.0, 4.0, 7.0])))
    [array([1. , 1.5, 2.5, 3. ], dtype=float32)]
    """
    x = as_node(input)
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    wanted: Sequence[int] = range(len(x.shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = [normalize_dim("gradient", d, len(x.shape)) for d in wanted]
    if len(set(dims)) != len(dims):
        raise ArgumentError(f"gradient: a dimension appears twice in {tuple(dims)}")
    spacing = 1 if spacing is None else spacing
    steps = list(spacing) if isinstance(spacing, (tuple, list)) else [spacing] * len(dims)
    if len(steps) != len(dims):
        raise ArgumentError(f"gradient: {len(steps)} spacings were given for {len(dims)} dimensions")
    return tuple([_derivative(x, d, step, edge_order) for d, step in zip(dims, steps, strict=True)])


def _derivative(x: Node, dim: int, spacing: Any, edge_order: int) -> Node:
    size = x.shape[dim]
    if isinstance(size, Dim) or size < edge_order + 1:
        raise ShapeError(f"gradient: {show(x.shape)} needs at least {edge_order + 1} elements along dimension {dim}")
    line = tuple([size - 1 if i == dim else 1 for i in range(len(x.shape))])
    if isinstance(spacing, Node) and spacing.shape:
        if spacing.shape != (size,):
            raise ShapeError(f"gradient: the places {show(spacing.shape)} must be {size} along dimension {dim}")
        places = to_float(spacing)
        widths = RESHAPE(sub(slice_dim(places, 0, 1, size), slice_dim(places, 0, 0, size - 1)), shape=line)
    else:
        widths = mul(full(line, 1.0, to_float(x).dtype), spacing)
    slopes = div(sub(slice_dim(x, dim, 1, size), slice_dim(x, dim, 0, size - 1)), widths)
    left, right = (slice_dim(widths, dim, i, size - 2 + i) for i in (0, 1))
    before, after = (slice_dim(slopes, dim, i, size - 2 + i) for i in (0, 1))
    # The derivative of the parabola through three neighbours: the slope on each side weighs as much as the other width.
    inside = div(add(mul(before, right), mul(after, left)), add(left, right))
    first, last = (slice_dim(slopes, dim, i, i + 1) for i in (0, size - 2))
    if edge_order == 2:
        first = _edge(slopes, widths, dim, 0, 1)
        last = _edge(slopes, widths, dim, size - 2, size - 3)
    return concat([first, inside, last], dim)


def _edge(slopes: Node, widths: Node, dim: int, nearest: int, next_: int) -> Node:
    """The derivative at an end of the parabola through the three elements there."""
    (s, t), (h, k) = ([slice_dim(n, dim, i, i + 1) for i in (nearest, next_)] for n in (slopes, widths))
    return add(s, div(mul(sub(s, t), h), add(h, k)))
