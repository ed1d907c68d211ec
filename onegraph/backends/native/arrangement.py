"""In which order the dimensions of each value lie in memory, and how wide a halo of zeros is around it.

Images are channels-last inside: convolutions want it, and what computes with their results follows. What comes from
outside, and what is given back, is in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from onegraph.ir.node import Node
from onegraph.ops.index import Index, Position, Var, shape_of

if TYPE_CHECKING:
    from onegraph.backends.native.reading import Access


def row_major(rank: int) -> tuple[int, ...]:
    """Dimensions in their own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The second dimension at the end."""
    return (0, *range(2, rank), 1)


@dataclass
class Storage:
    """Where the elements of a value are.

    Attributes:
        strides: elements from one step to the next, for each dimension.
        offset: elements before the first one (a halo).
        elements: of the whole, halo included.
        halo: elements before and after, for each dimension; empty without one.
    """

    strides: tuple[int, ...]
    offset: int
    elements: int
    halo: tuple[tuple[int, int], ...] = ()

    def at(self, position: Position) -> Index:
        """The place of an element."""
        total = Index.of(self.offset)
        for p, s in zip(position, self.strides, strict=True):
            total = total + p * s
        return total


@dataclass
class Arrangement:
    """The order of dimensions of each value in memory, and the halos that are asked for."""

    order: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    halo: dict[Node, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    spare: dict[Node, int] = field(default_factory=dict)
    """Unused elements at the end of each run of the innermost dimension, so that runs do not fall on the same cache sets."""

    def order_of(self, node: Node) -> tuple[int, ...]:
        """The dimensions, outermost in memory first."""
        return self.order.get(node) or row_major(len(node.shape))

    def ask_halo(self, node: Node, halo: Sequence[tuple[int, int]]) -> None:
        """Make the halo of a value at least this wide."""
        old = self.halo.get(node) or ((0, 0),) * len(halo)
        self.halo[node] = tuple([(max(a, c), max(b, d)) for (a, b), (c, d) in zip(old, halo, strict=True)])

    def storage(self, node: Node) -> Storage:
        """Strides and size, from order and halo."""
        shape = shape_of(node)
        halo = self.halo.get(node) or ((0, 0),) * len(shape)
        strides = [0] * len(shape)
        step, offset, spare = 1, 0, self.spare.get(node, 0)
        for d in reversed(self.order_of(node)):
            strides[d] = step
            offset += halo[d][0] * step
            step *= shape[d] + halo[d][0] + halo[d][1] + spare
            spare = 0
        return Storage(tuple(strides), offset, step, halo if any(a or b for a, b in halo) else ())

    def access_order(self, node: Node, position: Position) -> list[Var] | None:
        """The loops in the order in which an access steps through memory; None where divisions are in the way."""
        found = _variables_in_order([position[d] for d in self.order_of(node)])
        return None if found is None else [v for v in found if v.size != 1]

    def loop_order(self, domain: Sequence[Var], reads: Sequence[Access]) -> list[Var]:
        """The loops of a domain, outermost first, in the order in which the largest value that is read lies in memory."""
        best: tuple[int, int] = (0, 0)
        chosen: list[Var] | None = None
        total = prod(v.size for v in domain)
        for a in reads:
            if a.position is None:
                continue
            size = prod(shape_of(a.node))
            order = self.order_of(a.node)
            rank = (size, int(order != row_major(len(order))))
            if size * 64 < total or rank <= best:
                continue
            found = _variables_in_order([a.position[d] for d in order])
            if found is not None:
                rest = [v for v in domain if v not in found]
                best, chosen = rank, rest + [v for v in found if v in domain]
        return chosen if chosen is not None and set(chosen) == set(domain) else list(domain)


def _variables_in_order(indices: Sequence[Index]) -> list[Var] | None:
    """The loop variables of indices, those with the larger steps first."""
    found: list[Var] = []
    for index in indices:
        for atom, _ in sorted(index.terms.items(), key=lambda item: -abs(item[1])):
            inside = [atom] if isinstance(atom, Var) else sorted(atom.of.variables(), key=lambda v: v.name)
            found.extend(v for v in inside if v not in found)
    return found
