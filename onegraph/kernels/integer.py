"""Integer operations with Python's meaning that are no single instruction: division, powers, shifts by any number.

Values may be undefined in lanes that are not in use; they are frozen before they could do harm. Used by `scalar.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from onegraph.kernels.llvm import Function, Value, bits_of, lanes_of, vector_type


def freeze(f: Function, x: Value) -> Value:
    """The value, or some fixed value where it is undefined."""
    return x if x.number is not None else f.emit(x.type, f"freeze {x.type} {x.text}")


def shift(f: Function, op: str, a: Value, b: Value) -> Value:
    """shl, lshr or ashr; by a number outside of 0..bits-1, all bits are moved out."""
    bits = bits_of(a.type)
    inside = f.compare("ult", b, f.constant(b.type, bits))
    by = f.select(inside, b, f.constant(b.type, bits - 1 if op == "ashr" else 0))
    out = f.emit(a.type, f"{op} {a.type} {a.text}, {by.text}")
    return out if op == "ashr" else f.select(inside, out, f.constant(a.type, 0))


def floor_divide(
    f: Function, a: Value, b: Value, signed: bool, on_error: Callable[[Value], None] | None
) -> tuple[Value, Value]:
    """Quotient rounded down and remainder with the sign of b.

    Where b is 0 the result is that of b = 1, and `on_error` is told; the lowest integer divided by -1 wraps.
    """
    a, b = freeze(f, a), freeze(f, b)
    zero, one = f.constant(b.type, 0), f.constant(b.type, 1)
    by_zero = f.compare("eq", b, zero)
    if on_error is not None:
        on_error(by_zero)
    if not signed:
        divisor = f.select(by_zero, one, b)
        quotient = _quotient(f, "udiv", a, divisor)
        return quotient, f.sub(a, f.mul(quotient, divisor))
    by_minus_one = f.compare("eq", b, f.constant(b.type, -1))
    either = f.emit(by_zero.type, f"or {by_zero.type} {by_zero.text}, {by_minus_one.text}")
    divisor = f.select(either, one, b)
    quotient = _quotient(f, "sdiv", a, divisor)
    remainder = f.sub(a, f.mul(quotient, divisor))
    signs = f.compare("slt", f.emit(b.type, f"xor {b.type} {remainder.text}, {divisor.text}"), zero)
    down = f.select(f.compare("eq", remainder, zero), f.constant(signs.type, 0), signs)
    quotient = f.select(down, f.sub(quotient, one), quotient)
    remainder = f.select(down, f.add(remainder, divisor), remainder)
    return f.select(by_minus_one, f.sub(zero, a), quotient), remainder


def _quotient(f: Function, op: str, a: Value, b: Value) -> Value:
    """a / b toward zero. Up to 32 bits, float64 division does it exactly, in all lanes at once."""
    lanes, bits = lanes_of(a.type), bits_of(a.type)
    if lanes == 1 or bits > 32:
        return f.emit(a.type, f"{op} {a.type} {a.text}, {b.text}")
    wide, double = vector_type("i32", lanes), vector_type("double", lanes)
    extend = "sext" if op == "sdiv" else "zext"
    x, y = (f.convert("sitofp", f.convert(extend, v, wide), double) for v in (a, b))
    return f.convert("trunc", f.convert("fptosi", f.fdiv(x, y), wide), a.type)


def power(f: Function, a: Value, b: Value, signed: bool) -> Value:
    """a to the power of b by repeated squaring; wraps. Of a negative power, the integer part (0 for most)."""
    type_, bits = a.type, bits_of(a.type)
    zero, one = f.constant(type_, 0), f.constant(type_, 1)
    negative = f.compare("slt", b, zero)
    exponent = f.select(negative, zero, b) if signed else b

    def square(_: Value, carried: list[Value]) -> list[Value]:
        result, base, rest = carried
        odd = f.compare("ne", f.integer("and", rest, one), zero)
        result = f.select(odd, f.mul(result, base), result)
        return [result, f.mul(base, base), f.emit(type_, f"lshr {type_} {rest.text}, {one.text}")]

    result = f.loop(0, bits - signed, 1, square, [one, a, exponent])[0]
    if not signed:
        return result
    minus_one = f.constant(type_, -1)
    odd = f.compare("ne", f.integer("and", b, one), zero)
    inverse = f.select(f.compare("eq", a, minus_one), f.select(odd, minus_one, one), zero)
    inverse = f.select(f.compare("eq", a, one), one, inverse)
    return f.select(negative, inverse, result)
