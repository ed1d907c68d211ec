"""RNN, GRU and LSTM with all their options. Source: the operator pages of the ONNX standard, whose equations are followed.

Read next: `onegraph/frontend/control.py`, whose scan carries the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator

_Function = Callable[[og.Tensor], og.Tensor]


def _activations(layer: _Layer, default: list[str]) -> list[_Function]:
    call, each = layer.call, len(default)
    names = call.get("activations") or default * layer.directions
    alphas, betas = list(call.get("activation_alpha") or []), list(call.get("activation_beta") or [])
    found: list[_Function] = []
    for name in names:
        found.append(_activation(call, name.lower(), alphas, betas))
    while len(found) % each:
        found.append(found[-1])
    return found


def _activation(call: Call, name: str, alphas: list[float], betas: list[float]) -> _Function:
    def take(values: list[float], default: float) -> float:
        return values.pop(0) if values else default

    plain: dict[str, _Function] = {
        "relu": og.relu,
        "tanh": og.tanh,
        "sigmoid": og.sigmoid,
        "softsign": F.softsign,
        "softplus": F.softplus,
    }
    if name in plain:
        return plain[name]
    defaults = {"affine": (1.0, 0.0), "leakyrelu": (0.01, 0.0), "thresholdedrelu": (1.0, 0.0), "scaledtanh": (1.0, 1.0),
                "hardsigmoid": (0.2, 0.5), "elu": (1.0, 0.0)}  # fmt: skip
    if name not in defaults:
        raise call.error(f"there is no activation {name[:50]!r}")
    a = take(alphas, defaults[name][0])
    b = take(betas, defaults[name][1]) if name in ("affine", "scaledtanh", "hardsigmoid") else 0.0
    made: dict[str, _Function] = {
        "affine": lambda x: a * x + b,
        "leakyrelu": lambda x: F.leaky_relu(x, a),
        "thresholdedrelu": lambda x: og.where(x > a, x, og.zeros_like(x)),
        "scaledtanh": lambda x: a * og.tanh(b * x),
        "hardsigmoid": lambda x: (a * x + b).clamp(0, 1),
        "elu": lambda x: F.elu(x, a),
    }
    return made[name]


def _clipped(call: Call, x: og.Tensor) -> og.Tensor:
    return x.clamp(-call.get("clip"), call.get("clip")) if call.has("clip") else x


class _Layer:
    """What the three have in common: directions, layouts, lengths, and states that stop where a sequence ends."""

    def __init__(
        self, call: Call, x: og.Tensor, w: og.Tensor, r: og.Tensor, b: Any, lengths: Any, states: list[Any]
    ) -> None:
        self.call, self.weights, self.bias = call, w, b
        self.batch_first = bool(call.get("layout", 0))
        self.x = og.moveaxis(x, 0, 1) if self.batch_first else x
        self.lengths = lengths
        self.hidden = r.shape[-1]
        batch, directions = self.x.shape[1], w.shape[0]
        self.states = []
        for state in states:
            if state is None:
                state = og.zeros(directions, batch, self.hidden, dtype=x.dtype)
            elif self.batch_first:
                state = og.moveaxis(state, 0, 1)
            self.states.append(state)
        self.directions = directions

    def run(self, step: Callable[[int, Any, tuple[og.Tensor, ...]], tuple[og.Tensor, ...]]) -> tuple[og.Tensor, ...]:
        """All outputs and the last states. `step` takes the direction, the projected input and the states."""
        way = self.call.get("direction", "forward")
        found, last = [], []
        for d in range(self.directions):
            found_d, last_d = self._run(step, d, way == "reverse" or d == 1)
            found.append(found_d)
            last.append(last_d)
        outputs = og.stack(found, 1)  # (time, directions, batch, hidden)
        states = [og.stack([row[i] for row in last]) for i in range(len(self.states))]
        if self.batch_first:
            outputs = outputs.permute([2, 0, 1, 3])
            states = [og.moveaxis(s, 0, 1) for s in states]
        return (outputs, *states)

    def _run(self, step: Any, d: int, reverse: bool) -> tuple[og.Tensor, tuple[og.Tensor, ...]]:
        time = self.x.shape[0]
        inputs = og.matmul(self.x, self.weights[d].permute([1, 0]))
        positions = og.arange(time)

        def turn(states: tuple[og.Tensor, ...], values: tuple[og.Tensor, og.Tensor]) -> Any:
            projected, position = values
            new = step(d, projected, states)
            if self.lengths is None:
                return new, new[0]
            inside = (position < self.lengths.to(og.int64)).reshape([-1, 1])
            kept = tuple(og.where(inside, n, s) for n, s in zip(new, states, strict=True))
            return kept, og.where(inside, new[0], og.zeros_like(new[0]))

        first = tuple(s[d] for s in self.states)
        last, outputs = og.scan(turn, first, (inputs, positions), reverse=reverse)
        return outputs, last

    def biases(self, d: int, gates: int) -> tuple[Any, Any]:
        """Those of the inputs and those of the state, zeros where there are none."""
        if self.bias is None:
            zero = og.zeros(gates * self.hidden, dtype=self.x.dtype)
            return zero, zero
        return self.bias[d][: gates * self.hidden], self.bias[d][gates * self.hidden :]


@operator("RNN")
def rnn(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[og.Tensor, ...]:
    """One activation of the input and the state before."""
    layer = _Layer(call, x, w, r, b, lengths, [h])
    functions = _activations(layer, ["Tanh"])

    def step(d: int, projected: og.Tensor, states: tuple[og.Tensor, ...]) -> tuple[og.Tensor, ...]:
        of_input, of_state = layer.biases(d, 1)
        total = projected + og.matmul(states[0], r[d].permute([1, 0])) + of_input + of_state
        return (functions[d](_clipped(call, total)),)

    return layer.run(step)


@operator("GRU")
def gru(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[og.Tensor, ...]:
    """Gates z (update) and r (reset), then the new state."""
    layer = _Layer(call, x, w, r, b, lengths, [h])
    functions, n = _activations(layer, ["Sigmoid", "Tanh"]), layer.hidden

    def step(d: int, projected: og.Tensor, states: tuple[og.Tensor, ...]) -> tuple[og.Tensor, ...]:
        gate, new = functions[2 * d], functions[2 * d + 1]
        of_input, of_state = layer.biases(d, 3)
        (before,), own = states, r[d].permute([1, 0])
        both = projected[:, : 2 * n] + og.matmul(before, own[:, : 2 * n]) + of_input[: 2 * n] + of_state[: 2 * n]
        both = gate(_clipped(call, both))
        z, reset = both[:, :n], both[:, n:]
        given = projected[:, 2 * n :] + of_input[2 * n :]
        if call.get("linear_before_reset", 0):
            total = given + reset * (og.matmul(before, own[:, 2 * n :]) + of_state[2 * n :])
        else:
            total = given + og.matmul(reset * before, own[:, 2 * n :]) + of_state[2 * n :]
        return ((1 - z) * new(_clipped(call, total)) + z * before,)

    return layer.run(step)


@operator("LSTM")
def lstm(
    call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None, c: Any = None, p: Any = None
) -> tuple[og.Tensor, ...]:
    """Gates i (input), o (output), f (forget) and the cell, with peepholes where they are given."""
    layer = _Layer(call, x, w, r, b, lengths, [h, c])
    functions, n = _activations(layer, ["Sigmoid", "Tanh", "Tanh"]), layer.hidden

    def step(d: int, projected: og.Tensor, states: tuple[og.Tensor, ...]) -> tuple[og.Tensor, ...]:
        gate, inner, outer = functions[3 * d : 3 * d + 3]
        of_input, of_state = layer.biases(d, 4)
        before, cell = states
        total = projected + og.matmul(before, r[d].permute([1, 0])) + of_input + of_state
        i, o, f, new = (total[:, k * n : (k + 1) * n] for k in range(4))
        if p is not None:
            i, f = i + p[d][:n] * cell, f + p[d][2 * n :] * cell
        i = gate(_clipped(call, i))
        f = 1 - i if call.get("input_forget", 0) else gate(_clipped(call, f))
        found = f * cell + i * inner(_clipped(call, new))
        if p is not None:
            o = o + p[d][n : 2 * n] * found
        return gate(_clipped(call, o)) * outer(found), found

    return layer.run(step)
