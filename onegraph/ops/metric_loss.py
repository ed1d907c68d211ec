"""Losses over pairs and triples: what is alike should be close, what is not should be far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, EQ, LT, MUL, SUB, add, minimum, sub
from onegraph.ops.cast import cast
from onegraph.ops.distance import cosine_similarity, pairwise_distance
from onegraph.ops.elementwise import NEG, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.loss import functional, reduced, reduction_of
from onegraph.ops.promotion import as_node, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.shapes import check_kind, show
from onegraph.ops.statistics import widened


def _ramp(x: Node) -> Node:
    """max(x, 0) with derivative 1 at 0, as PyTorch's clamp_min(0) has."""
    zero = constant(0, x.dtype)
    return WHERE(LT(x, zero), zero, x)


@public(method=False)
@functional
def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """max(0, -target (input1 - input2) + margin) for targets of 1 (first is larger) or -1; reduced."""
    a, b = promote(input1, input2)
    y = as_node(target)
    if not len(a.shape) == len(b.shape) == len(y.shape):
        raise ShapeError(
            f"margin_ranking_loss: {show(a.shape)}, {show(b.shape)} and target {show(y.shape)} must have as many "
            "dimensions each"
        )
    check_kind("margin_ranking_loss", a, "float")
    left, right = widened(a), widened(b)
    losses = _ramp(add(MUL(NEG(cast(y, left.dtype)), SUB(left, right)), margin))
    return cast(reduced(losses, reduction_of("margin_ranking_loss", reduction, size_average, reduce)), a.dtype)


@public(method=False)
@functional
def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1; reduced.

    Args:
        input1, input2: (batch, size) or (size,).
        target: 1 or -1, (batch,) or without dimensions.
    """
    a, b = map(to_float, promote(input1, input2))
    y = as_node(target)
    if len(y.shape) != len(a.shape) - 1 or len(a.shape) not in (1, 2):
        raise ShapeError(
            f"cosine_embedding_loss: inputs {show(a.shape)} and {show(b.shape)} must be (batch, size) or (size,), "
            f"and the target {show(y.shape)} (batch,) or without dimensions"
        )
    wide = widened(a)
    cosine = cosine_similarity(wide, widened(b), len(a.shape) - 1)
    sign = cast(y, wide.dtype)
    zero, one = constant(0, wide.dtype), constant(1, wide.dtype)
    apart = WHERE(EQ(sign, NEG(one)), _ramp(sub(cosine, margin)), zero)
    losses = ADD(WHERE(EQ(sign, one), SUB(one, cosine), zero), apart)
    return cast(reduced(losses, reduction_of("cosine_embedding_loss", reduction, size_average, reduce)), a.dtype)


def _triplet(near: Node, far: Node, swapped: Node | None, margin: float, reduction: str) -> Node:
    if swapped is not None:
        far = minimum(far, swapped)
    return reduced(_ramp(add(SUB(near, far), margin)), reduction)


@public(method=False)
@functional
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) of p-norm distances, reduced.

    Args:
        anchor, positive, negative: (batch, size) or (size,).
        swap: take d(positive, negative) instead of d(anchor, negative) where it is smaller.

    Source: Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses", 2016.
    """
    if margin <= 0:
        raise ArgumentError(f"triplet_margin_loss: margin must be positive, got {margin}")
    a, near, far = map(to_float, promote(anchor, positive, negative))
    if not len(a.shape) == len(near.shape) == len(far.shape):
        raise ShapeError(
            f"triplet_margin_loss: anchor {show(a.shape)}, positive {show(near.shape)} and negative "
            f"{show(far.shape)} must have as many dimensions each"
        )
    x, y, z = widened(a), widened(near), widened(far)
    swapped = pairwise_distance(y, z, p, eps) if swap else None
    chosen = reduction_of("triplet_margin_loss", reduction, size_average, reduce)
    losses = _triplet(pairwise_distance(x, y, p, eps), pairwise_distance(x, z, p, eps), swapped, margin, chosen)
    return cast(losses, a.dtype)


@functional
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Node:
    """`triplet_margin_loss` with a distance of the user's own (the default is `pairwise_distance`)."""
    if margin <= 0:
        raise ArgumentError(f"triplet_margin_with_distance_loss: margin must be positive, got {margin}")
    distance = distance_function or pairwise_distance
    swapped = as_node(distance(positive, negative)) if swap else None
    chosen = reduction_of("triplet_margin_with_distance_loss", reduction)
    near, far = as_node(distance(anchor, positive)), as_node(distance(anchor, negative))
    return _triplet(near, far, swapped, margin, chosen)
