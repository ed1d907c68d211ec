"""Operations that reduce axes, or run along one: sums, means, extremes, orders, cumulative sums.

Read next: `arrangement.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import axes_of, convert, dtype_of, floating, operation, tensors

_where = EXPORTS["where"]


def _finish(value: Any, x: Any, axes: list[int], keepdims: bool) -> Any:
    """The reduced axes taken out, or left with size 1."""
    if keepdims:
        return value.reshape(*[1 if i in axes else s for i, s in enumerate(x.shape)])
    return value


def _reduce(x: Any, method: str, axis: Any, keepdims: bool) -> Any:
    axes = axes_of(axis, x.ndim)
    return getattr(x, method)(axes, keepdim=keepdims) if axes else x


@operation
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sums over axes (all if None).

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([4., 6.])
    """
    x = convert(x)
    total = _reduce(x, "sum", axis, keepdims)
    return total.to(x.dtype) if x.dtype.name in ("int32", "float32", "float16", "bfloat16") else total


@operation
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Means over axes (all if None)."""
    return _reduce(floating(x), "mean", axis, keepdims)


def _extreme(x: Any, method: str, axis: Any, keepdims: bool, initial: Any) -> Any:
    x = convert(x)
    if initial is not None and x.numel() == 0:
        return convert(initial, x.dtype)
    found = _reduce(x, method, axis, keepdims)
    if initial is None:
        return found
    return found.clamp(min=initial) if method == "amax" else found.clamp(max=initial)


@operation
def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The largest elements along axes (all if None); at least `initial`."""
    return _extreme(x, "amax", axis, keepdims, initial)


@operation
def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest elements along axes (all if None); at most `initial`."""
    return _extreme(x, "amin", axis, keepdims, initial)


@operation
def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest elements along axes."""
    return max(x, axis, keepdims)


@operation
def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest elements along axes."""
    return min(x, axis, keepdims)


@operation
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element less the smallest."""
    return max(x, axis, keepdims) - min(x, axis, keepdims)


@operation
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Products over axes (all if None)."""
    x = convert(x, dtype)
    kind, axes = x.dtype, axes_of(axis, x.ndim)
    value = x
    for a in sorted(axes, reverse=True):
        value = value.prod(a)
    return _finish(value.to(kind) if kind.name != "bool" else value, x, axes, keepdims)


@operation
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements along axes are true (not 0)."""
    x = convert(x)
    x = x if x.dtype.name == "bool" else x != 0
    axes, value = axes_of(axis, x.ndim), x
    for a in sorted(axes, reverse=True):
        value = value.all(a)
    return _finish(value, x, axes, keepdims)


@operation
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether an element along axes is true (not 0)."""
    x = convert(x)
    return ~all(~(x if x.dtype.name == "bool" else x != 0), axis, keepdims)


@operation
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Variances over axes, dividing by the number of elements."""
    x = floating(x)
    centered = x - mean(x, axis, True)
    return mean(centered * centered, axis, keepdims)


@operation
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Standard deviations over axes, dividing by the number of elements."""
    return var(x, axis, keepdims).sqrt()


@operation
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance over axes."""
    if synchronized:
        raise ArgumentError("moments: synchronized=True needs several devices, and a model here runs on one")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


@operation
def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements along axes are not 0; int32."""
    return sum((convert(x) != 0).to(dtype_of("int32")), axis)


@operation
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Means over axes, weighted where weights (of x's shape, or of the axis') are given."""
    x = floating(x)
    if weights is None:
        return mean(x, axis)
    weights = floating(weights)
    if weights.ndim != x.ndim:
        (a,) = axes_of(axis, x.ndim)
        weights = weights.reshape(*[x.shape[a] if i == a else 1 for i in range(x.ndim)])
    weights = weights.expand(*x.shape)
    return sum(x * weights, axis) / sum(weights, axis)


# ---- quantiles


@operation
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The values below which a share q (or several) of the elements along axes lies; a first dimension for several q."""
    x = floating(x)
    axes = axes_of(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    flat = x.permute(*kept, *axes).reshape(*[x.shape[i] for i in kept], -1)
    shares = convert(q, x.dtype)
    found = EXPORTS["quantile"](flat, shares, -1, interpolation=method)
    if not keepdims:
        return found
    sizes = [1 if i in axes else s for i, s in enumerate(x.shape)]
    return found.reshape(*shares.shape, *sizes)


@operation
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` with q from 0 to 100."""
    return quantile(x, convert(q, "float32") / 100, axis, method, keepdims)


@operation
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The values in the middle; the mean of two where their number is even."""
    return quantile(x, 0.5, axis, "linear", keepdims)


# ---- where NaN does not count


def _nan(name: str, base: Callable[..., Any], instead: float, does: str) -> Callable[..., Any]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = floating(x)
        missing = x.isnan()
        found = base(_where(missing, EXPORTS["full_like"](x, instead), x), axis=axis, keepdims=keepdims)
        if math.isinf(instead):  # extremes of nothing but NaN are NaN
            found = _where(all(missing, axis, keepdims), EXPORTS["full_like"](found, math.nan), found)
        return found

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"{does} over axes, NaN left out."
    return operation(op)


nansum = _nan("nansum", sum, 0.0, "Sums")
nanprod = _nan("nanprod", prod, 1.0, "Products")
nanmax = _nan("nanmax", max, -math.inf, "The largest elements")
nanmin = _nan("nanmin", min, math.inf, "The smallest elements")


@operation
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Means over axes, NaN left out."""
    x = floating(x)
    count = sum((~x.isnan()).to(x.dtype), axis, keepdims)
    return nansum(x, axis, keepdims) / count


@operation
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Variances over axes, NaN left out."""
    x = floating(x)
    centered = x - nanmean(x, axis, True)
    return nanmean(centered * centered, axis, keepdims)


@operation
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Standard deviations over axes, NaN left out."""
    return nanvar(x, axis, keepdims).sqrt()


@operation
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile`, NaN left out."""
    x = floating(x)
    axes = axes_of(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    flat = x.permute(*kept, *axes).reshape(*[x.shape[i] for i in kept], -1)
    shares = convert(q, x.dtype)
    found = EXPORTS["nanquantile"](flat, shares, -1, interpolation=method)
    return found.reshape(*shares.shape, *[1 if i in axes else s for i, s in enumerate(x.shape)]) if keepdims else found


@operation
def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`percentile`, NaN left out."""
    return nanquantile(x, convert(q, "float32") / 100, axis, method, keepdims)


@operation
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`median`, NaN left out."""
    return nanquantile(x, 0.5, axis, "linear", keepdims)


# ---- places and orders


def _arg(x: Any, method: str, axis: int | None, keepdims: bool) -> Any:
    x = convert(x)
    x = x.to(dtype_of("int32")) if x.dtype.name == "bool" else x
    flat = x.reshape(-1) if axis is None else x
    found = getattr(flat, method)(0 if axis is None else axis).to(dtype_of("int32"))
    return _finish(found, x, axes_of(axis, x.ndim), keepdims)


@operation
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the largest element along an axis stands (of the flat tensor if None); int32."""
    return _arg(x, "argmax", axis, keepdims)


@operation
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the smallest element along an axis stands; int32."""
    return _arg(x, "argmin", axis, keepdims)


@operation
def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the largest element that is not NaN stands; -1 where all are."""
    x = floating(x)
    missing = x.isnan()
    found = argmax(_where(missing, EXPORTS["full_like"](x, -math.inf), x), axis, keepdims)
    return _where(all(missing, axis, keepdims), found * 0 - 1, found)


@operation
def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the smallest element that is not NaN stands; -1 where all are."""
    return nanargmax(-floating(x), axis, keepdims)


@operation
def sort(x: Any, axis: int = -1) -> Any:
    """Elements in rising order along an axis."""
    return convert(x).sort(axis)[0]


@operation
def argsort(x: Any, axis: int | None = -1) -> Any:
    """The places of elements in rising order; equal ones keep their order. int32."""
    x = convert(x)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    return EXPORTS["argsort"](x, axis, stable=True).to(dtype_of("int32"))


@operation
def argpartition(x: Any, kth: int, axis: int | None = -1) -> Any:
    """Places such that the kth smallest element stands at kth, smaller ones before, larger ones behind it."""
    return argsort(x, axis)


@operation
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """The k largest elements along the last axis and their places (int32).

    >>> top_k([1.0, 3.0, 2.0], 2)
    (tensor([3., 2.]), tensor([1, 2], dtype=onegraph.int32))
    """
    values, places = EXPORTS["topk"](convert(x), k, -1)
    return values, places.to(dtype_of("int32"))


@operation
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether each target class is among the k largest predictions of its row."""
    predictions, targets = convert(predictions), convert(targets).long()
    own = predictions.gather(-1, targets.unsqueeze(-1))
    return sum((predictions > own).to(dtype_of("int32")), -1) < k


@operation
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values would have to go into a rising sequence; int32."""
    a, v = tensors(sorted_sequence, values)
    return EXPORTS["searchsorted"](a, v, right=side == "right").to(dtype_of("int32"))


@operation
def digitize(x: Any, bins: Any) -> Any:
    """The number of the bin that each element falls into, for rising limits; int32."""
    return searchsorted(bins, x, "right")


@operation
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements in rising order; looks at the values, so it cannot be traced."""
    import numpy as np

    count: Any = np.unique  # its overloads do not cover flags that are not literals
    found = count(convert(x).detach().numpy(), return_index, return_inverse, return_counts, axis)
    parts = list(found) if isinstance(found, tuple) else [found]
    if size is not None:
        along = 0 if axis is None else axis
        extra = size - parts[0].shape[along]
        if extra < 0:
            parts[0] = parts[0].take(np.arange(size), along)
        elif extra:
            sizes = list(parts[0].shape)
            sizes[along] = extra
            filler = parts[0].min() if fill_value is None else fill_value
            parts[0] = np.concatenate([parts[0], np.full(sizes, filler, parts[0].dtype)], along)
    result = [convert(p) for p in parts]
    return result[0] if len(result) == 1 else tuple(result)


@operation
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 is one of x2's."""
    a, b = tensors(x1, x2)
    found = any(a.unsqueeze(-1) == b.reshape(-1), -1)
    return ~found if invert else found


# ---- along an axis


def _cumulative(x: Any, method: str, axis: int | None, dtype: Any) -> Any:
    x = convert(x, dtype)
    kind = x.dtype
    found = x.reshape(-1) if axis is None else x
    found = getattr(found, method)(0 if axis is None else axis)
    return found if kind.name == "bool" else found.to(kind)


@operation
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Sums of all elements so far, along an axis (of the flat tensor if None)."""
    return _cumulative(x, "cumsum", axis, dtype)


@operation
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Products of all elements so far."""
    return _cumulative(x, "cumprod", axis, dtype)


@operation
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Sums of all elements so far, NaN counted as 0."""
    return cumsum(floating(x).nan_to_num(0.0, math.inf, -math.inf), axis, dtype)


@operation
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Products of all elements so far, NaN counted as 1."""
    return cumprod(floating(x).nan_to_num(1.0, math.inf, -math.inf), axis, dtype)


@operation
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an axis, taken n times."""
    return EXPORTS["diff"](convert(a), n, axis)


@operation
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The area under a curve through points, by the trapezoidal rule."""
    y = floating(y)
    if x is not None:
        return EXPORTS["trapezoid"](y, floating(x), dim=axis)
    return EXPORTS["trapezoid"](y, dx=dx, dim=axis)


@operation
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes (all if None), without overflow."""
    x = floating(x)
    return x.logsumexp(axes_of(axis, x.ndim), keepdim=keepdims)


@operation
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each whole number from 0 occurs in each row, or the sums of their weights. Looks at the values."""
    x = convert(x).long()
    if x.ndim == 1:
        found = EXPORTS["bincount"](x, None if weights is None else convert(weights), minlength)
        return found if weights is not None else found.to(dtype_of("int32"))
    from onegraph.keras.ops.arrangement import stack

    size = int(x.max().item()) + 1
    length = size if size > minlength else minlength
    rows = [bincount(x[i], None if weights is None else convert(weights)[i], length) for i in range(x.shape[0])]
    return stack(rows)


@operation
def histogram(x: Any, bins: int = 10, range: Any = None) -> Any:
    """Counts (int32) of elements in bins of equal width, and the limits of the bins. Looks at the values."""
    import numpy as np

    counts, limits = np.histogram(convert(x).detach().numpy(), bins, range)
    return convert(counts.astype(np.int32)), convert(limits.astype(np.float32))
