"""Control flow on the native backend: scans without Python, other loops and branches as programs."""

import numpy as np
import pytest

from onegraph.config import using
from onegraph.errors import OutOfRangeError
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import float32, int64
from onegraph.ops.binary import add, gt, lt, mul
from onegraph.ops.control_functions import cond, scan, while_loop
from onegraph.ops.elementwise import neg, sin
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant
from onegraph.ops.linear import matmul
from onegraph.ops.record import OPS, differentiate
from onegraph.ops.reduction import sum_
from tests.backends.native.comparison import BACKEND, check, values

THREADS = (1, 2, 3)


def loops(graph):
    return [x for x in BACKEND.compile(graph).lowered.launches if x.loop is not None]


def near(graph, arrays, threads=THREADS):
    """Near the reference, and the same bits for each number of threads."""
    from onegraph.ops.evaluate import run_graph

    expected = run_graph(graph, arrays)
    program, seen = BACKEND.compile(graph), None
    for n in threads:
        with using(threads=n):
            found = program.run([BACKEND.copy_in(a, i.dtype) for a, i in zip(arrays, graph.inputs, strict=True)])
        for b, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(b.array, want, rtol=1e-4, atol=1e-5)
        bits = [b.array.tobytes() for b in found]
        assert seen in (None, bits)
        seen = bits


@pytest.mark.parametrize("op", ["cond", "while", "scan"])
def test_every_sample(op):
    from onegraph.ops.control import items_of

    for sample in OPS[op].samples():
        inputs = [input_node(a.shape, _dtype(a)) for a in sample.arrays]
        node = OPS[op](*inputs, **sample.attributes)
        graph = Graph(inputs, items_of(node))
        near(graph, list(sample.arrays))
        assert len(loops(graph)) == (op == "scan" and sample.attributes["length"] > 0)


def _dtype(array):
    from onegraph.ops.elementwise import numpy_constant

    return numpy_constant(array).dtype


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (3,), (4,), (5,), (0, 2), (0, 1, 2, 3, 4, 5), (2, 2)])
def test_every_choice_of_results(reverse, length, wanted):
    """Results: carries a and b, stacked results, carries before each step."""
    from onegraph.ops.control import ITEM

    a, b, xs = input_node((5,), float32), input_node((3, 5), float32), input_node((length, 5), float32)

    def step(carry, x):
        a, b = carry
        new = add(sin(a), x)
        return (new, add(mul(b, 0.5), a)), (new, mul(x, 2.0))

    last, _ = scan(step, (a, b), xs, reverse=reverse)
    node = last[0].inputs[0]
    outputs = [ITEM(node, index=i) for i in wanted]
    arrays = [values(n.shape, float32, i, special=False) for i, n in enumerate((a, b, xs))]
    graph = Graph([a, b, xs], outputs)
    near(graph, arrays)
    # used inside of the graph, not as outputs
    near(Graph([a, b, xs], [add(o, 1.0) for o in outputs]), arrays)
    assert len(loops(graph)) == (length > 0)


def test_unused_carries_are_not_computed():
    a, b = input_node((5,), float32), input_node((7,), float32)
    last, _ = scan(lambda c, _: ((sin(c[0]), neg(c[1])), None), (a, b), length=4)
    (loop,) = loops(Graph([a, b], [last[0]]))
    assert len(loop.loop.launches) == 1


def test_carries_that_are_exchanged_kept_and_shared():
    a, b, c = (input_node((4,), float32) for _ in range(3))

    def step(carry, _):
        a, b, c = carry
        return (b, a, c), (a, c)

    last, rows = scan(step, (a, b, c), length=5)
    arrays = [values((4,), float32, i, special=False) for i in range(3)]
    check(Graph([a, b, c], [*last, *rows]), arrays)

    def same(carry, _):
        new = add(carry[0], carry[1])
        return (new, new), (new, new)

    last, rows = scan(same, (a, b), length=3)
    check(Graph([a, b], [*last, *rows]), arrays[:2])


def test_what_does_not_change_is_computed_before_the_loop():
    h, w = input_node((6, 8), float32), input_node((8, 8), float32)
    body = Graph([x := input_node((6, 8), float32), y := input_node((8, 8), float32)], [matmul(x, sin(y))])
    node = OPS["scan"](h, w, body=body, carried=1, scanned=0, length=6, reverse=False)
    graph = Graph([h, w], [OPS["item"](node, index=0)])
    (loop,) = loops(graph)
    assert all("sin" not in x.kernel.name for x in loop.loop.launches)
    near(graph, [values((6, 8), float32, special=False), values((8, 8), float32, 1, special=False)])


def lstm(length, batch, hidden):
    rows, w = input_node((length, batch, 4 * hidden), float32), input_node((hidden, 4 * hidden), float32)
    start = input_node((batch, hidden), float32)
    sigmoid, tanh = OPS["sigmoid"], OPS["tanh"]

    def step(carry, row):
        h, c = carry
        gates = add(row, matmul(h, w))
        i, f, g, o = (gates_part(gates, n, hidden) for n in range(4))
        c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)))
        h = mul(sigmoid(o), tanh(c))
        return (h, c), h

    last, outputs = scan(step, (start, start), rows)
    arrays = [values(n.shape, float32, i, special=False) * np.float32(0.5) for i, n in enumerate((rows, w, start))]
    return (rows, w, start), last, outputs, arrays


def gates_part(x, n, hidden):
    from onegraph.ops.movement import slice_dim

    return slice_dim(x, 1, n * hidden, (n + 1) * hidden)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 3, 7), (12, 8, 32)])
def test_an_lstm_and_its_gradient(sizes):
    inputs, last, outputs, arrays = lstm(*sizes)
    loss = add(sum_(mul(outputs, outputs)), sum_(last[1]))
    found = differentiate([loss], [constant(1.0, float32)], inputs)
    graph = Graph(inputs, [loss, *found])
    assert len(loops(graph)) == 2
    near(graph, arrays)


def test_loops_within_loops_and_branches():
    x = input_node((4,), float32)

    def outer(carry, _):
        inner, _ = scan(lambda c, _: (sin(c), None), carry, length=3)
        return cond(gt(sum_(inner), 0.0), lambda v: mul(v, 0.5), neg, inner), inner

    last, rows = scan(outer, x, length=4)
    near(Graph([x], [last, rows]), [values((4,), float32, special=False)])

    def with_branches(carry, _):
        return cond(gt(sum_(carry), 0.0), lambda v: matmul(v, v), neg, carry), None

    y = input_node((3, 3), float32)
    last, _ = scan(with_branches, y, length=4)
    near(Graph([y], [last]), [values((3, 3), float32, special=False)])
    n = input_node((), int64)
    (count,) = [while_loop(lambda c: lt(c, 1000), lambda c: add(mul(c, 3), 1), n)]
    check(Graph([n], [count]), [np.array(2)], native=False)


def test_a_bad_index_inside_of_a_loop():
    table, rows = input_node((5,), float32), input_node((6,), int64)
    total, _ = scan(lambda c, i: (add(c, TAKE(table, i, dim=0)), None), constant(0.0, float32), rows)
    graph = Graph([table, rows], [total])
    arrays = [values((5,), float32, special=False), np.array([0, 1, 4, 2, 3, 0])]
    near(graph, arrays)
    arrays[1][3] = 9
    with pytest.raises(OutOfRangeError):
        BACKEND.compile(graph).run([BACKEND.copy_in(a, i.dtype) for a, i in zip(arrays, graph.inputs, strict=True)])


def test_many_turns_on_several_threads():
    x, w = input_node((40, 40), float32), input_node((40, 40), float32)
    last, _ = scan(lambda c, _: (sin(matmul(c, w)), None), x, length=2000)
    near(Graph([x, w], [last]), [values((40, 40), float32, i, special=False) * np.float32(0.1) for i in range(2)])


def test_accesses_stay_inside():
    inputs, last, outputs, arrays = lstm(5, 3, 7)
    with using(guard_pages=True):
        near(Graph(inputs, [*last, outputs]), arrays, (1,))


def test_profiles_count_turns():
    from onegraph.backends.native.profile import profiling

    x = input_node((64, 64), float32)
    last, _ = scan(lambda c, _: (sin(c), None), x, length=30)
    program = BACKEND.compile(Graph([x], [last]))
    with profiling() as recorder:
        program.run([BACKEND.copy_in(values((64, 64), float32), float32)])
    assert {r.name: r.calls for r in recorder.rows()}["sin"] == 30
