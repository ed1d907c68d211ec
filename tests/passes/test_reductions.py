"""Reductions with nothing to reduce."""

import numpy as np
import pytest

from onegraph.ir.dtype import float32, float64, int32
from onegraph.ops.movement import EXPAND, RESHAPE, full
from onegraph.ops.reduction import MAX, MIN, PROD, SUM
from onegraph.passes.reductions import simplify_reductions
from onegraph.passes.rewrite import number
from tests.passes.graphs import check, graph_of, text


@pytest.mark.parametrize("op", [PROD, MAX, MIN])
@pytest.mark.parametrize("keepdim", [False, True])
def test_one_element_is_its_own_reduction(op, keepdim):
    found = check(simplify_reductions, graph_of(lambda x: op(x, dims=(0, 2), keepdim=keepdim), (1, 12, 1)))
    assert {n.op for n in found.nodes()} <= {"input", "reshape"}


def test_a_sum_of_one_element_is_never_minus_zero():
    check(
        simplify_reductions,
        graph_of(lambda x: SUM(x, dims=(0,), keepdim=False), (1, 12)),
        "%1: f32[12] = reshape(%0, shape=(12,))\n%2: f32[] = constant(value=f32[](0.0))\n"
        "%3: f32[12] = add(%1, %2)\nreturn %3",
    )
    graph = graph_of(lambda x: SUM(x, dims=(0,), keepdim=False), (1, 12), dtype=int32)
    check(simplify_reductions, graph, "%1: i32[12] = reshape(%0, shape=(12,))\nreturn %1")


@pytest.mark.parametrize("op", [MAX, MIN])
def test_extremes_forget_what_is_repeated(op):
    def build(x):
        return op(EXPAND(RESHAPE(x, shape=(3, 1, 4)), shape=(2, 3, 5, 4)), dims=(0, 2, 3), keepdim=False)

    name = op.name
    check(
        simplify_reductions,
        graph_of(build, (3, 4)),
        "%1: f32[1, 3, 1, 4] = reshape(%0, shape=(1, 3, 1, 4))\n"
        f"%2: f32[1, 3, 1, 1] = {name}(%1, dims=(3,), keepdim=True)\n"
        "%3: f32[3] = reshape(%2, shape=(3,))\nreturn %3",
    )


def test_what_is_repeated_but_not_reduced_stays_repeated():
    def build(x):
        return MAX(EXPAND(x, shape=(7, 3, 4)), dims=(0,), keepdim=True)

    found = check(simplify_reductions, graph_of(build, (1, 1, 4)))
    assert text(found) == "%1: f32[1, 3, 4] = expand(%0, shape=(1, 3, 4))\nreturn %1"


def repeated_sum(count, keepdim=False):
    def build(x):
        return SUM(EXPAND(RESHAPE(x, shape=(3, 1)), shape=(3, count)), dims=(1,), keepdim=keepdim)

    return build


@pytest.mark.parametrize("value", [1.0, 0.125, -3.0, 0.0, -0.0])
@pytest.mark.parametrize("dtype", [float32, float64])
def test_exact_sums_of_a_constant_are_known(value, dtype):
    def build(x):
        return SUM(full((6, 100, 2), value, dtype), dims=(0, 1), keepdim=True)

    found = check(simplify_reductions, graph_of(build, (1,)))
    assert [n.op for n in found.nodes()] == ["constant", "expand"]
    assert number(found.outputs[0]) == value * 600


@pytest.mark.parametrize("count, value", [(3, 0.1), (1 << 24, 3.0), (2, 3e38), (2, np.inf), (2, np.nan)])
def test_sums_that_may_be_rounded_stay(count, value):
    graph = graph_of(lambda x: SUM(full((count,), value), dims=(0,), keepdim=False), (1,))
    assert simplify_reductions(graph) is graph


def test_other_floating_sums_stay():
    for count in (8, 6, 0):
        graph = graph_of(repeated_sum(count), (3,))
        assert check(simplify_reductions, graph) is graph


@pytest.mark.parametrize("keepdim", [False, True])
def test_sums_of_integers_become_products(keepdim):
    found = check(simplify_reductions, graph_of(repeated_sum(6, keepdim), (3,), dtype=int32))
    assert "mul(" in text(found) and "sum(" not in text(found)


def test_reductions_that_have_something_to_do_stay():
    graph = graph_of(lambda x: SUM(x, dims=(0, 1), keepdim=False), (1, 12, 2))
    assert check(simplify_reductions, graph) is graph
