"""Ops that change only how gradients flow: a gradient given by the user, and recomputation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph.ir.dtype import DType
from onegraph.ir.node import Node, Opaque, Shape, scopes
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import Kind, Op, Sample, real, register


class GradientRule(Opaque):
    """A user's gradient: a function from the gradient of the result to the gradients of the inputs. Compared by identity."""

    def __init__(self, function: Callable[[Node], Sequence[Node | None]]) -> None:
        self.function = function

    def __repr__(self) -> str:
        return "<gradient rule>"


def _first(x: Node, *others: Node, **attributes: Any) -> tuple[Shape, DType]:
    return x.shape, x.dtype


def _custom_gradient(n: Node, g: Node, needs: Sequence[bool]) -> list[Node | None]:
    before, scopes.source = scopes.source, None  # the rule's own lines are the user's
    try:
        return [None, *n.attributes["rule"].function(g)]
    finally:
        scopes.source = before


WITH_GRADIENT: Op = register(
    Op(
        name="with_gradient",
        kind=Kind.ELEMENTWISE,
        doc="The first input; its gradient goes to the other inputs, by a rule that the user gave.",
        rule=_first,
        reference=lambda x, *others, rule: x,
        gradient=_custom_gradient,
        samples=lambda: [
            Sample(real(2, 3), real(2, 3), rule=GradientRule(lambda g: [g]), differentiable=False),
        ],
        lowering=Pointwise(lambda k, x, *others, rule: x, exact=True),
    )
)

BARRIER: Op = register(
    Op(
        name="barrier",
        kind=Kind.ELEMENTWISE,
        doc="The first input, but only once the second is known; equal barriers are never merged (used to recompute).",
        rule=_first,
        reference=lambda x, after, *, number: x,
        gradient=(lambda n, g: g, None),
        samples=lambda: [Sample(real(2, 3), real(2), number=0)],
        lowering=Pointwise(lambda k, x, after, *, number: x, exact=True),
    )
)

_barriers = 0


def barrier(x: Node, after: Node) -> Node:
    """x, computed again after another node is known, never shared with an earlier computation."""
    global _barriers
    _barriers += 1
    return BARRIER(x, after, number=_barriers)


def with_gradient(value: Node, inputs: Sequence[Node], rule: Callable[[Node], Sequence[Node | None]]) -> Node:
    """`value`, whose gradient is given by a rule.

    Args:
        value: what the result is; no gradient flows into it.
        inputs: where the gradients go.
        rule: the gradient of the result -> one gradient (or None) per input.
    """
    return WITH_GRADIENT(value, *inputs, rule=GradientRule(rule))
