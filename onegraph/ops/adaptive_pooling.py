"""Pools whose output size is given: window i of n goes from floor(i size / n) to ceil((i + 1) size / n)."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import MUL, div
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PERMUTE, concat, reshape_to, slice_dim
from onegraph.ops.pooling import Pooled, flat_positions, lowest, maximum_of_windows, pad_last, space_of
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import check_kind, show


def _output_sizes(op: str, x: Node, output_size: Any, rank: int) -> Shape:
    space = space_of(op, x, rank)
    values = tuple(output_size) if isinstance(output_size, (list, tuple)) else (output_size,) * rank
    if len(values) != rank:
        raise ArgumentError(f"{op}: output_size must be an int or {rank} of them, got {output_size!r}")
    sizes = tuple(size if v is None else v for v, size in zip(values, space, strict=True))
    for size, have in zip(sizes, space, strict=True):
        if isinstance(size, Dim):
            continue
        if isinstance(size, bool) or not hasattr(size, "__index__") or size < 0:
            raise ArgumentError(f"{op}: output_size must be ints of at least 0, got {output_size!r}")
        if have == 0:
            raise ShapeError(f"{op}: input {show(x.shape)} has an empty dimension, so there is nothing to pool")
        if isinstance(have, Dim) and size != 1:
            raise ShapeError(
                f"{op}: input {show(x.shape)}: windows for output size {size} depend on {have}, which is not known yet",
                hint="give the placeholder its full shape, or pool to size 1",
            )
    return sizes


def _bounds(size: int, count: int) -> list[tuple[int, int]]:
    """Start and end of each window.

    >>> _bounds(10, 4)
    [(0, 3), (2, 5), (5, 8), (7, 10)]
    """
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _divides(size: Size, count: Size) -> bool:
    if isinstance(size, Dim) or isinstance(count, Dim):
        return count == 1 or size == count
    return count != 0 and size % count == 0


def _mean_over(x: Node, dim: int, count: Size) -> Node:
    """The means of the windows along one dimension."""
    size = x.shape[dim]
    if size == count:
        return x
    if _divides(size, count):
        split = reshape_to(x, (*x.shape[:dim], count, size // count, *x.shape[dim + 1 :]))
        return div(SUM(split, dims=(dim + 1,), keepdim=False), constant(size // count, x.dtype))
    parts = [
        div(SUM(slice_dim(x, dim, start, stop), dims=(dim,), keepdim=True), stop - start)
        for start, stop in _bounds(size, count)  # type: ignore[arg-type]
    ]
    return concat(parts, dim) if parts else slice_dim(x, dim, 0, 0)


def _adaptive_avg_pool(op: str, rank: int, input: Any, output_size: Any) -> Node:
    x = as_node(input)
    check_kind(op, x, "float")
    for i, count in enumerate(_output_sizes(op, x, output_size, rank)):
        x = _mean_over(x, len(x.shape) - rank + i, count)
    return x


def _windows_of(x: Node, dim: int, count: Size, window: int) -> Node:
    """The windows along one dimension in a new last dimension, short ones padded with the lowest value."""
    size = x.shape[dim]
    parts = []
    order = (*(d for d in range(len(x.shape)) if d != dim), dim)
    back = (*range(dim), len(x.shape) - 1, *range(dim, len(x.shape) - 1), len(x.shape))
    moved = PERMUTE(x, dims=order)
    lead = moved.shape[:-1]
    for start, stop in _bounds(size, count):  # type: ignore[arg-type]
        piece = pad_last(slice_dim(moved, len(lead), start, stop), [(0, window - (stop - start))], lowest(x.dtype))
        parts.append(reshape_to(piece, (*lead, 1, window)))
    return PERMUTE(concat(parts, len(lead)), dims=back)


def _adaptive_max_pool(op: str, rank: int, input: Any, output_size: Any, return_indices: bool) -> Pooled:
    x = as_node(input)
    check_kind(op, x, "uint", "int", "float")
    counts = _output_sizes(op, x, output_size, rank)
    space, w = x.shape[-rank:], x
    lead = len(x.shape) - rank
    sizes: list[Any] = []
    starts: list[Node] = []
    for i, count in enumerate(counts):
        size = space[i]
        if count == 0:
            raise ArgumentError(f"{op}: output_size must be at least 1, got {output_size!r}")
        if _divides(size, count):
            window = size // count
            starts.append(MUL(iota(count), constant(window, int64)))
            split = reshape_to(w, (*w.shape[: lead + i], count, window, *w.shape[lead + i + 1 :]))
            rest = len(split.shape)
            order = (*(d for d in range(rest) if d != lead + i + 1), lead + i + 1)
            w = PERMUTE(split, dims=order)
        else:
            bounds = _bounds(size, count)  # type: ignore[arg-type]
            window = max(stop - start for start, stop in bounds)
            starts.append(constant(np.array([start for start, _ in bounds]), int64))
            w = _windows_of(w, lead + i, count, window)
        sizes.append(window)
    values, found = maximum_of_windows(w, rank)
    if not return_indices:
        return values
    return values, flat_positions(found, space, tuple(sizes), starts, (1,) * rank)


@public(method=False)
@public(namespace="nn.functional")
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Node:
    """Means over windows that divide the last dimension into `output_size` parts."""
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


@public(namespace="nn.functional")
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Node:
    """Means over windows that divide height and width into parts.

    Args:
        input: (batch, channels, height, width), or without batch; floating.
        output_size: an int or two; None keeps a size.

    >>> from onegraph.ops.movement import full
    >>> adaptive_avg_pool2d(full((2, 3, 8, 7), 1.0), (4, None)).shape
    (2, 3, 4, 7)
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


@public(namespace="nn.functional")
def adaptive_avg_pool3d(input: Any, output_size: Any) -> Node:
    """Means over windows that divide the last three dimensions into parts."""
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


@public(namespace="nn.functional")
def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Pooled:
    """Maxima over windows that divide the last dimension into `output_size` parts."""
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


@public(namespace="nn.functional")
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Pooled:
    """Maxima over windows that divide height and width into parts.

    Args:
        input: (batch, channels, height, width), or without batch.
        output_size: an int or two; None keeps a size.
        return_indices: also give the maxima's indices into the flattened height * width.
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


@public(namespace="nn.functional")
def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Pooled:
    """Maxima over windows that divide the last three dimensions into parts."""
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)
