"""Residual networks for ImageNet: ResNet, ResNeXt and wide ResNet.

Sources: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2015), table 1 and figure 5; Xie et al.,
"Aggregated residual transformations for deep neural networks" (2016), table 1; Zagoruyko and Komodakis, "Wide residual
networks" (2016). As in the published PyTorch weights, the stride of a bottleneck is in its 3x3 convolution; the paper
has it in the first 1x1 convolution. Parts are named as in torchvision. Read next: `resnet_cifar.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network

PAPER = "He et al. 2015"


def conv3x3(inputs: int, outputs: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps the size, but for its stride."""
    return nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them (figure 5, left).

    Args:
        inplanes: channels that come in.
        planes: channels of both convolutions.
        stride: of the first convolution.
        downsample: what the shortcut does; None for the identity.
        groups, base_width, dilation: 1, 64 and 1; there for the sake of `Bottleneck`.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.

    Raises:
        UnsupportedError: it has no groups and no dilation.
    """

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if (groups, base_width, dilation) != (1, 64, 1):
            raise UnsupportedError(
                f"BasicBlock has groups=1, base_width=64 and dilation=1, got {groups}, {base_width} and {dilation}",
                hint="use a network of bottlenecks, such as resnet50",
            )
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, inplanes, H, W) to (N, planes, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut around them (figure 5, right).

    Args:
        inplanes: channels that come in.
        planes: channels of the 3x3 convolution; the block gives four times as many.
        stride: of the 3x3 convolution.
        downsample: what the shortcut does; None for the identity.
        groups: of the 3x3 convolution (ResNeXt).
        base_width: channels of a group when planes is 64.
        dilation: of the 3x3 convolution.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, inplanes, H, W) to (N, 4 * planes, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """A residual network of four stages. Takes (N, in_channels, H, W), gives logits (N, num_classes).

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: number of blocks of each stage.
        num_classes: number of outputs.
        zero_init_residual: start each block as the identity: the last normalization of a block starts as 0
            (Goyal et al. 2017, section 5.1).
        groups, width_per_group: of the 3x3 convolutions (ResNeXt: 32 groups of 4).
        replace_stride_with_dilation: for each of the last three stages, whether to dilate instead of halving the size.
        norm_layer: makes a normalization for a number of channels; BatchNorm2d by default.
        in_channels: 1 for gray images, 3 for colour.
        small_images: begin with a 3x3 convolution of stride 1 and no pooling, for images of about 32 by 32.
        channels: of the first stage; each further stage has twice as many.

    Raises:
        ArgumentError: `replace_stride_with_dilation` has not three values.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Callable[[int], nn.Module] | None = None,
        in_channels: int = 3,
        small_images: bool = False,
        channels: int = 64,
    ) -> None:
        super().__init__()
        dilate = (False, False, False) if replace_stride_with_dilation is None else replace_stride_with_dilation
        if len(dilate) != 3:
            raise ArgumentError(
                f"ResNet: replace_stride_with_dilation needs one value for each of three stages, got {dilate}"
            )
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = channels, 1, groups, width_per_group
        kernel, stride = (3, 1) if small_images else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)
        self.bn1 = self._norm_layer(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._stage(block, channels, layers[0], 1, False)
        self.layer2 = self._stage(block, channels * 2, layers[1], 2, dilate[0])
        self.layer3 = self._stage(block, channels * 4, layers[2], 2, dilate[1])
        self.layer4 = self._stage(block, channels * 8, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels * 8 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _stage(
        self, block: type[BasicBlock | Bottleneck], planes: int, count: int, stride: int, dilate: bool
    ) -> nn.Sequential:
        first_dilation = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        outputs, downsample = planes * block.expansion, None
        if stride != 1 or self.inplanes != outputs:
            downsample = nn.Sequential(conv1x1(self.inplanes, outputs, stride), self._norm_layer(outputs))
        groups, width = self.groups, self.base_width
        blocks = [block(self.inplanes, planes, stride, downsample, groups, width, first_dilation, self._norm_layer)]
        for _ in range(1, count):
            blocks.append(block(outputs, planes, 1, None, groups, width, self.dilation, self._norm_layer))
        self.inplanes = outputs
        return nn.Sequential(*blocks)

    def _initialize(self, zero_init_residual: bool) -> None:
        """He's initialization of convolutions, by the number of outputs; normalizations start as the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
        for module in self.modules() if zero_init_residual else ():
            if isinstance(module, (BasicBlock, Bottleneck)):
                last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                if last.weight is not None:
                    nn.init.constant_(last.weight, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _about(doc: str, source: str = PAPER) -> dict[str, Any]:
    return {"doc": doc, "input_size": (224, 224), "family": "ResNet", "source": source}


@network(**_about("ResNet-18: basic blocks 2, 2, 2, 2"))
def resnet18(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNet-18 (He et al. 2015, table 1). Further options are those of `ResNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> import onegraph as og
    >>> resnet18(num_classes=10).eval()(og.zeros(1, 3, 32, 32)).shape
    onegraph.Size([1, 10])
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels=in_channels, **options)


@network(**_about("ResNet-34: basic blocks 3, 4, 6, 3"))
def resnet34(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNet-34 (He et al. 2015, table 1). Further options are those of `ResNet`."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, in_channels=in_channels, **options)


@network(**_about("ResNet-50: bottlenecks 3, 4, 6, 3"))
def resnet50(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNet-50 (He et al. 2015, table 1). Further options are those of `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, in_channels=in_channels, **options)


@network(**_about("ResNet-101: bottlenecks 3, 4, 23, 3"))
def resnet101(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNet-101 (He et al. 2015, table 1). Further options are those of `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, in_channels=in_channels, **options)


@network(**_about("ResNet-152: bottlenecks 3, 8, 36, 3"))
def resnet152(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNet-152 (He et al. 2015, table 1). Further options are those of `ResNet`."""
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, in_channels=in_channels, **options)


def _wider(counts: Sequence[int], groups: int, width: int, **options: Any) -> ResNet:
    return ResNet(Bottleneck, counts, **{"groups": groups, "width_per_group": width, **options})


@network(**_about("ResNeXt-50: bottlenecks of 32 groups of 4 channels", "Xie et al. 2016"))
def resnext50_32x4d(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNeXt-50 32x4d (Xie et al. 2016, table 1). Further options are those of `ResNet`."""
    return _wider((3, 4, 6, 3), 32, 4, num_classes=num_classes, in_channels=in_channels, **options)


@network(**_about("ResNeXt-101: bottlenecks of 32 groups of 8 channels", "Xie et al. 2016"))
def resnext101_32x8d(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNeXt-101 32x8d (Xie et al. 2016, section 4). Further options are those of `ResNet`."""
    return _wider((3, 4, 23, 3), 32, 8, num_classes=num_classes, in_channels=in_channels, **options)


@network(**_about("ResNeXt-101: bottlenecks of 64 groups of 4 channels", "Xie et al. 2016"))
def resnext101_64x4d(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """ResNeXt-101 64x4d (Xie et al. 2016, section 5.1). Further options are those of `ResNet`."""
    return _wider((3, 4, 23, 3), 64, 4, num_classes=num_classes, in_channels=in_channels, **options)


@network(**_about("wide ResNet-50-2: the 3x3 convolutions are twice as wide", "Zagoruyko and Komodakis 2016"))
def wide_resnet50_2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Wide ResNet-50-2 (Zagoruyko and Komodakis 2016, section 3.4). Further options are those of `ResNet`."""
    return _wider((3, 4, 6, 3), 1, 128, num_classes=num_classes, in_channels=in_channels, **options)


@network(**_about("wide ResNet-101-2: the 3x3 convolutions are twice as wide", "Zagoruyko and Komodakis 2016"))
def wide_resnet101_2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Wide ResNet-101-2 (Zagoruyko and Komodakis 2016). Further options are those of `ResNet`."""
    return _wider((3, 4, 23, 3), 1, 128, num_classes=num_classes, in_channels=in_channels, **options)
