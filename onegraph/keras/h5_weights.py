"""Weights in Keras' HDF5 files (.h5, .weights.h5, .keras): read into a model, and written. Needs h5py (`onegraph[h5]`).

Layers are found by name. Layers that were numbered differently (conv2d_12 instead of conv2d_3) are matched by the order of
their numbers. Read next: `onegraph/interop/keras_h5.py`, which reads and writes the files.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from onegraph.errors import StateError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad
from onegraph.interop.keras_h5 import _h5py, _weights_of_archive, read_keras_weights, write_keras_weights
from onegraph.keras import keras_variables
from onegraph.ops.shapes import show
from onegraph.storage.atomic import atomic_write

ENDINGS = (".h5", ".hdf5", ".keras")


def is_h5(path: Any) -> bool:
    """Whether a path names one of Keras' files."""
    return os.fspath(path).lower().endswith(ENDINGS)


def _layers(model: Any) -> dict[str, list[tuple[str, Any]]]:
    """The weights of each layer by name, models inside opened."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for layer in model.layers:
        if getattr(layer, "layers", None):
            found.update(_layers(layer))
        elif layer.weights:
            found[layer.name] = [(path.rpartition(".")[2], tensor) for path, tensor, _ in layer._all_weights()]
    return found


def _matched(wanted: list[str], there: list[str]) -> dict[str, str]:
    """Which layer of the file belongs to which of the model."""
    pairs = {name: name for name in wanted if name in there}
    rest: dict[str, list[list[tuple[int, str]]]] = {}
    for side, names in enumerate((wanted, there)):
        for name in names:
            if name not in pairs:
                stem, _, number = re.fullmatch(r"(.*?)(_(\d+))?", name).groups()  # type: ignore[union-attr]
                rest.setdefault(stem, [[], []])[side].append((int(number or 0), name))
    for ours, theirs in rest.values():
        if len(ours) == len(theirs):
            pairs.update({a: b for (_, a), (_, b) in zip(sorted(ours), sorted(theirs), strict=True)})
    return pairs


def load_h5_weights(model: Any, path: Any, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Read weights of a file of Keras into a model.

    Args:
        by_name: layers that one of both lacks are left as they are.
        skip_mismatch: so are layers whose shapes differ.

    Raises:
        StateError: lists all that is missing or of another shape; nothing is changed then.
    """
    if not by_name and not skip_mismatch and _load_by_place(model, path):
        return
    file: dict[str, list[np.ndarray[Any, Any]]] = {}
    for key, array in read_keras_weights(path).items():
        file.setdefault(key.rpartition(".")[0], []).append(array)
    wanted = _layers(model)
    pairs = _matched(list(wanted), list(file))
    problems = [] if by_name else [f"  {n}: missing in the file" for n in wanted if n not in pairs]
    if not by_name:
        problems += [f"  {n}: not in the model" for n in file if n not in pairs.values()]
    writes = []
    for name, theirs in pairs.items():
        ours, arrays = wanted[name], file[theirs]
        shapes = [tuple(t.shape) for _, t in ours]
        if shapes != [a.shape for a in arrays]:
            if not skip_mismatch:
                problems.append(
                    f"  {name}: {', '.join(show(a.shape) for a in arrays)} in the file, "
                    f"{', '.join(show(s) for s in shapes)} in the model"
                )
            continue
        writes += [(tensor, array) for (_, tensor), array in zip(ours, arrays, strict=True)]
    if problems:
        raise StateError(f"weights of {os.fspath(path)!r} do not fit model {model.name!r}:\n" + "\n".join(problems))
    with no_grad():
        for tensor, array in writes:
            tensor.copy_(make_tensor(array, dtype=tensor.dtype))


def _load_by_place(model: Any, path: Any) -> bool:
    """Take the weights of a file of Keras 3 by their places, if all of them fit; says whether they did."""
    library = _h5py()
    try:
        with open(path, "rb") as file:
            start = file.read(8)
        source = _weights_of_archive(path) if start[:2] == b"PK" else os.fspath(path)
        with library.File(source, "r") as opened:
            if "layer_names" in opened.attrs or "model_weights" in opened or not keras_variables.fits(model, opened):
                return False
            keras_variables.read(model, opened, os.fspath(path))
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError, TypeError, OverflowError):
        return False  # the other way of reading says what is wrong
    return True


def save_h5_weights(model: Any, path: Any) -> None:
    """Write a model's weights as Keras does."""
    if os.fspath(path).lower().endswith(".weights.h5"):
        content = keras_variables.write(model, _h5py())
        with atomic_write(path) as file:
            file.write(content)
        return
    arrays = {
        name: {kind: np.array(tensor.detach().numpy()) for kind, tensor in weights}
        for name, weights in _layers(model).items()
    }
    write_keras_weights(arrays, path)
