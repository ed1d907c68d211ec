"""Sampling of images and volumes at computed places: `grid_sample`, `affine_grid`; and `max_unpool`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import AND, GE, LE, MUL, add, clamp, mul, remainder, sub
from onegraph.ops.cast import CAST, cast
from onegraph.ops.connection import connected
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.convolution_functions import spread_sizes
from onegraph.ops.elementwise import ABS, FLOOR, ROUND, WHERE
from onegraph.ops.indexing import SCATTER, TAKE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import PERMUTE, expand_to, full, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import check_kind, check_same_dtype, numel, same_shape, same_size, show
from onegraph.ops.statistics import widened


@public(namespace="nn.functional")
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Node:
    """The places of an affine map of the output's own coordinates, for `grid_sample`.

    Args:
        theta: (batch, 2, 3), or (batch, 3, 4) for volumes.
        size: of the output, (batch, channels, height, width) or (batch, channels, depth, height, width).
        align_corners: whether -1 and 1 are the centers of the corner elements, instead of their outer edges.

    Returns:
        (batch, height, width, 2) or (batch, depth, height, width, 3); x comes first, all from -1 to 1.

    Source: Jaderberg et al., "Spatial Transformer Networks", 2015.
    """
    t = as_node(theta)
    check_kind("affine_grid", t, "float")
    space = tuple(int(s) for s in size[2:])
    rank = len(space)
    if rank not in (2, 3) or len(t.shape) != 3 or t.shape[1:] != (rank, rank + 1):
        raise ShapeError(
            f"affine_grid: theta {show(t.shape)} for size {show(tuple(size))}: needs (batch, 2, 3) for four sizes or "
            "(batch, 3, 4) for five"
        )
    axes = [np.linspace(-1, 1, n) * (1 if align_corners else (n - 1) / n) if n > 1 else np.zeros(1) for n in space]
    grid = np.meshgrid(*axes, indexing="ij")
    base = np.stack([*reversed(grid), np.ones(space)], -1).reshape(-1, rank + 1)
    return reshape_to(MATMUL(constant(base, t.dtype), transpose_last(t)), (t.shape[0], *space, rank))


def _unnormalized(place: Node, size: int, align_corners: bool) -> Node:
    """Coordinates from -1 to 1 as positions of elements."""
    if align_corners:
        return mul(add(place, 1.0), (size - 1) / 2)
    return mul(sub(mul(add(place, 1.0), float(size)), 1.0), 0.5)


def _reflected(x: Node, low: float, high: float) -> Node:
    """Positions beyond the limits mirrored at them, as often as needed."""
    span = high - low
    if span == 0:
        return mul(x, 0.0)
    distance = remainder(ABS(sub(x, low)), 2 * span)
    flipped = WHERE(GE(constant(span, x.dtype), distance), distance, sub(2 * span, distance))
    return add(flipped, low)


def _placed(x: Node, size: int, padding_mode: str, align_corners: bool) -> Node:
    """Positions brought into the image, where the padding mode does so."""
    if padding_mode == "reflection":
        x = _reflected(x, 0.0, size - 1.0) if align_corners else _reflected(x, -0.5, size - 0.5)
    return x if padding_mode == "zeros" else _kept_inside(x, size)


def _kept_inside(x: Node, size: int) -> Node:
    return clamp(x, 0.0, float(size - 1))


def _fetch(image: Node, places: Sequence[Node], sizes: Sequence[int]) -> Node:
    """Elements of a (batch, *space, channels) image at whole positions, 0 outside; NaN counts as outside."""
    inside: Node | None = None
    indices = []
    for place, size in zip(places, sizes, strict=True):
        here = AND(GE(place, constant(0, place.dtype)), LE(place, constant(size - 1, place.dtype)))
        inside = here if inside is None else AND(inside, here)
        indices.append(CAST(WHERE(here, place, constant(0, place.dtype)), dtype=int64))
    assert inside is not None
    batch = expand_to(reshape_to(iota(image.shape[0]), (image.shape[0], *[1] * (len(inside.shape) - 1))), inside.shape)
    found = TAKE(image, batch, *indices, dim=0)
    return WHERE(reshape_to(inside, (*inside.shape, 1)), found, constant(0, found.dtype))


def _weighted(value: Node, weights: Sequence[Node]) -> Node:
    weight = weights[0]
    for w in weights[1:]:
        weight = MUL(weight, w)
    return MUL(value, reshape_to(weight, (*weight.shape, 1)))


def _sum(parts: Sequence[Node]) -> Node:
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    return total


def _polynomial(t: Node, *coefficients: float) -> Node:
    """The polynomial with these coefficients, the highest power first."""
    y = constant(coefficients[0], t.dtype)
    for c in coefficients[1:]:
        y = add(mul(y, t), c)
    return y


def _cubic_weights(t: Node) -> list[Node]:
    """Weights of the four neighbors of a place t in [0, 1) behind the second. Source: Keys 1981, a = -3/4."""
    a, u = -0.75, sub(1.0, t)
    near, far = (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)
    return [
        _polynomial(add(t, 1.0), *far),
        _polynomial(t, *near),
        _polynomial(u, *near),
        _polynomial(add(u, 1.0), *far),
    ]


def _cubic_sample(image: Node, raw: Sequence[Node], sizes: Sequence[int], mode: str, align: bool) -> Node:
    lows = [FLOOR(p) for p in raw]
    weights = [_cubic_weights(sub(p, low)) for p, low in zip(raw, lows, strict=True)]
    parts = []
    for tap in product(range(4), repeat=len(raw)):
        places = [
            _placed(add(low, float(t - 1)), size, mode, align) for low, t, size in zip(lows, tap, sizes, strict=True)
        ]
        parts.append(_weighted(_fetch(image, places, sizes), [w[t] for w, t in zip(weights, tap, strict=True)]))
    return _sum(parts)


def _linear_sample(image: Node, places: Sequence[Node], sizes: Sequence[int]) -> Node:
    lows = [FLOOR(p) for p in places]
    shares = [sub(p, low) for p, low in zip(places, lows, strict=True)]
    parts = []
    for tap in product((0, 1), repeat=len(places)):
        corner = [add(low, float(t)) for low, t in zip(lows, tap, strict=True)]
        weights = [s if t else sub(1.0, s) for s, t in zip(shares, tap, strict=True)]
        parts.append(_weighted(_fetch(image, corner, sizes), weights))
    return _sum(parts)


@public(namespace="nn.functional")
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Node:
    """An image or volume at given places.

    Args:
        input: (batch, channels, height, width) or (batch, channels, depth, height, width), floating.
        grid: (batch, out height, out width, 2) or (batch, out depth, out height, out width, 3); x comes first; -1
            and 1 are the ends.
        mode: 'bilinear', 'nearest' or 'bicubic' (images only).
        padding_mode: what lies outside: 'zeros', 'border' (the edge repeated) or 'reflection'.
        align_corners: whether -1 and 1 are the centers of the corner elements, instead of their outer edges.

    Returns:
        (batch, channels, *out sizes)

    Raises:
        ShapeError: the shapes do not fit.
    """
    op = "grid_sample"
    x, g = as_node(input), as_node(grid)
    check_kind(op, x, "float")
    check_same_dtype(op, x, g)
    rank = len(x.shape) - 2
    fits = rank in (2, 3) and len(g.shape) == rank + 2 and g.shape[-1] == rank and same_size(x.shape[0], g.shape[0])
    if not fits:
        raise ShapeError(
            f"{op}: input {show(x.shape)} and grid {show(g.shape)}: needs (batch, channels, height, width) and "
            "(batch, height, width, 2), or one dimension more each and 3"
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and rank == 3):
        raise ArgumentError(f"{op}: mode must be 'bilinear', 'nearest' or, for images, 'bicubic', got {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(f"{op}: padding_mode must be 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    space = x.shape[2:]
    if any(isinstance(s, Dim) or s == 0 for s in space):
        raise ShapeError(f"{op}: the sizes of {show(x.shape)} after the first two must be known and not 0")
    sizes = [int(s) for s in space]
    align = bool(align_corners)
    image = PERMUTE(widened(x), dims=(0, *range(2, rank + 2), 1))
    wide = widened(g)
    raw = []
    for i, size in enumerate(sizes):  # the last coordinate is the first dimension of space
        coordinate = reshape_to(slice_dim(wide, rank + 1, rank - 1 - i, rank - i), g.shape[:-1])
        raw.append(_unnormalized(coordinate, size, align))
    places = [_placed(p, size, padding_mode, align) for p, size in zip(raw, sizes, strict=True)]
    if mode == "bicubic":  # it is the neighbors that are brought inside, not the place itself
        y = _cubic_sample(image, raw, sizes, padding_mode, align)
    elif mode == "nearest":
        y = connected(_fetch(image, [ROUND(p) for p in places], sizes), wide)
    else:
        y = _linear_sample(image, places, sizes)
    return cast(PERMUTE(y, dims=(0, rank + 1, *range(1, rank + 1))), x.dtype)


def _unpooled_size(op: str, x: Node, rank: int, kernel: Any, stride: Any, padding: Any, output_size: Any) -> Shape:
    sizes = spread_sizes(op, "kernel_size", kernel, rank)
    strides = sizes if stride is None else spread_sizes(op, "stride", stride, rank)
    pads = spread_sizes(op, "padding", padding, rank)
    space = x.shape[-rank:]
    default = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(space, strides, pads, sizes, strict=True))
    if output_size is None:
        return default
    wanted = tuple(output_size)[-rank:]
    for want, have, s in zip(wanted, default, strides, strict=True):
        if not isinstance(have, Dim) and not have - s < want < have + s:
            raise ShapeError(
                f"{op}: output_size {show(wanted)} must be within a stride {strides} of {show(default)}, what the "
                f"input {show(x.shape)} comes from"
            )
    return wanted


def _max_unpool(
    op: str, rank: int, input: Any, indices: Any, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> Node:
    x, index = as_node(input), as_node(indices)
    if len(x.shape) not in (rank + 1, rank + 2) or not same_shape(x.shape, index.shape):
        raise ShapeError(
            f"{op}: input {show(x.shape)} and indices {show(index.shape)} must have one shape, of {rank + 1} or "
            f"{rank + 2} dimensions"
        )
    if index.dtype is not int64:
        raise DTypeError(f"{op}: indices must be int64, got {index.dtype.name}")
    space = _unpooled_size(op, x, rank, kernel, stride, padding, output_size)
    lead = x.shape[:-rank]
    rows, columns = numel(lead), numel(x.shape[-rank:])
    row = expand_to(reshape_to(iota(rows), (rows, 1)), (rows, columns))
    base = full((rows, numel(space)), 0, x.dtype)
    y = SCATTER(base, row, reshape_to(index, (rows, columns)), reshape_to(x, (rows, columns)), dim=0, mode="set")
    return reshape_to(y, (*lead, *space))


@public(namespace="nn.functional")
def max_unpool1d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Node:
    """Maxima back at the places where `max_pool1d` found them, 0 elsewhere."""
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@public(namespace="nn.functional")
def max_unpool2d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Node:
    """Maxima back at the places where `max_pool2d` found them, 0 elsewhere.

    Where windows overlapped and gave the same place twice, the last one counts and gets the gradient.

    Args:
        input, indices: as `max_pool2d` with `return_indices` gives them.
        kernel_size, stride, padding: of the pooling.
        output_size: its input's size, where the pooling left a rest.

    Raises:
        ShapeError: an output size that cannot be.
        OutOfRangeError: an index outside the output, when the graph runs.
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


@public(namespace="nn.functional")
def max_unpool3d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Node:
    """Maxima back at the places where `max_pool3d` found them, 0 elsewhere."""
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
