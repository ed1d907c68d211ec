"""A training loop with a gradient of the user's own, or with recomputation, compiles once like any other."""

from __future__ import annotations

import warnings

import onegraph as og
from onegraph.frontend.autograd import checkpoint
from onegraph.runtime.plan import plans


class Double(og.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def _steps(function, count):
    """Misses of the plan cache in each step."""
    w = og.ones(3, requires_grad=True)
    found = []
    for _ in range(count):
        before = plans.misses
        (function(w) ** 2).sum().backward()
        w.grad.tolist()
        w.grad = None
        found.append(plans.misses - before)
    return found


def test_custom_gradient_compiles_once():
    assert _steps(lambda w: Double.apply(w * 3).exp(), 4)[2:] == [0, 0]


def test_recomputation_compiles_once():
    assert _steps(lambda w: checkpoint(lambda v: (v * 3).exp() * v, w), 4)[2:] == [0, 0]


def test_shapes_that_do_not_change_are_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(40):
            plans.clear()  # compiled anew each time, for another reason than its shapes
            x = og.ones(2, 2)
            for _ in range(9):
                x = (x * 2).exp()
            assert x.sum().item() == float("inf")


def test_shapes_that_keep_changing_are_named():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(1, 40):
            x = og.tensor([0.0] * n)
            for _ in range(9):
                x = (x * 2).sin()
            x.sum().item()
    (warning,) = caught
    assert "input shapes (lately" in str(warning.message) and "(16,)" in str(warning.message)
