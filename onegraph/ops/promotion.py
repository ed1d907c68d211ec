"""Bringing operands to one dtype, as PyTorch does: Python scalars are weak, tensors without dimensions nearly so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import ArgumentTypeError
from onegraph.ir.dtype import DType, as_dtype, category, from_numpy, get_default_dtype, result_type, scalar_dtype
from onegraph.ir.node import Node
from onegraph.ops.cast import cast
from onegraph.ops.leaf import constant

Operand: TypeAlias = Node | float | int | bool


def as_node(value: Any, dtype: DType | None = None) -> Node:
    """A node from a node, a Python scalar or an array."""
    if isinstance(value, Node):
        return value
    if isinstance(value, (bool, int, float)):
        return constant(value, dtype or scalar_dtype(value))
    if isinstance(value, (np.ndarray, np.generic, list, tuple)):
        array = np.asarray(value)
        if dtype is None:
            dtype = (
                get_default_dtype()
                if isinstance(value, (list, tuple)) and array.dtype == np.float64
                else from_numpy(array.dtype)
            )
        return constant(array, dtype)
    if hasattr(value, "unknowns"):  # a Dim
        return constant(value, dtype or scalar_dtype(1))
    raise ArgumentTypeError(f"expected a tensor or a number, got {type(value).__name__}: {value!r:.60}")


def common_dtype(*operands: Any) -> DType:
    """PyTorch's result type of nodes and Python scalars."""
    tensors = [(o.dtype, bool(o.shape)) for o in operands if isinstance(o, Node)]
    scalars = [o for o in operands if not isinstance(o, Node)]
    for o in scalars:
        if not isinstance(o, (bool, int, float, np.generic)):
            raise ArgumentTypeError(f"expected a tensor or a number, got {type(o).__name__}: {o!r:.60}")
    return result_type(tensors, [o.item() if isinstance(o, np.generic) else o for o in scalars])


def promote(*operands: Any) -> tuple[Node, ...]:
    """All operands as nodes of their common dtype."""
    operands = tuple(o if isinstance(o, (Node, bool, int, float)) else _plain(o) for o in operands)
    dtype = common_dtype(*operands)
    return tuple(cast(o, dtype) if isinstance(o, Node) else constant(o, dtype) for o in operands)


def promote_pair(a: Any, b: Any) -> tuple[Node, Node]:
    """Two operands as nodes of their common dtype; the usual cases take no detour."""
    if type(a) is Node:
        if type(b) is Node:
            if a.dtype is b.dtype:
                return a, b
        elif type(b) in (float, int) and (a.dtype.is_floating_point or (type(b) is int and a.dtype.kind != "bool")):
            return a, constant(b, a.dtype)
    return promote(a, b)  # type: ignore[return-value]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return as_node(value)


def to_float(x: Any) -> Node:
    """The operand, integers and bools cast to the default floating type."""
    node = as_node(x)
    return node if node.dtype.is_floating_point else cast(node, get_default_dtype())


def optional_cast(x: Node, dtype: Any, default: Callable[[DType], DType] = lambda d: d) -> Node:
    """The node cast to `dtype`, or to what `default` makes of its own dtype."""
    return cast(x, default(x.dtype) if dtype is None else as_dtype(dtype))


__all__ = ["Operand", "as_node", "category", "common_dtype", "optional_cast", "promote", "promote_pair", "to_float"]
