"""Reductions of a loop nest: the value that begins one, how values are combined, and how lanes come together at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from onegraph.ir.dtype import DType, float32
from onegraph.kernels.llvm import Value, lanes_of
from onegraph.kernels.scalar import Code, Scalar

if TYPE_CHECKING:
    from onegraph.kernels.nest_code import NestCode

COMBINE = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}
"""The elementwise op that combines two values of a reduction."""


def first_value(op: str, dtype: DType) -> Any:
    """The number that changes nothing. Adding -0.0 keeps the sign of a zero."""
    if op == "sum":
        return -0.0 if dtype.kind == "float" else 0
    if op == "prod":
        return 1
    if dtype.kind == "float":
        return -math.inf if op == "max" else math.inf
    if dtype.kind == "bool":
        return op == "min"
    low, high = (0, 2**dtype.bits - 1) if dtype.kind == "uint" else (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1)
    return low if op == "max" else high


def accumulator(dtype: DType) -> DType:
    """What a reduction adds up in: float32 for half precision."""
    return float32 if dtype.kind == "float" and dtype.bits < 32 else dtype


def identity(code: NestCode, r: int, wide: bool) -> Value:
    """The accumulator before the loop."""
    s = code.nest.statements[r]
    writer = code.wide if wide or code._is_vector[r] else code.narrow
    return writer.number(first_value(s.data[0], s.dtype), accumulator(s.dtype)).value


def combine(code: NestCode, r: int, old: Value, copy: int) -> Value:
    """The accumulator with one more value; lanes that do not exist change nothing."""
    s = code.nest.statements[r]
    wide = lanes_of(old.type) > 1
    dtype = accumulator(s.dtype)
    value = code.value(s.arguments[0], copy, wide)
    new = apply_combine(code.wide if wide else code.narrow, s.data[0], Scalar(old, dtype), Scalar(value.value, dtype))
    mask = code.copies[copy] if wide and copy < len(code.copies) else None
    vector_in_row = code.nest.vector is not None and code.nest.vector in code.nest.inner
    if mask is not None and vector_in_row:
        return code.f.select(mask, new.value, old)
    return new.value


def apply_combine(writer: Code, op: str, a: Scalar, b: Scalar) -> Scalar:
    """Two values of a reduction combined."""
    return writer.apply(COMBINE[op], [a, b], {}, a.dtype)


def finish(code: NestCode, r: int, parts: list[Value]) -> Scalar:
    """The accumulators of a row, combined pairwise, and then their lanes, half with half."""
    s = code.nest.statements[r]
    dtype = accumulator(s.dtype)
    f = code.f
    while len(parts) > 1:
        parts = [
            apply_combine(code.wide, s.data[0], Scalar(a, dtype), Scalar(b, dtype)).value
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    value = parts[0]
    lanes = lanes_of(value.type)
    while lanes > 1:
        half = lanes // 2
        low = f.shuffle(value, None, range(half))
        high = f.shuffle(value, None, range(half, lanes))
        if half == 1:
            low, high = f.extract(value, 0), f.extract(value, 1)
        writer = Code.for_target(f, half, code.target)
        value = apply_combine(writer, s.data[0], Scalar(low, dtype), Scalar(high, dtype)).value
        lanes = half
    return code.narrow.round(Scalar(value, s.dtype))
