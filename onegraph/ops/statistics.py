"""Sums, means, extremes, variances and norms over dimensions, with PyTorch's names and arguments.

Half precision is added up in float32 and rounded once. Gradients at ties and zeros are PyTorch's.
Read next: `reduction.py` (the primitives), `variance.py` (var, std), `quantiles.py` (median, quantile).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.dtype import DType, bfloat16, bool_, float16, float32, int64, uint8
from onegraph.ir.node import Node
from onegraph.ops.binary import DIV, EQ, MUL, NE, SUB, add, maximum, minimum, pow, sub
from onegraph.ops.cast import CAST, cast, to_bool
from onegraph.ops.connection import connected
from onegraph.ops.decomposition import singular_norm
from onegraph.ops.elementwise import ABS, EXP, ISFINITE, ISNAN, LOG, LOGICAL_NOT, SQRT, WHERE, detach
from onegraph.ops.leaf import constant
from onegraph.ops.movement import RESHAPE, full, reshape_to
from onegraph.ops.promotion import as_node, optional_cast, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.record import Op
from onegraph.ops.reduction import ARGMAX, ARGMIN, MAX, MIN, PROD, SUM, reduced_shape
from onegraph.ops.scan import ValuesIndices, whole_numbers_to_int64
from onegraph.ops.shapes import normalize_dim, normalize_dims, numel, show

Dims = int | Sequence[int] | None


class MinMax(NamedTuple):
    """The smallest and the largest element."""

    min: Node
    max: Node


def dims_of(op: str, x: Node, dim: Dims) -> tuple[int, ...]:
    """Dimensions to reduce over; None and () both mean all."""
    found = normalize_dims(op, dim, len(x.shape))
    return tuple(range(len(x.shape))) if isinstance(dim, (tuple, list)) and not dim else found


def widened(x: Node) -> Node:
    """Half precision as float32, in which sums are taken; anything else as it is."""
    return CAST(x, dtype=float32) if x.dtype in (float16, bfloat16) else x


def count_along(x: Node, dims: Sequence[int]) -> Size:
    """How many elements one result is made of."""
    return numel([x.shape[d] for d in dims])


def floating(op: str, x: Node) -> Node:
    """The node, when its dtype is floating."""
    if not x.dtype.is_floating_point:
        raise DTypeError(
            f"{op}: needs a floating dtype, got {x.dtype.name} {show(x.shape)}",
            hint="cast it first, e.g. x.float()",
        )
    return x


@public()
def sum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
    """The sum over dimensions.

    Args:
        input: tensor of any shape; integers and bools are added as int64.
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.
        dtype: to cast to before adding.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([sum(as_node([[1.0, 2.0], [3.0, 4.0]]), 0)])
    [array([4., 6.], dtype=float32)]
    """
    x = optional_cast(as_node(input), dtype, whole_numbers_to_int64)
    return SUM(x, dims=dims_of("sum", x, dim), keepdim=bool(keepdim))


@public()
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
    """The product over a dimension, or of all elements; the gradient is right at zeros as well.

    Args:
        input: tensor of any shape; integers and bools are multiplied as int64.
        dim: one dimension; None for all.
        keepdim: keep the dimension, with size 1.
        dtype: to cast to before multiplying.
    """
    x = optional_cast(as_node(input), dtype, whole_numbers_to_int64)
    if x.dtype is bool_:
        return cast(prod(x, dim, keepdim, dtype=int64), bool_)
    return PROD(x, dims=normalize_dims("prod", dim, len(x.shape)), keepdim=bool(keepdim))


@public()
def mean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
    """The mean over dimensions.

    Args:
        input: floating tensor of any shape.
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.
        dtype: floating type to cast to before.

    Raises:
        DTypeError: of integers without `dtype`.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([mean(as_node([[1.0, 2.0], [3.0, 4.0]]), 0)])
    [array([2., 3.], dtype=float32)]
    """
    x = floating("mean", optional_cast(as_node(input), dtype))
    dims = dims_of("mean", x, dim)
    total = SUM(widened(x), dims=dims, keepdim=bool(keepdim))
    return cast(DIV(total, constant(count_along(x, dims), total.dtype)), x.dtype)


@public()
def nansum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
    """The sum over dimensions, NaN taken as zero; otherwise as `sum`."""
    return sum(_without_nan(as_node(input)), dim, keepdim, dtype=dtype)


@public()
def nanmean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
    """The mean over dimensions of the elements that are not NaN."""
    x = floating("nanmean", optional_cast(as_node(input), dtype))
    total = sum(widened(_without_nan(x)), dim, keepdim)
    present = sum(CAST(LOGICAL_NOT(ISNAN(x)), dtype=total.dtype), dim, keepdim)
    return cast(DIV(total, present), x.dtype)


def _without_nan(x: Node) -> Node:
    return WHERE(ISNAN(x), constant(0, x.dtype), x) if x.dtype.is_floating_point else x


@public()
def count_nonzero(input: Any, dim: Dims = None) -> Node:
    """How many elements are not zero, as int64."""
    return sum(to_bool(as_node(input)), dim)


@public()
def amax(input: Any, dim: Dims = None, keepdim: bool = False) -> Node:
    """The largest element over dimensions; NaN if any is. The gradient is split evenly among equal ones.

    Args:
        input: tensor of any shape.
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.

    Raises:
        ShapeError: there are no elements.
    """
    x = as_node(input)
    return MAX(x, dims=dims_of("amax", x, dim), keepdim=bool(keepdim))


@public()
def amin(input: Any, dim: Dims = None, keepdim: bool = False) -> Node:
    """The smallest element over dimensions; NaN if any is. Otherwise as `amax`."""
    x = as_node(input)
    return MIN(x, dims=dims_of("amin", x, dim), keepdim=bool(keepdim))


@public()
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element over a dimension, or of all."""
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _arg(op: Op, input: Any, dim: int | None, keepdim: bool) -> Node:
    x = as_node(input)
    if dim is None:
        flat = RESHAPE(x, shape=(x.size,))
        shape = reduced_shape(x.shape, range(len(x.shape)), keepdim)
        return reshape_to(op(flat, dim=0, keepdim=False), shape)
    place = normalize_dim(op.name, dim, len(x.shape))
    if not x.shape:
        return RESHAPE(op(RESHAPE(x, shape=(1,)), dim=0, keepdim=False), shape=())
    return op(x, dim=place, keepdim=bool(keepdim))


@public()
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Node:
    """Where the largest element is along a dimension, as int64; the first of equal ones, a NaN before all.

    Args:
        input: tensor of any shape.
        dim: one dimension; None counts through all elements in row-major order.
        keepdim: keep the dimension, with size 1.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([argmax(as_node([[1.0, 5.0], [7.0, 4.0]]), 1)])
    [array([1, 0])]
    """
    return _arg(ARGMAX, input, dim, keepdim)


@public()
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Node:
    """Where the smallest element is along a dimension, as int64; otherwise as `argmax`."""
    return _arg(ARGMIN, input, dim, keepdim)


def _at_index(x: Node, index: Node, dim: int, keepdim: bool) -> ValuesIndices:
    """Elements at one position along a dimension, with the dimension given back or dropped."""
    from onegraph.ops.sorting import take_along

    if not x.shape:
        return ValuesIndices(x, index)
    shape = reduced_shape(x.shape, (dim,), keepdim)
    return ValuesIndices(reshape_to(take_along(x, index, dim), shape), reshape_to(index, shape))


def _extreme(
    op: Op, arg: Op, pair: Callable[[Any, Any], Node], input: Any, dim: Any, keepdim: bool, other: Any
) -> Node | ValuesIndices:
    """The three meanings of max and min."""
    if isinstance(dim, Node):
        dim, other = None, dim
    if other is not None:
        return pair(input, other)
    x = as_node(input)
    if dim is None:
        return op(x, dims=tuple(range(len(x.shape))), keepdim=False)
    index = _arg(arg, x, dim, True)
    return _at_index(x, index, normalize_dim(op.name, dim, len(x.shape)), bool(keepdim))


@public()
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Node | ValuesIndices:
    """The largest element of all; along a dimension, with its index; or the larger of two tensors.

    Args:
        input: tensor of any shape.
        dim: None for the largest of all; an int for the largest along a dimension; a tensor to compare with.
        keepdim: keep the dimension, with size 1.
        other: a tensor to compare with.

    Returns:
        A tensor, or with an int `dim` (values, indices). The gradient goes to the index found; over all
        elements it is split evenly among equal ones.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(max(as_node([[1.0, 5.0], [7.0, 4.0]]), 1))
    [array([5., 7.], dtype=float32), array([1, 0])]
    """
    return _extreme(MAX, ARGMAX, maximum, input, dim, keepdim, other)


@public()
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Node | ValuesIndices:
    """The smallest element of all; along a dimension, with its index; or the smaller of two. See `max`."""
    return _extreme(MIN, ARGMIN, minimum, input, dim, keepdim, other)


def _truth(op: Op, name: str, empty: bool, input: Any, dim: Dims, keepdim: bool) -> Node:
    x = as_node(input)
    dims = normalize_dims(name, dim, len(x.shape))
    result: DType = uint8 if x.dtype is uint8 else bool_
    if count_along(x, dims) == 0:
        return full(reduced_shape(x.shape, dims, keepdim), empty, result)
    return cast(op(to_bool(x), dims=dims, keepdim=bool(keepdim)), result)


@public()
def any(input: Any, dim: Dims = None, keepdim: bool = False) -> Node:
    """Whether any element over the dimensions is true (not zero)."""
    return _truth(MAX, "any", False, input, dim, keepdim)


@public()
def all(input: Any, dim: Dims = None, keepdim: bool = False) -> Node:
    """Whether all elements over the dimensions are true (not zero)."""
    return _truth(MIN, "all", True, input, dim, keepdim)


def safe_sqrt(x: Node) -> Node:
    """The square root, with the gradient 0 at 0 instead of an infinite one."""
    zero = EQ(x, constant(0, x.dtype))
    return WHERE(zero, x, SQRT(WHERE(zero, constant(1, x.dtype), x)))


@public("logsumexp")
def logsumexp(input: Any, dim: Dims, keepdim: bool = False) -> Node:
    """log(sum(exp(x))) over dimensions, without overflow: the largest element is taken out first.

    Args:
        input: tensor of any shape.
        dim: one dimension or several.
        keepdim: keep the dimensions, with size 1.
    """
    node = to_float(input)
    x = widened(node)
    dims = dims_of("logsumexp", x, dim)
    zero, one = constant(0, x.dtype), constant(1, x.dtype)
    shape = reduced_shape(x.shape, dims, bool(keepdim))
    if count_along(x, dims) == 0:
        return full(shape, -math.inf, node.dtype)
    largest = detach(MAX(x, dims=dims, keepdim=True))
    offset = WHERE(ISFINITE(largest), largest, zero)
    total = SUM(EXP(SUB(x, offset)), dims=dims, keepdim=True)
    nothing = EQ(total, zero)  # all -inf: so is the result, and the gradient is 0 and not NaN
    logarithm = WHERE(nothing, constant(-math.inf, x.dtype), LOG(WHERE(nothing, one, total)))
    return cast(reshape_to(add(logarithm, offset), shape), node.dtype)


def vector_norm(x: Node, p: float, dim: Dims = None, keepdim: bool = False) -> Node:
    """(sum |x|^p)^(1/p) over dimensions; the largest (smallest) |x| for p = inf (-inf), the count for p = 0.

    The gradient at a norm of 0 is 0.
    """
    dims = dims_of("norm", x, dim)
    wide = widened(floating("norm", x))
    if p == 0:
        count = sum(CAST(NE(wide, constant(0, wide.dtype)), dtype=wide.dtype), dims or None, keepdim)
        return cast(connected(count, wide), x.dtype)
    if math.isinf(p):
        if count_along(x, dims) == 0 and p > 0:
            return connected(full(reduced_shape(x.shape, dims, keepdim), 0.0, x.dtype), x)
        return cast((MAX if p > 0 else MIN)(ABS(wide), dims=dims, keepdim=bool(keepdim)), x.dtype)
    if p == 2:
        return cast(safe_sqrt(SUM(MUL(wide, wide), dims=dims, keepdim=bool(keepdim))), x.dtype)
    if p == 1:
        return cast(SUM(ABS(wide), dims=dims, keepdim=bool(keepdim)), x.dtype)
    total = SUM(_safe_power(ABS(wide), p), dims=dims, keepdim=bool(keepdim))
    return cast(_safe_power(total, 1.0 / p), x.dtype)


def _safe_power(x: Node, p: float) -> Node:
    """x ** p for x >= 0, with the gradient 0 at 0."""
    zero = EQ(x, constant(0, x.dtype))
    at_zero = constant(0.0 if p > 0 else math.inf, x.dtype)
    return WHERE(zero, at_zero, pow(WHERE(zero, constant(1, x.dtype), x), p))


@public()
def norm(input: Any, p: Any = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Node:
    """The p-norm over dimensions, all elements taken as one vector.

    Args:
        input: floating tensor of any shape.
        p: a number, inf, -inf, 'fro' (the same as 2), or 'nuc' (the sum of the singular values of matrices).
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.
        dtype: floating type to cast to before.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([norm(as_node([3.0, 4.0]))])
    [array(5., dtype=float32)]
    """
    if p is None or p == "fro":
        p = 2
    x = optional_cast(as_node(input), dtype)
    if p == "nuc":
        dims = dims_of("norm", x, dim)
        if len(dims) != 2:
            raise ShapeError(f"norm: p='nuc' is of matrices, so of two dimensions, got {dims} of {show(x.shape)}")
        return singular_norm(x, "nuc", dims, keepdim)
    if not isinstance(p, (int, float)):
        raise ArgumentError(f"norm: p must be a number, 'fro' or 'nuc', got {p!r}")
    return vector_norm(x, float(p), dim, keepdim)


@public()
def dist(input: Any, other: Any, p: float = 2) -> Node:
    """The p-norm of the difference of two tensors."""
    return norm(sub(*promote(input, other)), float(p))
