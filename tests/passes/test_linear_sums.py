"""The gradient of batch normalization needs two sums, not four."""

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.ir.verify import verify
from onegraph.ops.binary import ADD, MUL, SUB
from onegraph.ops.elementwise import NEG
from onegraph.ops.movement import EXPAND
from onegraph.ops.normalization import moments
from onegraph.ops.record import check_rule
from onegraph.ops.reduction import SUM
from onegraph.passes.linear_sums import simplify_linear_sums
from onegraph.passes.moments import find_moments
from onegraph.passes.pipeline import optimize
from tests.passes.graphs import graph_of, run, text

X, C, DIMS = (3, 4, 5), (1, 4, 1), (0, 2)


def total(x, keepdim=False):
    return SUM(x, dims=DIMS, keepdim=keepdim)


def applied(build, *shapes):
    """The graph before and after, moments found in both; their values are compared."""
    graph = find_moments(graph_of(build, *shapes))
    found = simplify_linear_sums(graph)
    verify(found, check_rule)
    random = np.random.default_rng(0)
    values = [random.uniform(0.5, 1.5, n.shape).astype(np.float32) for n in graph.inputs]
    for before, after in zip(run(graph, values), run(found, values), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-5, atol=2e-5)
    return graph, found


def test_golden():
    def build(x, g, a, b):
        _, variance, centered = moments(x, DIMS)
        moved = NEG(ADD(MUL(MUL(g, a), b), MUL(EXPAND(a, shape=X), centered)))
        return [variance, total(moved), total(g), total(centered, True)]

    graph, found = applied(build, X, X, C, C)
    assert text(graph).count("sum(") == 3
    assert text(found).splitlines()[-9:] == [
        "%9: f32[1, 4, 1] = sum(%1, dims=(0, 2), keepdim=True)",
        "%10: f32[1, 4, 1] = mul(%9, %2)",
        "%11: f32[1, 4, 1] = mul(%10, %3)",
        "%12: f32[1, 4, 1] = neg(%11)",
        "%13: f32[4] = reshape(%12, shape=(4,))",
        "%14: f32[4] = reshape(%9, shape=(4,))",
        "%15: f32[] = constant(value=f32[](0.0))",
        "%16: f32[1, 4, 1] = expand(%15, shape=(1, 4, 1))",
        "return %8, %13, %14, %16",
    ]


def test_products_that_differ_by_a_constant_factor_share_a_sum():
    def build(x, g, a):
        _, variance, centered = moments(x, DIMS)
        return [variance, total(MUL(MUL(g, a), centered)), total(MUL(g, MUL(centered, a)), True)]

    _, found = applied(build, X, X, C)
    assert text(found).count("sum(") == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda x, g, a: [total(MUL(g, a))],  # alone
        lambda x, g, a: [total(ADD(g, MUL(g, g)))],
        lambda x, g, a: [total(ADD(SUB(x, a), a))],  # deviations, but not from the mean
        lambda x, g, a: [SUM(MUL(g, a), dims=(0, 1), keepdim=False), total(g)],  # other dimensions
        lambda x, g, a: [total(ADD(g, EXPAND(a, shape=X)))],  # a term that does not vary
    ],
)
def test_sums_that_stay(build):
    graph, found = applied(lambda x, g, a: [moments(x, DIMS)[1], *build(x, g, a)], X, X, C)
    assert found is graph


def test_without_moments_nothing_is_done():
    graph = graph_of(lambda g, a: [total(MUL(g, a)), total(g)], X, C)
    assert simplify_linear_sums(graph) is graph


def test_the_gradient_of_batch_norm_has_two_sums():
    og.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU())

    def step(x: og.Tensor, g: og.Tensor) -> og.Tensor:
        y = network(x)
        y.backward(g)
        return y

    graph = og.jit(step).trace(og.randn(2, 3, 7, 7), og.randn(2, 3, 5, 5)).graph
    found = optimize(graph)
    assert sum(n.op == "sum" for n in found.nodes()) == 2
    random = np.random.default_rng(0)
    values = [np.asarray(random.uniform(0.5, 1.5, n.shape)).astype(n.dtype.numpy) for n in graph.inputs]
    for before, after in zip(run(graph, values), run(found, values), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)
