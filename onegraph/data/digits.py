"""1,797 real handwritten digits that come with the package, for examples and tests without a download.

Source, citation and licence: `digits/LICENSE.md`. Read next: `array.py`, `resize.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onegraph.data.philox import PURPOSE_SPLIT, RandomStream
from onegraph.data.resize import resize_bilinear
from onegraph.errors import ArgumentError

_FILE = Path(__file__).with_name("digits") / "digits.npz"
CLASSES = 10
PIXEL_MAX = 16
"""Pixels are 0 .. 16: the number of black points in a 4 by 4 block of the scan."""

Arrays = tuple[np.ndarray, np.ndarray]


def load_digits() -> Arrays:
    """All images and labels, in the order of the original file.

    Returns:
        images uint8 of shape (1797, 8, 8) with values 0 .. 16, and labels int64 of shape (1797,).

    >>> images, labels = load_digits()
    >>> images.shape, int(images.max()), labels[:5].tolist()
    ((1797, 8, 8), 16, [0, 1, 2, 3, 4])
    """
    with np.load(_FILE, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int64)


def digits_split(test_fraction: float = 0.2, seed: int = 0) -> tuple[Arrays, Arrays]:
    """Training and test parts that never overlap, each with the same share of every digit.

    Args:
        test_fraction: share held out, between 0 and 1, both excluded.
        seed: chooses which; the same seed gives the same parts on every machine.

    Returns:
        ((train_images, train_labels), (test_images, test_labels)), as `load_digits`.

    Raises:
        ArgumentError: `test_fraction` out of range.

    >>> (train, _), (test, _) = digits_split()
    >>> len(train), len(test)
    (1438, 359)
    """
    images, labels = load_digits()
    train, test = stratified_split(labels, test_fraction, seed)
    return (images[train], labels[train]), (images[test], labels[test])


def stratified_split(labels: np.ndarray, test_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a training and a test part with the same share of every class, both ascending.

    Every class keeps at least one training sample.

    Raises:
        ArgumentError: `test_fraction` not between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise ArgumentError(f"test_fraction={test_fraction!r}: between 0 and 1, both excluded")
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        order = RandomStream(seed, PURPOSE_SPLIT, index=int(label)).permutation(len(places))
        count = min(round(len(places) * test_fraction), len(places) - 1)
        held_out[places[order[:count]]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def upscale(images: np.ndarray, size: int = 28) -> np.ndarray:
    """Enlarge images bilinearly, keeping the range of values: float32 of shape (N, size, size).

    >>> upscale(load_digits()[0][:2], 32).shape
    (2, 32, 32)
    """
    return resize_bilinear(images, size)
