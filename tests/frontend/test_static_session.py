"""Graphs, sessions, variables and the order of reads and writes."""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
import onegraph.static as tf
from onegraph.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    FeedError,
    GraphError,
    ShapeError,
    TraceError,
    UninitializedError,
    UnsupportedError,
)
from onegraph.frontend.static.program import Program
from onegraph.ir.text import from_text
from onegraph.ir.verify import verify
from onegraph.ops.record import check_rule


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def run(fetches, feed_dict=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed_dict)


# ---------------------------------------------------------------------------------------- fetches and feeds


def test_nested_fetches() -> None:
    pair = namedtuple("pair", "a b")
    x = tf.placeholder(tf.float32, (2,), name="x")
    y = tf.multiply(x, 2.0, name="y")
    found = run({"list": [x, (y,)], "named": pair(y, "x:0"), "op": y.op, "name": "y"}, {"x:0": [1, 2]})
    np.testing.assert_array_equal(found["list"][0], [1, 2])
    np.testing.assert_array_equal(found["list"][1][0], [2, 4])
    np.testing.assert_array_equal(found["named"].b, [1, 2])
    assert found["op"] is None and found["name"] is None


def test_values_are_the_users_own() -> None:
    x = tf.placeholder(tf.float32, (2,))
    v = tf.Variable(tf.zeros((2,)))
    store = v.assign(x)
    with tf.Session() as sess:
        fed = np.ones(2, np.float32)
        found = sess.run([x, store], {x: fed})
        fed[:] = 7
        found[0][:] = 8
        found[1][:] = 9
        np.testing.assert_array_equal(sess.run(v), [1, 1])


def test_any_tensor_can_be_fed() -> None:
    c = tf.constant(2.0)
    other = tf.constant(2.0)
    y = c * 3.0
    z = y + other
    with tf.Session() as sess:
        assert sess.run(z, {c: 5}) == 17
        assert sess.run(z, {y: 1}) == 3
        d = tf.placeholder_with_default([1.0, 2.0], (None,))
        np.testing.assert_array_equal(sess.run(d + 1), [2, 3])
        np.testing.assert_array_equal(sess.run(d + 1, {d: [5, 6]}), [6, 7])


def test_several_batch_sizes() -> None:
    x = tf.placeholder(tf.float32, (None, 3))
    y = tf.placeholder(tf.float32, (None, 3))
    loss = tf.reduce_mean(tf.square(x - y))
    (g,) = tf.gradients(loss, [x])
    rows = tf.reshape(x, [tf.shape(x)[0], 3, 1])
    assert x.get_shape().as_list() == [None, 3] and rows.shape.as_list() == [None, 3, 1]
    with tf.Session() as sess:
        for n in (1, 4, 2, 4):
            a, b = np.random.default_rng(n).standard_normal((2, n, 3)).astype(np.float32)
            value, grad, shaped, size = sess.run([loss, g, rows, tf.shape(x)], {x: a, y: b})
            np.testing.assert_allclose(value, ((a - b) ** 2).mean(), rtol=1e-5)
            np.testing.assert_allclose(grad, 2 * (a - b) / a.size, rtol=1e-5)
            assert shaped.shape == (n, 3, 1)
            np.testing.assert_array_equal(size, [n, 3])
        with pytest.raises(ValueError, match=r"4.*2|2.*4"):
            sess.run(loss, {x: np.ones((4, 3)), y: np.ones((2, 3))})


def test_feed_errors() -> None:
    x = tf.placeholder(tf.float32, (None, 3), name="images")
    n = tf.placeholder(tf.int32, (), name="count")
    flag = tf.placeholder(tf.bool, (), name="flag")
    y = tf.reduce_sum(x) * tf.to_float(n)
    with tf.Session() as sess:
        with pytest.raises(FeedError, match=r"'images:0' \(float32, shape \(None, 3\)\).*'count:0'"):
            sess.run(y)
        with pytest.raises(FeedError, match=r"images:0.*shape \(None, 3\).*got shape \(2, 4\)"):
            sess.run(y, {x: np.ones((2, 4)), n: 1})
        with pytest.raises(FeedError, match=r"count:0.*float64"):
            sess.run(y, {x: np.ones((2, 3)), n: 1.5})
        with pytest.raises(FeedError, match=r"count:0.*out of range"):
            sess.run(n, {n: 1 << 40})
        with pytest.raises(FeedError, match=r"flag:0.*int64"):
            sess.run(flag, {flag: 3})
        with pytest.raises(FeedError, match="no regular array"):
            sess.run(x, {x: [[1, 2, 3], [1]]})
        with pytest.raises(FeedError, match="no operation called 'nothing'"):
            sess.run(x, {"nothing:0": 1})
        with pytest.raises(FeedError, match="static tensor"):
            sess.run(x, {x: y})
        with pytest.raises(ArgumentTypeError, match="cannot fetch None"):
            sess.run([x, None], {x: np.ones((2, 3))})
        with pytest.raises(FeedError, match=r"images:0"):  # only its size is needed, but that is not known either
            sess.run(tf.shape(x)[0])
        assert sess.run(y, {x: og.ones(2, 3), n: np.int64(2)}) == 12
        with pytest.raises(ArgumentTypeError, match="feed_dict must be a dict"):
            sess.run(y, [1])


def test_sessions_have_values_of_their_own() -> None:
    v = tf.Variable(1.0, name="v")
    one, other = tf.Session(), tf.Session()
    one.run(v.initializer)
    with pytest.raises(UninitializedError, match=r"'v:0'.*before it had a value"):
        other.run(v)
    other.run(v.assign(5.0))
    assert one.run(v) == 1 and other.run(v) == 5
    assert other.run(tf.is_variable_initialized(v)) and not tf.Session().run(tf.is_variable_initialized(v))
    one.close()
    with pytest.raises(GraphError, match="closed"):
        one.run(v)


def test_default_sessions() -> None:
    x = tf.constant([1.0, 2.0])
    with pytest.raises(FeedError, match="no default session"):
        x.eval()
    v = tf.Variable(0)
    with tf.Session() as sess:
        v.initializer.run()
        assert tf.get_default_session() is sess
        np.testing.assert_array_equal(x.eval(), [1, 2])
        assert v.eval() == 0
        v.load(4)
        assert v.eval() == 4
    assert tf.get_default_session() is None
    interactive = tf.InteractiveSession()
    np.testing.assert_array_equal((x * 2).eval(), [2, 4])
    interactive.close()
    double = tf.Session().make_callable(x * 2, [x])
    np.testing.assert_array_equal(double([3.0, 4.0]), [6, 8])


# ---------------------------------------------------------------------------------------- variables, order


def test_reads_see_values_from_before_the_run() -> None:
    v = tf.Variable(1.0)
    double = v * 2.0
    write = v.assign(10.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([v, double, write]) == [1.0, 2.0, 10.0]
        assert sess.run(double) == 20


def test_control_dependencies_order_reads_after_writes() -> None:
    v = tf.Variable(1.0)
    add = v.assign_add(2.0)
    with tf.control_dependencies([add]):
        after = v.read_value()
        double = v * 2.0
        again = v.assign(v * 10.0)
        with tf.control_dependencies([again]):
            last = tf.identity(v)
    with tf.control_dependencies([add]), tf.control_dependencies(None):
        free = v + 0.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(free) == 1 and sess.run(v) == 1  # nothing was written
        assert sess.run([after, double]) == [3, 6] and sess.run(v) == 3
        assert sess.run([v, last]) == [3, 50] and sess.run(v) == 50


def test_no_update_is_lost() -> None:
    v = tf.Variable(0)
    updates = [v.assign_add(1), v.assign_add(10), v.assign_sub(3)]
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(updates) == [1, 11, 8]
        sess.run(tf.group(*updates))
        assert sess.run(v) == 16
    rows = tf.Variable(tf.zeros((3, 2)))
    a, b = tf.scatter_add(rows, [0, 2, 0], tf.ones((3, 2))), tf.scatter_update(rows, [1], [[5.0, 6.0]])
    np.testing.assert_array_equal(run([a, b])[1], [[2, 2], [5, 6], [1, 1]])


def test_side_effects_of_fetched_tensors() -> None:
    v = tf.Variable(0)
    with tf.control_dependencies([v.assign_add(1)]):
        y = tf.identity(tf.constant(7.0))
    z = y * 2.0  # needs y, so needs the write
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(z) == 14 and sess.run(v) == 1
        assert [sess.run(t) for t in tf.tuple([y, z])] == [7, 14] and sess.run(v) == 3
        with tf.control_dependencies([z]):
            nothing = tf.no_op()
        sess.run(nothing)
        assert sess.run(v) == 4


def test_initial_values() -> None:
    tf.set_random_seed(1)
    w = tf.Variable(lambda: tf.random_normal((3,)), name="w")
    twice = tf.Variable(w.initialized_value() * 2.0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        a, b = sess.run([w, twice])
        np.testing.assert_array_equal(2 * a, b)
        sess.run(w.assign([1.0, 2.0, 3.0]))
        sess.run(twice.initializer)
        np.testing.assert_array_equal(sess.run(twice), [2, 4, 6])
    late = tf.Variable(w + 1.0)
    with tf.Session() as sess, pytest.raises(UninitializedError, match="'w:0'"):
        sess.run(late.initializer)
    assert tf.Variable(3).dtype is tf.int32 and tf.Variable(3, dtype=tf.float64).dtype is tf.float64
    with pytest.raises(ArgumentError, match="needs an initial value"):
        tf.Variable()
    with pytest.raises(ShapeError, match="fully known"):
        tf.Variable(tf.placeholder(tf.float32, (None,)))


def test_wrong_values_for_variables() -> None:
    v = tf.Variable(tf.zeros((2, 3)), name="v")
    with pytest.raises(ShapeError, match=r"'v:0' has shape \(2, 3\), the value \(3,\)") as caught:
        v.assign(tf.zeros((3,)))
    assert caught.value.location[0] == __file__
    with pytest.raises(DTypeError, match="'v:0' is float32, the value int32"):
        v.assign(tf.zeros((2, 3), tf.int32))
    with pytest.raises(ArgumentError, match="only a variable"):
        tf.assign(tf.zeros((2,)), 1.0)


def test_variable_scopes() -> None:
    with tf.variable_scope("net", initializer=tf.ones_initializer()):
        w = tf.get_variable("w", (2,))
        with tf.variable_scope("inner"):
            b = tf.get_variable("b", (3,), tf.int32, initializer=tf.constant_initializer(4))
            x = tf.constant(0.0, name="x")
        with pytest.raises(ArgumentError, match="'net/w' already exists"):
            tf.get_variable("w", (2,))
    assert (w.name, b.name, x.name) == ("net/w:0", "net/inner/b:0", "net/inner/x:0")
    with tf.variable_scope("net", reuse=True):
        assert tf.get_variable("w") is w
        with pytest.raises(ArgumentError, match="'net/z' does not exist"):
            tf.get_variable("z", (2,))
        with pytest.raises(ShapeError, match=r"\(2,\)"):
            tf.get_variable("w", (3,))
        with pytest.raises(DTypeError, match="float32"):
            tf.get_variable("w", (2,), tf.float64)
    for _ in range(2):
        with tf.variable_scope("auto", reuse=tf.AUTO_REUSE) as scope:
            tf.get_variable("v", (2,), regularizer=tf.nn.l2_loss)
    assert [v.name for v in scope.trainable_variables()] == ["auto/v:0"]
    with tf.variable_scope(None, "block") as first, tf.variable_scope(None, "block") as second:
        assert (first.name, second.name) == ("block", "block/block")
    assert [v.name for v in tf.global_variables("net/")] == ["net/w:0", "net/inner/b:0"]
    np.testing.assert_array_equal(run([w, b])[1], [4, 4, 4])
    assert len(tf.losses.get_regularization_losses()) == 1


# ---------------------------------------------------------------------------------------- graphs, tensors


def test_names() -> None:
    graph = tf.get_default_graph()
    a = tf.constant(1.0, name="a")
    b = tf.constant(1.0, name="a")
    with tf.name_scope("s"):
        c = tf.add(a, b, name="sum")
        with tf.name_scope("s"):
            d = a + b
    with tf.name_scope("s") as again:
        e = tf.identity(a)
    with tf.name_scope(again):
        f = tf.identity(a, name="f")
    assert [t.name for t in (a, b, c, d, e, f)] == ["a:0", "a_1:0", "s/sum:0", "s/s/add:0", "s_1/Identity:0", "s_1/f:0"]
    assert graph.get_tensor_by_name("s/sum:0") is c and graph.get_operation_by_name("s/sum") is c.op
    assert c.op.inputs == [a, b] and c.op.type == "Add"
    with pytest.raises(GraphError, match="no operation called 'sum'") as caught:
        graph.get_tensor_by_name("sum:0")
    assert "s/sum" in str(caught.value)
    with pytest.raises(GraphError, match="1 results"):
        graph.get_tensor_by_name("s/sum:1")
    assert c.node.source[2] == "s"  # the IR knows the scope
    parts = tf.split(tf.zeros((4, 2)), 2, name="parts")
    assert [p.name for p in parts] == ["parts:0", "parts:1"]
    graph.finalize()
    with pytest.raises(GraphError, match="finalized"):
        tf.constant(1.0)


def test_foreign_tensors() -> None:
    x = tf.constant(1.0, name="mine")
    with tf.Graph().as_default():
        y = tf.constant(2.0, name="theirs")
        with pytest.raises(GraphError, match="'theirs:0' belongs to another graph"):
            tf.add(x, y)
        with tf.Session() as sess, pytest.raises(GraphError, match="'mine:0' belongs to another graph"):
            sess.run(x)
        with tf.Session() as sess, pytest.raises(FeedError, match="another graph"):
            sess.run(y, {x: 1.0})


def test_static_tensors_have_no_values() -> None:
    x = tf.placeholder(tf.float32, (2,))
    with pytest.raises(TraceError, match="neither true nor false") as caught:
        if x[0] > 0:
            pass
    assert caught.value.location[0] == __file__ and "tf.cond" in str(caught.value)
    for wrong in (lambda: list(x), lambda: len(x), lambda: float(x), lambda: np.asarray(x)):
        with pytest.raises(TraceError):
            wrong()
    assert (x == x) is True and (x == 1) is False and x in {x: 1}


def test_shapes() -> None:
    x = tf.placeholder(tf.float32, (None, 3, None))
    assert x.get_shape().as_list() == [None, 3, None] and x.shape.ndims == 3 and str(x.shape) == "(?, 3, ?)"
    assert x.shape[1].value == 3 and x.shape[0].value is None and int(x.shape[1]) * 2 == 6
    x.set_shape([4, None, None])
    assert x.shape.as_list() == [4, 3, None]
    with pytest.raises(ShapeError, match="cannot be"):
        x.set_shape([5, 3, 2])
    total = tf.reduce_sum(x)
    with tf.Session() as sess:
        assert sess.run(total, {x: np.ones((4, 3, 2))}) == 24
        with pytest.raises(ValueError):
            sess.run(total, {x: np.ones((5, 3, 2))})
    with pytest.raises(UnsupportedError, match="unknown rank"):
        tf.placeholder(tf.float32, None)
    with pytest.raises(UnsupportedError, match="strings"):
        tf.placeholder("string", ())
    with pytest.raises(ShapeError, match="matmul") as caught:
        tf.matmul(tf.zeros((2, 3)), tf.zeros((2, 3)))
    assert caught.value.location[0] == __file__


def test_gradients() -> None:
    x = tf.placeholder(tf.float32, (3,))
    v = tf.Variable([1.0, 2.0, 3.0])
    y = tf.reduce_sum(x * x * v)
    gx, gv, nothing = tf.gradients(y, [x, v, tf.Variable(1.0)])
    (second,) = tf.gradients(gx, x, grad_ys=[tf.constant([1.0, 0.0, 2.0])])
    assert nothing is None and gv.name.startswith("gradients/")
    a, b, c = run([gx, gv, second], {x: [1, 2, 3]})
    np.testing.assert_array_equal(a, [2, 8, 18])
    np.testing.assert_array_equal(b, [1, 4, 9])
    np.testing.assert_array_equal(c, [2, 0, 12])
    summed = tf.gradients([x * 2.0, x * v], x)[0]  # ys of any shape are summed
    np.testing.assert_array_equal(run(summed, {x: [0, 0, 0]}), [3, 4, 5])
    with tf.control_dependencies([v.assign_add([1.0, 1.0, 1.0])]):
        after = tf.reduce_sum(v * v)
    np.testing.assert_array_equal(run(tf.gradients(after, v)[0]), [4, 6, 8])  # at the value that was read
    assert tf.gradients(tf.stop_gradient(x) * 2.0, x) == [None]
    with pytest.raises(DTypeError, match="int32"):
        tf.gradients(tf.constant(1) * 2, x)
    with pytest.raises(ArgumentTypeError, match="xs must be tensors"):
        tf.gradients(y, [3.0])


def test_random_numbers() -> None:
    tf.set_random_seed(5)
    x = tf.random_normal((4,))
    y = tf.random_uniform((4,), seed=9)
    with tf.Session() as sess:
        first, second = sess.run(x), sess.run(x)
        own = [sess.run(y), sess.run(y)]
        both = sess.run([x, x])
    np.testing.assert_array_equal(both[0], both[1])
    assert not np.array_equal(first, second) and not np.array_equal(own[0], own[1])
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run([x, y])[1], own[0])  # its own seed: whatever else runs
        np.testing.assert_array_equal(sess.run(x), second)
    og.manual_seed(5)
    np.testing.assert_array_equal(og.randn(4).numpy(), first)
    np.testing.assert_array_equal(og.randn(4).numpy(), second)
    shuffled = run(tf.random_shuffle(tf.range(20)))
    np.testing.assert_array_equal(np.sort(shuffled), np.arange(20))
    cut = run(tf.truncated_normal((2000,), stddev=3.0))
    assert np.abs(cut).max() <= 6 and 2.4 < cut.std() < 2.9
    whole = run(tf.random_uniform((500,), 2, 5, tf.int32))
    assert set(whole) == {2, 3, 4} and whole.dtype == np.int32


def test_the_graph_is_the_one_ir() -> None:
    """What a Session runs verifies, prints, and parses back to an equal graph."""
    x = tf.placeholder(tf.float32, (None, 4), name="x")
    w = tf.Variable(tf.zeros((4, 2)), name="w")
    step = tf.train.AdamOptimizer().minimize(tf.reduce_sum(tf.matmul(x, w)))
    graph = Program(tf.get_default_graph(), [], step.effects, [x], frozenset()).graph
    verify(graph, check_rule)
    assert 'f32[x_0, 4] "x"' in str(graph) and from_text(str(graph)) == graph


def test_threads_lose_no_update() -> None:
    count = tf.Variable(0)
    increment = count.assign_add(1)
    with tf.Session() as sess:
        sess.run(count.initializer)
        threads = [threading.Thread(target=lambda: [sess.run(increment) for _ in range(25)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sess.run(count) == 100


def test_long_chains() -> None:
    y = x = tf.placeholder(tf.float32, ())
    for _ in range(3000):
        y = y + 1.0
    with tf.Session() as sess:
        assert sess.run([y, tf.gradients(y, x)[0]], {x: 1}) == [3001, 1]


def test_a_placeholder_without_a_shape_is_one_number() -> None:
    x = tf.placeholder("float", name="x")
    with tf.Session() as sess:
        assert sess.run(x * 2, {x: 3}) == 6
        with pytest.raises(FeedError, match=r"got shape \(17,\)(?s:.*)is one number: say shape=\(None,\)"):
            sess.run(x * 2, {x: np.zeros(17)})
        with pytest.raises(FeedError, match=r"say shape=\(None, None\)"):
            sess.run(x * 2, {x: np.zeros((3, 4))})
