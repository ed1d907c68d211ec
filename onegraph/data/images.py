"""Reading one image file: decoded by Pillow, upright, of the size and channels asked for.

Pillow is optional (`pip install onegraph[images]`) and loaded at the first image. A file is never
trusted: its announced size is checked before it is decoded. Read next: `folder.py`.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DataError, UnsupportedError

MOST_PIXELS = 50_000_000
"""The largest image that `load_image` decodes by default."""

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def load_image(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
    dtype: Any = np.float32,
    layout: str = "CHW",
    max_pixels: int = MOST_PIXELS,
    content: bytes | None = None,
) -> np.ndarray:
    """Read an image file, turned upright as its EXIF orientation says.

    Args:
        path: the file.
        size: (height, width) or one number for both: scaled to cover it, then cropped around the
            center; None keeps the image's own size.
        channels: 1 (gray), 3 (red, green, blue) or 4 (with opacity).
        dtype: float32, values 0 to 1, or uint8, values 0 to 255.
        layout: "CHW" or "HWC".
        max_pixels: refuse larger images before decoding them.
        content: the bytes of the file, if they are at hand; `path` is then only its name in errors.

    Returns:
        An array of shape (channels, height, width), or (height, width, channels).

    Raises:
        DataError: missing, no image, truncated, corrupt, or larger than `max_pixels`.
        ArgumentError: an argument outside the above.
        UnsupportedError: Pillow is not installed.
    """
    height_width = _check_arguments(size, channels, dtype, layout)
    with open_image(path, max_pixels, content) as image:
        try:
            upright = pillow("ImageOps").exif_transpose(image)
            pixels = _convert(upright, _MODES[channels], height_width)
        except Exception as error:  # decoders of many formats fail in many ways
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error
    array = np.array(pixels, dtype=np.uint8).reshape(pixels.size[1], pixels.size[0], channels)
    if layout == "CHW":
        array = np.ascontiguousarray(array.transpose(2, 0, 1))
    if np.dtype(dtype) == np.uint8:
        return array
    return array.astype(np.float32) / np.float32(255)


def image_header(
    path: str | os.PathLike[str], max_pixels: int = MOST_PIXELS, content: bytes | None = None
) -> tuple[int, int, int]:
    """(channels, height, width) of an image file, upright, without decoding it.

    Raises:
        DataError, UnsupportedError: as `load_image`.
    """
    with open_image(path, max_pixels, content) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(0x0112, 1) >= 5  # orientations 5 to 8 exchange the axes
        except Exception as error:
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error
        channels = 1 if image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L") else 3
    return (channels, width, height) if turned else (channels, height, width)


def _check_arguments(size: Any, channels: int, dtype: Any, layout: str) -> tuple[int, int] | None:
    if channels not in _MODES:
        raise ArgumentError(f"load_image: channels={channels!r}: 1, 3 or 4")
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.uint8)):
        raise ArgumentError(f"load_image: dtype {np.dtype(dtype)}: float32 or uint8")
    if layout not in ("CHW", "HWC"):
        raise ArgumentError(f"load_image: layout={layout!r}: 'CHW' or 'HWC'")
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ArgumentError(f"load_image: size={size!r}: at least 1")
    return int(height), int(width)


def load_pillow(
    path: str | os.PathLike[str], mode: str = "RGB", max_pixels: int = MOST_PIXELS, content: bytes | None = None
) -> Any:
    """A Pillow image of a mode, as it lies in the file: not turned, not resized.

    Raises:
        DataError, UnsupportedError: as `load_image`.
    """
    with open_image(path, max_pixels, content) as image:
        try:
            return _in_mode(image, mode)
        except Exception as error:
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error


def open_lazily(path: str | os.PathLike[str], max_pixels: int = MOST_PIXELS) -> Any:
    """A Pillow image in RGB that is decoded when its pixels are needed, if the file is a JPEG of that mode.

    A transform that shrinks it, such as `RandomResizedCrop`, then decodes it at a half, a quarter or an eighth of
    its size where that is still large enough. Other files are decoded at once.

    Raises:
        DataError, UnsupportedError: as `load_image`; damage in the pixels shows later.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()  # not left open: nobody may ever ask for the pixels
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    image = open_image(path, max_pixels, content)
    if image.format == "JPEG" and image.mode == "RGB":
        return image
    return load_pillow(path, max_pixels=max_pixels, content=content)


def is_undecoded_jpeg(image: Any) -> bool:
    """Whether a Pillow image is a JPEG file that nobody has looked at yet."""
    return getattr(image, "format", None) == "JPEG" and bool(getattr(image, "tile", None)) and hasattr(image, "draft")


def check_image(path: str | os.PathLike[str], max_pixels: int = MOST_PIXELS, content: bytes | None = None) -> None:
    """Decode an image to see that it can be, JPEG at an eighth of its size: all bytes are read, few pixels made.

    Raises:
        DataError, UnsupportedError: as `load_image`.
    """
    with open_image(path, max_pixels, content) as image:
        try:
            image.draft("L", (1, 1))
            image.load()
        except Exception as error:
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error


def open_image(path: str | os.PathLike[str], max_pixels: int = MOST_PIXELS, content: bytes | None = None) -> Any:
    """Open lazily with Pillow: only the header is read.

    Raises:
        DataError, UnsupportedError: as `load_image`.
    """
    library = pillow("Image")
    try:
        image = library.open(path if content is None else io.BytesIO(content))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        if error.errno is not None:  # what the system says; Pillow's own errors have no number
            reason = "a folder, not an image" if os.path.isdir(path) else f"cannot be read: {error.strerror}"
            raise DataError(f"{path}: {reason}") from error
        raise DataError(f"{path}: not a readable image ({', '.join(EXTENSIONS)})") from error
    except Exception as error:
        raise DataError(f"{path}: not a readable image: {error}") from error
    width, height = image.size
    if width * height > max_pixels:
        image.close()
        raise DataError(f"{path}: {width} x {height} pixels, more than max_pixels={max_pixels:,}")
    return image


def _convert(image: Any, mode: str, size: tuple[int, int] | None) -> Any:
    image = _in_mode(image, mode)
    if size is None or image.size == size[::-1]:
        return image
    return pillow("ImageOps").fit(image, size[::-1], method=pillow("Image").Resampling.BILINEAR)


def _in_mode(image: Any, mode: str) -> Any:
    if image.mode == "F" or image.mode.startswith("I"):
        image = _sixteen_bits_to_eight(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns when transparency goes unseen
    if image.mode == mode:
        image.load()
        return image
    return image.convert(mode)


def _sixteen_bits_to_eight(image: Any) -> Any:
    """Pillow would clip such pixels at 255 instead of scaling them."""
    values = np.asarray(image).astype(np.float64)
    scale = 1.0 if values.max(initial=0) <= 255 and image.mode in ("I", "F") else 257.0
    return pillow("Image").fromarray(np.clip(np.rint(values / scale), 0, 255).astype(np.uint8))


def pillow(module: str) -> Any:
    """A module of Pillow, which is optional and loaded late.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        return __import__(f"PIL.{module}", fromlist=[module])
    except ImportError as error:
        raise UnsupportedError(
            "reading image files needs Pillow, which is not installed", hint="pip install onegraph[images]"
        ) from error
