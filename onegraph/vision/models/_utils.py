"""What torchvision's networks and programs around them use: old arguments, and layers in the middle of a network.

Read next: `_build.py`.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.vision.models._api import Builder, WeightsEnum
from onegraph.zoo.blocks import make_divisible as _make_divisible

__all__ = ["IntermediateLayerGetter", "_make_divisible", "_ovewrite_named_param", "handle_legacy_interface"]


class IntermediateLayerGetter(nn.ModuleDict):
    """A network up to some of its layers, of which it gives the results.

    Its children must be called one after the other, as they are listed.

    Args:
        model: the network.
        return_layers: names of children, and what their results are called.

    Raises:
        ArgumentError: the network has no such child.

    >>> import onegraph as og
    >>> from onegraph import zoo
    >>> part = IntermediateLayerGetter(zoo.resnet20().eval(), {"layer1": "low", "layer3": "high"})
    >>> {name: tuple(value.shape) for name, value in part(og.zeros(1, 3, 16, 16)).items()}
    {'low': (1, 16, 16, 16), 'high': (1, 64, 4, 4)}
    """

    def __init__(self, model: nn.Module, return_layers: Mapping[str, str]) -> None:
        children = dict(model.named_children())
        missing = [name for name in return_layers if name not in children]
        if missing:
            raise ArgumentError(
                f"IntermediateLayerGetter: no children {', '.join(missing)}; there are {', '.join(children)}"
            )
        last = max(list(children).index(name) for name in return_layers) if return_layers else -1
        super().__init__(dict(list(children.items())[: last + 1]))
        self.return_layers = dict(return_layers)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The results by the names given."""
        found = {}
        for name, layer in self.items():
            x = layer(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Builder], Builder]:
    """A decorator that takes the arguments of old programs: `pretrained=True`, and positional ones; each warns.

    Args:
        weights: for each parameter of weights, the old parameter's name and the weights that True meant; these may be a
            function of the other arguments.
    """

    def decorate(builder: Builder) -> Builder:
        names = list(inspect.signature(builder).parameters)

        @functools.wraps(builder)
        def build(*args: Any, **kwargs: Any) -> nn.Module:
            if args:
                given = names[: len(args)]
                warnings.warn(f"give {', '.join(given)} by keyword: positional arguments are deprecated", stacklevel=2)
                kwargs.update(zip(given, args, strict=False))
            for parameter, (old, default) in weights.items():
                _translate(kwargs, parameter, old, default)
            return builder(**kwargs)

        return build

    return decorate


def _translate(kwargs: dict[str, Any], parameter: str, old: str, default: Any) -> None:
    """Put the weights that an old argument meant into the arguments."""
    value = kwargs.pop(old) if old in kwargs else kwargs.get(parameter)
    if not (isinstance(value, bool) or value == "legacy"):
        return
    chosen = (
        (default(kwargs) if callable(default) and not isinstance(default, WeightsEnum) else default) if value else None
    )
    warnings.warn(f"{old}={value} and {parameter}={value} are deprecated: write {parameter}={chosen}", stacklevel=3)
    kwargs[parameter] = chosen


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Set an argument, unless the caller set it to something else (the name is spelled as in torchvision).

    Raises:
        ArgumentError: the caller set it to something else.
    """
    if kwargs.setdefault(param, new_value) != new_value:
        raise ArgumentError(f"the parameter {param!r} must be {new_value} for these weights, got {kwargs[param]}")


def _ovewrite_value_param(param: str, actual: Any, expected: Any) -> Any:
    """A value that may be None or must be the one expected.

    Raises:
        ArgumentError: it is another one.
    """
    if actual is not None and actual != expected:
        raise ArgumentError(f"the parameter {param!r} must be {expected}, got {actual}")
    return expected
