"""The safetensors file format: named arrays and strings of metadata, read and written without running code.

A file is eight bytes (the header's length, little-endian), the header (JSON: dtype, shape and byte range of
every tensor), and the bytes of all tensors without gaps. Format: https://github.com/huggingface/safetensors.
The reader trusts nothing: every number is checked against the size of the file before anything is allocated.

Read next: `atomic.py`, which makes the writes whole or nothing.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, StorageError
from onegraph.storage.atomic import atomic_write
from onegraph.storage.filesystem import storage_error

# Our name of an element type: its code in the file, and how NumPy holds it. bfloat16 is kept as its 16 bits.
_TYPES: Final[dict[str, tuple[str, np.dtype[Any]]]] = {
    "bool": ("BOOL", np.dtype("?")),
    "uint8": ("U8", np.dtype("u1")),
    "int8": ("I8", np.dtype("i1")),
    "int16": ("I16", np.dtype("<i2")),
    "int32": ("I32", np.dtype("<i4")),
    "int64": ("I64", np.dtype("<i8")),
    "float16": ("F16", np.dtype("<f2")),
    "bfloat16": ("BF16", np.dtype("<u2")),
    "float32": ("F32", np.dtype("<f4")),
    "float64": ("F64", np.dtype("<f8")),
}
_NAME_OF_CODE: Final = {code: name for name, (code, _) in _TYPES.items()}
_METADATA: Final = "__metadata__"
_MAX_HEADER: Final = 100_000_000  # the limit of the format's own library
_MAX_HEADER_PARTS: Final = 4_000_000  # bounds what a hostile header unfolds to in memory; 400,000 tensors need less
_MAX_RANK: Final = 64  # NumPy's


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array together with the name of its element type, because NumPy has no bfloat16.

    Args:
        data: the values; for bfloat16 their bits as uint16.
        dtype: one of bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64.

    Raises:
        DTypeError: when `data` is not held the way that `dtype` is.

    Example:
        >>> one = StoredArray(np.array([0x3F80], np.uint16), "bfloat16")
        >>> one.dtype, one.data.shape
        ('bfloat16', (1,))
    """

    data: np.ndarray[Any, Any]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in _TYPES:
            raise DTypeError(f"StoredArray: unknown dtype {self.dtype!r}", hint=f"one of: {', '.join(_TYPES)}")
        expected = _TYPES[self.dtype][1]
        if not isinstance(self.data, np.ndarray) or self.data.dtype.newbyteorder("<") != expected:
            held = getattr(self.data, "dtype", type(self.data).__name__)
            raise DTypeError(f"StoredArray: {self.dtype} is held as a NumPy array of {expected.name}, not {held}")


def save_file(
    tensors: Mapping[str, StoredArray | np.ndarray[Any, Any]],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays to a safetensors file, whole or not at all. The same input gives the same bytes.

    Args:
        tensors: arrays by name, in any memory layout. Plain NumPy arrays keep their own type.
        path: the file to write.
        metadata: strings by name, kept in the header.

    Raises:
        DTypeError: for an element type that the format (or onegraph) does not have.
        ArgumentError: for a name that cannot be stored.
        ArgumentTypeError: for names or metadata that are not strings, or values that are not arrays.
        StorageError: when the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
        >>> save_file({"bias": np.zeros(3, np.float32)}, path, {"format": "onegraph"})
        >>> tensors, metadata = load_file(path)
        >>> tensors["bias"].dtype, tensors["bias"].data.tolist(), metadata
        ('float32', [0.0, 0.0, 0.0], {'format': 'onegraph'})
    """
    arrays = {name: _as_stored(name, value) for name, value in tensors.items()}
    # Wide elements first: each tensor then starts at a multiple of its element size, for who maps the file.
    order = sorted(arrays, key=lambda name: (-arrays[name].data.dtype.itemsize, name))
    header = _encode_header(arrays, order, metadata)
    with atomic_write(path) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for name in order:
            little_endian = _TYPES[arrays[name].dtype][1]
            contiguous = np.ascontiguousarray(arrays[name].data, dtype=little_endian)
            if contiguous.size:
                file.write(contiguous.reshape(-1).view(np.uint8).data)


def load_file(path: str | os.PathLike[str]) -> tuple[dict[str, StoredArray], dict[str, str]]:
    """Read a safetensors file.

    Args:
        path: the file to read.

    Returns:
        The arrays by name, in the order of the header, and the metadata (empty when there is none).

    Raises:
        StorageError: when the file is missing, truncated, corrupt, hostile, or uses an unknown element type.

    Example:
        >>> load_file("absent.safetensors")
        Traceback (most recent call last):
        ...
        onegraph.errors.StorageError: cannot read 'absent.safetensors': no such file or folder...
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb", buffering=0) as file:
            return _Reader(path, file).read()
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, "read") from error


@dataclass(frozen=True)
class _Entry:
    """One tensor as the header describes it; `begin` and `end` count from the first byte after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _Reader:
    """Reads one open file; every complaint names it."""

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO) -> None:
        self._path = os.fspath(path)
        self._file = file

    def read(self) -> tuple[dict[str, StoredArray], dict[str, str]]:
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise self._error("it is not a regular file")
        if status.st_size < 8:
            raise self._error(f"{status.st_size} bytes are too few for a safetensors file")
        length = int.from_bytes(self._exactly(8), "little")
        if length > _MAX_HEADER or length > status.st_size - 8:
            raise self._error(
                f"the header claims {length} bytes; the file has {status.st_size}, a header at most {_MAX_HEADER}"
            )
        header = self._parse(self._exactly(length))
        metadata = self._metadata(header.pop(_METADATA, {}))
        entries = [self._entry(name, value) for name, value in header.items()]
        self._check_layout(entries, status.st_size - 8 - length)
        arrays = {entry.name: StoredArray(np.empty(0), "float64") for entry in entries}  # fixes the header's order
        for entry in sorted(entries, key=lambda entry: entry.begin):
            arrays[entry.name] = StoredArray(self._array(entry), entry.dtype)
        return arrays, metadata

    def _error(self, reason: str, hint: str | None = "the file is damaged or no safetensors file") -> StorageError:
        return StorageError(f"cannot read {self._path!r}: {reason}", hint=hint)

    def _exactly(self, count: int) -> bytearray:
        content = bytearray(count)
        self._fill(memoryview(content))
        return content

    def _fill(self, view: memoryview) -> None:
        while len(view):  # one read, except for what the system returns in pieces (2 GiB on Linux)
            count = self._file.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise self._error("it became shorter while it was read")
            view = view[count:]

    def _parse(self, text: bytearray) -> dict[str, Any]:
        if text[:1] != b"{":
            raise self._error("the header does not start with '{'")
        if sum(text.count(mark) for mark in (b"{", b"[", b",")) > _MAX_HEADER_PARTS:
            raise self._error(f"the header has more than {_MAX_HEADER_PARTS} parts")
        try:
            return dict(json.loads(text.decode("utf-8"), object_pairs_hook=self._without_duplicates))
        except RecursionError:
            raise self._error("the header is nested too deeply") from None
        except ValueError as error:  # also bad UTF-8 and numbers of thousands of digits
            raise self._error(f"the header is not valid JSON ({error})") from error

    def _without_duplicates(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise self._error(f"the header has the key {name[:200]!r} twice")
        return result

    def _metadata(self, value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise self._error(f"{_METADATA} is not a table of strings")
        return value

    def _entry(self, name: str, value: Any) -> _Entry:
        label = f"tensor {name[:200]!r}"
        if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
            raise self._error(f"{label} must have exactly dtype, shape and data_offsets")
        code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if not isinstance(code, str) or code not in _NAME_OF_CODE:
            known = ", ".join(_NAME_OF_CODE)
            raise self._error(f"{label} has the unknown dtype {str(code)[:50]!r}", f"onegraph reads {known}")
        if not _are_sizes(shape) or len(shape) > _MAX_RANK:
            raise self._error(f"the shape of {label} is not a list of at most {_MAX_RANK} sizes")
        if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise self._error(f"the data_offsets of {label} are not two increasing positions")
        dtype = _NAME_OF_CODE[code]
        # Python's integers do not overflow; sizes beyond NumPy's are refused even where another one is 0.
        nbytes = math.prod(shape) * _TYPES[dtype][1].itemsize
        if nbytes != offsets[1] - offsets[0] or math.prod(size for size in shape if size) >= 2**60:
            raise self._error(f"{label} of shape {shape} {code} does not fill its data_offsets {offsets}")
        return _Entry(name, dtype, tuple(shape), offsets[0], offsets[1])

    def _check_layout(self, entries: list[_Entry], available: int) -> None:
        """The tensors must lie side by side and end with the file: no overlap, no gap, nothing hidden."""
        position = 0
        for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
            if entry.begin != position:
                word = "overlaps another one" if entry.begin < position else "leaves a gap before it"
                raise self._error(f"tensor {entry.name[:200]!r} at {entry.begin} {word} (expected {position})")
            position = entry.end
        if position != available:
            raise self._error(f"the tensors take {position} bytes, but the file has {available} after its header")

    def _array(self, entry: _Entry) -> np.ndarray[Any, Any]:
        storage = _TYPES[entry.dtype][1]
        array = np.empty(entry.shape, storage)
        if array.size:
            raw = array.reshape(-1).view(np.uint8)
            self._fill(raw.data)
            if entry.dtype == "bool" and raw.max() > 1:
                raise self._error(f"the bool tensor {entry.name[:200]!r} has bytes other than 0 and 1")
        return array.astype(storage.newbyteorder("="), copy=False)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _as_stored(name: Any, value: Any) -> StoredArray:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"save_file: tensor names are strings, not {type(name).__name__} ({name!r})")
    if name == _METADATA:
        raise ArgumentError(f"save_file: no tensor may be named {_METADATA!r}", hint="that name holds the metadata")
    if isinstance(value, StoredArray):
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise ArgumentTypeError(
            f"save_file: tensor {name!r} is a {type(value).__name__}, not a NumPy array or StoredArray",
            hint="convert it with numpy.asarray",
        )
    if value.dtype.name not in _TYPES or value.dtype.name == "bfloat16":
        raise DTypeError(
            f"save_file: tensor {name!r} of shape {value.shape} has dtype {value.dtype}"
            ", which the format does not have",
            hint='for bfloat16 pass StoredArray(bits_as_uint16, "bfloat16"); others convert with .astype',
        )
    return StoredArray(value, value.dtype.name)


def _encode_header(arrays: Mapping[str, StoredArray], order: list[str], metadata: Mapping[str, str] | None) -> bytes:
    header: dict[str, Any] = {}
    if metadata:
        for key, text in metadata.items():
            if not isinstance(key, str) or not isinstance(text, str):
                raise ArgumentTypeError(f"save_file: metadata are strings by name, not {key!r}: {text!r}")
        header[_METADATA] = dict(metadata)
    begins, position = {}, 0
    for name in order:
        begins[name] = position
        position += arrays[name].data.nbytes
    for name, array in arrays.items():
        header[name] = {
            "dtype": _TYPES[array.dtype][0],
            "shape": list(array.data.shape),
            "data_offsets": [begins[name], begins[name] + array.data.nbytes],
        }
    try:
        encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(f"save_file: a name or metadata text is not valid Unicode ({error.reason})") from error
    encoded += b" " * (-len(encoded) % 8)  # the data then starts at a multiple of 8
    if len(encoded) > _MAX_HEADER:
        raise ArgumentError(f"save_file: names and metadata take {len(encoded)} bytes, at most {_MAX_HEADER} fit")
    return encoded
