"""Grad-CAM: where in the image a class is seen, from the gradients at a late convolution.

Read next: `saliency.py`, `call.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.data.resize import resize_bilinear
from onegraph.errors import ShapeError
from onegraph.inspection.call import Recorded, chosen_layer, evaluating, one_image, score_of
from onegraph.inspection.picture import Picture, as_array, overlay, stretched
from onegraph.inspection.saliency import _shown
from onegraph.nn.module import Module


def grad_cam(
    model: Module,
    image: Any,
    target: int | None = None,
    layer: str | Module | None = None,
    original: Any = None,
    strength: float = 0.5,
) -> Picture:
    """Where in an image the features of a class are.

    The maps of a layer are added up, each weighted with the mean of the score's gradient over it, and what is negative
    is dropped. Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
    localization" (2017), equations 1 and 2.

    Args:
        model: a classifier of images: (N, C, H, W) -> (N, classes).
        image: as the network takes it (scaled), of shape (C, H, W) or (1, C, H, W).
        target: number of the class; by default the one with the highest score.
        layer: dotted name or module; the last convolution by default.
        original: uint8 (H, W, 3) or a `Picture`, to lay the map over; by default the image itself.
        strength: share of the map's colours in the overlay, 0 to 1.

    Returns:
        A picture of the map over the image; its `values` are the map, of the size of the layer's own maps.

    Raises:
        ArgumentError: no such layer or class, or no convolution.
        ShapeError: an image or a layer's result of another shape.

    >>> import onegraph as og
    >>> model = og.nn.Sequential(og.nn.Conv2d(1, 4, 3), og.nn.ReLU(), og.nn.Flatten(), og.nn.Linear(4 * 36, 2))
    >>> with og.config.using(backend="reference"):
    ...     picture = grad_cam(model, og.ones(1, 8, 8), target=0)
    >>> picture.shape, picture.values.shape
    ((8, 8, 3), (6, 6))
    """
    name = chosen_layer("grad_cam", model, layer)
    batch = one_image("grad_cam", image)
    with evaluating(model):
        recorded = Recorded(model, batch, [name])
        maps = recorded.kept[name]
        if len(maps.shape) != 4:
            raise ShapeError(f"grad_cam: layer {name} gives {tuple(maps.shape)}, not (1, channels, height, width)")
        score, target = score_of(recorded.output, target)
        (gradient,) = recorded.back(score.node, None, [maps.node])
        found = class_activation(as_array(maps)[0], gradient[0])
    values = as_array(batch)[0]
    shown = np.clip(resize_bilinear(stretched(found) if found.any() else found, values.shape[1:]), 0, 1)
    return Picture(overlay(_shown(values, original), shown, strength), found, f"Grad-CAM of {name} for class {target}")


def class_activation(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The sum of maps, each weighted with the mean of its gradient, where it is positive.

    Args:
        maps, gradient: of shape (channels, height, width).

    >>> class_activation(np.array([[[1.0, 2.0]], [[3.0, 0.0]]]), np.array([[[1.0, 1.0]], [[-0.5, -0.5]]])).tolist()
    [[0.0, 2.0]]
    """
    weights = gradient.mean((1, 2), keepdims=True)
    return np.maximum((weights * maps).sum(0), 0)
