"""Reductions over any dimensions: sum, prod, max, min, argmax, argmin. What is built from them is in `statistics.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import DimensionError, DTypeError, ShapeError
from onegraph.ir.dtype import DType, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import DIV, EQ, mul
from onegraph.ops.cast import CAST
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import EXPAND, PERMUTE, RESHAPE, concat, inverse_order, slice_dim
from onegraph.ops.record import OPS, Array, InputGradient, Kind, Op, Sample, real, register
from onegraph.ops.shapes import normalize_dims, show


def reduced_shape(shape: Shape, dims: Sequence[int], keepdim: bool) -> Shape:
    """A shape without those dimensions, or with 1 in their place."""
    if keepdim:
        return tuple([1 if i in dims else s for i, s in enumerate(shape)])
    return tuple([s for i, s in enumerate(shape) if i not in dims])


def _rule(name: str, needs_elements: bool, kinds: tuple[str, ...]) -> Callable[..., tuple[Shape, DType]]:
    def rule(x: Node, *, dims: tuple[int, ...], keepdim: bool) -> tuple[Shape, DType]:
        if x.dtype.kind not in kinds:
            raise DTypeError(f"{name}: does not take dtype {x.dtype.name}, only {' or '.join(kinds)}")
        rank = len(x.shape)
        for d in dims:
            if not 0 <= d < rank:
                raise ShapeError(f"{name}: dimensions {dims} do not exist in {show(x.shape)}")
        if needs_elements and any(x.shape[d] == 0 for d in dims):
            raise DimensionError(
                f"{name}: {show(x.shape)} has no elements along dimensions {dims}, so there is no result"
            )
        return reduced_shape(x.shape, dims, keepdim), x.dtype

    return rule


def spread(n: Node, g: Node) -> Node:
    """A gradient (or the result) of a reduction, with its reduced dimensions back as 1."""
    shape = reduced_shape(n.inputs[0].shape, n.attributes["dims"], True)
    return g if g.shape == shape else RESHAPE(g, shape=shape)


def _to_all(n: Node, g: Node) -> Node:
    return EXPAND(spread(n, g), shape=n.inputs[0].shape)


def _evenly_among_extremes(n: Node, g: Node) -> Node:
    """The gradient of max and min: split evenly among the elements that are equal to the result."""
    x, dims = n.inputs[0], n.attributes["dims"]
    chosen = EQ(x, EXPAND(spread(n, n), shape=x.shape))
    mask = CAST(chosen, dtype=g.dtype)
    share = DIV(spread(n, g), SUM(mask, dims=dims, keepdim=True))
    return WHERE(chosen, EXPAND(share, shape=x.shape), constant(0, g.dtype))


def _prod_gradient(n: Node, g: Node) -> Node:
    """The product of all the other elements, from running products of both sides, so that zeros are no exception."""
    x, dims = n.inputs[0], n.attributes["dims"]
    order = [d for d in range(len(x.shape)) if d not in dims] + list(dims)
    moved = PERMUTE(x, dims=tuple(order))
    lead = moved.shape[: len(order) - len(dims)]
    flat = RESHAPE(moved, shape=(*lead, _count(x.shape, dims)))
    last = len(lead)
    one = EXPAND(constant(1, x.dtype), shape=(*lead, 1))
    size = flat.shape[last]
    if size == 0:
        return x
    before = OPS["cumprod"](concat([one, slice_dim(flat, last, 0, size - 1)], last), dim=last, reverse=False)
    after = OPS["cumprod"](concat([slice_dim(flat, last, 1, size), one], last), dim=last, reverse=True)
    others = PERMUTE(RESHAPE(mul(before, after), shape=moved.shape), dims=inverse_order(order))
    return mul(others, spread(n, g))


def _count(shape: Shape, dims: Sequence[int]) -> Any:
    count: Any = 1
    for d in dims:
        count = count * shape[d]
    return count


def _samples() -> list[Sample]:
    return [
        Sample(real(2, 3, 4), dims=(1,), keepdim=False),
        Sample(real(2, 3, 4), dims=(0, 2), keepdim=True),
        Sample(real(2, 3), dims=(0, 1), keepdim=False),
        Sample(real(5), dims=(0,), keepdim=True),
        Sample(real(), dims=(), keepdim=False),
    ]


def _empty_samples() -> list[Sample]:
    return [*_samples(), Sample(real(0, 3), dims=(0,), keepdim=False)]


def _reduction(
    name: str,
    doc: str,
    reference: Callable[..., Array],
    gradient: InputGradient,
    *,
    needs_elements: bool = False,
    kinds: tuple[str, ...] = ("bool", "uint", "int", "float"),
) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.REDUCTION,
            doc=doc,
            rule=_rule(name, needs_elements, kinds),
            reference=lambda x, *, dims, keepdim: reference(x, axis=dims, keepdims=keepdim),
            gradient=(gradient,),
            samples=_samples if needs_elements else _empty_samples,
            dtypes=kinds,
        )
    )


def _sum_reference(x: Array, *, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype))


def _prod_reference(x: Array, *, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype))


_NUMBERS = ("uint", "int", "float")
SUM: Op = _reduction("sum", "the sum", _sum_reference, _to_all, kinds=_NUMBERS)
PROD: Op = _reduction("prod", "the product", _prod_reference, _prod_gradient, kinds=_NUMBERS)
MAX: Op = _reduction("max", "the largest element; NaN if any is", np.max, _evenly_among_extremes, needs_elements=True)
MIN: Op = _reduction("min", "the smallest element; NaN if any is", np.min, _evenly_among_extremes, needs_elements=True)


def _arg_rule(name: str) -> Callable[..., tuple[Shape, DType]]:
    inner = _rule(name, True, ("bool", "uint", "int", "float"))

    def rule(x: Node, *, dim: int, keepdim: bool) -> tuple[Shape, DType]:
        return inner(x, dims=(dim,), keepdim=keepdim)[0], int64

    return rule


def _arg(name: str, doc: str, reference: Callable[..., Array]) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.REDUCTION,
            doc=doc,
            rule=_arg_rule(name),
            reference=lambda x, *, dim, keepdim: np.asarray(reference(x, axis=dim, keepdims=keepdim)),
            gradient=None,
            samples=lambda: [
                Sample(real(2, 3, 4), dim=1, keepdim=False),
                Sample(real(3, 2), dim=0, keepdim=True),
                Sample(np.array([1.0, np.nan, 3.0, np.nan], np.float32), dim=0, keepdim=False),
                Sample(np.array([2.0, 1.0, 2.0, 1.0], np.float32), dim=0, keepdim=False),
            ],
        )
    )


ARGMAX: Op = _arg("argmax", "where the largest element is (the first of them; a NaN counts as largest)", np.argmax)
ARGMIN: Op = _arg("argmin", "where the smallest element is (the first of them; a NaN counts as smallest)", np.argmin)


def sum_(x: Node, dims: Any = None, keepdim: bool = False) -> Node:
    """The sum over dimensions (None: all), in the node's own dtype."""
    return SUM(x, dims=normalize_dims("sum", dims, len(x.shape)), keepdim=keepdim)


def sum_to_shape(x: Node, shape: Shape) -> Node:
    """The inverse of broadcasting: sum a node down to a shape that broadcasts to its own."""
    if x.shape == shape:
        return x
    lead = len(x.shape) - len(shape)
    dims = [*range(lead), *(lead + i for i, s in enumerate(shape) if s == 1 and x.shape[lead + i] != 1)]
    if not dims:
        return x if x.shape == shape else RESHAPE(x, shape=shape)  # equal but for the names of unknown sizes
    y = SUM(x, dims=tuple(dims), keepdim=False)
    return y if y.shape == shape else RESHAPE(y, shape=shape)
