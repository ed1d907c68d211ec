"""Fetching one batch: index the data set or advance its iterator, then collate.

The same code runs in the main process, in the prefetch thread and in workers, so that a batch has the
same bits and an error the same text wherever it is made. Read next: `loader.py`, `worker.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onegraph.data.collate import numpy_collate
from onegraph.data.dataset import IterableDataset, set_epoch
from onegraph.data.randomness import drawing_for, drawing_for_batch
from onegraph.errors import DataError, OneGraphError, user_location

_STANDARD_LIBRARY = os.path.dirname(os.__file__)

END_OF_STREAM = object()
"""What `Fetcher.fetch` gives when an iterable data set is exhausted."""


@dataclass(frozen=True)
class Recipe:
    """How a loader makes a batch; sent to workers, so without any state of an epoch.

    `collate` None means `numpy_collate`, with Tensors made by the main process. `batch_size` None means
    that samples are handed on one by one. `seed` is what random transforms draw from.
    """

    dataset: Any
    collate: Callable[[Any], Any] | None
    batch_size: int | None
    drop_last: bool
    seed: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether the data set is iterated, not indexed."""
        return isinstance(self.dataset, IterableDataset)


class Fetcher:
    """Makes the batches of one epoch of one process."""

    def __init__(self, recipe: Recipe, epoch: int) -> None:
        self.recipe, self.epoch = recipe, epoch
        self._stream: Iterator[Any] | None = None
        set_epoch(recipe.dataset, epoch)

    def fetch(self, number: int, indices: Any) -> Any:
        """Batch `number` of the epoch: the samples of `indices`, or the next of a stream."""
        try:
            with drawing_for_batch(self.recipe.seed, self.epoch, number):
                return self._from_stream() if self.recipe.is_stream else self._from_indices(number, indices)
        except StopIteration as error:
            # Let through, it would look like the end of the epoch.
            raise DataError(f"batch {number}: the data set raised StopIteration") from error
        except Exception as error:
            error.add_note(f"while loading batch {number} of the epoch")
            raise

    def _from_stream(self) -> Any:
        recipe = self.recipe
        if self._stream is None:
            self._stream = iter(recipe.dataset)
        if recipe.batch_size is None:
            for sample in self._stream:
                return recipe.collate(sample) if recipe.collate else sample
            return END_OF_STREAM
        samples = list(islice(self._stream, recipe.batch_size))
        if not samples or (recipe.drop_last and len(samples) < recipe.batch_size):
            return END_OF_STREAM
        return (recipe.collate or numpy_collate)(samples)

    def _from_indices(self, number: int, indices: Any) -> Any:
        recipe = self.recipe
        dataset = recipe.dataset
        if recipe.batch_size is None:
            sample = self._sample(number, 0, indices)
            return recipe.collate(sample) if recipe.collate else sample
        if recipe.collate is None and callable(getattr(dataset, "take_batch", None)):
            batch = dataset.take_batch(indices)
            if batch is not None:
                return batch
        if callable(getattr(dataset, "__getitems__", None)):
            samples = dataset.__getitems__(indices)
        else:
            samples = [self._sample(number, place, index) for place, index in enumerate(indices)]
        return (recipe.collate or numpy_collate)(samples)

    def _sample(self, number: int, place: int, index: Any) -> Any:
        try:
            with drawing_for(self.recipe.seed, self.epoch, number, place):
                return self.recipe.dataset[index]
        except StopIteration as error:
            raise DataError(f"index {index!r}: the data set raised StopIteration") from error
        except Exception as error:
            error.add_note(f"while loading index {index!r} of {type(self.recipe.dataset).__name__}")
            raise


def relocate(error: BaseException) -> None:
    """Blame the user's line here for an error whose own stack, in a thread or worker, had none of his."""
    if isinstance(error, OneGraphError) and error.location is not None:
        filename = error.location[0]
        if filename.startswith(_STANDARD_LIBRARY) and "site-packages" not in filename:
            error.location = user_location()
