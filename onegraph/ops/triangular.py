"""Triangles and diagonals of matrices: tril, triu, diagonal, diag, diag_embed, trace, and index pairs of triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import as_dtype, int64
from onegraph.ir.node import Node
from onegraph.ops.binary import GE, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import LOGICAL_NOT, WHERE
from onegraph.ops.indexing import SET_SLICE
from onegraph.ops.layout import permute_to
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PAD, full, inverse_order, reshape_to, slice_dim  # noqa: F401 (the examples use `full`)
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import normalize_dim, same_shape, show


def diagonal_number(rows: Size, columns: Size) -> Node:
    """For each place of a matrix, which diagonal it is on: column minus row."""
    return SUB(reshape_to(iota(columns), (1, columns)), reshape_to(iota(rows), (rows, 1)))


def _matrix(op: str, input: Any) -> Node:
    x = as_node(input)
    if len(x.shape) < 2:
        raise ShapeError(f"{op}: needs at least 2 dimensions, got {show(x.shape)}")
    return x


@public("tril", inplace=True)
def tril(input: Any, diagonal: int = 0) -> Node:
    """The lower triangle of each matrix up to a diagonal; zero elsewhere.

    >>> tril(full((2, 3, 3), 1.0)).shape
    (2, 3, 3)
    """
    x = _matrix("tril", input)
    above = GE(diagonal_number(*x.shape[-2:]), constant(diagonal + 1, int64))
    return WHERE(above, constant(0, x.dtype), x)


@public("triu", inplace=True)
def triu(input: Any, diagonal: int = 0) -> Node:
    """The upper triangle of each matrix from a diagonal on; zero elsewhere."""
    x = _matrix("triu", input)
    below = LOGICAL_NOT(GE(diagonal_number(*x.shape[-2:]), constant(diagonal, int64)))
    return WHERE(below, constant(0, x.dtype), x)


def _two_dims(op: str, rank: int, dim1: int, dim2: int) -> tuple[int, int]:
    a, b = normalize_dim(op, dim1, rank), normalize_dim(op, dim2, rank)
    if a == b:
        raise ShapeError(f"{op}: dim1 and dim2 are both {dim1}")
    return a, b


def _least(a: Size, b: Size) -> Size:
    return a if a == b or a < b else b


def _diagonal_place(rows: Size, columns: Size, offset: int) -> tuple[Size, Size]:
    """Where a diagonal begins among the elements of a matrix in row-major order, and its length (0 when outside)."""
    if offset >= 0:
        length = _least(rows, columns - offset)
        start: Size = offset
    else:
        length, start = _least(rows + offset, columns), -offset * columns
    if length == 0 or length < 0:
        return 0, 0
    return start, length


def _to_last(x: Node, a: int, b: int) -> tuple[Node, list[int]]:
    """Two dimensions moved to the end, and the order that did it."""
    order = [d for d in range(len(x.shape)) if d not in (a, b)] + [a, b]
    return permute_to(x, order), order


@public(view=True)
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonals of the matrices that two dimensions make, as a new last dimension.

    Args:
        offset: 0 for the main diagonal, positive above it, negative below.

    >>> diagonal(full((2, 3, 4), 0.0), 1, -2, -1).shape
    (2, 3)
    """
    x = as_node(input)
    if len(x.shape) < 2:
        raise ShapeError(f"diagonal: needs at least 2 dimensions, got {show(x.shape)}")
    y, _ = _to_last(x, *_two_dims("diagonal", len(x.shape), dim1, dim2))
    *lead, rows, columns = y.shape
    start, length = _diagonal_place(rows, columns, offset)
    flat = reshape_to(y, (*lead, rows * columns))
    at = len(lead)
    if length == 0:
        return slice_dim(flat, at, 0, 0)
    if not isinstance(columns, Dim):
        return slice_dim(flat, at, start, start + (length - 1) * (columns + 1) + 1, columns + 1)
    # The elements lie columns + 1 apart, a step that is not known yet: make it a width, and take a column.
    padding = (*[(0, 0, 0)] * at, (-start, start + length * (columns + 1) - rows * columns, 0))
    wide = reshape_to(PAD(flat, constant(0, x.dtype), padding=padding), (*lead, length, columns + 1))
    return reshape_to(slice_dim(wide, at + 1, 0, 1), (*lead, length))


_diagonal_of = diagonal  # for functions with an argument of that name


@public("diagonal", namespace="linalg")
def linalg_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """The diagonals of the last two dimensions."""
    return diagonal(A, offset, dim1, dim2)


@public()
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """Matrices that have the last dimension as a diagonal, and are zero elsewhere.

    >>> diag_embed(full((2, 3), 1.0), 1).shape
    (2, 4, 4)
    """
    x = as_node(input)
    if not x.shape:
        raise ShapeError("diag_embed: needs at least 1 dimension, got ()")
    *lead, length = x.shape
    a, b = _two_dims("diag_embed", len(x.shape) + 1, dim1, dim2)
    if a > b:  # the transpose of the other order
        offset = -offset
    size = length + abs(offset)
    start = offset if offset >= 0 else -offset * size
    at, keep, zero = len(lead), [(0, 0, 0)] * len(lead), constant(0, x.dtype)
    if isinstance(size, Dim):  # element i belongs at start + i * (size + 1): put `size` zeros behind each
        rows = PAD(reshape_to(x, (*lead, length, 1)), zero, padding=(*keep, (0, 0, 0), (0, size, 0)))
        flat = reshape_to(rows, (*lead, length * (size + 1)))
        y = PAD(flat, zero, padding=(*keep, (start, size * size - start - length * (size + 1), 0)))
    else:
        used = start + ((length - 1) * (size + 1) + 1 if length != 0 else 0)
        y = PAD(x, zero, padding=(*keep, (start, size * size - used, size)))
    order = [d for d in range(at + 2) if d not in (a, b)] + sorted((a, b))
    return permute_to(reshape_to(y, (*lead, size, size)), inverse_order(order))


@public()
def diag(input: Any, diagonal: int = 0) -> Node:
    """The diagonal of a matrix, or the matrix with a vector as its diagonal."""
    x = as_node(input)
    if len(x.shape) == 1:
        return diag_embed(x, diagonal)
    if len(x.shape) != 2:
        raise ShapeError(f"diag: needs a vector or a matrix, got {show(x.shape)}", hint="use diagonal or diag_embed")
    return _diagonal_of(x, diagonal)


@public()
def diagflat(input: Any, offset: int = 0) -> Node:
    """A matrix with all elements of the tensor as its diagonal."""
    x = as_node(input)
    return diag_embed(reshape_to(x, (x.size,)), offset)


@public()
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The tensor with its diagonals, as `diagonal` gives them, replaced.

    >>> diagonal_scatter(full((3, 4), 0.0), full((3,), 1.0)).shape
    (3, 4)
    """
    x = as_node(input)
    value = cast(as_node(src), x.dtype)
    if len(x.shape) < 2:
        raise ShapeError(f"diagonal_scatter: needs at least 2 dimensions, got {show(x.shape)}")
    y, order = _to_last(x, *_two_dims("diagonal_scatter", len(x.shape), dim1, dim2))
    *lead, rows, columns = y.shape
    start, length = _diagonal_place(rows, columns, offset)
    if not same_shape(value.shape, (*lead, length)):
        raise ShapeError(
            f"diagonal_scatter: the diagonal of {show(x.shape)} is {show((*lead, length))}, src {show(value.shape)}"
        )
    if length == 0:
        return x
    if isinstance(columns, Dim):
        raise ShapeError(f"diagonal_scatter: the size {columns} must be known when the graph is built")
    flat = reshape_to(y, (*lead, rows * columns))
    stop = start + (length - 1) * (columns + 1) + 1
    out = SET_SLICE(
        flat, value, starts=(*[0] * len(lead), start), stops=(*lead, stop), steps=(*[1] * len(lead), columns + 1)
    )
    return permute_to(reshape_to(out, y.shape), inverse_order(order))


@public()
def trace(input: Any) -> Node:
    """The sum of a matrix's main diagonal; integers give int64."""
    x = as_node(input)
    if len(x.shape) != 2:
        raise ShapeError(f"trace: needs a matrix, got {show(x.shape)}")
    y = diagonal(x)
    return SUM(y if y.dtype.is_floating_point else cast(y, int64), dims=(0,), keepdim=False)


def _triangle_indices(op: str, places: Any, row: int, col: int, dtype: Any) -> Node:
    if row < 0 or col < 0:
        raise ArgumentError(f"{op}: sizes must not be negative, got {row} and {col}")
    return constant(np.stack(places), as_dtype(dtype) if dtype is not None else int64)


@public(method=False)
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Node:
    """Rows and columns of the places in a lower triangle, shape (2, count), int64 by default."""
    return _triangle_indices("tril_indices", np.tril_indices(max(row, 0), offset, max(col, 0)), row, col, dtype)


@public(method=False)
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Node:
    """Rows and columns of the places in an upper triangle, shape (2, count), int64 by default.

    >>> triu_indices(3, 3).shape
    (2, 6)
    """
    return _triangle_indices("triu_indices", np.triu_indices(max(row, 0), offset, max(col, 0)), row, col, dtype)
