"""`Picture`: numbers that are to be looked at, as an image: scaled, tiled, coloured, laid over another image, saved as PNG.

Read next: `features.py`, which makes pictures of layers; `onegraph/board/png.py`, the encoder.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from onegraph.board.png import encode_png
from onegraph.errors import ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.storage.atomic import atomic_write

# Points of a colour scale that rises in brightness from black over violet and orange to yellow, so that it can be read
# in gray as well.
_LIGHT = 215  # of the ground between tiles
_HEAT = np.array([(0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)], np.float64)


class Picture:
    """An image, with the numbers that it was made of.

    Attributes:
        pixels: uint8 of shape (height, width, 3).
        values: the numbers, float32.
        title: what it shows.

    >>> picture = Picture(np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3)))
    >>> picture.shape, picture.png()[:4]
    ((2, 3, 3), b'\\x89PNG')
    """

    def __init__(self, pixels: np.ndarray, values: np.ndarray, title: str = "") -> None:
        self.pixels = np.ascontiguousarray(pixels, np.uint8)
        self.values = np.asarray(values, np.float32)
        self.title = title

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels: (height, width, 3)."""
        return self.pixels.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The pixels, for NumPy, Pillow (`Image.fromarray(picture.pixels)`) and matplotlib (`imshow(picture)`)."""
        return self.pixels.astype(dtype) if dtype is not None else self.pixels.copy() if copy else self.pixels

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"<Picture: {self.title or 'untitled'}, {height}x{width}>"

    def enlarged(self, factor: int) -> Picture:
        """The picture with every pixel as a square of `factor` by `factor`."""
        return Picture(self.pixels.repeat(factor, 0).repeat(factor, 1), self.values, self.title)

    def png(self) -> bytes:
        """The picture as a PNG file."""
        return encode_png(self.pixels)

    _repr_png_ = png  # what notebooks show

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a PNG file; it is complete or not there.

        Raises:
            StorageError: it cannot be written.
        """
        with atomic_write(path) as file:
            file.write(self.png())


def as_array(value: Any) -> np.ndarray:
    """A tensor or array as float32."""
    return np.asarray(value.detach().numpy() if isinstance(value, Tensor) else value, np.float32)


def stretched(values: np.ndarray, axes: tuple[int, ...] | None = None) -> np.ndarray:
    """Numbers scaled to 0 to 1, over all or some axes; equal ones become 0.

    >>> stretched(np.array([1.0, 2.0, 3.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    low = values.min(axis=axes, keepdims=axes is not None)
    span = values.max(axis=axes, keepdims=axes is not None) - low
    return (values - low) / np.where(span > 0, span, 1)


def signed(values: np.ndarray) -> np.ndarray:
    """Numbers scaled to 0 to 1 so that 0 becomes one half: gray is nothing, dark is negative, light is positive.

    >>> signed(np.array([-1.0, 0.0, 2.0])).tolist()
    [0.25, 0.5, 1.0]
    """
    largest = float(np.abs(values).max(initial=0))
    return values / (2 * largest) + 0.5 if largest > 0 else np.full_like(values, 0.5)


def to_pixels(image: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as uint8 (H, W, 3).

    Args:
        image: of shape (H, W), (1, H, W) or (3, H, W).

    Raises:
        ShapeError: another shape.
    """
    if image.ndim == 2:
        image = image[None]
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ShapeError(f"a picture of an array of shape {image.shape}: (H, W), (1, H, W) or (3, H, W) is needed")
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def heat(values: np.ndarray) -> np.ndarray:
    """Colours of numbers from 0 (black) to 1 (yellow): (H, W) in, uint8 (H, W, 3) out."""
    place = np.clip(values, 0, 1) * (len(_HEAT) - 1)
    colours = [np.interp(place, np.arange(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)]
    return np.rint(np.stack(colours, -1)).astype(np.uint8)


def overlay(image: np.ndarray, values: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """Colours of numbers, laid over an image in gray.

    Args:
        image: uint8 (H, W, 3).
        values: from 0 to 1, (H, W).
        strength: share of the colours, 0 to 1.
    """
    gray = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    mixed = (1 - strength) * gray[:, :, None] + strength * heat(values)
    return np.rint(mixed).astype(np.uint8)


def tiled(images: list[np.ndarray], columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Pictures of one size, uint8 (H, W, 3), side by side in rows on a light ground.

    >>> tiled([np.zeros((2, 2, 3), np.uint8)] * 3).shape
    (7, 7, 3)
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width, _ = images[0].shape
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), _LIGHT, np.uint8)
    for number, image in enumerate(images):
        top, left = gap + number // columns * (height + gap), gap + number % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def scaled_to_fit(size: tuple[int, int], least: int) -> int:
    """By what whole factor a picture is enlarged so that its shorter side has about `least` pixels."""
    return max(1, round(least / max(1, min(size))))
