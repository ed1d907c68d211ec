"""Windows that slide over a tensor, and their overlap-add: what pooling and `unfold`/`fold` are made of.

The array functions here also serve the references of `convolution.py`. Read next: `pooling.py`.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from onegraph.errors import ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape
from onegraph.ops.index import Moved, Position, Read
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.shapes import check_kind, same_shape, show

Ints = tuple[int, ...]


def window_count(size: Size, window: int, stride: int, dilation: int) -> Size:
    """How many windows fit: floor((size - dilation * (window - 1) - 1) / stride) + 1.

    >>> window_count(28, 5, 2, 1)
    12
    """
    return (size - dilation * (window - 1) - 1) // stride + 1


def window_view(x: Array, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> Array:
    """A read-only view of all windows: counts in place of the dimensions, window dimensions at the end."""
    shape, steps = list(x.shape), list(x.strides)
    for d, window, stride, dilation in zip(dims, sizes, strides, dilations, strict=True):
        shape.append(window)
        steps.append(x.strides[d] * dilation)
        shape[d] = (x.shape[d] - dilation * (window - 1) - 1) // stride + 1
        steps[d] = x.strides[d] * stride
    return np.lib.stride_tricks.as_strided(x, shape, steps, writeable=False)


def tap_slices(counts: Ints, tap: Ints, strides: Ints, dilations: Ints) -> tuple[slice, ...]:
    """Where the elements at one place of every window lie in the tensor the windows slide over."""
    return tuple(
        slice(t * dilation, t * dilation + (count - 1) * stride + 1, stride)
        for count, t, stride, dilation in zip(counts, tap, strides, dilations, strict=True)
    )


def _check_dims(op: str, x: Node, dims: Ints, *others: tuple[Any, ...]) -> None:
    if len(set(dims)) != len(dims) or any(not 0 <= d < len(x.shape) for d in dims):
        raise ShapeError(f"{op}: dimensions {dims} do not exist, each once, in {show(x.shape)}")
    if any(len(other) != len(dims) for other in others):
        raise ShapeError(f"{op}: {len(dims)} dimensions need as many sizes, strides and dilations")
    if any(not isinstance(v, Dim) and v < 1 for other in others for v in other):
        raise ShapeError(f"{op}: sizes, strides and dilations must be at least 1")


def _windows_rule(x: Node, *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints) -> tuple[Shape, DType]:
    _check_dims("windows", x, dims, sizes, strides, dilations)
    shape = list(x.shape)
    for d, window, stride, dilation in zip(dims, sizes, strides, dilations, strict=True):
        span = dilation * (window - 1) + 1
        size = shape[d]
        if not isinstance(size, Dim) and size < span:
            raise ShapeError(
                f"windows: {show(x.shape)}: size {size} of dimension {d} is smaller than the window, {span}"
            )
        shape[d] = window_count(size, window, stride, dilation)
    return (*shape, *sizes), x.dtype


def _fold_rule(
    g: Node, *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints, output_size: Shape
) -> tuple[Shape, DType]:
    check_kind("fold", g, "uint", "int", "float")
    lead = len(g.shape) - len(dims)
    shape = list(g.shape[:lead])
    for d, size in zip(dims, output_size, strict=True):
        shape[d] = size
    whole = Node("input", (), g.attributes, tuple(shape), g.dtype)
    expected, dtype = _windows_rule(whole, dims=dims, sizes=sizes, strides=strides, dilations=dilations)
    if not same_shape(expected, g.shape):
        raise ShapeError(f"fold: windows over {show(shape)} have shape {show(expected)}, got {show(g.shape)}")
    return tuple(shape), dtype


def _fold_reference(g: Array, *, dims: Ints, sizes: Ints, strides: Ints, dilations: Ints, output_size: Ints) -> Array:
    lead = g.ndim - len(dims)
    shape = list(g.shape[:lead])
    for d, size in zip(dims, output_size, strict=True):
        shape[d] = size
    out = np.zeros(shape, g.dtype)
    counts = tuple(g.shape[d] for d in dims)
    place: list[Any]
    for tap in product(*map(range, sizes)):
        place = [slice(None)] * lead
        for d, where in zip(dims, tap_slices(counts, tap, strides, dilations), strict=True):
            place[d] = where
        every: tuple[Any, ...] = (..., *tap)
        out[tuple(place)] += g[every]
    return out


def _windows_gradient(n: Node, g: Node) -> Node:
    x = n.inputs[0]
    return FOLD(g, **n.attributes, output_size=tuple(x.shape[d] for d in n.attributes["dims"]))


def _fold_gradient(n: Node, g: Node) -> Node:
    return WINDOWS(g, **{name: value for name, value in n.attributes.items() if name != "output_size"})


def _windows_reads(n: Node, at: Position) -> list[Read]:
    a, lead = n.attributes, len(n.inputs[0].shape)
    position = list(at[:lead])
    for number, (d, stride, dilation) in enumerate(zip(a["dims"], a["strides"], a["dilations"], strict=True)):
        position[d] = position[d] * stride + at[lead + number] * dilation
    return [Read(0, tuple(position))]


WINDOWS: Op = register(
    Op(
        name="windows",
        kind=Kind.MOVEMENT,
        doc="Windows sliding over dimensions: their counts in place, the window dimensions appended.",
        rule=_windows_rule,
        reference=lambda x, *, dims, sizes, strides, dilations: window_view(x, dims, sizes, strides, dilations),
        gradient=(_windows_gradient,),
        lowering=Moved(_windows_reads),
        samples=lambda: [
            Sample(real(2, 6, 7), dims=(1, 2), sizes=(2, 3), strides=(2, 1), dilations=(1, 2)),
            Sample(real(5, 3), dims=(0,), sizes=(2,), strides=(3,), dilations=(1,)),
            Sample(real(2, 7), dims=(1,), sizes=(1,), strides=(4,), dilations=(1,)),
        ],
    )
)

FOLD: Op = register(
    Op(
        name="fold",
        kind=Kind.MOVEMENT,
        doc="The transpose of windows: every window added back at its place.",
        rule=_fold_rule,
        reference=_fold_reference,
        gradient=(_fold_gradient,),
        samples=lambda: [
            Sample(
                real(2, 3, 3, 2, 3),
                dims=(1, 2),
                sizes=(2, 3),
                strides=(2, 1),
                dilations=(1, 2),
                output_size=(6, 7),
            ),
            Sample(real(2, 3, 2), dims=(0,), sizes=(2,), strides=(3,), dilations=(1,), output_size=(5,)),
        ],
        dtypes=("uint", "int", "float"),
    )
)


def windows(x: Node, sizes: Ints, strides: Ints, dilations: Ints) -> Node:
    """Windows over the last dimensions of a node, one window size for each."""
    lead = len(x.shape) - len(sizes)
    return WINDOWS(
        x,
        dims=tuple(range(lead, len(x.shape))),
        sizes=sizes,
        strides=strides,
        dilations=dilations,
    )


def fold_windows(g: Node, output_size: Shape, sizes: Ints, strides: Ints, dilations: Ints) -> Node:
    """The transpose of `windows`: window dimensions are the last ones, counts the ones before."""
    rank = len(sizes)
    lead = len(g.shape) - 2 * rank
    return FOLD(
        g,
        dims=tuple(range(lead, lead + rank)),
        sizes=sizes,
        strides=strides,
        dilations=dilations,
        output_size=output_size,
    )
