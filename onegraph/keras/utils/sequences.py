"""Sequences of numbers: `pad_sequences`, and pieces of series. Read next: `directories.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DataError


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray[Any, Any]:
    """Sequences of different lengths as one array.

    Args:
        sequences: lists of numbers (or of rows of one size).
        maxlen: the length; of the longest if None.
        dtype: of the array.
        padding: whether to fill up 'pre' (before) or 'post' (behind).
        truncating: whether to cut off at 'pre' or 'post'.
        value: what to fill up with.

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ArgumentError(f"pad_sequences: {name} must be 'pre' or 'post', got {side!r}")
    rows = []
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise DataError(f"pad_sequences: element {i} is no sequence but {sequence!r}")
        rows.append(np.asarray(sequence))
    length = max((len(r) for r in rows), default=0) if maxlen is None else maxlen
    inner = next((r.shape[1:] for r in rows if len(r)), ())
    kind = object if isinstance(value, str) and np.dtype(dtype) != object else dtype
    found = np.full((len(rows), length, *inner), value, dtype=kind)
    for target, row in zip(found, rows, strict=True):
        if not len(row):
            continue
        if row.shape[1:] != inner:
            raise DataError(f"pad_sequences: rows of shape {row.shape[1:]} and {inner} cannot be put together")
        kept = row[-length:] if truncating == "pre" else row[:length]
        if len(kept):
            target[-len(kept) :] = kept if padding == "pre" else target[-len(kept) :]
            if padding == "post":
                target[: len(kept)] = kept
    return found
