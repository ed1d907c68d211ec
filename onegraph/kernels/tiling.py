"""How a contraction is cut into register blocks, cache blocks and tasks: a cost model, and what a search may try.

Nothing here changes a result: every element is summed in the order of the depth whatever the tiling.
Read next: `contraction.py`, which writes the loops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from onegraph.kernels.target import Target

if TYPE_CHECKING:
    from onegraph.kernels.contraction import Contraction

_BITS = {"float": 32, "double": 64}


@dataclass(frozen=True)
class Tiling:
    """The sizes of one contraction kernel.

    Attributes:
        lanes, vectors: a register block is `lanes * vectors` columns wide.
        row_axis, tile: and as high as `tile` steps of that row axis, times all steps of the axes inside of it.
        depth_axis, k_block: the depth is cut into blocks of that many steps of that axis (of the merged depth).
        panels: panels of columns that are worked on together.
        tiles: register blocks (rows) in one unit of work.
        block: register blocks (rows) done for a panel before the next panel is begun.
        region: units of work done together, as far as a thread has them.
        grain: units of work in a task.
        pack_a, pack_b: copy blocks of A, of B to scratch memory first.
        fma: use multiply-add instructions.
        masks: the processor has masked loads and stores.
        unroll: steps of the depth written one after the other in the innermost loop.
    """

    lanes: int
    vectors: int
    row_axis: int
    tile: int
    depth_axis: int
    k_block: int
    panels: int
    tiles: int
    block: int
    region: int
    grain: int
    pack_a: bool
    pack_b: bool
    fma: bool
    masks: bool
    unroll: int = 1
    prefetch: bool = False
    ahead: int = 0

    @property
    def columns(self) -> int:
        """Columns in a panel."""
        return self.lanes * self.vectors


def inner_rows(spec: Contraction, row_axis: int) -> int:
    """Rows in one step of a row axis."""
    return math.prod(axis.size for axis in spec.rows[row_axis + 1 :])


def row_tiles(spec: Contraction, tiling: Tiling) -> int:
    """Register blocks needed for all rows."""
    outer = math.prod(axis.size for axis in spec.rows[: tiling.row_axis])
    return outer * _up(spec.rows[tiling.row_axis].size, tiling.tile)


def _up(a: int, b: int) -> int:
    return -(-a // b)


def _balanced(size: int, limit: int) -> list[int]:
    """Tile sizes up to a limit that cut a size well: as large as possible, and the most even one."""
    if size <= limit:
        return [max(size, 1)]
    found = {limit, _up(size, _up(size, limit))}
    found |= {d for d in range(max(1, limit // 2), limit + 1) if size % d == 0}
    return sorted(found, reverse=True)


def _tile_cycles(rows: int, vectors: int) -> float:
    """Cycles of one k of a register block: multiply-adds (two a cycle), their latency, and a share of the loads."""
    return max(rows * vectors / 2, 4.0) + 0.12 * (rows + vectors) + 0.08 * abs(vectors - 4) + 0.3


def _blocks(spec: Contraction, target: Target) -> list[tuple[float, int, int, int, int]]:
    """(cycles for one k of the whole contraction, lanes, vectors, row axis, tile), best first."""
    from onegraph.kernels.contraction import depth_size

    widest = target.lanes(_BITS[spec.dtype])
    registers = target.vector_registers
    depth = max(1, depth_size(spec))
    found = []
    lane_choices = [widest]
    while spec.b_panel is None and lane_choices[-1] > 4 and lane_choices[-1] // 2 >= spec.columns:
        lane_choices.append(lane_choices[-1] // 2)
    for lanes in lane_choices:
        needed = max(1, _up(spec.columns, lanes))
        for vectors in range(1, min(8, needed) + 1):
            if spec.b_panel is not None and vectors * lanes != spec.b_width:
                continue
            limit = (registers - 1 - vectors) // vectors if vectors > 1 else registers - 2
            for axis in range(len(spec.rows) - 1, -1, -1):
                inner = inner_rows(spec, axis)
                if inner == 0 or inner > limit:
                    break
                for tile in _balanced(spec.rows[axis].size, limit // inner):
                    outer = math.prod(a.size for a in spec.rows[:axis])
                    full, rest = divmod(spec.rows[axis].size, tile)
                    height = tile * inner
                    fixed = height * vectors * 1.5 + 20
                    cost = full * (_tile_cycles(height, vectors) + fixed / depth)
                    if rest:
                        cost += (
                            _tile_cycles(rest * inner, vectors) + (rest * inner * vectors * 1.5 + 20) / depth
                        )
                    found.append((cost * outer * _up(needed, vectors), lanes, vectors, axis, tile))
    return sorted(found, key=lambda item: (item[0], -item[2], -item[4]))


def tiling(spec: Contraction, target: Target) -> Tiling:
    """The tiling that the cost model prefers."""
    best = _blocks(spec, target)
    if not best:
        widest = target.lanes(_BITS[spec.dtype])
        vectors = spec.b_width // widest if spec.b_panel is not None else 1
        return _complete(spec, target, widest, vectors, max(0, len(spec.rows) - 1), 1)
    _, lanes, vectors, axis, tile = best[0]
    return _complete(spec, target, lanes, vectors, axis, tile)


def candidates(spec: Contraction, target: Target, limit: int = 8) -> list[Tiling]:
    """Tilings worth measuring, the preferred one first."""
    found = [tiling(spec, target)]
    for _, lanes, vectors, axis, tile in _blocks(spec, target)[1:limit]:
        found.append(_complete(spec, target, lanes, vectors, axis, tile))
    return found


def _complete(spec: Contraction, target: Target, lanes: int, vectors: int, axis: int, tile: int) -> Tiling:
    """Cache blocks and tasks for a register block."""
    from onegraph.kernels.contraction import merged_depth

    size = _BITS[spec.dtype] // 8
    depth = merged_depth(spec)
    height = tile * inner_rows(spec, axis)
    width = lanes * vectors
    masks = target.vector_bits >= 512
    rows = math.prod(a.size for a in spec.rows)
    # Blocks of the depth: cut the outermost axis that is small enough inside.
    strided = abs(depth[-1].a) > 1
    wanted, level = (256 if strided else 512), 0
    while level < len(depth) - 1 and math.prod(a.size for a in depth[level + 1 :]) > wanted:
        level += 1
    inside = max(1, math.prod(a.size for a in depth[level + 1 :]))
    whole = math.prod(a.size for a in depth)
    steps = max(1, wanted // inside)
    if whole <= wanted * 2 and level == 0:
        steps = max(1, depth[0].size)
    else:
        steps = _up(depth[level].size, max(1, round(depth[level].size / steps)))
    blocked = steps * inside
    ragged = spec.columns % width != 0 and not masks and not spec.b_padded
    far = spec.b_panel is None and any(abs(a.b) * size >= 1024 for a in depth)
    many = rows >= 4 * height
    pack_b = ragged or (spec.b_panel is None and (spec.b_column != 1 or (far and many)))
    all_panels = max(1, _up(spec.columns, width))
    panels = max(1, min(all_panels, target.l2_bytes // 2 // max(1, blocked * width * size)))
    panels = _up(all_panels, _up(all_panels, panels))
    pack_a = panels >= 4 and strided
    made = Tiling(
        lanes, vectors, axis, tile, level, steps, panels, 1, 1, 1, 1, pack_a, pack_b, target.has_fma, masks
    )
    return _tasks(spec, target, made, blocked)


def _tasks(spec: Contraction, target: Target, made: Tiling, blocked: int) -> Tiling:
    from onegraph.kernels.contraction import depth_size

    size = _BITS[spec.dtype] // 8
    count = row_tiles(spec, made)
    height = made.tile * inner_rows(spec, made.row_axis)
    width = made.columns
    rate = 2.0 * target.lanes(_BITS[spec.dtype]) * 2 * 2.6e9 * 0.8
    tile_seconds = 2.0 * height * width * made.panels * max(1, depth_size(spec)) / rate + 1e-8
    chunks = max(1, _up(spec.columns, width * made.panels))
    batch = math.prod(a.size for a in spec.batch)
    total = tile_seconds * count * chunks * batch
    wanted = min(64, int(total / 20e-6))  # tasks in all
    per_slice = max(1, min(count, _up(wanted, max(1, chunks * batch))))
    tiles = max(1, _up(count, per_slice))
    units = _up(count, tiles) * chunks * batch
    grain = max(1, units // max(1, wanted)) if units > wanted else 1
    # A register block's rows stay in L1 for all panels, or, where they are too many, the panels' rows in L2.
    block = 1 if height * blocked * size <= target.l1_bytes * 2 // 3 and not made.pack_a else 8
    partial = height * width * made.panels * size * tiles
    region = max(1, (target.l2_bytes // 2) // max(1, partial))
    return replace(made, tiles=tiles, block=block, region=region, grain=grain, prefetch=True, ahead=8)
