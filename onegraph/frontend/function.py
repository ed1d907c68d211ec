"""`@jit`: a Python function traced once per input signature into one graph, then run as one plan.

While a function is traced, tensors stand for values that do not exist yet. Tensors from outside that it uses are
captured: the plan reads their present value each time it runs. Tensors from outside that it writes (parameters,
optimizer state, running statistics, gradients) become outputs of the plan and are written back.
`step.trace(x, y)` is the graph as Python recorded it, `step.lower(x, y)` the graph after the compiler's passes.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

import onegraph.frontend.state as state
from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import ArgumentTypeError, TraceError
from onegraph.frontend.state import leaves, mode, no_grad, take_waiting, tracing
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.frontend.trace import Trace
from onegraph.ir.dtype import float32, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import EMPTY, Node, input_node
from onegraph.ir.traverse import substitute, topological
from onegraph.passes.pipeline import Pass, optimize
from onegraph.runtime.plan import Plan, plan_for
from onegraph.runtime.realize import scalar_buffer


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
    items = (unflatten(s, leaves_) for s in structure[1])
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


class _Place(NamedTuple):
    """Where a tensor is found at each call: a captured one, an argument by its number, or the `.grad` of either."""

    tensor: Tensor | None
    argument: int = -1
    gradient: bool = False

    def owner(self, arguments: Sequence[Tensor]) -> Tensor:
        """The tensor, or the one whose `.grad` it is."""
        return arguments[self.argument] if self.tensor is None else self.tensor

    def find(self, arguments: Sequence[Tensor]) -> Any:
        """The tensor."""
        owner = self.owner(arguments)
        return owner._grad if self.gradient else owner


class _Call:
    """How one traced signature is run: what goes in, what comes out, and what is written back."""

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], structure: Any) -> None:
        realize_tensors([*take_waiting(), *tensors])
        trace = Trace()
        arguments = [_argument(t) for t in tensors]
        self.places = {id(a): _Place(None, i) for i, a in enumerate(arguments)}
        self.argument_nodes = [a._node for a in arguments]
        for i, a in enumerate(arguments):
            if a._grad is not None:
                self.places[id(a._grad)] = _Place(None, i, True)
                self.argument_nodes.append(a._grad._node)
        self.argument_gradients = [i for i, a in enumerate(arguments) if a._grad is not None]
        before = state.mode.recorded
        args, kwargs = unflatten(structure, iter(arguments))
        try:
            with tracing(trace):
                result = function(*args, **kwargs)
            found: list[Any] = []
            self.structure = flatten(result, found)
            self._collect(trace, found)
        finally:
            trace.restore()
            state.mode.recorded = before
        self.plan: Plan | None = None

    def _collect(self, trace: Trace, results: list[Tensor]) -> None:
        changed = [b.tensor for b in trace.changed.values() if not trace.is_own(b.tensor)]
        gradients = [t for t, _ in trace.gradients.values()]
        known_gradients = [t._grad for t in gradients if t._grad is not None]
        self.modes = list(trace.modes.values())
        self.needs_gradients = [(self._place(t, trace), g is None) for t, g in trace.gradients_read.values()]
        self.captured_as: list[tuple[Tensor, Any, Any, bool]] = []
        self.groups: list[int] | None = None
        self.lazily = trace.lazily is not None or (
            (mode.gradients and any(t._requires_grad and not t._freed for t in results + known_gradients))
            or any(t._requires_grad and not t.is_leaf for t in changed)
        )
        self.graph: Graph | None = None
        # A result that `backward` was called from inside is differentiated no more: the plan may compute it.
        self.freed = [i for i, t in enumerate(results) if t._freed and t._requires_grad]
        self.reason = trace.lazily
        if trace.lazily is not None:
            return
        self.written = [(self._place(t, trace), t.node) for t in changed]
        self.gradients = [(self._place(t, trace), None if t._grad is None else t._grad.node) for t in gradients]
        outputs = [t.node for t in results] + [node for _, node in self.written]
        outputs += [node for _, node in self.gradients if node is not None]
        self.count = len(results)
        self.random = list(trace.random.values())
        self.numbers = trace.numbers
        captured = list(trace.outside.values())
        known = {node: input_node(node.shape, node.dtype, tensor.name) for tensor, node in captured}
        self.captured = [self._place(t, trace) for t, _ in captured]
        inputs = [*self.argument_nodes, *known.values()]
        inputs += [n for _, n, _ in self.random] + [n for n, _ in self.numbers]
        self.replaced = self._replaced()
        self._check_leaks(outputs, {*known, *inputs})
        self.graph = Graph(inputs, substitute(outputs, known), "function")
        self._note_captured(trace)

    def _note_captured(self, trace: Trace) -> None:
        """What must be as it was when the function was traced, and what may not be an argument as well."""
        before = {id(b.tensor): b.requires_grad for b in trace.changed.values()}
        for tensor, node in trace.outside.values():
            requires_grad = before.get(id(tensor), tensor._requires_grad)
            self.captured_as.append((tensor, node.shape, node.dtype, requires_grad))
        gradients = [p for p, _ in self.gradients] + [p for p, _ in self.needs_gradients]
        self.groups = _groups([t for t, *_ in self.captured_as])
        self.touched = [p for p, _ in self.written] + gradients
        self.touched_arguments = [p.argument for p in self.touched if p.tensor is None]
        self.roots = {id(_root(t)) for t, _ in trace.outside.values()}
        self.touched_roots = {id(_root(p.tensor)) for p in self.touched if p.tensor is not None}

    def _place(self, tensor: Tensor, trace: Trace) -> _Place:
        place = self.places.get(id(tensor))
        if place is not None:
            return place
        owner = trace.gradient_owners.get(id(tensor))
        if owner is None:
            return _Place(tensor)
        return self.places[id(owner)]._replace(gradient=True) if id(owner) in self.places else _Place(owner, -1, True)

    def _check_leaks(self, outputs: Sequence[Node], allowed: set[Node]) -> None:
        for node in topological(outputs, stop=lambda n: n in allowed):
            if node.op == "input" and node not in allowed:
                raise TraceError(
                    "a traced function uses a tensor of another trace",
                    hint="do not keep tensors of a traced function for later",
                )

    def fits(self, tensors: Sequence[Tensor]) -> bool:
        """Whether modules, captured tensors and gradients are as they were when the function was traced."""
        return (
            all(m.training == training for m, training in self.modes)
            and all((p.owner(tensors)._grad is None) == missing for p, missing in self.needs_gradients)
            and all(
                t._requires_grad == requires_grad and t._node.shape == shape and t._node.dtype is dtype
                for t, shape, dtype, requires_grad in self.captured_as
            )
            and self.groups == _groups([t for t, *_ in self.captured_as])
        )

    def is_aliased(self, tensors: Sequence[Tensor]) -> bool:
        """Whether something that is written is seen through two arguments, or an argument and a captured tensor."""
        if not self.touched:
            return False
        roots = [id(_root(t)) for t in tensors]
        if any(r in self.touched_roots for r in roots):
            return True
        return any(roots[i] in self.roots or roots.count(roots[i]) > 1 for i in self.touched_arguments)

    def _replaced(self) -> tuple[tuple[int, int], ...]:
        """Pairs (output, input) of the graph: the new value of a tensor that is written, and the one before."""
        first = len(self.argument_nodes)
        captured = enumerate(self.captured, first)
        inputs = {id(p.tensor): i for i, p in captured if p.tensor is not None and not p.gradient}
        found = []
        for i, (place, _) in enumerate(self.written):
            if not place.gradient:
                old = place.argument if place.tensor is None else inputs.get(id(place.tensor))
                if old is not None:
                    found.append((self.count + i, old))
        return tuple(found)

    def run(self, tensors: Sequence[Tensor]) -> Any:
        waiting = take_waiting()
        read: list[Any] = [*tensors, *[tensors[i]._grad for i in self.argument_gradients]]
        read += [p.find(tensors) for p in self.captured]
        missing = [t for t in read if type(t.node.value) is not Buffer]
        if waiting or missing:
            realize_tensors([*waiting, *missing])
        if self.plan is None:
            assert self.graph is not None
            self.plan = plan_for(self.graph, self.replaced)
        buffers = [t.node.value for t in read]
        given_up = [i for _, i in self.replaced if is_alone(read, buffers, i)]
        for generator, _, streams in self.random:
            buffers.append(Buffer(np.array(generator.advance(streams), np.int64), int64))
        buffers += [scalar_buffer(number(), node.dtype) for node, number in self.numbers]
        values = self.plan.run(buffers, given_up)
        self._write_back(tensors, values[self.count :])
        results = [wrap_buffer(b) for b in values[: self.count]]
        for i in self.freed:
            results[i]._requires_grad = results[i]._freed = True
        return unflatten(self.structure, iter(results))

    def _write_back(self, tensors: Sequence[Tensor], values: Sequence[Buffer]) -> None:
        targets = [place.find(tensors) for place, _ in self.written]
        known = {id(t) for t in targets}
        for tensor, buffer in zip(targets, values, strict=False):
            node = Node("input", (), EMPTY, buffer.shape, buffer.dtype, None, buffer)
            if tensor._view is not None and id(tensor._view.base) not in known:
                with no_grad():
                    tensor._assign(node)
            else:
                tensor._replace(node, tensor._requires_grad and tensor.is_leaf)
        position = len(self.written)
        for place, gradient in self.gradients:
            owner = place.owner(tensors)
            owner._grad = None if gradient is None else wrap_buffer(values[position])
            position += gradient is not None


def _references(tensors: Sequence[Tensor], buffers: Sequence[Buffer], i: int) -> tuple[int, int, int]:
    """How many refer to a tensor's node, to its buffer, and to its array."""
    buffer = buffers[i]
    return getrefcount(tensors[i]._node), getrefcount(buffer), getrefcount(buffer.array)


@functools.cache
def _references_when_alone(leaf: bool) -> tuple[int, int, int]:
    """What `_references` says of a tensor that shares its value with nothing (it depends on Python's version)."""
    tensor = wrap_buffer(Buffer(np.zeros(1, np.float32), float32))
    if leaf:
        tensor.requires_grad_()
    tensors, buffers = [tensor], [tensor.node.value]
    return _references(tensors, buffers, 0)


def is_alone(tensors: Sequence[Tensor], buffers: Sequence[Buffer], i: int) -> bool:
    """Whether nothing else can see a tensor's value: then the new one may be written over it.

    The memory must be the backend's own, and no view, alias, array or graph that is still pending may refer to it.
    """
    tensor = tensors[i]
    if buffers[i].pool is None or tensor._view is not None:
        return False
    return _references(tensors, buffers, i) == _references_when_alone(leaves.get(tensor._node) is tensor)


def _root(tensor: Tensor) -> Tensor:
    while tensor._view is not None:
        tensor = tensor._view.base
    return tensor


def _groups(tensors: Sequence[Tensor]) -> list[int] | None:
    """Which tensors share storage: for each the number of the first one that shares with it; None where none do."""
    if all(t._view is None for t in tensors):
        return None
    first: dict[int, int] = {}
    groups = [first.setdefault(id(_root(t)), i) for i, t in enumerate(tensors)]
    return None if len(first) == len(tensors) else groups


def _kind(tensor: Tensor) -> Any:
    """What of an argument decides which trace fits."""
    grad = tensor._grad
    node = tensor._node
    kind = (node.shape, node.dtype, tensor._requires_grad, tensor._requires_grad and tensor.is_leaf)
    return kind if grad is None else (*kind, grad._node.shape, grad._node.dtype)


def _argument(tensor: Tensor) -> Tensor:
    argument = Tensor.__new__(Tensor)
    argument._node = input_node(tensor.node.shape, tensor.dtype)
    if tensor._requires_grad:
        argument._requires_grad = True
        leaves[argument._node] = argument
    if tensor._grad is not None:
        argument._grad = _argument(tensor._grad)
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
            tuple([_kind(t) for t in tensors]),
            mode.gradients,
            mode.autocast,
            settings.backend,
        )
        return structure, tensors, signature

    def _call_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Call, list[Tensor]]:
        structure, tensors, signature = self._prepare(args, kwargs)
        known = self._calls.get(signature, [])
        call = next((c for c in known if c.fits(tensors)), None)
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
        if call.lazily or call.is_aliased(tensors):
            return self.function(*args, **kwargs)  # the caller may differentiate, or a plan cannot do it: record it
        return call.run(tensors)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """The graph for these arguments, without running it."""
        call, _ = self._call_for(args, kwargs)
        if call.graph is None:
            raise TraceError(
                f"no single plan can do what this function does: {call.reason}",
                hint="calls of it are recorded lazily instead",
            )
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

    Tensors among the arguments are inputs, everything else is static: a new value traces again. What else the function
    uses (parameters, optimizer state, running statistics, random generators) is captured and updated.

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
        self.__dict__.update(module=module, _function=Function(module.__call__))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """The graph for these arguments, without running it."""
        return self._function.trace(*args, **kwargs)  # type: ignore[no-any-return]

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The graph for these arguments after the compiler's passes."""
        return self.trace(*args, **kwargs).lower()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)
