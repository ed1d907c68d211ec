"""`sigmoid_focal_loss`: a loss that looks at what is hard. Read next: `onegraph/nn/functional`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.nn import functional

__all__ = ["sigmoid_focal_loss"]


def sigmoid_focal_loss(
    inputs: Any, targets: Any, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Any:
    """Binary cross-entropy, weighted by (1 - probability of what is true) ** gamma.

    Source: T. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 5.

    Args:
        inputs: logits of any shape.
        targets: 0 or 1, of the same shape.
        alpha: weight of ones, 1 - alpha that of zeros; negative for none.
        gamma: how much less what is easy counts.
        reduction: "none", "mean" or "sum".

    >>> import onegraph as og
    >>> sigmoid_focal_loss(og.tensor([0.0]), og.tensor([1.0]))
    tensor([0.0433])
    """
    if alpha > 1 or reduction not in ("none", "mean", "sum"):
        raise ArgumentError(
            f"sigmoid_focal_loss: alpha={alpha!r}, reduction={reduction!r}: at most 1; none, mean or sum"
        )
    likely = inputs.sigmoid()
    right = likely * targets + (1 - likely) * (1 - targets)
    loss = functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()
