"""Convolutions. Images are (batch, height, width, channels) unless `data_format` says otherwise.

Kernels have Keras' layout (height, width, inputs, outputs). The functions below want channels first; the permutations
around them are removed by the compiler.

Read next: `convolution_variants.py` (transposed, depthwise, separable), `resizing.py` (padding, cropping, upsampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras import activations
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.core import KERNEL_NAMES
from onegraph.keras.layers.spatial import channels_back, channels_first, padded, same_padding, sizes_of
from onegraph.nn import functional as F

CONVOLUTION_NAMES = {
    **KERNEL_NAMES,
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "dim_ordering": "data_format",
}


class Convolution(Layer):
    """Base of convolutions; see `Conv2D` for the arguments."""

    rank = 2
    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        label = type(self).__name__
        if not isinstance(filters, int) or filters < 1 or not isinstance(groups, int) or groups < 1:
            raise ArgumentError(
                f"{label}: filters and groups must be positive whole numbers, got {filters!r} and {groups!r}"
            )
        self.filters = filters
        self.kernel_size = sizes_of(kernel_size, self.rank, f"{label}: kernel_size")
        self.strides = sizes_of(strides, self.rank, f"{label}: strides")
        self.dilation_rate = sizes_of(dilation_rate, self.rank, f"{label}: dilation_rate")
        allowed = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        self.padding = padding.lower()
        if self.padding not in allowed:
            raise ArgumentError(f"{label}: padding must be one of {', '.join(allowed)}, got {padding!r}")
        self.data_format = data_format_of(None, data_format)
        self.groups = groups
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.input_rank = self.rank + 2
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

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: Any) -> int:
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}): the channels of the input must be known, got {input_shape}"
            )
        return int(channels)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        channels = self._channels(input_shape)
        if channels % self.groups or self.filters % self.groups:
            raise ArgumentError(
                f"layer {self.name!r}: {channels} channels and {self.filters} filters do not divide into {self.groups} groups"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight(shape=shape, name="kernel", **self._kernel_options)
        self._make_bias(self.filters)

    def _make_bias(self, count: int) -> None:
        self.bias = self.add_weight(shape=(count,), name="bias", **self._bias_options) if self.use_bias else None

    def _kernel_for_function(self) -> Any:
        return self.kernel.movedim((-1, -2), (0, 1))

    def _pairs(self, sizes: Sequence[int]) -> list[tuple[int, int]]:
        if self.padding == "same":
            return same_padding(sizes, self.kernel_size, self.strides, self.dilation_rate)
        if self.padding == "causal":
            return [((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)]
        return [(0, 0)] * self.rank

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self._channel_axis, self.kernel.shape[-2] * self.groups)
        x = channels_first(inputs, self.data_format)
        x, padding = padded(x, self._pairs(x.shape[2:]))
        function = (F.conv1d, F.conv2d, F.conv3d)[self.rank - 1]
        result = function(
            x, self._kernel_for_function(), self.bias, self.strides, padding, self.dilation_rate, self.groups
        )
        return self.activation(channels_back(result, self.data_format))


class Conv1D(Convolution):
    """Convolution of sequences (batch, steps, channels); padding may also be 'causal'. See `Conv2D`."""

    rank = 1


class Conv2D(Convolution):
    """Convolution of images.

    Args:
        filters: channels of the output.
        kernel_size: one number or two.
        strides: step between windows.
        padding: 'valid' (none) or 'same' (the output has ceil(size / stride) places).
        data_format: 'channels_last' or 'channels_first'.
        dilation_rate: step between the elements of a window.
        groups: channels are split into groups that do not see each other.
        activation: a name or a function.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer, and the regularizers and constraints: as for `Dense`.

    >>> import onegraph as og
    >>> Conv2D(8, 3, padding="same")(og.zeros(2, 28, 28, 1)).shape
    onegraph.Size([2, 28, 28, 8])
    """


class Conv3D(Convolution):
    """Convolution of volumes (batch, depth, height, width, channels). See `Conv2D` for the arguments.

    >>> import onegraph as og
    >>> Conv3D(4, 3)(og.zeros(1, 5, 6, 7, 2)).shape
    onegraph.Size([1, 3, 4, 5, 4])
    """

    rank = 3


class Convolution1D(Conv1D):
    """Keras 1's name of `Conv1D`."""


class Convolution2D(Conv2D):
    """Keras 1's `Convolution2D(nb_filter, nb_row, nb_col)`; takes what `Conv2D` takes, too."""

    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(self, filters: int, kernel_size: Any = None, *sizes: Any, **kwargs: Any) -> None:
        kernel_size, rest = sizes_of_keras_1(2, kernel_size, sizes, kwargs)
        super().__init__(filters, kernel_size, *rest, **kwargs)


class Convolution3D(Conv3D):
    """Keras 1's `Convolution3D(nb_filter, kernel_dim1, kernel_dim2, kernel_dim3)`; takes what `Conv3D` takes, too."""

    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(self, filters: int, kernel_size: Any = None, *sizes: Any, **kwargs: Any) -> None:
        kernel_size, rest = sizes_of_keras_1(3, kernel_size, sizes, kwargs)
        super().__init__(filters, kernel_size, *rest, **kwargs)


_SIZES_OF_KERAS_1 = {2: ("nb_row", "nb_col"), 3: ("kernel_dim1", "kernel_dim2", "kernel_dim3")}


def sizes_of_keras_1(
    rank: int, kernel_size: Any, sizes: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Any, Sequence[Any]]:
    """The size of a kernel, given as Keras 1 did, one number after the other or by name, or as today; and what is left.

    >>> sizes_of_keras_1(2, 3, (5, "rest"), {}), sizes_of_keras_1(2, None, (), {"nb_row": 3, "nb_col": 4})
    (((3, 5), ('rest',)), ((3, 4), []))
    """
    names = _SIZES_OF_KERAS_1[rank]
    named = [kwargs.pop(name) for name in names if name in kwargs]
    if named:
        found = [*([] if kernel_size is None else [kernel_size]), *sizes, *named]
        return tuple(found[:rank]), found[rank:]
    numbers = sizes[: rank - 1]
    if len(numbers) == rank - 1 and isinstance(kernel_size, int) and all(isinstance(n, int) for n in numbers):
        return (kernel_size, *numbers), sizes[rank - 1 :]
    if kernel_size is None:
        raise ArgumentError("a convolution needs a kernel_size", hint="Conv2D(32, 3), or Convolution2D(32, 3, 3)")
    return kernel_size, sizes
