"""Names of `torch.sparse`: products of sparse and dense matrices. Read next: `frontend/sparse.py`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.sparse import SparseTensor, product, to_sparse
from onegraph.frontend.tensor import Tensor

__all__ = ["SparseTensor", "addmm", "mm", "sum"]


def mm(sparse: Any, dense: Any) -> Any:
    """The product of a sparse and a dense matrix, with gradients for both (or of two sparse ones).

    >>> import onegraph as og
    >>> adjacency = og.eye(3).to_sparse()
    >>> og.sparse.mm(adjacency, og.ones(3, 2)).shape
    onegraph.Size([3, 2])
    """
    return product(sparse, dense)


def addmm(mat: Tensor, mat1: Any, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """beta * mat + alpha * (mat1 @ mat2), mat1 being sparse."""
    result: Tensor = mat * beta + product(mat1, mat2) * alpha
    return result


def sum(input: SparseTensor, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all elements, or a sparse sum over dimensions."""
    value = input if dtype is None else input.to(dtype)
    return value.sum() if dim is None else to_sparse(value.to_dense().sum(dim))
