"""Pooling layers. The formulas are in `onegraph/ops/pooling.py` and `adaptive_pooling.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.nn import functional
from onegraph.nn.module import Module
from onegraph.nn.sizes import pair, repeated, single, triple
from onegraph.nn.wrapped import Wrapped


class MaxPool(Wrapped):
    """The maximum of every window; unbatched inputs work too."""

    _hidden = ("return_indices",)

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            dilation=dilation,
            return_indices=return_indices,
            ceil_mode=ceil_mode,
        )


class MaxPool1d(MaxPool):
    """The maximum of every window of (batch, channels, length)."""

    _function = "max_pool1d"


class MaxPool2d(MaxPool):
    """The maximum of every window of (batch, channels, height, width).

    >>> import onegraph as og
    >>> og.nn.MaxPool2d(2)(og.ones(1, 3, 8, 8)).shape
    onegraph.Size([1, 3, 4, 4])
    """

    _function = "max_pool2d"


class MaxPool3d(MaxPool):
    """The maximum of every window of (batch, channels, depth, height, width)."""

    _function = "max_pool3d"


class MaxUnpool(Module):
    """Maxima back at the places where max pooling found them, 0 elsewhere.

    Args:
        kernel_size, stride, padding: of the pooling.
    """

    _sizes = single
    _function = ""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        each = type(self)._sizes
        self.kernel_size = each(kernel_size)
        self.stride = each(kernel_size if stride is None else stride)
        self.padding = each(padding)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """The output of a pooling with `return_indices=True`, its indices, and its input's size where that left a rest."""
        function = getattr(functional, self._function)
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(MaxUnpool):
    """The inverse of `MaxPool1d`, as far as there is one; arguments as for `MaxUnpool2d`."""

    _function = "max_unpool1d"


class MaxUnpool2d(MaxUnpool):
    """The inverse of `MaxPool2d`, as far as there is one: maxima back in place, 0 elsewhere.

    Args:
        kernel_size, stride, padding: of the pooling.

    >>> import onegraph as og
    >>> values, indices = og.nn.MaxPool2d(2, return_indices=True)(og.arange(16.0).reshape(1, 4, 4))
    >>> og.nn.MaxUnpool2d(2)(values, indices)[0, 1]
    tensor([0., 5., 0., 7.])
    """

    _sizes = pair
    _function = "max_unpool2d"


class MaxUnpool3d(MaxUnpool):
    """The inverse of `MaxPool3d`, as far as there is one; arguments as for `MaxUnpool2d`."""

    _sizes = triple
    _function = "max_unpool3d"


class _FractionalMaxPool(Module):
    """Maxima of windows that overlap at random places, so that sizes shrink by less than whole factors."""

    _rank = 2
    _function = ""

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        each = repeated(self._rank)
        self.kernel_size = each(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else each(output_size)
        self.output_ratio = None if output_ratio is None else each(output_ratio)
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(f"{name}: give either output_size or output_ratio")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ArgumentError(f"{name}: output_ratio must be between 0 and 1, got {output_ratio}")

    def forward(self, input: Any) -> Any:
        """The maxima, and with `return_indices` where they stand in the flattened last dimensions."""
        function = getattr(functional, self._function)
        return function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """Maxima of windows at random places of (batch, channels, height, width).

    Source: Graham, "Fractional max-pooling", 2014.

    Args:
        kernel_size: of a window.
        output_size: of the result; or
        output_ratio: its size over that of the input, between 0 and 1.
        return_indices: give the places of the maxima too.

    >>> import onegraph as og
    >>> og.nn.FractionalMaxPool2d(2, output_ratio=0.7)(og.randn(1, 3, 10, 10)).shape
    onegraph.Size([1, 3, 7, 7])
    """

    _function = "fractional_max_pool2d"


class FractionalMaxPool3d(_FractionalMaxPool):
    """Maxima of windows at random places of (batch, channels, depth, height, width); see `FractionalMaxPool2d`."""

    _rank = 3
    _function = "fractional_max_pool3d"


class AvgPool(Wrapped):
    """The mean of every window."""

    _hidden = ("ceil_mode", "count_include_pad", "divisor_override")


class AvgPool1d(AvgPool):
    """The mean of every window of (batch, channels, length)."""

    _function = "avg_pool1d"

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(
            kernel_size=single(kernel_size),
            stride=single(kernel_size if stride is None else stride),
            padding=single(padding),
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
        )


class _AvgPoolDivided(AvgPool):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor_override=divisor_override,
        )


class AvgPool2d(_AvgPoolDivided):
    """The mean of every window of (batch, channels, height, width)."""

    _function = "avg_pool2d"


class AvgPool3d(_AvgPoolDivided):
    """The mean of every window of (batch, channels, depth, height, width)."""

    _function = "avg_pool3d"


class LPPool(Wrapped):
    """The p-norm of every window."""

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__(norm_type=norm_type, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)


class LPPool1d(LPPool):
    """The p-norm of every window of (batch, channels, length)."""

    _function = "lp_pool1d"


class LPPool2d(LPPool):
    """The p-norm of every window of (batch, channels, height, width)."""

    _function = "lp_pool2d"


class LPPool3d(LPPool):
    """The p-norm of every window of (batch, channels, depth, height, width)."""

    _function = "lp_pool3d"


class AdaptiveAvgPool(Wrapped):
    """Means over windows that divide the input into `output_size` parts."""

    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size=output_size)


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """Means over windows that divide the length into parts."""

    _function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """Means over windows that divide height and width into parts."""

    _function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """Means over windows that divide the last three dimensions into parts."""

    _function = "adaptive_avg_pool3d"


class AdaptiveMaxPool(Wrapped):
    """Maxima over windows that divide the input into `output_size` parts."""

    _hidden = ("return_indices",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size=output_size, return_indices=return_indices)


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """Maxima over windows that divide the length into parts."""

    _function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """Maxima over windows that divide height and width into parts."""

    _function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """Maxima over windows that divide the last three dimensions into parts."""

    _function = "adaptive_max_pool3d"
