"""Random programs of views, writes in place and NumPy arrays give what PyTorch gives.

Read next: `test_numpy.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og

torch = pytest.importorskip("torch")

Step = Callable[[Any, Any, np.ndarray], Any]


def _add_out(a: Any, b: Any, array: np.ndarray) -> None:
    np.add(a, array, out=a)
    b.add_(torch.tensor(array))


def _add(a: Any, b: Any, array: np.ndarray) -> None:
    a += array
    b += torch.tensor(array)


def _double(a: Any, b: Any, array: np.ndarray) -> None:
    a.mul_(2)
    b.mul_(2)


def _copy(a: Any, b: Any, array: np.ndarray) -> None:
    a.copy_(og.tensor(array))
    b.copy_(torch.tensor(array))


def _every_second(a: Any, b: Any, array: np.ndarray) -> None:
    a[::2] = 1.5
    b[::2] = 1.5


def _masked(a: Any, b: Any, array: np.ndarray) -> None:
    a[array > 0] = 0.25
    b[torch.tensor(array > 0)] = 0.25


def _first(a: Any, b: Any, array: np.ndarray) -> None:
    a[0] = array[0]
    b[0] = torch.tensor(array[0])
    array[...] = 7  # what was written is not followed


def _product(a: Any, b: Any, array: np.ndarray) -> Any:
    both = np.multiply(array, a), torch.tensor(array) * b
    array[...] = 9  # nor is an operand
    return both


STEPS: list[Step] = [
    _add_out, _add, _double, _copy, _every_second, _masked, _first, _product,
    lambda a, b, array: (a[0], b[0]),
    lambda a, b, array: (a[1:], b[1:]),
    lambda a, b, array: (a.T, b.T) if a.ndim == 2 else None,
    lambda a, b, array: (a.detach(), b.detach()),
    lambda a, b, array: (og.tensor(np.asarray(a)), torch.tensor(b.numpy().copy())),
    lambda a, b, array: a.numpy() is None,  # look
]  # fmt: skip


@pytest.mark.parametrize("block", range(8))
def test_as_in_pytorch(block: int) -> None:
    with og.config.using(backend="reference"):
        for seed in range(40 * block, 40 * block + 40):
            choose, draw = random.Random(seed), np.random.default_rng(seed)
            start = draw.normal(size=(4, 6)).astype(np.float32)
            pairs: list[tuple[Any, Any]] = [(og.tensor(start), torch.tensor(start))]
            for _ in range(choose.randint(4, 12)):
                ours, theirs = choose.choice(pairs)
                step = choose.choice(STEPS)
                if ours.ndim and ours.shape[0]:
                    made = step(ours, theirs, draw.normal(size=tuple(ours.shape)).astype(np.float32))
                    pairs += [made] if isinstance(made, tuple) else []
            for ours, theirs in pairs:
                np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6, err_msg=f"seed {seed}")
