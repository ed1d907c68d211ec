"""Making tensors from data, and converting them: `tensor`, `from_numpy`, `to`, `float`, `copy_`, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph.frontend.state as state
from onegraph.errors import ArgumentTypeError, DataError
from onegraph.frontend.generate import assign
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Device, Tensor, _node_from_data, realize_tensors, tensor_from_array, wrap
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import DType, as_dtype, from_numpy
from onegraph.ops.cast import cast
from onegraph.ops.movement import RESHAPE, expand_to


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new tensor with a copy of the data.

    Args:
        data: a number, nested lists of numbers, a NumPy array, or a tensor.
        dtype: element type; by default float32 for Python floats, int64 for ints, or the array's own.
        requires_grad: collect gradients for it.

    >>> import onegraph as og
    >>> og.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    Device(device or "cpu")
    result = wrap(_node_from_data(data, dtype), False)
    return result.requires_grad_(True) if requires_grad else result


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without a copy where that is possible."""
    Device(device or "cpu")
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(as_dtype(dtype))
    if isinstance(data, np.ndarray) and dtype in (None, data.dtype):
        return from_numpy_array(data)
    return tensor(data, dtype=dtype)


def from_numpy_array(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on an array's memory, without a copy. Do not write to the array while operations on the tensor are pending."""
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentTypeError(
            f"from_numpy: expected a NumPy array, got {type(ndarray).__name__}", hint="use onegraph.tensor(...)"
        )
    return tensor_from_array(ndarray, from_numpy(ndarray.dtype))


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A tensor on the memory of an object with the buffer protocol."""
    try:
        array = np.frombuffer(buffer, as_dtype(dtype).numpy, count, offset)
    except ValueError as error:
        raise DataError(f"frombuffer: {error}") from None
    return tensor_from_array(array, as_dtype(dtype)).requires_grad_(requires_grad)


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype (or on another device: only 'cpu' here); itself when nothing changes."""
    kind = kwargs.get("dtype")
    if kwargs.get("device") is not None:
        Device(kwargs["device"])
    for a in args:
        if isinstance(a, Tensor):
            kind = a.dtype
        elif isinstance(a, (str, Device)):
            Device(a)
        elif isinstance(a, (DType, type, np.dtype)):
            kind = as_dtype(a)
    if kind is None or as_dtype(kind) is self.dtype:
        return self.clone() if kwargs.get("copy") else self
    if mode.trace is not None:
        mode.trace.seen(self)
    return wrap(cast(self.node, as_dtype(kind)), self._requires_grad)


def type_(self: Tensor, dtype: Any = None) -> Any:
    """The tensor in another dtype; without an argument, the name of its type."""
    if dtype is None:
        return f"onegraph.{self.dtype.name}"
    return to(self, as_dtype(getattr(dtype, "dtype", dtype)))  # also FloatTensor and its like


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite the tensor with another's values, broadcast and cast to it."""
    source = src if isinstance(src, Tensor) else tensor(src)
    if mode.trace is not None:
        mode.trace.seen(source)
    return assign(self, wrap(cast(expand_to(source.node, self.node.shape), self.dtype), source._requires_grad))


def fill_(self: Tensor, value: Any) -> Tensor:
    """Overwrite every element with one value."""
    if isinstance(value, Tensor):
        return copy_(self, value)
    return assign(self, wrap(expand_to(_node_from_data(value, self.dtype), self.node.shape), False))


def zero_(self: Tensor) -> Tensor:
    """Overwrite every element with 0."""
    return fill_(self, 0)


def evaluate(*tensors: Any) -> None:
    """Compute tensors now (and everything that waits), in one plan.

    Args:
        tensors: tensors, or lists, tuples and dicts of them.
    """
    found: list[Tensor] = []
    todo = list(tensors)
    while todo:
        item = todo.pop()
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    realize_tensors(found)


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy; gradients flow through it."""
    if mode.trace is not None:
        mode.trace.seen(input)
    return (
        wrap(input.node, input._requires_grad)
        if not _is_leaf_node(input)
        else wrap(_identity(input), input._requires_grad)
    )


def _is_leaf_node(tensor: Tensor) -> bool:
    return state.leaves.get(tensor._node) is tensor


def _identity(tensor: Tensor) -> Any:
    """A node of its own with the same value, so that in-place writing to a clone of a leaf is not taken for the leaf."""
    return RESHAPE(tensor.node, shape=tensor.node.shape)


def _cast_method(kind: DType) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return to(self, kind)

    convert.__doc__ = f"The tensor as {kind.name}."
    return convert


def _stride(self: Tensor, dim: int | None = None) -> Any:
    strides = [1] * self.ndim
    for i in range(self.ndim - 2, -1, -1):
        strides[i] = strides[i + 1] * int(self.shape[i + 1])
    return tuple(strides) if dim is None else strides[dim]


def _no_device(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    Device("cuda")
    return self


METHODS: dict[str, Any] = {
    "to": to,
    "type": type_,
    "copy_": copy_,
    "fill_": fill_,
    "zero_": zero_,
    "clone": clone,
    "float": _cast_method(dtypes.float32),
    "double": _cast_method(dtypes.float64),
    "half": _cast_method(dtypes.float16),
    "bfloat16": _cast_method(dtypes.bfloat16),
    "int": _cast_method(dtypes.int32),
    "long": _cast_method(dtypes.int64),
    "short": _cast_method(dtypes.int16),
    "char": _cast_method(dtypes.int8),
    "byte": _cast_method(dtypes.uint8),
    "bool": _cast_method(dtypes.bool_),
    "type_as": lambda self, other: to(self, other.dtype),
    "cpu": lambda self: self,
    "cuda": _no_device,
    "contiguous": lambda self, memory_format=None: self,
    "is_contiguous": lambda self, memory_format=None: True,
    "size": lambda self, dim=None: self.shape if dim is None else self.shape[dim],
    "dim": lambda self: self.ndim,
    "ndimension": lambda self: self.ndim,
    "numel": lambda self: self.shape.numel(),
    "nelement": lambda self: self.shape.numel(),
    "element_size": lambda self: self.dtype.itemsize,
    "stride": _stride,
    "storage_offset": lambda self: 0,
    "is_floating_point": lambda self: self.dtype.is_floating_point,
    "is_complex": lambda self: False,
    "is_signed": lambda self: self.dtype.is_signed,
    "T": property(lambda self: self.permute(*range(self.ndim)[::-1])),
    "mT": property(lambda self: self.adjoint()),
    "H": property(lambda self: self.t()),
    "is_cuda": property(lambda self: False),
    "is_sparse": property(lambda self: False),
    "itemsize": property(lambda self: self.dtype.itemsize),
    "nbytes": property(lambda self: self.shape.numel() * self.dtype.itemsize),
    "is_view": property(lambda self: self._view is not None),
    "share_memory_": lambda self: self,
    "pin_memory": lambda self: self,
}
