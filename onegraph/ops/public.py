"""The table of functions that front ends offer: each works on nodes and has PyTorch's name, arguments and defaults.

`onegraph.add` and `Tensor.add`, `onegraph.nn.functional.relu` and the rest are generated from this table
(`frontend/generate.py`); `onegraph.static` and `onegraph.keras` call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Public:
    """A function on nodes that front ends offer.

    Attributes:
        function: takes nodes (and Python values), gives nodes.
        names: the names that it has, the first being the main one.
        namespace: "" for the top level, or e.g. "nn.functional", "special", "linalg".
        method: whether Tensors have it as a method.
        inplace: whether Tensors have it with a trailing underscore.
        view: whether the result shares storage with its first argument in PyTorch, so that writing to
            one is seen in the other. The function must then have an inverse in `frontend/views.py`.
        lift: whether Python scalars among the first three arguments become arguments of the plan, so that a new
            value compiles nothing.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]
    namespace: str = ""
    method: bool = True
    inplace: bool = False
    view: bool = False
    lift: bool = False


PUBLIC: list[Public] = []


def public(
    *names: str,
    namespace: str = "",
    method: bool | None = None,
    inplace: bool = False,
    view: bool = False,
    lift: bool = False,
) -> Callable[[F], F]:
    """Offer a function on nodes in the front ends, under its own name and any other names given."""

    def offer(function: F) -> F:
        all_names = names or (function.__name__.rstrip("_"),)
        as_method = namespace == "" if method is None else method
        PUBLIC.append(Public(function, all_names, namespace, as_method, inplace, view, lift))
        return function

    return offer
