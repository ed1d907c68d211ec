"""Arrays in host storage from whatever users give: numbers, nested lists, arrays, lists of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentTypeError, ShapeError
from onegraph.ir.dtype import DType, as_dtype, bfloat16, float32_to_bfloat16, from_numpy, get_default_dtype


def array_from_data(data: Any, dtype: Any = None) -> tuple[np.ndarray[Any, Any], DType]:
    """A new array in host storage, and its dtype, from numbers, nested lists, arrays, or lists of tensors."""
    if isinstance(data, (list, tuple)):
        data = _plain_lists(data)
    python = not isinstance(data, (np.ndarray, np.generic))
    try:
        array = np.array(data)
    except ValueError as error:
        raise ShapeError(f"the nested lists do not form a regular array: {error}") from None
    if array.dtype == object or array.dtype.kind in "USVc":
        raise ArgumentTypeError(
            f"cannot make a tensor of {type(data).__name__} with elements of type {array.dtype}: {data!r:.60}"
        )
    if dtype is None:
        is_default = python and (array.dtype == np.float64 or not array.size)
        kind = get_default_dtype() if is_default else from_numpy(array.dtype)
    else:
        kind = as_dtype(dtype)
    with np.errstate(all="ignore"):
        stored = (
            float32_to_bfloat16(array.astype(np.float32)) if kind is bfloat16 else array.astype(kind.numpy, copy=False)
        )
    return stored, kind


def _plain_lists(data: Any) -> Any:
    if hasattr(data, "detach"):
        return data.detach().numpy() if data.ndim else data.item()
    if isinstance(data, (list, tuple)):
        return [_plain_lists(d) for d in data]
    return data
