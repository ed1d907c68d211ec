"""What attention and the Transformer say about wrong sizes, and what they do where nothing may be looked at.

Read next: `tests/nn/test_transformer.py` (the comparison with PyTorch).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, DTypeError, ShapeError


def attend(*shapes: tuple[int, ...], **masks: Any) -> Callable[[], Any]:
    """A call of an attention of width 8 with 2 heads."""
    return lambda: nn.MultiheadAttention(8, 2)(*[og.zeros(*s) for s in shapes], **masks)


SAME = [(5, 3, 8)] * 3
ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (attend((5, 3, 8), (7, 3, 6), (7, 3, 8)), ShapeError, "the key has 6 features, the layer takes 8"),
    (attend((5, 3, 8), (7, 8), (7, 8)), ShapeError, "all need 3 dimensions, or 2 without a batch"),
    (attend((5, 3, 8), (7, 2, 8), (7, 2, 8)), ShapeError, "the batches differ"),
    (attend((5, 3, 8), (7, 3, 8), (6, 3, 8)), ShapeError, "key and value have lengths 7 and 6"),
    (
        attend(*SAME, attn_mask=og.zeros(5, 4)),
        ShapeError,
        "attn_mask is (5, 4), needed is (length, keys) = (5, 5) or (batch * heads, length, keys) = (6, 5, 5)",
    ),
    (
        attend(*SAME, key_padding_mask=og.zeros(5, 3)),
        ShapeError,
        "key_padding_mask is (5, 3), needed is (batch, keys) = (3, 5)",
    ),
    (attend(*SAME, attn_mask=og.zeros(5, 5, dtype=og.int64)), DTypeError, "masks must be bool or floating, got int64"),
    (attend(*SAME, is_causal=True), ArgumentError, "is_causal says that attn_mask is causal, which must be given"),
    (lambda: nn.MultiheadAttention(8, 3), ArgumentError, "num_heads must divide embed_dim, both positive, got 3 and 8"),
    (lambda: nn.MultiheadAttention(8, 2, dropout=1.5), ArgumentError, "MultiheadAttention"),
    (lambda: nn.TransformerEncoderLayer(8, 2, activation="tan"), ArgumentError, "must be 'relu', 'gelu' or a function"),
    (
        lambda: nn.Transformer(8, 2, 1, 1, 8)(og.zeros(5, 3, 8), og.zeros(5, 2, 8)),
        ShapeError,
        "Transformer: src (5, 3, 8), tgt (5, 2, 8): the batches differ",
    ),
    (lambda: nn.Transformer(8, 2, 1, 1, 8)(og.zeros(5, 3, 6), og.zeros(5, 3, 6)), ShapeError, "both need 8 features"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[re.sub(r"\W+", " ", m)[:40] for _, _, m in ERRORS])
def test_errors_name_the_layer_and_the_rule(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_nothing_to_attend_to_gives_the_bias() -> None:
    """A padded sequence without any element: no NaN, neither forward nor backward."""
    with og.config.using(backend="reference"):
        layer = nn.MultiheadAttention(4, 2, batch_first=True)
        nn.init.ones_(layer.out_proj.bias)
        x = og.randn(2, 3, 4, requires_grad=True)
        padding = og.tensor([[False] * 3, [True] * 3])
        result, weights = layer(x, x, x, padding)
        assert result[1].tolist() == np.ones((3, 4)).tolist() and weights[1].abs().sum().item() == 0
        result.sum().backward()
        assert np.isfinite(x.grad.numpy()).all()


def test_dropout_of_weights_is_of_training_only() -> None:
    with og.config.using(backend="reference"):
        layer = nn.MultiheadAttention(4, 2, dropout=0.5)
        x = og.randn(8, 1, 4)
        _, weights = layer(x, x, x, average_attn_weights=False)
        assert 0 < (weights == 0).sum().item() < 128
        _, weights = layer.eval()(x, x, x, average_attn_weights=False)
        assert (weights == 0).sum().item() == 0
