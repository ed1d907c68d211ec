"""Every measured network and operator computes what PyTorch's does, at tiny sizes.

Read next: `bench/work.py`, `bench/operators.py`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.contest import Disagreement, check
from bench.models import copy_arrays, first_arrays, resnet50
from bench.operators import OPERATORS, adam, operators
from bench.training import gradients, our_step, same_losses, their_step, training, two_layer
from bench.work import find_work

torch = pytest.importorskip("torch")

import onegraph as og  # noqa: E402

QUICK = ("lenet5", "resnet18", "gpt", "lstm")
LARGE = ("resnet50", "densenet121", "inception")


@pytest.mark.parametrize("name", QUICK)
def test_losses_of_three_steps_agree(name: str) -> None:
    assert "falls of the loss to step 3 agree" in training(name, 8, quick=True).agree()


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_losses_of_three_steps_of_large_networks_agree(name: str) -> None:
    assert "falls of the loss to step 3 agree" in training(name, 8, quick=True).agree()


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Of any gradient or of the logits, as a part of its norm."""
    assert list(ours) == list(theirs)
    return max(float(np.linalg.norm(ours[n] - theirs[n]) / np.linalg.norm(theirs[n])) for n in theirs)


@pytest.mark.parametrize("name", QUICK)
def test_gradients_agree(name: str) -> None:
    work = find_work(name, 8, quick=True)
    assert largest_difference(gradients(og, work), gradients(torch, work)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_gradients_of_large_networks_agree(name: str) -> None:
    # PyTorch's own two layouts differ by 6 % here: rounding switches ReLUs of badly conditioned random networks.
    work = find_work(name, 8, quick=True)
    assert largest_difference(gradients(og, work), gradients(torch, work)) < 0.1


def test_other_weights_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    work = find_work("lenet5", 8, quick=True)
    theirs = gradients(torch, work)
    monkeypatch.setattr(
        "bench.training.first_arrays",
        lambda model, norm: {k: 1.01 * v if v.ndim > 1 else v for k, v in first_arrays(model, norm).items()},
    )
    assert largest_difference(gradients(og, work), theirs) > 5e-3


@pytest.mark.parametrize("change", [{"rate": 0.012}, {"rate": 0.0}, {"optimizer": "adamw"}])
def test_another_update_is_noticed(change: dict[str, Any]) -> None:
    work = find_work("lenet5", 8, quick=True)
    with pytest.raises(Disagreement, match="falls of the loss"):
        same_losses(our_step(replace(work, **change)), their_step(work))


@pytest.mark.parametrize("name", ["vgg16", "mobilenet", "resnet50"])
def test_logits_agree(name: str) -> None:
    from bench.inference import inference

    assert "logits agree" in inference(name, 1, quick=True).agree()


@pytest.mark.parametrize("jit", [True, False])
def test_the_two_layer_network_agrees(jit: bool) -> None:
    assert "agree" in two_layer(quick=True, jit=jit).agree()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_agree(name: str) -> None:
    assert "results agree" in operators(name, quick=True).agree()


def test_adam_agrees() -> None:
    assert "parameters agree" in adam(quick=True).agree()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lenet5", 61_706),
        ("resnet18", 11_173_962),
        ("resnet50", 25_557_032),
        ("vgg16", 138_357_544),
        ("densenet121", 7_978_856),
        ("inception", 23_834_568),
        ("mobilenet", 3_504_872),
        ("gpt", 10_775_040),
        ("lstm", 411_712),
    ],
)
def test_full_networks_are_as_large_as_published(name: str, parameters: int) -> None:
    with torch.device("meta"):  # shapes alone
        model = find_work(name, 8).make(torch)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_both_frameworks_start_from_the_same_bits() -> None:
    ours, theirs = resnet50(og, 10, 0.125), resnet50(torch, 10, 0.125)
    arrays = first_arrays(ours)
    again = first_arrays(theirs)
    assert list(arrays) == list(again)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    copy_arrays(og, ours, arrays)
    assert all(np.array_equal(value.numpy(), arrays[name]) for name, value in ours.state_dict().items())


def test_what_disagrees_is_refused() -> None:
    with pytest.raises(Disagreement, match="allowed 1e-03"):
        check("losses", 1.002, 1.0)
    with pytest.raises(Disagreement, match="nan"):
        check("losses", math.nan, 1.0)
    with pytest.raises(Disagreement, match="shapes differ"):
        check("logits", np.ones((2, 3)), np.ones((2, 1)))
