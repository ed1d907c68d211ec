"""What is found inside a plan is what the plan does; the HTML page of it is whole and safe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.errors import ArgumentError
from onegraph.frontend.explain import Explanation
from onegraph.runtime.drawing import Box, layered
from onegraph.runtime.inspection import inspect, made_up_inputs, measure
from onegraph.runtime.report import MOST_TEXT, report_html

VOID = {"meta"}


@pytest.fixture(autouse=True)
def _native() -> Iterator[None]:
    with og.config.using(backend="native"):
        yield


def two_layers(x: Any, y: Any, w1: Any, w2: Any) -> Any:
    hidden = og.relu(x @ w1)
    error = hidden @ w2 - y
    return (error * error).sum(1).mean()


def explain_two_layers() -> Explanation:
    return og.explain(two_layers, og.ones(16, 50), og.ones(16, 6), og.ones(50, 20), og.ones(20, 6))


def explain_lenet_step() -> Explanation:
    model = zoo.network("lenet5").make(num_classes=10, in_channels=1)
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = og.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return og.explain(step, og.zeros(4, 1, 32, 32), og.zeros(4, dtype=og.int64))


class Checker(HTMLParser):
    """Notes what a page holds, and whether its elements close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on") and name != "src"
            if name == "id":
                self.ids.append(str(value))
            if name == "href":
                self.links.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# ------------------------------------------------------------------------------------------------- inspection


def test_every_line_of_the_user_is_in_a_kernel() -> None:
    found = explain_two_layers().inspect()
    first = two_layers.__code__.co_firstlineno
    lines = {line for step in found.steps for line in step.lines}
    assert lines == {f"test_inspection.py:{first + i}" for i in (1, 2, 3)}
    ops = [op for step in found.steps for op, _, _ in step.ops]
    assert ops.count("matmul") == 2 and "sub" in ops and "where" in ops


def test_values_that_live_together_do_not_overlap() -> None:
    found = explain_lenet_step().inspect()
    inside = [v for v in found.values if v.offset is not None]
    assert len(inside) > 5
    for i, a in enumerate(inside):
        assert a.offset >= 0 and a.offset + a.bytes <= found.arena_bytes
        for b in inside[:i]:
            together = a.first <= b.last and b.first <= a.last
            if a.offset == b.offset and (a.first == b.last or b.first == a.last):
                continue  # one is written over the other, by the launch that reads that one last
            apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
            assert apart or not together, (a, b)
    assert max(v.bytes for v in inside) <= found.most_alive <= found.arena_bytes


def test_steps_read_what_was_written_before() -> None:
    found = explain_lenet_step().inspect()
    kinds = {v.name: v.kind for v in found.values}
    written: set[str] = set()
    for step in found.steps:
        assert all(r in written or kinds.get(r) in ("input", "constant") for r in step.reads), step
        written.update(step.writes)
    assert {n for n, kind in kinds.items() if kind == "output"} <= written


def test_measuring_gives_a_time_for_every_kernel_and_changes_nothing() -> None:
    x = og.ones(3, 4, requires_grad=True)

    def step(y: Any) -> Any:
        x.data.add_(y.sum())
        return (x * y).sum()

    explanation = og.explain(step, og.ones(3, 4))
    measured = explanation.profile(repeats=2)
    assert [s.number for s, _ in measured.steps] == [s.number for s in explanation.inspect().steps if s.tasks]
    assert all(seconds >= 0 for _, seconds in measured.steps) and measured.seconds > 0
    table = measured.table()
    assert "of limit" in table and "GFLOP/s" in table and "test_inspection.py:" in table
    assert measured.table(1).count("\n") == 2
    assert np.array_equal(x.detach().numpy(), np.ones((3, 4), np.float32))


def test_made_up_integers_are_valid_indices_and_divisors() -> None:
    indexed = og.explain(lambda t, i: t[i] * 2, og.ones(5, 3), og.zeros(4, dtype=og.int64))
    assert measure(indexed.plan, 1).steps
    divided = og.explain(lambda a, b: a // b, og.ones(4, dtype=og.int32), og.ones(4, dtype=og.int32))
    assert measure(divided.plan, 1).steps
    dtypes = [i.dtype for i in divided.plan.graph.inputs]
    assert [b.dtype for b in made_up_inputs(divided.plan.graph)] == dtypes


def test_the_reference_backend_has_no_kernels() -> None:
    with og.config.using(backend="reference"):
        plan = explain_two_layers().plan
    assert inspect(plan).steps == []
    with pytest.raises(ArgumentError, match="cannot be profiled"):
        measure(plan)


def test_kernels_are_found_by_number_and_name() -> None:
    found = explain_two_layers().inspect()
    assert found.find(1) is found.steps[1]
    assert found.find("matm").name == "matmul"
    with pytest.raises(ArgumentError, match="0 matmul"):
        found.find("nonsense")
    with pytest.raises(ArgumentError, match="no kernel"):
        found.find(99)


# ----------------------------------------------------------------------------------------------------- report


@pytest.mark.parametrize("make", [explain_two_layers, explain_lenet_step])
def test_the_page_shows_kernels_memory_and_times(make: Any, tmp_path: Path) -> None:
    explanation = make()
    path = tmp_path / "plan.html"
    explanation.report(path)
    page = path.read_text(encoding="utf-8")
    found = Checker(page)
    assert found.open == [] and "script" not in found.tags and "link" not in found.tags
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    steps = explanation.inspect().steps
    assert [i for i in found.ids if i.startswith("step")] == [f"step{s.number}" for s in steps]
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert all(f"{s.number} {s.name}"[:20] in found.text for s in steps)
    assert all(line.strip() in found.text for s in steps for line in s.nest.splitlines())
    assert page.count('class="memory"') == sum(v.offset is not None for v in explanation.inspect().values)
    assert page.count('class="time"') == sum(s.tasks > 0 for s in steps)
    assert "of limit" in found.text and len(page) < 400_000


def test_names_are_escaped() -> None:
    with og.config.using(backend="native"):
        explanation = explain_two_layers()
    evil = "<script>alert('&')</script>\x1b"
    page = report_html(explanation.plan, [(evil, evil)], title=evil)
    found = Checker(page)
    assert "script" not in found.tags and "\x1b" not in page
    assert found.text.count("<script>alert('&')</script>") == 4
    picture = layered([Box(evil, evil, ())], evil)
    assert "<script" not in picture and 'x" onload' not in layered([Box('x" onload="y', "", ())], "")


def test_long_stages_are_left_out() -> None:
    page = report_html(explain_two_layers().plan, [("a", "1\n" * (MOST_TEXT // 4)), ("b", "2\n" * MOST_TEXT)])
    assert "Left out" in page and len(page) < 2 * MOST_TEXT


def test_a_page_of_the_reference_backend_shows_the_graph(tmp_path: Path) -> None:
    with og.config.using(backend="reference"):
        og.explain(two_layers, *[og.ones(4, 4)] * 4, report=tmp_path / "plan.html")
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert Checker(page).open == []
    assert "Operation by operation" in page and "Kernels" not in page


def test_boxes_stand_below_their_inputs() -> None:
    picture = layered([Box("a", "", ()), Box("b", "", (0,)), Box("c", "", (0, 1)), Box("d", "", ())], "four")
    places = [float(y) for y in re.findall(r'class="box" x="[\d.]+" y="([\d.]+)"', picture)]
    assert places[0] == places[3] < places[1] < places[2]
    assert picture.count("<path") == 3


@pytest.mark.slow
def test_the_page_of_a_large_network_is_light(tmp_path: Path) -> None:
    from bench.models import resnet50

    model = resnet50(og, width=0.125)
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    def step(images: Any, labels: Any) -> Any:
        loss = og.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    explanation = og.explain(step, og.zeros(2, 3, 32, 32), og.zeros(2, dtype=og.int64))
    explanation.report(tmp_path / "plan.html")
    assert (tmp_path / "plan.html").stat().st_size < 3_000_000
    assert Checker((tmp_path / "plan.html").read_text(encoding="utf-8")).open == []


def explain_scan() -> Explanation:
    def body(hidden: Any, x: Any) -> Any:
        hidden = og.tanh(hidden + x)
        return hidden, hidden * 2

    return og.explain(lambda xs: og.scan(body, og.zeros(4, 8), xs), og.ones(10, 4, 8))


def explain_while() -> Explanation:
    return og.explain(
        lambda x: og.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 2), (og.tensor(0), x)), og.ones(3)
    )


@pytest.mark.parametrize(("make", "op"), [(explain_scan, "scan"), (explain_while, "while")])
def test_graphs_inside_of_graphs(make: Any, op: str, tmp_path: Path) -> None:
    explanation = make()
    found = explanation.inspect()
    (step,) = [s for s in found.steps if s.name == op]
    assert step.lines and any(v.kind == "output" and v.name in step.writes for v in found.values)
    timed = [s.number for s, _ in explanation.profile(1).steps]
    assert timed == [s.number for s in found.steps if s.tasks]
    explanation.report(tmp_path / "plan.html")
    assert Checker((tmp_path / "plan.html").read_text(encoding="utf-8")).open == []
