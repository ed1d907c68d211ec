"""Reading and writing places that are computed: `take`, `scatter`, and `set_slice` for regular places.

`take` and `scatter` know one or several index arrays for consecutive dimensions; indices count from 0 and
are checked when the graph runs. `x[...]` is in `subscript.py`, gather, scatter_add and index_select in
`gathering.py`, embedding and the like in `lookup.py`; all of them are built from these three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.dtype import DType, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, EQ, LT, div, mul
from onegraph.ops.cast import CAST
from onegraph.ops.elementwise import WHERE
from onegraph.ops.index import Condition, Moved, Position, Read, known
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import SLICE, full, reshape_to
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.shapes import check_same_dtype, numel, same_shape, show

MODES = ("set", "add", "multiply", "maximum", "minimum")
_UPDATE = {"add": np.add, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum}


def _taken_shape(op: str, shape: Shape, indices: Sequence[Node], dim: int) -> Shape:
    """The shape of what the indices pick, from `dim` on one index for each dimension."""
    if not indices or not 0 <= dim <= len(shape) - len(indices):
        raise ShapeError(f"{op}: {len(indices)} indices from dimension {dim} on do not fit {show(shape)}")
    first = indices[0]
    for index in indices:
        if index.dtype is not int64 and index.dtype is not int32:
            raise DTypeError(f"{op}: an index must be int32 or int64, got {index.dtype.name}", hint="cast it to int64")
        if not same_shape(index.shape, first.shape):
            raise ShapeError(f"{op}: indices of shapes {show(first.shape)} and {show(index.shape)} must be equal")
    return (*shape[:dim], *first.shape, *shape[dim + len(indices) :])


def _check_bounds(op: str, shape: Sequence[int], indices: Sequence[Array], dim: int) -> None:
    for at, index in enumerate(indices, dim):
        if index.size and (index.min() < 0 or index.max() >= shape[at]):
            bad = index[(index < 0) | (index >= shape[at])].flat[0]
            raise OutOfRangeError(
                f"{op}: index {bad} is out of range for size {shape[at]} of dimension {at} of {show(shape)}"
            )


def _place(indices: Sequence[Array], dim: int) -> Any:
    return (*[slice(None)] * dim, *indices)


def _take_rule(x: Node, *indices: Node, dim: int) -> tuple[Shape, DType]:
    return _taken_shape("take", x.shape, indices, dim), x.dtype


def _take_reference(x: Array, *indices: Array, dim: int) -> Array:
    _check_bounds("take", x.shape, indices, dim)
    return np.asarray(x[_place(indices, dim)])


def _take_gradient(n: Node, g: Node, needs: Sequence[bool]) -> list[Node | None]:
    x, *indices = n.inputs
    if not needs[0]:
        return [None] * len(n.inputs)
    zeros = full(x.shape, 0, dtype=g.dtype)
    return [SCATTER(zeros, *indices, g, dim=n.attributes["dim"], mode="add"), *[None] * len(indices)]


TAKE = register(
    Op(
        name="take",
        kind=Kind.INDEXING,
        doc="The elements at computed places: one or several index tensors replace as many dimensions from `dim` on.",
        rule=_take_rule,
        reference=_take_reference,
        gradient=_take_gradient,
        samples=lambda: [
            Sample(real(5, 3), np.array([4, 0, 4, 2]), dim=0),
            Sample(real(2, 5, 3), np.array([[4, 0], [1, 2]], np.int32), dim=1),
            Sample(real(4), np.array(2), dim=0),
            Sample(real(3, 2), np.zeros((0,), np.int64), dim=1),
            Sample(real(2, 3, 4), np.array([0, 2, 2]), np.array([3, 3, 1]), dim=1),
            Sample(real(2, 3), np.array([[1], [0]]), np.array([[2], [2]]), dim=0),
        ],
    )
)


def _scatter_rule(base: Node, *rest: Node, dim: int, mode: str) -> tuple[Shape, DType]:
    *indices, updates = rest
    if mode not in MODES:
        raise ArgumentError(f"scatter: mode must be one of {MODES}, got {mode!r}")
    wanted = _taken_shape("scatter", base.shape, indices, dim)
    if not same_shape(updates.shape, wanted):
        raise ShapeError(f"scatter: updates for these indices must be {show(wanted)}, got {show(updates.shape)}")
    return base.shape, check_same_dtype("scatter", base, updates)


def _scatter_reference(base: Array, *rest: Array, dim: int, mode: str) -> Array:
    *indices, updates = rest
    _check_bounds("scatter", base.shape, indices, dim)
    out = base.copy()
    if mode == "set":
        out[_place(indices, dim)] = updates
    else:
        _UPDATE[mode].at(out, _place(indices, dim), updates)
    return out


def _scatter_gradient(n: Node, g: Node, needs: Sequence[bool]) -> list[Node | None]:
    base, *indices, updates = n.inputs
    mode = n.attributes["mode"]
    rule = {"set": _set_gradient, "add": _add_gradient, "multiply": _multiply_gradient}.get(mode, _extreme_gradient)
    to_base, to_updates = rule(n, g, base, indices, updates)
    return [to_base if needs[0] else None, *[None] * len(indices), to_updates if needs[-1] else None]


def _take_like(n: Node, x: Node, indices: Sequence[Node]) -> Node:
    """The elements of x at the places that a scatter writes."""
    return TAKE(x, *indices, dim=n.attributes["dim"])


def _scatter_like(n: Node, base: Node, indices: Sequence[Node], updates: Node, mode: str) -> Node:
    return SCATTER(base, *indices, updates, dim=n.attributes["dim"], mode=mode)


def _zeros_like(x: Node) -> Node:
    return full(x.shape, 0, dtype=x.dtype)


def _add_gradient(n: Node, g: Node, base: Node, indices: list[Node], updates: Node) -> tuple[Node, Node]:
    return g, _take_like(n, g, indices)


def _last_writers(n: Node, indices: Sequence[Node]) -> Node:
    """Which index elements have the last word about their place, as bools of the indices' shape and trailing ones."""
    base, dim, shape = n.inputs[0], n.attributes["dim"], indices[0].shape
    order = reshape_to(iota(numel(shape)), shape)
    nobody = full(base.shape[dim : dim + len(indices)], 0, dtype=int64)
    winner = SCATTER(nobody, *indices, order, dim=0, mode="set")
    chosen = EQ(TAKE(winner, *indices, dim=0), order)
    return reshape_to(chosen, shape + (1,) * (len(base.shape) - dim - len(indices)))


def _set_gradient(n: Node, g: Node, base: Node, indices: list[Node], updates: Node) -> tuple[Node, Node]:
    to_base = _scatter_like(n, g, indices, _zeros_like(updates), "set")
    return to_base, WHERE(_last_writers(n, indices), _take_like(n, g, indices), constant(0, g.dtype))


def _multiply_gradient(n: Node, g: Node, base: Node, indices: list[Node], updates: Node) -> tuple[Node, Node]:
    """Each factor gets g times the product of all the other factors of its place, also where some of them are 0."""
    zero, one = constant(0, g.dtype), constant(1, g.dtype)
    base_is_zero, update_is_zero = EQ(base, zero), EQ(updates, zero)
    count = _scatter_like(n, CAST(base_is_zero, dtype=int64), indices, CAST(update_is_zero, dtype=int64), "add")
    product = _scatter_like(n, WHERE(base_is_zero, one, base), indices, WHERE(update_is_zero, one, updates), "multiply")

    def others(factor: Node, is_zero: Node, zeros: Node, nonzero_product: Node) -> Node:
        safe = WHERE(is_zero, one, factor)
        hidden = LT(CAST(is_zero, dtype=int64), zeros)  # another factor is zero
        return WHERE(hidden, zero, div(nonzero_product, safe))

    to_base = mul(g, others(base, base_is_zero, count, product))
    to_updates = mul(
        _take_like(n, g, indices),
        others(updates, update_is_zero, _take_like(n, count, indices), _take_like(n, product, indices)),
    )
    return to_base, to_updates


def _extreme_gradient(n: Node, g: Node, base: Node, indices: list[Node], updates: Node) -> tuple[Node, Node]:
    """The gradient of a maximum or minimum: split evenly among the values equal to the result."""
    base_wins = EQ(base, n)
    update_wins = EQ(updates, _take_like(n, n, indices))
    winners = _scatter_like(n, CAST(base_wins, dtype=g.dtype), indices, CAST(update_wins, dtype=g.dtype), "add")
    zero = constant(0, g.dtype)
    share = WHERE(EQ(winners, zero), zero, div(g, winners))  # a NaN equals nothing
    return WHERE(base_wins, share, zero), WHERE(update_wins, _take_like(n, share, indices), zero)


def _scatter_samples() -> list[Sample]:
    twice, once = np.array([3, 0, 3]), np.array([3, 0])
    found = [Sample(real(5, 2), twice, real(3, 2, seed=1), dim=0, mode=mode) for mode in MODES]
    found += [Sample(real(2, 4), once, real(2, 2, seed=2), dim=1, mode=mode) for mode in MODES]
    rows, columns = np.array([1, 0, 1]), np.array([2, 2, 2], np.int64)
    found += [Sample(real(2, 3, 2), rows, columns, real(3, 2, seed=3), dim=0, mode=mode) for mode in MODES]
    found.append(Sample(real(4), np.array(2, np.int32), real(), dim=0, mode="set"))
    found.append(Sample(real(4), np.zeros((0,), np.int64), real(0), dim=0, mode="add"))
    return found


SCATTER = register(
    Op(
        name="scatter",
        kind=Kind.INDEXING,
        doc="Updates written at computed places, or combined with what is there; of several writers the last wins.",
        rule=_scatter_rule,
        reference=_scatter_reference,
        gradient=_scatter_gradient,
        samples=_scatter_samples,
    )
)


def _set_slice_rule(
    x: Node, value: Node, *, starts: tuple[Size, ...], stops: tuple[Size, ...], steps: tuple[int, ...]
) -> tuple[Shape, DType]:
    wanted, _ = SLICE.rule(x, starts=starts, stops=stops, steps=steps)
    if not same_shape(value.shape, wanted):
        raise ShapeError(
            f"set_slice: the value for this part of {show(x.shape)} must be {show(wanted)}, not {show(value.shape)}"
        )
    return x.shape, check_same_dtype("set_slice", x, value)


def _set_slice_reference(x: Array, value: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    out = x.copy()
    out[tuple(slice(a, b, c) for a, b, c in zip(starts, stops, steps, strict=True))] = value
    return out


def _set_slice_gradient(n: Node, g: Node) -> Node:
    return SET_SLICE(g, _zeros_like(n.inputs[1]), **n.attributes)


def _set_slice_reads(n: Node, at: Position) -> list[Read]:
    position, conditions, a = [], [], n.attributes
    for i, start, stop, step in zip(at, a["starts"], a["stops"], a["steps"], strict=True):
        inside = Condition(i - start, 0, stop - start, step)
        if not inside.always():
            conditions.append(inside)
        position.append(known((i - start) // step, -(-(stop - start) // step)))
    return [Read(1, tuple(position), tuple(conditions)), Read(0, at)]


SET_SLICE: Op = register(
    Op(
        name="set_slice",
        kind=Kind.INDEXING,
        doc="A tensor with every step-th element from start up to stop, in each dimension, replaced by a value.",
        rule=_set_slice_rule,
        reference=_set_slice_reference,
        gradient=(
            _set_slice_gradient,
            lambda n, g: SLICE(g, **n.attributes),
        ),
        lowering=Moved(_set_slice_reads),
        samples=lambda: [
            Sample(real(5, 6), real(3, 3), starts=(1, 0), stops=(4, 6), steps=(1, 2)),
            Sample(real(7), real(2), starts=(2,), stops=(6,), steps=(3,)),
            Sample(real(3, 2), real(0, 2), starts=(1, 0), stops=(1, 2), steps=(1, 1)),
            Sample(real(), real(seed=1), starts=(), stops=(), steps=()),
        ],
    )
)


def wrap(index: Node, size: Size) -> Node:
    """Negative indices counted from the end."""
    negative = LT(index, constant(0, index.dtype))
    return WHERE(negative, ADD(index, constant(size, index.dtype)), index)
