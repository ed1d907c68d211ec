"""softmax, log_softmax and softmin. The largest element is taken out first, so nothing overflows.

`losses.py` and `attention.py` are built on these; the compiler sees through them.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.ir.dtype import as_dtype
from onegraph.ir.node import Node
from onegraph.ops.binary import DIV, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import EXP, LOG, NEG, detach
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.shapes import check_kind, normalize_dim
from onegraph.ops.statistics import widened


def shifted(x: Node, dim: int) -> Node:
    """x minus its largest element along a dimension; that element is not differentiated."""
    return SUB(x, detach(MAX(x, dims=(dim,), keepdim=True)))


def softmax_of(x: Node, dim: int) -> Node:
    """exp(x) / sum(exp(x)) along a dimension that is not empty, in the node's own precision."""
    powers = EXP(shifted(x, dim))
    return DIV(powers, SUM(powers, dims=(dim,), keepdim=True))


def log_softmax_of(x: Node, dim: int) -> Node:
    """log(exp(x) / sum(exp(x))) along a dimension that is not empty, in the node's own precision."""
    moved = shifted(x, dim)
    return SUB(moved, LOG(SUM(EXP(moved), dims=(dim,), keepdim=True)))


def _implicit_dim(rank: int) -> int:
    """What PyTorch takes when `dim` is not given: 0 for 0, 1 or 3 dimensions, else 1."""
    return 0 if rank in (0, 1, 3) else 1


def _apply(op: str, function: Any, input: Any, dim: int | None, dtype: Any) -> Node:
    x = as_node(input)
    if dtype is not None:
        x = cast(x, as_dtype(dtype))
    check_kind(op, x, "float")
    rank = len(x.shape)
    d = normalize_dim(op, _implicit_dim(rank) if dim is None else dim, rank)
    if rank and x.shape[d] == 0:
        return x
    wide = widened(x)
    y = function(wide, d) if rank else reshape_to(function(reshape_to(wide, (1,)), 0), ())
    return cast(y, x.dtype)


@public()
def softmax(input: Any, dim: int, dtype: Any = None) -> Node:
    """exp(x) / sum(exp(x)) along a dimension.

    Args:
        input: floating tensor of any shape (other dtypes with `dtype`).
        dim: along which the result adds up to 1.
        dtype: floating type to cast to first.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([softmax(as_node([0.0, 0.0]), 0)])
    [array([0.5, 0.5], dtype=float32)]
    """
    if dim is None:
        raise ArgumentTypeError("softmax: dim must be an int, got None")
    return _apply("softmax", softmax_of, input, dim, dtype)


@public()
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Node:
    """The logarithm of `softmax`, computed without taking it of a rounded result.

    Args:
        input: floating tensor of any shape (other dtypes with `dtype`).
        dim: along which the softmax adds up to 1.
        dtype: floating type to cast to first.
    """
    if dim is None:
        raise ArgumentTypeError("log_softmax: dim must be an int, got None")
    return _apply("log_softmax", log_softmax_of, input, dim, dtype)


@public("softmax", namespace="nn.functional")
def _functional_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Node:
    """exp(x) / sum(exp(x)) along a dimension; without `dim` along 0 for 0, 1 or 3 dimensions, else 1."""
    return _apply("softmax", softmax_of, input, dim, dtype)


@public("log_softmax", namespace="nn.functional")
def _functional_log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Node:
    """The logarithm of softmax; without `dim` along 0 for 0, 1 or 3 dimensions, else 1."""
    return _apply("log_softmax", log_softmax_of, input, dim, dtype)


@public(namespace="nn.functional")
def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Node:
    """softmax(-x) along a dimension; without `dim` along 0 for 0, 1 or 3 dimensions, else 1."""
    x = as_node(input) if dtype is None else cast(as_node(input), as_dtype(dtype))
    check_kind("softmin", x, "float")
    return _apply("softmin", softmax_of, NEG(x), dim, None)


public("softmax", namespace="special")(softmax)
public("log_softmax", namespace="special")(log_softmax)
