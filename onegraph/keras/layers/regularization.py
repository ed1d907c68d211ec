"""Layers that act in training only: dropout and its relatives, noise; and penalties on what a layer gives."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from onegraph.errors import ArgumentError
from onegraph.frontend.random import Generator, rand, randn
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer


class Random(Layer):
    """Base of layers that draw random numbers: from the global seed, or from one of their own.

    Args:
        seed: of the layer's own stream of numbers; None for the global one (`keras.utils.set_random_seed`).
    """

    supports_masking = True

    def _set_seed(self, seed: Any) -> None:
        self.seed = seed
        self._generator: Generator | None = None
        if seed is not None:
            number = seed if isinstance(seed, int) else getattr(seed, "seed", getattr(seed, "_seed", None))
            if not isinstance(number, int):
                raise ArgumentError(f"{type(self).__name__}: seed must be a whole number, got {seed!r}")
            self._generator = Generator().manual_seed(number)

    def _uniform(self, shape: Any) -> Any:
        """Numbers from [0, 1), float32."""
        return rand(*shape, generator=self._generator)

    def _normal(self, shape: Any, dtype: Any) -> Any:
        return randn(*shape, generator=self._generator, dtype=dtype)


def check_rate(layer: Layer, rate: Any, largest: float = 1.0) -> float:
    """A share, checked."""
    if not isinstance(rate, (int, float)) or not 0 <= rate <= largest:
        raise ArgumentError(f"{type(layer).__name__}: rate must be from 0 to {largest:g}, got {rate!r}")
    return float(rate)


class Dropout(Random):
    """In training, numbers set to 0 with probability `rate`, the others divided by 1 - rate.

    Args:
        rate: from 0 to 1.
        noise_shape: sizes of 1 are shared; None for the input's own sizes.
        seed: of the layer's own stream of numbers; None for the global one.

    Source: Srivastava et al., JMLR 2014.

    >>> import onegraph as og
    >>> layer = Dropout(0.5, seed=1)
    >>> sorted(set(layer(og.ones(20), training=True).tolist()))
    [0.0, 2.0]
    """

    legacy_names: ClassVar = {"p": "rate"}

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape = check_rate(self, rate), noise_shape
        self._set_seed(seed)

    def _shape(self, inputs: Any) -> Any:
        wanted = self.noise_shape
        if wanted is None:
            return inputs.shape
        if len(wanted) != inputs.ndim:
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}): noise_shape {tuple(wanted)} does not fit an input of "
                f"shape {tuple(inputs.shape)}"
            )
        return [s if n is None else n for s, n in zip(inputs.shape, wanted, strict=True)]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if not training or not self.rate:
            return inputs
        if self.rate == 1:
            return inputs * 0
        kept = (self._uniform(self._shape(inputs)) >= self.rate).to(inputs.dtype)
        return inputs * kept * (1 / (1 - self.rate))


class _SpatialDropout(Dropout):
    """Whole channels set to 0."""

    legacy_names: ClassVar = {"p": "rate", "dim_ordering": "data_format"}
    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = data_format_of(None, data_format)
        self.input_rank = self.rank + 2

    def _shape(self, inputs: Any) -> Any:
        n, ones = inputs.shape[0], [1] * self.rank
        return [n, *ones, inputs.shape[-1]] if self.data_format == "channels_last" else [n, inputs.shape[1], *ones]


class SpatialDropout1D(_SpatialDropout):
    """In training, whole channels of sequences set to 0.

    Args:
        rate: from 0 to 1.
        seed: of the layer's own stream of numbers; None for the global one.

    Source: Tompson et al., CVPR 2015.
    """

    rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, None, seed, name, dtype, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """In training, whole channels of images set to 0.

    Args:
        rate: from 0 to 1.
        data_format: 'channels_last' or 'channels_first'.
        seed: of the layer's own stream of numbers; None for the global one.
    """


class SpatialDropout3D(_SpatialDropout):
    """In training, whole channels of volumes set to 0. See `SpatialDropout2D` for the arguments."""

    rank = 3


class GaussianDropout(Random):
    """In training, numbers multiplied by normal noise of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Args:
        rate: from 0 to 1, as for `Dropout`.
        seed: of the layer's own stream of numbers; None for the global one.

    Source: Srivastava et al., JMLR 2014, section 10.
    """

    legacy_names: ClassVar = {"p": "rate"}

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = check_rate(self, rate)
        self._set_seed(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if not training or not self.rate:
            return inputs
        spread = math.sqrt(self.rate / (1 - self.rate)) if self.rate < 1 else math.inf
        return inputs * (self._normal(inputs.shape, inputs.dtype) * spread + 1)


class GaussianNoise(Random):
    """In training, normal noise added.

    Args:
        stddev: of the noise.
        seed: of the layer's own stream of numbers; None for the global one.
    """

    legacy_names: ClassVar = {"sigma": "stddev"}

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not stddev >= 0:
            raise ArgumentError(f"GaussianNoise: stddev must not be negative, got {stddev!r}")
        self.stddev = stddev
        self._set_seed(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if not training or not self.stddev:
            return inputs
        return inputs + self._normal(inputs.shape, inputs.dtype) * self.stddev


ALPHA = -1.6732632423543772 * 1.0507009873554805
"""What SELU tends to for very negative inputs."""


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of self-normalizing networks: dropped numbers become SELU's lower limit.

    Args:
        rate: from 0 to 1.
        noise_shape: sizes of 1 are shared; None for the input's own sizes.
        seed: of the layer's own stream of numbers; None for the global one.

    Source: Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if not training or not self.rate:
            return inputs
        if self.rate == 1:
            return inputs * 0
        kept = (self._uniform(self._shape(inputs)) >= self.rate).to(inputs.dtype)
        scale = ((1 - self.rate) * (1 + self.rate * ALPHA**2)) ** -0.5
        return (inputs * kept + (1 - kept) * ALPHA) * scale - scale * ALPHA * self.rate


class ActivityRegularization(Layer):
    """Its input, with a penalty on it.

    Args:
        l1, l2: factors of the sums of |x| and x².
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer={"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs
