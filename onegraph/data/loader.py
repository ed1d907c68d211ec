"""`DataLoader`: batches of a data set, in order, made here, in a thread or in worker processes.

Whatever makes the batches, their bits and their order depend on the data set, the seed and the epoch
alone, and `state_dict` holds the position within an epoch. Read next: `fetch.py` (one batch),
`prefetch.py` (the thread), `worker_pool.py` (the processes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, repeat
from typing import Any

from onegraph.data.collate import default_collate, default_convert, numpy_collate
from onegraph.data.dataset import IterableDataset
from onegraph.data.fetch import END_OF_STREAM, Fetcher, Recipe
from onegraph.data.philox import seed_from, seed_from_default
from onegraph.data.prefetch import ThreadBatches
from onegraph.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from onegraph.data.worker_pool import WorkerBatches, WorkerPool
from onegraph.errors import ArgumentError, ArgumentTypeError, StateError


class DataLoader:
    """Iterates over a data set in batches; each `iter` is one epoch. Names and defaults are PyTorch's.

    Args:
        dataset: a `Dataset`, anything else with `__len__` and `__getitem__`, or an `IterableDataset`.
        batch_size: samples a batch; None hands samples on one by one.
        shuffle: a new random order each epoch.
        sampler: an iterable over indices, instead of `shuffle`.
        batch_sampler: an iterable over lists of indices, instead of the four above and `drop_last`.
        num_workers: processes that make batches; 0 makes them in this one.
        collate_fn: makes a batch of a list of samples; `default_collate` by default. Runs in the worker,
            and its result is handed on as it is.
        pin_memory, pin_memory_device, in_order: accepted; batches are ready for every device and always
            in order.
        drop_last: leave out a last batch smaller than `batch_size`.
        timeout: seconds to wait for a batch of a worker, 0 for ever.
        worker_init_fn: called in each worker with its number, 0 and up.
        multiprocessing_context: "fork", "forkserver", "spawn" or a context; chosen if None.
        generator, seed: where the order comes from; see `onegraph.data.philox.seed_from`.
        prefetch_factor: batches under way for each worker, 2 by default.
        persistent_workers: keep the workers from epoch to epoch.
        prefetch_batches: with `num_workers=0`, a thread keeps so many batches ready; 0 for no thread.

    An exception in the data set is raised here as the same type, with notes that name the index, the
    batch and the worker's traceback. In workers, `random` and `numpy.random` are seeded for each batch.

    Raises:
        ArgumentError: arguments that contradict each other or lie outside their range.
        WorkerError: when iterating, if a worker dies or does not answer in time.

    >>> from onegraph.data import numpy_collate
    >>> loader = DataLoader(range(5), batch_size=2, shuffle=True, seed=3, collate_fn=numpy_collate)
    >>> [batch.tolist() for batch in loader]
    [[3, 4], [0, 2], [1]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = False,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
        prefetch_batches: int = 0,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, prefetch_batches)
        _check_order(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset = dataset
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.multiprocessing_context, self.generator = multiprocessing_context, generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.prefetch_batches = persistent_workers, prefetch_batches
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        # Without a random order only transforms may draw, so the default generator is looked at but left alone.
        only_transforms = not shuffle and generator is None and seed is None
        self.seed = seed_from_default() if only_transforms else seed_from(seed, generator)
        self.epoch = 0
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        self.batch_size, self.drop_last = batch_size, drop_last
        self._set_order(shuffle, sampler, batch_sampler)
        one_by_one = batch_size is None and batch_sampler is None
        default = default_convert if one_by_one else default_collate
        self.collate_fn = collate_fn or default
        # Tensors are made here, not in a worker, so the default functions stop at arrays there.
        self._convert = self.collate_fn is default
        stops_at_arrays = self._convert or (self.collate_fn is numpy_collate and not one_by_one)
        self._worker_collate = None if stops_at_arrays else self.collate_fn
        self._pool: WorkerPool | None = None
        self._position: dict[str, Any] = {"epoch": 0, "batches": 0}
        self._resume = False
        self._current: object = None

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def _set_order(self, shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
        if isinstance(self.dataset, IterableDataset):
            self.sampler = self.batch_sampler = None
            return
        if sampler is None:
            random = RandomSampler(self.dataset, seed=self.seed) if shuffle else None
            sampler = random or SequentialSampler(self.dataset)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        if self.batch_size is not None:
            self.batch_sampler = BatchSampler(sampler, self.batch_size, self.drop_last)

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            if not callable(getattr(self.dataset, "__len__", None)):
                raise ArgumentTypeError(f"len: {type(self.dataset).__name__} is a stream without __len__")
            size, batch = len(self.dataset), self.batch_size or 1  # type: ignore[arg-type]
            return size // batch if self.drop_last else -(-size // batch)
        return len(self._order)

    @property
    def _order(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next `iter` gives, from its start."""
        self.epoch, self._resume = int(epoch), False
        self._position = {"epoch": self.epoch, "batches": 0}
        if callable(getattr(self._order, "set_epoch", None)):
            self._order.set_epoch(self.epoch)

    def __iter__(self) -> LoaderIterator:
        epoch = self._position["epoch"] if self._resume else self.epoch
        skip = self._position["batches"] if self._resume else 0
        self._resume = False
        self._position = self._at(epoch, skip)
        self.epoch = epoch + 1
        iterator = LoaderIterator(self, epoch, skip)
        self._current = iterator.token
        return iterator

    def _batches(self, epoch: int, skip: int) -> Iterator[Any]:
        """Raw batches of the epoch, without the first `skip`."""
        stream = isinstance(self.dataset, IterableDataset)
        indices = repeat(None) if stream else islice(iter(self._order), skip, None)
        tasks = enumerate(indices, 0 if stream else skip)
        recipe = Recipe(
            self.dataset,
            self._worker_collate,
            1 if self.batch_size is None and self.batch_sampler is not None else self.batch_size,
            self.drop_last,
            self.seed,
        )
        batches: Any
        if self.num_workers:
            pool = self._workers(recipe)
            factor = self.prefetch_factor or 2
            batches = WorkerBatches(pool, epoch, tasks, factor, not self.persistent_workers)
        else:
            fetcher = Fetcher(recipe, epoch)
            made = (fetcher.fetch(number, indices) for number, indices in tasks)
            batches = iter(_until_end(made))
            if self.prefetch_batches:
                batches = ThreadBatches(batches, self.prefetch_batches)
        if stream:
            # A stream cannot be entered in its middle: what was seen already is made again and dropped.
            for _ in islice(batches, skip):
                pass
        return batches

    def _workers(self, recipe: Recipe) -> WorkerPool:
        if self._pool is None or self._pool.closed:
            pool = WorkerPool(
                recipe,
                self.num_workers,
                self.seed,
                self.timeout,
                self.worker_init_fn,
                self.multiprocessing_context,
            )
            if not self.persistent_workers:
                return pool
            self._pool = pool
        return self._pool

    def close(self) -> None:
        """End persistent workers now rather than when the loader goes."""
        if self._pool is not None:
            self._pool.close()

    def _at(self, epoch: int, batches: int) -> dict[str, Any]:
        position: dict[str, Any] = {"epoch": epoch, "batches": batches}
        state_dict = getattr(self._order, "state_dict", None)
        if callable(state_dict):
            position["sampler"] = state_dict()
        return position

    def _advanced(self, token: object, epoch: int, batches: int, ended: bool) -> None:
        """Told by an iterator; only the newest one moves the loader's position."""
        if token is self._current:
            self._position["batches"] = batches
            if ended:
                self._position = self._at(epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the newest iteration stands, as numbers and strings; the batch given last counts as done.

        A loader made with the same arguments that loads it goes on with the next batch, bit for bit. A
        sampler of your own takes part if it has `state_dict` and `load_state_dict`; otherwise it must
        give the same order again. A stream is read again up to the position.
        """
        state = {"version": 1, **self._position, "seed": self.seed, "batch_size": self.batch_size}
        state["samples"] = None if isinstance(self.dataset, IterableDataset) else len(self.dataset)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next `iter` go on where the loader that gave `state` stood.

        Raises:
            StateError: the state is of another data set size, batch size or version.
        """
        mine = self.state_dict()
        for name in ("version", "batch_size", "samples"):
            if name not in state or state[name] != mine[name]:
                raise StateError(
                    f"DataLoader.load_state_dict: {name} is {state.get(name)!r} in the state and "
                    f"{mine[name]!r} here; a position holds only for the same data set and batch size"
                )
        self.close()  # workers are seeded when they start
        self.seed, self.epoch = int(state["seed"]), int(state["epoch"])
        self._position = {"epoch": self.epoch, "batches": int(state["batches"])}
        if "sampler" in state:
            self._position["sampler"] = dict(state["sampler"])
            if callable(getattr(self._order, "load_state_dict", None)):
                self._order.load_state_dict(state["sampler"])
        self._resume = True
        self._current = object()


class LoaderIterator:
    """One pass over a loader: counts batches and makes Tensors of them."""

    def __init__(self, loader: DataLoader, epoch: int, skip: int) -> None:
        self.token: object = object()
        self._loader, self._epoch, self._count = loader, epoch, skip
        self._convert = default_convert if loader._convert else None
        self._batches = loader._batches(epoch, skip)

    def __iter__(self) -> LoaderIterator:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._loader._advanced(self.token, self._epoch, self._count, ended=True)
            raise
        except BaseException:
            self.close()
            raise
        self._count += 1
        self._loader._advanced(self.token, self._epoch, self._count, ended=False)
        return self._convert(batch) if self._convert else batch

    def close(self) -> None:
        """Stop early: end the thread or the workers of this pass now."""
        batches, self._batches = self._batches, iter(())
        self.token = None  # an empty rest is no end of the epoch: the loader's position stays
        close = getattr(batches, "close", None)
        if close is not None:
            close()


def _until_end(batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        if batch is END_OF_STREAM:
            return
        yield batch


def _check_workers(
    num_workers: int,
    timeout: float,
    prefetch_factor: int | None,
    persistent_workers: bool,
    prefetch_batches: int,
) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ArgumentError(f"DataLoader: num_workers={num_workers!r}: an integer >= 0 is needed")
    if timeout < 0 or prefetch_batches < 0:
        raise ArgumentError("DataLoader: timeout and prefetch_batches may not be negative")
    if num_workers == 0 and (prefetch_factor is not None or persistent_workers):
        raise ArgumentError(
            "DataLoader: prefetch_factor and persistent_workers need num_workers > 0",
            hint="for one thread that works ahead pass prefetch_batches=2",
        )
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ArgumentError(f"DataLoader: prefetch_factor={prefetch_factor}: at least 1 is needed")
    if num_workers > 0 and prefetch_batches > 0:
        raise ArgumentError("DataLoader: prefetch_batches is for num_workers=0; workers have prefetch_factor")


def _check_order(
    dataset: Any,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
) -> None:
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size < 1):
        raise ArgumentError(f"DataLoader: batch_size={batch_size!r}: a positive integer or None is needed")
    if isinstance(dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
        raise ArgumentError("DataLoader: an IterableDataset decides its own order: no shuffle or sampler")
    if sampler is not None and shuffle:
        raise ArgumentError("DataLoader: sampler and shuffle exclude each other")
    if batch_sampler is not None and (batch_size not in (None, 1) or shuffle or sampler is not None or drop_last):
        raise ArgumentError(
            "DataLoader: batch_sampler decides batch_size, shuffle, sampler and drop_last: do not pass those"
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ArgumentError("DataLoader: batch_size=None makes no batches, so drop_last has no meaning")
    if not isinstance(dataset, IterableDataset) and not hasattr(dataset, "__getitem__"):
        raise ArgumentTypeError(
            f"DataLoader: {type(dataset).__name__} has no __getitem__",
            hint="define it, or derive from IterableDataset",
        )
