"""Losses of probabilities: crossentropies, focal and generalized ones, divergence, CTC. Read next: `overlap.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ShapeError
from onegraph.keras.activations import logits_of
from onegraph.keras.backend import epsilon
from onegraph.keras.losses.base import align, as_tensor, loss_class, loss_function
from onegraph.nn import functional as F
from onegraph.ops.shapes import show


@loss_function("bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-y_true log(y_pred) - (1 - y_true) log(1 - y_pred).

    Args:
        y_true: 0 or 1, of the output's shape.
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `sigmoid` activation are taken back to logits anyway.
        label_smoothing: moves targets this far toward 1/2.
        axis: over which the mean of a sample is taken.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "sigmoid")
    target, output = align("binary_crossentropy", y_true, y_pred if logits is None else logits)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if logits is not None:
        found = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    else:
        found = F.binary_cross_entropy(output.clamp(epsilon(), 1 - epsilon()), target, reduction="none")
    return found if axis == -1 else found.movedim(axis, -1)


@loss_function("cce")
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum(y_true log(y_pred)), over the classes.

    Args:
        y_true: one-hot rows, or probabilities, of the output's shape.
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `softmax` activation are taken back to logits anyway.
        label_smoothing: moves targets this far toward equal probabilities.
        axis: of the classes.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    target, output = align("categorical_crossentropy", y_true, y_pred if logits is None else logits)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / output.shape[axis]
    if logits is not None:
        return F.cross_entropy(output.movedim(axis, 1), target.movedim(axis, 1), reduction="none")
    return -(target * _log_probabilities(output, axis)).sum(axis)


def _log_probabilities(output: Any, axis: int) -> Any:
    return (output / output.sum(axis, keepdim=True)).clamp(epsilon(), 1 - epsilon()).log()


@loss_function("scce")
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log(y_pred[class]).

    Args:
        y_true: class numbers, of the output's shape without its last dimension (or with a last dimension of 1).
        y_pred: probabilities, or logits.
        from_logits: whether y_pred are logits. The outputs of a `softmax` activation are taken back to logits anyway.
        ignore_class: targets of this class count as 0.
        axis: of the classes.
    """
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    output = as_tensor(y_pred if logits is None else logits)
    target = class_numbers("sparse_categorical_crossentropy", y_true, output, axis)
    scores = output if logits is not None else _log_probabilities(output, axis)
    function = F.cross_entropy if logits is not None else F.nll_loss
    options = {} if ignore_class is None else {"ignore_index": ignore_class}
    return function(scores.movedim(axis, 1), target, reduction="none", **options)


def class_numbers(name: str, y_true: Any, output: Any, axis: int = -1) -> Any:
    """Class numbers with the output's shape but for its classes."""
    target = as_tensor(y_true)
    wanted = list(output.shape)
    wanted.pop(axis)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if list(target.shape) != wanted:
        raise ShapeError(
            f"{name}: class numbers of shape {show(target.shape)} for an output of shape {show(output.shape)}; "
            f"{show(tuple(wanted))} is needed",
            hint="use categorical_crossentropy for one-hot targets" if target.shape == output.shape else None,
        )
    return target.long()


@loss_function("kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum(y_true log(y_true / y_pred)), over the last dimension."""
    target, output = align("kl_divergence", y_true, y_pred)
    target, output = target.clamp(epsilon(), 1), output.clamp(epsilon(), 1)
    return (target * (target / output).log()).sum(-1)


BinaryCrossentropy = loss_class("BinaryCrossentropy", binary_crossentropy)
CategoricalCrossentropy = loss_class("CategoricalCrossentropy", categorical_crossentropy)
SparseCategoricalCrossentropy = loss_class("SparseCategoricalCrossentropy", sparse_categorical_crossentropy)
KLDivergence = loss_class("KLDivergence", kl_divergence)


# ---- focal and generalized crossentropy


@loss_function()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary crossentropy times (1 - probability of the right answer)^gamma. Source: Lin et al., arXiv 1708.02002.

    Args:
        apply_class_balancing: weigh class 1 by alpha and class 0 by 1 - alpha.
        gamma: how much easy samples are discounted.
    """
    target, output = align("binary_focal_crossentropy", y_true, y_pred)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + 0.5 * label_smoothing
    output = output.sigmoid() if from_logits else output
    plain = F.binary_cross_entropy(output.clamp(epsilon(), 1 - epsilon()), target, reduction="none")
    right = target * output + (1 - target) * (1 - output)
    focal = (1.0 - right) ** gamma * plain
    return focal * (target * alpha + (1 - target) * (1 - alpha)) if apply_class_balancing else focal


@loss_function()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Crossentropy times alpha (1 - probability)^gamma, summed over the classes. Source: Lin et al., arXiv 1708.02002."""
    target, output = align("categorical_focal_crossentropy", y_true, y_pred)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / output.shape[axis]
    output = F.softmax(output, axis) if from_logits else output / output.sum(axis, keepdim=True)
    output = output.clamp(epsilon(), 1 - epsilon())
    factor = as_tensor(alpha).to(output.dtype) if isinstance(alpha, (list, tuple)) else alpha
    return (-(target * output.log()) * (1.0 - output) ** gamma * factor).sum(axis)


@loss_function()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Any:
    """(1 - p^q) / q, with p the probability of the class; robust to wrong labels. Source: arXiv 1805.07836."""
    output = as_tensor(y_pred)
    target = class_numbers("categorical_generalized_cross_entropy", y_true, output)
    chosen = output.gather(-1, target.unsqueeze(-1)).squeeze(-1).clamp(epsilon(), 1 - epsilon())
    return (1 - chosen**q) / q


@loss_function()
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification, of whole sequences whose blank is class 0. Source: Graves et al., ICML 2006.

    Args:
        y_true: class numbers, (batch, longest target).
        y_pred: logits, (batch, time, classes).
    """
    output, target = as_tensor(y_pred), as_tensor(y_true).long()
    if output.ndim != 3 or target.ndim != 2:
        raise ShapeError(
            f"ctc: targets (batch, length) and logits (batch, time, classes) are needed, got {show(target.shape)} "
            f"and {show(output.shape)}"
        )
    batch, time = output.shape[:2]
    lengths = as_tensor([time] * batch).long(), as_tensor([target.shape[1]] * batch).long()
    scores = F.log_softmax(output, -1).transpose(0, 1)
    return F.ctc_loss(scores, target, *lengths, blank=0, reduction="none")


BinaryFocalCrossentropy = loss_class("BinaryFocalCrossentropy", binary_focal_crossentropy)
CategoricalFocalCrossentropy = loss_class("CategoricalFocalCrossentropy", categorical_focal_crossentropy)
CategoricalGeneralizedCrossEntropy = loss_class(
    "CategoricalGeneralizedCrossEntropy", categorical_generalized_cross_entropy
)
CTC = loss_class("CTC", ctc)
