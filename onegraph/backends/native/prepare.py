"""Rewriting before fusion: ops that kernels do not know are said with those that they know.

`argmax` becomes a maximum and a minimum over positions, `fold` a sum of padded slices, half-precision products products
in float32. What remains and has no kernel is computed by Python (`host`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from onegraph.backends.native.arrangement import Arrangement, row_major
from onegraph.backends.native.half_products import uses_tiles
from onegraph.backends.native.overlap import fold_long, integer_convolution
from onegraph.backends.native.reading import is_leaf, is_pointwise, is_reduction
from onegraph.ir.dtype import bfloat16, bool_, float16, float32, float64, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, bundle
from onegraph.ir.traverse import topological, with_inputs
from onegraph.kernels.target import Target
from onegraph.ops.index import shape_of
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import slice_dim
from onegraph.ops.record import OPS

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering

Emit: TypeAlias = "Callable[[Lowering, Group, set[Node]], None]"
MOST_TAPS = 49
SHORT_RUN = 12
"""Elements of a reduction that are read twice: they stay in the cache."""


@dataclass(frozen=True)
class Body:
    """What is known of a graph that is the body of a loop.

    Attributes:
        carries: how many of the first outputs are carries.
        constants: the inputs that are the same in every turn.
    """

    carries: int
    constants: frozenset[Node]


@dataclass
class Prepared:
    """A graph made ready for fusion.

    Attributes:
        whole: nodes with a kernel of their own, and the inputs that must be in memory for them.
        fusible: those of them that elementwise work can follow in the same kernel.
        packed: weights arranged for the micro-kernel.
        special: what writes the kernels of such nodes; those without are computed by Python.
    """

    graph: Graph
    whole: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    fusible: set[Node] = field(default_factory=set)
    special: dict[Node, Emit] = field(default_factory=dict)
    packed: set[Node] = field(default_factory=set)

    def inputs_of(self, node: Node) -> tuple[Node, ...]:
        """What a node reads."""
        return self.whole.get(node, node.inputs)

    def order(self) -> list[Node]:
        """All nodes that are needed, each after what it reads."""
        return topological(self.graph.outputs, inputs_of=self.inputs_of)


def prepare(graph: Graph, target: Target, arrangement: Arrangement, body: Body | None = None) -> Prepared:
    """The graph rewritten, and what is known of its nodes; `body` for the body of a loop."""
    from onegraph.backends.native.contractions import Contractions
    from onegraph.backends.native.depthwise import narrow_weight_gradient

    new: dict[Node, Node] = {}
    used = Counter(i for node in graph.nodes() for i in node.inputs) + Counter(graph.outputs)
    for node in graph.nodes():
        made = with_inputs(node, tuple([new[i] for i in node.inputs]))
        rule = _REWRITES.get(node.op)
        if made.op == "permute" and made.inputs[0].op == "matmul" and used[node.inputs[0]] == 1:
            rule = _transposed
        if rule is _product and uses_tiles(made, target):
            rule = None
        if 0 in shape_of(node) and node.op not in ("input", "constant"):
            rule = _empty
        made = made if rule is None else rule(made)
        new[node] = narrow_weight_gradient(made, target) if node.op == "conv_weight_gradient" else made
    for node in graph.inputs:
        new.setdefault(node, node)
    outputs = [_own_output(new[o]) for o in graph.outputs]
    if body is not None:
        outputs = _separate(outputs, body.carries)
    prepared = Prepared(Graph(graph.inputs, outputs, graph.name))
    constants = frozenset() if body is None else body.constants
    Contractions(prepared, target, arrangement, constants=constants).prepare()
    _host_nodes(prepared, arrangement)
    outputs = [_row_major(o, arrangement) for o in prepared.graph.outputs]
    prepared.graph = Graph(graph.inputs, outputs, graph.name)
    return prepared


def _host_nodes(prepared: Prepared, arrangement: Arrangement) -> None:
    """What has a kernel of its own kind, or none: its inputs must be in row-major order."""
    from onegraph.backends.native.special import KERNELS as kernels

    for node in prepared.graph.nodes():
        if node in prepared.whole or is_leaf(node) or is_pointwise(node) or is_reduction(node):
            continue
        if node.op == "item":
            prepared.whole[node] = node.inputs
            continue
        operands: tuple[Node, ...] = node.inputs
        kernel = kernels.get(node.op)
        if kernel is not None:
            operands = kernel.operands(node)
            prepared.special[node] = kernel.emit
        prepared.whole[node] = tuple([_row_major(i, arrangement) for i in operands])


def _row_major(node: Node, arrangement: Arrangement) -> Node:
    """The node itself where it can lie in row-major order, else a copy."""
    plain = row_major(len(node.shape))
    if node.op in ("input", "constant") or node.dtype is bundle:
        return node
    if node.op == "iota":
        return OPS["detach"](node)
    if (
        arrangement.order.setdefault(node, plain) == plain
        and node not in arrangement.halo
        and node not in arrangement.spare
    ):
        return node
    copy = OPS["detach"](node)
    arrangement.order[copy] = plain
    return copy


def _separate(outputs: Sequence[Node], carries: int) -> list[Node]:
    """Each carry, and each result that is not a carry, becomes a value of its own in memory."""
    made: list[Node] = []
    for i, o in enumerate(outputs):
        taken = o in made[:carries] if i < carries else o in made[carries:]
        made.append(OPS["detach"](o) if taken else o)
    return made


def _own_output(node: Node) -> Node:
    """Outputs are memory of their own: an input or a constant that is given back is copied."""
    return OPS["detach"](node) if is_leaf(node) else node


def _empty(node: Node) -> Node:
    """A value without elements needs no work."""
    return OPS["expand"](constant(0, node.dtype), shape=node.shape)


def _first_input(node: Node) -> Node:
    """Ops that only say something about their input."""
    return node.inputs[0]


def _source_in_memory(node: Node) -> Node:
    """Of these the first input is read wherever values say, so it must be in memory."""
    first = node.inputs[0]
    if first.op == "iota" or (first.op == "constant" and first.attributes["value"].array.size == 1):
        return with_inputs(node, (OPS["detach"](first), *node.inputs[1:]))
    return node


def _moments(node: Node) -> Node:
    """The mean, and the sum of squared distances from it, in one pass over memory.

    Short runs (all of the last reduced dimensions, up to `SHORT_RUN` elements) are read twice, the second time from the
    cache; their means and sums are put together by the formula of T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating
    formulae and a pairwise algorithm for computing sample variances", 1979, equation 1.4.
    """
    x, dims = node.inputs[0], node.attributes["dims"]
    shape, dtype = shape_of(x), x.dtype
    run: list[int] = []
    while len(run) < len(dims) and prod([shape[d] for d in run]) < SHORT_RUN:
        run.append(dims[len(dims) - 1 - len(run)])
    total, count = prod([shape[d] for d in dims]), prod([shape[d] for d in run])
    if total == 0:
        return node
    own = tuple(sorted(run))
    mean = _mean(x, own, count)
    away = OPS["sub"](x, mean)
    squares = _reduction(OPS["sum"](OPS["mul"](away, away), dims=own, keepdim=True))
    rest = tuple([d for d in dims if d not in run])
    if rest:
        whole = _mean(mean, rest, total // count)
        away = OPS["sub"](mean, whole)
        between = OPS["mul"](OPS["mul"](away, away), constant(count, dtype))
        squares = _reduction(OPS["sum"](OPS["add"](squares, between), dims=rest, keepdim=True))
        mean = whole
    rows = tuple(node.shape[1:])
    return OPS["concat"](*[OPS["reshape"](v, shape=(1, *rows)) for v in (mean, squares)], dim=0)


def _mean(x: Node, dims: tuple[int, ...], count: int) -> Node:
    return OPS["div"](_reduction(OPS["sum"](x, dims=dims, keepdim=True)), constant(count, x.dtype))


def _reduction(node: Node) -> Node:
    """A reduction of single elements moves them; one of no elements is a number."""
    shape = shape_of(node.inputs[0])
    if 0 in shape:
        return OPS["expand"](constant(int(node.op == "prod"), node.dtype), shape=node.shape)
    if all(shape[d] == 1 for d in node.attributes["dims"]):
        return OPS["reshape"](node.inputs[0], shape=node.shape)
    return node


def _arg(node: Node) -> Node:
    """The first place of the extreme value; a NaN counts as one."""
    x, dim, keepdim = node.inputs[0], node.attributes["dim"], node.attributes["keepdim"]
    if x.dtype is bool_:
        x = OPS["cast"](x, dtype=int64)
    shape = shape_of(x)
    best = _reduction(OPS["max" if node.op == "argmax" else "min"](x, dims=(dim,), keepdim=True))
    found = OPS["eq"](x, best)
    if x.dtype.kind == "float":
        found = OPS["or"](found, OPS["isnan"](x))
    places = OPS["reshape"](iota(shape[dim], int64), shape=tuple(n if d == dim else 1 for d, n in enumerate(shape)))
    first = OPS["where"](found, places, constant(shape[dim], int64))
    return _reduction(OPS["min"](first, dims=(dim,), keepdim=keepdim))


def _fold(node: Node) -> Node:
    """Every tap of the windows, put back at its places; added in the order of the taps."""
    a = node.attributes
    if a["sizes"] == a["strides"] and set(a["dilations"]) <= {1}:
        return _side_by_side(node)
    if node.dtype in (float16, bfloat16):  # added in float32, rounded once
        wide = OPS["cast"](node.inputs[0], dtype=float32)
        return OPS["cast"](_fold(Node("fold", (wide,), a, node.shape, float32, node.source)), dtype=node.dtype)
    taps = list(product(*map(range, a["sizes"])))
    if len(taps) > MOST_TAPS:
        return fold_long(node)
    g, lead = node.inputs[0], len(node.shape)
    total: Node | None = None
    for tap in taps:
        part = g
        for number, t in enumerate(tap):
            part = slice_dim(part, lead + number, t, t + 1)
        part = OPS["reshape"](part, shape=g.shape[:lead])
        padding = [(0, 0, 0)] * lead
        for d, t, stride, dilation in zip(a["dims"], tap, a["strides"], a["dilations"], strict=True):
            low, used = t * dilation, (int(g.shape[d]) - 1) * stride + 1
            padding[d] = (low, int(node.shape[d]) - low - used, stride - 1)
        part = OPS["pad"](part, constant(0, g.dtype), padding=tuple(padding))
        total = part if total is None else OPS["add"](total, part)
    assert total is not None
    return total


def _side_by_side(node: Node) -> Node:
    """Windows that do not overlap are only moved to their places."""
    g, a, lead = node.inputs[0], node.attributes, len(node.shape)
    order, shape, padding = [], list(node.shape), [(0, 0, 0)] * lead
    for d in range(lead):
        order.append(d)
        if d in a["dims"]:
            number = a["dims"].index(d)
            order.append(lead + number)
            shape[d] = g.shape[d] * a["sizes"][number]
            padding[d] = (0, int(node.shape[d]) - int(shape[d]), 0)
    moved = OPS["reshape"](OPS["permute"](g, dims=tuple(order)), shape=tuple(shape))
    if tuple(shape) != node.shape:
        moved = OPS["pad"](moved, constant(0, g.dtype), padding=tuple(padding))
    return OPS["add"](moved, constant(0, g.dtype)) if g.dtype.kind == "float" else moved  # as a sum, -0.0 is 0.0


def _product(node: Node) -> Node:
    """Products of numbers that the micro-kernel does not know."""
    dtype = node.dtype
    if any(0 in shape_of(x) for x in node.inputs):
        return OPS["expand"](constant(0, dtype), shape=node.shape)
    if dtype in (float32, float64):
        return _matrix_and_vector(node) or node
    a, b = node.inputs
    if dtype.kind == "float":
        wide = [OPS["cast"](x, dtype=float32) for x in node.inputs]
        made = Node(node.op, tuple(wide), node.attributes, node.shape, float32, node.source)
        return OPS["cast"](made, dtype=dtype)
    if node.op == "conv":
        return integer_convolution(node)
    if node.op != "matmul":
        return node
    left = OPS["reshape"](a, shape=(*a.shape, 1))
    right = OPS["reshape"](b, shape=(*b.shape[:-2], 1, *b.shape[-2:]))
    return _reduction(OPS["sum"](OPS["mul"](left, right), dims=(len(node.shape) - 1,), keepdim=False))


def _matrix_and_vector(node: Node) -> Node | None:
    """One row times a matrix of which each column lies as a run in memory: as many sums, which read it once."""
    if node.op != "matmul":
        return None
    (row, matrix), (m, n) = node.inputs, shape_of(node)[-2:]
    k = shape_of(row)[-1]
    if len(shape_of(matrix)) != 2 or matrix.op != "permute" or prod(shape_of(node)[:-1]) != 1 or m * k < 256 or n < 16:
        return None
    across = OPS["permute"](matrix, dims=(1, 0))
    total = OPS["sum"](OPS["mul"](across, OPS["reshape"](row, shape=(1, k))), dims=(1,), keepdim=False)
    return OPS["reshape"](total, shape=node.shape)


def _transposed(node: Node) -> Node:
    """A product that is only needed transposed is computed so: then what follows can follow in its kernel."""
    dims, (a, b) = list(node.attributes["dims"]), node.inputs[0].inputs
    last = len(dims) - 1
    if dims[-1] != last - 1:
        return node
    swapped = [OPS["permute"](x, dims=(*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)) for x in (b, a)]
    dims[dims.index(last)], dims[-1] = last - 1, last
    product = OPS["matmul"](*swapped)
    return product if dims == list(range(last + 1)) else OPS["permute"](product, dims=tuple(dims))


def _scatter(node: Node) -> Node:
    """Updates of half precision are combined in float32 and rounded once."""
    if node.dtype not in (float16, bfloat16) or node.attributes["mode"] == "set":
        return node
    base, *indices, updates = node.inputs
    wide = [OPS["cast"](x, dtype=float32) for x in (base, updates)]
    inputs = (wide[0], *indices, wide[1])
    return OPS["cast"](Node("scatter", inputs, node.attributes, node.shape, float32, node.source), dtype=node.dtype)


_REWRITES: dict[str, Callable[[Node], Node]] = {
    "barrier": _first_input,
    "with_gradient": _first_input,
    "detach": _first_input,
    "take": _source_in_memory,
    "random_bits": _source_in_memory,
    "moments": _moments,
    "sum": _reduction,
    "prod": _reduction,
    "max": _reduction,
    "min": _reduction,
    "argmax": _arg,
    "argmin": _arg,
    "fold": _fold,
    "scatter": _scatter,
    "matmul": _product,
    "conv": _product,
    "conv_input_gradient": _product,
    "conv_weight_gradient": _product,
}
