"""Images flipped, turned, moved, zoomed, sheared and warped at random. Read first: `image_layer.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.keras.layers.image_layer import ImageLayer, factor_range, stack, where

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class RandomFlip(ImageLayer):
    """In training, each image mirrored or not, with equal chances.

    Args:
        mode: 'horizontal' (left and right), 'vertical', or 'horizontal_and_vertical'.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.

    >>> import onegraph as og
    >>> layer = RandomFlip("horizontal", seed=3)
    >>> x = og.tensor([[[[1.0], [2.0]]]])
    >>> layer(x, training=False).reshape(-1).tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ArgumentError(
                f"RandomFlip: mode must be 'horizontal', 'vertical' or 'horizontal_and_vertical', got {mode!r}"
            )
        self.mode = mode
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are mirrored, along which axes."""
        axes = [axis for axis, name in ((2, "horizontal"), (1, "vertical")) if name in self.mode]
        return [(axis, self._uniform((images.shape[0], 1, 1, 1)) < 0.5) for axis in axes]

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images mirrored as it was drawn."""
        for axis, chosen in transformation:
            images = where(chosen, images.flip(axis), images)
        return images

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks changed as the images are."""
        return self.transform_images(masks, transformation)


class _Affine(ImageLayer):
    """Base of layers whose images show, at each place, what lay at an affine map of it."""

    interpolation: str
    fill_mode: str
    fill_value: float

    def _prepare_affine(self, interpolation: str, fill_mode: str, fill_value: float) -> None:
        label = type(self).__name__
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"{label}: interpolation must be 'nearest' or 'bilinear', got {interpolation!r}")
        if fill_mode not in FILL_MODES:
            raise ArgumentError(f"{label}: fill_mode must be one of {', '.join(FILL_MODES)}, got {fill_mode!r}")
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images moved as it was drawn."""
        return self._moved(images, transformation, self.interpolation, self.fill_value)

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks moved as it was drawn, without values between theirs."""
        return self._moved(masks, transformation, "nearest", 0)

    def _moved(self, images: Any, transformation: Any, interpolation: str, fill: float) -> Any:
        from onegraph.keras.ops import image_geometry  # operations are built on layers

        return image_geometry.affine_transform(
            images, transformation, interpolation, self.fill_mode, fill, data_format="channels_last"
        )


def _rows(images: Any, *entries: Any) -> Any:
    """The eight numbers of a map for each image; entries are numbers, or (batch,)."""
    zero = images[:, 0, 0, 0] * 0
    return stack([zero + e for e in (*entries, 0.0, 0.0)], -1)


class RandomRotation(_Affine):
    """In training, each image turned about its middle.

    Args:
        factor: how far, as a share of a full turn: f for angles from -2 pi f to 2 pi f, or two numbers.
        fill_mode: what is seen beyond the rims: 'reflect', 'wrap', 'constant' or 'nearest'.
        interpolation: 'bilinear' or 'nearest'.
        seed: of the layer's own stream of numbers; None for the global one.
        fill_value: for 'constant'.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("RandomRotation", factor)
        self._prepare_affine(interpolation, fill_mode, fill_value)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """A map for each image."""
        low, high = self.factor
        angle = self._between((images.shape[0],), 2 * math.pi * low, 2 * math.pi * high)
        cos, sin = angle.cos(), angle.sin()
        h, w = images.shape[1] - 1, images.shape[2] - 1
        across = (w - (cos * w - sin * h)) / 2
        down = (h - (sin * w + cos * h)) / 2
        return _rows(images, cos, -sin, across, sin, cos, down)


class RandomTranslation(_Affine):
    """In training, each image moved.

    Args:
        height_factor, width_factor: how far, as a share of the size: f for -f to f, or two numbers; positive is down and
            to the right.
        fill_mode, interpolation, seed, fill_value, data_format: as for `RandomRotation`.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height_factor = factor_range("RandomTranslation", height_factor, name="height_factor")
        self.width_factor = factor_range("RandomTranslation", width_factor, name="width_factor")
        self._prepare_affine(interpolation, fill_mode, fill_value)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """A map for each image."""
        down = self._between((images.shape[0],), *self.height_factor) * images.shape[1]
        across = self._between((images.shape[0],), *self.width_factor) * images.shape[2]
        return _rows(images, 1.0, 0.0, -across, 0.0, 1.0, -down)


class RandomZoom(_Affine):
    """In training, each image zoomed about its middle.

    Args:
        height_factor: how much: f for -f to f, or two numbers; positive shows more, and all of it smaller.
        width_factor: the same for the width; as the height by default, which keeps proportions.
        fill_mode, interpolation, seed, fill_value, data_format: as for `RandomRotation`.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height_factor = factor_range("RandomZoom", height_factor, name="height_factor")
        self.width_factor = (
            None if width_factor is None else factor_range("RandomZoom", width_factor, name="width_factor")
        )
        self._prepare_affine(interpolation, fill_mode, fill_value)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """A map for each image."""
        tall = self._between((images.shape[0],), 1 + self.height_factor[0], 1 + self.height_factor[1])
        wide = tall
        if self.width_factor is not None:
            wide = self._between((images.shape[0],), 1 + self.width_factor[0], 1 + self.width_factor[1])
        h, w = images.shape[1] - 1, images.shape[2] - 1
        return _rows(images, wide, 0.0, (1 - wide) * (w / 2), 0.0, tall, (1 - tall) * (h / 2))


class RandomShear(_Affine):
    """In training, each image sheared: rows and columns moved the more, the further on they are.

    Args:
        x_factor, y_factor: how much along each axis: f for 0 to f, or two numbers from 0 to 1; in both directions.
        interpolation, fill_mode, fill_value, data_format, seed: as for `RandomRotation`.
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.x_factor = factor_range("RandomShear", x_factor, 0.0, name="x_factor")
        self.y_factor = factor_range("RandomShear", y_factor, 0.0, name="y_factor")
        self._prepare_affine(interpolation, fill_mode, fill_value)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """A map for each image."""
        batch = (images.shape[0],)
        sign = where(self._uniform(batch) > 0.5, -1.0, 1.0)
        across, down = self._between(batch, *self.x_factor) * sign, self._between(batch, *self.y_factor) * sign
        return _rows(images, 1.0, across, 0.0, down, 1.0, 0.0)


class RandomPerspective(_Affine):
    """In training, images seen from another side: their corners are moved.

    Args:
        factor: the probability that an image is changed, or two of them.
        scale: how far corners move, as a share of the size.
        interpolation, fill_value, seed, data_format: as for `RandomRotation`.
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor, self.scale = factor_range("RandomPerspective", factor, 0.0), float(scale)
        self._prepare_affine(interpolation, "constant", fill_value)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are changed, and the corners before and after."""
        h, w = images.shape[1] - 1, images.shape[2] - 1
        start = make_tensor(np.array([[[0, 0], [w, 0], [0, h], [w, h]]], np.float32)).expand(images.shape[0], 4, 2)
        moved = start * (1 + self._between((images.shape[0], 4, 2), -self.scale / 2, self.scale / 2))
        return self._chosen(images, self.factor), start, moved

    def _moved(self, images: Any, transformation: Any, interpolation: str, fill: float) -> Any:
        from onegraph.keras.ops import image_geometry  # operations are built on layers

        chosen, start, end = transformation
        changed = image_geometry.perspective_transform(
            images, start, end, interpolation, fill, data_format="channels_last"
        )
        return where(chosen, changed, images)


class RandomElasticTransform(_Affine):
    """In training, images warped by smooth random shifts. Source: Simard et al., ICDAR 2003.

    Args:
        factor: the probability that an image is changed, or two of them.
        scale: how strongly, from 0 to 1, or two of them.
        interpolation, fill_mode, fill_value, seed, data_format: as for `RandomRotation`.
        value_range: of the images; results stay within it.
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("RandomElasticTransform", factor, 0.0)
        self.scale = factor_range("RandomElasticTransform", scale, 0.0, name="scale")
        self._prepare_affine(interpolation, fill_mode, fill_value)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are changed, and by how much each place is shifted."""
        batch, h, w = images.shape[:3]
        strength = self._between((batch, 1, 1), *self.scale)
        sigma = max(min(h, w) * 0.05, 0.5)
        shifts = [self._smooth((batch, h, w), sigma) * strength * (min(h, w) * 0.5) for _ in range(2)]
        return self._chosen(images, self.factor), shifts

    def _smooth(self, shape: Any, sigma: float) -> Any:
        from onegraph.keras.ops import image  # operations are built on layers

        width = int(6 * sigma) | 1
        noise = self._normal((*shape, 1), "float32")
        return image.gaussian_blur(noise, (width, width), (sigma, sigma), "channels_last").squeeze(-1)

    def _moved(self, images: Any, transformation: Any, interpolation: str, fill: float) -> Any:
        from onegraph.keras.ops.image_geometry import _grid, _sample  # operations are built on layers

        chosen, (down, across) = transformation
        rows, columns = _grid(*images.shape[1:3])
        planes = images.movedim(-1, 1)
        found = _sample(planes, rows + down, columns + across, interpolation, self.fill_mode, fill).movedim(1, -1)
        return self._clipped(where(chosen, found, images))
