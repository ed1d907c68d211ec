"""Fold what follows a convolution or matrix product, a scale and a shift for each output channel, into its weight and bias.

That is batch normalization with running statistics: (y - mean) * rsqrt(var + eps) * weight + bias becomes
y(x, w * s) + t, with s = rsqrt(var + eps) * weight and t from the rest. s, t and w * s depend on parameters alone, so a
backend may keep them from run to run. Results differ from the unfolded ones in rounding (docs/decisions/0012).

A chain is folded only when nothing else reads what is inside of it, and when weight and channel values are parameters:
made by elementwise ops and movements, from inputs that the data does not depend on, read by nothing else. In training
the statistics depend on the data, or a gradient reads the values inside, so nothing is folded.
"""

from __future__ import annotations

from dataclasses import dataclass

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape
from onegraph.ir.traverse import with_inputs
from onegraph.ops.record import OPS, Kind
from onegraph.passes.rewrite import make, rebuilt, reshaped

_AFFINE = frozenset({"add", "sub", "mul", "div"})
_PARAMETER_KINDS = frozenset({Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.LEAF})


@dataclass
class _Chain:
    """A contraction, the steps on its result in order, and the node that the last step makes."""

    contraction: Node
    steps: list[tuple[Node, Node]]  # the step, and the operand that holds a value for each channel
    end: Node


def fold_batch_norm(graph: Graph) -> Graph:
    """The same graph with scales and shifts of channels folded into weights and biases. All sizes must be known."""
    nodes = graph.nodes()
    if not any(n.op == "conv" or n.op == "matmul" for n in nodes):
        return graph
    chains = _find_chains(graph, nodes)
    if not chains:
        return graph
    new: dict[Node, Node] = {}
    for node in nodes:
        chain = chains.get(node)
        new[node] = rebuilt(node, new) if chain is None else _fold(chain, new)
    return graph.map_outputs([new[o] for o in graph.outputs])


def _channels(node: Node) -> tuple[int, Shape, Shape] | None:
    """Of a contraction: its channel dimension from the end; the shapes of channel values over its result and weight."""
    rank = len(node.shape)
    if node.op == "conv":
        count = node.shape[1]
        return rank - 1, (count, *[1] * (rank - 2)), (count, *[1] * (rank - 1))
    if node.op == "matmul" and len(node.inputs[1].shape) == 2:
        return 1, (node.shape[-1],), (node.shape[-1],)
    return None


def _find_chains(graph: Graph, nodes: list[Node]) -> dict[Node, _Chain]:
    """The chains that may be folded, by their last node."""
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for i in node.inputs:
            users.setdefault(i, []).append(node)
    outputs = set(graph.outputs)
    chains = []
    for node in nodes:
        if node.op in ("conv", "matmul"):
            chain = _follow(node, users, outputs)
            if chain is not None:
                chains.append(chain)
    if not chains:
        return {}
    parameters = _Parameters(nodes, users, outputs)
    return {chain.end: chain for chain in chains if parameters.are_all(chain)}


def _follow(node: Node, users: dict[Node, list[Node]], outputs: set[Node]) -> _Chain | None:
    """The longest chain of steps for each channel, if it both scales and shifts."""
    layout = _channels(node)
    if layout is None or not node.dtype.is_floating_point:
        return None
    axis, count, y = layout[0], layout[1][0], node
    steps: list[tuple[Node, Node]] = []
    while y not in outputs and len(users.get(y, ())) == 1:
        following = users[y][0]
        if following.op == "reshape" and axis == 1 and following.shape and following.shape[-1] == count:
            y = following
            continue
        if following.op not in _AFFINE or following.shape != y.shape:
            break
        a, b = following.inputs
        operand = b if a is y else a
        if (operand is a and following.op in ("sub", "div")) or not _is_per_channel(operand, axis, count):
            break
        steps.append((following, operand))
        y = following
    scaled = any(step.op in ("mul", "div") and operand.shape != () for step, operand in steps)
    shifted = any(step.op in ("add", "sub") for step, _ in steps)
    return _Chain(node, steps, steps[-1][0]) if scaled and shifted else None


def _is_per_channel(operand: Node, axis: int, count: object) -> bool:
    """Whether a node broadcasts as one value a channel, or as one for all."""
    shape = operand.shape
    place = len(shape) - axis
    return all(n == 1 or (d == place and n == count) for d, n in enumerate(shape))


class _Parameters:
    """Which nodes are parameters, for the chains of one graph."""

    def __init__(self, nodes: list[Node], users: dict[Node, list[Node]], outputs: set[Node]) -> None:
        self.users = users
        self.outputs = outputs
        self.reads: dict[Node, int] = {}  # the inputs that a node depends on, as bits
        self.simple: set[Node] = set()  # nodes made by elementwise ops and movements alone
        for node in nodes:
            if node.op == "input":
                self.reads[node] = 1 << len(self.reads)
                self.simple.add(node)
                continue
            read = 0
            for i in node.inputs:
                read |= self.reads[i]
            self.reads[node] = read
            if OPS[node.op].kind in _PARAMETER_KINDS and all(i in self.simple for i in node.inputs):
                self.simple.add(node)

    def are_all(self, chain: _Chain) -> bool:
        """Whether the weight and the channel values of a chain are parameters."""
        data, weight = chain.contraction.inputs
        values = [operand for _, operand in chain.steps]
        return self._is_read_once(weight) and all(
            n in self.simple and not self.reads[n] & self.reads[data] for n in (weight, *values)
        )

    def _is_read_once(self, node: Node) -> bool:
        """Whether a weight, and what it is made from, is read by nothing else: in training, its update reads it too."""
        while True:
            if len(self.users[node]) != 1 or node in self.outputs:
                return False
            sources = [i for i in node.inputs if i.shape != ()]
            if len(sources) != 1:
                return True
            node = sources[0]


def _fold(chain: _Chain, new: dict[Node, Node]) -> Node:
    """The contraction with its weight scaled, plus a shift."""
    old, source, end = chain.contraction, chain.contraction.source, chain.end
    layout = _channels(old)
    assert layout is not None
    _, over_result, over_weight = layout
    scale: Node | None = None
    shift: Node | None = None
    for step, operand in chain.steps:
        value = new[operand]
        value = reshaped(value, (over_result[0],) if value.size != 1 or over_result[0] == 1 else (), step.source)
        if step.op in ("mul", "div"):
            if scale is None:
                scale = value if step.op == "mul" else make("reciprocal", value, source=step.source)
            else:
                scale = make(step.op, scale, value, source=step.source)
            shift = None if shift is None else make(step.op, shift, value, source=step.source)
        elif shift is None:
            shift = value if step.op == "add" else make("neg", value, source=step.source)
        else:
            shift = make(step.op, shift, value, source=step.source)
    assert scale is not None and shift is not None
    data, weight = (new[i] for i in old.inputs)
    factor = reshaped(scale, over_weight, source) if scale.shape != () else scale
    weight = make("mul", weight, factor, source=source)
    y = with_inputs(old, (data, weight))
    bias = reshaped(shift, over_result, source) if shift.shape != () else shift
    return reshaped(make("add", y, bias, source=end.source), end.shape, end.source)
