"""Elementwise ops of two inputs: arithmetic, comparisons, logic and shifts. Inputs broadcast as NumPy's do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError
from onegraph.ir.dtype import DType, bool_, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.cast import cast, to_bool
from onegraph.ops.elementwise import ABS, LOG, NEG, TRUNC, WHERE, reciprocal, sqrt
from onegraph.ops.leaf import constant
from onegraph.ops.lowering import Pointwise, ScalarCode, V
from onegraph.ops.promotion import as_node, common_dtype, promote, promote_pair, to_float
from onegraph.ops.public import public
from onegraph.ops.record import Array, InputGradient, Kind, Op, Sample, real, register
from onegraph.ops.shapes import broadcast_shapes, show


def _rule(name: str, kinds: tuple[str, ...], result: DType | None) -> Callable[[Node, Node], tuple[Shape, DType]]:
    def rule(a: Node, b: Node) -> tuple[Shape, DType]:
        if a.dtype is not b.dtype:
            raise DTypeError(f"{name}: dtypes {a.dtype.name} and {b.dtype.name} differ")
        if a.dtype.kind not in kinds:
            raise DTypeError(
                f"{name}: does not take dtype {a.dtype.name} ({show(a.shape)} and {show(b.shape)}), only {' or '.join(kinds)}"
            )
        shape = a.shape if a.shape == b.shape or not b.shape else broadcast_shapes(name, a.shape, b.shape)
        return shape, result or a.dtype

    return rule


def _samples(low: float, high: float, whole: bool) -> Callable[[], list[Sample]]:
    def pair(*shapes: tuple[int, ...]) -> Sample:
        a, b = (real(*s, low=low, high=high, seed=i) for i, s in enumerate(shapes))
        if whole:
            return Sample(np.round(a * 3).astype(np.int64), np.abs(np.round(b * 3)).astype(np.int64) + 1)
        return Sample(a, b)

    def samples() -> list[Sample]:
        return [
            pair((2, 3), (2, 3)),
            pair((2, 3), (3,)),
            pair((4, 1), (1, 5)),
            pair((), (2,)),
            pair((0, 3), (1,)),
            pair((3,), ()),
        ]

    return samples


def _binary(
    name: str,
    doc: str,
    reference: Callable[[Array, Array], Array],
    left: InputGradient = None,
    right: InputGradient = None,
    *,
    low: float = -2.0,
    high: float = 2.0,
    kinds: tuple[str, ...] = ("uint", "int", "float"),
    result: DType | None = None,
    lower: Callable[[ScalarCode, V, V], V] | None = None,
    exact: bool = False,
) -> Op:
    """A record; `lower` is by default the method of that name."""
    return register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            doc=doc,
            rule=_rule(name, kinds, result),
            reference=reference,
            gradient=(left, right) if left is not None or right is not None else None,
            samples=_samples(low, high, "float" not in kinds),
            dtypes=kinds,
            lowering=Pointwise(lower or (lambda k, a, b: getattr(k, name)(a, b)), exact),
        )
    )


def _integer_safe(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Division of integers by zero is an error, and INT_MIN / -1 wraps, instead of whatever the processor does."""

    def checked(a: Array, b: Array) -> Array:
        if a.dtype.kind != "f" and np.any(b == 0):
            raise ZeroDivisionError("integer division by zero")
        return function(a, b)

    return checked


def _pow_reference(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.power(a, b)
    exponent = np.where(b < 0, 0, b)
    inverse = np.where(a == 1, 1, np.where(a == -1, np.where(b % 2 == 0, 1, -1), 0))  # integer part of a ** negative
    return np.where(b < 0, inverse, np.power(a, exponent)).astype(a.dtype)


def _half_where_equal(n: Node, g: Node, mine: int, wins: Op) -> Node:
    """The gradient goes to the input that was chosen, half to each where both are equal."""
    a, b = n.inputs[mine], n.inputs[1 - mine]
    chosen = WHERE(wins(a, b), g, constant(0, g.dtype))
    return WHERE(EQ(a, b), mul(g, 0.5), chosen)


ALL_KINDS = ("bool", "uint", "int", "float")

ADD: Op = _binary("add", "a + b", np.add, lambda n, g: g, lambda n, g: g, kinds=ALL_KINDS)
SUB: Op = _binary("sub", "a - b", np.subtract, lambda n, g: g, lambda n, g: NEG(g))
MUL: Op = _binary(
    "mul", "a * b", np.multiply, lambda n, g: MUL(g, n.inputs[1]), lambda n, g: MUL(g, n.inputs[0]), kinds=ALL_KINDS
)
DIV: Op = _binary(
    "div",
    "a / b of floating numbers",
    np.divide,
    lambda n, g: DIV(g, n.inputs[1]),
    lambda n, g: NEG(MUL(g, DIV(n, n.inputs[1]))),
    low=0.5,
    kinds=("float",),
)
POW: Op = _binary(
    "pow",
    "a to the power of b",
    _pow_reference,
    lambda n, g: _pow_gradient_base(n, g),
    lambda n, g: _pow_gradient_exponent(n, g),
    low=0.2,
)
MOD: Op = _binary(
    "mod",
    "remainder with the sign of b, as Python's %",
    _integer_safe(np.mod),
    lambda n, g: g,
    lambda n, g: NEG(MUL(g, FLOOR_DIV(*n.inputs))),
    low=0.3,
)
FLOOR_DIV: Op = _binary(
    "floor_div", "a / b rounded down, as Python's //", _integer_safe(np.floor_divide), None, None, low=0.3
)
MAXIMUM: Op = _binary(
    "maximum",
    "the larger of a and b; NaN if either is",
    np.maximum,
    lambda n, g: _half_where_equal(n, g, 0, GT),
    lambda n, g: _half_where_equal(n, g, 1, GT),
    kinds=ALL_KINDS,
    exact=True,
)
MINIMUM: Op = _binary(
    "minimum",
    "the smaller of a and b; NaN if either is",
    np.minimum,
    lambda n, g: _half_where_equal(n, g, 0, LT),
    lambda n, g: _half_where_equal(n, g, 1, LT),
    kinds=ALL_KINDS,
    exact=True,
)
ATAN2: Op = _binary(
    "atan2",
    "the angle of the point (b, a)",
    np.arctan2,
    lambda n, g: MUL(g, DIV(n.inputs[1], _square_sum(n))),
    lambda n, g: MUL(g, DIV(NEG(n.inputs[0]), _square_sum(n))),
    low=0.5,
    kinds=("float",),
)


def _comparison(name: str, doc: str, reference: Callable[[Array, Array], Array]) -> Op:
    return _binary(
        name, doc, reference, kinds=ALL_KINDS, result=bool_, lower=lambda k, a, b: k.compare(name, a, b), exact=True
    )


def _logic(name: str, doc: str, reference: Callable[[Array, Array], Array]) -> Op:
    return _binary(name, doc, reference, kinds=("bool", "uint", "int"), lower=lambda k, a, b: k.logic(name, a, b))


EQ: Op = _comparison("eq", "a == b", np.equal)
NE: Op = _comparison("ne", "a != b", np.not_equal)
LT: Op = _comparison("lt", "a < b", np.less)
LE: Op = _comparison("le", "a <= b", np.less_equal)
GT: Op = _comparison("gt", "a > b", np.greater)
GE: Op = _comparison("ge", "a >= b", np.greater_equal)
AND: Op = _logic("and", "bitwise and; logical for bools", np.bitwise_and)
OR: Op = _logic("or", "bitwise or; logical for bools", np.bitwise_or)
XOR: Op = _logic("xor", "bitwise exclusive or; logical for bools", np.bitwise_xor)


def _shift(function: Callable[[Array, Array], Array], fill_sign: bool) -> Callable[[Array, Array], Array]:
    def shifted(a: Array, b: Array) -> Array:
        bits = a.dtype.itemsize * 8
        beyond = (b < 0) | (b >= bits)
        out = function(a, np.where(beyond, 0, b))
        rest = np.where(a < 0, -1, 0).astype(a.dtype) if fill_sign and a.dtype.kind == "i" else np.zeros_like(a)
        return np.where(beyond, rest, out).astype(a.dtype)

    return shifted


SHIFT_LEFT: Op = _binary("shift_left", "bits moved up", _shift(np.left_shift, False), kinds=("uint", "int"))
SHIFT_RIGHT: Op = _binary(
    "shift_right", "bits moved down, the sign kept", _shift(np.right_shift, True), kinds=("uint", "int")
)


def _square_sum(n: Node) -> Node:
    a, b = n.inputs
    return add(mul(a, a), mul(b, b))


def _pow_gradient_base(n: Node, g: Node) -> Node:
    a, b = n.inputs
    zero = constant(0, b.dtype)
    return WHERE(EQ(b, zero), zero, mul(g, mul(b, POW(a, sub(b, 1)))))


def _pow_gradient_exponent(n: Node, g: Node) -> Node:
    a, b = n.inputs
    zero = constant(0, a.dtype)
    nothing = AND(EQ(a, zero), GE(b, zero))  # 0 ** b does not change with b >= 0, though log 0 is -inf
    safe = WHERE(nothing, constant(1, a.dtype), a)
    return WHERE(nothing, zero, mul(g, mul(n, LOG(safe))))


def _scaled(other: Any, alpha: Any) -> Any:
    return other if alpha == 1 else mul(other, alpha)


@public(inplace=True, lift=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Node:
    """input + alpha * other, elementwise; shapes broadcast and dtypes promote."""
    return ADD(*promote_pair(input, _scaled(other, alpha)))


@public("sub", "subtract", inplace=True, lift=True)
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Node:
    """input - alpha * other, elementwise; shapes broadcast and dtypes promote."""
    a, b = promote_pair(input, _scaled(other, alpha))
    if a.dtype is bool_:
        raise DTypeError("sub: bools cannot be subtracted", hint="use ^ or logical_xor")
    return SUB(a, b)


@public(lift=True)
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Node:
    """other - alpha * input, elementwise."""
    return sub(other, input, alpha=alpha)


@public("mul", "multiply", inplace=True, lift=True)
def mul(input: Any, other: Any) -> Node:
    """input * other, elementwise; shapes broadcast and dtypes promote."""
    return MUL(*promote_pair(input, other))


@public("div", "divide", "true_divide", inplace=True, lift=True)
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Node:
    """input / other, elementwise. Integers give floating results unless rounded.

    Args:
        rounding_mode: None for true division, 'trunc' to round toward zero, 'floor' to round down.
    """
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode not in (None, "trunc"):
        raise ArgumentError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    a, b = promote_pair(input, other)
    if rounding_mode is None or a.dtype.is_floating_point:
        quotient = DIV(to_float(a), to_float(b))
        return quotient if rounding_mode is None else TRUNC(quotient)
    floored, remainder = FLOOR_DIV(a, b), MOD(a, b)
    zero = constant(0, a.dtype)
    up = AND(NE(remainder, zero), NE(LT(a, zero), LT(b, zero)))  # rounded down, past zero
    return ADD(floored, WHERE(up, constant(1, a.dtype), zero))


@public(inplace=True, lift=True)
def floor_divide(input: Any, other: Any) -> Node:
    """input / other rounded down, elementwise."""
    return FLOOR_DIV(*promote_pair(input, other))


@public("remainder", inplace=True, lift=True)
def remainder(input: Any, other: Any) -> Node:
    """The remainder with the sign of `other`, as Python's %."""
    return MOD(*promote_pair(input, other))


@public(inplace=True, lift=True)
def fmod(input: Any, other: Any) -> Node:
    """The remainder with the sign of `input`, as C's fmod."""
    a, b = promote_pair(input, other)
    if a.dtype.is_floating_point:
        zero = constant(0, a.dtype)
        r = MOD(as_abs(a), as_abs(b))
        return WHERE(LT(a, zero), NEG(r), r)
    return sub(a, mul(div(a, b, rounding_mode="trunc"), b))


def as_abs(x: Node) -> Node:
    """|x|."""
    return ABS(x)


@public("pow", inplace=True)
def pow(input: Any, exponent: Any) -> Node:
    """input to the power of exponent, elementwise.

    Exponents 2, 3, 0.5, 1 and -1 given as Python numbers are computed without a general power.
    """
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool) and isinstance(input, Node):
        x = input
        if exponent == 1:
            return promote_pair(x, exponent)[0]
        if exponent in (2, 3):
            y = promote_pair(x, exponent)[0]
            return MUL(y, y) if exponent == 2 else MUL(MUL(y, y), y)
        if x.dtype.is_floating_point and exponent in (0.5, -1):
            return sqrt(x) if exponent == 0.5 else reciprocal(x)
    a, b = promote_pair(input, exponent)
    if a.dtype is bool_:
        raise DTypeError("pow: bools have no powers", hint="cast one to an integer or a float")
    if not a.dtype.is_floating_point and isinstance(exponent, int) and exponent < 0:
        raise ArgumentError(
            "pow: integers to a negative integer power are not integers", hint="cast the base to a float"
        )
    return POW(a, b)


@public("maximum")
def maximum(input: Any, other: Any) -> Node:
    """The larger of the two, elementwise; NaN if either is NaN.

    The gradient goes to the larger input, half to each where they are equal.
    """
    return MAXIMUM(*promote_pair(input, other))


@public("minimum")
def minimum(input: Any, other: Any) -> Node:
    """The smaller of the two, elementwise; NaN if either is NaN."""
    return MINIMUM(*promote_pair(input, other))


@public("fmax")
def fmax(input: Any, other: Any) -> Node:
    """The larger of the two, elementwise; a NaN gives way to a number."""
    a, b = promote_pair(input, other)
    return WHERE(OR(GE(a, b), NE(b, b)), a, b)


@public("fmin")
def fmin(input: Any, other: Any) -> Node:
    """The smaller of the two, elementwise; a NaN gives way to a number."""
    a, b = promote_pair(input, other)
    return WHERE(OR(LE(a, b), NE(b, b)), a, b)


@public("atan2", "arctan2", inplace=True)
def atan2(input: Any, other: Any) -> Node:
    """The angle in radians of the point with height `input` and width `other`."""
    a, b = promote_pair(input, other)
    return ATAN2(to_float(a), to_float(b))


def _offer_comparison(op: Op, *names: str) -> Callable[[Any, Any], Node]:
    def function(input: Any, other: Any) -> Node:
        return op(*promote_pair(input, other))

    function.__name__ = names[0]
    function.__doc__ = f"{op.doc}, elementwise, as bools."
    return public(*names, inplace=True, lift=True)(function)


eq = _offer_comparison(EQ, "eq")
ne = _offer_comparison(NE, "ne", "not_equal")
lt = _offer_comparison(LT, "lt", "less")
le = _offer_comparison(LE, "le", "less_equal")
gt = _offer_comparison(GT, "gt", "greater")
ge = _offer_comparison(GE, "ge", "greater_equal")


def _offer_bits(op: Op, name: str) -> Callable[[Any, Any], Node]:
    def function(input: Any, other: Any) -> Node:
        a, b = promote_pair(input, other)
        if a.dtype.is_floating_point:
            raise DTypeError(f"{name}: needs integers or bools, got {common_dtype(input, other).name}")
        return op(a, b)

    function.__name__ = name
    function.__doc__ = f"{op.doc[0].upper()}{op.doc[1:]}, elementwise."
    return public(name, inplace=True)(function)


bitwise_and = _offer_bits(AND, "bitwise_and")
bitwise_or = _offer_bits(OR, "bitwise_or")
bitwise_xor = _offer_bits(XOR, "bitwise_xor")
bitwise_left_shift = _offer_bits(SHIFT_LEFT, "bitwise_left_shift")
bitwise_right_shift = _offer_bits(SHIFT_RIGHT, "bitwise_right_shift")


def _offer_logic(op: Op, name: str) -> Callable[[Any, Any], Node]:
    def function(input: Any, other: Any) -> Node:
        return op(to_bool(as_node(input)), to_bool(as_node(other)))

    function.__name__ = name
    function.__doc__ = (
        f"{name.removeprefix('logical_')} of truth values, elementwise; numbers count as true when not 0."
    )
    return public(name, inplace=True)(function)


logical_and = _offer_logic(AND, "logical_and")
logical_or = _offer_logic(OR, "logical_or")
logical_xor = _offer_logic(XOR, "logical_xor")


@public("clamp", "clip", inplace=True)
def clamp(input: Any, min: Any = None, max: Any = None) -> Node:
    """Values below `min` raised to it and values above `max` lowered to it; either may be None.

    Where min > max the result is max. The gradient is 1 within the limits, the limits included.
    """
    if min is None and max is None:
        raise ArgumentError("clamp: needs min, max or both")
    bounds = [b for b in (min, max) if b is not None]
    x, *limits = promote(input, *bounds)
    low = limits[0] if min is not None else None
    high = limits[-1] if max is not None else None
    y = x
    if low is not None:
        y = WHERE(LT(y, low), low, y) if not isinstance(min, Node) else WHERE(OR(GE(y, low), NE(y, y)), y, low)
    if high is not None:
        y = WHERE(GT(y, high), high, y)
    return y


@public("clamp_min", inplace=True)
def clamp_min(input: Any, min: Any) -> Node:
    """Values below `min` raised to it."""
    return clamp(input, min=min)


@public("clamp_max", inplace=True)
def clamp_max(input: Any, max: Any) -> Node:
    """Values above `max` lowered to it."""
    return clamp(input, max=max)


@public("square", inplace=True)
def square(input: Any) -> Node:
    """x * x, elementwise; of bools it is int64, as a power is."""
    x = as_node(input)
    x = cast(x, int64) if x.dtype is bool_ else x
    return mul(x, x)


@public("lerp", inplace=True)
def lerp(input: Any, end: Any, weight: Any) -> Node:
    """input + weight * (end - input), elementwise."""
    return add(input, mul(weight, sub(end, input)))


@public("addcmul", inplace=True)
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Node:
    """input + value * tensor1 * tensor2, elementwise."""
    return add(input, _scaled(mul(tensor1, tensor2), value))


@public("addcdiv", inplace=True)
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Node:
    """input + value * tensor1 / tensor2, elementwise."""
    return add(input, _scaled(div(tensor1, tensor2), value))
