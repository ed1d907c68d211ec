"""AlexNet, which won ILSVRC 2012, and ZFNet, a year later.

Sources: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks" (2012), section 3
and figure 2; Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), the one-column version
that PyTorch's weights are of; Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2013), figure 3 and
section 4.1. Read next: `vgg.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


def local_response_norm() -> nn.LocalResponseNorm:
    """The normalization over five neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    The paper's alpha multiplies the sum of the five squares, the layer's their mean: hence 5 times 1e-4.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def head(inputs: int, num_classes: int, dropout: float, hidden: int = 4096) -> list[nn.Module]:
    """Dropout and three dense layers."""
    return [
        nn.Dropout(dropout),
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, num_classes),
    ]


class _Features(nn.Module):
    """Base: `features`, pooling to 6 by 6, `classifier`."""

    features: nn.Sequential
    classifier: nn.Sequential

    def __init__(self) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))  # 224x224 images come out as 6x6: then it changes nothing

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))

    def _draw_all(self) -> None:
        """Normal numbers of deviation 0.01, biases 0, as both papers begin."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)


class AlexNet(_Features):
    """AlexNet with one column, as torchvision has it. Takes (N, in_channels, H, W), H and W at least 63.

    Args:
        num_classes: number of outputs.
        dropout: probability before the first two dense layers, in training.
        in_channels: 1 for gray images, 3 for colour.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, in_channels: int = 3) -> None:
        super().__init__()
        relu = nn.ReLU
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),  # 224x224 -> 55x55
            relu(inplace=True),
            nn.MaxPool2d(3, 2),  # -> 27x27
            nn.Conv2d(64, 192, 5, padding=2),
            relu(inplace=True),
            nn.MaxPool2d(3, 2),  # -> 13x13
            nn.Conv2d(192, 384, 3, padding=1),
            relu(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            relu(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            relu(inplace=True),
            nn.MaxPool2d(3, 2),  # -> 6x6
        )
        self.classifier = nn.Sequential(*head(256 * 36, num_classes, dropout))


class OriginalAlexNet(_Features):
    """AlexNet as the paper has it: local response normalization, and convolutions in two groups (one a processor).

    Takes (N, in_channels, H, W), H and W at least 63; the arguments are those of `AlexNet`.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, in_channels: int = 3) -> None:
        super().__init__()
        relu = nn.ReLU
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, 11, stride=4, padding=2),  # 224x224 -> 55x55
            relu(inplace=True),
            local_response_norm(),
            nn.MaxPool2d(3, 2),  # -> 27x27
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            relu(inplace=True),
            local_response_norm(),
            nn.MaxPool2d(3, 2),  # -> 13x13
            nn.Conv2d(256, 384, 3, padding=1),  # the only convolution that sees both columns
            relu(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            relu(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            relu(inplace=True),
            nn.MaxPool2d(3, 2),  # -> 6x6
        )
        self.classifier = nn.Sequential(*head(256 * 36, num_classes, dropout))
        self._draw_all()
        # Section 5: biases of 1 in layers 2, 4 and 5 and the hidden dense layers give ReLUs positive inputs early on.
        for layer in (self.features[4], self.features[10], self.features[12], self.classifier[1], self.classifier[4]):
            nn.init.ones_(layer.bias)


class ZFNet(_Features):
    """ZFNet: AlexNet with smaller windows and strides at the beginning. Takes (N, in_channels, H, W), H and W at least 63.

    Args:
        num_classes: number of outputs.
        dropout: probability before the first two dense layers, in training.
        in_channels: 1 for gray images, 3 for colour.
        channels: of the third, fourth and fifth convolution; (512, 1024, 512) is the larger network of section 4.1.

    Raises:
        ArgumentError: `channels` has not three numbers.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        dropout: float = 0.5,
        in_channels: int = 3,
        channels: tuple[int, int, int] = (384, 384, 256),
    ) -> None:
        super().__init__()
        if len(channels) != 3:
            raise ArgumentError(f"ZFNet: channels must be three numbers, got {channels}")
        relu = nn.ReLU
        third, fourth, fifth = channels
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, 7, stride=2, padding=1),  # 224x224 -> 110x110
            relu(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # -> 55x55
            local_response_norm(),
            nn.Conv2d(96, 256, 5, stride=2),  # -> 26x26
            relu(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # -> 13x13
            local_response_norm(),
            nn.Conv2d(256, third, 3, padding=1),
            relu(inplace=True),
            nn.Conv2d(third, fourth, 3, padding=1),
            relu(inplace=True),
            nn.Conv2d(fourth, fifth, 3, padding=1),
            relu(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # -> 6x6
        )
        self.classifier = nn.Sequential(*head(fifth * 36, num_classes, dropout))
        self._draw_all()


_ALEXNET: dict[str, Any] = {
    "input_size": (224, 224),
    "family": "AlexNet",
    "source": "Krizhevsky et al. 2012",
    "min_size": 63,
}


@network(doc="AlexNet with one column: five convolutions, three dense layers", **_ALEXNET)
def alexnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5, original: bool = False) -> Any:
    """AlexNet with one column (Krizhevsky 2014), as torchvision has it.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability before the first two dense layers, in training.
        original: the network of 2012 instead, with local response normalization and two groups: `alexnet_original`.

    >>> import onegraph as og
    >>> sum(p.numel() for p in alexnet().parameters())
    61100840
    """
    return (OriginalAlexNet if original else AlexNet)(num_classes, dropout, in_channels)


@network(doc="AlexNet of 2012: local response normalization, two groups", **_ALEXNET)
def alexnet_original(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> OriginalAlexNet:
    """AlexNet as the paper of 2012 has it (figure 2): local response normalization, and two groups.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability before the first two dense layers, in training.

    >>> sum(p.numel() for p in alexnet_original().parameters())
    60965224
    """
    return OriginalAlexNet(num_classes, dropout, in_channels)


@network(
    doc="ZFNet: AlexNet with 7x7 windows of stride 2 first",
    input_size=(224, 224),
    family="ZFNet",
    source="Zeiler and Fergus 2013",
    min_size=63,
)
def zfnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5, wide: bool = False) -> ZFNet:
    """ZFNet (Zeiler and Fergus 2013, figure 3), whose authors' company Clarifai won ILSVRC 2013 with larger ones.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability before the first two dense layers, in training.
        wide: 512, 1024 and 512 channels in the last three convolutions (section 4.1).

    >>> sum(p.numel() for p in zfnet().parameters())
    62357608
    """
    return ZFNet(num_classes, dropout, in_channels, (512, 1024, 512) if wide else (384, 384, 256))
