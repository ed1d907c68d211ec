"""The compiler pipeline: an ordered list of named passes from graph to graph. Backends compile what comes out.

Every pass can be printed (`onegraph.explain`) and, with the setting `verify_passes`, is verified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onegraph.config import settings
from onegraph.ir.graph import Graph
from onegraph.ops.record import check_rule
from onegraph.passes.common_subexpressions import merge_common_subexpressions
from onegraph.passes.simplify import simplify


@dataclass(frozen=True)
class Pass:
    """A named step from graph to graph. Inputs stay the same nodes in the same order."""

    name: str
    doc: str
    run: Callable[[Graph], Graph]


PIPELINE: tuple[Pass, ...] = (
    Pass("simplify", "take out ops that do nothing when a graph runs", simplify),
    Pass("common subexpressions", "compute equal things once", merge_common_subexpressions),
)


def optimize(graph: Graph, observe: Callable[[Pass, Graph], None] | None = None) -> Graph:
    """Run all passes; `observe` sees the graph after each."""
    for step in PIPELINE:
        graph = step.run(graph)
        if settings.verify_passes:
            from onegraph.ir.verify import verify

            verify(graph, check_rule)
        if observe is not None:
            observe(step, graph)
    return graph
