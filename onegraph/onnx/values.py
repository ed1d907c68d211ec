"""Values between ONNX operators: tensors; NumPy arrays for what is known (shapes, constants) or has a type without arithmetic
here (text, unsigned integers beyond 8 bits, float8, 4-bit numbers); lists for sequences; None for what is left out.

Read next: `interpreter.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

import onegraph as og
from onegraph.errors import DTypeError, TraceError, UnsupportedError

Value: TypeAlias = Any
Array: TypeAlias = np.ndarray[Any, Any]

COMPUTED = {
    "bool": og.bool, "uint8": og.uint8, "int8": og.int8, "int16": og.int16, "int32": og.int32, "int64": og.int64,
    "float16": og.float16, "bfloat16": og.bfloat16, "float32": og.float32, "float64": og.float64,
}  # fmt: skip
"""Types with arithmetic here, by the name that NumPy gives them."""

ELEMENT_TYPES: Final[Mapping[str, int]] = {
    "float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
    "bfloat16": 16,
}  # fmt: skip
"""The same types as `TensorProto.DataType`."""


def onnx_package(name: str = "onnx") -> Any:
    """The `onnx` package, or a module of it.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnsupportedError(
            f"ONNX files need the {name.split('.')[0]} package", hint="pip install 'onegraph[onnx]'"
        ) from error


def numpy_dtype(data_type: int) -> np.dtype[Any]:
    """The NumPy type of a `TensorProto.DataType`; text is `object`."""
    helper = onnx_package("onnx.helper")
    if data_type == 8:
        return np.dtype(object)
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(data_type))
    except KeyError:
        raise DTypeError(f"ONNX has no data type of number {data_type}") from None


def element_type(dtype: np.dtype[Any]) -> int:
    """The `TensorProto.DataType` of a NumPy type, those of `ml_dtypes` among them."""
    return int(onnx_package("onnx.helper").np_dtype_to_tensor_dtype(dtype))


def type_name(value: Value) -> str:
    """The name of the element type of a tensor or array."""
    if isinstance(value, og.Tensor):
        return value.dtype.name
    return "string" if value.dtype.kind in "OUS" else str(value.dtype.name)


def is_host(value: Value) -> bool:
    """Whether a value is a NumPy array."""
    return isinstance(value, (np.ndarray, np.generic))


def tensor(value: Value) -> og.Tensor:
    """A value as a tensor.

    Raises:
        DTypeError: its type has no arithmetic here.
    """
    if isinstance(value, og.Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        return og.tensor(array.astype(np.float32)).to(og.bfloat16)
    if array.dtype.name not in COMPUTED:
        raise DTypeError(f"there is no arithmetic for {type_name(array)} here; it is for {', '.join(COMPUTED)}")
    return og.tensor(array)


def given(value: Value) -> Value:
    """A user's value as operators take it: a tensor where its type has arithmetic, else an array, or a list of those."""
    if value is None or isinstance(value, og.Tensor):
        return value
    if isinstance(value, (list, tuple)) and any(isinstance(v, (np.ndarray, og.Tensor, list)) for v in value):
        return [given(v) for v in value]
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return array.astype(object)
    return tensor(array) if array.dtype.name in COMPUTED else array


def array(value: Value) -> Array:
    """The numbers of a tensor, or an array as it is; bfloat16 as the type of `ml_dtypes`."""
    if not isinstance(value, og.Tensor):
        return np.asarray(value)
    value = value.detach()
    if value.dtype is og.bfloat16:
        return value.to(og.float32).numpy().astype(np.dtype(importlib.import_module("ml_dtypes").bfloat16))
    return value.numpy()


def known(value: Value, what: str) -> Array:
    """What must be known to build the graph: a shape, axes, a number of repeats.

    Raises:
        TraceError: it depends on values that do not exist yet.
    """
    try:
        return array(value)
    except TraceError:
        raise TraceError(
            f"{what} depends on values that are computed, and this code is being traced",
            hint="call the module as it is, without og.jit, or give what it depends on as a constant of the model",
        ) from None


def numbers(value: Value, what: str = "a shape or an axis") -> list[Any]:
    """Known integers as a list; sizes may be symbols."""
    found = known(value, what).reshape(-1).tolist()
    return found  # type: ignore[no-any-return]


def sizes_array(sizes: Sequence[Any]) -> Array:
    """Sizes as ONNX gives them: an array of int64; of objects, where one is a symbol."""
    if all(isinstance(s, (int, np.integer)) for s in sizes):
        return np.array([int(s) for s in sizes], np.int64)
    found = np.empty(len(sizes), object)
    found[:] = list(sizes)
    return found


def floating(value: Value) -> bool:
    """Whether the element type is one of the floating ones."""
    return (isinstance(value, og.Tensor) and value.dtype.is_floating_point) or (
        is_host(value) and value.dtype.kind == "f"
    )
