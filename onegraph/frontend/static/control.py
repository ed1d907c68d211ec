"""Control flow: cond, case, while_loop, scan, map_fn, foldl and foldr, as single nodes with graphs inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from onegraph.frontend.static.graph import Graph, get_default_graph
from onegraph.frontend.static.shape import ints_of
from onegraph.frontend.static.tensor import Inputs, Operation, Operators, as_operand, record
from onegraph.frontend.static.variable import Effect, Variable
from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.ir.traverse import substitute
from onegraph.ops import control_functions
from onegraph.ops.binary import ADD
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import concat, reshape_to
from onegraph.ops.shapes import show
from onegraph.ops.subscript import get_item
from onegraph.ops.tracing import flatten, unflatten


@contextmanager
def _tracing(graph: Graph, name: str, counter: Node | None = None) -> Iterator[list[Effect]]:
    """While a branch or body is traced: the effects that it makes, and the number of the step."""
    made: list[Effect] = []
    graph.made.append(made)
    if counter is not None:
        graph.counters.append(counter)
    try:
        with graph.name_scope(name):
            yield made
    finally:
        graph.made.remove(made)
        if counter is not None:
            graph.counters.remove(counter)


def _wrapped(structure: Any, graph: Graph) -> Any:
    """Tensors in place of the nodes that stand for arguments."""
    leaves, form = flatten(structure)
    return unflatten(form, iter([record(n, "Parameter", None, Inputs(graph)) for n in leaves]))


def _unwrapped(structure: Any, inputs: Inputs, keep_numbers: bool = False) -> Any:
    """Nodes in place of tensors, numbers and arrays."""
    leaves, form = flatten(structure)
    nodes = [inputs.node(x) for x in leaves]
    return unflatten(
        form, iter([n if keep_numbers and isinstance(n, (bool, int, float)) else as_operand(n) for n in nodes])
    )


def _refuse_writes(op: str, made: Sequence[Effect]) -> None:
    if made:
        raise UnsupportedError(
            f"{op}: the body writes the variable {made[0].variable.name!r}",
            hint="carry the value along as a loop variable and assign it after the loop",
        )


class _Branches:
    """The two branches of a cond while they are traced: what they give, and what they write."""

    def __init__(self, graph: Graph, inputs: Inputs) -> None:
        self.graph = graph
        self.inputs = inputs
        self.made: list[Effect] = []
        self.written: list[dict[Variable, Node]] = []
        self.values: list[list[Node]] = []

    def trace(self, branch: Callable[[], Any], scope: str) -> list[Any]:
        """A branch's results, and a list of the values it leaves in variables (filled when both are traced)."""
        with _tracing(self.graph, scope) as effects:
            result = branch()
        if isinstance(result, (list, tuple)) and len(result) == 1:
            (result,) = result
        if isinstance(result, Operation):
            self.inputs.effects |= result.effects
            result = None
        nodes = _unwrapped(result, self.inputs, keep_numbers=True)
        self.made += effects
        nodes, final = self._without_effects(nodes, effects)
        self.written.append(final)
        values: list[Node] = []
        self.values.append(values)
        if len(self.written) == 2:
            self._complete()
        return [constant(0, int64), nodes, values]

    def _without_effects(self, nodes: Any, effects: Sequence[Effect]) -> tuple[Any, dict[Variable, Node]]:
        """Results in which what stands for written values is replaced by these, and the last value of each variable."""
        new: dict[Node, Node] = {}
        final: dict[Variable, Node] = {}
        for effect in effects:
            operands = substitute(effect.operands, new) if new else effect.operands
            before = final.get(effect.variable, effect.variable.node) if effect.updates else None
            new[effect.after] = final[effect.variable] = effect.compute(before, *operands)
        leaves, form = flatten(nodes)
        changed = iter(substitute([n for n in leaves if isinstance(n, Node)], new) if new else leaves)
        if new:
            return unflatten(form, iter([next(changed) if isinstance(n, Node) else n for n in leaves])), final
        return nodes, final

    def _complete(self) -> None:
        """Both branches give a value to every variable that one of them writes."""
        self.variables = list(self.written[0] | self.written[1])
        for values, final in zip(self.values, self.written, strict=True):
            values.extend([final.get(v, v.node) for v in self.variables])

    def effects_before(self) -> frozenset[Effect]:
        """What must have happened before the cond runs."""
        effects = self.inputs.effects.union(*[e.before for e in self.made])
        return effects - frozenset(self.made)


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Any = None,
    fn2: Any = None,
) -> Any:
    """What one of two functions gives, chosen when the graph runs; the other is not run.

    Args:
        pred: a bool tensor without dimensions.
        true_fn, false_fn: functions without arguments that give the same structure of tensors. Variables that
            they assign are only written when the branch is taken. What was computed before the call is computed
            in any case.

    >>> import onegraph.static as tf
    >>> x = tf.placeholder(tf.float32, ())
    >>> y = tf.cond(x > 0, lambda: x * 2, lambda: -x)
    >>> with tf.Session() as sess:
    ...     sess.run(y, {x: -3})
    np.float32(3.0)
    """
    first = fn1 if true_fn is None else true_fn
    second = fn2 if false_fn is None else false_fn
    if not callable(first) or not callable(second):
        raise ArgumentTypeError("cond: needs two functions, true_fn and false_fn")
    if isinstance(pred, bool):
        return (first if pred else second)()
    graph = pred.graph if isinstance(pred, Operators) else get_default_graph()
    inputs = Inputs(graph)
    condition = as_operand(inputs.node(pred))
    branches = _Branches(graph, inputs)
    with graph.name_scope(name or "cond"):
        _, result, values = control_functions.cond(
            condition, lambda: branches.trace(first, "true"), lambda: branches.trace(second, "false")
        )
        inputs.effects = branches.effects_before()
        written = [
            v._write("Assign", None, lambda _, x: x, (n,), False, inputs)
            for v, n in zip(branches.variables, values, strict=True)
        ]
        for tensor in written:
            inputs.effects |= tensor.effects
        if result is None:
            return Operation(graph, graph.operation_name(None, "Merge"), "Merge", inputs.effects | graph.control)
        return record(result, "Merge", None, inputs)


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first true condition gives, that of `default` where none is.

    Args:
        pred_fn_pairs: pairs (condition, function), as a list or a dict.
        default: the last function where None.
    """
    pairs = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    if not pairs:
        raise ArgumentError("case: needs at least one pair of a condition and a function")
    otherwise = default
    if otherwise is None:
        otherwise = pairs.pop()[1]
    for condition, function in reversed(pairs):
        otherwise = _chained(condition, function, otherwise, name)
    return otherwise()


def _chained(condition: Any, function: Any, otherwise: Any, name: str) -> Callable[[], Any]:
    return lambda: cond(condition, function, otherwise, name=name)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: int | None = None,
    return_same_structure: bool = False,
) -> Any:
    """A function applied to its own results as long as a condition holds.

    Args:
        cond: from the loop variables to a bool tensor without dimensions.
        body: from the loop variables to the next ones, of the same shapes and dtypes.
        loop_vars: a list of tensors, or of nested structures of them.
        maximum_iterations: ends the loop in any case. Gradients through the loop need it.

    Returns:
        The last loop variables as a list; a single one as it is.

    >>> import onegraph.static as tf
    >>> i, total = tf.while_loop(lambda i, t: i < 5, lambda i, t: (i + 1, t + i), (0, 0))
    >>> with tf.Session() as sess:
    ...     sess.run(total)
    np.int32(10)
    """
    variables = tuple(loop_vars) if isinstance(loop_vars, (list, tuple)) else (loop_vars,)
    if not variables:
        raise ArgumentError("while_loop: needs at least one loop variable")
    inputs = Inputs()
    start = _unwrapped(variables, inputs)
    graph = inputs.graph = inputs.graph or get_default_graph()

    def goes_on(step: Node, *nodes: Any) -> Node:
        with _tracing(graph, "cond", step) as made:
            result = _unwrapped(cond(*_wrapped(nodes, graph)), inputs)
        _refuse_writes("while_loop", made)
        return result

    def next_step(step: Node, *nodes: Any) -> tuple[Any, ...]:
        with _tracing(graph, "body", step) as made:
            result = body(*_wrapped(nodes, graph))
        _refuse_writes("while_loop", made)
        if not isinstance(result, (list, tuple)) or (
            len(variables) == 1 and isinstance(variables[0], (list, tuple)) and len(result) != 1
        ):
            result = (result,)
        return (ADD(step, constant(1, int64)), *_unwrapped(tuple(result), inputs))

    with graph.name_scope(name or "while"):
        found = control_functions.while_loop(
            goes_on, next_step, (constant(0, int64), *start), _count(maximum_iterations)
        )
        tensors = list(record(tuple(found[1:]), "Exit", None, inputs))
    return tensors if len(tensors) > 1 or return_same_structure else tensors[0]


def _count(maximum: Any) -> int | None:
    if isinstance(maximum, Operators):
        return ints_of("while_loop", maximum.node)[0]  # type: ignore[attr-defined]
    return None if maximum is None else int(maximum)


def _rows(op: str, elems: Any, inputs: Inputs) -> Any:
    rows = _unwrapped(elems, inputs)
    for x in flatten(rows)[0]:
        if not x.shape:
            raise ArgumentError(f"{op}: elems must have a first dimension to go along, got shape {show(x.shape)}")
    return rows


def _along(
    op: str, name: str | None, elems: Any, carry: Any, step: Callable[[Any, Any], tuple[Any, Any]], reverse: bool
) -> Any:
    """Run a step over rows; the user's function sees tensors, and random numbers are others at each step."""
    inputs = Inputs()
    rows = _rows(op, elems, inputs)
    start = _unwrapped(carry, inputs)
    graph = inputs.graph = inputs.graph or get_default_graph()
    length = flatten(rows)[0][0].shape[0]

    def body(carried: Any, row: tuple[Node, Any]) -> tuple[Any, Any]:
        number, nodes = row
        with _tracing(graph, "body", number) as made:
            following, output = step(_wrapped(carried, graph), _wrapped(nodes, graph))
        _refuse_writes(op, made)
        return _unwrapped(following, inputs), _unwrapped(output, inputs)

    with graph.name_scope(name or op):
        last, stacked = control_functions.scan(body, start, (iota(length, int64), rows), reverse=reverse)
        return record([last, stacked], op, None, inputs)


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """A function applied to each row, the results stacked.

    Args:
        fn: from a row (or a structure of rows) to a tensor or a structure of tensors.
        elems: a tensor or a structure of tensors with one first dimension.
        dtype: accepted; the dtypes are those that `fn` gives.
    """
    return _along("map", name, elems, None, lambda _, row: (None, fn(row)), False)[1]


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """A function folded over rows, all its results stacked.

    Args:
        fn: (accumulated, row) -> next accumulated, of the same structure, shapes and dtypes.
        elems: a tensor or a structure of tensors with one first dimension.
        initializer: the first accumulated value; the first row where None.

    >>> import onegraph.static as tf
    >>> sums = tf.scan(lambda a, x: a + x, tf.constant([1.0, 2.0, 3.0]))
    >>> with tf.Session() as sess:
    ...     sess.run(sums)
    array([1., 3., 6.], dtype=float32)
    """
    first = None
    if initializer is None:
        first, elems = _first_row("scan", elems, reverse)
        initializer = first

    def step(carried: Any, row: Any) -> tuple[Any, Any]:
        following = fn(carried, row)
        return following, following

    found = _along("scan", name, elems, initializer, step, reverse)[1]
    return found if first is None else _joined(first, found, reverse)


def _first_row(op: str, elems: Any, reverse: bool) -> tuple[Any, Any]:
    inputs = Inputs()
    rows = _rows(op, elems, inputs)
    leaves, form = flatten(rows)
    first = [get_item(x, -1 if reverse else 0) for x in leaves]
    rest = [get_item(x, slice(None, -1) if reverse else slice(1, None)) for x in leaves]
    found = record([unflatten(form, iter(first)), unflatten(form, iter(rest))], f"{op}_rows", None, inputs)
    return found[0], found[1]


def _joined(first: Any, found: Any, reverse: bool) -> Any:
    """The first row in front of the results (behind them when going backward)."""
    inputs = Inputs()
    a, form = flatten(_unwrapped(first, inputs))
    b = flatten(_unwrapped(found, inputs))[0]
    pairs = [[reshape_to(x, (1, *x.shape)), y] for x, y in zip(a, b, strict=True)]
    joined = [concat(p[::-1] if reverse else p, 0) for p in pairs]
    return record(unflatten(form, iter(joined)), "scan", None, inputs)


def foldl(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None, **options: Any
) -> Any:
    """A function folded over rows from the first to the last; only the last result."""
    if initializer is None:
        initializer, elems = _first_row("foldl", elems, False)
    return _along("foldl", name, elems, initializer, lambda a, x: (fn(a, x), ()), False)[0]


def foldr(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None, **options: Any
) -> Any:
    """A function folded over rows from the last to the first; only the last result."""
    if initializer is None:
        initializer, elems = _first_row("foldr", elems, True)
    return _along("foldr", name, elems, initializer, lambda a, x: (fn(a, x), ()), True)[0]
