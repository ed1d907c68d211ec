"""Python's operators on tensors, and indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.autocast import cast_arguments, policy_of
from onegraph.frontend.dynamic import look, mask_places
from onegraph.frontend.generate import assign, lift
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor, View, tensor_of_copy, wrap
from onegraph.frontend.views import make_view
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bool_, from_numpy
from onegraph.ir.node import Node
from onegraph.ops import binary, contraction, elementwise, subscript


def _operand(value: Any, beside: Node) -> Any:
    """A node (or a number, when tracing) for the other operand; None where it is no operand at all."""
    kind = type(value)
    if kind is float or kind is int:
        return lift(value, beside) if mode.trace is None else value
    if isinstance(value, Tensor):
        if mode.trace is not None:
            mode.trace.seen(value)
        return value._node if value._view is None else value.node
    if kind is bool or kind is Dim or isinstance(value, np.generic):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentTypeError("tensors know no masked elements", hint="use array.filled(value), or where(mask, x, y)")
    if isinstance(value, np.ndarray):
        return tensor_of_copy(np.asarray(value), from_numpy(value.dtype))._node
    return None


def _binary(function: Any, reflected: bool = False, lifts: bool = True) -> Any:
    def operator(self: Tensor, other: Any) -> Any:
        if mode.trace is not None:
            mode.trace.seen(self)
        a = self._node if self._view is None else self.node
        b = _operand(other, a) if lifts or type(other) not in (int, float) else other
        if b is None:
            return NotImplemented
        requires_grad = self._requires_grad or (isinstance(other, Tensor) and other._requires_grad)
        return wrap(function(b, a) if reflected else function(a, b), requires_grad)

    return operator


def _inplace(operator: Any) -> Any:
    def inplace(self: Tensor, other: Any) -> Tensor:
        result = operator(self, other)
        if result is NotImplemented:
            raise ArgumentTypeError(f"expected a tensor or a number, got {type(other).__name__}")
        return assign(self, result)

    return inplace


def _unary(function: Any) -> Any:
    def operator(self: Tensor) -> Tensor:
        if mode.trace is not None:
            mode.trace.seen(self)
        return wrap(function(self.node), self._requires_grad)

    return operator


def _matmul(self: Tensor, other: Any) -> Any:
    return _matmul_plain(self, other) if isinstance(other, (Tensor, np.ndarray)) else NotImplemented


def _product(a: Any, b: Any) -> Node:
    policy = policy_of(("matmul",)) if mode.autocast is not None else None
    if policy is not None:
        (a, b), _ = cast_arguments(policy, [a, b], {})
    return contraction.matmul(a, b)


_matmul_plain = _binary(_product)


def _equals(self: Tensor, other: Any) -> Any:
    result = _eq(self, other)
    return False if result is NotImplemented else result


def _differs(self: Tensor, other: Any) -> Any:
    result = _ne(self, other)
    return True if result is NotImplemented else result


_eq, _ne = _binary(binary.eq), _binary(binary.ne)

_ARITHMETIC = {
    "add": binary.add,
    "sub": binary.sub,
    "mul": binary.mul,
    "truediv": binary.div,
    "floordiv": binary.floor_divide,
    "mod": binary.remainder,
    "pow": binary.pow,
    "and": binary.bitwise_and,
    "or": binary.bitwise_or,
    "xor": binary.bitwise_xor,
    "lshift": binary.bitwise_left_shift,
    "rshift": binary.bitwise_right_shift,
}


def index_nodes(index: Any) -> Any:
    """An index with its tensors as nodes; boolean tensors are looked at, since their count decides the result's shape."""
    if isinstance(index, Tensor):
        if index.dtype is bool_:
            value = look("x[mask]", index.detach(), "use where(mask, x, other), which keeps the shape")
            return np.array(value) if index.ndim else bool(value)
        if mode.trace is not None:
            mode.trace.seen(index)
        return index.node
    if isinstance(index, tuple):
        return tuple([index_nodes(i) for i in index])
    if isinstance(index, list) and any(isinstance(i, Tensor) for i in index):
        return [i.item() if isinstance(i, Tensor) and i.ndim == 0 else index_nodes(i) for i in index]
    return index


def _is_basic(index: Any) -> bool:
    """Whether an index gives a view: ints, slices, None and Ellipsis only."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        i is None or i is Ellipsis or (isinstance(i, (int, np.integer, slice)) and not isinstance(i, bool))
        for i in items
    )


def _getitem(self: Tensor, index: Any) -> Tensor:
    if mode.trace is not None:
        mode.trace.seen(self)
    key = subscript.basic_key(index)
    if key is not None:
        result = wrap(subscript.basic_item(self.node, key, index), self._requires_grad)
        result._view = View(self, lambda node: subscript.basic_item(node, key, index))
        return result
    places = None
    if isinstance(index, Tensor) and index.dtype is bool_ and index.ndim > 0:
        places = mask_places(index, self.shape)  # inputs of the plan: another mask with as many places compiles nothing
    nodes = _slice_bounds(index_nodes(index)) if places is None else places
    result = wrap(subscript.get_item(self.node, nodes), self._requires_grad)
    if _is_basic(nodes):
        make_view(self, result, lambda node: subscript.get_item(node, nodes))
    return result


def _slice_bounds(index: Any) -> Any:
    """Slices whose bounds are tensors, with the bounds as ints."""
    if isinstance(index, tuple):
        return tuple([_slice_bounds(i) for i in index])
    if isinstance(index, slice) and any(isinstance(b, Tensor) for b in (index.start, index.stop, index.step)):
        return slice(*[int(b) if isinstance(b, Tensor) else b for b in (index.start, index.stop, index.step)])
    return index


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    if mode.trace is not None:
        mode.trace.seen(self)
    requires_grad = isinstance(value, Tensor) and value._requires_grad
    written = _operand(value, self.node)
    if written is None:
        written = Tensor(value, dtype=self.dtype)._node
    if isinstance(index, Tensor) and index.dtype is bool_ and index.ndim > 0 and not getattr(written, "shape", ()):
        nodes = index.node  # one value through a mask: the shape is static, so the mask need not be looked at
    else:
        nodes = _slice_bounds(index_nodes(index))
    self._assign(subscript.set_item(self.node, nodes, written), requires_grad)


def install() -> None:
    """Give Tensor its operators."""
    for name, function in _ARITHMETIC.items():
        forward = _binary(function, lifts=name not in ("pow", "lshift", "rshift"))
        setattr(Tensor, f"__{name}__", forward)
        setattr(Tensor, f"__r{name}__", _binary(function, reflected=True, lifts=name not in ("lshift", "rshift")))
        setattr(Tensor, f"__i{name}__", _inplace(forward))
    for name, function in (("lt", binary.lt), ("le", binary.le), ("gt", binary.gt), ("ge", binary.ge)):
        setattr(Tensor, f"__{name}__", _binary(function))
    methods = {
        "__eq__": _equals,
        "__ne__": _differs,
        "__matmul__": _matmul,
        "__rmatmul__": _binary(_product, reflected=True),
        "__neg__": _unary(elementwise.neg),
        "__pos__": _unary(lambda x: x),
        "__abs__": _unary(elementwise.abs),
        "__invert__": _unary(elementwise.bitwise_not),
        "__getitem__": _getitem,
        "__setitem__": _setitem,
    }
    for name, method in methods.items():
        setattr(Tensor, name, method)
    Tensor.__array_priority__ = 1000  # type: ignore[attr-defined]  # of several kinds of arrays, ours is the result's
