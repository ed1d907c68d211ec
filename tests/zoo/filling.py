"""Numbers for parameters and images that depend on names and shapes alone, so that two libraries can be compared by file.

Nothing but NumPy here. Read next: `record_published.py`, which writes the file; `test_published_networks.py`, which reads it.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable

import numpy as np

KEPT = 8  # results kept of each network, besides their norm


def filled(key: str, leaf: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Values of one parameter or buffer.

    Args:
        key: decides the random numbers: its full name, or its place where two libraries use different names.
        leaf: the last part of its name, which says what it is.
        shape: of the result.
        gain: of normalizations; below 1 where sums of many branches would grow without bound.
    """
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if leaf == "running_var":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if leaf in ("running_mean", "bias"):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    if len(shape) > 1:  # He's deviation, so that values neither vanish nor explode
        return rng.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / math.prod(shape[1:])))
    return (gain * rng.uniform(0.8, 1.2, shape)).astype(np.float32)


def image(shape: tuple[int, ...]) -> np.ndarray:
    """A random batch of a shape."""
    return np.random.default_rng(zlib.crc32(repr(shape).encode())).standard_normal(shape, np.float32)


def digest(entries: Iterable[tuple[str, tuple[int, ...], str]]) -> str:
    """A hash of (name, shape, dtype) of all entries of a state_dict, in any order."""
    lines = sorted(f"{name} {tuple(shape)} {dtype}" for name, shape, dtype in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def kept(result: np.ndarray) -> dict[str, object]:
    """What is kept of a result: its shape, its norm and some of its values, spread evenly."""
    flat = result.astype(np.float64).reshape(-1)
    at = np.linspace(0, flat.size - 1, min(KEPT, flat.size)).astype(int)
    return {
        "shape": list(result.shape),
        "norm": float(f"{np.linalg.norm(flat):.8g}"),
        "values": [float(f"{v:.7g}") for v in flat[at]],
    }
