"""What a node reads, and from where: the walk from a node down to values in memory, through all that moves elements.

Used by the fusion (which asks what is read at which positions) and by the lowering (which writes the statements).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onegraph.ir.node import Node
from onegraph.ops.index import ZERO, Condition, Index, Moved, Position, Read, Var, shape_of
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import OPS, Kind

POINTWISE_LIKE = frozenset({"take", "random_bits"})
"""Ops beside the pointwise ones that are computed element by element, wherever they are needed."""
REDUCTIONS = frozenset({"sum", "prod", "max", "min"})


@dataclass(frozen=True)
class Access:
    """A value in memory that is read: at one position, or (None) anywhere."""

    node: Node
    position: Position | None
    conditions: tuple[Condition, ...] = ()


def is_pointwise(node: Node) -> bool:
    """Whether an element depends on a few elements that can be told from its position (movement included)."""
    record = OPS.get(node.op)
    return record is not None and (isinstance(record.lowering, (Pointwise, Moved)) or node.op in POINTWISE_LIKE)


def is_movement(node: Node) -> bool:
    """Whether elements are only moved."""
    record = OPS.get(node.op)
    return record is not None and isinstance(record.lowering, Moved)


def is_leaf(node: Node) -> bool:
    """Inputs, constants and counting: nothing is computed for them."""
    return node.op in ("input", "constant", "iota")


def is_reduction(node: Node) -> bool:
    """Whether it is one of the reductions that loop nests do."""
    return node.op in REDUCTIONS


def aligned(position: Position, shape: Sequence[int]) -> Position:
    """The position in an operand that broadcasts to the result."""
    lead = len(position) - len(shape)
    return tuple([ZERO if n == 1 else i for i, n in zip(position[lead:], shape, strict=True)])


def movement_reads(node: Node, position: Position) -> Sequence[Read]:
    """The reads of a movement op, without those that never happen here."""
    lowering = OPS[node.op].lowering
    assert isinstance(lowering, Moved)
    found = []
    for read in lowering.function(node, position):
        if any(c.never() for c in read.conditions):
            continue
        held = tuple([_of_blocks(c) for c in read.conditions if not c.always()])
        found.append(read if held == read.conditions else Read(read.input, read.position, held))
        if not held:
            break
    return found or list(lowering.function(node, position)[-1:]) or [Read(0, (ZERO,) * len(node.inputs[0].shape))]


def _of_blocks(condition: Condition) -> Condition:
    """The same of the number of the block, where limits are those of whole blocks: 0 <= 64 b + i < 384 is 0 <= b < 6."""
    index, low, high = condition.index, condition.low, condition.high
    for size in sorted({f for f in index.terms.values() if f > 1}, reverse=True):
        if condition.by == 1 and low % size == 0 and high % size == 0:
            blocks, inside = index // size, index % size
            if blocks * size + inside == index and inside.variables().isdisjoint(blocks.variables()):
                return Condition(blocks, low // size, high // size)
    return condition


def taken_position(node: Node, position: Position) -> tuple[Position, Position]:
    """For `take`: the position in the index tensors, and in the source (with zeros where indices choose)."""
    dim, count = node.attributes["dim"], len(node.inputs) - 1
    rank = len(node.inputs[1].shape)
    source = (*position[:dim], *[ZERO] * count, *position[dim + rank :])
    return tuple(position[dim : dim + rank]), source


def fresh_variables(shape: Sequence[int], prefix: str = "i") -> list[Var]:
    """One loop variable for each dimension."""
    return [Var(f"{prefix}{d}", n) for d, n in enumerate(shape)]


def as_position(variables: Sequence[Var]) -> Position:
    """The position that the variables stand for."""
    return tuple([Index.of(v) for v in variables])


def accesses(start: Sequence[tuple[Node, Position]], in_memory: Callable[[Node], bool]) -> list[Access]:
    """What is read to compute these nodes at these positions, each access once."""
    found: dict[Access, None] = {}
    seen: set[tuple[Node, Position, tuple[Condition, ...]]] = set()
    stack: list[tuple[Node, Position, tuple[Condition, ...]]] = [(n, p, ()) for n, p in start]
    while stack:
        node, position, conditions = item = stack.pop()
        if item in seen:
            continue
        seen.add(item)
        if in_memory(node) or node.op == "input":
            found[Access(node, position, conditions)] = None
        elif node.op in ("constant", "iota"):
            continue
        elif is_movement(node):
            for read in movement_reads(node, position):
                stack.append((node.inputs[read.input], read.position, conditions + read.conditions))
        elif node.op == "take":
            indices, _ = taken_position(node, position)
            found[Access(node.inputs[0], None)] = None
            stack.extend((i, indices, conditions) for i in node.inputs[1:])
        elif node.op == "random_bits":
            found[Access(node.inputs[0], None)] = None
        else:
            stack.extend((i, aligned(position, shape_of(i)), conditions) for i in node.inputs)
    return list(found)


def is_control(node: Node) -> bool:
    """Control flow: it runs graphs."""
    return OPS[node.op].kind is Kind.CONTROL
