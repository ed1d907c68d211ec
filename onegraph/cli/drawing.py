"""`Drawing`: circles, lines, rectangles and text, written as SVG, or as PNG with Pillow.

Read next: `charts.py`, which draws with it.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.runtime.drawing import escape, svg
from onegraph.storage.atomic import atomic_write

INK, GRAY, LIGHT = "#1f2933", "#616e7c", "#e4e7eb"
_FONT = "Helvetica, Arial, sans-serif"
_ANCHORS = {"start": "l", "middle": "m", "end": "r"}
_SCALE = 2  # pixels of a PNG for each unit


def text_width(text: str, size: float) -> float:
    """About how wide a line of text is."""
    return 0.56 * size * len(text)


@dataclass
class Drawing:
    """Shapes in the order in which they are drawn.

    Args:
        width, height: in units, of which the SVG shows one a pixel.
        label: what it shows, for those who cannot see it.

    >>> drawing = Drawing(20, 10, "a dot")
    >>> drawing.circle(5, 5, 2, "#4c78a8")
    >>> drawing.svg().count("<circle")
    1
    """

    width: float
    height: float
    label: str
    shapes: list[tuple[Any, ...]] = field(default_factory=list)

    def circle(self, x: float, y: float, radius: float, color: str, title: str = "") -> None:
        """A disc that lets through what is behind it; a pointer over it shows the title."""
        self.shapes.append(("circle", x, y, radius, color, title))

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str = LIGHT, width: float = 1) -> None:
        """A straight line."""
        self.shapes.append(("line", x1, y1, x2, y2, color, width))

    def rectangle(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A filled rectangle."""
        self.shapes.append(("rectangle", x, y, width, height, color))

    def text(
        self, x: float, y: float, text: str, size: float = 12, color: str = INK, anchor: str = "start", up: bool = False
    ) -> None:
        """A line of text whose middle height is at y; with `up` it runs upward."""
        self.shapes.append(("text", x, y, text, size, color, anchor, up))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .svg or .png file, as its name says.

        Raises:
            ArgumentError: another ending.
            UnsupportedError: .png without Pillow.
            StorageError: the file cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending not in (".svg", ".png"):
            raise ArgumentError(f"{path}: a picture is written as .svg or .png")
        content = self.svg().encode() if ending == ".svg" else self.png()
        with atomic_write(path) as file:
            file.write(content)

    # ---- SVG

    def svg(self) -> str:
        """The drawing as SVG text."""
        parts = [f'<rect width="{self.width:.0f}" height="{self.height:.0f}" fill="#ffffff"/>']
        parts += [getattr(self, f"_svg_{kind}")(*values) for kind, *values in self.shapes]
        return svg(self.width, self.height, parts, self.label) + "\n"

    @staticmethod
    def _svg_circle(x: float, y: float, radius: float, color: str, title: str) -> str:
        shown = f"<title>{escape(title)}</title>" if title else ""
        style = f'fill="{color}" fill-opacity="0.55" stroke="{color}"'
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {style}>{shown}</circle>'

    @staticmethod
    def _svg_line(x1: float, y1: float, x2: float, y2: float, color: str, width: float) -> str:
        place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        return f'<line {place} stroke="{color}" stroke-width="{width:g}"/>'

    @staticmethod
    def _svg_rectangle(x: float, y: float, width: float, height: float, color: str) -> str:
        return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'

    @staticmethod
    def _svg_text(x: float, y: float, text: str, size: float, color: str, anchor: str, up: bool) -> str:
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if up else ""
        style = f'font-family="{_FONT}" font-size="{size:g}" fill="{color}" text-anchor="{anchor}"'
        return f'<text x="{x:.1f}" y="{y:.1f}" dy="0.35em" {style}{turn}>{escape(text)}</text>'

    # ---- PNG

    def png(self) -> bytes:
        """The drawing as a PNG file.

        Raises:
            UnsupportedError: Pillow is not installed.
        """
        try:
            from PIL import Image, ImageDraw, ImageFont
        except ImportError as error:
            raise UnsupportedError(
                "drawing a PNG needs Pillow, which is not installed",
                hint="pip install onegraph[images], or write an .svg file, which needs nothing",
            ) from error
        size = round(self.width * _SCALE), round(self.height * _SCALE)
        picture = Image.new("RGBA", size, "white")
        for kind, *values in self.shapes:
            layer = Image.new("RGBA", size, (255, 255, 255, 0))
            draw = ImageDraw.Draw(layer)
            if kind == "circle":
                x, y, radius = (v * _SCALE for v in values[:3])
                box = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse(box, fill=values[3] + "8c", outline=values[3], width=_SCALE)
            elif kind == "line":
                draw.line([v * _SCALE for v in values[:4]], fill=values[4], width=round(values[5] * _SCALE))
            elif kind == "rectangle":
                x, y, width, height = (v * _SCALE for v in values[:4])
                draw.rectangle((x, y, x + width, y + height), fill=values[4])
            else:
                layer = _png_text(layer, values, ImageFont, ImageDraw, Image)
            picture = Image.alpha_composite(picture, layer)
        file = io.BytesIO()
        picture.convert("RGB").save(file, format="PNG", optimize=True)
        return file.getvalue()


def _png_text(layer: Any, values: list[Any], fonts: Any, drawing: Any, images: Any) -> Any:
    x, y, text, size, color, anchor, up = values
    font = fonts.load_default(size * _SCALE)
    if not up:
        drawing.Draw(layer).text((x * _SCALE, y * _SCALE), text, color, font, anchor=_ANCHORS[anchor] + "m")
        return layer
    length = int(font.getlength(text)) + 4
    label = images.new("RGBA", (length, int(2 * size * _SCALE)), (255, 255, 255, 0))
    drawing.Draw(label).text((length / 2, size * _SCALE), text, color, font, anchor="mm")
    turned = label.transpose(images.Transpose.ROTATE_90)
    layer.paste(turned, (round(x * _SCALE - turned.width / 2), round(y * _SCALE - turned.height / 2)))
    return layer
