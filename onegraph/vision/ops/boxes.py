"""Boxes around objects: areas, overlaps, and which of many to keep. A box is (x1, y1, x2, y2) in pixels.

Values are looked at, so these functions give no gradients and cannot be traced, but for `box_area`.
Read next: `onegraph/vision/utils.py`, which draws boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.data.collate import array_of, to_tensor
from onegraph.errors import ArgumentError, ShapeError

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]


def _boxes(name: str, boxes: Any) -> np.ndarray:
    array = array_of(boxes)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(f"{name}: boxes of shape {array.shape}; (N, 4) is needed")
    return array


def box_area(boxes: Any, fmt: str = "xyxy") -> Any:
    """Areas of boxes (N, 4), a Tensor (N,); `fmt` is how they are given, as in `box_convert`.

    >>> import onegraph as og
    >>> box_area(og.tensor([[0.0, 0.0, 2.0, 3.0]]))
    tensor([6.])
    """
    if fmt == "xyxy":
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if fmt not in ("xywh", "cxcywh"):
        raise ArgumentError(f"box_area: fmt={fmt!r}: xyxy, xywh or cxcywh")
    return boxes[:, 2] * boxes[:, 3]


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Any:
    """Boxes in another form.

    Args:
        in_fmt, out_fmt: "xyxy" (two corners), "xywh" (a corner, width and height) or "cxcywh" (the middle instead).

    >>> import onegraph as og
    >>> box_convert(og.tensor([[1.0, 2.0, 3.0, 4.0]]), "xywh", "xyxy")
    tensor([[1., 2., 4., 6.]])
    """
    known = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in known or out_fmt not in known:
        raise ArgumentError(f"box_convert: {in_fmt!r} to {out_fmt!r}: {', '.join(known)}")
    a, b, c, d = _boxes("box_convert", boxes).T
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return to_tensor(np.stack([a, b, c, d], axis=1))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _overlaps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of intersection and union of each pair, (N, M)."""
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    lower = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(lower - upper, 0, None), axis=2)
    return common, _areas(first)[:, None] + _areas(second)[None] - common


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union of each pair of (N, 4) and (M, 4), a Tensor (N, M).

    >>> import onegraph as og
    >>> box_iou(og.tensor([[0.0, 0.0, 2.0, 2.0]]), og.tensor([[1.0, 0.0, 3.0, 2.0]]))
    tensor([[0.3333]])
    """
    common, union = _overlaps(_boxes("box_iou", boxes1), _boxes("box_iou", boxes2))
    return to_tensor(common / union)


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Any:
    """`box_iou` minus the share of the enclosing box that neither covers, so that it falls with distance.

    Source: H. Rezatofighi et al., "Generalized intersection over union", CVPR 2019.
    """
    first, second = _boxes("generalized_box_iou", boxes1), _boxes("generalized_box_iou", boxes2)
    common, union = _overlaps(first, second)
    upper = np.minimum(first[:, None, :2], second[None, :, :2])
    lower = np.maximum(first[:, None, 2:], second[None, :, 2:])
    around = np.prod(np.clip(lower - upper, 0, None), axis=2)
    return to_tensor(common / union - (around - union) / around)


def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Which boxes to keep: from the best on, each that overlaps no better one by more than a threshold.

    Args:
        boxes: (N, 4).
        scores: (N,).
        iou_threshold: of intersection over union.

    Returns:
        int64 Tensor of indices, the best first.

    >>> import onegraph as og
    >>> boxes = og.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]])
    >>> nms(boxes, og.tensor([0.5, 0.9, 0.1]), 0.5)
    tensor([1, 2])
    """
    corners, values = _boxes("nms", boxes), array_of(scores)
    if values.shape != (len(corners),):
        raise ShapeError(f"nms: boxes {corners.shape}, scores {values.shape}: (N, 4) and (N,) are needed")
    order = np.argsort(-values, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        common, union = _overlaps(corners[[best]], corners[order])
        order = order[(common / union)[0] <= iou_threshold]
    return to_tensor(np.array(kept, np.int64))


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """`nms` within each class: boxes with different `idxs` (N,) do not compete."""
    corners, classes = _boxes("batched_nms", boxes), array_of(idxs)
    if not len(corners):
        return to_tensor(np.zeros(0, np.int64))
    # Moved apart, so that boxes of different classes cannot overlap.
    shift = classes.astype(corners.dtype) * (corners.max() + corners.dtype.type(1))
    return nms(corners + shift[:, None], scores, iou_threshold)


def remove_small_boxes(boxes: Any, min_size: float) -> Any:
    """Indices of the boxes whose sides are at least `min_size`."""
    corners = _boxes("remove_small_boxes", boxes)
    sides = corners[:, 2:] - corners[:, :2]
    return to_tensor(np.flatnonzero((sides >= min_size).all(axis=1)))


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> Any:
    """Boxes cut off at the border of an image of (height, width)."""
    corners = array_of(boxes)
    height, width = size
    return to_tensor(np.clip(corners, 0, np.array([width, height] * 2, corners.dtype)))


def masks_to_boxes(masks: Any) -> Any:
    """The box around each mask of (N, H, W), a float32 Tensor (N, 4).

    >>> import onegraph as og
    >>> masks_to_boxes(og.tensor([[[0, 1, 1], [0, 0, 1]]]))
    tensor([[1., 0., 2., 1.]])
    """
    array = array_of(masks)
    if array.ndim != 3:
        raise ShapeError(f"masks_to_boxes: masks of shape {array.shape}; (N, H, W) is needed")
    found = np.zeros((len(array), 4), np.float32)
    for place, mask in enumerate(array):
        rows, columns = np.nonzero(mask)
        if not len(rows):
            raise ArgumentError(f"masks_to_boxes: mask {place} is empty: there is no box around nothing")
        found[place] = columns.min(), rows.min(), columns.max(), rows.max()
    return to_tensor(found)
