"""The exponential of a matrix, and products of Householder reflections: what maps matrices to orthogonal ones.

Read next: `linear_algebra.py`.
"""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ShapeError
from onegraph.ir.dtype import float32, float64, int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, EQ, LT, MAXIMUM, MUL, SUB, clamp
from onegraph.ops.cast import cast
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.control_functions import cond, scan
from onegraph.ops.decomposition import check_matrix
from onegraph.ops.elementwise import ABS, EXP, LOG, ceil, detach
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PERMUTE, expand_to, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.shapes import same_shape, show

_SMALL = 0.5
_TERMS = {float32: 9, float64: 15}  # of the series, for a norm of at most _SMALL
_MOST_SQUARINGS = 32


def identity_like(x: Node) -> Node:
    """The identity matrix, expanded to the shape of square matrices x."""
    n = x.shape[-1]
    ones = cast(EQ(reshape_to(iota(n), (n, 1)), reshape_to(iota(n), (1, n))), x.dtype)
    return expand_to(ones, x.shape)


@public("matrix_exp", method=True)
@public("matrix_exp", namespace="linalg")
def matrix_exp(A: Any) -> Node:
    """The exponential of square matrices, sum A^k / k!.

    Source: Moler and Van Loan, "Nineteen dubious ways to compute the exponential of a matrix", 2003, method 3: scaling by
    a power of two, the series, and squaring as often.

    Args:
        A: (..., n, n), floating.

    >>> from onegraph.ops.movement import full
    >>> matrix_exp(full((2, 3, 3), 0.0)).shape
    (2, 3, 3)
    """
    x = as_node(A)
    check_matrix("matrix_exp", x)
    if x.size == 0:
        return x
    wide = x if x.dtype is float64 else cast(x, float32)
    rows = SUM(ABS(detach(wide)), dims=(len(x.shape) - 1,), keepdim=False)
    norm = MAX(rows, dims=tuple(range(len(rows.shape))), keepdim=False)
    bits = ceil(MUL(LOG(MAXIMUM(norm, constant(_SMALL, wide.dtype))), constant(1 / math.log(2), wide.dtype)))
    count = clamp(cast(bits, int64), 0, _MOST_SQUARINGS - 1)
    count = ADD(count, constant(1, int64))  # 2 ** bits is at least the norm, once more makes it _SMALL
    scale = EXP(MUL(cast(count, wide.dtype), constant(-math.log(2), wide.dtype)))
    scaled, one = MUL(wide, scale), identity_like(wide)
    terms = _TERMS[wide.dtype]
    total = one
    for k in range(terms, 0, -1):  # Horner's scheme
        total = ADD(one, MUL(MATMUL(scaled, total), constant(1 / k, wide.dtype)))

    def square(value: Node, step: Any) -> tuple[Node, None]:
        return cond(LT(step, count), lambda v: MATMUL(v, v), lambda v: v, value), None

    result, _ = scan(square, total, iota(_MOST_SQUARINGS + 1))
    return cast(result, x.dtype)


@public("householder_product", namespace="linalg")
def householder_product(A: Any, tau: Any) -> Node:
    """The first columns of the product of the reflections I - tau_i v_i v_i^T.

    Args:
        A: (..., m, n), m >= n: vectors v_i in its columns, below a diagonal that counts as 1.
        tau: (..., k), k <= n.

    Returns:
        (..., m, n).

    >>> from onegraph.ops.movement import full
    >>> householder_product(full((4, 2), 0.5), full((2,), 1.0)).shape
    (4, 2)
    """
    x, factors = as_node(A), as_node(tau)
    check_matrix("householder_product", x, square=False)
    m, n = x.shape[-2:]
    count = factors.shape[-1] if factors.shape else 0
    shapes = f"householder_product: {show(x.shape)} and {show(factors.shape)}"
    if n > m or count > n or not same_shape(factors.shape[:-1], x.shape[:-2]):
        raise ShapeError(f"{shapes}: needed are (..., m, n) and (..., k) with m >= n >= k")
    row, column = reshape_to(iota(m), (m, 1)), reshape_to(iota(n), (1, n))
    below = cast(LT(column, row), x.dtype)
    start = expand_to(cast(EQ(row, column), x.dtype), x.shape)
    vectors = ADD(MUL(x, below), start)
    rank = len(x.shape)
    by_column = PERMUTE(vectors, dims=(rank - 1, *range(rank - 1)))  # (n, ..., m)
    by_factor = PERMUTE(factors, dims=(rank - 2, *range(rank - 2)))

    def reflect(product: Node, pair: Any) -> tuple[Node, None]:
        vector, factor = pair
        v = reshape_to(vector, (*vector.shape, 1))
        moved = MUL(MATMUL(transpose_last(v), product), reshape_to(factor, (*factor.shape, 1, 1)))
        return SUB(product, MATMUL(v, moved)), None

    used = slice_dim(by_column, 0, 0, count)
    product: Node = scan(reflect, start, (used, by_factor), reverse=True)[0]
    return product
