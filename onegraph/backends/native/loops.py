"""Scans without Python: the launches of a body, repeated by the driver on memory that moves along.

Rows are read and written where they are, a step further in each turn. A carry lies in one of two places in turn, or, if
its values of all steps are wanted, in a row of its own for each step. What does not change from step to step (a packed
weight) is computed once, before the loop. Read next: `layout.py` (`Loop`), `driver_text.py`; `control.py` has the
loops that this cannot do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from onegraph.backends.native.arena import Range, place_barriers, plan_arena
from onegraph.backends.native.launch import Launch, Place, Repeated
from onegraph.backends.native.prepare import Body
from onegraph.ir.dtype import uint8
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological
from onegraph.kernels.kernel import Kernel
from onegraph.kernels.llvm import Module
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.ops.index import shape_of
from onegraph.passes.pipeline import optimize

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

Move = tuple[int, int]
"""Bytes further in each turn, and the mask of the turn's number that counts."""
STAY: Move = (0, 0)
_COPY = 1 << 15
"""Bytes of a copy that make a task."""


@dataclass
class Scan:
    """A scan of which only what is used is computed.

    Attributes:
        carries: numbers of the carries that are needed, in order; the first results of `body` belong to them.
        stacked: numbers of the stacked results that are used; the other results of `body`.
        items: the item nodes that are used, by their number.
    """

    node: Node
    carries: list[int]
    stacked: list[int]
    items: dict[int, list[Node]]
    body: Graph

    @property
    def turns(self) -> int:
        """How many steps."""
        return int(self.node.attributes["length"])

    @property
    def reverse(self) -> bool:
        """Whether the last row comes first."""
        return bool(self.node.attributes["reverse"])

    def first(self, row: int) -> tuple[int, Move]:
        """Where rows of so many bytes start, and how they go on."""
        return ((self.turns - 1) * row, (-row, -1)) if self.reverse else (0, (row, -1))


def used_part(node: Node, items: Sequence[Node]) -> Scan:
    """What of a scan the items need."""
    body: Graph = node.attributes["body"]
    carried = node.attributes["carried"]
    numbers: dict[int, list[Node]] = {}
    for item in items:
        numbers.setdefault(item.attributes["index"], []).append(item)
    results = len(body.outputs)
    stacked = [i for i in range(carried, results) if i in numbers]
    needed = {i for i in range(carried) if i in numbers or results + i in numbers}
    parameters = {x: i for i, x in enumerate(body.inputs[:carried])}
    while True:
        reached = topological([body.outputs[i] for i in (*sorted(needed), *stacked)])
        more = needed | {parameters[n] for n in reached if n in parameters}
        if more == needed:
            break
        needed = more
    carries = sorted(needed)
    outputs = [body.outputs[i] for i in (*carries, *stacked)]
    return Scan(node, carries, stacked, numbers, Graph(body.inputs, outputs, "body"))


@dataclass
class _Memory:
    """Where places of the body are outside: a place there, and how it moves."""

    lowering: Lowering
    scan: Scan
    places: dict[Place, tuple[Place, Move]] = field(default_factory=dict)
    reads: list[Place] = field(default_factory=list)
    writes: list[Place] = field(default_factory=list)

    def temporary(self, size: int, name: str) -> Place:
        """New memory outside."""
        return Place("temporary", size, uint8, (size,), name=name)

    def part(self, base: Place, offset: int, like: Place) -> Place:
        """A part of memory outside, seen as a value."""
        return Place(base.kind, like.bytes, like.dtype, like.shape, name=like.name, base=base, offset=offset)

    def copy(self, source: Place, target: Place) -> None:
        """Copy before or after the loop."""
        if target.bytes:
            kernel = copy_kernel(target.bytes)
            self.lowering.launches.append(Launch([source], [target], [source, target], kernel, nodes=(self.scan.node,)))


def emit_scan_loop(lowering: Lowering, group: Group, stored: set[Node]) -> None:
    """The launches of a scan: what is done before, the loop, what is done after."""
    from onegraph.backends.native.lowering import Lowering as Inner

    node = group.root
    assert node is not None
    items = [n for n in lowering.fusion.order if n.op == "item" and n.inputs[0] is node]
    scan = used_part(node, items)
    scan.body = optimize(scan.body)
    moving = node.attributes["carried"] + node.attributes["scanned"]
    constants = frozenset(scan.body.inputs[moving:])
    lowered = Inner(scan.body, lowering.target, Body(len(scan.carries), constants)).run()
    if any(launch.kernel is None for launch in lowered.launches):
        lowering.host(node)
        return
    memory = _Memory(lowering, scan)
    before, launches = _invariant([s for s in lowered.launches if s.kernel and s.kernel.tasks], lowered.inputs, scan)
    _place_operands(memory, lowered.inputs)
    lowering.launches += [_moved(memory, launch) for launch in before]
    after = _place_results(memory, lowered.inputs, lowered.outputs)
    barriers = _place_locals(memory, launches)
    moves = [[memory.places.get(p, (p, STAY))[1] for p in launch.buffers] for launch in launches]
    turned = [_moved(memory, launch) for launch in launches]
    known = [p for launch in turned for p in launch.reads if p.kind == "constant"]
    reads = list(dict.fromkeys([*memory.reads, *known, *[w for launch in before for w in launch.writes]]))
    if scan.turns and turned:
        loop = Repeated(turned, moves, barriers, scan.turns)
        lowering.launches.append(Launch(reads, memory.writes, [*reads, *memory.writes], loop=loop, nodes=(node,)))
    for source, target in after:
        memory.copy(source, target)


def _invariant(launches: list[Launch], inputs: Sequence[Place], scan: Scan) -> tuple[list[Launch], list[Launch]]:
    """The launches whose results are the same in every turn, and the others."""
    moving = scan.node.attributes["carried"] + scan.node.attributes["scanned"]
    varying = set(inputs[:moving]) | {w for launch in launches for w in launch.writes if w.kind == "output"}
    while True:
        more = [
            s for s in launches if not varying.isdisjoint([*s.reads, *s.writes]) and not varying.issuperset(s.writes)
        ]
        if not more:
            break
        varying.update(w for s in more for w in s.writes)
    before = [s for s in launches if varying.isdisjoint([*s.reads, *s.writes])]
    return before, [s for s in launches if s not in before]


def _place_operands(memory: _Memory, inputs: Sequence[Place]) -> None:
    """Rows move along, constants stay where they are. Carries come later."""
    scan, lowering = memory.scan, memory.lowering
    a = scan.node.attributes
    for i, (place, operand) in enumerate(zip(inputs, lowering.prepared.whole[scan.node], strict=True)):
        if i < a["carried"]:
            continue
        outside = lowering.place_of(operand)
        memory.reads.append(outside)
        if i >= a["carried"] + a["scanned"]:
            memory.places[place] = outside, STAY
        elif scan.turns:
            offset, move = scan.first(place.bytes)
            memory.places[place] = memory.part(outside, offset, place), move


def _place_results(memory: _Memory, inputs: Sequence[Place], outputs: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Carries and stacked results; gives the copies to be made after the loop."""
    scan, lowering = memory.scan, memory.lowering
    results = len(scan.node.attributes["body"].outputs)
    after: list[tuple[Place, Place]] = []
    shared: dict[Place, tuple[Place, int]] = {}

    def give(number: int, base: Place, offset: int, first: Place | None = None) -> None:
        """An item is this part of memory, unless it has a place already."""
        for item in scan.items.get(number, ()):
            known = lowering.places.get(item)
            size = prod(shape_of(item)) * item.dtype.itemsize
            part = Place(base.kind, size, item.dtype, shape_of(item), name=item.op, base=base, offset=offset)
            if known is None:
                lowering.places[item] = part
            elif known is not first:
                after.append((part, known))

    for number, i in enumerate(scan.carries):
        old, new = inputs[i], outputs[number]
        start = lowering.place_of(lowering.prepared.whole[scan.node][i])
        size = old.bytes
        if results + i in scan.items or new in outputs[len(scan.carries) :]:
            base = memory.temporary((scan.turns + 1) * size, "carries")
            at, (step, mask) = (scan.turns * size, (-size, -1)) if scan.reverse else (0, (size, -1))
            end = at + scan.turns * step
            give(results + i, base, size if scan.reverse else 0)
            shared[new] = base, 0 if scan.reverse else size
        else:
            size = -(-size // 64) * 64
            base = memory.temporary(2 * size, "carry")
            at, step, mask = 0, size, 1
            end = scan.turns % 2 * size
        memory.writes.append(base)
        memory.places[old] = memory.part(base, at, old), (step, mask)
        memory.places[new] = memory.part(base, at + step, new), (step if mask < 0 else -step, mask)
        memory.copy(start, memory.part(base, at, old))
        give(i, base, end)
    for place, i in zip(outputs[len(scan.carries) :], scan.stacked, strict=True):
        if place in shared:
            give(i, *shared[place])
            continue
        item = scan.items[i][0]
        known = lowering.places.get(item)
        whole = known or memory.temporary(prod(shape_of(item)) * item.dtype.itemsize, "rows")
        memory.writes.append(whole)
        give(i, whole, 0, whole)
        if scan.turns:
            offset, move = scan.first(place.bytes)
            memory.places[place] = memory.part(whole, offset, place), move
    return after


def _place_locals(memory: _Memory, launches: Sequence[Launch]) -> list[bool]:
    """Temporary values of a turn get places in one piece of memory; gives where threads must wait."""
    own = {
        p: p.bytes for s in launches for p in (*s.reads, *s.writes) if p.kind == "temporary" and p not in memory.places
    }
    written = {p for s in launches for p in s.writes}
    own = {p: size for p, size in own.items() if p in written}
    apart: dict[Place, int] = {}
    at = 1 << 60
    for p in dict.fromkeys(p for s in launches for p in (*s.reads, *s.writes)):
        apart[p] = at
        at += p.bytes + 64

    def ranges() -> list[tuple[list[Range], list[Range]]]:
        def of(p: Place) -> Range:
            return apart[p], apart[p] + p.bytes

        return [([of(p) for p in s.reads], [of(p) for p in s.writes]) for s in launches]

    times, now = [], 0
    for flag in place_barriers(ranges()):
        now += flag
        times.append(now)
    pairs = [p for s in launches for p in s.in_place]
    arena = plan_arena([(s.reads, s.writes) for s in launches], own, pairs, times)
    if own:
        work = memory.temporary(arena.total, "work")
        memory.writes.append(work)
        for p in own:
            memory.places[p] = memory.part(work, arena.offsets[p], p), STAY
            apart[p] = arena.offsets[p]
    return place_barriers(ranges())


def _moved(memory: _Memory, launch: Launch) -> Launch:
    """A launch of the body on the places outside."""

    def outside(places: Sequence[Place]) -> list[Place]:
        return [memory.places.get(p, (p, STAY))[0] for p in places]

    return Launch(
        outside(launch.reads),
        outside(launch.writes),
        outside(launch.buffers),
        launch.kernel,
        nodes=launch.nodes,
        error=launch.error,
    )


def copy_kernel(size: int) -> Kernel:
    """A kernel that copies so many bytes."""
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, _, _ = f.arguments
    source, target = (f.load("ptr", f.element(buffers, "ptr", i)) for i in range(2))
    start = f.mul(first, _COPY)
    length = f.sub(f.minimum(f.mul(last, _COPY), size), start)
    module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
    to, origin = f.element(target, "i8", start), f.element(source, "i8", start)
    f.line(f"call void @llvm.memcpy.p0.p0.i64({to}, {origin}, {length}, i1 false)")
    f.ret()
    return Kernel("copy", str(module), -(-size // _COPY), 0, 0, 2 * size, f"{size} bytes")
