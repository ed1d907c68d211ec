"""Images as files, as Pillow's objects and as arrays: `load_img`, `img_to_array`, `array_to_img`, `save_img`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.data.images import open_image, pillow
from onegraph.errors import ArgumentError, DataError, ShapeError
from onegraph.keras import backend

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    grayscale: bool = False,
) -> Any:
    """An image file as one of Pillow's images.

    Args:
        path: a path, or an open file.
        color_mode: 'grayscale', 'rgb' or 'rgba'.
        target_size: (height, width); the image's own if None.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'lanczos', 'box' or 'hamming'.
        keep_aspect_ratio: cut the middle out, rather than stretching.

    Raises:
        DataError: missing, no image, or damaged.
    """
    color_mode = "grayscale" if grayscale else color_mode
    if color_mode not in MODES:
        raise ArgumentError(f"load_img: color_mode must be one of {', '.join(MODES)}, got {color_mode!r}")
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(
            f"load_img: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}"
        )
    content = path.read() if hasattr(path, "read") else None
    with open_image("image" if content is not None else path, content=content) as opened:
        try:
            image = opened.convert(MODES[color_mode])
        except Exception as error:  # decoders of many formats fail in many ways
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error
    if target_size is None:
        return image
    height, width = (int(s) for s in target_size[:2])
    if keep_aspect_ratio:
        w, h = image.size
        cw, ch = min(w, int(h * width / height)) or 1, min(h, int(w * height / width)) or 1
        left, top = (w - cw) // 2, (h - ch) // 2
        image = image.crop((left, top, left + cw, top + ch))
    method = getattr(pillow("Image").Resampling, interpolation.upper())
    return image if image.size == (width, height) else image.resize((width, height), method)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray[Any, Any]:
    """One of Pillow's images (or an array) as an array (height, width, channels), from 0 to 255."""
    array = np.asarray(img, dtype or backend.floatx())
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ShapeError(f"img_to_array: an image has 2 or 3 dimensions, got {array.shape}")
    return array if backend.data_format_of(data_format) == "channels_last" else array.transpose(2, 0, 1)


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array (height, width, channels) as one of Pillow's images.

    Args:
        x: 1, 3 or 4 channels.
        scale: stretch values to 0 to 255; otherwise they are such numbers.
    """
    from onegraph.frontend.tensor import Tensor

    array = np.asarray(x.detach().numpy() if isinstance(x, Tensor) else x, dtype or "float32")
    if array.ndim != 3:
        raise ShapeError(f"array_to_img: an image has 3 dimensions, got {array.shape}")
    if backend.data_format_of(data_format) == "channels_first":
        array = array.transpose(1, 2, 0)
    if scale:
        array = array - array.min()
        highest = array.max()
        array = array / highest * 255 if highest else array
    channels = array.shape[2]
    if channels not in (1, 3, 4):
        raise ShapeError(f"array_to_img: an image has 1, 3 or 4 channels, got {channels}")
    pixels = np.clip(array, 0, 255).astype("uint8")
    return pillow("Image").fromarray(pixels[..., 0] if channels == 1 else pixels)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Write an array as an image file; see `array_to_img`."""
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and str(file_format or path).lower().endswith(("jpg", "jpeg")):
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any,
    size: Any,
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
    backend_module: Any = None,
) -> Any:
    """Images cut to the right proportions and resized, without stretching."""
    from onegraph.keras import ops

    found = ops.image.resize(x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return found.numpy() if isinstance(x, np.ndarray) else found
