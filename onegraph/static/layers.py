"""`tf.layers`: layers that make their variables in the present variable scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.static import functions as f
from onegraph.frontend.static import nn
from onegraph.frontend.static.arrays import reshape
from onegraph.frontend.static.control import cond
from onegraph.frontend.static.graph import GraphKeys, get_default_graph
from onegraph.frontend.static.initializers import Ones, Zeros
from onegraph.frontend.static.scope import get_variable, variable_scope
from onegraph.frontend.static.tensor import Operators, Tensor, convert_to_tensor
from onegraph.ops.shapes import numel


def _known_channels(op: str, x: Any, axis: int) -> int:
    found = x.shape.as_list()[axis]
    if found is None:
        raise ShapeError(
            f"{op}: the input has shape {x.shape}; dimension {axis} must be known, since the weights' shape depends on it"
        )
    return int(found)


def _scope(name: str | None, default: str, reuse: bool | None) -> Any:
    if reuse and name is None:
        raise ArgumentError(f"{default}: reuse=True needs the name of the layer whose variables are reused")
    return variable_scope(name, default, reuse=True if reuse else None)


def _variable(name: str, shape: Any, dtype: Any, initializer: Any, regularizer: Any, trainable: bool) -> Any:
    return get_variable(name, shape, dtype, initializer, regularizer, trainable)


def dense(
    inputs: Any,
    units: int,
    activation: Callable[[Any], Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Tensor:
    """activation(inputs @ kernel + bias).

    Args:
        inputs: (..., features); features must be known.
        units: size of the last dimension of the output.
        activation: a function on tensors; none where None.
        kernel_initializer, bias_initializer: Glorot's and zeros where None.
        name, reuse: of the variable scope with `kernel` and `bias`.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default():
    ...     y = tf.layers.dense(tf.placeholder(tf.float32, (None, 4)), 3, tf.nn.relu)
    ...     y.shape.as_list(), [v.name for v in tf.trainable_variables()]
    ([None, 3], ['dense/kernel:0', 'dense/bias:0'])
    """
    x = convert_to_tensor(inputs)
    if x.shape.ndims < 2:
        raise ShapeError(f"dense: the input must be (batch, ..., features), got {x.shape}")
    features = _known_channels("dense", x, -1)
    with _scope(name, "dense", reuse):
        kernel = _variable("kernel", (features, units), x.dtype, kernel_initializer, kernel_regularizer, trainable)
        y = f.matmul(x, kernel)
        if use_bias:
            bias = _variable("bias", (units,), x.dtype, bias_initializer or Zeros(), bias_regularizer, trainable)
            y = nn.bias_add(y, bias)
        return y if activation is None else activation(y)


def _data_format(op: str, data_format: str) -> tuple[str, int]:
    if data_format == "channels_last":
        return "NHWC", 3
    if data_format == "channels_first":
        return "NCHW", 1
    raise ArgumentError(f"{op}: data_format must be channels_last or channels_first, got {data_format!r}")


def _two(op: str, value: Any) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2:
        raise ArgumentError(f"{op}: needs an int or a pair, got {value!r}")
    return pair


def conv2d(
    inputs: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1),
    activation: Callable[[Any], Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Tensor:
    """A convolution of images with variables `kernel` and `bias`.

    Args:
        inputs: (batch, height, width, channels), or channels second with data_format="channels_first".
        filters: output channels.
        kernel_size, strides, dilation_rate: an int or a pair.
        padding: "valid" or "same".
    """
    x = convert_to_tensor(inputs)
    layout, axis = _data_format("conv2d", data_format)
    if x.shape.ndims != 4:
        raise ShapeError(f"conv2d: the input must have 4 dimensions, got {x.shape}")
    channels = _known_channels("conv2d", x, axis)
    with _scope(name, "conv2d", reuse):
        shape = (*_two("conv2d", kernel_size), channels, filters)
        kernel = _variable("kernel", shape, x.dtype, kernel_initializer, kernel_regularizer, trainable)
        y = nn.conv2d(
            x,
            kernel,
            _two("conv2d", strides),
            padding.upper(),
            data_format=layout,
            dilations=_two("conv2d", dilation_rate),
        )
        if use_bias:
            bias = _variable("bias", (filters,), x.dtype, bias_initializer or Zeros(), bias_regularizer, trainable)
            y = nn.bias_add(y, bias, data_format=layout)
        return y if activation is None else activation(y)


def max_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window of an image."""
    layout, _ = _data_format("max_pooling2d", data_format)
    size, step = _two("max_pooling2d", pool_size), _two("max_pooling2d", strides)
    tensor: Tensor = nn.max_pool(inputs, size, step, padding.upper(), layout, name=name)
    return tensor


def average_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """The mean of each window of an image."""
    layout, _ = _data_format("average_pooling2d", data_format)
    size, step = _two("average_pooling2d", pool_size), _two("average_pooling2d", strides)
    tensor: Tensor = nn.avg_pool(inputs, size, step, padding.upper(), layout, name=name)
    return tensor


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Tensor:
    """All dimensions but the first joined into one."""
    x = convert_to_tensor(inputs)
    if x.shape.ndims < 1:
        raise ShapeError("flatten: the input has no batch dimension")
    sizes = x.node.shape
    tensor: Tensor = reshape(x, [sizes[0], numel(sizes[1:])], name=name or "flatten")
    return tensor


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Any:
    """Elements set to 0 with probability `rate` while training; a bool, or a bool tensor, says whether."""
    x = convert_to_tensor(inputs)
    if isinstance(training, Operators):
        return cond(
            training,
            lambda: nn.dropout(x, rate=rate, noise_shape=noise_shape, seed=seed),
            lambda: f.identity(x),
            name=name,
        )
    return (
        nn.dropout(x, rate=rate, noise_shape=noise_shape, seed=seed, name=name)
        if training
        else f.identity(x, name=name)
    )


def batch_normalization(
    inputs: Any,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = None,
    gamma_initializer: Any = None,
    moving_mean_initializer: Any = None,
    moving_variance_initializer: Any = None,
    beta_regularizer: Any = None,
    gamma_regularizer: Any = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Any:
    """Channels shifted and scaled to mean 0 and variance 1, then times gamma plus beta. Ioffe and Szegedy 2015.

    While training, mean and variance are those of the batch, and the operations in the collection UPDATE_OPS move
    the averages that are used otherwise: run them with the step, e.g. by
    `with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)): step = optimizer.minimize(loss)`.

    Args:
        axis: of the channels.
        momentum: how much of an average stays in each step.
        training: a bool, or a bool tensor.
    """
    x = convert_to_tensor(inputs)
    at = axis % x.shape.ndims
    channels = _known_channels("batch_normalization", x, at)
    dims = [d for d in range(x.shape.ndims) if d != at]
    with _scope(name, "batch_normalization", reuse):
        beta = gamma = None
        if scale:
            gamma = _variable("gamma", (channels,), x.dtype, gamma_initializer or Ones(), gamma_regularizer, trainable)
        if center:
            beta = _variable("beta", (channels,), x.dtype, beta_initializer or Zeros(), beta_regularizer, trainable)
        mean = _variable("moving_mean", (channels,), x.dtype, moving_mean_initializer or Zeros(), None, False)
        variance = _variable(
            "moving_variance", (channels,), x.dtype, moving_variance_initializer or Ones(), None, False
        )
        keep: Any = momentum
        if training is False:
            now: Any = (mean, variance)
        else:
            now = nn.moments(x, dims)
            if isinstance(training, Operators):
                batch = now
                now = cond(
                    training,
                    lambda: (f.identity(batch[0]), f.identity(batch[1])),
                    lambda: (mean.value(), variance.value()),
                )
                keep = cond(training, lambda: momentum, lambda: 1.0)
            for average, value in ((mean, now[0]), (variance, now[1])):
                update = average.assign_sub((average - f.stop_gradient(value)) * (1.0 - keep))
                get_default_graph().add_to_collection(GraphKeys.UPDATE_OPS, update)
        shape = [channels if d == at else 1 for d in range(x.shape.ndims)]
        parts = [
            None if p is None else p if at == x.shape.ndims - 1 else reshape(p, shape) for p in (*now, beta, gamma)
        ]
        return nn.batch_normalization(x, parts[0], parts[1], parts[2], parts[3], epsilon)


__all__ = [
    "average_pooling2d", "batch_normalization", "conv2d", "dense", "dropout", "flatten", "max_pooling2d",
]  # fmt: skip
