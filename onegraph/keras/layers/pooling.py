"""Pooling: maxima and means of windows, or of everything. Read next: `convolution.py` (formats and padding)."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.errors import ArgumentError
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.spatial import channels_back, channels_first, padded, same_padding, sizes_of
from onegraph.nn import functional as F

POOLING_NAMES = {
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "pool_length": "pool_size",
    "stride": "strides",
}


class Pooling(Layer):
    """Base of pooling layers.

    Args:
        pool_size: of the window, one number or one for each dimension.
        strides: step between windows; the window's size if None.
        padding: 'valid' (whole windows only) or 'same' (the output has ceil(size / stride) places).
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 2
    legacy_names: ClassVar = POOLING_NAMES

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        label = type(self).__name__
        self.pool_size = sizes_of(pool_size, self.rank, f"{label}: pool_size")
        self.strides = self.pool_size if strides is None else sizes_of(strides, self.rank, f"{label}: strides")
        self.padding = padding.lower()
        if self.padding not in ("valid", "same"):
            raise ArgumentError(f"{label}: padding must be 'valid' or 'same', got {padding!r}")
        self.data_format = data_format_of(None, data_format)
        self.input_rank = self.rank + 2

    def _pairs(self, x: Any) -> list[tuple[int, int]]:
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        return same_padding(x.shape[2:], self.pool_size, self.strides, (1,) * self.rank)

    def pool(self, x: Any) -> Any:
        """Pool (batch, channels, ...)."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return channels_back(self.pool(channels_first(inputs, self.data_format)), self.data_format)


class _MaxPooling(Pooling):
    """Maxima of windows."""

    def pool(self, x: Any) -> Any:
        """Pool (batch, channels, ...)."""
        x, padding = padded(x, self._pairs(x), float("-inf"))
        return (F.max_pool1d, F.max_pool2d, F.max_pool3d)[self.rank - 1](x, self.pool_size, self.strides, padding)


class _AveragePooling(Pooling):
    """Means of windows; padding does not count."""

    def pool(self, x: Any) -> Any:
        """Pool (batch, channels, ...)."""
        function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[self.rank - 1]
        pairs = self._pairs(x)
        if all(low == high for low, high in pairs):
            return function(x, self.pool_size, self.strides, tuple(low for low, _ in pairs), count_include_pad=False)
        total = function(padded(x, pairs)[0], self.pool_size, self.strides)
        from onegraph import ones

        # Where windows hang over the edge on one side only, their share of real places is pooled too.
        share = function(padded(ones(1, 1, *x.shape[2:], dtype=x.dtype), pairs)[0], self.pool_size, self.strides)
        return total / share


class MaxPooling1D(_MaxPooling):
    """Maxima over steps of (batch, steps, channels)."""

    rank = 1


class MaxPooling2D(_MaxPooling):
    """Maxima of windows of images.

    >>> import onegraph as og
    >>> MaxPooling2D()(og.zeros(2, 28, 28, 3)).shape
    onegraph.Size([2, 14, 14, 3])
    """


class MaxPooling3D(_MaxPooling):
    """Maxima of windows of volumes."""

    rank = 3


class AveragePooling1D(_AveragePooling):
    """Means over steps of (batch, steps, channels)."""

    rank = 1


class AveragePooling2D(_AveragePooling):
    """Means of windows of images."""


class AveragePooling3D(_AveragePooling):
    """Means of windows of volumes."""

    rank = 3


class GlobalPooling(Layer):
    """Base of pooling over everything but batch and channels.

    Args:
        data_format: 'channels_last' or 'channels_first'.
        keepdims: leave dimensions of size 1.
    """

    rank = 2
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(None, data_format)
        self.keepdims = keepdims
        self.input_rank = self.rank + 2

    @property
    def _dims(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))


class _GlobalAverage(GlobalPooling):
    """The mean of each channel."""

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.mean(self._dims, keepdim=self.keepdims)


class _GlobalMax(GlobalPooling):
    """The maximum of each channel."""

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs.amax(self._dims, keepdim=self.keepdims)


class GlobalAveragePooling1D(_GlobalAverage):
    """The mean of each channel over steps; over those that a mask leaves, where the input carries one."""

    rank = 1
    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the result."""
        if mask is None:
            return super().call(inputs)
        (steps,) = self._dims
        kept = mask.to(inputs.dtype).unsqueeze(2 if steps == 1 else 1)
        return (inputs * kept).sum(steps, keepdim=self.keepdims) / kept.sum(steps, keepdim=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """There are no steps left to mask."""


class GlobalAveragePooling2D(_GlobalAverage):
    """The mean of each channel of images."""


class GlobalAveragePooling3D(_GlobalAverage):
    """The mean of each channel of volumes."""

    rank = 3


class GlobalMaxPooling1D(_GlobalMax):
    """The maximum of each channel over steps."""

    rank = 1


class GlobalMaxPooling2D(_GlobalMax):
    """The maximum of each channel of images."""


class GlobalMaxPooling3D(_GlobalMax):
    """The maximum of each channel of volumes."""

    rank = 3


class _AdaptivePooling(Layer):
    """Base of pooling to a size of the output.

    Args:
        output_size: one number, or one for each dimension.
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 2
    function: ClassVar[Any]

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = sizes_of(output_size, self.rank, f"{type(self).__name__}: output_size")
        self.data_format = data_format_of(None, data_format)
        self.input_rank = self.rank + 2

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        x = channels_first(inputs, self.data_format)
        size = self.output_size[0] if self.rank == 1 else self.output_size
        return channels_back(type(self).function(x, size), self.data_format)


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """Means over as many even stretches of steps as the output is to have."""

    rank, function = 1, staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """Means over windows that divide images evenly.

    >>> import onegraph as og
    >>> AdaptiveAveragePooling2D(2)(og.zeros(1, 7, 9, 3)).shape
    onegraph.Size([1, 2, 2, 3])
    """

    rank, function = 2, staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """Means over windows that divide volumes evenly."""

    rank, function = 3, staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """Maxima over as many even stretches of steps as the output is to have."""

    rank, function = 1, staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """Maxima over windows that divide images evenly."""

    rank, function = 2, staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """Maxima over windows that divide volumes evenly."""

    rank, function = 3, staticmethod(F.adaptive_max_pool3d)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D, GlobalMaxPool3D = GlobalAveragePooling3D, GlobalMaxPooling3D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
