"""Keras models as ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import UninitializedError, UnsupportedError

onnx = pytest.importorskip("onnx")


def compare(path: Path, model: keras.Model, *arrays: np.ndarray) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = dict(zip([i.name for i in session.get_inputs()], arrays, strict=True))
    (found,) = session.run(None, named)
    wanted = model(arrays[0] if len(arrays) == 1 else list(arrays), training=False).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_sequential(tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(2), layers.Dropout(0.5), layers.Flatten(), layers.Dense(5, activation="softmax"),
    ])  # fmt: skip
    model.export(tmp_path / "model.onnx")
    compare(tmp_path / "model.onnx", model, np.random.default_rng(0).random((3, 8, 8, 3), np.float32))
    names = {t.name for t in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert any(name.startswith("conv2d") for name in names)


def test_two_inputs_and_recurrent_layers(tmp_path: Path) -> None:
    layers = keras.layers
    a, b = keras.Input((4, 3), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], layers.Dense(2)(layers.concatenate([layers.LSTM(5)(a), b])))
    model.export(tmp_path / "model.onnx", format="onnx", opset_version=17)
    random = np.random.default_rng(0)
    compare(tmp_path / "model.onnx", model, random.random((3, 4, 3), np.float32), random.random((3, 2), np.float32))


def test_what_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(UninitializedError, match="has not been built"):
        model.export(tmp_path / "model.onnx")
    with pytest.raises(UnsupportedError, match="tf_saved_model"):
        model.export(tmp_path / "model", format="tf_saved_model")
    assert og.onnx is not None and not list(tmp_path.iterdir())
