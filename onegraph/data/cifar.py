"""CIFAR-10 and CIFAR-100 as they are published: the binary files, and the Python pickles, read without running them.

A binary row is one label byte (for CIFAR-100 two, coarse and fine), then 3 * 32 * 32 bytes of red, green and blue.
Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the data sets' page.
Read next: `array.py`; `onegraph/interop/pickle_machine.py`, which reads the pickles.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from onegraph.errors import DataError
from onegraph.interop.pickle_machine import Allowed, PickleMachine, Refused, Source
from onegraph.interop.pytorch_names import NAMES, ArrayRecord

SHAPE: Final = (3, 32, 32)
_PIXELS: Final = 3 * 32 * 32
MOST_BYTES: Final = 1 << 30
"""The largest file that is read; the published ones have at most 154 million bytes."""
# What a pickle may name: what arrays are made of. Anything else ends the reading.
_ALLOWED: Final = {
    **{name: value for name, value in NAMES.items() if name.startswith(("numpy.", "_codecs."))},
    "__builtin__.bytes": Allowed("__builtin__.bytes", lambda: b""),  # the content of an empty array
}


@dataclass(frozen=True)
class _Layout:
    """File names, and how many bytes or which key the labels take."""

    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int = 1
    labels: str = "labels"
    names_key: str = "label_names"


_LAYOUTS: Final = {
    "cifar10-binary": _Layout(tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin", "batches.meta.txt"),
    "cifar100-binary": _Layout(("train.bin",), "test.bin", "fine_label_names.txt", label_bytes=2),
    "cifar10-python": _Layout(tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"),
    "cifar100-python": _Layout(("train",), "test", "meta", labels="fine_labels", names_key="fine_label_names"),
}
FOLDERS: Final = ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-100-python", "cifar-100-binary")


@dataclass(frozen=True)
class CifarFolder:
    """Images uint8 (N, 3, 32, 32) and labels int64 (N,), for training and testing, and the names of the classes."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]


def find_cifar(folder: str | os.PathLike[str]) -> tuple[str, str] | None:
    """(folder, kind) if CIFAR's files lie in a folder, or in one of the published name in it; otherwise None."""
    for place in (os.fspath(folder), *(os.path.join(folder, name) for name in FOLDERS)):
        for kind, layout in _LAYOUTS.items():
            if os.path.isfile(os.path.join(place, layout.train[0])) and os.path.isfile(
                os.path.join(place, layout.test)
            ):
                return place, kind
    return None


def load_cifar(folder: str | os.PathLike[str]) -> CifarFolder:
    """Read CIFAR-10 or CIFAR-100, binary or Python version.

    Args:
        folder: where the files lie, or the folder above it.

    Raises:
        DataError: a file is missing, truncated, of the wrong layout, or a pickle that holds more than data.
    """
    found = find_cifar(folder)
    if found is None:
        raise DataError(f"{folder}: no CIFAR files (data_batch_1, test_batch; train, test; or those with .bin)")
    place, kind = found
    layout = _LAYOUTS[kind]
    read = read_binary if kind.endswith("binary") else read_pickled
    parts = [read(os.path.join(place, name), layout) for name in (*layout.train, layout.test)]
    names = _class_names(os.path.join(place, layout.names), layout, kind.endswith("binary"))
    for name, (_, labels) in zip((*layout.train, layout.test), parts, strict=True):
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
            raise DataError(
                f"{os.path.join(place, name)}: labels from {labels.min()} to {labels.max()} for {len(names)} classes"
            )
    train_images, train_labels = (np.concatenate([part[i] for part in parts[:-1]]) for i in (0, 1))
    return CifarFolder(train_images, train_labels, parts[-1][0], parts[-1][1], names)


def read_binary(path: str | os.PathLike[str], layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one binary file."""
    content = np.frombuffer(_content(path), np.uint8)
    row = layout.label_bytes + _PIXELS
    if not len(content) or len(content) % row:
        raise DataError(
            f"{path}: {len(content):,} bytes, no whole number of rows of {row:,}: truncated, or another format"
        )
    rows = content.reshape(-1, row)
    return rows[:, layout.label_bytes :].reshape(-1, *SHAPE), rows[:, layout.label_bytes - 1].astype(np.int64)


def read_pickled(path: str | os.PathLike[str], layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one file of the Python version."""
    entry = unpickle(path)
    images, labels = entry.get("data"), entry.get(layout.labels)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != _PIXELS:
        raise DataError(f"{path}: 'data' is no uint8 array of shape (N, {_PIXELS})")
    if not isinstance(labels, list) or len(labels) != len(images) or not all(type(label) is int for label in labels):
        raise DataError(f"{path}: {layout.labels!r} is no list of {len(images)} class numbers")
    return images.reshape(-1, *SHAPE), np.array(labels, np.int64)


def unpickle(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dictionary in a pickle of plain values and arrays; nothing in the file is run.

    Raises:
        DataError: no such file, damaged, or anything but plain values and arrays in it.
    """
    try:
        value = PickleMachine(Source(_content(path)), _ALLOWED).run()
    except Refused as refused:
        raise DataError(f"{path}: {refused.reason}", hint=refused.hint) from refused
    except (ValueError, TypeError, IndexError, KeyError, UnicodeError, OverflowError) as error:
        raise DataError(f"{path}: the pickle is truncated or corrupt: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: the pickle holds a {type(value).__name__}, not a dictionary")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): _plain(item) for key, item in value.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, ArrayRecord):
        return value.array
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _class_names(path: str, layout: _Layout, binary: bool) -> tuple[str, ...]:
    if binary:
        text = bytes(_content(path)).decode("utf-8", "replace")
        names = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        names = unpickle(path).get(layout.names_key) or []
    if not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: no names of classes in it")
    return tuple(names)


def _content(path: str | os.PathLike[str]) -> Any:
    """The bytes of a file, mapped, not read."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise DataError(f"{path}: {size:,} bytes, more than {MOST_BYTES:,}: not a CIFAR file")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise DataError(f"{Path(path)}: cannot be read: {error.strerror or error}") from error
