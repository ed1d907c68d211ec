"""Statistics, variances, norms and quantiles against PyTorch, gradients included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bfloat16, float32
from onegraph.ir.node import input_node
from onegraph.ops import quantiles, statistics, variance
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

SHAPES_AND_DIMS: list[tuple[tuple[int, ...], Any]] = [
    ((), None),
    ((5,), None),
    ((5,), 0),
    ((2, 3, 4), None),
    ((2, 3, 4), 1),
    ((2, 3, 4), -1),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), []),
    ((), 0),
]
shapes_and_dims = pytest.mark.parametrize(("shape", "dim"), SHAPES_AND_DIMS)
INTEGERS = np.array([[3, -1, 0], [2, 5, 5]])
ZEROS = np.array([[1.5, 0.0, 2.0], [0.0, 0.0, -1.0], [1.0, 2.0, 3.0]])
NANS = np.array([[1.0, math.nan, 3.0, 2.0], [math.nan, math.nan, math.nan, math.nan], [4.0, 1.0, -2.0, 0.5]])


@pytest.mark.parametrize("name", ["sum", "mean", "nansum", "nanmean", "amax", "amin", "logsumexp"])
@pytest.mark.parametrize("keepdim", [False, True])
@shapes_and_dims
def test_over_dimensions(name: str, shape: tuple[int, ...], dim: Any, keepdim: bool) -> None:
    if dim is None:
        dim = list(range(len(shape)))
    if name == "logsumexp" and dim == []:
        return
    compare(getattr(statistics, name), getattr(torch, name), random(*shape), dim=dim, keepdim=keepdim)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "amax", "amin", "median", "nansum", "nanmean"])
@pytest.mark.parametrize("shape", [(), (1,), (4, 5)])
def test_over_everything(name: str, shape: tuple[int, ...]) -> None:
    ours = quantiles.median if name == "median" else getattr(statistics, name)
    compare(ours, getattr(torch, name), random(*shape))


@pytest.mark.parametrize(
    "name", ["sum", "prod", "amax", "amin", "max", "argmax", "argmin", "count_nonzero", "any", "all"]
)
def test_integers_and_bools(name: str) -> None:
    for array in (INTEGERS, INTEGERS.astype(np.int32), INTEGERS.astype(np.uint8), INTEGERS > 0):
        if array.dtype == bool and name.startswith("arg"):
            continue
        compare(getattr(statistics, name), getattr(torch, name), array)
        compare(getattr(statistics, name), getattr(torch, name), array, 1)


def test_sum_in_another_dtype() -> None:
    (value,) = evaluate([statistics.sum(numpy_constant(INTEGERS), dtype=float32)])
    assert value.dtype == np.float32 and value == 14


@pytest.mark.parametrize("dim", [None, 0, 1, -1])
def test_prod_at_zeros(dim: int | None) -> None:
    compare(statistics.prod, torch.prod, ZEROS, **({} if dim is None else {"dim": dim}))


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian"])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), [((5,), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((), 0), ((), -1)])
def test_values_and_indices(name: str, shape: tuple[int, ...], dim: int, keepdim: bool) -> None:
    ours = getattr(quantiles if "median" in name else statistics, name)
    compare(ours, getattr(torch, name), random(*shape), dim, keepdim)


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_the_gradient_of_the_whole_but_not_of_a_dimension(name: str) -> None:
    ties = np.array([[2.0, 5.0, 5.0], [5.0, 2.0, 2.0]])
    compare(getattr(statistics, name), getattr(torch, name), ties)
    compare(getattr(statistics, name), getattr(torch, name), ties, 1)
    compare(getattr(statistics, "a" + name), getattr(torch, "a" + name), ties, 1)


@pytest.mark.parametrize("name", ["max", "min"])
def test_max_of_two_tensors(name: str) -> None:
    compare(getattr(statistics, name), getattr(torch, name), random(2, 3), random(3, seed=1))


def test_named_results() -> None:
    x = numpy_constant(random(2, 3))
    result = statistics.max(x, 1)
    assert isinstance(result, tuple) and result._fields == ("values", "indices")
    assert statistics.aminmax(x)._fields == ("min", "max")
    compare(statistics.aminmax, torch.aminmax, random(2, 3), dim=1, keepdim=True)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "median", "nanmedian"])
def test_nan(name: str) -> None:
    ours = getattr(quantiles if "median" in name else statistics, name)
    rows = NANS[[0, 2]]  # PyTorch leaves open which NaN is found in a row of nothing else
    compare(ours, getattr(torch, name), rows, 1, gradients=False)
    compare(ours, getattr(torch, name), NANS, gradients=False)


def test_nansum_and_nanmean_skip_nan() -> None:
    compare(statistics.nansum, torch.nansum, NANS, 1)
    compare(statistics.nanmean, torch.nanmean, NANS[[0, 2]], 1)
    assert math.isnan(evaluate([statistics.nanmean(numpy_constant(NANS[1]))])[0])


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1])
def test_arguments_of_extremes(dim: int | None, keepdim: bool) -> None:
    for name in ("argmax", "argmin"):
        compare(getattr(statistics, name), getattr(torch, name), random(3, 4), dim=dim, keepdim=keepdim)


@pytest.mark.parametrize("name", ["any", "all"])
def test_truth_of_nothing(name: str) -> None:
    compare(getattr(statistics, name), getattr(torch, name), np.zeros((0, 3), bool))
    compare(getattr(statistics, name), getattr(torch, name), np.zeros((0, 3), bool), 0)
    compare(getattr(statistics, name), getattr(torch, name), np.array([[math.nan, 0.0], [0.0, 0.0]]), 1)


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
@pytest.mark.parametrize("correction", [0, 1, 2])
@pytest.mark.parametrize(("shape", "dim"), [((5,), None), ((2, 3, 4), (0, 2)), ((2, 3, 4), 1), ((2, 3, 4), None)])
def test_variance(name: str, correction: int, shape: tuple[int, ...], dim: Any) -> None:
    for keepdim in (False, True):
        compare(
            getattr(variance, name), getattr(torch, name), random(*shape), dim, correction=correction, keepdim=keepdim
        )


def test_variance_takes_unbiased_in_both_places() -> None:
    compare(variance.var, torch.var, random(6), False)
    compare(variance.var, torch.var, random(2, 6), 1, False, True)
    with pytest.raises(ArgumentError, match="unbiased or correction"):
        variance.var(numpy_constant(random(4)), 0, True, correction=0)


def test_the_gradient_of_a_standard_deviation_of_zero_is_zero() -> None:
    compare(variance.std, torch.std, np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]]), 1)


@pytest.mark.parametrize("rows", [np.array([[-math.inf, -math.inf], [0.0, -math.inf]]), np.array([[1000.0, 1000.5]])])
def test_logsumexp_at_extremes(rows: np.ndarray) -> None:
    compare(statistics.logsumexp, torch.logsumexp, rows, 1, gradients=bool(np.isfinite(rows).all()))


def test_logsumexp_of_nothing_but_minus_infinity_has_no_gradient_and_not_nan() -> None:
    x = numpy_constant(np.array([-math.inf, -math.inf]))
    (g,) = gradient([statistics.logsumexp(x, 0)], [None], [x])
    np.testing.assert_array_equal(evaluate([g])[0], [0, 0])


def test_logsumexp_of_integers_and_of_nothing() -> None:
    compare(statistics.logsumexp, torch.logsumexp, INTEGERS, 1)
    compare(statistics.logsumexp, torch.logsumexp, np.zeros((2, 0)), 1, gradients=False)


@pytest.mark.parametrize("p", ["fro", 2, 1, 0, 3, 0.5, 1.5, -1, math.inf, -math.inf])
@pytest.mark.parametrize("dim", [None, 1, (0, 2)])
def test_norm(p: Any, dim: Any) -> None:
    dims = [dim] if isinstance(dim, int) else dim
    for keepdim in (False, True):
        compare(statistics.norm, torch.norm, random(2, 3, 4), p=p, dim=dims, keepdim=keepdim, gradients=p != 0)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_the_gradient_of_a_norm_of_zero_is_zero(p: int) -> None:
    compare(statistics.norm, torch.norm, np.zeros((2, 3)), p=p)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_dist(p: float) -> None:
    compare(statistics.dist, torch.dist, random(2, 3), random(3, seed=3), p)


def test_half_precision_is_added_in_float32() -> None:
    many = cast(numpy_constant(np.full(4096, 100.0, np.float32)), bfloat16)
    values = evaluate([statistics.mean(many), variance.std(many), statistics.norm(many)])
    np.testing.assert_array_equal(values, [100.0, 0.0, 6400.0])


def test_covariance_and_correlation() -> None:
    compare(variance.cov, torch.cov, random(3, 7))
    compare(variance.cov, torch.cov, random(7), correction=0)
    compare(variance.cov, torch.cov, random(1, 7))
    compare(variance.corrcoef, torch.corrcoef, random(3, 7))
    weights = {"fweights": np.array([1, 2, 1, 3]), "aweights": np.array([0.5, 1.0, 2.0, 1.5])}
    compare(variance.cov, torch.cov, random(3, 4), gradients=False, **weights)


@pytest.mark.parametrize("interpolation", quantiles.INTERPOLATIONS)
@pytest.mark.parametrize("dim", [None, 0, 1])
@pytest.mark.parametrize("q", [0.3, 1.0, np.array([0.0, 0.25, 0.6])])
def test_quantile(interpolation: str, dim: int | None, q: Any) -> None:
    for keepdim in (False, True):
        keywords = {"dim": dim, "keepdim": keepdim, "interpolation": interpolation}
        theirs = _with_fixed_fractions(torch.quantile, q)
        ours = _with_fixed_fractions(quantiles.quantile, q)
        compare(ours, theirs, random(5, 3), **keywords)


def _with_fixed_fractions(function: Any, q: Any) -> Any:
    def call(x: Any, **keywords: Any) -> Any:
        fractions = torch.tensor(q) if isinstance(x, torch.Tensor) and isinstance(q, np.ndarray) else q
        return function(x, fractions, **keywords)

    return call


def test_quantile_with_nan() -> None:
    compare(quantiles.quantile, torch.quantile, NANS, 0.4, 1, gradients=False)
    compare(quantiles.nanquantile, torch.nanquantile, NANS, 0.4, 1, gradients=False)


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 0.0)])
def test_histc(limits: tuple[float, float]) -> None:
    compare(quantiles.histc, torch.histc, random(30), 7, *limits, gradients=False)
    compare(quantiles.histc, torch.histc, np.full(3, 2.0), 4, 0.0, 0.0, gradients=False)


def test_unknown_sizes() -> None:
    rows = Dim.unknown("rows")
    x = input_node((rows, 3), float32)
    assert statistics.mean(x, 0).shape == (3,) and variance.var(x, 1).shape == (rows,)
    total = statistics.logsumexp(x, (0, 1))
    for y in (statistics.mean(x), variance.std(x), statistics.norm(x), total, quantiles.median(x)):
        (g,) = gradient([y], [None], [x])
        assert y.shape == () and g is not None and g.shape == x.shape


def test_errors() -> None:
    integers, empty = numpy_constant(INTEGERS), numpy_constant(np.zeros((0, 3)))
    with pytest.raises(DTypeError, match=r"mean: needs a floating dtype, got int64 \(2, 3\)"):
        statistics.mean(integers)
    with pytest.raises(DTypeError, match="var: needs a floating dtype"):
        variance.var(integers)
    with pytest.raises(OutOfRangeError, match="sum: dimension 2 is out of range"):
        statistics.sum(integers, 2)
    with pytest.raises(ShapeError, match="has no elements"):
        statistics.max(empty)
    with pytest.raises(ArgumentError, match="p must be a number"):
        statistics.norm(empty, "max")
    with pytest.raises(ArgumentError, match="interpolation must be one of"):
        quantiles.quantile(empty, 0.5, interpolation="cubic")
    with pytest.raises(ArgumentError, match="within 0 and 1"):
        quantiles.quantile(empty, 1.5)


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({"fweights": random(4)}, DTypeError),
        ({"aweights": np.array([1, 2, 1, 2])}, DTypeError),
        ({"fweights": np.array([1])}, ShapeError),
        ({"aweights": random(4, 4)}, ShapeError),
    ],
)
def test_covariance_refuses_bad_weights(weights: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"cov: [af]weights must"):
        variance.cov(numpy_constant(random(3, 4)), **{k: numpy_constant(w) for k, w in weights.items()})
