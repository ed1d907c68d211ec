"""Fine-tuning: heads, stages, groups of parameters, freezing; on networks of the zoo and on others."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
from onegraph import nn, zoo
from onegraph.errors import ArgumentError
from onegraph.inspection.shapes import shapes_only, zeros_of

CLASSIFIERS = [name for name, entry in zoo.NETWORKS.items() if entry.task == "classify" and name != "resnet1202"]


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference"):
        yield


def small() -> nn.Module:
    """Convolution, batch normalization, dense layer; a first part of its own class."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)
            )
            self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 4))

        def forward(self, x: og.Tensor) -> og.Tensor:
            return self.classifier(self.features(x).mean((2, 3)))

    og.manual_seed(0)
    return Net()


_QUICK = ("lenet5", "alexnet", "vgg11", "resnet18", "resnet20", "nin", "googlenet", "squeezenet1_1", "mobilenet_v2")


@pytest.mark.parametrize("name", [n if n in _QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CLASSIFIERS])
def test_every_classifier_gets_another_head(name: str) -> None:
    entry = zoo.network(name)
    model = zoo.replace_head(entry.make(), 7)
    with shapes_only(model):
        result = model(zeros_of((1, entry.in_channels, *entry.input_size)))
    assert tuple(result.shape) == (1, 7)
    found = zoo.stages(model)
    assert len(found) >= 3
    assert sum(len(parameters) for _, parameters in found) == len(list(model.parameters()))
    learning = {n for n, p in zoo.freeze(model).named_parameters() if p.requires_grad}
    assert learning and all(n.startswith(zoo.head_of(model)) or "aux" in n.lower() for n in learning)


def test_a_new_head_is_untrained_and_the_rest_is_kept() -> None:
    model = small()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    zoo.replace_head(model.eval(), 4)
    after = model.state_dict()
    assert not np.array_equal(after["classifier.1.weight"].numpy(), before["classifier.1.weight"])
    assert all(np.array_equal(after[n].numpy(), v) for n, v in before.items() if not n.startswith("classifier"))
    assert not model.classifier[1].training


def test_convolutions_as_heads_keep_their_window() -> None:
    model = zoo.replace_head(nn.Sequential(nn.Conv2d(3, 10, 3, stride=2, padding=1, bias=False)), 2)
    assert str(model[0]) == "Conv2d(3, 2, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)"


def test_stages_merge_normalization_and_open_containers() -> None:
    assert [name for name, _ in zoo.stages(small())] == ["features.0", "features.3", "classifier.1"]
    plain = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 1))
    assert [name for name, _ in zoo.stages(plain)] == ["0", "2", "3"]


def test_groups_share_all_parameters_and_slow_down_with_depth() -> None:
    model = small()
    groups = zoo.parameter_groups(model, lr=1.0, factor=10, head_lr=5.0, weight_decay=0.1)
    assert [(g["name"], g["lr"]) for g in groups] == [
        ("features.0", pytest.approx(0.01)),
        ("features.3", pytest.approx(0.1)),
        ("classifier.1", 5.0),
    ]
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    optimizer = og.optim.SGD(groups)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01) and optimizer.param_groups[2]["weight_decay"] == 0.1


def test_frozen_parts_do_not_change_in_training() -> None:
    model = zoo.freeze(small())
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    optimizer = og.optim.SGD(model.parameters(), lr=0.5)
    model.train()
    assert not model.features[1].training and model.classifier[0].training
    model(og.randn(3, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    changed = [n for n, v in model.state_dict().items() if not np.array_equal(v.numpy(), before[n])]
    assert changed == ["classifier.1.weight", "classifier.1.bias"]


def test_frozen_normalization_may_go_on_measuring() -> None:
    model = zoo.freeze(small(), batch_norm=False).train()
    assert model.features[1].training


def test_freezing_by_name_and_by_number() -> None:
    def learning(model: nn.Module) -> list[str]:
        return [n for n, p in model.named_parameters() if p.requires_grad]

    model = small()
    assert learning(zoo.freeze(model, "features.3")) == ["features.3.weight", "features.3.bias"]
    assert learning(zoo.freeze(model, ["features.4", "classifier"]))[0] == "features.4.weight"
    assert learning(zoo.freeze(model, 0)) == []
    assert learning(zoo.unfreeze(model, last=2))[0] == "features.3.weight"
    assert not model.train().features[1].training and model.features[4].training
    assert len(learning(zoo.unfreeze(model))) == len(list(model.parameters()))
    assert model.features[1].training


def test_a_frozen_model_is_copied_with_what_holds_it() -> None:
    model = copy.deepcopy(zoo.freeze(small()))
    assert not model.train().features[1].training
    assert zoo.unfreeze(model).train().features[1].training


def test_bad_arguments() -> None:
    model = small()
    for call, part in (
        (lambda: zoo.replace_head(model, 0), "at least 1"),
        (lambda: zoo.replace_head(model, 2, "features"), "neither Linear nor Conv2d"),
        (lambda: zoo.head_of(nn.ReLU()), "no Linear and no Conv2d"),
        (lambda: zoo.freeze(model, "fc"), "no layer 'fc'; there are features"),
        (lambda: zoo.freeze(model, 9), "has 3 stages"),
        (lambda: zoo.parameter_groups(model, lr=0.1, factor=0.5), "factor=0.5"),
        (lambda: zoo.parameter_groups(model, lr=0), "lr=0"),
    ):
        with pytest.raises(ArgumentError, match=part):
            call()
