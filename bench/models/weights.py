"""First weights that depend on names and shapes alone, so that both frameworks, and others, start from the same bits.

Read next: `bench/work.py`, which says what is done with the models.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _first(name: str, shape: tuple[int, ...], rng: np.random.Generator, norm: float) -> np.ndarray[Any, Any]:
    kind = name.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros((), np.int64)
    if len(shape) > 1:
        fan_in = math.prod(shape[1:])
        gain = 2.0 if len(shape) == 4 else 1.0  # convolutions are followed by ReLU: He et al. (2015)
        return rng.normal(0.0, math.sqrt(gain / fan_in), shape).astype(np.float32)
    if kind in ("weight", "running_var"):
        scale = norm if kind == "weight" else 1.0
        return (scale * rng.uniform(0.5, 1.5, shape)).astype(np.float32)
    return rng.normal(0.0, 0.1, shape).astype(np.float32)


def first_arrays(model: Any, norm: float = 1.0, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays for all parameters and buffers of a model of either framework, by name.

    Args:
        model: it gives names and shapes.
        norm: the mean weight of normalizations. 1 keeps activations alive in inference; in training less keeps random
            networks from being so badly conditioned that rounding alone decides the loss after a step.
        seed: of the random generator.
    """
    rng = np.random.default_rng(seed)
    return {name: _first(name, tuple(value.shape), rng, norm) for name, value in sorted(model.state_dict().items())}


def copy_arrays(framework: Any, model: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Load arrays into a model; names must agree exactly. Returns the model."""
    model.load_state_dict({name: framework.tensor(value) for name, value in arrays.items()})
    return model
