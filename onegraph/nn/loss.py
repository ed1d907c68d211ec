"""Losses as modules. The formulas are in `onegraph/ops/loss.py`, `class_loss.py` and `metric_loss.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.nn import functional
from onegraph.nn.wrapped import Wrapped
from onegraph.ops.loss import reduction_of


class Loss(Wrapped):
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

    def forward(self, input: Any, target: Any) -> Any:
        """The loss of an input, given what it should be."""
        return self._call(input, target)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class WeightedLoss(Loss):
    """Base of losses with a weight, mostly for each class."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        **arguments: Any,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, **arguments)


class MSELoss(Loss):
    """The mean of squared differences.

    >>> import onegraph as og
    >>> og.nn.MSELoss()(og.tensor([1.0, 2.0]), og.tensor([1.0, 4.0]))
    tensor(2.)
    """

    _function = "mse_loss"


class L1Loss(Loss):
    """The mean of absolute differences."""

    _function = "l1_loss"


class SoftMarginLoss(Loss):
    """log(1 + exp(-target * input)), for targets 1 and -1."""

    _function = "soft_margin_loss"


class MultiLabelMarginLoss(Loss):
    """Margins between the classes that apply and those that do not."""

    _function = "multilabel_margin_loss"


class SmoothL1Loss(Loss):
    """Squared differences below beta, absolute ones above."""

    _function = "smooth_l1_loss"

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction, beta=beta)


class HuberLoss(Loss):
    """Squared differences below delta, absolute ones above, times delta."""

    _function = "huber_loss"

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class KLDivLoss(Loss):
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


class BCELoss(WeightedLoss):
    """Binary cross entropy of probabilities."""

    _function = "binary_cross_entropy"

    def __init__(
        self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)


class BCEWithLogitsLoss(Loss):
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


class NLLLoss(WeightedLoss):
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
        super().__init__(weight, size_average, reduce, reduction, ignore_index=ignore_index)


class CrossEntropyLoss(WeightedLoss):
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
            weight, size_average, reduce, reduction, ignore_index=ignore_index, label_smoothing=label_smoothing
        )


class NLLLoss2d(NLLLoss):
    """As `NLLLoss`; PyTorch keeps this older name for images."""


class CTCLoss(Loss):
    """Connectionist temporal classification: labels whose places in a longer sequence are unknown.

    Source: Graves et al., "Connectionist temporal classification", 2006.

    Args:
        blank: the class that stands for no label.
        reduction: 'none'; 'mean', of losses divided by target lengths; or 'sum'.
        zero_infinity: 0 in place of an infinite loss, of targets too long for their input.

    >>> import onegraph as og
    >>> log_probabilities = og.zeros(5, 1, 3).log_softmax(-1)
    >>> og.nn.CTCLoss()(log_probabilities, og.tensor([[1, 2]]), [5], [2]).item() > 0
    True
    """

    _function = "ctc_loss"

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(None, None, reduction, blank=blank, zero_infinity=zero_infinity)

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:  # type: ignore[override]
        """The loss; arguments as for `nn.functional.ctc_loss`."""
        return self._call(log_probs, targets, input_lengths, target_lengths)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross entropy with logits, averaged over classes."""

    _function = "multilabel_soft_margin_loss"

    def __init__(
        self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)


class MultiMarginLoss(WeightedLoss):
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
        super().__init__(weight, size_average, reduce, reduction, p=p, margin=margin)


class PoissonNLLLoss(Loss):
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

    def forward(self, log_input: Any, target: Any) -> Any:  # type: ignore[override]
        """The loss of rates (or of their logarithms), given counts."""
        return self._call(log_input, target)


class GaussianNLLLoss(Loss):
    """The negative log-likelihood with a normal distribution: called with (input, target, var)."""

    _function = "gaussian_nll_loss"

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, full=full, eps=eps)

    def forward(self, input: Any, target: Any, var: Any) -> Any:  # type: ignore[override]
        """The loss of means and variances, given what was seen."""
        return self._call(input, target, var)


class _Margin(Loss):
    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction, margin=margin)


class MarginRankingLoss(_Margin):
    """max(0, -target * (input1 - input2) + margin)."""

    _function = "margin_ranking_loss"

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:  # type: ignore[override]
        """The loss of pairs of which the first should rank higher (1) or lower (-1)."""
        return self._call(input1, input2, target)


class CosineEmbeddingLoss(_Margin):
    """1 - cos for targets 1, max(0, cos - margin) for targets -1."""

    _function = "cosine_embedding_loss"

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:  # type: ignore[override]
        """The loss of pairs that belong together (1) or not (-1)."""
        return self._call(input1, input2, target)


class HingeEmbeddingLoss(_Margin):
    """The input for targets 1, max(0, margin - input) for targets -1."""

    _function = "hinge_embedding_loss"

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)


class TripletMarginLoss(Loss):
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

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:  # type: ignore[override]
        """The loss of an anchor, something like it and something else."""
        return self._call(anchor, positive, negative)


class TripletMarginWithDistanceLoss(Loss):
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

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:  # type: ignore[override]
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
