"""Loaded models: values, training, names, compiled and saved forms, dynamic batches, control flow, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import onegraph as og
from onegraph.config import using
from onegraph.errors import FeedError, GraphError, ShapeError, StorageError, TraceError, UnsupportedError
from tests.onnx.graphs import info, model

RNG = np.random.default_rng(0)
W1, B1, W2 = (RNG.standard_normal(s).astype(np.float32) for s in ((4, 3, 3, 3), (4,), (36, 5)))


@pytest.fixture(autouse=True)
def reference() -> Any:
    with using(backend="reference"):
        yield


def network() -> onnx.ModelProto:
    """As exporters write them: a convolution, a shape computed from shapes, a product."""
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], pads=[0, 0, 0, 0]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Shape", ["r"], ["s"]),
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Constant", [], ["rest"], value_ints=[-1]),
        helper.make_node("Concat", ["n", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["r", "target"], ["f"]),
        helper.make_node("MatMul", ["f", "fc.weight"], ["y"]),
    ]
    weights = {"conv.weight": W1, "conv.bias": B1, "fc.weight": W2}
    return model(nodes, [info("x", ["batch", 3, 5, 5])], [info("y", ["batch", 5])], weights)


def expected(x: np.ndarray) -> np.ndarray:
    hidden = og.nn.functional.conv2d(og.tensor(x), og.tensor(W1), og.tensor(B1)).relu()
    return (hidden.reshape(len(x), -1) @ og.tensor(W2)).numpy()


def test_values_and_names() -> None:
    loaded = og.onnx.load(network())
    assert loaded.input_names == ["x"] and loaded.output_names == ["y"] and not loaded.training
    assert sorted(dict(loaded.named_parameters())) == ["conv.bias", "conv.weight", "fc.weight"]
    for count in (1, 3):
        x = RNG.standard_normal((count, 3, 5, 5)).astype(np.float32)
        np.testing.assert_allclose(loaded(x).numpy(force=True), expected(x), rtol=1e-5)
        np.testing.assert_array_equal(loaded(x=x).numpy(force=True), loaded(og.tensor(x)).numpy(force=True))


def test_it_trains() -> None:
    loaded = og.onnx.load(network())
    x, y = og.randn(8, 3, 5, 5), og.randn(8, 5)
    optimizer = og.optim.Adam(loaded.parameters(), lr=0.01)
    losses = []
    for _ in range(15):
        loss = ((loaded(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_it_is_traced_and_saved_for_any_batch(tmp_path: Path) -> None:
    loaded = og.onnx.load(network())
    x = RNG.standard_normal((2, 3, 5, 5)).astype(np.float32)
    traced = og.jit(lambda x: loaded(x))
    np.testing.assert_allclose(traced(og.tensor(x)).numpy(force=True), expected(x), rtol=1e-5)
    og.save_model(tmp_path / "model", loaded, og.tensor(x))
    again = og.load_model(tmp_path / "model")
    for count in (1, 4):
        x = RNG.standard_normal((count, 3, 5, 5)).astype(np.float32)
        np.testing.assert_allclose(again(og.tensor(x)).numpy(force=True), expected(x), rtol=1e-5)


def test_the_native_backend_gives_the_same() -> None:
    x = RNG.standard_normal((2, 3, 5, 5)).astype(np.float32)
    with using(backend="native"):
        np.testing.assert_allclose(og.onnx.load(network())(x).numpy(force=True), expected(x), rtol=1e-4, atol=1e-5)


def test_inputs_are_checked(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(network().SerializeToString())
    loaded = og.onnx.load(tmp_path / "net.onnx")
    x = np.zeros((1, 3, 5, 5), np.float32)
    for call, kind, text in (
        (lambda: loaded(), FeedError, r"'x' is missing: '.*net.onnx' takes x: float32\[batch, 3, 5, 5\]"),
        (lambda: loaded(x, x), FeedError, "takes 1 inputs"),
        (lambda: loaded(z=x), FeedError, "'z' is not known"),
        (lambda: loaded(x.astype(np.float64)), FeedError, "is of type float32, got float64"),
        (lambda: loaded(x[:, :2]), ShapeError, r"has shape \(batch, 3, 5, 5\), got \(1, 2, 5, 5\)"),
        (lambda: loaded(x[0]), ShapeError, "got"),
    ):
        with pytest.raises(kind, match=text):
            call()


def test_all_missing_operators_are_listed() -> None:
    nodes = [helper.make_node("Frobnicate", ["x"], ["a"], name="one"), helper.make_node("Relu", ["a"], ["b"])]
    nodes.append(helper.make_node("Wobble", ["b"], ["y"], domain="com.example"))
    with pytest.raises(UnsupportedError, match=r"Frobnicate \(node 'one'\).*com\.example\.Wobble"):
        og.onnx.load(model(nodes, [info("x")], ["y"]))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"hello"), ("cut", network().SerializeToString()[:200])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((StorageError, GraphError), match=name):
            og.onnx.load(tmp_path / name)
    with pytest.raises(StorageError, match="no such file"):
        og.onnx.load(tmp_path / "absent.onnx")
    cycle = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    with pytest.raises(GraphError, match="'b', which nothing before it makes"):
        og.onnx.load(model(cycle, [info("x")], ["b"]))


# ---- control flow


def _branches() -> onnx.ModelProto:
    def branch(factor: float, name: str) -> onnx.GraphProto:
        return helper.make_graph(
            [helper.make_node("Constant", [], ["f"], value_float=factor), helper.make_node("Mul", ["x", "f"], ["r"])],
            name, [], [info("r", [2])],
        )  # fmt: skip

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Greater", ["s", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch(2.0, "a"), else_branch=branch(-1.0, "b")),
    ]
    return model(nodes, [info("x", [2])], ["y"])


def _powers() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["v", "v"], ["w"]),
            helper.make_node("ReduceMax", ["w"], ["m"], keepdims=0),
            helper.make_node("Less", ["m", "limit"], ["go"]),
        ],
        "body",
        [info("i", [], np.int64), info("c", [], np.bool_), info("v", [2])],
        [info("go", [], np.bool_), info("w", [2])],
    )
    nodes = [helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)]
    weights = {"yes": np.array(True), "limit": np.array(100.0, np.float32)}
    return model(nodes, [info("x", [2])], ["y"], weights)


def _running_sum() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["t"]), helper.make_node("Identity", ["t"], ["o"])],
        "body", [info("s", [2]), info("x", [2])], [info("t", [2]), info("o", [2])],
    )  # fmt: skip
    nodes = [helper.make_node("Scan", ["start", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    return model(nodes, [info("start", [2]), info("x", [None, 2])], ["last", "y"])


def test_control_flow_is_the_same_looked_at_and_traced() -> None:
    branches, powers = og.onnx.load(_branches()), og.onnx.load(_powers())
    for f in (branches, og.jit(lambda x: branches(x))):
        assert f(og.tensor([1.0, 2.0])).tolist() == [2.0, 4.0]
        assert f(og.tensor([-1.0, -2.0])).tolist() == [1.0, 2.0]
    for f in (powers, og.jit(lambda x: powers(x))):
        assert f(og.tensor([2.0, 3.0])).tolist() == [2.0**8, 3.0**8]
    total = og.onnx.load(_running_sum())
    x = og.tensor(np.arange(6, dtype=np.float32).reshape(3, 2)).requires_grad_(True)
    last, each = total(og.zeros(2), x)
    assert last.tolist() == [6.0, 9.0] and each.tolist() == [[0.0, 1.0], [2.0, 4.0], [6.0, 9.0]]
    each.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]]


def test_places_that_depend_on_values_are_looked_at_and_refused_when_traced() -> None:
    loaded = og.onnx.load(model([helper.make_node("NonZero", ["x"], ["y"])], [info("x", [3])], ["y"]))
    assert loaded(og.tensor([0.0, 5.0, 1.0])).tolist() == [[1, 2]]
    with pytest.raises(TraceError, match="NonZero"):
        og.jit(lambda x: og.tensor(loaded(x)))(og.tensor([0.0, 5.0, 1.0]))


def test_functions_of_the_model_and_of_the_standard() -> None:
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 21)]
    )
    nodes = [
        helper.make_node("Twice", ["x"], ["t"], domain="own"),
        helper.make_node("AffineGrid", ["t", "size"], ["y"]),
    ]
    proto = model(nodes, [info("x", [2, 2, 3])], ["y"], {"size": np.array([2, 1, 2, 2])})
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    x = og.tensor([[[1.0, 0, 0], [0, 1.0, 0]], [[0, 1.0, 0], [1.0, 0.5, 0]]])
    np.testing.assert_allclose(
        np.asarray(og.onnx.load(proto)(x)), og.nn.functional.affine_grid(x * 2, [2, 1, 2, 2], False).numpy(), rtol=1e-6
    )
