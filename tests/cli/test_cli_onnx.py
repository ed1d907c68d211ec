"""`onegraph export-onnx` and `onegraph import-onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn

onnx = pytest.importorskip("onnx")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small saved model."""
    og.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    og.save_model(tmp_path / "model", model, og.zeros(2, 1, 8, 8))
    return tmp_path / "model"


def test_a_saved_model_there_and_back(call: Any, saved: Path, tmp_path: Path) -> None:
    file, back = tmp_path / "model.onnx", tmp_path / "back"
    result = call("export-onnx", saved, file, "--opset", "17", "--check")
    assert result.exit_code == 0, result.output
    assert "4 nodes, 4 weights, opset 17, batch dynamic" in result.output and "the model is valid" in result.output
    assert onnx.load(file).opset_import[0].version == 17
    result = call("import-onnx", file, back)
    assert result.exit_code == 0, result.output
    assert "float32[batch, 1, 8, 8]" in result.output
    x = og.randn(5, 1, 8, 8)
    np.testing.assert_allclose(og.load_model(back)(x).numpy(), og.load_model(saved)(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_fixed_batch_and_external_data(call: Any, saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    result = call("export-onnx", saved, file, "--batch", "4", "--check", "--external-data")
    assert result.exit_code == 0, result.output
    shape = onnx.load(file, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in shape] == [4, 1, 8, 8]


def test_networks_by_name(call: Any, tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "import onegraph as og\n\nINPUT_SIZE = (6, 6)\n\ndef net(num_classes, in_channels):\n"
        "    return og.nn.Sequential(og.nn.Flatten(), og.nn.Linear(in_channels * 36, num_classes))\n"
    )
    for name, more in (("lenet5", ()), (f"{source}:net", ("--classes", "4"))):
        result = call("export-onnx", name, tmp_path / "net.onnx", "--check", *more)
        assert result.exit_code == 0, result.output


def test_given_values(call: Any, saved: Path, tmp_path: Path) -> None:
    call("export-onnx", saved, tmp_path / "model.onnx")
    np.savez(tmp_path / "values.npz", input=np.ones((3, 1, 8, 8), np.float32))
    good = call("import-onnx", tmp_path / "model.onnx", tmp_path / "back", "--values", tmp_path / "values.npz")
    assert good.exit_code == 0, good.output
    np.savez(tmp_path / "values.npz", other=np.ones(3))
    bad = call("import-onnx", tmp_path / "model.onnx", tmp_path / "back", "--values", tmp_path / "values.npz")
    assert bad.exit_code == 1 and "no array called input" in bad.output


def test_errors_are_messages(call: Any, saved: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for arguments, text in (
        (("import-onnx", broken, tmp_path / "out"), "ONNX model"),
        (("import-onnx", tmp_path / "missing.onnx", tmp_path / "out"), "no such file"),
        (("import-onnx", broken, tmp_path / "out", "--shape", "x"), ""),
        (("export-onnx", saved, tmp_path / "o.onnx", "--opset", "3"), "opset_version must be 7"),
        (("export-onnx", saved, tmp_path / "o.onnx", "--batch", "many"), "--batch must be a number"),
        (("export-onnx", saved, tmp_path / "o.onnx", "--size", "8"), "not for a saved model"),
        (("export-onnx", "no_such_net", tmp_path / "o.onnx"), "no_such_net"),
        (("export-onnx", saved, tmp_path / "missing" / "o.onnx"), "no such file or folder"),
    ):
        result = call(*arguments)
        assert result.exit_code == 1 and text in result.output and "Traceback" not in result.output, result.output
    assert not (tmp_path / "o.onnx").exists() and not (tmp_path / "out").exists()
