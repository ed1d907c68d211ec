"""Fourier transforms of `keras.ops`, on pairs of real tensors (real part, imaginary part); there are no complex numbers.

A transform of length n is a product with the n×n matrix of sines and cosines: n² steps, which is fine for the lengths of
audio frames. Read next: `linalg.py`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import convert, floating, operation


@functools.lru_cache(maxsize=16)
def _matrix(rows: int, columns: int, length: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    angles = -2 * np.pi * (np.outer(np.arange(rows), np.arange(columns)) % length) / length
    return np.cos(angles), np.sin(angles)


def _pair(x: Any) -> tuple[Any, Any]:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ArgumentError("a pair of tensors is needed: the real and the imaginary part")
    return floating(x[0]), floating(x[1])


def _transform(real: Any, imaginary: Any, inverse: bool = False) -> tuple[Any, Any]:
    n = real.shape[-1]
    cosines, sines = (convert(m, real.dtype) for m in _matrix(n, n, n))
    sines = -sines if inverse else sines
    a, b = real @ cosines - imaginary @ sines, real @ sines + imaginary @ cosines
    return (a / n, b / n) if inverse else (a, b)


@operation
def fft(x: Any) -> Any:
    """The Fourier transform along the last axis of a pair (real, imaginary)."""
    return _transform(*_pair(x))


def _both_axes(x: Any, inverse: bool) -> Any:
    a, b = _transform(*_pair(x), inverse)
    a, b = _transform(a.transpose(-1, -2), b.transpose(-1, -2), inverse)
    return a.transpose(-1, -2), b.transpose(-1, -2)


@operation
def fft2(x: Any) -> Any:
    """The Fourier transform along the last two axes of a pair (real, imaginary)."""
    return _both_axes(x, False)


@operation
def ifft2(x: Any) -> Any:
    """The inverse of `fft2`."""
    return _both_axes(x, True)


def _fitted(x: Any, length: int) -> Any:
    missing = length - x.shape[-1]
    return EXPORTS["constant_pad_nd"](x, [0, missing], 0.0) if missing > 0 else x.narrow(-1, 0, length)


@operation
def rfft(x: Any, fft_length: int | None = None) -> Any:
    """The Fourier transform of real numbers along the last axis: the pair of its first length // 2 + 1 values.

    >>> real, imaginary = rfft([1.0, 0.0, 0.0, 0.0])
    >>> real
    tensor([1., 1., 1.])
    """
    x = floating(x)
    n = x.shape[-1] if fft_length is None else fft_length
    cosines, sines = _matrix(n, n // 2 + 1, n)
    x = _fitted(x, n)
    return x @ convert(cosines, x.dtype), x @ convert(sines, x.dtype)


@operation
def irfft(x: Any, fft_length: int | None = None) -> Any:
    """Real numbers from the first half of their Fourier transform, a pair (real, imaginary)."""
    real, imaginary = _pair(x)
    n = 2 * (real.shape[-1] - 1) if fft_length is None else fft_length
    half = n // 2 + 1
    real, imaginary = _fitted(real, half), _fitted(imaginary, half)
    cosines, sines = _matrix(half, n, n)
    counts = np.full(half, 2.0)
    counts[0] = 1.0
    if n % 2 == 0:
        counts[-1] = 1.0
    scale = counts[:, None] / n
    return real @ convert(cosines * scale, real.dtype) + imaginary @ convert(sines * scale, real.dtype)


@operation
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """The pieces of a length that begin every so many elements of the last axis, along a new last but one axis."""
    x = convert(x)
    count = 1 + (x.shape[-1] - sequence_length) // sequence_stride
    places = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
    found = x.index_select(-1, convert(places.reshape(-1).astype(np.int64)))
    return found.reshape(*x.shape[:-1], count, sequence_length)


def _window(window: Any, length: int, fft_length: int) -> Any:
    if window is None:
        values = np.ones(length)
    elif isinstance(window, str):
        t = 2 * np.pi * np.arange(length) / length  # periodic windows
        if window not in ("hann", "hamming"):
            raise ArgumentError(f"window must be 'hann', 'hamming', a tensor or None, got {window!r}")
        values = 0.5 - 0.5 * np.cos(t) if window == "hann" else 0.54 - 0.46 * np.cos(t)
    else:
        values = convert(window).detach().numpy()
    before = (fft_length - length) // 2
    return np.pad(values, (before, fft_length - length - before))


@operation
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> Any:
    """Fourier transforms of pieces of a signal, windowed: a pair (real, imaginary), each (..., pieces, frequencies).

    Args:
        x: signals along the last axis.
        sequence_length, sequence_stride: length and distance of pieces.
        fft_length: length of the transforms.
        window: 'hann', 'hamming', a tensor of sequence_length, or None.
        center: pieces stand around their places: the signal is mirrored at both ends.
    """
    from onegraph.keras.ops.arrangement import pad

    x = floating(x)
    if center:
        half = fft_length // 2
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], "reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return rfft(frames * convert(_window(window, sequence_length, fft_length), x.dtype))


@operation
def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """The signal that `stft` transformed, from overlapping pieces weighted by the window."""
    frames = irfft(x, fft_length)
    shape = _window(window, sequence_length, fft_length)
    frames = frames * convert(shape, frames.dtype)
    count = frames.shape[-2]
    total = (count - 1) * sequence_stride + fft_length
    places = (np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)).reshape(-1)
    lead = frames.shape[:-2]
    empty = EXPORTS["zeros"](*lead, total, dtype=frames.dtype)
    signal = empty.index_add(len(lead), convert(places.astype(np.int64)), frames.reshape(*lead, -1))
    weight = np.zeros(total)
    np.add.at(weight, places, np.tile(shape**2, count))
    start = fft_length // 2 if center else 0
    stop = total - start if length is None else start + length
    weight = np.where(weight > 1e-11, weight, 1.0)[start : min(stop, total)]
    signal = signal.narrow(-1, start, len(weight)) / convert(weight, frames.dtype)
    return signal if length is None else _fitted(signal, length)
