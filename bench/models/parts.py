"""Parts that several networks share: convolution with batch normalization, sums and concatenations of branches.

Modules need a base class from the framework, so each class is made once for each framework. Read next: `residual.py`.
"""

from __future__ import annotations

import functools
from typing import Any

Framework = Any  # the module `torch` or the module `onegraph`


def scaled(channels: int, width: float) -> int:
    """Channels of a network whose width is multiplied; never fewer than 4, so that tests can be tiny."""
    return max(4, int(channels * width))


def convolution(
    framework: Framework, inputs: int, outputs: int, kernel: Any, activation: str | None = "ReLU", **options: Any
) -> list[Any]:
    """Convolution without bias, batch normalization and, if wanted, an activation."""
    nn = framework.nn
    layers = [nn.Conv2d(inputs, outputs, kernel, bias=False, **options), nn.BatchNorm2d(outputs)]
    return [*layers, getattr(nn, activation)(inplace=True)] if activation else layers


@functools.cache
def residual_class(framework: Framework) -> type:
    """A module that adds what its body and its shortcut give, followed by an activation if it has one."""

    class Residual(framework.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, body: Any, shortcut: Any = None, activation: Any = None) -> None:
            super().__init__()
            self.body = body
            self.shortcut = shortcut if shortcut is not None else framework.nn.Identity()
            self.activation = activation if activation is not None else framework.nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.activation(self.body(x) + self.shortcut(x))

    return Residual


@functools.cache
def branches_class(framework: Framework) -> type:
    """A module that concatenates what its branches make of the same input, along the channels."""

    class Branches(framework.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, *branches: Any) -> None:
            super().__init__()
            self.branches = framework.nn.ModuleList(branches)

        def forward(self, x: Any) -> Any:
            return framework.cat([branch(x) for branch in self.branches], 1)

    return Branches
