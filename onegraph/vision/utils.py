"""`torchvision.utils`: images side by side, image files, boxes and masks drawn on images. Read next: `io.py`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from onegraph.data.collate import array_of, is_tensor, to_tensor
from onegraph.data.images import pillow
from onegraph.data.transforms.convert import to_pil_image
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError

__all__ = ["draw_bounding_boxes", "draw_segmentation_masks", "make_grid", "save_image"]


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Any:
    """Images side by side in one image.

    Args:
        tensor: a Tensor (B, C, H, W), (C, H, W) or (H, W), or a list of Tensors (C, H, W); one channel becomes three.
        nrow: images in a row.
        padding: pixels between them.
        normalize: bring the values to 0 to 1.
        value_range: what becomes 0 and 1; by default the smallest and the largest value.
        scale_each: find those for each image.
        pad_value: of the pixels between.

    Returns:
        A Tensor (C, H', W').

    Raises:
        ArgumentTypeError: no Tensor or list of them.

    >>> import onegraph as og
    >>> make_grid(og.zeros(3, 1, 4, 5), nrow=2).shape
    onegraph.Size([3, 14, 16])
    """
    images = _batch(tensor)
    if normalize:
        if value_range is not None and (not isinstance(value_range, tuple) or len(value_range) != 2):
            raise ArgumentTypeError(f"make_grid: value_range={value_range!r}: a tuple (smallest, largest)")
        images = (
            np.stack([_scaled(image, value_range) for image in images]) if scale_each else _scaled(images, value_range)
        )
    count, channels, height, width = images.shape
    if count == 1:
        return to_tensor(images[0])
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    shape = (channels, rows * (height + padding) + padding, columns * (width + padding) + padding)
    grid = np.full(shape, pad_value, images.dtype)
    for place, image in enumerate(images):
        top, left = (
            position * (size + padding) + padding
            for position, size in zip(divmod(place, columns), (height, width), strict=True)
        )
        grid[:, top : top + height, left : left + width] = image
    return to_tensor(grid)


def _batch(tensor: Any) -> np.ndarray:
    if isinstance(tensor, list | tuple):
        if not tensor or not all(is_tensor(image) or isinstance(image, np.ndarray) for image in tensor):
            raise ArgumentTypeError("make_grid: a list of something else than Tensors")
        images = np.stack([array_of(image) for image in tensor])
    elif is_tensor(tensor) or isinstance(tensor, np.ndarray):
        images = array_of(tensor)
    else:
        raise ArgumentTypeError(f"make_grid: a {type(tensor).__name__}; a Tensor or a list of Tensors is needed")
    if not 2 <= images.ndim <= 4:
        raise ShapeError(f"make_grid: shape {images.shape}; (B, C, H, W), (C, H, W) or (H, W) is needed")
    while images.ndim < 4:
        images = images[None]
    return np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images


def _scaled(values: np.ndarray, ends: tuple[float, float] | None) -> np.ndarray:
    low, high = ends or (float(values.min()), float(values.max()))
    return ((np.clip(values, low, high) - low) / max(high - low, 1e-5)).astype(values.dtype)


def save_image(tensor: Any, fp: str | os.PathLike[str] | BinaryIO, format: str | None = None, **kwargs: Any) -> None:
    """Write a Tensor of values 0 to 1 as an image file; a batch becomes a grid.

    Args:
        tensor: see `make_grid`, as are further arguments.
        fp: a path or a file that is open for writing.
        format: by default what the path ends in.
    """
    grid = array_of(make_grid(tensor, **kwargs))
    pixels = np.clip(grid * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    pillow("Image").fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)


def draw_bounding_boxes(
    image: Any,
    boxes: Any,
    labels: Sequence[str | None] | None = None,
    colors: Any = None,
    fill: bool = False,
    width: int = 1,
) -> Any:
    """Draw boxes on an image.

    Args:
        image: uint8 Tensor (1 or 3, H, W).
        boxes: Tensor (N, 4) of x1, y1, x2, y2 in pixels.
        labels: a text for each box, or None.
        colors: one color, or one a box: Pillow's names or (red, green, blue); red by default.
        fill: fill the boxes, half see-through.
        width: of the lines.

    Returns:
        uint8 Tensor (3, H, W).

    Raises:
        ShapeError, ArgumentError: another shape, or a box whose ends are exchanged.
    """
    pixels, corners = array_of(image), array_of(boxes).reshape(-1, 4)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ShapeError(
            f"draw_bounding_boxes: an image {pixels.shape} of {pixels.dtype}; uint8 (1 or 3, H, W) is needed"
        )
    if np.any(corners[:, :2] > corners[:, 2:]):
        raise ArgumentError("draw_bounding_boxes: boxes are x1, y1, x2, y2 with x1 <= x2 and y1 <= y2")
    picture = to_pil_image(to_tensor(np.ascontiguousarray(pixels))).convert("RGB")
    draw = pillow("ImageDraw").Draw(picture, "RGBA" if fill else None)
    for place, box in enumerate(corners.tolist()):
        color = _color(colors, place)
        draw.rectangle(box, fill=(*color, 100) if fill else None, outline=color, width=width)
        if labels is not None and labels[place] is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), str(labels[place]), fill=color)
    return to_tensor(np.array(picture).transpose(2, 0, 1).copy())


def draw_segmentation_masks(image: Any, masks: Any, alpha: float = 0.8, colors: Any = None) -> Any:
    """Color the parts of an image that masks choose.

    Args:
        image: uint8 Tensor (3, H, W).
        masks: bool Tensor (N, H, W) or (H, W).
        alpha: how much of the color is seen, 0 to 1.
        colors: one color, or one a mask; red by default.

    Raises:
        ShapeError: shapes that do not fit.
    """
    pixels, chosen = array_of(image), np.asarray(array_of(masks), bool)
    chosen = chosen[None] if chosen.ndim == 2 else chosen
    if pixels.ndim != 3 or pixels.shape[0] != 3 or chosen.shape[1:] != pixels.shape[1:]:
        raise ShapeError(
            f"draw_segmentation_masks: image {pixels.shape}, masks {chosen.shape}: (3, H, W) and (N, H, W)"
        )
    colored = pixels.copy()
    for place, mask in enumerate(chosen):
        colored[:, mask] = np.array(_color(colors, place), np.uint8)[:, None]
    mixed = pixels.astype(np.float32) * (1 - alpha) + colored.astype(np.float32) * alpha
    return to_tensor(mixed.astype(pixels.dtype))


def _color(colors: Any, place: int) -> tuple[int, int, int]:
    chosen = colors[place] if isinstance(colors, list) else colors
    if chosen is None:
        return (255, 0, 0)
    return pillow("ImageColor").getrgb(chosen)[:3] if isinstance(chosen, str) else tuple(chosen)


def _log_api_usage_once(obj: Any) -> None:
    """Counts nothing; here because torchvision's own code and its relatives call it."""


def _make_ntuple(x: Any, n: int) -> tuple[Any, ...]:
    """A value n times, or the values of a sequence."""
    return tuple(x) if isinstance(x, Sequence) and not isinstance(x, str) else (x,) * n
