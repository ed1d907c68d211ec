"""Transposed, depthwise and separable convolutions. Read first: `convolution.py`."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.errors import ArgumentError
from onegraph.keras.layers.convolution import CONVOLUTION_NAMES, Convolution, sizes_of_keras_1
from onegraph.keras.layers.spatial import channels_back, channels_first, padded
from onegraph.nn import functional as F


def transposed_extent(
    kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None
) -> tuple[int, int]:
    """How much a transposed convolution of full length is cut on the left, and how much longer than (n - 1) * stride
    it is in the end.

    >>> transposed_extent(3, 2, 1, "same", None), transposed_extent(3, 2, 1, "valid", None)
    ((0, 2), (0, 3))
    """
    size = (kernel - 1) * dilation + 1
    if padding == "valid":
        return 0, max(size, stride) if output_padding is None else size + output_padding
    total = stride + size - 2 if output_padding is None else size + size % 2 - 2 + output_padding
    left = min(total - total // 2, size - 1)
    return size - 1 - left, total - size + 2


class ConvolutionTranspose(Convolution):
    """Base of transposed convolutions; see `Conv2DTranspose`."""

    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, **kwargs,
        )  # fmt: skip
        if self.padding == "causal":
            raise ArgumentError(f"{type(self).__name__}: padding must be 'valid' or 'same', got 'causal'")
        self.output_padding = None
        if output_padding is not None:
            values = (output_padding,) * self.rank if isinstance(output_padding, int) else tuple(output_padding)
            if len(values) != self.rank or any(not 0 <= v < s for v, s in zip(values, self.strides, strict=False)):
                raise ArgumentError(
                    f"{type(self).__name__}: output_padding must be from 0 to below the stride in each of {self.rank} "
                    f"dimensions, got {output_padding!r} with strides {self.strides}"
                )
            self.output_padding = values

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
        function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.rank - 1]
        result = function(x, kernel, None, self.strides, 0, 0, 1, self.dilation_rate)
        for i in range(self.rank):
            more = None if self.output_padding is None else self.output_padding[i]
            cut, longer = transposed_extent(
                self.kernel_size[i], self.strides[i], self.dilation_rate[i], self.padding, more
            )
            wanted = (x.shape[2 + i] - 1) * self.strides[i] + longer
            there = result.shape[2 + i] - cut
            result = result.narrow(2 + i, cut, min(wanted, there))
            if wanted > there:
                result = F.pad(result, [0, 0] * (self.rank - 1 - i) + [0, wanted - there])
        if self.bias is not None:
            result = result + self.bias.reshape(-1, *[1] * self.rank)
        return self.activation(channels_back(result, self.data_format))


class Conv1DTranspose(ConvolutionTranspose):
    """The gradient of `Conv1D` as a layer. See `Conv2DTranspose` for the arguments."""

    rank = 1


class Conv2DTranspose(ConvolutionTranspose):
    """The gradient of a convolution as a layer: strides enlarge the image.

    Args:
        output_padding: how much is added at the end of each dimension; by default so much that 'same' gives
            size * stride places.

    The other arguments are those of `Conv2D`; the kernel is (height, width, outputs, inputs).

    >>> import onegraph as og
    >>> Conv2DTranspose(3, 3, strides=2, padding="same")(og.zeros(1, 4, 5, 2)).shape
    onegraph.Size([1, 8, 10, 3])
    """


class Conv3DTranspose(ConvolutionTranspose):
    """The gradient of `Conv3D` as a layer. See `Conv2DTranspose` for the arguments."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = 1,
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
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, **kwargs,
        )  # fmt: skip


class Convolution1DTranspose(Conv1DTranspose):
    """Another name of `Conv1DTranspose`."""


class Convolution2DTranspose(Conv2DTranspose):
    """Another name of `Conv2DTranspose`."""


class Convolution3DTranspose(Conv3DTranspose):
    """Another name of `Conv3DTranspose`."""


class Deconvolution2D(Conv2DTranspose):
    """Keras 1's `Deconvolution2D(nb_filter, nb_row, nb_col, output_shape)`; the output's shape follows from the rest."""

    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(self, filters: int, kernel_size: Any = None, *sizes: Any, **kwargs: Any) -> None:
        kernel_size, rest = sizes_of_keras_1(2, kernel_size, sizes, kwargs)
        kwargs.pop("output_shape", None)
        if rest and isinstance(rest[0], (tuple, list)):
            rest = rest[1:]  # Keras 1's output_shape
        super().__init__(filters, kernel_size, *rest, **kwargs)


class DepthwiseConvolution(Convolution):
    """Base of depthwise convolutions; see `DepthwiseConv2D`."""

    legacy_names: ClassVar = {
        **CONVOLUTION_NAMES,
        "kernel_initializer": "depthwise_initializer",
        "kernel_regularizer": "depthwise_regularizer",
        "kernel_constraint": "depthwise_constraint",
    }

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            depth_multiplier, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer,
            depthwise_constraint, bias_constraint, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_weight(shape=shape, name="kernel", **self._kernel_options)
        self._make_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self._channel_axis, self.kernel.shape[self.rank])
        x = channels_first(inputs, self.data_format)
        result = depthwise(self, x, self.kernel, self.bias)
        return self.activation(channels_back(result, self.data_format))


def depthwise(layer: Convolution, x: Any, kernel: Any, bias: Any) -> Any:
    """A convolution of each channel of (batch, channels, ...) on its own, with a kernel (..., channels, multiplier)."""
    x, padding = padded(x, layer._pairs(x.shape[2:]))
    channels, multiplier = kernel.shape[-2:]
    weight = kernel.movedim((-2, -1), (0, 1)).reshape(channels * multiplier, 1, *layer.kernel_size)
    function = (F.conv1d, F.conv2d, F.conv3d)[layer.rank - 1]
    return function(x, weight, bias, layer.strides, padding, layer.dilation_rate, channels)


class DepthwiseConv1D(DepthwiseConvolution):
    """A convolution of each channel of a sequence on its own. See `DepthwiseConv2D` for the arguments."""

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """A convolution of each channel on its own.

    Args:
        kernel_size: one number or two.
        depth_multiplier: outputs for each channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the kernel.

    The other arguments are those of `Conv2D`.

    >>> import onegraph as og
    >>> DepthwiseConv2D(3, depth_multiplier=2)(og.zeros(1, 5, 6, 4)).shape
    onegraph.Size([1, 3, 4, 8])
    """


class SeparableConvolution(Convolution):
    """Base of separable convolutions; see `SeparableConv2D`."""

    legacy_names: ClassVar = CONVOLUTION_NAMES

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            kwargs.pop("kernel_initializer", depthwise_initializer), bias_initializer,
            kwargs.pop("kernel_regularizer", depthwise_regularizer), bias_regularizer, activity_regularizer,
            kwargs.pop("kernel_constraint", depthwise_constraint), bias_constraint, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self._pointwise_options = {
            "initializer": pointwise_initializer,
            "regularizer": pointwise_regularizer,
            "constraint": pointwise_constraint,
        }

    def build(self, input_shape: Any) -> None:
        """Make both kernels and the bias."""
        channels = self._channels(input_shape)
        middle = channels * self.depth_multiplier
        first = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.add_weight(shape=first, name="depthwise_kernel", **self._kernel_options)
        self.pointwise_kernel = self.add_weight(
            shape=(*[1] * self.rank, middle, self.filters), name="pointwise_kernel", **self._pointwise_options
        )
        self._make_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self._channel_axis, self.depthwise_kernel.shape[self.rank])
        x = depthwise(self, channels_first(inputs, self.data_format), self.depthwise_kernel, None)
        function = (F.conv1d, F.conv2d)[self.rank - 1]
        result = function(x, self.pointwise_kernel.movedim((-1, -2), (0, 1)), self.bias)
        return self.activation(channels_back(result, self.data_format))


class SeparableConv1D(SeparableConvolution):
    """A depthwise convolution of sequences followed by one that mixes channels. See `SeparableConv2D`."""

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """A depthwise convolution followed by one that mixes channels. Source: Chollet, CVPR 2017.

    Args:
        depth_multiplier: outputs of the first for each channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the first kernel.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: of the second.

    The other arguments are those of `Conv2D`.

    >>> import onegraph as og
    >>> SeparableConv2D(8, 3)(og.zeros(1, 5, 6, 4)).shape
    onegraph.Size([1, 3, 4, 8])
    """


class SeparableConvolution1D(SeparableConv1D):
    """Another name of `SeparableConv1D`."""


class SeparableConvolution2D(SeparableConv2D):
    """Another name of `SeparableConv2D`."""
