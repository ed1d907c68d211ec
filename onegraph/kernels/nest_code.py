"""LLVM IR for a loop nest: vector loops with masked ends, values computed at the outermost loop that they depend on.

Sums are added in an order that depends on the sizes and the target alone: each vector lane of each of `UNROLL`
accumulators adds its own elements in order, and then they are added pairwise. Read next: `scalar.py` (single operations).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from onegraph.kernels.compile import QUICKLY
from onegraph.kernels.kernel import Kernel, remembered
from onegraph.kernels.llvm import Module, Value, lanes_of
from onegraph.kernels.nest import Nest, Statement, Store
from onegraph.kernels.nest_reduce import combine, finish, identity, no_nan, note_nan, notes_nan
from onegraph.kernels.nest_values import NestValues
from onegraph.kernels.scalar import Scalar
from onegraph.kernels.target import Target, host
from onegraph.ops.index import Var

UNROLL = 4
"""Vectors of a row that are reduced side by side."""
SHORT_LOOP = 5
"""Inner loops of at most so many steps are written out."""
LITTLE_WORK = 4096
"""Operations of a kernel up to which it is compiled quickly: it runs for about a microsecond in any case."""
TASK_WORK = 16384
"""Elements that make a task worth its start."""
_COSTLY = frozenset(
    (
        "exp",
        "expm1",
        "log",
        "log1p",
        "sigmoid",
        "tanh",
        "erf",
        "erfc",
        "erfinv",
        "sin",
        "cos",
        "tan",
        "pow",
        "atan",
        "atan2",
    )
)
"""Ops that take far longer than reading a value."""
ENTRY_ARGUMENTS = [("ptr", "buffers"), ("i64", "first"), ("i64", "last"), ("ptr", "scratch"), ("ptr", "status")]


@dataclass
class Split:
    """How the outer loops become tasks: `rows` steps of the scalar loops times `blocks` pieces of the vector loop."""

    scalar: list[Var]
    rows: int
    block: int
    blocks: int
    grain: int

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return max(1, ceil(self.rows * self.blocks / self.grain))


def split_outer(nest: Nest, lanes: int, effort: int = 1) -> Split:
    """Cut the outer loops into tasks of at least `TASK_WORK` elements of so much effort; it depends on the sizes alone."""
    scalar = [v for v in nest.outer if v is not nest.vector]
    inside = prod(v.size for v in nest.inner) * effort
    if nest.chunk is not None:
        inside = inside // nest.chunk[1].size * nest.chunk[2]
    rows = prod(v.size for v in scalar)
    block = blocks = 1
    if nest.vector is not None and nest.vector in nest.outer:
        step = lanes * unroll_of(nest, lanes)
        block = max(step, TASK_WORK // max(1, inside) // step * step)
        if rows >= 64:
            block = nest.vector.size
        blocks = ceil(nest.vector.size / block)
        inside *= min(block, nest.vector.size)
    return Split(scalar, rows, block, blocks, max(1, TASK_WORK // max(1, inside)))


def _effort(nest: Nest) -> int:
    """How much an element costs, compared with reading and writing it."""
    costly = sum(s.kind == "random" or (s.kind == "apply" and s.data[0] in _COSTLY) for s in nest.statements)
    return max(1, (len(nest.statements) + 7 * costly) // 8)


def unroll_of(nest: Nest, lanes: int) -> int:
    """Vectors side by side: for reductions, as many as sizes allow."""
    if nest.vector is None or not nest.inner:
        return 1
    if nest.vector in nest.inner:
        return UNROLL
    return max(1, min(UNROLL, nest.vector.size // lanes))


class NestCode(NestValues):
    """Writes one nest into a function."""

    # ----------------------------------------------------------------- loops

    def body(self) -> None:
        """What happens at one step of the outer loops."""
        nest = self.nest
        self.scopes.append({})
        self.spilled.clear()
        for phase in nest.phases:
            roots = [nest.statements[r].arguments[0] for r in phase.reductions] + [s.value for s in phase.stores]
            done = [r for p in nest.phases for r in p.reductions if self.lookup(r, 0) is not None]
            needed = nest.needed(roots, [*done, *self.spilled])
            self._run_phase(phase.reductions, phase.stores, needed)
        self.compute(nest.needed([s.value for s in nest.stores], [r for p in nest.phases for r in p.reductions]))
        for s in nest.stores:
            self.store(s)
        self.scopes.pop()

    def _run_phase(self, reductions: list[int], stores: list[Store], needed: list[int]) -> None:
        nest = self.nest
        levels: dict[int, list[int]] = {}
        for number in needed:
            used = nest.statements[number].variables
            level = max((i for i, v in enumerate(nest.inner) if v in used), default=-1)
            levels.setdefault(level, []).append(number)
        self.compute(levels.get(-1, []))
        in_row = nest.vector is not None and nest.vector in nest.inner
        width = UNROLL if in_row else len(self.copies)
        start = [identity(self, r, in_row) for r in reductions for _ in range(width)]
        keys = [(r, c) for r in reductions for c in range(width)]
        noted = [r for r in reductions if notes_nan(self, r)]
        start.extend(no_nan(self) for _ in noted)

        def at(level: int, carried: list[Value]) -> list[Value]:
            self.scopes.append({})
            if level >= 0:
                self.compute(levels.get(level, []))
            if level + 1 < len(nest.inner):
                carried = self._loop(nest.inner[level + 1], lambda c: at(level + 1, c), carried)
            else:
                for s in stores:
                    self.store(s)
                for number in needed:
                    if number in nest.spills and number not in self.spilled:
                        self.store(Store(nest.spills[number], self._row_offset(), number))
                seen = [note_nan(self, r, old) for r, old in zip(noted, carried[len(keys) :], strict=True)]
                carried = [
                    combine(self, r, old, c) if c < len(self.copies) else old
                    for (r, c), old in zip(keys, carried, strict=False)
                ] + seen
            self.scopes.pop()
            return carried

        results = at(-1, start)
        self.spilled.update(n for n in needed if n in nest.spills)
        for position, r in enumerate(reductions):
            parts = results[position * width : (position + 1) * width]
            if in_row:
                seen = results[len(keys) + noted.index(r)] if r in noted else None
                self.scopes[-1][(r, -1)] = finish(self, r, parts, seen)
            else:
                for copy, part in enumerate(parts):
                    key = (r, copy if self._is_vector[r] else -1)
                    self.scopes[-1].setdefault(key, self._rounded(r, part))

    def _rounded(self, r: int, value: Value) -> Scalar:
        dtype = self.nest.statements[r].dtype
        code = self.wide if lanes_of(value.type) > 1 else self.narrow
        return code.round(Scalar(value, dtype))

    def _bounds(self, v: Var) -> tuple[Value | int, Value | int]:
        chunk = self.nest.chunk
        if chunk is None or chunk[1] is not v:
            return 0, v.size
        start = self.f.mul(self.values[chunk[0]], chunk[2])
        return start, self.f.minimum(self.f.add(start, chunk[2]), v.size)

    def _loop(self, v: Var, body: Callable[[list[Value]], list[Value]], carried: list[Value]) -> list[Value]:
        """One inner loop."""
        start, stop = self._bounds(v)
        if v is self.nest.vector:
            return self.vector_loop(v, start, stop, UNROLL, body, carried)

        def step(i: Value, values: list[Value]) -> list[Value]:
            self.values[v] = i
            return body(values)

        if v.size <= SHORT_LOOP and isinstance(stop, int):
            for i in range(v.size):
                carried = step(self.f.as_value(i), carried)
            return carried
        return self.f.loop(start, stop, 1, step, carried)

    def vector_loop(
        self,
        v: Var,
        start: Value | int,
        stop: Value | int,
        unroll: int,
        body: Callable[[list[Value]], list[Value]],
        carried: list[Value],
    ) -> list[Value]:
        """Whole blocks of `unroll` vectors from start to stop, then what is left at the end of the whole loop."""
        f, lanes = self.f, self.lanes
        step = lanes * unroll
        rest = v.size % step
        whole = v.size - rest
        last: Value | int = whole if isinstance(stop, int) else f.minimum(stop, whole)

        def block(i: Value, values: list[Value]) -> list[Value]:
            self.values[v] = i
            self.copies = [None] * unroll
            return body(values)

        carried = f.loop(start, last, step, block, carried) if whole else carried
        if rest:

            def tail() -> list[Value]:
                self.values[v] = f.as_value(whole)
                full, partial = divmod(rest, lanes)
                self.copies = [None] * full
                if partial:
                    self.copies.append(f.vector_constant("i1", [i < partial for i in range(lanes)]))
                return body(carried)

            carried = tail() if isinstance(stop, int) else f.if_(f.compare("eq", stop, v.size), tail, lambda: carried)
        self.copies = [None]
        return carried

    def run(self, first: Value, last: Value) -> None:
        """All tasks first <= t < last."""
        nest, f = self.nest, self.f
        split = split_outer(nest, self.lanes, _effort(nest))
        roots = [nest.statements[r].arguments[0] for p in nest.phases for r in p.reductions]
        needed = nest.needed(roots + [s.value for s in nest.all_stores()])
        self.compute([n for n in needed if not nest.statements[n].variables and self._constant_before(n)])
        units = split.rows * split.blocks

        def unit(number: Value, _: list[Value]) -> None:
            row = f.divide(number, split.blocks)
            for v in reversed(split.scalar):
                self.values[v] = f.modulo(row, v.size) if v is not split.scalar[0] else row
                row = f.divide(row, v.size)
            if nest.vector is None or nest.vector in nest.inner:
                self.body()
                return
            start: Value | int = 0
            stop: Value | int = nest.vector.size
            if split.blocks > 1:
                start = f.mul(f.modulo(number, split.blocks), split.block)
                stop = f.minimum(f.add(start, split.block), nest.vector.size)

            def block(_: list[Value]) -> list[Value]:
                self.body()
                return []

            self.vector_loop(nest.vector, start, stop, unroll_of(nest, self.lanes), block, [])

        begin = f.mul(first, split.grain)
        end = f.minimum(f.mul(last, split.grain), units)
        f.loop(begin, end, 1, unit)

    def _constant_before(self, number: int) -> bool:
        """Whether a statement without loop variables needs no reduction."""
        return all(self.nest.statements[n].kind != "reduced" for n in self.nest.needed([number]))


def nest_kernel(nest: Nest, name: str, target: Target | None = None, scratch: dict[int, int] | None = None) -> Kernel:
    """A kernel for a nest. `scratch` gives buffers that live in the thread's own memory, with their sizes in bytes."""
    target = target or host()
    own = scratch or {}
    key = ("nest", nest.key(), target, tuple(own.items()))
    return remembered(key, name, lambda: _write(nest, name, target, own))


def _write(nest: Nest, name: str, target: Target, scratch: dict[int, int]) -> Kernel:
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, own, status = f.arguments
    pointers, used = [], 0
    slot = 0
    for number in range(len(nest.buffers)):
        if number in scratch:
            pointers.append(f.element(own, "i8", used))
            used += (scratch[number] + 63) // 64 * 64
        else:
            pointers.append(f.load("ptr", f.element(buffers, "ptr", slot)))
            slot += 1
    split = split_outer(nest, target.lanes(32), _effort(nest))
    if split.rows and (nest.vector is None or nest.vector.size):
        NestCode(nest, f, target, pointers, status).run(first, last)
    f.ret()
    elements = prod(v.size for v in nest.outer)
    moved = sum(_bytes_moved(nest, s) for s in nest.statements if s.kind == "load")
    moved += sum(elements * nest.buffers[s.buffer].itemsize for s in nest.all_stores())
    work = prod(v.size for v in [*nest.outer, *nest.inner]) * len(nest.statements)
    text = f"{QUICKLY}\n{module}" if work <= LITTLE_WORK else str(module)
    return Kernel(name, text, split.tasks, used, 0, moved, str(nest))


def _bytes_moved(nest: Nest, s: Statement) -> int:
    return prod(v.size for v in s.variables) * s.dtype.itemsize
