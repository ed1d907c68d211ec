"""Collating: many samples to one batch.

`numpy_collate` gives NumPy arrays and runs anywhere, also in worker processes; `default_collate` is the
same followed by `default_convert`, which turns arrays into Tensors without copying.
Read next: `fetch.py`, which calls it, and `loader.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onegraph.errors import DataError
from onegraph.frontend.convert import from_numpy_array


def numpy_collate(samples: Sequence[Any]) -> Any:
    """Stack samples leaf by leaf into NumPy arrays with a new first axis.

    Python floats become float64, ints int64, bools bool (as in PyTorch); arrays and Tensors keep their
    dtype; strings and bytes stay a list; mappings, named tuples, tuples and lists are entered (a tuple
    becomes a list, as in PyTorch).

    Args:
        samples: at least one sample; all of the same structure and shapes.

    Raises:
        DataError: no samples, structures or shapes that differ, or a type that cannot be stacked.

    >>> numpy_collate([{"x": [1.0, 2.0], "y": 0}, {"x": [3.0, 4.0], "y": 1}])
    {'x': [array([1., 3.]), array([2., 4.])], 'y': array([0, 1])}
    """
    samples = list(samples)
    if not samples:
        raise DataError("collate: a batch without samples")
    return _collate(samples, "sample")


def _collate(samples: Sequence[Any], where: str) -> Any:
    first = samples[0]
    if isinstance(first, str | bytes):
        return samples
    if isinstance(first, bool | int | float | complex | np.generic | np.ndarray) or is_tensor(first):
        return _stack(samples, where)
    if isinstance(first, Mapping):
        return _collate_mappings(samples, where)
    if isinstance(first, Sequence):
        return _collate_sequences(samples, where)
    raise DataError(
        f"collate: {where} is a {type(first).__name__}; numbers, strings, arrays, Tensors and mappings or "
        "sequences of them can be made a batch; return one of those or pass collate_fn"
    )


def _stack(samples: Sequence[Any], where: str) -> np.ndarray:
    arrays = [array_of(sample) for sample in samples]
    first = arrays[0]
    for place, array in enumerate(arrays):
        if array.shape != first.shape:
            raise DataError(
                f"collate: {where} has shape {first.shape} in the first sample of the batch and "
                f"{array.shape} in number {place}; samples of a batch must have one shape",
                hint="resize, crop or pad them, or pass collate_fn",
            )
    if first.dtype.kind not in "biufcV":
        raise DataError(f"collate: {where} has dtype {first.dtype}; only numbers can be made a Tensor")
    return np.stack(arrays)


def _collate_mappings(samples: Sequence[Any], where: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        if not isinstance(sample, Mapping) or sample.keys() != first.keys():
            other = sorted(map(str, sample)) if isinstance(sample, Mapping) else type(sample).__name__
            raise DataError(
                f"collate: {where} has keys {sorted(map(str, first))} in the first sample and {other} "
                f"in number {place}; samples of a batch must have the same keys"
            )
    return _rebuild(first, {key: _collate([s[key] for s in samples], f"{where}[{key!r}]") for key in first})


def _collate_sequences(samples: Sequence[Any], where: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        if not isinstance(sample, Sequence) or len(sample) != len(first):
            other = len(sample) if isinstance(sample, Sequence) else type(sample).__name__
            raise DataError(
                f"collate: {where} has {len(first)} elements in the first sample and {other} in number "
                f"{place}; samples of a batch must have the same number: pad them or pass collate_fn"
            )
    columns = [_collate(tuple(s[place] for s in samples), f"{where}[{place}]") for place in range(len(first))]
    if hasattr(first, "_fields"):
        return type(first)(*columns)
    return columns


def default_convert(data: Any) -> Any:
    """Turn NumPy arrays and scalars inside any structure into Tensors; leave the rest alone."""
    if isinstance(data, np.ndarray | np.generic):
        return to_tensor(data) if data.dtype.kind in "biufcV" else data
    return _map_structure(default_convert, data)


def default_collate(samples: Sequence[Any]) -> Any:
    """`numpy_collate`, then Tensors for the arrays: what a loader does with a batch by default.

    Args, raises: see `numpy_collate`.
    """
    return default_convert(numpy_collate(samples))


def to_tensor(data: Any) -> Any:
    """An onegraph Tensor with the values of an array, sharing its memory where it can."""
    array = np.asarray(data)
    if not array.flags.writeable:
        array = array.copy()  # a Tensor may be written in place
    return from_numpy_array(array)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a Tensor: it can give its values as an array, and is none itself."""
    return callable(getattr(value, "numpy", None)) and hasattr(value, "shape")


def array_of(value: Any) -> np.ndarray:
    """The values of a number, array or Tensor as a NumPy array."""
    if is_tensor(value):
        detach = getattr(value, "detach", None)
        return np.asarray((detach() if detach else value).numpy())
    return np.asarray(value)


def _map_structure(function: Callable[[Any], Any], data: Any) -> Any:
    if isinstance(data, str | bytes):
        return data
    if isinstance(data, Mapping):
        return _rebuild(data, {key: function(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(function(value) for value in data))
    if isinstance(data, tuple):
        return tuple(function(value) for value in data)
    return [function(value) for value in data] if isinstance(data, list) else data


def _rebuild(like: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """`values` in a mapping of the type of `like` where that type allows it, in a dict otherwise."""
    if type(like) is dict:
        return values
    try:
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values
