"""Recognizes pooling, means and response normalization, which our graph has as windows, sums and quotients.

Read next: `program.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from onegraph.ir.node import Node
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.matching import either, is_number, mean_of, number
from onegraph.onnx.export.registry import Raised, one, raising


@dataclass(frozen=True)
class _Windows:
    """Windows over all dimensions from the third on of x, which was padded with one number."""

    x: Node
    sizes: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]


def _windows(node: Node, fill: float) -> _Windows | None:
    if node.op != "windows":
        return None
    a, (x,) = node.attributes, node.inputs
    rank = len(x.shape)
    if rank < 3 or tuple(a["dims"]) != tuple(range(2, rank)):
        return None
    padding: list[tuple[int, int, int]] = [(0, 0, 0)] * rank
    if x.op == "pad" and number(x.inputs[1]) == fill:
        padding, x = list(x.attributes["padding"]), x.inputs[0]
    sizes = list(a["sizes"])
    outside = [p for p in padding[:2] if p != (0, 0, 0)] + [p for p in padding if p[2]]
    too_far = any(not (0 <= p[0] < k and 0 <= p[1] < k) for p, k in zip(padding[2:], sizes, strict=True))
    if outside or too_far:
        return None
    pads = [p[0] for p in padding[2:]] + [p[1] for p in padding[2:]]
    return _Windows(x, sizes, list(a["strides"]), list(a["dilations"]), pads)


@raising("sum")
def _max_pool(emitter: Emitter, node: Node) -> Raised | None:
    """The sum over each window of its elements where they are the largest, and of zeros elsewhere."""
    (chosen,) = node.inputs
    if chosen.op != "where" or number(chosen.inputs[2]) != 0.0 or node.attributes["keepdim"]:
        return None
    equal, rows, _ = chosen.inputs
    windows = rows.inputs[0] if rows.op == "reshape" else rows
    if equal.op != "eq" or node.attributes["dims"] != (len(rows.shape) - 1,):
        return None
    places, largest = equal.inputs
    if places.op != "iota" or largest.op != "argmax" or largest.inputs[0] is not rows:
        return None
    found = _windows(windows, float("-inf"))
    if found is None or rows.shape != (*node.shape, prod(found.sizes)):
        return None
    dilated = any(d != 1 for d in found.dilations)
    if dilated and emitter.opset < 10:
        return None
    return Raised(
        [found.x],
        lambda e: str(
            e.node(
                "MaxPool",
                [e.value(found.x)],
                kernel_shape=found.sizes,
                strides=found.strides,
                pads=found.pads,
                dilations=found.dilations if dilated else None,
            )
        ),
    )


def _summed_windows(node: Node) -> _Windows | None:
    """Windows of which `node` is the sum of each."""
    if node.op != "sum" or node.attributes["keepdim"]:
        return None
    found = _windows(node.inputs[0], 0.0)
    rank = len(node.shape)
    if found is None or tuple(node.attributes["dims"]) != tuple(range(rank, rank + len(found.sizes))):
        return None
    return None if any(d != 1 for d in found.dilations) else found


def _average(emitter: Emitter, found: _Windows) -> str:
    return str(
        emitter.node(
            "AveragePool",
            [emitter.value(found.x)],
            kernel_shape=found.sizes,
            strides=found.strides,
            pads=found.pads,
            count_include_pad=1 if any(found.pads) else None,
        )
    )


@raising("div")
def _average_pool(emitter: Emitter, node: Node) -> Raised | None:
    found = _summed_windows(node.inputs[0])
    if found is None or not is_number(node.inputs[1], prod(found.sizes)):
        return None
    return Raised([found.x], lambda e: _average(e, found))


@raising("sum")
def _sum_pool(emitter: Emitter, node: Node) -> Raised | None:
    """Sums of windows are averages times their number of elements."""
    found = _summed_windows(node)
    if found is None or not node.dtype.is_floating_point or node.dtype.name == "bfloat16":
        return None
    count = prod(found.sizes)
    return Raised([found.x], lambda e: str(e.node("Mul", [_average(e, found), e.constant(count, node.dtype)])))


def _is_of_all_places(node: Node) -> Node | None:
    """x, where a node is its mean over all dimensions from the third on, one dimension after the other or at once."""
    mean = mean_of(node)
    if mean is not None and len(mean[0].shape) == len(node.shape) >= 3:
        x, dims, keep = mean
        return x if keep and dims == tuple(range(2, len(x.shape))) else None
    x, rank = node, len(node.shape)
    for dim in reversed(range(2, rank)):  # as adaptive pooling to one place does: rows, then columns
        mean = mean_of(x)
        if mean is None or mean[2] or mean[0].op != "reshape" or mean[1] != (dim + 1,):
            return None
        before = mean[0].inputs[0]
        if len(before.shape) != rank or before.shape[:dim] != x.shape[:dim] or x.shape[dim] != 1:
            return None
        if mean[0].shape != (*before.shape[:dim], 1, before.shape[dim], *before.shape[dim + 1 :]):
            return None
        x = before
    return x if rank >= 3 else None


@raising("div")
def _global_average_pool(emitter: Emitter, node: Node) -> Raised | None:
    x = _is_of_all_places(node)
    if x is None:
        return None
    return Raised([x], lambda e: str(e.node("GlobalAveragePool", [e.value(x)])))


@raising("div")
def _mean(emitter: Emitter, node: Node) -> Raised | None:
    found = mean_of(node)
    if found is None:
        return None
    x, dims, keep = found
    return Raised([x], lambda e: e.reduce("ReduceMean", e.value(x), dims, keep))


@raising("div")
def _local_response_norm(emitter: Emitter, node: Node) -> Raised | None:
    """x / (k + alpha / n * sum of squares of n channels) ** beta."""
    x, power = node.inputs
    if power.op != "pow" or len(x.shape) < 3:
        return None
    beta = number(power.inputs[1])
    for spread, bias in either(power.inputs[0], "add"):
        k = number(bias)
        for total, factor in either(spread, "mul"):
            scale = number(factor)
            if beta is None or k is None or scale is None or total.op != "sum":
                continue
            (windows,) = total.inputs
            size = _channel_windows(windows, x)
            if size is not None and total.attributes["dims"] == (len(x.shape),):
                return one("LRN", [x], size=size, alpha=scale * size, beta=beta, bias=k)
    return None


def _channel_windows(windows: Node, x: Node) -> int | None:
    """How many channels each window of squares has."""
    if windows.op != "windows" or windows.attributes["dims"] != (1,) or windows.attributes["strides"] != (1,):
        return None
    (padded,) = windows.inputs
    (size,) = windows.attributes["sizes"]
    if padded.op != "pad" or number(padded.inputs[1]) != 0.0 or padded.inputs[0].inputs != (x, x):
        return None
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    wanted = [(0, 0, 0), (before, after, 0), *[(0, 0, 0)] * (len(x.shape) - 2)]
    squares = padded.inputs[0].op == "mul" and list(padded.attributes["padding"]) == wanted
    return int(size) if squares and windows.attributes["dilations"] == (1,) else None
