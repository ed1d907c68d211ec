"""Operators that take from places, and write to places. Read next: `../registry.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Array, Value, is_host, known, numbers, tensor


@operator("Slice", raw=True)
def slice_(
    call: Call, x: Value, starts: Value = None, ends: Value = None, axes: Value = None, steps: Value = None
) -> Value:
    """From start to end along some axes, with steps."""
    first = call.get("starts") if starts is None else numbers(starts, "the starts of Slice")
    last = call.get("ends") if ends is None else numbers(ends, "the ends of Slice")
    rank = len(x.shape)
    chosen = (call.get("axes") or list(range(len(first)))) if axes is None else numbers(axes, "the axes of Slice")
    stride = [1] * len(first) if steps is None else numbers(steps, "the steps of Slice")
    index: list[Any] = [slice(None)] * rank
    backward = []
    for start, end, axis, step in zip(first, last, chosen, stride, strict=True):
        if step == 0 or not -rank <= axis < rank:
            raise call.error(f"axis {axis}, step {step} for shape {tuple(x.shape)}")
        axis %= rank
        if step > 0 or is_host(x):
            index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
        else:
            backward.append(
                (axis, range(*slice(start, None if end < -x.shape[axis] else end, step).indices(x.shape[axis])))
            )
    found = x[tuple(index)] if rank else x
    for axis, positions in backward:
        found = og.index_select(found, axis, og.tensor(np.array(list(positions), np.int64)))
    return found


@operator("Gather", raw=True)
def gather(call: Call, x: Value, indices: Value) -> Value:
    """Whole slices along an axis, at the given places."""
    axis = call.get("axis", 0)
    if is_host(x) and is_host(indices):
        return np.asarray(np.take(x, indices.astype(np.int64), axis))
    x, indices = tensor(x), tensor(indices).to(og.int64)
    axis %= len(x.shape)
    places = og.where(indices < 0, indices + x.shape[axis], indices)
    found = og.index_select(x, axis, places.reshape([-1]))
    return found.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _places(indices: og.Tensor, size: Any) -> og.Tensor:
    indices = indices.to(og.int64)
    return og.where(indices < 0, indices + size, indices)


@operator("GatherElements")
def gather_elements(call: Call, x: og.Tensor, indices: og.Tensor) -> og.Tensor:
    """One number for each index, along an axis."""
    axis = call.get("axis", 0) % len(x.shape)
    return og.gather(x, axis, _places(indices, x.shape[axis]))


def _linear(indices: og.Tensor, sizes: list[Any]) -> og.Tensor:
    """Positions in the flattened first dimensions, of tuples of indices in the last dimension."""
    found: Any = None
    for position, size in enumerate(sizes):
        part = _places(indices[..., position], size)
        found = part if found is None else found * size + part
    return found  # type: ignore[no-any-return]


@operator("GatherND")
def gather_nd(call: Call, x: og.Tensor, indices: og.Tensor) -> og.Tensor:
    """Slices at tuples of indices, in each batch."""
    batch = call.get("batch_dims", 0)
    depth = indices.shape[-1]
    inner = list(x.shape[batch : batch + depth])
    rest = list(x.shape[batch + depth :])
    lead = list(x.shape[:batch])
    places = _linear(indices, inner)
    if batch:
        groups = math.prod(lead)
        offsets = og.arange(groups).reshape([*lead, *([1] * (len(places.shape) - batch))]) * math.prod(inner)
        places = places + offsets
    found = og.index_select(x.reshape([math.prod(lead) * math.prod(inner), *rest]), 0, places.reshape([-1]))
    return found.reshape([*places.shape, *rest])


_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("ScatterElements", "Scatter")
def scatter_elements(call: Call, x: og.Tensor, indices: og.Tensor, updates: og.Tensor) -> og.Tensor:
    """Numbers written at indices along an axis."""
    axis, how = call.get("axis", 0) % len(x.shape), call.get("reduction", "none")
    places = _places(indices, x.shape[axis])
    if how == "none":
        return og.scatter(x, axis, places, updates)
    return og.scatter_reduce(x, axis, places, updates, _REDUCTIONS[how], include_self=True)


@operator("ScatterND")
def scatter_nd(call: Call, x: og.Tensor, indices: og.Tensor, updates: og.Tensor) -> og.Tensor:
    """Slices written at tuples of indices."""
    depth = indices.shape[-1]
    inner, rest = list(x.shape[:depth]), list(x.shape[depth:])
    places = _linear(indices, inner).reshape([-1])
    flat = x.reshape([math.prod(inner), math.prod(rest)])
    values = updates.reshape([places.shape[0], math.prod(rest)])
    how = call.get("reduction", "none")
    where = places.reshape([-1, 1]).expand([places.shape[0], flat.shape[1]])
    if how == "none":
        return og.scatter(flat, 0, where, values).reshape(x.shape)
    return og.scatter_reduce(flat, 0, where, values, _REDUCTIONS[how], include_self=True).reshape(x.shape)


@operator("OneHot", raw=True)
def one_hot(call: Call, indices: Value, depth: Value, values: Value) -> Value:
    """Vectors with one value where the index is, and another elsewhere."""
    count, axis = int(numbers(depth, "the depth of OneHot")[0]), call.get("axis", -1)
    indices, values = tensor(indices), tensor(values)
    places = indices.to(og.int64)
    places = og.where(places < 0, places + count, places)
    axis = axis % (len(indices.shape) + 1)
    positions = og.arange(count).reshape([-1 if i == axis else 1 for i in range(len(indices.shape) + 1)])
    return og.where(places.unsqueeze(axis) == positions, values[1], values[0])


@operator("NonZero", raw=True)
def non_zero(call: Call, x: Value) -> Array:
    """Where the numbers are that are not zero, a row a dimension. Looks at the values."""
    found = known(x, "the number of places of NonZero")
    return np.array(np.nonzero(found if found.ndim else found.reshape(1)), np.int64)


@operator("Compress", raw=True)
def compress(call: Call, x: Value, condition: Value) -> Value:
    """What a condition keeps along an axis. Looks at the condition."""
    places = np.flatnonzero(known(condition, "the number of places of Compress"))
    axis = call.get("axis")
    if is_host(x):
        return np.take(x.reshape(-1) if axis is None else x, places, 0 if axis is None else axis)
    flat = x.reshape([-1]) if axis is None else x
    return og.index_select(flat, 0 if axis is None else axis % len(x.shape), og.tensor(places))


@operator("Unique", raw=True)
def unique(call: Call, x: Value) -> tuple[Array, ...]:
    """Different values, where each was first, which one each is, how often. Looks at the values."""
    values, axis = known(x, "the number of different values"), call.get("axis")
    found, first, inverse, counts = np.unique(values, True, True, True, axis=axis)
    inverse = inverse.reshape(-1)
    if not call.get("sorted", 1):
        order = np.argsort(first)
        rank = np.argsort(order)
        found = np.take(found, order, 0 if axis is None else axis)
        first, counts, inverse = first[order], counts[order], rank[inverse]
    results = (found, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64))
    return results[: max(1, call.outputs)]


@operator("Trilu", raw=True)
def trilu(call: Call, x: Value, k: Value = None) -> Value:
    """The upper or lower triangle."""
    diagonal = 0 if k is None else int(numbers(k, "the diagonal of Trilu")[0])
    if is_host(x):
        return (np.triu if call.get("upper", 1) else np.tril)(x, diagonal)
    return (og.triu if call.get("upper", 1) else og.tril)(x, diagonal)


@operator("ReverseSequence", raw=True)
def reverse_sequence(call: Call, x: Value, lengths: Value) -> Value:
    """The first numbers of each sequence in reverse, as many as it is long."""
    x, lengths = tensor(x), tensor(lengths)
    batch, time = call.get("batch_axis", 1), call.get("time_axis", 0)
    steps = og.arange(x.shape[time])
    positions = og.where(steps[None, :] < lengths[:, None], lengths[:, None] - 1 - steps[None, :], steps[None, :])
    if time == 0:
        positions = positions.permute([1, 0])
    places = positions.reshape([*positions.shape, *([1] * (len(x.shape) - 2))]).expand(x.shape)
    assert {batch, time} == {0, 1}
    return og.gather(x, time, places)


@operator("TensorScatter", raw=True)
def tensor_scatter(call: Call, cache: Value, update: Value, indices: Value = None) -> Value:
    """New steps written into a cache along an axis, from given places on; round and round with mode "circular"."""
    cache, update = tensor(cache), tensor(update)
    axis = call.get("axis", -2) % len(cache.shape)
    count, size, batch = update.shape[axis], cache.shape[axis], cache.shape[0]
    first = og.zeros(batch, dtype=og.int64) if indices is None else tensor(indices).to(og.int64)
    positions = first[:, None] + og.arange(count)[None, :]
    if call.get("mode", "linear") == "circular":
        positions = positions % size
    shape = [1] * len(cache.shape)
    shape[0], shape[axis] = batch, count
    return og.scatter(cache, axis, positions.reshape(shape).expand(update.shape), update)
