"""Losses, as functions (y_true, y_pred) -> one number a sample, and as classes with options. Start with `base.py`."""

from typing import Any

from onegraph.keras.losses.base import Loss, LossFunctionWrapper, align, as_tensor, get, loss_object, losses
from onegraph.keras.losses.overlap import Circle, Dice, Tversky, circle, dice, tversky
from onegraph.keras.losses.probabilistic import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    class_numbers,
    ctc,
    kl_divergence,
    sparse_categorical_crossentropy,
)
from onegraph.keras.losses.regression import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)
from onegraph.keras.registry import serialize

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh
cosine_proximity = cosine_similarity


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """The loss that `serialize` described, or the one with a name."""
    from onegraph.keras.registry import custom_object_scope

    with custom_object_scope(custom_objects):
        return losses.deserialize(name) if isinstance(name, dict) else losses.find(name)
