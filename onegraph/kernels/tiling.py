"""How a contraction is cut into register blocks, cache blocks and tasks: a cost model, and what a search may try.

Nothing here changes a result: every element is summed in the order of the depth whatever the tiling.
Read next: `contraction.py`, which writes the loops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from onegraph.kernels import matrix_tiles
from onegraph.kernels.contraction_spec import Contraction, depth_size, merged_depth
from onegraph.kernels.target import Target

_BITS = {"float": 32, "double": 64, "bfloat16": 32}
_TASK_SECONDS = 5e-6
"""Work that makes a task: much more than handing it out, and little beside a layer of a small network. Four times as much
where each run of tasks packs B first."""
_STREAM_TILES = 32
"""Register blocks of rows up to which weights are taken to come from memory."""
_WHOLE_DEPTH = 2560
"""Depth up to which a contraction is not cut into blocks."""
_SHARED_WORK = 1 << 20
"""Multiply-adds from which on register blocks are chosen so that two threads get as much."""
_PANEL_ROWS = 256
"""Rows up to which threads divide the panels of B rather than the rows, where B is packed in the tasks."""
_PACKED_ROWS = 32
"""Rows for which a task packs B at least: packing costs as much as about ten rows of sums."""
_PARTIAL_BYTES = 8 << 20
"""Unfinished sums that a thread may keep; as many rows share one packing of B."""


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
        matrix: multiply with matrix tiles (bfloat16). They add 32 k at a time, so blocks of the depth have multiples of 32
            k, except where the depth ends; then the bits are the same for all tilings.
        stream: packed B is read from memory once, by few rows: fetch what comes next while multiplying.
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
    matrix: bool = False
    stream: bool = False

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


def _tile_cycles(rows: int, vectors: int, streams: bool) -> float:
    """Cycles of one k of a register block.

    Two multiply-adds a cycle, their latency, and a share of the loads; where B does not stay in L1 (`streams`), two
    and a half cycles for each of its vectors.
    """
    busy = max(rows * vectors / 2, 4.0, 2.5 * vectors if streams else 0.0)
    return busy + 0.14 * rows + (0.20 if streams else 0.10) * vectors + 0.08 * abs(vectors - 4) + 0.3


@dataclass(frozen=True)
class _Block:
    """A register block, and its estimated cycles for one k of all rows and columns."""

    cycles: float
    lanes: int
    vectors: int
    row_axis: int
    tile: int


def _lanes(spec: Contraction, target: Target) -> int:
    """Lanes of the vectors: shorter ones where columns (or packed panels) are narrow."""
    lanes = target.lanes(_BITS[spec.dtype])
    width = spec.columns if spec.b_panel is None else spec.b_width
    while lanes > 4 and lanes // 2 >= width:
        lanes //= 2
    return lanes


def _blocks(spec: Contraction, target: Target) -> list[_Block]:
    """Register blocks, best first."""
    lanes = _lanes(spec, target)
    needed = max(1, _up(spec.columns, lanes))
    found = []
    for vectors in range(1, min(8, needed) + 1):
        if spec.b_panel is not None and vectors * lanes != spec.b_width:
            continue
        registers = target.vector_registers
        limit = max(1, (registers - 1 - vectors) // vectors if vectors > 1 else registers - 2)
        for axis in range(len(spec.rows) - 1, -1, -1):
            inner = inner_rows(spec, axis)
            if inner == 0 or inner > limit:
                break
            for tile in _balanced(spec.rows[axis].size, limit // inner):
                full, last = divmod(needed, vectors)
                cycles = full * _cycles(spec, target, vectors, axis, tile)
                cycles += _cycles(spec, target, last, axis, tile) if last else 0.0
                cycles *= _imbalance(spec, target, axis, tile)
                found.append(_Block(cycles, lanes, vectors, axis, tile))
    if _few_rows(spec):  # reading B is what takes time: once is enough
        once = [b for b in found if b.tile == spec.rows[0].size]
        return sorted(once, key=lambda b: -b.vectors) + [b for b in found if b not in once]
    return sorted(found, key=lambda b: (b.cycles, -b.vectors, -b.tile))


def _few_rows(spec: Contraction) -> bool:
    return len(spec.rows) == 1 and 0 < spec.rows[0].size <= 8 and spec.b_panel is None


def _imbalance(spec: Contraction, target: Target, axis: int, tile: int) -> float:
    """How much longer two threads need than half of the time, where so few register blocks of rows are divided."""
    depth = max(1, depth_size(spec))
    held = spec.columns * min(depth, _WHOLE_DEPTH) * _BITS[spec.dtype] // 8
    size = spec.rows[axis].size
    others = math.prod(a.size for a in (*spec.batch, *spec.rows[:axis]))
    along = _up(size, tile)
    work = others * size * inner_rows(spec, axis) * spec.columns * depth
    if spec.b_panel is not None or held > target.l2_bytes // 2:  # panels are divided, too
        return 1.0
    if others * along > 32 or work < _SHARED_WORK:
        return 1.0
    half = _up(others * along, 2)
    first = half // along * size + min(half % along * tile, size)
    return 2.0 * max(first, others * size - first) / (others * size)


def _cycles(spec: Contraction, target: Target, vectors: int, axis: int, tile: int) -> float:
    """Of one k of all rows for one panel."""
    depth = max(1, depth_size(spec))
    streams = depth * vectors * target.vector_bits // 8 > target.l1_bytes // 2
    inner = inner_rows(spec, axis)
    full, rest = divmod(spec.rows[axis].size, tile)
    total = 0.0
    for count, height in ((full, tile * inner), (1, rest * inner)):
        if height:
            total += count * (_tile_cycles(height, vectors, streams) + (height * vectors * 1.5 + 20) / depth)
    return total * math.prod(a.size for a in spec.rows[:axis])


def tiling(spec: Contraction, target: Target) -> Tiling:
    """The tiling that the cost model prefers."""
    return candidates(spec, target, 1)[0]


def candidates(spec: Contraction, target: Target, limit: int = 8) -> list[Tiling]:
    """Tilings worth measuring, the preferred one first: `limit` register blocks, and variations of the first."""
    if spec.dtype == "bfloat16":
        return [_matrix(spec, target)]
    blocks = _blocks(spec, target)[:limit]
    if not blocks:
        lanes = _lanes(spec, target)
        vectors = spec.b_width // lanes if spec.b_panel is not None else 1
        blocks = [_Block(0.0, lanes, vectors, max(0, len(spec.rows) - 1), 1)]
    found = [_complete(spec, target, block) for block in blocks]
    first = found[0]
    if limit > 1:
        if spec.b_panel is None and spec.b_column == 1:
            found.append(replace(first, pack_b=not first.pack_b))
        if first.k_block > 1:
            found.append(replace(first, k_block=_up(first.k_block, 2)))
        found.append(replace(first, block=8 if first.block == 1 else 1))
        found.append(replace(first, pack_a=not first.pack_a))
    return found


def _complete(spec: Contraction, target: Target, block: _Block) -> Tiling:
    """Cache blocks and tasks for a register block."""
    size = _BITS[spec.dtype] // 8
    depth = merged_depth(spec)
    height = block.tile * inner_rows(spec, block.row_axis)
    width = block.lanes * block.vectors
    rows = math.prod(a.size for a in spec.rows)
    masks = target.vector_bits >= 512
    strided = abs(depth[-1].a) > 1
    flat = _few_rows(spec) and spec.b_column == 1
    level, steps = _depth_block(spec, *((16, 0) if flat else (256, 512) if strided else (512, _WHOLE_DEPTH)))
    blocked = steps * math.prod(a.size for a in depth[level + 1 :])
    ragged = spec.columns % width != 0 and not masks and not spec.b_padded
    pack_b = ragged or (
        spec.b_panel is None and (spec.b_column != 1 or _worth_packing(spec, rows // (height or 1), blocked))
    )
    all_panels = max(1, _up(spec.columns, width))
    room = target.l2_bytes // 2 // max(1, blocked * width * size)
    if _few_rows(spec):  # slices of columns are the tasks; a packed one should stay in L2
        seconds = spec.columns * size * math.prod(a.size for a in depth) / 10e9
        room = max(1, _up(all_panels, max(1, min(32, int(seconds / 20e-6)))))
        room = 1 if pack_b else room
    elif pack_b and not spec.batch and rows <= _PANEL_ROWS:  # threads divide the panels, each of which is packed once
        seconds = rows * spec.columns * max(1, depth_size(spec)) / (target.lanes(_BITS[spec.dtype]) * 4e9)
        wanted = min(all_panels // 2, 64, int(seconds / 20e-6)) // 2 * 2
        room = min(room, _up(all_panels, wanted)) if wanted >= 4 else room
    panels = max(1, min(all_panels, room))
    if spec.b_panel is not None and rows <= 8 * height:  # few blocks of rows: threads divide the panels too
        panels = min(panels, _up(all_panels, 2))
    panels = _up(all_panels, _up(all_panels, panels))
    steps_along = math.prod(a.size for a in spec.rows[: block.row_axis]) * _up(
        spec.rows[block.row_axis].size, block.tile
    )
    stream = spec.b_panel is not None and steps_along <= _STREAM_TILES and all_panels >= 2
    if stream:
        panels = 1
    pack_a = panels >= 4 and strided and rows > 8
    made = Tiling(
        block.lanes, block.vectors, block.row_axis, block.tile, level, steps, panels, 1, 1, 1, 1, pack_a, pack_b,
        target.has_fma, masks, stream=stream,
    )  # fmt: skip
    return _tasks(spec, target, made, blocked)


def _worth_packing(spec: Contraction, times: int, blocked: int) -> bool:
    """Whether a copy of B pays that is read so many times, where B could be read in place.

    Its rows lie far apart, so that they share few places in L1, or vectors of it begin within cache lines.
    """
    size = _BITS[spec.dtype] // 8
    strides = [abs(axis.b) * size for axis in merged_depth(spec)]
    far = any(stride >= 1024 for stride in strides)
    if times >= 16:
        return far or any(stride % 64 for stride in strides)
    return far and times >= 4 and blocked > 128


def _depth_block(spec: Contraction, wanted: int, whole: int) -> tuple[int, int]:
    """The axis of the depth to cut, and how many of its steps make a block of about `wanted`.

    A depth of up to `whole` is not cut: fewer panels then stay in L2 together, but no sums go to memory and back.
    """
    sizes = [axis.size for axis in merged_depth(spec)]
    if math.prod(sizes) <= whole:
        return 0, max(1, sizes[0])
    level = 0
    while level < len(sizes) - 1 and math.prod(sizes[level + 1 :]) > wanted:
        level += 1
    steps = max(1, wanted // max(1, math.prod(sizes[level + 1 :])))
    return level, max(1, _up(sizes[level], max(1, round(sizes[level] / steps))))


def _tasks(spec: Contraction, target: Target, made: Tiling, blocked: int) -> Tiling:
    """Cut the work so that many threads have something to do, and so that no task is tiny."""
    size = _BITS[spec.dtype] // 8
    count = row_tiles(spec, made)
    height = made.tile * inner_rows(spec, made.row_axis)
    rate = 4.0 * target.lanes(_BITS[spec.dtype]) * 2e9 * (6 if made.matrix else 1)
    if _few_rows(spec):
        rate = 2.0 * spec.rows[0].size * 10e9 / size
    tile_seconds = 2.0 * height * made.columns * made.panels * max(1, depth_size(spec)) / rate + 1e-8
    slices = max(1, _up(spec.columns, made.columns * made.panels)) * math.prod(a.size for a in spec.batch)
    seconds = _TASK_SECONDS * (4 if made.pack_b else 1)
    wanted = max(1, min(64, int(tile_seconds * count * slices / seconds)))
    if made.stream:  # a thread that has all rows reads the weights once
        wanted = min(wanted, 16)
    tiles = max(1, _up(count, max(1, min(count, _up(wanted, max(1, slices))))))
    if made.pack_b:
        tiles = max(1, min(count, max(tiles, _up(_PACKED_ROWS, height))))  # there may be no rows at all
    if made.stream:  # so that each fetches a line for each k at most
        tiles = max(tiles, min(count, made.vectors))
    elif slices % 2 and wanted > 1:
        tiles = _even(count, tiles)
    grain = max(1, _up(count, tiles) * slices // wanted)
    # A register block's rows stay in L1 for all panels, or, where they are too many, the panels' rows in L2.
    block = 1 if height * blocked * size <= target.l1_bytes * 2 // 3 and not made.pack_a else 8
    partial = height * made.columns * made.panels * size * tiles
    region = max(1, _PARTIAL_BYTES // max(1, partial))
    return replace(made, tiles=tiles, block=block, region=region, grain=grain)


def _even(count: int, tiles: int) -> int:
    """About so many of `count` register blocks in a unit of work, so that the first half of the units has half of them."""
    choices = range(max(1, _up(tiles * 2, 3)), tiles * 4 // 3 + 1)
    return min(choices, key=lambda t: (_up(_up(count, t), 2) * t, abs(t - tiles)), default=tiles)


def supported(spec: Contraction, target: Target) -> bool:
    """Whether there is a kernel for it: always, except that bfloat16 has conditions (see `Contraction.dtype`)."""
    if spec.dtype != "bfloat16":
        return True
    if not matrix_tiles.has_tiles(target) or depth_size(spec) == 0:
        return False
    if spec.b_panel is not None:
        return spec.b_width == matrix_tiles.COLUMNS and _is_direct(spec)
    how = _matrix(spec, target)  # shapes whose packed blocks would be huge are left out
    blocked = how.k_block * math.prod(axis.size for axis in merged_depth(spec)[how.depth_axis + 1 :])
    return 64 * blocked * (how.block + how.panels) <= 4 * _PARTIAL_BYTES


def _is_direct(spec: Contraction) -> bool:
    """Whether matrix tiles can be loaded from A as it is, and pairs of k from B by whole vectors."""
    *others, inner = merged_depth(spec)
    if inner.a != 1 or inner.size % matrix_tiles.DEPTH:
        return False
    if spec.b_panel is not None or spec.b_column == 1:
        return True
    strides = [spec.b_column, spec.b_offset, *(axis.b for axis in (*spec.batch, *others))]
    return inner.b == 1 and all(stride % 2 == 0 for stride in strides)


def _matrix(spec: Contraction, target: Target) -> Tiling:
    """The tiling of a bfloat16 contraction."""
    axis = len(spec.rows) - 1
    size = spec.rows[axis].size
    limit = matrix_tiles.ROWS
    tile = max(1, min(size, min(range(limit // 2, limit + 1), key=lambda t: (_up(size, t) * (1 + (t > 16)), -t))))
    direct = _is_direct(spec)
    level, steps = _depth_block(spec, *((2048, 4096) if direct else (256, 512)))
    sizes = [a.size for a in merged_depth(spec)]
    if not direct and level and math.prod(sizes[level:]) % matrix_tiles.DEPTH:
        level, steps = 0, max(1, 1024 // math.prod(sizes[1:]))
    if not direct or level == len(sizes) - 1:
        even = matrix_tiles.DEPTH // math.gcd(matrix_tiles.DEPTH, math.prod(sizes[level + 1 :]))
        steps = min(sizes[level], _up(steps, even) * even)
    blocked = steps * math.prod(sizes[level + 1 :])
    all_panels = max(1, _up(spec.columns, matrix_tiles.COLUMNS))
    panels = max(1, min(all_panels, target.l2_bytes // 2 // max(1, blocked * matrix_tiles.COLUMNS * 2)))
    panels = _up(all_panels, _up(all_panels, panels))
    packed = spec.b_panel is None
    made = Tiling(16, 2, axis, tile, level, steps, panels, 1, 1, 1, 1, not direct, packed, True, True, True)
    made = _tasks(spec, target, made, blocked // 2)
    return replace(made, block=1) if not direct and panels > 2 else made
