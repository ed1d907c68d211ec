"""Metrics that were computed with Keras 3 too: name -> an expression. Read first: `recorded.py`.

`after(metric, *batches)` updates a metric with batches (y_true, y_pred[, sample_weight]) and gives its result.
"""

_HOT = "np.eye(3, dtype='float32')[classes]"
_AFTER = "(lambda m, *batches: ([m.update_state(*b) for b in batches], m.result())[1])"
_NUMBERS = "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError RootMeanSquaredError CosineSimilarity LogCoshError Hinge SquaredHinge CategoricalHinge PearsonCorrelation ConcordanceCorrelation"  # noqa: E501
_COUNTS = (
    "TruePositives FalsePositives TrueNegatives FalseNegatives Precision Recall AUC BinaryAccuracy BinaryCrossentropy"
)
_AT = {
    "SensitivityAtSpecificity": 0.4,
    "SpecificityAtSensitivity": 0.6,
    "PrecisionAtRecall": 0.5,
    "RecallAtPrecision": 0.6,
}


def _case(make: str, *batches: str) -> str:
    return f"{_AFTER}(keras.metrics.{make}, {', '.join(f'({b})' for b in batches)})"


CASES: dict[str, str] = {
    **{name: _case(f"{name}()", "a, b", "b, a, np.array([2.0, 0.5])") for name in _NUMBERS.split()},
    **{name: _case(f"{name}()", "binary, one") for name in _COUNTS.split()},
    **{name: _case(f"{name}({value}, num_thresholds=20)", "binary, one") for name, value in _AT.items()},
    "Precision thresholds": _case("Precision(thresholds=[0.2, 0.7])", "binary, one, np.arange(8.0)"),
    "Precision top_k": _case("Precision(top_k=2)", f"{_HOT}, probabilities"),
    "Recall class_id": _case("Recall(class_id=1)", f"{_HOT}, probabilities"),
    "AUC PR": _case("AUC(curve='PR', num_thresholds=20)", "binary, one"),
    "AUC PR minoring": _case("AUC(curve='PR', summation_method='minoring', thresholds=[0.3, 0.6])", "binary, one"),
    "AUC majoring": _case("AUC(summation_method='majoring', num_thresholds=15)", "binary, one"),
    "AUC multi_label": _case("AUC(multi_label=True, label_weights=[1.0, 2.0, 1.0])", f"{_HOT}, probabilities"),
    "AUC from_logits": _case("AUC(from_logits=True)", "binary, one * 4 - 2"),
    "Mean": "(lambda m: ([m.update_state([1.0, 3.0]), m.update_state(5.0, 2.0)], m.result())[1])(keras.metrics.Mean())",
    "Sum": "(lambda m: ([m.update_state([1.0, 3.0]), m.update_state(5.0)], m.result())[1])(keras.metrics.Sum())",
    "MeanMetricWrapper": _case("MeanMetricWrapper(lambda t, o: keras.ops.abs(t - o) * 2)", "a, b"),
    "Accuracy": _case("Accuracy()", "classes, np.array([0, 1, 1, 2, 1, 1])"),
    "CategoricalAccuracy": _case("CategoricalAccuracy()", f"{_HOT}, probabilities"),
    "SparseCategoricalAccuracy": _case("SparseCategoricalAccuracy()", "classes, probabilities, np.arange(6.0)"),
    "TopKCategoricalAccuracy": _case("TopKCategoricalAccuracy(k=2)", f"{_HOT}, probabilities"),
    "SparseTopKCategoricalAccuracy": _case("SparseTopKCategoricalAccuracy(k=2)", "classes, probabilities"),
    "CategoricalCrossentropy": _case("CategoricalCrossentropy(label_smoothing=0.1)", f"{_HOT}, probabilities"),
    "SparseCategoricalCrossentropy": _case("SparseCategoricalCrossentropy(from_logits=True)", "classes, probabilities"),
    "KLDivergence": _case("KLDivergence()", f"{_HOT}, probabilities"),
    "Poisson": _case("Poisson()", "p, p + 1"),
    "R2Score": _case("R2Score()", "a, a * 0.9 + 0.1", "b, b * 1.1"),
    "R2Score adjusted": _case("R2Score(class_aggregation=None, num_regressors=1)", "a, a * 0.9 + 0.1", "b, b * 1.1"),
    "R2Score weighted": _case("R2Score(class_aggregation='variance_weighted_average')", "a, b", "b, b * 1.1"),
    "IoU": _case("IoU(3, [0, 2])", "classes, np.array([0, 1, 1, 2, 1, 1])"),
    "IoU ignore_class": _case("IoU(3, [0, 2], ignore_class=1)", "classes, np.array([0, 1, 1, 2, 1, 1])"),
    "MeanIoU": _case("MeanIoU(3)", "classes, np.array([0, 1, 1, 2, 1, 1])"),
    "OneHotIoU": _case("OneHotIoU(3, [0, 1])", f"{_HOT}, probabilities"),
    "OneHotMeanIoU": _case("OneHotMeanIoU(3)", f"{_HOT}, probabilities"),
    "BinaryIoU": _case("BinaryIoU(threshold=0.4)", "binary, one"),
    "FBetaScore": _case("FBetaScore(average='micro', beta=2.0, threshold=0.5)", f"{_HOT}, probabilities"),
    "F1Score": _case("F1Score()", f"{_HOT}, probabilities"),
    "F1Score weighted": _case("F1Score(average='weighted')", f"{_HOT}, probabilities"),
    "F1Score macro": _case("F1Score(average='macro', threshold=0.4)", f"{_HOT}, probabilities"),
    "binary_accuracy": "keras.metrics.binary_accuracy(binary.reshape(4, 2), one.reshape(4, 2))",
    "categorical_accuracy": f"keras.metrics.categorical_accuracy({_HOT}, probabilities)",
    "sparse_categorical_accuracy": "keras.metrics.sparse_categorical_accuracy(classes, probabilities)",
    "top_k_categorical_accuracy": f"keras.metrics.top_k_categorical_accuracy({_HOT}, probabilities, k=2)",
    "sparse_top_k_categorical_accuracy": "keras.metrics.sparse_top_k_categorical_accuracy(classes, probabilities, k=2)",
    "pearson_correlation": "keras.metrics.pearson_correlation(a, b)",
    "concordance_correlation": "keras.metrics.concordance_correlation(a, b)",
    "binary_crossentropy": "keras.metrics.binary_crossentropy(binary, one)",
}
