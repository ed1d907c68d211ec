"""Sessions: values of variables, and `run`, which computes what is fetched as one plan."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import ArgumentTypeError, FeedError, GraphError, ShapeError, UninitializedError
from onegraph.frontend.random import Generator, default_generator
from onegraph.frontend.static.graph import Graph, get_default_graph
from onegraph.frontend.static.program import Program
from onegraph.frontend.static.tensor import Operation, Operators, Tensor, describe_placeholder
from onegraph.frontend.static.variable import Effect, Variable
from onegraph.frontend.tensor import Tensor as RunTensor
from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32, bool_, float32_to_bfloat16, int64
from onegraph.ir.node import Node
from onegraph.ops.shapes import show
from onegraph.runtime.plan import current_backend


class _Sessions(threading.local):
    def __init__(self) -> None:
        self.stack: list[BaseSession] = []


_sessions = _Sessions()
_NONE: frozenset[Variable] = frozenset()


def get_default_session() -> BaseSession | None:
    """The session that `tensor.eval()` and `operation.run()` use, or None."""
    return _sessions.stack[-1] if _sessions.stack else None


class BaseSession:
    """Values of variables, and running. Everything is as in `Session`."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph or get_default_graph()
        self._values: dict[Variable, Buffer] = {}
        self._programs: OrderedDict[Any, tuple[Program, _Fetches]] = OrderedDict()
        self._generator = default_generator if self.graph.seed is None else Generator().manual_seed(self.graph.seed)
        self._generators: dict[Node, Generator] = {}
        self._lock = threading.RLock()
        self._closed = False

    def run(
        self, fetches: Any, feed_dict: dict[Any, Any] | None = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Compute what is fetched, and write the variables that it writes.

        All reads of variables see their values from before the run, unless control dependencies order them after
        a write of the same run (see `variable.py`).

        Args:
            fetches: a tensor, variable, operation or name, or nested lists, tuples and dicts of them.
            feed_dict: values (arrays, numbers, lists) by placeholder, by any other tensor that they replace, or by name.
            options, run_metadata: accepted and not used.

        Returns:
            The structure of `fetches` with arrays in place of tensors, and None in place of operations.

        Raises:
            FeedError: a placeholder that is needed is not fed, or a value does not fit it.
            UninitializedError: a variable is read that has no value yet.

        >>> import onegraph.static as tf
        >>> x = tf.placeholder(tf.float32, ())
        >>> with tf.Session() as sess:
        ...     sess.run({"double": x * 2, "both": [x, x + 1]}, feed_dict={x: 3})
        {'double': np.float32(6.0), 'both': [np.float32(3.0), np.float32(4.0)]}
        """
        if self._closed:
            raise GraphError("this session is closed", hint="make a new tf.Session()")
        feeds, values = self._feeds(feed_dict or {})
        program, found = self._program(fetches, feeds)
        buffers = [_buffer(t, v) for t, v in zip(feeds, values, strict=True)]
        plan = program.plan(tuple([b.array.shape for b in buffers]))
        if program.writes or program.keys:
            with self._lock:
                outputs = self._run(program, plan, buffers)
        else:
            outputs = self._run(program, plan, buffers)
        return found.build(iter([host_value(outputs[p]) for p in program.positions]))

    def _run(self, program: Program, plan: Any, buffers: list[Buffer]) -> Sequence[Buffer]:
        arguments = [*buffers, *[self._value(v) for v in program.reads], *[self._key(k) for k in program.keys]]
        outputs: Sequence[Buffer] = plan.run(arguments) if program.graph.outputs else ()
        count = len(outputs) - len(program.writes)
        for variable, buffer in zip(program.writes, outputs[count:], strict=True):
            if any(np.may_share_memory(buffer.array, b.array) for b in buffers):
                buffer = Buffer(buffer.array.copy(), buffer.dtype)  # the user may write to what he fed
            self._values[variable] = buffer
        return outputs

    def _value(self, variable: Variable) -> Buffer:
        try:
            return self._values[variable]
        except KeyError:
            others = [v.name for v in self.graph.get_collection("variables") if v not in self._values]
            raise UninitializedError(
                f"variable {variable.name!r} was read before it had a value"
                + (f"; {len(others)} variables have none" if len(others) > 1 else ""),
                hint="run tf.global_variables_initializer() first: session.run(tf.global_variables_initializer())",
            ) from None

    def _key(self, node: Node) -> Buffer:
        own = self.graph.keys[node]
        generator = self._generator
        if own is not None:
            if node not in self._generators:
                self._generators[node] = Generator().manual_seed(own + ((self.graph.seed or 0) << 32))
            generator = self._generators[node]
        return Buffer(np.array(generator.advance(1), np.int64), int64)

    # ---- what is fed and fetched

    def _feeds(self, feed_dict: dict[Any, Any]) -> tuple[tuple[Tensor, ...], list[Any]]:
        if not isinstance(feed_dict, dict):
            raise ArgumentTypeError(f"feed_dict must be a dict from tensors to values, got {type(feed_dict).__name__}")
        tensors = []
        for key in feed_dict:
            if type(key) is Tensor and key.graph is self.graph:
                tensors.append(key)
                continue
            try:
                tensors.append(self.graph.as_graph_element(key, allow_operation=False))
            except (GraphError, ArgumentTypeError) as error:
                raise FeedError(f"feed_dict: {error.message}", hint=error.hint) from None
            if not isinstance(tensors[-1], Tensor):
                raise FeedError(f"feed_dict: {key!r} is an operation and has no value")
        return tuple(tensors), list(feed_dict.values())

    def _program(self, fetches: Any, feeds: tuple[Tensor, ...]) -> tuple[Program, _Fetches]:
        asked = self.graph.asked
        initialized = frozenset([v for v in asked if v in self._values]) if asked else _NONE
        key = (_structure(fetches), feeds, initialized)
        known = self._programs.get(key)
        if known is not None:
            return known
        with self._lock:
            found = _Fetches(self.graph, fetches)
            program = Program(self.graph, found.tensors, found.effects, feeds, initialized)
            self._programs[key] = program, found
            while len(self._programs) > settings.plan_cache_size:
                self._programs.popitem(last=False)
        return program, found

    # ---- variables

    def value_of(self, variable: Variable) -> Buffer:
        """The buffer of a variable's value.

        Raises:
            UninitializedError: it has none.
        """
        return self._value(variable)

    def set_value(self, variable: Variable, value: Any) -> None:
        """Give a variable a value."""
        buffer = _buffer(variable._as_graph_element(), value)
        if buffer.array.shape != variable.value_shape:
            raise ShapeError(
                f"variable {variable.name!r} has shape {show(variable.value_shape)}, the value {show(buffer.array.shape)}"
            )
        self._values[variable] = Buffer(buffer.array.copy(), buffer.dtype)

    def has_value(self, variable: Variable) -> bool:
        """Whether a variable has a value here."""
        return variable in self._values

    # ---- life

    def make_callable(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Callable[..., Any]:
        """A function of the values of `feed_list` that gives what `run` gives."""
        return lambda *values: self.run(fetches, dict(zip(feed_list, values, strict=True)))

    def close(self) -> None:
        """Forget the values of the variables; the session cannot run any more."""
        self._closed = True
        self._values.clear()
        self._programs.clear()

    def as_default(self) -> _Default:
        """A context in which this is the default session; leaving it does not close the session."""
        return _Default(self, closes=False)


class _Default:
    """Makes a session and its graph the default ones."""

    def __init__(self, session: BaseSession, closes: bool) -> None:
        self.session = session
        self.closes = closes
        self.graph_context = session.graph.as_default()

    def __enter__(self) -> BaseSession:
        self.graph_context.__enter__()
        _sessions.stack.append(self.session)
        return self.session

    def __exit__(self, *exception: Any) -> None:
        _sessions.stack.remove(self.session)
        self.graph_context.__exit__(None, None, None)
        if self.closes:
            self.session.close()


class Session(BaseSession):
    """Runs parts of a graph and keeps the values of its variables.

    Args:
        target, config: accepted and not used: the settings of onegraph choose the backend.
        graph: the default graph if None.

    >>> import onegraph.static as tf
    >>> with tf.Session() as sess:
    ...     sess.run(tf.constant([1.0, 2.0]) + 1)
    array([2., 3.], dtype=float32)
    """

    def __enter__(self) -> Session:
        if self._closed:
            raise GraphError("this session is closed", hint="make a new tf.Session()")
        self._context = _Default(self, closes=True)
        self._context.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._context.__exit__(*exception)


class InteractiveSession(BaseSession):
    """A session that is the default one from its making until it is closed: for work at the prompt."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._context = _Default(self, closes=False)
        self._explicit = graph is not None
        if self._explicit:
            self._context.__enter__()
        else:
            _sessions.stack.append(self)

    def close(self) -> None:
        """Stop being the default session, and forget the values of the variables."""
        if not self._closed:
            if self._explicit:
                self._context.__exit__()
            else:
                _sessions.stack.remove(self)
        super().close()


# ---------------------------------------------------------------------------------------- values


def _buffer(tensor: Tensor, value: Any) -> Buffer:
    """A fed value in the storage of its tensor; a FeedError when it does not fit."""
    if isinstance(value, RunTensor):
        value = value.detach().numpy()
    elif isinstance(value, (Operators, Operation)):
        raise FeedError(
            f"feed {tensor.name!r}: the value is the static tensor {value.name!r}",
            hint="feed its value, session.run(x), or build the graph with it in place of the placeholder",
        )
    dtype = tensor.dtype
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise FeedError(f"feed {describe_placeholder(tensor)}: the value is no regular array: {error}") from None
    if array.dtype != dtype.numpy or dtype is bfloat16:
        array = _converted(tensor, array, dtype)
    shape = tensor._node.shape
    if len(array.shape) != len(shape) or any(
        type(s) is int and s != n for s, n in zip(shape, array.shape, strict=True)
    ):
        several = not shape and array.shape  # a placeholder without a shape, in a program written for TensorFlow
        sizes = f"({', '.join(['None'] * array.ndim)}{',' if array.ndim == 1 else ''})"
        raise FeedError(
            f"feed {describe_placeholder(tensor)}: got shape {show(array.shape)}",
            hint=f"a placeholder made without a shape is one number: say shape={sizes}" if several else None,
        )
    return current_backend().copy_in(array, dtype)


def _converted(tensor: Tensor, array: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """Numbers in the dtype of their placeholder, where no value is lost but for rounding."""
    kind = array.dtype.kind
    fits = kind in "biuf" and (
        kind == "b" if dtype is bool_ else dtype.is_floating_point or kind in "biu" or not array.size
    )
    if not fits:
        raise FeedError(
            f"feed {describe_placeholder(tensor)}: the value has dtype {array.dtype}",
            hint=f"convert it first, e.g. numpy.asarray(value).astype({dtype.name!r})" if kind in "biuf" else None,
        )
    if dtype is bfloat16:
        return float32_to_bfloat16(array.astype(np.float32))
    with np.errstate(all="ignore"):
        found = array.astype(dtype.numpy)
    if not dtype.is_floating_point and array.size and not np.array_equal(found, array):
        raise FeedError(
            f"feed {describe_placeholder(tensor)}: a value is out of range: they go from {array.min()} to {array.max()}"
        )
    return found


def host_value(buffer: Buffer) -> Any:
    """An array of the user's own, or a NumPy scalar, from a buffer."""
    array = current_backend().copy_out(buffer)
    if buffer.dtype is bfloat16:
        array = bfloat16_to_float32(array)
    return np.array(array)[()] if array.ndim == 0 else np.array(array)


# ---------------------------------------------------------------------------------------- structures


def _structure(fetches: Any) -> Any:
    """A hashable form of a nested structure of tensors, operations and names."""
    kind = type(fetches)
    if kind is Tensor or kind is Operation or kind is str or isinstance(fetches, Variable):
        return fetches
    if isinstance(fetches, (list, tuple)):
        return (kind, tuple([_structure(f) for f in fetches]))
    if isinstance(fetches, dict):
        return (kind, tuple(fetches), tuple([_structure(f) for f in fetches.values()]))
    if fetches is None:
        raise ArgumentTypeError(
            "session.run: cannot fetch None",
            hint="tf.gradients gives None where the result does not depend on the variable",
        )
    return fetches if hasattr(fetches, "_as_graph_element") else (kind, id(fetches))


class _Fetches:
    """A structure taken apart: the tensors to compute, the effects to run, and how to put values in place."""

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self._graph = graph
        self.tensors: list[Tensor] = []
        self.effects: frozenset[Effect] = frozenset()
        self._form = self._take(fetches)

    def _take(self, item: Any) -> Any:
        if isinstance(item, dict):
            return (type(item), list(item), [self._take(v) for v in item.values()])
        if isinstance(item, (list, tuple)):
            return (type(item), None, [self._take(v) for v in item])
        element = self._graph.as_graph_element(item)
        self.effects |= element.effects
        if isinstance(element, Operation):
            return None
        self.tensors.append(element)
        return "tensor"

    def build(self, values: Iterator[Any]) -> Any:
        """The structure with values in place of tensors, None in place of operations."""
        return self._build(self._form, values)

    def _build(self, form: Any, values: Iterator[Any]) -> Any:
        if form is None:
            return None
        if form == "tensor":
            return next(values)
        kind, names, parts = form
        found = [self._build(p, values) for p in parts]
        if names is not None:
            return kind(zip(names, found, strict=True))
        return kind(*found) if hasattr(kind, "_fields") else kind(found)
