"""Sizes for each dimension from a number or a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def repeated(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives n copies of a number, and a sequence as a tuple.

    >>> repeated(3)(2), repeated(2)([4, 5])
    ((2, 2, 2), (4, 5))
    """

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    return parse


single = repeated(1, "single")
pair = repeated(2, "pair")
triple = repeated(3, "triple")
quadruple = repeated(4, "quadruple")
