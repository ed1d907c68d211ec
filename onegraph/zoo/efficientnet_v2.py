"""EfficientNetV2: the first stages fuse a block's first two convolutions into one.

Source: Tan and Le, "EfficientNetV2: smaller models and faster training" (2021), table 4 and figure 2. Parts are named as in
torchvision. Read next: `efficientnet.py`, of whose blocks they are made.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from onegraph import nn
from onegraph.zoo.efficientnet import EfficientNet, MBConvConfig
from onegraph.zoo.registry import network

SMALL = (
    MBConvConfig(1, 3, 1, 24, 24, 2, fused=True),
    MBConvConfig(4, 3, 2, 24, 48, 4, fused=True),
    MBConvConfig(4, 3, 2, 48, 64, 4, fused=True),
    MBConvConfig(4, 3, 2, 64, 128, 6),
    MBConvConfig(6, 3, 1, 128, 160, 9),
    MBConvConfig(6, 3, 2, 160, 256, 15),
)
MEDIUM = (
    MBConvConfig(1, 3, 1, 24, 24, 3, fused=True),
    MBConvConfig(4, 3, 2, 24, 48, 5, fused=True),
    MBConvConfig(4, 3, 2, 48, 80, 5, fused=True),
    MBConvConfig(4, 3, 2, 80, 160, 7),
    MBConvConfig(6, 3, 1, 160, 176, 14),
    MBConvConfig(6, 3, 2, 176, 304, 18),
    MBConvConfig(6, 3, 1, 304, 512, 5),
)
LARGE = (
    MBConvConfig(1, 3, 1, 32, 32, 4, fused=True),
    MBConvConfig(4, 3, 2, 32, 64, 7, fused=True),
    MBConvConfig(4, 3, 2, 64, 96, 7, fused=True),
    MBConvConfig(4, 3, 2, 96, 192, 10),
    MBConvConfig(6, 3, 1, 192, 224, 19),
    MBConvConfig(6, 3, 2, 224, 384, 25),
    MBConvConfig(6, 3, 1, 384, 640, 7),
)


def _build(stages: Sequence[MBConvConfig], dropout: float, num_classes: int, in_channels: int, options: Any) -> Any:
    defaults = {
        "dropout": dropout,
        "last_channel": 1280,
        "norm_layer": functools.partial(nn.BatchNorm2d, eps=0.001),
        "num_classes": num_classes,
        "in_channels": in_channels,
    }
    return EfficientNet(stages, **{**defaults, **options})


def _about(doc: str, size: int) -> dict[str, Any]:
    return {"doc": doc, "input_size": (size, size), "family": "EfficientNet", "source": "Tan and Le 2021"}


@network(**_about("EfficientNetV2-S: 40 blocks, ten of them fused", 384))
def efficientnet_v2_s(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNetV2-S (Tan and Le 2021, table 4). Further options are those of `EfficientNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in efficientnet_v2_s().parameters())
    21458488
    """
    return _build(SMALL, 0.2, num_classes, in_channels, options)


@network(**_about("EfficientNetV2-M: 57 blocks, thirteen of them fused", 480))
def efficientnet_v2_m(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNetV2-M (Tan and Le 2021, section 4.1). Further options are those of `EfficientNet`."""
    return _build(MEDIUM, 0.3, num_classes, in_channels, options)


@network(**_about("EfficientNetV2-L: 79 blocks, eighteen of them fused", 480))
def efficientnet_v2_l(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNetV2-L (Tan and Le 2021, section 4.1). Further options are those of `EfficientNet`."""
    return _build(LARGE, 0.4, num_classes, in_channels, options)
