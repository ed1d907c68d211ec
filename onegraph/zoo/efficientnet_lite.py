"""EfficientNet-Lite: EfficientNets for processors that do small whole numbers best.

Source: the EfficientNet authors' release of 2020. Against Tan and Le, "EfficientNet" (2019): no squeeze-and-excitation, ReLU6
instead of swish, and the first and last convolutions and the depths of the first and last stages are not scaled. Convolutions
are padded as TensorFlow does, since all published weights were trained so. Read next: `vae.py`.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from onegraph import nn
from onegraph.zoo.blocks import SamePadConv2d
from onegraph.zoo.efficientnet import B0, EfficientNet
from onegraph.zoo.registry import network

# multipliers of width and depth, size of images, dropout
SCALES = {
    "lite0": (1.0, 1.0, 224, 0.2),
    "lite1": (1.0, 1.1, 240, 0.2),
    "lite2": (1.1, 1.2, 260, 0.3),
    "lite3": (1.2, 1.4, 280, 0.3),
    "lite4": (1.4, 1.8, 300, 0.3),
}


def _build(scale: str, num_classes: int, in_channels: int, options: dict[str, Any]) -> EfficientNet:
    width, depth, _, dropout = SCALES[scale]
    stages = [stage.scaled(width, depth) for stage in B0]
    stages[0] = replace(stages[0], input_channels=32, num_layers=B0[0].num_layers)
    stages[-1] = replace(stages[-1], num_layers=B0[-1].num_layers)
    defaults: dict[str, Any] = {
        "dropout": dropout,
        "last_channel": 1280,
        "norm_layer": functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01),
        "activation": nn.ReLU6,
        "squeeze": False,
        "convolution": SamePadConv2d,
        "num_classes": num_classes,
        "in_channels": in_channels,
    }
    return EfficientNet(stages, **{**defaults, **options})


def _about(scale: str) -> dict[str, Any]:
    width, depth, size, _ = SCALES[scale]
    return {
        "doc": f"EfficientNet-{scale.capitalize()}: {width} times as wide, {depth} times as deep as Lite0",
        "input_size": (size, size),
        "family": "EfficientNet",
        "source": "Tan and Le 2019; Liu 2020",
    }


@network(**_about("lite0"))
def efficientnet_lite0(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-Lite0. Further options are those of `EfficientNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in efficientnet_lite0().parameters())
    4652008
    """
    return _build("lite0", num_classes, in_channels, options)


@network(**_about("lite1"))
def efficientnet_lite1(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-Lite1. Further options are those of `EfficientNet`."""
    return _build("lite1", num_classes, in_channels, options)


@network(**_about("lite2"))
def efficientnet_lite2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-Lite2. Further options are those of `EfficientNet`."""
    return _build("lite2", num_classes, in_channels, options)


@network(**_about("lite3"))
def efficientnet_lite3(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-Lite3. Further options are those of `EfficientNet`."""
    return _build("lite3", num_classes, in_channels, options)


@network(**_about("lite4"))
def efficientnet_lite4(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-Lite4. Further options are those of `EfficientNet`."""
    return _build("lite4", num_classes, in_channels, options)
