"""Averages of weights against PyTorch's.

Read next: `onegraph/optim/swa_utils.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ShapeError

torch = pytest.importorskip("torch")

LIBRARIES = ((torch, torch.tensor), (og, og.tensor))
WAYS: dict[str, Any] = {
    "plain": lambda u: {},
    "ema": lambda u: {"avg_fn": u.get_ema_avg_fn(0.7)},
    "swa": lambda u: {"avg_fn": u.get_swa_avg_fn()},
    "ema of several": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.7), "use_buffers": True},
    "swa of several": lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
    "own": lambda u: {"avg_fn": lambda average, current, count: average * 0.25 + current * 0.75},
}


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def batches() -> list[np.ndarray[Any, Any]]:
    return [np.random.default_rng(i).normal(size=(6, 3)).astype(np.float32) for i in range(4)]


@pytest.mark.parametrize("way", WAYS)
def test_averages_as_torch(way: str) -> None:
    found = []
    for library, tensor in LIBRARIES:
        model = library.nn.Sequential(library.nn.Linear(3, 2), library.nn.BatchNorm1d(2))
        first = np.random.default_rng(9).normal(size=(2, 3)).astype(np.float32)
        with library.no_grad():
            model[0].weight.copy_(tensor(first))
            model[0].bias.zero_()
        optimizer = library.optim.SGD(model.parameters(), lr=0.1)
        average = library.optim.swa_utils.AveragedModel(model, **WAYS[way](library.optim.swa_utils))
        for x in batches():
            optimizer.zero_grad()
            (model(tensor(x)) ** 3).mean().backward()
            optimizer.step()
            average.update_parameters(model)
        before = {k: v.detach().numpy().copy() for k, v in average.state_dict().items()}
        library.optim.swa_utils.update_bn([[tensor(x), 0] for x in batches()], average)
        after = average.module[1].running_var.numpy().copy()
        found.append((before, after, average(tensor(batches()[0])).detach().numpy(), average.module[1].momentum))
    (expected, variance, out, momentum), mine = found
    assert list(expected) == list(mine[0])
    for key, value in expected.items():
        np.testing.assert_allclose(mine[0][key], value, rtol=1e-4, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(mine[1], variance, rtol=1e-5)
    np.testing.assert_allclose(mine[2], out, rtol=1e-4, atol=1e-5)
    assert mine[3] == momentum


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 0}, {"anneal_epochs": 5, "anneal_strategy": "linear"}])
def test_swa_rates_as_torch(options: dict[str, Any]) -> None:
    pair = []
    for library, _ in LIBRARIES:
        groups = [{"params": [library.nn.Parameter(library.ones(1))], "lr": lr} for lr in (0.1, 0.01)]
        optimizer = library.optim.SGD(groups, lr=0.1)
        pair.append((optimizer, library.optim.swa_utils.SWALR(optimizer, swa_lr=[0.05, 0.02], **options)))
    for _ in range(15):
        np.testing.assert_allclose(pair[1][1].get_last_lr(), pair[0][1].get_last_lr(), rtol=1e-12)
        for _, schedule in pair:
            schedule.step()


def test_errors() -> None:
    utils = og.optim.swa_utils
    model = og.nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match="not both"):
        utils.AveragedModel(model, avg_fn=utils.get_swa_avg_fn(), multi_avg_fn=utils.get_swa_multi_avg_fn())
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        utils.get_ema_avg_fn(1.5)
    with pytest.raises(ShapeError, match="AveragedModel"):
        utils.AveragedModel(model).update_parameters(og.nn.Linear(3, 1))
    with pytest.raises(ArgumentError, match="anneal_strategy"):
        utils.SWALR(og.optim.SGD(model.parameters(), lr=0.1), 0.1, anneal_strategy="sine")
