"""What an image is here: a Pillow image, a NumPy array or a Tensor of shape (..., C, H, W).

Every function on images is written twice at most: for Pillow images, with Pillow's own C code where it has
any, and for arrays, in NumPy. A Tensor goes through the array version and comes back as a Tensor; a few
functions that may stand inside a model (`normalize`, flips, `crop`) work on Tensors as they are.
Read next: `geometry.py`, `color.py`, `convert.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, is_tensor, to_tensor
from onegraph.data.images import pillow
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend.state import mode as frontend_mode
from onegraph.ir.dtype import DType, as_dtype


class InterpolationMode(Enum):
    """How pixels between pixels are made. BOX, HAMMING and LANCZOS are for Pillow images only.

    >>> InterpolationMode("bilinear")
    <InterpolationMode.BILINEAR: 'bilinear'>
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's numbers for its filters, which older programs pass as they are.
_PILLOW_FILTERS = {"nearest": 0, "nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
_BY_NUMBER = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def interpolation_mode(value: Any) -> InterpolationMode:
    """A mode given as such, by its name or by Pillow's number.

    Raises:
        ArgumentTypeError: none of these.
    """
    if isinstance(value, InterpolationMode):
        return value
    try:
        return InterpolationMode(_BY_NUMBER[int(value)] if isinstance(value, int) else value)
    except (ValueError, KeyError) as error:
        names = ", ".join(mode.name for mode in InterpolationMode)
        raise ArgumentTypeError(f"interpolation={value!r}: one of InterpolationMode.{names}") from error


def pillow_filter(mode: InterpolationMode) -> int:
    """Pillow's number for a mode."""
    return _PILLOW_FILTERS[mode.value]


def is_pillow(image: Any) -> bool:
    """Whether something is a Pillow image, told without importing Pillow."""
    return hasattr(image, "getbands") and hasattr(image, "tobytes")


def is_image(value: Any) -> bool:
    """Whether something can be an image: Pillow's, or an array or Tensor with at least two axes."""
    if is_pillow(value):
        return True
    return (isinstance(value, np.ndarray) or is_tensor(value)) and len(value.shape) >= 2


def apply(name: str, image: Any, on_pillow: Callable[[Any], Any], on_array: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Call the version of a function for the kind of image at hand.

    Raises:
        ArgumentTypeError: no image.
        ShapeError: an array without height and width.
    """
    if is_pillow(image):
        return on_pillow(image)
    if isinstance(image, np.ndarray):
        return on_array(_checked(name, image))
    if is_tensor(image):
        return to_tensor(on_array(_checked(name, array_of(image))))
    raise ArgumentTypeError(
        f"{name}: a {type(image).__name__} is no image; a Pillow image, or an array or Tensor of shape (..., C, H, W) is"
    )


def _checked(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise ShapeError(
            f"{name}: an image of shape {array.shape}; (..., C, H, W) with H and W of at least 1 is needed"
        )
    return array


def stays_in_graph(image: Any) -> bool:
    """Whether a Tensor must not be looked at: it is traced, or gradients flow through it."""
    return is_tensor(image) and (frontend_mode.trace is not None or getattr(image, "requires_grad", False))


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width] of an image.

    >>> get_dimensions(np.zeros((3, 4, 5)))
    [3, 4, 5]
    """
    if is_pillow(img):
        width, height = img.size
        return [len(img.getbands()), height, width]
    if not is_image(img):
        raise ArgumentTypeError(f"get_dimensions: a {type(img).__name__} is no image")
    shape = [int(size) for size in img.shape]
    return [1 if len(shape) == 2 else shape[-3], *shape[-2:]]


def get_image_size(img: Any) -> list[int]:
    """[width, height] of an image.

    >>> get_image_size(np.zeros((3, 4, 5)))
    [5, 4]
    """
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """How many channels an image has.

    >>> get_image_num_channels(np.zeros((3, 4, 5)))
    3
    """
    return get_dimensions(img)[0]


def pair(name: str, value: Any) -> tuple[int, int]:
    """(height, width) of one number, a sequence of one, or of two.

    Raises:
        ArgumentError: anything else, or a size below 1.
    """
    sizes = [value] if isinstance(value, int | np.integer) else list(value) if isinstance(value, Sequence) else []
    if len(sizes) not in (1, 2) or any(not isinstance(size, int | np.integer) or size < 1 for size in sizes):
        raise ArgumentError(f"{name}: size={value!r}: a whole number of at least 1, or two of them, (height, width)")
    return int(sizes[0]), int(sizes[-1])


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """The NumPy dtype of an onegraph or NumPy dtype."""
    if not isinstance(dtype, DType):
        try:
            return np.dtype(dtype)
        except TypeError:
            dtype = as_dtype(dtype)
    return np.dtype(dtype.numpy)


def like_integers(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Float results in the dtype of the image: rounded to even and clipped where that holds integers."""
    if dtype.kind in "iub":
        limits = np.iinfo(dtype) if dtype.kind != "b" else np.iinfo(np.uint8)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype, copy=False)


def white(dtype: np.dtype[Any]) -> float:
    """The value of full brightness: 1 for floats, the largest value for integers."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def pillow_fill(image: Any, fill: Any) -> Any:
    """A fill value as Pillow takes it: a number for one channel, a tuple for more.

    Raises:
        ArgumentError: another number of values than channels.
    """
    count = len(image.getbands())
    values = [0] * count if fill is None else [fill] * count if isinstance(fill, int | float) else list(fill)
    if len(values) == 1:
        values *= count
    if len(values) != count:
        raise ArgumentError(f"fill={fill!r}: {len(values)} values for an image of {count} channels")
    if image.mode not in ("F",):
        values = [int(value) for value in values]
    return values[0] if count == 1 else tuple(values)


def array_fill(image: np.ndarray, fill: Any) -> np.ndarray:
    """A fill value that broadcasts against (..., C, H, W), float32.

    Raises:
        ArgumentError: another number of values than channels.
    """
    values = np.atleast_1d(np.asarray(0.0 if fill is None else fill, np.float32))
    channels = 1 if image.ndim == 2 else image.shape[-3]
    if len(values) not in (1, channels):
        raise ArgumentError(f"fill={fill!r}: {len(values)} values for an image of {channels} channels")
    return values[:, None, None] if image.ndim > 2 else values[:1, None]


def pillow_array(image: Any) -> np.ndarray:
    """The pixels of a Pillow image as (C, H, W), in its own type, not copied where that is possible."""
    if image.mode == "1":
        image = image.convert("L")
    pixels = np.asarray(image)
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
        pixels = pixels.astype(np.int32)  # Tensors have no uint16
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def through_array(image: Any, function: Callable[[np.ndarray], np.ndarray]) -> Any:
    """A function on arrays, applied to a Pillow image."""
    result = np.ascontiguousarray(function(pillow_array(image)))
    pixels = result[0] if len(result) == 1 else result.transpose(1, 2, 0)
    return pillow("Image").fromarray(np.ascontiguousarray(pixels), image.mode if image.mode != "1" else "L")
