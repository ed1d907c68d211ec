"""Convolutions, padding and upsampling. Images are (batch, height, width, channels) unless `data_format` says otherwise.

Kernels have Keras' layout (height, width, inputs, outputs). The functions below want channels first; the permutations
around them are removed by the compiler. Read next: `pooling.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras import activations
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.core import KERNEL_NAMES
from onegraph.keras.layers.pooling import AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D
from onegraph.keras.layers.spatial import channels_back, channels_first, padded, same_padding, sizes_of
from onegraph.nn import functional as F

__all__ = [  # Keras 1 had the pooling layers here, too
    "AveragePooling1D",
    "AveragePooling2D",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Convolution1D",
    "Convolution2D",
    "Cropping2D",
    "DepthwiseConv2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "SeparableConv2D",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]

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


class Convolution2D(Conv2D):
    """Keras 1's `Convolution2D(nb_filter, nb_row, nb_col)`."""

    def __init__(self, filters: int, nb_row: Any = 3, nb_col: int | None = None, **kwargs: Any) -> None:
        kernel_size = kwargs.pop("kernel_size", nb_row if nb_col is None else (nb_row, nb_col))
        super().__init__(filters, kernel_size, **kwargs)


class Convolution1D(Conv1D):
    """Keras 1's name of `Conv1D`."""


class Conv2DTranspose(Convolution):
    """The gradient of a convolution as a layer: strides enlarge the image.

    Args:
        output_padding: not supported other than None.

    The other arguments are those of `Conv2D`; the kernel is (height, width, outputs, inputs).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        if output_padding is not None:
            raise ArgumentError(
                "Conv2DTranspose: output_padding is not supported", hint="leave it out and crop or pad the result"
            )

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        shape = (*self.kernel_size, self.filters, self._channels(input_shape))
        self.kernel = self.add_weight(shape=shape, name="kernel", **self._kernel_options)
        self._make_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self._channel_axis, self.kernel.shape[-1])
        x = channels_first(inputs, self.data_format)
        kernel = self.kernel.movedim((-1, -2), (0, 1))
        result = F.conv_transpose2d(x, kernel, self.bias, self.strides, 0, 0, 1, self.dilation_rate)
        if self.padding == "same":
            for dim, stride in enumerate(self.strides):
                wanted = x.shape[2 + dim] * stride
                extra = result.shape[2 + dim] - wanted
                if extra < 0:
                    raise ShapeError(
                        f"layer {self.name!r}: padding 'same' needs a kernel at least as large as the stride"
                    )
                result = result.narrow(2 + dim, extra // 2, wanted)
        return self.activation(channels_back(result, self.data_format))


class DepthwiseConv2D(Convolution):
    """A convolution of each channel on its own.

    Args:
        kernel_size: one number or two.
        depth_multiplier: outputs for each channel.

    The other arguments are those of `Conv2D`.
    """

    legacy_names: ClassVar = {
        **CONVOLUTION_NAMES,
        "depthwise_initializer": "kernel_initializer",
        "depthwise_regularizer": "kernel_regularizer",
        "depthwise_constraint": "kernel_constraint",
    }

    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid", depth_multiplier: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(depth_multiplier, kernel_size, strides, padding, **kwargs)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_weight(shape=shape, name="kernel", **self._kernel_options)
        self._make_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        channels = self.kernel.shape[2]
        self._check_size(inputs.shape, self._channel_axis, channels)
        x = channels_first(inputs, self.data_format)
        x, padding = padded(x, self._pairs(x.shape[2:]))
        kernel = self.kernel.permute(2, 3, 0, 1).reshape(channels * self.depth_multiplier, 1, *self.kernel_size)
        result = F.conv2d(x, kernel, self.bias, self.strides, padding, self.dilation_rate, channels)
        return self.activation(channels_back(result, self.data_format))


class SeparableConv2D(Convolution):
    """A depthwise convolution followed by one that mixes channels. Source: Chollet, CVPR 2017.

    Args:
        depth_multiplier: outputs of the first for each channel.

    The other arguments are those of `Conv2D`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        """Make both kernels and the bias."""
        channels = self._channels(input_shape)
        middle = channels * self.depth_multiplier
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.add_weight(shape=depthwise, name="depthwise_kernel", **self._kernel_options)
        self.pointwise_kernel = self.add_weight(
            shape=(1, 1, middle, self.filters), name="pointwise_kernel", **self._kernel_options
        )
        self._make_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        channels = self.depthwise_kernel.shape[2]
        self._check_size(inputs.shape, self._channel_axis, channels)
        x = channels_first(inputs, self.data_format)
        x, padding = padded(x, self._pairs(x.shape[2:]))
        first = self.depthwise_kernel.permute(2, 3, 0, 1).reshape(
            channels * self.depth_multiplier, 1, *self.kernel_size
        )
        x = F.conv2d(x, first, None, self.strides, padding, self.dilation_rate, channels)
        result = F.conv2d(x, self.pointwise_kernel.movedim((-1, -2), (0, 1)), self.bias)
        return self.activation(channels_back(result, self.data_format))


class ZeroPadding2D(Layer):
    """Zeros around images.

    Args:
        padding: one number, (height, width), or ((top, bottom), (left, right)).
        data_format: 'channels_last' or 'channels_first'.
    """

    input_rank = 4
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = pairs_of(padding, "ZeroPadding2D: padding")
        self.data_format = data_format_of(None, data_format)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        (top, bottom), (left, right) = self.padding
        channels = [0, 0] if self.data_format == "channels_last" else []
        return F.pad(inputs, [*channels, left, right, top, bottom])


class Cropping2D(Layer):
    """Images without their rims.

    Args:
        cropping: one number, (height, width), or ((top, bottom), (left, right)).
        data_format: 'channels_last' or 'channels_first'.
    """

    input_rank = 4
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = pairs_of(cropping, "Cropping2D: cropping")
        self.data_format = data_format_of(None, data_format)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        first = 1 if self.data_format == "channels_last" else 2
        for dim, (low, high) in enumerate(self.cropping):
            inputs = inputs.narrow(first + dim, low, inputs.shape[first + dim] - low - high)
        return inputs


def pairs_of(value: Any, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) from one number, two, or two pairs.

    >>> pairs_of((1, 2), "padding")
    ((1, 1), (2, 2))
    """
    rows, columns = (value, value) if isinstance(value, int) else tuple(value)
    pairs = tuple([(p, p) if isinstance(p, int) else tuple(p) for p in (rows, columns)])
    if any(len(p) != 2 or any(not isinstance(n, int) or n < 0 for n in p) for p in pairs):
        raise ArgumentError(f"{name} must be a number, two numbers or two pairs of them, none negative, got {value!r}")
    return pairs  # type: ignore[return-value]


class UpSampling2D(Layer):
    """Images made larger by repeating rows and columns, or by interpolating between them.

    Args:
        size: factors of height and width.
        data_format: 'channels_last' or 'channels_first'.
        interpolation: 'nearest' or 'bilinear'.
    """

    input_rank = 4
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = sizes_of(size, 2, "UpSampling2D: size")
        self.data_format = data_format_of(None, data_format)
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"UpSampling2D: interpolation must be 'nearest' or 'bilinear', got {interpolation!r}")
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        x = channels_first(inputs, self.data_format)
        if self.interpolation == "bilinear":
            larger = (x.shape[2] * self.size[0], x.shape[3] * self.size[1])
            return channels_back(F.interpolate(x, size=larger, mode="bilinear"), self.data_format)
        n, c, h, w = x.shape
        x = x.reshape(n, c, h, 1, w, 1).expand(n, c, h, self.size[0], w, self.size[1])
        return channels_back(x.reshape(n, c, h * self.size[0], w * self.size[1]), self.data_format)


class UpSampling1D(Layer):
    """Sequences with each step repeated.

    Args:
        size: how often.
    """

    input_rank = 3
    legacy_names: ClassVar = {"length": "size"}

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        n, steps, channels = inputs.shape
        return inputs.unsqueeze(2).expand(n, steps, self.size, channels).reshape(n, steps * self.size, channels)


class ZeroPadding1D(Layer):
    """Zeros before and after sequences.

    Args:
        padding: one number, or (before, after).
    """

    input_rank = 3

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = (padding, padding) if isinstance(padding, int) else tuple(padding)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return F.pad(inputs, [0, 0, *self.padding])
