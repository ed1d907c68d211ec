"""The residual networks for CIFAR-10, of 20 to 1202 layers.

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2015), section 4.2: a 3x3 convolution, three
stages of n basic blocks with 16, 32 and 64 channels on images of 32, 16 and 8 pixels, average pooling and one dense
layer, 6n+2 layers in all. Shortcuts have no parameters (option A): where a stage halves the size, the shortcut takes every
second pixel and fills the new channels with zeros. Read next: `densenet.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network
from onegraph.zoo.resnet import BasicBlock, conv1x1, conv3x3


class PadShortcut(nn.Module):
    """A shortcut of option A: every second pixel, the new channels zero.

    Args:
        inputs, outputs: numbers of channels; half of the new ones come before the old ones, half behind.
        stride: step between the pixels taken.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.before, self.stride = (outputs - inputs) // 2, stride
        self.behind = outputs - inputs - self.before

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        x = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, self.before, self.behind))

    def extra_repr(self) -> str:
        """The sizes."""
        return f"before={self.before}, behind={self.behind}, stride={self.stride}"


class CifarResNet(nn.Module):
    """A residual network for 32 by 32 images. Takes (N, in_channels, 32, 32), gives logits (N, num_classes).

    Args:
        depth: number of layers with weights, 6n+2.
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        shortcut: "A" (no parameters, as in the paper) or "B" (1x1 convolutions where the size changes).
        width: channels of the first stage.

    Raises:
        ArgumentError: the depth is not 6n+2, or there is no such shortcut.
    """

    def __init__(
        self, depth: int, num_classes: int = 10, in_channels: int = 3, shortcut: str = "A", width: int = 16
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ArgumentError(f"CifarResNet: depth must be 6n+2 (8, 14, 20, ...), got {depth}")
        if shortcut not in ("A", "B"):
            raise ArgumentError(f"CifarResNet: shortcut must be 'A' or 'B', got {shortcut!r}")
        count = (depth - 2) // 6
        self.conv1 = conv3x3(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(width, width, count, 1, shortcut)
        self.layer2 = _stage(width, 2 * width, count, 2, shortcut)
        self.layer3 = _stage(2 * width, 4 * width, count, 2, shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)  # the paper's reference [13]: by the number of inputs

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(inputs: int, outputs: int, count: int, stride: int, shortcut: str) -> nn.Sequential:
    change: nn.Module | None = None
    if inputs != outputs:
        if shortcut == "A":
            change = PadShortcut(inputs, outputs, stride)
        else:
            change = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    blocks = [BasicBlock(inputs, outputs, stride, change)]
    return nn.Sequential(*blocks, *(BasicBlock(outputs, outputs) for _ in range(1, count)))


def _about(depth: int) -> dict[str, Any]:
    return {
        "doc": f"ResNet-{depth} for CIFAR-10: {(depth - 2) // 2} basic blocks",
        "input_size": (32, 32),
        "num_classes": 10,
        "family": "ResNet for CIFAR",
        "source": "He et al. 2015",
        "min_size": 8,
    }


@network(**_about(20))
def resnet20(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-20 for CIFAR-10, 0.27 million parameters (He et al. 2015, table 6). Further options are those of `CifarResNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> import onegraph as og
    >>> model = resnet20()
    >>> sum(p.numel() for p in model.parameters())
    269722
    >>> model(og.zeros(2, 3, 32, 32)).shape
    onegraph.Size([2, 10])
    """
    return CifarResNet(20, num_classes, in_channels, **options)


@network(**_about(32))
def resnet32(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-32 for CIFAR-10, 0.46 million parameters (He et al. 2015, table 6)."""
    return CifarResNet(32, num_classes, in_channels, **options)


@network(**_about(44))
def resnet44(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-44 for CIFAR-10, 0.66 million parameters (He et al. 2015, table 6)."""
    return CifarResNet(44, num_classes, in_channels, **options)


@network(**_about(56))
def resnet56(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-56 for CIFAR-10, 0.85 million parameters (He et al. 2015, table 6)."""
    return CifarResNet(56, num_classes, in_channels, **options)


@network(**_about(110))
def resnet110(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-110 for CIFAR-10, 1.7 million parameters (He et al. 2015, table 6)."""
    return CifarResNet(110, num_classes, in_channels, **options)


@network(**_about(1202))
def resnet1202(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarResNet:
    """ResNet-1202 for CIFAR-10, 19.4 million parameters (He et al. 2015, table 6)."""
    return CifarResNet(1202, num_classes, in_channels, **options)
