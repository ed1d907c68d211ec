"""From an image to what a network takes: size, channels, and values scaled by a mean and a standard deviation.

Training measures it, a saved model carries it, and `predict` and `evaluate` do the same again. Colours are not inverted:
a model trained on white digits on black wants such images. Read next: `trainer.py`, `predict.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.data import load_image
from onegraph.errors import StateError

_MEASURED = 2_000  # images that mean and standard deviation are taken from


@dataclass(frozen=True)
class Preprocessing:
    """How images are prepared.

    Attributes:
        size: (height, width).
        channels: 1 or 3.
        mean, std: one number a channel, of pixels from 0 to 1.

    >>> found = Preprocessing((1, 2), 1, (0.5,), (0.25,))
    >>> found(np.array([[[[0.5, 1.0]]]], np.float32)).tolist()
    [[[[0.0, 2.0]]]]
    >>> Preprocessing.from_dict(found.to_dict()) == found
    True
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def measured(cls, dataset: Any) -> Preprocessing:
        """Size and channels of a data set's images, and the mean and standard deviation of a part of them."""
        places = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), _MEASURED)).astype(np.int64))
        batch = dataset.take_batch(places.tolist())
        images = np.stack([dataset[int(place)][0] for place in places]) if batch is None else batch[0]
        values = images.astype(np.float64)
        mean, std = values.mean((0, 2, 3)), values.std((0, 2, 3))
        std = np.where(std > 1e-6, std, 1.0)  # a channel that never changes carries nothing
        height, width = images.shape[2:]
        return cls((int(height), int(width)), int(images.shape[1]), tuple(mean.tolist()), tuple(std.tolist()))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Scaled images: float32 (N, C, H, W) in, the same out."""
        mean, std = (np.asarray(values, np.float32)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std

    def load(self, path: str | os.PathLike[str]) -> np.ndarray:
        """One image file as float32 (C, H, W) with values 0 to 1, not scaled yet.

        Raises:
            DataError: the file is missing, or no readable image.
        """
        return load_image(path, self.size, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """As lists and numbers, for a saved model or a checkpoint."""
        return {
            "size": list(self.size),
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Back from `to_dict`.

        Raises:
            StateError: something is missing or has the wrong kind.
        """
        try:
            height, width = values["size"]
            mean, std = (tuple(float(v) for v in values[name]) for name in ("mean", "std"))
            found = cls((int(height), int(width)), int(values["channels"]), mean, std)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"the preprocessing in the saved state cannot be used: {error!r}") from error
        if found.channels not in (1, 3) or not len(mean) == len(std) == found.channels or min(found.size) < 1:
            raise StateError(f"the preprocessing in the saved state cannot be used: {found}")
        return found
