"""MobileNetV2: depthwise convolutions between 1x1 ones.

Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear bottlenecks" (2018), table 2.
Read next: `sequences.py`.
"""

from __future__ import annotations

from typing import Any

from bench.models.parts import Framework, convolution, residual_class, scaled

# (expansion, channels, blocks, stride of the first block)
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _inverted(framework: Framework, inputs: int, outputs: int, expansion: int, stride: int) -> Any:
    hidden = inputs * expansion
    layers = convolution(framework, inputs, hidden, 1, "ReLU6") if expansion != 1 else []
    layers += convolution(framework, hidden, hidden, 3, "ReLU6", stride=stride, padding=1, groups=hidden)
    layers += convolution(framework, hidden, outputs, 1, None)
    body = framework.nn.Sequential(*layers)
    return residual_class(framework)(body) if stride == 1 and inputs == outputs else body


def mobilenet(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """MobileNetV2 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    nn = framework.nn
    channels = scaled(32, width)
    layers = convolution(framework, 3, channels, 3, "ReLU6", stride=2, padding=1)
    for expansion, outputs, count, first in STAGES:
        for number in range(count):
            stride = first if number == 0 else 1
            layers.append(_inverted(framework, channels, scaled(outputs, width), expansion, stride))
            channels = scaled(outputs, width)
    last = scaled(1280, width)
    layers += convolution(framework, channels, last, 1, "ReLU6")
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(last, classes)]
    return nn.Sequential(*layers)
