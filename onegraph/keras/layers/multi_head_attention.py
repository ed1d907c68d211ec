"""Attention with several heads, each with projections of its own. Read first: `einsum_dense.py`, `attention.py`."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras import initializers
from onegraph.keras.layers.advanced_activations import Softmax
from onegraph.keras.layers.attention import causal_mask
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.einsum_dense import EinsumDense
from onegraph.keras.layers.regularization import Dropout
from onegraph.keras.layers.wrappers import build_inside

_einsum, _arange = EXPORTS["einsum"], EXPORTS["arange"]


class _Heads(Layer):
    """What both kinds of attention share: projections, masks and the mixing of values."""

    supports_masking = True
    sliding_window: int | None
    use_gate: bool

    def _set_up(self, dropout: float, use_bias: bool, sliding_window: int | None, flash: Any, options: Any) -> None:
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window < 1):
            raise ArgumentError(f"{type(self).__name__}: sliding_window must be at least 1, got {sliding_window!r}")
        if flash and dropout:
            raise ArgumentError(f"{type(self).__name__}: flash_attention and dropout exclude each other")
        self.dropout, self.use_bias, self.sliding_window = dropout, use_bias, sliding_window
        self._options = options

    def _projection(self, name: str, equation: str, output: Sequence[Any], bias: str, shape: Any, **more: Any) -> Any:
        """A projection, built for the shape of its input."""
        options = dict(self._options)
        for key in ("kernel_initializer", "bias_initializer"):
            found = initializers.get(options[key])
            if hasattr(found, "get_config"):  # one of its own for each projection, so that no two draw the same numbers
                found = type(found).from_config(found.get_config())
            options[key] = found
        layer = EinsumDense(
            equation,
            output,
            bias_axes=bias if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
            **options,
            **more,
        )
        build_inside(layer, shape)
        return layer

    def _allowed(self, query: Any, value: Any, masks: Sequence[Any], attention_mask: Any, causal: bool) -> Any:
        """Which query may look at which value, (batch, queries, values), from all the masks; None for all at all."""
        query_mask, value_mask, key_mask = masks
        found = [None if query_mask is None else query_mask.bool().unsqueeze(-1)]
        found += [None if m is None else m.bool().unsqueeze(-2) for m in (value_mask, key_mask)]
        queries, keys = query.shape[1], value.shape[1]
        if causal:
            found.append(causal_mask(queries, keys))
        if self.sliding_window is not None:
            distance = (_arange(queries).reshape(1, queries, 1) - _arange(keys).reshape(1, 1, keys)).abs()
            found.append(distance < self.sliding_window)
        if attention_mask is not None:
            found.append(attention_mask.bool())
        result = None
        for mask in found:
            if mask is not None:
                result = mask if result is None else result & mask
        return result

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The query's mask."""
        return previous_mask


class MultiHeadAttention(_Heads):
    """Attention of several heads. Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Args:
        num_heads: how many.
        key_dim: size of queries and keys in each head.
        value_dim: size of values in each head; as key_dim by default.
        dropout: share of the attention weights that are dropped in training.
        use_bias: whether the projections have a bias.
        output_shape: sizes of the output after the last axis of attention; the query's last size by default.
        attention_axes: the axes over which to attend; all but the batch and the last by default.
        sliding_window: a query sees keys less than this far away only.
        flash_attention: accepted; the compiler decides how attention is computed.
        kernel_initializer, bias_initializer, and the regularizers and constraints: of the projections.
        use_gate: multiply by a sigmoid of the query before the last projection.
        seed: of the dropout's own stream of numbers; None for the global one.

    Called on query (batch, queries, size), value (batch, values, size) and, where it differs, key. Masks that they carry
    are used, with `attention_mask` (batch, queries, values) and `use_causal_mask`; `return_attention_scores=True` gives
    the weights (batch, heads, queries, values) as well.

    >>> import onegraph as og
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=3)
    >>> x = og.ones(1, 4, 8)
    >>> y, weights = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> y.shape, weights.shape
    (onegraph.Size([1, 4, 8]), onegraph.Size([1, 2, 4, 4]))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(num_heads, key_dim) < 1:
            raise ArgumentError(
                f"MultiHeadAttention: num_heads and key_dim must be positive, got {num_heads!r} and {key_dim!r}"
            )
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim or key_dim
        self.use_gate, self.seed = use_gate, seed
        self._wanted = (output_shape,) if isinstance(output_shape, int) else output_shape and tuple(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        options = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        self._set_up(dropout, use_bias, sliding_window, flash_attention, options)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]
        """Make the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                f"layer {self.name!r} (MultiHeadAttention): value {tuple(value_shape)} and key {tuple(key_shape)} must "
                "agree in all sizes but the last"
            )
        rank = len(query_shape)
        axes = self.attention_axes
        self._axes = tuple(range(1, rank - 1)) if axes is None else tuple([a % rank for a in axes])
        heads, size, width = self.num_heads, self.key_dim, self.value_dim

        def project(name: str, width: int, shape: Any, **more: Any) -> Any:
            free = string.ascii_lowercase[: len(shape) - 1]
            sum_, out = string.ascii_lowercase[len(shape) - 1], string.ascii_lowercase[len(shape) : len(shape) + 2]
            equation = f"{free}{sum_},{sum_}{out}->{free}{out}"
            return self._projection(name, equation, [None] * (len(shape) - 2) + [heads, width], out, shape, **more)

        self._query_dense = project("query", size, query_shape)
        self._key_dense = project("key", size, key_shape)
        if self.use_gate:
            self._gate_dense = project("gate", width, query_shape, activation="sigmoid")
        self._value_dense = project("value", width, value_shape)
        self._softmax = Softmax(axis=tuple(range(-len(self._axes), 0)), dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        wanted = [query_shape[-1]] if not self._wanted else list(self._wanted)
        free = string.ascii_lowercase[: rank - 1]
        sums = string.ascii_lowercase[rank - 1 : rank + 1]
        out = string.ascii_lowercase[rank + 1 : rank + 1 + len(wanted)]
        self._output_dense = self._projection(
            "attention_output", f"{free}{sums},{sums}{out}->{free}{out}", [None] * (rank - 2) + wanted, out,
            (*query_shape[:-1], heads, width),
        )  # fmt: skip

    @property
    def query_dense(self) -> Any:
        """The projection of queries."""
        return self._query_dense

    @property
    def key_dense(self) -> Any:
        """The projection of keys."""
        return self._key_dense

    @property
    def value_dense(self) -> Any:
        """The projection of values."""
        return self._value_dense

    @property
    def output_dense(self) -> Any:
        """The last projection."""
        return self._output_dense

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Compute the result."""
        key = value if key is None else key
        masks = (query_mask, value_mask, key_mask)
        allowed = self._allowed(query, value, masks, attention_mask, use_causal_mask)
        gate = self._gate_dense(_bare(query)) if self.use_gate else None
        output, scores = self._compute_attention(
            self._query_dense(_bare(query)), self._key_dense(_bare(key)), self._value_dense(_bare(value)), allowed, training
        )  # fmt: skip
        output = self._output_dense(output if gate is None else output * gate)
        return (output, scores) if return_attention_scores else output

    def _compute_attention(self, query: Any, key: Any, value: Any, allowed: Any, training: bool) -> tuple[Any, Any]:
        """The mixed values (..., heads, size) and the weights, from projected ones."""
        rank = query.ndim
        letters = string.ascii_lowercase[:rank]
        others = "".join(string.ascii_lowercase[rank + i] if i in self._axes else letters[i] for i in range(rank))
        batch = "".join(letters[i] for i in range(rank - 1) if i not in self._axes)
        grid = "".join(letters[i] for i in self._axes) + "".join(others[i] for i in self._axes)
        scores = _einsum(f"{others},{letters}->{batch}{grid}", key, query * (1 / math.sqrt(self.key_dim)))
        if allowed is not None:
            while allowed.ndim < scores.ndim:
                allowed = allowed.unsqueeze(-len(self._axes) * 2 - 1)
        weights = self._softmax(scores, mask=allowed)
        used = self._dropout_layer(weights, training=training)
        return _einsum(f"{batch}{grid},{others}->{letters}", used, value), weights


def _bare(tensor: Any) -> Any:
    """A tensor without the mask that it carries, which the layer itself has used."""
    if isinstance(tensor, Tensor) and getattr(tensor, "_keras_mask", None) is not None:
        return tensor.reshape(*tensor.shape)
    return tensor


class GroupedQueryAttention(_Heads):
    """Attention in which several heads of queries share one head of keys and values. Source: Ainslie et al., EMNLP 2023.

    Args:
        head_dim: size of a head.
        num_query_heads: how many heads of queries.
        num_key_value_heads: how many heads of keys and values; must divide the former.

    The other arguments, and the call, are those of `MultiHeadAttention`.

    >>> import onegraph as og
    >>> x = og.ones(1, 4, 8)
    >>> GroupedQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    onegraph.Size([1, 4, 8])
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_query_heads % num_key_value_heads:
            raise ArgumentError(
                f"GroupQueryAttention: {num_query_heads} query heads do not divide into {num_key_value_heads} groups"
            )
        self.head_dim = head_dim
        self.num_query_heads, self.num_key_value_heads = num_query_heads, num_key_value_heads
        self.use_gate, self.seed = use_gate, seed
        options = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        self._set_up(dropout, use_bias, sliding_window, flash_attention, options)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]
        """Make the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        many, few, size = self.num_query_heads, self.num_key_value_heads, self.head_dim
        self._query_dense = self._projection("query", "bqm,muh->bquh", (None, many, size), "uh", query_shape)
        self._key_dense = self._projection("key", "bkm,mvh->bkvh", (None, few, size), "vh", key_shape)
        if self.use_gate:
            self._gate_dense = self._projection(
                "gate", "bqm,muh->bquh", (None, many, size), "uh", query_shape, activation="sigmoid"
            )
        self._value_dense = self._projection("value", "bkm,mvh->bkvh", (None, few, size), "vh", value_shape)
        self._softmax = Softmax(dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        self._output_dense = self._projection(
            "attention_output", "bquh,uhm->bqm", (None, query_shape[-1]), "m", (None, None, many, size)
        )

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Compute the result."""
        key = value if key is None else key
        masks = (query_mask, value_mask, key_mask)
        allowed = self._allowed(query, value, masks, attention_mask, use_causal_mask)
        times = self.num_query_heads // self.num_key_value_heads
        queries = self._query_dense(_bare(query)) * (1 / math.sqrt(self.head_dim))
        keys = self._key_dense(_bare(key)).repeat_interleave(times, 2)
        values = self._value_dense(_bare(value)).repeat_interleave(times, 2)
        scores = _einsum("bquh,bkuh->buqk", queries, keys)
        if allowed is not None and allowed.ndim == 3:
            allowed = allowed.unsqueeze(1)
        weights = self._softmax(scores, mask=allowed)
        output = _einsum("buqk,bkuh->bquh", self._dropout_layer(weights, training=training), values)
        output = self._output_dense(output * self._gate_dense(_bare(query)) if self.use_gate else output)
        return (output, weights) if return_attention_scores else output


GroupQueryAttention = GroupedQueryAttention
