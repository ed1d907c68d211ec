"""Keras 1's and 2's backend: functions and gradients of symbolic tensors, as style transfer and deep dreams use them."""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, UnsupportedError

K = keras.backend


@pytest.fixture(autouse=True)
def reference() -> object:
    with og.config.using(backend="reference"):
        yield


def test_gradients_of_a_loss_between_two_images() -> None:
    base, image = K.variable(np.ones((1, 3, 3, 2))), K.placeholder((1, 3, 3, 2))
    both = K.concatenate([base, image], axis=0)
    features = K.square(both) * 2.0
    loss = K.variable(0.0)
    loss = loss + 0.5 * K.sum(K.square(features[1, :, :, :] - features[0, :, :, :]))
    evaluate = K.function([image], [loss, *K.gradients(loss, image)])
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 2)).astype("float32")
    value, gradient = evaluate([x])
    np.testing.assert_allclose(value, 0.5 * ((2 * x**2 - 2) ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(gradient, (2 * x**2 - 2) * 4 * x, rtol=1e-4, atol=1e-5)


def test_gradients_by_what_lies_between_and_by_weights() -> None:
    model = keras.Sequential([keras.layers.Dense(3, input_shape=(2,)), keras.layers.Dense(1)])
    middle = model.layers[0].output
    by_middle = K.function([model.input], K.gradients(model.output, middle))
    kernel = model.layers[1].kernel
    np.testing.assert_allclose(by_middle([np.ones((1, 2))])[0], kernel.detach().numpy().T, rtol=1e-6)
    by_weight = K.function([model.input], K.gradients(model.output, [kernel]))
    hidden = K.function([model.input], middle)(np.ones((1, 2)))
    np.testing.assert_allclose(by_weight([np.ones((1, 2))])[0], hidden.T, rtol=1e-6)
    from_middle = K.function([middle], [model.output])
    np.testing.assert_allclose(from_middle([hidden])[0], model.predict(np.ones((1, 2)), verbose=0), rtol=1e-6)


def test_learning_phase_is_an_input() -> None:
    model = keras.Sequential([keras.layers.Dropout(0.5, input_shape=(100,))])
    run = K.function([model.input, K.learning_phase()], [model.output])
    x = np.ones((1, 100))
    assert set(np.unique(run([x, 1])[0])) == {0.0, 2.0}
    assert (run([x, 0])[0] == 1).all()
    y = K.function([model.input, K.learning_phase()], [K.in_train_phase(model.input * 2, model.input)])
    assert (y([x, 1])[0] == 2).all()


def test_updates_and_variables() -> None:
    count, x = K.variable(0.0), K.placeholder((2,))
    add = K.function([x], [K.sum(x)], updates=[K.update(count, K.sum(x))])
    add([[1.0, 2.0]])
    assert K.get_value(count) == 3.0
    K.set_value(count, 5.0)
    K.batch_set_value([(count, 6.0)])
    assert K.batch_get_value([count]) == [6.0]
    K.update_add(count, 1.0)
    K.moving_average_update(count, 9.0, 0.5)
    assert K.eval(count) == 8.0
    with pytest.raises(ArgumentError, match="which is no input"):
        K.function([K.placeholder((1,))], [K.sum(x)])
    with pytest.raises(UnsupportedError, match="sessions"):
        K.get_session()


def test_image_formats() -> None:
    assert K.image_dim_ordering() == "tf"
    K.set_image_dim_ordering("th")
    try:
        assert K.image_data_format() == "channels_first"
        assert keras.Sequential([keras.layers.Conv2D(4, 3, input_shape=(2, 8, 8))]).output_shape == (None, 4, 6, 6)
    finally:
        K.set_image_data_format("channels_last")
    with pytest.raises(ArgumentError):
        K.set_image_data_format("first")
    with pytest.raises(AttributeError):
        _ = K.no_such_function


def test_functions_that_ops_do_not_have() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 4)).astype("float32"), rng.normal(size=(2, 4, 5)).astype("float32")
    np.testing.assert_allclose(K.eval(K.batch_dot(x, y)), x @ y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(K.eval(K.batch_dot(x, x, axes=(2, 2))), x @ x.transpose(0, 2, 1), rtol=1e-4, atol=1e-5)
    assert K.int_shape(K.batch_flatten(x)) == (2, 12)
    assert K.int_shape(K.repeat(x[:, 0], 3)) == (2, 3, 4)
    norm = K.eval(K.l2_normalize(x, axis=-1))
    np.testing.assert_allclose((norm**2).sum(-1), 1, rtol=1e-5)
    assert K.eval(K.foldl(lambda a, b: a + b, np.arange(4.0))) == 6
    assert K.eval(K.foldr(lambda a, b: a - b, np.arange(4.0))) == 0
    assert K.eval(K.switch([True, False], np.ones((2, 2)), np.zeros((2, 2)))).tolist() == [[1, 1], [0, 0]]
    assert K.int_shape(K.resize_images(np.ones((1, 2, 3, 1)), 2, 2)) == (1, 4, 6, 1)
    assert K.int_shape(K.spatial_2d_padding(np.ones((1, 2, 3, 1)))) == (1, 4, 5, 1)
    assert K.int_shape(K.conv1d(np.ones((1, 6, 2)), np.ones((3, 2, 1)), padding="causal")) == (1, 6, 1)
    assert K.int_shape(K.pool2d(np.ones((1, 4, 4, 1)), (2, 2), (2, 2), pool_mode="avg")) == (1, 2, 2, 1)
    assert K.int_shape(K.random_normal((2, 3), std=0.1)) == (2, 3)
    assert set(K.eval(K.random_binomial((50,), 0.5)).tolist()) == {0.0, 1.0}


def test_ctc_of_probabilities() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    probabilities = K.eval(K.softmax(scores))
    labels = np.array([[0, 1], [2, 0]])
    cost = K.ctc_batch_cost(labels, probabilities, np.array([[5], [4]]), np.array([[2], [1]]))
    ours = keras.ops.ctc_loss(labels, np.log(probabilities + 1e-7), np.array([2, 1]), np.array([5, 4]), mask_index=3)
    np.testing.assert_allclose(K.eval(cost)[:, 0], ours.numpy(), rtol=1e-4)
    paths, _ = K.ctc_decode(probabilities, np.array([5, 5]), greedy=False, top_paths=2)
    assert len(paths) == 2
    assert K.int_shape(paths[0]) == (2, 5)


def test_recurrence_along_time() -> None:
    x = np.arange(12, dtype="float32").reshape(2, 3, 2)
    step = lambda now, states: (now + states[0], [now + states[0]])  # noqa: E731
    last, outputs, states = K.rnn(step, x, [np.zeros((2, 2), "float32")])
    np.testing.assert_allclose(K.eval(outputs), x.cumsum(1))
    np.testing.assert_allclose(K.eval(last), x.sum(1))
    mask = np.array([[1, 1, 0], [1, 0, 0]])
    last, _, states = K.rnn(step, x, [np.zeros((2, 2), "float32")], mask=mask)
    np.testing.assert_allclose(K.eval(states[0]), (x * mask[..., None]).sum(1))
