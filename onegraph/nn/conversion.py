"""The methods of `Module` that change all parameters and buffers at once: dtypes, devices, modes, gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.state import mode, no_grad
from onegraph.frontend.tensor import Device, Tensor, wrap
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import DType, as_dtype
from onegraph.nn import state
from onegraph.nn.parameter import is_lazy
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to

if TYPE_CHECKING:
    pass

M = TypeVar("M", bound="Conversions")


class Conversions:
    """What `Module` does with everything inside of it."""

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    children: Callable[..., Iterable[Any]]
    modules: Callable[..., Iterable[Any]]
    parameters: Callable[..., Iterable[Any]]

    def apply(self: M, fn: Callable[[Any], Any]) -> M:
        """Call a function with every module inside, and with this one last."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self: M, mode: bool = True) -> M:
        """Set training mode, or evaluation mode with False, here and in all modules inside."""
        if not isinstance(mode, bool):
            raise ArgumentTypeError(f"train: expected True or False, got {type(mode).__name__}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: M) -> M:
        """Set evaluation mode."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Collect gradients for all parameters, or for none."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters (or fill them with zeros)."""
        clear_gradients(self.parameters(), set_to_none)

    def _apply(self: M, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> M:
        with no_grad():
            for module in self.modules() if recurse else [self]:
                for tensor in itertools.chain(module._parameters.values(), module._buffers.values()):
                    if tensor is None or is_lazy(tensor):
                        continue
                    changed = fn(tensor)
                    if changed is not tensor:
                        tensor.data = changed
                        tensor.grad = None if tensor.grad is None else fn(tensor.grad)
        return self

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Convert floating parameters and buffers to a dtype; the device can only be 'cpu'."""
        kind = kwargs.pop("dtype", None)
        places = [kwargs.pop("device", None), *args]
        for place in places:
            if isinstance(place, (str, Device)):
                Device(place)
            elif isinstance(place, Tensor):
                kind = place.dtype
            elif place is not None and not isinstance(place, bool):
                kind = place
        return self if kind is None else self._to_floating(as_dtype(kind))

    def to_empty(self: M, *, device: Any, recurse: bool = True) -> M:
        """The module itself: its tensors are on the one device that there is."""
        Device("cpu" if device is None else device)
        return self

    def _to_floating(self: M, dtype: DType) -> M:
        if not dtype.is_floating_point:
            raise ArgumentError(f"a module can be converted to floating dtypes only, got {dtype.name}")
        return self._apply(lambda t: t.to(dtype) if t.dtype.is_floating_point else t)

    def type(self: M, dst_type: Any) -> M:
        """Convert all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.to(as_dtype(dst_type)))

    def float(self: M) -> M:
        """Convert floating parameters and buffers to float32."""
        return self._to_floating(dtypes.float32)

    def double(self: M) -> M:
        """Convert floating parameters and buffers to float64."""
        return self._to_floating(dtypes.float64)

    def half(self: M) -> M:
        """Convert floating parameters and buffers to float16."""
        return self._to_floating(dtypes.float16)

    def bfloat16(self: M) -> M:
        """Convert floating parameters and buffers to bfloat16."""
        return self._to_floating(dtypes.bfloat16)

    def cpu(self: M) -> M:
        """The module itself."""
        return self

    def cuda(self: M, device: Any = None) -> M:
        """Refused: this build knows only the host's processor."""
        Device("cuda")
        return self

    def xpu(self: M, device: Any = None) -> M:
        """Refused: this build knows only the host's processor."""
        Device("xpu")
        return self

    def ipu(self: M, device: Any = None) -> M:
        """Refused: this build knows only the host's processor."""
        Device("ipu")
        return self

    def mtia(self: M, device: Any = None) -> M:
        """Refused: this build knows only the host's processor."""
        Device("mtia")
        return self

    def share_memory(self: M) -> M:
        """The module itself: each process has its own values, which are sent to others by copying them."""
        return self


def clear_gradients(tensors: Iterable[Tensor], set_to_none: bool) -> None:
    """Forget gradients, or fill them with zeros; noticed when it is traced."""
    for tensor in tensors:
        if set_to_none:
            tensor.grad = None
        elif tensor.grad is None:
            continue
        elif mode.trace is None:
            tensor.grad = state.zeros_like(tensor)
        else:
            tensor.grad = wrap(expand_to(constant(0, tensor.dtype), tensor.node.shape), False)
