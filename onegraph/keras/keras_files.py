"""Whole models in Keras' own files: the `.keras` archive of Keras 3 and the `.h5` of Keras 2, read and written.

Both hold a description as JSON and weights as HDF5; nothing in them is run. The state of an optimizer of onegraph's own
stands in the archive as one more file, which Keras passes over. Needs h5py (`onegraph[h5]`).
Layouts: `keras/src/saving/saving_lib.py` and `keras/src/legacy/saving/legacy_h5_format.py` of Keras 3.15.
Read next: `keras_config.py` (descriptions), `keras_variables.py` (weights).
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from datetime import UTC, datetime
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, OneGraphError, StateError, StorageError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad
from onegraph.interop.keras_h5 import _h5py, is_keras
from onegraph.interop.pickle_machine import Refused
from onegraph.interop.zip_entries import read_entries
from onegraph.keras import keras_config, keras_description, keras_variables
from onegraph.keras.layers.base import layers
from onegraph.keras.registry import custom_object_scope
from onegraph.ops.shapes import show
from onegraph.storage.filesystem import storage_error

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
STATE = "onegraph/optimizer.safetensors"
VERSION = "3.15.1"  # the version of Keras whose layout is written
_LEGACY = (".h5", ".hdf5")


def is_whole_model(path: Any) -> bool:
    """Whether a name is one of Keras' for a whole model.

    >>> is_whole_model("m.keras"), is_whole_model("m.h5"), is_whole_model("m.weights.h5"), is_whole_model("folder")
    (True, True, False, False)
    """
    name = os.fspath(path).lower()
    return name.endswith((".keras", *_LEGACY)) and not name.endswith(".weights.h5")


# ---- writing


def content(model: Any, path: Any, compiled: dict[str, Any] | None, state: bytes | None) -> bytes:
    """The bytes of a model's file.

    Args:
        compiled: loss, optimizer and metrics, as `serialize` gives them.
        state: the optimizer's, as a file of tensors.
    """
    library = _h5py()
    description = keras_description.describe(model)
    training = None if compiled is None else keras_description.values(compiled)
    if os.fspath(path).lower().endswith(_LEGACY):
        return _legacy_content(model, description, training, library)
    if not model.built:
        raise ArgumentError(
            f"model {model.name!r} has no weights yet", hint="give its first layer an input_shape, or call it on data"
        )
    description["build_config"] = {"input_shape": _shape(model)}
    if training is not None:
        description["compile_config"] = {
            **training,
            "run_eagerly": False,
            "steps_per_execution": 1,
            "jit_compile": False,
        }
    saved = datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:  # stored, as Keras does
        archive.writestr(METADATA, json.dumps({"keras_version": VERSION, "date_saved": saved}))
        archive.writestr(CONFIG, _text(model, description))
        archive.writestr(WEIGHTS, keras_variables.write(model, library))
        if state is not None:
            archive.writestr(STATE, state)
    return stream.getvalue()


def _text(model: Any, description: Any) -> str:
    from onegraph.errors import UnsupportedError

    try:
        return json.dumps(description)
    except TypeError as error:
        raise UnsupportedError(
            f"model {model.name!r} cannot be saved: {error}", hint="get_config must give numbers, strings and lists"
        ) from None


def _shape(model: Any) -> Any:
    shape = model._build_shape
    return (
        list(shape)
        if isinstance(shape, (list, tuple)) and not any(isinstance(s, (list, tuple)) for s in shape)
        else None
    )


def _legacy_content(model: Any, description: Any, training: Any, library: Any) -> bytes:
    stream = io.BytesIO()
    with library.File(stream, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = VERSION, "onegraph"
        file.attrs["model_config"] = _text(model, _without_modules(description))
        if training is not None:
            given = _without_modules(training)
            file.attrs["training_config"] = _text(model, {**given, "optimizer_config": given.pop("optimizer")})
        group = file.create_group("model_weights")
        group.attrs["keras_version"], group.attrs["backend"] = VERSION, "onegraph"
        found = _legacy_layers(model)
        group.attrs["layer_names"] = np.array([name.encode() for name, _ in found])
        for name, weights in found:
            inside = group.create_group(name)
            names = [f"{name}/{path.replace('.', '/')}" for path, _ in weights]
            inside.attrs["weight_names"] = np.array([n.encode() for n in names]) if names else np.zeros(0)
            for weight, (_, tensor) in zip(names, weights, strict=True):
                inside.create_dataset(weight, data=np.array(tensor.detach().numpy()))
    return stream.getvalue()


def _without_modules(value: Any) -> Any:
    """Descriptions as Keras 2 had them."""
    if isinstance(value, list):
        return [_without_modules(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: _without_modules(v) for k, v in value.items() if k not in ("module", "registered_name")}


def _legacy_layers(model: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
    """The outermost layers, each with all weights inside: those that are learned first."""
    found = []
    for layer in model.layers:
        weights = sorted(layer._all_weights(), key=lambda entry: not entry[2])
        found.append((layer.name, [(path, tensor) for path, tensor, _ in weights]))
    return found


# ---- reading


def load(path: Any, custom_objects: Any) -> tuple[Any, dict[str, Any] | None, bytes | None]:
    """A model from one of Keras' files, what to compile it with, and the optimizer's state if onegraph wrote the file.

    Raises:
        StorageError: the file is missing, damaged or none of Keras.
        UnsupportedError: it holds code, or a layer that cannot be made from it; h5py is not installed.
        ArgumentError: it names a class that is not known.
    """
    library = _h5py()
    name = os.fspath(path)
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise storage_error(error, path, "read") from error
    try:
        with custom_object_scope(custom_objects):
            if is_keras(data[:8]):
                return _load_legacy(data, name, library)
            return _load_archive(data, name, library)
    except OneGraphError:
        raise
    except Refused as refused:
        raise refused.error(name) from refused
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError) as error:
        raise StorageError(f"cannot read {name!r}: {error!s:.300}", hint="the file is damaged") from error


def _load_archive(data: bytes, path: str, library: Any) -> tuple[Any, dict[str, Any] | None, bytes | None]:
    entries = read_entries(data)

    def inside(name: str) -> bytes:
        if name not in entries:
            raise StorageError(f"cannot read {path!r}: there is no {name} in it", hint="it is no model of Keras 3")
        entry = entries[name]
        found = data[entry.start : entry.start + entry.size]
        if zlib.crc32(found) != entry.crc:
            raise StorageError(f"cannot read {path!r}: {name} in it is damaged (its checksum differs)")
        return found

    description = json.loads(inside(CONFIG))
    model = _build(description, path)
    with library.File(io.BytesIO(inside(WEIGHTS)), "r") as file:
        keras_variables.read(model, file, path)
    state = inside(STATE) if STATE in entries else None
    return model, _compiled(description.get("compile_config")), state


def _build(description: Any, path: str) -> Any:
    try:
        entry = keras_config.model_entry(description)
        model = layers.deserialize(entry)
    except OneGraphError as error:
        raise type(error)(f"cannot read {path!r}: {error.message}", hint=error.hint) from error
    shape = (description.get("build_config") or {}).get("input_shape")
    if not model.built and shape is not None:
        from onegraph.keras.saving import _build as build_for

        build_for(model, shape)
    for layer, flag in _frozen(model, description):
        layer.trainable = flag
    return model


def _frozen(model: Any, description: Any) -> list[tuple[Any, bool]]:
    """The models, the outer ones first, that the file says are not trained."""
    found = []
    if description["config"].get("trainable") is False:
        found.append((model, False))
    inside = description["config"].get("layers")
    if isinstance(inside, list) and hasattr(model, "get_layer"):
        members = {layer.name: layer for layer in model.layers}
        for entry in inside:
            layer = members.get(entry["config"].get("name"))
            if layer is not None and isinstance(entry["config"].get("layers"), list):
                found += _frozen(layer, entry)
    return found


def _compiled(config: Any) -> dict[str, Any] | None:
    if not config or not config.get("optimizer"):
        return None
    wanted = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")
    found = {key: keras_config.plain(config.get(key), f"{key} of the training") for key in wanted}
    return {**found, "optimizer": _optimizer(found["optimizer"])}


def _optimizer(entry: Any) -> Any:
    """Without the arguments that are not set: Keras lists those of all its versions."""
    if not isinstance(entry, dict):
        return entry
    config = {
        k: v for k, v in entry["config"].items() if v is not None and k not in ("jit_compile", "is_legacy_optimizer")
    }
    return {"class_name": entry["class_name"], "config": config}


def _load_legacy(data: bytes, path: str, library: Any) -> tuple[Any, dict[str, Any] | None, None]:
    with library.File(io.BytesIO(data), "r") as file:
        if "model_config" not in file.attrs:
            raise StorageError(
                f"cannot read {path!r}: it holds weights alone", hint="build the model and call load_weights"
            )
        model = _build(_json(file.attrs["model_config"]), path)
        root = file["model_weights"]
        theirs = []
        for name in root.attrs["layer_names"]:
            group = root[_decoded(name)]
            arrays = [np.asarray(group[_decoded(weight)][()]) for weight in group.attrs["weight_names"]]
            if arrays:
                theirs.append((_decoded(name), arrays))
        _fill(model, theirs, path)
        training = _json(file.attrs["training_config"]) if "training_config" in file.attrs else None
    if training is not None:
        training["optimizer"] = training.pop("optimizer_config", None)
    return model, _compiled(training), None


def _decoded(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _json(value: Any) -> Any:
    return json.loads(_decoded(value))


def _fill(model: Any, theirs: list[tuple[str, list[Any]]], path: str) -> None:
    """Layers with weights in their order, found by name if all names are there."""
    ours = [(name, [t for _, t in weights]) for name, weights in _legacy_layers(model) if weights]
    if {name for name, _ in ours} == {name for name, _ in theirs}:
        order = dict(theirs)
        theirs = [(name, order[name]) for name, _ in ours]
    if len(ours) != len(theirs):
        raise StateError(f"weights of {path!r}: {len(theirs)} layers in the file, {len(ours)} in model {model.name!r}")
    problems = []
    for (name, tensors), (_, arrays) in zip(ours, theirs, strict=True):
        if [tuple(t.shape) for t in tensors] != [a.shape for a in arrays]:
            there, here = ", ".join(show(a.shape) for a in arrays), ", ".join(show(tuple(t.shape)) for t in tensors)
            problems.append(f"  {name}: {there} in the file, {here} in the model")
    if problems:
        raise StateError(f"weights of {path!r} do not fit model {model.name!r}:\n" + "\n".join(problems))
    with no_grad():
        for (_, tensors), (_, arrays) in zip(ours, theirs, strict=True):
            for tensor, array in zip(tensors, arrays, strict=True):
                tensor.copy_(make_tensor(array, dtype=tensor.dtype))
