"""Graphs as pictures: DOT text for Graphviz, with a box around each layer (scope) and shapes on the edges.

Read next: `ir/text.py`, the form that can be read back.
"""

from __future__ import annotations

import re
from typing import Final

from onegraph.ir.graph import Graph, iterate_graphs
from onegraph.ir.node import Node
from onegraph.ir.printer import print_value
from onegraph.ir.traverse import topological

_LONGEST: Final = 60  # characters of an attribute in a label
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def to_graphviz(graph: Graph) -> str:
    """The graph in the DOT language; `dot -Tsvg` draws it.

    Nodes stand in nested clusters, one for each part of their scope ("model/layer1/conv"); an edge
    carries the dtype and shape of the value. The graphs that a control-flow node holds are drawn in
    clusters of their own, which a dashed edge joins to the node.

    >>> from onegraph.ir import Attributes, Node, input_node
    >>> from onegraph.ir.dtype import float32
    >>> x = input_node((2, 3), float32, "x")
    >>> print(to_graphviz(Graph([x], [Node("exp", (x,), Attributes(), (2, 3), float32)])))
    digraph "graph" {
      node [shape=box, fontname="Helvetica"];
      edge [fontname="Helvetica", fontsize=10];
      g0_n0 [label="input\\nname=\\"x\\"", style=rounded];
      g0_n1 [label="exp"];
      g0_return [label="return", shape=plaintext];
      g0_n0 -> g0_n1 [label="f32[2, 3]"];
      g0_n1 -> g0_return [label="f32[2, 3]"];
    }
    """
    drawing = _Drawing()
    drawing.add(graph)
    head = [
        f'digraph "{_escape(graph.name)}" {{',
        '  node [shape=box, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    return "\n".join([*head, *drawing.lines, *drawing.edges, "}"]) + "\n"


class _Drawing:
    """Lines of DOT, collected graph by graph."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.edges: list[str] = []

    def add(self, graph: Graph) -> None:
        """Draw a graph, and the graphs within it side by side."""
        pending = [(graph, "")]
        numbered = 0
        while pending:
            current, title = pending.pop(0)
            prefix = f"g{numbered}"
            if title:  # the node and the attribute that hold this graph
                holder, name = title.split(" ", 1)
                self.edges.append(f'  {prefix}_return -> {holder} [style=dashed, label="{_escape(name)}"];')
                self.lines.append(f"  subgraph cluster_{prefix} {{")
                self.lines.append(f'    label="{_escape(name)}: {_escape(current.name)}";')
            pending.extend(self.add_one(current, prefix, "    " if title else "  "))
            if title:
                self.lines.append("  }")
            numbered += 1

    def add_one(self, graph: Graph, prefix: str, indent: str) -> list[tuple[Graph, str]]:
        """Draw one graph; returns the graphs that it holds."""
        given = set(graph.inputs)
        nodes = [*graph.inputs, *(n for n in topological(graph.outputs) if n not in given)]
        names = {node: f"{prefix}_n{i}" for i, node in enumerate(nodes)}
        self.add_clusters(nodes, names, prefix, indent)
        self.lines.append(f'{indent}{prefix}_return [label="return", shape=plaintext];')
        held: list[tuple[Graph, str]] = []
        for node in nodes:
            self.edges.extend(_edge(source, names[source], names[node]) for source in node.inputs)
            held.extend((inner, f"{names[node]} {name}") for name, inner in iterate_graphs(node))
        self.edges.extend(_edge(output, names[output], f"{prefix}_return") for output in graph.outputs)
        return held

    def add_clusters(self, nodes: list[Node], names: dict[Node, str], prefix: str, indent: str) -> None:
        """The nodes, ordered by scope so that each cluster opens and closes once."""
        first: dict[tuple[str, ...], int] = {(): 0}
        keyed = []
        for position, node in enumerate(nodes):
            path = _scope(node)
            for length in range(1, len(path) + 1):
                first.setdefault(path[:length], position)
            keyed.append((node, path, [first[path[:n]] for n in range(1, len(path) + 1)]))
        # Scopes appear where their first node does; nodes outside come before the clusters beside them.
        keyed.sort(key=lambda entry: entry[2])
        opened: tuple[str, ...] = ()
        clusters = 0
        for node, path, _ in keyed:
            while opened != path[: len(opened)]:
                self.lines.append(f"{indent}{'  ' * (len(opened) - 1)}}}")
                opened = opened[:-1]
            while len(opened) < len(path):
                depth = indent + "  " * len(opened)
                opened = path[: len(opened) + 1]
                self.lines.append(f"{depth}subgraph cluster_{prefix}_s{clusters} {{")
                self.lines.append(f'{depth}  label="{_escape(opened[-1])}";')
                clusters += 1
            self.lines.append(f"{indent}{'  ' * len(opened)}{names[node]} {_node_attributes(node)};")
        for length in range(len(opened), 0, -1):
            self.lines.append(f"{indent}{'  ' * (length - 1)}}}")


def _scope(node: Node) -> tuple[str, ...]:
    """The parts of the node's scope, 32 at most: deeper boxes cannot be told apart anyway."""
    if node.source is None:
        return ()
    return tuple([part for part in node.source[2].split("/") if part][:32])


def _node_attributes(node: Node) -> str:
    lines = [node.op]
    for name, value in node.attributes.items():
        if not isinstance(value, Graph):
            text = f"{name}={print_value(value, opaque=True)}"
            lines.append(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")
    style = ", style=rounded" if node.op == "input" else ""
    return f'[label="{_escape(chr(10).join(lines))}"{style}]'


def _edge(source: Node, tail: str, head: str) -> str:
    label = f"{source.dtype.short}[{', '.join(map(str, source.shape))}]"
    return f'  {tail} -> {head} [label="{_escape(label)}"];'


def _escape(text: str) -> str:
    """Text inside a quoted DOT string; a line break becomes one in the picture."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return _CONTROL.sub(" ", escaped)
