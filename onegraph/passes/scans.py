"""Take work out of scans, above all out of their gradients, which are scans too.

What a gradient computes again of the products of the forward scan becomes a further result of that one. Sums over all steps of
products or of reductions (gradients of weights) become one product or reduction of stacked values after the loop: one
large product instead of a small one a step, and no sum to be read and written in each. Read next: `pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import OPS, Kind
from onegraph.passes.rewrite import make, number

_MOVED = frozenset({"permute", "reshape", "slice"})


def improve_scans(graph: Graph) -> Graph:
    """The same graph with less work inside of its scans."""
    if all(node.op != "scan" for node in graph.nodes()):
        return graph
    return _sums_after(_kept_products(graph))


@dataclass
class _Parts:
    """What the attributes and inputs of a scan stand for."""

    node: Node
    body: Graph = field(init=False)
    carried: int = field(init=False)
    scanned: int = field(init=False)

    def __post_init__(self) -> None:
        a = self.node.attributes
        self.body, self.carried, self.scanned = a["body"], a["carried"], a["scanned"]

    @property
    def rows(self) -> list[tuple[Node, Node]]:
        """Scanned inputs: of the body, and outside."""
        stop = self.carried + self.scanned
        return list(zip(self.body.inputs[self.carried : stop], self.node.inputs[self.carried : stop], strict=True))

    @property
    def constants(self) -> list[tuple[Node, Node]]:
        """Inputs that are the same in every step: of the body, and outside."""
        start = self.carried + self.scanned
        return list(zip(self.body.inputs[start:], self.node.inputs[start:], strict=True))


def _scan(old: Node, inputs: Sequence[Node], body: Graph, carried: int, scanned: int) -> Node:
    a = old.attributes
    names = {"length": a["length"], "reverse": a["reverse"]}
    return make("scan", *inputs, source=old.source, body=body, carried=carried, scanned=scanned, **names)


def _uses(graph: Graph) -> dict[Node, list[Node]]:
    """For each node of a body those that read it; the graph's outputs count as a reader each."""
    found: dict[Node, list[Node]] = {}
    for node in topological(graph.outputs):
        for i in node.inputs:
            found.setdefault(i, []).append(node)
    for o in graph.outputs:
        found.setdefault(o, []).append(o)
    return found


# ------------------------------------------------------------------------------------- products that are kept


def _kept_products(graph: Graph) -> Graph:
    """Products that a scan computes again of another one, whose carries it reads, become results of that one."""
    extra: dict[Node, list[Node]] = {}
    replaced: dict[Node, list[tuple[Node, Node, int]]] = {}  # for each scan: its value, the other scan, which result
    for node in graph.nodes():
        if node.op != "scan":
            continue
        for source in dict.fromkeys(x.inputs[0] for _, x in _Parts(node).rows if x.op == "item"):
            if source.op == "scan" and source.attributes["length"] == node.attributes["length"]:
                for value, image in _computed_again(_Parts(node), _Parts(source)):
                    if any(value is v for v, _, _ in replaced.get(node, ())):
                        continue
                    known = extra.setdefault(source, [])
                    if image not in known:
                        known.append(image)
                    replaced.setdefault(node, []).append((value, source, known.index(image)))
    if not replaced:
        return graph
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        made = with_inputs(node, tuple([new[i] for i in node.inputs]))
        if node.op == "item" and node.inputs[0] in extra:
            source, index = node.inputs[0], node.attributes["index"]
            first_history = len(source.attributes["body"].outputs)
            made = make("item", made.inputs[0], index=index + (len(extra[source]) if index >= first_history else 0))
        if node in replaced:
            made = _with_rows(made, [(v, _result(new[s], s, i)) for v, s, i in replaced[node]])
        if node in extra:
            body: Graph = made.attributes["body"]
            body = body.map_outputs([*body.outputs, *extra[node]])
            made = _scan(made, made.inputs, body, made.attributes["carried"], made.attributes["scanned"])
        new[node] = made
    return graph.map_outputs([new[o] for o in graph.outputs])


def _result(scan: Node, old: Node, number: int) -> Node:
    return make("item", scan, index=len(old.attributes["body"].outputs) + number)


def _computed_again(scan: _Parts, source: _Parts) -> list[tuple[Node, Node]]:
    """Values of a scan's body that the other one's body computes too, in the same step, and that are worth keeping."""
    image: dict[Node, Node] = {}
    first_history = len(source.body.outputs)
    rows = {x: inner for inner, x in source.rows}
    for inner, x in scan.rows:
        if x.op == "item" and x.inputs[0] is source.node:
            index = x.attributes["index"]
            if index >= first_history:
                image[inner] = source.body.inputs[index - first_history]
            elif index >= source.carried:
                image[inner] = source.body.outputs[index]
        elif x in rows:
            image[inner] = rows[x]
    constants = {x: inner for inner, x in source.constants}
    image.update({inner: constants[x] for inner, x in scan.constants if x in constants})
    known: dict[Any, Node] = {_key(n, n.inputs): n for n in topological(source.body.outputs)}
    own = set(scan.body.inputs)
    for node in topological(scan.body.outputs):
        if node in own or node in image or any(i not in image for i in node.inputs):
            continue
        found = known.get(_key(node, tuple([image[i] for i in node.inputs])))
        if found is not None:
            image[node] = found
    uses = _uses(scan.body)
    kept: dict[Node, Node] = {}
    for node in topological(scan.body.outputs):
        if node in image and node.inputs and OPS[node.op].kind is Kind.CONTRACTION:
            value = _followed(node, image, uses)
            kept[value] = image[value]
    return list(kept.items())


def _followed(node: Node, image: dict[Node, Node], uses: dict[Node, list[Node]]) -> Node:
    """A value after a product, up to where several others read it: it is written once in any case."""
    while len(uses[node]) == 1 and uses[node][0] is not node:
        (user,) = uses[node]
        if user not in image or user.shape != node.shape or not isinstance(OPS[user.op].lowering, Pointwise):
            break
        node = user
    return node


def _key(node: Node, inputs: tuple[Node, ...]) -> Any:
    return node if node.op == "input" else (node.op, inputs, node.attributes, node.shape, node.dtype)


def _with_rows(scan: Node, given: Sequence[tuple[Node, Node]]) -> Node:
    """A scan that reads some values of its body from further rows."""
    parts = _Parts(scan)
    stand_ins = {value: input_node(value.shape, value.dtype) for value, _ in given}
    new: dict[Node, Node] = dict(stand_ins)
    for node in topological(parts.body.outputs, stop=lambda n: n in stand_ins):
        if node not in new:
            new[node] = with_inputs(node, tuple([new[i] for i in node.inputs]))
    end = parts.carried + parts.scanned
    inner = [*parts.body.inputs[:end], *stand_ins.values(), *parts.body.inputs[end:]]
    body = Graph(inner, [new[o] for o in parts.body.outputs], parts.body.name)
    operands = [*scan.inputs[:end], *[row for _, row in given], *scan.inputs[end:]]
    return _scan(scan, operands, body, parts.carried, parts.scanned + len(given))


# ------------------------------------------------------------------------------------------ sums after the loop


def _sums_after(graph: Graph) -> Graph:
    """Carries that only add up products or sums are computed after the scan."""
    used: dict[Node, set[int]] = {}
    for node in graph.nodes():
        if node.op == "item":
            used.setdefault(node.inputs[0], set()).add(node.attributes["index"])
    new: dict[Node, Node] = {}
    results: dict[Node, dict[int, Node]] = {}
    for node in graph.nodes():
        made = with_inputs(node, tuple([new[i] for i in node.inputs]))
        if node.op == "item" and node.inputs[0] in results:
            made = results[node.inputs[0]][node.attributes["index"]]
        elif node.op == "scan" and isinstance(node.attributes["length"], int) and node.attributes["length"]:
            found = _Sums(_Parts(made), used.get(node, set())).run()
            if found is not None:
                results[node] = found
        new[node] = made
    return graph.map_outputs([new[o] for o in graph.outputs]) if results else graph


class _Sums:
    """Moves the sums of one scan behind it.

    Args:
        parts: the scan.
        used: the numbers of its results that are used.
    """

    def __init__(self, parts: _Parts, used: set[int]) -> None:
        self.parts = parts
        self.used = used
        self.length = parts.node.attributes["length"]
        self.outputs = list(parts.body.outputs)
        self.rows = dict(parts.rows)
        self.fixed = {inner for inner, _ in parts.constants}
        self.uses = _uses(parts.body)
        self.stacked = {o: i for i, o in enumerate(self.outputs) if i >= parts.carried}
        self.new: Node | None = None

    def run(self) -> dict[int, Node] | None:
        """For each used result what it is now; None if nothing can be moved."""
        parts = self.parts
        moved = {k: c for k in range(parts.carried) if (c := self._contribution(k)) is not None}
        if not moved:
            return None
        kept = [k for k in range(parts.carried) if k not in moved]
        old_results = len(parts.body.outputs)
        for core, _ in moved.values():
            for x in core.inputs:
                base = _base(x)
                if base not in self.rows and base not in self.stacked:
                    self.stacked[base] = len(self.outputs)
                    self.outputs.append(base)
        inner = [parts.body.inputs[k] for k in kept] + list(parts.body.inputs[parts.carried :])
        outputs = [self.outputs[k] for k in kept] + self.outputs[parts.carried :]
        operands = [parts.node.inputs[k] for k in kept] + list(parts.node.inputs[parts.carried :])
        body = Graph(inner, outputs, parts.body.name)
        self.new = _scan(parts.node, operands, body, len(kept), parts.scanned)
        self.shift = len(kept) - parts.carried
        found: dict[int, Node] = {}
        for index in self.used:
            if index in moved:
                total = self._total(*moved[index])
                start = parts.node.inputs[index]
                found[index] = total if number(start) == 0 else make("add", start, total)
            elif index < parts.carried:
                found[index] = make("item", self.new, index=kept.index(index))
            elif index < old_results:
                found[index] = make("item", self.new, index=index + self.shift)
            else:
                found[index] = make("item", self.new, index=len(outputs) + kept.index(index - old_results))
        return found

    def _contribution(self, k: int) -> tuple[Node, list[Node]] | None:
        """The product or sum that is added to a carry in each step, and the movements after it."""
        carry, result = self.parts.body.inputs[k], self.outputs[k]
        if len(self.parts.body.outputs) + k in self.used or not carry.dtype.is_floating_point:
            return None
        if result.op != "add" or carry not in result.inputs or self.uses.get(carry, []) != [result]:
            return None
        if len(self.uses[result]) != 1:
            return None
        core = result.inputs[0] if result.inputs[1] is carry else result.inputs[1]
        after: list[Node] = []
        if core.shape != carry.shape:
            return None
        while core.op in ("permute", "reshape"):
            after.append(core)
            core = core.inputs[0]
        if core.op == "matmul":
            a, b = core.inputs
            fits = a.shape[:-2] == b.shape[:-2]
        else:
            fits = core.op == "sum"
        if not fits or any(_base(x) in self.fixed for x in core.inputs):
            return None
        return core, after

    def _stack(self, value: Node) -> Node:
        """The values of all steps, along a new first dimension."""
        if value in self.rows:
            return self.rows[value]
        if value in self.stacked:
            assert self.new is not None
            return make("item", self.new, index=self.stacked[value] + self.shift)
        a, x = value.attributes, self._stack(value.inputs[0])
        if value.op == "permute":
            return make("permute", x, dims=(0, *[d + 1 for d in a["dims"]]))
        if value.op == "reshape":
            return make("reshape", x, shape=(self.length, *value.shape))
        starts, stops, steps = (0, *a["starts"]), (self.length, *a["stops"]), (1, *a["steps"])
        return make("slice", x, starts=starts, stops=stops, steps=steps)

    def _total(self, core: Node, after: list[Node]) -> Node:
        """The sum over all steps."""
        if core.op == "sum":
            x = self._stack(core.inputs[0])
            dims = (0, *[d + 1 for d in core.attributes["dims"]])
            total = make("reshape", make("sum", x, dims=dims, keepdim=False), shape=core.shape)
        else:
            a, b = (self._stack(x) for x in core.inputs)
            batch = tuple(range(1, len(a.shape) - 2))
            m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
            last = len(a.shape)
            a = make("permute", a, dims=(*batch, last - 2, 0, last - 1))
            b = make("permute", b, dims=(*batch, 0, last - 2, last - 1))
            lead = core.shape[:-2]
            a = make("reshape", a, shape=(*lead, m, self.length * k))
            b = make("reshape", b, shape=(*lead, self.length * k, n))
            total = make("matmul", a, b)
        for node in reversed(after):
            total = with_inputs(node, (total,))
        return total


def _base(value: Node) -> Node:
    """What a value is a view of."""
    while value.op in _MOVED:
        value = value.inputs[0]
    return value
