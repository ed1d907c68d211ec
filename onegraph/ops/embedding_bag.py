"""Embeddings of bags: the sum, mean or maximum of the rows of a table that each bag lists. Read next: `lookup.py`."""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, EQ, GT, MUL, SUB, maximum
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE
from onegraph.ops.gathering import as_index
from onegraph.ops.indexing import SCATTER
from onegraph.ops.leaf import constant, iota
from onegraph.ops.lookup import embedding, searchsorted
from onegraph.ops.movement import expand_to, full, reshape_to, slice_dim
from onegraph.ops.norms import vector_norm
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.shapes import same_shape, show

OP = "embedding_bag"


def _check(index: Node, table: Node, offsets: Node | None, mode: str, weights: Node | None, scaled: bool) -> None:
    if len(table.shape) != 2:
        raise ShapeError(f"{OP}: the table must be a matrix (rows, width), got {show(table.shape)}")
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"{OP}: mode must be 'sum', 'mean' or 'max', got {mode!r}")
    if len(index.shape) not in (1, 2):
        raise ShapeError(f"{OP}: input must be (bags, length), or a vector with offsets, got {show(index.shape)}")
    if (len(index.shape) == 1) != (offsets is not None):
        raise ArgumentError(
            f"{OP}: a vector of indices needs offsets, and rows of them take none, got input {show(index.shape)} and "
            f"offsets {None if offsets is None else show(offsets.shape)}"
        )
    if offsets is not None and len(offsets.shape) != 1:
        raise ShapeError(f"{OP}: offsets must be a vector, got {show(offsets.shape)}")
    if weights is not None and not same_shape(weights.shape, index.shape):
        raise ShapeError(
            f"{OP}: per_sample_weights {show(weights.shape)} must have the shape of input {show(index.shape)}"
        )
    if weights is not None and mode != "sum":
        raise UnsupportedError(f"{OP}: per_sample_weights go with mode='sum' only, got mode={mode!r}")
    if mode == "max" and scaled:
        raise ArgumentError(f"{OP}: mode='max' does not take scale_grad_by_freq")


class _Bags:
    """How rows are combined: along a dimension of equal bags, or by the number of the bag that each row is in."""

    def __init__(self, index: Node, offsets: Node | None, include_last_offset: bool) -> None:
        self.rows = offsets is None
        if offsets is None:
            return
        (count,) = offsets.shape
        starts = slice_dim(offsets, 0, 0, count - 1) if include_last_offset else offsets
        self.count = starts.shape[0]
        self.number = SUB(searchsorted(starts, iota(index.shape[0]), right=True), constant(1, int64))

    def combine(self, values: Node, mode: str) -> Node:
        """(bags, width) from values (bags, length, width) or (all, width)."""
        if self.rows:
            op = MAX if mode == "maximum" else SUM
            return op(values, dims=(1,), keepdim=False)
        start = full((self.count, values.shape[-1]), -math.inf if mode == "maximum" else 0, values.dtype)
        return SCATTER(start, self.number, values, dim=0, mode=mode)


@public(namespace="nn.functional")
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Node:
    """The sum, mean or maximum of the rows of a table that each bag lists.

    Args:
        input: int64 or int32 (bags, length), or (all,) with `offsets`.
        weight: table of shape (rows, width).
        offsets: (bags,): where each bag begins in a vector `input`.
        max_norm, norm_type: front ends rescale rows in the table before this; unsupported here.
        scale_grad_by_freq: divide a row's gradient by how often the row is listed.
        mode: 'sum', 'mean' or 'max'.
        sparse: for PyTorch's sake; gradients are always dense.
        per_sample_weights: shaped as input: factors, for mode 'sum'.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that does not take part.

    Returns:
        (bags, width); 0 for an empty bag.

    Raises:
        ShapeError, ArgumentError: arguments that do not fit.
        OutOfRangeError: an index outside the table, when the graph runs.

    >>> embedding_bag(full((2, 5), 3), full((10, 4), 0.0)).shape
    (2, 4)
    """
    index, table = as_index(OP, input), as_node(weight)
    starts = None if offsets is None else cast(as_index(OP, offsets), int64)
    factors = None if per_sample_weights is None else as_node(per_sample_weights)
    _check(index, table, starts, mode, factors, scale_grad_by_freq)
    if max_norm is not None:
        raise UnsupportedError(f"{OP}: a graph cannot rewrite its table: rescale its rows before")
    bags = _Bags(index, starts, include_last_offset)
    rows = embedding(index, table, None, None, norm_type, scale_grad_by_freq)
    if factors is not None:
        rows = MUL(rows, reshape_to(factors, (*index.shape, 1)))
    padding = None
    if padding_idx is not None:
        row = padding_idx if padding_idx >= 0 else table.shape[0] + padding_idx
        padding = reshape_to(EQ(index, constant(row, index.dtype)), (*index.shape, 1))
        rows = WHERE(padding, constant(-math.inf if mode == "max" else 0, rows.dtype), rows)
    if mode == "max":
        found = (
            bags.combine(rows, "maximum") if index.size != 0 else full(bags_shape(bags, index, table), 0, rows.dtype)
        )
        nothing = constant(-math.inf, found.dtype)
        return WHERE(EQ(found, nothing), constant(0, found.dtype), found)
    total = bags.combine(rows, "add")
    if mode == "sum":
        return total
    ones = full((*index.shape, 1), 1, rows.dtype)
    if padding is not None:
        ones = WHERE(padding, constant(0, rows.dtype), ones)
    return DIV(total, maximum(bags.combine(ones, "add"), 1.0))


def bags_shape(bags: _Bags, index: Node, table: Node) -> tuple[Any, ...]:
    """(bags, width)."""
    return (index.shape[0] if bags.rows else bags.count, table.shape[1])


def renormalized(table: Node, index: Node, max_norm: float, norm_type: float = 2.0) -> Node:
    """A table in which the listed rows whose p-norm is larger than `max_norm` are scaled down to it.

    Args:
        table: (rows, width).
        index: int64 or int32 of any shape.
        max_norm: the largest norm.
        norm_type: p.
    """
    flat = reshape_to(index, (index.size,))
    rows = embedding(flat, table)
    norms = vector_norm(rows, norm_type, 1, True)
    limit = constant(max_norm, rows.dtype)
    scale = WHERE(GT(norms, limit), DIV(limit, ADD(norms, constant(1e-7, rows.dtype))), constant(1, rows.dtype))
    return SCATTER(table, flat, MUL(rows, expand_to(scale, rows.shape)), dim=0, mode="set")
