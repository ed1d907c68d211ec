"""The register block of bfloat16 contractions: matrix tiles (AMX), 32 x 32 sums at a time in float32.

A tile is up to 16 rows of 64 bytes. Of A it holds 16 rows of 32 k, of B 16 pairs of k for 16 columns: the elements of B at
(k, column) and (k + 1, column) lie side by side. An instruction adds 16 x 16 x 32 products, in the order of k.
Read next: `contraction.py`, the loops around it.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Sequence

from onegraph.kernels.llvm import Function, Number, Value
from onegraph.kernels.micro_kernel import DepthLoop, transpose
from onegraph.kernels.target import Target

ROWS = 32
COLUMNS = 32
DEPTH = 32
"""A block covers that many rows, columns, and k with one step of its innermost loop."""
_HALF = 16
_ARCH_PRCTL = 158
_REQUEST_PERMISSION = 0x1023
_TILE_DATA = 18


def has_tiles(target: Target) -> bool:
    """Whether the processor multiplies tiles of bfloat16."""
    return "+amx-bf16" in target.features.split(",") and "+amx-tile" in target.features.split(",")


@functools.cache
def permit_tiles() -> bool:
    """Ask Linux, once for this process, for leave to use tiles. False: kernels with tiles must not be run."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0)


def _operation(f: Function, name: str, *arguments: str) -> None:
    kinds = [a.split()[0] for a in arguments]
    f.module.declare(f"llvm.x86.{name}", "void", kinds)
    f.line(f"call void @llvm.x86.{name}({', '.join(arguments)})")


def configure(f: Function, height: int) -> None:
    """Set up the tiles of a block of that many rows: 0 to 3 are sums, 4 and 5 rows of A, 6 and 7 columns of B."""
    low, high = min(height, _HALF), max(height - _HALF, 0)
    heights = [low, low, high, high, low, high, _HALF, _HALF]
    widths = [64 if rows else 0 for rows in heights]
    pairs = [byte for width in widths for byte in (width, 0)]
    table = f.module.table("i8", [1, 0, *[0] * 14, *pairs, *[0] * 16, *heights, *[0] * 8])
    _operation(f, "ldtilecfg", repr(table))


def release(f: Function) -> None:
    """Give the tiles back at the end of a kernel."""
    _operation(f, "tilerelease")


def zero_sums(f: Function, height: int) -> None:
    """Start from 0."""
    for tile in range(4 if height > _HALF else 2):
        _operation(f, "tilezero", f"i8 {tile}")


def move_sums(f: Function, height: int, memory: Value, load: bool) -> None:
    """Sums from or to memory: rows of 32 float32."""
    for tile in range(4 if height > _HALF else 2):
        place = f.element(memory, "float", tile // 2 * _HALF * COLUMNS + tile % 2 * _HALF)
        _operation(f, "tileloadd64" if load else "tilestored64", f"i8 {tile}", repr(place), f"i64 {4 * COLUMNS}")


def multiply_tiles(
    f: Function, loops: Sequence[DepthLoop], a: Value, b: Value, row_stride: int, width: int, height: int
) -> None:
    """sums += A B for every k of the loops, of which the last has k next to each other in A, in multiples of 32.

    Args:
        a, b: addresses of A(0, 0) and of the pair of k at the block's first column of B.
        row_stride: elements from one row of A to the next.
        width: columns in a panel of B.
        height: rows.
    """
    loop, rest = loops[0], loops[1:]

    def body(i: Value, _: list[Value]) -> None:
        row = f.element(a, "i16", f.mul(i, loop.a))
        panel = f.element(b, "i16", f.mul(i, loop.b))
        if rest:
            multiply_tiles(f, rest, row, panel, row_stride, width, height)
        else:
            _step(f, row, panel, row_stride, width, height)

    step: int = 1 if rest else DEPTH
    count: Number = loop.count
    f.loop(0, count, step, body)


def _step(f: Function, a: Value, b: Value, row_stride: int, width: int, height: int) -> None:
    """32 k."""
    halves = 2 if height > _HALF else 1
    for j in range(2):
        _operation(f, "tileloadd64", f"i8 {6 + j}", repr(f.element(b, "i16", 2 * _HALF * j)), f"i64 {4 * width}")
    for i in range(halves):
        place = f.element(a, "i16", i * _HALF * row_stride)
        _operation(f, "tileloadd64", f"i8 {4 + i}", repr(place), f"i64 {2 * row_stride}")
    for i in range(halves):
        for j in range(2):
            _operation(f, "tdpbf16ps", f"i8 {2 * i + j}", f"i8 {4 + i}", f"i8 {6 + j}")


def pack_pairs(
    f: Function, loops: Sequence[DepthLoop], source: Value, target: Value, width: int, valid: Value | None
) -> None:
    """Copy columns that are neighbours so that two k of a column become neighbours.

    The last loop runs over k; `a` are strides in the source, `b` in the target (`width` for one k).
    """
    loop, rest = loops[0], loops[1:]

    def body(i: Value, _: list[Value]) -> None:
        at = f.element(source, "i16", f.mul(i, loop.a))
        to = f.element(target, "i16", f.mul(i, loop.b))
        if rest:
            pack_pairs(f, rest, at, to, width, valid)
            return
        for j in range(0, width, _HALF):
            rows = []
            for k in range(2):
                place = f.element(at, "i16", k * loop.a + j)
                if valid is None:
                    rows.append(f.load(f"<{_HALF} x i16>", place))
                else:
                    mask = f.compare(
                        "slt",
                        f.lane_numbers(_HALF, "i32"),
                        f.splat(f.convert("trunc", f.sub(valid, j), "i32"), _HALF),
                    )
                    zeros = f.constant(f"<{_HALF} x i16>", 0)
                    rows.append(f.masked_load(f"<{_HALF} x i16>", place, mask, zeros))
            order = [i // 2 + (i % 2) * _HALF for i in range(2 * _HALF)]
            f.store(f.shuffle(rows[0], rows[1], order), f.element(to, "i16", 2 * j))

    f.loop(0, loop.count, 1 if rest else 2, body)


def zero_rows(f: Function, memory: Value, start: Value, stop: Value) -> None:
    """Rows of 32 elements, start <= row < stop, become 0: the products beyond the depth must not count."""

    def one(row: Value, _: list[Value]) -> None:
        zeros = f.constant(f"<{COLUMNS} x i16>", 0)
        f.store(zeros, f.element(memory, "i16", f.mul(row, COLUMNS)))

    f.loop(start, stop, 1, one)


def transpose_rows(f: Function, source: Value, target: Value, height: int, length: int, count: Value) -> None:
    """From [k][32 rows] to [row][k], rows `length` apart; the count of k is a multiple of 32."""
    order = [i // 2 + (i % 2) * _HALF for i in range(2 * _HALF)]

    def block(k: Value, _: list[Value]) -> None:
        for start in range(0, height, _HALF):
            pairs = []
            for pair in range(_HALF):
                place = f.element(source, "i16", f.add(f.mul(f.add(k, 2 * pair), COLUMNS), start))
                one = f.load(f"<{_HALF} x i16>", place)
                two = f.load(f"<{_HALF} x i16>", f.element(place, "i16", COLUMNS))
                pairs.append(f.convert("bitcast", f.shuffle(one, two, order), f"<{_HALF} x i32>"))
            for i, row in enumerate(transpose(f, pairs)[: height - start]):
                f.store(row, f.element(target, "i16", f.add(k, (start + i) * length)), align=2)

    f.loop(0, count, DEPTH, block)
