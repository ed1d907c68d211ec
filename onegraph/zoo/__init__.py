"""Models people know, by name: what `onegraph train NETWORK` can train.

To add one: write a function `name(num_classes, in_channels)` that gives a module, and a row in `NETWORKS`.
Read next: `lenet.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from onegraph.errors import ArgumentError
from onegraph.nn import Module
from onegraph.zoo.lenet import LeNet5, lenet5
from onegraph.zoo.mlp import MLP, mlp

__all__ = ["MLP", "NETWORKS", "LeNet5", "Network", "lenet5", "mlp", "network"]


@dataclass(frozen=True)
class Network:
    """A model that can be asked for by name.

    Attributes:
        name: what to type.
        doc: one line about it.
        make: called with `num_classes` and `in_channels`.
        input_size: (height, width) of the images that it takes.
    """

    name: str
    doc: str
    make: Callable[..., Module]
    input_size: tuple[int, int]


NETWORKS: dict[str, Network] = {
    found.name: found
    for found in (
        Network("lenet5", "LeNet-5 (LeCun et al. 1998): two convolutions, three dense layers", lenet5, (32, 32)),
        Network("mlp", "two hidden dense layers with ReLU", mlp, (32, 32)),
    )
}
"""Every network, by name."""


def network(name: str) -> Network:
    """Look up a network.

    Args:
        name: such as "lenet5"; capital letters do not matter.

    Raises:
        ArgumentError: there is none of this name; the message lists those that there are.

    >>> network("LeNet5").input_size
    (32, 32)
    """
    found = NETWORKS.get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), NETWORKS, 1)
        raise ArgumentError(
            f"there is no network {name!r}; there are {', '.join(NETWORKS)}",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    return found
