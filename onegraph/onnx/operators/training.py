"""Losses, and the preview of training: gradients, and one step of an optimizer. Read next: `onegraph/optim`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.nn import functional as F
from onegraph.onnx.interpreter import Call, run_graph
from onegraph.onnx.reader import GraphDescription, ValueType
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Value, array, tensor

_PREVIEW = "ai.onnx.preview.training"


def _loss(call: Call, scores: og.Tensor, labels: og.Tensor, weight: og.Tensor | None) -> og.Tensor:
    """Negative log likelihood of the classes in dimension 1."""
    ignored = call.get("ignore_index")
    labels = labels.to(og.int64)
    there = og.ones_like(labels, dtype=og.bool) if ignored is None else labels != ignored
    places = og.where(there, labels, og.zeros_like(labels))
    picked = -og.gather(scores, 1, places.unsqueeze(1)).squeeze(1)
    share = (
        og.ones_like(picked)
        if weight is None
        else og.index_select(weight.to(scores.dtype), 0, places.reshape([-1])).reshape(places.shape)
    )
    share = og.where(there, share, og.zeros_like(share))
    losses = og.where(there, picked * share, og.zeros_like(picked))
    how = call.get("reduction", "mean")
    if how == "none":
        return losses
    return losses.sum() if how == "sum" else losses.sum() / share.sum()


@operator("NegativeLogLikelihoodLoss")
def nll_loss(call: Call, scores: og.Tensor, labels: og.Tensor, weight: og.Tensor | None = None) -> og.Tensor:
    """Of logarithms of probabilities."""
    return _loss(call, scores, labels, weight)


@operator("SoftmaxCrossEntropyLoss")
def cross_entropy(call: Call, scores: og.Tensor, labels: og.Tensor, weight: og.Tensor | None = None) -> Any:
    """Of scores; their log softmax as second output."""
    logarithms = F.log_softmax(scores, 1)
    return (_loss(call, logarithms, labels, weight), logarithms)[: max(1, call.outputs)]


@operator("Gradient", domain=_PREVIEW, raw=True)
def gradient(call: Call, *inputs: Value) -> tuple[og.Tensor, ...]:
    """Derivatives of a value of this graph by its inputs: what leads from them to it is recorded again on new leaves."""
    names, target = call.get("xs"), call.get("y")
    fixed = call.get("zs") or []
    leaves = [tensor(v).detach().requires_grad_(True) for v in inputs[: len(names)]]
    graph: GraphDescription = call.context.graph
    wanted = _before(graph, target, {*names, *fixed})
    env = {
        **call.scope,
        **dict(zip(names, leaves, strict=True)),
        **dict(zip(fixed, inputs[len(names) :], strict=False)),
    }
    with og.enable_grad():
        (value,) = run_graph(wanted, env, call.context)
        return tuple(og.autograd.grad([value.sum()], leaves))


def _before(graph: GraphDescription, target: str, ends: set[str]) -> GraphDescription:
    """The nodes that lead to a value, from where values are given."""
    wanted, nodes = {target}, []
    for node in reversed(graph.nodes):
        if any(o in wanted and o not in ends for o in node.outputs):
            nodes.append(node)
            wanted.update(node.inputs)
    return GraphDescription("gradient", [], [ValueType(target, "")], {}, nodes[::-1])


def _optimizer(name: str, states: int, update: Callable[..., tuple[og.Tensor, ...]]) -> None:
    """One step for several tensors: inputs are the rate, the count, then all tensors, all gradients, and all of each state."""

    def compute(call: Call, rate: Value, count: Value, *values: Value) -> tuple[og.Tensor, ...]:
        tensors = [tensor(v) for v in values]
        each = len(tensors) // (2 + states)
        columns = [tensors[i * each : (i + 1) * each] for i in range(2 + states)]
        turns = int(array(count).reshape(-1)[0])
        rows = [update(call, tensor(rate).reshape([]), turns, *row) for row in zip(*columns, strict=True)]
        return tuple(row[i] for i in range(1 + states) for row in rows)

    operator(name, domain=_PREVIEW, raw=True)(compute)


def _adagrad(
    call: Call, rate: og.Tensor, count: int, x: og.Tensor, g: og.Tensor, h: og.Tensor
) -> tuple[og.Tensor, ...]:
    rate = rate / (1 + count * call.get("decay_factor", 0.0))
    g = g + call.get("norm_coefficient", 0.0) * x
    h = h + g * g
    return x - rate * g / (og.sqrt(h) + call.get("epsilon", 1e-6)), h


def _adam(
    call: Call, rate: og.Tensor, count: int, x: og.Tensor, g: og.Tensor, v: og.Tensor, h: og.Tensor
) -> tuple[og.Tensor, ...]:
    alpha, beta = call.get("alpha", 0.9), call.get("beta", 0.999)
    g = g + call.get("norm_coefficient", 0.0) * x
    v, h = alpha * v + (1 - alpha) * g, beta * h + (1 - beta) * g * g
    if count > 0:
        rate = rate * float(np.sqrt(1 - beta**count) / (1 - alpha**count))
    moved = x - rate * v / (og.sqrt(h) + call.get("epsilon", 1e-6))
    return (1 - call.get("norm_coefficient_post", 0.0)) * moved, v, h


def _momentum(
    call: Call, rate: og.Tensor, count: int, x: og.Tensor, g: og.Tensor, v: og.Tensor
) -> tuple[og.Tensor, ...]:
    alpha = call.get("alpha")
    g = g + call.get("norm_coefficient") * x
    v = alpha * v + (call.get("beta") if count > 0 else 1.0) * g
    return x - rate * (g + alpha * v if call.get("mode") == "nesterov" else v), v


_optimizer("Adagrad", 1, _adagrad)
_optimizer("Adam", 2, _adam)
_optimizer("Momentum", 1, _momentum)
