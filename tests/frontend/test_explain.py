"""`og.explain` shows every stage, for the user's own lines, on both backends."""

from __future__ import annotations

from typing import Any

import pytest

import onegraph as og
from onegraph.errors import ArgumentError
from onegraph.passes.pipeline import PIPELINE


def doubled(x: Any, w: Any) -> Any:
    return (x @ w * 2).sum(0)


def explain(backend: str) -> Any:
    with og.config.using(backend=backend):
        return og.explain(doubled, og.ones(8, 5), og.ones(5, 3))


def test_the_stages_in_order() -> None:
    names = [name for name, _ in explain("native").stages]
    passes = [f"{step.name}: {step.doc}" for step in PIPELINE]
    assert names[0] == "traced" and names[1 : 1 + len(passes)] == passes
    assert [n.split(":")[0] for n in names[1 + len(passes) :]] == ["kernels", "loop nests", "memory", "plan (native)"]


def test_each_stage_speaks_of_the_user_s_line() -> None:
    explanation = explain("native")
    line = f"test_explain.py:{doubled.__code__.co_firstlineno + 1}"
    for stage in ("traced", "kernels"):
        assert line in explanation[stage]
    assert "for i" in explanation["loop nests"] and "arena" in explanation["memory"]
    assert str(explanation).count("\n== ") == len(explanation.stages) - 1


def test_the_reference_backend_shows_its_plan() -> None:
    explanation = explain("reference")
    assert explanation.stages[-1][0] == "plan (reference)"
    assert "matmul" in explanation["plan"] and not any(n.startswith("kernels") for n, _ in explanation.stages)


def test_machine_code_of_a_kernel() -> None:
    explanation = explain("native")
    text = explanation.llvm("matmul")
    assert "define void @KERNEL(" in text
    assembly = explanation.assembly(0)
    assert "KERNEL:" in assembly and "ret" in assembly
    assert assembly != explanation.assembly(1)


def test_an_unknown_stage_lists_those_that_exist() -> None:
    with pytest.raises(ArgumentError, match="traced; simplify"):
        explain("reference")["nonsense"]


def test_explaining_computes_nothing() -> None:
    weight = og.zeros(2, requires_grad=True)

    def step(x: Any) -> Any:
        weight.data.add_(x)
        return weight.sum()

    for backend in ("native", "reference"):
        with og.config.using(backend=backend):
            explained = og.explain(step, og.ones(2))
        assert explained.plan.runs == 0
    assert weight.tolist() == [0.0, 0.0]
