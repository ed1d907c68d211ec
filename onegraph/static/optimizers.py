"""`tf.train`'s optimizers: the rules of `onegraph/optim/rules.py`, with their state in variables of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.static.functions import minimum, multiply, subtract
from onegraph.frontend.static.gradients import gradients
from onegraph.frontend.static.graph import Graph, GraphKeys, get_default_graph
from onegraph.frontend.static.grouping import group
from onegraph.frontend.static.tensor import Inputs, Operation, Operators, as_operand, in_scope, record
from onegraph.frontend.static.variable import Variable, trainable_variables
from onegraph.ir.dtype import float64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, POW, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import SQRT
from onegraph.ops.leaf import constant
from onegraph.ops.movement import full
from onegraph.optim import rules
from onegraph.optim.rules import Hyper, Rule, Slot, apply_rule


def _moved(now: Node, new: Node, seen: Node) -> Node:
    """The new value; where another write of the same run came in between, the change is applied to what it left."""
    return new if now is seen else ADD(now, SUB(new, seen))


class Optimizer:
    """Base of all optimizers.

    `minimize` is `compute_gradients` followed by `apply_gradients`; call the two to change gradients in between.

    Args:
        rule: the update rule.
        name: of the operations and of the state's variables.
        numbers: what the rule needs, by the names that it uses; numbers, tensors, or functions that give them.
    """

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2

    def __init__(self, rule: Rule, name: str, numbers: Mapping[str, Any]) -> None:
        self._rule = rule
        self._name = name
        self._numbers = dict(numbers)
        self._slots: dict[tuple[Graph, Variable | None, str], Variable] = {}

    def get_name(self) -> str:
        """The optimizer's name."""
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Iterable[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """An operation that takes one step.

        Args:
            loss: a tensor.
            global_step: a variable to add 1 to.
            var_list: variables to update; the trainable ones of the graph where None.
            grad_loss: a weight for the loss.
        """
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Iterable[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Variable]]:
        """Pairs of gradient and variable; None where the loss does not depend on the variable."""
        if not isinstance(loss, Operators):
            raise ArgumentTypeError(f"{self._name}: the loss must be a static tensor, got {type(loss).__name__}")
        with loss.graph.as_default():
            variables = trainable_variables() if var_list is None else list(var_list)
            if not variables:
                raise ArgumentError(f"{self._name}: there are no variables to optimize")
            found = gradients(loss, variables, None if grad_loss is None else [grad_loss])
        return list(zip(found, variables, strict=True))

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that updates variables by gradients."""
        every = list(grads_and_vars)
        pairs = [(g, v) for g, v in every if g is not None]
        if not pairs:
            raise ArgumentError(
                f"{self._name}: no variable has a gradient: the loss does not depend on {', '.join(v.name for _, v in every) or 'any'}"
            )
        graph = pairs[0][1].graph
        with graph.as_default():
            inputs = Inputs(graph)
            hyper = self._hyper(inputs)
            slots = self._rule.slots(hyper)
            states = [self._state(graph, v, slots, hyper) for _, v in pairs]
            with graph.name_scope(name or self._name) as scope:
                effects = graph.control
                written: dict[Variable, None] = {}
                for (grad, variable), state in zip(pairs, states, strict=True):
                    effects |= self._update(variable, grad, state, hyper, inputs, written)
                if global_step is not None:
                    effects |= global_step.assign_add(as_operand(1, global_step.dtype)).effects
            op = Operation(graph, graph.operation_name(scope or None, self._name), "NoOp", effects)
            graph.add_to_collection(GraphKeys.TRAIN_OP, op)
        return op

    def _hyper(self, inputs: Inputs) -> Hyper:
        """The numbers of the step, tensors among them as nodes."""
        values = {k: v() if callable(v) else v for k, v in self._numbers.items()}
        return Hyper({k: as_operand(inputs.node(v)) if isinstance(v, Operators) else v for k, v in values.items()})

    def _adapted(self, hyper: Hyper, state: dict[str, Node]) -> Hyper:
        """The numbers once the state is known, for conventions that depend on it."""
        return hyper

    def _update(
        self,
        variable: Variable,
        grad: Any,
        state: dict[str, Variable],
        hyper: Hyper,
        inputs: Inputs,
        written: dict[Variable, None],
    ) -> frozenset[Any]:
        """The effects of updating one variable and its state."""
        own = Inputs(variable.graph)
        own.effects = inputs.effects
        gradient = cast(as_operand(own.node(grad)), variable.dtype)
        seen = variable.node
        nodes = {name: slot.node for name, slot in state.items()}
        new, found = in_scope(
            variable.graph, apply_rule, self._rule, seen, gradient, nodes, self._adapted(hyper, nodes)
        )
        effects = variable._write(
            f"update_{variable.op.name.replace('/', '_')}", None, _moved, (new, seen), True, own
        ).effects
        for name, node in found.items():
            slot = state[name]
            if slot not in written:
                written[slot] = None
                effects |= slot._write("Assign", None, lambda _, v: v, (node,), False, own).effects
        return effects

    # ---- state

    def _state(self, graph: Graph, variable: Variable, slots: Mapping[str, Slot], hyper: Hyper) -> dict[str, Variable]:
        found = {}
        for name, slot in slots.items():
            key = (graph, None if slot.scalar else variable, name)
            if key not in self._slots:
                self._slots[key] = self._new_slot(graph, variable, slot, hyper, name)
            found[name] = self._slots[key]
        return found

    def _new_slot(self, graph: Graph, variable: Variable, slot: Slot, hyper: Hyper, name: str) -> Variable:
        start = hyper.values[slot.start] if isinstance(slot.start, str) else slot.start
        shape, dtype = ((), float64) if slot.scalar else (variable.value_shape, variable.dtype)
        prefix = self._name if slot.scalar else f"{variable.op.name}/{self._name}"
        with graph.control_dependencies(None), graph.name_scope(None):
            unique = graph.unique_name(f"{prefix}/{name}" if slot.scalar else prefix)
            first = record(full(shape, start, dtype), f"{prefix}_{name}_start", None, Inputs(graph))
            return Variable(first, trainable=False, name=f"{unique}/")

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The state of a variable by its name, or None."""
        return self._slots.get((var.graph, var, name))

    def get_slot_names(self) -> list[str]:
        """The names of the state that variables have."""
        return sorted({name for _, variable, name in self._slots if variable is not None})

    def variables(self) -> list[Variable]:
        """All variables of the optimizer's state in the default graph."""
        return [v for (graph, _, _), v in self._slots.items() if graph is get_default_graph()]


class GradientDescentOptimizer(Optimizer):
    """Variables moved against their gradients.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     w = tf.Variable(3.0)
    ...     step = tf.train.GradientDescentOptimizer(0.1).minimize(w * w)
    ...     sess.run(tf.global_variables_initializer())
    ...     sess.run(step)
    ...     sess.run(w)
    np.float32(2.4)
    """

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(rules.sgd, name, {"lr": learning_rate})


class MomentumOptimizer(Optimizer):
    """Variables moved by an average of their gradients that decays with `momentum`."""

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(rules.sgd, name, {"lr": learning_rate, "momentum": momentum, "nesterov": use_nesterov})


class AdamOptimizer(Optimizer):
    """Adam, with epsilon as in TensorFlow: added to the root before the correction for the first steps.

    Source: Kingma and Ba 2015, the formula before section 2.1 ("epsilon hat").
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(rules.adam, name, {"lr": learning_rate, "beta1": beta1, "beta2": beta2, "eps": epsilon})

    def _adapted(self, hyper: Hyper, state: dict[str, Node]) -> Hyper:
        """The rule adds epsilon to the corrected root; epsilon hat is epsilon over the correction."""

        def change() -> Hyper:
            step = ADD(state["step"], constant(1.0, float64))
            correction = SQRT(SUB(constant(1.0, float64), POW(hyper["beta2"], step)))
            return Hyper({**hyper.values, "eps": DIV(hyper["eps"], correction)})

        return hyper.once(("epsilon hat", state["step"]), change)


class RMSPropOptimizer(Optimizer):
    """Gradients over the root of their mean square, to which epsilon is added under the root.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e, 2012. As in TensorFlow the mean square starts at 1.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        numbers = {
            "lr": learning_rate,
            "alpha": decay,
            "momentum": momentum,
            "eps": epsilon,
            "centered": centered,
            "eps_inside": True,
        }
        super().__init__(rules.rmsprop, name, numbers)

    def _new_slot(self, graph: Graph, variable: Variable, slot: Slot, hyper: Hyper, name: str) -> Variable:
        return super()._new_slot(graph, variable, Slot(1.0) if name == "square_avg" else slot, hyper, name)


class AdagradOptimizer(Optimizer):
    """Gradients over the root of the sum of their squares. Source: Duchi et al. 2011."""

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0:
            raise ArgumentError(f"Adagrad: initial_accumulator_value must be positive, got {initial_accumulator_value}")
        numbers = {
            "lr": learning_rate,
            "lr_decay": 0.0,
            "eps": 0.0,
            "initial_accumulator_value": initial_accumulator_value,
        }
        super().__init__(rules.adagrad, name, numbers)


class AdadeltaOptimizer(Optimizer):
    """Steps in units of the parameter. Source: Zeiler 2012."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(rules.adadelta, name, {"lr": learning_rate, "rho": rho, "eps": epsilon})


class ExponentialMovingAverage:
    """Averages of variables that follow them slowly: shadow = decay * shadow + (1 - decay) * variable.

    Args:
        decay: near 1.
        num_updates: a count of updates; early on the decay is at most (1 + n) / (10 + n).
    """

    def __init__(
        self, decay: float, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay, self._count, self._name = decay, num_updates, name
        self._averages: dict[Variable, Variable] = {}

    def apply(self, var_list: Sequence[Variable] | None = None) -> Operation:
        """An operation that moves the averages toward the variables."""
        variables = trainable_variables() if var_list is None else list(var_list)
        decay = self._decay
        if self._count is not None:
            decay = minimum(self._decay, (1.0 + self._count) / (10.0 + self._count))
        graph = get_default_graph()
        updates = []
        for variable in variables:
            if variable not in self._averages:
                with graph.control_dependencies(None), graph.name_scope(None):
                    unique = graph.unique_name(f"{variable.op.name}/{self._name}")
                    self._averages[variable] = Variable(
                        variable.initialized_value(), trainable=False, name=f"{unique}/"
                    )
            shadow = self._averages[variable]
            updates.append(shadow.assign_sub(multiply(subtract(shadow, variable), 1.0 - decay)))
        return group(*updates, name=self._name)

    def average(self, var: Variable) -> Variable | None:
        """The variable that holds the average of another, or None."""
        return self._averages.get(var)

    def average_name(self, var: Variable) -> str:
        """The name under which the average of a variable is saved."""
        return f"{var.op.name}/{self._name}"

    def variables_to_restore(self) -> dict[str, Variable]:
        """For `Saver`: every variable under the name of its average."""
        return {self.average_name(v): v for v in trainable_variables()}
