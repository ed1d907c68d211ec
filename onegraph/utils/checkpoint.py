"""Recomputing in backward instead of keeping: `checkpoint`, and `checkpoint_sequential` for a row of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.autograd import checkpoint

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint_sequential(
    functions: Iterable[Callable[[Any], Any]], segments: int, input: Any, use_reentrant: bool | None = None
) -> Any:
    """Call functions one after the other in segments, of which only the inputs are kept for backward.

    Args:
        functions: a `Sequential`, or a list of functions of one argument.
        segments: how many pieces; the last one is kept whole.
        input: what the first function gets.

    >>> import onegraph as og
    >>> from onegraph.utils.checkpoint import checkpoint_sequential
    >>> checkpoint_sequential([og.exp, og.log, og.neg], 2, og.tensor([2.0]))
    tensor([-2.])
    """
    rows = list(functions)
    if not 1 <= segments <= max(len(rows), 1):
        raise ArgumentError(f"checkpoint_sequential: {segments} segments of {len(rows)} functions")
    size = len(rows) // segments

    def piece(start: int, stop: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for function in rows[start:stop]:
                value = function(value)
            return value

        return run

    last = size * (segments - 1)
    for start in range(0, last, size):
        input = checkpoint(piece(start, start + size), input, use_reentrant=use_reentrant)
    return piece(last, len(rows))(input)
