"""VGG-16 and VGG-19 with Keras' names of layers. Source: Simonyan and Zisserman, arXiv 1409.1556, table 1, D and E."""

from __future__ import annotations

from typing import Any

from onegraph.keras import layers
from onegraph.keras.applications.shared import finish, pooled, published, start

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


def _vgg(
    name: str,
    include_top: bool,
    weights: Any,
    input_tensor: Any,
    input_shape: Any,
    pooling: Any,
    classes: int,
    activation: Any,
) -> Any:
    x = given = start(name, weights, include_top, input_tensor, input_shape, classes, 224, 32)
    for i, (count, width) in enumerate(zip(BLOCKS[name], WIDTHS, strict=True), 1):
        for j in range(1, count + 1):
            x = layers.Conv2D(width, 3, activation="relu", padding="same", name=f"block{i}_conv{j}")(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{i}_pool")(x)
    if include_top:
        x = layers.Flatten(name="flatten")(x)
        for fc in ("fc1", "fc2"):
            x = layers.Dense(4096, activation="relu", name=fc)(x)
        x = layers.Dense(classes, activation=activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)
    return finish(x, given, name, weights, include_top, published(name, name))


def VGG16(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg16",
) -> Any:
    """VGG-16: 138,357,544 parameters with its head.

    Args:
        include_top: with the dense layers.
        weights: 'imagenet', the path of an .h5 file, or None for random ones.
        input_tensor: a symbolic tensor to start from.
        input_shape: (height, width, 3); 224 by 224 with the head.
        pooling: 'avg' or 'max' instead of the head; None keeps the feature maps.
        classes: how many the head tells apart.
        classifier_activation: of the last layer; None for logits.
    """
    return _vgg("vgg16", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)


def VGG19(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg19",
) -> Any:
    """VGG-19: 143,667,240 parameters with its head. Arguments as for `VGG16`."""
    return _vgg("vgg19", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)
