"""Gradients of zeros, for operands on which the values of a result do not depend smoothly, or not at all.

PyTorch gives such operands (the place in nearest sampling, the sign in `copysign`, the matrix whose power 0 is taken) a
gradient of zeros; an operand that the graph does not contain would have none. Read next: `custom.py` (other ways in
which gradients flow).
"""

from __future__ import annotations

from onegraph.ir.dtype import bool_
from onegraph.ir.node import Node
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.reduction import SUM


def connected(result: Node, *operands: Node) -> Node:
    """The result, bit by bit; the floating operands get a gradient of zeros from it.

    >>> from onegraph.ir.dtype import float32
    >>> connected(constant(3.0, float32), constant(2.0, float32)).op
    'where'
    """
    for x in operands:
        if x.dtype.is_floating_point and result.dtype.is_floating_point:
            mark = SUM(x, dims=tuple(range(len(x.shape))), keepdim=False) if x.shape else x
            result = WHERE(constant(False, bool_), cast(mark, result.dtype), result)
    return result
