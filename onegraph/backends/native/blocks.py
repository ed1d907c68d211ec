"""Loops cut into blocks where what is read is found by quotient and remainder, as when a dimension was once two.

A loop of 1152 steps over values that lie in 18 pieces of 64 becomes two loops: then each access has a step, and whole
vectors are loaded. Only loops that nothing is reduced over are cut. Read next: `writer.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from onegraph.backends.native.fusion import Group
from onegraph.backends.native.reading import Access
from onegraph.ops.index import Condition, Index, Known, Position, Var

LEAST = 16
"""Steps of a block that are worth a loop of their own."""


def cut_into_blocks(group: Group) -> None:
    """Cut the loops of a group where that makes all quotients of them go."""
    if group.reduced or group.kind != "loops":
        return
    values: dict[Var, Index] = {}
    domain: list[Var] = []
    for v in group.domain:
        sizes = _blocks(v, [i for a in group.reads if a.position is not None for i in a.position])
        size = next(iter(sizes)) if len(sizes) == 1 else 0
        if size < LEAST or v.size % size or v.size == size:
            domain.append(v)
            continue
        block, step = Var(f"{v.name}b", v.size // size), Var(f"{v.name}s", size)
        values[v] = Index.of(block) * size + Index.of(step)
        domain += [block, step]
    if not values:
        return
    group.domain = domain
    group.members = {node: _moved(position, values) for node, position in group.members.items()}
    group.reads = [
        Access(
            a.node,
            None if a.position is None else _moved(a.position, values),
            tuple([Condition(c.index.substitute(values), c.low, c.high, c.by) for c in a.conditions]),
        )
        for a in group.reads
    ]


def _moved(position: Position, values: dict[Var, Index]) -> Position:
    return tuple([p.substitute(values) for p in position])


def _blocks(v: Var, indices: Iterable[Index]) -> set[int]:
    """By what a loop variable is divided; 0 among them where the quotients would not go."""
    found: set[int] = set()
    pending = list(indices)
    while pending:
        for atom in pending.pop().terms:
            if isinstance(atom, Var) or v not in atom.of.variables():
                continue
            if isinstance(atom, Known):
                pending.append(atom.of)
            else:
                inside = _without_knowledge(atom.of)
                plain = inside.terms == {v: 1} and inside.constant % atom.by == 0
                found.add(atom.by if plain else 0)
    return found


def _without_knowledge(index: Index) -> Index:
    total = Index({}, index.constant)
    for atom, factor in index.terms.items():
        total = total + (_without_knowledge(atom.of) if isinstance(atom, Known) else Index({atom: 1})) * factor
    return total
