"""Losses that compare numbers with numbers, with PyTorch's names, arguments and reductions.

Losses over classes (cross entropy and relatives) are in `class_loss.py`, those over pairs and triples of
vectors in `metric_loss.py`. The old arguments `size_average` and `reduce` still mean what they did.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.activation import log_sigmoid
from onegraph.ops.binary import ADD, DIV, GT, LE, LT, MUL, NE, SUB, add, div, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import ABS, EXP, LOG, NEG, WHERE, detach
from onegraph.ops.leaf import constant
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import check_kind, same_shape, show
from onegraph.ops.statistics import widened

functional = public(namespace="nn.functional")


def reduction_of(op: str, reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """'none', 'mean' or 'sum', from the argument of today or the two of old."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"{op}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return reduction


def total(x: Node) -> Node:
    """The sum of all elements."""
    return SUM(x, dims=tuple(range(len(x.shape))), keepdim=False)


def reduced(losses: Node, reduction: str) -> Node:
    """Single losses as they are, their sum, or their mean."""
    if reduction == "none":
        return losses
    found = total(losses)
    return found if reduction == "sum" else DIV(found, constant(losses.size, found.dtype))


def floating_pair(op: str, input: Any, target: Any) -> tuple[Node, Node]:
    """Two operands in their common floating dtype, half precision widened to float32."""
    x, y = promote(input, target)
    if not x.dtype.is_floating_point:
        raise DTypeError(f"{op}: needs floating numbers, got {x.dtype.name}", hint="cast both, e.g. x.float()")
    return widened(x), widened(y)


def result_dtype(input: Any, target: Any) -> Any:
    """The dtype that a loss of these two has."""
    return promote(input, target)[0].dtype


def _warn_of_broadcasting(op: str, x: Node, y: Node) -> None:
    if not same_shape(x.shape, y.shape):
        warnings.warn(
            f"{op}: input {show(x.shape)} and target {show(y.shape)} differ in shape and will be broadcast, "
            "which is rarely what is meant; reshape one of them",
            UserWarning,
            stacklevel=3,
        )


def _same_shapes(op: str, x: Node, y: Node) -> None:
    if not same_shape(x.shape, y.shape):
        raise ShapeError(f"{op}: input {show(x.shape)} and target {show(y.shape)} must have the same shape")


def _weighted(losses: Node, weight: Any, reduction: str) -> Node:
    """Losses times weights; their mean is divided by the sum of the weights."""
    if weight is None:
        return reduced(losses, reduction)
    w = cast(as_node(weight), losses.dtype)
    if not same_shape(w.shape, losses.shape):
        raise ShapeError(f"the weight {show(w.shape)} of a loss must have its shape {show(losses.shape)}")
    found = MUL(losses, w)
    return DIV(total(found), total(w)) if reduction == "mean" else reduced(found, reduction)


@functional
def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Node:
    """(input - target) ** 2, reduced.

    Args:
        input, target: floating, of one shape (a UserWarning when they are broadcast).
        reduction: 'mean', 'sum' or 'none'.
        weight: of the shape of the losses; the mean is then a weighted one.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([mse_loss(as_node([1.0, 2.0]), as_node([1.0, 4.0]))])
    [array(2., dtype=float32)]
    """
    x, y = floating_pair("mse_loss", input, target)
    _warn_of_broadcasting("mse_loss", x, y)
    difference = SUB(x, y)
    losses = _weighted(MUL(difference, difference), weight, reduction_of("mse_loss", reduction, size_average, reduce))
    return cast(losses, result_dtype(input, target))


@functional
def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Node:
    """|input - target|, reduced; arguments as for `mse_loss`."""
    x, y = floating_pair("l1_loss", input, target)
    _warn_of_broadcasting("l1_loss", x, y)
    losses = _weighted(ABS(SUB(x, y)), weight, reduction_of("l1_loss", reduction, size_average, reduce))
    return cast(losses, result_dtype(input, target))


@functional
def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Node:
    """d ** 2 / (2 beta) where d = |input - target| is below beta, else d - beta / 2; reduced.

    Source: Girshick, "Fast R-CNN", 2015.
    """
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss: beta must be at least 0, got {beta}")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    x, y = floating_pair("smooth_l1_loss", input, target)
    _warn_of_broadcasting("smooth_l1_loss", x, y)
    d = ABS(SUB(x, y))
    losses = WHERE(LT(d, constant(beta, d.dtype)), div(mul(mul(d, d), 0.5), beta), sub(d, 0.5 * beta))
    found = reduced(losses, reduction_of("smooth_l1_loss", reduction, size_average, reduce))
    return cast(found, result_dtype(input, target))


@functional
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Node:
    """d ** 2 / 2 where d = |input - target| is at most delta, else delta (d - delta / 2); reduced.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    if delta <= 0:
        raise ArgumentError(f"huber_loss: delta must be positive, got {delta}")
    x, y = floating_pair("huber_loss", input, target)
    _warn_of_broadcasting("huber_loss", x, y)
    d = ABS(SUB(x, y))
    losses = WHERE(LE(d, constant(delta, d.dtype)), mul(mul(d, d), 0.5), mul(sub(d, 0.5 * delta), delta))
    if weight is not None:  # unlike that of mse_loss, the mean is over the number of elements
        losses = _weighted(losses, weight, "none")
    return cast(reduced(losses, reduction_of("huber_loss", reduction)), result_dtype(input, target))


def _clamped_log(x: Node) -> Node:
    """max(log x, -100), differentiated as log where it is not at the limit; PyTorch's way around log 0."""
    tiny = LE(x, constant(math.exp(-100), x.dtype))
    return WHERE(tiny, constant(-100.0, x.dtype), LOG(WHERE(tiny, constant(1, x.dtype), x)))


@functional
def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """-(target log(input) + (1 - target) log(1 - input)), reduced; a logarithm is at least -100.

    Args:
        input: probabilities from 0 to 1. `binary_cross_entropy_with_logits` is more exact.
        target: probabilities, of the same shape and dtype.
        weight: broadcast to them.

    Raises:
        ShapeError: the shapes differ.
    """
    op = "binary_cross_entropy"
    x, y = floating_pair(op, input, target)
    _same_shapes(op, x, y)
    losses = NEG(ADD(MUL(y, _clamped_log(x)), MUL(sub(1.0, y), _clamped_log(sub(1.0, x)))))
    if weight is not None:
        losses = mul(losses, cast(as_node(weight), x.dtype))
    return cast(reduced(losses, reduction_of(op, reduction, size_average, reduce)), result_dtype(input, target))


def _logits_loss(input: Any, target: Any, weight: Any, reduction: str, pos_weight: Any) -> Node:
    op = "binary_cross_entropy_with_logits"
    x, y = floating_pair(op, input, target)
    _same_shapes(op, x, y)
    log_p = log_sigmoid(x)
    losses: Node
    if pos_weight is None:  # (1 - y) x - log_sigmoid(x)
        losses = SUB(MUL(sub(1.0, y), x), log_p)
    else:
        factor = add(mul(sub(cast(as_node(pos_weight), x.dtype), 1.0), y), 1.0)
        losses = sub(MUL(sub(1.0, y), x), mul(factor, log_p))
    if weight is not None:
        losses = mul(losses, cast(as_node(weight), x.dtype))
    return cast(reduced(losses, reduction_of(op, reduction)), result_dtype(input, target))


@functional
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Node:
    """Binary cross entropy of sigmoid(input), computed without overflow; reduced.

    Args:
        input: any floating numbers.
        target: probabilities, of the same shape.
        weight: broadcast to the losses.
        pos_weight: factor of the losses of positive examples, broadcast to them.

    Raises:
        ShapeError: the shapes differ.
    """
    chosen = reduction_of("binary_cross_entropy_with_logits", reduction, size_average, reduce)
    return _logits_loss(input, target, weight, chosen, pos_weight)


@functional
def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Node:
    """target (log(target) - input), reduced: the Kullback-Leibler divergence of log-probabilities `input`.

    Args:
        input: log-probabilities.
        target: probabilities, or log-probabilities with `log_target`.
        reduction: also 'batchmean', the sum divided by the first size, which is the divergence proper.
    """
    x, y = floating_pair("kl_div", input, target)
    if log_target:
        losses = MUL(EXP(y), SUB(y, x))
    else:
        none = LE(y, constant(0, y.dtype))  # 0 log 0 is 0
        entropy = MUL(y, LOG(WHERE(none, constant(1, y.dtype), y)))
        losses = SUB(WHERE(none, constant(0, y.dtype), entropy), MUL(y, x))
    if reduction == "batchmean" and size_average is None and reduce is None:
        found = DIV(total(losses), constant(x.shape[0] if x.shape else 1, losses.dtype))
    else:
        found = reduced(losses, reduction_of("kl_div", reduction, size_average, reduce))
    return cast(found, result_dtype(input, target))


@functional
def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """log(1 + exp(-target * input)) for targets of -1 and 1, reduced."""
    x, y = floating_pair("soft_margin_loss", input, target)
    losses = NEG(log_sigmoid(MUL(y, x)))
    found = reduced(losses, reduction_of("soft_margin_loss", reduction, size_average, reduce))
    return cast(found, result_dtype(input, target))


@functional
def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """input where the target is 1, max(0, margin - input) where it is -1; reduced."""
    x = as_node(input)
    check_kind("hinge_embedding_loss", x, "float")
    wide = widened(x)
    y = cast(as_node(target), wide.dtype)
    zero, one = constant(0, wide.dtype), constant(1, wide.dtype)
    short = sub(margin, wide)
    missed = WHERE(GT(short, zero), short, zero)
    # The sum of two parts, so that a target that is neither 1 nor -1 gets both, as in PyTorch.
    losses = ADD(WHERE(NE(y, one), missed, zero), WHERE(NE(y, NEG(one)), wide, zero))
    return cast(reduced(losses, reduction_of("hinge_embedding_loss", reduction, size_average, reduce)), x.dtype)


@functional
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """The negative log-likelihood of Poisson-distributed counts, reduced.

    Args:
        input: the expected counts, or with `log_input` their logarithms.
        target: the counts.
        full: add Stirling's approximation of log(target!).
        eps: added to the expected counts before taking the logarithm.
    """
    x, y = floating_pair("poisson_nll_loss", to_float(input), to_float(target))
    losses = SUB(EXP(x), MUL(y, x)) if log_input else SUB(x, MUL(y, LOG(add(x, eps))))
    if full:
        large = GT(y, constant(1, y.dtype))
        n = WHERE(large, y, constant(1, y.dtype))
        stirling = add(sub(MUL(n, LOG(n)), n), mul(LOG(mul(n, 2 * math.pi)), 0.5))
        losses = ADD(losses, WHERE(large, stirling, constant(0, y.dtype)))
    found = reduced(losses, reduction_of("poisson_nll_loss", reduction, size_average, reduce))
    return cast(found, result_dtype(to_float(input), to_float(target)))


@functional
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Node:
    """(log(var) + (input - target) ** 2 / var) / 2, reduced; var is at least eps, which has no gradient.

    Args:
        input: expected values.
        target: samples.
        var: variances: of the input's shape, with a last dimension of 1, without the last dimension, or a number.
        full: add log(2 pi) / 2.
        eps: the smallest variance.

    Raises:
        ShapeError: the variances do not fit.
    """
    x, y = floating_pair("gaussian_nll_loss", input, target)
    v = cast(as_node(var), x.dtype)
    if v.shape and not same_shape(v.shape, x.shape):
        if same_shape(v.shape, x.shape[:-1]):
            v = reshape_to(v, (*v.shape, 1))
        elif not (len(v.shape) == len(x.shape) and same_shape(v.shape[:-1], x.shape[:-1]) and v.shape[-1] == 1):
            raise ShapeError(
                f"gaussian_nll_loss: var {show(v.shape)} must have the input's shape {show(x.shape)}, a last "
                "dimension of 1, or none"
            )
    # The limit changes the value but not the gradient, as in PyTorch.
    small = LT(v, constant(eps, v.dtype))
    v = add(v, detach(WHERE(small, sub(eps, v), constant(0, v.dtype))))
    difference = SUB(x, y)
    losses = mul(ADD(LOG(v), DIV(MUL(difference, difference), v)), 0.5)
    if full:
        losses = add(losses, 0.5 * math.log(2 * math.pi))
    return cast(reduced(losses, reduction_of("gaussian_nll_loss", reduction)), result_dtype(input, target))
