"""Where a NaN or an infinity came from: the layer, the operation and the line, found by running one step op by op.

Read next: `trainer.py`, which keeps what is needed to repeat its last step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.reference import ReferenceExecutable
from onegraph.errors import NotFiniteError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import bfloat16, bfloat16_to_float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Source
from onegraph.ir.traverse import topological
from onegraph.runtime.realize import scalar_buffer

# Infinity is what these are asked for: the value outside a window, or a mask.
_ON_PURPOSE = frozenset({"constant", "pad", "full"})


def describe_values(values: np.ndarray) -> str:
    """How many values are not finite.

    >>> describe_values(np.array([1.0, np.nan, np.inf]))
    '1 NaN and 1 infinite of 3 values'
    """
    nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    parts = [f"{nan} NaN"] * bool(nan) + [f"{infinite} infinite"] * bool(infinite)
    return f"{' and '.join(parts) or 'none'} of {values.size} values"


def first_bad_parameter(parameters: Iterable[tuple[str, Tensor]]) -> str | None:
    """Name and description of the first tensor with a value that is not finite."""
    for name, tensor in parameters:
        values = tensor._array()
        if not np.isfinite(values).all():
            return f"{name}: {describe_values(values)}"
    return None


def first_bad_node(outputs: Sequence[Tensor]) -> tuple[Node, np.ndarray] | None:
    """The first operation whose result is not finite although all that it reads is, and that result.

    Args:
        outputs: what to compute; everything that they depend on is computed again, op by op.
    """
    order = topological([t.node for t in outputs])
    known = {n: _value(n) for n in order if n.op == "input"}
    rest = [n for n in order if n not in known]
    with np.errstate(all="ignore"):
        found = ReferenceExecutable(Graph(list(known), rest, "step")).run(list(known.values()))
    bad: set[Node] = {n for n, buffer in known.items() if not _finite(buffer)}
    for node, buffer in zip(rest, found, strict=True):
        if _finite(buffer):
            continue
        only_constants = all(i.op == "constant" for i in node.inputs)
        if node.op not in _ON_PURPOSE and not only_constants and not any(i in bad for i in node.inputs):
            return node, _values(buffer)
        if node.op not in _ON_PURPOSE and not only_constants:
            bad.add(node)
    return None


def _value(node: Node) -> Buffer:
    """The value of a leaf; Python numbers in an expression are leaves with a number as their value."""
    return node.value if type(node.value) is Buffer else scalar_buffer(node.value, node.dtype)


def _values(buffer: Buffer) -> np.ndarray:
    return bfloat16_to_float32(buffer.array) if buffer.dtype is bfloat16 else buffer.array


def _finite(buffer: Buffer) -> bool:
    return not buffer.dtype.is_floating_point or bool(np.isfinite(_values(buffer)).all())


def explain_step(
    loss: Callable[[], Tensor], parameters: Sequence[tuple[str, Tensor]], images: np.ndarray, where: str, advice: str
) -> NotFiniteError:
    """Repeat a step and say where it went wrong first.

    Args:
        loss: records the step's loss; parameters must hold the values from before the step.
        parameters: names and tensors.
        images: of the batch.
        where: which step this was, for the message.
        advice: what to try.
    """
    if not np.isfinite(images).all():
        return _error(f"{where}: the input images hold {describe_values(images)}", "check the data", None)
    bad = first_bad_parameter(parameters)
    if bad is not None:
        return _error(f"{where}: the update before it made a parameter not finite; {bad}", advice, None)
    result = loss()
    found = first_bad_node([result])
    direction = ""
    if found is None:
        result.backward()
        found = first_bad_node([p.grad for _, p in parameters if p.grad is not None])
        direction = "the gradient of "
    if found is None:
        return _error(
            f"{where}: the values are finite up to the gradients; the update made them not finite", advice, None
        )
    node, values = found
    source = _source(node)
    layer = (source[2] if source is not None else "").replace("/", ".")
    place = f"{direction}layer {layer}" if layer else f"{direction}the computation outside all layers"
    text = f"{where}: the first value that is not finite appeared in {place}, operation {node.op}"
    return _error(f"{text} with a result of shape {tuple(node.shape)}: {describe_values(values)}", advice, source)


def _source(node: Node) -> Source | None:
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


def _error(message: str, hint: str, source: Source | None) -> NotFiniteError:
    return NotFiniteError(message, hint=hint, location=None if source is None else source[:2])
