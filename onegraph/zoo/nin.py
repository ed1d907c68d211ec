"""Network in network: each convolution is followed by two 1x1 ones, and means of whole maps are the classes' scores.

Source: Lin, Chen, Yan, "Network in network" (2013), sections 3 and 4; numbers of channels are those of the authors'
published networks for CIFAR-10 and ImageNet. Read next: `googlenet.py`, which took up the 1x1 convolutions.
"""

from __future__ import annotations

import itertools
from typing import Any

from onegraph import nn
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


def mlpconv(inputs: int, channels: tuple[int, int, int], window: int, stride: int = 1, padding: int = 0) -> list[Any]:
    """A convolution and two 1x1 convolutions, each with a ReLU (the paper's figure 1b)."""
    layers: list[Any] = [nn.Conv2d(inputs, channels[0], window, stride, padding), nn.ReLU(inplace=True)]
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 1), nn.ReLU(inplace=True)]
    return layers


class NiN(nn.Module):
    """A stack of `mlpconv` parts and pooling, ending in one map for each class. Gives logits (N, num_classes).

    Args:
        features: the layers; the last convolution has as many channels as there are classes.
    """

    def __init__(self, features: list[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)  # trains without the published network's rates for each layer
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.avgpool(self.features(x)).flatten(1)


@network(
    doc="network in network for ImageNet: four convolutions, each with two 1x1 ones",
    input_size=(224, 224),
    family="NiN",
    source="Lin et al. 2013",
    min_size=63,
)
def nin(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> NiN:
    """Network in network for ImageNet (Lin et al. 2013), in the size that its authors published.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability before the last stage, in training.

    >>> sum(p.numel() for p in nin().parameters())
    7595176
    """
    return NiN(
        [
            *mlpconv(in_channels, (96, 96, 96), 11, stride=4),  # 224x224 -> 54x54
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *mlpconv(96, (256, 256, 256), 5, padding=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *mlpconv(256, (384, 384, 384), 3, padding=1),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Dropout(dropout),
            *mlpconv(384, (1024, 1024, num_classes), 3, padding=1),
        ]
    )


@network(
    doc="network in network for CIFAR-10: three convolutions, each with two 1x1 ones",
    input_size=(32, 32),
    num_classes=10,
    family="NiN",
    source="Lin et al. 2013",
    min_size=8,
)
def nin_cifar(num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> NiN:
    """Network in network for CIFAR-10 (Lin et al. 2013, section 4.2), 0.97 million parameters.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability between the stages, in training.

    >>> sum(p.numel() for p in nin_cifar().parameters())
    966986
    """
    return NiN(
        [
            *mlpconv(in_channels, (192, 160, 96), 5, padding=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # 32x32 -> 16x16
            nn.Dropout(dropout),
            *mlpconv(96, (192, 192, 192), 5, padding=2),
            nn.AvgPool2d(3, 2, ceil_mode=True),  # -> 8x8
            nn.Dropout(dropout),
            *mlpconv(192, (192, 192, num_classes), 3, padding=1),
        ]
    )
