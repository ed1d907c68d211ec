"""Normalization of a batch or of each sample, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.random import randn
from onegraph.keras.layers.base import Layer
from onegraph.nn import functional as F


class BatchNormalization(Layer):
    """Each channel shifted and scaled to mean 0 and variance 1 over the batch, then by learned numbers.

    Not in training, moving averages of the batches' means and variances are used. A frozen layer (trainable=False) never
    uses the batch. Source: Ioffe and Szegedy, ICML 2015.

    Args:
        axis: of the channels.
        momentum: how much of the old average stays.
        epsilon: added to the variance.
        center: whether to learn an offset, beta.
        scale: whether to learn a factor, gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: first values.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for other weights.
    """

    min_rank = 2
    legacy_names: ClassVar = {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"}

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        mode: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode != 0:
            raise ArgumentError(f"BatchNormalization: only Keras 1's mode=0 is supported, got {mode}")
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self._gamma_options = (
            {"initializer": gamma_initializer, "regularizer": gamma_regularizer, "constraint": gamma_constraint}
            if scale
            else None
        )
        self._beta_options = (
            {"initializer": beta_initializer, "regularizer": beta_regularizer, "constraint": beta_constraint}
            if center
            else None
        )
        self._moving = {"moving_mean": moving_mean_initializer, "moving_variance": moving_variance_initializer}

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages."""
        size = input_shape[self.axis]
        if size is None:
            raise ShapeError(
                f"layer {self.name!r} (BatchNormalization): size {self.axis} of the input must be known, got {input_shape}"
            )
        self.gamma = (
            None if self._gamma_options is None else self.add_weight(shape=(size,), name="gamma", **self._gamma_options)
        )
        self.beta = (
            None if self._beta_options is None else self.add_weight(shape=(size,), name="beta", **self._beta_options)
        )
        for name, initializer in self._moving.items():
            self.add_weight(shape=(size,), name=name, initializer=initializer, trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self.axis, self.moving_mean.shape[0])
        axis = self.axis % inputs.ndim
        x = inputs if axis == 1 else inputs.movedim(axis, 1)
        use_batch = training and self.trainable
        result = F.batch_norm(
            x, self.moving_mean, self.moving_variance, self.gamma, self.beta, use_batch, 1 - self.momentum, self.epsilon
        )
        return result if axis == 1 else result.movedim(1, axis)


class LayerNormalization(Layer):
    """Each sample shifted and scaled to mean 0 and variance 1, then by learned numbers. Source: Ba et al., arXiv 1607.06450.

    Args:
        axis: one or several of the last axes, over which to normalize.
        epsilon: added to the variance.
        center, scale: whether to learn an offset and a factor.
        beta_initializer, gamma_initializer, and regularizers and constraints: as for other weights.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.epsilon = epsilon
        self._gamma_options = (
            {"initializer": gamma_initializer, "regularizer": gamma_regularizer, "constraint": gamma_constraint}
            if scale
            else None
        )
        self._beta_options = (
            {"initializer": beta_initializer, "regularizer": beta_regularizer, "constraint": beta_constraint}
            if center
            else None
        )

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta."""
        rank = len(input_shape)
        axes = sorted(a % rank for a in self.axis)
        if axes != list(range(rank - len(axes), rank)):
            raise ArgumentError(
                f"layer {self.name!r} (LayerNormalization): axis must be the last axes, got {self.axis} for {input_shape}"
            )
        shape = tuple(input_shape[a] for a in axes)
        if None in shape:
            raise ShapeError(
                f"layer {self.name!r} (LayerNormalization): sizes {self.axis} of the input must be known, got {input_shape}"
            )
        self._sizes = shape
        self.gamma = (
            None if self._gamma_options is None else self.add_weight(shape=shape, name="gamma", **self._gamma_options)
        )
        self.beta = (
            None if self._beta_options is None else self.add_weight(shape=shape, name="beta", **self._beta_options)
        )

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        for dim, size in enumerate(self._sizes, -len(self._sizes)):
            self._check_size(inputs.shape, dim, size)
        return F.layer_norm(inputs, self._sizes, self.gamma, self.beta, self.epsilon)


class GaussianNoise(Layer):
    """In training, normal noise added.

    Args:
        stddev: of the noise.
    """

    legacy_names: ClassVar = {"sigma": "stddev"}

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev, self.seed = stddev, seed

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        return inputs + randn(*inputs.shape, dtype=inputs.dtype) * self.stddev if training else inputs
