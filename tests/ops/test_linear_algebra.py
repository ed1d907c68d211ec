"""Linear systems, determinants and factors of matrices, compared with PyTorch by value and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ops import linear_algebra, statistics
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch


def well(*shape: int) -> np.ndarray:
    """Square matrices far from singular."""
    return random(*shape, shape[-1]) * 0.5 + 2 * np.eye(shape[-1])


def positive(*shape: int) -> np.ndarray:
    """Symmetric positive definite matrices."""
    a = random(*shape, shape[-1])
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3, 2)), ((2, 3), (2, 3, 2)), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 1, 3), (4, 3, 2)), ((0,), (0, 2))],
)
def test_solve(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    compare(linear_algebra.solve, torch.linalg.solve, well(*a), random(*b), rtol=1e-5, atol=1e-8)


def test_solve_from_the_right() -> None:
    compare(linear_algebra.solve, torch.linalg.solve, well(3), random(2, 3), left=False)
    for upper in (True, False):
        for kwargs in ({}, {"left": False}, {"unitriangular": True}):
            b = random(2, 3) if "left" in kwargs else random(3, 2)
            compare(linear_algebra.solve_triangular, torch.linalg.solve_triangular, well(3), b, upper=upper, **kwargs)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1,), (0,), (2, 3, 2)])
def test_inverses_and_determinants(shape: tuple[int, ...]) -> None:
    for name in ("inv", "det", "slogdet"):
        compare(getattr(linear_algebra, name), getattr(torch.linalg, name), well(*shape))
    compare(linear_algebra.logdet, torch.logdet, well(*shape))
    for n in (-2, 0, 1, 5):
        compare(linear_algebra.matrix_power, torch.linalg.matrix_power, well(*shape), n, rtol=1e-5, gradients=n != 0)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1,)])
def test_symmetric_factors(shape: tuple[int, ...]) -> None:
    for upper in (False, True):
        compare(linear_algebra.cholesky, torch.linalg.cholesky, positive(*shape), upper=upper)
        factor = np.linalg.cholesky(positive(*shape))
        factor = np.swapaxes(factor, -1, -2).copy() if upper else factor
        compare(linear_algebra.cholesky_solve, torch.cholesky_solve, random(*shape, 2), factor, upper, gradients=False)
    for triangle in ("L", "U"):
        # The sign of a vector is free, and so is, for PyTorch, which of two places of a symmetric matrix gets a gradient.
        compare(linear_algebra.eigvalsh, torch.linalg.eigvalsh, positive(*shape), triangle, gradients=False)
    compare(
        lambda a: linear_algebra.eigh(symmetric_node(a)).eigenvalues,
        lambda a: torch.linalg.eigh((a + a.mT) / 2).eigenvalues,
        positive(*shape),
    )
    compare(
        lambda a: square(linear_algebra.eigh(symmetric_node(a)).eigenvectors),
        lambda a: torch.linalg.eigh((a + a.mT) / 2).eigenvectors ** 2,
        positive(*shape),
        rtol=1e-5,
    )


def symmetric_node(a: Any) -> Any:
    from onegraph.ops.binary import add, mul
    from onegraph.ops.contraction import transpose_last

    return mul(add(a, transpose_last(a)), 0.5)


def square(a: Any) -> Any:
    from onegraph.ops.binary import mul

    return mul(a, a)


@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (2, 3, 2), (2, 4)])
def test_qr_and_svd(shape: tuple[int, ...]) -> None:
    for part in (0, 1):
        compare(
            lambda a, part=part: square(linear_algebra.qr(a)[part]),
            lambda a, part=part: torch.linalg.qr(a)[part] ** 2,
            random(*shape),
        )
    for part in (0, 1, 2):
        compare(
            lambda a, part=part: square(linear_algebra.svd(a, full_matrices=False)[part]),
            lambda a, part=part: torch.linalg.svd(a, full_matrices=False)[part] ** 2,
            random(*shape),
            rtol=1e-5,
        )
    compare(linear_algebra.svdvals, torch.linalg.svdvals, random(*shape))
    compare(linear_algebra.pinv, torch.linalg.pinv, random(*shape), rtol=1e-5)
    compare(statistics.norm, torch.norm, random(*shape), "nuc", (-2, -1))


def test_ranks() -> None:
    low = random(4, 2) @ random(2, 4)
    for a in (low, well(3), np.zeros((3, 2)), np.zeros((0, 2))):
        compare(linear_algebra.matrix_rank, torch.linalg.matrix_rank, a, gradients=False)
    compare(linear_algebra.pinv, torch.linalg.pinv, low, gradients=False, rtol=1e-5, atol=1e-8)
    compare(linear_algebra.matrix_rank, torch.linalg.matrix_rank, well(3), atol=2.0, gradients=False)


def test_equal_singular_values_have_a_gradient() -> None:
    compare(linear_algebra.svdvals, torch.linalg.svdvals, np.eye(3), gradients=False)
    compare(statistics.norm, torch.norm, 2 * np.eye(3), "nuc")


def test_errors() -> None:
    x = numpy_constant(random(2, 3))
    with pytest.raises(ShapeError, match="square matrices, got"):
        linear_algebra.inv(x)
    with pytest.raises(DTypeError, match="needs a floating matrix, got int64"):
        linear_algebra.det(numpy_constant(np.eye(2, dtype=np.int64)))
    with pytest.raises(ShapeError, match="needs 3 rows"):
        linear_algebra.solve(numpy_constant(well(3)), x)
    with pytest.raises(ArgumentError, match="singular"):
        evaluate([linear_algebra.inv(numpy_constant(np.zeros((2, 2))))])
    with pytest.raises(ArgumentError, match="not positive definite"):
        evaluate([linear_algebra.cholesky(numpy_constant(-np.eye(2)))])
    with pytest.raises(ArgumentError, match="no mode 'raw'"):
        linear_algebra.qr(x, "raw")
    with pytest.raises(ArgumentError, match="UPLO"):
        linear_algebra.eigh(numpy_constant(well(3)), "X")
    with pytest.raises(ShapeError, match="p='nuc' is of matrices"):
        statistics.norm(x, "nuc", 0)


def test_factors_of_one_triangle_have_the_gradient_of_a_symmetric_matrix() -> None:
    a = random(4, 4)
    for triangle in ("L", "U"):
        compare(linear_algebra.eigvalsh, torch.linalg.eigvalsh, a, triangle, rtol=1e-6, atol=1e-8)
    compare(linear_algebra.pinv, torch.linalg.pinv, a, hermitian=True, gradients=False, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 4, 3), (3, 3)])
def test_square_factors(shape: tuple[int, ...]) -> None:
    x = random(*shape).astype(np.float64)
    m, n = shape[-2:]
    q, r = evaluate([*linear_algebra.qr(numpy_constant(x), "complete")])
    u, s, vh = evaluate([*linear_algebra.svd(numpy_constant(x))])
    assert q.shape[-2:] == (m, m) and r.shape[-2:] == (m, n)
    assert u.shape[-2:] == (m, m) and vh.shape[-2:] == (n, n)
    for factor in (q, u, vh):
        product = np.swapaxes(factor, -1, -2) @ factor
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(product.shape[-1]), product.shape), atol=1e-12)
    np.testing.assert_allclose(q @ r, x, atol=1e-12)
    k = min(m, n)
    np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], x, atol=1e-12)
