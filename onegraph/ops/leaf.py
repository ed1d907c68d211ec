"""Leaves: constants, counting, and sizes that are known only when the graph runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, bfloat16, float32_to_bfloat16, float64, from_numpy, int64
from onegraph.ir.node import Attributes, Literal, Node, Shape
from onegraph.ops.record import Array, Kind, Op, Sample, register


def compute_type(dtype: DType) -> np.dtype[Any]:
    """The NumPy type in which the reference computes values of a dtype."""
    return np.dtype(np.float32) if dtype is bfloat16 else dtype.numpy


def _constant_rule(*, value: Literal) -> tuple[Shape, DType]:
    return value.array.shape, value.dtype


def _constant_reference(*, value: Literal) -> Array:
    if value.dtype is bfloat16:
        return (value.array.astype(np.uint32) << 16).view(np.float32)
    return value.array


CONSTANT: Op = register(
    Op(
        name="constant",
        kind=Kind.LEAF,
        doc="A value that is part of the graph.",
        rule=_constant_rule,
        reference=_constant_reference,
        gradient=None,
        samples=lambda: [
            Sample(value=Literal(np.array(0.5, np.float32), from_numpy(np.dtype(np.float32)))),
            Sample(value=Literal(np.arange(6).reshape(2, 3), int64)),
        ],
    )
)


def _iota_rule(*, length: Size, dtype: DType) -> tuple[Shape, DType]:
    if not isinstance(length, Dim) and length < 0:
        raise ShapeError(f"iota: length {length} is negative")
    return (length,), dtype


IOTA: Op = register(
    Op(
        name="iota",
        kind=Kind.LEAF,
        doc="The numbers 0, 1, 2, ... up to a length.",
        rule=_iota_rule,
        reference=lambda *, length, dtype: np.arange(length).astype(compute_type(dtype)),
        gradient=None,
        samples=lambda: [Sample(length=n, dtype=d) for n in (0, 1, 5) for d in (int64, float64, bfloat16)],
    )
)


def _dimension_rule(*, size: Size, dtype: DType) -> tuple[Shape, DType]:
    return (), dtype


def _dimension_reference(*, size: Size, dtype: DType) -> Array:
    return np.array(int(size)).astype(compute_type(dtype))


DIMENSION: Op = register(
    Op(
        name="dimension",
        kind=Kind.LEAF,
        doc="A size of a shape as a number, for sizes that are known only when the graph runs.",
        rule=_dimension_rule,
        reference=_dimension_reference,
        gradient=None,
        samples=lambda: [Sample(size=3, dtype=d) for d in (int64, float64)],
    )
)

_scalars: dict[tuple[DType, float, float], Node] = {}


def constant(value: Any, dtype: DType) -> Node:
    """A constant node of a dtype from a Python scalar or an array; scalars are shared.

    >>> constant(0.5, float64)
    <constant f64[]>
    """
    if isinstance(value, Dim):
        return DIMENSION(size=value, dtype=dtype)
    if type(value) in (int, float, bool):
        if dtype.kind in ("int", "uint") and isinstance(value, float) and not math.isfinite(value):
            raise ArgumentError(f"{value} is not a {dtype.name}")
        key = (dtype, value, math.copysign(1.0, value) if abs(value) < 1e300 else 0.0)
        node = _scalars.get(key)
        if node is None:
            node = _scalar(value, dtype)
            if value == value and len(_scalars) < 10_000:
                _scalars[key] = node
        return node
    array = np.asarray(value)
    if array.dtype == object or array.dtype.kind in "USVMm":
        raise ArgumentTypeError(f"expected numbers, got {type(value).__name__} {value!r:.60}")
    if dtype is bfloat16:
        array = float32_to_bfloat16(array.astype(np.float32))
    return CONSTANT(value=Literal(array.astype(dtype.numpy), dtype))


def _scalar(value: float, dtype: DType) -> Node:
    with np.errstate(all="ignore"):
        if dtype is bfloat16:
            array = float32_to_bfloat16(np.array(value, np.float32))
        elif dtype.kind in ("int", "uint"):
            array = np.array(_wrap(int(value), dtype.bits)).astype(dtype.numpy)
        else:
            array = np.array(value).astype(dtype.numpy)
    return Node("constant", (), Attributes(value=Literal(array, dtype)), (), dtype)


def _wrap(value: int, bits: int) -> int:
    """An integer modulo 2**bits, as a signed 64-bit number."""
    value &= (1 << bits) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def iota(length: Size, dtype: DType = int64) -> Node:
    """0, 1, ..., length - 1 along one dimension."""
    return IOTA(length=length, dtype=dtype)


def is_scalar_constant(node: Node) -> bool:
    """Whether a node is a constant without dimensions."""
    return node.op == "constant" and node.shape == ()


def scalar_value(node: Node) -> Any:
    """The Python value of a scalar constant."""
    literal: Literal = node.attributes["value"]
    return _constant_reference(value=literal).item()
