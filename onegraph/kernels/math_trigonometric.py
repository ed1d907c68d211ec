"""sin, cos, tan and their inverses.

x = n pi/2 + r with |r| <= pi/4. For small n, pi/2 is subtracted in parts, so that digits that cancel are there (W. Cody
and W. Waite, "Software manual for the elementary functions", 1980). Larger arguments, which are rare, take a branch in
which as many digits of 2/pi are used as the argument needs (M. Payne and R. Hanek, "Radian reduction for
trigonometric functions", 1983), one lane after the other. Coefficients: see `math_code.py`.
"""

from __future__ import annotations

import functools
import math

from onegraph.kernels.llvm import Function, Value
from onegraph.kernels.math_code import MathCode

# (sin(r) - r) / r³ in r² for |r| <= pi/4; error 2^-28.0 of sin.
_SIN_32 = (-0.16666655242443085, 0.00833216030150652, -0.0001951527810888365)
# The same, error 2^-57.9.
_SIN_64 = (
    -0.1666666666666663, 0.008333333333322118, -0.00019841269829588699, 2.755731362106399e-06,
    -2.5050747708664718e-08, 1.5896226833611812e-10,
)  # fmt: skip
# (cos(r) - 1 + r²/2) / r⁴ in r² on the same range; error 2^-31.8 of cos.
_COS_32 = (0.041666653007268906, -0.0013887654058635235, 2.4463830413878895e-05)
# The same, error 2^-64.0.
_COS_64 = (
    0.041666666666666595, -0.0013888888888873056, 2.4801587288851328e-05, -2.755731417915828e-07,
    2.087570081924635e-09, -1.135853515319814e-11,
)  # fmt: skip
# (asin(x) - x) / x³ in x² for |x| <= 1/2; error 2^-59.9 of asin.
_ASIN = (
    0.1666666666666676, 0.07499999999970637, 0.044642857174776056, 0.030381942699512138, 0.02237221523113463,
    0.017351607463019187, 0.013980877112752033, 0.011398433638576174, 0.010783020457844659, 0.003695642550728186,
    0.02173438089675375, -0.021038198275428, 0.03265372236904532,
)  # fmt: skip
# (atan(x) - x) / x³ in x² for |x| <= tan(pi/8); error 2^-59.4 of atan.
_ATAN = (
    -0.333333333333332, 0.19999999999953158, -0.14285714280157175, 0.11111110781667183, -0.09090897710727214,
    0.07692059451043298, -0.06663096093237766, 0.05847836094153389, -0.050390837250002284, 0.038059375751393794,
    -0.01790195801917623,
)  # fmt: skip

# pi/2 in parts: the sums of them are it to more and more digits.
_HALF_PI_32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_HALF_PI_64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
# For targets without a multiply-add: parts of 33 bits, whose products with n < 2^20 are exact.
_HALF_PI_SHORT = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
_LOW = 6.123233995736766e-17  # pi/2 minus its float64


# ------------------------------------------------------------------------------------------------------ reduction


def _subtract(m: MathCode, x: Value, parts: tuple[float, ...]) -> tuple[Value, Value]:
    n_float, n = m.to_nearest(x, 2 / math.pi)
    for part in parts:
        x = m.multiply_add(n_float, m.number(-part), x)
    return n, x


def _beyond(m: MathCode, x: Value, bound: float) -> Value:
    """Where |x| is not below the bound, but finite."""
    size = m.abs(x)
    large = m.function.fcompare("oge", size, m.number(bound))
    return m.logic("and", large, m.less(size, m.number(math.inf)))


def _reduced(m: MathCode, x: Value) -> tuple[Value, Value]:
    """n (an integer, right modulo 4) and r."""
    f = m.function
    if m.double:
        n, r = _subtract(m, x, _HALF_PI_64 if m.fma else _HALF_PI_SHORT)
        large = _beyond(m, x, 2.0**30 if m.fma else 2.0**20)
        merged = f.if_(m.any(large), lambda: _each_lane_reduced(m, x, large, n, r), lambda: [n, r])
        return merged[0], merged[1]
    if m.fma:
        n, r = _subtract(m, x, _HALF_PI_32)
        large = _beyond(m, x, 2.0**15)

        def replaced() -> list[Value]:  # only in the large lanes: results must not depend on other lanes
            return [m.select(large, new, old) for new, old in zip(_reduced_in_double(m, x), (n, r), strict=True)]

        merged = f.if_(m.any(large), replaced, lambda: [n, r])
        return merged[0], merged[1]
    return _reduced_in_double(m, x)


def _reduced_in_double(m: MathCode, x: Value) -> tuple[Value, Value]:
    f, wide = m.function, m.as_double()
    n, r = _reduced(wide, f.convert("fpext", x, wide.type))
    return f.convert("trunc", n, m.integers), f.convert("fptrunc", r, m.type)


def _each_lane_reduced(m: MathCode, x: Value, large: Value, n: Value, r: Value) -> list[Value]:
    """n and r, with those of the large lanes replaced."""
    f = m.function
    if m.lanes == 1:
        return list(_reduced_with_all_digits(f, x))

    def one(lane: Value, carried: list[Value]) -> list[Value]:
        out = []
        for new, old in zip(_reduced_with_all_digits(f, f.extract(x, lane)), carried, strict=True):
            chosen = f.select(f.extract(large, lane), new, f.extract(old, lane))
            out.append(f.insert(old, chosen, lane))
        return out

    return f.loop(0, m.lanes, 1, one, [n, r])


@functools.cache
def two_over_pi() -> list[int]:
    """The bits of 2/pi after the point in words of 64, after one word of zeros. Pi is Machin's 16 atan(1/5) - 4 atan(1/239).

    >>> [hex(word) for word in two_over_pi()[:2]]
    ['0x0', '0xa2f9836e4e441529']
    """
    bits = 19 * 64
    unit = 1 << (bits + 64)

    def arctangent_of_inverse(k: int) -> int:
        total, power, i = 0, unit // k, 0
        while power:
            total += (-1) ** i * (power // (2 * i + 1))
            power, i = power // (k * k), i + 1
        return total

    pi = 16 * arctangent_of_inverse(5) - 4 * arctangent_of_inverse(239)
    number = (2 * unit << bits) // pi
    return [number >> (bits - 64 * i) & (2**64 - 1) for i in range(20)]


def _reduced_with_all_digits(f: Function, x: Value) -> tuple[Value, Value]:
    """n modulo 4 and r of one float64 of at least 2^20.

    x = m 2^e with a whole number m of 53 bits. Bits of 2/pi that give multiples of 4 are left out; m times the next
    192 is x 2/pi modulo 4 in units of 2^-190.
    """
    bits = f.convert("bitcast", x, "i64")
    exponent = f.integer("and", f.integer("lshr", bits, 52), 0x7FF)
    m = f.integer("or", f.integer("and", bits, (1 << 52) - 1), 1 << 52)
    start = f.maximum(f.sub(exponent, 1013), 0)  # of the 192 bits in the table
    table = f.element(f.module.table("i64", two_over_pi()), "i64", f.integer("lshr", start, 6))
    by = f.integer("and", start, 63)
    words = [f.load("i64", f.element(table, "i64", i)) for i in range(4)]

    def window(i: int) -> Value:
        right = f.integer("lshr", f.integer("lshr", words[i + 1], 1), f.sub(63, by))
        return f.integer("or", f.integer("shl", words[i], by), right)

    def wide(op: str, a: Value, b: Value | int) -> Value:
        return f.emit("i128", f"{op} i128 {a.text}, {b.text if isinstance(b, Value) else b}")

    def widen(a: Value) -> Value:
        return f.convert("zext", a, "i128")

    product = [wide("mul", widen(m), widen(window(i))) for i in (2, 1)]
    middle = wide("add", wide("lshr", product[0], 64), product[1])
    top = f.add(f.mul(m, window(0)), f.convert("trunc", wide("lshr", middle, 64), "i64"))
    low = wide("and", middle, (1 << 64) - 1)
    # Without the two bits of the quadrant, as a signed fraction of a quadrant.
    fraction = wide("or", wide("shl", wide("or", wide("shl", widen(top), 64), low), 2), 0)
    last = f.integer("lshr", f.convert("trunc", product[0], "i64"), 62)
    fraction = wide("or", fraction, widen(last))
    sign = wide("ashr", fraction, 127)
    n = f.sub(f.integer("lshr", top, 62), f.convert("trunc", sign, "i64"))
    size = wide("sub", wide("xor", fraction, sign), sign)
    f.module.declare("llvm.ctlz.i128", "i128", ["i128", "i1"])
    zeros = f.emit("i128", f"call i128 @llvm.ctlz.i128(i128 {size.text}, i1 false)")
    digits = f.convert("trunc", wide("lshr", wide("shl", size, zeros), 64), "i64")
    half_pi = f.constant("i64", 0xC90FDAA22168C234)  # in units of 2^-63
    angle = f.convert("trunc", wide("lshr", wide("mul", widen(digits), widen(half_pi)), 64), "i64")
    scale = f.integer("shl", f.sub(1023 - 63, f.convert("trunc", zeros, "i64")), 52)
    r = f.fmul(f.convert("uitofp", angle, "double"), f.convert("bitcast", scale, "double"))
    flip = f.emit("i1", f"xor i1 {f.compare('slt', bits, 0).text}, {f.convert('trunc', sign, 'i1').text}")
    n = f.select(f.compare("slt", bits, 0), f.sub(0, n), n)
    return n, f.select(flip, f.fneg(r), r)


# -------------------------------------------------------------------------------------------- sine, cosine, tangent


def _sin_and_cos(m: MathCode, r: Value) -> tuple[Value, Value]:
    """Of |r| <= pi/4."""
    z = m.mul(r, r)
    sine = m.multiply_add(m.mul(r, z), m.polynomial(z, _SIN_64 if m.double else _SIN_32), r)
    start = m.multiply_add(z, m.number(-0.5), m.one)
    tail, square = m.polynomial(z, _COS_64 if m.double else _COS_32), m.mul(z, z)
    if not m.double:
        return sine, m.multiply_add(square, tail, start)
    lost = m.multiply_add(z, m.number(-0.5), m.sub(m.one, start))  # what was rounded off in `start`
    return sine, m.add(start, m.multiply_add(square, tail, lost))


def _keep_zero(m: MathCode, x: Value, y: Value) -> Value:
    """x where it is zero (the sign of zero is lost in the reduction), else y."""
    return m.select(m.equal(x, m.number(0.0)), x, y)


def _is_odd(m: MathCode, n: Value) -> Value:
    return m.function.compare("ne", m.function.integer("and", n, m.whole(1)), m.whole(0))


def _of_quadrant(m: MathCode, n: Value, r: Value) -> Value:
    """sin(n pi/2 + r)."""
    sine, cosine = _sin_and_cos(m, r)
    value = m.select(_is_odd(m, n), cosine, sine)
    sign = m.shift("shl", m.function.integer("and", n, m.whole(2)), m.bits - 2)
    return m.from_bits(m.logic("xor", m.to_bits(value), sign))


def sin(m: MathCode, x: Value) -> Value:
    """The sine."""
    return _keep_zero(m, x, _of_quadrant(m, *_reduced(m, x)))


def cos(m: MathCode, x: Value) -> Value:
    """The cosine."""
    n, r = _reduced(m, x)
    return _of_quadrant(m, m.iadd(n, 1), r)


def tan(m: MathCode, x: Value) -> Value:
    """The tangent."""
    if not m.double:
        return m.through_double(tan, x)
    n, r = _reduced(m, x)
    sine, cosine = _sin_and_cos(m, r)
    odd = _is_odd(m, n)
    return _keep_zero(m, x, m.div(m.select(odd, m.neg(cosine), sine), m.select(odd, sine, cosine)))


# ------------------------------------------------------------------------------------------------ inverse functions


def _half_asin(m: MathCode, a: Value) -> tuple[Value, Value]:
    """Where 0 <= a <= 1/2, asin(a); else asin(sqrt((1 - a) / 2)), which is half of acos(a). And where a > 1/2."""
    large = m.less(m.number(0.5), a)
    half = m.mul(m.sub(m.one, a), m.number(0.5))
    z = m.select(large, half, m.mul(a, a))
    w = m.select(large, m.sqrt(half), a)
    return m.multiply_add(m.mul(w, z), m.polynomial(z, _ASIN), w), large


def asin(m: MathCode, x: Value) -> Value:
    """The inverse sine."""
    if not m.double:
        return m.through_double(asin, x)
    a = m.abs(x)
    y, large = _half_asin(m, a)
    complement = m.add(m.sub(m.number(math.pi / 2), m.add(y, y)), m.number(_LOW))
    return m.copysign(m.select(large, complement, y), x)


def acos(m: MathCode, x: Value) -> Value:
    """The inverse cosine."""
    if not m.double:
        return m.through_double(acos, x)
    y, large = _half_asin(m, m.abs(x))
    negative = m.less(x, m.number(0.0))
    twice = m.add(y, y)
    far = m.select(negative, m.add(m.sub(m.number(math.pi), twice), m.number(2 * _LOW)), twice)
    near = m.add(m.sub(m.number(math.pi / 2), m.copysign(y, x)), m.number(_LOW))
    return m.select(large, far, near)


def _atan_of_small(m: MathCode, t: Value) -> Value:
    """Of |t| <= tan(pi/8)."""
    z = m.mul(t, t)
    return m.multiply_add(m.mul(t, z), m.polynomial(z, _ATAN), t)


def atan(m: MathCode, x: Value) -> Value:
    """The inverse tangent; atan(x) = pi/4 + atan((x - 1) / (x + 1)) = pi/2 + atan(-1 / x)."""
    if not m.double:
        return m.through_double(atan, x)
    a = m.abs(x)
    large = m.less(m.number(math.tan(3 * math.pi / 8)), a)
    middle = m.less(m.number(math.tan(math.pi / 8)), a)
    upper = m.select(large, m.number(-1.0), m.select(middle, m.sub(a, m.one), a))
    lower = m.select(large, a, m.select(middle, m.add(a, m.one), m.one))
    y = _atan_of_small(m, m.div(upper, lower))

    def part(whole: float) -> Value:
        return m.select(large, m.number(whole), m.select(middle, m.number(whole / 2), m.number(0.0)))

    return m.copysign(m.add(part(math.pi / 2), m.add(y, part(_LOW))), x)


def atan2(m: MathCode, y: Value, x: Value) -> Value:
    """The angle of the point (x, y), with the exceptions of C's atan2."""
    if not m.double:
        return m.through_double(atan2, y, x)
    across, up = m.abs(x), m.abs(y)
    steep = m.less(across, up)
    large, small = m.select(steep, up, across), m.select(steep, across, up)
    t = m.div(small, large)
    t = m.select(m.equal(large, m.number(0.0)), small, t)
    t = m.select(m.equal(small, m.number(math.inf)), m.one, t)
    middle = m.less(m.number(math.tan(math.pi / 8)), t)
    t = m.select(middle, m.div(m.sub(t, m.one), m.add(t, m.one)), t)
    angle = m.add(_atan_of_small(m, t), m.select(middle, m.number(_LOW / 2), m.number(0.0)))
    angle = m.add(m.select(middle, m.number(math.pi / 4), m.number(0.0)), angle)
    angle = m.select(steep, m.add(m.sub(m.number(math.pi / 2), angle), m.number(_LOW)), angle)
    left = m.function.compare("slt", m.to_bits(x), m.whole(0))
    angle = m.select(left, m.add(m.sub(m.number(math.pi), angle), m.number(2 * _LOW)), angle)
    angle = m.select(m.function.fcompare("uno", x, y), m.add(x, y), angle)
    return m.copysign(angle, y)
