"""NumPy's ufuncs and functions on tensors, `np.asarray`, and arrays as operands.

Read next: `onegraph/array_api/numpy_functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.array_api import numpy_functions
from onegraph.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    GradientError,
    ShapeError,
    TraceError,
    UnsupportedError,
)

A = np.random.default_rng(0).uniform(0.2, 0.9, (3, 4))
S = A[:, :3] @ A[:, :3].T + np.eye(3)


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    with og.config.using(backend="reference"):
        yield


class Subclass(np.ndarray):
    """An array of somebody's own."""


CALLS: list[Callable[[Any], Any]] = [
    lambda x: np.add(x, A), lambda x: A - x, lambda x: A * x, lambda x: A / x, lambda x: A**x, lambda x: A @ x.T,
    lambda x: np.float32(2) * x, lambda x: np.float64(2) * x, lambda x: 2 ** np.sin(x), lambda x: np.arctan2(0.5, x),
    lambda x: np.hypot(x, A[0]), lambda x: np.maximum(A[::-1].copy(), x), lambda x: np.divmod(x, 0.25)[1],
    lambda x: np.modf(x * 3)[0], lambda x: np.abs(-x), lambda x: ~(x < A[0]), lambda x: x <= A,
    lambda x: np.add.reduce(x), lambda x: np.add.reduce(x, axis=None), lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    lambda x: np.add.reduce(x, where=A > 0.5, initial=1), lambda x: np.maximum.reduce(x, axis=(0, 1)),
    lambda x: np.multiply.accumulate(x, axis=1), lambda x: np.subtract.outer(x, A[0]),
    lambda x: np.sum(x), lambda x: np.sum(x, axis=0, keepdims=True), lambda x: np.mean(x, axis=0), lambda x: np.std(x, ddof=1),
    lambda x: np.var(x, axis=(0, 1)), lambda x: np.max(x, 1), lambda x: np.amin(x), lambda x: np.argmax(x, axis=0),
    lambda x: np.prod(x), lambda x: np.any(x > 0.5, axis=1), lambda x: np.cumsum(x), lambda x: np.cumprod(x, 1),
    lambda x: np.sort(x, axis=0), lambda x: np.argsort(x, axis=None), lambda x: np.diff(x, 2), lambda x: np.clip(x, 0.4, None),
    lambda x: np.where(x > 0.5, x, A), lambda x: np.where(A > 0.5, x, 0.0), lambda x: np.concatenate([x, A], axis=1),
    lambda x: np.concatenate((A, x), axis=None), lambda x: np.stack([A, x]), lambda x: np.vstack([x, A]),
    lambda x: np.hstack([x, A]), lambda x: np.column_stack([x[:, 0], A[:, 0]]), lambda x: np.split(x, 2, axis=1)[1],
    lambda x: np.array_split(x, [1])[1], lambda x: np.reshape(x, (2, -1)), lambda x: np.ravel(x), lambda x: np.transpose(x),
    lambda x: np.swapaxes(x, 0, 1), lambda x: np.expand_dims(x, (0, 2)), lambda x: np.squeeze(x[None]),
    lambda x: np.broadcast_to(x, (2, 3, 4)), lambda x: np.flip(x, 0), lambda x: np.roll(x, 1), lambda x: np.tile(x, 2),
    lambda x: np.repeat(x, 2, axis=1), lambda x: np.take(x, np.array([1, 0]), axis=1), lambda x: np.take(x, [1, 5]),
    lambda x: np.take_along_axis(x, np.array([[0, 1, 2, 1]]), 0), lambda x: np.diag(x), lambda x: np.tril(x, -1),
    lambda x: np.trace(x), lambda x: np.outer(x, A[0]), lambda x: np.dot(x, A.T), lambda x: np.dot(A[0], x.T),
    lambda x: np.inner(x, A), lambda x: np.einsum("ij,kj->ik", x, A), lambda x: np.tensordot(x, A, axes=([0], [0])),
    lambda x: np.kron(x, A), lambda x: np.median(x, axis=1), lambda x: np.quantile(x, 0.3), lambda x: np.percentile(x, 40, axis=0),
    lambda x: np.percentile(x, [10, 50]), lambda x: np.sum(x, dtype=np.float32), lambda x: np.trace(x, dtype=np.float32),
    lambda x: x + A.view(Subclass),
    lambda x: np.ptp(x, axis=0), lambda x: np.average(x, axis=0), lambda x: np.average(x, weights=A), lambda x: np.round(x, 1),
    lambda x: np.nansum(x, axis=0), lambda x: np.nan_to_num(x), lambda x: np.linalg.norm(x), lambda x: np.linalg.norm(x, axis=1),
    lambda x: np.linalg.norm(x, ord="nuc"), lambda x: np.linalg.pinv(x), lambda x: np.linalg.svd(x, compute_uv=False),
    lambda x: np.zeros_like(x), lambda x: np.full_like(x, 2.0), lambda x: np.copy(x), lambda x: np.searchsorted(np.sort(A[0]), x),
    lambda x: np.isclose(x, A), lambda x: np.unique(np.round(x, 1), return_counts=True)[1], lambda x: np.nonzero(x > 0.5)[1],
    lambda x: np.meshgrid(x[0], A[1])[0], lambda x: np.count_nonzero(x > 0.5, axis=0), lambda x: np.atleast_2d(x),
    lambda x: np.moveaxis(x, 0, 1), lambda x: np.isin(x, A[0]), lambda x: np.flatnonzero(x > 0.5),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(CALLS)))
def test_as_numpy_does_it(index: int) -> None:
    result = CALLS[index](og.tensor(A))
    expected = np.asarray(CALLS[index](A))
    assert isinstance(result, og.Tensor)
    assert result.dtype.name == expected.dtype.name
    assert tuple(result.shape) == expected.shape
    tolerance = 1e-6 if expected.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(result.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "call",
    [np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.eigvalsh, lambda x: np.linalg.solve(x, S[0]),
     lambda x: np.linalg.matrix_power(x, 2), lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.qr(x)[1] ** 2],
)  # fmt: skip
def test_square_matrices(call: Callable[[Any], Any]) -> None:
    result = call(og.tensor(S))
    assert isinstance(result, og.Tensor)
    np.testing.assert_allclose(result.numpy(), call(S), rtol=1e-10)


def test_gradients_flow_through_functions_of_numpy() -> None:
    x = og.tensor(A, requires_grad=True)
    np.sum(np.concatenate([np.sin(x) * A, np.square(x)])).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(A) * A + 2 * A)


def test_numbers_of_numpy_promote_as_those_of_python() -> None:
    x = og.ones(2)
    for scalar in (np.float64(2), np.float32(2), np.int64(2)):
        for result in (scalar * x, x * scalar, np.multiply(scalar, x)):
            assert isinstance(result, og.Tensor) and result.dtype is og.float32 and result.tolist() == [2.0, 2.0]


def test_out_and_where() -> None:
    x, out = og.tensor([1.0, 2.0]), np.zeros(2, np.float32)
    assert np.add(x, 1, out=out) is out and out.tolist() == [2.0, 3.0]
    assert np.sum(x[None], axis=0, out=out) is out and out.tolist() == [1.0, 2.0]
    own = og.zeros(2)
    assert np.add(x, 1, out=own, where=np.array([False, True])) is own and own.tolist() == [0.0, 3.0]
    with pytest.raises(ArgumentError, match="pass out"):
        np.add(x, 1, where=np.array([False, True]))
    with pytest.raises(ShapeError, match=r"out has shape \(3,\), the result \(2,\)"):
        np.add(x, 1, out=np.zeros(3, np.float32))
    with pytest.raises(DTypeError, match="float32 result cannot be written into a NumPy array of int64"):
        np.add(x, 1, out=np.zeros(2, np.int64))


def test_writing_in_place_to_an_array_writes_to_the_array() -> None:
    array = np.ones(2, np.float32)
    same = array
    array += og.tensor([1.0, 2.0])
    assert array is same and isinstance(array, np.ndarray) and array.tolist() == [2.0, 3.0]
    with pytest.raises(GradientError):
        array += og.ones(2, requires_grad=True)
    x = og.zeros(2)
    x += array
    assert isinstance(x, og.Tensor) and x.tolist() == [2.0, 3.0]


def test_add_at_counts_places_that_occur_twice() -> None:
    x = og.zeros(3)
    np.add.at(x, np.array([0, 0, 2]), np.array([1.0, 2.0, 3.0]))
    assert x.tolist() == [3.0, 0.0, 3.0]
    np.subtract.at(x, [0], 1.0)
    assert x.tolist() == [2.0, 0.0, 3.0]
    array = np.zeros(2)
    np.add.at(array, np.array([1, 1]), og.tensor([1.0, 2.0]))
    assert array.tolist() == [0.0, 3.0]


def test_what_is_not_there_says_so() -> None:
    x = og.ones(2)
    for call in (
        lambda: np.cbrt(x), lambda: np.histogram(x), lambda: np.polyfit(x, x, 1), lambda: np.bitwise_or.reduce(x),
        lambda: np.add.reduceat(x, [0]), lambda: np.reshape(x, (2,), order="F"), lambda: np.sum(x, where=A[0, :2] > 0),
    ):  # fmt: skip
        with pytest.raises(UnsupportedError):
            call()
    with pytest.raises(UnsupportedError, match=r"detach\(\)\.numpy\(\)"):
        np.histogram(x)


def test_masked_arrays_are_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="masked elements"):
        og.ones(2) + np.ma.array([1.0, 2.0], mask=[0, 1])


def test_dtypes_of_numpy_are_dtypes() -> None:
    x = og.ones(2)
    assert x.to(np.dtype("int64")).dtype is og.int64 and x.to(np.float64).dtype is og.float64


def test_functions_that_tell_something_get_the_values() -> None:
    x = og.tensor([1.0, 2.0], requires_grad=True)
    assert np.array_equal(x, [1.0, 2.0]) is True
    assert np.allclose(x, np.array([1.0, 2.0]))
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2,), 1, 2)
    assert np.array2string(x) == "[1. 2.]"


def test_no_arrays_of_objects() -> None:
    for value in (np.ones(2), np.float32(1), np.arange(2)):
        for call in (lambda a, b: a + b, lambda a, b: a == b, lambda a, b: a * b, lambda a, b: a < b):
            assert isinstance(call(value, og.ones(2)), og.Tensor)
    assert np.asarray([og.tensor(1.0), og.tensor(2.0)]).dtype != object


def test_asarray_shares_memory_and_is_read_only() -> None:
    x = og.tensor([1.0, 2.0])
    seen = np.asarray(x)
    assert not seen.flags.writeable and np.shares_memory(seen, x.numpy())
    copied = np.array(x)
    copied += 1
    assert copied.flags.writeable and x.tolist() == [1.0, 2.0]
    x += 1
    assert seen.tolist() == [1.0, 2.0]
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    with pytest.raises(GradientError):
        np.asarray(og.ones(2, requires_grad=True))
    with pytest.raises(ArgumentError, match="without a copy"):
        np.asarray(x, dtype=np.float64, copy=False)


def test_inside_a_trace() -> None:
    @og.jit
    def half(x: Any) -> Any:
        return np.sum(np.multiply(x, A), axis=0) / 2

    np.testing.assert_allclose(half(og.tensor(A)).numpy(), (A * A).sum(0) / 2)

    @og.jit
    def writes(x: Any) -> Any:
        np.add(x, 1, out=np.zeros(3, np.float32))
        return x

    with pytest.raises(TraceError):
        writes(og.ones(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda t, a: t + a, lambda t, a: a - t, lambda t, a: og.maximum(t, a), lambda t, a: og.cat([t, og.cos(t) * a]),
        lambda t, a: og.masked_select(t, a > 2) + 0, lambda t, a: t[a.astype(int) - 1] + 0, lambda t, a: np.add(a, t),
        lambda t, a: og.array_api.asarray(a) + t,
    ],
)  # fmt: skip
def test_what_is_written_to_an_array_later_is_not_seen(call: Callable[[Any, Any], Any]) -> None:
    t = og.tensor([1.0, 2.0, 3.0])
    array = np.array([3.0, 2.0, 1.0], np.float32)
    pending = call(t, array)
    expected = call(t, array.copy()).tolist()
    array[:] = 1.0
    assert pending.tolist() == expected


def test_an_array_that_was_written_into_a_tensor_is_not_followed() -> None:
    x, array = og.zeros(3), np.ones(3, np.float32)
    x[:] = array
    array[:] = 7
    assert x.tolist() == [1.0, 1.0, 1.0]
    x.copy_(array)
    array[:] = 8
    assert x.tolist() == [7.0, 7.0, 7.0]


def test_the_table_knows_only_functions_of_numpy() -> None:
    assert all(callable(f) and f.__module__.startswith("numpy") for f in numpy_functions.FUNCTIONS)
