"""Fusion: which values live in memory, and which are computed together in one kernel.

First every node that must be in memory, or that is worth keeping there, becomes a kernel of its own; all others are
computed where they are needed. Then kernels are merged: a consumer into the kernel of its producer when every
element that it reads of it is the one that is at hand, and kernels that read the same values at the same positions.
A merged kernel runs over one domain; its members are values at positions of that domain. Read next: `lowering.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from onegraph.backends.native.arrangement import Arrangement
from onegraph.backends.native.materialize import choose_memory
from onegraph.backends.native.reading import (
    Access,
    accesses,
    as_position,
    fresh_variables,
    is_reduction,
)
from onegraph.ir.node import Node
from onegraph.ops.index import Index, Position, Var, from_linear, linear, shape_of

ROW_BYTES = 1 << 19
"""The longest row for which several passes over it stay in the cache."""
COLUMN_BYTES, NARROW_BYTES = 256, 1 << 15
"""Bytes of each row that are worked on side by side, and how many bytes of rows together stay in the nearest cache."""


@dataclass
class Group:
    """Values that one kernel computes.

    Attributes:
        kind: "loops", or "special" for a node with a kernel of its own kind (its output may be followed by loops).
        domain: the variables of the loops.
        reduced: those of them that are reduced over.
        members: the position of each value in the domain, in an order in which they can be computed.
        row: members that have one element for each step of the loops that are not reduced over.
        root: the node of a special kernel.
        sources: for each member that is a reduction, the position of its input.
        reads: what the members read that other groups compute, or that is given.
    """

    kind: str
    domain: list[Var]
    reduced: frozenset[Var]
    members: dict[Node, Position]
    row: set[Node]
    root: Node | None
    reads: list[Access]
    sources: dict[Node, Position] = field(default_factory=dict)
    stages: int = 1
    number: int = 0
    absorbed: bool = field(default=False)

    @property
    def kept(self) -> list[Var]:
        """The loops that are not reduced over."""
        return [v for v in self.domain if v not in self.reduced]

    def size(self) -> int:
        """Steps of all loops."""
        return prod(v.size for v in self.domain)


class Fusion:
    """Decides for the nodes of one graph.

    Args:
        order: the nodes, each after its inputs.
        outputs: nodes whose values are asked for.
        whole: for nodes with a kernel of their own, the inputs that they read as values in memory.
        fusible: nodes with a kernel of their own into which following elementwise work may be merged.
    """

    def __init__(
        self,
        order: Sequence[Node],
        outputs: Sequence[Node],
        whole: dict[Node, tuple[Node, ...]],
        fusible: set[Node],
        arrangement: Arrangement,
    ) -> None:
        self.order = order
        self.rank = {n: i for i, n in enumerate(order)}
        self.outputs = set(outputs)
        self.whole = whole
        self.fusible = fusible
        self.arrangement = arrangement
        self.memory = choose_memory(order, self.outputs, whole)
        self.groups: list[Group] = []
        self.group_of: dict[Node, Group] = {}
        self.above: list[int] = []
        """For each group, the set of groups that it depends on, as bits."""
        self._make_groups()
        self._merge_all()

    # ----------------------------------------------------------------- groups

    def _in_memory(self, node: Node) -> bool:
        return node in self.memory

    def _make_groups(self) -> None:
        for node in self.order:
            if node not in self.memory or node.op == "input":
                continue
            if node in self.whole:
                variables = fresh_variables(shape_of(node)) if node in self.fusible else []
                reads = [Access(i, None) for i in self.whole[node]]
                members: dict[Node, Position] = {node: as_position(variables)}
                group = Group("special", variables, frozenset(), members, set(), node, reads)
            else:
                group = self._loops(node)
                self._choose_order(node, group)
            group.number = len(self.groups)
            self.groups.append(group)
            self.group_of[node] = group
            bits = 0
            for a in group.reads:
                before = self.group_of.get(a.node)
                if before is not None:
                    bits |= (1 << before.number) | self.above[before.number]
            self.above.append(bits)

    def _choose_order(self, node: Node, group: Group) -> None:
        """Results lie in memory in the order of the loops, unless the order is already given."""
        if node in self.arrangement.order or node in self.outputs:
            return
        order = self.arrangement.loop_order(group.domain, group.reads)
        rank = {v: i for i, v in enumerate(order)}
        dims = []
        for d, index in enumerate(group.members[node]):
            variable = _variable(index)
            dims.append((rank[variable] if variable is not None else -1, d))
        found = tuple([d for _, d in sorted(dims)])
        if found != tuple(range(len(found))):
            self.arrangement.order[node] = found

    def _loops(self, node: Node) -> Group:
        if is_reduction(node):
            variables = fresh_variables(shape_of(node.inputs[0]))
            dims, position = node.attributes["dims"], as_position(variables)
            kept = tuple([Index.of(0) if d in dims else p for d, p in enumerate(position)])
            if not node.attributes["keepdim"]:
                kept = tuple([p for d, p in enumerate(position) if d not in dims])
            reads = accesses([(node.inputs[0], position)], self._in_memory)
            reduced = frozenset(variables[d] for d in dims)
            return Group("loops", variables, reduced, {node: kept}, set(), None, reads, {node: position})
        variables = fresh_variables(shape_of(node))
        position = as_position(variables)
        memory = self.memory
        reads = accesses([(node, position)], lambda n: n in memory and n is not node)
        return Group("loops", variables, frozenset(), {node: position}, set(), None, reads)

    # ---------------------------------------------------------------- merging

    def _merge_all(self) -> None:
        for group in list(self.groups):
            consumer: Group | None = group
            while consumer is not None:  # what absorbed it now reads what it read
                consumer = self._merge_up(consumer)
        self._merge_siblings()

    def _merge_up(self, consumer: Group) -> Group | None:
        """Merge a group into that of a producer, the one of the largest value if possible; which one it was."""
        if consumer.kind != "loops" or consumer.absorbed:
            return None
        producers = {
            self.group_of[a.node].number: prod(shape_of(a.node))
            for a in consumer.reads
            if a.node in self.group_of and a.position is not None
        }
        for number in sorted(producers, key=lambda p: (-producers[p], -p)):
            producer = self.groups[number]
            if not producer.absorbed and self._try_merge(producer, consumer):
                return producer
        return None

    def _merge_siblings(self) -> None:
        """Groups that read the same large value at the same positions."""
        readers: dict[Node, list[Group]] = {}
        for group in self.groups:
            if group.kind == "loops" and not group.absorbed and group.stages == 1:
                for a in group.reads:
                    if a.position is not None and prod(shape_of(a.node)) > 1024:
                        mine = readers.setdefault(a.node, [])
                        if not mine or mine[-1] is not group:
                            mine.append(group)
        for node, groups in readers.items():
            for i, first in enumerate(groups):
                for second in groups[i + 1 : i + 5]:
                    if first is not second and not first.absorbed and not second.absorbed:
                        self._try_sibling(first, second, node)

    def _try_sibling(self, first: Group, second: Group, node: Node) -> None:
        bits = (1 << first.number, 1 << second.number)
        if self.above[first.number] & bits[1] or self.above[second.number] & bits[0]:
            return
        if bool(first.reduced) != bool(second.reduced) or first.stages > 1 or second.stages > 1:
            return
        here = next(a.position for a in first.reads if a.node is node and a.position is not None)
        there = next(a.position for a in second.reads if a.node is node and a.position is not None)
        mapping = _solve(there, here, second.domain, first, node)
        if mapping is None or not self._same_loops(first, second, mapping):
            return
        if second.reduced and {_variable(mapping[v]) for v in second.reduced} != set(first.reduced):
            return
        self._absorb(first, second, mapping, False)

    def _same_loops(self, first: Group, second: Group, mapping: dict[Var, Index]) -> bool:
        images = {v: _variable(mapping[v]) for v in second.domain if v.size != 1}
        mine = {v for v in first.domain if v.size != 1}
        if set(images.values()) != mine or len(images) != len(mine):
            return False
        return all(image is not None and image.size == v.size for v, image in images.items())

    def _try_merge(self, producer: Group, consumer: Group) -> bool:
        if producer.kind == "special" and (producer.root not in self.fusible or consumer.reduced):
            return False
        if self._cycle(producer, consumer):
            return False
        shared = [a for a in consumer.reads if a.node in producer.members and self.group_of[a.node] is producer]
        if not shared or any(a.position is None or a.conditions for a in shared):
            return False
        if any(a.node in consumer.members for a in producer.reads):
            return False
        for a in shared:
            assert a.position is not None
            mapping = _solve(a.position, producer.members[a.node], consumer.domain, producer, a.node)
            if mapping is None:
                continue
            if all(_moved(b.position, mapping) == producer.members[b.node] for b in shared):
                return self._merge_if_allowed(producer, consumer, mapping, [b.node for b in shared])
        return False

    def _merge_if_allowed(
        self, producer: Group, consumer: Group, mapping: dict[Var, Index], used: Sequence[Node]
    ) -> bool:
        image = set[Var]().union(*[mapping[v].variables() for v in consumer.domain])
        full = {v for v in producer.domain if v.size != 1}
        reads_reduced = any((is_reduction(n) and n in producer.members) or n in producer.row for n in used)
        if not producer.reduced:
            if image != full or prod(v.size for v in consumer.domain) != producer.size():
                return False
            if consumer.reduced:
                images = [_variable(mapping[v]) for v in consumer.domain if v.size != 1]
                if None in images or producer.kind == "special":
                    return False
            if producer.size() == 0 or (producer.kind == "special" and not self._along(producer, consumer, mapping)):
                return False
            return self._absorb(producer, consumer, mapping, False)
        kept = {v for v in producer.kept if v.size != 1}
        if (
            not consumer.reduced
            and image <= kept
            and prod(v.size for v in consumer.domain) == prod(v.size for v in producer.kept)
            and image == kept
            and all(is_reduction(n) or n in producer.row for n in used)
        ):
            return self._absorb(producer, consumer, mapping, True)
        if image != full or not self._same_loops(producer, consumer, mapping):
            return False
        if consumer.reduced and {_variable(mapping[v]) for v in consumer.reduced if v.size != 1} != {
            v for v in producer.reduced if v.size != 1
        }:
            return False
        if reads_reduced and not self._rows_fit(producer):
            return False
        return self._absorb(producer, consumer, mapping, False, more_stages=reads_reduced)

    def _along(self, producer: Group, consumer: Group, mapping: dict[Var, Index]) -> bool:
        """Whether what follows a product steps through memory along the same loop as the product's columns."""
        assert producer.root is not None
        if producer.size() <= 4096:
            return True
        column = self._innermost(producer.root, producer.members[producer.root])
        touched = [
            (a.node, a.position) for a in consumer.reads if a.position is not None and a.node not in producer.members
        ]
        touched += list(consumer.members.items())
        for node, position in touched:
            if prod(shape_of(node)) > 4096 and self._innermost(node, _moved(position, mapping)) is not column:
                return False
        return True

    def _innermost(self, node: Node, position: Position) -> Var | None:
        """The loop along which neighbours in memory are read."""
        for d in reversed(self.arrangement.order_of(node)):
            if position[d].terms:
                return _variable(position[d])
        return None

    def _rows_fit(self, group: Group) -> bool:
        """Whether several passes over each row stay in the cache, and there are rows enough for the threads."""
        order = [v for v in self.arrangement.loop_order(group.domain, group.reads) if v.size != 1]
        inner = order[len(order) - len([v for v in order if v in group.reduced]) :]
        row = prod(v.size for v in group.reduced)
        rows = prod(v.size for v in group.kept)
        if order and order[-1] not in group.reduced:  # vectors run across the rows: some of them are done side by side
            return row * COLUMN_BYTES <= NARROW_BYTES and rows >= 1024
        return set(inner) <= set(group.reduced) and row * 4 <= ROW_BYTES and (rows >= 8 or rows * row <= 1 << 15)

    def _cycle(self, producer: Group, consumer: Group) -> bool:
        bit = 1 << producer.number
        for a in consumer.reads:
            before = self.group_of.get(a.node)
            if before is not None and before is not producer and self.above[before.number] & bit:
                return True
        return bool(self.above[producer.number] & (1 << consumer.number))

    def _absorb(
        self, first: Group, second: Group, mapping: dict[Var, Index], row: bool, more_stages: bool = False
    ) -> bool:
        for node, position in second.members.items():
            first.members[node] = _moved(position, mapping)
            self.group_of[node] = first
            if row or node in second.row:
                first.row.add(node)
            if node in second.sources:
                first.sources[node] = _moved(second.sources[node], mapping)
        if second.reduced and not first.reduced:
            first.reduced = frozenset(v for v in (_variable(mapping[u]) for u in second.reduced) if v is not None)
        first.stages = max(first.stages, second.stages) + (1 if more_stages else 0)
        known = set(first.reads)
        for a in second.reads:
            moved = Access(
                a.node,
                None if a.position is None else _moved(a.position, mapping),
                tuple([type(c)(c.index.substitute(mapping), c.low, c.high, c.by) for c in a.conditions]),
            )
            if self.group_of.get(a.node) is not first and moved not in known:
                first.reads.append(moved)
        first.reads = [a for a in first.reads if self.group_of.get(a.node) is not first]
        second.absorbed = True
        both = (1 << first.number) | (1 << second.number)
        above = (self.above[first.number] | self.above[second.number]) & ~both
        self.above[first.number] = self.above[second.number] = above
        for number, bits in enumerate(self.above):
            if bits & both:
                self.above[number] = bits | above | both
        return True

    def sorted_groups(self) -> list[Group]:
        """The groups that are left, each after those that it depends on."""
        groups = [g for g in self.groups if not g.absorbed]
        for g in groups:
            g.members = dict(sorted(g.members.items(), key=lambda item: self.rank[item[0]]))
        waiting = sorted(groups, key=lambda g: max(self.rank[n] for n in g.members))
        done: set[int] = set()
        out: list[Group] = []
        stack = list(reversed(waiting))
        while stack:
            group = stack[-1]
            if group.number in done:
                stack.pop()
                continue
            needs = {
                self.group_of[a.node].number: self.group_of[a.node] for a in group.reads if a.node in self.group_of
            }
            missing = [g for n, g in needs.items() if n not in done and g is not group]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            done.add(group.number)
            out.append(group)
        return out


def _variable(index: Index) -> Var | None:
    """The variable that an index is, if it is just that."""
    if index.constant or len(index.terms) != 1:
        return None
    ((atom, factor),) = index.terms.items()
    return atom if factor == 1 and isinstance(atom, Var) else None


def _moved(position: Position | None, mapping: dict[Var, Index]) -> Position:
    assert position is not None
    return tuple([p.substitute(mapping) for p in position])


def _solve(
    read: Position, target: Position, domain: Sequence[Var], producer: Group, node: Node
) -> dict[Var, Index] | None:
    """Loop variables of a consumer in terms of those of a producer, so that what is read is what is at hand."""
    mapping: dict[Var, Index] = {}
    simple = True
    for a, t in zip(read, target, strict=True):
        variable = _variable(a)
        if variable is None:
            if a.variables():
                simple = False
                break
            if a != t:
                return None
        elif mapping.setdefault(variable, t) != t:
            return None
    if not simple:
        sizes = [v.size for v in domain]
        if prod(sizes) != prod(shape_of(node)):
            return None
        found = from_linear(linear(target, shape_of(node)), sizes)
        mapping = dict(zip(domain, found, strict=True))
        return mapping if _moved(read, mapping) == target else None
    missing = [v for v in domain if v not in mapping and v.size != 1]
    if missing:
        used = set[Var]().union(*[i.variables() for i in mapping.values()])
        free = [v for v in producer.domain if v not in used and v.size != 1]
        if [v.size for v in missing] != [v.size for v in free]:
            return None
        mapping.update({m: Index.of(v) for m, v in zip(missing, free, strict=True)})
    for v in domain:
        mapping.setdefault(v, Index.of(0))
    return mapping
