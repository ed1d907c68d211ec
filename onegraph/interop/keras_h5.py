"""Weights in Keras's HDF5 files: those of Keras 2 (and of `model.save`), and the `.weights.h5` of Keras 3.

h5py is optional (`pip install onegraph[h5]`) and loaded when it is needed. HDF5 holds arrays; nothing in it is run.
Layouts: `keras/src/legacy/saving/legacy_h5_format.py` and `keras/src/saving/saving_lib.py`.
Read next: `onegraph/zoo/layouts.py`, which turns Keras's arrays into PyTorch's layout.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np

from onegraph.errors import StorageError, UnsupportedError
from onegraph.interop.pickle_machine import Refused
from onegraph.interop.zip_entries import read_entries
from onegraph.storage.filesystem import storage_error

Array = np.ndarray[Any, Any]
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_MOST: Final = 1 << 36  # bytes of all arrays of a file; the largest published one has 2**31
# What Keras calls the variables of a layer, by how many there are, for layers without names of variables.
_NORMALIZATION: Final = {
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
    3: ("beta", "moving_mean", "moving_variance"),
}
_PLAIN: Final = ("kernel", "bias")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UnsupportedError(
            "files of Keras need h5py, which is not installed", hint="pip install onegraph[h5]"
        ) from error
    return h5py


def is_keras(start: bytes) -> bool:
    """Whether a file that starts like this is HDF5."""
    return start.startswith(_SIGNATURE)


def read_keras_weights(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a file of Keras, as "layer.kernel", "layer.gamma" and so on; as Keras lays them out.

    Args:
        path: a `.h5` of weights or of a whole model, a `.weights.h5` or a `.keras`.

    Raises:
        StorageError: the file is missing or damaged, or not one of Keras.
        UnsupportedError: h5py is not installed.

    >>> write_keras_weights({"fc": {"kernel": np.ones((2, 3), np.float32)}}, "fc.weights.h5")
    >>> read_keras_weights("fc.weights.h5")["fc.kernel"].shape
    (2, 3)
    """
    library = _h5py()
    try:
        with open(path, "rb") as file:
            start = file.read(8)
        source: Any = os.fspath(path)
        if start[:2] == b"PK":
            source = _weights_of_archive(path)
        elif not is_keras(start):
            raise StorageError(
                f"cannot read {os.fspath(path)!r}: it is not HDF5", hint="the file is damaged or not one of Keras"
            )
        with library.File(source, "r") as opened:
            return _read(opened, os.fspath(path))
    except StorageError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise storage_error(error, path, "read") from error
        raise StorageError(f"cannot read {os.fspath(path)!r}: {error!s:.300}", hint="the file is damaged") from error


def _weights_of_archive(path: str | os.PathLike[str]) -> io.BytesIO:
    """The weights inside of a `.keras` archive."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        entry = read_entries(content).get("model.weights.h5")
    except Refused as refused:
        raise refused.error(os.fspath(path)) from refused
    if entry is None:
        raise StorageError(f"cannot read {os.fspath(path)!r}: there is no model.weights.h5 in it")
    return io.BytesIO(content[entry.start : entry.start + entry.size])


def _read(opened: Any, path: str) -> dict[str, Array]:
    root = opened.get("model_weights", opened)
    found: dict[str, Array] = {}
    if "layer_names" in root.attrs:
        for layer in _texts(root.attrs["layer_names"]):
            group = root[layer]
            for name in _texts(group.attrs.get("weight_names", [])):
                kind = name.rpartition("/")[2].partition(":")[0].replace("depthwise_kernel", "kernel")
                _take(found, f"{layer}.{kind}", group[name])
    else:
        _read_groups(root, found, path)
    if not found:
        raise StorageError(
            f"cannot read {path!r}: it is HDF5, but not of Keras", hint="save it with model.save_weights"
        )
    return found


def _read_groups(root: Any, found: dict[str, Array], path: str) -> None:
    """Keras 3: each layer has a group of numbered variables, which carries the layer's name."""
    pending = [root]
    while pending:
        group = pending.pop()
        for key in group:
            inside = group.get(key)
            if not hasattr(inside, "keys"):
                continue
            if key != "vars":
                pending.append(inside)
                continue
            if not len(inside):
                continue
            layer = _texts([inside.attrs.get("name", group.name.rpartition("/")[2])])[0]
            variables = [inside[number] for number in sorted(inside, key=int)]
            for kind, variable in zip(_kinds(variables), variables, strict=True):
                _take(found, f"{layer}.{kind}", variable)


def _kinds(variables: list[Any]) -> tuple[str, ...]:
    """Names of a layer's variables: vectors alone are a normalization's."""
    if all(len(v.shape) == 1 for v in variables) and len(variables) in _NORMALIZATION:
        return _NORMALIZATION[len(variables)]
    return _PLAIN[: len(variables)] if len(variables) <= 2 else tuple(str(i) for i in range(len(variables)))


def _take(found: dict[str, Array], name: str, variable: Any) -> None:
    if not hasattr(variable, "shape") or variable.dtype.kind not in "fiub":
        return
    if sum(array.nbytes for array in found.values()) + variable.nbytes > _MOST:
        raise StorageError(f"{name}: the arrays of the file take more than {_MOST:,} bytes")
    found[name] = np.asarray(variable[()])


def _texts(values: Any) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def write_keras_weights(
    layers: Mapping[str, Mapping[str, Array]], path: str | os.PathLike[str], depthwise: Collection[str] = ()
) -> None:
    """Write arrays as Keras does: a `.weights.h5` as Keras 3, any other name as Keras 2.

    Args:
        layers: for each layer its arrays by name, in Keras's order and layout.
        path: the file to write.
        depthwise: which of the layers are depthwise convolutions: Keras 3 finds layers by class and number, not by name.

    Raises:
        StorageError: the file cannot be written.
        UnsupportedError: h5py is not installed.
    """
    library = _h5py()
    from onegraph.storage.atomic import atomic_write

    stream = io.BytesIO()
    with library.File(stream, "w") as opened:
        if os.fspath(path).endswith(".weights.h5"):
            numbers: Counter[str] = Counter()
            for layer, arrays in layers.items():
                kind = "depthwise_conv2d" if layer in depthwise else _class_of(arrays)
                group = opened.create_group(f"layers/{kind}{f'_{numbers[kind]}' if numbers[kind] else ''}/vars")
                numbers[kind] += 1
                group.attrs["name"] = layer
                for number, array in enumerate(arrays.values()):
                    group.create_dataset(str(number), data=array)
        else:
            opened.attrs["layer_names"] = np.array([layer.encode() for layer in layers])
            opened.attrs["backend"] = b"tensorflow"
            opened.attrs["keras_version"] = b"2.15.0"
            for layer, arrays in layers.items():
                group = opened.create_group(layer)
                names = [f"{layer}/{kind}:0" for kind in arrays]
                group.attrs["weight_names"] = np.array([name.encode() for name in names])
                for name, array in zip(names, arrays.values(), strict=True):
                    group.create_dataset(name, data=array)
    with atomic_write(path) as file:
        file.write(stream.getbuffer())


def _class_of(arrays: Mapping[str, Array]) -> str:
    """The class of a layer as Keras 3 writes it, by its arrays."""
    if "kernel" not in arrays:
        return "batch_normalization"
    return "dense" if arrays["kernel"].ndim == 2 else "conv2d"
