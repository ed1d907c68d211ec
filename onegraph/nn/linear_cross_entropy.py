"""A linear layer and cross entropy as one loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.nn import functional
from onegraph.nn.layers import Linear
from onegraph.nn.loss import WeightedLoss
from onegraph.ops.shapes import show


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch computes the loss in pieces; accepted, for the compiler plans the memory itself."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(WeightedLoss):
    """Cross entropy of the logits that a linear layer gives.

    Args:
        in_features: of the input.
        num_classes: how many classes.
        out_features: sizes of further dimensions of the logits and of the target.
        bias: whether the linear layer has one.
        reduction: 'none', 'mean' or 'sum'.
        weight: (num_classes,): of each class.
        ignore_index: a target that does not count; -100 when None.
        label_smoothing: part of the target spread evenly over all classes.
        options: accepted, see `LinearCrossEntropyOptions`.

    Attributes:
        linear: the layer.

    >>> import onegraph as og
    >>> og.nn.LinearCrossEntropyLoss(8, 5)(og.randn(4, 8), og.tensor([0, 1, 2, 4])).shape
    onegraph.Size([])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(f"LinearCrossEntropyLoss: weight must be ({num_classes},), got {show(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise ArgumentError(f"LinearCrossEntropyLoss: label_smoothing must be from 0 to 1, got {label_smoothing}")
        super().__init__(weight, None, None, reduction)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        self.linear = Linear(in_features, math.prod(self.out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Any, target: Any) -> Any:
        """(batch, in_features) and targets (batch, *out_features) to the loss."""
        sizes, bias = (self.num_classes, *self.out_features), self.linear.bias
        return functional.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*sizes, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(sizes),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """The settings."""
        shown = {
            "in_features": self.linear.in_features,
            "num_classes": self.num_classes,
            "out_features": self.out_features,
            "bias": self.linear.bias is not None,
            "reduction": self.reduction,
            "ignore_index": self.ignore_index,
            "label_smoothing": self.label_smoothing,
            "options": self.options,
        }
        return ", ".join(f"{name}={value}" for name, value in shown.items())
