"""From a graph to launches: fused groups become loop nests and contractions, and each value gets its place.

Read next: `prepare.py` (what is rewritten first), `fusion.py`, `writer.py`, `contractions.py`, `program.py` (what runs it).
"""

from __future__ import annotations

from math import prod

from onegraph.backends.native.arrangement import Arrangement, Storage
from onegraph.backends.native.fusion import Fusion, Group
from onegraph.backends.native.halo import halo_kernel
from onegraph.backends.native.in_place import in_place_pairs
from onegraph.backends.native.keeping import mark_kept
from onegraph.backends.native.launch import Launch, Lowered, Place
from onegraph.backends.native.prepare import Body, prepare
from onegraph.backends.native.writer import (
    GroupWriter,
    Writer,
    apply_cut,
    cut_reduction,
    piece_offset,
    write_combination,
)
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, bundle
from onegraph.kernels.nest import Nest, Store
from onegraph.kernels.nest_code import nest_kernel
from onegraph.kernels.target import Target
from onegraph.ops.index import shape_of


def lower(graph: Graph, target: Target) -> Lowered:
    """The launches that compute a graph with known sizes."""
    lowering = Lowering(graph, target)
    lowered = lowering.run()
    packed = [lowering.places[n] for n in lowering.prepared.packed if n in lowering.places]
    mark_kept(lowering.graph, lowered.inputs, lowered.launches, packed)
    return lowered


class Lowering:
    """Lowers one graph."""

    def __init__(self, graph: Graph, target: Target, body: Body | None = None) -> None:
        self.target = target
        self.arrangement = Arrangement()
        self.prepared = prepare(graph, target, self.arrangement, body)
        self.graph = self.prepared.graph
        self.places: dict[Node, Place] = {}
        self.extra: list[Place] = []
        self.launches: list[Launch] = []
        self._storages: dict[Node, Storage] = {}
        self.inputs = [self._place(n, "input", i) for i, n in enumerate(self.graph.inputs)]
        order = self.prepared.order()
        self.fusion = Fusion(order, self.graph.outputs, self.prepared.whole, self.prepared.fusible, self.arrangement)
        self.groups = self.fusion.sorted_groups()

    def run(self) -> Lowered:
        """All launches."""
        outputs = []
        for i, node in enumerate(self.graph.outputs):
            outputs.append(self.places.get(node) or self._place(node, "output", i))
        readers: dict[Node, set[int]] = {}
        for group in self.groups:
            for a in group.reads:
                readers.setdefault(a.node, set()).add(group.number)
        for group in self.groups:
            stored = {n for n in group.members if n in self.places or readers.get(n, set()) - {group.number}}
            for node in sorted(stored, key=lambda n: self.fusion.rank[n]):
                if node.dtype is bundle:
                    continue
                if node not in self.places:
                    self._place(node, "temporary")
                self._zero_halo(node)
            if group.kind == "special":
                self._special(group, stored)
            elif stored and all(v.size for v in group.kept):
                self._loops(group, stored)
        return Lowered(self.inputs, outputs, [*self.places.values(), *self.extra], self.launches)

    # -------------------------------------------------------------------- places

    def _place(self, node: Node, kind: str, number: int = 0) -> Place:
        size = self.storage(node).elements * node.dtype.itemsize
        place = Place(kind, size, node.dtype, shape_of(node), number, name=node.op)
        self.places[node] = place
        return place

    def place_of(self, node: Node) -> Place:
        """The place of a value in memory; constants get theirs when they are first used."""
        place = self.places.get(node)
        if place is None:
            place = self._place(node, "constant" if node.op == "constant" else "temporary")
            if node.op == "constant":
                place.array = node.attributes["value"].array
        return place

    def storage(self, node: Node) -> Storage:
        """Where the elements of a value in memory are."""
        found = self._storages.get(node)
        if found is None:
            found = self._storages[node] = self.arrangement.storage(node)
        return found

    def storage_of(self, node: Node) -> Storage | None:
        """The storage of values in memory (constants with several elements among them); None for what is computed."""
        if node.op == "constant":
            return self.storage(node) if node.attributes["value"].array.size != 1 else None
        if node.op == "input" or node in self.fusion.group_of:
            return self.storage(node)
        return None

    def _zero_halo(self, node: Node) -> None:
        storage = self.storage(node)
        if storage.halo:
            sizes = [(shape_of(node)[d], *storage.halo[d]) for d in self.arrangement.order_of(node)]
            place = self.places[node]
            self.launches.append(Launch([], [place], [place], halo_kernel(sizes, node.dtype.itemsize)))

    # --------------------------------------------------------------------- loops

    def _loops(self, group: Group, stored: set[Node]) -> None:
        writer = GroupWriter(group, stored, self.storage_of, self.place_of, self.arrangement)
        nest = writer.write()
        pieces = 1
        if not any(v.size == 0 for v in group.reduced):
            nest.collapse()
            nest.tile()
            pieces = cut_reduction(nest, self.target)
        if pieces == 1:
            self._launch(nest, writer.writer, group_name(group), group)
            return
        outer = list(nest.outer)
        piece = apply_cut(nest, pieces, self.target)
        nest.stores = []
        parts: dict[int, Place] = {}
        rows = prod(v.size for v in outer)
        for r in nest.phases[0].reductions:
            dtype = nest.statements[r].dtype
            place = Place("temporary", piece.size * rows * dtype.itemsize, dtype, (piece.size, rows), name="pieces")
            parts[r] = place
            self.extra.append(place)
            buffer = writer.writer.add_buffer(place, dtype)
            nest.stores.append(Store(buffer, piece_offset(piece, outer), r))
        self._launch(nest, writer.writer, group_name(group), group)
        second = write_combination(group, stored, writer, parts, piece.size, self.storage_of, self.place_of)
        second.nest.collapse()
        self._launch(second.nest, second, group_name(group) + " pieces", group)

    def _launch(self, nest: Nest, writer: Writer, name: str, group: Group) -> None:
        row = prod(v.size for v in nest.inner)
        scratch = {b: row * nest.buffers[b].itemsize + 64 for b in nest.spills.values()}
        kernel = nest_kernel(nest, name, self.target, scratch)
        written = {s.buffer for s in nest.all_stores()}
        buffers = [p for p in writer.places if p is not None]
        writes = [p for i, p in enumerate(writer.places) if i in written and p is not None]
        reads = [p for i, p in enumerate(writer.places) if i not in written and p is not None]
        pairs = in_place_pairs(nest, writer.places)
        self.launches.append(Launch(reads, writes, buffers, kernel, nodes=tuple(group.members), in_place=pairs))

    # ------------------------------------------------------------------- special

    def _special(self, group: Group, stored: set[Node]) -> None:
        node = group.root
        assert node is not None
        emit = self.prepared.special.get(node)
        if emit is not None:
            emit(self, group, stored)
            return
        if node.op != "item":
            self.host(node)

    def host(self, node: Node) -> None:
        """A node that Python computes. Of a node with several results the items that are used are written."""
        reads = [self.place_of(i) for i in self.prepared.whole[node]]
        if node.dtype is not bundle:
            writes, items = [self.place_of(node)], [0]
        else:
            used = [n for n in self.fusion.order if n.op == "item" and n.inputs[0] is node]
            writes, items = [self.place_of(n) for n in used], [n.attributes["index"] for n in used]
        self.launches.append(Launch(reads, writes, [*reads, *writes], host=node, items=items, nodes=(node,)))


def group_name(group: Group) -> str:
    """The ops of a group, for tables and explanations."""
    ops = list(dict.fromkeys(n.op for n in group.members))
    return "+".join(ops[:6]) + ("+..." if len(ops) > 6 else "")
