"""Linear layers, and layers that rearrange: Linear, Bilinear, Flatten, PixelShuffle, Upsample, ..."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.tensor import Device
from onegraph.nn import functional, init
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.nn.state import full
from onegraph.nn.wrapped import Wrapped
from onegraph.ops.random import floating_dtype


def new_parameter(layer: str, *shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter of a shape, to be filled by `reset_parameters`."""
    Device(device or "cpu")
    if not all(isinstance(s, Integral) for s in shape):
        raise ArgumentTypeError(f"{layer}: sizes must be whole numbers, got {shape}")
    if any(s < 0 for s in shape):
        raise ArgumentError(f"{layer}: sizes must not be negative, got {shape}")
    return Parameter(full(shape, 0, floating_dtype(layer, dtype)))


class Identity(Module):
    """Gives its input back; takes any arguments and ignores them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Linear(Module):
    """x @ weight.T + bias.

    Args:
        in_features: size of the input's last dimension.
        out_features: size of the result's.
        bias: whether to add one.

    Attributes:
        weight: (out_features, in_features), drawn evenly from [-k, k], k = 1 / sqrt(in_features).
        bias: (out_features,), drawn likewise.

    >>> import onegraph as og
    >>> og.nn.Linear(20, 30)(og.ones(128, 20)).shape
    onegraph.Size([128, 30])
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = new_parameter("Linear", out_features, in_features, device=device, dtype=dtype)
        self.register_parameter("bias", new_parameter("Linear", out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        """(..., in_features) to (..., out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear layer; PyTorch has this class so that its quantization leaves the layer alone."""


class Bilinear(Module):
    """x1.T @ weight[o] @ x2 + bias[o] for every output o.

    Args:
        in1_features, in2_features: sizes of the inputs' last dimensions.
        out_features: size of the result's.
        bias: whether to add one.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentError(f"Bilinear: in1_features must be positive, got {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = new_parameter("Bilinear", out_features, in1_features, in2_features, device=device, dtype=dtype)
        self.register_parameter("bias", new_parameter("Bilinear", out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        """(..., in1_features) and (..., in2_features) to (..., out_features)."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """Several dimensions made one; by default all but the first.

    >>> import onegraph as og
    >>> og.nn.Flatten()(og.ones(2, 3, 4)).shape
    onegraph.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Any:
        """The input with fewer dimensions."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One dimension made several."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        """The input with more dimensions."""
        dim = self.dim % input.ndim
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])

    def extra_repr(self) -> str:
        """The sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Wrapped):
    """Channels moved into space: (..., c * r * r, h, w) becomes (..., c, h * r, w * r)."""

    _function = "pixel_shuffle"

    def __init__(self, upscale_factor: int) -> None:
        super().__init__(upscale_factor=upscale_factor)


class PixelUnshuffle(Wrapped):
    """Space moved into channels, the inverse of PixelShuffle."""

    _function = "pixel_unshuffle"

    def __init__(self, downscale_factor: int) -> None:
        super().__init__(downscale_factor=downscale_factor)


class ChannelShuffle(Wrapped):
    """Channels of `groups` groups interleaved."""

    _function = "channel_shuffle"

    def __init__(self, groups: int) -> None:
        super().__init__(groups=groups)


class Fold(Wrapped):
    """Columns added up where their windows lie, the transpose of Unfold."""

    _function = "fold"

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__(
            output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
        )


class Unfold(Wrapped):
    """Every window of images as one column."""

    _function = "unfold"

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)


class CosineSimilarity(Wrapped):
    """The cosine of the angle between vectors along a dimension."""

    _function = "cosine_similarity"

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__(dim=dim, eps=eps)

    def forward(self, x1: Any, x2: Any) -> Any:  # type: ignore[override]
        """The function of two tensors."""
        return self._call(x1, x2)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class PairwiseDistance(Wrapped):
    """The p-norm of the difference of vectors."""

    _function = "pairwise_distance"

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p=p, eps=eps, keepdim=keepdim)

    def forward(self, x1: Any, x2: Any) -> Any:  # type: ignore[override]
        """The function of two tensors."""
        return self._call(x1, x2)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class Upsample(Wrapped):
    """Images (or sequences, or volumes) resized.

    Args:
        size: of the result.
        scale_factor: size of the result over that of the input, instead of `size`.
        mode: 'nearest', 'linear', 'bilinear', 'bicubic' or 'trilinear'.
        align_corners: whether the centers of the corner pixels are kept.
    """

    _function = "interpolate"

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__(
            size=size,
            scale_factor=scale_factor,
            mode=mode,
            align_corners=align_corners,
            recompute_scale_factor=recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """The size and the mode."""
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Images resized by the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Images resized linearly, corner pixels kept."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
