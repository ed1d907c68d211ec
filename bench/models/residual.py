"""Residual networks: ResNet-18 for 32 by 32 images and ResNet-50.

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2015); the stride of a bottleneck is in its
3x3 convolution, as in the torchvision models that everybody compares with. Read next: `branches.py`.
"""

from __future__ import annotations

from typing import Any

from bench.models.parts import Framework, convolution, residual_class, scaled


def _block(framework: Framework, body: list[Any], inputs: int, outputs: int, stride: int) -> Any:
    nn = framework.nn
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(*convolution(framework, inputs, outputs, 1, None, stride=stride))
    return residual_class(framework)(nn.Sequential(*body), shortcut, nn.ReLU(inplace=True))


def _basic(framework: Framework, inputs: int, channels: int, stride: int) -> tuple[Any, int]:
    body = [
        *convolution(framework, inputs, channels, 3, stride=stride, padding=1),
        *convolution(framework, channels, channels, 3, None, padding=1),
    ]
    return _block(framework, body, inputs, channels, stride), channels


def _bottleneck(framework: Framework, inputs: int, channels: int, stride: int) -> tuple[Any, int]:
    body = [
        *convolution(framework, inputs, channels, 1),
        *convolution(framework, channels, channels, 3, stride=stride, padding=1),
        *convolution(framework, channels, 4 * channels, 1, None),
    ]
    return _block(framework, body, inputs, 4 * channels, stride), 4 * channels


def _resnet(
    framework: Framework, stem: list[Any], block: Any, counts: tuple[int, ...], classes: int, width: float
) -> Any:
    nn = framework.nn
    layers, inputs = stem, scaled(64, width)
    for stage, count in enumerate(counts):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            layer, inputs = block(framework, inputs, scaled(64 * 2**stage, width), stride)
            layers.append(layer)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def resnet18(framework: Framework, classes: int = 10, width: float = 1.0) -> Any:
    """ResNet-18 for small images, (N, 3, 32, 32): a 3x3 stem and no max pooling."""
    stem = convolution(framework, 3, scaled(64, width), 3, padding=1)
    return _resnet(framework, stem, _basic, (2, 2, 2, 2), classes, width)


def resnet50(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """ResNet-50 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    stem = convolution(framework, 3, scaled(64, width), 7, stride=2, padding=3)
    stem.append(framework.nn.MaxPool2d(3, stride=2, padding=1))
    return _resnet(framework, stem, _bottleneck, (3, 4, 6, 3), classes, width)
