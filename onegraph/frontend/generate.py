"""Functions and methods on tensors, generated from the table of public functions on nodes.

A generated function unwraps tensors to nodes, calls the node function, and wraps what it gives. The result requires
gradients when an argument does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError
from onegraph.frontend.autocast import cast_arguments, policy_of
from onegraph.frontend.operands import with_tensors
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Device, Tensor, View, tensor_of_copy, wrap
from onegraph.frontend.types import strided
from onegraph.frontend.views import make_view
from onegraph.ir.dtype import DType, category, from_numpy, promote, scalar_dtype
from onegraph.ir.node import EMPTY, Node
from onegraph.ops.public import PUBLIC, Public

_IGNORED = ("layout", "pin_memory", "memory_format", "non_blocking")


class _Unwrapper:
    """Arguments on their way from tensors to nodes; remembers whether any tensor required gradients."""

    __slots__ = ("requires_grad",)

    def __init__(self) -> None:
        self.requires_grad = False

    def one(self, value: Any) -> Any:
        """A node for a tensor, deep inside lists, tuples and dicts too; other values as they are."""
        if isinstance(value, Tensor):
            if mode.trace is not None:
                mode.trace.seen(value)
            node = value._node if value._view is None else value.node
            if value._requires_grad:
                self.requires_grad = True
            return node
        kind = type(value)
        if kind is list or kind is tuple:
            for v in value:
                if isinstance(v, (Tensor, list, tuple, np.ndarray)):
                    return kind([self.one(v) for v in value])
            return value
        if kind is np.ndarray:
            return tensor_of_copy(value, from_numpy(value.dtype))._node
        return value


def wrap_result(result: Any, requires_grad: bool) -> Any:
    """Tensors for the nodes in a result."""
    if type(result) is Node:
        return wrap(result, requires_grad)
    if isinstance(result, tuple):
        items = [wrap_result(r, requires_grad) for r in result]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    if isinstance(result, list):
        return [wrap_result(r, requires_grad) for r in result]
    return result


def lift(value: float, other: Node) -> Node:
    """A Python number as an argument of the plan, with the dtype that it takes on beside another operand."""
    dtype = other.dtype
    kind = scalar_dtype(value)
    if category(kind) > category(dtype):
        dtype = promote(dtype, kind)
    return Node("input", (), EMPTY, (), dtype, None, value)


def _translate(kwargs: dict[str, Any], parameters: frozenset[str]) -> dict[str, Any]:
    """NumPy's spellings to PyTorch's, and arguments that mean nothing here taken out."""
    for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim"), ("x", "input")):
        if theirs in kwargs and theirs not in parameters and ours in parameters:
            kwargs[ours] = kwargs.pop(theirs)
    layout = kwargs.get("layout")
    if layout is not None and layout is not strided and "layout" not in parameters:
        raise ArgumentError(f"layout={layout}: only strided tensors are made here", hint="leave layout out")
    for name in _IGNORED:
        if name not in parameters:
            kwargs.pop(name, None)
    if "device" in kwargs and "device" not in parameters:
        device = kwargs.pop("device")
        if device is not None:
            Device(device)
    return kwargs


_PLAIN = frozenset({int, float, bool, str, type(None), DType})
_NUMBERS = frozenset({int, float})


def make_function(entry: Public) -> Callable[..., Any]:
    """The function on tensors for a function on nodes."""
    function, may_lift, views = entry.function, entry.lift, entry.view
    policy = policy_of(entry.names)
    general = _make_general(entry)

    def call(*args: Any, **kwargs: Any) -> Any:
        # The usual case, plain tensors and numbers, in a few steps; everything else takes the general way.
        if kwargs or mode.trace is not None:
            return general(*args, **kwargs)
        nodes: list[Any] = []
        requires_grad = False
        for a in args:
            if type(a) in _PLAIN:
                nodes.append(a)
            elif isinstance(a, Tensor):
                nodes.append(a._node if a._view is None else a.node)
                if a._requires_grad:  # known once the node is: a view follows its base
                    requires_grad = True
            else:
                return general(*args)
        if policy is not None and mode.autocast is not None:
            nodes, _ = cast_arguments(policy, nodes, {})
        if may_lift and len(nodes) == 2:
            _lift_numbers(nodes)
        result = function(*nodes)
        if type(result) is not Node:
            tensors = wrap_result(result, requires_grad)
            return follow(args[0], nodes[1:], {}, tensors, function) if views else tensors
        tensor = wrap(result, requires_grad)
        if views and isinstance(args[0], Tensor):
            rest = nodes[1:]
            tensor._view = View(args[0], lambda node: function(node, *rest))
        return tensor

    functools.update_wrapper(call, function)
    call.__name__ = call.__qualname__ = entry.names[0].rpartition(".")[2]
    return call


def _make_general(entry: Public) -> Callable[..., Any]:
    """The function on tensors, for any arguments."""
    function, policy = entry.function, policy_of(entry.names)
    parameters = _parameters(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        unwrap = _Unwrapper()
        nodes = [unwrap.one(a) for a in args]
        out = None
        requires_grad = False
        if kwargs:
            kwargs = _translate(dict(kwargs), parameters)
            if "out" not in parameters:
                out = kwargs.pop("out", None)
            if "requires_grad" not in parameters:
                requires_grad = kwargs.pop("requires_grad", False)
        keywords = {k: unwrap.one(v) for k, v in kwargs.items()}
        if policy is not None and mode.autocast is not None:
            nodes, keywords = cast_arguments(policy, nodes, keywords)
        if entry.lift and len(nodes) == 2 and mode.trace is None:
            _lift_numbers(nodes)
        tensors = wrap_result(function(*nodes, **keywords), unwrap.requires_grad)
        if entry.view:
            tensors = follow(args[0] if args else kwargs.get("input"), nodes[1:], keywords, tensors, function)
        if requires_grad:
            tensors.requires_grad_(True)
        return tensors if out is None else _write_out(out, tensors)

    return call


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    """The names of a function's parameters; from its code, which is much quicker than its signature."""
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return frozenset(inspect.signature(function).parameters)
    several = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + several])


def _lift_numbers(nodes: list[Any]) -> None:
    a, b = nodes
    if type(b) in _NUMBERS and type(a) is Node:
        nodes[1] = lift(b, a)
    elif type(a) in _NUMBERS and type(b) is Node:
        nodes[0] = lift(a, b)


def follow(base: Any, rest: Any, keywords: dict[str, Any], result: Any, function: Callable[..., Any]) -> Any:
    """Let the results of a movement follow their first argument, as PyTorch's views do.

    Args:
        base: the first argument.
        rest, keywords: the others, with nodes in place of tensors.
        result: the tensors that it gave.
        function: the movement, on nodes.
    """
    if not isinstance(base, Tensor):
        return result
    keywords = {k: v for k, v in keywords.items() if k != "input"}
    if isinstance(result, Tensor):
        return make_view(base, result, lambda node: function(node, *rest, **keywords))
    for i, part in enumerate(result):
        if isinstance(part, Tensor):
            make_view(base, part, functools.partial(_part, function, i, rest, keywords))
    return result


def _write_out(out: Any, tensors: Any) -> Any:
    if isinstance(out, (tuple, list)):
        for o, t in zip(out, tensors, strict=True):
            _check_out(o, t)
            o._assign(t.node)
    else:
        _check_out(out, tensors)
        if out.shape != tensors.shape:
            raise ArgumentError(f"out= has shape {tuple(out.shape)}, the result {tuple(tensors.shape)}")
        out._assign(tensors.node)
    return out


def _check_out(out: Tensor, result: Tensor) -> None:
    if out.dtype is not result.dtype and category(result.dtype) > category(out.dtype):
        raise DTypeError(f"out= is {out.dtype.name}, the result {result.dtype.name}, which does not fit into it")


def _part(function: Callable[..., Any], i: int, rest: Any, keywords: dict[str, Any], node: Node) -> Node:
    found: Node = function(node, *rest, **keywords)[i]
    return found


def make_inplace(call: Callable[..., Any], name: str) -> Callable[..., Tensor]:
    """The method that writes its result into its tensor."""

    def inplace(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return assign(self, call(self, *args, **kwargs))

    inplace.__name__ = inplace.__qualname__ = name
    inplace.__doc__ = f"As `{name[:-1]}`, written into this tensor."
    return inplace


def assign(target: Tensor, result: Tensor) -> Tensor:
    """Write a result into a tensor, gradients included."""
    node = result._node
    if node.dtype is not target.dtype and category(node.dtype) > category(target.dtype):
        raise DTypeError(f"in-place: a {node.dtype.name} result cannot be written into a {target.dtype.name} tensor")
    target._assign(node, result._requires_grad)
    return target


def install(namespaces: dict[str, dict[str, Any]]) -> None:
    """Fill the namespaces ("" is the top level) and give Tensor its methods."""
    for entry in PUBLIC:
        call = with_tensors(entry.names[0], make_function(entry))
        for name in entry.names:
            if entry.namespace != "tensor":
                namespaces.setdefault(entry.namespace, {})[name] = call
            if entry.method and not hasattr(Tensor, name):
                setattr(Tensor, name, call)
            if entry.inplace:
                inplace = make_inplace(call, f"{name}_")
                if not hasattr(Tensor, f"{name}_"):
                    setattr(Tensor, f"{name}_", inplace)
                if entry.namespace:
                    namespaces.setdefault(entry.namespace, {})[f"{name}_"] = inplace
