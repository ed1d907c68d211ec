"""Printing graphs as text. Read next: `ir/text.py` (the format and its reader)."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, Final

from onegraph.errors import GraphError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32
from onegraph.ir.node import Literal, Node, Opaque, Region, Source
from onegraph.ir.syntax import MAX_DEPTH, NAME, literal_array
from onegraph.ir.traverse import topological

_LISTED_ELEMENTS: Final = 16  # larger arrays are written as base64


def to_text(graph: Region, sources: bool = False, opaque: bool = False) -> str:
    """The graph as text, which `from_text` reads back exactly.

    Args:
        graph: what to print. It must be closed: every `input` node it reads is among its inputs.
        sources: end each line with a comment that names the user's line and scope.
        opaque: print values that live in this process only (`Opaque`) as `<...>`. Such a text cannot be
            read back; without this they are an error.

    Raises:
        GraphError: the graph is not closed, or an attribute has a value that graphs cannot hold.

    >>> from onegraph.ir import Attributes, Graph, Node, input_node
    >>> from onegraph.ir.dtype import float32
    >>> x = input_node((2, 3), float32, "x")
    >>> y = Node("sum", (x,), Attributes(axes=(1,)), (2,), float32)
    >>> print(to_text(Graph([x], [y])))
    graph graph(%0: f32[2, 3] "x") {
      %1: f32[2] = sum(%0, axes=(1,))
      return %1
    }
    """
    return _Printer(sources, opaque).graph(graph, "", 0) + "\n"


class _Printer:
    """Prints a graph and the graphs within it."""

    def __init__(self, sources: bool, opaque: bool) -> None:
        self.sources = sources
        self.opaque = opaque

    def graph(self, graph: Region, indent: str, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise GraphError(f"graphs are nested more than {MAX_DEPTH} deep")
        names = {node: f"%{i}" for i, node in enumerate(graph.inputs)}
        parameters = [f"{names[n]}: {_print_type(n)}{self.input_attributes(n, indent, depth)}" for n in graph.inputs]
        lines = [f"graph {_print_name(graph.name)}({', '.join(parameters)}) {{"]
        for node in topological(graph.outputs):
            if node in names:
                continue
            if node.op == "input":
                raise GraphError(f"the graph reads {node!r} ({dict(node.attributes)}), which is not among its inputs")
            names[node] = name = f"%{len(names)}"
            arguments = [names[i] for i in node.inputs]
            if node.attributes:
                arguments.append(self.attributes(node, indent, depth))
            comment = _print_source(node.source) if self.sources and node.source else ""
            lines.append(
                f"{indent}  {name}: {_print_type(node)} = {_print_name(node.op)}({', '.join(arguments)}){comment}"
            )
        lines.append(f"{indent}  return {', '.join([names[o] for o in graph.outputs])}".rstrip())
        lines.append(indent + "}")
        return "\n".join(lines)

    def input_attributes(self, node: Node, indent: str, depth: int) -> str:
        if not node.attributes:
            return ""
        name = node.attributes.get("name")
        if type(name) is str and len(node.attributes) == 1:
            return " " + json.dumps(name)
        return f" ({self.attributes(node, indent, depth)})"

    def attributes(self, node: Node, indent: str, depth: int) -> str:
        parts = []
        for name, value in node.attributes.items():
            if isinstance(value, Region):
                printed = self.graph(value, indent + "  ", depth + 1)
            else:
                try:
                    printed = print_value(value, self.opaque)
                except GraphError as error:
                    location = node.source[:2] if node.source else None
                    raise GraphError(f"{node.op}: attribute {name!r}: {error.message}", location=location) from None
            parts.append(f"{_print_name(name)}={printed}")
        return ", ".join(parts)


def _print_type(node: Node) -> str:
    return f"{node.dtype.short}[{', '.join(map(str, node.shape))}]"


def _print_name(name: str) -> str:
    return name if NAME.fullmatch(name) else json.dumps(name)


def _print_source(source: Source) -> str:
    file, line, scope = source
    return "  # " + _print_line(f"{Path(file).name}:{line} {scope}".rstrip())


def _print_line(text: str) -> str:
    """Any text on one line, line breaks and the like escaped."""
    return json.dumps(text)[1:-1]


def print_value(value: Any, opaque: bool = False, depth: int = 0) -> str:
    """One attribute value (all but graphs) as text; a GraphError for kinds that graphs cannot hold."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise GraphError("an integer in a graph has at most 64 bits")
        return str(value)
    if kind is float:
        return repr(value)
    if kind is str:
        return json.dumps(value)
    if kind is tuple:
        if depth >= MAX_DEPTH:
            raise GraphError(f"tuples are nested more than {MAX_DEPTH} deep")
        parts = [print_value(v, opaque, depth + 1) for v in value]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if kind is DType:
        return str(value.short)
    if kind is Dim:
        return f"dim({value})"
    if kind is Literal:
        return _print_literal(value)
    if isinstance(value, Opaque):
        if opaque:
            return f"<{_print_line(repr(value).strip('<>'))}>"
        raise GraphError(f"{value!r} lives in this process only; a graph with it cannot be saved")
    raise GraphError(
        f"a graph cannot hold a value of type {kind.__name__}",
        hint="allowed are None, bool, int, float, str, tuples of them, dtypes, sizes, literals and graphs",
    )


def _print_literal(literal: Literal) -> str:
    array, dtype = literal.array, literal.dtype
    if array.dtype != dtype.numpy:
        raise GraphError(f"a {dtype.name} literal is stored as {dtype.numpy}, this one is {array.dtype}")
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    printed = ""
    if array.size <= _LISTED_ELEMENTS:
        flat = (bfloat16_to_float32(array) if dtype is bfloat16 else array).ravel()
        elements = [str(v) for v in flat]
        read = literal_array([_element(e) for e in elements], dtype)
        if read.tobytes() == array.tobytes():  # a NaN may carry bits that decimal text does not
            printed = ", ".join(elements)
    if not printed and content:
        printed = f'"{base64.b64encode(content).decode()}"'
    return f"{dtype.short}[{', '.join(map(str, array.shape))}]({printed})"


def _element(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    return float(text) if re.search("[.eian]", text) else int(text)
