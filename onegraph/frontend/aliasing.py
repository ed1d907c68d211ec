"""Who shares storage with whom: a `View` says how a tensor follows another, a `Storage` what a tensor shares with its views.

Read next: `views.py`, which makes views and writes through them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from onegraph.frontend.state import mode
from onegraph.ir.node import Node

if TYPE_CHECKING:
    from onegraph.frontend.tensor import Tensor


class View:
    """How a tensor follows another: it is `function` of the base's node, and writing to it writes to the base."""

    __slots__ = ("detached", "first_base", "follows", "function", "storage", "version")

    def __init__(self, base: Tensor, function: Callable[[Node], Node], detached: bool = False) -> None:
        self.detached = detached or not mode.gradients
        self.follows = not base._requires_grad
        self.first_base = base
        self.function = function
        self.version = base._version
        shared = base._storage
        storage = None if shared is None else shared()
        if storage is None:
            storage = Storage()
            base._storage = weakref.ref(storage)
        self.storage = storage

    @property
    def base(self) -> Tensor:
        """The tensor that is followed."""
        left = self.storage.left_to
        return self.first_base if left is None else left


class Storage:
    """What a tensor shares with its views, until `tensor.data = other` lets it go: they then follow `left_to`."""

    __slots__ = ("__weakref__", "left_to")

    def __init__(self) -> None:
        self.left_to: Tensor | None = None


def same_node(node: Node) -> Node:
    """What a tensor that shows all of its base is of the base."""
    return node
