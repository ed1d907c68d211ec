"""`tf.gradients`: differentiation of the static graph, by the one autodiff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.autodiff import gradient
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError
from onegraph.frontend.static.tensor import Inputs, Operators, Tensor, as_operand, in_scope, record
from onegraph.frontend.static.variable import Variable
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
) -> list[Tensor | None]:
    """The derivatives of the sum of `ys` with respect to each of `xs`.

    Args:
        ys: a tensor or a list of tensors, of any shape.
        xs: a tensor or variable, or a list of them; each is taken as independent.
        grad_ys: weights for `ys`, of their shapes; ones where None.

    Returns:
        A list with a tensor of the shape of each of `xs`, or None where `ys` do not depend on it.

    >>> import onegraph.static as tf
    >>> x = tf.placeholder(tf.float32, (2,))
    >>> (slope,) = tf.gradients(tf.reduce_sum(x ** 2), [x])
    >>> with tf.Session() as sess:
    ...     sess.run(slope, {x: [1, 2]})
    array([2., 4.], dtype=float32)
    """
    outputs, wrt = _listed("ys", ys), _listed("xs", xs)
    weights = [None] * len(outputs) if grad_ys is None else grad_ys if isinstance(grad_ys, (list, tuple)) else [grad_ys]
    if len(weights) != len(outputs):
        raise ArgumentError(f"gradients: {len(outputs)} ys and {len(weights)} grad_ys")
    inputs = Inputs()
    nodes = [inputs.node(y) for y in outputs]
    for y, node in zip(outputs, nodes, strict=True):
        if not node.dtype.is_floating_point:
            raise DTypeError(f"gradients: {y.name!r} is {node.dtype.name}, and only floating numbers have gradients")
    seeds = [_seed(n, inputs.node(w)) for n, w in zip(nodes, weights, strict=True)]
    for x in wrt:
        inputs.see(x)
    sources = [list(x.all_reads) if isinstance(x, Variable) else [x.node] for x in wrt]
    flat = [n for group in sources for n in group]
    found = iter(in_scope(inputs.graph, gradient, nodes, seeds, flat))
    sums = [_total([next(found) for _ in group]) for group in sources]
    assert inputs.graph is not None
    with inputs.graph.name_scope(name):
        return [None if s is None else _named(s, x, inputs) for s, x in zip(sums, wrt, strict=True)]


def _named(node: Node, x: Any, inputs: Inputs) -> Tensor:
    tensor: Tensor = record(node, f"{x.name.partition(':')[0].replace('/', '_')}_grad", None, inputs)
    return tensor


def _listed(what: str, value: Any) -> Sequence[Any]:
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    for item in items:
        if not isinstance(item, Operators):
            raise ArgumentTypeError(
                f"gradients: {what} must be tensors and variables, got {type(item).__name__}: {item!r:.60}"
            )
    return items


def _seed(output: Node, weight: Any) -> Node:
    if weight is None:
        return expand_to(constant(1, output.dtype), output.shape)
    return expand_to(as_operand(weight, output.dtype), output.shape)


def _total(parts: Sequence[Node | None]) -> Node | None:
    """The gradients by all nodes that stand for one variable, added up."""
    total: Node | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else ADD(total, part)
    return total
