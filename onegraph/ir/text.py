"""Graphs as text: `to_text` prints one, `from_text` reads it back. Saved models and dumps are such texts.

A text may come from anybody. Reading it runs no code, takes time and memory in proportion to its length,
and raises a GraphError with the line number at the first mistake. Shapes and dtypes are taken as written;
`ir/verify.py` checks them against the ops.

Read next: `ir/README.md` (the format), `ir/parse.py` (reading), `ir/verify.py`.
"""

from __future__ import annotations

from onegraph.errors import ArgumentTypeError
from onegraph.ir.graph import Graph
from onegraph.ir.parse import Parser
from onegraph.ir.printer import to_text

__all__ = ["from_text", "to_text"]


def from_text(text: str) -> Graph:
    """The graph that a text describes.

    Raises:
        GraphError: the text breaks the format; the message has the number of the line.

    >>> g = from_text('graph double(%0: f32[n] "x") { %1: f32[n] = add(%0, %0) return %1 }')
    >>> g.name, g.outputs[0].op, g.outputs[0].shape
    ('double', 'add', (Dim('n'),))
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"a graph is read from a str, got {type(text).__name__}")
    return Parser(text).parse()
