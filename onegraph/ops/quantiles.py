"""Medians, quantiles and histograms. All but the histogram are taken from the sorted order.

Read next: `sorting.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, DimensionError, DTypeError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.dtype import float32, float64, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import AND, EQ, FLOOR_DIV, GE, GT, LE, MAXIMUM, MINIMUM, SUB, add, div, mul, sub
from onegraph.ops.cast import CAST, cast
from onegraph.ops.elementwise import CEIL, FLOOR, ISNAN, LOGICAL_NOT, ROUND, WHERE, detach
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PERMUTE, RESHAPE, concat, expand_to, full, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import ARGMAX, MAX, MIN, SUM, reduced_shape
from onegraph.ops.scan import ValuesIndices, cummax
from onegraph.ops.shapes import normalize_dim, show
from onegraph.ops.sorting import ARGSORT, take_along

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _missing(x: Node, dim: int) -> Node:
    """How many NaN there are along a dimension, which is kept."""
    if not x.dtype.is_floating_point:
        return full(reduced_shape(x.shape, (dim,), True), 0, int64)
    return SUM(CAST(ISNAN(x), dtype=int64), dims=(dim,), keepdim=True)


def _median_position(x: Node, dim: int, ignore_nan: bool) -> Node:
    """Where the lower median is in sorted order, the dimension kept; the first NaN, unless they are ignored."""
    missing = _missing(x, dim)
    size = constant(x.shape[dim], int64)
    present = SUB(expand_to(size, missing.shape), missing)
    two, zero = constant(2, int64), constant(0, int64)
    if ignore_nan:
        return FLOOR_DIV(MAXIMUM(sub(present, 1), zero), two)
    return WHERE(GT(missing, zero), present, FLOOR_DIV(sub(size, 1), two))


def _median(op: str, input: Any, dim: int | None, keepdim: bool, ignore_nan: bool) -> Node | ValuesIndices:
    node = as_node(input)
    whole = dim is None
    x = RESHAPE(node, shape=(node.size,)) if whole or not node.shape else node
    place = 0 if dim is None else normalize_dim(op, dim, len(node.shape))
    if x.shape[place] == 0:
        if whole and x.dtype.is_floating_point:
            return constant(float("nan"), x.dtype)
        raise ShapeError(f"{op}: {show(node.shape)} has no elements along dimension {place}, so there is no result")
    order = ARGSORT(x, dim=place, descending=False)
    index = take_along(order, _median_position(x, place, ignore_nan), place)
    shape = () if whole else reduced_shape(node.shape, (place,), keepdim)
    values = reshape_to(take_along(x, index, place), shape)
    return values if whole else ValuesIndices(values, reshape_to(index, shape))


@public()
def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Node | ValuesIndices:
    """The middle element in sorted order, the lower one of two; NaN if any is.

    Args:
        input: tensor of any shape.
        dim: one dimension; None for all elements.
        keepdim: keep the dimension, with size 1.

    Returns:
        A scalar, or with `dim` (values, indices). The gradient goes to the element found.

    >>> import numpy as np
    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([median(as_node(np.array([4, 1, 3, 2])))])
    [array(2)]
    """
    return _median("median", input, dim, keepdim, ignore_nan=False)


@public()
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False) -> Node | ValuesIndices:
    """The middle of the elements that are not NaN; otherwise as `median`."""
    return _median("nanmedian", input, dim, keepdim, ignore_nan=True)


@public()
def quantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Node:
    """The elements at given fractions of the sorted order; NaN if any element is.

    Args:
        input: float32 or float64 tensor.
        q: a fraction from 0 to 1, or a tensor of one dimension with several.
        dim: one dimension; None for all elements.
        keepdim: keep the dimension, with size 1.
        interpolation: what to do between two elements: linear, lower, higher, midpoint or nearest.

    Returns:
        A tensor without the dimension; with several fractions they are a new first dimension.

    >>> import numpy as np
    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([quantile(as_node(np.array([0.0, 1.0, 4.0])), 0.75)])
    [array(2.5)]
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, ignore_nan=False)


@public()
def nanquantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Node:
    """The quantiles of the elements that are not NaN; otherwise as `quantile`."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, ignore_nan=True)


def _check_quantile(op: str, x: Node, q: Any, interpolation: str) -> Node:
    if x.dtype not in (float32, float64):
        raise DTypeError(f"{op}: needs float32 or float64, got {x.dtype.name}")
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(f"{op}: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if isinstance(q, (int, float)) and not 0 <= q <= 1:
        raise ArgumentError(f"{op}: a fraction must be within 0 and 1, got {q}")
    fractions = cast(q, x.dtype) if isinstance(q, Node) else as_node(q, x.dtype)
    if len(fractions.shape) > 1:
        raise ShapeError(f"{op}: fractions have at most one dimension, got {show(fractions.shape)}")
    return fractions


def _quantile(
    op: str, input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
) -> Node:
    node = as_node(input)
    fractions = _check_quantile(op, node, q, interpolation)
    rank = len(node.shape)
    place = 0 if dim is None else normalize_dim(op, dim, rank)
    # The dimension goes last, so that the fractions can take its place.
    kept: Shape = tuple(1 for _ in node.shape)
    if dim is None or not rank:
        x = RESHAPE(node, shape=(node.size,))
    else:
        x = PERMUTE(node, dims=(*(i for i in range(rank) if i != place), place))
        kept = reduced_shape(node.shape, (place,), True)
    last = len(x.shape) - 1
    if x.shape[last] == 0:
        raise ShapeError(f"{op}: {show(node.shape)} has no elements, so there is no result")
    shape = kept if keepdim else () if dim is None else reduced_shape(node.shape, (place,), False)
    several = fractions.shape
    flat = reshape_to(fractions, (fractions.size,))
    values = _interpolated(x, flat, interpolation, ignore_nan)
    moved = PERMUTE(values, dims=(last, *range(last)))
    return reshape_to(moved, (*several, *shape))


def _interpolated(x: Node, fractions: Node, interpolation: str, ignore_nan: bool) -> Node:
    """The values at fractions of the sorted order of the last dimension, whose place the fractions take."""
    last = len(x.shape) - 1
    count: Size = fractions.shape[0]
    missing = _missing(x, last)
    size = constant(x.shape[last], int64)
    present = MAXIMUM(SUB(size, missing), constant(1, int64)) if ignore_nan else size
    top = cast(sub(present, 1), x.dtype)
    rank = expand_to(mul(fractions, top), (*x.shape[:-1], count))
    low, high = FLOOR(detach(rank)), CEIL(detach(rank))
    if interpolation == "lower":
        high = low
    elif interpolation == "higher":
        low = high
    elif interpolation == "nearest":
        low = high = ROUND(detach(rank))
    weight = constant(0.5, x.dtype) if interpolation == "midpoint" else sub(rank, low)
    order = ARGSORT(x, dim=last, descending=False)
    below = take_along(x, take_along(order, cast(low, int64), last), last)
    result = below
    if interpolation in ("linear", "midpoint"):
        above = take_along(x, take_along(order, cast(high, int64), last), last)
        result = add(below, mul(weight, sub(above, below)))
    if ignore_nan:
        return result
    return WHERE(GT(missing, constant(0, int64)), constant(float("nan"), x.dtype), result)


@public()
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Node:
    """How many elements fall into each of `bins` equal parts of the range from min to max.

    Args:
        input: floating tensor of any shape; elements outside the range and NaN are not counted.
        bins: number of parts.
        min, max: the range; the smallest and largest element when both are equal.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([histc(as_node([1.0, 2.0, 1.0]), bins=4, min=0, max=3)])
    [array([0., 2., 1., 0.], dtype=float32)]
    """
    x = as_node(input)
    if not x.dtype.is_floating_point:
        raise DTypeError(f"histc: needs a floating dtype, got {x.dtype.name}")
    if bins < 1 or min > max:
        raise ArgumentError(f"histc: needs bins > 0 and min <= max, got bins={bins}, min={min}, max={max}")
    flat = detach(RESHAPE(x, shape=(x.size,)))
    low, high = constant(float(min), x.dtype), constant(float(max), x.dtype)
    if min == max and x.size != 0:
        low, high = MIN(flat, dims=(0,), keepdim=False), MAX(flat, dims=(0,), keepdim=False)
        single = EQ(low, high)  # all elements equal: they are in the middle of a range of 2
        low, high = WHERE(single, sub(low, 1), low), WHERE(single, add(high, 1), high)
    inside = AND(AND(GE(flat, low), LE(flat, high)), LOGICAL_NOT(ISNAN(flat)))
    part = FLOOR(mul(div(sub(flat, low), sub(high, low)), float(bins)))
    part = MINIMUM(part, constant(float(bins - 1), x.dtype))  # the upper end belongs to the last part
    number = RESHAPE(iota(bins, x.dtype), shape=(bins, 1))
    return SUM(CAST(AND(inside, EQ(part, number)), dtype=x.dtype), dims=(1,), keepdim=False)


@public()
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent element along a dimension, the smallest of several, and where it is for the last time.

    Args:
        input: tensor of any shape.
        dim: along which to count.
        keepdim: keep the dimension, with size 1.

    Raises:
        DimensionError: there are no elements along the dimension.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(mode(as_node([3, 1, 2, 1, 3])))
    [array(1), array(3)]
    """
    node = as_node(input)
    place = normalize_dim("mode", dim, len(node.shape))
    x = node if node.shape else RESHAPE(node, shape=(1,))
    size, rank = x.shape[place], len(x.shape)
    if size == 0:
        raise DimensionError(f"mode: {show(node.shape)} has no elements along dimension {place}")
    order = ARGSORT(x, dim=place, descending=False)
    ordered = take_along(detach(x), order, place)
    same = EQ(slice_dim(ordered, place, 1, size), slice_dim(ordered, place, 0, size - 1))
    line = tuple([size if i == place else 1 for i in range(rank)])
    positions = expand_to(reshape_to(iota(size), line), x.shape)
    later = slice_dim(positions, place, 1, size)
    first = full(reduced_shape(x.shape, (place,), True), 0, int64)
    starts = concat([first, WHERE(same, constant(0, int64), later)], place)
    length = SUB(positions, cummax(starts, place).values)  # of the run of equal elements that ends here, less 1
    best = ARGMAX(length, dim=place, keepdim=True)
    index = take_along(order, best, place)
    shape = reduced_shape(node.shape, (place,) if node.shape else (), keepdim)
    return ValuesIndices(reshape_to(take_along(x, index, place), shape), reshape_to(index, shape))
