"""Resizing and warping of arrays in NumPy: filters with antialiasing, and values at fractional places.

Sums run tap by tap in one order, so results have the same bits on every machine. Read next: `geometry.py`.
Sources: R. Keys, "Cubic convolution interpolation for digital image processing", 1981 (bicubic); widened
filters for shrinking as Pillow and PyTorch do it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from onegraph.data.resize import sample_bilinear
from onegraph.data.transforms.kinds import array_fill, like_integers
from onegraph.errors import ArgumentError


def resize_array(image: np.ndarray, size: tuple[int, int], mode: str, antialias: bool) -> np.ndarray:
    """An image array (..., H, W) in another size and its own dtype.

    Args:
        mode: "nearest", "nearest-exact", "bilinear" or "bicubic".
        antialias: widen the filter when shrinking, so that every pixel counts.

    Raises:
        ArgumentError: a mode that arrays do not have.
    """
    if mode in ("nearest", "nearest-exact"):
        rows, columns = (_nearest(old, new, mode) for old, new in zip(image.shape[-2:], size, strict=True))
        return np.ascontiguousarray(image[..., rows, :][..., columns])
    if mode not in ("bilinear", "bicubic"):
        raise ArgumentError(
            f"resize: {mode} is for Pillow images; arrays and Tensors take nearest, bilinear or bicubic"
        )
    values = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    # Columns first, as PyTorch does: fewer rows are touched when the image gets lower.
    for axis, new in ((-1, size[1]), (-2, size[0])):
        if values.shape[axis] != new:
            values = _filter_axis(values, axis, new, mode, antialias)
    return like_integers(values, image.dtype)


def _nearest(old: int, new: int, mode: str) -> np.ndarray:
    shift = 0.5 if mode == "nearest-exact" else 0.0
    places = np.floor((np.arange(new, dtype=np.float32) + np.float32(shift)) * np.float32(old / new))
    return np.minimum(places.astype(np.int64), old - 1)


def _filter_axis(values: np.ndarray, axis: int, new: int, mode: str, antialias: bool) -> np.ndarray:
    places, weights = _taps(values.shape[axis], new, mode, antialias)
    result: Any = 0.0
    for tap in range(places.shape[1]):
        weight = weights[:, tap].astype(values.dtype)
        part = np.take(values, places[:, tap], axis=axis)
        part *= weight if axis == -1 else weight[:, None]
        result = part if tap == 0 else np.add(result, part, out=result)
    return result


@lru_cache(maxsize=256)
def _taps(old: int, new: int, mode: str, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """For each output pixel the input pixels that it is made of, and their shares: two arrays (new, taps)."""
    scale = old / new
    centers = (np.arange(new) + 0.5) * scale
    if antialias:
        stretch = max(scale, 1.0)
        support = (1.0 if mode == "bilinear" else 2.0) * stretch
        first = np.maximum((centers - support + 0.5).astype(np.int64), 0)
        last = np.minimum((centers + support + 0.5).astype(np.int64), old)
        offsets = np.arange(int((last - first).max()))
        places = first[:, None] + offsets
        kernel: Callable[[np.ndarray], np.ndarray] = _triangle if mode == "bilinear" else lambda x: _cubic(x, -0.5)
        weights = kernel((places - centers[:, None] + 0.5) / stretch) * (places < last[:, None])
        weights /= weights.sum(axis=1, keepdims=True)
    else:
        position = np.clip(centers - 0.5, 0, None) if mode == "bilinear" else centers - 0.5
        around = np.arange(2) if mode == "bilinear" else np.arange(-1, 3)
        places = np.floor(position).astype(np.int64)[:, None] + around
        distance = places - position[:, None]
        weights = _triangle(distance) if mode == "bilinear" else _cubic(distance, -0.75)
    return np.clip(places, 0, old - 1), weights


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def sample_array(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, mode: str, fill: Any) -> np.ndarray:
    """Values of an image array (..., C, H, W) at fractional places, `fill` outside, in the image's dtype.

    Args:
        rows, columns: places in pixels, both of shape (H2, W2).
        mode: "nearest" or "bilinear".
        fill: a number, one a channel, or None for 0.

    Raises:
        ArgumentError: another mode.
    """
    if mode == "bilinear":
        values = sample_bilinear(image.astype(np.float32), rows, columns)
        if fill is not None:
            # As torchvision mixes: by how much of each pixel is inside, which also darkens the image's own border.
            inside = sample_bilinear(np.ones((1, *image.shape[-2:]), np.float32), rows, columns)[0]
            values = values * inside + (1 - inside) * array_fill(image, fill)
        return like_integers(values, image.dtype)
    if mode != "nearest":
        raise ArgumentError(
            f"interpolation {mode} is for Pillow images; arrays and Tensors take nearest or bilinear here"
        )
    height, width = image.shape[-2:]
    row, column = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    taken = image[..., np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(inside, taken, like_integers(array_fill(image, fill), image.dtype))


def blur_array(image: np.ndarray, kernel_rows: np.ndarray, kernel_columns: np.ndarray) -> np.ndarray:
    """Weighted sums over neighbours along rows and columns, mirrored at the border, in the image's dtype."""
    values = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    for axis, kernel in ((-1, kernel_columns), (-2, kernel_rows)):
        radius, size = len(kernel) // 2, values.shape[axis]
        if radius >= size:
            raise ArgumentError(f"gaussian_blur: a kernel of {len(kernel)} needs an image of more than {radius} pixels")
        widths = [(0, 0)] * values.ndim
        widths[axis] = (radius, radius)
        padded = np.pad(values, widths, mode="reflect")
        result: Any = 0.0
        for tap, weight in enumerate(kernel):
            window = [slice(None)] * values.ndim
            window[axis] = slice(tap, tap + size)
            result = result + padded[tuple(window)] * values.dtype.type(weight)
        values = result
    return like_integers(values, image.dtype)
