"""Attention without projections: by products, or by sums. Read next: `multi_head_attention.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.regularization import Random
from onegraph.nn import functional as F

_where, _arange = EXPORTS["where"], EXPORTS["arange"]


def causal_mask(queries: int, keys: int) -> Any:
    """True where a query's position is not before the key's: (1, queries, keys)."""
    return (_arange(queries).reshape(1, queries, 1)) >= (_arange(keys).reshape(1, 1, keys))


class Attention(Random):
    """Values mixed by how well their keys fit the queries: softmax(query @ key.T) @ value.

    It is called on a list [query, value] or [query, value, key], of shapes (batch, queries, size), (batch, keys, size)
    and (batch, keys, size); the key is the value where it is not given. Source: Luong et al., EMNLP 2015.

    Args:
        use_scale: whether to learn a factor of the scores.
        score_mode: 'dot' for products, 'concat' for tanh of sums.
        dropout: share of the weights that are dropped in training.
        seed: of the layer's own stream of numbers; None for the global one.

    >>> import onegraph as og
    >>> Attention()([og.zeros(2, 3, 4), og.ones(2, 5, 4)]).shape
    onegraph.Size([2, 3, 4])
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ArgumentError(f"Attention: score_mode must be 'dot' or 'concat', got {score_mode!r}")
        self.use_scale, self.score_mode, self.dropout = use_scale, score_mode, dropout
        self._set_seed(seed)

    def _check_list(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or not 2 <= len(inputs) <= 3:
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}) is called on a list of query and value, or query, value and key",
                hint=f"{type(self).__name__}()([query, value])",
            )

    def build(self, input_shape: Any) -> None:
        """Make the factors of the scores, where they are wanted."""
        self._check_list(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(shape=(), initializer="ones", name="concat_score_weight")

    def _scores(self, query: Any, key: Any) -> Any:
        if query.shape[-1] != key.shape[-1]:
            raise ShapeError(
                f"queries of size {query.shape[-1]} ({tuple(query.shape)}) do not fit keys of size {key.shape[-1]} "
                f"({tuple(key.shape)})"
            )
        if self.score_mode == "dot":
            scores = query @ key.swapaxes(-2, -1)
            return scores if self.scale is None else scores * self.scale
        sums = query.unsqueeze(-2) + key.unsqueeze(-3)
        sums = sums if self.scale is None else sums * self.scale
        return sums.tanh().sum(-1) * self.concat_score_weight

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Compute the result, and the weights of the values if `return_attention_scores`."""
        self._check_list(inputs)
        query, value, key = inputs[0], inputs[1], inputs[-1]
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        scores = self._scores(query, key)
        allowed = None if value_mask is None else value_mask.unsqueeze(-2)
        if use_causal_mask:
            causal = causal_mask(scores.shape[-2], scores.shape[-1])
            allowed = causal if allowed is None else causal & allowed
        if allowed is not None:
            far = 65504.0 if scores.dtype.name == "float16" else 1e9
            scores = _where(allowed, scores, scores - far)
        weights = F.softmax(scores, -1)
        used = weights
        if training and self.dropout:
            kept = (self._uniform(weights.shape) >= self.dropout).to(weights.dtype)
            used = weights * kept * (1 / (1 - self.dropout))
        result = used @ value
        if query_mask is not None:
            result = result * query_mask.unsqueeze(-1).to(result.dtype)
        return (result, weights) if return_attention_scores else result

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The query's mask."""
        return previous_mask[0] if previous_mask else None


class AdditiveAttention(Attention):
    """Values mixed by tanh(query + key), summed with learned factors. Source: Bahdanau et al., ICLR 2015.

    Args:
        use_scale: whether to learn a factor for each of the numbers that are summed.
        dropout: share of the weights that are dropped in training.

    It is called as `Attention` is.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale, "concat", dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the factors."""
        self._check_list(input_shape)
        self.scale = None
        if self.use_scale:
            shape = (input_shape[0][-1],)
            self.scale = self.add_weight(shape=shape, initializer="glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        sums = (query.unsqueeze(-2) + key.unsqueeze(-3)).tanh()
        return (sums if self.scale is None else sums * self.scale).sum(-1)
