"""Layers of one's own as users write them: parts in lists, masks, losses, policies; and Keras 1's Merge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras import layers as L
from onegraph.keras.layers.masking import get_mask


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference", shape_change_warning=10_000):
        yield


class Encoder(keras.layers.Layer):
    """The block of a well-known book: attention, two dense layers, two normalizations, parts in a list."""

    def __init__(self, embed_dim: int, dense_dim: int, num_heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embed_dim, self.dense_dim, self.num_heads = embed_dim, dense_dim, num_heads
        self.attention = L.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.dense_proj = keras.Sequential([L.Dense(dense_dim, activation="relu"), L.Dense(embed_dim)])
        self.norms = []
        for _ in range(2):
            self.norms.append(L.LayerNormalization())
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self.seen = mask
        if mask is not None:
            mask = mask[:, None, :]
        attention_output = self.attention(inputs, inputs, attention_mask=mask)
        proj_input = self.norms[0](inputs + attention_output)
        return self.norms[1](proj_input + self.dense_proj(proj_input))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update({"embed_dim": self.embed_dim, "num_heads": self.num_heads, "dense_dim": self.dense_dim})
        return config


def test_a_transformer_of_ones_own() -> None:
    inputs = keras.Input((None,), dtype="int64")
    x = L.Embedding(20, 8, mask_zero=True, name="words")(inputs)
    block = Encoder(8, 16, 2)
    outputs = L.Dense(1, activation="sigmoid")(L.GlobalAveragePooling1D()(block(x)))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    tokens = np.array([[3, 4, 5, 0], [7, 0, 0, 0]])
    model.fit(tokens, np.array([[1.0], [0.0]]), epochs=1, verbose=0)
    short = model.predict(tokens[1:, :1])
    np.testing.assert_allclose(model.predict(tokens)[1:], short, rtol=1e-4)
    assert len(block.weights) == 8 + 4 + 4 and len(block.norms) == 2
    with keras.utils.custom_object_scope({"Encoder": Encoder}):
        again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again.predict(tokens), model.predict(tokens), rtol=1e-6)
    features = keras.Model(model.inputs, model.get_layer("words").output)
    assert features.predict(tokens).shape == (2, 4, 8)


def test_parts_are_found_in_lists_and_dicts_that_grow() -> None:
    class Parts(keras.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.blocks: Any = []
            self.table: Any = {}
            self.nested = [[L.Dense(2)], {"a": L.Dense(2)}]

        def call(self, x: Any) -> Any:
            for block in (*self.blocks, *self.table.values(), self.nested[0][0], self.nested[1]["a"]):
                x = block(x)
            return x

    layer = Parts()
    layer.blocks.append(L.Dense(3))
    layer.blocks += [L.Dense(3)]
    layer.table["x"] = L.Dense(4)
    layer.nested[0].append(L.Dense(5))
    layer(np.zeros((1, 2), np.float32))
    assert len(layer.weights) == 10
    assert layer.blocks == list(layer.blocks) and len(list(layer.modules())) == 7
    layer.blocks.pop()
    assert len(layer.weights) == 8
    layer.trainable = False
    assert not layer.trainable_weights and not layer.blocks[0].trainable


def test_losses_that_a_layer_adds_and_weights_of_several_kinds() -> None:
    class Penalized(keras.layers.Layer):
        def __init__(self, rate: float = 0.1, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.rate = rate

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", regularizer="l2", name="w")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
            super().build(input_shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            self.add_loss(self.rate * (inputs * inputs).mean())
            return inputs * self.w if training else inputs

    model = keras.Sequential([keras.Input((3,)), Penalized()])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), np.float32)
    found = model.evaluate(x, x, verbose=0)
    assert found == pytest.approx(0.1 + 0.01 * 3, rel=1e-5)
    assert [w.shape for w in model.weights] == [(3,), ()] and len(model.trainable_weights) == 1
    two = Penalized()
    two.add_weight(shape=(2,), name="w")
    two.add_weight(shape=(3,), name="w")
    assert [tuple(w.shape) for w in two.weights] == [(2,), (3,)]


def test_build_and_call_with_several_arguments() -> None:
    class Bilinear(keras.layers.Layer):
        def build(self, left_shape: Any, right_shape: Any) -> None:
            self.kernel = self.add_weight(shape=(left_shape[-1], right_shape[-1]), name="kernel")

        def call(self, left: Any, right: Any, left_mask: Any = None) -> Any:
            self.mask_seen = left_mask
            return ((left @ self.kernel) * right).sum(-1)

    layer = Bilinear()
    left = L.Masking()(np.array([[[1.0, 2.0], [0.0, 0.0]]], np.float32))
    assert layer(left, np.ones((1, 2, 3), np.float32)).shape == (1, 2)
    assert layer.mask_seen.tolist() == [[True, False]]
    a, b = keras.Input((4, 2)), keras.Input((4, 3))
    assert Bilinear()(a, b).shape == (None, 4)


def test_input_specs_are_checked() -> None:
    class Strict(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.input_spec = L.InputSpec(ndim=3, axes={-1: 2})

        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(ShapeError, match=r"layer 's' \(Strict\) needs an input of exactly 3 dimensions.*\(2, 2\)"):
        Strict(name="s")(np.zeros((2, 2), np.float32))
    with pytest.raises(ShapeError, match=r"size 2 in dimension -1, got shape \(None, 4, 3\)"):
        Strict()(keras.Input((4, 3)))


def test_mixed_precision_computes_in_half_and_keeps_weights_whole() -> None:
    dense = L.Dense(3, dtype="mixed_bfloat16")
    out = dense(np.ones((2, 4), np.float32))
    assert out.dtype.name == "bfloat16" and dense.kernel.dtype.name == "float32"
    assert dense.dtype_policy.name == "mixed_bfloat16" and dense.compute_dtype == "bfloat16"
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = keras.Sequential([
            keras.Input((4, 3)), L.BatchNormalization(), L.LSTM(4), L.LayerNormalization(), L.Dense(1, dtype="float32")
        ])  # fmt: skip
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.compile("sgd", "mse")
    before = [w.copy() for w in model.get_weights()]
    model.fit(np.random.rand(8, 4, 3), np.ones((8, 1)), verbose=0, epochs=1)
    assert all(w.dtype == np.float32 for w in model.get_weights())
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.predict(np.zeros((1, 4, 3), np.float32)).dtype == np.float32


def test_masks_reach_losses_and_metrics() -> None:
    inputs = keras.Input((3, 1))
    model = keras.Model(inputs, L.Dense(1, use_bias=False, kernel_initializer="ones")(L.Masking()(inputs)))
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.array([[[1.0], [2.0], [0.0]], [[3.0], [0.0], [0.0]]], np.float32)
    loss, error = model.evaluate(x, np.zeros((2, 3, 1), np.float32), verbose=0)
    assert loss == pytest.approx((1 + 4 + 9) / 3, rel=1e-5) and error == pytest.approx(2.0, rel=1e-5)
    joined = L.Concatenate(axis=1)([L.Masking()(x), L.Masking()(x)])
    assert get_mask(joined).shape == (2, 6) and get_mask(L.Add()([L.Masking()(x), x])) is None


def test_layers_stand_in_keras_order() -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = L.Dense(4, name="shared")
    x, y = shared(a), L.Dense(4, name="second")(shared(L.Dense(4, name="first")(b)))
    both = L.Concatenate(name="both")([y, x])
    model = keras.Model([a, b], [L.Dense(1, name="left")(x), L.Dense(1, name="right")(both)])
    assert [layer.name for layer in model.layers] == ["b", "a", "first", "shared", "second", "both", "left", "right"]


def test_merge_of_keras_1() -> None:
    left = keras.Sequential([L.Dense(3, input_dim=2)])
    right = keras.Sequential([L.Dense(3, input_dim=4)])
    model = keras.Sequential()
    model.add(L.Merge([left, right], mode="concat", concat_axis=-1))
    model.add(L.Dense(1))
    model.compile("sgd", "mse")
    data = [np.ones((4, 2), np.float32), np.ones((4, 4), np.float32)]
    model.fit(data, np.ones((4, 1)), nb_epoch=1, verbose=0)
    assert model.predict(data).shape == (4, 1) and len(model.get_weights()) == 6
    a = og.tensor([[[1.0, 2.0]]])
    assert L.merge([a, a], mode="dot", dot_axes=[2, 2]).item() == 5
    assert L.merge([a, a], mode=lambda t: t[0] - t[1]).tolist() == [[[0, 0]]]
    with pytest.raises(ArgumentError, match="mode must be one of"):
        L.merge([a, a], mode="sun")
