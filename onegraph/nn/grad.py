"""Gradients of convolutions by name: `torch.nn.grad`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend import namespaces
from onegraph.frontend.autograd import grad as gradient_of
from onegraph.frontend.state import enable_grad
from onegraph.frontend.tensor import Tensor


def _zeros(shape: Any, like: Tensor) -> Tensor:
    """What a gradient is taken by: a convolution is linear, so its value does not matter."""
    zeros: Tensor = namespaces[""]["zeros"](tuple(shape), dtype=like.dtype)
    return zeros.requires_grad_(True)


def _gradient(rank: int, by_input: bool, given: tuple[Any, Any], grad_output: Tensor, *sizes: Any) -> Tensor:
    """The gradient of a convolution of `rank` dimensions by its input, or by its weight."""
    with enable_grad():
        first, second = given
        x = _zeros(first, second) if by_input else first.detach()
        w = second.detach() if by_input else _zeros(second, first)
        stride, padding, dilation, groups = sizes
        y = namespaces["nn.functional"][f"conv{rank}d"](x, w, None, stride, padding, dilation, groups)
        (found,) = gradient_of(y, x if by_input else w, grad_output)
    return found  # type: ignore[return-value]


def conv1d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` by its input; arguments as for `conv2d_input`."""
    return _gradient(1, True, (input_size, weight), grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` by its weight; arguments as for `conv2d_weight`."""
    return _gradient(1, False, (input, weight_size), grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` by its input.

    Args:
        input_size: shape of the input.
        weight: of the convolution.
        grad_output: gradient of its result.
        stride, padding, dilation, groups: of the convolution.

    >>> import onegraph as og
    >>> og.nn.grad.conv2d_input((1, 1, 3, 3), og.ones(1, 1, 2, 2), og.ones(1, 1, 2, 2))[0, 0]
    tensor([[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]])
    """
    return _gradient(2, True, (input_size, weight), grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` by its weight.

    Args:
        input: of the convolution.
        weight_size: shape of the weight.
        grad_output: gradient of its result.
        stride, padding, dilation, groups: of the convolution.
    """
    return _gradient(2, False, (input, weight_size), grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` by its input; arguments as for `conv2d_input`."""
    return _gradient(3, True, (input_size, weight), grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` by its weight; arguments as for `conv2d_weight`."""
    return _gradient(3, False, (input, weight_size), grad_output, stride, padding, dilation, groups)
