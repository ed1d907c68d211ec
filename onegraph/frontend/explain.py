"""`explain`: every stage of compiling a function, from the user's lines to loop nests, memory and machine code.

Read next: `passes/pipeline.py` (the passes), `runtime/inspection.py` (what is in a plan), `runtime/report.py` (HTML).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.function import Function, jit
from onegraph.ir.graph import Graph
from onegraph.ir.text import to_text
from onegraph.passes.pipeline import Pass, optimize
from onegraph.runtime.inspection import (
    Inspection,
    Measurement,
    inspect,
    kernels_text,
    machine_code,
    measure,
    memory_text,
    nests_text,
)
from onegraph.runtime.plan import Plan, plan_for


class Explanation:
    """The stages of a compilation, as text; and the plan, which can be measured and reported.

    Attributes:
        stages: (name, text) in order.
        plan: what was compiled.
        name: of the function.
    """

    def __init__(self, stages: list[tuple[str, str]], plan: Plan, name: str) -> None:
        self.stages = stages
        self.plan = plan
        self.name = name

    def __str__(self) -> str:
        return "\n\n".join(f"== {name}\n{text}" for name, text in self.stages)

    __repr__ = __str__

    def __getitem__(self, name: str) -> str:
        """The text of a stage, by its name or the beginning of its name."""
        for found, text in self.stages:
            if found.startswith(name):
                return text
        raise ArgumentError(f"no stage is called {name!r}; there are: {'; '.join(n for n, _ in self.stages)}")

    def inspect(self) -> Inspection:
        """Steps and values of the plan as data; empty for the reference backend."""
        return inspect(self.plan)

    def llvm(self, kernel: int | str) -> str:
        """The LLVM IR of a kernel, as the compiler wrote it.

        Args:
            kernel: its number, or a part of its name.
        """
        return machine_code(self.inspect().find(kernel), assembly=False)

    def assembly(self, kernel: int | str) -> str:
        """The machine code of a kernel for this processor, as assembly. The argument is that of `llvm`."""
        return machine_code(self.inspect().find(kernel), assembly=True)

    def profile(self, repeats: int = 10) -> Measurement:
        """Time each kernel, on made-up values: nobody's state changes. `.table()` of what comes back prints it."""
        return measure(self.plan, repeats)

    def report(self, path: str | os.PathLike[str], *, measured: bool = True) -> None:
        """Write everything to one HTML file.

        Args:
            path: the file.
            measured: run the plan a few times (on made-up values) for the times of the kernels.
        """
        from onegraph.runtime.report import save_report

        times = measure(self.plan) if measured and self.plan.backend.name == "native" else None
        save_report(path, self.plan, self.stages, times, self.name)


def explain(
    function: Callable[..., Any], *args: Any, report: str | os.PathLike[str] | None = None, **kwargs: Any
) -> Explanation:
    """Every stage that a function goes through: the traced graph with the user's lines, each pass, and the plan.

    On the native backend, the plan is shown as kernels (which operations run together, and from which lines they
    come), as loop nests, as memory, and as steps with the places where threads wait.

    Args:
        function: a function or module (traced or not).
        args, kwargs: what it would be called with; nothing is computed and no state changes.
        report: also write an HTML page to this file, with measured times (see `Explanation.report`). A function that
            takes an argument of this name itself is wrapped in a lambda.

    >>> import onegraph as og
    >>> with og.config.using(backend="native"):
    ...     explanation = og.explain(lambda x: ((x + 0.5) * (x + 0.5)).sum(), og.ones(2))
    >>> print(explanation)  # doctest: +ELLIPSIS
    == traced
    graph function(%0: f32[2]) {
      %1: f32[] = constant(value=f32[](0.5))
      %2: f32[2] = add(%0, %1)  # ...:2
      %3: f32[2] = add(%0, %1)  # ...:2
      %4: f32[2] = mul(%2, %3)  # ...:2
      %5: f32[] = sum(%4, dims=(0,), keepdim=False)  # ...:2
      return %5
    }
    <BLANKLINE>
    == simplify: take out ops that do nothing when a graph runs
    (no change)
    ...
    == common subexpressions: compute equal things once
    graph function(%0: f32[2]) {
      %1: f32[] = constant(value=f32[](0.5))
      %2: f32[2] = add(%0, %1)  # ...:2
      %3: f32[2] = mul(%2, %2)  # ...:2
      %4: f32[] = sum(%3, dims=(0,), keepdim=False)  # ...:2
      return %4
    }
    ...
    == kernels: what is computed together, and for which lines
    0: sum ...:2
        add f32[2]  # ...:2
        mul f32[2]  # ...:2
        sum f32[]  # ...:2
    <BLANKLINE>
    == loop nests: what each kernel does
    0: sum, 1 task
        once:
          for i0 in 2:
            v0 = b0[i0]
            v1 = constant(0.5)
            v2 = add(v0, v1)
            v3 = mul(v2, v2)
            v4 sum= v3
          b1[0] = v4
    <BLANKLINE>
    == memory: where values lie, and for how long
    arena 0 bytes, at most 0 of them alive at a time
    inputs 8 bytes: i0 f32[2]
    outputs 4 bytes: o1 f32[]
    <BLANKLINE>
    == plan (native)
    arena 0 bytes (at least 0)
         o1:f32[] = sum(i0:f32[2])  1 tasks
    """
    traceable = function if isinstance(function, Function) or hasattr(function, "trace") else jit(function)
    name = str(getattr(function, "__name__", type(function).__name__))
    made = explain_graph(traceable.trace(*args, **kwargs).graph, "traced", name)
    if report is not None:
        made.report(report)
    return made


def explain_graph(graph: Graph, first: str, name: str = "") -> Explanation:
    """As `explain`, for a graph without unknown sizes; `first` is the name of its first stage."""
    stages = [(first, _text(graph))]
    before = [_text(graph)]

    def observe(step: Pass, graph: Graph) -> None:
        text = _text(graph)
        stages.append((f"{step.name}: {step.doc}", "(no change)" if text == before[0] else text))
        before[0] = text

    optimize(graph, observe)
    plan = plan_for(graph)
    found = inspect(plan)
    if found.steps:
        stages.append(("kernels: what is computed together, and for which lines", kernels_text(found)))
        stages.append(("loop nests: what each kernel does", nests_text(found)))
        stages.append(("memory: where values lie, and for how long", memory_text(found)))
        described = str(plan.executable.program.describe())  # type: ignore[attr-defined]
    else:
        described = plan.executable.describe()
    stages.append((f"plan ({plan.backend.name})", described))
    return Explanation(stages, plan, name or graph.name)


def _text(graph: Graph) -> str:
    return to_text(graph, sources=True, opaque=True).rstrip()
