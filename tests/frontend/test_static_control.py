"""cond, case, while_loop, scan, map_fn and folds in static graphs: values, gradients, writes, random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph.static as tf
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, OneGraphError, UnsupportedError


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def test_cond() -> None:
    x = tf.placeholder(tf.float32, ())
    w = tf.Variable(3.0)
    y = tf.cond(x > 0, lambda: x * w, lambda: -x)
    pair = tf.cond(x > 0, lambda: {"a": x, "b": 1.0}, lambda: {"a": -x, "b": 2.0})
    slopes = tf.gradients(y, [x, w])
    with tf.Session() as sess:
        sess.run(w.initializer)
        assert sess.run([y, *slopes, pair], {x: 2}) == [6, 3, 2, {"a": 2, "b": 1}]
        assert sess.run([y, *slopes, pair], {x: -2}) == [2, -1, 0, {"a": 2, "b": 2}]
    assert tf.cond(True, lambda: 1, lambda: 2) == 1
    with pytest.raises(OneGraphError):
        tf.cond(x > 0, lambda: x, lambda: tf.zeros((2,)))
    with pytest.raises(ArgumentTypeError, match="two functions"):
        tf.cond(x > 0, x, x)


def test_cond_that_writes() -> None:
    flag = tf.placeholder(tf.bool, ())
    v, u = tf.Variable(1.0), tf.Variable(10.0)

    def both() -> Any:
        first = v.assign_add(1.0)
        with tf.control_dependencies([first]):
            return v.assign(v * 10.0)

    y = tf.cond(flag, both, lambda: u.assign_sub(v))
    nothing = tf.cond(flag, lambda: tf.group(u.assign(0.0)), tf.no_op)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(y, {flag: False}) == 9 and sess.run([v, u]) == [1, 9]
        assert sess.run(y, {flag: True}) == 20 and sess.run([v, u]) == [20, 9]
        assert sess.run(nothing, {flag: False}) is None and sess.run(u) == 9
        sess.run(nothing, {flag: True})
        assert sess.run([v, u]) == [20, 0]


def test_case() -> None:
    x = tf.placeholder(tf.int32, ())
    y = tf.case([(x < 0, lambda: tf.constant(-1)), (x < 10, lambda: tf.constant(1))], default=lambda: tf.constant(2))
    z = tf.case([(x < 0, lambda: x), (x < 10, lambda: x * 2)])
    with tf.Session() as sess:
        assert [sess.run(y, {x: n}) for n in (-5, 5, 50)] == [-1, 1, 2]
        assert [sess.run(z, {x: n}) for n in (-5, 5, 50)] == [-5, 10, 100]


def test_while_loop() -> None:
    n = tf.placeholder(tf.int32, ())
    x = tf.placeholder(tf.float32, (2,))
    i, power = tf.while_loop(lambda i, p: i < n, lambda i, p: [i + 1, p * x], [0, tf.ones((2,))], maximum_iterations=10)
    single = tf.while_loop(lambda a: tf.reduce_sum(a) < 100.0, lambda a: a * 2.0, [x])
    (slope,) = tf.gradients(power, x)
    with tf.Session() as sess:
        count, value, grad = sess.run([i, power, slope], {n: 3, x: [2, -1]})
        np.testing.assert_array_equal(value, [8, -1])
        np.testing.assert_array_equal(grad, [12, 3])
        assert count == 3 and sess.run(i, {n: 50, x: [1, 1]}) == 10
        np.testing.assert_array_equal(sess.run(single, {x: [2, 1]}), [128, 64])
    with pytest.raises(GradientError, match="maximum_iterations"):
        tf.gradients(single, x)
    v = tf.Variable(0.0)
    with pytest.raises(UnsupportedError, match="writes the variable 'Variable:0'"):
        tf.while_loop(lambda a: a < 3.0, lambda a: v.assign(a), [0.0])
    with pytest.raises(OneGraphError):
        tf.while_loop(lambda a: tf.reduce_sum(a) < 3.0, lambda a: tf.concat([a, a], 0), [x])
    with pytest.raises(ArgumentError, match="at least one"):
        tf.while_loop(lambda: True, lambda: (), [])


def test_scan_and_map() -> None:
    x = tf.placeholder(tf.float32, (None, 2))
    w = tf.Variable(0.5)
    sums = tf.scan(lambda a, row: a * w + row, x)
    both = tf.scan(lambda a, row: (a[0] + row, a[1] + 1), x, (tf.zeros((2,)), 0), reverse=True)
    doubled = tf.map_fn(lambda row: (row * 2, tf.reduce_sum(row)), x)
    total, product = tf.foldl(lambda a, row: a + row, x), tf.foldr(lambda a, row: a * 10 + row, x, tf.zeros((2,)))
    grads = tf.gradients(sums, [x, w])
    value = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    with tf.Session() as sess:
        sess.run(w.initializer)
        found = sess.run([sums, both, doubled, total, product, *grads], {x: value})
        assert sess.run(doubled, {x: value[:1]})[1].shape == (1,)
    expected = [value[0]]
    for row in value[1:]:
        expected.append(expected[-1] * 0.5 + row)
    np.testing.assert_allclose(found[0], expected)
    np.testing.assert_array_equal(found[1][0], value[::-1].cumsum(0)[::-1])
    np.testing.assert_array_equal(found[1][1], [3, 2, 1])
    np.testing.assert_array_equal(found[2][0], value * 2)
    np.testing.assert_array_equal(found[2][1], value.sum(1))
    np.testing.assert_array_equal(found[3], value.sum(0))
    np.testing.assert_array_equal(found[4], [531, 642])
    np.testing.assert_allclose(found[5], [[1.75] * 2, [1.5] * 2, [1] * 2])
    np.testing.assert_allclose(found[6], (value[0] + value[1] + value[0]).sum())  # d(1.5 x1 + x0 (w + w^2))/dw at 0.5


def test_random_numbers_differ_from_step_to_step() -> None:
    tf.set_random_seed(1)
    rows = tf.map_fn(lambda row: row + tf.random_normal((3,)), tf.zeros((4, 3)))
    _, walk = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, a + tf.random_uniform(())), (0, 0.0))
    with tf.Session() as sess:
        a, b = sess.run([rows, rows])
        c = sess.run(rows)
        first, second = sess.run(walk), sess.run(walk)
    assert len(np.unique(a)) == 12 and np.array_equal(a, b) and not np.isin(a, c).any()
    assert first != second and 0 < first < 4


def test_control_flow_within_control_flow() -> None:
    x = tf.placeholder(tf.float32, (None,))
    y = tf.map_fn(
        lambda v: tf.cond(v > 0, lambda: tf.while_loop(lambda a: a < 10.0, lambda a: a * 2.0, [v]), lambda: -v), x
    )
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {x: [3, -4, 20]}), [12, 4, 20])
