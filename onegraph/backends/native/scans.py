"""Kernels for running sums, products and maxima along one dimension.

Where the last dimension is not scanned, vectors of columns are combined row after row, as in the reference. Where it is,
long rows are scanned a vector at a time, so sums are added in another order than the reference's, which depends on the
target alone; of short rows several are scanned side by side.
Read next: `prepare.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from onegraph.backends.native.launch import Launch
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node
from onegraph.kernels.kernel import Kernel
from onegraph.kernels.llvm import Module, Value, vector_type
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.kernels.scalar import Code, Scalar, memory_type
from onegraph.kernels.target import Target
from onegraph.ops.index import shape_of

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

_COMBINE = {"cumsum": "add", "cumprod": "mul", "cummax": "maximum"}
_VECTORS = 4
"""Vectors of columns that are scanned side by side."""
_ROWS = 8
"""Rows that are scanned side by side."""


@dataclass(frozen=True)
class ScanWork:
    """One scan: `outer` times `length` times `inner` elements, scanned along the middle."""

    op: str
    outer: int
    length: int
    inner: int
    reverse: bool
    dtype: DType

    @property
    def step(self) -> int:
        """Elements from one to the next in the direction of the scan."""
        return -self.inner if self.reverse else self.inner

    @property
    def start(self) -> int:
        """The first element of a line that is scanned."""
        return (self.length - 1) * self.inner if self.reverse else 0


class _ScanCode:
    def __init__(self, work: ScanWork, target: Target) -> None:
        self.work = work
        self.lanes = target.lanes(32)
        self.element = memory_type(work.dtype)
        self.module = Module()
        self.f = f = self.module.function("KERNEL", ENTRY_ARGUMENTS)
        table, self.first, self.last, _, _ = f.arguments
        self.source, self.target = (f.load("ptr", f.element(table, "ptr", i)) for i in range(2))
        self.codes = {n: Code.for_target(f, n, target) for n in (1, self.lanes)}
        self.combine = {n: getattr(code, _COMBINE[work.op]) for n, code in self.codes.items()}

    def lines(self, starts: list[Value], lanes: int, mask: Value | None = None) -> None:
        """Scan from each of these first elements, `lanes` neighbouring lines at a time."""
        f, work = self.f, self.work
        code, combine, type_ = self.codes[lanes], self.combine[lanes], vector_type(self.element, lanes)

        def load(at: Value) -> Scalar:
            place = f.element(self.source, self.element, at)
            found = f.load(type_, place) if mask is None else f.masked_load(type_, place, mask, f.constant(type_, 0))
            return code.load_convert(found, work.dtype)

        def store(x: Value, at: Value) -> None:
            place, value = (
                f.element(self.target, self.element, at),
                code.store_convert(code.round(Scalar(x, work.dtype))),
            )
            if mask is None:
                f.store(value, place)
            else:
                f.masked_store(value, place, mask)

        sums = [load(s).value for s in starts]
        for x, s in zip(sums, starts, strict=True):
            store(x, s)

        def step(i: Value, carried: list[Value]) -> list[Value]:
            places = [f.add(s, f.mul(i, work.step)) for s in starts]
            news = [load(p) for p in places]
            sums = [combine(Scalar(c, work.dtype), n).value for c, n in zip(carried, news, strict=True)]
            for x, p in zip(sums, places, strict=True):
                store(x, p)
            return sums

        f.loop(1, work.length, 1, step, sums)

    def row(self, start: Value) -> None:
        """Scan one line whose elements are neighbours, a vector at a time.

        Within a vector by doubling (Hillis and Steele 1986, "Data parallel algorithms"); then what came before is combined
        with all of it.
        """
        f, work, lanes = self.f, self.work, self.lanes
        code, combine = self.codes[lanes], self.combine[lanes]
        type_, end = vector_type(self.element, lanes), 0 if work.reverse else lanes - 1

        def scanned(x: Value) -> Value:
            distance = 1
            while distance < lanes:
                if work.reverse:
                    order = [min(i + distance, lanes - 1) for i in range(lanes)]
                    good = [i + distance < lanes for i in range(lanes)]
                else:
                    order = [max(i - distance, 0) for i in range(lanes)]
                    good = [i >= distance for i in range(lanes)]
                both = combine(Scalar(f.shuffle(x, None, order), work.dtype), Scalar(x, work.dtype)).value
                x = f.select(f.vector_constant("i1", good), both, x)
                distance *= 2
            return x

        def vector(at: Value, before: Value | None) -> Value:
            place = f.element(self.source, self.element, at)
            x = scanned(code.load_convert(f.load(type_, place), work.dtype).value)
            if before is not None:
                spread = Scalar(f.shuffle(before, None, [end] * lanes), work.dtype)
                x = combine(spread, Scalar(x, work.dtype)).value
            stored = code.store_convert(code.round(Scalar(x, work.dtype)))
            f.store(stored, f.element(self.target, self.element, at))
            return x

        count, rest = divmod(work.length, lanes)
        step = -lanes if work.reverse else lanes
        first = f.add(start, 1 - lanes) if work.reverse else start
        last = vector(first, None)
        (last,) = f.loop(1, count, 1, lambda i, c: [vector(f.add(first, f.mul(i, step)), c[0])], [last])
        single, narrow = self.codes[1], self.combine[1]
        total = f.extract(last, end)
        for i in range(count * lanes, count * lanes + rest):
            at = f.add(start, i * work.step)
            x = single.load_convert(f.load(self.element, f.element(self.source, self.element, at)), work.dtype)
            total = narrow(Scalar(total, work.dtype), x).value
            stored = single.store_convert(single.round(Scalar(total, work.dtype)))
            f.store(stored, f.element(self.target, self.element, at))

    def long_rows(self) -> int:
        """Tasks are single rows; their number."""
        work = self.work
        size = work.length

        def one(line: Value, _: list[Value]) -> None:
            self.row(self.f.add(self.f.mul(line, size), work.start))

        self.f.loop(self.first, self.last, 1, one)
        return work.outer

    def columns(self) -> int:
        """Tasks are strips of columns; their number."""
        f, work, lanes = self.f, self.work, self.lanes
        width = lanes * _VECTORS
        strips = ceil(work.inner / width)
        rest = work.inner - (strips - 1) * width

        def strip(task: Value, _: list[Value]) -> None:
            outer, number = f.divide(task, strips), f.modulo(task, strips)
            start = f.add(f.add(f.mul(outer, work.length * work.inner), work.start), f.mul(number, width))

            def full() -> None:
                self.lines([f.add(start, lanes * i) for i in range(_VECTORS)], lanes)

            def partial() -> None:
                whole, some = divmod(rest, lanes)
                if whole:
                    self.lines([f.add(start, lanes * i) for i in range(whole)], lanes)
                if some:
                    mask = f.vector_constant("i1", [i < some for i in range(lanes)])
                    self.lines([f.add(start, lanes * whole)], lanes, mask)

            if rest == width:
                full()
            elif strips == 1:
                partial()
            else:
                f.if_(f.compare("eq", number, strips - 1), partial, full)

        f.loop(self.first, self.last, 1, strip)
        return work.outer * strips

    def rows(self) -> int:
        """Tasks are several rows; their number."""
        f, work = self.f, self.work
        lines = work.outer * work.inner
        tasks = ceil(lines / _ROWS)

        def start(line: Value) -> Value:
            outer, column = f.divide(line, work.inner), f.modulo(line, work.inner)
            return f.add(f.add(f.mul(outer, work.length * work.inner), column), work.start)

        def several(task: Value, _: list[Value]) -> None:
            first = f.mul(task, _ROWS)

            def one_by_one() -> None:
                f.loop(first, lines, 1, lambda line, _: self.lines([start(line)], 1))

            if lines % _ROWS == 0:
                self.lines([start(f.add(first, i)) for i in range(_ROWS)], 1)
            elif tasks == 1:
                one_by_one()
            else:
                together = f.compare("slt", task, tasks - 1)
                f.if_(together, lambda: self.lines([start(f.add(first, i)) for i in range(_ROWS)], 1), one_by_one)

        f.loop(self.first, self.last, 1, several)
        return tasks


def scan_kernel(work: ScanWork, target: Target) -> Kernel:
    """The kernel: buffers are the input and the result, both in row-major order."""
    code = _ScanCode(work, target)
    long = work.inner == 1 and work.length >= 2 * code.lanes
    tasks = code.columns() if work.inner >= code.lanes else code.long_rows() if long else code.rows()
    code.f.ret()
    total = work.outer * work.length * work.inner
    text = f"{work.outer} x {work.length} x {work.inner} along the middle" + (", backwards" if work.reverse else "")
    # What is combined waits for what came before: a row takes longer than its bytes.
    slow = 16 * total if work.inner < code.lanes else 0
    return Kernel(work.op, str(code.module), tasks, 0, slow, 2 * total * work.dtype.itemsize, text)


def emit_scan(lowering: Lowering, group: Group, stored: set[Node]) -> None:
    """The launch for a running sum, product or maximum."""
    node = group.root
    assert node is not None
    shape, dim = shape_of(node), node.attributes["dim"]
    if prod(shape) == 0:
        return
    outer, inner = prod(shape[:dim]), prod(shape[dim + 1 :])
    work = ScanWork(node.op, outer, shape[dim], inner, node.attributes["reverse"], node.dtype)
    source, result = lowering.place_of(lowering.prepared.whole[node][0]), lowering.place_of(node)
    kernel = scan_kernel(work, lowering.target)
    in_place = [(result, source)]
    lowering.launches.append(Launch([source], [result], [source, result], kernel, nodes=(node,), in_place=in_place))
