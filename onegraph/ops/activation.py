"""Activation functions, all composed from elementwise ops. Half precision is computed in float32 and rounded once.

At a kink the derivative is PyTorch's: relu's at 0 is 0. Where one side of a `where` would overflow, it sees a
harmless input instead, so that no gradient becomes 0 * inf.

Read next: `softmax.py`, `dropout.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node
from onegraph.ops.binary import GE, GT, LE, LT, add, div, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import ABS, ERF, EXP, EXPM1, LOG1P, NEG, SIGMOID, TANH, WHERE, sigmoid, tanh
from onegraph.ops.leaf import constant
from onegraph.ops.movement import reshape_to, slice_dim
from onegraph.ops.promotion import as_node, to_float
from onegraph.ops.public import public
from onegraph.ops.shapes import check_kind, normalize_dim, same_size, show
from onegraph.ops.statistics import widened

SELU_ALPHA = 1.6732632423543772  # with SELU_SCALE: the fixed point of mean 0 and variance 1, Klambauer et al. 2017
SELU_SCALE = 1.0507009873554805

functional = public(namespace="nn.functional")
public("sigmoid", namespace="nn.functional")(sigmoid)
public("tanh", namespace="nn.functional")(tanh)


def _floating(op: str, input: Any) -> Node:
    x = as_node(input)
    check_kind(op, x, "float")
    return x


def _wide(op: str, input: Any, function: Callable[[Node], Node]) -> Node:
    """A function of floating numbers computed in float32 or wider, the result in the input's dtype."""
    x = _floating(op, input)
    return cast(function(widened(x)), x.dtype)


def _number(value: float, x: Node) -> Node:
    return constant(value, x.dtype)


@public("relu", inplace=True)
def relu(input: Any) -> Node:
    """max(x, 0), elementwise; the derivative at 0 is 0.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([relu(as_node([-1.0, 2.0]))])
    [array([0., 2.], dtype=float32)]
    """
    x = as_node(input)
    if x.dtype.kind == "bool":
        raise DTypeError("relu: does not take bool")
    zero = _number(0, x)
    return WHERE(LE(x, zero), zero, x)  # a NaN stays


@public("relu", namespace="nn.functional")
def _functional_relu(input: Any, inplace: bool = False) -> Node:
    """max(x, 0), elementwise; the derivative at 0 is 0."""
    return relu(input)


def _clipped(x: Node, low: float, high: float) -> Node:
    """x within limits; the derivative is 0 at the limits as well as beyond."""
    return WHERE(LE(x, _number(low, x)), _number(low, x), WHERE(GE(x, _number(high, x)), _number(high, x), x))


@functional
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Node:
    """x within [min_val, max_val], elementwise; the derivative at the limits is 0."""
    if min_val > max_val:
        raise ArgumentError(f"hardtanh: min_val {min_val} is larger than max_val {max_val}")
    x = as_node(input)
    check_kind("hardtanh", x, "int", "uint", "float")
    return _clipped(x, min_val, max_val)


@functional
def relu6(input: Any, inplace: bool = False) -> Node:
    """min(max(x, 0), 6), elementwise."""
    x = as_node(input)
    check_kind("relu6", x, "int", "uint", "float")
    return _clipped(x, 0, 6)


@functional
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Node:
    """x where positive, else negative_slope * x, elementwise."""
    x = _floating("leaky_relu", input)
    return WHERE(GT(x, _number(0, x)), x, mul(x, negative_slope))


def _exponential_linear(x: Node, alpha: float, rate: float) -> Node:
    """x where positive, else alpha * (exp(rate * x) - 1)."""
    positive = GT(x, _number(0, x))
    negative = WHERE(positive, _number(0, x), x)
    return WHERE(positive, x, mul(EXPM1(mul(negative, rate)), alpha))


@functional
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Node:
    """x where positive, else alpha * (exp(x) - 1), elementwise. Source: Clevert et al. 2016."""
    return _wide("elu", input, lambda x: _exponential_linear(x, alpha, 1.0))


@public(method=False)
def selu(input: Any) -> Node:
    """scale * (x where positive, else alpha * (exp(x) - 1)), elementwise.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """
    return _wide("selu", input, lambda x: mul(_exponential_linear(x, SELU_ALPHA, 1.0), SELU_SCALE))


@public("selu", namespace="nn.functional")
def _functional_selu(input: Any, inplace: bool = False) -> Node:
    """As `selu`."""
    return selu(input)


@public(method=False)
def celu(input: Any, alpha: float = 1.0) -> Node:
    """x where positive, else alpha * (exp(x / alpha) - 1), elementwise. Source: Barron 2017."""
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0")
    return _wide("celu", input, lambda x: _exponential_linear(x, alpha, 1.0 / alpha))


@public("celu", namespace="nn.functional")
def _functional_celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Node:
    """As `celu`."""
    return celu(input, alpha)


@functional
def gelu(input: Any, approximate: str = "none") -> Node:
    """x times the normal distribution function at x, elementwise.

    Args:
        input: floating.
        approximate: 'none', or 'tanh' for 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    if approximate == "none":
        return _wide("gelu", input, lambda x: mul(mul(x, 0.5), add(ERF(mul(x, math.sqrt(0.5))), 1.0)))
    if approximate != "tanh":
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")

    def by_tanh(x: Node) -> Node:
        inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), math.sqrt(2 / math.pi))
        return mul(mul(x, 0.5), add(TANH(inner), 1.0))

    return _wide("gelu", input, by_tanh)


@functional
def silu(input: Any, inplace: bool = False) -> Node:
    """x * sigmoid(x), elementwise; also called swish."""
    return _wide("silu", input, lambda x: mul(x, SIGMOID(x)))


def _softplus(x: Node, beta: float, threshold: float) -> Node:
    scaled = mul(x, beta) if beta != 1 else x
    linear = GT(scaled, _number(threshold, x))
    safe = WHERE(linear, _number(0, x), scaled)
    curved = LOG1P(EXP(safe))
    return WHERE(linear, x, div(curved, beta) if beta != 1 else curved)


@functional
def softplus(input: Any, beta: float = 1, threshold: float = 20) -> Node:
    """log(1 + exp(beta * x)) / beta, elementwise; x itself where beta * x > threshold."""
    return _wide("softplus", input, lambda x: _softplus(x, beta, threshold))


@functional
def mish(input: Any, inplace: bool = False) -> Node:
    """x * tanh(log(1 + exp(x))), elementwise. Source: Misra 2019."""
    return _wide("mish", input, lambda x: mul(x, TANH(_softplus(x, 1, 20))))


def log_sigmoid(x: Node) -> Node:
    """log(sigmoid(x)) without overflow on either side; the derivative at 0 is 1/2."""
    positive = GE(x, _number(0, x))
    curved = LOG1P(EXP(WHERE(positive, NEG(x), x)))
    return WHERE(positive, NEG(curved), sub(x, curved))


@functional
def logsigmoid(input: Any) -> Node:
    """log(1 / (1 + exp(-x))), elementwise, without overflow."""
    return _wide("logsigmoid", input, log_sigmoid)


@functional
def softsign(input: Any) -> Node:
    """x / (1 + |x|), elementwise."""
    return _wide("softsign", to_float(input), lambda x: div(x, add(ABS(x), 1.0)))


@functional
def hardsigmoid(input: Any, inplace: bool = False) -> Node:
    """min(max(x + 3, 0), 6) / 6, elementwise."""
    return _wide("hardsigmoid", input, lambda x: div(_clipped(add(x, 3.0), 0, 6), 6.0))


@functional
def hardswish(input: Any, inplace: bool = False) -> Node:
    """x * min(max(x + 3, 0), 6) / 6, elementwise. Source: Howard et al., "MobileNetV3", 2019."""
    return _wide("hardswish", input, lambda x: div(mul(x, _clipped(add(x, 3.0), 0, 6)), 6.0))


@public("hardshrink")
@public("hardshrink", namespace="nn.functional")
def hardshrink(input: Any, lambd: float = 0.5) -> Node:
    """0 where |x| <= lambd, else x, elementwise."""
    x = _floating("hardshrink", input)
    return WHERE(LE(ABS(x), _number(lambd, x)), _number(0, x), x)


@functional
def softshrink(input: Any, lambd: float = 0.5) -> Node:
    """x moved toward 0 by lambd, 0 where |x| <= lambd, elementwise."""
    if lambd < 0:
        raise ArgumentError(f"softshrink: lambd must be at least 0, got {lambd}")
    x = _floating("softshrink", input)
    inside = mul(x, 0.0)  # 0, or NaN where x is
    below = LT(x, _number(-lambd, x))
    return WHERE(GT(x, _number(lambd, x)), sub(x, lambd), WHERE(below, add(x, lambd), inside))


@functional
def tanhshrink(input: Any) -> Node:
    """x - tanh(x), elementwise."""
    return _wide("tanhshrink", to_float(input), lambda x: sub(x, TANH(x)))


@public(method=False)
def threshold(input: Any, threshold: float, value: float) -> Node:
    """x where x > threshold, else value, elementwise."""
    x = as_node(input)
    check_kind("threshold", x, "int", "uint", "float")
    return WHERE(LE(x, _number(threshold, x)), _number(value, x), x)


_threshold = threshold


@public("threshold", namespace="nn.functional")
def _functional_threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Node:
    """x where x > threshold, else value, elementwise."""
    return _threshold(input, threshold, value)


@public("prelu")
@public("prelu", namespace="nn.functional")
def prelu(input: Any, weight: Any) -> Node:
    """x where positive, else weight * x, elementwise. Source: He et al. 2015.

    Args:
        input: (batch, channels, ...), floating.
        weight: one number, or one for each channel; of the input's dtype.

    Raises:
        ShapeError: the weight has neither one element nor one for each channel.
    """
    x, w = _floating("prelu", input), as_node(weight)
    if w.dtype is not x.dtype:
        raise DTypeError(f"prelu: input is {x.dtype.name} but weight is {w.dtype.name}")
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if len(w.shape) > 1 or (w.size != 1 and not same_size(w.size, channels)):
        raise ShapeError(
            f"prelu: weight {show(w.shape)} must have one element, or one for each of the {channels} channels "
            f"of {show(x.shape)}"
        )
    shape = (1,) * len(x.shape) if w.size == 1 else (1, w.size, *[1] * (len(x.shape) - 2))
    return WHERE(GT(x, _number(0, x)), x, mul(reshape_to(w, shape), x))


@functional
def glu(input: Any, dim: int = -1) -> Node:
    """The first half along a dimension times the sigmoid of the second. Source: Dauphin et al. 2017.

    Raises:
        ShapeError: the size of the dimension is odd.
    """
    x = _floating("glu", input)
    d = normalize_dim("glu", dim, len(x.shape))
    if not x.shape or (not isinstance(x.shape[d], Dim) and x.shape[d] % 2):
        raise ShapeError(f"glu: {show(x.shape)} must have an even size in dimension {d}, to be cut in half")
    half = x.shape[d] // 2
    return mul(slice_dim(x, d, 0, half), SIGMOID(slice_dim(x, d, half, x.shape[d])))
