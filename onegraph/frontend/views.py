"""Aliasing: tensors that share storage with another, as PyTorch's views do, although values never change underneath.

A view remembers the function from its base's node to its own. Reading a view after the base was written computes it
anew; writing to a view computes a new base: the elements that the view covers come from the new value, by the
transposed movement, and the others stay.
"""

from __future__ import annotations

from collections.abc import Callable

from onegraph.autodiff import gradient
from onegraph.errors import GradientError
from onegraph.frontend.state import mode, no_grad, wait_for
from onegraph.frontend.tensor import Tensor, View, same_node
from onegraph.ir.dtype import bool_
from onegraph.ir.node import EMPTY, Node
from onegraph.ir.traverse import rebuild, topological, with_inputs
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import DETACH, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to

_BIJECTIONS = frozenset({"reshape", "permute", "flip"})


def make_view(base: Tensor, result: Tensor, function: Callable[[Node], Node]) -> Tensor:
    """Let a result follow a base."""
    result._view = View(base, function)
    return result


def alias(base: Tensor) -> Tensor:
    """A tensor with the same storage, without gradients."""
    if mode.trace is not None:
        mode.trace.seen(base)
    result = Tensor.__new__(Tensor)
    result._node = DETACH(base.node) if base._requires_grad else base.node
    result._view = View(base, same_node, detached=True)
    if mode.trace is not None:
        result._made_in = mode.trace.number_of_trace
    return result


def write_through(view: Tensor, value: Node) -> None:
    """Write a view's new value to its base (and to the base's base)."""
    assert view._view is not None
    if view._view.detached and mode.gradients:
        with no_grad():
            write_through(view, value)
        return
    base, function = view._view.base, view._view.function
    leaf = base._requires_grad and base.is_leaf
    if leaf and mode.gradients and view._requires_grad:
        raise GradientError(
            "a view of a leaf tensor that requires gradients is written in place while gradients are recorded",
            hint="write it under `with og.no_grad():`",
        )
    node = _inverse(base.node, function, value)
    if mode.trace is not None:
        mode.trace.seen(base)
        mode.trace.written(base)
    if base._view is not None:
        write_through(base, node)
    if view._requires_grad and mode.gradients and not leaf:
        base._requires_grad = True
    base._replace(node, leaf)
    wait_for(base)


def _inverse(base: Node, function: Callable[[Node], Node], value: Node) -> Node:
    """The base with the elements that the view shows replaced by `value`."""
    source = _placeholder(base)
    shown = function(source)
    between = [n for n in topological([shown]) if n.inputs and n.op != "detach"]
    if not between:
        return value
    if any(n.op == "expand" for n in between):
        raise GradientError(
            "cannot write to an expanded tensor: several of its elements share one place", hint="clone() it first"
        )
    bare = _without_detach(shown, source)
    (moved,) = gradient([bare], [value], [source])
    assert moved is not None
    if all(n.op in _BIJECTIONS for n in between):
        return moved
    (covered,) = gradient([bare], [expand_to(constant(1, base.dtype), bare.shape)], [source])
    assert covered is not None
    return WHERE(cast(covered, bool_), moved, base)


def _placeholder(node: Node) -> Node:
    return Node("input", (), EMPTY, node.shape, node.dtype)


def _without_detach(shown: Node, source: Node) -> Node:
    def replace(node: Node, inputs: tuple[Node, ...]) -> Node:
        return inputs[0] if node.op == "detach" else with_inputs(node, inputs)

    return rebuild([shown], replace)[0]
