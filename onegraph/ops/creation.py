"""Tensors from nothing: zeros, ones, full, arange, linspace, eye, and their kin with the shape of another tensor.

Devices, memory formats and `requires_grad` are for the front ends; these functions know shapes and dtypes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, as_dtype, bool_, float64, get_default_dtype, int64, scalar_dtype
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, DIV, EQ, LT, MUL, POW, SUB
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE
from onegraph.ops.layout import variadic
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import as_shape, reshape_to
from onegraph.ops.movement import full as filled
from onegraph.ops.promotion import as_node
from onegraph.ops.public import public


def _dtype(dtype: Any, default: DType | None = None) -> DType:
    return as_dtype(dtype) if dtype is not None else default or get_default_dtype()


def _shape(op: str, given: tuple[Any, ...], keyword: Any) -> Shape:
    return as_shape(op, variadic(op, given, keyword))


@public(method=False)
def zeros(*sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """A tensor of zeros.

    Args:
        sizes: the sizes one by one or as a sequence (or `size=`).
        dtype: the default floating type when None.

    >>> zeros(2, 3)
    <expand f32[2, 3]>
    """
    return filled(_shape("zeros", sizes, size), 0, dtype=_dtype(dtype))


@public(method=False)
def ones(*sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """A tensor of ones.

    >>> ones((2, 3), dtype="int64")
    <expand i64[2, 3]>
    """
    return filled(_shape("ones", sizes, size), 1, dtype=_dtype(dtype))


@public(method=False)
def empty(*sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """A tensor whose values nobody should use. They are zeros, so that a program does the same each time."""
    return filled(_shape("empty", sizes, size), 0, dtype=_dtype(dtype))


@public(method=False)
def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Node:
    """A tensor of one value, of that value's dtype when none is given.

    >>> full((2,), True), full((2,), 3), full((2,), 0.5)
    (<expand bool[2]>, <expand i64[2]>, <expand f32[2]>)
    """
    return filled(as_shape("full", size), *_fill("full", fill_value, dtype))


def _fill(op: str, value: Any, dtype: Any) -> tuple[Any, DType]:
    """A value for `filled`, and its dtype."""
    if isinstance(value, Node):
        if value.size != 1:
            raise ArgumentError(f"{op}: the value must be one number, got a tensor of shape {value.shape}")
        return reshape_to(value, ()), _dtype(dtype, value.dtype)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        raise ArgumentTypeError(f"{op}: the value must be a number, got {value!r:.40}")
    return value, _dtype(dtype, scalar_dtype(value))


@public(method=False)
def scalar_tensor(s: Any, *, dtype: Any = None) -> Node:
    """A tensor without dimensions, floating unless a dtype is given."""
    return filled((), _fill("scalar_tensor", s, None)[0], dtype=_dtype(dtype))


def _like(input: Any, value: Any, dtype: Any) -> Node:
    x = as_node(input)
    return filled(x.shape, value, dtype=_dtype(dtype, x.dtype))


@public(method=False)
def zeros_like(input: Any, *, dtype: Any = None) -> Node:
    """Zeros with the shape and dtype of a tensor."""
    return _like(input, 0, dtype)


@public(method=False)
def ones_like(input: Any, *, dtype: Any = None) -> Node:
    """Ones with the shape and dtype of a tensor."""
    return _like(input, 1, dtype)


@public(method=False)
def empty_like(input: Any, *, dtype: Any = None) -> Node:
    """A tensor with the shape and dtype of another, whose values (zeros) nobody should use."""
    return _like(input, 0, dtype)


@public(method=False)
def full_like(input: Any, fill_value: Any, *, dtype: Any = None) -> Node:
    """One value with the shape and dtype of a tensor.

    >>> full_like(zeros(2, 3, dtype="int32"), 7)
    <expand i32[2, 3]>
    """
    return _like(input, _fill("full_like", fill_value, None)[0], dtype)


@public()
def new_zeros(input: Any, *sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """Zeros of a shape, with the dtype of a tensor."""
    return filled(_shape("new_zeros", sizes, size), 0, dtype=_dtype(dtype, as_node(input).dtype))


@public()
def new_ones(input: Any, *sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """Ones of a shape, with the dtype of a tensor."""
    return filled(_shape("new_ones", sizes, size), 1, dtype=_dtype(dtype, as_node(input).dtype))


@public()
def new_empty(input: Any, *sizes: Any, size: Any = None, dtype: Any = None) -> Node:
    """A tensor of a shape, with the dtype of another, whose values (zeros) nobody should use."""
    return filled(_shape("new_empty", sizes, size), 0, dtype=_dtype(dtype, as_node(input).dtype))


@public()
def new_full(input: Any, size: Any, fill_value: Any, *, dtype: Any = None) -> Node:
    """One value in a shape, with the dtype of a tensor."""
    value = _fill("new_full", fill_value, None)[0]
    return filled(as_shape("new_full", size), value, dtype=_dtype(dtype, as_node(input).dtype))


def _number(op: str, value: Any) -> Any:
    """A Python number (or Dim) from what the user gave as a border."""
    if isinstance(value, Node) and value.op == "constant":
        value = value.attributes["value"].array
    if isinstance(value, (np.generic, np.ndarray)) and value.size == 1:
        value = value.item()
    if not isinstance(value, (int, float, Dim)):
        raise ArgumentTypeError(
            f"{op}: needs numbers that are known when the graph is built, got {value!r:.60}",
            hint="count from 0 with a known length, then add and multiply",
        )
    return value


@public(method=False)
def arange(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None) -> Node:
    """start, start + step, ... below end (above it when the step is negative). With one number: 0 up to it.

    Args:
        start, end, step: numbers; the dtype is int64 when all are integers, else the default floating type.

    Raises:
        ArgumentError: a step of 0, or one that leads away from the end.

    >>> arange(3), arange(0, 1, 0.25)
    (<iota i64[3]>, <cast f32[4]>)
    """
    if end is None:
        start, end = 0, start
    first, last, by = (_number("arange", v) for v in (start, end, step))
    whole = all(isinstance(v, (int, Dim)) for v in (first, last, by))
    kind = _dtype(dtype, int64 if whole else get_default_dtype())
    if kind is int64 and not whole:  # other integers only truncate the numbers themselves, as in PyTorch
        first, last, by, whole = int(first), int(last), int(by), True
    if by == 0:
        raise ArgumentError(f"arange: the step must not be 0, got {step} for {kind.name}")
    length = _arange_length(first, last, by, whole)
    if not kind.is_floating_point and not whole:
        first, by, whole = int(first), int(by), True
    if first == 0 and by == 1:
        return iota(length, kind) if kind is not bool_ else cast(iota(length), kind)
    exact = int64 if whole else float64  # computed exactly, rounded once
    steps = MUL(iota(length, exact), constant(by, exact))
    return cast(ADD(steps, constant(first, exact)), kind)


def _arange_length(first: Any, last: Any, step: Any, whole: bool) -> Size:
    if isinstance(first, Dim) or isinstance(last, Dim):
        if not whole:
            raise ArgumentError(f"arange: {first} to {last} by {step}: a size that is not known yet needs integers")
        length: Size = (last - first + step - (1 if step > 0 else -1)) // step
        return length
    if not (math.isfinite(first) and math.isfinite(last)) or math.isnan(step):
        raise ArgumentError(f"arange: {first} to {last} by {step} is not a finite range")
    if (last - first) * step < 0:
        raise ArgumentError(f"arange: a step of {step} does not lead from {first} to {last}")
    return -int((first - last) // step) if whole else math.ceil((last - first) / step)


def _steps(op: str, steps: Any) -> int:
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise ArgumentTypeError(f"{op}: steps must be an int, got {steps!r}")
    if steps < 0:
        raise ArgumentError(f"{op}: the number of steps must not be negative, got {steps}")
    return int(steps)


def _border(op: str, value: Any, whole: bool) -> Node:
    """A border of linspace as a float64 node without dimensions; it may be a tensor."""
    if isinstance(value, Node):
        if value.size != 1:
            raise ArgumentError(f"{op}: start and end must be single numbers, got a tensor of shape {value.shape}")
        scalar = reshape_to(value, ())
        return cast(cast(scalar, int64) if whole else scalar, float64)
    number = _number(op, value)
    return constant(float(int(number) if whole else number), float64)


@public(method=False)
def linspace(start: Any, end: Any, steps: Any, *, dtype: Any = None) -> Node:
    """That many numbers evenly spaced from start to end, both included.

    Computed in float64, from whichever end is nearer, so that both ends are exact. For an integer dtype the
    ends are truncated first, and the results last, as in PyTorch.

    >>> linspace(0, 1, 5).shape
    (5,)
    """
    kind, count = _dtype(dtype), _steps("linspace", steps)
    return cast(_evenly("linspace", start, end, count, not kind.is_floating_point), kind)


def _evenly(op: str, start: Any, end: Any, count: int, whole: bool) -> Node:
    first, last = _border(op, start, whole), _border(op, end, whole)
    at = iota(count, float64)
    by = DIV(SUB(last, first), constant(float(max(count - 1, 1)), float64))
    left = constant(float(count - 1), float64)
    from_end = SUB(last, MUL(SUB(left, at), by))
    return WHERE(LT(at, constant(count / 2, float64)), ADD(first, MUL(at, by)), from_end)


@public(method=False)
def logspace(start: Any, end: Any, steps: Any, base: float = 10.0, *, dtype: Any = None) -> Node:
    """That many powers of a base, their exponents evenly spaced from start to end.

    >>> logspace(0, 2, 3).shape
    (3,)
    """
    kind, count = _dtype(dtype), _steps("logspace", steps)
    if isinstance(start, Node) or isinstance(end, Node):
        exponent = _evenly("logspace", start, end, count, not kind.is_floating_point)
        return cast(POW(constant(float(base), float64), exponent), kind)
    first, last = float(_number("logspace", start)), float(_number("logspace", end))
    if not kind.is_floating_point:
        first, last = math.trunc(first), math.trunc(last)
    exponents = np.linspace(first, last, count)
    with np.errstate(all="ignore"):
        return constant(np.power(float(base), exponents), kind)


@public(method=False)
def eye(n: Size, m: Size | None = None, *, dtype: Any = None) -> Node:
    """The identity matrix, or a matrix of another width with ones on its main diagonal.

    >>> eye(2, 3).shape
    (2, 3)
    """
    rows, columns = as_shape("eye", (n, n if m is None else m))
    on_diagonal = EQ(reshape_to(iota(rows), (rows, 1)), reshape_to(iota(columns), (1, columns)))
    return cast(on_diagonal, _dtype(dtype))
