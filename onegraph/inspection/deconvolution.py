"""The picture of Zeiler and Fergus: a single activation of a layer, projected back into the image.

Source: Zeiler, Fergus, "Visualizing and understanding convolutional networks" (2014), section 2.1. A deconvolutional
network undoes the layers one by one: a pooled value goes back to where the maximum came from (the switches), what is
negative is cut off where a ReLU stood, and each filter is applied transposed. The first and the last are what a gradient
does; so this is a walk back in which a ReLU passes the positive part of what arrives, and nothing of what it saw on the
way forward. Normalization over channels (LRN, batch normalization) is passed as a gradient passes it.
Read next: `call.py` (the walk back), `saliency.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import from_numpy_array
from onegraph.inspection.call import Recorded, chosen_layer, evaluating, one_image, rectified
from onegraph.inspection.picture import Picture, as_array, tiled
from onegraph.inspection.saliency import signed_pixels
from onegraph.nn.module import Module


def deconvolution(
    model: Module,
    image: Any,
    layer: str | Module | None = None,
    channel: int | None = None,
    most: int = 9,
    crop: bool = False,
) -> Picture:
    """The pattern in an image that the strongest activation of a feature map answers to.

    All other activations of the layer are set to 0, and the rest is projected back to the pixels.

    Args:
        model: a network for images.
        image: as the network takes it (scaled), of shape (C, H, W) or (1, C, H, W).
        layer: dotted name or module; the last convolution by default. Negative activations are cut off first, as by the
            ReLU that follows a convolution.
        channel: the feature map; by default the `most` ones with the strongest activations, as tiles.
        most: how many maps where no channel is given.
        crop: show only the part of the image that is not empty.

    Returns:
        A picture in which gray is nothing; its `values` are the projection, (C, H, W), or one for each map,
        (maps, C, H, W), strongest first.

    Raises:
        ArgumentError: no such layer or channel.
        ShapeError: an image or a layer's result of another shape.

    >>> import onegraph as og
    >>> model = og.nn.Sequential(og.nn.Conv2d(1, 4, 3), og.nn.ReLU(), og.nn.MaxPool2d(2), og.nn.Conv2d(4, 2, 3))
    >>> with og.config.using(backend="reference"):
    ...     deconvolution(model, og.randn(1, 12, 12), "3", channel=1).values.shape
    (1, 12, 12)
    """
    name = chosen_layer("deconvolution", model, layer)
    batch = one_image("deconvolution", image)
    with evaluating(model):
        recorded = Recorded(model, batch, [name])
        maps = recorded.kept[name]
        values = np.maximum(as_array(maps), 0)
        if values.ndim != 4:
            raise ShapeError(f"deconvolution: layer {name} gives {values.shape}, not (1, channels, height, width)")
        channels = _channels(values[0], channel, most)
        found = [_project(recorded, maps.node, values, each) for each in channels]
    shown = [_cropped(each) if crop and channel is not None else each for each in found]
    pixels = [signed_pixels(each) for each in shown]
    if channel is not None:
        return Picture(pixels[0], found[0], f"deconvolution of map {channel} of {name}")
    title = f"deconvolution of maps {', '.join(map(str, channels))} of {name}"
    return Picture(tiled(pixels, gap=2), np.stack(found), title)


def _channels(maps: np.ndarray, channel: int | None, most: int) -> list[int]:
    if channel is None:
        if most < 1:
            raise ArgumentError(f"deconvolution: most={most!r}: at least 1")
        return [int(c) for c in np.argsort(-maps.max((1, 2)), kind="stable")[:most]]
    if not -len(maps) <= channel < len(maps):
        raise ArgumentError(f"deconvolution: channel {channel}: the layer has {len(maps)}")
    return [channel % len(maps)]


def _project(recorded: Recorded, maps: Any, values: np.ndarray, channel: int) -> np.ndarray:
    """Keep the strongest activation of a map alone, and walk back."""
    alone = np.zeros_like(values)
    place = np.unravel_index(values[0, channel].argmax(), values.shape[2:])
    alone[(0, channel, *place)] = values[(0, channel, *place)]
    (found,) = recorded.back(maps, from_numpy_array(alone).node, [recorded.image.node], rectified)
    return found[0]


def _cropped(values: np.ndarray) -> np.ndarray:
    """The smallest part that holds everything that is not 0."""
    rows, columns = (np.flatnonzero(np.abs(values).max(axes)) for axes in ((0, 2), (0, 1)))
    if not len(rows):
        return values
    return values[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
