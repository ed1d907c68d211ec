"""Normalization: batch, layer, group, instance, root mean square, and local response.

All are composed: mean and variance by sums, then an elementwise tail, which the compiler fuses. Statistics are
taken in float32 or wider. Nothing here changes state: `batch_norm_with_statistics` returns the new running
statistics, and the layers in `nn` store them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, bfloat16
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, DIV, MUL, SUB, add, mul, pow, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import RSQRT, detach
from onegraph.ops.leaf import constant
from onegraph.ops.movement import PAD, as_shape, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import check_kind, numel, same_shape, same_size, show
from onegraph.ops.statistics import widened
from onegraph.ops.windows import WINDOWS

Statistics = tuple[Node, Node | None, Node | None]


def _mean(x: Node, dims: Sequence[int]) -> Node:
    """The mean over dimensions, kept with size 1."""
    count = numel([x.shape[d] for d in dims])
    return DIV(SUM(x, dims=tuple(dims), keepdim=True), constant(count, x.dtype))


def moments(x: Node, dims: Sequence[int]) -> tuple[Node, Node, Node]:
    """Mean, variance (divided by the count), and x minus its mean, with the dimensions kept with size 1."""
    mean = _mean(x, dims)
    centered = SUB(x, mean)
    return mean, _mean(MUL(centered, centered), dims), centered


def _standardized(centered: Node, variance: Node, eps: float) -> Node:
    return MUL(centered, RSQRT(add(variance, eps)))


def _affine(y: Node, weight: Node | None, bias: Node | None, shape: Shape) -> Node:
    """y * weight + bias, both brought to a shape that broadcasts with y."""
    if weight is not None:
        y = MUL(y, reshape_to(cast(weight, y.dtype), shape))
    if bias is not None:
        y = ADD(y, reshape_to(cast(bias, y.dtype), shape))
    return y


def _optional(value: Any) -> Node | None:
    return None if value is None else as_node(value)


def _floating(op: str, input: Any) -> tuple[Node, Node]:
    x = as_node(input)
    check_kind(op, x, "float")
    return x, widened(x)


def _check_per_channel(op: str, x: Node, **values: Node | None) -> None:
    if len(x.shape) < 2:
        raise ShapeError(f"{op}: input {show(x.shape)} must be (batch, channels, ...)")
    for name, value in values.items():
        if value is not None and (len(value.shape) != 1 or not same_size(value.shape[0], x.shape[1])):
            raise ShapeError(
                f"{op}: {name} {show(value.shape)} must have one element for each of the {x.shape[1]} channels "
                f"of the input {show(x.shape)}"
            )


def _per_channel(x: Node) -> Shape:
    return (1, x.shape[1], *[1] * (len(x.shape) - 2))


def _updated(running: Node | None, now: Node, momentum: Any) -> Node | None:
    """(1 - momentum) * running + momentum * now, outside of differentiation."""
    if running is None:
        return None
    kept = sub(1.0, momentum) if isinstance(momentum, Node) else 1.0 - momentum
    mixed = add(mul(running, kept), mul(cast(detach(now), running.dtype), momentum))
    return cast(mixed, running.dtype)


def _unbiased(variance: Node, count: Size) -> Node:
    """The variance divided by count - 1 instead of count."""
    n = constant(count, variance.dtype)
    return MUL(variance, DIV(n, constant(count - 1, variance.dtype)))


def batch_norm_with_statistics(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Statistics:
    """Every channel shifted and scaled to mean 0 and variance 1, then times weight plus bias.

    Args:
        input: (batch, channels, ...), floating.
        running_mean, running_var: (channels,) or None.
        weight, bias: (channels,) or None.
        training: take mean and variance from the input; otherwise from the running ones.
        momentum: how much the running statistics move toward those of the input; a number or a node.
        eps: added to the variance.

    Returns:
        The output, and the running mean and variance to store (unchanged unless training; None if none).
        The running variance is unbiased (divided by count - 1), that of the output is not.

    Raises:
        ShapeError: sizes do not fit, or training with one value for each channel.
        ArgumentError: not training, and no running statistics.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.
    """
    op = "batch_norm"
    x, wide = _floating(op, input)
    if x.shape == (0,):  # nothing to normalize, as PyTorch takes it
        return x, _optional(running_mean), _optional(running_var)
    mean_now, var_now, w, b = (_optional(v) for v in (running_mean, running_var, weight, bias))
    _check_per_channel(op, x, running_mean=mean_now, running_var=var_now, weight=w, bias=b)
    shape = _per_channel(x)
    if not training:
        if mean_now is None or var_now is None:
            raise ArgumentError(
                f"{op}: needs running statistics when not training", hint="pass training=True to use the input's own"
            )
        centered = SUB(wide, reshape_to(cast(mean_now, wide.dtype), shape))
        y = _standardized(centered, reshape_to(cast(var_now, wide.dtype), shape), eps)
        return cast(_affine(y, w, b, shape), x.dtype), mean_now, var_now
    dims = (0, *range(2, len(x.shape)))
    count = numel([x.shape[d] for d in dims])
    if count == 1:
        raise ShapeError(
            f"{op}: input {show(x.shape)} has one value for each channel, of which there is no variance",
            hint="use a larger batch, or call model.eval()",
        )
    mean, variance, centered = moments(wide, dims)
    y = _affine(_standardized(centered, variance, eps), w, b, shape)
    channels = (x.shape[1],)
    new_mean = _updated(mean_now, reshape_to(mean, channels), momentum)
    new_var = _updated(var_now, reshape_to(_unbiased(variance, count), channels), momentum)
    return cast(y, x.dtype), new_mean, new_var


def instance_norm_with_statistics(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Statistics:
    """Every channel of every sample shifted and scaled to mean 0 and variance 1, then times weight plus bias.

    Args:
        input: (batch, channels, ...), floating.
        running_mean, running_var, weight, bias: (channels,) or None.
        use_input_stats: take mean and variance from the input; otherwise from the running ones.
        momentum, eps: as for `batch_norm_with_statistics`.

    Returns:
        The output, and the running mean and variance to store: those of the samples, averaged over the batch.

    Source: Ulyanov et al., "Instance Normalization", 2016.
    """
    op = "instance_norm"
    x, wide = _floating(op, input)
    mean_now, var_now, w, b = (_optional(v) for v in (running_mean, running_var, weight, bias))
    _check_per_channel(op, x, running_mean=mean_now, running_var=var_now, weight=w, bias=b)
    if not use_input_stats:
        return batch_norm_with_statistics(x, mean_now, var_now, w, b, False, momentum, eps)
    dims = tuple(range(2, len(x.shape)))
    count = numel(x.shape[2:])
    if count == 1:
        raise ShapeError(f"{op}: input {show(x.shape)} has one value for each channel, of which there is no variance")
    mean, variance, centered = moments(wide, dims)
    y = _affine(_standardized(centered, variance, eps), w, b, _per_channel(x))
    channels = (x.shape[1],)
    new_mean = _updated(mean_now, reshape_to(_mean(mean, (0,)), channels), momentum)
    new_var = _updated(var_now, reshape_to(_mean(_unbiased(variance, count), (0,)), channels), momentum)
    return cast(y, x.dtype), new_mean, new_var


def _normalized_dims(
    op: str, x: Node, normalized_shape: Any, weight: Node | None, bias: Node | None
) -> tuple[Shape, tuple[int, ...]]:
    shape = as_shape(op, normalized_shape)
    if not shape or not same_shape(x.shape[len(x.shape) - len(shape) :], shape) or len(shape) > len(x.shape):
        raise ShapeError(f"{op}: the last sizes of input {show(x.shape)} must be normalized_shape {show(shape)}")
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and not same_shape(value.shape, shape):
            raise ShapeError(f"{op}: {name} {show(value.shape)} must have the normalized_shape {show(shape)}")
    return shape, tuple(range(len(x.shape) - len(shape), len(x.shape)))


@public(method=False)
@public(namespace="nn.functional")
def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Node:
    """The last dimensions shifted and scaled to mean 0 and variance 1, then times weight plus bias.

    Args:
        input: floating; its last sizes are `normalized_shape`.
        normalized_shape: an int or several.
        weight, bias: of that shape, or None.
        eps: added to the variance.

    Raises:
        ShapeError: sizes do not fit.

    Source: Ba et al., "Layer Normalization", 2016.

    >>> from onegraph.ops.movement import full
    >>> layer_norm(full((2, 5, 8), 1.0), 8).shape
    (2, 5, 8)
    """
    x, wide = _floating("layer_norm", input)
    w, b = _optional(weight), _optional(bias)
    shape, dims = _normalized_dims("layer_norm", x, normalized_shape, w, b)
    _, variance, centered = moments(wide, dims)
    return cast(_affine(_standardized(centered, variance, eps), w, b, shape), x.dtype)


def epsilon_of(dtype: DType) -> float:
    """The distance from 1 to the next larger number."""
    return 2.0**-7 if dtype is bfloat16 else float(np.finfo(dtype.numpy).eps)


@public(method=False)
@public(namespace="nn.functional")
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Node:
    """The last dimensions divided by the root of their mean square, then times weight.

    Args:
        input: floating; its last sizes are `normalized_shape`.
        normalized_shape: an int or several.
        weight: of that shape, or None.
        eps: added to the mean square; None for the dtype's own epsilon.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
    """
    x, wide = _floating("rms_norm", input)
    w = _optional(weight)
    shape, dims = _normalized_dims("rms_norm", x, normalized_shape, w, None)
    square = _mean(MUL(wide, wide), dims)
    y = _standardized(wide, square, epsilon_of(x.dtype) if eps is None else eps)
    return cast(_affine(y, w, None, shape), x.dtype)


@public(method=False)
@public(namespace="nn.functional")
def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Node:
    """Groups of channels of every sample shifted and scaled to mean 0 and variance 1, then times weight plus bias.

    Args:
        input: (batch, channels, ...), floating.
        num_groups: divides the channels.
        weight, bias: (channels,) or None.
        eps: added to the variance.

    Raises:
        ShapeError: sizes do not fit.

    Source: Wu and He, "Group Normalization", 2018.
    """
    op = "group_norm"
    x, wide = _floating(op, input)
    w, b = _optional(weight), _optional(bias)
    _check_per_channel(op, x, weight=w, bias=b)
    if num_groups < 1 or (not isinstance(x.shape[1], Dim) and x.shape[1] % num_groups):
        raise ShapeError(f"{op}: {x.shape[1]} channels of {show(x.shape)} cannot be divided into {num_groups} groups")
    grouped = reshape_to(wide, (x.shape[0], num_groups, x.shape[1] // num_groups, *x.shape[2:]))
    _, variance, centered = moments(grouped, tuple(range(2, len(grouped.shape))))
    y = reshape_to(_standardized(centered, variance, eps), x.shape)
    return cast(_affine(y, w, b, _per_channel(x)), x.dtype)


@public(namespace="nn.functional")
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Node:
    """x / (k + alpha * the mean of x ** 2 over `size` neighboring channels) ** beta.

    Args:
        input: (batch, channels, ...) of at least three dimensions, floating.
        size: number of channels; beyond the first and last there are zeros.

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012.
    """
    x, wide = _floating("local_response_norm", input)
    if len(x.shape) < 3:
        raise ShapeError(f"local_response_norm: input {show(x.shape)} must have at least three dimensions")
    if size < 1:
        raise ArgumentError(f"local_response_norm: size must be at least 1, got {size}")
    if x.size == 0:
        return x
    around = [(0, 0, 0)] * len(x.shape)
    around[1] = (size // 2, (size - 1) // 2, 0)
    squares = PAD(MUL(wide, wide), constant(0, wide.dtype), padding=tuple(around))
    w = WINDOWS(squares, dims=(1,), sizes=(size,), strides=(1,), dilations=(1,))
    mean = mul(SUM(w, dims=(len(x.shape),), keepdim=False), alpha / size)
    return cast(DIV(wide, pow(add(mean, k), beta)), x.dtype)
