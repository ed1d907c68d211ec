"""Tables, masks and sorted sequences: embedding, one_hot, masked_fill, masked_scatter, searchsorted, isin, bincount."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from onegraph.ir.dtype import bool_, float32, float64, int32, int64
from onegraph.ir.node import Node
from onegraph.ops.binary import EQ, GE, GT, add, div, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import LOGICAL_NOT, WHERE, detach, numpy_constant
from onegraph.ops.gathering import as_index, take_along_dim
from onegraph.ops.indexing import SCATTER, TAKE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import expand_to, full, reshape_to
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.scan import CUMSUM
from onegraph.ops.shapes import broadcast_shapes, numel, same_shape, show


@public("embedding", namespace="nn.functional")
def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Node:
    """The rows of a table that indices list.

    Args:
        input: int64 or int32 of any shape.
        weight: table of shape (rows, width).
        padding_idx: a row that gets no gradient.
        max_norm, norm_type: unsupported, since PyTorch changes the table in place.
        scale_grad_by_freq: divide a row's gradient by how often the row is listed.
        sparse: for PyTorch's sake; gradients are always dense.

    Returns:
        The shape of `input`, then the width.

    Raises:
        OutOfRangeError: an index outside the table, when the graph runs.

    >>> embedding(full((2, 5), 3), full((10, 4), 0.0)).shape
    (2, 5, 4)
    """
    index, table = as_index("embedding", input), as_node(weight)
    if len(table.shape) != 2:
        raise ShapeError(f"embedding: the table must be a matrix (rows, width), got {show(table.shape)}")
    if max_norm is not None:
        raise UnsupportedError(
            "embedding: max_norm rewrites rows of the table while it reads them",
            hint="rescale the table after each optimizer step, or normalize the result",
        )
    rows = TAKE(table, index, dim=0)
    each = (*index.shape, 1)
    if scale_grad_by_freq:
        flat = reshape_to(index, (index.size,))
        zeros, ones = full(table.shape[:1], 0, dtype=table.dtype), full(flat.shape, 1, dtype=table.dtype)
        count = TAKE(SCATTER(zeros, flat, ones, dim=0, mode="add"), index, dim=0)
        value = detach(rows)  # the second term is zero, and there for its gradient
        rows = add(value, div(sub(rows, value), reshape_to(count, each)))
    if padding_idx is not None:
        row = padding_idx if padding_idx >= 0 else table.shape[0] + padding_idx
        is_padding = EQ(index, constant(row, index.dtype))
        rows = WHERE(reshape_to(is_padding, each), detach(rows), rows)
    return rows


@public("one_hot", namespace="nn.functional")
def one_hot(tensor: Any, num_classes: int = -1) -> Node:
    """For each class a row that is 1 at the class and 0 elsewhere, int64.

    Args:
        tensor: int64 classes, any shape.
        num_classes: the length of a row; -1 (one more than the largest class) where the classes are known.

    Raises:
        OutOfRangeError: a class outside 0 to num_classes - 1, when the graph runs.

    >>> one_hot(full((2, 3), 1), 5).shape
    (2, 3, 5)
    """
    classes = as_index("one_hot", tensor)
    if num_classes == -1:
        known = _known_value("one_hot", classes, "give num_classes")
        if known.size == 0:
            raise ArgumentError("one_hot: there are no classes to infer num_classes from", hint="give num_classes")
        num_classes = int(known.max()) + 1
    if num_classes < 0:
        raise ArgumentError(f"one_hot: num_classes must be positive, or -1 to infer it, got {num_classes}")
    flat = reshape_to(classes, (classes.size,))
    zeros, ones = full((classes.size, num_classes), 0, dtype=int64), full(flat.shape, 1, dtype=int64)
    rows = SCATTER(zeros, cast(iota(classes.size), flat.dtype), flat, ones, dim=0, mode="set")
    return reshape_to(rows, (*classes.shape, num_classes))


def _known_value(op: str, node: Node, hint: str) -> np.ndarray[Any, Any]:
    """The value of a constant that decides the shape of the result."""
    if node.op != "constant":
        raise UnsupportedError(f"{op}: the shape of the result depends on the values of {show(node.shape)}", hint=hint)
    found: np.ndarray[Any, Any] = node.attributes["value"].array
    return found


def _as_mask(op: str, mask: Any) -> Node:
    node = as_node(mask)
    if node.dtype is not bool_:
        raise DTypeError(f"{op}: the mask must be bool, got {node.dtype.name}", hint="compare it first, e.g. mask != 0")
    return node


@public(inplace=True)
def masked_fill(input: Any, mask: Any, value: Any) -> Node:
    """A number where the mask is true; mask and input broadcast.

    >>> masked_fill(full((2, 3), 0.0), full((3,), True), -1.0).shape
    (2, 3)
    """
    x, chosen = as_node(input), _as_mask("masked_fill", mask)
    number = as_node(value, x.dtype) if isinstance(value, (Node, bool, int)) else as_node(value)
    if number.shape:
        raise ShapeError(f"masked_fill: the value must be a number, got {show(number.shape)}", hint="use where")
    if number.dtype.is_floating_point and not x.dtype.is_floating_point:
        raise DTypeError(f"masked_fill: {number.dtype.name} {value} does not fit into {x.dtype.name} {show(x.shape)}")
    return WHERE(chosen, cast(number, x.dtype), x)


@public()
def masked_select(input: Any, mask: Any) -> Node:
    """The elements where the mask is true, in one row. The mask must be known while the graph is built."""
    x, chosen = as_node(input), _as_mask("masked_select", mask)
    known = _known_value("masked_select", chosen, "use where(mask, input, other), which keeps the shape")
    shape = broadcast_shapes("masked_select", x.shape, known.shape)
    places = np.flatnonzero(np.broadcast_to(known, tuple(int(s) for s in shape)))
    return TAKE(reshape_to(expand_to(x, shape), (numel(shape),)), numpy_constant(places.astype(np.int64)), dim=0)


@public(inplace=True)
def masked_scatter(input: Any, mask: Any, source: Any) -> Node:
    """Where the mask is true, the elements of source one after the other; elsewhere the input.

    Raises:
        OutOfRangeError: source has fewer elements than the mask is true, when the graph runs.

    >>> masked_scatter(full((2, 3), 0.0), full((3,), True), full((6,), 1.0)).shape
    (2, 3)
    """
    x, chosen, src = as_node(input), _as_mask("masked_scatter", mask), as_node(source)
    if src.dtype is not x.dtype:
        raise DTypeError(
            f"masked_scatter: input is {x.dtype.name} and source {src.dtype.name}", hint="cast source first"
        )
    shape = broadcast_shapes("masked_scatter", x.shape, chosen.shape)
    wide, flat_mask = expand_to(x, shape), reshape_to(expand_to(chosen, shape), (numel(shape),))
    if src.size == 0:
        if isinstance(numel(shape), int) and numel(shape) == 0:
            return wide
        raise ShapeError(f"masked_scatter: source {show(src.shape)} has no elements")
    order = sub(CUMSUM(cast(flat_mask, int64), dim=0, reverse=False), 1)
    places = WHERE(flat_mask, order, constant(0, int64))
    return WHERE(expand_to(chosen, shape), reshape_to(TAKE(reshape_to(src, (src.size,)), places, dim=0), shape), wide)


@public(method=False)
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Node:
    """Where each value would have to be inserted into a sorted sequence to keep it sorted.

    Args:
        sorted_sequence: vector, or sequences along the last dimension with the leading sizes of `input`.
        input: values, or one number.
        out_int32: int32 instead of int64.
        right, side: insert behind equal elements ('right') instead of before them ('left').
        sorter: the order that sorts `sorted_sequence`, if that is not sorted itself.

    Computed as the number of smaller elements, by comparing with all of them.

    >>> searchsorted(full((5,), 1.0), full((2, 3), 0.5)).shape
    (2, 3)
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(f"searchsorted: side {side!r} and right={right} must be 'left' or 'right', and agree")
    seq, values = promote(sorted_sequence, input)
    if not seq.shape or (len(seq.shape) > 1 and not same_shape(seq.shape[:-1], values.shape[:-1])):
        raise ShapeError(
            f"searchsorted: the sequence {show(seq.shape)} must be a vector or begin as the values {show(values.shape)}"
        )
    if sorter is not None:
        order = as_index("searchsorted", sorter)
        if not same_shape(order.shape, seq.shape):
            raise ShapeError(f"searchsorted: sorter {show(order.shape)} and sequence {show(seq.shape)} must be equal")
        seq = take_along_dim(seq, order, -1)
    lead = seq.shape[:-1] if len(seq.shape) > 1 else (1,) * max(len(values.shape) - 1, 0)
    row = reshape_to(seq, (*lead, *(1,) * bool(values.shape), seq.shape[-1]))
    value = reshape_to(values, (*values.shape, 1))
    # written as "not >=", so that a NaN counts as larger than everything
    before = LOGICAL_NOT(GT(row, value) if right or side == "right" else GE(row, value))
    kind = int32 if out_int32 else int64
    return SUM(cast(before, kind), dims=(len(before.shape) - 1,), keepdim=False)


@public(method=False)
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Node:
    """In which of the intervals between sorted boundaries each value lies.

    >>> bucketize(full((2, 3), 0.5), full((4,), 1.0)).shape
    (2, 3)
    """
    if len(as_node(boundaries).shape) != 1:
        raise ShapeError(f"bucketize: boundaries must be a vector, got {show(as_node(boundaries).shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@public(method=False)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Node:
    """Whether each element is among others.

    Args:
        assume_unique: makes no difference.
        invert: whether it is not among them.

    >>> isin(full((2, 3), 1), full((4,), 2)).shape
    (2, 3)
    """
    x, others = promote(elements, test_elements)
    if others.size == 0:
        return full(x.shape, invert, dtype=bool_)
    equal = EQ(reshape_to(x, (*x.shape, 1)), reshape_to(others, (others.size,)))
    found = MAX(equal, dims=(len(x.shape),), keepdim=False)
    return LOGICAL_NOT(found) if invert else found


@public()
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Node:
    """How often each number from 0 on occurs in a vector of integers, or the sum of the weights there.

    Args:
        input: vector of non-negative integers.
        weights: vector of the same size; the result is floating then.
        minlength: the length of the result, or the least length where the values of `input` are known.

    Raises:
        OutOfRangeError: a number that is negative or not below the length, when the graph runs.

    >>> bincount(full((5,), 2), minlength=4).shape
    (4,)
    """
    x = as_node(input)
    if len(x.shape) != 1 or x.dtype.kind not in ("int", "uint"):
        raise ShapeError(f"bincount: needs a vector of integers, got {x.dtype.name} {show(x.shape)}")
    length = minlength
    if x.op == "constant":
        known = x.attributes["value"].array
        length = max(minlength, int(known.max()) + 1 if known.size else 0)
    elif minlength < 1:
        raise UnsupportedError(
            "bincount: the length of the result depends on the values",
            hint="give minlength, one more than the largest value",
        )
    if weights is None:
        amount = full(x.shape, 1, dtype=int64)
    else:
        amount = as_node(weights)
        if not same_shape(amount.shape, x.shape):
            raise ShapeError(f"bincount: weights {show(amount.shape)} and input {show(x.shape)} must have equal shapes")
        amount = cast(amount, float32 if amount.dtype is float32 else float64)
    return SCATTER(full((length,), 0, dtype=amount.dtype), cast(x, int64), amount, dim=0, mode="add")
