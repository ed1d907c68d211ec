"""`keras.ops.image`: sizes, colours, patches, geometric transforms. Images have channels last unless told otherwise.

Read next: `image_geometry.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import convert, floating, image_format, operation
from onegraph.nn import functional as F

_where, _stack = EXPORTS["where"], EXPORTS["stack"]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")


def as_batch(images: Any, last: bool, name: str) -> tuple[Any, bool]:
    """Images as (batch, channels, height, width), and whether there was a batch."""
    x = convert(images)
    if x.ndim not in (3, 4):
        raise ShapeError(f"{name}: images must have 3 dimensions, or 4 with a batch, got {x.ndim}")
    batched = x.ndim == 4
    x = x if batched else x.unsqueeze(0)
    return (x.permute(0, 3, 1, 2) if last else x), batched


def from_batch(x: Any, last: bool, batched: bool) -> Any:
    """The inverse of `as_batch`."""
    x = x.permute(0, 2, 3, 1) if last else x
    return x if batched else x.squeeze(0)


@operation
def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of another size.

    Args:
        images: (height, width, channels), or with a batch in front.
        size: (height, width).
        interpolation: 'nearest', 'bilinear', 'bicubic', 'lanczos3', 'lanczos5' or 'area'.
        antialias: blur first where it gets smaller.
        crop_to_aspect_ratio: cut out the middle of the right proportions first.
        pad_to_aspect_ratio: add borders of `fill_value` to the right proportions first.

    >>> import onegraph as og
    >>> resize(og.ones(4, 6, 3), (2, 2)).shape
    onegraph.Size([2, 2, 3])
    """
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(f"resize: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be wanted")
    last = image_format(data_format)
    x, batched = as_batch(images, last, "resize")
    dtype, (height, width) = x.dtype, (int(s) for s in size)
    x = floating(x)
    h, w = x.shape[-2:]
    if crop_to_aspect_ratio:
        ch, cw = min(h, int(w * height / width)) or 1, min(w, int(h * width / height)) or 1
        top, left = int((h - ch) / 2), int((w - cw) / 2)
        x = x[..., top : top + ch, left : left + cw]
    elif pad_to_aspect_ratio:
        ph, pw = max(h, int(w * height / width)), max(w, int(h * width / height))
        top, left = int((ph - h) / 2), int((pw - w) / 2)
        x = EXPORTS["constant_pad_nd"](x, [left, pw - w - left, top, ph - h - top], fill_value)
    found = _resized(x, (height, width), interpolation, antialias)
    if not dtype.is_floating_point:
        found = found.round().clamp(0, 255 if dtype.name == "uint8" else None).to(dtype)
    return from_batch(found, last, batched)


def _resized(x: Any, size: tuple[int, int], interpolation: str, antialias: bool) -> Any:
    if interpolation.startswith("lanczos"):
        scale = [size[0] / x.shape[-2], size[1] / x.shape[-1]]
        return scale_and_translate(x, (*x.shape[:2], *size), scale, [0.0, 0.0], (2, 3), interpolation, antialias)
    if interpolation in ("nearest", "area"):
        return F.interpolate(x, size=size, mode=interpolation)
    return F.interpolate(x, size=size, mode=interpolation, align_corners=False, antialias=antialias)


def _cubic(t: Any) -> Any:
    t = np.abs(t)
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _lanczos(radius: int) -> Any:
    return lambda t: np.where(np.abs(t) < radius, np.sinc(t) * np.sinc(t / radius), 0.0)


_KERNELS = {
    "linear": lambda t: np.maximum(0, 1 - np.abs(t)),
    "bilinear": lambda t: np.maximum(0, 1 - np.abs(t)),
    "cubic": _cubic,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


@operation
def scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    """Images scaled and moved along some axes: the place p goes to p * scale + translation.

    Args:
        output_shape: of the result.
        scale, translation: a number for each of `spatial_dims`.
        method: 'linear', 'cubic', 'lanczos3' or 'lanczos5'.
        antialias: blur where it gets smaller.
    """
    if method not in _KERNELS:
        raise ArgumentError(f"scale_and_translate: method must be one of {', '.join(_KERNELS)}, got {method!r}")
    x = floating(images)
    factors, shifts = (convert(v, "float32").reshape(-1).tolist() for v in (scale, translation))
    for axis, factor, shift in zip(spatial_dims, factors, shifts, strict=True):
        size, out = x.shape[axis], int(output_shape[axis])
        places = (np.arange(out) + 0.5 - shift) / factor - 0.5
        stretch = max(1 / factor, 1.0) if antialias else 1.0
        weights = _KERNELS[method]((places[:, None] - np.arange(size)) / stretch)
        total = weights.sum(1, keepdims=True)
        weights = np.where(np.abs(total) > 1e-6, weights / np.where(total == 0, 1, total), 0.0)
        weights[(places < -0.5) | (places > size - 0.5)] = 0.0
        x = (x.movedim(axis, -1) @ convert(weights.T, x.dtype)).movedim(-1, axis)
    return x


@operation
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Rows and columns cut off; of top, bottom and target height two are given, and likewise for the width."""
    last = image_format(data_format)
    x, batched = as_batch(images, last, "crop_images")
    top, height = _cut("height", x.shape[-2], top_cropping, bottom_cropping, target_height)
    left, width = _cut("width", x.shape[-1], left_cropping, right_cropping, target_width)
    return from_batch(x[..., top : top + height, left : left + width], last, batched)


def _cut(name: str, size: int, before: int | None, behind: int | None, target: int | None) -> tuple[int, int]:
    if sum(v is None for v in (before, behind, target)) != 1:
        raise ArgumentError(f"give two of: cropping before, cropping behind, target {name}")
    if target is None:
        target = size - (before or 0) - (behind or 0)
    before = size - (behind or 0) - target if before is None else before
    if target <= 0 or before < 0 or before + target > size:
        raise ArgumentError(f"cropping {before} before, to {target}, does not fit {name} {size}")
    return before, target


@operation
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Rows and columns of 0 added; of top, bottom and target height two are given, and likewise for the width."""
    last = image_format(data_format)
    x, batched = as_batch(images, last, "pad_images")
    top, bottom = _widths("height", x.shape[-2], top_padding, bottom_padding, target_height)
    left, right = _widths("width", x.shape[-1], left_padding, right_padding, target_width)
    return from_batch(EXPORTS["constant_pad_nd"](x, [left, right, top, bottom], 0), last, batched)


def _widths(name: str, size: int, before: int | None, behind: int | None, target: int | None) -> tuple[int, int]:
    if sum(v is None for v in (before, behind, target)) != 1:
        raise ArgumentError(f"give two of: padding before, padding behind, target {name}")
    if before is None:
        before = (target or 0) - size - (behind or 0)
    if behind is None:
        behind = (target or 0) - size - before
    if before < 0 or behind < 0:
        raise ArgumentError(f"a target {name} of {target} is too small for {name} {size}")
    return before, behind


# ---- colours


def _channels(images: Any, last: bool) -> list[Any]:
    return list(floating(images).unbind(-1 if last else -3))


@operation
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """The luminance of colours, 0.2989 R + 0.5870 G + 0.1140 B, as one channel (ITU-R BT.601)."""
    last = image_format(data_format)
    x = convert(images)
    red, green, blue = _channels(x, last)
    gray = (red * 0.2989 + green * 0.5870 + blue * 0.1140).unsqueeze(-1 if last else -3)
    return gray if x.dtype.is_floating_point else gray.to(x.dtype)


@operation
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value of colours from 0 to 1. Source: Smith, SIGGRAPH 1978."""
    last = image_format(data_format)
    red, green, blue = _channels(images, last)
    value = EXPORTS["maximum"](EXPORTS["maximum"](red, green), blue)
    spread = value - EXPORTS["minimum"](EXPORTS["minimum"](red, green), blue)
    safe = _where(spread == 0, spread + 1, spread)
    saturation = spread / _where(value == 0, value + 1, value)
    third = _where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    hue = _where(value == red, (green - blue) / safe, third) / 6
    hue = _where(spread == 0, hue * 0, hue - hue.floor())
    return _stack([hue, saturation, value], -1 if last else -3)


@operation
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Colours from hue, saturation and value, all from 0 to 1. Source: Smith, SIGGRAPH 1978."""
    last = image_format(data_format)
    hue, saturation, value = _channels(images, last)

    def channel(offset: float) -> Any:
        k = hue * 6 + offset
        k = k - (k / 6).floor() * 6
        return value - value * saturation * EXPORTS["minimum"](k, 4 - k).clamp(0, 1)

    return _stack([channel(5.0), channel(3.0), channel(1.0)], -1 if last else -3)


# ---- windows


def _windows(x: Any, size: Any, strides: Any, dilation: Any, padding: str) -> Any:
    """(batch, *sizes, channels) to (batch, *places, *size, channels)."""
    from onegraph.keras.ops.spatial import same_padding

    if padding == "same":
        widths = same_padding(x.shape[1:-1], size, strides, dilation)
        x = EXPORTS["constant_pad_nd"](x, [0, 0, *[n for p in reversed(widths) for n in p]], 0.0)
    rank = len(size)
    for i in range(rank):
        count = (x.shape[1 + i] - (size[i] - 1) * dilation[i] - 1) // strides[i] + 1
        places = np.arange(count)[:, None] * strides[i] + np.arange(size[i]) * dilation[i]
        x = x.index_select(1 + i, convert(places.reshape(-1).astype(np.int64)))
        x = x.reshape(*x.shape[: 1 + i], count, size[i], *x.shape[2 + i :]).movedim(2 + i, -2)
    return x  # each size went behind the ones before it


def _patches(images: Any, size: Any, strides: Any, dilation: Any, padding: str, rank: int, last: bool) -> Any:
    from onegraph.keras.ops.spatial import per_dim

    x = convert(images)
    batched = x.ndim == rank + 2
    x = x if batched else x.unsqueeze(0)
    x = x if last else x.movedim(1, -1)
    size = per_dim(size, rank)
    found = _windows(x, size, size if strides is None else per_dim(strides, rank), per_dim(dilation, rank), padding)
    found = found.reshape(*found.shape[: 1 + rank], -1)
    found = found if last else found.movedim(-1, 1)
    return found if batched else found.squeeze(0)


@operation
def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The patches of a size in images, each in one row of channels, at the places of a convolution's windows."""
    return _patches(images, size, strides, dilation_rate, padding, 2, image_format(data_format))


@operation
def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The patches of a size in volumes."""
    return _patches(volumes, size, strides, dilation_rate, padding, 3, image_format(data_format))


def _depthwise(x: Any, kernel: Any) -> Any:
    channels = x.shape[1]
    k = convert(kernel.astype(np.float32)).to(x.dtype).reshape(1, 1, *kernel.shape).expand(channels, 1, *kernel.shape)
    return F.conv2d(x, k, groups=channels)


@operation
def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Images blurred by a Gaussian window, with zeros around."""
    last = image_format(data_format)
    x, batched = as_batch(images, last, "gaussian_blur")
    sizes = [int(k) for k in np.broadcast_to(kernel_size, 2)]
    spreads = [float(s) for s in np.broadcast_to(np.asarray(sigma, float), 2)]
    rows = [np.exp(-((np.arange(k) - (k - 1) / 2) ** 2) / (2 * s * s)) for k, s in zip(sizes, spreads, strict=True)]
    kernel = np.outer(rows[0] / rows[0].sum(), rows[1] / rows[1].sum())
    widths = [(k // 2, k - 1 - k // 2) for k in sizes]
    padded = EXPORTS["constant_pad_nd"](floating(x), [*widths[1], *widths[0]], 0.0)
    return from_batch(_depthwise(padded, kernel), last, batched)


@operation
def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """Gradients of brightness by Sobel's windows: (dy, dx) along a new last axis, with zeros around."""
    last = image_format(data_format)
    x, batched = as_batch(images, last, "sobel_edges")
    x = EXPORTS["constant_pad_nd"](floating(x), [1, 1, 1, 1], 0.0)
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32)
    return _stack([from_batch(_depthwise(x, k), last, batched) for k in (kernel, kernel.T)], -1)


@operation
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """Structural similarity of images, one number each. Source: Wang et al., IEEE TIP 2004."""
    last = image_format(data_format)
    (a, batched), (b, _) = as_batch(image1, last, "ssim"), as_batch(image2, last, "ssim")
    a, b = floating(a), floating(b)
    line = np.exp(-((np.arange(filter_size) - (filter_size - 1) / 2) ** 2) / (2 * filter_sigma**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    ma, mb = _depthwise(a, kernel), _depthwise(b, kernel)
    va, vb = _depthwise(a * a, kernel) - ma * ma, _depthwise(b * b, kernel) - mb * mb
    both = _depthwise(a * b, kernel) - ma * mb
    found = (2 * ma * mb + c1) * (2 * both + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    found = found.mean([1, 2, 3])
    return found if batched else found[0]
