"""Weights of the zoo's networks, written for other libraries: under their names and in their layout.

Read next: `weights.py`, which reads them.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from typing import Any, Final

import numpy as np

from onegraph import nn
from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.frontend.tensor import Tensor
from onegraph.interop.keras_h5 import write_keras_weights
from onegraph.interop.pytorch_writer import write_pytorch
from onegraph.storage.safetensors import save_file
from onegraph.storage.state import stored_tensor
from onegraph.zoo import naming
from onegraph.zoo.efficientnet import EfficientNet
from onegraph.zoo.keras_form import is_keras
from onegraph.zoo.layouts import Pair, keras_pairs, plain_pairs
from onegraph.zoo.resnet import ResNet

FORMATS: Final = ("torchvision", "timm", "keras", "safetensors")


def save_weights(model: nn.Module, path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write the weights of a network of the zoo.

    Args:
        model: the network.
        path: the file. Names ending in `.safetensors` are written as such, whatever the names of layers.
        format: "torchvision" (its names; what `torch.load` reads), "timm" (its names), "keras" (what `load_weights` of the
            same network in `keras.applications` reads: Keras 3 for `.weights.h5`, otherwise Keras 2), or "safetensors"
            (torchvision's names). None chooses by the ending of the path.

    Raises:
        ArgumentError: there is no such format, or the ending says nothing.
        UnsupportedError: the other library does not have this network, or computes it in another way.
        StorageError: the file cannot be written.

    >>> from onegraph import zoo
    >>> save_weights(zoo.lenet5(), "lenet5.safetensors")
    >>> import onegraph as og
    >>> sorted(og.load("lenet5.safetensors"))[0]
    'c1.bias'
    """
    kind = _format_of(path) if format is None else format
    if kind not in FORMATS:
        raise ArgumentError(f"save_weights: format={kind!r}: one of {', '.join(FORMATS)}")
    if kind == "keras":
        _save_keras(model, path)
        return
    names = naming.timm_names(model) if kind == "timm" else None
    state = model.state_dict()
    renamed = OrderedDict((pair.theirs, _laid_out(pair, state[pair.ours])) for pair in plain_pairs(model, names))
    if kind == "safetensors" or os.fspath(path).endswith(".safetensors"):
        save_file({name: stored_tensor(tensor) for name, tensor in renamed.items()}, path, {"format": "pt"})
    else:
        write_pytorch(renamed, path)


def _format_of(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path).lower()
    if name.endswith((".h5", ".hdf5")):
        return "keras"
    if name.endswith(".safetensors"):
        return "safetensors"
    if name.endswith((".pth", ".pt", ".bin")):
        return "torchvision"
    raise ArgumentError(
        f"save_weights: the ending of {os.fspath(path)!r} names no format",
        hint=f"give format=, one of {', '.join(FORMATS)}",
    )


def _laid_out(pair: Pair, tensor: Tensor) -> Tensor:
    return tensor if pair.layout == "same" else tensor.detach().reshape(pair.their_shape())


def _save_keras(model: nn.Module, path: str | os.PathLike[str]) -> None:
    names = naming.keras_names(model)
    if names is None:
        raise UnsupportedError(
            f"save_weights: Keras applications have no {type(model).__name__} of this kind", hint="use safetensors"
        )
    if isinstance(model, EfficientNet):
        raise UnsupportedError(
            "save_weights: Keras keeps how images are prepared among the weights of an EfficientNet, and the zoo does not",
            hint="use safetensors",
        )
    if not is_keras(model):
        raise UnsupportedError(
            f"save_weights: with the same numbers Keras's {type(model).__name__} computes something else: padding of strided "
            "convolutions, strides of bottlenecks and the small number in normalizations differ",
            hint="make the network so before it is trained: zoo.as_keras(model)",
        )
    state = model.state_dict()
    layers: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for pair in keras_pairs(model, names):
        layer, _, kind = pair.theirs.rpartition(".")
        value = pair.save(state[pair.ours].detach().float().numpy())
        if pair.minus:  # Keras's convolutions have biases here, which the normalization behind them undoes
            layers.setdefault(pair.minus.rpartition(".")[0], {})["bias"] = np.zeros(pair.shape, np.float32)
        layers.setdefault(layer, {})[kind] = np.ascontiguousarray(value)
    order = sorted(layers, key=_shortcut_last) if isinstance(model, ResNet) else list(layers)
    deep = {p.theirs.rpartition(".")[0] for p in keras_pairs(model, names) if p.layout == "depthwise"}
    write_keras_weights({layer: layers[layer] for layer in order}, path, deep)


def _shortcut_last(layer: str) -> tuple[int, int, int]:
    """Where Keras has a layer of a residual network: the shortcut's before the last of a block, as it sorts by depth."""
    found = re.fullmatch(r"conv(\d)_block(\d+)_(\d_(?:conv|bn))", layer)
    if found is None:
        return (0 if layer.startswith("conv1") else 9, 0, layer.endswith("_bn"))
    order = ("1_conv", "1_bn", "2_conv", "2_bn", "0_conv", "3_conv", "0_bn", "3_bn")
    return int(found[1]), int(found[2]), order.index(found[3])
