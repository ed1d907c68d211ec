"""The small differences between torchvision's networks and those of Keras applications, which trained weights depend on.

Keras pads strided convolutions as TensorFlow does, adds another small number to variances, and has the stride of a residual
bottleneck in its first convolution, as in the paper. Names and numbers of parameters are the same.
Read next: `weights.py`, which calls this when it has loaded weights of Keras.
"""

from __future__ import annotations

from typing import TypeVar

from onegraph import nn
from onegraph.zoo.blocks import SamePadConv2d
from onegraph.zoo.densenet import DenseNet
from onegraph.zoo.efficientnet import EfficientNet
from onegraph.zoo.mobilenet_v1 import MobileNetV1
from onegraph.zoo.mobilenet_v2 import MobileNetV2
from onegraph.zoo.mobilenet_v3 import MobileNetV3
from onegraph.zoo.resnet import Bottleneck, ResNet

M = TypeVar("M", bound=nn.Module)


def _epsilon(model: nn.Module) -> float | None:
    """What Keras adds to variances; None where the network has no normalization."""
    if isinstance(model, (ResNet, DenseNet)):
        return 1.001e-5
    return 1e-3 if isinstance(model, (MobileNetV1, MobileNetV2, MobileNetV3, EfficientNet)) else None


def as_keras(model: M) -> M:
    """Change a network so that it computes what Keras applications compute with the same numbers; returns it.

    >>> from onegraph import zoo
    >>> as_keras(zoo.resnet50()).layer2[0].conv1.stride
    (2, 2)
    """
    epsilon = _epsilon(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and epsilon is not None:
            module.eps = epsilon
        elif isinstance(module, Bottleneck):
            module.conv1.stride, module.conv2.stride = (module.stride,) * 2, (1, 1)
        elif type(module) is nn.Conv2d and epsilon == 1e-3 and module.stride != (1, 1):
            module.__class__ = SamePadConv2d  # the same parameters and arguments, padded in another way
    return model


def is_keras(model: nn.Module) -> bool:
    """Whether a network computes what Keras applications compute with the same numbers.

    >>> from onegraph import zoo
    >>> is_keras(zoo.vgg16()), is_keras(zoo.mobilenet_v2())
    (True, False)
    """
    epsilon = _epsilon(model)
    return all(
        (not isinstance(module, nn.BatchNorm2d) or epsilon is None or abs(module.eps - epsilon) < 1e-7)
        and (not isinstance(module, Bottleneck) or module.conv2.stride == (1, 1))
        and (type(module) is not nn.Conv2d or epsilon != 1e-3 or module.stride == (1, 1))
        for module in model.modules()
    )
