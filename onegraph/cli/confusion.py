"""The confusion matrix: how often each class was taken for each other, as numbers and as a picture.

Read next: `evaluate.py`, which fills it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.storage.atomic import atomic_write

_LIGHT, _DARK, _INK = (247, 250, 255), (8, 64, 129), (20, 24, 31)
_LONGEST_NAME = 18  # characters
_MOST_COUNTED = 40  # classes; with more, cells are too small for numbers


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of a true and a predicted class.

    Args:
        labels, predictions: class numbers, integers of shape (N,).
        classes: how many classes there are.

    Returns:
        int64 of shape (classes, classes); rows are true classes, columns predictions.

    Raises:
        ArgumentError: shapes that differ, or a number that is no class.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ArgumentError(f"confusion_matrix: labels {labels.shape}, predictions {predictions.shape}: both (N,)")
    pairs = np.stack([labels, predictions])
    if pairs.size and (pairs.min() < 0 or pairs.max() >= classes):
        raise ArgumentError(f"confusion_matrix: class numbers {pairs.min()} to {pairs.max()}, with {classes} classes")
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def class_table(matrix: np.ndarray, names: Sequence[str]) -> str:
    """Precision, recall and number of images of each class, as lines of text.

    Precision is the share of the predictions of a class that are right, recall the share of its images that are found.

    >>> print(class_table(np.array([[3, 1], [0, 4]]), ["cat", "dog"]))
    class  precision   recall   images
    cat       100.0%    75.0%        4
    dog        80.0%   100.0%        4
    """
    right, images, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    width = max(5, *(len(name) for name in names))
    lines = [f"{'class':<{width}}  {'precision':>9}  {'recall':>7}  {'images':>7}"]
    for name, hit, wanted, given in zip(names, right, images, predicted, strict=True):
        lines.append(f"{name:<{width}}  {_percent(hit, given):>9}  {_percent(hit, wanted):>7}  {wanted:>7}")
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def worst_confusions(matrix: np.ndarray, names: Sequence[str], most: int = 3) -> list[str]:
    """The most frequent mistakes, in words.

    >>> worst_confusions(np.array([[3, 2], [0, 4]]), ["cat", "dog"])
    ['cat taken for dog: 2']
    """
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = [np.unravel_index(place, wrong.shape) for place in order]
    return [f"{names[i]} taken for {names[j]}: {wrong[i, j]}" for i, j in places if wrong[i, j]]


def save_picture(matrix: np.ndarray, names: Sequence[str], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw the matrix as a PNG file: rows are true classes, columns predictions, colour the share of the row.

    Args:
        matrix: int64 of shape (C, C).
        names: of the C classes.
        path: where to write; the file is complete or not there.
        title: a line above.

    Raises:
        UnsupportedError: Pillow is not installed.
        StorageError: the file cannot be written.
    """
    picture = _draw(matrix, [_shorten(name) for name in names], title)
    with atomic_write(path) as file:
        picture.save(file, format="PNG")


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _draw(matrix: np.ndarray, names: Sequence[str], title: str) -> Any:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise UnsupportedError(
            "drawing a confusion matrix needs Pillow, which is not installed", hint="pip install onegraph[images]"
        ) from error
    font, small = ImageFont.load_default(16), ImageFont.load_default(13)
    count = len(names)
    longest = max(int(font.getlength(name)) for name in names)
    widest = max(int(small.getlength(str(number))) for number in matrix.ravel())
    cell = max(36, widest + 10) if count <= _MOST_COUNTED else max(6, 1200 // count)
    step = max(1, -(-22 // cell))  # label only so many classes that their names do not overlap
    left, top = longest + 56, 96 + (longest if longest > cell - 4 else 0)
    side = cell * count
    picture = Image.new("RGB", (left + side + 110, top + side + 24), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((left, 14), title, _INK, font)
    draw.text((left, 42), "predicted", _INK, small)
    _paste_turned(picture, "true", (16, top), small)
    for number in range(0, count, step):
        middle = number * cell + cell // 2
        draw.text((left - 10, top + middle), names[number], _INK, font, anchor="rm")
        if longest > cell - 4:
            _paste_turned(picture, names[number], (left + middle - 9, top - 10), font, ends_at=True)
        else:
            draw.text((left + middle, top - 10), names[number], _INK, font, anchor="ms")
    _draw_cells(draw, matrix, cell, (left, top), small if count <= _MOST_COUNTED else None)
    _draw_scale(draw, (left + side + 24, top), min(side, 240), small)
    return picture


def _draw_cells(draw: Any, matrix: np.ndarray, cell: int, corner: tuple[int, int], font: Any) -> None:
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    for row, column in np.ndindex(*matrix.shape):
        x, y = corner[0] + column * cell, corner[1] + row * cell
        share = shares[row, column]
        draw.rectangle((x, y, x + cell - 1, y + cell - 1), _colour(share), "white" if cell > 12 else None)
        if font is not None and matrix[row, column]:
            ink = "white" if share > 0.45 else _INK
            draw.text((x + cell / 2, y + cell / 2), str(matrix[row, column]), ink, font, anchor="mm")


def _draw_scale(draw: Any, corner: tuple[int, int], height: int, font: Any) -> None:
    """The colours from 100 % down to 0 %."""
    x, y = corner
    for line in range(height):
        draw.line((x, y + line, x + 16, y + line), _colour(1 - line / (height - 1)))
    for share in (1.0, 0.5, 0.0):
        draw.text((x + 24, y + (1 - share) * (height - 1)), f"{share:.0%}", _INK, font, anchor="lm")


def _colour(share: float) -> tuple[int, ...]:
    """From light to dark. The square root makes single mistakes in a large class visible."""
    return tuple(round(a + (b - a) * share**0.5) for a, b in zip(_LIGHT, _DARK, strict=True))


def _paste_turned(picture: Any, text: str, place: tuple[int, int], font: Any, ends_at: bool = False) -> None:
    """Text that runs upward, with its upper left corner at `place`, or (`ends_at`) its lower left one."""
    from PIL import Image, ImageDraw

    left, _, right, bottom = font.getbbox(text)
    label = Image.new("RGB", (int(right - left) + 2, int(bottom) + 2), "white")
    ImageDraw.Draw(label).text((-left, 0), text, _INK, font)
    turned = label.transpose(Image.Transpose.ROTATE_90)
    picture.paste(turned, (place[0], place[1] - turned.height if ends_at else place[1]))
