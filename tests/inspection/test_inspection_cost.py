"""Multiply-adds: counted by hand, in loops, and as PyTorch's own counter has them."""

from __future__ import annotations

import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.inspection import cost, count_mult_adds
from tests.inspection.nets import blocks, lenet


def test_lenet_by_hand() -> None:
    found = cost(lenet(og.nn), (2, 1, 32, 32))
    maps = 28 * 28 * 6 * 25, 10 * 10 * 16 * 6 * 25
    assert found.mult_adds == 2 * (sum(maps) + 400 * 120 + 120 * 84 + 84 * 10)
    assert found.params == 61_706 and found.param_bytes == 4 * 61_706
    assert found.by_layer["0"] == 2 * maps[0] and found.by_layer["1"] == 0
    assert found.largest_activation_bytes == 2 * 6 * 28 * 28 * 4
    assert sum(found.by_layer.values()) == found.mult_adds


def test_layers_called_twice_and_groups() -> None:
    found = cost(blocks(og.nn), (1, 3, 16, 16))
    assert found.by_layer["shared"] == 2 * 7 * 7 * 8 * 8
    assert found.by_layer["blocks.1.conv"] == 7 * 7 * 8 * 4 * 9


def test_gradients_of_convolutions_cost_as_much_as_convolutions() -> None:
    x, w = og.zeros(2, 4, 9, 9, requires_grad=True), og.zeros(6, 2, 3, 3, requires_grad=True)
    y = og.nn.functional.conv2d(x, w, stride=2, groups=2)
    dx, dw = og.autograd.grad(y.sum(), [x, w])
    once = 2 * 6 * 4 * 4 * 2 * 9
    assert count_mult_adds([y]) == once
    assert count_mult_adds([dw]) == once and count_mult_adds([dx]) == once


def test_a_loop_counts_each_step() -> None:
    w = og.zeros(3, 3)
    last, _ = og.scan(lambda h, x: ((h @ w) + x, h), og.zeros(2, 3), og.zeros(5, 2, 3))
    assert count_mult_adds([last]) == 5 * 2 * 3 * 3


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match="give one of"):
        cost(lenet(og.nn))
    with pytest.raises(ArgumentTypeError, match="expected a module"):
        cost(3, (1,))  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "size"), [(lenet, (2, 1, 32, 32)), (blocks, (2, 3, 16, 16))])
def test_as_the_counter_of_pytorch(make: object, size: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        make(torch.nn)(torch.zeros(size))  # type: ignore[operator]
    assert 2 * cost(make(og.nn), size).mult_adds == counter.get_total_flops()  # type: ignore[operator]
