"""Exporters of what moves elements: shapes, slices, padding, windows, and reading and writing at computed places.

Read next: `contraction.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.ir.dtype import float32, int64
from onegraph.ir.node import Node
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.registry import exporter


@exporter("reshape")
def _reshape(emitter: Emitter, node: Node) -> str:
    return emitter.reshape(emitter.value(node.inputs[0]), node.shape)


@exporter("permute")
def _permute(emitter: Emitter, node: Node) -> str:
    return emitter.permute(emitter.value(node.inputs[0]), node.attributes["dims"])


@exporter("expand")
def _expand(emitter: Emitter, node: Node) -> str:
    emitter.need(8, "Expand")
    return str(emitter.node("Expand", [emitter.value(node.inputs[0]), emitter.shape(node.shape)]))


@exporter("concat")
def _concat(emitter: Emitter, node: Node) -> str:
    return str(emitter.node("Concat", [emitter.value(x) for x in node.inputs], axis=node.attributes["dim"]))


def _changed(x: Node, starts: Any, stops: Any, steps: Any) -> list[int]:
    """The dimensions of which a slice leaves something out."""
    return [i for i, size in enumerate(x.shape) if (starts[i], stops[i], steps[i]) != (0, size, 1)]


@exporter("slice")
def _slice(emitter: Emitter, node: Node) -> str:
    (x,) = node.inputs
    bounds = [node.attributes[name] for name in ("starts", "stops", "steps")]
    axes = _changed(x, *bounds)
    value = emitter.value(x)
    return emitter.slice(value, axes, *[[bound[i] for i in axes] for bound in bounds]) if axes else value


@exporter("flip")
def _flip(emitter: Emitter, node: Node) -> str:
    dims = list(node.attributes["dims"])
    value = emitter.value(node.inputs[0])
    if not dims:
        return value
    emitter.need(10, "Slice with negative steps")
    last = -(2**31)
    return emitter.slice(value, dims, [-1] * len(dims), [last] * len(dims), [-1] * len(dims))


@exporter("pad")
def _pad(emitter: Emitter, node: Node) -> str:
    x, fill = node.inputs
    padding = node.attributes["padding"]
    value = emitter.value(x)
    if any(between for _, _, between in padding):
        value = _spread(emitter, value, x, [between for _, _, between in padding], emitter.value(fill))
    return pad_ends(emitter, value, [(before, after) for before, after, _ in padding], fill, emitter.value(fill))


def pad_ends(emitter: Emitter, value: str, padding: list[tuple[int, int]], fill: Node, fill_name: str) -> str:
    """Elements put before and after each dimension; negative numbers cut."""
    if all(pair == (0, 0) for pair in padding):
        return value
    pads = [before for before, _ in padding] + [after for _, after in padding]
    if emitter.opset >= 11:
        return str(emitter.node("Pad", [value, emitter.integers(*pads), fill_name], mode="constant"))
    if fill.op != "constant" or not fill.dtype.is_floating_point:
        emitter.need(11, "Pad with a computed value or integers")
    return str(emitter.node("Pad", [value], mode="constant", pads=pads, value=float(fill.attributes["value"].array)))


def _spread(emitter: Emitter, value: str, x: Node, between: list[int], fill: str) -> str:
    """`between` elements of `fill` after each element of a dimension but the last."""
    emitter.need(11, "Pad with a computed value")
    sizes = list(x.shape)
    for axis, count in enumerate(between):
        if count:
            wide = emitter.unsqueeze(value, axis + 1)
            pads = [0] * (2 * len(sizes) + 2)
            pads[len(sizes) + 1 + axis + 1] = count
            wide = emitter.node("Pad", [wide, emitter.integers(*pads), fill], mode="constant")
            sizes[axis] = sizes[axis] * (count + 1)
            value = emitter.reshape(wide, sizes)
            value = emitter.slice(value, [axis], [0], [sizes[axis] - count])
            sizes[axis] = sizes[axis] - count
    return value


@exporter("windows")
def _windows(emitter: Emitter, node: Node) -> str:
    """Along each dimension, rows of a table of places; then the window dimensions go to the end."""
    (x,) = node.inputs
    a = node.attributes
    value, rank = emitter.value(x), len(x.shape)
    for position, (dim, size, stride, dilation) in enumerate(
        zip(a["dims"], a["sizes"], a["strides"], a["dilations"], strict=True)
    ):
        count = node.shape[dim]
        if isinstance(count, int):
            places = np.arange(count)[:, None] * stride + np.arange(size)[None, :] * dilation
            table = emitter.constant(places, int64)
        else:
            emitter.need(11, "Range")
            scalar = emitter.constant([], int64, (0,))
            end = emitter.node("Reshape", [emitter.size(count), scalar])
            first = emitter.node("Range", [emitter.constant(0, int64), end, emitter.constant(1, int64)])
            first = emitter.unsqueeze(emitter.node("Mul", [first, emitter.integers(stride)]), 1)
            table = emitter.node("Add", [first, emitter.constant(np.arange(size) * dilation, int64)])
        value = emitter.node("Gather", [value, table], axis=dim)
        total = rank + position + 1
        value = emitter.permute(value, [i for i in range(total) if i != dim + 1] + [dim + 1])
    return value


@exporter("fold")
def _fold(emitter: Emitter, node: Node) -> str:
    """The transpose of `windows`: along each dimension, a product with the matrix of which place goes where."""
    (g,) = node.inputs
    a = node.attributes
    value, shape = emitter.value(g), list(g.shape)
    for dim, size, stride, dilation, length in reversed(
        list(zip(a["dims"], a["sizes"], a["strides"], a["dilations"], a["output_size"], strict=True))
    ):
        count = shape[dim]
        if not isinstance(count, int) or not isinstance(length, int):
            emitter.refuse("the sizes of windows that are added together must be known")
        matrix = np.zeros((count, size, length), node.dtype.numpy)
        for i in range(count):
            for j in range(size):
                matrix[i, j, i * stride + j * dilation] += 1
        order = [i for i in range(len(shape) - 1) if i != dim] + [dim, len(shape) - 1]
        value = emitter.permute(value, order)
        rest = [shape[i] for i in order[:-2]]
        value = emitter.reshape(value, [*rest, count * size])
        value = emitter.node("MatMul", [value, emitter.constant(matrix.reshape(count * size, length), node.dtype)])
        back = list(range(len(rest)))
        back.insert(dim, len(rest))
        value = emitter.permute(value, back)
        shape = [*rest[:dim], length, *rest[dim:]]
    return value


@exporter("take")
def _take(emitter: Emitter, node: Node) -> str:
    x, *indices = node.inputs
    dim = node.attributes["dim"]
    if len(indices) == 1:
        return str(emitter.node("Gather", [emitter.value(x), emitter.value(indices[0])], axis=dim))
    emitter.need(11, "GatherND")
    count, rank = len(indices), len(indices[0].shape)
    order = [*range(dim, dim + count), *range(dim), *range(dim + count, len(x.shape))]
    value = emitter.permute(emitter.value(x), order)
    value = emitter.node("GatherND", [value, _places(emitter, indices)])
    return emitter.permute(value, [*range(rank, rank + dim), *range(rank), *range(rank + dim, len(node.shape))])


def _places(emitter: Emitter, indices: list[Node]) -> str:
    """Index tensors as one tensor of places, its last dimension one entry for each of them."""
    parts = []
    for index in indices:
        name = emitter.value(index)
        name = name if index.dtype is int64 else emitter.cast(name, int64)
        parts.append(emitter.unsqueeze(name, len(index.shape)))
    return parts[0] if len(parts) == 1 else str(emitter.node("Concat", parts, axis=len(indices[0].shape)))


@exporter("scatter")
def _scatter(emitter: Emitter, node: Node) -> str:
    base, *indices, updates = node.inputs
    dim, mode = node.attributes["dim"], node.attributes["mode"]
    reduction = {"set": None, "add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}[mode]
    emitter.need({"set": 11, "add": 16, "multiply": 16}.get(mode, 18), "ScatterND")
    count, rank = len(indices), len(indices[0].shape)
    order = [*range(dim, dim + count), *range(dim), *range(dim + count, len(base.shape))]
    moved = [*range(dim, dim + rank), *range(dim), *range(dim + rank, len(updates.shape))]
    value = emitter.node(
        "ScatterND",
        [
            emitter.permute(emitter.value(base), order),
            _places(emitter, indices),
            emitter.permute(emitter.value(updates), moved),
        ],
        reduction=reduction,
    )
    return emitter.permute(value, list(np.argsort(order)))


@exporter("set_slice")
def _set_slice(emitter: Emitter, node: Node) -> str:
    x, update = node.inputs
    bounds = [node.attributes[name] for name in ("starts", "stops", "steps")]
    return _set_from(emitter, emitter.value(x), emitter.value(update), x, bounds, _changed(x, *bounds))


def _set_from(emitter: Emitter, base: str, update: str, x: Node, bounds: list[Any], axes: list[int]) -> str:
    """Replace a region: along the first axis what is before, the region (replaced along the others), what is after."""
    if not axes:
        return update
    axis, *rest = axes
    start, stop, step = (bound[axis] for bound in bounds)
    size = x.shape[axis]
    region = emitter.slice(base, [axis], [start], [stop], [step])
    inner = _set_from(emitter, region, update, x, bounds, rest)
    if step != 1:
        emitter.need(11, "ScatterND")
        if not all(isinstance(v, int) for v in (start, stop)):
            emitter.refuse("the bounds of what is replaced must be known when it has steps")
        places = emitter.constant(np.arange(start, stop, step)[:, None], int64)
        order = [axis, *[i for i in range(len(x.shape)) if i != axis]]
        value = emitter.node("ScatterND", [emitter.permute(base, order), places, emitter.permute(inner, order)])
        return emitter.permute(value, list(np.argsort(order)))
    parts = [inner]
    if start != 0:
        parts.insert(0, emitter.slice(base, [axis], [0], [start]))
    if stop != size:
        parts.append(emitter.slice(base, [axis], [stop], [size]))
    return parts[0] if len(parts) == 1 else str(emitter.node("Concat", parts, axis=axis))


@exporter("argsort")
def _argsort(emitter: Emitter, node: Node) -> str:
    (x,) = node.inputs
    emitter.need(11, "TopK of either direction")
    dim, largest = node.attributes["dim"], int(node.attributes["descending"])
    value = emitter.value(x) if x.dtype.name != "bool" else emitter.cast(emitter.value(x), float32)
    _, indices = emitter.node("TopK", [value, emitter.size(x.shape[dim])], 2, axis=dim, largest=largest, sorted=1)
    return str(indices)
