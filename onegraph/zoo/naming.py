"""How other libraries name the parts of the zoo's networks: timm, Keras applications, and the EfficientNets of L. Melas-Kyriazi.

torchvision's names are the zoo's own. A table gives, for each layer that has numbers, its path here and its name there; it
is made by walking over a network, so it fits every depth and width. Read next: `layouts.py` (how numbers are laid out),
`weights.py` (reading files).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from onegraph import nn
from onegraph.zoo.densenet import DenseNet
from onegraph.zoo.efficientnet import EfficientNet
from onegraph.zoo.mobilenet_v1 import MobileNetV1
from onegraph.zoo.mobilenet_v2 import SETTING, MobileNetV2
from onegraph.zoo.mobilenet_v3 import LARGE, MobileNetV3
from onegraph.zoo.resnet import Bottleneck, ResNet
from onegraph.zoo.vgg import VGG

Names = dict[str, str]
LAYERS: Final = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
"""Layers that have numbers."""


def leaves(model: nn.Module) -> list[str]:
    """Paths of the layers that have numbers, in order.

    >>> leaves(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
    ['0']
    """
    return [path for path, module in model.named_modules() if isinstance(module, LAYERS)]


# ---- inverted residual blocks: EfficientNet, MobileNetV2, MobileNetV3


class Block(NamedTuple):
    """One block: its stage, its number in the stage and in all, and the paths of its layers by what they do.

    Roles: "expand", "expand_bn", "depthwise", "depthwise_bn", "squeeze", "excite", "project", "project_bn"; of blocks with one
    convolution instead of the first two: "fused", "fused_bn".
    """

    stage: int
    place: int
    number: int
    layers: dict[str, str]


def _roles(model: nn.Module, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    last = ""
    block = model.get_submodule(path)
    inside = [(f"{path}.{name}", module) for name, module in block.named_modules() if isinstance(module, LAYERS)]
    convolutions = sum(isinstance(m, nn.Conv2d) and not p.endswith((".fc1", ".fc2")) for p, m in inside)
    for where, module in inside:
        if where.endswith((".fc1", ".fc2")):
            found["squeeze" if where.endswith("1") else "excite"] = where
        elif isinstance(module, nn.BatchNorm2d):
            found[last + "_bn"] = where
        elif isinstance(module, nn.Conv2d):
            convolutions -= 1
            if module.groups > 1:
                last = "depthwise"
            elif module.kernel_size != (1, 1):
                last = "fused"
            else:
                last = "project" if convolutions == 0 else "expand"
            found[last] = where
    return found


def _blocks(model: nn.Module) -> Iterator[Block]:
    number = 0
    for stage, paths in enumerate(_stages(model)):
        for index, path in enumerate(paths):
            yield Block(stage, index, number, _roles(model, path))
            number += 1


def _stages(model: nn.Module) -> list[list[str]]:
    features = model.get_submodule("features")
    inner = list(range(1, len(list(features.children())) - 1))
    if isinstance(model, EfficientNet):
        return [
            [f"features.{i}.{j}" for j in range(len(list(features.get_submodule(str(i)).children())))] for i in inner
        ]
    if isinstance(model, MobileNetV2):
        counts = [count for _, _, count, _ in SETTING]
    else:
        counts = [1, 2, 3, 4, 2, 3] if len(inner) == len(LARGE) else [1, 2, 3, 2, 3]
    if sum(counts) != len(inner):
        return [[f"features.{i}"] for i in inner]
    stages, start = [], 1
    for count in counts:
        stages.append([f"features.{i}" for i in range(start, start + count)])
        start += count
    return stages


def _ends(model: nn.Module, first: tuple[str, str], last: tuple[str, str]) -> Names:
    """The convolutions before and behind the blocks, with their normalizations."""
    end = len(list(model.get_submodule("features").children())) - 1
    return {
        "features.0.0": first[0],
        "features.0.1": first[1],
        f"features.{end}.0": last[0],
        f"features.{end}.1": last[1],
    }


def _named(block: Block, names: dict[str, str]) -> Names:
    return {path: names[role] for role, path in block.layers.items()}


# ---- timm


def _timm_block(block: Block) -> Names:
    start = f"blocks.{block.stage}.{block.place}."
    if "fused" in block.layers:
        single = "project" not in block.layers
        words = {
            "fused": "conv" if single else "conv_exp",
            "fused_bn": "bn1",
            "project": "conv_pwl",
            "project_bn": "bn2",
        }
    elif "expand" in block.layers:
        words = {"expand": "conv_pw", "expand_bn": "bn1", "depthwise": "conv_dw", "depthwise_bn": "bn2"}
        words |= {"project": "conv_pwl", "project_bn": "bn3"}
    else:
        words = {"depthwise": "conv_dw", "depthwise_bn": "bn1", "project": "conv_pw", "project_bn": "bn2"}
    words |= {"squeeze": "se.conv_reduce", "excite": "se.conv_expand"}
    return _named(block, {role: start + word for role, word in words.items()})


def timm_names(model: nn.Module) -> Names | None:
    """timm's name of each layer; None where timm has no other names than torchvision, or not this network.

    >>> from onegraph import zoo
    >>> timm_names(zoo.efficientnet_b0())["features.2.0.block.0.0"]
    'blocks.1.0.conv_pw'
    """
    if isinstance(model, VGG):
        names = {path: path for path in leaves(model) if path.startswith("features")}
        return names | {
            "classifier.0": "pre_logits.fc1",
            "classifier.3": "pre_logits.fc2",
            "classifier.6": "head.fc",
        }
    if isinstance(model, (EfficientNet, MobileNetV2)):
        names = _ends(model, ("conv_stem", "bn1"), ("conv_head", "bn2")) | {"classifier.1": "classifier"}
    elif isinstance(model, MobileNetV3):
        last = f"blocks.{len(_stages(model))}.0"
        names = _ends(model, ("conv_stem", "bn1"), (f"{last}.conv", f"{last}.bn1"))
        names |= {"classifier.0": "conv_head", "classifier.3": "classifier"}
    else:
        return None
    for block in _blocks(model):
        names |= _timm_block(block)
    return names


# ---- EfficientNet-PyTorch by L. Melas-Kyriazi


def melas_names(model: nn.Module) -> Names | None:
    """The names of the EfficientNet-PyTorch package; None for other networks.

    >>> from onegraph import zoo
    >>> melas_names(zoo.efficientnet_lite0())["features.2.0.block.0.0"]
    '_blocks.1._expand_conv'
    """
    if not isinstance(model, EfficientNet) or any("fused" in block.layers for block in _blocks(model)):
        return None
    names = _ends(model, ("_conv_stem", "_bn0"), ("_conv_head", "_bn1")) | {"classifier.1": "_fc"}
    words = {"expand": "_expand_conv", "expand_bn": "_bn0", "depthwise": "_depthwise_conv", "depthwise_bn": "_bn1"}
    words |= {"squeeze": "_se_reduce", "excite": "_se_expand", "project": "_project_conv", "project_bn": "_bn2"}
    for block in _blocks(model):
        names |= _named(block, {role: f"_blocks.{block.number}.{word}" for role, word in words.items()})
    return names


# ---- Keras applications


def _keras_vgg(model: nn.Module) -> Names:
    names, block, index = {}, 1, 0
    for number, layer in enumerate(model.get_submodule("features").children()):
        if isinstance(layer, nn.MaxPool2d):
            block, index = block + 1, 0
        elif isinstance(layer, nn.Conv2d):
            index += 1
            names[f"features.{number}"] = f"block{block}_conv{index}"
    return names | {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}


def _keras_resnet(model: nn.Module) -> Names:
    names = {"conv1": "conv1_conv", "bn1": "conv1_bn", "fc": "predictions"}
    for path in leaves(model):
        found = re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)", path)
        if found:
            stage, block, kind, number = int(found[1]) + 1, int(found[2]) + 1, found[3], int(found[4])
            if kind == "downsample.":
                kind, number = ("conv", "bn")[number], 0
            names[path] = f"conv{stage}_block{block}_{number}_{kind}"
    return names


def _keras_densenet(model: nn.Module) -> Names:
    names = {"features.conv0": "conv1_conv", "features.norm0": "conv1_bn", "classifier": "predictions"}
    for path in leaves(model):
        layer = re.fullmatch(r"features\.denseblock(\d+)\.denselayer(\d+)\.(norm|conv)(\d)", path)
        between = re.fullmatch(r"features\.transition(\d+)\.(norm|conv)", path)
        if layer:
            number = int(layer[4]) - (layer[3] == "norm")
            names[path] = f"conv{int(layer[1]) + 1}_block{layer[2]}_{number}_{'bn' if layer[3] == 'norm' else 'conv'}"
        elif between:
            names[path] = f"pool{int(between[1]) + 1}_{'bn' if between[2] == 'norm' else 'conv'}"
        elif re.fullmatch(r"features\.norm[1-9]", path):
            names[path] = "bn"
    return names


def _keras_mobilenet_v1(model: nn.Module) -> Names:
    names = {"features.0.0": "conv1", "features.0.1": "conv1_bn", "classifier.1": "conv_preds"}
    for number in range(1, len(list(model.get_submodule("features").children()))):
        name = f"conv_{'dw' if number % 2 else 'pw'}_{(number + 1) // 2}"
        names |= {f"features.{number}.0": name, f"features.{number}.1": f"{name}_bn"}
    return names


def _keras_mobilenet_v2(model: nn.Module) -> Names:
    names = _ends(model, ("Conv1", "bn_Conv1"), ("Conv_1", "Conv_1_bn")) | {"classifier.1": "predictions"}
    for block in _blocks(model):
        start = f"block_{block.number}_" if block.number else "expanded_conv_"
        names |= _named(block, {role: start + role.replace("_bn", "_BN") for role in block.layers})
    return names


def _keras_mobilenet_v3(model: nn.Module) -> Names:
    names = _ends(model, ("conv", "conv_bn"), ("conv_1", "conv_1_bn"))
    names |= {"classifier.0": "conv_2", "classifier.3": "logits"}
    words = {"squeeze": "squeeze_excite_conv", "excite": "squeeze_excite_conv_1"}
    for block in _blocks(model):
        start = f"expanded_conv_{block.number}_" if block.number else "expanded_conv_"
        names |= _named(block, {role: start + words.get(role, role) for role in block.layers})
    return names


def _keras_efficientnet(model: nn.Module) -> Names:
    names = _ends(model, ("stem_conv", "stem_bn"), ("top_conv", "top_bn")) | {"classifier.1": "predictions"}
    words = {"expand": "expand_conv", "expand_bn": "expand_bn", "depthwise": "dwconv", "depthwise_bn": "bn"}
    words |= {"squeeze": "se_reduce", "excite": "se_expand", "project": "project_conv", "project_bn": "project_bn"}
    for block in _blocks(model):
        start = f"block{block.stage + 1}{chr(ord('a') + block.place)}_"
        names |= _named(block, {role: start + word for role, word in words.items()})
    return names


_KERAS: Final[tuple[tuple[type[nn.Module], Callable[[nn.Module], Names]], ...]] = (
    (VGG, _keras_vgg),
    (ResNet, _keras_resnet),
    (DenseNet, _keras_densenet),
    (MobileNetV1, _keras_mobilenet_v1),
    (MobileNetV2, _keras_mobilenet_v2),
    (MobileNetV3, _keras_mobilenet_v3),
    (EfficientNet, _keras_efficientnet),
)


def keras_names(model: nn.Module) -> Names | None:
    """The name that Keras applications have for each layer; None where Keras does not have the network.

    >>> from onegraph import zoo
    >>> keras_names(zoo.resnet50())["layer1.0.downsample.0"]
    'conv2_block1_0_conv'
    """
    for kind, make in _KERAS:
        if isinstance(model, kind):
            if isinstance(model, ResNet) and not isinstance(model.layer1[0], Bottleneck):
                return None  # Keras has no residual networks of basic blocks
            if isinstance(model, VGG) and any(isinstance(m, nn.BatchNorm2d) for m in model.modules()):
                return None
            if isinstance(model, EfficientNet) and any("squeeze" not in block.layers for block in _blocks(model)):
                return None
            return make(model)
    return None


def older_names(name: str) -> str:
    """A name in the files of 2017, as it is today: DenseNet's layers were called norm.1 and conv.2.

    >>> older_names("features.denseblock1.denselayer2.norm.1.weight")
    'features.denseblock1.denselayer2.norm1.weight'
    """
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", name)
