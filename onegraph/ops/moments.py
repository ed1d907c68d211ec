"""Mean and sum of squared deviations in one op. Programs do not write it: `passes/moments.py` puts it where both are taken.

A backend can compute both while it reads the values once: block by block, mean and sum of squared deviations of a
block that is in the cache (two passes, so nothing cancels), and blocks are combined by

    d = mean_b - mean_a,  mean = mean_a + d * n_b / n,  M2 = M2_a + M2_b + d**2 * n_a * n_b / n.

Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import DTypeError, ShapeError
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, DIV, MUL, SUB, mul
from onegraph.ops.leaf import constant
from onegraph.ops.movement import RESHAPE, slice_dim
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.reduction import reduced_shape
from onegraph.ops.shapes import numel, show


def _rule(x: Node, *, dims: tuple[int, ...]) -> tuple[Shape, DType]:
    if not x.dtype.is_floating_point:
        raise DTypeError(f"moments: needs a floating dtype, got {x.dtype.name} {show(x.shape)}")
    if any(not 0 <= d < len(x.shape) for d in dims) or len(set(dims)) != len(dims):
        raise ShapeError(f"moments: dimensions {dims} do not exist, or not once each, in {show(x.shape)}")
    return (2, *reduced_shape(x.shape, dims, False)), x.dtype


def _reference(x: Array, *, dims: tuple[int, ...]) -> Array:
    count = x.dtype.type(np.prod([x.shape[d] for d in dims], dtype=np.int64))
    mean = np.sum(x, axis=dims, keepdims=True, dtype=x.dtype) / count
    centered = x - mean
    squares = np.sum(centered * centered, axis=dims, dtype=x.dtype)
    return np.stack([mean.reshape(squares.shape), squares])


def _gradient(n: Node, g: Node) -> Node:
    """Of the mean, 1 / count; of the sum of squared deviations, twice the deviation (those from the mean cancel)."""
    x, dims = n.inputs[0], n.attributes["dims"]
    shape = reduced_shape(x.shape, dims, True)
    mean, of_mean, of_squares = (RESHAPE(slice_dim(y, 0, i, i + 1), shape=shape) for y, i in ((n, 0), (g, 0), (g, 1)))
    count: Any = constant(numel([x.shape[d] for d in dims]), x.dtype)
    return ADD(MUL(mul(SUB(x, mean), 2), of_squares), DIV(of_mean, count))


MOMENTS: Op = register(
    Op(
        name="moments",
        kind=Kind.REDUCTION,
        doc="The mean (row 0) and the sum of squared deviations from it (row 1) over dimensions, which are dropped.",
        rule=_rule,
        reference=_reference,
        gradient=(_gradient,),
        samples=lambda: [
            Sample(real(3, 2, 4, 5), dims=(0, 2, 3)),
            Sample(real(5, 3), dims=(0,)),
            Sample(real(2, 3, 4), dims=(0, 1)),
            Sample(real(7) + np.float32(1000), dims=(0,), differentiable=False),
            Sample(real(3, 0), dims=(0,)),
        ],
        dtypes=("float",),
    )
)
