"""When memory runs out in training: what is large, and what to lower.

Read next: `trainer.py`; `onegraph/inspection/cost.py`, which counts.
"""

from __future__ import annotations

from typing import Any

from onegraph.cli.info import size_text
from onegraph.cli.settings import Settings
from onegraph.errors import OutOfMemoryError
from onegraph.inspection import cost
from onegraph.nn import Module

_SHOWN = 3
_STATES = {"sgd": 1, "nesterov": 1, "rmsprop": 1, "adagrad": 1, "adafactor": 0}
"""Numbers that an optimizer keeps for each parameter; 2 where nothing is said."""


def explain_memory(
    error: BaseException, model: Module, image_shape: tuple[int, int, int], settings: Settings
) -> OutOfMemoryError:
    """An error that says what training needs memory for.

    Args:
        error: what was raised.
        model: the network.
        image_shape: (C, H, W).
        settings: of the run.
    """
    batch = settings.batch_size
    found = cost(model, (1, *image_shape))
    results = batch * sum(found.activations.values())
    learned = sum(p.numel() * p.dtype.itemsize for p in model.parameters() if p.requires_grad)
    weights = found.param_bytes + learned * (1 + _STATES.get(settings.optimizer, 2))
    largest = sorted(found.activations.items(), key=lambda item: -item[1])[:_SHOWN]
    layers = ", ".join(f"{name or 'the network'} {size_text(batch * count)}" for name, count in largest)
    message = (
        f"no memory for a step of {settings.network} with {batch} images of "
        f"{image_shape[1]}x{image_shape[2]}: results of its layers, kept for the gradients, take about {size_text(results)} "
        f"(the largest: {layers}); weights, gradients and the optimizer's state {size_text(weights)}"
    )
    return OutOfMemoryError(f"{message}. {_first_line(error)}", hint=_advice(settings, results, image_shape))


def _first_line(error: BaseException) -> str:
    text: Any = getattr(error, "message", None) or str(error)
    return str(text).splitlines()[0] if str(text) else type(error).__name__


def _advice(settings: Settings, results: int, image_shape: tuple[int, int, int]) -> str:
    ways = []
    if settings.batch_size > 1:
        half = max(1, settings.batch_size // 2)
        ways.append(f"--batch-size {half} (results: {size_text(results * half // settings.batch_size)})")
    ways.append(f"a smaller --image-size (now {image_shape[1]})")
    if settings.amp == "none":
        ways.append("--amp bf16 (half the memory for most results)")
    if not settings.freeze and settings.weights:
        ways.append("--freeze all-but-head (nothing is kept for layers that do not learn)")
    return "lower something: " + ", or ".join(ways)
