"""Operations that make tensors from sizes and numbers, and the ones between tensors and arrays. Read next: `nn.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras import backend
from onegraph.keras.ops.dispatch import KerasTensor, convert, dtype_of, operation


def _sizes(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(s) for s in shape)


def _float(dtype: Any) -> Any:
    return dtype_of(dtype or backend.floatx())


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """A tensor of an array, a list, a number or a tensor; Python floats are float32, Python integers int32.

    >>> convert_to_tensor([1, 2]).dtype
    onegraph.int32
    """
    return x if isinstance(x, KerasTensor) else convert(x, dtype)


def array(x: Any, dtype: Any = None) -> Any:
    """A tensor; see `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray[Any, Any]:
    """An array with a tensor's values."""
    return np.array(convert(x).detach().numpy())


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor with values."""
    return isinstance(x, Tensor)


def dtype(x: Any) -> str:
    """The name of a tensor's dtype."""
    return str(x.dtype.name if isinstance(x, KerasTensor) else convert(x).dtype.name)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape; float32 if no dtype is given."""
    return EXPORTS["zeros"](_sizes(shape), dtype=_float(dtype))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones of a shape."""
    return EXPORTS["ones"](_sizes(shape), dtype=_float(dtype))


def empty(shape: Any, dtype: Any = None) -> Any:
    """A tensor of a shape with any values (zeros, here)."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A number, or a tensor that can be broadcast, in a shape."""
    value = convert(fill_value, dtype)
    return value.broadcast_to(_sizes(shape)).clone()


@operation
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape and dtype."""
    return EXPORTS["zeros_like"](convert(x), dtype=dtype_of(dtype))


@operation
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of x's shape and dtype."""
    return EXPORTS["ones_like"](convert(x), dtype=dtype_of(dtype))


@operation
def empty_like(x: Any, dtype: Any = None) -> Any:
    """Any values (zeros, here) of x's shape and dtype."""
    return zeros_like(x, dtype)


@operation
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A number in x's shape and dtype."""
    x = convert(x)
    return full(tuple(x.shape), fill_value, dtype or x.dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """A matrix with ones on its kth diagonal."""
    return convert(np.eye(N, M, k, np.float32), _float(dtype))


def identity(n: int, dtype: Any = None) -> Any:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones at and below the kth diagonal."""
    return convert(np.tri(N, M, k, np.float32), _float(dtype))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from start (0) up to but without stop; int32 unless a float is among the arguments.

    >>> arange(3)
    tensor([0, 1, 2], dtype=onegraph.int32)
    """
    step = 1 if step is None else step
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop, step = (v.item() if isinstance(v, Tensor) else v for v in (start, stop, step))
    floats = any(isinstance(v, (float, np.floating)) for v in (start, stop, step))
    return convert(np.arange(start, stop, step), dtype or (backend.floatx() if floats else "int32"))


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal distances from start to stop; with `retstep` also the distance."""
    start, stop = convert(start, _float(dtype)), convert(stop, _float(dtype))
    parts = num - 1 if endpoint else num
    steps = convert(np.arange(num, dtype=np.float64) / max(parts, 1), start.dtype)
    rank = max(start.ndim, stop.ndim)
    values = start + (stop - start) * steps.reshape(-1, *[1] * rank)
    values = values.movedim(0, axis) if rank else values
    return (values, (stop - start) / max(parts, 1)) if retstep else values


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """Powers of a base with exponents at equal distances."""
    return EXPORTS["exp"](linspace(start, stop, num, endpoint, False, dtype, axis) * math.log(base))


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Numbers at equal ratios from start to stop, both of one sign."""
    start, stop = convert(start, _float(dtype)), convert(stop, _float(dtype))
    return linspace(start.abs().log(), stop.abs().log(), num, endpoint, False, dtype, axis).exp() * start.sign()


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of the elements of a vector as columns, the highest first."""
    x = convert(x)
    count = len(x) if N is None else N
    powers = list(range(count)) if increasing else list(reversed(range(count)))
    return EXPORTS["stack"]([x**p if p else x * 0 + 1 for p in powers], -1)


def bartlett(x: int) -> Any:
    """A triangle window of so many points."""
    return convert(np.bartlett(int(x)), "float32")


def blackman(x: int) -> Any:
    """Blackman's window."""
    return convert(np.blackman(int(x)), "float32")


def hamming(x: int) -> Any:
    """Hamming's window."""
    return convert(np.hamming(int(x)), "float32")


def hanning(x: int) -> Any:
    """Hann's window."""
    return convert(np.hanning(int(x)), "float32")


def kaiser(x: int, beta: float) -> Any:
    """Kaiser's window."""
    return convert(np.kaiser(int(x), float(beta)), "float32")
