"""Exports, checks as strictly as ONNX can, and compares what ONNX Runtime computes with what we do."""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx import ONNXProgram


def leaves(value: Any) -> list[np.ndarray]:
    """The arrays of a result, in order."""
    if isinstance(value, og.Tensor):
        return [value.detach().numpy()]
    values = value.values() if isinstance(value, dict) else value
    return [array for each in values for array in leaves(each)]


def checked(program: ONNXProgram) -> bytes:
    """The model's bytes, after the full check with strict shape inference."""
    import onnx

    proto = program.model_proto
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    return bytes(proto.SerializeToString())


def run(content: bytes, program: ONNXProgram, inputs: tuple[og.Tensor, ...]) -> list[np.ndarray]:
    """What ONNX Runtime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    named = dict(zip(program.input_names, [x.numpy() for x in inputs], strict=True))
    return list(session.run(None, named))


def difference(found: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest difference, relative to the scale of each output."""
    assert [a.shape for a in found] == [a.shape for a in wanted]
    assert [a.dtype for a in found] == [a.dtype for a in wanted]
    worst = 0.0
    for a, b in zip(found, wanted, strict=True):
        if b.dtype.kind != "f":
            assert np.array_equal(a, b)
        elif b.size:
            assert np.array_equal(np.isnan(a), np.isnan(b))
            scale = float(np.abs(np.nan_to_num(b)).max()) or 1.0
            worst = max(worst, float(np.abs(np.nan_to_num(a) - np.nan_to_num(b)).max()) / scale)
    return worst


def agree(
    model: Any, *inputs: og.Tensor, others: tuple[og.Tensor, ...] = (), tolerance: float = 1e-4, **options: Any
) -> ONNXProgram:
    """Export for the inputs, and compare for them and for `others` (of other sizes).

    Returns:
        The program, to look at.
    """
    program = og.onnx.export(model, inputs, **options)
    content = checked(program)
    if hasattr(model, "eval"):
        model.eval()
    for values in (inputs, others) if others else (inputs,):
        with og.no_grad():
            wanted = leaves(model(*values))
        assert difference(run(content, program, values), wanted) < tolerance
    return program
