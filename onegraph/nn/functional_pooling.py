"""The functions of `nn.functional` for pooling that draw numbers, or that always give indices; and `conv_tbc`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.random import rand
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.nn.nodes import node_of
from onegraph.nn.sizes import repeated
from onegraph.ops.fractional_pooling import fractional_max_pool
from onegraph.ops.shapes import show

_generated = namespaces["nn.functional"]


def _fractional(
    op: str, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> tuple[Tensor, Tensor]:
    rank = int(op[-2])
    each = repeated(rank)
    if input.ndim not in (rank + 1, rank + 2):
        raise ShapeError(f"{op}: needs {rank + 1} or {rank + 2} dimensions, got {show(input.shape)}")
    if output_size is None and output_ratio is None:
        raise ArgumentError(f"{op}: give output_size or output_ratio")
    if output_size is None:
        output_size = [int(s * r) for s, r in zip(input.shape[-rank:], each(output_ratio), strict=True)]
    if samples is None:
        batch = 1 if input.ndim == rank + 1 else input.shape[0]
        samples = rand(batch, input.shape[-rank - 1], rank, dtype=input.dtype)
    values, indices = fractional_max_pool(op, node_of(input), each(kernel_size), each(output_size), node_of(samples))
    return wrap(values, input._requires_grad), wrap(indices, False)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Maxima of windows at random places, and where they stand; arguments as for `fractional_max_pool2d`."""
    return _fractional("fractional_max_pool2d", input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `fractional_max_pool2d_with_indices`, for (batch, channels, depth, height, width)."""
    return _fractional("fractional_max_pool3d", input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima of windows at random places.

    Args:
        input: (batch, channels, height, width), or without batch.
        kernel_size: of a window.
        output_size: of the result; or
        output_ratio: its size over that of the input.
        return_indices: give the places of the maxima too, in the flattened last two dimensions.
        _random_samples: (batch, channels, 2) in [0, 1), in place of random numbers.

    Source: Graham, "Fractional max-pooling", 2014.
    """
    found = _fractional("fractional_max_pool2d", input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """As `fractional_max_pool2d`, for (batch, channels, depth, height, width) and samples (batch, channels, 3)."""
    found = _fractional("fractional_max_pool3d", input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d` with the places of the maxima."""
    found: tuple[Tensor, Tensor] = _generated["adaptive_max_pool1d"](input, output_size, True)
    return found


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` with the places of the maxima."""
    found: tuple[Tensor, Tensor] = _generated["adaptive_max_pool2d"](input, output_size, True)
    return found


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d` with the places of the maxima."""
    found: tuple[Tensor, Tensor] = _generated["adaptive_max_pool3d"](input, output_size, True)
    return found


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution of sequences (time, batch, channels).

    Args:
        input: (time, batch, in_channels).
        weight: (kernel, in_channels, out_channels).
        bias: (out_channels,).
        pad: zeros at both ends.
    """
    if input.ndim != 3 or weight.ndim != 3 or input.shape[2] != weight.shape[1]:
        raise ShapeError(
            f"conv_tbc: needed are (time, batch, channels) and (kernel, channels, outputs), got {show(input.shape)} "
            f"and {show(weight.shape)}"
        )
    result: Tensor = _generated["conv1d"](input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return result.permute(2, 0, 1)
