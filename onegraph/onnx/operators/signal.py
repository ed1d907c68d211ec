"""Fourier transforms as products with matrices of sines and cosines, and windows. A complex number is a pair at the end of the shape.

Read next: `linear.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import COMPUTED, Value, known, numbers, numpy_dtype, tensor


def _waves(count: int, length: int, dtype: Any) -> tuple[og.Tensor, og.Tensor]:
    """Cosines and sines of -2 pi j k / length, as matrices (count, length)."""
    turns = np.outer(np.arange(count), np.arange(length)) % length
    angle = -2 * np.pi * turns / length
    return tuple(og.tensor(f(angle)).to(dtype) for f in (np.cos, np.sin))  # type: ignore[return-value]


@operator("DFT", raw=True)
def dft(call: Call, x: Value, length: Value = None, axis: Value = None) -> og.Tensor:
    """The discrete Fourier transform along an axis, or its inverse."""
    x = tensor(x)
    place = (
        call.get("axis", 1) if call.version < 20 else (-2 if axis is None else int(numbers(axis, "the axis of DFT")[0]))
    )
    if not -len(x.shape) <= place < len(x.shape):
        raise call.error(f"axis {place} of an input of {len(x.shape)} dimensions {tuple(x.shape)}")
    place %= len(x.shape)
    count = x.shape[place] if length is None else int(numbers(length, "the length of DFT")[0])
    inverse, one_sided = bool(call.get("inverse", 0)), bool(call.get("onesided", 0))
    pair = x.shape[-1]
    if one_sided and inverse:
        count = count if length is not None else 2 * (x.shape[place] - 1)
        x = _mirrored(x, place, count)
    real = og.moveaxis(x[..., 0], place, -1)
    imaginary = og.moveaxis(x[..., 1], place, -1) if pair == 2 else None
    real, imaginary = (None if v is None else _fitted(v, count) for v in (real, imaginary))
    kept = count // 2 + 1 if one_sided and not inverse else count
    cosine, sine = _waves(kept, count, x.dtype)
    sine = -sine if inverse else sine
    assert real is not None
    first, second = og.matmul(real, cosine.T), og.matmul(real, sine.T)
    if imaginary is not None:
        first, second = first - og.matmul(imaginary, sine.T), second + og.matmul(imaginary, cosine.T)
    parts = [first] if one_sided and inverse else [first, second]
    found = og.stack([og.moveaxis(v, -1, place) for v in parts], -1)
    return found / count if inverse else found


def _fitted(x: og.Tensor, count: int) -> og.Tensor:
    if x.shape[-1] >= count:
        return x[..., :count]
    return og.nn.functional.pad(x, [0, count - x.shape[-1]])


def _mirrored(x: og.Tensor, axis: int, count: int) -> og.Tensor:
    """The whole of a spectrum of real numbers, of which half is given."""
    there = x.narrow(axis, 0, min(x.shape[axis], count // 2 + 1))
    rest = count - there.shape[axis]
    if rest <= 0:
        return there
    places = og.tensor(np.arange(rest, 0, -1))
    mirrored = og.index_select(there, axis, places)
    return og.cat([there, mirrored * og.tensor([1.0, -1.0]).to(x.dtype)], axis)


@operator("STFT", raw=True)
def stft(call: Call, x: Value, step: Value, window: Value = None, length: Value = None) -> og.Tensor:
    """Fourier transforms of pieces of a signal."""
    x, hop = tensor(x), int(numbers(step, "the step of STFT")[0])
    size = int(numbers(length, "the length of STFT")[0]) if length is not None else window.shape[0]
    pair = x.shape[-1] if len(x.shape) == 3 else 1
    if len(x.shape) == 2:
        x = x.unsqueeze(-1)
    frames = (x.shape[1] - size) // hop + 1
    places = np.arange(frames)[:, None] * hop + np.arange(size)[None, :]
    pieces = og.index_select(x, 1, og.tensor(places.reshape(-1))).reshape([x.shape[0], frames, size, pair])
    if window is not None:
        shape = tensor(window).to(x.dtype)
        lead = (size - shape.shape[0]) // 2
        shape = og.nn.functional.pad(shape, [lead, size - shape.shape[0] - lead])
        pieces = pieces * shape.reshape([1, 1, -1, 1])
    kept = size // 2 + 1 if call.get("onesided", 1) else size
    cosine, sine = _waves(kept, size, x.dtype)
    real = pieces[..., 0]
    first, second = og.matmul(real, cosine.T), og.matmul(real, sine.T)
    if pair == 2:
        first, second = first - og.matmul(pieces[..., 1], sine.T), second + og.matmul(pieces[..., 1], cosine.T)
    return og.stack([first, second], -1)


def _window(name: str, shape: Callable[[Any], Any]) -> None:
    def compute(call: Call, size: Value) -> Any:
        count = int(numbers(size, f"the size of {name}")[0])
        period = count if call.get("periodic", 1) else count - 1
        angle = 2 * np.pi * np.arange(count) / max(period, 1)
        found = shape(angle).astype(numpy_dtype(call.get("output_datatype", 1)))
        return tensor(found) if found.dtype.name in COMPUTED else found

    operator(name, raw=True)(compute)


_window("HannWindow", lambda a: 0.5 - 0.5 * np.cos(a))
_window("HammingWindow", lambda a: 25 / 46 - 21 / 46 * np.cos(a))
_window("BlackmanWindow", lambda a: 0.42 - 0.5 * np.cos(a) + 0.08 * np.cos(2 * a))


@operator("MelWeightMatrix", raw=True)
def mel_weights(call: Call, bins: Value, length: Value, rate: Value, low: Value, high: Value) -> og.Tensor:
    """Triangles at equal distances on the mel scale, 2595 log10(1 + f / 700)."""
    count, size, sampling = (int(known(v, "a size of MelWeightMatrix").reshape(-1)[0]) for v in (bins, length, rate))
    edges = [float(known(v, "a frequency of MelWeightMatrix").reshape(-1)[0]) for v in (low, high)]
    mel = 2595 * np.log10(1 + np.array(edges) / 700)
    points = mel[0] + np.arange(count + 2) * (mel[1] - mel[0]) / (count + 2)
    places = ((size + 1) * (700 * (10 ** (points / 2595) - 1)) // sampling).astype(np.int64)
    found = np.zeros((size // 2 + 1, count))
    for i in range(count):
        lower, middle, upper = places[i : i + 3]
        if middle == lower:
            found[middle, i] = 1
        for j in range(lower, middle + 1):
            if middle > lower:
                found[j, i] = (j - lower) / (middle - lower)
        for j in range(middle, upper):
            if upper > middle:
                found[j, i] = (upper - j) / (upper - middle)
    return tensor(found.astype(numpy_dtype(call.get("output_datatype", 1))))
