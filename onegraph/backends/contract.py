"""What a backend must do: compile a graph, hold values, run. All backends pass one conformance suite (`tests/backends`).

`reference.py` is the oracle; others are compared with it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import DType
from onegraph.ir.graph import Graph


class Buffer:
    """A value in memory: shape, dtype, and the backend's own handle of its storage.

    On hosts the handle is a NumPy array (for bfloat16, of its uint16 storage). Buffers are never written to once
    they are given out, so they can be shared freely.

    The native backend notes here where the memory is (`address`, 0 when it has not looked yet), a number that no other
    buffer ever has (`serial`, 0 likewise), and the pool that the memory goes back to (`pool`).
    """

    __slots__ = ("__weakref__", "address", "array", "dtype", "pool", "serial")

    def __init__(self, array: np.ndarray[Any, Any], dtype: DType, address: int = 0, pool: Any = None) -> None:
        self.array = array
        self.dtype = dtype
        self.address = address
        self.pool = pool
        self.serial = 0

    def __del__(self) -> None:
        if self.pool is not None:
            self.pool.give(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return tuple(self.array.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of storage."""
        return self.array.nbytes


class Executable(Protocol):
    """A compiled graph."""

    def run(self, inputs: Sequence[Buffer], given_up: Sequence[int] = ()) -> list[Buffer]:
        """Compute the outputs from the inputs, both in the order of the graph.

        Args:
            inputs: the values.
            given_up: numbers of inputs, among those that `compile` was told are replaced, that nobody will look at again:
                the outputs that replace them may take their memory.
        """
        ...

    def describe(self) -> str:
        """Text for `explain`: what will run, in order."""
        ...


class Backend(Protocol):
    """The contract."""

    name: str

    def compile(self, graph: Graph, replaced: Sequence[tuple[int, int]] = ()) -> Executable:
        """Turn a graph with known sizes into something that runs.

        Args:
            graph: what to compile.
            replaced: pairs (output, input), by number: the new value of something (a parameter) and the old one.
        """
        ...

    def allocate(self, shape: tuple[int, ...], dtype: DType) -> Buffer:
        """Memory for a value, its contents undefined."""
        ...

    def copy_in(self, array: np.ndarray[Any, Any], dtype: DType) -> Buffer:
        """A buffer with a host array's value (host storage of the dtype); it may share memory with the array."""
        ...

    def copy_out(self, buffer: Buffer) -> np.ndarray[Any, Any]:
        """The value as a host array, which may share memory with the buffer and must not be written to."""
        ...

    def synchronize(self) -> None:
        """Wait until everything that was started is done."""
        ...


_backends: dict[str, Backend] = {}
_ELSEWHERE = {"native": "onegraph.backends.native.backend"}
"""Backends that register themselves when they are first asked for, so that `import onegraph` stays quick."""


def register_backend(backend: Backend) -> Backend:
    """Make a backend available under its name."""
    _backends[backend.name] = backend
    return backend


def backend_names() -> list[str]:
    """The names of all backends.

    >>> backend_names()
    ['native', 'reference']
    """
    return sorted({*_backends, *_ELSEWHERE})


def get_backend(name: str) -> Backend:
    """The backend of that name."""
    if name not in _backends and name in _ELSEWHERE:
        importlib.import_module(_ELSEWHERE[name])
    try:
        return _backends[name]
    except KeyError:
        raise ArgumentError(f"no backend is called {name!r}", hint=f"there are {', '.join(backend_names())}") from None
