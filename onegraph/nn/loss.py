"""Losses as modules. The formulas are in `onegraph/ops/loss.py`, `class_loss.py` and `metric_loss.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.nn import functional
from onegraph.nn.wrapped import Wrapped
from onegraph.ops.loss import reduction_of


class _Loss(Wrapped):
    """Base: `reduction` is 'none', 'mean' or 'sum'; `size_average` and `reduce` are its older spellings."""

    _tensors = ("weight", "pos_weight")

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        **arguments: Any,
    ) -> None:
        reduction = reduction_of(type(self).__name__, reduction, size_average, reduce)
        super().__init__(**arguments, reduction=reduction)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class MSELoss(_Loss):
    """The mean of squared differences.

    >>> import onegraph as og
    >>> og.nn.MSELoss()(og.tensor([1.0, 2.0]), og.tensor([1.0, 4.0]))
    tensor(2.)
    """

    _function = "mse_loss"


class L1Loss(_Loss):
    """The mean of absolute differences."""

    _function = "l1_loss"


class SoftMarginLoss(_Loss):
    """log(1 + exp(-target * input)), for targets 1 and -1."""

    _function = "soft_margin_loss"


class MultiLabelMarginLoss(_Loss):
    """Margins between the classes that apply and those that do not."""

    _function = "multilabel_margin_loss"


class SmoothL1Loss(_Loss):
    """Squared differences below beta, absolute ones above."""

    _function = "smooth_l1_loss"

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction, beta=beta)


class HuberLoss(_Loss):
    """Squared differences below delta, absolute ones above, times delta."""

    _function = "huber_loss"

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class KLDivLoss(_Loss):
    """The Kullback-Leibler divergence; the input is log-probabilities."""

    _function = "kl_div"

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        if reduction == "batchmean" and size_average is None and reduce is None:
            super().__init__(log_target=log_target)
            self.reduction = reduction
        else:
            super().__init__(size_average, reduce, reduction, log_target=log_target)


class BCELoss(_Loss):
    """Binary cross entropy of probabilities."""

    _function = "binary_cross_entropy"

    def __init__(
        self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of sigmoid(input), without overflow."""

    _function = "binary_cross_entropy_with_logits"

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(_Loss):
    """The negative log-likelihood of classes, of log-probabilities."""

    _function = "nll_loss"

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(_Loss):
    """The negative log-likelihood of classes (or of class probabilities), of logits.

    Args:
        weight: of each class.
        ignore_index: a target that does not count.
        reduction: 'none', 'mean' or 'sum'.
        label_smoothing: part of the target spread evenly over all classes.

    >>> import onegraph as og
    >>> og.nn.CrossEntropyLoss()(og.zeros(2, 4), og.tensor([0, 3]))
    tensor(1.3863)
    """

    _function = "cross_entropy"

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            size_average, reduce, reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing
        )


class MultiLabelSoftMarginLoss(_Loss):
    """Binary cross entropy with logits, averaged over classes."""

    _function = "multilabel_soft_margin_loss"

    def __init__(
        self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)


class MultiMarginLoss(_Loss):
    """Margins between the right class and the others."""

    _function = "multi_margin_loss"

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, p=p, margin=margin, weight=weight)


class PoissonNLLLoss(_Loss):
    """The negative log-likelihood of counts with a Poisson distribution."""

    _function = "poisson_nll_loss"

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(_Loss):
    """The negative log-likelihood with a normal distribution: called with (input, target, var)."""

    _function = "gaussian_nll_loss"

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, full=full, eps=eps)


class _Margin(_Loss):
    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction, margin=margin)


class MarginRankingLoss(_Margin):
    """max(0, -target * (input1 - input2) + margin)."""

    _function = "margin_ranking_loss"


class CosineEmbeddingLoss(_Margin):
    """1 - cos for targets 1, max(0, cos - margin) for targets -1."""

    _function = "cosine_embedding_loss"


class HingeEmbeddingLoss(_Margin):
    """The input for targets 1, max(0, margin - input) for targets -1."""

    _function = "hinge_embedding_loss"

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)


class TripletMarginLoss(_Loss):
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin)."""

    _function = "triplet_margin_loss"

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(_Loss):
    """As TripletMarginLoss, with a distance of your own."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction, margin=margin, swap=swap)
        self.distance_function = functional.pairwise_distance if distance_function is None else distance_function

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """The loss of a batch of triples."""
        return functional.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
