"""Conditions that a weight is brought back to after each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onegraph.keras.backend import epsilon
from onegraph.keras.registry import Configured, Registry, custom_object_scope
from onegraph.keras.registry import serialize as _serialize

constraints = Registry("constraint")


def get(identifier: Any) -> Any:
    """The constraint with a name, or None."""
    return constraints.get(identifier)


class Constraint(Configured):
    """Base of constraints: define `__call__(w)`, giving the weight that replaces w."""

    def __call__(self, w: Any) -> Any:
        """The nearest allowed weight."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w)")


def _norm(w: Any, axis: Any) -> Any:
    dims = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    return (w * w).sum(dims, keepdim=True).sqrt()


@constraints.add("max_norm", "maxnorm")
class MaxNorm(Constraint):
    """Norms along an axis of at most max_value. Source: Srivastava et al., JMLR 2014."""

    def __init__(self, max_value: float = 2, axis: Any = 0, m: float | None = None) -> None:
        self.max_value, self.axis = max_value if m is None else m, axis

    def __call__(self, w: Any) -> Any:
        """The nearest allowed weight."""
        norms = _norm(w, self.axis)
        return w * (norms.clamp(0, self.max_value) / (norms + epsilon()))


@constraints.add("min_max_norm")
class MinMaxNorm(Constraint):
    """Norms along an axis between two values; rate < 1 moves there slowly."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        """The nearest allowed weight."""
        norms = _norm(w, self.axis)
        wanted = norms.clamp(self.min_value, self.max_value) * self.rate + norms * (1 - self.rate)
        return w * (wanted / (norms + epsilon()))


@constraints.add("non_neg", "nonneg")
class NonNeg(Constraint):
    """No weight below 0."""

    def __call__(self, w: Any) -> Any:
        """The nearest allowed weight."""
        return w.clamp(min=0)


@constraints.add("unit_norm", "unitnorm")
class UnitNorm(Constraint):
    """Norms of 1 along an axis."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """The nearest allowed weight."""
        return w / (_norm(w, self.axis) + epsilon())


max_norm, maxnorm = MaxNorm, MaxNorm
min_max_norm = MinMaxNorm
non_neg, nonneg = NonNeg, NonNeg
unit_norm, unitnorm = UnitNorm, UnitNorm


def serialize(constraint: Any) -> Any:
    """A constraint as JSON can hold it."""
    return _serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint that `serialize` described."""
    with custom_object_scope(custom_objects):
        return get(config)
