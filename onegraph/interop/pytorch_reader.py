"""Reads the files that `torch.save` writes, without running anything in them.

Two layouts: a zip archive (since PyTorch 1.6) of `data.pkl`, which describes, and one file of numbers per storage; and
before that a row of pickles followed by the numbers. Described storages, shapes, strides and offsets are checked against
the bytes that are there before a tensor is made. Layouts: `torch/serialization.py`.
Read next: `pickle_machine.py` (why nothing runs), `pytorch_writer.py`.
"""

from __future__ import annotations

import math
import mmap as memory_map
import os
import stat
import sys
import zlib
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import StorageError
from onegraph.frontend.tensor import Tensor, wrap_buffer
from onegraph.interop.pickle_machine import Allowed, PickleMachine, Refused, Source
from onegraph.interop.pytorch_names import (
    NAMES,
    ArrayRecord,
    Namespace,
    StorageKind,
    StorageRecord,
    TensorRecord,
    TypeRecord,
    explain,
)
from onegraph.interop.zip_entries import Entry, read_entries
from onegraph.storage.filesystem import storage_error
from onegraph.storage.state import MAX_DEPTH

_ZIP: Final = b"PK\3\4"
_MAGIC: Final = 0x1950A86A20F9469CFC6C  # the first pickle of the older layout
_PROTOCOL: Final = 1001
_SPARE: Final = 256 << 20  # bytes that copies may take beyond the size of the file
_DAMAGED: Final = "the file is damaged or was not written by torch.save"


def read_pytorch(path: str | os.PathLike[str], mmap: bool = False) -> Any:
    """What a file of `torch.save` holds: tensors, numbers, text, and dicts, lists and tuples of them.

    Args:
        path: a `.pth`, `.pt` or `.bin` file.
        mmap: leave the numbers in the file until they are used: quick, and less memory. The file must not change
            while tensors of it live, and checksums are not looked at.

    Returns:
        The value. Tensors are on the CPU; parameters are tensors that require gradients; devices are strings.

    Raises:
        UnsafeFileError: the file names something that is not needed for weights. Nothing was run.
        StorageError: it is missing, truncated, damaged, or holds what onegraph does not have.

    >>> from onegraph.interop.pytorch_writer import write_pytorch
    >>> write_pytorch({"step": 3, "name": "net"}, "state.pth")
    >>> read_pytorch("state.pth")
    {'step': 3, 'name': 'net'}
    """
    text = os.fspath(path)
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"cannot read {text!r}: it is not a regular file")
            if status.st_size == 0:
                raise StorageError(f"cannot read {text!r}: it is empty", hint=_DAMAGED)
            content = memory_map.mmap(descriptor, 0, access=memory_map.ACCESS_READ)
            return _read(text, content, file, mmap)
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, "read") from error


def is_pytorch(start: bytes) -> bool:
    """Whether a file whose first 16 bytes are these may be one of `torch.save`: a zip archive or a pickle."""
    if start[:4] == _ZIP:
        return True
    safetensors = start[8:9] == b"{"  # their first eight bytes are a length, which may look like anything
    return start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5") and not safetensors


def _read(path: str, content: memory_map.mmap, file: Any, mapped: bool) -> Any:
    storages = _Storages(content, file, mapped)
    try:
        value = _read_zip(content, storages) if content[:4] == _ZIP else _read_legacy(content, storages)
        return _Finisher(storages).finish(value)[0]
    except Refused as refused:
        raise refused.error(path) from refused
    except RecursionError:
        raise StorageError(f"cannot read {path!r}: it is nested too deeply", hint=_DAMAGED) from None


def _read_zip(content: memory_map.mmap, storages: _Storages) -> Any:
    entries = read_entries(content)
    main = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(main) != 1:
        raise Refused("the archive has no data.pkl, so it is not one of torch.save", "is it packed once more?")
    root = main[0].removesuffix("data.pkl")
    if root + "constants.pkl" in entries or any(name.startswith(root + "code/") for name in entries):
        raise Refused(
            "it is a TorchScript archive, which holds code", "in PyTorch: torch.save(torch.jit.load(f).state_dict(), g)"
        )
    order = entries.get(root + "byteorder")
    if order is not None:
        word = storages.raw(order).tobytes()
        if word not in (b"little", b"big"):
            raise Refused(f"its byte order is {word[:20]!r}", _DAMAGED)
        storages.swapped = word.decode() != sys.byteorder
    elif sys.byteorder != "little":
        storages.swapped = True
    described = storages.raw(entries[main[0]]).tobytes()
    machine = PickleMachine(Source(described), NAMES, _storage_of_id, explain)
    value = machine.run()
    prefix = root + "data/"
    storages.places = {
        name.removeprefix(prefix): _Place(entry.start, entry.size, entry.crc)
        for name, entry in entries.items()
        if name.startswith(prefix)
    }
    return value


def _read_legacy(content: memory_map.mmap, storages: _Storages) -> Any:
    if content[:1] != b"\x80":
        hint = (
            "it may be an archive of PyTorch 0.1: load and save it with a newer PyTorch" if _is_tar(content) else None
        )
        raise Refused("it is neither a zip archive nor a pickle", hint or _DAMAGED)
    source = Source(content)
    if PickleMachine(source, NAMES, None, explain).run() != _MAGIC:
        raise Refused("it is a pickle, but not one of torch.save", "save weights with torch.save or as safetensors")
    if PickleMachine(source, NAMES, None, explain).run() != _PROTOCOL:
        raise Refused("it has an unknown version", _DAMAGED)
    system = PickleMachine(source, NAMES, None, explain).run()
    if not isinstance(system, dict) or not isinstance(system.get("little_endian", True), bool):
        raise Refused("the description of its machine is damaged", _DAMAGED)
    storages.swapped = system.get("little_endian", True) != (sys.byteorder == "little")
    kinds: dict[str, StorageRecord] = {}

    def storage(identity: Any) -> StorageRecord:
        record = _storage_of_id(identity)
        known = kinds.setdefault(record.key, record)
        if known.dtype is not record.dtype:
            raise Refused(f"its storage {record.key[:50]!r} has two types", _DAMAGED)
        return record

    value = PickleMachine(source, NAMES, storage, explain).run()
    keys = PickleMachine(source, NAMES, None, explain).run()
    if not isinstance(keys, list):
        raise Refused("the list of its storages is damaged", _DAMAGED)
    position = source.position
    for key in keys:
        if not isinstance(key, str) or key not in kinds or key in storages.places:
            raise Refused(f"nothing refers to its storage {str(key)[:50]!r}", _DAMAGED)
        count = int.from_bytes(content[position : position + 8], "little" if not storages.swapped else "big")
        size = count * kinds[key].dtype.itemsize
        if position + 8 + size > len(content):
            raise Refused("it is truncated: the numbers end too early", "fetch the file again")
        storages.places[key] = _Place(position + 8, size, 0)
        position += 8 + size
    return value


def _is_tar(content: memory_map.mmap) -> bool:
    return content[257:262] == b"ustar"


def _storage_of_id(identity: Any) -> StorageRecord:
    """A storage from its persistent id: ("storage", class, key, device, elements), in old files also a part of one."""
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        raise Refused("it refers to something outside that is no storage")
    _, kind, key, _, count = identity[:5]
    if not isinstance(kind, StorageKind) or type(count) is not int or not 0 <= count < 2**62:
        raise Refused("one of its storages is described wrongly", _DAMAGED)
    if kind.dtype is None:
        raise Refused(
            f"it has a {kind.name}, a type that onegraph does not have", "convert the tensors before saving them"
        )
    start = 0
    if len(identity) == 6 and identity[5] is not None:
        view = identity[5]
        if type(view) is not tuple or len(view) != 3 or any(type(v) is not int or v < 0 for v in view[1:]):
            raise Refused("a part of one of its storages is described wrongly", _DAMAGED)
        start, count = view[1], view[2]
    return StorageRecord(str(key), kind.dtype, count, start)


@dataclass(frozen=True)
class _Place:
    """Where the bytes of a storage are; crc 0: not known."""

    start: int
    size: int
    crc: int


class _Storages:
    """The numbers of a file: read when the first tensor needs them, or left in the file."""

    def __init__(self, content: memory_map.mmap, file: Any, mapped: bool) -> None:
        self.places: dict[str, _Place] = {}
        self.swapped = False
        self._content = content
        self._file = file
        self._mapped = mapped
        self._read: dict[str, np.ndarray[Any, Any]] = {}
        self._left = 2 * len(content) + _SPARE  # bytes that copies may still take

    def raw(self, place: _Place | Entry) -> np.ndarray[Any, Any]:
        """The bytes at a place, with their checksum compared."""
        result = np.empty(place.size, np.uint8)
        view = memoryview(result.data)
        self._file.seek(place.start)
        while len(view):
            count = self._file.readinto(view)
            if not count:
                raise Refused("it became shorter while it was read")
            view = view[count:]
        if place.crc and zlib.crc32(result.data) != place.crc:
            raise Refused("its content does not fit its checksum", "the file is damaged: fetch it again")
        return result

    def spend(self, count: int) -> None:
        """Bytes that are about to be copied; a small file must not unfold to a large one."""
        self._left -= count
        if self._left < 0:
            raise Refused("its tensors repeat the same numbers and would take far more memory than the file")

    def _bytes(self, key: str) -> np.ndarray[Any, Any]:
        found = self._read.get(key)
        if found is None:
            place = self.places.get(key)
            if place is None:
                raise Refused(f"the numbers of storage {key[:50]!r} are missing", "the file is truncated or damaged")
            if self._mapped and place.size:
                found = np.frombuffer(self._content, np.uint8, place.size, place.start)
            else:
                found = self.raw(place)
            self._read[key] = found
        return found

    def array(self, record: TensorRecord) -> np.ndarray[Any, Any]:
        """The numbers of a tensor, row by row; they share memory with the storage where they lie like that in it."""
        storage, dtype = record.storage, record.dtype
        count = math.prod(record.size)
        if count >= 2**62:
            raise Refused(f"it has a tensor of shape {record.size}", _DAMAGED)
        raw = self._bytes(storage.key)
        if storage.dtype.itemsize * (storage.start + storage.count) > raw.size:
            raise Refused(
                f"storage {storage.key[:50]!r} has {raw.size:,} bytes, too few for {storage.count:,} of {storage.dtype.name}",
                "the file is truncated or damaged",
            )
        if count == 0:
            return np.empty(record.size, dtype.numpy)
        part = raw[storage.start * storage.dtype.itemsize :][: storage.count * storage.dtype.itemsize]
        last = record.offset + sum((n - 1) * s for n, s in zip(record.size, record.stride, strict=True))
        if last >= part.size // dtype.itemsize:
            raise Refused(
                f"a tensor of shape {record.size}, strides {record.stride} and offset {record.offset} does not fit in "
                f"the {part.size // dtype.itemsize:,} elements of its storage",
                _DAMAGED,
            )
        return self._values(part, record, last)

    def _values(self, part: np.ndarray[Any, Any], record: TensorRecord, last: int) -> np.ndarray[Any, Any]:
        item = record.dtype.itemsize
        typed = part[record.offset * item : (last + 1) * item].view(record.dtype.numpy)
        array = np.lib.stride_tricks.as_strided(typed, record.size, [s * item for s in record.stride], writeable=False)
        if not array.flags.c_contiguous:
            self.spend(array.nbytes)
            array = np.ascontiguousarray(array)
        if self.swapped and item > 1:
            self.spend(array.nbytes)
            array = array.byteswap()
        if record.dtype.name == "bool" and array.view(np.uint8).max() > 1:
            raise Refused("a tensor of bools has bytes other than 0 and 1", _DAMAGED)
        return array


class _Finisher:
    """Turns descriptions into tensors and arrays, and finds values that contain themselves or are nested too deeply."""

    def __init__(self, storages: _Storages) -> None:
        self._storages = storages
        self._tensors: dict[tuple[Any, ...], Tensor] = {}
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._kept: list[Any] = []  # an id stays taken while its object lives

    def finish(self, value: Any, depth: int = 0) -> tuple[Any, int]:
        """The finished value, and how deep it is nested."""
        if isinstance(value, TensorRecord):
            return self._tensor(value), 0
        if isinstance(value, (ArrayRecord, np.ndarray)):
            return self._array(value), 0
        if isinstance(value, TypeRecord):
            return value.dtype, 0
        if isinstance(value, (Allowed, StorageRecord, StorageKind)):
            raise Refused(f"it holds {getattr(value, 'name', 'a storage')!r} as a value", "save tensors")
        if type(value) not in (list, tuple, dict, OrderedDict, Counter, Namespace):
            return value, 0
        known = self._done.get(id(value))
        if known is None:
            if id(value) in self._open:
                raise Refused("it contains itself")
            if depth > MAX_DEPTH:
                raise Refused(f"it is nested more than {MAX_DEPTH} deep")
            self._open.add(id(value))
            known = self._done[id(value)] = self._container(value, depth + 1)
            self._kept.append(value)
            self._open.discard(id(value))
        if known[1] > MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        return known

    def _container(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, Namespace):
            inside, height = self._container(value.options, depth)
            value.options = inside
            return value.value(), height
        if isinstance(value, dict):
            pairs = [(key, self.finish(item, depth)) for key, item in value.items()]
            for key, (item, _) in pairs:
                value[key] = item
            metadata = getattr(value, "_metadata", None)
            if metadata is not None:
                self.finish(metadata, depth)
            return value, 1 + max((height for _, (_, height) in pairs), default=0)
        items = [self.finish(item, depth) for item in value]
        height = 1 + max((height for _, height in items), default=0)
        if isinstance(value, list):
            value[:] = [item for item, _ in items]
            return value, height
        return tuple(item for item, _ in items), height

    def _array(self, value: ArrayRecord | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """An array that may be written to: the one that a file makes lies in the bytes of its pickle."""
        if id(value) not in self._done:
            array = value.array if isinstance(value, ArrayRecord) else value
            if array is None:
                raise Refused("it has a NumPy array without content", _DAMAGED)
            self._storages.spend(array.nbytes)
            self._done[id(value)] = (array.copy(), 0)
            self._kept.append(value)
        return self._done[id(value)][0]  # type: ignore[no-any-return]

    def _tensor(self, record: TensorRecord) -> Tensor:
        """A tensor; one that has the very same numbers as another shares them with it, as in PyTorch."""
        place = (record.storage.key, record.storage.start, record.offset, record.size, record.stride, record.dtype.name)
        known = self._tensors.get(place)
        if known is not None:
            tensor = known.detach()
        else:
            tensor = self._tensors[place] = wrap_buffer(Buffer(self._storages.array(record), record.dtype))
        if record.requires_grad:
            if not record.dtype.is_floating_point:
                raise Refused(f"a tensor of {record.dtype.name} is said to require gradients", _DAMAGED)
            tensor.requires_grad_(True)
        return tensor
