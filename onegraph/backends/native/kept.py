"""Values that stay as long as the same inputs are given: packed weights, folded batch norms.

Inputs that are new in a run may be new in the next one too, as in training: the values of such a run are its own, in memory
that the next such run uses again. Only when the same inputs come a second time is a state published. It is never changed
from then on, so runs on other threads may go on with an older one.
Read next: `program.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from onegraph.backends.contract import Buffer
from onegraph.backends.native.layout import Layout
from onegraph.backends.native.memory import Block

_numbers = itertools.count(1)


def serial(buffer: Buffer) -> int:
    """A number that no other buffer has, had or will have."""
    if buffer.serial == 0:
        buffer.serial = next(_numbers)
    return buffer.serial


class KeptSet:
    """The kept slots that depend on one set of inputs, computed for certain buffers."""

    def __init__(self, serials: list[int], slots: Sequence[tuple[int, int]]) -> None:
        self.serials = serials
        offsets = []
        total = 0
        for _, nbytes in slots:
            offsets.append(total)
            total += -(-nbytes // 64) * 64
        self.block = Block(max(total, 64))
        self.addresses = [(slot, self.block.address + o) for (slot, _), o in zip(slots, offsets, strict=True)]


class Kept:
    """All kept values, for certain buffers; `shared` if other runs may use them."""

    def __init__(
        self, serials: list[int], sets: list[KeptSet], parts: Sequence[tuple[int, int, int]], shared: bool
    ) -> None:
        self.serials = serials
        self.sets = sets
        self.shared = shared
        found = {slot: address for s in sets for slot, address in s.addresses}
        self.addresses = [*found.items(), *((i, found[base] + offset) for i, base, offset in parts)]


class KeptValues:
    """The newest kept values of a program."""

    def __init__(self, layout: Layout) -> None:
        self._positions = sorted({p for keep in layout.keeps for p in keep})
        where = {p: i for i, p in enumerate(self._positions)}
        self._needs = [[where[p] for p in sorted(keep)] for keep in layout.keeps]
        self._slots = [[(s, layout.slots[s].nbytes) for s in slots] for slots in layout.kept]
        roots = {s for slots in layout.kept for s in slots}
        self._parts = [
            (i, slot.base, slot.offset)
            for i, slot in enumerate(layout.slots)
            if slot.base is not None and slot.base in roots
        ]
        self._there = (True,) * len(layout.keeps)
        self.state: Kept | None = None
        self._last: list[int] = []

    def prepare(self, inputs: Sequence[Buffer], own: Kept | None) -> tuple[tuple[bool, ...], Kept]:
        """Which sets are there already, and the state in which the others are to be computed.

        Args:
            own: the state of the caller, which nobody else uses.
        """
        serials = [inputs[p].serial or serial(inputs[p]) for p in self._positions]
        state = self.state
        if state is not None and state.serials == serials:
            return self._there, state
        if serials != self._last:
            self._last = serials
            if own is None:
                own = Kept([], [KeptSet([], slots) for slots in self._slots], self._parts, False)
            return (False,) * len(self._slots), own
        pattern = []
        sets = []
        for n, (needs, slots) in enumerate(zip(self._needs, self._slots, strict=True)):
            mine = [serials[i] for i in needs]
            there = state is not None and state.sets[n].serials == mine
            pattern.append(there)
            sets.append(state.sets[n] if state is not None and there else KeptSet(mine, slots))
        return tuple(pattern), Kept(serials, sets, self._parts, True)

    def publish(self, state: Kept) -> None:
        """The values of a state that others may use have been computed."""
        self.state = state
