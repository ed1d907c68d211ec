"""Layers that every model uses: Dense, Activation, Dropout, Flatten, Reshape, Embedding and the like.

Read next: `convolutional.py`, `pooling.py`, `normalization.py`, `merge.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.keras import activations
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.symbolic import KerasTensor, input_tensor
from onegraph.nn import functional as F

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
        batch_shape: shape with the batch, instead of `shape`.
        name: of the input.
    """

    legacy_names: ClassVar = {"input_shape": "shape", "batch_input_shape": "batch_shape"}

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name or kwargs.pop("name", None), **kwargs)
        if batch_shape is None:
            if shape is None:
                raise ArgumentError("InputLayer: give a shape", hint="Input(shape=(784,)) for samples of 784 numbers")
            batch_shape = (batch_size, *([shape] if isinstance(shape, int) else shape))
        self._batch_input_shape = tuple(batch_shape)
        self.tensor = input_tensor(self._batch_input_shape, dtype, self.name)
        self.tensor.layer = self  # type: ignore[attr-defined]
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> KerasTensor:
    """The input of a functional model.

    Args:
        shape: of one sample, without the batch; None for sizes that vary.
        batch_size: where it is known.
        dtype: element type; float32 if not given.
        batch_shape: shape with the batch, instead of `shape`.
        name: of the input, for feeding a dict of arrays.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    return InputLayer(shape, batch_size, dtype, batch_shape, name).tensor


class Dense(Layer):
    """activation(x @ kernel + bias), on the last dimension.

    Args:
        units: size of the output's last dimension.
        activation: a name or a function.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties.
        kernel_constraint, bias_constraint: conditions kept after each step.

    >>> import onegraph as og
    >>> Dense(3)(og.zeros(2, 4)).shape
    onegraph.Size([2, 3])
    """

    min_rank = 2
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

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return self.activation(inputs)


class Dropout(Layer):
    """In training, numbers set to 0 with probability `rate`, the others divided by 1 - rate.

    Args:
        rate: from 0 to 1.
        noise_shape: sizes of 1 are shared; None for the input's own shape.
        seed: accepted; the global seed decides.
    """

    legacy_names: ClassVar = {"p": "rate"}

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ArgumentError(f"Dropout: rate must be from 0 to 1, got {rate!r}")
        self.rate, self.noise_shape, self.seed = float(rate), noise_shape, seed

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if not training or not self.rate:
            return inputs
        if self.noise_shape is None:
            return F.dropout(inputs, self.rate, True)
        from onegraph import ones

        shape = [s if n is None else n for s, n in zip(inputs.shape, self.noise_shape, strict=True)]
        return inputs * F.dropout(ones(*shape, dtype=inputs.dtype), self.rate, True)


class Flatten(Layer):
    """Everything but the batch in one dimension."""

    min_rank = 1

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
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
        self.target_shape = tuple(target_shape)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.reshape(inputs.shape[0], *self.target_shape)


class Permute(Layer):
    """Dimensions in another order.

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


class Lambda(Layer):
    """A function as a layer. Models with a lambda cannot be saved; a registered function can.

    Args:
        function: of the input, giving the output.
        output_shape: accepted; the shape is found by calling the function.
        arguments: keyword arguments for the function.
    """

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
        self.function, self.arguments = function, dict(arguments or {})

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return self.function(inputs, **self.arguments)


class Rescaling(Layer):
    """x * scale + offset, such as Rescaling(1 / 255) for images of bytes.

    Args:
        scale, offset: numbers.
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        values = inputs if inputs.dtype.is_floating_point else inputs.to(make_tensor(0.0).dtype)
        return values * self.scale + self.offset


class ActivityRegularization(Layer):
    """Its input, with a penalty on it.

    Args:
        l1, l2: factors of the sums of |x| and x².
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer={"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs


class Embedding(Layer):
    """Whole numbers as learned vectors.

    Args:
        input_dim: how many different numbers there are.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: not supported.
        input_length: sizes of the input's second dimension, where known.
    """

    legacy_names: ClassVar = {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer"}

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        if input_length is not None and "batch_input_shape" not in kwargs:
            kwargs["batch_input_shape"] = (None, input_length)
        super().__init__(**kwargs)
        if mask_zero:
            raise UnsupportedError("Embedding: mask_zero is not supported", hint="multiply by a mask of your own")
        self.input_dim, self.output_dim = input_dim, output_dim
        self._options = {
            "initializer": embeddings_initializer,
            "regularizer": embeddings_regularizer,
            "constraint": embeddings_constraint,
        }

    def build(self, input_shape: Any) -> None:
        """Make the table."""
        self.embeddings = self.add_weight(shape=(self.input_dim, self.output_dim), name="embeddings", **self._options)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        if inputs.dtype.name == "bool":
            raise DTypeError("Embedding: needs whole numbers, got bool")
        return F.embedding(inputs.long() if inputs.dtype.is_floating_point else inputs, self.embeddings)
