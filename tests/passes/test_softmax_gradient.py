"""The gradient of softmax reads its result and nothing else of the forward pass."""

import numpy as np
import pytest

import onegraph as og
from onegraph.ir.verify import verify
from onegraph.ops.binary import ADD, DIV, MUL, SUB
from onegraph.ops.elementwise import EXP, NEG
from onegraph.ops.movement import EXPAND, RESHAPE
from onegraph.ops.record import check_rule
from onegraph.ops.reduction import SUM
from onegraph.passes.common_subexpressions import merge_common_subexpressions
from onegraph.passes.pipeline import optimize
from onegraph.passes.softmax_gradient import simplify_softmax_gradient
from tests.passes.graphs import graph_of, run, text

X = (3, 5)


def parts(z, dim=1):
    e = EXP(z)
    s = SUM(e, dims=(dim,), keepdim=True)
    return e, s, DIV(e, s)


def as_differentiated(z, g):
    e, s, p = parts(z)
    total = SUM(NEG(MUL(g, DIV(p, s))), dims=(1,), keepdim=False)
    return MUL(ADD(DIV(g, s), EXPAND(RESHAPE(total, shape=(3, 1)), shape=X)), e)


def applied(build, *shapes):
    graph = merge_common_subexpressions(graph_of(build, *shapes))
    found = simplify_softmax_gradient(graph)
    verify(found, check_rule)
    random = np.random.default_rng(0)
    values = [random.standard_normal(n.shape).astype(np.float32) for n in graph.inputs]
    for before, after in zip(run(graph, values), run(found, values), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-6)
    return graph, found


def test_golden():
    _, found = applied(as_differentiated, X, X)
    assert text(found) == (
        "%2: f32[3, 5] = exp(%0)\n"
        "%3: f32[3, 1] = sum(%2, dims=(1,), keepdim=True)\n"
        "%4: f32[3, 5] = div(%2, %3)\n"
        "%5: f32[3, 5] = mul(%1, %4)\n"
        "%6: f32[3, 1] = sum(%5, dims=(1,), keepdim=True)\n"
        "%7: f32[3, 5] = sub(%1, %6)\n"
        "%8: f32[3, 5] = mul(%4, %7)\n"
        "return %8"
    )


def with_keepdim(z, g):
    e, s, p = parts(z)
    return MUL(e, ADD(SUM(NEG(MUL(DIV(p, s), g)), dims=(1,), keepdim=True), DIV(g, s)))


def with_difference(z, g):
    e, s, p = parts(z)
    return MUL(e, SUB(DIV(g, s), SUM(MUL(DIV(p, s), g), dims=(1,), keepdim=True)))


@pytest.mark.parametrize("build", [with_keepdim, with_difference])
def test_the_same_in_other_forms(build):
    graph, found = applied(build, X, X)
    assert (text(graph).count("div("), text(found).count("div(")) == (3, 1)


def other_gradient(z, g):
    e, s, p = parts(z)
    return MUL(ADD(DIV(g, s), SUM(NEG(MUL(z, DIV(p, s))), dims=(1,), keepdim=True)), e)


def not_negative(z, g):
    e, s, p = parts(z)
    return MUL(ADD(DIV(g, s), SUM(MUL(g, DIV(p, s)), dims=(1,), keepdim=True)), e)


def other_factor(z, g):
    _, s, p = parts(z)
    return MUL(ADD(DIV(g, s), SUM(NEG(MUL(g, DIV(p, s))), dims=(1,), keepdim=True)), z)


def other_dimension(z, g):
    e, s, p = parts(z)
    return MUL(ADD(DIV(g, s), SUM(NEG(MUL(g, DIV(p, s))), dims=(0,), keepdim=True)), e)


@pytest.mark.parametrize("build", [other_gradient, not_negative, other_factor, other_dimension])
def test_what_is_not_the_gradient_stays(build):
    graph, found = applied(build, X, X)
    assert found is graph


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_of_the_function(dim):
    def gradient(x: og.Tensor, g: og.Tensor) -> og.Tensor:
        x = x.detach().requires_grad_()
        return og.autograd.grad((og.softmax(x, dim) * g).sum(), x)[0]

    graph = og.jit(gradient).trace(og.randn(3, 4, 5), og.randn(3, 4, 5)).graph
    found = optimize(graph)
    assert sum(n.op == "div" for n in found.nodes()) == 1
    random = np.random.default_rng(0)
    values = [random.standard_normal(n.shape).astype(np.float32) for n in graph.inputs]
    for before, after in zip(run(graph, values), run(found, values), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-6)
