"""Feature maps and filters as pictures: what a layer found in an image, and what it looks for.

Read next: `picture.py` (tiles), `deconvolution.py` (which pixels made a map).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.state import no_grad
from onegraph.inspection.call import Recorded, chosen_layer, evaluating, layer_name, layers_of, one_image
from onegraph.inspection.picture import Picture, as_array, heat, scaled_to_fit, signed, stretched, tiled, to_pixels
from onegraph.nn.module import Module

_MOST_TILES = 256
_LEAST_TILE = 48  # pixels; smaller maps are enlarged


def feature_maps(
    model: Module, image: Any, layers: Sequence[str | Module] | None = None, most: int = _MOST_TILES
) -> dict[str, Picture]:
    """The maps that layers make of an image, as one sheet of tiles for each layer.

    Each map is scaled from its own smallest to its own largest number, black to yellow.

    Args:
        model: a network for images.
        image: as the network takes it (scaled), of shape (C, H, W) or (1, C, H, W).
        layers: dotted names or modules; all convolutions by default.
        most: maps of a layer that are shown.

    Returns:
        For each layer a picture, whose `values` are the maps, (channels, height, width).

    Raises:
        ArgumentError: no such layer, or one that is not called.
        ShapeError: an image or a result of another shape.

    >>> import onegraph as og
    >>> with og.config.using(backend="reference"):
    ...     found = feature_maps(og.nn.Sequential(og.nn.Conv2d(1, 4, 3), og.nn.ReLU()), og.ones(1, 8, 8))
    >>> {name: picture.values.shape for name, picture in found.items()}
    {'0': (4, 6, 6)}
    """
    names = layers_of(model) if layers is None else [layer_name(model, layer) for layer in layers]
    if not names:
        raise ArgumentError(f"feature_maps: {type(model).__name__} has no convolution", hint="name the layers=[...]")
    with evaluating(model):
        recorded = Recorded(model, one_image("feature_maps", image), names)
        with no_grad():
            found = {name: recorded.kept[name].detach().numpy() for name in names}
    return {name: _sheet(name, maps, most) for name, maps in found.items()}


def _sheet(name: str, maps: np.ndarray, most: int) -> Picture:
    if maps.ndim != 4:
        raise ShapeError(
            f"feature_maps: layer {name} gives {maps.shape}, not maps of shape (1, channels, height, width)"
        )
    maps = maps[0]
    shown = stretched(maps[:most], (1, 2))
    factor = scaled_to_fit(maps.shape[1:], _LEAST_TILE) if min(maps.shape[1:]) < _LEAST_TILE else 1
    tiles = [heat(each).repeat(factor, 0).repeat(factor, 1) for each in shown]
    more = "" if len(maps) <= most else f" ({most} of {len(maps)})"
    return Picture(tiled(tiles, gap=2), maps, f"feature maps of {name}{more}")


def filters(model: Module, layer: str | Module | None = None, most: int = _MOST_TILES) -> Picture:
    """The filters of a convolution as tiles; those over three channels in colour.

    Gray is 0; colours and brightness are scaled by the largest weight of the layer. Filters over other numbers of
    channels are shown a channel at a time, a row for each filter (16 rows at most, 16 channels at most).

    Args:
        model: a network with convolutions.
        layer: dotted name or module; the first convolution by default.
        most: filters that are shown.

    Returns:
        A picture, whose `values` are the weights, (filters, channels, height, width).

    Raises:
        ArgumentError: no such layer.
        ShapeError: its weights are not those of a convolution over images.

    >>> import onegraph as og
    >>> filters(og.nn.Sequential(og.nn.Conv2d(3, 8, 5))).values.shape
    (8, 3, 5, 5)
    """
    name = chosen_layer("filters", model, layer, default=0)
    weight = getattr(model.get_submodule(name), "weight", None)
    if weight is None or len(weight.shape) != 4:
        raise ShapeError(f"filters: layer {name} has no weight of shape (filters, channels, height, width)")
    with no_grad():
        values = as_array(weight)
    scaled = signed(values)
    columns = None
    if values.shape[1] in (1, 3):
        images = list(scaled[:most])
    else:
        columns = min(values.shape[1], 16)
        images = [each[channel][None] for each in scaled[:16] for channel in range(columns)]
    factor = max(1, scaled_to_fit(values.shape[2:], 28))
    tiles = [to_pixels(each).repeat(factor, 0).repeat(factor, 1) for each in images]
    return Picture(tiled(tiles, columns, gap=2), values, f"filters of {name}")
