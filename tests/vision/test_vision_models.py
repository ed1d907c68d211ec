"""torchvision's names for networks and weights, on top of the zoo."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import onegraph as og
from onegraph import nn, zoo
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.vision import models
from onegraph.vision.models import _api, _meta, _utils
from onegraph.zoo.published import networks_with_weights, published


def test_every_network_with_weights_of_torchvision_is_offered() -> None:
    with_weights = {n for n in networks_with_weights() if any(e.layout == "torchvision" for e in published(n))}
    assert set(models.list_models()) == with_weights == set(models.list_models(models))
    for name in with_weights:
        assert models.__dict__[name].__name__ == name
        enumeration = models.get_model_weights(name)
        assert getattr(models, enumeration.__name__) is enumeration


def test_what_programs_read_of_weights() -> None:
    weights = models.VGG16_Weights.IMAGENET1K_V1
    assert weights is models.VGG16_Weights.DEFAULT and repr(weights) == "VGG16_Weights.IMAGENET1K_V1"
    assert weights.url.endswith("vgg16-397923af.pth") and weights.meta["num_params"] == 138_357_544
    assert weights.meta["categories"] == _meta._IMAGENET_CATEGORIES and len(weights.meta["categories"]) == 1000
    assert weights.transforms().crop_size == [224]
    assert models.ResNet50_Weights.DEFAULT.name == "IMAGENET1K_V2"
    assert models.get_weight("ResNet50_Weights.IMAGENET1K_V1").meta["_metrics"]["ImageNet-1K"]["acc@1"] == 76.13
    assert copy.deepcopy(weights) is weights and pickle.loads(pickle.dumps(weights)) is weights


def test_weights_are_equal_when_their_parts_are() -> None:
    weights = models.VGG16_Weights.DEFAULT.value
    assert weights == copy.deepcopy(weights) and weights != models.VGG19_Weights.DEFAULT.value
    assert isinstance(weights, models.Weights) and weights != "VGG16"


def test_networks_are_built_by_name_and_by_keyword() -> None:
    model = models.get_model("SqueezeNet1_1", num_classes=3)
    assert isinstance(model, models.SqueezeNet) and model.num_classes == 3
    assert models.list_models(include=["vgg*", "alex*"], exclude="*_bn") == [
        "alexnet",
        "vgg11",
        "vgg13",
        "vgg16",
        "vgg19",
    ]
    builder: Any = models.__dict__["squeezenet1_0"]
    assert sum(p.numel() for p in builder().parameters()) == 1_248_424


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


def test_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = zoo.squeezenet1_1()
    zoo.save_weights(source, tmp_path / "weights.pth")
    asked: list[Any] = []
    monkeypatch.setattr(
        "onegraph.zoo.weights.find_weights", lambda *args: asked.append(args) or tmp_path / "weights.pth"
    )
    for weights in (models.SqueezeNet1_1_Weights.DEFAULT, "IMAGENET1K_V1", "SqueezeNet1_1_Weights.IMAGENET1K_V1"):
        model = models.squeezenet1_1(weights=weights, progress=False)
        name = "features.0.weight"
        assert (model.state_dict()[name].numpy() == source.state_dict()[name].numpy()).all()
    with pytest.warns(UserWarning, match="deprecated"):
        models.squeezenet1_1(pretrained=True)
    with pytest.warns(UserWarning, match="deprecated"):
        models.squeezenet1_1(True)
    assert asked == [("squeezenet1_1", "IMAGENET1K_V1", progress) for progress in (False, False, False, True, True)]
    with pytest.warns(UserWarning, match="weights=None"):
        models.squeezenet1_1(pretrained=False)
    assert len(asked) == 5


def test_wrong_names_are_refused() -> None:
    with pytest.raises(ArgumentError, match="has no member 'V7'; it has IMAGENET1K_V1"):
        models.resnet18(weights="V7")
    with pytest.raises(ArgumentTypeError, match="member of ResNet18_Weights"):
        models.resnet18(weights=models.ResNet50_Weights.DEFAULT)
    with pytest.raises(ArgumentError, match="must be 1000"):
        models.resnet18(weights="DEFAULT", num_classes=10)
    with pytest.raises(ArgumentError, match="no model 'resnet17'"):
        models.get_model("resnet17")
    for name in ("ResNet50", "Nothing_Weights.DEFAULT"):
        with pytest.raises(ArgumentError, match="no weights"):
            models.get_weight(name)


def test_registering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_api, "BUILTIN_MODELS", {})
    made = _api.register_model("mine")(lambda **config: nn.Linear(**config))
    assert {"mine": made} == _api.BUILTIN_MODELS and _api.list_models() == ["mine"]
    with pytest.raises(ArgumentError, match="'mine' already"):
        _api.register_model("mine")(made)
    with pytest.raises(ArgumentError, match="no weights for 'mine'"):
        _api.get_model_weights("mine")


def test_legacy_arguments_may_depend_on_others() -> None:
    @_utils.handle_legacy_interface(
        weights=("pretrained", lambda kwargs: models.VGG11_Weights.DEFAULT if kwargs.get("small") else None)
    )
    def build(*, weights: Any = None, small: bool = False) -> Any:
        return weights

    with pytest.warns(UserWarning, match="deprecated"):
        assert build(pretrained=True, small=True) is models.VGG11_Weights.DEFAULT
    assert build(weights=models.VGG13_Weights.DEFAULT) is models.VGG13_Weights.DEFAULT


def test_named_parameters() -> None:
    kwargs = {"a": 1}
    _utils._ovewrite_named_param(kwargs, "a", 1)
    _utils._ovewrite_named_param(kwargs, "b", 2)
    assert kwargs == {"a": 1, "b": 2} and _utils._ovewrite_value_param("c", None, 3) == 3
    with pytest.raises(ArgumentError, match="must be 2"):
        _utils._ovewrite_named_param(kwargs, "a", 2)
    with pytest.raises(ArgumentError, match="must be 3, got 4"):
        _utils._ovewrite_value_param("c", 4, 3)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no children nothing"):
        _utils.IntermediateLayerGetter(zoo.lenet5(), {"nothing": "x"})
