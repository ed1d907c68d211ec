"""Where random transforms draw their numbers: a stream of the sample at hand.

The loader gives every sample and every batch a stream of its own, by (seed, epoch, batch, place in it): the
same numbers in any process, for any number of workers and after a resume. Outside of a loader each draw
uses up a stream of the default generator, which `onegraph.manual_seed` starts again.
Read next: `philox.py` (the streams), `fetch.py` (which sets them), `transforms/` (which draw).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from onegraph.data.philox import PURPOSE_TRANSFORM, RandomStream
from onegraph.frontend.random import default_generator

_BATCH_PLACE = (1 << 32) - 1  # the place of what is drawn for a batch as a whole


class _Source(threading.local):
    """The numbers that lead to this thread's stream, and the stream once somebody drew from it."""

    key: tuple[int, int, int] | None = None
    stream: RandomStream | None = None


_source = _Source()


class _Drawing:
    """Draw from another stream inside a `with` block."""

    __slots__ = ("_before", "_key", "_stream")

    def __init__(self, key: tuple[int, int, int] | None, stream: RandomStream | None = None) -> None:
        self._key, self._stream = key, stream

    def __enter__(self) -> None:
        self._before = _source.key, _source.stream
        _source.key, _source.stream = self._key, self._stream

    def __exit__(self, *exception: object) -> None:
        _source.key, _source.stream = self._before


def drawing_for(seed: int, epoch: int, batch: int, place: int) -> _Drawing:
    """A `with` block in which transforms draw from the stream of one sample."""
    return _Drawing((seed, epoch, batch << 32 | place))


def drawing_for_batch(seed: int, epoch: int, batch: int) -> _Drawing:
    """A `with` block in which transforms draw from the stream of a batch as a whole."""
    return drawing_for(seed, epoch, batch, _BATCH_PLACE)


def drawing_from(stream: RandomStream) -> _Drawing:
    """A `with` block in which transforms draw from a given stream.

    >>> from onegraph.data.philox import PURPOSE_AUGMENT
    >>> with drawing_from(RandomStream(1, PURPOSE_AUGMENT)):
    ...     first = uniform()
    >>> with drawing_from(RandomStream(1, PURPOSE_AUGMENT)):
    ...     first == uniform()
    True
    """
    return _Drawing(None, stream)


def current_stream() -> RandomStream:
    """The stream to draw from now."""
    if _source.stream is not None:
        return _source.stream
    if _source.key is None:
        seed, index = default_generator.advance(1)
        return RandomStream(seed, PURPOSE_TRANSFORM, index=index)
    seed, epoch, index = _source.key
    _source.stream = RandomStream(seed, PURPOSE_TRANSFORM, epoch, index)
    return _source.stream


@contextmanager
def one_stream() -> Iterator[RandomStream]:
    """One stream for several draws, also outside of a loader."""
    stream = current_stream()
    with drawing_from(stream):
        yield stream


def uniform(low: float = 0.0, high: float = 1.0) -> float:
    """A number in [low, high)."""
    return current_stream().uniform(low, high)


def integer(low: int, high: int) -> int:
    """An integer in [low, high], both ends included."""
    return current_stream().integer(low, high)


def happens(probability: float) -> bool:
    """Whether something of this probability happens."""
    return current_stream().uniform() < probability


def permutation(count: int) -> list[int]:
    """A random order of 0 .. count-1."""
    return [int(place) for place in current_stream().permutation(count)]


def choice(weights: Any) -> int:
    """A place in `weights`, each as likely as its weight says."""
    edges = np.cumsum(np.asarray(weights, np.float64))
    place = int(np.searchsorted(edges, current_stream().uniform() * edges[-1], side="right"))
    return min(place, len(edges) - 1)


def normals(shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, float64, by Box and Muller's method ("A note on the generation of random normal deviates", 1958)."""
    count = math.prod(shape)
    half = -(-count // 2)
    draws = current_stream().uniforms(2 * half)
    radius = np.sqrt(-2 * np.log(1 - draws[:half]))
    angle = 2 * np.pi * draws[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count].reshape(shape)


def gammas(shape: float, count: int) -> np.ndarray:
    """Gamma numbers of a shape > 0 and scale 1, float64.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    """
    boost = shape < 1
    d = (shape + 1 if boost else shape) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    found: list[float] = []
    with one_stream() as stream:
        while len(found) < count:
            x = float(normals((1,))[0])
            v = (1 + c * x) ** 3
            if v > 0 and math.log(1 - stream.uniform()) < x * x / 2 + d - d * v + d * math.log(v):
                # Shapes below 1 by their own rule: gamma(a) = gamma(a + 1) * u ** (1 / a).
                found.append(d * v * ((1 - stream.uniform()) ** (1 / shape) if boost else 1.0))
    return np.array(found)


def dirichlet(alphas: list[float]) -> np.ndarray:
    """Shares that add up to 1, float64."""
    with one_stream():
        parts = np.array([gammas(alpha, 1)[0] for alpha in alphas])
    total = parts.sum()
    return parts / total if total > 0 else np.full(len(alphas), 1 / len(alphas))


def beta(a: float, b: float) -> float:
    """A number of the beta distribution.

    >>> import onegraph as og
    >>> _ = og.manual_seed(0)
    >>> all(0 <= beta(0.2, 0.2) <= 1 for _ in range(10))
    True
    """
    return float(dirichlet([a, b])[0])
