"""Tests generated from the records of all ops: value, dtypes, broadcasting, gradients, unknown sizes.

Every record is tested by its own samples, so a new op is tested as soon as it is registered.
Read next: `onegraph/ops/record.py` (what a record and a sample are), `cases.py` (how samples become graphs).
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.ir.dim import Dim, evaluate_sizes
from onegraph.ir.dtype import ALL, DType, bfloat16, float16, float32, float64, int64
from onegraph.ir.node import Node, bundle, input_node
from onegraph.ops import OPS, Kind, Op
from onegraph.ops.cast import cast
from onegraph.ops.public import PUBLIC
from tests.ops.cases import Case, as_case, cases_of, directional_derivatives, sum_of_products

# Ops with floating inputs and a floating result that have no gradient on purpose.
WITHOUT_GRADIENT = {
    "det_sign": "constant between jumps, so the derivative is zero wherever it exists",
    "detach": "stops the gradient, which is what it is for",
    "floor_div": "constant between jumps, so the derivative is zero wherever it exists",
}

# `item` picks a result of control flow, whose samples therefore test it.
RECORDS = sorted((op for op in OPS.values() if op.name != "item"), key=lambda op: op.name)
CASES = [case for op in RECORDS for case in cases_of(op)]


def by_name(value: object) -> str:
    return value.name if isinstance(value, Op) else str(value)


every_record = pytest.mark.parametrize("op", RECORDS, ids=by_name)
every_case = pytest.mark.parametrize("case", CASES, ids=by_name)


@every_record
def test_record_is_complete(op: Op) -> None:
    assert OPS[op.name] is op
    assert re.fullmatch(r"[a-z][a-z0-9_]*", op.name)
    assert isinstance(op.kind, Kind)
    assert len(op.doc.strip()) > 1 and "\n" not in op.doc
    assert callable(op.rule) and callable(op.reference) and callable(op.samples)
    assert op.gradient is None or callable(op.gradient) or any(op.gradient)
    assert set(op.dtypes) <= {"bool", "uint", "int", "float"} and op.dtypes
    assert list(op.samples()), "a record needs samples"


@every_record
def test_floating_ops_have_a_gradient(op: Op) -> None:
    floating = any(
        case.node.dtype.is_floating_point and any(n.dtype.is_floating_point for n in case.inputs)
        for case in cases_of(op)
    )
    if op.name in WITHOUT_GRADIENT:
        assert floating and op.gradient is None, "needs no exception"
    elif floating:
        assert op.gradient is not None, "give it a gradient, or a line with the reason in WITHOUT_GRADIENT"
        if not callable(op.gradient):
            assert all(len(op.gradient) == len(case.inputs) for case in cases_of(op))


@every_case
def test_value_has_the_shape_and_dtype_of_the_rule(case: Case) -> None:
    before = [array.copy() for array in case.arrays]
    for node, value in zip(case.results, case.values(), strict=True):
        assert value.shape == node.shape
        if node.dtype is not bfloat16:
            assert value.dtype == node.dtype.numpy
    for array, old in zip(case.arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@every_case
def test_value_is_the_same_every_time(case: Case) -> None:
    for first, second in zip(case.values(), case.values(), strict=True):
        assert first.tobytes() == second.tobytes()


@every_case
def test_all_dtypes(case: Case) -> None:
    for dtype in case.other_dtypes():
        again = case.in_dtype(dtype)
        for node, value in zip(again.results, again.values(), strict=True):
            assert value.shape == node.shape, dtype
            if node.dtype is not bfloat16:
                assert value.dtype == node.dtype.numpy, dtype
        if dtype in (float16, bfloat16):
            _compare_with_float32(case, dtype)


def _compare_with_float32(case: Case, dtype: DType) -> None:
    """In half precision the value is that of float32 on the same rounded inputs, rounded once."""
    half, wide = case.with_inputs_rounded(dtype, dtype), case.with_inputs_rounded(dtype, float32)
    for a, b in zip(half.results, wide.results, strict=True):
        assert a.shape == b.shape and (a.dtype is b.dtype or a.dtype is dtype)
    tolerance = 2.0**-7 if dtype is bfloat16 else 2.0**-10
    limit = 3e38 if dtype is bfloat16 else 6e4
    for a, b in zip(half.values_as_float(), wide.values_as_float(), strict=True):
        fits = ~(np.abs(b) > limit)  # larger values become infinite
        np.testing.assert_allclose(a[fits], b[fits], rtol=tolerance, atol=1e-7)


# Rounding to a narrower dtype has its gradient by convention, not as a limit of differences.
DIFFERENTIABLE = [
    case for case in CASES if case.differentiable and all(r.dtype is float64 for r in case.in_dtype(float64).results)
]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=by_name)
def test_gradient_against_finite_differences(case: Case) -> None:
    case = case.in_dtype(float64)
    seeds = [case.random(node.shape) for node in case.results]
    seed_nodes = [input_node(s.shape, float64) for s in seeds]
    floating = [n for n in case.inputs if n.dtype.is_floating_point]
    feed = case.feed() | dict(zip(seed_nodes, seeds, strict=True))
    found = gradient(case.results, seed_nodes, floating)
    for x, g in zip(floating, found, strict=True):
        assert g is None or (g.shape == x.shape and g.dtype is x.dtype)
    total = sum_of_products(case.results, seed_nodes)
    for directions, expected in directional_derivatives(total, floating, feed):
        actual = _along(found, directions, feed)
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if c.index < 2], ids=by_name)
def test_gradient_of_gradient_against_finite_differences(case: Case) -> None:
    case = case.in_dtype(float64)
    seeds = [case.random(node.shape) for node in case.results]
    seed_nodes = [input_node(s.shape, float64) for s in seeds]
    feed = case.feed() | dict(zip(seed_nodes, seeds, strict=True))
    floating = [n for n in case.inputs if n.dtype.is_floating_point]
    first = [g for g in gradient(case.results, seed_nodes, floating) if g is not None]
    if not first:
        return  # constant wherever it is differentiable
    weights = [case.random(g.shape) for g in first]
    weight_nodes = [input_node(w.shape, float64) for w in weights]
    feed |= dict(zip(weight_nodes, weights, strict=True))
    total = sum_of_products(first, weight_nodes)
    wanted = [*floating, *seed_nodes]
    second = gradient([total], [None], wanted)
    for directions, expected in directional_derivatives(total, wanted, feed):
        actual = _along(second, directions, feed)
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5)


def _along(found: list[Node | None], directions: list[np.ndarray], feed: dict[Node, np.ndarray]) -> float:
    """The derivative along a direction in the space of all inputs, from the gradients."""
    known = [(g, d) for g, d in zip(found, directions, strict=True) if g is not None]
    values = evaluate([g for g, _ in known], feed) if known else []
    return float(sum(np.sum(v * d) for v, (_, d) in zip(values, known, strict=True)))


WITHOUT_BROADCASTING = ("barrier", "with_gradient")  # only their first input has a say in the shape
BROADCASTING = [
    op
    for op in RECORDS
    if op.kind is Kind.ELEMENTWISE and len(next(iter(cases_of(op))).inputs) > 1 and op.name not in WITHOUT_BROADCASTING
]


@pytest.mark.parametrize("op", BROADCASTING, ids=by_name)
def test_broadcasting_is_expanding_first(op: Op) -> None:
    case = next(iter(cases_of(op)))
    shapes = [(3, 1), (1, 4), (2, 1, 1)]
    arrays = [np.resize(a, s) for a, s in zip(case.arrays, shapes[: len(case.arrays)], strict=True)]
    expanded = np.broadcast_arrays(*arrays)
    (small,) = as_case(op, arrays, case.attributes).values()
    (large,) = as_case(op, [a.copy() for a in expanded], case.attributes).values()
    np.testing.assert_array_equal(small, large)


# Kinds whose attributes do not contain sizes; `test_symbolic_sizes.py` has the movement ops.
SIZELESS = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.SCAN, Kind.SORT)


def _with_unknown_size(case: Case) -> tuple[list[Node], int] | None:
    """The inputs with an unknown leading size in place of the result's largest leading one."""
    rank = max((len(n.shape) for n in case.inputs), default=0)
    leading = [n for n in case.inputs if len(n.shape) == rank and rank and n.shape[0] not in (0, 1)]
    if not leading:
        return None
    size = leading[0].shape[0]
    inputs = []
    for node in case.inputs:
        grows = len(node.shape) == rank and node.shape[0] == size
        inputs.append(input_node((Dim.unknown("n"), *node.shape[1:]) if grows else node.shape, node.dtype))
    return inputs, size


@pytest.mark.parametrize("case", [c for c in CASES if c.op.kind in SIZELESS], ids=by_name)
def test_sizes_may_be_unknown(case: Case) -> None:
    found = _with_unknown_size(case)
    if found is None:
        return
    inputs, size = found
    node = case.op(*inputs, **case.attributes)
    assert node.dtype is case.node.dtype
    assert evaluate_sizes(node.shape, {"n": size}) == case.node.shape
    floating = [n for n in inputs if n.dtype.is_floating_point]
    if not node.dtype.is_floating_point or not floating:
        return
    for x, g in zip(floating, gradient([node], [input_node(node.shape, node.dtype)], floating), strict=True):
        assert g is None or evaluate_sizes(g.shape, {"n": size}) == evaluate_sizes(x.shape, {"n": size})


@every_record
def test_wrong_dtypes_are_refused(op: Op) -> None:
    """A first input of a kind that the record does not list raises a typed error."""
    from onegraph.errors import OneGraphError

    case = next(iter(cases_of(op)))
    if not case.inputs:
        return
    for dtype in ALL:
        if dtype.kind not in op.dtypes:
            first = cast(case.inputs[0], dtype)
            rest = [cast(n, dtype) if n.dtype is case.inputs[0].dtype else n for n in case.inputs[1:]]
            with pytest.raises(OneGraphError):
                op(first, *rest, **case.attributes)


def test_public_functions_are_documented_and_unique() -> None:
    seen: dict[tuple[str, str], object] = {}
    for entry in PUBLIC:
        assert entry.function.__doc__, entry.names
        for name in entry.names:
            assert seen.setdefault((entry.namespace, name), entry) is entry, f"{name} is offered twice"


def test_the_checks_can_fail() -> None:
    """A record with a wrong gradient is caught by the check that the others pass."""
    from onegraph.ops.elementwise import EXP, SIN

    wrong = Op(
        name="sin",
        kind=Kind.ELEMENTWISE,
        doc="sine with the gradient of exp",
        rule=SIN.rule,
        reference=SIN.reference,
        gradient=EXP.gradient,
        samples=SIN.samples,
    )
    case = next(iter(cases_of(SIN)))
    OPS["sin"] = wrong
    try:
        with pytest.raises(AssertionError):
            test_gradient_against_finite_differences(case)
    finally:
        OPS["sin"] = SIN


def test_every_dtype_is_tried() -> None:
    (case, *_) = cases_of(OPS["add"])
    assert {*case.other_dtypes(), float32} == set(ALL)
    assert case.in_dtype(int64).node.dtype is int64
    assert not any(case.node.dtype is bundle for case in cases_of(OPS["add"]))
