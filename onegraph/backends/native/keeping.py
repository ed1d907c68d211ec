"""Which launches are run once for the same weights: what packs weights for the micro-kernel, and what leads to that.

In inference the weights are the same buffers run after run. What is computed of them alone (packed weights with the scales
of batch norms in them, the shifts that belong to these) is kept as long as they are given. A graph that has results of
the shape of a weight is a training step, which changes the weight: nothing of that one is kept. Read next: `kept.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from onegraph.backends.native.launch import Launch, Place
from onegraph.ir.graph import Graph
from onegraph.ops.index import shape_of


def mark_kept(graph: Graph, inputs: list[Place], launches: list[Launch], packed: Iterable[Place]) -> None:
    """Set `keep` of launches; see above.

    Args:
        inputs: the places of the graph's inputs.
        packed: the places of packed weights.
    """
    results = {(o.dtype, shape_of(o)) for o in graph.outputs}
    changing = {p for p, n in zip(inputs, graph.inputs, strict=True) if p.bytes and (n.dtype, shape_of(n)) in results}
    depends = _dependencies(launches, changing)
    writers: dict[Place, list[Launch]] = {}
    for launch in launches:
        for place in launch.writes:
            writers.setdefault(_root(place), []).append(launch)
    kept: dict[Launch, None] = {}

    def keep(wanted: Iterable[Launch]) -> None:
        stack = list(wanted)
        while stack:
            launch = stack.pop()
            if launch not in kept and launch in depends:
                kept[launch] = None
                stack.extend(w for p in launch.reads for w in writers.get(_root(p), ()))

    keep(launch for place in packed for launch in writers.get(_root(place), ()))
    weights = frozenset[int]().union(*[depends[launch] for launch in kept])
    keep(s for s, on in depends.items() if on & weights and all(_is_vector(p) for p in s.writes))
    everything = frozenset[int]().union(*[depends[launch] for launch in kept])
    for launch in kept:
        launch.keep = everything


def _dependencies(launches: list[Launch], changing: set[Place]) -> dict[Launch, frozenset[int]]:
    """For each launch that computes temporary values of inputs and constants alone, which inputs it depends on."""
    found: dict[Launch, frozenset[int]] = {}
    made: dict[Place, frozenset[int] | None] = {}
    written: dict[Place, int] = {}
    for launch in launches:
        for place in {_root(p) for p in launch.writes}:
            written[place] = written.get(place, 0) + 1
    for launch in launches:
        on: frozenset[int] | None = frozenset()
        for place in {_root(p) for p in launch.reads} - {_root(p) for p in launch.writes}:
            if place.kind == "input" and place not in changing:
                before: frozenset[int] | None = frozenset((place.number,))
            else:
                before = frozenset() if place.kind == "constant" else made.get(place)
            on = None if on is None or before is None else on | before
        own = {_root(p) for p in launch.writes}
        plain = all(p.kind == "temporary" and written[p] == 1 for p in own)
        if launch.kernel is None or launch.loop is not None or not plain:
            on = None
        for place in own:
            made[place] = on
        if on is not None:
            found[launch] = on
    return found


def _is_vector(place: Place) -> bool:
    """Whether a value has more than one element along one dimension at most."""
    return sum(n != 1 for n in place.shape) <= 1


def _root(place: Place) -> Place:
    return place if place.base is None else _root(place.base)
