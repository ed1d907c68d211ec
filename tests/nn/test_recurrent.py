"""RNN, LSTM and GRU against PyTorch: outputs, states and gradients, padded and packed, with the same weights.

Read next: `onegraph/nn/recurrent.py`, `onegraph/ops/recurrent.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.nn.utils import rnn

torch = pytest.importorskip("torch")
torch_rnn = torch.nn.utils.rnn


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    """Shapes differ in every test here: without machine code they take a fraction of the time."""
    with og.config.using(backend="reference"):
        yield


def pair(name: str, rng: np.random.Generator, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """The layer here and in PyTorch, with the same random weights."""
    theirs, ours = getattr(torch.nn, name)(*args, **kwargs), getattr(nn, name)(*args, **kwargs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    assert repr(ours) == repr(theirs)
    return ours, theirs


def flat(value: Any) -> list[Any]:
    """The tensors of nested tuples and packed sequences."""
    if isinstance(value, (rnn.PackedSequence, torch_rnn.PackedSequence)):
        return [value.data]
    return [t for v in value for t in flat(v)] if isinstance(value, tuple) else [value]


def compare(
    ours: Any, theirs: Any, inputs: tuple[Any, Any], rng: np.random.Generator, modules: tuple[Any, Any]
) -> None:
    """Values, and after a weighted sum of all of them the gradients of inputs and weights."""
    totals: list[Any] = [0, 0]
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=2e-6)
        weight = rng.normal(size=tuple(b.shape)).astype(np.float32)
        totals = [totals[0] + (a * og.tensor(weight)).sum(), totals[1] + (b * torch.from_numpy(weight)).sum()]
    totals[0].backward()
    totals[1].backward()
    for a, b in zip(*inputs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)
    for (name, p), q in zip(modules[0].named_parameters(), modules[1].parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=2e-5, err_msg=name)


def twice(array: Any) -> tuple[Any, Any]:
    """The same leaf here and in PyTorch."""
    array = array.astype(np.float32)
    return og.tensor(array, requires_grad=True), torch.from_numpy(array.copy()).requires_grad_()


CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bias": False, "batch_first": True},
    {"num_layers": 3, "batch_first": True},
    {"bidirectional": True, "bias": False},
]
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize(("name", "more"), KINDS, ids=str)
@pytest.mark.parametrize("form", ["padded", "with state", "unbatched", "packed", "packed unsorted"])
def test_layer_agrees_with_torch(
    name: str, more: dict[str, Any], options: dict[str, Any], form: str, rng: np.random.Generator
) -> None:
    ours, theirs = pair(name, rng, 4, 5, **options, **more)
    first, single = options.get("batch_first", False), form == "unbatched"
    shape = (6, 4) if single else (3, 6, 4) if first else (6, 3, 4)
    a, b = twice(rng.normal(size=shape))
    inputs: tuple[list[Any], list[Any]] = ([a], [b])
    states: tuple[Any, Any] = (None, None)
    if form != "padded":
        count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        widths = (more.get("proj_size", 5), 5)[: 1 + (name == "LSTM")]
        made = [twice(rng.normal(size=(count, w) if single else (count, 3, w))) for w in widths]
        for x, y in made:
            inputs[0].append(x)
            inputs[1].append(y)
        states = tuple(tuple(m[i] for m in made) if name == "LSTM" else made[0][i] for i in (0, 1))
    if form.startswith("packed"):
        lengths = [6, 4, 1] if form == "packed" else [2, 6, 5]
        x = rnn.pack_padded_sequence(a, lengths, first, enforce_sorted=form == "packed")
        y = torch_rnn.pack_padded_sequence(b, torch.tensor(lengths), first, enforce_sorted=form == "packed")
    else:
        x, y = a, b
    compare(ours(x, states[0]), theirs(y, states[1]), inputs, rng, (ours, theirs))


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("shape", [(3, 4), (4,)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_cell_agrees_with_torch(name: str, shape: tuple[int, ...], bias: bool, rng: np.random.Generator) -> None:
    ours, theirs = pair(name, rng, 4, 5, bias)
    a, b = twice(rng.normal(size=shape))
    compare(ours(a), theirs(b), ([a], [b]), rng, (ours, theirs))
    ours.zero_grad()
    theirs.zero_grad()
    made = [twice(rng.normal(size=(*shape[:-1], 5))) for _ in range(1 + (name == "LSTMCell"))]
    c, d = twice(rng.normal(size=shape))
    states = [tuple(m[i] for m in made) if len(made) == 2 else made[0][i] for i in (0, 1)]
    inputs = ([c, *[m[0] for m in made]], [d, *[m[1] for m in made]])
    compare(ours(c, states[0]), theirs(d, states[1]), inputs, rng, (ours, theirs))


def test_packing_agrees_with_torch(rng: np.random.Generator) -> None:
    array = rng.normal(size=(4, 6, 2)).astype(np.float32)
    for lengths, options in (([5, 3, 3, 1], {}), ([3, 5, 1, 2], {"enforce_sorted": False})):
        ours = rnn.pack_padded_sequence(og.tensor(array), lengths, True, **options)
        theirs = torch_rnn.pack_padded_sequence(torch.from_numpy(array), torch.tensor(lengths), True, **options)
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_array_equal(a.numpy(), b.numpy())
        by_hand = rnn.PackedSequence(*ours)  # knows no padded form
        for packed in (ours, by_hand, ours._replace(data=ours.data * 2), ours.double().float()):
            scale = 2 if packed.data.numpy()[0, 0] != ours.data.numpy()[0, 0] else 1
            for total in (None, 7):
                padded, sizes = rnn.pad_packed_sequence(packed, True, -1.0, total)
                wanted, wanted_sizes = torch_rnn.pad_packed_sequence(
                    theirs._replace(data=theirs.data * scale), True, -1.0, total
                )
                np.testing.assert_array_equal(padded.numpy(), wanted.numpy())
                assert sizes.tolist() == wanted_sizes.tolist() == lengths


def test_dropout_between_layers_is_of_training_only(rng: np.random.Generator) -> None:
    layer = nn.LSTM(4, 5, 2, dropout=1.0)
    x = og.tensor(rng.normal(size=(6, 3, 4)).astype(np.float32))
    trained, _ = layer(x)
    with_zeros = nn.LSTM(5, 5)
    state = {k.replace("l1", "l0"): v for k, v in layer.state_dict().items() if "l1" in k}
    with_zeros.load_state_dict(state)
    expected, _ = with_zeros(og.zeros(6, 3, 5))
    np.testing.assert_allclose(trained.detach().numpy(), expected.detach().numpy(), rtol=1e-6)
    first, second = layer.eval()(x)[0].detach().numpy(), layer(x)[0].detach().numpy()
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - trained.detach().numpy()).max() > 1e-3
    with pytest.warns(UserWarning, match="one layer"):
        nn.GRU(4, 5, dropout=0.5)


def test_gradients_of_gradients(rng: np.random.Generator) -> None:
    layer = nn.GRU(2, 3).double()
    x = og.tensor(rng.normal(size=(3, 2, 2)), requires_grad=True)
    (g,) = og.autograd.grad((layer(x)[0] ** 2).sum(), x, create_graph=True)
    (second,) = og.autograd.grad((g**2).sum(), x)
    theirs = torch.nn.GRU(2, 3).double()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in layer.state_dict().items()})
    y = torch.from_numpy(x.detach().numpy().copy()).requires_grad_()
    (h,) = torch.autograd.grad((theirs(y)[0] ** 2).sum(), y, create_graph=True)
    (wanted,) = torch.autograd.grad((h**2).sum(), y)
    np.testing.assert_allclose(second.numpy(), wanted.numpy(), rtol=1e-8, atol=1e-10)
