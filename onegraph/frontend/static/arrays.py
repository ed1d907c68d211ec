"""Making, moving, joining and picking elements, with TensorFlow 1's names. Strided indexing `x[...]` is here too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.static.shape import ints_of, known_value, sizes_of, static_shape
from onegraph.frontend.static.tensor import Operators, as_operand, checked_dtype, operation
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, bool_, float32, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops import binary, elementwise, movement
from onegraph.ops.arrangement import flip
from onegraph.ops.arrangement import tile as tile_nodes
from onegraph.ops.cast import cast
from onegraph.ops.creation import eye as eye_nodes
from onegraph.ops.indexing import SCATTER, TAKE
from onegraph.ops.joining import cat, unbind
from onegraph.ops.joining import split as split_nodes
from onegraph.ops.joining import stack as stack_nodes
from onegraph.ops.layout import infer_shape, permute_to
from onegraph.ops.leaf import constant, iota
from onegraph.ops.shapes import normalize_dim, numel, show
from onegraph.ops.subscript import get_item
from onegraph.ops.triangular import diagonal

# ---------------------------------------------------------------------------------------- making


def _dtype(dtype: Any, default: DType = float32) -> DType:
    return default if dtype is None else checked_dtype(dtype)


@operation("zeros")
def zeros(shape: Any, dtype: Any = float32) -> Node:
    """A tensor of zeros; the shape may be computed from shapes, e.g. `[tf.shape(x)[0], 10]`."""
    return movement.full(sizes_of("zeros", shape), 0, _dtype(dtype))


@operation("ones")
def ones(shape: Any, dtype: Any = float32) -> Node:
    """A tensor of ones."""
    return movement.full(sizes_of("ones", shape), 1, _dtype(dtype))


@operation("zeros_like")
def zeros_like(tensor: Any, dtype: Any = None, optimize: bool = True) -> Node:
    """Zeros of the shape (and dtype) of another tensor."""
    x = as_operand(tensor)
    return movement.full(x.shape, 0, _dtype(dtype, x.dtype))


@operation("ones_like")
def ones_like(tensor: Any, dtype: Any = None, optimize: bool = True) -> Node:
    """Ones of the shape (and dtype) of another tensor."""
    x = as_operand(tensor)
    return movement.full(x.shape, 1, _dtype(dtype, x.dtype))


@operation("Fill")
def fill(dims: Any, value: Any) -> Node:
    """A tensor of one value."""
    return movement.expand_to(as_operand(value), sizes_of("fill", dims))


@operation("eye")
def eye(num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32) -> Node:
    """Ones on the diagonal of a matrix, or of a batch of matrices, and zeros elsewhere."""
    (rows,) = sizes_of("eye", num_rows)
    (columns,) = (rows,) if num_columns is None else sizes_of("eye", num_columns)
    lead = () if batch_shape is None else sizes_of("eye", batch_shape)
    return movement.expand_to(eye_nodes(rows, columns, dtype=_dtype(dtype)), (*lead, rows, columns))


@operation("range")
def range_(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Node:
    """start, start + delta, ... below limit; with one argument from 0. Sizes of shapes are fine as limits."""
    if limit is None:
        start, limit = 0, start
    values = [_known_number("range", v) for v in (start, limit, delta)]
    whole = all(isinstance(v, (int, Dim)) for v in values)
    kind = _dtype(dtype, int32 if whole else float32)
    first, last, step = values
    if isinstance(step, Dim) or step == 0:
        raise ArgumentError(f"range: delta must be a known number other than 0, got {step}")
    if whole:
        length: Size = (last - first + step - (1 if step > 0 else -1)) // step
        length = length if isinstance(length, Dim) else max(0, length)
    else:
        length = max(0, int(np.ceil((float(last) - float(first)) / float(step))))
    numbers = iota(length, kind)
    if step != 1:
        numbers = binary.mul(numbers, constant(step, kind))
    return numbers if first == 0 and isinstance(first, int) else binary.add(numbers, constant(first, kind))


def _known_number(op: str, value: Any) -> Any:
    if isinstance(value, Node):
        if value.op == "constant" and not value.shape:
            return value.attributes["value"].array.item()
        found = known_value(value)
        if found is None or found.size != 1:
            raise ArgumentError(
                f"{op}: its limits decide the shape of the result, so they must be known when the graph is built"
            )
        value = found.reshape(-1)[0]
    return value if isinstance(value, Dim) else value.item() if isinstance(value, np.generic) else value


@operation("linspace")
def linspace(start: Any, stop: Any, num: Any) -> Node:
    """`num` numbers evenly spaced from start to stop, both included."""
    (count,) = static_shape("linspace", sizes_of("linspace", num))
    first, last = _known_number("linspace", start), _known_number("linspace", stop)
    if count < 1:
        raise ArgumentError(f"linspace: needs at least one number, got num={count}")
    kind = start.dtype if isinstance(start, Node) else float32
    if count == 1:
        return constant([first], kind)
    step = constant((last - first) / (count - 1), kind)
    return binary.add(binary.mul(iota(count, kind), step), constant(first, kind))


@operation("OneHot")
def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int = -1, dtype: Any = None
) -> Node:
    """A new dimension of `depth`, in which the place of each index has `on_value` (1) and others `off_value` (0)."""
    x = as_operand(indices)
    if x.dtype.is_floating_point or x.dtype is bool_:
        raise DTypeError(f"one_hot: indices must be integers, got {x.dtype.name}")
    (size,) = sizes_of("one_hot", depth)
    at = normalize_dim("one_hot", axis, len(x.shape) + 1)
    given = next((v.dtype for v in (on_value, off_value) if isinstance(v, Node)), float32)
    kind = _dtype(dtype, given)
    places = movement.reshape_to(iota(size, int64), (size, *[1] * (len(x.shape) - at)))
    found = movement.reshape_to(cast(x, int64), (*x.shape[:at], 1, *x.shape[at:]))
    on, off = (
        as_operand(v, kind) for v in (1 if on_value is None else on_value, 0 if off_value is None else off_value)
    )
    return elementwise.where(binary.eq(places, found), on, off)


# ---------------------------------------------------------------------------------------- shapes


def _shape_node(sizes: Shape, dtype: DType) -> Node:
    if all(isinstance(s, int) for s in sizes):
        return constant(np.array(sizes, np.int64).reshape(-1), dtype)
    return movement.concat([movement.reshape_to(constant(s, dtype), (1,)) for s in sizes], 0)


@operation("Shape")
def shape(input: Any, out_type: Any = int32) -> Node:
    """The sizes as a vector; they may be used where a shape is needed, for sizes that are not known yet."""
    return _shape_node(as_operand(input).shape, checked_dtype(out_type))


@operation("Size")
def size(input: Any, out_type: Any = int32) -> Node:
    """The number of elements."""
    return constant(numel(as_operand(input).shape), checked_dtype(out_type))


@operation("Rank")
def rank(input: Any) -> Node:
    """The number of dimensions, an int32."""
    return constant(len(as_operand(input).shape), int32)


@operation("Reshape")
def reshape(tensor: Any, shape: Any) -> Node:
    """The same elements in row-major order under another shape; one size may be -1."""
    x = as_operand(tensor)
    sizes = sizes_of("reshape", [] if isinstance(shape, (list, tuple)) and not shape else shape)
    return movement.RESHAPE(x, shape=infer_shape("reshape", x.shape, sizes))


@operation("transpose")
def transpose(a: Any, perm: Any = None, conjugate: bool = False) -> Node:
    """The dimensions in another order, reversed where `perm` is None."""
    x = as_operand(a)
    order = tuple(range(len(x.shape)))[::-1] if perm is None else ints_of("transpose", perm)
    if sorted(order) != list(range(len(x.shape))):
        raise ShapeError(f"transpose: {order} is not an order of the {len(x.shape)} dimensions of {show(x.shape)}")
    return permute_to(x, order)


@operation("matrix_transpose")
def matrix_transpose(a: Any) -> Node:
    """The last two dimensions exchanged."""
    x = as_operand(a)
    if len(x.shape) < 2:
        raise ShapeError(f"matrix_transpose: needs at least two dimensions, got {show(x.shape)}")
    return permute_to(x, [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2])


@operation("ExpandDims")
def expand_dims(input: Any, axis: Any = None, dim: Any = None) -> Node:
    """A dimension of size 1 added at a place."""
    x = as_operand(input)
    at = normalize_dim("expand_dims", ints_of("expand_dims", dim if axis is None else axis)[0], len(x.shape) + 1)
    return movement.RESHAPE(x, shape=(*x.shape[:at], 1, *x.shape[at:]))


@operation("Squeeze")
def squeeze(input: Any, axis: Any = None, squeeze_dims: Any = None) -> Node:
    """Dimensions of size 1 removed: all of them, or those given."""
    x = as_operand(input)
    chosen = axis if axis is not None else squeeze_dims
    dims = [i for i, s in enumerate(x.shape) if s == 1]
    if chosen is not None:
        dims = [normalize_dim("squeeze", d, len(x.shape)) for d in ints_of("squeeze", chosen)]
        for d in dims:
            if isinstance(x.shape[d], int) and x.shape[d] != 1:
                raise ShapeError(f"squeeze: dimension {d} of {show(x.shape)} has size {x.shape[d]}, not 1")
    return movement.RESHAPE(x, shape=tuple([s for i, s in enumerate(x.shape) if i not in dims]))


@operation("BroadcastTo")
def broadcast_to(input: Any, shape: Any) -> Node:
    """Dimensions of size 1 repeated, new ones added in front."""
    return movement.expand_to(as_operand(input), sizes_of("broadcast_to", shape))


# ---------------------------------------------------------------------------------------- joining, taking apart


def _nodes(values: Any) -> list[Node]:
    if isinstance(values, Node) or not isinstance(values, (list, tuple)):
        return [as_operand(values)]
    first = next((v.dtype for v in values if isinstance(v, Node)), None)
    return [as_operand(v, first) for v in values]


@operation("concat")
def concat(values: Any, axis: Any) -> Node:
    """Tensors joined along a dimension that they have."""
    if isinstance(values, int) and isinstance(axis, (list, tuple)):
        raise ArgumentError("concat: since TensorFlow 1.0 the tensors come first, the axis second")
    return cat(_nodes(values), ints_of("concat", axis)[0])


@operation("stack")
def stack(values: Any, axis: int = 0) -> Node:
    """Tensors of one shape joined along a new dimension."""
    return stack_nodes(_nodes(values), axis)


@operation("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0) -> list[Node]:
    """The slices along a dimension, whose size must be known."""
    x = as_operand(value)
    found = list(unbind(x, axis))
    if num is not None and num != len(found):
        raise ShapeError(f"unstack: dimension {axis} of {show(x.shape)} has {len(found)} slices, not {num}")
    return found


@operation("split")
def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None) -> list[Node]:
    """That many equal parts, or parts of the given sizes, one of which may be -1."""
    x = as_operand(value)
    at = normalize_dim("split", ints_of("split", axis)[0], len(x.shape))
    have = x.shape[at]
    if isinstance(num_or_size_splits, (list, tuple, np.ndarray)):
        sizes = list(sizes_of("split", num_or_size_splits))
        if sizes.count(-1) == 1:
            known = sum([s for s in sizes if s != -1])
            sizes[sizes.index(-1)] = have - known
        return list(split_nodes(x, sizes, at))
    (count,) = ints_of("split", num_or_size_splits)
    if count < 1 or (isinstance(have, int) and have % count):
        raise ShapeError(f"split: dimension {at} of {show(x.shape)} does not split into {count} equal parts")
    part = have // count
    return [movement.slice_dim(x, at, part * i, part * (i + 1)) for i in range(count)]


@operation("Tile")
def tile(input: Any, multiples: Any) -> Node:
    """The tensor repeated along each of its dimensions."""
    x = as_operand(input)
    times = ints_of("tile", multiples)
    if len(times) != len(x.shape):
        raise ShapeError(f"tile: {len(times)} multiples for the {len(x.shape)} dimensions of {show(x.shape)}")
    return tile_nodes(x, times)


@operation("Pad")
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0) -> Node:
    """Values put before and after each dimension.

    Args:
        paddings: a pair (before, after) for each dimension.
        mode: "CONSTANT", "REFLECT" (the border not repeated) or "SYMMETRIC" (the border repeated).
    """
    x = as_operand(tensor)
    flat = ints_of("pad", np.reshape(paddings, (-1,)) if not isinstance(paddings, Node) else paddings)
    if len(flat) != 2 * len(x.shape):
        raise ShapeError(f"pad: paddings must be a pair for each dimension of {show(x.shape)}, got {paddings}")
    pairs = [(flat[2 * i], flat[2 * i + 1]) for i in range(len(x.shape))]
    kind = mode.upper()
    if kind == "CONSTANT":
        return movement.PAD(x, as_operand(constant_values, x.dtype), padding=tuple([(a, b, 0) for a, b in pairs]))
    if kind not in ("REFLECT", "SYMMETRIC"):
        raise ArgumentError(f"pad: mode must be CONSTANT, REFLECT or SYMMETRIC, got {mode!r}")
    for d, (before, after) in enumerate(pairs):
        if before or after:
            x = _mirrored(x, d, before, after, 1 if kind == "REFLECT" else 0)
    return x


def _mirrored(x: Node, dim: int, before: int, after: int, skipped: int) -> Node:
    (length,) = static_shape("pad", [x.shape[dim]])
    if max(before, after) > length - skipped:
        raise ShapeError(
            f"pad: {max(before, after)} mirrored elements, but dimension {dim} of {show(x.shape)} has {length}"
        )
    parts = []
    if before:
        parts.append(flip(movement.slice_dim(x, dim, skipped, skipped + before), (dim,)))
    parts.append(x)
    if after:
        parts.append(flip(movement.slice_dim(x, dim, length - skipped - after, length - skipped), (dim,)))
    return movement.concat(parts, dim)


@operation("Reverse")
def reverse(tensor: Any, axis: Any) -> Node:
    """Dimensions turned around."""
    x = as_operand(tensor)
    return movement.FLIP(
        x, dims=tuple(sorted(normalize_dim("reverse", d, len(x.shape)) for d in ints_of("reverse", axis)))
    )


# ---------------------------------------------------------------------------------------- picking


@operation("Slice")
def slice_(input_: Any, begin: Any, size: Any) -> Node:
    """A block: where it begins and its size in each dimension, -1 for the rest. The beginning may be computed."""
    x = as_operand(input_)
    sizes = sizes_of("slice", size)
    if isinstance(begin, Node) and known_value(begin) is None:
        return _slice_anywhere(x, begin, sizes)
    begins = sizes_of("slice", begin)
    if not len(begins) == len(sizes) == len(x.shape):
        raise ShapeError(
            f"slice: begin {begins} and size {sizes} need one number for each dimension of {show(x.shape)}"
        )
    stops = [have if n == -1 else b + n for have, b, n in zip(x.shape, begins, sizes, strict=True)]
    return movement.SLICE(x, starts=tuple(begins), stops=tuple(stops), steps=(1,) * len(begins))


def _slice_anywhere(x: Node, begin: Node, sizes: Sequence[Any]) -> Node:
    if -1 in sizes or len(sizes) != len(x.shape):
        raise ArgumentError("slice: where the beginning is computed, each size must be known")
    for d, length in enumerate(sizes):
        first = movement.reshape_to(movement.slice_dim(cast(begin, int64), 0, d, d + 1), ())
        x = TAKE(x, binary.add(iota(length, int64), first), dim=d)
    return x


@operation("strided_slice")
def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None) -> Node:
    """Elements begin to end of each dimension, with a step."""
    begins, ends = sizes_of("strided_slice", begin), sizes_of("strided_slice", end)
    steps = (1,) * len(begins) if strides is None else ints_of("strided_slice", strides)
    return get_item(as_operand(input_), tuple([slice(*s) for s in zip(begins, ends, steps, strict=True)]))


@operation("strided_slice")
def _subscript(x: Any, index: Any) -> Node:
    return get_item(x, index)


def _plain_index(item: Any) -> Any:
    """One item of an index: tensors that are known while the graph is built become numbers."""
    if isinstance(item, slice):
        return slice(*[_plain_index(b) for b in (item.start, item.stop, item.step)])
    if isinstance(item, Operators):
        found = known_value(item.node)  # type: ignore[attr-defined]
        return item if found is None or found.ndim else _known_number("x[...]", item.node)  # type: ignore[attr-defined]
    return item


def _getitem(self: Operators, index: Any) -> Any:
    items = index if isinstance(index, tuple) else (index,)
    plain = tuple([_plain_index(i) for i in items])
    for item in plain:
        if isinstance(item, Operators) and item.dtype is bool_:
            return boolean_mask(self, item)
    return _subscript(self, plain, name="strided_slice")


setattr(Operators, "__getitem__", _getitem)  # noqa: B010  assigning it looks like generics to type checkers


@operation("boolean_mask")
def boolean_mask(tensor: Any, mask: Any) -> Node:
    """The elements where a mask is true; the mask must be a constant, since it decides the result's shape."""
    known = mask.attributes["value"].array if isinstance(mask, Node) and mask.op == "constant" else mask
    if isinstance(known, Node):
        raise ArgumentError(
            "boolean_mask: the number of true elements decides the shape of the result, so the mask must be a constant",
            hint="use tf.where(mask, x, zeros), or weights of 0 and 1",
        )
    return get_item(as_operand(tensor), np.asarray(known, bool))


@operation("GatherV2")
def gather(params: Any, indices: Any, validate_indices: Any = None, axis: Any = 0) -> Node:
    """Slices of a dimension picked by their numbers; the dimensions of `indices` take its place."""
    x, index = as_operand(params), _index(indices)
    return TAKE(x, index, dim=normalize_dim("gather", ints_of("gather", axis)[0], len(x.shape)))


def _index(indices: Any) -> Node:
    index = as_operand(indices)
    if index.dtype.kind not in ("int", "uint"):
        raise DTypeError(f"indices must be integers, got {index.dtype.name}")
    return cast(index, int64)


def _columns(index: Node) -> list[Node]:
    last = len(index.shape) - 1
    (count,) = static_shape("gather_nd", [index.shape[last]])
    return [movement.reshape_to(movement.slice_dim(index, last, i, i + 1), index.shape[:-1]) for i in range(count)]


@operation("GatherNd")
def gather_nd(params: Any, indices: Any) -> Node:
    """Elements or slices picked by rows of coordinates, the last dimension of `indices`."""
    return TAKE(as_operand(params), *_columns(_index(indices)), dim=0)


@operation("ScatterNd")
def scatter_nd(indices: Any, updates: Any, shape: Any) -> Node:
    """Zeros, with updates added at the places that rows of coordinates give."""
    values = as_operand(updates)
    base = movement.full(sizes_of("scatter_nd", shape), 0, values.dtype)
    return SCATTER(base, *_columns(_index(indices)), values, dim=0, mode="add")


@operation("Select")
def where(condition: Any, x: Any = None, y: Any = None) -> Node:
    """x where the condition is true, else y. A condition of one dimension chooses rows, as in TensorFlow 1."""
    if x is None or y is None:
        raise ArgumentError(
            "where: the places of true elements have a shape that depends on the data, which is not supported",
            hint="give x and y; or fetch the condition and use numpy.argwhere",
        )
    c = as_operand(condition)
    first = next((v.dtype for v in (x, y) if isinstance(v, Node)), None)
    a, b = as_operand(x, first), as_operand(y, first)
    if len(c.shape) == 1 and len(a.shape) > 1:
        c = movement.reshape_to(c, (c.shape[0], *[1] * (len(a.shape) - 1)))
    return elementwise.where(c, a, b)


@operation("DiagPart")
def diag_part(input: Any) -> Node:
    """The diagonal of a square matrix."""
    return diagonal(as_operand(input))
