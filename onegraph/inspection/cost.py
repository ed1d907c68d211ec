"""Multiply-adds, parameters and activations of a model, counted in the graph that a call records.

A multiply-add is a multiplication and the addition of its result: one inside a matrix product or a convolution. Biases,
activations, normalization and pooling are not counted, as in the figures of papers and of torchvision (ResNet-50: 4.09
billion for an image of 224 by 224 pixels). What others call FLOPs is the same number, or twice as much.
Read next: `shapes.py` (recording), `onegraph/ops/convolution.py` and `contraction.py` (what is counted).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.tensor import Tensor
from onegraph.inspection.shapes import as_inputs, bytes_of, shapes_only
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological
from onegraph.nn.module import Module


@dataclass(frozen=True)
class Cost:
    """What a call of a model costs.

    Attributes:
        mult_adds: multiply-adds of the whole batch.
        params: numbers of parameters, shared ones once.
        param_bytes: of parameters and buffers.
        activation_bytes: of the results of all layers without layers inside, which training keeps for the gradients.
        largest_activation_bytes: of the layer with the largest ones.
        by_layer: multiply-adds of each layer without layers inside, by its name, in the order of the calls.
        activations: bytes of the results of each of them.
    """

    mult_adds: int
    params: int
    param_bytes: int
    activation_bytes: int
    largest_activation_bytes: int
    by_layer: dict[str, int]
    activations: dict[str, int]


def cost(model: Module, input_size: Any = None, input_data: Any = None, dtypes: Sequence[Any] | None = None) -> Cost:
    """Count what a call of a model costs; nothing is computed.

    Args:
        model: the model; it is called in evaluation mode.
        input_size: shape of the input with its batch dimension, or a list of shapes.
        input_data: instead of it, a tensor or array, a list of arguments, or a dict of named arguments.
        dtypes: of the inputs that `input_size` describes; float32 by default.

    Raises:
        ArgumentError: both or neither of `input_size` and `input_data`.
        ShapeError: the model does not take such inputs.

    >>> import onegraph as og
    >>> found = cost(og.nn.Sequential(og.nn.Conv2d(1, 6, 5), og.nn.Flatten(), og.nn.Linear(4704, 10)), (1, 1, 32, 32))
    >>> found.by_layer  # 6 maps of 28 x 28, each from a window of 5 x 5; then 4704 x 10
    {'0': 117600, '1': 0, '2': 47040}
    >>> found.mult_adds, found.params
    (164640, 47206)
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(f"cost: expected a module, got {type(model).__name__}")
    args, named = as_inputs("cost", input_size, input_data, dtypes)
    by_layer: dict[str, int] = {}
    sizes: dict[str, int] = {}
    handles = [_watch(module, name, by_layer, sizes) for name, module in model.named_modules() if _is_leaf(module)]
    try:
        with shapes_only(model):
            result = model(*args, **named)
    finally:
        for handle in handles:
            handle.remove()
    parameters = list(model.parameters())
    total = count_mult_adds(_tensors(result), (p._node for p in parameters))
    params = sum(math.prod(int(size) for size in p.shape) for p in parameters)
    state_bytes = bytes_of(parameters) + bytes_of(list(model.buffers()))
    return Cost(total, params, state_bytes, sum(sizes.values()), max(sizes.values(), default=0), by_layer, sizes)


def _is_leaf(module: Module) -> bool:
    return not any(True for _ in module.children())


def _watch(module: Module, name: str, by_layer: dict[str, int], sizes: dict[str, int]) -> Any:
    """Count each call of a layer; gives the handle of the hook."""

    def after(_: Module, inputs: Any, outputs: Any) -> None:
        stop = {t._node for t in _tensors(inputs)} | {p._node for p in module.parameters()}
        by_layer[name] = by_layer.get(name, 0) + count_mult_adds(_tensors(outputs), stop)
        sizes[name] = sizes.get(name, 0) + bytes_of(outputs)

    return module.register_forward_hook(after)


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for inner in values for tensor in _tensors(inner)]


def count_mult_adds(outputs: Iterable[Tensor], known: Iterable[Node] = ()) -> int:
    """Multiply-adds between nodes whose values are known (or inputs) and tensors that were computed from them.

    Args:
        outputs: what is computed.
        known: where the computation begins.

    >>> import onegraph as og
    >>> a, b = og.zeros(2, 3), og.zeros(3, 5)
    >>> count_mult_adds([a @ b])
    30
    """
    stop = set(known)
    nodes = topological([tensor.node for tensor in outputs], stop=lambda node: node in stop)
    return sum(_of_node(node) for node in nodes if node not in stop)


def _of_node(node: Node) -> int:
    rule = _RULES.get(node.op)
    if rule is not None:
        return rule(node)
    return sum(_of_graph(value) for value in node.attributes.values() if isinstance(value, Graph))


def _of_graph(graph: Graph) -> int:
    return sum(_of_node(node) for node in graph.nodes())


def _size(shape: Iterable[Any]) -> int:
    return math.prod(int(size) for size in shape)


def _of_window(node: Node, positions: Node) -> int:
    """A convolution or a gradient of one: every weight of a filter at every position of every filter's map."""
    weight = node.attributes.get("kernel_size")
    if weight is not None:  # the gradient of the weights: its result has their shape
        return _size(positions.shape) * _size(node.shape[1:])
    return _size(positions.shape) * _size(node.inputs[1].shape[1:])


def _of_scan(node: Node) -> int:
    return int(node.attributes["length"]) * _of_graph(node.attributes["body"])


_RULES: dict[str, Callable[[Node], int]] = {
    "matmul": lambda node: _size(node.shape) * int(node.inputs[0].shape[-1]),
    "conv": lambda node: _of_window(node, node),
    "conv_input_gradient": lambda node: _of_window(node, node.inputs[0]),
    "conv_weight_gradient": lambda node: _of_window(node, node.inputs[1]),
    "scan": _of_scan,
}
"""How many multiply-adds an op has. Those of branches are all counted, those of a loop with an unknown length once."""
