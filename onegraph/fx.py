"""Names of `torch.fx` that programs touch. Graphs are recorded from tensors here, so no Python function need be wrapped.

To see the graph of a function: `og.jit(function).trace(x).text()`; `og.explain(function, x)` shows every stage of the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentTypeError, UnsupportedError

__all__ = ["symbolic_trace", "wrap"]


def wrap(fn_or_name: str | Callable[..., Any]) -> Any:
    """The function as it is: a graph holds the operations that it does, whatever it is called.

    >>> import onegraph as og
    >>> @og.fx.wrap
    ... def double(x):
    ...     return x * 2
    >>> double(3)
    6
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise ArgumentTypeError(f"fx.wrap: expected a function or its name, got {type(fn_or_name).__name__}")
    return fn_or_name


def symbolic_trace(root: Any, concrete_args: Any = None) -> Any:
    """Not there: graphs here are of operations with shapes, not of Python calls.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        "fx.symbolic_trace is not supported: graphs are recorded with shapes", hint="og.jit(function).trace(x)"
    )
