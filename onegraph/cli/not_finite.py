"""Where a NaN or an infinity came from: the layer, the operation and the line, found by running one step op by op.

Read next: `onegraph/runtime/not_finite.py`, which runs it; `trainer.py`, which keeps what is needed to repeat its last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from onegraph.errors import NotFiniteError
from onegraph.frontend.tensor import Tensor
from onegraph.ir.node import Source
from onegraph.runtime.not_finite import BadResult, describe_values, first_bad_result, place_of, source_of
from onegraph.runtime.realize import Pending


def first_bad_parameter(parameters: Iterable[tuple[str, Tensor]]) -> str | None:
    """Name and description of the first tensor with a value that is not finite."""
    for name, tensor in parameters:
        values = tensor._array()
        if not np.isfinite(values).all():
            return f"{name}: {describe_values(values)}"
    return None


def first_bad_node(outputs: Sequence[Tensor]) -> BadResult | None:
    """The first operation whose result is not finite although all that it reads is.

    Args:
        outputs: what to compute; everything that they depend on and that is not known yet is computed, op by op.
    """
    pending = Pending([t.node for t in outputs])
    graph = pending.graph(set(range(len(pending.scalars))))
    return first_bad_result(graph, [n.value for n in pending.buffers])


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
    if found is None:
        result.backward()
        found = first_bad_node([p.grad for _, p in parameters if p.grad is not None])
    if found is None:
        return _error(
            f"{where}: the values are finite up to the gradients; the update made them not finite", advice, None
        )
    source = source_of(found.node)
    place = place_of(source) or "the computation outside all layers"
    text = f"{where}: the first value that is not finite appeared in {place}, operation {found.node.op}"
    result_of = f"{text} with a result of shape {tuple(found.node.shape)}: {describe_values(found.values)}"
    return _error(result_of, advice, source)


def _error(message: str, hint: str, source: Source | None) -> NotFiniteError:
    return NotFiniteError(message, hint=hint, location=None if source is None else source[:2])
