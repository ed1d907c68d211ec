"""Accuracies: how often outputs are right. Read next: `counts.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.frontend import EXPORTS
from onegraph.keras import losses
from onegraph.keras.losses import align, as_tensor, class_numbers
from onegraph.keras.metrics.base import MeanMetricWrapper, Metric, NamedMean, metrics

_add = metrics.add
_topk = EXPORTS["topk"]


@_add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Whether outputs are on the right side of the threshold, element by element."""
    target, output = align("binary_accuracy", y_true, y_pred)
    return ((output > threshold).to(output.dtype) == target).float()


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
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Whether the target class is among the k largest outputs, or the first k classes if those are given in order."""
    output = as_tensor(y_pred)
    if from_sorted_ids:
        return (output[..., :k] == as_tensor(y_true).reshape(*output.shape[:-1], 1)).any(-1).float()
    classes = class_numbers("sparse_top_k_categorical_accuracy", y_true, output)
    _, places = _topk(output, min(k, output.shape[-1]), -1)
    return (places == classes.unsqueeze(-1)).any(-1).float()


@_add()
class BinaryAccuracy(NamedMean):
    """The share of outputs on the right side of a threshold."""

    of = staticmethod(binary_accuracy)


@_add()
class CategoricalAccuracy(NamedMean):
    """How often the largest output is that of the target, with one-hot targets."""

    of = staticmethod(categorical_accuracy)


@_add()
class SparseCategoricalAccuracy(NamedMean):
    """How often the largest output is that of the target class."""

    of = staticmethod(sparse_categorical_accuracy)


@_add()
class TopKCategoricalAccuracy(NamedMean):
    """How often the target is among the k largest outputs, with one-hot targets."""

    of = staticmethod(top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype, k=k)


@_add()
class SparseTopKCategoricalAccuracy(NamedMean):
    """How often the target class is among the k largest outputs."""

    of = staticmethod(sparse_top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False) -> None:
        super().__init__(name, dtype, k=k, from_sorted_ids=from_sorted_ids)


@_add()
class Accuracy(NamedMean):
    """How often output and target are equal."""

    @staticmethod
    def of(y_true: Any, y_pred: Any) -> Any:
        """Whether they are equal."""
        target, output = align("accuracy", y_true, y_pred)
        return (target == output).float()

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or "accuracy", dtype)


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
