"""Least squares, condition numbers and tensors as matrices, compared with PyTorch by value and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DimensionError, ShapeError
from onegraph.ops import integration, quantiles, signal_windows, systems
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

CLOSE = {"rtol": 1e-6, "atol": 1e-8}


@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, np.inf, -np.inf])
def test_cond(p: Any) -> None:
    by_values = p in (None, 2, -2, "nuc")  # PyTorch cannot differentiate its others
    compare(systems.cond, torch.linalg.cond, random(2, 3, 3) + 2 * np.eye(3), p, gradients=by_values, **CLOSE)


def test_cond_of_matrices_that_are_not_square() -> None:
    compare(systems.cond, torch.linalg.cond, random(3, 2), **CLOSE)
    with pytest.raises(ShapeError, match="square"):
        systems.cond(numpy_constant(random(3, 2)), 1)


def test_tensors_as_matrices() -> None:
    a = (random(6, 6) + 3 * np.eye(6)).reshape(2, 3, 6)
    compare(systems.tensorinv, torch.linalg.tensorinv, a, **CLOSE)
    compare(systems.tensorsolve, torch.linalg.tensorsolve, a, random(2, 3), **CLOSE)
    moved = np.ascontiguousarray(np.moveaxis(a, 2, 0))
    compare(systems.tensorsolve, torch.linalg.tensorsolve, moved, random(2, 3), (0,), **CLOSE)
    with pytest.raises(ShapeError, match="make 2 rows, the others 18 columns"):
        systems.tensorinv(numpy_constant(a), 1)
    with pytest.raises(ArgumentError, match="positive int"):
        systems.tensorinv(numpy_constant(a), 0)
    with pytest.raises(ShapeError, match="square matrix"):
        systems.tensorsolve(numpy_constant(a), numpy_constant(random(2)))


@pytest.mark.parametrize("shape", [(5, 3), (3, 3), (2, 4), (2, 5, 3)])
def test_lstsq(shape: tuple[int, ...]) -> None:
    a, b = random(*shape), random(*shape[:-1], 2)
    compare(lambda a, b: systems.lstsq(a, b)[0], lambda a, b: torch.linalg.lstsq(a, b)[0], a, b, **CLOSE)
    for driver in ("gels", "gelsy", "gelsd", "gelss"):
        ours = evaluate(list(systems.lstsq(numpy_constant(a), numpy_constant(b), driver=driver)))
        theirs = torch.linalg.lstsq(torch.tensor(a), torch.tensor(b), driver=driver)
        for x, y in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(x, y.numpy(), rtol=1e-9, atol=1e-12)
    with pytest.raises(ShapeError, match="as many rows"):
        systems.lstsq(numpy_constant(a), numpy_constant(random(7, 2)))


@pytest.mark.filterwarnings("ignore:torch.triangular_solve")
def test_triangles() -> None:
    a, b = np.tril(random(3, 3)) + 2 * np.eye(3), random(3, 2)
    upper = np.ascontiguousarray(a.T)
    compare(systems.cholesky_inverse, torch.cholesky_inverse, a, gradients=False)
    compare(systems.cholesky_inverse, torch.cholesky_inverse, upper, True, gradients=False)
    for transpose in (False, True):
        for unit in (False, True):
            compare(systems.triangular_solve, torch.triangular_solve, b, upper, True, transpose, unit, gradients=False)
    compare(systems.vander, torch.linalg.vander, random(2, 3), N=4)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_mode(dtype: Any) -> None:
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 7)).astype(dtype)
    for dim, keepdim in ((0, False), (1, True), (-1, False)):
        ours = evaluate(list(quantiles.mode(numpy_constant(x), dim, keepdim)))
        for a, b in zip(ours, torch.mode(torch.tensor(x), dim, keepdim), strict=True):
            np.testing.assert_array_equal(a, b.numpy())
            assert a.dtype == b.numpy().dtype
    with pytest.raises(DimensionError, match="no elements"):
        quantiles.mode(numpy_constant(np.zeros((2, 0))))


def test_gradient() -> None:
    def at(x: Any, dim: Any = None, spacing: Any = 1, edge_order: int = 1) -> Any:
        return integration.gradient(x, spacing=spacing, dim=dim, edge_order=edge_order)

    def theirs(x: Any, dim: Any = None, spacing: Any = 1, edge_order: int = 1) -> Any:
        spacing = [torch.as_tensor(s) for s in spacing] if isinstance(spacing, list) else spacing
        return torch.gradient(x, spacing=spacing, dim=dim, edge_order=edge_order)

    x = random(4, 5)
    for options in ({"dim": 0, "spacing": 0.5}, {"dim": (0, 1), "spacing": (2.0, 0.5)}, {"dim": 1, "edge_order": 2}):
        compare(at, theirs, x, **options, **CLOSE)
    compare(at, theirs, x, **CLOSE)
    places = np.array([0.0, 0.5, 2.0, 3.0, 7.0])
    for order in (1, 2):
        compare(at, theirs, x, dim=(1,), spacing=[places], edge_order=order, **CLOSE)
    with pytest.raises(ShapeError, match="at least 3 elements along dimension 0"):
        integration.gradient(numpy_constant(random(2)), edge_order=2)
    with pytest.raises(ArgumentError, match="2 spacings were given for 1 dim"):
        integration.gradient(numpy_constant(x), spacing=(1.0, 2.0), dim=0)


WINDOWS: dict[str, list[dict[str, Any]]] = {
    "bartlett": [{}],
    "blackman": [{}],
    "cosine": [{}],
    "exponential": [{}, {"tau": 2.5}],
    "gaussian": [{}, {"std": 0.4}],
    "general_cosine": [{"a": [0.2, 0.5, 0.3]}],
    "general_hamming": [{}, {"alpha": 0.6}],
    "hamming": [{}],
    "hann": [{}],
    "kaiser": [{}, {"beta": 3.0}],
    "nuttall": [{}],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    ours, theirs = getattr(signal_windows, name), getattr(torch.signal.windows, name)
    for options in WINDOWS[name]:
        for points in (0, 1, 2, 7):
            for sym in (True, False):
                (found,) = evaluate([ours(points, sym=sym, dtype="float64", **options)])
                expected = theirs(points, sym=sym, dtype=torch.float64, **options)
                np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-13)
    with pytest.raises(ArgumentError, match="int from 0 on"):
        ours(-1, **WINDOWS[name][0])


def test_windows_refuse() -> None:
    with pytest.raises(ArgumentError, match="std must be positive"):
        signal_windows.gaussian(3, std=0.0)
    with pytest.raises(ArgumentError, match="tau must be positive"):
        signal_windows.exponential(3, tau=-1.0)
    with pytest.raises(ArgumentError, match="center in the middle"):
        signal_windows.exponential(3, center=1.0)
    with pytest.raises(ArgumentError, match="must not be negative"):
        signal_windows.kaiser(3, beta=-1.0)
    with pytest.raises(ArgumentError, match="at least one factor"):
        signal_windows.general_cosine(3, a=[])
    with pytest.raises(ArgumentError, match="needs float32 or float64, got int64"):
        signal_windows.hann(3, dtype="int64")
