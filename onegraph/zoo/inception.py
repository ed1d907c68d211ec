"""Inception v3: windows factored into smaller and one-sided ones.

Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture for computer vision" (2015), table 1
and figures 5 to 7. Parts are named as in torchvision. Read next: `resnet.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from onegraph import cat, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.googlenet import BasicConv2d, ConvBlock, InputTransform
from onegraph.zoo.registry import network


class InceptionOutputs(NamedTuple):
    """What Inception v3 gives in training: the logits, and those of the auxiliary head."""

    logits: Tensor
    aux_logits: Tensor | None


def _pooled(x: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(nn.Module):
    """1x1, 5x5, two 3x3 and pooling side by side (figure 5). Gives 224 + pool_features channels."""

    def __init__(self, in_channels: int, pool_features: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        block = conv_block
        self.branch1x1 = block(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = block(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = block(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = block(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = block(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = block(96, 96, kernel_size=3, padding=1)
        self.branch_pool = block(in_channels, pool_features, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, 224 + pool_features, H, W)."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch1x1(x), five, three, self.branch_pool(_pooled(x))], 1)


class InceptionB(nn.Module):
    """Halves the size: 3x3, two 3x3 and pooling (figure 10). Adds 480 channels."""

    def __init__(self, in_channels: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        block = conv_block
        self.branch3x3 = block(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = block(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = block(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = block(96, 96, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, in_channels + 480, H / 2, W / 2)."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch3x3(x), three, nn.functional.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionC(nn.Module):
    """7x7 windows written as 1x7 and 7x1 (figure 6). Gives 768 channels."""

    def __init__(self, in_channels: int, channels_7x7: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        block, c = conv_block, channels_7x7
        wide: dict[str, Any] = {"kernel_size": (1, 7), "padding": (0, 3)}
        high: dict[str, Any] = {"kernel_size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = block(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = block(in_channels, c, kernel_size=1)
        self.branch7x7_2 = block(c, c, **wide)
        self.branch7x7_3 = block(c, 192, **high)
        self.branch7x7dbl_1 = block(in_channels, c, kernel_size=1)
        self.branch7x7dbl_2 = block(c, c, **high)
        self.branch7x7dbl_3 = block(c, c, **wide)
        self.branch7x7dbl_4 = block(c, c, **high)
        self.branch7x7dbl_5 = block(c, 192, **wide)
        self.branch_pool = block(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, 768, H, W)."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return cat([self.branch1x1(x), once, twice, self.branch_pool(_pooled(x))], 1)


class InceptionD(nn.Module):
    """Halves the size after the 17x17 modules. Adds 512 channels."""

    def __init__(self, in_channels: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        block = conv_block
        self.branch3x3_1 = block(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = block(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = block(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = block(192, 192, kernel_size=(1, 7), padding=(0, 3))
        self.branch7x7x3_3 = block(192, 192, kernel_size=(7, 1), padding=(3, 0))
        self.branch7x7x3_4 = block(192, 192, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, in_channels + 512, H / 2, W / 2)."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        pool = nn.functional.max_pool2d(x, kernel_size=3, stride=2)
        return cat([three, self.branch7x7x3_4(seven), pool], 1)


class InceptionE(nn.Module):
    """Branches that split once more (figure 7). Gives 2048 channels."""

    def __init__(self, in_channels: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        block = conv_block
        wide: dict[str, Any] = {"kernel_size": (1, 3), "padding": (0, 1)}
        high: dict[str, Any] = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = block(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = block(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = block(384, 384, **wide)
        self.branch3x3_2b = block(384, 384, **high)
        self.branch3x3dbl_1 = block(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = block(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = block(384, 384, **wide)
        self.branch3x3dbl_3b = block(384, 384, **high)
        self.branch_pool = block(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, 2048, H, W)."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        split = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        split += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return cat([self.branch1x1(x), *split, self.branch_pool(_pooled(x))], 1)


class InceptionAux(nn.Module):
    """The auxiliary head on top of the last 17x17 module (figure 8)."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: ConvBlock = BasicConv2d) -> None:
        super().__init__()
        self.conv0 = conv_block(in_channels, 128, kernel_size=1)
        self.conv1 = conv_block(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, 17, 17) to logits (N, num_classes)."""
        x = nn.functional.avg_pool2d(x, kernel_size=5, stride=3)
        x = nn.functional.adaptive_avg_pool2d(self.conv1(self.conv0(x)), (1, 1))
        return self.fc(x.flatten(1))


BLOCKS = (BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux)


class Inception3(InputTransform):
    """Inception v3. Takes (N, in_channels, H, W), made for 299 by 299, at least 75; gives logits (N, num_classes).

    In training, with an auxiliary head, it gives an `InceptionOutputs`.

    Args:
        num_classes: number of outputs.
        aux_logits: whether it has the auxiliary head.
        transform_input: take images normalized with ImageNet's means and deviations, as the published weights need.
        inception_blocks: seven classes instead of `BLOCKS`.
        init_weights: draw first values from a normal distribution with deviation 0.1, cut off at 2.
        dropout: probability before the last layer, in training.
        in_channels: 1 for gray images, 3 for colour.

    Raises:
        ArgumentError: there are not seven blocks.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        inception_blocks: Sequence[Any] | None = None,
        init_weights: bool | None = None,
        dropout: float = 0.5,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        blocks: tuple[Any, ...] = BLOCKS if inception_blocks is None else tuple(inception_blocks)
        if len(blocks) != 7:
            raise ArgumentError(f"Inception3: inception_blocks must be seven classes, got {len(blocks)}")
        convolution, a, b, c, d, e, auxiliary = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = convolution(in_channels, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = convolution(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = convolution(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = convolution(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = convolution(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = auxiliary(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights or init_weights is None:
            self._initialize()

    def _initialize(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                deviation = {"AuxLogits.fc": 0.001, "AuxLogits.conv1.conv": 0.01}.get(name, 0.1)
                nn.init.trunc_normal_(module.weight, 0.0, deviation, -2, 2)

    def forward(self, x: Tensor) -> Any:
        """Logits of a batch of images; in training with an auxiliary head an `InceptionOutputs`."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(self._transform_input(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x))))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        auxiliary = self.AuxLogits(x) if self.training and self.AuxLogits is not None else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        logits = self.fc(self.dropout(self.avgpool(x)).flatten(1))
        return InceptionOutputs(logits, auxiliary) if self.training and self.aux_logits else logits


def _drop_head(model: Inception3, options: Mapping[str, Any]) -> None:
    """The published weights carry the auxiliary head."""
    if not options.get("aux_logits", True):
        model.aux_logits, model.AuxLogits = False, None


@network(
    doc="Inception v3: eleven modules, one auxiliary head",
    input_size=(299, 299),
    family="Inception",
    source="Szegedy et al. 2015",
    min_size=75,
    options_with_weights={"transform_input": True, "init_weights": False},
    forced_with_weights={"aux_logits": True},
    after_weights=_drop_head,
)
def inception_v3(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> Inception3:
    """Inception v3 (Szegedy et al. 2015, table 1). Further options are those of `Inception3`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in inception_v3(aux_logits=False).parameters())
    23834568
    """
    return Inception3(num_classes, in_channels=in_channels, **options)
