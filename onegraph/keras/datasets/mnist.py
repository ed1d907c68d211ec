"""Handwritten digits: 60,000 and 10,000 images of 28 by 28. Source: LeCun, Cortes and Burges."""

from __future__ import annotations

from typing import Any

from onegraph.keras.datasets.source import Pair, arrays, fetch

CHECKSUM = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: Any = "mnist.npz") -> tuple[Pair, Pair]:
    """Images uint8 (n, 28, 28) and class numbers uint8 (n,).

    Args:
        path: where the file is kept, or an .npz file of the same form.
    """
    found = arrays(fetch("mnist.npz", CHECKSUM, path))
    return (found["x_train"], found["y_train"]), (found["x_test"], found["y_test"])
