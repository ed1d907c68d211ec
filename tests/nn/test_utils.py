"""`nn.utils` against PyTorch: parametrizations, weight and spectral norm, pruning, fusion, calls with other parameters.

Read next: `onegraph/nn/utils/parametrize.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, OneGraphError, ShapeError, UnsupportedError

torch = pytest.importorskip("torch")
torch_prune = pytest.importorskip("torch.nn.utils.prune")  # not imported by torch itself
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    """Shapes differ in every test here: without machine code they take a fraction of the time."""
    with og.config.using(backend="reference"):
        yield


def numbers(state: Any) -> dict[str, Any]:
    """A state dict's values as arrays."""
    return {k: v.detach().numpy() for k, v in state.items()}


def pair(make: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A module here and in PyTorch, with the same values."""
    theirs, ours = make(torch.nn), make(nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(numbers(theirs.state_dict()))
    return ours, theirs


def step(ours: Any, theirs: Any, x: Any, tolerance: float = 2e-5) -> None:
    """Results, gradients and state after a call in training."""
    a, b = og.tensor(x, requires_grad=True), torch.from_numpy(x.copy()).requires_grad_()
    ours.zero_grad()
    theirs.zero_grad()
    y, z = ours(a), theirs(b)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=tolerance, atol=tolerance)
    (y**2).sum().backward()
    (z**2).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)
    found, wanted = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert list(found) == list(wanted)
    for name, p in wanted.items():
        if p.grad is not None:
            np.testing.assert_allclose(found[name].grad.numpy(), p.grad.numpy(), rtol=1e-3, atol=1e-3, err_msg=name)
    for name, value in numbers(theirs.state_dict()).items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value, rtol=1e-4, atol=1e-5, err_msg=name)


def utils(n: Any) -> Any:
    return n.utils.parametrizations


MADE: list[tuple[str, Any, tuple[int, ...]]] = [
    ("weight_norm", lambda n: utils(n).weight_norm(n.Linear(4, 3)), (2, 4)),
    ("weight_norm all", lambda n: utils(n).weight_norm(n.Conv1d(2, 3, 2), dim=None), (2, 2, 5)),
    ("weight_norm dim 1", lambda n: utils(n).weight_norm(n.ConvTranspose1d(2, 3, 2), dim=1), (2, 2, 5)),
    ("weight_norm of LSTM", lambda n: n.Sequential(utils(n).weight_norm(n.Linear(4, 3)), n.Tanh()), (2, 4)),
    ("spectral_norm", lambda n: utils(n).spectral_norm(n.Linear(4, 3), n_power_iterations=2), (2, 4)),
    ("spectral_norm conv", lambda n: utils(n).spectral_norm(n.ConvTranspose2d(2, 3, 2)), (1, 2, 3, 3)),
    ("old weight_norm", lambda n: n.utils.weight_norm(n.Linear(4, 3)), (2, 4)),
    ("old weight_norm all", lambda n: n.utils.weight_norm(n.Linear(4, 3), dim=None), (2, 4)),
    ("old spectral_norm", lambda n: n.utils.spectral_norm(n.Conv2d(2, 3, 2), n_power_iterations=2), (1, 2, 3, 3)),
]


@pytest.mark.parametrize(("make", "shape"), [m[1:] for m in MADE], ids=[m[0] for m in MADE])
def test_norms_of_weights_agree_with_torch(make: Any, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    ours, theirs = pair(make, rng)
    x = rng.normal(size=shape).astype(np.float32)
    for _ in range(2):
        step(ours, theirs, x)
    ours.eval()
    theirs.eval()
    step(ours, theirs, x)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder", None])
def test_orthogonal_agrees_with_torch(shape: tuple[int, int], kind: str | None, rng: np.random.Generator) -> None:
    n, k = shape
    theirs = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(k, n, bias=False), orthogonal_map=kind)
    ours = nn.utils.parametrizations.orthogonal(nn.Linear(k, n, bias=False), orthogonal_map=kind)
    start = ours.weight.detach().numpy()
    gram = start @ start.T if n < k else start.T @ start
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-5)
    state = numbers(theirs.state_dict())
    noise = rng.normal(0, 0.3, shape).astype(np.float32)
    state["parametrizations.weight.original"] = state["parametrizations.weight.original"] + np.tril(noise, -1)
    ours.load_state_dict(state)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    step(ours, theirs, rng.normal(size=(2, k)).astype(np.float32), 1e-4)


def test_orthogonal_without_trivialization(rng: np.random.Generator) -> None:
    q, _ = np.linalg.qr(rng.normal(size=(5, 3)))
    layers = []
    for lib in (og, torch):
        layer = lib.nn.Linear(3, 5, bias=False)
        lib.nn.utils.parametrizations.orthogonal(layer, orthogonal_map="householder", use_trivialization=False)
        layer.weight = lib.tensor(q.astype(np.float32))
        layers.append(layer)
    np.testing.assert_allclose(layers[0].weight.detach().numpy(), q, atol=1e-5)
    np.testing.assert_allclose(
        layers[0].parametrizations.weight.original.detach().numpy(),
        layers[1].parametrizations.weight.original.detach().numpy(),
        atol=1e-5,
    )
    with pytest.raises(UnsupportedError, match="without trivialization"):
        nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False)


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).T

    def right_inverse(self, x: Any) -> Any:
        return x.triu()


class Twice(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2

    def right_inverse(self, x: Any) -> Any:
        return x / 2


def test_parametrizations_are_stacked_assigned_removed_and_copied() -> None:
    p = nn.utils.parametrize
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().numpy().copy()
    p.register_parametrization(layer, "weight", Symmetric())
    p.register_parametrization(layer, "weight", Twice())
    upper = np.triu(before)
    np.testing.assert_allclose(layer.weight.detach().numpy(), upper + np.triu(before, 1).T, rtol=1e-6)
    assert type(layer).__name__ == "ParametrizedLinear" and p.type_before_parametrizations(layer) is nn.Linear
    assert p.is_parametrized(layer) and p.is_parametrized(layer, "weight") and not p.is_parametrized(layer, "bias")
    value = np.ones((3, 3), np.float32)
    layer.weight = og.tensor(value)
    np.testing.assert_allclose(layer.weight.detach().numpy(), value)
    other = copy.deepcopy(layer)
    with og.no_grad():
        other.parametrizations.weight.original.mul_(3)
    assert layer.weight[0, 0].item() == 1 and other.weight[0, 0].item() == 3 and isinstance(other, nn.Linear)
    with p.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    fresh = p.transfer_parametrizations_and_params(layer, nn.Linear(3, 3))
    np.testing.assert_array_equal(fresh.weight.detach().numpy(), layer.weight.detach().numpy())
    p.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and list(layer.state_dict()) == ["bias", "weight"]
    assert layer.weight.tolist() == value.tolist() and isinstance(layer.weight, nn.Parameter)
    p.remove_parametrizations(fresh, "weight", leave_parametrized=False)
    np.testing.assert_allclose(fresh.weight.detach().numpy(), np.triu(value) / 2)


def test_errors_of_parametrizations() -> None:
    p = nn.utils.parametrize

    class Cut(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:1]

    with pytest.raises(ShapeError, match=r"must give what it replaces, float32 \(3, 3\), got float32 \(1, 3\)"):
        p.register_parametrization(nn.Linear(3, 3), "weight", Cut())
    unsafe = p.register_parametrization(nn.Linear(3, 3), "weight", Cut(), unsafe=True)
    assert unsafe.weight.shape == (1, 3)
    with pytest.raises(UnsupportedError, match="Cut defines no right_inverse"):
        unsafe.weight = og.ones(1, 3)
    with pytest.raises(ArgumentError, match="no parameter or buffer 'kernel'"):
        p.register_parametrization(nn.Linear(3, 3), "kernel", Cut())
    with pytest.raises(ArgumentError, match="no parametrization on 'weight'"):
        p.remove_parametrizations(nn.Linear(3, 3), "weight")
    with pytest.raises(ArgumentError, match="2 tensors"):
        p.remove_parametrizations(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "weight", False)
    with pytest.raises(ArgumentError, match="orthogonal_map must be"):
        nn.utils.parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="polar")


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_older_norms_are_removed(name: str, rng: np.random.Generator) -> None:
    layer = getattr(nn.utils, name)(nn.Linear(4, 3))
    x = og.tensor(rng.normal(size=(2, 4)).astype(np.float32))
    before = layer.eval()(x).detach().numpy().copy()
    getattr(nn.utils, f"remove_{name}")(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"] and not layer._forward_pre_hooks
    np.testing.assert_allclose(layer(x).detach().numpy(), before, rtol=1e-5)
    with pytest.raises(ArgumentError, match="none on 'weight'"):
        getattr(nn.utils, f"remove_{name}")(layer)


# ---------------------------------------------------------------------------------------------------- pruning

PRUNED: list[tuple[str, Any]] = [
    ("identity", lambda p, m: p.identity(m, "weight")),
    ("l1", lambda p, m: p.l1_unstructured(m, "weight", 0.4)),
    ("l1 number", lambda p, m: p.l1_unstructured(m, "bias", 2)),
    ("ln", lambda p, m: p.ln_structured(m, "weight", 0.5, 2, 0)),
    ("ln 1", lambda p, m: p.ln_structured(m, "weight", 1, 1, -1)),
    ("twice", lambda p, m: p.l1_unstructured(p.ln_structured(m, "weight", 1, 2, 0), "weight", 3)),
    (
        "thrice",
        lambda p, m: p.ln_structured(p.l1_unstructured(p.identity(m, "weight"), "weight", 2), "weight", 1, 2, 1),
    ),
    ("global", lambda p, m: (p.global_unstructured([(m, "weight"), (m, "bias")], p.L1Unstructured, amount=0.5), m)[1]),
]


@pytest.mark.parametrize("prune", [p[1] for p in PRUNED], ids=[p[0] for p in PRUNED])
def test_pruning_agrees_with_torch(prune: Any, rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.Linear(4, 3), rng)
    prune(nn.utils.prune, ours)
    prune(torch_prune, theirs)
    assert nn.utils.prune.is_pruned(ours)
    x = rng.normal(size=(2, 4)).astype(np.float32)
    step(ours, theirs, x)
    for name in [n.removesuffix("_mask") for n in list(ours._buffers)]:
        nn.utils.prune.remove(ours, name)
        torch_prune.remove(theirs, name)
    assert not nn.utils.prune.is_pruned(ours)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    step(ours, theirs, x)


def test_pruning_at_random_and_by_mask() -> None:
    p = nn.utils.prune
    layer = p.random_unstructured(nn.Linear(4, 5), "weight", 7)
    assert (layer.weight == 0).sum().item() == 7
    p.random_structured(layer, "weight", 2, 0)
    assert ((layer.weight != 0).sum(1) == 0).sum().item() >= 2
    masked = p.custom_from_mask(nn.Linear(2, 2), "weight", og.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert (masked.weight == 0).tolist() == [[False, True], [True, False]]
    assert isinstance(next(iter(layer._forward_pre_hooks.values())), p.PruningContainer)
    scores = og.tensor([[1.0, 2.0], [3.0, 0.0]])
    by_score = p.l1_unstructured(nn.Linear(2, 2), "weight", 1, importance_scores=scores)
    assert by_score.weight_mask.tolist() == [[1.0, 1.0], [1.0, 0.0]]
    assert p.L1Unstructured(2).prune(og.tensor([1.0, -3.0, 2.0, 0.5])).tolist() == [0.0, -3.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p, m: p.l1_unstructured(m, "weight", 1.5), ArgumentError, "a fraction from 0 to 1"),
        (lambda p, m: p.l1_unstructured(m, "weight", "all"), ArgumentTypeError, "amount must be a number, got str"),
        (lambda p, m: p.l1_unstructured(m, "weight", 99), ArgumentError, "99 elements cannot be pruned, there are 12"),
        (lambda p, m: p.ln_structured(m, "bias", 1, 2, 0), ShapeError, "at least two dimensions"),
        (lambda p, m: p.l1_unstructured(m, "kernel", 1), ArgumentError, "no parameter or buffer 'kernel'"),
        (lambda p, m: p.custom_from_mask(m, "weight", og.ones(3)), ShapeError, r"the mask \(3,\)"),
        (lambda p, m: p.remove(m, "weight"), ArgumentError, "'weight' of Linear is not pruned"),
    ],
)
def test_errors_of_pruning(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(nn.utils.prune, nn.Linear(4, 3))


# --------------------------------------------------------------------------------------- fusion, calls, clipping


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fusion_agrees_with_torch(transpose: bool, bias: bool, rng: np.random.Generator) -> None:
    def make(n: Any) -> Any:
        conv = n.ConvTranspose2d(2, 3, 2, bias=bias) if transpose else n.Conv2d(2, 3, 2, bias=bias)
        return n.Sequential(conv, n.BatchNorm2d(3)).eval()

    ours, theirs = pair(make, rng)
    for module in (ours, theirs):
        with (og if module is ours else torch).no_grad():
            for i, t in enumerate([module[1].running_mean, module[1].running_var, module[1].weight]):
                t.copy_((og if module is ours else torch).tensor([0.5, 1.5, 2.0 + i]))
    a = nn.utils.fuse_conv_bn_eval(ours[0], ours[1], transpose)
    b = torch.nn.utils.fuse_conv_bn_eval(theirs[0], theirs[1], transpose)
    for name, value in numbers(b.state_dict()).items():
        np.testing.assert_allclose(a.state_dict()[name].numpy(), value, rtol=1e-5, atol=1e-6)
    linear, norm = nn.Linear(4, 3).eval(), nn.BatchNorm1d(3).eval()
    x = og.tensor(rng.normal(size=(2, 4)).astype(np.float32))
    fused = nn.utils.fuse_linear_bn_eval(linear, norm)
    np.testing.assert_allclose(fused(x).detach().numpy(), norm(linear(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(OneGraphError, match="evaluation mode"):
        nn.utils.fuse_linear_bn_eval(linear.train(), norm)


def test_functional_call() -> None:
    call = og.func.functional_call
    assert call is nn.utils.stateless.functional_call
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net.twin = net[0]
    values = {k: v.detach().clone() for k, v in net.state_dict().items() if not k.startswith("twin")}
    values["0.weight"] = og.zeros(2, 2, requires_grad=True)
    x = og.tensor([[1.0, 2.0], [3.0, 5.0]])
    before = numbers(net.state_dict())
    result = call(nn.Sequential(net[0], net[1]), values, (x,))
    result.sum().backward()
    assert values["0.weight"].grad is not None and net[0].weight.grad is None
    assert values["1.num_batches_tracked"].item() == 1
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    tied = call(net.twin, [{"weight": og.ones(2, 2)}, {"bias": og.zeros(2)}], x)
    assert tied.tolist() == [[3.0, 3.0], [8.0, 8.0]]
    with pytest.raises(ArgumentError, match="unexpected: kernel; missing: weight, bias"):
        call(net.twin, {"kernel": og.ones(2, 2)}, x, strict=True)
    with pytest.raises(ArgumentError, match="given twice: weight"):
        call(net.twin, [{"weight": og.ones(2, 2)}, {"weight": og.ones(2, 2)}], x)


def test_clipping_by_a_known_norm() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.grad = og.tensor([[3.0, 4.0]])
    total = nn.utils.get_total_norm([layer.weight.grad])
    nn.utils.clip_grads_with_norm_(layer.parameters(), 1.0, total)
    assert total.item() == 5
    np.testing.assert_allclose(layer.weight.grad.numpy(), [[0.6, 0.8]], rtol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_of_convolutions_by_name(rank: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 4, *[5] * rank)).astype(np.float32)
    w = rng.normal(size=(6, 2, *[2] * rank)).astype(np.float32)
    y = getattr(torch.nn.functional, f"conv{rank}d")(*map(torch.from_numpy, (x, w)), None, 2, 1, 1, 2).numpy()
    sizes = (2, 1, 1, 2)
    for part, given in (("input", (x.shape, w)), ("weight", (x, w.shape))):
        ours = [og.tensor(g) if isinstance(g, np.ndarray) else g for g in given]
        theirs = [torch.from_numpy(g) if isinstance(g, np.ndarray) else g for g in given]
        a = getattr(nn.grad, f"conv{rank}d_{part}")(*ours, og.tensor(y), *sizes)
        b = getattr(torch.nn.grad, f"conv{rank}d_{part}")(*theirs, torch.from_numpy(y), *sizes)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-4)
