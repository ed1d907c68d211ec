"""Kernels for `scatter`: updates written, or combined, at computed places.

Each task owns a part of the result and applies, in order, those updates that go there: the result does not depend on
how tasks are spread over threads, and is that of the reference. Read next: `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from onegraph.backends.host import location_of
from onegraph.backends.native.launch import Launch, Place
from onegraph.backends.native.reading import as_position, fresh_variables, is_movement, movement_reads
from onegraph.errors import OutOfRangeError
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node
from onegraph.kernels.kernel import BAD_INDEX, Kernel
from onegraph.kernels.llvm import Module, Value, vector_type
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.kernels.scalar import Code, memory_type
from onegraph.kernels.target import Target
from onegraph.ops.index import Index, shape_of
from onegraph.ops.shapes import show

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

_COMBINE = {"add": "add", "multiply": "mul", "maximum": "maximum", "minimum": "minimum"}
_TASK = 1 << 14
"""Elements that make a task worth its start."""
_MOST_PARTS = 16
"""Parts of a result, at most, whose tasks each look at all indices."""
_COLUMNS = 64
"""Columns of a strip are a multiple of it."""


@dataclass(frozen=True)
class ScatterWork:
    """One scatter with its sizes.

    Attributes:
        outer, inner: elements before and after the dimensions that the indices replace.
        sizes: of these dimensions.
        indices: dtypes of the index tensors that are read (all but the first when `rows`).
        count: updates for each outer position, each of `inner` elements.
        rows: the size of the first dimension of the indices when the first index is the position along it (0
            otherwise): then each row of the result has updates of its own.
        mode, dtype: as in the op.
        filled: the base is zeros and not read.
    """

    outer: int
    inner: int
    sizes: tuple[int, ...]
    indices: tuple[DType, ...]
    count: int
    rows: int
    mode: str
    dtype: DType
    filled: bool

    @property
    def places(self) -> int:
        """Rows of `inner` elements of the result for each outer position."""
        return prod(self.sizes)


@dataclass(frozen=True)
class _Cut:
    """How the result is cut: `parts` of `step` places times `strips` of `width` columns, for each outer position."""

    parts: int
    step: int
    strips: int
    width: int


def _cut(work: ScatterWork) -> _Cut:
    """It depends on the sizes alone."""
    total = work.outer * (work.places + work.count) * work.inner
    most = max(1, min(64, total // _TASK) // work.outer)
    if work.rows:
        rest = prod(work.sizes[1:])
        step = max(1, ceil(work.sizes[0] / most)) * rest
        return _Cut(ceil(work.places / step), step, 1, work.inner)
    if work.inner >= 2 * _COLUMNS and work.places < 4 * _MOST_PARTS:
        width = ceil(work.inner / min(most, _MOST_PARTS) / _COLUMNS) * _COLUMNS
        return _Cut(1, work.places, ceil(work.inner / width), width)
    if work.inner < 8 and work.places < 4 * work.count:  # looking at the indices is most of the work
        return _Cut(1, work.places, 1, work.inner)
    step = ceil(work.places / min(most, work.places, _MOST_PARTS))
    return _Cut(ceil(work.places / step), step, 1, work.inner)


class _ScatterCode:
    """Writes the kernel of one scatter."""

    def __init__(self, work: ScatterWork, target: Target) -> None:
        self.work = work
        self.cut = _cut(work)
        self.lanes = target.lanes(32)
        self.module = Module()
        self.f = f = self.module.function("KERNEL", ENTRY_ARGUMENTS)
        self.codes = {n: Code.for_target(f, n, target) for n in (1, self.lanes)}
        self.element = memory_type(work.dtype)
        table, self.first, self.last, _, self.status = f.arguments
        pointers = iter([f.load("ptr", f.element(table, "ptr", i)) for i in range(len(work.indices) + 3 - work.filled)])
        self.base = None if work.filled else next(pointers)
        self.indices = [next(pointers) for _ in work.indices]
        self.updates, self.out = next(pointers), next(pointers)

    def write(self) -> Module:
        """The whole module."""
        f = self.f
        f.loop(self.first, self.last, 1, lambda t, _: self._task(t))
        f.ret()
        return self.module

    def _task(self, task: Value) -> None:
        f, work, cut = self.f, self.work, self.cut
        outer = f.divide(task, cut.parts * cut.strips)
        part = f.modulo(f.divide(task, cut.strips), cut.parts)
        strip = f.modulo(task, cut.strips)
        low = f.mul(part, cut.step)
        high = f.minimum(f.add(low, cut.step), work.places)
        left = f.mul(strip, cut.width)
        right = f.minimum(f.add(left, cut.width), work.inner)
        out = f.element(self.out, self.element, f.mul(outer, work.places * work.inner))
        updates = f.element(self.updates, self.element, f.mul(outer, work.count * work.inner))
        self._start(outer, out, low, high, left, right)
        begin: Value | int = 0
        end: Value | int = work.count
        if work.rows:
            rest, each = prod(work.sizes[1:]), work.count // work.rows
            begin = f.mul(f.minimum(f.divide(low, rest), work.rows), each)
            end = f.mul(f.minimum(f.divide(high, rest), work.rows), each)
            reports = f.compare("eq", outer, 0)
        else:  # one task sees all indices, the others need not tell
            reports = f.compare("eq", task, 0)

        def update(j: Value, _: list[Value]) -> None:
            place, good = self._place(j, reports)
            if cut.parts > 1 and not work.rows:
                inside = f.integer("and", f.compare("sge", place, low), f.compare("slt", place, high))
                good = f.integer("and", good, inside)
            with f.only_if(good):
                source = f.element(updates, self.element, f.mul(j, work.inner))
                self._combine(f.element(out, self.element, f.mul(place, work.inner)), source, left, right)

        f.loop(begin, end, 1, update)

    def _start(self, outer: Value, out: Value, low: Value, high: Value, left: Value, right: Value) -> None:
        """The task's part of the result as it is before any update."""
        f, work = self.f, self.work
        size = work.dtype.itemsize
        source = None
        if self.base is not None:
            source = f.element(self.base, self.element, f.mul(outer, work.places * work.inner))

        def move(at: Value, count: Value) -> None:
            target = f.element(out, self.element, at)
            length = f.mul(count, size)
            if source is None:
                f.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
                f.line(f"call void @llvm.memset.p0.i64({target}, i8 0, {length}, i1 false)")
                return
            f.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
            origin = f.element(source, self.element, at)
            f.line(f"call void @llvm.memcpy.p0.p0.i64({target}, {origin}, {length}, i1 false)")

        def start() -> None:
            if self.cut.strips == 1:
                move(f.mul(low, work.inner), f.mul(f.sub(high, low), work.inner))
                return
            width = f.sub(right, left)
            f.loop(low, high, 1, lambda r, _: move(f.add(f.mul(r, work.inner), left), width))

        if self.base is None:
            start()
            return
        with f.only_if(f.compare("ne", self.base, self.out)):  # in place there is nothing to copy
            start()

    def _place(self, j: Value, reports: Value) -> tuple[Value, Value]:
        """Where update j goes, and whether that is inside."""
        f, work = self.f, self.work
        sizes = work.sizes
        place: Value = f.as_value(0)
        good: Value | None = None
        if work.rows:
            place = f.mul(f.divide(j, work.count // work.rows), prod(sizes[1:]))
            sizes = sizes[1:]
        skipped = len(work.sizes) - len(sizes)
        for q, (pointer, dtype, size) in enumerate(zip(self.indices, work.indices, sizes, strict=True)):
            element = memory_type(dtype)
            index = f.convert("sext", f.load(element, f.element(pointer, element, j)), "i64")
            inside = f.compare("ult", index, size)
            outside = f.integer("and", f.integer("xor", inside, f.constant("i1", 1)), reports)
            with f.only_if(outside):
                code = BAD_INDEX | (q + skipped) << 8
                with f.only_if(f.compare("eq", f.load("i64", self.status), 0)):
                    for word, number in enumerate((f.as_value(code), index, f.as_value(size))):
                        f.store(number, f.element(self.status, "i64", word))
            good = inside if good is None else f.integer("and", good, inside)
            place = f.add(f.mul(index, prod(sizes[q + 1 :])), place)
        return place, f.constant("i1", 1) if good is None else good

    def _combine(self, target: Value, source: Value, left: Value, right: Value) -> None:
        """target[left:right] with source[left:right]."""
        f, lanes = self.f, self.lanes
        if self.work.inner < lanes:
            f.loop(left, right, 1, lambda c, _: self._one(1, target, source, c))
            return
        whole = f.sub(right, f.modulo(f.sub(right, left), lanes))
        f.loop(left, whole, lanes, lambda c, _: self._one(lanes, target, source, c))
        if self.work.inner % lanes:
            f.loop(whole, right, 1, lambda c, _: self._one(1, target, source, c))

    def _one(self, lanes: int, target: Value, source: Value, column: Value) -> None:
        f, code, dtype = self.f, self.codes[lanes], self.work.dtype
        type_ = vector_type(self.element, lanes)
        place = f.element(target, self.element, column)
        new = f.load(type_, f.element(source, self.element, column))
        if self.work.mode != "set":
            old = code.load_convert(f.load(type_, place), dtype)
            combine = getattr(code, _COMBINE[self.work.mode])
            new = code.store_convert(combine(old, code.load_convert(new, dtype)))
        f.store(new, place)


def scatter_kernel(work: ScatterWork, target: Target) -> Kernel:
    """The kernel: buffers are the base (unless `filled`), the indices, the updates, and the result."""
    code = _ScatterCode(work, target)
    cut = code.cut
    tasks = work.outer * cut.parts * cut.strips
    elements = work.outer * work.inner * (work.places + 2 * work.count)
    text = f"{work.mode}: {work.count} updates of {work.inner} elements into {work.outer} times {work.places}"
    return Kernel("scatter", str(code.write()), tasks, 0, 0, elements * work.dtype.itemsize, text)


def follows_rows(index: Node) -> bool:
    """Whether an index is its own position along its first dimension."""
    variables = fresh_variables(shape_of(index))
    node, position = index, as_position(variables)
    while node.op != "iota":
        if is_movement(node):
            reads = movement_reads(node, position)
            if len(reads) != 1 or reads[0].conditions:
                return False
            node, position = node.inputs[reads[0].input], reads[0].position
        elif node.op in ("cast", "detach"):
            node = node.inputs[0]
        else:
            return False
    return bool(variables) and position[0] == Index.of(variables[0])


def emit_scatter(lowering: Lowering, group: Group, stored: set[Node]) -> None:
    """The launch for a scatter."""
    node = group.root
    assert node is not None
    if prod(shape_of(node)) == 0:
        return
    operands = lowering.prepared.whole[node]
    base, *indices, _ = node.inputs
    filled = _is_zeros(base)
    dim = node.attributes["dim"]
    shape = shape_of(node)
    sizes = shape[dim : dim + len(indices)]
    read = operands[0 if filled else 1 : -1]
    rows = int(shape_of(indices[0])[0]) if len(read) < len(indices) else 0
    work = ScatterWork(
        prod(shape[:dim]),
        prod(shape[dim + len(indices) :]),
        sizes,
        tuple([i.dtype for i in read]),
        prod(shape_of(indices[0])),
        rows,
        node.attributes["mode"],
        node.dtype,
        filled,
    )
    kernel = scatter_kernel(work, lowering.target)
    places = [lowering.place_of(o) for o in operands]
    out = lowering.place_of(node)
    in_place: list[tuple[Place, Place]] = [] if filled else [(out, places[0])]
    lowering.launches.append(
        Launch(places, [out], [*places, out], kernel, nodes=(node,), in_place=in_place, error=_error(node))
    )


def _error(node: Node) -> Callable[[int, int, int], Exception]:
    shape, dim = shape_of(node), node.attributes["dim"]

    def error(code: int, index: int, size: int) -> Exception:
        at = dim + (code >> 8)
        return OutOfRangeError(
            f"scatter: index {index} is out of range for size {size} of dimension {at} of {show(shape)}",
            location=location_of(node),
        )

    return error


def _is_zeros(node: Node) -> bool:
    """Whether all bits of a value are known to be zero."""
    while node.op in ("expand", "reshape", "detach"):
        node = node.inputs[0]
    if node.op != "constant":
        return False
    array = node.attributes["value"].array
    return array.size == 1 and not any(array.tobytes())


def scatter_operands(node: Node) -> tuple[Node, ...]:
    """What the kernel reads: not a base of zeros, nor an index that counts rows."""
    base, *indices, updates = node.inputs
    if len(indices) > 1 and indices[0].size and follows_rows(indices[0]) and base.size:
        first = shape_of(indices[0])[0]
        if first <= shape_of(base)[node.attributes["dim"]]:
            indices = indices[1:]
    return (*([] if _is_zeros(base) else [base]), *indices, updates)
