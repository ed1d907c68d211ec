"""Functions captured as graphs that stand on their own."""

from __future__ import annotations

import pytest

import onegraph as og
from onegraph.errors import ShapeError, TraceError
from onegraph.frontend.capture import capture
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node, input_node
from onegraph.ir.verify import verify
from onegraph.ops.record import check_rule

N = Dim.unknown("n")


def x() -> Node:
    return input_node((N, 3), og.float32, "x")


def test_only_tensors_that_the_outputs_need_are_captured() -> None:
    weight, other = og.ones(3, requires_grad=True), og.ones(3)
    pending = og.ones(3) * 2
    view = og.arange(6).float().reshape(2, 3)[1]

    def function(inputs: list[og.Tensor]) -> list[og.Tensor]:
        _ = inputs[0] * other
        return [inputs[0] * weight + pending, inputs[0] + view, weight]

    graph, captured = capture(function, [x()])
    verify(graph, check_rule)
    assert any(tensor is weight for tensor, _ in captured) and not any(tensor is other for tensor, _ in captured)
    assert len(captured) == 3 and graph.inputs[1:] == tuple(node for _, node in captured)
    assert not any(node.op == "detach" for node in graph.nodes())


def test_sizes_that_are_not_known_are_numbers_in_expressions_and_sizes_of_new_tensors() -> None:
    def function(inputs: list[og.Tensor]) -> list[og.Tensor]:
        n = inputs[0].shape[0]
        return [inputs[0] / n, n - inputs[0], og.zeros(n, 2) + 1, og.full((2 * n,), 0.5)]

    graph, captured = capture(function, [x()])
    verify(graph, check_rule)
    assert not captured
    assert [o.shape for o in graph.outputs] == [(N, 3), (N, 3), (N, 2), (2 * N,)]
    with pytest.raises(ShapeError, match="not known yet"):
        capture(lambda inputs: [inputs[0] * int(inputs[0].shape[0])], [x()])


def test_everything_is_left_as_it_was_when_tracing_fails() -> None:
    counter, weight = og.zeros(1), og.ones(3, requires_grad=True)

    def writes(inputs: list[og.Tensor]) -> list[og.Tensor]:
        counter.add_(1)
        return [inputs[0] + counter]

    def differentiates(inputs: list[og.Tensor]) -> list[og.Tensor]:
        (inputs[0] * weight).sum().backward()
        return [inputs[0]]

    for function, words in ((writes, "writes to a tensor"), (differentiates, "writes to a tensor")):
        with pytest.raises(TraceError, match=words):
            capture(function, [x()])
    with pytest.raises(TraceError, match="random"):
        capture(lambda inputs: [inputs[0] + og.rand(3)], [x()])
    assert counter.item() == 0 and weight.grad is None
    assert (counter + 1).item() == 1, "nothing is traced any more"


def test_tensors_of_another_trace_are_refused() -> None:
    kept: list[og.Tensor] = []
    capture(lambda inputs: [kept.append(inputs[0]) or inputs[0]], [x()])
    with pytest.raises(TraceError, match="another trace"):
        capture(lambda inputs: [inputs[0] + kept[0]], [x()])
