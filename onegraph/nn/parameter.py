"""`Parameter`: a tensor that a module learns. Read next: `module.py`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.convert import tensor
from onegraph.frontend.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a `Module` lists among its parameters when it is set as an attribute.

    Args:
        data: its first value: a tensor, or anything that `onegraph.tensor` takes.
        requires_grad: collect gradients for it.

    >>> import onegraph as og
    >>> og.nn.Parameter(og.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
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

    def __init__(self, data: Any = (), *, persistent: bool = True) -> None:
        super().__init__(data if isinstance(data, Tensor) else tensor(data))
        if isinstance(data, Tensor) and data.node.value is not None:
            self._node = data.node
        self.persistent = persistent
