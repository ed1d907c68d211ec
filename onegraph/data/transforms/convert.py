"""Between Pillow images, arrays, Tensors and dtypes, and `normalize`. Names and arguments are torchvision's.

Read next: `kinds.py`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, is_tensor
from onegraph.data.collate import to_tensor as tensor_of
from onegraph.data.images import pillow
from onegraph.data.transforms.kinds import apply, is_pillow, numpy_dtype, pillow_array, stays_in_graph
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError

_MODES = {1: ("L",), 2: ("LA",), 3: ("RGB", "YCbCr", "HSV", "LAB"), 4: ("RGBA", "CMYK", "RGBX")}


def pil_to_tensor(pic: Any) -> Any:
    """The pixels of a Pillow image as a Tensor (C, H, W), in their own type.

    Raises:
        ArgumentTypeError: no Pillow image.
    """
    if not is_pillow(pic):
        raise ArgumentTypeError(f"pil_to_tensor: a {type(pic).__name__} is no Pillow image")
    return tensor_of(np.array(pillow_array(pic), order="C"))


def to_tensor(pic: Any) -> Any:
    """A Pillow image, or an array (H, W) or (H, W, C), as a Tensor (C, H, W); bytes become float32 from 0 to 1.

    Raises:
        ArgumentTypeError: something else.
        ShapeError: an array of another number of axes.

    >>> to_tensor(np.full((2, 2, 1), 255, np.uint8)).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    return tensor_of(unit_array(pic))


def unit_array(pic: Any) -> np.ndarray:
    """What `to_tensor` gives, as an array."""
    if is_pillow(pic):
        scaled = pic.mode not in ("I", "F") and not pic.mode.startswith("I;")
        pixels = pillow_array(pic)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ShapeError(f"to_tensor: an array of shape {pic.shape}; (H, W) or (H, W, C) is needed")
        pixels = pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1)
        scaled = pic.dtype == np.uint8
    else:
        raise ArgumentTypeError(f"to_tensor: a {type(pic).__name__}; a Pillow image or an array (H, W, C) is needed")
    if not scaled:
        return np.array(pixels, order="C")
    result = np.empty(pixels.shape, np.float32)
    return np.divide(pixels, np.float32(255), out=result)


def normalized_bytes(pic: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """`normalize(to_tensor(pic), mean, std)` in one look-up for each pixel, to the same bits; None where it cannot."""
    if not is_pillow(pic) or pic.mode not in ("L", "RGB"):
        return None
    pixels = pillow_array(pic)
    if len(mean) not in (1, len(pixels)) or len(std) not in (1, len(pixels)):
        return None
    tables = _level_tables(mean, std, len(pixels))
    result = np.empty(pixels.shape, np.float32)
    for channel, table in enumerate(tables):
        np.take(table, pixels[channel], out=result[channel], mode="clip")  # "clip" writes without a copy
    return tensor_of(result)


@lru_cache(maxsize=64)
def _level_tables(mean: tuple[float, ...], std: tuple[float, ...], channels: int) -> np.ndarray:
    levels = np.broadcast_to(np.arange(256, dtype=np.float32) / np.float32(255), (channels, 1, 256))
    return _normalized(levels, mean, std)[:, 0]


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A Tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a Pillow image; floats are 0 to 1.

    Args:
        mode: Pillow's name for what the channels mean; by default L, LA, RGB or RGBA by their number, and for
            one channel of 16 or 32 bits I;16, I or F.

    Raises:
        ArgumentTypeError: no Tensor or array.
        ShapeError: other axes, or more than 4 channels.
        ArgumentError: a mode that does not fit.
    """
    if is_tensor(pic):
        array = array_of(pic)
        if array.ndim == 2:
            array = array[None]
        pixels = array.transpose(1, 2, 0) if array.ndim == 3 else array
        if pixels.dtype.kind == "f" and mode != "F":
            pixels = (pixels * pixels.dtype.type(255)).astype(np.uint8)
    elif isinstance(pic, np.ndarray):
        pixels = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise ArgumentTypeError(f"to_pil_image: a {type(pic).__name__}; a Tensor or an array is needed")
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4:
        raise ShapeError(f"to_pil_image: shape {tuple(pic.shape)}; 2 or 3 axes with 1 to 4 channels are needed")
    channels = pixels.shape[2]
    pixels = np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels)
    allowed = _modes_for(pixels, channels)
    if mode is not None and mode not in allowed:
        raise ArgumentError(
            f"to_pil_image: mode {mode!r} for {channels} channels of {pixels.dtype}; one of {', '.join(allowed)}"
        )
    return _image_of(pixels, mode or allowed[0])


def _modes_for(pixels: np.ndarray, channels: int) -> tuple[str, ...]:
    if channels > 1:
        if pixels.dtype != np.uint8:
            raise DTypeError(
                f"to_pil_image: {channels} channels of {pixels.dtype}; only uint8 and floats 0 to 1 become colors"
            )
        return _MODES[channels]
    deep = {"uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I", "float32": "F"}.get(str(pixels.dtype))
    if deep is None:
        raise DTypeError(f"to_pil_image: one channel of {pixels.dtype}; uint8, int16, int32 or float32 is needed")
    return (deep,)


def _image_of(pixels: np.ndarray, mode: str) -> Any:
    height, width = pixels.shape[:2]
    raw = pixels.astype("<u2") if mode == "I;16" else pixels
    return pillow("Image").frombytes(mode, (width, height), raw.tobytes())


def convert_image_dtype(image: Any, dtype: Any = np.float32) -> Any:
    """Another dtype, with the values scaled to its range: 0 to 1 for floats, 0 to the largest for integers.

    Raises:
        DTypeError: float32 to int32 or int64, which float32 cannot count up to.

    >>> convert_image_dtype(np.array([[[0, 255]]], np.uint8), np.float32)
    array([[[0., 1.]]], dtype=float32)
    >>> convert_image_dtype(np.array([[[0.0, 1.0]]], np.float32), np.uint8)
    array([[[  0, 255]]], dtype=uint8)
    """
    new = numpy_dtype(dtype)
    if is_pillow(image):
        raise ArgumentTypeError("convert_image_dtype: a Pillow image; use ToTensor or PILToTensor first")
    if stays_in_graph(image) and image.dtype.is_floating_point and new.kind == "f":
        return image.to(dtype)
    return apply("convert_image_dtype", image, lambda i: i, lambda a: _scaled(a, new))


def _scaled(array: np.ndarray, new: np.dtype[Any]) -> np.ndarray:
    old = array.dtype
    if old == new:
        return array
    if old.kind == "f" and new.kind == "f":
        return array.astype(new)
    if old.kind == "f":
        if new.itemsize >= 4 and (old.itemsize == 4 or new.itemsize == 8):
            raise DTypeError(f"convert_image_dtype: {old} to {new} would lose the lower digits of large values")
        return (array * (np.iinfo(new).max + old.type(1.0) - old.type(1e-3))).astype(new)
    largest = 1 if old.kind == "b" else int(np.iinfo(old).max)
    if new.kind == "f":
        return array.astype(new) / new.type(largest)
    target = int(np.iinfo(new).max)
    if largest > target:
        return (array // ((largest + 1) // (target + 1))).astype(new)
    return array.astype(new) * new.type((target + 1) // (largest + 1))


def to_dtype(inpt: Any, dtype: Any = np.float32, scale: bool = False) -> Any:
    """Another dtype; with `scale` as `convert_image_dtype`, otherwise the numbers as they are.

    >>> to_dtype(np.array([[[3]]], np.uint8))
    array([[[3.]]], dtype=float32)
    """
    if scale or is_pillow(inpt):
        return convert_image_dtype(inpt, dtype)
    return apply("to_dtype", inpt, lambda i: i, lambda a: a.astype(numpy_dtype(dtype)))


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """(image - mean) / std, a channel at a time.

    Args:
        tensor: a float Tensor or array (..., C, H, W).
        mean, std: one number, or one a channel.
        inplace: write into `tensor`.

    Raises:
        ArgumentTypeError: a Pillow image.
        DTypeError: integers.
        ShapeError: fewer than three axes, or another number of channels.
        ArgumentError: a std of 0.

    >>> normalize(np.ones((1, 1, 2), np.float32), [0.5], [0.25])
    array([[[2., 2.]]], dtype=float32)
    """
    if is_pillow(tensor):
        raise ArgumentTypeError("normalize: a Pillow image; put ToTensor before it")
    if stays_in_graph(tensor):
        # Flat lists of numbers: the Tensor arithmetic records them as constants of the graph.
        mean32, std32 = (_per_channel(values, tensor.shape) for values in (mean, std))
        return (tensor - tensor_of(mean32)) / tensor_of(std32)
    if inplace and isinstance(tensor, np.ndarray):
        tensor[...] = _normalized(tensor, mean, std)
        return tensor
    result = apply("normalize", tensor, lambda i: i, lambda a: _normalized(a, mean, std))
    return tensor.copy_(result) if inplace else result


def _normalized(array: np.ndarray, mean: Any, std: Any) -> np.ndarray:
    if array.dtype.kind != "f":
        raise DTypeError(
            f"normalize: an image of {array.dtype}; convert it to float first (ToTensor, ConvertImageDtype)"
        )
    if array.ndim < 3:
        raise ShapeError(f"normalize: shape {array.shape}; (..., C, H, W) is needed")
    mean_array, std_array = (_per_channel(values, array.shape).astype(array.dtype) for values in (mean, std))
    if np.any(std_array == 0):
        raise ArgumentError(f"normalize: std={list(std)!r}: none may be 0")
    result = array - mean_array
    return np.divide(result, std_array, out=result)


def _per_channel(values: Any, shape: Any) -> np.ndarray:
    flat = np.atleast_1d(np.asarray(array_of(values), np.float32)).reshape(-1)
    if len(flat) not in (1, shape[-3]):
        raise ShapeError(f"normalize: {len(flat)} values for an image of shape {tuple(shape)}: one, or one a channel")
    return flat[:, None, None]
