"""What layers that turn features into numbers share: arrays of strings, encodings of indices, and data to adapt to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.symbolic import KerasTensor

_arange = EXPORTS["arange"]
Array = np.ndarray[Any, Any]


def is_text(value: Any) -> bool:
    """Whether a value is a string, or an array or nested lists of them."""
    if isinstance(value, (str, bytes)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "USOT" and (value.size == 0 or isinstance(value.flat[0], (str, bytes)))
    return (
        isinstance(value, (list, tuple)) and bool(value) and not isinstance(value[0], np.ndarray) and is_text(value[0])
    )


def strings(label: str, value: Any, encoding: str = "utf-8") -> Array:
    """An array of Python strings.

    Raises:
        ArgumentTypeError: it holds something else.
    """
    if isinstance(value, Tensor):
        raise ArgumentTypeError(f"{label} takes strings, got a tensor of {value.dtype.name}")
    array = np.asarray(value, dtype=object)
    decoded = [v.decode(encoding) if isinstance(v, bytes) else v for v in array.reshape(-1).tolist()]
    wrong = next((v for v in decoded if not isinstance(v, str)), None)
    if wrong is not None:
        raise ArgumentTypeError(f"{label} takes strings, got {type(wrong).__name__} {wrong!r:.40}")
    result = np.empty(len(decoded), object)
    result[:] = decoded
    return result.reshape(array.shape)


def encode(indices: Any, mode: str, depth: int, dtype: Any, weights: Any = None) -> Any:
    """Indices, or rows of numbers that say which indices there are.

    Args:
        indices: whole numbers; negative ones count for nothing.
        mode: 'int' gives them back, 'one_hot' a row for each, 'multi_hot' a row of which of them are in the last
            dimension, 'count' how often.
        depth: numbers in a row.
        dtype: of the rows.
        weights: for 'count', what each counts.
    """
    if mode == "int":
        return indices
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices.squeeze(-1)
        return (indices.unsqueeze(-1) == _arange(depth)).to(as_dtype(dtype))
    if indices.ndim == 0:
        indices = indices.unsqueeze(0)
    rows = (indices.unsqueeze(-1) == _arange(depth)).to(as_dtype(dtype))
    axis = 1 if indices.ndim > 1 else 0
    if mode == "multi_hot":
        return rows.amax(axis)
    return (rows if weights is None else rows * weights.to(rows.dtype).unsqueeze(-1)).sum(axis)


def encoded_shape(shape: Any, mode: str, depth: int | None) -> tuple[Any, ...]:
    """The shape that `encode` gives."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


def spec(shape: Any, dtype: Any) -> KerasTensor:
    """What a layer announces that it will give."""
    return KerasTensor(tuple(shape), as_dtype(dtype))


def check_mode(label: str, mode: str, allowed: Iterable[str]) -> str:
    """An output mode, with older names translated.

    Raises:
        ArgumentError: it is none of those that are allowed.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    if mode not in allowed:
        raise ArgumentError(f"{label}: output_mode must be one of {', '.join(allowed)}, got {mode!r}")
    return mode


def refuse_sparse(label: str, sparse: Any, ragged: Any = False) -> None:
    """Refuse kinds of tensors that do not exist here."""
    if sparse or ragged:
        raise ArgumentError(
            f"{label}: {'sparse' if sparse else 'ragged'} tensors do not exist here", hint="leave the argument out"
        )


def batches_of(data: Any, steps: int | None = None) -> Iterator[Any]:
    """What to adapt to, in batches: an array, a list of strings or numbers, or anything that gives batches when iterated.

    Of batches (x, y) only x is taken.
    """
    if isinstance(data, (str, bytes, np.ndarray, Tensor)) or is_text(data) or is_numbers(data):
        yield data
        return
    source = (data[i] for i in range(len(data))) if not hasattr(data, "__iter__") else iter(data)
    for number, batch in enumerate(source):
        if steps is not None and number >= steps:
            return
        yield batch[0] if isinstance(batch, (tuple, list)) and not is_text(batch) and not is_numbers(batch) else batch


def is_numbers(value: Any) -> bool:
    """Whether a value is a number, or nested lists of them."""
    if isinstance(value, (list, tuple)) and value:
        return is_numbers(value[0])
    return isinstance(value, (int, float, np.number))


def host(value: Any) -> Array:
    """A value as an array."""
    return value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


def whole(value: Any) -> Any:
    """A value as a tensor of whole numbers."""
    value = value if isinstance(value, Tensor) else make_tensor(np.asarray(value))
    return value.to(as_dtype("int64"))
