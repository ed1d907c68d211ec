"""What the functions of the array API standard share: operands, promotion, axes.

Read next: `elementwise.py`, the plainest family.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.errors import ArgumentTypeError
from onegraph.frontend.device import Device
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import DType, as_dtype, category, promote, scalar_dtype

Axis = int | tuple[int, ...] | None


def array(name: str, value: Any) -> Tensor:
    """An operand that must be a tensor."""
    if isinstance(value, Tensor):
        return value
    raise ArgumentTypeError(
        f"{name}: expected a Tensor, got {type(value).__name__}", hint="make one first: xp.asarray(value)"
    )


def pair(name: str, first: Any, second: Any) -> tuple[Tensor, Tensor]:
    """Two operands in the dtype that the standard promotes them to: tensors without dimensions count, numbers adapt.

    Args:
        name: of the function, for errors.
        first, second: tensors; one of the two may be a Python number.
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        if first.dtype is second.dtype:
            return first, second
        kind = promote(first.dtype, second.dtype)
        return first.to(kind), second.to(kind)
    if isinstance(first, Tensor):
        return beside(name, first, second)
    if isinstance(second, Tensor):
        second, first = beside(name, second, first)
        return first, second
    raise ArgumentTypeError(f"{name}: one of the operands must be a Tensor, got two of {type(first).__name__}")


def beside(name: str, tensor: Tensor, number: Any) -> tuple[Tensor, Tensor]:
    """A tensor and a Python number in one dtype: the tensor's, unless the number is of a higher kind."""
    if isinstance(number, (np.generic, np.ndarray)):
        return pair(name, tensor, og.tensor(number))
    if not isinstance(number, (bool, int, float)):
        raise ArgumentTypeError(
            f"{name}: expected a Tensor or a real number, got {type(number).__name__}",
            hint="there are no complex dtypes" if isinstance(number, complex) else None,
        )
    kind = scalar_dtype(number)
    dtype = tensor.dtype if category(kind) <= category(tensor.dtype) else promote(tensor.dtype, kind)
    return tensor.to(dtype), og.tensor(number, dtype=dtype)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes as a tuple of numbers from 0; None stands for all of them."""
    if axis is None:
        return tuple(range(ndim))
    return tuple([a + ndim if a < 0 else a for a in (axis if isinstance(axis, (tuple, list)) else (axis,))])


def check_device(device: Any) -> None:
    """A DeviceError for any device but the one there is."""
    if device is not None:
        Device(device)


def optional_dtype(dtype: Any) -> DType | None:
    """A dtype, or None for the default."""
    return None if dtype is None else as_dtype(dtype)


def summed_dtype(tensor: Tensor, dtype: Any) -> DType:
    """The dtype of a sum or a product: int64 for bools and integers, unless one is given."""
    if dtype is not None:
        return as_dtype(dtype)
    return tensor.dtype if tensor.dtype.is_floating_point else og.int64  # type: ignore[no-any-return]


def named(name: str, doc: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that was made in a loop its name and its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function
