"""First values of variables: callables from a shape and a dtype to a tensor, as `tf.get_variable` takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.static import arrays, random
from onegraph.frontend.static.tensor import Tensor, checked_dtype, constant_
from onegraph.ir.dtype import DType, float32
from onegraph.ops.shapes import show


class Initializer:
    """Base of all initializers: call one with a shape to get a tensor of first values."""

    def __init__(self, dtype: Any = float32) -> None:
        self.dtype: DType = checked_dtype(dtype)

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        tensor: Tensor = self.values(tuple(shape), self.dtype if dtype is None else checked_dtype(dtype))
        return tensor

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        raise NotImplementedError


class Zeros(Initializer):
    """Zeros."""

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = arrays.zeros(shape, dtype)
        return tensor


class Ones(Initializer):
    """Ones."""

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = arrays.ones(shape, dtype)
        return tensor


class Constant(Initializer):
    """One value, or an array of the shape asked for."""

    def __init__(self, value: Any = 0, dtype: Any = float32, verify_shape: bool = False) -> None:
        super().__init__(dtype)
        self.value = value

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = constant_(self.value, dtype, shape)
        return tensor


class RandomNormal(Initializer):
    """Numbers drawn from a normal distribution."""

    def __init__(self, mean: float = 0.0, stddev: float = 1.0, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(dtype)
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = random.random_normal(shape, self.mean, self.stddev, dtype, self.seed)
        return tensor


class TruncatedNormal(RandomNormal):
    """Numbers drawn from a normal distribution, none beyond two standard deviations."""

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)
        return tensor


class RandomUniform(Initializer):
    """Numbers drawn evenly from [minval, maxval)."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None, dtype: Any = float32
    ) -> None:
        super().__init__(dtype)
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        tensor: Tensor = random.random_uniform(shape, self.minval, self.maxval, dtype, self.seed)
        return tensor


class VarianceScaling(Initializer):
    """Numbers whose variance is scale / n, n being the inputs of a unit, its outputs, or the mean of both.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "normal" (truncated at two standard deviations) or "uniform".

    Sources: Glorot and Bengio 2010 (fan_avg, scale 1); He et al. 2015 (fan_in, scale 2); LeCun 1998 (fan_in, 1).
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        seed: int | None = None,
        dtype: Any = float32,
    ) -> None:
        super().__init__(dtype)
        if scale <= 0 or mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ArgumentError(
                f"VarianceScaling: needs scale > 0 and mode fan_in, fan_out or fan_avg, got {scale} and {mode!r}"
            )
        if distribution not in ("normal", "truncated_normal", "untruncated_normal", "uniform"):
            raise ArgumentError(f"VarianceScaling: unknown distribution {distribution!r}")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        fan_in, fan_out = fans(shape)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        tensor: Tensor
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            tensor = random.random_uniform(shape, -limit, limit, dtype, self.seed)
        elif self.distribution == "untruncated_normal":
            tensor = random.random_normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        else:  # 0.8796... is the standard deviation of a normal distribution cut at 2
            tensor = random.truncated_normal(shape, 0.0, math.sqrt(variance) / 0.87962566103423978, dtype, self.seed)
        return tensor


class Identity(Initializer):
    """The identity matrix, times a gain."""

    def __init__(self, gain: float = 1.0, dtype: Any = float32) -> None:
        super().__init__(dtype)
        self.gain = gain

    def values(self, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """The first values."""
        if len(shape) != 2:
            raise ShapeError(f"the identity initializer makes matrices, not {show(shape)}")
        tensor: Tensor = arrays.eye(*shape, dtype=dtype) * self.gain
        return tensor


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many numbers each output is made of, and into how many each input goes.

    >>> fans((3, 3, 16, 32))
    (144.0, 288.0)
    """
    if not shape:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    window = math.prod(shape[:-2])
    return float(shape[-2] * window), float(shape[-1] * window)


def glorot_uniform_initializer(seed: int | None = None, dtype: Any = float32) -> VarianceScaling:
    """Evenly drawn numbers with variance 2 / (inputs + outputs). Glorot and Bengio 2010."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed, dtype)


def glorot_normal_initializer(seed: int | None = None, dtype: Any = float32) -> VarianceScaling:
    """Normal numbers with variance 2 / (inputs + outputs). Glorot and Bengio 2010."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed, dtype)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Normal numbers with variance 2 / inputs. He et al. 2015."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Evenly drawn numbers with variance 2 / inputs. He et al. 2015."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Normal numbers with variance 1 / inputs. LeCun et al. 1998."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Evenly drawn numbers with variance 1 / inputs. LeCun et al. 1998."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


constant = Constant
identity = Identity
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros
glorot_uniform = glorot_uniform_initializer
glorot_normal = glorot_normal_initializer
