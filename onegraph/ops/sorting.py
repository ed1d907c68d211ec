"""Sorting along one dimension, from one primitive, `argsort`; gathering by it gives values their gradient.

Sorting is always stable, and a NaN is larger than every number.
Read next: `statistics.py` (median and quantile), `gathering.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.movement import RESHAPE, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.reduction import reduced_shape
from onegraph.ops.scan import ValuesIndices
from onegraph.ops.shapes import normalize_dim, show


def _argsort_rule(x: Node, *, dim: int, descending: bool) -> tuple[Shape, DType]:
    if not 0 <= dim < len(x.shape):
        raise ShapeError(f"argsort: dimension {dim} does not exist in {show(x.shape)}")
    return x.shape, int64


def _argsort_reference(x: Array, *, dim: int, descending: bool) -> Array:
    if not descending:
        return np.argsort(x, dim, kind="stable")
    # Sorted backward and turned round, equal elements keep their order.
    backward = np.argsort(np.flip(x, dim), dim, kind="stable")
    return np.asarray(x.shape[dim] - 1 - np.flip(backward, dim))


ARGSORT = register(
    Op(
        name="argsort",
        kind=Kind.SORT,
        doc="The order that sorts the elements along a dimension; stable, NaN counts as largest.",
        rule=_argsort_rule,
        reference=_argsort_reference,
        gradient=None,
        samples=lambda: [
            Sample(real(3, 5), dim=1, descending=False),
            Sample(real(4, 3), dim=0, descending=True),
            Sample(np.round(real(2, 40)), dim=1, descending=False),
            Sample(np.round(real(40)), dim=0, descending=True),
            Sample(
                np.array([1, np.nan, -np.inf, 0.0, -0.0, np.nan, np.inf, 1], np.float32),
                dim=0,
                descending=False,
            ),
            Sample(
                np.array([1, np.nan, -np.inf, 0.0, -0.0, np.nan, np.inf, 1], np.float32),
                dim=0,
                descending=True,
            ),
            Sample(real(0, 3), dim=0, descending=False),
            Sample(real(2, 1), dim=1, descending=True),
        ],
    )
)


def take_along(x: Node, index: Node, dim: int) -> Node:
    """The elements of x at positions along one dimension; the gradient goes back to those positions."""
    from onegraph.ops.gathering import gather

    return gather(x, dim, index)


def _at_least_one_dimension(op: str, input: Any, dim: int) -> tuple[Node, int]:
    x = as_node(input)
    place = normalize_dim(op, dim, len(x.shape))
    return (x if x.shape else RESHAPE(x, shape=(1,))), place


@public()
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Node:
    """The order that sorts the elements along a dimension, as int64.

    Args:
        input: tensor of any shape.
        dim: along which to sort.
        descending: the largest first.
        stable: always so: equal elements keep their order.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([argsort(as_node(np.array([30, 10, 20])))])
    [array([1, 2, 0])]
    """
    x, place = _at_least_one_dimension("argsort", input, dim)
    return reshape_to(ARGSORT(x, dim=place, descending=bool(descending)), as_node(input).shape)


@public()
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """The elements sorted along a dimension, and where each one was.

    Args:
        input: tensor of any shape.
        dim: along which to sort.
        descending: the largest first.
        stable: always so: equal elements keep their order.

    Returns:
        (values, indices), both of the input's shape; indices are int64.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(sort(as_node(np.array([30, 10, 20])), descending=True))
    [array([30, 20, 10]), array([0, 2, 1])]
    """
    x, place = _at_least_one_dimension("sort", input, dim)
    order = ARGSORT(x, dim=place, descending=bool(descending))
    shape = as_node(input).shape
    return ValuesIndices(reshape_to(take_along(x, order, place), shape), reshape_to(order, shape))


@public()
def msort(input: Any) -> Node:
    """The elements sorted along the first dimension."""
    return sort(input, 0).values


@public()
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along a dimension, and where they are.

    Args:
        input: tensor of any shape.
        k: how many.
        dim: along which to choose.
        largest: false for the smallest.
        sorted: always so.

    Returns:
        (values, indices), of the input's shape with k in that dimension.

    Raises:
        OutOfRangeError: there are not k elements.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(topk(as_node(np.array([30, 10, 20])), 2))
    [array([30, 20]), array([0, 2])]
    """
    node = as_node(input)
    x, place = _at_least_one_dimension("topk", node, dim)
    size = x.shape[place]
    if not isinstance(k, Dim) and not isinstance(size, Dim) and not 0 <= k <= size:
        raise OutOfRangeError(
            f"topk: k = {k} is out of range for size {size} of dimension {place} of {show(node.shape)}"
        )
    order = slice_dim(ARGSORT(x, dim=place, descending=bool(largest)), place, 0, k)
    values = take_along(x, order, place)
    if not node.shape and k == 1:
        return ValuesIndices(RESHAPE(values, shape=()), RESHAPE(order, shape=()))
    return ValuesIndices(values, order)


@public()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest element along a dimension (k counts from 1), and where it is.

    Args:
        input: tensor of any shape.
        k: 1 for the smallest.
        dim: along which to choose.
        keepdim: keep the dimension, with size 1.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(kthvalue(as_node(np.array([30, 10, 20])), 2))
    [array(20), array(2)]
    """
    node = as_node(input)
    x, place = _at_least_one_dimension("kthvalue", node, dim)
    size = x.shape[place]
    if not isinstance(size, Dim) and not 1 <= k <= size:
        raise OutOfRangeError(
            f"kthvalue: k = {k} is out of range for size {size} of dimension {place} of {show(node.shape)}"
        )
    values, indices = at_position(x, place, k - 1)
    shape = reduced_shape(node.shape, (place,), keepdim)
    return ValuesIndices(reshape_to(values, shape), reshape_to(indices, shape))


def at_position(x: Node, dim: int, position: Size) -> tuple[Node, Node]:
    """The element at a position of the sorted order along a dimension, and its index, the dimension kept."""
    order = slice_dim(ARGSORT(x, dim=dim, descending=False), dim, position, position + 1)
    return take_along(x, order, dim), order
