"""What is noted while a function is traced: tensors from outside that it reads and writes, gradients, random streams.

Read next: `function.py`, which runs what was traced.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import onegraph.frontend.state as state
from onegraph.backends.contract import Buffer
from onegraph.frontend.state import former_leaves, leaves, mode
from onegraph.frontend.tensor import Storage, Tensor, View, realize_tensors, wrap_buffer
from onegraph.ir.dtype import DType, int64
from onegraph.ir.node import EMPTY, Node, input_node
from onegraph.ir.traverse import topological

_traces = itertools.count()


class Before(NamedTuple):
    """A tensor from outside as it was before the trace wrote to it."""

    tensor: Tensor
    node: Node
    view: View | None
    storage: Storage | None
    left_to: Tensor | None
    requires_grad: bool
    leaf: bool


class Trace:
    """What happens while a function is traced."""

    def __init__(self) -> None:
        self.number_of_trace: int | None = next(_traces)
        self.outside: dict[int, tuple[Tensor, Node]] = {}
        """Tensors from outside that are read: the tensor, and the node that it had at first."""
        self.owners: dict[Node, Tensor] = {}
        """The tensor that each such node stands for."""
        self.constants: set[Node] = set()
        """Those that stand for data that the function itself holds."""
        self.modes: dict[int, tuple[Any, bool]] = {}
        """Modules called: the module, and whether it was in training mode."""
        self.changed: dict[int, Before] = {}
        """Tensors that are written, as they were before."""
        self.gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        """Tensors from outside whose `.grad` is set, and the `.grad` they had."""
        self.gradients_read: dict[int, tuple[Tensor, Tensor | None]] = {}
        """Those whose `.grad` from before the call is read: whether it is there decides what is recorded."""
        self.gradient_owners: dict[int, Tensor] = {}
        """The tensor that each such `.grad` belongs to: it may be another one at each call."""
        self.random: dict[int, tuple[Any, Node, int]] = {}
        """Generators used: the generator, the node of its key, and the number of streams used."""
        self.numbers: list[tuple[Node, Callable[[], float]]] = []
        """Numbers that are read anew at each call, such as a learning rate."""
        self.lazily: str | None = None
        """Why one plan cannot do what the function does, if so: it is then run as Python each time."""

    def is_own(self, tensor: Tensor) -> bool:
        """Whether a tensor was made inside the trace."""
        return tensor._made_in == self.number_of_trace

    def data_set(self, tensor: Tensor, value: Tensor) -> None:
        """Note `tensor.data = value`."""
        self.seen(tensor)
        self.seen(value)
        if self.is_own(tensor):
            return
        base = value
        while base._view is not None:
            base = base._view.base
        if tensor._view is not None or tensor.storage_of_views() is not None or not self.is_own(base):
            self.run_lazily("it sets .data of a tensor that shares storage, or to one that does")
        self.written(tensor)

    def run_lazily(self, reason: str) -> None:
        """Note that the function has an effect that a plan cannot repeat."""
        self.lazily = self.lazily or reason

    def seen(self, tensor: Tensor) -> None:
        """Note a tensor that an operation reads; one from outside is captured."""
        if tensor._view is not None:
            self.seen(tensor._view.base)
        key = id(tensor)
        if key in self.outside or key in self.changed:
            return
        node = tensor.node
        if type(node.value) is Buffer:
            if self.is_own(tensor):
                if node in self.owners:
                    return
                self.constants.add(node)
                tensor = wrap_buffer(node.value)  # a constant of the trace; what is written to it later is not kept
                key = id(tensor)
            elif tensor._requires_grad and not tensor.is_leaf:
                self.run_lazily("a gradient may flow on to what a tensor from outside was computed from")
            if node in self.owners and self.owners[node] is not tensor:
                if tensor._view is not None or tensor._requires_grad:
                    return  # a view of all of it
                tensor._version += 1  # two tensors with one value are two inputs
                node = tensor._node = Node("input", (), EMPTY, node.shape, node.dtype, None, node.value)
            self.owners[node] = tensor
            self.outside[key] = (tensor, node)
        elif self.is_own(tensor) or self._follows_changed(tensor):
            return  # computed in this trace, if only from tensors that are captured
        elif node.value is None and node.op != "input" and not tensor._traced():
            realize_tensors([tensor])  # pending work from before the trace: its value is what is captured
            tensor._settle()
            self.seen(tensor)

    def _follows_changed(self, tensor: Tensor) -> bool:
        while tensor._view is not None:
            tensor = tensor._view.base
            if id(tensor) in self.changed:
                return True
        return False

    def made(self, tensor: Tensor) -> None:
        """Note a tensor that is made from data: a constant of the trace."""
        tensor._made_in = self.number_of_trace
        self.seen(tensor)

    def looked(self, tensor: Tensor) -> None:
        """Note that a value is looked at: if it comes from outside, it may be another one at the next call."""
        if not self.is_own(tensor):
            self.run_lazily("it looks at the value of a tensor from outside")
            return
        constants = self.constants
        if any(n in self.owners and n not in constants for n in topological([tensor.node])):
            self.run_lazily("it looks at a value that is computed from a tensor from outside")

    def called(self, module: Any) -> None:
        """Note a module that is called: its mode decides what is recorded."""
        self.modes.setdefault(id(module), (module, module.training))

    def written(self, tensor: Tensor) -> None:
        """Note a tensor that is about to be written."""
        if id(tensor) not in self.changed:
            node = tensor._node
            leaf = leaves.get(node) is tensor
            storage = tensor.storage_of_views()
            left_to = None if storage is None else storage.left_to
            before = Before(tensor, node, tensor._view, storage, left_to, tensor._requires_grad, leaf)
            self.changed[id(tensor)] = before

    def gradient_read(self, tensor: Tensor) -> None:
        """Note that a tensor's `.grad` is read."""
        key = id(tensor)
        if self.is_own(tensor) or key in self.gradients:
            return
        self.gradients_read.setdefault(key, (tensor, tensor._grad))
        if tensor._grad is not None:
            self.gradient_owners.setdefault(id(tensor._grad), tensor)

    def gradient_written(self, tensor: Tensor) -> None:
        """Note that a tensor's `.grad` is about to be set."""
        if not self.is_own(tensor):
            self.gradients.setdefault(id(tensor), (tensor, tensor._grad))

    def random_stream(self, generator: Any) -> tuple[Node, int]:
        """The node of a generator's key, and how many streams were used before."""
        key = id(generator)
        if key not in self.random:
            self.random[key] = (generator, input_node((2,), int64, "random key"), 0)
        generator, node, used = self.random[key]
        self.random[key] = (generator, node, used + 1)
        return node, used

    def number(self, read: Callable[[], float], dtype: DType) -> Node:
        """A number that is read anew at each call."""
        node = input_node((), dtype)
        self.numbers.append((node, read))
        return node

    def restore(self) -> None:
        """Leave the tensors from outside as they were before the trace."""
        for tensor, node, view, storage, left_to, requires_grad, leaf in self.changed.values():
            if leaves.get(tensor._node) is tensor:
                leaves.pop(tensor._node, None)
            if leaf:
                former_leaves.forget(node)
                leaves[node] = tensor
            tensor._node, tensor._view, tensor._requires_grad = node, view, requires_grad
            if storage is not None:
                tensor._storage, storage.left_to = weakref.ref(storage), left_to
            tensor._version += 1  # views that were read while tracing follow
            if view is not None:
                view.version = -1
        for tensor, gradient in self.gradients.values():
            tensor._grad = gradient
        state.take_waiting()


def changing_number(read: Callable[[], float], dtype: DType) -> Node:
    """A number that may be another at each step, as an argument of the plan: nothing recompiles when it changes.

    Args:
        read: gives the present value.
        dtype: of the node.
    """
    if mode.trace is not None:
        return mode.trace.number(read, dtype)
    return Node("input", (), EMPTY, (), dtype, None, read())
