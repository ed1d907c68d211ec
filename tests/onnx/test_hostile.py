"""ONNX files that are damaged or made to do harm: a typed error soon, and little memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ExternalDataError, OneGraphError, OutOfMemoryError

onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")

FLOAT = 1
ALLOWED = 100 << 20  # bytes more than the file


def value(name: str, shape: Any = (2, 3)) -> Any:
    return helper.make_tensor_value_info(name, FLOAT, shape)


def model(nodes: list[Any], initializers: list[Any] = (), **more: Any) -> Any:  # type: ignore[assignment]
    """A model from x to y."""
    graph = helper.make_graph(nodes, "hostile", [value("x")], [value("y", None)], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **more)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(op, inputs, outputs, **attributes)


def tensor(name: str, dims: list[int], data: bytes, data_type: int = FLOAT) -> Any:
    return onnx.TensorProto(name=name, dims=dims, data_type=data_type, raw_data=data)


def integers(name: str, *values: int) -> Any:
    return tensor(name, [len(values)], np.array(values, "<i8").tobytes(), 7)


def load_and_run(source: Any) -> None:
    loaded = og.onnx.load(source)
    with og.no_grad(), og.config.using(backend="reference"):
        result = loaded(og.ones(2, 3))
        for each in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(each, og.Tensor):
                each.numpy()


def refused(source: Any) -> OneGraphError:
    """The typed error of a model that must not load or run; memory stays within bounds."""
    content = source if isinstance(source, bytes) else source.SerializeToString()
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(OneGraphError) as caught:
            load_and_run(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(content) + ALLOWED
    return caught.value


def nested(depth: int) -> Any:
    """If inside of If inside of If."""
    graph = helper.make_graph([node("Identity", ["x"], ["r0"])], "g0", [], [value("r0")])
    for level in range(1, depth):
        inner = node("If", ["c"], [f"r{level}"], then_branch=graph, else_branch=graph if level == 1 else None)
        graph = helper.make_graph([inner], f"g{level}", [], [value(f"r{level}")])
    condition = tensor("c", [], b"\1", 9)
    return model([node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)], [condition])


def recursive(chain: int) -> Any:
    """Local functions that call each other in a circle, or, with a chain, each the next one twice."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    functions = []
    for i in range(max(chain, 1)):
        if chain == 0:
            body = [node("f0", ["a"], ["b"], domain="mine")]
        elif i + 1 < chain:
            body = [node(f"f{i + 1}", ["a"], ["t"], domain="mine"), node(f"f{i + 1}", ["t"], ["b"], domain="mine")]
        else:
            body = [node("Neg", ["a"], ["b"])]
        functions.append(helper.make_function("mine", f"f{i}", ["a"], ["b"], body, opsets))
    made = model([node("f0", ["x"], ["y"], domain="mine")])
    made.opset_import.extend(opsets[1:])
    made.functions.extend(functions)
    return made


def attribute_of_wrong_type() -> Any:
    made = model([node("Transpose", ["x"], ["y"], perm=[1, 0])])
    attribute = made.graph.node[0].attribute[0]
    del attribute.ints[:]
    attribute.type, attribute.s = 3, b"10"
    return made


def without_graph() -> Any:
    made = model([node("Relu", ["x"], ["y"])])
    made.ClearField("graph")
    return made


HOSTILE: dict[str, Callable[[], Any]] = {
    "empty": lambda: b"",
    "text": lambda: b"this is no model, only words",
    "no graph": without_graph,
    "a cycle": lambda: model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]),
    "reads itself": lambda: model([node("Add", ["x", "y"], ["y"])]),
    "wrong order": lambda: model([node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])]),
    "missing input": lambda: model([node("Add", ["x", "nowhere"], ["y"])]),
    "too few inputs": lambda: model([node("Add", ["x"], ["y"])]),
    "too many inputs": lambda: model([node("Relu", ["x", "x", "x"], ["y"])]),
    "output that nothing makes": lambda: model([node("Relu", ["x"], ["a"])]),
    "two nodes make one value": lambda: model([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])]),
    "two initializers of one name": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [1], b"\0" * 4)] * 2),
    "a name that is no text": lambda: (
        model([node("Add", ["x", "weight"], ["y"])], [tensor("weight", [1], b"\0" * 4)])
        .SerializeToString()
        .replace(b"weight", b"we\xff\xffht")
    ),
    "unknown operator": lambda: model([node("RunMyCode", ["x"], ["y"])]),
    "unknown domain": lambda: model([node("Relu", ["x"], ["y"], domain="evil.example")]),
    "negative size": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [-3], b"\0" * 12)]),
    "huge sizes": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [2**31, 2**31], b"\0" * 12)]),
    "sizes that overflow": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [2**62, 4], b"")]),
    "many sizes": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [1] * 5000, b"\0" * 4)]),
    "too little data": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [2, 3], b"\0" * 20)]),
    "too much data": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [2, 3], b"\0" * 28)]),
    "unknown type of data": lambda: model([node("Add", ["x", "w"], ["y"])], [tensor("w", [1], b"\0" * 4, 99)]),
    "attribute of a wrong type": attribute_of_wrong_type,
    "axis out of range": lambda: model([node("Softmax", ["x"], ["y"], axis=2**40)]),
    "permutation": lambda: model([node("Transpose", ["x"], ["y"], perm=[0, 0])]),
    "negative kernel": lambda: model([node("MaxPool", ["x"], ["y"], kernel_shape=[-3])]),
    "nested too deep": lambda: nested(32),
    "a function that calls itself": lambda: recursive(0),
    "functions that double 40 times": lambda: recursive(40),
    "functions that double 2,000 times": lambda: recursive(2000),
    "huge constant": lambda: model(
        [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])], [integers("s", 2**20, 2**20)]
    ),
    "huge tile": lambda: model([node("Tile", ["x", "s"], ["y"])], [integers("s", 2**30, 2**30)]),
    "huge range": lambda: model(
        [node("Range", ["a", "b", "c"], ["y"])],
        [tensor(n, [], np.array(v, "<i8").tobytes(), 7) for n, v in (("a", 0), ("b", 2**60), ("c", 1))],
    ),
    "huge padding": lambda: model([node("Pad", ["x", "s"], ["y"])], [integers("s", 2**40, 0, 0, 2**40)]),
    "impossible reshape": lambda: model([node("Reshape", ["x", "s"], ["y"])], [integers("s", -1, -1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_models(name: str) -> None:
    error = refused(HOSTILE[name]())
    assert len(str(error)) < 5000


def test_a_result_that_no_machine_holds() -> None:
    """The sizes are valid; there is no memory for the result, and that is said."""
    huge = model([node("Expand", ["x", "s"], ["a"]), node("Neg", ["a"], ["y"])], [integers("s", 2**40, 2, 3)])
    with pytest.raises(OutOfMemoryError, match="no memory for a result of shape"):
        load_and_run(huge)


def small() -> bytes:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(1))
    program = og.onnx.export(network, og.zeros(2, 3), input_names=["x"], opset_version=18)
    return bytes(program.model_proto.SerializeToString())


def test_truncated_files() -> None:
    content = small()
    for length in range(0, len(content), 7):
        try:
            load_and_run(content[:length])
        except OneGraphError:
            continue
        pytest.fail(f"the first {length} of {len(content)} bytes were taken for a whole model")


def test_flipped_bits() -> None:
    """A flipped bit gives a typed error, or another valid model."""
    content = small()
    random = np.random.default_rng(0)
    failed = 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] ^= 1 << int(random.integers(8))
        try:
            load_and_run(bytes(damaged))
        except OneGraphError:
            failed += 1
    assert failed > 20


def test_files_named_by_the_model(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    folder = tmp_path / "model"
    folder.mkdir()
    for location in ("../secret", str(tmp_path / "secret"), "nothing"):
        outside = onnx.TensorProto(name="w", dims=[2, 3], data_type=FLOAT, data_location=1)
        outside.external_data.add(key="location", value=location)
        (folder / "m.onnx").write_bytes(model([node("Add", ["x", "w"], ["y"])], [outside]).SerializeToString())
        with pytest.raises(ExternalDataError):
            og.onnx.load(folder / "m.onnx")
    with pytest.raises(OneGraphError):
        og.onnx.load((folder / "m.onnx").read_bytes())
    with pytest.raises(OneGraphError):
        og.onnx.load(folder)
