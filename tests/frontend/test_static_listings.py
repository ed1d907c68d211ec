"""TensorFlow 1 programs that people know, unchanged but for the import, against the same steps define-by-run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
import onegraph.static as tf

N, D, H = 8, 20, 5


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x": rng.standard_normal((N, D)),
        "y": rng.standard_normal((N, D)),
        "w1": rng.standard_normal((D, H)),
        "w2": rng.standard_normal((H, D)),
    }


def define_by_run(steps: int, learning_rate: float) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The losses and weights of the same training, define-by-run in float32."""
    given = {k: v.astype(np.float32) for k, v in numbers().items()}
    x, y = og.tensor(given["x"]), og.tensor(given["y"])
    w1, w2 = og.tensor(given["w1"], requires_grad=True), og.tensor(given["w2"], requires_grad=True)
    losses = []
    for _ in range(steps):
        diff = og.maximum(x @ w1, og.zeros(())) @ w2 - y
        loss = (diff**2).sum(1).mean()
        loss.backward()
        losses.append(loss.detach().numpy())
        with og.no_grad():
            w1 -= learning_rate * w1.grad
            w2 -= learning_rate * w2.grad
            w1.grad = w2.grad = None
    return losses, w1.detach().numpy(), w2.detach().numpy()


def test_placeholders_and_gradients() -> None:
    learning_rate = 1e-3
    x = tf.placeholder(tf.float32, shape=(N, D))
    y = tf.placeholder(tf.float32, shape=(N, D))
    w1 = tf.placeholder(tf.float32, shape=(D, H))
    w2 = tf.placeholder(tf.float32, shape=(H, D))
    h = tf.maximum(tf.matmul(x, w1), 0)
    y_pred = tf.matmul(h, w2)
    diff = y_pred - y
    loss = tf.reduce_mean(tf.reduce_sum(diff**2, axis=1))
    grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])
    given = numbers()
    with tf.Session() as sess:
        values = {x: given["x"], w1: given["w1"], w2: given["w2"], y: given["y"]}
        losses = []
        for _ in range(50):
            out = sess.run([loss, grad_w1, grad_w2], feed_dict=values)
            loss_val, grad_w1_val, grad_w2_val = out
            losses.append(loss_val)
            values[w1] -= learning_rate * grad_w1_val
            values[w2] -= learning_rate * grad_w2_val
    assert losses[-1] < 0.7 * losses[0]
    expected, _, _ = define_by_run(1, learning_rate)
    assert losses[0] == expected[0]  # the same bits


def test_variables_assign_and_group() -> None:
    learning_rate = 1e-3
    given = numbers()
    x = tf.placeholder(tf.float32, shape=(N, D))
    y = tf.placeholder(tf.float32, shape=(N, D))
    w1 = tf.Variable(given["w1"].astype(np.float32))
    w2 = tf.Variable(given["w2"].astype(np.float32))
    h = tf.maximum(tf.matmul(x, w1), 0)
    y_pred = tf.matmul(h, w2)
    diff = y_pred - y
    loss = tf.reduce_mean(tf.reduce_sum(diff**2, axis=1))
    grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])
    new_w1 = w1.assign(w1 - learning_rate * grad_w1)
    new_w2 = w2.assign(w2 - learning_rate * grad_w2)
    updates = tf.group(new_w1, new_w2)
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        values = {x: given["x"], y: given["y"]}
        for _ in range(10):
            loss_val, nothing = sess.run([loss, updates], feed_dict=values)
            assert nothing is None
            losses.append(loss_val)
        weights = sess.run([w1, w2])
    expected, w1_value, w2_value = define_by_run(10, learning_rate)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(weights[0], w1_value)
    np.testing.assert_array_equal(weights[1], w2_value)


def test_random_variables_and_optimizer() -> None:
    tf.set_random_seed(3)
    given = numbers()
    x = tf.placeholder(tf.float32, shape=(N, D))
    y = tf.placeholder(tf.float32, shape=(N, D))
    w1 = tf.Variable(tf.random_normal((D, H)))
    w2 = tf.Variable(tf.random_normal((H, D)))
    h = tf.maximum(tf.matmul(x, w1), 0)
    loss = tf.losses.mean_squared_error(tf.matmul(h, w2), y)
    optimizer = tf.train.GradientDescentOptimizer(1e-3)
    updates = optimizer.minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = [sess.run([loss, updates], feed_dict={x: given["x"], y: given["y"]})[0] for _ in range(50)]
    og.manual_seed(3)
    a, b = og.randn(D, H, requires_grad=True), og.randn(H, D, requires_grad=True)
    xs, ys = (og.tensor(given[k].astype(np.float32)) for k in "xy")
    steps = og.optim.SGD([a, b], lr=1e-3)
    expected = []
    for _ in range(50):
        value = og.nn.functional.mse_loss(og.maximum(xs @ a, og.zeros(())) @ b, ys)
        steps.zero_grad()
        value.backward()
        steps.step()
        expected.append(value.detach().numpy())
    np.testing.assert_array_equal(losses, expected)
    assert losses[-1] < losses[0]


def test_layers_learn() -> None:
    tf.set_random_seed(0)
    given = numbers()
    x = tf.placeholder(tf.float32, shape=(None, D))
    y = tf.placeholder(tf.float32, shape=(None, D))
    init = tf.variance_scaling_initializer(2.0)
    h = tf.layers.dense(inputs=x, units=H, activation=tf.nn.relu, kernel_initializer=init)
    y_pred = tf.layers.dense(inputs=h, units=D, kernel_initializer=init)
    loss = tf.losses.mean_squared_error(y_pred, y)
    updates = tf.train.GradientDescentOptimizer(1e-1).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        values = {x: given["x"], y: given["y"]}
        first = sess.run(loss, values)
        for _ in range(100):
            loss_val, _ = sess.run([loss, updates], feed_dict=values)
    assert loss_val < 0.8 * first
    assert [v.name for v in tf.trainable_variables()] == [
        "dense/kernel:0",
        "dense/bias:0",
        "dense_1/kernel:0",
        "dense_1/bias:0",
    ]


def test_one_plan_for_a_repeated_run() -> None:
    from onegraph.runtime import plan

    x = tf.placeholder(tf.float32, (None, 2))
    y = tf.reduce_sum(x * 3.0, axis=1)
    with tf.Session() as sess:
        sess.run(y, {x: np.ones((2, 2))})
        before = plan.plans.misses
        for _ in range(5):
            sess.run(y, {x: np.ones((2, 2))})
        assert plan.plans.misses == before
        np.testing.assert_array_equal(sess.run(y, {x: np.ones((3, 2))}), [6.0] * 3)
        assert plan.plans.misses == before + 1
