"""What a lowered graph consists of: places of values, and launches of kernels on them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onegraph.ir.dtype import DType
from onegraph.ir.node import Node
from onegraph.kernels.kernel import Kernel


@dataclass(eq=False)
class Place:
    """A value in memory.

    Attributes:
        kind: "input", "output", "constant", or "temporary".
        bytes: with halo and padding.
        number: which input or output.
        array: of a constant.
        name: for people.
        base, offset: for a part of another place: which, and how many bytes after its start.
    """

    kind: str
    bytes: int
    dtype: DType
    shape: tuple[int, ...]
    number: int = 0
    array: np.ndarray[Any, Any] | None = None
    name: str = ""
    base: Place | None = None
    offset: int = 0


@dataclass(eq=False)
class Launch:
    """A kernel with its buffers, or (`host`) a node that Python computes.

    Attributes:
        buffers: in the order in which the kernel numbers them. For a host node: its inputs, then its result.
        items: which results of a host node are written.
        nodes: what it computes, for explanations and for errors.
        in_place: pairs (written, read) that may share memory.
        keep: the inputs that the results depend on, if they are kept as long as the same inputs are given.
        error: makes the exception for a run-time error; a general one by default.
        loop: launches that are repeated, instead of a kernel.
    """

    reads: list[Place]
    writes: list[Place]
    buffers: list[Place]
    kernel: Kernel | None = None
    host: Node | None = None
    items: list[int] = field(default_factory=list)
    nodes: Collection[Node] = ()
    in_place: list[tuple[Place, Place]] = field(default_factory=list)
    keep: frozenset[int] | None = None
    error: Callable[[int, int, int], Exception] | None = None
    loop: Repeated | None = None


@dataclass(eq=False)
class Repeated:
    """Launches that are run in turn, again and again; see `layout.Loop`."""

    launches: list[Launch]
    moves: list[list[tuple[int, int]]]
    barriers: list[bool]
    turns: int


@dataclass
class Lowered:
    """A graph as launches in order."""

    inputs: list[Place]
    outputs: list[Place]
    places: list[Place]
    launches: list[Launch]
