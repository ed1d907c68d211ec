"""Compute what is known while a graph is compiled: ops whose inputs are all constants, where the result is small.

Only ops that have one right answer on every backend are computed here (arithmetic, comparisons, moving elements; not
`exp`, nor sums of floating numbers), with their NumPy references, so no bit changes. What is cheaper to make than to
read stays: counting (`iota`), one number repeated (`expand`), and movements of these.
"""

from __future__ import annotations

import numpy as np

from onegraph.errors import OneGraphError
from onegraph.ir.graph import Graph
from onegraph.ir.node import Attributes, Literal, Node
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.evaluate import execute_node
from onegraph.ops.record import Array
from onegraph.passes.rewrite import make, spread

LIMIT = 4096
"""Elements that a folded constant may have."""

_MOVEMENTS = frozenset({"reshape", "permute", "slice", "flip"})
_EXACT = frozenset(
    {"add", "sub", "mul", "div", "neg", "abs", "sign", "sqrt", "reciprocal", "floor", "ceil", "round", "trunc"}
    | {"maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "where", "cast"}
    | {"and", "or", "xor", "not", "shift_left", "shift_right", "pad", "concat"}
)
_EXACT_FOR_INTEGERS = frozenset({"sum", "prod", "max", "min", "mod", "floor_div", "pow"})


def fold_constants(graph: Graph) -> Graph:
    """The same graph with small known results written as constants."""
    return _Folder(graph).graph


def _literal(array: Array, node: Node) -> Node:
    """A constant with the value of a node, in storage form."""
    value = Literal(array, node.dtype)
    return Node("constant", (), Attributes(value=value), value.array.shape, node.dtype, node.source)


def _is_one_number(array: Array) -> bool:
    return all(step == 0 or size == 1 for step, size in zip(array.strides, array.shape, strict=True))


class _Folder:
    """One walk over a graph, with the values that are known so far."""

    def __init__(self, graph: Graph) -> None:
        self.values: dict[Node, Array] = {}
        new: dict[Node, Node] = {}
        for node in topological(graph.outputs):
            inputs = node.inputs
            current = with_inputs(node, tuple([new[i] for i in inputs])) if inputs else node
            if not inputs or inputs[0].op != "input":
                current = self._fold(current)
            new[node] = current
        outputs = [new[o] for o in graph.outputs]
        self.graph = graph if tuple(outputs) == graph.outputs else graph.map_outputs(outputs)

    def _fold(self, node: Node) -> Node:
        op = node.op
        if op == "constant":
            array = node.attributes["value"].array
            if array.size <= LIMIT:
                self.values[node] = array
            return node
        if op == "input" or any(i not in self.values for i in node.inputs) or not self._is_small(node):
            return node
        if op in ("iota", "dimension", "expand") or op in _MOVEMENTS:
            array = self._run(node)
            if array is None:
                return node
            lazy = op in ("iota", "expand") or (op in _MOVEMENTS and node.inputs[0].op != "constant")
            return self._known(node if lazy else _literal(array, node), array)
        if op in _EXACT or (op in _EXACT_FOR_INTEGERS and not node.inputs[0].dtype.is_floating_point):
            return self._compute(node)
        return node

    def _is_small(self, node: Node) -> bool:
        count = node.size
        return isinstance(count, int) and count <= LIMIT

    def _known(self, node: Node, array: Array) -> Node:
        self.values[node] = array
        return node

    def _run(self, node: Node) -> Array | None:
        """The value of a node in storage form, or None: an error that it raises is left for when the graph runs."""
        if node.op == "expand":
            return np.broadcast_to(self.values[node.inputs[0]], node.shape)  # type: ignore[arg-type]
        try:
            found = execute_node(node, [self.values[i] for i in node.inputs])
        except (OneGraphError, ArithmeticError):
            return None
        assert not isinstance(found, tuple)
        return found

    def _compute(self, node: Node) -> Node:
        arrays = [self.values[i] for i in node.inputs]
        if node.op not in ("concat", "pad") and node.op in _EXACT and node.size and all(map(_is_one_number, arrays)):
            scalars = [_literal(a.reshape(-1)[:1].reshape(()), i) for a, i in zip(arrays, node.inputs, strict=True)]
            for scalar in scalars:
                self.values[scalar] = scalar.attributes["value"].array
            one = make(node.op, *scalars, source=node.source, **node.attributes)
            array = self._run(one)
            if array is None:
                return node
            one = self._known(_literal(array, one), array)
            if not node.shape:
                return one
            return self._known(spread(one, node), np.broadcast_to(array, node.shape))  # type: ignore[arg-type]
        array = self._run(node)
        return node if array is None else self._known(_literal(array, node), array)
