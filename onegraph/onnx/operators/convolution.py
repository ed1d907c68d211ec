"""Convolutions. Padding of any kind is brought to numbers before and after each dimension. Read next: `pooling.py`."""

from __future__ import annotations

from typing import Any

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def window_padding(
    call: Call, sizes: list[Any], kernel: list[int], strides: list[int], dilations: list[int]
) -> tuple[list[Any], list[Any]]:
    """What is added before and after each dimension: `pads`, or what `auto_pad` asks for."""
    count, how = len(kernel), call.get("auto_pad", "NOTSET")
    if how == "NOTSET":
        pads = call.get("pads") or [0] * (2 * count)
        return list(pads[:count]), list(pads[count:])
    before, after = [], []
    for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = 0
        if how != "VALID":
            total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        small = total // 2
        before.append(small if how != "SAME_LOWER" else total - small)
        after.append(total - before[-1])
    return before, after


def padded(x: og.Tensor, before: list[Any], after: list[Any], value: float = 0.0) -> og.Tensor:
    """Values around the last dimensions."""
    if not any(before) and not any(after):
        return x
    flat = [w for b, a in zip(reversed(before), reversed(after), strict=True) for w in (b, a)]
    return F.pad(x, flat, value=value)


def _window(call: Call, weight: og.Tensor) -> tuple[int, list[int], list[int], list[int]]:
    """Over how many dimensions, the kernel's sizes, strides and dilations."""
    count = len(weight.shape) - 2
    if count not in _CONVOLUTIONS:
        raise call.unsupported(f"convolution over {count} dimensions; there are 1, 2 and 3")
    strides, dilations = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    return count, list(weight.shape[2:]), strides, dilations


@operator("Conv")
def conv(call: Call, x: og.Tensor, weight: og.Tensor, bias: og.Tensor | None = None) -> og.Tensor:
    """Convolution over one, two or three dimensions, in groups."""
    count, kernel, strides, dilations = _window(call, weight)
    before, after = window_padding(call, list(x.shape[2:]), kernel, strides, dilations)
    if before != after:
        x, before = padded(x, before, after), [0] * count
    return _CONVOLUTIONS[count](x, weight, bias, strides, before, dilations, call.get("group", 1))


@operator("ConvTranspose")
def conv_transpose(call: Call, x: og.Tensor, weight: og.Tensor, bias: og.Tensor | None = None) -> og.Tensor:
    """The transpose of a convolution."""
    count, kernel, strides, dilations = _window(call, weight)
    extra = call.get("output_padding") or [0] * count
    wanted, how = call.get("output_shape"), call.get("auto_pad", "NOTSET")
    full = [(s - 1) * st + (k - 1) * d + 1 for s, st, k, d in zip(x.shape[2:], strides, kernel, dilations, strict=True)]
    pads = call.get("pads") or [0] * (2 * count)
    before, after = list(pads[:count]), list(pads[count:])
    if wanted is not None or how in ("SAME_UPPER", "SAME_LOWER"):
        target = wanted[-count:] if wanted is not None else [s * st for s, st in zip(x.shape[2:], strides, strict=True)]
        total = [f + e - t for f, e, t in zip(full, extra, target, strict=True)]
        before = [
            t - int(t / 2) if how == "SAME_LOWER" else int(t / 2) for t in total
        ]  # towards zero, of negative ones too
        after = [t - b for t, b in zip(total, before, strict=True)]
    # The whole result first; what is beyond the wanted one is cut, what is missing is the bias alone.
    found = _TRANSPOSED[count](x, weight, None, strides, 0, 0, call.get("group", 1), dilations)
    ends = [e - a for e, a in zip(extra, after, strict=True)]
    found = padded(found, [-b for b in before], ends)
    return found if bias is None else found + bias.reshape([-1] + [1] * count)
