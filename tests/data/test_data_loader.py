"""The loader in this process: batches, order, arguments, the prefetch thread, resuming."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.data import (
    Augmented,
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    RandomShift,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    numpy_collate,
)
from onegraph.errors import ArgumentError, DataError, StateError


class Stream(IterableDataset):
    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))


class Fails(Dataset):
    """Sample 3 raises `error`."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> int:
        if index == 3:
            raise self.error
        return index


def loader_of(dataset: Any, **options: Any) -> DataLoader:
    return DataLoader(dataset, collate_fn=options.pop("collate_fn", numpy_collate), **options)


def lists(batches: Any) -> list[Any]:
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_in_order(ahead: int) -> None:
    loader = loader_of(range(5), batch_size=2, prefetch_batches=ahead)
    assert lists(loader) == [[0, 1], [2, 3], [4]]
    assert len(loader) == 3
    dropping = loader_of(range(5), batch_size=2, drop_last=True, prefetch_batches=ahead)
    assert lists(dropping) == [[0, 1], [2, 3]]
    assert len(dropping) == 2


def test_shuffle_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int) -> list[Any]:
        loader = loader_of(range(50), batch_size=7, shuffle=True, seed=seed)
        return [lists(loader), lists(loader)]

    first, second = order(1)
    assert [first, second] == order(1)
    assert first != second
    assert order(2)[0] != first
    assert sorted(index for batch in first for index in batch) == list(range(50))


def test_generator_argument_gives_the_seed() -> None:
    def order(generator: Any) -> list[Any]:
        return lists(loader_of(range(20), shuffle=True, generator=generator))

    assert order(np.random.default_rng(3)) == order(np.random.default_rng(3))
    assert order(np.random.default_rng(3)) != order(np.random.default_rng(4))

    class Generator:
        def initial_seed(self) -> int:
            return 9

    assert order(Generator()) == lists(loader_of(range(20), shuffle=True, seed=9))
    with pytest.raises(TypeError, match="no source of a seed"):
        order("nine")


def test_samplers_can_be_given() -> None:
    assert lists(loader_of([10, 11, 12, 13], batch_size=2, sampler=[3, 0, 1])) == [[13, 10], [11]]
    batches = BatchSampler([2, 1, 0], 2, drop_last=True)
    assert lists(loader_of(range(3), batch_sampler=batches)) == [[2, 1]]
    assert loader_of(range(3), batch_sampler=batches).batch_size is None


def test_without_batches_samples_come_one_by_one() -> None:
    assert list(DataLoader(["a", "b"], batch_size=None)) == ["a", "b"]
    assert list(DataLoader(Stream(3), batch_size=None, collate_fn=lambda x: x * 10)) == [0, 10, 20]


def test_streams() -> None:
    assert lists(loader_of(Stream(5), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert lists(loader_of(Stream(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    with pytest.raises(TypeError, match="without __len__"):
        len(loader_of(Stream(5)))


def test_collate_function_gets_the_list_of_samples() -> None:
    assert list(DataLoader(range(3), batch_size=2, collate_fn=tuple)) == [(0, 1), (2,)]


def test_getitems_is_used() -> None:
    class Many(Dataset):
        def __len__(self) -> int:
            return 4

        def __getitems__(self, indices: list[int]) -> list[int]:
            return [-index for index in indices]

    assert lists(loader_of(Many(), batch_size=4)) == [[0, -1, -2, -3]]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"batch_size": True},
        {"num_workers": -1},
        {"timeout": -1},
        {"shuffle": True, "sampler": [0]},
        {"batch_size": 2, "batch_sampler": [[0]]},
        {"drop_last": True, "batch_sampler": [[0]]},
        {"batch_size": None, "drop_last": True},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"num_workers": 1, "prefetch_factor": 0},
        {"num_workers": 1, "prefetch_batches": 1},
    ],
)
def test_contradictory_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        DataLoader(range(3), **options)


def test_a_stream_takes_no_sampler() -> None:
    with pytest.raises(ArgumentError, match="own order"):
        DataLoader(Stream(3), shuffle=True)
    with pytest.raises(TypeError, match="no __getitem__"):
        DataLoader(object())


@pytest.mark.parametrize("ahead", [0, 2])
def test_errors_keep_their_type_and_name_the_index(ahead: int) -> None:
    batches = iter(loader_of(Fails(KeyError("lost")), batch_size=2, prefetch_batches=ahead))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(KeyError, match="lost") as caught:
        next(batches)
    notes = "\n".join(caught.value.__notes__)
    assert "index 3 of Fails" in notes
    assert "batch 1" in notes


@pytest.mark.parametrize("ahead", [0, 2])
def test_stop_iteration_does_not_end_the_epoch(ahead: int) -> None:
    with pytest.raises(DataError, match=r"index 3.*StopIteration"):
        list(loader_of(Fails(StopIteration()), batch_size=2, prefetch_batches=ahead))


def test_error_in_the_thread_names_the_users_line() -> None:
    with pytest.raises(DataError) as caught:
        list(DataLoader([{1}, {2}], batch_size=2, collate_fn=numpy_collate, prefetch_batches=1))
    assert "test_data_loader.py" in str(caught.value)


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "onegraph-prefetch"]


def test_the_thread_ends_with_its_iterator() -> None:
    loader = loader_of(range(1000), prefetch_batches=2)
    batches = iter(loader)
    next(batches)
    assert len(prefetch_threads()) == 1
    batches.close()
    assert prefetch_threads() == []
    assert list(batches) == []
    abandoned = iter(loader)
    next(abandoned)
    del abandoned
    gc.collect()
    assert prefetch_threads() == []


@pytest.mark.parametrize("ahead", [1, 2, 3])
@pytest.mark.parametrize("taken", range(5))
def test_the_thread_can_be_stopped_at_any_batch(ahead: int, taken: int) -> None:
    batches = iter(loader_of(range(4), prefetch_batches=ahead))
    for _ in range(taken):
        next(batches, None)
    batches.close()
    assert prefetch_threads() == []


def samples() -> Augmented:
    images = np.arange(23 * 9, dtype=np.float32).reshape(23, 1, 3, 3)
    return Augmented(TensorDataset(images, np.arange(23)), RandomShift(1), seed=4)


RESUMABLE: dict[str, Any] = {
    "shuffled": lambda **o: loader_of(samples(), batch_size=4, shuffle=True, seed=5, **o),
    "subset": lambda **o: loader_of(samples(), batch_size=3, sampler=SubsetRandomSampler(range(3, 20), seed=8), **o),
    "batch sampler": lambda **o: loader_of(
        samples(), batch_sampler=BatchSampler(RandomSampler(range(23), seed=1), 5), **o
    ),
    "one by one": lambda **o: DataLoader(samples(), batch_size=None, shuffle=True, seed=2, collate_fn=tuple, **o),
    "stream": lambda **o: loader_of(Stream(11), batch_size=3, **o),
}


def flat(batch: Any) -> list[Any]:
    return [np.asarray(part).tolist() for part in batch] if isinstance(batch, list | tuple) else batch.tolist()


@pytest.mark.parametrize("kind", RESUMABLE)
@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_resume_goes_on_bit_for_bit(kind: str, ahead: int, stop: int) -> None:
    make = RESUMABLE[kind]
    uninterrupted = make(prefetch_batches=ahead)
    expected = [flat(batch) for _ in range(3) for batch in uninterrupted]

    first = make(prefetch_batches=ahead)
    seen = [flat(batch) for batch in first]
    batches = iter(first)
    seen += [flat(next(batches)) for _ in range(stop)]
    state = json.loads(json.dumps(first.state_dict()))
    batches.close()

    second = make()
    second.load_state_dict(state)
    assert second.state_dict() == state
    rest = [flat(batch) for batch in second]  # the rest of the interrupted epoch
    rest += [flat(batch) for batch in second]  # a whole one
    assert seen + rest == expected


def test_state_after_the_last_batch_resumes_with_the_next_epoch() -> None:
    loader = loader_of(range(4), batch_size=2, shuffle=True, seed=1)
    expected = [lists(loader), lists(loader)][1]
    again = loader_of(range(4), batch_size=2, shuffle=True, seed=1)
    list(again)
    resumed = loader_of(range(4), batch_size=2, shuffle=True, seed=1)
    resumed.load_state_dict(again.state_dict())
    assert lists(resumed) == expected


def test_an_older_iterator_does_not_move_the_position() -> None:
    loader = loader_of(range(6))
    old, new = iter(loader), iter(loader)
    next(new)
    next(old), next(old)
    assert loader.state_dict()["batches"] == 1


@pytest.mark.parametrize("other", [{"batch_size": 3}, {"dataset": range(9)}])
def test_state_of_another_loader_is_refused(other: dict[str, Any]) -> None:
    state = loader_of(range(8), batch_size=2).state_dict()
    options = {"dataset": range(8), "batch_size": 2} | other
    with pytest.raises(StateError, match="same data set and batch size"):
        loader_of(**options).load_state_dict(state)
    with pytest.raises(StateError, match="version"):
        loader_of(range(8), batch_size=2).load_state_dict({})


def test_set_epoch_chooses_the_order() -> None:
    loader = loader_of(range(30), batch_size=30, shuffle=True, seed=6)
    orders = [lists(loader) for _ in range(3)]
    loader.set_epoch(1)
    assert [lists(loader), lists(loader)] == orders[1:]


def test_epochs_reach_nested_data_sets() -> None:
    inner = samples()
    loader = loader_of(Subset(inner, range(4)), batch_size=4)
    first, second = (next(iter(loader))[0].tolist() for _ in range(2))
    assert first != second
    assert inner.epoch == 1


@pytest.mark.parametrize("ahead", [0, 2])
def test_after_an_error_or_a_close_the_position_stays(ahead: int) -> None:
    loader = loader_of(Fails(KeyError("lost")), batch_size=2, prefetch_batches=ahead)
    batches = iter(loader)
    next(batches)
    with pytest.raises(KeyError):
        next(batches)
    assert list(batches) == []
    assert (loader.state_dict()["epoch"], loader.state_dict()["batches"]) == (0, 1)

    closed = loader_of(range(5), prefetch_batches=ahead)
    batches = iter(closed)
    next(batches)
    batches.close()
    assert list(batches) == []
    assert closed.state_dict()["batches"] == 1


def test_a_closed_iterator_does_not_move_a_loaded_position() -> None:
    loader = loader_of(range(6))
    batches = iter(loader)
    next(batches)
    batches.close()
    loader.load_state_dict(loader.state_dict() | {"batches": 3})
    assert list(batches) == []
    assert lists(loader) == [[3], [4], [5]]


def test_a_data_set_that_takes_batches_is_asked_for_them() -> None:
    class Batches(Dataset):
        def __len__(self) -> int:
            return 4

        def take_batch(self, indices: list[int]) -> Any:
            return np.asarray(indices) * 10 if 3 not in indices else None

        def __getitem__(self, index: int) -> int:
            return -index

    assert lists(loader_of(Batches(), batch_size=2)) == [[0, 10], [-2, -3]]
    assert list(loader_of(Batches(), batch_size=2, collate_fn=list)) == [[0, -1], [-2, -3]]


def test_tensors_come_out_whoever_makes_the_batch() -> None:
    inputs, labels = og.arange(12.0).reshape(6, 2), og.arange(6)
    data = TensorDataset(inputs, labels)
    assert type(data[1][0]) is og.Tensor
    assert data[1][0].tolist() == [2, 3]
    for options in ({}, {"prefetch_batches": 1}, {"num_workers": 1}):
        batches = list(DataLoader(data, batch_size=4, **options))
        assert [type(part) for part in batches[1]] == [og.Tensor, og.Tensor]
        assert batches[1][0].tolist() == [[8, 9], [10, 11]]
        assert (batches[1][1].dtype, batches[1][1].tolist()) == (og.int64, [4, 5])


def test_the_default_generator_decides_where_no_seed_is_given() -> None:
    def orders() -> list[Any]:
        return [lists(loader_of(range(30), batch_size=30, shuffle=True)) for _ in range(2)]

    og.manual_seed(5)
    first, second = orders()
    assert first != second
    og.manual_seed(5)
    assert orders() == [first, second]
    state = og.get_rng_state().tolist()
    loader_of(range(30))  # draws nothing
    assert og.get_rng_state().tolist() == state
    generator = og.Generator().manual_seed(5)
    assert lists(loader_of(range(30), batch_size=30, shuffle=True, generator=generator)) == first
