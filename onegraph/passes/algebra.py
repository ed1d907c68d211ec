"""Arithmetic that does nothing, or that a cheaper op does with the same bits.

What looks like algebra is often not exact: x + 0 turns -0.0 into 0.0, x * 0 forgets NaN, x == x is false for NaN.
Each rule here holds for every floating value, signed zeros, infinities and NaN included (of a NaN, which NaN it is may
change). Read next: `rewrite.py` (how rules are applied).
"""

from __future__ import annotations

import math

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ops.leaf import constant
from onegraph.passes.rewrite import Rule, filled, holds, is_zero, make, number, rewrite, spread


def simplify_algebra(graph: Graph) -> Graph:
    """The same graph with less arithmetic, every result bit for bit the same."""
    return rewrite(graph, _RULES)


def _add(node: Node) -> Node | None:
    floating = node.dtype.is_floating_point
    for x, other in (node.inputs, node.inputs[::-1]):
        value = number(other)
        if value is not None and (is_zero(value, -1.0) if floating else value == 0):
            return spread(x, node)
        if other.op == "neg":
            return make("sub", x, other.inputs[0], source=node.source)
    return None


def _sub(node: Node) -> Node | None:
    x, other = node.inputs
    value = number(other)
    if value is not None and (is_zero(value, 1.0) if node.dtype.is_floating_point else value == 0):
        return spread(x, node)
    if other.op == "neg":
        return make("add", x, other.inputs[0], source=node.source)
    return None


def _mul(node: Node) -> Node | None:
    kind = node.dtype.kind
    for x, other in (node.inputs, node.inputs[::-1]):
        value = number(other)
        if value is None:
            continue
        if value == 1:
            return spread(x, node)
        if value == 0 and kind != "float":
            return filled(0, node)
        if value == -1 and kind in ("float", "int"):
            return make("neg", spread(x, node), source=node.source)
    return None


def _div(node: Node) -> Node | None:
    x, other = node.inputs
    value = number(other)
    if value is None:
        return None
    if value == 1:
        return spread(x, node)
    if value == -1:
        return make("neg", spread(x, node), source=node.source)
    if value and math.isfinite(value) and abs(math.frexp(value)[0]) == 0.5 and holds(1 / value, node.dtype):
        factor = spread(constant(1 / value, node.dtype), other)
        return make("mul", x, factor, source=node.source)  # exact: a power of two
    return None


def _pow(node: Node) -> Node | None:
    """The exponents for which NumPy's power is computed by another operation, and so has that one's bits."""
    x, other = node.inputs
    value = number(other)
    if value is None or other.shape:
        return None
    if value == 0:
        return filled(1, node)
    if value == 1:
        return x
    if value == 2:
        return make("mul", x, x, source=node.source)
    if node.dtype.is_floating_point and value == 0.5:
        return make("sqrt", x, source=node.source)
    if node.dtype.is_floating_point and value == -1:
        return make("reciprocal", x, source=node.source)
    return None


def _undone_twice(node: Node) -> Node | None:
    x = node.inputs[0]
    return x.inputs[0] if x.op == node.op else None


def _abs(node: Node) -> Node | None:
    x = node.inputs[0]
    if x.op == "abs":
        return x
    if x.op == "neg":
        return make("abs", x.inputs[0], source=node.source)
    return None


def _of_itself(node: Node) -> Node | None:
    a, b = node.inputs
    return a if a is b else None


def _and(node: Node) -> Node | None:
    if node.dtype.kind == "bool":
        for x, other in (node.inputs, node.inputs[::-1]):
            value = number(other)
            if value is not None:
                return spread(x, node) if value else filled(False, node)
    return _of_itself(node)


def _or(node: Node) -> Node | None:
    if node.dtype.kind == "bool":
        for x, other in (node.inputs, node.inputs[::-1]):
            value = number(other)
            if value is not None:
                return filled(True, node) if value else spread(x, node)
    return _of_itself(node)


def _never(node: Node) -> Node | None:
    """x < x and x > x are false, also for NaN."""
    return filled(False, node) if node.inputs[0] is node.inputs[1] else None


def _known_of_itself(answer: bool) -> Rule:
    """x == x is known, but not for NaN."""

    def rule(node: Node) -> Node | None:
        a, b = node.inputs
        return filled(answer, node) if a is b and not a.dtype.is_floating_point else None

    return rule


def _where(node: Node) -> Node | None:
    condition, a, b = node.inputs
    if a is b:
        return spread(a, node)
    value = number(condition)
    if value is not None:
        return spread(a if value else b, node)
    if condition.op == "not":
        return make("where", condition.inputs[0], b, a, source=node.source)
    return None


_RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": _undone_twice,
    "not": _undone_twice,
    "abs": _abs,
    "maximum": _of_itself,
    "minimum": _of_itself,
    "and": _and,
    "or": _or,
    "lt": _never,
    "gt": _never,
    "ne": _known_of_itself(False),
    "eq": _known_of_itself(True),
    "le": _known_of_itself(True),
    "ge": _known_of_itself(True),
    "where": _where,
}
