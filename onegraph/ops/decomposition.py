"""Linear systems and factors of matrices as primitives: `solve`, `cholesky`, `qr`, `eigh`, `svd`, `det`, `logabsdet`.

A primitive has one result, so factors come packed into one array; `linear_algebra.py` takes them apart and offers them
under PyTorch's names. Matrices are the last two dimensions. The gradients are those of M. Giles, "An extended
collection of matrix derivative results for forward and reverse mode AD" (2008), and for the Cholesky factor
I. Murray, "Differentiation of the Cholesky decomposition" (arXiv:1602.07527).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, DIV, EQ, MUL, SUB, mul
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import PERMUTE, expand_to, reshape_to, slice_dim
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.reduction import MAX, MIN, SUM
from onegraph.ops.shapes import broadcast_shapes, same_size, show
from onegraph.ops.triangular import diag_embed, diagonal, diagonal_number, tril, triu


def check_matrix(op: str, x: Node, square: bool = True) -> None:
    """Typed errors for what is no floating (square) matrix."""
    if not x.dtype.is_floating_point:
        raise DTypeError(f"{op}: needs a floating matrix, got {x.dtype.name}", hint="convert it first: A.float()")
    if len(x.shape) < 2:
        raise ShapeError(f"{op}: needs a matrix, got {show(x.shape)}")
    if square and not same_size(x.shape[-1], x.shape[-2]):
        raise ShapeError(f"{op}: needs square matrices, got {show(x.shape)}")


def _guarded(op: str, compute: Callable[..., Any], why: str) -> Callable[..., Any]:
    """NumPy's function, with a typed error where it cannot go on."""

    def reference(*arrays: Array, **attributes: Any) -> Any:
        try:
            return compute(*arrays, **attributes)
        except np.linalg.LinAlgError as error:
            raise ArgumentError(f"{op}: {why} ({error})") from None

    return reference


def _swap(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


def _symmetric(x: Node) -> Node:
    return mul(ADD(x, transpose_last(x)), 0.5)


def _well(n: int, batch: int = 1) -> Array:
    """Sample matrices far from singular."""
    return np.asarray(real(batch, n, n, low=-0.5, high=0.5) + 2 * np.eye(n), np.float32)


def _positive(n: int) -> Array:
    a = real(2, n, n)
    return np.asarray(a @ _swap(a) + np.eye(n), np.float32)


# ---- solve


def _solve_rule(a: Node, b: Node) -> tuple[Shape, DType]:
    check_matrix("solve", a)
    if a.dtype is not b.dtype:
        raise DTypeError(f"solve: dtypes {a.dtype.name} and {b.dtype.name} differ", hint="cast one")
    if len(b.shape) < 2 or not same_size(a.shape[-1], b.shape[-2]):
        raise ShapeError(f"solve: {show(a.shape)} and {show(b.shape)}: the right-hand side needs {a.shape[-1]} rows")
    batch = broadcast_shapes("solve (batch dimensions)", a.shape[:-2], b.shape[:-2])
    return (*batch, *b.shape[-2:]), a.dtype


def _solve_gradient(which: int) -> Callable[[Node, Node], Node]:
    def rule(n: Node, g: Node) -> Node:
        right = SOLVE(transpose_last(n.inputs[0]), g)
        return right if which else mul(MATMUL(right, transpose_last(n)), -1.0)

    return rule


SOLVE: Op = register(
    Op(
        name="solve",
        kind=Kind.CONTRACTION,
        doc="X with A X = B, for square matrices A; batch dimensions broadcast.",
        rule=_solve_rule,
        reference=_guarded("solve", lambda a, b: np.asarray(np.linalg.solve(a, b)), "a matrix is singular"),
        gradient=(_solve_gradient(0), _solve_gradient(1)),
        samples=lambda: [
            Sample(_well(3), real(1, 3, 2)),
            Sample(_well(4, 2), real(4, 1)),
            Sample(_well(0), real(1, 0, 2)),
        ],
        dtypes=("float",),
    )
)

# ---- cholesky


def _square_rule(op: str) -> Callable[..., tuple[Shape, DType]]:
    def rule(a: Node) -> tuple[Shape, DType]:
        check_matrix(op, a)
        return a.shape, a.dtype

    return rule


def _half_lower(x: Node) -> Node:
    """The lower triangle with half the diagonal."""
    return SUB(tril(x), diag_embed(mul(diagonal(x, 0, -2, -1), 0.5)))


def _cholesky_gradient(n: Node, g: Node) -> Node:
    middle = _half_lower(MATMUL(transpose_last(n), tril(g)))
    left = SOLVE(transpose_last(n), middle)
    return _symmetric(transpose_last(SOLVE(transpose_last(n), transpose_last(left))))


CHOLESKY: Op = register(
    Op(
        name="cholesky",
        kind=Kind.CONTRACTION,
        doc="The lower triangular L with A = L L^T, for symmetric positive definite matrices A.",
        rule=_square_rule("cholesky"),
        reference=_guarded(
            "cholesky", lambda a: np.linalg.cholesky((a + _swap(a)) / 2), "a matrix is not positive definite"
        ),
        gradient=(_cholesky_gradient,),
        samples=lambda: [Sample(_positive(3)), Sample(_positive(1)), Sample(np.zeros((0, 0), np.float32))],
        dtypes=("float",),
    )
)

# ---- determinants


def _batch_rule(op: str) -> Callable[..., tuple[Shape, DType]]:
    def rule(a: Node) -> tuple[Shape, DType]:
        check_matrix(op, a)
        return a.shape[:-2], a.dtype

    return rule


def inverse(a: Node) -> Node:
    """The inverse of square matrices."""
    identity = WHERE(diagonal_is_zero(a.shape[-1]), constant(1, a.dtype), expand_to(constant(0, a.dtype), a.shape[-2:]))
    return SOLVE(a, identity)


def diagonal_is_zero(size: Any) -> Node:
    """True on the diagonal of a square matrix."""
    return EQ(diagonal_number(size, size), constant(0, diagonal_number(size, size).dtype))


def _last_two(x: Node) -> Node:
    return reshape_to(x, (*x.shape, 1, 1))


def _determinant_gradient(n: Node, g: Node) -> Node:
    return MUL(_last_two(MUL(g, n)), transpose_last(inverse(n.inputs[0])))


DET: Op = register(
    Op(
        name="det",
        kind=Kind.CONTRACTION,
        doc="The determinant of square matrices.",
        rule=_batch_rule("det"),
        reference=lambda a: np.asarray(np.linalg.det(a), a.dtype),
        gradient=(_determinant_gradient,),
        samples=lambda: [Sample(_well(3, 2)), Sample(_well(1)), Sample(np.zeros((2, 0, 0), np.float32))],
        dtypes=("float",),
    )
)

LOGABSDET: Op = register(
    Op(
        name="logabsdet",
        kind=Kind.CONTRACTION,
        doc="The logarithm of the size of the determinant of square matrices.",
        rule=_batch_rule("logabsdet"),
        reference=lambda a: np.asarray(np.linalg.slogdet(a)[1], a.dtype),
        gradient=(lambda n, g: MUL(_last_two(g), transpose_last(inverse(n.inputs[0]))),),
        samples=lambda: [Sample(_well(3, 2)), Sample(-_well(1)), Sample(np.zeros((2, 0, 0), np.float32))],
        dtypes=("float",),
    )
)

DET_SIGN: Op = register(
    Op(
        name="det_sign",
        kind=Kind.CONTRACTION,
        doc="The sign of the determinant of square matrices: -1, 0 or 1.",
        rule=_batch_rule("det_sign"),
        reference=lambda a: np.asarray(np.linalg.slogdet(a)[0], a.dtype),
        gradient=None,
        samples=lambda: [Sample(_well(3, 2)), Sample(-_well(1))],
        dtypes=("float",),
    )
)

# ---- eigh: [vectors | values]


def _eigh_rule(a: Node, *, triangle: str = "") -> tuple[Shape, DType]:
    check_matrix("eigh", a)
    return (*a.shape[:-1], a.shape[-1] + 1), a.dtype


def _eigh_reference(a: Array, *, triangle: str = "") -> Array:
    symmetric = a if triangle else (a + _swap(a)) / 2
    values, vectors = np.linalg.eigh(symmetric, UPLO="U" if triangle == "U" else "L")
    return np.concatenate([vectors, values[..., None]], axis=-1)


def unpack_eigh(packed: Node) -> tuple[Node, Node]:
    """Eigenvalues and eigenvectors from the result of EIGH."""
    n = packed.shape[-2]
    last = slice_dim(packed, len(packed.shape) - 1, n, n + 1)
    return reshape_to(last, packed.shape[:-1]), slice_dim(packed, len(packed.shape) - 1, 0, n)


def _differences(values: Node) -> tuple[Node, Node]:
    """values[j] - values[i] for all pairs, infinite where they are equal; and where the diagonal is.

    A gradient is divided by them: equal values turn nothing, so that functions of values alone have their gradient.
    """
    size = values.shape[-1]
    row, column = reshape_to(values, (*values.shape[:-1], 1, size)), reshape_to(values, (*values.shape, 1))
    return _or_infinite(SUB(row, column)), diagonal_is_zero(size)


def _or_infinite(x: Node) -> Node:
    return WHERE(EQ(x, constant(0, x.dtype)), constant(math.inf, x.dtype), x)


def _eigh_gradient(n: Node, g: Node) -> Node:
    (values, vectors), (g_values, g_vectors) = unpack_eigh(n), unpack_eigh(g)
    gaps, on_diagonal = _differences(values)
    inner = DIV(MATMUL(transpose_last(vectors), g_vectors), gaps)
    inner = WHERE(on_diagonal, diag_embed(g_values), inner)
    return _symmetric(MATMUL(MATMUL(vectors, inner), transpose_last(vectors)))


EIGH: Op = register(
    Op(
        name="eigh",
        kind=Kind.CONTRACTION,
        doc="Eigenvectors of symmetric matrices, and in the last column their eigenvalues, ascending.",
        rule=_eigh_rule,
        reference=_guarded("eigh", _eigh_reference, "the eigenvalues did not converge"),
        gradient=(_eigh_gradient,),
        samples=lambda: [
            Sample(_positive(3)),
            Sample(_positive(2)),
            Sample(np.zeros((1, 1), np.float32), differentiable=False),
            # The gradient is that of a symmetric matrix, not of the triangle alone, so finite differences say nothing.
            Sample(_well(3), differentiable=False, triangle="L"),
            Sample(_well(3), differentiable=False, triangle="U"),
        ],
        dtypes=("float",),
    )
)

# ---- qr: Q above R


def _qr_rule(a: Node) -> tuple[Shape, DType]:
    check_matrix("qr", a, square=False)
    rows, columns = a.shape[-2:]
    if rows < columns:
        raise UnsupportedError(f"qr (packed): needs at least as many rows as columns, got {show(a.shape)}")
    return (*a.shape[:-2], rows + columns, columns), a.dtype


def _qr_reference(a: Array) -> Array:
    q, r = np.linalg.qr(a)
    return np.concatenate([q, r], axis=-2)


def unpack_qr(packed: Node) -> tuple[Node, Node]:
    """Q and R from the result of QR."""
    dim, total, columns = len(packed.shape) - 2, packed.shape[-2], packed.shape[-1]
    return slice_dim(packed, dim, 0, total - columns), slice_dim(packed, dim, total - columns, total)


def _qr_gradient(n: Node, g: Node) -> Node:
    (q, r), (gq, gr) = unpack_qr(n), unpack_qr(g)
    m = SUB(MATMUL(r, transpose_last(triu(gr))), MATMUL(transpose_last(gq), q))
    mirrored = ADD(tril(m), transpose_last(tril(m, -1)))
    right = ADD(gq, MATMUL(q, mirrored))
    return transpose_last(SOLVE(r, transpose_last(right)))


QR: Op = register(
    Op(
        name="qr",
        kind=Kind.CONTRACTION,
        doc="Q and below it R, with A = Q R, Q having orthonormal columns and R being upper triangular.",
        rule=_qr_rule,
        reference=_guarded("qr", _qr_reference, "it did not converge"),
        gradient=(_qr_gradient,),
        samples=lambda: [Sample(real(4, 3)), Sample(_well(2, 2))],
        dtypes=("float",),
    )
)

# ---- svd: U, S and V^T in one row


def _svd_rule(a: Node) -> tuple[Shape, DType]:
    check_matrix("svd", a, square=False)
    m, n = a.shape[-2:]
    k = m if m < n else n
    return (*a.shape[:-2], m * k + k + k * n), a.dtype


def _svd_reference(a: Array) -> Array:
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    batch = a.shape[:-2]
    return np.concatenate([x.reshape(*batch, int(np.prod(x.shape[len(batch) :]))) for x in (u, s, vt)], axis=-1)


def unpack_svd(packed: Node, m: Any, n: Any) -> tuple[Node, Node, Node]:
    """U, S and V^T from the result of SVD of matrices (m, n)."""
    k = m if m < n else n
    dim, batch = len(packed.shape) - 1, packed.shape[:-1]
    u = reshape_to(slice_dim(packed, dim, 0, m * k), (*batch, m, k))
    s = slice_dim(packed, dim, m * k, m * k + k)
    return u, s, reshape_to(slice_dim(packed, dim, m * k + k, m * k + k + k * n), (*batch, k, n))


def _svd_gradient(node: Node, g: Node) -> Node:
    m, n = node.inputs[0].shape[-2:]
    u, s, vt = unpack_svd(node, m, n)
    gu, gs, gvt = unpack_svd(g, m, n)
    row, column = reshape_to(s, (*s.shape[:-1], 1, s.shape[-1])), reshape_to(s, (*s.shape, 1))
    gaps, on_diagonal = _differences(MUL(s, s))
    turn_u = _skew_over(MATMUL(transpose_last(u), gu), gaps)
    turn_v = _skew_over(MATMUL(vt, transpose_last(gvt)), gaps)
    inner = ADD(MUL(turn_u, row), MUL(column, turn_v))
    inner = ADD(inner, WHERE(on_diagonal, diag_embed(gs), constant(0, s.dtype)))
    result = MATMUL(MATMUL(u, inner), vt)
    if m > n:
        outside = SUB(gu, MATMUL(u, MATMUL(transpose_last(u), gu)))
        result = ADD(result, MATMUL(DIV(outside, _or_infinite(row)), vt))
    elif m < n:
        outside = SUB(gvt, MATMUL(MATMUL(gvt, transpose_last(vt)), vt))
        result = ADD(result, MATMUL(u, DIV(outside, _or_infinite(column))))
    return result


def _skew_over(x: Node, gaps: Node) -> Node:
    return DIV(SUB(x, transpose_last(x)), gaps)


SVD: Op = register(
    Op(
        name="svd",
        kind=Kind.CONTRACTION,
        doc="U, S and V^T with A = U diag(S) V^T, reduced, their elements in one row; S descends.",
        rule=_svd_rule,
        reference=_guarded("svd", _svd_reference, "the singular values did not converge"),
        gradient=(_svd_gradient,),
        samples=lambda: [Sample(real(4, 3)), Sample(real(2, 3)), Sample(_well(3, 2))],
        dtypes=("float",),
    )
)


def singular_norm(x: Node, ord: Any, dims: Sequence[int], keepdim: bool) -> Node:
    """The sum ("nuc"), the largest (2) or the smallest (-2) of the singular values of the matrices in two dimensions."""
    others = [i for i in range(len(x.shape)) if i not in dims]
    moved = PERMUTE(x, dims=(*others, *dims))
    m, n = moved.shape[-2:]
    values = unpack_svd(SVD(moved), m, n)[1]
    along = (len(values.shape) - 1,)
    result = {"nuc": SUM, 2: MAX, -2: MIN}[ord](values, dims=along, keepdim=False)
    shape = tuple([1 if i in dims else s for i, s in enumerate(x.shape)])
    return reshape_to(result, shape) if keepdim else result
