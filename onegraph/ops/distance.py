"""Distances between vectors, their cosine, and vectors of length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, DIV, MUL, SUB, add, clamp_min, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import detach
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to, reshape_to
from onegraph.ops.promotion import as_node, promote, to_float
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import as_float, broadcast_shapes, check_kind, normalize_dim, same_size, show
from onegraph.ops.statistics import floating, vector_norm, widened


@public(method=False)
@public(namespace="nn.functional")
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Node:
    """The cosine of the angle between vectors along a dimension; a length below eps counts as eps.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([cosine_similarity(as_node([3.0, 4.0]), as_node([4.0, 3.0]), dim=0)])
    [array(0.96..., dtype=float32)]
    """
    a, b = promote(x1, x2)
    floating("cosine_similarity", a)
    shape = broadcast_shapes("cosine_similarity", a.shape, b.shape) or (1,)  # a number is a vector of one
    d = normalize_dim("cosine_similarity", dim, len(shape))
    # The vectors may lie along a dimension in which only the other tensor is larger than 1.
    left, right = (_grown(widened(n), d - len(shape), shape) for n in (a, b))
    products = MUL(_unit(left, d - len(shape), eps), _unit(right, d - len(shape), eps))
    return cast(SUM(products, dims=(d,), keepdim=False), a.dtype)


def _grown(x: Node, dim: int, shape: Shape) -> Node:
    """x with the size that the broadcast shape has in one dimension, counted from the end."""
    x = reshape_to(x, (*[1] * (-dim - len(x.shape)), *x.shape))
    at = len(x.shape) + dim
    return expand_to(x, (*x.shape[:at], shape[dim], *x.shape[at + 1 :]))


def _unit(x: Node, dim: int, eps: float) -> Node:
    """x divided by its length; the lower limit of the length is not differentiated, as in PyTorch."""
    length = vector_norm(x, 2.0, dim, True)
    return DIV(x, ADD(length, detach(sub(clamp_min(length, eps), length))))


@public(method=False)
@public(namespace="nn.functional")
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Node:
    """The p-norm of x1 - x2 + eps along the last dimension.

    Args:
        x1, x2: (batch, size) or (size,); they broadcast.
    """
    a, b = map(to_float, promote(x1, x2))
    return cast(
        vector_norm(add(SUB(widened(a), widened(b)), eps), as_float("pairwise_distance", "p", p), -1, keepdim), a.dtype
    )


@public(method=False)
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Node:
    """The p-norm of every difference of a row of x1 and a row of x2.

    Args:
        x1: (..., rows1, size).
        x2: (..., rows2, size).
        p: at least 0.
        compute_mode: accepted for PyTorch's sake; the differences themselves are always taken, which is exact.

    Returns:
        (..., rows1, rows2)

    Raises:
        ShapeError: fewer than two dimensions, or the sizes differ.
    """
    a, b = promote(x1, x2)
    floating("cdist", a)
    if p < 0:
        raise ArgumentError(f"cdist: p must be at least 0, got {p}")
    if len(a.shape) < 2 or len(b.shape) < 2 or not same_size(a.shape[-1], b.shape[-1]):
        raise ShapeError(
            f"cdist: {show(a.shape)} and {show(b.shape)} must have at least two dimensions and equal last sizes"
        )
    left = reshape_to(widened(a), (*a.shape[:-1], 1, a.shape[-1]))
    right = reshape_to(widened(b), (*b.shape[:-2], 1, *b.shape[-2:]))
    return cast(vector_norm(SUB(left, right), float(p), -1), a.dtype)


@public(method=False)
@public(namespace="nn.functional")
def pdist(input: Any, p: float = 2.0) -> Node:
    """The p-norm of the difference of every pair of rows i < j.

    Args:
        input: (rows, size).

    Returns:
        (rows (rows - 1) / 2,)
    """
    x = as_node(input)
    check_kind("pdist", x, "float")
    if len(x.shape) != 2 or isinstance(x.shape[0], Dim):
        raise ShapeError(f"pdist: {show(x.shape)} must have two dimensions of which the first is known")
    rows, columns = np.triu_indices(x.shape[0], 1)
    wide = widened(x)
    first = TAKE(wide, constant(rows, int64), dim=0)
    second = TAKE(wide, constant(columns, int64), dim=0)
    return cast(vector_norm(SUB(first, second), float(p), -1), x.dtype)


@public(namespace="nn.functional")
def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None) -> Node:
    """x divided by its p-norm along a dimension, or by eps where that is larger.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([normalize(as_node([3.0, 4.0]), dim=0)])
    [array([0.6, 0.8], dtype=float32)]
    """
    if out is not None:
        raise ArgumentError("normalize: out is not supported", hint="assign the result instead")
    x = as_node(input)
    check_kind("normalize", x, "float")
    wide = widened(x)
    return cast(DIV(wide, clamp_min(vector_norm(wide, as_float("normalize", "p", p), dim, True), eps)), x.dtype)
