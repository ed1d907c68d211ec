"""Transformer layers: attention and a feed-forward network, each with a residual connection and a layer norm.

Source: Vaswani et al., "Attention is all you need", 2017; norms before the parts: Xiong et al., "On layer normalization in
the transformer architecture", 2020. Read next: `attention.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.tensor import Tensor
from onegraph.nn import functional, init
from onegraph.nn.attention import MultiheadAttention
from onegraph.nn.containers import ModuleList
from onegraph.nn.dropout import Dropout
from onegraph.nn.layers import Linear
from onegraph.nn.module import Module
from onegraph.nn.normalization import LayerNorm
from onegraph.ops.shapes import show

Activation = str | Callable[[Any], Any]


def _relu(input: Any) -> Any:
    return functional.relu(input)  # type: ignore[attr-defined]


def _activation(name: str, activation: Activation) -> Callable[[Any], Any]:
    """The function with a name."""
    if callable(activation):
        return activation
    if activation not in ("relu", "gelu"):
        raise ArgumentError(f"{name}: activation must be 'relu', 'gelu' or a function, got {activation!r}")
    found: Callable[[Any], Any] = getattr(functional, activation)
    return found


class _Layer(Module):
    """What encoder and decoder layers share: a feed-forward network, norms and dropout.

    Args:
        name: for errors.
        norms: how many parts with a norm of their own there are.
    """

    linear1: Linear
    linear2: Linear
    dropout: Dropout

    def _add_parts(self, sizes: tuple[int, int], dropout: float, eps: float, bias: bool, norms: int, kind: Any) -> None:
        width, wide = sizes
        self.linear1 = Linear(width, wide, bias, **kind)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(wide, width, bias, **kind)
        for i in range(1, norms + 1):
            setattr(self, f"norm{i}", LayerNorm(width, eps=eps, bias=bias, **kind))
        for i in range(1, norms + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))  # type: ignore[no-any-return]

    def _residual(self, x: Tensor, number: int, part: Callable[[Tensor], Tensor]) -> Tensor:
        """A part with its norm, dropout and the connection around it."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + dropout(part(norm(x)))
        return norm(x + dropout(part(x)))  # type: ignore[no-any-return]


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward network.

    Args:
        d_model: features of the input and of the result.
        nhead: heads of the attention; divides d_model.
        dim_feedforward: width of the feed-forward network.
        dropout: the probability for all dropout in it.
        activation: between the two linear layers: 'relu', 'gelu' or a function of a tensor.
        layer_norm_eps: of the layer norms.
        batch_first: take and give (batch, length, features) rather than (length, batch, features).
        norm_first: normalize before attention and feed-forward rather than after.
        bias: whether linear layers and norms have one.

    >>> import onegraph as og
    >>> og.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)(og.randn(2, 5, 16)).shape
    onegraph.Size([2, 5, 16])
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = _relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **kind)
        self.norm_first = norm_first
        self._add_parts((d_model, dim_feedforward), dropout, layer_norm_eps, bias, 2, kind)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The sequence after the layer.

        Args:
            src: (length, batch, d_model), with `batch_first` (batch, length, d_model), or (length, d_model).
            src_mask: see `attn_mask` of `MultiheadAttention`.
            src_key_padding_mask: see `key_padding_mask` there.
            is_causal: says that `src_mask` is the causal one.
        """

        def attend(x: Tensor) -> Tensor:
            result, _ = self.self_attn(
                x, x, x, src_key_padding_mask, need_weights=False, attn_mask=src_mask, is_causal=is_causal
            )
            return result  # type: ignore[no-any-return]

        return self._residual(self._residual(src, 1, attend), 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's result, then a feed-forward network.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: see
            `TransformerEncoderLayer`.

    >>> import onegraph as og
    >>> layer = og.nn.TransformerDecoderLayer(16, 4, 32, batch_first=True)
    >>> layer(og.randn(2, 5, 16), og.randn(2, 7, 16)).shape
    onegraph.Size([2, 5, 16])
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = _relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **kind)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **kind)
        self.norm_first = norm_first
        self._add_parts((d_model, dim_feedforward), dropout, layer_norm_eps, bias, 3, kind)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence after the layer.

        Args:
            tgt: (length, batch, d_model), with `batch_first` (batch, length, d_model), or (length, d_model).
            memory: what the encoder gave, likewise.
            tgt_mask, memory_mask: see `attn_mask` of `MultiheadAttention`, for either attention.
            tgt_key_padding_mask, memory_key_padding_mask: see `key_padding_mask` there.
            tgt_is_causal, memory_is_causal: say that a mask is the causal one.
        """

        def attend(x: Tensor) -> Tensor:
            result, _ = self.self_attn(
                x, x, x, tgt_key_padding_mask, need_weights=False, attn_mask=tgt_mask, is_causal=tgt_is_causal
            )
            return result  # type: ignore[no-any-return]

        def attend_to_memory(x: Tensor) -> Tensor:
            result, _ = self.multihead_attn(
                x,
                memory,
                memory,
                memory_key_padding_mask,
                need_weights=False,
                attn_mask=memory_mask,
                is_causal=memory_is_causal,
            )
            return result  # type: ignore[no-any-return]

        x = self._residual(self._residual(tgt, 1, attend), 2, attend_to_memory)
        return self._residual(x, 3, self._feed_forward)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module):
    """Copies of an encoder layer on top of each other.

    Args:
        encoder_layer: what is copied.
        num_layers: how many copies.
        norm: applied at the end, or None.
        enable_nested_tensor, mask_check: accepted; they are about a fast path of PyTorch, in which what stands at
            masked positions of the result differs.
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The sequence after all layers; arguments as for the layer's `forward`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of a decoder layer on top of each other.

    Args:
        decoder_layer: what is copied.
        num_layers: how many copies.
        norm: applied at the end, or None.
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence after all layers; arguments as for the layer's `forward`."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                bool(tgt_is_causal),
                memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder that attends to what it gives.

    Args:
        d_model: features of the inputs and of the result.
        nhead: heads of each attention; divides d_model.
        num_encoder_layers, num_decoder_layers: how many layers.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: see
            `TransformerEncoderLayer`.
        custom_encoder, custom_decoder: modules to use in place of the usual ones.

    >>> import onegraph as og
    >>> model = og.nn.Transformer(16, 4, 1, 1, 32, batch_first=True)
    >>> mask = og.nn.Transformer.generate_square_subsequent_mask(5)
    >>> model(og.randn(2, 7, 16), og.randn(2, 5, 16), tgt_mask=mask).shape
    onegraph.Size([2, 5, 16])
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = _relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)

        self.encoder = custom_encoder
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*options, **kind)
            self.encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*options, **kind)
            self.decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        """Draw all matrices anew."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """What the decoder makes of `tgt` and of what the encoder makes of `src`.

        Args:
            src: (length, batch, d_model), with `batch_first` (batch, length, d_model), or (length, d_model).
            tgt: likewise, with a length of its own.
            src_mask, tgt_mask, memory_mask: see `attn_mask` of `MultiheadAttention`.
            src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask: see `key_padding_mask` there.
            src_is_causal, tgt_is_causal, memory_is_causal: say that a mask is the causal one.
        """
        shapes = f"Transformer: src {show(src.shape)}, tgt {show(tgt.shape)}"
        batch_at = 0 if self.batch_first else 1
        if src.ndim == 3 and tgt.ndim == 3 and src.shape[batch_at] != tgt.shape[batch_at]:
            raise ShapeError(f"{shapes}: the batches differ", hint="see batch_first")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(f"{shapes}: both need {self.d_model} features")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        result: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return result

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask (sz, sz): 0 where position i may see position j, -inf where j is later.

        >>> Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        full = namespaces[""]["full"]((sz, sz), float("-inf"), dtype=dtype, device=device)
        result: Tensor = full.triu(1)
        return result
