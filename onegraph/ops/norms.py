"""`linalg`'s norms of vectors and matrices, and `vecdot`; of singular values, through `decomposition.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.binary import MUL
from onegraph.ops.cast import cast
from onegraph.ops.decomposition import singular_norm
from onegraph.ops.elementwise import ABS
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node, optional_cast, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, MIN, SUM
from onegraph.ops.shapes import normalize_dim, show
from onegraph.ops.statistics import floating, widened
from onegraph.ops.statistics import vector_norm as norm_over


@public("vector_norm", namespace="linalg")
def vector_norm(
    x: Any, ord: float = 2, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Node:
    """(sum |x| ** ord) ** (1 / ord) over dimensions, or over all elements.

    Args:
        x: floating tensor.
        ord: any number; inf and -inf for the largest and smallest |x|, 0 for how many are not zero.
        dim: one dimension or several; None for all.
        keepdim: keep the dimensions, with size 1.
        dtype: floating type to cast to before.
    """
    node = floating("vector_norm", optional_cast(as_node(x), dtype))
    return norm_over(node, float(ord), dim, keepdim)


@public("matrix_norm", namespace="linalg")
def matrix_norm(
    A: Any, ord: Any = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Node:
    """A norm of the matrices in two dimensions.

    Args:
        A: floating tensor of at least two dimensions.
        ord: 'fro' (the root of the sum of squares), 1 or -1 (largest or smallest sum of |x| of a column), inf or
            -inf (of a row); 'nuc', 2 or -2 (sum, largest or smallest of the singular values).
        dim: the dimension of rows and the one of columns.
        keepdim: keep the dimensions, with size 1.
        dtype: floating type to cast to before.
    """
    x = floating("matrix_norm", optional_cast(as_node(A), dtype))
    if len(x.shape) < 2 or len(dim) != 2:
        raise ShapeError(f"matrix_norm: {show(x.shape)} with dim {dim}: needs at least two dimensions, and two of them")
    row, column = (normalize_dim("matrix_norm", d, len(x.shape)) for d in dim)
    if row == column:
        raise ShapeError(f"matrix_norm: dim {tuple(dim)} must be two different dimensions")
    if ord == "fro":
        return norm_over(x, 2.0, (row, column), keepdim)
    if ord in ("nuc", 2, -2):
        return singular_norm(x, ord, (row, column), keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    added, chosen = (row, column) if abs(ord) == 1 else (column, row)
    sums = SUM(ABS(widened(x)), dims=(added,), keepdim=True)
    extreme = (MAX if ord > 0 else MIN)(sums, dims=(chosen,), keepdim=True)
    shape = tuple(s for i, s in enumerate(extreme.shape) if keepdim or i not in (row, column))
    return cast(reshape_to(extreme, shape), x.dtype)


@public("norm", namespace="linalg")
def linalg_norm(
    A: Any, ord: Any = None, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Node:
    """`vector_norm`, or `matrix_norm` when `ord` is given for two dimensions.

    Args:
        A: floating tensor.
        ord: None for the root of the sum of squares; otherwise as for the two functions.
        dim: an int for vectors, two for matrices; None for all (a tensor of one or two dimensions if `ord` is given).
        keepdim: keep the dimensions, with size 1.
        dtype: floating type to cast to before.
    """
    x = as_node(A)
    if dim is not None:
        dims = (dim,) if isinstance(dim, int) else tuple(dim)
    else:
        dims = tuple(range(len(x.shape)))
        if ord is not None and len(dims) not in (1, 2):
            raise ShapeError(f"norm: {show(x.shape)} must have one or two dimensions when ord is given without dim")
    if ord is not None and (isinstance(ord, str) or len(dims) == 2):
        return matrix_norm(x, ord, dims, keepdim, dtype=dtype)
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@public("vecdot", namespace="linalg")
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Node:
    """The sum of products along a dimension; the others broadcast."""
    a, b = promote(as_node(x), as_node(y))
    terms = MUL(a, b)
    return SUM(terms, dims=(normalize_dim("vecdot", dim, len(terms.shape)),), keepdim=False)
