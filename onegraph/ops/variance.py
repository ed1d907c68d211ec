"""Variances, standard deviations, covariances and correlations, with PyTorch's names and arguments.

Read next: `statistics.py` (sums, means and norms).
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bool_
from onegraph.ir.node import Node
from onegraph.ops.binary import DIV, EQ, MUL, SUB, clamp, div, maximum, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.contraction import MATMUL, transpose_last
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import RESHAPE, reshape_to
from onegraph.ops.promotion import as_node, to_float
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import same_shape, show
from onegraph.ops.statistics import Dims, count_along, dims_of, floating, mean, safe_sqrt, sum, widened


def _correction(op: str, dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Dims, float]:
    """The dimensions and the correction, from any of the ways in which PyTorch takes them."""
    if isinstance(dim, bool):  # var(x, False): the second argument is `unbiased`
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            raise ArgumentError(f"{op}: give unbiased or correction, not both")
        correction = 1 if unbiased else 0
    return dim, 1 if correction is None else correction


def _variance(op: str, x: Node, dim: Dims, correction: float, keepdim: bool) -> tuple[Node, Node]:
    """Variance and mean, in float32 for half precision: first the mean, then squared distances from it."""
    wide = widened(floating(op, x))
    dims = dims_of(op, x, dim)
    center = mean(wide, dims or None, True)
    distance = SUB(wide, center)
    total = SUM(MUL(distance, distance), dims=dims, keepdim=bool(keepdim))
    count = count_along(x, dims)
    if isinstance(count, Dim):
        freedom = sub(constant(count, total.dtype), correction)
        freedom = maximum(freedom, 0.0)
    else:
        freedom = constant(float(count - correction) if count > correction else 0.0, total.dtype)
    return DIV(total, freedom), reshape_to(center, total.shape)


@public()
def var(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The variance over dimensions: squared distances from the mean, over (count - correction).

    Args:
        input: floating tensor of any shape.
        dim: one dimension or several; None for all.
        unbiased: correction 1 (true, the default) or 0.
        keepdim: keep the dimensions, with size 1.
        correction: subtracted from the count.

    >>> from onegraph.backends.reference import evaluate
    >>> evaluate([var(as_node([1.0, 2.0, 3.0, 4.0]), correction=0)])
    [array(1.25, dtype=float32)]
    """
    x = as_node(input)
    dim, correction = _correction("var", dim, unbiased, correction)
    return cast(_variance("var", x, dim, correction, keepdim)[0], x.dtype)


@public()
def std(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The standard deviation over dimensions, the square root of `var`; its gradient at 0 is 0."""
    x = as_node(input)
    dim, correction = _correction("std", dim, unbiased, correction)
    return cast(safe_sqrt(_variance("std", x, dim, correction, keepdim)[0]), x.dtype)


@public(method=False)
def var_mean(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Node, Node]:
    """The variance and the mean over dimensions; arguments as for `var`."""
    x = as_node(input)
    dim, correction = _correction("var_mean", dim, unbiased, correction)
    variance, center = _variance("var_mean", x, dim, correction, keepdim)
    return cast(variance, x.dtype), cast(center, x.dtype)


@public(method=False)
def std_mean(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Node, Node]:
    """The standard deviation and the mean over dimensions; arguments as for `var`."""
    x = as_node(input)
    dim, correction = _correction("std_mean", dim, unbiased, correction)
    variance, center = _variance("std_mean", x, dim, correction, keepdim)
    return cast(safe_sqrt(variance), x.dtype), cast(center, x.dtype)


def _observation_weights(name: str, weights: Node, x: Node) -> Node:
    """Weights of the columns of a matrix in its dtype: `fweights` count them, `aweights` weigh them."""
    if len(weights.shape) > 1 or not same_shape((weights.size,), x.shape[1:]):
        raise ShapeError(
            f"cov: {name} must have one dimension with a number for each of {x.shape[1]} observations, "
            f"got {show(weights.shape)}"
        )
    if name == "fweights" and (weights.dtype.is_floating_point or weights.dtype is bool_):
        raise DTypeError(f"cov: fweights must be integers, got {weights.dtype.name}", hint="use aweights")
    if name == "aweights" and not weights.dtype.is_floating_point:
        raise DTypeError(f"cov: aweights must be floating, got {weights.dtype.name}", hint="use fweights")
    return cast(weights, x.dtype)


@public()
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Node:
    """The covariances of the rows of a matrix, whose columns are observations.

    Args:
        input: (variables, observations), or one variable's observations.
        correction: subtracted from the number of observations.
        fweights: how often each observation counts, whole numbers.
        aweights: how much each observation weighs, floating numbers.

    Returns:
        (variables, variables), or a scalar for one variable.

    Raises:
        ShapeError: more than two dimensions, or weights that are not one for each observation.
        DTypeError: fweights that are no integers, or aweights that are not floating.
    """
    node = to_float(input)
    if len(node.shape) > 2:
        raise ShapeError(f"cov: needs one or two dimensions, got {show(node.shape)}")
    x = node if len(node.shape) == 2 else RESHAPE(node, shape=(1, node.size))
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None:
            w = _observation_weights(name, as_node(given), x)
            weights = w if weights is None else mul(weights, w)
    count: Any = constant(x.shape[1], x.dtype) if weights is None else sum(weights)
    weighted = x if weights is None else mul(x, weights)
    center = div(sum(weighted, 1, True), count)
    if aweights is not None and correction != 0:
        count = sub(count, mul(correction, div(sum(mul(weights, cast(as_node(aweights), x.dtype))), count)))
    else:
        count = sub(count, correction)
    distance = sub(x, center)
    right = distance if weights is None else mul(distance, weights)
    products = MATMUL(distance, transpose_last(right))
    result = div(products, maximum(count, 0.0))
    return RESHAPE(result, shape=()) if x.shape[0] == 1 else result


@public()
def corrcoef(input: Any) -> Node:
    """The correlation coefficients of the rows of a matrix: covariances over standard deviations."""
    c = cov(input)
    if not c.shape:
        return div(c, c)
    n = c.shape[0]
    diagonal = EQ(RESHAPE(iota(n), shape=(n, 1)), iota(n))
    deviation = safe_sqrt(sum(WHERE(diagonal, c, constant(0, c.dtype)), 1))
    return clamp(div(div(c, RESHAPE(deviation, shape=(n, 1))), deviation), -1.0, 1.0)
