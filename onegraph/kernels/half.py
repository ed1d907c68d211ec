"""Half precision: between memory (16 bits) and registers (float32 that is already rounded). Used by `scalar.py`.

bfloat16 is rounded with integers, exactly as `ir.dtype.float32_to_bfloat16` does. float16 uses the processor's
conversions where it has them and integers where not (LLVM would call a library that need not be there).
"""

from __future__ import annotations

import math

from onegraph.kernels.llvm import Function, Value, element_type, lanes_of, vector_type


def _like(value: Value, element: str) -> str:
    return vector_type(element, lanes_of(value.type))


def _bits(f: Function, value: Value) -> Value:
    return f.convert("bitcast", value, _like(value, "i32"))


def _float(f: Function, bits: Value) -> Value:
    return f.convert("bitcast", bits, _like(bits, "float"))


def _is_nan(f: Function, value: Value) -> Value:
    return f.fcompare("uno", value, value)


# ----------------------------------------------------------------------------------------------------- bfloat16


def widen_bfloat16(f: Function, value: Value) -> Value:
    """i16 storage to float32, exactly."""
    wide = f.convert("zext", value, _like(value, "i32"))
    return _float(f, f.integer("shl", wide, f.constant(wide.type, 16)))


def _to_nearest_even(f: Function, value: Value, dropped: int) -> Value:
    """The bits of a float, plus what carries its lowest `dropped` bits into the next when they round up."""
    bits = _bits(f, value)
    odd = f.integer("and", f.integer("lshr", bits, dropped), 1)
    return f.add(f.add(bits, f.constant(bits.type, (1 << (dropped - 1)) - 1)), odd)


def round_bfloat16(f: Function, value: Value) -> Value:
    """float32 to the nearest bfloat16, halves to even, still as float32; NaN becomes the plain NaN."""
    kept = f.integer("and", _to_nearest_even(f, value, 16), -65536)
    return f.select(_is_nan(f, value), f.constant(value.type, math.nan), _float(f, kept))


def narrow_bfloat16(f: Function, value: Value) -> Value:
    """A rounded float32 to i16 storage."""
    high = f.integer("lshr", _bits(f, value), 16)
    return f.convert("trunc", high, _like(value, "i16"))


# ------------------------------------------------------------------------------------------------------ float16


def widen_float16(f: Function, value: Value, instructions: bool) -> Value:
    """half (or its bits as i16) to float32, exactly."""
    if instructions:
        if element_type(value.type) == "i16":
            value = f.convert("bitcast", value, _like(value, "half"))
        return f.convert("fpext", value, _like(value, "float"))
    wide = f.convert("zext", f.convert("bitcast", value, _like(value, "i16")), _like(value, "i32"))
    size = f.integer("and", wide, 0x7FFF)
    sign = f.integer("shl", f.integer("and", wide, 0x8000), 16)
    # Shifted into a float's place, the exponent is too small by 112; the multiplication also normalizes.
    moved = _float(f, f.integer("shl", size, 13))
    finite = _bits(f, f.fmul(moved, f.constant(moved.type, 2.0**112)))
    special = f.integer("or", f.integer("shl", size, 13), 0x7F800000)
    out = f.select(f.compare("uge", size, 0x7C00), special, finite)
    return _float(f, f.integer("or", out, sign))


def round_float16(f: Function, value: Value, instructions: bool) -> Value:
    """float32 to the nearest float16, halves to even, still as float32."""
    if instructions:
        return f.convert("fpext", f.convert("fptrunc", value, _like(value, "half")), value.type)
    type_ = value.type
    size = f.intrinsic("llvm.fabs", type_, [value])
    normal = _float(f, f.integer("and", _to_nearest_even(f, size, 13), -8192))
    half = f.constant(type_, 0.5)  # the last place of 0.5 is the last place of the smallest float16
    small = f.fsub(f.fadd(size, half), half)
    out = f.select(f.fcompare("olt", size, f.constant(type_, 2.0**-14)), small, normal)
    out = f.select(f.fcompare("oge", size, f.constant(type_, 65520.0)), f.constant(type_, math.inf), out)
    out = f.select(_is_nan(f, value), value, out)
    return f.intrinsic("llvm.copysign", type_, [out, value])


def narrow_float16(f: Function, value: Value, instructions: bool) -> Value:
    """A rounded float32 to half."""
    type_ = _like(value, "half")
    if instructions:
        return f.convert("fptrunc", value, type_)
    size = f.intrinsic("llvm.fabs", value.type, [value])
    bits = _bits(f, size)
    normal = f.integer("lshr", f.sub(bits, f.constant(bits.type, 112 << 23)), 13)
    place = f.fadd(size, f.constant(value.type, 0.5))
    small = f.sub(_bits(f, place), f.constant(bits.type, 0x3F000000))
    out = f.select(f.fcompare("olt", size, f.constant(value.type, 2.0**-14)), small, normal)
    out = f.select(f.fcompare("oeq", size, f.constant(value.type, math.inf)), f.constant(bits.type, 0x7C00), out)
    out = f.select(_is_nan(f, value), f.constant(bits.type, 0x7E00), out)
    sign = f.integer("and", f.integer("lshr", _bits(f, value), 16), 0x8000)
    return f.convert("bitcast", f.convert("trunc", f.integer("or", out, sign), _like(value, "i16")), type_)


def narrow_to_odd(f: Function, value: Value) -> Value:
    """float64 to float32, cut off, with the last bit set if anything was cut: rounding that again, to half precision,
    is then the same as rounding the float64 once (Boldo and Melquiond, "Emulation of FMA", 2008)."""
    near = f.convert("fptrunc", value, _like(value, "float"))
    back = f.convert("fpext", near, value.type)
    inexact = f.fcompare("one", back, value)
    size, near_size = (f.intrinsic("llvm.fabs", value.type, [x]) for x in (value, back))
    above = f.fcompare("ogt", near_size, size)
    bits = _bits(f, near)
    cut = f.select(above, f.sub(bits, f.constant(bits.type, 1)), bits)
    return _float(f, f.select(inexact, f.integer("or", cut, 1), bits))
