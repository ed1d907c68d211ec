"""Counter-based random numbers for input pipelines: the same bits for a (seed, purpose, epoch, index).

Only the raw words of NumPy's Philox are used, never its distributions: NumPy promises the words for
ever and the distributions not, and a saved position must still mean the same order next year.
Read next: `sampler.py` (orders), `augment.py` (per-image randomness).
Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.random import Generator, default_generator

_MASK = (1 << 64) - 1

# A purpose keeps two users of one seed from drawing the same numbers.
PURPOSE_SHUFFLE = 1
PURPOSE_SPLIT = 2
PURPOSE_AUGMENT = 3
PURPOSE_WORKER = 4
PURPOSE_WEIGHTED = 5
PURPOSE_SEED = 6
PURPOSE_TRANSFORM = 7


class RandomStream:
    """A stream of random numbers that depends on its four numbers alone.

    Args:
        seed: any Python integer; taken modulo 2**64.
        purpose: a small integer that separates streams of the same seed.
        epoch: pass over the data, from 0.
        index: position within the epoch, from 0.

    >>> RandomStream(0, PURPOSE_SHUFFLE).permutation(5).tolist()
    [3, 2, 4, 1, 0]
    >>> RandomStream(0, PURPOSE_SHUFFLE, epoch=1).permutation(5).tolist()
    [0, 1, 4, 2, 3]
    """

    def __init__(self, seed: int, purpose: int, epoch: int = 0, index: int = 0) -> None:
        key = np.array([seed & _MASK, purpose & _MASK], dtype=np.uint64)
        # The two low words count draws; epoch and index stand above them, so streams never overlap.
        counter = np.array([0, 0, index & _MASK, epoch & _MASK], dtype=np.uint64)
        self._bits = np.random.Philox(key=key, counter=counter)

    def words(self, count: int) -> np.ndarray:
        """`count` raw 64-bit words, uint64 of shape (count,)."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniforms(self, count: int) -> np.ndarray:
        """`count` numbers in [0, 1), float64 of shape (count,), 53 bits each."""
        return (self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number in [low, high)."""
        return low + (high - low) * float(self.uniforms(1)[0])

    def integers(self, high: int, count: int) -> np.ndarray:
        """`count` integers in [0, high), int64; `high` at most 2**53."""
        return (self.uniforms(count) * high).astype(np.int64)

    def integer(self, low: int, high: int) -> int:
        """One integer in [low, high], both ends included."""
        return low + int(self.integers(high - low + 1, 1)[0])

    def permutation(self, count: int) -> np.ndarray:
        """A random order of 0 .. count-1, int64: the places of sorted random words."""
        return np.argsort(self.words(count), kind="stable").astype(np.int64)


def seed_from(seed: int | None, generator: Any) -> int:
    """The seed a `seed=` or `generator=` argument stands for.

    Args:
        seed: an integer, which wins over `generator`, or None.
        generator: None for the framework's default generator, which `onegraph.manual_seed` starts again;
            an `onegraph.Generator`; an integer; a `numpy.random.Generator`; or an object with
            `initial_seed()`, as PyTorch's. The first two and NumPy's advance, so that two loaders made one
            after the other have different orders.

    Raises:
        ArgumentTypeError: `seed` is no integer, or `generator` is none of the above.

    >>> seed_from(7, None)
    7
    """
    if seed is not None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ArgumentTypeError(f"seed: {seed!r} is a {type(seed).__name__}; a seed is an integer")
        return int(seed)
    if generator is None:
        generator = default_generator
    if isinstance(generator, Generator):
        start, stream = generator.advance(1)
        return int(RandomStream(start, PURPOSE_SEED, index=stream).words(1)[0])
    if isinstance(generator, int | np.integer) and not isinstance(generator, bool):
        return int(generator)
    if isinstance(generator, np.random.Generator):
        return int(generator.bit_generator.random_raw())
    if callable(getattr(generator, "initial_seed", None)):
        return int(generator.initial_seed())
    raise ArgumentTypeError(
        f"generator: {type(generator).__name__} is no source of a seed; "
        "pass seed=<int>, an onegraph.Generator or a numpy.random.Generator"
    )


def seed_from_default() -> int:
    """A seed that follows from the default generator's state, without using up any of its streams.

    >>> seed_from_default() == seed_from_default()
    True
    """
    start, stream = default_generator.advance(0)
    return int(RandomStream(start, PURPOSE_SEED, index=stream).words(1)[0])
