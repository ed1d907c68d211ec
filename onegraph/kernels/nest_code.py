"""LLVM IR for a loop nest: vector loops with masked ends, values computed at the outermost loop that they depend on.

Sums are added in an order that depends on the sizes and the target alone: each vector lane of each of `UNROLL`
accumulators adds its own elements in order, and then they are added pairwise. Read next: `scalar.py` (single operations).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from onegraph.ir.dtype import int64
from onegraph.kernels.compile import QUICKLY
from onegraph.kernels.kernel import BAD_INDEX, DIVISION_BY_ZERO, Kernel
from onegraph.kernels.llvm import Function, Module, Value, lanes_of, vector_type
from onegraph.kernels.nest import Nest, Statement, Store
from onegraph.kernels.nest_reduce import combine, finish, identity, no_nan, note_nan, notes_nan
from onegraph.kernels.nest_shortcuts import shortcut
from onegraph.kernels.scalar import Code, Scalar, memory_type
from onegraph.kernels.target import Target, host
from onegraph.ops.index import Condition, Index, Known, Quotient, Remainder, Var, linear

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


def _below(atom: Quotient | Remainder) -> int:
    """How many times `by` makes what is divided positive: it is divided as an unsigned number."""
    return max(0, -(atom.of.low // atom.by))


class NestCode:
    """Writes one nest into a function."""

    def __init__(
        self, nest: Nest, f: Function, target: Target, pointers: Sequence[Value], status: Value, lanes: int = 0
    ) -> None:
        self.nest = nest
        self.f = f
        self.target = target
        self.lanes = lanes or target.lanes(32)
        self.narrow = Code.for_target(f, 1, target, lambda c: self._report(c, DIVISION_BY_ZERO))
        self.wide = Code.for_target(f, self.lanes, target, lambda c: self._report(c, DIVISION_BY_ZERO))
        self.pointers = pointers
        self.status = status
        self.scopes: list[dict[tuple[int, int], Scalar]] = [{}]
        self.values: dict[Var, Value] = {}
        self.copies: list[Value | None] = [None]
        """Masks of the vectors side by side; None where all lanes exist."""
        self.spilled: set[int] = set()
        """Values that an earlier phase has put into scratch memory."""
        self._copy = 0
        self._zeros: Value | None = None
        self._is_vector = [nest.vector is not None and nest.vector in s.variables for s in nest.statements]

    # -------------------------------------------------------------- indices

    def scalar_index(self, index: Index, copy: int = 0) -> Value:
        """The value of an index at the first lane of a copy."""
        f = self.f
        total: Value | int = index.constant
        for atom, factor in index.terms.items():
            if isinstance(atom, Var):
                part = self.values[atom]
                if atom is self.nest.vector and copy:
                    part = f.add(part, copy * self.lanes)
            elif isinstance(atom, Known):
                part = self.scalar_index(atom.of, copy)
            else:
                below = _below(atom)
                inside = f.add(self.scalar_index(atom.of, copy), below * atom.by)
                part = f.integer("udiv" if isinstance(atom, Quotient) else "urem", inside, atom.by)
                total = f.add(total, -below * factor) if isinstance(atom, Quotient) else total
            total = f.add(f.mul(part, factor), total)
        return f.as_value(total)

    def vector_index(self, index: Index, copy: int) -> Value:
        """The value of an index in every lane, in 32 bits where it fits."""
        element = "i32" if index.low > -(2**31) and index.high < 2**31 - 1 else "i64"
        return self._vector_index(index, copy, element)

    def _vector_index(self, index: Index, copy: int, element: str) -> Value:
        f, lanes = self.f, self.lanes
        type_ = vector_type(element, lanes)
        total = f.constant(type_, index.constant)
        for atom, factor in index.terms.items():
            if isinstance(atom, Var):
                base = self.scalar_index(Index({atom: 1}), copy)
                part = f.splat(f.convert("trunc", base, element), lanes)
                if atom is self.nest.vector:
                    part = f.add(part, f.lane_numbers(lanes, element))
            elif isinstance(atom, Known):
                part = self._vector_index(atom.of, copy, element)
            else:
                below = _below(atom)
                inside = f.add(self._vector_index(atom.of, copy, element), f.constant(type_, below * atom.by))
                part = f.integer("udiv" if isinstance(atom, Quotient) else "urem", inside, f.constant(type_, atom.by))
                if below and isinstance(atom, Quotient):
                    total = f.add(total, f.constant(type_, -below * factor))
            total = f.add(f.mul(part, f.constant(type_, factor)), total)
        return total

    def condition(self, conditions: Sequence[Condition], copy: int, wide: bool) -> Value:
        """Whether all conditions hold: one bit, or a mask of lanes."""
        f = self.f
        result: Value | None = None
        vector_result: Value | None = None
        for c in conditions:
            varies = self.nest.vector is not None and self.nest.vector in c.index.variables()
            if varies and wide:
                x = self.vector_index(c.index, copy)
                limits = [f.constant(x.type, n) for n in (c.low, c.high, c.by, 0)]
            else:
                x = self.scalar_index(c.index, copy)
                limits = [f.as_value(n) for n in (c.low, c.high, c.by, 0)]
            tests = []
            if c.index.low < c.low:
                tests.append(f.compare("sge", x, limits[0]))
            if c.index.high >= c.high:
                tests.append(f.compare("slt", x, limits[1]))
            if c.by > 1:
                shifted = f.integer("sub", x, limits[0]) if c.low else x
                tests.append(f.compare("eq", f.integer("srem", shifted, limits[2]), limits[3]))
            for test in tests:
                if varies and wide:
                    vector_result = test if vector_result is None else f.integer("and", vector_result, test)
                else:
                    result = test if result is None else f.integer("and", result, test)
        if not wide:
            return result if result is not None else f.constant("i1", 1)
        if result is not None:
            spread = f.splat(result, self.lanes)
            vector_result = spread if vector_result is None else f.integer("and", vector_result, spread)
        return vector_result if vector_result is not None else f.constant(vector_type("i1", self.lanes), 1)

    # ------------------------------------------------------------ statements

    def lookup(self, number: int, copy: int) -> Scalar | None:
        """A value that has been computed, if it is in sight."""
        key = (number, copy if self._is_vector[number] else -1)
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        return None

    def value(self, number: int, copy: int, wide: bool) -> Scalar:
        """A value that has been computed, in every lane if asked."""
        found = self.lookup(number, copy)
        assert found is not None, f"v{number} = {self.nest.statements[number]} is not computed yet"
        return self.spread(found) if wide else found

    def is_vector(self, number: int) -> bool:
        """Whether a statement has a value for each lane."""
        return self._is_vector[number]

    def give(self, number: int, x: Scalar) -> None:
        """The value of a statement that is given."""
        self.scopes[-1][(number, 0 if self._is_vector[number] else -1)] = x

    def spread(self, x: Scalar) -> Scalar:
        """The scalar in every lane."""
        if lanes_of(x.value.type) == self.lanes:
            return x
        return Scalar(self.f.splat(x.value, self.lanes), x.dtype)

    def compute(self, numbers: Sequence[int]) -> None:
        """Write the statements (in order) at this place, where they are not computed yet."""
        for number in numbers:
            for copy in range(len(self.copies) if self._is_vector[number] else 1):
                if self.lookup(number, copy) is None:
                    self._copy = copy
                    key = (number, copy if self._is_vector[number] else -1)
                    self.scopes[-1][key] = self._statement(number, copy, self._is_vector[number])

    def _row_offset(self) -> Index:
        return linear([Index.of(v) for v in self.nest.inner], [v.size for v in self.nest.inner])

    def _statement(self, number: int, copy: int, wide: bool) -> Scalar:
        s = self.nest.statements[number]
        f, code = self.f, self.wide if wide else self.narrow
        if number in self.spilled:
            buffer = self.nest.spills[number]
            s = Statement("load", s.dtype, (), (buffer, self._row_offset(), ()), s.variables)
        if s.kind == "load":
            return self._load(s, copy, wide)
        if s.kind == "constant":
            return code.number(s.data.number, s.dtype)
        if s.kind == "position":
            if not wide:
                return Scalar(self.scalar_index(s.data, copy), int64)
            x = self.vector_index(s.data, copy)
            return Scalar(f.convert("sext", x, vector_type("i64", self.lanes)), int64)
        if s.kind == "choose":
            yes, no = (self.value(a, copy, wide) for a in s.arguments)
            return Scalar(f.select(self.condition(s.data, copy, wide), yes.value, no.value), s.dtype)
        if s.kind == "gather":
            return self._gather(s, copy, wide)
        if s.kind == "random":
            return self._random(s, copy, wide)
        assert s.kind == "apply", s.kind
        found = shortcut(self, s, copy) if wide else None
        if found is not None:
            return found
        op, attributes = s.data
        return code.apply(op, [self.value(a, copy, wide) for a in s.arguments], attributes, s.dtype)

    def _load(self, s: Statement, copy: int, wide: bool) -> Scalar:
        f = self.f
        buffer, offset, conditions = s.data
        element = memory_type(s.dtype)
        base = self.pointers[buffer]
        if not wide:
            pointer = f.element(base, element, self.scalar_index(offset, copy))
            if conditions:
                pointer = f.select(self.condition(conditions, copy, False), pointer, self._zero_memory())
            return self.narrow.load_convert(f.load(element, pointer), s.dtype)
        assert self.nest.vector is not None
        type_ = vector_type(element, self.lanes)
        mask = self.copies[copy]
        if conditions:
            held = self.condition(conditions, copy, True)
            mask = held if mask is None else f.integer("and", mask, held)
        stride = offset.stride(self.nest.vector)
        zero = f.constant(type_, 0)
        if stride == 1:
            pointer = f.element(base, element, self.scalar_index(offset, copy))
            loaded = f.load(type_, pointer) if mask is None else f.masked_load(type_, pointer, mask, zero)
        else:
            if mask is None:
                mask = self._all_lanes()
            pointer, places = self._places(base, element, offset, copy, stride)
            loaded = f.gather(type_, pointer, places, mask, zero)
        return self.wide.load_convert(loaded, s.dtype)

    def _places(self, base: Value, element: str, offset: Index, copy: int, stride: int | None) -> tuple[Value, Value]:
        """A base pointer and the distances of the lanes from it."""
        f = self.f
        if stride is None:
            return base, self.vector_index(offset, copy)
        pointer = f.element(base, element, self.scalar_index(offset, copy))
        small = abs(stride) * self.lanes < 2**31
        return pointer, f.vector_constant("i32" if small else "i64", [i * stride for i in range(self.lanes)])

    def _all_lanes(self) -> Value:
        return self.f.constant(vector_type("i1", self.lanes), 1)

    def _zero_memory(self) -> Value:
        if self._zeros is None:
            self._zeros = self.f.stack("i64", 8)
            self.f.entry.append(f"  store <8 x i64> zeroinitializer, ptr {self._zeros.text}, align 64")
        return self._zeros

    def _gather(self, s: Statement, copy: int, wide: bool) -> Scalar:
        f = self.f
        buffer, steps, offset = s.data
        element = memory_type(s.dtype)
        lanes = self.lanes if wide else 1
        type_ = vector_type("i64", lanes)
        good: Value | None = None
        place = f.splat(self.scalar_index(offset, copy), lanes)
        if wide and offset.stride(self.nest.vector) != 0:
            place = f.convert("sext", self.vector_index(offset, copy), type_)
        for (stride, size), argument in zip(steps, s.arguments, strict=True):
            index = self.value(argument, copy, wide).value
            index = f.convert("sext", index, type_)
            inside = f.compare("ult", index, f.constant(type_, size))
            good = inside if good is None else f.integer("and", good, inside)
            index = f.select(inside, index, f.constant(type_, 0))
            place = f.add(place, f.mul(index, f.constant(type_, stride)))
        assert good is not None
        self._report(f.integer("xor", good, f.constant(good.type, 1)), BAD_INDEX)
        if not wide:
            pointer = f.element(self.pointers[buffer], element, place)
            pointer = f.select(good, pointer, self._zero_memory())
            return self.narrow.load_convert(f.load(element, pointer), s.dtype)
        mask = self.copies[copy]
        mask = good if mask is None else f.integer("and", mask, good)
        result = vector_type(element, lanes)
        loaded = f.gather(result, self.pointers[buffer], place, mask, f.constant(result, 0))
        return self.wide.load_convert(loaded, s.dtype)

    def _random(self, s: Statement, copy: int, wide: bool) -> Scalar:
        """Words of `random_bits`: key in the first two elements of a buffer, element by its number."""
        f = self.f
        buffer, index = s.data
        seed, stream = (f.load("i64", f.element(self.pointers[buffer], "i64", i)) for i in range(2))
        if not wide:
            return self.narrow.random_bits(seed, stream, self.scalar_index(index, copy))
        if index.stride(self.nest.vector) == 1:
            return self.wide.random_bits_run(seed, stream, self.scalar_index(index, copy))
        number = f.convert("sext", self.vector_index(index, copy), vector_type("i64", self.lanes))
        return self.wide.random_bits(seed, stream, number)

    def _report(self, failed: Value, code: int) -> None:
        """Note an error if any lane that exists failed."""
        f = self.f
        lanes = lanes_of(failed.type)
        if lanes > 1:
            mask = self.copies[self._copy]
            if mask is not None:
                failed = f.integer("and", failed, mask)
            name = f"llvm.vector.reduce.or.v{lanes}i1"
            failed = f.external(name, "i1", [failed])
        with f.only_if(failed):
            f.store(f.as_value(code), self.status)

    def store(self, s: Store) -> None:
        """Write a value to memory."""
        f = self.f
        vector = self.nest.vector
        used = s.offset.variables() | self.nest.statements[s.value].variables
        if vector is None or vector not in used:
            x = self.narrow.store_convert(self.value(s.value, 0, False))
            f.store(x, f.element(self.pointers[s.buffer], x.type, self.scalar_index(s.offset)))
            return
        stride = s.offset.stride(vector)
        for copy, mask in enumerate(self.copies):
            self._copy = copy
            x = self.wide.store_convert(self.value(s.value, copy, True))
            element = memory_type(self.nest.buffers[s.buffer])
            if stride == 1:
                pointer = f.element(self.pointers[s.buffer], element, self.scalar_index(s.offset, copy))
                if mask is None:
                    f.store(x, pointer)
                else:
                    f.masked_store(f.opaque(x) if self.target.vector_bits == 512 else x, pointer, mask)
            else:
                pointer, places = self._places(self.pointers[s.buffer], element, s.offset, copy, stride)
                f.scatter(x, pointer, places, self._all_lanes() if mask is None else mask)

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
    key = (nest.key(), target, tuple((scratch or {}).items()))
    found = _written.get(key)
    if found is None:
        if len(_written) > MOST_REMEMBERED:
            _written.clear()
        found = _written[key] = _write(nest, name, target, scratch)
    return found if found.name == name else replace(found, name=name)


MOST_REMEMBERED = 4096
_written: dict[Any, Kernel] = {}
"""Kernels by what they do: networks repeat themselves."""


def _write(nest: Nest, name: str, target: Target, scratch: dict[int, int] | None) -> Kernel:
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, own, status = f.arguments
    pointers, used = [], 0
    slot = 0
    for number in range(len(nest.buffers)):
        if scratch is not None and number in scratch:
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
