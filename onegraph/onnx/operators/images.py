"""Operators on images and boxes. Read next: `pooling.py`, `convolution.py`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import onegraph as og
from onegraph.data.images import open_image
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Array, Value, array, known, numbers, tensor


@operator("ImageDecoder", raw=True)
def decode(call: Call, content: Value) -> og.Tensor:
    """The pixels of an encoded image, by Pillow: (height, width, channels) of uint8."""
    data = known(content, "the size of an image").astype(np.uint8).tobytes()
    wanted = call.get("pixel_format", "RGB")
    with open_image("the image", content=data) as image:
        pixels = np.asarray(image.convert("L" if wanted == "Grayscale" else "RGB"))
    if wanted == "Grayscale":
        pixels = pixels[:, :, None]
    return og.tensor(np.ascontiguousarray(pixels[:, :, ::-1] if wanted == "BGR" else pixels))


@operator("AffineGrid", raw=True)
def affine_grid(call: Call, theta: Value, size: Value) -> og.Tensor:
    """Where each place of a result lies in an image, by an affine map."""
    return F.affine_grid(tensor(theta), numbers(size, "the size of AffineGrid"), bool(call.get("align_corners", 0)))


@operator("CenterCropPad", raw=True)
def center_crop_pad(call: Call, x: Value, shape: Value) -> Value:
    """Cut or filled with zeros to sizes, equally at both ends."""
    x = tensor(x)
    rank = len(x.shape)
    for axis, wanted in zip(call.get("axes") or range(rank), numbers(shape, "the sizes of CenterCropPad"), strict=True):
        axis %= rank
        there = x.shape[axis]
        if wanted <= there:
            x = x.narrow(axis, (there - wanted) // 2, wanted)
        else:
            before = (wanted - there) // 2
            widths = [0, 0] * rank
            widths[2 * (rank - 1 - axis) : 2 * (rank - 1 - axis) + 2] = [before, wanted - there - before]
            x = F.pad(x, widths)
    return x


@operator("Col2Im", raw=True)
def col2im(call: Call, x: Value, image: Value, block: Value) -> og.Tensor:
    """Blocks added up at their places in an image of any number of dimensions."""
    x = tensor(x)
    sizes, kernel = (
        numbers(image, "the size of the image of Col2Im"),
        numbers(block, "the size of the blocks of Col2Im"),
    )
    count = len(sizes)
    strides, dilations = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    pads = call.get("pads") or [0] * (2 * count)
    whole = [s + pads[i] + pads[count + i] for i, s in enumerate(sizes)]
    steps = [(w - d * (k - 1) - 1) // s + 1 for w, d, k, s in zip(whole, dilations, kernel, strides, strict=True)]
    places = np.zeros((*kernel, *steps), np.int64)
    for i in range(count):
        along = np.arange(kernel[i])[:, None] * dilations[i] + np.arange(steps[i])[None, :] * strides[i]
        shape = [1] * (2 * count)
        shape[i], shape[count + i] = kernel[i], steps[i]
        places = places * whole[i] + along.reshape(shape)
    channels = x.shape[1] // int(np.prod(kernel))
    values = x.reshape([x.shape[0], channels, -1])
    total = og.zeros(x.shape[0], channels, int(np.prod(whole)), dtype=x.dtype)
    index = og.tensor(places.reshape(1, 1, -1)).expand(values.shape)
    found = og.scatter_add(total, 2, index, values).reshape([x.shape[0], channels, *whole])
    return found[(slice(None), slice(None), *[slice(pads[i], pads[i] + s) for i, s in enumerate(sizes)])]


@operator("MaxUnpool", raw=True)
def max_unpool(call: Call, x: Value, places: Value, shape: Value = None) -> og.Tensor:
    """Values put back to where they were the largest, zeros elsewhere."""
    x, places = tensor(x), tensor(places)
    kernel = call.get("kernel_shape")
    count = len(kernel)
    strides, pads = call.get("strides") or [1] * count, call.get("pads") or [0] * (2 * count)
    usual = [(x.shape[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[count + i] for i in range(count)]
    target = list(x.shape[:2]) + usual if shape is None else numbers(shape, "the shape of MaxUnpool")
    # Positions are those in the result of the usual size; a larger result keeps their coordinates.
    flat = array(places) if shape is not None else None
    if flat is not None and list(target[2:]) != usual:
        coordinates = np.unravel_index(flat, (*x.shape[:2], *usual))
        places = og.tensor(np.ravel_multi_index(coordinates, target).astype(np.int64))
    total = og.zeros(int(np.prod(target)), dtype=x.dtype)
    return og.scatter(total, 0, places.reshape([-1]), x.reshape([-1])).reshape(target)


# ---- boxes


@operator("NonMaxSuppression", raw=True)
def non_max_suppression(
    call: Call, boxes: Value, scores: Value, most: Value = None, overlap: Value = None, least: Value = None
) -> Array:
    """(batch, class, box) of the best boxes, without those that overlap a better one too much. Looks at the values."""
    what = "the number of boxes that stay"
    corners, points = known(boxes, what).astype(np.float64), known(scores, what)
    limit = 0 if most is None else int(known(most, what).reshape(-1)[0])
    threshold = 0.0 if overlap is None else float(known(overlap, what).reshape(-1)[0])
    lowest = None if least is None else float(known(least, what).reshape(-1)[0])
    if call.get("center_point_box", 0):
        center, half = corners[..., :2], corners[..., 2:] / 2
        corners = np.concatenate([center - half, center + half], -1)
    low, high = np.minimum(corners[..., :2], corners[..., 2:]), np.maximum(corners[..., :2], corners[..., 2:])
    found: list[tuple[int, int, int]] = []
    for b, c in itertools.product(range(points.shape[0]), range(points.shape[1])):
        order = np.argsort(-points[b, c], kind="stable")
        kept: list[int] = []
        for i in order:
            if len(kept) >= limit or (lowest is not None and points[b, c, i] <= lowest):
                break
            if all(_overlap(low[b, i], high[b, i], low[b, k], high[b, k]) <= threshold for k in kept):
                kept.append(int(i))
        found.extend((b, c, i) for i in kept)
    return np.array(found, np.int64).reshape(-1, 3)


def _overlap(low_a: Any, high_a: Any, low_b: Any, high_b: Any) -> float:
    common = np.prod(np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0))
    both = np.prod(high_a - low_a) + np.prod(high_b - low_b) - common
    return float(common / both) if both > 0 else 0.0


def _sampled(images: og.Tensor, y: og.Tensor, x: og.Tensor) -> list[tuple[og.Tensor, og.Tensor]]:
    """Four pairs of values and shares for bilinear sampling at places; images (places..., channels, height, width)."""
    height, width = images.shape[-2], images.shape[-1]
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0), x.clamp(0)
    top, left = og.floor(y), og.floor(x)
    top_i, left_i = top.to(og.int64).clamp(0, height - 1), left.to(og.int64).clamp(0, width - 1)
    y, x = (
        og.where(top >= height - 1, og.full_like(y, height - 1), y),
        og.where(left >= width - 1, og.full_like(x, width - 1), x),
    )
    bottom_i, right_i = (top_i + 1).clamp(0, height - 1), (left_i + 1).clamp(0, width - 1)
    down, right = y - top_i.to(y.dtype), x - left_i.to(x.dtype)
    zero = og.zeros_like(y)
    found = []
    for row, share_y in ((top_i, 1 - down), (bottom_i, down)):
        for column, share_x in ((left_i, 1 - right), (right_i, right)):
            found.append((row * width + column, og.where(inside, share_y * share_x, zero)))
    return found


@operator("RoiAlign", raw=True)
def roi_align(call: Call, x: Value, rois: Value, batches: Value) -> og.Tensor:
    """Regions of images brought to one size by bilinear samples (He et al. 2017, section 3)."""
    x, rois = tensor(x), tensor(rois)
    height, width = call.get("output_height", 1), call.get("output_width", 1)
    scale, ratio = call.get("spatial_scale", 1.0), call.get("sampling_ratio", 0)
    half = (
        0.5
        if call.get("coordinate_transformation_mode", "half_pixel" if call.version >= 16 else "output_half_pixel")
        == "half_pixel"
        else 0.0
    )
    results = []
    places = known(batches, "the images of RoiAlign").astype(int)
    edges = known(rois, "the regions of RoiAlign") if ratio <= 0 else None
    for n in range(rois.shape[0]):
        box = rois[n] * scale - half
        sizes = [box[3] - box[1], box[2] - box[0]]
        if not half:
            sizes = [s.clamp(1.0) for s in sizes]
        counts = [ratio, ratio]
        if edges is not None:
            spans = [(edges[n][3] - edges[n][1]) * scale, (edges[n][2] - edges[n][0]) * scale]
            counts = [
                max(1, int(np.ceil((max(s, 1.0) if not half else s) / o)))
                for s, o in zip(spans, (height, width), strict=True)
            ]
        results.append(_roi(call, x[int(places[n])], box, sizes, counts, (height, width)))
    return og.stack(results)


def _roi(call: Call, image: og.Tensor, box: og.Tensor, sizes: Any, counts: Any, output: tuple[int, int]) -> og.Tensor:
    steps = []
    for start, size, count, length in zip((box[1], box[0]), sizes, counts, output, strict=True):
        offsets = og.tensor((np.arange(length * count) + 0.5) / count, dtype=image.dtype)
        steps.append(start + size / length * offsets)
    y, x = og.meshgrid(*steps, indexing="ij")
    flat = image.reshape([image.shape[0], -1])
    parts = [
        og.index_select(flat, 1, index.reshape([-1])) * share.reshape([1, -1])
        for index, share in _sampled(image, y.reshape([-1]), x.reshape([-1]))
    ]
    shape = [image.shape[0], output[0], counts[0], output[1], counts[1]]
    if call.get("mode", "avg") == "max":
        return og.stack(parts).amax(0).reshape(shape).amax([2, 4])
    return sum(parts[1:], parts[0]).reshape(shape).mean([2, 4])


@operator("MaxRoiPool", raw=True)
def max_roi_pool(call: Call, x: Value, rois: Value) -> og.Tensor:
    """The largest in each part of regions of images (Girshick 2015, section 2.1)."""
    x, boxes = tensor(x), known(rois, "the regions of MaxRoiPool")
    rows, columns = call.get("pooled_shape")
    results = []
    for box in boxes:
        left, top, right, bottom = np.floor(box[1:] * call.get("spatial_scale", 1.0) + 0.5).astype(int)
        height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
        cells = []
        for i, j in itertools.product(range(rows), range(columns)):
            y = np.clip([top + i * height // rows, top + -(-(i + 1) * height // rows)], 0, x.shape[2])
            z = np.clip([left + j * width // columns, left + -(-(j + 1) * width // columns)], 0, x.shape[3])
            part = x[int(box[0]), :, y[0] : y[1], z[0] : z[1]]
            empty = y[1] <= y[0] or z[1] <= z[0]
            cells.append(og.zeros(x.shape[1], dtype=x.dtype) if empty else part.amax([1, 2]))
        results.append(og.stack(cells, 1).reshape([x.shape[1], rows, columns]))
    return og.stack(results)


@operator("DeformConv")
def deform_conv(
    call: Call,
    x: og.Tensor,
    weight: og.Tensor,
    offset: og.Tensor,
    bias: og.Tensor | None = None,
    mask: og.Tensor | None = None,
) -> og.Tensor:
    """A convolution whose window's places are moved by offsets (Dai et al. 2017; with a mask Zhu et al. 2019)."""
    kernel = list(weight.shape[2:])
    if len(kernel) != 2:
        raise call.unsupported(f"offsets in {len(kernel)} dimensions; there are 2")
    strides, dilations = call.get("strides") or [1, 1], call.get("dilations") or [1, 1]
    pads, shares = call.get("pads") or [0] * 4, call.get("offset_group", 1)
    batch, channels, height, width = x.shape
    rows, columns = offset.shape[2:]
    moved = offset.reshape([batch, shares, kernel[0] * kernel[1], 2, rows, columns])
    k = np.indices(kernel).reshape(2, -1)
    base = [
        og.tensor(
            (k[d] * dilations[d])[:, None, None]
            + np.arange((rows, columns)[d]).reshape((1, -1, 1) if d == 0 else (1, 1, -1)) * strides[d]
            - pads[d],
            dtype=x.dtype,
        )
        for d in range(2)
    ]
    y, z = moved[:, :, :, 0] + base[0], moved[:, :, :, 1] + base[1]
    images = x.reshape([batch, shares, channels // shares, height * width])
    places = [batch, shares, 1, kernel[0] * kernel[1] * rows * columns]
    total: Any = None
    for index, share in _corners(y, z, height, width):
        wide = index.reshape(places).expand([batch, shares, channels // shares, places[-1]])
        part = og.gather(images, 3, wide) * share.reshape(places)
        total = part if total is None else total + part
    if mask is not None:
        total = total * mask.reshape(places)
    groups = call.get("group", 1)
    columns_of = total.reshape([batch, groups, channels // groups * kernel[0] * kernel[1], rows * columns])
    product = og.matmul(weight.reshape([groups, weight.shape[0] // groups, -1]), columns_of)
    found = product.reshape([batch, weight.shape[0], rows, columns])
    return found if bias is None else found + bias.reshape([1, -1, 1, 1])


def _corners(y: og.Tensor, x: og.Tensor, height: int, width: int) -> list[tuple[og.Tensor, og.Tensor]]:
    """Places and shares of the four neighbours; those outside of the image count as zero."""
    top, left = og.floor(y), og.floor(x)
    found = []
    for down, right in itertools.product((0, 1), (0, 1)):
        row, column = top + down, left + right
        share = (1 - (y - row).abs()) * (1 - (x - column).abs())
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        share = og.where(inside, share, og.zeros_like(share))
        index = row.clamp(0, height - 1).to(og.int64) * width + column.clamp(0, width - 1).to(og.int64)
        found.append((index, share))
    return found
