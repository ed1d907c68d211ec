"""Resizing of images and signals: nearest, linear, cubic and area; pixel and channel shuffles.

All but `nearest` and `area` multiply each dimension with a matrix of weights, which is constant, since sizes are
known when the graph is built. Sampling at computed places is in `grid_sample.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops import adaptive_pooling
from onegraph.ops.cast import cast
from onegraph.ops.contraction import MATMUL, flat_product
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import PERMUTE, expand_to, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.record import Array
from onegraph.ops.shapes import as_float, check_kind, numel, show
from onegraph.ops.statistics import widened

RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
MODES = ("nearest", "nearest-exact", "area", *RANKS)


def _cubic_weights(t: Array, a: float) -> list[Array]:
    """Weights of the four neighbors of a place t in [0, 1) behind the second. Source: Keys 1981."""

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]


def _places(size: int, out: int, scale: float | None, align_corners: bool) -> Array:
    """Where in the input each element of the output lies."""
    i = np.arange(out, dtype=np.float64)
    if align_corners:
        return i * ((size - 1) / (out - 1) if out > 1 else 0.0)
    return (i + 0.5) * _step(size, out, scale) - 0.5


def _step(size: int, out: int, scale: float | None) -> float:
    return 1.0 / scale if scale else size / out


def _linear_matrix(size: int, out: int, scale: float | None, align_corners: bool) -> Array:
    at = np.maximum(_places(size, out, scale, align_corners), 0.0)
    low = np.minimum(np.floor(at).astype(np.int64), size - 1)
    share = at - low
    matrix = np.zeros((size, out))
    columns = np.arange(out)
    np.add.at(matrix, (low, columns), 1.0 - share)
    np.add.at(matrix, (np.minimum(low + 1, size - 1), columns), share)
    return matrix


def _cubic_matrix(size: int, out: int, scale: float | None, align_corners: bool) -> Array:
    at = _places(size, out, scale, align_corners)
    low = np.floor(at)
    matrix = np.zeros((size, out))
    for offset, weight in zip(range(-1, 3), _cubic_weights(at - low, -0.75), strict=True):
        rows = np.clip(low.astype(np.int64) + offset, 0, size - 1)
        np.add.at(matrix, (rows, np.arange(out)), weight)
    return matrix


def _triangle(x: Array) -> Array:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: Array) -> Array:
    d, a = np.abs(x), -0.5
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def _smooth_matrix(
    kernel: Callable[[Array], Array], width: float, size: int, out: int, scale: float | None, align_corners: bool
) -> Array:
    """Weights that widen with the input pixels an output pixel covers, as Pillow's."""
    step = _step(size, out, scale)
    if align_corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    stretch = max(step, 1.0)
    matrix = np.zeros((size, out))
    for i in range(out):
        center = step * (i + 0.5)
        first = max(int(center - width * stretch + 0.5), 0)
        last = min(int(center + width * stretch + 0.5), size)
        rows = np.arange(first, last)
        weights = kernel((rows - center + 0.5) / stretch)
        matrix[rows, i] = weights / weights.sum()
    return matrix


def _matrix(mode: str, size: int, out: int, scale: float | None, align_corners: bool, antialias: bool) -> Array:
    cubic = mode == "bicubic"
    if antialias:
        kernel, width = (_cubic, 2.0) if cubic else (_triangle, 1.0)
        return _smooth_matrix(kernel, width, size, out, scale, align_corners)
    return (_cubic_matrix if cubic else _linear_matrix)(size, out, scale, align_corners)


def apply_matrix(x: Node, dim: int, matrix: Array) -> Node:
    """x with one dimension multiplied by a constant matrix (size, out)."""
    if dim == len(x.shape) - 1:
        return flat_product(x, constant(matrix, x.dtype))
    lead, tail = x.shape[:dim], x.shape[dim + 1 :]
    flat = reshape_to(x, (numel(lead), x.shape[dim], numel(tail)))
    return reshape_to(MATMUL(constant(matrix.T, x.dtype), flat), (*lead, matrix.shape[1], *tail))


def _nearest(x: Node, dim: int, out: int, scale: float | None, exact: bool) -> Node:
    size: Any = x.shape[dim]
    if out == size and not scale:
        return x
    if out % size == 0 and (not scale or out == size * scale):  # every element repeated
        wide = reshape_to(x, (*x.shape[: dim + 1], 1, *x.shape[dim + 1 :]))
        copies = expand_to(wide, (*x.shape[: dim + 1], out // size, *x.shape[dim + 1 :]))
        return reshape_to(copies, (*x.shape[:dim], out, *x.shape[dim + 1 :]))
    step = np.float32(_step(size, out, scale))
    i = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)
    rows = np.minimum(np.floor(i * step).astype(np.int64), size - 1)
    return TAKE(x, constant(rows, int64), dim=dim)


def _per_dim(op: str, name: str, value: Any, rank: int) -> list[Any]:
    values = list(value) if isinstance(value, (list, tuple)) else [value] * rank
    if len(values) != rank:
        raise ArgumentError(f"{op}: {name} must be a number or {rank} of them, got {value!r}")
    return values


def _sizes_and_scales(
    space: Sequence[int], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    op, rank = "interpolate", len(space)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"{op}: give either size or scale_factor")
    if size is not None:
        if recompute:
            raise ArgumentError(f"{op}: recompute_scale_factor needs scale_factor, not size")
        sizes = [int(as_float(op, "size", s)) for s in _per_dim(op, "size", size, rank)]
        scales: list[float | None] = [None] * rank
    else:
        factors = [float(s) for s in _per_dim(op, "scale_factor", scale_factor, rank)]
        sizes = [math.floor(n * f) for n, f in zip(space, factors, strict=True)]
        scales = [None] * rank if recompute else list(factors)
    if any(s < 1 for s in sizes):
        raise ShapeError(f"{op}: the output would have the size {show(sizes)}; every size must be at least 1")
    return sizes, scales


def _check(x: Node, mode: str, align_corners: bool | None, antialias: bool) -> None:
    op = "interpolate"
    if mode not in MODES:
        raise ArgumentError(f"{op}: mode must be one of {', '.join(MODES)}, got {mode!r}")
    if len(x.shape) not in (3, 4, 5):
        raise ShapeError(f"{op}: input {show(x.shape)} must be (batch, channels, ...) with 3 to 5 dimensions")
    if mode in RANKS and len(x.shape) != RANKS[mode] + 2:
        raise ShapeError(f"{op}: mode {mode!r} needs {RANKS[mode] + 2} dimensions, the input is {show(x.shape)}")
    if mode not in RANKS and align_corners is not None:
        raise ArgumentError(f"{op}: align_corners can only be given for {', '.join(RANKS)}, not for {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(f"{op}: antialias is for 'bilinear' and 'bicubic', not for {mode!r}")
    if any(isinstance(s, Dim) for s in x.shape[2:]):
        raise ShapeError(
            f"{op}: the sizes of {show(x.shape)} after the first two must be known",
            hint="give the placeholder its full shape",
        )


@public(namespace="nn.functional")
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Node:
    """The dimensions of space resized.

    Args:
        input: (batch, channels, ...) with one to three dimensions of space.
        size: of the output; an int or one for each dimension. Either this or `scale_factor`.
        scale_factor: output size over input size, rounded down; a number or one for each dimension.
        mode: 'nearest', 'nearest-exact', 'area', 'linear' (1 dimension), 'bilinear' and 'bicubic' (2),
            'trilinear' (3).
        align_corners: whether the centers of the corner elements stay at the corners.
        recompute_scale_factor: take the ratio of the sizes instead of `scale_factor` itself.
        antialias: let an output element see all input elements that it covers when shrinking.

    Raises:
        ShapeError: the mode does not fit the number of dimensions.
        ArgumentError: arguments that exclude each other.

    >>> from onegraph.ops.movement import full
    >>> interpolate(full((1, 3, 4, 4), 1.0), scale_factor=2, mode="bilinear").shape
    (1, 3, 8, 8)
    """
    x = as_node(input)
    _check(x, mode, align_corners, antialias)
    rank = len(x.shape) - 2
    space: Any = x.shape[2:]
    sizes, scales = _sizes_and_scales(space, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        pool = (adaptive_pooling.adaptive_avg_pool1d, adaptive_pooling.adaptive_avg_pool2d)
        return (*pool, adaptive_pooling.adaptive_avg_pool3d)[rank - 1](x, sizes)
    if mode in ("nearest", "nearest-exact"):
        for i, (out, scale) in enumerate(zip(sizes, scales, strict=True)):
            x = _nearest(x, 2 + i, out, scale, mode == "nearest-exact")
        return x
    check_kind("interpolate", x, "float")
    y = widened(x)
    for i, (have, out, scale) in enumerate(zip(space, sizes, scales, strict=True)):
        if have != out or scale:
            y = apply_matrix(y, 2 + i, _matrix(mode, have, out, scale, bool(align_corners), antialias))
    return cast(y, x.dtype)


@public(namespace="nn.functional")
def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Node:
    """`interpolate` by its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


@public(namespace="nn.functional")
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Node:
    """`interpolate` to the nearest element."""
    return interpolate(input, size, scale_factor)


@public(namespace="nn.functional")
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Node:
    """`interpolate` with mode 'bilinear' and aligned corners."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _split_image(op: str, x: Node) -> tuple[Any, Any, Any, Any]:
    if len(x.shape) < 3:
        raise ShapeError(f"{op}: input {show(x.shape)} must be (..., channels, height, width)")
    c, h, w = x.shape[-3:]
    return x.shape[:-3], c, h, w


@public(method=False)
@public(namespace="nn.functional")
def pixel_shuffle(input: Any, upscale_factor: int) -> Node:
    """(..., channels * r * r, height, width) as (..., channels, height * r, width * r). Source: Shi et al. 2016.

    Raises:
        ShapeError: the channels are not a multiple of r * r.
    """
    x, r = as_node(input), upscale_factor
    lead, c, h, w = _split_image("pixel_shuffle", x)
    if r < 1 or c % (r * r):
        raise ShapeError(f"pixel_shuffle: {c} channels of {show(x.shape)} are not a multiple of {r} * {r}")
    n = len(lead)
    parts = reshape_to(x, (*lead, c // (r * r), r, r, h, w))
    moved = PERMUTE(parts, dims=(*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape_to(moved, (*lead, c // (r * r), h * r, w * r))


@public(method=False)
@public(namespace="nn.functional")
def pixel_unshuffle(input: Any, downscale_factor: int) -> Node:
    """The inverse of `pixel_shuffle`.

    Raises:
        ShapeError: height or width is not a multiple of the factor.
    """
    x, r = as_node(input), downscale_factor
    lead, c, h, w = _split_image("pixel_unshuffle", x)
    if r < 1 or h % r or w % r:
        raise ShapeError(f"pixel_unshuffle: height {h} and width {w} of {show(x.shape)} are not multiples of {r}")
    n = len(lead)
    parts = reshape_to(x, (*lead, c, h // r, r, w // r, r))
    moved = PERMUTE(parts, dims=(*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape_to(moved, (*lead, c * r * r, h // r, w // r))


@public("channel_shuffle", "native_channel_shuffle", method=False)
@public("channel_shuffle", "native_channel_shuffle", namespace="nn.functional")
def channel_shuffle(input: Any, groups: int) -> Node:
    """Channels dealt out anew: the first of every group, then the second, and so on. Source: Zhang et al. 2018.

    Raises:
        ShapeError: the channels are not a multiple of the groups.
    """
    x = as_node(input)
    if len(x.shape) < 3 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: {show(x.shape)} must be (batch, channels, ...) with a multiple of {groups}")
    parts = reshape_to(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    moved = PERMUTE(parts, dims=(0, 2, 1, *range(3, len(parts.shape))))
    return reshape_to(moved, x.shape)
