"""If, Loop and Scan: by looking at the values where they are known, as control flow of our graph where they are not.

Read next: `onegraph/frontend/control.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.errors import TraceError
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Value, array, is_host, numpy_dtype, tensor


@operator("If", raw=True)
def if_(call: Call, condition: Value) -> Any:
    """One of two graphs."""
    try:
        chosen = bool(array(condition).reshape(-1)[0])
    except TraceError:
        both = [
            lambda name=name: tuple(tensor(v) for v in call.body(name, [])) for name in ("then_branch", "else_branch")
        ]
        return tuple(og.cond(tensor(condition).reshape([]), both[0], both[1]))
    return tuple(call.body("then_branch" if chosen else "else_branch", []))


def _truth(value: Value) -> bool | None:
    """A condition, or None where it is not known while the graph is traced."""
    try:
        return bool(array(value).reshape(-1)[0])
    except TraceError:
        return None


@operator("Loop", raw=True)
def loop(call: Call, trips: Value = None, condition: Value = None, *carried: Value) -> Any:
    """A graph again and again: as often as said, and while a condition holds."""
    try:
        limit = None if trips is None else int(array(trips).reshape(-1)[0])
    except TraceError:
        return _traced_loop(call, trips, condition, carried)
    state, count = list(carried), len(carried)
    collected: list[list[Value]] | None = None
    go = True if condition is None else _truth(condition)
    if go is None:
        return _traced_loop(call, trips, condition, carried)
    turn = 0
    while go and (limit is None or turn < limit):
        again, *values = call.body(
            "body", [np.array(turn, np.int64), np.array(True) if condition is None else condition, *state]
        )
        state, outputs = values[:count], values[count:]
        collected = [[] for _ in outputs] if collected is None else collected
        for kept, value in zip(collected, outputs, strict=True):
            kept.append(value)
        turn += 1
        condition = again
        truth = _truth(again)
        if truth is None:
            return _traced_loop(call, trips, condition, carried) if turn == 1 else _unknown(call)
        go = truth
    scans = len(call.get("body").outputs) - 1 - count
    collected = [[] for _ in range(scans)] if collected is None else collected
    return tuple(state) + tuple(_stacked(call, values, i + 1 + count) for i, values in enumerate(collected))


def _unknown(call: Call) -> Any:
    raise TraceError(
        f"the condition of {call.node.op} depends on values that are computed, and this code is being traced"
    )


def _stacked(call: Call, values: list[Value], position: int) -> Value:
    if not values:
        info = call.get("body").outputs[position]
        sizes = [s if isinstance(s, int) else 0 for s in info.shape or ()]
        return np.zeros([0, *sizes], numpy_dtype(info.data_type or 1))
    if all(is_host(v) for v in values):
        return np.stack([np.asarray(v) for v in values])
    return og.stack([tensor(v) for v in values])


def _traced_loop(call: Call, trips: Value, condition: Value, carried: Any) -> Any:
    """As a loop inside of the graph; what each turn adds cannot be collected there, as nobody knows how often it runs."""
    if len(call.get("body").outputs) > 1 + len(carried):
        raise TraceError(
            f"{call.node.op}: how often it runs depends on values that are computed, so its scan outputs have no known size",
            hint="call the module as it is, without og.jit",
        )
    limit = og.tensor(np.iinfo(np.int64).max) if trips is None else tensor(trips).reshape([])
    start = og.tensor(True) if condition is None else tensor(condition).reshape([])

    def holds(turn: og.Tensor, go: og.Tensor, *state: og.Tensor) -> og.Tensor:
        return og.logical_and(go, turn < limit)

    def step(turn: og.Tensor, go: og.Tensor, *state: og.Tensor) -> tuple[og.Tensor, ...]:
        again, *values = call.body("body", [turn, go, *state])
        return (turn + 1, tensor(again).reshape([]), *[tensor(v) for v in values])

    return tuple(og.while_loop(holds, step, (og.tensor(0), start, *[tensor(v) for v in carried])))[2:]


@operator("Scan", raw=True)
def scan(call: Call, *inputs: Value) -> Any:
    """A graph along axes of its inputs, with values that are handed from step to step."""
    if call.version < 9:
        return _scan_batches(call, *inputs)
    return _scan(
        call, [tensor(v) for v in inputs], call.get("scan_input_directions"), call.get("scan_output_directions")
    )


def _scan(call: Call, inputs: list[og.Tensor], directions: Any, output_directions: Any) -> tuple[og.Tensor, ...]:
    count = call.get("num_scan_inputs")
    first = len(inputs) - count
    axes, output_axes = call.get("scan_input_axes") or [0] * count, call.get("scan_output_axes")
    sequences = []
    for i, value in enumerate(inputs[first:]):
        moved = og.moveaxis(value, axes[i], 0)
        sequences.append(og.flip(moved, [0]) if directions and directions[i] else moved)

    def step(state: Any, values: Any) -> Any:
        found = [tensor(v) for v in call.body("body", [*state, *values])]
        return tuple(found[:first]), tuple(found[first:])

    state, outputs = og.scan(step, tuple(inputs[:first]), tuple(sequences))
    results = []
    for i, value in enumerate(outputs):
        value = og.flip(value, [0]) if output_directions and output_directions[i] else value
        results.append(og.moveaxis(value, 0, output_axes[i]) if output_axes else value)
    return (*state, *results)


def _scan_batches(call: Call, lengths: Value, *inputs: Value) -> tuple[og.Tensor, ...]:
    """Version 8: each sequence of a batch by itself."""
    values = [tensor(v) for v in inputs]
    if lengths is not None and lengths.shape[0]:
        raise call.unsupported("sequences of different lengths in version 8 of Scan")
    rows = [_scan(call, [v[b] for v in values], call.get("directions"), None) for b in range(values[0].shape[0])]
    return tuple(og.stack(column) for column in zip(*rows, strict=True))
