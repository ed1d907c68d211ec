"""Static tensors and operations, and `operation`, which makes a function on tensors of a function on nodes.

A static Tensor is a node with a name, a graph, and the writes to variables (effects) that must have happened
before its value is looked at. Nodes themselves are pure; `program.py` puts effects in order when a Session runs.
Read next: `variable.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.errors import ArgumentTypeError, DTypeError, FeedError, TraceError, UnsupportedError
from onegraph.frontend.static.graph import Graph, foreign, get_default_graph
from onegraph.frontend.static.shape import TensorShape, refined, static_shape
from onegraph.frontend.tensor import Tensor as RunTensor
from onegraph.ir.dtype import DType, as_dtype, float32, from_numpy, int32
from onegraph.ir.node import Literal, Node, input_node, scopes
from onegraph.ops.leaf import CONSTANT, constant
from onegraph.ops.movement import RESHAPE, expand_to
from onegraph.ops.shapes import show

if TYPE_CHECKING:
    from onegraph.frontend.static.variable import Effect


class Operation:
    """A step of the graph: its name, its results, and what it writes.

    Fetching an operation in a Session runs it and gives None.
    """

    __slots__ = ("effects", "graph", "inputs", "name", "outputs", "type")

    def __init__(self, graph: Graph, name: str, kind: str, effects: frozenset[Effect]) -> None:
        self.graph = graph
        self.name = name
        self.type = kind
        self.effects = effects
        self.inputs: list[Any] = []
        self.outputs: list[Tensor] = []
        graph.operations[name] = self

    def run(self, feed_dict: dict[Any, Any] | None = None, session: Any = None) -> None:
        """Run the operation in a session, the default one if None."""
        _session(session, self).run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<Operation {self.name!r} type={self.type}>"


class Operators:
    """What tensors and variables share: their operators are installed by `functions.py`."""

    graph: Graph
    name: str
    dtype: DType
    __slots__ = ()
    __array_priority__ = 1000
    __array_ufunc__ = None  # NumPy lets our operators go first

    def __iter__(self) -> Any:
        raise TraceError(
            f"{self.name!r} has no values while the graph is built, so Python cannot iterate over it",
            hint="use tf.unstack(x) for a known size, or tf.map_fn, tf.scan, tf.while_loop",
        )

    def __len__(self) -> int:
        raise TraceError(f"len({self.name!r}): a static tensor has no len()", hint="use x.shape[0], or tf.shape(x)[0]")

    def __bool__(self) -> bool:
        raise TraceError(
            f"{self.name!r} has no value while the graph is built, so it is neither true nor false",
            hint="use tf.cond or tf.where instead of if, tf.while_loop instead of while; for None test `x is not None`",
        )

    def __float__(self) -> float:
        raise TraceError(f"{self.name!r} has no value while the graph is built", hint="session.run(x) gives its value")

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TraceError(
            f"{self.name!r} has no value while the graph is built, so NumPy cannot have it",
            hint="use the function of onegraph.static, or session.run(x) first",
        )


class Tensor(Operators):
    """A value of the graph, computed when a Session runs.

    Attributes:
        name: of its operation, a colon and the number of the result, e.g. "MatMul:0".
        graph, op, dtype, shape: what the names say.
    """

    __slots__ = ("_fed", "_index", "_node", "effects", "graph", "name", "op")

    def __init__(self, node: Node, op: Operation, index: int, effects: frozenset[Effect]) -> None:
        self._node = node
        self._fed = node
        self._index = index
        self.op = op
        self.graph = op.graph
        self.name = f"{op.name}:{index}"
        self.effects = effects

    @property
    def node(self) -> Node:
        """The node of the IR."""
        return self._node

    @property
    def dtype(self) -> DType:  # type: ignore[override]
        """The element type."""
        return self._node.dtype

    @property
    def shape(self) -> TensorShape:
        """The shape; sizes that are not known yet are None in `shape.as_list()`."""
        return TensorShape(self._node.shape)

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.shape

    @property
    def value_index(self) -> int:
        """Which result of its operation this is."""
        return self._index

    @property
    def device(self) -> str:
        """Empty: the runtime decides where things run."""
        return ""

    def set_shape(self, shape: Any) -> None:
        """Say what is known about the shape.

        Raises:
            ShapeError: the shape is known to be another.
        """
        found = refined(repr(self.name), self._node.shape, shape)
        if found != self._node.shape:
            self._node = RESHAPE(self._node, shape=found)

    def eval(self, feed_dict: dict[Any, Any] | None = None, session: Any = None) -> Any:
        """The value in a session, the default one if None."""
        return _session(session, self).run(self, feed_dict)

    def _as_graph_element(self) -> Tensor:
        return self

    def __repr__(self) -> str:
        return f"<Tensor {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


def _session(session: Any, element: Any) -> Any:
    from onegraph.frontend.static.session import get_default_session

    found = session if session is not None else get_default_session()
    if found is None:
        raise FeedError(
            f"{element.name!r}: there is no default session to run it in",
            hint="use `with tf.Session():`, tf.InteractiveSession(), or session.run(...)",
        )
    return found


# ---------------------------------------------------------------------------------------- tensors to nodes


class Inputs:
    """Arguments on their way from tensors to nodes: their one graph, and what must have happened before."""

    __slots__ = ("effects", "graph", "tensors")

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = graph
        self.effects: frozenset[Effect] = frozenset()
        self.tensors: list[Any] = []

    def see(self, element: Any) -> None:
        """Note a tensor or variable."""
        if self.graph is None:
            self.graph = element.graph
        elif element.graph is not self.graph:
            raise foreign(element)
        self.tensors.append(element)
        if element.effects:
            self.effects |= element.effects

    def node(self, value: Any) -> Any:
        """A node for a tensor or variable, deep inside lists, tuples and dicts too; other values as they are."""
        if isinstance(value, Operators):
            self.see(value)
            return value.node  # type: ignore[attr-defined]
        kind = type(value)
        if kind is list or kind is tuple:
            return kind([self.node(v) for v in value])
        if kind is dict:
            return {k: self.node(v) for k, v in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return kind(*[self.node(v) for v in value])
        if isinstance(value, RunTensor):
            return literal(value.detach().numpy(), value.dtype)
        if isinstance(value, Operation):
            raise ArgumentTypeError(f"{value.name!r} is an operation without a value", hint="pass one of its outputs")
        return value


def record(result: Any, kind: str, name: str | None, inputs: Inputs) -> Any:
    """Tensors for the nodes of a result: one operation with an output for each."""
    graph = inputs.graph or get_default_graph()
    op = Operation(graph, graph.operation_name(name, kind), kind, inputs.effects | graph.control)
    op.inputs = inputs.tensors
    return _wrap(result, op)


def _wrap(result: Any, op: Operation) -> Any:
    if isinstance(result, Node):
        tensor = Tensor(result, op, len(op.outputs), op.effects)
        op.outputs.append(tensor)
        return tensor
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*[_wrap(r, op) for r in result])
    if isinstance(result, (list, tuple)):
        return type(result)([_wrap(r, op) for r in result])
    if isinstance(result, dict):
        return {k: _wrap(v, op) for k, v in result.items()}
    return result


def operation(kind: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a function on tensors of a function on nodes.

    The new function takes tensors, variables, numbers and arrays, and `name=`. Its own node function stays
    reachable as `.nodes`, for others to be composed of it.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def call(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
            inputs = Inputs()
            nodes = [inputs.node(a) for a in args]
            if kwargs:
                kwargs = {k: inputs.node(v) for k, v in kwargs.items()}
            result = in_scope(inputs.graph, function, *nodes, **kwargs)
            return record(result, kind, name, inputs)

        call.nodes = function  # type: ignore[attr-defined]
        return call

    return decorate


def in_scope(graph: Graph | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function on nodes; the nodes that it makes know the present name scope."""
    scope = (graph or get_default_graph()).scope
    if scopes.path == scope:
        return function(*args, **kwargs)
    before, scopes.path = scopes.path, scope
    try:
        return function(*args, **kwargs)
    finally:
        scopes.path = before


# ---------------------------------------------------------------------------------------- values to nodes


def checked_dtype(dtype: Any) -> DType:
    """A dtype from whatever may stand for one."""
    if dtype in (str, "string"):
        raise UnsupportedError(
            "strings are not supported as tensors", hint="encode them as integers first, or keep them in Python"
        )
    return as_dtype(dtype)


def plain_array(value: Any, dtype: DType | None = None) -> tuple[np.ndarray[Any, Any], DType]:
    """An array and its dtype as TensorFlow chooses it: Python floats are float32, ints are int32."""
    if isinstance(value, TensorShape):
        value = value.as_list()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ArgumentTypeError(f"cannot make a tensor of {value!r:.60}: {error}") from None
    if array.dtype == object or array.dtype.kind in "USVc":
        raise ArgumentTypeError(f"cannot make a tensor of {type(value).__name__} {value!r:.60}")
    if dtype is None:
        python = not isinstance(value, (np.ndarray, np.generic)) and not _holds_numpy(value)
        if python and (array.dtype == np.float64 or not array.size):
            dtype = float32
        elif python and array.dtype == np.int64:
            dtype = int32
        else:
            dtype = from_numpy(array.dtype)
    return array, dtype


def _holds_numpy(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (np.ndarray, np.generic))


def literal(value: Any, dtype: DType | None = None) -> Node:
    """A constant of its own: equal ones are other nodes, so that each can be fed and differentiated by."""
    array, kind = plain_array(value, dtype)
    node = constant(array, kind)
    if node.op == "constant":
        found: Literal = node.attributes["value"]
        return CONSTANT(value=found)
    return node


def beside(value: Any, other: Any) -> Any:
    """An operand as it is taken next to another: arrays and lists get the dtype of a floating tensor."""
    if isinstance(value, (Node, bool, int, float)):
        return value
    dtype = other.dtype if isinstance(other, Node) else None
    if hasattr(value, "unknowns"):  # a size that is not known yet
        return constant(value, dtype or int32)
    array, kind = plain_array(value)
    if dtype is not None and (dtype.is_floating_point or kind.kind == dtype.kind):
        kind = dtype
    return constant(array, kind)


def as_operand(value: Any, dtype: DType | None = None) -> Node:
    """A node from a node, a number, an array or nested lists in which nodes may stand."""
    if isinstance(value, Node):
        return value
    if isinstance(value, TensorShape):
        value = list(value)
    if isinstance(value, (list, tuple)) and _has_nodes(value):
        from onegraph.ops.joining import stack

        first = next((v.dtype for v in value if isinstance(v, Node)), dtype)
        return stack([as_operand(v, first) for v in value])
    if hasattr(value, "unknowns"):
        return constant(value, dtype or int32)
    return constant(*plain_array(value, dtype))


def _has_nodes(value: Any) -> bool:
    return (
        isinstance(value, Node)
        or hasattr(value, "unknowns")
        or (isinstance(value, (list, tuple)) and any(_has_nodes(v) for v in value))
    )


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None) -> Any:
    """A tensor from a tensor, variable, number, array or nested lists of them.

    Raises:
        DTypeError: a tensor of another dtype than `dtype`.
    """
    kind = None if dtype is None else checked_dtype(dtype)
    inputs = Inputs()
    node = inputs.node(value)
    if isinstance(value, Tensor) and (kind is None or value.dtype is kind):
        return value
    found = literal(value, kind) if not inputs.tensors else as_operand(node, kind)
    if kind is not None and found.dtype is not kind:
        raise DTypeError(
            f"{value!r} is {found.dtype.name}, and {kind.name} was asked for", hint="use tf.cast(x, dtype)"
        )
    return record(found, "Const", name, inputs)


# ---------------------------------------------------------------------------------------- leaves


def placeholder(dtype: Any, shape: Any = (), name: str | None = None) -> Tensor:
    """A tensor whose value is fed when a Session runs.

    Args:
        dtype: element type.
        shape: sizes; None stands for a size that may be another at each run.
        name: of the operation.

    Raises:
        UnsupportedError: shape=None, an unknown number of dimensions.

    >>> import onegraph.static as tf
    >>> x = tf.placeholder(tf.float32, shape=(None, 3))
    >>> with tf.Session() as sess:
    ...     sess.run(tf.reduce_sum(x, axis=1), {x: [[1, 2, 3], [4, 5, 6]]})
    array([ 6., 15.], dtype=float32)
    """
    kind = checked_dtype(dtype)
    graph = get_default_graph()
    full_name = graph.operation_name(name, "Placeholder")
    if shape is None:
        raise UnsupportedError(
            f"placeholder {full_name!r}: a shape of unknown rank is not supported: every op must know its number of dimensions",
            hint="give the shape with None for sizes that vary, e.g. shape=(None, 784)",
        )
    sizes = TensorShape(shape).as_list()
    named = tuple([graph.unknown_size(f"{full_name}_{i}") if s is None else s for i, s in enumerate(sizes)])
    op = Operation(graph, full_name, "Placeholder", graph.control)
    tensor = Tensor(input_node(named, kind, full_name), op, 0, graph.control)
    op.outputs.append(tensor)
    graph.placeholders[tensor._node] = tensor
    return tensor


def describe_placeholder(tensor: Tensor) -> str:
    """What a placeholder needs, for errors."""
    return f"{tensor.name!r} ({tensor.dtype.name}, shape {show(tensor.shape.as_list())})"


@operation("PlaceholderWithDefault")
def placeholder_with_default(input: Any, shape: Any = None) -> Node:
    """A tensor that has a value unless another is fed.

    Args:
        input: the value where nothing is fed.
        shape: of what may be fed: sizes must be those of `input`.
    """
    x = as_operand(input)
    if shape is not None:
        TensorShape(list(x.shape)).assert_is_compatible_with(shape)
    return RESHAPE(x, shape=x.shape)


@operation("Const")
def constant_(value: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False) -> Node:
    """A value that is part of the graph.

    Args:
        value: number, array or nested lists.
        dtype: float32 for Python floats, int32 for Python ints, an array's own where None.
        shape: a single number is repeated to fill it; as many elements are brought into it.
    """
    node = literal(value, None if dtype is None else checked_dtype(dtype))
    if shape is None:
        return node
    wanted = static_shape("constant", TensorShape(shape).as_list())
    if node.shape == wanted:
        return node
    return expand_to(node, wanted) if node.size == 1 and not node.shape else RESHAPE(node, shape=wanted)
