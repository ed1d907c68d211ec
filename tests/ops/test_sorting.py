"""Sorting and choosing against PyTorch, with ties and NaN, gradients included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import OutOfRangeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import sorting
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

shapes_and_dims = pytest.mark.parametrize(
    ("shape", "dim"), [((), 0), ((1,), -1), ((9,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 4, 3), 1), ((0, 2), 0)]
)
descending = pytest.mark.parametrize("descending", [False, True])
TIES = np.array([[3, 1, 3, 2, 1, 3], [1, 1, 1, 0, 2, 0]])
EDGES = np.array([1.0, math.nan, -math.inf, 0.0, -0.0, math.nan, math.inf, 1.0])


@descending
@shapes_and_dims
def test_sort(shape: tuple[int, ...], dim: int, descending: bool) -> None:
    compare(sorting.sort, torch.sort, random(*shape), dim, descending)
    compare(sorting.argsort, torch.argsort, random(*shape), dim, descending)


@descending
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float32])
def test_equal_elements_keep_their_order(dtype: Any, descending: bool) -> None:
    keywords = {"stable": True, "dim": 1, "descending": descending}
    compare(sorting.sort, torch.sort, TIES.astype(dtype), **keywords)


@descending
def test_nan_is_largest(descending: bool) -> None:
    compare(sorting.sort, torch.sort, EDGES, stable=True, descending=descending, gradients=False)


def test_msort() -> None:
    compare(sorting.msort, torch.msort, random(4, 3))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(
    ("shape", "k", "dim"), [((9,), 4, 0), ((3, 5), 2, 0), ((3, 5), 5, -1), ((3, 5), 0, 1), ((), 1, 0)]
)
def test_topk(shape: tuple[int, ...], k: int, dim: int, largest: bool) -> None:
    compare(sorting.topk, torch.topk, random(*shape), k, dim, largest)


@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize(("shape", "k", "dim"), [((9,), 4, 0), ((3, 5), 2, 0), ((3, 5), 5, -1), ((), 1, 0)])
def test_kthvalue(shape: tuple[int, ...], k: int, dim: int, keepdim: bool) -> None:
    compare(sorting.kthvalue, torch.kthvalue, random(*shape), k, dim, keepdim)


def test_unknown_sizes() -> None:
    rows = Dim.unknown("rows")
    x = input_node((rows, 3), float32)
    assert sorting.sort(x, 0).values.shape == (rows, 3)
    assert sorting.topk(x, 2).indices.shape == (rows, 2)


def test_errors() -> None:
    x = numpy_constant(random(2, 3))
    with pytest.raises(OutOfRangeError, match=r"topk: k = 4 is out of range for size 3 of dimension 1 of \(2, 3\)"):
        sorting.topk(x, 4)
    with pytest.raises(OutOfRangeError, match="kthvalue: k = 0"):
        sorting.kthvalue(x, 0)
    with pytest.raises(OutOfRangeError, match="sort: dimension 5"):
        sorting.sort(x, 5)
    assert evaluate([sorting.topk(x, 1).indices])[0].dtype == np.int64
