"""Losses and metrics give the numbers that Keras 3 gives. Read first: `recorded.py`."""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ShapeError
from tests.keras import cases_losses, cases_metrics, recorded

KINDS = {"losses": cases_losses.CASES, "metrics": cases_metrics.CASES}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, cases in KINDS.items() for name in cases])
def test_numbers_are_those_of_keras(kind: str, name: str) -> None:
    with og.config.using(backend="reference"):
        value = eval(KINDS[kind][name], {**recorded.names(), "keras": keras, "ops": keras.ops})
        recorded.check(kind, name, value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_and_function_has_a_case(kind: str) -> None:
    module = getattr(keras, kind)
    names = {n for n in vars(module) if not n.startswith("_") and callable(getattr(module, n))}
    alias = {
        "mse",
        "MSE",
        "mae",
        "MAE",
        "mape",
        "MAPE",
        "msle",
        "MSLE",
        "bce",
        "BCE",
        "kld",
        "KLD",
        "logcosh",
        "cosine_proximity",
    }
    alias |= {
        "kullback_leibler_divergence",
        "class_numbers",
        "align",
        "as_tensor",
        "loss_object",
        "serialize",
        "deserialize",
        "get",
    }
    alias |= {
        "Loss",
        "LossFunctionWrapper",
        "losses",
        "Metric",
        "metrics",
        "custom_object_scope",
        "Any",
        "accuracy_for",
    }
    alias |= {"crossentropy_for", *cases_losses.CASES}
    assert names - set(KINDS[kind]) - alias == set()


def test_stateless_metrics() -> None:
    with og.config.using(backend="reference"):
        metric = keras.metrics.Mean()
        state = metric.stateless_update_state(metric.stateless_reset_state(), [1.0, 3.0])
        assert float(metric.stateless_result(state)) == 2.0
        assert float(metric.result()) == 0.0


def test_metrics_of_users() -> None:
    class Largest(keras.metrics.Metric):
        def __init__(self, name: str = "largest", **kwargs: object) -> None:
            super().__init__(name=name, **kwargs)
            self.seen = self.add_weight(name="seen", initializer="zeros", dtype="int32")

        def update_state(self, y_true: object, y_pred: object = None, sample_weight: object = None) -> None:
            self.seen.assign(keras.ops.maximum(self.seen, keras.ops.max(y_pred)))

        def result(self) -> object:
            return self.seen

    with og.config.using(backend="reference"):
        metric = Largest()
        assert float(metric(None, [1.0, 5.0])) == 5.0
        metric.reset_state()
        assert float(metric(None, [1.0, 2.0])) == 2.0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ArgumentError, match="summation_method"):
        keras.metrics.AUC(summation_method="best")
    with pytest.raises(ArgumentError, match="class_aggregation"):
        keras.metrics.R2Score(class_aggregation="best")
    with pytest.raises(ArgumentError, match="num_classes"):
        keras.metrics.IoU(2, [3])
    with pytest.raises(ArgumentError, match="average"):
        keras.metrics.F1Score(average="best")
    with pytest.raises(ArgumentError, match="specificity"):
        keras.metrics.SensitivityAtSpecificity(specificity=2.0)
    with pytest.raises(ShapeError, match="ctc"):
        keras.losses.ctc(np.zeros(3), np.zeros((2, 3)))
