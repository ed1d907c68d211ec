"""The matrix product, batched and broadcasting. einsum and the other products are in `linear.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import DTypeError, ShapeError
from onegraph.ir.dtype import DType, promote
from onegraph.ir.node import Node, Shape
from onegraph.ops.cast import cast
from onegraph.ops.movement import PERMUTE, RESHAPE, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.shapes import broadcast_shapes, numel, same_size, show


def _matmul_rule(a: Node, b: Node) -> tuple[Shape, DType]:
    if a.dtype is not b.dtype:
        raise DTypeError(
            f"matmul: dtypes {a.dtype.name} and {b.dtype.name} differ", hint="cast one, e.g. x.to(w.dtype)"
        )
    if a.dtype.kind == "bool":
        raise DTypeError("matmul: does not take bool")
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise ShapeError(f"matmul: {show(a.shape)} @ {show(b.shape)}: both need at least two dimensions")
    if not same_size(a.shape[-1], b.shape[-2]):
        hint = None
        if same_size(a.shape[-1], b.shape[-1]):
            hint = "did you mean the second one transposed, .T or .mT?"
        elif same_size(a.shape[-2], b.shape[-2]):
            hint = "did you mean the first one transposed, .T or .mT?"
        raise ShapeError(
            f"matmul: {show(a.shape)} @ {show(b.shape)}: inner sizes {a.shape[-1]} and {b.shape[-2]} differ", hint=hint
        )
    batch = a.shape[:-2]
    if batch != b.shape[:-2]:
        batch = broadcast_shapes("matmul (batch dimensions)", batch, b.shape[:-2])
    return (*batch, a.shape[-2], b.shape[-1]), a.dtype


def _matmul_reference(a: Array, b: Array) -> Array:
    if a.shape[-1] == 0:
        return np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a.dtype)
    return np.asarray(np.matmul(a, b))


def transpose_last(x: Node) -> Node:
    """The last two dimensions swapped."""
    rank = len(x.shape)
    return PERMUTE(x, dims=(*range(rank - 2), rank - 1, rank - 2))


MATMUL: Op = register(
    Op(
        name="matmul",
        kind=Kind.CONTRACTION,
        doc="The matrix product of the last two dimensions; those before broadcast.",
        rule=_matmul_rule,
        reference=_matmul_reference,
        gradient=(
            lambda n, g: MATMUL(g, transpose_last(n.inputs[1])),
            lambda n, g: MATMUL(transpose_last(n.inputs[0]), g),
        ),
        samples=lambda: [
            Sample(real(2, 3), real(3, 4)),
            Sample(real(2, 1, 2, 3), real(5, 3, 1)),
            Sample(real(2, 0), real(0, 3)),
            Sample(real(17, 19), real(19, 23)),
            Sample(real(0, 3), real(3, 2)),
        ],
        dtypes=("uint", "int", "float"),
    )
)


def flat_product(x: Node, w: Node) -> Node:
    """x @ w for x of two or more dimensions and a matrix w, as one large matrix product."""
    if len(x.shape) == 2:
        return MATMUL(x, w)
    lead = x.shape[:-1]
    return reshape_to(MATMUL(reshape_to(x, (numel(lead), x.shape[-1])), w), (*lead, w.shape[1]))


@public()
def matmul(input: Any, other: Any) -> Node:
    """The matrix product, as NumPy's and PyTorch's `@`.

    Vectors are taken as a row on the left and a column on the right; dimensions before the last two broadcast.
    Dtypes must be equal (float16 and float32 do not mix by accident).
    """
    a, b = as_node(input), as_node(other)
    if not a.shape or not b.shape:
        raise ShapeError(
            f"matmul: {show(a.shape)} @ {show(b.shape)}: a tensor without dimensions has no matrix product",
            hint="use *",
        )
    if a.dtype is not b.dtype and not (a.dtype.is_floating_point and b.dtype.is_floating_point):
        common = promote(a.dtype, b.dtype)
        if not common.is_floating_point:
            a, b = cast(a, common), cast(b, common)
    left_vector, right_vector = len(a.shape) == 1, len(b.shape) == 1
    if left_vector:
        a = RESHAPE(a, shape=(1, *a.shape))
    if right_vector:
        b = RESHAPE(b, shape=(*b.shape, 1))
    fits = same_size(a.shape[-1], b.shape[-2])  # otherwise MATMUL says what is wrong, with the shapes as given
    y = flat_product(a, b) if len(b.shape) == 2 and fits else MATMUL(a, b)
    if left_vector or right_vector:
        shape = list(y.shape)
        if right_vector:
            del shape[-1]
        if left_vector:
            del shape[-1 if right_vector else -2]
        y = RESHAPE(y, shape=tuple(shape))
    return y
