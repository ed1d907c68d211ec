"""What ONNX's backend suite does not ask of operators: vectors in blocks, exact integers, edges, gradients, old versions, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import onegraph as og
from onegraph.config import using
from onegraph.errors import GraphError
from tests.onnx.graphs import info, model

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def reference() -> Any:
    with using(backend="reference"):
        yield


def run(
    op: str, inputs: dict[str, np.ndarray], outputs: int = 1, opset: int = 21, domain: str = "", **attributes: Any
) -> Any:
    """One operator on arrays."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, list(inputs), names, domain=domain, **attributes)
    proto = model([node], [info(n, v.shape, v.dtype) for n, v in inputs.items()], names, opset=opset)
    if domain:
        proto.opset_import.append(helper.make_opsetid(domain, 3))
    return og.onnx.load(proto)(**inputs)


def test_vectors_are_quantized_in_blocks() -> None:
    scale, zero = np.array([0.5, 2.0], np.float32), np.array([10, 20], np.uint8)
    x = np.array([0.5, 1.0, -1.0, 2.0, -2.0, 40.0], np.float32)
    found = run("QuantizeLinear", {"x": x, "s": scale, "z": zero}, axis=0, block_size=3)
    np.testing.assert_array_equal(np.asarray(found), [11, 12, 8, 21, 19, 40])
    back = run("DequantizeLinear", {"x": np.asarray(found), "s": scale, "z": zero}, axis=0, block_size=3)
    np.testing.assert_array_equal(np.asarray(back), x)


def test_quantized_convolutions_are_exact() -> None:
    x, w = RNG.integers(0, 256, (1, 3, 6, 5)).astype(np.uint8), RNG.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
    sums = np.zeros((1, 4, 4, 3), np.int64)
    for i, j in np.ndindex(3, 3):
        part = x[:, :, i : i + 4, j : j + 3].astype(np.int64) - 7
        sums += np.einsum("nchw,oc->nohw", part, w[:, :, i, j].astype(np.int64))
    scales = np.array([2.0**-6, 2.0**-7, 2.0**-8, 2.0**-9], np.float32)
    inputs = {"x": x, "xs": np.array(1.0, np.float32), "xz": np.array(7, np.uint8), "w": w, "ws": scales,
              "wz": np.zeros(4, np.int8), "ys": np.array(4.0, np.float32), "yz": np.array(100, np.uint8)}  # fmt: skip
    wanted = np.clip(np.rint(sums * (scales.astype(np.float64) / 4)[None, :, None, None]) + 100, 0, 255)
    np.testing.assert_array_equal(np.asarray(run("QLinearConv", inputs)), wanted)


def test_sums_of_integers_have_no_gradient() -> None:
    inputs = {"x": np.ones((1, 1, 4, 4), np.uint8), "w": np.full((1, 1, 3, 3), 2, np.uint8)}
    found = run("ConvInteger", inputs)
    assert found.dtype is og.int32 and not found.requires_grad
    assert found.tolist() == [[[[18, 18], [18, 18]]]]


def test_corners_of_regions_are_rounded_up_from_the_half() -> None:
    x = np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6)
    region = np.array([[0, 1, 1, 9, 9]], np.float32)  # 0.5 and 4.5: from 1 to 5
    found = run("MaxRoiPool", {"x": -x, "r": region}, pooled_shape=[1, 1], spatial_scale=0.5)
    assert found.tolist() == [[[[-7.0]]]]
    assert run("MaxRoiPool", {"x": x, "r": region}, pooled_shape=[1, 1], spatial_scale=0.5).tolist() == [[[[35.0]]]]


def test_an_axis_that_is_not_there_is_refused() -> None:
    x = np.zeros((1, 4, 1), np.float32)
    for axis in (3, -4):
        with pytest.raises(GraphError, match=rf"DFT .*axis {axis} of an input of 3 dimensions \(1, 4, 1\)"):
            run("DFT", {"x": x}, opset=17, axis=axis)


def test_one_score_of_trees_for_two_classes() -> None:
    tree: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
        "nodes_values": [0.0, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "class_treeids": [0, 0],
        "class_nodeids": [1, 2], "class_ids": [0, 0], "class_weights": [-0.3, 0.2], "classlabels_int64s": [3, 7],
    }  # fmt: skip
    x = np.array([[-1.0], [1.0]], np.float32)
    weights = np.array([-0.3, 0.2])
    for transform, scores in (
        ("NONE", np.stack([1 - weights, weights], 1)),
        ("LOGISTIC", 1 / (1 + np.exp(-np.stack([-weights, weights], 1)))),
        ("SOFTMAX", 1 / (1 + np.exp(-2 * np.stack([-weights, weights], 1)))),
    ):
        labels, found = run(
            "TreeEnsembleClassifier", {"x": x}, 2, domain="ai.onnx.ml", post_transform=transform, **tree
        )
        np.testing.assert_allclose(np.asarray(found), scores, rtol=1e-6)
        assert labels.tolist() == [(3, 7)[i] for i in scores.argmax(1)]


@pytest.mark.parametrize(("op", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_gradients_of_recurrent_layers(op: str, gates: int) -> None:
    shapes = {"x": (3, 2, 2), "w": (2, gates * 3, 2), "r": (2, gates * 3, 3), "b": (2, gates * 6)}
    values = {n: RNG.standard_normal(s) for n, s in shapes.items()}
    node = helper.make_node(op, ["x", "w", "r", "b", "n"], ["y"], hidden_size=3, direction="bidirectional")
    inputs = [info(n, s, np.float64) for n, s in shapes.items()]
    loaded = og.onnx.load(model([node], [*inputs, info("n", [2], np.int32)], ["y"], opset=7))
    lengths = og.tensor(np.array([3, 2], np.int32))

    def total(**given: Any) -> Any:
        return (loaded(**given, n=lengths) ** 2).sum()

    tensors = {n: og.tensor(v).requires_grad_(True) for n, v in values.items()}
    total(**tensors).backward()
    for name, value in values.items():
        way = RNG.standard_normal(value.shape)
        ends = [
            total(**{n: og.tensor(v + e * way if n == name else v) for n, v in values.items()}) for e in (1e-5, -1e-5)
        ]
        slope = (ends[0].item() - ends[1].item()) / 2e-5
        np.testing.assert_allclose((tensors[name].grad.numpy() * way).sum(), slope, rtol=1e-5)


def test_wrong_options_name_the_operator() -> None:
    layer = {
        "x": np.zeros((2, 1, 3), np.float32),
        "w": np.zeros((1, 4, 3), np.float32),
        "r": np.zeros((1, 4, 4), np.float32),
    }
    with pytest.raises(GraphError, match=r"RNN .*no activation 'bogus'"):
        run("RNN", layer, hidden_size=4, activations=["Bogus"])
    with pytest.raises(GraphError, match="Cast"):
        run("Cast", {"x": np.array(["abc"], object)}, to=1)
