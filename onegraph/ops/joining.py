"""Tensors joined and taken apart along a dimension: cat, stack, split, chunk, unbind, narrow, select.

Read next: `subscript.py` for `x[...]`, `arrangement.py` for repeating and turning.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DimensionError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.node import Node
from onegraph.ops.cast import cast
from onegraph.ops.layout import atleast_1d, atleast_2d, atleast_3d, static_sizes, unsqueeze
from onegraph.ops.leaf import iota
from onegraph.ops.movement import concat, full, reshape_to, slice_dim  # noqa: F401 (the examples use `full`)
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.shapes import normalize_dim, show


def as_nodes(op: str, tensors: Any) -> tuple[Node, ...]:
    """A list of tensors as nodes of their common dtype."""
    if isinstance(tensors, Node) or not isinstance(tensors, Sequence):
        raise ArgumentTypeError(f"{op}: needs a list or tuple of tensors, got {type(tensors).__name__}")
    if not tensors:
        raise ArgumentError(f"{op}: needs at least one tensor, got an empty {type(tensors).__name__}")
    nodes = [as_node(x) for x in tensors]
    if all(n.dtype is nodes[0].dtype for n in nodes):
        return tuple(nodes)
    return promote(*nodes)


@public("cat", "concat", "concatenate", method=False)
def cat(tensors: Any, dim: int = 0) -> Node:
    """Tensors joined along a dimension that they have; dtypes promote.

    Args:
        tensors: shapes equal in all dimensions but `dim`. Vectors of size 0 are skipped, as PyTorch does.

    >>> cat([full((2, 3), 0.0), full((1, 3), 0.0)]).shape
    (3, 3)
    """
    nodes = as_nodes("cat", tensors)
    for i, node in enumerate(nodes):
        if not node.shape:
            raise ShapeError(f"cat: tensor {i} has no dimensions", hint="use stack to join along a new dimension")
    kept = [n for n in nodes if n.shape != (0,)] or [nodes[0]]
    return concat(kept, normalize_dim("cat", dim, len(kept[0].shape)))


@public(method=False)
def stack(tensors: Any, dim: int = 0) -> Node:
    """Tensors of one shape joined along a new dimension.

    >>> stack([full((2, 3), 0.0), full((2, 3), 0.0)], dim=-1).shape
    (2, 3, 2)
    """
    nodes = as_nodes("stack", tensors)
    for i, node in enumerate(nodes):
        if len(node.shape) != len(nodes[0].shape) or any(
            a != b and not isinstance(a, Dim) and not isinstance(b, Dim)
            for a, b in zip(node.shape, nodes[0].shape, strict=True)
        ):
            raise ShapeError(
                f"stack: shapes must be equal, tensor 0 is {show(nodes[0].shape)}, tensor {i} is {show(node.shape)}"
            )
    at = normalize_dim("stack", dim, len(nodes[0].shape) + 1)
    return concat([unsqueeze(n, at) for n in nodes], at)


def _all_at_least(tensors: Any, change: Any) -> list[Node]:
    return [change(x) for x in (tensors if isinstance(tensors, (list, tuple)) else [tensors])]


@public(method=False)
def hstack(tensors: Any) -> Node:
    """Tensors joined side by side: along dimension 1, vectors along 0."""
    nodes = _all_at_least(tensors, atleast_1d)
    return cat(nodes, 0 if nodes and len(nodes[0].shape) == 1 else 1)


@public("vstack", "row_stack", method=False)
def vstack(tensors: Any) -> Node:
    """Tensors joined as rows: along dimension 0, vectors being single rows."""
    return cat(_all_at_least(tensors, atleast_2d), 0)


@public(method=False)
def dstack(tensors: Any) -> Node:
    """Tensors joined along dimension 2, after `atleast_3d`."""
    return cat(_all_at_least(tensors, atleast_3d), 2)


@public(method=False)
def column_stack(tensors: Any) -> Node:
    """Tensors joined as columns: along dimension 1, vectors being single columns."""
    nodes = [as_node(x) for x in tensors]
    return cat([x if len(x.shape) > 1 else reshape_to(x, (x.size, 1)) for x in nodes], 1)


def _dim_to_split(op: str, x: Node, dim: int) -> int:
    if not x.shape:
        raise DimensionError(f"{op}: a tensor without dimensions cannot be taken apart")
    return normalize_dim(op, dim, len(x.shape))


def _pieces(x: Node, dim: int, borders: Sequence[Size]) -> tuple[Node, ...]:
    """The parts between borders, of which the first is 0 and the last the whole size."""
    return tuple([slice_dim(x, dim, a, b) for a, b in itertools.pairwise(borders)])


@public("split", "unsafe_split", view=True)
def split(tensor: Any, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Node, ...]:
    """Parts of a size (the last one may be smaller), or of given sizes.

    >>> [x.shape for x in split(full((5, 2), 0.0), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    x = as_node(tensor)
    at = _dim_to_split("split", x, dim)
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(x, split_size_or_sections, at)
    if not isinstance(split_size_or_sections, (int, np.integer)):
        raise ArgumentTypeError(f"split: needs a size or a list of sizes, got {split_size_or_sections!r}")
    step = int(split_size_or_sections)
    (size,) = static_sizes("split", [x.shape[at]])
    if step < 0 or (step == 0 and size):
        raise ArgumentError(f"split: the size of the parts must be positive, got {step} for {show(x.shape)}")
    if size == 0:
        return (x,)
    return _pieces(x, at, [*range(0, size, step), size])


@public("split_with_sizes", "unsafe_split_with_sizes", view=True)
def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> tuple[Node, ...]:
    """Parts of given sizes, which add up to the size of the dimension."""
    x = as_node(input)
    at = _dim_to_split("split_with_sizes", x, dim)
    borders: list[Size] = [0]
    for size in split_sizes:
        if not isinstance(size, Dim) and size < 0:
            raise ArgumentError(f"split: the sizes {tuple(split_sizes)} must not be negative")
        borders.append(borders[-1] + size)
    total = borders[-1]
    if total != x.shape[at] and not isinstance(total, Dim) and not isinstance(x.shape[at], Dim):
        raise ShapeError(
            f"split: the sizes {tuple(split_sizes)} add up to {total}, not to dimension {at} of {show(x.shape)}"
        )
    return _pieces(x, at, borders)


@public("chunk", "unsafe_chunk", view=True)
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Node, ...]:
    """At most that many parts of equal size, the last one possibly smaller.

    >>> [x.shape for x in chunk(full((5,), 0.0), 3)]
    [(2,), (2,), (1,)]
    """
    x = as_node(input)
    at = _dim_to_split("chunk", x, dim)
    if chunks < 1:
        raise ArgumentError(f"chunk: the number of chunks must be positive, got {chunks}")
    size = x.shape[at]
    if isinstance(size, Dim):  # an unknown size can only be taken apart evenly
        part = size // chunks
        return _pieces(x, at, [part * i for i in range(chunks)] + [size])
    if size == 0:
        return (x,) * chunks
    return _pieces(x, at, [*range(0, size, -(-size // chunks)), size])


@public("tensor_split", view=True)
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Node, ...]:
    """That many parts as equal as possible, or the parts between given indices.

    >>> [x.shape for x in tensor_split(full((5,), 0.0), 3)], [x.shape for x in tensor_split(full((5,), 0.0), (1, 3))]
    ([(2,), (2,), (1,)], [(1,), (2,), (2,)])
    """
    x = as_node(input)
    at = _dim_to_split("tensor_split", x, dim)
    where = static_value("tensor_split", indices_or_sections)
    (size,) = static_sizes("tensor_split", [x.shape[at]])
    if where.dtype.kind not in "iu" and where.size:
        raise DTypeError(f"tensor_split: indices must be integers, got {where.dtype}")
    if where.ndim == 0:
        sections = int(where)
        if sections < 1:
            raise ArgumentError(f"tensor_split: the number of sections must be positive, got {sections}")
        base, larger = divmod(size, sections)
        return _pieces(x, at, [i * base + min(i, larger) for i in range(sections + 1)])
    if where.ndim > 1:
        raise ShapeError(f"tensor_split: indices must be a vector, got {show(where.shape)}")
    borders = [0, *(min(max(i + size if i < 0 else i, 0), size) for i in where.tolist()), size]
    return tuple([slice_dim(x, at, a, max(a, b)) for a, b in itertools.pairwise(borders)])


def static_value(op: str, value: Any) -> np.ndarray[Any, Any]:
    """The array that an argument is, when it is known while the graph is built."""
    if isinstance(value, Node):
        if value.op != "constant":
            raise ArgumentError(
                f"{op}: this argument decides the shape of the result, so it must be known when the graph is built",
                hint="pass a Python or NumPy value",
            )
        found: np.ndarray[Any, Any] = value.attributes["value"].array
        return found
    return np.asarray(value)


def _split_along(op: str, input: Any, indices_or_sections: Any, dim: int, rank: int) -> tuple[Node, ...]:
    x = as_node(input)
    if len(x.shape) < rank:
        raise ShapeError(f"{op}: needs at least {rank} dimensions, got {show(x.shape)}")
    size = x.shape[dim]
    if (
        isinstance(indices_or_sections, int)
        and isinstance(size, int)
        and (indices_or_sections < 1 or size % indices_or_sections)
    ):
        raise ShapeError(
            f"{op}: dimension {dim} of {show(x.shape)} does not split into {indices_or_sections} equal parts"
        )
    return tensor_split(x, indices_or_sections, dim)


@public("hsplit", view=True)
def hsplit(input: Any, indices_or_sections: Any) -> tuple[Node, ...]:
    """Parts along dimension 1 (vectors: 0), equal ones or between given indices."""
    return _split_along("hsplit", input, indices_or_sections, 0 if len(as_node(input).shape) == 1 else 1, 1)


@public("vsplit", view=True)
def vsplit(input: Any, indices_or_sections: Any) -> tuple[Node, ...]:
    """Parts along dimension 0, equal ones or between given indices."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@public("dsplit", view=True)
def dsplit(input: Any, indices_or_sections: Any) -> tuple[Node, ...]:
    """Parts along dimension 2, equal ones or between given indices."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


@public("unbind", view=True)
def unbind(input: Any, dim: int = 0) -> tuple[Node, ...]:
    """The slices along a dimension, which the slices no longer have.

    >>> [x.shape for x in unbind(full((2, 3), 0.0), 1)]
    [(2,), (2,), (2,)]
    """
    x = as_node(input)
    at = _dim_to_split("unbind", x, dim)
    (size,) = static_sizes("unbind", [x.shape[at]])
    return tuple([select(x, at, i) for i in range(size)])


@public(view=True)
def narrow(input: Any, dim: int, start: Any, length: Size) -> Node:
    """`length` elements of a dimension from `start` on, which may be negative or a tensor without dimensions.

    >>> narrow(full((5, 2), 0.0), 0, 1, 3).shape
    (3, 2)
    """
    x = as_node(input)
    at = _dim_to_split("narrow", x, dim)
    size = x.shape[at]
    if isinstance(start, Node) and (start.dtype.kind not in ("int", "uint") or start.shape):
        raise ArgumentTypeError(f"narrow: start must be one integer, got {start.dtype.name} {show(start.shape)}")
    if isinstance(start, Node) and start.op != "constant":
        return _narrow_anywhere(x, at, start, length)
    first: Size = int(static_value("narrow", start)) if not isinstance(start, Dim) else start
    if not isinstance(first, Dim) and first < 0:
        first = size + first
    if first < 0 or length < 0 or first + length > size:
        raise OutOfRangeError(
            f"narrow: start {start} and length {length} do not fit size {size} of dimension {at} of {show(x.shape)}"
        )
    return slice_dim(x, at, first, first + length)


def _narrow_anywhere(x: Node, dim: int, start: Node, length: Size) -> Node:
    """`narrow` from a place that is known only when the graph runs."""
    from onegraph.ir.dtype import int64
    from onegraph.ops.binary import add
    from onegraph.ops.indexing import TAKE, wrap

    first = wrap(cast(reshape_to(start, ()), int64), x.shape[dim])
    return TAKE(x, add(iota(length), first), dim=dim)


@public(view=True)
def select(input: Any, dim: int, index: Any) -> Node:
    """One slice of a dimension, which the result no longer has.

    >>> select(full((5, 2), 0.0), 0, -1).shape
    (2,)
    """
    x = as_node(input)
    if not x.shape:
        raise OutOfRangeError("select: a tensor without dimensions has nothing to select from")
    at = normalize_dim("select", dim, len(x.shape))
    y = narrow(x, at, checked_index("select", index, x, at), 1)
    return reshape_to(y, (*x.shape[:at], *x.shape[at + 1 :]))


def checked_index(op: str, index: Any, x: Node, dim: int) -> Any:
    """An index counted from the front; a typed error when it is out of range."""
    if isinstance(index, Node) and index.op != "constant":
        return index
    if isinstance(index, Dim):
        return index
    value = static_value(op, index)
    if value.size != 1 or value.dtype.kind not in "iu":
        raise ArgumentTypeError(f"{op}: an index must be an int, got {index!r}")
    at, size = int(value.reshape(())), x.shape[dim]
    if isinstance(size, Dim):
        return at if at >= 0 else size + at
    if not -size <= at < size:
        raise OutOfRangeError(f"{op}: index {at} is out of range for size {size} of dimension {dim} of {show(x.shape)}")
    return at % size
