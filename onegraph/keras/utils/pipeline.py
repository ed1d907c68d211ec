"""`Pipeline`: a data set that can be iterated again and again, with the methods of TensorFlow's data sets.

`image_dataset_from_directory` and the others give one. Elements are made when they are asked for.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from onegraph.data.philox import PURPOSE_SHUFFLE, RandomStream, seed_from
from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras.layers.symbolic import flatten, map_structure

AUTOTUNE = -1
"""Accepted where a number of elements to prepare, or of parallel calls, is asked for."""


class Pipeline:
    """Elements that can be iterated again and again.

    Args:
        make: gives a new iterator over the elements.
        length: how many there are; None if that is not known.

    Attributes:
        class_names: of data sets made from folders.
        file_paths: likewise.

    >>> data = Pipeline.from_tensor_slices(np.arange(5)).batch(2)
    >>> len(data), [batch.tolist() for batch in data]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(self, make: Callable[[], Iterator[Any]], length: int | None = None, **attributes: Any) -> None:
        self._make, self._length = make, length
        self._attributes = attributes
        self.__dict__.update(attributes)

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Pipeline:
        """The rows of arrays, nested in any way."""
        arrays = map_structure(lambda t: t if isinstance(t, Tensor) else np.asarray(t), tensors)
        count = len(next(flatten(arrays)))

        def row(array: Any, i: int) -> Any:
            value = array[i]
            return value if isinstance(value, (str, bytes, Tensor)) else tensor_of(value)

        def element(i: int) -> Any:
            return map_structure(lambda array: row(array, i), arrays)

        return cls(lambda: map(element, range(count)), count)

    @classmethod
    def from_generator(cls, generator: Callable[[], Any], **accepted: Any) -> Pipeline:
        """What a function without arguments iterates over."""
        return cls(lambda: iter(generator()))

    @classmethod
    def zip(cls, datasets: Any) -> Pipeline:
        """Tuples of one element of each."""
        lengths = [d._length for d in datasets]
        known = None if None in lengths else min(lengths)
        return cls(lambda: zip(*datasets, strict=False), known)

    def __iter__(self) -> Iterator[Any]:
        return self._make()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("the length of this data set is not known")
        return self._length

    def cardinality(self) -> int:
        """How many elements there are; -2 if that is not known."""
        return -2 if self._length is None else self._length

    def _then(self, make: Callable[[], Iterator[Any]], length: int | None) -> Pipeline:
        return Pipeline(make, length, **self._attributes)

    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: Any = None) -> Pipeline:
        """A function of each element; of its parts, if it is a tuple."""
        return self._then(lambda: (map_func(*e) if isinstance(e, tuple) else map_func(e) for e in self), self._length)

    def filter(self, predicate: Callable[..., Any]) -> Pipeline:
        """The elements for which a function holds."""
        return self._then(
            lambda: (e for e in self if bool(predicate(*e) if isinstance(e, tuple) else predicate(e))), None
        )

    def batch(self, batch_size: int, drop_remainder: bool = False, **accepted: Any) -> Pipeline:
        """So many elements at once, stacked."""
        if batch_size < 1:
            raise ArgumentError(f"batch: batch_size must be positive, got {batch_size}")

        def make() -> Iterator[Any]:
            source = iter(self)
            while rows := list(itertools.islice(source, batch_size)):
                if len(rows) == batch_size or not drop_remainder:
                    yield stacked(rows)

        length = self._length
        if length is not None:
            length = length // batch_size if drop_remainder else math.ceil(length / batch_size)
        return self._then(make, length)

    def unbatch(self) -> Pipeline:
        """The rows of batches, one by one."""

        def make() -> Iterator[Any]:
            for batch in self:
                for i in range(len(next(flatten(batch)))):
                    yield map_structure(operator.itemgetter(i), batch)

        return self._then(make, None)

    def rebatch(self, batch_size: int, drop_remainder: bool = False) -> Pipeline:
        """Batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True) -> Pipeline:
        """Elements drawn from a buffer of so many, in another order each time."""
        rounds = itertools.count()

        def make() -> Iterator[Any]:
            turn = next(rounds) if reshuffle_each_iteration else 0
            stream = RandomStream(seed_from(None, None) if seed is None else seed + turn, PURPOSE_SHUFFLE)
            source, buffer = iter(self), []
            for element in source:
                buffer.append(element)
                if len(buffer) >= buffer_size:
                    break
            while buffer:
                order = stream.permutation(len(buffer))
                for i in order.tolist():
                    yield buffer[i]
                buffer = list(itertools.islice(source, buffer_size))

        return self._then(make, self._length)

    def repeat(self, count: int | None = None) -> Pipeline:
        """The elements again and again; without end if no count is given."""

        def make() -> Iterator[Any]:
            for _ in itertools.count() if count is None or count < 0 else range(count):
                yield from self

        known = None if count is None or count < 0 or self._length is None else self._length * count
        return self._then(make, known)

    def take(self, count: int) -> Pipeline:
        """The first elements."""
        return self._then(
            lambda: itertools.islice(iter(self), count), None if self._length is None else min(count, self._length)
        )

    def skip(self, count: int) -> Pipeline:
        """All but the first elements."""
        return self._then(
            lambda: itertools.islice(iter(self), count, None),
            None if self._length is None else max(self._length - count, 0),
        )

    def cache(self, filename: str = "") -> Pipeline:
        """Keep the elements in memory once they have been made."""
        kept: list[Any] = []

        def make() -> Iterator[Any]:
            if kept:
                yield from kept
                return
            found = []
            for element in self:
                found.append(element)
                yield element
            kept[:] = found

        return self._then(make, self._length)

    def prefetch(self, buffer_size: Any = None) -> Pipeline:
        """Make elements ahead, in a thread of its own."""
        from onegraph.data.prefetch import ThreadBatches

        ahead = 2 if buffer_size in (None, AUTOTUNE) else int(buffer_size)
        return self._then(lambda: iter(ThreadBatches(iter(self), ahead)), self._length)

    def enumerate(self, start: int = 0) -> Pipeline:
        """Pairs of number and element."""
        return self._then(lambda: iter(enumerate(self, start)), self._length)

    def concatenate(self, dataset: Pipeline) -> Pipeline:
        """The elements of another behind these."""
        known = None if self._length is None or dataset._length is None else self._length + dataset._length
        return self._then(lambda: itertools.chain(self, dataset), known)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as arrays."""
        for element in self:
            yield map_structure(lambda t: t.detach().numpy() if isinstance(t, Tensor) else t, element)

    def with_options(self, options: Any) -> Pipeline:
        """Itself; there are no options."""
        return self


def stacked(rows: list[Any]) -> Any:
    """Elements, nested alike, as one with a new first axis."""
    columns = zip(*[list(flatten(r)) for r in rows], strict=True)
    values = iter([_stack(list(column)) for column in columns])
    return map_structure(lambda _: next(values), rows[0])


def _stack(values: list[Any]) -> Any:
    if isinstance(values[0], Tensor):
        return EXPORTS["stack"](values)
    if isinstance(values[0], (str, bytes)):
        return np.array(values, object)
    return tensor_of(np.stack(values))


def tensor_of(value: Any) -> Tensor:
    """An array or a number as a tensor; float64 becomes float32."""
    from onegraph.keras.batches import to_tensor

    array = np.asarray(value)
    found: Tensor = to_tensor(array)
    return found if array.ndim else found.reshape(())
