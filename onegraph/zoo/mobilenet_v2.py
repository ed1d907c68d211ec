"""MobileNetV2: blocks that widen, convolve depthwise and narrow again, with shortcuts between the narrow ends.

Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear bottlenecks" (2018), tables 1 and 2.
Parts are named as in torchvision. Read next: `mobilenet_v3.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.blocks import Conv2dNormActivation, NormLayer, initialize, make_divisible
from onegraph.zoo.registry import network

# (expansion, channels, blocks, stride of the first block); table 2
SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 depthwise, 1x1 to few without activation; a shortcut where the shapes allow it.

    Args:
        inp, oup: channels that come in and go out.
        stride: of the depthwise convolution, 1 or 2.
        expand_ratio: how many times more channels are inside.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.

    Raises:
        ArgumentError: the stride is neither 1 nor 2.
    """

    def __init__(
        self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: NormLayer | None = None
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ArgumentError(f"InvertedResidual: stride must be 1 or 2, got {stride}")
        norm = norm_layer or nn.BatchNorm2d
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        hidden = round(inp * expand_ratio)
        options: dict[str, Any] = {"norm_layer": norm, "activation_layer": nn.ReLU6}
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, hidden, 1, **options))
        layers.append(Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, **options))
        layers += [nn.Conv2d(hidden, oup, 1, bias=False), norm(oup)]
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        """(N, inp, H, W) to (N, oup, H / stride, W / stride)."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        num_classes: number of outputs.
        width_mult: multiplies the channels of each layer.
        inverted_residual_setting: rows (expansion, channels, blocks, stride) instead of the paper's.
        round_nearest: channels are a multiple of this.
        block: the class of the blocks.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.
        dropout: probability before the last layer, in training.
        in_channels: 1 for gray images, 3 for colour.

    Raises:
        ArgumentError: the setting has no rows, or rows that are not four numbers.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: NormLayer | None = None,
        dropout: float = 0.2,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        make = block or InvertedResidual
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or any(len(row) != 4 for row in setting):
            raise ArgumentError(f"MobileNetV2: inverted_residual_setting needs rows of four numbers, got {setting}")
        options: dict[str, Any] = {"norm_layer": norm_layer or nn.BatchNorm2d, "activation_layer": nn.ReLU6}
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        layers: list[nn.Module] = [Conv2dNormActivation(in_channels, channels, stride=2, **options)]
        for expansion, wanted, count, first in setting:
            outputs = make_divisible(wanted * width_mult, round_nearest)
            for number in range(count):
                stride = first if number == 0 else 1
                layers.append(make(channels, outputs, stride, expand_ratio=expansion, norm_layer=options["norm_layer"]))
                channels = outputs
        layers.append(Conv2dNormActivation(channels, self.last_channel, 1, **options))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


@network(
    doc="MobileNetV2: 17 inverted residual blocks",
    input_size=(224, 224),
    family="MobileNet",
    source="Sandler et al. 2018",
)
def mobilenet_v2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> MobileNetV2:
    """MobileNetV2 (Sandler et al. 2018, table 2). Further options are those of `MobileNetV2`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in mobilenet_v2().parameters())
    3504872
    """
    return MobileNetV2(num_classes, in_channels=in_channels, **options)
