"""The value of a node in another dtype. Read next: `promotion.py` (which dtype operands get)."""

from __future__ import annotations

import numpy as np

from onegraph.ir.dtype import DType, as_dtype, bool_
from onegraph.ir.node import Node
from onegraph.ops.leaf import compute_type
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import Array, Kind, Op, Sample, real, register


def _cast_reference(x: Array, *, dtype: DType) -> Array:
    if dtype.kind in ("int", "uint") and x.dtype.kind == "f":
        return x.astype(np.int64).astype(dtype.numpy)  # wraps, as C does from a wide integer
    return x.astype(compute_type(dtype))


CAST: Op = register(
    Op(
        name="cast",
        kind=Kind.ELEMENTWISE,
        doc="the value in another dtype",
        rule=lambda x, *, dtype: (x.shape, dtype),
        reference=_cast_reference,
        gradient=(lambda n, g: CAST(g, dtype=n.inputs[0].dtype) if n.inputs[0].dtype.is_floating_point else None,),
        samples=lambda: [
            Sample(real(2, 3, low=-5, high=5), dtype=as_dtype(d))
            for d in ("float64", "float32", "bfloat16", "float16", "int64", "int32", "bool")
        ],
        lowering=Pointwise(lambda k, x, *, dtype: k.cast(x, dtype), exact=True),
    )
)


def cast(x: Node, dtype: DType) -> Node:
    """The node in another dtype; itself when it has that dtype already."""
    if x.dtype is dtype:
        return x
    return CAST(x, dtype=dtype)


def to_bool(x: Node) -> Node:
    """Whether each element is not zero."""
    return x if x.dtype is bool_ else CAST(x, dtype=bool_)
