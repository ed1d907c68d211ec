"""Optimizers with Keras' names, arguments and defaults. Start with `base.py`; learning rates are in `schedules.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.keras.optimizers import schedules
from onegraph.keras.optimizers.base import Optimizer, optimizers
from onegraph.keras.optimizers.classes import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop
from onegraph.keras.optimizers.loss_scale import LossScaleOptimizer
from onegraph.keras.optimizers.newer import Adafactor, Ftrl, Lamb, Lion, Muon
from onegraph.keras.optimizers.schedules import LearningRateSchedule
from onegraph.keras.registry import custom_object_scope, serialize

adam = Adam
adamax = Adamax
nadam = Nadam
rmsprop = RMSprop
sgd = SGD


def get(identifier: Any) -> Any:
    """The optimizer with a name, e.g. 'adam'.

    >>> get("sgd").learning_rate
    0.01
    """
    found = optimizers.get(identifier)
    if not isinstance(found, Optimizer):
        raise ArgumentTypeError(
            f"compile needs a Keras optimizer, got {type(found).__name__}",
            hint="use keras.optimizers, e.g. keras.optimizers.Adam(1e-3)",
        )
    return found


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The optimizer that `serialize` described."""
    with custom_object_scope(custom_objects):
        return optimizers.deserialize(config)


def serialize_optimizer(optimizer: Optimizer) -> dict[str, Any]:
    """Class name and configuration."""
    found: dict[str, Any] = serialize(optimizer)
    return found
