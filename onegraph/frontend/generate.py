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
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Device, Tensor, tensor_from_array, wrap
from onegraph.frontend.views import make_view
from onegraph.ir.dtype import category, from_numpy, promote, scalar_dtype
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
            if value._requires_grad:
                self.requires_grad = True
            if mode.trace is not None:
                mode.trace.seen(value)
            return value._node if value._view is None else value.node
        kind = type(value)
        if kind is list or kind is tuple:
            for v in value:
                if isinstance(v, (Tensor, list, tuple, np.ndarray)):
                    return kind([self.one(v) for v in value])
            return value
        if kind is np.ndarray:
            return tensor_from_array(value, from_numpy(value.dtype))._node
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
    for name in _IGNORED:
        if name not in parameters:
            kwargs.pop(name, None)
    if "device" in kwargs and "device" not in parameters:
        device = kwargs.pop("device")
        if device is not None:
            Device(device)
    return kwargs


def make_function(entry: Public) -> Callable[..., Any]:
    """The function on tensors for a function on nodes."""
    function, may_lift = entry.function, entry.lift
    signature = inspect.signature(function)
    parameters = frozenset(signature.parameters)

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
            kwargs = {k: unwrap.one(v) for k, v in kwargs.items()}
        if may_lift and len(nodes) == 2 and mode.trace is None:
            a, b = nodes
            if type(b) in (float, int) and type(a) is Node:
                nodes[1] = lift(b, a)
            elif type(a) in (float, int) and type(b) is Node:
                nodes[0] = lift(a, b)
        result = function(*nodes, **kwargs)
        tensors = wrap(result, unwrap.requires_grad) if type(result) is Node else wrap_result(result, unwrap.requires_grad)
        if requires_grad:
            tensors.requires_grad_(True)
        return tensors if out is None else _write_out(out, tensors)

    functools.update_wrapper(call, function)
    call.__name__ = call.__qualname__ = entry.names[0].rpartition(".")[2]
    return with_views(call, function) if entry.view else call


def _write_out(out: Any, tensors: Any) -> Any:
    if isinstance(out, (tuple, list)):
        for o, t in zip(out, tensors, strict=True):
            o._assign(t.node)
    else:
        if out.shape != tensors.shape:
            raise ArgumentError(f"out= has shape {tuple(out.shape)}, the result {tuple(tensors.shape)}")
        out._assign(tensors.node)
    return out


def with_views(call: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the results of a movement follow their first argument, as PyTorch's views do."""

    @functools.wraps(call)
    def viewing(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        base = args[0] if args else kwargs.get("input")
        if not isinstance(base, Tensor):
            return result
        arguments = args[1:]
        keywords = _translate(dict(kwargs), frozenset(kwargs))
        if isinstance(result, Tensor):
            make_view(base, result, lambda node: function(node, *arguments, **keywords))
        elif isinstance(result, (tuple, list)):
            for i, part in enumerate(result):
                if isinstance(part, Tensor):
                    make_view(base, part, lambda node, i=i: function(node, *arguments, **keywords)[i])
        return result

    return viewing


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
    target._assign(node)
    if result._requires_grad and not target._requires_grad:
        target._requires_grad = True
    return target


def install(namespaces: dict[str, dict[str, Any]]) -> None:
    """Fill the namespaces ("" is the top level) and give Tensor its methods."""
    for entry in PUBLIC:
        call = make_function(entry)
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

