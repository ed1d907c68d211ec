"""Parametrizations that are ready to use: weight norm, spectral norm, orthogonal matrices. Read next: `parametrize.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.frontend import namespaces
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from onegraph.nn.module import Module
from onegraph.nn.utils.parametrize import register_parametrization
from onegraph.ops.shapes import show

TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def weight_of(module: Module, name: str) -> Tensor:
    """The tensor with a name."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"{type(module).__name__} has no parameter or buffer {name!r}")
    return weight


# ------------------------------------------------------------------------------------------------ weight norm


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norm over all dimensions but one, which stays; over all for None."""
    if dim is None or dim == -1:
        return (v * v).sum().sqrt()
    others = [d for d in range(v.ndim) if d != dim % v.ndim]
    return ((v * v).sum(others, keepdim=True) if others else v * v).sqrt()


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """g v / |v|."""
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Length and direction."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Learn length and direction of a weight apart: weight = g v / |v|.

    Source: Salimans and Kingma, "Weight normalization", 2016.

    Args:
        module: changed in place, and returned.
        name: of the parameter.
        dim: along which each slice has a length of its own; None for one length of all.

    >>> import onegraph as og
    >>> layer = og.nn.utils.parametrizations.weight_norm(og.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape, layer.parametrizations.weight.original1.shape
    (onegraph.Size([40, 1]), onegraph.Size([40, 20]))
    """
    weight_of(module, name)
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


# ---------------------------------------------------------------------------------------------- spectral norm


def normalized(x: Tensor, eps: float) -> Tensor:
    """A vector divided by its length, or by eps if that is larger."""
    return x / (x * x).sum().sqrt().clamp(min=eps)


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < max(weight.ndim, 1):
            raise ArgumentError(f"spectral_norm: dim {dim} is none of {weight.ndim} dimensions")
        self.dim, self.eps = dim % max(weight.ndim, 1), eps
        if weight.ndim > 1:
            if n_power_iterations <= 0:
                raise ArgumentError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            for buffer, size in zip(("_u", "_v"), matrix.shape, strict=True):
                self.register_buffer(buffer, normalized(_randn(size, weight), eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix, with one dimension first."""
        order = [self.dim, *[d for d in range(weight.ndim) if d != self.dim]]
        return weight.permute(*order).reshape(weight.shape[self.dim], -1)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        """Power iteration towards the largest singular value's vectors."""
        with no_grad():
            u, v = self._u, self._v
            for _ in range(times):
                u = normalized(matrix @ v, self.eps)
                v = normalized(matrix.T @ u, self.eps)
            self._u.copy_(u)
            self._v.copy_(v)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value."""
        if weight.ndim == 1:
            return normalized(weight, self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix @ v)

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself, which has the norm that it should have."""
        return value


def _randn(size: int, like: Tensor) -> Tensor:
    from onegraph.frontend.random import randn

    return randn(size, dtype=like.dtype)


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight, taken as a matrix, by its largest singular value, found by power iteration.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018.

    Args:
        module: changed in place, and returned.
        name: of the parameter.
        n_power_iterations: for each call in training.
        eps: the least length that is divided by.
        dim: the dimension of outputs; 0 when None, but 1 for transposed convolutions.

    >>> import onegraph as og
    >>> layer = og.nn.utils.parametrizations.spectral_norm(og.nn.Linear(4, 3))
    >>> abs(og.linalg.svdvals(layer.weight)[0].item() - 1) < 0.1
    True
    """
    weight = weight_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


# ------------------------------------------------------------------------------------------------- orthogonal


def _reflections(matrix: Tensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The packed factors of QR: vectors of reflections below R, and their factors."""
    array = matrix.detach().numpy()
    flat = array.reshape(-1, *array.shape[-2:])
    found = [np.linalg.qr(a, mode="raw") for a in flat]
    packed = np.stack([h.T for h, _ in found]).reshape(array.shape)
    factors = np.stack([tau for _, tau in found]).reshape(*array.shape[:-2], -1)
    return packed.astype(array.dtype), factors.astype(array.dtype)


def _nearest_orthogonal(matrix: Tensor) -> Tensor:
    """Q of a matrix, with signs that leave orthogonal matrices as they are."""
    packed, tau = _reflections(matrix)
    q = namespaces["linalg"]["householder_product"](Tensor(packed, dtype=matrix.dtype), Tensor(tau, dtype=matrix.dtype))
    signs = np.sign(np.diagonal(packed, axis1=-2, axis2=-1))[..., None, :]
    result: Tensor = q * Tensor(np.ascontiguousarray(signs), dtype=matrix.dtype)
    return result


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = (
            tuple(weight.shape),
            orthogonal_map,
            use_trivialization,
        )
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """A matrix with orthonormal rows or columns."""
        n, k = X.shape[-2:]
        wide = n < k
        if wide:
            X, n, k = X.mT, k, n
        if self.orthogonal_map == "householder":
            A = X.tril(-1)
            tau = 2.0 / (1.0 + (A * A).sum(-2))
            q = namespaces["linalg"]["householder_product"](A, tau)
            q = q * X.detach().diagonal(0, -2, -1).trunc().unsqueeze(-2)
        else:
            q = self._of_skew(X.tril(), n, k)
        if self.use_trivialization and self.base is not None:
            q = self.base @ q
        return q.mT if wide else q  # type: ignore[no-any-return]

    def _of_skew(self, X: Tensor, n: int, k: int) -> Tensor:
        """The orthogonal matrix of a skew-symmetric one, cut to k columns."""
        if n != k:
            rest = namespaces[""]["zeros"]((*X.shape[:-1], n - k), dtype=X.dtype)
            X = namespaces[""]["cat"]([X, rest], -1)
        A = X - X.mT
        if self.orthogonal_map == "matrix_exp":
            q = namespaces["linalg"]["matrix_exp"](A)
        else:  # Cayley
            one = namespaces[""]["eye"](n, dtype=A.dtype)
            q = namespaces["linalg"]["solve"](one - A * 0.5, one + A * 0.5)
        return q[..., :k] if n != k else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """Where the map gives Q, or the orthogonal matrix near to it."""
        if tuple(Q.shape) != self.shape:
            raise ShapeError(f"orthogonal: expected a matrix {show(self.shape)}, got {show(Q.shape)}")
        given = Q
        n, k = Q.shape[-2:]
        wide = n < k
        if wide:
            Q, n, k = Q.mT, k, n
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise UnsupportedError(
                    f"orthogonal: {self.orthogonal_map} cannot be inverted without trivialization",
                    hint="use_trivialization=True",
                )
            packed, tau = _reflections(Q)
            lower = packed.copy()
            diagonal = np.sign(np.diagonal(packed, axis1=-2, axis2=-1))
            diagonal = np.where(tau == 0, -diagonal, diagonal)
            index = np.arange(k)
            lower[..., index, index] = diagonal
            found = Tensor(lower, dtype=Q.dtype)
            return found.mT if wide else found
        if n != k:
            from onegraph.frontend.random import randn

            Q = namespaces[""]["cat"]([Q, randn(*Q.shape[:-1], n - k, dtype=Q.dtype)], -1)
        self.base = _nearest_orthogonal(Q).detach()
        shape = tuple(given.shape)
        negative = np.zeros(shape, np.float64)
        index = np.arange(min(shape[-2:]))
        negative[..., index, index] = -1.0
        return Tensor(negative, dtype=given.dtype)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a matrix orthogonal: its rows or columns, whichever are fewer, orthonormal.

    Sources: Lezcano-Casado and Martínez-Rubio, "Cheap orthogonal constraints in neural networks", 2019;
    Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds", 2019.

    Args:
        module: changed in place, and returned.
        name: of a parameter of at least two dimensions; the last two are the matrix.
        orthogonal_map: 'matrix_exp', 'cayley' or 'householder'; when None the first for square matrices, the last
            for others.
        use_trivialization: learn the difference to what the matrix is now.

    >>> import onegraph as og
    >>> q = og.nn.utils.parametrizations.orthogonal(og.nn.Linear(4, 3)).weight
    >>> bool(((q @ q.T - og.eye(3)).abs() < 1e-5).all())
    True
    """
    weight = weight_of(module, name)
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: needs a matrix, {name!r} is {show(weight.shape)}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ArgumentError(
            f"orthogonal: orthogonal_map must be 'matrix_exp', 'cayley' or 'householder', got {orthogonal_map!r}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
