"""`torchvision.transforms.v2.functional`: the functions of v1 and a few more. Read next: `onegraph/data/transforms/`."""

from __future__ import annotations

from typing import Any

from onegraph.data.transforms import functional as _v1
from onegraph.data.transforms.convert import to_dtype
from onegraph.data.transforms.fixed import RGB, ToImage
from onegraph.data.transforms.functional import *  # noqa: F403
from onegraph.data.transforms.functional import get_dimensions, get_image_num_channels, hflip, vflip

__all__ = [
    *_v1.__all__,
    "get_num_channels",
    "get_size",
    "grayscale_to_rgb",
    "horizontal_flip",
    "to_dtype",
    "to_image",
    "vertical_flip",
]

horizontal_flip, vertical_flip = hflip, vflip
get_num_channels = get_image_num_channels


def get_size(inpt: Any) -> list[int]:
    """[height, width] of an image.

    >>> import numpy as np
    >>> get_size(np.zeros((3, 4, 5)))
    [4, 5]
    """
    return get_dimensions(inpt)[1:]


def to_image(inpt: Any) -> Any:
    """A Pillow image, or an array (H, W, C), as a Tensor (C, H, W) of its own dtype."""
    return ToImage()(inpt)


def grayscale_to_rgb(inpt: Any) -> Any:
    """Gray in three channels; colors stay."""
    return RGB()(inpt)
