"""The names that files of PyTorch may use, and what each one makes here. Everything else is refused by name.

Tensors stay descriptions (`TensorRecord`) until the whole file was read and checked: see `pytorch_reader.py`.
Layout of the arguments: `torch/_utils.py` (`_rebuild_tensor_v2` and its neighbours), NumPy's `ndarray.__reduce__`.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onegraph.frontend.device import Size
from onegraph.interop.pickle_machine import Allowed, Pending, Refused, plain_key
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import DType

MAX_RANK: Final = 64  # NumPy's
STORAGE_TYPES: Final[dict[str, DType]] = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool_,
}
"""PyTorch's storage classes by name."""


@dataclass(frozen=True)
class StorageRecord:
    """Where numbers are: which storage, how many elements of which type, and the element that this one starts at.

    Attributes:
        key: the storage's name in the file.
        dtype: of its elements.
        count: elements.
        start: the first of them, for a storage that is a part of another (old files only).
    """

    key: str
    dtype: DType
    count: int
    start: int = 0


@dataclass(frozen=True)
class TensorRecord:
    """A tensor as a file describes it; sizes and strides in elements, checked against nothing but themselves."""

    storage: StorageRecord
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: DType
    requires_grad: bool = False


class ArrayRecord(Pending):
    """A NumPy array whose shape, type and bytes come later."""

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] | None = None

    def build(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C")


class TypeRecord(Pending):
    """A NumPy element type; the byte order comes later."""

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?([biufc][0-9]{1,2}|b|\?|[SU][0-9]{1,6})", code):
            raise Refused(f"it has an array of {str(code)[:50]!r}, which may be anything; nothing was run", unsafe=True)
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise Refused("it has a NumPy type with fields")
        if state[1] in ("<", ">", "="):
            self.dtype = self.dtype.newbyteorder(state[1])


def _array(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray[Any, Any]:
    if not isinstance(dtype, TypeRecord):
        raise Refused("it has a NumPy array without a type")
    raw = content.encode("latin-1") if isinstance(content, str) else content
    if not isinstance(raw, (bytes, bytearray)) or order not in ("C", "F"):
        raise Refused(f"it has a NumPy array made of a {type(content).__name__}; nothing was run", unsafe=True)
    sizes = _sizes(shape, "shape")
    if math.prod(sizes) * dtype.dtype.itemsize != len(raw):
        raise Refused(f"it has a NumPy array of shape {sizes} and {dtype.dtype} in {len(raw)} bytes")
    return np.frombuffer(raw, dtype.dtype).reshape(sizes, order=order)


def _scalar(dtype: Any, content: Any = b"") -> Any:
    return _array(content, dtype, ())[()]


def _sizes(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > MAX_RANK:
        raise Refused(f"the {what} of a tensor is no short list of numbers")
    if not all(type(item) is int and 0 <= item < 2**62 for item in value):
        raise Refused(f"the {what} of a tensor is {tuple(value)!s:.200}; each number is 0 or more")
    return tuple(value)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, *_: Any) -> TensorRecord:
    if not isinstance(storage, StorageRecord):
        raise Refused("it has a tensor without a storage")
    sizes, strides = _sizes(size, "shape"), _sizes(stride, "stride")
    if len(sizes) != len(strides):
        raise Refused(f"it has a tensor of shape {sizes} with strides {strides}")
    (start,) = _sizes((offset,), "offset")
    return TensorRecord(storage, start, sizes, strides, storage.dtype, requires_grad is True)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
) -> TensorRecord:
    """The dtype is told apart from the storage, whose elements are bytes."""
    record = _tensor(storage, offset, size, stride, requires_grad)
    if not isinstance(dtype, DType):
        raise Refused("it has a tensor without a dtype")
    return TensorRecord(record.storage, record.offset, record.size, record.stride, dtype, record.requires_grad)


def _parameter(data: Any, requires_grad: Any = True, *_: Any) -> TensorRecord:
    if not isinstance(data, TensorRecord):
        raise Refused("it has a parameter that is no tensor")
    return TensorRecord(data.storage, data.offset, data.size, data.stride, data.dtype, requires_grad is True)


def _of_type(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    """A tensor with Python attributes of its own, which are left out."""
    if not isinstance(function, Allowed) or not function.name.startswith("torch._utils._rebuild"):
        raise Refused(f"it rebuilds a tensor with a {type(function).__name__}; nothing was run", unsafe=True)
    return function.make(*arguments)


def _refuse(what: str, hint: str) -> Callable[..., Any]:
    def make(*_: Any) -> Any:
        raise Refused(f"it has {what}, which onegraph does not have", hint)

    return make


def _device(kind: Any, index: Any = None) -> str:
    """A device stays its name: the file may come from a machine with others."""
    if not isinstance(kind, str) or not (index is None or isinstance(index, int)):
        raise Refused("it has a device without a name")
    return kind if index is None else f"{kind}:{index}"


def _ordered(items: Any = ()) -> OrderedDict[Any, Any]:
    pairs = items.items() if isinstance(items, dict) else items
    return OrderedDict((plain_key(key), value) for key, value in pairs)


def _set(kind: type) -> Callable[..., Any]:
    return lambda items=(): kind(map(plain_key, items))


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        raise Refused("it encodes something that is no text")
    return text.encode(encoding)


class Namespace(Pending):
    """`argparse.Namespace`, where training scripts keep their options."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}

    def build(self, state: Any) -> None:
        if type(state) is not dict or not all(isinstance(key, str) for key in state):
            raise Refused("it has options that are not named")
        self.options = state

    def value(self) -> argparse.Namespace:
        return argparse.Namespace(**self.options)


def _path(*parts: Any) -> str:
    if not all(isinstance(part, str) for part in parts):
        raise Refused("it has a path that is no text")
    return "/".join(parts).replace("//", "/")


def _table() -> dict[str, Any]:
    functions: dict[str, Callable[..., Any]] = {
        "collections.OrderedDict": _ordered,
        "collections.Counter": lambda items=None: Counter(_ordered(items or {})),
        "collections.defaultdict": lambda _=None, items=(): dict(_ordered(items)),
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor_v3": _tensor_v3,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch.nn.parameter.Parameter": _parameter,
        "torch._tensor._rebuild_from_type_v2": _of_type,
        "torch._utils._rebuild_qtensor": _refuse("a quantized tensor", "save dequantize()d tensors"),
        "torch.serialization._get_layout": lambda name: name if isinstance(name, str) else "",
        "torch._utils._rebuild_sparse_tensor": _refuse("a sparse tensor", "save to_dense() tensors"),
        "torch.Size": lambda sizes=(): Size(_sizes(sizes, "shape")),
        "torch.device": _device,
        "argparse.Namespace": Namespace,
        "_codecs.encode": _encode,
        "numpy.dtype": lambda code, *_: TypeRecord(code),
        **dict.fromkeys(("pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath"), _path),
        **{name: lambda: None for name in ("torch.Tensor", "numpy.ndarray")},  # only named as a kind, never called
    }
    for core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
        functions[f"{core}.multiarray._reconstruct"] = lambda *_: ArrayRecord()
        functions[f"{core}.multiarray.scalar"] = _scalar
        functions[f"{core}.numeric._frombuffer"] = _array
    for builtins in ("builtins", "__builtin__"):
        functions[f"{builtins}.set"] = _set(set)
        functions[f"{builtins}.frozenset"] = _set(frozenset)
        functions[f"{builtins}.bytearray"] = lambda value=b"", encoding="latin-1": bytearray(
            value if isinstance(value, bytes) else _encode(value, encoding)
        )
        functions[f"{builtins}.complex"] = lambda real, imaginary=0.0: complex(float(real), float(imaginary))
        for kind in ("int", "float", "list", "dict", "str", "bool"):  # what a defaultdict starts with; never called
            functions[f"{builtins}.{kind}"] = _refuse(f"a call of {kind}", "")
    names: dict[str, Any] = {name: Allowed(name, make) for name, make in functions.items()}
    names |= {f"torch.{name}": StorageKind(name, dtype) for name, dtype in STORAGE_TYPES.items()}
    names |= {
        f"torch.storage.{name}": StorageKind(name, dtypes.uint8) for name in ("UntypedStorage", "_UntypedStorage")
    }
    for other in ("ComplexFloat", "ComplexDouble", "ComplexHalf", "QInt8", "QUInt8", "QInt32"):
        names[f"torch.{other}Storage"] = StorageKind(f"{other}Storage", None)
    names |= {f"torch.{dtype.name}": dtype for dtype in dtypes.ALL}
    return names


@dataclass(frozen=True)
class StorageKind:
    """A storage class of PyTorch; dtype None: elements that onegraph does not have."""

    name: str
    dtype: DType | None


NAMES: Final[dict[str, Any]] = _table()
"""What a file of PyTorch may use, by name."""


def explain(name: str) -> str | None:
    """A hint for a name that is not in the table."""
    if name.startswith("torch.nn.") or name.split(".")[0] in (
        "__main__",
        "models",
        "torchvision",
        "timm",
        "ultralytics",
    ):
        return "the file holds a whole model with its code, not weights: in PyTorch, save model.state_dict()"
    if re.fullmatch(r"torch\.(float8_\w+|complex\d+|uint\d+|q?u?int\d+|bits\w+)", name):
        return "onegraph has no such element type: convert the tensors before saving them"
    if name.startswith("torch."):
        return "in PyTorch, save plain tensors: a state_dict()"
    return (
        "in PyTorch, load the file where you trust it and save its tensors alone: torch.save(model.state_dict(), ...)"
    )
