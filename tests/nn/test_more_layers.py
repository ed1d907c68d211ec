"""Layers with other inputs than one floating tensor, against PyTorch: bags, unpooling, adaptive softmax, lazy layers, CTC.

Read next: `tests/nn/test_layers.py` (the table of the usual layers).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, OutOfRangeError, ShapeError, UninitializedError, UnsupportedError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    """Shapes differ in every test here: without machine code they take a fraction of the time."""
    with og.config.using(backend="reference"):
        yield


def pair(make: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """The layer here and in PyTorch, with the same random weights."""
    theirs, ours = make(torch.nn), make(nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.from_numpy(rng.normal(size=tuple(p.shape)).astype(np.float32)))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def leaf(value: Any, lib: Any) -> Any:
    """A tensor of a library; floating arrays collect gradients."""
    if not isinstance(value, np.ndarray):
        return value
    made = lib.tensor(value)
    return made.requires_grad_() if value.dtype == np.float32 else made


def check(ours: Any, theirs: Any, rng: np.random.Generator, *args: Any, **kwargs: Any) -> None:
    """Results, gradients of arguments and weights, and state."""
    sides = []
    for module, lib in ((ours, og), (theirs, torch)):
        made = [leaf(a, lib) for a in args]
        named = {k: leaf(v, lib) for k, v in kwargs.items()}
        result = module(*made, **named)
        sides.append(([*made, *named.values()], list(result) if isinstance(result, tuple) else [result]))
    total: list[Any] = [0, 0]
    for a, b in zip(sides[0][1], sides[1][1], strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=2e-5)
        if b.requires_grad:
            seed = rng.normal(size=tuple(b.shape)).astype(np.float32)
            total = [total[0] + (a * og.tensor(seed)).sum(), total[1] + (b * torch.tensor(seed)).sum()]
    for t in total:
        if not isinstance(t, int):
            t.backward()
    for a, b in zip(sides[0][0], sides[1][0], strict=True):
        if isinstance(b, torch.Tensor) and b.requires_grad:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


BAGS: list[dict[str, Any]] = [
    {},
    {"mode": "sum", "padding_idx": 2},
    {"mode": "max"},
    {"mode": "max", "padding_idx": -4},
    {"mode": "mean", "padding_idx": 1, "scale_grad_by_freq": False},
    {"mode": "mean", "max_norm": 1.0},
]


@pytest.mark.parametrize("options", BAGS, ids=str)
@pytest.mark.parametrize("form", ["rows", "offsets", "last offset", "weighted"])
def test_embedding_bag(options: dict[str, Any], form: str, rng: np.random.Generator) -> None:
    last = form == "last offset"
    if form == "weighted" and options.get("mode") != "sum":
        pytest.skip("only sums are weighted")
    ours, theirs = pair(lambda n: n.EmbeddingBag(6, 3, include_last_offset=last, **options), rng)
    index = rng.integers(0, 6, (4, 5))
    if form in ("rows", "weighted"):
        weights = rng.normal(size=(4, 5)).astype(np.float32) if form == "weighted" else None
        check(ours, theirs, rng, index, per_sample_weights=weights)
    else:
        offsets = [0, 3, 3, 10, 20] if last else [0, 3, 3, 10]  # the second bag is empty
        check(ours, theirs, rng, index.reshape(-1), np.array(offsets))


def test_gradients_of_bags_by_frequency() -> None:
    """Rows 0, 1, 2 are listed 2, 3 and 1 times. (PyTorch 2.13 divides row 1 by 2 and row 2 by 3 on a processor.)"""
    bag = nn.EmbeddingBag(4, 1, mode="sum", scale_grad_by_freq=True)
    result = bag(og.tensor([[0, 1, 1], [1, 2, 0]]))
    (result * og.tensor([[1.0], [10.0]])).sum().backward()
    np.testing.assert_allclose(bag.weight.grad.numpy()[:, 0], [11 / 2, 12 / 3, 10, 0], rtol=1e-6)


@pytest.mark.parametrize("options", [{"max_norm": 1.0}, {"max_norm": 0.5, "norm_type": 1.0, "padding_idx": 2}], ids=str)
def test_embedding_with_a_largest_norm(options: dict[str, Any], rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.Embedding(6, 3, **options), rng)
    check(ours, theirs, rng, np.array([[0, 2, 2], [5, 0, 1]]))
    untouched = ours.weight.detach().numpy()[3]
    assert np.abs(untouched).sum() > 0


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling(rank: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, *[7] * rank)).astype(np.float32)
    pools = [getattr(n, f"MaxPool{rank}d")(2, stride=2, return_indices=True) for n in (nn, torch.nn)]
    ours, theirs = (getattr(n, f"MaxUnpool{rank}d")(2, stride=2) for n in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    a, b = og.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = ours(*pools[0](a), output_size=(7,) * rank)
    z = theirs(*pools[1](b), output_size=(7,) * rank)
    np.testing.assert_array_equal(y.detach().numpy(), z.detach().numpy())
    (y**2).sum().backward()
    (z**2).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("batched", [True, False])
def test_fractional_pooling(rank: int, batched: bool, rng: np.random.Generator) -> None:
    x = rng.normal(size=(*[2] * batched, 3, *(9, 8, 7)[:rank])).astype(np.float32)
    samples = rng.random((2 if batched else 1, 3, rank)).astype(np.float32)
    name = f"FractionalMaxPool{rank}d"
    for options in ({"output_size": (5, 4, 3)[:rank]}, {"output_ratio": (0.6, 0.7, 0.5)[:rank]}):
        results = []
        for lib in (og, torch):
            layer = getattr(lib.nn, name)(2, **options, return_indices=True, _random_samples=lib.tensor(samples))
            made = leaf(x, lib)
            values, indices = layer(made)
            (values**2).sum().backward()
            results.append((values.detach().numpy(), indices.numpy(), made.grad.numpy()))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    assert getattr(nn, name)(2, output_ratio=0.5)(og.tensor(x)).shape[-1] == x.shape[-1] // 2
    with pytest.raises(ArgumentError, match="give either output_size or output_ratio"):
        getattr(nn, name)(2)
    with pytest.raises(ArgumentError, match="do not fit into"):
        getattr(nn, name)(2, output_size=9)(og.tensor(x))


@pytest.mark.parametrize("bias", [False, True])
def test_adaptive_softmax(bias: bool, rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10, 15], 2.0, head_bias=bias), rng)
    x, target = rng.normal(size=(8, 16)).astype(np.float32), np.array([0, 4, 5, 9, 10, 14, 15, 19])
    check(ours, theirs, rng, x, target)
    for method in ("log_prob", "predict"):
        found = getattr(ours, method)(og.tensor(x)).detach().numpy()
        np.testing.assert_allclose(
            found, getattr(theirs, method)(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
        )
    assert ours(og.tensor(x[0]), og.tensor(7)).output.shape == ()
    with pytest.raises(OutOfRangeError):
        ours(og.tensor(x[:1]), og.tensor([20])).loss.item()
    with pytest.raises(ArgumentError, match="cutoffs must be increasing integers from 1 to 19"):
        nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 5])
    with pytest.raises(ShapeError, match="the batches differ"):
        ours(og.tensor(x), og.tensor([1]))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_cross_map_normalization(size: int, rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.CrossMapLRN2d(size, alpha=0.1, beta=0.6, k=2), rng)
    x = rng.normal(size=(2, 6, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(og.tensor(x)).numpy(), theirs(torch.tensor(x)).numpy(), rtol=1e-5)


def test_linear_cross_entropy(rng: np.random.Generator) -> None:
    for options, x, target in (
        ({"bias": True, "label_smoothing": 0.1}, (4, 5), rng.integers(0, 3, 4)),
        ({"out_features": (2,), "ignore_index": 1, "reduction": "sum"}, (4, 5), rng.integers(0, 3, (4, 2))),
        ({"reduction": "none"}, (5,), np.array(2)),
    ):
        ours, theirs = pair(lambda n, options=options: n.LinearCrossEntropyLoss(5, 3, **options), rng)
        check(ours, theirs, rng, rng.normal(size=x).astype(np.float32), target)


def test_losses_take_arguments_by_name(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 2, 4)).astype(np.float32)
    values = []
    for lib in (og, torch):
        loss = lib.nn.CTCLoss(blank=1, reduction="sum")
        log_probs = lib.tensor(x).log_softmax(-1)
        lengths = {"input_lengths": lib.tensor([6, 5]), "target_lengths": lib.tensor([2, 1])}
        found = loss(log_probs=log_probs, targets=lib.tensor([[2, 3], [0, 0]]), **lengths).item()
        same = lib.nn.MSELoss()(input=log_probs, target=log_probs * 2).item()
        near = lib.nn.CosineSimilarity(-1)(x1=log_probs, x2=log_probs).sum().item()
        values.append(
            (found, same, near, lib.nn.NLLLoss2d()(log_probs.reshape(6, 4, 2), lib.tensor([[1, 2]] * 6)).item())
        )
    np.testing.assert_allclose(*values, rtol=1e-5)


LAZY: list[tuple[str, tuple[Any, ...], tuple[int, ...]]] = [
    ("LazyLinear", (3,), (2, 5)),
    *[(f"LazyConv{d}d", (4, 2), (2, 3, *[5] * d)) for d in (1, 2, 3)],
    *[(f"LazyConvTranspose{d}d", (4, 2), (2, 3, *[3] * d)) for d in (1, 2, 3)],
    *[(f"LazyBatchNorm{d}d", (), (2, 3, *[4] * d)) for d in (1, 2, 3)],
    *[(f"LazyInstanceNorm{d}d", (), (2, 3, *[4] * d)) for d in (1, 2, 3)],
]


@pytest.mark.parametrize(("name", "args", "shape"), LAZY, ids=[entry[0] for entry in LAZY])
def test_lazy_layers_become_usual_ones(
    name: str, args: tuple[Any, ...], shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.has_uninitialized_params() and theirs.has_uninitialized_params()
    known = list(ours.parameters())
    x = rng.normal(size=shape).astype(np.float32)
    theirs(torch.tensor(x))
    ours(og.tensor(x))
    assert type(ours).__name__ == type(theirs).__name__ == name.removeprefix("Lazy")
    assert repr(ours) == repr(theirs) and all(a is b for a, b in zip(known, ours.parameters(), strict=True))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    check(ours, theirs, rng, x)


def test_lazy_layers_load_and_complain() -> None:
    layer = nn.LazyLinear(3)
    with pytest.raises(UninitializedError, match="UninitializedParameter has no shape yet"):
        layer.weight.shape  # noqa: B018
    layer.load_state_dict(nn.Linear(4, 3).state_dict())
    assert layer.weight.shape == (3, 4) and not layer.has_uninitialized_params()
    assert layer(og.ones(2, 4)).shape == (2, 3)
    with pytest.raises(ShapeError, match="LazyConv2d: needs an input of 3 or 4 dimensions"):
        nn.LazyConv2d(3, 2)(og.ones(2, 3))
    parameter = nn.UninitializedParameter(requires_grad=False)
    parameter.materialize((2, 3), dtype=og.float64)
    assert type(parameter) is nn.Parameter and parameter.dtype is og.float64 and not parameter.requires_grad


def test_synchronized_and_old_batch_normalization(rng: np.random.Generator) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(3)))
    state = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert [type(m).__name__ for m in converted.modules()].count("SyncBatchNorm") == 2
    assert list(converted.state_dict()) == list(state)
    x = og.tensor(rng.normal(size=(2, 2, 3, 3)).astype(np.float32))
    expected = nn.BatchNorm2d(2)(x).detach().numpy()
    np.testing.assert_allclose(converted[1](x).detach().numpy(), expected, rtol=1e-5)
    # Files from before batches were counted lack the count.
    old = {k: v for k, v in state.items() if "num_batches" not in k}
    assert repr(converted.load_state_dict(old)) == "<All keys matched successfully>"


def test_data_parallel_and_containers() -> None:
    layer = nn.Linear(2, 1)
    wrapped = nn.DataParallel(layer, device_ids=["cpu"])
    x = og.ones(3, 2)
    assert wrapped(x).tolist() == layer(x).tolist() == nn.parallel.data_parallel(layer, x).tolist()
    parameters = nn.ParameterDict({"a": og.ones(2)})
    parameters.setdefault("b", og.zeros(1))
    assert list(parameters.copy()) == ["a", "b"] and parameters.get("c") is None and parameters.popitem()[0] == "b"
    parameters.clear()
    assert len(parameters) == 0


def test_convolution_with_time_first(rng: np.random.Generator) -> None:
    x, w, b = (rng.normal(size=s).astype(np.float32) for s in ((6, 2, 3), (3, 3, 4), (4,)))
    found = nn.functional.conv_tbc(og.tensor(x), og.tensor(w), og.tensor(b), 1).numpy()
    wanted = torch.conv_tbc(torch.tensor(x), torch.tensor(w), torch.tensor(b), 1).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.EmbeddingBag(4, 2)(og.zeros(2, 2, dtype=og.int64), og.tensor([0])), ArgumentError, "take none"),
        (
            lambda: nn.EmbeddingBag(4, 2, mode="min")(og.zeros(2, 2, dtype=og.int64)),
            ArgumentError,
            "'sum', 'mean' or 'max'",
        ),
        (
            lambda: nn.EmbeddingBag(4, 2)(og.zeros(2, 2, dtype=og.int64), per_sample_weights=og.ones(2, 2)),
            UnsupportedError,
            "mode='sum' only, got mode='mean'",
        ),
        (lambda: nn.EmbeddingBag(4, 2, padding_idx=4), ArgumentError, "padding_idx 4 is outside the table of 4 rows"),
        (lambda: nn.Embedding.from_pretrained(og.ones(3)), ShapeError, "two dimensions"),
        (lambda: nn.LinearCrossEntropyLoss(3, 2, label_smoothing=2.0), ArgumentError, "label_smoothing must be"),
        (lambda: nn.CrossMapLRN2d(3)(og.ones(2, 3)), ShapeError, r"needs \(batch, channels, height, width\)"),
        (lambda: nn.SyncBatchNorm(3)(og.ones(3)), ShapeError, "at least 2 dimensions"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
