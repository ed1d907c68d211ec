"""Looking up networks, and what the decorator adds to a function that builds one."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

import pytest

from onegraph import nn, zoo
from onegraph.cli.networks import find_network, listing
from onegraph.errors import ArgumentError
from onegraph.zoo.registry import NETWORKS, names, network


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked of the loader of weights."""
    calls: list[tuple[Any, ...]] = []
    module = ModuleType("onegraph.zoo.weights")
    module.load_into = lambda *args: calls.append(args)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onegraph.zoo.weights", module)
    return calls


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network with options of its own for published weights."""
    monkeypatch.setattr("onegraph.zoo.registry.NETWORKS", dict(NETWORKS))
    after: list[Any] = []

    @network(doc="", options_with_weights={"bias": False}, after_weights=lambda model, options: after.append(options))
    def scaled(num_classes: int = 3, in_channels: int = 2, bias: bool = True) -> nn.Module:
        return nn.Linear(in_channels, num_classes, bias)

    scaled.after = after
    return scaled


def test_weights_are_loaded_by_the_name_of_the_network(loads: list[Any], scaled: Any) -> None:
    model = scaled(weights="DEFAULT", progress=False)
    assert loads == [(model, "scaled", "DEFAULT", False)]
    assert model.bias is None and scaled.after == [{}]


def test_the_callers_options_are_stronger(loads: list[Any], scaled: Any) -> None:
    assert scaled(weights="file.pth", bias=True).bias is not None
    assert scaled.after == [{"bias": True}]


def test_without_weights_nothing_is_loaded(loads: list[Any], scaled: Any) -> None:
    assert scaled(4).bias is not None and loads == [] and scaled.after == []


def test_help_shows_the_added_arguments() -> None:
    assert list(inspect.signature(zoo.resnet18).parameters) == [
        "num_classes", "in_channels", "weights", "progress", "options",
    ]  # fmt: skip
    assert "ResNet-18" in (zoo.resnet18.__doc__ or "")


def test_names_by_task_and_family() -> None:
    assert "gpt" in names("language") and "gpt" not in names("classify")
    assert set(names(family="ResNet for CIFAR")) == {f"resnet{n}" for n in (20, 32, 44, 56, 110, 1202)}


def test_every_network_says_where_it_comes_from() -> None:
    for found in NETWORKS.values():
        assert found.doc and found.family and found.source, found.name
        assert (found.make.__doc__ or "").strip(), found.name
        assert found.task != "classify" or min(found.input_size) > 0, found.name


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ArgumentError, match="task is one of"):
        network(doc="", task="sing")(lambda: nn.Identity())


def test_only_classifiers_can_be_trained_by_the_command() -> None:
    assert find_network("lenet5") is NETWORKS["lenet5"]
    assert "lenet5" in listing() and "gpt" not in listing()
    with pytest.raises(ArgumentError, match="gpt does not classify images"):
        find_network("gpt")


def test_errors_of_networks_name_the_callers_line() -> None:
    with pytest.raises(ArgumentError) as caught:
        zoo.CifarResNet(21)
    with pytest.raises(ArgumentError) as looked_up:
        network("nothing")
    for error in (caught, looked_up):
        location = error.value.location
        assert location is not None and location[0] == __file__
