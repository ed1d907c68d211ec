"""Nested state as plain data: a structure that is JSON, and arrays by name. Checkpoints and saved models are made of both.

State is dicts, lists and tuples of tensors, arrays, numbers, strings, bytes, dtypes and None. Reading it back runs no
code: only these kinds exist in the format, and everything else is refused by name.

    value      in JSON                          value          in JSON
    None, bool, str, short ints, floats         as they are    dict (text keys)   {"dict": {"a": ...}}
    nan, inf, -inf     {"float": "nan"}         other dict     {"items": [[key, value], ...]}
    ints of over 53 bits  {"int": "0x..."}      list           [...]
    bytes              {"bytes": "base64"}      tuple          {"tuple": [...]}
    dtype              {"dtype": "float32"}     array          {"array": name}; a NumPy scalar {"scalar": name}
    tensor             {"tensor": name}, with "requires_grad": true where it does

Read next: `checkpoint.py` (files of state), `model.py` (saved models), `manifest.py` (JSON that is checked).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ArgumentTypeError, StorageError
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.ir.dtype import ALL, DType, as_dtype, bfloat16
from onegraph.storage.safetensors import StoredArray

MAX_DEPTH: Final = 100  # of dicts, lists and tuples within each other
_DTYPES: Final = {d.name: d for d in ALL}
_EXACT_INTEGERS: Final = 2**53  # beyond, other readers of JSON round


class Encoder:
    """Turns state into a structure, and collects its tensors and arrays by name.

    Attributes:
        tensors: the tensors found, by name; one that occurs twice is there once.
        arrays: the NumPy arrays found, by name.

    >>> import onegraph as og
    >>> encoder = Encoder("save")
    >>> encoder.encode({"step": 3, "weight": og.ones(2), "history": (0.5, None)})
    {'dict': {'step': 3, 'weight': {'tensor': 'weight'}, 'history': {'tuple': [0.5, None]}}}
    """

    def __init__(self, action: str) -> None:
        self.action = action
        self.tensors: dict[str, Tensor] = {}
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._names: dict[int, str] = {}
        self._used = {"__metadata__"}  # what a safetensors file keeps for itself
        self._kept: list[Any] = []  # an id stays taken while its object lives

    def encode(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """The structure of a value, as JSON."""
        if value is None or isinstance(value, (bool, str)):
            return str(value) if isinstance(value, str) else value
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, path)
        if isinstance(value, int):
            return int(value) if abs(value) <= _EXACT_INTEGERS else {"int": hex(value)}
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, DType):
            return {"dtype": value.name}
        return self._container(value, path)

    def _container(self, value: Any, path: tuple[str, ...]) -> Any:
        if len(path) >= MAX_DEPTH:
            raise ArgumentError(
                f"{self.action}: {_place(path[:3])}... is nested more than {MAX_DEPTH} deep",
                hint="does it contain itself?",
            )
        if isinstance(value, Mapping):
            if all(type(key) is str for key in value):
                return {"dict": {key: self.encode(v, (*path, key)) for key, v in value.items()}}
            return {"items": [[self._key(k, path), self.encode(v, (*path, str(k)))] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            items = [self.encode(v, (*path, str(i))) for i, v in enumerate(value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        hint = "keep tensors, arrays, numbers, strings, None, and dicts, lists and tuples of them"
        if hasattr(value, "state_dict"):
            hint = "save its state_dict() instead"
        raise ArgumentTypeError(
            f"{self.action}: {_place(path)} is a {type(value).__name__}, which is no state", hint=hint
        )

    def _key(self, key: Any, path: tuple[str, ...]) -> Any:
        if isinstance(key, (Tensor, np.ndarray)):
            raise ArgumentTypeError(f"{self.action}: a key of {_place(path)} is a {type(key).__name__}")
        return self.encode(key, (*path, "key"))

    def _tensor(self, tensor: Tensor, path: tuple[str, ...]) -> Any:
        name = self._name(origin(tensor), path, self.tensors, tensor)
        return {"tensor": name, "requires_grad": True} if tensor.requires_grad else {"tensor": name}

    def _array(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, np.ma.MaskedArray):
            raise ArgumentTypeError(f"{self.action}: {_place(path)} is a masked array; its mask would be lost")
        array = np.asarray(value)
        if array.dtype.name not in _DTYPES:
            raise ArgumentTypeError(f"{self.action}: {_place(path)} is an array of {array.dtype}, which cannot be kept")
        return {"scalar" if isinstance(value, np.generic) else "array": self._name(value, path, self.arrays, array)}

    def _name(self, origin: Any, path: tuple[str, ...], table: dict[str, Any], value: Any) -> str:
        """The name of an object: where it was met first."""
        known = self._names.get(id(origin))
        if known is not None:
            return known
        base = ".".join(path).encode("utf-8", "replace").decode() or "value"
        name, number = base, 2
        while name in self._used:
            name, number = f"{base}#{number}", number + 1
        self._used.add(name)
        self._names[id(origin)] = name
        self._kept.append(origin)
        table[name] = value
        return name

    def stored(self) -> dict[str, StoredArray]:
        """Everything that was found, as a safetensors file holds it; pending tensors are computed, in one plan."""
        pending = [t for t in self.tensors.values() if type(t.node.value) is not Buffer]
        if pending:
            realize_tensors(pending)
        found = {name: stored_tensor(tensor) for name, tensor in self.tensors.items()}
        return found | {name: StoredArray(a, a.dtype.name) for name, a in self.arrays.items()}


def stored_tensor(tensor: Tensor) -> StoredArray:
    """The value of a tensor; bfloat16 as its bits."""
    return StoredArray(tensor._realize().array, tensor.dtype.name)


def load_tensor(stored: StoredArray) -> Tensor:
    """A tensor with a stored value."""
    return wrap_buffer(Buffer(stored.data, as_dtype(stored.dtype)))


def origin(tensor: Tensor) -> Tensor:
    """The tensor that one stands for: `detach()` gives another that shares all of its storage."""
    while tensor._view is not None:
        base = tensor._view.base
        node, base_node = tensor.node, base.node
        if not (node is base_node or (node.op == "detach" and node.inputs == (base_node,))):
            break
        tensor = base
    return tensor


def _place(path: tuple[str, ...]) -> str:
    return "state" + "".join([f"[{part!r}]" for part in path])


class Decoder:
    """Turns a structure back into state.

    Args:
        file: what a StorageError names.
        arrays: stored arrays by name; those that nothing refers to are an error.

    >>> Decoder("state.json", {}).decode({"tuple": [1, {"float": "-inf"}]})
    (1, -inf)
    """

    def __init__(self, file: str, arrays: Mapping[str, Any]) -> None:
        self.file = file
        self.arrays = arrays
        self._made: dict[tuple[str, str, bool], Any] = {}
        self._owners: set[str] = set()  # tensors that require gradients somewhere
        self._readers: dict[str, Callable[[Any, int], Any]] = {
            "dict": self._dict,
            "items": self._items,
            "tuple": lambda value, depth: tuple(self._list(value, depth)),
            "float": self._float,
            "int": self._int,
            "bytes": self._bytes,
            "dtype": self._dtype,
            "array": lambda name, depth: self._object("array", name, False),
            "scalar": lambda name, depth: self._object("scalar", name, False),
            "tensor": lambda name, depth: self._object("tensor", name, False),
        }

    def fail(self, reason: str) -> NoReturn:
        raise StorageError(f"cannot read {self.file!r}: {reason}", hint="the file is damaged, or of another program")

    def decode_all(self, structure: Any) -> Any:
        """The state of a whole file, in which every array must be used."""
        self._owners = _requiring_gradients(structure)
        value = self.decode(structure)
        unused = self.arrays.keys() - {name for _, name, _ in self._made}
        if unused:
            self.fail(f"nothing refers to its array {min(unused)[:200]!r}")
        return value

    def decode(self, structure: Any, depth: int = 0) -> Any:
        """The value of a structure."""
        if structure is None or isinstance(structure, (bool, int, float, str)):
            return structure
        if depth > MAX_DEPTH + 1:
            self.fail(f"its state is nested more than {MAX_DEPTH} deep")
        if isinstance(structure, list):
            return self._list(structure, depth)
        if isinstance(structure, dict):
            if structure.keys() == {"tensor", "requires_grad"} and structure["requires_grad"] is True:
                return self._object("tensor", structure["tensor"], True)
            if len(structure) == 1:
                kind, value = next(iter(structure.items()))
                if kind in self._readers:
                    return self._readers[kind](value, depth)
            self.fail(f"its state has an unknown kind of value: {', '.join(sorted(structure))[:100]!r}")
        self.fail(f"its state has a {type(structure).__name__}")

    def _list(self, value: Any, depth: int) -> list[Any]:
        if not isinstance(value, list):
            self.fail("a list in its state is none")
        return [self.decode(v, depth + 1) for v in value]

    def _dict(self, value: Any, depth: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail("a dict in its state is none")
        return {key: self.decode(v, depth + 1) for key, v in value.items()}

    def _items(self, value: Any, depth: int) -> dict[Any, Any]:
        if not isinstance(value, list) or not all(isinstance(p, list) and len(p) == 2 for p in value):
            self.fail("a dict in its state is no list of pairs")
        pairs = [(self.decode(k, depth + 1), self.decode(v, depth + 1)) for k, v in value]
        try:
            return dict(pairs)
        except TypeError:
            self.fail("a key of a dict in its state cannot be one")

    def _float(self, value: Any, depth: int) -> float:
        if value not in ("nan", "inf", "-inf"):
            self.fail(f"{str(value)[:40]!r} is no float")
        return float(value)

    def _int(self, value: Any, depth: int) -> int:
        try:
            return int(value, 16)
        except (TypeError, ValueError):
            self.fail(f"{str(value)[:40]!r} is no integer")

    def _bytes(self, value: Any, depth: int) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            self.fail("bytes in its state are no base64")

    def _dtype(self, value: Any, depth: int) -> DType:
        if not isinstance(value, str) or value not in _DTYPES:
            self.fail(f"no dtype is called {str(value)[:40]!r}")
        return _DTYPES[value]

    def _object(self, kind: str, name: Any, requires_grad: bool) -> Any:
        """The array, scalar or tensor of a name; the same object each time, so that what was shared stays so."""
        if not isinstance(name, str) or name not in self.arrays:
            self.fail(f"its state refers to an array {str(name)[:200]!r} that is missing")
        key = (kind, name, requires_grad)
        if key not in self._made:
            stored = self.arrays[name]
            self._made[key] = self._make(kind, stored, name, requires_grad)
        return self._made[key]

    def _make(self, kind: str, stored: StoredArray, name: str, requires_grad: bool) -> Any:
        if kind == "tensor":
            if name in self._owners and not requires_grad:
                return self._object(kind, name, True).detach()
            tensor = load_tensor(stored)
            if not requires_grad:
                return tensor
            if not tensor.dtype.is_floating_point:
                self.fail(f"the {stored.dtype} tensor {name[:200]!r} is said to require gradients")
            return tensor.requires_grad_(True)
        if stored.dtype == bfloat16.name:
            self.fail(f"{name[:200]!r} is said to be a NumPy array, but is bfloat16")
        if kind == "scalar":
            if stored.data.shape != ():
                self.fail(f"{name[:200]!r} is said to be a number, but has shape {stored.data.shape}")
            return stored.data[()]
        return stored.data


def _requiring_gradients(structure: Any) -> set[str]:
    """Names of the tensors that a structure says require gradients. (A user's dict may look like one: no harm.)"""
    found: set[str] = set()
    pending = [structure]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            name = part.get("tensor")
            if isinstance(name, str) and part.get("requires_grad") is True:
                found.add(name)
            pending += part.values()
    return found
