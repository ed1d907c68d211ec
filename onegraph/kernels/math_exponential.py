"""exp, expm1, sinh, cosh, tanh and sigmoid.

x = n ln 2 + r with |r| <= ln 2 / 2, so that exp(x) = 2^n (1 + q(r)) where q(r) = exp(r) - 1 = r + r² P(r). Most of
the functions use q itself, which has more digits than 1 + q. Coefficients: see `math_code.py`.
"""

from __future__ import annotations

import math

from onegraph.kernels.llvm import Value
from onegraph.kernels.math_code import MathCode

# (exp(r) - 1 - r) / r² for |r| <= ln 2 / 2; error 2^-28.3 of exp(r).
_EXP_32 = (0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368716575205326, 0.0013814626727253199)
# The same, error 2^-61.7 of exp(r) - 1.
_EXP_64 = (
    0.5, 0.16666666666666677, 0.04166666666666651, 0.008333333333321691, 0.0013888888888962353,
    0.00019841269885967052, 2.4801587172553352e-05, 2.7557244373042353e-06, 2.7557402639421614e-07,
    2.5108979286734202e-08, 2.0875329507630417e-09,
)  # fmt: skip
# (tanh(x) - x) / x³ in x² for |x| <= 0.55; error 2^-29.8.
_TANH_32 = (-0.33333316445350647, 0.13332585990428925, -0.05385230854153633, 0.021071674302220345, -0.00627423170953989)

# ln 2 in two parts; the first has so few digits that its products with n are exact.
_LN2_32 = (0.693359375, -2.12194440e-4)
_LN2_64 = (0.6931471803691238, 1.9082149292705877e-10)
_TINY = 2.0**-54  # sinh(x), tanh(x) and expm1(x) are x to the last digit for smaller |x|


def ln2_parts(m: MathCode) -> tuple[float, float]:
    """ln 2 as a sum."""
    return _LN2_64 if m.double else _LN2_32


def reduced(m: MathCode, x: Value, sign: float = 1.0, low: Value | None = None) -> tuple[Value, Value, Value]:
    """exp(sign * x) = 2**n * (1 + q): q, n as an integer and n as a float. |x| must be below 1e6.

    Args:
        low: a small number to be added to x.
    """
    high_part, low_part = ln2_parts(m)
    n_float, n = m.to_nearest(x, sign / math.log(2))
    r = x if sign > 0 else m.neg(x)
    r = m.multiply_add(n_float, m.number(-high_part), r)
    if low is not None:
        r = m.add(r, low)
    r = m.multiply_add(n_float, m.number(-low_part), r)
    p = m.polynomial(r, _EXP_64 if m.double else _EXP_32)
    return m.multiply_add(m.mul(r, r), p, r), n, n_float


def exp(m: MathCode, x: Value, low: Value | None = None) -> Value:
    """e to the power of x (+ low)."""
    least, largest = (-746.0, 710.0) if m.double else (-104.0, 89.0)
    above = m.function.fcompare("uge", x, m.number(least))
    x = m.at_most(x, largest) if m.scales else m.clamp(x, least, largest)
    q, n, n_float = reduced(m, x, low=low)
    return m.times_power_of_two(m.add(q, m.one), n, n_float, above)


def _quarter_expm1(m: MathCode, x: Value) -> Value:
    """(exp(x) - 1) / 4, which does not overflow where sinh and cosh do not; x >= -40. In float64 only."""
    q, n, _ = reduced(m, m.clamp(x, -40.0, 710.6))
    scale = m.power_of_two(m.iadd(n, -2))
    return m.multiply_add(scale, q, m.sub(scale, m.number(0.25)))


def _keep_tiny(m: MathCode, x: Value, y: Value) -> Value:
    return m.select(m.less(m.abs(x), m.number(_TINY)), x, y)


def expm1(m: MathCode, x: Value) -> Value:
    """exp(x) - 1."""
    if not m.double:
        return m.through_double(expm1, x)
    return _keep_tiny(m, x, m.mul(_quarter_expm1(m, x), m.number(4.0)))


def sinh(m: MathCode, x: Value) -> Value:
    """(exp(x) - exp(-x)) / 2 = (u + u / (u + 1)) / 2 with u = exp(|x|) - 1."""
    if not m.double:
        return m.through_double(sinh, x)
    h = m.mul(_quarter_expm1(m, m.abs(x)), m.number(2.0))
    y = m.add(h, m.div(h, m.add(m.add(h, h), m.one)))
    y = m.select(m.less(m.abs(x), m.number(40.0)), y, h)  # the quotient may be infinity over infinity
    return _keep_tiny(m, x, m.copysign(y, x))


def cosh(m: MathCode, x: Value) -> Value:
    """(exp(x) + exp(-x)) / 2."""
    if not m.double:
        return m.through_double(cosh, x)
    q, n, _ = reduced(m, m.clamp(m.abs(x), 0.0, 710.6))
    scale = m.power_of_two(m.iadd(n, -2))
    quarter = m.multiply_add(scale, q, scale)
    return m.multiply_add(quarter, m.number(2.0), m.div(m.number(0.125), quarter))


def tanh(m: MathCode, x: Value) -> Value:
    """1 - 2 / (exp(2 |x|) + 1) with the sign of x; near 0 a polynomial."""
    a = m.abs(x)
    if m.double:
        h = m.mul(_quarter_expm1(m, m.clamp(m.add(a, a), 0.0, 44.0)), m.number(2.0))
        return _keep_tiny(m, x, m.copysign(m.div(h, m.add(h, m.one)), x))
    z = m.mul(x, x)
    near = m.multiply_add(m.mul(m.polynomial(z, _TANH_32), z), x, x)
    q, n, _ = reduced(m, m.clamp(m.add(a, a), 0.0, 40.0))
    scale = m.power_of_two(n)
    far = m.sub(m.one, m.div(m.number(2.0), m.multiply_add(scale, q, m.add(scale, m.one))))
    return m.copysign(m.select(m.less(a, m.number(0.55)), near, far), x)


def sigmoid(m: MathCode, x: Value) -> Value:
    """1 / (1 + exp(-x)). Computed as 2^-k / (2^-k + 2^-k exp(-x)), which does not overflow."""
    k = 64 if m.double else 32
    x = m.clamp(x, -746.0, 45.0) if m.double else m.clamp(x, -104.0, 30.0)
    q, n, _ = reduced(m, x, -1.0)
    scale, unit = m.power_of_two(m.iadd(n, -k)), m.number(2.0**-k)
    # unit + scale is exact as long as they are not too far apart; else the large one is added last.
    far = m.less(m.number(2.0 ** (m.mantissa // 2 - k)), scale)
    inner = m.multiply_add(scale, q, m.select(far, unit, m.add(scale, unit)))
    denominator = m.add(inner, m.select(far, scale, m.number(0.0)))
    return m.mul(m.div(m.one, denominator), unit)
