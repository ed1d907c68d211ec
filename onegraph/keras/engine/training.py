"""Keras 1's `slice_X`: rows of one array, or of each of several."""

from __future__ import annotations

from typing import Any

__all__ = ["slice_X", "slice_arrays"]


def slice_arrays(arrays: Any, start: Any = None, stop: int | None = None) -> Any:
    """Rows from start to stop, or with the numbers in start, of an array or of each of a list."""
    chosen = start if hasattr(start, "__len__") else slice(start, stop)
    if isinstance(arrays, list):
        return [None if a is None else a[chosen] for a in arrays]
    return arrays[chosen]


slice_X = slice_arrays
