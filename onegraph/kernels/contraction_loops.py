"""The loops of a contraction: tasks, blocks of the depth, packing, panels of columns, register blocks.

From the outside in: runs of tasks (regions of rows and panels), blocks of the depth, blocks of rows, panels, register
blocks. Read `contraction.py` first; next: `micro_kernel.py`, `matrix_tiles.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from onegraph.kernels import matrix_tiles
from onegraph.kernels.contraction_layout import Layout, chunks_of, slices_of, units
from onegraph.kernels.contraction_spec import Contraction, merged_depth
from onegraph.kernels.llvm import Function, Number, Value
from onegraph.kernels.micro_kernel import DepthLoop, Registers, join, lane_mask, multiply, pack
from onegraph.kernels.tiling import Tiling, inner_rows, row_tiles

Epilogue: TypeAlias = "Callable[[Function, list[Value], list[Value], Value, Value, Value | None], None]"
"""Writes code for one vector of finished sums: (function, batch indices, row indices, first column, sums, mask).

The indices (i64) are one for each axis of `spec.batch` and `spec.rows`; the vector may have any number of lanes; the
mask says which of its columns exist, None: all.
"""


@dataclass
class _Region:
    """The part of the work that is being written: a run of row tiles and a group of panels."""

    batch: list[Value]
    a: Value
    b: Value
    first_panel: Value
    last_panel: Value
    first_tile: Value
    last_tile: Value


@dataclass
class _Block:
    """A block of the depth within a region."""

    a: Value
    b: Value
    loops: list[DepthLoop]
    packed_loops: list[DepthLoop]
    """Strides in A and B: those in memory, and those in packed copies."""
    is_first: Value
    is_last: Value
    total: Value
    """How many k there are."""
    nest: list[DepthLoop] = field(default_factory=list)


class Loops:
    """Writes the code of one contraction into a function."""

    def __init__(
        self,
        f: Function,
        spec: Contraction,
        tiling: Tiling,
        a: Value,
        b: Value,
        epilogue: Epilogue,
        scratch: Value,
        rolled: bool,
    ) -> None:
        self.f, self.spec, self.tiling, self.epilogue, self.rolled = f, spec, tiling, epilogue, rolled
        self.element = "float" if tiling.matrix else spec.dtype
        self.operand = "i16" if tiling.matrix else spec.dtype
        self.a = f.element(a, self.operand, spec.a_offset)
        self.b = f.element(b, self.operand, spec.b_offset)
        self.scratch = scratch
        self.layout = Layout(spec, tiling, rolled)
        self.registers = Registers(self.element, tiling.lanes, tiling.vectors, tiling.fma)
        self.panel_step = tiling.columns * spec.b_column if spec.b_panel is None else spec.b_panel
        self.inner = inner_rows(spec, tiling.row_axis)
        axis = spec.rows[tiling.row_axis]
        self.tiles_along = -(-axis.size // tiling.tile)
        self.rest = axis.size % tiling.tile
        self.spare = -spec.columns % tiling.columns
        """Columns that the last panel lacks."""
        last = -(-(tiling.columns - self.spare) // tiling.lanes)
        self.narrow = 0 if tiling.matrix or last == tiling.vectors else last
        """Vectors of the last panel, for which there is code of its own, if it has fewer than the others; else 0."""

    # ------------------------------------------------------------- regions

    def run(self, first: Number, last: Number) -> None:
        """All tasks of the range: for each batch index and group of panels the row tiles that belong to the range."""
        f, spec, tiling = self.f, self.spec, self.tiling
        chunks, slices = chunks_of(spec, tiling), slices_of(spec, tiling)
        begin = f.mul(first, tiling.grain)
        end = f.minimum(f.mul(last, tiling.grain), units(spec, tiling))
        panels = -(-spec.columns // tiling.columns)

        def over_groups(group: Value, _: list[Value]) -> None:
            start = f.mul(group, chunks)
            low = f.maximum(f.sub(begin, start), 0)
            high = f.minimum(f.sub(end, start), chunks)
            batch = self._split(f.divide(group, slices), [axis.size for axis in spec.batch])
            panel = f.mul(f.modulo(group, slices), tiling.panels)
            a, b = self.a, self.b
            for index, axis in zip(batch, spec.batch, strict=True):
                a = f.element(a, self.operand, f.mul(index, axis.a))
                b = f.element(b, self.operand, f.mul(index, axis.b))
            last_panel = f.minimum(f.add(panel, tiling.panels), panels)

            def over_units(unit: Value, _: list[Value]) -> None:
                stop = f.minimum(f.add(unit, tiling.region), high)
                tiles = f.minimum(f.mul(stop, tiling.tiles), row_tiles(spec, tiling))
                self._region(_Region(batch, a, b, panel, last_panel, f.mul(unit, tiling.tiles), tiles))

            f.loop(low, high, tiling.region, over_units)

        f.loop(f.divide(begin, chunks), f.divide(f.add(end, chunks - 1), chunks), 1, over_groups)
        if tiling.matrix:
            matrix_tiles.release(f)

    def _split(self, index: Value, sizes: Sequence[int]) -> list[Value]:
        """The indices along axes of these sizes, from one running index."""
        out: list[Value] = []
        for i in range(len(sizes) - 1, -1, -1):
            out.append(self.f.modulo(index, sizes[i]) if i else index)
            index = self.f.divide(index, sizes[i]) if i else index
        return out[::-1]

    def _region(self, region: _Region) -> None:
        """Blocks of the depth, outermost, so that a block of B stays in the cache for all rows."""
        f, layout = self.f, self.layout
        depth = merged_depth(self.spec)
        level = self.tiling.depth_axis
        axis = depth[level]

        def over_depth(number: Value, _: list[Value]) -> None:
            outer = self._split(f.divide(number, layout.cuts), [x.size for x in depth[:level]])
            cut = f.mul(f.modulo(number, layout.cuts), layout.steps)
            a, b = region.a, region.b
            for index, x in zip([*outer, cut], depth[: level + 1], strict=True):
                a = f.element(a, self.operand, f.mul(index, x.a))
                b = f.element(b, self.operand, f.mul(index, x.b))
            count: Number = min(layout.steps, axis.size)
            if layout.cuts > 1 and axis.size % layout.steps:
                count = f.minimum(f.sub(axis.size, cut), layout.steps)
            is_first = f.compare("eq", number, 0)
            is_last = f.compare("eq", number, layout.blocks - 1)
            loops, packed, step = [], [], 1
            for i, x in reversed(list(enumerate(depth[level:]))):
                steps = count if i == 0 else x.size
                loops.append(DepthLoop(steps, x.a, x.b))
                packed.append(DepthLoop(steps, step * layout.height, step * self.tiling.columns))
                step *= x.size
            total = f.as_value(f.mul(count, math.prod(x.size for x in depth[level + 1 :])))
            self._block(region, _Block(a, b, loops[::-1], packed[::-1], is_first, is_last, total))

        f.loop(0, layout.blocks, 1, over_depth)

    def _block(self, region: _Region, block: _Block) -> None:
        f, tiling, layout = self.f, self.tiling, self.layout
        a_loops = block.packed_loops if tiling.pack_a else block.loops
        b_loops = block.packed_loops if tiling.pack_b else block.loops
        block.nest = [DepthLoop(x.count, x.a, y.b) for x, y in zip(a_loops, b_loops, strict=True)]
        if tiling.matrix and tiling.pack_a:
            block.nest = [DepthLoop(self._whole_steps(block), 1, tiling.columns)]
        elif not tiling.matrix:
            block.nest = join(block.nest)
        if tiling.pack_b:
            self._pack_panels(region, block)

        def over_blocks(begin: Value, _: list[Value]) -> None:
            end = f.minimum(f.add(begin, tiling.block), region.last_tile)
            if tiling.pack_a:
                self._pack_rows(block, begin, end)

            def over_panels(panel: Value, _: list[Value]) -> None:
                local = f.sub(panel, region.first_panel)
                if tiling.pack_b:
                    source = self._packed(layout.b, f.mul(local, layout.depth * tiling.columns))
                else:
                    source = f.element(block.b, self.operand, f.mul(panel, self.panel_step))

                def some(masks: list[Value | None]) -> None:
                    def over_tiles(tile: Value, _: list[Value]) -> None:
                        self._tile(region, block, tile, f.sub(tile, begin), panel, local, source, masks)

                    f.loop(begin, end, 1, over_tiles)

                self._either_panel(panel, some)

            f.loop(region.first_panel, region.last_panel, 1, over_panels)

        f.loop(region.first_tile, region.last_tile, tiling.block, over_blocks)

    def _packed(self, start: int, index: Value) -> Value:
        """The address of an operand's element in a part of the scratch memory."""
        return self.f.element(self.f.element(self.scratch, self.element, start), self.operand, index)

    def _either_panel(self, panel: Value, write: Callable[[list[Value | None]], None]) -> None:
        """Write code for a panel and, where the last one has fewer vectors, for a narrower one, given their masks."""
        f, tiling = self.f, self.tiling
        if not self.narrow:
            write(self._masks(panel))
        elif self.spec.columns < tiling.columns:
            write(self._masks(panel)[: self.narrow])
        else:
            edge = f.compare("eq", panel, self.spec.columns // tiling.columns)
            every: list[Value | None] = [None] * tiling.vectors
            f.if_(edge, lambda: write(self._masks(panel)[: self.narrow]), lambda: write(every))

    def _masks(self, panel: Value) -> list[Value | None]:
        """Which columns of each vector of a panel exist; None: all."""
        f, tiling = self.f, self.tiling
        full = tiling.columns - self.spare
        left = f.sub(self.spec.columns, f.mul(panel, tiling.columns))
        masks: list[Value | None] = []
        for j in range(tiling.vectors):
            inside = (j + 1) * tiling.lanes <= full
            masks.append(None if inside else lane_mask(f, f.sub(left, j * tiling.lanes), tiling.lanes))
        return masks

    # ------------------------------------------------------------- packing

    def _pack_panels(self, region: _Region, block: _Block) -> None:
        f, tiling, layout = self.f, self.tiling, self.layout
        loops = [DepthLoop(x.count, x.b, y.b) for x, y in zip(block.loops, block.packed_loops, strict=True)]
        offsets = [i * self.spec.b_column for i in range(tiling.columns)]

        def one(panel: Value, _: list[Value]) -> None:
            local = f.sub(panel, region.first_panel)
            target = self._packed(layout.b, f.mul(local, layout.depth * tiling.columns))
            source = f.element(block.b, self.operand, f.mul(panel, self.panel_step))
            lanes = tiling.lanes
            left = f.sub(self.spec.columns, f.mul(panel, tiling.columns))

            def some(valid: Value | None) -> None:
                if not tiling.matrix:
                    pack(f, self.element, lanes, join(loops), source, target, offsets, valid)
                elif tiling.pack_a:
                    rows = self._copy_rows(block, loops, source, offsets, valid)
                    whole = [DepthLoop(self._whole_steps(block), tiling.columns, tiling.columns)]
                    matrix_tiles.pack_pairs(f, whole, rows, target, tiling.columns, None)
                elif self.spec.b_column == 1:
                    matrix_tiles.pack_pairs(f, loops, source, target, tiling.columns, valid)
                else:  # pairs of k are neighbours already: they are copied as one number
                    pairs = [DepthLoop(x.count, x.a // 2, x.b // 2) for x in loops[:-1]]
                    pairs.append(DepthLoop(f.divide(loops[-1].count, 2), 1, tiling.columns))
                    pack(f, "i32", lanes, pairs, source, target, [i // 2 for i in offsets], valid)

            if not self.spare:
                some(None)
            elif tiling.masks or self.spec.b_column != 1:
                some(f.minimum(left, tiling.columns))
            else:
                f.if_(f.compare("sge", left, tiling.columns), lambda: some(None), lambda: some(left))

        f.loop(region.first_panel, region.last_panel, 1, one)

    def _pack_rows(self, block: _Block, begin: Value, end: Value) -> None:
        f, tiling, layout = self.f, self.tiling, self.layout
        strides = [x.b if tiling.matrix else x.a for x in block.packed_loops]
        loops = join([DepthLoop(x.count, x.a, y) for x, y in zip(block.loops, strides, strict=True)])

        def one(tile: Value, _: list[Value]) -> None:
            target = self._packed(layout.a, f.mul(f.sub(tile, begin), layout.depth * layout.height))

            def some(steps: int) -> None:
                source = f.element(block.a, self.operand, self._row_offset(tile))
                if not tiling.matrix:
                    pack(f, self.element, tiling.lanes, loops, source, target, self._offsets(steps))
                    return
                rows = self._copy_rows(block, loops, source, self._offsets(steps), None)
                whole, height = self._whole_steps(block), steps * self.inner
                matrix_tiles.transpose_rows(f, rows, target, height, layout.depth, whole)

            self._either(tile, some)

        f.loop(begin, end, 1, one)

    def _whole_steps(self, block: _Block) -> Value:
        """The k of a block, filled up to whole steps of the matrix tiles."""
        return self.f.integer("and", self.f.add(block.total, matrix_tiles.DEPTH - 1), -matrix_tiles.DEPTH)

    def _copy_rows(
        self, block: _Block, loops: list[DepthLoop], source: Value, offsets: list[int], valid: Value | None
    ) -> Value:
        """Up to 32 rows or columns of bfloat16 as [k][32] in scratch memory, with zeros up to a whole step."""
        f = self.f
        rows = self._packed(self.layout.rows, f.as_value(0))
        pack(f, self.operand, self.tiling.lanes, join(loops), source, rows, offsets, valid)
        matrix_tiles.zero_rows(f, rows, block.total, self._whole_steps(block))
        return rows

    # ---------------------------------------------------------- row blocks

    def _either(self, tile: Value, write: Callable[[int], None]) -> None:
        """Write code for a whole register block and, where rows are left over, for a lower one."""
        f, size = self.f, self.tiling.tile
        if not self.rest:
            write(size)
        elif self.tiles_along == 1:
            write(self.rest)
        else:
            place = f.modulo(tile, self.tiles_along)
            edge = f.compare("eq", place, self.tiles_along - 1)
            f.if_(edge, lambda: write(self.rest), lambda: write(size))

    def _outer(self, tile: Value) -> tuple[list[Value], Value]:
        """Indices of the outer row axes and the first step along the tiled one."""
        f, tiling = self.f, self.tiling
        sizes = [axis.size for axis in self.spec.rows[: tiling.row_axis]]
        if not sizes:
            return [], f.mul(tile, tiling.tile)
        outer = self._split(f.divide(tile, self.tiles_along), sizes)
        return outer, f.mul(f.modulo(tile, self.tiles_along), tiling.tile)

    def _row_offset(self, tile: Value) -> Value:
        f, outer, at = self.f, *self._outer(tile)
        total = f.mul(at, self.spec.rows[self.tiling.row_axis].a)
        for index, axis in zip(outer, self.spec.rows[: self.tiling.row_axis], strict=True):
            total = f.add(total, f.mul(index, axis.a))
        return total

    def _places(self, steps: int) -> list[list[int]]:
        """For every row of a register block its indices along the tiled axis and the axes inside of it."""
        places: list[list[int]] = [[i] for i in range(steps)]
        for axis in self.spec.rows[self.tiling.row_axis + 1 :]:
            places = [[*p, i] for p in places for i in range(axis.size)]
        return places

    def _offsets(self, steps: int) -> list[int]:
        axes = self.spec.rows[self.tiling.row_axis :]
        return [sum(i * axis.a for i, axis in zip(p, axes, strict=True)) for p in self._places(steps)]

    def _tile(
        self,
        region: _Region,
        block: _Block,
        tile: Value,
        packed_tile: Value,
        panel: Value,
        local_panel: Value,
        source: Value,
        masks: list[Value | None],
    ) -> None:
        """One register block: sums, then the epilogue, or the unfinished sums to scratch memory."""
        f, tiling, layout = self.f, self.tiling, self.layout
        if tiling.pack_a:
            rows = self._packed(layout.a, f.mul(packed_tile, layout.depth * layout.height))
        else:
            rows = f.element(block.a, self.operand, self._row_offset(tile))
        number = f.mul(f.sub(tile, region.first_tile), tiling.panels)
        at = f.add(f.mul(f.add(number, local_panel), layout.sums), layout.partial)
        partial = f.element(self.scratch, self.element, at)
        read_all = tiling.pack_b or self.spec.b_padded
        vectors = len(masks)
        read: list[Value | None] = [None] * vectors if read_all else masks
        registers = replace(self.registers, vectors=vectors)

        def write(steps: int) -> None:
            height = steps * self.inner
            if tiling.matrix:
                self._matrix_block(block, steps, rows, source, partial)
                if layout.blocks > 1:
                    with f.only_if(block.is_last):
                        self._finish(region, tile, steps, panel, [], masks)
                else:
                    self._finish(region, tile, steps, panel, [], masks)
                return
            offsets = list(range(height)) if tiling.pack_a else self._offsets(steps)
            zeros = [f.constant(self.registers.type, 0.0)] * (height * vectors)
            sums = zeros
            if layout.blocks > 1:
                sums = f.if_(block.is_first, lambda: zeros, lambda: self._load_sums(partial, len(zeros)))
            later, share = self._later(region, tile, source) if vectors == tiling.vectors else (None, 0)
            sums = multiply(f, registers, block.nest, rows, source, offsets, read, sums, later, share)
            if layout.blocks > 1:
                f.if_(
                    block.is_last,
                    lambda: self._finish(region, tile, steps, panel, sums, masks),
                    lambda: self._store_sums(partial, sums),
                )
            else:
                self._finish(region, tile, steps, panel, sums, masks)

        self._either(tile, write)

    def _later(self, region: _Region, tile: Value, source: Value) -> tuple[Value | None, int]:
        """Where streamed weights continue, and how many elements of it are fetched for each k of this register block.

        What follows in memory after a block of a packed panel is used next: the next block of the depth, or the next panel.
        It is divided among the register blocks of a unit of work.
        """
        f, tiling, layout = self.f, self.tiling, self.layout
        if not tiling.stream:
            return None, 0
        share = -(-tiling.columns // tiling.tiles)
        share = -(-share // tiling.lanes) * tiling.lanes if share > tiling.lanes else share
        part = f.sub(tile, region.first_tile)
        begin = f.add(layout.depth * tiling.columns, f.mul(part, layout.depth * share))
        needed = f.compare("slt", part, -(-tiling.columns // share))
        return f.element(source, self.element, f.select(needed, begin, f.as_value(0))), share

    def _matrix_block(self, block: _Block, steps: int, rows: Value, source: Value, partial: Value) -> None:
        """One block of matrix tiles; the sums go to scratch memory, finished or not."""
        f, tiling = self.f, self.tiling
        finished = f.element(self.scratch, self.element, self.layout.tile)
        matrix_tiles.configure(f, steps)
        if self.layout.blocks > 1:
            f.if_(
                block.is_first,
                lambda: matrix_tiles.zero_sums(f, steps),
                lambda: matrix_tiles.move_sums(f, steps, partial, True),
            )
        else:
            matrix_tiles.zero_sums(f, steps)
        stride = self.layout.depth if tiling.pack_a else self.spec.rows[tiling.row_axis].a
        matrix_tiles.multiply_tiles(f, block.nest, rows, source, stride, tiling.columns, steps)
        if self.layout.blocks > 1:
            finished = f.select(block.is_last, finished, partial)
        matrix_tiles.move_sums(f, steps, finished, False)

    def _load_sums(self, pointer: Value, count: int) -> list[Value]:
        f, lanes = self.f, self.tiling.lanes
        return [f.load(self.registers.type, f.element(pointer, self.element, i * lanes)) for i in range(count)]

    def _store_sums(self, pointer: Value, sums: Sequence[Value]) -> None:
        for i, total in enumerate(sums):
            self.f.store(total, self.f.element(pointer, self.element, i * self.tiling.lanes))

    # ------------------------------------------------------------ epilogue

    def _finish(
        self,
        region: _Region,
        tile: Value,
        steps: int,
        panel: Value,
        sums: Sequence[Value],
        masks: list[Value | None],
    ) -> None:
        f = self.f
        if self.rolled and sums:
            self._store_sums(f.element(self.scratch, self.element, self.layout.tile), sums)
        if self.tiling.masks or not self.spare or self.narrow:
            self._epilogues(region, tile, steps, panel, sums, masks)
            return
        whole = f.compare("sge", f.sub(self.spec.columns, f.mul(panel, self.tiling.columns)), self.tiling.columns)
        every: list[Value | None] = [None] * len(masks)
        f.if_(
            whole,
            lambda: self._epilogues(region, tile, steps, panel, sums, every),
            lambda: self._epilogues(region, tile, steps, panel, sums, masks),
        )

    def _epilogues(
        self,
        region: _Region,
        tile: Value,
        steps: int,
        panel: Value,
        sums: Sequence[Value],
        masks: list[Value | None],
    ) -> None:
        f, tiling = self.f, self.tiling
        outer, first = self._outer(tile)
        used = min(len(masks), -(-self.spec.columns // tiling.lanes))
        columns = [f.add(f.mul(panel, tiling.columns), j * tiling.lanes) for j in range(used)]
        if not self.rolled:
            for r, place in enumerate(self._places(steps)):
                inside = [f.as_value(i) for i in place[1:]]
                indices = [*outer, f.add(first, place[0]), *inside]
                for j, column in enumerate(columns):
                    total = sums[r * len(masks) + j]
                    self.epilogue(f, list(region.batch), list(indices), column, total, masks[j])
            return
        pointer = f.element(self.scratch, self.element, self.layout.tile)
        sizes = [axis.size for axis in self.spec.rows[tiling.row_axis + 1 :]]

        def one(row: Value, _: list[Value]) -> None:
            step, *inside = self._split(row, [steps, *sizes])
            indices = [*outer, f.add(first, step), *inside]
            for j, column in enumerate(columns):
                at = f.add(f.mul(row, len(masks) * tiling.lanes), j * tiling.lanes)
                total = f.load(self.registers.type, f.element(pointer, self.element, at))
                self.epilogue(f, list(region.batch), list(indices), column, total, masks[j])

        f.loop(0, steps * self.inner, 1, one)
