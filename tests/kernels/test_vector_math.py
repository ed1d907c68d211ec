"""Accuracy of vector math on dense samples of the whole range, special values, and the same bits for any lanes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onegraph.ir.dtype import DType, float32, float64
from onegraph.kernels.compile import compile_text
from onegraph.kernels.llvm import Module
from onegraph.kernels.math_trigonometric import two_over_pi
from onegraph.kernels.target import Target, host
from onegraph.kernels.vector_math import FUNCTIONS, call
from tests.kernels.pointwise import PLAIN, Array, math_kernel, units_in_the_last_place

TARGETS = [None, PLAIN]
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 1e-300, 5e-324, -5e-324, 1e19)


def sigmoid(x: Array) -> Array:
    return np.asarray(np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))))


def erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


EXACT: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "sigmoid": sigmoid, "erf": erf, "pow": np.power, "atan2": np.arctan2,
}  # fmt: skip
UNARY = [name for name in EXACT if name not in ("pow", "atan2")]


def arguments(dtype: DType, count: int = 8_000) -> Array:
    """Numbers of all sizes (evenly spread bit patterns), more of them in the ranges where functions bend."""
    rng = np.random.default_rng(count)
    last = 2 ** (8 * dtype.itemsize) - 1
    patterns = np.array([i * last // (count - 1) for i in range(count)], f"uint{8 * dtype.itemsize}")
    ranges = [rng.uniform(-w, w, count) for w in (1, 20, 104 if dtype is float32 else 745, 1e5)]
    return np.concatenate([patterns.view(dtype.numpy), *[r.astype(dtype.numpy) for r in ranges], SPECIAL_OF[dtype]])


with np.errstate(all="ignore"):
    SPECIAL_OF = {d: np.array(SPECIAL).astype(d.numpy) for d in (float32, float64)}


def pairs(dtype: DType) -> tuple[Array, Array]:
    rng, count, special = np.random.default_rng(3), 8_000, SPECIAL_OF[dtype]
    a = [np.exp(rng.uniform(-700, 700, count)), np.exp(rng.uniform(-1, 1, count)), rng.uniform(-10, 10, count)]
    b = [rng.uniform(-2, 2, count), rng.uniform(-700, 700, count), rng.integers(-20, 20, count).astype(np.float64)]
    a.append(1 + rng.uniform(-1e-9, 1e-9, count))
    b.append(rng.uniform(-1e11, 1e11, count))
    with np.errstate(all="ignore"):
        first = np.concatenate([*a, np.repeat(special, special.size)]).astype(dtype.numpy)
        return first, np.concatenate([*b, np.tile(special, special.size)]).astype(dtype.numpy)


def wide(dtype: DType) -> Any:
    """A type with more digits."""
    if dtype is float32:
        return np.float64
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no type with more digits than float64")
    return np.longdouble


def check(name: str, dtype: DType, target: Target | None, limit: float, *x: Array) -> None:
    kernel = math_kernel(name, dtype, len(x), (target or host()).lanes(dtype.bits), target)
    actual = kernel(*x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](*[a.astype(wide(dtype)) for a in x])
    error = units_in_the_last_place(actual, exact)
    worst = int(np.argmax(error))
    assert error[worst] <= limit, (name, [a[worst] for a in x], actual[worst], exact[worst])
    number = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(actual[number]), np.signbit(exact[number]))


def test_every_function_is_tested() -> None:
    assert set(EXACT) == set(FUNCTIONS)


@pytest.mark.parametrize("target", TARGETS, ids=["host", "plain"])
@pytest.mark.parametrize("name", UNARY)
def test_float32_is_within_two_units(name: str, target: Target | None) -> None:
    check(name, float32, target, 2.0, arguments(float32))


@pytest.mark.parametrize("target", TARGETS, ids=["host", "plain"])
@pytest.mark.parametrize("name", [n for n in UNARY if n != "erf"])
def test_float64_is_within_four_units(name: str, target: Target | None) -> None:
    x = arguments(float64)
    check(name, float64, target, 4.0, x[: -8_000 - len(SPECIAL)] if name in ("sin", "cos", "tan") else x)


@pytest.mark.parametrize("target", TARGETS, ids=["host", "plain"])
def test_erf_of_float64(target: Target | None) -> None:
    """math.erf itself is within one unit."""
    x = arguments(float64, 2000)
    actual = math_kernel("erf", float64, 1, 4, target)(x)
    assert units_in_the_last_place(actual, erf(x)).max() <= 4


@pytest.mark.parametrize("target", TARGETS, ids=["host", "plain"])
@pytest.mark.parametrize("dtype", [float32, float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_two_arguments(name: str, dtype: DType, target: Target | None) -> None:
    check(name, dtype, target, 2.0 if dtype is float32 else 4.0, *pairs(dtype))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_all_digits_of_pi_for_huge_float64(name: str) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(5)
    x = np.ldexp(rng.uniform(1, 2, 300), rng.integers(20, 1024, 300))
    hard = 6381956970095103 * 2.0**797  # of all float64, the nearest to a multiple of pi/2
    x = np.concatenate([x, -x, [hard, -hard, 710.0, 2.0**30, 2.0**30 + 1]])
    with mpmath.workprec(1300):
        exact = np.array([np.longdouble(mpmath.nstr(getattr(mpmath, name)(mpmath.mpf(float(v))), 25)) for v in x])
    for target in TARGETS:
        assert units_in_the_last_place(math_kernel(name, float64, 1, 2, target)(x), exact).max() <= 4


@pytest.mark.parametrize("name", list(EXACT))
def test_results_do_not_depend_on_the_number_of_lanes(name: str) -> None:
    for dtype, lanes in ((float32, (1, 4, 16)), (float64, (1, 2, 16))):
        x = pairs(dtype) if name in ("pow", "atan2") else (arguments(dtype, 2000),)
        first, *others = (math_kernel(name, dtype, len(x), n)(*x) for n in lanes)
        for other in others:
            np.testing.assert_array_equal(np.isnan(first), np.isnan(other))
            np.testing.assert_array_equal(np.nan_to_num(first), np.nan_to_num(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_float32_is_within_two_units_at_many_more_points(name: str) -> None:
    check(name, float32, None, 2.0, arguments(float32, 1_000_000))


def test_two_over_pi() -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workprec(1400):
        expected = int(mpmath.floor(2 / mpmath.pi * mpmath.mpf(2) ** 1216))
    number = 0
    for word in two_over_pi():
        number = number << 64 | word
    assert number == expected


def test_a_function_is_written_once_a_module() -> None:
    module = Module()
    f = module.function("f", [("float", "x")], "float")
    f.ret(call(f, "exp", [call(f, "exp", [f.arguments[0]])]))
    assert len(module.functions) == 2


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf", "expm1", "asin", "pow", "atan2"])
def test_nothing_is_called(name: str) -> None:
    module, lanes = Module(), host().lanes(32)
    type_ = f"<{lanes} x float>"
    count = 2 if name in ("pow", "atan2") else 1
    f = module.function("f", [(type_, f"x{i}") for i in range(count)], type_)
    f.ret(call(f, name, f.arguments, host().has_fma))
    if host().vector_bits > 128:
        assert "call" not in compile_text(str(module), assembly=True)


@pytest.mark.parametrize("target", TARGETS, ids=["host", "plain"])
@pytest.mark.parametrize("lanes", [1, 4, 8, 16, 32])
@pytest.mark.parametrize(("dtype", "least"), [(float32, -104.0), (float64, -746.0)])
def test_powers_around_the_smallest(dtype: DType, least: float, lanes: int, target: Target | None) -> None:
    """Below the smallest number nothing is left to the processor's slow rounding; what is not zero is rounded."""
    edge = dtype.numpy.type(least)
    below = [-math.inf, -1e30, 1.5 * least, np.nextafter(edge, dtype.numpy.type(-math.inf)), edge]
    x = np.array([*below, least + 1, least + 2, 0.0, math.nan], dtype.numpy)
    actual = math_kernel("exp", dtype, 1, lanes, target)(np.tile(x, 8)[:64])
    with np.errstate(under="ignore"):
        exact = np.exp(np.tile(x, 8)[:64].astype(wide(dtype))).astype(dtype.numpy)
    np.testing.assert_array_equal(actual, exact)
    assert not actual[: len(below)].any() and actual[len(below)] > 0
