"""What recurrent layers say about wrong sizes, and that machine code gives what the reference gives.

Read next: `tests/nn/test_recurrent.py` (the comparison with PyTorch).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.nn.utils import rnn
from onegraph.runtime.plan import plans


def lstm(*shape: int, **options: Any) -> Callable[[], Any]:
    """A call of an LSTM of 4 features and 5 units."""
    return lambda: nn.LSTM(4, 5, **options)(og.zeros(*shape))


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lstm(6, 3, 7), ShapeError, "LSTM: the input (6, 3, 7) has 7 features, the layer takes 4"),
    (lstm(6), ShapeError, "LSTM: the input must be (time, batch, features) or (time, features), got (6,)"),
    (lstm(6, 3, 4, dtype=og.float64), DTypeError, "LSTM: the input is float32, the weights are float64"),
    (
        lambda: nn.LSTM(4, 5, 2)(og.zeros(6, 3, 4), (og.zeros(2, 3, 5), og.zeros(2, 2, 5))),
        ShapeError,
        "LSTM: c_0 is (2, 2, 5), needed is (layers * directions, batch, hidden) = (2, 3, 5)",
    ),
    (lambda: nn.LSTM(4, 5)(og.zeros(6, 3, 4), og.zeros(1, 3, 5)), ArgumentError, "LSTM: hx must be a pair (h_0, c_0)"),
    (
        lambda: nn.GRU(4, 5)(og.zeros(6, 4), og.zeros(1, 3, 5)),
        ShapeError,
        "GRU: h_0 is (1, 3, 5), needed is (layers * directions, hidden) = (1, 5)",
    ),
    (lambda: nn.RNN(4, 5, nonlinearity="sin"), ArgumentError, "RNN: nonlinearity must be 'tanh' or 'relu', got 'sin'"),
    (lambda: nn.LSTM(4, 5, proj_size=5), ArgumentError, "LSTM: proj_size 5 must be at least 0 and less than"),
    (lambda: nn.RNNBase("GRU", 4, 5, proj_size=2), ArgumentError, "only an LSTM takes proj_size"),
    (lambda: nn.RNNBase("LSTN", 4, 5), ArgumentError, "mode must be one of LSTM, GRU, RNN_TANH, RNN_RELU"),
    (lambda: nn.GRU(4, 5, num_layers=0), ArgumentError, "must be positive, got 5 and 0"),
    (lambda: nn.GRU(4, 5, 2, dropout=2.0), ArgumentError, "GRU"),
    (
        lambda: nn.LSTMCell(4, 5)(og.zeros(3, 6)),
        ShapeError,
        "LSTMCell: the input (3, 6) has 6 features, the cell takes 4",
    ),
    (lambda: nn.LSTMCell(4, 5)(og.zeros(3, 4), og.zeros(3, 5)), ArgumentError, "LSTMCell: hx must be a pair (h, c)"),
    (lambda: nn.GRUCell(4, 5)(og.zeros(3, 4), og.zeros(5)), ShapeError, "GRUCell: a state is (5,), needed is"),
    (
        lambda: og.gru_cell(og.zeros(3, 4), og.zeros(3, 5), og.zeros(12, 4), og.zeros(12, 5)),
        ShapeError,
        "gru_cell: the input has 4 features and the state 5, which needs an input weight of (15, 4), got (12, 4)",
    ),
    (
        lambda: og.lstm_cell(og.zeros(3, 4), [og.zeros(3, 2)] * 2, og.zeros(8, 4), og.zeros(8, 2), og.zeros(2)),
        ShapeError,
        "lstm_cell: a bias is (2,), needed is (4 * hidden,) = (8,)",
    ),
    (lambda: rnn.pack_padded_sequence(og.zeros(6, 2, 1), [3, 5]), ArgumentError, "lengths must be in decreasing order"),
    (lambda: rnn.pack_padded_sequence(og.zeros(6, 2, 1), [7, 5]), ArgumentError, "a length of 7 in a batch of 6 steps"),
    (lambda: rnn.pack_padded_sequence(og.zeros(6, 2, 1), [3, 0]), ArgumentError, "must be greater than 0, got [3, 0]"),
    (lambda: rnn.pack_padded_sequence(og.zeros(6, 2, 1), [3]), ArgumentError, "1 lengths for a batch of 2 (6, 2, 1)"),
    (
        lambda: rnn.pad_sequence([og.zeros(2, 3), og.zeros(2, 4)]),
        ShapeError,
        "(2, 3) and (2, 4) may differ in the first",
    ),
    (
        lambda: rnn.pad_packed_sequence(rnn.pack_sequence([og.zeros(3)]), total_length=2),
        ArgumentError,
        "total_length 2 is less than the longest sequence, 3",
    ),
    (
        lambda: rnn.pad_packed_sequence(rnn.PackedSequence(og.zeros(3), og.tensor([1, 2]))),
        ShapeError,
        "data (3,) does not fit batch sizes [1, 2]",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[re.sub(r"\W+", " ", m)[:40] for _, _, m in ERRORS])
def test_errors_name_the_layer_and_the_rule(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_machine_code_agrees_with_the_reference(rng: np.random.Generator) -> None:
    layer = nn.LSTM(2, 3, bidirectional=True)
    array = rng.normal(size=(4, 2, 2)).astype(np.float32)
    results = []
    for backend in ("reference", "native"):
        with og.config.using(backend=backend):
            layer.zero_grad()
            x = og.tensor(array, requires_grad=True)
            outputs, (h, _) = layer(rnn.pack_padded_sequence(x, [4, 2]))
            ((outputs.data**2).sum() + h.sum()).backward()
            results.append([x.grad.numpy().copy(), *[p.grad.numpy().copy() for p in layer.parameters()]])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_other_lengths_need_no_other_plan(rng: np.random.Generator) -> None:
    """Lengths are arguments of a plan, and packed data, whose size changes with them, is not computed on the way."""
    layer = nn.GRU(2, 3)
    x = og.tensor(rng.normal(size=(4, 2, 2)).astype(np.float32))
    misses = []
    with og.config.using(backend="reference"):
        for length in (3, 1, 2):
            before = plans.misses
            outputs, _ = layer(rnn.pack_padded_sequence(x, [4, length]))
            padded, _ = rnn.pad_packed_sequence(outputs)
            assert (padded[:, 1].abs().sum(-1) > 0).tolist() == [i < length for i in range(4)]
            misses.append(plans.misses - before)
    assert misses[1:] == [0, 0]
