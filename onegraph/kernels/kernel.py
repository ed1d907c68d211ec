"""A kernel: the text of a function that does some of the tasks of one piece of work.

Every kernel has the signature `void KERNEL(ptr buffers, i64 first, i64 last, ptr scratch, ptr status)`:

- buffers: an array of pointers, one for each buffer of the kernel.
- It does the tasks first <= t < last. Tasks write disjoint memory and any split over threads gives the same bits.
- scratch: memory of the calling thread, aligned to 64 bytes, as large as the kernel asks for; nothing is known of
  what it holds.
- status: four i64, zero at first. On an error the kernel stores a code from below in status[0] (and, if it likes, two
  numbers that explain it in status[1] and status[2]) and goes on without touching memory that is not its own.

Read next: `builder.py`, which turns kernels into addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

ENTRY = "KERNEL"
"""What a kernel's text calls its function; the builder puts a name made from the content in its place."""

BAD_INDEX = 1
"""status[0]: an index (status[1]) is outside 0 .. size - 1 (status[2])."""
DIVISION_BY_ZERO = 2
"""status[0]: an integer was divided by zero."""


@dataclass(frozen=True)
class Kernel:
    """Code and what is known of it.

    Attributes:
        name: for people: tables of the profiler, descriptions.
        text: a module of LLVM IR that defines `@KERNEL`.
        tasks: how many tasks there are.
        scratch: bytes of scratch memory that each thread needs.
        flops: floating-point operations of all tasks together.
        bytes: bytes that all tasks together must read and write at least.
        description: one or more lines for `explain`.
    """

    name: str
    text: str
    tasks: int
    scratch: int = 0
    flops: int = 0
    bytes: int = 0
    description: str = ""

    @property
    def can_fail(self) -> bool:
        """Whether the code uses the status that it is given."""
        return self.text.count("%status") > 1


MOST_REMEMBERED = 4096
_written: dict[Hashable, Kernel] = {}


def remembered(key: Hashable, name: str, write: Callable[[], Kernel]) -> Kernel:
    """The kernel of a key, written once: networks repeat their layers. The name, which is for people, may differ."""
    found = _written.get(key)
    if found is None:
        if len(_written) > MOST_REMEMBERED:
            _written.clear()
        found = _written[key] = write()
    return found if found.name == name else replace(found, name=name)
