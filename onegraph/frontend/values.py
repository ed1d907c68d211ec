"""Looking at a tensor's value: NumPy arrays, Python numbers, truth, text. Each of these computes what is pending."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError
from onegraph.frontend.printing import tensor_text
from onegraph.frontend.state import mode
from onegraph.ir.dtype import bfloat16, bfloat16_to_float32
from onegraph.ir.node import Node
from onegraph.ops.shapes import show
from onegraph.runtime.plan import current_backend


class Values:
    """What a tensor offers once its value is asked for."""

    _node: Node
    _requires_grad: bool

    if TYPE_CHECKING:  # what the tensor has

        def _realize(self) -> Buffer: ...
        def _traced(self) -> bool: ...
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The value as a NumPy array. It may share memory with the tensor, so it is read-only; copy it to write.

        Args:
            force: also for a tensor that requires gradients (as `detach().numpy()`).
        """
        if self._requires_grad and not force:
            raise GradientError(
                "numpy() of a tensor that requires gradients would lose them", hint="use x.detach().numpy()"
            )
        return self._array()

    def _array(self) -> np.ndarray[Any, Any]:
        """The value as a read-only array; bfloat16 as float32, since NumPy has no bfloat16."""
        buffer = self._realize()
        array = current_backend().copy_out(buffer)
        if buffer.dtype is bfloat16:
            return bfloat16_to_float32(array)
        array = array.view()
        array.flags.writeable = False
        return array

    def item(self) -> Any:
        """The value of a tensor with one element, as a Python number."""
        if self._node.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {show(self.shape)} has more than one element",
                hint="use tolist() or index it first",
            )
        return self._array().item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._array().tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != dtype:
            raise ArgumentError(f"a {self.dtype.name} tensor cannot be seen as {np.dtype(dtype)} without a copy")
        return array.astype(dtype) if dtype is not None and array.dtype != dtype else array.copy() if copy else array

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of DLPack with the tensor's memory, read-only and without a copy where the consumer knows version 1.

        Args:
            stream: None; the processor has no streams.
            max_version: the newest version that the consumer knows. Version 0 cannot say that memory is read-only, so
                it gets a copy.
            dl_device: None or (1, 0).
            copy: True for a copy, which may be written to; False for a BufferError where one is needed.
        """
        from onegraph.frontend.dlpack import export

        return export(self, stream, max_version, dl_device, copy)  # type: ignore[arg-type]

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __complex__(self) -> complex:
        return complex(self.item())

    def __bool__(self) -> bool:
        if self._node.size != 1:
            raise ShapeError(
                f"the truth of a tensor of shape {show(self.shape)} is ambiguous", hint="use .any() or .all()"
            )
        return bool(self._array().item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point:
            raise ArgumentTypeError("only integer tensors of a single element can be used as an index")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._node.shape == () and spec else format(str(self), spec)

    def __len__(self) -> int:
        if not self._node.shape:
            raise ArgumentTypeError("a tensor without dimensions has no len()")
        return int(self._node.shape[0])

    def __iter__(self) -> Iterable[Any]:
        if not self._node.shape:
            raise ArgumentTypeError("a tensor without dimensions cannot be iterated")
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __repr__(self) -> str:
        if mode.trace is not None and self._traced():
            return f"tensor(<traced>, shape={show(self.shape)}, dtype={self.dtype})"
        return tensor_text(self)  # type: ignore[arg-type]
