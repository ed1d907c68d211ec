"""Writes the zip archives of PyTorch, which `torch.load(file, weights_only=True)` reads.

`data.pkl` describes the value in pickle's protocol 2, `data/N` holds the numbers of a storage, starting at a multiple of 64
bytes. Nothing of PyTorch is needed. Layout: `torch/serialization.py`. Read next: `pytorch_reader.py`.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.device import Device, Size
from onegraph.frontend.tensor import Tensor, realize_tensors
from onegraph.interop.pytorch_names import STORAGE_TYPES
from onegraph.ir.dtype import DType
from onegraph.storage.atomic import atomic_write
from onegraph.storage.state import MAX_DEPTH, origin

_ALIGNMENT: Final = 64
_LOCAL_HEADER: Final = 30  # bytes before a name in a zip archive
_ZIP64_LIMIT: Final = (1 << 31) - 1
_CLASS_OF: Final = {dtype: name for name, dtype in STORAGE_TYPES.items()}


def write_pytorch(value: Any, file: Any) -> None:
    """Write a value as `torch.save` would.

    Args:
        value: tensors, numbers, text, bytes, None, dtypes, NumPy arrays, and dicts, lists and tuples of them. Tensors that
            share their numbers here share them after reading. (`torch.load` reads NumPy arrays only with
            `weights_only=False`.)
        file: the file to write, whole or not at all; or something with a `write` method.

    Raises:
        ArgumentTypeError: something in it is of another kind; the message says where.
        StorageError: the file cannot be written.

    >>> import onegraph as og
    >>> write_pytorch({"weight": og.ones(2)}, "weights.pth")
    >>> og.load("weights.pth")
    {'weight': tensor([1., 1.])}
    """
    pickle = _Pickle()
    pickle.value(value, ())
    content = pickle.finished()
    pending = [tensor for tensor in pickle.tensors if type(tensor._node.value) is not Buffer]
    if pending:
        realize_tensors(pending)
    if hasattr(file, "write"):
        stream = io.BytesIO()
        _write_archive(stream, "archive", content, pickle.tensors)
        file.write(stream.getbuffer())
        return
    root = os.path.splitext(os.path.basename(os.fspath(file)))[0] or "archive"
    with atomic_write(file) as opened:
        _write_archive(opened, root, content, pickle.tensors)


def _write_archive(file: Any, root: str, content: bytes, tensors: list[Tensor]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_entry(archive, f"{root}/data.pkl", content)
        _write_entry(archive, f"{root}/byteorder", sys.byteorder.encode())
        for number, tensor in enumerate(tensors):
            array = np.ascontiguousarray(tensor._realize().array)
            _write_entry(archive, f"{root}/data/{number}", array.reshape(-1).view(np.uint8).data if array.size else b"")
        _write_entry(archive, f"{root}/version", b"3\n")


def _write_entry(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    """One entry, whose content starts at a multiple of 64 bytes, so that it can be used where it lies in the file."""
    assert archive.fp is not None
    info = zipfile.ZipInfo(name)  # with the year 1980: the same value gives the same bytes
    large = len(content) * 1.05 > _ZIP64_LIMIT  # where zipfile draws the line
    start = archive.fp.tell() + _LOCAL_HEADER + len(name.encode()) + (20 if large else 0)
    padding = -(start + 4) % _ALIGNMENT
    info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    info.file_size = len(content)
    with archive.open(info, "w", force_zip64=large) as entry:
        entry.write(content)


class _Pickle:
    """The instructions that rebuild a value, and the tensors whose numbers they refer to."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self._numbers: dict[int, int] = {}
        self._out = bytearray(b"\x80\x02")  # protocol 2
        self._kept: list[Any] = []  # an id stays taken while its object lives

    def finished(self) -> bytes:
        return bytes(self._out) + b"."

    def value(self, value: Any, path: tuple[str, ...]) -> None:
        if value is None or isinstance(value, (bool, np.bool_)):
            self._out += b"N" if value is None else b"\x88" if value else b"\x89"
        elif isinstance(value, (int, np.integer)):
            self._integer(int(value))
        elif isinstance(value, (float, np.floating)):
            self._out += b"G" + struct.pack(">d", float(value))
        elif isinstance(value, str):
            self._text(value)
        elif isinstance(value, (bytes, bytearray)):
            self._bytes(bytes(value))
        elif isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray):
            self._array(value, path)
        elif isinstance(value, DType):
            self._name("torch", value.name)
        elif isinstance(value, Device):
            self._name("torch", "device")
            self.value((value.type,), path)
            self._out += b"R"
        else:
            self._container(value, path)

    def _container(self, value: Any, path: tuple[str, ...]) -> None:
        place = "state" + "".join(f"[{part!r}]" for part in path)
        if len(path) >= MAX_DEPTH:
            raise ArgumentError(
                f"save: {place[:80]}... is nested more than {MAX_DEPTH} deep", hint="does it contain itself?"
            )
        if isinstance(value, Mapping):
            if isinstance(value, OrderedDict):
                self._name("collections", "OrderedDict")
                self._out += b")R"
            else:
                self._out += b"}"
            self._out += b"("
            for key, item in value.items():
                if isinstance(key, (Tensor, np.ndarray)):
                    raise ArgumentTypeError(f"save: a key of {place} is a {type(key).__name__}")
                self.value(key, (*path, "key"))
                self.value(item, (*path, str(key)))
            self._out += b"u"
        elif isinstance(value, Size):
            self._name("torch", "Size")
            self.value((tuple(value),), path)
            self._out += b"R"
        elif isinstance(value, (list, tuple)):
            self._out += b"](" if isinstance(value, list) else b"("
            for i, item in enumerate(value):
                self.value(item, (*path, str(i)))
            self._out += b"e" if isinstance(value, list) else b"t"
        else:
            hint = "keep tensors, arrays, numbers, strings, None, and dicts, lists and tuples of them"
            if hasattr(value, "state_dict"):
                hint = "save its state_dict() instead"
            raise ArgumentTypeError(f"save: {place} is a {type(value).__name__}, which is no state", hint=hint)

    def _integer(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self._out += b"J" + struct.pack("<i", value)
            return
        content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        short = len(content) < 256  # the other form is one that torch.load's own reader does not know
        self._out += (b"\x8a" + bytes([len(content)]) if short else b"\x8b" + struct.pack("<i", len(content))) + content

    def _text(self, value: str) -> None:
        content = value.encode("utf-8", "surrogatepass")
        self._out += b"X" + struct.pack("<I", len(content)) + content

    def _bytes(self, value: bytes) -> None:
        """Protocol 2 has text only: one letter a byte."""
        self._name("_codecs", "encode")
        self._out += b"("
        self._text(value.decode("latin-1"))
        self._text("latin1")
        self._out += b"tR"

    def _name(self, module: str, name: str) -> None:
        self._out += f"c{module}\n{name}\n".encode()

    def _tensor(self, tensor: Tensor) -> None:
        """A view of all of a storage, row by row; a parameter stays one."""
        owner = origin(tensor)
        number = self._numbers.setdefault(id(owner), len(self.tensors))
        if number == len(self.tensors):
            self.tensors.append(tensor.detach())
            self._kept.append(owner)
        shape = tuple(int(size) for size in tensor.shape)
        strides, step = [0] * len(shape), 1
        for axis in reversed(range(len(shape))):
            strides[axis], step = step, step * max(1, shape[axis])
        parameter = type(tensor).__name__ == "Parameter"
        if parameter:
            self._name("torch._utils", "_rebuild_parameter")
            self._out += b"("
        self._name("torch._utils", "_rebuild_tensor_v2")
        self._out += b"(("
        self._text("storage")
        self._name("torch", _CLASS_OF[tensor.dtype])
        for part in (str(number), "cpu", tensor.numel()):
            self.value(part, ())
        self._out += b"tQ"
        for part in (0, shape, tuple(strides), tensor.requires_grad and not parameter):
            self.value(part, ())
        self._hooks()
        self._out += b"tR"
        if parameter:
            self.value(bool(tensor.requires_grad), ())
            self._hooks()
            self._out += b"tR"

    def _hooks(self) -> None:
        """The place of backward hooks, which are not saved."""
        self._name("collections", "OrderedDict")
        self._out += b")R"

    def _array(self, array: np.ndarray[Any, Any], path: tuple[str, ...]) -> None:
        """As NumPy pickles an array: an empty one, then its state."""
        if array.dtype.kind not in "biufcSU" or isinstance(array, np.ma.MaskedArray):
            raise ArgumentTypeError(f"save: state{list(path)} is an array of {array.dtype}, which cannot be kept")
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        self._name("numpy.core.multiarray", "_reconstruct")
        self._out += b"("
        self._name("numpy", "ndarray")
        self.value((0,), path)
        self._bytes(b"b")
        self._out += b"tR("
        self.value(1, path)
        self.value(array.shape, path)
        self._name("numpy", "dtype")
        _, arguments, state = little.dtype.__reduce__()
        self.value(arguments, path)
        self._out += b"R"
        self.value(state, path)
        self._out += b"b"
        self.value(False, path)
        self._bytes(little.tobytes())
        self._out += b"tb"


def is_pytorch_name(path: Any) -> bool:
    """Whether a file of this name is written as PyTorch writes it.

    >>> is_pytorch_name("best.PT"), is_pytorch_name("model.pth.tar"), is_pytorch_name("state.safetensors")
    (True, True, False)
    """
    try:
        name = os.fsdecode(path).lower()
    except TypeError:
        return False
    return name.endswith((".pth", ".pt", ".bin", ".pth.tar"))
