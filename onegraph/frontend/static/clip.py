"""Clipping by norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.static.shape import ints_of
from onegraph.frontend.static.tensor import as_operand, operation
from onegraph.ir.node import Node
from onegraph.ops import binary, elementwise
from onegraph.ops.leaf import constant
from onegraph.ops.reduction import SUM, sum_
from onegraph.ops.shapes import normalize_dims


@operation("clip_by_norm")
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None) -> Node:
    """The tensor scaled down so that its length (over dimensions) is at most `clip_norm`; zeros stay zeros."""
    x = as_operand(t)
    dims = normalize_dims("clip_by_norm", None if axes is None else ints_of("clip_by_norm", axes), len(x.shape))
    squares = SUM(binary.square(x), dims=dims, keepdim=True)
    zero = binary.eq(squares, 0)
    safe = elementwise.where(zero, constant(1, x.dtype), squares)  # the square root has no derivative at 0
    length = elementwise.where(zero, constant(0, x.dtype), elementwise.sqrt(safe))
    limit = as_operand(clip_norm, x.dtype)
    return binary.div(binary.mul(x, limit), binary.maximum(length, limit))


def _norm(tensors: Sequence[Any]) -> Node:
    squares = [sum_(binary.square(as_operand(t))) for t in tensors if t is not None]
    if not squares:
        raise ArgumentError("global_norm: needs at least one tensor")
    total = squares[0]
    for s in squares[1:]:
        total = binary.add(total, s)
    return elementwise.sqrt(total)


@operation("global_norm")
def global_norm(t_list: Sequence[Any]) -> Node:
    """The length of all tensors taken as one vector; None is left out."""
    return _norm(t_list)


@operation("clip_by_global_norm")
def clip_by_global_norm(t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None) -> tuple[list[Any], Node]:
    """Tensors scaled together so that their common length is at most `clip_norm`, and that length.

    Source: Pascanu et al. 2013. None stays None.
    """
    length = _norm(t_list) if use_norm is None else as_operand(use_norm)
    limit = as_operand(clip_norm, length.dtype)
    scale = binary.div(limit, binary.maximum(length, limit))
    return [None if t is None else binary.mul(as_operand(t), scale) for t in t_list], length
