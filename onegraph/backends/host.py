"""What backends share that compute on the host: arrays as memory, and the user's line in errors of single operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import DivisionError, OneGraphError, OutOfMemoryError
from onegraph.ir.dtype import DType
from onegraph.ir.node import Node
from onegraph.ops.shapes import show

Array = np.ndarray[Any, Any]
P = ParamSpec("P")
R = TypeVar("R")


class HostMemory:
    """Buffers that are NumPy arrays."""

    def allocate(self, shape: tuple[int, ...], dtype: DType) -> Buffer:
        """An uninitialized array."""
        return Buffer(np.empty(shape, dtype.numpy), dtype)

    def copy_in(self, array: Array, dtype: DType) -> Buffer:
        """A buffer that shares memory with the array where that is possible."""
        return Buffer(np.asarray(array, dtype.numpy), dtype)

    def copy_out(self, buffer: Buffer) -> Array:
        """The array itself."""
        return buffer.array

    def synchronize(self) -> None:
        """Nothing runs in the background: a run is over when its call returns."""


def located(node: Node, function: Callable[P, R], *arguments: P.args, **more: P.kwargs) -> R:
    """What a function that computes a node gives; its errors get the line of the user's call, and a type."""
    try:
        return function(*arguments, **more)
    except OneGraphError as error:
        error.location = location_of(node) or error.location
        raise
    except ZeroDivisionError as error:
        raise DivisionError(f"{node.op}: {error}", location=location_of(node)) from None
    except MemoryError:
        raise OutOfMemoryError(
            f"{node.op}: no memory for a result of shape {show(node.shape)} {node.dtype.name}",
            hint="lower the batch size or the sizes of the model",
            location=location_of(node),
        ) from None


def location_of(node: Node) -> tuple[str, int] | None:
    """File and line of the user's call that made a node."""
    return None if node.source is None else node.source[:2]
