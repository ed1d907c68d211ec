"""20,640 blocks of houses in California, 8 numbers each, and the median price of homes in them. Source: Pace and Barry, 1997."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.keras.datasets.source import Pair, arrays, fetch, split

CHECKSUM = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"


def load_data(
    version: str = "large", path: Any = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Pair, Pair]:
    """Numbers (n, 8) and prices (n,).

    Args:
        version: 'large', or 'small' for the first 600 rows.
        path: where the file is kept, or an .npz file of the same form.
        test_split: the share of the test set.
        seed: of the order.
    """
    if version not in ("large", "small"):
        raise ArgumentError(f"version must be 'large' or 'small', got {version!r}")
    found = arrays(fetch("california_housing.npz", CHECKSUM, path))
    x, y = found["x"], found["y"]
    if version == "small":
        x, y = x[:600], y[:600]
    return split(x, y, test_split, seed)
