"""Which values of a graph live in memory; all others are computed where they are needed, again and again if need be.

In memory are results, what kernels of their own read and make, reductions, and what would cost more to compute again
than to read. Read next: `fusion.py`, which makes kernels of the values in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from onegraph.backends.native.reading import is_leaf, is_movement, is_pointwise, is_reduction
from onegraph.ir.node import Node
from onegraph.ops.index import shape_of

CHEAP = frozenset(
    (
        "neg", "abs", "sign", "not", "cast", "detach", "with_gradient", "barrier", "where", "add", "sub", "mul", "maximum",
        "minimum", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "floor", "ceil", "round", "trunc", "isnan",
        "isinf", "isfinite",
    )
)  # fmt: skip
"""Ops that cost less than reading a value from memory."""
INLINE_LIMIT = 48
"""Ops computed where they are needed before a value in between is kept."""
RECOMPUTE_LIMIT = 12
"""Cheap ops that are computed again for each of several consumers, instead of keeping their result."""
MANY_TIMES = 32
"""How often a vector's elements are read where it is worth a kernel to compute it once."""


def choose_memory(order: Sequence[Node], outputs: set[Node], whole: dict[Node, tuple[Node, ...]]) -> set[Node]:
    """Nodes whose values are stored (or at least computed once).

    Args:
        order: the nodes, each after its inputs.
        outputs: nodes whose values are asked for.
        whole: for nodes with a kernel of their own, the inputs that they read as values in memory.
    """
    return _Choice(order, outputs, whole).memory


class _Choice:
    def __init__(self, order: Sequence[Node], outputs: set[Node], whole: dict[Node, tuple[Node, ...]]) -> None:
        self.order = order
        self.outputs = outputs
        self.whole = whole
        self.memory: set[Node] = set()
        self._choose_memory()

    def _choose_memory(self) -> None:
        """Nodes whose values are stored (or at least computed once)."""
        consumers = self._consumers()
        cost: dict[Node, int] = {}
        cheap: dict[Node, bool] = {}
        large: dict[Node, frozenset[Node]] = {}
        given: set[Node] = set()
        """Vectors that are computed of the inputs' vectors alone."""
        for node in self.order:
            if is_leaf(node):
                cost[node], cheap[node], large[node] = 0, True, self._self_if_large(node)
                if node.op == "constant" or (node.op == "input" and _is_vector(node)):
                    given.add(node)
                continue
            if node in self.whole or is_reduction(node):
                self.memory.add(node)
            own = 0 if is_movement(node) else 1
            inputs = self.whole.get(node, node.inputs)
            cost[node] = own + sum(cost[i] for i in inputs)
            cheap[node] = (own == 0 or node.op in CHEAP) and all(cheap[i] for i in inputs)
            large[node] = frozenset[Node]().union(*[large[i] for i in inputs])
            if is_pointwise(node) and _is_vector(node) and all(i in given for i in inputs):
                given.add(node)
            readers = consumers.get(node, ())
            once = node in given and cost[node] > 1 and any(times >= MANY_TIMES for _, times in readers)
            if node not in self.memory and (once or self._is_kept(node, readers, cost, cheap, large)):
                source = self._narrower(node, readers)
                self.memory.add(source)
                if source is not node:
                    cost[source], cheap[source], large[source] = 0, True, self._self_if_large(source)
                    cost[node], cheap[node], large[node] = 1, True, large[source]
            if node in self.memory:
                cost[node], cheap[node], large[node] = 0, True, self._self_if_large(node)

    def _narrower(self, node: Node, readers: Sequence[tuple[Node, int]]) -> Node:
        """What to keep for a node: of a half-precision value that is cast to a wider type, the value before the cast."""
        if node.op != "cast" or node in self.outputs or any(times < 0 for _, times in readers):
            return node
        source = node.inputs[0]
        floating = source.dtype.is_floating_point and node.dtype.is_floating_point
        narrow = floating and source.dtype.itemsize < node.dtype.itemsize
        return source if narrow and is_pointwise(source) and not is_movement(source) else node

    def _self_if_large(self, node: Node) -> frozenset[Node]:
        return frozenset((node,)) if prod(shape_of(node)) > 1024 else frozenset()

    def _consumers(self) -> dict[Node, list[tuple[Node, int]]]:
        """For each node, what computes with it (through movements), and how often each element is read by it."""
        found: dict[Node, list[tuple[Node, int]]] = {}
        forced = self.outputs.union(*self.whole.values())
        for node in reversed(self.order):
            mine = found.get(node, [])
            moved = is_movement(node) and node not in forced
            for i in dict.fromkeys(self.whole.get(node, node.inputs)):
                times = prod(shape_of(node)) // max(1, prod(shape_of(i)))
                if (node.op in ("take", "random_bits") and i is node.inputs[0]) or node in self.whole:
                    found.setdefault(i, []).append((node, -1))
                elif moved:
                    found.setdefault(i, []).extend((c, t if t < 0 else max(1, t) * max(1, times)) for c, t in mine)
                    if node.op == "windows":
                        found[i] = [(c, t if t < 0 else max(t, 2)) for c, t in found[i]]
                elif is_reduction(node):
                    found.setdefault(i, []).append((node, 1))
                else:
                    found.setdefault(i, []).append((node, max(1, times)))
        return found

    def _is_kept(
        self,
        node: Node,
        consumers: Sequence[tuple[Node, int]],
        cost: dict[Node, int],
        cheap: dict[Node, bool],
        large: dict[Node, frozenset[Node]],
    ) -> bool:
        if node in self.outputs or any(times < 0 for _, times in consumers):
            return True
        if is_movement(node):
            return cost[node] > INLINE_LIMIT
        if cost[node] > INLINE_LIMIT:
            return True
        small = prod(shape_of(node)) == 1 and cost[node] <= 8
        size = prod(shape_of(node))
        read = [i for i in large[node] if prod(shape_of(i)) * 8 >= size]
        if any(times >= 2 for _, times in consumers) and not small and (read or not cheap[node]):
            return True
        if len({c for c, _ in consumers}) > 1 and not small:
            return not (cheap[node] and cost[node] <= RECOMPUTE_LIMIT and len(read) <= 2)
        return False


def _is_vector(node: Node) -> bool:
    """Whether a value has more than one element, along one dimension."""
    return sum(n != 1 for n in shape_of(node)) == 1
