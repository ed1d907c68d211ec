"""What the functions of vector math are written in: float32 or float64 arithmetic on all lanes, without branches.

Coefficients of polynomials in the files that use this are minimax fits: computed with 50 digits by Remez's exchange
algorithm, for the relative error of the function, then rounded to the type. The error stated beside each is that of
the unrounded polynomial, relative to the function. Multiply-adds are contracted where the target has them.

Read next: `math_exponential.py`, `math_logarithm.py`, `math_trigonometric.py`, `vector_math.py` (the table of all).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onegraph.kernels.llvm import Function, Value, element_type, lanes_of, mangle, vector_type


class MathCode:
    """Arithmetic for one floating type.

    Args:
        function: where the instructions go.
        type: float or double, or a vector of them.
        fma: whether the target multiplies and adds in one instruction.
        scale: whether the target has AVX-512's `vscalef`.
    """

    def __init__(self, function: Function, type: str, fma: bool, scale: bool) -> None:
        self.function = function
        self.type = type
        self.lanes = lanes_of(type)
        self.double = element_type(type) == "double"
        self.fma = fma
        self.scale = scale
        self.bits = 64 if self.double else 32
        self.mantissa = 52 if self.double else 23
        self.bias = 1023 if self.double else 127
        self.integers = vector_type(f"i{self.bits}", self.lanes)
        self.magic = 1.5 * 2.0**self.mantissa
        """Added to a number, it rounds to a whole number, which then stands in the lowest bits."""
        self.one = self.number(1.0)

    def number(self, x: float) -> Value:
        """A constant."""
        return self.function.constant(self.type, x)

    def whole(self, x: int) -> Value:
        """An integer constant."""
        return self.function.constant(self.integers, x)

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.function.fadd(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self.function.fsub(a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b."""
        return self.function.fmul(a, b)

    def div(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self.function.fdiv(a, b)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once if the target can."""
        return self.function.fma(a, b, c) if self.fma else self.add(self.mul(a, b), c)

    def neg(self, a: Value) -> Value:
        """-a."""
        return self.function.fneg(a)

    def abs(self, a: Value) -> Value:
        """|a|."""
        return self.function.intrinsic("llvm.fabs", self.type, [a])

    def sqrt(self, a: Value) -> Value:
        """The square root."""
        return self.function.intrinsic("llvm.sqrt", self.type, [a])

    def trunc(self, a: Value) -> Value:
        """The integer part."""
        return self.function.intrinsic("llvm.trunc", self.type, [a])

    def copysign(self, size: Value, sign: Value) -> Value:
        """|size| with the sign of another number."""
        return self.function.intrinsic("llvm.copysign", self.type, [size, sign])

    def less(self, a: Value, b: Value) -> Value:
        """a < b, false for NaN."""
        return self.function.fcompare("olt", a, b)

    def equal(self, a: Value, b: Value) -> Value:
        """a == b."""
        return self.function.fcompare("oeq", a, b)

    def is_nan(self, a: Value) -> Value:
        """Whether a is not a number."""
        return self.function.fcompare("uno", a, a)

    def logic(self, op: str, a: Value, b: Value) -> Value:
        """and, or, xor of masks or integers."""
        return self.function.emit(a.type, f"{op} {a.type} {a.text}, {b.text}")

    def invert(self, mask: Value) -> Value:
        """Where the mask is false."""
        return self.logic("xor", mask, self.function.constant(mask.type, 1))

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the condition holds, else b."""
        return self.function.select(condition, a, b)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """c0 + c1 x + c2 x² + ..., by Horner's rule."""
        value = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            value = self.multiply_add(value, x, self.number(c))
        return value

    def clamp(self, x: Value, low: float, high: float) -> Value:
        """x, not below `low`, not above `high`; NaN stays. (Written as the x86 instructions do it.)"""
        a, x = self.number(low), self.at_most(x, high)
        return self.select(self.function.fcompare("ogt", a, x), a, x)

    def at_most(self, x: Value, high: float) -> Value:
        """x, not above `high`; NaN stays."""
        b = self.number(high)
        return self.select(self.function.fcompare("olt", b, x), b, x)

    # ------------------------------------------------------------------------------------------ floats as bits

    def to_bits(self, a: Value) -> Value:
        """The bits as an integer."""
        return self.function.convert("bitcast", a, self.integers)

    def from_bits(self, bits: Value) -> Value:
        """The number with these bits."""
        return self.function.convert("bitcast", bits, self.type)

    def shift(self, op: str, bits: Value, by: int) -> Value:
        """shl, lshr or ashr by a number."""
        return self.function.integer(op, bits, self.whole(by))

    def iadd(self, a: Value, b: int | Value) -> Value:
        """a + b of integers."""
        return self.function.add(a, b if isinstance(b, Value) else self.whole(b))

    def to_nearest(self, x: Value, factor: float) -> tuple[Value, Value]:
        """The whole number nearest to x * factor, as a float and (in its lowest bits) as an integer."""
        shifted = self.multiply_add(x, self.number(factor), self.number(self.magic))
        whole = self.sub(shifted, self.number(self.magic))
        return whole, self.iadd(self.to_bits(shifted), -self.magic_bits)

    @property
    def magic_bits(self) -> int:
        """The bits of `magic`."""
        return ((self.bias + self.mantissa) << self.mantissa) | (1 << (self.mantissa - 1))

    def power_of_two(self, n: Value) -> Value:
        """2**n of an integer for which that is a normal number (or just beyond: infinity)."""
        return self.from_bits(self.shift("shl", self.iadd(n, self.bias), self.mantissa))

    @property
    def scales(self) -> bool:
        """Whether `times_power_of_two` is one instruction, which needs no integer power."""
        return self.scale and (self.lanes % (512 // self.bits) == 0 or self.lanes * self.bits in (128, 256))

    def times_power_of_two(self, x: Value, n: Value, n_float: Value, above: Value) -> Value:
        """x * 2**n for x near 1, rounded once, also where the result is not a normal number; 0 in lanes outside `above`.

        There the result would be zero anyway, but to round it to zero takes the processor a hundred cycles.
        """
        if self.scales:
            return self._scalef(x, n_float, above, min(self.lanes, 512 // self.bits))
        first = self.shift("ashr", n, 1)
        x = self.mul(x, self.power_of_two(first))
        second = self.power_of_two(self.function.sub(n, first))
        return self.mul(x, self.select(above, second, self.number(0.0)))

    def _scalef(self, x: Value, n: Value, above: Value, register: int) -> Value:
        f, width = self.function, register * self.bits
        name = f"llvm.x86.avx512.mask.scalef.p{'d' if self.double else 's'}.{width}"
        mask_type = "i16" if register == 16 else "i8"
        pieces = []
        for start in range(0, self.lanes, register):
            lanes = range(start, start + register)
            a, b, held = (v if register == self.lanes else f.shuffle(v, None, lanes) for v in (x, n, above))
            mask = f.convert("zext", f.convert("bitcast", held, f"i{register}"), mask_type)
            rounding = [f.constant("i32", 4)] if width == 512 else []
            pieces.append(f.external(name, a.type, [a, b, f.constant(a.type, 0.0), mask, *rounding]))
        while len(pieces) > 1:
            count = 2 * lanes_of(pieces[0].type)
            pieces = [f.shuffle(a, b, range(count)) for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
        return pieces[0]

    # ------------------------------------------------------------------------------------- twice the precision

    def two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """a + b and its rounding error, exactly (Knuth)."""
        s = self.add(a, b)
        t = self.sub(s, a)
        return s, self.add(self.sub(a, self.sub(s, t)), self.sub(b, t))

    def quick_two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """The same where |a| >= |b| (Dekker)."""
        s = self.add(a, b)
        return s, self.sub(b, self.sub(s, a))

    def two_product(self, a: Value, b: Value) -> tuple[Value, Value]:
        """a * b and its rounding error, exactly (Dekker and Veltkamp where there is no multiply-add)."""
        p = self.mul(a, b)
        if self.fma:
            return p, self.function.fma(a, b, self.neg(p))
        (ah, al), (bh, bl) = self._halves(a), self._halves(b)
        error = self.sub(self.mul(ah, bh), p)
        for x, y in ((ah, bl), (al, bh), (al, bl)):
            error = self.add(error, self.mul(x, y))
        return p, error

    def _halves(self, a: Value) -> tuple[Value, Value]:
        c = self.mul(a, self.number(2.0 ** ((self.mantissa + 2) // 2) + 1))
        high = self.sub(c, self.sub(c, a))
        return high, self.sub(a, high)

    # --------------------------------------------------------------------------------------- control and types

    def any(self, mask: Value) -> Value:
        """Whether the mask is true in a lane; undefined lanes count as either."""
        f = self.function
        mask = f.emit(mask.type, f"freeze {mask.type} {mask.text}")
        if self.lanes == 1:
            return mask
        return f.external(f"llvm.vector.reduce.or.{mangle(mask.type)}", "i1", [mask])

    def as_double(self) -> MathCode:
        """The same lanes in float64."""
        return MathCode(self.function, vector_type("double", self.lanes), self.fma, self.scale)

    def through_double(self, function: Callable[..., Value], *arguments: Value) -> Value:
        """A float32 function by way of float64: exact to little more than half of the last place.

        The fence keeps LLVM from rounding before the sign is copied: for a result that becomes float16, it would then
        round the sign with a library function that need not be there.
        """
        wide = self.as_double()
        result = function(wide, *[self.function.convert("fpext", a, wide.type) for a in arguments])
        result = self.function.intrinsic("llvm.arithmetic.fence", wide.type, [result])
        return self.function.convert("fptrunc", result, self.type)
