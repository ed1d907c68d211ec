"""Other shapes and orders for the same elements: reshape, permute, squeeze, flatten, expand and their kin.

All of them are thin over the primitives of `movement.py`. Joining and splitting are in `joining.py`,
turning and repeating in `arrangement.py`, padding in `padding.py`, diagonals in `triangular.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentTypeError, OutOfRangeError, ShapeError, UnsupportedError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape
from onegraph.ops.movement import PERMUTE, as_shape, expand_to, full, reshape_to  # noqa: F401 (the examples use `full`)
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import broadcast_shapes, normalize_dim, normalize_dims, numel, show


def variadic(op: str, given: tuple[Any, ...], keyword: Any = None) -> tuple[Any, ...]:
    """Sizes or dimensions that were given one by one, as one sequence, or by keyword.

    >>> variadic("view", (2, 3)), variadic("view", ([2, 3],)), variadic("view", (), (2, 3))
    ((2, 3), (2, 3), (2, 3))
    """
    if keyword is not None:
        if given:
            raise ArgumentTypeError(f"{op}: {given} and {keyword} are given for the same argument")
        given = (keyword,)
    if len(given) == 1 and isinstance(given[0], (list, tuple)):
        return tuple(given[0])
    return given


def infer_shape(op: str, have: Shape, want: Sequence[Any]) -> Shape:
    """The shape wanted, with the one size that is -1 replaced by what fits the number of elements.

    >>> infer_shape("view", (4, 6), (-1, 3))
    (8, 3)
    """
    shape = as_shape(op, tuple(want))
    if -1 not in shape:
        return shape
    holes = [i for i, size in enumerate(shape) if size == -1]
    if len(holes) > 1:
        raise ShapeError(f"{op}: only one size of {show(shape)} can be -1")
    total, known = numel(have), numel([size for size in shape if size != -1])
    if known == 0:
        raise ShapeError(f"{op}: -1 in {show(shape)} could be anything, since the other sizes have a 0")
    if isinstance(total, int) and isinstance(known, int) and total % known:
        raise ShapeError(
            f"{op}: {show(have)} to {show(shape)}: {total} elements are not divisible by {known}",
            hint="the sizes given must divide the number of elements",
        )
    return (*shape[: holes[0]], total // known, *shape[holes[0] + 1 :])


@public(view=True)
def reshape(input: Any, *sizes: Any, shape: Any = None) -> Node:
    """The same elements in row-major order under another shape; one size may be -1.

    Args:
        input: tensor of any dtype.
        sizes: the sizes one by one or as a sequence (or `shape=`).

    Raises:
        ShapeError: the number of elements differs.

    >>> reshape(full((4, 6), 0.0), 3, -1).shape
    (3, 8)
    """
    x = as_node(input)
    return reshape_to(x, infer_shape("reshape", x.shape, variadic("reshape", sizes, shape)))


@public(view=True)
def view(input: Any, *sizes: Any, size: Any = None) -> Node:
    """The same elements under another shape, as `reshape`; it never fails for reasons of memory layout.

    >>> view(full((4, 6), 0.0), -1).shape
    (24,)
    """
    x = as_node(input)
    given = variadic("view", sizes, size)
    if len(given) == 1 and isinstance(given[0], DType):
        raise UnsupportedError(
            f"view: the bits of {x.dtype.name} cannot be read as {given[0].name}: tensors have values, not storage",
            hint="x.to(dtype) converts the values; x.numpy().view(...) reinterprets the bits",
        )
    return reshape_to(x, infer_shape("view", x.shape, given))


@public(view=True)
def view_as(input: Any, other: Any) -> Node:
    """The same elements under the shape of `other`."""
    return reshape_to(as_node(input), as_node(other).shape)


@public(view=True)
def reshape_as(input: Any, other: Any) -> Node:
    """The same elements under the shape of `other`."""
    return reshape_to(as_node(input), as_node(other).shape)


def permute_to(x: Node, order: Sequence[int]) -> Node:
    """The dimensions in another order; the node itself when the order is the same."""
    return x if list(order) == list(range(len(x.shape))) else PERMUTE(x, dims=tuple(order))


@public(view=True)
def permute(input: Any, *order: Any, dims: Any = None) -> Node:
    """The dimensions in another order.

    >>> permute(full((2, 3, 4), 0.0), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = as_node(input)
    given = variadic("permute", order, dims)
    axes = [normalize_dim("permute", d, len(x.shape)) for d in given]
    if sorted(axes) != list(range(len(x.shape))):
        raise ShapeError(f"permute: {given} is not an order of the {len(x.shape)} dimensions of {show(x.shape)}")
    return permute_to(x, axes)


@public("transpose", "swapaxes", "swapdims", view=True, inplace=True)
def transpose(input: Any, dim0: int, dim1: int) -> Node:
    """Two dimensions exchanged.

    >>> transpose(full((2, 3, 4), 0.0), 0, -1).shape
    (4, 3, 2)
    """
    x = as_node(input)
    rank = len(x.shape)
    a, b = normalize_dim("transpose", dim0, rank), normalize_dim("transpose", dim1, rank)
    if a == b:
        return x
    order = list(range(rank))
    order[a], order[b] = b, a
    return PERMUTE(x, dims=tuple(order))


@public(view=True, inplace=True)
def t(input: Any) -> Node:
    """A matrix transposed; vectors and scalars stay as they are."""
    x = as_node(input)
    if len(x.shape) > 2:
        raise ShapeError(f"t: needs at most 2 dimensions, got {show(x.shape)}", hint="use transpose(dim0, dim1) or .mT")
    return reverse_dims(x)


def reverse_dims(input: Any) -> Node:
    """All dimensions in reverse order: the `.T` of a tensor."""
    x = as_node(input)
    return permute_to(x, range(len(x.shape))[::-1])


@public("adjoint", view=True)
def matrix_transpose(input: Any) -> Node:
    """The last two dimensions exchanged: the `.mT` of a tensor."""
    x = as_node(input)
    if len(x.shape) < 2:
        raise ShapeError(f"mT: needs at least 2 dimensions, got {show(x.shape)}")
    return transpose(x, -2, -1)


def _dims_in_order(op: str, dims: int | Sequence[int], rank: int) -> list[int]:
    given = tuple(dims) if isinstance(dims, (list, tuple)) else (dims,)
    return [normalize_dim(op, d, rank) for d in given]


@public("movedim", "moveaxis", view=True)
def movedim(input: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Dimensions moved to other places, the others keeping their order.

    >>> movedim(full((2, 3, 4), 0.0), 0, -1).shape
    (3, 4, 2)
    """
    x = as_node(input)
    rank = len(x.shape)
    sources, places = _dims_in_order("movedim", source, rank), _dims_in_order("movedim", destination, rank)
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ShapeError(f"movedim: {source} and {destination} must be as many dimensions, none of them twice")
    if rank == 0:
        return x
    others = iter([d for d in range(rank) if d not in sources])
    target = dict(zip(places, sources, strict=True))
    return permute_to(x, [target[i] if i in target else next(others) for i in range(rank)])


@public(view=True, inplace=True)
def squeeze(input: Any, dim: int | Sequence[int] | None = None) -> Node:
    """Dimensions of size 1 removed: all of them, or those among `dim` that have size 1.

    A size that is not known yet counts as other than 1.

    >>> squeeze(full((1, 3, 1), 0.0)).shape, squeeze(full((1, 3, 1), 0.0), 0).shape
    ((3,), (3, 1))
    """
    x = as_node(input)
    dims = normalize_dims("squeeze", dim, len(x.shape))
    return reshape_to(x, tuple([s for i, s in enumerate(x.shape) if not (i in dims and s == 1)]))


@public(view=True, inplace=True)
def unsqueeze(input: Any, dim: int) -> Node:
    """A dimension of size 1 added at a place.

    >>> unsqueeze(full((2, 3), 0.0), -1).shape
    (2, 3, 1)
    """
    x = as_node(input)
    at = normalize_dim("unsqueeze", dim, len(x.shape) + 1)
    return reshape_to(x, (*x.shape[:at], 1, *x.shape[at:]))


@public(view=True)
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Node:
    """Neighbouring dimensions joined into one; a scalar becomes a vector of one element.

    >>> flatten(full((2, 3, 4), 0.0), 1).shape
    (2, 12)
    """
    x = as_node(input)
    rank = len(x.shape)
    first, last = normalize_dim("flatten", start_dim, rank), normalize_dim("flatten", end_dim, rank)
    if first > last:
        raise OutOfRangeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim} in {show(x.shape)}")
    return reshape_to(x, (*x.shape[:first], numel(x.shape[first : last + 1]), *x.shape[last + 1 :]))


@public(view=True)
def unflatten(input: Any, dim: int, sizes: Any) -> Node:
    """One dimension taken apart into several; one of the sizes may be -1.

    >>> unflatten(full((2, 12), 0.0), 1, (3, -1)).shape
    (2, 3, 4)
    """
    x = as_node(input)
    if not x.shape:
        raise ShapeError("unflatten: a tensor without dimensions has none to take apart")
    at = normalize_dim("unflatten", dim, len(x.shape))
    parts = infer_shape("unflatten", (x.shape[at],), sizes if isinstance(sizes, (list, tuple)) else (sizes,))
    if not parts:
        raise ShapeError("unflatten: sizes must not be empty")
    return reshape_to(x, (*x.shape[:at], *parts, *x.shape[at + 1 :]))


@public(view=True)
def ravel(input: Any) -> Node:
    """All elements in one dimension."""
    x = as_node(input)
    return reshape_to(x, (numel(x.shape),))


def expanded_shape(op: str, have: Shape, want: Sequence[Any]) -> Shape:
    """The shape wanted, with -1 replaced by the size that the dimension has."""
    shape: list[Size] = list(as_shape(op, tuple(want)))
    lead = len(shape) - len(have)
    for i, size in enumerate(shape):
        if size == -1:
            if i < lead:
                raise ShapeError(f"{op}: {show(have)} to {show(shape)}: -1 stands for a size that is there already")
            shape[i] = have[i - lead]
    return tuple(shape)


@public(view=True)
def expand(input: Any, *sizes: Any, size: Any = None) -> Node:
    """Dimensions of size 1 repeated without copying, new dimensions added in front; -1 keeps a size.

    >>> expand(full((3, 1), 0.0), 2, -1, 4).shape
    (2, 3, 4)
    """
    x = as_node(input)
    return expand_to(x, expanded_shape("expand", x.shape, variadic("expand", sizes, size)))


@public(view=True)
def expand_as(input: Any, other: Any) -> Node:
    """The tensor expanded to the shape of `other`."""
    return expand_to(as_node(input), as_node(other).shape)


@public(view=True)
def broadcast_to(input: Any, size: Any) -> Node:
    """The tensor expanded to a shape."""
    x = as_node(input)
    return expand_to(x, expanded_shape("broadcast_to", x.shape, size))


@public(method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Node, ...]:
    """All tensors expanded to the shape that they broadcast to.

    >>> [x.shape for x in broadcast_tensors(full((3, 1), 0.0), full((4,), 0.0))]
    [(3, 4), (3, 4)]
    """
    nodes = [as_node(x) for x in variadic("broadcast_tensors", tensors)]
    if not nodes:
        return ()
    shape = broadcast_shapes("broadcast_tensors", *[n.shape for n in nodes])
    return tuple([expand_to(n, shape) for n in nodes])


def _each(tensors: tuple[Any, ...], change: Any) -> Node | tuple[Node, ...]:
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        found: Node = change(as_node(tensors[0]))
        return found
    return tuple([change(as_node(x)) for x in variadic("atleast", tensors)])


@public(method=False)
def atleast_1d(*tensors: Any) -> Node | tuple[Node, ...]:
    """Tensors without dimensions given one; several tensors give a tuple."""
    return _each(tensors, lambda x: x if x.shape else reshape_to(x, (1,)))


@public(method=False)
def atleast_2d(*tensors: Any) -> Node | tuple[Node, ...]:
    """Dimensions of size 1 added in front until there are two; several tensors give a tuple."""
    return _each(tensors, lambda x: reshape_to(x, (1,) * (2 - len(x.shape)) + x.shape))


@public(method=False)
def atleast_3d(*tensors: Any) -> Node | tuple[Node, ...]:
    """Dimensions of size 1 added until there are three, as NumPy: (n,) becomes (1, n, 1), (n, m) becomes (n, m, 1)."""

    def change(x: Node) -> Node:
        shape = x.shape
        return reshape_to(x, shape if len(shape) > 2 else (1,) * min(1, 2 - len(shape)) + (shape or (1,)) + (1,))

    return _each(tensors, change)


@public()
def contiguous(input: Any) -> Node:
    """The tensor itself: values have no strides, so there is nothing to make contiguous."""
    return as_node(input)


@public()
def clone(input: Any) -> Node:
    """The same values, as a tensor of its own; gradients flow through."""
    return as_node(input)


def static_sizes(op: str, sizes: Sequence[Size]) -> tuple[int, ...]:
    """The sizes as integers; a typed error where one is not known yet."""
    for size in sizes:
        if isinstance(size, Dim):
            raise ShapeError(f"{op}: the size {size} must be known when the graph is built", hint="give the full shape")
    return tuple([int(s) for s in sizes])
