"""`cond`, `while_loop` and `scan` for Python functions on nodes; the ops are in `control.py`.

The functions are called once, to record what they do. They may read any node of their surroundings: in loops,
what does not depend on the loop is computed once, before it; in a branch, only what existed before the call
of
`cond` is computed whether the branch is taken or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ops.control import COND, ITEM, SCAN, WHILE, check_agree, check_condition, types_of
from onegraph.ops.promotion import as_node
from onegraph.ops.shapes import same_size, show
from onegraph.ops.tracing import (
    Captures,
    call_recorded,
    check_leaf,
    flatten,
    invariant,
    made_before,
    unflatten,
)


def _operands(op: str, structure: Any) -> tuple[list[Node], Any]:
    leaves, form = flatten(structure)
    return [as_node(check_leaf(op, x)) for x in leaves], form


def _parameters(nodes: Sequence[Node]) -> list[Node]:
    return [input_node(n.shape, n.dtype) for n in nodes]


def cond(pred: Any, then_function: Callable[..., Any], else_function: Callable[..., Any], *operands: Any) -> Any:
    """What one of two functions gives, chosen when the graph runs; the other is not run.

    Args:
        pred: a bool node of shape (); for a Python bool the function is just called.
        then_function, else_function: from the operands to nodes, or to nested tuples, lists or dicts of
            nodes;
            both must give the same structure, shapes and dtypes.
        operands: nodes, numbers, or nested structures of them.

    Raises:
        ShapeError, DTypeError: the results differ, or the condition is not one bool.

    >>> from onegraph.ops.evaluate import run_graph
    >>> from onegraph.ir.dtype import float32
    >>> from onegraph.ops.binary import gt, mul
    >>> from onegraph.ops.elementwise import neg
    >>> x = input_node((), float32)
    >>> y = cond(gt(x, 0), lambda x: mul(x, 2), neg, x)
    >>> run_graph(Graph([x], [y]), [np.array(-3, np.float32)])
    [array(3., dtype=float32)]
    """
    if isinstance(pred, (bool, np.bool_)):
        return (then_function if pred else else_function)(*operands)
    condition = as_node(check_leaf("cond", pred))
    check_condition("cond", types_of([condition]))
    given, form = _operands("cond", operands)
    parameters = _parameters(given)
    arguments = unflatten(form, iter(parameters))
    traced = [call_recorded(f, arguments) for f in (then_function, else_function)]
    (then, then_form), (otherwise, else_form) = (flatten(result) for result, _ in traced)
    if then_form != else_form or not then:
        raise ArgumentError(
            f"cond: the branches must give the same structure of results, "
            f"got {_outline(traced[0][0])} and {_outline(traced[1][0])}"
        )
    numbers = [(_as_other(a, b), _as_other(b, a)) for a, b in zip(then, otherwise, strict=True)]
    captures = Captures()
    closed = [
        captures.close([pair[i] for pair in numbers], parameters, made_before(made))
        for i, (_, made) in enumerate(traced)
    ]
    hint = "make them equal, e.g. with .to(dtype) or .expand(shape)"
    check_agree("cond", "results of then", types_of(closed[0]), "results of else", types_of(closed[1]), hint)
    then_graph, else_graph = (
        Graph([*parameters, *captures.inner], outputs, name)
        for outputs, name in zip(closed, ("then", "otherwise"), strict=True)
    )
    node = COND(condition, *given, *captures.outer, then=then_graph, otherwise=else_graph)
    return unflatten(then_form, iter([ITEM(node, index=i) for i in range(len(then))]))


def _as_other(value: Any, other: Any) -> Node:
    """A number takes the dtype of the node that the other branch gives."""
    return as_node(check_leaf("cond", value), other.dtype if isinstance(other, Node) else None)


def _outline(structure: Any) -> str:
    """Nested results with dtypes and shapes in place of nodes."""
    leaves, form = flatten(structure)
    shown = [f"{x.dtype.name} {show(x.shape)}" if isinstance(x, Node) else type(x).__name__ for x in leaves]
    return str(unflatten(form, iter(shown))).replace("'", "")


def while_loop(
    condition_function: Callable[..., Any],
    body_function: Callable[..., Any],
    carry: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """A function applied to its own results as long as a condition holds.

    Args:
        condition_function: from the carry to a bool node of shape ().
        body_function: from the carry to the next one, of the same structure, shapes and dtypes.
        carry: a node, or nested tuples, lists or dicts of nodes. A tuple or list is handed over as several
            arguments.
        maximum_iterations: the loop ends after that many, even if the condition holds. The gradient needs it:
            it
            is that of a scan over as many steps.

    Raises:
        ShapeError, DTypeError: the body changes a shape or dtype, or the condition is not one bool.
    """
    if maximum_iterations is not None and (isinstance(maximum_iterations, bool) or maximum_iterations < 0):
        raise ArgumentError(f"while_loop: maximum_iterations must be at least 0, got {maximum_iterations}")
    given, form = _operands("while_loop", carry)
    parameters = _parameters(given)
    structure = unflatten(form, iter(parameters))
    arguments = structure if isinstance(structure, (tuple, list)) else (structure,)
    goes_on = [as_node(check_leaf("while_loop", x)) for x in flatten(condition_function(*arguments))[0]]
    check_condition("while_loop", types_of(goes_on))
    results = _next_carry("while_loop", body_function(*arguments), given, form, carry)
    captures = Captures()
    closed = [captures.close(o, parameters, invariant(o, parameters)) for o in (goes_on, results)]
    condition, body = (
        Graph([*parameters, *captures.inner], outputs, name)
        for outputs, name in zip(closed, ("condition", "body"), strict=True)
    )
    node = WHILE(
        *given,
        *captures.outer,
        condition=condition,
        body=body,
        carried=len(given),
        maximum=None if maximum_iterations is None else int(maximum_iterations),
    )
    return unflatten(form, iter([ITEM(node, index=i) for i in range(len(given))]))


def _next_carry(op: str, result: Any, given: Sequence[Node], form: Any, carry: Any) -> list[Node]:
    """The leaves of the carry that a body gives, checked against those that it took."""
    leaves, result_form = flatten(result)
    if _plain(result_form) != _plain(form):
        raise ArgumentError(
            f"{op}: the body must give a carry of the structure that it takes: "
            f"takes {_outline(carry)}, gives {_outline(result)}"
        )
    nodes = [as_node(check_leaf(op, x), y.dtype) for x, y in zip(leaves, given, strict=True)]
    hint = "start with the shape and dtype that a step gives, or convert in the body"
    check_agree(op, "carry", types_of(given), "carry that the body gives", types_of(nodes), hint)
    return nodes


def _plain(form: Any) -> Any:
    """A structure in which lists and tuples are the same."""
    if form is None or form == "leaf":
        return form
    kind, names, parts = form
    return (kind is dict, names, tuple([_plain(part) for part in parts]))


def scan(
    function: Callable[..., Any],
    carry: Any,
    xs: Any = None,
    length: Size | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """A function applied to one row after the other, handing a carry along.

    Args:
        function: (carry, row) -> (next carry, output). Carry, rows and outputs are nodes or nested tuples,
            lists or
            dicts of nodes; None where there is none.
        carry: to start with; the function must keep its structure, shapes and dtypes.
        xs: nodes whose first dimension is scanned, or None.
        length: the number of steps, needed where `xs` is None.
        reverse: start with the last row; output i still belongs to row i.

    Returns:
        The last carry, and the outputs stacked along a new first dimension.

    Raises:
        ShapeError, DTypeError: the carry changes, or the first dimensions of `xs` differ.

    >>> from onegraph.ops.evaluate import run_graph
    >>> from onegraph.ops.binary import add
    >>> from onegraph.ops.leaf import iota
    >>> total, sums = scan(lambda c, x: (add(c, x), add(c, x)), 0, iota(4))
    >>> run_graph(Graph([], [total, sums]), [])
    [array(6), array([0, 1, 3, 6])]
    """
    given, carry_form = _operands("scan", carry)
    rows, rows_form = _operands("scan", xs)
    steps = _length(rows, length)
    parameters = _parameters(given)
    row_parameters = [input_node(x.shape[1:], x.dtype) for x in rows]
    result = function(unflatten(carry_form, iter(parameters)), unflatten(rows_form, iter(row_parameters)))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise ArgumentError(f"scan: the function must give a pair (next carry, output), got {_outline(result)}")
    carried = _next_carry("scan", result[0], given, carry_form, carry)
    stacked, stacked_form = _operands("scan", result[1])
    outputs, own = [*carried, *stacked], [*parameters, *row_parameters]
    captures = Captures()
    closed = captures.close(outputs, own, invariant(outputs, own))
    node = SCAN(
        *given,
        *rows,
        *captures.outer,
        body=Graph([*own, *captures.inner], closed, "body"),
        carried=len(given),
        scanned=len(rows),
        length=steps,
        reverse=bool(reverse),
    )
    items = iter([ITEM(node, index=i) for i in range(len(outputs))])
    return unflatten(carry_form, items), unflatten(stacked_form, items)


def _length(rows: Sequence[Node], length: Size | None) -> Size:
    """The number of steps, when all rows agree on it."""
    for x in rows:
        if not x.shape:
            raise ShapeError(f"scan: {x.dtype.name} () has no first dimension to scan")
        if length is None:
            length = x.shape[0]
        elif not same_size(length, x.shape[0]):
            shapes = ", ".join(show(r.shape) for r in rows)
            raise ShapeError(f"scan: {length} steps do not fit the first dimensions of {shapes}")
    if length is None:
        raise ArgumentError("scan: needs a length where there is nothing to scan", hint="pass length=...")
    return length
