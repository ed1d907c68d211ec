"""Linear and bilinear maps with PyTorch's layout of weights, and rearrangements between channels and pixels."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD
from onegraph.ops.contraction import MATMUL, matmul, transpose_last
from onegraph.ops.movement import PERMUTE, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import check_same_dtype, numel, same_size, show


@public(namespace="nn.functional")
def linear(input: Any, weight: Any, bias: Any = None) -> Node:
    """input @ weight.T + bias.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features), or (in_features,); of the input's dtype.
        bias: (out_features,), or None.

    Returns:
        (..., out_features).

    >>> from onegraph.ops.movement import full
    >>> linear(full((5, 3), 1.0), full((2, 3), 1.0)).shape
    (5, 2)
    """
    x, w = as_node(input), as_node(weight)
    b = None if bias is None else as_node(bias)
    shapes = f"linear: input {show(x.shape)}, weight {show(w.shape)}"
    if len(w.shape) not in (1, 2) or not x.shape:
        raise ShapeError(f"{shapes}: needs (..., in_features) and (out_features, in_features)")
    if not same_size(x.shape[-1], w.shape[-1]):
        raise ShapeError(f"{shapes}: the input has {x.shape[-1]} features, the weight takes {w.shape[-1]}")
    check_same_dtype("linear", x, w, *([] if b is None else [b]))
    if b is not None and len(b.shape) == 1 and len(w.shape) == 2 and not same_size(b.shape[0], w.shape[0]):
        raise ShapeError(f"{shapes}, bias {show(b.shape)}: the bias needs one element for each output feature")
    y = matmul(x, transpose_last(w) if len(w.shape) == 2 else w)
    return y if b is None else ADD(y, b)


@public(method=False)
@public(namespace="nn.functional")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Node:
    """input1.T @ weight[o] @ input2 + bias[o] for every output o.

    Args:
        input1: (..., in1_features).
        input2: (..., in2_features).
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,), or None.
    """
    x, y, w = as_node(input1), as_node(input2), as_node(weight)
    shapes = f"bilinear: {show(x.shape)}, {show(y.shape)}, weight {show(w.shape)}"
    if len(w.shape) != 3 or not x.shape or len(x.shape) != len(y.shape):
        raise ShapeError(f"{shapes}: needs (..., in1), (..., in2) and (out, in1, in2)")
    if not same_size(x.shape[-1], w.shape[1]) or not same_size(y.shape[-1], w.shape[2]):
        raise ShapeError(f"{shapes}: the features of the inputs are not those of the weight")
    check_same_dtype("bilinear", x, y, w)
    outputs, first, second = w.shape
    count = numel(x.shape[:-1])
    flat = reshape_to(x, (count, first))
    # (count, in1) @ (in1, out * in2) -> (count, out, in2), times input2.
    table = reshape_to(PERMUTE(w, dims=(1, 0, 2)), (first, outputs * second))
    half = reshape_to(MATMUL(flat, table), (count, outputs, second))
    full = MATMUL(half, reshape_to(y, (count, second, 1)))
    result = reshape_to(full, (*x.shape[:-1], outputs))
    return result if bias is None else ADD(result, as_node(bias))


def _image(op: str, input: Any) -> Node:
    x = as_node(input)
    if len(x.shape) < 3:
        raise ShapeError(f"{op}: needs (..., channels, height, width), got {show(x.shape)}")
    return x


@public(method=False)
@public(namespace="nn.functional")
def pixel_shuffle(input: Any, upscale_factor: int) -> Node:
    """Channels moved into space: (..., c * r * r, h, w) becomes (..., c, h * r, w * r).

    Source: Shi et al., "Real-time single image and video super-resolution", 2016.
    """
    x, r = _image("pixel_shuffle", input), upscale_factor
    c, h, w = x.shape[-3:]
    if r < 1 or isinstance(c, Dim) or c % (r * r):
        raise ShapeError(f"pixel_shuffle: {c} channels of {show(x.shape)} are no multiple of {r} * {r}")
    lead, n = x.shape[:-3], len(x.shape) - 3
    parts = reshape_to(x, (*lead, c // (r * r), r, r, h, w))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return reshape_to(PERMUTE(parts, dims=order), (*lead, c // (r * r), h * r, w * r))


@public(method=False)
@public(namespace="nn.functional")
def pixel_unshuffle(input: Any, downscale_factor: int) -> Node:
    """Space moved into channels, the inverse of `pixel_shuffle`."""
    x, r = _image("pixel_unshuffle", input), downscale_factor
    c, h, w = x.shape[-3:]
    if r < 1 or any(isinstance(s, Dim) or s % r for s in (h, w)):
        raise ShapeError(f"pixel_unshuffle: height and width of {show(x.shape)} must be multiples of {r}")
    lead, n = x.shape[:-3], len(x.shape) - 3
    parts = reshape_to(x, (*lead, c, h // r, r, w // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return reshape_to(PERMUTE(parts, dims=order), (*lead, c * r * r, h // r, w // r))


@public(method=False)
@public(namespace="nn.functional")
def channel_shuffle(input: Any, groups: int) -> Node:
    """Channels (batch, groups * n, ...) read as (groups, n) and written as (n, groups).

    Source: Zhang et al., "ShuffleNet", 2018.
    """
    x = as_node(input)
    if len(x.shape) < 3:
        raise ShapeError(f"channel_shuffle: needs (batch, channels, ...), got {show(x.shape)}")
    c = x.shape[1]
    if groups < 1 or isinstance(c, Dim) or c % groups:
        raise ShapeError(f"channel_shuffle: {c} channels of {show(x.shape)} cannot be divided into {groups} groups")
    parts = reshape_to(x, (x.shape[0], groups, c // groups, *x.shape[2:]))
    order = (0, 2, 1, *range(3, len(parts.shape)))
    return reshape_to(PERMUTE(parts, dims=order), x.shape)
