"""How many nodes a model has once its functions stand where they are called: a small file may mean a great many.

Thirty functions of which each calls the next one twice are a thousand million nodes. Read next: `reader.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from onegraph.errors import GraphError

MOST_NODES: Final = 1_000_000
"""A model may have this many nodes; the largest that people use have some ten thousands."""

_Key: TypeAlias = tuple[str, str, str]


def check_expansion(file: str, graph: Any, functions: Mapping[_Key, Any]) -> None:
    """Refuse functions that call themselves, and models that are too large once functions are written out.

    Args:
        file: for the message.
        graph: a GraphDescription.
        functions: bodies by domain, name and overload, as the reader gives them.

    Raises:
        GraphError: with the name of the function that calls itself, or the number of nodes.
    """
    counts: dict[_Key, int] = {}
    pending = list(functions)
    active: set[_Key] = set()
    while pending:
        key = pending[-1]
        if key in counts:
            pending.pop()
            continue
        called = [k for k in _keys(functions[key][0]) if k in functions]
        missing = [k for k in called if k not in counts]
        if any(k in active or k == key for k in missing):
            raise GraphError(f"cannot use {file!r}: function {key[1][:200]!r} calls itself, which ONNX does not allow")
        if missing:
            active.add(key)
            pending += missing
            continue
        active.discard(key)
        counts[key] = _count(functions[key][0], counts)
        pending.pop()
    total = _count(graph, counts)
    if total > MOST_NODES:
        raise GraphError(
            f"cannot use {file!r}: with its functions written out it has {min(total, 10**15):,} nodes or more, "
            f"{MOST_NODES:,} is the limit"
        )


def _keys(graph: Any) -> list[_Key]:
    """The operators of a graph and of the graphs in it, as often as they are used."""
    found, pending = [], [graph]
    while pending:
        for node in pending.pop().nodes:
            found.append((node.domain, node.op, str(getattr(node.proto, "overload", ""))))
            for attribute in node.attributes.values():
                values = attribute if isinstance(attribute, list) else [attribute]
                pending += [value for value in values if hasattr(value, "nodes")]
    return found


def _count(graph: Any, counts: Mapping[_Key, int]) -> int:
    return sum(counts.get(key, 1) for key in _keys(graph))
