"""`tf.losses`: losses of predictions, weighted and reduced, which also go to the collection of losses."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.static import functions as f
from onegraph.frontend.static import nn
from onegraph.frontend.static.graph import GraphKeys, get_default_graph
from onegraph.frontend.static.tensor import Tensor, as_operand, constant_, operation
from onegraph.ir.node import Node
from onegraph.ops import binary, elementwise, statistics
from onegraph.ops.cast import cast
from onegraph.ops.leaf import constant
from onegraph.ops.loss import huber_loss as huber_nodes
from onegraph.ops.loss import l1_loss, mse_loss
from onegraph.ops.movement import expand_to
from onegraph.ops.reduction import sum_
from onegraph.ops.shapes import same_shape, show


class Reduction:
    """How the losses of elements become one."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"


@operation("weighted_loss")
def _weighted(losses: Any, weights: Any, reduction: str) -> Node:
    x = as_operand(losses)
    if not isinstance(weights, Node) and weights == 1:  # the usual case
        if reduction == Reduction.NONE:
            return x
        return statistics.sum(x) if reduction == Reduction.SUM else statistics.mean(x)
    w = cast(as_operand(weights), x.dtype)
    if len(w.shape) > len(x.shape):
        raise ShapeError(f"losses: weights {show(w.shape)} do not fit losses of shape {show(x.shape)}")
    if w.shape and len(w.shape) < len(x.shape):
        raise ShapeError(
            f"losses: weights {show(w.shape)} must be a number, or have as many dimensions as the losses, {show(x.shape)}",
            hint="tf.expand_dims(weights, 1) gives one weight for each row",
        )
    product = binary.mul(x, w)
    if reduction == Reduction.NONE:
        return product
    total = statistics.sum(product)
    if reduction == Reduction.SUM:
        return total
    every = expand_to(w, x.shape)
    if reduction == Reduction.MEAN:
        count = statistics.sum(every)
    elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
        count = constant(x.size, x.dtype)
    elif reduction == Reduction.SUM_BY_NONZERO_WEIGHTS:
        count = sum_(cast(binary.ne(every, 0), x.dtype))
    else:
        raise ArgumentError(f"losses: unknown reduction {reduction!r}")
    none = binary.eq(count, 0)  # no element counts: the loss is 0
    return elementwise.where(none, 0.0, binary.div(total, elementwise.where(none, constant(1, x.dtype), count)))


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Losses times weights, reduced, and added to a collection.

    Args:
        weights: a number, or a tensor that broadcasts to the losses.
        reduction: one of `Reduction`; by default the mean over elements whose weight is not 0.
    """
    tensor: Tensor = _weighted(losses, weights, reduction, name=scope)
    if loss_collection is not None:
        tensor.graph.add_to_collection(loss_collection, tensor)
    return tensor


def _check(op: str, labels: Any, predictions: Any) -> tuple[Node, Node]:
    x = as_operand(predictions)
    y = as_operand(labels, x.dtype)
    if not same_shape(x.shape, y.shape):
        raise ShapeError(f"{op}: labels {show(y.shape)} and predictions {show(x.shape)} must have one shape")
    return x, cast(y, x.dtype)


@operation("SquaredDifference")
def _squares(labels: Any, predictions: Any) -> Node:
    x, y = _check("mean_squared_error", labels, predictions)
    return mse_loss(x, y, reduction="none")


@operation("Abs")
def _distances(labels: Any, predictions: Any) -> Node:
    x, y = _check("absolute_difference", labels, predictions)
    return l1_loss(x, y, reduction="none")


@operation("huber")
def _huber(labels: Any, predictions: Any, delta: float) -> Node:
    x, y = _check("huber_loss", labels, predictions)
    return huber_nodes(x, y, reduction="none", delta=delta)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean of (labels - predictions) ** 2.

    >>> import onegraph.static as tf
    >>> with tf.Session() as sess:
    ...     sess.run(tf.losses.mean_squared_error(tf.constant([1.0, 2.0]), tf.constant([1.0, 4.0])))
    np.float32(2.0)
    """
    return compute_weighted_loss(_squares(labels, predictions), weights, scope, loss_collection, reduction)


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean of |labels - predictions|."""
    return compute_weighted_loss(_distances(labels, predictions), weights, scope, loss_collection, reduction)


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Half the square of the error up to delta, linear beyond. Huber 1964."""
    return compute_weighted_loss(_huber(labels, predictions, delta), weights, scope, loss_collection, reduction)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Cross entropy of probabilities: -labels * log(p + epsilon) - (1 - labels) * log(1 - p + epsilon)."""
    wrong = (1.0 - labels) * f.log((1.0 - predictions) + epsilon)
    return compute_weighted_loss(
        -(labels * f.log(predictions + epsilon)) - wrong, weights, scope, loss_collection, reduction
    )


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """max(0, 1 - y * logits), where y is -1 for the label 0 and 1 for the label 1."""
    signs = 2.0 * f.to_float(labels) - 1.0
    return compute_weighted_loss(nn.relu(1.0 - signs * logits), weights, scope, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy between softmax(logits) and label probabilities.

    Args:
        label_smoothing: how much of the probability is spread evenly over all classes. Szegedy et al. 2016.
    """
    labels = f.cast(onehot_labels, logits.dtype)
    if label_smoothing > 0:
        classes = logits.shape.as_list()[-1]
        labels = labels * (1.0 - label_smoothing) + label_smoothing / classes
    losses = nn.softmax_cross_entropy_with_logits_v2(labels=f.stop_gradient(labels), logits=logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy between softmax(logits) and class numbers."""
    losses = nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy between sigmoid(logits) and label probabilities."""
    labels = f.cast(multi_class_labels, logits.dtype)
    if label_smoothing > 0:
        labels = labels * (1.0 - label_smoothing) + 0.5 * label_smoothing
    losses = nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def add_loss(loss: Any, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Add a loss to the collection of losses."""
    if loss_collection is not None:
        loss.graph.add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Any]:
    """The losses of the default graph."""
    return get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """The losses that regularizers of variables added."""
    return get_default_graph().get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Any:
    """The sum of the regularization losses, 0 if there are none."""
    found = get_regularization_losses(scope)
    return f.add_n(found, name=name) if found else constant_(0.0)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None) -> Any:
    """The sum of all losses of the default graph."""
    found = get_losses(scope) + (get_regularization_losses(scope) if add_regularization_losses else [])
    if not found:
        raise ArgumentError("get_total_loss: no loss was added to the graph")
    return f.add_n(found, name=name)


__all__ = [
    "Reduction", "absolute_difference", "add_loss", "compute_weighted_loss", "get_losses", "get_regularization_loss",
    "get_regularization_losses", "get_total_loss", "hinge_loss", "huber_loss", "log_loss", "mean_squared_error",
    "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip
