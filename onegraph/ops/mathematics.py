"""Elementwise functions composed of the primitives: logarithms, hyperbolic inverses, comparisons with tolerance.

Read next: `special.py` (erfc, gamma functions), `elementwise.py` and `binary.py` (the primitives).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import bool_, float64, uint8
from onegraph.ir.node import Node
from onegraph.ops.binary import (
    ADD,
    AND,
    DIV,
    EQ,
    GT,
    LE,
    LT,
    MAXIMUM,
    MUL,
    OR,
    POW,
    SUB,
    add,
    div,
    mul,
    pow,
    sub,
)  # fmt: skip
from onegraph.ops.cast import CAST, cast
from onegraph.ops.elementwise import (  # fmt: skip
    ABS,
    EXP,
    ISFINITE,
    ISINF,
    ISNAN,
    LOG,
    LOG1P,
    NEG,
    RECIPROCAL,
    SIN,
    SQRT,
    TRUNC,
    WHERE,
    detach,
)
from onegraph.ops.leaf import constant
from onegraph.ops.movement import concat, full, slice_dim
from onegraph.ops.promotion import as_node, promote, promote_pair, to_float
from onegraph.ops.public import public
from onegraph.ops.reduction import MIN
from onegraph.ops.shapes import as_float, broadcast_shapes, normalize_dim, same_shape, show


def _floats(*operands: Any) -> tuple[Node, ...]:
    """All operands in their common floating dtype."""
    nodes = promote(*operands)
    return tuple([to_float(n) for n in nodes])


@public("exp2", inplace=True)
def exp2(input: Any) -> Node:
    """2 to the power of x, elementwise; exact for whole numbers."""
    x = to_float(input)
    return POW(constant(2, x.dtype), x)


@public("log2", inplace=True)
def log2(input: Any) -> Node:
    """The logarithm to base 2, elementwise."""
    x = to_float(input)
    return DIV(LOG(x), constant(math.log(2), x.dtype))


@public("log10", inplace=True)
def log10(input: Any) -> Node:
    """The logarithm to base 10, elementwise."""
    x = to_float(input)
    return DIV(LOG(x), constant(math.log(10), x.dtype))


@public("logaddexp")
def logaddexp(input: Any, other: Any) -> Node:
    """log(exp(a) + exp(b)), elementwise, without overflow: max(a, b) + log(1 + exp(-|a - b|))."""
    a, b = _floats(input, other)
    zero = constant(0, a.dtype)
    same = EQ(a, b)  # also where both are infinite, whose difference is NaN
    distance = ABS(WHERE(same, zero, SUB(WHERE(same, zero, a), WHERE(same, zero, b))))
    return ADD(MAXIMUM(a, b), LOG1P(EXP(NEG(distance))))


@public("logaddexp2")
def logaddexp2(input: Any, other: Any) -> Node:
    """log2(2^a + 2^b), elementwise, without overflow."""
    a, b = _floats(input, other)
    return div(logaddexp(mul(a, math.log(2)), mul(b, math.log(2))), math.log(2))


@public("xlogy", inplace=True)
def xlogy(input: Any, other: Any) -> Node:
    """x log(y), elementwise: 0 where x is 0, unless y is NaN."""
    x, y = _floats(input, other)
    nothing = AND(EQ(x, constant(0, x.dtype)), EQ(y, y))
    return WHERE(nothing, constant(0, x.dtype), MUL(x, LOG(WHERE(nothing, constant(1, y.dtype), y))))


@public("xlog1py", namespace="special")
def xlog1py(input: Any, other: Any) -> Node:
    """x log(1 + y), elementwise: 0 where x is 0, unless y is NaN."""
    x, y = _floats(input, other)
    nothing = AND(EQ(x, constant(0, x.dtype)), EQ(y, y))
    return WHERE(nothing, constant(0, x.dtype), MUL(x, LOG1P(WHERE(nothing, constant(1, y.dtype), y))))


@public("hypot", inplace=True)
def hypot(input: Any, other: Any) -> Node:
    """sqrt(a^2 + b^2), elementwise, without overflow: both are scaled by the larger one."""
    a, b = _floats(input, other)
    larger = detach(MAXIMUM(ABS(a), ABS(b)))
    zero, one = constant(0, a.dtype), constant(1, a.dtype)
    scale = WHERE(AND(GT(larger, zero), ISFINITE(larger)), larger, one)
    x, y = DIV(a, scale), DIV(b, scale)
    infinite = OR(ISINF(a), ISINF(b))
    return WHERE(infinite, constant(math.inf, a.dtype), MUL(scale, SQRT(ADD(MUL(x, x), MUL(y, y)))))


@public("sinc", inplace=True)
def sinc(input: Any) -> Node:
    """sin(pi x) / (pi x), elementwise; 1 at 0."""
    x = to_float(input)
    at_zero = EQ(x, constant(0, x.dtype))
    angle = mul(WHERE(at_zero, constant(1, x.dtype), x), math.pi)
    return WHERE(at_zero, constant(1, x.dtype), DIV(SIN(angle), angle))


@public("frac", inplace=True)
def frac(input: Any) -> Node:
    """The part after the point, with the sign of x, elementwise."""
    x = as_node(input)
    if not x.dtype.is_floating_point:
        raise DTypeError(f"frac: needs a floating dtype, got {x.dtype.name}")
    return SUB(x, TRUNC(x))


@public("logit", inplace=True)
def logit(input: Any, eps: float | None = None) -> Node:
    """log(x / (1 - x)), elementwise, the inverse of sigmoid.

    Args:
        input: tensor of probabilities.
        eps: x is first clamped to [eps, 1 - eps]; None leaves it as it is.
    """
    from onegraph.ops.binary import clamp

    x = to_float(input)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return LOG(DIV(x, sub(1.0, x)))


def _large(x: Node) -> Node:
    """Above this the square of a number overflows or has lost everything else."""
    return constant(math.sqrt(float(np.finfo(np.float64 if x.dtype is float64 else np.float32).max)) / 4, x.dtype)


@public("asinh", "arcsinh", inplace=True)
def asinh(input: Any) -> Node:
    """Inverse hyperbolic sine, elementwise: log(x + sqrt(x^2 + 1)), accurate near 0 and for large x."""
    node = to_float(input)
    x = cast(node, float64) if node.dtype.bits < 32 else node
    negative = LT(x, constant(0, x.dtype))
    a = WHERE(negative, NEG(x), x)
    large = GT(a, _large(x))
    safe = WHERE(large, constant(1, x.dtype), a)
    square = MUL(safe, safe)
    near = LOG1P(ADD(safe, DIV(square, add(SQRT(add(square, 1.0)), 1.0))))
    far = add(LOG(WHERE(large, a, constant(1, x.dtype))), math.log(2))
    y = WHERE(large, far, near)
    return cast(WHERE(negative, NEG(y), y), node.dtype)


@public("acosh", "arccosh", inplace=True)
def acosh(input: Any) -> Node:
    """Inverse hyperbolic cosine, elementwise; NaN below 1."""
    node = to_float(input)
    x = cast(node, float64) if node.dtype.bits < 32 else node
    large = GT(x, _large(x))
    t = sub(WHERE(large, constant(2, x.dtype), x), 1.0)
    near = LOG1P(ADD(t, SQRT(MUL(t, add(t, 2.0)))))
    far = add(LOG(WHERE(large, x, constant(1, x.dtype))), math.log(2))
    outside = LT(x, constant(1, x.dtype))
    return cast(WHERE(outside, constant(math.nan, x.dtype), WHERE(large, far, near)), node.dtype)


@public("atanh", "arctanh", inplace=True)
def atanh(input: Any) -> Node:
    """Inverse hyperbolic tangent, elementwise: (log(1 + x) - log(1 - x)) / 2."""
    x = to_float(input)
    return mul(SUB(LOG1P(x), LOG1P(NEG(x))), 0.5)


@public("deg2rad", inplace=True)
def deg2rad(input: Any) -> Node:
    """Degrees to radians, elementwise."""
    return mul(to_float(input), math.pi / 180)


@public("rad2deg", inplace=True)
def rad2deg(input: Any) -> Node:
    """Radians to degrees, elementwise."""
    return mul(to_float(input), 180 / math.pi)


@public("heaviside", inplace=True)
def heaviside(input: Any, values: Any) -> Node:
    """0 for negative x, 1 for positive x, and `values` at 0, elementwise."""
    x, at_zero = as_node(input), as_node(values)
    if x.dtype is not at_zero.dtype:
        raise DTypeError(f"heaviside: dtypes {x.dtype.name} and {at_zero.dtype.name} differ")
    zero = constant(0, x.dtype)
    return detach(WHERE(EQ(x, zero), at_zero, CAST(GT(x, zero), dtype=x.dtype)))


@public("signbit")
def signbit(input: Any) -> Node:
    """Whether the sign is minus, also that of -0.0, elementwise."""
    x = as_node(input)
    if x.dtype in (bool_, uint8):
        return full(x.shape, False, bool_)
    zero = constant(0, x.dtype)
    if not x.dtype.is_floating_point:
        return LT(x, zero)
    return OR(LT(x, zero), AND(EQ(x, zero), LT(RECIPROCAL(x), zero)))


@public("copysign", inplace=True)
def copysign(input: Any, other: Any) -> Node:
    """The magnitude of `input` with the sign of `other`, elementwise."""
    a, b = _floats(input, other)
    size = ABS(a)
    value = WHERE(signbit(b), NEG(size), size)
    return WHERE(constant(False, bool_), b, value)  # never b: the sign gets a gradient, of zeros


def _largest(x: Node) -> float:
    """The largest finite number of a floating dtype."""
    limits = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": float(np.finfo(np.float32).max)}
    return limits.get(x.dtype.name, float(np.finfo(np.float64).max))


@public("nan_to_num", inplace=True)
def nan_to_num(input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Node:
    """NaN and infinities replaced by numbers, elementwise.

    Args:
        input: tensor of any shape.
        nan: instead of NaN; 0 by default.
        posinf, neginf: instead of infinities; the largest and the lowest finite number by default.
    """
    x = as_node(input)
    if not x.dtype.is_floating_point:
        return x
    high = constant(as_float("nan_to_num", "posinf", _largest(x) if posinf is None else posinf), x.dtype)
    low = constant(as_float("nan_to_num", "neginf", -_largest(x) if neginf is None else neginf), x.dtype)
    y = WHERE(ISNAN(x), constant(as_float("nan_to_num", "nan", nan or 0.0), x.dtype), x)
    y = WHERE(EQ(x, constant(math.inf, x.dtype)), high, y)
    return WHERE(EQ(x, constant(-math.inf, x.dtype)), low, y)


@public("isclose")
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Node:
    """Whether |a - b| <= atol + rtol |b|, elementwise, or both are equal.

    Args:
        input, other: tensors of one dtype.
        rtol, atol: relative and absolute tolerance.
        equal_nan: whether NaN counts as close to NaN.
    """
    a, b = as_node(input), as_node(other)
    if a.dtype is not b.dtype:
        raise DTypeError(
            f"isclose: dtypes {a.dtype.name} and {b.dtype.name} differ", hint="cast one, e.g. x.to(y.dtype)"
        )
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if isinstance(tolerance, (int, float)) and tolerance < 0:
            raise ArgumentError(f"isclose: {name} must not be negative, got {tolerance}")
    close = EQ(a, b)
    if equal_nan and a.dtype.is_floating_point:
        close = OR(close, AND(ISNAN(a), ISNAN(b)))
    x, y = (a, b) if a.dtype.is_floating_point else (cast(a, float64), cast(b, float64))
    distance = ABS(SUB(x, y))
    allowed = add(mul(ABS(y), as_float("isclose", "rtol", rtol)), as_float("isclose", "atol", atol))
    return OR(close, AND(ISFINITE(distance), LE(distance, allowed)))


def _all_of(truth: Node) -> Node:
    if truth.size == 0:
        return constant(True, bool_)
    return MIN(truth, dims=tuple(range(len(truth.shape))), keepdim=False)


@public("allclose")
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Node:
    """Whether all elements are close, as one bool; see `isclose`."""
    return _all_of(isclose(input, other, rtol, atol, equal_nan))


@public("equal")
def equal(input: Any, other: Any) -> Node:
    """Whether two tensors have the same shape and the same elements, as one bool."""
    a, b = as_node(input), as_node(other)
    if not same_shape(a.shape, b.shape):
        return constant(False, bool_)
    return _all_of(EQ(*promote_pair(a, b)))


@public("isposinf")
def isposinf(input: Any) -> Node:
    """Whether each element is plus infinity."""
    x = as_node(input)
    return EQ(x, constant(math.inf, x.dtype)) if x.dtype.is_floating_point else full(x.shape, False, bool_)


@public("isneginf")
def isneginf(input: Any) -> Node:
    """Whether each element is minus infinity."""
    x = as_node(input)
    return EQ(x, constant(-math.inf, x.dtype)) if x.dtype.is_floating_point else full(x.shape, False, bool_)


@public("isreal")
def isreal(input: Any) -> Node:
    """Whether each element is real; all are."""
    return full(as_node(input).shape, True, bool_)


@public("positive")
def positive(input: Any) -> Node:
    """The tensor itself; a DTypeError for bools, as for `neg`."""
    x = as_node(input)
    if x.dtype is bool_:
        raise DTypeError("positive: does not take bool")
    return x


@public("ldexp", inplace=True)
def ldexp(input: Any, other: Any) -> Node:
    """input * 2^other, elementwise."""
    return mul(input, exp2(other))


@public("float_power", inplace=True)
def float_power(input: Any, exponent: Any) -> Node:
    """input to the power of exponent, in float64, elementwise."""
    base = cast(as_node(input), float64)
    return pow(
        base, cast(exponent, float64) if isinstance(exponent, Node) else as_float("float_power", "exponent", exponent)
    )


@public("cross")
def cross(input: Any, other: Any, dim: int | None = None) -> Node:
    """The cross product of vectors of three elements along a dimension.

    Args:
        input, other: tensors whose shapes broadcast, of size 3 along `dim`.
        dim: None for the first dimension of size 3.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([cross(as_node([1.0, 0.0, 0.0]), as_node([0.0, 1.0, 0.0]))])
    [array([0., 0., 1.], dtype=float32)]
    """
    a, b = promote_pair(input, other)
    if len(a.shape) != len(b.shape):
        raise ShapeError(f"cross: {show(a.shape)} and {show(b.shape)} must have as many dimensions")
    shape = broadcast_shapes("cross", a.shape, b.shape)
    if dim is None:
        places = [i for i, size in enumerate(shape) if size == 3]
        if not places:
            raise ShapeError(f"cross: no dimension of {show(shape)} has size 3")
        place = places[0]
    else:
        place = normalize_dim("cross", dim, len(shape))
    place -= len(shape)  # from the end, so that it fits both before they broadcast
    if any(-place > len(x.shape) or x.shape[place] != 3 for x in (a, b)):
        raise ShapeError(f"cross: {show(a.shape)} and {show(b.shape)}: dimension {place} must have size 3 in both")

    def part(x: Node, i: int) -> Node:
        return slice_dim(x, len(x.shape) + place, i, i + 1)

    parts = [SUB(MUL(part(a, i), part(b, j)), MUL(part(a, j), part(b, i))) for i, j in ((1, 2), (2, 0), (0, 1))]
    return concat(parts, place)


@public("cross", namespace="linalg")
def linalg_cross(input: Any, other: Any, *, dim: int = -1) -> Node:
    """The cross product of vectors of three elements along a dimension, the last by default."""
    return cross(input, other, dim)
