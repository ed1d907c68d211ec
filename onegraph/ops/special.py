"""Special functions as compositions of elementwise ops: erfc, erfinv, gamma functions, normal distribution, Bessel.

Each is accurate to a few units in the last place on its whole range; gradients come from the composition.
Read next: `mathematics.py` (the plainer functions).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import bfloat16, float16, float32, float64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, AND, EQ, GT, LE, LT, MINIMUM, SUB, add, div, mul, pow, sub
from onegraph.ops.cast import CAST, cast
from onegraph.ops.elementwise import (
    ABS,
    COS,
    ERF,
    EXP,
    FLOOR,
    LOG,
    LOG1P,
    ROUND,
    SIN,
    SQRT,
    WHERE,
    erf,
    expm1,
    log1p,
    round,
    sigmoid,
)
from onegraph.ops.leaf import constant
from onegraph.ops.mathematics import exp2, logit, sinc, xlogy
from onegraph.ops.promotion import to_float
from onegraph.ops.public import public
from onegraph.ops.statistics import logsumexp

special = "special"
public("expit", namespace=special)(sigmoid)
public("erf", namespace=special)(erf)
public("expm1", namespace=special)(expm1)
public("log1p", namespace=special)(log1p)
public("exp2", namespace=special)(exp2)
public("logit", namespace=special)(logit)
public("logsumexp", namespace=special)(logsumexp)
public("round", namespace=special)(round)
public("sinc", namespace=special)(sinc)
public("xlogy", namespace=special)(xlogy)


def polynomial(x: Node, coefficients: Sequence[float]) -> Node:
    """c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule."""
    y = constant(coefficients[-1], x.dtype)
    for c in reversed(coefficients[:-1]):
        y = add(mul(y, x), c)
    return y


def _wide(input: Any) -> tuple[Node, Callable[[Node], Node]]:
    """The operand in float32 or float64, and how to bring a result back to its own dtype."""
    x = to_float(input)
    wide = CAST(x, dtype=float32) if x.dtype in (float16, bfloat16) else x
    return wide, lambda y: cast(y, x.dtype)


def _double(input: Any) -> tuple[Node, Callable[[Node], Node]]:
    """The operand in float64, and how to bring a result back to its own dtype."""
    x = to_float(input)
    return cast(x, float64), lambda y: cast(y, x.dtype)


# (1 + 2x) exp(x^2) erfc(x) for x >= 0 as a polynomial in (x - 3.75) / (x + 3.75), after Shepherd and Laframboise,
# "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x" (Math. Comp. 36, 1981); refitted with 60 digits, error 2e-16.
_ERFCX = (
    1.2375126308378275, -0.14024059858554525, 0.0035854154854790257, 0.08227673848999506, -0.10880393014244462,
    0.09230432116428125, -0.05869339857664934, 0.02836227737211114, -0.00974657968326525, 0.0017556261651970615,
    0.00029371437804490326, -0.00029015535246076896, 5.164652974193095e-05, 2.2387565714905518e-05,
    -1.1438048033631918e-05, -9.79262570735844e-07, 1.741982158951425e-06, -5.084465377032029e-08,
    -2.485712627127677e-07, 1.8790823210316808e-08, 3.197926680817349e-08, -1.955135883083941e-09,
    -2.6231073623858514e-09,
)  # fmt: skip
_LARGEST_ERFC = 40.0  # erfc of anything above is 0 in every dtype


def _scaled_erfc(a: Node) -> Node:
    """exp(a^2) erfc(a) for a >= 0."""
    t = div(sub(a, 3.75), add(a, 3.75))
    return div(polynomial(t, _ERFCX), add(mul(a, 2.0), 1.0))


def _gaussian(a: Node) -> Node:
    """exp(-a^2) with full relative accuracy: the square of a rounded part of `a` has no error."""
    coarse = mul(ROUND(mul(a, 16.0)), 1 / 16)
    return mul(EXP(mul(mul(coarse, coarse), -1.0)), EXP(mul(mul(sub(a, coarse), add(a, coarse)), -1.0)))


def _erfc(x: Node) -> Node:
    a = MINIMUM(ABS(x), constant(_LARGEST_ERFC, x.dtype))
    tail = mul(_gaussian(a), _scaled_erfc(a))
    outer = WHERE(LT(x, constant(0, x.dtype)), sub(2.0, tail), tail)
    return WHERE(LE(a, constant(0.5, x.dtype)), sub(1.0, ERF(x)), outer)


def _offer(function: Callable[..., Node], name: str, *others: str) -> None:
    """Offer a function at the top level, as a method, and in `special`."""
    public(name, inplace=True)(function)
    public(name, *others, namespace=special)(function)


def erfc(input: Any) -> Node:
    """1 - erf(x), accurate also where it is tiny.

    >>> import numpy as np
    >>> from onegraph.ops.elementwise import numpy_constant
    >>> from onegraph.backends.reference import evaluate
    >>> print(evaluate([erfc(numpy_constant(np.array(10.0)))])[0])
    2.08848758376254...e-45
    """
    x, back = _wide(input)
    return back(_erfc(x))


_offer(erfc, "erfc")


@public(namespace=special)
def erfcx(input: Any) -> Node:
    """exp(x^2) erfc(x), which does not underflow for large x."""
    x, back = _wide(input)
    scaled = _scaled_erfc(ABS(x))
    negative = LT(x, constant(0, x.dtype))
    square = WHERE(negative, mul(x, x), constant(0, x.dtype))
    infinite = EQ(ABS(x), constant(math.inf, x.dtype))
    result = WHERE(negative, sub(mul(EXP(square), 2.0), scaled), scaled)
    limit = WHERE(negative, constant(math.inf, x.dtype), constant(0, x.dtype))
    return back(WHERE(infinite, limit, result))


# M. Giles, "Approximating the erfinv function" (GPU Computing Gems 2, 2012), single precision: a start for Newton.
_ERFINV_CENTER = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.000218580870, -4.39150654e-06, -3.5233877e-06,
    3.43273939e-07, 2.81022636e-08,
)  # fmt: skip
_ERFINV_TAIL = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322,
    0.000100950558, -0.000200214257,
)  # fmt: skip


def erfinv(input: Any) -> Node:
    """The inverse of erf on (-1, 1): infinite at -1 and 1, NaN outside.

    Computed in float64 from a polynomial start and three Newton steps, on erf(y) = |x|, or where |x| is close to 1 on
    log(erfc(y)) = log(1 - |x|), which is nearly quadratic in y.

    >>> import numpy as np
    >>> from onegraph.ops.elementwise import numpy_constant
    >>> from onegraph.backends.reference import evaluate
    >>> print(evaluate([erfinv(numpy_constant(np.array(0.5)))])[0])
    0.4769362762044...
    """
    x, back = _double(input)
    one, zero = constant(1, float64), constant(0, float64)
    inside = LT(ABS(x), one)
    safe = WHERE(inside, x, zero)
    w = mul(LOG(mul(sub(1.0, safe), add(safe, 1.0))), -1.0)
    center = LT(w, constant(5, float64))
    near = polynomial(sub(w, 2.5), _ERFINV_CENTER)
    far = polynomial(sub(SQRT(WHERE(center, constant(5, float64), w)), 3.0), _ERFINV_TAIL)
    negative = LT(safe, zero)
    size = WHERE(negative, mul(safe, -1.0), safe)
    y = mul(WHERE(center, near, far), size)
    log_gap = LOG(sub(1.0, size))
    for _ in range(3):
        scaled = _scaled_erfc(y)
        newton = mul(SUB(ERF(y), size), EXP(mul(y, y)))
        newton_in_logarithms = mul(SUB(log_gap, sub(LOG(scaled), mul(y, y))), scaled)
        y = sub(y, mul(WHERE(center, newton, newton_in_logarithms), math.sqrt(math.pi) / 2))
    y = WHERE(negative, mul(y, -1.0), y)
    edge = EQ(ABS(x), one)
    beyond = WHERE(edge, div(x, sub(1.0, ABS(x))), constant(math.nan, float64))
    return back(WHERE(inside, y, beyond))


_offer(erfinv, "erfinv")


@public(namespace=special)
def entr(input: Any) -> Node:
    """-x log(x): 0 at 0, -inf below."""
    x = to_float(input)
    zero = constant(0, x.dtype)
    positive = GT(x, zero)
    value = mul(mul(x, LOG(WHERE(positive, x, constant(1, x.dtype)))), -1.0)
    return WHERE(LT(x, zero), constant(-math.inf, x.dtype), value)


@public(namespace=special)
def ndtr(input: Any) -> Node:
    """The probability that a standard normal variable is at most x."""
    x, back = _wide(input)
    return back(mul(_erfc(mul(x, -math.sqrt(0.5))), 0.5))


@public(namespace=special)
def log_ndtr(input: Any) -> Node:
    """The logarithm of `ndtr`, accurate far in the left tail."""
    x, back = _wide(input)
    a = mul(ABS(x), math.sqrt(0.5))
    low = LT(x, constant(-1, x.dtype))
    scaled = _scaled_erfc(MINIMUM(a, constant(1e30, x.dtype)))
    left = sub(LOG(mul(scaled, 0.5)), mul(a, a))
    right = LOG1P(mul(_erfc(mul(WHERE(low, constant(0, x.dtype), x), math.sqrt(0.5))), -0.5))
    return back(WHERE(low, left, right))


@public(namespace=special)
def ndtri(input: Any) -> Node:
    """The inverse of `ndtr` on (0, 1)."""
    x, back = _double(input)
    return back(mul(erfinv(sub(mul(x, 2.0), 1.0)), math.sqrt(2.0)))


_SHIFT = 10
# Bernoulli numbers B[2j]
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _reflected(x: Node) -> tuple[Node, Node]:
    """Where x < 1/2, and a value of at least 1/2 in any case: x or 1 - x."""
    low = LT(x, constant(0.5, float64))
    return low, WHERE(low, sub(1.0, x), x)


def _asymptotic_start(z: Node) -> tuple[Node, Node]:
    """z + 10, large enough for the asymptotic series, and 1 / (z + 10)^2."""
    shifted = add(z, float(_SHIFT))
    return shifted, div(1.0, mul(shifted, shifted))


def _half_turns(x: Node) -> Node:
    """pi times the distance of x from the nearest integer below, exact for large x."""
    return mul(SUB(x, FLOOR(x)), math.pi)


def lgamma(input: Any) -> Node:
    """The logarithm of |gamma(x)|; infinite at 0, -1, -2, ...

    Stirling's series at x + 10, taken back by the recurrence, and the reflection formula below 1/2
    (Abramowitz and Stegun 6.1.41, 6.1.15, 6.1.17), in float64.

    >>> import numpy as np
    >>> from onegraph.ops.elementwise import numpy_constant
    >>> from onegraph.backends.reference import evaluate
    >>> print(evaluate([lgamma(numpy_constant(np.array(5.0)))])[0])
    3.178053830347...
    """
    x, back = _double(input)
    low, z = _reflected(x)
    shifted, inverse_square = _asymptotic_start(z)
    series = polynomial(inverse_square, [b / ((2 * j + 2) * (2 * j + 1)) for j, b in enumerate(_BERNOULLI)])
    stirling = ADD(mul(sub(shifted, 0.5), LOG(shifted)), sub(div(series, shifted), shifted))
    product = z
    for k in range(1, _SHIFT):
        product = mul(product, add(z, float(k)))
    large = GT(z, constant(1e15, float64))  # the product would overflow, and the shift changes nothing
    back_down = WHERE(large, constant(0, float64), LOG(WHERE(large, constant(1, float64), product)))
    value = sub(add(stirling, 0.5 * math.log(2 * math.pi)), back_down)
    value = WHERE(EQ(z, constant(math.inf, float64)), z, value)
    sine = ABS(SIN(WHERE(low, _half_turns(x), constant(1, float64))))
    mirrored = sub(sub(math.log(math.pi), LOG(sine)), value)
    infinite = EQ(x, constant(-math.inf, float64))
    return back(WHERE(infinite, constant(math.inf, float64), WHERE(low, mirrored, value)))


_offer(lgamma, "lgamma", "gammaln")


def digamma(input: Any) -> Node:
    """The derivative of `lgamma`: -inf at 0, NaN at -1, -2, ...

    The asymptotic series at x + 10, the recurrence and the reflection formula
    (Abramowitz and Stegun 6.3.18, 6.3.5, 6.3.7), in float64.
    """
    x, back = _double(input)
    low, z = _reflected(x)
    shifted, inverse_square = _asymptotic_start(z)
    series = polynomial(inverse_square, [b / (2 * j + 2) for j, b in enumerate(_BERNOULLI)])
    value = sub(sub(LOG(shifted), div(0.5, shifted)), mul(series, inverse_square))
    for k in range(_SHIFT):
        value = sub(value, div(1.0, add(z, float(k))))
    angle = WHERE(low, _half_turns(x), constant(1, float64))
    mirrored = sub(value, mul(div(COS(angle), SIN(angle)), math.pi))
    zero = constant(0, float64)
    pole = AND(LT(x, zero), EQ(x, FLOOR(x)))
    at_zero = EQ(x, zero)
    result = WHERE(pole, constant(math.nan, float64), WHERE(low, mirrored, value))
    reciprocal_of_zero = div(-1.0, WHERE(at_zero, x, constant(1, float64)))
    return back(WHERE(at_zero, reciprocal_of_zero, result))


_offer(digamma, "digamma", "psi")


def hurwitz_zeta(s: float, x: Node) -> Node:
    """The sum of (x + k)^-s over k >= 0, for x > 0, by the Euler-Maclaurin formula (DLMF 25.11.9)."""
    total = pow(x, -s)
    for k in range(1, _SHIFT):
        total = add(total, pow(add(x, float(k)), -s))
    shifted = add(x, float(_SHIFT))
    total = add(total, div(pow(shifted, 1 - s), s - 1))
    total = add(total, mul(pow(shifted, -s), 0.5))
    factor = s  # s (s + 1) ... (s + 2j - 2) / (2j)!, without the Bernoulli number
    for j, bernoulli in enumerate(_BERNOULLI, start=1):
        total = add(total, mul(pow(shifted, -s - 2 * j + 1), bernoulli * factor / math.factorial(2 * j)))
        factor *= (s + 2 * j - 1) * (s + 2 * j)
    return total


_HIGHEST_ORDER = 170
"""The largest n whose factorial is a finite float64."""


@public("polygamma")
def polygamma(n: int, input: Any) -> Node:
    """The n-th derivative of `digamma`, (-1)^(n + 1) n! zeta(n + 1, x) (DLMF 5.15.1); below 1/2 by reflection (5.15.6).

    Args:
        n: order, at least 0.
        input: floating tensor.
    """
    if not isinstance(n, int):  # the method is x.polygamma(n)
        n, input = input, n
    if n < 0:
        raise ArgumentError(f"polygamma: the order must not be negative, got {n}")
    if n > _HIGHEST_ORDER:
        raise ArgumentError(f"polygamma: the order must be at most {_HIGHEST_ORDER}, got {n}: {n}! is not finite")
    if n == 0:
        return digamma(input)
    x, back = _double(input)
    low, z = _reflected(x)
    value = mul(hurwitz_zeta(n + 1.0, z), (-1.0) ** (n + 1) * math.factorial(n))
    angle = WHERE(low, _half_turns(x), constant(1, float64))
    mirrored = sub(mul(value, (-1.0) ** n), mul(_cotangent_derivative(n, angle), math.pi ** (n + 1)))
    return back(WHERE(low, mirrored, value))


def _cotangent_derivative(n: int, x: Node) -> Node:
    """The n-th derivative of the cotangent, n >= 1: a polynomial in c = cot x, since c' = -(1 + c^2).

    Written as (1 + c^2) q(c) with 1 + c^2 = 1 / sin^2 x, so that nothing is lost where the cotangent is near 0.
    """
    outer = [0.0, 1.0]  # p(c) = c; the next is -(1 + c^2) p'(c)
    for _ in range(n):
        inner = [-k * a for k, a in enumerate(outer)][1:]
        outer = [a + b for a, b in zip([*inner, 0.0, 0.0], [0.0, 0.0, *inner], strict=True)]
    sine = SIN(x)
    return div(polynomial(div(COS(x), sine), inner), mul(sine, sine))


public("polygamma", namespace=special)(polygamma)


def mvlgamma(input: Any, p: int) -> Node:
    """The logarithm of the multivariate gamma function of dimension p."""
    if p < 1:
        raise ArgumentError(f"mvlgamma: p must be at least 1, got {p}")
    x = to_float(input)
    total = add(lgamma(x), p * (p - 1) / 4 * math.log(math.pi))
    for j in range(1, p):
        total = add(total, lgamma(sub(x, j / 2)))
    return total


public("mvlgamma")(mvlgamma)
public("multigammaln", namespace=special)(mvlgamma)
