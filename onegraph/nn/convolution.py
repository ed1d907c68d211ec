"""Convolution layers. The formulas are in `onegraph/ops/convolution_functions.py`."""

from __future__ import annotations

import math
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.nn import functional, init
from onegraph.nn.layers import new_parameter
from onegraph.nn.module import Module


def _each(value: Any, dimensions: int) -> tuple[int, ...]:
    return (value,) * dimensions if isinstance(value, int) else tuple(value)


class Convolution(Module):
    """Base: sizes, weight and bias."""

    _dimensions = 1
    _transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self._dimensions
        self._check(name, in_channels, out_channels, groups, padding_mode)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = _each(kernel_size, n), _each(stride, n), _each(dilation, n)
        for what, sizes in (("kernel_size", self.kernel_size), ("stride", self.stride), ("dilation", self.dilation)):
            if any(size < 1 for size in sizes):
                raise ArgumentError(f"{name}: {what} must be positive, got {sizes}")
        self.padding: Any = padding if isinstance(padding, str) else _each(padding, n)
        self.output_padding = _each(output_padding, n)
        self.padding_mode, self.transposed = padding_mode, self._transposed
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ArgumentError(f"{name}: padding must be sizes, 'same' or 'valid', got {padding!r}")
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ArgumentError(f"{name}: padding='same' needs stride 1, got {self.stride}")
        first, second = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        self.weight = new_parameter(name, first, second // groups, *self.kernel_size, device=device, dtype=dtype)
        self.register_parameter("bias", new_parameter(name, out_channels, dtype=dtype) if bias else None)
        self.reset_parameters()

    @staticmethod
    def _check(name: str, in_channels: int, out_channels: int, groups: int, padding_mode: str) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name}: {groups} groups do not divide {in_channels} input and {out_channels} output channels"
            )
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ArgumentError(
                f"{name}: padding_mode must be zeros, reflect, replicate or circular, got {padding_mode!r}"
            )

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, evenly from [-k, k] with k = 1 / sqrt(fan in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """The sizes, as PyTorch prints them."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self._dimensions:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._dimensions:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self._dimensions:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class _Conv(Convolution):
    """Base of convolutions that are not transposed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _sides(self) -> list[int]:
        """The padding of each side, last dimension first, as `functional.pad` takes it."""
        sides: list[int] = []
        for i in reversed(range(self._dimensions)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                sides += [total // 2, total - total // 2]
            else:
                sides += [0, 0] if self.padding == "valid" else [self.padding[i]] * 2
        return sides

    def forward(self, input: Any) -> Any:
        """(batch, in_channels, ...), or without batch, to (batch, out_channels, ...)."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
        """The convolution with another weight and bias, for subclasses that change them on the way."""
        convolve = getattr(functional, f"conv{self._dimensions}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = functional.pad(input, self._sides(), self.padding_mode), 0
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """A convolution of sequences (batch, channels, length); arguments as for Conv2d."""


class Conv2d(_Conv):
    """A convolution of images (batch, channels, height, width).

    Args:
        in_channels, out_channels: of the images.
        kernel_size: an int or two.
        stride: step between windows, an int or two.
        padding: an int or two, 'same' or 'valid'.
        dilation: step between elements of a window.
        groups: parts into which the channels are divided, each convolved on its own.
        bias: whether to add one.
        padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.

    >>> import onegraph as og
    >>> og.nn.Conv2d(3, 8, 3, stride=2, padding=1)(og.ones(1, 3, 8, 8)).shape
    onegraph.Size([1, 8, 4, 4])
    """

    _dimensions = 2


class Conv3d(_Conv):
    """A convolution of volumes (batch, channels, depth, height, width); arguments as for Conv2d."""

    _dimensions = 3


class ConvTranspose(Convolution):
    """Base of transposed convolutions."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ArgumentError(f"{type(self).__name__}: padding_mode must be 'zeros', got {padding_mode!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(self, input: Any, output_size: Any) -> tuple[int, ...]:
        """The output padding that gives a wanted size."""
        if output_size is None:
            return self.output_padding
        n = self._dimensions
        wanted = tuple(output_size)[-n:]
        found = []
        for i in range(n):
            least = (input.shape[i - n] - 1) * self.stride[i] - 2 * self.padding[i]
            least += self.dilation[i] * (self.kernel_size[i] - 1) + 1
            if not least <= wanted[i] < least + self.stride[i]:
                raise ArgumentError(
                    f"{type(self).__name__}: an output size of {wanted[i]} is outside {least} to {least + self.stride[i] - 1}"
                )
            found.append(wanted[i] - least)
        return tuple(found)

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """(batch, in_channels, ...), or without batch, to (batch, out_channels, ...)."""
        convolve = getattr(functional, f"conv_transpose{self._dimensions}d")
        extra = self._output_padding(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(ConvTranspose):
    """The transpose of Conv1d: (batch, in_channels, length) to a longer sequence."""


class ConvTranspose2d(ConvTranspose):
    """The transpose of Conv2d: (batch, in_channels, height, width) to larger images."""

    _dimensions = 2


class ConvTranspose3d(ConvTranspose):
    """The transpose of Conv3d."""

    _dimensions = 3
