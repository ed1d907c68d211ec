"""How the work of a contraction is counted, and where packed operands and unfinished sums are in scratch memory.

Read next: `contraction_loops.py`.
"""

from __future__ import annotations

import math

from onegraph.kernels import matrix_tiles
from onegraph.kernels.contraction_spec import Contraction, merged_depth
from onegraph.kernels.tiling import Tiling, inner_rows, row_tiles


def slices_of(spec: Contraction, tiling: Tiling) -> int:
    """Groups of panels."""
    return -(-spec.columns // (tiling.columns * tiling.panels))


def chunks_of(spec: Contraction, tiling: Tiling) -> int:
    """Units of work in one group of panels."""
    return -(-row_tiles(spec, tiling) // tiling.tiles)


def units(spec: Contraction, tiling: Tiling) -> int:
    """Units of work of the whole contraction."""
    return math.prod(axis.size for axis in spec.batch) * slices_of(spec, tiling) * chunks_of(spec, tiling)


class Layout:
    """Where things are in scratch memory, in elements."""

    def __init__(self, spec: Contraction, tiling: Tiling, rolled: bool) -> None:
        depth = merged_depth(spec)
        axis = depth[tiling.depth_axis]
        inner = math.prod(a.size for a in depth[tiling.depth_axis + 1 :])
        outer = math.prod(a.size for a in depth[: tiling.depth_axis])
        self.steps = min(tiling.k_block, max(axis.size, 1))
        self.blocks = max(1, outer * -(-axis.size // self.steps))
        self.cuts = max(1, -(-axis.size // self.steps))
        self.depth = self.steps * inner
        if tiling.matrix:
            self.depth = -(-self.depth // matrix_tiles.DEPTH) * matrix_tiles.DEPTH
        self.height = tiling.tile * inner_rows(spec, tiling.row_axis)
        self.sums = self.height * tiling.columns
        tiles = min(row_tiles(spec, tiling), tiling.region * tiling.tiles)
        block = min(tiles, tiling.block)
        self.partial = 0
        kept = self.sums * tiles * tiling.panels if self.blocks > 1 else 0
        self.tile = _align(self.partial + kept)
        self.a = _align(self.tile + (self.sums if rolled else 0))
        self.b = _align(self.a + (self.height * self.depth * block + 2 * tiling.lanes if tiling.pack_a else 0))
        self.rows = _align(self.b + (tiling.columns * self.depth * tiling.panels + 64 if tiling.pack_b else 0))
        both = tiling.matrix and tiling.pack_a
        self.end = self.rows + (self.depth * matrix_tiles.COLUMNS if both else 0)


def _align(elements: int) -> int:
    return -(-elements // 16) * 16
