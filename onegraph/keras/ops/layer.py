"""`OperationLayer`: an operation of `keras.ops` as a step of a functional model. Read next: `dispatch.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.keras import backend
from onegraph.keras.layers.base import Layer
from onegraph.keras.ops.dispatch import OPERATIONS


class OperationLayer(Layer):
    """An operation called on symbolic tensors.

    Args:
        operation: its name in `keras.ops`.
        name: of the step; by default the operation's, with a number.
    """

    def __init__(self, operation: str, name: str | None = None, **kwargs: Any) -> None:
        if operation not in OPERATIONS:
            raise ArgumentError(f"keras.ops has no operation {operation!r}")
        super().__init__(name=name or backend.unique_name(operation), **kwargs)
        self.operation = operation
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the operation."""
        return OPERATIONS[self.operation](*args, **kwargs)
