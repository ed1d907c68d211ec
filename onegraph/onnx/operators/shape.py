"""Operators that make, move and measure shapes; on arrays they stay arrays, so that shapes remain known. Read next: `indexing.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Array, Value, is_host, known, numbers, numpy_dtype, sizes_array, tensor


@operator("Constant", raw=True)
def constant(call: Call) -> Value:
    """The value of an attribute."""
    for name in ("value", "sparse_value"):
        if call.has(name):
            return call.get(name)
    for name, dtype in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        if call.has(name):
            return np.array(call.get(name), dtype)
    for name in ("value_string", "value_strings"):
        if call.has(name):
            return np.array(call.get(name), object)
    raise call.error("it has no value")


@operator("ConstantOfShape", raw=True)
def constant_of_shape(call: Call, shape: Value) -> Value:
    """One value, again and again."""
    sizes = numbers(shape, "the shape of ConstantOfShape")
    value = call.get("value")
    value = np.zeros(1, np.float32) if value is None else np.asarray(value)
    if any(not isinstance(s, int) for s in sizes) or math.prod(sizes) > 1024:
        return tensor(value.reshape(())).expand(sizes)
    return np.full(sizes, value.reshape(-1)[0], value.dtype)


@operator("Shape", raw=True)
def shape(call: Call, x: Value) -> Array:
    """Sizes, or some of them."""
    sizes = list(x.shape)
    rank = len(sizes)
    start, end = call.get("start", 0), call.get("end", rank)
    start, end = (min(max(p + rank if p < 0 else p, 0), rank) for p in (start, end))
    return sizes_array(sizes[start:end])


@operator("Size", raw=True)
def size(call: Call, x: Value) -> Array:
    """How many numbers."""
    return sizes_array([math.prod(list(x.shape))]).reshape(())


def _target(call: Call, x: Value, wanted: list[Any]) -> list[Any]:
    if not call.get("allowzero", 0):
        wanted = [x.shape[i] if isinstance(s, int) and s == 0 and i < len(x.shape) else s for i, s in enumerate(wanted)]
    elif -1 in [s for s in wanted if isinstance(s, int)] and 0 in [s for s in wanted if isinstance(s, int)]:
        raise call.error(f"allowzero: the shape {wanted} has both 0 and -1")
    return wanted


@operator("Reshape", raw=True)
def reshape(call: Call, x: Value, shape: Value = None) -> Value:
    """The same numbers in another shape; 0 keeps a size, -1 is what is left."""
    wanted = call.get("shape") if shape is None else numbers(shape, "the shape of Reshape")
    return x.reshape(_target(call, x, list(wanted)))


@operator("Flatten", raw=True)
def flatten(call: Call, x: Value) -> Value:
    """Two dimensions: those before an axis, and those from it on."""
    rank = len(x.shape)
    axis = call.get("axis", 1)
    axis = axis + rank if axis < 0 else axis
    first = math.prod(x.shape[:axis])
    return x.reshape([first, math.prod(x.shape[axis:])])


@operator("Transpose", raw=True)
def transpose(call: Call, x: Value) -> Value:
    """Dimensions in another order, the reverse one by default."""
    order = call.get("perm") or list(range(len(x.shape)))[::-1]
    return np.transpose(x, order) if is_host(x) else x.permute(order)


@operator("Squeeze", raw=True)
def squeeze(call: Call, x: Value, axes: Value = None) -> Value:
    """Without dimensions of size 1: the given ones, or all."""
    chosen = call.get("axes") if axes is None else numbers(axes, "the axes of Squeeze")
    rank = len(x.shape)
    if chosen is None:
        chosen = [i for i, s in enumerate(x.shape) if isinstance(s, int) and s == 1]
    gone = {a % rank for a in chosen} if rank else set()
    if any(isinstance(x.shape[a], int) and x.shape[a] != 1 for a in gone):
        raise call.error(f"axes {list(chosen)} of shape {tuple(x.shape)} are not all of size 1")
    return x.reshape([s for i, s in enumerate(x.shape) if i not in gone])


@operator("Unsqueeze", raw=True)
def unsqueeze(call: Call, x: Value, axes: Value = None) -> Value:
    """With dimensions of size 1 at some places."""
    chosen = call.get("axes") if axes is None else numbers(axes, "the axes of Unsqueeze")
    rank = len(x.shape) + len(chosen)
    places = {a % rank for a in chosen}
    if len(places) != len(chosen):
        raise call.error(f"axes {list(chosen)} name a place twice")
    sizes = iter(list(x.shape))
    return x.reshape([1 if i in places else next(sizes) for i in range(rank)])


@operator("Concat", raw=True)
def concat(call: Call, *values: Value) -> Value:
    """Joined along an axis."""
    axis = call.get("axis", 1)
    if all(is_host(v) for v in values):
        return np.concatenate(values, axis)
    return og.cat([tensor(v) for v in values], axis)


@operator("Split", raw=True)
def split(call: Call, x: Value, lengths: Value = None) -> tuple[Value, ...]:
    """Cut along an axis: into given lengths, or into as many pieces as there are outputs."""
    axis = call.get("axis", 0)
    parts = call.get("split") if lengths is None else numbers(lengths, "the lengths of Split")
    if parts is None:
        count, whole = call.get("num_outputs") or call.outputs, x.shape[axis]
        piece = -(-whole // count)
        parts = [piece] * (count - 1)
        parts.append(whole - piece * (count - 1))
    starts = [sum(parts[:i]) for i in range(len(parts))]
    if is_host(x):
        return tuple(np.take(x, range(s, s + n), axis) for s, n in zip(starts, parts, strict=True))
    return tuple(x.narrow(axis, s, n) for s, n in zip(starts, parts, strict=True))


@operator("Expand", raw=True)
def expand(call: Call, x: Value, shape: Value) -> Value:
    """Repeated to a shape, by the rules of broadcasting in both directions."""
    wanted = numbers(shape, "the shape of Expand")
    rank = max(len(wanted), len(x.shape))
    sizes = [1] * (rank - len(x.shape)) + list(x.shape)
    wanted = [1] * (rank - len(wanted)) + list(wanted)
    target = [w if isinstance(s, int) and s == 1 else s for s, w in zip(sizes, wanted, strict=True)]
    for s, w in zip(sizes, wanted, strict=True):
        if isinstance(s, int) and isinstance(w, int) and 1 not in (s, w) and s != w:
            raise call.error(f"shape {tuple(x.shape)} does not broadcast to {tuple(wanted)}")
    if is_host(x):
        return np.broadcast_to(x, target).copy()
    return x.expand(target)


@operator("Tile", raw=True)
def tile(call: Call, x: Value, repeats: Value, axis: Value = None) -> Value:
    """Repeated along each axis."""
    times = numbers(repeats, "the repeats of Tile")
    if axis is not None and len(x.shape) > 1 and len(times) == 1:
        times = [times[0] if i == numbers(axis)[0] else 1 for i in range(len(x.shape))]
    return np.tile(x, times) if is_host(x) else og.tile(x, times)


@operator("Range", raw=True)
def arange(call: Call, start: Value, limit: Value, delta: Value) -> Value:
    """Numbers from the first to before the last, with equal steps."""
    first, last, step = (known(v, "a bound of Range") for v in (start, limit, delta))
    count = max(int(np.ceil((last.item() - first.item()) / step.item())), 0)
    return (first.reshape(()) + np.arange(count) * step.reshape(())).astype(first.dtype)


@operator("EyeLike", raw=True)
def eye_like(call: Call, x: Value) -> og.Tensor:
    """Ones on a diagonal, of the shape of the input."""
    dtype = numpy_dtype(call.get("dtype")) if call.has("dtype") else None
    rows, columns = x.shape
    found = np.eye(rows, columns, call.get("k", 0), dtype or (x.dtype if is_host(x) else x.dtype.numpy))
    return tensor(found)


@operator("Pad", raw=True)
def pad(call: Call, x: Value, pads: Value = None, value: Value = None, axes: Value = None) -> Value:
    """Wider at both ends of the axes: a constant, or reflected, repeated or wrapped values. Negative widths cut."""
    widths = call.get("pads", call.get("paddings")) if pads is None else numbers(pads, "the widths of Pad")
    rank = len(x.shape)
    chosen = [a % rank for a in numbers(axes, "the axes of Pad")] if axes is not None else list(range(rank))
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(chosen):
        before[axis], after[axis] = widths[i], widths[len(chosen) + i]
    mode = call.get("mode", "constant")
    filler = call.get("value", 0.0) if value is None else known(value, "the value of Pad").reshape(-1)[0]
    if is_host(x) or mode != "constant":
        return _pad_by_index(x, before, after, mode, filler)
    flat = [w for axis in reversed(range(rank)) for w in (before[axis], after[axis])]
    if x.dtype is og.bool:
        return F.pad(x.to(og.uint8), flat, value=float(bool(filler))).to(og.bool)
    return F.pad(x, flat, value=filler.item() if hasattr(filler, "item") else filler)


def _pad_by_index(x: Value, before: list[int], after: list[int], mode: str, filler: Any) -> Value:
    """Pad by taking from the positions that each place repeats."""
    if mode == "constant":
        cut = tuple(slice(max(-b, 0), s - max(-a, 0)) for b, a, s in zip(before, after, x.shape, strict=True))
        return np.pad(
            x[cut], [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)], constant_values=filler
        )
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if not low and not high:
            continue
        count = x.shape[axis]
        positions = np.arange(-low, count + high)
        if mode == "edge":
            positions = positions.clip(0, count - 1)
        elif mode == "wrap":
            positions = positions % count
        else:
            period = max(2 * (count - 1), 1)
            positions = np.abs((positions + count - 1) % period - (count - 1)) if count > 1 else positions * 0
        x = np.take(x, positions, axis) if is_host(x) else og.index_select(x, axis, og.tensor(positions))
    return x


@operator("DepthToSpace")
def depth_to_space(call: Call, x: og.Tensor) -> og.Tensor:
    """Channels as blocks of pixels."""
    n, c, h, w = x.shape
    block = call.get("blocksize")
    if call.get("mode", "DCR") == "DCR":
        parts = x.reshape([n, block, block, c // block**2, h, w]).permute([0, 3, 4, 1, 5, 2])
    else:
        parts = x.reshape([n, c // block**2, block, block, h, w]).permute([0, 1, 4, 2, 5, 3])
    return parts.reshape([n, c // block**2, h * block, w * block])


@operator("SpaceToDepth")
def space_to_depth(call: Call, x: og.Tensor) -> og.Tensor:
    """Blocks of pixels as channels."""
    n, c, h, w = x.shape
    block = call.get("blocksize")
    if call.get("mode", "DCR") == "DCR":
        order = [0, 3, 5, 1, 2, 4]
    else:
        order = [0, 1, 3, 5, 2, 4]
    parts = x.reshape([n, c, h // block, block, w // block, block]).permute(order)
    return parts.reshape([n, c * block**2, h // block, w // block])
