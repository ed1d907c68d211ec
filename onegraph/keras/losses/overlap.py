"""Losses of overlap and of similarity: Dice, Tversky, Circle. Read next: `../metrics/`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend import EXPORTS
from onegraph.keras.backend import epsilon
from onegraph.keras.losses.base import Loss, align, as_tensor, loss_class, loss_function, losses
from onegraph.nn import functional as F

_where = EXPORTS["where"]


def _over(value: Any, axis: Any) -> Any:
    if axis is None:
        return value.sum()
    return value.sum([axis] if isinstance(axis, int) else list(axis))


@loss_function()
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 |A and B| / (|A| + |B|), over axes (over everything if None). Source: Milletari et al., arXiv 1606.04797."""
    target, output = align("dice", y_true, y_pred)
    both = _over(target * output, axis)
    return 1 - (2.0 * both + epsilon()) / (_over(target, axis) + _over(output, axis) + epsilon())


@loss_function()
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """1 - both / (both + alpha missed + beta falsely found). Source: Salehi et al., arXiv 1706.05721.

    As in Keras, alpha weighs what the output lacks of the target, and beta what it has too much.
    """
    target, output = align("tversky", y_true, y_pred)
    both = _over(target * output, axis)
    wrong = alpha * _over(target * (1 - output), axis) + beta * _over((1 - target) * output, axis)
    return 1 - both / (both + wrong + epsilon())


@losses.add()
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Circle loss, of embeddings of length 1 and their classes. Source: Sun et al., arXiv 2002.10857, equation 6.

    Args:
        y_true: class numbers, (batch,).
        y_pred: embeddings, (batch, size).
        ref_labels, ref_embeddings: to compare with; the batch itself if None.
        remove_diagonal: leave pairs of a sample with itself out, where the batch is compared with itself.
        gamma: scale.
        margin: how far similarities should be apart.
    """
    output, labels = as_tensor(y_pred), as_tensor(y_true).reshape(-1)
    others = output if ref_embeddings is None else as_tensor(ref_embeddings)
    other_labels = labels if ref_labels is None else as_tensor(ref_labels).reshape(-1)
    similarity = (output @ others.transpose(0, 1)).clamp(max=1.0)
    positive = labels.unsqueeze(1) == other_labels.unsqueeze(0)
    negative = ~positive
    if remove_diagonal and ref_embeddings is None:
        positive = positive & (EXPORTS["eye"](labels.shape[0]) == 0)
    pull = (1 + margin - similarity).clamp(min=0)
    push = (similarity + margin).clamp(min=0)
    lowest = similarity * 0 + EXPORTS["finfo"](output.dtype).min
    near = _where(positive, -pull * (similarity - (1 - margin)) * gamma, lowest)
    far = _where(negative, push * (similarity - margin) * gamma, lowest)
    return F.softplus(EXPORTS["logsumexp"](near, 1) + EXPORTS["logsumexp"](far, 1))


Dice = loss_class("Dice", dice)
Tversky = loss_class("Tversky", tversky)


@losses.add()
class Circle(Loss):
    """`circle` as a loss with a reduction.

    Args:
        gamma: scale.
        margin: how far similarities should be apart.
        remove_diagonal: leave pairs of a sample with itself out.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """A loss for each sample."""
        return circle(y_true, y_pred, None, None, self.remove_diagonal, self.gamma, self.margin)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}
        return {**super().get_config(), **own}
