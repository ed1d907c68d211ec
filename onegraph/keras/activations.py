"""Activations by name, each one of `onegraph.nn.functional`'s. On symbolic tensors they are steps of a functional model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras.registry import Registry, custom_object_scope
from onegraph.keras.registry import serialize as _serialize
from onegraph.nn import functional as F

activations = Registry("activation")
_where = EXPORTS["where"]


def _add(*names: str) -> Callable[[Any], Any]:
    """Register an activation; called on a symbolic tensor, it records a layer."""

    def register(function: Any) -> Any:
        @functools.wraps(function)
        def activation(x: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(x, Tensor):
                return function(x, *args, **kwargs)
            from onegraph.keras.layers.core import Activation, Lambda  # layers are built on activations
            from onegraph.keras.layers.symbolic import KerasTensor

            if not isinstance(x, KerasTensor):
                return function(EXPORTS["as_tensor"](x), *args, **kwargs)
            if not args and not kwargs:
                return Activation(activation)(x)
            return Lambda(
                functools.partial(activation, **kwargs) if not args else lambda t: activation(t, *args, **kwargs)
            )(x)

        return activations.add(*names)(activation)

    return register


def serialize(activation: Any) -> Any:
    """The name of an activation, or the description of one that is an object.

    >>> serialize(get("relu"))
    'relu'
    """
    return _serialize(activation)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The activation that `serialize` described."""
    with custom_object_scope(custom_objects):
        return get(config)


def get(identifier: Any) -> Any:
    """The activation with a name; None is `linear`.

    >>> get("relu").__name__, get(None).__name__
    ('relu', 'linear')
    """
    return activations.get(identifier, linear)


@_add()
def linear(x: Any) -> Any:
    """x itself."""
    return x


@_add()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), with a slope below the threshold and a ceiling where wanted."""
    if not negative_slope and max_value is None and not threshold:
        return F.relu(x)
    above = x if max_value is None else x.clamp(max=max_value)
    return _where(x >= threshold, above, (x - threshold) * negative_slope)


@_add()
def softmax(x: Any, axis: int = -1) -> Any:
    """Positive numbers that sum to 1 along an axis. Crossentropy losses work from x itself, which is more accurate."""
    result = F.softmax(x, axis)
    return _from_logits(result, x, "softmax") if axis in (-1, len(x.shape) - 1) else result


@_add()
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)). `binary_crossentropy` works from x itself, which is more accurate."""
    return _from_logits(F.sigmoid(x), x, "sigmoid")


def _from_logits(result: Any, logits: Any, kind: str) -> Any:
    if isinstance(result, Tensor):
        result._keras_logits = (kind, logits, result._version)  # type: ignore[attr-defined]
    return result


def logits_of(tensor: Any, kind: str) -> Any:
    """What a softmax or sigmoid output was computed from, or None when it came from something else."""
    found = getattr(tensor, "_keras_logits", None)
    if found is None or found[0] != kind or found[2] != tensor._version:
        return None
    return found[1]


@_add("log_softmax")
def log_softmax(x: Any, axis: int = -1) -> Any:
    """log(softmax(x))."""
    return F.log_softmax(x, axis)


@_add()
def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return F.tanh(x)


@_add()
def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return F.softplus(x)


@_add()
def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return F.softsign(x)


@_add()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha (exp(x) - 1) below."""
    return F.elu(x, alpha)


@_add()
def selu(x: Any) -> Any:
    """The scaled ELU of self-normalizing networks."""
    return F.selu(x)


@_add()
def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution function of x."""
    return F.gelu(x, approximate="tanh" if approximate else "none")


@_add("swish")
def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish."""
    return F.silu(x)


swish = silu


@_add()
def mish(x: Any) -> Any:
    """x tanh(softplus(x))."""
    return F.mish(x)


@_add()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x above 0, negative_slope x below."""
    return F.leaky_relu(x, negative_slope)


@_add()
def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return F.relu6(x)


@_add()
def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6."""
    return F.hardsigmoid(x)


@_add("hard_swish")
def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x)."""
    return F.hardswish(x)


@_add()
def exponential(x: Any) -> Any:
    """exp(x)."""
    return x.exp()


hard_swish = hard_silu


@_add()
def celu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha (exp(x / alpha) - 1) below."""
    return F.celu(x, alpha)


@_add()
def glu(x: Any, axis: int = -1) -> Any:
    """One half of x along an axis times the sigmoid of the other."""
    return F.glu(x, axis)


@_add()
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| is above the threshold, else 0."""
    return F.hardshrink(x, threshold)


@_add()
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by the threshold."""
    return F.softshrink(x, threshold)


@_add()
def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return F.tanhshrink(x)


@_add()
def hard_tanh(x: Any) -> Any:
    """min(max(x, -1), 1)."""
    return F.hardtanh(x)


@_add()
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x))."""
    return F.logsigmoid(x)


@_add()
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above the threshold, else a value."""
    return F.threshold(x, threshold, default_value)


def _operation(name: str) -> Callable[..., Any]:
    """What `keras.ops` computes under a name."""
    from onegraph.keras.ops import nn  # operations are built on layers, and these on activations

    found: Callable[..., Any] = getattr(nn, name)
    return found


@_add()
def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x² + b)) / 2."""
    return _operation("squareplus")(x, b)


@_add()
def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, (x + 1)² / 4 between."""
    return _operation("sparse_plus")(x)


@_add()
def sparse_sigmoid(x: Any) -> Any:
    """0 below -1, 1 above 1, (x + 1) / 2 between."""
    return _operation("sparse_sigmoid")(x)


@_add()
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The nearest point of the probability simplex. Source: Martins and Astudillo, ICML 2016."""
    return _operation("sparsemax")(x, axis)
