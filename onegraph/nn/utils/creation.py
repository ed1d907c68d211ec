"""Making modules without drawing first values: in PyTorch `torch.nn.utils.init`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.tensor import Device
from onegraph.nn.module import Module


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """A module whose parameters are to be overwritten.

    First values are computed only when somebody looks or the module is called, so nothing is lost by having them: this
    makes the module as usual.

    Args:
        module_cls: a class of modules.
        args, kwargs: of the class.

    >>> import onegraph as og
    >>> og.nn.utils.skip_init(og.nn.Linear, 2, 3).weight.shape
    onegraph.Size([3, 2])
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise ArgumentTypeError(f"skip_init: expected a class of modules, got {module_cls!r}")
    device = kwargs.pop("device", None)
    Device("cpu" if device is None else device)
    return module_cls(*args, **kwargs)
