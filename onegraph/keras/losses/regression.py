"""Losses of numbers: squared and absolute errors and their relatives, and hinges. Read next: `probabilistic.py`."""

from __future__ import annotations

import math
from typing import Any

from onegraph.frontend import EXPORTS
from onegraph.keras.backend import epsilon
from onegraph.keras.losses.base import align, loss_class, loss_function
from onegraph.nn import functional as F

_where = EXPORTS["where"]


@loss_function("mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """(y_true - y_pred)².

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]])
    tensor([0.5000])
    """
    target, output = align("mean_squared_error", y_true, y_pred)
    return F.mse_loss(output, target, reduction="none")


@loss_function("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """|y_true - y_pred|."""
    target, output = align("mean_absolute_error", y_true, y_pred)
    return F.l1_loss(output, target, reduction="none")


@loss_function("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 |y_true - y_pred| / |y_true|."""
    target, output = align("mean_absolute_percentage_error", y_true, y_pred)
    return (target - output).abs() / target.abs().clamp(min=epsilon()) * 100.0


@loss_function("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """(log(1 + y_true) - log(1 + y_pred))²."""
    target, output = align("mean_squared_logarithmic_error", y_true, y_pred)
    difference = (target.clamp(min=epsilon()) + 1).log() - (output.clamp(min=epsilon()) + 1).log()
    return difference * difference


@loss_function("huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """d² / 2 where d = |y_true - y_pred| is at most delta, delta (d - delta / 2) beyond."""
    target, output = align("huber", y_true, y_pred)
    return F.huber_loss(output, target, reduction="none", delta=delta)


@loss_function("logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """log(cosh(y_pred - y_true))."""
    target, output = align("log_cosh", y_true, y_pred)
    difference = output - target
    return difference + F.softplus(-2.0 * difference) - math.log(2.0)


@loss_function()
def poisson(y_true: Any, y_pred: Any) -> Any:
    """y_pred - y_true log(y_pred)."""
    target, output = align("poisson", y_true, y_pred)
    return output - target * (output + epsilon()).log()


@loss_function("cosine_proximity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine between target and output, negated so that it can be minimized."""
    target, output = align("cosine_similarity", y_true, y_pred)
    return -F.cosine_similarity(target, output, dim=axis, eps=epsilon())


def _plus_or_minus_one(target: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = ((target == 0) | (target == 1)).all()
    return _where(binary, target * 2 - 1, target)


@loss_function()
def hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 - y_true y_pred, 0), with targets -1 and 1 (or 0 and 1)."""
    target, output = align("hinge", y_true, y_pred)
    return F.relu(1 - _plus_or_minus_one(target) * output)


@loss_function()
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 - y_true y_pred, 0)², with targets -1 and 1 (or 0 and 1)."""
    target, output = align("squared_hinge", y_true, y_pred)
    value = F.relu(1 - _plus_or_minus_one(target) * output)
    return value * value


@loss_function()
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(0, 1 + the largest wrong score - the right score), with one-hot targets."""
    target, output = align("categorical_hinge", y_true, y_pred)
    return F.relu(((1 - target) * output).amax(-1) - (target * output).sum(-1) + 1)


MeanSquaredError = loss_class("MeanSquaredError", mean_squared_error)
MeanAbsoluteError = loss_class("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError = loss_class("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredLogarithmicError = loss_class("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
Hinge = loss_class("Hinge", hinge)
SquaredHinge = loss_class("SquaredHinge", squared_hinge)
CategoricalHinge = loss_class("CategoricalHinge", categorical_hinge)
Huber = loss_class("Huber", huber)
LogCosh = loss_class("LogCosh", log_cosh)
CosineSimilarity = loss_class("CosineSimilarity", cosine_similarity)
Poisson = loss_class("Poisson", poisson)
