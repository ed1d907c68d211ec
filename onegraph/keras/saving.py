"""Models on disk: a folder with the architecture as JSON, the weights as safetensors, and the optimizer's state.

A name that ends in `.keras` or `.h5` is written as Keras does (`keras_files.py`).
Nothing in it is code: only classes that Keras knows, registered ones and `custom_objects` come out. Writing is atomic.
Read next: `onegraph/storage/README.md`.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from onegraph.errors import ArgumentError, StateError, StorageError, UnsupportedError
from onegraph.frontend.state import no_grad
from onegraph.keras import h5_weights, keras_files
from onegraph.keras.layers.base import layers
from onegraph.keras.registry import custom_object_scope, serialize
from onegraph.ops.shapes import show
from onegraph.storage.atomic import atomic_directory, atomic_write, delete_directory, read_directory
from onegraph.storage.checkpoint import load, save

VERSION = 1
MODEL, WEIGHTS, OPTIMIZER = "model.json", "weights.safetensors", "optimizer.safetensors"


def _weights(model: Any) -> dict[str, Any]:
    return {path: tensor.detach() for path, tensor, _ in model._all_weights()}


def save_model(model: Any, path: Any, overwrite: bool, include_optimizer: bool) -> None:
    """Write a model; see `Model.save`.

    Raises:
        StorageError: it is there already and overwrite is false, or it cannot be written.
        UnsupportedError: a part of it, such as a lambda, cannot be described as data.
    """
    _check_target(path, overwrite)
    if keras_files.is_whole_model(path):
        _save_file(model, path, include_optimizer)
        return
    description = {
        "format": "onegraph keras model",
        "version": VERSION,
        "model": {"class_name": type(model).__name__, "config": model.get_config()},
        "build_shape": model._build_shape,
        "trainable": {
            layer_path: layer._trainable for layer_path, layer in model.named_modules() if hasattr(layer, "_trainable")
        },
        "compile": _compile_config(model) if include_optimizer else None,
    }
    try:
        text = json.dumps(description, indent=1)
    except TypeError as error:
        raise UnsupportedError(
            f"model {model.name!r} cannot be saved: {error}", hint="get_config must give numbers, strings and lists"
        ) from None
    state = None
    if include_optimizer and model.compiled and model.optimizer._inner is not None:
        state = model.optimizer.state_dict()
    with atomic_directory(path) as folder:
        (folder / MODEL).write_text(text, encoding="utf-8")
        save(_weights(model), folder / WEIGHTS)
        if state is not None:
            save(state, folder / OPTIMIZER)


def _save_file(model: Any, path: Any, include_optimizer: bool) -> None:
    """Write one of Keras' own files; a folder of that name, which earlier versions wrote, gives way to it."""
    compiled = _compile_config(model) if include_optimizer else None
    state = None
    if compiled is not None and model.optimizer._inner is not None:
        with tempfile.TemporaryDirectory() as folder:
            save(model.optimizer.state_dict(), Path(folder) / OPTIMIZER)
            state = (Path(folder) / OPTIMIZER).read_bytes()
    content = keras_files.content(model, path, compiled, state)
    if os.path.isdir(path):
        if not (Path(path) / MODEL).is_file():
            raise StorageError(f"cannot write {os.fspath(path)!r}: it is a folder, and no saved model")
        _replace_folder(Path(path), content)
        return
    with atomic_write(path) as file:
        file.write(content)


def _replace_folder(path: Path, content: bytes) -> None:
    """Put a file in a folder's place; the folder comes back if that fails."""
    aside = path.with_name(path.name + ".replaced")
    path.rename(aside)
    try:
        with atomic_write(path) as file:
            file.write(content)
    except BaseException:
        aside.rename(path)
        raise
    delete_directory(aside)


def _load_file(path: Any, custom_objects: Any, compile: bool) -> Any:
    model, compiled, state = keras_files.load(path, custom_objects)
    if compile and compiled is not None:
        with custom_object_scope(custom_objects):
            model.compile(**_from_config(compiled))
        if state is not None:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / OPTIMIZER).write_bytes(state)
                model._loaded_state = load(Path(folder) / OPTIMIZER)
            model.optimizer.iterations = int(model._loaded_state["iterations"])
    return model


def _check_target(path: Any, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise StorageError(f"cannot write {os.fspath(path)!r}: it is there already", hint="overwrite=True replaces it")


def _compile_config(model: Any) -> dict[str, Any] | None:
    if not model.compiled:
        return None
    given = model._objective.given

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else serialize(value)

    try:
        return {"optimizer": serialize(model.optimizer), **{k: plain(v) for k, v in given.items()}}
    except UnsupportedError:
        return None  # a lambda as a loss: the model is kept, and is to be compiled anew


def load_model(path: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Read a model that `Model.save` or Keras wrote. Runs no code from the file.

    Args:
        path: a folder, or one of Keras' files (`.keras`, `.h5`).
        custom_objects: classes and functions of your own by name.
        compile: with loss, metrics, and optimizer; with its state, if onegraph wrote it.
        safe_mode: taken for Keras' sake: code in a file is never run, and refused whatever this says.

    Raises:
        StorageError: it is missing or damaged.
        UnsupportedError: it holds code, such as a Lambda of Keras; h5py is needed and not installed.
        ArgumentError: it names a class that is not known.
    """
    if os.path.isfile(path):
        if keras_files.is_whole_model(path):
            return _load_file(path, custom_objects, compile)
        raise StorageError(
            f"cannot read {os.fspath(path)!r}: it is a file, and a saved model is a folder",
            hint="load_model reads what model.save wrote, and .keras and .h5 of Keras; "
            "model.load_weights reads a file of weights",
        )
    return read_directory(path, lambda folder: _load(folder, path, custom_objects, compile))


def _load(folder: Path, path: Any, custom_objects: Any, compile: bool) -> Any:
    try:
        description = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot read {os.fspath(path)!r}: {error}", hint="load_model reads folders that model.save wrote"
        ) from None
    known = isinstance(description, dict) and description.get("format") == "onegraph keras model"
    if not known or description.get("version") != VERSION:
        raise StorageError(f"cannot read {os.fspath(path)!r}: it is no Keras model of version {VERSION}")
    missing = [key for key in ("model", "build_shape", "trainable", "compile") if key not in description]
    if missing:
        raise StorageError(f"cannot read {os.fspath(path)!r}: {MODEL} has no {missing[0]!r}", hint="save it again")
    with custom_object_scope(custom_objects):
        model = layers.deserialize(description["model"])
        shape = description["build_shape"]
        if not model.built and shape is not None:
            _build(model, shape)
        _restore(model, load(folder / WEIGHTS), str(path))
        _restore_trainable(model, description["trainable"])
        if compile and description["compile"] is not None:
            model.compile(**_from_config(description["compile"]))
            if (folder / OPTIMIZER).exists():
                model._loaded_state = load(folder / OPTIMIZER)
                model.optimizer.iterations = int(model._loaded_state["iterations"])
    return model


def _build(model: Any, shape: Any) -> None:
    """Make the weights of a subclassed model, by calling it on an input of the shape it was built for."""
    from onegraph.keras.layers.symbolic import infer, input_tensor

    def symbols(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: symbols(v) for k, v in value.items()}
        if value and all(isinstance(v, (list, tuple, dict)) for v in value):
            return [symbols(v) for v in value]
        return input_tensor(tuple(value))

    given = symbols(shape)
    model._build_for((given,))
    infer(model, (given,), {})


def _restore_trainable(model: Any, flags: dict[str, bool]) -> None:
    for path, module in model.named_modules():
        if flags.get(path) is False:
            module.trainable = False


def _from_config(config: dict[str, Any]) -> dict[str, Any]:
    from onegraph.keras import losses, metrics, optimizers

    def restore(value: Any, registry: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"class_name", "config"}:
            return registry.deserialize(value)
        if isinstance(value, dict):
            return {k: restore(v, registry) for k, v in value.items()}
        return [restore(v, registry) for v in value] if isinstance(value, list) else value

    return {
        "optimizer": optimizers.optimizers.deserialize(config["optimizer"]),
        "loss": restore(config["loss"], losses.losses),
        "metrics": restore(config["metrics"], metrics.metrics),
        "weighted_metrics": restore(config["weighted_metrics"], metrics.metrics),
        "loss_weights": config["loss_weights"],
    }


def _restore(model: Any, values: dict[str, Any], path: str, by_name: bool = False) -> None:
    wanted = {name: tensor for name, tensor, _ in model._all_weights()}
    if not by_name and set(wanted) != set(values) and _same_shapes(wanted, values):
        values = dict(
            zip(wanted, values.values(), strict=True)
        )  # layers were numbered differently: their order decides
    if not by_name and not set(wanted) & set(values) and len(wanted) == len(values):
        values = dict(zip(wanted, values.values(), strict=True))  # no name in common: tell which shapes differ
    problems = [f"  {n}: missing in the file" for n in wanted if n not in values and not by_name]
    problems += [f"  {n}: not in the model" for n in values if n not in wanted and not by_name]
    for name, tensor in wanted.items():
        if name in values and tuple(values[name].shape) != tuple(tensor.shape):
            problems.append(f"  {name}: {show(values[name].shape)} in the file, {show(tensor.shape)} in the model")
    if problems:
        hint = (
            None
            if model.built
            else "the model has no weights yet: give its first layer an input_shape, or call it on data"
        )
        raise StateError(f"weights of {path!r} do not fit model {model.name!r}:\n" + "\n".join(problems), hint=hint)
    with no_grad():
        for name, tensor in wanted.items():
            if name in values:
                tensor.copy_(values[name])


def _same_shapes(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return [tuple(t.shape) for t in a.values()] == [tuple(t.shape) for t in b.values()]


def save_weights(model: Any, path: Any, overwrite: bool) -> None:
    """Write the weights into one safetensors file."""
    if not model.built:
        raise ArgumentError(
            f"model {model.name!r} has no weights yet", hint="give its first layer an input_shape, or call it on data"
        )
    _check_target(path, overwrite)
    if h5_weights.is_h5(path):
        h5_weights.save_h5_weights(model, path)
        return
    save(_weights(model), path)


def load_weights(model: Any, path: Any, by_name: bool, skip_mismatch: bool = False) -> None:
    """Read weights from a file of `save_weights`, a folder of `save`, or a file of Keras (.h5, .weights.h5, .keras).

    Raises:
        StateError: lists everything that is missing, unexpected or of another shape.
    """
    if h5_weights.is_h5(path) and not os.path.isdir(path):
        h5_weights.load_h5_weights(model, path, by_name, skip_mismatch)
        return
    if os.path.isdir(path):
        values = read_directory(path, lambda folder: load(folder / WEIGHTS))
    else:
        values = load(path)
    _restore(model, values, os.fspath(path), by_name)
