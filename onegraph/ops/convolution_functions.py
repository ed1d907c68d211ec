"""conv1d to conv3d and conv_transpose1d to conv_transpose3d, with PyTorch's arguments.

The primitives that they are made of are in `convolution.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node
from onegraph.ops.binary import add
from onegraph.ops.convolution import CONV, CONV_INPUT_GRADIENT, Pairs
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import same_size, show
from onegraph.ops.windows import Ints


def spread_sizes(op: str, name: str, value: Any, rank: int) -> Ints:
    """One int for each dimension of space, from an int or a sequence of one or `rank` ints."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for v in values:
        if isinstance(v, bool) or not hasattr(v, "__index__"):
            raise ArgumentTypeError(f"{op}: {name} must be an int or {rank} of them, got {value!r}")
    if len(values) not in (1, rank):
        raise ArgumentError(f"{op}: {name} must be an int or {rank} of them, got {value!r}")
    return tuple(int(v.__index__()) for v in values) * (rank if len(values) == 1 else 1)


def _padding_pairs(op: str, padding: Any, kernel: Sequence[int], stride: Ints, dilation: Ints) -> Pairs:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ArgumentError(f"{op}: padding='same' needs stride 1, got {stride}")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    if isinstance(padding, str):
        raise ArgumentError(f"{op}: padding must be 'same', 'valid' or ints, got {padding!r}")
    sizes = spread_sizes(op, "padding", padding, len(kernel))
    if any(p < 0 for p in sizes):
        raise ArgumentError(f"{op}: padding {sizes} is negative")
    return tuple((p, p) for p in sizes)


def _prepare(op: str, input: Any, weight: Any, bias: Any, rank: int) -> tuple[Node, Node, Node | None, bool]:
    """Nodes of one dtype, the input with a batch dimension; and whether it had none."""
    x, w = as_node(input), as_node(weight)
    b = None if bias is None else as_node(bias)
    if len(x.shape) not in (rank + 1, rank + 2) or len(w.shape) != rank + 2:
        raise ShapeError(
            f"{op}: input {show(x.shape)} and weight {show(w.shape)}: needs an input of {rank + 2} "
            f"dimensions (batch, channels, ...), or {rank + 1} without batch, and a weight of {rank + 2}"
        )
    for other, what in ((w, "weight"), (b, "bias")):
        if other is not None and other.dtype is not x.dtype:
            raise DTypeError(
                f"{op}: input {show(x.shape)} is {x.dtype.name} but {what} {show(other.shape)} is {other.dtype.name}",
                hint=f"convert one of them, e.g. x.to({other.dtype!r})",
            )
    unbatched = len(x.shape) == rank + 1
    return (reshape_to(x, (1, *x.shape)) if unbatched else x), w, b, unbatched


def _finish(op: str, y: Node, b: Node | None, unbatched: bool) -> Node:
    if b is not None:
        if len(b.shape) != 1 or not same_size(b.shape[0], y.shape[1]):
            raise ShapeError(f"{op}: bias {show(b.shape)} must have the {y.shape[1]} output channels")
        y = add(y, reshape_to(b, (1, b.shape[0], *[1] * (len(y.shape) - 2))))
    return reshape_to(y, y.shape[1:]) if unbatched else y


def convolution(
    op: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Node:
    """A convolution in `rank` dimensions of space, checked and with bias."""
    x, w, b, unbatched = _prepare(op, input, weight, bias, rank)
    strides = spread_sizes(op, "stride", stride, rank)
    dilations = spread_sizes(op, "dilation", dilation, rank)
    kernel = tuple(int(k) for k in w.shape[2:])
    pairs = _padding_pairs(op, padding, kernel, strides, dilations)
    return _finish(op, CONV(x, w, stride=strides, padding=pairs, dilation=dilations, groups=groups), b, unbatched)


def transposed_convolution(
    op: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Node:
    """The input gradient of a convolution, as a layer of its own; checked and with bias."""
    x, w, b, unbatched = _prepare(op, input, weight, bias, rank)
    strides = spread_sizes(op, "stride", stride, rank)
    dilations = spread_sizes(op, "dilation", dilation, rank)
    pads = spread_sizes(op, "padding", padding, rank)
    extra = spread_sizes(op, "output_padding", output_padding, rank)
    for e, s, d in zip(extra, strides, dilations, strict=True):
        if not 0 <= e < max(s, d):
            raise ArgumentError(
                f"{op}: output_padding {extra} must be smaller than stride {strides} or dilation {dilations}"
            )
    if not same_size(x.shape[1], w.shape[0]):
        raise ShapeError(
            f"{op}: weight {show(w.shape)} with groups={groups} needs {w.shape[0]} input channels, "
            f"but the input {show(x.shape)} has {x.shape[1]}",
            hint="the weight of a transposed convolution is (in channels, out channels / groups, *kernel)",
        )
    sizes, pairs = [], []
    for size, k, s, d, p, e in zip(x.shape[2:], w.shape[2:], strides, dilations, pads, extra, strict=True):
        sizes.append((size - 1) * s - 2 * p + d * (k - 1) + e + 1)
        pairs.append((p, p) if e < s else (p, p - e))  # beyond a stride, the padding behind says it exactly
        if not isinstance(sizes[-1], Dim) and sizes[-1] < 1:
            raise ShapeError(f"{op}: input {show(x.shape)} with padding {pads} would have no output")
    y = CONV_INPUT_GRADIENT(
        x, w, stride=strides, padding=tuple(pairs), dilation=dilations, groups=groups, input_size=tuple(sizes)
    )
    return _finish(op, y, b, unbatched)


@public(method=False)
@public(namespace="nn.functional")
def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """A convolution of sequences (cross-correlation: the kernel is not flipped).

    The arguments are those of `conv2d`.

    >>> from onegraph.ops.movement import full
    >>> conv1d(full((2, 3, 8), 1.0), full((4, 3, 3), 1.0), padding="same")
    <conv f32[2, 4, 8]>
    """
    return convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
@public(namespace="nn.functional")
def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """A convolution of images (cross-correlation: the kernel is not flipped).

    Args:
        input: (batch, in_channels, height, width), or without the batch dimension.
        weight: (out_channels, in_channels / groups, kernel, kernel), of the input's dtype.
        bias: (out_channels,), or None.
        stride, dilation: an int or one for each dimension of space.
        padding: zeros on both sides; ints, 'valid' (none) or 'same' (output as large as the input; stride 1).
        groups: channels are divided into so many parts that do not see each other.

    Returns:
        (batch, out_channels, ...) with floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    Raises:
        ShapeError: channels do not match, or the kernel is larger than the padded input.

    >>> from onegraph.ops.movement import full
    >>> conv2d(full((2, 3, 8, 8), 1.0), full((4, 3, 3, 3), 1.0), padding="same")
    <conv f32[2, 4, 8, 8]>
    """
    return convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
@public(namespace="nn.functional")
def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """A convolution of volumes (cross-correlation: the kernel is not flipped).

    The arguments are those of `conv2d`.

    >>> from onegraph.ops.movement import full
    >>> conv3d(full((2, 3, 8, 8, 8), 1.0), full((4, 3, 3, 3, 3), 1.0), padding="same")
    <conv f32[2, 4, 8, 8, 8]>
    """
    return convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
@public(namespace="nn.functional")
def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Node:
    """A transposed convolution of sequences: the gradient of `conv1d` with respect to its input.

    The arguments are those of `conv_transpose2d`.

    >>> from onegraph.ops.movement import full
    >>> conv_transpose1d(full((2, 3, 8), 1.0), full((3, 4, 2), 1.0), stride=2)
    <conv_input_gradient f32[2, 4, 16]>
    """
    return transposed_convolution(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@public(method=False)
@public(namespace="nn.functional")
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Node:
    """A transposed convolution of images: the gradient of `conv2d` with respect to its input.

    Args:
        input: (batch, in_channels, height, width), or without the batch dimension.
        weight: (in_channels, out_channels / groups, kernel, kernel), of the input's dtype.
        bias: (out_channels,), or None.
        stride, padding, dilation, groups: of the convolution that is transposed.
        output_padding: added to one side of the output size; smaller than stride or dilation.

    Returns:
        (batch, out_channels, ...), each size
        (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        ShapeError: channels do not match, or nothing would be left of the output.

    >>> from onegraph.ops.movement import full
    >>> conv_transpose2d(full((2, 3, 8, 8), 1.0), full((3, 4, 2, 2), 1.0), stride=2)
    <conv_input_gradient f32[2, 4, 16, 16]>
    """
    return transposed_convolution(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@public(method=False)
@public(namespace="nn.functional")
def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Node:
    """A transposed convolution of volumes: the gradient of `conv3d` with respect to its input.

    The arguments are those of `conv_transpose2d`.

    >>> from onegraph.ops.movement import full
    >>> conv_transpose3d(full((2, 3, 8, 8, 8), 1.0), full((3, 4, 2, 2, 2), 1.0), stride=2)
    <conv_input_gradient f32[2, 4, 16, 16, 16]>
    """
    return transposed_convolution(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
