"""Functions that move pixels: flips, crops, padding, resizing. Names and arguments are torchvision's.

Each takes a Pillow image, an array or a Tensor of shape (..., C, H, W) and gives the same kind back.
Read next: `warp.py` (rotation and the like), `sampling.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.images import is_undecoded_jpeg, pillow
from onegraph.data.transforms.kinds import (
    InterpolationMode,
    apply,
    array_fill,
    get_dimensions,
    interpolation_mode,
    is_pillow,
    like_integers,
    pair,
    pillow_fill,
    pillow_filter,
    stays_in_graph,
    through_array,
)
from onegraph.data.transforms.sampling import resize_array
from onegraph.errors import ArgumentError

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def hflip(img: Any) -> Any:
    """Left becomes right.

    >>> hflip(np.array([[[1, 2, 3]]]))
    array([[[3, 2, 1]]])
    """
    if stays_in_graph(img):
        return img.flip(-1)
    return apply("hflip", img, lambda i: i.transpose(0), lambda a: np.ascontiguousarray(a[..., ::-1]))


def vflip(img: Any) -> Any:
    """Top becomes bottom.

    >>> vflip(np.array([[[1], [2]]])).ravel()
    array([2, 1])
    """
    if stays_in_graph(img):
        return img.flip(-2)
    return apply("vflip", img, lambda i: i.transpose(1), lambda a: np.ascontiguousarray(a[..., ::-1, :]))


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cut out a rectangle; what lies outside of the image is 0.

    >>> crop(np.arange(9).reshape(1, 3, 3), 1, 1, 2, 3)
    array([[[4, 5, 0],
            [7, 8, 0]]])
    """
    if (
        stays_in_graph(img)
        and top >= 0
        and left >= 0
        and top + height <= img.shape[-2]
        and left + width <= img.shape[-1]
    ):
        return img[..., top : top + height, left : left + width]
    return apply(
        "crop",
        img,
        lambda i: i.crop((left, top, left + width, top + height)),
        lambda a: crop_array(a, top, left, height, width, 0),
    )


def crop_array(image: np.ndarray, top: int, left: int, height: int, width: int, fill: Any) -> np.ndarray:
    """A rectangle of an array (..., H, W), `fill` outside, without building a padded image."""
    if height < 1 or width < 1:
        raise ArgumentError(f"crop: {height} x {width}: at least 1 x 1")
    rows = slice(max(top, 0), max(min(top + height, image.shape[-2]), 0))
    columns = slice(max(left, 0), max(min(left + width, image.shape[-1]), 0))
    part = image[..., rows, columns]
    if part.shape[-2:] == (height, width):
        return np.ascontiguousarray(part)
    result = np.empty((*image.shape[:-2], height, width), image.dtype)
    result[...] = like_integers(array_fill(image, fill), image.dtype)
    if part.size:
        result[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
    return result


def center_crop(img: Any, output_size: Any) -> Any:
    """Cut (height, width) out of the middle; an image that is too small is padded with 0 first.

    >>> center_crop(np.arange(16).reshape(1, 4, 4), 2)
    array([[[ 5,  6],
            [ 9, 10]]])
    """
    height, width = pair("center_crop", output_size)
    _, old_height, old_width = get_dimensions(img)
    if height > old_height or width > old_width:
        rows, columns = max(height - old_height, 0), max(width - old_width, 0)
        img = pad(img, [columns // 2, rows // 2, (columns + 1) // 2, (rows + 1) // 2])
        _, old_height, old_width = get_dimensions(img)
        if (old_height, old_width) == (height, width):
            return img
    return crop(img, round((old_height - height) / 2), round((old_width - width) / 2), height, width)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Add a border.

    Args:
        padding: one width; (left and right, top and bottom); or (left, top, right, bottom). Negative ones cut.
        fill: value of a constant border, a number or one a channel.
        padding_mode: "constant", "edge" (the last pixel), "reflect" (mirrored without it) or "symmetric".

    Raises:
        ArgumentError: another mode, or a border that the image is too small to mirror.

    >>> pad(np.array([[[1, 2]]]), (1, 0), fill=9)
    array([[[9, 1, 2, 9]]])
    """
    left, top, right, bottom = four_sides(padding)
    if padding_mode not in PADDING_MODES:
        raise ArgumentError(f"pad: padding_mode={padding_mode!r}: one of {', '.join(PADDING_MODES)}")
    _, height, width = get_dimensions(img)

    def on_array(array: np.ndarray) -> np.ndarray:
        if padding_mode == "constant" or min(left, top, right, bottom) < 0:
            cut = crop_array(array, -top, -left, height + top + bottom, width + left + right, fill)
            if padding_mode == "constant":
                return cut
            raise ArgumentError("pad: only a constant border can be negative")
        if padding_mode == "reflect" and (max(top, bottom) >= height or max(left, right) >= width):
            raise ArgumentError(f"pad: a reflected border of {padding} needs an image larger than {height} x {width}")
        widths = [(0, 0)] * (array.ndim - 2) + [(top, bottom), (left, right)]
        return np.pad(array, widths, mode=padding_mode)  # type: ignore[call-overload]

    def on_pillow(image: Any) -> Any:
        if padding_mode == "constant" and min(left, top, right, bottom) >= 0:
            return pillow("ImageOps").expand(
                _with_palette_values(image), (left, top, right, bottom), pillow_fill(image, fill)
            )
        return through_array(image, on_array)

    return apply("pad", img, on_pillow, on_array)


def _with_palette_values(image: Any) -> Any:
    return image.convert("RGB") if image.mode == "P" else image


def four_sides(padding: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of one number, two or four.

    Raises:
        ArgumentError: anything else.
    """
    values = [padding] if isinstance(padding, int) else list(padding) if isinstance(padding, Sequence) else []
    if len(values) not in (1, 2, 4) or any(not isinstance(value, int) for value in values):
        raise ArgumentError(
            f"padding={padding!r}: one whole number, two (sides, top and bottom), or four (left, top, right, bottom)"
        )
    if len(values) == 4:
        return values[0], values[1], values[2], values[3]
    return values[0], values[-1], values[0], values[-1]


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Another size.

    Args:
        size: (height, width), or one number for the shorter side; the other follows. None: see `max_size`.
        interpolation: how; Pillow images take all modes, arrays nearest, nearest-exact, bilinear and bicubic.
        max_size: the longer side may not exceed this; only where `size` is one number, or None, which scales
            the longer side to it.
        antialias: average when shrinking; Pillow images always are, for bilinear and bicubic.

    >>> resize(np.zeros((3, 20, 40)), 10).shape
    (3, 10, 20)
    """
    mode = interpolation_mode(interpolation)
    _, height, width = get_dimensions(img)
    new = resized_size((height, width), size, max_size)
    if new == (height, width):
        return img
    return apply(
        "resize",
        img,
        lambda i: i.resize((new[1], new[0]), pillow_filter(mode)),
        lambda a: resize_array(a, new, mode.value, bool(antialias)),
    )


def resized_size(old: tuple[int, int], size: Any, max_size: int | None = None) -> tuple[int, int]:
    """The (height, width) that `resize` gives.

    Raises:
        ArgumentError: `size` or `max_size` make no sense, alone or together.

    >>> resized_size((480, 640), 256), resized_size((100, 400), 50, max_size=100)
    ((256, 341), (25, 100))
    """
    height, width = old
    short, long = sorted(old)
    if size is None:
        if not isinstance(max_size, int):
            raise ArgumentError("resize: give size, or max_size for the longer side")
        new_short, new_long = int(max_size * short / long), max_size
    else:
        sizes = [size] if isinstance(size, int | np.integer) else list(size)
        if len(sizes) == 2:
            if max_size is not None:
                raise ArgumentError(
                    "resize: max_size goes with one number for the shorter side, not with (height, width)"
                )
            return pair("resize", size)
        wanted, _ = pair("resize", size)
        new_short, new_long = wanted, int(wanted * long / short)
        if max_size is not None:
            if max_size <= wanted:
                raise ArgumentError(
                    f"resize: max_size={max_size} must be larger than size={wanted} of the shorter side"
                )
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    new = (new_short, new_long) if height <= width else (new_long, new_short)
    return max(new[0], 1), max(new[1], 1)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Cut out a rectangle and resize it.

    >>> resized_crop(np.ones((1, 8, 8)), 2, 2, 4, 4, 2).shape
    (1, 2, 2)
    """
    if is_pillow(img) and is_undecoded_jpeg(img):
        return _decoded_smaller(img, (left, top, left + width, top + height), size, interpolation)
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def _decoded_smaller(image: Any, box: tuple[int, int, int, int], size: Any, interpolation: Any) -> Any:
    """A part of a JPEG in another size: the file is decoded at the smallest scale that still has more pixels."""
    left, top, right, bottom = box
    new_height, new_width = resized_size((bottom - top, right - left), size)
    shrink = min((right - left) / new_width, (bottom - top) / new_height)
    old_width, old_height = image.size
    if shrink >= 2:
        scale = min(8, 1 << (int(shrink).bit_length() - 1))
        image.draft(image.mode, (old_width // scale, old_height // scale))
    across, down = image.size[0] / old_width, image.size[1] / old_height
    part = image.crop((round(left * across), round(top * down), round(right * across), round(bottom * down)))
    return resize(part, [new_height, new_width], interpolation)


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The four corners and the middle.

    Raises:
        ArgumentError: the image is smaller than `size`.

    >>> [int(part.ravel()[0]) for part in five_crop(np.arange(9).reshape(1, 3, 3), 1)]
    [0, 2, 6, 8, 4]
    """
    height, width = pair("five_crop", size)
    _, old_height, old_width = get_dimensions(img)
    if height > old_height or width > old_width:
        raise ArgumentError(f"five_crop: {(height, width)} does not fit into an image of {(old_height, old_width)}")
    bottom, right = old_height - height, old_width - width
    corners = [crop(img, top, left, height, width) for top in (0, bottom) for left in (0, right)]
    return (*corners, center_crop(img, [height, width]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of an image and of its mirror image, left to right or upside down.

    >>> len(ten_crop(np.zeros((1, 3, 3)), 2))
    10
    """
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """Put a value, or values that broadcast to (C, h, w), where a rectangle of an array or Tensor was.

    >>> erase(np.ones((1, 2, 2)), 0, 0, 1, 2, 0.0)
    array([[[0., 0.],
            [1., 1.]]])
    """
    if is_pillow(img):
        raise ArgumentError("erase: for arrays and Tensors; turn a Pillow image into one first")
    if inplace:
        img[..., i : i + h, j : j + w] = v
        return img

    def on_array(array: np.ndarray) -> np.ndarray:
        result = array.copy()
        result[..., i : i + h, j : j + w] = v.numpy() if hasattr(v, "numpy") else v
        return result

    return apply("erase", img, lambda image: image, on_array)
