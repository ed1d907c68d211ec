"""Recurrent cells: one step of an RNN, an LSTM or a GRU. Read next: `recurrent.py` (whole sequences)."""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.tensor import Tensor
from onegraph.nn import init
from onegraph.nn.layers import new_parameter
from onegraph.nn.module import Module
from onegraph.ops.shapes import show

Hidden = Any  # a tensor, or a pair of them for an LSTM


def kind_of(value: Any) -> str:
    """What a value is, for an error."""
    return f"{len(value)} values" if isinstance(value, (tuple, list)) else type(value).__name__


class RNNCellBase(Module):
    """What the cells share: their weights.

    Args:
        input_size: features of the input.
        hidden_size: width of the state.
        bias: whether gates have biases.
        num_chunks: how many gates there are.

    Attributes:
        weight_ih, weight_hh: (gates * hidden_size, input_size) and (gates * hidden_size, hidden_size).
        bias_ih, bias_hh: (gates * hidden_size,).
    """

    nonlinearity: str

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        name, rows = type(self).__name__, num_chunks * hidden_size
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.weight_ih = new_parameter(name, rows, input_size, device=device, dtype=dtype)
        self.weight_hh = new_parameter(name, rows, hidden_size, device=device, dtype=dtype)
        for part in ("bias_ih", "bias_hh"):
            self.register_parameter(part, new_parameter(name, rows, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew, evenly from [-k, k], k = 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, function: str, input: Tensor, hx: Hidden) -> Any:
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ShapeError(f"{name}: the input must be (batch, features) or (features,), got {show(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the input {show(input.shape)} has {input.shape[-1]} features, the cell takes {self.input_size}"
            )
        wanted = (*input.shape[:-1], self.hidden_size)
        if hx is None:
            zeros = namespaces[""]["zeros"](wanted, dtype=input.dtype)
            hx = (zeros, zeros) if function == "lstm_cell" else zeros
        for state in hx if isinstance(hx, (tuple, list)) else (hx,):
            if tuple(state.shape) != wanted:
                raise ShapeError(f"{name}: a state is {show(state.shape)}, needed is (batch, hidden) = {show(wanted)}")
        return namespaces[""][function](input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def extra_repr(self) -> str:
        """The sizes, and what is not the default."""
        shown = [str(self.input_size), str(self.hidden_size)]
        if not self.bias:
            shown.append(f"bias={self.bias}")
        if self.__dict__.get("nonlinearity", "tanh") != "tanh":
            shown.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(shown)


class RNNCell(RNNCellBase):
    """One step of an RNN: tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size, hidden_size, bias: see `RNNCellBase`.
        nonlinearity: 'tanh' or 'relu'.

    >>> import onegraph as og
    >>> og.nn.RNNCell(10, 20)(og.randn(3, 10)).shape
    onegraph.Size([3, 20])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNNCell: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(batch, input_size) and (batch, hidden_size) to the next state; also without batch. Zeros when hx is None."""
        result: Tensor = self._step(f"rnn_{self.nonlinearity}_cell", input, hx)
        return result


class LSTMCell(RNNCellBase):
    """One step of an LSTM; arguments as for `RNNCellBase`.

    >>> import onegraph as og
    >>> h, c = og.nn.LSTMCell(10, 20)(og.randn(3, 10))
    >>> h.shape
    onegraph.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(batch, input_size) and (h, c), each (batch, hidden_size), to the next (h, c); also without batch."""
        if hx is not None and (isinstance(hx, Tensor) or len(hx) != 2):
            raise ArgumentError(f"LSTMCell: hx must be a pair (h, c), got {kind_of(hx)}")
        h, c = self._step("lstm_cell", input, hx)
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU; arguments as for `RNNCellBase`.

    >>> import onegraph as og
    >>> og.nn.GRUCell(10, 20)(og.randn(10)).shape
    onegraph.Size([20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(batch, input_size) and (batch, hidden_size) to the next state; also without batch. Zeros when hx is None."""
        result: Tensor = self._step("gru_cell", input, hx)
        return result
