"""How the numbers of a layer are laid out in files of other libraries, and how they become ours and back.

Here a convolution's weight is (out, in / groups, height, width) and a dense layer's (out, in), as in PyTorch. Keras keeps
(height, width, in, out), for depthwise convolutions (height, width, in, multiplier), and (in, out).
Read next: `weights.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onegraph import nn
from onegraph.zoo.naming import Names
from onegraph.zoo.resnet import ResNet

Array = np.ndarray[Any, Any]
KERAS_NORMALIZATION: Final = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


@dataclass(frozen=True)
class Pair:
    """One tensor: its name here, its name there, and how it is laid out there.

    Attributes:
        ours, theirs: the names.
        layout: "same"; "flat": a convolution there, a dense layer here; "hwio", "depthwise", "io" as Keras has them; "io4": a
            dense layer that Keras has as a 1x1 convolution; "hwc": a dense layer behind a flattened image, which Keras
            flattens with the channels last.
        shape: of the tensor here.
        image: channels, height and width of the flattened image, for "hwc".
        minus: the name there of what is taken away: the bias of a convolution, which the normalization behind it undoes.
    """

    ours: str
    theirs: str
    layout: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] = (0, 0, 0)
    minus: str | None = None

    def their_shape(self) -> tuple[int, ...]:
        """The shape there; a "flat" one depends on the window and is given with size 1."""
        shape = self.shape
        match self.layout:
            case "hwio":
                return (*shape[2:], shape[1], shape[0])
            case "depthwise":
                return (*shape[2:], shape[0], shape[1])
            case "io" | "hwc":
                return shape[::-1]
            case "io4":
                return (1, 1, *shape[::-1])
            case "flat":
                return (*shape, 1, 1) if self.image == (0, 0, 0) else (shape[0], *self.image)
            case _:
                return shape

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of that shape there can become ours."""
        if self.layout in ("io", "io4"):
            return tuple(shape) in (self.shape[::-1], (1, 1, *self.shape[::-1]))
        if self.layout == "flat" and len(shape) == 4:
            return shape[0] == self.shape[0] and math.prod(shape[1:]) == self.shape[1]
        return tuple(shape) == self.their_shape() or (self.layout == "flat" and tuple(shape) == self.shape)

    def load(self, array: Array) -> Array:
        """Theirs as ours."""
        match self.layout:
            case "hwio":
                return array.transpose(3, 2, 0, 1)
            case "depthwise":
                return array.transpose(2, 3, 0, 1)
            case "io" | "io4":
                return array.reshape(-1, array.shape[-1]).T
            case "hwc":
                channels, height, width = self.image
                return array.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(self.shape)
            case "flat":
                return array.reshape(array.shape[0], -1)
            case _:
                return array

    def save(self, array: Array) -> Array:
        """Ours as theirs."""
        match self.layout:
            case "hwio":
                return array.transpose(2, 3, 1, 0)
            case "depthwise":
                return array.transpose(2, 3, 0, 1)
            case "hwc":
                return array.reshape(-1, *self.image).transpose(2, 3, 1, 0).reshape(self.shape[::-1])
            case "io" | "io4":
                return array.T.reshape(self.their_shape())
            case _:
                return array.reshape(self.their_shape())


def plain_pairs(model: nn.Module, names: Names | None = None) -> list[Pair]:
    """The tensors of a network under PyTorch's conventions, with the names of layers from a table."""
    pairs = []
    for ours, tensor in model.state_dict().items():
        shape = tuple(int(size) for size in tensor.shape)
        path, _, kind = ours.rpartition(".")
        theirs, layout, image = ours, "same", (0, 0, 0)
        if names is not None:
            if path not in names:
                continue
            theirs = f"{names[path]}.{kind}"
            # timm has VGG's first dense layers, and MobileNetV3's, as convolutions
            if (
                kind == "weight"
                and len(shape) == 2
                and names[path] in ("pre_logits.fc1", "pre_logits.fc2", "conv_head")
            ):
                layout = "flat"
                if names[path] == "pre_logits.fc1":
                    image = (shape[1] // 49, 7, 7)
        pairs.append(Pair(ours, theirs, layout, shape, image))
    return pairs


def keras_pairs(model: nn.Module, names: Names) -> list[Pair]:
    """The tensors of a network under Keras's conventions."""
    pairs: list[Pair] = []
    biased: dict[str, str] = {}  # normalization -> the bias there of the convolution before it, which is not there here
    before = ""
    for path, name in ((path, names[path]) for path, _ in model.named_modules() if path in names):
        layer = model.get_submodule(path)
        if isinstance(layer, nn.Conv2d):
            before = name if layer.bias is None else ""
        elif isinstance(layer, nn.BatchNorm2d) and before and isinstance(model, ResNet):
            biased[path] = f"{before}.bias"
        for kind, tensor in layer.state_dict().items():
            if kind != "num_batches_tracked":
                pairs.append(_keras_pair(layer, path, name, kind, tuple(int(n) for n in tensor.shape)))
    return [
        Pair(p.ours, p.theirs, p.layout, p.shape, p.image, biased.get(p.ours.removesuffix(".running_mean")))
        if p.ours.endswith(".running_mean")
        else p
        for p in pairs
    ]


def _keras_pair(layer: nn.Module, path: str, name: str, kind: str, shape: tuple[int, ...]) -> Pair:
    ours = f"{path}.{kind}"
    if isinstance(layer, nn.BatchNorm2d):
        return Pair(ours, f"{name}.{KERAS_NORMALIZATION[kind]}", "same", shape)
    if kind == "bias":
        return Pair(ours, f"{name}.bias", "same", shape)
    theirs = f"{name}.kernel"
    if isinstance(layer, nn.Conv2d):
        return Pair(ours, theirs, "depthwise" if layer.groups > 1 else "hwio", shape)
    if name == "fc1":
        return Pair(ours, theirs, "hwc", shape, (shape[1] // 49, 7, 7))
    return Pair(ours, theirs, "io4" if name in ("conv_preds", "conv_2", "logits") else "io", shape)
