"""Photographs of 32 by 32 in 10 classes: 50,000 and 10,000. Source: Krizhevsky, "Learning multiple layers of features", 2009."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.data.cifar import load_cifar
from onegraph.keras import backend
from onegraph.keras.datasets.source import Pair
from onegraph.keras.utils.files import get_file

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CHECKSUM = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data(path: Any = None) -> tuple[Pair, Pair]:
    """Images uint8 (n, 32, 32, 3) and class numbers uint8 (n, 1).

    Args:
        path: a folder with the files; fetched if None.
    """
    folder = path or get_file("cifar-10-python.tar.gz", ADDRESS, extract=True, file_hash=CHECKSUM)
    found = load_cifar(folder)
    return _pair(found.train_images, found.train_labels), _pair(found.test_images, found.test_labels)


def _pair(images: np.ndarray, labels: np.ndarray) -> Pair:
    last = backend.image_data_format() == "channels_last"
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if last else images
    return turned, labels.astype(np.uint8).reshape(-1, 1)
