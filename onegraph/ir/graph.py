"""`Graph`: a closed piece of graph with its inputs in order. What is compiled, saved, printed and compared is a Graph.

Read next: `ir/text.py` (the text form), `ir/verify.py`, `passes/pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from onegraph.errors import GraphError
from onegraph.ir.node import Node, Region
from onegraph.ir.printer import to_text
from onegraph.ir.traverse import structure_key, topological


class Graph(Region):
    """A closed piece of graph: outputs, and the `input` nodes that they may depend on, in order.

    Graphs are also attributes of control-flow nodes (their branches and bodies). They are compared by
    structure, through a key that is computed once.
    """

    __slots__ = ("_hash", "_key")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node], name: str = "graph") -> None:
        super().__init__(inputs, outputs, name)
        self._key: tuple[Any, ...] | None = None
        self._hash: int | None = None
        for node in self.inputs:
            if node.op != "input":
                raise GraphError(f"an input of a graph must be an `input` node, got {node!r}")
        if len(set(map(id, self.inputs))) != len(self.inputs):
            raise GraphError("an input is listed twice")

    def nodes(self) -> list[Node]:
        """All nodes, inputs of a node before the node."""
        return topological(self.outputs)

    def key(self) -> tuple[Any, ...]:
        """A hashable form that is equal for graphs of equal structure."""
        if self._key is None:
            self._key = structure_key(self.outputs, self.inputs)
            self._hash = hash(self._key)
        return self._key

    def __hash__(self) -> int:
        self.key()
        assert self._hash is not None
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return False
        return self is other or (hash(self) == hash(other) and self.key() == other.key())

    def __str__(self) -> str:
        return to_text(self, opaque=True)

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.inputs)} inputs, {len(self.outputs)} outputs>"

    def map_outputs(self, outputs: Sequence[Node]) -> Graph:
        """The same inputs and name with other outputs."""
        return Graph(self.inputs, outputs, self.name)


def iterate_graphs(node: Node) -> Iterator[tuple[str, Graph]]:
    """The graphs among a node's attributes (branches and bodies of control flow)."""
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            yield name, value
