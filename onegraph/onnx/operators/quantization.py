"""Numbers as small integers with a scale and a zero point, blocks of them too. Read next: `casting.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.operators.casting import converted
from onegraph.onnx.operators.convolution import conv
from onegraph.onnx.registry import operator
from onegraph.onnx.values import COMPUTED, Array, Value, array, element_type, numpy_dtype, tensor

_INTEGERS = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767),
             "uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1)}  # fmt: skip


def _spread(call: Call, values: Value, x: Value) -> Any:
    """A scale or zero point against the input: one for all, one for each slice of an axis, or one for each block."""
    values = np.asarray(values) if not isinstance(values, og.Tensor) else values
    if values.ndim == 0 or (values.ndim == 1 and values.shape[0] == 1):
        return values.reshape(())
    axis = call.get("axis", 1) % len(x.shape)
    block = call.get("block_size", 0)
    if not block:  # with blocks a vector has a vector of scales, one for each block
        return values.reshape([-1 if i == axis else 1 for i in range(len(x.shape))])
    repeated = np.repeat(array(values), block, axis)
    return np.take(repeated, range(x.shape[axis]), axis)


def _numbers(value: Value) -> Array:
    """As float32 or wider, on the host."""
    values = array(value)
    return values if values.dtype.name in ("float32", "float64") else values.astype(np.float32)


@operator("QuantizeLinear", raw=True)
def quantize(call: Call, x: Value, scale: Value, zero: Value = None) -> Value:
    """x / scale + zero point, rounded half to even and kept in the range of the type."""
    dtype = _target(call, zero)
    name = dtype.name
    if name in _INTEGERS and name in COMPUTED and not call.get("block_size", 0):
        x = tensor(x)
        wide = x.to(og.float32) if x.dtype not in (og.float32, og.float64) else x
        quotient = og.round(wide / tensor(_spread(call, scale, x)).to(wide.dtype))
        shift = 0 if zero is None else tensor(_spread(call, zero, x)).to(wide.dtype)
        low, high = _INTEGERS[name]
        return (quotient + shift).clamp(low, high).to(COMPUTED[name])
    values, factor = _numbers(x), _numbers(_spread(call, scale, x))
    if call.get("precision", 0):
        precision = numpy_dtype(call.get("precision"))
        quotient = (values.astype(precision) / factor.astype(precision)).astype(np.float32)
    else:
        quotient = values / factor
    shift = 0 if zero is None else _numbers(_spread(call, zero, x))
    if name in _INTEGERS:
        low, high = _INTEGERS[name]
        found = np.clip(np.rint(quotient) + shift, low, high).astype(np.int32).astype(dtype)
        return tensor(found) if name in COMPUTED else found
    return converted(call, (quotient + shift).astype(np.float32), element_type(dtype))


def _target(call: Call, zero: Value) -> np.dtype[Any]:
    if zero is not None:
        return array(zero).dtype
    return numpy_dtype(call.get("output_dtype")) if call.get("output_dtype", 0) else np.dtype(np.uint8)


@operator("DequantizeLinear", raw=True)
def dequantize(call: Call, x: Value, scale: Value, zero: Value = None) -> Value:
    """(x - zero point) scale."""
    kind = tensor(scale).dtype
    output = COMPUTED[numpy_dtype(call.get("output_dtype")).name] if call.get("output_dtype", 0) else kind
    if isinstance(x, og.Tensor) and not call.get("block_size", 0):
        wide = x.to(og.int32)
        if zero is not None:
            wide = wide - tensor(_spread(call, zero, x)).to(og.int32)
        return (wide.to(kind) * tensor(_spread(call, scale, x))).to(output)
    values = _numbers(x)
    if zero is not None:
        values = values - _numbers(_spread(call, zero, x))
    return tensor((values * _numbers(_spread(call, scale, x))).astype(np.float32)).to(output)


@operator("DynamicQuantizeLinear")
def dynamic_quantize(call: Call, x: og.Tensor) -> tuple[og.Tensor, og.Tensor, og.Tensor]:
    """To uint8, with a scale and zero point found from the values."""
    low, high = og.minimum(x.amin(), og.tensor(0.0)), og.maximum(x.amax(), og.tensor(0.0))
    scale = (high - low) / 255
    divisor = og.where(scale == 0, og.ones_like(scale), scale)
    zero = og.round((0 - low) / divisor).clamp(0, 255)
    return (og.round(x / divisor) + zero).clamp(0, 255).to(og.uint8), scale, zero.to(og.uint8)


def _centered(x: Value, zero: Value, dtype: og.dtype, by_row: bool = False) -> og.Tensor:
    """Integers less their zero point, as numbers that hold all sums exactly."""
    wide = tensor(x).to(dtype)
    if zero is None:
        return wide
    shift = tensor(zero).to(dtype)
    if shift.ndim == 1 and shift.shape[0] > 1 and by_row:
        shift = shift.reshape([-1, 1])
    return wide - (shift.reshape([]) if shift.numel() == 1 else shift)


@operator("MatMulInteger", raw=True)
def matmul_integer(call: Call, a: Value, b: Value, a_zero: Value = None, b_zero: Value = None) -> og.Tensor:
    """A product of matrices of small integers, in int32."""
    return og.matmul(_centered(a, a_zero, og.int32, True), _centered(b, b_zero, og.int32))


def _requantized(call: Call, product: og.Tensor, factor: og.Tensor, zero: Value) -> og.Tensor:
    name = array(zero).dtype.name
    low, high = _INTEGERS[name]
    shifted = og.round(product * factor) + tensor(zero).to(product.dtype)
    return shifted.clamp(low, high).to(COMPUTED[name])


@operator("QLinearMatMul", raw=True)
def quantized_matmul(
    call: Call,
    a: Value,
    a_scale: Value,
    a_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    scale: Value,
    zero: Value,
) -> og.Tensor:
    """A product of quantized matrices, quantized again."""
    product = og.matmul(_centered(a, a_zero, og.int32, True), _centered(b, b_zero, og.int32)).to(og.float32)
    factor = tensor(a_scale).to(og.float32) * tensor(b_scale).to(og.float32) / tensor(scale).to(og.float32)
    return _requantized(call, product, factor.reshape([]) if factor.numel() == 1 else factor, zero)


@operator("ConvInteger", raw=True)
def conv_integer(call: Call, x: Value, weight: Value, x_zero: Value = None, w_zero: Value = None) -> og.Tensor:
    """A convolution of small integers, in int32; float64 on the way holds all sums of products exactly."""
    kernel = _channel_zero(weight, w_zero)
    return conv(call, _centered(x, x_zero, og.float64), kernel).to(og.int32)


def _channel_zero(weight: Value, zero: Value) -> og.Tensor:
    wide = tensor(weight).to(og.float64)
    if zero is None:
        return wide
    shift = tensor(zero).to(og.float64)
    return wide - (shift.reshape([]) if shift.numel() == 1 else shift.reshape([-1] + [1] * (wide.ndim - 1)))


@operator("QLinearConv", raw=True)
def quantized_conv(
    call: Call, x: Value, x_scale: Value, x_zero: Value, w: Value, w_scale: Value, w_zero: Value, scale: Value, zero: Value,
    bias: Value = None,
) -> og.Tensor:  # fmt: skip
    """A convolution of quantized numbers, quantized again."""
    found = conv(call, _centered(x, x_zero, og.float64), _channel_zero(w, w_zero))
    if bias is not None:
        found = found + tensor(bias).to(og.float64).reshape([1, -1] + [1] * (found.ndim - 2))
    factor = tensor(x_scale).to(og.float64) * tensor(w_scale).to(og.float64) / tensor(scale).to(og.float64)
    factor = factor.reshape([]) if factor.numel() == 1 else factor.reshape([1, -1] + [1] * (found.ndim - 2))
    return _requantized(call, found, factor, zero)
