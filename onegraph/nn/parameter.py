"""`Parameter`: a tensor that a module learns; and those whose shape is not known yet. Read next: `module.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer as Memory
from onegraph.errors import UninitializedError
from onegraph.frontend.convert import tensor
from onegraph.frontend.tensor import Device, Size, Tensor, wrap_buffer
from onegraph.ops.random import floating_dtype


class Parameter(Tensor):
    """A tensor that a `Module` lists among its parameters when it is set as an attribute.

    Args:
        data: its first value: a tensor, or anything that `onegraph.tensor` takes; nothing (0 elements) when None.
        requires_grad: collect gradients for it.

    >>> import onegraph as og
    >>> og.nn.Parameter(og.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        data = () if data is None else data
        super().__init__(data if isinstance(data, Tensor) else tensor(data))
        if isinstance(data, Tensor) and data.node.value is not None:
            self._node = data.node  # a known value needs no copy
        if requires_grad:
            self.requires_grad_(True)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that a `Module` lists among its buffers when it is set as an attribute: state that is not learned.

    Args:
        data: its first value.
        persistent: whether it belongs to the module's `state_dict`.
    """

    persistent = True

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        data = () if data is None else data
        super().__init__(data if isinstance(data, Tensor) else tensor(data))
        if isinstance(data, Tensor) and data.node.value is not None:
            self._node = data.node
        self.persistent = persistent


class UninitializedTensorMixin:
    """A parameter or buffer whose shape is not known yet; `materialize` gives it one."""

    cls_to_become: type[Tensor]

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of zeros of a shape; it stays the same object, for optimizers that know it."""
        Device("cpu" if device is None else device)
        kind = self._node.dtype if dtype is None else floating_dtype("materialize", dtype)  # type: ignore[attr-defined]
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self.data = wrap_buffer(Memory(np.zeros(tuple(shape), kind.numpy), kind))

    def share_memory_(self) -> None:
        """Refused."""
        raise UninitializedError(f"this {type(self).__name__} has no memory yet to share")

    @property
    def shape(self) -> Size:
        """Refused."""
        raise UninitializedError(
            f"this {type(self).__name__} has no shape yet: it follows from the first input",
            hint="call the module once, e.g. with zeros, before you use its parameters",
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module before its first call.

    Args:
        requires_grad: collect gradients for it, once it has a shape.
        device: 'cpu' or None.
        dtype: floating; the default dtype when None.

    >>> import onegraph as og
    >>> parameter = og.nn.UninitializedParameter()
    >>> parameter.materialize((2, 3))
    >>> parameter.shape
    onegraph.Size([2, 3])
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        Device("cpu" if device is None else device)
        super().__init__(_nothing(dtype), requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer of a lazy module before its first call; arguments as for `UninitializedParameter`."""

    cls_to_become = Tensor

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        Device("cpu" if device is None else device)
        super().__init__(_nothing(dtype))
        self.persistent = persistent
        self.requires_grad_(requires_grad)


def _nothing(dtype: Any) -> Tensor:
    kind = floating_dtype("lazy", dtype)
    return wrap_buffer(Memory(np.zeros((0,), kind.numpy), kind))


def is_lazy(param: Any) -> bool:
    """Whether a tensor has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
