"""`DataParallel`: without several devices PyTorch just calls the module, and so does this."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.tensor import Device
from onegraph.nn.module import Module


class DataParallel(Module):
    """A module that would be run on several devices at once; there is one device, so it is called as it is.

    Args:
        module: what is called; its state has names that begin with `module.`, as in PyTorch.
        device_ids, output_device, dim: accepted; a device can only be 'cpu'.

    >>> import onegraph as og
    >>> list(og.nn.DataParallel(og.nn.Linear(2, 1)).state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        _check_devices(device_ids, output_device)
        self.module, self.dim = module, dim
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)


def _check_devices(device_ids: Any, output_device: Any) -> None:
    for device in [*(device_ids or ()), *([] if output_device is None else [output_device])]:
        Device(f"cuda:{device}" if isinstance(device, int) else device)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """A call of a module, as `DataParallel` makes it.

    Args:
        module: what is called.
        inputs: one argument, or a tuple of them.
        device_ids, output_device, dim: accepted; a device can only be 'cpu'.
        module_kwargs: further arguments by name.
    """
    _check_devices(device_ids, output_device)
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
