"""`linalg` under PyTorch's names: systems, inverses, determinants, factors, singular values; on the primitives of `decomposition.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import float32, float64, int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, GT, MAXIMUM, MUL
from onegraph.ops.cast import cast
from onegraph.ops.connection import connected
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.creation import eye
from onegraph.ops.decomposition import (
    CHOLESKY,
    DET,
    DET_SIGN,
    EIGH,
    LOGABSDET,
    QR,
    SOLVE,
    SVD,
    check_matrix,
    diagonal_is_zero,
    inverse,
    unpack_eigh,
    unpack_qr,
    unpack_svd,
)
from onegraph.ops.elementwise import ABS, DETACH, LOG, WHERE
from onegraph.ops.joining import cat
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to, reshape_to, slice_dim
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.triangular import tril, triu


class SignLogarithm(NamedTuple):
    """The sign of a determinant, and the logarithm of its size."""

    sign: Node
    logabsdet: Node


class EigenvaluesVectors(NamedTuple):
    """Eigenvalues, ascending, and in columns their eigenvectors."""

    eigenvalues: Node
    eigenvectors: Node


class OrthogonalTriangular(NamedTuple):
    """Q with orthonormal columns, and R upper triangular."""

    Q: Node
    R: Node


class SingularFactors(NamedTuple):
    """U, the singular values S in descending order, and V transposed."""

    U: Node
    S: Node
    Vh: Node


def _matrix(op: str, A: Any, square: bool = True) -> Node:
    x = as_node(A)
    check_matrix(op, x, square)
    return x


def _vectors(a: Node, b: Node) -> bool:
    """Whether the right-hand side holds vectors, as PyTorch decides."""
    return len(b.shape) == 1 or (len(a.shape) - 1 == len(b.shape) and tuple(a.shape[:-1]) == tuple(b.shape))


@public("solve", namespace="linalg")
def solve(A: Any, B: Any, *, left: bool = True) -> Node:
    """X with A X = B, or with X A = B when `left` is false.

    Args:
        A: square matrices (..., n, n).
        B: (..., n, k), or vectors (..., n); batch dimensions broadcast.
        left: on which side of X the matrix is.

    Raises:
        ArgumentError: a matrix is singular (when computed).

    >>> solve(constant([[2.0, 0.0], [0.0, 4.0]], float32), constant([1.0, 1.0], float32)).shape
    (2,)
    """
    a, b = promote(A, B)
    check_matrix("linalg.solve", a)
    if _vectors(a, b):
        return reshape_to(found := SOLVE(a, reshape_to(b, (*b.shape, 1))), found.shape[:-1])
    return SOLVE(a, b) if left else transpose_last(SOLVE(transpose_last(a), transpose_last(b)))


@public("solve_triangular", namespace="linalg")
def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Node:
    """As `solve`, looking only at the upper or the lower triangle of A; with `unitriangular` its diagonal counts as ones."""
    a, b = promote(A, B)
    check_matrix("linalg.solve_triangular", a)
    if unitriangular:
        a = ADD(triu(a, 1) if upper else tril(a, -1), _identity(a))
    else:
        a = triu(a) if upper else tril(a)
    return SOLVE(a, b) if left else transpose_last(SOLVE(transpose_last(a), transpose_last(b)))


@public("inverse")
def inv(A: Any) -> Node:
    """The inverse of square matrices; `solve(A, B)` is faster and more accurate than `inv(A) @ B`.

    Args:
        A: (..., n, n).

    Raises:
        ArgumentError: a matrix is singular (when computed).
    """
    return inverse(_matrix("inv", A))


@public("det")
def det(input: Any) -> Node:
    """The determinant of square matrices; its gradient exists where it is not 0."""
    return DET(_matrix("det", input))


@public("slogdet")
def slogdet(A: Any) -> SignLogarithm:
    """The sign of the determinant, and the logarithm of its size: no overflow for large matrices."""
    x = _matrix("slogdet", A)
    return SignLogarithm(DET_SIGN(x), LOGABSDET(x))


@public("logdet")
def logdet(A: Any) -> Node:
    """The logarithm of the determinant; nan where it is negative."""
    x = _matrix("logdet", A)
    sign = DET_SIGN(x)
    return WHERE(GT(constant(0, x.dtype), sign), LOG(sign), LOGABSDET(x))


@public("cholesky", namespace="linalg")
def cholesky(A: Any, *, upper: bool = False) -> Node:
    """The lower triangular L with A = L L^T (upper: its transpose), for symmetric positive definite matrices.

    Raises:
        ArgumentError: a matrix is not positive definite (when computed).
    """
    factor = CHOLESKY(_matrix("cholesky", A))
    return transpose_last(factor) if upper else factor


@public("cholesky")
def cholesky_of(input: Any, upper: bool = False) -> Node:
    """As `linalg.cholesky`."""
    return cholesky(input, upper=upper)


@public("cholesky_solve")
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Node:
    """X with A X = B, given the Cholesky factor L of A."""
    b, factor = promote(B, L)
    lower = transpose_last(triu(factor)) if upper else tril(factor)
    return SOLVE(transpose_last(lower), SOLVE(lower, b))


@public("qr", namespace="linalg")
def qr(A: Any, mode: str = "reduced") -> OrthogonalTriangular:
    """Q R = A, Q having orthonormal columns and R being upper triangular.

    Args:
        A: (..., m, n).
        mode: "reduced": Q is (m, k) and R (k, n), k being the smaller of m and n; "complete": Q is (m, m) and R (m, n);
            "r": Q is empty. No gradient flows through the columns that "complete" adds to Q.

    Raises:
        ArgumentError: for another mode.
    """
    x = _matrix("qr", A, square=False)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: there is no mode {mode!r}", hint="the modes are 'reduced', 'complete' and 'r'")
    rows, columns = x.shape[-2:]
    if rows >= columns:
        q, r = unpack_qr(QR(x))
    else:  # Q comes from the first columns alone, and the others follow
        q, _ = unpack_qr(QR(slice_dim(x, len(x.shape) - 1, 0, rows)))
        r = triu(MATMUL(transpose_last(q), x))
    if mode == "complete" and rows > columns:
        zeros = expand_to(constant(0, x.dtype), (*x.shape[:-2], rows - columns, columns))
        q, r = _completed(q), cat([r, zeros], -2)
    if mode == "r":
        q = expand_to(constant(0, x.dtype), (0,))
    return OrthogonalTriangular(q, r)


def _completed(q: Node) -> Node:
    """Orthonormal columns, with as many more as make the matrix square."""
    rows, columns = q.shape[-2:]
    if rows == columns:
        return q
    axes = slice_dim(eye(rows, dtype=q.dtype), 1, 0, rows - columns)
    whole = cat([DETACH(q), expand_to(axes, (*q.shape[:-2], rows, rows - columns))], -1)
    return cat([q, slice_dim(unpack_qr(QR(whole))[0], len(q.shape) - 1, columns, rows)], -1)


@public("eigh", namespace="linalg")
def eigh(A: Any, UPLO: str = "L") -> EigenvaluesVectors:
    """Eigenvalues (ascending) and eigenvectors (columns) of symmetric matrices.

    Args:
        A: (..., n, n); only the triangle that UPLO names is looked at.
        UPLO: "L" or "U".

    The gradient is symmetric: that of the whole matrix, not of one triangle.
    """
    values, vectors = unpack_eigh(_eigh("eigh", A, UPLO))
    return EigenvaluesVectors(values, vectors)


@public("eigvalsh", namespace="linalg")
def eigvalsh(A: Any, UPLO: str = "L") -> Node:
    """Eigenvalues of symmetric matrices, ascending."""
    return unpack_eigh(_eigh("eigvalsh", A, UPLO))[0]


def _eigh(op: str, A: Any, triangle: str) -> Node:
    x = _matrix(op, A)
    if not isinstance(triangle, str) or triangle.upper() not in ("L", "U"):
        raise ArgumentError(f"{op}: UPLO must be 'L' or 'U', got {triangle!r}")
    return EIGH(x, triangle=triangle.upper())


@public("svd", namespace="linalg")
def svd(A: Any, full_matrices: bool = True, *, driver: Any = None) -> SingularFactors:
    """U diag(S) Vh = A: orthonormal columns of U, singular values S in descending order, orthonormal rows of Vh.

    Args:
        A: (..., m, n).
        full_matrices: square U and Vh. No gradient flows through the vectors that this adds where m and n differ.
        driver: accepted.
    """
    x = _matrix("svd", A, square=False)
    m, n = x.shape[-2:]
    u, s, vh = unpack_svd(SVD(x), m, n)
    if full_matrices:
        u, vh = _completed(u), transpose_last(_completed(transpose_last(vh)))
    return SingularFactors(u, s, vh)


@public("svdvals", namespace="linalg")
def svdvals(A: Any, *, driver: Any = None) -> Node:
    """Singular values, in descending order."""
    x = _matrix("svdvals", A, square=False)
    return unpack_svd(SVD(x), *x.shape[-2:])[1]


@public("pinverse")
def pinv(A: Any, rcond: float | None = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Node:
    """The pseudo-inverse, by singular values; those below max(atol, rtol * the largest) count as 0.

    Args:
        A: (..., m, n).
        rcond, rtol: by default max(m, n) times the precision of the dtype.
        atol: 0 by default.
        hermitian: the matrix is symmetric, and only its lower triangle is looked at.
    """
    x = _matrix("pinv", A, square=hermitian)
    if hermitian and x.shape[-1] != 0:
        values, vectors = unpack_eigh(_eigh("pinv", x, "L"))
        weights = _reciprocals(values, _significant(x, ABS(values), atol, rcond if rtol is None else rtol))
        return MATMUL(MUL(vectors, weights), transpose_last(vectors))
    if 0 in (x.shape[-1], x.shape[-2]):
        return transpose_last(x)
    u, s, vt = unpack_svd(SVD(x), *x.shape[-2:])
    kept = _significant(x, s, atol, rcond if rtol is None else rtol)
    return MATMUL(MUL(transpose_last(vt), _reciprocals(s, kept)), transpose_last(u))


def _reciprocals(values: Node, kept: Node) -> Node:
    """1 / value where it is kept, else 0, as rows beside matrices."""
    one = constant(1, values.dtype)
    weights = WHERE(kept, DIV(one, WHERE(kept, values, one)), constant(0, values.dtype))
    return reshape_to(weights, (*values.shape[:-1], 1, values.shape[-1]))


def _significant(x: Node, s: Node, atol: Any, rtol: Any) -> Node:
    """Which singular values count as more than 0."""
    if rtol is None:
        precision = 2.0**-52 if x.dtype is float64 else 2.0**-23 if x.dtype is float32 else 2.0**-10
        rtol = 0.0 if atol is not None else max(x.shape[-2:]) * precision
    largest = MAX(s, dims=(len(s.shape) - 1,), keepdim=True)
    bounds = [cast(as_node(b), s.dtype) for b in (0.0 if atol is None else atol, rtol)]
    absolute, relative = (reshape_to(b, (*b.shape, 1)) if b.shape else b for b in bounds)
    return GT(s, MAXIMUM(absolute, MUL(relative, largest)))


@public("matrix_rank", namespace="linalg")
def matrix_rank(A: Any, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Node:
    """How many singular values are more than max(atol, rtol * the largest); int64."""
    x = _matrix("matrix_rank", A, square=False)
    if 0 in (x.shape[-1], x.shape[-2]):
        return expand_to(constant(0, int64), x.shape[:-2])
    s = svdvals(x)
    kept = _significant(x, s, tol if atol is None else atol, rtol)
    return SUM(cast(kept, int64), dims=(len(s.shape) - 1,), keepdim=False)


@public("matrix_power")
def matrix_power(input: Any, n: int) -> Node:
    """The product of n copies of square matrices; of the inverse when n is negative."""
    x = _matrix("matrix_power", input)
    if n < 0:
        return matrix_power(inverse(x), -n)
    if n == 0:
        return connected(_identity(x), x)
    result: Node | None = None
    while n:
        if n & 1:
            result = x if result is None else MATMUL(result, x)
        n >>= 1
        if n:
            x = MATMUL(x, x)
    assert result is not None
    return result


def _identity(x: Node) -> Node:
    """Identity matrices in the shape of x."""
    one = WHERE(diagonal_is_zero(x.shape[-1]), constant(1, x.dtype), constant(0, x.dtype))
    return expand_to(one, x.shape)


for _name, _function in (
    ("inv", inv),
    ("det", det),
    ("slogdet", slogdet),
    ("matrix_power", matrix_power),
    ("pinv", pinv),
):
    public(_name, namespace="linalg")(_function)
