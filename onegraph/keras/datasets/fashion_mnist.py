"""Photographs of clothes: 60,000 and 10,000 images of 28 by 28 in ten classes. Source: Xiao et al., arXiv 1708.07747."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from onegraph.data.idx import read_idx
from onegraph.keras.datasets.source import BASE, Pair
from onegraph.keras.utils.files import get_file

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def load_data(path: Any = None) -> tuple[Pair, Pair]:
    """Images uint8 (n, 28, 28) and class numbers uint8 (n,).

    Args:
        path: a folder that holds the four IDX files; fetched if None.
    """
    found: list[np.ndarray] = []
    for name in FILES:
        file = (
            os.path.join(path, name)
            if path is not None
            else get_file(name, BASE + name, cache_subdir=os.path.join("datasets", "fashion-mnist"))
        )
        found.append(read_idx(file))
    return (found[0], found[1]), (found[2], found[3])
