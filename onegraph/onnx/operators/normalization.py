"""Normalizations. Read next: `../registry.py`."""

from __future__ import annotations

from typing import Any

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator


def _per_channel(x: og.Tensor, values: og.Tensor) -> og.Tensor:
    return values.reshape([1, -1] + [1] * (len(x.shape) - 2)) if len(x.shape) > 1 else values


@operator("BatchNormalization")
def batch_normalization(
    call: Call, x: og.Tensor, scale: og.Tensor, bias: og.Tensor, mean: og.Tensor, variance: og.Tensor
) -> Any:
    """By the given mean and variance; in training mode by those of the batch, with the running ones as outputs."""
    epsilon, momentum = call.get("epsilon", 1e-5), call.get("momentum", 0.9)
    training = (
        bool(call.get("training_mode", 0)) if call.version >= 14 else call.version < 7 and not call.get("is_test", 0)
    )
    if not training:
        if x.dtype is scale.dtype is mean.dtype:
            return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)
        shift, spread = _per_channel(x, mean), og.sqrt(_per_channel(x, variance) + epsilon)
        return ((x - shift) / spread * _per_channel(x, scale) + _per_channel(x, bias)).to(x.dtype)
    dims = [0, *range(2, len(x.shape))]
    now_mean, now_variance = og.mean(x, dims), og.var(x, dims, correction=0)
    result = F.batch_norm(x, now_mean, now_variance, scale, bias, False, 0.0, epsilon)
    running = [momentum * old + (1 - momentum) * new for old, new in ((mean, now_mean), (variance, now_variance))]
    return (result, *running)[: max(1, call.outputs)]


@operator("InstanceNormalization")
def instance_normalization(call: Call, x: og.Tensor, scale: og.Tensor, bias: og.Tensor) -> og.Tensor:
    """Each channel of each image by its own mean and variance."""
    return F.instance_norm(x, None, None, scale, bias, True, 0.1, call.get("epsilon", 1e-5))


@operator("GroupNormalization")
def group_normalization(call: Call, x: og.Tensor, scale: og.Tensor, bias: og.Tensor) -> og.Tensor:
    """Each group of channels by its own mean and variance."""
    groups, epsilon = call.get("num_groups"), call.get("epsilon", 1e-5)
    if call.version < 21:  # one scale a group
        each = x.shape[1] // groups
        scale, bias = (v.reshape([-1, 1]).expand([groups, each]).reshape([-1]) for v in (scale, bias))
    return F.group_norm(x, groups, scale, bias, epsilon)


@operator("LayerNormalization")
def layer_normalization(call: Call, x: og.Tensor, scale: og.Tensor, bias: og.Tensor | None = None) -> Any:
    """By the mean and variance of the dimensions from an axis on."""
    axis, epsilon = call.get("axis", -1) % len(x.shape), call.get("epsilon", 1e-5)
    dims = list(range(axis, len(x.shape)))
    wide = x.to(og.float32) if x.dtype in (og.float16, og.bfloat16) else x
    mean = og.mean(wide, dims, keepdim=True)
    inverse = og.rsqrt(og.var(wide, dims, correction=0, keepdim=True) + epsilon)
    result = ((wide - mean) * inverse).to(x.dtype) * scale
    return (result if bias is None else result + bias, mean, inverse)[: max(1, call.outputs)]


@operator("RMSNormalization")
def rms_normalization(call: Call, x: og.Tensor, scale: og.Tensor) -> og.Tensor:
    """By the root of the mean square of the dimensions from an axis on."""
    axis, epsilon = call.get("axis", -1) % len(x.shape), call.get("epsilon", 1e-5)
    wide = x.to(og.float32) if x.dtype in (og.float16, og.bfloat16) else x
    square = og.mean(wide * wide, list(range(axis, len(x.shape))), keepdim=True)
    return ((wide * og.rsqrt(square + epsilon)).to(x.dtype) * scale).to(scale.dtype)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(call: Call, x: og.Tensor) -> og.Tensor:
    """By mean and variance along axes."""
    axes = call.get("axes") or [0, 2, 3]
    mean = og.mean(x, axes, keepdim=True)
    spread = og.sqrt(og.mean(x * x, axes, keepdim=True) - mean * mean)
    return (x - mean) / (spread + 1e-9)


@operator("LRN")
def local_response(call: Call, x: og.Tensor) -> og.Tensor:
    """By the squares of neighbouring channels (Krizhevsky et al. 2012, section 3.3)."""
    size, alpha = call.get("size"), call.get("alpha", 1e-4)
    beta, bias = call.get("beta", 0.75), call.get("bias", 1.0)
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = F.pad(x * x, [0, 0] * (len(x.shape) - 2) + [before, after])
    total = squares.narrow(1, 0, x.shape[1])
    for i in range(1, size):
        total = total + squares.narrow(1, i, x.shape[1])
    return x / (bias + alpha / size * total) ** beta


@operator("LpNormalization")
def lp_normalization(call: Call, x: og.Tensor) -> og.Tensor:
    """By the 1-norm or 2-norm along an axis; zero stays zero."""
    axis = call.get("axis", -1)
    norm = x.abs().sum(axis, keepdim=True) if call.get("p", 2) == 1 else og.sqrt((x * x).sum(axis, keepdim=True))
    return og.where(norm == 0, og.zeros_like(x), x / og.where(norm == 0, og.ones_like(norm), norm))
