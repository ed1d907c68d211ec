"""Running nodes and graphs with the NumPy references of the ops: the slow, plain meaning of a graph.

Arrays are in storage form: bfloat16 is kept as uint16 (see `ir/dtype.py`). References see half precision as
float32, and their result is rounded once. A node with several results (`dtype` bundle) gives a tuple.

Read next: `control.py` (ops that run graphs), `backends/reference.py` (the backend made of this).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import GraphError
from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32, float16, float32_to_bfloat16
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, bundle
from onegraph.ops.record import Array, Kind, record_of

Value: TypeAlias = Array | tuple[Array, ...]
"""What a node evaluates to: an array, or a tuple of arrays for a bundle."""


def to_computed(array: Array, dtype: DType) -> Array:
    """Storage of a dtype as references want it: half precision widened to float32."""
    if dtype is bfloat16:
        return bfloat16_to_float32(array)
    if dtype is float16:
        widened: Array = array.astype(np.float32)
        return widened
    return array


def to_stored(array: Any, dtype: DType) -> Array:
    """What a reference gave, rounded to a dtype and in its storage form."""
    array = np.asarray(array)
    if dtype is bfloat16:
        return float32_to_bfloat16(array.astype(np.float32, copy=False))
    stored: Array = array.astype(dtype.numpy, copy=False)
    return stored


def execute_node(node: Node, arrays: Sequence[Value]) -> Value:
    """The value of one node from the values of its inputs, in storage form.

    Args:
        node: any node but an `input`; its sizes must be known.
        arrays: one value for each of the node's inputs. They are not modified; the result may share
            their memory.

    Raises:
        GraphError: the op has no record, or its reference gave another shape than its rule.
        OutOfRangeError: an index that the op read is out of range.
    """
    record = record_of(node)
    with np.errstate(all="ignore"):
        if record.kind is Kind.CONTROL:  # these take and give storage: they only hand it to their graphs
            result = record.reference(*arrays, **node.attributes)
            if node.dtype is bundle:
                return tuple(result)
        else:
            computed = [to_computed(a, i.dtype) for a, i in zip(arrays, node.inputs, strict=True)]  # type: ignore[arg-type]
            result = to_stored(record.reference(*computed, **node.attributes), node.dtype)
    if result.shape != node.shape:
        raise GraphError(f"{node.op}: the reference gave shape {result.shape}, the rule says {node.shape}")
    return result


class Program:
    """A graph made ready to run many times; values are dropped after their last use.

    Args:
        graph: a closed graph whose sizes are known.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        place = {node: i for i, node in enumerate(graph.inputs)}
        steps: list[tuple[Node, tuple[int, ...]]] = []
        for node in graph.nodes():
            if node in place:
                continue
            if node.op == "input":
                raise GraphError(f"graph {graph.name} reads {node!r}, which is not among its inputs")
            steps.append((node, tuple([place[i] for i in node.inputs])))
            place[node] = len(place)
        self._size = len(place)
        self._results = [place[o] for o in graph.outputs]
        self._steps: list[tuple[Node, tuple[int, ...], list[int]]] = []
        unused = set(range(len(place))).difference(self._results)
        for node, reads in reversed(steps):
            last = unused.intersection(reads)
            unused -= last
            self._steps.append((node, reads, sorted(last)))
        self._steps.reverse()

    def __call__(self, arrays: Sequence[Value]) -> list[Array]:
        """The values of the graph's outputs for values of its inputs, all in storage form."""
        if len(arrays) != len(self.graph.inputs):
            raise GraphError(f"graph {self.graph.name} has {len(self.graph.inputs)} inputs, got {len(arrays)} values")
        values: list[Any] = [*arrays, *[None] * (self._size - len(arrays))]
        position = len(arrays)
        for node, reads, last in self._steps:
            values[position] = execute_node(node, [values[i] for i in reads])
            position += 1
            for i in last:
                values[i] = None
        return [values[i] for i in self._results]


def run_graph(graph: Graph, arrays: Sequence[Value]) -> list[Array]:
    """The outputs of a closed graph for values of its inputs, in storage form.

    >>> from onegraph.ir import input_node
    >>> from onegraph.ir.dtype import float32
    >>> from onegraph.ops.binary import add
    >>> x = input_node((2,), float32)
    >>> run_graph(Graph([x], [add(x, x)]), [np.array([1, 2], np.float32)])
    [array([2., 4.], dtype=float32)]
    """
    return Program(graph)(arrays)
