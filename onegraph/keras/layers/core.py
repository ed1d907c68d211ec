"""Layers that every model uses: Input, Dense, Activation, Flatten, Reshape, Lambda and the like.

Read next: `embedding.py`, `convolution.py`, `pooling.py`, `normalization.py`, `merge.py`, `recurrent.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.keras import activations
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.masking import set_mask
from onegraph.keras.layers.regularization import ActivityRegularization, Dropout, SpatialDropout1D, SpatialDropout2D
from onegraph.keras.layers.signature import argument_names
from onegraph.keras.layers.symbolic import KerasTensor
from onegraph.keras.layers.symbolic import input_tensor as symbolic_input

__all__ = [  # Keras 1 and 2 had dropout here, too
    "Activation",
    "ActivityRegularization",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Masking",
    "Permute",
    "RepeatVector",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
]

# Keras 1's names of the arguments that layers with a kernel and a bias share.
KERNEL_NAMES = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}


class InputLayer(Layer):
    """A model's input.

    Args:
        shape: of one sample, without the batch.
        batch_size: where it is known.
        dtype: element type, float32 if not given.
        sparse, ragged: not supported.
        batch_shape: shape with the batch, instead of `shape`.
        input_tensor: a KerasTensor to start from, as when a model starts inside another; it is the layer's output.
        optional: whether the input may be None.
        name: of the input.
    """

    legacy_names: ClassVar = {"input_shape": "shape", "batch_input_shape": "batch_shape"}

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise ArgumentError("InputLayer: sparse and ragged tensors do not exist here", hint="pad and use a mask")
        if input_tensor is not None:
            if dtype is not None and symbolic_input((), dtype).dtype is not input_tensor.dtype:
                raise ArgumentError(f"InputLayer: dtype {dtype} was given, but the tensor is {input_tensor.dtype.name}")
            batch_shape = input_tensor.shape
        self.optional = optional
        if batch_shape is None:
            if shape is None:
                raise ArgumentError("InputLayer: give a shape", hint="Input(shape=(784,)) for samples of 784 numbers")
            batch_shape = (batch_size, *([shape] if isinstance(shape, int) else shape))
        self._batch_input_shape = tuple(batch_shape)
        if input_tensor is None:
            input_tensor = symbolic_input(self._batch_input_shape, dtype, self.name)
        self.tensor = input_tensor
        if getattr(self.tensor, "layer", None) is None:
            self.tensor.layer = self  # type: ignore[attr-defined]
        self.built = True

    @property
    def input(self) -> KerasTensor:
        """The model's input, which comes from no other layer."""
        return self.tensor

    @property
    def output(self) -> KerasTensor:
        """The same tensor: an input layer changes nothing."""
        return self.tensor

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
    **legacy: Any,
) -> KerasTensor:
    """The input of a functional model.

    Args:
        shape: of one sample, without the batch; None for sizes that vary.
        batch_size: where it is known.
        dtype: element type; float32 if not given.
        batch_shape: shape with the batch, instead of `shape`.
        sparse: not supported.
        name: of the input, for feeding a dict of arrays.
        tensor: a KerasTensor to start from; it is returned.
        optional: whether the input may be None.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    batch_shape = legacy.pop("batch_input_shape", batch_shape)
    return InputLayer(
        shape, batch_size, dtype, sparse, legacy.pop("ragged", None), batch_shape, tensor, optional, name, **legacy
    ).tensor


class Dense(Layer):
    """activation(x @ kernel + bias), on the last dimension.

    Args:
        units: size of the output's last dimension.
        activation: a name or a function.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties.
        activity_regularizer: a penalty on the output.
        kernel_constraint, bias_constraint: conditions kept after each step.

    >>> import onegraph as og
    >>> Dense(3)(og.zeros(2, 4)).shape
    onegraph.Size([2, 3])
    """

    min_rank = 2
    supports_masking = True
    legacy_names: ClassVar = {**KERNEL_NAMES, "output_dim": "units"}

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, (int, np.integer)) or units < 1:
            raise ArgumentError(f"Dense: units must be a positive whole number, got {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._kernel_options = {
            "initializer": kernel_initializer,
            "regularizer": kernel_regularizer,
            "constraint": kernel_constraint,
        }
        self._bias_options = {
            "initializer": bias_initializer,
            "regularizer": bias_regularizer,
            "constraint": bias_constraint,
        }

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        if input_shape[-1] is None:
            raise ShapeError(
                f"layer {self.name!r} (Dense): the last size of the input must be known, got {input_shape}"
            )
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel", **self._kernel_options)
        self.bias = self.add_weight(shape=(self.units,), name="bias", **self._bias_options) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, -1, self.kernel.shape[0])
        result = inputs @ self.kernel
        return self.activation(result if self.bias is None else result + self.bias)


class Activation(Layer):
    """An activation as a layer.

    Args:
        activation: a name or a function.
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return self.activation(inputs)


class Flatten(Layer):
    """Everything but the batch in one dimension.

    Args:
        data_format: 'channels_first' puts the channels last before, so that the order is that of 'channels_last'.
    """

    min_rank = 1

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(None, data_format)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = inputs.movedim(1, -1)
        size = 1
        for s in inputs.shape[1:]:
            size *= s
        return inputs.reshape(inputs.shape[0], size)


class Reshape(Layer):
    """Another shape for each sample; one size may be -1.

    Args:
        target_shape: of a sample, without the batch.
    """

    legacy_names: ClassVar = {"dims": "target_shape"}

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        target_shape = (target_shape,) if isinstance(target_shape, int) else target_shape
        self.target_shape = tuple(target_shape)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.reshape(inputs.shape[0], *self.target_shape)


class Permute(Layer):
    """Dimensions of each sample in another order.

    Args:
        dims: from 1, the batch staying in place: (2, 1) swaps the two dimensions of a sample.
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if sorted(dims) != list(range(1, len(dims) + 1)):
            raise ArgumentError(f"Permute: dims must be an order of 1 to {len(dims)}, got {tuple(dims)}")
        self.dims = tuple(dims)
        self.input_rank = len(self.dims) + 1

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.permute(0, *self.dims)


class RepeatVector(Layer):
    """(batch, features) as (batch, n, features), repeated n times.

    Args:
        n: how often.
    """

    input_rank = 2

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.unsqueeze(1).expand(inputs.shape[0], self.n, inputs.shape[1])


class Identity(Layer):
    """Its input."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs


class Masking(Layer):
    """Steps whose numbers are all `mask_value` are masked: layers behind leave them out.

    Args:
        mask_value: what marks a step that does not count.

    >>> import onegraph as og
    >>> x = og.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    >>> Masking()(x)._keras_mask
    tensor([[ True, False]])
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where any number of a step differs from the value."""
        return (inputs != self.mask_value).any(-1)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        kept = (inputs != self.mask_value).any(-1)
        return set_mask(inputs * kept.unsqueeze(-1).to(inputs.dtype), kept)


class Lambda(Layer):
    """A function as a layer. Models with a lambda cannot be saved; a registered function can.

    Args:
        function: of the input, giving the output; it may take `mask` and `training` as well.
        output_shape: accepted; the shape is found by calling the function.
        mask: a mask for the output, or a function (inputs, mask) that gives one.
        arguments: keyword arguments for the function.
    """

    supports_masking = True

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(function, str):
            from onegraph.keras.registry import Registry

            function = Registry("function").find(function)
        if not callable(function):
            raise ArgumentTypeError(f"Lambda: needs a function, got {function!r:.60}")
        self.function, self.arguments = function, dict(arguments or {})
        self.mask = mask
        try:
            self._accepted = set(argument_names(function))
        except (TypeError, ValueError):  # a function of C, which does not tell
            self._accepted = set()

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Compute the result."""
        given = dict(self.arguments)
        for name, value in (("mask", mask), ("training", training)):
            if name in self._accepted:
                given.setdefault(name, value)
        return self.function(inputs, **given)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask that was given, or what the function for it gives."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask
