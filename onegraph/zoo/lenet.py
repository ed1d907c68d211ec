"""LeNet-5, the convolutional network that read bank cheques.

Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proceedings of the
IEEE 86 (1998), section II.B. What became usual since then is different here: average pooling has no weights of its own,
C3 looks at all six maps of S2, and the ten outputs are logits. Read next: `mlp.py`.
"""

from __future__ import annotations

from onegraph import nn
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


class LeNet5(nn.Module):
    """LeNet-5: C1, S2, C3, S4, C5, F6 and the output layer, named as in the paper.

    Takes float images of shape (N, in_channels, 32, 32) and gives logits of shape (N, num_classes).

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)  # 32x32 -> 28x28
        self.s2 = nn.AvgPool2d(2)  # -> 14x14
        self.c3 = nn.Conv2d(6, 16, 5)  # -> 10x10
        self.s4 = nn.AvgPool2d(2)  # -> 5x5
        self.c5 = nn.Linear(16 * 5 * 5, 120)  # a 5x5 convolution of a 5x5 image is a dense layer
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.s2(self.c1(x).tanh())
        x = self.s4(self.c3(x).tanh())
        x = self.c5(x.flatten(1)).tanh()
        return self.output(self.f6(x).tanh())


@network(
    doc="LeNet-5: two convolutions, three dense layers",
    input_size=(32, 32),
    num_classes=10,
    in_channels=1,
    family="LeNet",
    source="LeCun et al. 1998",
)
def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """LeNet-5 for 32 by 32 images.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> import onegraph as og
    >>> model = lenet5()
    >>> sum(p.numel() for p in model.parameters())
    61706
    >>> model(og.zeros(2, 1, 32, 32)).shape
    onegraph.Size([2, 10])
    """
    return LeNet5(num_classes, in_channels)
