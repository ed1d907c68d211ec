"""Losses, as functions (y_true, y_pred) -> one number a sample, and as classes with options.

A loss without sample weights is the mean over everything, computed as `onegraph.nn.functional` does, to the bit.
Read next: `metrics.py`, `objective.py` (losses of models with several outputs).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.keras.activations import logits_of
from onegraph.keras.backend import epsilon
from onegraph.keras.registry import Registry
from onegraph.nn import functional as F
from onegraph.ops.shapes import show

losses = Registry("loss")

_where = EXPORTS["where"]


def get(identifier: Any) -> Any:
    """The loss with a name, as an object of a subclass of `Loss`."""
    found = losses.get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found)


def as_tensor(value: Any) -> Tensor:
    """A tensor; float64 arrays become float32, as everywhere in Keras."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    return make_tensor(array, dtype="float32" if array.dtype.kind == "f" else None)


def align(name: str, y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Target and output with one dtype and one shape: a last dimension of size 1 may be missing in the target.

    Raises:
        ShapeError: names both shapes.
    """
    target, output = as_tensor(y_true), as_tensor(y_pred)
    if not output.dtype.is_floating_point:
        output = output.to(make_tensor(0.0).dtype)
    if target.ndim == output.ndim - 1 and output.shape[-1] == 1:
        target = target.unsqueeze(-1)
    elif target.ndim == output.ndim + 1 and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if target.shape != output.shape:
        raise ShapeError(
            f"{name}: the target has shape {show(target.shape)}, the model's output {show(output.shape)}; they must be equal",
            hint="sparse_categorical_crossentropy takes class numbers, categorical_crossentropy takes one-hot rows"
            if "crossentropy" in name
            else None,
        )
    return target.to(output.dtype), output


def _loss(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a public loss of a function that gives a loss for each element: the mean over the last dimension."""

    def decorate(elements: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(elements)
        def loss(y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Any:
            return _over_last(elements(y_true, y_pred, *args, **options), y_pred)

        loss.elements = elements  # type: ignore[attr-defined]
        return losses.add(*names)(loss)

    return decorate


def _over_last(values: Any, y_pred: Any) -> Any:
    return values.mean(-1) if values.ndim and values.ndim == np.ndim(y_pred) else values


@_loss("mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """(y_true - y_pred)².

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]])
    tensor([0.5000])
    """
    target, output = align("mean_squared_error", y_true, y_pred)
    return F.mse_loss(output, target, reduction="none")


@_loss("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """|y_true - y_pred|."""
    target, output = align("mean_absolute_error", y_true, y_pred)
    return F.l1_loss(output, target, reduction="none")


@_loss("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 |y_true - y_pred| / |y_true|."""
    target, output = align("mean_absolute_percentage_error", y_true, y_pred)
    return (target - output).abs() / target.abs().clamp(min=epsilon()) * 100.0


@_loss("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """(log(1 + y_true) - log(1 + y_pred))²."""
    target, output = align("mean_squared_logarithmic_error", y_true, y_pred)
    difference = (target.clamp(min=epsilon()) + 1).log() - (output.clamp(min=epsilon()) + 1).log()
    return difference * difference


@_loss("bce", "BCE")
def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0) -> Any:
    """-y_true log(y_pred) - (1 - y_true) log(1 - y_pred).

    Args:
        y_true: 0 or 1, of the output's shape.
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `sigmoid` activation are taken back to logits anyway.
        label_smoothing: moves targets this far toward 1/2.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "sigmoid")
    target, output = align("binary_crossentropy", y_true, y_pred if logits is None else logits)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if logits is not None:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return F.binary_cross_entropy(output.clamp(epsilon(), 1 - epsilon()), target, reduction="none")


@_loss("cce")
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum(y_true log(y_pred)), over the classes.

    Args:
        y_true: one-hot rows, or probabilities, of the output's shape.
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `softmax` activation are taken back to logits anyway.
        label_smoothing: moves targets this far toward equal probabilities.
        axis: of the classes.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    target, output = align("categorical_crossentropy", y_true, y_pred if logits is None else logits)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / output.shape[axis]
    if logits is not None:
        return F.cross_entropy(output.movedim(axis, 1), target.movedim(axis, 1), reduction="none")
    return -(target * _log_probabilities(output, axis)).sum(axis)


def _log_probabilities(output: Any, axis: int) -> Any:
    return (output / output.sum(axis, keepdim=True)).clamp(epsilon(), 1 - epsilon()).log()


@_loss("scce")
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log(y_pred[class]).

    Args:
        y_true: class numbers, of the output's shape without its last dimension (or with a last dimension of 1).
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `softmax` activation are taken back to logits anyway.
        ignore_class: targets of this class count as 0.
        axis: of the classes.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    output = as_tensor(y_pred if logits is None else logits)
    target = class_numbers("sparse_categorical_crossentropy", y_true, output, axis)
    scores = output if logits is not None else _log_probabilities(output, axis)
    function = F.cross_entropy if logits is not None else F.nll_loss
    options = {} if ignore_class is None else {"ignore_index": ignore_class}
    return function(scores.movedim(axis, 1), target, reduction="none", **options)


def class_numbers(name: str, y_true: Any, output: Any, axis: int = -1) -> Any:
    """Class numbers with the output's shape but for its classes."""
    target = as_tensor(y_true)
    wanted = list(output.shape)
    wanted.pop(axis)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if list(target.shape) != wanted:
        raise ShapeError(
            f"{name}: class numbers of shape {show(target.shape)} for an output of shape {show(output.shape)}; "
            f"{show(tuple(wanted))} is needed",
            hint="use categorical_crossentropy for one-hot targets" if target.shape == output.shape else None,
        )
    return target.long()


@_loss("kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum(y_true log(y_true / y_pred)), over the last dimension."""
    target, output = align("kl_divergence", y_true, y_pred)
    target, output = target.clamp(epsilon(), 1), output.clamp(epsilon(), 1)
    return (target * (target / output).log()).sum(-1)


def _plus_or_minus_one(target: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = ((target == 0) | (target == 1)).all()
    return _where(binary, target * 2 - 1, target)


@_loss()
def hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 - y_true y_pred, 0), with targets -1 and 1 (or 0 and 1)."""
    target, output = align("hinge", y_true, y_pred)
    return F.relu(1 - _plus_or_minus_one(target) * output)


@_loss()
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 - y_true y_pred, 0)², with targets -1 and 1 (or 0 and 1)."""
    target, output = align("squared_hinge", y_true, y_pred)
    value = F.relu(1 - _plus_or_minus_one(target) * output)
    return value * value


@_loss()
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(0, 1 + the largest wrong score - the right score), with one-hot targets."""
    target, output = align("categorical_hinge", y_true, y_pred)
    return F.relu(((1 - target) * output).amax(-1) - (target * output).sum(-1) + 1)


@_loss("huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """d² / 2 where d = |y_true - y_pred| is at most delta, delta (d - delta / 2) beyond."""
    target, output = align("huber", y_true, y_pred)
    return F.huber_loss(output, target, reduction="none", delta=delta)


@_loss("logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """log(cosh(y_pred - y_true))."""
    target, output = align("log_cosh", y_true, y_pred)
    difference = output - target
    return difference + F.softplus(-2.0 * difference) - math.log(2.0)


@_loss()
def poisson(y_true: Any, y_pred: Any) -> Any:
    """y_pred - y_true log(y_pred)."""
    target, output = align("poisson", y_true, y_pred)
    return output - target * (output + epsilon()).log()


@_loss("cosine_proximity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine between target and output, negated so that it can be minimized."""
    target, output = align("cosine_similarity", y_true, y_pred)
    return -F.cosine_similarity(target, output, dim=axis, eps=epsilon())


class Loss:
    """Base of losses: define `call(y_true, y_pred)`, giving a loss for each sample.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight', or 'none'.
        name: of the loss.
    """

    REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        self.reduction = {None: "none", "auto": "sum_over_batch_size"}.get(reduction, reduction)
        if self.reduction not in self.REDUCTIONS:
            raise ArgumentError(f"reduction must be one of {', '.join(self.REDUCTIONS)}, got {reduction!r}")
        self.name = name or type(self).__name__

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def elements(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each element, whose mean is the mean of `call`; or just `call`."""
        return self.call(y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is None:
            values = self.call(y_true, y_pred) if self.reduction in ("sum", "none") else self.elements(y_true, y_pred)
            if self.reduction == "none":
                return values
            return values.sum() if self.reduction == "sum" else values.mean()
        values = self.call(y_true, y_pred)
        weights = _weights_like(sample_weight, values)
        weighted = values * weights
        if self.reduction == "none":
            return weighted
        if self.reduction == "sum":
            return weighted.sum()
        if self.reduction == "mean_with_sample_weight":
            return weighted.sum() / weights.expand(*values.shape).sum()
        return weighted.mean()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A loss from the constructor's arguments."""
        return cls(**config)


def _weights_like(sample_weight: Any, values: Any) -> Any:
    weights = as_tensor(sample_weight).to(values.dtype)
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights.squeeze(-1)
    if weights.ndim > values.ndim or list(weights.shape) != list(values.shape[: weights.ndim]):
        raise ShapeError(
            f"sample_weight of shape {show(weights.shape)} does not fit losses of shape {show(values.shape)}"
        )
    return weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))


class LossFunctionWrapper(Loss):
    """A function (y_true, y_pred, **options) as a loss."""

    def __init__(
        self,
        function: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name or getattr(function, "__name__", "loss"))
        self.function, self.options = function, options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each sample."""
        return self.function(y_true, y_pred, **self.options)

    def elements(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each element."""
        return getattr(self.function, "elements", self.function)(y_true, y_pred, **self.options)


class _Named(LossFunctionWrapper):
    """A loss class of one of the functions here; its options are the function's."""

    of: Callable[..., Any]

    def __init__(
        self, *args: Any, reduction: str | None = "sum_over_batch_size", name: str | None = None, **options: Any
    ) -> None:
        function = type(self).of
        names = list(function.__wrapped__.__code__.co_varnames[2 : function.__wrapped__.__code__.co_argcount])  # type: ignore[attr-defined]
        options.update(zip(names, args, strict=False))
        unknown = [o for o in options if o not in names]
        if unknown or len(args) > len(names):
            raise ArgumentError(
                f"{type(self).__name__} does not take {', '.join(unknown) or 'so many arguments'}; it takes {', '.join(names) or 'none'}"
            )
        super().__init__(function, reduction, name or function.__name__, **options)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.options}


def _class(name: str, function: Callable[..., Any]) -> Any:
    body = {
        "of": staticmethod(function),
        "__doc__": f"`{function.__name__}` as a loss with a reduction; takes that function's options.",
        "__module__": __name__,
    }
    return losses.add()(type(name, (_Named,), body))


MeanSquaredError = _class("MeanSquaredError", mean_squared_error)
MeanAbsoluteError = _class("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError = _class("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredLogarithmicError = _class("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
BinaryCrossentropy = _class("BinaryCrossentropy", binary_crossentropy)
CategoricalCrossentropy = _class("CategoricalCrossentropy", categorical_crossentropy)
SparseCategoricalCrossentropy = _class("SparseCategoricalCrossentropy", sparse_categorical_crossentropy)
KLDivergence = _class("KLDivergence", kl_divergence)
Hinge = _class("Hinge", hinge)
SquaredHinge = _class("SquaredHinge", squared_hinge)
CategoricalHinge = _class("CategoricalHinge", categorical_hinge)
Huber = _class("Huber", huber)
LogCosh = _class("LogCosh", log_cosh)
Poisson = _class("Poisson", poisson)
CosineSimilarity = _class("CosineSimilarity", cosine_similarity)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence
