"""Functions of the standard that move, pick, search, sort and count elements.

Read next: `statistics.py`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import onegraph as og
from onegraph.array_api.dtypes import result_type
from onegraph.array_api.support import Axis, array, axes_of, pair
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import int64


def _together(name: str, arrays: Any) -> list[Tensor]:
    tensors = [array(name, a) for a in arrays]
    if not tensors:
        raise ArgumentError(f"{name}: expected at least one tensor")
    kind = result_type(*tensors)
    return [t.to(kind) for t in tensors]


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """The tensors, each expanded to the shape that they broadcast to together."""
    shape = og.broadcast_shapes(*[array("broadcast_arrays", a).shape for a in arrays])
    return tuple([og.broadcast_to(a, shape) for a in arrays])


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that shapes broadcast to together.

    >>> from onegraph import array_api as xp
    >>> xp.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return tuple(og.broadcast_shapes(*shapes))


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """The tensor, expanded to a shape."""
    return og.broadcast_to(array("broadcast_to", x), tuple(shape))  # type: ignore[no-any-return]


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; with `axis=None`, their elements in one row."""
    tensors = _together("concat", arrays)
    if axis is None:
        return og.cat([og.reshape(t, (-1,)) for t in tensors], 0)  # type: ignore[no-any-return]
    return og.cat(tensors, axis)  # type: ignore[no-any-return]


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Tensors of one shape, side by side along a new axis."""
    return og.stack(_together("stack", arrays), axis)  # type: ignore[no-any-return]


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis."""
    return tuple(og.unbind(array("unstack", x), axis))


def expand_dims(x: Tensor, /, axis: Axis) -> Tensor:
    """The tensor with new axes of size 1 at these places of the result."""
    x = array("expand_dims", x)
    wanted = axis if isinstance(axis, tuple) else (axis,)
    places = axes_of(wanted, x.ndim + len(wanted))  # type: ignore[arg-type]
    for place in sorted(places):
        x = og.unsqueeze(x, place)
    return x


def squeeze(x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor:
    """The tensor without these axes, which must have size 1.

    Raises:
        ShapeError: for an axis of another size.
    """
    x = array("squeeze", x)
    places = axes_of(axis, x.ndim)
    if any(p < x.ndim and x.shape[p] != 1 for p in places):
        raise ShapeError(f"squeeze: axes {axis} of a tensor of shape {tuple(x.shape)} are not all of size 1")
    return og.squeeze(x, places)  # type: ignore[no-any-return]


def flip(x: Tensor, /, *, axis: Axis = None) -> Tensor:
    """The elements in reverse order along the axes, or along all of them."""
    x = array("flip", x)
    return og.flip(x, axes_of(axis, x.ndim))  # type: ignore[no-any-return]


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """The tensor with axes moved to other places; the others keep their order."""
    return og.movedim(array("moveaxis", x), source, destination)  # type: ignore[no-any-return]


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """The tensor with its axes in another order."""
    return og.permute(array("permute_dims", x), tuple(axes))  # type: ignore[no-any-return]


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element, or each slice along an axis, as often as `repeats` says."""
    return og.repeat_interleave(array("repeat", x), repeats, axis)  # type: ignore[no-any-return]


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in another shape; it is a view of the tensor unless `copy=True`."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    result = og.reshape(array("reshape", x), shape)
    return result.clone() if copy else result  # type: ignore[no-any-return]


def roll(x: Tensor, /, shift: Any, *, axis: Axis = None) -> Tensor:
    """The elements moved along axes; what leaves at one end comes in at the other."""
    if axis is None:
        return og.roll(array("roll", x), shift)  # type: ignore[no-any-return]
    axes = axes_of(axis, array("roll", x).ndim)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    return og.roll(x, shifts, axes)  # type: ignore[no-any-return]


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The tensor repeated as a whole along its axes."""
    return og.tile(array("tile", x), tuple(repetitions))  # type: ignore[no-any-return]


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices along an axis at these places, which may be negative.

    Args:
        x: any tensor.
        indices: integers, one-dimensional.
        axis: needed unless x has one dimension.

    >>> from onegraph import array_api as xp
    >>> xp.take(xp.asarray([5, 6, 7]), xp.asarray([2, 0]))
    tensor([7, 5])
    """
    x, indices = array("take", x), array("take", indices)
    if axis is None:
        if x.ndim != 1:
            raise ArgumentError(f"take: axis is needed for a tensor of {x.ndim} dimensions")
        axis = 0
    (place,) = axes_of(axis, x.ndim)
    return x[(slice(None),) * place + (indices,)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements at these places along an axis, which may be negative; the other axes broadcast."""
    x, indices = array("take_along_axis", x), array("take_along_axis", indices).to(int64)
    size = x.shape[axis]
    return og.take_along_dim(x, og.where(indices < 0, indices + size, indices), axis)  # type: ignore[no-any-return]


# ---- searching and sorting


def _position(function: Any, name: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    result = function(array(name, x), axis)
    if not keepdims:
        return result  # type: ignore[no-any-return]
    places = axes_of(axis, x.ndim)
    return og.reshape(result, tuple([1 if i in places else s for i, s in enumerate(x.shape)]))  # type: ignore[no-any-return]


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest elements are along an axis, or in the row of all; the first among equals."""
    return _position(og.argmax, "argmax", x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest elements are along an axis, or in the row of all; the first among equals."""
    return _position(og.argmin, "argmin", x, axis, keepdims)


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in sorted order; equal elements keep their order."""
    return og.argsort(array("argsort", x), dim=axis, descending=descending, stable=True)  # type: ignore[no-any-return]


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in sorted order; equal elements keep their order."""
    return og.sort(array("sort", x), dim=axis, descending=descending, stable=True)[0]  # type: ignore[no-any-return]


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements along axes are not zero, as int64."""
    x = array("count_nonzero", x)
    places = axes_of(axis, x.ndim)
    counted = og.ne(x, 0).to(int64)
    return og.sum(counted, places, keepdim=keepdims) if places else counted  # type: ignore[no-any-return]


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The places of the elements that are not zero, one vector for each axis. The values are looked at."""
    if array("nonzero", x).ndim == 0:
        raise ArgumentError("nonzero: the tensor must have at least one dimension", hint="reshape it to (1,)")
    return og.nonzero(x, as_tuple=True)  # type: ignore[no-any-return]


def searchsorted(
    x1: Tensor, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where to put elements into a sorted row so that it stays sorted.

    Args:
        x1: one-dimensional, in ascending order (or in the order of `sorter`).
        x2: what to put; of any shape.
        side: before ("left") or after ("right") elements that are equal.
        sorter: places that sort x1.
    """
    x1, values = pair("searchsorted", x1, x2)
    row = x1 if sorter is None else take(x1, sorter, axis=0)
    return og.searchsorted(row, values, side=side)  # type: ignore[no-any-return]


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Which elements of x1 are also in x2."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        raise ArgumentTypeError("isin: one of the operands must be a Tensor")
    first, second = pair("isin", x1, x2)
    found = og.isin(first, second)
    return og.logical_not(found) if invert else found  # type: ignore[no-any-return]


# ---- sets


class UniqueAllResult(NamedTuple):
    """What `unique_all` gives."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` gives."""

    values: Tensor
    counts: Tensor


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` gives."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAllResult:
    """The different elements in ascending order, where each is first, where each element went, and how often each occurs.

    The values are looked at, since the size of the result depends on them: inside a traced function that is a TraceError.

    >>> from onegraph import array_api as xp
    >>> xp.unique_all(xp.asarray([3, 1, 3])).indices
    tensor([1, 0])
    """
    values, inverse, counts = og.unique(array("unique_all", x), return_inverse=True, return_counts=True)
    flat = og.reshape(inverse, (-1,))
    order = og.argsort(flat, stable=True)
    starts = og.cumsum(counts, 0) - counts
    return UniqueAllResult(values, order[starts], inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCountsResult:
    """The different elements in ascending order, and how often each occurs. The values are looked at."""
    return UniqueCountsResult(*og.unique(array("unique_counts", x), return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverseResult:
    """The different elements in ascending order, and where each element of x is among them. The values are looked at."""
    return UniqueInverseResult(*og.unique(array("unique_inverse", x), return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """The different elements in ascending order. The values are looked at."""
    return og.unique(array("unique_values", x))  # type: ignore[no-any-return]


FUNCTIONS = {
    f.__name__: f
    for f in (
        argmax, argmin, argsort, broadcast_arrays, broadcast_shapes, broadcast_to, concat, count_nonzero, expand_dims,
        flip, isin, moveaxis, nonzero, permute_dims, repeat, reshape, roll, searchsorted, sort, squeeze, stack, take,
        take_along_axis, tile, unique_all, unique_counts, unique_inverse, unique_values, unstack,
    )
}  # fmt: skip
