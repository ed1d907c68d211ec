"""Metrics of numbers, and losses as metrics: errors, divergences, correlations, R². Read next: `overlap.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.state import no_grad
from onegraph.keras import losses
from onegraph.keras.backend import epsilon
from onegraph.keras.losses import align, as_tensor
from onegraph.keras.metrics.base import Mean, Metric, NamedMean, divide, metrics, weights_of

_add = metrics.add


def _of_loss(class_name: str, function: Callable[..., Any]) -> Any:
    body = {
        "of": staticmethod(function),
        "__doc__": f"The mean of `losses.{function.__name__}`.",
        "__module__": __name__,
    }
    return _add()(type(class_name, (NamedMean,), body))


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


# ---- correlations


@_add()
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The correlation of targets and outputs along an axis."""
    target, output = align("pearson_correlation", y_true, y_pred)
    a, b = target - target.mean(axis, keepdim=True), output - output.mean(axis, keepdim=True)
    deviations = (a * a).mean(axis).sqrt() * (b * b).mean(axis).sqrt()
    return (a * b).mean(axis) / deviations


@_add()
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Correlation that also counts differences of mean and scale, as Keras computes it. Source: Lin, Biometrics 1989."""
    target, output = align("concordance_correlation", y_true, y_pred)
    mean_a, mean_b = target.mean(axis, keepdim=True), output.mean(axis, keepdim=True)
    var_a = ((target - mean_a) ** 2).mean(axis, keepdim=True)
    var_b = ((output - mean_b) ** 2).mean(axis, keepdim=True)
    norm = var_a + var_b + (mean_a - mean_b) ** 2
    both = (target - mean_b) * (output - mean_b)
    return (2 * both / (norm + epsilon())).mean(axis)


PearsonCorrelation = _of_loss("PearsonCorrelation", pearson_correlation)
ConcordanceCorrelation = _of_loss("ConcordanceCorrelation", concordance_correlation)


@_add()
class R2Score(Metric):
    """The share of the variance of targets that outputs explain (coefficient of determination).

    Args:
        class_aggregation: how several outputs become one number: 'uniform_average', 'variance_weighted_average', or
            None for a number each.
        num_regressors: of the model, for the adjusted score; 0 for the plain one.

    Targets and outputs are (batch, outputs).
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average") or num_regressors < 0:
            raise ArgumentError(
                "R2Score: class_aggregation must be None, 'uniform_average' or 'variance_weighted_average', and "
                f"num_regressors not negative; got {class_aggregation!r} and {num_regressors}"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable(name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        with no_grad():
            target, output = align(self.name, y_true, y_pred)
            if target.ndim != 2:
                raise ArgumentError(f"R2Score takes (batch, outputs), got shape {tuple(target.shape)}")
            target, output = target.double(), output.double()
            if not hasattr(self, "squared_sum"):
                size = (int(target.shape[1]),)
                self.squared_sum, self.sum = self.add_variable(size), self.add_variable(size)
                self.total_mse, self.count = self.add_variable(size), self.add_variable(size)
            weights = target * 0 + (1.0 if sample_weight is None else weights_of(sample_weight, target))
            self.sum += (target * weights).sum(0)
            self.squared_sum += (target * target * weights).sum(0)
            self.total_mse += ((target - output) ** 2 * weights).sum(0)
            self.count += weights.sum(0)
            self.num_samples += float(target.numel())

    def result(self) -> Any:
        """The score so far."""
        if not hasattr(self, "squared_sum"):
            return as_tensor(0.0)
        total = self.squared_sum - self.sum * self.sum / self.count
        score = 1 - divide(self.total_mse, total)
        score = EXPORTS["where"](total == 0, EXPORTS["zeros_like"](score), score)
        if self.class_aggregation == "uniform_average":
            score = score.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = (score * total).sum() / total.sum()
        if self.num_regressors:
            samples = self.num_samples
            score = 1 - (1 - score) * (samples - 1) / (samples - self.num_regressors - 1)
        return score

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
