"""VGG: nothing but 3x3 convolutions, pooling and three dense layers.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014), table 1:
configurations A (11 layers), A-LRN, B (13), C (16, some windows 1x1), D (16) and E (19); with batch normalization, as
torchvision adds it, after each convolution. Read next: `nin.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph import nn
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.alexnet import local_response_norm
from onegraph.zoo.registry import network

# A number is a 3x3 convolution of so many channels, a pair (channels, window) another one; "M" is max pooling that
# halves the size, "L" local response normalization.
Step = int | str | tuple[int, int]
CONFIGURATIONS: dict[str, tuple[Step, ...]] = {
    "A": (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "A-LRN": (64, "L", "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "B": (64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "C": (
        *(64, 64, "M", 128, 128, "M", 256, 256, (256, 1), "M"),
        *(512, 512, (512, 1), "M", 512, 512, (512, 1), "M"),
    ),
    "D": (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"),
    "E": (
        *(64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M"),
        *(512, 512, 512, 512, "M", 512, 512, 512, 512, "M"),
    ),
}


def make_layers(steps: Sequence[Step], batch_norm: bool = False, in_channels: int = 3) -> nn.Sequential:
    """The convolutional part of a configuration.

    Args:
        steps: as in `CONFIGURATIONS`.
        batch_norm: normalize after each convolution.
        in_channels: 1 for gray images, 3 for colour.

    >>> make_layers((8, "M"))
    Sequential(
      (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): ReLU(inplace=True)
      (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    )
    """
    layers: list[nn.Module] = []
    for step in steps:
        if step == "M":
            layers.append(nn.MaxPool2d(2, 2))
        elif step == "L":
            layers.append(local_response_norm())
        else:
            channels, window = step if isinstance(step, tuple) else (int(step), 3)
            layers.append(nn.Conv2d(in_channels, channels, window, padding=window // 2))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            in_channels = channels
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions, pooling to 7 by 7, three dense layers. Takes (N, channels, H, W), H and W at least 32.

    Args:
        features: the convolutional part, which gives 512 channels; see `make_layers`.
        num_classes: number of outputs.
        init_weights: draw first values as torchvision does: He's for convolutions, deviation 0.01 for dense layers.
        dropout: probability after the first two dense layers, in training.
        hidden: width of the first two dense layers.
    """

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
        hidden: int = 4096,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        convolutions = [m for m in features.modules() if isinstance(m, nn.Conv2d)]
        inputs = convolutions[-1].out_channels if convolutions else 512
        self.classifier = nn.Sequential(
            nn.Linear(inputs * 49, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        if init_weights:
            self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of a batch of images."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _vgg(name: str, batch_norm: bool, num_classes: int, in_channels: int, options: dict[str, Any]) -> VGG:
    return VGG(make_layers(CONFIGURATIONS[name], batch_norm, in_channels), num_classes, **options)


def _about(name: str, layers: int, what: str = "") -> dict[str, Any]:
    return {
        "doc": f"VGG {name}: {layers} layers{what}",
        "input_size": (224, 224),
        "family": "VGG",
        "source": "Simonyan and Zisserman 2014",
        "options_with_weights": {"init_weights": False},
    }


@network(**_about("A", 11))
def vgg11(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG A, 11 layers (Simonyan and Zisserman 2014, table 1). Further options are those of `VGG`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in vgg11().parameters())
    132863336
    """
    return _vgg("A", False, num_classes, in_channels, options)


@network(**_about("A", 11, ", batch normalization"))
def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG A with batch normalization. Further options are those of `VGG`."""
    return _vgg("A", True, num_classes, in_channels, options)


@network(**_about("A-LRN", 11, ", local response normalization"))
def vgg11_lrn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG A-LRN: local response normalization after the first convolution (table 1). Options are those of `VGG`."""
    return _vgg("A-LRN", False, num_classes, in_channels, options)


@network(**_about("B", 13))
def vgg13(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG B, 13 layers (Simonyan and Zisserman 2014, table 1). Further options are those of `VGG`."""
    return _vgg("B", False, num_classes, in_channels, options)


@network(**_about("B", 13, ", batch normalization"))
def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG B with batch normalization. Further options are those of `VGG`."""
    return _vgg("B", True, num_classes, in_channels, options)


@network(**_about("C", 16, ", three of them 1x1"))
def vgg16_1x1(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG C: 16 layers, the last convolution of the last three stages is 1x1 (table 1). Options are those of `VGG`."""
    return _vgg("C", False, num_classes, in_channels, options)


@network(**_about("D", 16))
def vgg16(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG D, 16 layers (Simonyan and Zisserman 2014, table 1). Further options are those of `VGG`."""
    return _vgg("D", False, num_classes, in_channels, options)


@network(**_about("D", 16, ", batch normalization"))
def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG D with batch normalization. Further options are those of `VGG`."""
    return _vgg("D", True, num_classes, in_channels, options)


@network(**_about("E", 19))
def vgg19(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG E, 19 layers (Simonyan and Zisserman 2014, table 1). Further options are those of `VGG`."""
    return _vgg("E", False, num_classes, in_channels, options)


@network(**_about("E", 19, ", batch normalization"))
def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """VGG E with batch normalization. Further options are those of `VGG`."""
    return _vgg("E", True, num_classes, in_channels, options)
