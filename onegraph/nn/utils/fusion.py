"""Batch normalization folded into the convolution or linear layer before it, for inference."""

from __future__ import annotations

import copy
from typing import Any

from onegraph.errors import ArgumentError, StateError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter


def _factors(rm: Tensor, rv: Tensor, eps: float, w: Tensor | None, b: Tensor | None) -> tuple[Tensor, Tensor]:
    """What a normalization multiplies with, and what it adds."""
    factor = (rv + eps).rsqrt()
    if w is not None:
        factor = factor * w
    return factor, -rm * factor if b is None else b - rm * factor


def _fused(weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor, dim: int) -> tuple[Parameter, Parameter]:
    with no_grad():
        shape = [1] * weight.ndim
        shape[dim] = -1
        new = (weight * scale.reshape(shape)).to(weight.dtype)
        added = shift if bias is None else bias * scale + shift
    learned = bias is None or bias.requires_grad
    return Parameter(new.detach(), weight.requires_grad), Parameter(added.to(weight.dtype).detach(), learned)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that normalizes as well.

    Args:
        conv_w, conv_b: of the convolution.
        bn_rm, bn_rv, bn_eps, bn_w, bn_b: running mean and variance, eps, weight and bias of the normalization.
        transpose: whether the convolution is transposed.
    """
    scale, shift = _factors(bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _fused(conv_w, conv_b, scale, shift, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer that normalizes as well; arguments as for `fuse_conv_bn_weights`."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _check(name: str, layer: Module, bn: Module) -> None:
    if layer.training or bn.training:
        raise StateError(f"{name}: both modules must be in evaluation mode", hint="call .eval() first")
    if bn._buffers.get("running_mean") is None or bn._buffers.get("running_var") is None:
        raise ArgumentError(f"{name}: the normalization needs running statistics")


def _layer_with(layer: Any, bn: Any, transpose: bool) -> Any:
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that gives what the normalization after it would give.

    Args:
        conv, bn: in evaluation mode; the normalization has running statistics.
        transpose: whether the convolution is transposed.

    >>> import onegraph as og
    >>> conv, norm = og.nn.Conv2d(3, 4, 3).eval(), og.nn.BatchNorm2d(4).eval()
    >>> x = og.randn(1, 3, 5, 5)
    >>> og.allclose(og.nn.utils.fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)), atol=1e-5)
    True
    """
    _check("fuse_conv_bn_eval", conv, bn)
    return _layer_with(conv, bn, transpose)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that gives what the normalization after it would give; see `fuse_conv_bn_eval`."""
    _check("fuse_linear_bn_eval", linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise ArgumentError(
            f"fuse_linear_bn_eval: {linear.out_features} outputs and {bn.num_features} normalized features must be equal"
        )
    return _layer_with(linear, bn, False)
