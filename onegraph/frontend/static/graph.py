"""The Graph of define-and-run: the names of tensors and operations, scopes, collections, and what runs before what.

The nodes themselves are the IR's; this holds only what the IR has no need to know. Read next: `tensor.py`.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from onegraph.errors import ArgumentError, ArgumentTypeError, GraphError
from onegraph.ir.dim import Dim
from onegraph.ir.node import Node, scopes

if TYPE_CHECKING:
    from onegraph.frontend.static.tensor import Operation, Tensor
    from onegraph.frontend.static.variable import Effect, Read, Variable

_SCOPE = re.compile(r"[A-Za-z0-9_.\\/>-]*")
_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


class GraphKeys:
    """Names of the usual collections."""

    GLOBAL_VARIABLES = "variables"
    VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    MODEL_VARIABLES = "model_variables"
    UPDATE_OPS = "update_ops"
    LOSSES = "losses"
    REGULARIZATION_LOSSES = "regularization_losses"
    SUMMARIES = "summaries"
    TRAIN_OP = "train_op"
    GLOBAL_STEP = "global_step"
    INIT_OP = "init_op"


class Graph:
    """Names, scopes, collections and variables of one graph. Most programs only use the default one.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default() as graph:
    ...     with tf.name_scope("layer"):
    ...         x = tf.constant(1.0, name="x")
    >>> x.name, graph.get_tensor_by_name("layer/x:0") is x
    ('layer/x:0', True)
    """

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}
        self.seed: int | None = None
        self.scope = ""
        """The name scope, without a slash at its end."""
        self.control: frozenset[Effect] = frozenset()
        """What must have been written before the operations that are made now."""
        self.made: list[list[Effect]] = []
        """Lists that collect the effects made while a branch is traced."""
        self.reads: dict[Node, Read] = {}
        """The nodes that stand for variables' values."""
        self.asked: dict[Variable, None] = {}
        """Variables about which the graph asks whether they have a value."""
        self.keys: dict[Node, int | None] = {}
        """The nodes that stand for keys of random numbers, in the order of their making; their own seed, if any."""
        self.counters: list[Node] = []
        """The numbers of the steps of the loops whose bodies are being traced."""
        self.placeholders: dict[Node, Tensor] = {}
        self.variables_by_name: dict[str, Variable] = {}
        self.variable_scope: Any = None
        self.taken_scopes: set[str] = set()
        """Variable scopes that exist."""
        self.effects = 0
        """Effects made so far: each has its number."""
        self.finalized = False
        self._collections: dict[str, list[Any]] = {}
        self._names: dict[str, int] = {}
        self._sizes: set[str] = set()

    # ---- names

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """The name within the present scope, with `_1`, `_2`, ... behind it where it is taken."""
        if self.scope:
            name = f"{self.scope}/{name}"
        return self._unused(name, mark_as_used)

    def _unused(self, name: str, mark: bool = True) -> str:
        key = name.lower()
        count = self._names.get(key)
        if count is None:
            if mark:
                self._names[key] = 1
            return name
        while True:
            candidate = f"{name}_{count}"
            count += 1
            if candidate.lower() not in self._names:
                break
        if mark:
            self._names[key] = count
            self._names[candidate.lower()] = 1
        return candidate

    def operation_name(self, name: str | None, kind: str) -> str:
        """The full name of a new operation. A name that ends with a slash is taken as it is."""
        if self.finalized:
            raise GraphError("the graph is finalized and cannot be changed", hint="build everything before finalize()")
        wanted = name or kind
        if wanted.endswith("/"):
            return wanted[:-1]
        if not _OPERATION.fullmatch(wanted):
            raise ArgumentError(
                f"{wanted!r} is no name of an operation: letters, digits and _ . - / only, not starting with _"
            )
        return self.unique_name(wanted)

    def unknown_size(self, name: str) -> Dim:
        """A new unknown size, called after what has it."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not base[:1].isalpha():
            base = f"size_{base}"
        candidate, count = base, 1
        while candidate in self._sizes:
            candidate, count = f"{base}_{count}", count + 1
        self._sizes.add(candidate)
        return Dim.unknown(candidate)

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """A prefix for names; one that ends with a slash is entered as it is, None and "" go to the top."""
        if name and not _SCOPE.fullmatch(name):
            raise ArgumentError(f"{name!r} is no name of a scope: letters, digits and _ . - / only")
        before = self.scope
        if not name:
            self.scope = ""
        else:
            self.scope = name[:-1] if name.endswith("/") else self.unique_name(name)
        path_before = scopes.path
        scopes.path = self.scope
        try:
            yield f"{self.scope}/" if self.scope else ""
        finally:
            self.scope = before
            scopes.leave(path_before)

    # ---- lookup

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The tensor or operation that an object or a name stands for; a typed error when it is none of this graph."""
        if not isinstance(obj, str):
            as_tensor = getattr(obj, "_as_graph_element", None)
            element = as_tensor() if as_tensor is not None else obj
            graph = getattr(element, "graph", None)
            if graph is None:
                raise ArgumentTypeError(
                    f"expected a tensor, a variable, an operation or a name, got {type(obj).__name__}: {obj!r:.60}"
                )
            if graph is not self:
                raise foreign(element)
            return element
        name, colon, output = obj.partition(":")
        operation = self.operations.get(name)
        if operation is None:
            close = [n for n in self.operations if n.rpartition("/")[2] == name.rpartition("/")[2]]
            raise GraphError(
                f"the graph has no operation called {name!r}",
                hint=f"did you mean {close[0]!r}?" if close else "graph.get_operations() lists all",
            )
        if not colon:
            if not allow_operation:
                raise GraphError(f"{obj!r} is the name of an operation", hint=f"its first result is {name + ':0'!r}")
            return operation
        if not allow_tensor:
            raise GraphError(f"{obj!r} is the name of a tensor", hint=f"its operation is {name!r}")
        if not output.isdigit() or int(output) >= len(operation.outputs):
            raise GraphError(f"operation {name!r} has {len(operation.outputs)} results, so there is no {obj!r}")
        return operation.outputs[int(output)]

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor called `name`, e.g. "layer/MatMul:0"."""
        if ":" not in name:
            raise GraphError(f"{name!r} is the name of an operation", hint=f"its first result is {name + ':0'!r}")
        tensor: Tensor = self.as_graph_element(name)
        return tensor

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation called `name`, e.g. "layer/MatMul"."""
        operation: Operation = self.as_graph_element(name, allow_tensor=False)
        return operation

    def get_operations(self) -> list[Operation]:
        """All operations in the order of their making."""
        return list(self.operations.values())

    # ---- collections

    def add_to_collection(self, name: str, value: Any) -> None:
        """Append a value to a named collection."""
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Iterable[str], value: Any) -> None:
        """Append a value to several collections."""
        for name in {names: None} if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """A copy of a collection; with a scope, what has a name that the scope (a regular expression) matches."""
        values = list(self._collections.get(name, []))
        if scope is None:
            return values
        return [v for v in values if hasattr(v, "name") and re.match(scope, v.name)]

    def get_collection_ref(self, name: str) -> list[Any]:
        """The collection itself."""
        return self._collections.setdefault(name, [])

    def clear_collection(self, name: str) -> None:
        """Empty a collection."""
        self._collections.pop(name, None)

    def get_all_collection_keys(self) -> list[str]:
        """The names of the collections that are not empty."""
        return [name for name, values in self._collections.items() if values]

    # ---- order, defaults

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> Iterator[None]:
        """Operations made within run after these operations; None forgets outer dependencies."""
        before = self.control
        found: frozenset[Effect] = frozenset() if control_inputs is None else before
        for item in control_inputs or ():
            element = self.as_graph_element(item)
            found |= element.effects
        self.control = found
        try:
            yield
        finally:
            self.control = before

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Make this the default graph within the block."""
        _stack.graphs.append(self)
        path = scopes.path
        scopes.path = self.scope
        try:
            yield self
        finally:
            scopes.path = path
            _stack.graphs.remove(self)

    @contextlib.contextmanager
    def device(self, name: Any) -> Iterator[None]:
        """Accepted, and without effect: the runtime decides where things run."""
        yield

    def finalize(self) -> None:
        """Let nothing be added any more."""
        self.finalized = True

    def new_effect_number(self) -> int:
        """The number of a new effect."""
        self.effects += 1
        return self.effects


class _Stack(threading.local):
    def __init__(self) -> None:
        self.graphs: list[Graph] = []


_stack = _Stack()
_shared: list[Graph] = [Graph()]


def get_default_graph() -> Graph:
    """The graph that operations are added to."""
    return _stack.graphs[-1] if _stack.graphs else _shared[0]


def reset_default_graph() -> None:
    """Start with an empty default graph.

    Raises:
        GraphError: within `graph.as_default()`, where the default is somebody's choice.
    """
    if _stack.graphs:
        raise GraphError("reset_default_graph() cannot be called within graph.as_default() or a Session's block")
    _shared[0] = Graph()


def foreign(element: Any) -> GraphError:
    """The error for something that belongs to another graph."""
    return GraphError(
        f"{element.name!r} belongs to another graph than the operation or Session it is used in",
        hint="build and run everything that belongs together within one graph.as_default() block",
    )


def name_scope(
    name: str | None = None, default_name: str | None = None, values: Any = None
) -> contextlib.AbstractContextManager[str]:
    """A context in which names start with `name/`.

    Args:
        name: the scope; where None, `default_name`.
        values: accepted for compatibility; the graph is the default one.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default(), tf.name_scope("encoder"):
    ...     print(tf.constant(1.0, name="scale").name)
    encoder/scale:0
    """
    wanted = default_name if name is None else name
    if wanted is None:
        raise ArgumentError("name_scope: needs a name or a default_name")
    return get_default_graph().name_scope(wanted)


def control_dependencies(control_inputs: Iterable[Any] | None) -> contextlib.AbstractContextManager[None]:
    """A context in which operations run after `control_inputs`; reads of variables see what those wrote.

    Args:
        control_inputs: operations and tensors; None forgets outer dependencies.
    """
    return get_default_graph().control_dependencies(control_inputs)


def device(name: Any = None) -> contextlib.AbstractContextManager[None]:
    """Accepted, and without effect: the runtime decides where things run."""
    return get_default_graph().device(name)


def add_to_collection(name: str, value: Any) -> None:
    """Append a value to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Iterable[str], value: Any) -> None:
    """Append a value to several collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    """A collection of the default graph."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: str) -> list[Any]:
    """A collection of the default graph, itself."""
    return get_default_graph().get_collection_ref(key)


def set_random_seed(seed: int | None) -> None:
    """The seed of the default graph's random numbers.

    A Session starts a generator with it. The random operations without a seed of their own that a run needs draw
    from it, in the order in which they were made: as if the same calls were made define-by-run after
    `onegraph.manual_seed(seed)`.
    """
    get_default_graph().seed = None if seed is None else int(seed)
