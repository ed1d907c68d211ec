"""Convolution and pooling of `keras.ops`, for one to three spatial dimensions. Read next: `image.py`.

The work is done by `onegraph.nn.functional`, which keeps channels in front; what is given with channels last is turned.
"""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import convert, floating, image_format, operation
from onegraph.nn import functional as F


def per_dim(value: Any, rank: int) -> tuple[int, ...]:
    """A number for each spatial dimension."""
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)


def _first(x: Any, last: bool) -> Any:
    return x.movedim(-1, 1) if last else x


def _back(x: Any, last: bool) -> Any:
    return x.movedim(1, -1) if last else x


def _rank(x: Any) -> int:
    if not 3 <= x.ndim <= 5:
        raise ShapeError(
            f"an input of 3 to 5 dimensions is needed (batch, 1 to 3 spatial ones, channels), got {x.ndim}"
        )
    return int(x.ndim) - 2


def same_padding(sizes: Any, kernel: Any, strides: Any, dilation: Any) -> list[tuple[int, int]]:
    """How much to add before and behind each dimension, so that size / stride (rounded up) outputs come out."""
    widths = []
    for n, k, s, d in zip(sizes, kernel, strides, dilation, strict=True):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        widths.append((total // 2, total - total // 2))
    return widths


def _padded(x: Any, padding: str, kernel: Any, strides: Any, dilation: Any, value: float = 0.0) -> Any:
    if padding not in ("valid", "same"):
        raise ArgumentError(f"padding must be 'valid' or 'same', got {padding!r}")
    if padding == "valid":
        return x
    widths = same_padding(x.shape[2:], kernel, strides, dilation)
    flat = [n for pair in reversed(widths) for n in pair]
    return EXPORTS["constant_pad_nd"](x, flat, value) if any(flat) else x


@operation
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution (cross-correlation) with a kernel (*sizes, channels / groups, filters).

    >>> import onegraph as og
    >>> conv(og.ones(1, 4, 4, 2), og.ones(3, 3, 2, 5)).shape
    onegraph.Size([1, 2, 2, 5])
    """
    last, x, w = image_format(data_format), floating(inputs), floating(kernel)
    rank = _rank(x)
    x, sizes = _first(x, last), w.shape[:-2]
    strides, dilation = per_dim(strides, rank), per_dim(dilation_rate, rank)
    if x.shape[1] % w.shape[-2]:
        raise ShapeError(f"conv: {x.shape[1]} channels cannot be divided among kernels of {w.shape[-2]} channels")
    x = _padded(x, padding, sizes, strides, dilation)
    weight = w.permute(rank + 1, rank, *range(rank))
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    groups = x.shape[1] // w.shape[-2]
    return _back(function(x, weight, None, strides, 0, dilation, groups), last)


@operation
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution of each channel for itself, with a kernel (*sizes, channels, filters a channel)."""
    w = floating(kernel)
    *sizes, channels, times = w.shape
    return conv(inputs, w.reshape(*sizes, 1, channels * times), strides, padding, data_format, dilation_rate)


@operation
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A depthwise convolution, and a convolution of size 1 that mixes the channels."""
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@operation
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """The transpose (gradient) of a convolution, with a kernel (*sizes, filters, channels)."""
    last, x, w = image_format(data_format), floating(inputs), floating(kernel)
    rank = _rank(x)
    x = _first(x, last)
    strides, dilation = per_dim(strides, rank), per_dim(dilation_rate, rank)
    extra = [None] * rank if output_padding is None else list(per_dim(output_padding, rank))
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    full = function(x, w.permute(rank + 1, rank, *range(rank)), None, strides, 0, 0, 1, dilation)
    for i in range(rank):
        wide = (w.shape[i] - 1) * dilation[i] + 1
        size = _transposed_size(x.shape[2 + i], wide, strides[i], padding, extra[i])
        cut = max(wide - strides[i], 0) // 2 if padding == "same" and extra[i] is None else 0
        if padding == "same" and extra[i] is not None:
            cut = wide // 2
        missing = cut + size - full.shape[2 + i]
        if missing > 0:
            widths = [0, 0] * (rank - 1 - i) + [0, missing]
            full = EXPORTS["constant_pad_nd"](full, widths, 0.0)
        full = full.narrow(2 + i, cut, size)
    return _back(full, last)


def _transposed_size(size: int, wide: int, stride: int, padding: str, extra: int | None) -> int:
    if extra is not None:
        cut = wide // 2 if padding == "same" else 0
        return (size - 1) * stride + wide - 2 * cut + extra
    return size * stride + (max(wide - stride, 0) if padding == "valid" else 0)


def _pool_setup(inputs: Any, pool_size: Any, strides: Any, data_format: str | None) -> Any:
    last, x = image_format(data_format), floating(inputs)
    rank = _rank(x)
    size = per_dim(pool_size, rank)
    return last, _first(x, last), rank, size, size if strides is None else per_dim(strides, rank)


@operation
def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Any:
    """The largest element of each window."""
    last, x, rank, size, strides = _pool_setup(inputs, pool_size, strides, data_format)
    lowest = EXPORTS["finfo"](x.dtype).min
    x = _padded(x, padding, size, strides, (1,) * rank, lowest)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
    return _back(function(x, size, strides), last)


@operation
def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Any:
    """The mean of each window, what lies outside of the input left out."""
    last, x, rank, size, strides = _pool_setup(inputs, pool_size, strides, data_format)
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
    padded = _padded(x, padding, size, strides, (1,) * rank)
    found = function(padded, size, strides)
    if padded is not x:
        inside = _padded(EXPORTS["ones"](1, 1, *x.shape[2:]).to(x.dtype), padding, size, strides, (1,) * rank)
        found = found / function(inside, size, strides)
    return _back(found, last)


def _adaptive(inputs: Any, output_size: Any, data_format: str | None, functions: Any) -> Any:
    last, x = image_format(data_format), floating(inputs)
    rank = _rank(x)
    return _back(functions[rank - 1](_first(x, last), per_dim(output_size, rank)), last)


@operation
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Means of so many windows along each dimension."""
    return _adaptive(
        inputs, output_size, data_format, (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
    )


@operation
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The largest elements of so many windows along each dimension."""
    return _adaptive(
        inputs, output_size, data_format, (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    )


@operation
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of an image as channels."""
    x, last = convert(x), image_format(data_format)
    x = x if last else x.permute(0, 2, 3, 1)
    n, h, w, c = x.shape
    b = block_size
    x = x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)
    return x if last else x.permute(0, 3, 1, 2)


@operation
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels as blocks of an image."""
    x, last = convert(x), image_format(data_format)
    x = x if last else x.permute(0, 2, 3, 1)
    n, h, w, c = x.shape
    b = block_size
    x = x.reshape(n, h, w, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // (b * b))
    return x if last else x.permute(0, 3, 1, 2)


@operation
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of (batch, channels, height, width) as columns, as PyTorch's `unfold`."""
    return F.unfold(floating(x), kernel_size, dilation, padding, stride)


@operation
def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns added up into an image, as PyTorch's `fold`."""
    return F.fold(floating(x), output_size, kernel_size, dilation, padding, stride)
