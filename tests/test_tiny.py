"""One small test of each part: run it before every commit (`make tiny`); it takes seconds."""

import numpy as np

import onegraph as og
import onegraph.nn as nn
import onegraph.static as tf
from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.ir.text import from_text
from onegraph.ops import OPS
from onegraph.ops.elementwise import exp, numpy_constant
from onegraph.ops.reduction import sum_

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def test_graph_text_and_reference():
    graph = og.jit(lambda x: (x @ x).exp().sum()).trace(og.tensor(X)).graph
    assert from_text(str(graph)).key() == graph.key()
    assert all(node.op in OPS or node.op == "input" for node in graph.nodes())


def test_autodiff():
    x = numpy_constant(X)
    (g,) = gradient([sum_(exp(x))], [None], [x])
    np.testing.assert_allclose(evaluate([g])[0], np.exp(X), rtol=1e-6)


def test_three_ways_to_the_same_bits():
    w = og.tensor(X, requires_grad=True)
    loss = ((og.tensor(X) @ w) ** 2).sum()
    loss.backward()
    traced = og.jit(lambda x: og.grad(lambda w: ((x @ w) ** 2).sum())(og.tensor(X)))(og.tensor(X))
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.placeholder(tf.float32, (None, 2)), tf.placeholder(tf.float32, (2, 2))
        static = session.run(tf.gradients(tf.reduce_sum(tf.matmul(a, b) ** 2), [b])[0], {a: X, b: X})
    np.testing.assert_array_equal(w.grad.numpy(), traced.numpy())
    np.testing.assert_array_equal(w.grad.numpy(), static)


def test_a_module_learns():
    og.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = og.optim.Adam(model.parameters(), lr=0.05)
    x, y = og.tensor(X), og.tensor([[1.0], [-1.0]])

    @og.jit
    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    first = step().item()
    for _ in range(50):
        last = step().item()
    assert last < 0.01 < first


def test_a_model_is_saved_and_read(tmp_path):
    model = nn.Linear(2, 3)
    og.save_model(tmp_path / "model", model, [og.tensor(X)])
    loaded = og.load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded(og.tensor(X)).numpy(), model(og.tensor(X)).detach().numpy())


def test_compile_and_fit():
    from onegraph.keras import Dense, Sequential

    model = Sequential([Dense(4, input_dim=2, activation="relu"), Dense(1)])
    model.compile(loss="mse", optimizer="sgd")
    history = model.fit(X, X[:, :1], epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
