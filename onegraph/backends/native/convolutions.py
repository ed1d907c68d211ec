"""Convolutions as contractions: forward, input gradient (one contraction for each phase of the stride), weight gradient.

With pixels channels-last and a halo of zeros around them, every address is a sum of strides times loop variables.
Those with few channels in a group multiply no matrices worth the name: `depthwise.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product as combinations
from math import gcd, prod

from onegraph.backends.native import winograd
from onegraph.backends.native.arrangement import channels_last
from onegraph.backends.native.contractions import Contractions, Operand, Product
from onegraph.backends.native.reading import is_leaf, is_pointwise, is_reduction
from onegraph.ir.dtype import bfloat16
from onegraph.ir.node import Node
from onegraph.kernels.contraction import Axis, Contraction
from onegraph.ops.index import Index, Var, shape_of
from onegraph.ops.leaf import constant
from onegraph.ops.record import OPS


@dataclass
class Geometry:
    """The attributes of a convolution."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @staticmethod
    def of(node: Node) -> Geometry:
        """Those of a node."""
        a = node.attributes
        return Geometry(a["stride"], a["padding"], a["dilation"], a["groups"])

    @property
    def is_plain(self) -> bool:
        """Two dimensions, every pixel, one group."""
        return self.stride == self.dilation == (1, 1) and self.groups == 1

    @property
    def rank(self) -> int:
        """Dimensions of space."""
        return len(self.stride)


def prepare_convolution(contractions: Contractions, node: Node) -> None:
    """Say a convolution, or a gradient of one, as products."""
    geometry = Geometry.of(node)
    if any(low < 0 or high < 0 for low, high in geometry.padding) or any(
        0 in shape_of(n) for n in (node, *node.inputs)
    ):
        return
    {"conv": _forward, "conv_input_gradient": _input_gradient, "conv_weight_gradient": _weight_gradient}[node.op](
        contractions, node, geometry
    )


def image_in_memory(contractions: Contractions, x: Node, halo: Sequence[tuple[int, int]]) -> Node:
    """The images as a value of their own in memory, channels-last with a halo."""
    arrangement = contractions.arrangement
    last = channels_last(len(x.shape))
    taken = x in contractions.prepared.graph.outputs or arrangement.order.get(x, last) != last
    if taken or is_leaf(x) or not (is_pointwise(x) or is_reduction(x) or x in contractions.prepared.special):
        known = contractions.images.get(x)
        if known is None:
            known = contractions.images[x] = OPS["detach"](x)
        x = known
    arrangement.order[x] = last
    arrangement.ask_halo(x, [(0, 0), (0, 0), *halo])
    return x


def halo_of(g: Geometry, sizes: Sequence[int], kernel: Sequence[int], counts: Sequence[int]) -> list[tuple[int, int]]:
    """How far past the edges of an image the windows reach."""
    halo = []
    for size, k, s, (low, _), d, count in zip(sizes, kernel, g.stride, g.padding, g.dilation, counts, strict=True):
        halo.append((low, max(0, (count - 1) * s - low + (k - 1) * d + 1 - size)))
    return halo


def _forward(c: Contractions, node: Node, g: Geometry) -> None:
    x, w = node.inputs
    sizes, kernel = shape_of(x)[2:], shape_of(w)[2:]
    out = shape_of(node)
    if g.is_plain and winograd.suits(node, shape_of(x)[1], kernel, c.target):
        low = tuple([p[0] for p in g.padding])
        x = image_in_memory(c, x, winograd.halo_of(node, x, low))
        winograd.prepare_tiles(c, node, x, _taps_first(w, (2, 3, 1, 0)), low)
        return
    x = image_in_memory(c, x, halo_of(g, sizes, kernel, out[2:]))
    inside, outside = shape_of(w)[1], shape_of(w)[0] // g.groups
    group, image, channel, column = Var("g", g.groups), Var("n", out[0]), Var("c", inside), Var("o", outside)
    places = [Var(f"y{i}", n) for i, n in enumerate(out[2:])]
    taps = [Var(f"k{i}", n) for i, n in enumerate(kernel)]
    beside = _pixels_beside(c, node, g, kernel[-1], outside)
    matrix = _weights(w, g.groups, swap=False)
    if beside > 1:
        places[-1], taps[-1] = Var("x", out[-1] // beside), Var("k", kernel[-1] + beside - 1)
        column = Var("o", outside * beside)
        matrix = _shifted(matrix, beside, upward=True)
    steps = (*g.stride[:-1], g.stride[-1] * beside)
    space = [
        Index.of(p) * s + Index.of(t) * d - low
        for p, t, s, d, (low, _) in zip(places, taps, steps, g.dilation, g.padding, strict=True)
    ]
    a = Operand(x, (Index.of(image), Index.of(group) * inside + Index.of(channel), *space))
    depth = [*taps, channel]
    at = [*map(Index.of, places[:-1]), Index.of(places[-1]) * beside + Index.of(column) // outside]
    result = (Index.of(image), Index.of(group) * outside + Index.of(column) % outside, *at)
    product = Product(a, a, [group], [image, *places], column, depth, result)
    if node.dtype is bfloat16:
        w = image_in_memory(c, w, [(0, 0)] * g.rank)
        product.b = Operand(w, (Index.of(group) * outside + Index.of(column), Index.of(channel), *map(Index.of, taps)))
    else:
        _pack(c, product, matrix, group, depth)
    c.arrangement.order[node] = channels_last(len(out))
    c.add(node, [product])


def _pixels_beside(c: Contractions, node: Node, g: Geometry, kernel: int, columns: int) -> int:
    """How many pixels of a row are computed as one vector, where one alone has too few channels for it.

    Each has its channels, and its weights among zeros: so `beside` pixels need kernel + beside - 1 taps of a row.
    """
    if not g.is_plain or node.dtype is bfloat16 or kernel < 2:
        return 1
    lanes, width = c.target.lanes(8 * node.dtype.itemsize), shape_of(node)[-1]
    choices = [n for n in range(1, lanes // columns + 1) if width % n == 0]
    return max(choices, key=lambda n: (n * kernel / (kernel + n - 1), -n), default=1)


def _shifted(matrix: Node, beside: int, *, upward: bool) -> Node:
    """Weights (group, y, x, in, out) for pixels beside each other: (group, y, x + beside - 1, in, pixel and out).

    Args:
        upward: the first pixel has the first taps; else the last pixel has them.
    """
    parts = []
    for pixel in range(beside):
        before = pixel if upward else beside - 1 - pixel
        padding = ((0, 0, 0), (0, 0, 0), (before, beside - 1 - before, 0), (0, 0, 0), (0, 0, 0))
        parts.append(OPS["pad"](matrix, constant(0, matrix.dtype), padding=padding))
    return OPS["concat"](*parts, dim=4)


def _taps_first(w: Node, dims: tuple[int, ...]) -> Node:
    """Weights of two dimensions as (taps, in, out), or what the order of the dimensions says."""
    moved = OPS["permute"](w, dims=dims)
    high, wide, *rest = shape_of(moved)
    return OPS["reshape"](moved, shape=(high * wide, *rest))


def _weights(w: Node, groups: int, *, swap: bool) -> Node:
    """(groups, *kernel, in, out), or with `swap` (groups, *kernel, out, in)."""
    out, inside, *kernel = shape_of(w)
    rank = len(kernel)
    cut = OPS["reshape"](w, shape=(groups, out // groups, inside, *kernel))
    last = (1, 2) if swap else (2, 1)
    return OPS["permute"](cut, dims=(0, *range(3, 3 + rank), *last))


def _pack(c: Contractions, product: Product, matrix: Node, group: Var, depth: Sequence[Var]) -> None:
    """B in panels: positions (group, panel, *depth, column in the panel)."""
    columns = product.column.size
    steps = [1]
    for v in reversed(depth[1:]):
        steps.insert(0, steps[0] * v.size)
    rows = [Axis(v.size, 1) for v in product.rows if v.size != 1] or [Axis(1)]
    spec = Contraction(
        tuple(rows), columns, tuple(Axis(v.size, 1, s * columns) for v, s in zip(depth, steps, strict=True))
    )
    product.b = Operand(matrix, (Index.of(group), Index.of(0), *map(Index.of, depth), Index.of(product.column)))
    c.panels(product, matrix, spec)


def _input_gradient(c: Contractions, node: Node, g: Geometry) -> None:
    """dx[s q + r] gets w[k] dy[o] where s o + d k - p = s q + r: for each phase r the taps are evenly spaced."""
    dy, w = node.inputs
    out, kernel, counts = shape_of(node), shape_of(w)[2:], shape_of(dy)[2:]
    inside, outside = shape_of(w)[1], shape_of(w)[0] // g.groups
    before = tuple([k - 1 - low for k, (low, _) in zip(kernel, g.padding, strict=True)])
    if g.is_plain and min(before) >= 0 and winograd.suits(node, shape_of(dy)[1], kernel, c.target):
        dy = image_in_memory(c, dy, winograd.halo_of(node, dy, before))
        turned = OPS["flip"](w, dims=(2, 3))
        winograd.prepare_tiles(c, node, dy, _taps_first(turned, (2, 3, 0, 1)), before)
        return
    phases = phases_by_dim(node, g)
    dy = image_in_memory(c, dy, [phase_halo(p, count) for p, count in zip(phases, counts, strict=True)])
    matrix = _weights(w, g.groups, swap=True)
    beside = _pixels_beside(c, node, g, kernel[-1], inside)
    if beside > 1:
        matrix, kernel = _shifted(matrix, beside, upward=False), (*kernel[:-1], kernel[-1] + beside - 1)
    products: list[Product] = []
    packed: Product | None = None
    for chosen in combinations(*phases):
        if beside > 1:
            row = chosen[-1]
            wide = replace(row, steps=row.steps // beside, taps=row.taps + beside - 1, start=row.start + beside - 1)
            chosen = (*chosen[:-1], wide)
        group, image, channel = Var("g", g.groups), Var("n", out[0]), Var("o", outside)
        column = Var("c", inside * beside)
        places = [Var(f"q{i}", p.steps) for i, p in enumerate(chosen)]
        taps = [Var(f"k{i}", p.taps) for i, p in enumerate(chosen)]
        forward = [*(1 for _ in places[:-1]), beside]
        space = [
            Index.of(q) * n + p.start - Index.of(t) * p.back
            for q, n, t, p in zip(places, forward, taps, chosen, strict=True)
        ]
        a = Operand(dy, (Index.of(image), Index.of(group) * outside + Index.of(channel), *space))
        into = [Index.of(q) * s * n + p.phase for q, s, n, p in zip(places, g.stride, forward, chosen, strict=True)]
        into[-1] = into[-1] + Index.of(column) // inside
        result = (Index.of(image), Index.of(group) * inside + Index.of(column) % inside, *into)
        product = Product(a, a, [group], [image, *places], column, [*taps, channel], result)
        if (
            prod(kernel) == 1 and g.groups == 1 and node.dtype is not bfloat16
        ):  # the weights are a matrix that lies as it is needed
            product.b = Operand(w, (Index.of(channel), Index.of(column), *[Index.of(0)] * g.rank))
            products.append(product)
            continue
        which = [Index.of(t) * p.tap_step + p.first_tap for t, p in zip(taps, chosen, strict=True)]
        if node.dtype is bfloat16:
            at_w = (Index.of(group) * outside + Index.of(channel), Index.of(column), *which)
            product.b = Operand(image_in_memory(c, w, [(0, 0)] * g.rank), at_w)
            products.append(product)
            continue
        if packed is None:
            whole = [Var(f"k{i}", n) for i, n in enumerate(kernel)]
            _pack(c, product, matrix, group, [*whole, channel])
            packed = product
        product.b = Operand(packed.b.node, (Index.of(group), Index.of(0), *which, Index.of(channel), Index.of(column)))
        product.width, product.panel_stride = packed.width, packed.panel_stride
        products.append(product)
    c.arrangement.order[node] = channels_last(len(out))
    c.add(node, products)


@dataclass
class Phase:
    """Positions phase, phase + stride, ...: how many, and which taps reach them from where.

    Tap number t is kernel element first_tap + t * tap_step; at step q it reads dy[q + start - t * back].
    """

    phase: int
    steps: int
    taps: int
    first_tap: int
    tap_step: int
    start: int
    back: int

    @property
    def lowest(self) -> int:
        """The smallest index of dy that is read."""
        return self.start - (self.taps - 1) * self.back

    @property
    def highest(self) -> int:
        """The largest."""
        return self.start + self.steps - 1


def phases_by_dim(node: Node, g: Geometry) -> list[list[Phase]]:
    """For each dimension of space of an input gradient its phases."""
    dy, w = node.inputs
    sizes = zip(shape_of(node)[2:], shape_of(dy)[2:], shape_of(w)[2:], g.stride, g.padding, g.dilation, strict=True)
    return [phases_of(size, count, k, s, low, d) for size, count, k, s, (low, _), d in sizes]


def phase_halo(phases: Sequence[Phase], count: int) -> tuple[int, int]:
    """How far past the edges of a gradient with so many elements the phases of a dimension reach."""
    lows = [p.lowest for p in phases if p.taps and p.steps]
    highs = [p.highest for p in phases if p.taps and p.steps]
    return max(0, -min(lows, default=0)), max(0, max(highs, default=0) - count + 1)


def phases_of(size: int, count: int, kernel: int, stride: int, low: int, dilation: int) -> list[Phase]:
    """The phases of one dimension."""
    found = []
    step = stride // gcd(stride, dilation)
    for phase in range(min(stride, size)):
        steps = -(-(size - phase) // stride)
        reached = [k for k in range(kernel) if (phase + low - k * dilation) % stride == 0]
        first = reached[0] if reached else 0
        start = (phase + low - first * dilation) // stride
        found.append(Phase(phase, steps, len(reached), first, step, start, step * dilation // stride))
    return found


def _weight_gradient(c: Contractions, node: Node, g: Geometry) -> None:
    """dw[o, c, k] = sum over images and places of x[c, s y + d k - p] dy[o, y]."""
    x, dy = node.inputs
    kernel, sizes, counts = shape_of(node)[2:], shape_of(x)[2:], shape_of(dy)[2:]
    x = image_in_memory(c, x, halo_of(g, sizes, kernel, counts))
    dy = image_in_memory(c, dy, [(0, 0)] * g.rank)
    outside, inside = shape_of(node)[0] // g.groups, shape_of(node)[1]
    group, image, channel, column = Var("g", g.groups), Var("n", shape_of(x)[0]), Var("c", inside), Var("o", outside)
    places = [Var(f"y{i}", n) for i, n in enumerate(counts)]
    taps = [Var(f"k{i}", n) for i, n in enumerate(kernel)]
    space = [
        Index.of(p) * s + Index.of(t) * d - low
        for p, t, s, d, (low, _) in zip(places, taps, g.stride, g.dilation, g.padding, strict=True)
    ]
    at_x = Operand(x, (Index.of(image), Index.of(group) * inside + Index.of(channel), *space))
    at_dy = Operand(dy, (Index.of(image), Index.of(group) * outside + Index.of(column), *map(Index.of, places)))
    result = (Index.of(group) * outside + Index.of(column), Index.of(channel), *map(Index.of, taps))
    depth = [image, *places]
    if prod(kernel) == 1 and inside >= 16:  # the result is then in row-major order
        product = Product(at_dy, at_x, [group], [column], channel, depth, result)
        product.result = (Index.of(group) * outside + Index.of(column), Index.of(channel), *[Index.of(0)] * g.rank)
    else:
        product = Product(at_x, at_dy, [group], [*taps, channel], column, depth, result)
        rank = len(node.shape)
        c.arrangement.order[node] = (*range(2, rank), 1, 0)
        if outside % 64 == 0:
            c.arrangement.spare[node] = 16
    c.add(node, [product])
