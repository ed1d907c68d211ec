"""Differentiation of tensors: accumulation, higher orders, hooks, custom functions, recomputation, errors."""

import pytest

import onegraph as og
from onegraph import autodiff
from onegraph.backends.reference import evaluate
from onegraph.errors import GradientError


def test_backward_accumulates_as_pytorch_does():
    x = og.tensor([1.0, 2.0], requires_grad=True)
    (x**2).sum().backward()
    (3 * x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_a_second_backward_is_refused_unless_the_graph_is_kept():
    x = og.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(GradientError, match="retain_graph"):
        y.backward()
    z = x * x
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.item() == 12.0


def test_looking_at_the_loss_realizes_the_gradients_in_the_same_plan():
    x = og.ones(3, requires_grad=True)
    loss = (x * 2).sum()
    loss.backward()
    assert loss.item() == 6.0
    assert x.grad.node.value is not None


def test_higher_orders():
    x = og.tensor(2.0, requires_grad=True)
    y = x**4
    for expected in (32.0, 48.0, 48.0, 24.0):
        (y,) = og.autograd.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_no_grad_cuts_the_path():
    w = og.tensor(3.0, requires_grad=True)
    with og.no_grad():
        y = w * 2
    assert not y.requires_grad
    (y * w).backward()
    assert w.grad.item() == 6.0


def test_requiring_gradients_later_does_not_reach_back():
    w = og.tensor(3.0)
    y = w * 2
    w.requires_grad_()
    (y * w).backward()
    assert w.grad.item() == 6.0


def test_no_grad_as_a_decorator():
    w = og.tensor(1.0, requires_grad=True)

    @og.no_grad()
    def double(x):
        return x * 2

    assert not double(w).requires_grad
    with og.no_grad(), og.enable_grad():
        assert (w * 2).requires_grad


def test_errors_say_what_to_do():
    with pytest.raises(GradientError, match="requires_grad=True"):
        og.ones(1).sum().backward()
    with pytest.raises(GradientError, match="reduce it first"):
        og.ones(2, requires_grad=True).backward()
    with pytest.raises(TypeError, match="only floating tensors"):
        og.tensor([1, 2]).requires_grad_()
    w = og.ones(2, requires_grad=True)
    with pytest.raises(GradientError, match="no_grad"):
        w += 1
    with pytest.raises(GradientError, match="detach"):
        w.numpy()
    with pytest.raises(GradientError, match="allow_unused"):
        og.autograd.grad(w.sum(), og.ones(1, requires_grad=True))
    assert og.autograd.grad(w.sum(), og.ones(1, requires_grad=True), allow_unused=True) == (None,)


def test_parameters_written_in_place_stay_leaves():
    w = og.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        (w * w).sum().backward()
        with og.no_grad():
            w -= 0.25 * w.grad
            w.grad = None
    assert w.is_leaf and w.tolist() == [0.125, 0.25]


def test_hooks():
    seen = []
    x = og.tensor([1.0, 2.0], requires_grad=True)
    handle = x.register_hook(lambda g: seen.append(g.tolist()) or g * 10)
    y = x * 2
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [[4.0, 4.0]] and x.grad.tolist() == [40.0, 40.0]
    handle.remove()
    x.sum().backward()
    assert x.grad.tolist() == [41.0, 41.0]


def test_retain_grad():
    x = og.tensor([1.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6.0] and x.grad.tolist() == [18.0]


def test_custom_function_with_two_results():
    class SplitSign(og.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return x * scale, -x

        @staticmethod
        def backward(ctx, up, down):
            (x,) = ctx.saved_tensors
            return up * ctx.scale + 0 * x - down, None

    x = og.tensor([1.0, 2.0], requires_grad=True)
    a, b = SplitSign.apply(x, 5.0)
    (a + 2 * b).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_checkpoint_recomputes_and_gives_the_same_gradients():
    from onegraph.frontend.autograd import checkpoint

    w = og.rand(4, 4, requires_grad=True)
    x = og.rand(2, 4)

    def block(x):
        return og.tanh(og.sin(x @ w) @ w)

    block(x).sum().backward()
    plain = w.grad.tolist()
    w.grad = None
    loss = checkpoint(block, x).sum()
    loss.backward()
    graph = og.jit(lambda x: _gradient(checkpoint(block, x).sum(), w)).lower(x).graph
    assert w.grad.tolist() == plain
    assert sum(n.op == "tanh" for n in graph.nodes()) == 1  # only recomputed for the gradient
    assert sum(n.op == "barrier" for n in graph.nodes()) > 0


def _gradient(loss, w):
    return og.autograd.grad(loss, w)[0]


def test_functional_gradients():
    f = og.grad(lambda x: (x**3).sum())
    assert f(og.tensor([1.0, 2.0])).tolist() == [3.0, 12.0]
    assert og.grad(lambda x: og.grad(lambda y: y**3)(x))(og.tensor(2.0)).item() == 12.0
    value, (da, db) = og.value_and_grad(lambda a, b: a * b, argnums=(0, 1))(og.tensor(2.0), og.tensor(5.0))
    assert (value.item(), da.item(), db.item()) == (10.0, 5.0, 2.0)


def test_vjp_and_jvp_agree_with_the_jacobian():
    import numpy as np

    from onegraph.ops.binary import mul
    from onegraph.ops.elementwise import numpy_constant, sin
    from onegraph.ops.reduction import sum_

    x = numpy_constant(np.array([0.3, -1.2, 2.0]))
    y = mul(sin(x), sum_(x))
    point = evaluate([x])[0]
    jacobian = np.diag(np.cos(point)) * point.sum() + np.sin(point)[:, None]
    v = np.array([1.0, 2.0, -1.0])
    (forward,) = autodiff.jvp([y], [x], [numpy_constant(v)])
    (backward,) = autodiff.vjp([y], [x], [numpy_constant(v)])
    np.testing.assert_allclose(evaluate([forward])[0], jacobian @ v, rtol=1e-12)
    np.testing.assert_allclose(evaluate([backward])[0], v @ jacobian, rtol=1e-12)


def test_gradients_of_a_hundred_thousand_nodes():
    from onegraph.ir import input_node
    from onegraph.ir.dtype import float64
    from onegraph.ops.binary import add

    x = input_node((), float64)
    y = x
    for _ in range(100_000):
        y = add(y, x)
    (g,) = autodiff.gradient([y], [None], [x])
    import numpy as np

    assert evaluate([g], {x: np.array(1.0)})[0] == 100_001
