"""Control flow that Python steers: branches, loops without a known end, and loops around other control flow.

The graphs inside are programs, compiled once; a step of a loop costs Python some microseconds. A scan whose body is
kernels alone needs no Python at all, see `loops.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native.program import Program
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ops.tracing import inline

Array = np.ndarray[Any, Any]


def _buffers(arrays: Sequence[Array], nodes: Sequence[Node]) -> list[Buffer]:
    return [Buffer(a, n.dtype) for a, n in zip(arrays, nodes, strict=True)]


def run_cond(node: Node, then: Program, otherwise: Program, arrays: list[Array]) -> tuple[Array, ...]:
    """One of two programs."""
    chosen = then if arrays[0] else otherwise
    return tuple([b.array for b in chosen.run(_buffers(arrays[1:], node.inputs[1:]))])


def step_of(node: Node) -> Graph:
    """A step of a `while`: the body, and then the condition of what it gives."""
    condition, body, carried = (node.attributes[name] for name in ("condition", "body", "carried"))
    goes_on = inline(condition, [*body.outputs, *body.inputs[carried:]])
    return Graph(body.inputs, [*body.outputs, *goes_on], "step")


def run_while(node: Node, condition: Program, step: Program, arrays: list[Array]) -> tuple[Array, ...]:
    """A program on its own results as long as the condition holds."""
    carried, maximum = node.attributes["carried"], node.attributes["maximum"]
    buffers = _buffers(arrays, node.inputs)
    carry, constants = buffers[:carried], buffers[carried:]
    goes_on, run = bool(condition.run(buffers)[0].array), step.run
    count = 0
    while goes_on and count != maximum:
        *carry, flag = run([*carry, *constants])
        goes_on = bool(flag.array)
        count += 1
    return tuple([b.array for b in carry])


def run_scan(node: Node, body: Program, arrays: list[Array]) -> tuple[Array, ...]:
    """A program once for each row."""
    graph, carried, scanned = (node.attributes[name] for name in ("body", "carried", "scanned"))
    count = int(node.attributes["length"])
    buffers = _buffers(arrays, node.inputs)
    carry, constants = buffers[:carried], buffers[carried + scanned :]
    rows = list(zip(arrays[carried : carried + scanned], node.inputs[carried:], strict=False))
    stacked, history = (
        [np.empty((count, *n.shape), n.dtype.numpy) for n in nodes]
        for nodes in (graph.outputs[carried:], graph.outputs[:carried])
    )
    for i in reversed(range(count)) if node.attributes["reverse"] else range(count):
        for place, value in zip(history, carry, strict=True):
            place[i] = value.array
        results = body.run([*carry, *[Buffer(x[i, ...], n.dtype) for x, n in rows], *constants])
        carry = results[:carried]
        for place, value in zip(stacked, results[carried:], strict=True):
            place[i] = value.array
    return (*[b.array for b in carry], *stacked, *history)
