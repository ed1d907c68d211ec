"""A kernel for `argsort`: each line along the sorted dimension is one task.

An element becomes a number without sign in the order that is asked for, and is kept together with its place in 64 bits:
the upper half of the number above the place. Short lines are sorted by insertion, long ones by radix, eight bits at a
time from the lowest (Knuth, The Art of Computer Programming 3, 5.2.5). Both keep the order of equal elements. Numbers
of 64 bits are sorted by their lower half first. Read next: `prepare.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from onegraph.backends.native.launch import Launch
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node
from onegraph.kernels.kernel import Kernel
from onegraph.kernels.llvm import Module, Value
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.ops.index import shape_of

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

_SHORT = 48
"""Elements up to which insertion is faster."""
_EXPONENT = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}


@dataclass(frozen=True)
class SortWork:
    """One sort of `outer` times `inner` lines of `length` elements."""

    outer: int
    length: int
    inner: int
    descending: bool
    dtype: DType


class _SortCode:
    def __init__(self, work: SortWork) -> None:
        self.work = work
        self.bits = work.dtype.itemsize * 8
        self.module = Module()
        self.f = f = self.module.function("KERNEL", ENTRY_ARGUMENTS)
        table, self.first, self.last, scratch, _ = f.arguments
        self.source, self.target = (f.load("ptr", f.element(table, "ptr", i)) for i in range(2))
        self.counts = scratch
        self.items = f.element(scratch, "i64", 256 * 4)
        self.other = f.element(self.items, "i64", work.length)

    @property
    def scratch_bytes(self) -> int:
        """Counters, and the items twice."""
        return 8 * (256 * 4 + 2 * self.work.length)

    def write(self) -> None:
        """All tasks."""
        f, work = self.f, self.work

        def line(task: Value, _: list[Value]) -> None:
            outer, column = f.divide(task, work.inner), f.modulo(task, work.inner)
            start = f.add(f.mul(outer, work.length * work.inner), column)
            place = self._sorted(start)

            def give(i: Value, _: list[Value]) -> None:
                item = f.load("i64", f.element(place, "i64", i))
                at = f.add(start, f.mul(i, work.inner))
                f.store(f.integer("and", item, 0xFFFFFFFF), f.element(self.target, "i64", at))

            f.loop(0, work.length, 1, give)

        f.loop(self.first, self.last, 1, line)
        f.ret()

    def _sorted(self, start: Value) -> Value:
        """Sort the line; where its items are afterwards."""
        f, work = self.f, self.work
        bits = min(self.bits, 32)

        def low(i: Value, _: list[Value]) -> None:
            key = f.integer("shl", self._key(start, i), 32)
            f.store(f.integer("or", key, i), f.element(self.items, "i64", i))

        f.loop(0, work.length, 1, low)
        place = self._sort(self.items, self.other, bits)
        if self.bits <= 32:
            return place

        def high(i: Value, _: list[Value]) -> None:
            at = f.element(place, "i64", i)
            number = f.integer("and", f.load("i64", at), 0xFFFFFFFF)
            key = f.integer("and", self._key(start, number), -(1 << 32))
            f.store(f.integer("or", key, number), at)

        f.loop(0, work.length, 1, high)
        here = f.compare("eq", self._address(place), self._address(self.items))
        return self._sort(place, f.select(here, self.other, self.items), 32)

    def _address(self, pointer: Value) -> Value:
        return self.f.convert("ptrtoint", pointer, "i64")

    def _key(self, start: Value, i: Value) -> Value:
        """An element as a number without sign, in the order of the result, in an i64."""
        f, work = self.f, self.work
        type_ = f"i{self.bits}"
        at = f.add(start, f.mul(i, work.inner))
        x = f.load(type_, f.element(self.source, type_, at))
        if work.dtype.kind == "float":
            x = self._ordered(x)
        elif work.dtype.kind == "int":
            x = f.integer("xor", x, 1 << (self.bits - 1))
        elif work.dtype.kind == "bool":
            x = f.convert("zext", f.compare("ne", x, 0), type_)
        if work.descending:
            x = f.integer("xor", x, -1)
        return f.convert("zext", x, "i64")

    def _ordered(self, x: Value) -> Value:
        """Bits of a floating-point number as a number in the same order; zeros are equal, NaN above all."""
        f, type_ = self.f, x.type
        exponent, mantissa = _EXPONENT[self.work.dtype.name]
        sign = 1 << (self.bits - 1)
        infinity = ((1 << exponent) - 1) << mantissa
        size = f.integer("and", x, sign - 1)
        x = f.select(f.compare("eq", size, 0), f.constant(type_, 0), x)
        flipped = f.select(f.compare("slt", x, 0), f.constant(type_, -1), f.constant(type_, sign))
        ordered = f.integer("xor", x, flipped)
        return f.select(f.compare("ugt", size, infinity), f.constant(type_, -1), ordered)

    # --------------------------------------------------------------------------------------------- two ways to sort

    def _sort(self, items: Value, other: Value, bits: int) -> Value:
        if self.work.length <= _SHORT:
            self._insert(items)
            return items
        for byte in range(bits // 8):
            items, other = self._pass(items, other, 32 + 8 * byte)
        return items

    def _insert(self, items: Value) -> None:
        """Sort by the upper halves."""
        f = self.f

        def insert(i: Value, _: list[Value]) -> None:
            item = f.load("i64", f.element(items, "i64", i))
            key = f.integer("lshr", item, 32)
            head, shift, after = f.new_block(), f.new_block(), f.new_block()
            before, at = f.block, f.new_block()
            f.branch(head)
            f.start(head)
            j = Value("i64", f"%{at}.place")
            mark = len(f.lines)
            look = f.new_block()
            f.branch_if(f.compare("sgt", j, 0), look, after)
            f.start(look)
            previous = f.sub(j, 1)
            left = f.load("i64", f.element(items, "i64", previous))
            f.branch_if(f.compare("ugt", f.integer("lshr", left, 32), key), shift, after)
            f.start(shift)
            f.store(left, f.element(items, "i64", j))
            f.branch(head)
            f.lines.insert(mark, f"  {j.text} = phi i64 [ {i.text}, %{before} ], [ {previous.text}, %{shift} ]")
            f.start(after)
            f.store(item, f.element(items, "i64", j))

        f.loop(1, self.work.length, 1, insert)

    def _pass(self, items: Value, other: Value, shift: int) -> tuple[Value, Value]:
        """Sort by eight bits, into the other memory; where everything and where nothing is now."""
        f, count = self.f, self.work.length
        f.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
        f.line(f"call void @llvm.memset.p0.i64({self.counts}, i8 0, i64 {256 * 8}, i1 false)")

        def counter(item: Value) -> Value:
            digit = f.integer("and", f.integer("lshr", item, shift), 255)
            return f.element(self.counts, "i64", digit)

        def tally(i: Value, _: list[Value]) -> None:
            at = counter(f.load("i64", f.element(items, "i64", i)))
            f.store(f.add(f.load("i64", at), 1), at)

        f.loop(0, count, 1, tally)

        def distribute() -> list[Value]:
            def start(d: Value, carried: list[Value]) -> list[Value]:
                at = f.element(self.counts, "i64", d)
                here = f.load("i64", at)
                f.store(carried[0], at)
                return [f.add(carried[0], here)]

            f.loop(0, 256, 1, start, [f.as_value(0)])

            def move(i: Value, _: list[Value]) -> None:
                item = f.load("i64", f.element(items, "i64", i))
                at = counter(item)
                place = f.load("i64", at)
                f.store(f.add(place, 1), at)
                f.store(item, f.element(other, "i64", place))

            f.loop(0, count, 1, move)
            return [other, items]

        # All in one bucket: nothing to do. Small integers in wide dtypes are common.
        all_same = f.compare("eq", f.load("i64", counter(f.load("i64", items))), count)
        now, free = f.if_(all_same, lambda: [items, other], distribute)
        return now, free


def sort_kernel(work: SortWork) -> Kernel:
    """The kernel: buffers are the input and the int64 result, both in row-major order."""
    code = _SortCode(work)
    code.write()
    lines = work.outer * work.inner
    passes = min(work.dtype.itemsize, work.length)
    effort = lines * work.length * 8 * passes
    text = f"{lines} lines of {work.length}" + (", the largest first" if work.descending else "")
    moved = lines * work.length * (8 + work.dtype.itemsize)
    return Kernel("argsort", str(code.module), lines, code.scratch_bytes, 4 * effort, moved, text)


def emit_sort(lowering: Lowering, group: Group, stored: set[Node]) -> None:
    """The launch for an argsort."""
    node = group.root
    assert node is not None
    source = lowering.prepared.whole[node][0]
    shape, dim = shape_of(node), node.attributes["dim"]
    if prod(shape) == 0:
        return
    outer, inner = prod(shape[:dim]), prod(shape[dim + 1 :])
    work = SortWork(outer, shape[dim], inner, node.attributes["descending"], source.dtype)
    places = [lowering.place_of(source), lowering.place_of(node)]
    kernel = sort_kernel(work)
    lowering.launches.append(Launch(places[:1], places[1:], places, kernel, nodes=(node,)))
