"""More of `linalg`, on the functions of `linear_algebra.py`: least squares, condition numbers, tensors as matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.binary import DIV, MUL, SUB, pow
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.creation import arange
from onegraph.ops.decomposition import SOLVE, check_matrix, inverse
from onegraph.ops.linear_algebra import OrthogonalTriangular, matrix_rank, qr, solve_triangular, svdvals
from onegraph.ops.movement import PERMUTE, expand_to, full, reshape_to, slice_dim
from onegraph.ops.norms import matrix_norm
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import normalize_dim, show
from onegraph.ops.triangular import tril, triu


class LeastSquares(NamedTuple):
    """What `lstsq` gives; parts that were not computed are empty."""

    solution: Node
    residuals: Node
    rank: Node
    singular_values: Node


class TriangularSolution(NamedTuple):
    """The solution of `triangular_solve`, and its matrix."""

    solution: Node
    cloned_coefficient: Node


@public("cond", namespace="linalg")
def cond(A: Any, p: Any = None) -> Node:
    """The condition number of matrices: the norm times the norm of the inverse.

    Args:
        A: (..., m, n); square unless p is None, 2 or -2.
        p: None or 2: the largest over the smallest singular value; -2 the other way round; or a matrix norm, "fro",
            "nuc", inf, -inf, 1 or -1.

    Raises:
        ShapeError: the matrices are not square, where they must be.

    >>> cond(full((2, 3, 3), 1.0)).shape
    (2,)
    """
    x = as_node(A)
    plain = p in (None, 2, -2)
    check_matrix("linalg.cond", x, square=not plain)
    if not plain:
        return MUL(matrix_norm(x, p), matrix_norm(inverse(x), p))
    s = svdvals(x)
    dim, last = len(s.shape) - 1, s.shape[-1]
    if last == 0:
        return full(x.shape[:-2], 0.0, x.dtype)
    ends = [reshape_to(slice_dim(s, dim, i, i + 1), s.shape[:-1]) for i in (0, last - 1)]
    return DIV(*(ends[::-1] if p == -2 else ends))


def _sizes(op: str, sizes: Sequence[Any]) -> int:
    if any(isinstance(s, Dim) for s in sizes):
        raise ShapeError(f"{op}: the sizes {show(tuple(sizes))} must be known")
    return math.prod(int(s) for s in sizes)


@public("tensorinv", namespace="linalg")
def tensorinv(A: Any, ind: int = 2) -> Node:
    """The inverse of a tensor taken as a matrix, whose rows are its first `ind` dimensions and whose columns the others.

    Args:
        A: the product of the first `ind` sizes must be that of the others.
        ind: at least 1.

    Returns:
        The sizes of the columns, then those of the rows.

    >>> tensorinv(full((2, 3, 6), 1.0)).shape
    (6, 2, 3)
    """
    x = as_node(A)
    if not isinstance(ind, int) or ind <= 0:
        raise ArgumentError(f"tensorinv: ind must be a positive int, got {ind!r}")
    rows, columns = x.shape[:ind], x.shape[ind:]
    n, m = _sizes("tensorinv", rows), _sizes("tensorinv", columns)
    if n != m:
        raise ShapeError(f"tensorinv: {show(x.shape)}: the first {ind} sizes make {n} rows, the others {m} columns")
    matrix = reshape_to(x, (n, n))
    check_matrix("tensorinv", matrix)
    return reshape_to(inverse(matrix), (*columns, *rows))


@public("tensorsolve", namespace="linalg")
def tensorsolve(A: Any, B: Any, dims: Sequence[int] | None = None) -> Node:
    """X with tensordot(A, X, X.ndim) = B.

    Args:
        A: its first sizes are those of B, their product that of the others.
        B: right-hand side.
        dims: dimensions of A that are moved to its end first.

    Returns:
        The last sizes of A.

    >>> tensorsolve(full((2, 3, 6), 1.0), full((2, 3), 1.0)).shape
    (6,)
    """
    a, b = promote(A, B)
    if dims is not None:
        moved = [normalize_dim("tensorsolve", d, len(a.shape)) for d in dims]
        a = PERMUTE(a, dims=(*[d for d in range(len(a.shape)) if d not in moved], *moved))
    shape = a.shape[len(b.shape) :]
    n, m = _sizes("tensorsolve", b.shape), _sizes("tensorsolve", shape)
    if n != m or _sizes("tensorsolve", a.shape) != n * m:
        raise ShapeError(f"tensorsolve: {show(a.shape)} and {show(b.shape)}: the sizes of A must make a square matrix")
    matrix = reshape_to(a, (n, n))
    check_matrix("tensorsolve", matrix)
    return reshape_to(SOLVE(matrix, reshape_to(b, (n, 1))), shape)


@public("vander", namespace="linalg")
def vander(x: Any, N: int | None = None) -> Node:
    """The powers 0 to N - 1 of the elements of vectors, one row for each element.

    Args:
        x: (..., n).
        N: more than 1; n by default.

    >>> vander(full((2, 3), 2.0)).shape
    (2, 3, 3)
    """
    node = as_node(x)
    count = (node.shape[-1] if node.shape else 1) if N is None else N
    if isinstance(count, Dim) or count <= 1:
        raise ArgumentError(f"linalg.vander: N must be more than 1, got {count}")
    return pow(reshape_to(node, (*node.shape, 1)), arange(count))


@public("lstsq", namespace="linalg")
def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """X with the least |A X - B|, and where several have it the smallest; for matrices of full rank.

    Args:
        A: (..., m, n), floating.
        B: (..., m, k), or (..., m) where A has batches of that shape.
        rcond: of the drivers that find the rank: singular values below rcond times the largest count as 0.
        driver: "gelsy" (None), "gelsd", "gelss" or "gels"; all compute by QR, and say what PyTorch's would say.

    Returns:
        solution (..., n, k); residuals (..., k), the sums of squares, with "gels", "gelsd" and "gelss" where m > n;
        rank, but for "gels"; singular_values with "gelsd" and "gelss".

    >>> lstsq(full((5, 3), 1.0), full((5, 2), 1.0)).solution.shape
    (3, 2)
    """
    a, b = promote(A, B)
    check_matrix("linalg.lstsq", a, square=False)
    drivers = (None, "gelsy", "gelsd", "gelss", "gels")
    if driver not in drivers:
        raise ArgumentError(f"linalg.lstsq: driver must be one of {drivers[1:]}, got {driver!r}")
    vectors = len(b.shape) == len(a.shape) - 1
    if vectors:
        b = reshape_to(b, (*b.shape, 1))
    if len(b.shape) < 2 or b.shape[-2] != a.shape[-2]:
        raise ShapeError(f"linalg.lstsq: {show(a.shape)} and {show(b.shape)}: both need as many rows")
    m, n = a.shape[-2:]
    if m >= n:
        q, r = qr(a)
        x = SOLVE(r, MATMUL(transpose_last(q), b))
    else:
        q, r = qr(transpose_last(a))
        x = MATMUL(q, SOLVE(transpose_last(r), b))
    none = full((0,), 0.0, a.dtype)
    residuals = none
    if m > n and driver in ("gels", "gelsd", "gelss"):
        rest = SUB(MATMUL(a, x), b)
        residuals = SUM(MUL(rest, rest), dims=(len(rest.shape) - 2,), keepdim=False)
    rank = full((0,), 0, int64) if driver == "gels" else matrix_rank(a, rtol=rcond)
    values = svdvals(a) if driver in ("gelsd", "gelss") else none
    return LeastSquares(reshape_to(x, x.shape[:-1]) if vectors else x, residuals, rank, values)


@public("cholesky_inverse")
def cholesky_inverse(L: Any, upper: bool = False) -> Node:
    """The inverse of A, given its Cholesky factor: L L^T = A, or L^T L = A with `upper`.

    >>> cholesky_inverse(full((3, 3), 1.0)).shape
    (3, 3)
    """
    x = as_node(L)
    check_matrix("cholesky_inverse", x)
    lower = transpose_last(triu(x)) if upper else tril(x)
    half = inverse(lower)
    return MATMUL(transpose_last(half), half)


@public("triangular_solve")
def triangular_solve(
    b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """X with A X = b (or A^T X = b) for triangular A; the older name of `linalg.solve_triangular`.

    Returns:
        (solution, A)
    """
    matrix = as_node(A)
    check_matrix("triangular_solve", matrix)
    seen = transpose_last(matrix) if transpose else matrix
    x = solve_triangular(seen, b, upper=upper != transpose, unitriangular=unitriangular)
    return TriangularSolution(x, expand_to(matrix, (*x.shape[:-2], *matrix.shape[-2:])))


@public("qr")
def qr_of(input: Any, some: bool = True) -> OrthogonalTriangular:
    """The older name of `linalg.qr`; only `some=True`, the reduced factors."""
    return qr(input, "reduced" if some else "complete")
