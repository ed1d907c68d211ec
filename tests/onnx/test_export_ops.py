"""Each op's own samples, exported and run by ONNX Runtime, give what the op's NumPy reference gives."""

from __future__ import annotations

import numpy as np
import pytest

from onegraph.errors import UnsupportedError
from onegraph.ir.dtype import from_numpy
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.onnx.export.function import _write
from onegraph.ops.evaluate import run_graph
from onegraph.ops.record import OPS
from tests.onnx.comparing import checked

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NO_OPERATOR = {"cholesky", "eigh", "qr", "svd", "solve", "random_bits"}
NO_CODE = ("NOT_IMPLEMENTED", "Could not find an implementation", "No corresponding Numpy type")
ORDER = {"scatter"}  # of several writers to one place, ONNX does not say which is last


@pytest.mark.parametrize("name", sorted(set(OPS) - {"item", "input"}))
def test_samples_of_an_op(name: str) -> None:
    op, compared = OPS[name], 0
    samples = [s for s in op.samples() if all(isinstance(a, np.ndarray) for a in s.arrays)]
    for sample in samples:
        inputs = [input_node(a.shape, from_numpy(a.dtype), f"x{i}") for i, a in enumerate(sample.arrays)]
        node = op(*inputs, **sample.attributes)
        if node.dtype.name == "bundle":
            continue
        graph = Graph(inputs, [node])
        names = [f"x{i}" for i in range(len(inputs))]
        try:
            program = _write(graph, {}, names, ["y"], 18, True, False)
        except UnsupportedError:
            padding = sample.attributes.get("padding", ())
            assert name in NO_OPERATOR or name == "conv_weight_gradient" or any(p < 0 for pair in padding for p in pair)
            continue
        try:
            session = onnxruntime.InferenceSession(checked(program), providers=["CPUExecutionProvider"])
            (found,) = session.run(None, dict(zip(names, sample.arrays, strict=True)))
        except Exception as error:
            if not any(text in str(error) for text in NO_CODE):
                raise
            continue  # the operator is there, and this runtime has no code for the type
        (wanted,) = run_graph(graph, sample.arrays)
        compared += 1
        assert found.shape == wanted.shape and found.dtype == wanted.dtype
        if name.startswith("arg") and any(np.isnan(a).any() for a in sample.arrays):
            continue  # which place a NaN has, ONNX does not say
        if name in ORDER and sample.attributes["mode"] == "set":
            continue
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{name} {sample.attributes}")
    assert compared or not samples or name in NO_OPERATOR | {"cond", "scan", "while"}
