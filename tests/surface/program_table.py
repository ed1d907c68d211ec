"""What programs use: a table that they enter themselves into, data, and numbers out of answers.

Read next: `programs.py`, `programs_of_text.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

PROGRAMS: dict[str, tuple[Callable[[Any], dict[str, Any]], float]] = {}


def program(tolerance: float) -> Callable[[Callable[[Any], dict[str, Any]]], Callable[[Any], dict[str, Any]]]:
    """Offer a program, whose numbers may differ from PyTorch's by this part."""

    def offer(function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        PROGRAMS[function.__name__] = function, tolerance
        return function

    return offer


def part(torch: Any, name: str) -> Any:
    """A module of the library: `import torch.optim.lr_scheduler as ...`."""
    return importlib.import_module(f"{torch.__name__}.{name}")


def made(torch: Any, *shape: int, seed: int = 0) -> Any:
    """Data from -1 to 1, the same in both libraries."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def flat(value: Any) -> list[float]:
    """All numbers of an answer."""
    if isinstance(value, dict):
        return [n for v in value.values() for n in flat(v)]
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return value.ravel().astype(float).tolist()
    if isinstance(value, (list, tuple)):
        return [n for v in value for n in flat(v)]
    return [float(value)] if isinstance(value, (int, float)) else []
