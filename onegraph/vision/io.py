"""`torchvision.io`: image files and their bytes, as uint8 Tensors (C, H, W), read and written by Pillow.

Not here: videos, decoding on a GPU. Read next: `onegraph/data/images.py`.
"""

from __future__ import annotations

import io as _io
import os
from enum import Enum
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, to_tensor
from onegraph.data.images import open_image, pillow
from onegraph.data.transforms.convert import to_pil_image
from onegraph.data.transforms.kinds import pillow_array
from onegraph.errors import ArgumentError, DataError, ShapeError
from onegraph.storage.atomic import atomic_write

__all__ = [
    "ImageReadMode",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "decode_webp",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """Which channels a decoded image has; UNCHANGED leaves those of the file."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_file(path: str | os.PathLike[str]) -> Any:
    """The bytes of a file, as a uint8 Tensor of one axis.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return to_tensor(np.fromfile(path, np.uint8))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_file(filename: str | os.PathLike[str], data: Any) -> None:
    """Write a uint8 Tensor of one axis as the bytes of a file, whole or not at all."""
    values = array_of(data)
    if values.dtype != np.uint8 or values.ndim != 1:
        raise ShapeError(f"write_file: {values.dtype} of shape {values.shape}; uint8 (N,) is needed")
    with atomic_write(filename) as file:
        file.write(values.tobytes())


def read_image(
    path: str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Any:
    """An image file as a uint8 Tensor (C, H, W); 16 bits a pixel become int32 where `mode` is UNCHANGED.

    Raises:
        DataError: missing, no image, truncated, or too large.
    """
    return _decode(path, None, mode, apply_exif_orientation)


def decode_image(
    input: Any, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Any:
    """The bytes of an image file, a uint8 Tensor of one axis (or a path), as a uint8 Tensor (C, H, W)."""
    if isinstance(input, str | os.PathLike):
        return read_image(input, mode, apply_exif_orientation)
    return _decode("image in memory", array_of(input).tobytes(), mode, apply_exif_orientation)


def decode_png(
    input: Any, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Any:
    """`decode_image` for PNG."""
    return decode_image(input, mode, apply_exif_orientation)


def decode_jpeg(
    input: Any,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    device: Any = "cpu",
    apply_exif_orientation: bool = False,
) -> Any:
    """`decode_image` for JPEG; a list gives a list."""
    if isinstance(input, list):
        return [decode_image(part, mode, apply_exif_orientation) for part in input]
    return decode_image(input, mode, apply_exif_orientation)


def decode_webp(input: Any, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Any:
    """`decode_image` for WebP."""
    return decode_image(input, mode)


def decode_gif(input: Any) -> Any:
    """The first picture of a GIF, or all of an animation as (N, 3, H, W)."""
    image = open_image("image in memory", content=array_of(input).tobytes())
    frames = [np.asarray(frame.convert("RGB")).transpose(2, 0, 1) for frame in pillow("ImageSequence").Iterator(image)]
    return to_tensor(np.ascontiguousarray(frames[0] if len(frames) == 1 else np.stack(frames)))


def _decode(name: Any, content: bytes | None, mode: ImageReadMode | str, upright: bool) -> Any:
    if isinstance(mode, str):
        if mode.upper() not in ImageReadMode.__members__:
            raise ArgumentError(f"mode={mode!r}: one of {', '.join(ImageReadMode.__members__)}")
        mode = ImageReadMode[mode.upper()]
    with open_image(name, content=content) as image:
        try:
            if upright:
                image = pillow("ImageOps").exif_transpose(image)
            if mode is not ImageReadMode.UNCHANGED:
                image = image.convert(_MODES[mode.value])
            elif image.mode in ("P", "1", "CMYK", "YCbCr"):
                image = image.convert("RGBA" if "transparency" in image.info else "L" if image.mode == "1" else "RGB")
            pixels = pillow_array(image)
        except Exception as error:  # decoders of many formats fail in many ways
            raise DataError(f"{name}: the image is truncated or corrupt: {error}") from error
    return to_tensor(np.array(pixels, np.int32 if pixels.dtype.itemsize > 1 else np.uint8, order="C"))


def encode_png(input: Any, compression_level: int = 6) -> Any:
    """A uint8 Tensor (1 or 3, H, W) as the bytes of a PNG file, a uint8 Tensor of one axis."""
    if not 0 <= compression_level <= 9:
        raise ArgumentError(f"encode_png: compression_level={compression_level!r}: from 0 to 9")
    return _encoded("encode_png", input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """A uint8 Tensor (1 or 3, H, W), or a list of them, as the bytes of a JPEG file."""
    if not 1 <= quality <= 100:
        raise ArgumentError(f"encode_jpeg: quality={quality!r}: from 1 to 100")
    if isinstance(input, list):
        return [encode_jpeg(image, quality) for image in input]
    return _encoded("encode_jpeg", input, "JPEG", quality=quality)


def _encoded(name: str, input: Any, format: str, **options: Any) -> Any:
    pixels = array_of(input)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ShapeError(f"{name}: {pixels.dtype} of shape {pixels.shape}; uint8 (1 or 3, H, W) is needed")
    stream = _io.BytesIO()
    to_pil_image(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(stream, format, **options)
    return to_tensor(np.frombuffer(stream.getvalue(), np.uint8).copy())


def write_png(input: Any, filename: str | os.PathLike[str], compression_level: int = 6) -> None:
    """Write a uint8 Tensor (1 or 3, H, W) as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Any, filename: str | os.PathLike[str], quality: int = 75) -> None:
    """Write a uint8 Tensor (1 or 3, H, W) as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
