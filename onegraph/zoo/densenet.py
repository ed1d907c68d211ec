"""DenseNets: every layer sees what all layers before it gave.

Source: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks" (2016): table 1 for ImageNet,
section 3 ("Implementation Details") for CIFAR. Parts are named as in torchvision. Read next: `squeezenet.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from onegraph import cat, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.utils.checkpoint import checkpoint
from onegraph.zoo.registry import network


class DenseLayer(nn.Module):
    """Normalization, ReLU and convolution, twice: 1x1 to a few channels (the bottleneck) and 3x3 to the new ones.

    Args:
        num_input_features: channels of all that came before.
        growth_rate: channels that it adds.
        bn_size: channels of the bottleneck, in growth rates; 0 for one 3x3 convolution alone.
        drop_rate: probability of dropout of the new channels, in training.
        memory_efficient: compute what the bottleneck needs again in the backward pass instead of keeping it.
    """

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.bottleneck = bn_size > 0
        if self.bottleneck:
            self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
            self.relu2 = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(num_input_features, growth_rate, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def _first(self, *features: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(cat(features, 1) if len(features) > 1 else features[0])))

    def forward(self, input: Tensor | Sequence[Tensor]) -> Tensor:
        """All that came before (one tensor or several) to the new channels, (N, growth_rate, H, W)."""
        features = [input] if isinstance(input, Tensor) else list(input)
        if self.memory_efficient and any(f.requires_grad for f in features):
            new = checkpoint(self._first, *features, use_reentrant=False)
        else:
            new = self._first(*features)
        if self.bottleneck:
            new = self.conv2(self.relu2(self.norm2(new)))
        return nn.functional.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new


class DenseBlock(nn.ModuleDict):
    """Layers that each add `growth_rate` channels; the other arguments are those of `DenseLayer`."""

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            inputs = num_input_features + i * growth_rate
            layer = DenseLayer(inputs, growth_rate, bn_size, drop_rate, memory_efficient)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features: Tensor) -> Tensor:
        """(N, num_input_features, H, W) to (N, num_input_features + num_layers * growth_rate, H, W)."""
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class Transition(nn.Sequential):
    """Between blocks: fewer channels by a 1x1 convolution, half the size by pooling."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


def _initialize(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


class _Dense(nn.Module):
    """Base: blocks with transitions between them, then normalization and a dense layer."""

    features: nn.Sequential
    classifier: nn.Linear

    def _add_blocks(
        self, counts: Sequence[int], channels: int, compression: float, num_classes: int, *layer: Any
    ) -> None:
        bn_size, growth_rate, drop_rate, memory_efficient = layer
        for i, count in enumerate(counts):
            block = DenseBlock(count, channels, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += count * growth_rate
            if i != len(counts) - 1:
                kept = int(channels * compression)
                self.features.add_module(f"transition{i + 1}", Transition(channels, kept))
                channels = kept
        self.features.add_module(f"norm{len(counts) + 1}", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of a batch of images."""
        x = nn.functional.relu(self.features(x), inplace=True)
        return self.classifier(nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class DenseNet(_Dense):
    """A DenseNet-BC for ImageNet. Takes (N, in_channels, H, W), H and W at least 29; gives logits (N, num_classes).

    Args:
        growth_rate: channels that each layer adds (k in the paper).
        block_config: number of layers of each block.
        num_init_features: channels of the first convolution.
        bn_size: channels of a layer's bottleneck, in growth rates.
        drop_rate: probability of dropout after each layer, in training.
        num_classes: number of outputs.
        memory_efficient: keep less for the backward pass and compute it again (Pleiss et al. 2017).
        in_channels: 1 for gray images, 3 for colour.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        first = nn.Conv2d(in_channels, num_init_features, 7, stride=2, padding=3, bias=False)
        stem = [("conv0", first), ("norm0", nn.BatchNorm2d(num_init_features)), ("relu0", nn.ReLU(inplace=True))]
        self.features = nn.Sequential(OrderedDict([*stem, ("pool0", nn.MaxPool2d(3, 2, 1))]))
        layer = (bn_size, growth_rate, drop_rate, memory_efficient)
        self._add_blocks(block_config, num_init_features, 0.5, num_classes, *layer)


class CifarDenseNet(_Dense):
    """A DenseNet for 32 by 32 images: three blocks. Takes (N, in_channels, 32, 32), gives logits (N, num_classes).

    Args:
        depth: number of layers, L in the paper: 3n+4, with bottlenecks 6n+4.
        growth_rate: channels that each layer adds (k in the paper).
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        bottleneck: whether layers begin with a 1x1 convolution to four growth rates (the B in BC).
        compression: the part of the channels that a transition keeps (below 1 is the C in BC).
        drop_rate: probability of dropout after each layer; the paper has 0.2 where data are not augmented.
        memory_efficient: keep less for the backward pass and compute it again.

    Raises:
        ArgumentError: no number of layers for each block gives this depth.
    """

    def __init__(
        self,
        depth: int = 250,
        growth_rate: int = 24,
        num_classes: int = 10,
        in_channels: int = 3,
        bottleneck: bool = True,
        compression: float = 0.5,
        drop_rate: float = 0.0,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        each = 6 if bottleneck else 3
        if depth < each + 4 or (depth - 4) % each:
            raise ArgumentError(f"CifarDenseNet: depth must be {each}n+4, got {depth}")
        # Section 3: 16 channels first, for DenseNet-BC two growth rates.
        channels = 2 * growth_rate if bottleneck and compression < 1 else 16
        first = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.features = nn.Sequential(OrderedDict([("conv0", first)]))
        layer = (4 if bottleneck else 0, growth_rate, drop_rate, memory_efficient)
        self._add_blocks([(depth - 4) // each] * 3, channels, compression, num_classes, *layer)


_ABOUT: dict[str, Any] = {"input_size": (224, 224), "family": "DenseNet", "source": "Huang et al. 2016", "min_size": 29}


@network(doc="DenseNet-121: blocks of 6, 12, 24, 16 layers, growth 32", **_ABOUT)
def densenet121(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """DenseNet-121 (Huang et al. 2016, table 1). Further options are those of `DenseNet`.

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.

    >>> sum(p.numel() for p in densenet121().parameters())
    7978856
    """
    return DenseNet(32, (6, 12, 24, 16), 64, num_classes=num_classes, in_channels=in_channels, **options)


@network(doc="DenseNet-161: blocks of 6, 12, 36, 24 layers, growth 48", **_ABOUT)
def densenet161(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """DenseNet-161 (Huang et al. 2016, figure 3). Further options are those of `DenseNet`."""
    return DenseNet(48, (6, 12, 36, 24), 96, num_classes=num_classes, in_channels=in_channels, **options)


@network(doc="DenseNet-169: blocks of 6, 12, 32, 32 layers, growth 32", **_ABOUT)
def densenet169(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """DenseNet-169 (Huang et al. 2016, table 1). Further options are those of `DenseNet`."""
    return DenseNet(32, (6, 12, 32, 32), 64, num_classes=num_classes, in_channels=in_channels, **options)


@network(doc="DenseNet-201: blocks of 6, 12, 48, 32 layers, growth 32", **_ABOUT)
def densenet201(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """DenseNet-201 (Huang et al. 2016, table 1). Further options are those of `DenseNet`."""
    return DenseNet(32, (6, 12, 48, 32), 64, num_classes=num_classes, in_channels=in_channels, **options)


_CIFAR: dict[str, Any] = {
    "input_size": (32, 32),
    "num_classes": 10,
    "family": "DenseNet for CIFAR",
    "source": "Huang et al. 2016",
    "min_size": 8,
}


@network(doc="DenseNet for CIFAR-10: 40 layers, growth 12", **_CIFAR)
def densenet40(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarDenseNet:
    """DenseNet with L=40, k=12 for CIFAR-10, 1.0 million parameters (Huang et al. 2016, table 2).

    Args:
        num_classes: number of outputs.
        in_channels: 1 for gray images, 3 for colour.
        options: further arguments of `CifarDenseNet`.
    """
    plain = {"depth": 40, "growth_rate": 12, "bottleneck": False, "compression": 1.0, **options}
    return CifarDenseNet(num_classes=num_classes, in_channels=in_channels, **plain)


@network(doc="DenseNet-BC for CIFAR-10: 100 layers, growth 12", **_CIFAR)
def densenet_bc100(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarDenseNet:
    """DenseNet-BC with L=100, k=12 for CIFAR-10, 0.8 million parameters (Huang et al. 2016, table 2)."""
    return CifarDenseNet(100, 12, num_classes, in_channels, **options)


@network(doc="DenseNet-BC for CIFAR-10: 250 layers, growth 24", **_CIFAR)
def densenet_bc250(num_classes: int = 10, in_channels: int = 3, **options: Any) -> CifarDenseNet:
    """DenseNet-BC with L=250, k=24 for CIFAR-10, 15.3 million parameters (Huang et al. 2016, table 2)."""
    return CifarDenseNet(250, 24, num_classes, in_channels, **options)
