"""Operators that reduce along axes, and those that accumulate or order along one. Read next: `../registry.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import COMPUTED, Array, numbers, tensor, type_name


def _axes(call: Call, x: Any, axes: Any) -> list[int] | None:
    """The axes; all of them for None; nothing to do for an empty list."""
    found = call.get("axes") if axes is None else numbers(axes, "the axes of a reduction")
    rank = len(x.shape)
    if found is None or len(found) == 0:
        return [] if call.get("noop_with_empty_axes", 0) else list(range(rank))
    if any(not -rank <= a < rank for a in found):
        raise call.error(f"axes {found} are not those of shape {tuple(x.shape)}")
    return [a % rank for a in found]


def _reduce(
    name: str,
    function: Callable[[og.Tensor, list[int], bool], og.Tensor],
    host: Callable[..., Any] | None = None,
    before: Callable[[og.Tensor], og.Tensor] | None = None,
) -> None:
    def compute(call: Call, x: Any, axes: Any = None) -> og.Tensor:
        x = tensor(x)
        dims, keep = _axes(call, x, axes), bool(call.get("keepdims", 1))
        if not dims:
            return before(x) if before is not None else x
        return function(x, dims, keep).to(x.dtype)

    def compute_host(call: Call, x: Array, axes: Any = None) -> Array:
        assert host is not None
        dims = _axes(call, x, axes)
        if not dims:
            return x
        return np.asarray(host(x, axis=tuple(dims), keepdims=bool(call.get("keepdims", 1)))).astype(x.dtype)

    operator(name, host=None if host is None else compute_host, raw=True)(compute)


def _product(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
    for dim in sorted(dims, reverse=True):
        x = og.prod(x, dim, keepdim=keep, dtype=x.dtype)
    return x


def _extreme(largest: bool) -> Callable[[og.Tensor, list[int], bool], og.Tensor]:
    function = og.amax if largest else og.amin

    def reduce(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
        if all(not isinstance(x.shape[d], int) or x.shape[d] > 0 for d in dims):
            return (
                function(x, dims, keepdim=keep)
                if x.dtype is not og.bool
                else function(x.to(og.uint8), dims, keepdim=keep)
            )
        shape = [1 if i in dims else s for i, s in enumerate(x.shape)]
        if not keep:
            shape = [s for i, s in enumerate(x.shape) if i not in dims]
        if x.dtype.is_floating_point:
            return og.full(shape, -math.inf if largest else math.inf, dtype=x.dtype)
        if x.dtype is og.bool:
            return og.full(shape, not largest, dtype=og.bool)
        limits = og.iinfo(x.dtype)
        return og.full(shape, limits.min if largest else limits.max, dtype=x.dtype)

    return reduce


def _log_sum(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
    return og.log(og.sum(x, dims, keepdim=keep))


def _log_sum_exp(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
    return og.logsumexp(x if x.dtype.is_floating_point else x.to(og.float32), dims, keepdim=keep)


def _l2(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
    wide = x if x.dtype.is_floating_point else x.to(og.float32)
    return og.sqrt(og.sum(wide * wide, dims, keepdim=keep))


def _mean(x: og.Tensor, dims: list[int], keep: bool) -> og.Tensor:
    return og.mean(x if x.dtype.is_floating_point else x.to(og.float64), dims, keepdim=keep)


_reduce("ReduceSum", lambda x, d, k: og.sum(x, d, keepdim=k, dtype=x.dtype), np.sum)
_reduce("ReduceMean", _mean)
_reduce("ReduceProd", _product, np.prod)
_reduce("ReduceMax", _extreme(True), np.max)
_reduce("ReduceMin", _extreme(False), np.min)
_reduce("ReduceL1", lambda x, d, k: og.sum(og.abs(x), d, keepdim=k), before=og.abs)
_reduce("ReduceL2", _l2, before=og.abs)
_reduce("ReduceSumSquare", lambda x, d, k: og.sum(x * x, d, keepdim=k), before=lambda x: x * x)
_reduce("ReduceLogSum", _log_sum, before=og.log)
_reduce("ReduceLogSumExp", _log_sum_exp)


def _arg_extreme(name: str, function: Callable[..., og.Tensor]) -> None:
    def compute(call: Call, x: og.Tensor) -> og.Tensor:
        axis, keep = call.get("axis", 0), bool(call.get("keepdims", 1))
        if not call.get("select_last_index", 0):
            return function(x, axis, keepdim=keep)
        return x.shape[axis] - 1 - function(og.flip(x, [axis]), axis, keepdim=keep)

    operator(name)(compute)


_arg_extreme("ArgMax", og.argmax)
_arg_extreme("ArgMin", og.argmin)


def _top_k_host(call: Call, x: Array, k: Any = None) -> tuple[Array, Array]:
    count = call.get("k") if k is None else numbers(k, "the k of TopK")[0]
    axis = call.get("axis", -1)
    keys = x.max() - x if call.get("largest", 1) and x.size else x  # no sign is needed, and the order of equals stays
    places = np.take(np.argsort(keys, axis, kind="stable"), range(count), axis).astype(np.int64)
    return np.take_along_axis(x, places, axis), places


@operator("TopK", host=_top_k_host, raw=True)
def top_k(call: Call, x: Any, k: Any = None) -> tuple[Any, Any]:
    """The k largest or smallest along an axis, and where they are."""
    if type_name(x) not in COMPUTED:
        return _top_k_host(call, x, k)
    count = call.get("k") if k is None else numbers(k, "the k of TopK")[0]
    x, axis, largest = tensor(x), call.get("axis", -1), bool(call.get("largest", 1))
    # Of equal values the first comes first.
    ordered, places = og.sort(x, dim=axis, descending=largest, stable=True)
    return ordered.narrow(axis, 0, count), places.narrow(axis, 0, count)


def _accumulate(name: str, function: Callable[..., og.Tensor], neutral: int) -> None:
    def compute(call: Call, x: Any, axis: Any = None) -> og.Tensor:
        x, dim = tensor(x), int(numbers(axis, f"the axis of {name}")[0])
        reverse, exclusive = call.get("reverse", 0), call.get("exclusive", 0)
        if reverse:
            x = og.flip(x, [dim])
        if exclusive:
            first = og.full_like(x.narrow(dim, 0, 1), neutral)
            x = og.cat([first, x.narrow(dim, 0, x.shape[dim] - 1)], dim)
        found = function(x, dim, dtype=x.dtype)
        return og.flip(found, [dim]) if reverse else found

    operator(name, raw=True)(compute)


_accumulate("CumSum", og.cumsum, 0)
_accumulate("CumProd", og.cumprod, 1)


@operator("Hardmax")
def hardmax(call: Call, x: og.Tensor) -> og.Tensor:
    """1 at the first largest value along an axis, 0 elsewhere."""
    if call.version < 13:
        axis = call.get("axis", 1) % max(1, len(x.shape))
        flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
        return _hardmax(flat, -1).reshape(x.shape)
    return _hardmax(x, call.get("axis", -1))


def _hardmax(x: og.Tensor, axis: int) -> og.Tensor:
    axis %= len(x.shape)
    places = og.argmax(x, axis, keepdim=True)
    positions = og.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(x.shape))])
    return (positions == places).to(x.dtype)
