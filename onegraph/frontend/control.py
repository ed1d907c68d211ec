"""`cond`, `while_loop` and `scan` on tensors: control flow that becomes part of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import TraceError
from onegraph.frontend.state import mode, tracing
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import DType, int64
from onegraph.ir.node import EMPTY, Node
from onegraph.ops import control_functions


class Body:
    """What happens while a branch or a loop body is recorded; stands in for the trace of a traced function."""

    def __init__(self) -> None:
        self.outer = mode.trace
        self.number_of_trace: int | None = None if self.outer is None else self.outer.number_of_trace
        self.gradients: dict[int, Any] = {}
        self.requires_grad = False

    def seen(self, tensor: Tensor) -> None:
        """Note a tensor that an operation reads."""
        if tensor._requires_grad:
            self.requires_grad = True
        if self.outer is not None:
            self.outer.seen(tensor)

    def is_own(self, tensor: Tensor) -> bool:
        """Whether a tensor was made inside the body."""
        return tensor._made_in == self.number_of_trace

    def data_set(self, tensor: Tensor, value: Tensor) -> None:
        """Note `tensor.data = value`."""
        self.seen(tensor)
        self.seen(value)
        self.written(tensor)

    def run_lazily(self, reason: str) -> None:
        """Refuse what a graph cannot do."""
        raise TraceError(f"a branch or a loop body cannot do this: {reason}")

    def made(self, tensor: Tensor) -> None:
        """Note a tensor that is made from data."""
        tensor._made_in = self.number_of_trace
        if self.outer is not None:
            self.outer.made(tensor)

    def looked(self, tensor: Tensor) -> None:
        """Note that a value is looked at."""
        if self.outer is not None:
            self.outer.looked(tensor)

    def written(self, tensor: Tensor) -> None:
        """Refuse writing to tensors from outside: the body would leave a value that exists only inside."""
        before = tensor._node
        if type(before.value) is Buffer or before.op == "input":
            raise TraceError(
                "a branch or a loop body writes to a tensor from outside",
                hint="return the new value from the function instead",
            )

    def called(self, module: Any) -> None:
        """Note a module that is called."""
        if self.outer is not None:
            self.outer.called(module)

    def gradient_written(self, tensor: Tensor) -> NoReturn:
        """Refuse backward inside a body."""
        raise TraceError("backward() was called inside a branch or a loop body", hint="use og.autograd.grad there")

    def gradient_read(self, tensor: Tensor) -> None:
        """Note that a tensor's `.grad` is read."""
        if self.outer is not None:
            self.outer.gradient_read(tensor)

    def random_stream(self, generator: Any) -> tuple[Node, int]:
        """A key for random numbers drawn in the body (the same at every step of a loop)."""
        if self.outer is not None:
            return self.outer.random_stream(generator)
        key = Buffer(np.array(generator.advance(1), np.int64), int64)
        return Node("input", (), EMPTY, (2,), int64, None, key), 0

    def number(self, read: Callable[[], float], dtype: DType) -> Node:
        """A number that is read anew at each call."""
        return (
            self.outer.number(read, dtype)
            if self.outer is not None
            else Node("input", (), EMPTY, (), dtype, None, read())
        )


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Nested tuples, lists and dicts with every leaf changed."""
    if isinstance(value, dict):
        return {k: _map(v, change) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_map(v, change) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return change(value)


def _on_nodes(function: Callable[..., Any], body: Body) -> Callable[..., Any]:
    """The user's function on tensors as a function on nodes."""

    def recorded(*nodes: Any) -> Any:
        def result(value: Any) -> Any:
            if isinstance(value, Tensor):
                body.seen(value)
                return value.node
            return value

        with tracing(body):
            tensors = _map(nodes, lambda n: wrap(n, body.requires_grad) if isinstance(n, Node) else n)
            return _map(function(*tensors), result)

    return recorded


def _unwrap(value: Any, body: Body) -> Any:
    def one(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):
            leaf = Tensor(leaf, dtype=leaf.dtype)
        if isinstance(leaf, Tensor):
            body.seen(leaf)
            return leaf.node
        return leaf

    return _map(value, one)


def _wrap(value: Any, body: Body) -> Any:
    return _map(value, lambda leaf: wrap(leaf, body.requires_grad) if isinstance(leaf, Node) else leaf)


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()) -> Any:
    """What one of two functions gives, chosen when the graph runs; only that one is computed.

    Args:
        pred: a bool tensor of one element, or a Python bool.
        true_fn, false_fn: functions of the operands that give tensors (or nested structures of them) of equal
            shapes and dtypes.
        operands: a tuple of tensors. Tensors of the surroundings may be used as well.

    >>> import onegraph as og
    >>> x = og.tensor(-3.0)
    >>> og.cond(x > 0, lambda x: x * 2, lambda x: -x, (x,))
    tensor(3.)
    """
    body = Body()
    nodes = _unwrap(tuple(operands), body)
    condition = _unwrap(pred, body)
    return _wrap(control_functions.cond(condition, _on_nodes(true_fn, body), _on_nodes(false_fn, body), *nodes), body)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeat `body_fn` while `cond_fn` holds, inside the graph.

    Args:
        cond_fn: from the carried values to one bool.
        body_fn: from the carried values to their next values, of the same shapes and dtypes.
        carried_inputs: a tuple of tensors to start with.
        maximum_iterations: stop after so many; with it the loop can be differentiated.

    >>> import onegraph as og
    >>> og.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (og.tensor(0), og.tensor(1.0)))
    (tensor(3), tensor(8.))
    """
    body = Body()
    carry = _unwrap(tuple(carried_inputs), body)

    def step(*values: Any) -> Any:
        result = _on_nodes(body_fn, body)(*values)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    return _wrap(control_functions.while_loop(_on_nodes(cond_fn, body), step, carry, maximum_iterations), body)


def scan(
    combine_fn: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False
) -> Any:
    """Carry a value through a sequence: `carry, y = combine_fn(carry, x)` for each x along the first dimension.

    Args:
        combine_fn: from (carry, x) to (next carry, output).
        init: the carry to start with: a tensor or a nested structure of tensors.
        xs: tensors whose first dimension is the sequence, or None with `length`.
        reverse: go from the last to the first.

    Returns:
        The last carry, and the outputs stacked along a new first dimension.

    >>> import onegraph as og
    >>> og.scan(lambda total, x: (total + x, total * x), og.tensor(0.0), og.tensor([1.0, 2.0, 3.0]))
    (tensor(6.), tensor([0., 2., 9.]))
    """
    body = Body()
    carry, rows = _unwrap(init, body), _unwrap(xs, body)
    return _wrap(control_functions.scan(_on_nodes(combine_fn, body), carry, rows, length, reverse), body)
