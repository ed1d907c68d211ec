"""Mean and variance of the same values become one `moments` node."""

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.ir.dtype import float16, float64
from onegraph.ops.binary import ADD, DIV, MUL, SUB
from onegraph.ops.cast import CAST
from onegraph.ops.evaluate import run_graph
from onegraph.ops.leaf import constant
from onegraph.ops.moments import MOMENTS
from onegraph.ops.normalization import moments as mean_and_variance
from onegraph.ops.reduction import SUM
from onegraph.ops.variance import var_mean
from onegraph.passes.moments import find_moments
from onegraph.passes.pipeline import optimize
from tests.passes.graphs import check, graph_of, text


def ops_of(graph):
    return [n.op for n in graph.nodes()]


def test_golden():
    check(
        find_moments,
        graph_of(lambda x: mean_and_variance(x, (0, 2))[:2], (3, 4, 5)),
        """%1: f32[2, 4] = moments(%0, dims=(0, 2))
        %2: f32[1, 4] = slice(%1, starts=(0, 0), stops=(1, 4), steps=(1, 1))
        %3: f32[1, 4, 1] = reshape(%2, shape=(1, 4, 1))
        %4: f32[1, 4] = slice(%1, starts=(1, 0), stops=(2, 4), steps=(1, 1))
        %5: f32[1, 4, 1] = reshape(%4, shape=(1, 4, 1))
        %6: f32[] = constant(value=f32[](15.0))
        %7: f32[1, 4, 1] = div(%5, %6)
        return %3, %7""",
    )


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", [float64, float16])
def test_variance_functions_are_found(correction, keepdim, dtype):
    def build(x):
        return var_mean(x, (0, 1), correction=correction, keepdim=keepdim)

    found = check(optimize, graph_of(build, (2, 4, 13), dtype=dtype))
    assert ops_of(found).count("moments") == 1 and "sum" not in ops_of(found)


def test_a_power_of_two_is_found_as_a_product():
    graph = graph_of(lambda x: mean_and_variance(x, (0,))[:2], (8, 3))
    found = check(optimize, graph)
    assert "moments" in ops_of(found) and "sum" not in ops_of(found)


def test_two_shapes_of_the_sums_share_one_node():
    def build(x):
        _, variance, centered = mean_and_variance(x, (0,))
        return [variance, SUM(MUL(centered, centered), dims=(0,), keepdim=False)]

    found = check(find_moments, graph_of(build, (7, 3)))
    assert ops_of(found).count("moments") == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda x: mean_and_variance(x, (1, 2))[1],  # trailing: a row stays in the cache
        lambda x: mean_and_variance(x, (0, 1, 2))[1],
        lambda x: DIV(SUM(x, dims=(0,), keepdim=True), constant(3, x.dtype)),  # no variance
        lambda x: SUM(MUL(x, x), dims=(0,), keepdim=True),
        lambda x: _deviations(x, 4.0),  # not the mean
        lambda x: _deviations(x, 3.0, other=(1,)),  # of other dimensions
    ],
)
def test_what_is_no_pair_stays(build):
    graph = graph_of(build, (3, 3, 5))
    assert check(find_moments, graph) is graph


def _deviations(x, count, other=(0,)):
    center = DIV(SUM(x, dims=other, keepdim=True), constant(count, x.dtype))
    centered = SUB(x, center)
    return SUM(MUL(centered, centered), dims=(0,), keepdim=False)


def test_deviations_from_the_mean_are_found_wherever_they_go():
    found = check(find_moments, graph_of(lambda x: ADD(_deviations(x, 3.0), constant(1, x.dtype)), (3, 3, 5)))
    assert "moments" in ops_of(found)


def test_batch_norm_in_training_with_its_gradient():
    og.manual_seed(0)
    layer = nn.BatchNorm2d(3)

    def step(x: og.Tensor) -> tuple[og.Tensor, og.Tensor]:
        y = layer(x)
        loss = (y * y * y).sum()
        loss.backward()
        return y, loss

    graph = og.jit(step).trace(og.randn(4, 3, 5, 5)).graph
    found = optimize(graph)
    assert ops_of(found).count("moments") == 1
    random = np.random.default_rng(0)
    values = [np.asarray(random.uniform(0.5, 1.5, n.shape)).astype(n.dtype.numpy) for n in graph.inputs]
    for before, after in zip(run_graph(graph, values), run_graph(found, values), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)


def test_the_reference_does_not_cancel():
    x = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32) + 4096
    mean, squares = MOMENTS.reference(x, dims=(0,))
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-6)
    np.testing.assert_allclose(squares / 1000, x.astype(np.float64).var(0), rtol=1e-4)


def test_moments_of_integers_are_refused():
    with pytest.raises(og.errors.DTypeError, match="moments"):
        graph_of(lambda x: MOMENTS(CAST(x, dtype=og.int64), dims=(0,)), (3,))
    with pytest.raises(og.errors.ShapeError, match="moments"):
        graph_of(lambda x: MOMENTS(x, dims=(1,)), (3,))
    assert "moments(%0" in text(graph_of(lambda x: MOMENTS(x, dims=(0,)), (3,)))
