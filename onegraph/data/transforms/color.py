"""Functions that change colors, each pixel for itself or by the histogram. Names and arguments are torchvision's.

Pillow images go through Pillow's ImageEnhance and ImageOps, arrays and Tensors (..., 1 or 3, H, W) through
NumPy with the same formulas. Read next: `policies.py`, which chains them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.data.images import pillow
from onegraph.data.transforms.kinds import apply, white
from onegraph.errors import ArgumentError, ShapeError

_LUMA = (0.2989, 0.587, 0.114)


def _blend(image: np.ndarray, other: Any, share: float) -> np.ndarray:
    """share * image + (1 - share) * other, within the range of the dtype; integers are cut off as PyTorch does."""
    mixed = np.float32(share) * image.astype(np.float32) + np.float32(1.0 - share) * np.asarray(other, np.float32)
    return np.clip(mixed, 0, white(image.dtype)).astype(image.dtype)


def _factor(name: str, value: float) -> float:
    if value < 0:
        raise ArgumentError(f"{name}: the factor {value!r} may not be negative")
    return float(value)


def _colors(name: str, image: np.ndarray, allowed: tuple[int, ...] = (1, 3)) -> int:
    channels = image.shape[-3] if image.ndim > 2 else 1
    if channels not in allowed or image.ndim < 3:
        raise ShapeError(
            f"{name}: an image of shape {image.shape}; (..., {' or '.join(map(str, allowed))}, H, W) is needed"
        )
    return channels


def _enhance(kind: str, factor: float) -> Callable[[Any], Any]:
    return lambda image: getattr(pillow("ImageEnhance"), kind)(image).enhance(factor)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Brightness as the eye weighs it: 0.2989 red + 0.587 green + 0.114 blue, in 1 or 3 equal channels.

    >>> rgb_to_grayscale(np.full((3, 1, 1), 100, np.uint8)).ravel()
    array([99], dtype=uint8)
    """
    if num_output_channels not in (1, 3):
        raise ArgumentError(f"rgb_to_grayscale: num_output_channels={num_output_channels!r}: 1 or 3")

    def on_pillow(image: Any) -> Any:
        gray = image.convert("L")
        return gray if num_output_channels == 1 else pillow("Image").merge("RGB", [gray] * 3)

    def on_array(array: np.ndarray) -> np.ndarray:
        gray = _gray(array) if _colors("rgb_to_grayscale", array) == 3 else array
        return gray if num_output_channels == 1 else np.repeat(gray, 3, axis=-3)

    return apply("rgb_to_grayscale", img, on_pillow, on_array)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` by its older name."""
    return rgb_to_grayscale(img, num_output_channels)


def _gray(image: np.ndarray) -> np.ndarray:
    red, green, blue = (image[..., [c], :, :].astype(np.float32) * np.float32(w) for c, w in enumerate(_LUMA))
    return (red + green + blue).astype(image.dtype)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Multiply: 0 is black, 1 the image itself.

    >>> adjust_brightness(np.full((1, 1, 1), 100, np.uint8), 1.5).ravel()
    array([150], dtype=uint8)
    """
    factor = _factor("adjust_brightness", brightness_factor)
    return apply("adjust_brightness", img, _enhance("Brightness", factor), lambda a: _blend(a, 0.0, factor))


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Mix with the mean gray: 0 is all gray, 1 the image itself, more is more contrast.

    >>> adjust_contrast(np.array([[[0.2, 0.6]]], np.float32), 0.0).round(4)
    array([[[0.4, 0.4]]], dtype=float32)
    """
    factor = _factor("adjust_contrast", contrast_factor)

    def on_array(array: np.ndarray) -> np.ndarray:
        gray = _gray(array) if _colors("adjust_contrast", array) == 3 else array
        mean = gray.astype(np.float32).mean(axis=(-3, -2, -1), keepdims=True)
        return _blend(array, mean, factor)

    return apply("adjust_contrast", img, _enhance("Contrast", factor), on_array)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Mix with the gray image: 0 is gray, 1 the image itself, more is more colorful.

    >>> adjust_saturation(np.array([[[1.0]], [[0.0]], [[0.0]]], np.float32), 0.0).ravel().round(4)
    array([0.2989, 0.2989, 0.2989], dtype=float32)
    """
    factor = _factor("adjust_saturation", saturation_factor)

    def on_array(array: np.ndarray) -> np.ndarray:
        return _blend(array, _gray(array), factor) if _colors("adjust_saturation", array) == 3 else array

    return apply("adjust_saturation", img, _enhance("Color", factor), on_array)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn the colors around the color circle by `hue_factor`, from -0.5 to 0.5; 0 is the image itself.

    >>> adjust_hue(np.array([[[1.0]], [[0.0]], [[0.0]]], np.float32), 1 / 3).ravel().round(4)
    array([0., 1., 0.], dtype=float32)
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ArgumentError(f"adjust_hue: hue_factor={hue_factor!r}: from -0.5 to 0.5")

    def on_pillow(image: Any) -> Any:
        if image.mode in ("L", "1", "I", "F"):
            return image
        hue, saturation, value = image.convert("HSV").split()
        # Hue is a byte that goes round: the sum wraps.
        turned = (np.asarray(hue).astype(np.int64) + int(hue_factor * 255)) % 256
        shifted = pillow("Image").fromarray(turned.astype(np.uint8))
        return pillow("Image").merge("HSV", (shifted, saturation, value)).convert(image.mode)

    def on_array(array: np.ndarray) -> np.ndarray:
        if _colors("adjust_hue", array) == 1:
            return array
        scale = np.float32(white(array.dtype))
        hue, saturation, value = _to_hsv(array.astype(np.float32) / scale)
        result = _from_hsv((hue + np.float32(hue_factor)) % 1, saturation, value)
        if array.dtype.kind == "f":
            return result.astype(array.dtype)
        return (result * (scale + np.float32(1 - 1e-3))).astype(array.dtype)

    return apply("adjust_hue", img, on_pillow, on_array)


def _to_hsv(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue, saturation and value, 0 to 1 (A. Smith, "Color gamut transform pairs", SIGGRAPH 1978)."""
    red, green, blue = (image[..., c, :, :] for c in range(3))
    largest, smallest = image.max(axis=-3), image.min(axis=-3)
    spread = largest - smallest
    divisor = np.where(spread == 0, np.float32(1), spread)
    saturation = spread / np.where(spread == 0, np.float32(1), largest)
    from_red, from_green, from_blue = ((largest - c) / divisor for c in (red, green, blue))
    hue = np.where(
        largest == red,
        from_blue - from_green,
        np.where(largest == green, 2 + from_red - from_blue, 4 + from_green - from_red),
    )
    return (np.where(spread == 0, np.float32(0), hue) / 6 + 1) % 1, saturation, largest


def _from_hsv(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    sector = np.floor(hue * 6)
    part = hue * 6 - sector
    low = np.clip(value * (1 - saturation), 0, 1)
    falling = np.clip(value * (1 - saturation * part), 0, 1)
    rising = np.clip(value * (1 - saturation * (1 - part)), 0, 1)
    which = sector.astype(np.int64) % 6
    table = ((value, rising, low), (falling, value, low), (low, value, rising), (low, falling, value),
             (rising, low, value), (value, low, falling))  # fmt: skip
    return np.stack([np.choose(which, [row[channel] for row in table]) for channel in range(3)], axis=-3)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain * image ** gamma, for an image with values 0 to 1; more than 1 makes shadows darker.

    >>> adjust_gamma(np.array([[[0.5]]]), 2).ravel()
    array([0.25])
    """
    gamma = _factor("adjust_gamma", gamma)

    def on_pillow(image: Any) -> Any:
        mode = image.mode
        levels = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, gamma)) for level in range(256)]
        table = [min(level, 255) for level in levels] * 3
        return image.convert("RGB").point(table).convert(mode)

    def on_array(array: np.ndarray) -> np.ndarray:
        scale = white(array.dtype)
        values = array if array.dtype.kind == "f" else array.astype(np.float32) / np.float32(scale)
        values = np.clip(gain * values**gamma, 0, 1)
        return (
            values.astype(array.dtype) if array.dtype.kind == "f" else (values * (scale + 1 - 1e-3)).astype(array.dtype)
        )

    return apply("adjust_gamma", img, on_pillow, on_array)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Mix with a blurred image: 0 is blurred, 1 the image itself, more is sharper.

    >>> adjust_sharpness(np.ones((1, 3, 3), np.float32), 2.0).min()
    np.float32(1.0)
    """
    factor = _factor("adjust_sharpness", sharpness_factor)

    def on_array(array: np.ndarray) -> np.ndarray:
        if min(array.shape[-2:]) <= 2:
            return array
        values = array.astype(np.float32)
        windows = [(r, c) for r in range(3) for c in range(3)]
        height, width = array.shape[-2] - 2, array.shape[-1] - 2
        smooth = values.copy()
        total: Any = 0.0
        for r, c in windows:
            weight = np.float32((5 if (r, c) == (1, 1) else 1) / 13)
            total = total + weight * values[..., r : r + height, c : c + width]
        smooth[..., 1:-1, 1:-1] = np.rint(total) if array.dtype.kind in "iu" else total
        return _blend(array, smooth, factor)

    return apply("adjust_sharpness", img, _enhance("Sharpness", factor), on_array)


def invert(img: Any) -> Any:
    """Black becomes white.

    >>> invert(np.array([[[0, 255]]], np.uint8))
    array([[[255,   0]]], dtype=uint8)
    """

    def on_array(array: np.ndarray) -> np.ndarray:
        return (array.dtype.type(white(array.dtype)) - array).astype(array.dtype)

    return apply("invert", img, lambda image: pillow("ImageOps").invert(image), on_array)


def posterize(img: Any, bits: int) -> Any:
    """Keep the highest `bits` bits of each byte.

    >>> posterize(np.array([[[255]]], np.uint8), 2)
    array([[[192]]], dtype=uint8)
    """
    if not 0 <= bits <= 8:
        raise ArgumentError(f"posterize: bits={bits!r}: from 0 to 8")

    def on_array(array: np.ndarray) -> np.ndarray:
        if array.dtype != np.uint8:
            raise ArgumentError(f"posterize: an image of {array.dtype}; uint8 is needed")
        return array & np.uint8(256 - (1 << (8 - bits)) if bits else 0)

    def on_pillow(image: Any) -> Any:
        # Pillow's own posterize wants at least one bit.
        return pillow("ImageOps").posterize(image, bits) if bits else image.point([0] * 256 * len(image.getbands()))

    return apply("posterize", img, on_pillow, on_array)


def solarize(img: Any, threshold: float) -> Any:
    """Invert the pixels that are at least `threshold`.

    >>> solarize(np.array([[[10, 200]]], np.uint8), 128)
    array([[[10, 55]]], dtype=uint8)
    """

    def on_array(array: np.ndarray) -> np.ndarray:
        if threshold > white(array.dtype):
            raise ArgumentError(f"solarize: threshold={threshold!r} is above {white(array.dtype):g}, the largest value")
        return np.where(array >= threshold, invert(array), array)

    return apply("solarize", img, lambda image: pillow("ImageOps").solarize(image, threshold), on_array)


def autocontrast(img: Any) -> Any:
    """Stretch each channel, so that its darkest pixel becomes black and its brightest white.

    >>> autocontrast(np.array([[[100, 200]]], np.uint8))
    array([[[  0, 255]]], dtype=uint8)
    """

    def on_array(array: np.ndarray) -> np.ndarray:
        top = np.float32(white(array.dtype))
        values = array.astype(np.float32)
        low, high = (f(values, axis=(-2, -1), keepdims=True) for f in (np.min, np.max))
        flat = high == low
        scale = top / np.where(flat, np.float32(1), high - low)
        stretched = np.clip(
            (values - np.where(flat, np.float32(0), low)) * np.where(flat, np.float32(1), scale), 0, top
        )
        return stretched.astype(array.dtype)

    return apply("autocontrast", img, lambda image: pillow("ImageOps").autocontrast(image), on_array)


def equalize(img: Any) -> Any:
    """Spread the levels of each channel, so that all are about equally frequent.

    >>> equalize(np.arange(100, 356, dtype=np.uint16).clip(0, 200).astype(np.uint8).repeat(4).reshape(1, 32, 32)).max()
    np.uint8(255)
    """

    def on_array(array: np.ndarray) -> np.ndarray:
        if array.dtype != np.uint8:
            raise ArgumentError(f"equalize: an image of {array.dtype}; uint8 is needed")
        planes = array.reshape(-1, *array.shape[-2:])
        return np.stack([_equalized(plane) for plane in planes]).reshape(array.shape)

    return apply("equalize", img, lambda image: pillow("ImageOps").equalize(image), on_array)


def _equalized(plane: np.ndarray) -> np.ndarray:
    counts = np.bincount(plane.ravel(), minlength=256)
    present = counts[counts > 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return plane
    below = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.clip((below + step // 2) // step, 0, 255).astype(np.uint8)[plane]


def on_bytes(img: Any, function: Callable[[Any], Any]) -> Any:
    """A function made for bytes, applied to float images too: values 0 to 1 become 256 levels and back."""
    if isinstance(img, np.ndarray) and img.dtype.kind == "f":
        levels = np.rint(np.clip(img, 0, 1) * 255).astype(np.uint8)
        return function(levels).astype(img.dtype) / img.dtype.type(255)
    return function(img)


__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "autocontrast",
    "equalize",
    "invert",
    "on_bytes",
    "posterize",
    "rgb_to_grayscale",
    "solarize",
    "to_grayscale",
]
