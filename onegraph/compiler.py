"""Names of `torch.compiler`. Everything is compiled here in any case, so they answer, and change nothing."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.state import mode

__all__ = ["allow_in_graph", "disable", "is_compiling", "is_dynamo_compiling", "reset"]


def is_compiling() -> bool:
    """Whether a function is being traced by `og.jit`, so that values cannot be looked at.

    >>> import onegraph as og
    >>> og.compiler.is_compiling()
    False
    """
    return mode.trace is not None


is_dynamo_compiling = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function as it is; left out, this is a decorator. Programs that are not traced can always look at values."""
    return (lambda function: function) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function as it is."""
    return fn


def reset() -> None:
    """Forget what was compiled: kernels are found by their content, so there is nothing to forget."""
