"""Reading and writing along one dimension by index: gather, scatter, index_select, index_add, take, put.

Built from the primitives of `indexing.py`. Indices count from 0 unless a function says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import DType, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import DIV, floor_divide, mul
from onegraph.ops.cast import cast
from onegraph.ops.connection import connected
from onegraph.ops.indexing import SCATTER, SET_SLICE, TAKE, wrap
from onegraph.ops.joining import checked_index
from onegraph.ops.layout import unsqueeze
from onegraph.ops.leaf import iota
from onegraph.ops.movement import SLICE, expand_to, full, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import broadcast_shapes, normalize_dim, same_shape, show
from onegraph.ops.subscript import resolve_slice, set_item


def as_index(op: str, index: Any) -> Node:
    """An index tensor of int32 or int64."""
    node = as_node(index)
    if node.dtype is int64 or node.dtype is int32:
        return node
    if node.size == 0:
        return cast(node, int64)
    raise DTypeError(f"{op}: the index must be int64 or int32, got {node.dtype.name} {show(node.shape)}")


def _same_dtype(op: str, x: Node, other: Any, name: str) -> Node:
    """The other operand, which must have x's dtype; Python numbers take it."""
    if not isinstance(other, Node):
        return as_node(other, x.dtype)
    if other.dtype is not x.dtype:
        raise DTypeError(
            f"{op}: input is {x.dtype.name} and {name} {other.dtype.name}", hint=f"cast {name} with .to(input.dtype)"
        )
    return other


def _places(op: str, x: Node, dim: int, index: Node) -> tuple[Node, list[Node]]:
    """x with at least one dimension, and an index of the given index's shape for each dimension of x."""
    x = reshape_to(x, x.shape or (1,))
    if len(index.shape) != len(x.shape):
        raise ShapeError(
            f"{op}: the index {show(index.shape)} must have as many dimensions as the input {show(x.shape)}"
        )
    for i, (size, limit) in enumerate(zip(index.shape, x.shape, strict=True)):
        if i != dim and not isinstance(size, Dim) and not isinstance(limit, Dim) and size > limit:
            raise ShapeError(
                f"{op}: the index {show(index.shape)} is larger than the input {show(x.shape)} in dimension {i}"
            )
    found = []
    for i, size in enumerate(index.shape):
        line = tuple([size if j == i else 1 for j in range(len(index.shape))])
        found.append(index if i == dim else expand_to(reshape_to(iota(size), line), index.shape))
    return x, found


def _as_vector(node: Node) -> Node:
    return reshape_to(node, node.shape or (1,))


@public()
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Node:
    """out[i][j][k] = input[index[i][j][k]][j][k] for dim 0, and so on.

    Args:
        input: tensor.
        index: int64 or int32, as many dimensions as `input`, sizes at most its sizes except in `dim`.
        sparse_grad: for PyTorch's sake; gradients are always dense.

    Raises:
        OutOfRangeError: an index outside 0 to size - 1, when the graph runs.

    >>> gather(full((3, 4), 0.0), 1, full((3, 1), 2)).shape
    (3, 1)
    """
    x, idx = as_node(input), as_index("gather", index)
    at = normalize_dim("gather", dim, len(x.shape))
    if idx.size == 0:
        return connected(full(idx.shape, 0, dtype=x.dtype), x)
    shape = idx.shape
    y, places = _places("gather", x, at, _as_vector(idx))
    return reshape_to(TAKE(y, *places, dim=0), shape)


@public()
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Node:
    """`gather` with broadcasting of all dimensions but `dim`; without `dim`, of both in one row."""
    x, idx = as_node(input), as_index("take_along_dim", indices)
    if dim is None:
        flat = reshape_to(idx, (idx.size,))
        return gather(reshape_to(x, (x.size,)), 0, wrap(flat, x.size))
    if len(x.shape) != len(idx.shape):
        raise ShapeError(f"take_along_dim: {show(x.shape)} and indices {show(idx.shape)} must have as many dimensions")
    at = normalize_dim("take_along_dim", dim, len(x.shape))
    others = [(*n.shape[:at], 1, *n.shape[at + 1 :]) for n in (x, idx)]
    common = broadcast_shapes("take_along_dim", *others)
    wide, wide_index = (expand_to(n, (*common[:at], n.shape[at], *common[at + 1 :])) for n in (x, idx))
    return gather(wide, at, wrap(wide_index, x.shape[at]))


def _scatter(op: str, input: Any, dim: int, index: Any, src: Any, mode: str) -> Node:
    x, idx = as_node(input), as_index(op, index)
    at = normalize_dim(op, dim, len(x.shape))
    if idx.size == 0 and not isinstance(idx.size, Dim):
        return x
    index_vector = _as_vector(idx)
    y, places = _places(op, x, at, index_vector)
    if isinstance(src, Node):
        updates = _part_of_source(op, _as_vector(_same_dtype(op, x, src, "src")), index_vector.shape)
    else:
        updates = full(index_vector.shape, src, dtype=x.dtype)
    return reshape_to(SCATTER(y, *places, updates, dim=0, mode=mode), x.shape)


def _part_of_source(op: str, src: Node, shape: Shape) -> Node:
    """The beginning of the source that the index covers."""
    if src.shape == shape:
        return src
    if len(src.shape) != len(shape) or any(
        not isinstance(a, Dim) and not isinstance(b, Dim) and a < b for a, b in zip(src.shape, shape, strict=True)
    ):
        raise ShapeError(f"{op}: the index {show(shape)} is larger than src {show(src.shape)}")
    return SLICE(src, starts=(0,) * len(shape), stops=shape, steps=(1,) * len(shape))


_REDUCTIONS = {
    "add": "add",
    "multiply": "multiply",
    "sum": "add",
    "prod": "multiply",
    "amax": "maximum",
    "amin": "minimum",
}


@public(inplace=True)
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Node:
    """The tensor with out[index[i][j][k]][j][k] = src[i][j][k] written (dim 0, and so on).

    Args:
        index: int64 or int32, as many dimensions as `input`.
        src: tensor at least as large as `index`, or a number (also `value=`).
        reduce: None to replace (the last writer stays), 'add' or 'multiply'.

    >>> scatter(full((3, 4), 0.0), 1, full((3, 1), 2), 1.0).shape
    (3, 4)
    """
    if (src is None) == (value is None):
        raise ArgumentError("scatter: give either src or value")
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError(
            f"scatter: reduce must be None, 'add' or 'multiply', got {reduce!r}", hint="scatter_reduce knows more"
        )
    mode = "set" if reduce is None else reduce
    return _scatter("scatter", input, dim, index, value if src is None else src, mode)


@public(inplace=True)
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Node:
    """The tensor with src[i][j][k] added at out[index[i][j][k]][j][k] (dim 0, and so on)."""
    return _scatter("scatter_add", input, dim, index, src, "add")


def _identity(mode: str, dtype: DType) -> Any:
    """What changes nothing when it is combined."""
    if mode in ("add", "multiply"):
        return int(mode == "multiply")
    if dtype.is_floating_point:
        return -math.inf if mode == "maximum" else math.inf
    low, high = (
        (-(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1) if dtype.kind == "int" else (0, (1 << dtype.bits) - 1)
    )
    return low if mode == "maximum" else high


def _reduce_mode(op: str, reduce: str) -> str:
    if reduce != "mean" and reduce not in ("sum", "prod", "amax", "amin"):
        raise ArgumentError(f"{op}: reduce must be 'sum', 'prod', 'mean', 'amax' or 'amin', got {reduce!r}")
    return "add" if reduce == "mean" else _REDUCTIONS[reduce]


def _combine(
    op: str, x: Node, src: Any, reduce: str, include_self: bool, write: Callable[[Node, Any, str], Node]
) -> Node:
    """What scatter_reduce and index_reduce share; write(base, value, mode) puts a tensor or a number at the places."""
    mode = _reduce_mode(op, reduce)
    base = x if include_self else write(x, _identity(mode, x.dtype), "set")
    total = write(base, src, mode)
    if reduce != "mean":
        return total
    count = full(x.shape, 1, dtype=int64)
    if not include_self:
        count = write(count, 0, "set")
    count = cast(write(count, 1, "add"), x.dtype)  # at least 1: places that nothing goes to keep their value
    return DIV(total, count) if x.dtype.is_floating_point else floor_divide(total, count)


@public(inplace=True)
def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Node:
    """The tensor with all of src that goes to one place combined there.

    Args:
        index, src: as for `scatter`.
        reduce: 'sum', 'prod', 'mean', 'amax' or 'amin'.
        include_self: whether what `input` has at that place takes part.

    >>> scatter_reduce(full((3,), 0.0), 0, full((5,), 2), full((5,), 1.0), "mean").shape
    (3,)
    """
    x, idx = as_node(input), as_index("scatter_reduce", index)

    def write(base: Node, value: Any, mode: str) -> Node:
        return _scatter("scatter_reduce", base, dim, idx, value, mode)

    return _combine("scatter_reduce", x, _same_dtype("scatter_reduce", x, src, "src"), reduce, include_self, write)


def _one_index(op: str, x: Node, dim: int, index: Any) -> tuple[Node, int, Node]:
    """x with at least one dimension, the dimension, and the index as a vector."""
    idx = as_index(op, index)
    if len(idx.shape) > 1:
        raise ShapeError(f"{op}: the index must be a vector, got {show(idx.shape)}")
    return _as_vector(x), normalize_dim(op, dim, len(x.shape)), _as_vector(idx)


@public()
def index_select(input: Any, dim: int, index: Any) -> Node:
    """The slices of a dimension that an index vector lists.

    >>> index_select(full((3, 4), 0.0), 1, full((5,), 2)).shape
    (3, 5)
    """
    x = as_node(input)
    y, at, idx = _one_index("index_select", x, dim, index)
    out = TAKE(y, idx, dim=at)
    return out if x.shape else reshape_to(out, ())


def _write_slices(op: str, input: Any, dim: int, index: Any, source: Any, mode: str) -> Node:
    x = as_node(input)
    y, at, idx = _one_index(op, x, dim, index)
    src = _as_vector(_same_dtype(op, x, source, "source"))
    wanted = (*y.shape[:at], idx.shape[0], *y.shape[at + 1 :])
    if not same_shape(src.shape, wanted):
        raise ShapeError(
            f"{op}: {show(x.shape)} with {idx.shape[0]} indices needs a source {show(wanted)}, got {show(src.shape)}"
        )
    return reshape_to(SCATTER(y, idx, src, dim=at, mode=mode), x.shape)


@public(inplace=True)
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Node:
    """The tensor with alpha * source added to the slices that an index vector lists."""
    scaled = source if alpha == 1 else mul(source, alpha)
    return _write_slices("index_add", input, dim, index, scaled, "add")


@public(inplace=True)
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Node:
    """The tensor with the slices that an index vector lists replaced by those of source."""
    return _write_slices("index_copy", input, dim, index, source, "set")


@public(inplace=True)
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Node:
    """The tensor with the slices that an index vector lists filled with a number."""
    x = as_node(input)
    y, at, idx = _one_index("index_fill", x, dim, index)
    number = as_node(value, x.dtype)
    if number.shape:
        raise ShapeError(f"index_fill: the value must be a number, got {show(number.shape)}")
    shape = (*y.shape[:at], idx.shape[0], *y.shape[at + 1 :])
    places = wrap(idx, y.shape[at])
    filled = SCATTER(y, places, full(shape, number, dtype=x.dtype), dim=at, mode="set")
    return reshape_to(filled, x.shape)


@public(inplace=True)
def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Node:
    """The tensor with the slices of source combined ('prod', 'mean', 'amax', 'amin') where an index vector says."""
    if reduce == "sum":
        raise ArgumentError("index_reduce: reduce must be 'prod', 'mean', 'amax' or 'amin'", hint="index_add sums")
    x = as_node(input)
    y, at, idx = _one_index("index_reduce", x, dim, index)

    def write(base: Node, value: Any, mode: str) -> Node:
        shape = (*y.shape[:at], idx.shape[0], *y.shape[at + 1 :])
        spread = value if isinstance(value, Node) else full(shape, value, dtype=base.dtype)
        return _write_slices("index_reduce", base, at, idx, spread, mode)

    return reshape_to(
        _combine("index_reduce", y, _same_dtype("index_reduce", x, source, "source"), reduce, include_self, write),
        x.shape,
    )


@public(inplace=True)
def index_put(input: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Node:
    """The tensor after `input[indices] = values`, or with `accumulate` after adding at each place.

    >>> index_put(full((3, 4), 0.0), (full((2,), 1), full((2,), 3)), full((), 1.0)).shape
    (3, 4)
    """
    items = tuple([slice(None) if i is None else i for i in indices])
    x = as_node(input)
    return set_item(x, items, _same_dtype("index_put", x, values, "values"), accumulate)


@public()
def take(input: Any, index: Any) -> Node:
    """The elements at places counted over all elements in row-major order; negative ones count from the end."""
    x, idx = as_node(input), as_index("take", index)
    return TAKE(reshape_to(x, (x.size,)), wrap(idx, x.size), dim=0)


@public(inplace=True)
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Node:
    """The tensor with elements written at places counted in row-major order, or added with `accumulate`."""
    x, idx = as_node(input), as_index("put", index)
    src = _same_dtype("put", x, source, "source")
    if not same_shape((idx.size,), (src.size,)):
        raise ShapeError(f"put: index {show(idx.shape)} and source {show(src.shape)} must have as many elements")
    flat, places = reshape_to(x, (x.size,)), reshape_to(wrap(idx, x.size), (idx.size,))
    mode = "add" if accumulate else "set"
    return reshape_to(SCATTER(flat, places, reshape_to(src, (idx.size,)), dim=0, mode=mode), x.shape)


@public()
def select_scatter(input: Any, src: Any, dim: int, index: Any) -> Node:
    """The tensor with one slice of a dimension replaced."""
    x = as_node(input)
    at = normalize_dim("select_scatter", dim, len(x.shape))
    place = checked_index("select_scatter", index, x, at)
    value = cast(as_node(src), x.dtype)
    return _set_dim(x, unsqueeze(value, at) if len(value.shape) < len(x.shape) else value, at, place, place + 1, 1)


@public()
def slice_scatter(input: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Node:
    """The tensor with a range of a dimension replaced, as `x[..., start:end:step] = src`."""
    x = as_node(input)
    at = normalize_dim("slice_scatter", dim, len(x.shape))
    if step < 1:
        raise ArgumentError(f"slice_scatter: the step must be positive, got {step}")
    first, last, by, _ = resolve_slice(slice(start, end, step), x.shape[at])
    return _set_dim(x, cast(as_node(src), x.dtype), at, first, last, by)


def _set_dim(x: Node, value: Node, dim: int, start: Any, stop: Any, step: int) -> Node:
    rank = len(x.shape)
    starts, stops, steps = [0] * rank, list(x.shape), [1] * rank
    starts[dim], stops[dim], steps[dim] = start, stop, step
    return SET_SLICE(x, value, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
