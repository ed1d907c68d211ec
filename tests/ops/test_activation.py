"""Activations against PyTorch: values and gradients, also where exp overflows, at kinks and at NaN; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import activation, softmax
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.promotion import as_node
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional

CASES: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {}),
    ("elu", {"alpha": 0.7}),
    ("selu", {}),
    ("celu", {"alpha": 1.7}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("silu", {}),
    ("mish", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2.5, "threshold": 3.0}),
    ("softsign", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -0.3, "max_val": 0.4}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {"lambd": 0.4}),
    ("softshrink", {}),
    ("tanhshrink", {}),
    ("threshold", {"threshold": 0.1, "value": -2.0}),
    ("logsigmoid", {}),
    ("glu", {"dim": 0}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_activation(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = getattr(activation, name), getattr(functional, name)
    compare(ours, theirs, random(4, 6) * 3, **arguments)
    compare(ours, theirs, np.array([-200.0, 150.0, 1000.0, -1000.0]), **arguments)
    compare(ours, theirs, np.array([np.nan, np.nan]), **arguments, gradients=False)


@pytest.mark.parametrize("name", ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "softplus", "logsigmoid"])
def test_derivative_at_zero(name: str) -> None:
    compare(getattr(activation, name), getattr(functional, name), np.zeros(2))


@pytest.mark.parametrize("name", ["hardtanh", "hardsigmoid", "relu6", "softshrink", "hardshrink"])
def test_derivative_at_limits(name: str) -> None:
    compare(getattr(activation, name), getattr(functional, name), np.array([-3.0, -1, -0.5, 0.5, 1, 3, 6]))


@pytest.mark.parametrize("name", ["gelu", "mish", "softplus", "elu", "silu", "softmin"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_is_rounded_once(name: str, dtype: Any) -> None:
    ours = getattr(activation, name, None) or getattr(softmax, name)
    arguments = {"dim": 1} if name == "softmin" else {}
    tolerance = 1e-3 if dtype == np.float16 else 2e-6
    # On some processors PyTorch's own float32 GELU is 3e-6 off where 1 + erf(x) is small, since erf is rounded near -1.
    smallest = 2.4e-7 if name == "gelu" else 1e-3 * tolerance
    compare(ours, getattr(functional, name), random(4, 6, dtype=dtype), **arguments, rtol=tolerance, atol=smallest)


def test_integers() -> None:
    x = np.arange(-3, 9)
    compare(activation.relu, functional.relu, x)
    compare(activation.relu6, functional.relu6, x)
    compare(activation.threshold, functional.threshold, x, 2, 7)
    compare(activation.softsign, functional.softsign, x)
    compare(activation.tanhshrink, functional.tanhshrink, x)
    (y,) = evaluate([softmax.softmin(numpy_constant(np.array([3, 3])), 0, dtype="float64")])
    assert y.dtype == np.float64 and y.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("x", "w"), [((4, 3, 2), (3,)), ((4, 3, 2), (1,)), ((5,), (1,)), ((2, 3), (3,))])
def test_prelu(x: tuple[int, ...], w: tuple[int, ...]) -> None:
    compare(activation.prelu, functional.prelu, random(*x), random(*w))


SOFT: list[str] = ["softmax", "log_softmax", "softmin"]


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize(("shape", "dim"), [((3, 4), 1), ((3, 4), 0), ((2, 3, 4), -2), ((5,), 0), ((), 0), ((2, 0), 1)])
def test_softmax(name: str, shape: tuple[int, ...], dim: int) -> None:
    compare(getattr(softmax, name), getattr(functional, name), random(*shape) * 20, dim=dim)


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_softmax_without_dim_is_pytorchs_choice(shape: tuple[int, ...]) -> None:
    compare(softmax.softmin, functional.softmin, random(*shape))


def test_softmax_at_infinities() -> None:
    x = np.array([[0.0, -np.inf, 1.0], [1e30, 0.0, -1e30]])
    compare(softmax.softmax, torch.softmax, x, 1)
    compare(softmax.log_softmax, torch.log_softmax, x, 1)


def test_softmax_casts_first() -> None:
    (y,) = evaluate([softmax.softmax(numpy_constant(np.array([1, 1])), 0, dtype="float64")])
    assert y.dtype == np.float64 and y.tolist() == [0.5, 0.5]


def test_gradient_of_gradient_of_gelu() -> None:
    x = numpy_constant(np.array([0.3, -1.2]))
    (first,) = gradient([activation.gelu(x)], [as_node(np.ones(2))], [x])
    assert first is not None
    (second,) = gradient([first], [as_node(np.ones(2))], [x])
    t = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(functional.gelu(t).sum(), t, create_graph=True)
    (expected,) = torch.autograd.grad(g.sum(), t)
    np.testing.assert_allclose(evaluate([second])[0], expected, rtol=1e-9)  # type: ignore[list-item]


def test_unknown_batch_size() -> None:
    x = input_node((Dim.unknown("n"), 4), float32)
    assert softmax.log_softmax(x, 1).shape == x.shape
    assert activation.glu(x).shape == (x.shape[0], 2)


def test_errors() -> None:
    whole = numpy_constant(np.arange(3))
    x = as_node([1.0, 2.0, 3.0])
    with pytest.raises(DTypeError, match="gelu"):
        activation.gelu(whole)
    with pytest.raises(ArgumentError, match="approximate"):
        activation.gelu(x, approximate="fast")
    with pytest.raises(ShapeError, match=r"glu: \(3,\) must have an even size"):
        activation.glu(x)
    with pytest.raises(ShapeError, match="prelu"):
        activation.prelu(x, as_node([1.0, 2.0]))
    with pytest.raises(OutOfRangeError, match="softmax"):
        softmax.softmax(x, 1)
    with pytest.raises(ArgumentTypeError, match="softmax"):
        softmax.softmax(x, None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="min_val"):
        activation.hardtanh(x, 1, -1)
