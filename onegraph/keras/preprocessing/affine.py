"""Random turns, shifts, shears and zooms of images as arrays, with NumPy. Read next: `image.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError

Array = np.ndarray[Any, Any]
_OUTSIDE = {"constant": "constant", "nearest": "nearest", "reflect": "reflect", "wrap": "wrap"}


def _moved(index: Array, size: int, mode: str) -> Array:
    if mode == "wrap":
        return index % size
    if mode == "reflect":
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)
    return np.clip(index, 0, size - 1)


def sample(image: Array, rows: Array, columns: Array, mode: str, cval: float, order: int) -> Array:
    """An image (height, width, channels) at any places, order 0 (nearest) or 1 (linear)."""
    if mode not in _OUTSIDE:
        raise ArgumentError(f"fill_mode must be one of {', '.join(_OUTSIDE)}, got {mode!r}")
    height, width = image.shape[:2]
    if order == 0:
        corners = [(np.rint(rows).astype(int), np.rint(columns).astype(int), None)]
    else:
        top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
        down, right = rows - top, columns - left
        corners = [
            (top, left, (1 - down) * (1 - right)),
            (top, left + 1, (1 - down) * right),
            (top + 1, left, down * (1 - right)),
            (top + 1, left + 1, down * right),
        ]
    found = np.zeros((*rows.shape, image.shape[2]), np.float64)
    for r, c, weight in corners:
        values = image[_moved(r, height, mode), _moved(c, width, mode)].astype(np.float64)
        if mode == "constant":
            outside = (r < 0) | (r >= height) | (c < 0) | (c >= width)
            values[outside] = cval
        found += values if weight is None else values * weight[..., None]
    return found.astype(image.dtype if image.dtype.kind == "f" else np.float32)


def apply_affine_transform(
    x: Array,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 0,
    col_axis: int = 1,
    channel_axis: int = 2,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """An image turned by theta degrees, moved by (tx, ty) pixels, sheared by degrees and zoomed.

    Args:
        x: an image; its axes are rows, columns and channels, as the last arguments say.
        tx, ty: along rows and columns.
        zx, zy: below 1 magnifies.
        fill_mode: 'constant', 'nearest', 'reflect' or 'wrap', for what lies outside.
    """
    image = np.moveaxis(x, (row_axis, col_axis, channel_axis), (0, 1, 2))
    turn, lean = np.deg2rad(theta), np.deg2rad(shear)
    matrix = np.eye(3)
    if theta:
        matrix = matrix @ [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    if tx or ty:
        matrix = matrix @ [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    if shear:
        matrix = matrix @ [[1, -np.sin(lean), 0], [0, np.cos(lean), 0], [0, 0, 1]]
    if zx != 1 or zy != 1:
        matrix = matrix @ np.diag([zx, zy, 1.0])
    height, width = image.shape[:2]
    middle = height / 2 - 0.5, width / 2 - 0.5
    rows, columns = np.meshgrid(np.arange(height) - middle[0], np.arange(width) - middle[1], indexing="ij")
    r = matrix[0, 0] * rows + matrix[0, 1] * columns + matrix[0, 2] + middle[0]
    c = matrix[1, 0] * rows + matrix[1, 1] * columns + matrix[1, 2] + middle[1]
    return np.moveaxis(sample(image, r, c, fill_mode, cval, order), (0, 1, 2), (row_axis, col_axis, channel_axis))


def _options(
    row_axis: int, col_axis: int, channel_axis: int, fill_mode: str, cval: float, order: int
) -> dict[str, Any]:
    axes = {"row_axis": row_axis, "col_axis": col_axis, "channel_axis": channel_axis}
    return {**axes, "fill_mode": fill_mode, "cval": cval, "order": order}


def random_rotation(
    x: Array,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image turned by up to rg degrees either way; channels come first unless told otherwise, as in Keras."""
    options = _options(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, theta=np.random.uniform(-rg, rg), **options)


def random_shift(
    x: Array,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image moved by up to these shares of its width and height."""
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    options = _options(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, tx=tx, ty=ty, **options)


def random_shear(
    x: Array,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image sheared by up to so many degrees."""
    options = _options(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, shear=np.random.uniform(-intensity, intensity), **options)


def random_zoom(
    x: Array,
    zoom_range: tuple[float, float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image zoomed by factors between two numbers, for height and width apart."""
    if len(zoom_range) != 2:
        raise ArgumentError(f"zoom_range must be two numbers, got {zoom_range}")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    options = _options(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, zx=zx, zy=zy, **options)


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """A number added to every element, within the range that the image has."""
    return np.clip(x + intensity, x.min(), x.max())


def random_channel_shift(x: Array, intensity_range: float, channel_axis: int = 0) -> Array:
    """Up to so much added to every channel."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def apply_brightness_shift(x: Array, brightness: float, scale: bool = True) -> Array:
    """An image brighter (above 1) or darker, within 0 to 255."""
    return np.clip(x * brightness, 0, 255).astype(x.dtype)


def random_brightness(x: Array, brightness_range: tuple[float, float], scale: bool = True) -> Array:
    """An image brighter or darker by a factor between two numbers."""
    return apply_brightness_shift(x, np.random.uniform(*brightness_range), scale)
