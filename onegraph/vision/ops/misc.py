"""`torchvision.ops.misc`: parts that networks are made of. Read next: `onegraph/zoo/blocks.py`, where most of them are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph import nn, ones, permute, zeros
from onegraph.zoo.blocks import Conv2dNormActivation, SqueezeExcitation

__all__ = ["MLP", "Conv2dNormActivation", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation"]


class MLP(nn.Sequential):
    """Linear layers with activations between them, and dropout after each.

    Args:
        in_channels: features of the input.
        hidden_channels: features of each layer, the last ones those of the output.
        norm_layer: makes a normalization for a number of features, or None.
        activation_layer: makes the activation.
        inplace: given to activation and dropout where it is not None.
        bias: of the linear layers.
        dropout: probability.

    >>> import onegraph as og
    >>> MLP(4, [8, 2])(og.zeros(3, 4)).shape
    onegraph.Size([3, 2])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Callable[..., nn.Module] | None = None,
        activation_layer: Callable[..., nn.Module] = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        options: dict[str, Any] = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for place, features in enumerate(hidden_channels):
            layers.append(nn.Linear(in_channels, features, bias=bias))
            if place < len(hidden_channels) - 1:
                if norm_layer is not None:
                    layers.append(norm_layer(features))
                layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            in_channels = features
        super().__init__(*layers)


class Permute(nn.Module):
    """Axes in another order.

    >>> import onegraph as og
    >>> Permute([2, 0, 1])(og.zeros(2, 3, 4)).shape
    onegraph.Size([4, 2, 3])
    """

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        """x with its axes in the order `dims`."""
        return permute(x, self.dims)


class FrozenBatchNorm2d(nn.Module):
    """Batch normalization whose statistics and parameters never change.

    Args:
        num_features: channels.
        eps: added to the variance.

    >>> import onegraph as og
    >>> FrozenBatchNorm2d(2, eps=0.0)(og.ones(1, 2, 1, 1)).shape
    onegraph.Size([1, 2, 1, 1])
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", ones(num_features))
        self.register_buffer("bias", zeros(num_features))
        self.register_buffer("running_mean", zeros(num_features))
        self.register_buffer("running_var", ones(num_features))

    def forward(self, x: Any) -> Any:
        """(N, C, H, W) to the same shape."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def __repr__(self) -> str:
        return f"FrozenBatchNorm2d({self.weight.shape[0]}, eps={self.eps})"
