"""What a program consists of: slots (places of values) and steps (launches of kernels, or Python functions).

The compiler writes a program down with `ProgramBuilder`. `Layout` then decides what is kept from run to run, which
launches may run side by side, and where in the arena each value lies. Read next: `program.py`, which runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from onegraph.backends.native.arena import Arena, Range, place_barriers, plan_arena
from onegraph.ir.dtype import DType
from onegraph.kernels.kernel import Kernel

Array: TypeAlias = np.ndarray[Any, Any]
HostFunction: TypeAlias = Callable[[list[Array]], Sequence[Array]]

INPUT, OUTPUT, CONSTANT, LOCAL = "input", "output", "constant", "local"


@dataclass(frozen=True)
class Slot:
    """A place for a value.

    Attributes:
        kind: INPUT (given to each run), OUTPUT (new at each run), CONSTANT, or LOCAL (only there while a run lasts).
        shape, dtype: what a Python function sees there.
        nbytes: size, which may exceed what the shape takes (a halo, a packed form).
        array: the value of a constant.
        base, offset: for a part of another slot: which, and how many bytes after its start.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: DType
    nbytes: int
    array: Array | None = None
    base: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Launch:
    """One use of a kernel.

    Attributes:
        kernel: the code.
        buffers: slots, in the order of the kernel's buffers.
        reads, writes: those that it reads and those that it writes (both, for one that it changes).
        grain: fewest tasks that a thread takes at once.
        in_place: pairs (written slot, read slot) that may lie at the same place.
        keep: positions of the inputs that its results depend on alone, if they are to be kept as long as the same
            buffers are given; None for a launch that runs each time.
        label, location: for messages: the op, and the line of the user's program.
        error: makes the exception for a run-time error from status[0..2]; a general one by default.
    """

    kernel: Kernel
    buffers: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    grain: int = 1
    in_place: tuple[tuple[int, int], ...] = ()
    keep: frozenset[int] | None = None
    label: str = ""
    location: tuple[str, int] | None = None
    error: Callable[[int, int, int], Exception] | None = None


@dataclass(frozen=True)
class HostStep:
    """A Python function from the arrays in some slots to those in others. It must not hold on to what it is given."""

    function: HostFunction
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    label: str = ""
    keep: None = None


@dataclass(frozen=True)
class Loop:
    """Launches that are run in turn, again and again.

    Attributes:
        launches: those of one turn, in order.
        moves: for each launch and each of its buffers a step in bytes and a mask: in turn t the buffer is
            `step * (t & mask)` bytes further.
        barriers: before which launches threads wait for those before; before the first they always do.
        turns: how often.
        reads, writes: slots, as a whole.
    """

    launches: tuple[Launch, ...]
    moves: tuple[tuple[tuple[int, int], ...], ...]
    barriers: tuple[bool, ...]
    turns: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    label: str = ""
    keep: None = None


Step: TypeAlias = "Launch | HostStep | Loop"


def launches_of(steps: Iterable[Step]) -> list[Launch]:
    """All launches, those inside of loops among them."""
    found: list[Launch] = []
    for step in steps:
        if isinstance(step, Loop):
            found += step.launches
        elif isinstance(step, Launch):
            found.append(step)
    return found


class ProgramBuilder:
    """Writes a program down, slot by slot and step by step. `Program(builder, results)` makes it run.

    >>> from onegraph.ir.dtype import float32
    >>> builder = ProgramBuilder()
    >>> x = builder.input((2, 3), float32)
    >>> y = builder.output((2, 3), float32)
    >>> builder.host(lambda arrays: [arrays[0] * 2], (x,), (y,))
    """

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.steps: list[Step] = []

    def _slot(self, slot: Slot) -> int:
        self.slots.append(slot)
        return len(self.slots) - 1

    def input(self, shape: Sequence[int], dtype: DType) -> int:
        """The next input of the program."""
        return self._slot(Slot(INPUT, tuple(shape), dtype, _size(shape, dtype)))

    def output(self, shape: Sequence[int], dtype: DType) -> int:
        """Memory for a result: new at each run, and the caller's afterwards."""
        return self._slot(Slot(OUTPUT, tuple(shape), dtype, _size(shape, dtype)))

    def constant(self, array: Array, dtype: DType) -> int:
        """A value that never changes."""
        array = array if array.flags.c_contiguous and array.flags.aligned else np.array(array, order="C")
        return self._slot(Slot(CONSTANT, tuple(array.shape), dtype, array.nbytes, array))

    def local(self, shape: Sequence[int], dtype: DType, nbytes: int | None = None) -> int:
        """Memory for a value inside the program, of more bytes than the shape takes if need be."""
        return self._slot(Slot(LOCAL, tuple(shape), dtype, _size(shape, dtype) if nbytes is None else nbytes))

    def part(self, base: int, offset: int, shape: Sequence[int], dtype: DType, nbytes: int | None = None) -> int:
        """A part of another slot's memory, so many bytes after its start (or all of it, seen with another shape)."""
        below = self.slots[base]
        if below.base is not None:
            base, offset = below.base, below.offset + offset
        size = _size(shape, dtype) if nbytes is None else nbytes
        if offset < 0 or offset + size > self.slots[base].nbytes:
            raise ValueError(
                f"a part of {size} bytes at {offset} exceeds the {self.slots[base].nbytes} bytes of its slot"
            )
        return self._slot(Slot(below.kind, tuple(shape), dtype, size, None, base, offset))

    def launch(
        self, kernel: Kernel, buffers: Iterable[int], reads: Iterable[int], writes: Iterable[int], **more: Any
    ) -> None:
        """Run a kernel; see `Launch` for the other attributes."""
        launch = Launch(kernel, tuple(buffers), tuple(reads), tuple(writes), **more)
        used = {*launch.reads, *launch.writes}
        if not used <= set(launch.buffers):
            raise ValueError(f"{kernel.name}: reads and writes must be among the buffers")
        for slot in launch.writes:
            if self.slots[slot].kind in (INPUT, CONSTANT):
                raise ValueError(f"{kernel.name}: slot {slot} is written to but is of kind {self.slots[slot].kind}")
        if kernel.tasks >= 1 << 31:
            raise ValueError(f"{kernel.name}: {kernel.tasks} tasks are too many")
        if kernel.tasks > 0:
            self.steps.append(launch)

    def loop(self, loop: Loop) -> None:
        """Repeat launches."""
        for slot in loop.writes:
            if self.slots[slot].kind in (INPUT, CONSTANT):
                raise ValueError(f"{loop.label}: slot {slot} is written to but is of kind {self.slots[slot].kind}")
        if loop.turns > 0 and loop.launches:
            self.steps.append(loop)

    def host(self, function: HostFunction, reads: Iterable[int], writes: Iterable[int], label: str = "") -> None:
        """Call a Python function; what it gives back is copied into the slots that it writes."""
        self.steps.append(HostStep(function, tuple(reads), tuple(writes), label))


def _can_fail(step: Step) -> bool:
    return isinstance(step, HostStep) or any(launch.kernel.can_fail for launch in launches_of([step]))


def _size(shape: Sequence[int], dtype: DType) -> int:
    size = dtype.itemsize
    for s in shape:
        size *= s
    return size


class Layout:
    """Decisions about a program.

    Attributes:
        slots, steps: as they were written down.
        keeps: the sets of input positions for which results are kept.
        kept: for each of them, the slots that are kept.
        arena: where the other locals lie.
        ranges: for each step, the memory that it reads and writes, in one numbering of all memory.
        replaced: outputs that may be written over an input, if the caller gives that one up: the slots of both.
        checked: how many steps must have gone well before the first of these is written.
    """

    def __init__(self, slots: Sequence[Slot], steps: Sequence[Step], replaced: Sequence[tuple[int, int]] = ()) -> None:
        self.slots = list(slots)
        self.steps = list(steps)
        self.keeps = sorted({s.keep for s in steps if s.keep is not None}, key=sorted)
        self.kept = self._find_kept()
        self._bases = self._distinct()
        self.checked = 1 + max((i for i, s in enumerate(self.steps) if _can_fail(s)), default=-1)
        self._writers: dict[int, list[int]] = {}
        self._readers: dict[int, list[int]] = {}
        for i, step in enumerate(self.steps if replaced else ()):
            for w in dict.fromkeys(map(self.root, step.writes)):
                self._writers.setdefault(w, []).append(i)
            for r in dict.fromkeys(map(self.root, step.reads)):
                self._readers.setdefault(r, []).append(i)
        olds = {old: new for new, old in replaced if self._may_replace(new, old)}
        self.replaced = [(new, old) for old, new in olds.items()]
        for new, old in self.replaced:
            self._bases[new] = self._bases[old]
        self.times = self._times()
        kept = {slot for slots in self.kept for slot in slots}
        sizes = {i: s.nbytes for i, s in enumerate(self.slots) if s.kind == LOCAL and s.base is None and i not in kept}
        uses = [({self.root(r) for r in s.reads}, {self.root(w) for w in s.writes}) for s in self.steps]
        pairs = [p for s in self.steps if isinstance(s, Launch) for p in s.in_place]
        whole = [(new, old) for new, old in pairs if self.slots[new].base is None and self.slots[old].base is None]
        self.arena: Arena = plan_arena(uses, sizes, whole, self.times)
        # Locals that share memory now conflict; everything else has memory of its own, above the arena.
        for slot in sizes:
            self._bases[slot] = self.arena.offsets[slot]
        self.ranges = [self._ranges(s) for s in self.steps]

    def root(self, slot: int) -> int:
        """The slot that holds the memory."""
        base = self.slots[slot].base
        return slot if base is None else base

    def _find_kept(self) -> list[list[int]]:
        made: dict[int, frozenset[int] | None] = {}
        for step in self.steps:
            for slot in map(self.root, step.writes):
                if made.setdefault(slot, step.keep) != step.keep:
                    raise ValueError(f"slot {slot} is written by steps that are kept and by steps that are not")
                if step.keep is not None and self.slots[slot].kind != LOCAL:
                    raise ValueError(f"slot {slot} is kept, so it must be a local one")
        inputs = [i for i, s in enumerate(self.slots) if s.kind == INPUT and s.base is None]
        positions = {slot: n for n, slot in enumerate(inputs)}
        kept: dict[int, None] = {}
        for step in self.steps:
            for slot in map(self.root, step.reads):
                if step.keep is not None:
                    self._check_kept(step, slot, made, positions)
                if made.get(slot) is not None and made[slot] != step.keep:
                    kept[slot] = None
        return [[s for s in kept if made[s] == keep] for keep in self.keeps]

    def _check_kept(
        self, step: Step, slot: int, made: dict[int, frozenset[int] | None], positions: dict[int, int]
    ) -> None:
        assert step.keep is not None
        depends = {positions[slot]} if slot in positions else made.get(slot, frozenset())
        if depends is None or not depends <= step.keep:
            raise ValueError(
                f"a kept step reads slot {slot}, which depends on more than the inputs {sorted(step.keep)}"
            )

    def _distinct(self) -> dict[int, int]:
        """Addresses that never overlap, for slots with memory of their own."""
        bases: dict[int, int] = {}
        at = 1 << 60
        for i, slot in enumerate(self.slots):
            if slot.base is None:
                bases[i] = at
                at += slot.nbytes + 64
        return bases

    def _may_replace(self, new: int, old: int) -> bool:
        """Whether an output may be written over an input: the launch that makes it reads that one last, in place.

        No step from there on may fail, for then the old value would be asked for again.
        """
        a, b = self.slots[new], self.slots[old]
        if (a.kind, b.kind, a.shape, a.dtype) != (OUTPUT, INPUT, b.shape, b.dtype) or a.base is not None:
            return False
        made, read = self._writers.get(new, []), self._readers.get(old, [])
        if len(made) != 1 or not read or read[-1] != made[0] or made[0] < self.checked:
            return False
        step = self.steps[made[0]]
        return isinstance(step, Launch) and (new, old) in step.in_place

    def _ranges(self, step: Step) -> tuple[list[Range], list[Range]]:
        def of(slot: int) -> Range:
            start = self._bases[self.root(slot)] + self.slots[slot].offset
            return start, start + self.slots[slot].nbytes

        return [of(r) for r in step.reads], [of(w) for w in step.writes]

    def _times(self) -> list[int]:
        """The group of each step: launches of one group may run side by side as far as their data go."""
        flags = place_barriers([self._ranges(s) for s in self.steps])
        times = []
        now = 0
        for i, step in enumerate(self.steps):
            alone = not isinstance(step, Launch) or (i > 0 and not isinstance(self.steps[i - 1], Launch))
            now += flags[i] or alone
            times.append(now)
        return times

    def barriers(self, chosen: Sequence[int]) -> list[bool]:
        """Before which of the chosen steps, run in order, there must be a barrier."""
        return place_barriers([self.ranges[i] for i in chosen])
