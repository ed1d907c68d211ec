"""Optimizers, learning rates, moving averages and Saver of `onegraph.static`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph.static as tf
from onegraph.errors import ArgumentError, StateError, StorageError, UninitializedError


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


# Each is what TensorFlow 1 documents: (state, gradient, step from 1) -> (change, state), learning rate 0.1.


def _momentum(m: float, g: float, t: int) -> tuple[float, float]:
    m = 0.9 * m + g
    return 0.1 * m, m


def _nesterov(m: float, g: float, t: int) -> tuple[float, float]:
    m = 0.9 * m + g
    return 0.1 * (g + 0.9 * m), m


def _adam(s: tuple[float, float], g: float, t: int) -> tuple[float, Any]:
    m, v = 0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g
    rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return rate * m / (np.sqrt(v) + 0.01), (m, v)


def _rmsprop(s: tuple[float, float], g: float, t: int) -> tuple[float, Any]:
    square = 0.9 * s[0] + 0.1 * g * g
    m = 0.5 * s[1] + 0.1 * g / np.sqrt(square + 0.01)
    return m, (square, m)


def _adagrad(s: float, g: float, t: int) -> tuple[float, float]:
    s = s + g * g
    return 0.1 * g / np.sqrt(s), s


OPTIMIZERS: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    "sgd": (lambda: tf.train.GradientDescentOptimizer(0.1), lambda s, g, t: (0.1 * g, s), 0),
    "momentum": (lambda: tf.train.MomentumOptimizer(0.1, 0.9), _momentum, 0.0),
    "nesterov": (lambda: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), _nesterov, 0.0),
    "adam": (lambda: tf.train.AdamOptimizer(0.1, epsilon=0.01), _adam, (0.0, 0.0)),
    "rmsprop": (lambda: tf.train.RMSPropOptimizer(0.1, momentum=0.5, epsilon=0.01), _rmsprop, (1.0, 0.0)),
    "adagrad": (lambda: tf.train.AdagradOptimizer(0.1), _adagrad, 0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_follow_their_formulas(name: str) -> None:
    make, formula, state = OPTIMIZERS[name]
    w = tf.Variable(3.0, name="w")
    idle = tf.Variable(1.0)
    step = tf.train.get_or_create_global_step()
    train = make().minimize(w * w * 0.5, global_step=step)
    expected = 3.0
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for t in range(1, 8):
            sess.run(train)
            change, state = formula(state, expected, t)
            expected -= change
            np.testing.assert_allclose(sess.run(w), expected, rtol=1e-5)
        assert tf.train.global_step(sess, step) == 7 and sess.run(idle) == 1


def test_gradients_can_be_changed_in_between() -> None:
    w, v = tf.Variable([3.0, 4.0]), tf.Variable(1.0)
    optimizer = tf.train.MomentumOptimizer(1.0, 0.9)
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w) * 0.5)
    assert [p[1] for p in pairs] == [w, v] and pairs[1][0] is None
    clipped, _ = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    train = optimizer.apply_gradients(zip(clipped, [w, v], strict=True))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run(w), [2.4, 3.2], rtol=1e-6)
        np.testing.assert_allclose(sess.run(optimizer.get_slot(w, "momentum_buffer")), [0.6, 0.8], rtol=1e-6)
    assert optimizer.get_slot_names() == ["momentum_buffer"] and len(optimizer.variables()) == 1
    assert tf.global_variables()[-1].name == "Variable/Momentum:0"
    with pytest.raises(ArgumentError, match="no variable has a gradient"):
        optimizer.minimize(tf.constant(1.0) * 2.0, var_list=[v])


def test_two_optimizers_in_one_run_lose_no_update() -> None:
    w = tf.Variable(1.0)
    first = tf.train.GradientDescentOptimizer(0.25).minimize(w * 1.0)
    second = tf.train.GradientDescentOptimizer(0.5).minimize(w * 1.0)
    with tf.Session() as sess:
        sess.run(w.initializer)
        sess.run([first, second])
        assert sess.run(w) == 0.25


def test_a_learning_rate_that_is_fed_or_scheduled() -> None:
    rate = tf.placeholder(tf.float32, ())
    w = tf.Variable(1.0)
    train = tf.train.GradientDescentOptimizer(rate).minimize(w)
    step = tf.Variable(0, trainable=False)
    schedules = {
        "exponential": (tf.train.exponential_decay(1.0, step, 10, 0.5), lambda n: 0.5 ** (n / 10)),
        "staircase": (tf.train.exponential_decay(1.0, step, 10, 0.5, staircase=True), lambda n: 0.5 ** (n // 10)),
        "natural": (tf.train.natural_exp_decay(1.0, step, 10, 0.5), lambda n: np.exp(-0.5 * n / 10)),
        "inverse": (tf.train.inverse_time_decay(1.0, step, 10, 0.5), lambda n: 1 / (1 + 0.5 * n / 10)),
        "polynomial": (
            tf.train.polynomial_decay(1.0, step, 20, 0.1, 2.0),
            lambda n: 0.9 * (1 - min(n, 20) / 20) ** 2 + 0.1,
        ),
        "cosine": (
            tf.train.cosine_decay(1.0, step, 20, 0.1),
            lambda n: 0.9 * (1 + np.cos(np.pi * min(n / 20, 1))) / 2 + 0.1,
        ),
        "piecewise": (
            tf.train.piecewise_constant(step, [5, 15], [1.0, 0.5, 0.1]),
            lambda n: 1.0 if n <= 5 else 0.5 if n <= 15 else 0.1,
        ),
    }
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train, {rate: 0.5})
        sess.run(train, {rate: 0.25})
        assert sess.run(w) == 0.25
        for n in (0, 5, 6, 15, 16, 30):
            step.load(n)
            found = sess.run({k: t for k, (t, _) in schedules.items()})
            for k, (_, formula) in schedules.items():
                np.testing.assert_allclose(found[k], formula(n), rtol=1e-5, err_msg=k)
    with pytest.raises(ArgumentError, match="need 3 values"):
        tf.train.piecewise_constant(step, [1, 2], [1.0])


def test_moving_averages() -> None:
    w = tf.Variable(1.0, name="w")
    averages = tf.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies([w.assign_add(1.0)]):
        update = averages.apply([w])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(update)
        np.testing.assert_allclose(sess.run([w, averages.average(w)]), [2.0, 0.9 + 0.2], rtol=1e-6)
    assert averages.average(w).op.name == averages.average_name(w) == "w/ExponentialMovingAverage"


# ---------------------------------------------------------------------------------------- Saver


def build() -> tuple[Any, Any]:
    w = tf.Variable(tf.random_normal((2, 3), seed=1), name="layer/w")
    count = tf.Variable(7, name="count", trainable=False)
    tf.Variable(tf.ones((2,), tf.bfloat16), name="half")
    return w, count


def test_save_and_restore(tmp_path: Path) -> None:
    w, count = build()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        with pytest.raises(UninitializedError):
            saver.save(sess, tmp_path / "model.ckpt")
        assert list(tmp_path.iterdir()) == []
        sess.run(tf.global_variables_initializer())
        before = sess.run(w)
        path = saver.save(sess, str(tmp_path / "model.ckpt"), global_step=count)
        assert path == str(tmp_path / "model.ckpt-7")
        sess.run([w.assign(tf.zeros_like(w)), count.assign(0)])
        saver.restore(sess, path)
        np.testing.assert_array_equal(sess.run(w), before)
    with tf.Graph().as_default():  # another program
        w, count = build()
        with tf.Session() as sess:
            found = tf.train.latest_checkpoint(tmp_path)
            assert found == path and tf.train.checkpoint_exists(found)
            tf.train.Saver().restore(sess, found)  # nothing needs to be initialized
            np.testing.assert_array_equal(sess.run(w), before)
            assert sess.run(count) == 7
            tf.train.Saver({"layer/w": w}).restore(sess, found)


def test_old_checkpoints_go(tmp_path: Path) -> None:
    build()
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        paths = [saver.save(sess, tmp_path / "m", global_step=i) for i in range(4)]
    assert saver.last_checkpoints == paths[2:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "m-2.safetensors", "m-3.safetensors"]
    assert json.loads((tmp_path / "checkpoint").read_text()) == {"latest": "m-3", "all": ["m-2", "m-3"]}


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    build()
    path = str(tmp_path / "m")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, path)
    assert tf.train.latest_checkpoint(tmp_path / "nowhere") is None
    with tf.Graph().as_default(), tf.Session() as sess:
        other = tf.Variable(tf.zeros((3, 2)), name="layer/w")
        with pytest.raises(StateError, match=r"'layer/w' has shape \(2, 3\) in the checkpoint, the variable \(3, 2\)"):
            tf.train.Saver().restore(sess, path)
        tf.train.Saver(reshape=True).restore(sess, path)
        assert sess.run(other).shape == (3, 2)
        new = tf.Variable(0.0, name="new")
        with pytest.raises(StateError, match="no value for new"):
            tf.train.Saver().restore(sess, path)
        assert not sess.has_value(new)
        with pytest.raises(StateError, match="is int32 in the checkpoint, the variable is float32"):
            tf.train.Saver({"count": new}).restore(sess, path)
        with pytest.raises(StorageError):
            tf.train.Saver().restore(sess, path + "-none")
    (tmp_path / "checkpoint").write_text("{")
    with pytest.raises(StorageError, match="no index of checkpoints"):
        tf.train.latest_checkpoint(tmp_path)
    with tf.Graph().as_default(), pytest.raises(ArgumentError, match="no variables"):
        tf.train.Saver()
