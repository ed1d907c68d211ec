"""Sparse tensors as coordinates: what they hold, products and gradients, against PyTorch.

Read next: `onegraph/frontend/sparse.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError, StateError

torch = pytest.importorskip("torch")

PLACES, VALUES, SIZE = [[0, 1, 1, 0], [2, 0, 2, 2]], [3.0, 4.0, 5.0, 7.0], (2, 3)


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_as_torch() -> None:
    found = []
    for library in (torch, og):
        values = library.tensor(VALUES, requires_grad=True)
        a = library.sparse_coo_tensor(library.tensor(PLACES), values, SIZE)
        dense = library.arange(6.0).reshape(3, 2).requires_grad_()
        y = library.sparse.mm(a, dense)
        (y**2).sum().backward()
        c = a.coalesce()
        products = [library.spmm(a, dense), library.mm(a.t(), library.ones(2, 1)), a @ dense, library.ones(1, 2) @ a]
        products += [library.matmul(a, library.ones(3)), (a + a).to_dense(), (a * 2 - a).to_dense(), -c.to_dense()]
        products += [
            library.sparse.addmm(library.ones(2, 2), a, dense, beta=2.0, alpha=3.0),
            a.sum(),
            a.double().to_dense(),
        ]
        found.append(
            [
                y,
                values.grad,
                dense.grad,
                c.indices(),
                c.values(),
                a.to_dense(),
                library.sparse.sum(a, 0).to_dense(),
                *products,
            ]
        )
        assert (a.is_coalesced(), c.is_coalesced(), a._nnz(), c._nnz()) == (False, True, 4, 3)
        assert (a.sparse_dim(), a.dense_dim(), a.dim(), a.is_sparse, tuple(a.shape)) == (2, 0, 2, True, SIZE)
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)
        assert str(mine.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]


def test_dense_to_sparse_and_back() -> None:
    x = og.tensor([[0.0, 2.0], [0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    s = x.to_sparse()
    assert (s._nnz(), s.indices().tolist(), s.to_dense().tolist()) == (3, [[0, 2, 2], [1, 0, 1]], x.tolist())
    (s.to_dense() ** 2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 4.0], [0.0, 0.0], [6.0, 8.0]]
    rows = x.to_sparse(1)
    assert (rows._nnz(), rows.dense_dim(), rows.to_dense().tolist()) == (2, 1, x.tolist())
    assert og.zeros(2, 2).to_sparse().to_dense().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert x.to_dense() is x


def test_a_graph_convolution_is_traced() -> None:
    adjacency = og.tensor([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
    sparse = adjacency.to_sparse()
    w = og.nn.Parameter(og.arange(6.0).reshape(2, 3))
    x = og.arange(6.0).reshape(3, 2)

    def loss(x: Any) -> Any:
        return (og.spmm(sparse, x @ w).relu() ** 2).mean()

    traced = og.jit(loss)
    expected = ((adjacency @ (x @ w)).relu() ** 2).mean()
    assert traced(x).item() == pytest.approx(expected.item(), rel=1e-6)


def test_errors() -> None:
    with pytest.raises(ShapeError, match="do not fit"):
        og.sparse_coo_tensor([[0, 1]], [1.0])
    with pytest.raises(OutOfRangeError, match=r"\(1, 2\) are outside"):
        og.sparse_coo_tensor(PLACES, VALUES, (2, 2))
    with pytest.raises(ShapeError, match="1 sparse dimensions"):
        og.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2, 2))
    with pytest.raises(DTypeError, match="integers"):
        og.sparse_coo_tensor(og.tensor([[0.5]]), [1.0])
    a = og.sparse_coo_tensor(PLACES, VALUES, SIZE)
    with pytest.raises(StateError, match="coalesce"):
        a.indices()
    with pytest.raises(ShapeError, match=r"\(2, 3\) @ \(2, 2\)"):
        og.spmm(a, og.ones(2, 2))
    with pytest.raises(ArgumentTypeError, match="numbers"):
        a * og.ones(2, 3)
    with pytest.raises(ArgumentError, match="sparse_dim"):
        og.ones(2).to_sparse(2)
    with pytest.raises(DTypeError, match="int64"):
        og.spmm(a, og.ones(3, 2, dtype=og.int64))
