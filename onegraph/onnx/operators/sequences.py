"""Lists of tensors, and values that may be missing. Read next: `control.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.operators.shape import split
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Value, is_host, numbers, sizes_array, tensor


@operator("SequenceConstruct", raw=True)
def construct(call: Call, *values: Value) -> list[Value]:
    """A list of values."""
    return list(values)


@operator("SequenceEmpty", raw=True)
def empty(call: Call) -> list[Value]:
    """A list of nothing."""
    return []


def _position(call: Call, values: list[Value], position: Value, most: int) -> int:
    found = int(numbers(position, f"the position of {call.node.op}")[0])
    if not -len(values) <= found < most:
        raise call.error(f"position {found} of a sequence of {len(values)}")
    return found


@operator("SequenceAt", raw=True)
def at(call: Call, values: list[Value], position: Value) -> Value:
    """One of a list."""
    return values[_position(call, values, position, len(values))]


@operator("SequenceErase", raw=True)
def erase(call: Call, values: list[Value], position: Value = None) -> list[Value]:
    """A list without one: the last by default."""
    place = -1 if position is None else _position(call, values, position, len(values))
    kept = list(values)
    del kept[place]
    return kept


@operator("SequenceInsert", raw=True)
def insert(call: Call, values: list[Value], value: Value, position: Value = None) -> list[Value]:
    """A list with one more: at the end by default."""
    more = list(values)
    more.insert(len(values) if position is None else _position(call, values, position, len(values) + 1), value)
    return more


@operator("SequenceLength", raw=True)
def length(call: Call, values: list[Value]) -> Any:
    """How many there are."""
    return np.array(len(values), np.int64)


@operator("ConcatFromSequence", raw=True)
def concat(call: Call, values: list[Value]) -> Value:
    """All of a list joined along an axis, a new one with `new_axis`."""
    axis = call.get("axis")
    if all(is_host(v) for v in values):
        return (np.stack if call.get("new_axis", 0) else np.concatenate)(values, axis)
    return (og.stack if call.get("new_axis", 0) else og.cat)([tensor(v) for v in values], axis)


@operator("SplitToSequence", raw=True)
def split_to_sequence(call: Call, x: Value, lengths: Value = None) -> list[Value]:
    """Cut along an axis, as a list."""
    axis = call.get("axis", 0)
    whole = x.shape[axis]
    if lengths is None:
        parts = split(call, x, sizes_array([1] * whole))
        if call.get("keepdims", 1):
            return list(parts)
        axis %= len(x.shape)
        return [p.reshape([s for i, s in enumerate(p.shape) if i != axis]) for p in parts]
    sizes = numbers(lengths, "the lengths of SplitToSequence")
    if lengths.ndim == 0:
        step = sizes[0]
        sizes = [min(step, whole - start) for start in range(0, whole, step)]
    return list(split(call, x, sizes_array(sizes)))


@operator("SequenceMap", raw=True)
def map_(call: Call, values: list[Value], *more: Value) -> Any:
    """A graph on each of a list, together with those of other lists or values that stay."""
    results = []
    for i, value in enumerate(values):
        results.append(call.body("body", [value, *[m[i] if isinstance(m, list) else m for m in more]]))
    count = len(call.get("body").outputs)
    return tuple([row[i] for row in results] for i in range(count))


@operator("Optional", raw=True)
def optional(call: Call, value: Value = None) -> Value:
    """A value, or none."""
    return value


@operator("OptionalHasElement", raw=True)
def has_element(call: Call, value: Value = None) -> Any:
    """Whether there is a value."""
    return np.array(value is not None)


@operator("OptionalGetElement", raw=True)
def get_element(call: Call, value: Value = None) -> Value:
    """The value."""
    if value is None:
        raise call.error("there is no element")
    return value
