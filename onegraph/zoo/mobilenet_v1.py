"""MobileNet: depthwise convolutions, each followed by a 1x1 convolution.

Source: Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam, "MobileNets: efficient convolutional neural networks
for mobile vision applications" (2017), table 1; section 3.3 for the width multiplier. The activation is ReLU6, as in the
authors' published weights. Read next: `mobilenet_v2.py`.
"""

from __future__ import annotations

from onegraph import nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.blocks import Activation, Conv2dNormActivation, initialize
from onegraph.zoo.registry import network

# (channels, stride) of each pair of a depthwise and a 1x1 convolution
PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


class MobileNetV1(nn.Module):
    """MobileNet. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        num_classes: number of outputs.
        width_mult: multiplies the channels of each layer (alpha in the paper: 1, 0.75, 0.5, 0.25).
        in_channels: 1 for gray images, 3 for colour.
        dropout: probability before the last layer, in training.
        activation_layer: makes an activation; ReLU6 by default.

    Raises:
        ArgumentError: the width multiplier is not positive.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        in_channels: int = 3,
        dropout: float = 0.001,
        activation_layer: Activation = nn.ReLU6,
    ) -> None:
        super().__init__()
        if width_mult <= 0:
            raise ArgumentError(f"MobileNetV1: width_mult must be positive, got {width_mult}")
        channels = max(1, int(32 * width_mult))
        layers = [Conv2dNormActivation(in_channels, channels, 3, 2, activation_layer=activation_layer)]
        for wanted, stride in PAIRS:
            outputs = max(1, int(wanted * width_mult))
            layers += [
                Conv2dNormActivation(channels, channels, 3, stride, groups=channels, activation_layer=activation_layer),
                Conv2dNormActivation(channels, outputs, 1, activation_layer=activation_layer),
            ]
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@network(
    doc="MobileNet: 13 pairs of depthwise and 1x1 convolutions",
    input_size=(224, 224),
    family="MobileNet",
    source="Howard et al. 2017",
)
def mobilenet_v1(
    num_classes: int = 1000,
    in_channels: int = 3,
    width_mult: float = 1.0,
    dropout: float = 0.001,
    activation_layer: Activation = nn.ReLU6,
) -> MobileNetV1:
    """MobileNet (Howard et al. 2017, table 1); see `MobileNetV1` for the arguments.

    >>> sum(p.numel() for p in mobilenet_v1().parameters())
    4231976
    """
    return MobileNetV1(num_classes, width_mult, in_channels, dropout, activation_layer)
