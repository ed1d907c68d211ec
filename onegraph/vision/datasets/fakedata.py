"""`FakeData`: noise in the shape of a data set, to try a program with. Read next: `vision.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.data.philox import PURPOSE_SEED, RandomStream
from onegraph.data.transforms.convert import to_pil_image
from onegraph.errors import OutOfRangeError
from onegraph.vision.datasets.vision import VisionDataset


class FakeData(VisionDataset):
    """Random images with random classes, the same for the same index: (Pillow image, class number).

    Args:
        size: how many.
        image_size: (channels, height, width), 1, 3 or 4 channels.
        num_classes: classes are 0 to this, excluded.
        transform, target_transform: called with the image, the number.
        random_offset: other images for another number.

    >>> len(FakeData(5)), FakeData(5)[2][0].size
    (5, (224, 224))
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes, self.random_offset = size, image_size, num_classes, random_offset

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not -self.size <= index < self.size:
            raise OutOfRangeError(f"FakeData: index {index} is outside a data set of {self.size} samples")
        stream = RandomStream(self.random_offset, PURPOSE_SEED, index=index % self.size)
        target = stream.integer(0, self.num_classes - 1)
        channels, height, width = self.image_size
        count = channels * height * width
        pixels = stream.words(-(-count // 8)).astype("<u8").view(np.uint8)[:count]
        return self.changed(to_pil_image(pixels.reshape(height, width, channels)), target)
