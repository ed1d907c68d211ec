"""The adaptive softmax: many classes in clusters by how frequent they are, the rare ones with fewer features.

Source: Grave et al., "Efficient softmax approximation for GPUs", 2017.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.tensor import Tensor
from onegraph.nn.containers import ModuleList, Sequential
from onegraph.nn.layers import Linear
from onegraph.nn.module import Module
from onegraph.ops.shapes import show


class AdaptiveOutput(NamedTuple):
    """The logarithm of the target's probability for each sample, and the loss: minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A linear layer and a softmax over many classes, of which the frequent ones come first.

    The first cutoff bounds the classes of the head; the others are in clusters, whose features are fewer by `div_value`
    each. Every cluster is computed for every sample, so that one plan serves all targets (PyTorch computes the samples
    of each cluster only); what is saved are the narrower layers.

    Args:
        in_features: of the input.
        n_classes: how many classes.
        cutoffs: where clusters begin, increasing, between 1 and n_classes - 1.
        div_value: by which the features of each further cluster are divided.
        head_bias: whether the head has a bias.

    Attributes:
        head: Linear to the classes of the head and one number for each cluster.
        tail: for each cluster two Linear layers without bias.

    >>> import onegraph as og
    >>> layer = og.nn.AdaptiveLogSoftmaxWithLoss(16, 100, [10, 50])
    >>> output, loss = layer(og.randn(4, 16), og.tensor([3, 20, 60, 99]))
    >>> output.shape, loss.shape
    (onegraph.Size([4]), onegraph.Size([]))
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        borders = list(cutoffs)
        inside = all(int(c) == c and 0 < c < n_classes for c in borders)
        if not borders or not inside or any(a >= b for a, b in itertools.pairwise(borders)):
            raise ArgumentError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs must be increasing integers from 1 to {n_classes - 1}, got {borders}"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*borders, n_classes]
        self.shortlist_size, self.n_clusters = self.cutoffs[0], len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(itertools.pairwise(self.cutoffs)):
            narrow = int(in_features // (div_value ** (i + 1)))
            first = Linear(in_features, narrow, False, device, dtype)
            self.tail.append(Sequential(first, Linear(narrow, high - low, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveOutput:
        """Logarithms of the targets' probabilities, and the loss.

        Args:
            input_: (batch, in_features), or (in_features,).
            target_: int64 (batch,), or ().

        Raises:
            ShapeError: sizes do not fit.
            OutOfRangeError: a target that is no class, when the loss is computed.
        """
        shapes = f"AdaptiveLogSoftmaxWithLoss: input {show(input_.shape)}, target {show(target_.shape)}"
        if target_.ndim > 1 or input_.ndim != target_.ndim + 1:
            raise ShapeError(f"{shapes}: needed are (batch, features) and (batch,), or (features,) and ()")
        if target_.ndim and input_.shape[0] != target_.shape[0]:
            raise ShapeError(f"{shapes}: the batches differ")
        input, target = (input_, target_) if target_.ndim else (input_.unsqueeze(0), target_.unsqueeze(0))
        head = self.head(input).log_softmax(1)
        where = namespaces[""]["where"]
        place, output = target, None
        for i, low in enumerate(self.cutoffs[:-1]):
            is_here = target >= low
            if i < self.n_clusters - 1:
                is_here = is_here & (target < self.cutoffs[i + 1])
            own = self.tail[i](input).log_softmax(1)
            found = own.gather(1, where(is_here, target - low, 0).unsqueeze(1)).squeeze(1)
            found = where(is_here, found, 0.0)
            output = found if output is None else output + found
            place = where(is_here, self.shortlist_size + i, place)
        output = output + head.gather(1, place.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return AdaptiveOutput(output if target_.ndim else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Logarithms of the probabilities of all classes: (batch, in_features) to (batch, n_classes)."""
        head = self.head(input).log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            share = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(cluster(input).log_softmax(1) + share)
        result: Tensor = namespaces[""]["cat"](parts, 1)
        return result

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each sample: (batch, in_features) to int64 (batch,)."""
        result: Tensor = self.log_prob(input).argmax(1)
        return result
