"""Operations that run others: `no_op`, `group`, `tuple`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.frontend.static.functions import identity
from onegraph.frontend.static.graph import get_default_graph
from onegraph.frontend.static.tensor import Operation
from onegraph.frontend.static.variable import Effect


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing, but for what control dependencies make it wait for."""
    graph = get_default_graph()
    return Operation(graph, graph.operation_name(name, "NoOp"), "NoOp", graph.control)


def group(*inputs: Any, name: str | None = None) -> Operation:
    """One operation that runs all of these."""
    graph = get_default_graph()
    effects: frozenset[Effect] = graph.control
    items: list[Any] = []
    for item in inputs:
        items.extend(item if isinstance(item, (list, tuple)) else [item])
    for item in items:
        if item is not None:
            effects |= graph.as_graph_element(item).effects
    return Operation(graph, graph.operation_name(name, "group_deps"), "NoOp", effects)


def tuple_(tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The tensors, each of which is only there once all of them (and the control inputs) have run; None stays None."""
    graph = get_default_graph()
    waited_for = [*[t for t in tensors if t is not None], *(control_inputs or ())]
    with graph.name_scope(name or "tuple"), graph.control_dependencies(waited_for):
        return [None if t is None else identity(t) for t in tensors]
