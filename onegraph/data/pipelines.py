"""Ready-made augmentation by name, for `onegraph train --augment NAME` and for scripts.

Read next: `augment.py` (the changed data set), `transforms/mix.py` (mixing whole batches).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onegraph.data.augment import Augmented
from onegraph.data.collate import numpy_collate
from onegraph.data.transforms import (
    AugMix,
    AutoAugment,
    ColorJitter,
    Compose,
    CutMix,
    InterpolationMode,
    MixUp,
    RandAugment,
    RandomAffine,
    RandomChoice,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    TrivialAugmentWide,
)
from onegraph.errors import ArgumentError

AUGMENTATIONS = {
    "none": "images as they are",
    "light": "turn, move, scale and slant a little: digits, letters, drawings",
    "standard": "pad and crop, mirror: small photographs such as CIFAR's",
    "photo": "crop a random part and enlarge it, mirror, change colors: photographs",
    "autoaugment": "standard, then AutoAugment's policy for CIFAR-10",
    "randaugment": "standard, then two random operations",
    "trivialaugment": "standard, then one random operation of random strength",
    "augmix": "standard, then a mixture of chains of operations",
    "erasing": "standard, then noise over a random rectangle in a quarter of the images",
    "mixup": "standard, then weighted sums of images and labels",
    "cutmix": "standard, then a part of another image in each",
    "strong": "standard, RandAugment, erasing, and mixup or cutmix in turn",
}
"""What `augmentation` makes, by name, in words for a list."""


@dataclass(frozen=True)
class Augmentation:
    """Changes to samples and to batches.

    Attributes:
        name: what it was asked for by.
        transform: from a float image (C, H, W) with values 0 to 1 to one of the same shape, or None.
        mix: from a batch (images, labels) to one with labels as shares, float32 (N, classes), or None.
    """

    name: str
    transform: Callable[[Any], Any] | None
    mix: Callable[..., Any] | None

    def dataset(self, dataset: Any, seed: int | None = None) -> Any:
        """The data set with its samples changed."""
        return dataset if self.transform is None else Augmented(dataset, self.transform, seed)

    def collate(self, samples: Sequence[Any]) -> Any:
        """A `collate_fn` that gives NumPy arrays, mixed where the augmentation mixes."""
        batch = numpy_collate(samples)
        return batch if self.mix is None else list(self.mix(*batch))


def augmentation(name: str, size: int | tuple[int, int], num_classes: int, channels: int = 3) -> Augmentation:
    """Augmentation by name.

    Args:
        name: one of `AUGMENTATIONS`.
        size: (height, width) of the images, or one number for both.
        num_classes: for the mixing ones, which make shares of the labels.
        channels: 1 or 3; gray images are not recolored.

    Raises:
        ArgumentError: no such name.

    >>> import numpy as np
    >>> chosen = augmentation("mixup", 32, num_classes=10)
    >>> images, labels = chosen.collate([(np.zeros((3, 32, 32), np.float32), 1), (np.ones((3, 32, 32), np.float32), 2)])
    >>> images.shape, labels.shape
    ((2, 3, 32, 32), (2, 10))
    """
    if name not in AUGMENTATIONS:
        raise ArgumentError(f"augmentation {name!r}: there are {', '.join(AUGMENTATIONS)}")
    height, width = (size, size) if isinstance(size, int) else size
    steps = _steps(name, (height, width), channels)
    transform = None if not steps else steps[0] if len(steps) == 1 else Compose(steps)
    mixes: dict[str, Callable[..., Any]] = {
        "mixup": MixUp(alpha=0.2, num_classes=num_classes),
        "cutmix": CutMix(num_classes=num_classes),
    }
    mixes["strong"] = RandomChoice(list(mixes.values()))
    return Augmentation(name, transform, mixes.get(name))


def _steps(name: str, size: tuple[int, int], channels: int) -> list[Callable[[Any], Any]]:
    if name == "none":
        return []
    if name == "light":
        return [RandomAffine(10, (0.06, 0.06), (0.9, 1.1), shear=5, interpolation=InterpolationMode.BILINEAR)]
    if name == "photo":
        steps: list[Callable[[Any], Any]] = [RandomResizedCrop(size, scale=(0.35, 1.0)), RandomHorizontalFlip()]
        return [*steps, ColorJitter(0.3, 0.3, 0.3, 0.05)] if channels == 3 else steps
    # An eighth of the size, rounded: the four pixels that are usual for CIFAR's 32.
    steps = [RandomCrop(size, padding=[round(size[1] / 8), round(size[0] / 8)]), RandomHorizontalFlip()]
    erase = RandomErasing(p=0.25, scale=(0.02, 0.2), value="random")
    more: dict[str, list[Callable[[Any], Any]]] = {
        "autoaugment": [AutoAugment("cifar10")],  # type: ignore[arg-type]
        "randaugment": [RandAugment()],
        "trivialaugment": [TrivialAugmentWide()],
        "augmix": [AugMix()],
        "erasing": [erase],
        "strong": [RandAugment(), erase],
    }
    return steps + more.get(name, [])
