"""Control flow on tensors: values, gradients, closures, traced functions, refused side effects."""

import pytest

import onegraph as og
from onegraph.errors import TraceError


@pytest.mark.parametrize("value, expected, slope", [(3.0, 6.0, 2.0), (-3.0, 30.0, -10.0)])
def test_cond_value_and_gradient(value, expected, slope):
    x = og.tensor(value, requires_grad=True)
    ten = og.tensor(10.0)
    y = og.cond(x > 0, lambda x: x * 2, lambda x: -x * ten, (x,))
    y.backward()
    assert y.item() == expected and x.grad.item() == slope


def test_only_the_chosen_branch_runs():
    def divide(x):
        return og.tensor(1) // x

    f = og.jit(lambda x: og.cond(x != 0, divide, lambda x: x, (x,)))
    assert f(og.tensor(0)).item() == 0
    assert f(og.tensor(1)).item() == 1


def test_closures_carry_gradients():
    w = og.tensor(2.0, requires_grad=True)
    y = og.while_loop(
        lambda i, x: i < 3, lambda i, x: (i + 1, x * w), (og.tensor(0), og.tensor(1.0)), maximum_iterations=5
    )[1]
    y.backward()
    assert y.item() == 8.0 and w.grad.item() == 12.0


def test_while_loop_without_a_limit_has_no_gradient():
    w = og.tensor(2.0, requires_grad=True)
    _, y = og.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * w), (og.tensor(0), og.tensor(1.0)))
    with pytest.raises(og.errors.GradientError, match="scan"):
        y.backward()


def test_scan_matches_a_python_loop_with_gradients():
    og.manual_seed(0)
    w = og.randn(3, 3, requires_grad=True)
    xs, h0 = og.randn(4, 2, 3), og.zeros(2, 3)
    last, outputs = og.scan(lambda h, x: (og.tanh(h @ w + x), h.sum()), h0, xs)
    (last.sum() + outputs.sum()).backward()
    scanned, w.grad = w.grad.tolist(), None
    h, total = h0, 0
    for x in xs:
        total = total + h.sum()
        h = og.tanh(h @ w + x)
    (h.sum() + total).backward()
    for a, b in zip(scanned, w.grad.tolist(), strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_inside_a_traced_function_captured_tensors_are_read_anew():
    scale = og.tensor(2.0)
    f = og.jit(lambda x: og.while_loop(lambda x: x < 100, lambda x: x * scale, (x,))[0])
    assert f(og.tensor(1.0)).item() == 128.0
    scale.fill_(3.0)
    assert f(og.tensor(1.0)).item() == 243.0


def test_side_effects_are_refused():
    counter = og.tensor(0.0)
    og.eval(counter)
    with pytest.raises(TraceError, match="return the new value"):
        og.cond(counter > 0, lambda: counter.add_(1), lambda: counter)
    w = og.ones(1, requires_grad=True)
    with pytest.raises(TraceError, match=r"og\.autograd\.grad"):
        og.scan(lambda c, x: ((w * x).sum().backward() or c, x), og.tensor(0.0), og.ones(2))


def test_python_control_flow_on_values_is_explained():
    with pytest.raises(TraceError, match=r"og\.cond"):
        og.scan(lambda c, x: (c if x > 0 else -c, x), og.tensor(0.0), og.ones(2))
