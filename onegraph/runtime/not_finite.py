"""Which operation a NaN or an infinity came from: what ran is run again, op by op, until the first bad result.

Used where `settings.check_finite` is on (`og.autograd.detect_anomaly`), and by `onegraph train`. Read next: `plan.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from onegraph.autodiff.reverse import GRADIENTS
from onegraph.backends.contract import Buffer
from onegraph.backends.host import located
from onegraph.backends.reference import ReferenceExecutable
from onegraph.config import settings
from onegraph.errors import ArgumentError, NotFiniteError
from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Source
from onegraph.ops.evaluate import execute_node
from onegraph.ops.shapes import show

Array = np.ndarray[Any, Any]

# Infinity is what these are asked for: the value outside a window, or a mask.
_ON_PURPOSE = frozenset({"constant", "pad", "full"})
_ADVICE = {
    "log": "keep what goes in above zero: log(x.clamp(min=1e-12)), or log_softmax in place of log(softmax)",
    "div": "keep the divisor away from zero, for example by adding a small number",
    "sqrt": "keep what goes in at zero or above; its gradient at zero is infinite: sqrt(x + 1e-12)",
    "pow": "a negative number to a fraction is NaN, zero to a negative number infinite",
    "exp": "subtract the largest value first, as softmax and logsumexp do",
}
_USUAL_ADVICE = "a lower learning rate, clipped gradients, or a look at the data of this step"


class BadResult(NamedTuple):
    """The first operation whose result is not finite although all that it reads is.

    Attributes:
        node: the operation.
        values: its result.
        read: what it read.
    """

    node: Node
    values: Array
    read: list[Array]


def describe_values(values: Array) -> str:
    """How many values are not finite.

    >>> describe_values(np.array([1.0, np.nan, np.inf]))
    '1 NaN and 1 infinite of 3 values'
    """
    nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    parts = [f"{nan} NaN"] * bool(nan) + [f"{infinite} infinite"] * bool(infinite)
    return f"{' and '.join(parts) or 'none'} of {values.size} values"


def source_of(node: Node) -> Source | None:
    """The line and layer of an operation; for one of a derivative, of the nearest recorded one that it reads."""
    nearest, queue, seen = None, deque([node]), {node}
    while queue:
        found = queue.popleft()
        if found.source is not None and found.source[2]:
            return found.source
        nearest = nearest or found.source
        queue.extend(i for i in found.inputs if i not in seen)
        seen.update(found.inputs)
    return nearest


def place_of(source: Source | None) -> str:
    """The layer of an operation in words, or nothing.

    >>> place_of(("train.py", 3, "gradients/Net/first"))
    'the gradient of layer Net.first'
    """
    scope = "" if source is None else source[2]
    of_gradient = scope.startswith(GRADIENTS)
    while scope.startswith(GRADIENTS):
        scope = scope.removeprefix(GRADIENTS)
    layer = f"layer {scope.replace('/', '.')}" if scope else ""
    if of_gradient:
        return f"the gradient of {layer or 'this line'}"
    return layer


def first_bad_result(graph: Graph, inputs: Sequence[Buffer], infinities: bool = True) -> BadResult | None:
    """Run a graph op by op on the reference backend, until a result is not finite that comes from finite values.

    Args:
        graph: what to run.
        inputs: its inputs. What comes from those that are not finite themselves is not looked at.
        infinities: whether an infinity is bad, besides a NaN. Those of masks and padding are not, in any case.
    """
    executable = ReferenceExecutable(graph)
    values: list[Any] = [b.array for b in inputs] + [None] * len(executable.order)
    bad = {i for i, b in enumerate(inputs) if _is_bad(b.array, b.dtype, infinities)}
    with np.errstate(all="ignore"):
        for node, sources, target, free in executable.steps:
            result = values[target] = located(node, execute_node, node, [values[s] for s in sources])
            if _is_bad(result, node.dtype, infinities):
                asked_for = node.op in _ON_PURPOSE or all(i.op == "constant" for i in node.inputs)
                if not asked_for and bad.isdisjoint(sources):
                    read = [_floats(values[s], i.dtype) for s, i in zip(sources, node.inputs, strict=True)]
                    return BadResult(node, _floats(result, node.dtype), read)
                bad.add(target)
            for slot in free:
                values[slot] = None
    return None


def require_finite(
    graph: Graph | Callable[[], Graph], inputs: Sequence[Buffer], outputs: Sequence[Buffer], runs: int
) -> None:
    """Check the results of a run, as `settings.check_finite` says.

    Args:
        graph: what ran, with the lines of the user's calls, or a function that makes it when something is wrong.
        inputs: what it ran on.
        outputs: what came out.
        runs: how often this computation ran, this time included.

    Raises:
        NotFiniteError: naming the operation, the line, the layer and the values that it read.
    """
    if settings.check_finite not in ("nan", "inf"):
        raise ArgumentError(f"setting check_finite is 'nan', 'inf' or '', got {settings.check_finite!r}")
    infinities = settings.check_finite == "inf"
    if not any(_is_bad(b.array, b.dtype, infinities) for b in outputs):
        return
    recorded = graph if isinstance(graph, Graph) else graph()
    when = f"the {runs:,}{_ordinal(runs)} time that this computation ran"
    before = [(n, b) for n, b in zip(recorded.inputs, inputs, strict=True) if _is_bad(b.array, b.dtype, infinities)]
    found = first_bad_result(recorded, inputs, infinities)
    if found is not None:
        raise _error_of(found, when)
    if before:
        node, buffer = before[0]
        user = next((n for n in recorded.nodes() if node in n.inputs), None)
        raise NotFiniteError(
            f"a value of shape {show(buffer.shape)} {buffer.dtype.name} was not finite when it came in: "
            f"{describe_values(_floats(buffer.array, buffer.dtype))}; {when}",
            hint="look at the data, or at what was computed before the check was switched on",
            location=_location(None if user is None else source_of(user)),
        )
    if infinities:
        return  # they come from constants: asked for
    raise NotFiniteError(
        f"a result is not finite, {when}; computed op by op it is finite, so that it is at the edge of what its dtype can hold",
        hint=_USUAL_ADVICE,
        location=_location(source_of(recorded.outputs[0])),
    )


def _error_of(found: BadResult, when: str) -> NotFiniteError:
    node, source = found.node, source_of(found.node)
    place = place_of(source)
    read = "; ".join(_range_of(values) for values in found.read if values.dtype.kind == "f" and values.size)
    return NotFiniteError(
        f"{node.op}{f' in {place}' if place else ''}: its result of shape {show(node.shape)} has {describe_values(found.values)}, "
        f"{when}. It read {read or 'no numbers'}",
        hint=_ADVICE.get(node.op, _USUAL_ADVICE),
        location=_location(source),
    )


def _range_of(values: Array) -> str:
    finite = values[np.isfinite(values)]
    more = "" if finite.size == values.size else f" ({describe_values(values)})"
    if not finite.size:
        return f"{show(values.shape)}{more}"
    return f"{show(values.shape)} from {float(finite.min()):.4g} to {float(finite.max()):.4g}{more}"


def _location(source: Source | None) -> tuple[str, int] | None:
    return None if source is None else source[:2]


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _floats(array: Any, dtype: DType) -> Array:
    return bfloat16_to_float32(array) if dtype is bfloat16 else array


def _is_bad(array: Any, dtype: DType, infinities: bool) -> bool:
    if not dtype.is_floating_point:
        return False
    values = _floats(array, dtype)
    return not np.isfinite(values).all() if infinities else bool(np.isnan(values).any())
