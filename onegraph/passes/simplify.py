"""Take out ops that do nothing when a graph runs: markers for gradients, and casts that lose nothing.

No rewrite here changes a bit of any result. Read next: `algebra.py`.
"""

from __future__ import annotations

from onegraph.ir.dtype import DType, float16
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.passes.rewrite import Rule, make, rewrite

_PRECISION = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
_EXPONENT = {"float64": 11, "float32": 8, "float16": 5, "bfloat16": 8}


def simplify(graph: Graph) -> Graph:
    """The same graph without ops that only pass their input on. Sizes may be unknown."""
    return rewrite(graph, _RULES)


def is_lossless(narrow: DType, wide: DType) -> bool:
    """Whether every value of one dtype is a value of another.

    >>> from onegraph.ir.dtype import int8, int32, float32, bfloat16
    >>> is_lossless(int8, bfloat16), is_lossless(int32, float32), is_lossless(bfloat16, float16)
    (True, False, False)
    """
    if narrow is wide or narrow.kind == "bool":
        return True
    if wide.kind == "bool":
        return False
    if narrow.kind == "float":
        return (
            wide.kind == "float"
            and _PRECISION[narrow.name] <= _PRECISION[wide.name]
            and _EXPONENT[narrow.name] <= _EXPONENT[wide.name]
        )
    if wide.kind == "float":
        bits = narrow.bits - (narrow.kind == "int")
        return bits <= _PRECISION[wide.name] and not (wide is float16 and bits > 15)
    if narrow.kind == "uint":
        return wide.bits >= narrow.bits if wide.kind == "uint" else wide.bits > narrow.bits
    return wide.kind == "int" and wide.bits >= narrow.bits


def _first_input(node: Node) -> Node:
    return node.inputs[0]


def _cast(node: Node) -> Node | None:
    x = node.inputs[0]
    if x.dtype is node.dtype:
        return x
    if x.op == "cast" and is_lossless(x.inputs[0].dtype, x.dtype):
        return make("cast", x.inputs[0], source=node.source, dtype=node.dtype)
    return None


_RULES: dict[str, Rule] = {"detach": _first_input, "with_gradient": _first_input, "cast": _cast}
