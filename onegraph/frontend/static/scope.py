"""Variable scopes: `get_variable` makes a variable, or finds the one that is there, by name."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.static.graph import Graph, GraphKeys, get_default_graph
from onegraph.frontend.static.initializers import Zeros, glorot_uniform_initializer
from onegraph.frontend.static.shape import TensorShape
from onegraph.frontend.static.tensor import checked_dtype, plain_array
from onegraph.frontend.static.variable import Variable
from onegraph.ir.dtype import float32
from onegraph.ops.shapes import show


class Reuse(enum.Enum):
    """AUTO_REUSE: make variables that are not there, find those that are."""

    AUTO_REUSE = 1


AUTO_REUSE = Reuse.AUTO_REUSE


class VariableScope:
    """A prefix for variables, whether they are reused, and defaults for new ones.

    Attributes:
        name: the prefix, without a slash at its end.
        original_name_scope: the name scope that was opened with it.
        reuse: False, True (variables must be there) or AUTO_REUSE.
        initializer, regularizer, dtype: what new variables get where nothing is given.
    """

    def __init__(
        self, name: str, reuse: Any = False, initializer: Any = None, regularizer: Any = None, dtype: Any = float32
    ) -> None:
        self.name = name
        self.original_name_scope = f"{name}/" if name else ""
        self.reuse = reuse
        self.initializer = initializer
        self.regularizer = regularizer
        self.dtype = checked_dtype(dtype)

    def reuse_variables(self) -> None:
        """From here on variables must be there already."""
        self.reuse = True

    def get_collection(self, name: str) -> list[Any]:
        """A collection of the graph, limited to this scope."""
        return get_default_graph().get_collection(name, f"{self.name}/" if self.name else None)

    def global_variables(self) -> list[Variable]:
        """The global variables of this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def trainable_variables(self) -> list[Variable]:
        """The trainable variables of this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)


def get_variable_scope() -> VariableScope:
    """The present variable scope."""
    graph = get_default_graph()
    if graph.variable_scope is None:
        graph.variable_scope = VariableScope("")
    found: VariableScope = graph.variable_scope
    return found


def _unique_scope(graph: Graph, parent: VariableScope, default: str) -> str:
    """A scope name that no earlier scope without a name took."""
    prefix = f"{parent.name}/" if parent.name else ""
    name, count = default, 0
    while f"{prefix}{name}" in graph.taken_scopes:
        count += 1
        name = f"{default}_{count}"
    graph.taken_scopes.add(f"{prefix}{name}")
    return name


@contextlib.contextmanager
def variable_scope(
    name_or_scope: Any = None,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: Any = None,
    auxiliary_name_scope: bool = True,
) -> Iterator[VariableScope]:
    """A context in which variables of `get_variable` have names that start with `name/`.

    Args:
        name_or_scope: a name, or a VariableScope to enter again; where None, a `default_name` made unique.
        reuse: True: variables must be there; AUTO_REUSE: found or made; None: as the scope around.
        initializer, regularizer, dtype: for variables that name none.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default():
    ...     with tf.variable_scope("layer"):
    ...         w = tf.get_variable("w", (2, 3))
    ...     with tf.variable_scope("layer", reuse=True):
    ...         tf.get_variable("w") is w
    True
    """
    graph, parent = get_default_graph(), get_variable_scope()
    if isinstance(name_or_scope, VariableScope):
        base, full, short = name_or_scope, name_or_scope.name, name_or_scope.name.rpartition("/")[2]
    else:
        base = parent
        if name_or_scope is None:
            if default_name is None:
                raise ArgumentError("variable_scope: needs a name or a default_name")
            name_or_scope = _unique_scope(graph, parent, default_name)
        short = name_or_scope
        full = f"{parent.name}/{short}" if parent.name else short
        graph.taken_scopes.add(full)
    scope = VariableScope(
        full,
        parent.reuse or base.reuse if reuse is None else reuse,
        initializer if initializer is not None else base.initializer,
        regularizer if regularizer is not None else base.regularizer,
        base.dtype if dtype is None else dtype,
    )
    graph.variable_scope = scope
    try:
        if not auxiliary_name_scope or not short:
            yield scope
            return
        with graph.name_scope(short) as original:
            scope.original_name_scope = original
            yield scope
    finally:
        graph.variable_scope = parent


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[[Any], Any] | None = None,
    trainable: bool = True,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
) -> Variable:
    """The variable of a name in the present variable scope: made, or found where the scope reuses.

    Args:
        name: without the scope.
        shape: sizes; not needed where the initializer is a value.
        initializer: a callable of `tf.initializers`, a value, or None: Glorot's for floats, zeros for others.
        regularizer: from the variable to a loss that is added to the collection of regularization losses.

    Raises:
        ArgumentError: it is there and the scope does not reuse, or it must be there and is not.
        ShapeError, DTypeError: it is there with another shape or dtype.
    """
    graph, scope = get_default_graph(), get_variable_scope()
    full = f"{scope.name}/{name}" if scope.name else name
    known = graph.variables_by_name.get(full)
    kind = scope.dtype if dtype is None else checked_dtype(dtype)
    if known is not None:
        if not scope.reuse:
            raise ArgumentError(
                f"variable {full!r} already exists",
                hint="use `with tf.variable_scope(name, reuse=True):` or reuse=tf.AUTO_REUSE to get it, or another name",
            )
        if shape is not None and not known.shape.is_compatible_with(shape):
            raise ShapeError(
                f"variable {full!r} has shape {show(known.value_shape)}, and {TensorShape(shape)} was asked for"
            )
        if dtype is not None and known.dtype is not kind:
            raise DTypeError(f"variable {full!r} is {known.dtype.name}, and {kind.name} was asked for")
        return known
    if scope.reuse is True:
        made = ", ".join(list(graph.variables_by_name)[:10]) or "none"
        raise ArgumentError(f"variable {full!r} does not exist, and this scope only reuses; there are: {made}")
    value = _first_value(full, shape, kind, initializer if initializer is not None else scope.initializer)
    with graph.name_scope(None):
        variable = Variable(value, trainable, collections, name=f"{full}/", dtype=kind, constraint=constraint)
        graph.variables_by_name[full] = variable
        penalty = regularizer if regularizer is not None else scope.regularizer
        if penalty is not None:
            with graph.name_scope(f"{full}/Regularizer/"):
                graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, penalty(variable))
    return variable


def _first_value(name: str, shape: Any, kind: Any, initializer: Any) -> Any:
    if initializer is None:
        initializer = glorot_uniform_initializer() if kind.is_floating_point else Zeros()
    if isinstance(initializer, type):
        initializer = initializer()
    if not callable(initializer):
        found = (
            initializer.shape.as_list()
            if hasattr(initializer, "get_shape")
            else list(plain_array(initializer)[0].shape)
        )
        if shape is not None and TensorShape(shape).as_list() != found:
            raise ShapeError(
                f"variable {name!r}: shape {TensorShape(shape)} does not fit the initial value of shape {show(found)}"
            )
        return initializer
    if shape is None:
        raise ShapeError(f"variable {name!r}: needs a shape, or an initial value that has one")
    sizes = TensorShape(shape)
    if not sizes.is_fully_defined():
        raise ShapeError(f"variable {name!r}: the shape {sizes} must be fully known")
    return lambda: initializer(sizes.as_list(), dtype=kind)
