"""Small programs that once gave wrong numbers, lost a gradient, or failed; most were found by tests/fuzz."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentTypeError, DivisionError, GradientError, OutOfRangeError, ShapeError
from onegraph.frontend.state import mode
from onegraph.runtime.plan import Plan

# ---- traced functions


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


# ---- writing in place, views and gradients


def test_gradient_arrives_although_the_leaf_was_written_meanwhile() -> None:
    w = og.tensor([1.0], requires_grad=True)
    loss = (w * 3).sum()
    with og.no_grad():
        w.add_(1)
    loss.backward()
    assert w.grad.tolist() == [3.0]
    loss = (w * 4).sum()
    with og.no_grad():
        w.add_(1)
    assert og.autograd.grad(loss, w)[0].tolist() == [4.0]


def test_writing_under_no_grad_keeps_the_history() -> None:
    w = og.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    with og.no_grad():
        h.mul_(10)
    (h * h).sum().backward()  # the gradient at the new value, through the old operation
    assert w.grad.tolist() == [80.0, 160.0]


def test_gradient_flows_through_a_view_written_under_no_grad() -> None:
    w = og.tensor([[1.0, 2.0]], requires_grad=True)
    v = w.transpose(0, 1)
    with og.no_grad():
        v.fill_(0.5)
    (v * 3).sum().backward()
    assert w.grad.tolist() == [[3.0, 3.0]] and w.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("eager", [False, True])
def test_base_requires_gradients_once_a_view_was_written_with_some(eager: bool) -> None:
    with og.config.using(eager=eager):
        w, base = og.tensor(2.0, requires_grad=True), og.ones(2, 2)
        base[0] += w
        view = base.T
        view *= w
        assert base.requires_grad
        base.sum().backward()
        assert w.grad.item() == 12.0


def test_a_detached_alias_stays_detached() -> None:
    x = og.tensor([1.0])
    alias = x.detach()
    x.requires_grad_()
    with og.no_grad():
        x.add_(1)
    (x * alias).sum().backward()
    assert x.grad.tolist() == [2.0] and not alias.requires_grad


def test_a_view_made_before_its_base_required_gradients() -> None:
    base = og.ones(2, 2)
    view = base[0]
    base.requires_grad_()
    assert view.requires_grad
    (view * 3).sum().backward()
    assert base.grad.tolist() == [[3.0, 3.0], [0.0, 0.0]]


def test_a_view_that_is_a_leaf_stays_one() -> None:
    base = og.ones(2)
    view = base[0].requires_grad_()
    base.add_(1)
    (view * view).backward()
    assert view.grad.item() == 4.0


def test_data_lets_go_of_views_and_shares_storage() -> None:
    x, other = og.zeros(2), og.ones(2)
    view = x[0]
    x.data = other
    x.add_(1)
    assert view.item() == 0.0 and other.tolist() == [2.0, 2.0]
    x.data = x.data
    other.zero_()
    assert x.tolist() == [0.0, 0.0]


def test_parameters_as_parts_of_one_flat_tensor() -> None:
    flat = og.zeros(4)
    w = og.ones(2, requires_grad=True)
    w.data = flat[2:]
    (w * 3).sum().backward()
    optimizer = og.optim.SGD([w], lr=1.0)
    optimizer.step()
    assert flat.tolist() == [0.0, 0.0, -3.0, -3.0]


def test_view_as_follows_its_base() -> None:
    x, like = og.zeros(4), og.zeros(2, 2)
    view = x.view_as(like)
    x.add_(1)
    assert view.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_hook_of_a_leaf_changes_what_grad_gives() -> None:
    w = og.tensor([1.0], requires_grad=True)
    w.register_hook(lambda g: g * 10)
    assert og.autograd.grad((w * 2).sum(), w)[0].tolist() == [20.0]


def test_hook_of_a_view_survives_writing_its_base() -> None:
    w = og.ones(2, requires_grad=True)
    view = w[0]
    view.register_hook(lambda g: g * 10)
    with og.no_grad():
        w.add_(1)
    view.backward()
    assert w.grad.tolist() == [10.0, 0.0]


@pytest.mark.parametrize("value, error", [(3, ArgumentTypeError), ("x", ArgumentTypeError)])
def test_grad_and_data_are_tensors(value: Any, error: type[Exception]) -> None:
    w = og.ones(2, requires_grad=True)
    with pytest.raises(error):
        w.grad = value
    with pytest.raises(error):
        w.data = value
    with pytest.raises(ShapeError):
        w.grad = og.ones(3)
    with pytest.raises(GradientError):
        (w * 2).requires_grad_(False)


# ---- errors, interruption, threads


def test_an_error_leaves_other_tensors_usable() -> None:
    total = og.zeros(2)
    total.add_(1)
    with pytest.raises(DivisionError):
        (og.tensor([1, 2]) // (og.tensor([0, 1]) * 1)).tolist()
    assert total.tolist() == [1.0, 1.0]


def test_a_write_that_fails_says_so_once_and_stops_nothing_else() -> None:
    broken, fine = og.tensor([1, 2]), og.ones(2) * 3
    broken //= og.tensor([0, 1]) * 1
    with pytest.raises(DivisionError):
        fine.tolist()
    assert fine.tolist() == [3.0, 3.0]
    with pytest.raises(DivisionError):
        broken.tolist()


def test_a_bad_batch_leaves_the_model_as_it_was() -> None:
    table = og.nn.Embedding(4, 2)
    optimizer = og.optim.Adam(table.parameters(), lr=0.1)
    before = table.weight.tolist()

    def step(index: int) -> None:
        optimizer.zero_grad()
        (table(og.tensor([index]) * 1) ** 2).sum().backward()
        optimizer.step()

    with pytest.raises(OutOfRangeError):
        step(7)
    assert table.weight.tolist() == before
    step(2)
    after = table.weight.tolist()
    assert after[:2] == before[:2] and after[2] != before[2]


def test_interruption_leaves_tensors_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    total, x = og.zeros(2), og.ones(2) * 3
    total.add_(1)

    def interrupted(self: Plan, inputs: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Plan, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            x.tolist()
    assert id(total) in mode.waiting
    assert x.tolist() == [3.0, 3.0] and total.tolist() == [1.0, 1.0] and not mode.waiting


def test_no_grad_as_a_decorator_in_two_threads() -> None:
    inside, leave = threading.Event(), threading.Event()

    @og.no_grad()
    def work() -> None:
        inside.set()
        leave.wait(10)

    seen = []
    other = threading.Thread(target=lambda: (work(), seen.append(og.is_grad_enabled())))
    other.start()
    inside.wait(10)
    with og.no_grad():
        leave.set()
        work()
        other.join()
        assert not og.is_grad_enabled()
    assert seen == [True] and og.is_grad_enabled()


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


def test_a_loop_that_is_kept_for_later_is_not_kept_as_a_whole() -> None:
    x = og.ones(3, 2)
    state, rows = og.scan(lambda c, r: (c + r, c * r), og.zeros(2), x)
    for i in range(1, 5):  # computed again and again by different plans, with one more of its results in the last
        (rows * i).sum().tolist()
    assert (state + rows.sum()).tolist() == [9.0, 9.0]


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


def test_square_of_bools_counts() -> None:
    assert og.tensor([True, False]).square().dtype is og.int64
