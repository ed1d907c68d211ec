"""Convolutions with one or a few channels in a group, and their gradients: `kernels/depthwise.py` with its operands.

Forward and input gradient are sums over taps (the input gradient one for each phase of the stride), with what follows as
epilogue. The weight gradient is cut into pieces by its sizes alone, which a loop nest adds. Read next: `convolutions.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from onegraph.backends.native.arrangement import channels_last
from onegraph.backends.native.contractions import (
    LONG_EPILOGUE,
    Contractions,
    Operand,
    add_launch,
    epilogue_code,
    offset_of,
    write_epilogue,
)
from onegraph.backends.native.convolutions import (
    Geometry,
    Phase,
    halo_of,
    image_in_memory,
    phase_halo,
    phases_by_dim,
)
from onegraph.backends.native.launch import Launch
from onegraph.ir.dtype import float32, float64
from onegraph.ir.node import Attributes, Node
from onegraph.kernels import depthwise as kernel_code
from onegraph.kernels import depthwise_gradient as gradient_code
from onegraph.kernels.contraction_spec import Axis
from onegraph.kernels.depthwise import Windows
from onegraph.kernels.kernel import Kernel
from onegraph.kernels.llvm import Module, Value
from onegraph.kernels.nest import Nest
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS
from onegraph.kernels.target import Target
from onegraph.ops.index import Index, Position, Var, shape_of
from onegraph.ops.record import OPS

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

WIDE = 8
"""Channels of the result in a group from which on a contraction is faster."""
PIECE_PIXELS, MOST_PIECES = 96, 32
"""Pixels that a piece of a weight gradient sums over, and how many pieces there are at most."""


@dataclass
class Sum:
    """One kernel that sums over taps.

    Attributes:
        image, weights: the operands, at channel 0; positions are in terms of the loops below.
        rows, pixel, channel, taps: the loops.
        inputs, outputs: channels of one group.
        result: for each dimension of the node its index in terms of rows, pixel and channel.
    """

    image: Operand
    weights: Operand
    rows: list[Var]
    pixel: Var
    channel: Var
    taps: list[Var]
    inputs: int
    outputs: int
    result: Position


def is_narrow(node: Node, target: Target) -> bool:
    """Whether a convolution (or a gradient of one) has so few channels in a group that these kernels are faster."""
    if node.dtype not in (float32, float64) or any(0 in shape_of(n) for n in (node, *node.inputs)):
        return False
    groups = node.attributes["groups"]
    if groups == 1 or any(low < 0 or high < 0 for low, high in node.attributes["padding"]):
        return False
    inputs, outputs = _channels(node)
    if node.op == "conv_input_gradient":
        inputs, outputs = outputs, inputs
    return outputs < WIDE and kernel_code.supported(inputs, outputs, target, _type(node))


def _type(node: Node) -> str:
    return "float" if node.dtype is float32 else "double"


def _channels(node: Node) -> tuple[int, int]:
    """Input and output channels of a group of the convolution that a node is or belongs to."""
    groups = node.attributes["groups"]
    if node.op == "conv_weight_gradient":
        x, dy = node.inputs
        return shape_of(x)[1] // groups, shape_of(dy)[1] // groups
    w = shape_of(node.inputs[1])
    return w[1], w[0] // groups


def prepare_narrow(c: Contractions, node: Node) -> bool:
    """Prepare a node for these kernels, if they are for it."""
    if not is_narrow(node, c.target):
        return False
    geometry = Geometry.of(node)
    if node.op == "conv_weight_gradient":
        if "pieces" not in node.attributes:
            return False
        _weight_gradient(c, node, geometry)
        return True
    sums = (_forward if node.op == "conv" else _input_gradient)(c, node, geometry)
    operands = dict.fromkeys(o.node for s in sums for o in (s.image, s.weights))
    c.prepared.whole[node] = tuple(operands)
    c.prepared.fusible.add(node)
    c.prepared.special[node] = lambda lowering, group, stored: _emit(lowering, group, stored, node, sums)
    c.arrangement.order[node] = channels_last(len(node.shape))
    return True


def _weights(c: Contractions, w: Node, groups: int, *, swap: bool) -> Node:
    """Weights as (*taps, channels in a group that are summed over, channels of the result)."""
    out, inside, *kernel = shape_of(w)
    rank = len(kernel)
    cut = OPS["reshape"](w, shape=(groups, out // groups, inside, *kernel))
    summed, kept = (1, 2) if swap else (2, 1)
    moved = OPS["permute"](cut, dims=(*range(3, 3 + rank), summed, 0, kept))
    count = (out // groups, inside * groups) if swap else (inside, out)
    packed = OPS["reshape"](moved, shape=(*kernel, *count))
    c.prepared.packed.add(packed)
    c.arrangement.order[packed] = tuple(range(rank + 2))
    return packed


def _forward(c: Contractions, node: Node, g: Geometry) -> list[Sum]:
    x, w = node.inputs
    out, kernel = shape_of(node), shape_of(w)[2:]
    x = image_in_memory(c, x, halo_of(g, shape_of(x)[2:], kernel, out[2:]))
    inputs, outputs = _channels(node)
    image, channel = Var("n", out[0]), Var("c", out[1])
    places = [Var(f"y{i}", n) for i, n in enumerate(out[2:])]
    taps = [Var(f"k{i}", n) for i, n in enumerate(kernel)]
    at = _windows(g, places, taps)
    weights = _weights(c, w, g.groups, swap=False)
    zero = Index.of(0)
    return [
        Sum(
            Operand(x, (Index.of(image), zero, *at)),
            Operand(weights, (*map(Index.of, taps), zero, zero)),
            [image, *places[:-1]],
            places[-1],
            channel,
            taps,
            inputs,
            outputs,
            (Index.of(image), Index.of(channel), *map(Index.of, places)),
        )
    ]


def _windows(g: Geometry, places: Sequence[Var], taps: Sequence[Var]) -> list[Index]:
    """Where in space windows read."""
    return [
        Index.of(p) * s + Index.of(t) * d - low
        for p, t, s, d, (low, _) in zip(places, taps, g.stride, g.dilation, g.padding, strict=True)
    ]


def _input_gradient(c: Contractions, node: Node, g: Geometry) -> list[Sum]:
    dy, w = node.inputs
    out = shape_of(node)
    outputs, inputs = _channels(node)
    phases = phases_by_dim(node, g)
    dy = image_in_memory(c, dy, [phase_halo(p, n) for p, n in zip(phases, shape_of(dy)[2:], strict=True)])
    weights = _weights(c, w, g.groups, swap=True)
    combinations: list[list[Phase]] = [[]]
    for per_dim in phases:
        combinations = [[*before, p] for before in combinations for p in per_dim]
    sums = []
    zero = Index.of(0)
    for chosen in combinations:
        image, channel = Var("n", out[0]), Var("c", out[1])
        places = [Var(f"q{i}", p.steps) for i, p in enumerate(chosen)]
        taps = [Var(f"k{i}", p.taps) for i, p in enumerate(chosen)]
        at = [Index.of(q) + p.start - Index.of(t) * p.back for q, t, p in zip(places, taps, chosen, strict=True)]
        which = [Index.of(t) * p.tap_step + p.first_tap for t, p in zip(taps, chosen, strict=True)]
        into = [Index.of(q) * s + p.phase for q, s, p in zip(places, g.stride, chosen, strict=True)]
        sums.append(
            Sum(
                Operand(dy, (Index.of(image), zero, *at)),
                Operand(weights, (*which, zero, zero)),
                [image, *places[:-1]],
                places[-1],
                channel,
                taps,
                inputs,
                outputs,
                (Index.of(image), Index.of(channel), *into),
            )
        )
    return sums


# ------------------------------------------------------------------------------------------------- emission


def _emit(lowering: Lowering, group: Group, stored: set[Node], node: Node, sums: Sequence[Sum]) -> None:
    """Kernels for a node and the elementwise work that follows it."""
    for s in sums:
        if all(v.size for v in (*s.rows, s.pixel, s.channel)):
            _emit_sum(lowering, group, stored, node, s)


def _emit_sum(lowering: Lowering, group: Group, stored: set[Node], node: Node, s: Sum) -> None:
    loops = [*s.rows, s.pixel, s.channel]
    writer, given = write_epilogue(lowering, group, stored, node, (s.image, s.weights), loops, s.result)
    image, weights = offset_of(lowering, s.image), offset_of(lowering, s.weights)
    spec = Windows(
        tuple([Axis(v.size, _stride(image, v)) for v in s.rows]),
        Axis(s.pixel.size, _stride(image, s.pixel)),
        tuple([Axis(v.size, _stride(image, v), _stride(weights, v)) for v in s.taps]),
        s.channel.size,
        s.inputs,
        s.outputs,
        s.channel.size,
        image.constant,
        weights.constant,
        _type(node),
    )
    buffers = writer.buffer(s.image.node), writer.buffer(s.weights.node)
    kernel = _sum_kernel(writer.nest, spec, given, s, node, lowering.target, buffers)
    add_launch(lowering, group, writer, kernel, set(buffers))


def _stride(index: Index, variable: Var) -> int:
    stride = index.stride(variable)
    assert stride is not None
    return stride


def _sum_kernel(
    nest: Nest, spec: Windows, given: int, s: Sum, node: Node, target: Target, operands: tuple[int, int]
) -> Kernel:
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, _, status = f.arguments
    pointers = [f.load("ptr", f.element(buffers, "ptr", i)) for i in range(len(nest.buffers))]
    follow = epilogue_code(nest, f, target, pointers, status, given, node)
    loops = [*s.rows, s.pixel]

    def epilogue(at: list[Value], channel: Value, sums: Value, mask: Value | None) -> None:
        follow(zip(loops, at, strict=True), channel, sums, mask)

    image, weights = (pointers[n] for n in operands)
    long = len(nest.needed([store.value for store in nest.phases[0].stores])) > LONG_EPILOGUE
    kernel_code.emit(f, spec, target, image, weights, epilogue, first, last, long_epilogue=long)
    f.ret()
    elements = spec.row_count * spec.pixels.size * spec.channels
    moved = node.dtype.itemsize * (elements + prod(shape_of(s.image.node)))
    about = f"{spec.row_count}x{spec.pixels.size} pixels, {_describe(spec)}\n{nest}"
    return Kernel(node.op, str(module), kernel_code.tasks(spec, target), 0, 2 * elements * spec.steps, moved, about)


def _describe(spec: Windows) -> str:
    taps = "x".join(str(axis.size) for axis in spec.taps)
    return f"{spec.channels} channels, {spec.inputs} to {spec.outputs} in a group, {taps} taps"


# ------------------------------------------------------------------------------------------ weight gradient


def narrow_weight_gradient(node: Node, target: Target) -> Node:
    """The gradient of weights as the sum of pieces, each of which sums over some rows of pixels; or the node as it is."""
    if node.op == "cast":
        return OPS["cast"](narrow_weight_gradient(node.inputs[0], target), dtype=node.dtype)
    if node.op != "conv_weight_gradient" or not is_narrow(node, target):
        return node
    x, dy = node.inputs
    kernel, (inputs, _) = shape_of(node)[2:], _channels(node)
    n, channels, *counts = shape_of(dy)
    rows = n * prod(counts[:-1])
    pieces = max(1, min(MOST_PIECES, rows, rows * counts[-1] // PIECE_PIXELS))
    pieces = -(-rows // -(-rows // pieces))
    attributes = Attributes({**dict(node.attributes), "pieces": pieces})
    shape = (pieces, *kernel, inputs, channels)
    parts = Node(node.op, (x, dy), attributes, shape, node.dtype, node.source)
    whole = OPS["sum"](parts, dims=(0,), keepdim=True) if pieces > 1 else parts
    whole = OPS["reshape"](whole, shape=shape[1:])
    rank = len(kernel)
    return OPS["permute"](whole, dims=(rank + 1, rank, *range(rank)))


def _weight_gradient(c: Contractions, node: Node, g: Geometry) -> None:
    x, dy = node.inputs
    _, *kernel, inputs, channels = shape_of(node)
    counts = shape_of(dy)[2:]
    x = image_in_memory(c, x, halo_of(g, shape_of(x)[2:], kernel, counts))
    dy = image_in_memory(c, dy, [(0, 0)] * g.rank)
    image, channel = Var("n", shape_of(x)[0]), Var("c", channels)
    places = [Var(f"y{i}", n) for i, n in enumerate(counts)]
    taps = [Var(f"k{i}", n) for i, n in enumerate(kernel)]
    zero = Index.of(0)
    outputs = channels // g.groups
    at_x = Operand(x, (Index.of(image), zero, *_windows(g, places, taps)))
    at_dy = Operand(dy, (Index.of(image), zero, *map(Index.of, places)))
    s = Sum(at_x, at_dy, [image, *places[:-1]], places[-1], channel, taps, inputs, outputs, ())
    c.prepared.whole[node] = (x, dy)
    c.prepared.special[node] = lambda lowering, group, stored: _emit_gradient(lowering, node, s)
    c.arrangement.order[node] = tuple(range(len(node.shape)))


def _emit_gradient(lowering: Lowering, node: Node, s: Sum) -> None:
    x, dy = offset_of(lowering, s.image), offset_of(lowering, s.weights)
    spec = Windows(
        tuple([Axis(v.size, _stride(x, v), _stride(dy, v)) for v in s.rows]),
        Axis(s.pixel.size, _stride(x, s.pixel), _stride(dy, s.pixel)),
        tuple([Axis(v.size, _stride(x, v)) for v in s.taps]),
        s.channel.size,
        s.inputs,
        s.outputs,
        0,
        x.constant,
        dy.constant,
        _type(node),
    )
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, _, _ = f.arguments
    pieces, target = shape_of(node)[0], lowering.target
    image, gradient, result = (f.load("ptr", f.element(buffers, "ptr", i)) for i in range(3))
    gradient_code.emit_gradient(f, spec, target, image, gradient, result, pieces, first, last)
    f.ret()
    elements = spec.row_count * spec.pixels.size * spec.channels
    tasks = gradient_code.gradient_tasks(spec, target, pieces)
    about = f"{pieces} pieces of {spec.row_count}x{spec.pixels.size} pixels, {_describe(spec)}"
    moved = 2 * node.dtype.itemsize * elements
    kernel = Kernel(node.op, str(module), tasks, 0, 2 * elements * spec.steps, moved, about)
    places = [lowering.place_of(n) for n in (s.image.node, s.weights.node, node)]
    lowering.launches.append(Launch(places[:2], places[2:], places, kernel, nodes=(node,)))
