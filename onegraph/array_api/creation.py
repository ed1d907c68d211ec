"""Functions of the standard that make arrays.

Read next: `support.py`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

import onegraph as og
from onegraph.array_api.support import array, check_device, optional_dtype
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import from_numpy


def _sizes(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple([int(s) for s in shape])


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor of numbers, nested lists, NumPy arrays, buffers, tensors, or arrays that speak DLPack.

    Args:
        obj: the values. A tensor stays itself; everything else is copied, unless `copy=False`: operations are computed
            later, and must not see what somebody writes to an array in between.
        dtype: element type; by default the array's own, float32 for Python floats, int64 for ints.
        device: only "cpu".
        copy: True makes a new tensor; False shares memory, or raises where it would have to copy.

    Raises:
        ArgumentError: with `copy=False` where a copy is needed.

    >>> from onegraph import array_api as xp
    >>> xp.asarray([[1, 2], [3, 4]]).dtype
    onegraph.int64
    """
    check_device(device)
    kind = optional_dtype(dtype)
    if isinstance(obj, Tensor):
        if copy is False and kind not in (None, obj.dtype):
            raise ArgumentError(f"asarray: {obj.dtype.name} cannot be read as {dtype!r} without a copy")
        if copy:
            return obj.clone() if kind in (None, obj.dtype) else obj.to(kind)  # type: ignore[no-any-return]
        return obj if kind is None else obj.to(kind)  # type: ignore[no-any-return]
    if copy is False:
        if isinstance(obj, np.ndarray) and kind in (None, from_numpy(obj.dtype)):
            return og.from_numpy(obj)  # type: ignore[no-any-return]
        if hasattr(obj, "__dlpack__"):
            shared = og.from_dlpack(obj, copy=False)
            return asarray(shared, dtype=dtype, copy=False)
        raise ArgumentError(f"asarray: the values of {type(obj).__name__} cannot be used without a copy")
    if not isinstance(obj, (np.ndarray, np.generic)) and hasattr(obj, "__dlpack__"):
        return asarray(og.from_dlpack(obj, copy=True), dtype=dtype)
    return og.tensor(np.asarray(obj) if isinstance(obj, (memoryview, bytearray)) else obj, dtype=kind)  # type: ignore[no-any-return]


def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Evenly spaced numbers from `start` (0 where only one number is given) up to, and without, `stop`.

    >>> from onegraph import array_api as xp
    >>> xp.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    check_device(device)
    low, high = (0, start) if stop is None else (start, stop)
    kind = optional_dtype(dtype)
    if math.ceil((high - low) / step) <= 0:  # PyTorch's arange refuses it
        whole = all(isinstance(v, int) for v in (low, high, step))
        return og.zeros(0, dtype=kind or (og.int64 if whole else og.get_default_dtype()))  # type: ignore[no-any-return]
    return og.arange(low, high, step, dtype=kind)  # type: ignore[no-any-return]


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor whose elements are yet to be written; they are 0."""
    check_device(device)
    return og.zeros(_sizes(shape), dtype=optional_dtype(dtype))  # type: ignore[no-any-return]


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of zeros."""
    check_device(device)
    return og.zeros(_sizes(shape), dtype=optional_dtype(dtype))  # type: ignore[no-any-return]


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of ones."""
    check_device(device)
    return og.ones(_sizes(shape), dtype=optional_dtype(dtype))  # type: ignore[no-any-return]


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of one value; without a dtype, bool, int64 or the default floating type, as the value is.

    >>> from onegraph import array_api as xp
    >>> xp.full((2,), 7)
    tensor([7, 7])
    """
    check_device(device)
    value = og.tensor(fill_value, dtype=optional_dtype(dtype))
    return og.broadcast_to(value, _sizes(shape)).clone()  # type: ignore[no-any-return]


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`empty`, of the shape and dtype of another tensor."""
    return empty(array("empty_like", x).shape, dtype=dtype or x.dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`zeros`, of the shape and dtype of another tensor."""
    return zeros(array("zeros_like", x).shape, dtype=dtype or x.dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`ones`, of the shape and dtype of another tensor."""
    return ones(array("ones_like", x).shape, dtype=dtype or x.dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`full`, of the shape and dtype of another tensor."""
    return full(array("full_like", x).shape, fill_value, dtype=dtype or x.dtype, device=device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere.

    >>> from onegraph import array_api as xp
    >>> xp.eye(2, 3, k=1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    check_device(device)
    columns = n_rows if n_cols is None else n_cols
    kind = optional_dtype(dtype) or og.get_default_dtype()
    rows = og.reshape(og.arange(n_rows), (n_rows, 1))
    return og.eq(rows + k, og.reshape(og.arange(columns), (1, columns))).to(kind)  # type: ignore[no-any-return]


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, which is one of them unless `endpoint` is False.

    >>> from onegraph import array_api as xp
    >>> xp.linspace(0, 1, 4, endpoint=False)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    check_device(device)
    kind = optional_dtype(dtype) or og.get_default_dtype()
    if num < 0:
        raise ArgumentError(f"linspace: num must not be negative, got {num}")
    values = np.linspace(float(start), float(stop), num, endpoint=endpoint)
    return og.tensor(values, dtype=kind)  # type: ignore[no-any-return]


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array; see `onegraph.from_dlpack`."""
    return og.from_dlpack(x, device=device, copy=copy)  # type: ignore[no-any-return]


def meshgrid(*arrays: Tensor, indexing: Literal["xy", "ij"] = "xy") -> tuple[Tensor, ...]:
    """Coordinates of a grid of vectors.

    Args:
        arrays: vectors of one dtype.
        indexing: "xy" for (columns, rows) as in pictures, "ij" for (rows, columns) as in matrices.
    """
    return tuple(og.meshgrid(*arrays, indexing=indexing)) if arrays else ()


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The elements on and below the k-th diagonal of matrices, zeros elsewhere."""
    return og.tril(array("tril", x), k)  # type: ignore[no-any-return]


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The elements on and above the k-th diagonal of matrices, zeros elsewhere."""
    return og.triu(array("triu", x), k)  # type: ignore[no-any-return]


FUNCTIONS = {
    f.__name__: f
    for f in (
        arange, asarray, empty, empty_like, eye, from_dlpack, full, full_like, linspace, meshgrid, ones, ones_like,
        tril, triu, zeros, zeros_like,
    )
}  # fmt: skip
