"""Every rule of algebra, on special values: what is not exact must stay."""

import numpy as np
import pytest

from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import bool_, float16, float32, float64, int32, uint8
from onegraph.ops.binary import ADD, AND, DIV, EQ, GE, GT, LE, LT, MAXIMUM, MINIMUM, MUL, NE, OR, POW, SUB
from onegraph.ops.elementwise import ABS, LOGICAL_NOT, NEG, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import EXPAND, full
from onegraph.passes.algebra import simplify_algebra
from tests.passes.graphs import check, graph_of

X = (3, 5)


def number(value, dtype=float32):
    return constant(value, dtype)


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda x: MUL(x, number(1.0)), "return %0"),
        (lambda x: MUL(number(1.0), x), "return %0"),
        (lambda x: MUL(x, full(X, 1.0)), "return %0"),
        (lambda x: MUL(x, number(-1.0)), "%1: f32[3, 5] = neg(%0)\nreturn %1"),
        (lambda x: DIV(x, number(1.0)), "return %0"),
        (lambda x: DIV(x, number(-1.0)), "%1: f32[3, 5] = neg(%0)\nreturn %1"),
        (lambda x: SUB(x, number(0.0)), "return %0"),
        (lambda x: ADD(x, number(-0.0)), "return %0"),
        (lambda x: ADD(number(-0.0), x), "return %0"),
        (lambda x: ADD(NEG(x), x), "%1: f32[3, 5] = sub(%0, %0)\nreturn %1"),
        (lambda x: SUB(x, NEG(x)), "%1: f32[3, 5] = add(%0, %0)\nreturn %1"),
        (lambda x: POW(x, number(0.0)), "%1: f32[] = constant(value=f32[](1.0))\n"
                                         "%2: f32[3, 5] = expand(%1, shape=(3, 5))\nreturn %2"),
        (lambda x: POW(x, number(1.0)), "return %0"),
        (lambda x: POW(x, number(2.0)), "%1: f32[3, 5] = mul(%0, %0)\nreturn %1"),
        (lambda x: POW(x, number(0.5)), "%1: f32[3, 5] = sqrt(%0)\nreturn %1"),
        (lambda x: POW(x, number(-1.0)), "%1: f32[3, 5] = reciprocal(%0)\nreturn %1"),
        (lambda x: NEG(NEG(x)), "return %0"),
        (lambda x: ABS(ABS(NEG(x))), "%1: f32[3, 5] = abs(%0)\nreturn %1"),
        (lambda x: MAXIMUM(x, MINIMUM(x, x)), "return %0"),
        (lambda x: LT(x, x), "%1: bool[] = constant(value=bool[](False))\n"
                             "%2: bool[3, 5] = expand(%1, shape=(3, 5))\nreturn %2"),
        (lambda x: WHERE(LT(x, number(0.0)), x, x), "return %0"),
        (lambda x: WHERE(number(True, bool_), x, NEG(x)), "return %0"),
        (lambda x: WHERE(LOGICAL_NOT(LT(x, number(0.5))), x, number(2.0)),
         "%1: f32[] = constant(value=f32[](0.5))\n%2: bool[3, 5] = lt(%0, %1)\n"
         "%3: f32[] = constant(value=f32[](2.0))\n%4: f32[3, 5] = where(%2, %3, %0)\nreturn %4"),
        (lambda x: DIV(x, number(8.0)),
         "%1: f32[] = constant(value=f32[](0.125))\n%2: f32[3, 5] = mul(%0, %1)\nreturn %2"),
    ],
)  # fmt: skip
def test_rules_for_floating_numbers(build, expected):
    check(simplify_algebra, graph_of(build, X), expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: ADD(x, number(0.0)),  # -0.0 + 0.0 is 0.0
        lambda x: SUB(x, number(-0.0)),
        lambda x: SUB(number(0.0), x),
        lambda x: MUL(x, number(0.0)),  # NaN and infinity, and the sign of zero
        lambda x: DIV(x, number(3.0)),
        lambda x: DIV(x, x),
        lambda x: SUB(x, x),
        lambda x: DIV(x, number(0.0)),
        lambda x: DIV(x, number(float("inf"))),
        lambda x: POW(x, number(3.0)),
        lambda x: POW(x, full(X, 2.0)),  # NumPy computes this one as a power
        lambda x: EQ(x, x),
        lambda x: NE(x, x),
        lambda x: LE(x, x),
        lambda x: GE(x, x),
        lambda x: MUL(x, constant(np.ones(5, np.float32), float32)),
    ],
)
def test_what_is_not_exact_stays(build):
    graph = graph_of(build, X)
    assert check(simplify_algebra, graph) is graph


def test_division_stays_where_the_reciprocal_is_no_number_of_the_dtype():
    for dtype, power in ((float16, 2.0**15), (float32, 2.0**127), (float64, 2.0**1000)):
        graph = graph_of(lambda x, p=power, d=dtype: DIV(x, number(p, d)), (12,), dtype=dtype)
        assert [n.op for n in check(simplify_algebra, graph).nodes()][-1] == "mul"
    graph = graph_of(lambda x: DIV(x, number(2.0**-149)), X)
    assert check(simplify_algebra, graph) is graph


def test_results_keep_their_shape():
    graph = graph_of(lambda x: MUL(x, full((2, 3), 1.0)), (3,))
    check(simplify_algebra, graph, "%1: f32[2, 3] = expand(%0, shape=(2, 3))\nreturn %1")
    graph = graph_of(lambda x, y: WHERE(LT(y, y), x, x), (3,), (2, 3))
    check(simplify_algebra, graph, "%2: f32[2, 3] = expand(%0, shape=(2, 3))\nreturn %2")


@pytest.mark.parametrize("dtype", [int32, uint8])
@pytest.mark.parametrize(
    "build, ops",
    [
        (lambda x, c: ADD(x, c(0)), []),
        (lambda x, c: SUB(x, c(0)), []),
        (lambda x, c: MUL(x, c(1)), []),
        (lambda x, c: MUL(x, c(0)), ["constant", "expand"]),
        (lambda x, c: POW(x, c(2)), ["mul"]),
        (lambda x, c: AND(x, OR(x, x)), []),
        (lambda x, c: EQ(x, x), ["constant", "expand"]),
        (lambda x, c: NE(x, x), ["constant", "expand"]),
        (lambda x, c: LE(x, x), ["constant", "expand"]),
        (lambda x, c: GT(x, x), ["constant", "expand"]),
        (lambda x, c: LOGICAL_NOT(LOGICAL_NOT(x)), []),
    ],
)
def test_rules_for_integers(build, ops, dtype):
    graph = graph_of(lambda x: build(x, lambda value: number(value, dtype)), (7,), dtype=dtype)
    assert [n.op for n in check(simplify_algebra, graph).nodes() if n.op != "input"] == ops


def test_rules_for_truth_values():
    x = input_node((4,), bool_)
    yes, no = number(True, bool_), number(False, bool_)
    for node, ops in (
        (AND(x, yes), []),
        (AND(no, x), ["constant", "expand"]),
        (OR(x, no), []),
        (OR(x, yes), ["constant", "expand"]),
        (OR(EXPAND(x, shape=(4,)), EXPAND(x, shape=(4,))), ["expand", "expand", "or"]),
    ):
        found = check(simplify_algebra, Graph([x], [node]))
        assert [n.op for n in found.nodes() if n.op != "input"] == ops
