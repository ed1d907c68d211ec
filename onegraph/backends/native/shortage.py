"""When there is no memory for a plan: which values are large where it needs most, and what to lower.

Read next: `arena.py`, which decides where values lie; `memory.py`, which found that there is not enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from onegraph.backends.native.layout import LOCAL, OUTPUT, Launch, Layout, Loop, Step, launches_of
from onegraph.errors import OutOfMemoryError, describe_location
from onegraph.ops.shapes import show

_SHOWN = 4


@dataclass(frozen=True)
class _Held:
    """A value in memory at the moment when most is.

    Attributes:
        nbytes: size.
        shape: of the value, as kernels see it.
        text: what it is.
    """

    nbytes: int
    shape: tuple[int, ...]
    text: str


def explain_shortage(layout: Layout, arena_bytes: int, error: OutOfMemoryError) -> OutOfMemoryError:
    """An error that says what a plan needs memory for.

    Args:
        layout: of the program.
        arena_bytes: what one run needs for inner values.
        error: what was raised; it says how much there is.
    """
    held = sorted(_at_the_peak(layout), key=lambda h: -h.nbytes)
    result_bytes = sum(s.nbytes for s in layout.slots if s.kind == OUTPUT and s.base is None)
    groups: Counter[str] = Counter()
    sizes: dict[str, int] = {}
    for value in held:
        groups[value.text] += 1
        sizes[value.text] = value.nbytes
    largest = sorted(groups, key=lambda text: -groups[text] * sizes[text])[:_SHOWN]
    lines = [
        f"{_megabytes(groups[t] * sizes[t])} in {groups[t]} of {t}" if groups[t] > 1 else f"{_megabytes(sizes[t])} {t}"
        for t in largest
    ]
    listed = "".join(f"\n    {line}" for line in lines)
    return OutOfMemoryError(
        f"{error.message}: inner values take {_megabytes(arena_bytes)}, results {_megabytes(result_bytes)}. "
        f"The largest that are needed at the same time:{listed}",
        hint=_advice(held),
        location=error.location,
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _at_the_peak(layout: Layout) -> list[_Held]:
    """The inner values that are alive when most is, and all results."""
    life: dict[int, tuple[int, int]] = {}
    maker: dict[int, Step] = {}
    for step, moment in zip(layout.steps, layout.times, strict=True):
        for slot in map(layout.root, (*step.reads, *step.writes)):
            life[slot] = (life[slot][0] if slot in life else moment, moment)
        for slot in map(layout.root, step.writes):
            maker.setdefault(slot, step)
    inner = {s: span for s, span in life.items() if layout.slots[s].kind == LOCAL}
    change: Counter[int] = Counter()
    for slot, (first, last) in inner.items():
        change[first] += layout.slots[slot].nbytes
        change[last + 1] -= layout.slots[slot].nbytes
    most = now = peak = 0
    for moment in sorted(change):
        now += change[moment]
        if now > most:
            most, peak = now, moment
    alive = [s for s, (first, last) in inner.items() if first <= peak <= last]
    alive += [i for i, s in enumerate(layout.slots) if s.kind == OUTPUT and s.base is None]
    return [_Held(layout.slots[s].nbytes, layout.slots[s].shape, _name(layout, s, maker.get(s))) for s in alive]


def _name(layout: Layout, slot: int, step: Step | None) -> str:
    place = layout.slots[slot]
    what = "result" if place.kind == OUTPUT else "inner value"
    label = step.label if step is not None else ""
    launch: Launch | None = None
    if isinstance(step, Launch):
        launch = step
    elif isinstance(step, Loop):
        launch = next((x for x in launches_of([step]) if x.location), None)
    line = f" at {describe_location(launch.location)}" if launch is not None and launch.location else ""
    return f"{place.dtype.name} {show(place.shape)}, {what}{f' of {label}' if label else ''}{line}"


def _advice(held: Sequence[_Held]) -> str:
    """What most of the memory has in common is the batch, or nothing."""
    total = sum(h.nbytes for h in held)
    first: Counter[int] = Counter()
    for value in held:
        if len(value.shape) > 1:
            first[value.shape[0]] += value.nbytes
    ways = []
    if first:
        size, share = first.most_common(1)[0]
        if size > 1 and share * 2 > total:
            ways.append(f"a batch smaller than {size:,} (half of it takes about {share / 2e6:,.0f} MB less)")
    ways.append("og.utils.checkpoint around large blocks in training, og.autocast, or smaller sizes of the model")
    return "lower: " + "; ".join(ways)
