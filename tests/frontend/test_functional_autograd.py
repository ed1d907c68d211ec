"""Derivatives of functions, compared with `torch.autograd.functional` and `torch.func`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError
from onegraph.utils.checkpoint import checkpoint, checkpoint_sequential

X = np.array([0.5, -1.5, 2.0])
Y = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25]])


def _check(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _check(a, b)
    else:
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


def _both(path: str, function: Callable[[Any], Any], *arguments: Any, call: bool = False) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for lib in (og, torch):

        def convert(value: Any, lib: Any = lib) -> Any:
            if isinstance(value, tuple):
                return tuple(convert(v) for v in value)
            return lib.tensor(value) if isinstance(value, np.ndarray) else value

        root: Any = lib
        for part in path.split("."):
            root = getattr(root, part) if part != "func" or lib is og else torch.func
        main = function(lib)
        values = [convert(a) for a in arguments]
        results.append(root(main)(*values) if call else root(main, *values))
    _check(*results)


FUNCTIONS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda lib: lambda x: x * x.sum(), X),
    (lambda lib: lambda x: lib.sin(x).sum(), X),
    (lambda lib: lambda x, y: (x * y).sum(1), (X, Y)),
    (lambda lib: lambda x, y: (x * y, lib.exp(x)), (X, Y)),
    (lambda lib: lambda x: (x.sum(), x * 2), X),
]


@pytest.mark.parametrize(("function", "inputs"), FUNCTIONS)
def test_jacobian(function: Any, inputs: Any) -> None:
    _both("autograd.functional.jacobian", function, inputs)


@pytest.mark.parametrize(("function", "inputs"), FUNCTIONS[:3])
def test_products_with_vectors(function: Any, inputs: Any) -> None:
    shape = function(np)(*inputs).shape if isinstance(inputs, tuple) else function(np)(inputs).shape
    weights = np.random.default_rng(0).standard_normal(shape)
    _both("autograd.functional.vjp", function, inputs, weights)
    along = tuple(a + 1 for a in inputs) if isinstance(inputs, tuple) else inputs + 1
    _both("autograd.functional.jvp", function, inputs, along)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda lib: lambda x: (x**3).sum() * x[0], X),
        (lambda lib: lambda x, y: (lib.exp(x) * y).sum(), (X, Y)),
    ],
)
def test_second_derivatives(function: Any, inputs: Any) -> None:
    _both("autograd.functional.hessian", function, inputs)
    along = tuple(a + 1 for a in inputs) if isinstance(inputs, tuple) else inputs + 1
    _both("autograd.functional.hvp", function, inputs, along)
    _both("autograd.functional.vhp", function, inputs, along)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # what importing torch.func does
def test_functions_that_give_functions() -> None:
    for name in ("jacrev", "jacfwd"):
        _both(f"func.{name}", FUNCTIONS[0][0], X, call=True)
    _both("func.hessian", lambda lib: lambda x: (x**4).sum(), X, call=True)
    _both("func.grad", lambda lib: lambda x: (x**4).sum(), X, call=True)
    _both("func.grad_and_value", lambda lib: lambda x: (x**4).sum(), X, call=True)
    _both("func.jvp", FUNCTIONS[0][0], (X,), (X + 1,))
    nested = og.func.grad(lambda x: og.func.grad(lambda y: (y**3).sum())(x).sum())
    assert nested(og.tensor([2.0])).tolist() == [12.0]
    assert og.func.jacrev(lambda a, b: a * b, argnums=(0, 1))(og.ones(1), og.ones(1))[1].tolist() == [[1.0]]


def test_vjp_gives_a_function() -> None:
    output, pull = og.func.vjp(lambda x, y: (x * y, x), og.tensor([2.0]), og.tensor([3.0]))
    assert output[0].tolist() == [6.0]
    assert [g.tolist() for g in pull((og.tensor([1.0]), og.tensor([10.0])))] == [[13.0], [2.0]]
    _, _, extra = og.func.vjp(lambda x: (x * 2, "extra"), og.tensor([2.0]), has_aux=True)
    assert extra == "extra"
    assert og.func.jvp(lambda x: (x * 2, 5), (og.ones(1),), (og.ones(1),), has_aux=True)[2] == 5


def test_create_graph_lets_results_be_differentiated() -> None:
    x = og.tensor(X, requires_grad=True)
    jacobian = og.autograd.functional.jacobian(lambda v: v**3, x, create_graph=True)
    (second,) = og.autograd.grad(jacobian.sum(), x)
    np.testing.assert_allclose(second.numpy(), 6 * X)
    assert not og.autograd.functional.jacobian(lambda v: v**3, x).requires_grad


def test_results_that_do_not_depend_on_an_input_have_zeros() -> None:
    found = og.autograd.functional.jacobian(lambda x, y: x * 2, (og.ones(1), og.ones(2)))
    assert found[1].tolist() == [[0.0, 0.0]]
    assert og.autograd.functional.vjp(lambda x: og.ones(1), og.ones(2))[1].tolist() == [0.0, 0.0]


def test_gradcheck() -> None:
    x = og.tensor(X, requires_grad=True)
    assert og.autograd.gradcheck(lambda v, n: (og.exp(v) * n, v.sum()), (x, 3.0))

    class Wrong(og.autograd.Function):
        @staticmethod
        def forward(ctx: Any, v: Any) -> Any:
            return v * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3

    assert not og.autograd.gradcheck(Wrong.apply, x, raise_exception=False)
    with pytest.raises(GradientError, match="result 0 by input 0"):
        og.autograd.gradcheck(Wrong.apply, x)
    with pytest.raises(ArgumentError, match="no input requires"):
        og.autograd.gradcheck(og.exp, og.ones(2))


def test_errors() -> None:
    with pytest.raises(ShapeError, match="v has shapes"):
        og.autograd.functional.vjp(lambda x: x, og.ones(2), og.ones(3))
    with pytest.raises(ArgumentError, match="left out only"):
        og.autograd.functional.vjp(lambda x: x, og.ones(2))
    with pytest.raises(ShapeError, match="must give one number"):
        og.autograd.functional.hessian(lambda x: x, og.ones(2))
    with pytest.raises(ArgumentTypeError, match="results of the function must be tensors"):
        og.autograd.functional.jacobian(lambda x: 3.0, og.ones(2))


def test_checkpoint() -> None:
    x = og.tensor(X, requires_grad=True)
    checkpoint(lambda v: og.exp(og.sin(v)), x, use_reentrant=False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(np.sin(X)) * np.cos(X))
    x.grad = None
    checkpoint_sequential([og.sin, og.exp, og.neg], 2, x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), -np.exp(np.sin(X)) * np.cos(X))
    with pytest.raises(ArgumentError, match="4 segments of 1"):
        checkpoint_sequential([og.sin], 4, x)
