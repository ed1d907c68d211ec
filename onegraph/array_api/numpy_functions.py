"""NumPy's functions on tensors: `np.concatenate([t, a])`, `np.mean(t, axis=0)`, `np.linalg.norm(t)`.

A table from NumPy's functions to ours: arrays beside tensors become tensors, results are tensors with gradients. Functions
that tell something about a tensor (its shape, whether it equals another), print it or save it get its values; all others
raise an UnsupportedError. Read next: `numpy_ufuncs.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.array_api import creation, elementwise, linalg, manipulation, statistics
from onegraph.array_api.numpy_ufuncs import as_tensors, missing, write
from onegraph.array_api.support import axes_of
from onegraph.errors import UnsupportedError
from onegraph.frontend.tensor import Tensor

_NOT_GIVEN: Any = getattr(np, "_NoValue", None)
_TABLE: dict[Callable[..., Any], Callable[..., Any]] = {}
_numpy: Any
_ours: Any
_own_linalg: Any = og.linalg

_WITH_VALUES = [
    np.allclose, np.array2string, np.array_equal, np.array_equiv, np.array_repr, np.array_str, np.can_cast,
    np.iscomplexobj, np.isrealobj, np.may_share_memory, np.min_scalar_type, np.result_type, np.save, np.savetxt, np.savez,
    np.savez_compressed, np.shares_memory,
]  # fmt: skip
"""Functions whose result is no array: they get the tensors' values."""


def _values(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)([_values(v) for v in value])
    return {k: _values(v) for k, v in value.items()} if isinstance(value, dict) else value


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One of NumPy's functions, with a tensor among its arguments.

    Raises:
        UnsupportedError: there is no such function on tensors, or it knows no such argument.
        GradientError: `out=` is a NumPy array, and the result requires gradients.
    """
    name = f"{getattr(function, '__module__', 'numpy')}.{function.__name__}".replace("numpy", "np", 1)
    if any(function is f for f in _WITH_VALUES):
        return function(*_values(args), **_values(kwargs))
    ours = _TABLE.get(function)
    if ours is None:
        raise missing(name)
    kwargs = {k: v for k, v in kwargs.items() if v is not _NOT_GIVEN}
    out = kwargs.pop("out", None)
    try:
        result = ours(*[as_tensors(a) for a in args], **{k: as_tensors(v) for k, v in kwargs.items()})
    except TypeError as error:
        if isinstance(error, og.errors.OneGraphError) or "argument" not in str(error):
            raise
        raise UnsupportedError(f"{name} on tensors: {error}", hint="pass x.detach().numpy() for NumPy's own") from None
    return result if out is None else write(name, out, result)


def _implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            _TABLE[function] = ours
        return ours

    return register


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else og.tensor(value)  # type: ignore[no-any-return]


def _reduction(ours: Callable[..., Any], takes_dtype: bool) -> Callable[..., Any]:
    def reduce(
        a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Tensor:
        if initial is not None or where is not True:
            raise UnsupportedError(
                "initial= and where= are for ufuncs on tensors", hint="e.g. np.add.reduce(x, where=mask)"
            )
        axis = tuple(axis) if isinstance(axis, list) else axis
        x = _tensor(a) if dtype is None else _tensor(a).to(dtype)
        extra = {"dtype": x.dtype} if takes_dtype and dtype is not None else {}
        return ours(x, axis=axis, keepdims=bool(keepdims), **extra)  # type: ignore[no-any-return]

    return reduce


for _numpy, _ours, _dtype in (
    (np.sum, statistics.sum, True),
    (np.prod, statistics.prod, True),
    (np.mean, statistics.mean, False),
    (np.all, statistics.all, False),
    (np.any, statistics.any, False),
):
    _TABLE[_numpy] = _reduction(_ours, _dtype)
for _numpy, _ours in ((np.max, statistics.max), (np.min, statistics.min)):
    _TABLE[_numpy] = _reduction(_ours, False)
_TABLE.update({np.amax: _TABLE[np.max], np.amin: _TABLE[np.min]})


def _spread(ours: Callable[..., Any]) -> Callable[..., Any]:
    def spread(
        a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = None
    ) -> Tensor:
        x = _tensor(a) if dtype is None else _tensor(a).to(dtype)
        return ours(x, axis=axis, correction=ddof if correction is None else correction, keepdims=bool(keepdims))  # type: ignore[no-any-return]

    return spread


_TABLE[np.std], _TABLE[np.var] = _spread(statistics.std), _spread(statistics.var)


def _positions(ours: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, axis=None, *, keepdims=False: ours(_tensor(a), axis=axis, keepdims=bool(keepdims))


_TABLE[np.argmax], _TABLE[np.argmin] = _positions(manipulation.argmax), _positions(manipulation.argmin)
_TABLE[np.count_nonzero] = _positions(manipulation.count_nonzero)


def _flat_unless(a: Any, axis: int | None) -> tuple[Tensor, int]:
    return (og.reshape(_tensor(a), (-1,)), 0) if axis is None else (_tensor(a), axis)


@_implements(np.cumsum)
def _cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    x, place = _flat_unless(a, axis)
    return statistics.cumulative_sum(x, axis=place, dtype=dtype)


@_implements(np.cumprod)
def _cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    x, place = _flat_unless(a, axis)
    return statistics.cumulative_prod(x, axis=place, dtype=dtype)


@_implements(np.sort)
def _sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Tensor:
    x, place = _flat_unless(a, axis)
    return manipulation.sort(x, axis=place)


@_implements(np.argsort)
def _argsort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Tensor:
    x, place = _flat_unless(a, axis)
    return manipulation.argsort(x, axis=place)


@_implements(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    before, after = [None if p is None else _tensor(p) for p in (prepend, append)]
    return statistics.diff(_tensor(a), n=n, axis=axis, prepend=before, append=after)


@_implements(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    return elementwise.clip(_tensor(a), low, high)


@_implements(np.where)
def _where(condition: Any, *values: Any) -> Any:
    if not values:
        return og.nonzero(_tensor(condition), as_tuple=True)
    return elementwise.where(_tensor(condition), *values)


@_implements(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0, *, dtype: Any = None) -> Tensor:
    result = manipulation.concat([_tensor(a) for a in arrays], axis=axis)
    return result if dtype is None else result.to(dtype)  # type: ignore[no-any-return]


@_implements(np.stack)
def _stack(arrays: Any, axis: int = 0, *, dtype: Any = None) -> Tensor:
    result = manipulation.stack([_tensor(a) for a in arrays], axis=axis)
    return result if dtype is None else result.to(dtype)  # type: ignore[no-any-return]


def _joined(ours: Callable[..., Any]) -> Callable[..., Any]:
    return lambda tup: ours([_tensor(a) for a in tup])


for _numpy, _ours in (
    (np.vstack, og.vstack), (np.hstack, og.hstack), (np.dstack, og.dstack), (np.column_stack, og.column_stack),
):  # fmt: skip
    _TABLE[_numpy] = _joined(_ours)


@_implements(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    return list(og.tensor_split(_tensor(ary), indices_or_sections, axis))


@_implements(np.reshape)
def _reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: bool | None = None) -> Tensor:
    if order != "C":
        raise UnsupportedError(
            f"np.reshape: order={order!r} is not supported on tensors", hint="permute the axes first"
        )
    return manipulation.reshape(_tensor(a), shape, copy=copy)


@_implements(np.transpose, np.permute_dims)
def _transpose(a: Any, axes: Any = None) -> Tensor:
    order = range(a.ndim)[::-1] if axes is None else axes
    return og.permute(a, tuple(order))  # type: ignore[no-any-return]


@_implements(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Tensor:
    return og.squeeze(a) if axis is None else manipulation.squeeze(a, axis)  # type: ignore[no-any-return]


@_implements(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Tensor:
    return manipulation.expand_dims(a, tuple(axis) if isinstance(axis, list) else axis)


@_implements(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Tensor:
    x, place = _flat_unless(a, axis)
    (place,) = axes_of(place, x.ndim)
    return x[(slice(None),) * place + (_tensor(indices),)]


@_implements(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Tensor:
    x, place = _flat_unless(arr, axis)
    return manipulation.take_along_axis(x, _tensor(indices), axis=place)


@_implements(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Tensor:
    return manipulation.repeat(_tensor(a), repeats, axis=axis)


@_implements(np.tile)
def _tile(A: Any, reps: Any) -> Tensor:
    return og.tile(_tensor(A), (reps,) if isinstance(reps, int) else tuple(reps))  # type: ignore[no-any-return]


@_implements(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    return manipulation.roll(_tensor(a), shift, axis=axis)


@_implements(np.flip)
def _flip(m: Any, axis: Any = None) -> Tensor:
    return manipulation.flip(_tensor(m), axis=axis)


@_implements(np.copy)
def _copy(a: Any, order: str = "K", subok: bool = False) -> Tensor:
    return a.clone()  # type: ignore[no-any-return]


def _likes(ours: Callable[..., Any]) -> Callable[..., Any]:
    def like(a: Any, *values: Any, dtype: Any = None, shape: Any = None, device: Any = None, **named: Any) -> Tensor:
        if shape is not None:
            raise UnsupportedError("shape= is not supported on tensors", hint="use onegraph.zeros and the like")
        return ours(a, *values, *named.values(), dtype=dtype, device=device)  # type: ignore[no-any-return]

    return like


for _numpy, _ours in (
    (np.zeros_like, creation.zeros_like), (np.ones_like, creation.ones_like), (np.empty_like, creation.empty_like),
    (np.full_like, creation.full_like),
):  # fmt: skip
    _TABLE[_numpy] = _likes(_ours)


@_implements(np.unique)
def _unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    if axis is not None:
        if return_index:
            raise UnsupportedError("np.unique: return_index with an axis is not supported on tensors")
        return og.unique(ar, True, return_inverse, return_counts, axis)
    found = manipulation.unique_all(ar)
    wanted = (True, return_index, return_inverse, return_counts)
    chosen = tuple([f for f, w in zip(found, wanted, strict=True) if w])
    return chosen[0] if len(chosen) == 1 else chosen


@_implements(np.median)
def _median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return og.quantile(a, 0.5, axis, bool(keepdims))  # type: ignore[no-any-return]


@_implements(np.quantile)
def _quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    return og.quantile(a, q, axis, bool(keepdims), interpolation=method)  # type: ignore[no-any-return]


@_implements(np.percentile)
def _percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    share = og.tensor(q.detach().numpy() / 100 if isinstance(q, Tensor) else np.asarray(q) / 100, dtype=a.dtype)
    return og.quantile(a, share, axis, bool(keepdims), interpolation=method)  # type: ignore[no-any-return]


@_implements(np.dot)
def _dot(a: Any, b: Any) -> Tensor:
    a, b = _tensor(a), _tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return og.tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))  # type: ignore[no-any-return]


@_implements(np.einsum)
def _einsum(equation: Any, *operands: Any, optimize: Any = False) -> Tensor:
    return og.einsum(equation, *[_tensor(o) for o in operands])  # type: ignore[no-any-return]


@_implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    if not isinstance(axes, int):
        axes = tuple([tuple(p) if isinstance(p, (list, tuple)) else (p,) for p in axes])
    return linalg.tensordot(_tensor(a), _tensor(b), axes=axes)


@_implements(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    return statistics.sum(og.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@_implements(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    return _own_linalg.norm(_tensor(x), ord, axis, keepdims)  # type: ignore[no-any-return]


@_implements(np.searchsorted)
def _searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Tensor:
    return manipulation.searchsorted(_tensor(a), _tensor(v), side=side, sorter=sorter)


@_implements(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Tensor:
    return og.round(a, decimals=decimals)  # type: ignore[no-any-return]


@_implements(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None) -> Tensor:
    if weights is None:
        return statistics.mean(a, axis=axis)
    return statistics.sum(a * weights, axis=axis) / statistics.sum(_tensor(weights) + a * 0, axis=axis)


def _range(a: Any, axis: Any, keepdims: bool) -> Tensor:
    return statistics.max(a, axis=axis, keepdims=keepdims) - statistics.min(a, axis=axis, keepdims=keepdims)


def _plain(ours: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same arguments, in the same order; arrays among them become tensors."""
    return lambda *args, **kwargs: ours(*args, **kwargs)


for _numpy, _ours in (
    (np.shape, lambda a: tuple(a.shape)),
    (np.ndim, lambda a: a.ndim),
    (np.size, lambda a, axis=None: a.numel() if axis is None else a.shape[axis]),
    (np.ravel, lambda a, order="C": og.reshape(_tensor(a), (-1,))),
    (np.swapaxes, lambda a, axis1, axis2: og.transpose(a, axis1, axis2)),
    (np.moveaxis, lambda a, source, destination: og.movedim(a, source, destination)),
    (np.broadcast_to, lambda array, shape, subok=False: og.broadcast_to(_tensor(array), shape)),
    (np.broadcast_arrays, lambda *args, subok=False: manipulation.broadcast_arrays(*[_tensor(a) for a in args])),
    (np.atleast_1d, og.atleast_1d),
    (np.atleast_2d, og.atleast_2d),
    (np.atleast_3d, og.atleast_3d),
    (np.fliplr, og.fliplr),
    (np.flipud, og.flipud),
    (np.diag, lambda v, k=0: og.diag(v, k)),
    (np.diagonal, lambda a, offset=0, axis1=0, axis2=1: og.diagonal(a, offset, axis1, axis2)),
    (np.bincount, lambda x, /, weights=None, minlength=0: og.bincount(_tensor(x), weights, minlength)),
    (np.tril, lambda m, k=0: og.tril(m, k)),
    (np.triu, lambda m, k=0: og.triu(m, k)),
    (np.outer, lambda a, b: og.outer(og.reshape(_tensor(a), (-1,)), og.reshape(_tensor(b), (-1,)))),
    (np.inner, lambda a, b: og.inner(_tensor(a), _tensor(b))),
    (np.kron, lambda a, b: og.kron(_tensor(a), _tensor(b))),
    (np.nonzero, lambda a: og.nonzero(a, as_tuple=True)),
    (np.argwhere, og.nonzero),
    (np.flatnonzero, lambda a: og.nonzero(og.reshape(a, (-1,)), as_tuple=True)[0]),
    (np.isin, lambda element, test_elements, invert=False: manipulation.isin(_tensor(element), _tensor(test_elements), invert=invert)),
    (np.isclose, lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: og.isclose(_tensor(a), _tensor(b), rtol, atol, equal_nan)),
    (np.meshgrid, lambda *xi, indexing="xy": creation.meshgrid(*[_tensor(x) for x in xi], indexing=indexing)),
    (np.real, elementwise.real),
    (np.imag, elementwise.imag),
    (np.nansum, lambda a, axis=None, *, keepdims=False: og.nansum(a, axis, keepdims)),
    (np.nanmean, lambda a, axis=None, *, keepdims=False: og.nanmean(a, axis, keepdims)),
    (np.nan_to_num, lambda x, copy=True, nan=0.0, posinf=None, neginf=None: og.nan_to_num(x, nan, posinf, neginf)),
    (np.ptp, lambda a, axis=None, keepdims=False: _range(a, axis, keepdims)),
    (np.linalg.inv, linalg.inv),
    (np.linalg.det, linalg.det),
    (np.linalg.slogdet, linalg.slogdet),
    (np.linalg.solve, lambda a, b: linalg.solve(_tensor(a), _tensor(b))),
    (np.linalg.cholesky, lambda a, /, *, upper=False: linalg.cholesky(a, upper=upper)),
    (np.linalg.eigh, lambda a, UPLO="L": linalg.EighResult(*_own_linalg.eigh(a, UPLO))),
    (np.linalg.eigvalsh, lambda a, UPLO="L": _own_linalg.eigvalsh(a, UPLO)),
    (np.linalg.qr, lambda a, mode="reduced": linalg.qr(a, mode=mode)),
    (np.linalg.pinv, lambda a, rcond=None, *, rtol=None: linalg.pinv(a, rtol=rcond if rtol is None else rtol)),
    (np.linalg.matrix_power, lambda a, n: linalg.matrix_power(a, n)),
):  # fmt: skip
    _TABLE[_numpy] = _plain(_ours)


@_implements(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    return linalg.svd(a, full_matrices=full_matrices) if compute_uv else linalg.svdvals(a)


@_implements(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, Tensor):
        raise UnsupportedError("np.copyto: a tensor into an array", hint="use array[...] = x.detach().numpy()")
    dst.copy_(_tensor(src) if where is True else elementwise.where(_tensor(where), _tensor(src), dst))


FUNCTIONS = frozenset(_TABLE)
"""NumPy's functions that take tensors."""
