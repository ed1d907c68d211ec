"""Helpers that shape rules share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape


def show(shape: Sequence[Any]) -> str:
    """A shape as Python writes it, unknown sizes by name.

    >>> show((64, 1000))
    '(64, 1000)'
    """
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def same_size(a: Size, b: Size) -> bool:
    """Whether two sizes are equal, or may turn out to be when they are known."""
    return a == b or isinstance(a, Dim) or isinstance(b, Dim)


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes are equal, or may turn out to be when they are known."""
    return a == b or (len(a) == len(b) and all(map(same_size, a, b)))


def broadcast_shapes(op: str, *shapes: Shape) -> Shape:
    """The shape that all of these broadcast to, by NumPy's rule."""
    longest: Shape = max(shapes, key=len)
    result = list(longest)
    rank = len(result)
    for shape in shapes:
        offset = rank - len(shape)
        for i, size in enumerate(shape):
            have = result[offset + i]
            if have == size or size == 1:
                continue
            if have == 1 or (isinstance(have, Dim) and not isinstance(size, Dim)):
                result[offset + i] = size
            elif not same_size(have, size):
                raise ShapeError(
                    f"{op}: shapes {' and '.join(map(show, shapes))} do not broadcast: sizes {have} and {size} differ "
                    f"in dimension {offset + i} counted over the longer shape",
                    hint="sizes must be equal or 1, aligned at the last dimension",
                )
    return tuple(result)


def normalize_dim(op: str, dim: int, rank: int) -> int:
    """A dimension counted from the front; a typed error when it is out of range."""
    if type(dim) is int and -rank <= dim < rank:
        return dim % rank
    if not hasattr(dim, "__index__"):
        raise ArgumentTypeError(f"{op}: a dimension must be an int, got {dim!r}")
    dim = dim.__index__()
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise OutOfRangeError(f"{op}: dimension {dim} is out of range for {rank} dimensions (-{limit} to {limit - 1})")
    return dim % limit


def normalize_dims(op: str, dims: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Dimensions counted from the front, each once, sorted; None means all of them."""
    if type(dims) is int and -rank <= dims < rank:
        return (dims % rank,)
    if dims is None:
        return tuple(range(rank))
    if hasattr(dims, "__index__"):
        dims = (dims,)  # type: ignore[assignment]
    result = [normalize_dim(op, d, rank) for d in dims]  # type: ignore[union-attr]
    if len(set(result)) != len(result):
        raise OutOfRangeError(f"{op}: a dimension appears twice in {tuple(dims)}")  # type: ignore[arg-type]
    return tuple(sorted(d for d in result if d < rank))


def numel(shape: Sequence[Size]) -> Size:
    """Number of elements."""
    count: Size = 1
    for n in shape:
        count = count * n
    return count


def check_same_dtype(op: str, *nodes: Node) -> DType:
    """The one dtype of the nodes; primitives take no mixture (functions promote before)."""
    dtype = nodes[0].dtype
    for node in nodes[1:]:
        if node.dtype is not dtype:
            raise DTypeError(f"{op}: dtypes {', '.join(n.dtype.name for n in nodes)} differ")
    return dtype


def check_kind(op: str, node: Node, *kinds: str) -> DType:
    """The node's dtype, when its kind is among those."""
    if node.dtype.kind not in kinds:
        raise DTypeError(f"{op}: needs a dtype of kind {' or '.join(kinds)}, got {node.dtype.name} {show(node.shape)}")
    return node.dtype


def as_float(op: str, name: str, value: Any) -> float:
    """A number that a user gave as a Python float; a text is no number, whatever it says."""
    if isinstance(value, (str, bytes)):
        raise ArgumentTypeError(f"{op}: {name} must be a number, got {value!r:.60}")
    return float(value)
