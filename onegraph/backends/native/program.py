"""A compiled graph that runs: one native call, or a few with Python functions between them.

What a run needs for itself (a table of addresses, counters) is a context; two threads that run one program at the same
time have two. Arenas and results come from `memory.py`. Read next: `layout.py`, `driver.py`.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native import driver_text as d
from onegraph.backends.native import profile
from onegraph.backends.native.driver import driver, pools
from onegraph.backends.native.kept import Kept, KeptValues
from onegraph.backends.native.layout import (
    CONSTANT,
    INPUT,
    LOCAL,
    OUTPUT,
    HostStep,
    Launch,
    Layout,
    Loop,
    ProgramBuilder,
    launches_of,
)
from onegraph.backends.native.memory import Block, arenas, results, view
from onegraph.backends.native.shortage import explain_shortage
from onegraph.config import settings
from onegraph.errors import DivisionError, OneGraphError, OutOfMemoryError, OutOfRangeError
from onegraph.kernels.builder import build
from onegraph.kernels.kernel import BAD_INDEX, DIVISION_BY_ZERO, Kernel

Array = np.ndarray[Any, Any]

_SMALL = 20_000
"""Bytes, plus flops / 4, of all kernels together up to which one thread does all the work."""
_CHUNK = 5_000
"""The same of the tasks that a thread takes at once, at least."""


def address_of(buffer: Buffer) -> int:
    """Where a buffer's memory is. One that is not laid out plainly gets a plain copy of its value."""
    array = buffer.array
    if not (array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative):
        buffer.array = array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    buffer.address = array.ctypes.data
    return buffer.address


class Records:
    """Launches as the driver reads them. Shared by all runs; never changed."""

    def __init__(
        self, program: Program, launches: Sequence[Launch], loop: Loop | None, barriers: Sequence[bool]
    ) -> None:
        self.launches = list(launches)
        self.turns = 1 if loop is None else loop.turns
        self.count = len(launches)
        self.block = Block((self.count + 1) * d.RECORD_WORDS * 8)
        self.numbers = np.array([program.places[b] for launch in launches for b in launch.buffers], np.int32)
        moves = [] if loop is None else [pair for launch in loop.moves for pair in launch]
        self.moves = np.array(moves, np.int64).reshape(-1, 2)
        table = words(self.block, (self.count + 1) * d.RECORD_WORDS)
        group = tasks = at = 0
        for n, (launch, barrier) in enumerate(zip(launches, barriers, strict=True)):
            expected = 0
            if barrier:
                group, expected, tasks = group + 1, tasks, 0
            grain = _grain(launch)
            alone = grain >= launch.kernel.tasks and (barrier or n == 0) and (n + 1 == self.count or barriers[n + 1])
            row = [0] * d.RECORD_WORDS
            row[d.FUNCTION] = program.functions[id(launch.kernel)]
            row[d.SLOT_NUMBERS], row[d.SLOT_COUNT] = self.numbers.ctypes.data + 4 * at, len(launch.buffers)
            row[d.TASKS], row[d.GRAIN] = launch.kernel.tasks, grain
            row[d.STEPS] = 0 if loop is None else self.moves.ctypes.data + 16 * at
            row[d.BARRIER], row[d.GROUP], row[d.EXPECTED] = barrier + 2 * alone, group, expected
            table[n * d.RECORD_WORDS : (n + 1) * d.RECORD_WORDS] = row
            tasks += launch.kernel.tasks
            at += len(launch.buffers)
        self.groups = group + 1
        table[self.count * d.RECORD_WORDS + d.GROUP] = self.groups
        table[self.count * d.RECORD_WORDS + d.EXPECTED] = tasks


def _grain(launch: Launch) -> int:
    """Fewest tasks that a thread takes at once: enough to be worth it."""
    kernel = launch.kernel
    work = _work(kernel)
    enough = -(-kernel.tasks * _CHUNK // work) if work else 1
    return min(max(1, launch.grain, enough), kernel.tasks)


def _work(kernel: Kernel) -> int:
    return kernel.bytes + kernel.flops // 4


def words(block: Block, count: int) -> Any:
    """A block seen as i64 numbers."""
    return (ctypes.c_int64 * count).from_address(block.address)


class Job:
    """Records with the counters of one context."""

    def __init__(self, records: Records, context: Context) -> None:
        self.records = records
        self.block = Block(d.JOB_WORDS * 8)
        self.words = words(self.block, d.JOB_WORDS)
        self.address = self.block.address
        self.threads = 0
        self.words[d.RECORDS], self.words[d.COUNT] = records.block.address, records.count
        self.words[d.SLOTS], self.words[d.STRIDE] = context.table.address, context.program.stride
        self.words[d.POINTERS], self.words[d.REPEAT] = context.program.pointer_bytes, records.turns
        self.grow(1)

    def grow(self, threads: int) -> None:
        """Make room for that many threads. All counters start anew, so the number of the run does too."""
        self.threads = threads
        lines = self.records.count * threads + self.records.groups
        self.counters = Block((lines + threads) * d.LINE)
        start = self.counters.address
        self.words[d.COUNTERS], self.words[d.PARTS] = start, threads
        self.words[d.DONE] = start + self.records.count * threads * d.LINE
        self.words[d.STATUS] = start + lines * d.LINE
        self.words[d.RUN] = 0

    def failure(self, threads: int) -> tuple[int, int, int, int]:
        """The first error: (place in the list of records, code, and what it says)."""
        base = (self.words[d.STATUS] - self.counters.address) // 8
        status = words(self.counters, self.counters.size // 8)
        found = []
        for t in range(threads):
            code, a, b, place = status[base + 8 * t : base + 8 * t + 4]
            if code:
                found.append((place - 1, code, a, b))
        return min(found)


class Context:
    """What one run at a time uses."""

    def __init__(self, program: Program) -> None:
        self.program = program
        count = len(program.layout.slots)
        self.table = Block(8 * max(1, count))
        self.words = words(self.table, count)
        first, last = program.locals
        self.locals = np.frombuffer(self.words, np.int64)[first:last] if count else np.empty(0, np.int64)
        self.base = 0
        self.scratch = 0
        self.kept: Kept | None = None
        self.own: Kept | None = None
        """Memory for values that are not kept."""
        self.jobs: dict[tuple[bool, ...], list[Job | HostStep]] = {}
        for place, address in program.constant_addresses:
            self.words[place] = address

    def steps(self, pattern: tuple[bool, ...]) -> list[Job | HostStep]:
        """What to run, in order, when the results of these sets of kept launches are there already."""
        found = self.jobs.get(pattern)
        if found is None:
            made = self.program.segments(pattern)
            found = self.jobs[pattern] = [Job(s, self) if isinstance(s, Records) else s for s in made]
        return found

    def move_to(self, base: int) -> None:
        """The arena is there now."""
        self.base = base
        np.add(self.program.offsets, base, out=self.locals)
        self.scratch = base + self.program.arena_bytes


class Program:
    """A graph's kernels, ready to run.

    Args:
        builder: slots and steps.
        outputs: the slot of each result of a run.
        replaced: pairs of slots (output, input): the output may take the memory of the input where that is given up.

    Attributes:
        layout: what was decided about it.
        arena_bytes: size of the arena of one run.
        runs: how often it ran.

    >>> from onegraph.ir.dtype import float32
    >>> builder = ProgramBuilder()
    >>> x, y = builder.input((2,), float32), builder.output((2,), float32)
    >>> builder.host(lambda arrays: [arrays[0] * 2], (x,), (y,))
    >>> program = Program(builder, [y])
    >>> program.run([Buffer(np.array([1, 2], np.float32), float32)])[0].array
    array([2., 4.], dtype=float32)
    """

    def __init__(
        self, builder: ProgramBuilder, outputs: Sequence[int], replaced: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.layout = layout = Layout(builder.slots, builder.steps, replaced)
        self.outputs = tuple(outputs)
        if any(layout.slots[o].kind == LOCAL for o in outputs):
            raise ValueError("results of a program must be outputs, inputs or constants, or parts of them")
        self.runs = 0
        self._number_slots()
        launches = launches_of(layout.steps)
        addresses = build([s.kernel for s in launches])
        self.functions = {id(s.kernel): a for s, a in zip(launches, addresses, strict=True)}
        self.pointer_bytes = _round(8 * max([len(s.buffers) for s in launches], default=1))
        # Half a page apart: threads that use the same place of their scratch do not meet in the same cache set.
        self.stride = _round(self.pointer_bytes + max([s.kernel.scratch for s in launches], default=0)) + 2112
        known = all(_work(s.kernel) for s in launches)
        work = sum(_work(s.kernel) for s in launches)
        self.parallel = any(_grain(s) < s.kernel.tasks for s in launches) and (work > _SMALL or not known)
        self._segments: dict[tuple[bool, ...], list[Records | HostStep]] = {}
        self._all = (False,) * len(layout.keeps)
        self.kept = KeptValues(layout) if layout.keeps else None
        self._contexts: list[Context] = []

    def _number_slots(self) -> None:
        """Order the table of addresses: inputs, outputs, then locals of the arena, then the rest."""
        slots = self.layout.slots
        roots = [i for i, s in enumerate(slots) if s.base is None]
        self._inputs = [i for i in roots if slots[i].kind == INPUT]
        self._made = [i for i in roots if slots[i].kind == OUTPUT]
        kept = {s for group in self.layout.kept for s in group}
        inside = [i for i, s in enumerate(slots) if s.kind == LOCAL and self.layout.root(i) not in kept]
        chosen = {*self._inputs, *self._made, *inside}
        order = [*self._inputs, *self._made, *inside, *(i for i in range(len(slots)) if i not in chosen)]
        self.places = {slot: place for place, slot in enumerate(order)}
        self._pack = struct.Struct(f"={len(self._inputs) + len(self._made)}q").pack_into
        start = len(self._inputs) + len(self._made)
        self.locals = start, start + len(inside)
        arena = self.layout.arena
        self.offsets = np.array([arena.offsets[self.layout.root(i)] + slots[i].offset for i in inside], np.int64)
        self.arena_bytes = arena.total
        self.constant_addresses: list[tuple[int, int]] = []
        self._moving: list[tuple[int, int, int]] = []  # parts of inputs and outputs: place, place of base, offset
        for i, slot in enumerate(slots):
            root = slots[self.layout.root(i)]
            if slot.kind == CONSTANT:
                assert root.array is not None
                self.constant_addresses.append((self.places[i], root.array.ctypes.data + slot.offset))
            elif slot.base is not None and slot.kind in (INPUT, OUTPUT):
                self._moving.append((self.places[i], self.places[slot.base], slot.offset))
        self.shelves = [results.shelf(slots[i].shape, slots[i].dtype) for i in self._made]
        self._plain = list(self.outputs) == self._made
        self._taken = {self.places[old]: self._made.index(new) for new, old in self.layout.replaced}
        self._same = {i: Buffer(s.array, s.dtype) for i, s in enumerate(slots) if s.array is not None}

    def segments(self, pattern: tuple[bool, ...]) -> list[Records | HostStep]:
        """The steps without those whose results are kept: records between Python functions."""
        found = self._segments.get(pattern)
        if found is not None:
            return found
        kept = {keep for keep, there in zip(self.layout.keeps, pattern, strict=False) if there}
        made: list[Records | HostStep] = []
        run: list[int] = []

        def flush() -> None:
            if run:
                launches = launches_of([self.layout.steps[i] for i in run])
                made.append(Records(self, launches, None, self.layout.barriers(run)))
                run.clear()

        for i, step in enumerate(self.layout.steps):
            if isinstance(step, HostStep):
                flush()
                made.append(step)
            elif isinstance(step, Loop):
                flush()
                made.append(Records(self, step.launches, step, step.barriers))
            elif step.keep is None or step.keep not in kept:
                if run and run[0] < self.layout.checked <= i and self._taken:
                    flush()  # only when these have gone well is anything written over
                run.append(i)
        flush()
        self._segments[pattern] = made
        return made

    # ---------------------------------------------------------------------------------------------------- run

    def run(self, inputs: Sequence[Buffer], given_up: Sequence[int] = ()) -> list[Buffer]:
        """Compute the outputs from the inputs, both in the order of the graph.

        Args:
            inputs: the values.
            given_up: numbers of inputs that nobody will look at again; some become the outputs that replace them.

        Raises:
            OutOfRangeError, DivisionError: what a kernel found wrong with the values.
            OutOfMemoryError: when there is no room for the results or the arena.
        """
        self.runs += 1
        if settings.guard_pages:
            from onegraph.backends.native.guard import run_guarded

            return run_guarded(self, inputs)
        try:
            context = self._contexts.pop()
        except IndexError:
            context = Context(self)
        threads = settings.threads if self.parallel else 1
        addresses = [b.address or address_of(b) for b in inputs]
        taken = [i for i in given_up if i in self._taken]
        try:
            made = self._take(inputs, taken) if taken else results.take(self.shelves)
            arena = arenas.take(self.arena_bytes + threads * self.stride)
        except OutOfMemoryError as error:
            self._contexts.append(context)
            raise explain_shortage(self.layout, self.arena_bytes, error) from None
        addresses += [b.address for b in made]
        try:
            table = context.words
            self._pack(table, 0, *addresses)
            if arena.address != context.base:
                context.move_to(arena.address)
            for place, base, offset in self._moving:
                table[place] = table[base] + offset
            if self.kept is None:
                self._run_steps(context, context.steps(self._all), threads)
            else:
                self._run_kept(context, inputs, threads, self.kept)
        finally:
            for i in taken:
                inputs[i].serial = 0  # it is another value now
            arenas.give(arena)
            self._contexts.append(context)
        return self.results(inputs, made)

    def _take(self, inputs: Sequence[Buffer], taken: Sequence[int]) -> list[Buffer]:
        """The buffers of the outputs, some of them inputs until now."""
        places = {self._taken[i]: inputs[i] for i in taken}
        fresh = iter(results.take([s for n, s in enumerate(self.shelves) if n not in places]))
        return [places[n] if n in places else next(fresh) for n in range(len(self.shelves))]

    def results(self, inputs: Sequence[Buffer], made: list[Buffer]) -> list[Buffer]:
        """The buffers of the outputs, given those of the inputs and those of the OUTPUT slots."""
        return made if self._plain else [self._result(slot, inputs, made) for slot in self.outputs]

    def _run_kept(self, context: Context, inputs: Sequence[Buffer], threads: int, kept: KeptValues) -> None:
        pattern, state = kept.prepare(inputs, context.own)
        if context.kept is not state:
            for slot, address in state.addresses:
                context.words[self.places[slot]] = address
            context.kept = state
        context.own = None if state.shared else state
        self._run_steps(context, context.steps(pattern), threads)
        if state.shared:
            kept.publish(state)

    def _run_steps(self, context: Context, steps: list[Job | HostStep], threads: int) -> None:
        for step in steps:
            if isinstance(step, HostStep):
                self.call_host(step, context.words)
            else:
                self._run_job(context, step, threads)

    def _run_job(self, context: Context, job: Job, threads: int) -> None:
        job.words[d.SCRATCH] = context.scratch
        if job.threads < threads:
            job.grow(threads)
        recorder = profile.recorder
        if recorder is not None:
            failed = recorder.run(self, job, threads)
        else:
            failed = driver().run(job.address, pools.get(threads).address if threads > 1 else None, threads)
        if failed:
            raise self.error(job, threads)

    def call_host(self, step: HostStep, table: Any) -> None:
        """Call a Python function on arrays over the memory of its slots."""
        slots = self.layout.slots

        def array(slot: int) -> Array:
            return view(table[self.places[slot]], slots[slot].shape, slots[slot].dtype.numpy, None)

        given = step.function([array(r) for r in step.reads])
        for slot, value in zip(step.writes, given, strict=True):
            target = array(slot)
            if value.shape != target.shape or value.dtype != target.dtype:
                wanted = f"{target.shape} {target.dtype}"
                raise ValueError(f"{step.label}: gave {value.shape} {value.dtype} where {wanted} was due")
            np.copyto(target, value)

    def _result(self, slot: int, inputs: Sequence[Buffer], made: list[Buffer]) -> Buffer:
        place, about = self.places[slot], self.layout.slots[slot]
        if about.base is None and about.kind == CONSTANT:
            return self._same[slot]
        if about.base is None:
            return inputs[place] if place < len(self._inputs) else made[place - len(self._inputs)]
        whole = self._result(about.base, inputs, made)
        raw = whole.array.reshape(-1).view(np.uint8)[about.offset : about.offset + _dense(about.shape, about.dtype)]
        return Buffer(raw.view(about.dtype.numpy).reshape(about.shape), about.dtype)

    def error(self, job: Job, threads: int) -> Exception:
        """The exception for what a kernel noted in its status."""
        place, code, a, b = job.failure(threads)
        launch = job.records.launches[place]
        if launch.error is not None:
            return launch.error(code, a, b)
        name = launch.label or launch.kernel.name
        if code == BAD_INDEX:
            return OutOfRangeError(f"{name}: index {a} is out of range for size {b}", location=launch.location)
        if code == DIVISION_BY_ZERO:
            return DivisionError(f"{name}: integer division by zero", location=launch.location)
        return OneGraphError(f"{name}: error {code} ({a}, {b})", location=launch.location)

    def describe(self) -> str:
        """One line a step: where threads wait, what it does, and to what."""
        lines = [f"arena {self.arena_bytes:,} bytes (at least {self.layout.arena.most_alive:,})"]
        for i, step in enumerate(self.layout.steps):
            wait = "wait " if i and self.layout.times[i] != self.layout.times[i - 1] else "     "
            reads, writes = (", ".join(map(self._name, s)) for s in (step.reads, step.writes))
            if isinstance(step, Launch):
                kept = "" if step.keep is None else "  kept"
                lines.append(
                    f"{wait}{writes} = {step.label or step.kernel.name}({reads})  {step.kernel.tasks} tasks{kept}"
                )
            elif isinstance(step, Loop):
                lines.append(f"{wait}{writes} = {step.label}({reads})  {step.turns} turns of")
                lines += [f"         {s.label or s.kernel.name}  {s.kernel.tasks} tasks" for s in step.launches]
            else:
                lines.append(f"{wait}{writes} = {step.label or 'python'}({reads})  in Python")
        return "\n".join(lines)

    def _name(self, slot: int) -> str:
        about = self.layout.slots[slot]
        size = f"{about.dtype.short}[{','.join(map(str, about.shape))}]"
        return f"{about.kind[0]}{slot}:{size}"


def _round(size: int) -> int:
    return -(-size // 64) * 64


def _dense(shape: tuple[int, ...], dtype: Any) -> int:
    return int(np.prod(shape, dtype=np.int64)) * int(dtype.itemsize)
