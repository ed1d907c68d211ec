"""`nn.functional.pad`: values put around a tensor, constant ones or taken from the tensor itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.layout import static_sizes
from onegraph.ops.leaf import constant
from onegraph.ops.movement import FLIP, PAD, concat, expand_to, full, slice_dim  # noqa: F401 (the examples use `full`)
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import show

Pair = tuple[int, int]


@public("pad", namespace="nn.functional")
def pad(input: Node, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Node:
    """Values put before and after the last dimensions; negative amounts cut.

    Args:
        input: tensor of any dtype.
        pad: (before, after) of the last dimension, then of the one before it, and so on.
        mode: 'constant', 'reflect' (mirrored without the edge), 'replicate' (the edge repeated) or 'circular'.
        value: what 'constant' puts; 0 when None.

    Raises:
        ShapeError: more amounts than dimensions, or a mirror image longer than the tensor.

    >>> pad(full((2, 3), 0.0), (1, 2)).shape
    (2, 6)
    """
    x = as_node(input)
    try:
        amounts = [index(p) for p in pad]
    except TypeError:
        raise ArgumentTypeError(f"pad: amounts must be a list or tuple of ints, got {pad!r:.80}") from None
    if len(amounts) % 2 or len(amounts) > 2 * len(x.shape):
        raise ShapeError(
            f"pad: {tuple(pad)} must be pairs (before, after) for at most the dimensions of {show(x.shape)}"
        )
    pairs: list[Pair] = list(zip(amounts[::2], amounts[1::2], strict=True))
    if mode == "constant":
        return pad_constant(x, pairs, 0 if value is None else value)
    if mode not in _EDGES:
        raise ArgumentError(f"pad: mode must be 'constant', {', '.join(map(repr, _EDGES))}, got {mode!r}")
    if value:
        raise ArgumentTypeError(f"pad: mode {mode!r} takes no value, got {value}")
    for i, (low, high) in enumerate(pairs):
        x = _pad_with_own_values(x, len(x.shape) - 1 - i, low, high, mode)
    return x


_pad = pad


@public("constant_pad_nd")
def constant_pad_nd(input: Node, pad: Sequence[int], value: float = 0) -> Node:
    """A constant put before and after the last dimensions, as `nn.functional.pad`."""
    return _pad(input, pad, "constant", value)


def pad_constant(x: Node, pairs: Sequence[Pair], value: float) -> Node:
    """A constant around the last dimensions; pairs begin with the last one."""
    if not any(low or high for low, high in pairs):
        return x
    padding = [(0, 0, 0)] * (len(x.shape) - len(pairs)) + [(low, high, 0) for low, high in reversed(pairs)]
    return PAD(x, constant(value, x.dtype), padding=tuple(padding))


def _reflected(x: Node, dim: int, low: int, high: int, size: int) -> tuple[Node, Node]:
    if max(low, high) >= size:
        raise ShapeError(
            f"pad: reflecting {max(low, high)} elements needs a size of at least {max(low, high) + 1}, "
            f"dimension {dim} of {show(x.shape)} has {size}"
        )
    before, after = slice_dim(x, dim, 1, low + 1), slice_dim(x, dim, size - 1 - high, size - 1)
    return FLIP(before, dims=(dim,)), FLIP(after, dims=(dim,))


def _replicated(x: Node, dim: int, low: int, high: int, size: int) -> tuple[Node, Node]:
    if size == 0:
        raise ShapeError(f"pad: dimension {dim} of {show(x.shape)} has no edge to repeat")

    def edge(at: int, count: int) -> Node:
        return expand_to(slice_dim(x, dim, at, at + 1), (*x.shape[:dim], count, *x.shape[dim + 1 :]))

    return edge(0, low), edge(size - 1, high)


def _circled(x: Node, dim: int, low: int, high: int, size: int) -> tuple[Node, Node]:
    if max(low, high) > size:
        raise ShapeError(
            f"pad: {max(low, high)} is more than once around dimension {dim} of {show(x.shape)} with size {size}"
        )
    return slice_dim(x, dim, size - low, size), slice_dim(x, dim, 0, high)


_EDGES: dict[str, Callable[[Node, int, int, int, int], tuple[Node, Node]]] = {
    "reflect": _reflected,
    "replicate": _replicated,
    "circular": _circled,
}


def _pad_with_own_values(x: Node, dim: int, low: int, high: int, mode: str) -> Node:
    if low == 0 and high == 0:
        return x
    (size,) = static_sizes("pad", [x.shape[dim]])
    if mode == "circular" and (low < 0 or high < 0):  # what is cut is not on the circle
        kept = slice_dim(x, dim, *_uncut(x, dim, low, high, size))
        return _pad_with_own_values(kept, dim, max(low, 0), max(high, 0), mode)
    before, after = _EDGES[mode](x, dim, max(low, 0), max(high, 0), size)
    y = concat([part for part in (before, x, after) if part.shape[dim] != 0], dim)
    start, stop = _uncut(x, dim, low, high, size + max(low, 0) + max(high, 0))
    return slice_dim(y, dim, start, stop)


def _uncut(x: Node, dim: int, low: int, high: int, size: int) -> Pair:
    """From where to where a dimension stays when negative amounts are cut off."""
    start, stop = max(-low, 0), size - max(-high, 0)
    if stop < start:
        raise ShapeError(f"pad: ({low}, {high}) cuts more than there is in dimension {dim} of {show(x.shape)}")
    return start, stop
