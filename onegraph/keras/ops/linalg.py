"""`keras.ops.linalg`, and products of matrices. Read next: `nn.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph import linalg as _linalg
from onegraph.errors import UnsupportedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.functional_autograd import jvp_function
from onegraph.keras.ops.dispatch import convert, floating, operation, tensors

linalg: Any = _linalg  # its names are made at run time, out of sight of type checkers


@operation
def matmul(x1: Any, x2: Any) -> Any:
    """Products of matrices along the last two axes."""
    return EXPORTS["matmul"](*tensors(x1, x2))


@operation
def dot(x1: Any, x2: Any) -> Any:
    """Sums of products over x1's last axis and x2's last but one (or only) axis."""
    a, b = tensors(x1, x2)
    if not a.ndim or not b.ndim:
        return a * b
    return EXPORTS["tensordot"](a, b, ([a.ndim - 1], [max(b.ndim - 2, 0)]))


@operation
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products over some axes of each."""
    a, b = tensors(x1, x2)
    if not isinstance(axes, int):
        axes = tuple([v] if isinstance(v, int) else list(v) for v in axes)
    return EXPORTS["tensordot"](a, b, axes)


@operation
def inner(x1: Any, x2: Any) -> Any:
    """Sums of products over the last axes."""
    return EXPORTS["inner"](*tensors(x1, x2))


@operation
def outer(x1: Any, x2: Any) -> Any:
    """Products of each element of x1 with each of x2."""
    a, b = tensors(x1, x2)
    return EXPORTS["outer"](a.reshape(-1), b.reshape(-1))


@operation
def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of all elements."""
    a, b = tensors(x1, x2)
    return (a.reshape(-1) * b.reshape(-1)).sum()


@operation
def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product."""
    return EXPORTS["kron"](*tensors(x1, x2))


@operation
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors with three elements (or two, whose result is a number)."""
    axisa, axisb, axisc = (axis, axis, axis) if axis is not None else (axisa, axisb, axisc)
    a, b = tensors(x1, x2)
    a, b = a.movedim(axisa, -1), b.movedim(axisb, -1)
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = (EXPORTS["constant_pad_nd"](v, [0, 3 - v.shape[-1]], 0) for v in (a, b))
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return EXPORTS["stack"](parts, -1).movedim(-1, axisc)


@operation
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products by Einstein's notation, e.g. 'ij,jk->ik'."""
    return EXPORTS["einsum"](subscripts, *[convert(o) for o in operands])


@operation
def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular root of positive definite matrices."""
    found = linalg.cholesky(floating(x))
    return found.transpose(-1, -2) if upper else found


@operation
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix that x is the triangular root of."""
    x = floating(x)
    root = x.transpose(-1, -2) if upper else x
    inverse = linalg.inv(root)
    return inverse.transpose(-1, -2) @ inverse


@operation
def det(x: Any) -> Any:
    """Determinants."""
    return linalg.det(floating(x))


@operation
def slogdet(x: Any) -> Any:
    """Sign, and logarithm of the absolute value, of determinants."""
    return tuple(linalg.slogdet(floating(x)))


@operation
def logdet(x: Any) -> Any:
    """Logarithms of determinants."""
    return EXPORTS["logdet"](floating(x))


@operation
def eigh(x: Any) -> Any:
    """Eigenvalues in rising order, and eigenvectors, of symmetric matrices."""
    return tuple(linalg.eigh(floating(x)))


def eig(x: Any) -> Any:
    """Eigenvalues of a general matrix; refused, since they are complex.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError("eig: eigenvalues of general matrices are complex numbers, which are not there", hint="eigh")


@operation
def inv(x: Any) -> Any:
    """Inverse matrices."""
    return linalg.inv(floating(x))


@operation
def pinv(x: Any, rcond: float | None = None) -> Any:
    """Pseudo-inverses of Moore and Penrose."""
    return linalg.pinv(floating(x)) if rcond is None else linalg.pinv(floating(x), rtol=rcond)


@operation
def solve(a: Any, b: Any) -> Any:
    """x of a x = b."""
    return linalg.solve(floating(a), floating(b))


@operation
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """x of a x = b, for a triangular a."""
    a, b = floating(a), floating(b)
    if b.ndim == a.ndim - 1:
        return linalg.solve_triangular(a, b.unsqueeze(-1), upper=not lower).squeeze(-1)
    return linalg.solve_triangular(a, b, upper=not lower)


@operation
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """x for which |a x - b| is smallest."""
    a, b = floating(a), floating(b)
    inverse = pinv(a, rcond)
    return (inverse @ b.unsqueeze(-1)).squeeze(-1) if b.ndim == 1 else inverse @ b


@operation
def qr(x: Any, mode: str = "reduced") -> Any:
    """An orthogonal and an upper triangular matrix whose product is x."""
    return tuple(linalg.qr(floating(x), mode))


@operation
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values, with the matrices U and V^T around them."""
    x = floating(x)
    return tuple(linalg.svd(x, full_matrices)) if compute_uv else linalg.svdvals(x)


@operation
def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """How many singular values are not (nearly) 0."""
    values = linalg.svdvals(floating(x))
    if tol is None:
        limit = values.amax(-1, keepdim=True) * max(x.shape[-2:]) * float(np.finfo(np.float32).eps)
    else:
        limit = values[..., :1] * 0 + tol
    return (values > limit).sum(-1)


@operation
def lu_factor(x: Any) -> Any:
    """L and U in one matrix, and the rows exchanged in each step (int32). Computed by NumPy, row by row."""
    matrix = floating(x).detach().numpy().astype(np.float64)
    flat = matrix.reshape(-1, *matrix.shape[-2:]).copy()
    count = min(matrix.shape[-2:])
    pivots = np.zeros((len(flat), count), np.int32)
    for m, own in zip(flat, pivots, strict=True):
        for i in range(count):
            own[i] = i + int(np.abs(m[i:, i]).argmax())
            m[[i, own[i]]] = m[[own[i], i]]
            if m[i, i]:
                m[i + 1 :, i] /= m[i, i]
                m[i + 1 :, i + 1 :] -= np.outer(m[i + 1 :, i], m[i, i + 1 :])
    lead = matrix.shape[:-2]
    return convert(flat.reshape(matrix.shape).astype(np.float32)), convert(pivots.reshape(*lead, count))


@operation
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norms of vectors (one axis) or matrices (two); of all elements if axis is None.

    Args:
        ord: 1, 2, inf and the like; 'fro' and 'nuc' for matrices; None is the root of the sum of squares.
    """
    x = floating(x)
    if axis is None and ord is None:
        found = (x * x).sum().sqrt()
        return found.reshape(*[1] * x.ndim) if keepdims else found
    axes = list(range(x.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    if len(axes) == 1:
        if ord == 0:
            return (x != 0).to(x.dtype).sum(axes[0], keepdim=keepdims)
        return linalg.vector_norm(x, 2 if ord is None else ord, axes[0], keepdim=keepdims)
    return linalg.matrix_norm(x, "fro" if ord is None else ord, tuple(axes), keepdim=keepdims)


@operation
def normalize(x: Any, axis: int = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm along an axis, or by epsilon where that is larger."""
    from onegraph.keras import backend

    x = floating(x)
    smallest = backend.epsilon() if epsilon is None else epsilon
    if order == 2:
        return x * (x * x).sum(axis, keepdim=True).clamp(min=smallest**2).rsqrt()
    return x / norm(x, math.inf if order == "inf" else order, axis, True).clamp(min=smallest)


@operation
def cdist(x: Any, y: Any) -> Any:
    """Euclidean distances between the rows of x and those of y."""
    return EXPORTS["cdist"](*tensors(x, y))


@operation
def corrcoef(x: Any) -> Any:
    """Correlations between the rows of a matrix."""
    return EXPORTS["corrcoef"](floating(x))


@operation
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Sums of products of two vectors, one moved along the other; mode 'valid', 'same' or 'full'."""
    from onegraph.nn import functional as F

    a, b = tensors(floating(x1), floating(x2))
    swap = b.shape[0] > a.shape[0]
    long, short = (b, a) if swap else (a, b)
    count, width = long.shape[0], short.shape[0]
    left, right = {"valid": (0, 0), "full": (width - 1, width - 1), "same": (width // 2, (width - 1) // 2)}[mode]
    padded = EXPORTS["constant_pad_nd"](long.reshape(1, 1, count), [left, right], 0)
    found = F.conv1d(padded, short.reshape(1, 1, width)).reshape(-1)
    return found.flip(0) if swap else found


def jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of a function, and its derivative in a direction."""
    return jvp_function(fun, tuple(convert(p) for p in primals), tuple(convert(t) for t in tangents), has_aux=has_aux)
