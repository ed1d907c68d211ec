"""SqueezeNet: as right as AlexNet with fifty times fewer parameters.

Source: Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size" (2016), table 1; version 1.1, which needs 2.4 times less work, is the authors' later one. Parts are named
as in torchvision. Read next: `mobilenet_v1.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph import cat, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


class Fire(nn.Module):
    """A 1x1 convolution to few channels, from which 1x1 and 3x3 convolutions expand (section 3.2).

    Args:
        inplanes: channels that come in.
        squeeze_planes: the few channels.
        expand1x1_planes, expand3x3_planes: channels of the two expansions; the result has both.
    """

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inplanes, H, W) to (N, expand1x1_planes + expand3x3_planes, H, W)."""
        x = self.squeeze_activation(self.squeeze(x))
        return cat([self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1)


# First convolution (channels, window) and then Fire modules (squeezed, each expansion); "M" is max pooling.
VERSIONS: dict[str, tuple[tuple[int, int], tuple[tuple[int, int] | str, ...]]] = {
    "1_0": (
        (96, 7),
        ("M", (16, 64), (16, 64), (32, 128), "M", (32, 128), (48, 192), (48, 192), (64, 256), "M", (64, 256)),
    ),
    "1_1": (
        (64, 3),
        ("M", (16, 64), (16, 64), "M", (32, 128), (32, 128), "M", (48, 192), (48, 192), (64, 256), (64, 256)),
    ),
}


class SqueezeNet(nn.Module):
    """Fire modules; the classes' scores are means of maps. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        version: "1_0" or "1_1".
        num_classes: number of outputs.
        dropout: probability before the last convolution, in training.
        in_channels: 1 for gray images, 3 for colour.

    Raises:
        ArgumentError: there is no such version.
    """

    def __init__(
        self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5, in_channels: int = 3
    ) -> None:
        super().__init__()
        if version not in VERSIONS:
            raise ArgumentError(f"SqueezeNet: version must be '1_0' or '1_1', got {version!r}")
        self.num_classes = num_classes
        (channels, window), parts = VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, window, 2), nn.ReLU(inplace=True)]
        for part in parts:
            if isinstance(part, str):
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                layers.append(Fire(channels, part[0], part[1], part[1]))
                channels = 2 * part[1]
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(channels, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is last:
                    nn.init.normal_(module.weight, 0, 0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.features(x)).flatten(1)


_ABOUT: dict[str, Any] = {"input_size": (224, 224), "family": "SqueezeNet", "source": "Iandola et al. 2016"}


@network(doc="SqueezeNet 1.0: eight Fire modules", min_size=21, **_ABOUT)
def squeezenet1_0(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.0 (Iandola et al. 2016, table 1); see `SqueezeNet` for the arguments.

    >>> sum(p.numel() for p in squeezenet1_0().parameters())
    1248424
    """
    return SqueezeNet("1_0", num_classes, dropout, in_channels)


@network(doc="SqueezeNet 1.1: pools earlier", min_size=17, **_ABOUT)
def squeezenet1_1(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.1, which pools earlier; see `SqueezeNet` for the arguments.

    >>> sum(p.numel() for p in squeezenet1_1().parameters())
    1235496
    """
    return SqueezeNet("1_1", num_classes, dropout, in_channels)
