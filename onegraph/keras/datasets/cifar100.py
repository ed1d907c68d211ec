"""Photographs of 32 by 32 in 100 classes: 50,000 and 10,000. Source: Krizhevsky, "Learning multiple layers of features", 2009."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from onegraph.data.cifar import find_cifar, unpickle
from onegraph.errors import ArgumentError
from onegraph.keras import backend
from onegraph.keras.datasets.source import Pair
from onegraph.keras.utils.files import get_file

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CHECKSUM = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine", path: Any = None) -> tuple[Pair, Pair]:
    """Images uint8 (n, 32, 32, 3) and class numbers (n, 1).

    Args:
        label_mode: 'fine' for 100 classes, 'coarse' for 20 groups of them.
        path: a folder with the files; fetched if None.
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(f"label_mode must be 'fine' or 'coarse', got {label_mode!r}")
    folder = path or get_file("cifar-100-python.tar.gz", ADDRESS, extract=True, file_hash=CHECKSUM)
    place, _ = find_cifar(folder) or (folder, "")
    pairs = []
    for name in ("train", "test"):
        entry = unpickle(os.path.join(place, name))
        images = np.asarray(entry["data"], np.uint8).reshape(-1, 3, 32, 32)
        last = backend.image_data_format() == "channels_last"
        labels = np.array(entry[f"{label_mode}_labels"], np.int64).reshape(-1, 1)
        pairs.append((np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if last else images, labels))
    return pairs[0], pairs[1]
