"""Muon, SparseAdam and line search against PyTorch; hooks; steps of the user's own; state in both directions.

Read next: `onegraph/optim/hooks.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError, StateError, UnsupportedError
from onegraph.optim.optimizer import Optimizer

torch = pytest.importorskip("torch")

LIBRARIES = ((torch, torch.tensor), (og, og.tensor))


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def rows(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.5}])
def test_muon_as_torch(shape: tuple[int, int], options: dict[str, Any]) -> None:
    found = []
    for library, tensor in LIBRARIES:
        w = library.nn.Parameter(tensor(rows(*shape)))
        optimizer = library.optim.Muon([w], lr=0.1, **options)
        for seed in range(1, 4):
            w.grad = tensor(rows(*shape, seed=seed))
            optimizer.step()
        found.append((w.detach().numpy(), optimizer.state_dict()["state"][0]["momentum_buffer"].numpy()))
    # The iteration rounds to bfloat16: a sum that falls on the other side of a border is off by 2**-8 of a step of 0.1.
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-3)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-5, atol=1e-7)


def test_muon_makes_directions_orthogonal() -> None:
    w = nn.Parameter(og.zeros(4, 6))
    w.grad = og.tensor(rows(4, 6))
    og.optim.Muon([w], lr=1.0, weight_decay=0.0).step()
    sizes = np.linalg.svd(w.detach().numpy(), compute_uv=False)
    assert (sizes > 0.6).all()
    assert (sizes < 1.3).all()


def test_sparse_adam_as_torch() -> None:
    table, found = rows(6, 3), []
    for library, tensor in LIBRARIES:
        w = library.nn.Parameter(tensor(table))
        optimizer = library.optim.SparseAdam([w], lr=0.1)
        for used in ([0, 1, 1], [2, 0, 4], [4, 4, 0]):
            options = {"sparse": True} if library is torch else {}
            optimizer.zero_grad()
            (library.nn.functional.embedding(library.tensor(used), w, **options) ** 2).sum().backward()
            optimizer.step()
        found.append(w.detach().numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    assert np.array_equal(found[1][[3, 5]], table[[3, 5]])


@pytest.mark.parametrize("options", [{}, {"lr": 0.5, "history_size": 3, "max_iter": 7}])
def test_line_search_as_torch(options: dict[str, Any]) -> None:
    start = np.random.default_rng(0).normal(size=6) * 2
    found = []
    for library, tensor in LIBRARIES:
        w = library.nn.Parameter(tensor(start))
        optimizer = library.optim.LBFGS([w], line_search_fn="strong_wolfe", **options)

        def closure(w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(3)]
        state = optimizer.state_dict()["state"][0]
        found.append((losses, w.detach().numpy(), state["func_evals"], state["n_iter"]))
    assert found[0][2:] == found[1][2:]
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-6)
    assert found[1][0][-1] < found[1][0][0] / 100


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "NAdam", "RMSprop", "Adagrad", "Adadelta", "Adafactor", "Muon", "LBFGS"]
)
def test_state_of_ours_goes_on_in_torch(name: str) -> None:
    options = {"momentum": 0.9} if name == "SGD" else {}
    w, v = nn.Parameter(og.tensor(rows(3, 2))), torch.nn.Parameter(torch.tensor(rows(3, 2)))
    ours, theirs = getattr(og.optim, name)([w], lr=0.1, **options), getattr(torch.optim, name)([v], lr=0.1, **options)

    def step(p: Any, optimizer: Any) -> None:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = ((p - 0.5) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)

    for _ in range(2):
        step(w, ours)
    theirs.load_state_dict(to_torch(ours.state_dict()))
    with torch.no_grad():
        v.copy_(torch.tensor(w.tolist()))
    step(w, ours)
    step(v, theirs)
    np.testing.assert_allclose(w.detach().numpy(), v.detach().numpy(), rtol=1e-4, atol=1e-3 if name == "Muon" else 1e-6)


def to_torch(value: Any) -> Any:
    if isinstance(value, og.Tensor):
        array = value.numpy()
        return torch.tensor(array.astype(np.float32) if array.ndim == 0 else array.copy())
    if isinstance(value, dict):
        return {k: to_torch(v) for k, v in value.items()}
    return [to_torch(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta"])
def test_a_step_can_be_differentiated(name: str) -> None:
    found = []
    for library, tensor in LIBRARIES:
        w = tensor([1.0, 2.0, 3.0], requires_grad=True)
        p = w * 1.0
        optimizer = getattr(library.optim, name)([p], lr=0.1, differentiable=True)
        for i in range(2):
            p.grad = w * w * (i + 0.5)
            optimizer.step()
        (p * p).sum().backward()
        found.append(w.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)


def test_the_rate_can_be_learned() -> None:
    rate = og.tensor(0.1, requires_grad=True)
    p = og.tensor([1.0, 2.0], requires_grad=True) * 1.0
    p.grad = og.tensor([3.0, 4.0])
    og.optim.SGD([p], lr=rate, differentiable=True).step()
    p.sum().backward()
    assert rate.grad is not None
    assert rate.grad.item() == -7.0


class Signs(Optimizer):
    """A user's optimizer, as programs for PyTorch write them."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @og.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                state.setdefault("count", 0)
                state.setdefault("bound", og.ones(2))
                state["count"] += 1
                p.add_(p.grad.sign(), alpha=-group["lr"])


def test_an_optimizer_of_the_users_own() -> None:
    w = nn.Parameter(og.tensor([1.0, -1.0, 2.0]))
    optimizer = Signs([w], lr=0.25)
    schedule = og.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(w.detach().numpy(), [0.625, -0.625, 1.625])
    other = Signs([w])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[w]["count"] == 2
    assert other.param_groups[0]["lr"] == 0.0625
    with pytest.raises(UnsupportedError, match="defines no step"):
        Optimizer([w], {}).step()


def test_hooks() -> None:
    w = nn.Parameter(og.ones(1))
    optimizer = Signs([w])
    said: list[str] = []
    handles = [
        optimizer.register_step_pre_hook(lambda o, a, k: said.append("before")),
        optimizer.register_step_post_hook(lambda o, a, k: said.append(f"after {o is optimizer}")),
        og.optim.optimizer.register_optimizer_step_pre_hook(lambda o, a, k: said.append("every")),
        og.optim.optimizer.register_optimizer_step_post_hook(lambda o, a, k: said.append("every after")),
    ]
    optimizer.step()
    assert said == ["every", "before", "after True", "every after"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(said) == 4
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(ArgumentTypeError, match="args, kwargs"):
        optimizer.step()
    optimizer.register_state_dict_pre_hook(lambda o: said.append("saving"))
    optimizer.register_state_dict_post_hook(lambda o, s: {**s, "note": 1})
    state = optimizer.state_dict()
    assert said[-1] == "saving"
    assert state["note"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, s: said.append(f"note {s.pop('note')}"))
    optimizer.register_load_state_dict_post_hook(lambda o: said.append("loaded"))
    optimizer.load_state_dict(state)
    assert said[-2:] == ["note 1", "loaded"]
    with pytest.raises(ArgumentTypeError, match="must be a function"):
        optimizer.register_step_post_hook(1)  # type: ignore[arg-type]


def test_a_step_that_calls_its_parents_runs_hooks_once() -> None:
    class Twice(og.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step()
            return super().step(closure)

    w = nn.Parameter(og.ones(1))
    optimizer = Twice([w], lr=0.25)
    said: list[int] = []
    optimizer.register_step_post_hook(lambda o, a, k: said.append(1))
    w.grad = og.ones(1)
    optimizer.step()
    assert (said, w.item()) == ([1], 0.5)


def test_a_step_for_each_parameter_during_backward() -> None:
    found = []
    for library, tensor in LIBRARIES:
        w, v = library.nn.Parameter(tensor([1.0, 2.0])), library.nn.Parameter(tensor([3.0]))
        optimizers = {p: library.optim.SGD([p], lr=0.1, momentum=0.9) for p in (w, v)}

        def update(p: Any, optimizers: Any = optimizers) -> None:
            optimizers[p].step()
            optimizers[p].zero_grad()

        handles = [p.register_post_accumulate_grad_hook(update) for p in (w, v)]
        for _ in range(2):
            ((w * v) ** 2).sum().backward()
        for handle in handles:
            handle.remove()
        (w * v).sum().backward()
        found.append((w.tolist(), v.tolist(), w.grad.tolist()))
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    with pytest.raises(GradientError, match="leaf"):
        (w * 2).register_post_accumulate_grad_hook(update)


def test_errors() -> None:
    w = nn.Parameter(og.ones(2))
    with pytest.raises(ShapeError, match=r"takes matrices.*\(2,\)"):
        og.optim.Muon([w])
    with pytest.raises(ArgumentError, match="adjust_lr_fn"):
        og.optim.Muon([nn.Parameter(og.ones(2, 2))], adjust_lr_fn="mine")
    with pytest.raises(ArgumentError, match="etas"):
        og.optim.Rprop([w], etas=(1.5, 2.0))
    with pytest.raises(ArgumentError, match="beta2_decay"):
        og.optim.Adafactor([w], beta2_decay=0.5)
    matrix = nn.Parameter(og.ones(3, 2))
    optimizer = og.optim.Adafactor([matrix])
    with pytest.raises(StateError, match=r"row_var of parameter 0 has shape \(3, 2\)"):
        optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: {"row_var": og.ones(3, 2)}}})
