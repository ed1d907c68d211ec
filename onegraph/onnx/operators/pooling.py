"""Pooling, and resizing of images. Read next: `convolution.py`, for padding."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.operators.convolution import padded, window_padding
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Value, known, numbers, tensor


class _Window:
    """The window of a pooling operator over the last dimensions of an input."""

    def __init__(self, call: Call, x: og.Tensor) -> None:
        self.sizes = list(x.shape[2:])
        count = len(self.sizes)
        self.kernel = call.get("kernel_shape") or [1] * count
        self.strides = call.get("strides") or [1] * count
        self.dilations = call.get("dilations") or [1] * count
        self.before, self.after = window_padding(call, self.sizes, self.kernel, self.strides, self.dilations)
        self.beyond = [0] * count
        """What is added after the padding so that the last window of `ceil_mode` fits."""
        self.results = []
        for i in range(count):
            reach = self.sizes[i] + self.before[i] + self.after[i] - (self.kernel[i] - 1) * self.dilations[i] - 1
            found = reach // self.strides[i] + 1
            if call.get("ceil_mode", 0) and call.get("auto_pad", "NOTSET") in ("NOTSET", ""):
                more = -(-reach // self.strides[i]) + 1
                if (more - 1) * self.strides[i] < self.sizes[i] + self.before[i]:
                    found = more
                self.beyond[i] = max(0, (found - 1) * self.strides[i] - reach)
            self.results.append(found)

    def views(self, x: og.Tensor, value: float, beyond: bool = True) -> list[og.Tensor]:
        """What each place of the window sees, as tensors of the result's shape."""
        ends = [a + b for a, b in zip(self.after, self.beyond, strict=True)] if beyond else self.after
        x = padded(x, self.before, ends, value)
        found = []
        for place in itertools.product(*[range(k) for k in self.kernel]):
            view = x
            for i, p in enumerate(place):
                start = p * self.dilations[i]
                stop = start + (self.results[i] - 1) * self.strides[i] + 1
                view = view[(slice(None),) * (2 + i) + (slice(start, stop, self.strides[i]),)]
            found.append(view)
        return found


_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _lowest(x: og.Tensor) -> float:
    return -math.inf if x.dtype.is_floating_point else og.iinfo(x.dtype).min


@operator("MaxPool")
def max_pool(call: Call, x: og.Tensor) -> Any:
    """The largest in each window, and where it is in the whole input."""
    window = _Window(call, x)
    count = len(window.kernel)
    plain = window.before == window.after and not any(window.beyond) and x.dtype.is_floating_point
    if (
        plain
        and count in _MAX
        and not call.wants(1)
        and all(2 * b <= k for b, k in zip(window.before, window.kernel, strict=True))
    ):
        return _MAX[count](x, window.kernel, window.strides, window.before, window.dilations)
    stacked = og.stack(window.views(x, _lowest(x)))
    if not call.wants(1):
        return og.amax(stacked, 0)
    numbered = np.arange(int(np.prod(x.shape)), dtype=np.int64).reshape(x.shape)
    if call.get("storage_order", 0):
        inner = np.arange(int(np.prod(window.sizes)), dtype=np.int64).reshape(window.sizes[::-1]).transpose()
        numbered = numbered.reshape(*x.shape[:2], -1)[..., :1].reshape(*x.shape[:2], *[1] * count) + inner
    places = og.stack(window.views(og.tensor(numbered), 0))
    best = og.argmax(stacked, 0, keepdim=True)
    return og.gather(stacked, 0, best)[0], og.gather(places, 0, best)[0]


@operator("AveragePool")
def average_pool(call: Call, x: og.Tensor) -> og.Tensor:
    """The mean of each window, with or without what is padded."""
    window = _Window(call, x)
    count, whole = len(window.kernel), bool(call.get("count_include_pad", 0))
    simple = window.before == window.after and not any(window.beyond) and set(window.dilations) <= {1}
    if simple and count in _AVERAGE and all(2 * b <= k for b, k in zip(window.before, window.kernel, strict=True)):
        return _AVERAGE[count](x, window.kernel, window.strides, window.before, False, whole)
    total = og.stack(window.views(x, 0)).sum(0)
    ones = og.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    if whole:  # the padding counts, what lies beyond it does not
        ones = padded(ones, window.before, window.after, 1.0)
        bare = _Window(call, x)
        bare.before, bare.after = [0] * count, [0] * count
        counts = og.stack(bare.views(ones, 0)).sum(0)
    else:
        counts = og.stack(window.views(ones, 0)).sum(0)
    return total / counts


@operator("LpPool")
def lp_pool(call: Call, x: og.Tensor) -> og.Tensor:
    """The p-norm of each window."""
    power = call.get("p", 2)
    window = _Window(call, x)
    return og.stack(window.views(x.abs() ** power, 0)).sum(0) ** (1.0 / power)


def _spatial(x: og.Tensor) -> list[int]:
    return list(range(2, len(x.shape)))


@operator("GlobalAveragePool")
def global_average_pool(call: Call, x: og.Tensor) -> og.Tensor:
    """The mean of each channel."""
    return og.mean(x, _spatial(x), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(call: Call, x: og.Tensor) -> og.Tensor:
    """The largest of each channel."""
    return og.amax(x, _spatial(x), keepdim=True)


@operator("GlobalLpPool")
def global_lp_pool(call: Call, x: og.Tensor) -> og.Tensor:
    """The p-norm of each channel."""
    power = call.get("p", 2)
    return (x.abs() ** power).sum(_spatial(x), keepdim=True) ** (1.0 / power)


# ---- resizing


def _positions(how: str, size: int, length: int, scale: float, ends: tuple[float, float]) -> np.ndarray[Any, Any]:
    """Where each place of the result lies in the input (the formulas of Resize's coordinate_transformation_mode)."""
    x = np.arange(length, dtype=np.float64)
    whole = (
        size * scale if abs(size * scale - length) < 1 else length
    )  # a length that was rounded down keeps its fraction
    if how == "asymmetric":
        return x / scale
    if how == "align_corners":
        return x * 0.0 if length == 1 else x * (size - 1) / (whole - 1)
    if how == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if length > 1 else x * 0.0
    if how == "half_pixel_symmetric":
        adjust = length / whole
        return size / 2 * (1 - adjust) + (x + 0.5) / scale - 0.5
    if how == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    if how == "tf_crop_and_resize":
        if length > 1:
            return ends[0] * (size - 1) + x * (ends[1] - ends[0]) * (size - 1) / (length - 1)
        return np.array([0.5 * (ends[0] + ends[1]) * (size - 1)])
    return (x + 0.5) / scale - 0.5


def _nearest(positions: Any, how: str) -> Any:
    if how == "round_prefer_ceil":
        return np.floor(positions + 0.5)
    if how == "floor":
        return np.floor(positions)
    if how == "ceil":
        return np.ceil(positions)
    return np.ceil(positions - 0.5)


def _cubic(distance: Any, a: float) -> Any:
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _weights(call: Call, positions: Any, size: int, scale: float) -> np.ndarray[Any, Any]:
    """A matrix from the input's places to the result's along one dimension."""
    mode = call.get("mode", "nearest")
    matrix = np.zeros((len(positions), size))
    rows = np.arange(len(positions))
    if mode == "nearest":
        found = _nearest(positions, call.get("nearest_mode", "round_prefer_floor" if call.version >= 11 else "floor"))
        matrix[rows, found.clip(0, size - 1).astype(int)] = 1
        return matrix
    stretch = max(1.0, 1.0 / scale) if call.get("antialias", 0) else 1.0
    reach = (2 if mode == "cubic" else 1) * stretch
    first = np.floor(positions - reach).astype(int)
    for offset in range(int(2 * reach) + 3):
        places = first + offset
        distance = (places - positions) / stretch
        share = (
            _cubic(distance, call.get("cubic_coeff_a", -0.75))
            if mode == "cubic"
            else np.maximum(0, 1 - np.abs(distance))
        )
        if call.get("exclude_outside", 0):
            share = np.where((places >= 0) & (places < size), share, 0.0)
        np.add.at(matrix, (rows, places.clip(0, size - 1)), share)
    return matrix / matrix.sum(1, keepdims=True)


@operator("Resize", raw=True)
def resize(call: Call, x: Value, *more: Value) -> og.Tensor:
    """Resampled to other sizes: a product with a matrix along each dimension that changes."""
    x = tensor(x)
    if call.version < 11:
        roi, scales, sizes = None, more[0], None
    else:
        roi, scales, sizes = (*more, None, None, None)[:3]
    rank = len(x.shape)
    axes = [a % rank for a in call.get("axes") or range(rank)]
    lengths = list(x.shape)
    factors = [1.0] * rank
    wanted = None if sizes is None else numbers(sizes, "the sizes of Resize")
    if wanted:
        _by_sizes(call, x, axes, wanted, lengths, factors)
    else:
        for axis, scale in zip(axes, known(scales, "the scales of Resize").astype(np.float64), strict=True):
            factors[axis] = float(scale)
            lengths[axis] = math.floor(x.shape[axis] * float(scale))
    how = call.get("coordinate_transformation_mode", "half_pixel") if call.version >= 11 else "asymmetric"
    boxes = None if roi is None or not roi.shape[0] else known(roi, "the region of Resize").astype(np.float64)
    wide = x.to(og.float32) if not x.dtype.is_floating_point else x
    found, outside = wide, []
    for i, axis in enumerate(axes):
        ends = (0.0, 1.0) if boxes is None else (float(boxes[i]), float(boxes[len(axes) + i]))
        if lengths[axis] == x.shape[axis] and factors[axis] == 1.0 and how != "tf_crop_and_resize":
            continue
        positions = _positions(how, x.shape[axis], lengths[axis], factors[axis], ends)
        matrix = og.tensor(_weights(call, positions, x.shape[axis], factors[axis])).to(wide.dtype)
        found = og.moveaxis(og.matmul(og.moveaxis(found, axis, -1), matrix.T), -1, axis)
        if how == "tf_crop_and_resize":
            outside.append((axis, (positions < 0) | (positions > x.shape[axis] - 1)))
    for axis, mask in outside:
        shape = [-1 if i == axis else 1 for i in range(rank)]
        filler = og.tensor(call.get("extrapolation_value", 0.0), dtype=found.dtype)
        found = og.where(og.tensor(mask).reshape(shape), filler, found)
    if x.dtype.is_floating_point:
        return found
    return found.round().to(x.dtype) if call.get("mode") != "nearest" else found.to(x.dtype)


def _by_sizes(
    call: Call, x: og.Tensor, axes: list[int], wanted: list[int], lengths: list[Any], factors: list[float]
) -> None:
    ratios = [w / x.shape[a] for a, w in zip(axes, wanted, strict=True)]
    policy = call.get("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        wanted = [int(np.floor(x.shape[a] * ratio + 0.5)) for a in axes]
        ratios = [ratio] * len(axes)
    for axis, length, ratio in zip(axes, wanted, ratios, strict=True):
        lengths[axis], factors[axis] = int(length), ratio


@operator("Upsample", raw=True)
def upsample(call: Call, x: Value, scales: Value = None) -> og.Tensor:
    """The older form of Resize."""
    factors = np.array(call.get("scales"), np.float32) if scales is None else scales
    return resize(call, x, factors) if call.version < 11 else resize(call, x, None, factors)


@operator("GridSample", since=16)
def grid_sample(call: Call, x: og.Tensor, grid: og.Tensor) -> og.Tensor:
    """Values at given places."""
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(call.get("mode", "linear"), call.get("mode", "linear"))
    return F.grid_sample(x, grid, mode, call.get("padding_mode", "zeros"), bool(call.get("align_corners", 0)))
