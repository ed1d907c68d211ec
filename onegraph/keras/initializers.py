"""First values of weights. An initializer is called with a shape and gives a tensor.

Read next: `layers/base.py` (`Layer.add_weight` calls them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.random import Generator, default_generator, randn
from onegraph.frontend.random import rand as draw_uniform
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import as_dtype
from onegraph.keras.registry import Configured, Registry, custom_object_scope
from onegraph.keras.registry import serialize as _serialize
from onegraph.ops import random as ops_random
from onegraph.ops.movement import full
from onegraph.ops.shapes import show

initializers = Registry("initializer")
_add = initializers.add

Shape = Sequence[int]


def get(identifier: Any) -> Any:
    """The initializer with a name.

    >>> get("zeros"), get("glorot_uniform")
    (Zeros(), GlorotUniform(seed=None))
    """
    return initializers.get(identifier)


class Initializer(Configured):
    """Base of initializers: define `__call__(shape, dtype)`."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype)")


def _generator(seed: int | None) -> Generator:
    return default_generator if seed is None else Generator().manual_seed(seed)


def _constant(shape: Shape, value: float, dtype: Any) -> Tensor:
    return wrap(full(tuple(shape), value, as_dtype(dtype or "float32")), False)


@_add("zeros", "zero")
class Zeros(Initializer):
    """Zeros."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        return _constant(shape, 0, dtype)


@_add("ones", "one")
class Ones(Initializer):
    """Ones."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        return _constant(shape, 1, dtype)


@_add("constant")
class Constant(Initializer):
    """One number, or an array of the weight's shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        array = np.asarray(self.value, np.float32)
        if array.shape not in ((), tuple(shape)):
            raise ShapeError(f"Constant: the value has shape {show(array.shape)}, the weight {show(tuple(shape))}")
        return make_tensor(np.array(np.broadcast_to(array, tuple(shape))), dtype=as_dtype(dtype or "float32"))


@_add("uniform", "random_uniform")
class RandomUniform(Initializer):
    """Drawn evenly from [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        kind = as_dtype(dtype or "float32")
        return (
            draw_uniform(*shape, generator=_generator(self.seed), dtype=kind) * (self.maxval - self.minval)
            + self.minval
        )


@_add("normal", "random_normal")
class RandomNormal(Initializer):
    """Drawn from a normal distribution."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        return (
            randn(*shape, generator=_generator(self.seed), dtype=as_dtype(dtype or "float32")) * self.stddev + self.mean
        )


@_add("truncated_normal")
class TruncatedNormal(Initializer):
    """Drawn from a normal distribution, without what lies more than two standard deviations from the mean."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        low, high = self.mean - 2 * self.stddev, self.mean + 2 * self.stddev
        key = _generator(self.seed).next_key()
        kind = as_dtype(dtype or "float32")
        return wrap(ops_random.truncated_normal(key, tuple(shape), self.mean, self.stddev, low, high, kind), False)


def fans(shape: Shape) -> tuple[float, float]:
    """How many inputs and outputs a weight of Keras' layout has: (..., inputs, outputs).

    >>> fans((3, 3, 16, 32))
    (144.0, 288.0)
    """
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


@_add("variance_scaling")
class VarianceScaling(Initializer):
    """Drawn with a variance of scale / n, where n counts the inputs, the outputs, or both.

    Args:
        scale: of the variance.
        mode: 'fan_in', 'fan_out' or 'fan_avg'.
        distribution: 'truncated_normal', 'untruncated_normal' or 'uniform'.
        seed: of draws of its own; None uses the global seed.
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ) -> None:
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ArgumentError(f"VarianceScaling: mode must be 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}")
        if distribution not in ("normal", "truncated_normal", "untruncated_normal", "uniform"):
            raise ArgumentError(f"VarianceScaling: unknown distribution {distribution!r}")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        inputs, outputs = fans(shape)
        count = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return RandomUniform(-limit, limit, self.seed)(shape, dtype)
        if self.distribution == "untruncated_normal":
            return RandomNormal(0.0, math.sqrt(variance), self.seed)(shape, dtype)
        # Cutting the tails at two standard deviations leaves 0.8796 of the standard deviation.
        return TruncatedNormal(0.0, math.sqrt(variance) / 0.87962566103423978, self.seed)(shape, dtype)


class _Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own, described by its seed alone."""

    settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.settings, seed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"seed": self.seed}


@_add("glorot_uniform")
class GlorotUniform(_Scaled):
    """Even in [-l, l], l = sqrt(6 / (inputs + outputs)). Source: Glorot and Bengio, AISTATS 2010."""

    settings = (1.0, "fan_avg", "uniform")


@_add("glorot_normal")
class GlorotNormal(_Scaled):
    """Normal with variance 2 / (inputs + outputs). Source: Glorot and Bengio, AISTATS 2010."""

    settings = (1.0, "fan_avg", "truncated_normal")


@_add("he_uniform")
class HeUniform(_Scaled):
    """Even with variance 2 / inputs. Source: He et al., ICCV 2015."""

    settings = (2.0, "fan_in", "uniform")


@_add("he_normal")
class HeNormal(_Scaled):
    """Normal with variance 2 / inputs. Source: He et al., ICCV 2015."""

    settings = (2.0, "fan_in", "truncated_normal")


@_add("lecun_uniform")
class LecunUniform(_Scaled):
    """Even with variance 1 / inputs."""

    settings = (1.0, "fan_in", "uniform")


@_add("lecun_normal")
class LecunNormal(_Scaled):
    """Normal with variance 1 / inputs."""

    settings = (1.0, "fan_in", "truncated_normal")


@_add("identity")
class Identity(Initializer):
    """The identity matrix, times gain."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        if len(shape) != 2:
            raise ShapeError(f"Identity: needs two dimensions, got {show(tuple(shape))}")
        return make_tensor(np.eye(shape[0], shape[1]) * self.gain, dtype=as_dtype(dtype or "float32"))


@_add("orthogonal")
class Orthogonal(Initializer):
    """A random matrix with orthogonal rows or columns, times gain. Source: Saxe et al., arXiv 1312.6120."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = gain, seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal: needs at least two dimensions, got {show(tuple(shape))}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = randn(
            max(rows, columns), min(rows, columns), generator=_generator(self.seed), dtype=as_dtype("float64")
        ).numpy()
        q, r = np.linalg.qr(drawn)
        q = q * np.sign(np.diag(r))
        values = (q if rows >= columns else q.T).reshape(tuple(shape)) * self.gain
        return make_tensor(values, dtype=as_dtype(dtype or "float32"))


@_add("stft")
class STFT(Initializer):
    """The kernel (samples, 1, frequencies) of Fourier transforms of pieces of a signal, as a convolution computes them.

    Args:
        side: 'real' or 'imag'.
        window: 'hann', 'hamming', 'blackman', 'bartlett', an array of the pieces' length, or None.
        scaling: 'density' or 'spectrum', what the window is divided by, or None.
        periodic: whether the window is periodic rather than symmetric.
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        if side not in ("real", "imag"):
            raise ArgumentError(f"STFT: side must be 'real' or 'imag', got {side!r}")
        if scaling not in ("density", "spectrum", None):
            raise ArgumentError(f"STFT: scaling must be 'density', 'spectrum' or None, got {scaling!r}")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def _weights(self, length: int) -> np.ndarray[Any, Any]:
        if not isinstance(self.window, str):
            values = np.asarray(self.window, np.float64)
            if values.shape != (length,):
                raise ShapeError(f"STFT: the window has shape {show(values.shape)}, needed is ({length},)")
            return values
        known = {"hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman, "bartlett": np.bartlett}
        if self.window not in known:
            raise ArgumentError(f"STFT: window must be one of {', '.join(known)}, got {self.window!r}")
        return np.asarray(known[self.window](length + self.periodic)[:length])

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """First values of a shape."""
        length, _, count = shape
        angles = -2 * math.pi * np.arange(length)[:, None, None] * np.arange(count) / (2 * (count - 1))
        kernel = np.cos(angles) if self.side == "real" else np.sin(angles)
        if self.window is not None:
            window = self._weights(length)
            scale = {"density": np.sqrt((window**2).sum()), "spectrum": np.abs(window).sum(), None: 1.0}[self.scaling]
            kernel = kernel * window[:, None, None] / scale
        return make_tensor(np.broadcast_to(kernel, tuple(shape)).copy(), dtype=as_dtype(dtype or "float32"))


def serialize(initializer: Any) -> Any:
    """An initializer as JSON can hold it."""
    return _serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The initializer that `serialize` described."""
    with custom_object_scope(custom_objects):
        return get(config)


IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
zeros, ones, constant, identity, orthogonal, stft = Zeros, Ones, Constant, Identity, Orthogonal, STFT
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
normal, uniform = RandomNormal, RandomUniform
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
