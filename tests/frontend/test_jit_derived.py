"""Traced functions compute anew what depends on captured tensors alone."""

from __future__ import annotations

import onegraph as og


def test_what_is_derived_from_state_follows_the_state() -> None:
    for state in (og.zeros(()), og.tensor(0.0), og.zeros(1)):

        @og.jit
        def step(x: og.Tensor, state: og.Tensor = state) -> og.Tensor:
            with og.no_grad():
                state.add_(1)
            return (state * 2 + 1) * x

        traced = og.jit(lambda x, step=step: step.function(x))
        assert [traced(og.ones(())).sum().item() for _ in range(3)] == [3.0, 5.0, 7.0]


def test_gradients_flow_through_what_is_derived_from_parameters() -> None:
    w = og.ones(2, requires_grad=True)
    optimizer = og.optim.SGD([w], lr=0.25)

    @og.jit
    def step(x: og.Tensor) -> og.Tensor:
        optimizer.zero_grad()
        loss = ((w * w) * 0.5).sum() + x
        loss.backward()
        optimizer.step()
        return loss.detach()

    assert [step(og.zeros(())).item() for _ in range(3)] == [1.0, 0.5625, 0.31640625]


def test_a_constant_of_two_dimensions_and_its_view_are_captured_once() -> None:
    @og.jit
    def scaled(x: og.Tensor) -> og.Tensor:
        return x * og.tensor(2.0).double().reshape(1).expand(2)

    assert scaled(og.ones(2)).tolist() == [2.0, 2.0]
