"""Ops that move elements without changing them: reshape, permute, expand, pad, slice, flip, concat.

The functions for users that are built from these (squeeze, stack, split, ...) are in `layout.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, as_dtype, scalar_dtype
from onegraph.ir.node import Node, Shape
from onegraph.ops.cast import cast
from onegraph.ops.index import ZERO, Condition, Index, Moved, Position, Read, from_linear, known, linear, shape_of
from onegraph.ops.leaf import constant
from onegraph.ops.record import OPS, Array, Kind, Op, Sample, real, register
from onegraph.ops.shapes import check_same_dtype, normalize_dim, numel, same_size, show


def as_size(op: str, value: Any) -> Size:
    """A size as an int or a Dim; a typed error for anything else."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"{op}: a size must be an int, got {value!r}")
    return int(value.__index__())


def as_shape(op: str, sizes: Any) -> Shape:
    """A shape from one size, a sequence of sizes, or sizes given one by one in a tuple."""
    if isinstance(sizes, (list, tuple)):
        if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
            sizes = sizes[0]
        shape = tuple([s if type(s) is int else as_size(op, s) for s in sizes])
    else:
        shape = (as_size(op, sizes),)
    return shape


def check_sizes(op: str, shape: Shape) -> Shape:
    """The shape, when no size is negative and it is not absurdly large."""
    count = 1
    for size in shape:
        if type(size) is int:
            if size < 0:
                raise ShapeError(f"{op}: the shape {show(shape)} has a negative size")
            count *= size
    if count >= 1 << 62:
        raise ShapeError(f"{op}: the shape {show(shape)} has too many elements for any machine")
    return shape


def _reshape_rule(x: Node, *, shape: Shape) -> tuple[Shape, DType]:
    have, want = numel(x.shape), numel(shape)
    if not same_size(have, want):
        raise ShapeError(f"reshape: {show(x.shape)} has {have} elements, {show(shape)} has {want}")
    return check_sizes("reshape", shape), x.dtype


def _reshape_reads(n: Node, at: Position) -> list[Read]:
    return [Read(0, from_linear(linear(at, shape_of(n)), shape_of(n.inputs[0])))]


RESHAPE: Op = register(
    Op(
        name="reshape",
        kind=Kind.MOVEMENT,
        doc="The same elements in row-major order under another shape.",
        rule=_reshape_rule,
        reference=lambda x, *, shape: x.reshape(shape),
        gradient=(lambda n, g: RESHAPE(g, shape=n.inputs[0].shape),),
        lowering=Moved(_reshape_reads),
        samples=lambda: [
            Sample(real(2, 6), shape=(3, 4)),
            Sample(real(), shape=(1, 1)),
            Sample(real(0, 3), shape=(3, 0, 2)),
            Sample(real(4), shape=(2, 1, 2)),
        ],
    )
)


def _permute_rule(x: Node, *, dims: tuple[int, ...]) -> tuple[Shape, DType]:
    seen = 0
    for d in dims:
        seen |= 1 << d if d >= 0 else 0
    if len(dims) != len(x.shape) or seen != (1 << len(dims)) - 1:
        raise ShapeError(f"permute: {dims} is not an order of the {len(x.shape)} dimensions of {show(x.shape)}")
    return tuple([x.shape[d] for d in dims]), x.dtype


def inverse_order(dims: Sequence[int]) -> tuple[int, ...]:
    """The order of dimensions that undoes another.

    >>> inverse_order((2, 0, 1))
    (1, 2, 0)
    """
    result = [0] * len(dims)
    for i, d in enumerate(dims):
        result[d] = i
    return tuple(result)


def _permute_reads(n: Node, at: Position) -> list[Read]:
    return [Read(0, tuple([at[i] for i in inverse_order(n.attributes["dims"])]))]


PERMUTE: Op = register(
    Op(
        name="permute",
        kind=Kind.MOVEMENT,
        doc="The dimensions in another order.",
        rule=_permute_rule,
        reference=lambda x, *, dims: np.transpose(x, dims),
        gradient=(lambda n, g: PERMUTE(g, dims=inverse_order(n.attributes["dims"])),),
        lowering=Moved(_permute_reads),
        samples=lambda: [
            Sample(real(2, 3, 4), dims=(2, 0, 1)),
            Sample(real(2, 3), dims=(1, 0)),
            Sample(real(), dims=()),
        ],
    )
)


def _expand_rule(x: Node, *, shape: Shape) -> tuple[Shape, DType]:
    lead = len(shape) - len(x.shape)
    if lead < 0 or not all(a == 1 or same_size(a, b) for a, b in zip(x.shape, shape[lead:], strict=True)):
        raise ShapeError(
            f"expand: {show(x.shape)} cannot be expanded to {show(shape)}",
            hint="only sizes of 1 can grow, and new dimensions come in front",
        )
    return check_sizes("expand", shape), x.dtype


def _expand_reads(n: Node, at: Position) -> list[Read]:
    shape = shape_of(n.inputs[0])
    lead = len(at) - len(shape)
    return [Read(0, tuple([ZERO if size == 1 else i for i, size in zip(at[lead:], shape, strict=True)]))]


EXPAND: Op = register(
    Op(
        name="expand",
        kind=Kind.MOVEMENT,
        doc="Dimensions of size 1 repeated, new ones added in front.",
        rule=_expand_rule,
        reference=lambda x, *, shape: np.broadcast_to(x, shape),
        gradient=(lambda n, g: g,),  # autodiff sums a gradient down to the shape of its input
        lowering=Moved(_expand_reads),
        samples=lambda: [
            Sample(real(3, 1), shape=(2, 3, 4)),
            Sample(real(), shape=(2, 3)),
            Sample(real(1), shape=(0,)),
        ],
    )
)

Padding = tuple[tuple[int, int, int], ...]


def _pad_rule(x: Node, value: Node, *, padding: Padding) -> tuple[Shape, DType]:
    if len(padding) != len(x.shape):
        raise ShapeError(f"pad: {len(padding)} paddings for {len(x.shape)} dimensions of {show(x.shape)}")
    shape = []
    for size, (low, high, interior) in zip(x.shape, padding, strict=True):
        if interior < 0:
            raise ShapeError(f"pad: interior padding {interior} is negative")
        inner = size if not interior else 0 if size == 0 else size + (size - 1) * interior
        shape.append(inner + low + high)
        if not isinstance(shape[-1], Dim) and shape[-1] < 0:
            raise ShapeError(f"pad: {show(x.shape)} with padding {padding} would get a negative size {shape[-1]}")
    check_same_dtype("pad", x, value)
    if value.shape:
        raise ShapeError(f"pad: the value must have no dimensions, got {show(value.shape)}")
    return check_sizes("pad", tuple(shape)), x.dtype


def _pad_reference(x: Array, value: Array, *, padding: Padding) -> Array:
    sizes, place, source = [], [], []
    for size, (low, high, interior) in zip(x.shape, padding, strict=True):
        step = interior + 1
        inner = (size - 1) * step + 1 if size else 0
        total = low + inner + high
        first = max(0, -(-max(-low, 0) // step))  # elements cut off in front by a negative low
        last = max(first, min(size, (total - 1 - low) // step + 1 if total > 0 else 0))
        sizes.append(total)
        source.append(slice(first, last))
        place.append(
            slice(low + first * step, low + (last - 1) * step + 1 if last > first else low + first * step, step)
        )
    out = np.full(sizes, value, x.dtype)
    if out.size and all(s.stop > s.start for s in source):
        out[tuple(place)] = x[tuple(source)]
    return out


def _pad_gradient(n: Node, g: Node) -> Node:
    """Take the padded places away: a slice with the interior as step, and padding where low or high was negative."""
    x = n.inputs[0]
    positive = [(max(0, -low), max(0, -high), 0) for low, high, _ in n.attributes["padding"]]
    if any(low or high for low, high, _ in positive):
        g = PAD(g, constant(0, g.dtype), padding=tuple(positive))
    starts = tuple(max(0, low) for low, _, _ in n.attributes["padding"])
    steps = tuple(interior + 1 for _, _, interior in n.attributes["padding"])
    stops = tuple(
        start + (size - 1) * step + 1 if size != 0 else start
        for start, size, step in zip(starts, x.shape, steps, strict=True)
    )
    return SLICE(g, starts=starts, stops=stops, steps=steps)


def _pad_value_gradient(n: Node, g: Node) -> Node:
    return OPS["sub"](_total(g), _total(_pad_gradient(n, g)))


def _total(x: Node) -> Node:
    return OPS["sum"](x, dims=tuple(range(len(x.shape))), keepdim=False)


def _pad_reads(n: Node, at: Position) -> list[Read]:
    position, conditions = [], []
    for i, size, (low, _, interior) in zip(at, shape_of(n.inputs[0]), n.attributes["padding"], strict=True):
        step = interior + 1
        inside = Condition(i - low, 0, (size - 1) * step + 1 if size else 0, step)
        if not inside.always():
            conditions.append(inside)
        position.append(known((i - low) // step, size))
    return [Read(0, tuple(position), tuple(conditions)), Read(1, ())]


PAD: Op = register(
    Op(
        name="pad",
        kind=Kind.MOVEMENT,
        doc="A value put before, after and between the elements of each dimension; negative padding cuts.",
        rule=_pad_rule,
        reference=_pad_reference,
        gradient=(_pad_gradient, _pad_value_gradient),
        lowering=Moved(_pad_reads),
        samples=lambda: [
            Sample(real(2, 3), real(), padding=((1, 2, 0), (0, 1, 0))),
            Sample(real(3, 2), real(), padding=((-1, 1, 1), (2, -1, 2))),
            Sample(real(0, 2), real(), padding=((1, 0, 1), (0, 0, 0))),
            Sample(real(4), real(), padding=((-3, 0, 1),)),
            Sample(real(4), real(), padding=((-3, -2, 1),)),
        ],
    )
)


def _slice_rule(
    x: Node, *, starts: tuple[Size, ...], stops: tuple[Size, ...], steps: tuple[int, ...]
) -> tuple[Shape, DType]:
    if not len(starts) == len(stops) == len(steps) == len(x.shape):
        raise ShapeError(f"slice: starts {starts}, stops {stops}, steps {steps} do not match {show(x.shape)}")
    shape: list[Size] = []
    for size, start, stop, step in zip(x.shape, starts, stops, steps, strict=True):
        if step < 1:
            raise ShapeError(f"slice: step {step} is not positive")
        known = type(size) is int and type(start) is int and type(stop) is int
        if known and not 0 <= start <= stop <= size:
            raise OutOfRangeError(f"slice: {start} to {stop} is out of range for size {size} of {show(x.shape)}")
        shape.append(0 if start == stop else (stop - start - 1) // step + 1)
    return tuple(shape), x.dtype


def _slice_reference(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    return x[tuple(slice(a, b, c) for a, b, c in zip(starts, stops, steps, strict=True))]


def _slice_gradient(n: Node, g: Node) -> Node:
    x = n.inputs[0]
    padding = []
    for size, out, start, step in zip(x.shape, n.shape, n.attributes["starts"], n.attributes["steps"], strict=True):
        used = start + (out - 1) * step + 1 if out != 0 else start
        padding.append((start, size - used, step - 1))
    return PAD(g, constant(0, g.dtype), padding=tuple(padding))


def _slice_reads(n: Node, at: Position) -> list[Read]:
    starts, steps = n.attributes["starts"], n.attributes["steps"]
    return [Read(0, tuple([i * step + start for i, start, step in zip(at, starts, steps, strict=True)]))]


SLICE: Op = register(
    Op(
        name="slice",
        kind=Kind.MOVEMENT,
        doc="Every step-th element from start up to stop, in each dimension.",
        rule=_slice_rule,
        reference=_slice_reference,
        gradient=(_slice_gradient,),
        lowering=Moved(_slice_reads),
        samples=lambda: [
            Sample(real(5, 6), starts=(1, 0), stops=(4, 6), steps=(1, 2)),
            Sample(real(7), starts=(2,), stops=(7,), steps=(3,)),
            Sample(real(3, 2), starts=(1, 0), stops=(1, 2), steps=(1, 1)),
        ],
    )
)


def _flip_reads(n: Node, at: Position) -> list[Read]:
    dims, shape = n.attributes["dims"], shape_of(n)
    turned = [Index.of(shape[d] - 1) - i if d in dims and shape[d] > 1 else i for d, i in enumerate(at)]
    return [Read(0, tuple(turned))]


FLIP: Op = register(
    Op(
        name="flip",
        kind=Kind.MOVEMENT,
        doc="Dimensions in reverse.",
        rule=lambda x, *, dims: (x.shape, x.dtype),
        reference=lambda x, *, dims: np.flip(x, dims),
        gradient=(lambda n, g: FLIP(g, dims=n.attributes["dims"]),),
        lowering=Moved(_flip_reads),
        samples=lambda: [Sample(real(2, 3), dims=(1,)), Sample(real(2, 3), dims=(0, 1)), Sample(real(0), dims=(0,))],
    )
)


def _concat_rule(*nodes: Node, dim: int) -> tuple[Shape, DType]:
    if not nodes:
        raise ArgumentError("concat: needs at least one tensor")
    first = nodes[0]
    total: Size = 0
    for node in nodes:
        if len(node.shape) != len(first.shape) or not all(
            i == dim or same_size(a, b) for i, (a, b) in enumerate(zip(first.shape, node.shape, strict=True))
        ):
            raise ShapeError(
                f"concat: shapes {show(first.shape)} and {show(node.shape)} differ outside dimension {dim}",
                hint="all sizes but that of the dimension joined must be equal",
            )
        if node.dtype is not first.dtype:
            raise DTypeError(f"concat: dtypes {first.dtype.name} and {node.dtype.name} differ")
        total = total + node.shape[dim]
    return check_sizes("concat", (*first.shape[:dim], total, *first.shape[dim + 1 :])), first.dtype


def _concat_gradient(n: Node, g: Node, needs: Sequence[bool]) -> list[Node | None]:
    dim, start = n.attributes["dim"], 0
    found: list[Node | None] = []
    for x, needed in zip(n.inputs, needs, strict=True):
        stop = start + x.shape[dim]
        found.append(slice_dim(g, dim, start, stop) if needed else None)
        start = stop
    return found


def _concat_reads(n: Node, at: Position) -> list[Read]:
    dim, start, found = n.attributes["dim"], 0, []
    for number, x in enumerate(n.inputs):
        size = shape_of(x)[dim]
        inside = Condition(at[dim] - start, 0, size)
        position = (*at[:dim], known(at[dim] - start, size), *at[dim + 1 :])
        if size:
            found.append(Read(number, position, () if inside.always() else (inside,)))
        start += size
    return found


CONCAT: Op = register(
    Op(
        name="concat",
        kind=Kind.MOVEMENT,
        doc="Tensors joined along one dimension.",
        rule=_concat_rule,
        reference=lambda *arrays, dim: np.concatenate(arrays, dim),
        gradient=_concat_gradient,
        lowering=Moved(_concat_reads),
        samples=lambda: [
            Sample(real(2, 3), real(1, 3), dim=0),
            Sample(real(2, 3), real(2, 0), real(2, 2), dim=1),
            Sample(real(4), dim=0),
        ],
    )
)


def reshape_to(x: Node, shape: Shape) -> Node:
    """The node under another shape; itself when the shape is the same."""
    return x if x.shape == shape else RESHAPE(x, shape=shape)


def expand_to(x: Node, shape: Shape) -> Node:
    """The node broadcast to a shape; itself when the shape is the same."""
    return x if x.shape == shape else EXPAND(x, shape=shape)


def slice_dim(x: Node, dim: int, start: Size, stop: Size, step: int = 1) -> Node:
    """Elements start to stop of one dimension."""
    starts: list[Size] = [0] * len(x.shape)
    stops = list(x.shape)
    steps = [1] * len(x.shape)
    starts[dim], stops[dim], steps[dim] = start, stop, step
    return SLICE(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))


def full(shape: Shape, value: Any, dtype: Any = None) -> Node:
    """A tensor of one value."""
    kind = scalar_dtype(value) if dtype is None else as_dtype(dtype)
    return expand_to(
        constant(value, kind) if not isinstance(value, Node) else cast(value, kind), check_sizes("full", shape)
    )


def concat(nodes: Sequence[Node], dim: int) -> Node:
    """Nodes of one dtype joined along a dimension."""
    return nodes[0] if len(nodes) == 1 else CONCAT(*nodes, dim=normalize_dim("concat", dim, len(nodes[0].shape)))
