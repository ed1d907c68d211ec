"""One step of a recurrent network: SimpleRNN, LSTM and GRU cells, and cells on top of each other.

A cell's `call(inputs, states)` gives its output and its next states. What the inputs add needs no recurrence, so `project`
computes it, for one step or for all steps of a sequence in one product, and `step` does the rest.

Read next: `rnn.py`, which takes a cell through a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.ir.dtype import as_dtype
from onegraph.keras import activations, initializers
from onegraph.keras.layers.base import Layer, layers
from onegraph.keras.layers.regularization import Random, check_rate

_zeros, _ones, _cat = EXPORTS["zeros"], EXPORTS["ones"], EXPORTS["cat"]

RECURRENT_NAMES = {  # Keras 1's
    "output_dim": "units",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}


class DropoutRNNCell(Random):
    """A cell that drops inputs and states, the same ones at each step of a sequence.

    Source: Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", 2016.
    """

    dropout: float
    recurrent_dropout: float
    gates = 1

    def _set_dropout(self, dropout: float, recurrent_dropout: float, seed: Any) -> None:
        self.dropout = check_rate(self, dropout)
        self.recurrent_dropout = check_rate(self, recurrent_dropout)
        self._set_seed(seed)
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    def _draw(self, like: Any, rate: float) -> list[Any]:
        """Factors for each gate, or one for all where states are not dropped."""
        count = self.gates if self.recurrent_dropout else 1
        kept = [(self._uniform(like.shape) >= rate).to(like.dtype) for _ in range(count)]
        return [k * (1 / (1 - rate)) if rate < 1 else k for k in kept]

    def get_dropout_mask(self, step_input: Any) -> list[Any] | None:
        """The factors of the inputs (batch, features), drawn once for a sequence; None without dropout."""
        if self._dropout_mask is None and self.dropout:
            self.__dict__["_dropout_mask"] = self._draw(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Any) -> list[Any] | None:
        """The factors of the states (batch, units), drawn once for a sequence; None without dropout."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout:
            self.__dict__["_recurrent_dropout_mask"] = self._draw(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Draw the factors of the inputs anew the next time."""
        self.__dict__["_dropout_mask"] = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw the factors of the states anew the next time."""
        self.__dict__["_recurrent_dropout_mask"] = None


class Cell(DropoutRNNCell):
    """Base of the cells with dense products; see `LSTMCell` for the arguments."""

    legacy_names: ClassVar = RECURRENT_NAMES
    bias_rows = 1
    state_count = 1

    def _set_up(self, units: int, options: dict[str, Any]) -> None:
        label = type(self).__name__
        if not isinstance(units, int) or units < 1:
            raise ArgumentError(f"{label}: units must be a positive whole number, got {units!r}")
        self.units = units
        self.activation = activations.get(options["activation"])
        if "recurrent_activation" in options:
            self.recurrent_activation = activations.get(options["recurrent_activation"])
        self.use_bias = options["use_bias"]
        self._weight_options = {
            name: {kind: options[f"{name}_{kind}"] for kind in ("initializer", "regularizer", "constraint")}
            for name in ("kernel", "recurrent", "bias")
        }
        self._set_dropout(options["dropout"], options["recurrent_dropout"], options["seed"])

    @property
    def state_size(self) -> Any:
        """The size of the state, or the sizes of several."""
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    def build(self, input_shape: Any) -> None:
        """Make kernel, recurrent kernel and bias."""
        features, width = input_shape[-1], self.gates * self.units
        if features is None:
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}): the last size of the input must be known, got {tuple(input_shape)}"
            )
        options = self._weight_options
        self.kernel = self.add_weight(shape=(features, width), name="kernel", **options["kernel"])
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), name="recurrent_kernel", **options["recurrent"]
        )
        self.bias = None
        if self.use_bias:
            shape = (width,) if self.bias_rows == 1 else (self.bias_rows, width)
            self.bias = self.add_weight(shape=shape, name="bias", **{**options["bias"], **self._bias_start()})

    def _bias_start(self) -> dict[str, Any]:
        return {}

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros to start with."""
        kind = as_dtype(self.compute_dtype)
        return [_zeros(batch_size, self.units, dtype=kind) for _ in range(self.state_count)]

    def _input_bias(self) -> Any:
        return self.bias

    def project(self, inputs: Any, training: bool = False) -> Any:
        """What inputs (batch, features) or (batch, steps, features) add to the gates."""
        bias = self._input_bias()
        self._check_size(inputs.shape, -1, self.kernel.shape[0])
        masks = self.get_dropout_mask(inputs[:, 0] if inputs.ndim == 3 else inputs) if training else None
        if masks is None:
            result = inputs @ self.kernel
        else:
            masks = [m.unsqueeze(1) for m in masks] if inputs.ndim == 3 else masks
            result = _masked_product(inputs, masks, self.kernel)
        return result if bias is None else result + bias

    def _recurrent(self, state: Any, training: bool) -> Any:
        """state @ recurrent_kernel, with dropout."""
        masks = self.get_recurrent_dropout_mask(state) if training else None
        return state @ self.recurrent_kernel if masks is None else _masked_product(state, masks, self.recurrent_kernel)

    def step(self, row: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Output and next states, from what the inputs add and the states."""
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Output and next states."""
        several = isinstance(states, (list, tuple))
        output, after = self.step(self.project(inputs, training), states if several else [states], training)
        return output, after if several else after[0]


def _masked_product(x: Any, masks: Sequence[Any], kernel: Any) -> Any:
    """(x * mask) @ kernel, with a mask for each gate or one for all."""
    if len(masks) == 1:
        return (x * masks[0]) @ kernel
    parts = kernel.chunk(len(masks), -1)
    return _cat([(x * m) @ part for m, part in zip(masks, parts, strict=True)], -1)


class SimpleRNNCell(Cell):
    """One step of `SimpleRNN`: activation(x @ kernel + h @ recurrent_kernel + bias). See `LSTMCell` for the arguments.

    >>> import onegraph as og
    >>> output, (state,) = SimpleRNNCell(3)(og.zeros(2, 4), [og.zeros(2, 3)])
    >>> output.shape
    onegraph.Size([2, 3])
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = own_arguments(locals())
        super().__init__(**kwargs)
        self._set_up(units, options)

    def step(self, row: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Output and next states, from what the inputs add and the states."""
        output = self.activation(row + self._recurrent(states[0], training))
        return output, [output]


def own_arguments(names: dict[str, Any]) -> dict[str, Any]:
    """A constructor's arguments by name, from `locals()`."""
    return {k: v for k, v in names.items() if k not in ("self", "kwargs") and not k.startswith("__")}


class LSTMCell(Cell):
    """One step of `LSTM`. Its states are the output h and the memory c.

    Args:
        units: size of output and states.
        activation: of memory and output.
        recurrent_activation: of the gates.
        use_bias: whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: first values; the gates stand in the order input,
            forget, candidate, output.
        unit_forget_bias: start the forget gate's bias at 1. Source: Jozefowicz et al., ICML 2015.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: conditions kept after each step of training.
        dropout: share of the inputs that are dropped in training, the same ones at each step of a sequence.
        recurrent_dropout: the same for the output that comes back.
        seed: of the dropout's own stream of numbers; None for the global one.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers et al., 2000.
    """

    gates, state_count = 4, 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = own_arguments(locals())
        super().__init__(**kwargs)
        self.unit_forget_bias = unit_forget_bias
        self._set_up(units, options)

    def _bias_start(self) -> dict[str, Any]:
        given = self._weight_options["bias"]["initializer"]
        return {"initializer": forget_bias(given, self.units)} if self.unit_forget_bias else {}

    def step(self, row: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Output and next states, from what the inputs add and the states."""
        h, c = states
        output, memory = lstm_gates(self, (row + self._recurrent(h, training)).chunk(4, -1), c)
        return output, [output, memory]


def lstm_gates(cell: Any, gates: Sequence[Any], memory: Any) -> tuple[Any, Any]:
    """Output and next memory, from the sums of the gates: input, forget, candidate, output."""
    i, f, candidate, o = gates
    gate = cell.recurrent_activation
    memory = gate(f) * memory + gate(i) * cell.activation(candidate)
    return gate(o) * cell.activation(memory), memory


def forget_bias(initializer: Any, units: int) -> Any:
    """An initializer of an LSTM's bias with ones for the forget gate."""
    draw = initializers.get(initializer) or initializers.get("zeros")

    def initialize(shape: Any, dtype: Any = None) -> Any:
        return _cat([draw((units,), dtype), initializers.get("ones")((units,), dtype), draw((2 * units,), dtype)])

    return initialize


class GRUCell(Cell):
    """One step of `GRU`.

    Args:
        reset_after: whether the reset gate acts after the product with the recurrent kernel (which then has a bias of its
            own), or before. The gates stand in the order update, reset, candidate.

    The other arguments are those of `LSTMCell`. Source: Cho et al., EMNLP 2014.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = own_arguments(locals())
        super().__init__(**kwargs)
        self.reset_after = reset_after
        self.bias_rows = 2 if reset_after else 1
        self._set_up(units, options)

    def _input_bias(self) -> Any:
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def step(self, row: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Output and next states, from what the inputs add and the states."""
        h, gate = states[0], self.recurrent_activation
        z, r, candidate = row.chunk(3, -1)
        if self.reset_after:
            sums = self._recurrent(h, training)
            sums = sums if self.bias is None else sums + self.bias[1]
            own_z, own_r, own = sums.chunk(3, -1)
            z, r = gate(z + own_z), gate(r + own_r)
            candidate = self.activation(candidate + r * own)
        else:
            masks = (self.get_recurrent_dropout_mask(h) if training else None) or [1.0] * 3
            kernels = self.recurrent_kernel.chunk(3, -1)
            z = gate(z + (h * masks[0]) @ kernels[0])
            r = gate(r + (h * masks[1]) @ kernels[1])
            candidate = self.activation(candidate + (r * h * masks[2]) @ kernels[2])
        output = z * h + (1 - z) * candidate
        return output, [output]


def as_cell(label: str, cell: Any) -> Any:
    """A cell, from a cell, a list of cells, or what `get_config` made of one."""
    if isinstance(cell, dict):
        cell = layers.deserialize(cell)
    if isinstance(cell, (list, tuple)):
        return StackedRNNCells(cell)
    if not hasattr(cell, "call") or not hasattr(cell, "state_size") or hasattr(cell, "return_sequences"):
        raise ArgumentTypeError(
            f"{label}: a cell has a method `call(inputs, states)` and an attribute `state_size`, got {cell!r:.60}",
            hint=f"{label}(LSTMCell(32)); layers such as LSTM(32) are not cells",
        )
    return cell


def initial_state_of(cell: Any, batch_size: int, dtype: Any) -> Any:
    """The states that a cell starts with, as its own method says, or zeros."""
    own = getattr(cell, "get_initial_state", None)
    if own is not None:
        return own(batch_size=batch_size)
    sizes = cell.state_size
    if isinstance(sizes, int):
        return [_zeros(batch_size, sizes, dtype=dtype)]
    return [_zeros(batch_size, *([s] if isinstance(s, int) else s), dtype=dtype) for s in sizes]


def output_size_of(cell: Any) -> Any:
    """The size of a cell's output: as it says, or that of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size if isinstance(cell.state_size, int) else cell.state_size[0]
    return size


class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell.

    Args:
        cells: each gets the output of the one before.

    >>> import onegraph as og
    >>> from onegraph.keras.layers import RNN
    >>> RNN(StackedRNNCells([LSTMCell(3), GRUCell(5)]))(og.zeros(2, 7, 4)).shape
    onegraph.Size([2, 5])
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not cells:
            raise ArgumentError("StackedRNNCells needs at least one cell")
        self.cells = [as_cell("StackedRNNCells", cell) for cell in cells]

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cells' states."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states that the cells start with, a list for each cell."""
        return [initial_state_of(cell, batch_size or 1, as_dtype(self.compute_dtype)) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        """Build the cells."""
        for cell in self.cells:
            build_cell(cell, input_shape)
            size = output_size_of(cell)
            input_shape = (input_shape[0], *([size] if isinstance(size, int) else size))

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Output and next states."""
        after = []
        for cell, own in zip(self.cells, states, strict=True):
            inputs, new = call_cell(cell, inputs, own, training)
            after.append(new)
        return inputs, after


def build_cell(cell: Any, shape: Any) -> None:
    """Make a cell's weights, if it has none yet."""
    if isinstance(cell, Layer) and not cell.built:
        cell.build(shape)
        cell._mark_built(shape)


def call_cell(cell: Any, inputs: Any, states: Any, training: bool) -> tuple[Any, Any]:
    """Call a cell, whether or not it is a layer and takes `training`."""
    options = {"training": training} if getattr(cell, "_takes_training", False) else {}
    function = cell if callable(cell) else cell.call
    output, after = function(inputs, states, **options)
    if isinstance(states, (list, tuple)) and not isinstance(after, (list, tuple)):
        after = [after]
    return output, list(after) if isinstance(after, tuple) else after
