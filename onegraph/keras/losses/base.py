"""What a loss is: functions (y_true, y_pred) -> one number a sample, and classes with a reduction.

A loss without sample weights is the mean over everything, computed as `onegraph.nn.functional` does, to the bit.
Read next: `regression.py`, `probabilistic.py`, `overlap.py`; `../metrics/`, `../objective.py` (several outputs).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.keras.backend import snake_case
from onegraph.keras.layers.masking import mask_weights
from onegraph.keras.registry import Registry
from onegraph.ops.shapes import show

losses = Registry("loss")


def get(identifier: Any) -> Any:
    """The loss with a name: the function of a function's name, an object of a class's."""
    return losses.get(identifier)


def loss_object(identifier: Any) -> Any:
    """The loss with a name, or a function of the user's, as an object of a subclass of `Loss`."""
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


def loss_function(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
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


class Loss:
    """Base of losses: define `call(y_true, y_pred)`, giving a loss for each sample.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight', or 'none'.
        name: of the loss.
    """

    REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if name in self.REDUCTIONS and reduction not in self.REDUCTIONS:  # Keras 2's order
            name, reduction = reduction, name
        self.dtype = dtype or "float32"
        self.reduction = {None: "none", "auto": "sum_over_batch_size"}.get(reduction, reduction)
        if self.reduction not in self.REDUCTIONS:
            raise ArgumentError(f"reduction must be one of {', '.join(self.REDUCTIONS)}, got {reduction!r}")
        self.name = name or snake_case(type(self).__name__)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def elements(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each element, whose mean is the mean of `call`; or just `call`."""
        return self.call(y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if isinstance(y_pred, Tensor):
            mean = self.reduction in ("sum_over_batch_size", "mean")
            sample_weight = mask_weights(y_pred, sample_weight, mean)
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
        super().__init__(name or getattr(function, "__name__", "loss"), reduction)
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
        self,
        *args: Any,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **options: Any,
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


def loss_class(name: str, function: Callable[..., Any]) -> Any:
    """The class of a loss function."""
    body = {
        "of": staticmethod(function),
        "__doc__": f"`{function.__name__}` as a loss with a reduction; takes that function's options.",
        "__module__": __name__,
    }
    return losses.add()(type(name, (_Named,), body))
