"""Random transforms that change colors, blur or erase. Names, arguments and distributions are torchvision's.

Read next: `policies.py`, which chains them by chance; `mix.py`, which mixes whole images.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.images import pillow
from onegraph.data.randomness import integer, normals, one_stream, permutation, uniform
from onegraph.data.transforms import color, geometry, warp
from onegraph.data.transforms.base import RandomTransform, Transform, probability
from onegraph.data.transforms.convert import to_pil_image
from onegraph.data.transforms.kinds import apply, get_dimensions, is_pillow, pillow_array, white
from onegraph.errors import ArgumentError, ArgumentTypeError

_KINDS = ("brightness", "contrast", "saturation", "hue")
_ADJUST = {
    "brightness": color.adjust_brightness,
    "contrast": color.adjust_contrast,
    "saturation": color.adjust_saturation,
    "hue": color.adjust_hue,
}


class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue by random factors, in a random order.

    Args:
        brightness, contrast, saturation: `v` draws the factor from [max(0, 1 - v), 1 + v]; or its two ends.
        hue: `v` draws the turn from [-v, v], at most 0.5; or its two ends.

    Raises:
        ArgumentError: a negative number, or ends out of range or order.

    >>> ColorJitter(0.4, 0.4, 0.4, 0.1)(np.ones((3, 2, 2), np.float32)).shape
    (3, 2, 2)
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        self.brightness = _range("brightness", brightness)
        self.contrast = _range("contrast", contrast)
        self.saturation = _range("saturation", saturation)
        self.hue = _range("hue", hue, center=0.0, low=-0.5, high=0.5)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """(order, brightness factor, contrast factor, saturation factor, hue turn); None where nothing changes."""
        with one_stream() as stream:
            order = permutation(4)
            ranges = (brightness, contrast, saturation, hue)
            return (order, *(None if ends is None else stream.uniform(ends[0], ends[1]) for ends in ranges))

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return self.get_params(self.brightness, self.contrast, self.saturation, self.hue)

    def transform(self, inpt: Any, params: Any) -> Any:
        order, *factors = params
        for place in order:
            if factors[place] is not None:
                inpt = _ADJUST[_KINDS[place]](inpt, factors[place])
        return inpt


def _range(name: str, value: Any, center: float = 1.0, low: float = 0.0, high: float = math.inf) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ArgumentError(f"ColorJitter: {name}={value!r}: one number may not be negative")
        ends = [center - value, center + value]
        if name != "hue":
            ends[0] = max(ends[0], 0.0)
    elif isinstance(value, Sequence) and len(value) == 2:
        ends = [float(value[0]), float(value[1])]
    else:
        raise ArgumentError(f"ColorJitter: {name}={value!r}: one number or two")
    if not low <= ends[0] <= ends[1] <= high:
        raise ArgumentError(f"ColorJitter: {name}={value!r} leads to {ends}; between {low:g} and {high:g}, in order")
    return None if ends[0] == ends[1] == center else (ends[0], ends[1])


class RandomPhotometricDistort(Transform):
    """Each of brightness, contrast, saturation and hue with probability `p`, and channels exchanged with `p`.

    Contrast comes before or after saturation and hue. Source: W. Liu et al., "SSD", ECCV 2016, section 2.2.
    """

    def __init__(
        self,
        brightness: Sequence[float] = (0.875, 1.125),
        contrast: Sequence[float] = (0.5, 1.5),
        saturation: Sequence[float] = (0.5, 1.5),
        hue: Sequence[float] = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue
        self.p = probability("RandomPhotometricDistort", p)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        channels = get_dimensions(flat_inputs[0])[0]
        with one_stream() as stream:
            factors = {name: stream.uniform(*getattr(self, name)) for name in _KINDS if stream.uniform() < self.p}
            before = stream.uniform() < 0.5
            order = permutation(channels) if stream.uniform() < self.p else None
        names = (
            ["brightness", "contrast", "saturation", "hue"]
            if before
            else ["brightness", "saturation", "hue", "contrast"]
        )
        return [(name, factors[name]) for name in names if name in factors], order

    def transform(self, inpt: Any, params: Any) -> Any:
        changes, order = params
        for name, factor in changes:
            inpt = _ADJUST[name](inpt, factor)
        return inpt if order is None else _permuted(inpt, order)


class RandomChannelPermutation(Transform):
    """Exchange the channels at random."""

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return permutation(get_dimensions(flat_inputs[0])[0])

    def transform(self, inpt: Any, params: Any) -> Any:
        return _permuted(inpt, params)


def _permuted(image: Any, order: list[int]) -> Any:
    def on_pillow(picture: Any) -> Any:
        bands = picture.split()
        return pillow("Image").merge(picture.mode, [bands[place] for place in order])

    return apply("channel permutation", image, on_pillow, lambda a: np.ascontiguousarray(a[..., order, :, :]))


class RandomGrayscale(RandomTransform):
    """Gray with probability `p`, in as many channels as before."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.rgb_to_grayscale(inpt, get_dimensions(inpt)[0])


class GaussianBlur(Transform):
    """Blur with a width drawn from `sigma`, two ends or one number; see `functional.gaussian_blur`."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        ends = (sigma, sigma) if isinstance(sigma, int | float) else tuple(sigma)
        if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
            raise ArgumentError(f"GaussianBlur: sigma={sigma!r}: positive, one number or smallest and largest")
        self.kernel_size, self.sigma = kernel_size, ends
        warp.kernel_sizes("GaussianBlur", kernel_size)

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A random width."""
        return uniform(sigma_min, sigma_max)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return self.get_params(*self.sigma)

    def transform(self, inpt: Any, params: Any) -> Any:
        return warp.gaussian_blur(inpt, self.kernel_size, [params, params])


class GaussianNoise(Transform):
    """Add normal noise to float images (or to bytes, scaled by 255); `clip` keeps them in their range."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        if sigma < 0:
            raise ArgumentError(f"GaussianNoise: sigma={sigma!r}: at least 0")
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt: Any, params: Any) -> Any:
        def no_pillow(image: Any) -> Any:
            raise ArgumentTypeError("GaussianNoise: a Pillow image; put ToTensor before it")

        return apply("GaussianNoise", inpt, no_pillow, self._on_array)

    def _on_array(self, array: np.ndarray) -> np.ndarray:
        scale = white(array.dtype)
        noisy = array + (self.mean + self.sigma * normals(array.shape)) * scale
        if self.clip or array.dtype.kind != "f":
            noisy = np.clip(noisy, 0, scale)
        return (noisy if array.dtype.kind == "f" else np.rint(noisy)).astype(array.dtype)


class RandomErasing(RandomTransform):
    """Put noise or a color over a random rectangle of an array or Tensor, with probability `p`.

    Source: Z. Zhong et al., "Random erasing data augmentation", AAAI 2020.

    Args:
        scale: smallest and largest share of the area.
        ratio: smallest and largest height / width.
        value: a number, one a channel, or "random" for normal noise.
        inplace: write into the image.

    >>> RandomErasing(p=1.0, value=0.5)(np.zeros((1, 9, 9))).max()
    np.float64(0.5)
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        if len(scale) != 2 or not 0 <= scale[0] <= scale[1] <= 1 or len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
            raise ArgumentError(f"RandomErasing: scale={scale!r}, ratio={ratio!r}: two ends each, scale within 0 to 1")
        if isinstance(value, str) and value != "random":
            raise ArgumentError(f"RandomErasing: value={value!r}: a number, one a channel, or 'random'")
        self.scale, self.ratio, self.value, self.inplace = scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Any]:
        """(top, left, height, width, values); after ten rectangles that do not fit, the whole image as it is."""
        channels, height, width = get_dimensions(img)
        low, high = math.log(ratio[0]), math.log(ratio[1])
        with one_stream() as stream:
            for _ in range(10):
                area = height * width * stream.uniform(scale[0], scale[1])
                shape = math.exp(stream.uniform(low, high))
                new_height, new_width = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
                if not (new_height < height and new_width < width):
                    continue
                values: Any = normals((channels, new_height, new_width)).astype(np.float32)
                if value is not None:
                    values = np.asarray(value, np.float32)[:, None, None]
                top = stream.integer(0, height - new_height)
                return top, stream.integer(0, width - new_width), new_height, new_width, values
        return 0, 0, height, width, img

    def make_params(self, flat_inputs: list[Any]) -> Any:
        if is_pillow(flat_inputs[0]):
            raise ArgumentTypeError("RandomErasing: a Pillow image; put ToTensor before it")
        value: Any = [self.value] if isinstance(self.value, int | float) else self.value
        if value != "random" and len(value) not in (1, get_dimensions(flat_inputs[0])[0]):
            raise ArgumentError(f"RandomErasing: value={self.value!r} for {get_dimensions(flat_inputs[0])[0]} channels")
        return self.get_params(flat_inputs[0], self.scale, self.ratio, None if value == "random" else value)

    def transform(self, inpt: Any, params: Any) -> Any:
        top, left, height, width, values = params
        return inpt if values is inpt else geometry.erase(inpt, top, left, height, width, values, self.inplace)


class RandomInvert(RandomTransform):
    """Invert colors with probability `p`."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.invert(inpt)


class RandomPosterize(RandomTransform):
    """Keep only the highest `bits` bits with probability `p`."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.posterize(inpt, self.bits)


class RandomSolarize(RandomTransform):
    """Invert pixels of at least `threshold` with probability `p`."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.solarize(inpt, self.threshold)


class RandomAdjustSharpness(RandomTransform):
    """`functional.adjust_sharpness` with probability `p`."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.adjust_sharpness(inpt, self.sharpness_factor)


class RandomAutocontrast(RandomTransform):
    """`functional.autocontrast` with probability `p`."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.autocontrast(inpt)


class RandomEqualize(RandomTransform):
    """`functional.equalize` with probability `p`."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return color.equalize(inpt)


class JPEG(Transform):
    """Compress as JPEG with a quality from 1 to 100, one or drawn from two ends, and read it again; uint8 images."""

    def __init__(self, quality: Any) -> None:
        ends = (quality, quality) if isinstance(quality, int) else tuple(quality)
        if len(ends) != 2 or not 1 <= ends[0] <= ends[1] <= 100:
            raise ArgumentError(f"JPEG: quality={quality!r}: from 1 to 100, one number or smallest and largest")
        self.quality = ends

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return integer(*self.quality)

    def transform(self, inpt: Any, params: Any) -> Any:
        def on_pillow(image: Any) -> Any:
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=params)
            return pillow("Image").open(stream).convert(image.mode)

        def on_array(array: np.ndarray) -> np.ndarray:
            picture = to_pil_image(np.ascontiguousarray(array.transpose(1, 2, 0)))
            return np.ascontiguousarray(pillow_array(on_pillow(picture)))

        return apply("JPEG", inpt, on_pillow, on_array)
