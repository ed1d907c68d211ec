"""Products of vectors and matrices, and the linear and bilinear layers: all around `matmul`.

einsum and tensordot are in `einsum.py`, distances in `distance.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import DType, bool_
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import MUL, OR, add, mul
from onegraph.ops.contraction import MATMUL, flat_product, matmul, transpose_last
from onegraph.ops.movement import PERMUTE, expand_to, full, reshape_to
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import broadcast_shapes, check_same_dtype, numel, same_size, show


def _operands(op: str, a: Any, b: Any, ranks: tuple[int, int]) -> tuple[Node, Node]:
    """Two nodes of one dtype with the numbers of dimensions that the op takes."""
    x, y = as_node(a), as_node(b)
    if (len(x.shape), len(y.shape)) != ranks:
        raise ShapeError(
            f"{op}: {show(x.shape)} and {show(y.shape)}: needs tensors of {ranks[0]} and {ranks[1]} dimensions",
            hint="matmul, or @, takes any number of dimensions",
        )
    _check_dtypes(op, x, y)
    return x, y


def _check_dtypes(op: str, *nodes: Node) -> DType:
    if any(n.dtype is not nodes[0].dtype for n in nodes):
        shown = ", ".join(f"{n.dtype.name} {show(n.shape)}" for n in nodes)
        raise DTypeError(f"{op}: dtypes differ: {shown}", hint="cast one, e.g. x.to(w.dtype)")
    return check_same_dtype(op, *nodes)


def _check_inner(op: str, a: Shape, b: Shape, inner_a: Any, inner_b: Any) -> None:
    if not same_size(inner_a, inner_b):
        raise ShapeError(f"{op}: {show(a)} and {show(b)}: inner sizes {inner_a} and {inner_b} differ")


@public(namespace="nn.functional")
def linear(input: Any, weight: Any, bias: Any = None) -> Node:
    """input @ weight.T + bias.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features) or (in_features,), of the input's dtype.
        bias: (out_features,), or None.

    Returns:
        (..., out_features), or (...) for a weight of one dimension.

    Raises:
        ShapeError: sizes do not fit.
        DTypeError: dtypes differ.

    >>> from onegraph.ops.movement import full
    >>> linear(full((2, 5, 3), 1.0), full((4, 3), 1.0), full((4,), 1.0)).shape
    (2, 5, 4)
    """
    x, w = as_node(input), as_node(weight)
    shapes = f"linear: input {show(x.shape)}, weight {show(w.shape)}"
    if not x.shape or len(w.shape) not in (1, 2):
        raise ShapeError(f"{shapes}: needs (..., in_features) and (out_features, in_features)")
    if not same_size(x.shape[-1], w.shape[-1]):
        raise ShapeError(f"{shapes}: the input has {x.shape[-1]} features, the weight takes {w.shape[-1]}")
    b = None if bias is None else as_node(bias)
    _check_dtypes("linear", x, w, *([] if b is None else [b]))
    matrix = transpose_last(w if len(w.shape) == 2 else reshape_to(w, (1, *w.shape)))
    y = flat_product(x if len(x.shape) > 1 else reshape_to(x, (1, *x.shape)), matrix)
    y = reshape_to(y, (*x.shape[:-1], *w.shape[:-1]))
    if b is None:
        return y
    if len(b.shape) == 1 and len(w.shape) == 2 and not same_size(b.shape[0], w.shape[0]):
        raise ShapeError(f"{shapes}, bias {show(b.shape)}: the bias needs one element for each output feature")
    return add(y, b)


@public(method=False)
@public(namespace="nn.functional")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Node:
    """input1 @ weight[k] @ input2 for every output k, plus bias.

    Args:
        input1: (..., features1).
        input2: (..., features2), with the same leading sizes.
        weight: (outputs, features1, features2).
        bias: (outputs,), or None.

    Raises:
        ShapeError: sizes do not fit.
    """
    a, b, w = as_node(input1), as_node(input2), as_node(weight)
    _check_dtypes("bilinear", a, b, w)
    if (
        len(w.shape) != 3
        or not a.shape
        or len(a.shape) != len(b.shape)
        or not all(map(same_size, a.shape[:-1], b.shape[:-1]))
        or not same_size(a.shape[-1], w.shape[1])
        or not same_size(b.shape[-1], w.shape[2])
    ):
        raise ShapeError(
            f"bilinear: inputs {show(a.shape)} and {show(b.shape)} do not fit weight {show(w.shape)}, which is "
            "(outputs, features1, features2)"
        )
    outputs, first, second = w.shape
    lead, rows = a.shape[:-1], numel(a.shape[:-1])
    # (rows, features1) @ (features1, outputs * features2), then times input2.
    table = reshape_to(PERMUTE(w, dims=(1, 0, 2)), (first, outputs * second))
    half = reshape_to(MATMUL(reshape_to(a, (rows, first)), table), (rows, outputs, second))
    y = reshape_to(MATMUL(half, reshape_to(b, (rows, second, 1))), (*lead, outputs))
    return y if bias is None else add(y, as_node(bias))


@public()
def mm(input: Any, mat2: Any) -> Node:
    """The product of two matrices (n, m) and (m, p); nothing broadcasts."""
    a, b = _operands("mm", input, mat2, (2, 2))
    _check_inner("mm", a.shape, b.shape, a.shape[1], b.shape[0])
    return MATMUL(a, b)


@public()
def bmm(input: Any, mat2: Any) -> Node:
    """The products of two batches of matrices (b, n, m) and (b, m, p); nothing broadcasts."""
    a, b = _operands("bmm", input, mat2, (3, 3))
    if not same_size(a.shape[0], b.shape[0]):
        raise ShapeError(f"bmm: {show(a.shape)} and {show(b.shape)}: batch sizes {a.shape[0]} and {b.shape[0]} differ")
    _check_inner("bmm", a.shape, b.shape, a.shape[2], b.shape[1])
    return MATMUL(a, b)


@public()
def mv(input: Any, vec: Any) -> Node:
    """The product of a matrix (n, m) and a vector (m,)."""
    a, b = _operands("mv", input, vec, (2, 1))
    _check_inner("mv", a.shape, b.shape, a.shape[1], b.shape[0])
    return matmul(a, b)


@public("dot", "vdot")
def dot(input: Any, tensor: Any) -> Node:
    """The sum of the products of two vectors.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([dot(as_node([1.0, 2.0]), as_node([3.0, 4.0]))])
    [array(11., dtype=float32)]
    """
    a, b = _operands("dot", input, tensor, (1, 1))
    _check_inner("dot", a.shape, b.shape, a.shape[0], b.shape[0])
    return SUM(MUL(a, b), dims=(0,), keepdim=False)


@public()
def inner(input: Any, other: Any) -> Node:
    """Sums of products along the last dimensions: every row of one with every row of the other."""
    a, b = as_node(input), as_node(other)
    _check_dtypes("inner", a, b)
    if not a.shape or not b.shape:
        return mul(a, b)
    _check_inner("inner", a.shape, b.shape, a.shape[-1], b.shape[-1])
    left = reshape_to(a, (numel(a.shape[:-1]), a.shape[-1]))
    right = reshape_to(b, (numel(b.shape[:-1]), b.shape[-1]))
    return reshape_to(MATMUL(left, transpose_last(right)), (*a.shape[:-1], *b.shape[:-1]))


@public("outer", "ger")
def outer(input: Any, vec2: Any) -> Node:
    """The products of every element of one vector with every element of another: (n,) and (m,) give (n, m)."""
    a, b = promote(input, vec2)
    if len(a.shape) != 1 or len(b.shape) != 1:
        raise ShapeError(f"outer: {show(a.shape)} and {show(b.shape)}: needs two vectors")
    return MUL(reshape_to(a, (a.shape[0], 1)), reshape_to(b, (1, b.shape[0])))


def _scaled_sum(op: str, base: Any, product: Node, beta: Any, alpha: Any) -> Node:
    """beta * base + alpha * product; the base broadcasts, and is not looked at when beta is 0."""
    x = as_node(base)
    _check_dtypes(op, x, product)
    if (isinstance(beta, float) or isinstance(alpha, float)) and not product.dtype.is_floating_point:
        raise ArgumentError(f"{op}: beta {beta} and alpha {alpha} must be integers for {product.dtype.name}")
    if broadcast_shapes(op, product.shape, x.shape) != product.shape:
        raise ShapeError(f"{op}: input {show(x.shape)} cannot be expanded to the product's shape {show(product.shape)}")
    if product.dtype is bool_:
        terms = [n for n, factor in ((product, alpha), (expand_to(x, product.shape), beta)) if factor]
        return full(product.shape, False) if not terms else terms[0] if len(terms) == 1 else OR(*terms)
    scaled = product if alpha == 1 else mul(product, alpha)
    if isinstance(beta, (int, float)) and beta == 0:
        return scaled
    return add(expand_to(x, product.shape) if beta == 1 else mul(expand_to(x, product.shape), beta), scaled)


@public(inplace=True)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Node:
    """beta * input + alpha * (mat1 @ mat2) of matrices; input broadcasts."""
    return _scaled_sum("addmm", input, mm(mat1, mat2), beta, alpha)


@public(inplace=True)
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Node:
    """beta * input + alpha * (mat @ vec); input broadcasts."""
    return _scaled_sum("addmv", input, mv(mat, vec), beta, alpha)


@public(inplace=True)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Node:
    """beta * input + alpha * outer(vec1, vec2); input broadcasts."""
    return _scaled_sum("addr", input, outer(vec1, vec2), beta, alpha)


@public(inplace=True)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Node:
    """beta * input + alpha * the sum of the products of two batches of matrices; input broadcasts."""
    total = SUM(bmm(batch1, batch2), dims=(0,), keepdim=False)
    return _scaled_sum("addbmm", input, total, beta, alpha)


@public(inplace=True)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Node:
    """beta * input + alpha * the products of two batches of matrices; input broadcasts."""
    return _scaled_sum("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@public()
def kron(input: Any, other: Any) -> Node:
    """Kronecker's product: every element of `input` times all of `other`, laid out in blocks."""
    a, b = promote(input, other)
    rank = max(len(a.shape), len(b.shape))
    left: Shape = (*[1] * (rank - len(a.shape)), *a.shape)
    right: Shape = (*[1] * (rank - len(b.shape)), *b.shape)
    spread = [size for s in left for size in (s, 1)]
    blocks = [size for s in right for size in (1, s)]
    y = MUL(reshape_to(a, tuple(spread)), reshape_to(b, tuple(blocks)))
    return reshape_to(y, tuple(m * n for m, n in zip(left, right, strict=True)))


def _cheapest_split(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to cut every part of a chain of matrices, so that the products together cost least.

    Source: Cormen et al., "Introduction to Algorithms", 15.2.
    """
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(2, count + 1):
        for i in range(count - length + 1):
            j = i + length - 1
            choices = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], cut[i, j] = min(choices)
    return cut


def _chain(op: str, matrices: Sequence[Node]) -> Node:
    for left, right in pairwise(matrices):
        _check_inner(op, left.shape, right.shape, left.shape[1], right.shape[0])
    sizes = [m.shape[0] for m in matrices] + [matrices[-1].shape[1]]
    known = [s for s in sizes if isinstance(s, int)]
    cut = _cheapest_split([s if isinstance(s, int) else max(known, default=1) for s in sizes])

    def multiply(i: int, j: int) -> Node:
        if i == j:
            return matrices[i]
        return MATMUL(multiply(i, cut[i, j]), multiply(cut[i, j] + 1, j))

    return multiply(0, len(matrices) - 1)


@public(method=False)
def chain_matmul(*matrices: Any) -> Node:
    """The product of several matrices, in the order that costs least."""
    nodes = [as_node(m) for m in matrices]
    if not nodes or any(len(m.shape) != 2 for m in nodes):
        raise ShapeError(f"chain_matmul: needs matrices, got {', '.join(show(m.shape) for m in nodes) or 'none'}")
    _check_dtypes("chain_matmul", *nodes)
    return _chain("chain_matmul", nodes)


@public(namespace="linalg")
def multi_dot(tensors: Any) -> Node:
    """The product of several matrices in the order that costs least; the first and last may be vectors."""
    nodes = [as_node(m) for m in tensors]
    if len(nodes) < 2:
        raise ArgumentError(f"multi_dot: needs at least two tensors, got {len(nodes)}")
    ranks = [len(m.shape) for m in nodes]
    if any(r != 2 for r in ranks[1:-1]) or ranks[0] not in (1, 2) or ranks[-1] not in (1, 2):
        raise ShapeError(f"multi_dot: needs matrices, got {', '.join(show(m.shape) for m in nodes)}")
    _check_dtypes("multi_dot", *nodes)
    shape = (*nodes[0].shape[: ranks[0] - 1], *nodes[-1].shape[1:])
    nodes[0] = nodes[0] if ranks[0] == 2 else reshape_to(nodes[0], (1, *nodes[0].shape))
    nodes[-1] = nodes[-1] if ranks[-1] == 2 else reshape_to(nodes[-1], (*nodes[-1].shape, 1))
    return reshape_to(_chain("multi_dot", nodes), shape)


public("matmul", namespace="linalg")(matmul)
