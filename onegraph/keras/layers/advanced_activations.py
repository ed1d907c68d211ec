"""Activations with settings or weights of their own, as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.keras import activations
from onegraph.keras.layers.base import Layer
from onegraph.nn import functional as F


class ReLU(Layer):
    """max(x, 0), with a slope below the threshold and a ceiling where wanted.

    Args:
        max_value: the ceiling.
        negative_slope: below the threshold.
        threshold: where the slope changes.
    """

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

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
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
    """Positive numbers that sum to 1 along an axis.

    Args:
        axis: along which.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return activations.softmax(inputs, self.axis)


class ThresholdedReLU(Layer):
    """x above theta, 0 below.

    Args:
        theta: the threshold.
    """

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = theta

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs * (inputs > self.theta).to(inputs.dtype)
