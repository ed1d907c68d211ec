"""Layers, `compile` and `fit`, with Keras' names (Keras 1's spellings too). Start with README.md.

    from onegraph.keras import Sequential, Dense, Activation, SGD

Everything is thin: a layer is an `onegraph.nn.Module`, an optimizer hands over to `onegraph.optim`, and a training step
is one function traced by `onegraph.jit`.
"""

import importlib
from typing import Any

from onegraph.keras import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializations,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from onegraph.keras.dtype_policies import DTypePolicy
from onegraph.keras.gradient_tape import GradientTape
from onegraph.keras.layers import *  # noqa: F403
from onegraph.keras.layers import __all__ as _layers
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.symbolic import KerasTensor
from onegraph.keras.losses import Loss
from onegraph.keras.metrics import Metric
from onegraph.keras.models import Functional, Model, Sequential, load_model
from onegraph.keras.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, Optimizer, RMSprop
from onegraph.keras.variable import Variable

__version__ = "3.15.1"
"""The version of Keras whose names are here."""
__all__ = [
    *_layers,
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Functional",
    "Loss",
    "Metric",
    "Model",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "utils",
]

_LATE = frozenset(
    {"applications", "datasets", "engine", "initializations", "objectives", "preprocessing", "saving", "wrappers"}
)


def __getattr__(name: str) -> Any:
    """Subpackages that are imported when they are first used."""
    if name in _LATE:
        return importlib.import_module(f"onegraph.keras.{name}")
    raise AttributeError(f"keras has no {name!r}")
