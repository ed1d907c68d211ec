"""Optimizers against PyTorch for 30 steps, lazily and traced, and what they compile.

Read next: `onegraph/optim/rules.py`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, StateError, TraceError
from onegraph.nn import functional as F
from onegraph.runtime import plan, realize

torch = pytest.importorskip("torch")

STEPS = 30
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.9)}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.01}),
    ("Adamax", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.01}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.8), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 5, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.01, "etas": (0.4, 1.1), "maximize": True}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}),
]
IDS = [f"{name}-{i}" for i, (name, _) in enumerate(CASES)]


def batches(seed: int = 1) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(8, 4)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)) for _ in range(STEPS)
    ]


def model(library: Any, weights: dict[str, np.ndarray[Any, Any]]) -> Any:
    net = library.Sequential(library.Linear(4, 5), library.Tanh(), library.Linear(5, 2))
    convert = torch.from_numpy if library is torch.nn else og.tensor
    net.load_state_dict({k: convert(v.copy()) for k, v in weights.items()})
    return net


@pytest.fixture
def weights() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (5, 4), "0.bias": (5,), "2.weight": (2, 5), "2.bias": (2,)}
    return {k: rng.normal(size=s).astype(np.float32) * 0.5 for k, s in shapes.items()}


def groups(net: Any) -> list[dict[str, Any]]:
    """Two groups; the second has a rate of its own."""
    return [{"params": list(net[0].parameters())}, {"params": list(net[2].parameters()), "lr": 0.03}]


def train(net: Any, optimizer: Any, schedule: Any, traced: bool) -> tuple[list[float], dict[str, np.ndarray[Any, Any]]]:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = og.jit(step) if traced else step
    losses = []
    for x, y in batches():
        losses.append(run(og.tensor(x), og.tensor(y)).item())
        schedule.step()
    if traced:
        assert run.traces == 1
    return losses, {k: v.numpy() for k, v in net.state_dict().items()}


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_thirty_steps_as_torch_and_the_same_bits_traced(
    name: str, options: dict[str, Any], weights: dict[str, np.ndarray[Any, Any]]
) -> None:
    theirs = model(torch.nn, weights)
    expected = getattr(torch.optim, name)(groups(theirs), **options)
    schedule = torch.optim.lr_scheduler.StepLR(expected, 7, 0.5)
    wanted = []
    for x, y in batches():
        expected.zero_grad()
        loss = torch.nn.functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        expected.step()
        schedule.step()
        wanted.append(loss.item())
    results = []
    for traced in (False, True):
        net = model(nn, weights)
        optimizer = getattr(og.optim, name)(groups(net), **options)
        results.append(train(net, optimizer, og.optim.lr_scheduler.StepLR(optimizer, 7, 0.5), traced))
    (lazy, values), (jitted, jitted_values) = results
    np.testing.assert_allclose(lazy, wanted, rtol=2e-4)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(values[key], value.numpy(), rtol=2e-3, atol=2e-5, err_msg=key)
        assert np.array_equal(values[key], jitted_values[key]), key
    assert lazy == jitted


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_state_dict_has_the_layout_of_torch(
    name: str, options: dict[str, Any], weights: dict[str, np.ndarray[Any, Any]]
) -> None:
    ours, theirs = model(nn, weights), model(torch.nn, weights)
    a, b = getattr(og.optim, name)(groups(ours), **options), getattr(torch.optim, name)(groups(theirs), **options)
    x, _ = batches()[0]
    for _ in range(2):
        a.zero_grad()
        b.zero_grad()
        ours(og.tensor(x)).sum().backward()
        theirs(torch.from_numpy(x)).sum().backward()
        a.step()
        b.step()
    mine, wanted = a.state_dict(), b.state_dict()
    assert mine["param_groups"] == wanted["param_groups"]
    assert list(mine["state"]) == list(wanted["state"])
    for number, values in wanted["state"].items():
        for key, value in values.items():
            found = mine["state"][number][key]
            np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=1e-4, atol=1e-7, err_msg=key)
    # PyTorch's state, loaded here, goes on as PyTorch does.
    a.load_state_dict(wanted)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    for net, optimizer, value in ((ours, a, og.tensor(x)), (theirs, b, torch.from_numpy(x))):
        optimizer.zero_grad()
        net(value).sum().backward()
        optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam"])
def test_saved_and_loaded_state_goes_on_with_the_same_bits(name: str, weights: dict[str, np.ndarray[Any, Any]]) -> None:
    options = {"momentum": 0.9} if name == "SGD" else {}
    make: Callable[[Any], Any] = lambda net: getattr(og.optim, name)(net.parameters(), lr=0.05, **options)  # noqa: E731
    data = batches()

    def run(net: Any, optimizer: Any, part: slice) -> None:
        for x, y in data[part]:
            optimizer.zero_grad()
            F.mse_loss(net(og.tensor(x)), og.tensor(y)).backward()
            optimizer.step()

    whole = model(nn, weights)
    optimizer = make(whole)
    run(whole, optimizer, slice(0, 4))
    saved = pickle.loads(pickle.dumps((whole.state_dict(), optimizer.state_dict())))
    run(whole, optimizer, slice(4, 8))
    resumed = model(nn, weights)
    resumed.load_state_dict(saved[0])
    second = make(resumed)
    second.load_state_dict(saved[1])
    run(resumed, second, slice(4, 8))
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert np.array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every plan that is compiled."""
    made: list[int] = []
    original = plan.Plan.__init__

    def counting(self: Any, *args: Any, **kwargs: Any) -> None:
        made.append(1)
        original(self, *args, **kwargs)

    monkeypatch.setattr(plan.Plan, "__init__", counting)
    monkeypatch.setattr(realize, "Plan", plan.Plan)
    return made


def test_a_loop_compiles_once_and_a_changing_rate_once_more(
    compiled: list[int], weights: dict[str, np.ndarray[Any, Any]]
) -> None:
    plan.plans.clear()
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.ReLU(inplace=True), nn.Linear(6, 2))
    optimizer = og.optim.AdamW(net.parameters(), lr=0.1)
    counts = []
    for i, (x, y) in enumerate(batches()[:12]):
        if i >= 6:
            optimizer.param_groups[0]["lr"] = 0.1 / i
        optimizer.zero_grad()
        loss = F.mse_loss(net(og.tensor(x)), og.tensor(y))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        loss.item()
        counts.append(len(compiled))
    assert counts[0] <= 2, counts  # first values, and the step
    assert counts[1:6] == [counts[0]] * 5, counts
    assert counts[6:] == [counts[0] + 1] * 6, counts


def test_parameters_that_stand_still_keep_their_count(weights: dict[str, np.ndarray[Any, Any]]) -> None:
    ours = [nn.Parameter(og.ones(2)) for _ in range(2)]
    theirs = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    a, b = og.optim.Adam(ours, lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    for active in ((0, 1), (0,), (0, 1), (1,)):
        for params, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            sum((params[i] ** 2).sum() for i in active).backward()
            optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5)
    assert [a.state[p]["step"].item() for p in ours] == [3.0, 3.0]


def test_rate_as_a_tensor_and_closure() -> None:
    w = nn.Parameter(og.tensor([4.0]))
    optimizer = og.optim.SGD([w], lr=og.tensor(0.25))
    calls = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        calls.append(1)
        return loss

    assert optimizer.step(closure).item() == 16.0
    assert w.tolist() == [2.0] and calls == [1]
    optimizer.param_groups[0]["lr"].fill_(0.5)
    optimizer.step(closure)
    assert w.tolist() == [0.0]


def test_half_precision_parameters_keep_their_dtype() -> None:
    w = nn.Parameter(og.ones(3, dtype=og.bfloat16))
    optimizer = og.optim.Adam([w], lr=0.125)
    (w.float() * 2).sum().backward()
    optimizer.step()
    assert w.dtype == og.bfloat16 and optimizer.state[w]["exp_avg"].dtype == og.bfloat16
    np.testing.assert_allclose(w.detach().float().numpy(), 0.875)


def test_errors() -> None:
    w = nn.Parameter(og.ones(2))
    with pytest.raises(ArgumentTypeError, match="not one tensor"):
        og.optim.SGD(w)
    with pytest.raises(ArgumentError, match="no parameters"):
        og.optim.SGD([])
    with pytest.raises(ArgumentTypeError, match="int"):
        og.optim.SGD([1])
    with pytest.raises(GradientError, match="result of an operation"):
        og.optim.SGD([w * 2])
    with pytest.raises(ArgumentError, match="twice"):
        og.optim.SGD([w, w])
    with pytest.raises(ArgumentError, match="lr must not be negative"):
        og.optim.SGD([w], lr=-1.0)
    with pytest.raises(ArgumentError, match=r"betas\[1\]"):
        og.optim.Adam([w], betas=(0.9, 1.0))
    with pytest.raises(ArgumentError, match="nesterov"):
        og.optim.SGD([w], nesterov=True)
    with pytest.raises(StateError, match=r"\[1\].*\[2\]"):
        two = og.optim.SGD([nn.Parameter(og.ones(1)), nn.Parameter(og.ones(1))])
        og.optim.SGD([w]).load_state_dict(two.state_dict())
    adam = og.optim.Adam([w])
    with pytest.raises(StateError, match=r"exp_avg of parameter 0 has shape \(3,\)"):
        adam.load_state_dict({**adam.state_dict(), "state": {0: {"exp_avg": og.ones(3)}}})


def test_gradients_from_outside_of_a_traced_step() -> None:
    w = nn.Parameter(og.ones(2))
    optimizer = og.optim.SGD([w], lr=0.25)
    step = og.jit(lambda: optimizer.step())
    for expected in (0.5, 0.25):  # a gradient of this step, not of the one that was traced
        optimizer.zero_grad()
        (w * w).sum().backward()
        step()
        assert w.tolist() == [expected, expected]


def test_lbfgs_as_torch() -> None:
    start = np.array([-1.2, 1.0, 0.5], np.float64)
    results = []
    for library, parameter, tensor in (
        (og, nn.Parameter, og.tensor),
        (torch, torch.nn.Parameter, torch.tensor),
    ):
        w = parameter(tensor(start))
        optimizer = library.optim.LBFGS([w], lr=0.02, max_iter=7, history_size=4)

        def closure(w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = 10 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2 + (w[2] * w[1]) ** 2
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(6)]
        results.append((losses, w.detach().numpy().copy(), optimizer, closure))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-8)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-8)
    assert results[0][0][-1] < results[0][0][0]
    _, _, ours, closure = results[0]
    saved, value = pickle.loads(pickle.dumps(ours.state_dict())), ours.params[0].detach().numpy().copy()
    ours.step(closure)
    expected = ours.params[0].detach().numpy().copy()
    with og.no_grad():
        ours.params[0].copy_(og.tensor(value))
    ours.load_state_dict(saved)
    ours.step(closure)
    assert np.array_equal(ours.params[0].detach().numpy(), expected)


def test_lbfgs_errors() -> None:
    w = nn.Parameter(og.ones(1))
    with pytest.raises(ArgumentError, match="strong_wolfe"):
        og.optim.LBFGS([w], line_search_fn="golden section")
    with pytest.raises(ArgumentError, match="needs a closure"):
        og.optim.LBFGS([w]).step()
    with pytest.raises(TraceError, match="cannot be traced"):
        og.jit(lambda: og.optim.LBFGS([w]).step(lambda: 0))()


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.BatchNorm1d])
def test_eager_and_lazy_training_give_the_same_bits(norm: Any) -> None:
    def run(eager: bool) -> list[np.ndarray[Any, Any]]:
        og.manual_seed(5)
        with og.eager(eager):
            net = nn.Sequential(nn.Linear(4, 6, bias=False), norm(6), nn.Dropout(0.2), nn.ReLU(), nn.Linear(6, 2))
            optimizer = og.optim.AdamW(net.parameters(), lr=0.1)
            for x, y in batches()[:4]:
                optimizer.zero_grad()
                F.mse_loss(net(og.tensor(x)), og.tensor(y)).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
            return [v.numpy() for v in net.state_dict().values()]

    for a, b in zip(run(False), run(True), strict=True):
        if norm is nn.LayerNorm:
            assert np.array_equal(a, b)
        else:  # a plan computes the two moments of a batch together, op by op they are two sums: decision 0012
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_rules_work_on_nodes_alone() -> None:
    from onegraph.backends.reference import evaluate
    from onegraph.ops.elementwise import numpy_constant
    from onegraph.optim import rules

    param, grad = (numpy_constant(np.array(v, np.float32)) for v in ([1.0, 2.0], [0.5, -0.5]))
    hyper = rules.Hyper({"lr": 0.1, "momentum": 0.9, "nesterov": True})
    assert list(rules.sgd.slots(hyper)) == ["momentum_buffer"]
    state = {"momentum_buffer": numpy_constant(np.zeros(2, np.float32))}
    new, found = rules.apply_rule(rules.sgd, param, grad, state, hyper)
    values, buffer = evaluate([new, found["momentum_buffer"]])
    np.testing.assert_allclose(values, [1 - 0.095, 2 + 0.095], rtol=1e-6)
    np.testing.assert_allclose(buffer, [0.5, -0.5])


def test_groups_are_added_and_shown() -> None:
    first, second = nn.Parameter(og.ones(1)), nn.Parameter(og.ones(1))
    optimizer = og.optim.SGD([("first", first)], lr=0.5)
    optimizer.add_param_group({"params": second, "lr": 0.25})
    assert optimizer.param_groups[0]["param_names"] == ["first"]
    (first + second).sum().backward()
    optimizer.step()
    assert (first.item(), second.item()) == (0.5, 0.75)
    assert "Parameter Group 1" in repr(optimizer) and "lr: 0.25" in repr(optimizer)
    optimizer.zero_grad()
    assert first.grad is None and second.grad is None


def test_traced_backward_adds_to_gradients_that_are_there() -> None:
    w = nn.Parameter(og.ones(2))
    accumulate = og.jit(lambda x: (w * x).sum().backward())
    for expected in ([1.0, 1.0], [2.0, 2.0], [3.0, 3.0]):
        accumulate(og.ones(2))
        assert w.grad.tolist() == expected
    assert accumulate.traces == 2
    w.grad = None
    accumulate(og.ones(2))
    assert w.grad.tolist() == [1.0, 1.0] and accumulate.traces == 2


def test_traced_step_that_clears_gradients_at_its_end() -> None:
    w = nn.Parameter(og.ones(2))
    optimizer = og.optim.SGD([w], lr=0.5)

    @og.jit
    def step(x: Any) -> None:
        (w * x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    (w * 2).sum().backward()  # counts in the first step only
    step(og.ones(2))
    assert w.tolist() == [-0.5, -0.5] and w.grad is None
    step(og.ones(2))
    assert w.tolist() == [-1.0, -1.0] and w.grad is None


def test_what_is_no_parameter_number_or_state_is_refused() -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(ArgumentTypeError, match=r"takes parameters, got Linear(?s:.*)write model\.parameters\(\)"):
        og.optim.SGD(model, lr=0.1)
    with pytest.raises(ArgumentError, match="needs 'params', and has lr"):
        og.optim.SGD([{"lr": 0.1}], lr=0.1)
    with pytest.raises(ArgumentTypeError, match="Adam: lr must be a number, got 'fast'"):
        og.optim.Adam(model.parameters(), lr="fast")  # type: ignore[arg-type]
    assert og.optim.SGD(model.parameters(), lr=np.float32(0.1)).param_groups[0]["lr"] == np.float32(0.1)
    for state in ({}, 3, model.state_dict()):
        with pytest.raises(StateError, match="no state of an optimizer"):
            og.optim.SGD(model.parameters(), lr=0.1).load_state_dict(state)  # type: ignore[arg-type]
