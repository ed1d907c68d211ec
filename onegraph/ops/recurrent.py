"""Recurrent networks on nodes: one step of an RNN, LSTM or GRU, and a whole sequence as a scan of such steps.

What the inputs add to the gates needs no recurrence: it is one matrix product for all steps, outside of the scan. Gates
stand in PyTorch's order. Read next: `control_functions.py` (the scan), `nn/recurrent.py` (the layers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.node import Node
from onegraph.ops.activation import relu
from onegraph.ops.binary import ADD, LT, MUL, SUB, add
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.control_functions import scan
from onegraph.ops.dropout import dropout
from onegraph.ops.elementwise import SIGMOID, TANH, WHERE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.linear import linear
from onegraph.ops.movement import concat, expand_to, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.shapes import check_same_dtype, same_size, show

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
"""How many gates, each as wide as the hidden state, the kinds of network have."""


class Weights(NamedTuple):
    """The weights of one direction of one layer.

    Attributes:
        input: (gates * hidden, features), what the inputs are multiplied with.
        hidden: (gates * hidden, outputs), what the previous output is multiplied with.
        input_bias, hidden_bias: (gates * hidden,) or None.
        projection: (outputs, hidden) of an LSTM whose output is narrower than its state, or None.
    """

    input: Node
    hidden: Node
    input_bias: Node | None = None
    hidden_bias: Node | None = None
    projection: Node | None = None


State = tuple[Node, ...]
"""What is carried from step to step: the output, and the cell's content for an LSTM."""


# ------------------------------------------------------------------------------------------------- one step


def _gates(x: Node, count: int) -> list[Node]:
    width = x.shape[-1] // count
    return [slice_dim(x, len(x.shape) - 1, i * width, (i + 1) * width) for i in range(count)]


def _from_hidden(h: Node, weights: Weights) -> Node:
    return MATMUL(h, transpose_last(weights.hidden))


def _lstm_step(row: Node, state: State, weights: Weights) -> State:
    """Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997; forget gate: Gers et al., 2000."""
    h, c = state
    i, f, g, o = _gates(ADD(row, _from_hidden(h, weights)), 4)
    c = ADD(MUL(SIGMOID(f), c), MUL(SIGMOID(i), TANH(g)))
    h = MUL(SIGMOID(o), TANH(c))
    if weights.projection is not None:  # Sak et al., "LSTM based recurrent neural network architectures", 2014
        h = MATMUL(h, transpose_last(weights.projection))
    return h, c


def _gru_step(row: Node, state: State, weights: Weights) -> State:
    """Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset gate
    applied after the matrix product."""
    (h,) = state
    hidden = _from_hidden(h, weights)
    if weights.hidden_bias is not None:
        hidden = add(hidden, weights.hidden_bias)
    reset, update, new = _gates(row, 3)
    hidden_reset, hidden_update, hidden_new = _gates(hidden, 3)
    update = SIGMOID(ADD(update, hidden_update))
    new = TANH(ADD(new, MUL(SIGMOID(ADD(reset, hidden_reset)), hidden_new)))
    return (ADD(new, MUL(update, SUB(h, new))),)


def _rnn_step(function: Callable[[Node], Node]) -> Callable[[Node, State, Weights], State]:
    def step(row: Node, state: State, weights: Weights) -> State:
        """Source: Elman, "Finding structure in time", 1990."""
        return (function(ADD(row, _from_hidden(state[0], weights))),)

    return step


_STEPS: dict[str, Callable[[Node, State, Weights], State]] = {
    "LSTM": _lstm_step,
    "GRU": _gru_step,
    "RNN_TANH": _rnn_step(TANH),
    "RNN_RELU": _rnn_step(relu),
}


def _projected(kind: str, x: Node, weights: Weights) -> Node:
    """What the inputs add to the gates, with the biases that can be added before the recurrence."""
    bias = weights.input_bias
    if kind != "GRU" and weights.hidden_bias is not None:
        bias = weights.hidden_bias if bias is None else ADD(bias, weights.hidden_bias)
    return linear(x, weights.input, bias)


# ------------------------------------------------------------------------------------------ checks of sizes


def _need(name: str, what: str, node: Node, rule: str, *sizes: Size) -> None:
    if len(node.shape) != len(sizes) or not all(same_size(a, b) for a, b in zip(node.shape, sizes, strict=True)):
        raise ShapeError(f"{name}: {what} is {show(node.shape)}, needed is {rule} = {show(sizes)}")


def check_weights(name: str, kind: str, features: Size, width: Size, weights: Weights) -> Size:
    """A typed error unless the weights fit an input of so many features and an output of a width.

    Returns:
        The width of the hidden state: that of the output, but with a projection.
    """
    w_in, w_hidden = weights.input, weights.hidden
    check_same_dtype(name, *[w for w in weights if w is not None])
    rows = w_in.shape[0] if w_in.shape else 0
    if kind not in GATES:
        raise ArgumentError(f"{name}: the kind must be one of {', '.join(GATES)}, got {kind!r}")
    hidden = width if weights.projection is None else weights.projection.shape[-1]
    if weights.projection is not None:
        if kind != "LSTM":
            raise ArgumentError(f"{name}: only an LSTM has a projection")
        _need(name, "the projection", weights.projection, "(outputs, hidden)", width, hidden)
    expected = GATES[kind] * hidden
    if len(w_in.shape) != 2 or not same_size(rows, expected) or not same_size(w_in.shape[1], features):
        raise ShapeError(
            f"{name}: the input has {features} features and the state {hidden}, "
            f"which needs an input weight of {show((expected, features))}, got {show(w_in.shape)}"
        )
    _need(name, "the hidden weight", w_hidden, f"({GATES[kind]} * hidden, outputs)", expected, width)
    for bias in (weights.input_bias, weights.hidden_bias):
        if bias is not None:
            _need(name, "a bias", bias, f"({GATES[kind]} * hidden,)", expected)
    return hidden


def zero_state(kind: str, x: Node, batch: Size, weights: Weights) -> State:
    """Zeros to start with, for an input x."""
    widths = [weights.hidden.shape[1]] + [weights.hidden.shape[0] // 4] * (kind == "LSTM")
    return tuple([expand_to(constant(0, x.dtype), (batch, width)) for width in widths])


# ------------------------------------------------------------------------------------------ whole sequences


def recurrent(
    kind: str,
    x: Node,
    state: State | None,
    weights: Weights,
    *,
    lengths: Node | None = None,
    mask: Node | None = None,
    reverse: bool = False,
    name: str = "",
) -> tuple[Node, State]:
    """One layer in one direction over a whole sequence.

    Args:
        kind: "LSTM", "GRU" (reset gate after the product), "RNN_TANH" or "RNN_RELU".
        x: (time, batch, features).
        state: (h,), of an LSTM (h, c): each (batch, width); zeros when None.
        weights: see `Weights`.
        lengths: int64 (batch,): how many steps of each sequence count; later ones leave the state as it is.
        mask: bool (time, batch), the same for steps anywhere; not together with `lengths`.
        reverse: from the last step to the first; output i still belongs to input i.
        name: of the layer, for errors.

    Returns:
        Outputs (time, batch, width), and the last state. Where a step does not count, the output is that of the
        step before it.

    Raises:
        ShapeError, DTypeError: sizes or dtypes do not fit.

    >>> from onegraph.ops.movement import full
    >>> w = Weights(full((8, 3), 0.1), full((8, 2), 0.1))
    >>> outputs, (h, c) = recurrent("LSTM", full((5, 4, 3), 1.0), None, w)
    >>> outputs.shape, h.shape, c.shape
    ((5, 4, 2), (4, 2), (4, 2))
    """
    name = name or kind
    if len(x.shape) != 3:
        raise ShapeError(f"{name}: the input must be (time, batch, features), got {show(x.shape)}")
    steps, batch, features = x.shape
    check_same_dtype(name, x, weights.input)
    hidden = check_weights(name, kind, features, weights.hidden.shape[-1], weights)
    if state is None:
        state = zero_state(kind, x, batch, weights)
    for part, width in zip(state, (weights.hidden.shape[1], hidden), strict=False):
        _need(name, "a state", part, "(batch, hidden)", batch, width)
        check_same_dtype(name, x, part)
    if lengths is not None:
        mask = LT(reshape_to(iota(steps), (steps, 1)), reshape_to(lengths, (1, batch)))
    advance = _STEPS[kind]

    def step(carry: State, row: Any) -> tuple[State, Node]:
        if mask is None:
            new = advance(row, carry, weights)
        else:
            row, counts = row
            counts = reshape_to(counts, (batch, 1))
            new = tuple([WHERE(counts, a, b) for a, b in zip(advance(row, carry, weights), carry, strict=True)])
        return new, new[0]

    rows = _projected(kind, x, weights)
    last, outputs = scan(step, tuple(state), rows if mask is None else (rows, mask), reverse=reverse)
    return outputs, last


class Stack(NamedTuple):
    """What several layers give: outputs (time, batch, directions * width), and the last states.

    Attributes:
        outputs: of the last layer.
        states: each (layers * directions, batch, width): the hidden one, and the cell's for an LSTM.
    """

    outputs: Node
    states: State


@dataclass(frozen=True)
class Layers:
    """How layers are stacked.

    Attributes:
        kind: as for `recurrent`.
        directions: 2 where a second network reads each sequence backwards; their outputs are joined.
        dropout: the probability of setting to 0 what one layer hands to the next.
        keys: for the random numbers of that, one for each layer but the last; empty where nothing is dropped.
        name: of the layer, for errors.
    """

    kind: str
    directions: int = 1
    dropout: float = 0.0
    keys: Sequence[Node] = ()
    name: str = ""


def stacked(
    layers: Layers, x: Node, states: State | None, weights: Sequence[Weights], lengths: Node | None = None
) -> Stack:
    """Layers on top of each other, each in one or two directions.

    Args:
        layers: see `Layers`.
        x: (time, batch, features).
        states: each (layers * directions, batch, width), or None for zeros.
        weights: those of the first layer's directions, then those of the second's, ...
        lengths: as for `recurrent`.
    """
    last: list[State] = []
    batch = x.shape[1]
    for first in range(0, len(weights), layers.directions):
        outputs = []
        for direction in range(layers.directions):
            place = first + direction
            own = None
            if states is not None:
                own = tuple([reshape_to(slice_dim(s, 0, place, place + 1), (batch, s.shape[-1])) for s in states])
            result, state = recurrent(
                layers.kind, x, own, weights[place], lengths=lengths, reverse=direction == 1, name=layers.name
            )
            outputs.append(result)
            last.append(state)
        x = outputs[0] if len(outputs) == 1 else concat(outputs, 2)
        number = first // layers.directions
        if layers.keys and number < len(layers.keys):
            x = dropout(layers.keys[number], x, layers.dropout)
    joined = [concat([reshape_to(s, (1, *s.shape)) for s in parts], 0) for parts in zip(*last, strict=True)]
    return Stack(x, tuple(joined))


# ------------------------------------------------------------------------------------------------- the cells


def _cell(kind: str, name: str, input: Any, state: Sequence[Any], given: Sequence[Any]) -> State:
    """One step from what a user gave; a state of one dimension goes with an input without a batch."""
    x = as_node(input)
    h = tuple([as_node(s) for s in state])
    weights = Weights(*[None if w is None else as_node(w) for w in given])  # type: ignore[arg-type]
    check_same_dtype(name, x, *h, weights.input)
    if len(x.shape) not in (1, 2):
        raise ShapeError(f"{name}: the input must be (batch, features) or (features,), got {show(x.shape)}")
    single = len(x.shape) == 1
    if single:
        x = reshape_to(x, (1, *x.shape))
        h = tuple([reshape_to(s, (1, *s.shape)) for s in h])
    width = weights.hidden.shape[-1] if weights.hidden.shape else 0
    for part in h:
        _need(name, "a state", part, "(batch, hidden)", x.shape[0], width)
    check_weights(name, kind, x.shape[1], width, weights)
    new = _STEPS[kind](_projected(kind, x, weights), h, weights)
    return tuple([reshape_to(s, s.shape[1:]) for s in new]) if single else new


@public(method=False)
def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple[Node, Node]:
    """One step of an LSTM.

    Args:
        input: (batch, features) or (features,).
        hx: (h, c), each (batch, hidden) or (hidden,).
        w_ih: (4 * hidden, features): for the gates input, forget, cell, output.
        w_hh: (4 * hidden, hidden).
        b_ih, b_hh: (4 * hidden,) or None.

    Returns:
        The next h and c.

    Raises:
        ShapeError, DTypeError: sizes or dtypes do not fit.
    """
    h, c = _cell("LSTM", "lstm_cell", input, tuple(hx), (w_ih, w_hh, b_ih, b_hh))
    return h, c


@public(method=False)
def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Node:
    """One step of a GRU; arguments as for `lstm_cell`, with one state and gates reset, update, new."""
    return _cell("GRU", "gru_cell", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


@public(method=False)
def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Node:
    """One step of a plain recurrent network with tanh; arguments as for `lstm_cell`, with one state and one gate."""
    return _cell("RNN_TANH", "rnn_tanh_cell", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


@public(method=False)
def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Node:
    """One step of a plain recurrent network with ReLU; arguments as for `lstm_cell`, with one state and one gate."""
    return _cell("RNN_RELU", "rnn_relu_cell", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]
