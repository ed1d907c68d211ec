"""DLPack: tensors on the memory of other libraries' arrays, and other libraries' arrays on the memory of tensors.

NumPy carries the memory both ways. It has no bfloat16, so for that dtype the element type written in the capsule is
exchanged with uint16, the host storage of bfloat16.
Structures: https://dmlc.github.io/dlpack/latest/c_api.html (version 1). Read next: `values.py`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError
from onegraph.frontend.device import Device
from onegraph.frontend.tensor import Tensor, tensor_from_array
from onegraph.ir.dtype import bfloat16, from_numpy

_CPU = 1
_UNSIGNED, _BFLOAT = 1, 4
_OLD, _VERSIONED = b"dltensor", b"dltensor_versioned"


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("id", ctypes.c_int32))


class _Array(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("dtype", _Type),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    )


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("array", _Array),
    )


def _python(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_capsule_name = _python("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)
_capsule_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)


def _element_type(capsule: Any) -> _Type | None:
    """The element type that a capsule says, in place; None where this is no capsule that can still be taken."""
    if type(capsule).__name__ != "PyCapsule":
        return None
    name = _capsule_name(capsule)
    if name not in (_OLD, _VERSIONED):
        return None
    address = _capsule_pointer(capsule, name)
    found = _Array.from_address(address) if name == _OLD else _Versioned.from_address(address).array
    return found.dtype  # type: ignore[no-any-return]


class _Once:
    """An exporter that hands over a capsule which is there already."""

    def __init__(self, capsule: Any, device: tuple[int, int]) -> None:
        self._capsule = capsule
        self._device = device

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, without a copy.

    As with `from_numpy`, do not write to the array while operations on the tensor are pending. Writing to the tensor does
    not write to the array: the tensor takes memory of its own.

    Args:
        ext_tensor: an object with `__dlpack__` and `__dlpack_device__`, on the processor, in any strides.
        device: only "cpu".
        copy: True for memory of the tensor's own; False or None share, and the producer's memory stays alive meanwhile.

    Raises:
        ArgumentTypeError: the object has no `__dlpack__`.
        DeviceError: its memory is not the processor's.
        DTypeError: its elements have a type that does not exist here.

    >>> import numpy as np
    >>> import onegraph as og
    >>> array = np.arange(3.0)
    >>> np.shares_memory(og.from_dlpack(array).numpy(), array)
    True
    """
    if device is not None:
        Device(device)
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.clone() if copy else ext_tensor.detach()  # type: ignore[no-any-return]
    capsule, place = _exported(ext_tensor)
    element = _element_type(capsule)
    if element is None:
        raise ArgumentTypeError(f"from_dlpack: {type(ext_tensor).__name__}.__dlpack__() gave no capsule, or a used one")
    is_bfloat16 = (element.code, element.bits, element.lanes) == (_BFLOAT, 16, 1)
    if is_bfloat16:
        element.code = _UNSIGNED
    try:
        array = np.from_dlpack(_Once(capsule, place))
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise DTypeError(
            f"from_dlpack: an array of {type(ext_tensor).__name__} cannot be read: {error}",
            hint="convert its dtype first",
        ) from None
    kind = bfloat16 if is_bfloat16 else from_numpy(array.dtype)
    return tensor_from_array(array.copy() if copy else array, kind)


def _exported(producer: Any) -> tuple[Any, tuple[int, int]]:
    """The producer's capsule, of version 1 where it has that, and its device."""
    if not hasattr(producer, "__dlpack__") or not hasattr(producer, "__dlpack_device__"):
        raise ArgumentTypeError(
            f"from_dlpack: expected an array with __dlpack__, got {type(producer).__name__}",
            hint="use onegraph.tensor(...)",
        )
    place = producer.__dlpack_device__()
    if int(place[0]) != _CPU:
        raise DeviceError(
            f"from_dlpack: the array is on DLPack's device {place}, only the processor's memory, (1, 0), works"
        )
    try:
        return producer.__dlpack__(max_version=(1, 0)), place
    except TypeError:  # a producer of before version 1
        return producer.__dlpack__(), place


def export(tensor: Tensor, stream: Any, max_version: tuple[int, int] | None, dl_device: Any, copy: bool | None) -> Any:
    """What `Tensor.__dlpack__` gives; its arguments are described there."""
    if stream is not None:
        raise ArgumentError(f"__dlpack__: the processor has no streams, got stream={stream!r}")
    if dl_device is not None and tuple(int(d) for d in dl_device) != (_CPU, 0):
        raise DeviceError(f"__dlpack__: a tensor on the processor cannot be exported to DLPack's device {dl_device}")
    tensor.numpy()  # raises for what requires gradients
    stored = tensor._realize().array
    versioned = max_version is not None and tuple(max_version) >= (1, 0)
    if not versioned and copy is False:
        raise BufferError(
            "tensors are read-only, and only version 1 of DLPack can say so: pass max_version=(1, 0) or copy"
        )
    if copy or not versioned:
        stored = np.array(stored)
    else:
        stored = stored.view()
        stored.flags.writeable = False
    capsule = stored.__dlpack__(max_version=(1, 0)) if versioned else stored.__dlpack__()
    if tensor.dtype is bfloat16:
        element = _element_type(capsule)
        assert element is not None
        element.code = _BFLOAT
    return capsule
