"""IDX files, the format of MNIST and its relatives: read, write, and whole folders of them.

Layout: two zero bytes, a type code, the number of axes, one big-endian 32-bit size an axis, then the
values, big-endian. A file is never trusted: sizes are checked before memory is taken.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.
Read next: `array.py`, which turns a folder into a data set.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from onegraph.errors import DataError
from onegraph.storage.atomic import atomic_write

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name): code for code, name in _TYPES.items()}
_CHUNK = 1 << 20
_MOST_AXES = 16
MOST_BYTES = 4 << 30
"""The largest array that `read_idx` makes by default."""

_NAME = re.compile(r"^(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?$")


class IdxFolder(NamedTuple):
    """Images uint8 of shape (N, H, W) and labels uint8 of shape (N,), for training and for testing."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path: str | os.PathLike[str], max_bytes: int = MOST_BYTES) -> np.ndarray:
    """Read an IDX file, plain or gzip (told by its first bytes, not by its name).

    Args:
        path: the file.
        max_bytes: refuse arrays larger than this.

    Returns:
        An array of the shape and type in the file, in this machine's byte order.

    Raises:
        DataError: missing, not IDX, truncated, with bytes left over, corrupt gzip, or too large.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "labels.gz"
    >>> write_idx(file, np.array([3, 1], dtype=np.uint8))
    >>> read_idx(file)
    array([3, 1], dtype=uint8)
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"\x1f\x8b":
                file.seek(0)
                return _read(file, path, max_bytes)
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, path, max_bytes)  # type: ignore[arg-type]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip stream is truncated or corrupt: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read(file: BinaryIO, path: Path, max_bytes: int) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise DataError(f"{path}: not an IDX file: it begins with {head.hex(' ')}, not 00 00 <type> <axes>")
    dtype, axes = np.dtype(_TYPES[head[2]]), head[3]
    if not 1 <= axes <= _MOST_AXES:
        raise DataError(f"{path}: {axes} axes; 1 to {_MOST_AXES} are expected")
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{path}: truncated: the header announces {axes} axes and ends before their sizes")
    shape = struct.unpack(f">{axes}I", sizes)
    announced = math.prod(shape) * dtype.itemsize  # Python integers: cannot overflow
    if announced > max_bytes:
        raise DataError(f"{path}: shape {shape} needs {announced:,} bytes, more than max_bytes={max_bytes:,}")
    # An empty array may announce such sizes; NumPy refuses them.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize >= 1 << 62:
        raise DataError(f"{path}: shape {shape} has sizes that are too large")
    data = bytearray()
    while len(data) < announced:
        chunk = file.read(min(_CHUNK, announced - len(data)))
        if not chunk:
            raise DataError(f"{path}: truncated: shape {shape} needs {announced:,} bytes, {len(data):,} are there")
        data += chunk
    if file.read(1):
        raise DataError(f"{path}: more bytes follow the {announced:,} of shape {shape}")
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write an IDX file, gzip if the name ends in `.gz`; complete or not at all, the same bytes each time.

    Args:
        path: the file.
        array: uint8, int8, int16, int32, float32 or float64, with 1 to 16 axes.

    Raises:
        DataError: a dtype or a number of axes that IDX does not have.
        StorageError: the file cannot be written.
    """
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder(">")
    if dtype not in _CODES or not 1 <= array.ndim <= _MOST_AXES:
        raise DataError(
            f"write_idx: dtype {array.dtype}, shape {array.shape}: IDX holds uint8, int8, int16, int32, "
            f"float32 and float64 with 1 to {_MOST_AXES} axes"
        )
    if max(array.shape) >= 1 << 32:
        raise DataError(f"write_idx: shape {array.shape}: sizes must be below 2**32")
    head = struct.pack(f">4B{array.ndim}I", 0, 0, _CODES[dtype], array.ndim, *array.shape)
    content = head + array.astype(dtype, copy=False).tobytes()
    if os.fspath(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    with atomic_write(path) as file:
        file.write(content)


def load_idx_folder(folder: str | os.PathLike[str]) -> IdxFolder:
    """Read the four files of MNIST, Fashion-MNIST, KMNIST or one of EMNIST from a folder.

    Names are those of the originals, such as `train-images-idx3-ubyte` and `t10k-labels-idx1-ubyte.gz`;
    a plain file is taken before a gzip one.

    Raises:
        DataError: a file is missing or given twice, or images and labels do not fit together.
    """
    files = _find(Path(folder))
    images = {part: read_idx(files[part, "images"]) for part in ("train", "test")}
    labels = {part: read_idx(files[part, "labels"]) for part in ("train", "test")}
    for part in ("train", "test"):
        _check_pair(images[part], labels[part], files[part, "images"], files[part, "labels"])
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise DataError(
            f"{folder}: training images have shape {images['train'].shape[1:]}, test images {images['test'].shape[1:]}"
        )
    return IdxFolder(images["train"], labels["train"], images["test"], labels["test"])


def is_idx_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds at least one file with a name as in MNIST."""
    return os.path.isdir(folder) and any(_NAME.match(name) for name in os.listdir(folder))


def _find(folder: Path) -> dict[tuple[str, str], Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror}") from error
    files: dict[tuple[str, str], Path] = {}
    prefixes = set()
    for name in names:  # sorted, so that a plain file comes before its .gz
        match = _NAME.match(name)
        if match is None:
            continue
        prefixes.add(match["prefix"])
        files.setdefault(("train" if match["part"] == "train" else "test", match["kind"]), folder / name)
    if len(prefixes) > 1:
        raise DataError(f"{folder}: files of several data sets: {', '.join(sorted(prefixes))}; one a folder")
    wanted = [(part, kind) for part in ("train", "test") for kind in ("images", "labels")]
    missing = [f"{'train' if p == 'train' else 't10k'}-{k}-idx{3 if k == 'images' else 1}-ubyte[.gz]"
               for p, k in wanted if (p, k) not in files]  # fmt: skip
    if missing:
        raise DataError(f"{folder}: missing {', '.join(missing)}; found {', '.join(names[:20]) or 'nothing'}")
    return files


def _check_pair(images: np.ndarray, labels: np.ndarray, image_path: Path, label_path: Path) -> None:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(images):
        raise DataError(
            f"{image_path} has shape {images.shape}, {label_path.name} {labels.shape}: (N, H, W) and (N,) "
            "with the same N > 0 are needed"
        )
    if images.dtype != np.uint8 or labels.dtype != np.uint8:
        raise DataError(f"{image_path}: {images.dtype} images, {labels.dtype} labels; both must be uint8")
