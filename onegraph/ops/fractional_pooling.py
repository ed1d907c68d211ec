"""Fractional max pooling: windows at places that a random number for each plane shifts. Read next: `pooling.py`.

Source: Graham, "Fractional max-pooling", 2014, section 2: pseudo-random overlapping regions.
"""

from __future__ import annotations

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, EQ, MUL, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE
from onegraph.ops.gathering import gather
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import expand_to, reshape_to, slice_dim
from onegraph.ops.pooling import maximum_of_windows
from onegraph.ops.shapes import check_kind, numel, show


def _starts(sample: Node, size: int, count: int, window: int) -> Node:
    """Where windows begin along a dimension: (planes, count), for a sample (planes,) in [0, 1)."""
    planes = sample.shape[0]
    if count == 1:
        return expand_to(constant(size - window, int64), (planes, 1))
    alpha = constant((size - window) / (count - 1), sample.dtype)
    number = reshape_to(cast(iota(count), sample.dtype), (1, count))
    u = reshape_to(sample, (planes, 1))
    moved = cast(MUL(ADD(number, u), alpha), int64)  # truncated, as the numbers are not negative
    places = SUB(moved, cast(MUL(u, alpha), int64))
    is_last = EQ(reshape_to(iota(count), (1, count)), constant(count - 1, int64))
    return WHERE(is_last, constant(size - window, int64), places)


def fractional_max_pool(
    op: str, x: Node, window: tuple[int, ...], output_size: tuple[int, ...], samples: Node
) -> tuple[Node, Node]:
    """The maxima of windows, and where they stand in the flattened last dimensions.

    Args:
        op: for errors.
        x: (batch, channels, *space), or without batch.
        window: size of a window in each dimension of space.
        output_size: how many windows there are in each.
        samples: (batch, channels, dimensions) in [0, 1), the last dimension of space first for two of them, the first
            one first for three, as PyTorch has it.

    Raises:
        ShapeError, ArgumentError: sizes that do not fit.
    """
    rank = len(window)
    check_kind(op, x, "float")
    if len(x.shape) not in (rank + 1, rank + 2):
        raise ShapeError(f"{op}: needs {rank + 1} or {rank + 2} dimensions, got {show(x.shape)}")
    space = x.shape[-rank:]
    if any(isinstance(size, Dim) for size in space):
        raise ShapeError(f"{op}: the sizes {show(space)} must be known")
    for size, k, count in zip(space, window, output_size, strict=True):
        if count < 1 or k < 1 or count + k - 1 > size:
            raise ArgumentError(
                f"{op}: {count} windows of {k} do not fit into {size}, of an input {show(x.shape)}: "
                "output_size + kernel_size - 1 must be at most the size"
            )
    planes = numel(x.shape[:-rank])
    if len(samples.shape) != 3 or samples.shape[2] != rank or samples.shape[0] * samples.shape[1] != planes:
        raise ShapeError(f"{op}: random samples must be (batch, channels, {rank}), got {show(samples.shape)}")
    flat_samples = reshape_to(samples, (planes, rank))
    area = numel(space)
    places = reshape_to(constant(0, int64), (1,) * (1 + 2 * rank))
    for i, (size, k, count) in enumerate(zip(space, window, output_size, strict=True)):
        column = rank - 1 - i if rank == 2 else i
        sample = reshape_to(slice_dim(flat_samples, 1, column, column + 1), (planes,))
        starts = _starts(sample, int(size), count, k)
        shape: list[Size] = [1] * (1 + 2 * rank)
        shape[0], shape[1 + i], shape[1 + rank + i] = planes, count, k
        inside = ADD(reshape_to(starts, (planes, count, 1)), reshape_to(iota(k), (1, 1, k)))
        places = ADD(places, MUL(reshape_to(inside, tuple(shape)), constant(numel(space[i + 1 :]), int64)))
    lead = (planes, *output_size)
    flat = reshape_to(places, (planes, numel(places.shape[1:])))
    row = MUL(reshape_to(iota(planes), (planes, 1)), constant(area, int64))
    taken = TAKE(reshape_to(x, (x.size,)), ADD(flat, row), dim=0)
    windows = reshape_to(taken, (*lead, *window))
    values, found = maximum_of_windows(windows, rank)
    choices = reshape_to(places, (*lead, numel(window)))
    indices = reshape_to(gather(choices, rank + 1, reshape_to(found, (*lead, 1))), lead)
    shape_out = (*x.shape[:-rank], *output_size)
    return reshape_to(values, shape_out), reshape_to(indices, shape_out)
