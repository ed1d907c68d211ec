"""Metrics: numbers accumulated over the batches of an epoch. Their state is updated in the plan of the training step.

Read next: `losses.py` (losses serve as metrics too), `objective.py` (which metrics a compiled model has).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap_buffer
from onegraph.ir.dtype import as_dtype
from onegraph.keras import losses
from onegraph.keras.backend import snake_case
from onegraph.keras.losses import align, as_tensor, class_numbers
from onegraph.keras.registry import Registry

metrics = Registry("metric")
_add = metrics.add
_where, _topk, _stack = EXPORTS["where"], EXPORTS["topk"], EXPORTS["stack"]


def get(identifier: Any) -> Any:
    """The metric with a name, as an object of a subclass of `Metric`; losses count as metrics too."""
    if isinstance(identifier, str) and identifier not in metrics.known and identifier in losses.losses.known:
        found = losses.losses.find(identifier)
        return MeanMetricWrapper(found().call if isinstance(found, type) else found, name=identifier)
    found = metrics.get(identifier)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return MeanMetricWrapper(found.call, name=found.name)
    return MeanMetricWrapper(
        found, name=identifier if isinstance(identifier, str) else getattr(found, "__name__", "metric")
    )


class Metric:
    """Base of metrics: make state with `add_variable`, and define `update_state` and `result`.

    Args:
        name: under which logs show it.
        dtype: accepted; state is float64, so that counts stay exact.

    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> float(m.result())
    2.0
    """

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self._variables: list[Tensor] = []

    def add_variable(
        self, shape: Sequence[int] = (), initializer: Any = "zeros", name: str | None = None, **ignored: Any
    ) -> Tensor:
        """Make a state tensor of zeros (float64)."""
        state = _zeros(tuple(shape))
        state.name = name
        self._variables.append(state)
        return state

    add_weight = add_variable

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self) -> Any:
        """The value so far, a scalar tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def reset_state(self) -> None:
        """Start again."""
        for state in self._variables:
            state._replace(_zeros(tuple(state.shape))._node, False)

    reset_states = reset_state

    @property
    def variables(self) -> list[Tensor]:
        """The state."""
        return list(self._variables)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            self.update_state(*args, **kwargs)
            return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A metric from the constructor's arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _zeros(shape: tuple[int, ...]) -> Tensor:
    return wrap_buffer(Buffer(np.zeros(shape, np.float64), as_dtype("float64")))


def _divide(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    return _where(b == 0, a * 0, a / _where(b == 0, b * 0 + 1, b))


def _weights(sample_weight: Any, values: Any) -> Any:
    weights = as_tensor(sample_weight).double()
    if weights.ndim == values.ndim + 1:
        weights = weights.squeeze(-1)
    return weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))


@_add()
class Mean(Metric):
    """The mean of values, weighted where weights are given."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in values."""
        with no_grad():
            values = as_tensor(values).double()
            if sample_weight is None:
                self.total += values.sum()
                self.count += float(values.numel())
                return
            if isinstance(sample_weight, (int, float)):
                self.total += values.sum() * sample_weight
                self.count += float(values.numel()) * sample_weight
                return
            weights = _weights(sample_weight, values)
            self.total += (values * weights).sum()
            self.count += weights.expand(*values.shape).sum()

    def result(self) -> Any:
        """The mean so far."""
        return _divide(self.total, self.count)


@_add()
class Sum(Metric):
    """The sum of values."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in values."""
        with no_grad():
            values = as_tensor(values).double()
            self.total += (values if sample_weight is None else values * _weights(sample_weight, values)).sum()

    def result(self) -> Any:
        """The sum so far."""
        return self.total


class MeanMetricWrapper(Mean):
    """The mean of a function (y_true, y_pred, **options) -> a number a sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self.fn, self.options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch."""
        super().update_state(self.fn(y_true, y_pred, **self.options), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, **self.options}


# ---- accuracy


@_add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """The share of outputs on the right side of the threshold."""
    target, output = align("binary_accuracy", y_true, y_pred)
    return _share((output > threshold).to(output.dtype) == target)


def _share(correct: Any) -> Any:
    correct = correct.float()
    return correct.mean(-1) if correct.ndim > 1 else correct


@_add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest output stands where the target has its largest."""
    target, output = align("categorical_accuracy", y_true, y_pred)
    return (target.argmax(-1) == output.argmax(-1)).float()


@_add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest output is that of the target class."""
    output = as_tensor(y_pred)
    return (class_numbers("sparse_categorical_accuracy", y_true, output) == output.argmax(-1)).float()


@_add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the target class is among the k largest outputs, with one-hot targets."""
    target, output = align("top_k_categorical_accuracy", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(target.argmax(-1), output, k)


@_add()
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the target class is among the k largest outputs."""
    output = as_tensor(y_pred)
    classes = class_numbers("sparse_top_k_categorical_accuracy", y_true, output)
    _, places = _topk(output, min(k, output.shape[-1]), -1)
    return (places == classes.unsqueeze(-1)).any(-1).float()


class _NamedMean(MeanMetricWrapper):
    """A metric class of one of the functions; its options are the function's."""

    of: Callable[..., Any]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(type(self).of, name or type(self).of.__name__, dtype, **options)


@_add()
class BinaryAccuracy(_NamedMean):
    """The share of outputs on the right side of a threshold."""

    of = staticmethod(binary_accuracy)


@_add()
class CategoricalAccuracy(_NamedMean):
    """How often the largest output is that of the target, with one-hot targets."""

    of = staticmethod(categorical_accuracy)


@_add()
class SparseCategoricalAccuracy(_NamedMean):
    """How often the largest output is that of the target class."""

    of = staticmethod(sparse_categorical_accuracy)


@_add()
class TopKCategoricalAccuracy(_NamedMean):
    """How often the target is among the k largest outputs, with one-hot targets."""

    of = staticmethod(top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype, k=k)


@_add()
class SparseTopKCategoricalAccuracy(_NamedMean):
    """How often the target class is among the k largest outputs."""

    of = staticmethod(sparse_top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype, k=k)


@_add()
class Accuracy(_NamedMean):
    """How often output and target are equal."""

    @staticmethod
    def of(y_true: Any, y_pred: Any) -> Any:
        """Whether they are equal."""
        target, output = align("accuracy", y_true, y_pred)
        return _share(target == output)

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or "accuracy", dtype)


# ---- losses as metrics


def _of_loss(class_name: str, function: Callable[..., Any]) -> Any:
    body = {
        "of": staticmethod(function),
        "__doc__": f"The mean of `losses.{function.__name__}`.",
        "__module__": __name__,
    }
    return _add()(type(class_name, (_NamedMean,), body))


MeanSquaredError = _of_loss("MeanSquaredError", losses.mean_squared_error)
MeanAbsoluteError = _of_loss("MeanAbsoluteError", losses.mean_absolute_error)
MeanAbsolutePercentageError = _of_loss("MeanAbsolutePercentageError", losses.mean_absolute_percentage_error)
MeanSquaredLogarithmicError = _of_loss("MeanSquaredLogarithmicError", losses.mean_squared_logarithmic_error)
BinaryCrossentropy = _of_loss("BinaryCrossentropy", losses.binary_crossentropy)
CategoricalCrossentropy = _of_loss("CategoricalCrossentropy", losses.categorical_crossentropy)
SparseCategoricalCrossentropy = _of_loss("SparseCategoricalCrossentropy", losses.sparse_categorical_crossentropy)
KLDivergence = _of_loss("KLDivergence", losses.kl_divergence)
Hinge = _of_loss("Hinge", losses.hinge)
SquaredHinge = _of_loss("SquaredHinge", losses.squared_hinge)
CategoricalHinge = _of_loss("CategoricalHinge", losses.categorical_hinge)
LogCoshError = _of_loss("LogCoshError", losses.log_cosh)
Poisson = _of_loss("Poisson", losses.poisson)


@_add("rmse")
class RootMeanSquaredError(Mean):
    """The root of the mean squared error."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch."""
        super().update_state(losses.mean_squared_error(y_true, y_pred), sample_weight)

    def result(self) -> Any:
        """The root of the mean so far."""
        return super().result().sqrt()


@_add()
class CosineSimilarity(Mean):
    """The mean cosine between targets and outputs."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch."""
        super().update_state(-losses.cosine_similarity(y_true, y_pred), sample_weight)


# ---- counts of right and wrong


class _Counts(Metric):
    """Base of metrics from counts of true and false positives and negatives, at one threshold or several."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.thresholds = [0.5] if thresholds is None else [float(t) for t in np.atleast_1d(thresholds)]
        size = (len(self.thresholds),)
        self.true_positives, self.false_positives = self.add_variable(size), self.add_variable(size)
        self.true_negatives, self.false_negatives = self.add_variable(size), self.add_variable(size)

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        with no_grad():
            target, output = align(self.name, y_true, y_pred)
            weights = target.double() * 0 + (1.0 if sample_weight is None else _weights(sample_weight, target))
            positive = target.reshape(1, -1) > 0.5
            limits = make_tensor(np.array(self.thresholds, np.float32)).to(output.dtype).reshape(-1, 1)
            predicted = output.reshape(1, -1) > limits
            w = weights.reshape(1, -1)
            for state, where in (
                (self.true_positives, predicted & positive),
                (self.false_positives, predicted & ~positive),
                (self.true_negatives, ~predicted & ~positive),
                (self.false_negatives, ~predicted & positive),
            ):
                state += (where.double() * w).sum(1)

    def _shaped(self, values: Any) -> Any:
        return values[0] if len(self.thresholds) == 1 else values

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "thresholds": self.thresholds}


@_add()
class Precision(_Counts):
    """True positives among what was predicted positive.

    Args:
        thresholds: above which an output counts as positive; 0.5 if None.
    """

    def result(self) -> Any:
        """The precision so far."""
        return self._shaped(_divide(self.true_positives, self.true_positives + self.false_positives))


@_add()
class Recall(_Counts):
    """True positives among what is positive.

    Args:
        thresholds: above which an output counts as positive; 0.5 if None.
    """

    def result(self) -> Any:
        """The recall so far."""
        return self._shaped(_divide(self.true_positives, self.true_positives + self.false_negatives))


@_add()
class TruePositives(_Counts):
    """How many positives were found."""

    def result(self) -> Any:
        """The count so far."""
        return self._shaped(self.true_positives)


@_add()
class FalsePositives(_Counts):
    """How many negatives were taken for positives."""

    def result(self) -> Any:
        """The count so far."""
        return self._shaped(self.false_positives)


@_add()
class TrueNegatives(_Counts):
    """How many negatives were found."""

    def result(self) -> Any:
        """The count so far."""
        return self._shaped(self.true_negatives)


@_add()
class FalseNegatives(_Counts):
    """How many positives were missed."""

    def result(self) -> Any:
        """The count so far."""
        return self._shaped(self.false_negatives)


@_add()
class AUC(_Counts):
    """The area under the curve of true over false positive rate, by trapezoids between thresholds.

    Args:
        num_thresholds: how finely the curve is sampled.
        curve: 'ROC' only.
    """

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC", name: str | None = None, dtype: Any = None
    ) -> None:
        if curve != "ROC" or num_thresholds < 2:
            raise ArgumentError(
                f"AUC: curve must be 'ROC' and num_thresholds at least 2, got {curve!r} and {num_thresholds}"
            )
        inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        super().__init__([-1e-7, *inner, 1 + 1e-7], name, dtype)
        self.num_thresholds = num_thresholds

    def result(self) -> Any:
        """The area so far."""
        found = _divide(self.true_positives, self.true_positives + self.false_negatives)
        wrong = _divide(self.false_positives, self.false_positives + self.true_negatives)
        return ((wrong[:-1] - wrong[1:]) * (found[:-1] + found[1:]) / 2).sum()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "num_thresholds": self.num_thresholds}


def accuracy_for(target_shape: Sequence[int], output_shape: Sequence[int], name: str = "accuracy") -> Metric:
    """The accuracy that "accuracy" means: binary for one output, categorical for one-hot targets, else by class number."""
    if len(output_shape) < 2 or output_shape[-1] == 1:
        return BinaryAccuracy(name)
    same = len(target_shape) == len(output_shape) and target_shape[-1] == output_shape[-1]
    return CategoricalAccuracy(name) if same else SparseCategoricalAccuracy(name)


def crossentropy_for(target_shape: Sequence[int], output_shape: Sequence[int], name: str = "crossentropy") -> Metric:
    """The crossentropy that "crossentropy" means, as for `accuracy_for`."""
    if len(output_shape) < 2 or output_shape[-1] == 1:
        return MeanMetricWrapper(losses.binary_crossentropy, name)
    same = len(target_shape) == len(output_shape) and target_shape[-1] == output_shape[-1]
    return MeanMetricWrapper(losses.categorical_crossentropy if same else losses.sparse_categorical_crossentropy, name)
