"""Control flow: values, gradients against finite differences, nesting, closures, laziness and error messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, GradientError, OutOfRangeError, ShapeError
from onegraph.ir import Graph, Node, input_node, topological
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bfloat16, bool_, float16, float32, float64, int64
from onegraph.ir.graph import iterate_graphs
from onegraph.ir.text import from_text, to_text
from onegraph.ops.binary import FLOOR_DIV, add, gt, lt, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.contraction import matmul
from onegraph.ops.control import ITEM, SCAN, items_of
from onegraph.ops.control_functions import cond, scan, while_loop
from onegraph.ops.elementwise import exp, log, neg, numpy_constant, sin, sqrt, tanh
from onegraph.ops.evaluate import run_graph
from onegraph.ops.leaf import constant, iota
from onegraph.ops.random import fold_in, make_key, uniform
from onegraph.ops.reduction import sum_

Array = np.ndarray[Any, Any]


def real(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, shape)


def inputs(*arrays: Array) -> tuple[list[Node], dict[Node, Array]]:
    nodes = [input_node(a.shape, float64) for a in arrays]
    return nodes, dict(zip(nodes, arrays, strict=True))


def check_gradient(function: Callable[..., Node], *arrays: Array, second: bool = True) -> list[Array]:
    """The gradient of the sum of a function against central differences, and that of the gradient."""
    nodes, feed = inputs(*arrays)
    total = sum_(function(*nodes))
    found = gradient([total], [None], nodes)
    assert all(g is not None for g in found)
    values = evaluate(found, feed)
    for x, value in zip(nodes, values, strict=True):
        np.testing.assert_allclose(value, _differences(total, x, feed), rtol=1e-5, atol=1e-7)
    if second:
        mixed = sum_(values_product(found, [real(*a.shape, seed=9) for a in arrays]))
        again = gradient([mixed], [None], nodes)
        for x, g in zip(nodes, again, strict=True):
            value = np.zeros(x.shape) if g is None else evaluate([g], feed)[0]
            np.testing.assert_allclose(value, _differences(mixed, x, feed), rtol=1e-4, atol=1e-6)
    return values


def values_product(nodes: Sequence[Any], weights: Sequence[Array]) -> Node:
    total = constant(0.0, float64)
    for node, weight in zip(nodes, weights, strict=True):
        total = add(total, sum_(mul(node, numpy_constant(weight))))
    return total


def _differences(total: Node, x: Node, feed: dict[Node, Array], step: float = 1e-6) -> Array:
    result = np.zeros(feed[x].shape)
    for place in np.ndindex(result.shape):
        sides = []
        for sign in (1, -1):
            moved = feed[x].copy()
            moved[place] += sign * step
            sides.append(evaluate([total], feed | {x: moved})[0])
        result[place] = (sides[0] - sides[1]) / (2 * step)
    return result


def control_nodes(*outputs: Node) -> list[Node]:
    return [n for n in topological(outputs) if n.op in ("cond", "while", "scan")]


def ops_within(node: Node) -> set[str]:
    return {n.op for _, graph in iterate_graphs(node) for n in graph.nodes()}


# ---------------------------------------------------------------------------------------------------- cond


@pytest.mark.parametrize("chosen", [True, False])
def test_cond_gives_the_chosen_branch(chosen: bool) -> None:
    x = real(3)
    nodes, feed = inputs(x)
    pred = numpy_constant(np.array(chosen))
    a, b = cond(pred, lambda x: (mul(x, 2.0), sum_(x)), lambda x: (neg(x), sum_(mul(x, x))), *nodes)
    expected = (x * 2, x.sum()) if chosen else (-x, (x * x).sum())
    for value, wanted in zip(evaluate([a, b], feed), expected, strict=True):
        np.testing.assert_allclose(value, wanted)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_cond_gradient(sign: float) -> None:
    def function(x: Node, w: Node) -> Node:
        y, z = cond(gt(sum_(x), 0.0), lambda x: (mul(sin(x), w), x), lambda x: (mul(w, w), mul(x, x)), x)
        return add(mul(y, y), mul(z, y))

    check_gradient(function, sign * np.abs(real(3)), real(3, seed=1))


def test_cond_runs_only_the_chosen_branch() -> None:
    """Also for what the branch reads by closure: dividing by zero would raise."""
    n = numpy_constant(np.array(0))
    y = cond(gt(n, 0), lambda: FLOOR_DIV(constant(6, int64), n), lambda: constant(-1, int64))
    assert evaluate([y])[0] == -1
    assert "floor_div" in ops_within(*control_nodes(y))


def test_cond_takes_what_existed_before_from_outside() -> None:
    nodes, feed = inputs(real(3))
    before = exp(nodes[0])
    y = cond(gt(sum_(nodes[0]), -99.0), lambda: mul(before, 2.0), lambda: sin(before))
    assert "exp" not in ops_within(*control_nodes(y))
    np.testing.assert_allclose(evaluate([y], feed)[0], 2 * np.exp(feed[nodes[0]]))


def test_cond_gradient_is_finite_where_the_other_branch_has_none() -> None:
    nodes, feed = inputs(np.array(0.0))
    y = cond(gt(nodes[0], 0.0), sqrt, lambda x: mul(x, 3.0), nodes[0])
    (g,) = gradient([y], [None], nodes)
    assert evaluate([g], feed)[0] == 3.0


def test_cond_with_a_python_bool_just_calls() -> None:
    x = numpy_constant(real(2))
    y = cond(True, lambda x: neg(x), lambda x: 1 / 0, x)
    assert y.op == "neg"


def test_cond_takes_and_gives_structures() -> None:
    x = numpy_constant(real(2))
    never = numpy_constant(np.array(False))
    out = cond(never, lambda d: {"a": d["x"], "b": [1]}, lambda d: {"a": neg(d["x"]), "b": [2]}, {"x": x})
    assert set(out) == {"a", "b"} and isinstance(out["b"], list)
    a, b = evaluate([out["a"], out["b"][0]])
    np.testing.assert_array_equal(a, -real(2))
    assert b == 2


def test_cond_number_takes_the_dtype_of_the_other_branch() -> None:
    x = numpy_constant(np.array(2.0))
    assert cond(gt(x, 1.0), lambda: x, lambda: 0).dtype is float64


# -------------------------------------------------------------------------------------------------- while


def test_while_loop_value() -> None:
    """Newton's iteration for a square root, with the number of steps."""
    a = numpy_constant(np.array(2.0))
    x, count = while_loop(
        lambda x, n: gt(mul(sub(mul(x, x), a), sub(mul(x, x), a)), 1e-20),
        lambda x, n: (mul(add(x, mul(a, exp(neg(log(x))))), 0.5), add(n, 1)),
        (numpy_constant(np.array(1.0)), 0),
    )
    value, steps = evaluate([x, count])
    np.testing.assert_allclose(value, np.sqrt(2.0), rtol=1e-10)
    assert steps == 4 and steps.dtype == np.int64


def test_while_loop_may_not_run_at_all() -> None:
    x = numpy_constant(np.array(5.0))
    assert evaluate([while_loop(lambda x: lt(x, 1.0), lambda x: mul(x, 2.0), x)])[0] == 5.0


@pytest.mark.parametrize(("limit", "expected"), [(0, 1.0), (3, 8.0), (100, 128.0)])
def test_while_loop_ends_at_its_limit(limit: int, expected: float) -> None:
    x = numpy_constant(np.array(1.0))
    y = while_loop(lambda x: lt(x, 100.0), lambda x: mul(x, 2.0), x, maximum_iterations=limit)
    assert evaluate([y])[0] == expected


@pytest.mark.parametrize("limit", [3, 12])
def test_while_loop_gradient(limit: int) -> None:
    def function(x: Node, w: Node) -> Node:
        return while_loop(
            lambda x: lt(sum_(mul(x, x)), 20.0), lambda x: add(mul(x, w), sin(x)), x, maximum_iterations=limit
        )

    check_gradient(function, real(2, low=0.5), np.array(1.3))


def test_while_loop_gradient_past_the_end_stays_finite() -> None:
    """Steps after the end must not run: here they would take the square root of a negative number."""
    nodes, feed = inputs(np.array(2.5))
    y = while_loop(lambda x: gt(x, 1.0), lambda x: sub(sqrt(sub(x, 1.0)), 0.5), nodes[0], maximum_iterations=6)
    (g,) = gradient([y], [None], nodes)
    np.testing.assert_allclose(evaluate([g], feed)[0], 0.5 / np.sqrt(1.5))


def test_while_loop_gradient_needs_a_limit() -> None:
    nodes, _ = inputs(np.array(2.0))
    y = while_loop(lambda x: lt(x, 100.0), lambda x: mul(x, x), nodes[0])
    with pytest.raises(GradientError, match=r"while_loop.*\n(.*\n)*.*maximum_iterations.*scan"):
        gradient([y], [None], nodes)


# ---------------------------------------------------------------------------------------------------- scan


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_value(reverse: bool) -> None:
    rows, start = real(5, 3), real(3, seed=1)
    nodes, feed = inputs(start, rows)
    last, outputs = scan(lambda c, x: (add(mul(c, 0.5), x), mul(c, x)), *nodes, reverse=reverse)
    carry, expected = start, np.zeros((5, 3))
    for i in range(4, -1, -1) if reverse else range(5):
        expected[i] = carry * rows[i]
        carry = carry * 0.5 + rows[i]
    value, stacked = evaluate([last, outputs], feed)
    np.testing.assert_allclose(value, carry)
    np.testing.assert_allclose(stacked, expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_gradient_of_a_recurrent_network(reverse: bool) -> None:
    def function(h: Node, x: Node, w: Node, u: Node) -> Node:
        def step(h: Node, x: Node) -> tuple[Node, Node]:
            new = tanh(add(matmul(h, w), matmul(x, u)))
            return new, mul(new, new)

        last, outputs = scan(step, h, x, reverse=reverse)
        return add(sum_(last), sum_(mul(outputs, outputs)))

    check_gradient(function, real(1, 2), real(3, 1, 2, seed=1), real(2, 2, seed=2), real(2, 2, seed=3))


def test_scan_gradient_through_several_carries_and_rows() -> None:
    def function(a: Node, b: Node, x: Node) -> Node:
        def step(carry: Any, rows: Any) -> Any:
            a, count, b = carry
            x, i = rows
            return (mul(a, b), add(count, 1), add(b, mul(x, cast(i, float64)))), {"y": mul(a, x), "i": i}

        carry, outputs = scan(step, (a, 0, b), (x, iota(4)))
        return add(add(carry[0], carry[2]), sum_(outputs["y"]))

    check_gradient(function, real(2), real(2, seed=1), real(4, 2, seed=2))


def test_scan_without_rows_needs_a_length() -> None:
    total, ys = scan(lambda c, x: (mul(c, 2.0), c), numpy_constant(np.array(1.0)), length=4)
    np.testing.assert_array_equal(evaluate([ys])[0], [1, 2, 4, 8])
    assert evaluate([total])[0] == 16
    with pytest.raises(ArgumentError, match="length"):
        scan(lambda c, x: (c, c), numpy_constant(np.array(1.0)))


def test_scan_without_steps_gives_the_carry_back() -> None:
    nodes, feed = inputs(real(2), real(0, 2))
    last, ys = scan(lambda c, x: (mul(c, x), c), *nodes)
    (g,) = gradient([sum_(last)], [None], nodes[:1])
    value, stacked, slope = evaluate([last, ys, g], feed)
    np.testing.assert_array_equal(value, feed[nodes[0]])
    assert stacked.shape == (0, 2)
    np.testing.assert_array_equal(slope, np.ones(2))


def test_scan_without_outputs_gives_none() -> None:
    last, nothing = scan(lambda c, x: (add(c, x), None), numpy_constant(np.array(0)), iota(5))
    assert nothing is None and evaluate([last])[0] == 10


def test_what_does_not_depend_on_the_loop_is_computed_once_outside() -> None:
    nodes, feed = inputs(real(3), real(4, 3))
    last, _ = scan(lambda c, x: (add(mul(c, exp(nodes[0])), x), None), numpy_constant(np.zeros(3)), nodes[1])
    (loop,) = control_nodes(last)
    assert "exp" not in ops_within(loop) and len(loop.inputs) == 3
    carry = np.zeros(3)
    for row in feed[nodes[1]]:
        carry = carry * np.exp(feed[nodes[0]]) + row
    np.testing.assert_allclose(evaluate([last], feed)[0], carry)


def test_constants_stay_inside() -> None:
    last, _ = scan(lambda c, x: (add(mul(c, 2.0), iota(3)), None), numpy_constant(np.zeros(3)), length=2)
    (loop,) = control_nodes(last)
    assert len(loop.inputs) == 1


def test_gradient_leaves_out_what_it_does_not_read() -> None:
    """A sum needs neither the rows nor the carries of the way there."""
    nodes, _ = inputs(real(3), real(4, 3))
    last, _ = scan(lambda c, x: (add(c, x), None), *nodes)
    found = gradient([sum_(last)], [None], nodes)
    backward = [n for n in control_nodes(*found) if n.attributes["reverse"]]  # type: ignore[arg-type]
    assert [n.attributes["scanned"] for n in backward] == [0]


def test_steps_with_random_numbers_of_their_own() -> None:
    key = make_key(3)
    _, rows = scan(lambda c, i: (c, uniform(fold_in(key, i), (4,))), numpy_constant(np.array(0)), iota(3))
    values = evaluate([rows, uniform(fold_in(key, 1), (4,))])
    np.testing.assert_array_equal(values[0][1], values[1])
    assert len(np.unique(values[0])) == 12


# ------------------------------------------------------------------------------------------ all of them


def test_nested_control_flow() -> None:
    """A scan over rows; in each step a loop; in the loop a choice; all read the same closure."""

    def function(x: Node, w: Node) -> Node:
        def halve(c: Node) -> Node:
            return cond(gt(c, 2.0), lambda: mul(c, mul(w, 0.5)), lambda: sub(c, w))

        def step(c: Node, row: Node) -> tuple[Node, Node]:
            y = while_loop(lambda c: gt(c, 1.0), halve, add(c, exp(row)), maximum_iterations=8)
            return y, mul(y, row)

        last, outputs = scan(step, w, x)
        return add(last, sum_(outputs))

    check_gradient(function, np.array([1.0, 2.0, 0.3]), np.array(0.7))


def test_nested_values_against_python() -> None:
    xs, w = [1.0, 2.0, 0.3], 0.7
    c, expected = w, []
    for x in xs:
        c += np.exp(x)
        while c > 1:
            c = c * w * 0.5 if c > 2 else c - w
        expected.append(c)
    weight = numpy_constant(np.array(w))

    def step(c: Node, x: Node) -> tuple[Node, Node]:
        def body(c: Node) -> Node:
            return cond(gt(c, 2.0), lambda: mul(mul(c, weight), 0.5), lambda: sub(c, weight))

        y = while_loop(lambda c: gt(c, 1.0), body, add(c, exp(x)))
        return y, y

    _, ys = scan(step, weight, numpy_constant(np.array(xs)))
    np.testing.assert_allclose(evaluate([ys])[0], expected)


@pytest.mark.parametrize("dtype", [float16, bfloat16])
def test_half_precision_is_rounded_at_every_step(dtype: Any) -> None:
    x = cast(numpy_constant(np.array(1.0, np.float32)), dtype)
    tiny = 2.0**-9 if dtype is bfloat16 else 2.0**-12  # lost when added to 1 in half precision
    last, ys = scan(lambda c, _: (add(c, tiny), c), x, length=4)
    values = evaluate([cast(last, float32), ys])
    assert last.dtype is dtype and values[0] == 1.0
    np.testing.assert_array_equal(values[1].astype(np.float32), np.ones(4))


def test_text_round_trip() -> None:
    nodes, feed = inputs(real(2), real(3, 2))
    last, _ = scan(lambda c, x: (cond(gt(sum_(x), 0.0), lambda: mul(c, x), lambda: add(c, x)), None), *nodes)
    slopes = gradient([sum_(last)], [None], nodes)
    graph = Graph(nodes, [last, *slopes])  # type: ignore[list-item]
    again = from_text(to_text(graph))
    assert again == graph
    arrays = [feed[n] for n in nodes]
    for a, b in zip(run_graph(again, arrays), run_graph(graph, arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_equal_loops_have_equal_structure() -> None:
    def build() -> Graph:
        x = input_node((4,), float32)
        return Graph([x], [scan(lambda c, x: (add(c, x), mul(c, x)), constant(0.0, float32), x)[1]])

    assert build() == build() and hash(build()) == hash(build())


def test_unknown_length() -> None:
    n = Dim.unknown("n")
    x = input_node((n, 3), float32)
    last, ys = scan(lambda c, x: (add(c, x), c), numpy_constant(np.zeros(3, np.float32)), x)
    assert last.shape == (3,) and ys.shape == (n, 3)
    (g,) = gradient([sum_(ys)], [None], [x])
    assert g is not None and g.shape == (n, 3)


def test_all_results_of_a_scan() -> None:
    c, x = input_node((), float64), input_node((), float64)
    node = SCAN(
        numpy_constant(np.array(1.0)),
        numpy_constant(np.array([2.0, 3.0])),
        body=Graph([c, x], [mul(c, x), add(c, x)]),
        carried=1,
        scanned=1,
        length=2,
        reverse=False,
    )
    last, stacked, history = evaluate(items_of(node))
    assert last == 6 and stacked.tolist() == [3, 5] and history.tolist() == [1, 2]
    with pytest.raises(OutOfRangeError, match="3 results"):
        ITEM(node, index=3)


# -------------------------------------------------------------------------------------------------- errors

TRUE = numpy_constant(np.array(True))
X = numpy_constant(np.zeros((2, 3), np.float32))


def test_error_shows_the_results_of_both_branches() -> None:
    with pytest.raises(ShapeError, match=r"cond.*\n.*float32 \(2, 3\)\n.*float32 \(\)"):
        cond(TRUE, lambda: X, lambda: sum_(X))
    with pytest.raises(DTypeError, match=r"cond.*\n.*float32 \(2, 3\)\n.*float64 \(2, 3\)"):
        cond(TRUE, lambda: X, lambda: cast(X, float64))
    with pytest.raises(ArgumentError, match="structure"):
        cond(TRUE, lambda: (X, X), lambda: X)
    with pytest.raises(ArgumentError, match="structure"):
        cond(TRUE, lambda: None, lambda: None)


def test_error_for_a_condition_that_is_no_bool() -> None:
    with pytest.raises(DTypeError, match=r"float32 \(\)"):
        cond(sum_(X), lambda: X, lambda: X)
    with pytest.raises(ShapeError, match=r"bool \(2, 3\)"):
        cond(gt(X, 0), lambda: X, lambda: X)
    with pytest.raises(ShapeError, match=r"while_loop.*bool \(2, 3\)"):
        while_loop(lambda x: gt(x, 0), lambda x: x, X)


def test_error_for_a_changing_carry() -> None:
    with pytest.raises(ShapeError, match=r"while_loop.*\n.*carry: float32 \(2, 3\)\n.*float32 \(\)"):
        while_loop(lambda x: TRUE, lambda x: sum_(x), X)
    with pytest.raises(DTypeError, match=r"scan.*\n.*carry: float32 \(2, 3\)\n.*float64 \(2, 3\)"):
        scan(lambda c, x: (cast(c, float64), None), X, length=2)
    with pytest.raises(ArgumentError, match="structure"):
        scan(lambda c, x: ((c, c), None), X, length=2)
    with pytest.raises(ArgumentError, match="pair"):
        scan(lambda c, x: c, X, length=2)


def test_error_for_rows_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\), \(4,\)"):
        scan(lambda c, x: (c, None), X, (X, iota(4)))
    with pytest.raises(ShapeError, match="first dimension"):
        scan(lambda c, x: (c, None), X, constant(1.0, float32))
    with pytest.raises(ShapeError, match="negative"):
        scan(lambda c, x: (c, None), X, length=-1)
    with pytest.raises(ArgumentError, match="maximum_iterations"):
        while_loop(lambda x: TRUE, lambda x: x, X, maximum_iterations=-1)


def test_error_for_results_that_are_no_tensors() -> None:
    with pytest.raises(ArgumentTypeError, match="str"):
        cond(TRUE, lambda: "x", lambda: "y")


def test_a_failing_branch_leaves_no_trace_behind() -> None:
    from onegraph.ops.record import recorders

    with pytest.raises(ZeroDivisionError):
        cond(TRUE, lambda: 1 / 0, lambda: X)
    assert recorders == []
    assert gt(X, 0).dtype is bool_
