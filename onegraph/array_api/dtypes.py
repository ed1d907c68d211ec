"""Functions of the standard on dtypes, and what the namespace says about itself.

Read next: `../ir/dtype.py` (the dtypes).
"""

from __future__ import annotations

from typing import Any

import onegraph as og
from onegraph.array_api.support import array, check_device
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.device import Device
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import DType, as_dtype, category, promote, scalar_dtype

_NAMES = ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64")
DTYPES: dict[str, DType] = {name: as_dtype(name) for name in _NAMES}
"""The dtypes of the standard that there are. bfloat16 and float16 work as well; the standard does not name them."""

_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("int", "uint", "float"),
}


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """The values in another dtype.

    Args:
        x: any tensor.
        dtype: the dtype that is wanted.
        copy: a new tensor even where the dtype is the same.
        device: only "cpu".
    """
    check_device(device)
    x, kind = array("astype", x), as_dtype(dtype)
    if kind is x.dtype:
        return x.clone() if copy else x  # type: ignore[no-any-return]
    return x.to(kind)  # type: ignore[no-any-return]


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether every value of one dtype has an equal in another, by the standard's promotion.

    >>> from onegraph import array_api as xp
    >>> xp.can_cast(xp.int32, xp.int64), xp.can_cast(xp.float64, xp.float32), xp.can_cast(xp.int8, xp.float32)
    (True, False, False)
    """
    source = from_.dtype if isinstance(from_, Tensor) else as_dtype(from_)
    target = as_dtype(to)
    return category(source) == category(target) and promote(source, target) is target


def finfo(type: Any, /) -> Any:
    """Bits, smallest and largest numbers, and precision of a floating dtype, or of a tensor's."""
    return og.finfo(type.dtype if isinstance(type, Tensor) else as_dtype(type))


def iinfo(type: Any, /) -> Any:
    """Bits, smallest and largest numbers of an integer dtype, or of a tensor's."""
    return og.iinfo(type.dtype if isinstance(type, Tensor) else as_dtype(type))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind.

    Args:
        dtype: what is asked about.
        kind: a dtype, "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating",
            "numeric", or a tuple of those.

    Raises:
        ArgumentError: for another name of a kind.

    >>> from onegraph import array_api as xp
    >>> xp.isdtype(xp.float32, "real floating"), xp.isdtype(xp.float32, (xp.int8, "integral"))
    (True, False)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, DType):
        return as_dtype(dtype) is kind
    if not isinstance(kind, str):
        raise ArgumentTypeError(f"isdtype: a kind is a dtype, a name or a tuple of those, got {type(kind).__name__}")
    if kind not in _KINDS:
        raise ArgumentError(f"isdtype: there is no kind {kind!r}", hint=f"there are {', '.join(_KINDS)}")
    return as_dtype(dtype).kind in _KINDS[kind]


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that tensors, dtypes and Python numbers are promoted to together.

    >>> from onegraph import array_api as xp
    >>> xp.result_type(xp.float32, xp.asarray(1.0, dtype=xp.float64), 2)
    onegraph.float64
    """
    if not arrays_and_dtypes:
        raise ArgumentError("result_type: expected at least one tensor or dtype")
    result: DType | None = None
    numbers = []
    for value in arrays_and_dtypes:
        if isinstance(value, (bool, int, float)) and not isinstance(value, DType):
            numbers.append(value)
            continue
        kind = value.dtype if isinstance(value, Tensor) else as_dtype(value)
        result = kind if result is None else promote(result, kind)
    for number in numbers:
        kind = scalar_dtype(number)
        if result is None or category(kind) > category(result):
            result = kind if result is None else promote(result, kind)
    assert result is not None
    return result


class ArrayNamespaceInfo:
    """What the namespace offers, as the standard asks: `__array_namespace_info__()` gives one.

    >>> from onegraph import array_api as xp
    >>> xp.__array_namespace_info__().default_device()
    device(type='cpu')
    """

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks and shapes that depend on values work: the values are computed when they are needed."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

    def default_device(self) -> Device:
        """The host's processor."""
        return Device("cpu")

    def devices(self) -> list[Device]:
        """All devices: the host's processor."""
        return [Device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes that values have when none is given. There are no complex ones, so that entry is missing."""
        check_device(device)
        return {"real floating": og.get_default_dtype(), "integral": og.int64, "indexing": og.int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The standard's dtypes that there are, all or those of a kind."""
        check_device(device)
        return {name: d for name, d in DTYPES.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> ArrayNamespaceInfo:
    """What the namespace offers: devices, dtypes, defaults."""
    return ArrayNamespaceInfo()


FUNCTIONS = {f.__name__: f for f in (astype, can_cast, finfo, iinfo, isdtype, result_type, __array_namespace_info__)}
