"""Which operation a run-time error comes from: a fused kernel knows only that one of its elements went wrong.

The operands that decide (indices, divisors) are computed again by the reference backend, whose error names the operation, the
sizes and the user's line. Read next: `backend.py`, which calls this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.host import location_of
from onegraph.backends.reference import ReferenceExecutable
from onegraph.errors import DivisionError, OneGraphError, OutOfRangeError
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ops.evaluate import execute_node
from onegraph.ops.index import shape_of


def exact_error(graph: Graph, inputs: Sequence[Buffer], error: OneGraphError) -> OneGraphError:
    """The error of the operation that failed; the one that is given where none is found (inside of a loop, say).

    Args:
        graph: what ran.
        inputs: the values that it was given.
        error: a `DivisionError` or an `OutOfRangeError` of a kernel.
    """
    ops = ("floor_div", "mod") if isinstance(error, DivisionError) else ("take",)
    for node in graph.nodes():
        if node.op in ops and (node.op == "take" or node.dtype.kind != "float"):
            found = _error_of(node, graph, inputs)
            if found is not None:
                return found
    return error


def _error_of(node: Node, graph: Graph, inputs: Sequence[Buffer]) -> OneGraphError | None:
    first, *deciding = node.inputs
    stand_in = np.broadcast_to(np.ones((), first.dtype.numpy), shape_of(first))
    location = location_of(node)
    try:
        values = ReferenceExecutable(Graph(graph.inputs, deciding)).run(inputs)
        execute_node(node, [stand_in, *[v.array for v in values]])
    except (DivisionError, OutOfRangeError) as error:
        error.location = error.location or location
        return error
    except ZeroDivisionError as error:
        return DivisionError(f"{node.op}: {error}", location=location)
    return None
