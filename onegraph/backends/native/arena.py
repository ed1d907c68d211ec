"""Where values lie in a plan's arena, and where its threads must wait for each other.

Both see a plan as a list of launches, each with what it reads and what it writes. Read next: `program.py`.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

ALIGNMENT = 64

V = TypeVar("V", bound=Hashable)
Range = tuple[int, int]
"""Memory from the first address up to, not including, the second."""


@dataclass(frozen=True)
class Arena:
    """A plan of the arena: the offset of each value and the size of the whole, both in bytes.

    `most_alive` is the most that is alive at any time: no plan without moves can be smaller.
    """

    offsets: Mapping[Hashable, int]
    total: int
    most_alive: int


def plan_arena(
    launches: Sequence[tuple[Collection[V], Collection[V]]],
    sizes: Mapping[V, int],
    in_place: Collection[tuple[V, V]] = (),
    times: Sequence[int] | None = None,
) -> Arena:
    """Give every value of `sizes` a place, such that values that are alive at the same time do not overlap.

    Args:
        launches: what each launch reads and writes, in order. Values that are not in `sizes` lie elsewhere.
        sizes: bytes of the values to place.
        in_place: pairs (new, old): where `old` is last read by the one launch that makes `new`, they may share a place.
        times: the time of each launch, never falling; launches of the same time may run side by side. Each has its
            own time by default.

    The largest first, each into the narrowest gap that fits between those it lives beside ("greedy by size", Pisarchyk
    and Lee 2020, Efficient Memory Management for Deep Neural Net Inference).

    >>> plan = plan_arena([((), "a"), ("a", "b"), ("b", "c"), ("c", ())], {"a": 64, "b": 64, "c": 64})
    >>> plan.total, plan.offsets["a"] == plan.offsets["c"]
    (128, True)
    """
    moments = range(len(launches)) if times is None else times
    life: dict[V, tuple[int, int]] = {}
    for (reads, writes), moment in zip(launches, moments, strict=True):
        for value in (*reads, *writes):
            if value in sizes:
                life[value] = (life[value][0] if value in life else moment, moment)
    leader = _merge(launches, moments, life, in_place)
    merged: dict[V, tuple[int, int, int]] = {}  # size, first, last
    for value, (first, last) in life.items():
        top = leader.get(value, value)
        size, start, end = merged.get(top, (0, first, last))
        merged[top] = (max(size, sizes[value]), min(start, first), max(end, last))
    places, total = _place(merged)
    offsets: dict[Hashable, int] = {v: places[leader.get(v, v)] for v in life}
    for value in sizes:
        offsets.setdefault(value, 0)  # never used
    alive: dict[int, int] = {}
    for size, first, last in merged.values():
        alive[first] = alive.get(first, 0) + _round(size)
        alive[last + 1] = alive.get(last + 1, 0) - _round(size)
    most = now = 0
    for moment in sorted(alive):
        now += alive[moment]
        most = max(most, now)
    return Arena(offsets, total, most)


def _round(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _merge(
    launches: Sequence[tuple[Collection[V], Collection[V]]],
    moments: Sequence[int],
    life: Mapping[V, tuple[int, int]],
    in_place: Collection[tuple[V, V]],
) -> dict[V, V]:
    """The value whose place each in-place value takes, through chains of them."""
    if not in_place:
        return {}
    users: dict[V, list[int]] = {}
    makers: dict[V, list[int]] = {}
    for i, (reads, writes) in enumerate(launches):
        for value in reads:
            users.setdefault(value, []).append(i)
        for value in writes:
            makers.setdefault(value, []).append(i)
    leader: dict[V, V] = {}
    taken: set[V] = set()
    for new, old in in_place:
        if new not in life or old not in life or new == old or new in leader or old in taken:
            continue
        # Nobody else may look at the old value from that launch's time on, nor write to either then.
        last = life[old][1]
        made, used, remade = (
            [i for i in x if moments[i] == last] for x in (makers.get(new, []), users.get(old, []), makers.get(old, []))
        )
        if life[new][0] != last or len(made) != 1 or used != made or remade:
            continue
        leader[new] = old
        taken.add(old)
    for value in leader:
        while leader[value] in leader:
            leader[value] = leader[leader[value]]
    return leader


def _place(values: Mapping[V, tuple[int, int, int]]) -> tuple[dict[V, int], int]:
    order = sorted(values, key=lambda v: (-values[v][0], values[v][1]))
    count = len(order)
    first, last = np.empty(count, np.int64), np.empty(count, np.int64)
    start, end = np.empty(count, np.int64), np.empty(count, np.int64)
    places: dict[V, int] = {}
    for n, value in enumerate(order):
        size, begin, finish = values[value]
        size = _round(size)
        beside = np.nonzero((first[:n] <= finish) & (last[:n] >= begin))[0]
        beside = beside[np.argsort(start[beside], kind="stable")]
        lows, highs = start[beside], np.maximum.accumulate(end[beside]) if len(beside) else end[beside]
        before = np.concatenate(([0], highs)) if len(beside) else np.zeros(1, np.int64)
        gaps = lows - before[:-1]
        fits = np.nonzero(gaps >= size)[0]
        at = int(before[fits[np.argmin(gaps[fits])]]) if len(fits) else int(before[-1])
        places[value] = at
        first[n], last[n], start[n], end[n] = begin, finish, at, at + size
    return places, int(end[:count].max()) if count else 0


def place_barriers(launches: Sequence[tuple[Sequence[Range], Sequence[Range]]]) -> list[bool]:
    """Before which launches all threads must have finished what came before.

    A launch needs a barrier when it conflicts with a launch since the last barrier: one of the two writes where the
    other reads or writes.

    Args:
        launches: the memory that each reads and writes.

    >>> place_barriers([([], [(0, 4)]), ([], [(4, 8)]), ([(0, 4)], [(8, 12)]), ([(4, 8)], [(0, 4)])])
    [False, False, True, True]
    """
    flags = []
    read, written = _Ranges(), _Ranges()
    for reads, writes in launches:
        conflict = any(map(written.touches, reads)) or any(written.touches(w) or read.touches(w) for w in writes)
        if conflict:
            read, written = _Ranges(), _Ranges()
        flags.append(conflict)
        for r in reads:
            read.add(r)
        for w in writes:
            written.add(w)
    return flags


class _Ranges:
    """A set of addresses as disjoint ranges in order."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def touches(self, other: Range) -> bool:
        """Whether they have an address in common."""
        i = bisect.bisect_right(self.ends, other[0])
        return i < len(self.starts) and self.starts[i] < other[1] and other[0] < other[1]

    def add(self, more: Range) -> None:
        """Put a range in, merged with those that it touches."""
        if more[0] >= more[1]:
            return
        first = bisect.bisect_left(self.ends, more[0])
        last = bisect.bisect_right(self.starts, more[1])
        if first < last:
            more = min(more[0], self.starts[first]), max(more[1], self.ends[last - 1])
        self.starts[first:last] = [more[0]]
        self.ends[first:last] = [more[1]]
