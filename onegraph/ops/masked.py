"""`masked`: reductions and normalizations over the elements that a mask keeps, under PyTorch's names.

What the mask leaves out counts as the neutral element of a reduction: where it leaves out everything, a sum is 0, a product 1,
the largest element the least number, and a mean NaN. Without a mask all elements are kept.

Read next: `statistics.py` (the plain functions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentTypeError, ShapeError
from onegraph.ir.dtype import as_dtype, bool_
from onegraph.ir.node import Node
from onegraph.ops import mathematics, quantiles, scan, statistics
from onegraph.ops import softmax as softmaxes
from onegraph.ops.binary import DIV, MUL, SUB, clamp_min
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import NEG, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import broadcast_shapes, show

Dims = int | Sequence[int] | None
_NAMESPACE = "masked"


def _kept(op: str, input: Any, mask: Any, dtype: Any) -> tuple[Node, Node | None]:
    """The operand in the dtype asked for, and the mask in its shape."""
    x = as_node(input)
    if dtype is not None:
        x = cast(x, as_dtype(dtype))
    if mask is None:
        return x, None
    m = as_node(mask)
    if m.dtype is not bool_:
        raise ArgumentTypeError(f"masked.{op}: the mask must be bool, got {m.dtype.name} {show(m.shape)}")
    if broadcast_shapes(f"masked.{op}", x.shape, m.shape) != x.shape:
        raise ShapeError(f"masked.{op}: the mask {show(m.shape)} cannot be expanded to {show(x.shape)}")
    return x, expand_to(m, x.shape)


def _filled(op: str, input: Any, mask: Any, value: float, dtype: Any = None) -> Node:
    """The operand, with a value where the mask leaves elements out; an infinite one is the limit of an integer dtype."""
    x, kept = _kept(op, input, mask, dtype)
    if kept is None:
        return x
    if math.isinf(value) and not x.dtype.is_floating_point:
        limits = np.iinfo(x.dtype.numpy) if x.dtype is not bool_ else None
        value = value > 0 if limits is None else limits.max if value > 0 else limits.min
    return WHERE(kept, x, constant(value, x.dtype))


def _all(x: Node, dim: Dims) -> tuple[int, ...]:
    return tuple(range(len(x.shape))) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)


@public(namespace=_NAMESPACE)
def sum(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The sum of the elements that a mask keeps.

    Args:
        input: tensor of any shape.
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.
        dtype: to cast to before.
        mask: bool, of a shape that expands to the input's; true where an element counts.

    Raises:
        ShapeError: the mask's shape does not expand to the input's.
        ArgumentTypeError: the mask is not bool.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([sum(as_node([1.0, 2.0, 4.0]), mask=as_node([True, False, True]))])
    [array(5., dtype=float32)]
    """
    return statistics.sum(_filled("sum", input, mask, 0, dtype), dim, keepdim)


@public(namespace=_NAMESPACE)
def prod(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The product of the elements that a mask keeps; arguments as for `masked.sum`."""
    x = _filled("prod", input, mask, 1, dtype)
    dims = sorted([d % max(len(x.shape), 1) for d in _all(x, dim)], reverse=True)
    if not dims:
        return statistics.prod(x) if not x.shape else x
    for d in dims:
        x = statistics.prod(x, d, keepdim)
    return x


@public(namespace=_NAMESPACE)
def amax(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The largest of the elements that a mask keeps; arguments as for `masked.sum`."""
    return statistics.amax(_filled("amax", input, mask, -math.inf, dtype), dim, keepdim)


@public(namespace=_NAMESPACE)
def amin(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The smallest of the elements that a mask keeps; arguments as for `masked.sum`."""
    return statistics.amin(_filled("amin", input, mask, math.inf, dtype), dim, keepdim)


@public(namespace=_NAMESPACE)
def argmax(input: Any, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """Where the largest of the elements that a mask keeps is, along one dimension or in the flat tensor; in the input's dtype."""
    x = _filled("argmax", input, mask, -math.inf, dtype)
    return cast(statistics.argmax(x, dim, keepdim), x.dtype)


@public(namespace=_NAMESPACE)
def argmin(input: Any, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """Where the smallest of the elements that a mask keeps is, along one dimension or in the flat tensor; in the input's dtype."""
    x = _filled("argmin", input, mask, math.inf, dtype)
    return cast(statistics.argmin(x, dim, keepdim), x.dtype)


def _count(x: Node, kept: Node | None, dim: Dims, keepdim: bool) -> Node:
    ones = expand_to(constant(1.0, x.dtype), x.shape) if kept is None else cast(kept, x.dtype)
    return statistics.sum(ones, dim, keepdim)


@public(namespace=_NAMESPACE)
def mean(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The mean of the elements that a mask keeps, NaN where there are none; arguments as for `masked.sum`."""
    x, kept = _kept("mean", input, mask, dtype)
    if kept is None:
        return statistics.mean(x, dim, keepdim)
    wide = statistics.widened(statistics.floating("masked.mean", x))
    total = statistics.sum(_filled("mean", wide, mask, 0), dim, keepdim)
    return cast(DIV(total, _count(wide, kept, dim, keepdim)), x.dtype)


@public(namespace=_NAMESPACE)
def var(
    input: Any,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Node:
    """The variance of the elements that a mask keeps: the sum of squared distances to the mean over count - correction.

    Args:
        unbiased: true (the default) is correction 1, false 0.
        correction: subtracted from the number of elements.

    The others are as for `masked.sum`.
    """
    return _variance("var", input, dim, unbiased, correction, keepdim, dtype, mask, root=False)


@public(namespace=_NAMESPACE)
def std(
    input: Any,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Node:
    """The standard deviation of the elements that a mask keeps; arguments as for `masked.var`."""
    return _variance("std", input, dim, unbiased, correction, keepdim, dtype, mask, root=True)


def _variance(
    op: str,
    input: Any,
    dim: Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    dtype: Any,
    mask: Any,
    *,
    root: bool,
) -> Node:
    x, kept = _kept(op, input, mask, dtype)
    wide = statistics.widened(statistics.floating(f"masked.{op}", x))
    if correction is None:
        correction = 0.0 if unbiased is False else 1.0
    zero = constant(0.0, wide.dtype)
    values = wide if kept is None else WHERE(kept, wide, zero)
    center = DIV(statistics.sum(values, dim, True), _count(wide, kept, dim, True))
    distance = SUB(wide, center)
    distance = distance if kept is None else WHERE(kept, distance, zero)
    total = statistics.sum(MUL(distance, distance), dim, keepdim)
    count = _count(wide, kept, dim, keepdim)
    result = DIV(total, clamp_min(SUB(count, constant(correction, wide.dtype)), 0.0))
    return cast(statistics.safe_sqrt(result) if root else result, x.dtype)


@public(namespace=_NAMESPACE)
def norm(
    input: Any, ord: float = 2.0, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Node:
    """The norm of the elements that a mask keeps, as `linalg.vector_norm`; other arguments as for `masked.sum`."""
    x = _filled("norm", input, mask, math.inf if ord < 0 else 0.0, dtype)
    return statistics.vector_norm(x, float(ord), dim, keepdim)


@public(namespace=_NAMESPACE)
def logsumexp(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """log(sum(exp(x))) of the elements that a mask keeps; arguments as for `masked.sum`."""
    x = _filled("logsumexp", input, mask, -math.inf, dtype)
    return statistics.logsumexp(x, _all(x, dim), keepdim)


@public(namespace=_NAMESPACE)
def softmax(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Node:
    """`softmax` of the elements that a mask keeps, 0 elsewhere; NaN where it keeps none."""
    return softmaxes.softmax(_filled("softmax", input, mask, -math.inf, dtype), dim)


@public(namespace=_NAMESPACE)
def log_softmax(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Node:
    """The logarithm of `masked.softmax`."""
    return softmaxes.log_softmax(_filled("log_softmax", input, mask, -math.inf, dtype), dim)


@public(namespace=_NAMESPACE)
def softmin(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Node:
    """`masked.softmax` of -x."""
    return softmaxes.softmax(NEG(_filled("softmin", input, mask, math.inf, dtype)), dim)


@public(namespace=_NAMESPACE)
def normalize(input: Any, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None) -> Node:
    """The elements that a mask keeps divided by their norm along a dimension, or by eps where that is larger."""
    x = _filled("normalize", input, mask, 0.0, dtype)
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return DIV(x, clamp_min(length, eps))


@public(namespace=_NAMESPACE)
def cumsum(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Node:
    """The sum of the elements that a mask keeps up to each one along a dimension."""
    return scan.cumsum(_filled("cumsum", input, mask, 0, dtype), dim)


@public(namespace=_NAMESPACE)
def cumprod(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Node:
    """The product of the elements that a mask keeps up to each one along a dimension."""
    return scan.cumprod(_filled("cumprod", input, mask, 1, dtype), dim)


@public(namespace=_NAMESPACE)
def median(input: Any, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
    """The middle of the elements that a mask keeps along a dimension, the lower one of two; NaN where it keeps none."""
    x, kept = _kept("median", input, mask, dtype)
    statistics.floating("masked.median", x)
    if kept is None:
        values: Node = quantiles.median(x, dim, keepdim)[0]  # type: ignore[index]
        return values
    values = quantiles.nanmedian(WHERE(kept, x, constant(math.nan, x.dtype)), dim, keepdim)[0]  # type: ignore[index]
    return values


@public(namespace=_NAMESPACE)
def logaddexp(input: Any, other: Any, *, dtype: Any = None, input_mask: Any = None, other_mask: Any = None) -> Node:
    """log(exp(a) + exp(b)), where each operand counts as minus infinity where its mask leaves it out."""
    a = _filled("logaddexp", input, input_mask, -math.inf, dtype)
    return mathematics.logaddexp(a, _filled("logaddexp", other, other_mask, -math.inf, dtype))
