"""Conversion between element types, those without arithmetic here among them. Read next: `quantization.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import (
    COMPUTED,
    Array,
    Value,
    array,
    element_type,
    is_host,
    numpy_dtype,
    onnx_package,
    tensor,
    type_name,
)


@operator("Cast", raw=True)
def cast(call: Call, x: Value) -> Value:
    """To another element type."""
    return converted(call, x, call.get("to"))


@operator("CastLike", raw=True)
def cast_like(call: Call, x: Value, like: Value) -> Value:
    """To the element type of another value."""
    name = type_name(like)
    dtype = np.dtype(object) if name == "string" else array(like).dtype if is_host(like) else None
    number = 8 if name == "string" else element_type(dtype if dtype is not None else _numpy_of(like))
    return converted(call, x, number)


def _numpy_of(value: og.Tensor) -> np.dtype[Any]:
    return numpy_dtype(16) if value.dtype is og.bfloat16 else value.dtype.numpy


_FLOAT8 = {17, 18, 19, 20}


def converted(call: Call, x: Value, to: int) -> Value:
    """A value of another element type, by its number."""
    target = numpy_dtype(to)
    if not is_host(x) and target.name in COMPUTED:
        return x.to(COMPUTED[target.name])
    values = array(x)
    if to == 8:
        return _as_text(values)
    if values.dtype.kind in "OUS":
        found = _from_text(values, target)
    else:
        found = _convert(call, values, target, to)
    return tensor(found) if found.dtype.name in COMPUTED and not is_host(x) else found


def _as_text(values: Array) -> Array:
    found = np.empty(values.size, object)
    found[:] = [str(v) if not isinstance(v, (float, np.floating)) else _float_text(v) for v in values.reshape(-1)]
    return found.reshape(values.shape)


def _float_text(value: Any) -> str:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "INF" if value > 0 else "-INF"
    return np.format_float_positional(value, trim="-") if 1e-5 <= abs(value) < 1e16 or value == 0 else str(value)


def _from_text(values: Array, target: np.dtype[Any]) -> Array:
    flat = [float(str(v)) if target.kind == "f" or target.kind == "V" else int(str(v)) for v in values.reshape(-1)]
    return np.array(flat).reshape(values.shape).astype(target)


def _convert(call: Call, values: Array, target: np.dtype[Any], to: int) -> Array:
    with np.errstate(all="ignore"):
        if to in _FLOAT8:
            return _to_float8(values, target, bool(call.get("saturate", 1)))
        if to == 24:
            return _to_scale(values, target, call.get("round_mode", "up"), bool(call.get("saturate", 1)))
        if target.name in ("int4", "uint4", "int2", "uint2") and values.dtype.kind not in "iu":
            return np.asarray(values, np.float32).astype(np.int32).astype(target)
        if values.dtype.kind == "V" or (
            values.dtype.name not in ("float16", "float32", "float64") and values.dtype.kind == "f"
        ):
            return values.astype(np.float32).astype(target)
        return values.astype(target)


def _to_float8(values: Array, target: np.dtype[Any], saturate: bool) -> Array:
    """Rounded to the nearest; what is too large becomes the largest, or without `saturate` infinite or NaN."""
    wide = values.astype(np.float32)
    found = wide.astype(target)
    limits = onnx_package("ml_dtypes").finfo(target)
    largest = float(limits.max)
    if saturate:
        found = np.where(np.isnan(wide), found, np.clip(wide, -largest, largest).astype(target))
    return np.asarray(found, target)


def _to_scale(values: Array, target: np.dtype[Any], how: str, saturate: bool) -> Array:
    """float8e8m0: powers of two alone."""
    wide = values.astype(np.float32)
    fraction, exponent = np.frexp(np.abs(wide))
    power = exponent - 1  # 2**power <= |x|
    if how == "up":
        power = power + (fraction > 0.5)
    elif how == "nearest":
        power = power + (fraction >= 0.75)
    power = np.clip(power, -127, 127 if saturate else 128)
    bits = np.where(np.isnan(wide) | (power > 127), 255, power + 127).astype(np.uint8)
    infinite = np.isinf(wide)
    bits = np.where(infinite, 254 if saturate else 255, bits).astype(np.uint8)
    bits = np.where(wide == 0, 0, bits).astype(np.uint8)
    return bits.view(target)


@operator("BitCast", raw=True)
def bit_cast(call: Call, x: Value) -> Value:
    """The same bits, read as another element type of the same size."""
    target = numpy_dtype(call.get("to"))
    values = array(x)
    found = np.ascontiguousarray(values).view(target).reshape(values.shape) if values.size else values.astype(target)
    return tensor(found) if target.name in COMPUTED and not is_host(x) else found
