"""Attention against PyTorch: values, gradients, masks, shared heads; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32, int64
from onegraph.ir.node import input_node
from onegraph.ops.attention import scaled_dot_product_attention
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.promotion import as_node
from tests.ops.torch_oracle import compare, random, torch

theirs = torch.nn.functional.scaled_dot_product_attention


@pytest.mark.parametrize(
    ("q", "k", "v"),
    [((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)), ((5, 4), (6, 4), (6, 2)), ((2, 5, 4), (2, 5, 4), (2, 5, 4))],
)
@pytest.mark.parametrize("arguments", [{}, {"scale": 0.3}, {"is_causal": True}], ids=str)
def test_attention(q: Any, k: Any, v: Any, arguments: dict[str, Any]) -> None:
    compare(scaled_dot_product_attention, theirs, random(*q), random(*k), random(*v), **arguments)


def test_masks() -> None:
    q, k, v = random(2, 3, 5, 4), random(2, 3, 6, 4), random(2, 3, 6, 4)
    allowed = random(2, 1, 5, 6, seed=3) > 0
    allowed[..., 0] = True
    compare(scaled_dot_product_attention, theirs, q, k, v, allowed)
    compare(scaled_dot_product_attention, theirs, q, k, v, random(5, 6))


def test_a_row_without_anything_allowed_gives_zeros() -> None:
    q, k, v = (numpy_constant(random(2, 3, seed=i)) for i in range(3))
    y = scaled_dot_product_attention(q, k, v, as_node(np.array([[True, False], [False, False]])))
    np.testing.assert_array_equal(evaluate([y])[0][1], 0)
    for g in gradient([y], [as_node(np.ones((2, 3)))], [q, k, v]):
        assert g is not None and np.isfinite(evaluate([g])[0]).all()


def test_shared_heads() -> None:
    q, k, v = random(2, 6, 5, 4), random(2, 2, 7, 4), random(2, 2, 7, 3)
    compare(scaled_dot_product_attention, theirs, q, k, v, enable_gqa=True)


def test_dropout_sets_weights_to_zero_and_scales_the_rest() -> None:
    key = numpy_constant(np.array([1, 2], np.int64))
    weights = as_node(np.zeros((1, 40, 8), np.float32))
    values = as_node(np.eye(8, dtype=np.float32)[None])
    (y,) = evaluate([scaled_dot_product_attention(weights, _zeros(), values, None, 0.25, dropout_key=key)])
    kept = y[y != 0]
    np.testing.assert_allclose(kept, 1 / 8 / 0.75, rtol=1e-6)
    assert 0.6 < kept.size / y.size < 0.9
    with pytest.raises(ArgumentError, match="dropout_key"):
        scaled_dot_product_attention(weights, _zeros(), values, None, 0.25)


def _zeros() -> Any:
    return as_node(np.zeros((1, 8, 8), np.float32))


def test_half_precision() -> None:
    q, k, v = (random(2, 5, 8, seed=i, dtype=np.float16) for i in range(3))
    compare(scaled_dot_product_attention, theirs, q, k, v, rtol=4e-3, atol=4e-4)


def test_unknown_sizes() -> None:
    n, t = Dim.unknown("n"), Dim.unknown("t")
    x = input_node((n, 2, t, 4), float32)
    assert scaled_dot_product_attention(x, x, x, is_causal=True).shape == x.shape


def test_errors() -> None:
    q, k = as_node(np.zeros((2, 5, 4))), as_node(np.zeros((2, 6, 3)))
    with pytest.raises(ShapeError, match="4 and 3 features"):
        scaled_dot_product_attention(q, k, k)
    with pytest.raises(ShapeError, match="lengths 5 and 6"):
        scaled_dot_product_attention(q, q, k)
    with pytest.raises(ArgumentError, match="not both"):
        scaled_dot_product_attention(q, q, q, attn_mask=as_node(np.ones((5, 5), bool)), is_causal=True)
    with pytest.raises(DTypeError, match="attn_mask must be bool or floating"):
        scaled_dot_product_attention(q, q, q, attn_mask=input_node((5, 5), int64))
    with pytest.raises(ShapeError, match="not a multiple"):
        heads = as_node(np.zeros((3, 5, 4)))
        scaled_dot_product_attention(as_node(np.zeros((4, 5, 4))), heads, heads, enable_gqa=True)
