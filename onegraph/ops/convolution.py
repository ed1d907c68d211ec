"""Convolution in 1 to 3 dimensions: three bilinear primitives, each the gradient of the other two.

`conv(x, w)` is bilinear, so its two gradients are too, and the gradients of all three are again among the
three. Layout is (batch, channels, *space), weights are (out channels, in channels / groups, *kernel). What
neural networks call convolution is cross-correlation: the kernel is not flipped. A transposed convolution
is the input gradient of a convolution.
Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016.

Read next: `windows.py` (the array functions), `convolution_functions.py` (conv2d and the others).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Shape
from onegraph.ops.record import Array, Kind, Op, Sample, real, register
from onegraph.ops.shapes import check_kind, check_same_dtype, same_shape, same_size, show
from onegraph.ops.windows import Ints, tap_slices, window_count, window_view

Pairs = tuple[tuple[int, int], ...]
CHUNK_ELEMENTS = 1 << 22  # elements of unfolded input at a time, so that large images do not fill the memory


# ------------------------------------------------------------------------------------------- references


def _group(x: Array, groups: int) -> Array:
    """(N, C, *S) -> (groups, C / groups, N, *S)."""
    x = np.moveaxis(x, 0, 1)
    return x.reshape(groups, x.shape[0] // groups, *x.shape[1:])


def _ungroup(x: Array) -> Array:
    """The inverse of `_group`."""
    return np.moveaxis(x.reshape(-1, *x.shape[2:]), 1, 0)


def _pad_space(x: Array, padding: Pairs) -> Array:
    """Zeros around the dimensions after the first two; negative padding cuts."""
    for i, (low, high) in enumerate(padding, 2):
        if low < 0 or high < 0:
            cut = slice(max(0, -low), x.shape[i] - max(0, -high))
            x = x[(slice(None),) * i + (cut,)]
    wide = [(0, 0), (0, 0), *((max(0, low), max(0, high)) for low, high in padding)]
    return np.pad(x, wide) if any(map(any, wide)) else x


def _unfold(x: Array, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Array:
    """(N, C, *S) -> (groups, C / groups * taps, N * positions), the matrix of a convolution as a product."""
    rank = len(kernel)
    view = window_view(_pad_space(x, padding), tuple(range(2, 2 + rank)), kernel, stride, dilation)
    taps = tuple(range(2 + rank, 2 + 2 * rank))
    columns = np.ascontiguousarray(view.transpose(1, *taps, 0, *range(2, 2 + rank)))
    rows = x.shape[1] // groups * int(np.prod(kernel))
    return columns.reshape(groups, rows, int(np.prod(columns.shape[1 + rank :])))


def _chunks(batch: int, elements: int) -> Iterator[slice]:
    """Slices of the batch for which the unfolded input stays small; they depend on shapes alone."""
    step = max(1, CHUNK_ELEMENTS // max(1, elements // max(1, batch)))
    for start in range(0, batch, step):
        yield slice(start, min(batch, start + step))


def _matrix(w: Array, groups: int) -> Array:
    """Weights as one matrix a group: (groups, out channels / groups, in channels / groups * taps)."""
    return w.reshape(groups, w.shape[0] // groups, int(np.prod(w.shape[1:])))


def _conv_reference(x: Array, w: Array, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Array:
    kernel = w.shape[2:]
    space = tuple(
        (size + low + high - d * (k - 1) - 1) // s + 1
        for size, (low, high), k, s, d in zip(x.shape[2:], padding, kernel, stride, dilation, strict=True)
    )
    out = np.empty((x.shape[0], w.shape[0], *space), x.dtype)
    elements = x.shape[0] * x.shape[1] * int(np.prod(kernel)) * int(np.prod(space))
    matrix = _matrix(w, groups)
    for part in _chunks(x.shape[0], elements):
        columns = _unfold(x[part], kernel, stride, padding, dilation, groups)
        product_ = np.matmul(matrix, columns)
        out[part] = _ungroup(product_.reshape(groups, matrix.shape[1], part.stop - part.start, *space))
    return out


def _weight_gradient_reference(
    x: Array, g: Array, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int, kernel_size: Ints
) -> Array:
    inside = x.shape[1] // groups
    out = np.zeros((groups, g.shape[1] // groups, inside * int(np.prod(kernel_size))), x.dtype)
    elements = x.shape[0] * x.shape[1] * int(np.prod(kernel_size)) * int(np.prod(g.shape[2:]))
    for part in _chunks(x.shape[0], elements):
        columns = _unfold(x[part], kernel_size, stride, padding, dilation, groups)
        grouped = _group(g[part], groups).reshape(groups, out.shape[1], columns.shape[2])
        out += np.matmul(grouped, columns.transpose(0, 2, 1))
    return out.reshape(g.shape[1], inside, *kernel_size)


def _input_gradient_reference(
    g: Array, w: Array, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int, input_size: Ints
) -> Array:
    kernel, space, inside = w.shape[2:], g.shape[2:], w.shape[1]
    out = np.empty((g.shape[0], inside * groups, *input_size), g.dtype)
    elements = g.shape[0] * out.shape[1] * int(np.prod(kernel)) * int(np.prod(space))
    matrix = _matrix(w, groups).transpose(0, 2, 1)
    # The buffer holds the padded input, and also what padding that was cut off (negative) would have held.
    front = tuple(max(0, -low) for low, _ in padding)
    whole = tuple(
        f + max(low + size, (count - 1) * s + d * (k - 1) + 1)
        for f, (low, _), size, count, k, s, d in zip(
            front, padding, input_size, space, kernel, stride, dilation, strict=True
        )
    )
    inner = tuple(slice(f + low, f + low + size) for f, (low, _), size in zip(front, padding, input_size, strict=True))
    for part in _chunks(g.shape[0], elements):
        batch = part.stop - part.start
        grouped = _group(g[part], groups).reshape(groups, g.shape[1] // groups, batch * int(np.prod(space)))
        columns = np.matmul(matrix, grouped).reshape(groups * inside, *kernel, batch, *space)
        buffer = np.zeros((groups * inside, batch, *whole), g.dtype)
        for tap in product(*map(range, kernel)):
            place = tuple(
                slice(f + s.start, f + s.stop, s.step)
                for f, s in zip(front, tap_slices(space, tap, stride, dilation), strict=True)
            )
            buffer[(slice(None), slice(None), *place)] += columns[(slice(None), *tap)]
        out[part] = np.moveaxis(buffer[(slice(None), slice(None), *inner)], 1, 0)
    return out


# ------------------------------------------------------------------------------------------------ rules


def _name(x: Node) -> str:
    return f"conv{len(x.shape) - 2}d"


def _check_attributes(x: Node, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> None:
    rank = len(x.shape) - 2
    if rank < 1 or not len(stride) == len(padding) == len(dilation) == rank:
        raise ShapeError(
            f"conv: {show(x.shape)} with stride {stride}, padding {padding}, dilation {dilation}: "
            "needs (batch, channels, *space) and one of each for each dimension of space"
        )
    check_kind(_name(x), x, "uint", "int", "float")
    if any(s < 1 for s in (*stride, *dilation)) or groups < 1:
        raise ArgumentError(f"{_name(x)}: stride {stride}, dilation {dilation} and groups {groups} must be at least 1")


def _output_space(
    op: str, space: Sequence[Size], kernel: Sequence[Size], stride: Ints, padding: Pairs, dilation: Ints
) -> Shape:
    found = []
    for size, k, s, (low, high), d in zip(space, kernel, stride, padding, dilation, strict=True):
        padded, span = size + low + high, d * (k - 1) + 1
        if not isinstance(padded, Dim) and not isinstance(span, Dim) and padded < span:
            raise ShapeError(
                f"{op}: input size {show(space)} with padding {padding} is {padded} in one dimension, "
                f"where the kernel {show(kernel)} with dilation {dilation} spans {span}",
                hint="pad more, or use a smaller kernel",
            )
        found.append(window_count(padded, int(k) if not isinstance(k, Dim) else k, s, d))  # type: ignore[arg-type]
    return tuple(found)


def _check_channels(op: str, x: Shape, w: Shape, groups: int) -> None:
    if not isinstance(w[0], Dim) and w[0] % groups:
        raise ShapeError(f"{op}: weight {show(w)}: {w[0]} output channels cannot be divided into {groups} groups")
    if not same_size(x[1], w[1] * groups):
        hint = None
        if same_size(x[-1], w[1] * groups) and len(x) > 2:
            hint = "channels come second here: move them with x.movedim(-1, 1)"
        elif not isinstance(w[1], Dim) and x[1] == w[1] and groups > 1:
            hint = "the weight's second size is the number of input channels of one group"
        raise ShapeError(
            f"{op}: weight {show(w)} with groups={groups} needs {w[1] * groups} input channels, "
            f"but the input {show(x)} has {x[1]}",
            hint=hint,
        )


def _conv_rule(x: Node, w: Node, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> tuple[Shape, DType]:
    _check_attributes(x, stride, padding, dilation, groups)
    op = _name(x)
    if len(w.shape) != len(x.shape):
        raise ShapeError(f"{op}: input {show(x.shape)} and weight {show(w.shape)} must have as many dimensions")
    dtype = check_same_dtype(op, x, w)
    _check_channels(op, x.shape, w.shape, groups)
    space = _output_space(op, x.shape[2:], w.shape[2:], stride, padding, dilation)
    return (x.shape[0], w.shape[0], *space), dtype


def _input_gradient_rule(
    g: Node, w: Node, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int, input_size: Shape
) -> tuple[Shape, DType]:
    _check_attributes(g, stride, padding, dilation, groups)
    dtype = check_same_dtype("conv_input_gradient", g, w)
    if len(w.shape) != len(g.shape) or not same_size(g.shape[1], w.shape[0]):
        raise ShapeError(
            f"conv_input_gradient: gradient {show(g.shape)} and weight {show(w.shape)}: "
            "the gradient's channels must be the weight's first size"
        )
    shape = (g.shape[0], w.shape[1] * groups, *input_size)
    _check_channels("conv_input_gradient", shape, w.shape, groups)
    space = _output_space("conv_input_gradient", input_size, w.shape[2:], stride, padding, dilation)
    if not same_shape(space, g.shape[2:]):
        raise ShapeError(
            f"conv_input_gradient: input size {show(input_size)} gives outputs of size {show(space)}, "
            f"but the gradient is {show(g.shape)}"
        )
    return shape, dtype


def _weight_gradient_rule(
    x: Node, g: Node, *, stride: Ints, padding: Pairs, dilation: Ints, groups: int, kernel_size: Ints
) -> tuple[Shape, DType]:
    _check_attributes(x, stride, padding, dilation, groups)
    dtype = check_same_dtype("conv_weight_gradient", x, g)
    space = _output_space("conv_weight_gradient", x.shape[2:], kernel_size, stride, padding, dilation)
    if not same_shape(g.shape[2:], space) or not same_size(x.shape[0], g.shape[0]):
        raise ShapeError(
            f"conv_weight_gradient: input {show(x.shape)} with kernel {kernel_size} gives outputs of size "
            f"{show(space)}, but the gradient is {show(g.shape)}"
        )
    shape = (g.shape[1], x.shape[1] // groups, *kernel_size)
    _check_channels("conv_weight_gradient", x.shape, shape, groups)
    return shape, dtype


# -------------------------------------------------------------------------------------------- the three


def _shared(n: Node) -> dict[str, Any]:
    return {name: n.attributes[name] for name in ("stride", "padding", "dilation", "groups")}


def _case(x: Shape, w: Shape, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Case:
    return x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


Case = tuple[Shape, Shape, dict[str, Any]]
_CASES: list[Case] = [
    _case((2, 4, 5, 6), (6, 2, 3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2), 2),
    _case((2, 3, 7), (2, 3, 3), (2,), ((0, 0),), (1,), 1),
    _case((1, 2, 4, 3, 3), (2, 1, 2, 2, 2), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 1), 2),
    _case((2, 2, 5), (3, 2, 1), (2,), ((1, -1),), (1,), 1),
]


def _case_space(x: Shape, w: Shape, attributes: dict[str, Any]) -> Shape:
    return _output_space("conv", x[2:], w[2:], attributes["stride"], attributes["padding"], attributes["dilation"])


def _array(shape: Shape, seed: int) -> Array:
    return real(*(int(s) for s in shape), seed=seed)


def _register(
    name: str,
    doc: str,
    rule: Callable[..., tuple[Shape, DType]],
    reference: Callable[..., Array],
    gradient: tuple[Callable[[Node, Node], Node], Callable[[Node, Node], Node]],
    sample: Callable[[Shape, Shape, dict[str, Any]], Sample],
) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.CONTRACTION,
            doc=doc,
            rule=rule,
            reference=reference,
            gradient=gradient,
            samples=lambda: [sample(*case) for case in _CASES],
            dtypes=("uint", "int", "float"),
        )
    )


CONV: Op = _register(
    "conv",
    "Cross-correlation of (batch, channels, *space) with weights (out, in / groups, *kernel).",
    _conv_rule,
    _conv_reference,
    (
        lambda n, g: CONV_INPUT_GRADIENT(g, n.inputs[1], **_shared(n), input_size=n.inputs[0].shape[2:]),
        lambda n, g: CONV_WEIGHT_GRADIENT(n.inputs[0], g, **_shared(n), kernel_size=n.inputs[1].shape[2:]),
    ),
    lambda x, w, attributes: Sample(_array(x, 0), _array(w, 1), **attributes),
)

CONV_INPUT_GRADIENT: Op = _register(
    "conv_input_gradient",
    "The gradient of a convolution with respect to its input; also the transposed convolution.",
    _input_gradient_rule,
    _input_gradient_reference,
    (
        lambda n, g: CONV(g, n.inputs[1], **_shared(n)),
        lambda n, g: CONV_WEIGHT_GRADIENT(g, n.inputs[0], **_shared(n), kernel_size=n.inputs[1].shape[2:]),
    ),
    lambda x, w, attributes: Sample(
        _array((x[0], w[0], *_case_space(x, w, attributes)), 0), _array(w, 1), **attributes, input_size=x[2:]
    ),
)

CONV_WEIGHT_GRADIENT: Op = _register(
    "conv_weight_gradient",
    "The gradient of a convolution with respect to its weight.",
    _weight_gradient_rule,
    _weight_gradient_reference,
    (
        lambda n, g: CONV_INPUT_GRADIENT(n.inputs[1], g, **_shared(n), input_size=n.inputs[0].shape[2:]),
        lambda n, g: CONV(n.inputs[0], g, **_shared(n)),
    ),
    lambda x, w, attributes: Sample(
        _array(x, 0), _array((x[0], w[0], *_case_space(x, w, attributes)), 1), **attributes, kernel_size=w[2:]
    ),
)
