"""`torch.nn.init`: first values of parameters. Each function writes into its tensor and returns it.

Numbers are drawn from the default generator (or the one given), so `manual_seed` repeats them.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.random import Generator, default_generator
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import float32, float64
from onegraph.ir.node import Node
from onegraph.ops import random
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to
from onegraph.ops.shapes import show


def _write(tensor: Tensor, node: Node) -> Tensor:
    with no_grad():
        tensor._assign(cast(node, tensor.dtype))
    return tensor


def _key(generator: Generator | None) -> Node:
    return (generator or default_generator).next_key()


def _array(tensor: Tensor, array: np.ndarray[Any, Any]) -> Tensor:
    return _write(tensor, numpy_constant(array))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which the weights before a nonlinearity should be larger, so that variances stay.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in ("linear", "sigmoid", *[f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)]):
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ArgumentError(f"calculate_gain: {param!r} is no slope")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ArgumentError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers drawn evenly from [a, b)."""
    return _write(tensor, random.uniform(_key(generator), tensor.node.shape, a, b, tensor.dtype))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers drawn from a normal distribution."""
    return _write(tensor, random.normal(_key(generator), tensor.node.shape, mean, std, tensor.dtype))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Numbers drawn from a normal distribution, those outside [a, b] drawn again."""
    node = random.truncated_normal(_key(generator), tensor.node.shape, mean, std, a, b, tensor.dtype)
    return _write(tensor, node)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same number everywhere.

    >>> import onegraph as og
    >>> og.nn.init.constant_(og.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    return _write(tensor, expand_to(constant(val, tensor.dtype), tensor.node.shape))


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix; the tensor has two dimensions."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: needs two dimensions, got {show(tensor.shape)}")
    return _array(tensor, np.eye(*tensor.shape, dtype=np.float32))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that gives each channel back as it is, as far as there are channels.

    Args:
        tensor: (out_channels, in_channels, kernel...) with 3, 4 or 5 dimensions.
        groups: of the convolution.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_: needs 3, 4 or 5 dimensions, got {show(tensor.shape)}")
    if tensor.shape[0] % groups:
        raise ShapeError(f"dirac_: {groups} groups do not divide {tensor.shape[0]} output channels")
    array = np.zeros(tensor.shape, np.float32)
    each = tensor.shape[0] // groups
    center = tuple(s // 2 for s in tensor.shape[2:])
    for g in range(groups):
        for d in range(min(each, tensor.shape[1])):
            array[(g * each + d, d, *center)] = 1
    return _array(tensor, array)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Numbers of inputs and outputs of one unit: the first dimension is of outputs, the second of inputs."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan in and fan out need at least two dimensions, got {show(tensor.shape)}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers drawn evenly from [-a, a], a = gain * sqrt(6 / (fan_in + fan_out)). Source: Glorot and Bengio 2010."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers with standard deviation gain * sqrt(2 / (fan_in + fan_out)). Source: Glorot and Bengio 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ArgumentError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Numbers drawn evenly from [-b, b], b = gain * sqrt(3 / fan). Source: He et al., "Delving deep into rectifiers", 2015.

    Args:
        tensor: (outputs, inputs, ...).
        a: negative slope of the leaky ReLU that follows.
        mode: 'fan_in' keeps the variances of the forward pass, 'fan_out' those of the backward pass.
        nonlinearity: what follows.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers with standard deviation gain / sqrt(fan); arguments as for `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _drawn(tensor: Tensor, shape: tuple[int, ...], generator: Generator | None) -> np.ndarray[Any, Any]:
    """Normal numbers as a NumPy array, from the same streams as everything else."""
    from onegraph.frontend.tensor import wrap

    kind = float64 if tensor.dtype is float64 else float32
    return np.array(wrap(random.normal(_key(generator), shape, dtype=kind), False).numpy())


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix with orthogonal rows or columns, the dimensions after the first taken as one.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning", 2014.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: needs at least two dimensions, got {show(tensor.shape)}")
    if not tensor.shape.numel():
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    flat = _drawn(tensor, (rows, columns), generator)
    q, r = np.linalg.qr(flat.T if rows < columns else flat)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform
    return _array(
        tensor, np.ascontiguousarray((q.T if rows < columns else q) * gain).reshape(tensor.shape).astype(flat.dtype)
    )


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which a fraction `sparsity` in each column is 0. Source: Martens 2010."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: needs two dimensions, got {show(tensor.shape)}")
    rows, columns = tensor.shape
    values = _drawn(tensor, (rows, columns), generator) * std
    order = np.argsort(_drawn(tensor, (rows, columns), generator), axis=0)
    np.put_along_axis(values, order[: math.ceil(sparsity * rows)], 0, axis=0)
    return _array(tensor, values.astype(np.float64 if tensor.dtype is float64 else np.float32))


def _old_name(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The spelling without an underscore at the end, which PyTorch keeps for old programs."""
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{old} is deprecated: use nn.init.{new}", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"As `{new}`; an old name."
    return renamed


uniform = _old_name(uniform_)
normal = _old_name(normal_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
