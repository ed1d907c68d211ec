"""What `fit`, `evaluate` and `predict` accept as data, as a sequence of batches (x, y, sample_weight) of tensors.

Arrays, tensors, and lists or dicts of them; generators; `onegraph.data` loaders and data sets; `keras.utils.PyDataset`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from onegraph.data import DataLoader, Dataset, IterableDataset
from onegraph.data.philox import PURPOSE_SHUFFLE, RandomStream, seed_from
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError
from onegraph.frontend.convert import from_numpy_array
from onegraph.frontend.tensor import Tensor
from onegraph.keras.layers.encoding import is_text
from onegraph.keras.layers.symbolic import flatten, map_structure
from onegraph.keras.utils import PyDataset
from onegraph.ops.shapes import show

Batch = tuple[Any, Any, Any]


def to_tensor(value: Any) -> Any:
    """An array (or list of numbers) as a tensor, float64 as float32; tensors and None as they are."""
    if value is None or (isinstance(value, Tensor) and value.dtype.name != "float64"):
        return value
    if isinstance(value, Tensor):
        return value.float()
    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if is_text(array):
        return array  # for models that begin with a layer for texts; `predict` takes them
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"data must be numbers, got an array of {array.dtype}")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return from_numpy_array(np.ascontiguousarray(array))


def unpack(batch: Any) -> Batch:
    """x, y and sample_weight of what a generator or a loader gives."""
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 3 and (isinstance(batch, tuple) or len(batch) > 1):
        x, y, w = (*batch, None, None)[:3]
        return x, y, w
    return batch, None, None


def pack(x: Any, y: Any, sample_weight: Any) -> Any:
    """What a step is given: x alone, (x, y) or (x, y, sample_weight)."""
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (tuple, list)) else x


def class_weights(y: Any, weights: Mapping[int, float], sample_weight: Any) -> Any:
    """The weight of each sample's class, times its own weight.

    Raises:
        DataError: a class has no weight.
    """
    target = y.detach().numpy() if isinstance(y, Tensor) else np.asarray(y)
    if isinstance(y, (dict, list)) and not isinstance(y, np.ndarray) and target.ndim != 1:
        raise ArgumentError("class_weight works with one output only", hint="use sample_weight")
    classes = (
        target.argmax(-1)
        if target.ndim > 1 and target.shape[-1] > 1
        else target.reshape(len(target), -1)[:, 0].astype(np.int64)
    )
    missing = sorted(set(np.unique(classes).tolist()) - set(weights))
    if missing:
        raise DataError(
            f"class_weight has no weight for class {missing[0]}; it has {', '.join(map(str, sorted(weights)))}"
        )
    table = np.zeros(max(weights) + 1, np.float32)
    for number, weight in weights.items():
        table[number] = weight
    found = table[classes]
    return found if sample_weight is None else found * np.asarray(sample_weight, np.float32)


def last_epoch(epochs: Any, legacy: dict[str, Any]) -> int:
    """How far to train; Keras 1's `nb_epoch` is taken out of `legacy`.

    Raises:
        ArgumentError: a negative or fractional number, or both names.
    """
    if "nb_epoch" in legacy:
        if epochs != 1:
            raise ArgumentError("fit: epochs and nb_epoch are two names of one argument", hint="leave nb_epoch out")
        epochs = legacy.pop("nb_epoch")
    if not isinstance(epochs, (int, np.integer)) or epochs < 0:
        raise ArgumentError(f"fit: epochs must be a whole number that is not negative, got {epochs!r}")
    return int(epochs)


_WITHOUT_EFFECT = ("workers", "use_multiprocessing", "max_queue_size", "show_accuracy")


def refuse_unknown(method: str, options: Mapping[str, Any], accepted: Sequence[str] = _WITHOUT_EFFECT) -> None:
    """Refuse options that neither today's Keras nor an older one has; those of older ones have no effect.

    Raises:
        ArgumentError: an unknown option.
    """
    for name in options:
        if name not in accepted:
            raise ArgumentError(f"{method} does not take {name!r}")


class ArrayBatches:
    """Batches of arrays in memory.

    Args:
        x, y, sample_weight: arrays or tensors, or lists or dicts of them; y and sample_weight may be None.
        batch_size: 32 if None; the last batch may be smaller.
        shuffle: in a new order each time, which the global seed decides.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool) -> None:
        self.data = tuple(map_structure(_as_array, _tidy(part)) for part in (x, y, sample_weight))
        self.batch_size = 32 if batch_size is None else batch_size
        if not isinstance(self.batch_size, (int, np.integer)) or self.batch_size < 1:
            raise ArgumentError(f"batch_size must be a positive whole number, got {batch_size!r}")
        self.shuffle = shuffle
        self.count = self._common_length()

    def _common_length(self) -> int:
        lengths = []
        for name, part in zip(("x", "y", "sample_weight"), self.data, strict=True):
            for array in flatten(part):
                if array is not None:
                    if not array.shape:
                        raise DataError(f"{name} must have a first dimension of samples, got a single number")
                    lengths.append((name, array.shape))
        if len({shape[0] for _, shape in lengths}) > 1:
            raise DataError(
                "x, y and sample_weight must have as many samples: "
                + ", ".join(f"{n} has shape {show(s)}" for n, s in lengths)
            )
        if all(array is None for array in flatten(self.data[0])):
            raise DataError("there is no data: x is None", hint="pass arrays, e.g. model.fit(x, y)")
        if lengths[0][1][0] == 0:
            raise DataError("there is no data: x has no samples")
        return int(lengths[0][1][0])

    @property
    def steps(self) -> int | None:
        """Batches an epoch."""
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = RandomStream(seed_from(None, None), PURPOSE_SHUFFLE).permutation(self.count) if self.shuffle else None
        for start in range(0, self.count, self.batch_size):
            stop = min(start + self.batch_size, self.count)
            chosen = slice(start, stop) if order is None else order[start:stop]
            yield self._take(chosen)

    def _take(self, chosen: Any) -> Batch:
        x, y, w = [map_structure(lambda a: None if a is None else to_tensor(a[chosen]), part) for part in self.data]
        return x, y, w

    def split(self, share: float) -> tuple[ArrayBatches, ArrayBatches]:
        """The samples in front, and the last share of them for validation."""
        at = int(self.count * (1 - share))
        if not 0 < at < self.count:
            raise ArgumentError(
                f"validation_split={share} of {self.count} samples leaves nothing for training or validation"
            )

        def part(chosen: slice, shuffle: bool) -> ArrayBatches:
            pieces = [map_structure(lambda a: None if a is None else a[chosen], p) for p in self.data]
            return ArrayBatches(pieces[0], pieces[1], pieces[2], self.batch_size, shuffle)

        return part(slice(0, at), self.shuffle), part(slice(at, None), False)


def _tidy(part: Any) -> Any:
    """A plain list of numbers is one array; a list of arrays is several."""
    if (
        isinstance(part, (list, tuple))
        and part
        and not any(isinstance(p, (np.ndarray, Tensor)) or p is None for p in part)
    ):
        return np.asarray(part)
    return part


def _as_array(value: Any) -> Any:
    if value is None or isinstance(value, np.ndarray):
        return value
    return value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


class StreamBatches:
    """Batches from a generator, a loader, or anything else that can be iterated.

    Args:
        source: gives x, (x, y) or (x, y, sample_weight).
        steps: batches an epoch; needed for a generator without end.
    """

    def __init__(self, source: Any, steps: int | None = None) -> None:
        self.source = source
        self._restarts = iter(source) is not source
        self._running: Iterator[Any] | None = None if self._restarts and steps is None else iter(source)
        self._limit = steps

    @property
    def steps(self) -> int | None:
        """Batches an epoch, None when unknown."""
        if self._limit is not None:
            return self._limit
        try:
            return len(self.source)
        except TypeError:
            return None

    def __iter__(self) -> Iterator[Batch]:
        if self._limit is None:
            for batch in self.source:
                yield map_batch(batch)
            return
        for _ in range(self._limit):
            try:
                batch = next(self._running)  # type: ignore[arg-type]
            except StopIteration:
                if not self._restarts:
                    return
                self._running = iter(self.source)
                batch = next(self._running, None)
                if batch is None:
                    return
            yield map_batch(batch)


def map_batch(batch: Any) -> Batch:
    """A batch of tensors."""
    x, y, w = unpack(batch)
    return map_structure(to_tensor, x), map_structure(to_tensor, y), map_structure(to_tensor, w)


def single_batch(x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
    """All samples of some arrays as one batch."""
    return next(iter(ArrayBatches(x, y, sample_weight, 1 << 62, False)))


def samples_in(x: Any) -> int:
    """How many samples a batch has."""
    return int(next(iter(flatten(x))).shape[0])


class _Indexed:
    """A PyDataset as something to iterate."""

    def __init__(self, dataset: PyDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self.dataset)):
            yield self.dataset[i]
        self.dataset.on_epoch_end()


def make_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    steps: int | None = None,
) -> ArrayBatches | StreamBatches:
    """Batches of whatever the user passed as x."""
    if isinstance(x, PyDataset):
        return StreamBatches(_Indexed(x), steps)
    if isinstance(x, (Dataset, IterableDataset)):
        x = DataLoader(x, batch_size=batch_size or 32, shuffle=shuffle and not isinstance(x, IterableDataset))
    if isinstance(x, (np.ndarray, Tensor, list, tuple, dict)) or x is None or hasattr(x, "__array__"):
        return ArrayBatches(x, y, sample_weight, batch_size, bool(shuffle))
    if callable(x) and not hasattr(x, "__iter__"):
        x = x()
    if not hasattr(x, "__iter__"):
        raise ArgumentTypeError(f"x must be arrays, a generator, a loader or a data set, got {type(x).__name__}")
    if y is not None:
        raise ArgumentError(f"y goes along with arrays only; {type(x).__name__} must give (x, y) itself")
    return StreamBatches(x, steps)


def validation_batches(data: Any, batch_size: int | None, steps: int | None) -> ArrayBatches | StreamBatches:
    """Batches of what was passed as validation_data: (x, y), (x, y, sample_weight), a loader or a data set."""
    if isinstance(data, (tuple, list)):
        if not 1 <= len(data) <= 3:
            raise ArgumentError(f"validation_data must be (x, y) or (x, y, sample_weight), got {len(data)} parts")
        x, y, w = (*data, None, None)[:3]
        return make_batches(x, y, w, batch_size, steps=steps)
    return make_batches(data, batch_size=batch_size, steps=steps)
