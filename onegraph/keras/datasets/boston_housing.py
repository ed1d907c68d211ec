"""506 quarters of Boston: 13 numbers each (one about race), and the median price of homes. Source: Harrison and Rubinfeld, 1978."""

from __future__ import annotations

from typing import Any

from onegraph.keras.datasets.source import Pair, arrays, fetch, split

CHECKSUM = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path: Any = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Pair, Pair]:
    """Numbers (n, 13) and prices (n,).

    Args:
        path: where the file is kept, or an .npz file of the same form.
        test_split: the share of the test set.
        seed: of the order.
    """
    found = arrays(fetch("boston_housing.npz", CHECKSUM, path))
    x, y = found["x"], found["y"]
    return split(x, y, test_split, seed)
