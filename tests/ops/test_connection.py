"""Operands on which a result does not depend smoothly get a gradient of zeros, as in PyTorch, and not none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import onegraph as og

F = og.nn.functional

CASES: dict[str, tuple[Callable[..., og.Tensor], list[tuple[int, ...]]]] = {
    "copysign": (lambda x, y: og.copysign(x.detach(), y), [(3,), (3,)]),
    "gather nothing": (lambda x: og.gather(x, 0, og.zeros(0, dtype=og.int64)), [(3,)]),
    "nearest": (lambda x, g: F.grid_sample(x.detach(), g, mode="nearest"), [(1, 1, 3, 3), (1, 2, 2, 2)]),
    "count": (lambda x: og.cdist(x, x.detach() + 1, p=0.0), [(3, 2)]),
    "largest of nothing": (lambda x: og.cdist(x[:, :0], x.detach()[:, :0], p=float("inf")), [(3, 2)]),
    "power 0": (lambda x: og.linalg.matrix_power(x, 0), [(2, 2)]),
    "fill": (lambda x: og.fill(x, 3.0), [(2, 2)]),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_of_zeros(name: str) -> None:
    function, shapes = CASES[name]
    inputs = [og.tensor(np.linspace(-0.9, 0.8, int(np.prod(s))).reshape(s), requires_grad=True) for s in shapes]
    result = function(*inputs)
    (gradient,) = og.autograd.grad(result, [inputs[-1]], [og.ones_like(result)], allow_unused=True)
    assert gradient is not None and gradient.shape == inputs[-1].shape
    assert not gradient.numpy().any()


def test_the_values_stay_as_they_are_whatever_the_operand() -> None:
    x, y = og.tensor([1.0, -2.0, 0.0]), og.tensor([float("nan"), -float("inf"), -0.0])
    assert np.signbit(og.copysign(x, y).numpy()).tolist() == [False, True, True]
    wild = og.tensor([[float("nan"), 0.0], [float("inf"), 1.0]])
    assert og.linalg.matrix_power(wild, 0).tolist() == [[1.0, 0.0], [0.0, 1.0]]
