"""Pooling, unfold and fold against PyTorch: values, gradients, indices, every argument; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import adaptive_pooling, pooling
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional

SHAPES = {1: (2, 3, 11), 2: (2, 3, 9, 8), 3: (1, 2, 5, 6, 7)}
MAX_CASES: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "stride": 1, "dilation": 2},
]


@pytest.mark.parametrize("arguments", MAX_CASES, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_pool(rank: int, arguments: dict[str, Any]) -> None:
    name = f"max_pool{rank}d"
    ours, theirs = getattr(pooling, name), getattr(functional, name)
    compare(ours, theirs, random(*SHAPES[rank]), **arguments)
    compare(ours, theirs, random(*SHAPES[rank][1:]), **arguments, return_indices=True)


def test_max_pool_gradient_goes_to_the_first_of_equal_elements() -> None:
    x = np.array([[[1.0, 3, 3, 3], [3, 3, 0, 0], [2, 2, 2, 2], [2, 2, 2, 2]]])
    compare(pooling.max_pool2d, functional.max_pool2d, x, 3, 1, return_indices=True)


def test_max_pool_of_nan_and_infinities() -> None:
    x = np.array([[[1.0, np.nan, -np.inf, -np.inf, np.inf, 0.0]]])
    compare(pooling.max_pool1d, functional.max_pool1d, x, 2, gradients=False)


def test_max_pool_of_integers() -> None:
    x = np.arange(-20, 16).reshape(1, 6, 6)
    compare(pooling.max_pool2d, functional.max_pool2d, x, 3, 2, 1)
    compare(pooling.avg_pool1d, functional.avg_pool1d, x, 3, 2, 1)
    compare(pooling.avg_pool1d, functional.avg_pool1d, x, 3, 2, 1, True, False)


AVG_CASES: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True, "count_include_pad": False},
]


@pytest.mark.parametrize("arguments", AVG_CASES, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_avg_pool(rank: int, arguments: dict[str, Any]) -> None:
    name = f"avg_pool{rank}d"
    compare(getattr(pooling, name), getattr(functional, name), random(*SHAPES[rank]), **arguments)
    if rank > 1:
        arguments = arguments | {"divisor_override": 5}
        compare(getattr(pooling, name), getattr(functional, name), random(*SHAPES[rank][1:]), **arguments)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lp_pool(rank: int, ceil_mode: bool) -> None:
    name = f"lp_pool{rank}d"
    x = np.abs(random(*SHAPES[rank])) + 0.1
    compare(getattr(pooling, name), getattr(functional, name), x, 3.0, 2, 2, ceil_mode)
    compare(getattr(pooling, name), getattr(functional, name), x, 2, 3)


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize(
    ("rank", "size"),
    [
        (1, 1),
        (1, 4),
        (1, 13),
        (2, 1),
        (2, (3, 4)),
        (2, (None, 3)),
        (2, (9, 16)),
        (2, 5),
        (3, (5, 4, 2)),
        (3, 1),
    ],
)
def test_adaptive_pools(kind: str, rank: int, size: Any) -> None:
    name = f"adaptive_{kind}_pool{rank}d"
    ours, theirs = getattr(adaptive_pooling, name), getattr(functional, name)
    compare(ours, theirs, random(*SHAPES[rank]), size)
    if kind == "max":
        compare(ours, theirs, random(*SHAPES[rank][1:]), size, return_indices=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 2},
        {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0)},
        {"kernel_size": 2, "dilation": (2, 3), "padding": 1, "stride": (1, 2)},
    ],
    ids=str,
)
def test_unfold_and_fold(arguments: dict[str, Any]) -> None:
    (columns,) = compare(pooling.unfold, functional.unfold, random(2, 3, 6, 7), **arguments)
    compare(pooling.fold, functional.fold, random(*columns.shape), (6, 7), **arguments)
    compare(pooling.unfold, functional.unfold, random(3, 6, 7), **arguments)
    compare(pooling.fold, functional.fold, random(*columns.shape[1:]), (6, 7), **arguments)


def test_unknown_batch_size() -> None:
    n = Dim.unknown("n")
    x = input_node((n, 3, 8, 8), float32)
    pooled = pooling.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert [p.shape for p in pooled] == [(n, 3, 4, 4)] * 2
    assert pooling.avg_pool2d(x, 3, 2, 1, count_include_pad=False).shape == (n, 3, 4, 4)
    assert adaptive_pooling.adaptive_avg_pool2d(x, (1, 3)).shape == (n, 3, 1, 3)
    assert adaptive_pooling.adaptive_avg_pool2d(input_node((2, 3, n, n), float32), 1).shape == (2, 3, 1, 1)


def test_errors_name_the_shapes_and_the_rule() -> None:
    x = numpy_constant(np.zeros((1, 3, 4, 4), np.float32))
    with pytest.raises(ShapeError, match=r"avg_pool2d: input \(1, 3, 4, 4\).*smaller than the window"):
        pooling.avg_pool2d(x, 5)
    with pytest.raises(ArgumentError, match="at most half of the kernel size"):
        pooling.max_pool2d(x, 3, padding=2)
    with pytest.raises(ShapeError, match="must have 3 dimensions"):
        pooling.max_pool1d(x, 2)
    with pytest.raises(ArgumentError, match="stride"):
        pooling.max_pool2d(x, 2, stride=0)
    with pytest.raises(ArgumentError, match="output_size"):
        adaptive_pooling.adaptive_avg_pool2d(x, (1, 2, 3))
    with pytest.raises(ShapeError, match="depend on n"):
        adaptive_pooling.adaptive_avg_pool1d(input_node((2, 3, Dim.unknown("n")), float32), 2)
    with pytest.raises(ShapeError, match="multiple of the window"):
        pooling.fold(numpy_constant(np.zeros((1, 5, 9))), 4, 2)


def test_half_precision_is_rounded_once() -> None:
    x = random(1, 2, 8, dtype=np.float16)
    (y,) = evaluate([pooling.max_pool1d(numpy_constant(x), 2)])
    np.testing.assert_array_equal(y, x.reshape(1, 2, 4, 2).max(-1))
