"""A loss may be looked at before `backward`, also at the first step, when parameters are still waiting to be drawn."""

from __future__ import annotations

import pytest

import onegraph as og


def _gradient(look: bool) -> list[float]:
    og.manual_seed(3)
    w = og.randn(4, requires_grad=True)
    x = og.randn(4)
    loss = ((w * x) ** 2).sum()
    if look:
        assert loss.item() > 0
    loss.backward()
    assert w.grad is not None
    return w.grad.tolist()


def test_gradient_of_a_parameter_that_was_drawn_by_looking() -> None:
    assert _gradient(look=True) == _gradient(look=False)


def test_parameter_written_in_place_before() -> None:
    w = og.ones(3, requires_grad=True)
    with og.no_grad():
        w.mul_(2)
    loss = (w * w).sum()
    assert loss.item() == 12
    loss.backward()
    assert w.grad.tolist() == [4, 4, 4]


@pytest.mark.parametrize("look", [False, True])
def test_several_losses_of_one_parameter(look: bool) -> None:
    og.manual_seed(0)
    w = og.rand(3, requires_grad=True)
    first, second = (w * 2).sum(), (w * 3).sum()
    if look:
        first.item()
    second.backward()
    first.backward()
    assert w.grad.tolist() == [5, 5, 5]
