"""Elementwise ops of one input, `cast`, and `where`. The binary ones are in `binary.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import DTypeError
from onegraph.ir.dtype import DType, bool_, from_numpy
from onegraph.ir.node import Node, Shape
from onegraph.ops.cast import CAST, to_bool
from onegraph.ops.leaf import constant
from onegraph.ops.lowering import Pointwise, ScalarCode, V
from onegraph.ops.promotion import as_node, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.record import OPS, Array, InputGradient, Kind, Op, Sample, real, register
from onegraph.ops.shapes import broadcast_shapes, check_same_dtype, show


def _same(name: str, kinds: tuple[str, ...]) -> Callable[[Node], tuple[Shape, DType]]:
    def rule(x: Node) -> tuple[Shape, DType]:
        if x.dtype.kind not in kinds:
            raise DTypeError(f"{name}: does not take dtype {x.dtype.name} {show(x.shape)}, only {' or '.join(kinds)}")
        return x.shape, x.dtype

    return rule


def _edge_samples(low: float, high: float, *edges: float) -> Callable[[], list[Sample]]:
    def samples() -> list[Sample]:
        found = [Sample(real(2, 3, low=low, high=high)), Sample(real(low=low, high=high)), Sample(real(0, 4))]
        found.append(Sample(real(17, low=low, high=high)))
        if edges:
            found.append(Sample(np.array(edges, np.float32), differentiable=False))
        return found

    return samples


_INF, _NAN = math.inf, math.nan


def _unary(
    name: str,
    doc: str,
    reference: Callable[[Array], Array],
    gradient: InputGradient,
    low: float = -2.0,
    high: float = 2.0,
    edges: tuple[float, ...] = (0.0, -0.0, _INF, -_INF, _NAN),
    kinds: tuple[str, ...] = ("float",),
    lower: Callable[[ScalarCode, V], V] | None = None,
    exact: bool = False,
) -> Op:
    """A record; `lower` is by default the function of that name."""
    return register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            doc=doc,
            rule=_same(name, kinds),
            reference=reference,
            gradient=(gradient,),
            samples=_edge_samples(low, high, *edges),
            dtypes=kinds,
            lowering=Pointwise(lower or (lambda k, x: k.math(name, x)), exact=exact),
        )
    )


def _zero(x: Node, g: Node) -> Node | None:
    return None  # the derivative is zero wherever it exists


def _erf_reference(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x.astype(np.float64)).astype(x.dtype))


def _sigmoid_reference(x: Array) -> Array:
    decay = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1 / (1 + decay), decay / (1 + decay)).astype(x.dtype)


_NUMBERS = ("uint", "int", "float")

NEG: Op = _unary("neg", "-x", np.negative, lambda n, g: NEG(g), kinds=_NUMBERS, lower=lambda k, x: k.neg(x), exact=True)
ABS: Op = _unary(
    "abs",
    "|x|",
    np.abs,
    lambda n, g: _mul(g, SIGN(n.inputs[0])),
    kinds=_NUMBERS,
    lower=lambda k, x: k.abs(x),
    exact=True,
)
SIGN: Op = _unary(
    "sign",
    "-1, 0 or 1 by the sign of x",
    np.sign,
    _zero,
    kinds=_NUMBERS,
    lower=lambda k, x: k.sign(x),
    exact=True,
)
EXP: Op = _unary("exp", "e to the power of x", np.exp, lambda n, g: _mul(g, n))
EXPM1: Op = _unary("expm1", "exp(x) - 1, exact near 0", np.expm1, lambda n, g: _mul(g, _add(n, 1.0)))
LOG: Op = _unary("log", "natural logarithm", np.log, lambda n, g: _div(g, n.inputs[0]), 0.1, 4.0)
LOG1P: Op = _unary("log1p", "log(1 + x), exact near 0", np.log1p, lambda n, g: _div(g, _add(n.inputs[0], 1.0)), -0.9)
SQRT: Op = _unary(
    "sqrt", "square root", np.sqrt, lambda n, g: _div(_mul(g, 0.5), n), 0.1, 4.0, lower=lambda k, x: k.sqrt(x)
)
RSQRT: Op = _unary(
    "rsqrt",
    "1 / sqrt(x)",
    lambda x: (1 / np.sqrt(x)).astype(x.dtype),
    lambda n, g: _mul(_mul(g, -0.5), _mul(_mul(n, n), n)),
    0.1,
    4.0,
    lower=lambda k, x: k.div(k.constant(1.0, x), k.sqrt(x)),
)
RECIPROCAL: Op = _unary(
    "reciprocal",
    "1 / x",
    lambda x: np.asarray(1 / x, x.dtype),
    lambda n, g: _mul(NEG(g), _mul(n, n)),
    0.2,
    3.0,
    lower=lambda k, x: k.div(k.constant(1.0, x), x),
)
SIN: Op = _unary("sin", "sine", np.sin, lambda n, g: _mul(g, COS(n.inputs[0])))
COS: Op = _unary("cos", "cosine", np.cos, lambda n, g: NEG(_mul(g, SIN(n.inputs[0]))))
TAN: Op = _unary("tan", "tangent", np.tan, lambda n, g: _mul(g, _add(_mul(n, n), 1.0)), -1.2, 1.2)
ASIN: Op = _unary("asin", "inverse sine", np.arcsin, lambda n, g: _mul(g, RSQRT(_one_minus_square(n))), -0.9, 0.9)
ACOS: Op = _unary(
    "acos", "inverse cosine", np.arccos, lambda n, g: NEG(_mul(g, RSQRT(_one_minus_square(n)))), -0.9, 0.9
)
ATAN: Op = _unary("atan", "inverse tangent", np.arctan, lambda n, g: _div(g, _add(_square_input(n), 1.0)))
SINH: Op = _unary("sinh", "hyperbolic sine", np.sinh, lambda n, g: _mul(g, COSH(n.inputs[0])))
COSH: Op = _unary("cosh", "hyperbolic cosine", np.cosh, lambda n, g: _mul(g, SINH(n.inputs[0])))
TANH: Op = _unary("tanh", "hyperbolic tangent", np.tanh, lambda n, g: _mul(g, _one_minus(_mul(n, n))))
ERF: Op = _unary(
    "erf",
    "the error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x",
    _erf_reference,
    lambda n, g: _mul(_mul(g, 2 / math.sqrt(math.pi)), EXP(NEG(_square_input(n)))),
)
SIGMOID: Op = _unary("sigmoid", "1 / (1 + exp(-x))", _sigmoid_reference, lambda n, g: _mul(g, _mul(n, _one_minus(n))))


def _whole(name: str, doc: str, reference: Callable[[Array], Array], *edges: float) -> Op:
    return _unary(name, doc, reference, _zero, edges=edges, lower=lambda k, x: k.rounded(name, x), exact=True)


FLOOR: Op = _whole("floor", "largest integer <= x", np.floor, 0.0, -0.0, _INF, -_INF, _NAN)
CEIL: Op = _whole("ceil", "smallest integer >= x", np.ceil, 0.0, -0.0, _INF, -_INF, _NAN)
ROUND: Op = _whole("round", "nearest integer, halves to even", np.round, 0.5, 1.5, 2.5, -0.5, _NAN)
TRUNC: Op = _whole("trunc", "integer part", np.trunc, 0.0, -0.0, _INF, -_INF, _NAN)


def _binary(op: str, a: Any, b: Any) -> Node:
    """A binary op, by its name in the table of ops (`binary.py` comes after this file), of nodes and numbers."""
    a = a if isinstance(a, Node) else constant(a, b.dtype)
    return OPS[op](a, b if isinstance(b, Node) else constant(b, a.dtype))


def _add(a: Any, b: Any) -> Node:
    return _binary("add", a, b)


def _mul(a: Any, b: Any) -> Node:
    return _binary("mul", a, b)


def _div(a: Any, b: Any) -> Node:
    return _binary("div", a, b)


def _one_minus(x: Node) -> Node:
    return _binary("sub", 1.0, x)


def _square_input(n: Node) -> Node:
    return _mul(n.inputs[0], n.inputs[0])


def _one_minus_square(n: Node) -> Node:
    return _one_minus(_square_input(n))


def _predicate(name: str, doc: str, reference: Callable[[Array], Array], lower: Callable[[ScalarCode, V], V]) -> Op:
    def rule(x: Node) -> tuple[Shape, DType]:
        if not x.dtype.is_floating_point:
            raise DTypeError(f"{name}: needs a floating dtype, got {x.dtype.name}")
        return x.shape, bool_

    return register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            doc=doc,
            rule=rule,
            reference=reference,
            gradient=None,
            samples=_edge_samples(-1, 1, 0.0, _INF, -_INF, _NAN),
            dtypes=("float",),
            lowering=Pointwise(lower),
        )
    )


ISNAN: Op = _predicate("isnan", "whether x is not a number", np.isnan, lambda k, x: k.compare("ne", x, x))
ISINF: Op = _predicate(
    "isinf", "whether x is infinite", np.isinf, lambda k, x: k.compare("eq", k.abs(x), k.constant(_INF, x))
)
ISFINITE: Op = _predicate(
    "isfinite",
    "whether x is neither infinite nor NaN",
    np.isfinite,
    lambda k, x: k.compare("lt", k.abs(x), k.constant(_INF, x)),
)

LOGICAL_NOT: Op = register(
    Op(
        name="not",
        kind=Kind.ELEMENTWISE,
        doc="logical not of a bool, bitwise not of an integer",
        rule=_same("not", ("bool", "uint", "int")),
        reference=np.invert,
        gradient=None,
        samples=lambda: [Sample(np.array([True, False])), Sample(np.arange(-3, 4))],
        dtypes=("bool", "uint", "int"),
        lowering=Pointwise(lambda k, x: k.invert(x)),
    )
)


DETACH: Op = register(
    Op(
        name="detach",
        kind=Kind.ELEMENTWISE,
        doc="the value itself, through which no gradient flows",
        rule=lambda x: (x.shape, x.dtype),
        reference=lambda x: x,
        gradient=None,
        samples=lambda: [Sample(real(2, 3), differentiable=False)],
        lowering=Pointwise(lambda k, x: x, exact=True),
    )
)


def _where_rule(condition: Node, a: Node, b: Node) -> tuple[Shape, DType]:
    if condition.dtype is not bool_:
        raise DTypeError(
            f"where: the condition must be bool, got {condition.dtype.name}", hint="compare it first, e.g. x != 0"
        )
    return broadcast_shapes("where", condition.shape, a.shape, b.shape), check_same_dtype("where", a, b)


WHERE: Op = register(
    Op(
        name="where",
        kind=Kind.ELEMENTWISE,
        doc="a where the condition holds, else b",
        rule=_where_rule,
        reference=np.where,
        gradient=(
            None,
            lambda n, g: WHERE(n.inputs[0], g, constant(0, g.dtype)),
            lambda n, g: WHERE(n.inputs[0], constant(0, g.dtype), g),
        ),
        samples=lambda: [
            Sample(np.array([[True], [False]]), real(2, 3), real(3, seed=1)),
            Sample(np.array(True), real(), real(4)),
        ],
        dtypes=("bool",),
        lowering=Pointwise(lambda k, condition, a, b: k.where(condition, a, b), exact=True),
    )
)


def detach(x: Node) -> Node:
    """The value, through which no gradient flows."""
    return DETACH(x)


def _offer_float(op: Op, *names: str, inplace: bool = True) -> Callable[[Any], Node]:
    def function(input: Any) -> Node:
        return op(to_float(input))

    function.__name__ = names[0]
    function.__doc__ = f"{op.doc[0].upper()}{op.doc[1:]}, elementwise; integers become floating."
    return public(*names, inplace=inplace)(function)


exp = _offer_float(EXP, "exp")
expm1 = _offer_float(EXPM1, "expm1")
log = _offer_float(LOG, "log")
log1p = _offer_float(LOG1P, "log1p")
sqrt = _offer_float(SQRT, "sqrt")
rsqrt = _offer_float(RSQRT, "rsqrt")
reciprocal = _offer_float(RECIPROCAL, "reciprocal")
sin = _offer_float(SIN, "sin")
cos = _offer_float(COS, "cos")
tan = _offer_float(TAN, "tan")
asin = _offer_float(ASIN, "asin", "arcsin")
acos = _offer_float(ACOS, "acos", "arccos")
atan = _offer_float(ATAN, "atan", "arctan")
sinh = _offer_float(SINH, "sinh")
cosh = _offer_float(COSH, "cosh")
tanh = _offer_float(TANH, "tanh")
erf = _offer_float(ERF, "erf")
sigmoid = _offer_float(SIGMOID, "sigmoid")


def _offer_rounding(op: Op, *names: str) -> Callable[[Any], Node]:
    def function(input: Any) -> Node:
        x = as_node(input)
        if x.dtype is bool_:
            raise DTypeError(f"{names[0]}: does not take bool")
        return op(x) if x.dtype.is_floating_point else x

    function.__name__ = names[0]
    function.__doc__ = f"{op.doc[0].upper()}{op.doc[1:]}, elementwise; integers stay as they are."
    return public(*names, inplace=True)(function)


floor = _offer_rounding(FLOOR, "floor")
ceil = _offer_rounding(CEIL, "ceil")
trunc = _offer_rounding(TRUNC, "trunc", "fix")


@public(inplace=True)
def round(input: Any, *, decimals: int = 0) -> Node:
    """Nearest integer, halves to even; to a number of decimals when `decimals` is not 0."""
    x = as_node(input)
    if not x.dtype.is_floating_point:
        return x
    if decimals == 0:
        return ROUND(x)
    scale = 10.0 ** max(decimals, -decimals)
    return _div(ROUND(_mul(x, scale)), scale) if decimals > 0 else _mul(ROUND(_div(x, scale)), scale)


@public("neg", "negative", inplace=True)
def neg(input: Any) -> Node:
    """-x, elementwise."""
    x = as_node(input)
    if x.dtype is bool_:
        raise DTypeError("neg: bool has no negative", hint="use logical_not or ~x")
    return NEG(x)


@public("abs", "absolute", inplace=True)
def abs(input: Any) -> Node:
    """|x|, elementwise."""
    x = as_node(input)
    return x if x.dtype is bool_ else ABS(x)


@public("sign", "sgn", inplace=True)
def sign(input: Any) -> Node:
    """-1, 0 or 1 by the sign of x, elementwise."""
    x = as_node(input)
    return x if x.dtype is bool_ else SIGN(x)


@public()
def isnan(input: Any) -> Node:
    """Whether each element is not a number."""
    x = as_node(input)
    return ISNAN(x) if x.dtype.is_floating_point else OPS["ne"](x, x)


@public()
def isinf(input: Any) -> Node:
    """Whether each element is infinite."""
    x = as_node(input)
    return ISINF(x) if x.dtype.is_floating_point else OPS["ne"](x, x)


@public()
def isfinite(input: Any) -> Node:
    """Whether each element is neither infinite nor NaN."""
    x = as_node(input)
    return ISFINITE(x) if x.dtype.is_floating_point else OPS["eq"](x, x)


@public(inplace=True)
def logical_not(input: Any) -> Node:
    """Whether each element is zero or false."""
    return LOGICAL_NOT(to_bool(as_node(input)))


@public(inplace=True)
def bitwise_not(input: Any) -> Node:
    """Bits inverted; for bools, the logical not."""
    x = as_node(input)
    if x.dtype.is_floating_point:
        raise DTypeError(f"bitwise_not: needs integers or bools, got {x.dtype.name}")
    return LOGICAL_NOT(x)


@public("where")
def where(condition: Any, input: Any, other: Any) -> Node:
    """`input` where the condition holds, else `other`; all three broadcast.

    Args:
        condition: bool tensor (or uint8, as PyTorch allows).
        input, other: tensors or numbers, promoted to one dtype.
    """
    chosen = as_node(condition)
    if chosen.dtype is not bool_:
        if chosen.dtype.kind != "uint":
            raise DTypeError(
                f"where: the condition must be bool, got {chosen.dtype.name}", hint="compare it first, e.g. x != 0"
            )
        chosen = CAST(chosen, dtype=bool_)
    a, b = promote(input, other)
    return WHERE(chosen, a, b)


def numpy_constant(array: Array) -> Node:
    """A constant node with a NumPy array's value and dtype."""
    return constant(array, from_numpy(array.dtype))
