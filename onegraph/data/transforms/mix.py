"""Mixing the images of a batch, and their labels: MixUp and CutMix. Names and arguments are torchvision's.

They are called with a whole batch, images (N, ..., C, H, W) and labels (N,) or one-hot (N, classes), usually in
a collate function; every image is mixed with the one before it. Read next: `onegraph/data/pipelines.py`.
Sources: H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018; S. Yun et al., "CutMix", ICCV 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, is_tensor, to_tensor
from onegraph.data.randomness import beta, one_stream
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError


class _Mix:
    """What MixUp and CutMix share: finding images and labels, mixing the labels."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: Callable[[Any], Any] | str = "default",
    ) -> None:
        if not alpha > 0:
            raise ArgumentError(f"{type(self).__name__}: alpha={alpha!r}: above 0")
        if num_classes is not None and num_classes < 1:
            raise ArgumentError(f"{type(self).__name__}: num_classes={num_classes!r}: at least 1")
        self.alpha, self.num_classes, self.labels_getter = alpha, num_classes, labels_getter

    def __call__(self, *inputs: Any) -> Any:
        """(images, labels), or one tuple, list or dict of them, with the same structure out."""
        batch = inputs[0] if len(inputs) == 1 else inputs
        parts = dict(batch) if isinstance(batch, dict) else dict(enumerate(batch))
        label_place = self._label_place(batch, parts)
        image_place = next((p for p, v in parts.items() if p != label_place and _axes(v) >= 4), None)
        if image_place is None or label_place is None:
            raise ArgumentTypeError(
                f"{type(self).__name__}: no batch of images (N, C, H, W) with labels (N,) in {list(parts)}",
                hint="call it with a batch, for example in collate_fn, not with a sample",
            )
        images, labels = array_of(parts[image_place]), array_of(parts[label_place])
        self._check(images, labels)
        mixed, share = self._mix(images)
        new = {image_place: mixed, label_place: self._mix_labels(labels, share)}
        for place, value in new.items():
            parts[place] = to_tensor(value) if is_tensor(parts[place]) else value
        if isinstance(batch, dict):
            return parts
        return tuple(parts.values()) if isinstance(batch, tuple) else list(parts.values())

    def _label_place(self, batch: Any, parts: dict[Any, Any]) -> Any:
        if callable(self.labels_getter):
            labels = self.labels_getter(batch)
            return next((place for place, value in parts.items() if value is labels), None)
        if isinstance(batch, dict):
            return next((name for name in parts if "label" in str(name).lower() or "target" in str(name).lower()), None)
        return next((place for place, value in parts.items() if _axes(value) in (1, 2)), None)

    def _check(self, images: np.ndarray, labels: np.ndarray) -> None:
        name = type(self).__name__
        if images.dtype.kind != "f":
            raise ArgumentTypeError(f"{name}: images of {images.dtype}; floats are needed (ToTensor)")
        if len(images) != len(labels):
            raise ShapeError(f"{name}: images {images.shape} and labels {labels.shape}: as many of each are needed")
        if labels.ndim == 1 and self.num_classes is None:
            raise ArgumentError(
                f"{name}: labels {labels.shape} are class numbers; pass num_classes= to turn them into shares"
            )
        if labels.ndim == 1 and len(labels) and not 0 <= labels.min() <= labels.max() < (self.num_classes or 0):
            raise ArgumentError(f"{name}: labels from {labels.min()} to {labels.max()}, num_classes={self.num_classes}")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ShapeError(f"{name}: labels {labels.shape} for num_classes={self.num_classes}")

    def _mix(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        raise NotImplementedError

    def _mix_labels(self, labels: np.ndarray, share: float) -> np.ndarray:
        """Shares of the classes, float32 (N, classes)."""
        if labels.ndim == 1:
            shares = np.zeros((len(labels), self.num_classes or 0), np.float32)
            shares[np.arange(len(labels)), labels] = 1
        else:
            shares = labels.astype(np.float32)
        return np.float32(share) * shares + np.float32(1 - share) * np.roll(shares, 1, axis=0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


def _axes(value: Any) -> int:
    return len(value.shape) if hasattr(value, "shape") else 0


class MixUp(_Mix):
    """Weighted sums of images and of their labels, the weight drawn from Beta(alpha, alpha).

    >>> images, labels = MixUp(num_classes=2)(np.zeros((2, 1, 4, 4), np.float32), np.array([0, 1]))
    >>> labels.shape, labels.sum(1).round(4).tolist()
    ((2, 2), [1.0, 1.0])
    """

    def _mix(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        share = beta(self.alpha, self.alpha)
        other = np.roll(images, 1, axis=0)
        other *= images.dtype.type(1 - share)
        other += images * images.dtype.type(share)
        return other, share


class CutMix(_Mix):
    """A rectangle of another image in each, labels by area, the area drawn from Beta(alpha, alpha).

    >>> images, labels = CutMix(num_classes=2)(np.zeros((2, 1, 4, 4), np.float32), np.array([0, 1]))
    >>> images.shape, labels.shape
    ((2, 1, 4, 4), (2, 2))
    """

    def _mix(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = images.shape[-2:]
        with one_stream() as stream:
            reach = 0.5 * math.sqrt(1.0 - beta(self.alpha, self.alpha))
            x, y = stream.integer(0, width - 1), stream.integer(0, height - 1)
        half_width, half_height = int(reach * width), int(reach * height)
        columns = slice(max(x - half_width, 0), min(x + half_width, width))
        rows = slice(max(y - half_height, 0), min(y + half_height, height))
        mixed = images.copy()
        mixed[..., rows, columns] = np.roll(images, 1, axis=0)[..., rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        return mixed, 1.0 - area / (width * height)
