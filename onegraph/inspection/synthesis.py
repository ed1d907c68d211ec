"""An image that a network takes for a class more than any other: what the class looks like to it.

Read next: `saliency.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend.convert import from_numpy_array
from onegraph.inspection.call import Recorded, evaluating, one_image, score_of
from onegraph.inspection.picture import Picture, as_array, stretched, to_pixels
from onegraph.nn.module import Module


def class_image(
    model: Module,
    target: int,
    size: tuple[int, ...],
    steps: int = 100,
    lr: float = 1.0,
    weight_decay: float = 1e-2,
    jitter: int = 2,
    start: Any = None,
    seed: int = 0,
) -> Picture:
    """Climb from faint noise to an image with a high score for a class.

    Maximizes the score minus `weight_decay` times the sum of squares, by steps along the gradient, each of length `lr`
    times the root of the number of pixels and the share of it that is left (it falls to 0 along a line). Source: Simonyan,
    Vedaldi, Zisserman, "Deep inside convolutional networks" (2013), section 2. Moving the image a little at each
    step, so that no pattern depends on single pixels, is from Mordvintsev, Olah, Tyka, "Inceptionism" (2015).

    Args:
        model: a classifier of images: (N, C, H, W) -> (N, classes).
        target: number of the class.
        size: (C, H, W) of the image.
        steps: how many.
        lr: root mean square of the first step, in the scale of the network's input.
        weight_decay: how much large pixels cost.
        jitter: most pixels that the image is moved by at a step, either way.
        start: the image to begin with; faint noise by default.
        seed: of the moves and the noise.

    Returns:
        A picture; its `values` are the image as the network takes it, (C, H, W).

    Raises:
        ArgumentError: no such class, or a number out of range.
        ShapeError: the network does not take such images, or gives no row of scores.
    """
    if steps < 1 or lr <= 0 or weight_decay < 0 or jitter < 0 or len(size) != 3:
        raise ArgumentError(
            f"class_image: size={size!r}, steps={steps!r}, lr={lr!r}, weight_decay={weight_decay!r}, jitter={jitter!r}: "
            "(C, H, W), at least 1, above 0, at least 0 and 0"
        )
    random = np.random.default_rng(seed)
    if start is None:  # noise, for in an image without any contrast all units of a network may be at rest
        values = random.normal(0, lr / 4, (1, *size)).astype(np.float32)
    else:
        values = as_array(one_image("class_image", start)).copy()
    with evaluating(model):
        for step in range(steps):
            move = tuple(int(n) for n in random.integers(-jitter, jitter + 1, 2))
            recorded = Recorded(model, from_numpy_array(np.roll(values, move, (2, 3))))
            score, target = score_of(recorded.output, target)
            (gradient,) = recorded.back(score.node, None, [recorded.image.node])
            way = np.roll(gradient, (-move[0], -move[1]), (2, 3)) - 2 * weight_decay * values
            length = float(np.sqrt((way.astype(np.float64) ** 2).mean()))
            if length == 0:
                break
            values = (values + way * (lr * (1 - step / steps) / length)).astype(np.float32)
    low, high = np.percentile(values, (0.5, 99.5))
    shown = np.clip(values[0], low, high)
    pixels = to_pixels(stretched(shown if size[0] in (1, 3) else shown.mean(0)))
    return Picture(pixels, values[0], f"image of class {target}")
