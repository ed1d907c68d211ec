"""The zoo's networks for images, in either framework: onegraph's own, or the same text on PyTorch's modules.

Widths below 1 make networks so small that tests can run them; they are no networks that anybody knows. Read next:
`bench/twin.py`, `sequences.py`.
"""

from __future__ import annotations

from typing import Any

from bench.models.parts import Framework, scaled
from bench.twin import twin
from onegraph import zoo
from onegraph.zoo.vgg import CONFIGURATIONS, make_layers


def _of(framework: Framework, name: str, file: str) -> Any:
    """A function or class of the zoo, for a framework."""
    return getattr(twin(file) if framework.__name__ == "torch" else zoo, name)


def lenet5(framework: Framework, classes: int = 10) -> Any:
    """LeNet-5 as the demo trains it: tanh and average pooling, images of shape (N, 1, 32, 32)."""
    return _of(framework, "lenet5", "lenet")(classes)


def vgg16(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """VGG-16 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    if width == 1:
        return _of(framework, "vgg16", "vgg")(classes, init_weights=False)
    steps = [step if isinstance(step, str) else scaled(step, width) for step in CONFIGURATIONS["D"]]
    layers = (twin("vgg").make_layers if framework.__name__ == "torch" else make_layers)(steps)
    return _of(framework, "VGG", "vgg")(layers, classes, init_weights=False, hidden=scaled(4096, width))


def resnet18(framework: Framework, classes: int = 10, width: float = 1.0) -> Any:
    """ResNet-18 for small images, (N, 3, 32, 32): a 3x3 stem and no max pooling."""
    return _of(framework, "resnet18", "resnet")(classes, small_images=True, channels=scaled(64, width))


def resnet50(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """ResNet-50 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    return _of(framework, "resnet50", "resnet")(classes, channels=scaled(64, width), width_per_group=64)


def densenet121(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """DenseNet-121 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    growth, channels = scaled(32, width), scaled(64, width)
    return _of(framework, "DenseNet", "densenet")(growth, (6, 12, 24, 16), channels, num_classes=classes)


def mobilenet(framework: Framework, classes: int = 1000, width: float = 1.0) -> Any:
    """MobileNetV2 for images of shape (N, 3, 224, 224), or of any other size from 32 on."""
    return _of(framework, "mobilenet_v2", "mobilenet_v2")(
        classes, width_mult=width, round_nearest=8 if width == 1 else 4
    )
