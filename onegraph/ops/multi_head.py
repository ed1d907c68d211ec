"""Multi-head attention on nodes: projections, several attentions side by side, and a projection of what they give.

Source: Vaswani et al., "Attention is all you need", 2017, section 3.2.2. Read next: `attention.py` (one head).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import bool_
from onegraph.ir.node import Node
from onegraph.ops.attention import masked_softmax
from onegraph.ops.binary import ADD, AND, GE, MUL
from onegraph.ops.cast import cast
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.dropout import dropout
from onegraph.ops.elementwise import LOGICAL_NOT, WHERE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.linear import linear
from onegraph.ops.movement import PERMUTE, concat, expand_to, full, reshape_to, slice_dim
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import check_kind, check_same_dtype, same_shape, same_size, show
from onegraph.ops.softmax import softmax_of
from onegraph.ops.statistics import widened

OP = "multi_head_attention"


class Projections(NamedTuple):
    """The weights that make queries, keys and values, and the biases (or None) added to them.

    Attributes:
        weights: (outputs, features) of the three; or one of all three above each other, for equal widths.
        bias: (3 * width,), or None.
    """

    weights: tuple[Node, ...]
    bias: Node | None = None


@dataclass(frozen=True)
class Extras:
    """What may be added to keys and values before they are looked at.

    Attributes:
        bias_k, bias_v: a learned last key and value (1, 1, width), or None.
        zero: whether a key and a value of zeros come after that.
        static_k, static_v: keys and values (batch * heads, keys, width / heads) to use in place of projected ones.
    """

    bias_k: Node | None = None
    bias_v: Node | None = None
    zero: bool = False
    static_k: Node | None = None
    static_v: Node | None = None

    @property
    def count(self) -> int:
        """How many keys they are."""
        return (self.bias_k is not None) + self.zero


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        values: (batch, length, width).
        weights: (batch, heads, length, keys).
    """

    values: Node
    weights: Node


def _check(query: Node, key: Node, value: Node, heads: int) -> None:
    check_kind(OP, query, "float")
    check_same_dtype(OP, query, key, value)
    shapes = f"{OP}: query {show(query.shape)}, key {show(key.shape)}, value {show(value.shape)}"
    if not len(query.shape) == len(key.shape) == len(value.shape) == 3:
        raise ShapeError(f"{shapes}: each needs dimensions for batch, length and features, or all only the last two")
    if not all(same_size(query.shape[0], x.shape[0]) for x in (key, value)):
        raise ShapeError(f"{shapes}: the batches differ")
    if not same_size(key.shape[1], value.shape[1]):
        raise ShapeError(f"{shapes}: key and value have lengths {key.shape[1]} and {value.shape[1]}")
    if heads <= 0 or query.shape[2] % heads:
        raise ArgumentError(f"{shapes}: {heads} heads do not divide {query.shape[2]} features")


def _project(query: Node, key: Node, value: Node, by: Projections) -> tuple[Node, Node, Node]:
    """Queries, keys and values; products of the same input with stacked weights are one product."""
    width, bias = query.shape[2], by.bias
    biases = [None if bias is None else slice_dim(bias, 0, i * width, (i + 1) * width) for i in range(3)]
    if len(by.weights) == 3:
        q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), by.weights, biases, strict=True))
        return q, k, v
    (weight,) = by.weights
    if query is key and key is value:
        packed = linear(query, weight, bias)
        q, k, v = (slice_dim(packed, 2, i * width, (i + 1) * width) for i in range(3))
        return q, k, v
    q = linear(query, slice_dim(weight, 0, 0, width), biases[0])
    if key is value:
        rest = None if bias is None else slice_dim(bias, 0, width, 3 * width)
        packed = linear(key, slice_dim(weight, 0, width, 3 * width), rest)
        return q, slice_dim(packed, 2, 0, width), slice_dim(packed, 2, width, 2 * width)
    k = linear(key, slice_dim(weight, 0, width, 2 * width), biases[1])
    return q, k, linear(value, slice_dim(weight, 0, 2 * width, 3 * width), biases[2])


def _extended(x: Node, static: Node | None, learned: Node | None, zero: bool, heads: int) -> Node:
    """Keys or values (batch, heads, length, features of a head), with those that are added."""
    batch = x.shape[0]
    if static is not None:
        count, width = static.shape[1], static.shape[2]
        if not same_shape(static.shape, (batch * heads, count, x.shape[2] // heads)):
            rule = show((batch * heads, "keys", x.shape[2] // heads))
            raise ShapeError(
                f"{OP}: static keys and values are (batch * heads, keys, features) = {rule}, got {show(static.shape)}"
            )
        split = reshape_to(static, (batch, heads, count, width))
    else:
        if learned is not None:
            x = concat([x, expand_to(reshape_to(learned, (1, 1, x.shape[2])), (batch, 1, x.shape[2]))], 1)
        split = split_heads(x, heads)
    if zero:
        split = concat([split, full((batch, heads, 1, split.shape[3]), 0, split.dtype)], 2)
    return split


def split_heads(x: Node, heads: int) -> Node:
    """(batch, length, width) to (batch, heads, length, width / heads)."""
    batch, length, width = x.shape
    return PERMUTE(reshape_to(x, (batch, length, heads, width // heads)), dims=(0, 2, 1, 3))


def merge_heads(x: Node) -> Node:
    """(batch, heads, length, features) to (batch, length, heads * features)."""
    batch, heads, length, features = x.shape
    return reshape_to(PERMUTE(x, dims=(0, 2, 1, 3)), (batch, length, heads * features))


def _widened_mask(mask: Node, extra: int) -> Node:
    """A mask that lets the added keys be seen."""
    if not extra:
        return mask
    return concat([mask, full((*mask.shape[:-1], extra), 0, mask.dtype)], len(mask.shape) - 1)


def masks_of(
    attn_mask: Node | None, key_padding_mask: Node | None, batch: Any, heads: int, length: Any, keys: Any, extra: int
) -> list[Node]:
    """Masks, bool (true where attention is forbidden) or added to scores, broadcasting to (batch, heads, length, keys).

    Raises:
        ShapeError, DTypeError: a mask that does not fit.
    """
    found = []
    if attn_mask is not None:
        shape = attn_mask.shape
        if same_shape(shape, (length, keys)):
            found.append(reshape_to(_widened_mask(attn_mask, extra), (1, 1, length, keys + extra)))
        elif same_shape(shape, (batch * heads, length, keys)):
            found.append(reshape_to(_widened_mask(attn_mask, extra), (batch, heads, length, keys + extra)))
        else:
            wanted = f"{show((length, keys))} or (batch * heads, length, keys) = {show((batch * heads, length, keys))}"
            raise ShapeError(f"{OP}: attn_mask is {show(shape)}, needed is (length, keys) = {wanted}")
    if key_padding_mask is not None:
        if not same_shape(key_padding_mask.shape, (batch, keys)):
            rule = f"(batch, keys) = {show((batch, keys))}"
            raise ShapeError(f"{OP}: key_padding_mask is {show(key_padding_mask.shape)}, needed is {rule}")
        found.append(reshape_to(_widened_mask(key_padding_mask, extra), (batch, 1, 1, keys + extra)))
    for mask in found:
        if mask.dtype is not bool_ and not mask.dtype.is_floating_point:
            raise DTypeError(f"{OP}: masks must be bool or floating, got {mask.dtype.name}")
    return found


def _weights(scores: Node, masks: list[Node], is_causal: bool) -> Node:
    """The softmax of masked scores."""
    if is_causal:
        length, keys = scores.shape[-2:]
        allowed: Node | None = GE(reshape_to(iota(length), (length, 1)), iota(keys))
    else:
        allowed = None
    for mask in masks:
        if mask.dtype is bool_:
            allowed = LOGICAL_NOT(mask) if allowed is None else AND(allowed, LOGICAL_NOT(mask))
        else:
            scores = ADD(scores, cast(mask, scores.dtype))
    if allowed is not None:
        scores = WHERE(allowed, scores, constant(-math.inf, scores.dtype))
    return masked_softmax(scores) if masks else softmax_of(scores, len(scores.shape) - 1)


def multi_head_attention(
    query: Node,
    key: Node,
    value: Node,
    heads: int,
    projections: Projections,
    output: tuple[Node, Node | None],
    *,
    extras: Extras | None = None,
    attn_mask: Node | None = None,
    key_padding_mask: Node | None = None,
    is_causal: bool = False,
    dropout_p: float = 0.0,
    dropout_key: Node | None = None,
) -> Attended:
    """Several attentions on projections of the same queries, keys and values.

    Args:
        query: (batch, length, width).
        key: (batch, keys, key features).
        value: (batch, keys, value features).
        heads: how many attentions; divides the width.
        projections: see `Projections`.
        output: the weight (width, width) and the bias (width,) or None of the last projection.
        extras: see `Extras`.
        attn_mask: (length, keys) or (batch * heads, length, keys): bool, true where attention is forbidden, or numbers
            added to the scores.
        key_padding_mask: (batch, keys), likewise.
        is_causal: position i sees keys 0 to i only.
        dropout_p, dropout_key: the probability with which a weight is set to 0, and the key for the random numbers.

    Raises:
        ShapeError, DTypeError, ArgumentError: sizes do not fit.
    """
    _check(query, key, value, heads)
    extras = extras or Extras()
    q, k, v = _project(query, key, value, projections)
    k = _extended(k, extras.static_k, extras.bias_k, extras.zero, heads)
    v = _extended(v, extras.static_v, extras.bias_v, extras.zero, heads)
    q = split_heads(q, heads)
    keys = k.shape[2] - extras.count
    masks = masks_of(attn_mask, key_padding_mask, q.shape[0], heads, q.shape[2], keys, extras.count)
    wide = widened(q)
    factor = 1 / math.sqrt(q.shape[3]) if q.shape[3] else 1.0
    scores = MATMUL(MUL(wide, constant(factor, wide.dtype)), transpose_last(widened(k)))
    weights = _weights(scores, masks, is_causal)
    if dropout_p and dropout_key is not None:
        weights = dropout(dropout_key, weights, dropout_p)
    mixed = cast(MATMUL(weights, widened(v)), q.dtype)
    return Attended(linear(merge_heads(mixed), *output), cast(weights, q.dtype))


def _with_batch(x: Node | None, rank: int, place: int) -> Node | None:
    """The same with a batch of one, when it has none."""
    if x is None or len(x.shape) != rank:
        return x
    return reshape_to(x, (*x.shape[:place], 1, *x.shape[place:]))


def _batch_first(x: Node, single: bool, batch_first: bool) -> Node:
    """(batch, length, features), from what a user gave."""
    if single:
        return reshape_to(x, (1, *x.shape)) if len(x.shape) == 2 else x
    return x if batch_first or len(x.shape) != 3 else PERMUTE(x, dims=(1, 0, 2))


def _as_given(x: Node, single: bool, batch_first: bool) -> Node:
    """The inverse of `_batch_first`."""
    if single:
        return reshape_to(x, x.shape[1:])
    return x if batch_first else PERMUTE(x, dims=(1, 0, 2))


def _shown_weights(weights: Node, heads: int, average: bool, single: bool) -> Node:
    """Weights as a user wants them: averaged over heads, without a batch that was not there."""
    if average:
        weights = MUL(SUM(weights, dims=(1,), keepdim=False), constant(1 / heads, weights.dtype))
    return reshape_to(weights, weights.shape[1:]) if single else weights


@public(namespace="nn.functional")
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    dropout_key: Node | None = None,
    batch_first: bool = False,
) -> tuple[Node, Node | None]:
    """Multi-head attention with all of its weights as arguments; `nn.MultiheadAttention` keeps them.

    Args:
        query: (length, batch, width) or (length, width).
        key, value: (keys, batch, features) or (keys, features).
        embed_dim_to_check: the width that query must have.
        num_heads: divides the width.
        in_proj_weight: (3 * width, width), for queries, keys, values; None with `use_separate_proj_weight`.
        in_proj_bias: (3 * width,) or None.
        bias_k, bias_v: a last key and value (1, 1, width), or None.
        add_zero_attn: whether a key and a value of zeros are added.
        dropout_p: probability with which a weight is set to 0 in training.
        out_proj_weight, out_proj_bias: (width, width), (width,) or None.
        training: whether weights are dropped.
        key_padding_mask: (batch, keys) or (keys,): bool, true for keys that are ignored, or numbers added to scores.
        need_weights: give the weights as well.
        attn_mask: (length, keys) or (batch * heads, length, keys): likewise.
        use_separate_proj_weight: with `q_proj_weight` (width, width), `k_proj_weight` (width, key features) and
            `v_proj_weight` (width, value features).
        static_k, static_v: (batch * heads, keys, width / heads) in place of projected keys and values.
        average_attn_weights: the mean of the weights over heads, rather than those of each.
        is_causal: says that `attn_mask`, which must be given, is the causal one.
        dropout_key: of the random numbers; front ends supply it.
        batch_first: batch before length in query, key, value and result.

    Returns:
        The result, like the query; and weights (batch, length, keys), or (batch, heads, length, keys), or None. Where
        masks allow nothing the result is that of no attention at all, and weights are 0 (PyTorch: NaN).

    Raises:
        ShapeError, DTypeError, ArgumentError: sizes do not fit.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """
    single = len(query.shape) == 2
    if is_causal and attn_mask is None:
        raise ArgumentError(f"{OP}: is_causal says that attn_mask is causal, which must be given")
    if not same_size(query.shape[-1], embed_dim_to_check):
        raise ShapeError(
            f"{OP}: query {show(query.shape)} has {query.shape[-1]} features, {embed_dim_to_check} are needed"
        )
    turned = {id(x): _batch_first(x, single, batch_first) for x in (query, key, value)}
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    extras = Extras(bias_k, bias_v, add_zero_attn, static_k, static_v)
    causal = is_causal and key_padding_mask is None and extras.count == 0
    found = multi_head_attention(
        turned[id(query)],
        turned[id(key)],
        turned[id(value)],
        num_heads,
        Projections(separate if use_separate_proj_weight else (in_proj_weight,), in_proj_bias),
        (out_proj_weight, out_proj_bias),
        extras=extras,
        attn_mask=None if causal else attn_mask,
        key_padding_mask=_with_batch(key_padding_mask, 1, 0) if single else key_padding_mask,
        is_causal=causal,
        dropout_p=dropout_p if training else 0.0,
        dropout_key=dropout_key,
    )
    result = _as_given(found.values, single, batch_first)
    return result, _shown_weights(found.weights, num_heads, average_attn_weights, single) if need_weights else None
