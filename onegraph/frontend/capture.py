"""A function as one closed graph, for given input nodes: what a saved model is made from.

Unlike `jit` (`function.py`), the inputs may have sizes that are not known yet, and the graph must stand on its own: it
may read tensors from outside, but neither write them nor draw random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onegraph.frontend.state as state
from onegraph.errors import TraceError
from onegraph.frontend.state import take_waiting, tracing
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap
from onegraph.frontend.trace import Trace
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ir.traverse import substitute, topological


def capture(
    function: Callable[[list[Tensor]], Sequence[Tensor]], inputs: Sequence[Node], name: str = "graph"
) -> tuple[Graph, list[tuple[Tensor, Node]]]:
    """Trace a function into a graph.

    Args:
        function: takes a tensor for each input node, and gives the tensors that become outputs.
        inputs: `input` nodes; their shapes may have sizes that are not known.
        name: of the graph.

    Returns:
        The graph, whose inputs are the given ones and then those of captured tensors; and the tensors from outside
        that the outputs depend on, each with its input node.

    Raises:
        TraceError: the function looks at a value, writes a tensor from outside, or draws random numbers.

    >>> import onegraph as og
    >>> from onegraph.ir.dim import Dim
    >>> weight = og.ones(3, 2)
    >>> x = input_node((Dim.unknown("n"), 3), og.float32, "x")
    >>> graph, captured = capture(lambda inputs: [inputs[0] @ weight], [x])
    >>> print(graph)
    graph graph(%0: f32[n, 3] "x", %1: f32[3, 2]) {
      %2: f32[n, 2] = matmul(%0, %1)
      return %2
    }
    >>> captured[0][0] is weight
    True
    """
    realize_tensors(take_waiting())
    trace = Trace()
    before = state.mode.recorded
    try:
        with state.enable_grad(), tracing(trace):
            results = function([wrap(node, False) for node in inputs])
            outputs = [t.node for t in results]
        _check_pure(trace)
        return _close(trace, inputs, outputs, name)
    finally:
        trace.restore()
        state.mode.recorded = before


def _check_pure(trace: Trace) -> None:
    written = [b.tensor for b in trace.changed.values() if not trace.is_own(b.tensor)]
    written += [tensor for tensor, _ in trace.gradients.values()]
    if written:
        shape = list(written[0].shape)
        raise TraceError(
            f"the function writes to a tensor from outside (of shape {shape}), which a graph on its own cannot",
            hint="keep what changes among the inputs and outputs; a model is saved in eval() mode",
        )
    if trace.random:
        raise TraceError(
            "the function draws random numbers, which a graph on its own has none of",
            hint="draw them outside and pass them as an input; a model is saved in eval() mode, where dropout draws none",
        )
    if trace.numbers:
        raise TraceError("the function uses a number that changes from call to call", hint="pass it as an input")


def _close(
    trace: Trace, inputs: Sequence[Node], outputs: Sequence[Node], name: str
) -> tuple[Graph, list[tuple[Tensor, Node]]]:
    """The graph with a new input for each captured tensor that it needs."""
    outside = {node: tensor for tensor, node in trace.outside.values()}
    captured: dict[Node, tuple[Tensor, Node]] = {}
    given = set(inputs)
    for node in topological(outputs, stop=lambda n: n in outside):
        if node in outside:
            tensor = outside[node]
            captured[node] = (tensor, input_node(node.shape, node.dtype, tensor.name))
        elif node.op == "input" and node not in given:
            raise TraceError(
                "the function uses a tensor of another trace", hint="do not keep tensors of a traced function for later"
            )
    replaced: dict[Node, Any] = {node: new for node, (_, new) in captured.items()}
    graph = Graph([*inputs, *replaced.values()], substitute(outputs, replaced), name)
    return graph, list(captured.values())
