"""What convolutions and pooling share: sizes, padding, and where the channels are. Read next: `convolution.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.nn import functional as F


def sizes_of(value: Any, rank: int, name: str) -> tuple[int, ...]:
    """One whole number for each dimension, from one number or several."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank or any(not isinstance(v, int) or v < 1 for v in values):
        raise ArgumentError(f"{name} must be a positive whole number or {rank} of them, got {value!r}")
    return values


def channels_first(x: Any, data_format: str) -> Any:
    """(batch, ..., channels) as (batch, channels, ...)."""
    return x if data_format == "channels_first" else x.movedim(-1, 1)


def channels_back(x: Any, data_format: str) -> Any:
    """(batch, channels, ...) in the layer's own format."""
    return x if data_format == "channels_first" else x.movedim(1, -1)


def same_padding(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each dimension so that the output has ceil(size / stride) places; the odd one goes behind.

    >>> same_padding([28, 5], [3, 2], [2, 1], [1, 1])
    [(0, 1), (0, 1)]
    """
    found = []
    for size, k, stride, d in zip(sizes, kernel, strides, dilation, strict=True):
        total = max((-(-size // stride) - 1) * stride + (k - 1) * d + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def padded(x: Any, pairs: Sequence[tuple[int, int]], value: float = 0.0) -> tuple[Any, tuple[int, ...]]:
    """The input with asymmetric padding applied, and the symmetric padding that is left for the operation itself."""
    if all(low == high for low, high in pairs):
        return x, tuple(low for low, _ in pairs)
    flat = [size for pair in reversed(pairs) for size in pair]
    return F.pad(x, flat, value=value), (0,) * len(pairs)
