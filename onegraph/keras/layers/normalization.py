"""Normalization of a batch: `BatchNormalization`. Read next: `sample_normalization.py` (each sample on its own)."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.frontend.state import no_grad
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.regularization import GaussianNoise
from onegraph.keras.layers.sample_normalization import LayerNormalization, options
from onegraph.nn import functional as F

__all__ = ["BatchNormalization", "GaussianNoise", "LayerNormalization"]  # Keras 1 and 2 had all three here


class BatchNormalization(Layer):
    """Each channel shifted and scaled to mean 0 and variance 1 over the batch, then by learned numbers.

    Not in training, moving averages of the batches' means and variances are used. A frozen layer (trainable=False) never
    uses the batch. Steps that a mask leaves out do not count. Source: Ioffe and Szegedy, ICML 2015.

    Args:
        axis: of the channels.
        momentum: how much of the old average stays.
        epsilon: added to the variance.
        center: whether to learn an offset, beta.
        scale: whether to learn a factor, gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: first values.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for other weights.
        renorm, renorm_clipping, renorm_momentum: batch renormalization is not supported.
        synchronized: accepted; there is one device.
        mode: Keras 1's, only 0.
    """

    min_rank = 2
    supports_masking = True
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
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        mode: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode != 0:
            raise ArgumentError(f"BatchNormalization: only Keras 1's mode=0 is supported, got {mode}")
        if renorm:
            raise UnsupportedError("BatchNormalization: renorm is not supported", hint="leave it out")
        axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        if not isinstance(axis, int):
            raise ArgumentError(f"BatchNormalization: axis must be a whole number, got {axis!r}")
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self._gamma_options = options(scale, gamma_initializer, gamma_regularizer, gamma_constraint)
        self._beta_options = options(center, beta_initializer, beta_regularizer, beta_constraint)
        self._moving = {"moving_mean": moving_mean_initializer, "moving_variance": moving_variance_initializer}

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages."""
        size = input_shape[self.axis]
        if size is None:
            raise ShapeError(
                f"layer {self.name!r} (BatchNormalization): size {self.axis} of the input must be known, got {input_shape}"
            )
        self.gamma = self._learned("gamma", size, self._gamma_options)
        self.beta = self._learned("beta", size, self._beta_options)
        for name, initializer in self._moving.items():
            self.add_weight(shape=(size,), name=name, initializer=initializer, trainable=False, autocast=False)

    def _learned(self, name: str, size: int, settings: dict[str, Any] | None) -> Any:
        return None if settings is None else self.add_weight(shape=(size,), name=name, autocast=False, **settings)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self.axis, self.moving_mean.shape[0])
        given = inputs.dtype
        if given.is_floating_point and given.bits < 32:
            inputs = inputs.to(as_dtype("float32"))
        axis = self.axis % inputs.ndim
        x = inputs if axis == 1 else inputs.movedim(axis, 1)
        use_batch = training and self.trainable
        if use_batch and mask is not None:
            result = self._over_unmasked(inputs, mask, axis)
        else:
            momentum = 1 - self.momentum
            result = F.batch_norm(
                x, self.moving_mean, self.moving_variance, self.gamma, self.beta, use_batch, momentum, self.epsilon
            )
            result = result if axis == 1 else result.movedim(1, axis)
        return result.to(given) if given.is_floating_point else result

    def _over_unmasked(self, x: Any, mask: Any, axis: int) -> Any:
        """With mean and variance of what the mask leaves, whose averages move on."""
        if mask.ndim != x.ndim - 1:
            raise ShapeError(
                f"layer {self.name!r} (BatchNormalization): a mask of shape {tuple(mask.shape)} does not fit an input "
                f"of shape {tuple(x.shape)}: it must have one dimension less"
            )
        dims = tuple([d for d in range(x.ndim) if d != axis])
        kept = mask.to(x.dtype).unsqueeze(-1)
        count = (kept + x * 0).sum(dims, keepdim=True)
        mean = (x * kept).sum(dims, keepdim=True) / count
        variance = (((x - mean) ** 2) * kept).sum(dims, keepdim=True) / count
        with no_grad():
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.copy_(moving * self.momentum + value.detach().reshape(-1) * (1 - self.momentum))
        shape = [-1 if d == axis else 1 for d in range(x.ndim)]
        factor = (variance + self.epsilon).rsqrt()
        factor = factor if self.gamma is None else factor * self.gamma.reshape(*shape)
        result = (x - mean) * factor
        return result if self.beta is None else result + self.beta.reshape(*shape)
