"""Creation functions against PyTorch: values, dtypes, arguments; unknown sizes; errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import FLOATS, INTEGERS, DType, float64, get_default_dtype, set_default_dtype
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ops import creation
from onegraph.ops.elementwise import numpy_constant
from onegraph.passes.specialize import specialize
from tests.ops.torch_oracle import compare, random, torch


def check(name: str, *arguments: Any, dtype: DType | None = None, rtol: float = 1e-6, **keywords: Any) -> None:
    """The function and PyTorch's function of the same name agree."""
    ours, theirs = getattr(creation, name), getattr(torch, name)
    theirs_dtype = None if dtype is None else getattr(torch, dtype.name)
    compare(
        lambda *a: ours(*a, dtype=dtype, **keywords),
        lambda *a: theirs(*a, dtype=theirs_dtype, **keywords),
        *arguments,
        rtol=rtol,
        gradients=False,
    )


@pytest.mark.parametrize("name", ["zeros", "ones"])
def test_constant_tensors(name: str) -> None:
    check(name, 2, 3)
    check(name, (2, 3))
    check(name, [2, 0], dtype=float64)
    check(name, ())
    check(name, size=(2, 3))
    for dtype in INTEGERS:
        check(name, 2, dtype=dtype)


def test_full() -> None:
    for value in (True, 3, 0.5, -np.inf):
        check("full", (2, 3), value)
        check("full_like", random(2, 3), value)
    check("full", (), 2, dtype=float64)
    check("full_like", np.arange(3), 2.7)
    assert evaluate([creation.full(2, numpy_constant(np.array([4.0])))])[0].tolist() == [4.0, 4.0]
    check("scalar_tensor", 3)
    check("scalar_tensor", 3.5, dtype=float64)


def test_empty_is_zero() -> None:
    """So that a program that reads it by mistake does the same each time."""
    x = numpy_constant(random(2, 3))
    for node in (creation.empty(2, 3), creation.empty_like(x), creation.new_empty(x, 2, 3)):
        assert evaluate([node])[0].tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("array", [random(2, 3), np.arange(3, dtype=np.int16), np.array(True)], ids=str)
def test_like_others(array: np.ndarray) -> None:
    check("zeros_like", array)
    check("ones_like", array)
    check("ones_like", array, dtype=float64)
    for name, arguments in (("new_zeros", (2, 3)), ("new_ones", ((2, 3),)), ("new_full", ((2,), 3))):
        compare(getattr(creation, name), getattr(torch.Tensor, name), array, *arguments, gradients=False)


@pytest.mark.parametrize(
    "arguments",
    [
        (5,),
        (0,),
        (2, 7),
        (2, 7, 3),
        (7, 2, -2),
        (5.0,),
        (0.5, 3),
        (0, 1, 0.1),
        (1, 0, -0.25),
        (-3, 3, 1.5),
        (0, 0),
        (1, 1 + 1e-6, 2),
    ],
)
def test_arange(arguments: tuple[Any, ...]) -> None:
    check("arange", *arguments)
    check("arange", *arguments, dtype=float64)
    if all(isinstance(a, int) for a in arguments):
        for dtype in INTEGERS if min(arguments) >= 0 else INTEGERS[1:]:
            check("arange", *arguments, dtype=dtype)


def test_arange_truncates_numbers_for_integers() -> None:
    for dtype in INTEGERS[1:]:
        check("arange", -0.9, 3.1, 2.0, dtype=dtype)
        check("arange", 3.1, dtype=dtype)


def test_arange_by_keyword_and_from_constants() -> None:
    assert evaluate([creation.arange(start=1, end=7, step=2)])[0].tolist() == [1, 3, 5]
    assert evaluate([creation.arange(end=3)])[0].tolist() == [0, 1, 2]
    assert evaluate([creation.arange(np.int32(3))])[0].tolist() == [0, 1, 2]
    assert evaluate([creation.arange(numpy_constant(np.array(3)))])[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 50])
@pytest.mark.parametrize(("start", "end"), [(0, 1), (-2.5, 4), (4, -2.5), (3, 3), (1e-3, 1e3)])
def test_spaces(start: float, end: float, steps: int) -> None:
    check("linspace", start, end, steps, rtol=1e-5)  # PyTorch computes in float32
    check("linspace", start, end, steps, dtype=float64, rtol=1e-12)
    check("linspace", start, end, steps, dtype=INTEGERS[4])
    check("linspace", np.array(start), np.array(end), steps, rtol=1e-5)
    if end < 10:
        check("logspace", start, end, steps, rtol=1e-5)
        check("logspace", start, end, steps, dtype=INTEGERS[4])
        check("logspace", start, end, steps, base=2.0, dtype=float64)
        check("logspace", np.array(start), np.array(end), steps, rtol=1e-5)


def test_linspace_ends_are_exact() -> None:
    for dtype in FLOATS[2:]:
        values = evaluate([creation.linspace(0.1, 0.7, 7, dtype=float64)])[0].astype(dtype.numpy)
        assert values[0] == dtype.numpy.type(0.1) and values[-1] == dtype.numpy.type(0.7)


def test_eye() -> None:
    for sizes in ((3,), (2, 4), (4, 2), (0,), (3, 0)):
        check("eye", *sizes)
        check("eye", *sizes, dtype=INTEGERS[2])


def test_default_dtype() -> None:
    before = get_default_dtype()
    set_default_dtype(float64)
    try:
        for node in (creation.zeros(2), creation.arange(0.5), creation.full((2,), 0.5), creation.eye(2)):
            assert node.dtype is float64
    finally:
        set_default_dtype(before)


N = Dim.unknown("n")


@pytest.mark.parametrize(
    ("function", "known"),
    [
        (lambda x: creation.zeros(x.shape[0], 2), np.zeros((4, 2))),
        (lambda x: creation.ones_like(x, dtype=float64), np.ones((4, 3))),
        (lambda x: creation.arange(x.shape[0]), np.arange(4)),
        (lambda x: creation.arange(1, x.shape[0] + 1, 2), np.array([1, 3])),
        (lambda x: creation.arange(x.shape[0] - 1, -1, -1), np.array([3, 2, 1, 0])),
        (lambda x: creation.eye(x.shape[0]), np.eye(4)),
    ],
)
def test_unknown_sizes(function: Callable[[Node], Node], known: np.ndarray) -> None:
    x = input_node((N, 3), float64)
    graph = specialize(Graph([x], [function(x)]), {"n": 4})
    (value,) = evaluate(graph.outputs, {graph.inputs[0]: random(4, 3)})
    np.testing.assert_array_equal(value, known)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: creation.zeros(2, -1), ShapeError, "negative size"),
        (lambda: creation.zeros(2.5), ArgumentTypeError, "a size must be an int"),
        (lambda: creation.zeros(2, size=(2,)), ArgumentTypeError, "same argument"),
        (lambda: creation.ones(1 << 40, 1 << 40), ShapeError, "too many elements"),
        (lambda: creation.zeros(2, dtype="floating"), DTypeError, "floating"),
        (lambda: creation.full((2,), "x"), ArgumentTypeError, "must be a number"),
        (lambda: creation.full((2,), numpy_constant(random(2))), ArgumentError, "one number"),
        (lambda: creation.arange(0, 3, 0), ArgumentError, "step must not be 0"),
        (lambda: creation.arange(0, 3, 0.5, dtype="int64"), ArgumentError, "step must not be 0"),
        (lambda: creation.arange(3, 0), ArgumentError, "does not lead from 3 to 0"),
        (lambda: creation.arange(0, float("inf")), ArgumentError, "not a finite range"),
        (lambda: creation.arange(input_node((), float64)), ArgumentTypeError, "known when the graph is built"),
        (lambda: creation.arange(N, 3.5), ArgumentError, "needs integers"),
        (lambda: creation.linspace(0, 1, -1), ArgumentError, "negative"),
        (lambda: creation.linspace(0, 1, 2.0), ArgumentTypeError, "steps must be an int"),
        (lambda: creation.linspace(numpy_constant(random(2)), 1, 2), ArgumentError, "single numbers"),
        (lambda: creation.eye(-1), ShapeError, "negative"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
