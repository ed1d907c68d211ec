"""A plan as one HTML page: graph, kernels with their loop nests, memory over time, times against the machine's limits.

The page needs nothing but itself: no scripts, no fonts, no network. Read next: `inspection.py` (what it shows),
`drawing.py` (the pictures).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from onegraph.config import settings
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.printer import print_value
from onegraph.ir.text import to_text
from onegraph.runtime.drawing import (
    COLORS,
    Bar,
    Box,
    Rectangle,
    bars,
    bytes_text,
    escape,
    layered,
    memory_map,
)
from onegraph.runtime.inspection import Inspection, Measurement, Step, inspect
from onegraph.runtime.plan import Plan

MOST_BOXES = 300
"""Operations that are drawn one by one; of a larger graph only the kernels are drawn."""
MOST_BARS = 60
"""The slowest kernels, which get a bar."""
MOST_TEXT = 400_000
"""Characters of all stages together."""

_STYLE = """
:root{color-scheme:light dark;--line:#8886;--text:#222;--back:#fff;--soft:#f4f5f7}
@media(prefers-color-scheme:dark){:root{--text:#ddd;--back:#16181c;--soft:#202329}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:1060px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em;border-bottom:1px solid var(--line)}
table{border-collapse:collapse}td,th{text-align:left;padding:.1em .9em .1em 0;vertical-align:top}
pre{background:var(--soft);padding:.7em;overflow:auto;max-height:30em;font-size:12.5px;line-height:1.35}
details{margin:.15em 0}summary{cursor:pointer}summary .lines{color:#888}
.wide{overflow:auto;max-height:640px;border:1px solid var(--line);background:var(--soft)}
svg text{font:12px system-ui,sans-serif;fill:var(--text)}a{color:inherit}
.edge{fill:none;stroke:#8889}.box{fill:var(--back);stroke-width:1.5}
.memory{opacity:.75;stroke:var(--back);stroke-width:.5}.time{fill:#4c78a8;opacity:.45}.best{fill:#4c78a8}
""".strip()


def report_html(
    plan: Plan, stages: Sequence[tuple[str, str]] = (), measured: Measurement | None = None, title: str = "Plan"
) -> str:
    """The page as text.

    Args:
        plan: what to show.
        stages: names and texts of the stages of compilation (`onegraph.explain`), to be unfolded.
        measured: times of the kernels (`inspection.measure`); left out without it.
    """
    found = inspect(plan)
    sections = [_summary(found, measured), _graphs(plan.graph, found)]
    if measured is not None:
        sections.append(_times(measured))
    if found.steps:
        sections += [_kernels(found, measured), _memory(found)]
    if stages:
        sections.append(_stages(stages))
    name = escape(title)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>'
    body = "\n".join([f"<h1>{name}</h1>", *sections])
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def save_report(
    path: str | os.PathLike[str],
    plan: Plan,
    stages: Sequence[tuple[str, str]] = (),
    measured: Measurement | None = None,
    title: str = "Plan",
) -> None:
    """Write the page to a file; the arguments are those of `report_html`."""
    Path(path).write_text(report_html(plan, stages, measured, title), encoding="utf-8")


def _pre(text: str) -> str:
    return "<pre>" + "\n".join(escape(line) for line in text.splitlines()) + "</pre>"


def _stages(stages: Sequence[tuple[str, str]]) -> str:
    """The texts of the stages, folded; what would make the page heavy is left out."""
    parts = ["<h2>Stages of compilation</h2>"]
    size = 0
    for name, text in stages:
        if text == "(no change)":
            parts.append(f"<div>{escape(name)}: no change</div>")
            continue
        size += len(text)
        body = _pre(text) if size <= MOST_TEXT else "<p>Left out to keep this page small; og.explain prints it.</p>"
        parts.append(f"<details><summary>{escape(name)}</summary>{body}</details>")
    return "\n".join(parts)


def _summary(found: Inspection, measured: Measurement | None) -> str:
    rows = [("backend", found.backend)]
    if found.steps:
        kernels = [s for s in found.steps if s.tasks]
        rows.append(("kernels", f"{len(kernels)} launches of {len({s.text for s in kernels})} different kernels"))
        rows.append(("computed by Python", str(len(found.steps) - len(kernels))))
        rows.append(("arena", f"{bytes_text(found.arena_bytes)}; most alive {bytes_text(found.most_alive)}"))
    if measured is not None:
        limits = measured.limits
        rows.append(("one run", f"{measured.seconds * 1e3:.3f} ms on {settings.threads} threads, profiler on"))
        rows.append(("the machine's limits", f"{limits.flops / 1e9:.0f} GFLOP/s, {limits.bytes / 1e9:.1f} GB/s"))
    cells = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<table>{cells}</table>"


# ----------------------------------------------------------------------------------------------------------- graph


def _graphs(graph: Graph, found: Inspection) -> str:
    nodes = graph.nodes()
    parts = [f"<h2>Graph</h2><p>{len(nodes)} nodes after the passes.</p>"]
    if found.steps:
        parts.append(f'<div class="wide">{layered(_kernel_boxes(found), "kernels and what they need")}</div>')
    if len(nodes) <= MOST_BOXES:
        picture = f'<div class="wide">{layered(_node_boxes(nodes), "operations")}</div>'
        parts.append(f"<details><summary>Operation by operation</summary>{picture}</details>")
    text = to_text(graph, sources=True, opaque=True)
    parts.append(f"<details><summary>As text</summary>{_pre(text)}</details>")
    return "\n".join(parts)


def _kernel_boxes(found: Inspection) -> list[Box]:
    made: dict[str, int] = {}
    boxes = []
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(dict.fromkeys(s.name for s in found.steps))}
    for step in found.steps:
        inputs = dict.fromkeys(made[v] for v in (*step.reads, *step.writes) if v in made)  # a halo is written first
        title = f"{step.number}: {step.name}\n{', '.join(step.lines)}"
        boxes.append(Box(f"{step.number} {step.name}", title, tuple(inputs), colors[step.name], f"#step{step.number}"))
        made.update(dict.fromkeys(step.writes, step.number))
    return boxes


def _node_boxes(nodes: Sequence[Node]) -> list[Box]:
    number = {node: i for i, node in enumerate(nodes)}
    boxes = []
    for node in nodes:
        about = f"{node.dtype.short}[{', '.join(map(str, node.shape))}]"
        plain = {k: v for k, v in node.attributes.items() if not isinstance(v, Graph)}
        attributes = "\n".join(f"{k}={print_value(v, opaque=True)[:80]}" for k, v in plain.items())
        line = "" if node.source is None else f"\n{os.path.basename(node.source[0])}:{node.source[1]}"
        inputs = tuple(dict.fromkeys(number[i] for i in node.inputs))
        color = COLORS[5] if node.op in ("input", "constant") else COLORS[0]
        boxes.append(Box(f"{node.op} {about}", f"{node.op} {about}\n{attributes}{line}", inputs, color))
    return boxes


# --------------------------------------------------------------------------------------------------- kernels, times


def _times(measured: Measurement) -> str:
    rows = sorted(measured.steps, key=lambda item: -item[1])
    made = [
        Bar(f"{s.number} {s.name}", ", ".join(s.lines) or s.name, seconds, measured.best(s), f"#step{s.number}")
        for s, seconds in rows[:MOST_BARS]
    ]
    rest = sum(seconds for _, seconds in rows[MOST_BARS:])
    more = f"<p>{len(rows) - MOST_BARS} more take {rest * 1e3:.3f} ms together.</p>" if len(rows) > MOST_BARS else ""
    about = (
        "The dark part is the time that the machine would need at its best for the arithmetic and the memory traffic (roofline). "
        "More than 100 % means that values came from caches."
    )
    return f"<h2>Time by kernel</h2><p>{about}</p>{bars(made, 'time by kernel')}{more}"


def _kernels(found: Inspection, measured: Measurement | None) -> str:
    seconds = {} if measured is None else {s.number: t for s, t in measured.steps}
    values = {v.name: v for v in found.values}

    def about(name: str) -> str:
        return f"{name} {values[name].about}" if name in values else name

    def details(step: Step) -> str:
        ops = "\n".join(f"{op} {shape}" + (f"  # {line}" if line else "") for op, shape, line in step.ops)
        time = f", {seconds[step.number] * 1e3:.3f} ms" if step.number in seconds else ""
        tasks = f"{step.tasks} tasks" if step.tasks else "Python"
        flags = (", after a barrier" if step.wait else "") + (", kept" if step.kept else "")
        moved = f"{', '.join(map(about, step.writes))} ← {', '.join(map(about, step.reads))}"
        return (
            f'<details id="step{step.number}"><summary>{step.number} <b>{escape(step.name)}</b> '
            f'<span class="lines">{escape(", ".join(step.lines))}</span>{time}</summary>'
            f"<p>{escape(tasks + flags)}; {escape(moved)}</p>{_pre(ops)}{_pre(step.nest)}</details>"
        )

    intro = "<p>Unfold one to see the operations that it computes and its loops. b0, b1, ... are its buffers.</p>"
    return "\n".join(["<h2>Kernels</h2>", intro, *map(details, found.steps)])


def _memory(found: Inspection) -> str:
    made = [
        Rectangle(
            f"{v.name} {v.about}, {bytes_text(v.bytes)}, steps {v.first} to {v.last}",
            v.offset,
            v.offset + v.bytes,
            v.first,
            v.last,
        )
        for v in found.values
        if v.offset is not None
    ]
    others = []
    for kind in ("input", "output", "constant"):
        size = sum(v.bytes for v in found.values if v.kind == kind)
        others.append(f"{kind}s {bytes_text(size)}")
    picture = memory_map(made, len(found.steps), found.arena_bytes, "values in the arena over time")
    return (
        f"<h2>Memory</h2><p>Each rectangle is a value: its place in the arena, and the steps that need it. "
        f'Beside the arena: {", ".join(others)}.</p><div class="wide">{picture}</div>'
    )
