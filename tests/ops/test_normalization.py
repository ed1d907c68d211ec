"""Normalizations against PyTorch: values, gradients, running statistics; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import normalization
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.promotion import as_node
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional
SHAPES = [(4, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)]


def positive(*shape: int) -> np.ndarray:
    return np.abs(random(*shape, seed=5)) + 0.5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(shape: tuple[int, ...], training: bool, affine: bool) -> None:
    mean, var = random(3, seed=1), positive(3)
    extra = [random(3, seed=2), random(3, seed=3)] if affine else [None, None]
    now: list[Any] = []
    theirs: list[Any] = []

    def ours_once(x: Any, w: Any, b: Any) -> Any:
        y, *statistics = normalization.batch_norm_with_statistics(
            x, as_node(mean), as_node(var), w, b, training, 0.3, 1e-3
        )
        now.extend(statistics)
        return y

    def theirs_once(x: Any, w: Any, b: Any) -> Any:
        theirs.extend([torch.tensor(mean), torch.tensor(var)])
        return functional.batch_norm(x, theirs[0], theirs[1], w, b, training, 0.3, 1e-3)

    compare(ours_once, theirs_once, random(*shape) * 3 + 1, *extra, rtol=1e-6, atol=1e-8)
    for value, expected in zip(evaluate(now), theirs, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)
    if training:
        assert not np.allclose(evaluate(now)[0], mean)


def test_batch_norm_without_running_statistics() -> None:
    def ours(x: Any) -> Any:
        y, mean, var = normalization.batch_norm_with_statistics(x, None, None, training=True)
        assert mean is None and var is None
        return y

    compare(ours, lambda x: functional.batch_norm(x, None, None, training=True), random(4, 3, 2))


def test_batch_norm_statistics_are_not_differentiated() -> None:
    x = numpy_constant(random(4, 3))
    _, mean, _ = normalization.batch_norm_with_statistics(x, as_node(np.zeros(3)), as_node(np.ones(3)), training=True)
    assert mean is not None
    (g,) = gradient([mean], [as_node(np.ones(3))], [x])
    assert g is None


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("own", [True, False])
def test_instance_norm(shape: tuple[int, ...], own: bool) -> None:
    mean, var = random(3, seed=1), positive(3)
    now: list[Any] = []
    theirs: list[Any] = []

    def ours_once(x: Any, w: Any, b: Any) -> Any:
        y, *statistics = normalization.instance_norm_with_statistics(x, as_node(mean), as_node(var), w, b, own, 0.3)
        now.extend(statistics)
        return y

    def theirs_once(x: Any, w: Any, b: Any) -> Any:
        theirs.extend([torch.tensor(mean), torch.tensor(var)])
        return functional.instance_norm(x, theirs[0], theirs[1], w, b, own, 0.3)

    compare(ours_once, theirs_once, random(*shape), random(3, seed=2), random(3, seed=3), rtol=1e-6, atol=1e-8)
    for value, expected in zip(evaluate(now), theirs, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)


@pytest.mark.parametrize(("shape", "last"), [((4, 3), (3,)), ((2, 3, 4), (3, 4)), ((5,), (5,)), ((2, 3, 1), (1,))])
def test_layer_and_rms_norm(shape: tuple[int, ...], last: tuple[int, ...]) -> None:
    x, w, b = random(*shape) * 3 + 2, random(*last, seed=1), random(*last, seed=2)
    tolerance = {"rtol": 1e-6, "atol": 1e-7}
    compare(normalization.layer_norm, functional.layer_norm, x, last, w, b, 1e-4, **tolerance)
    compare(normalization.layer_norm, functional.layer_norm, x, last, **tolerance)
    compare(normalization.rms_norm, functional.rms_norm, x, last, w, **tolerance)
    compare(normalization.rms_norm, functional.rms_norm, x, last, eps=0.1, **tolerance)


@pytest.mark.parametrize(("shape", "groups"), [((2, 6, 4), 3), ((2, 6), 2), ((1, 4, 3, 3), 4), ((2, 4, 2, 2), 1)])
def test_group_norm(shape: tuple[int, ...], groups: int) -> None:
    x, w, b = random(*shape), random(shape[1], seed=1), random(shape[1], seed=2)
    compare(normalization.group_norm, functional.group_norm, x, groups, w, b, rtol=1e-6, atol=1e-7)
    compare(normalization.group_norm, functional.group_norm, x, groups, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", [(2, 5, 3), (1, 4, 2, 2)])
def test_local_response_norm(shape: tuple[int, ...], size: int) -> None:
    compare(normalization.local_response_norm, functional.local_response_norm, random(*shape), size, 0.3, 0.6, 1.5)


def test_half_precision_statistics_are_wide() -> None:
    x = (random(64, 3) + 300).astype(np.float16)
    (y,) = evaluate([normalization.layer_norm(numpy_constant(x), 3)])
    exact = torch.nn.functional.layer_norm(torch.tensor(x, dtype=torch.float64), [3])
    np.testing.assert_allclose(y, exact, rtol=1e-3, atol=1e-3)
    z, mean, _ = normalization.batch_norm_with_statistics(
        numpy_constant(x), as_node(np.zeros(3, np.float32)), as_node(np.ones(3, np.float32)), training=True, momentum=1
    )
    assert z.dtype.name == "float16" and mean is not None and mean.dtype is float32
    np.testing.assert_allclose(evaluate([mean])[0], x.astype(np.float64).mean(0), rtol=1e-6)


def test_unknown_batch_size() -> None:
    x = input_node((Dim.unknown("n"), 3, 4), float32)
    zeros = as_node(np.zeros(3, np.float32))
    y, mean, var = normalization.batch_norm_with_statistics(x, zeros, zeros, training=True)
    assert y.shape == x.shape and mean is not None and var is not None and mean.shape == var.shape == (3,)
    assert normalization.group_norm(x, 3).shape == x.shape


def test_errors() -> None:
    x = numpy_constant(np.zeros((1, 3), np.float32))
    with pytest.raises(ShapeError, match=r"\(1, 3\) has one value for each channel"):
        normalization.batch_norm_with_statistics(x, None, None, training=True)
    with pytest.raises(ArgumentError, match="running statistics"):
        normalization.batch_norm_with_statistics(x, None, None)
    with pytest.raises(ShapeError, match=r"weight \(2,\) must have one element for each of the 3"):
        normalization.batch_norm_with_statistics(x, None, None, as_node([1.0, 2.0]), training=True)
    with pytest.raises(ShapeError, match=r"input \(1, 3\) must be normalized_shape \(4,\)"):
        normalization.layer_norm(x, 4)
    with pytest.raises(ShapeError, match="2 groups"):
        normalization.group_norm(x, 2)
    with pytest.raises(ShapeError, match="three dimensions"):
        normalization.local_response_norm(x, 2)
    with pytest.raises(DTypeError, match="layer_norm"):
        normalization.layer_norm(numpy_constant(np.zeros((2, 3), np.int64)), 3)
