"""A plain multilayer perceptron: the simplest thing to train, and something to compare convolutions with.

Read next: `lenet.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from onegraph import nn
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


class MLP(nn.Module):
    """Dense layers with ReLU between them. Takes (N, C, H, W), gives logits of shape (N, num_classes).

    Args:
        num_classes: number of outputs.
        in_channels: channels of the images.
        size: their (height, width).
        hidden: sizes of the hidden layers.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        size: tuple[int, int] = (32, 32),
        hidden: Sequence[int] = (256, 128),
    ) -> None:
        super().__init__()
        widths = [in_channels * size[0] * size[1], *hidden]
        self.hidden = nn.ModuleList([nn.Linear(before, after) for before, after in itertools.pairwise(widths)])
        self.output = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = x.flatten(1)
        for layer in self.hidden:
            x = layer(x).relu()
        return self.output(x)


@network(
    doc="two hidden dense layers with ReLU",
    input_size=(32, 32),
    num_classes=10,
    in_channels=1,
    family="Perceptron",
    source="Rumelhart et al. 1986",
)
def mlp(
    num_classes: int = 10,
    in_channels: int = 1,
    size: tuple[int, int] = (32, 32),
    hidden: Sequence[int] = (256, 128),
) -> MLP:
    """A multilayer perceptron; see `MLP` for the arguments.

    >>> import onegraph as og
    >>> mlp(num_classes=3)(og.zeros(2, 1, 32, 32)).shape
    onegraph.Size([2, 3])
    """
    return MLP(num_classes, in_channels, size, hidden)
