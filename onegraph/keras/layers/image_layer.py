"""`ImageLayer`: the base of layers that change images, alone or with labels and segmentation masks.

Each image of a batch is changed in its own way, only in training. Inside, images are (batch, height, width, channels).
Read next: `image_geometry.py`, `image_color.py`, `image_mixing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.regularization import Random

where, stack = EXPORTS["where"], EXPORTS["stack"]


def factor_range(
    label: str, factor: Any, lowest: float = -1.0, highest: float = 1.0, name: str = "factor"
) -> tuple[float, float]:
    """The range that a factor stands for: one number f is [-f, f], within the bounds.

    >>> factor_range("RandomRotation", 0.2), factor_range("RandomContrast", 0.2, 0.0)
    ((-0.2, 0.2), (0.0, 0.2))
    """
    if isinstance(factor, (tuple, list)) and len(factor) == 2:
        low, high = sorted(float(f) for f in factor)
        good = low <= highest and high >= lowest
    elif isinstance(factor, (int, float)) and not isinstance(factor, bool):
        good = lowest <= factor <= highest
        low, high = max(-abs(float(factor)), lowest), abs(float(factor))
    else:
        good = False
    if not good:
        raise ArgumentError(
            f"{label}: {name} must be a number or two of them, from {lowest:g} to {highest:g}, got {factor!r}"
        )
    return low, high


class ImageLayer(Random):
    """Base of layers that change images.

    Called on images (batch, height, width, channels), or one image without the batch; or on a dict with 'images', and
    'labels' and 'segmentation_masks' where there are some. Integers become floats.

    Args:
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    supports_masking = False
    only_in_training: ClassVar[bool] = True
    needs_batch: ClassVar[bool] = False

    def _prepare_images(self, data_format: str | None, seed: Any, value_range: Any = None) -> None:
        self.data_format = data_format_of(data_format)
        self._set_seed(seed)
        if value_range is not None:
            if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
                raise ArgumentError(f"{type(self).__name__}: value_range must be two numbers, got {value_range!r}")
            self.value_range = tuple(sorted(float(v) for v in value_range))

    # ---- what subclasses define

    def get_random_transformation(self, images: Any) -> Any:
        """What is drawn for a batch of images: any value that `transform_images` understands."""
        return None

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images (batch, height, width, channels) changed as it was drawn."""
        raise NotImplementedError

    def transform_labels(self, labels: Any, transformation: Any) -> Any:
        """Labels that go with them; most layers leave them as they are."""
        return labels

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks (batch, height, width, channels) that go with them; layers that move things move them, too."""
        return masks

    # ---- calling

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Compute the result."""
        if isinstance(inputs, dict):
            return self._call_on_dict(inputs, training)
        images, single = self._as_batch(inputs)
        if self.only_in_training and not training:
            return self._back(images, single)
        return self._back(self.transform_images(images, self.get_random_transformation(images)), single)

    def _call_on_dict(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        if "bounding_boxes" in data:
            raise UnsupportedError(
                f"layer {self.name!r} ({type(self).__name__}) does not change bounding boxes",
                hint="leave them out, or use a layer of your own",
            )
        if "images" not in data:
            raise ArgumentError(f"layer {self.name!r} ({type(self).__name__}): the dict has no 'images'")
        images, single = self._as_batch(data["images"])
        if self.only_in_training and not training:
            return {**data, "images": self._back(images, single)}
        drawn = self.get_random_transformation(images)
        result = {**data, "images": self._back(self.transform_images(images, drawn), single)}
        if data.get("labels") is not None:
            labels = _tensor(data["labels"])
            labels = self.transform_labels(labels.unsqueeze(0) if single else labels, drawn)
            result["labels"] = labels.squeeze(0) if single else labels
        if data.get("segmentation_masks") is not None:
            masks, alone = self._as_batch(data["segmentation_masks"], missing=_tensor(data["images"]).ndim)
            result["segmentation_masks"] = self._back(self.transform_segmentation_masks(masks, drawn), alone)
        return result

    def _as_batch(self, value: Any, missing: int | None = None) -> tuple[Any, bool]:
        x = _tensor(value)
        flat = missing is not None and x.ndim == missing - 1  # masks without channels
        if flat:
            x = x.unsqueeze(-1 if self.data_format == "channels_last" else -3)
        if x.ndim not in (3, 4):
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) needs images of 3 dimensions, or 4 with a batch, got shape "
                f"{tuple(x.shape)}"
            )
        single = x.ndim == 3
        if single and self.needs_batch:
            raise ShapeError(f"layer {self.name!r} ({type(self).__name__}) mixes images, and needs a batch of them")
        x = x.unsqueeze(0) if single else x
        x = x if self.data_format == "channels_last" else x.movedim(1, -1)
        return x.to(as_dtype(self.compute_dtype)), single

    def _back(self, images: Any, single: bool) -> Any:
        x = images if self.data_format == "channels_last" else images.movedim(-1, 1)
        return (x.squeeze(0) if single else x).to(as_dtype(self.compute_dtype))

    # ---- drawing

    def _between(self, shape: Sequence[int], low: float, high: float) -> Any:
        """Numbers from [low, high)."""
        return self._uniform(shape) * (high - low) + low

    def _for_each(self, images: Any, low: float, high: float) -> Any:
        """A number for each image, (batch, 1, 1, 1)."""
        return self._between((images.shape[0], 1, 1, 1), low, high)

    def _chosen(self, images: Any, factor: tuple[float, float]) -> Any:
        """Which images are changed, with a probability from a range, (batch, 1, 1, 1)."""
        return self._uniform((images.shape[0], 1, 1, 1)) < self._for_each(images, *factor)

    # ---- values

    def _to_bytes(self, images: Any) -> Any:
        """Values of the layer's range in [0, 255]."""
        low, high = self.value_range
        return images if (low, high) == (0, 255) else (images - low) * (255 / (high - low))

    def _from_bytes(self, images: Any) -> Any:
        """Values of [0, 255] in the layer's range."""
        low, high = self.value_range
        return images if (low, high) == (0, 255) else images * ((high - low) / 255) + low

    def _clipped(self, images: Any) -> Any:
        return images.clamp(*self.value_range)


def _tensor(value: Any) -> Any:
    return value if isinstance(value, Tensor) else make_tensor(np.asarray(value))
