"""Small programs that once gave wrong numbers, lost a gradient, or failed; most were found by tests/fuzz."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import onegraph as og
from onegraph.errors import ArgumentTypeError, DivisionError, GradientError, OutOfRangeError, ShapeError
from onegraph.frontend.state import mode
from onegraph.runtime.plan import Plan

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

    def interrupted(self: Plan, inputs: Any, **recorded: Any) -> Any:
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


def test_a_loop_that_is_kept_for_later_is_not_kept_as_a_whole() -> None:
    x = og.ones(3, 2)
    state, rows = og.scan(lambda c, r: (c + r, c * r), og.zeros(2), x)
    for i in range(1, 5):  # computed again and again by different plans, with one more of its results in the last
        (rows * i).sum().tolist()
    assert (state + rows.sum()).tolist() == [9.0, 9.0]


def test_square_of_bools_counts() -> None:
    assert og.tensor([True, False]).square().dtype is og.int64
