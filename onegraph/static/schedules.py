"""`tf.train`'s learning rates that change with the step, as tensors, and the variable that counts steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.static import functions as f
from onegraph.frontend.static.arrays import where
from onegraph.frontend.static.graph import Graph, GraphKeys, get_default_graph
from onegraph.frontend.static.tensor import Tensor
from onegraph.frontend.static.variable import Variable
from onegraph.ir.dtype import float32, int64


def _ratio(step: Any, steps: Any) -> Any:
    return f.cast(step, float32) / steps


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * decay_rate ** (step / decay_steps); with `staircase` the exponent is rounded down."""
    exponent = _ratio(global_step, decay_steps)
    tensor: Tensor = learning_rate * f.pow_(decay_rate, f.floor(exponent) if staircase else exponent)
    return tensor


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * exp(-decay_rate * step / decay_steps)."""
    exponent = _ratio(global_step, decay_steps)
    tensor: Tensor = learning_rate * f.exp(-decay_rate * (f.floor(exponent) if staircase else exponent))
    return tensor


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate / (1 + decay_rate * step / decay_steps)."""
    part = _ratio(global_step, decay_steps)
    tensor: Tensor = learning_rate / (1.0 + decay_rate * (f.floor(part) if staircase else part))
    return tensor


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """From learning_rate to end_learning_rate by (1 - step / decay_steps) ** power; with `cycle` again and again."""
    step = f.cast(global_step, float32)
    steps: Any = decay_steps
    if cycle:
        steps = f.maximum(f.ceil(step / decay_steps), 1.0) * decay_steps
    else:
        step = f.minimum(step, float(decay_steps))
    tensor: Tensor = (learning_rate - end_learning_rate) * f.pow_(1.0 - step / steps, power) + end_learning_rate
    return tensor


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: str | None = None
) -> Tensor:
    """Along half a cosine from learning_rate to alpha * learning_rate. Loshchilov and Hutter 2017."""
    part = f.minimum(_ratio(global_step, decay_steps), 1.0)
    factor = (1.0 + f.cos(part * math.pi)) * 0.5
    tensor: Tensor = learning_rate * (factor * (1.0 - alpha) + alpha)
    return tensor


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Tensor:
    """values[0] while x <= boundaries[0], then values[1] while x <= boundaries[1], and so on.

    >>> import onegraph.static as tf
    >>> step = tf.placeholder(tf.int32, ())
    >>> rate = tf.train.piecewise_constant(step, [10, 20], [1.0, 0.5, 0.1])
    >>> with tf.Session() as sess:
    ...     [float(sess.run(rate, {step: s})) for s in (10, 11, 20, 21)]
    [1.0, 0.5, 0.5, 0.10000000149011612]
    """
    if len(values) != len(boundaries) + 1:
        raise ArgumentError(
            f"piecewise_constant: {len(boundaries)} boundaries need {len(boundaries) + 1} values, got {len(values)}"
        )
    found: Any = values[-1]
    for boundary, value in zip(reversed(boundaries), reversed(values[:-1]), strict=True):
        found = where(f.less_equal(x, boundary), value, found)
    tensor: Tensor = found
    return tensor


# ---------------------------------------------------------------------------------------- counting steps


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The variable that counts steps, or None."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def create_global_step(graph: Graph | None = None) -> Variable:
    """Make the variable that counts steps, an int64.

    Raises:
        ArgumentError: there is one already.
    """
    owner = graph or get_default_graph()
    if get_global_step(owner) is not None:
        raise ArgumentError("the graph has a global step already", hint="use get_or_create_global_step()")
    with owner.as_default(), owner.name_scope(None):
        step = Variable(
            0,
            trainable=False,
            name="global_step",
            dtype=int64,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )
    return step


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The variable that counts steps, made if there is none."""
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The value of the variable that counts steps."""
    return int(sess.run(global_step_tensor))
