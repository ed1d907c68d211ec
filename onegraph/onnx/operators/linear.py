"""Matrix products and what is built of them. Read next: `convolution.py`."""

from __future__ import annotations

import math

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator


@operator("MatMul", host=lambda call, a, b: np.matmul(a, b))
def matmul(call: Call, a: og.Tensor, b: og.Tensor) -> og.Tensor:
    """Matrix products, of stacks of matrices too."""
    return og.matmul(a, b)


@operator("Gemm")
def gemm(call: Call, a: og.Tensor, b: og.Tensor, c: og.Tensor | None = None) -> og.Tensor:
    """alpha A B + beta C."""
    a = a.permute([1, 0]) if call.get("transA", 0) else a
    b = b.permute([1, 0]) if call.get("transB", 0) else b
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    product = og.matmul(a, b)
    if alpha != 1.0:
        product = (product * alpha).to(product.dtype)
    if c is None or beta == 0:
        return product
    return product + (c if beta == 1.0 else (c * beta).to(c.dtype))


@operator("Einsum")
def einsum(call: Call, *values: og.Tensor) -> og.Tensor:
    """Products and sums in the notation of Einstein."""
    return og.einsum(call.get("equation").replace(" ", ""), *values)


@operator("Det")
def det(call: Call, x: og.Tensor) -> og.Tensor:
    """Determinants."""
    return og.linalg.det(x)


def _softmax_axis(call: Call, x: og.Tensor) -> tuple[og.Tensor, int]:
    """Before version 13 all dimensions from the axis on were one."""
    if call.version >= 13:
        return x, call.get("axis", -1)
    axis = call.get("axis", 1) % max(1, len(x.shape))
    return x.reshape([math.prod(x.shape[:axis]), -1]), -1


@operator("Softmax")
def softmax(call: Call, x: og.Tensor) -> og.Tensor:
    """Shares that add up to one."""
    flat, axis = _softmax_axis(call, x)
    return og.softmax(flat, axis).reshape(x.shape)


@operator("LogSoftmax")
def log_softmax(call: Call, x: og.Tensor) -> og.Tensor:
    """The logarithm of softmax."""
    flat, axis = _softmax_axis(call, x)
    return og.log_softmax(flat, axis).reshape(x.shape)
