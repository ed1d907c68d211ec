"""Losses and metrics against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras import activations, losses, metrics

rng = np.random.default_rng(0)
target = rng.random((6, 4)).astype(np.float32)
output = rng.random((6, 4)).astype(np.float32) * 0.9 + 0.05
rows = output / output.sum(1, keepdims=True)
classes = rng.integers(0, 4, 6)
one_hot = np.eye(4, dtype=np.float32)[classes]
signs = np.where(target > 0.5, 1.0, -1.0).astype(np.float32)


def norm(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


FORMULAS: list[tuple[str, Any, Any, Any]] = [
    ("mean_squared_error", target, output, ((target - output) ** 2).mean(1)),
    ("mean_absolute_error", target, output, np.abs(target - output).mean(1)),
    ("mape", target, output, 100 * np.abs((target - output) / target).mean(1)),
    ("msle", target, output, ((np.log1p(target) - np.log1p(output)) ** 2).mean(1)),
    ("binary_crossentropy", target, output, -(target * np.log(output) + (1 - target) * np.log(1 - output)).mean(1)),
    ("categorical_crossentropy", one_hot, rows, -(one_hot * np.log(rows)).sum(1)),
    ("sparse_categorical_crossentropy", classes, rows, -np.log(rows[np.arange(6), classes])),
    ("kl_divergence", target, output, (target * np.log(target / output)).sum(1)),
    ("hinge", signs, output, np.maximum(1 - signs * output, 0).mean(1)),
    ("squared_hinge", (signs + 1) / 2, output, (np.maximum(1 - signs * output, 0) ** 2).mean(1)),
    (
        "categorical_hinge",
        one_hot,
        output,
        np.maximum(0, ((1 - one_hot) * output).max(1) - (one_hot * output).sum(1) + 1),
    ),
    (
        "huber",
        target * 4,
        output,
        np.where(
            np.abs(target * 4 - output) <= 1, (target * 4 - output) ** 2 / 2, np.abs(target * 4 - output) - 0.5
        ).mean(1),
    ),
    ("log_cosh", target, output, np.log(np.cosh(output - target)).mean(1)),
    ("poisson", target, output, (output - target * np.log(output)).mean(1)),
    ("cosine_similarity", target, output, -(norm(target) * norm(output)).sum(1)),
]


@pytest.mark.parametrize(("name", "y", "p", "wanted"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_formulas(name: str, y: np.ndarray, p: np.ndarray, wanted: np.ndarray) -> None:
    function = losses.losses.find(name)
    np.testing.assert_allclose(function(y, p).numpy(), wanted, rtol=2e-4, atol=1e-6)
    loss = losses.loss_object(name)
    assert loss(y, p).item() == pytest.approx(wanted.mean(), rel=2e-4)
    weights = np.arange(6.0)
    assert loss(y, p, weights).item() == pytest.approx((wanted * weights).mean(), rel=2e-4)
    metric = metrics.get(name)
    metric.update_state(y[:2], p[:2])
    metric.update_state(y[2:], p[2:])
    assert float(metric.result()) == pytest.approx(wanted.mean(), rel=2e-4)


def test_logits_and_probabilities_agree() -> None:
    logits = rng.standard_normal((6, 4)).astype(np.float32)
    softmax = activations.softmax(losses.as_tensor(logits))
    from_logits = losses.CategoricalCrossentropy(from_logits=True)(one_hot, logits).item()
    assert losses.CategoricalCrossentropy()(one_hot, softmax).item() == from_logits
    assert losses.CategoricalCrossentropy()(one_hot, softmax.numpy()).item() == pytest.approx(from_logits, rel=1e-5)
    assert losses.SparseCategoricalCrossentropy(from_logits=True)(classes, logits).item() == pytest.approx(
        from_logits, rel=1e-6
    )
    sigmoid = activations.sigmoid(losses.as_tensor(logits))
    binary = losses.BinaryCrossentropy(from_logits=True)(one_hot, logits).item()
    assert losses.BinaryCrossentropy()(one_hot, sigmoid).item() == binary
    assert losses.BinaryCrossentropy()(one_hot, sigmoid.numpy()).item() == pytest.approx(binary, rel=1e-5)


def test_a_softmax_far_from_the_target_has_a_finite_exact_loss() -> None:
    softmax = activations.softmax(losses.as_tensor(np.array([[0.0, 200.0]])))
    assert losses.loss_object("sparse_categorical_crossentropy")([0], softmax).item() == 200.0


def test_label_smoothing_and_reductions() -> None:
    smoothed = one_hot * 0.9 + 0.1 / 4
    loss = losses.CategoricalCrossentropy(label_smoothing=0.1)
    assert loss(one_hot, rows).item() == pytest.approx(-(smoothed * np.log(rows)).sum(1).mean(), rel=1e-5)
    each = ((target - output) ** 2).mean(1)
    assert losses.MeanSquaredError(reduction="sum")(target, output).item() == pytest.approx(each.sum(), rel=1e-5)
    assert losses.MeanSquaredError(reduction=None)(target, output).shape == (6,)
    weights = np.array([1.0, 0, 0, 0, 0, 3.0])
    mean = losses.MeanSquaredError(reduction="mean_with_sample_weight")(target, output, weights).item()
    assert mean == pytest.approx((each * weights).sum() / 4, rel=1e-5)
    with pytest.raises(ArgumentError, match="reduction must be one of"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ArgumentError, match="Huber does not take delt; it takes delta"):
        losses.Huber(delt=2)
    assert losses.Huber(2.0).get_config()["delta"] == 2.0


def test_shapes_are_checked() -> None:
    assert losses.loss_object("mse")(np.zeros(6), np.ones((6, 1))).item() == 1.0
    with pytest.raises(
        ShapeError, match=r"mean_squared_error: the target has shape \(6,\), the model's output \(6, 4\)"
    ):
        losses.loss_object("mse")(np.zeros(6), output)
    with pytest.raises(ShapeError, match="use categorical_crossentropy for one-hot targets"):
        losses.loss_object("sparse_categorical_crossentropy")(one_hot, rows)
    with pytest.raises(ShapeError, match=r"sample_weight of shape \(5,\)"):
        losses.loss_object("mse")(target, output, np.ones(5))


def test_own_functions_and_classes() -> None:
    def cubed(y_true: Any, y_pred: Any) -> Any:
        return ((y_true - y_pred).abs() ** 3).mean(-1)

    class Cubed(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return cubed(y_true, y_pred)

    a, b = losses.as_tensor(target), losses.as_tensor(output)
    wanted = (np.abs(target - output) ** 3).mean()
    assert losses.loss_object(cubed)(a, b).item() == pytest.approx(wanted, rel=1e-5)
    assert losses.loss_object(Cubed())(a, b).item() == pytest.approx(wanted, rel=1e-5)


def test_accuracies() -> None:
    right = (rows.argmax(1) == classes).mean()
    for metric, y in ((metrics.CategoricalAccuracy(), one_hot), (metrics.SparseCategoricalAccuracy(), classes)):
        metric.update_state(y[:4], rows[:4])
        metric.update_state(y[4:], rows[4:])
        assert float(metric.result()) == pytest.approx(right)
        metric.reset_state()
        assert float(metric.result()) == 0.0
    top = np.array([c in np.argsort(r)[-2:] for r, c in zip(rows, classes, strict=True)]).mean()
    assert float(metrics.TopKCategoricalAccuracy(k=2)(one_hot, rows)) == pytest.approx(top)
    assert float(metrics.SparseTopKCategoricalAccuracy(2)(classes, rows)) == pytest.approx(top)
    assert float(metrics.BinaryAccuracy(threshold=0.3)(one_hot, output)) == pytest.approx(
        ((output > 0.3) == one_hot).mean()
    )
    assert float(metrics.Accuracy()([1, 2, 3], [1.0, 2.0, 4.0])) == pytest.approx(2 / 3)
    weighted = metrics.SparseCategoricalAccuracy()
    weighted.update_state([0, 1], np.eye(2)[[0, 0]], sample_weight=[3.0, 1.0])
    assert float(weighted.result()) == 0.75


@pytest.mark.parametrize(
    ("target_shape", "output_shape", "kind"),
    [
        ((8,), (8, 1), metrics.BinaryAccuracy),
        ((8, 1), (8, 1), metrics.BinaryAccuracy),
        ((8, 3), (8, 3), metrics.CategoricalAccuracy),
        ((8,), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 1), (8, 3), metrics.SparseCategoricalAccuracy),
    ],
)
def test_accuracy_means_what_the_shapes_say(target_shape: tuple, output_shape: tuple, kind: type) -> None:
    assert isinstance(metrics.accuracy_for(target_shape, output_shape), kind)


def test_counts() -> None:
    y = np.array([1, 1, 1, 0, 0, 0, 0, 1], np.float32)
    p = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.3, 0.6, 0.4], np.float32)
    assert float(metrics.Precision()(y, p)) == pytest.approx(2 / 4)
    assert float(metrics.Recall()(y, p)) == pytest.approx(2 / 4)
    assert metrics.Recall(thresholds=[0.15, 0.5])(y, p).tolist() == pytest.approx([1.0, 0.5])
    assert [
        float(m()(y, p))
        for m in (metrics.TruePositives, metrics.FalsePositives, metrics.TrueNegatives, metrics.FalseNegatives)
    ] == [2, 2, 2, 2]
    assert float(metrics.Precision()([0.0], [0.1])) == 0.0
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y == 1] for b in p[y == 0]]
    assert float(metrics.AUC(num_thresholds=1000)(y, p)) == pytest.approx(np.mean(pairs), abs=1e-3)
    assert float(metrics.RootMeanSquaredError()(target, output)) == pytest.approx(
        np.sqrt(((target - output) ** 2).mean()), rel=1e-5
    )
    assert float(metrics.Sum()([1.0, 2.0])) == 3.0


def test_counts_stay_exact_beyond_what_float32_can_count() -> None:
    mean = metrics.Mean()
    mean.update_state([1.0], sample_weight=float(1 << 24))
    mean.update_state([0.0])
    assert mean.count.item() == (1 << 24) + 1
