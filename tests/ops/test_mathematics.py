"""Elementwise compositions and special functions against PyTorch on ordinary and extreme values, gradients included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import bfloat16
from onegraph.ops import integration, mathematics, special
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.public import PUBLIC
from tests.ops.torch_oracle import compare, random, torch

INF, NAN = math.inf, math.nan
WIDE = np.array([-1e30, -700.0, -33.3, -5.5, -2.0, -1.0, -0.25, 1e-8, 0.3, 1.0, 2.0, 4.75, 40.0, 900.0, 1e30])
EDGES = np.array([INF, -INF, NAN, 0.0, -0.0])

UNARY: dict[str, np.ndarray] = {
    "exp2": np.clip(WIDE, -1000, 1000),
    "log2": np.abs(WIDE),
    "log10": np.abs(WIDE),
    "sinc": np.array([-2.3, -0.5, 0.1, 0.7, 1.0, 2.5]),
    "frac": np.array([-2.3, -0.5, 0.1, 0.7, 1.5, 200.25]),
    "logit": np.array([0.01, 0.3, 0.5, 0.9]),
    "asinh": WIDE,
    "acosh": np.array([1.0 + 1e-9, 1.5, 2.0, 30.0, 1e10, 1e200]),
    "atanh": np.array([-0.99999, -0.5, 1e-9, 0.1, 0.9]),
    "deg2rad": WIDE,
    "rad2deg": WIDE,
    "erfc": np.array([-30.0, -3.0, -0.6, -0.5, -0.2, 0.0, 0.4, 0.5, 0.51, 1.0, 3.0, 9.0, 20.0, 26.0]),
    "erfinv": np.array([-0.9999999, -0.99, -0.5, -1e-9, 0.0, 1e-3, 0.3, 0.8, 0.999, 1 - 1e-12]),
    "lgamma": np.array([-30.7, -2.5, -0.5, -1e-3, 1e-5, 0.3, 0.5, 1.0, 1.7, 2.0, 3.0, 12.5, 1e4, 1e20]),
    "digamma": np.array([-30.7, -2.5, -0.5, -1e-3, 1e-5, 0.3, 0.5, 1.0, 1.7, 2.0, 3.0, 12.5, 1e4, 1e12]),
    "nan_to_num": WIDE,
    "positive": WIDE,
}
SPECIAL: dict[str, np.ndarray] = {
    "erfcx": np.array([-5.0, -0.5, 0.0, 0.3, 2.0, 30.0, 1e9]),
    "entr": np.array([0.01, 0.3, 1.0, 4.0]),
    "ndtr": np.array([-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 10.0]),
    "log_ndtr": np.array([-20.0, -3.0, -1.0, -0.5, 0.0, 0.5, 3.0]),
    "ndtri": np.array([0.01, 0.3, 0.5, 0.999]),
    "gammaln": np.array([0.3, 4.0]),
    "psi": np.array([0.3, 4.0]),
    "expit": np.array([-3.0, 0.2]),
    "exp2": np.array([-3.0, 0.2]),
    "log1p": np.array([0.2, 3.0]),
    "expm1": np.array([0.2, 3.0]),
    "erf": np.array([0.2, 3.0]),
    "erfc": np.array([0.2, 3.0]),
    "erfinv": np.array([0.2, 0.3]),
    "logit": np.array([0.2, 0.3]),
    "sinc": np.array([0.2, 0.3]),
    "digamma": np.array([0.2, 3.0]),
}
RELATIVE = {"log_ndtr": 1e-7, "asinh": 1e-7, "lgamma": 1e-8}


def ours(name: str, namespace: str = "") -> Any:
    """The function that front ends offer under a name."""
    (found,) = [p.function for p in PUBLIC if p.namespace == namespace and name in p.names]
    return found


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    compare(
        ours(name),
        getattr(torch, name),
        UNARY[name],
        rtol=RELATIVE.get(name, 1e-10),
        atol=1e-14 if name == "lgamma" else 1e-17,
    )


@pytest.mark.parametrize("name", UNARY)
def test_unary_in_single_precision(name: str) -> None:
    x = np.unique(UNARY[name].clip(-1e30, 1e30).astype(np.float32))
    x = x[np.abs(x) < 1] if name in ("atanh", "erfinv") else x[x > 1] if name == "acosh" else x
    compare(ours(name), getattr(torch, name), x, gradients=False, rtol=4e-6, atol=1e-6)


@pytest.mark.parametrize("name", SPECIAL)
def test_special(name: str) -> None:
    compare(
        ours(name, "special"),
        getattr(torch.special, name),
        SPECIAL[name],
        gradients=name != "erfcx",  # PyTorch has none
        rtol=RELATIVE.get(name, 1e-9),
        atol=1e-13,
    )


@pytest.mark.parametrize("name", [*UNARY, "signbit", "isposinf", "isneginf", "isreal"])
def test_edges(name: str) -> None:
    compare(ours(name), getattr(torch, name), EDGES, gradients=False)


@pytest.mark.parametrize("name", ["erfcx", "entr", "ndtr", "log_ndtr"])
def test_edges_of_special(name: str) -> None:
    compare(ours(name, "special"), getattr(torch.special, name), EDGES, gradients=False)


def test_edges_inside_the_domain() -> None:
    compare(special.erfinv, torch.erfinv, np.array([-1.0, 1.0, 1.5, -2.0]), gradients=False)
    compare(special.lgamma, torch.lgamma, np.array([-1.0, -2.0, 0.0, 171.0]), gradients=False)
    compare(special.digamma, torch.digamma, np.array([-1.0, -2.0, 1.0]), gradients=False)
    compare(mathematics.acosh, torch.acosh, np.array([0.5, -3.0, -1.0, 1.0]), gradients=False)
    compare(mathematics.atanh, torch.atanh, np.array([-1.0, 1.0, 1.5]), gradients=False)


@pytest.mark.parametrize("name", ["exp2", "log2", "log10", "sinc", "asinh", "deg2rad", "erfc", "lgamma", "logit"])
def test_integers_become_floats(name: str) -> None:
    compare(ours(name), getattr(torch, name), np.array([1, 2, 3]), gradients=False, atol=1e-6)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "xlogy", "hypot", "copysign", "ldexp", "float_power"])
def test_binary(name: str) -> None:
    a, b = np.abs(random(4, 3)) + 0.1, np.abs(random(3, seed=5)) + 0.1
    compare(ours(name), getattr(torch, name), a, b)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "hypot", "copysign"])
def test_binary_at_edges(name: str) -> None:
    values = np.array([INF, -INF, 0.0, -0.0, 1.0, -1e300, 1e300])
    compare(ours(name), getattr(torch, name), values[:, None], values, gradients=False)


def test_logaddexp_of_equal_numbers_shares_the_gradient() -> None:
    compare(mathematics.logaddexp, torch.logaddexp, np.array([2.0, 1000.0]), np.array([2.0, -1000.0]))


def test_zero_times_a_logarithm() -> None:
    x, y = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, NAN, INF, 0.0])
    compare(mathematics.xlogy, torch.xlogy, x, y, gradients=False)
    compare(mathematics.xlog1py, torch.special.xlog1py, x, y - 1, gradients=False)
    compare(mathematics.xlog1py, torch.special.xlog1py, random(3), np.abs(random(3, seed=2)))


def test_heaviside() -> None:
    values = np.array([-1.0, 0.0, -0.0, 2.0, INF, NAN])
    compare(mathematics.heaviside, torch.heaviside, values, np.array(0.25), gradients=False)


def test_nan_to_num_in_every_precision() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        compare(mathematics.nan_to_num, torch.nan_to_num, EDGES.astype(dtype), gradients=False)
    compare(mathematics.nan_to_num, torch.nan_to_num, EDGES, nan=1.0, posinf=2.0, neginf=-3.0)
    (value,) = evaluate([mathematics.nan_to_num(cast(numpy_constant(EDGES), bfloat16))])
    assert value[0] == torch.finfo(torch.bfloat16).max


@pytest.mark.parametrize("eps", [None, 0.1])
def test_logit(eps: float | None) -> None:
    compare(mathematics.logit, torch.logit, np.array([0.05, 0.3, 0.99]), eps)


@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness(equal_nan: bool) -> None:
    a = np.array([1.0, 1.0, INF, INF, NAN, 0.0, 1.0])
    b = np.array([1.0 + 1e-6, 1.1, INF, -INF, NAN, 1e-9, INF])
    compare(mathematics.isclose, torch.isclose, a, b, equal_nan=equal_nan)
    compare(mathematics.isclose, torch.isclose, np.array([100, 3]), np.array([101, 3]), rtol=1e-2)
    for other, expected in ((a, equal_nan), (b, False)):
        found = mathematics.allclose(numpy_constant(a), numpy_constant(other), equal_nan=equal_nan)
        assert found.shape == () and bool(evaluate([found])[0]) is expected


def test_equal() -> None:
    x = numpy_constant(random(2, 3))
    for other, expected in ((random(2, 3), True), (random(2, 3) + 1, False), (random(2, 1), False)):
        assert bool(evaluate([mathematics.equal(x, numpy_constant(other))])[0]) is expected


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_polygamma(n: int) -> None:
    compare(
        lambda x: special.polygamma(n, x), lambda x: torch.polygamma(n, x), np.array([0.3, 1.0, 4.5, 20.0]), rtol=1e-9
    )


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_polygamma_left_of_zero(n: int) -> None:
    x = np.array([-0.5, -3.3, -7.9506, -8.4784, 0.2])
    compare(lambda x: special.polygamma(n, x), lambda x: torch.polygamma(n, x), x, gradients=False, rtol=1e-9)


def test_mvlgamma() -> None:
    compare(special.mvlgamma, torch.mvlgamma, np.array([2.0, 3.5]), 3)


@pytest.mark.parametrize("name", ["erfc", "erfinv", "lgamma", "asinh", "sinc"])
def test_second_derivatives(name: str) -> None:
    x = np.array([0.3, 0.45])
    node, tensor = numpy_constant(x), torch.tensor(x, requires_grad=True)
    ones = numpy_constant(np.ones(2))
    (first,) = gradient([ours(name)(node)], [ones], [node])
    (second,) = gradient([first], [ones], [node])
    (expected,) = torch.autograd.grad(getattr(torch, name)(tensor).sum(), tensor, create_graph=True)
    (expected,) = torch.autograd.grad(expected.sum(), tensor)
    np.testing.assert_allclose(evaluate([second])[0], expected, rtol=1e-6)


@pytest.mark.parametrize(("a", "b", "dim"), [((4, 3), (4, 3), -1), ((3, 5), (3, 5), 0), ((2, 3), (1, 3), 1)])
def test_cross(a: tuple[int, ...], b: tuple[int, ...], dim: int) -> None:
    compare(mathematics.cross, torch.linalg.cross, random(*a), random(*b, seed=1), dim=dim)
    compare(ours("cross", "linalg"), torch.linalg.cross, random(2, 3), random(2, 3, seed=1))


def test_trapezoid() -> None:
    y, x = random(3, 5), np.sort(random(5))
    for name in ("trapezoid", "cumulative_trapezoid"):
        compare(ours(name), getattr(torch, name), y, dx=0.5)
        compare(ours(name), getattr(torch, name), y, x)
        compare(ours(name), getattr(torch, name), y, np.sort(random(3, 5)), dim=0)


def test_errors() -> None:
    x, whole = numpy_constant(random(2, 4)), numpy_constant(np.array([1, 2]))
    with pytest.raises(ShapeError, match=r"cross: no dimension of \(2, 4\) has size 3"):
        mathematics.cross(x, x)
    with pytest.raises(ShapeError, match="must have size 3"):
        mathematics.cross(x, x, 1)
    with pytest.raises(DTypeError, match="isclose: dtypes float64 and int64 differ"):
        mathematics.isclose(x, whole)
    with pytest.raises(DTypeError, match="frac: needs a floating dtype"):
        mathematics.frac(whole)
    with pytest.raises(DTypeError, match="heaviside: dtypes"):
        mathematics.heaviside(x, whole)
    with pytest.raises(ArgumentError, match="x or dx, not both"):
        integration.trapezoid(x, x, dx=1.0)
    with pytest.raises(ArgumentError, match="order must not be negative"):
        special.polygamma(-1, x)
