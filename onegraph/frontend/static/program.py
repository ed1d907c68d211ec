"""What a Session runs: the fetched tensors and all writes that they need, as one graph of the IR.

Building one: writes are taken in the order of their making, nodes that stand for variables are replaced by what
they mean in this run, and the rest of the graph is shared. A program is then specialized to the shapes that are
fed, one plan for each combination of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from onegraph.config import settings
from onegraph.errors import FeedError, GraphError
from onegraph.frontend.static.graph import Graph
from onegraph.frontend.static.tensor import Tensor, describe_placeholder
from onegraph.frontend.static.variable import Effect, Read, Variable
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bool_, int64
from onegraph.ir.graph import Graph as IRGraph
from onegraph.ir.node import Node, input_node
from onegraph.ir.traverse import with_inputs
from onegraph.ops.leaf import constant
from onegraph.passes.specialize import bind_sizes, specialize
from onegraph.runtime.plan import Plan, plan_for


class Program:
    """One set of fetches and feeds, ready to run.

    Attributes:
        feeds: the tensors that are fed; they are the graph's first inputs.
        reads: variables whose value before the run is needed; the next inputs.
        keys: nodes of random keys; the last inputs.
        writes: variables that are written; their new values are the graph's last outputs.
        graph: of the IR, sizes possibly unknown.
    """

    def __init__(
        self,
        graph: Graph,
        fetches: Sequence[Tensor],
        effects: Iterable[Effect],
        feeds: Sequence[Tensor],
        initialized: frozenset[Variable],
    ) -> None:
        self.feeds = tuple(feeds)
        self.reads: list[Variable] = []
        self.keys: list[Node] = []
        self._static = graph
        self._initialized = initialized
        self._inputs: dict[Variable, Node] = {}
        self._key_inputs: list[Node] = []
        self._missing: dict[Tensor, None] = {}
        self._new: dict[Node, Node] = {}
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        fed = [input_node(t._fed.shape, t.dtype, t.op.name) for t in self.feeds]
        for tensor, node in zip(self.feeds, fed, strict=True):
            self._new[tensor._fed] = self._new[tensor._node] = node
        current = self._in_order(effects)
        self.writes = list(current)
        outputs = [self._resolve(t._node) for t in fetches]
        self.positions, unique = _positions(outputs)
        self._order_keys()
        inputs = [*fed, *[self._inputs[v] for v in self.reads], *self._key_inputs]
        self.graph = IRGraph(inputs, [*unique, *current.values()], "run")
        self.unknown = _unknown_sizes(self.graph)
        self._check_feeds()

    def _in_order(self, effects: Iterable[Effect]) -> dict[Variable, Node]:
        """The value that each written variable has at the end, with writes one after the other."""
        current: dict[Variable, Node] = {}
        for effect in sorted(effects, key=lambda e: e.number):
            operands = [self._resolve(o) for o in effect.operands]
            before = None
            if effect.updates:
                before = current.get(effect.variable)
                if before is None:
                    before = self._resolve(effect.variable._read(None))
            after = effect.compute(before, *operands)
            current[effect.variable] = self._new[effect.after] = after
        return current

    def _resolve(self, node: Node) -> Node:
        """The node with everything below it replaced by what it means in this run."""
        new = self._new
        stack = [node]
        while stack:
            top = stack[-1]
            if top in new:
                stack.pop()
                continue
            if not top.inputs:
                found = self._leaf(top) if top.op == "input" else top
                if found is None:
                    stack.append(self._static.reads[top].variable._initial[0])
                    continue
                new[top] = found
                continue
            waiting = [i for i in top.inputs if i not in new]
            if waiting:
                stack.extend(reversed(waiting))
            else:
                new[top] = with_inputs(top, tuple([new[i] for i in top.inputs]))
        return new[node]

    def _leaf(self, node: Node) -> Node | None:
        """What an `input` node means; None when an initial value has to be resolved first."""
        read = self._static.reads.get(node)
        if read is not None:
            return self._read(read)
        if node in self._static.keys:
            key = input_node((2,), int64, "random_key")
            self.keys.append(node)
            self._key_inputs.append(key)
            return key
        tensor = self._static.placeholders.get(node)
        if tensor is None:
            raise GraphError(f"the graph reads {node!r} from a body of control flow, outside of that body")
        self._missing[tensor] = None
        return node

    def _read(self, read: Read) -> Node | None:
        variable = read.variable
        if read.kind == "is initialized":
            return constant(variable in self._initialized, bool_)
        if read.kind == "initialized value" and variable not in self._initialized:
            return self._new.get(variable._initial[0])
        if read.after is not None:
            raise GraphError(f"the value of {variable.name!r} after an assignment was used before the assignment")
        node = self._inputs.get(variable)
        if node is None:
            node = self._inputs[variable] = input_node(variable.value_shape, variable.dtype, variable.op.name)
            self.reads.append(variable)
        return node

    def _order_keys(self) -> None:
        """Random operations draw from the generator in the order of their making."""
        place = {node: i for i, node in enumerate(self._static.keys)}
        order = sorted(range(len(self.keys)), key=lambda i: place[self.keys[i]])
        self.keys = [self.keys[i] for i in order]
        self._key_inputs = [self._key_inputs[i] for i in order]

    def _check_feeds(self) -> None:
        """A FeedError that names every placeholder that is needed and not fed."""
        known = {u for t in self.feeds for s in t._fed.shape if isinstance(s, Dim) for u in s.unknowns()}
        for tensor in self._static.placeholders.values():
            own = {u for s in tensor._fed.shape if isinstance(s, Dim) for u in s.unknowns()}
            if own & self.unknown - known:
                self._missing[tensor] = None
        if self._missing:
            names = ", ".join(describe_placeholder(t) for t in self._missing)
            first = next(iter(self._missing))
            raise FeedError(
                f"what is fetched depends on {'placeholders' if len(self._missing) > 1 else 'the placeholder'} {names}, "
                f"for which no value was fed",
                hint=f"pass it, e.g. session.run(..., feed_dict={{{first.op.name.rpartition('/')[2]}: value}})",
            )

    def plan(self, shapes: tuple[tuple[int, ...], ...]) -> Plan:
        """The plan for the shapes of what is fed."""
        key = (settings.backend, shapes)
        found = self._plans.get(key)
        if found is None:
            values: dict[str, int] = {}
            for tensor, shape in zip(self.feeds, shapes, strict=True):
                for declared in (tensor._fed.shape, tensor._node.shape):  # the second knows what set_shape said
                    bind_sizes(f"feed {tensor.name!r}", declared, shape, values)
            found = self._plans[key] = plan_for(specialize(self.graph, values) if self.unknown else self.graph)
            while len(self._plans) > settings.plan_cache_size:
                self._plans.popitem(last=False)
        return found


def _positions(outputs: Sequence[Node]) -> tuple[list[int], list[Node]]:
    """Where each output is among the distinct ones, and those."""
    index: dict[Node, int] = {}
    return [index.setdefault(o, len(index)) for o in outputs], list(index)


def _unknown_sizes(graph: IRGraph) -> set[str]:
    """The names of all unknown sizes in the graph."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, Dim):
            found.update(value.unknowns())
        elif isinstance(value, tuple):
            for v in value:
                look(v)
        elif isinstance(value, IRGraph):
            found.update(_unknown_sizes(value))

    for node in [*graph.inputs, *graph.nodes()]:
        look(node.shape)
        for value in node.attributes.values():
            look(value)
    return found
