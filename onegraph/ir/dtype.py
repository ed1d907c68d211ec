"""Element types and PyTorch's promotion rules.

bfloat16 has no NumPy type: its host storage is the upper half of a float32, kept as uint16.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from onegraph.errors import DTypeError


class DType:
    """An element type: name, kind ('bool', 'uint', 'int' or 'float'), bits, and NumPy storage type.

    >>> float32.itemsize, float32.is_floating_point
    (4, True)
    """

    __slots__ = (
        "bits",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "kind",
        "name",
        "numpy",
        "rank",
        "short",
    )

    def __init__(self, name: str, short: str, kind: str, bits: int, numpy: Any, rank: int) -> None:
        self.name: Final = name
        self.short: Final = short
        self.kind: Final = kind
        self.bits: Final = bits
        self.itemsize: Final = max(1, bits // 8)
        self.numpy: Final[np.dtype[Any]] = np.dtype(numpy)
        self.is_floating_point: Final = kind == "float"
        self.is_signed: Final = kind in ("int", "float")
        self.rank: Final = rank

    is_complex = False

    def __repr__(self) -> str:
        return f"onegraph.{self.name}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (by_name, (self.name,))


bool_: Final = DType("bool", "bool", "bool", 1, np.bool_, 0)
uint8: Final = DType("uint8", "u8", "uint", 8, np.uint8, 1)
int8: Final = DType("int8", "i8", "int", 8, np.int8, 2)
int16: Final = DType("int16", "i16", "int", 16, np.int16, 3)
int32: Final = DType("int32", "i32", "int", 32, np.int32, 4)
int64: Final = DType("int64", "i64", "int", 64, np.int64, 5)
float16: Final = DType("float16", "f16", "float", 16, np.float16, 6)
bfloat16: Final = DType("bfloat16", "bf16", "float", 16, np.uint16, 7)
float32: Final = DType("float32", "f32", "float", 32, np.float32, 8)
float64: Final = DType("float64", "f64", "float", 64, np.float64, 9)

ALL: Final = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
FLOATS: Final = (float16, bfloat16, float32, float64)
INTEGERS: Final = (uint8, int8, int16, int32, int64)

_BY_NAME: Final = {name: d for d in ALL for name in (d.name, d.short)} | {
    "float": float32, "double": float64, "half": float16,
    "int": int32, "long": int64, "short": int16, "bool_": bool_,
}  # fmt: skip
_BY_NUMPY: Final = {d.numpy: d for d in ALL if d is not bfloat16}
_default_float = float32


def _names() -> str:
    return ", ".join(d.name for d in ALL)


def by_name(name: str) -> DType:
    """The dtype of that name ('float32', or short 'f32').

    >>> by_name("i64")
    onegraph.int64
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise DTypeError(f"no dtype is called {name!r}", hint=f"there are {_names()}") from None


def as_dtype(value: Any) -> DType:
    """A dtype from a DType, a name, a NumPy dtype, or Python's bool, int, float.

    >>> as_dtype(float), as_dtype("int32"), as_dtype(np.int16)
    (onegraph.float32, onegraph.int32, onegraph.int16)
    """
    if isinstance(value, DType):
        return value
    if value is bool:
        return bool_
    if value is int:
        return int64
    if value is float:
        return _default_float
    if isinstance(value, str):
        return by_name(value)
    try:
        numpy_dtype = np.dtype(value)
    except (TypeError, ValueError):
        raise DTypeError(f"{value!r:.80} is no dtype", hint=f"there are {_names()}") from None
    return from_numpy(numpy_dtype)


def from_numpy(numpy_dtype: np.dtype[Any]) -> DType:
    """The dtype that stores a NumPy dtype exactly; a DTypeError where there is none."""
    found = _BY_NUMPY.get(numpy_dtype) or _BY_NUMPY.get(numpy_dtype.newbyteorder("="))
    if found is None:
        raise DTypeError(
            f"NumPy dtype {numpy_dtype} has no equivalent here",
            hint=f"convert the array first, e.g. array.astype('float32'); there are {_names()}",
        )
    return found


def get_default_dtype() -> DType:
    """The floating type that Python floats become when nothing else decides (float32)."""
    return _default_float


def set_default_dtype(dtype: DType) -> None:
    """Set the floating type that Python floats become when nothing else decides."""
    global _default_float
    if not as_dtype(dtype).is_floating_point:
        raise DTypeError(f"the default dtype must be a floating type, got {dtype}")
    _default_float = as_dtype(dtype)


def _build_promotions() -> dict[tuple[DType, DType], DType]:
    table: dict[tuple[DType, DType], DType] = {}
    for a in ALL:
        for b in ALL:
            low, high = sorted((a, b), key=lambda d: d.rank)
            result = high
            if low is uint8 and high is int8:
                result = int16  # neither holds the other's values
            elif low is float16 and high is bfloat16:
                result = float32
            table[a, b] = result
    return table


_PROMOTIONS: Final = _build_promotions()


def promote(a: DType, b: DType) -> DType:
    """The smallest dtype that PyTorch would give to a pair of tensors of these dtypes.

    >>> promote(uint8, int8), promote(int64, float16), promote(float16, bfloat16)
    (onegraph.int16, onegraph.float16, onegraph.float32)
    """
    return _PROMOTIONS[a, b]


def category(dtype: DType) -> int:
    """0 for bool, 1 for integers, 2 for floating types: Python scalars only raise the category."""
    return 2 if dtype.is_floating_point else 0 if dtype is bool_ else 1


def scalar_dtype(value: Any) -> DType:
    """The dtype that a Python scalar has on its own."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    return _default_float


def result_type(tensors: Iterable[tuple[DType, bool]], scalars: Iterable[Any] = ()) -> DType:
    """PyTorch's result type.

    Args:
        tensors: (dtype, has dimensions) of each tensor operand. Tensors without dimensions promote
            only across categories, as Python scalars do.
        scalars: Python scalar operands.

    >>> result_type([(int32, True)], [2.5])
    onegraph.float32
    >>> result_type([(float16, True), (float64, False)])
    onegraph.float16
    """
    dimensioned: DType | None = None
    zero_dim: DType | None = None
    weak: DType | None = None
    for dtype, has_dims in tensors:
        if has_dims:
            dimensioned = dtype if dimensioned is None else _PROMOTIONS[dimensioned, dtype]
        else:
            zero_dim = dtype if zero_dim is None else _PROMOTIONS[zero_dim, dtype]
    for value in scalars:
        dtype = scalar_dtype(value)
        weak = dtype if weak is None else _PROMOTIONS[weak, dtype]
    result = dimensioned
    for lower in (zero_dim, weak):
        if lower is not None and (result is None or category(lower) > category(result)):
            result = lower if result is None else _PROMOTIONS[result, lower]
    assert result is not None
    return result


def bfloat16_to_float32(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """uint16 storage of bfloat16 -> float32, exactly."""
    return np.asarray(bits.astype(np.uint32) << 16).view(np.float32)


def float32_to_bfloat16(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float32 -> uint16 storage of bfloat16, rounding to nearest even; NaN stays NaN."""
    values = np.asarray(values, np.float32)
    bits = np.ascontiguousarray(values).view(np.uint32).reshape(values.shape)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype(np.uint16)
