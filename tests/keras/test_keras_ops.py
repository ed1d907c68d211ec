"""`keras.ops`, `keras.random` and `keras.Variable`: values equal Keras 3's; symbolic tensors; gradients."""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.keras import ops, random
from tests.keras import recorded
from tests.keras.cases_ops import CASES


@pytest.mark.parametrize("name", CASES)
def test_operations_give_what_keras_gives(name: str) -> None:
    with og.config.using(backend="reference"):
        recorded.check("ops", name, eval(CASES[name], {**recorded.names(), "keras": keras, "ops": ops}))


def test_every_operation_has_a_check() -> None:
    elsewhere = {"sparsemax", "imag", "argwhere", "eig", "custom_gradient", "image", "linalg", "nn", "numpy"}
    missing = set(ops.__all__) - set(CASES) - elsewhere
    assert not missing


def test_operations_without_a_counterpart() -> None:
    with og.config.using(backend="reference"):
        found = ops.sparsemax([[0.1, 0.2, 3.0], [0.5, 0.4, -2.0]]).numpy()
        np.testing.assert_allclose(found, [[0, 0, 1], [0.55, 0.45, 0]], atol=1e-6)
        assert ops.argwhere([0, 5, 7]).tolist() == [[1], [2]]
        assert ops.imag([1.0]).tolist() == [0.0]
    with pytest.raises(UnsupportedError, match="complex"):
        ops.eig(np.eye(2))


def test_operations_take_symbolic_tensors() -> None:
    x = keras.Input((4, 6))
    y = ops.concatenate([ops.mean(x, axis=-1), ops.max(x, axis=2)], axis=1)
    model = keras.Model(x, ops.softmax(y))
    assert model.output_shape == (None, 8)
    with og.config.using(backend="reference"):
        data = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
        expected = np.concatenate([data.mean(-1), data.max(-1)], 1)
        expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
        np.testing.assert_allclose(model(data).numpy(), expected, rtol=1e-5)
        again = keras.models.clone_model(model)
        np.testing.assert_allclose(again(data).numpy(), expected, rtol=1e-5)


def test_custom_gradient() -> None:
    @ops.custom_gradient
    def double_backwards(x: og.Tensor) -> tuple[og.Tensor, object]:
        return x * 1.0, lambda gradient: gradient * 7.0

    x = og.tensor([1.0, 2.0], requires_grad=True)
    double_backwards(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [7.0, 7.0]


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match="3 equal parts"):
        ops.split(np.zeros(4), 3)
    with pytest.raises(ArgumentError, match="out of range"):
        ops.sum(np.zeros(4), axis=2)
    with pytest.raises(ArgumentError, match="interpolation"):
        ops.image.resize(np.zeros((2, 2, 1)), (1, 1), interpolation="best")
    with pytest.raises(AttributeError, match="no operation"):
        _ = ops.no_such_operation


def test_random_numbers() -> None:
    seed = random.SeedGenerator(1)
    a, b = random.normal((1000,), seed=seed), random.normal((1000,), seed=seed)
    assert not bool((a == b).all())
    assert bool((random.normal((5,), seed=3) == random.normal((5,), seed=3)).all())
    n = random.normal((4000,), mean=1.0, stddev=2.0, seed=1).numpy()
    assert abs(n.mean() - 1) < 0.15
    assert abs(n.std() - 2) < 0.15
    u = random.uniform((1000,), -1.0, 3.0, seed=1).numpy()
    assert u.min() >= -1
    assert u.max() < 3
    t = random.truncated_normal((2000,), seed=1).numpy()
    assert np.abs(t).max() <= 2
    assert abs(t.std() - 0.88) < 0.05
    r = random.randint((500,), 2, 5, seed=1)
    assert sorted(set(r.tolist())) == [2, 3, 4]
    c = random.categorical(np.log([[0.1, 0.9]]), 2000, seed=1).numpy()
    assert abs(c.mean() - 0.9) < 0.03
    d = random.dropout(np.ones(2000, "float32"), 0.25, seed=1).numpy()
    assert set(np.round(d, 4)) == {0.0, np.float32(1.3333)}
    assert sorted(random.shuffle(np.arange(9), seed=1).tolist()) == list(range(9))


def test_random_numbers_of_other_distributions() -> None:
    for alpha in (0.5, 3.0):
        g = random.gamma((4000,), alpha, seed=1).numpy()
        assert abs(g.mean() - alpha) < 0.15
        assert abs(g.var() - alpha) < 0.5
    b = random.beta((4000,), 2.0, 3.0, seed=1).numpy()
    assert abs(b.mean() - 0.4) < 0.02
    k = random.binomial((4000,), 10.0, 0.3, seed=1).numpy()
    assert abs(k.mean() - 3) < 0.1
    assert abs(k.var() - 2.1) < 0.25


def test_variables() -> None:
    v = keras.Variable("zeros", shape=(2,), name="v")
    v.assign([1.0, 2.0])
    v.assign_add([1.0, 1.0])
    v.assign_sub([0.5, 0.5])
    assert v.numpy().tolist() == [1.5, 2.5]
    assert v.trainable
    assert v.path == "v"
    assert (v + 1).tolist() == [2.5, 3.5]
    with pytest.raises(ShapeError, match="assign"):
        v.assign([1.0])
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    layer.bias.assign([1.0, 2.0])
    assert layer.get_weights()[1].tolist() == [1.0, 2.0]
    norm = keras.layers.BatchNormalization()
    norm.build((None, 3))
    norm.moving_mean.assign([1.0, 2.0, 3.0])
    assert norm.get_weights()[2].tolist() == [1.0, 2.0, 3.0]
