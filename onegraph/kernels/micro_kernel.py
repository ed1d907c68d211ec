"""The register block of a contraction, and the packing of its operands: straight code and the loops over the depth.

`multiply` keeps rows x vectors sums in registers and adds A(row, k) * B(k, column) for one k after the other, one fused
multiply-add each. `pack` copies an operand into scratch memory in the order in which `multiply` reads it.
Read next: `contraction.py`, the loops around both; `tiling.py`, which chooses the sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onegraph.kernels.llvm import Function, Number, Value, bits_of, element_type, lanes_of, vector_type

_AHEAD = 8
"""How many steps of the depth ahead a cache line is asked for."""
_LINE = 16
"""Elements in a cache line (64 bytes of float; for other types a guess that costs nothing)."""


@dataclass(frozen=True)
class DepthLoop:
    """One loop over a part of the depth: its steps, and element strides in A and B (or: in source and target)."""

    count: Number
    a: int
    b: int


def join(loops: Sequence[DepthLoop]) -> list[DepthLoop]:
    """The same loops with as few levels as possible; the steps of all but the first must be known numbers.

    >>> join([DepthLoop(3, 8, 80), DepthLoop(4, 2, 20)])
    [DepthLoop(count=12, a=2, b=20)]
    """
    joined: list[DepthLoop] = []
    for loop in loops:
        if isinstance(loop.count, int) and loop.count == 1:
            continue
        outer = joined[-1] if joined else None
        fits = outer is not None and isinstance(loop.count, int) and isinstance(outer.count, int)
        if fits and outer and outer.a == loop.a * loop.count and outer.b == loop.b * loop.count:  # type: ignore[operator]
            joined[-1] = DepthLoop(outer.count * loop.count, loop.a, loop.b)  # type: ignore[operator]
        else:
            joined.append(loop)
    return joined


@dataclass(frozen=True)
class Registers:
    """The shape of a register block."""

    element: str
    lanes: int
    vectors: int
    fma: bool

    @property
    def type(self) -> str:
        """The type of one accumulator."""
        return vector_type(self.element, self.lanes)


def multiply(
    f: Function,
    registers: Registers,
    loops: Sequence[DepthLoop],
    a: Value,
    b: Value,
    offsets: Sequence[int],
    masks: Sequence[Value | None],
    sums: Sequence[Value],
    later: Value | None = None,
    share: int = 0,
) -> list[Value]:
    """sums[row * vectors + j] += A(row, k) * B(k, vector j) for every k of the loops, in order.

    Args:
        a, b: addresses of A(0, 0) and B(0, 0).
        offsets: element offsets of the rows in A.
        masks: for each vector which columns of B may be read; None: all.
        sums: the accumulators before.
        later, share: an address from which so many elements are fetched for each k, for a later block; B is packed then.
    """
    if not loops:
        return _step(f, registers, a, b, offsets, masks, sums, 0)
    loop, rest = loops[0], loops[1:]

    def body(i: Value, carried: list[Value]) -> list[Value]:
        row = f.element(a, registers.element, f.mul(i, loop.a))
        panel = f.element(b, registers.element, f.mul(i, loop.b))
        ahead = later
        if later is not None:
            ahead = f.element(
                later, registers.element, f.mul(i, loop.b // (registers.vectors * registers.lanes) * share)
            )
        if rest:
            return multiply(f, registers, rest, row, panel, offsets, masks, carried, ahead, share)
        if ahead is not None:
            for n in range(0, share, registers.lanes):
                touch(f, f.element(ahead, registers.element, n), 2)
        if loop.a >= _LINE and max(offsets) - min(offsets) < 2 * _LINE:
            for offset in {min(offsets), max(offsets)}:
                touch(f, f.element(row, registers.element, _AHEAD * loop.a + offset))
        return _step(f, registers, row, panel, offsets, masks, carried, _AHEAD * loop.b)

    if rest or loop.a != 1 or loop.count == 1:
        return f.loop(0, loop.count, 1, body, sums)
    # The rows of A come from as many places, which the processor does not foresee: fetch each line before it is needed.
    whole = isinstance(loop.count, int) and loop.count % _LINE == 0

    def line(start: Value, carried: list[Value]) -> list[Value]:
        for offset in offsets:
            touch(f, f.element(a, registers.element, f.add(f.add(start, _LINE), offset)))
        stop = f.add(start, _LINE)
        return f.loop(start, stop if whole else f.minimum(stop, loop.count), 1, body, carried)

    return f.loop(0, loop.count, _LINE, line, sums)


def touch(f: Function, pointer: Value, locality: int = 3) -> None:
    """Ask for a cache line early. The address need not exist."""
    f.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
    f.line(f"call void @llvm.prefetch.p0(ptr {pointer.text}, i32 0, i32 {locality}, i32 1)")


def _step(
    f: Function,
    registers: Registers,
    a: Value,
    b: Value,
    offsets: Sequence[int],
    masks: Sequence[Value | None],
    sums: Sequence[Value],
    ahead: int,
) -> list[Value]:
    """One k. `ahead`: distance to elements of B that will be needed soon."""
    columns = []
    for j, mask in enumerate(masks):
        pointer = f.element(b, registers.element, j * registers.lanes)
        if ahead:
            touch(f, f.element(pointer, registers.element, ahead))
        if mask is None:
            columns.append(f.load(registers.type, pointer))
        else:
            columns.append(f.masked_load(registers.type, pointer, mask, f.constant(registers.type, 0.0)))
    out = []
    for r, offset in enumerate(offsets):
        row = f.splat(f.load(registers.element, f.element(a, registers.element, offset)), registers.lanes)
        for j, column in enumerate(columns):
            total = sums[r * registers.vectors + j]
            if registers.fma:
                out.append(f.fma(row, column, total))
            else:
                out.append(f.fadd(f.fmul(row, column), total))
    return out


def transpose(f: Function, rows: Sequence[Value]) -> list[Value]:
    """As many vectors as they have lanes (a power of two), transposed.

    First within 128 bits, then whole 128-bit pieces: both kinds of shuffle are one instruction.
    """
    size = len(rows)
    piece = min(size, 128 // bits_of(rows[0].type))
    groups = [_interleave(f, rows[i : i + piece], piece) for i in range(0, size, piece)]
    out: list[Value | None] = [None] * size
    for j in range(piece):
        for i, row in enumerate(_transpose_pieces(f, [group[j] for group in groups], piece)):
            out[i * piece + j] = row
    return [row for row in out if row is not None]


def _interleave(f: Function, rows: Sequence[Value], piece: int) -> list[Value]:
    """Transpose the squares of `piece` rows and as many lanes."""
    lanes, half = lanes_of(rows[0].type), piece // 2
    low = [start + i // 2 + (i % 2) * lanes for start in range(0, lanes, piece) for i in range(piece)]
    high = [i + half for i in low]
    now = list(rows)
    for _ in range(piece.bit_length() - 1):
        now = [f.shuffle(now[i], now[i + half], order) for i in range(half) for order in (low, high)]
    return now


def _transpose_pieces(f: Function, rows: list[Value], piece: int) -> list[Value]:
    """Transpose a square of pieces: the even pieces of two rows side by side, and the odd ones."""
    if len(rows) == 1:
        return rows
    lanes = lanes_of(rows[0].type)
    even = [start + i for start in range(0, 2 * lanes, 2 * piece) for i in range(piece)]
    parts = []
    for order in (even, [i + piece for i in even]):
        chosen = [f.shuffle(rows[i], rows[i + 1], order) for i in range(0, len(rows), 2)]
        parts.append(_transpose_pieces(f, chosen, piece))
    return [row for pair in zip(*parts, strict=True) for row in pair]


def pack(
    f: Function,
    element: str,
    lanes: int,
    loops: Sequence[DepthLoop],
    source: Value,
    target: Value,
    offsets: Sequence[int],
    valid: Value | None = None,
) -> None:
    """Copy source[k + offset] for all offsets next to each other, for every k: loops have `a` in source, `b` in target.

    Up to a vector of elements beyond the last copied ones may be written, so copies must go upward in memory.

    Args:
        offsets: element offsets of the rows (or columns) in the source.
        valid: how many of the offsets exist (at least 1); the rest is filled with anything. None: all.
    """
    inner = loops[-1] if loops else None
    if list(offsets) == list(range(len(offsets))):
        _nest(
            f,
            element,
            loops,
            source,
            target,
            lambda s, t: _copy_row(f, element, lanes, s, t, len(offsets), valid),
        )
    elif inner is not None and inner.a == 1 and lanes > 1:
        _nest(
            f,
            element,
            loops[:-1],
            source,
            target,
            lambda s, t: _copy_transposed(f, element, lanes, inner, s, t, offsets, valid),
        )
    else:
        _nest(f, element, loops, source, target, lambda s, t: _copy_scalars(f, element, s, t, offsets, valid))


def _nest(f: Function, element: str, loops: Sequence[DepthLoop], source: Value, target: Value, body: object) -> None:
    """Run body(source, target) in all loops."""
    assert callable(body)
    if not loops:
        body(source, target)
        return

    def inside(i: Value, _: list[Value]) -> None:
        at, to = f.mul(i, loops[0].a), f.mul(i, loops[0].b)
        _nest(f, element, loops[1:], f.element(source, element, at), f.element(target, element, to), body)

    f.loop(0, loops[0].count, 1, inside)


def _copy_row(
    f: Function, element: str, lanes: int, source: Value, target: Value, count: int, valid: Value | None
) -> None:
    """`count` elements that are neighbours."""
    at = 0
    while at < count:
        width = min(lanes, 1 << ((count - at).bit_length() - 1))
        type_ = vector_type(element, width)
        pointer = f.element(source, element, at)
        if valid is None:
            item = f.load(type_, pointer)
        else:
            item = f.masked_load(type_, pointer, lane_mask(f, f.sub(valid, at), width), f.constant(type_, 0.0))
        f.store(item, f.element(target, element, at))
        at += width


def lane_mask(f: Function, count: Value, lanes: int) -> Value:
    """True in the first `count` lanes; none if it is negative."""
    wide = f.splat(f.convert("trunc", count, "i32"), lanes)
    return f.compare("slt", f.lane_numbers(lanes, "i32"), wide)


def _place(f: Function, element: str, source: Value, offsets: Sequence[int], i: int, valid: Value | None) -> Value:
    """The address of row i, or of the last one that exists."""
    if valid is None or i == 0:
        return f.element(source, element, offsets[i])
    last = f.sub(valid, 1)
    return f.element(source, element, f.mul(f.minimum(last, i), offsets[1]))


def _copy_scalars(
    f: Function, element: str, source: Value, target: Value, offsets: Sequence[int], valid: Value | None
) -> None:
    if _is_affine(offsets):
        stride = offsets[1] if len(offsets) > 1 else 0

        def one(i: Value, _: list[Value]) -> None:
            k = i if valid is None else f.minimum(i, f.sub(valid, 1))
            item = f.load(element, f.element(source, element, f.mul(k, stride)))
            f.store(item, f.element(target, element, i))

        f.loop(0, len(offsets), 1, one)
        return
    for i in range(len(offsets)):
        item = f.load(element, _place(f, element, source, offsets, i, valid))
        f.store(item, f.element(target, element, i))


def _copy_transposed(
    f: Function,
    element: str,
    lanes: int,
    inner: DepthLoop,
    source: Value,
    target: Value,
    offsets: Sequence[int],
    valid: Value | None,
) -> None:
    """The depth is contiguous in the source: blocks of lanes x lanes are transposed in registers."""
    if len(offsets) % lanes == 0 and _is_affine(offsets):
        stride = offsets[1] - offsets[0]
        rows = f.as_value(len(offsets)) if valid is None else valid
        full = f.sub(rows, f.modulo(rows, lanes))

        def group(start: Value, _: list[Value]) -> None:
            base = f.element(source, element, f.mul(start, stride))
            places = [f.element(base, element, i * stride) for i in range(lanes)]
            _transposed_group(f, element, lanes, inner, places, f.element(target, element, start), True)

        f.loop(0, full, lanes, group)

        def left(row: Value, _: list[Value]) -> None:
            def one(k: Value, _: list[Value]) -> None:
                item = f.load(element, f.element(source, element, f.add(f.mul(row, stride), k)))
                f.store(item, f.element(target, element, f.add(f.mul(k, inner.b), row)))

            f.loop(0, inner.count, 1, one)

        f.loop(full, rows, 1, left)
        return
    for start in range(0, len(offsets), lanes):
        count = min(lanes, len(offsets) - start)
        places = [_place(f, element, source, offsets, start + i, valid) for i in range(count)]
        to = f.element(target, element, start)
        _transposed_group(f, element, lanes, inner, places, to, start == 0)


def _transposed_group(
    f: Function, element: str, lanes: int, inner: DepthLoop, places: list[Value], target: Value, spill: bool
) -> None:
    """Up to a vector of rows. `spill`: lanes beyond the rows may be written too, the next k overwrites them."""
    type_ = vector_type(element, lanes)
    whole = f.sub(inner.count, f.modulo(inner.count, lanes))

    def block(k: Value, _: list[Value]) -> None:
        for place in places:
            touch(f, f.element(place, element, f.add(k, 8 * lanes)), 2)
        rows = [f.load(type_, f.element(p, element, k)) for p in places]
        rows += [rows[0]] * (lanes - len(rows))
        for i, row in enumerate(transpose(f, rows)):
            to = f.element(target, element, f.mul(f.add(k, i), inner.b))
            if spill:
                f.store(row, to)
            else:
                _store_first(f, row, len(places), to)

    f.loop(0, whole, lanes, block)

    def single(k: Value, _: list[Value]) -> None:
        for i, place in enumerate(places):
            item = f.load(element, f.element(place, element, k))
            f.store(item, f.element(target, element, f.add(f.mul(k, inner.b), i)))

    f.loop(whole, inner.count, 1, single)


def _is_affine(offsets: Sequence[int]) -> bool:
    """Whether the offsets are 0, s, 2 s, ..."""
    stride = offsets[1] if len(offsets) > 1 else 0
    return list(offsets) == [i * stride for i in range(len(offsets))]


def _store_first(f: Function, row: Value, count: int, target: Value) -> None:
    """The first `count` lanes, and nothing beyond them."""
    element, at = element_type(row.type), 0
    while at < count:
        width = 1 << ((count - at).bit_length() - 1)
        part = f.shuffle(row, None, range(at, at + width)) if width > 1 else f.extract(row, at)
        f.store(part, f.element(target, element, at))
        at += width
