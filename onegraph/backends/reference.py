"""The reference backend: NumPy, op by op, from the records' own references. Slow and plain; every other backend is tested against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onegraph.backends.blas import one_thread
from onegraph.backends.contract import Backend, Buffer, register_backend
from onegraph.backends.host import HostMemory, located
from onegraph.errors import FeedError
from onegraph.ir.dtype import bfloat16, bfloat16_to_float32, float32_to_bfloat16
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological
from onegraph.ops.evaluate import execute_node
from onegraph.ops.shapes import show

Array = np.ndarray[Any, Any]


class ReferenceExecutable:
    """A graph in the order in which it runs, with the last use of every value."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = [n for n in graph.nodes() if n.op != "input"]
        slots = {n: i for i, n in enumerate([*graph.inputs, *self.order])}
        kept = {slots[o] for o in graph.outputs}
        last_use: dict[int, int] = {}
        for step, node in enumerate(self.order):
            for i in node.inputs:
                last_use[slots[i]] = step
        free: list[list[int]] = [[] for _ in self.order]
        for slot, step in last_use.items():
            if slot not in kept:
                free[step].append(slot)
        self.steps = [
            (node, tuple(slots[i] for i in node.inputs), slots[node], tuple(free[step]))
            for step, node in enumerate(self.order)
        ]
        self.output_slots = [slots[o] for o in graph.outputs]

    def run(self, inputs: Sequence[Buffer], given_up: Sequence[int] = ()) -> list[Buffer]:
        """Run the ops one by one; results are always new."""
        with one_thread:
            return self._run(inputs)

    def _run(self, inputs: Sequence[Buffer]) -> list[Buffer]:
        values: list[Any] = [b.array for b in inputs]
        values += [None] * len(self.order)
        for node, sources, target, free in self.steps:
            values[target] = located(node, execute_node, node, [values[s] for s in sources])
            for slot in free:
                values[slot] = None
        return [Buffer(values[s], o.dtype) for s, o in zip(self.output_slots, self.graph.outputs, strict=True)]

    def describe(self) -> str:
        """One line an op."""
        lines = []
        for node, sources, target, free in self.steps:
            line = f"v{target} = {node.op}({', '.join(f'v{s}' for s in sources)})  {node.dtype.short}{show(node.shape)}"
            lines.append(line + (f"  then free {', '.join(f'v{s}' for s in free)}" if free else ""))
        return "\n".join(lines)


class ReferenceBackend(HostMemory):
    """NumPy on the host."""

    name = "reference"

    def compile(self, graph: Graph, replaced: Sequence[tuple[int, int]] = ()) -> ReferenceExecutable:
        """Put the ops in order."""
        return ReferenceExecutable(graph)


BACKEND: Backend = register_backend(ReferenceBackend())


def evaluate(outputs: Sequence[Node], feeds: Mapping[Node, Any] | None = None) -> list[Array]:
    """Values of nodes, given the values of the inputs that they depend on; bfloat16 is given and returned as float32.

    >>> from onegraph.ops.elementwise import numpy_constant
    >>> from onegraph.ops.binary import add
    >>> evaluate([add(numpy_constant(np.array([1.0, 2.0])), 1)])
    [array([2., 3.])]
    """
    feeds = feeds or {}
    inputs = [n for n in topological(outputs) if n.op == "input"]
    for node in inputs:
        if node not in feeds:
            raise FeedError(f"no value is given for {node!r}")
    buffers = []
    for node in inputs:
        array = np.asarray(feeds[node])
        array = float32_to_bfloat16(array) if node.dtype is bfloat16 else array.astype(node.dtype.numpy)
        buffers.append(Buffer(array, node.dtype))
    results = ReferenceExecutable(Graph(inputs, outputs)).run(buffers)
    return [bfloat16_to_float32(r.array) if r.dtype is bfloat16 else r.array for r in results]
