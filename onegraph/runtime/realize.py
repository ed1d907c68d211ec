"""Computing what somebody looks at: collect the graph of pending nodes, find its plan by structure, run it.

Two kinds of leaves carry a value: a `Buffer` (a realized tensor), and a Python number (a scalar in a user's
expression). A plan is first compiled with the numbers built in; those that change from one time to the next become
arguments of the plan, so nothing recompiles because a learning rate changed.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import TraceError, describe_location
from onegraph.ir.dtype import DType
from onegraph.ir.graph import Graph
from onegraph.ir.node import EMPTY, Attributes, Node, bundle, input_node
from onegraph.ir.traverse import with_inputs
from onegraph.ops.leaf import constant
from onegraph.ops.shapes import show
from onegraph.runtime.plan import Plan, current_backend, plans

NOT_TRACED = (
    "a value was asked for that does not exist yet: this code is being traced (og.jit, a layer's build, a loop body)"
)
HOW_TO_TRACE = (
    "inside a traced function use og.where, og.cond, og.while_loop or og.scan instead of Python's if and while on tensors, "
    "mark arguments that decide the control flow as static, or print after the function has returned"
)


_NOTHING_TO_COMPILE = frozenset({"with_gradient", "barrier"})
"""Ops whose attributes (a user's function, a running number) are other ones at each step, and decide nothing in a plan."""


class Pending:
    """The graph of pending nodes that a set of outputs depends on, with a key that is equal for equal structures."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.outputs = outputs
        self.buffers: list[Node] = []
        self.scalars: list[Node] = []
        self.order: list[Node] = []
        self.key = self._collect()

    def _collect(self) -> tuple[Any, ...]:
        index: dict[Node, int] = {}
        parts: list[Any] = []
        stack: list[Node] = list(reversed(self.outputs))
        while stack:
            node = stack[-1]
            if node in index:
                stack.pop()
                continue
            if node.value is None and node.inputs:
                waiting = False
                for i in reversed(node.inputs):
                    if i not in index:
                        stack.append(i)
                        waiting = True
                if waiting:
                    continue
                self.order.append(node)
                attributes: Attributes | None = node.attributes
                if attributes is EMPTY or node.op in _NOTHING_TO_COMPILE:
                    attributes = None
                parts.append((node.op, attributes, tuple([index[i] for i in node.inputs])))
            else:
                self._leaf(node, parts)
            index[node] = len(index)
            stack.pop()
        parts.append(tuple([index[o] for o in self.outputs]))
        return tuple(parts)

    def _leaf(self, node: Node, parts: list[Any]) -> None:
        value = node.value
        if node.op == "constant":  # shared by many: a value that somebody looked at changes nothing
            self.order.append(node)
            parts.append((node.op, node.attributes, node.dtype))
        elif type(value) is Buffer:
            self.buffers.append(node)
            parts.append((value.array.shape, node.dtype))
        elif value is not None:
            self.scalars.append(node)
            parts.append(node.dtype)
        elif node.op == "input":
            location = None if node.source is None else node.source[:2]
            raise TraceError(NOT_TRACED, hint=HOW_TO_TRACE, location=location)
        else:  # counting
            self.order.append(node)
            parts.append((node.op, node.attributes, node.dtype))

    def graph(self, built_in: set[int]) -> Graph:
        """A graph of its own, with the scalars at these positions built in and the others as inputs."""
        new: dict[Node, Node] = {}
        inputs = []
        for node in self.buffers:
            new[node] = input_node(tuple(node.value.array.shape), node.dtype)
            inputs.append(new[node])
        for position, node in enumerate(self.scalars):
            if position in built_in:
                new[node] = constant(node.value, node.dtype)
            else:
                new[node] = input_node((), node.dtype)
                inputs.append(new[node])
        for node in self.order:
            new[node] = with_inputs(node, tuple([new[i] for i in node.inputs]))
        return Graph(inputs, [new[o] for o in self.outputs], "step")


class Entry:
    """What is known about one structure: which scalars vary, and the plan compiled for it."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.first = values
        self.varying: frozenset[int] = frozenset()
        self.plan: Plan | None = None
        self._lock = threading.Lock()

    def find(self, pending: Pending, values: tuple[Any, ...]) -> tuple[Plan, list[int]]:
        """The plan for these scalars, compiled anew when one that was built in has changed; and which are arguments."""
        with self._lock:  # another thread may find that more of them vary
            return self._find(pending, values)

    def _find(self, pending: Pending, values: tuple[Any, ...]) -> tuple[Plan, list[int]]:
        changed = {
            i
            for i, (a, b) in enumerate(zip(self.first, values, strict=True))
            if i not in self.varying and not _same(a, b)
        }
        if changed or self.plan is None:
            varying = self.varying | changed
            built_in = {i for i in range(len(values)) if i not in varying}
            runs = 0 if self.plan is None else self.plan.runs
            self.plan = Plan(pending.graph(built_in), current_backend())
            self.plan.runs = runs
            self.varying = varying
        return self.plan, sorted(self.varying)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and (repr(a) == repr(b) if a == 0 or a != a else a == b))


def realize(nodes: Sequence[Node]) -> None:
    """Compute nodes and keep their values in `node.value`, all in one plan."""
    outputs = [n for n in dict.fromkeys(nodes) if type(n.value) is not Buffer]
    scalars = [n for n in outputs if n.value is not None]
    for node in scalars:
        node.value = scalar_buffer(node.value, node.dtype)
    outputs = [n for n in outputs if n.value is None]
    if not outputs:
        return
    pending = Pending(outputs)
    again = _computed_again(pending)
    if again:
        outputs = [*outputs, *again]
        pending = Pending(outputs)
    key = (settings.backend, pending.key)
    values = tuple([n.value for n in pending.scalars])
    entry: Entry | None = plans.get(key)
    if entry is None:
        entry = Entry(values)
        _warn_of_changing_shapes(pending)
        plan, varying = entry.find(pending, values)
        plans.put(key, entry)
    else:
        plan, varying = entry.find(pending, values)
    arguments = [n.value for n in pending.buffers]
    arguments += [scalar_buffer(values[i], pending.scalars[i].dtype) for i in varying]
    found = plan.run(arguments, recorded=lambda: pending.graph(set(range(len(values))).difference(varying)))
    for node, buffer in zip(outputs, found, strict=True):
        node.value = buffer


_TIMES_BEFORE_KEEPING = 2
_CHEAP = frozenset({"constant", "iota", "expand", "reshape", "permute", "detach", "cast", "dimension"})


def _computed_again(pending: Pending) -> list[Node]:
    """Nodes that earlier plans have computed already, twice: what a loop uses again and again is worth keeping.

    Of a chain of such nodes only the last is kept. (A loss that is looked at before `backward` is computed twice; what
    led to it is not kept for that.)
    """
    old: set[Node] = set()
    for node in pending.order:
        node.times_computed += 1
        if node.times_computed > _TIMES_BEFORE_KEEPING:
            old.add(node)
    if not old:
        return []
    kept = {i for node in pending.order if node not in old for i in node.inputs if i in old}
    return [
        n
        for n in pending.order
        if n in kept and n.op not in _CHEAP and n.dtype is not bundle and n not in pending.outputs
    ]


def scalar_buffer(value: Any, dtype: DType) -> Buffer:
    """A Python number as a buffer without dimensions."""
    with np.errstate(all="ignore"):
        if dtype.kind == "float" and dtype.name != "bfloat16":
            return Buffer(np.array(value, dtype.numpy), dtype)
        literal = constant(value, dtype).attributes["value"]
        return Buffer(literal.array, dtype)


_shapes_seen: OrderedDict[Any, list[tuple[Any, ...]]] = OrderedDict()


def _draws_only(pending: Pending) -> bool:
    """Whether all that goes in is the state of a generator: initial weights, which differ in shape and cannot be padded."""
    states = {i for n in pending.order if n.op == "random_bits" for i in n.inputs}
    return bool(states) and all(buffer in states for buffer in pending.buffers)


def _warn_of_changing_shapes(pending: Pending) -> None:
    """Say which input keeps changing its shape, once, when one computation is compiled for many shapes."""
    ops = tuple(n.op for n in pending.order)
    if len(ops) < 8 or _draws_only(pending):
        return
    shapes = tuple([n.value.array.shape for n in pending.buffers] + [n.shape for n in pending.order])
    seen = _shapes_seen.setdefault(ops, [])
    if shapes in seen:
        return  # compiled again for another reason
    seen.append(shapes)
    if len(_shapes_seen) > 256:
        _shapes_seen.popitem(last=False)
    if len(seen) == settings.shape_change_warning:
        changing = [i for i in range(len(shapes)) if len({s[i] for s in seen if i < len(s)}) > 2]
        examples = ", ".join(show(s[changing[0]]) for s in seen[-3:]) if changing else "?"
        line = next((describe_location(n.source[:2]) for n in pending.order if n.source is not None), "")
        warnings.warn(
            f"one computation was compiled for {len(seen)} different input shapes (lately {examples}), each compiled on its own; "
            f"pad or bucket the inputs to a few sizes, or drop the last, smaller batch. First op at {line}",
            stacklevel=4,
        )
