"""Bilinear resizing and sampling in NumPy: the same bits on every machine, without an image library.

Read next: `digits.py` and `augment.py`, which use it.
"""

from __future__ import annotations

import numpy as np

from onegraph.errors import ArgumentError


def resize_bilinear(images: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Resize the last two axes by bilinear interpolation with half-pixel centers.

    Output pixel i looks at input position (i + 1/2) * input / output - 1/2, clamped at the border: the
    rule of PyTorch's `interpolate(mode="bilinear", align_corners=False)`. Made for enlarging; when
    shrinking it does not average.

    Args:
        images: any number dtype, shape (..., H, W).
        size: new (H, W), or one integer for both.

    Returns:
        float32, shape (..., *size).

    Raises:
        ArgumentError: fewer than two axes, an empty image, or a size below 1.

    >>> resize_bilinear(np.array([[0.0, 4.0]]), (1, 4))
    array([[0., 1., 3., 4.]], dtype=float32)
    """
    height, width = (size, size) if isinstance(size, int) else size
    if images.ndim < 2 or 0 in images.shape[-2:] or height < 1 or width < 1:
        raise ArgumentError(f"resize: shape {images.shape} to {(height, width)}: (..., H, W), all at least 1")
    rows, row_share = _places(images.shape[-2], height)
    columns, column_share = _places(images.shape[-1], width)
    values = images.astype(np.float32)
    top, bottom = values[..., rows, :], values[..., rows + (row_share > 0), :]
    values = top + (bottom - top) * row_share[:, None]
    left, right = values[..., columns], values[..., columns + (column_share > 0)]
    return left + (right - left) * column_share


def _places(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Left neighbour of each output pixel, and the share of its right neighbour."""
    position = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    left = np.floor(position).astype(np.int64)
    return left, (position - left).astype(np.float32)


def sample_bilinear(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Values of an image at fractional positions, `fill` outside.

    Args:
        image: float, shape (..., H, W).
        rows, columns: positions in pixels, both of shape (H2, W2).

    Returns:
        float32, shape (..., H2, W2).
    """
    height, width = image.shape[-2:]
    # A border of `fill` makes the four neighbours of every position inside (-1, size) exist.
    widths = [(0, 0)] * (image.ndim - 2) + [(1, 1), (1, 1)]
    padded = np.pad(image.astype(np.float32), widths, constant_values=fill)
    row = np.clip(rows + 1, 0, height + 1)
    column = np.clip(columns + 1, 0, width + 1)
    top = np.minimum(np.floor(row).astype(np.int64), height)
    left = np.minimum(np.floor(column).astype(np.int64), width)
    down = (row - top).astype(np.float32)
    right = (column - left).astype(np.float32)
    upper = padded[..., top, left] * (1 - right) + padded[..., top, left + 1] * right
    lower = padded[..., top + 1, left] * (1 - right) + padded[..., top + 1, left + 1] * right
    return upper * (1 - down) + lower * down
