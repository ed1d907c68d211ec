"""Connectionist temporal classification: the loss of a sequence of labels whose places in a longer sequence are unknown.

A. Graves et al., "Connectionist temporal classification" (ICML 2006), section 4.1: the sum over all alignments is
computed by a recursion over time on the labels with blanks around them, here with the logarithms of probabilities.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, AND, DIV, EQ, LT, MAXIMUM, MUL, NE, SUB, maximum, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.control_functions import scan
from onegraph.ops.elementwise import DETACH, EXP, LOG, NEG, WHERE
from onegraph.ops.gathering import gather
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.loss import functional, reduction_of, total
from onegraph.ops.movement import concat, expand_to, full, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.reduction import SUM
from onegraph.ops.scan import cumsum
from onegraph.ops.shapes import check_kind, show

# Stands for the logarithm of 0: finite, so that no difference of infinities arises.
_IMPOSSIBLE = -1e30


def _lengths(name: str, given: Any, batch: Any) -> Node:
    node = as_node(np.asarray(given, np.int64)) if isinstance(given, (tuple, list, int)) else as_node(given)
    if node.dtype.kind not in ("int", "uint"):
        raise ArgumentTypeError(f"ctc_loss: {name} must be integers, got {node.dtype.name}")
    node = cast(reshape_to(node, (node.size,)), int64)
    if node.shape[0] != batch:
        raise ShapeError(f"ctc_loss: {name} {show(node.shape)} must have one length for each of {batch} sequences")
    return node


def _padded(targets: Node, lengths: Node, batch: Any) -> Node:
    """Targets in rows (batch, longest), from rows already, or from one vector of all of them one after the other."""
    if len(targets.shape) == 2:
        return targets
    if len(targets.shape) != 1:
        raise ShapeError(f"ctc_loss: targets must be (batch, length) or a vector of all, got {show(targets.shape)}")
    count = targets.shape[0]
    if count == 0:
        return full((batch, 0), 0, int64)
    starts = SUB(cumsum(lengths, 0), lengths)
    places = ADD(reshape_to(starts, (batch, 1)), reshape_to(iota(count), (1, count)))
    inside = LT(places, constant(count, int64))
    return TAKE(targets, WHERE(inside, places, constant(0, int64)), dim=0)


def _log_sum(*terms: Node) -> Node:
    """log(exp(a) + exp(b) + ...)."""
    top = terms[0]
    for t in terms[1:]:
        top = MAXIMUM(top, t)
    top = DETACH(top)
    found = EXP(SUB(terms[0], top))
    for t in terms[1:]:
        found = ADD(found, EXP(SUB(t, top)))
    return ADD(top, LOG(found))


def _shifted(alpha: Node, by: int) -> Node:
    """The row moved to the right, impossible places coming in."""
    batch, size = alpha.shape
    out = full((batch, by), _IMPOSSIBLE, alpha.dtype)
    return (
        concat([out, slice_dim(alpha, 1, 0, size - by)], 1)
        if size > by
        else full(alpha.shape, _IMPOSSIBLE, alpha.dtype)
    )


def _with_blanks(targets: Node, blank: int) -> tuple[Node, Node]:
    """Labels with a blank before, between and after them, and where a step may skip the blank before a label."""
    batch, size = targets.shape
    pairs = concat([full((batch, size, 1), blank, int64), reshape_to(targets, (batch, size, 1))], 2)
    labels = concat([reshape_to(pairs, (batch, 2 * size)), full((batch, 1), blank, int64)], 1)
    before = concat([full((batch, 2), blank, int64), slice_dim(labels, 1, 0, 2 * size - 1)], 1) if size else labels
    return labels, AND(NE(labels, constant(blank, int64)), NE(labels, before))


def _log_likelihood(x: Node, targets: Node, input_lengths: Node, target_lengths: Node, blank: int) -> Node:
    """The logarithm of the probability of each target row; x is (time, batch, classes)."""
    steps, batch, _ = x.shape
    labels, may_skip = _with_blanks(targets, blank)
    width = labels.shape[1]
    emitted = gather(x, 2, expand_to(reshape_to(labels, (1, batch, width)), (steps, batch, width)))
    emitted = MAXIMUM(emitted, constant(_IMPOSSIBLE, x.dtype))
    place = reshape_to(iota(width), (1, width))
    impossible = constant(_IMPOSSIBLE, x.dtype)
    # Before the first step only the place before the first label is possible; it leads to the first two.
    start = expand_to(WHERE(EQ(place, constant(0, int64)), constant(0, x.dtype), impossible), (batch, width))

    def step(alpha: Node, row: Any) -> tuple[Node, None]:
        log_p, time = row
        skip = WHERE(may_skip, _shifted(alpha, 2), impossible)
        moved = MAXIMUM(ADD(_log_sum(alpha, _shifted(alpha, 1), skip), log_p), impossible)
        running = LT(reshape_to(time, (1, 1)), reshape_to(input_lengths, (batch, 1)))
        return WHERE(running, moved, alpha), None

    alpha, _ = scan(step, start, (emitted, iota(steps)))
    last = mul(reshape_to(target_lengths, (batch, 1)), 2)
    at_end = _picked(alpha, last)
    before = WHERE(EQ(last, constant(0, int64)), impossible, _picked(alpha, maximum(sub(last, 1), 0)))
    return reshape_to(_log_sum(at_end, before), (batch,))


def _picked(alpha: Node, place: Node) -> Node:
    return gather(alpha, 1, place)


@functional
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Node:
    """The negative logarithm of the probability of label sequences, over all their alignments to longer inputs.

    The gradient takes the probabilities of a step to add up to 1, as PyTorch's does: apply `log_softmax` first.

    Args:
        log_probs: (time, batch, classes) or (time, classes): logarithms of probabilities.
        targets: int labels, (batch, longest) or a vector of all sequences one after the other; never `blank`.
        input_lengths: how much of the time counts, for each sequence.
        target_lengths: how many labels count, for each sequence.
        blank: the class that stands for no label.
        reduction: "none"; "mean", of losses divided by target lengths; or "sum".
        zero_infinity: 0 in place of an infinite loss, of targets too long for their input.
    """
    x = as_node(log_probs)
    check_kind("ctc_loss", x, "float")
    reduction = reduction_of("ctc_loss", reduction)
    single = len(x.shape) == 2
    if len(x.shape) not in (2, 3):
        raise ShapeError(f"ctc_loss: log_probs must be (time, batch, classes) or (time, classes), got {show(x.shape)}")
    labels = cast(as_node(targets), int64)
    if single:
        x = reshape_to(x, (x.shape[0], 1, x.shape[1]))
        labels = reshape_to(labels, (1, labels.size))
    _, batch, classes = x.shape
    if isinstance(classes, int) and not 0 <= blank < classes:
        raise ArgumentError(f"ctc_loss: blank must be one of the {classes} classes, got {blank}")
    ends, sizes = _lengths("input_lengths", input_lengths, batch), _lengths("target_lengths", target_lengths, batch)
    losses = NEG(_log_likelihood(x, _padded(labels, sizes, batch), ends, sizes, blank))
    possible = LT(losses, constant(-_IMPOSSIBLE / 2, x.dtype))
    losses = ADD(losses, _normalization(x, ends))
    losses = WHERE(possible, losses, constant(0.0 if zero_infinity else math.inf, x.dtype))
    if reduction == "mean":
        losses = DIV(losses, cast(maximum(sizes, 1), x.dtype))
        return DIV(total(losses), constant(batch, x.dtype))
    if reduction == "sum":
        return total(losses)
    return reshape_to(losses, ()) if single else losses


def _normalization(x: Node, input_lengths: Node) -> Node:
    """0, with the gradient exp(x) at the steps that count."""
    steps, batch, _ = x.shape
    counts = LT(reshape_to(iota(steps), (steps, 1)), reshape_to(input_lengths, (1, batch)))
    mass = MUL(SUM(EXP(x), dims=(2,), keepdim=False), cast(counts, x.dtype))
    summed = SUM(mass, dims=(0,), keepdim=False)
    return SUB(summed, DETACH(summed))
