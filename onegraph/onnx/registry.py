"""Which function computes which operator. A new operator is one function in one file of `operators/`.

Read next: `operators/elementwise.py` for examples; `interpreter.py`, which calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operator:
    """How an operator is computed from a version of its operator set on.

    Attributes:
        name, domain: of the operator; the standard domain is "".
        since: the first version of the operator set that means this.
        function: from a `Call` and the inputs, None for those left out, to the output or a tuple of them.
        host: the same on NumPy arrays, used where all inputs are arrays; None where there is no such form.
        raw: inputs come as they are, arrays and tensors; otherwise arrays become tensors first.
    """

    name: str
    domain: str
    since: int
    function: Callable[..., Any]
    host: Callable[..., Any] | None
    raw: bool


OPERATORS: dict[tuple[str, str], list[Operator]] = {}
"""All operators, by (domain, name), the newest first."""


def register(entry: Operator) -> None:
    """Add an operator."""
    entries = OPERATORS.setdefault((entry.domain, entry.name), [])
    entries.append(entry)
    entries.sort(key=lambda e: -e.since)


def operator(
    *names: str, domain: str = "", since: int = 1, host: Callable[..., Any] | None = None, raw: bool = False
) -> Callable[[F], F]:
    """Register a function for operators; see `Operator`."""

    def add(function: F) -> F:
        for name in names:
            register(Operator(name, domain, since, function, host, raw))
        return function

    return add


def find(domain: str, name: str, version: int) -> Operator | None:
    """The operator as a version of its operator set means it."""
    return next((entry for entry in OPERATORS.get((domain, name), []) if entry.since <= version), None)
