"""Helpers: seeds, one-hot targets, and data sets that give whole batches."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend.random import manual_seed
from onegraph.keras.registry import custom_object_scope, register_keras_serializable

__all__ = [
    "PyDataset",
    "Sequence",
    "custom_object_scope",
    "normalize",
    "np_utils",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
]


def set_random_seed(seed: int) -> None:
    """Start all random numbers again from a seed: onegraph's (weights, dropout, shuffling), NumPy's and Python's."""
    manual_seed(seed)
    np.random.seed(seed % (1 << 32))
    random.seed(seed)


def to_categorical(x: Any, num_classes: int | None = None, nb_classes: int | None = None) -> np.ndarray[Any, Any]:
    """Class numbers as one-hot rows, float32.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    classes = np.asarray(x, np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = num_classes or nb_classes or (int(classes.max()) + 1 if classes.size else 0)
    if classes.size and not 0 <= classes.min() <= classes.max() < count:
        raise ArgumentError(
            f"to_categorical: classes must be from 0 to {count - 1}, found {classes.min()} to {classes.max()}"
        )
    return np.eye(count, dtype=np.float32)[classes]


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray[Any, Any]:
    """An array scaled to norm 1 along an axis."""
    array = np.asarray(x)
    norms = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norms == 0, 1, norms))


class PyDataset:
    """Base of data sets that give whole batches: define `__len__` and `__getitem__(index) -> (x, y)`."""

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__: how many batches there are")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index): a batch (x, y)")

    def on_epoch_end(self) -> None:
        """Called after each pass."""


Sequence = PyDataset


from onegraph.keras.utils import np_utils  # noqa: E402  it takes the functions above
