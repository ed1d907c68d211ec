"""Pictures as SVG text: a graph in layers, rectangles of memory over time, bars. Nothing but strings; all names are escaped.

Read next: `report.py`, which puts them on a page.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

COLORS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b")
_WIDTH, _HEIGHT, _GAP, _DROP = 168, 30, 14, 26
"""Of a box, and between boxes of a layer and layers."""


def escape(text: str) -> str:
    """Text as it may stand in HTML and in attributes; control characters become spaces.

    >>> escape('a < "b"')
    'a &lt; &quot;b&quot;'
    """
    return html.escape("".join(c if c.isprintable() else " " for c in text), quote=True)


def svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """A picture of that many pixels."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(label)}">'
    return "\n".join([head, *parts, "</svg>"])


@dataclass(frozen=True)
class Box:
    """A node of a graph to draw.

    Attributes:
        label, title: what stands in it, and what a pointer over it shows.
        inputs: numbers of boxes that it comes after.
        color: of its frame.
        link: where a click leads, or "".
    """

    label: str
    title: str
    inputs: tuple[int, ...]
    color: str = COLORS[0]
    link: str = ""


def layered(boxes: Sequence[Box], label: str) -> str:
    """A graph drawn from top to bottom; a box's inputs come before it in the sequence.

    Layers are longest paths; within one, boxes are ordered by the mean place of their inputs (Sugiyama, Tagawa and
    Toda 1981, one sweep down).

    >>> layered([Box("x", "", ()), Box("y", "", (0,))], "two").count("<rect")
    2
    """
    level: list[int] = []
    for box in boxes:
        level.append(1 + max((level[i] for i in box.inputs), default=-1))
    layers: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
    for number, depth in enumerate(level):
        layers[depth].append(number)
    widest = max((len(layer) for layer in layers), default=1)
    across = max(widest * (_WIDTH + _GAP) + _GAP, 200)
    place: dict[int, tuple[float, float]] = {}
    for depth, layer in enumerate(layers):
        means = {n: _mean([place[i][0] for i in boxes[n].inputs]) for n in layer}
        layer.sort(key=lambda n: (means[n], n))
        start = (across - len(layer) * (_WIDTH + _GAP) + _GAP) / 2
        for position, number in enumerate(layer):
            place[number] = (start + position * (_WIDTH + _GAP), 8 + depth * (_HEIGHT + _DROP))
    edges = [_edge(place[i], place[n]) for n, box in enumerate(boxes) for i in box.inputs]
    nodes = [_node(box, *place[n]) for n, box in enumerate(boxes)]
    return svg(across, 16 + len(layers) * (_HEIGHT + _DROP), [*edges, *nodes], label)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + _WIDTH / 2, start[1] + _HEIGHT, end[0] + _WIDTH / 2, end[1]
    bend = (y0 + y1) / 2
    return f'<path class="edge" d="M{x0:.0f} {y0:.0f}C{x0:.0f} {bend:.0f} {x1:.0f} {bend:.0f} {x1:.0f} {y1:.0f}"/>'


def _node(box: Box, x: float, y: float) -> str:
    text = box.label if len(box.label) <= 22 else box.label[:21] + "…"
    body = (
        f"<title>{escape(box.title)}</title>"
        f'<rect class="box" x="{x:.0f}" y="{y:.0f}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" stroke="{box.color}"/>'
        f'<text x="{x + _WIDTH / 2:.0f}" y="{y + 19:.0f}" text-anchor="middle">{escape(text)}</text>'
    )
    return f'<a href="{escape(box.link)}">{body}</a>' if box.link else f"<g>{body}</g>"


@dataclass(frozen=True)
class Rectangle:
    """Memory from `low` up to `high` (bytes), used by the steps `first` to `last`."""

    title: str
    low: int
    high: int
    first: int
    last: int


def memory_map(rectangles: Sequence[Rectangle], steps: int, size: int, label: str) -> str:
    """Addresses from bottom to top, steps from left to right.

    >>> memory_map([Rectangle("a", 0, 64, 0, 1)], 2, 64, "arena").count("<rect")
    1
    """
    across, up, left, bottom = 900.0, 320.0, 70.0, 24.0
    parts = []
    for number, r in enumerate(rectangles):
        x = left + across * r.first / max(1, steps)
        y = up * (1 - r.high / max(1, size)) + 4
        width = across * (r.last - r.first + 1) / max(1, steps)
        height = max(1.0, up * (r.high - r.low) / max(1, size))
        color = COLORS[number % len(COLORS)]
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}" class="memory">'
            f"<title>{escape(r.title)}</title></rect>"
        )
    for fraction in (0.0, 0.5, 1.0):
        parts.append(
            f'<text x="{left - 6}" y="{up * (1 - fraction) + 10:.0f}" text-anchor="end">{bytes_text(size * fraction)}</text>'
        )
    parts.append(f'<text x="{left}" y="{up + bottom - 4}">step 0</text>')
    parts.append(f'<text x="{left + across}" y="{up + bottom - 4}" text-anchor="end">step {max(0, steps - 1)}</text>')
    return svg(left + across + 8, up + bottom, parts, label)


@dataclass(frozen=True)
class Bar:
    """A time and the least that it could be, in seconds."""

    label: str
    title: str
    seconds: float
    best: float
    link: str = ""


def bars(rows: Sequence[Bar], label: str) -> str:
    """One line a bar; its dark part is the time that the machine would need at its best.

    >>> bars([Bar("matmul", "", 2e-3, 1e-3)], "times").count("<rect")
    2
    """
    left, across, line = 230.0, 560.0, 20.0
    longest = max((r.seconds for r in rows), default=0.0) or 1.0
    parts = []
    for number, r in enumerate(rows):
        y = number * line + 2
        width, best = across * r.seconds / longest, across * min(r.best, r.seconds) / longest
        share = f"{r.seconds * 1e3:.3f} ms" + (f", {r.best / r.seconds:.0%} of limit" if r.seconds > 0 else "")
        name = r.label if len(r.label) <= 34 else r.label[:33] + "…"
        text = f'<text x="{left - 8}" y="{y + 12:.0f}" text-anchor="end">{escape(name)}</text>'
        parts.append(f'<a href="{escape(r.link)}">{text}</a>' if r.link else text)
        parts.append(
            f'<g><title>{escape(r.title)}</title><rect x="{left}" y="{y:.0f}" width="{width:.1f}" height="14" class="time"/>'
            f'<rect x="{left}" y="{y:.0f}" width="{best:.1f}" height="14" class="best"/></g>'
            f'<text x="{left + width + 6:.0f}" y="{y + 12:.0f}">{share}</text>'
        )
    return svg(left + across + 190, len(rows) * line + 6, parts, label)


def bytes_text(size: float) -> str:
    """A size for people.

    >>> bytes_text(512), bytes_text(9_619_200)
    ('512 B', '9.2 MB')
    """
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
