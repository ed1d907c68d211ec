"""Running a program with every value against a page that nobody may touch, to find accesses out of bounds (for tests).

Each value lies alone in memory, filled with ones beforehand, and ends where a forbidden page begins: a kernel that reads or
writes past the end of a buffer, or of its scratch memory, stops the process at that instruction. Switched on by the
setting `guard_pages`. Read next: `program.py`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onegraph.backends.contract import Buffer
from onegraph.backends.native import driver_text as d
from onegraph.backends.native.driver import driver
from onegraph.backends.native.layout import CONSTANT, INPUT, OUTPUT, HostStep
from onegraph.backends.native.memory import GuardedBlock, results

if TYPE_CHECKING:
    from onegraph.backends.native.program import Context, Program


def run_guarded(program: Program, inputs: Sequence[Buffer]) -> list[Buffer]:
    """What `Program.run` does, on one thread and slowly; nothing is kept from earlier runs."""
    from onegraph.backends.native.program import Context, address_of

    context = Context(program)
    slots = program.layout.slots
    addresses = [b.address or address_of(b) for b in inputs]
    made = results.take(program.shelves)
    blocks: dict[int, GuardedBlock] = {}
    for i, slot in enumerate(slots):
        if slot.base is None:
            block = blocks[i] = GuardedBlock(slot.nbytes)
            context.words[program.places[i]] = block.address
            if slot.kind == INPUT:
                ctypes.memmove(block.address, addresses[program.places[i]], slot.nbytes)
            elif slot.kind == CONSTANT and slot.array is not None:
                ctypes.memmove(block.address, slot.array.ctypes.data, slot.nbytes)
    for i, slot in enumerate(slots):
        if slot.base is not None:
            context.words[program.places[i]] = blocks[slot.base].address + slot.offset
    _run(program, context)
    outputs = [i for i, s in enumerate(slots) if s.kind == OUTPUT and s.base is None]
    for i, buffer in zip(outputs, made, strict=True):
        ctypes.memmove(buffer.address, blocks[i].address, slots[i].nbytes)
    return program.results(inputs, made)


def _run(program: Program, context: Context) -> None:
    nothing: Any = (False,) * len(program.layout.keeps)
    for step in context.steps(nothing):
        if isinstance(step, HostStep):
            program.call_host(step, context.words)
            continue
        most = max(s.kernel.scratch for s in step.records.launches)
        scratch = GuardedBlock(program.pointer_bytes + -(-most // 64) * 64)
        step.words[d.SCRATCH] = scratch.address
        if driver().run(step.address, None, 1):
            raise program.error(step, 1)
