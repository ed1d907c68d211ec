"""EfficientNets: one small network, and larger ones by a rule for depth, width and size of images together.

Sources: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (2019), table 1 and section 3.3;
Tan and Le, "EfficientNetV2: smaller models and faster training" (2021), table 4. Parts are named as in torchvision. The
lite versions are in `efficientnet_lite.py`, which is to be read next.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.blocks import (
    Conv2dNormActivation,
    NormLayer,
    SqueezeExcitation,
    StochasticDepth,
    initialize,
    make_divisible,
)
from onegraph.zoo.registry import network


@dataclass(frozen=True)
class MBConvConfig:
    """One stage: blocks of the same kind.

    Attributes:
        expand_ratio: how many times more channels are inside a block.
        kernel, stride: of the depthwise convolution; the stride is that of the first block.
        input_channels, out_channels: sizes.
        num_layers: number of blocks.
        fused: one convolution instead of a 1x1 and a depthwise one (EfficientNetV2).
    """

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    fused: bool = False

    def scaled(self, width: float, depth: float) -> MBConvConfig:
        """The stage with its channels and number of blocks multiplied (the paper's equation 3)."""
        return replace(
            self,
            input_channels=make_divisible(self.input_channels * width),
            out_channels=make_divisible(self.out_channels * width),
            num_layers=math.ceil(self.num_layers * depth),
        )


class MBConv(nn.Module):
    """1x1 to more channels, depthwise, squeeze-and-excitation, 1x1 to few; a shortcut where the shapes allow it.

    Args:
        cnf: the sizes.
        stochastic_depth_prob: probability that the branch beside the shortcut is left out, in training.
        norm_layer: makes a normalization for a number of channels.
        activation: makes an activation.
        squeeze: whether there is squeeze-and-excitation.
        convolution: the class of the convolutions.
    """

    def __init__(
        self,
        cnf: MBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: NormLayer,
        activation: Callable[..., nn.Module] = nn.SiLU,
        squeeze: bool = True,
        convolution: type[nn.Conv2d] = nn.Conv2d,
    ) -> None:
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ArgumentError(f"MBConv: stride must be 1 or 2, got {cnf.stride}")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = make_divisible(cnf.input_channels * cnf.expand_ratio)
        conv = functools.partial(Conv2dNormActivation, norm_layer=norm_layer, convolution=convolution)
        layers: list[nn.Module] = []
        if cnf.fused:
            last = wide if wide != cnf.input_channels else cnf.out_channels
            layers.append(conv(cnf.input_channels, last, cnf.kernel, cnf.stride, activation_layer=activation))
        else:
            if wide != cnf.input_channels:
                layers.append(conv(cnf.input_channels, wide, 1, activation_layer=activation))
            layers.append(conv(wide, wide, cnf.kernel, cnf.stride, groups=wide, activation_layer=activation))
            if squeeze:
                inside = functools.partial(activation, inplace=True)
                layers.append(SqueezeExcitation(wide, max(1, cnf.input_channels // 4), activation=inside))
        if not cnf.fused or wide != cnf.input_channels:
            layers.append(conv(wide, cnf.out_channels, 1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        """(N, input_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class EfficientNet(nn.Module):
    """An EfficientNet. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        inverted_residual_setting: the stages.
        dropout: probability before the last layer, in training.
        stochastic_depth_prob: probability of leaving out the last block; it rises evenly from 0 at the first.
        num_classes: number of outputs.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.
        last_channel: of the last convolution; four times those of the last stage by default.
        in_channels: 1 for gray images, 3 for colour.
        activation: makes an activation.
        squeeze: whether blocks have squeeze-and-excitation.
        convolution: the class of the convolutions.

    Raises:
        ArgumentError: there are no stages.
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: NormLayer | None = None,
        last_channel: int | None = None,
        in_channels: int = 3,
        activation: Callable[..., nn.Module] = nn.SiLU,
        squeeze: bool = True,
        convolution: type[nn.Conv2d] = nn.Conv2d,
    ) -> None:
        super().__init__()
        stages = list(inverted_residual_setting)
        if not stages:
            raise ArgumentError("EfficientNet: inverted_residual_setting must not be empty")
        norm = norm_layer or nn.BatchNorm2d
        options: dict[str, Any] = {"norm_layer": norm, "activation_layer": activation, "convolution": convolution}
        layers: list[nn.Module] = [Conv2dNormActivation(in_channels, stages[0].input_channels, 3, 2, **options)]
        total, number = sum(stage.num_layers for stage in stages), 0
        for stage in stages:
            blocks = []
            for i in range(stage.num_layers):
                cnf = replace(stage, input_channels=stage.out_channels, stride=1) if i else stage
                blocks.append(
                    MBConv(cnf, stochastic_depth_prob * number / total, norm, activation, squeeze, convolution)
                )
                number += 1
            layers.append(nn.Sequential(*blocks))
        before = stages[-1].out_channels
        last = 4 * before if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(before, last, 1, **options))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(last, num_classes))
        initialize(self, _dense)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _dense(layer: nn.Linear) -> None:
    bound = 1 / math.sqrt(layer.out_features)
    nn.init.uniform_(layer.weight, -bound, bound)


B0 = (  # table 1
    MBConvConfig(1, 3, 1, 32, 16, 1),
    MBConvConfig(6, 3, 2, 16, 24, 2),
    MBConvConfig(6, 5, 2, 24, 40, 2),
    MBConvConfig(6, 3, 2, 40, 80, 3),
    MBConvConfig(6, 5, 1, 80, 112, 3),
    MBConvConfig(6, 5, 2, 112, 192, 4),
    MBConvConfig(6, 3, 1, 192, 320, 1),
)

# multipliers of width and depth, size of images, dropout
SCALES = {
    "b0": (1.0, 1.0, 224, 0.2),
    "b1": (1.0, 1.1, 240, 0.2),
    "b2": (1.1, 1.2, 288, 0.3),  # 260 in the authors' code; the published weights take 288
    "b3": (1.2, 1.4, 300, 0.3),
    "b4": (1.4, 1.8, 380, 0.4),
    "b5": (1.6, 2.2, 456, 0.4),
    "b6": (1.8, 2.6, 528, 0.5),
    "b7": (2.0, 3.1, 600, 0.5),
}


def _scaled(scale: str, num_classes: int, in_channels: int, options: dict[str, Any]) -> EfficientNet:
    width, depth, _, dropout = SCALES[scale]
    if scale in ("b5", "b6", "b7"):  # their published weights come from another library, with TensorFlow's numbers
        options = {"norm_layer": functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01), **options}
    stages = [stage.scaled(width, depth) for stage in B0]
    return EfficientNet(
        stages, **{"dropout": dropout, "num_classes": num_classes, "in_channels": in_channels, **options}
    )


def _about(scale: str) -> dict[str, Any]:
    width, depth, size, _ = SCALES[scale]
    return {
        "doc": f"EfficientNet-{scale.upper()}: {width} times as wide and {depth} times as deep as B0",
        "input_size": (size, size),
        "family": "EfficientNet",
        "source": "Tan and Le 2019",
    }


@network(**_about("b0"))
def efficientnet_b0(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B0 (Tan and Le 2019, table 1). Further options are those of `EfficientNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in efficientnet_b0().parameters())
    5288548
    """
    return _scaled("b0", num_classes, in_channels, options)


@network(**_about("b1"))
def efficientnet_b1(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B1 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b1", num_classes, in_channels, options)


@network(**_about("b2"))
def efficientnet_b2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B2 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b2", num_classes, in_channels, options)


@network(**_about("b3"))
def efficientnet_b3(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B3 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b3", num_classes, in_channels, options)


@network(**_about("b4"))
def efficientnet_b4(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B4 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b4", num_classes, in_channels, options)


@network(**_about("b5"))
def efficientnet_b5(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B5 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b5", num_classes, in_channels, options)


@network(**_about("b6"))
def efficientnet_b6(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B6 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b6", num_classes, in_channels, options)


@network(**_about("b7"))
def efficientnet_b7(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """EfficientNet-B7 (Tan and Le 2019, table 2). Further options are those of `EfficientNet`."""
    return _scaled("b7", num_classes, in_channels, options)
