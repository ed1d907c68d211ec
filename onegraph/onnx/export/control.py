"""Exporters of control flow: If, Loop and Scan, whose subgraphs use the values around them directly.

Read next: `raising.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.ir.dim import Dim
from onegraph.ir.dtype import DType, bool_, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.registry import exporter
from onegraph.onnx.values import ELEMENT_TYPES, onnx_package


def value_info(name: str, dtype: DType, shape: Shape) -> Any:
    """The type of a value; sizes that are not known are named."""
    sizes = [str(size).replace(" ", "") if isinstance(size, Dim) else size for size in shape]
    return onnx_package().helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype.name], sizes)


class _Body:
    """A subgraph under construction."""

    def __init__(self, emitter: Emitter, graph: Graph, given: dict[Node, str]) -> None:
        self.emitter = Emitter(graph, emitter.opset, emitter)
        self.emitter.values.update(given)
        self.graph = graph

    def results(self) -> list[str]:
        """Write what the outputs need; each result is a value of its own, made inside."""
        own = self.emitter
        return [own.node("Identity", [name]) for name in own.emit()]

    def finish(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """The GraphProto."""
        return onnx_package().helper.make_graph(self.emitter.nodes, name, list(inputs), list(outputs))


def _infos(names: Sequence[str], nodes: Sequence[Node]) -> list[Any]:
    return [value_info(name, n.dtype, n.shape) for name, n in zip(names, nodes, strict=True)]


def _results(emitter: Emitter, node: Node, names: Any) -> str:
    """Remember the names of a node's results for its `item` nodes."""
    emitter.results[node] = names if isinstance(names, list) else [names]
    return emitter.results[node][0]


@exporter("item")
def _item(emitter: Emitter, node: Node) -> str:
    return emitter.results[node.inputs[0]][node.attributes["index"]]


@exporter("cond")
def _cond(emitter: Emitter, node: Node) -> str:
    condition, *operands = node.inputs
    branches = {}
    for key, name in (("then", "then_branch"), ("otherwise", "else_branch")):
        graph = node.attributes[key]
        given = {x: emitter.value(operand) for x, operand in zip(graph.inputs, operands, strict=True)}
        body = _Body(emitter, graph, given)
        results = body.results()
        branches[name] = body.finish(emitter.names.fresh(name), [], _infos(results, graph.outputs))
    count = len(node.attributes["then"].outputs)
    return _results(emitter, node, emitter.node("If", [emitter.value(condition)], count, **branches))


@exporter("scan")
def _scan(emitter: Emitter, node: Node) -> str:
    emitter.need(9, "Scan without a batch")
    graph, carried, scanned = (node.attributes[name] for name in ("body", "carried", "scanned"))
    reverse = int(node.attributes["reverse"])
    if not scanned:
        return _counted_loop(emitter, node)
    names = [emitter.names.fresh("scan_input") for _ in range(carried + scanned)]
    given = dict(zip(graph.inputs, names, strict=False))
    constants = node.inputs[carried + scanned :]
    given |= {x: emitter.value(c) for x, c in zip(graph.inputs[carried + scanned :], constants, strict=True)}
    body = _Body(emitter, graph, given)
    results = body.results()
    before = [body.emitter.node("Identity", [name]) for name in names[:carried]]
    outputs = _infos(results, graph.outputs) + _infos(before, graph.outputs[:carried])
    proto = body.finish(emitter.names.fresh("scan_body"), _infos(names, graph.inputs[: carried + scanned]), outputs)
    stacked = len(outputs) - carried
    made = emitter.node(
        "Scan",
        [emitter.value(x) for x in node.inputs[: carried + scanned]],
        len(outputs),
        body=proto,
        num_scan_inputs=scanned,
        scan_input_directions=[reverse] * scanned if reverse else None,
        scan_output_directions=[reverse] * stacked if reverse and stacked else None,
    )
    return _results(emitter, node, made)


def _scalar(emitter: Emitter, name: str) -> str:
    return str(emitter.node("Reshape", [name, emitter.constant([], int64, (0,))]))


def _counted_loop(emitter: Emitter, node: Node) -> str:
    """A scan over nothing but a number of steps, as a Loop."""
    graph, carried, reverse = (node.attributes[name] for name in ("body", "carried", "reverse"))
    step, condition = emitter.names.fresh("step"), emitter.names.fresh("condition")
    names = [emitter.names.fresh("loop_input") for _ in range(carried)]
    given = dict(zip(graph.inputs, names, strict=False))
    given |= {x: emitter.value(c) for x, c in zip(graph.inputs[carried:], node.inputs[carried:], strict=True)}
    body = _Body(emitter, graph, given)
    results = body.results()
    before = [body.emitter.node("Identity", [name]) for name in names]
    goes_on = body.emitter.node("Identity", [condition])
    inputs = [value_info(step, int64, ()), value_info(condition, bool_, ()), *_infos(names, graph.inputs[:carried])]
    outputs = [
        value_info(goes_on, bool_, ()), *_infos(results, graph.outputs), *_infos(before, graph.outputs[:carried])
    ]  # fmt: skip
    proto = body.finish(emitter.names.fresh("loop_body"), inputs, outputs)
    count = _scalar(emitter, emitter.size(node.attributes["length"]))
    made = emitter.node(
        "Loop", [count, emitter.constant(True, bool_), *[emitter.value(x) for x in node.inputs[:carried]]],
        len(outputs) - 1, body=proto,
    )  # fmt: skip
    found = made if isinstance(made, list) else [made]
    if reverse:
        emitter.need(10, "Slice with negative steps")
        last = -(2**31)
        found[carried:] = [emitter.slice(name, [0], [-1], [last], [-1]) for name in found[carried:]]
    return _results(emitter, node, found)


@exporter("while")
def _while(emitter: Emitter, node: Node) -> str:
    """A Loop: the condition is computed before it and again at the end of each step."""
    a = node.attributes
    carried, maximum = a["carried"], a["maximum"]
    constants = [emitter.value(x) for x in node.inputs[carried:]]
    first = Emitter(a["condition"], emitter.opset, emitter)
    starts = [emitter.value(x) for x in node.inputs]
    first.values.update(zip(a["condition"].inputs, starts, strict=True))
    (begins,) = first.emit()
    emitter.nodes.extend(first.nodes)

    step, condition = emitter.names.fresh("step"), emitter.names.fresh("condition")
    names = [emitter.names.fresh("loop_input") for _ in range(carried)]
    body = _Body(emitter, a["body"], dict(zip(a["body"].inputs, [*names, *constants], strict=True)))
    results = body.results()
    again = Emitter(a["condition"], emitter.opset, body.emitter)
    again.values.update(zip(a["condition"].inputs, [*results, *constants], strict=True))
    (goes_on,) = again.emit()
    body.emitter.nodes.extend(again.nodes)
    goes_on = body.emitter.node("Identity", [goes_on])
    inputs = [
        value_info(step, int64, ()), value_info(condition, bool_, ()), *_infos(names, a["body"].inputs[:carried])
    ]  # fmt: skip
    outputs = [value_info(goes_on, bool_, ()), *_infos(results, a["body"].outputs)]
    proto = body.finish(emitter.names.fresh("loop_body"), inputs, outputs)
    limit = "" if maximum is None else emitter.constant(maximum, int64)
    return _results(emitter, node, emitter.node("Loop", [limit, begins, *starts[:carried]], len(results), body=proto))


def running(emitter: Emitter, value: str, first: str, op: str, node: Node, dim: int, reverse: int) -> str:
    """A Scan that combines what came before with each row: running products and maxima."""
    shape = (*node.shape[:dim], *node.shape[dim + 1 :])
    if op == "Mul":
        first = emitter.node("Expand", [emitter.constant(1, node.dtype), emitter.shape(shape)])
    carry, row = emitter.names.fresh("carry"), emitter.names.fresh("row")
    inner = Emitter(emitter.graph, emitter.opset, emitter)
    last = inner.node(op, [carry, row])
    outputs = [last, inner.node("Identity", [last])]
    proto = onnx_package().helper.make_graph(
        inner.nodes,
        emitter.names.fresh("scan_body"),
        [value_info(name, node.dtype, shape) for name in (carry, row)],
        [value_info(name, node.dtype, shape) for name in outputs],
    )
    backward = [1] if reverse else None
    made = emitter.node(
        "Scan",
        [first, value],
        2,
        body=proto,
        num_scan_inputs=1,
        scan_input_axes=[dim],
        scan_output_axes=[dim],
        scan_input_directions=backward,
        scan_output_directions=backward,
    )
    return str(made[1])
