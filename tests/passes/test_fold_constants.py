"""What is known is computed once; what is large, random or wrong is left alone."""

import numpy as np
import pytest

from onegraph.errors import DivisionError
from onegraph.ir.dtype import bfloat16, bool_, float16, float32, int64
from onegraph.ops.binary import ADD, FLOOR_DIV, GE, MUL, SUB
from onegraph.ops.cast import CAST
from onegraph.ops.elementwise import EXP, SQRT, WHERE
from onegraph.ops.leaf import DIMENSION, constant, iota
from onegraph.ops.movement import EXPAND, RESHAPE, full
from onegraph.ops.philox import RANDOM_BITS, make_key
from onegraph.ops.reduction import SUM
from onegraph.passes.fold_constants import LIMIT, fold_constants
from tests.passes.graphs import check, graph_of, run, text


def c(value, dtype=float32):
    return constant(value, dtype)


def test_arithmetic_of_constants():
    check(
        fold_constants,
        graph_of(lambda x: MUL(x, SQRT(ADD(c(3.0), c(1.5)))), (2,)),
        "%1: f32[] = constant(value=f32[](2.1213202))\n%2: f32[2] = mul(%0, %1)\nreturn %2",
    )


def test_small_arrays():
    def build(x):
        n = iota(3)
        return WHERE(GE(RESHAPE(n, shape=(3, 1)), n), x, c(0.0))

    found = check(fold_constants, graph_of(build, (3, 3)))
    assert "constant(value=bool[3, 3]" in text(found) and "iota" not in text(found)


def test_reshaped_arrays():
    found = check(fold_constants, graph_of(lambda x: ADD(x, RESHAPE(c(np.arange(4.0)), shape=(2, 2))), (2, 2)))
    assert [n.op for n in found.nodes()] == ["input", "constant", "add"]


def test_counting_and_repeating_stay():
    graph = graph_of(lambda x: ADD(ADD(x, RESHAPE(iota(6, float32), shape=(2, 3))), full((2, 3), 0.5)), (2, 3))
    assert check(fold_constants, graph) is graph


@pytest.mark.parametrize("dtype", [float32, float16, bfloat16])
def test_one_number_stays_one_number_whatever_its_shape(dtype):
    def build(x):
        y = MUL(CAST(full((1000, 1000), 0.3), dtype=dtype), constant(3, dtype))
        return CAST(SUM(y, dims=(0,), keepdim=False), dtype=float32)

    graph = graph_of(build, (1,))
    found = fold_constants(graph)
    assert [n.op for n in found.nodes()] == [n.op for n in graph.nodes()]  # larger than the limit
    small = graph_of(lambda x: MUL(CAST(full((5, 7), 0.3), dtype=dtype), constant(3, dtype)), (1,))
    assert [n.op for n in check(fold_constants, small).nodes()] == ["constant", "expand"]


def test_large_results_stay():
    n = LIMIT + 1
    graph = graph_of(lambda x: ADD(iota(n), constant(1, int64)), (1,))
    assert fold_constants(graph) is graph


def test_what_backends_may_round_differently_stays():
    graph = graph_of(lambda x: ADD(x, EXP(c(2.0))), (2,))
    assert check(fold_constants, graph) is graph
    graph = graph_of(lambda x: ADD(x, SUM(c(np.arange(5.0)), dims=(0,), keepdim=False)), (2,))
    assert check(fold_constants, graph) is graph
    graph = graph_of(lambda x: SUM(c(np.arange(5), int64), dims=(0,), keepdim=False), (2,))
    assert text(check(fold_constants, graph)) == "%1: i64[] = constant(value=i64[](10))\nreturn %1"


def test_random_numbers_stay():
    graph = graph_of(lambda x: RANDOM_BITS(make_key(3), shape=(4,)), (1,))
    assert fold_constants(graph) is graph


def test_errors_are_left_for_when_the_graph_runs():
    graph = graph_of(lambda x: FLOOR_DIV(constant(1, int64), constant(0, int64)), (1,))
    assert fold_constants(graph) is graph
    with pytest.raises(DivisionError):
        run(graph, [np.zeros(1, np.float32)])


def test_known_sizes_become_numbers():
    check(
        fold_constants,
        graph_of(lambda x: SUB(x, DIMENSION(size=7, dtype=float32)), (2,)),
        "%1: f32[] = constant(value=f32[](7.0))\n%2: f32[2] = sub(%0, %1)\nreturn %2",
    )


def test_empty_and_boolean_results():
    check(fold_constants, graph_of(lambda x: ADD(full((0, 3), 1.0), c(2.0)), (1,)))
    found = check(fold_constants, graph_of(lambda x: WHERE(EXPAND(c(True, bool_), shape=(2,)), c(1.0), c(2.0)), (1,)))
    assert [n.op for n in found.nodes()] == ["constant", "expand"]
