"""Activations with settings or weights of their own, as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.frontend import EXPORTS
from onegraph.keras import activations
from onegraph.keras.layers.base import Layer
from onegraph.nn import functional as F

_where = EXPORTS["where"]


class ReLU(Layer):
    """max(x, 0), with a slope below the threshold and a ceiling where wanted.

    Args:
        max_value: the ceiling.
        negative_slope: below the threshold.
        threshold: where the slope changes.
    """

    supports_masking = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """x above 0, negative_slope times x below.

    Args:
        negative_slope: 0.3 as in Keras; `alpha` in older versions.
    """

    supports_masking = True
    legacy_names: ClassVar = {"alpha": "negative_slope"}

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return F.leaky_relu(inputs, self.negative_slope)


class ELU(Layer):
    """x above 0, alpha (exp(x) - 1) below.

    Args:
        alpha: the limit, negated.
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return F.elu(inputs, self.alpha)


class PReLU(Layer):
    """x above 0, a learned slope times x below. Source: He et al., ICCV 2015.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes.
        shared_axes: axes, from 1, along which slopes are shared.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._options = {
            "initializer": alpha_initializer,
            "regularizer": alpha_regularizer,
            "constraint": alpha_constraint,
        }
        self.shared_axes = tuple(shared_axes or ())

    def build(self, input_shape: Any) -> None:
        """Make the slopes."""
        shape = [1 if i in self.shared_axes else s for i, s in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(shape=shape, name="alpha", **self._options)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return F.relu(inputs) - self.alpha * F.relu(-inputs)


class Softmax(Layer):
    """Positive numbers that sum to 1 along an axis, or along several.

    Args:
        axis: along which.

    Called with a `mask` (bool, of the input's shape or one that spreads to it), it gives 0 where that is false.
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else tuple(axis)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the result."""
        x = inputs
        if mask is not None:
            mask = mask.bool() if mask.dtype.name != "bool" else mask
            x = _where(mask, x, -3e4 if x.dtype.name == "float16" else -1e9)
        if isinstance(self.axis, int):
            result = activations.softmax(x, self.axis)
        elif len(self.axis) == 1:
            result = activations.softmax(x, self.axis[0])
        else:
            result = (x - x.logsumexp(self.axis, keepdim=True)).exp()
        return result if mask is None else _where(mask, result, 0.0)


class ThresholdedReLU(Layer):
    """x above theta, 0 below.

    Args:
        theta: the threshold.
    """

    supports_masking = True

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = theta

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs * (inputs > self.theta).to(inputs.dtype)
