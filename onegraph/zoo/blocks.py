"""Parts that several networks share: convolution with normalization and activation, squeeze-and-excitation, stochastic depth.

Names, arguments and attributes are torchvision's, so that its weights load. Read next: `mobilenet_v2.py`, which is made of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph import empty, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor

NormLayer = Callable[[int], nn.Module]
Activation = Callable[..., nn.Module]


def make_divisible(value: float, divisor: int = 8, least: int | None = None) -> int:
    """A number of channels, rounded to a multiple of a divisor, but never down by more than a tenth.

    Source: Howard et al., "Searching for MobileNetV3" (2019), and the code of MobileNetV2.

    >>> make_divisible(33), make_divisible(10)
    (32, 16)
    """
    rounded = max(least or divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class SamePadConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": a size n becomes ceil(n / stride), the odd pixel is added at the end.

    Takes the arguments of Conv2d; `padding` is not used. Weights that were trained in TensorFlow expect it.

    >>> import onegraph as og
    >>> SamePadConv2d(1, 1, 3, stride=2)(og.zeros(1, 1, 7, 8)).shape
    onegraph.Size([1, 1, 4, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        sides: list[int] = []
        for axis in (1, 0):
            stride, size = self.stride[axis], input.shape[2 + axis]
            field = (self.kernel_size[axis] - 1) * self.dilation[axis] + 1
            total = max(0, (math.ceil(size / stride) - 1) * stride + field - size)
            sides += [total // 2, total - total // 2]
        if any(sides):
            input = nn.functional.pad(input, sides)
        return nn.functional.conv2d(input, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Conv2dNormActivation(nn.Sequential):
    """A convolution, a normalization and an activation.

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size, stride, dilation: of the convolution.
        padding: by default so much that a stride of 1 keeps the size.
        groups: of the convolution.
        norm_layer: makes a normalization for a number of channels; None for none.
        activation_layer: makes the activation; None for none.
        inplace: given to the activation; None if it takes no such argument.
        bias: of the convolution; by default only where no normalization follows.
        convolution: the class of the convolution.

    >>> import onegraph as og
    >>> Conv2dNormActivation(3, 8, stride=2)(og.zeros(2, 3, 8, 8)).shape
    onegraph.Size([2, 8, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = None,
        groups: int = 1,
        norm_layer: NormLayer | None = nn.BatchNorm2d,
        activation_layer: Activation | None = nn.ReLU,
        dilation: Any = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
        convolution: type[nn.Conv2d] = nn.Conv2d,
    ) -> None:
        if padding is None:
            padding = _keeping(kernel_size, dilation)
        bias = norm_layer is None if bias is None else bias
        layers: list[nn.Module] = [
            convolution(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer() if inplace is None else activation_layer(inplace=inplace))
        super().__init__(*layers)
        self.out_channels = out_channels


def _keeping(kernel_size: Any, dilation: Any) -> Any:
    """The padding that keeps the size of images."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    count = len(dilation) if isinstance(kernel_size, int) else len(kernel_size)
    kernels = (kernel_size,) * count if isinstance(kernel_size, int) else kernel_size
    dilations = (dilation,) * count if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernels, dilations, strict=True))


class SqueezeExcitation(nn.Module):
    """Channels scaled by factors that depend on the means of all channels.

    Source: Hu, Shen, Albanie, Sun, Wu, "Squeeze-and-excitation networks" (2017), section 3.

    Args:
        input_channels: of the images.
        squeeze_channels: of the hidden layer.
        activation: makes what follows the first layer.
        scale_activation: makes what follows the second.

    >>> import onegraph as og
    >>> SqueezeExcitation(8, 2)(og.zeros(2, 8, 5, 5)).shape
    onegraph.Size([2, 8, 5, 5])
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Activation = nn.ReLU,
        scale_activation: Activation = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        """(N, input_channels, H, W) to the same shape."""
        scale = self.fc2(self.activation(self.fc1(self.avgpool(input))))
        return self.scale_activation(scale) * input


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Zero with probability p, in training; what is kept is divided by 1 - p.

    Source: Huang, Sun, Liu, Sedra, Weinberger, "Deep networks with stochastic depth" (2016), section 3.

    Args:
        input: (N, ...), the branch beside a shortcut.
        p: probability.
        mode: "row" decides for each image, "batch" for all of them together.
        training: in evaluation nothing is dropped.

    Raises:
        ArgumentError: p is no probability, or there is no such mode.
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"stochastic_depth: p must be between 0 and 1, got {p}")
    if mode not in ("batch", "row"):
        raise ArgumentError(f"stochastic_depth: mode must be 'batch' or 'row', got {mode!r}")
    if not training or p == 0:
        return input
    kept = 1 - p
    first = input.shape[0] if mode == "row" else 1
    noise = empty((first,) + (1,) * (input.ndim - 1), dtype=input.dtype).bernoulli_(kept)
    return input * (noise / kept if kept > 0 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a module.

    Args:
        p: probability.
        mode: "row" decides for each image, "batch" for all of them together.

    >>> import onegraph as og
    >>> StochasticDepth(0.5, "row").eval()(og.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        """(N, ...) to the same shape."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"StochasticDepth(p={self.p}, mode={self.mode})"


def initialize(model: nn.Module, dense: Callable[[nn.Linear], Any] | None = None) -> None:
    """First values of mobile networks: He's by the number of outputs, normalizations the identity, biases 0.

    Args:
        model: whose layers are filled.
        dense: draws the weight of a dense layer; from a normal distribution with deviation 0.01 by default.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            if dense is None:
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                dense(module)
            nn.init.zeros_(module.bias)
