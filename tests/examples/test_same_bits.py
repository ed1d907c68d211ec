"""One network, one set of numbers, every way of writing it: fifty steps give the same losses and weights, bit for bit.

The network is the two-layer ReLU network of the examples, with biases; the loss is the mean of squares, which Keras
calls `mean_squared_error`; plain gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
import onegraph.static as tf
from onegraph.keras.layers import Activation, Dense
from onegraph.keras.models import Sequential
from onegraph.keras.optimizers import SGD

N, D, H = 64, 1000, 100
STEPS, RATE = 50, 0.5

Result = tuple[list[np.float32], list[np.ndarray]]


def _numbers() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """x, y, and the weights w1, b1, w2, b2 to start with."""
    random = np.random.default_rng(7)
    x, y = random.standard_normal((N, D)), random.standard_normal((N, D))
    weights = [
        random.standard_normal((D, H)) / np.sqrt(D),
        0.1 * random.standard_normal(H),
        random.standard_normal((H, D)) / np.sqrt(H),
        0.1 * random.standard_normal(D),
    ]
    return x.astype(np.float32), y.astype(np.float32), [w.astype(np.float32) for w in weights]


# ------------------------------------------------------------------------------------------ define-by-run


def _loss(x: Any, y: Any, weights: list[Any]) -> Any:
    w1, b1, w2, b2 = weights
    y_pred = og.maximum(x @ w1 + b1, 0) @ w2 + b2
    return ((y_pred - y) ** 2).mean()


def define_by_run(trace: bool = False) -> Result:
    """Gradients and updates written out."""
    x, y, start = _numbers()
    tx, ty = og.tensor(x), og.tensor(y)
    weights = [og.tensor(w, requires_grad=True) for w in start]

    def step(x: Any, y: Any) -> Any:
        loss = _loss(x, y, weights)
        loss.backward()
        with og.no_grad():
            for w in weights:
                w -= RATE * w.grad
                w.grad = None
        return loss.detach()

    run = og.jit(step) if trace else step
    losses = [np.float32(run(tx, ty).item()) for _ in range(STEPS)]
    return losses, [w.detach().numpy() for w in weights]


def traced() -> Result:
    """The same step under `og.jit`."""
    return define_by_run(trace=True)


def returned_gradients() -> Result:
    """Gradients from `og.value_and_grad`, every operation computed at once."""
    x, y, start = _numbers()
    weights = [og.tensor(w) for w in start]
    tx, ty = og.tensor(x), og.tensor(y)
    losses = []
    with og.eager():
        for _ in range(STEPS):
            loss, found = og.value_and_grad(lambda *ws: _loss(tx, ty, list(ws)), (0, 1, 2, 3))(*weights)
            weights = [w - RATE * g for w, g in zip(weights, found, strict=True)]
            losses.append(np.float32(loss.item()))
    return losses, [w.numpy() for w in weights]


class Network(og.nn.Module):
    """The network as a module."""

    def __init__(self, start: list[np.ndarray]) -> None:
        super().__init__()
        self.weights = og.nn.ParameterList([og.nn.Parameter(og.tensor(w)) for w in start])

    def forward(self, x: Any) -> Any:
        """Predictions."""
        w1, b1, w2, b2 = self.weights
        return og.nn.functional.relu(x @ w1 + b1) @ w2 + b2


def module_and_optimizer(trace: bool = False) -> Result:
    """`nn.Module` and `optim.SGD`."""
    x, y, start = _numbers()
    tx, ty = og.tensor(x), og.tensor(y)
    model = Network(start)
    optimizer = og.optim.SGD(model.parameters(), lr=RATE)

    def step(x: Any, y: Any) -> Any:
        loss = og.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = og.jit(step) if trace else step
    losses = [np.float32(run(tx, ty).item()) for _ in range(STEPS)]
    return losses, [w.detach().numpy() for w in model.weights]


def traced_module_and_optimizer() -> Result:
    """The same under `og.jit`."""
    return module_and_optimizer(trace=True)


# ------------------------------------------------------------------------------------------ define-and-run


def _static_loss(x: Any, y: Any, weights: list[Any]) -> Any:
    return tf.reduce_mean((_prediction(x, weights) - y) ** 2)


def _prediction(x: Any, weights: list[Any]) -> Any:
    w1, b1, w2, b2 = weights
    return tf.matmul(tf.maximum(tf.matmul(x, w1) + b1, 0), w2) + b2


def weights_fed() -> Result:
    """Weights are placeholders, and NumPy updates them."""
    x_value, y_value, start = _numbers()
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(tf.float32, (N, D)), tf.placeholder(tf.float32, (N, D))
        weights = [tf.placeholder(tf.float32, w.shape) for w in start]
        loss = _static_loss(x, y, weights)
        gradients = tf.gradients(loss, weights)
        values = {x: x_value, y: y_value, **dict(zip(weights, start, strict=True))}
        losses = []
        for _ in range(STEPS):
            loss_value, *found = sess.run([loss, *gradients], feed_dict=values)
            for w, g in zip(weights, found, strict=True):
                values[w] = values[w] - np.float32(RATE) * g
            losses.append(loss_value)
        return losses, [values[w] for w in weights]


def _run_updates(build: Callable[[Any, list[Any]], Any], batch: int | None = N) -> Result:
    x_value, y_value, start = _numbers()
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(tf.float32, (batch, D)), tf.placeholder(tf.float32, (batch, D))
        weights = [tf.Variable(w) for w in start]
        loss = _static_loss(x, y, weights)
        update = build(loss, weights)
        sess.run(tf.global_variables_initializer())
        losses = [sess.run([loss, update], {x: x_value, y: y_value})[0] for _ in range(STEPS)]
        return losses, sess.run(weights)


def assigned_variables() -> Result:
    """Weights are variables, updates are assignments."""

    def build(loss: Any, weights: list[Any]) -> Any:
        pairs = zip(weights, tf.gradients(loss, weights), strict=True)
        return tf.group(*[w.assign(w - RATE * g) for w, g in pairs])

    return _run_updates(build)


def optimized_variables() -> Result:
    """Weights are variables, an optimizer updates them; the batch size is not known when the graph is built."""
    return _run_updates(lambda loss, weights: tf.train.GradientDescentOptimizer(RATE).minimize(loss), batch=None)


# -------------------------------------------------------------------------------------------------- layers


def static_layers() -> Result:
    """`tf.layers`, `tf.losses` and an optimizer."""
    x_value, y_value, start = _numbers()
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(tf.float32, (None, D)), tf.placeholder(tf.float32, (None, D))
        h = tf.layers.dense(x, H, tf.nn.relu)
        loss = tf.losses.mean_squared_error(y, tf.layers.dense(h, D))
        update = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
        weights = tf.trainable_variables()
        for w, value in zip(weights, start, strict=True):
            w.load(value, sess)
        losses = [sess.run([loss, update], {x: x_value, y: y_value})[0] for _ in range(STEPS)]
        return losses, sess.run(weights)


def compile_and_fit() -> Result:
    """A stack of layers; every epoch is one batch."""
    x, y, start = _numbers()
    model = Sequential()
    model.add(Dense(input_dim=D, output_dim=H))
    model.add(Activation("relu"))
    model.add(Dense(input_dim=H, output_dim=D))
    model.set_weights(start)
    model.compile(loss="mean_squared_error", optimizer=SGD(lr=RATE))
    history = model.fit(x, y, nb_epoch=STEPS, batch_size=N, shuffle=False, verbose=0)
    return [np.float32(v) for v in history.history["loss"]], model.get_weights()


@pytest.fixture(scope="module")
def expected() -> Result:
    return define_by_run()


def test_the_network_learns(expected: Result) -> None:
    losses, weights = expected
    assert losses[-1] < 0.7 * losses[0]
    assert all(not np.array_equal(w, start) for w, start in zip(weights, _numbers()[2], strict=True))


@pytest.mark.parametrize(
    "way",
    [
        define_by_run,
        traced,
        returned_gradients,
        module_and_optimizer,
        traced_module_and_optimizer,
        weights_fed,
        assigned_variables,
        optimized_variables,
        static_layers,
        compile_and_fit,
    ],
)
def test_same_bits(way: Callable[[], Result], expected: Result) -> None:
    losses, weights = way()
    assert [float(v).hex() for v in losses] == [float(v).hex() for v in expected[0]]
    for name, mine, theirs in zip(("w1", "b1", "w2", "b2"), weights, expected[1], strict=True):
        assert mine.dtype == theirs.dtype == np.float32
        assert np.array_equal(mine, theirs), f"{name} differs by {np.abs(mine - theirs).max()}"


def test_the_loss_of_the_listings_too() -> None:
    """No biases, and the mean over the batch of the sum of squares, at the listings' learning rate."""
    random = np.random.default_rng(1)
    shapes = [(N, D), (N, D), (D, H), (H, D)]
    x, y, w1, w2 = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    rate = np.float32(1e-5)

    def loss_of(x: Any, y: Any, w1: Any, w2: Any) -> Any:
        return ((og.maximum(x @ w1, 0) @ w2 - y) ** 2).sum(1).mean()

    weights = [og.tensor(w) for w in (w1, w2)]
    traced_weights = list(weights)
    both = og.value_and_grad(loss_of, (2, 3))
    compiled = og.jit(both)
    tx, ty = og.tensor(x), og.tensor(y)
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = [tf.placeholder(tf.float32, shape) for shape in shapes]
        diff = tf.matmul(tf.maximum(tf.matmul(fed[0], fed[2]), 0), fed[3]) - fed[1]
        loss = tf.reduce_mean(tf.reduce_sum(diff**2, axis=1))
        gradients = tf.gradients(loss, fed[2:])
        values = dict(zip(fed, (x, y, w1, w2), strict=True))
        for _ in range(STEPS):
            expected, *found = sess.run([loss, *gradients], feed_dict=values)
            for w, g in zip(fed[2:], found, strict=True):
                values[w] = values[w] - rate * g
            here, gs = both(tx, ty, *weights)
            weights = [w - float(rate) * g for w, g in zip(weights, gs, strict=True)]
            there, gs = compiled(tx, ty, *traced_weights)
            traced_weights = [w - float(rate) * g for w, g in zip(traced_weights, gs, strict=True)]
            assert float(expected) == here.item() == there.item()
    for a, b, w in zip(weights, traced_weights, fed[2:], strict=True):
        assert np.array_equal(a.numpy(), values[w]) and np.array_equal(b.numpy(), values[w])


def test_other_weights_give_other_bits(expected: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail."""
    x, y, start = _numbers()
    start[0][0, 0] += np.float32(1e-4)
    monkeypatch.setitem(globals(), "_numbers", lambda: (x, y, start))
    _, weights = define_by_run()
    assert not np.array_equal(weights[0], expected[1][0])
