"""Sounds as pictures of their frequencies: `MelSpectrogram`, `STFTSpectrogram`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.backend import data_format_of, epsilon
from onegraph.keras.initializers import STFT
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.spatial import same_padding
from onegraph.nn import functional as F

_cat, _atan2 = EXPORTS["cat"], EXPORTS["atan2"]


def mel_matrix(bands: int, frequencies: int, rate: float, lowest: float, highest: float) -> np.ndarray[Any, Any]:
    """Weights (frequencies, bands) of overlapping triangles, even on the mel scale 2595 log10(1 + f / 700).

    >>> mel_matrix(2, 5, 8000, 100.0, 4000.0).shape
    (5, 2)
    """

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)

    at = mel(np.linspace(0, rate / 2, frequencies)[1:])[:, None]
    edges = np.linspace(mel(lowest), mel(highest), bands + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((at - low) / (middle - low), (high - at) / (high - middle)))
    return np.pad(weights, ((1, 0), (0, 0))).astype(np.float32)  # frequency 0 is in no band


class MelSpectrogram(Layer):
    """Sounds (..., samples) as power in bands of frequency over time, (..., bands, steps).

    Args:
        fft_length: samples of each Fourier transform.
        sequence_stride: samples between two of them.
        sequence_length: samples that the window covers; fft_length by default.
        window: 'hann', 'hamming', a tensor, or None.
        sampling_rate: samples a second.
        num_mel_bins: how many bands, even on the mel scale.
        min_freq, max_freq: of the bands; up to half the sampling rate by default.
        power_to_db: give decibels, relative to ref_power, those more than top_db below the loudest cut off.
        mag_exp: 1 for magnitudes, 2 for powers.
        min_power: smaller powers count as this.

    >>> import onegraph as og
    >>> MelSpectrogram(256, 128, num_mel_bins=16)(og.rand(2, 2000)).shape
    onegraph.Size([2, 16, 16])
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.sequence_length > fft_length:
            raise ArgumentError(
                f"MelSpectrogram: sequence_length {self.sequence_length} must not be above fft_length {fft_length}"
            )
        self.window, self.sampling_rate, self.num_mel_bins = window, sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or sampling_rate // 2
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        from onegraph.keras.ops.spectral import stft  # operations are built on layers

        x = inputs.to(as_dtype("float32"))
        real, imaginary = stft(x, self.sequence_length, self.sequence_stride, self.fft_length, self.window)
        power = real * real + imaginary * imaginary
        spectrum = power if self.mag_exp == 2 else power ** (self.mag_exp / 2)
        matrix = mel_matrix(
            self.num_mel_bins, self.fft_length // 2 + 1, self.sampling_rate, self.min_freq, self.max_freq
        )
        result = spectrum @ make_tensor(matrix)
        if self.power_to_db:
            result = result.clamp(min=self.min_power).log10() * 10.0
            result = result - 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
            result = EXPORTS["maximum"](result, result.amax() - self.top_db)
        return result.swapaxes(-1, -2).to(as_dtype(self.compute_dtype))


MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Layer):
    """Sounds (batch, samples, channels) as Fourier transforms of pieces of them, computed by convolutions that may learn.

    Args:
        mode: 'log' or 'magnitude' of the spectrum, 'psd' for its power, 'real', 'imag', 'angle', or 'stft' for real and
            imaginary parts.
        frame_length: samples of a piece.
        frame_step: samples between two of them; half of frame_length by default.
        fft_length: length of the transforms; the next power of two by default.
        window: 'hann', 'hamming', 'blackman', 'bartlett' or None.
        periodic: whether the window is periodic rather than symmetric.
        scaling: 'density', 'spectrum' or None: what the transforms are divided by.
        padding: 'valid' or 'same'.
        expand_dims: keep frequencies and channels in dimensions of their own.
        data_format: 'channels_last' or 'channels_first'.

    >>> import onegraph as og
    >>> STFTSpectrogram(frame_length=64, trainable=False)(og.rand(2, 1000, 1)).shape
    onegraph.Size([2, 30, 33])
    """

    input_rank = 3

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ArgumentError(f"STFTSpectrogram: mode must be one of {', '.join(MODES)}, got {mode!r}")
        if padding not in ("valid", "same"):
            raise ArgumentError(f"STFTSpectrogram: padding must be 'valid' or 'same', got {padding!r}")
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ArgumentError(f"STFTSpectrogram: frame_step must be from 1 to {frame_length}, got {frame_step}")
        if fft_length is not None and fft_length < frame_length:
            raise ArgumentError(
                f"STFTSpectrogram: fft_length {fft_length} must not be below frame_length {frame_length}"
            )
        self.mode, self.frame_length = mode, frame_length
        self.frame_step = frame_step or frame_length // 2
        self.fft_length = fft_length or 1 << math.ceil(math.log2(frame_length))
        self.window, self.periodic, self.scaling = window, periodic, scaling
        self.padding, self.expand_dims = padding, expand_dims
        self.data_format = data_format_of(data_format)

    def build(self, input_shape: Any) -> None:
        """Make the kernels of the convolutions."""
        shape = (self.frame_length, 1, self.fft_length // 2 + 1)
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                draw = STFT(side, self.window, self.scaling, self.periodic)
                setattr(self, f"{side}_kernel", self.add_weight(shape=shape, name=f"{side}_kernel", initializer=draw))

    def _convolved(self, x: Any, kernel: Any) -> Any:
        """(batch, channels, frequencies, steps) of (batch, channels, samples)."""
        batch, channels, samples = x.shape
        flat = x.reshape(batch * channels, 1, samples)
        if self.padding == "same":
            ((low, high),) = same_padding([samples], [self.frame_length], [self.frame_step], [1])
            flat = F.pad(flat, [low, high])
        result = F.conv1d(flat, kernel.movedim((-1, -2), (0, 1)), None, self.frame_step)
        return result.reshape(batch, channels, *result.shape[1:])

    def _arranged(self, x: Any) -> Any:
        if self.expand_dims:
            return x.permute(0, 3, 2, 1) if self.data_format == "channels_last" else x.permute(0, 1, 3, 2)
        flat = x.reshape(x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        return flat.swapaxes(1, 2) if self.data_format == "channels_last" else flat

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        if not inputs.dtype.is_floating_point:
            raise DTypeError(f"layer {self.name!r} (STFTSpectrogram) needs floating numbers, got {inputs.dtype.name}")
        x = inputs.movedim(-1, 1) if self.data_format == "channels_last" else inputs
        real: Any = None if self.mode == "imag" else self._convolved(x, self.real_kernel)
        imaginary: Any = None if self.mode == "real" else self._convolved(x, self.imag_kernel)
        if self.mode in ("real", "imag"):
            return self._arranged(real if imaginary is None else imaginary)
        if self.mode == "angle":
            return self._arranged(_atan2(imaginary, real))
        if self.mode == "stft":
            return self._arranged(_cat([real, imaginary], 2))
        power = real * real + imaginary * imaginary
        if self.mode == "psd":
            return self._arranged(power + F.pad(power[:, :, 1:-1], [0, 0, 1, 1]))
        size = self._arranged(power.clamp(min=epsilon()).sqrt())
        return size if self.mode == "magnitude" else size.clamp(min=epsilon()).log()
