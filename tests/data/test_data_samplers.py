"""Data sets and samplers: PyTorch's behaviour where it has one, and orders that never change."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegraph.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    RandomStream,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    numpy_collate,
    random_split,
)
from onegraph.errors import ArgumentError, DataError


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x64-10, written from the paper (Salmon et al., SC 2011)."""
    mask = (1 << 64) - 1
    for turn in range(10):
        if turn:
            key = [(key[0] + 0x9E3779B97F4A7C15) & mask, (key[1] + 0xBB67AE8584CAA73B) & mask]
        first, second = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [
            (second >> 64) ^ counter[1] ^ key[0],
            second & mask,
            (first >> 64) ^ counter[3] ^ key[1],
            first & mask,
        ]
    return counter


@given(*[st.integers(0, 2**64 - 1)] * 4)
def test_random_words_are_philox(seed: int, purpose: int, epoch: int, index: int) -> None:
    words = RandomStream(seed, purpose, epoch, index).words(8).tolist()
    blocks = [philox([block, 0, index, epoch], [seed, purpose]) for block in (1, 2)]
    assert words == blocks[0] + blocks[1]


def test_random_numbers_have_their_ranges() -> None:
    stream = RandomStream(-1, 0)
    uniforms = stream.uniforms(10_000)
    assert 0 <= uniforms.min() < 0.01
    assert 0.99 < uniforms.max() < 1
    assert abs(uniforms.mean() - 0.5) < 0.02
    assert {stream.integer(2, 4) for _ in range(100)} == {2, 3, 4}
    assert 3 <= stream.uniform(3, 5) < 5


def test_every_order_of_a_permutation_is_as_likely() -> None:
    counts = Counter(tuple(RandomStream(0, 1, epoch=e).permutation(3).tolist()) for e in range(3000))
    assert len(counts) == 6
    assert max(abs(count - 500) for count in counts.values()) < 100  # 5 standard deviations


def test_base_classes_say_what_to_define() -> None:
    for broken in (lambda: Dataset()[0], lambda: iter(IterableDataset()), lambda: iter(Sampler())):
        with pytest.raises(NotImplementedError, match="must define"):
            broken()


def test_concat_indexes_from_both_ends() -> None:
    joined = ConcatDataset([[], [0, 1], [], [2, 3, 4]])
    assert [joined[i] for i in range(-5, 5)] == [*range(5), *range(5)]
    assert list(joined) == [0, 1, 2, 3, 4]
    with pytest.raises(IndexError, match="index 5 is outside a data set of 5"):
        joined[5]
    with pytest.raises(DataError, match="at least one"):
        ConcatDataset([])
    with pytest.raises(DataError, match="ChainDataset"):
        ConcatDataset([IterableDataset()])


def test_chain_takes_streams_only() -> None:
    with pytest.raises(DataError, match="list is no IterableDataset"):
        list(ChainDataset([[1]]))


def test_stack() -> None:
    assert StackDataset([1, 2], "ab")[0] == (1, "a")
    with pytest.raises(DataError, match=r"\[2, 3\] differ"):
        StackDataset([1, 2], "abc")
    with pytest.raises(DataError, match="by position or by name"):
        StackDataset()


def test_subset_of_subset() -> None:
    data = TensorDataset(np.arange(10) * 10, np.arange(10))
    inner = Subset(Subset(data, [9, 7, 5]), [2, 0])
    assert inner[1] == (90, 9)
    assert [part.tolist() for part in inner.take_batch([0, 1])] == [[50, 90], [5, 9]]
    assert inner[[0, 1]][0].tolist() == [50, 90]


@pytest.mark.parametrize("arrays", [(), (np.zeros(()),), (np.zeros(2), np.zeros(3))])
def test_tensor_dataset_checks_shapes(arrays: Any) -> None:
    with pytest.raises(DataError, match="TensorDataset"):
        TensorDataset(*arrays)


def test_a_taken_batch_is_the_collated_batch() -> None:
    data = TensorDataset(np.random.default_rng(0).random((7, 2, 3), np.float32), np.arange(7))
    taken, collated = data.take_batch([4, 0, 4]), numpy_collate([data[4], data[0], data[4]])
    for one, other in zip(taken, collated, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_tensor_dataset_pickles() -> None:
    data = pickle.loads(pickle.dumps(TensorDataset(np.arange(3))))
    assert data[2] == (2,)


def test_random_split() -> None:
    parts = random_split(range(11), [0.5, 0.25, 0.25], seed=1)
    assert [len(part) for part in parts] == [6, 3, 2]
    assert sorted(sample for part in parts for sample in part) == list(range(11))
    again = random_split(range(11), [6, 3, 2], seed=1)
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert parts[0].indices != random_split(range(11), [6, 5], seed=2)[0].indices
    assert [len(part) for part in random_split(range(1), [1, 0])] == [1, 0]
    for wrong in ([5, 5], [0.5, 0.6], [12, -1]):
        with pytest.raises(ArgumentError, match="random_split"):
            random_split(range(11), wrong)


def test_random_sampler_goes_round_again() -> None:
    sampler = RandomSampler(range(4), num_samples=10, seed=0)
    order = list(sampler)
    assert len(sampler) == 10
    assert sorted(order[:4]) == sorted(order[4:8]) == [0, 1, 2, 3]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=400, seed=0))
    assert set(drawn) == {0, 1, 2, 3}
    assert drawn[:4] != drawn[4:8]
    assert list(RandomSampler([], seed=0)) == []


def test_sampler_state() -> None:
    sampler = SubsetRandomSampler([5, 6, 7, 8], seed=3)
    epochs = [list(sampler) for _ in range(4)]
    other = SubsetRandomSampler([5, 6, 7, 8], seed=99)
    other.load_state_dict({"seed": 3, "epoch": 2})
    assert [list(other), list(other)] == epochs[2:]
    batches = BatchSampler(other, 2)
    batches.load_state_dict({"seed": 3, "epoch": 0})
    assert sum(batches, []) == epochs[0]  # noqa: RUF017
    assert batches.state_dict() == {"seed": 3, "epoch": 1}
    assert BatchSampler(SequentialSampler("ab"), 2).state_dict() == {}


def test_weighted_sampler_follows_the_weights() -> None:
    counts = Counter(WeightedRandomSampler([1, 0, 3], 4000, seed=0))
    assert set(counts) == {0, 2}
    assert abs(counts[0] - 1000) < 150  # more than 5 standard deviations


def test_weighted_sampler_without_replacement() -> None:
    sampler = WeightedRandomSampler([1, 0, 100, 1], 3, replacement=False, seed=0)
    orders = [list(sampler) for _ in range(300)]
    assert all(sorted(order) == [0, 2, 3] for order in orders)
    assert sum(order[0] == 2 for order in orders) > 270  # expected 294


@pytest.mark.parametrize(
    "arguments",
    [([], 1), ([0, 0], 1), ([1, -1], 1), ([1, float("nan")], 1), ([[1]], 1), ([1], 0), ([1, 0], 2, False)],
)
def test_weighted_sampler_checks_weights(arguments: Any) -> None:
    with pytest.raises(ArgumentError):
        WeightedRandomSampler(*arguments)


@given(st.integers(1, 40), st.integers(1, 7), st.booleans(), st.booleans())
def test_distributed_shares_cover_the_data(size: int, replicas: int, shuffle: bool, drop: bool) -> None:
    samplers = [
        DistributedSampler(range(size), replicas, rank, shuffle, seed=2, drop_last=drop) for rank in range(replicas)
    ]
    shares = [list(sampler) for sampler in samplers]
    assert {len(share) for share in shares} == {len(samplers[0])}
    everything = Counter(index for share in shares for index in share)
    if drop:
        assert set(everything.values()) <= {1}
    else:
        assert set(everything) == set(range(size))
    assert list(samplers[0]) == shares[0]  # the epoch advances by set_epoch only


def test_distributed_sampler_checks_arguments() -> None:
    with pytest.raises(ArgumentError, match="pass num_replicas"):
        DistributedSampler(range(3))
    with pytest.raises(ArgumentError, match="rank 2 is outside"):
        DistributedSampler(range(3), 2, 2)


@given(st.integers(0, 30), st.integers(1, 7), st.booleans())
def test_batch_sampler_as_in_pytorch(size: int, batch: int, drop: bool) -> None:
    data = pytest.importorskip("torch.utils.data")
    ours = BatchSampler(SequentialSampler(range(size)), batch, drop)
    theirs = data.BatchSampler(data.SequentialSampler(range(size)), batch, drop)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None])
def test_batch_sizes_are_positive_integers(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="positive integer"):
        BatchSampler(range(3), wrong)


@pytest.mark.parametrize("seed", [1.5, "one", True])
def test_seeds_are_integers(seed: Any) -> None:
    with pytest.raises(TypeError, match="a seed is an integer"):
        RandomSampler(range(3), seed=seed)


def test_names_and_arguments_are_those_of_pytorch() -> None:
    import inspect

    import onegraph.utils.data as ours

    theirs = pytest.importorskip("torch.utils.data")
    pipes = ("Pipe", "pipe", "DataChunk", "determin", "validation")
    assert [
        n for n in theirs.__all__ if not hasattr(ours, n) and not any(part in n for part in pipes) and n[0] != "_"
    ] == []
    for name in ours.__all__:
        original = inspect.signature(getattr(theirs, name)).parameters
        parameters = inspect.signature(getattr(ours, name)).parameters
        if name in ("default_collate", "default_convert"):
            continue
        missing = [argument for argument in original if argument not in parameters]
        assert missing == [], f"{name} lacks {missing}"
        order = [argument for argument in parameters if argument in original]
        assert order == list(original), f"{name}: arguments in another order"
        defaults = {argument: p.default for argument, p in original.items() if p.default is not p.empty}
        defaults.pop("generator", None)  # PyTorch writes out its default generator, here it is None
        if name == "DataLoader":
            defaults["shuffle"] = False  # which is what PyTorch's None stands for
        assert {argument: parameters[argument].default for argument in defaults} == defaults, name


def test_submodules_where_pytorch_has_them() -> None:
    from onegraph.utils.data import DataLoader, DistributedSampler, default_collate
    from onegraph.utils.data._utils.collate import default_collate as collate
    from onegraph.utils.data.dataloader import DataLoader as Loader
    from onegraph.utils.data.dataset import Dataset as Base
    from onegraph.utils.data.distributed import DistributedSampler as Distributed
    from onegraph.utils.data.sampler import Sampler as Order

    assert (Loader, Distributed, collate) == (DataLoader, DistributedSampler, default_collate)
    assert issubclass(TensorDataset, Base)
    assert issubclass(RandomSampler, Order)
