"""`tf.nn`: activations, normalization, dropout, losses on logits, lookup. Convolution and pooling are in `images.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.static.arrays import gather
from onegraph.frontend.static.functions import sigmoid, stop_gradient, tanh
from onegraph.frontend.static.images import (
    avg_pool,
    conv2d,
    conv2d_transpose,
    depthwise_conv2d,
    max_pool,
    separable_conv2d,
)
from onegraph.frontend.static.random import new_key
from onegraph.frontend.static.shape import ints_of, sizes_of
from onegraph.frontend.static.tensor import as_operand, convert_to_tensor, operation
from onegraph.ir.dtype import bool_, float32, int32, int64
from onegraph.ir.node import Node
from onegraph.ops import activation, binary, elementwise, movement, statistics
from onegraph.ops.cast import cast
from onegraph.ops.class_loss import cross_entropy
from onegraph.ops.contraction import matmul
from onegraph.ops.indexing import TAKE
from onegraph.ops.layout import permute_to
from onegraph.ops.leaf import constant, iota
from onegraph.ops.loss import binary_cross_entropy_with_logits
from onegraph.ops.normalization import moments as central_moments
from onegraph.ops.random import unit
from onegraph.ops.reduction import SUM, sum_
from onegraph.ops.shapes import normalize_dim, normalize_dims, numel, same_shape, show
from onegraph.ops.softmax import log_softmax as log_softmax_nodes
from onegraph.ops.softmax import softmax as softmax_nodes
from onegraph.ops.sorting import topk
from onegraph.ops.windows import windows

__all__ = [
    "avg_pool", "batch_normalization", "bias_add", "conv2d", "conv2d_transpose", "crelu", "depthwise_conv2d", "dropout", "elu",
    "embedding_lookup", "in_top_k", "l2_loss", "l2_normalize", "leaky_relu", "local_response_normalization", "log_softmax", "lrn",
    "max_pool", "moments", "relu", "relu6", "relu_layer", "selu", "separable_conv2d", "sigmoid", "sigmoid_cross_entropy_with_logits",
    "softmax", "softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2", "softplus", "softsign",
    "sparse_softmax_cross_entropy_with_logits", "swish", "tanh", "top_k", "weighted_cross_entropy_with_logits", "xw_plus_b",
    "zero_fraction",
]  # fmt: skip

# ---------------------------------------------------------------------------------------- activations


def _activation(kind: str, function: Callable[[Node], Node], doc: str) -> Any:
    def apply(features: Any) -> Node:
        return function(as_operand(features))

    apply.__name__ = apply.__qualname__ = kind.lower()
    apply.__doc__ = doc
    return operation(kind)(apply)


relu = _activation("Relu", activation.relu, "max(x, 0), elementwise.")
relu6 = _activation("Relu6", activation.relu6, "min(max(x, 0), 6), elementwise.")
elu = _activation("Elu", activation.elu, "x where positive, else exp(x) - 1. Clevert et al. 2015.")
selu = _activation("Selu", activation.selu, "The scaled exponential linear unit. Klambauer et al. 2017.")
softplus = _activation("Softplus", activation.softplus, "log(1 + exp(x)), elementwise.")
softsign = _activation("Softsign", activation.softsign, "x / (1 + |x|), elementwise.")
swish = _activation("swish", activation.silu, "x * sigmoid(x), elementwise. Ramachandran et al. 2017.")


@operation("LeakyRelu")
def leaky_relu(features: Any, alpha: float = 0.2) -> Node:
    """x where positive, else alpha * x."""
    return activation.leaky_relu(as_operand(features), alpha)


@operation("CRelu")
def crelu(features: Any, axis: int = -1) -> Node:
    """relu(x) and relu(-x) joined."""
    x = as_operand(features)
    return activation.relu(movement.concat([x, elementwise.neg(x)], normalize_dim("crelu", axis, len(x.shape))))


@operation("Softmax")
def softmax(logits: Any, axis: int | None = None, dim: int | None = None) -> Node:
    """exp(x) / sum(exp(x)) along a dimension, the last one by default."""
    return softmax_nodes(as_operand(logits), _last(axis, dim))


@operation("LogSoftmax")
def log_softmax(logits: Any, axis: int | None = None, dim: int | None = None) -> Node:
    """The logarithm of softmax along a dimension, the last one by default."""
    return log_softmax_nodes(as_operand(logits), _last(axis, dim))


def _last(axis: int | None, dim: int | None) -> int:
    chosen = dim if axis is None else axis
    return -1 if chosen is None else chosen


# ---------------------------------------------------------------------------------------- layers


@operation("BiasAdd")
def bias_add(value: Any, bias: Any, data_format: str | None = None) -> Node:
    """A number added to every channel: the last dimension, or the second with data_format="NCHW"."""
    x, b = as_operand(value), as_operand(bias)
    at = 1 if data_format in ("NCHW", "NCW") else len(x.shape) - 1
    if len(b.shape) != 1 or len(x.shape) < 2 or not same_shape(b.shape, x.shape[at : at + 1]):
        raise ShapeError(
            f"bias_add: the bias {show(b.shape)} must have one element for each channel of {show(x.shape)}"
        )
    return binary.add(
        x, b if at == len(x.shape) - 1 else movement.reshape_to(b, (b.shape[0], *[1] * (len(x.shape) - 2)))
    )


@operation("xw_plus_b")
def xw_plus_b(x: Any, weights: Any, biases: Any) -> Node:
    """x @ weights + biases."""
    return binary.add(matmul(as_operand(x), as_operand(weights)), as_operand(biases))


@operation("relu_layer")
def relu_layer(x: Any, weights: Any, biases: Any) -> Node:
    """relu(x @ weights + biases)."""
    return activation.relu(xw_plus_b.nodes(x, weights, biases))


@operation("dropout")
def dropout(x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: int | None = None, rate: Any = None) -> Node:
    """Elements set to 0 at random, others scaled up to keep the mean.

    Args:
        keep_prob: the probability that an element stays; a number or a tensor (a placeholder, say).
        rate: 1 - keep_prob, in its place.
        noise_shape: of the mask, broadcast to x; where it has 1, elements go or stay together.
        seed: its own seed.
    """
    value = as_operand(x)
    if not value.dtype.is_floating_point:
        raise DTypeError(f"dropout: needs floating numbers, got {value.dtype.name}")
    if (keep_prob is None) == (rate is None):
        raise ArgumentError("dropout: needs either keep_prob or rate")
    dropped = rate if rate is not None else binary.sub(1.0, keep_prob) if isinstance(keep_prob, Node) else 1 - keep_prob
    if not isinstance(dropped, Node):
        if not 0 <= dropped < 1:
            raise ArgumentError(f"dropout: the probability to drop must be at least 0 and below 1, got {dropped}")
        if dropped == 0:
            return value
    shape = (
        value.shape
        if noise_shape is None
        else tuple(
            [have if s == -1 else s for s, have in zip(sizes_of("dropout", noise_shape), value.shape, strict=True)]
        )
    )
    limit = cast(dropped, float32) if isinstance(dropped, Node) else constant(dropped, float32)
    kept = binary.GE(unit(new_key(seed), shape), limit)
    scaled = (
        binary.div(value, cast(binary.sub(1.0, dropped), value.dtype))
        if isinstance(dropped, Node)
        else binary.mul(value, 1 / (1 - dropped))
    )
    return elementwise.where(kept, scaled, constant(0, value.dtype))


class Moments(NamedTuple):
    """Mean and variance."""

    mean: Any
    variance: Any


@operation("moments")
def moments(x: Any, axes: Any, shift: Any = None, keep_dims: Any = None, keepdims: Any = None) -> Moments:
    """Mean and variance (divided by the count) over dimensions."""
    value = as_operand(x)
    dims = normalize_dims("moments", ints_of("moments", axes), len(value.shape))
    mean, variance, _ = central_moments(value, dims)
    if keepdims or keep_dims:
        return Moments(mean, variance)
    shape = tuple([s for i, s in enumerate(value.shape) if i not in dims])
    return Moments(movement.reshape_to(mean, shape), movement.reshape_to(variance, shape))


@operation("batchnorm")
def batch_normalization(x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float) -> Node:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset. Ioffe and Szegedy 2015."""
    value = as_operand(x)
    factor = elementwise.rsqrt(binary.add(as_operand(variance), variance_epsilon))
    y = binary.mul(binary.sub(value, as_operand(mean)), factor)
    if scale is not None:
        y = binary.mul(y, as_operand(scale))
    return y if offset is None else binary.add(y, as_operand(offset))


@operation("LRN")
def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5
) -> Node:
    """x / (bias + alpha * sum of squares of neighbouring channels) ** beta. Krizhevsky et al. 2012.

    Args:
        input: channels last.
        depth_radius: neighbours on each side.
    """
    x = as_operand(input)
    last = len(x.shape) - 1
    squares = movement.PAD(
        binary.square(x), constant(0, x.dtype), padding=(*[(0, 0, 0)] * last, (depth_radius, depth_radius, 0))
    )
    near = SUM(windows(squares, (2 * depth_radius + 1,), (1,), (1,)), dims=(last + 1,), keepdim=False)
    return binary.div(x, binary.pow(binary.add(binary.mul(near, alpha), bias), beta))


lrn = local_response_normalization


@operation("L2Loss")
def l2_loss(t: Any) -> Node:
    """Half of the sum of squares."""
    return binary.mul(sum_(binary.square(as_operand(t))), 0.5)


@operation("l2_normalize")
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, dim: Any = None) -> Node:
    """x divided by its length over dimensions, of which the square is at least epsilon."""
    value = as_operand(x)
    chosen = dim if axis is None else axis
    dims = normalize_dims("l2_normalize", None if chosen is None else ints_of("l2_normalize", chosen), len(value.shape))
    squares = SUM(binary.square(value), dims=dims, keepdim=True)
    return binary.mul(value, elementwise.rsqrt(binary.maximum(squares, as_operand(epsilon, value.dtype))))


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Any:
    """The rows of a table picked by their numbers; the dimensions of `ids` come first."""
    if isinstance(params, (list, tuple)):
        if len(params) != 1:
            raise ArgumentError(
                "embedding_lookup: a table in several parts is not supported", hint="tf.concat the parts first"
            )
        (params,) = params
    if max_norm is not None:
        raise ArgumentError("embedding_lookup: max_norm is not supported", hint="tf.clip_by_norm the rows")
    return gather(params, ids, name=name or "embedding_lookup")


# ---------------------------------------------------------------------------------------- losses, metrics


def _named_only(op: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None or labels is None or logits is None:
        raise ArgumentError(f"{op}: call it with names, {op}(labels=..., logits=...)")


@operation("softmax_cross_entropy_with_logits")
def _softmax_cross_entropy(labels: Any, logits: Any, axis: int) -> Node:
    x = as_operand(logits)
    y = as_operand(labels, x.dtype)
    at = normalize_dim("softmax_cross_entropy_with_logits", axis, len(x.shape))
    if not same_shape(x.shape, y.shape):
        raise ShapeError(
            f"softmax_cross_entropy_with_logits: labels {show(y.shape)} and logits {show(x.shape)} must have one shape",
            hint="for class numbers use sparse_softmax_cross_entropy_with_logits",
        )
    order = [d for d in range(len(x.shape)) if d != at] + [at]
    lead = [x.shape[d] for d in order[:-1]]
    rows, targets = (
        movement.reshape_to(permute_to(n, order), (numel(lead), n.shape[at])) for n in (x, cast(y, x.dtype))
    )
    return movement.reshape_to(cross_entropy(rows, targets, reduction="none"), tuple(lead))


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Any:
    """Cross entropy between softmax(logits) and label probabilities, for each row.

    Args:
        labels: probabilities, of the shape of the logits; no gradient flows into them.
        logits: (..., classes).
    """
    _named_only("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    fixed = stop_gradient(convert_to_tensor(labels))
    return _softmax_cross_entropy(fixed, logits, dim if axis is None else axis, name=name)


def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    axis: int | None = None,
    name: str | None = None,
    dim: int | None = None,
) -> Any:
    """As `softmax_cross_entropy_with_logits`, with gradients flowing into the labels too."""
    _named_only("softmax_cross_entropy_with_logits_v2", _sentinel, labels, logits)
    return _softmax_cross_entropy(labels, logits, _last(axis, dim), name=name)


@operation("sparse_softmax_cross_entropy_with_logits")
def _sparse_cross_entropy(labels: Any, logits: Any) -> Node:
    x, y = as_operand(logits), as_operand(labels)
    if not same_shape(y.shape, x.shape[:-1]):
        raise ShapeError(
            f"sparse_softmax_cross_entropy_with_logits: logits {show(x.shape)} need labels of shape {show(x.shape[:-1])}, "
            f"got {show(y.shape)}",
            hint="for probabilities use softmax_cross_entropy_with_logits_v2",
        )
    lead = numel(x.shape[:-1])
    losses = cross_entropy(
        movement.reshape_to(x, (lead, x.shape[-1])), movement.reshape_to(y, (lead,)), reduction="none"
    )
    return movement.reshape_to(losses, x.shape[:-1])


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Cross entropy between softmax(logits) and class numbers, for each row.

    Args:
        labels: integers, of the shape of the logits without the classes.
        logits: (..., classes).
    """
    _named_only("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    return _sparse_cross_entropy(labels, logits, name=name)


@operation("logistic_loss")
def _sigmoid_cross_entropy(labels: Any, logits: Any) -> Node:
    x = as_operand(logits)
    y = as_operand(labels, x.dtype)
    if not same_shape(x.shape, y.shape):
        raise ShapeError(
            f"sigmoid_cross_entropy_with_logits: labels {show(y.shape)} and logits {show(x.shape)} must have one shape"
        )
    return binary_cross_entropy_with_logits(x, cast(y, x.dtype), reduction="none")


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Cross entropy between sigmoid(logits) and label probabilities, elementwise."""
    _named_only("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    return _sigmoid_cross_entropy(labels, logits, name=name)


@operation("logistic_loss")
def weighted_cross_entropy_with_logits(targets: Any, logits: Any, pos_weight: Any) -> Node:
    """As `sigmoid_cross_entropy_with_logits`, the positive terms multiplied by a weight."""
    x = as_operand(logits)
    return binary_cross_entropy_with_logits(
        x, as_operand(targets, x.dtype), reduction="none", pos_weight=as_operand(pos_weight, x.dtype)
    )


class TopK(NamedTuple):
    """The largest elements, and where they are."""

    values: Any
    indices: Any


@operation("TopKV2")
def top_k(input: Any, k: Any = 1, sorted: bool = True) -> TopK:
    """The k largest elements along the last dimension, and their places (int32)."""
    found = topk(as_operand(input), ints_of("top_k", k)[0], -1)
    return TopK(found[0], cast(found[1], int32))


@operation("InTopK")
def in_top_k(predictions: Any, targets: Any, k: Any) -> Node:
    """Whether each row's target is among its k largest predictions; ties with the k-th count as among them.

    Args:
        predictions: (batch, classes).
        targets: (batch,), integers.
    """
    x, y = as_operand(predictions), cast(as_operand(targets), int64)
    if len(x.shape) != 2 or not same_shape(y.shape, x.shape[:1]):
        raise ShapeError(
            f"in_top_k: predictions {show(x.shape)} must be (batch, classes), targets {show(y.shape)} (batch,)"
        )
    mine = movement.reshape_to(TAKE(x, iota(x.shape[0]), y, dim=0), (x.shape[0], 1))
    larger = SUM(cast(binary.gt(x, mine), int32), dims=(1,), keepdim=False)
    finite = elementwise.isfinite(movement.reshape_to(mine, (x.shape[0],)))
    return binary.logical_and(binary.lt(larger, ints_of("in_top_k", k)[0]), finite)


@operation("zero_fraction")
def zero_fraction(value: Any) -> Node:
    """The part of the elements that are 0."""
    x = as_operand(value)
    zeros = binary.eq(x, 0) if x.dtype is not bool_ else elementwise.logical_not(x)
    return statistics.mean(cast(zeros, float32))
