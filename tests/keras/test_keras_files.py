"""Whole models in Keras' own files: what Keras 3 wrote is read (`record_files.py`), and what is written is laid out alike."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, StorageError, UnsupportedError
from onegraph.keras import layers
from onegraph.keras.models import load_model

h5py = pytest.importorskip("h5py")
FILES = Path(__file__).parent / "fixtures" / "files"
X = np.linspace(-1, 1, 8).reshape(2, 4).astype(np.float32)
SEQUENCE = np.linspace(-1, 1, 24).reshape(2, 3, 4).astype(np.float32)


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    """No compilation: the files are the point."""
    with og.config.using(backend="reference"):
        yield


def outputs(model: Any) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(y) for y in model.predict([X, X[::-1].copy()], verbose=0)]


def check_functional(model: Any) -> None:
    with np.load(FILES / "outputs.npz") as expected:
        for got, name in zip(outputs(model), ("one", "two"), strict=True):
            np.testing.assert_allclose(got, expected[name], atol=1e-5)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_functional_model_of_keras_is_read_written_and_read(ending: str, tmp_path: Path) -> None:
    model = load_model(FILES / f"functional{ending}")
    check_functional(model)
    assert [layer.name for layer in model.layers if layer.weights] == ["shared", "inner", "last"]
    assert type(model.get_layer("shared").get_config()["kernel_regularizer"]) is dict
    assert model.compiled
    assert model.optimizer.learning_rate == pytest.approx(0.01)
    model.save(tmp_path / f"again{ending}")
    again = load_model(tmp_path / f"again{ending}", compile=False)
    check_functional(again)
    assert not again.compiled


def test_a_recurrent_model_of_keras_is_read_and_its_frozen_layer_stays_frozen(tmp_path: Path) -> None:
    model = load_model(FILES / "sequence.keras")
    with np.load(FILES / "outputs.npz") as expected:
        np.testing.assert_allclose(model.predict(SEQUENCE, verbose=0), expected["sequence"], atol=1e-5)
        model.save_weights(tmp_path / "w.weights.h5")
        fresh = type(model).from_config(model.get_config())
        fresh.load_weights(tmp_path / "w.weights.h5")
        np.testing.assert_allclose(fresh.predict(SEQUENCE, verbose=0), expected["sequence"], atol=1e-5)
    assert [layer.trainable for layer in model.layers] == [True, False]


def groups(content: Any) -> dict[str, tuple[int, ...]]:
    found = {}
    with h5py.File(content, "r") as file:
        file.visititems(lambda name, item: found.update({name: item.shape}) if hasattr(item, "shape") else None)
    return {name: shape for name, shape in found.items() if not name.startswith(("optimizer", "_"))}


@pytest.mark.parametrize("name", ["functional", "sequence"])
def test_written_archives_have_the_groups_and_layers_of_keras(name: str, tmp_path: Path) -> None:
    load_model(FILES / f"{name}.keras").save(tmp_path / "m.keras")
    found = []
    for path in (FILES / f"{name}.keras", tmp_path / "m.keras"):
        with zipfile.ZipFile(path) as archive:
            described = json.loads(archive.read("config.json"))
            kinds = [(e["module"], e["class_name"], e["config"]["name"]) for e in described["config"]["layers"]]
            with archive.open("model.weights.h5") as weights:
                found.append((described["class_name"], sorted(kinds), groups(weights)))
    assert found[0] == found[1]


def test_training_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Dense(3, input_shape=(4,)), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
    save = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras", monitor="loss")
    model.fit(X, np.ones((2, 1), np.float32), epochs=2, verbose=0, callbacks=[save])
    assert zipfile.is_zipfile(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert int(again.optimizer.iterations) == 2
    for one in (model, again):
        one.fit(X, np.ones((2, 1), np.float32), verbose=0)
    np.testing.assert_allclose(again.get_weights()[0], model.get_weights()[0], atol=1e-6)


def test_a_folder_of_that_name_is_still_read_and_gives_way_to_a_file(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.save(tmp_path / "plain")
    (tmp_path / "plain").rename(tmp_path / "old.keras")
    old = load_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(old.get_weights()[0], model.get_weights()[0])
    old.save(tmp_path / "old.keras")
    assert zipfile.is_zipfile(tmp_path / "old.keras")
    (tmp_path / "other.keras").mkdir()
    with pytest.raises(StorageError, match="it is a folder, and no saved model"):
        model.save(tmp_path / "other.keras")
    with pytest.raises(StorageError, match="it is there already"):
        model.save(tmp_path / "old.keras", overwrite=False)


@pytest.mark.parametrize("safe_mode", [True, False])
def test_code_in_a_file_is_refused(safe_mode: bool) -> None:
    with pytest.raises(UnsupportedError, match=r"lambda\.keras.*layer 'secret' \(Lambda\) holds a function as code"):
        load_model(FILES / "lambda.keras", safe_mode=safe_mode)


def rewritten(target: Path, change: Any) -> Path:
    """A copy of an archive with another description."""
    with zipfile.ZipFile(FILES / "sequence.keras") as archive, zipfile.ZipFile(target, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                described = json.loads(content)
                change(described["config"]["layers"][-1])
                content = json.dumps(described).encode()
            copy.writestr(name, content)
    return target


def test_a_class_that_is_not_known_is_named_and_taken_from_custom_objects(tmp_path: Path) -> None:
    class Own(layers.Dense):
        """A layer of the user's."""

    layers.base.layers.known.pop("Own", None)
    path = rewritten(tmp_path / "own.keras", lambda layer: layer.update(class_name="Own", module="mine"))
    with pytest.raises(ArgumentError, match=r"own\.keras.*there is no layer called 'Own'"):
        load_model(path)
    # Its group would be called "own": the recorded one is found by the layer's name alone if the class is Dense's.
    Own.__name__ = "Dense"
    assert type(load_model(path, custom_objects={"Own": Own}).layers[-1]) is Own


def test_an_argument_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "new.keras", lambda layer: layer["config"].update(sparkle=3))
    with pytest.raises(ArgumentError, match=r"new\.keras.*layer 'dense.*' \(Dense\): Dense does not take sparkle"):
        load_model(path)


@pytest.mark.parametrize("damage", ["cut", "empty", "weights", "config"])
def test_damaged_archives_are_refused_by_name(damage: str, tmp_path: Path) -> None:
    whole = (FILES / "sequence.keras").read_bytes()
    at = whole.index(b"\x89HDF") + 900
    changed = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "weights": whole[:at] + b"\x55\x56" + whole[at + 2 :],
        "config": whole.replace(b"config.json", b"konfig.json"),
    }
    (tmp_path / "bad.keras").write_bytes(changed[damage])
    with pytest.raises(StorageError, match=r"bad\.keras"):
        load_model(tmp_path / "bad.keras")


def test_a_file_of_weights_alone_is_no_model(tmp_path: Path) -> None:
    keras.Sequential([layers.Dense(1, input_shape=(4,))]).save_weights(tmp_path / "w.h5")
    with pytest.raises(StorageError, match=r"w\.h5.*it holds weights alone"):
        load_model(tmp_path / "w.h5")


def test_what_keras_lacks_is_not_written_and_goes_into_a_folder(tmp_path: Path) -> None:
    x = keras.Input((4,))
    model = keras.Model(x, x[:, 0])
    with pytest.raises(UnsupportedError, match=r"GetItem.*does not exist in Keras 3"):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load_model(tmp_path / "m").predict(X, verbose=0), X[:, 0])


def test_without_h5py_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UnsupportedError, match="h5py") as caught:
        load_model(FILES / "sequence.keras")
    assert "onegraph[h5]" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("kind", "group"), [("MultiHeadAttention", "query_dense"), ("GroupedQueryAttention", "_query_dense")]
)
def test_attention_has_the_groups_of_keras(kind: str, group: str, tmp_path: Path) -> None:
    made = {"MultiHeadAttention": (2, 3), "GroupedQueryAttention": (3, 2, 1)}[kind]
    x = keras.Input((3, 4))
    layer = getattr(layers, kind)(*made, name="attention")
    keras.Model(x, layer(x, x)).save_weights(tmp_path / "w.weights.h5")
    snake = {"MultiHeadAttention": "multi_head_attention", "GroupedQueryAttention": "grouped_query_attention"}[kind]
    assert groups(tmp_path / "w.weights.h5")[f"layers/{snake}/{group}/vars/0"] == (4, 2, 3)
