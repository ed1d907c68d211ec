"""What the data sets share: fetching archives, reading arrays from them without running anything, drawing a test set."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DataError
from onegraph.keras.utils.files import get_file

BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
Pair = tuple[np.ndarray, np.ndarray]


def fetch(name: str, checksum: str | None = None, path: Any = None) -> str:
    """The path of a file of Keras' data sets, fetched if it is not there. `path` may be another file of the same form."""
    import os

    if path is not None and os.path.isfile(path):
        return os.fspath(path)
    return get_file(os.path.basename(os.fspath(path or name)), BASE + name, file_hash=checksum)


def arrays(path: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. Arrays of lists are read too; nothing in the file is run.

    Raises:
        DataError: damaged, or anything but arrays and lists of numbers in it.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                found[name.removesuffix(".npy")] = _array(archive.read(name))
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: no readable archive of arrays: {error}") from error
    return found


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        found = _Plain(file).load()
        if not isinstance(found, np.ndarray) or found.shape != shape:
            raise ValueError(f"an array of shape {shape} was announced")
        return found
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


class _Plain(pickle.Unpickler):
    """Reads arrays of lists of numbers: no name but those that arrays are made of is ever looked up."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _reconstruct
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray:
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array of an unusual kind")
    return np.empty((0,), "b")


def split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> tuple[Pair, Pair]:
    """Shuffle by a seed, and keep the last share for testing; the same division as in Keras."""
    if not 0 <= test_split < 1:
        raise ArgumentError(f"test_split must be from 0 to below 1, got {test_split}")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    at = int(len(x) * (1 - test_split))
    return (np.array(x[:at]), np.array(y[:at])), (np.array(x[at:]), np.array(y[at:]))


def sequences(
    x: Any,
    num_words: int | None,
    skip_top: int,
    maxlen: int | None,
    start_char: int | None,
    oov_char: int | None,
    index_from: int,
) -> tuple[list[list[int]], np.ndarray]:
    """Word numbers as `load_data` of texts gives them, and which of the texts are short enough."""
    if start_char is not None:
        x = [[start_char] + [w + index_from for w in text] for text in x]
    elif index_from:
        x = [[w + index_from for w in text] for text in x]
    keep = np.array([maxlen is None or len(text) < maxlen for text in x], bool)
    x = [text for text, wanted in zip(x, keep, strict=True) if wanted]
    if maxlen is not None and not x:
        raise ArgumentError(f"no text is shorter than maxlen={maxlen}", hint="increase maxlen")
    limit = max((max(text, default=0) for text in x), default=0) + 1 if num_words is None else num_words
    if oov_char is not None:
        return [[w if skip_top <= w < limit else oov_char for w in text] for text in x], keep
    return [[w for w in text if skip_top <= w < limit] for text in x], keep


def objects(texts: list[list[int]]) -> np.ndarray:
    """An array of lists."""
    found = np.empty(len(texts), object)
    found[:] = texts
    return found
