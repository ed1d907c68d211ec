"""Which pixels decide: pictures of the gradient of a score with respect to the image, and of what hiding a part changes.

Read next: `call.py` (the walk back), `gradcam.py` (where in the image a class is seen).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import from_numpy_array
from onegraph.frontend.state import no_grad
from onegraph.inspection.call import Recorded, Rule, evaluating, guided, one_image, score_of
from onegraph.inspection.picture import Picture, as_array, heat, overlay, signed, stretched, to_pixels
from onegraph.nn.module import Module

_MARGIN = 99.5  # percentile of a map that is shown as brightest: a few single pixels are always far above the rest


def _strength(gradient: np.ndarray) -> np.ndarray:
    """The largest size over the channels, scaled: (C, H, W) -> (H, W), 0 to 1."""
    sizes = np.abs(gradient).max(0)
    top = np.percentile(sizes, _MARGIN)
    return np.clip(sizes / top, 0, 1) if top > 0 else stretched(sizes)


def _gradient(model: Module, image: Any, target: int | None, rule: Rule | None = None) -> tuple[np.ndarray, int]:
    """The gradient of a score, (C, H, W), and the class that was taken."""
    recorded = Recorded(model, image)
    score, target = score_of(recorded.output, target)
    (found,) = recorded.back(score.node, None, [recorded.image.node], rule)
    return found[0], target


def saliency(model: Module, image: Any, target: int | None = None) -> Picture:
    """The gradient of a class's score with respect to each pixel: how much the score changes with it.

    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks" (2013), section 3.

    Args:
        model: a classifier of images: (N, C, H, W) -> (N, classes).
        image: as the network takes it (scaled), of shape (C, H, W) or (1, C, H, W).
        target: number of the class; by default the one with the highest score.

    Returns:
        A picture of the largest size over the channels; its `values` are the gradient, (C, H, W).

    Raises:
        ShapeError: an image of another shape, or a network that gives no row of scores.
        ArgumentError: no such class.

    >>> import onegraph as og
    >>> model = og.nn.Sequential(og.nn.Flatten(), og.nn.Linear(4, 2))
    >>> with og.config.using(backend="reference"):
    ...     picture = saliency(model, og.zeros(1, 2, 2), target=1)
    >>> bool((picture.values.ravel() == model[1].weight[1].detach().numpy()).all())
    True
    """
    with evaluating(model):
        found, target = _gradient(model, one_image("saliency", image), target)
    return Picture(heat(_strength(found)), found, f"saliency for class {target}")


def smooth_grad(
    model: Module, image: Any, target: int | None = None, samples: int = 25, noise: float = 0.15, seed: int = 0
) -> Picture:
    """The mean of the gradients at noisy copies of the image, which shows less of the speckle of a single one.

    Source: Smilkov, Thorat, Kim, Viégas, Wattenberg, "SmoothGrad: removing noise by adding noise" (2017), section 3.

    Args:
        model, image, target: as for `saliency`; the class is that of the image without noise.
        samples: how many copies.
        noise: standard deviation of the normal noise, as a share of the image's range (the paper uses 0.1 to 0.2).
        seed: of the noise.

    Returns:
        As `saliency`.

    Raises:
        ArgumentError: `samples` or `noise` out of range; otherwise as `saliency`.
    """
    if samples < 1 or noise < 0:
        raise ArgumentError(f"smooth_grad: samples={samples!r}, noise={noise!r}: at least 1 and 0")
    clean = one_image("smooth_grad", image)
    values = as_array(clean)
    spread = noise * float(values.max() - values.min())
    random = np.random.default_rng(seed)
    with evaluating(model):
        found, target = _mean_gradient(
            model, clean, target, (values + random.normal(0, spread, values.shape) for _ in range(samples)), samples
        )
    return Picture(heat(_strength(found)), found, f"SmoothGrad for class {target}")


def _mean_gradient(model: Module, clean: Any, target: int | None, images: Any, count: int) -> tuple[np.ndarray, int]:
    if target is None:
        _, target = score_of(Recorded(model, clean).output, None)
    total: Any = 0.0
    for values in images:
        found, target = _gradient(model, from_numpy_array(values.astype(np.float32)), target)
        total = total + found.astype(np.float64)
    return (total / count).astype(np.float32), int(target)


def guided_backpropagation(model: Module, image: Any, target: int | None = None) -> Picture:
    """The gradient where every ReLU lets only positive gradients through, and only where its input was positive.

    Source: Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for simplicity: the all convolutional net" (2014),
    section 3.4. It shows edges and textures sharply, and depends little on the class.

    Args:
        model, image, target: as for `saliency`. ReLU and ReLU6 are found wherever the network computes them.

    Returns:
        A picture in which gray is nothing; its `values` are the guided gradient, (C, H, W).

    Raises:
        ShapeError, ArgumentError: as `saliency`.
    """
    with evaluating(model):
        found, target = _gradient(model, one_image("guided_backpropagation", image), target, guided)
    return Picture(signed_pixels(found), found, f"guided backpropagation for class {target}")


def signed_pixels(values: np.ndarray) -> np.ndarray:
    """(C, H, W) as pixels in which gray is 0; one or three channels as they are, others as their mean."""
    top = np.percentile(np.abs(values), _MARGIN)
    clipped = np.clip(values, -top, top) if top > 0 else values
    return to_pixels(signed(clipped if values.shape[0] in (1, 3) else clipped.mean(0)))


def integrated_gradients(
    model: Module, image: Any, target: int | None = None, baseline: Any = None, steps: int = 50
) -> Picture:
    """What each pixel adds to the score, on the straight way from a baseline to the image.

    Source: Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks" (2017), section 3: the difference from the
    baseline times the mean gradient on the way, here at the middles of `steps` equal parts. The sum over all pixels is
    the score of the image less that of the baseline, up to the error of the steps.

    Args:
        model, image, target: as for `saliency`.
        baseline: an image in which there is nothing, of the same shape, or a number; 0 by default.
        steps: parts of the way.

    Returns:
        A picture of the sum over the channels, gray where it is 0; its `values` are the parts, (C, H, W).

    Raises:
        ArgumentError: `steps` below 1; otherwise as `saliency`.
        ShapeError: a baseline of another shape; otherwise as `saliency`.
    """
    if steps < 1:
        raise ArgumentError(f"integrated_gradients: steps={steps!r}: at least 1")
    whole = one_image("integrated_gradients", image)
    values = as_array(whole)
    start = np.zeros_like(values) if baseline is None else as_array(baseline)
    try:
        start = np.broadcast_to(start, values.shape)
    except ValueError as error:
        raise ShapeError(f"integrated_gradients: a baseline of shape {start.shape} for {values.shape}") from error
    way = values - start
    with evaluating(model):
        places = ((step + 0.5) / steps for step in range(steps))
        mean, target = _mean_gradient(model, whole, target, (start + place * way for place in places), steps)
    parts = way[0] * mean
    return Picture(signed_pixels(parts.sum(0, keepdims=True)), parts, f"integrated gradients for class {target}")


def occlusion(
    model: Module,
    image: Any,
    target: int | None = None,
    patch: int | tuple[int, int] | None = None,
    stride: int | None = None,
    value: float = 0.0,
    original: Any = None,
    batch_size: int = 32,
) -> Picture:
    """How much the probability of a class falls when a patch of the image is hidden, for every place of the patch.

    Source: Zeiler, Fergus, "Visualizing and understanding convolutional networks" (2014), section 4.2.

    Args:
        model, image, target: as for `saliency`.
        patch: height and width of the patch; by default a quarter of the image.
        stride: step from place to place; by default half the smaller side of the patch.
        value: what the patch is filled with, in the scale of the network's input (0 is the mean of most).
        original: uint8 (H, W, 3) or a `Picture`, to lay the map over; by default the image itself.
        batch_size: patches at a time.

    Returns:
        A picture of the map over the image; its `values` are the fall of the probability at each pixel, (H, W): the
        mean over all patches that hide it.

    Raises:
        ArgumentError: a patch that does not fit, or a stride below 1; otherwise as `saliency`.
        ShapeError: as `saliency`.
    """
    whole = one_image("occlusion", image)
    values = as_array(whole)
    height, width = values.shape[2:]
    rows, columns = (max(1, height // 4), max(1, width // 4)) if patch is None else _pair(patch)
    step = max(1, min(rows, columns) // 2) if stride is None else stride
    if not (1 <= rows <= height and 1 <= columns <= width and step >= 1 and batch_size >= 1):
        raise ArgumentError(
            f"occlusion: patch {(rows, columns)}, stride {step}, batch_size {batch_size}, image {(height, width)}"
        )
    places = [(y, x) for y in _starts(height, rows, step) for x in _starts(width, columns, step)]
    with evaluating(model):
        _, target = score_of(Recorded(model, whole).output, target)

        def probability(images: np.ndarray) -> np.ndarray:
            with no_grad():
                return model(from_numpy_array(images)).softmax(1)[:, target].numpy()

        found = _falls(probability, values, places, (rows, columns), value, batch_size)
    pixels = overlay(_shown(values[0], original), stretched(np.maximum(found, 0)))
    return Picture(pixels, found, f"occlusion for class {target}")


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _starts(length: int, window: int, step: int) -> list[int]:
    """Where windows begin, the last one at the end."""
    return sorted({*range(0, length - window + 1, step), length - window})


def _falls(
    probability: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    places: list[tuple[int, int]],
    patch: tuple[int, int],
    value: float,
    batch_size: int,
) -> np.ndarray:
    whole = float(probability(values)[0])
    total, count = np.zeros(values.shape[2:]), np.zeros(values.shape[2:])
    for start in range(0, len(places), batch_size):
        some = places[start : start + batch_size]
        images = np.repeat(values, len(some), 0)
        for each, (y, x) in zip(images, some, strict=True):
            each[:, y : y + patch[0], x : x + patch[1]] = value
        for fall, (y, x) in zip(whole - probability(images), some, strict=True):
            total[y : y + patch[0], x : x + patch[1]] += fall
            count[y : y + patch[0], x : x + patch[1]] += 1
    return total / np.maximum(count, 1)


def _shown(values: np.ndarray, original: Any) -> np.ndarray:
    """The image to lay a map over, uint8 (H, W, 3): the one that was given, or the network's input stretched."""
    if original is None:
        return to_pixels(stretched(values if values.shape[0] in (1, 3) else values.mean(0)))
    pixels = original.pixels if isinstance(original, Picture) else np.asarray(original)
    if pixels.dtype != np.uint8 or pixels.shape != (*values.shape[1:], 3):
        raise ShapeError(
            f"original: {pixels.dtype} of shape {pixels.shape}; uint8 of shape {(*values.shape[1:], 3)} is needed",
            hint="scale and crop it as the network's input was",
        )
    return pixels
