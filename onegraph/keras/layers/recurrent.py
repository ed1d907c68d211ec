"""`SimpleRNN`, `LSTM` and `GRU`: their cells taken through sequences. Read first: `rnn.py`, `recurrent_cells.py`."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.keras.layers.recurrent_cells import (
    RECURRENT_NAMES,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    own_arguments,
)
from onegraph.keras.layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"]

_OF_THE_LAYER = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "activity_regularizer")


class _OfCell(RNN):
    """A layer whose cell has the arguments that are not the layer's own."""

    legacy_names: ClassVar = RECURRENT_NAMES
    input_rank = 3
    min_rank = None
    cell_class: ClassVar[Any]

    def _start(self, arguments: dict[str, Any], kwargs: dict[str, Any]) -> None:
        arguments = own_arguments(arguments)
        arguments.pop("use_cudnn", None)
        arguments.pop("legacy", None)
        if kwargs.pop("forget_bias_init", "one") not in ("one", "ones", "Ones"):  # Keras 1
            arguments["unit_forget_bias"] = False
        own = {name: arguments.pop(name) for name in _OF_THE_LAYER if name in arguments}
        cell = self.cell_class(**arguments, dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True))
        RNN.__init__(self, cell, **own, **kwargs)

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("_modules", {}).get("cell")
        if cell is not None and name in _OF_THE_CELL:
            return getattr(cell, name)
        return super().__getattr__(name)


_OF_THE_CELL = ("units", "activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout",
                "unit_forget_bias", "reset_after", "seed")  # fmt: skip


class SimpleRNN(_OfCell):
    """A recurrent network whose output comes back as an input: h = activation(x @ kernel + h @ recurrent_kernel + bias).

    Args:
        units: size of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as for `RNN`.

    The other arguments are those of `LSTMCell`. Source: Elman, "Finding structure in time", 1990.

    >>> import onegraph as og
    >>> SimpleRNN(3, return_sequences=True)(og.zeros(2, 5, 4)).shape
    onegraph.Size([2, 5, 3])
    """

    legacy_names: ClassVar = RECURRENT_NAMES
    cell_class = SimpleRNNCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._start(locals(), kwargs)


class LSTM(_OfCell):
    """A recurrent network with a memory that gates write to, keep and read from.

    Args:
        units: size of output and memory.
        return_sequences, return_state, go_backwards, stateful, unroll: as for `RNN`; the states are output and memory.
        use_cudnn: accepted; there is one way to compute it.

    The other arguments are those of `LSTMCell`.
    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers et al., 2000.

    >>> import onegraph as og
    >>> output, h, c = LSTM(3, return_state=True)(og.zeros(2, 5, 4))
    >>> output.shape, c.shape
    (onegraph.Size([2, 3]), onegraph.Size([2, 3]))
    """

    legacy_names: ClassVar = RECURRENT_NAMES
    cell_class = LSTMCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._start(locals(), kwargs)


class GRU(_OfCell):
    """A recurrent network whose gates mix the output before with a new candidate.

    Args:
        units: size of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as for `RNN`.
        reset_after: whether the reset gate acts after the product with the recurrent kernel, or before.
        use_cudnn: accepted; there is one way to compute it.

    The other arguments are those of `LSTMCell`. Source: Cho et al., EMNLP 2014.

    >>> import onegraph as og
    >>> GRU(3)(og.zeros(2, 5, 4)).shape
    onegraph.Size([2, 3])
    """

    legacy_names: ClassVar = RECURRENT_NAMES
    cell_class = GRUCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._start(locals(), kwargs)
