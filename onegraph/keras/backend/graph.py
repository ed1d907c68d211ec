"""Functions and gradients of symbolic tensors, as in Keras 1 and 2: `placeholder`, `gradients`, `function`.

`function([x], [loss, *gradients(loss, x)])` gives a function on arrays, traced once. A gradient is a step of the graph
that runs the part between its inputs and the loss and differentiates it; the compiler sees that the forward pass is the
same one and computes it once. Read next: `../functional.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.autograd import grad
from onegraph.frontend.function import jit
from onegraph.frontend.state import enable_grad
from onegraph.frontend.tensor import Tensor
from onegraph.keras import backend
from onegraph.keras.functional import LayerGraph
from onegraph.keras.layers.base import Layer, calling, context
from onegraph.keras.layers.symbolic import KerasTensor, connect, flatten, map_structure
from onegraph.keras.ops.dispatch import convert, operation

_phase: dict[str, Any] = {"value": None, "symbol": None}


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    name: str | None = None,
) -> KerasTensor:
    """A symbolic tensor that `function` is given values for.

    Args:
        shape: all sizes, the batch's too; None where not known.
        ndim: the number of dimensions, instead.
    """
    from onegraph.keras.layers import InputLayer

    if shape is None:
        if ndim is None:
            raise ArgumentError("placeholder: give shape or ndim")
        shape = (None,) * ndim
    layer = InputLayer(batch_shape=tuple(shape), dtype=dtype, name=name or backend.unique_name("placeholder"))
    return layer.tensor


# ---- training or not


def learning_phase() -> Any:
    """0 or 1 if `set_learning_phase` was called; else a symbol that may stand among the inputs of `function`."""
    if _phase["value"] is not None:
        return _phase["value"]
    if _phase["symbol"] is None:
        _phase["symbol"] = placeholder((), name="keras_learning_phase")
    return _phase["symbol"]


def set_learning_phase(value: int) -> None:
    """Whether layers that are called directly train (1) or not (0)."""
    if value not in (0, 1):
        raise ArgumentError(f"set_learning_phase: must be 0 or 1, got {value!r}")
    _phase["value"] = value
    context.training = bool(value)


@operation
def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x while training, else alt; both tensors, or functions without arguments."""
    training = context.training if training is None else training
    chosen = x if training else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x while not training, else alt."""
    return in_train_phase(alt, x, training)


def in_shape(shape: Any, draw: Callable[[tuple[int, ...]], Any]) -> Any:
    """What `draw` gives for a shape of known sizes.

    Raises:
        ArgumentError: a size is None.
    """
    if any(s is None for s in shape):
        raise ArgumentError(
            f"random numbers of shape {tuple(shape)}: the batch size is not known here",
            hint="draw inside a layer's call (a Lambda, say), where tensors have sizes",
        )
    return draw(tuple(int(s) for s in shape))


# ---- gradients


def sources(tensors: Any) -> list[KerasTensor]:
    """The inputs that symbolic tensors depend on."""
    found: dict[int, KerasTensor] = {}
    seen: set[int] = set()
    todo = [t for t in flatten(tensors) if isinstance(t, KerasTensor)]
    while todo:
        tensor = todo.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if tensor.connection is None:
            found[id(tensor)] = tensor
        else:
            todo += list(reversed(tensor.connection.inputs))
    return list(found.values())


def get_source_inputs(tensor: Any, layer: Any = None, node_index: Any = None) -> list[KerasTensor]:
    """The inputs that a symbolic tensor depends on."""
    return sources(tensor)


class GradientLayer(Layer):
    """The gradients of a symbolic loss by other tensors of the same graph.

    Args:
        loss: a symbolic tensor; its elements are summed.
        targets: symbolic tensors, or weights.
    """

    def __init__(self, loss: KerasTensor, targets: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(name=kwargs.pop("name", None) or backend.unique_name("gradients"), **kwargs)
        self.targets = list(targets)
        symbolic = [t for t in self.targets if isinstance(t, KerasTensor)]
        self.given = sources([loss, *symbolic])
        self.graph = LayerGraph(self.given, [*symbolic, loss])
        self.loss = loss
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Run the graph with the targets as variables, and differentiate."""
        wanted = {id(t) for t in self.targets if isinstance(t, KerasTensor)}
        values: dict[int, Any] = {}
        with enable_grad():

            def keep(tensor: KerasTensor, value: Any) -> None:
                values[id(tensor)] = value.detach().requires_grad_(True) if id(tensor) in wanted else value

            for tensor, value in zip(self.given, inputs, strict=True):
                keep(tensor, value)
            run(self.graph, values, keep)
            variables = [values[id(t)] if isinstance(t, KerasTensor) else t for t in self.targets]
            total = values[id(self.loss)].sum()
            found = grad(total, variables, allow_unused=True)
        return [EXPORTS["zeros_like"](v) if g is None else g.detach() for v, g in zip(variables, found, strict=True)]


def run(graph: LayerGraph, values: dict[int, Any], keep: Callable[[KerasTensor, Any], None]) -> None:
    """Call the layers of a graph one after the other; `keep` stores what they give."""

    def value_of(item: Any) -> Any:
        return values[id(item)] if isinstance(item, KerasTensor) else item

    for connection in graph.connections:
        result = connection.layer(
            *map_structure(value_of, connection.args), **map_structure(value_of, connection.kwargs)
        )
        for tensor, value in zip(flatten(connection.outputs), flatten(result), strict=True):
            if id(tensor) not in values:
                keep(tensor, value)


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The gradients of a loss by symbolic tensors or weights, one each.

    Args:
        loss: a symbolic tensor (or a tensor with values); its elements are summed.
        variables: one or a list: inputs, what lies between inputs and loss, or weights.

    >>> x = placeholder((2,))
    >>> f = function([x], gradients(x * x, x))
    >>> f([[1.0, 3.0]])
    [array([2., 6.], dtype=float32)]
    """
    targets = list(variables) if isinstance(variables, (list, tuple)) else [variables]
    if isinstance(loss, (list, tuple)):
        (loss,) = loss
    if isinstance(loss, Tensor):
        return list(grad(loss.sum(), targets, allow_unused=True))
    if not isinstance(loss, KerasTensor):
        raise ArgumentTypeError(f"gradients: the loss must be a tensor, got {type(loss).__name__}")
    layer = GradientLayer(loss, targets)
    return list(connect(layer, (layer.given,), {}))


# ---- functions


class Function:
    """A function on arrays from symbolic inputs to outputs; made by `function`."""

    def __init__(self, inputs: Any, outputs: Any, updates: Any = None) -> None:
        self.single = not isinstance(outputs, (list, tuple))
        wanted = [outputs] if self.single else list(outputs)
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        symbol = _phase["symbol"]
        self.phase = next((i for i, t in enumerate(given) if t is symbol or isinstance(t, int)), None)
        self.inputs = [t for i, t in enumerate(given) if i != self.phase]
        self.updates = [u for u in updates or [] if isinstance(u, tuple)]
        self.outputs = [*wanted, *[new for _, new in self.updates]]
        self.count = len(wanted)
        symbolic = [t for t in self.outputs if isinstance(t, KerasTensor)]
        missing = [t for t in sources(symbolic) if not any(t is i for i in self.inputs)]
        inner = [t for t in self.inputs if t.connection is not None]
        if missing and not inner:
            raise ArgumentError(
                f"function: the outputs depend on {missing[0].name!r} of shape {missing[0].shape}, which is no input"
            )
        self.graph = LayerGraph(self.inputs, symbolic)
        self._traced = {training: jit(self._maker(training)) for training in (False, True)}

    def _maker(self, training: bool) -> Callable[..., Any]:
        def compute(*given: Any) -> list[Any]:
            values: dict[int, Any] = {id(t): v for t, v in zip(self.inputs, given, strict=True)}
            with calling(training):
                run(self.graph, values, lambda tensor, value: values.__setitem__(id(tensor), value))
            return [values[id(t)] if isinstance(t, KerasTensor) else convert(t) for t in self.outputs]

        return compute

    def __call__(self, inputs: Any) -> Any:
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(given) != len(self.inputs) + (self.phase is not None):
            raise ArgumentError(f"this function takes {len(self.inputs)} inputs, {len(given)} were given")
        training = bool(_phase["value"] or 0)
        if self.phase is not None:
            training = bool(np.asarray(given.pop(self.phase)))
        tensors = [convert(g, t.dtype) for g, t in zip(given, self.inputs, strict=True)]
        found = self._traced[training](*tensors)
        for (variable, _), value in zip(self.updates, found[self.count :], strict=True):
            variable.assign(value)
        arrays = [np.array(v.detach().numpy()) for v in found[: self.count]]
        return arrays[0] if self.single else arrays


def function(inputs: Any, outputs: Any, updates: Any = None, **options: Any) -> Function:
    """A function on a list of arrays, giving a list of arrays, from symbolic inputs to symbolic outputs.

    Args:
        inputs: placeholders, inputs of models, or tensors in between; `learning_phase()` may be among them.
        outputs: symbolic tensors; one or a list.
        updates: what `update` gave: written to variables after each call.
    """
    return Function(inputs, outputs, updates)


# ---- recurrence


def rnn(
    step_function: Callable[..., Any],
    inputs: Any,
    initial_states: Sequence[Any],
    go_backwards: bool = False,
    mask: Any = None,
    constants: Sequence[Any] | None = None,
    unroll: bool = False,
    input_length: int | None = None,
) -> tuple[Any, Any, list[Any]]:
    """Call a step function along time: the last output, all outputs, and the last states.

    Args:
        step_function: from (input of a time, states) to (output, next states).
        inputs: (batch, time, ...).
        initial_states: a list.
        go_backwards: from the end.
        mask: (batch, time); where it is false, states stay and the last output is given again.
        constants: handed to the step function behind the states.
    """
    x = convert(inputs).transpose(0, 1)
    masks = EXPORTS["ones"](*x.shape[:2]) != 0 if mask is None else convert(mask, "bool").transpose(0, 1)
    if go_backwards:
        x, masks = x.flip(0), masks.flip(0)
    extra = list(constants or [])
    states = [convert(s) for s in initial_states]
    shape = step_function(x[0], [*states, *extra])[0]

    def step(carry: Any, row: Any) -> Any:
        before, last = carry
        now, keep = row
        output, after = step_function(now, [*before, *extra])

        def choose(new: Any, old: Any) -> Any:
            return EXPORTS["where"](keep.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        output = choose(output, last)
        return ([choose(n, o) for n, o in zip(after, before, strict=True)], output), output

    (states, last), outputs = EXPORTS["scan"](step, (states, shape * 0), (x, masks))
    return last, outputs.transpose(0, 1), list(states)
