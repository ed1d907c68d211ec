"""Arena plans, barriers, and memory that is used again."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegraph.backends.contract import Buffer
from onegraph.backends.native.arena import place_barriers, plan_arena
from onegraph.backends.native.memory import ArenaPool, Block, ResultPool, view
from onegraph.config import using
from onegraph.ir.dtype import DType, bfloat16, bool_, float32

Launches = list[tuple[list[int], list[int]]]


@st.composite
def programs(draw: st.DrawFn) -> tuple[Launches, dict[int, int]]:
    """Launches that read earlier values and each make one."""
    count = draw(st.integers(1, 25))
    launches: Launches = []
    for i in range(count):
        reads = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else []
        launches.append((reads, [i]))
    sizes = {i: draw(st.integers(0, 2000)) for i in range(count)}
    return launches, sizes


def lives(launches: Launches, times: list[int]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for (reads, writes), t in zip(launches, times, strict=True):
        for v in (*reads, *writes):
            found[v] = (found.get(v, (t, t))[0], t)
    return found


@given(programs(), st.randoms(use_true_random=False))
def test_values_that_are_alive_together_lie_apart(program: tuple[Launches, dict[int, int]], random: object) -> None:
    launches, sizes = program
    times = sorted(random.randrange(len(launches)) for _ in launches)  # type: ignore[attr-defined]
    plan = plan_arena(launches, sizes, times=times)
    alive = lives(launches, times)
    for a in sizes:
        assert plan.offsets[a] % 64 == 0
        assert plan.offsets[a] + sizes[a] <= plan.total
        for b in range(a):
            together = alive[a][0] <= alive[b][1] and alive[b][0] <= alive[a][1]
            apart = plan.offsets[a] + sizes[a] <= plan.offsets[b] or plan.offsets[b] + sizes[b] <= plan.offsets[a]
            assert apart or not together or not sizes[a] or not sizes[b]
    assert plan.most_alive <= plan.total <= sum(-(-s // 64) * 64 for s in sizes.values())


def test_a_chain_needs_two_places_or_one() -> None:
    launches: Launches = [([], [0])] + [([i], [i + 1]) for i in range(20)]
    sizes = dict.fromkeys(range(21), 1000)
    assert plan_arena(launches, sizes).total == 2 * 1024
    plan = plan_arena(launches, sizes, in_place=[(i + 1, i) for i in range(20)])
    assert plan.total == plan.most_alive == 1024


@pytest.mark.parametrize(
    ("launches", "shared"),
    [
        ([([], [0]), ([0], [1]), ([1], [])], True),
        ([([], [0]), ([0], [1]), ([0, 1], [])], False),  # still needed
        ([([], [0]), ([0], [1]), ([1], [1])], True),
        ([([], [0]), ([], [1]), ([0], [1]), ([1], [])], False),  # the new value is older
    ],
)
def test_in_place_only_where_the_old_value_ends(launches: Launches, shared: bool) -> None:
    plan = plan_arena(launches, {0: 64, 1: 64}, in_place=[(1, 0)])
    assert (plan.offsets[0] == plan.offsets[1]) is shared


def test_in_place_never_beside_another_reader() -> None:
    launches: Launches = [([], [0]), ([0], [1]), ([0], [2]), ([1, 2], [])]
    plan = plan_arena(launches, {0: 64, 1: 64, 2: 64}, in_place=[(2, 0)], times=[0, 1, 1, 2])
    assert plan.offsets[2] != plan.offsets[0]
    assert plan_arena(launches, {0: 64, 1: 64, 2: 64}, in_place=[(2, 0)]).total == 128


def test_one_place_is_taken_over_once() -> None:
    launches: Launches = [([], [0]), ([0], [1, 2]), ([1, 2], [])]
    plan = plan_arena(launches, {0: 64, 1: 64, 2: 64}, in_place=[(1, 0), (2, 0)])
    assert plan.offsets[1] != plan.offsets[2]


def needs_barriers(launches: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]) -> list[bool]:
    """The same, byte by byte."""
    flags = []
    read: set[int] = set()
    written: set[int] = set()
    for reads, writes in launches:
        r = {i for a, b in reads for i in range(a, b)}
        w = {i for a, b in writes for i in range(a, b)}
        flag = bool(r & written or w & written or w & read)
        if flag:
            read, written = set(), set()
        flags.append(flag)
        read |= r
        written |= w
    return flags


RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=3)


@given(st.lists(st.tuples(RANGES, RANGES), max_size=12))
def test_barriers(launches: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]) -> None:
    assert place_barriers(launches) == needs_barriers(launches)


@pytest.mark.parametrize("size", [1, 64, 5000, 1 << 20, (1 << 21) + 1, 5 << 20])
def test_blocks_are_aligned_zero_and_ours(size: int) -> None:
    block = Block(size)
    assert block.address % (64 if size < 1 << 20 else 1 << 21) == 0
    array = view(block.address, (size,), np.dtype(np.uint8), block)
    assert not array.any()
    array[:] = 255
    watched = weakref.ref(block)
    del block
    part = array[size // 2 :]
    del array
    gc.collect()
    assert watched() is not None
    assert (part == 255).all()
    del part
    gc.collect()
    assert watched() is None


def test_arenas_go_from_run_to_run() -> None:
    pool = ArenaPool()
    first = pool.take(100_000)
    second = pool.take(100_000)
    assert first.address != second.address
    pool.give(first)
    assert pool.take(50_000) is first
    pool.give(first)
    pool.give(second)
    large = pool.take(10_000_000)  # in place of one that was too small
    pool.give(large)
    assert pool.take(9_000_000) is large
    pool.clear()
    assert pool.idle_bytes == 0


def take(pool: ResultPool, *keys: tuple[tuple[int, ...], DType]) -> list[Buffer]:
    """Buffers of shapes and dtypes."""
    return pool.take([pool.shelf(*key) for key in keys])


def test_memory_of_dead_results_is_used_again() -> None:
    pool = ResultPool()
    shelf = pool.shelf((100, 50), float32)
    (a,) = pool.take([shelf])
    address = a.address
    assert address == a.array.ctypes.data
    assert address % 64 == 0
    del a
    (b,) = pool.take([shelf])
    assert b.address == address
    (c,) = pool.take([shelf])
    assert c.address != address


@pytest.mark.parametrize("shape", [(3,), (100, 100), (1000, 1000)])
def test_what_somebody_looks_at_is_never_used_again(shape: tuple[int, ...]) -> None:
    pool = ResultPool()
    for look in (
        lambda array: array,
        lambda array: array[1:],
        lambda array: array.T,
        lambda array: memoryview(array),
        lambda array: array.reshape(-1)[::2][1:],
        lambda array: np.asarray(array).view(np.uint8),
    ):
        (a,) = pool.take([pool.shelf(shape, float32)])
        a.array[...] = 1
        seen = look(a.array)
        before = np.array(seen, copy=True)
        del a
        (b,) = pool.take([pool.shelf(shape, float32)])
        b.array[...] = 2
        assert np.array_equal(np.array(seen), before)
        del seen, b


def test_kinds_of_results() -> None:
    pool = ResultPool()
    made = take(pool, ((), float32), ((0, 3), float32), ((20_000,), bool_), ((10_000,), bfloat16))
    assert [b.shape for b in made] == [(), (0, 3), (20_000,), (10_000,)]
    assert [b.array.dtype for b in made] == [np.float32, np.float32, np.bool_, np.uint16]
    assert all(b.array.flags.writeable and b.array.flags.c_contiguous for b in made)


def test_idle_memory_is_bounded() -> None:
    with using(recycled_bytes=1_000_000):
        pool = ResultPool()
        many = [take(pool, ((1000 + i, 100), float32))[0] for i in range(50)]
        assert pool.live_bytes == sum(b.nbytes for b in many)
        del many
        assert pool.live_bytes == 0
        assert 0 < pool.idle_bytes <= 1_000_000
        pool.clear()
        assert pool.idle_bytes == 0


def test_results_die_in_any_thread() -> None:
    pool = ResultPool()

    def work() -> None:
        for i in range(500):
            made = take(pool, ((5000 + i % 3,), float32), ((7,), float32))
            made[0].array[...] = i
            assert made[0].array[-1] == i

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    pool.trim()
    assert pool.idle_bytes > 0


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_no_growth() -> None:
    def pages() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    pool = ResultPool()
    for turn in range(300):
        take(pool, ((300_000 + turn % 40,), float32))[0].array.fill(1)
        if turn == 150:
            before = pages()
    assert pages() - before < 20_000_000 // 4096
