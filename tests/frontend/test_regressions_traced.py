"""Small traced programs that once went wrong; the others are in `test_regressions.py`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import onegraph as og


def test_traced_function_writes_to_its_argument() -> None:
    @og.jit
    def double(x: og.Tensor) -> og.Tensor:
        x.mul_(2)
        return x.sum()

    for start in (1.0, 3.0):
        x = og.tensor([start])
        assert double(x).item() == 2 * start and x.tolist() == [2 * start]


def test_traced_function_writes_to_an_argument_that_is_a_view() -> None:
    @og.jit
    def clear(x: og.Tensor) -> None:
        x.zero_()

    for _ in range(2):
        base = og.ones(3)
        clear(base[1:])
        assert base.tolist() == [1.0, 0.0, 0.0]


def test_traced_function_gives_its_argument_a_gradient() -> None:
    @og.jit
    def step(w: og.Tensor) -> og.Tensor:
        loss = (w * w).sum()
        loss.backward()
        return loss.detach()

    for expected in (2.0, 4.0):
        w = og.tensor([expected / 2], requires_grad=True)
        step(w)
        assert w.grad.tolist() == [expected]
        step(w)  # adds
        assert w.grad.tolist() == [2 * expected]


def test_argument_and_captured_tensor_are_one() -> None:
    w = og.zeros(2)

    @og.jit
    def step(x: og.Tensor) -> og.Tensor:
        w.add_(1)
        return x * 1

    assert step(w).tolist() == [1.0, 1.0]
    assert step(og.zeros(2)).tolist() == [0.0, 0.0]
    assert step(w).tolist() == [3.0, 3.0]


def test_one_tensor_as_two_arguments() -> None:
    @og.jit
    def step(a: og.Tensor, b: og.Tensor) -> og.Tensor:
        a.add_(1)
        return b * 1

    assert step(og.zeros(1), og.zeros(1)).tolist() == [0.0]
    x = og.zeros(1)
    assert step(x, x).tolist() == [1.0]


def test_a_tensor_made_while_tracing_starts_afresh_at_each_call() -> None:
    @og.jit
    def total(x: og.Tensor) -> og.Tensor:
        start = og.tensor([0.0, 0.0])
        start += x
        return start

    assert [total(og.ones(2)).tolist() for _ in range(3)] == [[1.0, 1.0]] * 3


def test_filling_while_tracing() -> None:
    state = og.ones(2)

    @og.jit
    def reset(x: og.Tensor) -> og.Tensor:
        y = x * 2
        y.fill_(0.5)
        state.zero_()
        state[0] = 3
        return y + state

    assert reset(og.ones(2)).tolist() == [3.5, 0.5] and state.tolist() == [3.0, 0.0]


def test_setting_grad_to_none_traces_once() -> None:
    w = og.ones(1, requires_grad=True)

    @og.jit
    def step(x: og.Tensor) -> None:
        w.grad = None
        (w * x).sum().backward()

    for value in (1.0, 2.0, 3.0):
        step(og.tensor([value]))
        assert w.grad.tolist() == [value]
    assert step.traces == 1


def test_parameter_frozen_after_tracing_gets_no_gradient() -> None:
    w, v = og.ones(1, requires_grad=True), og.ones(1, requires_grad=True)

    @og.jit
    def step(x: og.Tensor) -> None:
        w.grad = v.grad = None
        (w * v * x).sum().backward()

    step(og.ones(1))
    w.grad = None
    w.requires_grad_(False)
    step(og.ones(1))
    assert w.grad is None and v.grad.tolist() == [1.0]


def test_captured_tensor_of_another_shape_is_traced_again() -> None:
    w = og.ones(2)
    f = og.jit(lambda x: (x * w).sum())
    assert f(og.ones(1)).item() == 2.0
    w.data = og.ones(5)
    assert f(og.ones(1)).item() == 5.0


def test_gradient_flows_on_from_a_captured_result() -> None:
    w = og.tensor([1.0, 2.0], requires_grad=True)
    h = w.reshape(-1)

    @og.jit
    def step(x: og.Tensor) -> None:
        (h * h * x).sum().backward()

    step(og.ones(1))
    assert w.grad.tolist() == [2.0, 4.0]


def test_views_of_written_state_are_up_to_date_while_tracing() -> None:
    state = og.zeros(3)
    last = state[-1]

    @og.jit
    def step(x: og.Tensor) -> og.Tensor:
        state.add_(x)
        return last * 10

    assert [step(og.ones(3)).item() for _ in range(3)] == [10.0, 20.0, 30.0]
    assert last.item() == 3.0


def test_detached_state_that_is_pending_is_written_at_each_call() -> None:
    state = og.zeros(2).tanh()

    @og.jit
    def step(x: og.Tensor) -> None:
        state.detach().add_(x)

    for _ in range(3):
        step(og.ones(2))
    assert state.tolist() == [3.0, 3.0]


def test_copy_into_an_argument_while_tracing() -> None:
    state = og.tensor([1.0, 2.0])

    @og.jit
    def load(x: og.Tensor) -> og.Tensor:
        x.copy_(state)
        return x.flip(0)

    assert load(og.zeros(2)).tolist() == [2.0, 1.0]


def test_a_value_from_outside_is_not_built_in() -> None:
    flag = og.tensor(1.0)

    @og.jit
    def f(x: og.Tensor) -> og.Tensor:
        return x * 2 if flag.item() > 0 else x

    assert f(og.ones(1)).tolist() == [2.0]
    flag.fill_(-1)
    assert f(og.ones(1)).tolist() == [1.0]


def test_mask_from_outside_is_not_built_in() -> None:
    w = og.tensor([1.0, -1.0, 2.0])

    @og.jit
    def f(x: og.Tensor) -> og.Tensor:
        return w[w > 0] * x

    assert f(og.ones(1)).tolist() == [1.0, 2.0]
    w.neg_()
    assert f(og.ones(1)).tolist() == [1.0]


def test_hooks_and_data_while_tracing_are_undone_and_done_again() -> None:
    w, calls = og.ones(1, requires_grad=True), []
    other = og.tensor([5.0])

    @og.jit
    def step(x: og.Tensor) -> None:
        w.register_hook(lambda g: calls.append(1))
        (w * x).sum().backward()
        w.data = other

    step(og.ones(1))
    assert len(calls) >= 1 and len(w._hooks) == 1 and w.tolist() == [5.0]
    other.fill_(7)
    assert w.tolist() == [7.0]  # they share storage


@pytest.mark.parametrize("traced", [False, True])
def test_threads_train_models_of_their_own(traced: bool) -> None:
    def train(seed: int, results: dict[int, Any]) -> None:
        random = np.random.default_rng(seed)
        w = og.tensor(random.standard_normal((4, 3)), requires_grad=True)
        mean = og.zeros(4, 3, dtype=og.float64)
        optimizer = og.optim.Adam([w], lr=0.01 * (seed + 1))

        def step(x: og.Tensor) -> og.Tensor:
            loss = ((x @ w).tanh() ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with og.no_grad():
                mean.mul_(0.9).add_(w.detach())
            return loss.detach()

        run = og.jit(step) if traced else step
        losses = [(run(og.tensor(random.standard_normal((5 + i % 2, 4)))) * (i + seed)).item() for i in range(12)]
        results[seed] = (losses, w.tolist(), mean.tolist())

    alone: dict[int, Any] = {}
    together: dict[int, Any] = {}
    for seed in range(3):
        train(seed, alone)
    threads = [threading.Thread(target=train, args=(seed, together)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_hook_registered_while_tracing_counts_once() -> None:
    w = og.ones(2, requires_grad=True)
    view = w[None]

    @og.jit
    def step(x: og.Tensor) -> None:
        view.register_hook(lambda g: g * 2)
        (view * x).sum().backward()
        with og.no_grad():
            w.add_(1)

    step(og.ones(2))
    assert w.grad.tolist() == [2.0, 2.0]


def test_parameters_whose_step_counts_part_while_traced() -> None:
    def run(traced: bool) -> list[list[float]]:
        a, b = og.ones(2, requires_grad=True), og.ones(2, requires_grad=True)
        optimizer = og.optim.Adam([a, b], lr=0.1)

        def step(x: og.Tensor) -> None:
            optimizer.zero_grad()
            (a * b * x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            (a * a).sum().backward()
            optimizer.step()

        function = og.jit(step) if traced else step
        for value in (1.0, 2.0, 3.0):
            function(og.tensor([value, 1.0]))
        return [a.tolist(), b.tolist()]

    assert run(True) == run(False)
