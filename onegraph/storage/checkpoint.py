"""Checkpoints: nested state on disk, whole or not at all, and found damaged rather than loaded wrong.

`save` and `load` keep state in one file, which other programs can read too: safetensors, or PyTorch's format for names that
PyTorch uses (`.pth`, `.pt`, `.bin`). `save_checkpoint` and `load_checkpoint` keep it in a folder; `Checkpoints` keeps the
last few of a training run. Loading runs no code.

Read next: `state.py` (what state is), `atomic.py` (whole or not at all), `model.py` (models that run without their code).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, StorageError
from onegraph.frontend.tensor import Device
from onegraph.storage.atomic import atomic_directory, delete_directory, read_directory
from onegraph.storage.filesystem import storage_error
from onegraph.storage.manifest import damaged, from_json, read_bytes, read_manifest, to_json, write_manifest
from onegraph.storage.safetensors import StoredArray, load_file, save_file
from onegraph.storage.state import Decoder, Encoder, load_tensor

_KIND: Final = "onegraph checkpoint"
_KEYS: Final = ("onegraph.version", "onegraph.structure", "onegraph.sha256")  # of a file's metadata
_VERSION: Final = 1
_TENSORS: Final = "tensors.safetensors"
_STATE: Final = "state.json"


def save(obj: Any, f: Any) -> None:
    """Keep state in one file, whole or not at all.

    The name decides on the format: `.pth`, `.pt`, `.bin` and `.pth.tar` give the archive that `torch.load` reads; any other
    name, and anything with a `write` method, gives safetensors with the structure as metadata and a checksum of it all.

    Args:
        obj: tensors, arrays, numbers, strings, bytes, None, and dicts, lists and tuples of them, such as a `state_dict()`.
        f: the file to write, or something with a `write` method.

    Raises:
        ArgumentTypeError: something in it is of another kind; the message says where.
        StorageError: the file cannot be written.

    >>> import tempfile
    >>> import onegraph as og
    >>> file = os.path.join(tempfile.mkdtemp(), "state.safetensors")
    >>> save({"weight": og.ones(2), "step": 7}, file)
    >>> load(file)
    {'weight': tensor([1., 1.]), 'step': 7}
    """
    from onegraph.interop.pytorch_writer import is_pytorch_name, write_pytorch  # which is built on this folder

    if is_pytorch_name(f):
        write_pytorch(obj, f)
        return
    encoder = Encoder("save")
    structure = to_json(encoder.encode(obj))
    arrays = encoder.stored()
    metadata = dict(zip(_KEYS, (str(_VERSION), structure, _digest(structure, arrays)), strict=True))
    if not hasattr(f, "write"):
        save_file(arrays, f, metadata)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        save_file(arrays, path, metadata)
        f.write(path.read_bytes())


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: bool = False) -> Any:
    """Read what `save` wrote, what `torch.save` wrote, any safetensors file as a dict of tensors, or a checkpoint folder.

    The content decides, not the name. No code of a file ever runs: see `onegraph/interop/pickle_machine.py`.

    Args:
        f: a file, a folder, or something with a `read` method.
        map_location: None or 'cpu', the only place there is; a function or a dict, as PyTorch takes them, changes nothing.
        weights_only: accepted for readers' benefit; there is no other way.
        mmap: leave the numbers of a PyTorch file where they are until they are used; it must not change meanwhile.

    Raises:
        UnsafeFileError: the file asks for something that is no part of weights.
        StorageError: the file is missing, truncated or damaged.
    """
    if map_location is not None and not callable(map_location) and not isinstance(map_location, Mapping):
        Device(map_location)
    if hasattr(f, "read"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "state")
            path.write_bytes(f.read())
            return _load_one(path, False)
    return load_checkpoint(f) if os.path.isdir(f) else _load_one(Path(f), mmap)


def _load_one(path: Path, mmap: bool) -> Any:
    try:
        arrays, metadata = load_file(path)
    except StorageError:
        from onegraph.interop.pytorch_reader import is_pytorch, read_pytorch  # which is built on this folder

        if is_pytorch(_start(path)):
            return read_pytorch(path, mmap)
        raise
    if not any(key.startswith("onegraph.") for key in metadata):
        return {name: load_tensor(stored) for name, stored in arrays.items()}
    version, structure, digest = (metadata.get(key, "") for key in _KEYS)
    if version != str(_VERSION):
        damaged(path, f"it has version {version[:40]!r} of the format, this program reads {_VERSION}")
    if digest != _digest(structure, arrays):
        damaged(path, "its content does not fit its checksum")
    return Decoder(str(path), arrays).decode_all(from_json(structure, path))


def _start(path: Path) -> bytes:
    try:
        return read_bytes(path, 1 << 50, 16)
    except StorageError:
        return b""


def _digest(structure: str, arrays: Mapping[str, StoredArray]) -> str:
    """SHA-256 of the structure, and of the names, types, shapes and bytes of all arrays."""
    digest = hashlib.sha256(structure.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(to_json([name, array.dtype, list(array.data.shape)]).encode())
        data = np.ascontiguousarray(array.data, array.data.dtype.newbyteorder("<"))
        if data.size:
            digest.update(data.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_checkpoint(path: str | os.PathLike[str], state: Any) -> None:
    """Keep state in a folder, whole or not at all: `tensors.safetensors` and `state.json`.

    Args:
        path: the folder; one that is there is replaced.
        state: as for `save`.

    Raises:
        ArgumentTypeError: something in it is of another kind; the message says where.
        StorageError: the folder cannot be written.

    >>> import tempfile
    >>> import onegraph as og
    >>> folder = os.path.join(tempfile.mkdtemp(), "checkpoint")
    >>> save_checkpoint(folder, {"weight": og.ones(2), "losses": [0.5, float("nan")]})
    >>> load_checkpoint(folder)
    {'weight': tensor([1., 1.]), 'losses': [0.5, nan]}
    """
    encoder = Encoder("save_checkpoint")
    structure = encoder.encode(state)
    arrays = encoder.stored()
    with atomic_directory(path) as folder:
        save_file(arrays, folder / _TENSORS)
        content = {"format": _KIND, "version": _VERSION, "structure": structure}
        write_manifest(folder / _STATE, content, [_TENSORS])


def load_checkpoint(path: str | os.PathLike[str]) -> Any:
    """Read what `save_checkpoint` wrote.

    Raises:
        StorageError: naming the file that is missing, truncated or damaged.
    """
    return read_directory(path, _load_folder)


def _load_folder(folder: Path) -> Any:
    content = read_manifest(folder / _STATE, _KIND, _VERSION, {_TENSORS})
    arrays, _ = load_file(folder / _TENSORS)
    return Decoder(str(folder / _STATE), arrays).decode_all(content.get("structure"))


class Checkpoints:
    """The last few checkpoints of a training run, in folders `step-00000120` and so on.

    Args:
        folder: where they are; made when it is missing.
        keep: how many to keep; None keeps all.

    >>> import tempfile
    >>> checkpoints = Checkpoints(tempfile.mkdtemp(), keep=2)
    >>> for step in (10, 20, 30):
    ...     _ = checkpoints.save(step, {"loss": 1 / step})
    >>> checkpoints.steps(), checkpoints.latest()
    ([20, 30], (30, {'loss': 0.03333333333333333}))
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int | None = 3) -> None:
        if keep is not None and (not isinstance(keep, int) or keep < 1):
            raise ArgumentError(f"Checkpoints: keep must be at least 1, or None to keep all, got {keep!r}")
        self.folder = Path(folder)
        self.keep = keep
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder, "write") from error

    def path(self, step: int) -> Path:
        """The folder of a step."""
        return self.folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order, whether it is sound or not."""
        try:
            names = os.listdir(self.folder)
        except OSError as error:
            raise storage_error(error, self.folder, "read") from error
        found = [re.fullmatch(r"step-([0-9]{8,18})", name) for name in names]
        return sorted(int(match[1]) for match in found if match and match[0] == self.path(int(match[1])).name)

    def save(self, step: int, state: Any) -> Path:
        """Keep the state of a step, then delete the oldest beyond `keep`; returns the folder written."""
        if not isinstance(step, int) or isinstance(step, bool):
            raise ArgumentTypeError(f"Checkpoints.save: a step is an int, got {type(step).__name__}")
        if not 0 <= step < 10**18:
            raise ArgumentError(f"Checkpoints.save: a step is from 0 to 10**18, got {step}")
        path = self.path(step)
        save_checkpoint(path, state)
        if self.keep is not None:
            others = [s for s in self.steps() if s != step]
            for old in others[: max(0, len(others) + 1 - self.keep)]:
                delete_directory(self.path(old))
        return path

    def load(self, step: int) -> Any:
        """The state of a step.

        Raises:
            StorageError: there is none, or it is damaged.
        """
        return load_checkpoint(self.path(step))

    def latest(self) -> tuple[int, Any] | None:
        """The newest step whose checkpoint is sound, with its state; None when there is none.

        A damaged one is skipped with a warning that names the file and the reason.
        """
        for step in reversed(self.steps()):
            try:
                return step, self.load(step)
            except StorageError as error:
                warnings.warn(f"skipped the checkpoint of step {step}: {error.message}", stacklevel=2)
        return None
