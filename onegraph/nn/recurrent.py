"""Recurrent layers: RNN, LSTM, GRU, over whole sequences.

What they compute is in `onegraph/ops/recurrent.py`. Read next: `recurrent_cells.py` (single steps), `utils/rnn.py`
(sequences of different lengths).
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.frontend.random import default_generator
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.node import Node
from onegraph.nn import init
from onegraph.nn.functional import node_of
from onegraph.nn.layers import new_parameter
from onegraph.nn.module import Module
from onegraph.nn.recurrent_cells import Hidden, kind_of
from onegraph.nn.utils.rnn import PackedSequence, _integers
from onegraph.ops.random import check_probability
from onegraph.ops.recurrent import GATES, Layers, Stack, Weights, stacked
from onegraph.ops.shapes import show


class RNNBase(Module):
    """What RNN, LSTM and GRU share: their weights, and how they are called.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        input_size: features of an element of the input.
        hidden_size: width of the state.
        num_layers: how many stand on top of each other.
        bias: whether gates have biases.
        batch_first: take and give (batch, time, features) rather than (time, batch, features); states are not concerned.
        dropout: the probability of dropping what a layer hands to the next, in training.
        bidirectional: read sequences backwards as well, with weights of their own; the outputs are joined.
        proj_size: of an LSTM: the width of its output, if narrower than the state.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: those of the first layer, for all gates one after the
            other: (gates * hidden_size, features), (gates * hidden_size, outputs), twice (gates * hidden_size,). Other
            layers have l1, l2, ...; the second direction has `_reverse` at the end. All are drawn evenly from
            [-k, k], k = 1 / sqrt(hidden_size).
        weight_hr_l0: (proj_size, hidden_size), with `proj_size`.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = float(dropout), bidirectional, proj_size
        self._check_arguments()
        self._weight_names: list[list[str]] = []
        outputs = proj_size or hidden_size
        directions = 2 if bidirectional else 1
        for layer, suffix in itertools.product(range(num_layers), ("", "_reverse")[:directions]):
            features = input_size if layer == 0 else outputs * directions
            rows = GATES[mode] * hidden_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features), "weight_hh": (rows, outputs)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            names = [f"{name}_l{layer}{suffix}" for name in shapes]
            for name, shape in zip(names, shapes.values(), strict=True):
                setattr(self, name, new_parameter(type(self).__name__, *shape, device=device, dtype=dtype))
            self._weight_names.append(names)
        self.reset_parameters()

    def _check_arguments(self) -> None:
        name = type(self).__name__
        if self.mode not in GATES:
            raise ArgumentError(f"{name}: mode must be one of {', '.join(GATES)}, got {self.mode!r}")
        if self.hidden_size <= 0 or self.num_layers <= 0:
            raise ArgumentError(
                f"{name}: hidden_size and num_layers must be positive, got {self.hidden_size} and {self.num_layers}"
            )
        check_probability(name, self.dropout)
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                f"{name}: dropout={self.dropout} does nothing with one layer: it drops what one hands to the next",
                stacklevel=4,
            )
        if self.proj_size and self.mode != "LSTM":
            raise ArgumentError(f"{name}: only an LSTM takes proj_size")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ArgumentError(
                f"{name}: proj_size {self.proj_size} must be at least 0 and less than hidden_size {self.hidden_size}"
            )

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: where weights lie in memory is the compiler's choice."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Weights and biases, a list for each direction of each layer."""
        return [[getattr(self, name) for name in names] for names in self._weight_names]

    # ---- calling

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _states_of(
        self, hx: Hidden, batch: int, sorted_indices: Tensor | None, single: bool
    ) -> tuple[Tensor, ...] | None:
        """The given states, checked: each (layers * directions, batch, width)."""
        if hx is None:
            return None
        lstm, name = self.mode == "LSTM", type(self).__name__
        if isinstance(hx, Tensor) == lstm or (lstm and len(hx) != 2):
            raise ArgumentError(
                f"{name}: hx must be {'a pair (h_0, c_0)' if lstm else 'one tensor'}, got {kind_of(hx)}"
            )
        states = tuple(hx) if lstm else (hx,)
        checked = []
        for label, state, width in zip(
            ("h_0", "c_0"), states, (self.proj_size or self.hidden_size, self.hidden_size), strict=False
        ):
            wanted = (self.num_layers * self._directions, *([] if single else [batch]), width)
            if tuple(state.shape) != wanted:
                rule = "(layers * directions, hidden)" if single else "(layers * directions, batch, hidden)"
                raise ShapeError(f"{name}: {label} is {show(state.shape)}, needed is {rule} = {show(wanted)}")
            if single:
                state = state.unsqueeze(1)
            checked.append(state if sorted_indices is None else state.index_select(1, sorted_indices))
        return tuple(checked)

    def _check_input(self, input: Tensor, packed: bool) -> None:
        name = type(self).__name__
        if input.ndim != 3 and (packed or input.ndim != 2):
            axes = "batch, time" if self.batch_first else "time, batch"
            raise ShapeError(
                f"{name}: the input must be ({axes}, features) or (time, features), got {show(input.shape)}"
            )
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the input {show(input.shape)} has {input.shape[-1]} features, the layer takes {self.input_size}",
                hint="the last dimension must be input_size",
            )
        weight = self.weight_ih_l0
        if input.dtype is not weight.dtype:
            raise DTypeError(
                f"{name}: the input is {input.dtype.name}, the weights are {weight.dtype.name}",
                hint=f"cast one, e.g. x.to(onegraph.{weight.dtype.name})",
            )

    def _run(
        self, x: Tensor, states: tuple[Tensor, ...] | None, lengths: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs and states for x (time, batch, features)."""
        tensors = [w for group in self.all_weights for w in group]
        needs_grad = any(t._requires_grad for t in (x, *(states or ()), *tensors))
        weights = [self._on_nodes(group) for group in self.all_weights]
        keys: list[Node] = []
        if self.dropout and self.training:
            keys = [default_generator.next_key() for _ in range(self.num_layers - 1)]
        layers = Layers(self.mode, self._directions, self.dropout, keys, type(self).__name__)
        result: Stack = stacked(
            layers,
            node_of(x),
            None if states is None else tuple([node_of(s) for s in states]),
            weights,
            None if lengths is None else node_of(lengths),
        )
        return wrap(result.outputs, needs_grad), tuple([wrap(s, needs_grad) for s in result.states])

    def _on_nodes(self, group: list[Tensor]) -> Weights:
        nodes: list[Node | None] = [node_of(w) for w in group]
        projection = nodes.pop() if self.proj_size else None
        if not self.bias:
            nodes += [None, None]
        return Weights(*nodes, projection)  # type: ignore[arg-type, call-arg]

    def _call_packed(self, input: PackedSequence, hx: Hidden) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        padded, lengths = input.padded()
        self._check_input(padded, packed=True)
        states = self._states_of(hx, len(lengths), input.sorted_indices, single=False)
        different = len(set(lengths)) > 1
        outputs, last = self._run(padded, states, _integers(lengths) if different else None)
        if input.unsorted_indices is not None:
            last = tuple([s.index_select(1, input.unsorted_indices) for s in last])
        return input.with_data(outputs), last

    def _call_padded(self, input: Tensor, hx: Hidden) -> tuple[Tensor, tuple[Tensor, ...]]:
        if mode.autocast is not None:
            input = input.to(self.weight_ih_l0.dtype)
        self._check_input(input, packed=False)
        single = input.ndim == 2
        time_last = self.batch_first and not single
        x = input.unsqueeze(1) if single else input.transpose(0, 1) if time_last else input
        outputs, last = self._run(x, self._states_of(hx, x.shape[1], None, single), None)
        if single:
            return outputs.squeeze(1), tuple([s.squeeze(1) for s in last])
        return outputs.transpose(0, 1) if time_last else outputs, last

    def forward(self, input: Any, hx: Hidden = None) -> tuple[Any, Hidden]:
        """Outputs of the last layer at all steps, and the last states of all layers.

        Args:
            input: (time, batch, input_size), with `batch_first` (batch, time, input_size); (time, input_size) without
                a batch; or a PackedSequence.
            hx: to start with, of an LSTM (h_0, c_0): (layers * directions, batch, hidden_size), without a batch
                (layers * directions, hidden_size). Zeros when None.

        Returns:
            Outputs like the input, with directions * hidden_size features; and states like `hx`.

        Raises:
            ShapeError, DTypeError: sizes or dtypes do not fit.
        """
        call = self._call_packed if isinstance(input, PackedSequence) else self._call_padded
        outputs, last = call(input, hx)
        return outputs, last if self.mode == "LSTM" else last[0]

    def extra_repr(self) -> str:
        """The sizes, and what is not the default."""
        shown = [str(self.input_size), str(self.hidden_size)]
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        shown += [f"{n}={getattr(self, n)}" for n, default in defaults.items() if getattr(self, n) != default]
        return ", ".join(shown)


class RNN(RNNBase):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), over a sequence. Source: Elman, "Finding structure in time", 1990.

    Args:
        nonlinearity: 'tanh' or 'relu'.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see `RNNBase`.

    >>> import onegraph as og
    >>> outputs, last = og.nn.RNN(10, 20, 2)(og.randn(5, 3, 10))
    >>> outputs.shape, last.shape
    (onegraph.Size([5, 3, 20]), onegraph.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            device,
            dtype,
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory over a sequence: gates i, f, o and a candidate g, c = f c + i g, h = o tanh(c).

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size: see `RNNBase`.

    Sources: Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate); Sak et al. 2014 (projection).

    >>> import onegraph as og
    >>> outputs, (h, c) = og.nn.LSTM(10, 20, 2)(og.randn(5, 3, 10))
    >>> outputs.shape, h.shape, c.shape
    (onegraph.Size([5, 3, 20]), onegraph.Size([2, 3, 20]), onegraph.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )


class GRU(RNNBase):
    """Gated recurrent units over a sequence: h = (1 - z) n + z h, n = tanh(W_in x + b_in + r (W_hn h + b_hn)).

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see `RNNBase`.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset gate r applied
    after the matrix product.

    >>> import onegraph as og
    >>> outputs, last = og.nn.GRU(10, 20, bidirectional=True)(og.randn(5, 3, 10))
    >>> outputs.shape, last.shape
    (onegraph.Size([5, 3, 40]), onegraph.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
