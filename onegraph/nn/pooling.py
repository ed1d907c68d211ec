"""Pooling layers. The formulas are in `onegraph/ops/pooling.py` and `adaptive_pooling.py`."""

from __future__ import annotations

from typing import Any

from onegraph.nn.wrapped import Wrapped


class _MaxPool(Wrapped):
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


class MaxPool1d(_MaxPool):
    """The maximum of every window of (batch, channels, length)."""

    _function = "max_pool1d"


class MaxPool2d(_MaxPool):
    """The maximum of every window of (batch, channels, height, width).

    >>> import onegraph as og
    >>> og.nn.MaxPool2d(2)(og.ones(1, 3, 8, 8)).shape
    onegraph.Size([1, 3, 4, 4])
    """

    _function = "max_pool2d"


class MaxPool3d(_MaxPool):
    """The maximum of every window of (batch, channels, depth, height, width)."""

    _function = "max_pool3d"


def _single(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


class AvgPool1d(Wrapped):
    """The mean of every window of (batch, channels, length)."""

    _function = "avg_pool1d"
    _hidden = ("ceil_mode", "count_include_pad", "divisor_override")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(
            kernel_size=_single(kernel_size),
            stride=_single(kernel_size if stride is None else stride),
            padding=_single(padding),
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
        )


class AvgPool2d(Wrapped):
    """The mean of every window of (batch, channels, height, width)."""

    _function = "avg_pool2d"
    _hidden = ("ceil_mode", "count_include_pad", "divisor_override")

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


class AvgPool3d(AvgPool2d):
    """The mean of every window of (batch, channels, depth, height, width)."""

    _function = "avg_pool3d"


class _LPPool(Wrapped):
    """The p-norm of every window."""

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__(norm_type=norm_type, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)


class LPPool1d(_LPPool):
    """The p-norm of every window of (batch, channels, length)."""

    _function = "lp_pool1d"


class LPPool2d(_LPPool):
    """The p-norm of every window of (batch, channels, height, width)."""

    _function = "lp_pool2d"


class LPPool3d(_LPPool):
    """The p-norm of every window of (batch, channels, depth, height, width)."""

    _function = "lp_pool3d"


class _AdaptiveAvgPool(Wrapped):
    """Means over windows that divide the input into `output_size` parts."""

    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size=output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over windows that divide the length into parts."""

    _function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means over windows that divide height and width into parts."""

    _function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means over windows that divide the last three dimensions into parts."""

    _function = "adaptive_avg_pool3d"


class _AdaptiveMaxPool(Wrapped):
    """Maxima over windows that divide the input into `output_size` parts."""

    _hidden = ("return_indices",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size=output_size, return_indices=return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maxima over windows that divide the length into parts."""

    _function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maxima over windows that divide height and width into parts."""

    _function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Maxima over windows that divide the last three dimensions into parts."""

    _function = "adaptive_max_pool3d"
