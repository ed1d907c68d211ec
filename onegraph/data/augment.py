"""`Augmented`: a data set whose samples are changed at random: a network that never sees the same pixels twice overfits less.

Every sample draws from its own stream, by (seed, epoch, index): the same pixels whoever makes the batch, here
or in a worker, and after a resume. Read next: `transforms/`, `pipelines.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.data.dataset import Dataset, set_epoch
from onegraph.data.philox import PURPOSE_AUGMENT, RandomStream, seed_from
from onegraph.data.randomness import drawing_from


class Augmented(Dataset):
    """A data set whose samples pass through a transform, differently in each epoch.

    A sample may be an image or a tuple that begins with one.

    Args:
        dataset: any data set with an index.
        transform: called with the image, an array.
        seed: see `onegraph.data.philox.seed_from`.

    >>> from onegraph.data.transforms import RandomShift
    >>> data = Augmented([np.arange(3.0).reshape(1, 1, 3)], RandomShift(1), seed=5)
    >>> data[0].tolist() == data[0].tolist()
    True
    """

    def __init__(self, dataset: Any, transform: Callable[[np.ndarray], Any], seed: int | None = None) -> None:
        self.dataset, self.transform = dataset, transform
        self.seed, self.epoch = seed_from(seed, None), 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        set_epoch(self.dataset, epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        sample = self.dataset[index]
        with drawing_from(RandomStream(self.seed, PURPOSE_AUGMENT, self.epoch, index % len(self))):
            if isinstance(sample, tuple | list):
                return type(sample)([self.transform(np.asarray(sample[0])), *sample[1:]])
            return self.transform(np.asarray(sample))
