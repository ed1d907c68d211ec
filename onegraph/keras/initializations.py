"""`keras.initializations`: first values as functions of a shape, as Keras 1 had them. Read first: `initializers.py`."""

from __future__ import annotations

from typing import Any

from onegraph.keras import initializers
from onegraph.keras.initializers import get

__all__ = [
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_uniform",
    "normal",
    "one",
    "orthogonal",
    "uniform",
    "zero",
]


def uniform(shape: Any, scale: float = 0.05, name: str | None = None, dim_ordering: str = "th") -> Any:
    """Drawn evenly from [-scale, scale).

    >>> uniform((2, 3)).shape
    onegraph.Size([2, 3])
    """
    return initializers.RandomUniform(-scale, scale)(shape)


def normal(shape: Any, scale: float = 0.05, name: str | None = None, dim_ordering: str = "th") -> Any:
    """Drawn from a normal distribution with standard deviation `scale`."""
    return initializers.RandomNormal(0.0, scale)(shape)


def orthogonal(shape: Any, scale: float = 1.1, name: str | None = None, dim_ordering: str = "th") -> Any:
    """A random matrix with orthogonal rows or columns, times `scale`."""
    return initializers.Orthogonal(scale)(shape)


def identity(shape: Any, scale: float = 1.0, name: str | None = None, dim_ordering: str = "th") -> Any:
    """The identity matrix, times `scale`."""
    return initializers.Identity(scale)(shape)


def _named(name: str) -> Any:
    def draw(shape: Any, name: str | None = None, dim_ordering: str = "th") -> Any:
        return initializers.get(kind)(shape)

    kind = name
    draw.__name__, draw.__doc__ = name, f"First values of a shape; see `initializers.get({name!r})`."
    return draw


zero, one = _named("zero"), _named("one")
glorot_uniform, glorot_normal = _named("glorot_uniform"), _named("glorot_normal")
he_uniform, he_normal, lecun_uniform = _named("he_uniform"), _named("he_normal"), _named("lecun_uniform")
