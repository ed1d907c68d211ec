"""Contestants: the same work as a function of no arguments, by onegraph and by each way of PyTorch's.

A `Contest` builds them, checks that they agree, and says who is who. PyTorch is imported only where it takes part, so
that one side can be measured alone. Read next: `training.py`, `inference.py`, `operators.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Contestant = Callable[[], object]


class Disagreement(Exception):
    """Two sides that should compute the same do not."""


@dataclass
class Contest:
    """Who takes part in a row.

    Attributes:
        ours: makes onegraph's contestant.
        theirs: makes PyTorch's contestants, by the name of the variant.
        agree: raises `Disagreement` unless both sides give the same numbers; called before the race.
        traffic: bytes that must at least go to and from memory, for rows that are limited by it.
        footprint: bytes of all that it touches; a copy is only comparable when it fits into the same cache.
        missing: why onegraph cannot take part, if so.
    """

    ours: Callable[[], Contestant]
    theirs: dict[str, Callable[[], Contestant]]
    agree: Callable[[], str]
    traffic: int = 0
    footprint: int = 0
    missing: str = ""
    notes: list[str] = field(default_factory=list)


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest magnitude."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        raise Disagreement(f"shapes differ: {a.shape} and {b.shape}")
    scale = float(np.abs(b).max(initial=0.0))
    return float(np.abs(a - b).max(initial=0.0)) / (scale or 1.0)


def check(what: str, ours: Any, theirs: Any, tolerance: float = 1e-3) -> str:
    """Raise unless two results agree; returns a note for the table."""
    found = difference(ours, theirs)
    if not found <= tolerance:  # also when it is NaN
        raise Disagreement(f"{what}: relative difference {found:.2e}, allowed {tolerance:.0e}")
    return f"{what} agree to {found:.0e}"
