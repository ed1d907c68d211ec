"""Transforms without chance: conversions, sizes, crops. Names and arguments are torchvision's.

Read next: `moving.py` and `coloring.py`, which draw numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, to_tensor
from onegraph.data.transforms import color, convert, geometry
from onegraph.data.transforms.base import Transform
from onegraph.data.transforms.kinds import InterpolationMode, apply, interpolation_mode, is_pillow, pair
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError


class ToTensor:
    """A Pillow image, or an array (H, W, C), as a Tensor (C, H, W): bytes become float32 from 0 to 1."""

    def __call__(self, pic: Any, *rest: Any) -> Any:
        return (convert.to_tensor(pic), *rest) if rest else convert.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor(Transform):
    """A Pillow image as a Tensor (C, H, W) of its own dtype."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return convert.pil_to_tensor(inpt)


class ToImage(Transform):
    """A Pillow image, or an array (H, W, C), as a Tensor (C, H, W) of its own dtype; a Tensor stays as it is."""

    def transform(self, inpt: Any, params: Any) -> Any:
        if is_pillow(inpt):
            return convert.pil_to_tensor(inpt)
        if isinstance(inpt, np.ndarray):
            pixels = inpt[None] if inpt.ndim == 2 else inpt.transpose(2, 0, 1)
            return to_tensor(np.ascontiguousarray(pixels))
        return inpt


class ToPILImage(Transform):
    """A Tensor (C, H, W), or an array (H, W, C), as a Pillow image of `mode`; see `functional.to_pil_image`."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def transform(self, inpt: Any, params: Any) -> Any:
        return convert.to_pil_image(inpt, self.mode)


class ToPureTensor(Transform):
    """Hands images on: there are no special kinds of Tensors here."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return inpt


class Identity:
    """Hands everything on.

    >>> Identity()(1)
    1
    """

    def __call__(self, *inputs: Any) -> Any:
        return inputs if len(inputs) > 1 else inputs[0]

    def __repr__(self) -> str:
        return "Identity()"


class ConvertImageDtype(Transform):
    """Another dtype, values scaled to its range; see `functional.convert_image_dtype`."""

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = dtype

    def transform(self, inpt: Any, params: Any) -> Any:
        return convert.convert_image_dtype(inpt, self.dtype)


class ToDtype(Transform):
    """Another dtype; with `scale` the values are scaled to its range.

    >>> ToDtype(np.float32, scale=True)(np.array([[[255]]], np.uint8))
    array([[[1.]]], dtype=float32)
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        if isinstance(dtype, dict):
            raise ArgumentTypeError(
                "ToDtype: one dtype; a dtype for each kind of Tensor is not here, as those kinds are not"
            )
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt: Any, params: Any) -> Any:
        return convert.to_dtype(inpt, self.dtype, self.scale)


class Normalize(Transform):
    """(image - mean) / std, a channel at a time; float Tensors and arrays only.

    Args:
        mean, std: one number a channel, or one for all.
        inplace: write into the image.

    Raises:
        ArgumentError: lengths that differ, or a std of 0.

    >>> Normalize([0.5], [0.5])(np.ones((1, 1, 2), np.float32))
    array([[[1., 1.]]], dtype=float32)
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace
        mean_array, std_array = (np.atleast_1d(np.asarray(array_of(v), np.float64)) for v in (mean, std))
        if len(mean_array) != len(std_array) or np.any(std_array == 0) or not np.all(np.isfinite(std_array)):
            raise ArgumentError(f"Normalize: mean {mean}, std {std}: one of each a channel, std not 0")
        self.mean_tuple, self.std_tuple = tuple(mean_array.tolist()), tuple(std_array.tolist())

    def transform(self, inpt: Any, params: Any) -> Any:
        return convert.normalize(inpt, self.mean_tuple, self.std_tuple, self.inplace)


class Resize(Transform):
    """Another size; see `functional.resize`.

    >>> Resize(10)(np.zeros((3, 20, 40))).shape
    (3, 10, 20)
    """

    def __init__(
        self,
        size: Any,
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        geometry.resized_size((2, 3), size, max_size)  # what makes no sense is found now
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = interpolation_mode(interpolation)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.resize(inpt, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle of (height, width) or one number for both; what is too small is padded with 0.

    >>> CenterCrop(2)(np.zeros((3, 5, 5))).shape
    (3, 2, 2)
    """

    def __init__(self, size: Any) -> None:
        self.size = pair("CenterCrop", size)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.center_crop(inpt, self.size)


class FiveCrop(Transform):
    """The four corners and the middle, as a tuple."""

    def __init__(self, size: Any) -> None:
        self.size = pair("FiveCrop", size)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.five_crop(inpt, self.size)


class TenCrop(Transform):
    """`FiveCrop` of the image and of its mirror image, as a tuple."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        self.size, self.vertical_flip = pair("TenCrop", size), vertical_flip

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.ten_crop(inpt, self.size, self.vertical_flip)


class Pad(Transform):
    """A border; see `functional.pad`.

    >>> Pad(1)(np.zeros((3, 2, 2))).shape
    (3, 4, 4)
    """

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        geometry.four_sides(padding)
        if padding_mode not in geometry.PADDING_MODES:
            raise ArgumentError(f"Pad: padding_mode={padding_mode!r}: one of {', '.join(geometry.PADDING_MODES)}")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.pad(inpt, self.padding, self.fill, self.padding_mode)


class Grayscale(Transform):
    """Gray, in 1 or 3 equal channels."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.rgb_to_grayscale(inpt, self.num_output_channels)


class RGB(Transform):
    """Three channels: gray is repeated.

    >>> RGB()(np.zeros((1, 2, 2))).shape
    (3, 2, 2)
    """

    def transform(self, inpt: Any, params: Any) -> Any:
        if is_pillow(inpt):
            return inpt.convert("RGB")
        return color.rgb_to_grayscale(inpt, 3) if inpt.shape[-3] == 1 else inpt


class LinearTransformation(Transform):
    """Flatten, subtract a mean and multiply with a matrix, for example to whiten.

    Args:
        transformation_matrix: (D, D) with D = C * H * W.
        mean_vector: (D,).

    Raises:
        ShapeError: shapes that do not fit, also when called.
    """

    def __init__(self, transformation_matrix: Any, mean_vector: Any) -> None:
        matrix, mean = np.asarray(array_of(transformation_matrix)), np.asarray(array_of(mean_vector))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or mean.shape != matrix.shape[:1]:
            raise ShapeError(
                f"LinearTransformation: matrix {matrix.shape}, mean {mean.shape}: (D, D) and (D,) are needed"
            )
        self.transformation_matrix, self.mean_vector = matrix, mean

    def transform(self, inpt: Any, params: Any) -> Any:
        return apply("LinearTransformation", inpt, self._no_pillow, self._on_array)

    def _no_pillow(self, image: Any) -> Any:
        raise ArgumentTypeError("LinearTransformation: a Pillow image; put ToTensor before it")

    def _on_array(self, array: np.ndarray) -> np.ndarray:
        size = len(self.mean_vector)
        if int(np.prod(array.shape[-3:])) != size:
            raise ShapeError(f"LinearTransformation: an image of shape {array.shape} for a matrix of {size} rows")
        flat = array.reshape(-1, size) - self.mean_vector
        return (flat @ self.transformation_matrix).astype(array.dtype).reshape(array.shape)


__all__ = [
    "RGB",
    "CenterCrop",
    "ConvertImageDtype",
    "FiveCrop",
    "Grayscale",
    "Identity",
    "LinearTransformation",
    "Normalize",
    "PILToTensor",
    "Pad",
    "Resize",
    "TenCrop",
    "ToDtype",
    "ToImage",
    "ToPILImage",
    "ToPureTensor",
    "ToTensor",
]
