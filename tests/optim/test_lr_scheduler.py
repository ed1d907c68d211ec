"""Schedules against PyTorch, step by step, and their saved state.

Read next: `onegraph/optim/schedule.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, StateError

torch = pytest.importorskip("torch")

Make = Callable[[Any, Any], Any]

SCHEDULES: dict[str, Make] = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.95),
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], 0.5),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.9, 6),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 10, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, 0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, 6),
    "CyclicLR-triangular2": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="triangular2"),
    "CyclicLR-exp_range": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.1, 25),
    "OneCycleLR-linear": lambda s, o: s.OneCycleLR(
        o, [0.1, 0.2], epochs=5, steps_per_epoch=5, anneal_strategy="linear", three_phase=True
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 4), s.CosineAnnealingLR(o, 10), s.ExponentialLR(o, 0.5)], [4, 15]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]),
}


def optimizers(kind: str) -> tuple[Any, Any]:
    made = []
    for optim, parameter, ones in (
        (og.optim, og.nn.Parameter, og.ones), (torch.optim, torch.nn.Parameter, torch.ones),
    ):  # fmt: skip
        groups = [{"params": [parameter(ones(2))]}, {"params": [parameter(ones(2))], "lr": 0.2}]
        options = {"momentum": 0.9} if kind == "SGD" else {}
        made.append(getattr(optim, kind)(groups, lr=0.1, **options))
    return made[0], made[1]


def settings(optimizer: Any) -> list[float]:
    return [v for g in optimizer.param_groups for v in (g["lr"], g.get("momentum", 0), *g.get("betas", ()))]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_rates_are_those_of_torch(make: Make, kind: str) -> None:
    ours, theirs = optimizers(kind)
    mine, expected = make(og.optim.lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    steps = 25 if "OneCycleLR" in type(mine).__name__ else 120
    for step in range(steps):
        np.testing.assert_allclose(settings(ours), settings(theirs), rtol=1e-12, err_msg=f"step {step}")
        np.testing.assert_allclose(mine.get_last_lr(), expected.get_last_lr(), rtol=1e-12)
        if step + 1 < steps:
            mine.step()
            expected.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_state_goes_to_torch_and_back(make: Make) -> None:
    ours, theirs = optimizers("SGD")
    mine, expected = make(og.optim.lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    for _ in range(8):
        expected.step()
    mine.load_state_dict(expected.state_dict())
    for group, other in zip(ours.param_groups, theirs.param_groups, strict=True):
        group.update({k: v for k, v in other.items() if k != "params"})
    for _ in range(6):
        mine.step()
        expected.step()
        np.testing.assert_allclose(settings(ours), settings(theirs), rtol=1e-12)
    again = optimizers("SGD")[1]
    theirs_again = make(torch.optim.lr_scheduler, again)
    theirs_again.load_state_dict(mine.state_dict())
    for group, other in zip(again.param_groups, ours.param_groups, strict=True):
        group.update({k: v for k, v in other.items() if k != "params"})
    for _ in range(6):
        mine.step()
        theirs_again.step()
        np.testing.assert_allclose(settings(ours), settings(again), rtol=1e-12)


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_saved_schedules_go_on(make: Make) -> None:
    first, second = optimizers("SGD")[0], optimizers("SGD")[0]
    a, b = make(og.optim.lr_scheduler, first), make(og.optim.lr_scheduler, second)
    for _ in range(7):
        a.step()
    second.load_state_dict(first.state_dict())
    b.load_state_dict(a.state_dict())
    for _ in range(7):
        a.step()
        b.step()
        assert settings(first) == settings(second)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max", "patience": 1},
        {"threshold_mode": "abs", "threshold": 0.3, "cooldown": 2, "min_lr": [0.05, 0.01]},
    ],
)
def test_plateaus_as_torch(options: dict[str, Any]) -> None:
    ours, theirs = optimizers("SGD")
    options = {"patience": 2, "factor": 0.5, **options}
    mine = og.optim.lr_scheduler.ReduceLROnPlateau(ours, **options)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for value in [3.0, 2.9, 2.8, 2.8, 2.9, 2.7, 2.9, 2.9, 3.0, 3.1, 3.0, 3.0, 3.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5]:
        mine.step(og.tensor(value))
        expected.step(value)
        np.testing.assert_allclose(settings(ours), settings(theirs), rtol=1e-12)
    assert mine.num_bad_epochs == expected.num_bad_epochs


def test_a_rate_that_is_a_tensor_is_written_in_place() -> None:
    rate = og.tensor(0.5)
    optimizer = og.optim.SGD([og.nn.Parameter(og.ones(1))], lr=rate)
    schedule = og.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == 0.25


def test_errors() -> None:
    optimizer, _ = optimizers("SGD")
    schedules = og.optim.lr_scheduler
    with pytest.raises(ArgumentTypeError, match="needs an optimizer"):
        schedules.StepLR(og.ones(1), 3)
    with pytest.raises(ArgumentError, match="2 groups need as many functions, got 1"):
        schedules.LambdaLR(optimizer, [lambda e: 1.0])
    with pytest.raises(ArgumentError, match="initial_lr"):
        schedules.StepLR(optimizer, 3, last_epoch=4)
    with pytest.raises(ArgumentError, match="total_steps"):
        schedules.OneCycleLR(optimizer, 0.1)
    with pytest.raises(ArgumentError, match="beyond the cycle"):
        cycle = schedules.OneCycleLR(optimizer, 0.1, 2)
        for _ in range(4):
            cycle.step()
    with pytest.raises(ArgumentError, match="momentum to cycle"):
        schedules.CyclicLR(og.optim.Adagrad([og.nn.Parameter(og.ones(1))]), 0.1, 0.2)
    with pytest.raises(ArgumentError, match="3 schedules need 2 milestones"):
        schedules.SequentialLR(optimizer, [schedules.StepLR(optimizer, 1) for _ in range(3)], [1])
    for make in (lambda: schedules.StepLR(optimizer, 0), lambda: schedules.CosineAnnealingLR(optimizer, 0)):
        with pytest.raises(ArgumentError, match="must be positive, got 0"):
            make()
    with pytest.raises(ArgumentTypeError, match="milestones must be a list of steps, got 3"):
        schedules.MultiStepLR(optimizer, 3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"lr_lambda must be a function of the step, got 0\.5"):
        schedules.LambdaLR(optimizer, 0.5)
    for state in ({}, 3):
        with pytest.raises(StateError, match="this is no state of a StepLR"):
            schedules.StepLR(optimizer, 2).load_state_dict(state)  # type: ignore[arg-type]
