"""Reductions of a loop nest: the value that begins one, how values are combined, and how lanes come together at the end.

The largest (or smallest) floating number of a row is found with one instruction a vector, which loses NaN. So whether there
was one is noted beside it, two vectors at a time, and looked at when the row is done.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from onegraph.ir.dtype import DType, float32
from onegraph.kernels.llvm import Function, Value, lanes_of, vector_type
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
    low, high = (
        (0, 2**dtype.bits - 1) if dtype.kind == "uint" else (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1)
    )
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
    if notes_nan(code, r):
        new = Scalar(_extreme(code.f, s.data[0], old, value.value), dtype)
    else:
        new = apply_combine(
            code.wide if wide else code.narrow, s.data[0], Scalar(old, dtype), Scalar(value.value, dtype)
        )
    mask = code.copies[copy] if wide and copy < len(code.copies) else None
    vector_in_row = code.nest.vector is not None and code.nest.vector in code.nest.inner
    if mask is not None and vector_in_row:
        return code.f.select(mask, new.value, old)
    return new.value


def apply_combine(writer: Code, op: str, a: Scalar, b: Scalar) -> Scalar:
    """Two values of a reduction combined."""
    return writer.apply(COMBINE[op], [a, b], {}, a.dtype)


def notes_nan(code: NestCode, r: int) -> bool:
    """Whether a reduction is the extreme floating number of a row, for which it is noted whether there was NaN."""
    s = code.nest.statements[r]
    in_row = code.nest.vector is not None and code.nest.vector in code.nest.inner
    return in_row and s.data[0] in ("max", "min") and s.dtype.kind == "float"


def no_nan(code: NestCode) -> Value:
    """The lanes in which there was NaN, before the loop."""
    return code.f.constant(vector_type("i1", code.lanes), 0)


def note_nan(code: NestCode, r: int, seen: Value) -> Value:
    """The lanes in which there was NaN, with the values of one more step."""
    f, argument = code.f, code.nest.statements[r].arguments[0]
    values = [code.value(argument, c, True).value for c in range(len(code.copies))]
    for c in range(0, len(values), 2):
        pair, masks = values[c : c + 2], code.copies[c : c + 2]
        if masks != [None, None]:
            for x, mask in zip(pair, masks, strict=True):
                found = f.fcompare("uno", x, x)
                seen = f.integer("or", seen, found if mask is None else f.integer("and", found, mask))
        else:
            seen = f.integer("or", seen, f.fcompare("uno", *pair))
    return seen


def _extreme(f: Function, op: str, a: Value, b: Value) -> Value:
    """The larger or smaller of two numbers that are not NaN; b where they are equal."""
    return f.select(f.fcompare("ogt" if op == "max" else "olt", a, b), a, b)


def finish(code: NestCode, r: int, parts: list[Value], seen: Value | None = None) -> Scalar:
    """The accumulators of a row, combined pairwise, and then their lanes, half with half; NaN where there was one."""
    s = code.nest.statements[r]
    dtype = accumulator(s.dtype)
    f = code.f

    def combined(a: Value, b: Value) -> Value:
        if seen is not None:
            return _extreme(f, s.data[0], a, b)
        writer = Code.for_target(f, lanes_of(a.type), code.target)
        return apply_combine(writer, s.data[0], Scalar(a, dtype), Scalar(b, dtype)).value

    while len(parts) > 1:
        parts = [combined(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    value = parts[0]
    lanes = lanes_of(value.type)
    while lanes > 1:
        half = lanes // 2
        low = f.shuffle(value, None, range(half))
        high = f.shuffle(value, None, range(half, lanes))
        if half == 1:
            low, high = f.extract(value, 0), f.extract(value, 1)
        value = combined(low, high)
        lanes = half
    if seen is not None:
        found = f.external(f"llvm.vector.reduce.or.v{code.lanes}i1", "i1", [seen]) if code.lanes > 1 else seen
        value = f.select(found, f.constant(value.type, math.nan), value)
    return code.narrow.round(Scalar(value, s.dtype))
