"""Normalization layers. The formulas are in `onegraph/ops/normalization.py`; running statistics are kept here."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import float32, int64
from onegraph.nn import functional, init
from onegraph.nn.layers import new_parameter
from onegraph.nn.module import Module
from onegraph.nn.state import full
from onegraph.nn.wrapped import Wrapped
from onegraph.ops.binary import ADD, DIV
from onegraph.ops.cast import cast
from onegraph.ops.leaf import constant
from onegraph.ops.random import floating_dtype
from onegraph.ops.shapes import show


class Norm(Module):
    """Base: weight and bias for each channel, and running statistics."""

    _version = 2  # since then with num_batches_tracked
    _ranks: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        made = new_parameter(name, num_features, device=device, dtype=dtype) if affine else None
        self.register_parameter("weight", made)
        self.register_parameter("bias", new_parameter(name, num_features, dtype=dtype) if affine and bias else None)
        kind = floating_dtype(name, dtype)
        tracked = track_running_stats
        self.register_buffer("running_mean", full((num_features,), 0, kind) if tracked else None)
        self.register_buffer("running_var", full((num_features,), 1, kind) if tracked else None)
        self.register_buffer("num_batches_tracked", full((), 0, int64) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Start the running statistics anew."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and fresh running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        """As for every module; a dict of before there was `num_batches_tracked` needs none."""
        version, key = local_metadata.get("version"), f"{prefix}num_batches_tracked"
        if (version is None or version < 2) and self.num_batches_tracked is not None and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            ranks = " or ".join(map(str, self._ranks))
            raise ShapeError(f"{type(self).__name__}: needs an input of {ranks} dimensions, got {show(input.shape)}")

    def _factor(self) -> Any:
        """The momentum of this step: with momentum None, one over the number of batches seen, so that all count alike."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0 if self.momentum is None else self.momentum
        count = ADD(functional.node_of(self.num_batches_tracked), constant(1, int64))
        with no_grad():
            self.num_batches_tracked._assign(count)
        if self.momentum is not None:
            return self.momentum
        return wrap(DIV(constant(1.0, float32), cast(count, float32)), False)

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm(Norm):
    """Base."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Any) -> Any:
        """The input normalized; in training, the running statistics move."""
        self._check(input)
        factor = self._factor()
        has_running = self.running_mean is not None and self.running_var is not None
        by_input = self.training or not has_running
        use_running = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if use_running else (None, None)
        return functional.batch_norm(input, mean, var, self.weight, self.bias, by_input, factor, self.eps)


class BatchNorm1d(BatchNorm):
    """Batch normalization of (batch, channels) or (batch, channels, length); arguments as for BatchNorm2d."""

    _ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch normalization of images (batch, channels, height, width).

    Args:
        num_features: number of channels.
        eps: added to the variance.
        momentum: how much the running statistics move towards those of a batch; None: the mean of all batches.
        affine: whether there are a weight and a bias.
        track_running_stats: keep running statistics, for use in evaluation.

    Source: Ioffe and Szegedy, "Batch normalization", 2015.

    >>> import onegraph as og
    >>> layer = og.nn.BatchNorm2d(3)
    >>> layer(og.ones(2, 3, 4, 4)).shape, layer.num_batches_tracked
    (onegraph.Size([2, 3, 4, 4]), tensor(1))
    """

    _ranks = (4,)


class BatchNorm3d(BatchNorm):
    """Batch normalization of volumes (batch, channels, depth, height, width); arguments as for BatchNorm2d."""

    _ranks = (5,)


class SyncBatchNorm(BatchNorm):
    """Batch normalization over all processes that train together; here there is one, so it is the usual one.

    Args:
        process_group: accepted.
        num_features, eps, momentum, affine, track_running_stats: as for BatchNorm2d.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ShapeError(f"SyncBatchNorm: needs an input of at least 2 dimensions, got {show(input.shape)}")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch normalization inside made a SyncBatchNorm with the same parameters."""
        result = module
        if isinstance(module, BatchNorm):
            norm = module
            result = made = cls(
                norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats, process_group
            )
            made._parameters.update(norm._parameters)
            made._buffers.update(norm._buffers)
            made.training = norm.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class InstanceNorm(Norm):
    """Base."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Any) -> Any:
        """The input normalized."""
        self._check(input)
        unbatched = input.ndim == self._ranks[0]
        if input.shape[0 if unbatched else 1] != self.num_features and self.affine:
            raise ShapeError(f"{type(self).__name__}: {show(input.shape)} does not have {self.num_features} channels")
        by_input = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        batched = input.unsqueeze(0) if unbatched else input
        result = functional.instance_norm(
            batched, self.running_mean, self.running_var, self.weight, self.bias, by_input, momentum, self.eps
        )
        return result.squeeze(0) if unbatched else result


class InstanceNorm1d(InstanceNorm):
    """Every channel of every sequence normalized: (batch, channels, length), or without batch."""

    _ranks = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Every channel of every image normalized: (batch, channels, height, width), or without batch."""

    _ranks = (3, 4)


class InstanceNorm3d(InstanceNorm):
    """Every channel of every volume normalized: (batch, channels, depth, height, width), or without batch."""

    _ranks = (4, 5)


def _shape(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


class LayerNorm(Module):
    """The last dimensions normalized.

    Args:
        normalized_shape: sizes of those dimensions.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and a bias of that shape.
        bias: whether there is a bias.

    Source: Ba et al., "Layer normalization", 2016.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = _shape(normalized_shape), eps, elementwise_affine
        made = [new_parameter("LayerNorm", *self.normalized_shape, device=device, dtype=dtype) for _ in range(2)]
        self.register_parameter("weight", made[0] if elementwise_affine else None)
        self.register_parameter("bias", made[1] if elementwise_affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """The input normalized."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        shape, affine = self.normalized_shape, self.elementwise_affine
        return f"{shape}, eps={self.eps}, elementwise_affine={affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """The last dimensions divided by the root of their mean square. Source: Zhang and Sennrich 2019.

    Args:
        normalized_shape: sizes of those dimensions.
        eps: added to the mean square; None for the dtype's own epsilon.
        elementwise_affine: whether there is a weight of that shape.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = _shape(normalized_shape), eps, elementwise_affine
        made = new_parameter("RMSNorm", *self.normalized_shape, device=device, dtype=dtype)
        self.register_parameter("weight", made if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        """The input normalized."""
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Groups of channels normalized.

    Args:
        num_groups: divides the channels.
        num_channels: of the input (batch, channels, ...).
        eps: added to the variance.
        affine: whether there are a weight and a bias for each channel.

    Source: Wu and He, "Group normalization", 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        made = [new_parameter("GroupNorm", num_channels, device=device, dtype=dtype) for _ in range(2)]
        self.register_parameter("weight", made[0] if affine else None)
        self.register_parameter("bias", made[1] if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """The input normalized."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(Wrapped):
    """x over a power of the mean square of neighboring channels. Source: Krizhevsky et al. 2012."""

    _function = "local_response_norm"

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__(size=size, alpha=alpha, beta=beta, k=k)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """x over a power of the sum of squares of neighboring channels, as PyTorch took it over from Torch 7.

    With an even size the window has one channel less, so that it is centered. As in PyTorch the first channel stays in the
    sums of all channels whose window begins behind it; `LocalResponseNorm` has no such peculiarity.

    Args:
        size: how many channels the window has, and what the sum is divided by.
        alpha, beta, k: (k + alpha * sum / size) ** beta is what the input is divided by.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Any) -> Any:
        """(batch, channels, height, width), normalized."""
        if input.ndim != 4:
            raise ShapeError(f"CrossMapLRN2d: needs (batch, channels, height, width), got {show(input.shape)}")
        channels, reach = input.shape[1], (self.size - 1) // 2
        squares = input * input
        wide = functional.pad(squares, (0, 0, 0, 0, reach, reach))
        total = sum((wide[:, i : i + channels] for i in range(1, 2 * reach + 1)), wide[:, :channels])
        if channels > reach + 1:
            behind = channels - reach - 1
            total = total + functional.pad(squares[:, :1].expand(-1, behind, -1, -1), (0, 0, 0, 0, reach + 1, 0))
        return input * (total * (self.alpha / self.size) + self.k) ** -self.beta

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
