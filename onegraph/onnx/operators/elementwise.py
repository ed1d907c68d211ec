"""Operators that work number by number. Source of their meaning: the operator pages of the ONNX standard.

Read next: `../registry.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import COMPUTED, Array, array, tensor, type_name


def _unary(name: str, function: Callable[[og.Tensor], og.Tensor], host: Callable[[Any], Any] | None = None) -> None:
    def compute(call: Call, x: og.Tensor) -> og.Tensor:
        return function(x)

    def compute_host(call: Call, x: Array) -> Array:
        assert host is not None
        return _kept(host(x), x)

    operator(name, host=None if host is None else compute_host)(compute)


def _kept(result: Any, like: Array) -> Array:
    return np.asarray(result) if like.dtype.kind == "O" else np.asarray(result).astype(like.dtype, copy=False)


for _name, _function, _host in (
    ("Abs", og.abs, np.abs), ("Neg", og.neg, np.negative), ("Ceil", og.ceil, np.ceil), ("Floor", og.floor, np.floor),
    ("Round", og.round, np.round), ("Sign", og.sign, np.sign), ("Sqrt", og.sqrt, np.sqrt),
    ("Exp", og.exp, None), ("Log", og.log, None), ("Reciprocal", og.reciprocal, None), ("Erf", og.erf, None),
    ("Sin", og.sin, None), ("Cos", og.cos, None), ("Tan", og.tan, None), ("Asin", og.asin, None), ("Acos", og.acos, None),
    ("Atan", og.atan, None), ("Sinh", og.sinh, None), ("Cosh", og.cosh, None), ("Tanh", og.tanh, None),
    ("Asinh", og.asinh, None), ("Acosh", og.acosh, None), ("Atanh", og.atanh, None),
    ("Sigmoid", og.sigmoid, None), ("Relu", og.relu, None), ("Softplus", lambda x: og.logaddexp(x, og.zeros_like(x)), None),
    ("Softsign", F.softsign, None), ("Mish", F.mish, None), ("HardSwish", F.hardswish, None),
    ("BitwiseNot", og.bitwise_not, np.bitwise_not),
):  # fmt: skip
    _unary(_name, _function, _host)


@operator("IsNaN", host=lambda call, x: np.isnan(x))
def is_nan(call: Call, x: og.Tensor) -> og.Tensor:
    """Whether each is NaN."""
    return og.isnan(x)


@operator("Not", host=lambda call, x: np.logical_not(x))
def logical_not(call: Call, x: og.Tensor) -> og.Tensor:
    """Not."""
    return og.logical_not(x)


@operator("Identity", raw=True)
def identity(call: Call, x: Any) -> Any:
    """Any value, as it is."""
    return x


@operator("IsInf")
def is_inf(call: Call, x: og.Tensor) -> og.Tensor:
    """Whether each is one of the infinities asked for."""
    positive, negative = call.get("detect_positive", 1), call.get("detect_negative", 1)
    if positive and negative:
        return og.isinf(x)
    if positive:
        return x == math.inf
    return x == -math.inf if negative else og.zeros_like(x, dtype=og.bool)


def _legacy_broadcast(call: Call, a: Any, b: Any) -> Any:
    """Before version 7 the second operand was put at an axis."""
    if call.version >= 7 or not call.get("broadcast", 0):
        return b
    axis = call.get("axis")
    if axis is None:
        return b
    missing = len(a.shape) - axis - len(b.shape)
    return b.reshape((*b.shape, *([1] * missing)))


def _binary(name: str, function: Callable[..., Any], host: Callable[..., Any], keep: bool = True) -> None:
    def compute(call: Call, a: og.Tensor, b: og.Tensor) -> og.Tensor:
        return function(a, _legacy_broadcast(call, a, b))

    def compute_host(call: Call, a: Array, b: Array) -> Array:
        found = np.asarray(host(a, _legacy_broadcast(call, a, b)))
        return _kept(found, np.asarray(a)) if keep else found.astype(bool, copy=False)

    operator(name, host=compute_host)(compute)


def _divide(a: og.Tensor, b: og.Tensor) -> og.Tensor:
    return og.div(a, b) if a.dtype.is_floating_point else og.div(a, b, rounding_mode="trunc")


def _divide_host(a: Array, b: Array) -> Array:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind in "iu":
        quotient = np.floor_divide(a, b)
        wrong = (np.remainder(a, b) != 0) & ((a < 0) != (b < 0))
        return quotient + wrong.astype(quotient.dtype)
    return a // b if a.dtype.kind == "O" else a / b


for _name, _binary_function, _binary_host, _keep in (
    ("Add", og.add, np.add, True), ("Sub", og.sub, np.subtract, True), ("Mul", og.mul, np.multiply, True),
    ("Div", _divide, _divide_host, True),
    ("And", og.logical_and, np.logical_and, False), ("Or", og.logical_or, np.logical_or, False),
    ("Xor", og.logical_xor, np.logical_xor, False),
    ("Equal", og.eq, np.equal, False), ("Less", og.lt, np.less, False), ("Greater", og.gt, np.greater, False),
    ("LessOrEqual", og.le, np.less_equal, False), ("GreaterOrEqual", og.ge, np.greater_equal, False),
    ("BitwiseAnd", og.bitwise_and, np.bitwise_and, True), ("BitwiseOr", og.bitwise_or, np.bitwise_or, True),
    ("BitwiseXor", og.bitwise_xor, np.bitwise_xor, True),
):  # fmt: skip
    _binary(_name, _binary_function, _binary_host, _keep)


def _power_host(call: Call, a: Array, b: Array) -> Array:
    return np.power(a, b).astype(a.dtype)


@operator("Pow", host=_power_host, raw=True)
def power(call: Call, a: Any, b: Any) -> og.Tensor:
    """Powers, of the type of the base."""
    if type_name(a) not in COMPUTED or type_name(b) not in COMPUTED:
        return tensor(np.power(array(a).astype(np.float64), array(b).astype(np.float64)).astype(array(a).dtype))
    a, b = tensor(a), tensor(b)
    if a.dtype is b.dtype and a.dtype.is_floating_point:
        return og.pow(a, b)
    wide = og.float64 if og.float64 in (a.dtype, b.dtype) or not a.dtype.is_floating_point else og.float32
    if not a.dtype.is_floating_point and not b.dtype.is_floating_point:
        return og.pow(a, b.to(a.dtype))
    return og.pow(a.to(wide), b.to(wide)).to(a.dtype)


def _mod_host(call: Call, a: Array, b: Array) -> Array:
    return np.fmod(a, b) if call.get("fmod", 0) else np.mod(a, b)


@operator("Mod", host=_mod_host)
def mod(call: Call, a: og.Tensor, b: og.Tensor) -> og.Tensor:
    """The remainder, with the sign of the divisor, or with `fmod` that of the dividend."""
    return og.fmod(a, b) if call.get("fmod", 0) else og.remainder(a, b)


def _shift_host(call: Call, a: Array, b: Array) -> Array:
    wide = np.where(b < a.dtype.itemsize * 8, b, 0).astype(a.dtype)
    shifted = np.left_shift(a, wide) if call.get("direction") == "LEFT" else np.right_shift(a, wide)
    return np.where(b < a.dtype.itemsize * 8, shifted, 0).astype(a.dtype)


@operator("BitShift", host=_shift_host)
def bit_shift(call: Call, a: og.Tensor, b: og.Tensor) -> og.Tensor:
    """Bits moved left or right."""
    return (og.bitwise_left_shift if call.get("direction") == "LEFT" else og.bitwise_right_shift)(a, b)


def _several(name: str, function: Callable[..., Any], host: Callable[..., Any]) -> None:
    def compute(call: Call, *values: og.Tensor) -> og.Tensor:
        return functools.reduce(function, values)

    def compute_host(call: Call, *values: Array) -> Array:
        return np.asarray(functools.reduce(host, values))

    operator(name, host=compute_host)(compute)


_several("Max", og.maximum, np.maximum)
_several("Min", og.minimum, np.minimum)
_several("Sum", og.add, np.add)


@operator("Mean")
def mean(call: Call, *values: og.Tensor) -> og.Tensor:
    """The mean of several tensors."""
    return functools.reduce(og.add, values) / len(values)


@operator("Where", host=lambda call, c, a, b: np.where(c.astype(bool), a, b))
def where(call: Call, condition: og.Tensor, a: og.Tensor, b: og.Tensor) -> og.Tensor:
    """One of two values."""
    return og.where(condition, a, b)


def _clip_host(call: Call, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    low = np.asarray(call.get("min")) if low is None and call.has("min") else low
    high = np.asarray(call.get("max")) if high is None and call.has("max") else high
    found = x if low is None else np.maximum(x, low)
    return _kept(found if high is None else np.minimum(found, high), x)


@operator("Clip", host=_clip_host)
def clip(call: Call, x: og.Tensor, low: og.Tensor | None = None, high: og.Tensor | None = None) -> og.Tensor:
    """Kept between two bounds; where they cross, the upper one."""
    lowest, highest = (call.get("min") if low is None else low), (call.get("max") if high is None else high)
    if lowest is not None:
        x = og.maximum(x, lowest if isinstance(lowest, og.Tensor) else og.tensor(lowest, dtype=x.dtype))
    if highest is not None:
        x = og.minimum(x, highest if isinstance(highest, og.Tensor) else og.tensor(highest, dtype=x.dtype))
    return x


@operator("Elu")
def elu(call: Call, x: og.Tensor) -> og.Tensor:
    """x, or alpha (exp(x) - 1) below zero."""
    return F.elu(x, call.get("alpha", 1.0))


@operator("Selu")
def selu(call: Call, x: og.Tensor) -> og.Tensor:
    """Elu, scaled."""
    alpha, gamma = call.get("alpha", 1.67326319217681884765625), call.get("gamma", 1.05070102214813232421875)
    return gamma * F.elu(x, alpha)


@operator("Celu")
def celu(call: Call, x: og.Tensor) -> og.Tensor:
    """Elu with a continuous derivative."""
    return F.celu(x, call.get("alpha", 1.0))


@operator("LeakyRelu")
def leaky_relu(call: Call, x: og.Tensor) -> og.Tensor:
    """x, or alpha x below zero."""
    return F.leaky_relu(x, call.get("alpha", 0.01))


@operator("ThresholdedRelu")
def thresholded_relu(call: Call, x: og.Tensor) -> og.Tensor:
    """x where it is above alpha, else 0."""
    return og.where(x > call.get("alpha", 1.0), x, og.zeros_like(x))


@operator("PRelu")
def prelu(call: Call, x: og.Tensor, slope: og.Tensor) -> og.Tensor:
    """x, or slope x below zero; before version 7 a slope of one dimension was one a channel."""
    if call.version < 7 and slope.ndim == 1 and slope.shape[0] > 1:
        slope = slope.reshape([-1] + [1] * (x.ndim - 2))
    return og.where(x >= 0, x, slope * x)


@operator("HardSigmoid")
def hard_sigmoid(call: Call, x: og.Tensor) -> og.Tensor:
    """A line, cut at 0 and 1."""
    return (x * call.get("alpha", 0.2) + call.get("beta", 0.5)).clamp(0, 1)


@operator("Swish")
def swish(call: Call, x: og.Tensor) -> og.Tensor:
    """x sigmoid(alpha x)."""
    return x * og.sigmoid(call.get("alpha", 1.0) * x)


@operator("Gelu")
def gelu(call: Call, x: og.Tensor) -> og.Tensor:
    """The Gaussian error linear unit."""
    return F.gelu(x, approximate=call.get("approximate", "none"))


@operator("Shrink")
def shrink(call: Call, x: og.Tensor) -> og.Tensor:
    """Zero around zero, moved towards it elsewhere."""
    edge, bias = call.get("lambd", 0.5), call.get("bias", 0.0)
    below, above = (x + bias).to(x.dtype), (x - bias).to(x.dtype)
    return og.where(x < -edge, below, og.where(x > edge, above, og.zeros_like(x)))


@operator("Dropout", raw=True)
def dropout(call: Call, x: Any, ratio: Any = None, training: Any = None) -> Any:
    """Values left out at random in training mode, which the file switches on; the mask as second output."""
    x = tensor(x)
    rate = call.get("ratio", 0.5) if ratio is None else float(tensor(ratio).item())
    on = bool(tensor(training).item()) if training is not None else call.version < 7 and not call.get("is_test", 0)
    if not on or rate == 0:
        return (x, og.ones_like(x, dtype=og.bool))[: max(1, call.outputs)]
    mask = og.rand(*x.shape) >= rate
    return (og.where(mask, x / (1 - rate), og.zeros_like(x)), mask)[: max(1, call.outputs)]
