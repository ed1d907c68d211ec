"""Traced functions: captured state, written state, random streams, signatures, errors, the same bits as define-by-run."""

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import GradientError, TraceError
from onegraph.frontend.tensor import wrap
from onegraph.frontend.trace import changing_number
from onegraph.ir.dtype import float32


def network(seed=0):
    og.manual_seed(seed)
    w1, w2 = og.randn(20, 10, requires_grad=True), og.randn(10, 20, requires_grad=True)

    def step(x, y):
        loss = ((og.maximum(x @ w1, 0) @ w2 - y) ** 2).sum(1).mean()
        loss.backward()
        with og.no_grad():
            for w in (w1, w2):
                w -= 1e-3 * w.grad
                w.grad = None
        return loss

    return step, (w1, w2)


def test_jit_gives_the_same_bits_as_define_by_run():
    og.manual_seed(1)
    x, y = og.randn(8, 20), og.randn(8, 20)
    plain, weights = network()
    losses = [plain(x, y).item() for _ in range(5)]
    traced, traced_weights = network()
    traced = og.jit(traced)
    assert [traced(x, y).item() for _ in range(5)] == losses
    for a, b in zip(weights, traced_weights, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert traced.traces == 1


def test_gradients_left_by_the_function_are_written_back():
    w = og.tensor([1.0, 2.0], requires_grad=True)

    @og.jit
    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss.detach()

    step(og.tensor([3.0, 4.0]))
    assert w.grad.tolist() == [3.0, 4.0]


def test_captured_tensors_are_read_anew():
    scale = og.tensor(2.0)
    f = og.jit(lambda x: x * scale)
    assert f(og.tensor([1.0])).tolist() == [2.0]
    scale.fill_(5.0)
    assert f(og.tensor([1.0])).tolist() == [5.0]
    assert f.traces == 1


def test_pending_tensors_can_be_captured():
    base = og.ones(2)
    pending = base * 3
    f = og.jit(lambda x: x + pending)
    assert f(og.ones(2)).tolist() == [4.0, 4.0]


def test_counters_and_views_of_outside_tensors_are_written():
    count, buffer = og.tensor(0), og.zeros(4)

    @og.jit
    def tick(x):
        count.add_(1)
        buffer[1:3] += x
        return count * 1

    assert [tick(og.tensor(2.0)).item() for _ in range(3)] == [1, 2, 3]
    assert count.item() == 3 and buffer.tolist() == [0.0, 6.0, 6.0, 0.0]


def test_random_numbers_are_fresh_and_equal_to_define_by_run():
    def noise(x):
        return x + og.rand(3) + og.randn(3)

    traced = og.jit(noise)
    og.manual_seed(5)
    expected = [noise(og.zeros(3)).tolist() for _ in range(3)]
    og.manual_seed(5)
    assert [traced(og.zeros(3)).tolist() for _ in range(3)] == expected
    assert expected[0] != expected[1]


def test_changing_numbers_retrace_nothing():
    rate = [0.5]

    @og.jit
    def f(x):
        return x * wrap(changing_number(lambda: rate[0], float32), False)

    assert f(og.tensor([2.0])).tolist() == [1.0]
    rate[0] = 3.0
    assert f(og.tensor([2.0])).tolist() == [6.0]
    assert f.traces == 1


def test_signatures():
    f = og.jit(lambda x, power=2, flag=None: x**power if flag is None else x)
    assert f(og.tensor([3.0])).tolist() == [9.0]
    assert f(og.tensor([3.0, 2.0])).tolist() == [9.0, 4.0]
    assert f(og.tensor([3.0]), 3).tolist() == [27.0]
    assert f(og.tensor([3.0]), flag=True).tolist() == [3.0]
    assert f(og.tensor([3])).tolist() == [9]
    assert f.traces == 5
    f(og.tensor([5.0]))
    assert f.traces == 5


def test_nested_structures_of_arguments_and_results():
    @og.jit
    def f(batch, scale):
        return {"sum": batch["a"] + batch["b"][0], "list": [batch["a"] * scale, "text"]}

    result = f({"a": og.ones(2), "b": (og.tensor([1.0, 2.0]),)}, 3)
    assert (
        result["sum"].tolist() == [2.0, 3.0]
        and result["list"][0].tolist() == [3.0, 3.0]
        and result["list"][1] == "text"
    )


@pytest.mark.parametrize(
    "look", [lambda x: bool(x.sum() > 0), lambda x: x.sum().item(), lambda x: float(x[0]), lambda x: x.numpy()]
)
def test_looking_at_values_explains_what_to_do(look):
    @og.jit
    def f(x):
        look(x)
        return x

    with pytest.raises(TraceError, match=r"og\.where, og\.cond") as caught:
        f(og.ones(2))
    assert "test_function.py" in str(caught.value)


def test_state_is_untouched_when_tracing_fails():
    w = og.tensor([1.0], requires_grad=True)

    @og.jit
    def f(x):
        (w * x).sum().backward()
        with og.no_grad():
            w.add_(1)
        raise KeyError("user error")

    with pytest.raises(KeyError):
        f(og.ones(1))
    assert w.tolist() == [1.0] and w.grad is None and w.is_leaf


def test_differentiating_through_a_traced_function():
    w = og.tensor([2.0], requires_grad=True)
    f = og.jit(lambda x: (w * x).sum())
    f(og.tensor([3.0])).backward()
    assert w.grad.tolist() == [3.0]


def test_jit_inside_jit_and_methods():
    class Model:
        def __init__(self):
            self.w = og.tensor(3.0)

        @og.jit
        def run(self, x):
            return inner(x) * self.w

    inner = og.jit(lambda x: x + 1)
    a, b = Model(), Model()
    b.w.fill_(10.0)
    assert a.run(og.tensor(1.0)).item() == 6.0 and b.run(og.tensor(1.0)).item() == 20.0


def test_trace_lower_text_and_compile():
    f = og.jit(lambda x: (x + 1) * (x + 1))
    traced = f.trace(og.ones(2))
    assert traced.text().count("add(") == 2
    lowered = traced.lower()
    assert lowered.text().count("add(") == 1
    assert "mul" in lowered.compile().executable.describe()
    assert f.lower(og.ones(2)).text() == lowered.text()


def test_tensors_made_while_tracing_are_constants_of_the_trace():
    data = np.array([1.0, 2.0], np.float32)
    f = og.jit(lambda x: og.grad(lambda w: ((x * w) ** 2).sum())(og.tensor(data)))
    assert f(og.tensor([3.0, 4.0])).tolist() == [18.0, 64.0]
    assert f(og.tensor([1.0, 1.0])).tolist() == [2.0, 4.0]


def test_a_loss_differentiated_inside_is_computed_by_the_plan():
    step, weights = network()
    traced = og.jit(step)
    x = og.randn(8, 20)
    loss = traced(x, x)
    (call,) = next(iter(traced._calls.values()))
    assert not call.lazily and call.plan is not None
    assert loss.requires_grad and not loss.is_leaf
    with pytest.raises(GradientError, match="already called"):
        loss.backward()
    (loss * 2).sum().backward()  # as with a loss that define-by-run has computed: nothing is left to arrive anywhere
    assert [w.grad for w in weights] == [None, None]


def test_a_result_that_may_still_be_differentiated_is_recorded():
    w = og.tensor([1.0, 2.0], requires_grad=True)

    @og.jit
    def step(x):
        loss = (w * x).sum()
        loss.backward(retain_graph=True)
        return loss

    step(og.tensor([3.0, 4.0])).backward()
    assert w.grad.tolist() == [6.0, 8.0]
