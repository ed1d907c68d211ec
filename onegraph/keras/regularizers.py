"""Penalties on weights and outputs, added to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras.registry import Configured, Registry, custom_object_scope
from onegraph.keras.registry import serialize as _serialize

regularizers = Registry("regularizer")


def get(identifier: Any) -> Any:
    """The regularizer with a name, or None."""
    return regularizers.get(identifier)


class Regularizer(Configured):
    """Base of regularizers: define `__call__(x)`, giving a scalar tensor."""

    def __call__(self, x: Any) -> Any:
        """The penalty for a tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x)")


@regularizers.add("l1_l2", "l1l2")
class L1L2(Regularizer):
    """l1 times the sum of |x| plus l2 times the sum of x²."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = float(l1), float(l2)

    def __call__(self, x: Any) -> Any:
        """The penalty for a tensor."""
        terms = []
        if self.l1:
            terms.append(x.abs().sum() * self.l1)
        if self.l2:
            terms.append((x * x).sum() * self.l2)
        return sum(terms[1:], terms[0]) if terms else (x * 0).sum()


@regularizers.add("l1")
class L1(L1L2):
    """l1 times the sum of |x|."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1, 0.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"l1": self.l1}


@regularizers.add("l2")
class L2(L1L2):
    """l2 times the sum of x²."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(0.0, l2)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"l2": self.l2}


@regularizers.add("orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """How far the rows or columns of a matrix are from being at right angles: the mean of |cosine| between two of them.

    Args:
        factor: of the penalty.
        mode: 'rows' or 'columns'.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"OrthogonalRegularizer: mode must be 'rows' or 'columns', got {mode!r}")
        self.factor, self.mode = factor, mode

    def __call__(self, x: Any) -> Any:
        """The penalty for a tensor."""
        if x.ndim != 2:
            raise ShapeError(f"OrthogonalRegularizer: needs a matrix, got shape {tuple(x.shape)}")
        rows = x if self.mode == "rows" else x.T
        rows = rows * (rows * rows).sum(-1, keepdim=True).clamp(min=1e-12).rsqrt()
        count = rows.shape[0]
        between = (rows @ rows.T).abs()
        total = between.sum() - between.diagonal().sum()
        return total * (0.5 * self.factor / max(count * (count - 1) / 2, 1))


orthogonal_regularizer = OrthogonalRegularizer
l1, l2, l1_l2 = L1, L2, L1L2
WeightRegularizer = L1L2


def serialize(regularizer: Any) -> Any:
    """A regularizer as JSON can hold it."""
    return _serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` described."""
    with custom_object_scope(custom_objects):
        return get(config)
