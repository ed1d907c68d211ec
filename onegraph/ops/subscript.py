"""`x[index]` and `x[index] = value` as functions: ints, slices, None, ..., masks and index tensors, mixed.

An index is read in two steps. Ints, slices and None make a regular part of the tensor (`_Part`), which
moves only; index tensors and masks then pick from that part, by `take` and `scatter`. The dimensions they
pick go where the first of them stood, or to the front when they do not stand side by side; as in PyTorch
(and unlike NumPy) ints count as slices there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError, UnsupportedError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import bool_, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE, numpy_constant
from onegraph.ops.indexing import SCATTER, SET_SLICE, TAKE, wrap
from onegraph.ops.layout import permute_to
from onegraph.ops.movement import FLIP, SLICE, expand_to, inverse_order, reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.record import Array
from onegraph.ops.shapes import broadcast_shapes, same_shape, same_size, show

Picker: TypeAlias = Array | Node  # an index array or mask: known now, or when the graph runs


@dataclass(frozen=True)
class _Part:
    """A regular part of a tensor: slices, then dimensions turned around, then another shape."""

    starts: tuple[Size, ...]
    stops: tuple[Size, ...]
    steps: tuple[int, ...]
    flipped: tuple[int, ...]
    shape: Shape  # without the dimensions of ints, with those of None

    def is_all_of(self, x: Node) -> bool:
        return not self.flipped and not any(self.starts) and self.stops == x.shape and set(self.steps) <= {1}

    def of(self, x: Node) -> Node:
        """The part of x."""
        y = x if self.is_all_of(x) else SLICE(x, starts=self.starts, stops=self.stops, steps=self.steps)
        return reshape_to(FLIP(y, dims=self.flipped) if self.flipped else y, self.shape)

    def replaced(self, x: Node, value: Node) -> Node:
        """x with another value, of this part's shape, in the place of this part."""
        if self.is_all_of(x):
            return reshape_to(value, x.shape)
        sizes = tuple(
            [
                (stop - start + step - 1) // step
                for start, stop, step in zip(self.starts, self.stops, self.steps, strict=True)
            ]
        )
        y = reshape_to(value, sizes)
        y = FLIP(y, dims=self.flipped) if self.flipped else y
        return SET_SLICE(x, y, starts=self.starts, stops=self.stops, steps=self.steps)


def _known(node: Node) -> Array | None:
    """The value of a constant node."""
    return node.attributes["value"].array if node.op == "constant" else None


def _as_picker(item: Any) -> Picker:
    """An index array or mask from a node, an array or a sequence."""
    if isinstance(item, Node):
        known = _known(item)
        picker: Picker = item if known is None else known
    elif isinstance(item, (list, tuple, range)):
        if any(isinstance(i, Node) for i in item):
            from onegraph.ops.joining import stack

            return _as_picker(stack([as_node(i) for i in item]))
        picker = np.asarray(item)
        if picker.size == 0 and picker.dtype.kind == "f":
            picker = picker.astype(np.int64)
    elif hasattr(item, "__array__"):
        picker = np.asarray(item)
    else:
        raise ArgumentTypeError(
            f"x[...]: cannot index with {type(item).__name__} {item!r:.40}",
            hint="indices are ints, slices, None, ..., and tensors or lists of ints or bools",
        )
    kind = picker.dtype.kind
    if kind in ("f", "float"):
        raise DTypeError(f"x[...]: an index must be int or bool, got {picker.dtype}", hint="cast it to int64")
    if isinstance(picker, Node) and kind == "uint":
        raise DTypeError("x[...]: a uint8 index could be a mask or a position", hint="cast it to bool or to int64")
    if not isinstance(picker, Node) and kind not in "biu":
        raise DTypeError(f"x[...]: an index must be int or bool, got {picker.dtype}")
    return picker


def _is_mask(picker: Picker) -> bool:
    return picker.dtype is bool_ or picker.dtype == np.bool_


def _normal_items(index: Any) -> list[Any]:
    """The index as a list of int (or Dim), slice, None, Ellipsis, bool and index arrays or masks."""
    items: list[Any] = []
    for item in index if isinstance(index, tuple) else (index,):
        if item is None or item is Ellipsis or isinstance(item, (slice, bool, Dim)):
            items.append(item)
        elif hasattr(item, "__index__") and not isinstance(item, (Node, np.ndarray)):
            items.append(item.__index__())
        else:
            picker = _as_picker(item)
            if not isinstance(picker, Node) and picker.ndim == 0:
                items.append(bool(picker) if picker.dtype.kind == "b" else int(picker))
            else:
                items.append(picker)
    return items


def _expand_ellipsis(x: Node, items: list[Any]) -> list[Any]:
    """The items with ... replaced by whole slices, and more of them behind, one item for each dimension."""
    used = 0
    for item in items:
        if item is None or item is Ellipsis or isinstance(item, bool):
            continue
        used += item.ndim if isinstance(item, (Node, np.ndarray)) and _is_mask(item) else 1
    ellipses = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(ellipses) > 1:
        raise OutOfRangeError("x[...]: an index can have only one ellipsis (...)")
    missing = len(x.shape) - used
    if missing < 0:
        raise OutOfRangeError(
            f"x[...]: too many indices: {show(x.shape)} has {len(x.shape)} dimensions, {used} are indexed"
        )
    at = ellipses[0] if ellipses else len(items)
    return items[:at] + [slice(None)] * missing + items[at + 1 :]


def _bound(value: Any) -> Size | None:
    """A start or stop of a slice as a size."""
    if value is None or isinstance(value, Dim):
        return value
    if isinstance(value, Node):
        known = _known(value)
        if known is None:
            raise UnsupportedError(
                "x[a:b]: the borders of a slice decide a shape, so they must be known when the graph is built",
                hint="use narrow(dim, start, length) with a fixed length",
            )
        value = known.item()
    if not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"x[a:b]: borders and steps of a slice must be ints or None, got {value!r}")
    return int(value.__index__())


def resolve_slice(item: slice, size: Size) -> tuple[Size, Size, int, bool]:
    """Start, stop and step of the elements in rising order, and whether the slice lists them in falling order.

    >>> resolve_slice(slice(None, None, -2), 6), resolve_slice(slice(4, 100), 6)
    ((1, 6, 2, True), (4, 6, 1, False))
    """
    first, last, step = _bound(item.start), _bound(item.stop), _bound(item.step)
    step = 1 if step is None else step
    if isinstance(step, Dim) or step == 0:
        raise ArgumentError(f"x[a:b:c]: the step of a slice must be a known number other than 0, got {step}")
    if not isinstance(size, Dim) and not isinstance(first, Dim) and not isinstance(last, Dim):
        places = range(*slice(first, last, step).indices(size))
        if not places:
            return 0, 0, 1, False
        if step > 0:
            return places[0], places[-1] + 1, step if len(places) > 1 else 1, False
        return places[-1], places[0] + 1, -step, True
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = _clamp(first, size, low, high, high if step < 0 else low)
    stop = _clamp(last, size, low, high, low if step < 0 else high)
    if step > 0:
        return start, (start if start != stop and stop < start else stop), step, False
    count = (start - stop - step - 1) // -step
    return start + (count - 1) * step, start + 1, -step, True


def _clamp(border: Size | None, size: Size, low: Size, high: Size, default: Size) -> Size:
    """A border counted from the front, within low and high; sizes may be unknown."""
    if border is None:
        return default
    if not isinstance(border, Dim) and border < 0:
        border = size + border
    if border == high:
        return high
    return low if border < low else high if border > high else border


def _out_of_range(index: int, size: int, dim: int, shape: Shape) -> OutOfRangeError:
    return OutOfRangeError(f"x[...]: index {index} is out of range for size {size} of dimension {dim} of {show(shape)}")


def _checked_int(index: Size, size: Size, dim: int, x: Node) -> Size:
    if isinstance(index, Dim) or isinstance(size, Dim):
        return size + index if not isinstance(index, Dim) and index < 0 else index
    if not -size <= index < size:
        raise OutOfRangeError(
            f"x[...]: index {index} is out of range for size {size} of dimension {dim} of {show(x.shape)}"
        )
    return index % size


_remembered: dict[Any, _Part] = {}  # regular parts by index and shape: loops use the same few again and again


def basic_key(index: Any) -> Any:
    """A hashable form of an index of ints and slices of ints alone; None for any other."""
    key: list[Any] = []
    for item in index if type(index) is tuple else (index,):
        if type(item) is slice:
            bounds = (item.start, item.stop, item.step)
            for bound in bounds:
                if bound is not None and type(bound) is not int:
                    return None
            key.append(bounds)
        elif type(item) is int or item is None or item is Ellipsis:
            key.append(item)
        else:
            return None
    return tuple(key)


def basic_item(x: Node, key: Any, index: Any) -> Node:
    """The elements that an index of ints and slices picks, given its key."""
    remembered = (key, x.shape)
    part = _remembered.get(remembered)
    if part is None:
        part, _ = _parse(x, index)
        if len(_remembered) >= 4096:
            _remembered.clear()
        _remembered[remembered] = part
    return part.of(x)


def _parse(x: Node, index: Any) -> tuple[_Part, list[tuple[int, Picker]]]:
    """The regular part, and what picks from it: (dimension of the part, index array or mask)."""
    slices: list[tuple[Size, Size, int, bool]] = []
    shape: list[Size] = []
    pickers: list[tuple[int, Picker]] = []
    for item in _expand_ellipsis(x, _normal_items(index)):
        at = len(slices)
        if item is None:
            shape.append(1)
        elif isinstance(item, bool):  # a mask without dimensions: a new one of size 1 or 0
            pickers.append((len(shape), np.zeros(int(item), np.int64)))
            shape.append(1)
        elif isinstance(item, slice):
            start, stop, step, turned = resolve_slice(item, x.shape[at])
            slices.append((start, stop, step, turned))
            shape.append((stop - start + step - 1) // step)
        elif isinstance(item, (Node, np.ndarray)):
            pickers.append((len(shape), item))
            for size in x.shape[at : at + (item.ndim if _is_mask(item) else 1)]:
                slices.append((0, size, 1, False))
                shape.append(size)
        else:
            place = _checked_int(item, x.shape[at], at, x)
            slices.append((place, place + 1, 1, False))
    starts, stops, steps, turned_dims = zip(*slices, strict=True) if slices else ((), (), (), ())
    flipped = tuple([d for d, turned in enumerate(turned_dims) if turned])
    return _Part(starts, stops, steps, flipped, tuple(shape)), pickers


def _check_mask(mask: Picker, shape: Shape, at: int) -> None:
    part = shape[at : at + mask.ndim]
    if not same_shape(tuple(mask.shape), part):
        raise OutOfRangeError(
            f"x[mask]: a mask of shape {show(mask.shape)} does not fit the dimensions {show(part)} that it indexes"
        )


def _positions(y: Node, pickers: Sequence[tuple[int, Picker]]) -> dict[int, Picker]:
    """An index array for each dimension of y that is picked from; masks become the places where they are true."""
    found: dict[int, Picker] = {}
    for at, picker in pickers:
        if not _is_mask(picker):
            found[at] = picker
            continue
        _check_mask(picker, y.shape, at)
        if isinstance(picker, Node):
            raise UnsupportedError(
                f"x[mask]: the shape of the result depends on the values of the mask {show(picker.shape)}",
                hint="use where(mask, x, other), which keeps the shape, or sum(where(mask, x, 0))",
            )
        found.update(enumerate(np.nonzero(picker), at))
    return found


def _as_index(picker: Picker, size: Size, dim: int, shape: Shape) -> Node:
    """An index array as a node, negative indices counted from the end."""
    if isinstance(picker, Node):
        return wrap(picker if picker.dtype in (int32, int64) else cast(picker, int64), size)
    places = picker.astype(np.int64)
    if isinstance(size, Dim):
        return wrap(numpy_constant(places), size) if places.size and places.min() < 0 else numpy_constant(places)
    bad = places[(places < -size) | (places >= size)]
    if bad.size:
        raise OutOfRangeError(
            f"x[...]: index {bad.flat[0]} is out of range for size {size} of dimension {dim} of {show(shape)}"
        )
    return numpy_constant(np.where(places < 0, places + size, places))


@dataclass(frozen=True)
class _Picks:
    """Index tensors of one shape for neighbouring dimensions of a tensor with its dimensions in a given order."""

    order: tuple[int, ...]
    dim: int
    indices: tuple[Node, ...]

    @classmethod
    def from_positions(cls, y: Node, positions: dict[int, Picker]) -> _Picks:
        dims = sorted(positions)
        side_by_side = dims[-1] - dims[0] == len(dims) - 1
        others = [d for d in range(len(y.shape)) if d not in positions]
        order = range(len(y.shape)) if side_by_side else [*dims, *others]
        indices = [_as_index(positions[d], y.shape[d], d, y.shape) for d in dims]
        shape = broadcast_shapes("x[...]", *[i.shape for i in indices])
        return cls(tuple(order), dims[0] if side_by_side else 0, tuple([expand_to(i, shape) for i in indices]))

    def of(self, y: Node) -> Node:
        """The elements of y that are picked."""
        return TAKE(permute_to(y, self.order), *self.indices, dim=self.dim)

    def replaced(self, y: Node, value: Node, mode: str) -> Node:
        """y with the elements that are picked set to a value, or added to."""
        moved = permute_to(y, self.order)
        count, dim = len(self.indices), self.dim
        shape = (*moved.shape[:dim], *self.indices[0].shape, *moved.shape[dim + count :])
        out = SCATTER(moved, *self.indices, fit(value, shape), dim=dim, mode=mode)
        return permute_to(out, inverse_order(self.order))


def get_item(input: Any, index: Any) -> Node:
    """`input[index]`.

    Args:
        input: tensor.
        index: one item or a tuple of items: ints, slices (steps may be negative), `...`, None, bools, and tensors,
            arrays or lists of ints (negative ones count from the end) or bools (masks).

    Raises:
        OutOfRangeError: an index out of range, at once where it is known, otherwise when the graph runs.
        UnsupportedError: a mask whose value is not known yet.

    >>> from onegraph.ops.movement import full
    >>> get_item(full((4, 5, 6), 0.0), (slice(None, None, -2), None, [0, 2, 2], ..., 1)).shape
    (2, 1, 3)
    """
    x = as_node(input)
    key = basic_key(index)
    if key is not None:
        return basic_item(x, key, index)
    part, pickers = _parse(x, index)
    y = part.of(x)
    return _Picks.from_positions(y, _positions(y, pickers)).of(y) if pickers else y


def fit(value: Node, shape: Shape) -> Node:
    """A value broadcast to the part that it is assigned to; leading dimensions of size 1 may be too many."""
    while len(value.shape) > len(shape) and value.shape[0] == 1:
        value = reshape_to(value, value.shape[1:])
    if value.shape == shape:
        return value
    lead = len(shape) - len(value.shape)
    if lead < 0 or not all(a == 1 or same_size(a, b) for a, b in zip(value.shape, shape[lead:], strict=True)):
        raise ShapeError(f"x[...] = value: a value of shape {show(value.shape)} does not broadcast to {show(shape)}")
    return expand_to(value, shape)


def set_item(input: Any, index: Any, value: Any, accumulate: bool = False) -> Node:
    """The tensor that `input` is after `input[index] = value`, or with `accumulate` after adding at each place.

    Args:
        input: tensor; it is not changed.
        index: as for `get_item`. A mask may be unknown when the value does not depend on how much is true.
        value: tensor or number that broadcasts to `input[index]`, cast to the dtype of `input`. Where a place
            is written twice, the last value stays.

    >>> from onegraph.ops.movement import full
    >>> set_item(full((4, 5), 0.0), (slice(1, 3), [0, -1]), 1.0).shape
    (4, 5)
    """
    x = as_node(input)
    given = cast(as_node(value, x.dtype), x.dtype)
    part, pickers = _parse(x, index)
    y = part.of(x)
    if not pickers:
        new = fit(given, y.shape)
        if accumulate:
            from onegraph.ops.binary import ADD

            new = ADD(y, new)
    elif not accumulate and len(pickers) == 1 and _is_mask(pickers[0][1]) and isinstance(pickers[0][1], Node):
        new = _choose(y, pickers[0][1], pickers[0][0], given)
    else:
        new = _Picks.from_positions(y, _positions(y, pickers)).replaced(y, given, "add" if accumulate else "set")
    return part.replaced(x, new)


def _choose(y: Node, mask: Node, at: int, value: Node) -> Node:
    """The value where the mask is true, else y; the value must not depend on how often that is."""
    _check_mask(mask, y.shape, at)
    behind = len(y.shape) - at - mask.ndim
    if len(value.shape) > behind:  # the dimension that counts the elements chosen
        lead, counted = value.shape[: -(behind + 1)], value.shape[-(behind + 1)]
        if counted != 1:
            raise UnsupportedError(
                f"x[mask] = value: a value of shape {show(value.shape)} has one row for each true element of the mask",
                hint="use masked_scatter, or where(mask, value, x) with a value of the shape of x",
            )
        value = reshape_to(value, (*lead, *(1,) * mask.ndim, *value.shape[len(value.shape) - behind :]))
    return WHERE(reshape_to(mask, mask.shape + (1,) * behind), fit(value, y.shape), y)
