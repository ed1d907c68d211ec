"""Every function of the array API standard against array_api_strict, its reference: signatures, values, dtypes, shapes.

Each row of the table below is a call; it runs in both namespaces with the same arrays. Read next: `onegraph/array_api/README.md`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import array_api as xp
from onegraph.frontend.tensor import Tensor

strict = pytest.importorskip("array_api_strict")

_NOT_OF_THE_STANDARD = {
    "ArrayAPIStrictFlags", "Device", "ModuleType", "get_array_api_strict_flags", "reset_array_api_strict_flags",
    "set_array_api_strict_flags",
}  # fmt: skip
_ABSENT = {"complex64", "complex128", "uint16", "uint32", "uint64"}
NAMES = sorted(n for n in dir(strict) if not n.startswith("_") and n not in _NOT_OF_THE_STANDARD | _ABSENT)
FUNCTIONS = [n for n in NAMES if callable(getattr(strict, n))] + ["__array_namespace_info__"]
LINALG = sorted(strict.linalg.__all__)

_random = np.random.default_rng(0)


def _unit(*shape: int) -> np.ndarray:
    return _random.uniform(-0.9, 0.9, shape)


M = _unit(3, 4)
V = np.array([0.5, -1.5, 2.5, -0.5, 3.0])
POSITIVE = np.abs(_unit(2, 3)) + 0.5
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -2.5])
I = np.array([[3, -2, 7], [0, 5, -4]], np.int32)  # noqa: E741
SHIFT = np.array([[1, 2, 0], [3, 1, 2]], np.int32)
B = np.array([[True, False, True], [False, False, True]])
CUBE = _unit(2, 3, 4)
SQUARE = _unit(2, 3, 3) + 2 * np.eye(3)
SYMMETRIC = SQUARE @ np.swapaxes(SQUARE, -1, -2)

Call = Callable[..., Any]


def _elementwise() -> dict[str, list[tuple[Call, tuple[Any, ...]]]]:
    table: dict[str, list[tuple[Call, tuple[Any, ...]]]] = {}

    def unary(names: str, *values: Any) -> None:
        for name in names.split():
            for value in values:
                table.setdefault(name, []).append((lambda m, x, n=name: getattr(m, n)(x), (value,)))

    def binary(names: str, *pairs: tuple[Any, Any]) -> None:
        for name in names.split():
            for two in pairs:
                table.setdefault(name, []).append((lambda m, x, y, n=name: getattr(m, n)(x, y), two))

    f32 = M.astype(np.float32)
    unary("asin acos atan asinh atanh sin cos tan sinh cosh tanh exp expm1 log1p", M, f32, _unit())
    unary("acosh", POSITIVE + 1)
    unary("log log2 log10 sqrt reciprocal", POSITIVE, POSITIVE.astype(np.float32))
    unary("abs negative positive sign square ceil floor round trunc", SPECIAL, V, I)
    unary("isfinite isinf isnan signbit", SPECIAL)
    unary("isfinite isinf isnan", I)
    unary("logical_not", B)
    unary("bitwise_invert", B, I, I.astype(np.uint8))
    mixed = [(M, M[0]), (M, f32), (I, I[0]), (I, I.astype(np.int8)), (I, np.asarray(5, np.int64)), (f32, _unit())]
    numbers = [(M, 2), (f32, 0.5), (I, 3), (2, I), (1.5, f32)]
    binary("add subtract multiply equal not_equal less less_equal greater greater_equal", *mixed, *numbers)
    binary("maximum minimum", *mixed, *numbers, (SPECIAL, SPECIAL[::-1]))
    binary("floor_divide remainder", (V, 2.0), (I, np.array([2, -3, 3], np.int32)), (V, -V[::-1]))
    binary("divide atan2 copysign hypot logaddexp", (M, M[0]), (f32, 2.0), (SPECIAL, SPECIAL[::-1]))
    binary("nextafter", (M, M[0]), (f32, 2.0), (f32, f32[0]))
    binary("pow", (POSITIVE, M[:2, :3]), (I, 2), (2, SHIFT), (POSITIVE.astype(np.float32), 0.5))
    binary("bitwise_and bitwise_or bitwise_xor", (I, SHIFT), (B, B[0]), (I, 6))
    binary("bitwise_left_shift bitwise_right_shift", (I, SHIFT), (I, 2))
    binary("logical_and logical_or logical_xor", (B, B[0]), (B, True))
    return table


TABLE: dict[str, list[tuple[Call, tuple[Any, ...]]]] = {
    **_elementwise(),
    "clip": [
        (lambda m, x: m.clip(x, -0.5, 0.5), (M,)),
        (lambda m, x: m.clip(x, min=1), (I,)),
        (lambda m, x: m.clip(x, max=1), (I,)),
        (lambda m, x, low: m.clip(x, low, 4), (V, V[::-1] - 1)),
    ],
    "where": [(lambda m, c, x: m.where(c, x, x + 1), (B, I)), (lambda m, c, x: m.where(c, x, 0.0), (B, POSITIVE))],
    # creation
    "arange": [
        (lambda m: m.arange(5), ()),
        (lambda m: m.arange(2, 9, 3, dtype=m.int32), ()),
        (lambda m: m.arange(5, 1), ()),
        (lambda m: m.arange(1.0, 0.0, -0.25, dtype=m.float64), ()),
    ],
    "asarray": [
        (lambda m: m.asarray([[1, 2], [3, 4]]), ()),
        (lambda m: m.asarray([1.5, 2], dtype=m.float64), ()),
        (lambda m: m.asarray(True), ()),
        (lambda m, x: m.asarray(x, copy=True), (I,)),
        (lambda m, x: m.asarray(x, dtype=m.float32), (I,)),
    ],
    "empty": [(lambda m: m.empty((2, 3), dtype=m.int8) * 0, ())],
    "empty_like": [(lambda m, x: m.empty_like(x, dtype=m.float64) * 0, (I,))],
    "zeros": [(lambda m: m.zeros(3, dtype=m.float64), ()), (lambda m: m.zeros((), dtype=m.int64), ())],
    "zeros_like": [(lambda m, x: m.zeros_like(x), (I,))],
    "ones": [(lambda m: m.ones((2, 0), dtype=m.uint8), ())],
    "ones_like": [(lambda m, x: m.ones_like(x, dtype=m.bool), (I,))],
    "full": [(lambda m: m.full((2,), 7), ()), (lambda m: m.full(2, True), ()), (lambda m: m.full((), 2, dtype=m.float64), ())],
    "full_like": [(lambda m, x: m.full_like(x, 3), (M,))],
    "eye": [(lambda m: m.eye(3, dtype=m.float64), ()), (lambda m: m.eye(2, 4, k=-1, dtype=m.int16), ())],
    "linspace": [
        (lambda m: m.linspace(0, 1, 5, dtype=m.float64), ()),
        (lambda m: m.linspace(1, -1, 4, dtype=m.float32, endpoint=False), ()),
    ],
    "from_dlpack": [(lambda m, x: m.from_dlpack(x), (I,))],
    "meshgrid": [(lambda m, x, y: m.meshgrid(x, y), (V, M[0])), (lambda m, x: m.meshgrid(x, x, indexing="ij"), (V,))],
    "tril": [(lambda m, x: m.tril(x, k=1), (CUBE,))],
    "triu": [(lambda m, x: m.triu(x, k=-1), (CUBE,))],
    # dtypes
    "astype": [(lambda m, x: m.astype(x, m.int64), (V,)), (lambda m, x: m.astype(x, x.dtype, copy=False), (V,))],
    "can_cast": [(lambda m: [m.can_cast(a, b) for a in _dtypes(m) for b in _dtypes(m)], ())],
    "finfo": [(lambda m: [_limits(m.finfo(d), "bits eps max min smallest_normal") for d in (m.float32, m.float64)], ())],
    "iinfo": [(lambda m: [_limits(m.iinfo(d), "bits max min") for d in (m.int8, m.uint8, m.int64)], ())],
    "isdtype": [(lambda m: [m.isdtype(d, k) for d in _dtypes(m) for k in (*_KINDS, (*_KINDS[:2],), m.int8)], ())],
    "result_type": [(lambda m, x: str(m.result_type(x, m.float64)).rpartition(".")[2], (M.astype(np.float32),))],
    "__array_namespace_info__": [(lambda m: sorted(m.__array_namespace_info__().capabilities()), ())],
    # manipulation
    "broadcast_arrays": [(lambda m, x, y: m.broadcast_arrays(x, y), (M, M[:, :1]))],
    "broadcast_shapes": [(lambda m: m.broadcast_shapes((2, 1), (3,)), ())],
    "broadcast_to": [(lambda m, x: m.broadcast_to(x, (2, 3, 4)), (M,))],
    "concat": [
        (lambda m, x, y: m.concat([x, y], axis=1), (M, M[:, :1])),
        (lambda m, x, y: m.concat((x, y), axis=None), (M, V.astype(np.float32))),
    ],
    "expand_dims": [(lambda m, x: m.expand_dims(x, 1), (M,)), (lambda m, x: m.expand_dims(x, axis=-1), (M,))],
    "flip": [(lambda m, x: m.flip(x), (CUBE,)), (lambda m, x: m.flip(x, axis=(0, -1)), (CUBE,))],
    "moveaxis": [(lambda m, x: m.moveaxis(x, 0, -1), (CUBE,)), (lambda m, x: m.moveaxis(x, (0, 1), (2, 0)), (CUBE,))],
    "permute_dims": [(lambda m, x: m.permute_dims(x, (2, 0, 1)), (CUBE,))],
    "repeat": [
        (lambda m, x: m.repeat(x, 2), (M,)),
        (lambda m, x: m.repeat(x, 2, axis=-1), (CUBE,)),
        (lambda m, x, n: m.repeat(x, n, axis=0), (M, np.array([0, 2, 1]))),
    ],
    "reshape": [(lambda m, x: m.reshape(x, (-1, 2)), (CUBE,)), (lambda m, x: m.reshape(x, (12,), copy=True), (M,))],
    "roll": [(lambda m, x: m.roll(x, 5), (M,)), (lambda m, x: m.roll(x, (1, -2), axis=(0, 1)), (M,))],
    "squeeze": [(lambda m, x: m.squeeze(x, 0), (M[None],)), (lambda m, x: m.squeeze(x, axis=(0, 2)), (M[None, :, None],))],
    "stack": [(lambda m, x: m.stack([x, x + 1], axis=-1), (M,))],
    "tile": [(lambda m, x: m.tile(x, (2, 1, 2)), (M,)), (lambda m, x: m.tile(x, (3,)), (M,))],
    "unstack": [(lambda m, x: m.unstack(x, axis=1), (CUBE,))],
    "take": [(lambda m, x, i: m.take(x, i, axis=1), (CUBE, np.array([2, 0, 0]))), (lambda m, x, i: m.take(x, i), (V, np.array([4])))],
    "take_along_axis": [(lambda m, x, i: m.take_along_axis(x, i, axis=0), (M, np.array([[2, 0, 1, 1]])))],
    # searching, sorting, sets
    "argmax": [(lambda m, x: m.argmax(x), (CUBE,)), (lambda m, x: m.argmax(x, axis=1, keepdims=True), (CUBE,))],
    "argmin": [(lambda m, x: m.argmin(x, keepdims=True), (CUBE,)), (lambda m, x: m.argmin(x, axis=-1), (CUBE,))],
    "argsort": [(lambda m, x: m.argsort(x), (M,)), (lambda m, x: m.argsort(x, axis=0, descending=True), (I,))],
    "sort": [(lambda m, x: m.sort(x), (M,)), (lambda m, x: m.sort(x, axis=0, descending=True), (I,))],
    "count_nonzero": [(lambda m, x: m.count_nonzero(x), (I,)), (lambda m, x: m.count_nonzero(x, axis=1, keepdims=True), (B,))],
    "nonzero": [(lambda m, x: m.nonzero(x), (I,))],
    "searchsorted": [
        (lambda m, x, v: m.searchsorted(x, v, side="right"), (np.sort(V), M)),
        (lambda m, x, v: m.searchsorted(x, v, sorter=m.argsort(x)), (V, M)),
    ],
    "isin": [
        (lambda m, x, y: m.isin(x, y), (I, I[0])),
        # array_api_strict 2.6 does not hand `invert` on, so what it stands for is compared
        (lambda m, x, y: m.isin(x, y, invert=True) if m is xp else ~m.isin(x, y), (I, np.asarray(5, np.int32))),
    ],
    "unique_all": [(lambda m, x: tuple(m.unique_all(x)), (np.array([[3, 1, 3], [1, 1, 2]]),))],
    "unique_counts": [(lambda m, x: tuple(m.unique_counts(x)), (np.array([3, 1, 3]),))],
    "unique_inverse": [(lambda m, x: tuple(m.unique_inverse(x)), (np.array([[3, 1], [3, 0]]),))],
    "unique_values": [(lambda m, x: m.unique_values(x), (np.array([3, 1, 3]),))],
    # statistics
    **{
        name: [
            (lambda m, x, n=name: getattr(m, n)(x), (CUBE,)),
            (lambda m, x, n=name: getattr(m, n)(x, axis=1, keepdims=True), (CUBE,)),
            (lambda m, x, n=name: getattr(m, n)(x, axis=(0, -1)), (CUBE,)),
        ]
        for name in ("max", "mean", "min", "prod", "std", "sum", "var")
    },
    "all": [(lambda m, x: m.all(x), (B,)), (lambda m, x: m.all(x, axis=0), (I,))],
    "any": [(lambda m, x: m.any(x, axis=1, keepdims=True), (B,)), (lambda m, x: m.any(x, axis=()), (I,))],
    "cumulative_sum": [
        (lambda m, x: m.cumulative_sum(x), (V,)),
        (lambda m, x: m.cumulative_sum(x, axis=1, include_initial=True), (I,)),
    ],
    "cumulative_prod": [(lambda m, x: m.cumulative_prod(x, axis=0, include_initial=True), (M,))],
    "diff": [(lambda m, x: m.diff(x), (M,)), (lambda m, x: m.diff(x, axis=0, n=2, prepend=x, append=x), (M,))],
    # linear algebra
    "matmul": [(lambda m, x, y: m.matmul(x, y), (CUBE, M.T)), (lambda m, x, y: x @ y, (M, M[0]))],
    "matrix_transpose": [(lambda m, x: m.matrix_transpose(x), (CUBE,)), (lambda m, x: x.mT, (CUBE,))],
    "tensordot": [
        (lambda m, x, y: m.tensordot(x, y), (CUBE, CUBE[0])),
        (lambda m, x, y: m.tensordot(x, y, axes=((1, -1), (0, 1))), (CUBE, CUBE[0])),
        (lambda m, x, y: m.tensordot(x, y, axes=0), (M, V)),
    ],
    "vecdot": [(lambda m, x, y: m.vecdot(x, y), (CUBE, M[0])), (lambda m, x: m.vecdot(x, x, axis=-2), (CUBE,))],
}  # fmt: skip
TABLE["sum"].append((lambda m, x: m.sum(x, dtype=m.float64), (M.astype(np.float32),)))
TABLE["sum"].append((lambda m, x: m.sum(x, axis=()), (I,)))
TABLE["var"].append((lambda m, x: m.var(x, correction=1), (M,)))
TABLE["prod"].append((lambda m, x: m.prod(x), (I,)))

_KINDS = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")


def _dtypes(module: Any) -> list[Any]:
    return [getattr(module, n) for n in ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64")]


def _limits(info: Any, names: str) -> list[float]:
    return [float(getattr(info, n)) for n in names.split()]


LINALG_TABLE: dict[str, list[tuple[Call, tuple[Any, ...]]]] = {
    "cholesky": [(lambda m, x: m.cholesky(x), (SYMMETRIC,)), (lambda m, x: m.cholesky(x, upper=True), (SYMMETRIC,))],
    "cross": [(lambda m, x, y: m.cross(x, y, axis=-2), (M, M[:, ::-1].copy()))],
    "det": [(lambda m, x: m.det(x), (SQUARE,))],
    "diagonal": [(lambda m, x: m.diagonal(x, offset=1), (CUBE,))],
    "eigh": [(lambda m, x: m.eigh(x).eigenvalues, (SYMMETRIC,)), (lambda m, x: _rebuilt_eigh(m.eigh(x)), (SYMMETRIC,))],
    "eigvalsh": [(lambda m, x: m.eigvalsh(x), (SYMMETRIC,))],
    "inv": [(lambda m, x: m.inv(x), (SQUARE,))],
    "matmul": TABLE["matmul"][:1],
    "matrix_norm": [(lambda m, x, o=o: m.matrix_norm(x, ord=o, keepdims=True), (CUBE,)) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf)],
    "matrix_power": [(lambda m, x, n=n: m.matrix_power(x, n), (SQUARE,)) for n in (-2, 0, 3)],
    "matrix_rank": [
        (lambda m, x: m.matrix_rank(x), (np.stack([M[:3, :3], np.outer(V[:3], V[:3])]),)),
        (lambda m, x: m.matrix_rank(x, rtol=0.9), (M,)),
    ],
    "matrix_transpose": TABLE["matrix_transpose"][:1],
    "outer": [(lambda m, x, y: m.outer(x, y), (V, M[0]))],
    "pinv": [(lambda m, x: m.pinv(x), (CUBE,)), (lambda m, x: m.pinv(x, rtol=0.5), (M,))],
    "qr": [(lambda m, x, k=k: m.qr(x, mode=k).Q @ m.qr(x, mode=k).R, (np.swapaxes(CUBE, 1, 2).copy(),)) for k in ("reduced", "complete")],
    "slogdet": [(lambda m, x: tuple(m.slogdet(x)), (SQUARE,))],
    "solve": [
        (lambda m, x, y: m.solve(x, y), (SQUARE, np.swapaxes(CUBE, 1, 2)[:, :3, :2].copy())),
        (lambda m, x, y: m.solve(x, y), (SQUARE, V[:3])),
        (lambda m, x, y: m.solve(x, y), (SQUARE[0], np.swapaxes(CUBE, 1, 2)[:, :3, :2].copy())),
        (lambda m, x, y: m.solve(x, y), (SQUARE, M[:, :3])),
    ],
    "svd": [(lambda m, x: _rebuilt_svd(m.svd(x, full_matrices=False)), (CUBE,)), (lambda m, x: _sizes_of_svd(m.svd(x)), (M,))],
    "svdvals": [(lambda m, x: m.svdvals(x), (CUBE,))],
    "tensordot": TABLE["tensordot"][:1],
    "trace": [(lambda m, x: m.trace(x, offset=-1), (CUBE,)), (lambda m, x: m.trace(x), (I[:2, :2],))],
    "vecdot": TABLE["vecdot"],
    "vector_norm": [
        *[(lambda m, x, o=o: m.vector_norm(x, ord=o, axis=-1), (CUBE,)) for o in (0, 1, 2, 2.5, np.inf, -np.inf)],
        (lambda m, x: m.vector_norm(x, axis=(0, 2), keepdims=True), (CUBE,)),
        (lambda m, x: m.vector_norm(x), (CUBE,)),
    ],
}  # fmt: skip


def _rebuilt_eigh(factors: Any) -> Any:
    values, vectors = factors
    return (vectors * values[..., None, :]) @ vectors.mT


def _rebuilt_svd(factors: Any) -> Any:
    u, s, vh = factors
    return (u * s[..., None, :]) @ vh


def _sizes_of_svd(factors: Any) -> Any:
    u, s, vh = factors
    return (tuple(u.shape), tuple(s.shape), vh @ vh.mT)


def _same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _same(a, b)
        return
    if not isinstance(ours, Tensor):
        assert ours == theirs
        return
    expected = np.asarray(theirs)
    assert ours.dtype.name == expected.dtype.name
    assert tuple(ours.shape) == expected.shape
    tolerance = 1e-6 if expected.dtype == np.float32 else 1e-10
    np.testing.assert_allclose(ours.numpy(), expected, rtol=tolerance, atol=tolerance)


def _compare(call: Call, arrays: tuple[Any, ...], ours: Any, theirs: Any) -> None:
    def prepared(convert: Callable[[Any], Any]) -> list[Any]:
        return [convert(a) if isinstance(a, np.ndarray) else a for a in arrays]

    with og.config.using(backend="reference"), np.errstate(all="ignore"):
        _same(call(ours, *prepared(og.tensor)), call(theirs, *prepared(strict.asarray)))


def test_every_name_of_the_standard_is_there_or_says_why_not() -> None:
    assert [n for n in NAMES if not hasattr(xp, n)] == []
    for name in (*_ABSENT, "fft"):
        with pytest.raises(AttributeError, match=r"complex|unsigned"):
            getattr(xp, name)


def test_every_function_is_compared_below() -> None:
    without = {"conj", "imag", "real"}  # array_api_strict takes complex arrays only
    assert set(FUNCTIONS) - set(TABLE) == without
    assert set(LINALG) == set(LINALG_TABLE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures(name: str) -> None:
    _same_signature(getattr(xp, name), getattr(strict, name))


@pytest.mark.parametrize("name", LINALG)
def test_signatures_of_linear_algebra(name: str) -> None:
    _same_signature(getattr(xp.linalg, name), getattr(strict.linalg, name))


def _same_signature(ours: Call, theirs: Call) -> None:
    def described(function: Call) -> list[tuple[Any, ...]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:  # a private sentinel of theirs stands for None
        return [(name, kind, None if "UNDEF" in repr(default) else default) for name, kind, default in rows]

    assert plain(described(ours)) == plain(described(theirs))


@pytest.mark.parametrize(("name", "index"), [(n, i) for n, calls in TABLE.items() for i in range(len(calls))])
def test_values(name: str, index: int) -> None:
    call, arrays = TABLE[name][index]
    _compare(call, arrays, xp, strict)


@pytest.mark.parametrize(("name", "index"), [(n, i) for n, calls in LINALG_TABLE.items() for i in range(len(calls))])
def test_values_of_linear_algebra(name: str, index: int) -> None:
    call, arrays = LINALG_TABLE[name][index]
    _compare(call, arrays, xp.linalg, strict.linalg)
