"""Images mixed with others, erased in parts, or changed by several layers at random. Read first: `image_layer.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.base import Layer, layers
from onegraph.keras.layers.image_color import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from onegraph.keras.layers.image_geometry import RandomRotation, RandomShear, RandomTranslation
from onegraph.keras.layers.image_layer import ImageLayer, factor_range, where

_arange = EXPORTS["arange"]


def _boxes(layer: ImageLayer, images: Any, tall: Any, wide: Any) -> Any:
    """Where boxes of shares of the height and width, at random places, lie: bool (batch, height, width, 1)."""
    inside = None
    for axis, share in ((1, tall), (2, wide)):
        size = images.shape[axis]
        length = share.reshape(-1, 1, 1, 1) * size
        start = layer._for_each(images, 0.0, 1.0) * (size - length)
        shape = (1, size, 1, 1) if axis == 1 else (1, 1, size, 1)
        places = _arange(size).to(images.dtype).reshape(*shape)
        here = (places >= start) & (places < start + length)
        inside = here if inside is None else inside & here
    return inside


def _gamma(layer: ImageLayer, count: int, alpha: float) -> Any:
    """Numbers of a gamma distribution, by Marsaglia and Tsang's method with eight tries (ACM TOMS 2000)."""
    shape = alpha if alpha >= 1 else alpha + 1
    d = shape - 1 / 3
    x, u = layer._normal((8, count), "float32"), layer._uniform((8, count)).clamp(min=1e-12)
    v = (x / (9 * d) ** 0.5 + 1) ** 3
    good = (v > 0) & (u.log() < x * x * 0.5 + d - d * v + d * v.clamp(min=1e-12).log())
    found = v[0].clamp(min=1e-3) * d
    for i in range(7, -1, -1):
        found = where(good[i], v[i] * d, found)
    if alpha < 1:
        found = found * layer._uniform((count,)).clamp(min=1e-12) ** (1 / alpha)
    return found


def beta(layer: ImageLayer, count: int, alpha: float) -> Any:
    """Numbers of a symmetric beta distribution."""
    a, b = _gamma(layer, count, alpha), _gamma(layer, count, alpha)
    return a / (a + b).clamp(min=1e-12)


class _Mixing(ImageLayer):
    """Base of layers that mix each image with another of the batch."""

    needs_batch = True

    def _order(self, images: Any) -> Any:
        return self._uniform((images.shape[0],)).argsort()

    def transform_labels(self, labels: Any, transformation: Any) -> Any:
        """Labels mixed as the images are; they must be one-hot, or numbers that can be averaged."""
        order, weight = transformation[0], transformation[1]
        if not labels.dtype.is_floating_point:
            labels = labels.to(weight.dtype)
        weight = weight.reshape(-1, *[1] * (labels.ndim - 1))
        return labels * weight + labels.index_select(0, order) * (1 - weight)


class MixUp(_Mixing):
    """In training, each image and its label mixed with another's. Source: Zhang et al., ICLR 2018.

    Args:
        alpha: of the beta distribution of the shares: small for little mixing.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.

    >>> import onegraph as og
    >>> mixed = MixUp(seed=1)({"images": og.rand(4, 8, 8, 3), "labels": og.eye(4)}, training=True)
    >>> mixed["labels"].sum(1).numpy().round(4)
    array([1., 1., 1., 1.], dtype=float32)
    """

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not alpha > 0:
            raise ArgumentError(f"MixUp: alpha must be positive, got {alpha!r}")
        self.alpha = alpha
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which image each is mixed with, and its own share."""
        return self._order(images), beta(self, images.shape[0], self.alpha)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images mixed as it was drawn."""
        order, weight = transformation
        weight = weight.reshape(-1, 1, 1, 1)
        return images * weight + images.index_select(0, order) * (1 - weight)

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks changed as the images are."""
        return self.transform_images(masks, transformation)


class CutMix(_Mixing):
    """In training, a box of each image taken from another, and the label with it. Source: Yun et al., ICCV 2019.

    Args:
        factor: of the beta distribution of the shares, or two numbers to draw it from.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("CutMix", factor, 0.0)
        self._prepare_images(data_format, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which image each takes a box from, the share that stays its own, and the box."""
        share = (1 - beta(self, images.shape[0], max(self.factor[1], 1e-3))).clamp(min=0).sqrt()
        box = _boxes(self, images, share, share)
        own = 1 - box.to(images.dtype).mean((1, 2, 3))
        return self._order(images), own, box

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images mixed as it was drawn."""
        order, _, box = transformation
        return where(box, images.index_select(0, order), images)

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks changed as the images are."""
        return self.transform_images(masks, transformation)


class RandomErasing(ImageLayer):
    """In training, a box of some images filled with noise or a value. Source: Zhong et al., AAAI 2020.

    Args:
        factor: the probability for each image, or two of them.
        scale: the least and the largest share of the image that is erased.
        fill_value: one number or one for each channel; None for noise.
        value_range: of the images.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("RandomErasing", factor, 0.0)
        self.scale = factor_range("RandomErasing", scale, 0.0, name="scale")
        self.fill_value = fill_value
        self._prepare_images(data_format, seed, value_range)

    def get_random_transformation(self, images: Any) -> Any:
        """Where something is erased."""
        tall, wide = (self._between((images.shape[0],), *self.scale).sqrt() for _ in range(2))
        return _boxes(self, images, tall, wide) & self._chosen(images, self.factor)

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        if self.fill_value is None:
            fill = self._normal(images.shape, images.dtype) * self.value_range[1]
        else:
            values = (
                [self.fill_value] * images.shape[-1] if isinstance(self.fill_value, (int, float)) else self.fill_value
            )
            fill = EXPORTS["tensor"](list(values), dtype=images.dtype)
        return where(transformation, fill, images)


class RandAugment(ImageLayer):
    """In training, some layers of a list, drawn for each batch, one after the other. Source: Cubuk et al., CVPRW 2020.

    Args:
        value_range: of the images.
        num_ops: how many layers.
        factor: how strong their changes are, from 0 to 1, or two numbers.
        interpolation: 'bilinear' or 'nearest', where images are moved.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_ops = num_ops
        self.factor = factor_range("RandAugment", factor, 0.0)
        self._prepare_images(data_format, seed, value_range)
        self._parts = augmentations(self.factor, value_range, interpolation, seed)

    def get_random_transformation(self, images: Any) -> Any:
        """Which layers, and what they draw."""
        which = (self._uniform((self.num_ops,)) * len(self._parts)).floor()
        return which, [part.get_random_transformation(images) for part in self._parts]

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images changed as it was drawn."""
        which, drawn = transformation
        for i in range(self.num_ops):
            before = images
            for number, (part, own) in enumerate(zip(self._parts, drawn, strict=True)):
                images = where(which[i] == number, part.transform_images(before, own), images)
        return images

    def transform_segmentation_masks(self, masks: Any, transformation: Any) -> Any:
        """Masks moved as the images are."""
        which, drawn = transformation
        for i in range(self.num_ops):
            before = masks
            for number, (part, own) in enumerate(zip(self._parts, drawn, strict=True)):
                masks = where(which[i] == number, part.transform_segmentation_masks(before, own), masks)
        return masks


def augmentations(factor: tuple[float, float], value_range: Any, interpolation: str, seed: Any) -> list[ImageLayer]:
    """The layers that `RandAugment` draws from."""
    ranged: dict[str, Any] = {"value_range": value_range, "seed": seed}
    moved: dict[str, Any] = {"interpolation": interpolation, "seed": seed}
    return [
        RandomShear(factor, factor, **moved),
        RandomTranslation(factor, factor, **moved),
        RandomRotation(factor, **moved),
        RandomBrightness(factor, **ranged),
        RandomColorDegeneration(factor, **ranged),
        RandomContrast(factor, **ranged),
        RandomSharpness(factor, **ranged),
        RandomPosterization(max(1, int(8 * factor[1])), **ranged),
        Solarization(factor, factor, **ranged),
        AutoContrast(value_range),
        Equalization(value_range),
    ]


class AugMix(ImageLayer):
    """In training, each image mixed with several that went through chains of random layers. Source: Hendrycks et al., ICLR 2020.

    Args:
        value_range: of the images; results stay within it.
        num_chains: how many chains.
        chain_depth: layers in a chain.
        factor: how strong their changes are, from 0 to 1, or two numbers.
        alpha: of the distributions of the shares.
        all_ops: accepted; the layers are those of `RandAugment`.
        interpolation: 'bilinear' or 'nearest', where images are moved.
        seed: of the layer's own stream of numbers; None for the global one.
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_range("AugMix", factor, 0.0)
        self.num_chains, self.alpha = num_chains, alpha
        self._prepare_images(data_format, seed, value_range)
        self._chains = [RandAugment(value_range, chain_depth, factor, interpolation, seed) for _ in range(num_chains)]

    def transform_images(self, images: Any, transformation: Any) -> Any:
        """Images mixed with changed ones."""
        shares = _gamma(self, self.num_chains, self.alpha)
        shares = shares / shares.sum()
        mixed = images * 0
        for i, chain in enumerate(self._chains):
            mixed = mixed + chain.transform_images(images, chain.get_random_transformation(images)) * shares[i]
        own = beta(self, 1, self.alpha)
        return self._clipped(images * own + mixed * (1 - own))


class Pipeline(Layer):
    """Layers called one after the other, as one layer; for what happens before a model.

    Args:
        layers: the layers.
        name: of the layer.
    """

    def __init__(self, layers: Sequence[Any], name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.steps = [_layer(layer) for layer in layers]

    @property
    def layers(self) -> list[Any]:
        """The layers."""
        return list(self.steps)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Compute the result."""
        for layer in self.steps:
            inputs = layer(inputs, training=training) if layer._takes_training else layer(inputs)
        return inputs


def _layer(value: Any) -> Any:
    return layers.deserialize(value) if isinstance(value, dict) else value
