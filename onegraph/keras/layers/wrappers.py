"""Layers around a layer: applied to each step, with its kernel divided by its norm, or a module of `onegraph.nn`.

Read next: `bidirectional.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.state import no_grad
from onegraph.keras.layers.base import Layer, layers
from onegraph.keras.layers.symbolic import map_structure
from onegraph.nn.module import Module

where = EXPORTS["where"]


def inner_layer(label: str, layer: Any) -> Layer:
    """The layer to wrap, from a layer or what `get_config` made of one."""
    if isinstance(layer, dict):
        layer = layers.deserialize(layer)
    if not isinstance(layer, Layer):
        raise ArgumentTypeError(
            f"{label} needs a layer to wrap, got {layer!r:.60}", hint=f"write {label}(Dense(3)), not {label}(Dense)"
        )
    return layer


class Wrapper(Layer):
    """Base of layers around a layer: subclass it and define `call`.

    Args:
        layer: to be wrapped.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = inner_layer(type(self).__name__, layer)

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside."""
        build_inside(self.layer, input_shape)
        self.built = True


def build_inside(layer: Layer, shape: Any) -> None:
    """Make a layer's weights for the shape of an input, if it has none yet."""
    if not layer.built:
        layer.build(shape)
        layer._mark_built(shape)


class TimeDistributed(Wrapper):
    """A layer applied to each step of (batch, steps, ...) on its own.

    Args:
        layer: to be applied; it sees all steps of all sequences as one batch.

    >>> import onegraph as og
    >>> from onegraph.keras.layers import Dense
    >>> TimeDistributed(Dense(3))(og.zeros(2, 5, 4)).shape
    onegraph.Size([2, 5, 3])
    """

    min_rank = 3
    supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside for one step."""
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the result."""
        batch, steps = inputs.shape[:2]
        flat = inputs.reshape(batch * steps, *inputs.shape[2:])
        options: dict[str, Any] = {}
        if mask is not None and "mask" in self.layer._mask_names and mask.ndim > 2:
            options["mask"] = mask.reshape(batch * steps, *mask.shape[2:])
        result = self.layer(flat, training=training, **options)
        return map_structure(lambda t: t.reshape(batch, steps, *t.shape[1:]), result)


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value, found by power iteration at each training step.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018.

    Args:
        layer: with a weight `kernel` or `embeddings`.
        power_iterations: rounds at each step.
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if not isinstance(power_iterations, int) or power_iterations < 1:
            raise ArgumentError(f"SpectralNormalization: power_iterations must be at least 1, got {power_iterations!r}")
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside and make the vector of the iteration."""
        super().build(input_shape)
        found = next((n for n in ("kernel", "embeddings") if getattr(self.layer, n, None) is not None), None)
        if found is None:
            raise ArgumentError(
                f"layer {self.layer.name!r} ({type(self.layer).__name__}) has neither kernel nor embeddings to normalize"
            )
        self.kernel = self.layer._parameters[found]
        self.vector_u = self.add_weight(
            shape=(1, self.kernel.shape[-1]),
            initializer="truncated_normal",
            name="vector_u",
            trainable=False,
            autocast=False,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if training:
            self._normalize()
        return self.layer(inputs, training=training)

    def _normalize(self) -> None:
        kernel = self._parameters["kernel"]
        matrix, u = kernel.detach().reshape(-1, kernel.shape[-1]), self.vector_u.detach()
        for _ in range(self.power_iterations):
            v = _unit(u @ matrix.T)
            u = _unit(v @ matrix)
        with no_grad():
            sigma = (v @ matrix @ u.T).reshape(())
            nonzero = (matrix != 0).any()
            self.vector_u.copy_(where(nonzero, u, self.vector_u))
            kernel.copy_(where(nonzero, kernel / sigma, kernel))  # zeros have no direction, and stay


def _unit(x: Any) -> Any:
    return x * (x * x).sum().clamp(min=1e-12).rsqrt()


class TorchModuleWrapper(Layer):
    """A module of `onegraph.nn` as a Keras layer.

    Args:
        module: an `onegraph.nn.Module`; its parameters become the layer's weights.
        name: of the layer.
        output_shape: accepted; the shape is found by calling the module.

    >>> import onegraph as og
    >>> layer = TorchModuleWrapper(og.nn.Linear(4, 2))
    >>> layer(og.zeros(3, 4)).shape, len(layer.trainable_weights)
    (onegraph.Size([3, 2]), 2)
    """

    def __init__(self, module: Any, name: str | None = None, output_shape: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not isinstance(module, Module):
            raise ArgumentTypeError(
                f"TorchModuleWrapper: needs an onegraph.nn.Module, got {type(module).__name__}",
                hint="modules of PyTorch itself are loaded by their weights: onegraph.interop",
            )
        self.module = module

    def call(self, *args: Any, training: bool = False, **kwargs: Any) -> Any:
        """Compute the result."""
        if training != self.module.training:
            self.module.train(training)
        return self.module(*args, **kwargs)
