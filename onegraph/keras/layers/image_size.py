"""Images brought to one size: `Resizing`, `CenterCrop`, `RandomCrop`. Read first: `image_layer.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.image_layer import ImageLayer

_arange = EXPORTS["arange"]


def resized(images: Any, height: int, width: int, interpolation: str = "bilinear", **options: Any) -> Any:
    """Images (batch, height, width, channels) of another size."""
    from onegraph.keras.ops import image  # operations are built on layers

    return image.resize(images, (height, width), interpolation, data_format="channels_last", **options)


def _check_size(label: str, height: Any, width: Any) -> None:
    if any(not isinstance(v, int) or v < 1 for v in (height, width)):
        raise ArgumentError(f"{label}: height and width must be positive whole numbers, got {height!r} and {width!r}")


class Resizing(ImageLayer):
    """Images of another size.

    Args:
        height, width: of the result.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3' or 'lanczos5'.
        crop_to_aspect_ratio: cut out the middle of the right proportions first, so that nothing is stretched.
        pad_to_aspect_ratio: add borders to the right proportions first.
        fill_mode, fill_value: of the borders; only 'constant'.
        antialias: blur first where images get smaller.
        data_format: 'channels_last' or 'channels_first'.

    >>> import onegraph as og
    >>> Resizing(8, 6)(og.zeros(2, 5, 5, 3)).shape
    onegraph.Size([2, 8, 6, 3])
    """

    only_in_training = False

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_size("Resizing", height, width)
        if fill_mode != "constant":
            raise ArgumentError(f"Resizing: fill_mode must be 'constant', got {fill_mode!r}")
        self.height, self.width = height, width
        self.interpolation = interpolation.lower()
        self._options = {
            "crop_to_aspect_ratio": crop_to_aspect_ratio,
            "pad_to_aspect_ratio": pad_to_aspect_ratio,
            "fill_value": fill_value,
            "antialias": antialias,
        }
        self._prepare_images(data_format, None)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images of the wanted size."""
        return resized(images, self.height, self.width, self.interpolation, **self._options)

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks of the wanted size, without values between theirs."""
        return resized(masks, self.height, self.width, "nearest", **self._options)


def _aspect_resized(images: Any, height: int, width: int) -> Any:
    """The middle of images, with the proportions of a size, in that size."""
    return resized(images, height, width, crop_to_aspect_ratio=True)


class CenterCrop(ImageLayer):
    """The middle of images; smaller images are enlarged until they fill it.

    Args:
        height, width: of the result.
        data_format: 'channels_last' or 'channels_first'.
    """

    only_in_training = False

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _check_size("CenterCrop", height, width)
        self.height, self.width = height, width
        self._prepare_images(data_format, None)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """The middle of the images."""
        top, left = (images.shape[1] - self.height) // 2, (images.shape[2] - self.width) // 2
        if min(top, left) < 0:
            return _aspect_resized(images, self.height, self.width)
        return images[:, top : top + self.height, left : left + self.width]

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks changed as the images are."""
        return self.transform_images(masks, transformation)


class RandomCrop(ImageLayer):
    """In training a part of images at a random place, the same for the whole batch; else the middle, resized.

    Args:
        height, width: of the result; smaller images are enlarged until they fill it.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    only_in_training = False

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, name: str | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(name=name, **kwargs)
        _check_size("RandomCrop", height, width)
        self.height, self.width = height, width
        self._prepare_images(data_format, seed)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Compute the result."""
        self.__dict__["_trains"] = training
        return super().call(inputs, training)

    def get_random_transformation(self, images: Any) -> Any:
        """The rows and columns to take, or None for the middle."""
        spare = images.shape[1] - self.height, images.shape[2] - self.width
        if not self._trains or min(spare) < 0:
            return None
        rows, columns = ((self._uniform((1,)) * (s + 1)).floor().clamp(max=s).long() for s in spare)
        return rows + _arange(self.height), columns + _arange(self.width)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """The part of the images."""
        if transformation is None:
            return _aspect_resized(images, self.height, self.width)
        rows, columns = transformation
        return images.index_select(1, rows).index_select(2, columns)

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks changed as the images are."""
        return self.transform_images(masks, transformation)
