"""The colours of images changed at random: brighter, greyer, sharper, fewer. Read first: `image_layer.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.keras.layers.image_layer import ImageLayer, factor_range, stack, where
from onegraph.nn import functional as F

_arange = EXPORTS["arange"]


def _colors() -> Any:
    from onegraph.keras.ops import image  # operations are built on layers

    return image


class RandomBrightness(ImageLayer):
    """In training, each image made brighter or darker.

    Args:
        factor: how much, as a share of the range of values: f for -f to f, or two numbers.
        value_range: of the images; results stay within it.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        self.factor = factor_range("RandomBrightness", factor)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """What is added to each image."""
        return self._for_each(images, *self.factor) * (self.value_range[1] - self.value_range[0])

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        return self._clipped(images + transformation)


class RandomContrast(ImageLayer):
    """In training, each channel's distance from its mean multiplied.

    Args:
        factor: f for factors from 1 - f to 1 + f, or two numbers (l, u) for 1 - l to 1 + u.
        value_range: of the images; results stay within it.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        if isinstance(factor, (tuple, list)):
            self.factor = (float(factor[0]), float(factor[1]))
            factor_range("RandomContrast", factor, 0.0)
        else:
            self.factor = (factor_range("RandomContrast", factor, 0.0)[1],) * 2
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """The factor of each image."""
        return self._for_each(images, 1 - self.factor[0], 1 + self.factor[1])

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        mean = images.mean((1, 2), keepdim=True)
        return self._clipped((images - mean) * transformation + mean)


class RandomHue(ImageLayer):
    """In training, the hue of each image turned.

    Args:
        factor: how far, as a share of half a turn: f for 0 to f in both directions, or two numbers.
        value_range: of the images.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = factor_range("RandomHue", factor)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """By how much each image's hue is turned."""
        sign = where(self._uniform((images.shape[0], 1, 1)) > 0.5, -1.0, 1.0)
        return self._between((images.shape[0], 1, 1), *self.factor) * sign * 0.5

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        low, high = self.value_range
        colors = _colors().rgb_to_hsv((images - low) / (high - low), data_format="channels_last")
        hue = colors[..., 0] + transformation
        hue = where(hue > 1, hue - 1, where(hue < 0, hue + 1, hue))
        changed = _colors().hsv_to_rgb(stack([hue, colors[..., 1], colors[..., 2]], -1), data_format="channels_last")
        return changed.clamp(0, 1) * (high - low) + low


class RandomSaturation(ImageLayer):
    """In training, the saturation of each image changed.

    Args:
        factor: from 0 to 1: 0 is grey, 0.5 leaves images as they are, towards 1 colours get stronger; f for 0 to f, or two
            numbers.
        value_range: of the images.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = factor_range("RandomSaturation", factor, 0.0)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """The factor of each image's saturation."""
        share = self._between((images.shape[0], 1, 1), *self.factor)
        return share / (1 - share + 1e-7)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        low, high = self.value_range
        colors = _colors().rgb_to_hsv((images - low) / (high - low), data_format="channels_last")
        saturation = (colors[..., 1] * transformation).clamp(0, 1)
        changed = _colors().hsv_to_rgb(
            stack([colors[..., 0], saturation, colors[..., 2]], -1), data_format="channels_last"
        )
        return changed * (high - low) + low


class RandomGrayscale(ImageLayer):
    """In training, some images in shades of grey, with as many channels as before.

    Args:
        factor: the probability for each image.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= factor <= 1:
            raise ArgumentError(f"RandomGrayscale: factor must be from 0 to 1, got {factor!r}")
        self.factor = factor
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are changed."""
        return self._uniform((images.shape[0], 1, 1, 1)) < self.factor

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        return where(transformation, _colors().rgb_to_grayscale(images, data_format="channels_last"), images)


class RandomColorDegeneration(ImageLayer):
    """In training, each image mixed with its shades of grey.

    Args:
        factor: how much grey, from 0 to 1: f for 0 to f, or two numbers.
        value_range: of the images; results stay within it.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = factor_range("RandomColorDegeneration", factor, 0.0)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """How much grey each image gets."""
        return self._for_each(images, *self.factor)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        gray = _colors().rgb_to_grayscale(images, data_format="channels_last")
        return self._clipped(images + transformation * (gray - images))


class RandomColorJitter(ImageLayer):
    """In training, brightness, contrast, saturation and hue of each image changed, in this order.

    Args:
        value_range: of the images.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as for `RandomBrightness`, `RandomContrast`,
            `RandomSaturation` and `RandomHue`; None leaves it out.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._prepare_images(data_format, seed, value_range)
        rows = (
            (RandomBrightness, brightness_factor),
            (RandomContrast, contrast_factor),
            (RandomSaturation, saturation_factor),
            (RandomHue, hue_factor),
        )
        self._parts = [make(factor, value_range=value_range, seed=seed) for make, factor in rows if factor is not None]

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed by one layer after the other."""
        for part in self._parts:
            images = part.transform_images(images, part.get_random_transformation(images))
        return images


class RandomSharpness(ImageLayer):
    """In training, each image mixed with a smoothed one: less than it for sharper, more for softer images.

    Args:
        factor: 0.5 leaves images as they are, 0 is the smoothed image, 1 the sharpest; f for 0 to f, or two numbers.
        value_range: of the images; results stay within it.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = factor_range("RandomSharpness", factor)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """The factor of each image."""
        return self._for_each(images, *self.factor) * 2

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        kernel = np.full((3, 3), 1 / 13, np.float32)
        kernel[1, 1] = 5 / 13
        channels = images.shape[-1]
        weight = make_tensor(np.broadcast_to(kernel, (channels, 1, 3, 3)).copy()).to(images.dtype)
        smooth = F.conv2d(images.movedim(-1, 1), weight, None, 1, 1, 1, channels).movedim(1, -1)
        return self._clipped(images + (smooth - images) * (1 - transformation))


class RandomPosterization(ImageLayer):
    """In training, fewer shades: only the highest bits of each byte are kept.

    Args:
        factor: how many bits, from 1 to 8, or two numbers.
        value_range: of the images.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        low, high = (factor, factor) if isinstance(factor, (int, float)) else sorted(factor)
        if not 1 <= low <= high <= 8:
            raise ArgumentError(f"RandomPosterization: factor must be from 1 to 8 bits, got {factor!r}")
        self.factor = (int(low), int(high))
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """The size of each image's steps."""
        low, high = self.factor
        bits = self._for_each(images, low, high).floor() if high > low else images[:, :1, :1, :1] * 0 + low
        return 2 ** (8 - bits)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        values = self._to_bytes(images).floor()
        return self._from_bytes((values / transformation).floor() * transformation)


class RandomInvert(ImageLayer):
    """In training, some images as negatives.

    Args:
        factor: the probability for each image, or two of them.
        value_range: of the images.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self, factor: Any = 1.0, value_range: Any = (0, 255), seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = factor_range("RandomInvert", factor, 0.0)
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are changed."""
        return self._chosen(images, self.factor)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        return where(transformation, self.value_range[1] - images, images)


class Solarization(ImageLayer):
    """In training, values above a threshold turned around, after something was added.

    Args:
        addition_factor, threshold_factor: what is added and the threshold, as shares of 255: f for 0 to f, or two numbers.
        value_range: of the images.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        self.addition_factor = factor_range("Solarization", addition_factor, 0.0, name="addition_factor")
        self.threshold_factor = factor_range("Solarization", threshold_factor, 0.0, name="threshold_factor")
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """What is added to each image, and its threshold."""
        ranges = (self.addition_factor, self.threshold_factor)
        return [self._for_each(images, low, high * 255) for low, high in ranges]

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        added, threshold = transformation
        values = (self._to_bytes(images) + added).clamp(0, 255)
        return self._from_bytes(where(values < threshold, values, 255 - values))


class AutoContrast(ImageLayer):
    """Each channel stretched, so that its darkest value becomes the lowest and its brightest the highest.

    Args:
        value_range: of the images.
    """

    only_in_training = False

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        self._prepare_images(data_format, None, value_range)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images stretched."""
        values = self._to_bytes(images)
        low, high = values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True)
        spread = high - low
        stretched = (values - low) * (255.0 / where(spread == 0, 1.0, spread))
        return where(spread == 0, images, self._from_bytes(stretched.clamp(0, 255)))


class Equalization(ImageLayer):
    """Each channel of each image changed so that all its values are about equally frequent.

    Args:
        value_range: of the images.
        bins: of the histogram.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.bins = bins
        self._prepare_images(data_format, None, value_range)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed."""
        values = self._to_bytes(images)
        n, h, w, c = values.shape
        planes = values.movedim(-1, 1).reshape(n * c, h * w)
        places = (planes * ((self.bins - 1) / 255)).clamp(0, self.bins - 1).long()
        counts = (planes[:, :1] * 0).expand(n * c, self.bins).scatter_add(1, places, planes * 0 + 1)
        total = counts.cumsum(1)
        first = where(total > 0, total, total.amax(1, keepdim=True)).amin(1, keepdim=True)
        rest = total[:, -1:] - first
        table = ((total - first) * 255 / where(rest == 0, 1.0, rest)).round().clamp(0, 255)
        single = (counts > 0).sum(1, keepdim=True) <= 1
        changed = where(single, planes, table.gather(1, places))
        return self._from_bytes(changed.reshape(n, c, h, w).movedim(1, -1))


class RandomGaussianBlur(ImageLayer):
    """In training, some images blurred.

    Args:
        factor: the probability for each image, or two of them.
        kernel_size: width of the window, one number or two.
        sigma: how much: s for 0 to s, or two numbers.
        value_range: of the images; results stay within it.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("RandomGaussianBlur", factor, 0.0)
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.sigma = factor_range("RandomGaussianBlur", sigma, 0.0, np.inf, "sigma")
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """Which images are changed, and how much."""
        return self._chosen(images, self.factor), self._between((2,), *self.sigma) + 1e-6

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        chosen, sigma = transformation
        planes = images.movedim(-1, 1)
        for dim, size in ((2, self.kernel_size[0]), (3, self.kernel_size[1])):
            places = _arange(size).to(images.dtype) - (size - 1) / 2
            weights = (-(places * places) / (2 * sigma[dim - 2] * sigma[dim - 2])).exp()
            shape = (1, 1, size, 1) if dim == 2 else (1, 1, 1, size)
            kernel = (weights / weights.sum()).reshape(*shape).expand(planes.shape[1], *shape[1:])
            padding = (size // 2, 0) if dim == 2 else (0, size // 2)
            planes = F.conv2d(planes, kernel, None, 1, padding, 1, planes.shape[1])
        return self._clipped(where(chosen, planes.movedim(1, -1), images))
