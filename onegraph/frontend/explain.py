"""`explain`: every stage of compiling a function, from the user's lines to the steps of the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.frontend.function import Function, jit
from onegraph.ir.graph import Graph
from onegraph.ir.text import to_text
from onegraph.passes.pipeline import Pass, optimize
from onegraph.runtime.plan import plan_for


class Explanation:
    """The stages of a compilation, as text.

    Attributes:
        stages: (name, text) in order.
    """

    def __init__(self, stages: list[tuple[str, str]]) -> None:
        self.stages = stages

    def __str__(self) -> str:
        return "\n\n".join(f"== {name}\n{text}" for name, text in self.stages)

    __repr__ = __str__

    def __getitem__(self, name: str) -> str:
        return dict(self.stages)[name]


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """Every stage that a function goes through: the traced graph with the user's lines, each pass, and the plan.

    Args:
        function: a function or module (traced or not).
        args, kwargs: what it would be called with; nothing is computed and no state changes.

    >>> import onegraph as og
    >>> print(og.explain(lambda x: (x + 0.5) * (x + 0.5), og.ones(2)))  # doctest: +ELLIPSIS
    == traced
    graph function(%0: f32[2]) {
      %1: f32[] = constant(value=f32[](0.5))
      %2: f32[2] = add(%0, %1)  # ...:1
      %3: f32[2] = add(%0, %1)  # ...:1
      %4: f32[2] = mul(%2, %3)  # ...:1
      return %4
    }
    <BLANKLINE>
    == simplify: take out ops that do nothing when a graph runs
    (no change)
    <BLANKLINE>
    == fold constants: compute what is known already
    (no change)
    <BLANKLINE>
    == algebra: leave out arithmetic that does nothing
    (no change)
    <BLANKLINE>
    == movement: make one movement of several
    (no change)
    <BLANKLINE>
    == reductions: leave out dimensions with nothing to reduce
    (no change)
    <BLANKLINE>
    == common subexpressions: compute equal things once
    graph function(%0: f32[2]) {
      %1: f32[] = constant(value=f32[](0.5))
      %2: f32[2] = add(%0, %1)  # ...:1
      %3: f32[2] = mul(%2, %2)  # ...:1
      return %3
    }
    <BLANKLINE>
    == fold batch norm: put scales and shifts of channels into weights and biases
    (no change)
    <BLANKLINE>
    == moments: compute mean and variance together
    (no change)
    <BLANKLINE>
    == linear sums: take constant factors out of sums beside moments
    (no change)
    <BLANKLINE>
    == plan (reference)
    v1 = constant()  f32()
    v2 = add(v0, v1)  f32(2,)  then free v0, v1
    v3 = mul(v2, v2)  f32(2,)  then free v2
    """
    traceable = function if isinstance(function, Function) or hasattr(function, "trace") else jit(function)
    return explain_graph(traceable.trace(*args, **kwargs).graph, "traced")


def explain_graph(graph: Graph, name: str) -> Explanation:
    """As `explain`, for a graph without unknown sizes; `name` is that of its first stage."""
    stages = [(name, _text(graph))]
    before = [_text(graph)]

    def observe(step: Pass, graph: Graph) -> None:
        text = _text(graph)
        stages.append((f"{step.name}: {step.doc}", "(no change)" if text == before[0] else text))
        before[0] = text

    optimize(graph, observe)
    plan = plan_for(graph)
    stages.append((f"plan ({plan.backend.name})", plan.executable.describe()))
    return Explanation(stages)


def _text(graph: Graph) -> str:
    return to_text(graph, sources=True, opaque=True).rstrip()
