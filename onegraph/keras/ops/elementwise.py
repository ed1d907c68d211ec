"""Operations of one or two tensors, element by element.

Most are another name of an operation of onegraph's; the tables at the end make them. Read next: `reduction.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import convert, dtype_of, floating, operation, pair, tensors

_where, _stack = EXPORTS["where"], EXPORTS["stack"]


def _unary(name: str, does: str, source: str | None = None, floats: bool = False) -> Callable[..., Any]:
    function = EXPORTS[source or name]

    def op(x: Any) -> Any:
        return function(floating(x) if floats else convert(x))

    return _named(op, name, does)


def _binary(name: str, does: str, source: str | None = None, both: bool = False) -> Callable[..., Any]:
    function = EXPORTS[source or name]

    def op(x1: Any, x2: Any) -> Any:
        return function(*(tensors if both else pair)(x1, x2))

    return _named(op, name, does)


def _named(op: Callable[..., Any], name: str, does: str) -> Callable[..., Any]:
    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"{does}, element by element."
    return operation(op)


@operation
def cast(x: Any, dtype: Any) -> Any:
    """The same values with another dtype.

    >>> cast([1.7, 2.0], "int32")
    tensor([1, 2], dtype=onegraph.int32)
    """
    return convert(x).to(dtype_of(dtype))


@operation
def saturate_cast(x: Any, dtype: Any) -> Any:
    """The same values with another dtype, the ones that it cannot hold moved to the nearest it can."""
    wanted = dtype_of(dtype)
    if wanted.is_floating_point:
        limits = EXPORTS["finfo"](wanted)
    else:
        limits = np.iinfo(wanted.name)
    return convert(x).clamp(limits.min, limits.max).to(wanted)


@operation
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Values limited to at least x_min and at most x_max; both may be numbers or tensors."""
    x = convert(x)
    if isinstance(x_min, (int, float)) and isinstance(x_max, (int, float)):
        return x.clamp(x_min, x_max)
    return minimum(maximum(x, x_min), x_max)


@operation
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2; with the condition alone, the places where it holds."""
    condition = convert(condition)
    condition = condition if condition.dtype.name == "bool" else condition != 0
    if x1 is None or x2 is None:
        from onegraph.keras.ops.arrangement import nonzero

        return nonzero(condition)
    return _where(condition, *tensors(x1, x2))


@operation
def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2, element by element; whole numbers give floats."""
    a, b = pair(x1, x2)
    return a / b


@operation
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0."""
    a, b = tensors(x1, x2)
    zero = b == 0
    return _where(zero, (a * 0) / (b * 0 + 1), a / _where(zero, b * 0 + 1, b))


@operation
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest numbers with so many decimals; halves go to the even neighbour."""
    x = convert(x)
    if not x.dtype.is_floating_point:
        return x
    return x.round() if not decimals else (x * 10.0**decimals).round() / 10.0**decimals


@operation
def cbrt(x: Any) -> Any:
    """Cube roots; of negative numbers negative ones."""
    x = floating(x)
    return x.sign() * x.abs() ** (1 / 3)


@operation
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """NaN replaced by a number, infinities by the largest numbers or by those given."""
    return convert(x).nan_to_num(nan, posinf, neginf)


@operation
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |x1 - x2| <= atol + rtol |x2|."""
    a, b = tensors(x1, x2)
    return EXPORTS["isclose"](a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


@operation
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close; a bool tensor."""
    return isclose(x1, x2, rtol, atol, equal_nan).all()


@operation
def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisors of whole numbers."""
    a, b = tensors(x1, x2)
    a, b = EXPORTS["broadcast_tensors"](a.abs(), b.abs())
    for _ in range(100):  # Fibonacci numbers below 2^63, the slowest pairs for Euclid, need fewer steps
        safe = _where(b == 0, b * 0 + 1, b)
        a, b = _where(b == 0, a, b), _where(b == 0, b, a % safe)
    return a


@operation
def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiples of whole numbers."""
    a, b = tensors(x1, x2)
    divisor = gcd(a, b)
    return (a * b).abs() // _where(divisor == 0, divisor * 0 + 1, divisor)


@operation
def ldexp(x1: Any, x2: Any) -> Any:
    """x1 times 2 to the power of x2."""
    a, b = tensors(x1, x2)
    return a * EXPORTS["exp2"](b.to(a.dtype if a.dtype.is_floating_point else dtype_of("float32")))


@operation
def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, order 0. Source: Abramowitz and Stegun, 9.8.1 and 9.8.2."""
    x = floating(x).abs()
    t = (x / 3.75) ** 2
    small = _polynomial(t, (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813))
    inverse = 3.75 / x.clamp(min=3.75)
    series = (
        0.39894228,
        0.01328592,
        0.00225319,
        -0.00157565,
        0.00916281,
        -0.02057706,
        0.02635537,
        -0.01647633,
        0.00392377,
    )
    return _where(x < 3.75, small, x.exp() / x.clamp(min=3.75).sqrt() * _polynomial(inverse, series))


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    total = x * 0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


@operation
def nextafter(x1: Any, x2: Any) -> Any:
    """The next number that the dtype has after x1 on the way to x2. Computed by NumPy."""
    a, b = tensors(x1, x2)
    return convert(np.nextafter(a.detach().numpy(), b.detach().numpy()))


@operation
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """From a list of choices the first whose condition holds, else the default."""
    result = convert(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    return result


@operation
def logical_not(x: Any) -> Any:
    """Whether x is false (0), element by element."""
    return ~_as_bool(x)


def _as_bool(x: Any) -> Any:
    x = convert(x)
    return x if x.dtype.name == "bool" else x != 0


def _logical(name: str, does: str) -> Callable[..., Any]:
    function = EXPORTS[name]

    def op(x1: Any, x2: Any) -> Any:
        return function(_as_bool(x1), _as_bool(x2))

    return _named(op, name, does)


logical_and = _logical("logical_and", "Whether both hold")
logical_or = _logical("logical_or", "Whether one or both hold")
logical_xor = _logical("logical_xor", "Whether exactly one holds")

abs = _unary("abs", "Absolute values")
absolute = _unary("absolute", "Absolute values", "abs")
fabs = _unary("fabs", "Absolute values", "abs")
negative = _unary("negative", "-x", "neg")
sign = _unary("sign", "-1, 0 or 1")
signbit = _unary("signbit", "Whether the sign bit is set")
square = _unary("square", "x²")
reciprocal = _unary("reciprocal", "1 / x", floats=True)
sqrt = _unary("sqrt", "Square roots", floats=True)
rsqrt = _unary("rsqrt", "1 / sqrt(x)", floats=True)
exp = _unary("exp", "e^x", floats=True)
exp2 = _unary("exp2", "2^x", floats=True)
expm1 = _unary("expm1", "e^x - 1", floats=True)
log = _unary("log", "Natural logarithms", floats=True)
log2 = _unary("log2", "Logarithms to base 2", floats=True)
log10 = _unary("log10", "Logarithms to base 10", floats=True)
log1p = _unary("log1p", "log(1 + x)", floats=True)
sin = _unary("sin", "Sines", floats=True)
cos = _unary("cos", "Cosines", floats=True)
tan = _unary("tan", "Tangents", floats=True)
sinh = _unary("sinh", "Hyperbolic sines", floats=True)
cosh = _unary("cosh", "Hyperbolic cosines", floats=True)
tanh = _unary("tanh", "Hyperbolic tangents", floats=True)
arcsin = _unary("arcsin", "Inverse sines", floats=True)
arccos = _unary("arccos", "Inverse cosines", floats=True)
arctan = _unary("arctan", "Inverse tangents", floats=True)
arcsinh = _unary("arcsinh", "Inverse hyperbolic sines", floats=True)
arccosh = _unary("arccosh", "Inverse hyperbolic cosines", floats=True)
arctanh = _unary("arctanh", "Inverse hyperbolic tangents", floats=True)
erf = _unary("erf", "The error function", floats=True)
erfc = _unary("erfc", "1 - erf(x)", floats=True)
erfinv = _unary("erfinv", "The inverse of the error function", floats=True)
sinc = _unary("sinc", "sin(pi x) / (pi x)", floats=True)
floor = _unary("floor", "The next whole numbers below", floats=True)
ceil = _unary("ceil", "The next whole numbers above", floats=True)
trunc = _unary("trunc", "The whole numbers toward 0", floats=True)
deg2rad = _unary("deg2rad", "Degrees as radians", floats=True)
rad2deg = _unary("rad2deg", "Radians as degrees", floats=True)
isnan = _unary("isnan", "Whether x is NaN", floats=True)
isinf = _unary("isinf", "Whether x is infinite", floats=True)
isfinite = _unary("isfinite", "Whether x is finite", floats=True)
isposinf = _unary("isposinf", "Whether x is infinite and positive", floats=True)
isneginf = _unary("isneginf", "Whether x is infinite and negative", floats=True)
isreal = _unary("isreal", "Whether x is a real number; all are")
real = _unary("real", "The real part")
conj = _unary("conj", "The complex conjugate")
conjugate = _unary("conjugate", "The complex conjugate", "conj")
bitwise_not = _unary("bitwise_not", "All bits turned")
bitwise_invert = _unary("bitwise_invert", "All bits turned", "bitwise_not")

add = _binary("add", "x1 + x2")
subtract = _binary("subtract", "x1 - x2", both=True)
multiply = _binary("multiply", "x1 x2", "mul")
true_divide = _binary("true_divide", "x1 / x2", both=True)
power = _binary("power", "x1 to the power of x2", "pow")
mod = _binary("mod", "The remainder of x1 / x2, with the sign of x2", "remainder", both=True)
fmod = _binary("fmod", "The remainder of x1 / x2, with the sign of x1", both=True)
floor_divide = _binary("floor_divide", "The next whole number below x1 / x2", both=True)
maximum = _binary("maximum", "The larger of two, NaN if one is", both=True)
minimum = _binary("minimum", "The smaller of two, NaN if one is", both=True)
fmax = _binary("fmax", "The larger of two, NaN only if both are", both=True)
fmin = _binary("fmin", "The smaller of two, NaN only if both are", both=True)
equal = _binary("equal", "Whether x1 = x2", "eq", both=True)
not_equal = _binary("not_equal", "Whether x1 and x2 differ", "ne", both=True)
less = _binary("less", "Whether x1 < x2", "lt", both=True)
less_equal = _binary("less_equal", "Whether x1 <= x2", "le", both=True)
greater = _binary("greater", "Whether x1 > x2", "gt", both=True)
greater_equal = _binary("greater_equal", "Whether x1 >= x2", "ge", both=True)
arctan2 = _binary("arctan2", "The angle of the point (x2, x1)", both=True)
hypot = _binary("hypot", "sqrt(x1² + x2²)", both=True)
heaviside = _binary("heaviside", "0 below 0, x2 at 0, 1 above", both=True)
logaddexp = _binary("logaddexp", "log(e^x1 + e^x2)", both=True)
logaddexp2 = _binary("logaddexp2", "log2(2^x1 + 2^x2)", both=True)


def _bits(name: str, does: str, source: str | None = None) -> Callable[..., Any]:
    function = EXPORTS[source or name]

    def op(x: Any, y: Any) -> Any:
        return function(*tensors(x, y))

    return _named(op, name, does)


bitwise_and = _bits("bitwise_and", "Bits that both have")
bitwise_or = _bits("bitwise_or", "Bits that one or both have")
bitwise_xor = _bits("bitwise_xor", "Bits that exactly one has")
bitwise_left_shift = _bits("bitwise_left_shift", "x moved y bits to the left")
bitwise_right_shift = _bits("bitwise_right_shift", "x moved y bits to the right")
left_shift = _bits("left_shift", "x moved y bits to the left", "bitwise_left_shift")
right_shift = _bits("right_shift", "x moved y bits to the right", "bitwise_right_shift")


@operation
def imag(x: Any) -> Any:
    """The imaginary part: zeros, as all numbers here are real."""
    return convert(x) * 0


@operation
def angle(x: Any) -> Any:
    """The angle of a real number in the complex plane: 0, or pi of a negative one."""
    x = floating(x)
    return _where(x < 0, x * 0 + math.pi, x * 0)
