"""The passes: golden texts of what each does, and the promise that none changes a bit."""

import numpy as np
import pytest

from onegraph import config
from onegraph.backends.contract import Buffer
from onegraph.backends.reference import ReferenceExecutable
from onegraph.errors import FeedError, ShapeError
from onegraph.ir import Dim, Graph, input_node
from onegraph.ir.dtype import float32, int64
from onegraph.ir.text import from_text
from onegraph.ops.binary import add, mul
from onegraph.ops.cast import cast
from onegraph.ops.contraction import matmul
from onegraph.ops.custom import barrier
from onegraph.ops.elementwise import DETACH, exp
from onegraph.ops.movement import RESHAPE
from onegraph.ops.reduction import sum_
from onegraph.passes.common_subexpressions import merge_common_subexpressions
from onegraph.passes.pipeline import PIPELINE, optimize
from onegraph.passes.specialize import bind_sizes, has_unknown_sizes, specialize


def graph_of(build, *shapes):
    inputs = [input_node(s, float32) for s in shapes]
    return Graph(inputs, [build(*inputs)])


def text(graph):
    return str(graph).strip()


def test_equal_computations_become_one():
    found = merge_common_subexpressions(graph_of(lambda x: add(exp(mul(x, 2.0)), exp(mul(x, 2.0))), (2,)))
    assert text(found) == (
        "graph graph(%0: f32[2]) {\n"
        "  %1: f32[] = constant(value=f32[](2.0))\n"
        "  %2: f32[2] = mul(%0, %1)\n"
        "  %3: f32[2] = exp(%2)\n"
        "  %4: f32[2] = add(%3, %3)\n"
        "  return %4\n}"
    )


def test_constants_that_only_look_equal_stay_apart():
    found = merge_common_subexpressions(graph_of(lambda x: add(mul(x, 0.0), mul(x, -0.0)), (2,)))
    assert text(found).count("mul(") == 2


def test_barriers_keep_recomputation_apart():
    def build(x):
        return add(exp(barrier(x, x)), exp(barrier(x, x)))

    assert text(optimize(graph_of(build, (2,)))).count("exp(") == 2


def test_the_pipeline_changes_no_bit_and_keeps_the_verifier_content():
    def build(x, w):
        h = exp(matmul(DETACH(x), w))
        return add(sum_(mul(h, h), 1), sum_(mul(h, cast(h, float32)), 1))

    graph = graph_of(build, (3, 4), (4, 5))
    with config.using(verify_passes=True):
        optimized = optimize(graph)
    random = np.random.default_rng(0)
    values = [Buffer(random.standard_normal(n.shape).astype(np.float32), float32) for n in graph.inputs]
    before, after = (ReferenceExecutable(g).run(values)[0].array for g in (graph, optimized))
    np.testing.assert_array_equal(before, after)
    assert len(optimized.nodes()) < len(graph.nodes())


def test_every_pass_is_described():
    assert [p.name for p in PIPELINE] == [
        "simplify",
        "branches",
        "scans",
        "fold constants",
        "algebra",
        "movement",
        "reductions",
        "common subexpressions",
        "softmax gradient",
        "fold batch norm",
        "moments",
        "linear sums",
    ]
    assert all(p.doc for p in PIPELINE)


def test_specialize_puts_numbers_for_unknown_sizes():
    n = Dim.unknown("n")
    x, w = input_node((n, 4), float32, "x"), input_node((4, 2), float32, "w")
    y = sum_(RESHAPE(matmul(x, w), shape=(n * 2,)))
    graph = Graph([x, w], [y])
    assert has_unknown_sizes(graph)
    known = specialize(graph, {"n": 3})
    assert not has_unknown_sizes(known)
    assert "reshape(%2, shape=(6,))" in text(known)
    assert from_text(text(known)).key() == known.key()


def test_specialize_checks_shapes_again():
    n, m = Dim.unknown("n"), Dim.unknown("m")
    x, y = input_node((n,), float32), input_node((m,), float32)
    graph = Graph([x, y], [add(x, y)])
    assert specialize(graph, {"n": 3, "m": 3}).outputs[0].shape == (3,)
    with pytest.raises(ShapeError):
        specialize(graph, {"n": 3, "m": 4})


@pytest.mark.parametrize(
    "actual, message", [((5,), "2 dimensions"), ((5, 9), "sizes 10 and 9"), ((6, 10), "sizes 5 and 6")]
)
def test_feeds_that_do_not_fit_are_refused(actual, message):
    values = {"batch": 5}
    with pytest.raises(FeedError, match=message):
        bind_sizes("x", (Dim.unknown("batch"), 10), actual, values)


def test_iota_of_an_unknown_length():
    from onegraph.ops.leaf import constant, iota

    n = Dim.unknown("n")
    x = input_node((n,), int64)
    graph = specialize(Graph([x], [add(add(x, iota(n)), constant(n, int64))]), {"n": 3})
    (result,) = ReferenceExecutable(graph).run([Buffer(np.zeros(3, np.int64), int64)])
    assert result.array.tolist() == [3, 4, 5]
