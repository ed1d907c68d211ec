"""Losses over classes: cross entropy, negative log-likelihood, and the margin losses.

The log-probability of the target is found by comparing the class numbers with the target, a mask inside a sum,
because that fuses with the softmax. So that a target outside the classes cannot pass as a loss of 0, the weight
of every target's class is looked up with `take`, which checks its indices when the graph runs: such a target
is an OutOfRangeError.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.activation import log_sigmoid
from onegraph.ops.binary import ADD, AND, DIV, EQ, LT, MUL, NE, SUB, add, mul, pow, sub
from onegraph.ops.cast import CAST, cast
from onegraph.ops.elementwise import NEG, WHERE
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.loss import functional, reduced, reduction_of, total
from onegraph.ops.movement import full, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.reduction import SUM
from onegraph.ops.scan import cumsum
from onegraph.ops.shapes import check_kind, same_shape, same_size, show
from onegraph.ops.softmax import log_softmax_of
from onegraph.ops.statistics import widened


def _classes_dim(x: Node) -> int:
    return 1 if len(x.shape) > 1 else 0


def _check_target(op: str, x: Node, target: Node) -> None:
    """Class numbers have the input's shape without its classes."""
    wanted = (*x.shape[:1], *x.shape[2:]) if len(x.shape) > 1 else ()
    if not x.shape or not same_shape(target.shape, wanted):
        raise ShapeError(
            f"{op}: input {show(x.shape)} needs targets of shape {show(wanted)}, got {show(target.shape)}",
            hint="the input is (batch, classes, ...), the target (batch, ...) with one class number each",
        )
    if target.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            f"{op}: targets must be integers (class numbers), got {target.dtype.name} {show(target.shape)}",
            hint="cast them with target.long()",
        )


def _check_weight(op: str, x: Node, weight: Node | None) -> None:
    classes = x.shape[_classes_dim(x)]
    if weight is not None and (len(weight.shape) != 1 or not same_size(weight.shape[0], classes)):
        raise ShapeError(f"{op}: weight {show(weight.shape)} must have one element for each of {classes} classes")


def _along_classes(x: Node, values: Node) -> Node:
    """One value a class, shaped to broadcast with (batch, classes, ...)."""
    return reshape_to(values, (values.shape[0], *[1] * (len(x.shape) - 1 - _classes_dim(x))))


def _weights_of_targets(x: Node, target: Node, weight: Node | None, ignored: Node) -> Node:
    """The weight of every target's class, 0 where ignored. Targets out of range are found here."""
    d = _classes_dim(x)
    table = full((x.shape[d],), 1, x.dtype) if weight is None else weight
    found = TAKE(table, WHERE(ignored, constant(0, int64), target), dim=0)
    return WHERE(ignored, constant(0, x.dtype), found)


def _pick(x: Node, target: Node) -> Node:
    """x at the target's class."""
    d = _classes_dim(x)
    classes = reshape_to(iota(x.shape[d]), (x.shape[d], *[1] * (len(x.shape) - 1 - d)))
    chosen = EQ(classes, reshape_to(target, (*x.shape[:d], 1, *x.shape[d + 1 :])))
    return SUM(WHERE(chosen, x, constant(0, x.dtype)), dims=(d,), keepdim=False)


def _likelihood_losses(
    op: str, x: Node, target: Any, weight: Node | None, ignore_index: int
) -> tuple[Node, Node, Node]:
    """-log-probability times weight of every target; the weights; where targets are ignored."""
    y = as_node(target)
    _check_target(op, x, y)
    _check_weight(op, x, weight)
    y = cast(y, int64)
    ignored = EQ(y, constant(ignore_index, int64))
    weights = _weights_of_targets(x, y, weight, ignored)
    losses = WHERE(ignored, constant(0, x.dtype), NEG(MUL(_pick(x, y), weights)))
    return losses, weights, ignored


def _mean_by_weight(losses: Node, weights: Node, reduction: str) -> Node:
    if reduction == "mean":
        return DIV(total(losses), total(weights))
    return reduced(losses, reduction)


def _prepared_weight(weight: Any, x: Node) -> Node | None:
    return None if weight is None else cast(as_node(weight), x.dtype)


@functional
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """The negative log-likelihood: minus the log-probability of each target's class, reduced.

    Args:
        input: log-probabilities, (batch, classes, ...) or (classes,).
        target: integers, (batch, ...) or without dimensions.
        weight: one for each class; the mean is then a weighted one.
        ignore_index: targets of this number do not count.

    Raises:
        ShapeError: the shapes do not fit.
        OutOfRangeError: when run, a target outside 0 .. classes - 1 that is not `ignore_index`.
    """
    x = as_node(input)
    check_kind("nll_loss", x, "float")
    wide = widened(x)
    losses, weights, _ = _likelihood_losses("nll_loss", wide, target, _prepared_weight(weight, wide), ignore_index)
    chosen = reduction_of("nll_loss", reduction, size_average, reduce)
    return cast(_mean_by_weight(losses, weights, chosen), x.dtype)


def _with_probabilities(log_p: Node, target: Node, weight: Node | None, reduction: str, smoothing: float) -> Node:
    d = _classes_dim(log_p)
    classes = log_p.shape[d]
    y = cast(target, log_p.dtype)
    if smoothing:
        y = add(mul(y, 1 - smoothing), DIV(constant(smoothing, y.dtype), constant(classes, y.dtype)))
    terms = MUL(log_p, y)
    if weight is not None:
        terms = MUL(terms, _along_classes(log_p, weight))
    losses = NEG(SUM(terms, dims=(d,), keepdim=False))
    return reduced(losses, reduction)


def _smoothed(
    log_p: Node, losses: Node, weights: Node, ignored: Node, weight: Node | None, reduction: str, smoothing: float
) -> Node:
    """(1 - s) times the loss of the target and s times the mean loss of all classes. Szegedy et al. 2016."""
    d = _classes_dim(log_p)
    every = log_p if weight is None else MUL(log_p, _along_classes(log_p, weight))
    smooth = WHERE(ignored, constant(0, log_p.dtype), NEG(SUM(every, dims=(d,), keepdim=False)))
    share = DIV(constant(smoothing, log_p.dtype), constant(log_p.shape[d], log_p.dtype))
    mixed = add(mul(losses, 1 - smoothing), MUL(smooth, share))
    return _mean_by_weight(mixed, weights, reduction)


@functional
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Node:
    """Minus the logarithm of softmax(input) at the target's class, reduced.

    Args:
        input: any floating numbers (logits), (batch, classes, ...) or (classes,).
        target: class numbers, (batch, ...) or without dimensions; or probabilities of the input's shape.
        weight: one for each class; for class numbers the mean is then a weighted one.
        ignore_index: class numbers of this value do not count.
        label_smoothing: from 0 to 1, the part of the target that is spread evenly over all classes.

    Raises:
        ShapeError: the shapes do not fit.
        OutOfRangeError: when run, a class number outside 0 .. classes - 1 that is not `ignore_index`.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([cross_entropy(as_node([[0.0, 0.0], [100.0, 0.0]]), as_node([1, 0]))])
    [array(0.346573..., dtype=float32)]
    """
    op = "cross_entropy"
    x, y = as_node(input), as_node(target)
    check_kind(op, x, "float")
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"{op}: label_smoothing must be from 0 to 1, got {label_smoothing}")
    if not x.shape:
        raise ShapeError(f"{op}: input {show(x.shape)} needs a dimension of classes")
    chosen = reduction_of(op, reduction, size_average, reduce)
    wide = widened(x)
    w = _prepared_weight(weight, wide)
    _check_weight(op, wide, w)
    if len(y.shape) == len(x.shape) and same_shape(x.shape, y.shape):
        if not y.dtype.is_floating_point:
            raise DTypeError(
                f"{op}: targets of the input's shape {show(x.shape)} are probabilities and must be floating, got "
                f"{y.dtype.name}",
                hint="cast them to the input's dtype, or give one class number for each sample",
            )
        log_p = log_softmax_of(wide, _classes_dim(x))
        return cast(_with_probabilities(log_p, y, w, chosen, label_smoothing), x.dtype)
    _check_target(op, wide, y)
    log_p = log_softmax_of(wide, _classes_dim(x))
    losses, weights, ignored = _likelihood_losses(op, log_p, y, w, ignore_index)
    if label_smoothing:
        found = _smoothed(log_p, losses, weights, ignored, w, chosen, label_smoothing)
    else:
        found = _mean_by_weight(losses, weights, chosen)
    return cast(found, x.dtype)


def _rows(op: str, input: Any) -> tuple[Node, Node, bool]:
    """The input as (batch, classes) in float32 or wider, and whether it was (classes,)."""
    x = as_node(input)
    check_kind(op, x, "float")
    if len(x.shape) > 2:
        raise ShapeError(f"{op}: input {show(x.shape)} must be (batch, classes) or (classes,)")
    single = len(x.shape) < 2
    wide = widened(x)
    return x, reshape_to(wide, (1, x.size)) if single else wide, single


def _ramp(x: Node) -> Node:
    """max(x, 0) with derivative 0 at 0."""
    zero = constant(0, x.dtype)
    return WHERE(LT(zero, x), x, zero)


def _one_hot(x: Node, target: Node) -> Node:
    return EQ(iota(x.shape[1]), reshape_to(target, (x.shape[0], 1)))


@functional
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """The sum over wrong classes of max(0, margin - x[target] + x[class]) ** p, divided by the classes; reduced.

    Args:
        input: (batch, classes) or (classes,).
        target: class numbers, (batch,) or without dimensions.
        p: 1 or 2.
        weight: one for each class.

    Raises:
        OutOfRangeError: when run, a target outside the classes.
    """
    op = "multi_margin_loss"
    if p not in (1, 2):
        raise ArgumentError(f"{op}: p must be 1 or 2, got {p}")
    kind = reduction_of(op, reduction, size_average, reduce)
    x, rows, single = _rows(op, input)
    w = _prepared_weight(weight, rows)
    _check_weight(op, rows, w)
    y = reshape_to(as_node(target), rows.shape[:1])
    _check_target(op, rows, y)
    y = cast(y, int64)
    weights = _weights_of_targets(rows, y, w, NE(y, y))
    right = reshape_to(_pick(rows, y), (rows.shape[0], 1))
    terms = pow(_ramp(add(SUB(rows, right), margin)), p)
    terms = WHERE(_one_hot(rows, y), constant(0, rows.dtype), terms)
    losses = DIV(SUM(terms, dims=(1,), keepdim=False), constant(rows.shape[1], rows.dtype))
    losses = MUL(losses, weights)
    losses = reshape_to(losses, ()) if single else losses
    return cast(reduced(losses, kind), x.dtype)


@functional
def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """The mean over classes of binary cross entropies with logits, reduced.

    Args:
        input: (..., classes).
        target: 0 or 1, of the same shape.
        weight: one for each class.
    """
    op = "multilabel_soft_margin_loss"
    x = as_node(input)
    check_kind(op, x, "float")
    wide = widened(x)
    y = cast(as_node(target), wide.dtype)
    if not x.shape or not same_shape(x.shape, y.shape):
        raise ShapeError(f"{op}: input {show(x.shape)} and target {show(y.shape)} must have the same shape")
    terms = NEG(ADD(MUL(y, log_sigmoid(wide)), MUL(sub(1.0, y), log_sigmoid(NEG(wide)))))
    if weight is not None:
        terms = mul(terms, cast(as_node(weight), wide.dtype))
    last = len(x.shape) - 1
    losses = DIV(SUM(terms, dims=(last,), keepdim=False), constant(x.shape[last], wide.dtype))
    return cast(reduced(losses, reduction_of(op, reduction, size_average, reduce)), x.dtype)


@functional
def multilabel_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """The sum over right classes i and wrong ones j of max(0, 1 - x[i] + x[j]), divided by the classes; reduced.

    Args:
        input: (batch, classes) or (classes,).
        target: of the same shape; the right class numbers of each sample, ended by -1.

    Raises:
        OutOfRangeError: when run, a class number outside the classes.
    """
    op = "multilabel_margin_loss"
    x, rows, single = _rows(op, input)
    y = as_node(target)
    if y.dtype.kind not in ("int", "uint") or not same_shape(y.shape, x.shape):
        raise ShapeError(
            f"{op}: needs integer targets of the input's shape {show(x.shape)}, got {y.dtype.name} {show(y.shape)}"
        )
    y = cast(reshape_to(y, rows.shape), int64)
    batch, classes = rows.shape
    # A target counts as long as no negative number has come before it.
    ended = CAST(LT(y, constant(0, int64)), dtype=int64)
    listed = EQ(cumsum(ended, 1), constant(0, int64))
    safe = WHERE(listed, y, constant(0, int64))
    checked = TAKE(full((classes,), 1, rows.dtype), safe, dim=0)
    numbers = reshape_to(iota(classes), (1, 1, classes))
    hits = AND(EQ(reshape_to(safe, (batch, classes, 1)), numbers), reshape_to(listed, (batch, classes, 1)))
    is_right = NE(SUM(CAST(hits, dtype=int64), dims=(1,), keepdim=False), constant(0, int64))
    zero = constant(0, rows.dtype)
    right = SUM(WHERE(hits, reshape_to(rows, (batch, 1, classes)), zero), dims=(2,), keepdim=True)
    terms = _ramp(add(SUB(reshape_to(rows, (batch, 1, classes)), right), 1.0))
    counts = AND(_not(reshape_to(is_right, (batch, 1, classes))), reshape_to(listed, (batch, classes, 1)))
    terms = MUL(WHERE(counts, terms, zero), reshape_to(checked, (batch, classes, 1)))
    losses = DIV(SUM(terms, dims=(1, 2), keepdim=False), constant(classes, rows.dtype))
    losses = reshape_to(losses, ()) if single else losses
    return cast(reduced(losses, reduction_of(op, reduction, size_average, reduce)), x.dtype)


def _not(x: Node) -> Node:
    return EQ(x, constant(False, x.dtype))
