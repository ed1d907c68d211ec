"""Functions that turn, slant and bend images: rotation, affine and perspective maps, elastic distortion, blur.

For each output pixel they find the place in the input where it came from. Read next: `sampling.py`.
Source of the affine map: rotation * shear about the center as Pillow and torchvision order them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.transforms.kinds import (
    InterpolationMode,
    apply,
    get_dimensions,
    interpolation_mode,
    is_tensor,
    pillow_fill,
    pillow_filter,
    through_array,
)
from onegraph.data.transforms.sampling import blur_array, sample_array
from onegraph.errors import ArgumentError

_AFFINE, _PERSPECTIVE = 0, 2  # Pillow's numbers for its transforms


def inverse_affine(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]
) -> list[float]:
    """The six numbers [a, b, c, d, e, f] that lead from output places to input places.

    Output (x, y) came from (a x + b y + c, d x + e y + f). Forward: move to the center, shear by
    `shear` degrees along x and y, turn by `angle` degrees clockwise, scale, move back and by `translate`.
    """
    turn = math.radians(angle)
    slant_x, slant_y = (math.radians(value) for value in shear)
    a = math.cos(turn - slant_y) / math.cos(slant_y)
    b = -math.cos(turn - slant_y) * math.tan(slant_x) / math.cos(slant_y) - math.sin(turn)
    c = math.sin(turn - slant_y) / math.cos(slant_y)
    d = -math.sin(turn - slant_y) * math.tan(slant_x) / math.cos(slant_y) + math.cos(turn)
    # [[a, b], [c, d]] has determinant 1, so its inverse needs no division but that by the scale.
    inverse = [d / scale, -b / scale, -c / scale, a / scale]
    move_x, move_y = -center[0] - translate[0], -center[1] - translate[1]
    from_x = inverse[0] * move_x + inverse[1] * move_y + center[0]
    from_y = inverse[2] * move_x + inverse[3] * move_y + center[1]
    return [inverse[0], inverse[1], from_x, inverse[2], inverse[3], from_y]


def _affine_array(
    image: np.ndarray, matrix: list[float], mode: InterpolationMode, fill: Any, size: tuple[int, int] | None = None
) -> np.ndarray:
    """`matrix` counts from the middle of the image."""
    height, width = image.shape[-2:]
    new_height, new_width = size or (height, width)
    y, x = np.mgrid[:new_height, :new_width].astype(np.float32)
    y, x = y - np.float32((new_height - 1) / 2), x - np.float32((new_width - 1) / 2)
    a, b, c, d, e, f = (np.float32(value) for value in matrix)
    columns = a * x + b * y + (c + np.float32((width - 1) / 2))
    rows = d * x + e * y + (f + np.float32((height - 1) / 2))
    return sample_array(image, rows, columns, mode.value, fill)


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Turn by `angle` degrees counter-clockwise.

    Args:
        expand: enlarge the image so that all of it stays visible.
        center: (x, y) to turn about, from the upper left corner; the middle by default.
        fill: what comes in at the corners, a number or one a channel.

    >>> rotate(np.arange(4).reshape(1, 2, 2), 90)
    array([[[1, 3],
            [0, 2]]])
    """
    mode = interpolation_mode(interpolation)
    _, height, width = get_dimensions(img)
    if center is not None and (not isinstance(center, Sequence) or len(center) != 2):
        raise ArgumentError(f"rotate: center={center!r}: two numbers, (x, y)")

    def on_array(array: np.ndarray) -> np.ndarray:
        middle = (0.0, 0.0) if center is None else (center[0] - width / 2, center[1] - height / 2)
        matrix = inverse_affine(middle, -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
        size = _expanded((height, width), matrix) if expand else None
        return _affine_array(array, matrix, mode, fill, size)

    def on_pillow(image: Any) -> Any:
        return image.rotate(angle, pillow_filter(mode), expand, center, fillcolor=pillow_fill(image, fill))

    return apply("rotate", img, on_pillow, on_array)


def _expanded(size: tuple[int, int], matrix: list[float]) -> tuple[int, int]:
    """(height, width) that holds all of a turned image."""
    height, width = size
    x, y = np.array([[x, y] for x in (-width / 2, width / 2) for y in (-height / 2, height / 2)]).T
    a, b, c, d, e, f = matrix
    new_y, new_x = d * x + e * y + f + height / 2, a * x + b * y + c + width / 2
    # Cut to four digits, so that rounding noise does not add a pixel.
    lengths = [math.ceil(round(v.max(), 4)) - math.floor(round(v.min(), 4)) for v in (new_y, new_x)]
    return lengths[0], lengths[1]


def affine(
    img: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Turn, move, scale and slant, keeping the size.

    Args:
        angle: degrees clockwise.
        translate: (x, y) in pixels.
        scale: factor, above 0.
        shear: degrees along x, or (x, y).
        center: (x, y) to turn about, from the upper left corner; the middle by default.

    Raises:
        ArgumentError: numbers out of range.

    >>> affine(np.array([[[1, 2, 3]]]), 0, (1, 0), 1, 0)
    array([[[0, 1, 2]]])
    """
    mode = interpolation_mode(interpolation)
    slants = [shear, 0.0] if isinstance(shear, int | float) else list(shear)
    slants = slants * 2 if len(slants) == 1 else slants
    if len(slants) != 2 or len(translate) != 2 or scale <= 0:
        raise ArgumentError(
            f"affine: translate={translate!r}, scale={scale!r}, shear={shear!r}: two numbers, a factor > 0, one or two angles"
        )
    _, height, width = get_dimensions(img)

    def on_array(array: np.ndarray) -> np.ndarray:
        middle = (0.0, 0.0) if center is None else (center[0] - width / 2, center[1] - height / 2)
        return _affine_array(array, inverse_affine(middle, angle, translate, scale, slants), mode, fill)

    def on_pillow(image: Any) -> Any:
        middle = (width / 2, height / 2) if center is None else center
        matrix = inverse_affine(middle, angle, translate, scale, slants)
        color = pillow_fill(image, fill)
        return image.transform(image.size, _AFFINE, matrix, pillow_filter(mode), fillcolor=color)

    return apply("affine", img, on_pillow, on_array)


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[float]],
    endpoints: Sequence[Sequence[float]],
    interpolation: Any = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Move four points of the image to four others, and everything between along, as a camera would see it.

    Args:
        startpoints, endpoints: four (x, y) each: upper left, upper right, lower right, lower left.

    Raises:
        ArgumentError: other than four points.
    """
    mode = interpolation_mode(interpolation)
    numbers = perspective_coefficients(startpoints, endpoints)

    def on_array(array: np.ndarray) -> np.ndarray:
        height, width = array.shape[-2:]
        y, x = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
        a, b, c, d, e, f, g, h = (np.float32(value) for value in numbers)
        below = g * x + h * y + np.float32(1)
        columns, rows = (a * x + b * y + c) / below, (d * x + e * y + f) / below
        return sample_array(array, rows - np.float32(0.5), columns - np.float32(0.5), mode.value, fill)

    def on_pillow(image: Any) -> Any:
        color = pillow_fill(image, fill)
        return image.transform(image.size, _PERSPECTIVE, numbers, pillow_filter(mode), fillcolor=color)

    return apply("perspective", img, on_pillow, on_array)


def perspective_coefficients(start: Sequence[Sequence[float]], end: Sequence[Sequence[float]]) -> list[float]:
    """[a .. h]: output (x, y) came from ((ax + by + c) / (gx + hy + 1), (dx + ey + f) / (gx + hy + 1)).

    >>> square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    >>> [abs(round(value, 6)) for value in perspective_coefficients(square, square)]
    [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    if len(start) != 4 or len(end) != 4:
        raise ArgumentError(f"perspective: {len(start)} startpoints, {len(end)} endpoints: four corners of each")
    rows = []
    for (x, y), (to_x, to_y) in zip(end, start, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -to_x * x, -to_x * y])
        rows.append([0, 0, 0, x, y, 1, -to_y * x, -to_y * y])
    goal = np.asarray(start, np.float64).reshape(8)
    return np.linalg.lstsq(np.asarray(rows, np.float64), goal, rcond=None)[0].astype(np.float32).tolist()


def elastic_transform(
    img: Any, displacement: Any, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None
) -> Any:
    """Take every pixel from somewhere near it.

    Args:
        displacement: array or Tensor (1, H, W, 2): how far along x and y, where -1 to 1 spans the image.

    Raises:
        ArgumentError: another shape.
    """
    mode = interpolation_mode(interpolation)
    shift = np.asarray(displacement.numpy() if is_tensor(displacement) else displacement, np.float32)
    _, height, width = get_dimensions(img)
    if shift.shape != (1, height, width, 2):
        raise ArgumentError(
            f"elastic_transform: displacement of shape {shift.shape}; {(1, height, width, 2)} is needed"
        )

    def on_array(array: np.ndarray) -> np.ndarray:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        rows, columns = y + shift[0, ..., 1] * np.float32(height / 2), x + shift[0, ..., 0] * np.float32(width / 2)
        return sample_array(array, rows, columns, mode.value, fill)

    return apply("elastic_transform", img, lambda image: through_array(image, on_array), on_array)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur with a Gaussian, mirrored at the border.

    Args:
        kernel_size: odd, one number or (along x, along y).
        sigma: width, one number or (x, y); 0.3 * ((size - 1) / 2 - 1) + 0.8 by default.

    Raises:
        ArgumentError: an even size, a width that is not positive, or an image smaller than half the kernel.

    >>> gaussian_blur(np.ones((1, 4, 4)), 3).round(6).min()
    np.float64(1.0)
    """
    sizes = kernel_sizes("gaussian_blur", kernel_size)
    if sigma is None:
        widths = [0.3 * ((size - 1) * 0.5 - 1) + 0.8 for size in sizes]
    else:
        widths = [float(sigma)] * 2 if isinstance(sigma, int | float) else [float(value) for value in sigma]
    widths = widths * 2 if len(widths) == 1 else widths
    if len(widths) != 2 or min(widths) <= 0:
        raise ArgumentError(f"gaussian_blur: sigma={sigma!r}: positive, one or two numbers")
    columns, rows = (_gaussian(size, width) for size, width in zip(sizes, widths, strict=True))

    def on_array(array: np.ndarray) -> np.ndarray:
        return blur_array(array, rows, columns)

    return apply("gaussian_blur", img, lambda image: through_array(image, on_array), on_array)


def _gaussian(size: int, width: float) -> np.ndarray:
    places = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (places / width) ** 2)
    return weights / weights.sum()


def kernel_sizes(name: str, value: Any) -> list[int]:
    """(along x, along y) of one odd number or two.

    Raises:
        ArgumentError: anything else.
    """
    sizes = [value] * 2 if isinstance(value, int) else list(value)
    if len(sizes) != 2 or any(not isinstance(size, int) or size < 1 or size % 2 == 0 for size in sizes):
        raise ArgumentError(f"{name}: kernel_size={value!r}: odd and positive, one or two numbers")
    return sizes
