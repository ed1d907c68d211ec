"""Running sums, products and maxima along one dimension, and what is built from them.

Gradients of running products and maxima are first-order recurrences, solved by doubling (see `recurrence`).
Read next: `reduction.py`, whose `prod` takes its gradient from running products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, bool_, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, EQ, NE, OR, SUB, mul
from onegraph.ops.cast import CAST
from onegraph.ops.elementwise import LOGICAL_NOT, NEG, WHERE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.mathematics import logaddexp
from onegraph.ops.movement import PAD, RESHAPE, concat, expand_to, reshape_to, slice_dim
from onegraph.ops.promotion import as_node, optional_cast, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.record import Array, InputGradient, Kind, Op, Sample, real, register
from onegraph.ops.shapes import check_kind, normalize_dim, show

LONGEST = 31  # doublings for a size that is not known yet: enough for 2**31 elements


class ValuesIndices(NamedTuple):
    """Values, and the positions along one dimension where they came from (int64)."""

    values: Node
    indices: Node


def _rule(name: str, kinds: tuple[str, ...]) -> Callable[..., tuple[Shape, DType]]:
    def rule(x: Node, *, dim: int, reverse: bool) -> tuple[Shape, DType]:
        check_kind(name, x, *kinds)
        if not 0 <= dim < len(x.shape):
            raise ShapeError(f"{name}: dimension {dim} does not exist in {show(x.shape)}")
        return x.shape, x.dtype

    return rule


def _scan(
    name: str,
    doc: str,
    forward: Callable[..., Array],
    gradient: InputGradient,
    kinds: tuple[str, ...],
    samples: Callable[[], list[Sample]],
) -> Op:
    def reference(x: Array, *, dim: int, reverse: bool) -> Array:
        return np.flip(forward(np.flip(x, dim), dim), dim) if reverse else forward(x, dim)

    return register(
        Op(
            name=name,
            kind=Kind.SCAN,
            doc=doc,
            rule=_rule(name, kinds),
            reference=reference,
            gradient=(gradient,),
            samples=samples,
            dtypes=kinds,
        )
    )


def shift(x: Node, dim: int, distance: int, fill: float) -> Node:
    """Every element moved up by `distance` (down when negative); `fill` comes in at the end."""
    padding = tuple((distance, -distance, 0) if i == dim else (0, 0, 0) for i in range(len(x.shape)))
    return PAD(x, constant(fill, x.dtype), padding=padding)


def _doublings(size: Size) -> int:
    return LONGEST if isinstance(size, Dim) else max(0, size - 1).bit_length()


def recurrence(start: Node, factor: Node, dim: int, reverse: bool) -> Node:
    """s[i] = start[i] + factor[i] * s[i - 1] along a dimension (s[i + 1] when reverse), without divisions.

    Solved by doubling (Hillis and Steele 1986, "Data parallel algorithms"): after k rounds s[i] holds the
    terms from the last 2**k elements, and factor[i] the product of that many factors.
    """
    size = start.shape[dim]
    total, product = start, factor
    for k in range(_doublings(size)):
        distance = -(1 << k) if reverse else 1 << k
        total = ADD(total, mul(product, shift(total, dim, distance, 0)))
        product = mul(product, shift(product, dim, distance, 0))
    return total


def _cumprod_gradient(n: Node, g: Node) -> Node:
    """The products before each element, times what the products after it weigh; zeros are no exception."""
    (x,), dim, reverse = n.inputs, n.attributes["dim"], n.attributes["reverse"]
    step = -1 if reverse else 1
    before = shift(n, dim, step, 1)
    after = recurrence(g, shift(x, dim, -step, 0), dim, not reverse)
    return mul(before, after)


def _is_new_maximum(x: Node, largest: Node) -> Node:
    """Where a running maximum is reached (again); a NaN stays the largest ever after."""
    return OR(EQ(x, largest), NE(x, x)) if x.dtype.is_floating_point else EQ(x, largest)


def _cummax_gradient(n: Node, g: Node) -> Node:
    """Each result's gradient goes to the last element that equals it, as in PyTorch."""
    (x,), dim, reverse = n.inputs, n.attributes["dim"], n.attributes["reverse"]
    new = _is_new_maximum(x, n)
    kept = CAST(LOGICAL_NOT(new), dtype=g.dtype)
    received = recurrence(g, shift(kept, dim, 1 if reverse else -1, 0), dim, not reverse)
    return WHERE(new, received, constant(0, g.dtype))


def _samples() -> list[Sample]:
    return [
        Sample(real(2, 3), dim=1, reverse=False),
        Sample(real(4, 2), dim=0, reverse=True),
        Sample(real(7), dim=0, reverse=False),
        Sample(real(2, 5, 3), dim=1, reverse=True),
        Sample(real(0, 3), dim=0, reverse=False),
        Sample(real(1), dim=0, reverse=True),
    ]


def _zero_samples() -> list[Sample]:
    zeros = np.array([[1.5, 0.0, 2.0, 0.0, 3.0], [0.0, 2.0, -1.0, 0.5, 4.0]], np.float32)
    return [Sample(zeros, dim=1, reverse=False), Sample(zeros, dim=1, reverse=True), *_samples()]


def _edge_samples() -> list[Sample]:
    edges = np.array([1.0, 3.0, 3.0, -math.inf, math.nan, math.inf, math.nan, 2.0], np.float32)
    return [*_samples(), Sample(edges, dim=0, reverse=False, differentiable=False)]


_NUMBERS = ("uint", "int", "float")
CUMSUM: Op = _scan(
    "cumsum",
    "the sum of the elements up to each",
    lambda x, dim: np.cumsum(x, dim, dtype=x.dtype),
    lambda n, g: CUMSUM(g, dim=n.attributes["dim"], reverse=not n.attributes["reverse"]),
    _NUMBERS,
    _samples,
)
CUMPROD: Op = _scan(
    "cumprod",
    "the product of the elements up to each",
    lambda x, dim: np.cumprod(x, dim, dtype=x.dtype),
    _cumprod_gradient,
    _NUMBERS,
    _zero_samples,
)
CUMMAX: Op = _scan(
    "cummax",
    "the largest of the elements up to each; NaN from the first NaN on",
    lambda x, dim: np.maximum.accumulate(x, dim),
    _cummax_gradient,
    ("bool", *_NUMBERS),
    _edge_samples,
)


def _along(op: str, x: Node, dim: int) -> tuple[Node, int]:
    """The node with at least one dimension, and the dimension counted from the front."""
    place = normalize_dim(op, dim, len(x.shape))
    return (x if x.shape else RESHAPE(x, shape=(1,))), place


def whole_numbers_to_int64(dtype: DType) -> DType:
    """The dtype in which sums and products are taken: int64 for integers and bools."""
    return dtype if dtype.is_floating_point else int64


@public(inplace=True)
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Node:
    """The sum of the elements up to each one along a dimension.

    Args:
        input: tensor of any shape.
        dim: along which to add.
        dtype: to cast to before; integers and bools are added as int64 otherwise.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([cumsum(as_node(np.array([1, 2, 3])), 0)])
    [array([1, 3, 6])]
    """
    node = optional_cast(as_node(input), dtype, whole_numbers_to_int64)
    x, place = _along("cumsum", node, dim)
    return reshape_to(CUMSUM(x, dim=place, reverse=False), node.shape)


@public(inplace=True)
def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Node:
    """The product of the elements up to each one along a dimension.

    Args:
        input: tensor of any shape.
        dim: along which to multiply.
        dtype: to cast to before; integers and bools are multiplied as int64 otherwise.
    """
    node = optional_cast(as_node(input), dtype, whole_numbers_to_int64)
    x, place = _along("cumprod", node, dim)
    return reshape_to(CUMPROD(x, dim=place, reverse=False), node.shape)


def _last_index_of(x: Node, largest: Node, dim: int) -> Node:
    """Where each running maximum was reached last."""
    lead = (1,) * dim
    count = RESHAPE(iota(x.shape[dim]), shape=(*lead, x.shape[dim], *(1 for _ in x.shape[dim + 1 :])))
    reached = WHERE(_is_new_maximum(x, largest), expand_to(count, x.shape), constant(0, int64))
    return CUMMAX(reached, dim=dim, reverse=False)


@public()
def cummax(input: Any, dim: int) -> ValuesIndices:
    """The largest of the elements up to each one along a dimension, and where it is.

    Of equal elements the last counts. A NaN is larger than every number.

    Args:
        input: tensor of any shape.
        dim: along which to go.

    Returns:
        (values, indices), both of the input's shape; indices are int64.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate(cummax(as_node(np.array([2, 5, 5, 1])), 0))
    [array([2, 5, 5, 5]), array([0, 1, 2, 2])]
    """
    node = as_node(input)
    x, place = _along("cummax", node, dim)
    values = CUMMAX(x, dim=place, reverse=False)
    indices = _last_index_of(x, values, place)
    return ValuesIndices(reshape_to(values, node.shape), reshape_to(indices, node.shape))


def reverse_order(x: Node) -> Node:
    """A node whose elements are ordered the other way round; applying it twice gives the node again."""
    return NEG(x) if x.dtype.is_floating_point else LOGICAL_NOT(x)  # not x is -x - 1, which never overflows


@public()
def cummin(input: Any, dim: int) -> ValuesIndices:
    """The smallest of the elements up to each one along a dimension, and where it is; else as `cummax`."""
    values, indices = cummax(reverse_order(as_node(input)), dim)
    return ValuesIndices(reverse_order(values), indices)


@public()
def logcumsumexp(input: Any, dim: int) -> Node:
    """log(exp(x[0]) + ... + exp(x[i])) for each i along a dimension, without overflow.

    Args:
        input: floating tensor.
        dim: along which to add.
    """
    node = as_node(input)
    check_kind("logcumsumexp", node, "float")
    x, place = _along("logcumsumexp", to_float(node), dim)
    for k in range(_doublings(x.shape[place])):
        x = logaddexp(x, shift(x, place, 1 << k, -math.inf))
    return reshape_to(x, node.shape)


@public()
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Node:
    """x[i + 1] - x[i] along a dimension, n times over; for bools, whether they differ.

    Args:
        input: tensor with at least one dimension.
        n: how many times.
        dim: along which.
        prepend, append: tensors put before and after the input first.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([diff(as_node(np.array([1, 4, 9])))])
    [array([3, 5])]
    """
    x = as_node(input)
    if not x.shape:
        raise ShapeError("diff: a tensor without dimensions has no differences")
    if n < 0:
        raise ArgumentError(f"diff: n must not be negative, got {n}")
    place = normalize_dim("diff", dim, len(x.shape))
    parts = [p for p in (prepend, input, append) if p is not None]
    if len(parts) > 1 and n > 0:
        x = concat([_as_part(p, x, place) for p in promote(*parts)], place)
    for _ in range(n):
        size = x.shape[place]
        if size == 0:
            return x
        upper, lower = slice_dim(x, place, 1, size), slice_dim(x, place, 0, size - 1)
        x = NE(upper, lower) if x.dtype is bool_ else SUB(upper, lower)
    return x


def _as_part(part: Node, x: Node, dim: int) -> Node:
    """A scalar to prepend or append as one slice of the tensor."""
    return part if part.shape else expand_to(part, (*x.shape[:dim], 1, *x.shape[dim + 1 :]))
