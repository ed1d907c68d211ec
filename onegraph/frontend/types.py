"""Questions about dtypes and shapes that have Python answers, and names of memory formats: `finfo`, `result_type`, `numel`, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.config import settings
from onegraph.errors import ArgumentError, DTypeError
from onegraph.frontend.tensor import Size, Tensor
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import DType, as_dtype, category, get_default_dtype, promote
from onegraph.ops import shapes
from onegraph.ops.promotion import common_dtype


class MemoryFormat:
    """A name for how elements lie in memory. Tensors here have values and no layout, so it is accepted and means nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"onegraph.{self.name}"


contiguous_format = MemoryFormat("contiguous_format")
preserve_format = MemoryFormat("preserve_format")
channels_last = MemoryFormat("channels_last")
channels_last_3d = MemoryFormat("channels_last_3d")
strided = MemoryFormat("strided")


class finfo:
    """The limits of a floating dtype: `bits`, `eps`, `max`, `min`, `tiny`, `smallest_normal`, `resolution`, `dtype`.

    >>> import onegraph as og
    >>> og.finfo(og.bfloat16).eps, og.finfo(og.float32).max
    (0.0078125, 3.4028234663852886e+38)
    """

    def __init__(self, type: Any = None) -> None:
        kind = get_default_dtype() if type is None else as_dtype(type)
        if not kind.is_floating_point:
            raise DTypeError(f"finfo: {kind.name} is no floating dtype", hint="use iinfo")
        self.dtype = kind.name
        self.bits = kind.itemsize * 8
        if kind is dtypes.bfloat16:
            self.eps, self.resolution = 2.0**-7, 0.01
            self.tiny = self.smallest_normal = float(np.finfo(np.float32).tiny)
            self.max = float((2 - 2.0**-7) * 2.0**127)
        else:
            limits = np.finfo(kind.numpy)
            self.eps, self.max = float(limits.eps), float(limits.max)
            self.tiny = self.smallest_normal = float(limits.tiny)
            self.resolution = float(str(limits.resolution))
        self.min = -self.max

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype: `bits`, `max`, `min`, `dtype`.

    >>> import onegraph as og
    >>> og.iinfo(og.int8).min
    -128
    """

    def __init__(self, type: Any) -> None:
        kind = as_dtype(type)
        if kind.kind not in ("int", "uint"):
            raise DTypeError(f"iinfo: {kind.name} is no integer dtype", hint="use finfo for floating dtypes")
        limits = np.iinfo(kind.numpy)
        self.dtype, self.bits = kind.name, int(limits.bits)
        self.min, self.max = int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of the result of an operation on two tensors or numbers.

    >>> import onegraph as og
    >>> og.result_type(og.tensor([1, 2]), 1.5)
    onegraph.float32
    """
    return common_dtype(*[v.node if isinstance(v, Tensor) else v for v in (tensor1, tensor2)])


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest dtype that holds the values of two.

    >>> import onegraph as og
    >>> og.promote_types(og.int32, og.float16)
    onegraph.float16
    """
    return promote(as_dtype(type1), as_dtype(type2))


def can_cast(from_: DType, to: DType) -> bool:
    """Whether operations may write a result of one dtype into a tensor of another: categories never go down.

    >>> import onegraph as og
    >>> og.can_cast(og.float64, og.float32), og.can_cast(og.float32, og.int64)
    (True, False)
    """
    return category(as_dtype(from_)) <= category(as_dtype(to))


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype of a tensor is a floating type."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether the dtype of a tensor is a complex type; there are none."""
    return False


def numel(input: Tensor) -> int:
    """The number of elements of a tensor."""
    return input.shape.numel()


def broadcast_shapes(*shapes_: Any) -> Size:
    """The shape that shapes broadcast to.

    >>> import onegraph as og
    >>> og.broadcast_shapes((2, 1), (3,))
    onegraph.Size([2, 3])
    """
    given = [(s,) if isinstance(s, int) else tuple(s) for s in shapes_]
    return Size(shapes.broadcast_shapes("broadcast_shapes", *given))  # type: ignore[arg-type]


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""
    return tuple(input.shape) == tuple(other.shape)


def get_num_threads() -> int:
    """The threads that kernels may use (the setting `threads`)."""
    return settings.threads


def set_num_threads(number: int) -> None:
    """Let kernels use this many threads. Results do not depend on it; the reference backend leaves threads to NumPy.

    Raises:
        ArgumentError: for a number below 1.
    """
    if not isinstance(number, int) or number < 1:
        raise ArgumentError(f"set_num_threads: the number must be an int of at least 1, got {number!r}")
    settings.threads = number


FUNCTIONS: dict[str, Any] = {
    "broadcast_shapes": broadcast_shapes,
    "can_cast": can_cast,
    "channels_last": channels_last,
    "channels_last_3d": channels_last_3d,
    "contiguous_format": contiguous_format,
    "finfo": finfo,
    "get_num_threads": get_num_threads,
    "iinfo": iinfo,
    "is_complex": is_complex,
    "is_floating_point": is_floating_point,
    "is_same_size": is_same_size,
    "numel": numel,
    "preserve_format": preserve_format,
    "promote_types": promote_types,
    "result_type": result_type,
    "set_num_threads": set_num_threads,
    "strided": strided,
}
METHODS: dict[str, Any] = {"is_same_size": is_same_size}
