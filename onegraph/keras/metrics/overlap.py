"""Metrics of overlap: intersection over union, and F scores. Read first: `base.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.state import no_grad
from onegraph.keras.backend import epsilon
from onegraph.keras.losses import align, as_tensor
from onegraph.keras.metrics.base import Metric, divide, metrics

_add = metrics.add
_where = EXPORTS["where"]


@_add()
class IoU(Metric):
    """Intersection over union of classes, averaged over some: TP / (TP + FP + FN).

    Args:
        num_classes: how many there are.
        target_class_ids: which are averaged.
        ignore_class: targets of this class do not count.
        sparse_y_true, sparse_y_pred: class numbers; otherwise the class is where the largest value stands.
        axis: of the classes, where they are not sparse.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        if target_class_ids and max(target_class_ids) >= num_classes:
            raise ArgumentError(
                f"{type(self).__name__}: class {max(target_class_ids)} is not among num_classes={num_classes}"
            )
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        with no_grad():
            target, output = as_tensor(y_true), as_tensor(y_pred)
            target = (target if self.sparse_y_true else target.argmax(self.axis)).reshape(-1).long()
            output = (output if self.sparse_y_pred else output.argmax(self.axis)).reshape(-1).long()
            weights = (target * 0 + 1).double()
            if sample_weight is not None:
                weights = weights * as_tensor(sample_weight).double().reshape(-1)
            n = self.num_classes
            valid = (target >= 0) & (target < n) & (output >= 0) & (output < n)
            if self.ignore_class is not None:
                valid = valid & (target != self.ignore_class)
            place = _where(valid, target * n + output, target * 0)
            counts = EXPORTS["zeros"](n * n, dtype=weights.dtype)
            counts = counts.index_add(0, place, _where(valid, weights, weights * 0))
            self.total_cm += counts.reshape(n, n)

    def result(self) -> Any:
        """The average so far, over the classes that occur."""
        both = EXPORTS["diag"](self.total_cm)
        union = self.total_cm.sum(0) + self.total_cm.sum(1) - both
        chosen = as_tensor(self.target_class_ids).long()
        both, union = both.index_select(0, chosen), union.index_select(0, chosen)
        present = (union > 0).double()
        return divide(divide(both, union).sum(), present.sum())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "name": self.name,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


@_add()
class MeanIoU(IoU):
    """Intersection over union, averaged over all classes. Arguments as for `IoU`, without target_class_ids."""

    def __init__(self, num_classes: int, *args: Any, **options: Any) -> None:
        options.pop("target_class_ids", None)
        super().__init__(num_classes, list(range(num_classes)), *args, **options)


@_add()
class OneHotIoU(IoU):
    """Intersection over union, for targets that are one-hot."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
        **options: Any,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@_add()
class OneHotMeanIoU(OneHotIoU):
    """Intersection over union averaged over all classes, for targets that are one-hot."""

    def __init__(self, num_classes: int, *args: Any, **options: Any) -> None:
        options.pop("target_class_ids", None)
        super().__init__(num_classes, list(range(num_classes)), *args, **options)


@_add()
class BinaryIoU(IoU):
    """Intersection over union of outputs above and below a threshold.

    Args:
        target_class_ids: (0,), (1,) or both.
        threshold: from which on an output counts as class 1.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        super().update_state(y_true, (as_tensor(y_pred) >= self.threshold).long(), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"target_class_ids": self.target_class_ids, "threshold": self.threshold, "name": self.name}


@_add()
class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall.

    Args:
        average: None for a number a class, 'micro', 'macro' or 'weighted'.
        beta: how many times as much recall counts.
        threshold: from which on an output counts; None for the largest of a sample.

    Targets and outputs are (batch, classes).
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted") or not beta > 0:
            raise ArgumentError(
                f"{type(self).__name__}: average must be None, 'micro', 'macro' or 'weighted' and beta positive, "
                f"got {average!r} and {beta}"
            )
        if threshold is not None and not 0 < threshold <= 1:
            raise ArgumentError(f"{type(self).__name__}: threshold must be above 0 and at most 1, got {threshold}")
        self.average, self.beta, self.threshold = average, beta, threshold

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        with no_grad():
            target, output = align(self.name, y_true, y_pred)
            if not self._variables:
                size = () if self.average == "micro" else (int(output.shape[-1]),)
                self.true_positives, self.false_positives = self.add_variable(size), self.add_variable(size)
                self.false_negatives, self.weights = self.add_variable(size), self.add_variable(size)
            if self.threshold is None:
                found = (output >= output.amax(-1, keepdim=True)) & (output.abs() > 1e-9)
            else:
                found = output > self.threshold
            found, target = found.double(), target.double()
            weights = 1.0 if sample_weight is None else as_tensor(sample_weight).double().reshape(-1, 1)

            def total(values: Any) -> Any:
                values = values * weights
                return values.sum() if self.average == "micro" else values.sum(0)

            self.true_positives += total(found * target)
            self.false_positives += total(found * (1 - target))
            self.false_negatives += total((1 - found) * target)
            self.weights += total(target)

    def result(self) -> Any:
        """The score so far."""
        if not self._variables:
            return as_tensor(0.0)
        precision = self.true_positives / (self.true_positives + self.false_positives + epsilon())
        recall = self.true_positives / (self.true_positives + self.false_negatives + epsilon())
        factor = self.beta**2
        score = precision * recall / (factor * precision + recall + epsilon()) * (1 + factor)
        if self.average == "weighted":
            return (score * self.weights / (self.weights.sum() + epsilon())).sum()
        return score if self.average is None else score.mean()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"average": self.average, "beta": self.beta, "threshold": self.threshold, "name": self.name}


@_add()
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall. Arguments as for `FBetaScore`, without beta."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"average": self.average, "threshold": self.threshold, "name": self.name}
