"""Pooling over windows: maximum, average and power mean, in 1 to 3 dimensions; `unfold` and `fold`.

All of it is composed: `windows` lays the windows out, an ordinary reduction does the rest, and the gradient
comes back through the overlap-add of `windows.py`. Pools of a given output size: `adaptive_pooling.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, EQ, FLOOR_DIV, MOD, MUL, SUB, div, mul, pow
from onegraph.ops.convolution_functions import spread_sizes
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PAD, PERMUTE, SLICE, full, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import ARGMAX, SUM
from onegraph.ops.shapes import check_kind, numel, same_size, show
from onegraph.ops.windows import Ints, fold_windows, windows

Pooled: TypeAlias = Node | tuple[Node, Node]


def space_of(op: str, x: Node, rank: int) -> Shape:
    """The last `rank` sizes of (batch, channels, *space) or (channels, *space)."""
    if len(x.shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{op}: input {show(x.shape)} must have {rank + 2} dimensions (batch, channels, ...), "
            f"or {rank + 1} without batch"
        )
    return x.shape[-rank:]


def pad_last(x: Node, padding: Sequence[tuple[Size, Size]], value: Any) -> Node:
    """The last dimensions padded with a value."""
    if not any(low != 0 or high != 0 for low, high in padding):
        return x
    lead = len(x.shape) - len(padding)
    pairs = [(0, 0, 0)] * lead + [(low, high, 0) for low, high in padding]
    return PAD(x, constant(value, x.dtype), padding=tuple(pairs))


def lowest(dtype: DType) -> float:
    """What no value of a dtype is below."""
    return -math.inf if dtype.is_floating_point else 0 if dtype.kind == "bool" else int(np.iinfo(dtype.numpy).min)


def _arguments(op: str, rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Ints, ...]:
    sizes = spread_sizes(op, "kernel_size", kernel, rank)
    strides = sizes if stride is None or stride == () or stride == [] else spread_sizes(op, "stride", stride, rank)
    pads = spread_sizes(op, "padding", padding, rank)
    dilations = spread_sizes(op, "dilation", dilation, rank)
    for k, s, p, d in zip(sizes, strides, pads, dilations, strict=True):
        if k < 1 or s < 1 or d < 1:
            raise ArgumentError(f"{op}: kernel {sizes}, stride {strides}, dilation {dilations} must be at least 1")
        if not 0 <= p <= (d * (k - 1) + 1) // 2:
            raise ArgumentError(
                f"{op}: padding {pads} must be at least 0 and at most half of the kernel size {sizes}",
                hint="pad the input first for more, e.g. with nn.functional.pad",
            )
    return sizes, strides, pads, dilations


def _padding_behind(size: Size, k: int, s: int, p: int, d: int, ceil_mode: bool) -> Size:
    """Padding after the last element; with ceil_mode what the last window needs, if it starts inside."""
    if not ceil_mode:
        return p
    span = d * (k - 1) + 1
    count = -((span - size - 2 * p) // s) + 1  # rounded up
    if (count - 1) * s >= size + p:
        count = count - 1
    needed = (count - 1) * s + span - size - p
    return needed if needed > p else p


def _pad_for_windows(
    op: str, x: Node, sizes: Ints, strides: Ints, pads: Ints, dilations: Ints, ceil_mode: bool
) -> list[tuple[Size, Size]]:
    found: list[tuple[Size, Size]] = []
    for size, k, s, p, d in zip(space_of(op, x, len(sizes)), sizes, strides, pads, dilations, strict=True):
        behind = _padding_behind(size, k, s, p, d, ceil_mode)
        padded = size + p + behind
        if not isinstance(padded, Dim) and padded < d * (k - 1) + 1:
            raise ShapeError(
                f"{op}: input {show(x.shape)} with padding {pads} is smaller than the window, "
                f"kernel size {sizes} with dilation {dilations}"
            )
        found.append((p, behind))
    return found


def maximum_of_windows(w: Node, window_dims: int) -> tuple[Node, Node]:
    """The maximum over the last dimensions, and where it is; the gradient goes to the first maximum."""
    lead = w.shape[: len(w.shape) - window_dims]
    flat = reshape_to(w, (*lead, numel(w.shape[len(lead) :])))
    found = ARGMAX(flat, dim=len(lead), keepdim=True)
    chosen = EQ(iota(flat.shape[-1]), found)
    values = SUM(WHERE(chosen, flat, constant(0, w.dtype)), dims=(len(lead),), keepdim=False)
    return values, reshape_to(found, lead)


def flat_positions(found: Node, space: Shape, sizes: Ints, starts: Sequence[Node], dilations: Ints) -> Node:
    """Indices into the flattened space from places in windows and each dimension's starts of windows."""
    rank, rest = len(sizes), found
    result = constant(0, int64)
    for i in reversed(range(rank)):
        tap = MOD(rest, constant(sizes[i], int64)) if i else rest
        rest = FLOOR_DIV(rest, constant(sizes[i], int64)) if i else rest
        start = reshape_to(starts[i], (starts[i].shape[0], *[1] * (rank - 1 - i)))
        place = ADD(start, MUL(tap, constant(dilations[i], int64)))
        result = ADD(result, MUL(place, constant(numel(space[i + 1 :]), int64)))
    return result


def _max_pool(
    op: str,
    rank: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Pooled:
    x = as_node(input)
    check_kind(op, x, "uint", "int", "float")
    sizes, strides, pads, dilations = _arguments(op, rank, kernel_size, stride, padding, dilation)
    around = _pad_for_windows(op, x, sizes, strides, pads, dilations, ceil_mode)
    w = windows(pad_last(x, around, lowest(x.dtype)), sizes, strides, dilations)
    values, found = maximum_of_windows(w, rank)
    if not return_indices:
        return values
    starts = [
        SUB(MUL(iota(count), constant(s, int64)), constant(p, int64))
        for count, s, p in zip(values.shape[-rank:], strides, pads, strict=True)
    ]
    return values, flat_positions(found, x.shape[-rank:], sizes, starts, dilations)


def _avg_pool(
    op: str,
    rank: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Node:
    x = as_node(input)
    check_kind(op, x, "uint", "int", "float")
    if divisor_override == 0:
        raise ArgumentError(f"{op}: divisor_override must not be 0")
    ones = (1,) * rank
    sizes, strides, pads, _ = _arguments(op, rank, kernel_size, stride, padding, 1)
    around = _pad_for_windows(op, x, sizes, strides, pads, ones, ceil_mode)
    w = windows(pad_last(x, around, 0), sizes, strides, ones)
    dims = tuple(range(len(w.shape) - rank, len(w.shape)))
    total = SUM(w, dims=dims, keepdim=False)
    integer = not x.dtype.is_floating_point
    if divisor_override is not None:
        return div(total, divisor_override, rounding_mode="trunc" if integer else None)
    plain = all(p == 0 or count_include_pad for p in pads) and all(
        high == p for p, (_, high) in zip(pads, around, strict=True)
    )
    if plain:
        return div(total, math.prod(sizes), rounding_mode="trunc" if integer else None)
    for i in range(rank):
        count = _elements_in_windows(x, i - rank, around[i], pads[i], sizes[i], strides[i], count_include_pad)
        divisor = reshape_to(count, (count.shape[0], *[1] * (rank - 1 - i)))
        total = div(total, divisor, rounding_mode="trunc" if integer else None)
    return total


def _elements_in_windows(
    x: Node, dim: int, around: tuple[Size, Size], pad: int, size: int, stride: int, count_pad: bool
) -> Node:
    """How many elements each window along one dimension averages over."""
    counted, uncounted = ((pad, pad), (0, around[1] - pad)) if count_pad else ((0, 0), around)
    inside = pad_last(full((x.shape[dim],), 1, x.dtype), [counted], 1)
    inside = pad_last(inside, [uncounted], 0)  # what ceil_mode adds behind never counts
    return SUM(windows(inside, (size,), (stride,), (1,)), dims=(1,), keepdim=False)


@public(method=False)
@public(namespace="nn.functional")
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The maximum of every window over the last dimension; arguments as for `max_pool2d`."""
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public(method=False)
@public(namespace="nn.functional")
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The maximum of every window over height and width. NaN counts as the largest.

    The gradient goes to the first maximum of each window.

    Args:
        input: (batch, channels, height, width), or without batch.
        kernel_size: of the window; an int or two.
        stride: step between windows; the kernel size when None.
        padding: of minus infinity on both sides, at most half of the kernel size.
        dilation: step between the elements of a window.
        ceil_mode: also take a last window that starts inside but reaches beyond the end.
        return_indices: also give the maxima's indices into the flattened height * width.

    Returns:
        (batch, channels, height', width'), and the indices (int64) if asked for.

    Raises:
        ShapeError: the window is larger than the padded input.
        ArgumentError: the padding is more than half of the kernel size.

    >>> from onegraph.ops.movement import full
    >>> max_pool2d(full((2, 3, 8, 8), 1.0), 2).shape
    (2, 3, 4, 4)
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public(method=False)
@public(namespace="nn.functional")
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The maximum of every window over the last three dimensions; arguments as for `max_pool2d`."""
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public("max_pool1d_with_indices", namespace="nn.functional")
def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """`max_pool1d` and the indices of the maxima."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@public("max_pool2d_with_indices", namespace="nn.functional")
def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """`max_pool2d` and the indices of the maxima."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@public("max_pool3d_with_indices", namespace="nn.functional")
def max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """`max_pool3d` and the indices of the maxima."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@public(method=False)
@public(namespace="nn.functional")
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Node:
    """The mean of every window over the last dimension; arguments as for `avg_pool2d`."""
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@public(namespace="nn.functional")
def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of every window over height and width.

    Args:
        input: (batch, channels, height, width), or without batch.
        kernel_size, stride, padding, ceil_mode: as for `max_pool2d`; the padding is zero.
        count_include_pad: whether the padding counts as elements of a window.
        divisor_override: what to divide by instead of the number of elements.

    Raises:
        ShapeError: the window is larger than the padded input.

    >>> from onegraph.ops.movement import full
    >>> avg_pool2d(full((2, 3, 8, 8), 1.0), 3, stride=2, padding=1).shape
    (2, 3, 4, 4)
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@public(namespace="nn.functional")
def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of every window over the last three dimensions; arguments as for `avg_pool2d`."""
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _lp_pool(op: str, rank: int, input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Node:
    elements = math.prod(spread_sizes(op, "kernel_size", kernel_size, rank))
    mean = _avg_pool(op, rank, pow(as_node(input), norm_type), kernel_size, stride, 0, ceil_mode, True, None)
    return pow(mul(mean, elements), 1.0 / norm_type)


@public(namespace="nn.functional")
def lp_pool1d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Node:
    """(the sum of x ** p) ** (1 / p) of every window over the last dimension, p being `norm_type`."""
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


@public(namespace="nn.functional")
def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Node:
    """(the sum of x ** p) ** (1 / p) of every window over height and width, p being `norm_type`."""
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


@public(namespace="nn.functional")
def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Node:
    """(the sum of x ** p) ** (1 / p) of every window over the last three dimensions, p being `norm_type`."""
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


@public(namespace="nn.functional")
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Node:
    """Every window of images as one column: (batch, channels * window, windows).

    Args:
        input: (batch, channels, height, width), or without batch.
        kernel_size, dilation, padding, stride: an int or two.

    Raises:
        ShapeError: the window is larger than the padded input.

    >>> from onegraph.ops.movement import full
    >>> unfold(full((2, 3, 4, 4), 1.0), 2).shape
    (2, 12, 9)
    """
    x = as_node(input)
    sizes, strides, dilations, pads = _window_arguments("unfold", kernel_size, stride, dilation, padding)
    space_of("unfold", x, 2)
    unbatched = len(x.shape) == 3
    x = reshape_to(x, (1, *x.shape)) if unbatched else x
    w = PERMUTE(windows(pad_last(x, [(p, p) for p in pads], 0), sizes, strides, dilations), dims=(0, 1, 4, 5, 2, 3))
    columns = reshape_to(w, (x.shape[0], x.shape[1] * math.prod(sizes), w.shape[4] * w.shape[5]))
    return reshape_to(columns, columns.shape[1:]) if unbatched else columns


@public(namespace="nn.functional")
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Node:
    """The transpose of `unfold`: columns added up where their windows lie.

    Args:
        input: (batch, channels * window, windows), or without batch.
        output_size: height and width of the result.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Raises:
        ShapeError: the columns do not fit the window, or there are more or fewer than windows.

    >>> from onegraph.ops.movement import full
    >>> fold(full((2, 12, 9), 1.0), 4, 2).shape
    (2, 3, 4, 4)
    """
    x = as_node(input)
    sizes, strides, dilations, pads = _window_arguments("fold", kernel_size, stride, dilation, padding)
    size = spread_sizes("fold", "output_size", output_size, 2)
    padded = tuple(s + 2 * p for s, p in zip(size, pads, strict=True))
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(padded, sizes, strides, dilations, strict=True)]
    if len(x.shape) not in (2, 3):
        raise ShapeError(f"fold: input {show(x.shape)} must be (batch, channels * window, windows)")
    unbatched = len(x.shape) == 2
    x = reshape_to(x, (1, *x.shape)) if unbatched else x
    if (not isinstance(x.shape[1], Dim) and x.shape[1] % math.prod(sizes)) or not same_size(
        x.shape[2], math.prod(counts)
    ):
        raise ShapeError(
            f"fold: input {show(x.shape)}: the columns must be a multiple of the window {sizes} long, and "
            f"there must be {counts[0]} * {counts[1]} of them for output size {size}"
        )
    channels = x.shape[1] // math.prod(sizes)
    w = PERMUTE(reshape_to(x, (x.shape[0], channels, *sizes, *counts)), dims=(0, 1, 4, 5, 2, 3))
    y = fold_windows(w, padded, sizes, strides, dilations)
    starts, stops = (0, 0, *pads), (*y.shape[:2], pads[0] + size[0], pads[1] + size[1])
    if any(pads):
        y = SLICE(y, starts=starts, stops=stops, steps=(1, 1, 1, 1))
    return reshape_to(y, y.shape[1:]) if unbatched else y


def _window_arguments(op: str, kernel: Any, stride: Any, dilation: Any, padding: Any) -> tuple[Ints, ...]:
    return (
        spread_sizes(op, "kernel_size", kernel, 2),
        spread_sizes(op, "stride", stride, 2),
        spread_sizes(op, "dilation", dilation, 2),
        spread_sizes(op, "padding", padding, 2),
    )
