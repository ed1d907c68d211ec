"""log, log1p and pow.

x = 2^e m with m between sqrt(1/2) and sqrt(2), f = m - 1: log(x) = e ln 2 + log(1 + f). In float32 the logarithm of
1 + f is a polynomial; in float64 it is 2 artanh(s) with s = f / (2 + f), arranged as in W. Cody and W. Waite,
"Software manual for the elementary functions", 1980. Coefficients: see `math_code.py`.
"""

from __future__ import annotations

import math

from onegraph.kernels.llvm import Value
from onegraph.kernels.math_code import MathCode
from onegraph.kernels.math_exponential import exp, ln2_parts

# (log(1 + f) - f + f²/2) / f³ for sqrt(1/2) <= 1 + f <= sqrt(2); error 2^-27.4.
_LOG_32 = (
    0.3333333134651184, -0.2500081956386566, 0.20001228153705597, -0.1662335842847824, 0.14201724529266357,
    -0.13160139322280884, 0.1276177316904068, -0.07634840160608292,
)  # fmt: skip
# (2 artanh(s) - 2 s) / s³ in s² for |s| <= 0.1716; error 2^-59.5.
_LOG_64 = (
    0.6666666666666735, 0.3999999999941111, 0.285714287432593, 0.22222198476224614, 0.18183569732552246,
    0.15313903309495017, 0.14797508217555186,
)  # fmt: skip
# (2 artanh(s) - 2 s - 2/3 s³) / s⁵ in s² on the same range; error 2^-73.5 of 2 artanh(s).
_LOG_TAIL_64 = (
    0.3999999999999998, 0.2857142857144522, 0.22222222217510426, 0.1818181887351322, 0.15384556652568868,
    0.13336325830710546, 0.11674647586061479, 0.11990438113658838,
)  # fmt: skip
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def _split(m: MathCode, x: Value) -> tuple[Value, Value]:
    """f = m - 1 (exact) and e, as floats, of x = 2**e m; x is positive and finite."""
    smallest = 2.0 ** (1 - m.bias)
    tiny = m.less(x, m.number(smallest))
    x = m.select(tiny, m.mul(x, m.number(2.0 ** (m.mantissa + 2))), x)
    root = m.function.constant(m.integers, _ROOT_HALF_64 if m.double else _ROOT_HALF_32)
    one = m.bias << m.mantissa
    above = m.iadd(m.function.sub(m.to_bits(x), root), one)
    exponent = m.iadd(m.shift("lshr", above, m.mantissa), m.magic_bits - m.bias)
    e = m.sub(m.from_bits(exponent), m.number(m.magic))
    e = m.select(tiny, m.sub(e, m.number(m.mantissa + 2.0)), e)
    mantissa = m.function.integer("and", above, m.whole((1 << m.mantissa) - 1))
    return m.sub(m.from_bits(m.iadd(mantissa, root)), m.one), e


_ROOT_HALF_32 = 0x3F3504F3
_ROOT_HALF_64 = 0x3FE6A09E667F3BCD


def _log_of_finite(m: MathCode, x: Value, correction: Value | None = None) -> Value:
    """log(x) (+ correction, a small number) of a positive finite x."""
    f, e = _split(m, x)
    high, low = (m.number(part) for part in ln2_parts(m))
    square = m.mul(f, f)
    if m.double:
        half = m.mul(m.number(0.5), square)
        s = m.div(f, m.add(f, m.number(2.0)))
        z = m.mul(s, s)
        r = m.mul(z, m.polynomial(z, _LOG_64))
        small = m.mul(e, low) if correction is None else m.multiply_add(e, low, correction)
        y = m.sub(m.sub(half, m.multiply_add(s, m.add(half, r), small)), f)
        return m.sub(m.mul(e, high), y)
    y = m.mul(m.mul(f, square), m.polynomial(f, _LOG_32))
    y = m.multiply_add(e, low, y)
    y = m.multiply_add(square, m.number(-0.5), y)
    return m.multiply_add(e, high, m.add(f, y))


def _outside(m: MathCode, x: Value, y: Value) -> Value:
    """y where x is positive and finite, else what a logarithm of x is."""
    zero = m.number(0.0)
    y = m.select(m.less(x, m.number(math.inf)), y, x)  # infinity and NaN
    beyond = m.select(m.equal(x, zero), m.number(-math.inf), m.number(math.nan))
    return m.select(m.function.fcompare("ole", x, zero), beyond, y)


def log(m: MathCode, x: Value) -> Value:
    """The natural logarithm."""
    return _outside(m, x, _log_of_finite(m, x))


def log1p(m: MathCode, x: Value) -> Value:
    """log(u) + (x - (u - 1)) / u with u = 1 + x: the second term is what was lost in u."""
    if not m.double:
        return m.through_double(log1p, x)
    u = m.add(x, m.one)
    near = m.less(m.abs(x), m.one)
    lost = m.select(near, m.sub(x, m.sub(u, m.one)), m.sub(m.one, m.sub(u, x)))
    y = _outside(m, u, _log_of_finite(m, u, m.div(lost, u)))
    return m.select(m.less(m.abs(x), m.number(2.0**-54)), x, y)


# --------------------------------------------------------------------------------------------------------- powers


def _exact_log(m: MathCode, x: Value) -> tuple[Value, Value]:
    """The logarithm of a positive finite x as a sum of two float64, good to about 2^-66."""
    f, e = _split(m, x)
    two = m.number(2.0)
    d, d_low = m.quick_two_sum(two, f)
    s = m.div(f, d)
    p, p_low = m.two_product(s, d)
    s_low = m.div(m.sub(m.sub(m.sub(f, p), p_low), m.mul(s, d_low)), d)
    z, z_low = m.two_product(s, s)
    z_low = m.multiply_add(m.add(s, s), s_low, z_low)
    c, c_low = (m.number(part) for part in _TWO_THIRDS)
    t, t_low = m.two_product(z, c)  # 2/3 s²
    t_low = m.add(t_low, m.add(m.mul(z, c_low), m.mul(z_low, c)))
    t, more = m.quick_two_sum(t, m.mul(m.mul(z, z), m.polynomial(z, _LOG_TAIL_64)))
    u, u_low = m.quick_two_sum(two, t)
    u_low = m.add(u_low, m.add(more, t_low))
    y, y_low = m.two_product(s, u)
    y_low = m.add(y_low, m.add(m.mul(s, u_low), m.mul(s_low, u)))
    high, low = (m.number(part) for part in ln2_parts(m))
    y, carry = m.two_sum(m.mul(e, high), y)
    return m.quick_two_sum(y, m.add(m.multiply_add(e, low, y_low), carry))


def _product_with_log(m: MathCode, size: Value, y: Value) -> tuple[Value, Value]:
    """y log(size) as a sum of two numbers; infinite where the logarithm is."""
    zero, infinity = m.number(0.0), m.number(math.inf)
    high, low = _exact_log(m, size)
    high = m.select(m.equal(size, zero), m.neg(infinity), m.select(m.less(size, infinity), high, size))
    y = m.clamp(y, -(2.0**66), 2.0**66)  # beyond, the result is the same, and products may overflow
    p, p_low = m.two_product(y, high)
    p_low = m.multiply_add(y, low, p_low)
    return p, m.select(m.less(m.abs(p), m.number(800.0)), p_low, zero)


def _is_whole(m: MathCode, y: Value) -> Value:
    return m.equal(m.trunc(y), y)


def pow(m: MathCode, x: Value, y: Value) -> Value:
    """x to the power of y = exp(y log |x|), with the sign and the exceptions of C's pow."""
    if not m.double:
        return m.through_double(lambda wide, a, b: _power(wide, a, b, exact=False), x, y)
    return _power(m, x, y, exact=True)


def _power(m: MathCode, x: Value, y: Value, exact: bool) -> Value:
    size, zero = m.abs(x), m.number(0.0)
    if exact:
        result = exp(m, *_product_with_log(m, size, y))
    else:
        result = exp(m, m.mul(m.clamp(y, -(2.0**66), 2.0**66), log(m, size)))
    whole, half = _is_whole(m, y), m.mul(y, m.number(0.5))
    odd = m.logic("and", whole, m.invert(_is_whole(m, half)))
    negative = m.function.compare("slt", m.to_bits(x), m.whole(0))
    result = m.select(m.logic("and", negative, odd), m.neg(result), result)
    below = m.logic("and", m.less(x, zero), m.less(size, m.number(math.inf)))
    undefined = m.logic("and", below, m.invert(m.logic("or", whole, m.is_nan(y))))
    result = m.select(undefined, m.number(math.nan), result)
    known = m.logic("or", m.equal(x, m.one), m.equal(y, zero))
    return m.select(known, m.one, result)
