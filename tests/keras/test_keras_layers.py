"""Layers: what they compute, the shapes that they announce, and their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ShapeError, StateError
from onegraph.keras import layers as L

rng = np.random.default_rng(0)


def values(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


CASES: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = [
    (lambda: L.Dense(3, "relu"), (4, 5), (4, 3)),
    (lambda: L.Dense(3), (4, 2, 5), (4, 2, 3)),
    (lambda: L.Activation("tanh"), (4, 5), (4, 5)),
    (lambda: L.Conv1D(6, 3), (2, 9, 4), (2, 7, 6)),
    (lambda: L.Conv1D(6, 3, padding="causal", dilation_rate=2), (2, 9, 4), (2, 9, 6)),
    (lambda: L.Conv2D(6, 3, strides=2, padding="same"), (2, 7, 8, 3), (2, 4, 4, 6)),
    (lambda: L.Conv2D(6, (3, 2), groups=2), (2, 7, 8, 4), (2, 5, 7, 6)),
    (lambda: L.Conv2D(6, 3, data_format="channels_first"), (2, 3, 7, 8), (2, 6, 5, 6)),
    (lambda: L.Conv2DTranspose(5, 3, strides=2, padding="same"), (2, 4, 5, 3), (2, 8, 10, 5)),
    (lambda: L.Conv2DTranspose(5, 3, strides=2), (2, 4, 5, 3), (2, 9, 11, 5)),
    (lambda: L.DepthwiseConv2D(3, depth_multiplier=2), (2, 7, 8, 3), (2, 5, 6, 6)),
    (lambda: L.SeparableConv2D(5, 3, padding="same"), (2, 7, 8, 3), (2, 7, 8, 5)),
    (lambda: L.MaxPooling1D(2), (2, 9, 3), (2, 4, 3)),
    (lambda: L.MaxPooling2D(2, padding="same"), (2, 7, 8, 3), (2, 4, 4, 3)),
    (lambda: L.AveragePooling2D(3, strides=1, padding="same"), (2, 7, 8, 3), (2, 7, 8, 3)),
    (lambda: L.AveragePooling1D(3), (2, 9, 3), (2, 3, 3)),
    (lambda: L.GlobalAveragePooling2D(), (2, 7, 8, 3), (2, 3)),
    (lambda: L.GlobalMaxPooling2D(keepdims=True), (2, 7, 8, 3), (2, 1, 1, 3)),
    (lambda: L.GlobalMaxPooling1D(), (2, 7, 3), (2, 3)),
    (lambda: L.Flatten(), (2, 7, 8), (2, 56)),
    (lambda: L.Reshape((4, -1)), (2, 8), (2, 4, 2)),
    (lambda: L.Permute((2, 1)), (2, 7, 8), (2, 8, 7)),
    (lambda: L.RepeatVector(3), (2, 7), (2, 3, 7)),
    (lambda: L.Dropout(0.5), (2, 7), (2, 7)),
    (lambda: L.GaussianNoise(0.5), (2, 7), (2, 7)),
    (lambda: L.BatchNormalization(), (4, 5, 5, 3), (4, 5, 5, 3)),
    (lambda: L.LayerNormalization(), (4, 5), (4, 5)),
    (lambda: L.Embedding(10, 4), (2, 7), (2, 7, 4)),
    (lambda: L.ZeroPadding2D(((1, 2), (0, 3))), (2, 7, 8, 3), (2, 10, 11, 3)),
    (lambda: L.ZeroPadding1D(2), (2, 7, 3), (2, 11, 3)),
    (lambda: L.Cropping2D((1, 2)), (2, 7, 8, 3), (2, 5, 4, 3)),
    (lambda: L.UpSampling2D((2, 3)), (2, 3, 4, 3), (2, 6, 12, 3)),
    (lambda: L.UpSampling2D(2, interpolation="bilinear"), (2, 3, 4, 3), (2, 6, 8, 3)),
    (lambda: L.UpSampling1D(3), (2, 3, 4), (2, 9, 4)),
    (lambda: L.ReLU(6.0, 0.1, 0.5), (2, 7), (2, 7)),
    (lambda: L.LeakyReLU(), (2, 7), (2, 7)),
    (lambda: L.ELU(), (2, 7), (2, 7)),
    (lambda: L.PReLU(shared_axes=[1]), (2, 7, 3), (2, 7, 3)),
    (lambda: L.Softmax(), (2, 7), (2, 7)),
    (lambda: L.ThresholdedReLU(0.5), (2, 7), (2, 7)),
    (lambda: L.Rescaling(2.0, 1.0), (2, 7), (2, 7)),
    (lambda: L.ActivityRegularization(0.1), (2, 7), (2, 7)),
]


@pytest.mark.parametrize(("make", "given", "wanted"), CASES)
def test_shapes_are_announced_and_configurations_make_the_layer_again(make: Any, given: tuple, wanted: tuple) -> None:
    layer = make()
    symbolic = keras.Input(batch_shape=(None, *given[1:]))
    assert layer(symbolic).shape == (None, *wanted[1:])
    assert layer.compute_output_shape((None, *given[1:])) == (None, *wanted[1:])
    data = np.abs(values(*given)) if isinstance(layer, L.Embedding) else values(*given)
    out = layer(data)
    assert tuple(out.shape) == wanted
    again = type(layer).from_config(layer.get_config())
    assert again.name == layer.name
    again(symbolic)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(data).detach().numpy(), out.detach().numpy())


def test_sizes_that_are_not_known_stay_unknown() -> None:
    x = keras.Input((None, None, 3))
    y = L.MaxPooling2D()(L.Conv2D(4, 3, padding="same", strides=2)(x))
    assert y.shape == (None, None, None, 4)
    assert L.GlobalAveragePooling2D()(y).shape == (None, 4)


def same_windows(x: np.ndarray, kernel: int, stride: int) -> list[np.ndarray]:
    """Windows of one dimension with TensorFlow's 'same' padding, NaN outside, by brute force."""
    size = len(x)
    out = -(-size // stride)
    before = max((out - 1) * stride + kernel - size, 0) // 2
    return [x[max(i * stride - before, 0) : min(i * stride - before + kernel, size)] for i in range(out)]


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 2, 2), (8, 3, 2), (7, 3, 2), (5, 4, 3)])
def test_same_padding_is_keras_own(size: int, kernel: int, stride: int) -> None:
    x = values(size)
    windows = same_windows(x, kernel, stride)
    image = np.broadcast_to(x.reshape(1, size, 1, 1), (1, size, size, 1)).copy()
    largest = L.MaxPooling2D((kernel, 1), (stride, 1), "same")(image).numpy()[0, :, 0, 0]
    np.testing.assert_allclose(largest, [w.max() for w in windows])
    mean = L.AveragePooling2D((kernel, 1), (stride, 1), "same")(image).numpy()[0, :, 0, 0]
    np.testing.assert_allclose(mean, [w.mean() for w in windows], rtol=1e-5)
    summed = (
        L.Conv2D(1, (kernel, 1), (stride, 1), "same", kernel_initializer="ones")(image).detach().numpy()[0, :, 0, 0]
    )
    np.testing.assert_allclose(summed, [w.sum() for w in windows], rtol=1e-5, atol=1e-6)


def test_convolution_agrees_with_a_sum_over_the_window() -> None:
    layer = L.Conv2D(4, (2, 3), use_bias=True, bias_initializer="normal")
    x = values(2, 5, 6, 3)
    out = layer(x).detach().numpy()
    kernel, bias = layer.get_weights()
    assert kernel.shape == (2, 3, 3, 4)
    wanted = np.einsum("nhwc,hwco->no", x[:, 1:3, 2:5], kernel) + bias
    np.testing.assert_allclose(out[:, 1, 2], wanted, rtol=1e-4, atol=1e-5)


def test_depthwise_and_separable_convolutions() -> None:
    x = values(2, 5, 6, 3)
    depthwise = L.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    out = depthwise(x).detach().numpy()
    (kernel,) = depthwise.get_weights()
    wanted = np.einsum("nhwc,hwcm->ncm", x[:, :3, :3], kernel).reshape(2, 6)
    np.testing.assert_allclose(out[:, 0, 0], wanted, rtol=1e-4, atol=1e-5)
    separable = L.SeparableConv2D(4, 3, depth_multiplier=2, use_bias=False)
    separable(x)
    separable.set_weights([kernel, values(1, 1, 6, 4)])
    mixed = separable(x).detach().numpy()[:, 0, 0]
    np.testing.assert_allclose(mixed, wanted @ separable.get_weights()[1][0, 0], rtol=1e-4, atol=1e-5)


def test_batch_normalization_in_training_and_after() -> None:
    layer = L.BatchNormalization(momentum=0.9)
    x = values(64, 4, 3) * 2 + 1
    out = layer(x, training=True).detach().numpy()
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(out, (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer.get_weights()[2], 0.1 * mean, rtol=1e-4, atol=1e-6)
    count = 64 * 4
    np.testing.assert_allclose(layer.get_weights()[3], 0.9 + 0.1 * variance * count / (count - 1), rtol=1e-4)
    moved = layer(x).detach().numpy()
    np.testing.assert_allclose(moved, (x - 0.1 * mean) / np.sqrt(layer.get_weights()[3] + 1e-3), rtol=1e-3, atol=1e-4)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True).detach().numpy(), moved)


def test_dropout_only_in_training() -> None:
    x = np.ones((100, 100), np.float32)
    assert (L.Dropout(0.25)(x).numpy() == 1).all()
    dropped = L.Dropout(0.25)(x, training=True).numpy()
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)
    shared = L.Dropout(0.5, noise_shape=(None, 1))(x, training=True).numpy()
    assert (shared == shared[:, :1]).all() and shared.std() > 0


def test_merging() -> None:
    a, b = values(2, 3), values(2, 3)
    np.testing.assert_allclose(L.add([a, b]).numpy(), a + b)
    np.testing.assert_allclose(L.multiply([a, b]).numpy(), a * b)
    np.testing.assert_allclose(L.subtract([a, b]).numpy(), a - b)
    np.testing.assert_allclose(L.average([a, b]).numpy(), (a + b) / 2)
    np.testing.assert_allclose(L.maximum([a, b]).numpy(), np.maximum(a, b))
    np.testing.assert_allclose(L.minimum([a, b]).numpy(), np.minimum(a, b))
    np.testing.assert_allclose(L.concatenate([a, b], axis=0).numpy(), np.concatenate([a, b]))
    np.testing.assert_allclose(L.dot([a, b], 1).numpy()[:, 0], (a * b).sum(1), rtol=1e-5)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(L.dot([a, b], 1, normalize=True).numpy()[:, 0], cosine, rtol=1e-5)
    with pytest.raises(ArgumentError, match="needs a list of at least 2 inputs"):
        L.Add()(a)


def test_operators_and_indices_on_symbolic_tensors() -> None:
    x = keras.Input((4, 3))
    model = keras.Model(x, [(1 - x) * 2 + x / 4, x[:, 0], -x, x[:, 1:3, ..., :2]])
    data = values(2, 4, 3)
    found = keras.Model.from_config(model.get_config()).predict(data)
    for array, wanted in zip(found, [(1 - data) * 2 + data / 4, data[:, 0], -data, data[:, 1:3, :2]], strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-6)


def test_keras_1_spellings() -> None:
    dense = L.Dense(output_dim=3, input_dim=4, init="he_normal", W_regularizer="l2", bias=False)
    assert dense.get_config()["units"] == 3 and dense._batch_input_shape == (None, 4)
    conv = L.Convolution2D(8, 3, 5, border_mode="same", subsample=(2, 2), dim_ordering="tf")
    assert conv(np.zeros((1, 8, 8, 2), np.float32)).shape == (1, 4, 4, 8)
    assert conv.get_weights()[0].shape == (3, 5, 2, 8)
    assert L.MaxPooling2D(pool_size=(2, 2), border_mode="valid")(np.zeros((1, 4, 4, 1), np.float32)).shape == (
        1,
        2,
        2,
        1,
    )
    assert L.Dropout(p=0.3).rate == 0.3


def test_a_layer_of_ones_own() -> None:
    class Scale(L.Layer):
        def __init__(self, start: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(
                "factor", (input_shape[-1],), initializer=keras.initializers.Constant(self.start)
            )
            self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

        def call(self, inputs: Any, training: bool = False) -> Any:
            return inputs * self.factor if training else inputs

    layer = Scale(3.0, name="mine")
    x = values(2, 3)
    np.testing.assert_allclose(layer(x, training=True).detach().numpy(), 3 * x, rtol=1e-6)
    assert [w.name for w in layer.trainable_weights] == ["mine/factor"]
    assert [w.name for w in layer.non_trainable_weights] == ["mine/seen"]
    assert layer.get_config() == {"start": 3.0, "name": "mine", "trainable": True, "dtype": "float32"}
    assert list(layer.state_dict()) == ["factor", "seen"]
    inner = keras.Sequential([L.Dense(2), layer])
    assert isinstance(inner, og.nn.Module) and layer in list(inner.modules())


def test_initializers() -> None:
    keras.utils.set_random_seed(5)
    for name, inputs_count, limit in (("glorot_uniform", 100, np.sqrt(6 / 400)), ("he_uniform", 100, np.sqrt(6 / 100))):
        drawn = keras.initializers.get(name)((inputs_count, 300)).numpy()
        assert np.abs(drawn).max() <= limit and drawn.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    normal = keras.initializers.get("he_normal")((100, 300)).numpy()
    assert (
        normal.std() == pytest.approx(np.sqrt(2 / 100), rel=0.02)
        and np.abs(normal).max() <= 2 * np.sqrt(2 / 100) / 0.8796 + 1e-6
    )
    q = keras.initializers.Orthogonal()((6, 4)).numpy()
    np.testing.assert_allclose(q.T @ q, np.eye(4), atol=1e-5)
    a = keras.initializers.RandomNormal(seed=3)((4,)).numpy()
    np.testing.assert_array_equal(a, keras.initializers.RandomNormal(seed=3)((4,)).numpy())
    assert (keras.initializers.Constant(2.0)((3,)).numpy() == 2).all()


def test_constraints_and_regularizers() -> None:
    w = og.tensor(values(4, 3) * 5)
    assert np.linalg.norm(keras.constraints.max_norm(2)(w).numpy(), axis=0).max() <= 2 + 1e-5
    np.testing.assert_allclose(np.linalg.norm(keras.constraints.unit_norm()(w).numpy(), axis=0), 1, rtol=1e-5)
    assert keras.constraints.get("non_neg")(w).numpy().min() >= 0
    norms = np.linalg.norm(keras.constraints.MinMaxNorm(1.0, 2.0)(w).numpy(), axis=0)
    assert norms.min() >= 1 - 1e-5 and norms.max() <= 2 + 1e-5
    array = w.numpy()
    assert keras.regularizers.l1_l2(0.1, 0.2)(w).item() == pytest.approx(
        0.1 * np.abs(array).sum() + 0.2 * (array**2).sum(), rel=1e-5
    )
    assert keras.regularizers.get("l2").get_config() == {"l2": 0.01}


def test_activations_by_name() -> None:
    x = og.tensor(values(5))
    for name in set(keras.activations.activations.known) - {"glu", "threshold"}:  # another shape; needs arguments
        assert keras.activations.get(name)(x).shape == x.shape, name
    with pytest.raises(ArgumentError, match=r"no activation called 'rellu'.*(?s:.)*did you mean 'relu'"):
        keras.activations.get("rellu")


def test_errors_name_the_layer_and_the_shapes() -> None:
    with pytest.raises(
        ShapeError, match=r"layer 'd' \(Dense\) was built for inputs of shape \(None, 4\), got \(2, 5\)"
    ):
        dense = L.Dense(3, name="d")
        dense(values(2, 4))
        dense(values(2, 5))
    with pytest.raises(
        ShapeError, match=r"layer 'c' \(Conv2D\) needs an input of exactly 4 dimensions.*\(None, 28, 28\)"
    ):
        L.Conv2D(3, 3, name="c")(keras.Input((28, 28)))
    with pytest.raises(ShapeError, match=r"layer 'cat' \(Concatenate\) on an input of shape \(2, 3\), \(3, 3\)"):
        L.Concatenate(name="cat")([values(2, 3), values(3, 3)])
    with pytest.raises(StateError, match=r"weight 'kernel' has shape \(4, 3\), the array \(3, 4\)"):
        dense.set_weights([np.zeros((3, 4)), np.zeros(3)])
    with pytest.raises(ArgumentError, match=r"Dense does not take unit.*"):
        L.Dense(3, unit=4)
    with pytest.raises(ArgumentError, match="units must be a positive whole number"):
        L.Dense(0)
    with pytest.raises(ShapeError, match="the last size of the input must be known"):
        L.Dense(3)(keras.Input((None,)))
