"""GoogLeNet: Inception modules, with two auxiliary heads that help in training.

Source: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going deeper with convolutions" (2014),
table 1, figure 2b and section 5. As in torchvision, convolutions are followed by batch normalization, and what the paper
calls 5x5 is 3x3; `original=True` gives the paper's network: no batch normalization, local response normalization, 5x5.
Parts are named as in torchvision. Read next: `inception.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from onegraph import cat, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.alexnet import local_response_norm
from onegraph.zoo.registry import network

ConvBlock = Callable[..., nn.Module]


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet gives in training: the logits, and those of the two auxiliary heads."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class BasicConv2d(nn.Module):
    """A convolution without bias, batch normalization and ReLU; further arguments are those of Conv2d."""

    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **options)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        return nn.functional.relu(self.bn(self.conv(x)), inplace=True)


class PlainConv2d(nn.Module):
    """A convolution with bias, and ReLU; further arguments are those of Conv2d."""

    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, **options)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        return nn.functional.relu(self.conv(x), inplace=True)


class Inception(nn.Module):
    """Four branches side by side: 1x1, 3x3, 5x5 and pooling (figure 2b).

    Args:
        in_channels: channels that come in.
        ch1x1: of the first branch.
        ch3x3red, ch3x3: of the 1x1 and the 3x3 convolution of the second.
        ch5x5red, ch5x5: of the 1x1 and the second convolution of the third.
        pool_proj: of the fourth.
        conv_block: makes a convolution.
        window: of the third branch's second convolution: 5 in the paper, 3 in torchvision.
    """

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: ConvBlock = BasicConv2d,
        window: int = 3,
    ) -> None:
        super().__init__()
        block = conv_block
        self.branch1 = block(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            block(in_channels, ch3x3red, kernel_size=1), block(ch3x3red, ch3x3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            block(in_channels, ch5x5red, kernel_size=1),
            block(ch5x5red, ch5x5, kernel_size=window, padding=window // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), block(in_channels, pool_proj, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W)."""
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """An auxiliary head: pooling to 4x4, a 1x1 convolution, two dense layers (section 5).

    Args:
        in_channels: channels that come in.
        num_classes: number of outputs.
        conv_block: makes the convolution.
        dropout: probability before the last layer, in training.
    """

    def __init__(
        self, in_channels: int, num_classes: int, conv_block: ConvBlock = BasicConv2d, dropout: float = 0.7
    ) -> None:
        super().__init__()
        self.conv = conv_block(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to logits (N, num_classes)."""
        x = self.conv(nn.functional.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(nn.functional.relu(self.fc1(x), inplace=True)))


class InputTransform(nn.Module):
    """Base of networks whose published weights take images as (x - 0.5) / 0.5.

    With `transform_input`, images that were normalized with ImageNet's means and deviations are turned into that.
    """

    transform_input: bool

    def _transform_input(self, x: Tensor) -> Tensor:
        if not self.transform_input:
            return x
        means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        changed = [x[:, i : i + 1] * (deviations[i] / 0.5) + (means[i] - 0.5) / 0.5 for i in range(3)]
        return cat(changed, 1)


# Channels of each module, in the order of `Inception`'s arguments (table 1).
MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(InputTransform):
    """GoogLeNet. Takes (N, in_channels, H, W), H and W at least 15; gives logits (N, num_classes).

    In training, with auxiliary heads, it gives a `GoogLeNetOutputs`; the paper adds 0.3 times the loss of each head.

    Args:
        num_classes: number of outputs.
        aux_logits: whether it has auxiliary heads.
        transform_input: take images normalized with ImageNet's means and deviations, as the published weights need.
        init_weights: draw first values from a normal distribution with deviation 0.01, cut off at 2.
        blocks: classes of convolutions, Inception modules and auxiliary heads, instead of those above.
        dropout: probability before the last layer, in training.
        dropout_aux: that of the auxiliary heads.
        in_channels: 1 for gray images, 3 for colour.
        original: the paper's network: no batch normalization, local response normalization, 5x5 windows.

    Raises:
        ArgumentError: there are not three blocks.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        blocks: Sequence[Callable[..., nn.Module]] | None = None,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        in_channels: int = 3,
        original: bool = False,
    ) -> None:
        super().__init__()
        convolution, module, auxiliary = self._blocks(blocks, original)
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = convolution(in_channels, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm1 = local_response_norm() if original else nn.Identity()
        self.conv2 = convolution(64, 64, kernel_size=1)
        self.conv3 = convolution(64, 192, kernel_size=3, padding=1)
        self.norm2 = local_response_norm() if original else nn.Identity()
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = module(*MODULES["3a"])
        self.inception3b = module(*MODULES["3b"])
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = module(*MODULES["4a"])
        self.inception4b = module(*MODULES["4b"])
        self.inception4c = module(*MODULES["4c"])
        self.inception4d = module(*MODULES["4d"])
        self.inception4e = module(*MODULES["4e"])
        self.maxpool4 = nn.MaxPool2d(3 if original else 2, stride=2, ceil_mode=True)
        self.inception5a = module(*MODULES["5a"])
        self.inception5b = module(*MODULES["5b"])
        self.aux1 = auxiliary(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = auxiliary(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights or init_weights is None:
            for part in self.modules():
                if isinstance(part, (nn.Conv2d, nn.Linear)):
                    nn.init.trunc_normal_(part.weight, 0.0, 0.01, -2, 2)

    @staticmethod
    def _blocks(blocks: Sequence[Callable[..., nn.Module]] | None, original: bool) -> tuple[Any, Any, Any]:
        if blocks is None and original:
            module = functools.partial(Inception, conv_block=PlainConv2d, window=5)
            return PlainConv2d, module, functools.partial(InceptionAux, conv_block=PlainConv2d)
        found = (BasicConv2d, Inception, InceptionAux) if blocks is None else tuple(blocks)
        if len(found) != 3:
            raise ArgumentError(f"GoogLeNet: blocks must be three classes, got {len(found)}")
        return found

    def forward(self, x: Tensor) -> Any:
        """Logits of a batch of images; in training with auxiliary heads a `GoogLeNetOutputs`."""
        x = self.norm1(self.maxpool1(self.conv1(self._transform_input(x))))
        x = self.maxpool2(self.norm2(self.conv3(self.conv2(x))))
        x = self.inception4a(self.maxpool3(self.inception3b(self.inception3a(x))))
        first = self.aux1(x) if self.training and self.aux1 is not None else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        second = self.aux2(x) if self.training and self.aux2 is not None else None
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(x))))
        logits = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return GoogLeNetOutputs(logits, second, first) if self.training and self.aux_logits else logits


def _drop_heads(model: GoogLeNet, options: Mapping[str, Any]) -> None:
    """The published weights carry auxiliary heads, which nobody needs who does not ask for them."""
    if not options.get("aux_logits", False):
        model.aux_logits, model.aux1, model.aux2 = False, None, None


@network(
    doc="GoogLeNet: nine Inception modules, two auxiliary heads",
    input_size=(224, 224),
    family="Inception",
    source="Szegedy et al. 2014",
    min_size=15,
    options_with_weights={"transform_input": True, "init_weights": False},
    forced_with_weights={"aux_logits": True},
    after_weights=_drop_heads,
)
def googlenet(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> GoogLeNet:
    """GoogLeNet (Szegedy et al. 2014, table 1). Further options are those of `GoogLeNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in googlenet(aux_logits=False).parameters())
    6624904
    >>> sum(p.numel() for p in googlenet(aux_logits=False, original=True).parameters())
    6998552
    """
    return GoogLeNet(num_classes, in_channels=in_channels, **options)
