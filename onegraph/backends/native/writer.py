"""From a group of fused values to a loop nest: statements for what the nodes compute, phases for what is reduced.

Read next: `fusion.py` (what a group is), `kernels/nest.py` (what comes out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from onegraph.backends.native.arrangement import Arrangement, Storage
from onegraph.backends.native.blocks import cut_into_blocks
from onegraph.backends.native.fusion import Group
from onegraph.backends.native.launch import Place
from onegraph.backends.native.materialize import CHEAP
from onegraph.backends.native.reading import aligned, is_movement, is_reduction, movement_reads, taken_position
from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32
from onegraph.ir.node import Attributes, Node
from onegraph.kernels.nest import Nest, Phase, Store
from onegraph.kernels.nest_code import UNROLL, split_outer
from onegraph.kernels.target import Target
from onegraph.ops.index import Condition, Index, Position, Var, linear, shape_of

MOST_CHUNKS = 64
"""Into how many pieces a long reduction is cut at most."""
CHUNK_WORK = 16384
"""Elements that make a piece of a reduction worth a task."""


class Writer:
    """Writes statements for nodes into a nest.

    Args:
        nest: where to.
        storage_of: the storage of a value that is in memory, None for others.
        place_of: the place of a value that is in memory.
    """

    def __init__(
        self, nest: Nest, storage_of: Callable[[Node], Storage | None], place_of: Callable[[Node], Place]
    ) -> None:
        self.nest = nest
        self.storage_of = storage_of
        self.place_of = place_of
        self.registers: dict[Node, int] = {}
        self.buffers: dict[Node, int] = {}
        self.places: list[Place | None] = []
        """For each buffer of the nest its place; None for those in scratch memory."""
        self._memo: dict[tuple[Node, Position, tuple[Condition, ...]], int] = {}

    def buffer(self, node: Node) -> int:
        """The number of a value's buffer."""
        number = self.buffers.get(node)
        if number is None:
            number = self.buffers[node] = self.add_buffer(self.place_of(node), node.dtype)
        return number

    def add_buffer(self, place: Place | None, dtype: DType) -> int:
        """The number of a new buffer; without a place it is in scratch memory."""
        self.places.append(place)
        self.nest.buffers.append(dtype)
        return len(self.nest.buffers) - 1

    def value(self, node: Node, position: Position, conditions: tuple[Condition, ...] = ()) -> int:
        """The statement that is the value of a node at a position. Where the conditions do not hold, it is anything."""
        found = self.registers.get(node)
        if found is not None:
            return found
        key = (node, position, conditions)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._value(node, position, conditions)
        return found

    def _value(self, node: Node, position: Position, conditions: tuple[Condition, ...]) -> int:
        storage = self.storage_of(node)
        if storage is not None:
            return self.nest.load(self.buffer(node), storage.at(position), conditions)
        return self.define(node, position, conditions)

    def define(self, node: Node, position: Position, conditions: tuple[Condition, ...] = ()) -> int:
        """The statement that computes a node, whether or not it is in memory."""
        nest = self.nest
        if node.op == "constant":
            array = node.attributes["value"].array
            number = bfloat16_to_float32(array).item() if node.dtype is bfloat16 else array.item()
            return nest.constant(number, node.dtype)
        if node.op == "iota":
            counted = nest.position(position[0])
            attributes = {"dtype": node.dtype}
            return (
                counted
                if node.dtype.name == "int64"
                else nest.apply("cast", Attributes(attributes), [counted], node.dtype)
            )
        if is_movement(node):
            return self._moved(node, position, conditions)
        if node.op == "take":
            return self._taken(node, position, conditions)
        if node.op == "random_bits":
            return nest.random(self.buffer(node.inputs[0]), linear(position, shape_of(node)))
        inputs = [self.value(i, aligned(position, shape_of(i)), conditions) for i in node.inputs]
        if conditions and node.op in ("floor_div", "mod") and node.dtype.kind != "float":
            inputs[1] = nest.choose(conditions, inputs[1], nest.constant(1, node.dtype))  # elsewhere it may be 0
        return nest.apply(node.op, node.attributes, inputs, node.dtype)

    def _moved(self, node: Node, position: Position, conditions: tuple[Condition, ...]) -> int:
        *first, last = movement_reads(node, position)
        result = self.value(node.inputs[last.input], last.position, conditions + last.conditions)
        for read in reversed(first):
            value = self.value(node.inputs[read.input], read.position, conditions + read.conditions)
            result = self.nest.choose(read.conditions, value, result) if read.conditions else value
        return result

    def _taken(self, node: Node, position: Position, conditions: tuple[Condition, ...]) -> int:
        at, source = taken_position(node, position)
        indices = [self.value(i, at, conditions) for i in node.inputs[1:]]
        storage = self.storage_of(node.inputs[0])
        assert storage is not None
        dim = node.attributes["dim"]
        shape = shape_of(node.inputs[0])
        steps = [(storage.strides[d], shape[d]) for d in range(dim, dim + len(indices))]
        if conditions:  # elsewhere the index may be anything
            zero = self.nest.constant(0, node.inputs[1].dtype)
            indices = [self.nest.choose(conditions, i, zero) for i in indices]
        return self.nest.gather(self.buffer(node.inputs[0]), steps, storage.at(source), indices, conditions)


class GroupWriter:
    """The nest of one group of loops.

    Args:
        group: what to compute.
        stored: its members that are stored.
        storage_of, place_of: where values in memory are.
    """

    def __init__(
        self,
        group: Group,
        stored: set[Node],
        storage_of: Callable[[Node], Storage | None],
        place_of: Callable[[Node], Place],
        arrangement: Arrangement,
    ) -> None:
        cut_into_blocks(group)
        self.group = group
        self.stored = stored
        self.storage_of = storage_of
        self.arrangement = arrangement
        self.order = [v for v in arrangement.loop_order(group.domain, group.reads) if v.size != 1]
        self.nest = Nest()
        self.writer = Writer(self.nest, self._outside, place_of)
        self.stage: list[int] = []

    def _outside(self, node: Node) -> Storage | None:
        return None if node in self.group.members else self.storage_of(node)

    def write(self) -> Nest:
        """The nest with all phases; nothing is cut yet."""
        group, nest = self.group, self.nest
        self.place_loops()
        for node, position in group.members.items():
            if is_reduction(node):
                self._reduction(node)
                continue
            value = self.writer.registers[node] = self.writer.define(node, position)
            if node in self.stored:
                self._store(node, position, value)
        if group.stages > 1:
            self._spill()
        return nest

    def place_loops(self) -> None:
        """Outer and inner loops, and which runs along vectors."""
        group, nest = self.group, self.nest
        last = self._vote() if not group.reduced else None
        nest.outer = [v for v in self.order if v not in group.reduced]
        nest.inner = [v for v in self.order if v in group.reduced]
        nest.vector = last or choose_vector(nest, self.order)
        if nest.vector in nest.outer:
            nest.outer.remove(nest.vector)
            nest.outer.append(nest.vector)
        elif nest.vector in nest.inner:
            nest.inner.remove(nest.vector)
            nest.inner.append(nest.vector)
        self.kept = list(nest.outer)

    def _vote(self) -> Var | None:
        """The order of the loops, and the loop along vectors, that suit most of what is read and written."""
        orders: dict[tuple[Var, ...], float] = {}
        along: dict[Var, float] = {}
        read = [(a.node, a.position, 1.0) for a in self.group.reads if a.position is not None]
        written = [(n, self.group.members[n], 1.1) for n in self.group.members if n in self.stored]
        for node, position, weight in [*read, *written]:
            found = self.arrangement.access_order(node, position)
            if found is None or not found:
                continue
            own, weight = weight, weight * prod(v.size for v in found)
            if set(found) == set(self.order):
                orders[tuple(found)] = orders.get(tuple(found), 0.0) + weight / (own * own)
            along[found[-1]] = along.get(found[-1], 0.0) + weight
        if orders:
            self.order = list(max(orders, key=lambda o: orders[tuple(o)]))
        return max(along, key=lambda v: along[v]) if along else None

    def stage_of(self, number: int) -> int:
        """In which phase a statement can be computed: after the reductions that it depends on."""
        while len(self.stage) <= number:
            s = self.nest.statements[len(self.stage)]
            later = 1 if s.kind == "reduced" else 0
            self.stage.append(later + max((self.stage[a] for a in s.arguments), default=0))
        return self.stage[number]

    def _phase(self, number: int) -> Phase:
        while len(self.nest.phases) <= number:
            self.nest.phases.append(Phase())
        return self.nest.phases[number]

    def _reduction(self, node: Node) -> None:
        x = node.inputs[0]
        position = self.group.sources[node]
        value = self.writer.value(x, position)
        phase = self.stage_of(value)
        r = self.nest.reduced(node.op, value, self.nest.inner, len(self._phase(phase).reductions))
        if r not in self._phase(phase).reductions:
            self._phase(phase).reductions.append(r)
        self.stage_of(r)
        self.writer.registers[node] = r
        if node in self.stored:
            self._store(node, self.group.members[node], r)

    def _store(self, node: Node, position: Position, value: int) -> None:
        storage = self.storage_of(node)
        assert storage is not None
        store = Store(self.writer.buffer(node), storage.at(position), value)
        row = node in self.group.row or is_reduction(node)
        if row or not self.nest.inner:
            if not self.group.reduced:
                self._phase(0).stores.append(store)
            else:
                self.nest.stores.append(store)
        else:
            self._phase(self.stage_of(value)).stores.append(store)

    def _spill(self) -> None:
        """Costly values that several phases need are kept in scratch memory."""
        nest = self.nest
        if nest.vector not in nest.inner:
            return
        inner = set(nest.inner)
        reductions = [r for p in nest.phases for r in p.reductions]
        roots = [
            [nest.statements[r].arguments[0] for r in p.reductions] + [s.value for s in p.stores] for p in nest.phases
        ]
        candidates = [
            i
            for i, s in enumerate(nest.statements)
            if s.kind == "apply" and s.data[0] not in CHEAP and s.variables & inner
        ]
        for number in reversed(candidates):
            users = [q for q, r in enumerate(roots) if r and number in nest.needed(r, [*reductions, *nest.spills])]
            if len(users) > 1:
                nest.spills[number] = self.writer.add_buffer(None, nest.statements[number].dtype)


def choose_vector(nest: Nest, order: Sequence[Var]) -> Var | None:
    """The loop that runs along vectors: the last, unless it is a short one that is reduced over."""
    if not order:
        return None
    last = order[-1]
    if last in nest.inner and nest.outer and prod(v.size for v in nest.inner) <= 32:
        return nest.outer[-1]
    return last


def cut_reduction(nest: Nest, target: Target) -> int:
    """Into how many pieces a nest's reduction should be cut, so that there is work for all threads: 1 for none."""
    total = prod(v.size for v in [*nest.outer, *nest.inner])
    if not nest.inner or len(nest.phases) > 1 or nest.spills or total < 4 * CHUNK_WORK:
        return 1
    if split_outer(nest, target.lanes(32)).tasks >= 16:
        return 1
    longest = cut_loop(nest)
    pieces = min(MOST_CHUNKS, total // CHUNK_WORK, longest.size)
    if longest is nest.vector:
        pieces = min(pieces, longest.size // (UNROLL * target.lanes(32) * 4))
    return max(1, pieces)


def cut_loop(nest: Nest) -> Var:
    """The inner loop that is cut: the outermost long one."""
    return next((v for v in nest.inner if v.size >= 16), max(nest.inner, key=lambda v: v.size))


def apply_cut(nest: Nest, pieces: int, target: Target) -> Var:
    """Cut one of the inner loops; the new outer loop counts the pieces."""
    longest = cut_loop(nest)
    step = -(-longest.size // pieces)
    if longest is nest.vector:
        block = UNROLL * target.lanes(32)
        step = -(-step // block) * block
    piece = Var("piece", -(-longest.size // step))
    nest.chunk = (piece, longest, step)
    nest.outer.insert(0, piece)
    return piece


def write_combination(
    group: Group,
    stored: set[Node],
    first: GroupWriter,
    parts: dict[int, Place],
    pieces: int,
    storage_of: Callable[[Node], Storage | None],
    place_of: Callable[[Node], Place],
) -> Writer:
    """The second kernel of a reduction that was cut: the pieces reduced in order, and the members that follow.

    Args:
        first: the writer of the first kernel.
        parts: for each reduction (a statement of the first nest) the place of its pieces.
    """
    nest = Nest()
    count = Var("piece", pieces)
    nest.outer, nest.inner = list(first.kept), [count]
    nest.vector = first.kept[-1] if first.kept else None
    writer = Writer(nest, lambda n: None if n in group.members else storage_of(n), place_of)
    phase = Phase()
    nest.phases.append(phase)
    buffers: dict[int, int] = {}
    for node, position in group.members.items():
        if is_reduction(node):
            r = first.writer.registers[node]
            if r not in buffers:
                buffers[r] = writer.add_buffer(parts[r], node.dtype)
            loaded = nest.load(buffers[r], piece_offset(count, first.kept), ())
            value = nest.reduced(node.op, loaded, nest.inner, 0)
            if value not in phase.reductions:
                phase.reductions.append(value)
        elif node in group.row:
            value = writer.define(node, position)
        else:
            continue
        writer.registers[node] = value
        if node in stored:
            storage = storage_of(node)
            assert storage is not None
            nest.stores.append(Store(writer.buffer(node), storage.at(position), value))
    return writer


def piece_offset(piece: Var, kept: Sequence[Var]) -> Index:
    """Where the result of a piece is: pieces outermost, then the loops that are kept."""
    total, step = Index.of(0), 1
    for v in reversed(kept):
        total = total + Index.of(v) * step
        step *= v.size
    return total + Index.of(piece) * step
