"""Data sets: things with an index (`Dataset`) or things to iterate over (`IterableDataset`).

A data set may also define `take_batch(indices)`, which gives a whole collated batch of NumPy arrays at
once; the loader then spares one call a sample. And `set_epoch(epoch)`, which the loader calls at the
start of each epoch, in every worker. Read next: `sampler.py`, `collate.py`, `loader.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, to_tensor
from onegraph.data.philox import PURPOSE_SPLIT, RandomStream, seed_from
from onegraph.errors import ArgumentError, DataError, OutOfRangeError


class Dataset:
    """Base of data sets with an index: define `__getitem__` and `__len__`.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> Squares()[3], len(Squares() + Squares())
    (9, 8)
    """

    def __class_getitem__(cls, item: Any) -> type:
        return cls  # Dataset[int] is a common annotation

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])

    def take_batch(self, indices: Sequence[int]) -> Any:
        """The collated batch of these samples as NumPy arrays, or None: there is no quicker way."""
        return None

    def set_epoch(self, epoch: int) -> None:
        """Told by the loader at the start of each epoch; does nothing by default."""


class IterableDataset(Dataset):
    """Base of data sets that are streams: define `__iter__`.

    With worker processes each worker iterates over its own copy; use `get_worker_info()` to give each
    its share.

    >>> class Count(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> list(Count() + Count())
    [0, 1, 2, 0, 1, 2]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")

    def __add__(self, other: Dataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Arrays or Tensors of the same first size, indexed together.

    The values are taken when the data set is made. A sample has Tensors where Tensors were given and
    arrays where arrays were.

    Raises:
        DataError: no tensors, one without a first axis, or first sizes that differ.

    >>> data = TensorDataset(np.arange(6).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(data), data[1][0].tolist(), int(data[1][1])
    (3, [2, 3], 1)
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise DataError("TensorDataset: at least one tensor is needed")
        self.tensors = tensors
        self._is_array = [isinstance(tensor, np.ndarray) for tensor in tensors]
        self._arrays = [array_of(tensor) for tensor in tensors]
        shapes = ", ".join(str(array.shape) for array in self._arrays)
        if any(array.ndim == 0 for array in self._arrays):
            raise DataError(f"TensorDataset: shapes {shapes}: a tensor without axes has no samples")
        if len({len(array) for array in self._arrays}) > 1:
            raise DataError(f"TensorDataset: shapes {shapes}: the first sizes must be the same")

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        rows = [array[index] for array in self._arrays]
        return tuple(row if is_array else to_tensor(row) for row, is_array in zip(rows, self._is_array, strict=True))

    def take_batch(self, indices: Sequence[int]) -> list[np.ndarray]:
        places = np.asarray(indices, dtype=np.int64)
        return [array[places] for array in self._arrays]

    def __getstate__(self) -> dict[str, Any]:
        # Workers get plain arrays: no Tensor crosses a process border.
        return {"tensors": tuple(self._arrays), "_is_array": self._is_array, "_arrays": self._arrays}


class Subset(Dataset):
    """Some samples of another data set.

    >>> Subset("abcd", [3, 1])[0]
    'd'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[place] for place in index]]
        return self.dataset[self.indices[index]]

    def take_batch(self, indices: Sequence[int]) -> Any:
        take_batch = getattr(self.dataset, "take_batch", None)
        return take_batch([self.indices[place] for place in indices]) if take_batch else None

    def set_epoch(self, epoch: int) -> None:
        set_epoch(self.dataset, epoch)


class ConcatDataset(Dataset):
    """Data sets one after another.

    Raises:
        DataError: none given, or one of them is a stream.

    >>> joined = ConcatDataset(["ab", "cde"])
    >>> len(joined), joined[2], joined[-1]
    (5, 'c', 'e')
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise DataError("ConcatDataset: at least one data set is needed")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise DataError("ConcatDataset: an IterableDataset has no index; use ChainDataset")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise OutOfRangeError(f"ConcatDataset: index {index} is outside a data set of {len(self)} samples")
        index %= len(self)
        which = bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]

    def set_epoch(self, epoch: int) -> None:
        for dataset in self.datasets:
            set_epoch(dataset, epoch)


class ChainDataset(IterableDataset):
    """Streams one after another.

    Raises:
        DataError: when iterated, if a part is no IterableDataset.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise DataError(f"ChainDataset: {type(dataset).__name__} is no IterableDataset")
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)

    def set_epoch(self, epoch: int) -> None:
        for dataset in self.datasets:
            set_epoch(dataset, epoch)


class StackDataset(Dataset):
    """Data sets of the same length side by side: a sample is a tuple, or a dict if given by name.

    Raises:
        DataError: positional and named together, none, or lengths that differ.

    >>> StackDataset(image="ab", label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise DataError("StackDataset: give data sets either by position or by name")
        self.datasets: Any = args or kwargs
        parts = args or tuple(kwargs.values())
        if len({len(part) for part in parts}) > 1:
            raise DataError(f"StackDataset: lengths {[len(part) for part in parts]} differ")
        self._length = len(parts[0])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: part[index] for name, part in self.datasets.items()}
        return tuple(part[index] for part in self.datasets)

    def set_epoch(self, epoch: int) -> None:
        for part in self.datasets.values() if isinstance(self.datasets, dict) else self.datasets:
            set_epoch(part, epoch)


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None, *, seed: int | None = None
) -> list[Subset]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: anything with a length and an index.
        lengths: sizes that add up to the length, or fractions that add up to 1 (the samples left
            over by rounding go one each to the first parts).
        generator, seed: see `onegraph.data.philox.seed_from`.

    Raises:
        ArgumentError: the lengths do not add up, or one is negative.

    >>> [len(part) for part in random_split(range(10), [0.7, 0.3], seed=0)]
    [7, 3]
    """
    total = len(dataset)
    if any(length < 0 for length in lengths):
        raise ArgumentError(f"random_split: lengths {list(lengths)}: none may be negative")
    if abs(sum(lengths) - 1.0) < 1e-6 and sum(lengths) != total:
        sizes = [int(total * fraction) for fraction in lengths]
        for place in range(total - sum(sizes)):
            sizes[place % len(sizes)] += 1
    else:
        sizes = [int(length) for length in lengths]
    if sum(sizes) != total:
        raise ArgumentError(
            f"random_split: lengths {list(lengths)} add up to {sum(lengths)}, the data set has {total} "
            "samples; give sizes that add up to it or fractions that add up to 1"
        )
    order = RandomStream(seed_from(seed, generator), PURPOSE_SPLIT).permutation(total).tolist()
    ends = list(accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def set_epoch(dataset: Any, epoch: int) -> None:
    """Tell a data set the epoch, if it wants to know."""
    method = getattr(dataset, "set_epoch", None)
    if callable(method):
        method(epoch)
