"""Windows of signals, and other functions that PyTorch has beside its usual families: `vander`, `unravel_index`, `renorm`.

Windows are known when a graph is made, so each is one constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dtype import as_dtype, get_default_dtype
from onegraph.ir.node import Node
from onegraph.ops.binary import DIV, GT, add, floor_divide, mul, pow, remainder
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE, numpy_constant
from onegraph.ops.leaf import constant
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import show
from onegraph.ops.statistics import vector_norm


def _window(name: str, length: int, periodic: bool, dtype: Any, values: Any) -> Node:
    """A window as a constant; a periodic one is the symmetric one of one more element, without its last."""
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not isinstance(length, int) or length < 0:
        raise ArgumentError(f"{name}: the length must be an int from 0 on, got {length!r}")
    if not kind.is_floating_point:
        raise ArgumentError(f"{name}: needs a floating dtype, got {kind.name}")
    points = length + 1 if periodic and length > 1 else length
    found = np.ones(points) if points < 2 else values(np.arange(points) / (points - 1), points)
    return cast(numpy_constant(np.asarray(found[:length], np.float64)), kind)


@public(method=False)
def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None) -> Node:
    """One period of a raised cosine.

    Args:
        window_length: number of elements.
        periodic: whether the element after the last would be the first again; else the window is symmetric.
        dtype: a floating type.

    >>> hann_window(4)
    <cast f32[4]>
    """
    return _window("hann_window", window_length, periodic, dtype, lambda x, n: 0.5 - 0.5 * np.cos(2 * np.pi * x))


@public(method=False)
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None
) -> Node:
    """A raised cosine that does not go down to 0: alpha - beta * cos. Other arguments as for `hann_window`."""
    return _window("hamming_window", window_length, periodic, dtype, lambda x, n: alpha - beta * np.cos(2 * np.pi * x))


@public(method=False)
def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None) -> Node:
    """A sum of two cosines. Arguments as for `hann_window`."""
    return _window(
        "blackman_window",
        window_length,
        periodic,
        dtype,
        lambda x, n: 0.42 - 0.5 * np.cos(2 * np.pi * x) + 0.08 * np.cos(4 * np.pi * x),
    )


@public(method=False)
def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None) -> Node:
    """A triangle. Arguments as for `hann_window`."""
    return _window("bartlett_window", window_length, periodic, dtype, lambda x, n: 1 - np.abs(2 * x - 1))


@public(method=False)
def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None) -> Node:
    """A window whose width `beta` sets. Arguments as for `hann_window`."""
    return _window("kaiser_window", window_length, periodic, dtype, lambda x, n: np.kaiser(n, beta))


@public(method=False)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Node:
    """Powers of the elements of a vector, one row for each.

    Args:
        x: (n,).
        N: number of columns; by default n.
        increasing: whether powers rise from left to right.

    >>> vander(np.array([2.0, 3.0])).shape
    (2, 2)
    """
    node = as_node(x)
    if len(node.shape) != 1:
        raise ShapeError(f"vander: needs a vector, got {show(node.shape)}")
    count = int(node.shape[0]) if N is None else N
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return pow(reshape_to(node, (node.shape[0], 1)), numpy_constant(powers.astype(np.int64).copy()))


@public(method=False)
def unravel_index(indices: Any, shape: Any) -> tuple[Node, ...]:
    """Coordinates of positions in a tensor of a shape that is laid out in rows.

    Args:
        indices: integers of any shape.
        shape: sizes, one or several.

    >>> [c.shape for c in unravel_index(np.array([3, 5]), (2, 3))]
    [(2,), (2,)]
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(int(s) for s in shape)
    rest, found = as_node(indices), []
    for size in reversed(sizes):
        found.append(remainder(rest, size))
        rest = floor_divide(rest, size)
    return tuple(reversed(found))


@public(inplace=True)
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Node:
    """The tensor with each part along a dimension scaled down to a norm of at most `maxnorm`.

    Args:
        input: at least two dimensions.
        p: of the norm.
        dim: along which the parts lie.
        maxnorm: largest norm.

    >>> renorm(np.ones((2, 3), np.float32), 1, 0, 2.0).shape
    (2, 3)
    """
    x = as_node(input)
    count = len(x.shape)
    if count < 2 or not -count <= dim < count:
        raise ShapeError(f"renorm: needs at least two dimensions and dim among them, got {show(x.shape)}, dim={dim}")
    others = tuple(d for d in range(count) if d != dim % count)
    norms = vector_norm(x, p, others, keepdim=True)
    most = constant(maxnorm, norms.dtype)
    small = add(norms, 1e-7)
    return mul(x, cast(WHERE(GT(norms, most), DIV(most, small), constant(1.0, norms.dtype)), x.dtype))
