"""Statements of a loop nest that have the same value computed faster where an operand does not change along the vectors.

- Division by such a number: with its reciprocal, and then corrected until every bit is that of the division.
- Comparison of a counted position with such an integer, or with another position: in 32 bits instead of 64.

Both look only at how a statement depends on the loops; `nest_code.py` asks here first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onegraph.ir.dtype import bool_, float32, int64
from onegraph.kernels.llvm import Function, Value, vector_type
from onegraph.kernels.nest import Statement
from onegraph.kernels.scalar import Scalar

if TYPE_CHECKING:
    from onegraph.kernels.nest_values import NestValues

_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_EXPONENT = 23
"""Bits below the exponent of a float32."""
_NUMERATOR, _INVERSE = (-100, 100), (-20, 20)
"""Exponents for which nothing in the corrected quotient overflows or loses digits."""


def shortcut(code: NestValues, s: Statement, copy: int) -> Scalar | None:
    """The value of a statement in every lane, if there is a faster way to compute it; otherwise None."""
    op = s.data[0]
    if op == "div":
        number = s.arguments[1]
        if s.dtype is not float32 or code.is_vector(number) or not code.wide.fma or code.target.vector_bits < 512:
            return None
        a, b = code.value(s.arguments[0], copy, True).value, code.value(number, copy, False).value
        return Scalar(divided(code.f, a, b, code.lanes), float32)
    if op in _COMPARISONS:
        return _compared(code, op, s, copy)
    return None


# ---------------------------------------------------------------------------------------------------- division


def _in_range(f: Function, bits: Value, exponents: tuple[int, int]) -> Value:
    """Whether 2**low <= |x| < 2**high, from the bits of x."""
    low, high = ((e + 127) << _EXPONENT for e in exponents)
    size = f.integer("and", bits, f.constant(bits.type, 0x7FFFFFFF))
    return f.compare("ult", f.integer("sub", size, f.constant(bits.type, low)), f.constant(bits.type, high - low))


def divided(f: Function, a: Value, b: Value, lanes: int) -> Value:
    """a / b, correctly rounded, for one divisor of all lanes.

    The product with the rounded reciprocal is corrected twice by its remainder, which a multiply-add finds exactly. After
    the first time it is within one unit in the last place, after the second it is the correctly rounded quotient
    (P. Markstein, "IA-64 and Elementary Functions", 2000, theorem 8.2). Where remainders might not be exact (numbers very
    large or small, -0.0, infinities, NaN) the processor divides. Where the divisor is one of a loop, LLVM takes its
    reciprocal out of it, which it would not do if it were only needed in one branch.

    Args:
        f: where the code goes.
        a: a vector of floats.
        b: one float.
    """
    integers = vector_type("i32", lanes)
    divisor = f.splat(b, lanes)
    bits = f.convert("bitcast", a, integers)
    usual = _in_range(f, bits, _NUMERATOR)
    zero = f.compare("eq", bits, f.constant(integers, 0))
    usual = f.integer("or", usual, zero)
    every = f.compare("eq", f.convert("bitcast", usual, f"i{lanes}"), f.constant(f"i{lanes}", -1))
    inverse = f.fdiv(f.constant("float", 1.0), b)
    good = f.integer("and", every, _in_range(f, f.convert("bitcast", inverse, "i32"), _INVERSE))

    def fast() -> list[Value]:
        factor, minus = f.splat(inverse, lanes), f.fneg(divisor)
        quotient = f.fmul(a, factor)
        for _ in range(2):
            quotient = f.fma(f.fma(minus, quotient, a), factor, quotient)
        return [quotient]

    return f.if_(good, fast, lambda: [f.fdiv(a, divisor)])[0]


# -------------------------------------------------------------------------------------------------- comparisons


def _compared(code: NestValues, op: str, s: Statement, copy: int) -> Scalar | None:
    """A comparison of int64 positions in 32 bits. A number that all lanes share is first brought next to their range."""
    statements = [code.nest.statements[a] for a in s.arguments]
    along = [code.is_vector(a) for a in s.arguments]
    counted = [v for v, x in zip(along, statements, strict=True) if v and x.kind == "position" and _fits(x)]
    if not counted or len(counted) != sum(along) or any(x.dtype is not int64 for x in statements):
        return None
    f, lanes = code.f, code.lanes
    low = min(x.data.low for v, x in zip(along, statements, strict=True) if v)
    high = max(x.data.high for v, x in zip(along, statements, strict=True) if v)
    sides = []
    for number, x, vector in zip(s.arguments, statements, along, strict=True):
        if vector:
            sides.append(code.vector_index(x.data, copy))
            continue
        value = code.value(number, copy, False).value
        value = f.minimum(f.maximum(value, low - 1), high + 1)
        sides.append(f.splat(f.convert("trunc", value, "i32"), lanes))
    return Scalar(f.compare(op if op in ("eq", "ne") else f"s{op}", *sides), bool_)


def _fits(s: Statement) -> bool:
    """Whether a position and its neighbours are 32-bit numbers."""
    return bool(s.data.low > -(2**31) + 1 and s.data.high < 2**31 - 2)
