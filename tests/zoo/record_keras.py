"""Writes `keras_networks.json`: what networks of Keras applications give for known weights and images. And a tiny model's files.

    KERAS_BACKEND=torch python -m tests.zoo.record_keras      (needs Keras 3 and PyTorch; not part of the tests)

Read next: `test_keras_weights.py`, which compares.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.filling import digest, image, kept

NETWORKS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "vgg16": ("VGG16", 224, {}),  # whose dense layers need this size
    "resnet50": ("ResNet50", 64, {}),
    "densenet121": ("DenseNet121", 64, {}),
    "mobilenet_v1": ("MobileNet", 64, {}),
    "mobilenet_v2": ("MobileNetV2", 64, {}),
    "mobilenet_v3_small": ("MobileNetV3Small", 64, {"include_preprocessing": False}),
    "mobilenet_v3_large": ("MobileNetV3Large", 64, {"include_preprocessing": False}),
    "efficientnet_b0": ("EfficientNetB0", 64, {}),
    "efficientnet_b1": ("EfficientNetB1", 64, {}),
}
MEAN, VARIANCE = (0.5, 0.4, 0.3), (0.25, 0.16, 0.09)  # of the normalization inside of EfficientNets
FIXTURES = Path(__file__).parents[1] / "interop" / "recorded"


def filled(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values of one variable, by its name "layer.kind"."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rpartition(".")[2]
    if kind == "moving_variance":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if kind == "gamma":
        return rng.uniform(0.5, 1.0, shape).astype(np.float32)
    if kind == "kernel":
        fan = shape[0] * shape[1] if shape[-1] == 1 and len(shape) == 4 else math.prod(shape[:-1])
        return rng.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / fan))
    return rng.standard_normal(shape, np.float32) * np.float32(0.1)


def fill(model: Any) -> list[tuple[str, tuple[int, ...], str]]:
    """Fill all layers; returns names, shapes and dtypes."""
    entries = []
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            kind, shape = variable.path.rpartition("/")[2], tuple(variable.shape)
            if layer.name.startswith("normalization"):
                values.append(np.asarray({"mean": MEAN, "variance": VARIANCE}.get(kind, 0)).reshape(shape))
                continue
            name = f"{layer.name}.{kind.replace('depthwise_kernel', 'kernel')}"
            values.append(filled(name, shape))
            entries.append((name, shape, "float32"))
        if values:
            layer.set_weights(values)
    return entries


def record() -> None:
    import keras

    rows = {}
    for name, (made, size, options) in NETWORKS.items():
        make = getattr(keras.applications, made)
        model = make(weights=None, classes=10, classifier_activation=None, input_shape=(size, size, 3), **options)
        entries = fill(model)
        result = model.predict(np.ascontiguousarray(image((2, 3, size, size)).transpose(0, 2, 3, 1)), verbose=0)
        rows[name] = {"size": size, "names": digest(entries), "count": len(entries), **kept(result)}
    path = Path(__file__).with_name("keras_networks.json")
    path.write_text(json.dumps({"keras": keras.__version__, "networks": rows}, indent=1) + "\n")
    FIXTURES.mkdir(exist_ok=True)
    layers = keras.layers
    given = keras.Input((4, 4, 2))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 3, name="first")(given))
    x = layers.DepthwiseConv2D(2, use_bias=False, name="deep")(layers.BatchNormalization(scale=False, name="plain")(x))
    tiny = keras.Model(given, layers.Dense(2, name="last")(layers.Flatten()(x)))
    fill(tiny)
    for ending in (".weights.h5", ".h5", ".keras"):
        (tiny.save_weights if ending == ".weights.h5" else tiny.save)(FIXTURES / f"tiny{ending}")


if __name__ == "__main__":
    record()
