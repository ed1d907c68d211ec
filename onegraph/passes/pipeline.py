"""The compiler pipeline: an ordered list of named passes from graph to graph. Backends compile what comes out.

Every pass can be printed (`onegraph.explain`) and, with the setting `verify_passes`, is verified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onegraph.config import settings
from onegraph.ir.graph import Graph
from onegraph.ops.record import check_rule
from onegraph.passes.algebra import simplify_algebra
from onegraph.passes.branches import choose_branches
from onegraph.passes.common_subexpressions import merge_common_subexpressions
from onegraph.passes.fold_batch_norm import fold_batch_norm
from onegraph.passes.fold_constants import fold_constants
from onegraph.passes.linear_sums import simplify_linear_sums
from onegraph.passes.moments import find_moments
from onegraph.passes.movement import simplify_movement
from onegraph.passes.reductions import simplify_reductions
from onegraph.passes.scans import improve_scans
from onegraph.passes.simplify import simplify
from onegraph.passes.softmax_gradient import simplify_softmax_gradient


class Pass(NamedTuple):
    """A named step from graph to graph. Inputs stay the same nodes in the same order."""

    name: str
    doc: str
    run: Callable[[Graph], Graph]


PIPELINE: tuple[Pass, ...] = (
    Pass("simplify", "take out ops that do nothing when a graph runs", simplify),
    Pass("branches", "choose between values instead of branches that cost little", choose_branches),
    Pass("scans", "take products that are known already, and sums, out of loops", improve_scans),
    Pass("fold constants", "compute what is known already", fold_constants),
    Pass("algebra", "leave out arithmetic that does nothing", simplify_algebra),
    Pass("movement", "make one movement of several", simplify_movement),
    Pass("reductions", "leave out dimensions with nothing to reduce", simplify_reductions),
    Pass("common subexpressions", "compute equal things once", merge_common_subexpressions),
    Pass("softmax gradient", "find gradients of softmax from its result", simplify_softmax_gradient),
    Pass("fold batch norm", "put scales and shifts of channels into weights and biases", fold_batch_norm),
    Pass("moments", "compute mean and variance together", find_moments),
    Pass("linear sums", "take constant factors out of sums beside moments", simplify_linear_sums),
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
