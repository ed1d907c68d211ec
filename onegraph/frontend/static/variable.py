"""Variables, and the effects that write them.

A variable holds one value per Session. In the graph, `input` nodes stand for its value at a moment: before a run
writes anything, or after a certain effect. Which one a read means is decided when the reading operation is made:

- without control dependencies, a read sees the value from before the run, even when the same run assigns it;
- within `control_dependencies([write])`, a read sees what that write left;
- `assign_add`, `assign_sub` and scatter updates start from what earlier writes of the same run left, so none is lost.

The writes of a run happen in the order in which they were made (which control dependencies cannot contradict).
Read next: `program.py`, which puts them into one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.static.graph import Graph, GraphKeys, get_default_graph
from onegraph.frontend.static.shape import TensorShape, static_shape
from onegraph.frontend.static.tensor import (
    Inputs,
    Operation,
    Operators,
    Tensor,
    as_operand,
    checked_dtype,
    in_scope,
    record,
)
from onegraph.ir.dtype import DType, bool_, int64
from onegraph.ir.node import Node, input_node
from onegraph.ops.binary import ADD, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import NEG
from onegraph.ops.indexing import SCATTER
from onegraph.ops.movement import expand_to
from onegraph.ops.shapes import show


class Effect:
    """One write to a variable.

    Attributes:
        compute: from the value before (None unless `updates`) and the operands to the value after, as nodes.
        updates: whether it starts from the value before.
        operands: nodes that it reads.
        before: everything that must be written first.
        after: the node that stands for the value that it leaves.
    """

    __slots__ = ("after", "before", "compute", "number", "operands", "updates", "variable")

    def __init__(
        self,
        variable: Variable,
        compute: Callable[..., Node],
        operands: tuple[Node, ...],
        updates: bool,
        before: frozenset[Effect],
    ) -> None:
        graph = variable.graph
        self.variable = variable
        self.compute = compute
        self.operands = operands
        self.updates = updates
        self.before = before
        self.number = graph.new_effect_number()
        self.after = input_node(variable.value_shape, variable.dtype)
        variable.stand_in(self.after, Read(variable, self))
        if graph.made:
            graph.made[-1].append(self)


class Read:
    """What an `input` node stands for: the value after an effect, the value before a run, or a question about it."""

    __slots__ = ("after", "kind", "variable")

    def __init__(self, variable: Variable, after: Effect | None, kind: str = "value") -> None:
        self.variable = variable
        self.after = after
        self.kind = kind
        """"value"; "initialized value", which falls back on the initial value; "is initialized", a bool."""


class Variable(Operators):
    """A value that stays from run to run, one per Session.

    Args:
        initial_value: tensor, array, number, or a function without arguments that gives one.
        trainable: whether optimizers update it by default.
        collections: to add it to; by default the global variables.
        name: "Variable" by default.
        dtype: to convert the initial value to.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     counter = tf.Variable(0, name="counter")
    ...     step = counter.assign_add(2)
    ...     sess.run(tf.global_variables_initializer())
    ...     [int(sess.run(x)) for x in (step, step, counter)]
    [2, 4, 4]
    """

    effects: frozenset[Effect] = frozenset()

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Iterable[str] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        constraint: Any = None,
        use_resource: Any = None,
    ) -> None:
        if initial_value is None:
            raise ArgumentError(
                "a variable needs an initial value: tensor, array, number, or a function that gives one"
            )
        graph = get_default_graph()
        self.graph: Graph = graph
        full_name = graph.operation_name(name, "Variable")
        self._op_name = full_name
        self.name = f"{full_name}:0"
        self.trainable = trainable
        self.constraint = constraint
        kind = None if dtype is None else checked_dtype(dtype)
        with graph.control_dependencies(None), graph.name_scope(f"{full_name}/Initializer/"):
            value = initial_value() if callable(initial_value) else initial_value
            inputs = Inputs(graph)
            node = in_scope(graph, as_operand, inputs.node(value), kind)
            node = cast(node, kind) if kind is not None else node
        self.dtype: DType = node.dtype
        self.value_shape = static_shape(f"variable {full_name!r}", node.shape)
        self.all_reads: list[Node] = []
        """The nodes that stand for this variable's value: gradients by the variable are collected from them."""
        self._first_read: Node | None = None
        self.op = Operation(graph, full_name, "VariableV2", frozenset())
        self.op.outputs.append(Tensor(self._read(None), self.op, 0, frozenset()))
        self._initial = node, inputs.effects
        with graph.control_dependencies(None), graph.name_scope(None):
            with graph.name_scope(f"{full_name}/"):
                self.initial_value = record(node, "initial_value", None, inputs)
            self._initializer = self._write("Assign", f"{full_name}/Assign/", lambda _, v: v, (node,), False, inputs).op
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        graph.add_to_collections(collections, self)
        if trainable and GraphKeys.TRAINABLE_VARIABLES not in collections:
            graph.add_to_collection(GraphKeys.TRAINABLE_VARIABLES, self)

    # ---- reading

    def _read(self, after: Effect | None) -> Node:
        """The node that stands for the value after an effect, or before everything."""
        if after is not None:
            return after.after
        node = self._first_read
        if node is None:
            node = self._first_read = input_node(self.value_shape, self.dtype, self._op_name)
            self.stand_in(node, Read(self, None))
        return node

    def stand_in(self, node: Node, read: Read) -> None:
        """Let a node stand for a value of this variable."""
        self.graph.reads[node] = read
        if read.kind != "is initialized":
            self.all_reads.append(node)
        if read.kind != "value":
            self.graph.asked[self] = None

    @property
    def node(self) -> Node:
        """The node that a read means now, under the present control dependencies."""
        written = [e for e in self.graph.control if e.variable is self]
        return self._read(max(written, key=lambda e: e.number) if written else None)

    def value(self) -> Tensor:
        """The value as a tensor, under the present control dependencies."""
        inputs = Inputs()
        inputs.see(self)
        tensor: Tensor = record(self.node, "read", None, inputs)
        return tensor

    read_value = value

    def initialized_value(self) -> Tensor:
        """The value, or the initial value where the variable has none yet: to initialize others from."""
        inputs = Inputs(self.graph)
        inputs.effects = self._initial[1]
        node = input_node(self.value_shape, self.dtype, self._op_name)
        self.stand_in(node, Read(self, None, "initialized value"))
        tensor: Tensor = record(node, "initialized_value", None, inputs)
        return tensor

    def is_initialized(self) -> Tensor:
        """Whether the variable has a value in the session, as a bool tensor."""
        node = input_node((), bool_)
        self.stand_in(node, Read(self, None, "is initialized"))
        tensor: Tensor = record(node, "IsVariableInitialized", None, Inputs(self.graph))
        return tensor

    def _as_graph_element(self) -> Tensor:
        return self.op.outputs[0]

    @property
    def shape(self) -> TensorShape:
        """The shape."""
        return TensorShape(self.value_shape)

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.shape

    @property
    def initializer(self) -> Operation:
        """The operation that gives the variable its initial value."""
        return self._initializer

    def eval(self, session: Any = None) -> Any:
        """The value in a session, the default one if None."""
        return self.op.outputs[0].eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Give the variable a value in a session."""
        from onegraph.frontend.static.tensor import _session

        _session(session, self).set_value(self, value)

    # ---- writing

    def _write(
        self,
        kind: str,
        name: str | None,
        compute: Callable[..., Node],
        operands: tuple[Node, ...],
        updates: bool,
        inputs: Inputs,
    ) -> Tensor:
        """The tensor that stands for the value after a new effect."""
        full_name = self.graph.operation_name(name, kind)
        before = inputs.effects | self.graph.control
        effect = Effect(self, compute, operands, updates, before)
        op = Operation(self.graph, full_name, kind, before | {effect})
        op.inputs = [self, *inputs.tensors]
        op.outputs.append(Tensor(effect.after, op, 0, op.effects))
        return op.outputs[0]

    def _fitting(self, verb: str, value: Any, inputs: Inputs) -> Node:
        """A value as a node that may be written here."""
        node = as_operand(inputs.node(value), self.dtype)
        if node.dtype is not self.dtype:
            raise DTypeError(
                f"{verb}: the variable {self.name!r} is {self.dtype.name}, the value {node.dtype.name}",
                hint=f"use tf.cast(value, tf.{self.dtype.name})",
            )
        return node

    def _change(self, kind: str, op: Any, value: Any, name: str | None, read_value: bool) -> Any:
        inputs = Inputs(self.graph)
        node = self._fitting(kind, value, inputs)
        shape = self.value_shape
        if len(node.shape) != len(shape) or any(
            isinstance(s, int) and s != t for s, t in zip(node.shape, shape, strict=True)
        ):
            raise ShapeError(
                f"{kind}: the variable {self.name!r} has shape {show(shape)}, the value {show(node.shape)}",
                hint="tf.zeros_like(variable) + value broadcasts a value to the variable's shape"
                if op is None
                else None,
            )
        if op is None:
            tensor = self._write(kind, name, lambda _, v: v, (node,), False, inputs)
        else:
            tensor = self._write(kind, name, op, (node,), True, inputs)
        return tensor if read_value else tensor.op

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Write a value; fetching the result gives the new value.

        Raises:
            ShapeError, DTypeError: the value is not of the variable's shape and dtype.
        """
        return self._change("Assign", None, value, name, read_value)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Add to the value; fetching the result gives the new value."""
        return self._change("AssignAdd", ADD, delta, name, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Subtract from the value; fetching the result gives the new value."""
        return self._change("AssignSub", SUB, delta, name, read_value)

    def update(self, kind: str, function: Callable[..., Node], *operands: Any, name: str | None = None) -> Tensor:
        """Write `function(value before, *operands)`: for updates that are more than a sum."""
        inputs = Inputs(self.graph)
        nodes = tuple([as_operand(inputs.node(o)) for o in operands])
        return self._write(kind, name, function, nodes, True, inputs)

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


def assign(
    ref: Variable, value: Any, validate_shape: Any = None, use_locking: Any = None, name: str | None = None
) -> Tensor:
    """Write a value to a variable; fetching the result gives the new value."""
    return _variable("assign", ref).assign(value, name=name)


def assign_add(ref: Variable, value: Any, use_locking: Any = None, name: str | None = None) -> Tensor:
    """Add to a variable; fetching the result gives the new value."""
    return _variable("assign_add", ref).assign_add(value, name=name)


def assign_sub(ref: Variable, value: Any, use_locking: Any = None, name: str | None = None) -> Tensor:
    """Subtract from a variable; fetching the result gives the new value."""
    return _variable("assign_sub", ref).assign_sub(value, name=name)


def _scattered(op: str, mode: str, ref: Any, indices: Any, updates: Any, name: str | None) -> Tensor:
    variable = _variable(op, ref)
    inputs = Inputs(variable.graph)
    index = cast(as_operand(inputs.node(indices)), int64)
    values = as_operand(inputs.node(updates), variable.dtype)
    if mode == "subtract":
        mode, values = "add", NEG(values)
    wanted = (*index.shape, *variable.value_shape[1:])

    def write(before: Node, index: Node, values: Node) -> Node:
        return SCATTER(before, index, values, dim=0, mode=mode)

    tensor: Tensor = variable._write(op, name, write, (index, expand_to(values, wanted)), True, inputs)
    return tensor


def scatter_update(
    ref: Variable, indices: Any, updates: Any, use_locking: Any = None, name: str | None = None
) -> Tensor:
    """Overwrite the rows of a variable that `indices` name; of several writers of a row the last wins."""
    return _scattered("ScatterUpdate", "set", ref, indices, updates, name)


def scatter_add(ref: Variable, indices: Any, updates: Any, use_locking: Any = None, name: str | None = None) -> Tensor:
    """Add to the rows of a variable that `indices` name."""
    return _scattered("ScatterAdd", "add", ref, indices, updates, name)


def scatter_sub(ref: Variable, indices: Any, updates: Any, use_locking: Any = None, name: str | None = None) -> Tensor:
    """Subtract from the rows of a variable that `indices` name."""
    return _scattered("ScatterSub", "subtract", ref, indices, updates, name)


def _variable(op: str, ref: Any) -> Any:
    if not isinstance(ref, Variable):
        raise ArgumentError(f"{op}: only a variable can be written, got {ref!r}")
    return ref


# ---------------------------------------------------------------------------------------- collections


def global_variables(scope: str | None = None) -> list[Variable]:
    """The variables that are part of the model's state."""
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Variable]:
    """Variables that are not part of the model's state, such as counters of metrics."""
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """The variables that optimizers update."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Variable]:
    """The variables in the collection of model variables."""
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Variable]:
    """The variables in the collection of moving averages."""
    return get_default_graph().get_collection("moving_average_variables", scope)


def variables_initializer(var_list: Iterable[Variable], name: str = "init") -> Operation:
    """An operation that gives variables their initial values."""
    graph = get_default_graph()
    effects: frozenset[Effect] = frozenset()
    for variable in var_list:
        graph.as_graph_element(variable)
        effects |= variable.initializer.effects
    return Operation(graph, graph.operation_name(name, "init"), "NoOp", effects | graph.control)


def global_variables_initializer() -> Operation:
    """An operation that gives all global variables of the default graph their initial values."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    """An operation that gives all local variables of the default graph their initial values."""
    return variables_initializer(local_variables(), "init_local")


def is_variable_initialized(variable: Variable) -> Tensor:
    """Whether a variable has a value in the session, as a bool tensor."""
    return variable.is_initialized()
