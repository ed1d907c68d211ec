"""From what the user logs (tensors, arrays, numbers) to summary values: histograms, images, settings.

Tensors are recognized by their `numpy()` method alone, so that those of other frameworks work as well.
Read next: `proto.py`, the messages; `png.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onegraph.board import proto
from onegraph.board.png import encode_png
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError

_GRID_COLUMNS = 8


def to_array(value: Any, where: str) -> NDArray[Any]:
    """The numbers in a tensor, an array, or nested lists of numbers."""
    if not isinstance(value, np.ndarray):
        for method in ("detach", "cpu", "numpy"):
            call = getattr(value, method, None)
            value = call() if callable(call) else value
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"{where}: expected a tensor, array or number, got {type(value).__name__} of dtype {array.dtype}",
            hint="log real numbers; for text use add_text",
        )
    return array


def to_number(value: Any, where: str) -> float:
    """The single number in a tensor, array or Python number."""
    array = to_array(value, where)
    if array.size != 1:
        raise ShapeError(
            f"{where}: expected one number, got shape {array.shape}",
            hint="reduce it first, for example with .mean()",
        )
    return float(array.reshape(-1)[0])


def histogram(tag: str, values: Any, bins: Any, max_bins: int | None) -> bytes | None:
    """A histogram value; None, with a warning, when no value is finite."""
    where = f"add_histogram({tag!r})"
    array = to_array(values, where).astype(np.float64).reshape(-1)
    if array.size == 0:
        raise ShapeError(f"{where}: there are no values", hint="skip empty tensors")
    finite = array[np.isfinite(array)]
    if finite.size < array.size:
        warnings.warn(
            f"{where}: {array.size - finite.size} of {array.size} values are NaN or infinite and left out",
            RuntimeWarning,
            stacklevel=3,
        )
        if finite.size == 0:
            return None
    counts, edges = np.histogram(
        finite, bins=_default_edges() if isinstance(bins, str) and bins == "tensorflow" else bins
    )
    if max_bins is not None and len(counts) > max_bins:
        if max_bins < 1:
            raise ArgumentError(f"{where}: max_bins is {max_bins}, it must be at least 1")
        starts = np.arange(0, len(counts), -(-len(counts) // max_bins))
        counts, edges = np.add.reduceat(counts, starts), np.append(edges[starts], edges[-1])
    used = np.flatnonzero(counts)
    first, last = (used[0], used[-1]) if used.size else (0, 0)
    # A bucket has only its right edge; an empty one in front says where the first begins.
    kept = np.concatenate([[0.0], counts[first : last + 1]])
    with np.errstate(over="ignore"):
        squares = float(np.square(finite).sum())
        moments = (float(finite.min()), float(finite.max()), float(finite.size), float(finite.sum()), squares)
    return proto.histogram(tag, moments, edges[first : last + 2], kept)


@cache
def _default_edges() -> NDArray[np.float64]:
    """TensorBoard's buckets: a tenth wider each, from 1e-12 to 1e20 and mirrored; the rest at both ends."""
    positive = 1e-12 * 1.1 ** np.arange(773)
    end = np.finfo(np.float64).max
    return np.concatenate([[-end], -positive[::-1], [0.0], positive, [end]])


def image(tag: str, tensor: Any, dataformats: str, where: str) -> bytes:
    """An image value; a batch becomes a grid, up to eight a row."""
    array = to_array(tensor, f"{where}({tag!r})")
    letters = dataformats.upper()
    if set(letters) - set("NCHW") or not {"H", "W"} <= set(letters) or len(set(letters)) != len(letters):
        raise ArgumentError(
            f"{where}({tag!r}): unknown dataformats {dataformats!r}",
            hint="use H and W, with or without C and N: CHW, NHWC",
        )
    if array.ndim != len(letters):
        raise ShapeError(
            f"{where}({tag!r}): shape {array.shape} does not fit dataformats {letters}",
            hint="pass dataformats= to say what the dimensions are",
        )
    batch = np.expand_dims(array, tuple(range(array.ndim, 4)))
    missing = [letter for letter in "NCHW" if letter not in letters]
    order = letters + "".join(missing)
    batch = batch.transpose([order.index(letter) for letter in "NHWC"])
    if batch.shape[3] not in (1, 2, 3, 4) or batch.size == 0:
        raise ShapeError(
            f"{where}({tag!r}): shape {array.shape} as {letters} has {batch.shape[3]} channels, not 1 to 4",
            hint="no size may be 0; check dataformats=",
        )
    pixels = _grid(_to_bytes(batch))
    height, width, channels = pixels.shape
    return proto.image(tag, height, width, channels, encode_png(pixels))


def _to_bytes(batch: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 as it is; anything else counts from 0 to 1, as in PyTorch."""
    if batch.dtype == np.uint8:
        return batch
    scaled = np.nan_to_num(batch.astype(np.float32), nan=0.0) * 255.0
    pixels: NDArray[np.uint8] = np.clip(scaled, 0.0, 255.0).astype(np.uint8)
    return pixels


def _grid(batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, h, w, c) to (rows * h, columns * w, c); places left over are black."""
    number, height, width, channels = batch.shape
    columns = min(number, _GRID_COLUMNS)
    rows = -(-number // columns)
    canvas = np.zeros((rows * columns, height, width, channels), np.uint8)
    canvas[:number] = batch
    grid = canvas.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid).reshape(rows * height, columns * width, channels)


def to_hparam(name: Any, value: Any) -> proto.HParam:
    """A setting as the hparams plugin stores it."""
    if not isinstance(name, str):
        raise ArgumentTypeError(f"add_hparams: names are strings, not {type(name).__name__} ({name!r})")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    return to_number(value, f"add_hparams({name!r})")


def to_table(value: Any, where: str) -> Mapping[Any, Any]:
    """A mapping, or a typed error."""
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(f"{where}: expected a dict, got {type(value).__name__}")
    return value
