"""Names of `torch.serialization`: `save`, `load`, and lists of classes that a file may name.

PyTorch's lists exist because its files are pickles, which can run code. Files are read here without running any: they hold
tensors, numbers, strings and containers, and nothing that is not on a fixed list is ever made from a file. Classes
registered here are therefore remembered, so that programs run, and change nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.storage import load, save

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]

_safe: list[Any] = []


def add_safe_globals(safe_globals: Sequence[Any]) -> None:
    """Remember classes and functions (or pairs of one and its name) that files may name."""
    if not isinstance(safe_globals, (list, tuple)):
        raise ArgumentTypeError(
            f"add_safe_globals: expected a list of classes or functions, got {type(safe_globals).__name__}"
        )
    _safe.extend(g for g in safe_globals if g not in _safe)


def get_safe_globals() -> list[Any]:
    """What was registered."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what was registered."""
    _safe.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: Sequence[Any]) -> Iterator[None]:
    """Register classes within a context.

    >>> import onegraph as og
    >>> with og.serialization.safe_globals([set]):
    ...     og.serialization.get_safe_globals()
    [<class 'set'>]
    """
    before = list(_safe)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe[:] = before
