"""Random changes to training images: a network that never sees the same pixels twice overfits less.

A transform is called with a float image of shape (C, H, W) and a `RandomStream`. `Augmented` gives every
sample its own stream, by (seed, epoch, index): the same pixels whoever makes the batch, here or in a
worker, and after a resume. Read next: `philox.py`, `resize.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.data.dataset import Dataset, set_epoch
from onegraph.data.philox import PURPOSE_AUGMENT, RandomStream, seed_from
from onegraph.data.resize import sample_bilinear
from onegraph.errors import ArgumentError, ShapeError

Transform = Callable[[np.ndarray, RandomStream], np.ndarray]


class Compose:
    """Transforms one after another.

    >>> image = np.ones((1, 2, 2), np.float32)
    >>> Compose([Normalize([0.5], [0.5])])(image, RandomStream(0, PURPOSE_AUGMENT)).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: np.ndarray, stream: RandomStream) -> np.ndarray:
        for transform in self.transforms:
            image = transform(image, stream)
        return image


class Normalize:
    """(image - mean) / std, a channel at a time.

    Args:
        mean, std: one number a channel.

    Raises:
        ArgumentError: lengths that differ, or a std that is not positive.
        ShapeError: when called, an image with another number of channels.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = (np.asarray(value, dtype=np.float32)[:, None, None] for value in (mean, std))
        if len(self.mean) != len(self.std) or not np.all(self.std > 0):
            raise ArgumentError(f"Normalize: mean {list(mean)}, std {list(std)}: one of each a channel, std > 0")

    def __call__(self, image: np.ndarray, stream: RandomStream | None = None) -> np.ndarray:
        if image.ndim != 3 or len(image) not in (len(self.mean),):
            raise ShapeError(f"Normalize: image of shape {image.shape}; ({len(self.mean)}, H, W) is needed")
        return (image - self.mean) / self.std


class RandomHorizontalFlip:
    """Left becomes right with probability `p`.

    >>> RandomHorizontalFlip(1.0)(np.array([[[1.0, 2.0]]]), RandomStream(0, PURPOSE_AUGMENT))
    array([[[2., 1.]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"RandomHorizontalFlip: p={p!r}: from 0 to 1")
        self.p = p

    def __call__(self, image: np.ndarray, stream: RandomStream) -> np.ndarray:
        return image[..., ::-1].copy() if stream.uniform() < self.p else image


class RandomShift:
    """Move by up to `pixels` in each direction, whole pixels; what comes in is `fill`."""

    def __init__(self, pixels: int, fill: float = 0.0) -> None:
        if pixels < 0:
            raise ArgumentError(f"RandomShift: pixels={pixels!r}: at least 0")
        self.pixels, self.fill = pixels, fill

    def __call__(self, image: np.ndarray, stream: RandomStream) -> np.ndarray:
        return _crop_padded(image, image.shape[-2:], self.pixels, self.fill, stream)


class RandomCrop:
    """Cut out (height, width) at a random place, after padding all sides by `padding` with `fill`.

    Raises:
        ArgumentError: a size below 1 or negative padding.
        ShapeError: when called, an image too small.
    """

    def __init__(self, size: int | tuple[int, int], padding: int = 0, fill: float = 0.0) -> None:
        self.size = (size, size) if isinstance(size, int) else (size[0], size[1])
        if min(self.size) < 1 or padding < 0:
            raise ArgumentError(f"RandomCrop: size={size!r}, padding={padding!r}: at least 1 and 0")
        self.padding, self.fill = padding, fill

    def __call__(self, image: np.ndarray, stream: RandomStream) -> np.ndarray:
        return _crop_padded(image, self.size, self.padding, self.fill, stream)


class RandomAffine:
    """Turn, move, scale and shear a little around the center, bilinearly; what comes in is `fill`.

    Args:
        degrees: turn by up to this, either way.
        translate: largest move as a share of (width, height), or None.
        scale: smallest and largest factor, or None.
        shear: slant by up to this many degrees, either way.
        fill: value outside the image.

    Raises:
        ArgumentError: a number out of range.
    """

    def __init__(
        self,
        degrees: float,
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: float = 0.0,
        fill: float = 0.0,
    ) -> None:
        self.degrees, self.shear, self.fill = degrees, shear, fill
        self.translate, self.scale = translate or (0.0, 0.0), scale or (1.0, 1.0)
        if degrees < 0 or not 0 <= shear < 90 or min(self.translate) < 0 or not 0 < self.scale[0] <= self.scale[1]:
            raise ArgumentError(
                f"RandomAffine: degrees={degrees!r}, translate={translate!r}, scale={scale!r}, "
                f"shear={shear!r}: degrees and translate >= 0, 0 < smallest scale <= largest, 0 <= shear < 90"
            )

    def __call__(self, image: np.ndarray, stream: RandomStream) -> np.ndarray:
        height, width = image.shape[-2:]
        # All numbers are drawn every time, so that one setting does not change what another draws.
        draws = stream.uniforms(5) * 2 - 1
        angle, slant = math.radians(self.degrees * draws[0]), math.tan(math.radians(self.shear * draws[1]))
        low, high = self.scale
        factor = low + (high - low) * (draws[2] + 1) / 2
        move_x, move_y = self.translate[0] * width * draws[3], self.translate[1] * height * draws[4]
        center_y, center_x = (height - 1) / 2, (width - 1) / 2
        y, x = np.meshgrid(np.arange(height) - center_y - move_y, np.arange(width) - center_x - move_x, indexing="ij")
        # For each output pixel, where it came from: the inverse of scale * rotation * shear.
        turned_x = (math.cos(angle) * x + math.sin(angle) * y) / factor
        turned_y = (-math.sin(angle) * x + math.cos(angle) * y) / factor
        return sample_bilinear(image, turned_y + center_y, turned_x - slant * turned_y + center_x, self.fill)


class RandomRotation(RandomAffine):
    """Turn by up to `degrees` either way; a `RandomAffine` with nothing else."""

    def __init__(self, degrees: float, fill: float = 0.0) -> None:
        super().__init__(degrees, fill=fill)


class Augmented(Dataset):
    """A data set whose samples pass through a transform, differently in each epoch.

    A sample may be an image or a tuple that begins with one.

    Args:
        dataset: any data set with an index.
        transform: called with (image, stream).
        seed: see `onegraph.data.philox.seed_from`.

    >>> data = Augmented([np.arange(3.0).reshape(1, 1, 3)], RandomShift(1), seed=5)
    >>> data[0].tolist() == data[0].tolist()
    True
    """

    def __init__(self, dataset: Any, transform: Transform, seed: int | None = None) -> None:
        self.dataset, self.transform = dataset, transform
        self.seed, self.epoch = seed_from(seed, None), 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        set_epoch(self.dataset, epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        sample = self.dataset[index]
        stream = RandomStream(self.seed, PURPOSE_AUGMENT, self.epoch, index % len(self))
        if isinstance(sample, tuple | list):
            return type(sample)([self.transform(np.asarray(sample[0]), stream), *sample[1:]])
        return self.transform(np.asarray(sample), stream)


def _crop_padded(
    image: np.ndarray, size: tuple[int, ...], padding: int, fill: float, stream: RandomStream
) -> np.ndarray:
    """Cut `size` at a random place out of the padded image, without building the padded image."""
    height, width = (length + 2 * padding for length in image.shape[-2:])
    if size[0] > height or size[1] > width:
        raise ShapeError(f"random crop: {tuple(size)} does not fit into {(height, width)}, padding included")
    top, left = stream.integer(0, height - size[0]) - padding, stream.integer(0, width - size[1]) - padding
    result = np.full((*image.shape[:-2], *size), fill, dtype=image.dtype)
    rows = slice(max(top, 0), min(top + size[0], image.shape[-2]))
    columns = slice(max(left, 0), min(left + size[1], image.shape[-1]))
    result[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[
        ..., rows, columns
    ]
    return result
