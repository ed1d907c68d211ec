"""The verifier: is this graph one that the rest of the system may trust?

It runs between passes in tests, and on every graph that was read from a file.

Read next: `ir/text.py` (where untrusted graphs come from), `ops/record.py` (`check_rule`, the ops' rules).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

from onegraph.errors import GraphError, OneGraphError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import ALL, DType
from onegraph.ir.graph import Graph
from onegraph.ir.node import Attributes, Literal, Node, Opaque, Shape, bundle
from onegraph.ir.syntax import MAX_DEPTH, MAX_NDIM
from onegraph.ir.traverse import topological

Rule: TypeAlias = Callable[[str, Node], "tuple[Shape, DType] | None"]
"""(op, node) -> the shape and dtype that the node must have, None where the op does not say, or an error."""

_DTYPES: Final = frozenset((*ALL, bundle))


def verify(graph: Graph, rule: Rule | None = None) -> None:
    """Check everything that a graph promises, graphs within it included.

    Args:
        graph: what to check.
        rule: recomputes the shape and dtype of a node from its op; `ops.record.check_rule` is one.

    Raises:
        GraphError: the graph breaks a rule; the error names the node (as `to_text` numbers it), and the
            user's line that made it.

    >>> from onegraph.ir import Attributes, Node, input_node
    >>> from onegraph.ir.dtype import float32
    >>> x = input_node((2, 3), float32, "x")
    >>> verify(Graph([x], [Node("exp", (x,), Attributes(), (2, 3), float32)]))
    >>> verify(Graph([], [x]))
    Traceback (most recent call last):
    onegraph.errors.GraphError: graph, %0 input: is read, but is not among the inputs of the graph
    ...
    """
    pending = [(graph, graph.name, 0)]
    while pending:
        current, path, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise GraphError(f"{path[:80]}: graphs are nested more than {MAX_DEPTH} deep")
        for node, where in _Verifier(current, path, rule).run():
            pending.extend(
                (value, f"{where}.{name}", depth + 1)
                for name, value in node.attributes.items()
                if isinstance(value, Graph)
            )


class _Verifier:
    """The checks of one graph, without the graphs within it."""

    def __init__(self, graph: Graph, path: str, rule: Rule | None) -> None:
        self.graph = graph
        self.path = path
        self.rule = rule
        self.numbers: dict[Node, int] = {}

    def run(self) -> list[tuple[Node, str]]:
        """Check; returns the nodes that hold graphs, with their names."""
        self.check_links()
        order = topological((*self.graph.inputs, *self.graph.outputs))
        # The numbers of `to_text`: inputs first, then the others in order.
        given = set(self.graph.inputs)
        for node in (*self.graph.inputs, *(n for n in order if n not in given)):
            self.numbers[node] = len(self.numbers)
        holders = []
        for node in self.numbers:
            self.check_input(node, given)
            self.check_order(node)
            self.check_fields(node)
            self.check_attributes(node)
            self.check_rule(node)
            if any(isinstance(value, Graph) for value in node.attributes.values()):
                holders.append((node, self.name(node)))
        return holders

    def name(self, node: Node) -> str:
        number = self.numbers.get(node)
        return f"{self.path}, " + (f"{node.op}" if number is None else f"%{number} {node.op}")

    def fail(self, node: Node, message: str, hint: str | None = None) -> NoReturn:
        location = node.source[:2] if _is_source(node.source) and node.source else None
        raise GraphError(f"{self.name(node)}: {message}", hint=hint, location=location)

    def check_links(self) -> None:
        """Everything that can be reached is a node, so that the graph can be walked at all."""
        for what, nodes in (("inputs", self.graph.inputs), ("outputs", self.graph.outputs)):
            for node in nodes:
                if type(node) is not Node:
                    raise GraphError(f"{self.path}: the {what} must be nodes, got {type(node).__name__}")
        if len(set(self.graph.inputs)) != len(self.graph.inputs):
            raise GraphError(f"{self.path}: an input is listed twice")
        pending = [*self.graph.inputs, *self.graph.outputs]
        seen = set(pending)
        while pending:
            node = pending.pop()
            if type(node.inputs) is not tuple:
                self.fail(node, f"its inputs must be a tuple, got {type(node.inputs).__name__}")
            for source in node.inputs:
                if type(source) is not Node:
                    self.fail(node, f"its inputs must be nodes, got {type(source).__name__}")
                if source not in seen:
                    seen.add(source)
                    pending.append(source)

    def check_order(self, node: Node) -> None:
        for source in node.inputs:
            if self.numbers[source] >= self.numbers[node]:
                self.fail(node, f"depends on itself, through {self.name(source)}")

    def check_input(self, node: Node, given: set[Node]) -> None:
        if node.op == "input":
            if node not in given:
                self.fail(node, "is read, but is not among the inputs of the graph")
            if node.inputs:
                self.fail(node, f"an `input` reads nothing, this one has {len(node.inputs)} inputs")
        elif node in given:
            self.fail(node, "is listed among the inputs of the graph, but is not an `input`")

    def check_fields(self, node: Node) -> None:
        if type(node.op) is not str or not node.op:
            self.fail(node, "the name of an op must be a str that is not empty")
        if node.dtype not in _DTYPES:
            self.fail(node, f"{node.dtype!r} is not a dtype")
        if type(node.shape) is not tuple or len(node.shape) > MAX_NDIM:
            self.fail(node, f"a shape is a tuple of at most {MAX_NDIM} sizes, got {node.shape!r}")
        for size in node.shape:
            if type(size) is not Dim and (type(size) is not int or not 0 <= size < 2**63):
                self.fail(node, f"a size is an int from 0 to 2**63 - 1 or a Dim, got {size!r} in {node.shape}")
        if node.dtype is bundle and node.shape:
            self.fail(node, f"a bundle has no shape, this one has {node.shape}")
        if math.prod(n for n in node.shape if type(n) is int) >= 2**63:
            self.fail(node, f"the shape {node.shape} has more elements than can be counted")
        if not _is_source(node.source):
            self.fail(node, f"a source is (file, line, scope) or None, got {node.source!r}")

    def check_attributes(self, node: Node) -> None:
        if type(node.attributes) is not Attributes:
            self.fail(node, f"its attributes must be Attributes, got {type(node.attributes).__name__}")
        for name, value in node.attributes.items():
            if type(name) is not str:
                self.fail(node, f"the name of an attribute must be a str, got {name!r}")
            if type(value) is not Graph and (problem := attribute_problem(value)):
                self.fail(node, f"attribute {name!r}: {problem}")

    def check_rule(self, node: Node) -> None:
        if self.rule is None:
            return
        try:
            expected = self.rule(node.op, node)
        except OneGraphError as error:
            self.fail(node, error.message, error.hint)
        except Exception as error:  # attributes that the op does not have, or of kinds it does not expect
            location = node.source[:2] if node.source else None
            message = f"{self.name(node)}: its inputs or attributes do not fit the op: {error}"
            raise GraphError(message, location=location) from error
        if expected is None:
            return
        shape, dtype = expected
        if type(dtype) is not DType or type(shape) is not tuple:
            self.fail(
                node, f"its inputs or attributes do not fit the op, which gives {dtype!r:.80} of shape {shape!r:.80}"
            )
        if shape != node.shape or dtype is not node.dtype:
            self.fail(node, f"has {node.dtype.short}{_shown(node.shape)}, its op gives {dtype.short}{_shown(shape)}")


def attribute_problem(value: Any, depth: int = 0) -> str | None:
    """Why a graph cannot hold this attribute value (graphs aside); None when it can."""
    kind = type(value)
    if value is None or kind in (bool, float, str, Dim) or isinstance(value, Opaque):
        return None
    if kind is int:
        return None if -(2**63) <= value < 2**64 else f"{value} has more than 64 bits"
    if kind is DType:
        return None if value in _DTYPES else f"{value!r} is not a dtype"
    if kind is Literal:
        if value.dtype in ALL and value.array.dtype == value.dtype.numpy:
            return None
        return f"a literal of {value.dtype!r} is stored as {value.array.dtype}"
    if kind is tuple:
        if depth >= MAX_DEPTH:
            return f"tuples are nested more than {MAX_DEPTH} deep"
        return next((p for v in value if (p := attribute_problem(v, depth + 1))), None)
    return f"a graph cannot hold a value of type {kind.__name__}"


def _is_source(source: Any) -> bool:
    return source is None or (
        type(source) is tuple and len(source) == 3 and [type(part) for part in source] == [str, int, str]
    )


def _shown(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"
