"""The arguments of a layer's constructor, and values as JSON can hold them. Read next: `base.py` (`get_config`)."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from onegraph.keras.registry import serialize
from onegraph.nn.module import Module


def constructor_names(cls: type) -> list[str]:
    """The names of the constructor's arguments, with those that it hands on to the classes above."""
    names: list[str] = []
    for base in cls.__mro__:
        if base is Module:
            break
        if "__init__" in base.__dict__:
            kinds = inspect.signature(base.__dict__["__init__"]).parameters.values()
            names += [
                p.name
                for p in kinds
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in ("self", *names)
            ]
    return names


@functools.cache
def constructor_defaults(cls: Any) -> dict[str, Any]:
    """The defaults of the constructor's own arguments."""
    owner = next(base for base in cls.__mro__ if "__init__" in base.__dict__)
    if owner.__name__ == "Layer":
        return {}
    parameters = inspect.signature(owner.__dict__["__init__"]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return serialize(value)
