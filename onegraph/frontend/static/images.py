"""Convolution and pooling with TensorFlow's arguments: NHWC or NCHW, strides as lists, 'SAME' and 'VALID' padding.

'SAME' pads so that the output has ceil(size / stride) elements; where the padding is odd, the extra element comes
behind. The primitives are those of the define-by-run front end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.static.shape import ints_of, sizes_of
from onegraph.frontend.static.tensor import as_operand, operation
from onegraph.ir.dim import Dim, Size
from onegraph.ir.node import Node, Shape
from onegraph.ops import binary, movement
from onegraph.ops.convolution import CONV, CONV_INPUT_GRADIENT
from onegraph.ops.layout import permute_to
from onegraph.ops.pooling import avg_pool2d, lowest, max_pool2d, pad_last
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import same_size, show
from onegraph.ops.windows import windows

Pair = tuple[int, int]


def _format(op: str, data_format: str | None, rank: int) -> bool:
    """Whether channels come last."""
    last, first = ("NHWC", "NCHW") if rank == 4 else ("NWC", "NCW")
    if data_format in (None, last):
        return True
    if data_format == first:
        return False
    raise ArgumentError(f"{op}: data_format must be {last!r} or {first!r}, got {data_format!r}")


def to_channels_first(x: Node, last: bool) -> Node:
    """(batch, ..., channels) as (batch, channels, ...)."""
    rank = len(x.shape)
    return permute_to(x, [0, rank - 1, *range(1, rank - 1)]) if last else x


def to_channels_last(x: Node, last: bool) -> Node:
    """The inverse of `to_channels_first`."""
    rank = len(x.shape)
    return permute_to(x, [0, *range(2, rank), 1]) if last else x


def space(op: str, what: str, value: Any, last: bool) -> Pair:
    """The two numbers for height and width from an int, two ints, or four in the order of the format."""
    numbers = ints_of(op, value) if value is not None else (1,)
    if len(numbers) == 1:
        return numbers[0], numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    if len(numbers) != 4:
        raise ArgumentError(f"{op}: {what} must be an int or 2 or 4 of them, got {value!r}")
    height, width = numbers[1:3] if last else numbers[2:]
    if numbers[0] != 1 or numbers[3 if last else 1] != 1:
        raise ArgumentError(f"{op}: {what} {value!r} must be 1 for batch and channels")
    return height, width


def padding_pairs(
    op: str,
    padding: Any,
    sizes: Sequence[Size],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    last: bool = True,
) -> tuple[Pair, ...]:
    """How much is padded before and after each dimension of space.

    >>> padding_pairs("conv2d", "SAME", (5, 8), (3, 3), (2, 2), (1, 1))
    ((1, 1), (0, 1))
    """
    if isinstance(padding, (list, tuple)):
        pairs = [tuple(p) for p in padding]
        if len(pairs) == 4:
            pairs = pairs[1:3] if last else pairs[2:]
        return tuple([(int(a), int(b)) for a, b in pairs])
    if str(padding).upper() == "VALID":
        return ((0, 0),) * len(kernel)
    if str(padding).upper() != "SAME":
        raise ArgumentError(f"{op}: padding must be 'SAME', 'VALID' or pairs of ints, got {padding!r}")
    return tuple([_same(op, n, k, s, d) for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)])


def _same(op: str, size: Size, kernel: int, stride: int, dilation: int) -> Pair:
    span = (kernel - 1) * dilation + 1
    if stride == 1:
        total = span - 1
    elif isinstance(size, Dim):
        raise ShapeError(
            f"{op}: padding 'SAME' with stride {stride} depends on the size {size}, which is not known yet",
            hint="give the placeholder its height and width, or pad with tf.pad and use 'VALID'",
        )
    else:
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def _four(op: str, x: Node, what: str = "input") -> Node:
    if len(x.shape) != 4:
        raise ShapeError(f"{op}: {what} must have 4 dimensions, got {show(x.shape)}")
    return x


def _same_dtype(op: str, x: Node, w: Node) -> None:
    if x.dtype is not w.dtype:
        raise DTypeError(f"{op}: the input is {x.dtype.name}, the filter {w.dtype.name}", hint="tf.cast one of them")


@operation("Conv2D")
def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    filters: Any = None,
) -> Node:
    """A convolution of images (the kernel is not flipped).

    Args:
        input: (batch, height, width, channels), or (batch, channels, height, width) with data_format="NCHW".
        filter: (height, width, in_channels, out_channels).
        strides, dilations: an int, two, or four in the order of the format.
        padding: 'SAME' (output size ceil(size / stride)), 'VALID', or pairs of ints.

    Raises:
        ShapeError: channels do not match, or the kernel is larger than the padded input.
    """
    x, w = as_operand(input), _four("conv2d", as_operand(filters if filter is None else filter), "filter")
    last = _format("conv2d", data_format, 4)
    return _convolved("conv2d", _four("conv2d", x), w, strides, padding, dilations, last, 1)


def _convolved(op: str, x: Node, w: Node, strides: Any, padding: Any, dilations: Any, last: bool, groups: int) -> Node:
    """A convolution with a filter of (height, width, in channels / groups, out channels)."""
    _same_dtype(op, x, w)
    first = to_channels_first(x, last)
    if not same_size(first.shape[1], w.shape[2] * groups):
        raise ShapeError(
            f"{op}: the input {show(x.shape)} has {first.shape[1]} channels, the filter {show(w.shape)} needs {w.shape[2] * groups}",
            hint="a filter is (height, width, in channels, out channels)",
        )
    stride, dilation = space(op, "strides", strides, last), space(op, "dilations", dilations, last)
    kernel = int(w.shape[0]), int(w.shape[1])
    pairs = padding_pairs(op, padding, first.shape[2:], kernel, stride, dilation, last)
    y = CONV(first, permute_to(w, [3, 2, 0, 1]), stride=stride, padding=pairs, dilation=dilation, groups=groups)
    return to_channels_last(y, last)


@operation("depthwise_conv2d")
def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Node:
    """A convolution of every channel with filters of its own.

    Args:
        filter: (height, width, channels, multiplier); the output has channels * multiplier channels.
        rate, dilations: dilation for height and width.
    """
    x, w = _four("depthwise_conv2d", as_operand(input)), _four("depthwise_conv2d", as_operand(filter), "filter")
    height, width, channels, multiplier = w.shape
    grouped = movement.reshape_to(w, (height, width, 1, channels * multiplier))
    last = _format("depthwise_conv2d", data_format, 4)
    return _convolved(
        "depthwise_conv2d", x, grouped, strides, padding, dilations if rate is None else rate, last, int(channels)
    )


@operation("separable_conv2d")
def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    data_format: str | None = None,
) -> Node:
    """A depthwise convolution, then one with a kernel of 1."""
    y = depthwise_conv2d.nodes(input, depthwise_filter, strides, padding, rate, data_format)
    last = _format("separable_conv2d", data_format, 4)
    return _convolved("separable_conv2d", y, as_operand(pointwise_filter), 1, "VALID", 1, last, 1)


@operation("conv2d_transpose")
def conv2d_transpose(
    value: Any, filter: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str = "NHWC"
) -> Node:
    """The gradient of `conv2d` with respect to its input, as a layer of its own.

    Args:
        value: (batch, height, width, in_channels), or NCHW.
        filter: (height, width, out_channels, in_channels).
        output_shape: of the result, in the order of the format.
        strides, padding: of the convolution that is transposed.
    """
    x, w = _four("conv2d_transpose", as_operand(value)), _four("conv2d_transpose", as_operand(filter), "filter")
    _same_dtype("conv2d_transpose", x, w)
    last = _format("conv2d_transpose", data_format, 4)
    first = to_channels_first(x, last)
    sizes = sizes_of("conv2d_transpose", output_shape)
    if len(sizes) != 4:
        raise ShapeError(f"conv2d_transpose: output_shape must have 4 sizes, got {show(sizes)}")
    wanted = sizes[1:3] if last else sizes[2:]
    stride = space("conv2d_transpose", "strides", strides, last)
    kernel = int(w.shape[0]), int(w.shape[1])
    pairs = padding_pairs("conv2d_transpose", padding, wanted, kernel, stride, (1, 1), last)
    y = CONV_INPUT_GRADIENT(
        first,
        permute_to(w, [3, 2, 0, 1]),
        stride=stride,
        padding=pairs,
        dilation=(1, 1),
        groups=1,
        input_size=tuple(wanted),
    )
    result = to_channels_last(y, last)
    if len(result.shape) != 4 or not all(same_size(a, b) for a, b in zip(result.shape, sizes, strict=True)):
        raise ShapeError(f"conv2d_transpose: the output has shape {show(result.shape)}, not {show(sizes)}")
    return result


def _pool_arguments(op: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None) -> Any:
    x = _four(op, as_operand(value))
    last = _format(op, data_format, 4)
    first = to_channels_first(x, last)
    kernel, stride = space(op, "ksize", ksize, last), space(op, "strides", strides, last)
    return first, last, kernel, stride, padding_pairs(op, padding, first.shape[2:], kernel, stride, (1, 1), last)


def _symmetric(pairs: Sequence[Pair], kernel: Pair) -> bool:
    return all(a == b and a <= k // 2 for (a, b), k in zip(pairs, kernel, strict=True))


@operation("MaxPool")
def max_pool(value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC") -> Node:
    """The largest element of each window of an image.

    Args:
        value: (batch, height, width, channels), or NCHW.
        ksize, strides: an int, two, or four in the order of the format.
        padding: 'SAME' or 'VALID'.
    """
    x, last, kernel, stride, pairs = _pool_arguments("max_pool", value, ksize, strides, padding, data_format)
    if _symmetric(pairs, kernel):
        y = max_pool2d(x, kernel, stride, tuple(p for p, _ in pairs))
    else:
        y = max_pool2d(pad_last(x, pairs, lowest(x.dtype)), kernel, stride)
    assert isinstance(y, Node)
    return to_channels_last(y, last)


@operation("AvgPool")
def avg_pool(value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC") -> Node:
    """The mean of each window of an image, padding not counted; arguments as in `max_pool`."""
    x, last, kernel, stride, pairs = _pool_arguments("avg_pool", value, ksize, strides, padding, data_format)
    if _symmetric(pairs, kernel):
        return to_channels_last(
            avg_pool2d(x, kernel, stride, tuple(p for p, _ in pairs), count_include_pad=False), last
        )

    def total(image: Node) -> Node:
        w = windows(pad_last(image, pairs, 0), kernel, stride, (1, 1))
        return SUM(w, dims=(len(w.shape) - 2, len(w.shape) - 1), keepdim=False)

    counts: Shape = (1, 1, *x.shape[2:])
    return to_channels_last(binary.div(total(x), total(movement.full(counts, 1, x.dtype))), last)
