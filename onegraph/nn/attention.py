"""`MultiheadAttention`, and PyTorch's names for choosing a kernel of attention.

What it computes is in `onegraph/ops/multi_head.py`. Read next: `transformer.py`.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import bool_
from onegraph.nn import functional, init
from onegraph.nn.layers import NonDynamicallyQuantizableLinear, new_parameter
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.ops.random import check_probability
from onegraph.ops.shapes import show


class SDPBackend(enum.Enum):
    """Kernels of attention that PyTorch has; here the compiler makes them, so there is nothing to choose."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: SDPBackend | list[SDPBackend], set_priority: bool = False) -> Iterator[None]:
    """Within it, PyTorch would use one of some kernels of attention; here nothing changes.

    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     pass
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not chosen or not all(isinstance(b, SDPBackend) for b in chosen):
        raise ArgumentError(f"sdpa_kernel: expected one or several SDPBackend, got {backends!r}")
    yield


class MultiheadAttention(Module):
    """Several attentions side by side, on projections of the same queries, keys and values.

    Source: Vaswani et al., "Attention is all you need", 2017.

    Args:
        embed_dim: width of queries and of the result.
        num_heads: divides it.
        dropout: the probability of setting a weight to 0, in training.
        bias: whether projections have biases.
        add_bias_kv: whether there is a learned last key and value.
        add_zero_attn: whether a key and a value of zeros are added.
        kdim, vdim: features of keys and values; as many as queries when None.
        batch_first: take and give (batch, length, features) rather than (length, batch, features).

    Attributes:
        in_proj_weight, in_proj_bias: (3 * embed_dim, embed_dim) and (3 * embed_dim,): for queries, keys and values.
        q_proj_weight, k_proj_weight, v_proj_weight: in place of in_proj_weight, where widths differ.
        out_proj: a Linear layer.
        bias_k, bias_v: (1, 1, embed_dim), with `add_bias_kv`.

    >>> import onegraph as og
    >>> attention = og.nn.MultiheadAttention(16, 4, batch_first=True)
    >>> x = og.randn(2, 5, 16)
    >>> result, weights = attention(x, x, x)
    >>> result.shape, weights.shape
    (onegraph.Size([2, 5, 16]), onegraph.Size([2, 5, 5]))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = "MultiheadAttention"
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ArgumentError(
                f"{name}: num_heads must divide embed_dim, both positive, got {num_heads} and {embed_dim}"
            )
        check_probability(name, dropout)
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim

        def parameter(*shape: int) -> Parameter:
            return new_parameter(name, *shape, device=device, dtype=dtype)

        together = self._qkv_same_embed_dim
        for part, features in zip("qkv", (embed_dim, self.kdim, self.vdim), strict=True):
            self.register_parameter(f"{part}_proj_weight", None if together else parameter(embed_dim, features))
        self.register_parameter("in_proj_weight", parameter(3 * embed_dim, embed_dim) if together else None)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        for extra in ("bias_k", "bias_v"):
            self.register_parameter(extra, parameter(1, 1, embed_dim) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw all weights anew; biases become 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The result of attention, and its weights.

        Args:
            query: (length, batch, embed_dim), with `batch_first` (batch, length, embed_dim), or (length, embed_dim).
            key, value: (keys, batch, kdim or vdim), likewise.
            key_padding_mask: (batch, keys) or (keys,): bool, true for keys that are ignored, or numbers added to the
                scores.
            need_weights: whether the weights are given too; False saves time and memory.
            attn_mask: (length, keys) or (batch * num_heads, length, keys): bool, true where attention is forbidden,
                or numbers added to the scores.
            average_attn_weights: give the mean of the weights over heads, rather than those of each head.
            is_causal: says that `attn_mask`, which must be given, is the causal one.

        Returns:
            The result, shaped like the query; and weights (batch, length, keys), or (batch, heads, length, keys), or None.

        Raises:
            ShapeError, DTypeError, ArgumentError: sizes do not fit.
        """
        ranks = (query.ndim, key.ndim, value.ndim)
        shapes = f"query {show(query.shape)}, key {show(key.shape)}, value {show(value.shape)}"
        if ranks not in ((2, 2, 2), (3, 3, 3)):
            raise ShapeError(f"MultiheadAttention: {shapes}: all need 3 dimensions, or 2 without a batch")
        for label, x, wanted in (
            ("key", key, self.kdim),
            ("value", value, self.vdim),
            ("query", query, self.embed_dim),
        ):
            if x.shape[-1] != wanted:
                raise ShapeError(
                    f"MultiheadAttention: {shapes}: the {label} has {x.shape[-1]} features, the layer takes {wanted}"
                )
        return functional.attend(
            {
                "query": query,
                "key": key,
                "value": value,
                "embed_dim_to_check": self.embed_dim,
                "num_heads": self.num_heads,
                "in_proj_weight": self.in_proj_weight,
                "in_proj_bias": self.in_proj_bias,
                "bias_k": self.bias_k,
                "bias_v": self.bias_v,
                "add_zero_attn": self.add_zero_attn,
                "dropout_p": self.dropout,
                "out_proj_weight": self.out_proj.weight,
                "out_proj_bias": self.out_proj.bias,
                "training": self.training,
                "key_padding_mask": key_padding_mask,
                "need_weights": need_weights,
                "attn_mask": attn_mask,
                "use_separate_proj_weight": not self._qkv_same_embed_dim,
                "q_proj_weight": self.q_proj_weight,
                "k_proj_weight": self.k_proj_weight,
                "v_proj_weight": self.v_proj_weight,
                "average_attn_weights": average_attn_weights,
                "is_causal": is_causal,
                "batch_first": self.batch_first,
            }
        )

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, and its kind: 2 with `attn_mask`, 1 for padding alone, None for none."""
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length = query.shape[:2]
        wide = attn_mask.reshape(batch if attn_mask.ndim == 3 else 1, -1, length, length)
        merged = wide.expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            padding = key_padding_mask.reshape(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
            both = merged.dtype is bool_ and padding.dtype is bool_
            merged = merged | padding if both else merged + padding
        return merged, 2
