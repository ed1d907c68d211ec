"""3 x 3 convolutions of stride 1 with fewer multiplications: four results of a tile from 16 products instead of 36.

Source: S. Winograd, "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016, equations 6 to 8 (F(2 x 2, 3 x 3)). Tiles of 4 x 4 pixels are transformed in
scratch memory, 16 matrix products are made there by the micro-kernel, and their sums are transformed back into 2 x 2
results, which go through the epilogue. A task is a block of tiles whose transforms stay in the cache.

Rounding differs a little from the direct sum; which of the two is used depends on the sizes alone.
Read next: `convolutions.py`, `kernels/contraction.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.backends.native.arrangement import Storage, channels_last
from onegraph.backends.native.contractions import (
    Contractions,
    Operand,
    Product,
    add_launch,
    epilogue_code,
    write_epilogue,
)
from onegraph.ir.dtype import float32
from onegraph.ir.node import Attributes, Literal, Node
from onegraph.kernels.contraction import Axis, Contraction, emit, scratch_bytes, store_epilogue, tasks
from onegraph.kernels.kernel import Kernel, remembered
from onegraph.kernels.llvm import Function, Module, Value, vector_type
from onegraph.kernels.nest import Nest
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.kernels.target import Target
from onegraph.kernels.tiling import tiling
from onegraph.ops.index import Index, Var, shape_of
from onegraph.ops.record import OPS

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

POINTS = 16
"""Products of one tile: 4 x 4 transformed pixels."""
FEWEST_PIXELS = 784
"""Result pixels from which on the transform of the weights is worth it."""
FEWEST_CHANNELS = 32
CACHE_SHARE = 0.7
"""Share of the second-level cache for the transforms of a block of tiles."""

# G of the paper: the transform of one row of weights.
_WEIGHTS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


@dataclass
class Tiles:
    """A convolution by tiles.

    Attributes:
        x: the images, channels-last with a halo; `low` is the padding in front.
        product: its operands; b is the transformed and packed weights, (16, panels * channels * width).
        height, width: tiles of an image.
        block: tiles of a task.
    """

    x: Node
    product: Product
    low: tuple[int, ...]
    channels: int
    columns: int
    height: int
    width: int
    block: int
    loops: list[Var]


def suits(node: Node, channels: int, kernel: Sequence[int], target: Target) -> bool:
    """Whether a convolution of stride 1 that reads so many channels should be done by tiles."""
    lanes = target.lanes(32)
    shape = shape_of(node)
    return (
        node.dtype is float32
        and tuple(kernel) == (3, 3)
        and min(channels, shape[1]) >= FEWEST_CHANNELS
        and channels % lanes == shape[1] % lanes == 0
        and shape[0] * prod(shape[2:]) >= FEWEST_PIXELS
        and min(shape[2:]) >= 4
        and target.has_fma
    )


def prepare_tiles(c: Contractions, node: Node, x: Node, matrix: Node, low: tuple[int, ...]) -> None:
    """Say a convolution as tiles.

    Args:
        x: the images, where the halo is already asked for with `halo_of`.
        matrix: the weights as (9, channels, columns), taps in row-major order.
        low: padding in front of both dimensions of space.
    """
    _, channels, columns = shape_of(matrix)
    batch, _, high, wide = shape_of(node)
    height, width = -(-high // 2), -(-wide // 2)
    image, row, place, column = Var("n", batch), Var("y", high), Var("x", wide), Var("o", columns)
    depth = Var("c", channels)
    point = Var("p", POINTS)
    here = Operand(x, (Index.of(0),) * 4)
    result = (Index.of(image), Index.of(column), Index.of(row), Index.of(place))
    product = Product(here, here, [point], [row], column, [depth], result)
    block = _block(channels, columns, batch * height * width, c.target)
    spec = Contraction((Axis(block, a=channels),), columns, (Axis(channels, 1, columns),))
    c.panels(product, matrix, spec)
    product.b = Operand(_transformed(c, product.b.node), (Index.of(0),) * 2)
    c.arrangement.order[node] = channels_last(4)
    tiles = Tiles(x, product, low, channels, columns, height, width, block, [image, row, place, column])
    c.prepared.whole[node] = (x, product.b.node)
    c.prepared.fusible.add(node)
    c.prepared.special[node] = lambda lowering, group, stored: emit_tiles(lowering, group, stored, node, tiles)


def _transformed(c: Contractions, packed: Node) -> Node:
    """G g G^T of packed weights (taps, ...): (16, ...) with the rest in the same order, as a product of matrices."""
    both = np.kron(_WEIGHTS, _WEIGHTS)
    literal = Node("constant", (), Attributes(value=Literal(both, float32)), both.shape, float32)
    taps, *rest = shape_of(packed)
    points = OPS["matmul"](literal, OPS["reshape"](packed, shape=(taps, prod(rest))))
    c.matmul(points)
    c.prepared.packed.add(points)
    return points


def halo_of(node: Node, x: Node, low: tuple[int, ...]) -> list[tuple[int, int]]:
    """The halo that tiles read."""
    found = []
    for size, count, before in zip(shape_of(x)[2:], shape_of(node)[2:], low, strict=True):
        last = 2 * (-(-count // 2) - 1) + 3 - before
        found.append((before, max(0, last - size + 1)))
    return found


def _block(channels: int, columns: int, tiles: int, target: Target) -> int:
    """Tiles of a task: their transforms fill a share of the cache, and there are tasks for several threads."""
    room = int(target.l2_bytes * CACHE_SHARE) // (4 * POINTS * (channels + columns + 32))
    block = max(8, min(96, room))
    return max(8, min(block, -(-tiles // 8)))


def emit_tiles(lowering: Lowering, group: Group, stored: set[Node], node: Node, tiles: Tiles) -> None:
    """The kernel of a convolution by tiles and of the elementwise work that follows."""
    operands = (Operand(tiles.x, (Index.of(0),) * 4), tiles.product.b)
    writer, given = write_epilogue(lowering, group, stored, node, operands, tiles.loops, tiles.product.result)
    storage = lowering.storage_of(tiles.x)
    assert storage is not None
    buffers = writer.buffer(tiles.x), writer.buffer(tiles.product.b.node)
    kernel = _kernel(writer.nest, given, node, tiles, storage, lowering.target, buffers)
    add_launch(lowering, group, writer, kernel, set(buffers))


def _kernel(
    nest: Nest, given: int, node: Node, tiles: Tiles, storage: Storage, target: Target, buffers: tuple[int, int]
) -> Kernel:
    shape = (tiles.low, tiles.channels, tiles.columns, tiles.height, tiles.width, tiles.block, tiles.product.width)
    key = ("tiles", nest.key(), given, shape_of(node), shape, storage.strides, storage.offset, target, buffers)
    return remembered(key, node.op, lambda: TileCode(nest, given, node, tiles, storage, target, buffers).kernel())


class TileCode:
    """Writes the kernel."""

    def __init__(
        self,
        nest: Nest,
        given: int,
        node: Node,
        tiles: Tiles,
        storage: Storage,
        target: Target,
        buffers: tuple[int, int],
    ) -> None:
        self.nest, self.given, self.node, self.tiles, self.storage = nest, given, node, tiles, storage
        self.target, self.buffers = target, buffers
        self.lanes = target.lanes(32)
        self.wide = vector_type("float", self.lanes)
        # Rows a little longer than a power of two, so that they do not fall on the same cache sets.
        self.in_row, self.out_row = tiles.channels + self.lanes, tiles.columns + self.lanes
        self.total = shape_of(node)[0] * tiles.height * tiles.width
        self.spec = self._spec()
        self.tiling = tiling(self.spec, target)

    def _spec(self) -> Contraction:
        t, width = self.tiles, self.tiles.product.width
        panel = t.channels * width
        panels = -(-t.columns // width)
        return Contraction(
            rows=(Axis(t.block, a=self.in_row, c=self.out_row),),
            columns=t.columns,
            depth=(Axis(t.channels, a=1, b=width),),
            batch=(Axis(POINTS, a=t.block * self.in_row, b=panels * panel, c=t.block * self.out_row),),
            b_panel=panel,
            b_width=width,
            b_padded=True,
        )

    def kernel(self) -> Kernel:
        """The whole function."""
        t = self.tiles
        module = Module()
        f = module.function("KERNEL", ENTRY_ARGUMENTS)
        buffers, first, last, scratch, status = f.arguments
        pointers = [f.load("ptr", f.element(buffers, "ptr", i)) for i in range(len(self.nest.buffers))]
        images = f.element(pointers[self.buffers[0]], "float", self.storage.offset)
        weights = pointers[self.buffers[1]]
        inputs = POINTS * t.block * self.in_row
        sums = POINTS * t.block * self.out_row
        sums_at = f.element(scratch, "float", inputs)
        own = f.element(scratch, "float", inputs + sums)
        follow = epilogue_code(self.nest, f, self.target, pointers, status, self.given, self.node)
        count = tasks(self.spec, self.tiling)

        def block(number: Value, _: list[Value]) -> None:
            start = f.mul(number, t.block)
            stop = f.minimum(f.add(start, t.block), self.total)
            f.loop(start, stop, 1, lambda i, _: self._into(f, images, scratch, i, f.sub(i, start)))
            store = store_epilogue(self.spec, sums_at)
            emit(f, self.spec, self.tiling, scratch, weights, store, 0, count, own)
            f.loop(start, stop, 1, lambda i, _: self._back(f, sums_at, i, f.sub(i, start), follow))

        f.loop(first, last, 1, block)
        f.ret()
        work = 2 * self.total * POINTS * t.channels * t.columns
        moved = 4 * (prod(shape_of(t.x)) + prod(shape_of(self.node)))
        used = 4 * (inputs + sums) + scratch_bytes(self.spec, self.tiling)
        text = f"tiles of 2 x 2, {t.channels} channels to {t.columns}, {t.block} tiles a task\n{self.nest}"
        return Kernel(self.node.op, str(module), -(-self.total // t.block), used, work, moved, text)

    def _place(self, f: Function, tile: Value) -> tuple[Value, Value, Value]:
        """Image, and row and column of the first result, of a tile."""
        t = self.tiles
        across = f.modulo(tile, t.width)
        rest = f.divide(tile, t.width)
        return f.divide(rest, t.height), f.mul(f.modulo(rest, t.height), 2), f.mul(across, 2)

    def _into(self, f: Function, images: Value, scratch: Value, tile: Value, slot: Value) -> None:
        """B^T d B of the 4 x 4 pixels of a tile, for all channels."""
        t, strides = self.tiles, self.storage.strides
        image, row, column = self._place(f, tile)
        start = f.add(f.mul(image, strides[0]), f.mul(f.sub(row, t.low[0]), strides[2]))
        start = f.add(start, f.mul(f.sub(column, t.low[1]), strides[3]))
        base = f.element(images, "float", start)
        target = f.element(scratch, "float", f.mul(slot, self.in_row))

        def run(channel: Value, _: list[Value]) -> None:
            here = f.element(base, "float", channel)
            d = [
                [f.load(self.wide, f.element(here, "float", y * strides[2] + x * strides[3])) for x in range(4)]
                for y in range(4)
            ]
            rows = [self._half_in(f, [d[y][x] for y in range(4)]) for x in range(4)]
            out = f.element(target, "float", channel)
            for y in range(4):
                for x, v in enumerate(self._half_in(f, [rows[x][y] for x in range(4)])):
                    f.store(v, f.element(out, "float", (4 * y + x) * t.block * self.in_row))

        f.loop(0, t.channels, self.lanes, run)

    @staticmethod
    def _half_in(f: Function, d: Sequence[Value]) -> list[Value]:
        return [f.fsub(d[0], d[2]), f.fadd(d[1], d[2]), f.fsub(d[2], d[1]), f.fsub(d[1], d[3])]

    @staticmethod
    def _half_out(f: Function, m: Sequence[Value]) -> list[Value]:
        return [f.fadd(f.fadd(m[0], m[1]), m[2]), f.fsub(f.fsub(m[1], m[2]), m[3])]

    def _back(self, f: Function, sums: Value, tile: Value, slot: Value, follow: Any) -> None:
        """A^T m A: the 2 x 2 results of a tile, each through the epilogue."""
        t = self.tiles
        image_loop, row_loop, place_loop, _ = t.loops
        image, row, column = self._place(f, tile)
        base = f.element(sums, "float", f.mul(slot, self.out_row))
        high, wide = shape_of(self.node)[2:]

        def run(channel: Value, _: list[Value]) -> None:
            here = f.element(base, "float", channel)
            m = [
                [f.load(self.wide, f.element(here, "float", (4 * y + x) * t.block * self.out_row)) for x in range(4)]
                for y in range(4)
            ]
            halves = [self._half_out(f, [m[y][x] for y in range(4)]) for x in range(4)]
            for y in range(2):
                results = self._half_out(f, [halves[x][y] for x in range(4)])
                for x, v in enumerate(results):
                    at_row, at_place = f.add(row, y), f.add(column, x)
                    places = [(image_loop, image), (row_loop, at_row), (place_loop, at_place)]
                    inside = [f.compare("slt", at_row, high)] if y and high % 2 else []
                    inside += [f.compare("slt", at_place, wide)] if x and wide % 2 else []
                    if not inside:
                        follow(places, channel, v, None)
                        continue
                    held = inside[0] if len(inside) == 1 else f.integer("and", inside[0], inside[1])
                    with f.only_if(held):
                        follow(places, channel, v, None)

        f.loop(0, t.columns, self.lanes, run)
