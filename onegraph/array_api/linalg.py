"""The standard's linear algebra, in the main namespace and in the extension `linalg`.

Read next: `../ops/linear_algebra.py`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import onegraph as og
from onegraph.array_api.support import array, axes_of, pair, summed_dtype
from onegraph.errors import ShapeError
from onegraph.frontend.tensor import Tensor

own: Any = og.linalg


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The product of matrices, or of stacks of them; vectors count as a row on the left and a column on the right."""
    first, second = pair("matmul", array("matmul", x1), array("matmul", x2))
    return og.matmul(first, second)  # type: ignore[no-any-return]


def matrix_transpose(x: Tensor, /) -> Tensor:
    """Matrices with rows and columns exchanged.

    Raises:
        ShapeError: for fewer than two dimensions.
    """
    if array("matrix_transpose", x).ndim < 2:
        raise ShapeError(f"matrix_transpose: needs at least two dimensions, got shape {tuple(x.shape)}")
    return og.transpose(x, -2, -1)  # type: ignore[no-any-return]


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """The sum of products over axes of both: the last and first `axes`, or those in a pair of sequences."""
    first, second = pair("tensordot", array("tensordot", x1), array("tensordot", x2))
    if not isinstance(axes, int):
        axes = tuple([list(axes_of(tuple(a), t.ndim)) for a, t in zip(axes, (first, second), strict=True)])
    return og.tensordot(first, second, axes)  # type: ignore[no-any-return]


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum of products along an axis, counted from the end; the other axes broadcast."""
    first, second = pair("vecdot", array("vecdot", x1), array("vecdot", x2))
    return og.sum(first * second, axis, dtype=first.dtype)  # type: ignore[no-any-return]


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The triangular factor of positive definite matrices."""
    return own.cholesky(array("cholesky", x), upper=upper)  # type: ignore[no-any-return]


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of three elements along an axis."""
    first, second = pair("cross", array("cross", x1), array("cross", x2))
    return own.cross(first, second, dim=axis)  # type: ignore[no-any-return]


def det(x: Tensor, /) -> Tensor:
    """The determinant of square matrices."""
    return own.det(array("det", x))  # type: ignore[no-any-return]


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonal of matrices, or one beside it."""
    return own.diagonal(array("diagonal", x), offset=offset)  # type: ignore[no-any-return]


def eigh(x: Tensor, /) -> EighResult:
    """Eigenvalues, in ascending order, and eigenvectors of symmetric matrices."""
    return EighResult(*own.eigh(array("eigh", x)))


def eigvalsh(x: Tensor, /) -> Tensor:
    """Eigenvalues, in ascending order, of symmetric matrices."""
    return own.eigvalsh(array("eigvalsh", x))  # type: ignore[no-any-return]


def inv(x: Tensor, /) -> Tensor:
    """The inverse of square matrices."""
    return own.inv(array("inv", x))  # type: ignore[no-any-return]


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | Literal["fro", "nuc"] | None = "fro") -> Tensor:
    """A norm of matrices: "fro", "nuc", 1, 2, inf, or the negative ones."""
    x = array("matrix_norm", x)
    return own.matrix_norm(x, "fro" if ord is None else ord, keepdim=keepdims)  # type: ignore[no-any-return]


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """The product of n times the same square matrix; of the inverse for a negative n."""
    return own.matrix_power(array("matrix_power", x), n)  # type: ignore[no-any-return]


def _relative(rtol: Any, x: Tensor) -> Any:
    if rtol is None:
        return max(x.shape[-2:]) * float(og.finfo(x.dtype).eps)
    return rtol


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """How many singular values are above `rtol` times the largest."""
    return own.matrix_rank(array("matrix_rank", x), rtol=_relative(rtol, x))  # type: ignore[no-any-return]


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of the elements of two vectors."""
    first, second = pair("outer", array("outer", x1), array("outer", x2))
    return og.outer(first, second)  # type: ignore[no-any-return]


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """The pseudo-inverse; singular values below `rtol` times the largest count as zero."""
    return own.pinv(array("pinv", x), rtol=_relative(rtol, x))  # type: ignore[no-any-return]


def qr(x: Tensor, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Orthogonal and triangular factors."""
    return QRResult(*own.qr(array("qr", x), mode))


def slogdet(x: Tensor, /) -> SlogdetResult:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return SlogdetResult(*own.slogdet(array("slogdet", x)))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The solution of x1 @ x = x2. Only an x2 of one dimension counts as a vector."""
    first, second = pair("solve", array("solve", x1), array("solve", x2))
    if second.ndim == 1:
        return og.squeeze(own.solve(first, og.unsqueeze(second, -1)), -1)  # type: ignore[no-any-return]
    batch = og.broadcast_shapes(first.shape[:-2], second.shape[:-2])  # else PyTorch may read x2 as a stack of vectors
    second = og.broadcast_to(second, (*batch, *second.shape[-2:]))
    first = og.broadcast_to(first, (*batch, *first.shape[-2:]))
    return own.solve(first, second)  # type: ignore[no-any-return]


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """Singular vectors and values; the values in descending order."""
    return SVDResult(*own.svd(array("svd", x), full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """Singular values, in descending order."""
    return own.svdvals(array("svdvals", x))  # type: ignore[no-any-return]


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sum of a diagonal; of integers as int64."""
    kind = summed_dtype(array("trace", x), dtype)
    return og.sum(own.diagonal(x.to(kind), offset=offset), -1)  # type: ignore[no-any-return]


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """A norm of vectors along axes, by default of all elements.

    Args:
        x: a floating tensor.
        axis: along which.
        keepdims: leave axes of size 1 behind.
        ord: any number, inf or -inf among them; 0 counts the elements that are not zero.

    >>> from onegraph import array_api as xp
    >>> xp.linalg.vector_norm(xp.asarray([3.0, 4.0]))
    tensor(5.)
    """
    places = axes_of(axis, array("vector_norm", x).ndim)
    if not places:
        return og.ne(x, 0).to(x.dtype) if ord == 0 else og.abs(x)  # type: ignore[no-any-return]
    return own.vector_norm(x, float(ord) if not math.isinf(ord) else ord, places, keepdims)  # type: ignore[no-any-return]


FUNCTIONS = {f.__name__: f for f in (matmul, matrix_transpose, tensordot, vecdot)}
__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
