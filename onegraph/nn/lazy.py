"""Lazy layers: the size of the input is not given but follows from the first one.

A lazy layer has `UninitializedParameter`s; its first call gives them their shape and makes it a usual layer. Read next:
`parameter.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ShapeError, UninitializedError
from onegraph.ir.dtype import int64
from onegraph.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from onegraph.nn.layers import Linear
from onegraph.nn.module import Module
from onegraph.nn.normalization import (
    BatchNorm,
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from onegraph.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from onegraph.nn.state import full
from onegraph.ops.shapes import show


class LazyModuleMixin:
    """What makes a module lazy; a subclass defines `initialize_parameters(input)` and the class that it becomes.

    >>> import onegraph as og
    >>> layer = og.nn.LazyLinear(3)
    >>> layer.has_uninitialized_params()
    True
    >>> layer(og.ones(2, 5)).shape, layer
    (onegraph.Size([2, 3]), Linear(in_features=5, out_features=3, bias=True))
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(  # type: ignore[attr-defined]
            type(self)._infer_parameters, with_kwargs=True
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        tables = (self._parameters, self._buffers)  # type: ignore[attr-defined]
        return any(is_lazy(t) for table in tables for t in table.values())

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give parameters their shape, from the arguments of the first call."""
        raise UninitializedError(f"{type(self).__name__} does not define initialize_parameters")

    def _infer_parameters(self, args: Any, kwargs: Any | None = None) -> None:
        self.initialize_parameters(*args, **(kwargs or {}))
        if self.has_uninitialized_params():
            raise UninitializedError(f"{type(self).__name__}: initialize_parameters left parameters without a shape")
        self._initialize_hook.remove()
        del self._initialize_hook
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become  # type: ignore[assignment]


def _parameter(bias: bool, device: Any, dtype: Any) -> UninitializedParameter | None:
    return UninitializedParameter(device=device, dtype=dtype) if bias else None


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` whose `in_features` follows from the first input.

    Args:
        out_features: size of the result's last dimension.
        bias: whether to add one.

    >>> import onegraph as og
    >>> og.nn.LazyLinear(3)
    LazyLinear(in_features=0, out_features=3, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False, device, dtype)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = _parameter(bias, device, dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, once they have a shape."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:  # type: ignore[override]
        """Take `in_features` from an input (..., in_features)."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()


class _LazyConvolution(LazyModuleMixin):
    """Base: `in_channels` follows from the first input."""

    def _forget_sizes(self, bias: bool, device: Any, dtype: Any) -> None:
        self.in_channels = 0
        self.weight: Any = UninitializedParameter(device=device, dtype=dtype)
        self.bias: Any = _parameter(bias, device, dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, once they have a shape."""
        if not self.has_uninitialized_params() and getattr(self, "in_channels", 0) != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Any) -> None:  # type: ignore[override]
        """Take `in_channels` from an input (batch, in_channels, ...), or without batch."""
        if not self.has_uninitialized_params():
            return
        name, n = type(self).__name__, self._dimensions  # type: ignore[attr-defined]
        if input.ndim not in (n + 1, n + 2):
            raise ShapeError(f"{name}: needs an input of {n + 1} or {n + 2} dimensions, got {show(input.shape)}")
        self.in_channels = input.shape[-n - 1]
        out, groups = self.out_channels, self.groups  # type: ignore[attr-defined]
        self._check(name, self.in_channels, out, groups, self.padding_mode)  # type: ignore[attr-defined]
        first, second = (self.in_channels, out) if self._transposed else (out, self.in_channels)  # type: ignore[attr-defined]
        self.weight.materialize((first, second // groups, *self.kernel_size))  # type: ignore[attr-defined]
        if self.bias is not None:
            self.bias.materialize((out,))
        self.reset_parameters()


class _LazyConv(_LazyConvolution):
    def __init__(
        self,
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
        sizes = (groups, out_channels, kernel_size, stride, padding, dilation, groups)  # groups stands for channels
        super().__init__(*sizes, False, padding_mode, device, dtype)
        self._forget_sizes(bias, device, dtype)


class _LazyConvTranspose(_LazyConvolution):
    def __init__(
        self,
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
        sizes = (groups, out_channels, kernel_size, stride, padding, output_padding, groups)
        super().__init__(*sizes, False, dilation, padding_mode, device, dtype)
        self._forget_sizes(bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):  # type: ignore[misc]
    """`Conv1d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):  # type: ignore[misc]
    """`Conv2d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):  # type: ignore[misc]
    """`Conv3d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):  # type: ignore[misc]
    """`ConvTranspose1d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):  # type: ignore[misc]
    """`ConvTranspose2d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):  # type: ignore[misc]
    """`ConvTranspose3d` whose `in_channels` follows from the first input; the other arguments are its."""

    cls_to_become = ConvTranspose3d


class _LazyNorm(LazyModuleMixin):
    """Base: `num_features` follows from the first input."""

    weight: Any
    bias: Any

    def _forget_sizes(self, affine: bool, track: bool, bias: bool, kind: dict[str, Any]) -> None:
        self.affine, self.track_running_stats = affine, track
        if affine:
            self.weight = UninitializedParameter(**kind)
            if bias:
                self.bias = UninitializedParameter(**kind)
        if track:
            self.running_mean: Any = UninitializedBuffer(**kind)
            self.running_var: Any = UninitializedBuffer(**kind)
            self.num_batches_tracked = full((), 0, int64)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and fresh running statistics, once they have a shape."""
        if not self.has_uninitialized_params() and self.num_features != 0:  # type: ignore[has-type]
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Any) -> None:  # type: ignore[override]
        """Take `num_features` from an input (batch, channels, ...)."""
        if not self.has_uninitialized_params():
            return
        self._check(input)  # type: ignore[attr-defined]
        self.num_features = input.shape[1]
        tensors = (self.weight, self.bias, self.running_mean, self.running_var)
        for tensor in tensors:
            if is_lazy(tensor):
                tensor.materialize((self.num_features,))
        self.reset_parameters()


class _LazyWithStatistics(_LazyNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self._forget_sizes(affine, track_running_stats, bias, {"device": device, "dtype": dtype})


class LazyBatchNorm1d(_LazyWithStatistics, BatchNorm):  # type: ignore[misc]
    """`BatchNorm1d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = BatchNorm1d._ranks
    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyWithStatistics, BatchNorm):  # type: ignore[misc]
    """`BatchNorm2d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = BatchNorm2d._ranks
    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyWithStatistics, BatchNorm):  # type: ignore[misc]
    """`BatchNorm3d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = BatchNorm3d._ranks
    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyWithStatistics, InstanceNorm):  # type: ignore[misc]
    """`InstanceNorm1d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = InstanceNorm1d._ranks
    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyWithStatistics, InstanceNorm):  # type: ignore[misc]
    """`InstanceNorm2d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = InstanceNorm2d._ranks
    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyWithStatistics, InstanceNorm):  # type: ignore[misc]
    """`InstanceNorm3d` whose `num_features` follows from the first input; the other arguments are its."""

    _ranks = InstanceNorm3d._ranks
    cls_to_become = InstanceNorm3d
