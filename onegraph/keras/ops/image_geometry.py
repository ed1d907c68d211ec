"""Geometric transforms of `keras.ops.image`: values at any places, affine and perspective transforms, elastic warps.

Read next: `image.py`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from onegraph import linalg as _linalg
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import convert, floating, image_format, operation
from onegraph.keras.ops.image import as_batch, from_batch, gaussian_blur

linalg: Any = _linalg  # its names are made at run time, out of sight of type checkers
_where, _stack = EXPORTS["where"], EXPORTS["stack"]
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _inside(index: Any, size: int, mode: str) -> Any:
    """Whole places moved into [0, size), by the rule for what lies outside."""
    if mode in ("constant", "nearest"):
        return index.clamp(0, size - 1)
    if mode == "wrap":
        return index % size
    if mode == "mirror":
        period = max(2 * size - 2, 1)
        index = index % period
        return _where(index < size, index, period - index)
    index = index % (2 * size)
    return _where(index < size, index, 2 * size - 1 - index)


@operation
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """Values at places that need not be whole.

    Args:
        inputs: of any rank.
        coordinates: (rank, ...) places, a row for each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside: 'constant', 'nearest', 'wrap', 'mirror' or 'reflect'.
        fill_value: for 'constant'.
    """
    x, places = convert(inputs), floating(coordinates)
    if order not in (0, 1):
        raise ArgumentError(f"map_coordinates: order must be 0 or 1, got {order}")
    if fill_mode not in FILL_MODES:
        raise ArgumentError(f"map_coordinates: fill_mode must be one of {', '.join(FILL_MODES)}, got {fill_mode!r}")
    if places.shape[0] != x.ndim:
        raise ShapeError(f"map_coordinates: {places.shape[0]} rows of coordinates for {x.ndim} dimensions")
    flat, total = floating(x).reshape(-1), None
    corners = []
    for i, size in enumerate(x.shape):
        low = places[i].floor() if order else (places[i] + 0.5).floor()
        share = places[i] - low
        sides = [(low, 1 - share), (low + 1, share)] if order else [(low, None)]
        corners.append([(index, weight, size) for index, weight in sides])
    for corner in itertools.product(*corners):
        number, weight, valid = None, None, None
        for index, share, size in corner:
            whole = index.long()
            inside = (whole >= 0) & (whole < size)
            own = _inside(whole, size, fill_mode)
            number = own if number is None else number * size + own
            valid = inside if valid is None else valid & inside
            if share is not None:
                weight = share if weight is None else weight * share
        values = flat.index_select(0, number.reshape(-1)).reshape(*number.shape)  # type: ignore[union-attr]
        if fill_mode == "constant":
            values = _where(valid, values, values * 0 + fill_value)
        values = values if weight is None else values * weight
        total = values if total is None else total + values
    if x.dtype.is_floating_point:
        return total
    return total.round().to(x.dtype)  # type: ignore[union-attr]


def _sample(x: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: Any) -> Any:
    """Images (batch, channels, height, width) at places (batch, height, width)."""
    if interpolation not in ("nearest", "bilinear"):
        raise ArgumentError(f"interpolation must be 'nearest' or 'bilinear', got {interpolation!r}")
    batch, channels, height, width = x.shape
    h, w = rows.shape[1:]
    b = EXPORTS["arange"](batch * channels).to(rows.dtype).reshape(batch, channels, 1, 1).expand(batch, channels, h, w)
    r = rows.unsqueeze(1).expand(batch, channels, h, w)
    c = columns.unsqueeze(1).expand(batch, channels, h, w)
    stacked = _stack([b, r, c])
    planes = x.reshape(batch * channels, height, width)
    return map_coordinates(planes, stacked, 1 if interpolation == "bilinear" else 0, fill_mode, fill_value)


def _grid(height: int, width: int) -> tuple[Any, Any]:
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return convert(rows, "float32"), convert(columns, "float32")


@operation
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Any:
    """Images under a projective map from output places to input places.

    Args:
        transform: (a0, a1, a2, b0, b1, b2, c0, c1), one or one an image: the output (x, y) shows the input at
            ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with k = c0 x + c1 y + 1.
        interpolation: 'nearest' or 'bilinear'.
        fill_mode: 'constant', 'nearest', 'wrap', 'mirror' or 'reflect'.
    """
    last = image_format(data_format)
    x, batched = as_batch(images, last, "affine_transform")
    t = floating(transform).reshape(-1, 8)
    if t.shape[0] not in (1, x.shape[0]):
        raise ShapeError(f"affine_transform: {t.shape[0]} transforms for {x.shape[0]} images")
    rows, columns = _grid(*x.shape[-2:])
    a0, a1, a2, b0, b1, b2, c0, c1 = (t[:, i].reshape(-1, 1, 1) for i in range(8))
    k = c0 * columns + c1 * rows + 1
    u, v = (a0 * columns + a1 * rows + a2) / k, (b0 * columns + b1 * rows + b2) / k
    size = (x.shape[0], *x.shape[-2:])
    found = _sample(x, v.expand(*size), u.expand(*size), interpolation, fill_mode, fill_value)
    return from_batch(found, last, batched)


@operation
def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Any:
    """Images moved so that four points (x, y) come to four others; (4, 2), or a batch of them."""
    starts, ends = floating(start_points).reshape(-1, 4, 2), floating(end_points).reshape(-1, 4, 2)
    zero, one = starts[..., 0] * 0, starts[..., 0] * 0 + 1
    x, y = ends[..., 0], ends[..., 1]
    u, v = starts[..., 0], starts[..., 1]
    upper = _stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    lower = _stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    matrix, right = EXPORTS["cat"]([upper, lower], 1), EXPORTS["cat"]([u, v], 1)
    transform = linalg.solve(matrix, right.unsqueeze(-1)).squeeze(-1)
    return affine_transform(images, transform, interpolation, "constant", fill_value, data_format)


@operation
def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images warped by smooth random shifts. Source: Simard et al., ICDAR 2003.

    Args:
        alpha: how far places move.
        sigma: how smooth the shifts are.
    """
    from onegraph.keras import random

    last = image_format(data_format)
    x, batched = as_batch(images, last, "elastic_transform")
    size = (x.shape[0], *x.shape[-2:])
    width = int(6 * sigma) | 1

    def shifts() -> Any:
        noise = random.normal((*size, 1), seed=seed)
        return gaussian_blur(noise, (width, width), (sigma, sigma), "channels_last").squeeze(-1) * alpha

    rows, columns = _grid(*size[1:])
    found = _sample(x, rows + shifts(), columns + shifts(), interpolation, fill_mode, fill_value)
    return from_batch(found, last, batched)
