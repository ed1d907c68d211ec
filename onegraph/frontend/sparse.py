"""Sparse matrices and tensors as coordinates and values: `sparse_coo_tensor`, `to_sparse`, products with dense matrices.

A `SparseTensor` is two ordinary tensors, so what is computed with it is recorded, compiled and differentiated like
everything else: a product gathers rows, scales them and adds them up. The compressed formats (CSR, CSC, BSR, BSC) are not here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError, StateError
from onegraph.frontend.convert import as_tensor, to
from onegraph.frontend.device import Device, Size
from onegraph.frontend.dynamic import look
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor, tensor_from_array, wrap
from onegraph.frontend.types import MemoryFormat
from onegraph.ir.dtype import DType, as_dtype, bool_, category, int64
from onegraph.ir.node import Node
from onegraph.ops.binary import mul
from onegraph.ops.gathering import index_add, index_select
from onegraph.ops.movement import full
from onegraph.ops.movement import reshape_to as reshape
from onegraph.ops.shapes import show

sparse_coo = MemoryFormat("sparse_coo")


class SparseTensor:
    """A tensor of which only some elements are stored, each with its coordinates; the others are zero.

    Made by `onegraph.sparse_coo_tensor` and `Tensor.to_sparse`.

    Attributes:
        shape: the sizes, first of the sparse dimensions, then of the dense ones (those that each value has).

    >>> import onegraph as og
    >>> a = og.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    >>> a.to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])
    >>> a @ og.ones(3, 1)
    tensor([[3.],
            [9.]])
    """

    is_sparse = True
    is_sparse_csr = is_cuda = False
    layout = sparse_coo

    def __init__(self, indices: Tensor, values: Tensor, shape: Sequence[int], coalesced: bool) -> None:
        self._places, self._elements, self.shape, self._coalesced = indices, values, Size(shape), coalesced

    # ---- what is stored

    def _indices(self) -> Tensor:
        return self._places

    def _values(self) -> Tensor:
        return self._elements

    def _nnz(self) -> int:
        return int(self._places.shape[1])

    def indices(self) -> Tensor:
        """The coordinates, int64 (sparse dimensions, elements), of a tensor that is coalesced."""
        self._check_coalesced("indices")
        return self._places

    def values(self) -> Tensor:
        """The values (elements, *dense dimensions) of a tensor that is coalesced."""
        self._check_coalesced("values")
        return self._elements

    def _check_coalesced(self, name: str) -> None:
        if not self._coalesced:
            raise StateError(
                f"{name}: places may appear several times in this sparse tensor", hint=f"x.coalesce().{name}()"
            )

    def is_coalesced(self) -> bool:
        """Whether each place appears once, in order."""
        return self._coalesced

    def coalesce(self) -> SparseTensor:
        """The same tensor with each place once, in order, and the values of a place added up. Looks at the coordinates."""
        if self._coalesced:
            return self
        places = look("coalesce", self._places, "coalesce before tracing")
        sizes = tuple(self.shape[: self.sparse_dim()])
        flat = np.ravel_multi_index(tuple(places), sizes) if self._nnz() else np.zeros(0, np.int64)
        kept, position = np.unique(flat, return_inverse=True)
        empty = full((len(kept), *self._elements.shape[1:]), 0, self.dtype)
        node = index_add(empty, 0, _known(position.reshape(-1)).node, _node(self._elements))
        found = np.stack(np.unravel_index(kept, sizes)) if len(sizes) else np.zeros((0, len(kept)))
        return SparseTensor(_known(found), wrap(node, self.requires_grad), self.shape, True)

    # ---- questions

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._elements.dtype

    @property
    def device(self) -> Device:
        """Where the tensor is: the host's processor."""
        return Device("cpu")

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients reach the values."""
        return self._elements.requires_grad

    @property
    def grad(self) -> Tensor | None:
        """The gradient of the values."""
        return self._elements.grad

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def sparse_dim(self) -> int:
        """Number of dimensions that have coordinates."""
        return int(self._places.shape[0])

    def dense_dim(self) -> int:
        """Number of dimensions that each value has."""
        return self._elements.ndim - 1

    def size(self, dim: int | None = None) -> Any:
        """The sizes, or one of them."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """Number of elements, zeros included."""
        return self.shape.numel()

    # ---- other tensors

    def _with(self, values: Tensor) -> SparseTensor:
        return SparseTensor(self._places, values, self.shape, self._coalesced)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The tensor with its zeros."""
        count = self.sparse_dim()
        rows = int(np.prod(self.shape[:count], dtype=np.int64))
        flat = full((rows, *self.shape[count:]), 0, self.dtype)
        node = reshape(index_add(flat, 0, _node(self._flat()), _node(self._elements)), tuple(self.shape))
        dense = wrap(node, self.requires_grad)
        return dense if dtype is None else to(dense, dtype)

    def _flat(self) -> Tensor:
        """Coordinates as numbers in row-major order."""
        result = as_tensor(0)
        for i, size in enumerate(self.shape[: self.sparse_dim()]):
            result = result * size + self._places[i]
        return result

    def to_sparse(self, *args: Any, **kwargs: Any) -> SparseTensor:
        """The tensor itself."""
        return self

    def t(self) -> SparseTensor:
        """The transposed matrix."""
        if self.sparse_dim() != 2 or self.ndim != 2:
            raise ShapeError(f"t: needs a sparse matrix, got {show(tuple(self.shape))}")
        places = self._places.flip(0)
        return SparseTensor(places, self._elements, (self.shape[1], self.shape[0]), False)

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        """The transposed matrix."""
        return self.t() if {dim0 % 2, dim1 % 2} == {0, 1} else self

    def to(self, *args: Any, **kwargs: Any) -> SparseTensor:
        """The tensor with values in another dtype."""
        return self._with(self._elements.to(*args, **kwargs))

    def float(self) -> SparseTensor:
        """The tensor with float32 values."""
        return self._with(self._elements.float())

    def double(self) -> SparseTensor:
        """The tensor with float64 values."""
        return self._with(self._elements.double())

    def cpu(self) -> SparseTensor:
        """The tensor itself."""
        return self

    def detach(self) -> SparseTensor:
        """The tensor without gradients."""
        return self._with(self._elements.detach())

    def clone(self) -> SparseTensor:
        """A copy; gradients flow through it."""
        return self._with(self._elements.clone())

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Collect gradients for the values."""
        self._elements.requires_grad_(requires_grad)
        return self

    # ---- arithmetic

    def mm(self, mat2: Tensor) -> Tensor:
        """The product with a dense matrix."""
        return product(self, mat2)

    matmul = mm
    __matmul__ = mm

    def __rmatmul__(self, other: Tensor) -> Tensor:
        return product(other, self)

    def __mul__(self, other: Any) -> SparseTensor:
        if isinstance(other, SparseTensor) or (isinstance(other, Tensor) and other.ndim):
            raise ArgumentTypeError("a sparse tensor can be multiplied by numbers", hint="x.to_dense() * y")
        return self._with(self._elements * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        return self * (1 / other)

    def __neg__(self) -> SparseTensor:
        return self._with(-self._elements)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Tensor):
            return self.to_dense() + other
        if not isinstance(other, SparseTensor):
            return NotImplemented
        if self.shape != other.shape or self.sparse_dim() != other.sparse_dim():
            raise ShapeError(f"add: sparse tensors of shapes {show(self.shape)} and {show(other.shape)} differ")
        from onegraph.frontend import namespaces

        cat = namespaces[""]["cat"]
        places, values = cat([self._places, other._places], 1), cat([self._elements, other._elements])
        return SparseTensor(places, values, self.shape, False)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def sum(self, dim: Any = None) -> Any:
        """The sum of all elements, or a dense sum over dimensions."""
        return self._elements.sum() if dim is None else self.to_dense().sum(dim)

    def __repr__(self) -> str:
        return (
            f"tensor(indices={self._places!r},\n       values={self._elements!r},\n"
            f"       size={tuple(self.shape)}, nnz={self._nnz()}, layout=onegraph.sparse_coo)"
        )


def _node(tensor: Tensor) -> Node:
    """The node of a tensor that an operation uses."""
    if mode.trace is not None:
        mode.trace.seen(tensor)
    return tensor.node


def _known(array: np.ndarray[Any, Any]) -> Tensor:
    return tensor_from_array(np.ascontiguousarray(array, np.int64), int64)


def sparse_coo_tensor(
    indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """A sparse tensor from coordinates and values.

    Args:
        indices: (sparse dimensions, elements), integers; a place may appear several times, its values then add up.
        values: (elements, *dense dimensions).
        size: the sizes; by default the smallest that hold the coordinates.
        dtype: of the values.
        requires_grad: collect gradients for the values.
        is_coalesced: say that each place appears once, in order.

    Raises:
        ShapeError: indices, values and size do not fit together.
        OutOfRangeError: a coordinate outside of the size.

    >>> import onegraph as og
    >>> og.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0]).shape
    onegraph.Size([2, 2])
    """
    Device(device or "cpu")
    places = as_tensor(indices)
    if places.dtype.kind not in ("int", "uint") and places.numel():
        raise DTypeError(f"sparse_coo_tensor: indices must be integers, got {places.dtype.name}")
    places = places.to(int64)
    elements = as_tensor(values) if dtype is None else to(as_tensor(values), as_dtype(dtype))
    if places.ndim != 2 or elements.ndim < 1 or elements.shape[0] != places.shape[1]:
        raise ShapeError(
            f"sparse_coo_tensor: indices {show(places.shape)} and values {show(elements.shape)} do not fit",
            hint="indices are (sparse dimensions, elements), values (elements, ...)",
        )
    known = look("sparse_coo_tensor", places, "make it before tracing")
    highest = known.max(1) if known.shape[1] else np.full(known.shape[0], -1)
    inside = [int(v) + 1 for v in highest]
    shape = tuple(size) if size is not None else (*inside, *elements.shape[1:])
    count = len(inside)
    if len(shape) != count + elements.ndim - 1 or tuple(shape[count:]) != tuple(elements.shape[1:]):
        raise ShapeError(
            f"sparse_coo_tensor: size {show(shape)} does not fit {count} sparse dimensions and values {show(elements.shape)}"
        )
    if (known < 0).any() or any(need > have for need, have in zip(inside, shape, strict=False)):
        raise OutOfRangeError(
            f"sparse_coo_tensor: coordinates up to {tuple(int(h) for h in highest)} are outside of size {show(shape)}"
        )
    result = SparseTensor(places, elements, shape, bool(is_coalesced))
    return result.requires_grad_() if requires_grad else result


def to_sparse(self: Tensor, sparse_dim: int | None = None, **options: Any) -> SparseTensor:
    """The elements that are not zero, with their coordinates. Looks at the values.

    Args:
        sparse_dim: how many dimensions get coordinates; by default all.
    """
    if options.get("layout") not in (None, sparse_coo):
        raise ArgumentError("to_sparse: only layout=sparse_coo is there", hint="leave layout out")
    count = self.ndim if sparse_dim is None else sparse_dim
    if not 0 < count <= self.ndim:
        raise ArgumentError(f"to_sparse: sparse_dim must be from 1 to {self.ndim}, got {sparse_dim}")
    value = look("to_sparse", self, "make it sparse before tracing")
    there = (value != 0).reshape(*value.shape[:count], -1).any(-1)
    places = np.stack(np.nonzero(there))
    flat = np.ravel_multi_index(tuple(places), value.shape[:count])
    rows = reshape(_node(self), (there.size, *self.shape[count:]))
    values = wrap(index_select(rows, 0, _known(flat).node), self._requires_grad)
    return SparseTensor(_known(places), values, tuple(self.shape), True)


def product(a: Any, b: Any) -> Any:
    """A matrix product of which at least one operand is sparse; dense unless both are.

    Raises:
        ShapeError: no matrices, or inner sizes that differ.
    """
    if isinstance(a, SparseTensor) and isinstance(b, SparseTensor):
        return to_sparse(product(a, b.to_dense()))
    if isinstance(b, SparseTensor):
        transposed = a if a.ndim == 1 else a.t()
        found = product(b.t(), transposed)
        return found if a.ndim == 1 else found.t()
    if not isinstance(b, Tensor):
        raise ArgumentTypeError(f"mm: expected a tensor, got {type(b).__name__}")
    if a.ndim != 2 or a.sparse_dim() != 2 or b.ndim not in (1, 2) or a.shape[1] != b.shape[0]:
        raise ShapeError(f"mm: sparse {show(a.shape)} @ {show(b.shape)}: needs matrices whose inner sizes are the same")
    if category(a.dtype) != category(b.dtype) or a.dtype is bool_:
        raise DTypeError(f"mm: sparse {a.dtype.name} @ {b.dtype.name}: needs the same dtype")
    columns = index_select(_node(b), 0, _node(a._places[1]))
    values = _node(a._elements) if b.ndim == 1 else reshape(_node(a._elements), (a._nnz(), 1))
    empty = full((a.shape[0], *b.shape[1:]), 0, b.dtype)
    node = index_add(empty, 0, _node(a._places[0]), mul(values, columns))
    return wrap(node, a.requires_grad or b._requires_grad)


def dispatching(call: Callable[..., Any]) -> Callable[..., Any]:
    """A product of dense tensors that also takes sparse ones."""

    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        for a in args:
            if isinstance(a, SparseTensor):
                return product(*args, **kwargs)
        return call(*args, **kwargs)

    return run


FUNCTIONS: dict[str, Any] = {
    "dsmm": product,
    "hspmm": product,
    "smm": product,
    "spmm": product,
    "sparse_coo": sparse_coo,
    "sparse_coo_tensor": sparse_coo_tensor,
}
METHODS: dict[str, Any] = {
    "to_sparse": to_sparse,
    "to_sparse_coo": to_sparse,
    "to_dense": lambda self, dtype=None, *, masked_grad=None: self if dtype is None else to(self, dtype),
    "is_sparse_csr": property(lambda self: False),
}
