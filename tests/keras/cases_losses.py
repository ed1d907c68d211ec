"""Losses that were computed with Keras 3 too: name -> an expression. Read first: `recorded.py`."""

_REGRESSION = "mean_squared_error mean_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error huber log_cosh cosine_similarity hinge squared_hinge categorical_hinge"  # noqa: E501
_CLASSES = "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError Huber LogCosh CosineSimilarity Hinge SquaredHinge CategoricalHinge"  # noqa: E501
_HOT = "np.eye(3, dtype='float32')[classes]"
_SURE = "probabilities / probabilities.sum(-1, keepdims=True)"

CASES: dict[str, str] = {
    **{name: f"keras.losses.{name}(a, b)" for name in _REGRESSION.split()},
    **{name: f"keras.losses.{name}()(a, b, sample_weight=np.array([1.0, 3.0]))" for name in _CLASSES.split()},
    "poisson": "keras.losses.poisson(p, p + 1)",
    "Poisson": "keras.losses.Poisson(reduction='sum')(p, p + 1)",
    "Huber delta": "keras.losses.Huber(delta=0.3)(a, b)",
    "CosineSimilarity axis": "keras.losses.CosineSimilarity(axis=0)(a, b)",
    "binary_crossentropy": "keras.losses.binary_crossentropy(binary.reshape(4, 2), one.reshape(4, 2), label_smoothing=0.1)",
    "BinaryCrossentropy": "keras.losses.BinaryCrossentropy(from_logits=True)(binary, one * 4 - 2)",
    "categorical_crossentropy": f"keras.losses.categorical_crossentropy({_HOT}, probabilities, label_smoothing=0.2)",
    "CategoricalCrossentropy": f"keras.losses.CategoricalCrossentropy(from_logits=True)({_HOT}, probabilities * 3)",
    "sparse_categorical_crossentropy": "keras.losses.sparse_categorical_crossentropy(classes, probabilities)",
    "SparseCategoricalCrossentropy": "keras.losses.SparseCategoricalCrossentropy(from_logits=True)(classes, probabilities)",
    "ignore_class": "keras.losses.SparseCategoricalCrossentropy(ignore_class=2, reduction='none')(classes, probabilities)",
    "kl_divergence": f"keras.losses.kl_divergence({_SURE}, probabilities)",
    "KLDivergence": f"keras.losses.KLDivergence()({_SURE}, probabilities)",
    "binary_focal_crossentropy": "keras.losses.binary_focal_crossentropy(binary.reshape(4, 2), one.reshape(4, 2))",
    "BinaryFocalCrossentropy": "keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, from_logits=True)(binary, one)",
    "categorical_focal_crossentropy": f"keras.losses.categorical_focal_crossentropy({_HOT}, probabilities)",
    "CategoricalFocalCrossentropy": f"keras.losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.2, 0.7])({_HOT}, probabilities)",
    "categorical_generalized_cross_entropy": f"keras.losses.categorical_generalized_cross_entropy(classes, ops.array({_SURE}), 0.7)",
    "CategoricalGeneralizedCrossEntropy": f"keras.losses.CategoricalGeneralizedCrossEntropy()(classes, {_SURE})",
    "ctc": "keras.losses.ctc(np.array([[1, 2], [2, 1]]), t)",
    "CTC": "keras.losses.CTC()(np.array([[1, 2], [2, 1]]), t)",
    "dice": "keras.losses.dice(binary.reshape(4, 2), one.reshape(4, 2), axis=(1,))",
    "Dice": "keras.losses.Dice()(binary.reshape(4, 2), one.reshape(4, 2))",
    "tversky": "keras.losses.tversky(binary.reshape(4, 2), one.reshape(4, 2), alpha=0.3, beta=0.6)",
    "Tversky": "keras.losses.Tversky(axis=1)(binary.reshape(4, 2), one.reshape(4, 2))",
    "circle": "keras.losses.circle(classes, keras.ops.normalize(probabilities))",
    "Circle": "keras.losses.Circle(gamma=10.0)(classes, probabilities)",
    "mean_with_sample_weight": "keras.losses.MeanSquaredError(reduction='mean_with_sample_weight')(a, b, np.array([1.0, 3.0]))",
    "get": "keras.losses.get('mse')(a, b)",
    "deserialize": "keras.losses.deserialize('mean_absolute_error')(a, b)",
}
