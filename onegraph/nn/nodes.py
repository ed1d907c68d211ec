"""From tensors to nodes, for functions and layers that call the functions on nodes themselves."""

from __future__ import annotations

from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor
from onegraph.ir.node import Node


def node_of(tensor: Tensor) -> Node:
    """The node of a tensor that an operation reads."""
    if mode.trace is not None:
        mode.trace.seen(tensor)
    return tensor.node
