"""`@jit`: a Python function traced once per input signature into one graph, then run as one plan.

While a function is traced, tensors stand for values that do not exist yet. Tensors from outside that it uses are
captured: the plan reads their present value each time it runs. Tensors from outside that it writes (parameters,
optimizer state, running statistics, gradients) become outputs of the plan and are written back.

    traced = step.trace(x, y)     # Traced: the graph as Python recorded it
    lowered = traced.lower()      # Lowered: after the compiler's passes
    print(lowered.text())
"""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import onegraph.frontend.state as state
from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import ArgumentTypeError, TraceError
from onegraph.frontend.state import leaves, mode, take_waiting, tracing
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.ir.dtype import DType, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import EMPTY, Node, input_node
from onegraph.ir.traverse import substitute, topological
from onegraph.passes.pipeline import Pass, optimize
from onegraph.runtime.plan import Plan, plan_for
from onegraph.runtime.realize import scalar_buffer

_traces = itertools.count()


class Trace:
    """What happens while a function is traced."""

    def __init__(self) -> None:
        self.number_of_trace: int | None = next(_traces)
        self.outside: dict[int, tuple[Tensor, Node]] = {}
        """Tensors from outside that are read: the tensor, and the node that it had at first."""
        self.owners: dict[Node, Tensor] = {}
        """The tensor that each such node stands for."""
        self.modes: dict[int, tuple[Any, bool]] = {}
        """Modules called: the module, and whether it was in training mode."""
        self.changed: dict[int, tuple[Tensor, Node]] = {}
        """Tensors from outside that are written: the tensor, and the node that it had before."""
        self.gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        """Tensors from outside whose `.grad` is written, and the `.grad` they had."""
        self.added: list[tuple[Tensor, Node | None]] = []
        """Those whose `.grad` from before the call is added to, and its node: read anew at each call."""
        self.random: dict[int, tuple[Any, Node, int]] = {}
        """Generators used: the generator, the node of its key, and the number of streams used."""
        self.numbers: list[tuple[Node, Callable[[], float]]] = []
        """Numbers that are read anew at each call, such as a learning rate."""

    def seen(self, tensor: Tensor) -> None:
        """Note a tensor that an operation reads; one from outside is captured."""
        if tensor._view is not None:
            self.seen(tensor._view.base)
        key = id(tensor)
        if key in self.outside:
            return
        node = tensor.node
        if type(node.value) is Buffer:
            if node in self.owners and self.owners[node] is not tensor:  # two tensors with one value are two inputs
                node = tensor._node = Node("input", (), EMPTY, node.shape, node.dtype, None, node.value)
            self.owners[node] = tensor
            self.outside[key] = (tensor, node)
        elif tensor._made_in == self.number_of_trace:
            return  # computed in this trace, if only from tensors that are captured
        elif node.value is None and node.op != "input" and key not in self.changed and not tensor._traced():
            realize_tensors([tensor])  # pending work from before the trace: its value is what is captured
            tensor._settle()  # type: ignore[attr-defined]
            self.outside[key] = (tensor, tensor._node)

    def called(self, module: Any) -> None:
        """Note a module that is called: its mode decides what is recorded."""
        self.modes.setdefault(id(module), (module, module.training))

    def written(self, tensor: Tensor, before: Node) -> None:
        """Note a tensor that is written in place."""
        self.changed.setdefault(id(tensor), (tensor, before))

    def gradient_written(self, tensor: Tensor, added: bool = False) -> None:
        """Note a tensor whose `.grad` is written, or added to."""
        if added and id(tensor) not in self.gradients:
            self.added.append((tensor, None if tensor.grad is None else tensor.grad.node))
        self.gradients.setdefault(id(tensor), (tensor, tensor.grad))

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
        for tensor, node in self.changed.values():
            if leaves.get(tensor._node) is tensor:
                leaves.pop(tensor._node, None)
                leaves[node] = tensor
            tensor._node = node
        for tensor, gradient in self.gradients.values():
            tensor.grad = gradient
        take_waiting()


def changing_number(read: Callable[[], float], dtype: DType) -> Node:
    """A number that may be another at each step, as an argument of the plan: nothing recompiles when it changes.

    Args:
        read: gives the present value.
        dtype: of the node.
    """
    if mode.trace is not None:
        return mode.trace.number(read, dtype)
    return Node("input", (), EMPTY, (), dtype, None, read())


def flatten(value: Any, leaves_: list[Any]) -> Any:
    """Take tensors (and arrays) out of nested lists, tuples and dicts; returns the structure, hashable."""
    if isinstance(value, Tensor):
        leaves_.append(value)
        return ("tensor",)
    if isinstance(value, np.ndarray):
        from onegraph.frontend.convert import from_numpy_array

        leaves_.append(from_numpy_array(value))
        return ("tensor",)
    if isinstance(value, (list, tuple)):
        return (type(value), tuple([flatten(v, leaves_) for v in value]))
    if isinstance(value, dict):
        return (dict, tuple([(k, flatten(v, leaves_)) for k, v in value.items()]))
    return ("static", _hashable(value), value)


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value), value)


def unflatten(structure: Any, leaves_: Any) -> Any:
    """The nested value again, with tensors taken from an iterator."""
    kind = structure[0]
    if kind == "tensor":
        return next(leaves_)
    if kind == "static":
        return structure[2]
    if kind is dict:
        return {k: unflatten(s, leaves_) for k, s in structure[1]}
    items = [unflatten(s, leaves_) for s in structure[1]]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def _signature(structure: Any) -> Any:
    kind = structure[0]
    if kind == "tensor":
        return kind
    if kind == "static":
        return structure[:2]
    if kind is dict:
        return (kind, tuple([(k, _signature(s)) for k, s in structure[1]]))
    return (kind, tuple([_signature(s) for s in structure[1]]))


class Traced:
    """A function traced for one input signature.

    Attributes:
        graph: the graph as Python recorded it. Its inputs are the arguments, then captured tensors, random keys
            and changing numbers; its outputs are the results, then written tensors and gradients.
    """

    def __init__(self, graph: Graph, call: _Call) -> None:
        self.graph = graph
        self._call = call

    def text(self) -> str:
        """The graph as text."""
        return str(self.graph)

    def lower(self, observe: Callable[[Pass, Graph], None] | None = None) -> Lowered:
        """Run the compiler's passes."""
        return Lowered(optimize(self.graph, observe), self)

    def __repr__(self) -> str:
        return f"<Traced: {len(self.graph.nodes())} nodes>"


class Lowered:
    """A traced function after the compiler's passes."""

    def __init__(self, graph: Graph, traced: Traced) -> None:
        self.graph = graph
        self.traced = traced

    def text(self) -> str:
        """The graph as text."""
        return str(self.graph)

    def compile(self) -> Plan:
        """The plan that runs."""
        return plan_for(self.traced.graph)


class _Call:
    """How one traced signature is run: what goes in, what comes out, and what is written back."""

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], structure: Any) -> None:
        realize_tensors([*take_waiting(), *tensors])
        trace = Trace()
        arguments = [_argument(t) for t in tensors]
        self.argument_nodes = [a._node for a in arguments]
        before = state.recorded
        args, kwargs = unflatten(structure, iter(arguments))
        try:
            with tracing(trace):
                result = function(*args, **kwargs)
            found: list[Any] = []
            self.structure = flatten(result, found)
            self._collect(trace, found)
        finally:
            trace.restore()
            state.recorded = before
        self.plan: Plan | None = None

    def _collect(self, trace: Trace, results: list[Tensor]) -> None:
        self.results_require_grad = [t._requires_grad for t in results]
        self.written = [(t, t.node) for t, _ in trace.changed.values() if not _is_own(t, trace)]
        self.gradients = [(t, t.grad) for t, _ in trace.gradients.values()]
        outputs = [t.node for t in results]
        outputs += [node for _, node in self.written]
        outputs += [g.node for _, g in self.gradients if g is not None]
        self.captured = list(trace.outside.values())
        self.random = list(trace.random.values())
        self.numbers = trace.numbers
        self.modes = list(trace.modes.values())
        self.added = trace.added
        self.old_gradients = [(t, n) for t, n in trace.added if n is not None and n not in trace.owners]
        inputs, known = list(self.argument_nodes), {}
        for tensor, node in self.captured + self.old_gradients:
            if node not in known and node not in self.argument_nodes:
                known[node] = input_node(node.shape, node.dtype, tensor.name)
        self.captured = [(t, n) for t, n in self.captured if n in known]
        inputs += [known[n] for _, n in self.captured + self.old_gradients]
        inputs += [n for _, n, _ in self.random] + [n for n, _ in self.numbers]
        self._check_leaks(outputs, {*self.argument_nodes, *known, *inputs})
        self.graph = Graph(inputs, substitute(outputs, known), "function")

    def _check_leaks(self, outputs: Sequence[Node], allowed: set[Node]) -> None:
        for node in topological(outputs, stop=lambda n: n in allowed):
            if node.op == "input" and node not in allowed:
                raise TraceError(
                    "a traced function uses a tensor of another trace",
                    hint="do not keep tensors of a traced function for later",
                )

    def fits(self) -> bool:
        """Whether modules are in the modes of the trace, and gradients are there that were there."""
        return all(m.training == training for m, training in self.modes) and all(
            (t.grad is None) == (n is None) for t, n in self.added
        )

    def run(self, tensors: Sequence[Tensor]) -> Any:
        waiting = take_waiting()
        captured: list[Any] = [t for t, _ in self.captured] + [t.grad for t, _ in self.old_gradients]
        missing = [t for t in (*tensors, *captured) if type(t.node.value) is not Buffer]
        if waiting or missing:
            realize_tensors([*waiting, *missing])
        if self.plan is None:
            self.plan = plan_for(self.graph)
        buffers = [t.node.value for t in tensors]
        buffers += [t.node.value for t in captured]
        for generator, _, streams in self.random:
            buffers.append(Buffer(np.array(generator.advance(streams), np.int64), int64))
        buffers += [scalar_buffer(read(), node.dtype) for node, read in self.numbers]
        values = self.plan.run(buffers)
        count = len(self.results_require_grad)
        self._write_back(values[count:])
        return unflatten(self.structure, iter([wrap_buffer(b) for b in values[:count]]))

    def _write_back(self, values: Sequence[Buffer]) -> None:
        for (tensor, _), buffer in zip(self.written, values, strict=False):
            node = Node("input", (), EMPTY, buffer.shape, buffer.dtype, None, buffer)
            tensor._replace(node, tensor._requires_grad and tensor.is_leaf)
        position = len(self.written)
        for tensor, gradient in self.gradients:
            if gradient is None:
                tensor.grad = None
            else:
                tensor.grad = wrap_buffer(values[position])
                position += 1


def _is_own(tensor: Tensor, trace: Trace) -> bool:
    """Whether a tensor was made inside the trace (its value before it was written did not exist outside)."""
    _, before = trace.changed[id(tensor)]
    return type(before.value) is not Buffer


def _argument(tensor: Tensor) -> Tensor:
    argument = Tensor.__new__(Tensor)
    argument._node = input_node(tensor.node.shape, tensor.dtype)
    if tensor._requires_grad:
        argument._requires_grad = True
        leaves[argument._node] = argument
    return argument


class Function:
    """A function that runs as one plan; made by `jit`."""

    def __init__(
        self, function: Callable[..., Any], static_argnames: Sequence[str] = (), static_argnums: Sequence[int] = ()
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.static_names = frozenset(static_argnames)
        names = list(inspect.signature(function).parameters) if static_argnums else []
        self.static_names |= {names[i] for i in static_argnums}
        self._calls: OrderedDict[Any, list[_Call]] = OrderedDict()
        self._lock = threading.RLock()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        cache = instance.__dict__.setdefault("_jit_methods", {})
        name = self.function.__name__
        if name not in cache:
            cache[name] = Function(functools.partial(self.function, instance))
        return cache[name]

    def _prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Tensor], Any]:
        tensors: list[Tensor] = []
        structure = (tuple, (flatten(args, tensors), flatten(kwargs, tensors)))
        signature = (
            _signature(structure),
            tuple([(t._node.shape, t._node.dtype, t._requires_grad) for t in tensors]),
            mode.gradients,
            settings.backend,
        )
        return structure, tensors, signature

    def _call_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Call, list[Tensor]]:
        structure, tensors, signature = self._prepare(args, kwargs)
        known = self._calls.get(signature, [])
        call = next((c for c in known if c.fits()), None)
        if call is None:
            with self._lock:
                call = _Call(self.function, tensors, structure)
                self._calls[signature] = [*known, call]
                if len(self._calls) > settings.plan_cache_size:
                    self._calls.popitem(last=False)
        return call, tensors

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.trace is not None or settings.eager:
            return self.function(*args, **kwargs)  # part of the outer trace
        call, tensors = self._call_for(args, kwargs)
        if mode.gradients and any(call.results_require_grad):
            return self.function(*args, **kwargs)  # the caller may differentiate: record it lazily
        return call.run(tensors)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """The graph for these arguments, without running it."""
        call, _ = self._call_for(args, kwargs)
        return Traced(call.graph, call)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The graph for these arguments after the compiler's passes."""
        return self.trace(*args, **kwargs).lower()

    @property
    def traces(self) -> int:
        """How many input signatures were traced so far."""
        return sum(len(calls) for calls in self._calls.values())


def jit(function: Any = None, *, static_argnames: Sequence[str] = (), static_argnums: Sequence[int] = ()) -> Any:
    """Trace a function (or a module) once per input signature and run it as one plan.

    Tensors among the arguments are inputs; everything else is static: a new value traces again. Parameters, optimizer
    state, running statistics and random generators that the function uses are captured and updated.

    Args:
        function: what to trace; a module is traced through its `forward`.
        static_argnames, static_argnums: for readers; every argument that is no tensor is static.

    Raises:
        TraceError: when Python asks for a value inside, e.g. in `if x.sum() > 0`.

    >>> import onegraph as og
    >>> @og.jit
    ... def double(x):
    ...     return x * 2
    >>> double(og.tensor([1.0, 2.0]))
    tensor([2., 4.])
    >>> print(double.trace(og.ones(2)).text())
    graph function(%0: f32[2]) {
      %1: f32[] = constant(value=f32[](2.0))
      %2: f32[2] = mul(%0, %1)
      return %2
    }
    """
    if function is None:
        return lambda f: jit(f, static_argnames=static_argnames, static_argnums=static_argnums)
    if hasattr(function, "forward") and hasattr(function, "parameters"):
        return _JitModule(function)
    if not callable(function):
        raise ArgumentTypeError(f"jit: expected a function or a module, got {type(function).__name__}")
    return Function(function, static_argnames, static_argnums)


class _JitModule:
    """A module whose calls run as one plan; everything else is the module's own."""

    def __init__(self, module: Any) -> None:
        self.__dict__["module"] = module
        self.__dict__["_function"] = Function(module.__call__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """The graph for these arguments, without running it."""
        found: Traced = self._function.trace(*args, **kwargs)
        return found

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The graph for these arguments after the compiler's passes."""
        return self.trace(*args, **kwargs).lower()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)
