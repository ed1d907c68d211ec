"""Functions of the standard that reduce or accumulate.

Read next: `linalg.py`.
"""

from __future__ import annotations

import builtins
from typing import Any

import onegraph as og
from onegraph.array_api.support import Axis, array, axes_of, summed_dtype
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import bool_


def _floating(x: Tensor) -> Tensor:
    return x if x.dtype.is_floating_point else x.to(og.get_default_dtype())  # type: ignore[no-any-return]


def sum(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes, by default over all; of bools and integers as int64.

    Args:
        x: any tensor.
        axis: what to sum over; `()` for nothing.
        dtype: in which to sum.
        keepdims: leave axes of size 1 behind.

    >>> from onegraph import array_api as xp
    >>> xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=0)
    tensor([4, 6])
    """
    kind = summed_dtype(array("sum", x), dtype)
    places = axes_of(axis, x.ndim)
    return og.sum(x.to(kind), places, keepdim=keepdims) if places else x.to(kind)  # type: ignore[no-any-return]


def prod(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over axes, by default over all; of bools and integers as int64."""
    result = x.to(summed_dtype(array("prod", x), dtype))
    places = axes_of(axis, x.ndim)
    for place in sorted(places, reverse=True):
        result = og.prod(result, place, keepdim=keepdims)
    return result  # type: ignore[no-any-return]


def mean(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over axes, by default over all."""
    x = _floating(array("mean", x))
    places = axes_of(axis, x.ndim)
    return og.mean(x, places, keepdim=keepdims) if places else x  # type: ignore[no-any-return]


def var(x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over axes, by default over all.

    Args:
        x: any tensor.
        axis: what to reduce.
        correction: what to take from the number of elements in the divisor; 1 for an unbiased estimate.
        keepdims: leave axes of size 1 behind.
    """
    x = _floating(array("var", x))
    places = axes_of(axis, x.ndim)
    if not places:
        return x * 0
    count = 1
    for place in places:
        count *= x.shape[place]
    centred = x - og.mean(x, places, keepdim=True)
    squares = og.sum(og.square(centred), places, keepdim=keepdims)
    return squares / _not_negative(count - correction)  # type: ignore[no-any-return]


def _not_negative(divisor: float) -> float:
    """A divisor that is no less than 0: more correction than elements gives infinity or NaN, as in NumPy."""
    return divisor if divisor > 0 else 0.0


def std(x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes, by default over all; see `var`."""
    return og.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))  # type: ignore[no-any-return]


def _extremum(function: Any, name: str, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    x = array(name, x)
    places = axes_of(axis, x.ndim)
    if not places:
        return x
    if builtins.any(x.shape[p] == 0 for p in places):  # the standard's `any` is below
        raise ArgumentError(f"{name}: there are no elements along {axis} of a tensor of shape {tuple(x.shape)}")
    return function(x, places, keepdim=keepdims)  # type: ignore[no-any-return]


def max(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element along axes, by default of all; NaN where one is NaN."""
    return _extremum(og.amax, "max", x, axis, keepdims)


def min(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element along axes, by default of all; NaN where one is NaN."""
    return _extremum(og.amin, "min", x, axis, keepdims)


def _truth(function: Any, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    result = x.to(bool_)
    for place in sorted(axes_of(axis, x.ndim), reverse=True):
        result = function(result, place, keepdim=keepdims)
    return result  # type: ignore[no-any-return]


def all(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every element along axes is true, or not zero."""
    return _truth(og.all, array("all", x), axis, keepdims)


def any(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether an element along axes is true, or not zero."""
    return _truth(og.any, array("any", x), axis, keepdims)


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The n-th differences of neighbours along an axis.

    Args:
        x: any numeric tensor.
        axis: along which.
        n: how often to take differences.
        prepend, append: what to put before and after x first.
    """
    parts = [t for t in (prepend, array("diff", x), append) if t is not None]
    row = parts[0] if len(parts) == 1 else og.cat([p.to(x.dtype) for p in parts], axis)
    (place,) = axes_of(axis, x.ndim)
    before = (slice(None),) * place
    for _ in range(n):
        later, earlier = row[(*before, slice(1, None))], row[(*before, slice(None, -1))]
        row = og.ne(later, earlier) if x.dtype is bool_ else later - earlier
    return row  # type: ignore[no-any-return]


def _cumulative(function: Any, name: str, x: Tensor, axis: int | None, dtype: Any, initial: int | None) -> Tensor:
    x = array(name, x)
    if axis is None:
        if x.ndim != 1:
            raise ArgumentError(f"{name}: axis is needed for a tensor of {x.ndim} dimensions")
        axis = 0
    (place,) = axes_of(axis, x.ndim)
    result = function(x.to(summed_dtype(x, dtype)), place)
    if initial is None:
        return result  # type: ignore[no-any-return]
    shape = [1 if i == place else s for i, s in enumerate(x.shape)]
    return og.cat([og.full(tuple(shape), initial, dtype=result.dtype), result], place)  # type: ignore[no-any-return]


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running sums along an axis; with `include_initial`, 0 comes first.

    >>> from onegraph import array_api as xp
    >>> xp.cumulative_sum(xp.asarray([1, 2, 3]), include_initial=True)
    tensor([0, 1, 3, 6])
    """
    return _cumulative(og.cumsum, "cumulative_sum", x, axis, dtype, 0 if include_initial else None)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running products along an axis; with `include_initial`, 1 comes first."""
    return _cumulative(og.cumprod, "cumulative_prod", x, axis, dtype, 1 if include_initial else None)


FUNCTIONS = {
    f.__name__: f
    for f in (all, any, cumulative_prod, cumulative_sum, diff, max, mean, min, prod, std, sum, var)
}  # fmt: skip
