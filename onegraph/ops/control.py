"""Control flow inside graphs: `cond`, `while_loop` and `scan`, whose branches and bodies are graphs in
attributes.

Such a node has several results: its dtype is `bundle`, and `item` nodes pick one. The functions for users are
in
`control_functions.py`; the gradients here are again control flow, so they can be differentiated again.

Read next: `tracing.py` (functions to graphs), `control_functions.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from onegraph.errors import DTypeError, GradientError, GraphError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, bool_, float64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape, bundle, input_node
from onegraph.ir.traverse import topological
from onegraph.ops.binary import add, lt, mul
from onegraph.ops.elementwise import sin
from onegraph.ops.evaluate import Program, run_graph
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to
from onegraph.ops.record import Array, Kind, Op, Sample, differentiate, real, register
from onegraph.ops.reduction import sum_
from onegraph.ops.shapes import same_shape, same_size, show
from onegraph.ops.tracing import Captures, inline, invariant

Types: TypeAlias = Sequence[tuple[Shape, DType]]


def types_of(nodes: Sequence[Node]) -> Types:
    """Shapes and dtypes of nodes."""
    return [(n.shape, n.dtype) for n in nodes]


def describe(types: Types) -> str:
    """Types as a message shows them.

    >>> describe([((2, 3), float64), ((), bool_)])
    'float64 (2, 3), bool ()'
    """
    return ", ".join(f"{dtype.name} {show(shape)}" for shape, dtype in types) or "nothing"


def check_agree(op: str, first: str, a: Types, second: str, b: Types, hint: str) -> None:
    """A typed error that lists both, when the types differ in number, shape or dtype."""
    if len(a) == len(b) and all(x is y and same_shape(s, t) for (s, x), (t, y) in zip(a, b, strict=True)):
        return
    kind = DTypeError if [s for s, _ in a] == [s for s, _ in b] else ShapeError
    message = f"{op}: {first} and {second} must agree in number, shapes and dtypes:"
    raise kind(f"{message}\n  {first}: {describe(a)}\n  {second}: {describe(b)}", hint=hint)


def check_condition(op: str, types: Types) -> None:
    """A typed error unless there is one bool without dimensions."""
    if list(types) != [((), bool_)]:
        wrong_shape = [d for _, d in types] == [bool_]
        raise (ShapeError if wrong_shape else DTypeError)(
            f"{op}: the condition must be one bool of shape (), got {describe(types)}",
            hint="compare and reduce it, e.g. (x > 0).all()",
        )


_SAME = "a branch or body must take and give the same shapes and dtypes"


# ---------------------------------------------------------------------------------------------------- item


def results_of(node: Node) -> Types:
    """Shapes and dtypes of the results of a control-flow node."""
    if node.op == "cond":
        return types_of(node.attributes["then"].outputs)
    if node.op == "while":
        return types_of(node.attributes["body"].outputs)
    if node.op == "scan":
        body, carried, length = (node.attributes[name] for name in ("body", "carried", "length"))
        carries, stacked = types_of(body.outputs[:carried]), types_of(body.outputs[carried:])
        return [*carries, *[((length, *shape), dtype) for shape, dtype in (*stacked, *carries)]]
    raise GraphError(f"{node.op}: has one result, which needs no `item`")


def _item_rule(x: Node, *, index: int) -> tuple[Shape, DType]:
    results = results_of(x)
    if not 0 <= index < len(results):
        raise OutOfRangeError(f"item: {x.op} has {len(results)} results, there is no number {index}")
    return results[index]


ITEM = register(
    Op(
        name="item",
        kind=Kind.CONTROL,
        doc="One of the results of a control-flow op.",
        rule=_item_rule,
        reference=lambda results, *, index: results[index],
        gradient=None,  # autodiff gathers the gradients of items into the one rule of the node they belong to
        samples=lambda: [],  # its input is no array; the ops below test it
    )
)


def items_of(node: Node) -> list[Node]:
    """A node for each result of a control-flow node."""
    return [ITEM(node, index=i) for i in range(len(results_of(node)))]


def _zeros(like: Node) -> Node:
    return expand_to(constant(0, like.dtype), like.shape)


def _gradients(outputs: Sequence[Node], seeds: Sequence[Node], wrt: Sequence[Node]) -> list[Node]:
    """Gradients of a body, zeros where nothing arrives."""
    found = differentiate(outputs, seeds, wrt)
    return [_zeros(x) if g is None else g for g, x in zip(found, wrt, strict=True)]


def _stand_ins(nodes: Sequence[Node]) -> list[Node]:
    return [input_node(n.shape, n.dtype) for n in nodes]


# ---------------------------------------------------------------------------------------------------- cond


def _cond_rule(condition: Node, *operands: Node, then: Graph, otherwise: Graph) -> tuple[Shape, DType]:
    check_condition("cond", types_of([condition]))
    for name, graph in (("then", then), ("otherwise", otherwise)):
        check_agree("cond", f"inputs of {name}", types_of(graph.inputs), "operands", types_of(operands), _SAME)
    check_agree(
        "cond",
        "results of then",
        types_of(then.outputs),
        "results of otherwise",
        types_of(otherwise.outputs),
        _SAME,
    )
    return (), bundle


def _cond_reference(condition: Array, *operands: Array, then: Graph, otherwise: Graph) -> Any:
    return tuple(run_graph(then if condition else otherwise, operands))


def _cond_gradient(n: Node, g: dict[int, Node], needs: Sequence[bool]) -> list[Node | None]:
    """A cond of the gradients of both branches, over the same operands and the gradients of the results."""
    operands = n.inputs[1:]
    wanted = [i for i, x in enumerate(operands) if needs[i + 1] and x.dtype.is_floating_point]
    found: list[Node | None] = [None] * len(n.inputs)
    if not wanted:
        return found
    arriving = [g[i] for i in sorted(g)]
    seeds = _stand_ins(arriving)
    captures = Captures()
    branches = []
    for name in ("then", "otherwise"):
        graph = n.attributes[name]
        outputs = _gradients([graph.outputs[i] for i in sorted(g)], seeds, [graph.inputs[i] for i in wanted])
        parameters = [*graph.inputs, *seeds]
        branches.append((parameters, captures.close(outputs, parameters, lambda node: False)))
    then, otherwise = (Graph([*p, *captures.inner], o, "gradient") for p, o in branches)
    node = COND(n.inputs[0], *operands, *arriving, *captures.outer, then=then, otherwise=otherwise)
    for place, i in enumerate(wanted):
        found[i + 1] = ITEM(node, index=place)
    return found


def _cond_samples() -> list[Sample]:
    x, w = input_node((3,), float64), input_node((), float64)
    graphs: dict[str, Any] = {
        "then": Graph([x, w], [mul(sin(x), w), sum_(x)]),
        "otherwise": Graph([x, w], [add(x, 1.0), mul(w, w)]),
    }
    arrays = real(3).astype(np.float64), real().astype(np.float64)
    return [Sample(np.array(chosen), *arrays, **graphs) for chosen in (True, False)]


COND = register(
    Op(
        name="cond",
        kind=Kind.CONTROL,
        doc="The results of one of two graphs, by a bool; only that one is run.",
        rule=_cond_rule,
        reference=_cond_reference,
        gradient=_cond_gradient,
        samples=_cond_samples,
        dtypes=("bool",),
    )
)


# --------------------------------------------------------------------------------------------------- while


def _while_rule(*inputs: Node, condition: Graph, body: Graph, carried: int, maximum: int | None) -> tuple[Shape, DType]:
    operands = types_of(inputs)
    for name, graph in (("condition", condition), ("body", body)):
        check_agree("while_loop", f"inputs of the {name}", types_of(graph.inputs), "operands", operands, _SAME)
    check_condition("while_loop", types_of(condition.outputs))
    check_agree("while_loop", "carry", operands[:carried], "results of the body", types_of(body.outputs), _SAME)
    return (), bundle


def _while_reference(*inputs: Array, condition: Graph, body: Graph, carried: int, maximum: int | None) -> Any:
    goes_on, step = Program(condition), Program(body)
    carry, constants = inputs[:carried], inputs[carried:]
    count = 0
    while (maximum is None or count < maximum) and goes_on((*carry, *constants))[0]:
        carry = tuple(step((*carry, *constants)))
        count += 1
    return carry


def _as_scan(n: Node) -> Node:
    """A loop with a limit as a scan: once the condition fails, a step leaves the carry as it is."""
    condition, body, carried = (n.attributes[name] for name in ("condition", "body", "carried"))
    inputs = _stand_ins(n.inputs)
    unchanged = _stand_ins(n.inputs)
    step = COND(
        *inline(condition, inputs),
        *inputs,
        then=body,
        otherwise=Graph(unchanged, unchanged[:carried], "unchanged"),
    )
    outputs = [ITEM(step, index=i) for i in range(carried)]
    return SCAN(
        *n.inputs,
        body=Graph(inputs, outputs, "body"),
        carried=carried,
        scanned=0,
        length=n.attributes["maximum"],
        reverse=False,
    )


def _while_gradient(n: Node, g: dict[int, Node], needs: Sequence[bool]) -> Sequence[Node | None]:
    if n.attributes["maximum"] is None:
        raise GradientError(
            "while_loop: its gradient needs the carries of all steps, and nothing says how many there can be",
            hint="pass maximum_iterations=..., or use scan, which runs a fixed number of steps",
            location=n.source[:2] if n.source else None,
        )
    return _scan_gradient(_as_scan(n), g, needs)


def _while_samples() -> list[Sample]:
    x, w = input_node((2,), float64), input_node((), float64)
    condition = Graph([x, w], [lt(sum_(x), 10.0)])
    body = Graph([x, w], [add(mul(x, w), 1.0)])
    arrays = real(2, low=0.5).astype(np.float64), np.array(1.3)
    return [Sample(*arrays, condition=condition, body=body, carried=1, maximum=m) for m in (12, 3, 0)]


WHILE = register(
    Op(
        name="while",
        kind=Kind.CONTROL,
        doc="A graph run on its own results as long as a condition holds.",
        rule=_while_rule,
        reference=_while_reference,
        gradient=_while_gradient,
        samples=_while_samples,
    )
)


# ---------------------------------------------------------------------------------------------------- scan


def _scan_rule(
    *inputs: Node, body: Graph, carried: int, scanned: int, length: Size, reverse: bool
) -> tuple[Shape, DType]:
    if not isinstance(length, Dim) and length < 0:
        raise ShapeError(f"scan: the length {length} is negative")
    rows = inputs[carried : carried + scanned]
    for x in rows:
        if not x.shape or not same_size(x.shape[0], length):
            raise ShapeError(
                f"scan: {x.dtype.name} {show(x.shape)} cannot be scanned in {length} steps: "
                "the first dimension is the one that is scanned"
            )
    taken = [
        *types_of(inputs[:carried]),
        *[(x.shape[1:], x.dtype) for x in rows],
        *types_of(inputs[carried + scanned :]),
    ]
    check_agree("scan", "inputs of the body", types_of(body.inputs), "operands of a step", taken, _SAME)
    given = types_of(body.outputs[:carried])
    check_agree("scan", "carry", taken[:carried], "carry that the body gives", given, _SAME)
    return (), bundle


def _scan_reference(*inputs: Array, body: Graph, carried: int, scanned: int, length: Size, reverse: bool) -> Any:
    step, count = Program(body), int(length)
    carry: Sequence[Array] = inputs[:carried]
    rows, constants = inputs[carried : carried + scanned], inputs[carried + scanned :]
    stacked, history = (
        [np.empty((count, *n.shape), n.dtype.numpy) for n in nodes]
        for nodes in (body.outputs[carried:], body.outputs[:carried])
    )
    for i in reversed(range(count)) if reverse else range(count):
        for place, value in zip(history, carry, strict=True):
            place[i] = value
        results = step((*carry, *[x[i] for x in rows], *constants))
        carry = results[:carried]
        for place, value in zip(stacked, results[carried:], strict=True):
            place[i] = value
    return (*carry, *stacked, *history)


def _scan_gradient(n: Node, g: dict[int, Node], needs: Sequence[bool]) -> list[Node | None]:
    """A scan the other way round, which carries the gradients of the carry and the sums of those of the
    constants.

    The carries before each step are results of the scan; the rest of a step is computed again.
    """
    body, carried, scanned = (n.attributes[name] for name in ("body", "carried", "scanned"))
    found: list[Node | None] = [None] * len(n.inputs)
    wanted = [i for i, x in enumerate(n.inputs) if needs[i] and x.dtype.is_floating_point]
    if not wanted:
        return found
    floating = [i for i in range(carried) if n.inputs[i].dtype.is_floating_point]
    rows = [i for i in wanted if carried <= i < carried + scanned]
    constants = [i for i in wanted if i >= carried + scanned]
    first_history = len(body.outputs)
    stacked = [i for i in range(carried, first_history) if i in g]
    history = [i for i in floating if first_history + i in g]

    carry_seeds = _stand_ins([body.inputs[i] for i in floating])
    sums = _stand_ins([body.inputs[i] for i in constants])
    row_seeds = _stand_ins([body.outputs[i] for i in stacked])
    history_seeds = _stand_ins([body.inputs[i] for i in history])
    gradients = iter(
        _gradients(
            [body.outputs[i] for i in (*floating, *stacked)],
            [*carry_seeds, *row_seeds],
            [body.inputs[i] for i in (*floating, *constants, *rows)],
        )
    )
    of_carry = {i: next(gradients) for i in floating}
    for i, seed in zip(history, history_seeds, strict=True):
        of_carry[i] = add(of_carry[i], seed)
    outputs = [*of_carry.values(), *[add(total, next(gradients)) for total in sums], *gradients]

    scans = dict(zip(body.inputs[:carried], [(n, first_history + i) for i in range(carried)], strict=True))
    scans |= dict(zip(body.inputs[carried : carried + scanned], n.inputs[carried:], strict=False))
    scans |= {seed: g[i] for seed, i in zip(row_seeds, stacked, strict=True)}
    scans |= {seed: g[first_history + i] for seed, i in zip(history_seeds, history, strict=True)}
    invariants = dict(zip(body.inputs[carried + scanned :], n.inputs[carried + scanned :], strict=True))
    starts = [g[i] if i in g else _zeros(n.inputs[i]) for i in floating]
    starts += [_zeros(n.inputs[i]) for i in constants]
    node = _scan_of(n, dict(zip([*carry_seeds, *sums], starts, strict=True)), scans, invariants, outputs)
    for place, i in enumerate((*floating, *constants, *rows)):
        if i in wanted:
            found[i] = ITEM(node, index=place)
    return found


def _scan_of(
    n: Node,
    carries: dict[Node, Node],
    scans: dict[Node, Any],
    invariants: dict[Node, Node],
    outputs: Sequence[Node],
) -> Node:
    """A scan in the other direction, given what stands for which operand; operands that it does not read are
    left out.

    A scanned operand may be given as (node, index), an item that is made only if it is read.
    """
    read = set(topological(outputs))
    scans = {inner: outer for inner, outer in scans.items() if inner in read}
    invariants = {inner: outer for inner, outer in invariants.items() if inner in read}
    captures = Captures()
    parameters = [*carries, *scans, *invariants]
    closed = captures.close(outputs, parameters, invariant(outputs, parameters))
    operands = [x if isinstance(x, Node) else ITEM(x[0], index=x[1]) for x in scans.values()]
    return SCAN(
        *carries.values(),
        *operands,
        *invariants.values(),
        *captures.outer,
        body=Graph([*parameters, *captures.inner], closed, "gradient"),
        carried=len(carries),
        scanned=len(scans),
        length=n.attributes["length"],
        reverse=not n.attributes["reverse"],
    )


def _scan_samples() -> list[Sample]:
    h, x, w = input_node((3,), float64), input_node((3,), float64), input_node((3,), float64)
    new = sin(add(mul(h, w), x))
    body = Graph([h, x, w], [new, mul(new, h)])
    arrays = [a.astype(np.float64) for a in (real(3), real(4, 3), real(3, seed=2))]
    empty = [arrays[0], arrays[1][:0], arrays[2]]
    both = [Sample(*arrays, body=body, carried=1, scanned=1, length=4, reverse=r) for r in (False, True)]
    return [*both, Sample(*empty, body=body, carried=1, scanned=1, length=0, reverse=False)]


SCAN = register(
    Op(
        name="scan",
        kind=Kind.CONTROL,
        doc="A graph run over rows, carrying values along: last carries, stacked outputs, carries before each step.",
        rule=_scan_rule,
        reference=_scan_reference,
        gradient=_scan_gradient,
        samples=_scan_samples,
    )
)
