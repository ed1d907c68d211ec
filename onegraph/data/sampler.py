"""Samplers: the order in which a loader visits a data set.

Every random order depends on (seed, epoch) alone, so a sampler's whole state is two integers and a
run can be resumed anywhere. Each `iter(sampler)` is one epoch. Read next: `loader.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from onegraph.data.philox import PURPOSE_SHUFFLE, PURPOSE_WEIGHTED, RandomStream, seed_from
from onegraph.errors import ArgumentError


class Sampler:
    """Base of all samplers: an iterable over indices (or over lists of indices, for batches).

    >>> class Backwards(Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> list(Backwards())
    [2, 1, 0]
    """

    def __init__(self, data_source: Any = None) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class _EpochSampler(Sampler):
    """A sampler whose order is a function of (seed, epoch); the epoch advances with each `iter`."""

    def __init__(self, data_source: Any, generator: Any, seed: int | None) -> None:
        super().__init__(data_source)
        self.seed = seed_from(seed, generator)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next `iter` gives."""
        self.epoch = int(epoch)

    def state_dict(self) -> dict[str, int]:
        """Seed and next epoch."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue as the sampler that gave `state`."""
        self.seed, self.epoch = int(state["seed"]), int(state["epoch"])

    def order(self, epoch: int) -> list[int]:
        """The indices of one epoch."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        order = self.order(self.epoch)
        self.epoch += 1
        return iter(order)


class SequentialSampler(Sampler):
    """0, 1, 2, ... in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        super().__init__(data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_EpochSampler):
    """A new random order each epoch.

    Args:
        data_source: anything with a length.
        replacement: draw each index independently instead of a permutation.
        num_samples: how many indices an epoch has; the data set's length by default. Without
            replacement, more than that many go round again with a new permutation.
        generator, seed: see `onegraph.data.philox.seed_from`.

    Raises:
        ArgumentError: `num_samples` is not a positive integer.

    >>> sampler = RandomSampler(range(4), seed=2)
    >>> list(sampler), list(sampler)
    ([2, 0, 1, 3], [0, 2, 3, 1])
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(data_source, generator, seed)
        self.replacement = replacement
        if num_samples is not None:
            _check_count("RandomSampler: num_samples", num_samples)
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """Indices in one epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self, epoch: int) -> list[int]:
        size, wanted = len(self.data_source), self.num_samples
        if size == 0:
            return []
        stream = RandomStream(self.seed, PURPOSE_SHUFFLE, epoch)
        if self.replacement:
            return stream.integers(size, wanted).tolist()
        rounds = [stream.permutation(size) for _ in range(-(-wanted // size))]
        return np.concatenate(rounds)[:wanted].tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_EpochSampler):
    """The given indices in a new random order each epoch.

    >>> sorted(SubsetRandomSampler([3, 5, 9], seed=0))
    [3, 5, 9]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None, *, seed: int | None = None) -> None:
        super().__init__(None, generator, seed)
        self.indices = indices

    def order(self, epoch: int) -> list[int]:
        stream = RandomStream(self.seed, PURPOSE_SHUFFLE, epoch)
        return [self.indices[place] for place in stream.permutation(len(self.indices)).tolist()]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_EpochSampler):
    """Indices drawn with probabilities in proportion to `weights`.

    With replacement by inverting the cumulative sum; without, by the `num_samples` largest
    log(u) / weight (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).

    Args:
        weights: one number >= 0 an index, not all zero.
        num_samples: how many to draw an epoch.
        replacement, generator, seed: as in `RandomSampler`.

    Raises:
        ArgumentError: a negative or non-finite weight, all weights zero, or, without replacement, fewer
            positive weights than `num_samples`.

    >>> set(WeightedRandomSampler([0.0, 1.0, 0.0], 5, seed=0))
    {1}
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(None, generator, seed)
        _check_count("WeightedRandomSampler: num_samples", num_samples)
        self.weights = np.asarray(weights, dtype=np.float64)
        self.num_samples, self.replacement = num_samples, replacement
        if self.weights.ndim != 1:
            raise ArgumentError(f"WeightedRandomSampler: weights have shape {self.weights.shape}, not one axis")
        if not np.all(np.isfinite(self.weights)) or np.any(self.weights < 0) or not np.any(self.weights > 0):
            raise ArgumentError("WeightedRandomSampler: weights must be finite, >= 0 and not all zero")
        positive = int(np.count_nonzero(self.weights))
        if not replacement and num_samples > positive:
            raise ArgumentError(
                f"WeightedRandomSampler: {num_samples} samples without replacement from {positive} indices "
                "of positive weight; lower num_samples or pass replacement=True"
            )

    def order(self, epoch: int) -> list[int]:
        stream = RandomStream(self.seed, PURPOSE_WEIGHTED, epoch)
        if self.replacement:
            edges = np.cumsum(self.weights)
            # A draw that rounds up to the total must not land on a trailing index of weight zero.
            last = int(np.flatnonzero(self.weights)[-1])
            drawn = np.searchsorted(edges, stream.uniforms(self.num_samples) * edges[-1], side="right")
            return np.minimum(drawn, last).tolist()
        uniforms = stream.uniforms(len(self.weights))
        with np.errstate(divide="ignore"):
            keys = np.log(1.0 - uniforms) / self.weights
        # -0.0 / 0 is not a number: an index of weight zero comes last.
        keys = np.where(self.weights > 0, keys, -np.inf)
        return np.argsort(-keys, kind="stable")[: self.num_samples].tolist()

    def __len__(self) -> int:
        return self.num_samples


class DistributedSampler(_EpochSampler):
    """One process's share of a data set that `num_replicas` processes split among them.

    As in PyTorch, the epoch does not advance by itself: call `set_epoch` at the start of each, the
    same on every process. Shares have equal length: the order is padded by going round again, or cut
    with `drop_last`.

    Raises:
        ArgumentError: `num_replicas` or `rank` missing or outside their range.

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=0, shuffle=False))
    [0, 2, 4]
    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        super().__init__(dataset, None, seed)
        if num_replicas is None or rank is None:
            raise ArgumentError("DistributedSampler: pass num_replicas (how many processes) and rank (which one)")
        _check_count("DistributedSampler: num_replicas", num_replicas)
        if not 0 <= rank < num_replicas:
            raise ArgumentError(f"DistributedSampler: rank {rank} is outside 0 .. {num_replicas - 1}")
        self.num_replicas, self.rank = num_replicas, rank
        self.shuffle, self.drop_last = shuffle, drop_last

    @property
    def num_samples(self) -> int:
        """Indices in this process's share."""
        size = len(self.data_source)
        return size // self.num_replicas if self.drop_last else -(-size // self.num_replicas)

    def order(self, epoch: int) -> list[int]:
        size = len(self.data_source)
        if size == 0:
            return []
        order = np.arange(size)
        if self.shuffle:
            order = RandomStream(self.seed, PURPOSE_SHUFFLE, epoch).permutation(size)
        padded = np.resize(order, self.num_samples * self.num_replicas)
        return padded[self.rank :: self.num_replicas].tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Groups another sampler's indices into lists of `batch_size`.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        super().__init__(None)
        _check_count("BatchSampler: batch_size", batch_size)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, bool(drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Passed on to the sampler below, if it has epochs."""
        if callable(getattr(self.sampler, "set_epoch", None)):
            self.sampler.set_epoch(epoch)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        """The state of the sampler below, empty if it keeps none."""
        state_dict = getattr(self.sampler, "state_dict", None)
        return state_dict() if callable(state_dict) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Passed on to the sampler below, if it keeps a state."""
        if state and callable(getattr(self.sampler, "load_state_dict", None)):
            self.sampler.load_state_dict(state)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[list[int]]:
        # Started here, not at the first batch, so that the epoch advances when iter is called.
        return self._batches(iter(self.sampler))

    def _batches(self, indices: Iterator[int]) -> Iterator[list[int]]:
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def _check_count(name: str, value: Any) -> None:
    """A positive integer, or a ArgumentError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ArgumentError(f"{name}={value!r}: a positive integer is needed")
