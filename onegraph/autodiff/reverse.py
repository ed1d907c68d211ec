"""Reverse-mode differentiation: `gradient` walks the graph backward and asks each op's record for its rule.

`Tensor.backward`, `onegraph.grad`, `static.gradients` and Keras all end here. Forward mode (`jvp`) is two
reverse passes, since the vector-Jacobian product is linear in the vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import GradientError, ShapeError
from onegraph.ir.node import Node, Source, capture_source, input_node, scopes
from onegraph.ir.traverse import substitute, topological
from onegraph.ops.binary import ADD
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to
from onegraph.ops.record import record_of, set_differentiate
from onegraph.ops.reduction import sum_to_shape
from onegraph.ops.shapes import same_shape, show

GRADIENTS = "gradients/"
"""The scope of operations of a derivative; the layer's own scope follows."""


def gradient(outputs: Sequence[Node], seeds: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
    """Gradients of the sum of `outputs` (each weighted by its seed) with respect to nodes.

    Args:
        outputs: what to differentiate.
        seeds: the gradient of each output, of its shape; None stands for ones, for outputs of one element.
        wrt: nodes to differentiate by. They may be anywhere in the graph; each is taken as independent.

    Returns:
        A node of the shape and dtype of each of `wrt`, or None where the outputs do not depend on it.
    """
    before, scopes.source = scopes.source, capture_source()
    try:
        return _gradient(outputs, seeds, wrt)
    finally:
        scopes.source = before


def _gradient(outputs: Sequence[Node], seeds: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
    order = topological(outputs, stop=_is_detached)
    active = _active(order, wrt)
    sums: dict[Node, Any] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if output in active:
            _accumulate(sums, output, _seed(output, seed))
    wanted, call = set(wrt), scopes.source
    for node in reversed(order):
        g = sums.get(node)
        if g is None or not node.inputs:
            continue
        if node not in wanted:
            del sums[node]  # nobody asks again: let go of it
        scopes.source = call if node.source is None else _of_gradient(node.source)
        if node.op == "item":
            index = node.attributes["index"]
            parts = sums.setdefault(node.inputs[0], {})
            parts[index] = ADD(parts[index], g) if index in parts else g
        elif any(i in active for i in node.inputs):
            _backpropagate(node, g, active, sums)
    return [sums.get(node) for node in wrt]


def _of_gradient(source: Source) -> Source:
    """Where a part of a derivative comes from: the line of the operation that it is the derivative of."""
    file, line, scope = source
    return file, line, GRADIENTS + scope


def _is_detached(node: Node) -> bool:
    return node.op == "detach"


def _active(order: Sequence[Node], wrt: Sequence[Node]) -> set[Node]:
    """Nodes through which a gradient may reach one of `wrt`."""
    active = set(wrt)
    for node in order:
        if node.inputs and node not in active:
            for i in node.inputs:
                if i in active:
                    if node.op == "item" or record_of(node).gradient is not None:
                        active.add(node)
                    break
    return active


def _seed(output: Node, seed: Node | None) -> Node:
    if seed is None:
        if output.size != 1:
            raise GradientError(
                f"a gradient can start only at one element, and the output has shape {show(output.shape)}",
                hint="reduce it first, e.g. loss.sum() or loss.mean(), or give the gradient of the output",
            )
        return expand_to(constant(1, output.dtype), output.shape)
    if not same_shape(seed.shape, output.shape):
        raise ShapeError(f"the gradient of an output of shape {show(output.shape)} has shape {show(seed.shape)}")
    return seed


def _accumulate(sums: dict[Node, Any], node: Node, g: Node) -> None:
    before = sums.get(node)
    sums[node] = g if before is None else ADD(before, g)


def _backpropagate(node: Node, g: Any, active: set[Node], sums: dict[Node, Any]) -> None:
    rule = record_of(node).gradient
    if rule is None:
        return
    if isinstance(rule, tuple):
        for i, function in zip(node.inputs, rule, strict=True):
            if i in active and function is not None:
                found = function(node, g)
                if found is not None:
                    _accumulate(sums, i, found if found.shape == i.shape else sum_to_shape(found, i.shape))
        return
    needs = [i in active for i in node.inputs]
    for i, needed, found in zip(node.inputs, needs, rule(node, g, needs), strict=True):
        if needed and found is not None:
            _accumulate(sums, i, found if found.shape == i.shape else sum_to_shape(found, i.shape))


def zeros_like(node: Node) -> Node:
    """Zeros of a node's shape and dtype."""
    return expand_to(constant(0, node.dtype), node.shape)


def vjp(outputs: Sequence[Node], wrt: Sequence[Node], cotangents: Sequence[Node]) -> list[Node]:
    """The vector-Jacobian product: `cotangents` carried backward from the outputs to `wrt`; zeros where nothing arrives."""
    found = gradient(outputs, cotangents, wrt)
    return [g if g is not None else zeros_like(x) for g, x in zip(found, wrt, strict=True)]


def jvp(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node]) -> list[Node]:
    """The Jacobian-vector product: `tangents` carried forward from `wrt` to the outputs.

    The product v^T J is linear in v, so differentiating it by v, with the tangents as weights, gives J t.
    """
    dummies = [input_node(o.shape, o.dtype) for o in outputs]
    backward = gradient(outputs, dummies, wrt)
    reached = [(b, t) for b, t in zip(backward, tangents, strict=True) if b is not None]
    forward = gradient([b for b, _ in reached], [t for _, t in reached], dummies)
    result = [f if f is not None else zeros_like(o) for f, o in zip(forward, outputs, strict=True)]
    return substitute(result, {d: zeros_like(d) for d in dummies})


set_differentiate(gradient)
