"""Metrics from counts of right and wrong: precision, recall, F scores, and what follows from curves of them.

Read next: `overlap.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad
from onegraph.keras.losses import align, as_tensor
from onegraph.keras.metrics.base import Metric, divide, metrics, weights_of

_add = metrics.add
_where, _topk = EXPORTS["where"], EXPORTS["topk"]


class _Counts(Metric):
    """Base of metrics from counts of true and false positives and negatives, at one threshold or several.

    Args:
        thresholds: above which an output counts as positive; 0.5 if None.
        top_k: only the k largest outputs of a sample count as positive.
        class_id: look at one class only.
    """

    STATES = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    multi_label = False
    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any

    def __init__(
        self,
        thresholds: Any = None,
        name: str | None = None,
        dtype: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(dtype, name)
        default = 0.5 if top_k is None else -np.inf
        self.thresholds = [default] if thresholds is None else [float(t) for t in np.atleast_1d(thresholds)]
        self.top_k, self.class_id = top_k, class_id
        if not self.multi_label:
            self._make((len(self.thresholds),))

    def _make(self, size: Sequence[int]) -> None:
        for state in self.STATES:
            setattr(self, state, self.add_variable(size, name=state))

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        with no_grad():
            target, output = align(self.name, y_true, y_pred)
            weights = target.double() * 0 + (1.0 if sample_weight is None else weights_of(sample_weight, target))
            if self.top_k is not None:
                limit = _topk(output, self.top_k, -1)[0][..., -1:]
                output = _where(output >= limit, output, output * 0 - np.inf)
            if self.class_id is not None:
                target, output, weights = (t[..., self.class_id] for t in (target, output, weights))
            shape = (1, -1, output.shape[-1]) if self.multi_label else (1, -1)
            self._count(target.reshape(*shape), output.reshape(*shape), weights.reshape(*shape))

    def _count(self, target: Any, output: Any, weights: Any) -> None:
        positive = target > 0.5
        limits = make_tensor(np.array(self.thresholds, np.float32)).to(output.dtype)
        predicted = output > limits.reshape(-1, *[1] * (output.ndim - 1))
        for state, where in zip(
            self.STATES,
            (predicted & positive, predicted & ~positive, ~predicted & ~positive, ~predicted & positive),
            strict=True,
        ):
            own = getattr(self, state)
            own += (where.double() * weights).sum(1)

    def _shaped(self, values: Any) -> Any:
        return values[0] if len(self.thresholds) == 1 else values

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self.thresholds}


@_add()
class Precision(_Counts):
    """True positives among what was predicted positive.

    Args:
        thresholds: above which an output counts as positive; 0.5 if None.
        top_k: only the k largest outputs of a sample count as positive.
        class_id: look at one class only.
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)
        self._given = thresholds

    def result(self) -> Any:
        """The value so far."""
        return self._shaped(divide(self.true_positives, self.true_positives + self._others))

    @property
    def _others(self) -> Any:
        return self.false_positives

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"thresholds": self._given, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


@_add()
class Recall(Precision):
    """True positives among what is positive. Arguments as for `Precision`."""

    @property
    def _others(self) -> Any:
        return self.false_negatives


def _single(name: str, state: str, does: str) -> Any:
    def result(self: Any) -> Any:
        """The count so far."""
        return self._shaped(getattr(self, state))

    return _add()(type(name, (_Counts,), {"result": result, "__doc__": does, "__module__": __name__}))


TruePositives = _single("TruePositives", "true_positives", "How many positives were found.")
FalsePositives = _single("FalsePositives", "false_positives", "How many negatives were taken for positives.")
TrueNegatives = _single("TrueNegatives", "true_negatives", "How many negatives were found.")
FalseNegatives = _single("FalseNegatives", "false_negatives", "How many positives were missed.")


def _even_thresholds(count: int, edge: float) -> list[float]:
    inner = [(i + 1) / (count - 1) for i in range(count - 2)]
    return [-edge, *inner, 1 + edge]


@_add()
class AUC(_Counts):
    """The area under a curve, between thresholds by sums.

    Args:
        num_thresholds: how finely the curve is sampled.
        curve: 'ROC' (true over false positive rate) or 'PR' (precision over recall).
        summation_method: 'interpolation' (trapezoids; Davis and Goadrich's rule for PR), 'minoring' or 'majoring'.
        thresholds: instead of evenly spaced ones.
        multi_label: compute the area of each column and average.
        num_labels: how many columns; found out if None.
        label_weights: of the columns in that average.
        from_logits: outputs are logits.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        if curve not in ("ROC", "PR") or (thresholds is None and num_thresholds < 2):
            raise ArgumentError(
                f"AUC: curve must be 'ROC' or 'PR' and num_thresholds at least 2, got {curve!r} and {num_thresholds}"
            )
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ArgumentError(f"AUC: there is no summation_method {summation_method!r}")
        self.multi_label = multi_label
        chosen = (
            _even_thresholds(num_thresholds, 1e-7) if thresholds is None else [-1e-7, *sorted(thresholds), 1 + 1e-7]
        )
        super().__init__(chosen, name, dtype)
        self.num_thresholds, self.curve, self.summation_method = len(chosen), curve, summation_method
        self.label_weights, self.from_logits, self.num_labels = label_weights, from_logits, num_labels
        self._given = thresholds
        if multi_label and num_labels:
            self._make((len(chosen), num_labels))

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        output = as_tensor(y_pred)
        if self.multi_label and not self._variables:
            self._make((len(self.thresholds), int(output.shape[-1])))
        super().update_state(y_true, output.sigmoid() if self.from_logits else output, sample_weight)

    def _interpolated_precision(self) -> Any:
        """Between two points of a PR curve true positives grow linearly with what is predicted positive."""
        gained = self.true_positives[:-1] - self.true_positives[1:]
        predicted = self.true_positives + self.false_positives
        more = predicted[:-1] - predicted[1:]
        slope = divide(gained, more.clamp(min=0))
        intercept = self.true_positives[1:] - slope * predicted[1:]
        both = (predicted[:-1] > 0) & (predicted[1:] > 0)
        ratio = _where(both, divide(predicted[:-1], predicted[1:].clamp(min=0)), predicted[1:] * 0 + 1)
        return divide(
            slope * (gained + intercept * ratio.log()),
            (self.true_positives[1:] + self.false_negatives[1:]).clamp(min=0),
        )

    def _pieces(self) -> Any:
        found = divide(self.true_positives, self.true_positives + self.false_negatives)
        if self.curve == "ROC":
            x, y = divide(self.false_positives, self.false_positives + self.true_negatives), found
        elif self.summation_method == "interpolation":
            return self._interpolated_precision()
        else:
            x, y = found, divide(self.true_positives, self.true_positives + self.false_positives)
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": EXPORTS["minimum"](y[:-1], y[1:]),
            "majoring": EXPORTS["maximum"](y[:-1], y[1:]),
        }
        return (x[:-1] - x[1:]) * heights[self.summation_method]

    def result(self) -> Any:
        """The area so far."""
        if not self._variables:
            return as_tensor(0.0)
        areas = self._pieces().sum(0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return areas.mean()
        weights = as_tensor(self.label_weights).double()
        return (areas * weights).sum() / weights.sum()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self._given,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }


class _AtOther(_Counts):
    """The best of one rate where another is at least (or at most) a value, over thresholds."""

    VALUE = "value"

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not 0 <= value <= 1 or num_thresholds < 1:
            raise ArgumentError(
                f"{type(self).__name__}: {self.VALUE} must be from 0 to 1 and num_thresholds positive, "
                f"got {value} and {num_thresholds}"
            )
        chosen = [0.5] if num_thresholds == 1 else _even_thresholds(num_thresholds, 0.0)
        super().__init__(chosen, name, dtype, None, class_id)
        self.value, self.num_thresholds = value, num_thresholds

    def _rates(self) -> tuple[Any, Any]:
        """What must reach the value, and what is wanted."""
        raise NotImplementedError

    def result(self) -> Any:
        """The best so far; 0 where the value is never reached."""
        constrained, wanted = self._rates()
        return _where(constrained >= self.value, wanted, wanted * 0).amax()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {self.VALUE: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {"name": self.name, **own}


def _at(name: str, value: str, rates: Callable[[Any], tuple[Any, Any]], does: str) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        if value in options:
            options["value"] = options.pop(value)
        _AtOther.__init__(self, *args, **options)

    body = {"VALUE": value, "_rates": rates, "__init__": init, "__doc__": does, "__module__": __name__}
    return _add()(type(name, (_AtOther,), body))


def _sensitivity(m: Any) -> Any:
    return divide(m.true_positives, m.true_positives + m.false_negatives)


def _specificity(m: Any) -> Any:
    return divide(m.true_negatives, m.true_negatives + m.false_positives)


def _precision(m: Any) -> Any:
    return divide(m.true_positives, m.true_positives + m.false_positives)


SensitivityAtSpecificity = _at(
    "SensitivityAtSpecificity",
    "specificity",
    lambda m: (_specificity(m), _sensitivity(m)),
    "The best sensitivity where specificity is at least a value: (specificity, num_thresholds=200, class_id=None).",
)
SpecificityAtSensitivity = _at(
    "SpecificityAtSensitivity",
    "sensitivity",
    lambda m: (_sensitivity(m), _specificity(m)),
    "The best specificity where sensitivity is at least a value: (sensitivity, num_thresholds=200, class_id=None).",
)
PrecisionAtRecall = _at(
    "PrecisionAtRecall",
    "recall",
    lambda m: (_sensitivity(m), _precision(m)),
    "The best precision where recall is at least a value: (recall, num_thresholds=200, class_id=None).",
)
RecallAtPrecision = _at(
    "RecallAtPrecision",
    "precision",
    lambda m: (_precision(m), _sensitivity(m)),
    "The best recall where precision is at least a value: (precision, num_thresholds=200, class_id=None).",
)
