"""Recognizes activations, normalizations and layers that our graph has in pieces and ONNX as one operator.

A recognizer looks at the last node of a pattern. What it does not recognize is written piece by piece, which is right
as well; so each asks for exactly what it knows. Read next: `raising_images.py`.
"""

from __future__ import annotations

import math

from onegraph.ir.node import Node
from onegraph.onnx.export.contraction import convolve, convolve_transposed
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.matching import clipped, either, is_number, mean_of, number, per_channel, times_number
from onegraph.onnx.export.registry import Raised, one, raising

# ---- activations


@raising("where")
def _clip(emitter: Emitter, node: Node) -> Raised | None:
    found = clipped(node)
    if found is None or not node.dtype.is_floating_point:
        return None
    x, low, high = found
    if emitter.opset < 11:
        return one("Clip", [x], min=low, max=high)
    return Raised([x], lambda e: str(e.node("Clip", [e.value(x), e.constant(low, x.dtype), e.constant(high, x.dtype)])))


@raising("where")
def _relu(emitter: Emitter, node: Node) -> Raised | None:
    condition, zero, x = node.inputs
    if condition.op != "le" or condition.inputs != (x, zero) or number(zero) != 0.0 or x.shape != node.shape:
        return None
    return one("Relu", [x])


@raising("where")
def _leaky_relu(emitter: Emitter, node: Node) -> Raised | None:
    condition, x, scaled = node.inputs
    if condition.op != "gt" or condition.inputs[0] is not x or number(condition.inputs[1]) != 0.0:
        return None
    for value, slope in either(scaled, "mul"):
        if value is not x:
            continue
        factor = number(slope)
        if factor is not None:
            return one("LeakyRelu", [x], alpha=factor)
        if len(slope.shape) <= len(x.shape) and scaled.shape == x.shape:
            return one("PRelu", [x, slope])
    return None


def _sixth(node: Node) -> tuple[Node, Node] | None:
    """x and the clipped value of `clip(x + 3, 0, 6)`."""
    found = clipped(node)
    if found is None or found[1:] != (0.0, 6.0):
        return None
    for x, three in either(found[0], "add"):
        if is_number(three, 3.0):
            return x, node
    return None


@raising("div")
def _hard_swish(emitter: Emitter, node: Node) -> Raised | None:
    top, six = node.inputs
    if not is_number(six, 6.0):
        return None
    alone = _sixth(top)
    if alone is not None:
        return one("HardSigmoid", [alone[0]], alpha=1 / 6, beta=0.5)
    for x, gate in either(top, "mul"):
        found = _sixth(gate)
        if found is not None and found[0] is x and emitter.opset >= 14:
            return one("HardSwish", [x])
    return None


@raising("mul")
def _gelu(emitter: Emitter, node: Node) -> Raised | None:
    if emitter.opset < 20:
        return None
    for half, rest in either(node, "mul"):
        found = times_number(half)
        if found is None or found[1] != 0.5:
            continue
        for bell, number_one in either(rest, "add"):
            inner = times_number(bell.inputs[0]) if bell.op == "erf" and is_number(number_one, 1.0) else None
            if inner is not None and inner[0] is found[0] and math.isclose(inner[1], 0.5**0.5, rel_tol=1e-6):
                return one("Gelu", [found[0]])
    return None


def _shifted(node: Node) -> tuple[Node, int] | None:
    """x and the dimension of `x - max(x)`."""
    if node.op != "sub" or node.inputs[1].op != "max":
        return None
    x, top = node.inputs
    dims = top.attributes["dims"]
    fits = top.inputs[0] is x and len(dims) == 1 and top.attributes["keepdim"]
    return (x, dims[0]) if fits else None


def _is_sum_of_exponentials(node: Node, shifted: Node, dim: int) -> bool:
    if node.op != "sum" or node.attributes["dims"] != (dim,) or not node.attributes["keepdim"]:
        return False
    return node.inputs[0].op == "exp" and node.inputs[0].inputs[0] is shifted


def _softmax_fits(emitter: Emitter, x: Node, dim: int) -> bool:
    """Before opset 13 everything from the axis on was one distribution."""
    return emitter.opset >= 13 or dim == len(x.shape) - 1


@raising("div")
def _softmax(emitter: Emitter, node: Node) -> Raised | None:
    top, total = node.inputs
    found = _shifted(top.inputs[0]) if top.op == "exp" else None
    if found is None or not _is_sum_of_exponentials(total, top.inputs[0], found[1]):
        return None
    return one("Softmax", [found[0]], axis=found[1]) if _softmax_fits(emitter, *found) else None


@raising("sub")
def _log_softmax(emitter: Emitter, node: Node) -> Raised | None:
    shifted, logarithm = node.inputs
    found = _shifted(shifted)
    if found is None or logarithm.op != "log" or not _is_sum_of_exponentials(logarithm.inputs[0], shifted, found[1]):
        return None
    return one("LogSoftmax", [found[0]], axis=found[1]) if _softmax_fits(emitter, *found) else None


# ---- layers with weights


def _convolution(conv: Node, inputs: list[Node]) -> Raised:
    write = convolve if conv.op == "conv" else convolve_transposed
    return Raised(inputs, lambda e: write(e, conv, [e.value(x) for x in inputs]))


@raising("add")
def _convolution_with_bias(emitter: Emitter, node: Node) -> Raised | None:
    for conv, added in either(node, "add"):
        if conv.op not in ("conv", "conv_input_gradient") or emitter.uses.get(conv, 0) != 1:
            continue
        bias = per_channel(added, conv.shape[1], len(conv.shape))
        if bias is not None and conv.shape == node.shape:
            return _convolution(conv, [*conv.inputs, bias])
    return None


@raising("add")
def _linear(emitter: Emitter, node: Node) -> Raised | None:
    for product, bias in either(node, "add"):
        if product.op != "matmul" or emitter.uses.get(product, 0) != 1 or not node.dtype.is_floating_point:
            continue
        a, b = product.inputs
        if len(a.shape) != 2 or len(b.shape) != 2 or bias.shape != (b.shape[1],):
            continue
        if b.op == "permute":
            return one("Gemm", [a, b.inputs[0], bias], transB=1)
        return one("Gemm", [a, b, bias])
    return None


@raising("add")
def _batch_norm(emitter: Emitter, node: Node) -> Raised | None:
    """(x - mean) * rsqrt(variance + epsilon) * weight + bias, each of the four a vector over channels."""
    rank = len(node.shape)
    if rank < 2:
        return None
    for scaled, added in either(node, "add"):
        for normal, factor in either(scaled, "mul"):
            for centered, inverse in either(normal, "mul"):
                if centered.op != "sub" or inverse.op != "rsqrt" or centered.shape != node.shape:
                    continue
                x, mean = centered.inputs
                for spread, small in either(inverse.inputs[0], "add"):
                    epsilon = number(small)
                    channels = node.shape[1]
                    vectors = [per_channel(v, channels, rank) for v in (factor, added, mean, spread)]
                    if epsilon is not None and all(v is not None for v in vectors) and x.shape == node.shape:
                        return one("BatchNormalization", [x, *[v for v in vectors if v is not None]], epsilon=epsilon)
    return None


@raising("add")
def _layer_norm(emitter: Emitter, node: Node) -> Raised | None:
    """(x - mean) * rsqrt(mean of squares + epsilon) * weight + bias, over the last dimensions."""
    if emitter.opset < 17:
        return None
    for scaled, bias in either(node, "add"):
        for normal, weight in either(scaled, "mul"):
            for centered, inverse in either(normal, "mul"):
                found = _normalized(centered, inverse)
                if found is None:
                    continue
                x, dims, epsilon = found
                if weight.shape == bias.shape == x.shape[dims[0] :] and x.shape == node.shape:
                    return one("LayerNormalization", [x, weight, bias], axis=dims[0], epsilon=epsilon)
    return None


def _normalized(centered: Node, inverse: Node) -> tuple[Node, tuple[int, ...], float] | None:
    if centered.op != "sub" or inverse.op != "rsqrt":
        return None
    x, middle = centered.inputs
    mean = mean_of(middle)
    if mean is None or mean[0] is not x or mean[1] != tuple(range(mean[1][0], len(x.shape))):
        return None
    for spread, small in either(inverse.inputs[0], "add"):
        variance, epsilon = mean_of(spread), number(small)
        if variance is None or epsilon is None or variance[1] != mean[1]:
            continue
        square = variance[0]
        if square.op == "mul" and square.inputs == (centered, centered):
            return x, mean[1], epsilon
    return None
