"""`torchvision.transforms._presets`: what published networks want done to an image before they see it.

Read next: `onegraph/zoo/published.py`, which says which network wants what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.transforms import functional
from onegraph.data.transforms.base import Transform
from onegraph.data.transforms.kinds import InterpolationMode, interpolation_mode, is_pillow

__all__ = ["ImageClassification", "InterpolationMode"]


class ImageClassification(Transform):
    """Resize the shorter side, cut out the middle, make floats of it and normalize them.

    Args:
        crop_size: of the result.
        resize_size: of the shorter side before.
        mean, std: one number a channel, of values 0 to 1; ImageNet's by default.
        interpolation, antialias: see `functional.resize`.

    A Pillow image, or a Tensor or array (..., C, H, W) of bytes or floats, becomes a float32 Tensor (..., C, crop, crop).

    >>> ImageClassification(crop_size=224)(np.zeros((3, 300, 400), np.uint8)).shape
    (3, 224, 224)
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation_mode(interpolation), antialias

    def transform(self, inpt: Any, params: Any) -> Any:
        image = functional.resize(inpt, self.resize_size, self.interpolation, antialias=self.antialias)
        image = functional.center_crop(image, self.crop_size)
        if is_pillow(image):
            image = functional.pil_to_tensor(image)
        return functional.normalize(functional.convert_image_dtype(image, np.float32), self.mean, self.std)

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return "\n".join(["ImageClassification(", *(f"    {name}={getattr(self, name)}" for name in names), ")"])

    def describe(self) -> str:
        """What it does, in words."""
        return (
            f"The shorter side is resized to {self.resize_size} ({self.interpolation.value}), the middle "
            f"{self.crop_size} cut out, values brought to 0 to 1 and normalized with mean {self.mean} and std {self.std}."
        )
