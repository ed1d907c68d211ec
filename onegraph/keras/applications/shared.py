"""What the networks share: their inputs and heads, weights from files, preparing images, naming classes.

Read next: `vgg.py` (the simplest network).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.keras import backend, layers
from onegraph.keras.layers.symbolic import KerasTensor
from onegraph.keras.models import Model
from onegraph.keras.utils.files import get_file

BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"
MEANS = (103.939, 116.779, 123.68)
"""Means of blue, green and red over ImageNet, which the networks ported from Caffe subtract."""


def axis() -> int:
    """The axis of channels."""
    return -1 if backend.image_data_format() == "channels_last" else 1


def start(
    name: str, weights: Any, include_top: bool, input_tensor: Any, input_shape: Any, classes: int, size: int, least: int
) -> Any:
    """The symbolic input of a network.

    Raises:
        ArgumentError: weights that are no file, a wrong number of classes, or images that are too small.
    """
    if weights not in (None, "imagenet") and not os.path.exists(weights):
        raise ArgumentError(f"{name}: weights must be None, 'imagenet' or the path of a file, got {weights!r}")
    if weights == "imagenet" and include_top and classes != 1000:
        raise ArgumentError(
            f"{name}: weights='imagenet' with its head has 1000 classes, got classes={classes}",
            hint="include_top=False, and a head of your own",
        )
    if isinstance(input_tensor, KerasTensor):
        return input_tensor
    last = backend.image_data_format() == "channels_last"
    if input_shape is None:
        side = size if include_top else None
        input_shape = (side, side, 3) if last else (3, side, side)
    sides = input_shape[:2] if last else input_shape[1:]
    if any(s is not None and s < least for s in sides):
        raise ArgumentError(f"{name}: images must be at least {least} by {least}, got input_shape={tuple(input_shape)}")
    if include_top and None in sides:
        raise ArgumentError(f"{name}: with its head the size of images must be known, got {tuple(input_shape)}")
    return layers.Input(shape=tuple(input_shape))


def head(
    x: Any, include_top: bool, pooling: str | None, classes: int, activation: Any, top_name: str = "avg_pool"
) -> Any:
    """Global pooling and the layer of classes, or what `pooling` asks for without them."""
    if include_top:
        x = layers.GlobalAveragePooling2D(name=top_name)(x)
        return layers.Dense(classes, activation=activation, name="predictions")(x)
    return pooled(x, pooling)


def pooled(x: Any, pooling: str | None) -> Any:
    """Global pooling, if there should be some."""
    if pooling is None:
        return x
    if pooling not in ("avg", "max"):
        raise ArgumentError(f"pooling must be None, 'avg' or 'max', got {pooling!r}")
    return (layers.GlobalAveragePooling2D if pooling == "avg" else layers.GlobalMaxPooling2D)(name=f"{pooling}_pool")(x)


def finish(
    x: Any, given: Any, name: str, weights: Any, include_top: bool, file: Callable[[bool], str] | None = None
) -> Any:
    """The model, with weights from a file or from the network."""
    inputs = backend.get_source_inputs(given)
    model = Model(inputs[0] if len(inputs) == 1 else inputs, x, name=name)
    if weights == "imagenet":
        if file is None:
            raise ArgumentError(f"{name}: there are no published weights for these options", hint="weights=None")
        address = file(include_top)
        model.load_weights(get_file(address.rpartition("/")[2], BASE + address, cache_subdir="models"))
    elif weights is not None:
        model.load_weights(weights)
    return model


def published(folder: str, stem: str) -> Callable[[bool], str]:
    """Where weights are, with a network's head and without."""
    return lambda top: f"{folder}/{stem}_weights_tf_dim_ordering_tf_kernels{'' if top else '_notop'}.h5"


# ---- images and classes


def preprocess(x: Any, data_format: str | None, mode: str) -> Any:
    """Images from 0 to 255 as a network wants them.

    Args:
        x: an array or a tensor, RGB; arrays are not changed in place.
        mode: 'tf' for -1 to 1, 'torch' for ImageNet's mean 0 and deviation 1, 'caffe' for BGR with mean 0.
    """
    if mode not in ("tf", "torch", "caffe"):
        raise ArgumentError(f"mode must be 'caffe', 'tf' or 'torch', got {mode!r}")
    last = backend.data_format_of(data_format) == "channels_last"
    if isinstance(x, np.ndarray):
        x = x.astype(backend.floatx(), copy=True)
    if mode == "tf":
        return x / 127.5 - 1.0
    shape = (3,) if last else (3, 1, 1)
    if mode == "torch":
        mean, deviation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        return (x / 255.0 - np.array(mean, "float32").reshape(shape)) / np.array(deviation, "float32").reshape(shape)
    from onegraph.keras import ops

    where = -1 if last else -3
    turned = np.flip(x, where) if isinstance(x, np.ndarray) else ops.flip(x, len(x.shape) + where)
    return turned - np.array(MEANS, "float32").reshape(shape)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of ImageNet: (WordNet number, name, probability), for each sample.

    Args:
        preds: probabilities (n, 1000).
        top: how many.
    """
    values = np.asarray(preds.detach().numpy() if hasattr(preds, "detach") else preds)
    if values.ndim != 2 or values.shape[1] != 1000:
        raise ArgumentError(f"decode_predictions: probabilities of shape (n, 1000) are needed, got {values.shape}")
    known = importlib.import_module("onegraph.zoo.imagenet")  # the names belong to a layer above
    numbers, names = known.wordnet_numbers(), known.labels()
    order = np.argsort(-values, axis=1, kind="stable")[:, :top]
    return [
        [(numbers[i], names[i].replace(" ", "_"), float(row[i])) for i in best.tolist()]
        for best, row in zip(order, values, strict=True)
    ]


def preparation(mode: str) -> Callable[..., Any]:
    """The `preprocess_input` of a network."""

    def preprocess_input(x: Any, data_format: str | None = None) -> Any:
        return preprocess(x, data_format, mode)

    preprocess_input.__doc__ = f"Images from 0 to 255 as this network wants them (mode {mode!r} of `imagenet_utils`)."
    return preprocess_input
