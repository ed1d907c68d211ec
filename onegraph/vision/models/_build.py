"""torchvision's functions and enumerations of weights, made from the zoo's networks and what it knows of published weights.

Read next: `resnet.py`, which uses it; `onegraph/zoo/published.py`, where the facts are.
"""

from __future__ import annotations

import functools
from typing import Any, cast

from onegraph import nn, zoo
from onegraph.vision.models._api import BUILTIN_MODELS, ENUMERATIONS, Builder, Weights, WeightsEnum
from onegraph.vision.models._meta import _IMAGENET_CATEGORIES
from onegraph.vision.models._utils import _ovewrite_named_param, handle_legacy_interface
from onegraph.vision.transforms._presets import ImageClassification, InterpolationMode
from onegraph.zoo.published import Published, published


def weights_of(name: str, network: str) -> Any:
    """The enumeration of a network's weights.

    Args:
        name: of the enumeration, such as "ResNet50_Weights".
        network: the network's name in the zoo.
    """
    files = [entry for entry in published(network) if entry.layout == "torchvision"]
    members = {entry.name: _weights(entry, zoo.network(network).min_size) for entry in files}
    members["DEFAULT"] = members[next(entry.name for entry in files if entry.default)]
    found = cast(type[WeightsEnum], WeightsEnum(name, members, module=f"{__package__}"))  # type: ignore[call-arg]
    ENUMERATIONS[network] = found
    return found


def _weights(entry: Published, min_size: int) -> Weights:
    how = entry.preprocessing
    transforms = functools.partial(
        ImageClassification,
        crop_size=how.crop,
        resize_size=how.resize,
        mean=how.mean,
        std=how.std,
        interpolation=InterpolationMode(how.interpolation),
    )
    meta = {
        "num_params": entry.parameters,
        "min_size": (min_size, min_size),
        "categories": _IMAGENET_CATEGORIES,
        "_metrics": {"ImageNet-1K": {"acc@1": entry.top1, "acc@5": entry.top5}},
    }
    return Weights(entry.url, transforms, meta)


def builder(network: str, enumeration: Any, module: str, legacy: str = "IMAGENET1K_V1") -> Builder:
    """torchvision's function that builds a network.

    Args:
        network: the network's name in the zoo.
        enumeration: its weights.
        module: where the function is offered, for `__module__`.
        legacy: the weights that `pretrained=True` meant.
    """
    make = zoo.network(network).make

    def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> nn.Module:
        chosen = enumeration.verify(weights)
        if chosen is None:
            return make(**kwargs)
        _ovewrite_named_param(kwargs, "num_classes", len(chosen.meta["categories"]))
        return make(weights=chosen.name, progress=progress, **kwargs)

    build.__name__ = build.__qualname__ = network
    build.__module__ = module
    first = (make.__doc__ or "").partition("\n")[0]
    build.__doc__ = f"{first}\n\n    Weights are members of `{enumeration.__name__}` or their names."
    BUILTIN_MODELS[network] = handle_legacy_interface(weights=("pretrained", enumeration[legacy]))(build)
    return BUILTIN_MODELS[network]
