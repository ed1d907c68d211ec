"""Scaled dot-product attention, composed from two matrix products and a softmax."""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bool_
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, EQ, GE, SUB, mul
from onegraph.ops.cast import cast
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.dropout import dropout
from onegraph.ops.elementwise import EXP, ISFINITE, WHERE, detach
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import expand_to, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.shapes import check_kind, check_same_dtype, same_size, show
from onegraph.ops.softmax import softmax_of
from onegraph.ops.statistics import widened

OP = "scaled_dot_product_attention"


def masked_softmax(x: Node) -> Node:
    """Softmax along the last dimension; 0 instead of NaN where a row is -inf throughout (nothing to attend to)."""
    last = len(x.shape) - 1
    zero, one = constant(0, x.dtype), constant(1, x.dtype)
    largest = detach(MAX(x, dims=(last,), keepdim=True))
    powers = EXP(SUB(x, WHERE(ISFINITE(largest), largest, zero)))
    sums = SUM(powers, dims=(last,), keepdim=True)
    return DIV(powers, WHERE(EQ(sums, zero), one, sums))


def _check(q: Node, k: Node, v: Node) -> None:
    check_kind(OP, q, "float")
    check_same_dtype(OP, q, k, v)
    shapes = f"{OP}: query {show(q.shape)}, key {show(k.shape)}, value {show(v.shape)}"
    if min(len(q.shape), len(k.shape), len(v.shape)) < 2:
        raise ShapeError(f"{shapes}: each needs at least (length, features)")
    if not same_size(q.shape[-1], k.shape[-1]):
        raise ShapeError(f"{shapes}: query and key have {q.shape[-1]} and {k.shape[-1]} features")
    if not same_size(k.shape[-2], v.shape[-2]):
        raise ShapeError(f"{shapes}: key and value have lengths {k.shape[-2]} and {v.shape[-2]}")


def _repeat_heads(q: Node, x: Node) -> Node:
    """Every head of key or value once for each query head that shares it. Source: Ainslie et al., GQA, 2023."""
    if min(len(q.shape), len(x.shape)) < 3:
        raise ShapeError(f"{OP}: enable_gqa needs a dimension of heads, got {show(q.shape)} and {show(x.shape)}")
    wanted, heads = q.shape[-3], x.shape[-3]
    if wanted == heads:
        return x
    if isinstance(wanted, Dim) or isinstance(heads, Dim) or heads == 0 or wanted % heads:
        raise ShapeError(f"{OP}: {wanted} query heads are not a multiple of {heads} key or value heads")
    wide = reshape_to(x, (*x.shape[:-2], 1, *x.shape[-2:]))
    copies = expand_to(wide, (*x.shape[:-2], wanted // heads, *x.shape[-2:]))
    return reshape_to(copies, (*x.shape[:-3], wanted, *x.shape[-2:]))


def _weights(scores: Node, mask: Node | None, is_causal: bool) -> Node:
    """The softmax of masked scores."""
    lowest = constant(-math.inf, scores.dtype)
    if is_causal:
        length, keys = scores.shape[-2:]
        seen = GE(reshape_to(iota(length), (length, 1)), iota(keys))
        return softmax_of(WHERE(seen, scores, lowest), len(scores.shape) - 1)
    if mask is None:
        return softmax_of(scores, len(scores.shape) - 1)
    if mask.dtype is bool_:
        return masked_softmax(WHERE(mask, scores, lowest))
    if not mask.dtype.is_floating_point:
        raise DTypeError(f"{OP}: attn_mask must be bool or floating, got {mask.dtype.name}")
    return masked_softmax(ADD(scores, cast(mask, scores.dtype)))


@public(namespace="nn.functional")
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    dropout_key: Node | None = None,
) -> Node:
    """softmax(query @ key.T * scale + mask) @ value.

    Args:
        query: (..., length, features).
        key: (..., keys, features).
        value: (..., keys, outputs).
        attn_mask: broadcasts to (..., length, keys); bool (true where attention is allowed) or added to the scores.
        dropout_p: probability with which a weight is set to 0, always applied when positive.
        is_causal: position i sees keys 0 to i; excludes `attn_mask`.
        scale: 1 / sqrt(features) when None.
        enable_gqa: the third dimension from the end may have fewer heads in key and value than in query.
        dropout_key: of the random numbers for `dropout_p`; front ends supply it.

    Returns:
        (..., length, outputs). Where a mask allows nothing, 0.

    Raises:
        ShapeError: sizes do not fit.
        ArgumentError: both a mask and `is_causal`.

    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> from onegraph.ops.movement import full
    >>> scaled_dot_product_attention(full((2, 5, 8), 1.0), full((2, 6, 8), 1.0), full((2, 6, 3), 1.0)).shape
    (2, 5, 3)
    """
    q, k, v = as_node(query), as_node(key), as_node(value)
    mask = None if attn_mask is None else as_node(attn_mask)
    _check(q, k, v)
    if is_causal and mask is not None:
        raise ArgumentError(f"{OP}: give attn_mask or is_causal, not both", hint="put the causal mask into attn_mask")
    if dropout_p and dropout_key is None:
        raise ArgumentError(f"{OP}: dropout_p={dropout_p} needs a dropout_key")
    if enable_gqa:
        k, v = _repeat_heads(q, k), _repeat_heads(q, v)
    features = q.shape[-1]
    if scale is None and isinstance(features, Dim):
        raise ShapeError(f"{OP}: the number of features {features} must be known, or scale given")
    factor = scale if scale is not None else 1 / math.sqrt(features) if features != 0 else 1.0
    wide = widened(q)
    scores = MATMUL(mul(wide, factor), transpose_last(widened(k)))
    weights = _weights(scores, mask, is_causal)
    if dropout_p and dropout_key is not None:
        weights = dropout(dropout_key, weights, dropout_p)
    return cast(MATMUL(weights, widened(v)), q.dtype)
