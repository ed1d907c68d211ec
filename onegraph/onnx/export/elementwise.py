"""Exporters of constants, casts and what works on each element by itself.

Read next: `movement.py`, `raising.py` (activations that are one operator).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from onegraph.ir.dtype import bool_, float32, int64
from onegraph.ir.node import Node
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.registry import EXPORTERS, Exporter, exporter

# our op: (ONNX operator, first opset that has it for our types)
_SAME: Final = {
    "abs": ("Abs", 7), "acos": ("Acos", 7), "asin": ("Asin", 7), "atan": ("Atan", 7), "ceil": ("Ceil", 7),
    "cos": ("Cos", 7), "cosh": ("Cosh", 9), "erf": ("Erf", 9), "exp": ("Exp", 7), "floor": ("Floor", 7),
    "isinf": ("IsInf", 10), "isnan": ("IsNaN", 9), "log": ("Log", 7), "neg": ("Neg", 7),
    "reciprocal": ("Reciprocal", 7), "round": ("Round", 11), "sigmoid": ("Sigmoid", 7), "sign": ("Sign", 9),
    "sin": ("Sin", 7), "sinh": ("Sinh", 9), "sqrt": ("Sqrt", 7), "tan": ("Tan", 7), "tanh": ("Tanh", 7),
    "add": ("Add", 7), "sub": ("Sub", 7), "mul": ("Mul", 7), "div": ("Div", 7), "pow": ("Pow", 7),
    "where": ("Where", 9),
}  # fmt: skip


def _same(op: str, since: int) -> Exporter:
    def export(emitter: Emitter, node: Node) -> str:
        emitter.need(since, op)
        return str(emitter.node(op, [emitter.value(x) for x in node.inputs]))

    return export


for _name, (_op, _since) in _SAME.items():
    EXPORTERS[_name] = _same(_op, _since)


@exporter("detach", "with_gradient", "barrier")
def _first(emitter: Emitter, node: Node) -> str:
    return emitter.value(node.inputs[0])


@exporter("constant")
def _constant(emitter: Emitter, node: Node) -> str:
    literal = node.attributes["value"]
    return emitter.array(literal.array, literal.dtype)


@exporter("dimension")
def _dimension(emitter: Emitter, node: Node) -> str:
    size = emitter.node("Reshape", [emitter.size(node.attributes["size"]), emitter.constant([], int64, (0,))])
    return size if node.dtype is int64 else emitter.cast(size, node.dtype)


@exporter("iota")
def _iota(emitter: Emitter, node: Node) -> str:
    length = node.attributes["length"]
    if isinstance(length, int):
        if node.dtype.name == "bfloat16":
            return emitter.cast(emitter.constant(np.arange(length), float32), node.dtype)
        return emitter.constant(np.arange(length), node.dtype)
    emitter.need(11, "Range")
    scalar = emitter.constant([], int64, (0,))
    end = emitter.node("Reshape", [emitter.size(length), scalar])
    counted = emitter.node("Range", [emitter.constant(0, int64), end, emitter.constant(1, int64)])
    return counted if node.dtype is int64 else emitter.cast(counted, node.dtype)


@exporter("cast")
def _cast(emitter: Emitter, node: Node) -> str:
    return emitter.cast(emitter.value(node.inputs[0]), node.dtype)


@exporter("rsqrt")
def _rsqrt(emitter: Emitter, node: Node) -> str:
    return str(emitter.node("Reciprocal", [emitter.node("Sqrt", [emitter.value(node.inputs[0])])]))


@exporter("expm1", "log1p")
def _near_one(emitter: Emitter, node: Node) -> str:
    x, one = emitter.value(node.inputs[0]), _number(emitter, 1, node)
    if node.op == "expm1":
        return str(emitter.node("Sub", [emitter.node("Exp", [x]), one]))
    return str(emitter.node("Log", [emitter.node("Add", [x, one])]))


def _number(emitter: Emitter, value: float, like: Node) -> str:
    """A number in the dtype of a node."""
    if like.dtype.name == "bfloat16":
        return emitter.cast(emitter.constant(value, float32), like.dtype)
    return emitter.constant(value, like.dtype)


@exporter("trunc")
def _trunc(emitter: Emitter, node: Node) -> str:
    emitter.need(9, "Sign")
    x = emitter.value(node.inputs[0])
    return str(emitter.node("Mul", [emitter.node("Sign", [x]), emitter.node("Floor", [emitter.node("Abs", [x])])]))


@exporter("isfinite")
def _isfinite(emitter: Emitter, node: Node) -> str:
    emitter.need(10, "IsInf")
    x = emitter.value(node.inputs[0])
    return str(emitter.node("Not", [emitter.node("Or", [emitter.node("IsNaN", [x]), emitter.node("IsInf", [x])])]))


@exporter("maximum", "minimum")
def _extreme(emitter: Emitter, node: Node) -> str:
    if not node.dtype.is_floating_point:
        emitter.need(12, "Max and Min of integers")
    inputs = [emitter.value(x) for x in node.inputs]
    return str(emitter.node("Max" if node.op == "maximum" else "Min", inputs))


@exporter("eq", "ne", "lt", "gt", "le", "ge")
def _compare(emitter: Emitter, node: Node) -> str:
    floating = node.inputs[0].dtype.is_floating_point
    inputs = [emitter.value(x) for x in node.inputs]
    if node.op in ("lt", "gt"):
        if not floating:
            emitter.need(9, "Less and Greater of integers")
        return str(emitter.node("Less" if node.op == "lt" else "Greater", inputs))
    if floating:
        emitter.need(11, "Equal of floating numbers")
    if node.op in ("eq", "ne"):
        equal = emitter.node("Equal", inputs)
        return str(equal if node.op == "eq" else emitter.node("Not", [equal]))
    strict = "Less" if node.op == "le" else "Greater"
    if emitter.opset >= 12:
        return str(emitter.node(f"{strict}OrEqual", inputs))
    emitter.need(9, "Less and Greater of integers")
    return str(emitter.node("Or", [emitter.node(strict, inputs), emitter.node("Equal", inputs)]))


@exporter("and", "or", "xor", "not")
def _logical(emitter: Emitter, node: Node) -> str:
    name = node.op.capitalize()
    if node.dtype is not bool_:
        emitter.need(18, f"Bitwise{name}")
        name = f"Bitwise{name}"
    return str(emitter.node(name, [emitter.value(x) for x in node.inputs]))


@exporter("floor_div", "mod")
def _divide(emitter: Emitter, node: Node) -> str:
    a, b = (emitter.value(x) for x in node.inputs)
    if node.dtype.is_floating_point:
        quotient = emitter.node("Floor", [emitter.node("Div", [a, b])])
        return str(quotient if node.op == "floor_div" else emitter.node("Sub", [a, emitter.node("Mul", [quotient, b])]))
    emitter.need(10, "Mod")
    remainder = emitter.node("Mod", [a, b], fmod=0)
    if node.op == "mod":
        return str(remainder)
    # ONNX divides integers toward zero; without the remainder the division is exact
    return str(emitter.node("Div", [emitter.node("Sub", [a, remainder]), b]))


@exporter("shift_left", "shift_right")
def _shift(emitter: Emitter, node: Node) -> str:
    a, b = (emitter.value(x) for x in node.inputs)
    if node.dtype.kind == "uint":
        emitter.need(11, "BitShift")
        return str(emitter.node("BitShift", [a, b], direction="LEFT" if node.op == "shift_left" else "RIGHT"))
    emitter.need(12, "Pow of integers")
    factor = emitter.node("Pow", [emitter.constant(2, node.dtype), b])
    if node.op == "shift_left":
        return str(emitter.node("Mul", [a, factor]))
    remainder = emitter.node("Mod", [a, factor], fmod=0)
    return str(emitter.node("Div", [emitter.node("Sub", [a, remainder]), factor]))


@exporter("atan2")
def _atan2(emitter: Emitter, node: Node) -> str:
    """The angle by the arctangent of the quotient, moved by half a turn left of the origin."""
    emitter.need(11, "Where and Equal of floating numbers")
    y, x = (emitter.value(v) for v in node.inputs)
    zero, pi = _number(emitter, 0.0, node), _number(emitter, np.pi, node)
    angle = emitter.node("Atan", [emitter.node("Div", [y, x])])
    turned = emitter.node(
        "Where",
        [
            emitter.node("Less", [y, zero]),
            emitter.node("Sub", [angle, pi]),
            emitter.node("Add", [angle, pi]),
        ],
    )
    result = emitter.node("Where", [emitter.node("Less", [x, zero]), turned, angle])
    both = emitter.node("And", [emitter.node("Equal", [x, zero]), emitter.node("Equal", [y, zero])])
    return str(emitter.node("Where", [both, zero, result]))
