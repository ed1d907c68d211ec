"""The charts of `onegraph zoo --plot`: accuracy against cost as bubbles, and the ImageNet competition as bars.

The bubble chart follows Canziani, Paszke, Culurciello, "An analysis of deep neural network models for practical
applications" (2016), figure 2: accuracy over operations, areas by parameters. Read next: `drawing.py`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from onegraph.cli.drawing import GRAY, INK, Drawing, text_width
from onegraph.cli.zoo_rows import Row
from onegraph.errors import ArgumentError
from onegraph.runtime.drawing import COLORS as _COLORS
from onegraph.zoo.ilsvrc import HUMAN_TOP5_ERROR, Entry

_WIDTH, _HEIGHT = 1020.0, 700.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 190.0, 64.0, 64.0
_RADIUS = 2.7  # of a million parameters, whose square root it grows with
_LABEL = 11.0
COLORS = (*_COLORS, "#34495e", "#d37295", "#8c8c8c", "#2f8f8f")
_LEGEND = (5e6, 25e6, 65e6, 135e6)

AXES = {
    "mult-adds": ("multiply-adds for one image", lambda row: row.mult_adds),
    "latency": ("milliseconds for one image on this machine", lambda row: row.latency),
    "params": ("parameters", lambda row: row.params),
}
"""What the chart can have along its horizontal axis."""


@dataclass
class _Bubble:
    row: Row
    x: float
    y: float
    radius: float
    color: str


def bubble_chart(rows: Sequence[Row], axis: str = "mult-adds") -> Drawing:
    """Top-1 accuracy over cost, both of networks that were tested on ImageNet; areas are numbers of parameters.

    Args:
        rows: networks; those without a top-1 accuracy on ImageNet are left out.
        axis: a name in `AXES`.

    Raises:
        ArgumentError: fewer than two networks with what the chart needs.
    """
    title, value = AXES[axis]
    found = [row for row in rows if row.top1 is not None and ", on " not in row.source and value(row)]
    if len(found) < 2:
        raise ArgumentError(
            f"a chart needs two networks with an accuracy on ImageNet and {axis}, and there are {len(found)}",
            hint="name networks such as resnet18 vgg16 mobilenet_v2",
        )
    costs = [float(value(row)) for row in found]
    low, high = min(costs) / 1.5, max(costs) * 1.5
    tops = [float(row.top1 or 0) for row in found]
    floor, ceiling = 5 * math.floor((min(tops) - 1) / 5), 5 * math.ceil((max(tops) + 1) / 5)

    def place(row: Row) -> tuple[float, float]:
        across = math.log(float(value(row)) / low) / math.log(high / low)
        up = (float(row.top1 or 0) - floor) / (ceiling - floor)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    families = list(dict.fromkeys(row.family for row in found))
    bubbles = [
        _Bubble(
            row, *place(row), _RADIUS * math.sqrt(row.params / 1e6), COLORS[families.index(row.family) % len(COLORS)]
        )
        for row in found
    ]
    drawing = Drawing(_WIDTH, _HEIGHT, f"Top-1 accuracy on ImageNet over {title}")
    _axes(drawing, title, (low, high), (floor, ceiling))
    for bubble in sorted(bubbles, key=lambda b: -b.radius):
        drawing.circle(bubble.x, bubble.y, bubble.radius, bubble.color, _title(bubble.row))
    _labels(drawing, bubbles)
    _legend(drawing, families)
    return drawing


def _title(row: Row) -> str:
    latency = "" if row.latency is None else f", {row.latency:.1f} ms"
    return (
        f"{row.network}: top-1 {row.top1}%, {row.params / 1e6:.1f} M parameters, {row.mult_adds / 1e9:.2f} G "
        f"multiply-adds{latency} ({row.source})"
    )


def short_number(value: float) -> str:
    """A number with a unit: thousands, millions, billions.

    >>> [short_number(v) for v in (0.5, 20, 3e8, 1e9)]
    ['0.5', '20', '300M', '1G']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within limits."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p, m in itertools.product(powers, (1, 2, 5)) if low <= m * 10.0**p <= high]


def _axes(drawing: Drawing, title: str, across: tuple[float, float], up: tuple[int, int]) -> None:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for tick in _ticks(*across):
        x = _LEFT + math.log(tick / across[0]) / math.log(across[1] / across[0]) * (right - _LEFT)
        drawing.line(x, _TOP, x, bottom)
        drawing.text(x, bottom + 16, short_number(tick), 11, GRAY, "middle")
    for percent in range(up[0], up[1] + 1, 5):
        y = bottom - (percent - up[0]) / (up[1] - up[0]) * (bottom - _TOP)
        drawing.line(_LEFT, y, right, y)
        drawing.text(_LEFT - 8, y, f"{percent}%", 11, GRAY, "end")
    drawing.line(_LEFT, _TOP, _LEFT, bottom, GRAY)
    drawing.line(_LEFT, bottom, right, bottom, GRAY)
    drawing.text(_LEFT, 28, "Accuracy against efficiency", 18)
    drawing.text(_LEFT, 50, "top-1 accuracy on ImageNet, one crop where the source has it; areas: parameters", 12, GRAY)
    drawing.text((_LEFT + right) / 2, bottom + 42, title, 13, INK, "middle")
    drawing.text(22, (_TOP + bottom) / 2, "top-1 accuracy", 13, INK, "middle", up=True)


def _labels(drawing: Drawing, bubbles: Sequence[_Bubble]) -> None:
    """Names beside their bubbles, where they hide least; those of the smallest bubbles first."""
    taken: list[tuple[float, float, float, float]] = []
    for bubble in sorted(bubbles, key=lambda b: b.radius):
        width, reach = text_width(bubble.row.network, _LABEL), bubble.radius + 4
        places = [
            (bubble.x + reach, bubble.y),
            (bubble.x - reach - width, bubble.y),
            (bubble.x - width / 2, bubble.y - reach - 5),
            (bubble.x - width / 2, bubble.y + reach + 5),
            *((bubble.x + reach * 0.8, bubble.y + s * (reach * 0.8 + 4)) for s in (-1, 1)),
            *((bubble.x - reach * 0.8 - width, bubble.y + s * (reach * 0.8 + 4)) for s in (-1, 1)),
        ]
        boxes = [(x, y - 6, x + width, y + 6) for x, y in places]
        hidden = [
            sum(_common(box, other) for other in taken)
            + sum(0.35 * _common(box, _square(o)) for o in bubbles if o is not bubble)
            + (1e4 if box[0] < _LEFT or box[2] > _WIDTH - _RIGHT + 60 or box[1] < _TOP else 0)
            for box in boxes
        ]
        best = min(range(len(boxes)), key=hidden.__getitem__)
        taken.append(boxes[best])
        drawing.text(*places[best], bubble.row.network, _LABEL)


def _square(bubble: _Bubble) -> tuple[float, float, float, float]:
    r = bubble.radius * 0.8
    return bubble.x - r, bubble.y - r, bubble.x + r, bubble.y + r


def _common(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The area that two rectangles share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _legend(drawing: Drawing, families: Sequence[str]) -> None:
    x, y = _WIDTH - _RIGHT + 70, _TOP + 10
    drawing.text(x - 10, y - 14, "family", 12, GRAY)
    for i, family in enumerate(families):
        drawing.circle(x - 4, y + 6 + 18 * i, 5, COLORS[i % len(COLORS)])
        drawing.text(x + 8, y + 6 + 18 * i, family, 11)
    y = _HEIGHT - _BOTTOM - 160
    drawing.text(x - 10, y - 8, "parameters", 12, GRAY)
    for count in _LEGEND:
        radius = _RADIUS * math.sqrt(count / 1e6)
        y += radius + 4
        drawing.circle(x + 20, y, radius, "#9aa5b1")
        drawing.text(x + 70, y, short_number(count), 11)
        y += radius + 4


def competition_chart(entries: Sequence[Entry]) -> Drawing:
    """Top-5 errors of the ImageNet competition as bars, with the number of layers as a line of dots."""
    width, height, left, bottom = 760.0, 420.0, 70.0, 330.0
    drawing = Drawing(width, height, "Top-5 errors of the ImageNet competition 2012 to 2015")
    drawing.text(left, 28, "ImageNet competition (ILSVRC), classification", 18)
    drawing.text(left, 50, "top-5 error on the test images, no other training images", 12, GRAY)
    most, top = 20, 76.0
    scale = (bottom - top) / most
    for percent in range(0, most + 1, 5):
        y = bottom - percent * scale
        drawing.line(left, y, width - 30, y)
        drawing.text(left - 8, y, f"{percent}%", 11, GRAY, "end")
    ordered = sorted(entries, key=lambda e: (e.year, -e.top5_error))
    step = (width - 30 - left) / len(ordered)
    for i, entry in enumerate(ordered):
        x = left + step * (i + 0.5)
        bar = entry.top5_error * scale
        drawing.rectangle(x - 36, bottom - bar, 72, bar, COLORS[0] if entry.place == 1 else "#9db7d5")
        drawing.text(x, bottom - bar - 12, f"{entry.top5_error:g}%", 13, INK, "middle")
        drawing.text(x, bottom + 16, str(entry.year), 12, INK, "middle")
        drawing.text(x, bottom + 34, entry.team, 11, INK, "middle")
        drawing.text(
            x, bottom + 52, f"{entry.layers} layers" + ("" if entry.place == 1 else ", second"), 11, GRAY, "middle"
        )
    y = bottom - HUMAN_TOP5_ERROR * scale
    drawing.line(left, y, width - 30, y, "#e45756", 1.5)
    drawing.text(width - 34, y - 9, f"one person: {HUMAN_TOP5_ERROR}%", 11, "#e45756", "end")
    return drawing
