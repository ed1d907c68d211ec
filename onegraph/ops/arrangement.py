"""Elements turned around, shifted, repeated and combined: flip, roll, repeat, unfold, meshgrid, block_diag."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DimensionError, DTypeError, OutOfRangeError, ShapeError, UnsupportedError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, MUL
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.indexing import TAKE
from onegraph.ops.joining import as_nodes
from onegraph.ops.layout import atleast_2d, movedim, static_sizes, transpose, unsqueeze, variadic
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import FLIP, PAD, as_shape, concat, expand_to, full, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import normalize_dim, normalize_dims, numel, show


@public()
def flip(input: Any, *given: Any, dims: Any = None) -> Node:
    """Dimensions in reverse; they are given one by one or as a sequence (or `dims=`).

    >>> flip(full((2, 3), 0.0), (0, 1)).shape
    (2, 3)
    """
    x = as_node(input)
    turned = normalize_dims("flip", variadic("flip", given, dims), len(x.shape))
    return FLIP(x, dims=turned) if turned else x


@public()
def fliplr(input: Any) -> Node:
    """Dimension 1 in reverse."""
    x = as_node(input)
    if len(x.shape) < 2:
        raise ShapeError(f"fliplr: needs at least 2 dimensions, got {show(x.shape)}")
    return FLIP(x, dims=(1,))


@public()
def flipud(input: Any) -> Node:
    """Dimension 0 in reverse."""
    x = as_node(input)
    if not x.shape:
        raise ShapeError("flipud: needs at least 1 dimension, got ()")
    return FLIP(x, dims=(0,))


def _as_ints(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


@public()
def roll(input: Any, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Node:
    """Elements shifted along dimensions; what leaves at one end comes in at the other.

    Args:
        shifts, dims: as many of the one as of the other; without dims all elements are shifted as one row.

    >>> roll(full((2, 3), 0.0), 1, 0).shape
    (2, 3)
    """
    x = as_node(input)
    if dims is None or dims == () or dims == []:
        if len(_as_ints(shifts)) != 1:
            raise ArgumentError(f"roll: without dims there is one shift, got {shifts}")
        return reshape_to(_roll_one(reshape_to(x, (x.size,)), _as_ints(shifts)[0], 0), x.shape)
    if not x.shape:
        raise DimensionError(f"roll: dims {dims} were given for a tensor without dimensions")
    if len(_as_ints(shifts)) != len(_as_ints(dims)):
        raise ArgumentError(f"roll: shifts {shifts} and dims {dims} must be as many")
    for shift, dim in zip(_as_ints(shifts), _as_ints(dims), strict=True):
        x = _roll_one(x, shift, normalize_dim("roll", dim, len(x.shape)))
    return x


def _roll_one(x: Node, shift: int, dim: int) -> Node:
    size = x.shape[dim]
    if size == 0 or shift == 0:
        return x
    if isinstance(size, Dim):  # |shift| <= size is checked when the size is known
        cut = size - shift if shift > 0 else -shift
    else:
        cut = -shift % size
        if cut == 0:
            return x
    return concat([slice_dim(x, dim, cut, size), slice_dim(x, dim, 0, cut)], dim)


@public()
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Node:
    """A quarter turn, k times, in the plane of two dimensions, from the first towards the second."""
    x = as_node(input)
    if len(dims) != 2 or len(x.shape) < 2:
        raise ShapeError(f"rot90: needs two dimensions of at least 2, got {tuple(dims)} of {show(x.shape)}")
    a, b = (normalize_dim("rot90", d, len(x.shape)) for d in dims)
    if a == b:
        raise ShapeError(f"rot90: the two dimensions must differ, got {tuple(dims)}")
    turns = k % 4
    if turns == 0:
        return x
    if turns == 2:
        return FLIP(x, dims=tuple(sorted((a, b))))
    return transpose(FLIP(x, dims=(b,)), a, b) if turns == 1 else FLIP(transpose(x, a, b), dims=(b,))


@public()
def repeat(input: Any, *times: Any, repeats: Any = None) -> Node:
    """The tensor repeated that many times along each dimension; new dimensions come in front.

    >>> repeat(full((2, 3), 0.0), 4, 1, 2).shape
    (4, 2, 6)
    """
    x = as_node(input)
    counts = as_shape("repeat", variadic("repeat", times, repeats))
    lead = len(counts) - len(x.shape)
    if lead < 0:
        raise ShapeError(f"repeat: {show(counts)} has fewer numbers than {show(x.shape)} has dimensions")
    for n in counts:
        if not isinstance(n, Dim) and n < 0:
            raise ArgumentError(f"repeat: the numbers of repeats {show(counts)} must not be negative")
    if all(n == 1 for n in counts):
        return reshape_to(x, (1,) * lead + x.shape)
    sizes = (1,) * lead + x.shape
    apart: list[Size] = []  # (1, size) for each dimension, then (times, size), then their product
    wide: list[Size] = []
    for n, size in zip(counts, sizes, strict=True):
        apart += [size] if n == 1 else [1, size]
        wide += [size] if n == 1 else [n, size]
    joined = tuple([n * size for n, size in zip(counts, sizes, strict=True)])
    return reshape_to(expand_to(reshape_to(x, tuple(apart)), tuple(wide)), joined)


@public()
def tile(input: Any, *given: Any, dims: Any = None) -> Node:
    """The tensor repeated that many times along its last dimensions."""
    x = as_node(input)
    times = variadic("tile", given, dims)
    return repeat(x, (1,) * (len(x.shape) - len(times)) + tuple(times))


@public()
def repeat_interleave(input: Any, repeats: Any, dim: int | None = None, *, output_size: Size | None = None) -> Node:
    """Each element (or each slice of a dimension) repeated, side by side.

    Args:
        repeats: how often: a number, or integers for each slice.
        dim: None for all elements in one row.
        output_size: the sum of `repeats`, needed when their values are not known while the graph is built.

    >>> repeat_interleave(full((2, 3), 0.0), 2, dim=1).shape
    (2, 6)
    """
    x = as_node(input)
    if dim is None:
        x, at = reshape_to(x, (x.size,)), 0
    else:
        at = normalize_dim("repeat_interleave", dim, len(x.shape))
        x = reshape_to(x, x.shape or (1,))
    size = x.shape[at]
    if isinstance(repeats, Node) and repeats.op != "constant":
        return _repeat_unknown(x, repeats, at, output_size)
    if isinstance(repeats, (int, Dim)):
        times: Any = repeats
    else:
        counts = repeats.attributes["value"].array if isinstance(repeats, Node) else np.asarray(repeats)
        if counts.dtype.kind not in "iu" or counts.ndim > 1:
            raise DTypeError(
                f"repeat_interleave: repeats must be a vector of integers, got {counts.dtype} {show(counts.shape)}"
            )
        if counts.size != 1:
            return _repeat_each(x, counts, at)
        times = int(counts.reshape(()))
    if not isinstance(times, Dim) and times < 0:
        raise ArgumentError(f"repeat_interleave: repeats must not be negative, got {times}")
    wide = (*x.shape[: at + 1], times, *x.shape[at + 1 :])
    return reshape_to(expand_to(unsqueeze(x, at + 1), wide), (*x.shape[:at], size * times, *x.shape[at + 1 :]))


def _repeat_each(x: Node, counts: np.ndarray[Any, Any], dim: int) -> Node:
    size = x.shape[dim]
    if counts.size != size and not isinstance(size, Dim):
        raise ShapeError(
            f"repeat_interleave: {counts.size} repeats for size {size} of dimension {dim} of {show(x.shape)}"
        )
    if counts.size and counts.min() < 0:
        raise ArgumentError("repeat_interleave: repeats must not be negative")
    return TAKE(x, numpy_constant(np.repeat(np.arange(counts.size), counts)), dim=dim)


def _repeat_unknown(x: Node, repeats: Node, dim: int, output_size: Size | None) -> Node:
    from onegraph.ops.lookup import searchsorted
    from onegraph.ops.scan import CUMSUM

    if output_size is None:
        raise UnsupportedError(
            "repeat_interleave: the shape of the result depends on the values of repeats",
            hint="give output_size, the sum of repeats",
        )
    counts = expand_to(reshape_to(cast(repeats, int64), repeats.shape or (1,)), (x.shape[dim],))
    ends = CUMSUM(counts, dim=0, reverse=False)
    return TAKE(x, searchsorted(ends, iota(output_size), right=True), dim=dim)


@public("unfold")
def unfold(input: Any, dimension: int, size: int, step: int) -> Node:
    """Windows of a dimension, every `step` elements, as a new last dimension.

    >>> unfold(full((2, 7), 0.0), 1, 3, 2).shape
    (2, 3, 3)
    """
    x = as_node(input)
    scalar = not x.shape
    x = reshape_to(x, x.shape or (1,))
    at = normalize_dim("unfold", dimension, len(x.shape))
    if size < 0 or step < 1 or size > x.shape[at]:
        raise OutOfRangeError(
            f"unfold: size {size} and step {step} do not fit size {x.shape[at]} of dimension {at} of {show(x.shape)}"
        )
    count = (x.shape[at] - size) // step + 1
    if step >= size and size:  # windows do not overlap: they are rows of a matrix
        covered = slice_dim(x, at, 0, (count - 1) * step + size)
        keep = [(0, 0, 0)] * len(x.shape)
        keep[at] = (0, step - size, 0)
        full_rows = PAD(covered, constant(0, x.dtype), padding=tuple(keep)) if step > size else covered
        rows = reshape_to(full_rows, (*x.shape[:at], count, step, *x.shape[at + 1 :]))
        y = slice_dim(rows, at + 1, 0, size)
    else:
        first = MUL(reshape_to(iota(count), (count, 1)), constant(step, int64))
        y = TAKE(x, ADD(first, reshape_to(iota(size), (1, size))), dim=at)
    y = movedim(y, at + 1, -1)
    return reshape_to(y, (size,)) if scalar else y


@public()
def as_strided(input: Any, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Node:
    """The elements at regular distances among all elements in row-major order.

    Args:
        size, stride: of each dimension of the result, how many elements and how far apart.
        storage_offset: where the first one is (None: 0).

    Unlike PyTorch's, the result is no view: tensors have values, not storage.

    >>> as_strided(full((3, 3), 0.0), (2, 2), (1, 2)).shape
    (2, 2)
    """
    x = as_node(input)
    sizes, strides = as_shape("as_strided", tuple(size)), tuple(stride)
    if len(sizes) != len(strides):
        raise ShapeError(f"as_strided: size {show(sizes)} and stride {show(strides)} must be as long")
    place = constant(storage_offset or 0, int64)
    for i, (n, distance) in enumerate(zip(sizes, strides, strict=True)):
        line = tuple([n if j == i else 1 for j in range(len(sizes))])
        place = ADD(place, MUL(reshape_to(iota(n), line), constant(distance, int64)))
    return TAKE(reshape_to(x, (x.size,)), place, dim=0)


@public(method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Node, ...]:
    """Vectors spread over the grid that they make: result i varies along dimension i.

    Args:
        indexing: 'ij', or 'xy' to exchange the first two dimensions.

    >>> [x.shape for x in meshgrid(full((2,), 0.0), full((3,), 0.0))]
    [(2, 3), (2, 3)]
    """
    nodes = [as_node(x) for x in variadic("meshgrid", tensors)]
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if not nodes:
        raise ArgumentError("meshgrid: needs at least one tensor")
    for node in nodes:
        if len(node.shape) > 1:
            raise ShapeError(f"meshgrid: needs vectors or scalars, got {show(node.shape)}")
        if node.dtype is not nodes[0].dtype:
            raise DTypeError(f"meshgrid: dtypes {nodes[0].dtype.name} and {node.dtype.name} differ")
    sizes = [numel(n.shape) for n in nodes]
    axes = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        axes[0], axes[1] = 1, 0
    shape: list[Size] = [1] * len(nodes)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    spread = []
    for node, axis, size in zip(nodes, axes, sizes, strict=True):
        line = tuple([size if i == axis else 1 for i in range(len(nodes))])
        spread.append(expand_to(reshape_to(node, line), tuple(shape)))
    return tuple(spread)


@public(method=False)
def cartesian_prod(*tensors: Any) -> Node:
    """All combinations of the elements of vectors, one a row; a single vector stays as it is.

    >>> cartesian_prod(full((2,), 0.0), full((3,), 0.0)).shape
    (6, 2)
    """
    nodes = [as_node(x) for x in variadic("cartesian_prod", tensors)]
    for node in nodes:
        if len(node.shape) != 1:
            raise ShapeError(f"cartesian_prod: needs vectors, got {show(node.shape)}")
    if len(nodes) == 1:
        return nodes[0]
    columns = [reshape_to(x, (x.size, 1)) for x in meshgrid(*nodes)]
    return concat(columns, 1)


@public()
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Node:
    """All choices of r elements of a vector in their order, one a row.

    >>> combinations(full((4,), 0.0)).shape
    (6, 2)
    """
    x = as_node(input)
    if len(x.shape) != 1:
        raise ShapeError(f"combinations: needs a vector, got {show(x.shape)}")
    if r < 0:
        raise ArgumentError(f"combinations: r must not be negative, got {r}")
    (size,) = static_sizes("combinations", x.shape)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(size), r)), np.int64).reshape(-1, r) if r else np.zeros((0,), np.int64)
    return TAKE(x, numpy_constant(rows), dim=0)


@public(method=False)
def block_diag(*tensors: Any) -> Node:
    """A matrix with matrices along its diagonal, and zero elsewhere; vectors count as rows.

    >>> block_diag(full((2, 3), 1.0), full((1, 1), 1.0)).shape
    (3, 4)
    """
    given = variadic("block_diag", tensors)
    if not given:
        return full((1, 0), 0.0)
    nodes = [atleast_2d(x) for x in as_nodes("block_diag", given)]
    width: Size = 0
    for node in nodes:
        if not isinstance(node, Node) or len(node.shape) != 2:
            raise ShapeError(f"block_diag: needs matrices, vectors or scalars, got {node!r}")
        width = width + node.shape[1]
    rows = []
    before: Size = 0
    for node in nodes:
        assert isinstance(node, Node)
        after = width - before - node.shape[1]
        rows.append(PAD(node, constant(0, node.dtype), padding=((0, 0, 0), (before, after, 0))))
        before = before + node.shape[1]
    return concat(rows, 0)
