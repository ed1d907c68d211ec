"""Measuring a classifier on labelled images: loss, accuracy, and which class was taken for which.

Read next: `confusion.py`, `evaluate.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.cli.confusion import confusion_matrix
from onegraph.cli.preprocessing import Preprocessing
from onegraph.errors import DataError


@dataclass(frozen=True)
class Measurement:
    """What came out.

    Attributes:
        loss: mean cross entropy.
        accuracy: share of images that are right, 0 to 1.
        matrix: int64 (C, C), rows true classes, columns predictions.
    """

    loss: float
    accuracy: float
    matrix: np.ndarray

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.matrix.sum())


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities, float64, along the last axis.

    >>> np.exp(log_softmax(np.array([[0.0, 0.0]]))).tolist()
    [[0.5, 0.5]]
    """
    values = logits.astype(np.float64)
    values = values - values.max(-1, keepdims=True)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def batches(dataset: Any, size: int) -> Any:
    """All samples in order as arrays (images, labels), `size` at a time."""
    for start in range(0, len(dataset), size):
        places = range(start, min(start + size, len(dataset)))
        found = dataset.take_batch(places)
        if found is None:
            samples = [dataset[place] for place in places]
            found = np.stack([s[0] for s in samples]), np.array([s[1] for s in samples], np.int64)
        yield found[0], found[1]


def measure(
    forward: Callable[[np.ndarray], np.ndarray],
    dataset: Any,
    preprocessing: Preprocessing,
    classes: int,
    batch_size: int = 256,
) -> Measurement:
    """Run a classifier over a data set.

    Args:
        forward: from scaled images, float32 (N, C, H, W), to logits (N, classes).
        dataset: gives (image with values 0 to 1, class number).
        preprocessing: scales the images.
        classes: number of classes.
        batch_size: images at a time.

    Raises:
        DataError: the data set is empty, or the classifier has another number of outputs.
    """
    if not len(dataset):
        raise DataError("there are no images to measure on")
    total, matrix = 0.0, np.zeros((classes, classes), np.int64)
    for images, labels in batches(dataset, batch_size):
        logits = forward(preprocessing(images))
        if logits.shape != (len(labels), classes):
            raise DataError(f"the network gives {logits.shape} for {len(labels)} images of {classes} classes")
        with np.errstate(all="ignore"):  # a network that went wrong gives a NaN loss, which is reported
            total -= float(log_softmax(logits)[np.arange(len(labels)), labels].sum())
        matrix += confusion_matrix(labels, logits.argmax(1), classes)
    count = int(matrix.sum())
    return Measurement(total / count, int(np.trace(matrix)) / count, matrix)
