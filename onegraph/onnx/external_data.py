"""Tensors that an ONNX model keeps in files beside itself: reading and writing them, and refusing what is unsafe.

A model is a file from anywhere, and it names other files. Only plain files inside the model's own folder are read
or written: each folder on the way is opened without following links, and what was opened is looked at, not what
had that name a moment before.

Source: the ONNX specification, "External tensor data" (docs/ExternalData.md in the ONNX repository).
Read next: `export/program.py`, which writes with it; `storage/atomic.py`.
"""

from __future__ import annotations

import errno
import math
import mmap
import ntpath
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NoReturn

import numpy as np

from onegraph.errors import ExternalDataError
from onegraph.storage.atomic import atomic_write

ALIGNMENT: Final = 4096
"""Where tensors may begin in the files that are written: at multiples of a memory page, so that they can be mapped."""

_SMALL: Final = 1 << 16  # below this, reading is cheaper than mapping
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST_DIGITS: Final = 19  # of an offset or a length: what 64 bits hold

# Bits of an element by TensorProto.DataType. Text has none: its data cannot be outside.
_BITS: Final[Mapping[int, int]] = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip


def byte_count(data_type: int, shape: tuple[int, ...]) -> int | None:
    """Bytes that elements of an ONNX data type take; types below 8 bits are packed. None for text and unknown types.

    >>> byte_count(1, (2, 3)), byte_count(22, (3,)), byte_count(8, (1,))
    (24, 2, None)
    """
    bits = _BITS.get(data_type)
    if bits is None:
        return None
    return (math.prod(shape) * bits + 7) // 8


def _refuse(tensor: str, location: str, rule: str, hint: str | None = None) -> NoReturn:
    error = ExternalDataError(f"tensor {tensor[:200]!r}: external data {location[:200]!r}: {rule}", hint=hint)
    error.tensor, error.file, error.rule = tensor, location, rule
    raise error


def checked_parts(tensor: str, location: str) -> list[str]:
    """The folders and the file name of a location, which must stay inside the model's folder.

    Raises:
        ExternalDataError: an empty or absolute location, or one with `..`, a drive, a backslash or a zero byte.

    >>> checked_parts("w", "weights/layer1.bin")
    ['weights', 'layer1.bin']
    """
    if not location or "\0" in location:
        _refuse(tensor, location, "the location is empty or has a zero byte")
    if location.startswith("/") or ntpath.splitdrive(location)[0]:
        _refuse(tensor, location, "the path is absolute; it must be relative to the model's folder")
    if "\\" in location:
        _refuse(tensor, location, "folders are separated by / in ONNX files, not by a backslash")
    parts = [part for part in location.split("/") if part not in ("", ".")]
    if ".." in parts:
        _refuse(tensor, location, "the path leaves the model's folder (..)", "keep the data beside the model file")
    if not parts or location.endswith("/"):
        _refuse(tensor, location, "the location names a folder, not a file")
    return parts


@contextmanager
def _opened(tensor: str, folder: Path, location: str) -> Iterator[int]:
    """A descriptor of the plain file at a location, reached without following a link below the folder."""
    parts = checked_parts(tensor, location)
    held: list[int] = []
    try:
        held.append(os.open(folder, _FOLDER))
        for part in parts[:-1]:
            held.append(os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=held[-1]))
        held.append(os.open(parts[-1], _FILE | _NO_FOLLOW, dir_fd=held[-1]))
        check_plain_file(tensor, location, os.fstat(held[-1]))
        yield held[-1]
    except OSError as error:
        if isinstance(error, ExternalDataError):
            raise
        _refuse(tensor, location, _reason(error))
    finally:
        for descriptor in reversed(held):
            os.close(descriptor)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "the file, or a folder on the way to it, is a symbolic link or no folder; links are not followed"
    if error.errno == errno.ENOENT:
        return "there is no such file"
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return "it is a special file (a pipe, a socket or a device)"
    return str(error.strerror or error)


def check_plain_file(tensor: str, location: str, status: os.stat_result) -> None:
    """Refuse what is no regular file of one name."""
    if stat.S_ISLNK(status.st_mode):
        _refuse(tensor, location, "it is a symbolic link; links are not followed", "copy the file itself there")
    if stat.S_ISDIR(status.st_mode):
        _refuse(tensor, location, "it is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        _refuse(tensor, location, "it is a special file (a pipe, a socket or a device)")
    if status.st_nlink > 1:
        _refuse(
            tensor, location, "the file has a second name (a hard link), which may lie outside the model's folder",
            "copy the file: cp it to a new name and move that back",
        )  # fmt: skip


def _number(tensor: str, location: str, key: str, text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > _MOST_DIGITS:
        _refuse(tensor, location, f"its {key} {text[:40]!r} is no number of at most 64 bits")
    value = int(text)
    if value < 0:
        _refuse(tensor, location, f"its {key} is {value}, below 0")
    return value


class ExternalFiles:
    """Reads the external data of one model. Files are opened once and mapped into memory.

    Args:
        folder: the folder of the model file, or None for a model that is not in a file.

    The files must not change while arrays made from them are in use.

    Example:
        >>> import tempfile
        >>> import onnx
        >>> folder = tempfile.mkdtemp()
        >>> _ = Path(folder, "w.bin").write_bytes(np.arange(6, dtype="<f4").tobytes())
        >>> tensor = onnx.TensorProto(name="w", data_type=1, dims=[2], data_location=1)
        >>> for key, value in {"location": "w.bin", "offset": "8", "length": "8"}.items():
        ...     _ = tensor.external_data.add(key=key, value=value)
        >>> np.frombuffer(ExternalFiles(folder).read(tensor), "<f4").tolist()
        [2.0, 3.0]
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._maps: dict[str, memoryview] = {}

    def read(self, tensor: Any) -> memoryview:
        """The bytes of a TensorProto whose data is outside, little-endian and packed as in `raw_data`.

        Raises:
            ExternalDataError: an unsafe or missing file; an offset or a length that is negative, past the end of
                the file, or not what shape and data type need.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name, location = tensor.name, entries.get("location", "")
        if len(entries) != len(tensor.external_data):
            _refuse(name, location, "an entry of its external data is there twice")
        if self.folder is None:
            _refuse(name, location, "the model is not in a file, so that there is no folder to look in",
                    "load the model by its path")  # fmt: skip
        offset = _number(name, location, "offset", entries.get("offset", "0"))
        if any(size < 0 for size in tensor.dims):
            _refuse(name, location, f"its shape {list(tensor.dims)[:16]} has a negative size")
        expected = byte_count(tensor.data_type, tuple(tensor.dims))
        if expected is None:
            _refuse(name, location, f"elements of data type {tensor.data_type} cannot be outside the model file")
        length = _number(name, location, "length", entries["length"]) if "length" in entries else expected
        if length != expected:
            _refuse(name, location, f"its length is {length}, shape {list(tensor.dims)} needs {expected} bytes")
        content = self._content(name, location)
        if offset + length > len(content):
            _refuse(name, location, f"bytes {offset} to {offset + length} are asked for, the file has {len(content)}")
        return content[offset : offset + length]

    def _content(self, tensor: str, location: str) -> memoryview:
        found = self._maps.get(location)
        if found is None:
            assert self.folder is not None
            with _opened(tensor, self.folder, location) as descriptor:
                size = os.fstat(descriptor).st_size
                if size < _SMALL:
                    found = memoryview(os.read(descriptor, size))
                else:
                    found = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
            self._maps[location] = found
        return found


class ExternalWriter:
    """Writes tensors one after the other into a file beside the model, whole or not at all.

    Args:
        folder: of the model file.
        location: the file, relative to the folder; folders on the way must exist.

    Raises:
        ExternalDataError: a location that leaves the folder, or where a link or something that is no file stands.
        StorageError: the disk is full, read-only, or permission is missing.

    Example:
        >>> import tempfile
        >>> with ExternalWriter(tempfile.mkdtemp(), "model.onnx.data") as writer:
        ...     print(writer.add("w", b"12345678"), writer.add("b", b"1234"))
        {'location': 'model.onnx.data', 'offset': '0', 'length': '8'} {'location': 'model.onnx.data', 'offset': '4096', 'length': '4'}
    """

    def __init__(self, folder: str | os.PathLike[str], location: str) -> None:
        self.location = location
        self._parts = checked_parts("", location)
        self._folder = Path(os.path.realpath(folder))
        self._position = 0
        self._check()
        self._atomic = atomic_write(self._folder.joinpath(*self._parts))
        if self._atomic._target != self._folder.joinpath(*self._parts):
            _refuse("", location, "a symbolic link took its place meanwhile")
        self._file: BinaryIO | None = None

    def _check(self) -> None:
        held: list[int] = []
        try:
            held.append(os.open(self._folder, _FOLDER))
            for part in self._parts[:-1]:
                held.append(os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=held[-1]))
            try:
                status = os.stat(self._parts[-1], dir_fd=held[-1], follow_symlinks=False)
            except FileNotFoundError:
                return
            check_plain_file("", self.location, status)
        except OSError as error:
            if isinstance(error, ExternalDataError):
                raise
            _refuse("", self.location, _reason(error))
        finally:
            for descriptor in reversed(held):
                os.close(descriptor)

    def __enter__(self) -> ExternalWriter:
        self._file = self._atomic.__enter__()
        return self

    def add(self, tensor: str, content: Any) -> dict[str, str]:
        """Append the bytes of a tensor.

        Args:
            tensor: its name, for errors.
            content: bytes, or a contiguous array in little-endian order.

        Returns:
            The entries of `TensorProto.external_data`: location, offset and length.
        """
        if self._file is None:
            _refuse(tensor, self.location, "the file is not open: use the writer in a `with` block")
        if isinstance(content, np.ndarray):
            content = np.ascontiguousarray(content).reshape(-1).view(np.uint8).data
        gap = -self._position % ALIGNMENT
        self._file.write(bytes(gap))
        self._file.write(content)
        offset, self._position = self._position + gap, self._position + gap + len(content)
        return {"location": self.location, "offset": str(offset), "length": str(len(content))}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._atomic.__exit__(kind, error, traceback)
