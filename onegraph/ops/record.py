"""What an op is: one `Op` record with everything that is known about it, and the table of all records.

Each family of ops has one file in this folder. A record holds the shape and dtype rule, the NumPy
reference, the gradient, and sample inputs; tests, gradient checks and the op table in the docs are
generated from it. To add an op, add a record to the file of its family; nothing else.

Read next: `elementwise.py` (the simplest family), `public.py` (how functions reach the front ends).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import GraphError
from onegraph.ir.dtype import DType
from onegraph.ir.node import EMPTY, Attributes, Node, Shape, capture_source
from onegraph.ops.lowering import Lowering

Array: TypeAlias = np.ndarray[Any, Any]
InputGradient: TypeAlias = Callable[[Node, Node], Node | None] | None
JointGradient: TypeAlias = Callable[[Node, Any, Sequence[bool]], Sequence[Node | None]]


class Kind(enum.Enum):
    """How an op touches memory, which decides how the compiler may fuse it."""

    LEAF = "leaf"
    ELEMENTWISE = "elementwise"
    MOVEMENT = "movement"
    REDUCTION = "reduction"
    SCAN = "scan"
    SORT = "sort"
    INDEXING = "indexing"
    CONTRACTION = "contraction"
    RANDOM = "random"
    CONTROL = "control flow"


class Sample:
    """Inputs and attributes for one test of an op.

    Args:
        arrays: NumPy inputs (float32 samples are also tried in other dtypes).
        differentiable: whether gradients are checked at this sample (false at kinks, or where the
            derivative does not exist).
        attributes: of the node.
    """

    def __init__(self, *arrays: Array, differentiable: bool = True, **attributes: Any) -> None:
        self.arrays = arrays
        self.differentiable = differentiable
        self.attributes = attributes


@dataclass(frozen=True, kw_only=True, eq=False)
class Op:
    """One primitive operation.

    Attributes:
        name: as it appears in graphs.
        kind: how it touches memory.
        doc: one sentence for the op table.
        rule: (*input nodes, **attributes) -> (shape, dtype), or a typed error. Sizes may be `Dim`s.
        reference: (*arrays, **attributes) -> array; half-precision inputs arrive as float32 and the
            result is rounded once.
        gradient: either a tuple with one function (node, g) -> gradient per input, None where an input
            has no gradient, or, for ops with any number of inputs or results, one function
            (node, g, needs) -> gradients. Gradients are nodes; a gradient of the shape that the inputs
            broadcast to is summed down by autodiff. None: no input has a gradient.
        samples: () -> inputs for the generated tests.
        dtypes: kinds of dtype that the first input may have.
        lowering: how compiled code computes it (`lowering.py`); None where the compiler has its own way.
    """

    name: str
    kind: Kind
    doc: str
    rule: Callable[..., tuple[Shape, DType]]
    reference: Callable[..., Array]
    gradient: tuple[InputGradient, ...] | JointGradient | None
    samples: Callable[[], Iterable[Sample]]
    dtypes: tuple[str, ...] = ("bool", "uint", "int", "float")
    lowering: Lowering | None = None

    def __call__(self, *inputs: Node, **attributes: Any) -> Node:
        """Record a node; shapes and dtypes are checked here."""
        shape, dtype = self.rule(*inputs, **attributes)
        node = Node(self.name, inputs, Attributes(attributes) if attributes else EMPTY, shape, dtype, capture_source())
        for made in recorders:
            made.append(node)
        return node


recorders: list[list[Node]] = []
"""Lists that get every new node, while a branch of control flow is traced (`tracing.py`)."""

OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Put a record into the table of all ops."""
    if op.name in OPS:
        raise GraphError(f"there are two ops called {op.name!r}")
    OPS[op.name] = op
    return op


def record_of(node: Node) -> Op:
    """The record of a node's op."""
    try:
        return OPS[node.op]
    except KeyError:
        raise GraphError(f"no op is called {node.op!r}") from None


def check_rule(op: str, node: Node) -> tuple[Shape, DType] | None:
    """What the op's rule says about a node; None for inputs, which have no rule."""
    if op == "input":
        return None
    return record_of(node).rule(*node.inputs, **node.attributes)


Differentiate: TypeAlias = Callable[[Sequence[Node], Sequence[Node | None], Sequence[Node]], list[Node | None]]
_differentiate: list[Differentiate] = []


def set_differentiate(function: Differentiate) -> None:
    """Told by `autodiff`, which comes after the ops: how to differentiate a graph, for rules of ops that contain graphs."""
    _differentiate[:] = [function]


def differentiate(outputs: Sequence[Node], seeds: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
    """Gradients of the bodies of control-flow ops; see `autodiff.gradient`."""
    return _differentiate[0](outputs, seeds, wrt)


def real(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Array:
    """A float32 sample array, uniform in [low, high)."""
    return np.random.default_rng(seed + sum(shape)).uniform(low, high, shape).astype(np.float32)
