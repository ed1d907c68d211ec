"""The tables of the export: a function for each of our ops, and recognizers of what is one operator in ONNX.

Read next: `elementwise.py` (exporters), `raising.py` (recognizers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onegraph.ir.node import Node

if TYPE_CHECKING:
    from onegraph.onnx.export.emitter import Emitter

Exporter: TypeAlias = "Callable[[Emitter, Node], str]"

EXPORTERS: Final[dict[str, Exporter]] = {}
"""For each op of ours, a function that appends ONNX nodes and returns the name of the result."""


@dataclass(frozen=True)
class Raised:
    """Several nodes of ours that are one ONNX operator.

    Attributes:
        inputs: the nodes whose values it reads; nothing between them and the result is written.
        emit: appends the operator and returns the name of the result.
    """

    inputs: Sequence[Node]
    emit: Callable[[Emitter], str]


Raising: TypeAlias = "Callable[[Emitter, Node], Raised | None]"

RAISINGS: Final[dict[str, list[Raising]]] = {}
"""By the op of the last node: functions that recognize a pattern that ends there."""


def exporter(*ops: str) -> Callable[[Exporter], Exporter]:
    """Register the exporter of some ops."""

    def register(function: Exporter) -> Exporter:
        for op in ops:
            EXPORTERS[op] = function
        return function

    return register


def raising(*ops: str) -> Callable[[Raising], Raising]:
    """Register a recognizer of patterns whose last node has one of these ops."""

    def register(function: Raising) -> Raising:
        for op in ops:
            RAISINGS.setdefault(op, []).append(function)
        return function

    return register


def find_raising(emitter: Emitter, node: Node) -> Raised | None:
    """The first pattern that ends at a node, if there is one."""
    for function in RAISINGS.get(node.op, ()):
        found = function(emitter, node)
        if found is not None:
            return found
    return None


def one(op: str, inputs: list[Node], **attributes: Any) -> Raised:
    """One operator on the values of some nodes."""
    return Raised(inputs, lambda emitter: str(emitter.node(op, [emitter.value(x) for x in inputs], **attributes)))
