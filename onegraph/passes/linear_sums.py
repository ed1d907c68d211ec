"""Sums in the gradient of batch normalization: what is constant along a sum is taken out of it, and sums of deviations go.

Autodiff gives the gradient of the mean as a sum over sums of products. Deviations from the mean add up to zero; what
remains are two sums, of g and of g times the deviation, which the gradients of bias and weight need as well. So one
more pass over memory is saved. Only for sums beside a `moments` node of the same dimensions; rounding differs
(docs/decisions/0012). Source of the two sums: Ioffe and Szegedy, "Batch Normalization", 2015, section 3.
"""

from __future__ import annotations

from typing import NamedTuple

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.passes.rewrite import filled, make, rebuilt, reshaped

_LIMIT = 16  # terms of one sum; the gradient of batch normalization has three

_Key = tuple[tuple[Node, ...], tuple[int, ...]]


class _Term(NamedTuple):
    """A product: factors that vary along the sum, factors that do not, and whether it is subtracted."""

    varying: tuple[Node, ...]
    constant: tuple[Node, ...]
    negative: bool


def simplify_linear_sums(graph: Graph) -> Graph:
    """The same graph with fewer sums beside `moments`. All sizes must be known."""
    nodes = graph.nodes()
    reduced = {n.attributes["dims"] for n in nodes if n.op == "moments"}
    if not reduced:
        return graph
    sums: dict[Node, list[_Term]] = {}
    needed: dict[_Key, int] = {}
    for node in nodes:
        if node.op == "sum" and node.attributes["dims"] in reduced and node.dtype.is_floating_point:
            terms = _terms(node)
            if terms:
                sums[node] = terms
                for key in {(t.varying, node.attributes["dims"]) for t in terms}:
                    needed[key] = needed.get(key, 0) + 1
    chosen = {n for n, terms in sums.items() if _vanishing(n, terms) or _is_shared(n, terms, needed)}
    for node in [n for n in chosen if not _vanishing(n, sums[n])]:
        if not any(t.constant for other in chosen for t in sums[other] if t.varying == sums[node][0].varying):
            chosen.discard(node)  # all are the sum itself: nothing to take out
    if not chosen:
        return graph
    return _Writer(nodes, sums, chosen).write(graph)


def _vanishing(node: Node, terms: list[_Term]) -> bool:
    return any(_is_zero(t, node.attributes["dims"]) for t in terms)


def _is_shared(node: Node, terms: list[_Term], needed: dict[_Key, int]) -> bool:
    """Whether a sum is that of one product, which another sum needs too."""
    return len(terms) == 1 and needed[(terms[0].varying, node.attributes["dims"])] > 1


def _is_zero(term: _Term, dims: tuple[int, ...]) -> bool:
    return len(term.varying) == 1 and _is_deviation(term.varying[0], dims)


def _is_deviation(node: Node, dims: tuple[int, ...]) -> bool:
    """Whether a node is x minus its mean over those dimensions, the mean being the first row of moments."""
    if node.op != "sub" or node.inputs[1].op != "reshape":
        return False
    x, row = node.inputs[0], node.inputs[1].inputs[0]
    if row.op != "slice" or row.inputs[0].op != "moments" or row.attributes["stops"][0] != 1:
        return False
    moments = row.inputs[0]
    kept = tuple([1 if d in dims else n for d, n in enumerate(x.shape)])
    return moments.inputs[0] is x and moments.attributes["dims"] == dims and node.inputs[1].shape == kept


def _terms(node: Node) -> list[_Term]:
    """The products that a sum adds up; empty when it has too many, or one that does not vary along the sum."""
    x, dims = node.inputs[0], node.attributes["dims"]
    found: list[_Term] = []
    pending: list[tuple[Node, _Term]] = [(x, _Term((), (), False))]
    while pending:
        node, term = pending.pop()
        if len(found) + len(pending) >= _LIMIT or node.shape != x.shape:
            return []
        if node.op == "neg":
            pending.append((node.inputs[0], term._replace(negative=not term.negative)))
        elif node.op in ("add", "sub") and not _is_deviation(node, dims):
            a, b = node.inputs
            pending.append((a, term))
            pending.append((b, term if node.op == "add" else term._replace(negative=not term.negative)))
        else:
            varying, constant = _factors(node, dims)
            if not varying:
                return []
            found.append(_Term(tuple(varying), term.constant + tuple(constant), term.negative))
    return found


def _factors(node: Node, dims: tuple[int, ...]) -> tuple[list[Node], list[Node]]:
    """The factors of a product that vary along dimensions, and those that do not."""
    shape = node.shape
    varying: list[Node] = []
    constant: list[Node] = []
    pending = [node]
    while pending:
        node = pending.pop()
        still = _constant_along(node, len(shape), dims)
        if still is not None:
            constant.append(still)
        elif node.op == "mul" and node.shape == shape and len(varying) + len(pending) < 4:
            pending.extend(reversed(node.inputs))
        else:
            varying.append(node)
    deviations = [n for n in varying if _is_deviation(n, dims)]
    return [*(n for n in varying if n not in deviations), *deviations], constant


def _constant_along(node: Node, rank: int, dims: tuple[int, ...]) -> Node | None:
    """The node, without repeating, when it does not vary along dimensions of a shape that it broadcasts to."""
    if node.op == "expand" and len(node.inputs[0].shape) == rank:
        node = node.inputs[0]
    lead = rank - len(node.shape)
    return node if all(d < lead or node.shape[d - lead] == 1 for d in dims) else None


class _Writer:
    """Writes the graph anew, each sum of a product once."""

    def __init__(self, nodes: list[Node], sums: dict[Node, list[_Term]], chosen: set[Node]) -> None:
        self.sums = sums
        self.shared: dict[_Key, Node] = {}
        self.new: dict[Node, Node] = {}
        for node in nodes:
            self.new[node] = self._combined(node) if node in chosen else rebuilt(node, self.new)

    def write(self, graph: Graph) -> Graph:
        """The graph with its outputs replaced."""
        return graph.map_outputs([self.new[o] for o in graph.outputs])

    def _combined(self, node: Node) -> Node:
        dims = node.attributes["dims"]
        total: Node | None = None
        for term in self.sums[node]:
            if _is_zero(term, dims):
                continue
            value = self._sum_of(term.varying, dims, node)
            for factor in term.constant:
                value = make("mul", value, self.new[factor], source=node.source)
            if total is None:
                total = make("neg", value, source=node.source) if term.negative else value
            else:
                total = make("sub" if term.negative else "add", total, value, source=node.source)
        return filled(0, node) if total is None else reshaped(total, node.shape, node.source)

    def _sum_of(self, factors: tuple[Node, ...], dims: tuple[int, ...], node: Node) -> Node:
        key = (factors, dims)
        if key not in self.shared:
            product = self.new[factors[0]]
            for factor in factors[1:]:
                product = make("mul", product, self.new[factor], source=node.source)
            self.shared[key] = make("sum", product, source=node.source, dims=dims, keepdim=True)
        return self.shared[key]
