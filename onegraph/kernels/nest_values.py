"""LLVM IR for the statements of a loop nest: indices, conditions, loads, gathers, arithmetic, stores.

Read next: `nest_code.py`, which puts loops around them; `scalar.py` (single operations).
"""

from __future__ import annotations

from collections.abc import Sequence

from onegraph.ir.dtype import int64
from onegraph.kernels.kernel import BAD_INDEX, DIVISION_BY_ZERO
from onegraph.kernels.llvm import Function, Value, lanes_of, vector_type
from onegraph.kernels.nest import Nest, Statement, Store
from onegraph.kernels.nest_shortcuts import shortcut
from onegraph.kernels.scalar import Code, Scalar, memory_type
from onegraph.kernels.target import Target
from onegraph.ops.index import Condition, Index, Known, Quotient, Remainder, Var, linear


def _below(atom: Quotient | Remainder) -> int:
    """How many times `by` makes what is divided positive: it is divided as an unsigned number."""
    return max(0, -(atom.of.low // atom.by))


class NestValues:
    """Writes the statements of a nest: each where it is asked for, once for each place that sees it."""

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
        buffer, steps, offset, conditions = s.data
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
        if conditions:  # elsewhere the offset is anywhere
            good = f.integer("and", good, self.condition(conditions, copy, wide))
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
