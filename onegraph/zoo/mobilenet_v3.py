"""MobileNetV3: found by search; squeeze-and-excitation and hard swish in the blocks of MobileNetV2.

Source: Howard, Sandler, Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le, Adam, "Searching for MobileNetV3" (2019),
tables 1 and 2. Parts are named as in torchvision. Read next: `efficientnet.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.blocks import Conv2dNormActivation, NormLayer, SqueezeExcitation, initialize, make_divisible
from onegraph.zoo.registry import network


@dataclass(frozen=True)
class InvertedResidualConfig:
    """One row of table 1 or 2; channels are multiplied by `width_mult` and rounded to a multiple of 8.

    Attributes:
        input_channels, kernel, expanded_channels, out_channels: sizes.
        use_se: whether there is squeeze-and-excitation.
        activation: "RE" for ReLU, "HS" for hard swish.
        stride, dilation: of the depthwise convolution.
        width_mult: multiplies the channels.
    """

    input_channels: int
    kernel: int
    expanded_channels: int
    out_channels: int
    use_se: bool
    activation: str
    stride: int
    dilation: int
    width_mult: float = 1.0

    def __post_init__(self) -> None:
        if self.stride not in (1, 2):
            raise ArgumentError(f"InvertedResidualConfig: stride must be 1 or 2, got {self.stride}")
        for name in ("input_channels", "expanded_channels", "out_channels"):
            object.__setattr__(self, name, self.adjust_channels(getattr(self, name), self.width_mult))

    @property
    def use_hs(self) -> bool:
        """Whether the activation is hard swish."""
        return self.activation == "HS"

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """Channels times the multiplier, rounded to a multiple of 8."""
        return make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise, squeeze-and-excitation, 1x1 to few; a shortcut where the shapes allow it.

    Args:
        cnf: the sizes.
        norm_layer: makes a normalization for a number of channels.
        se_layer: makes the squeeze-and-excitation; with a hard sigmoid by default.
    """

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: NormLayer,
        se_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        squeeze = se_layer or functools.partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = cnf.expanded_channels
        options: dict[str, Any] = {
            "norm_layer": norm_layer,
            "activation_layer": nn.Hardswish if cnf.use_hs else nn.ReLU,
        }
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, wide, 1, **options))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(
            Conv2dNormActivation(wide, wide, cnf.kernel, stride, dilation=cnf.dilation, groups=wide, **options)
        )
        if cnf.use_se:
            layers.append(squeeze(wide, make_divisible(wide // 4, 8)))
        layers.append(Conv2dNormActivation(wide, cnf.out_channels, 1, norm_layer=norm_layer, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        """(N, input_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """MobileNetV3. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        inverted_residual_setting: the blocks, a config each.
        last_channel: width of the hidden dense layer.
        num_classes: number of outputs.
        block: the class of the blocks.
        norm_layer: makes a normalization; BatchNorm2d with eps 0.001 and momentum 0.01 by default.
        dropout: probability before the last layer, in training.
        in_channels: 1 for gray images, 3 for colour.

    Raises:
        ArgumentError: there are no blocks.
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: NormLayer | None = None,
        dropout: float = 0.2,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if not inverted_residual_setting:
            raise ArgumentError("MobileNetV3: inverted_residual_setting must not be empty")
        norm = norm_layer or functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        make = block or InvertedResidual
        options: dict[str, Any] = {"norm_layer": norm, "activation_layer": nn.Hardswish}
        first, last = inverted_residual_setting[0].input_channels, inverted_residual_setting[-1].out_channels
        layers: list[nn.Module] = [Conv2dNormActivation(in_channels, first, 3, 2, **options)]
        layers += [make(cnf, norm) for cnf in inverted_residual_setting]
        layers.append(Conv2dNormActivation(last, 6 * last, 1, **options))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# (kernel, expanded, out, squeeze-and-excitation, activation, stride); the first of the last three is where a tail begins
LARGE = (
    (3, 16, 16, False, "RE", 1),
    (3, 64, 24, False, "RE", 2),
    (3, 72, 24, False, "RE", 1),
    (5, 72, 40, True, "RE", 2),
    (5, 120, 40, True, "RE", 1),
    (5, 120, 40, True, "RE", 1),
    (3, 240, 80, False, "HS", 2),
    (3, 200, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 480, 112, True, "HS", 1),
    (3, 672, 112, True, "HS", 1),
    (5, 672, 160, True, "HS", 2),
    (5, 960, 160, True, "HS", 1),
    (5, 960, 160, True, "HS", 1),
)
SMALL = (
    (3, 16, 16, True, "RE", 2),
    (3, 72, 24, False, "RE", 2),
    (3, 88, 24, False, "RE", 1),
    (5, 96, 40, True, "HS", 2),
    (5, 240, 40, True, "HS", 1),
    (5, 240, 40, True, "HS", 1),
    (5, 120, 48, True, "HS", 1),
    (5, 144, 48, True, "HS", 1),
    (5, 288, 96, True, "HS", 2),
    (5, 576, 96, True, "HS", 1),
    (5, 576, 96, True, "HS", 1),
)


def configuration(
    rows: Sequence[tuple[Any, ...]], width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False
) -> list[InvertedResidualConfig]:
    """The blocks of a table of the paper.

    Args:
        rows: `LARGE` or `SMALL`.
        width_mult: multiplies the channels.
        reduced_tail: half the channels in the last three blocks (section 6.4, for segmentation).
        dilated: dilate the last three blocks instead of halving the size (section 6.4).
    """
    blocks, channels = [], 16
    for number, (kernel, expanded, outputs, use_se, activation, stride) in enumerate(rows):
        tail = number >= len(rows) - 3
        divisor, dilation = (2 if tail and reduced_tail else 1), (2 if tail and dilated else 1)
        if number > len(rows) - 3:
            expanded //= divisor  # the first block of the tail still widens what comes from before it
        outputs //= divisor
        blocks.append(
            InvertedResidualConfig(
                channels, kernel, expanded, outputs, use_se, activation, stride, dilation, width_mult
            )
        )
        channels = outputs
    return blocks


def _build(
    rows: Sequence[tuple[Any, ...]],
    last: int,
    num_classes: int,
    in_channels: int,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **options: Any,
) -> MobileNetV3:
    last = InvertedResidualConfig.adjust_channels(last // (2 if reduced_tail else 1), width_mult)
    setting = configuration(rows, width_mult, reduced_tail, dilated)
    return MobileNetV3(setting, last, num_classes, in_channels=in_channels, **options)


_ABOUT: dict[str, Any] = {"input_size": (224, 224), "family": "MobileNet", "source": "Howard et al. 2019"}


@network(doc="MobileNetV3 large: 15 blocks", **_ABOUT)
def mobilenet_v3_large(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> MobileNetV3:
    """MobileNetV3-Large (Howard et al. 2019, table 1).

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        options: `width_mult`, `reduced_tail`, `dilated` of `configuration`, and `dropout`, `norm_layer`, `block` of
            `MobileNetV3`.

    >>> sum(p.numel() for p in mobilenet_v3_large().parameters())
    5483032
    """
    return _build(LARGE, 1280, num_classes, in_channels, **options)


@network(doc="MobileNetV3 small: 11 blocks", **_ABOUT)
def mobilenet_v3_small(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> MobileNetV3:
    """MobileNetV3-Small (Howard et al. 2019, table 2). Options are those of `mobilenet_v3_large`.

    >>> sum(p.numel() for p in mobilenet_v3_small().parameters())
    2542856
    """
    return _build(SMALL, 1024, num_classes, in_channels, **options)
