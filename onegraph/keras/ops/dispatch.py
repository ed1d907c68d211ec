"""How an operation of `keras.ops` takes its arguments: tensors and arrays are computed with, symbolic tensors recorded.

`@operation` makes a public operation of a function on tensors. Called with a `KerasTensor` among its arguments, it records
a call of an `OperationLayer`, so that functional models may use it like a layer. Read next: `elementwise.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.symbolic import KerasTensor, is_symbolic

F = TypeVar("F", bound=Callable[..., Any])

OPERATIONS: dict[str, Callable[..., Any]] = {}
"""Every operation by name."""


def operation(function: F) -> F:
    """Register an operation, and let it take symbolic tensors."""
    name = function.__name__

    @functools.wraps(function)
    def dispatch(*args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            from onegraph.keras.ops.layer import OperationLayer

            return OperationLayer(name)(*args, **kwargs)
        return function(*args, **kwargs)

    OPERATIONS[name] = dispatch
    return dispatch  # type: ignore[return-value]


def dtype_of(dtype: Any) -> Any:
    """A dtype from its name, or from a NumPy or onegraph dtype; None stays None."""
    if dtype is None:
        return None
    if dtype is float:
        return as_dtype("float32")
    if dtype is int:
        return as_dtype("int32")
    return as_dtype(dtype if isinstance(dtype, str) or not hasattr(dtype, "name") else dtype.name)


def convert(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of anything that is one, as Keras does: Python floats are float32, Python integers int32."""
    wanted = dtype_of(dtype)
    if isinstance(x, Tensor):
        return x if wanted is None or x.dtype == wanted else x.to(wanted)
    if isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) for v in x):
        found = EXPORTS["stack"]([convert(v) for v in x])
        return found if wanted is None else found.to(wanted)
    if isinstance(x, (np.ndarray, np.generic)):
        array = np.asarray(x)
    else:
        array = np.asarray(x)
        if wanted is None:
            array = array.astype({"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype), copy=False)
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    result: Tensor = make_tensor(array)
    return result if wanted is None or result.dtype == wanted else result.to(wanted)


def number(x: Any) -> bool:
    """Whether x is a plain Python number, which takes on the dtype of the tensor beside it."""
    return isinstance(x, (int, float)) and not isinstance(x, np.generic)


def pair(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two operands: tensors, with a Python number on one side left as it is."""
    if number(x1) and not number(x2):
        return x1, convert(x2)
    if number(x2) and not number(x1):
        return convert(x1), x2
    return convert(x1), convert(x2)


def tensors(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors; a Python number becomes one of the other's dtype where that holds it."""
    a, b = pair(x1, x2)
    if number(a):
        a = convert(a, b.dtype if b.dtype.is_floating_point or not isinstance(a, float) else "float32")
    if number(b):
        b = convert(b, a.dtype if a.dtype.is_floating_point or not isinstance(b, float) else "float32")
    return a, b


def floating(x: Any) -> Tensor:
    """A floating tensor; whole numbers become float32."""
    x = convert(x)
    return x if x.dtype.is_floating_point else x.to(as_dtype("float32"))


def axes_of(axis: Any, rank: int) -> list[int]:
    """Axes as a list of numbers from 0; None means all."""
    if axis is None:
        return list(range(rank))
    found = []
    for a in [axis] if isinstance(axis, int) else list(axis):
        if not -rank <= a < rank:
            raise ArgumentError(f"axis {a} is out of range for a tensor of {rank} dimensions")
        found.append(a % rank)
    return found


def image_format(data_format: str | None) -> bool:
    """Whether channels come last."""
    from onegraph.keras import backend

    return backend.data_format_of(data_format) == "channels_last"


__all__ = [
    "OPERATIONS",
    "KerasTensor",
    "axes_of",
    "convert",
    "floating",
    "image_format",
    "operation",
    "pair",
    "tensors",
]
