"""One image through a model, with the values of layers kept, and its way back by rules of one's choice.

Every picture of what a network has seen begins with the recorded graph of a call. Its gradient is the saliency; the same
walk with another rule where a ReLU stands is guided backpropagation, or the deconvolutional network of Zeiler and
Fergus. `with_relu_rule` puts the other rule in, by rewriting the graph: a network needs no changes and no special layers.
Read next: `saliency.py`, `deconvolution.py`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from onegraph.autodiff.reverse import gradient, zeros_like
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend.convert import from_numpy_array
from onegraph.frontend.state import enable_grad, no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.inspection.picture import as_array
from onegraph.ir.node import Node
from onegraph.ir.traverse import rebuild, with_inputs
from onegraph.nn.module import Module
from onegraph.nn.state import compute_pending
from onegraph.ops.binary import GT, MUL
from onegraph.ops.cast import cast
from onegraph.ops.custom import with_gradient
from onegraph.ops.shapes import show

Rule = Callable[[Node, Node], Node]
"""From the gradient that arrives at a ReLU, and the ReLU's input, to the gradient that goes on."""


def _positive(x: Node) -> Node:
    """1 where x is positive, else 0."""
    return cast(GT(x, zeros_like(x)), x.dtype)


def guided(g: Node, x: Node) -> Node:
    """Only positive gradients go on, and only where the ReLU's input was positive."""
    return MUL(g, MUL(_positive(g), _positive(x)))


def rectified(g: Node, x: Node) -> Node:
    """Only positive gradients go on, whatever the input of the ReLU was."""
    return MUL(g, _positive(g))


def one_image(name: str, image: Any) -> Tensor:
    """A batch with the one image in it.

    Args:
        name: of the function, for messages.
        image: as the network takes it (scaled), float, of shape (C, H, W) or (1, C, H, W).

    Raises:
        ShapeError: another shape.
    """
    array = as_array(image)
    array = array[None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[0] != 1:
        raise ShapeError(
            f"{name}: an image of shape {show(array.shape)}: (C, H, W) or (1, C, H, W) is needed",
            hint="give one image of the batch, as images[0]",
        )
    return from_numpy_array(np.ascontiguousarray(array))


def layer_name(model: Module, layer: str | Module) -> str:
    """The dotted name of a layer.

    Raises:
        ArgumentError: the model has none of this name.
        ArgumentTypeError: neither a name nor a module.
    """
    names = {name: module for name, module in model.named_modules() if name}
    if isinstance(layer, Module):
        found = next((name for name, module in names.items() if module is layer), None)
        if found is None:
            raise ArgumentError(f"{type(layer).__name__} is no layer of this {type(model).__name__}")
        return found
    if not isinstance(layer, str):
        raise ArgumentTypeError(f"a layer is named by its dotted name or is a module, got {type(layer).__name__}")
    if layer not in names:
        raise ArgumentError(f"{type(model).__name__} has no layer {layer!r}; there are {', '.join(names)}")
    return layer


def layers_of(model: Module, kinds: tuple[str, ...] = ("Conv",)) -> list[str]:
    """Names of the layers of a kind, by the beginning of the name of their class, in the order they were made."""
    return [name for name, module in model.named_modules() if type(module).__name__.startswith(kinds)]


def chosen_layer(name: str, model: Module, layer: str | Module | None, default: int = -1) -> str:
    """The dotted name of a layer that was given, or of the model's last convolution (the first, with `default` 0).

    Raises:
        ArgumentError: none was given, and there is no convolution; or as `layer_name`.
    """
    if layer is not None:
        return layer_name(model, layer)
    names = layers_of(model)
    if not names:
        raise ArgumentError(f"{name}: {type(model).__name__} has no convolution", hint="name a layer, layer=...")
    return names[default]


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """The model in evaluation mode, as it was afterwards; all its parameters with values."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    compute_pending(itertools.chain(model.parameters(), model.buffers()))
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class Recorded:
    """The graph of a call on one image.

    Args:
        model: what to call, in evaluation mode.
        image: of shape (1, C, H, W).
        layers: dotted names of layers whose results are kept.

    Attributes:
        image, output: the tensors.
        kept: the results of the layers, by name; of a layer that is called several times, the last.
    """

    def __init__(self, model: Module, image: Tensor, layers: Sequence[str] = ()) -> None:
        self.image = image.requires_grad_(True)  # so that the graph stays when values are looked at
        self.kept: dict[str, Tensor] = {}
        handles = [model.get_submodule(name).register_forward_hook(self._keeper(name)) for name in layers]
        try:
            with enable_grad():  # without, the graph would be cut where parameters come in
                result = model(image)
        finally:
            for handle in handles:
                handle.remove()
        while isinstance(result, (list, tuple)) and result:
            result = result[0]
        if not isinstance(result, Tensor):
            raise ArgumentTypeError(f"{type(model).__name__} gives {type(result).__name__}, not a tensor of scores")
        self.output = result
        missing = [name for name in layers if name not in self.kept]
        if missing:
            raise ArgumentError(f"layers that are not called for this image: {', '.join(missing)}")

    def _keeper(self, name: str) -> Callable[[Any, Any, Any], None]:
        def keep(module: Module, inputs: Any, result: Any) -> None:
            if not isinstance(result, Tensor):
                raise ArgumentError(
                    f"layer {name} ({type(module).__name__}) gives no tensor but {type(result).__name__}"
                )
            self.kept[name] = result

        return keep

    def back(self, start: Node, seed: Node | None, wrt: Sequence[Node], rule: Rule | None = None) -> list[np.ndarray]:
        """Gradients of a node with respect to others as arrays; zeros where there is none."""
        if rule is not None:
            start, *wrt = with_relu_rule([start, *wrt], rule)
        found = gradient([start], [seed], wrt)
        nodes = [zeros_like(w) if node is None else node for w, node in zip(wrt, found, strict=True)]
        with no_grad():
            return [wrap(node, False).numpy() for node in nodes]


def score_of(output: Tensor, target: int | None) -> tuple[Tensor, int]:
    """The score of a class in the output of a classifier, and the class: by default the one with the highest score.

    Raises:
        ShapeError: the output is no row of scores.
        ArgumentError: there is no such class.
    """
    if len(output.shape) != 2 or output.shape[0] != 1:
        raise ShapeError(
            f"the network gives shape {show(tuple(output.shape))}; a row of scores, (1, classes), is needed"
        )
    if target is None:
        with no_grad():
            target = int(output.argmax(1).item())
    if not -output.shape[1] <= target < output.shape[1]:
        raise ArgumentError(f"target {target}: the network tells {output.shape[1]} classes apart")
    return output[0, target], target % int(output.shape[1])


def with_relu_rule(nodes: Sequence[Node], rule: Rule) -> list[Node]:
    """The same nodes of the same graph, but with another gradient rule at each ReLU (and each ReLU6)."""

    def replace(node: Node, inputs: tuple[Node, ...]) -> Node:
        new = with_inputs(node, inputs)
        if not _is_relu(node):
            return new
        x = new.inputs[0].inputs[0]
        # What is beneath the limit at 0: x itself, or for ReLU6 x below its upper limit.
        return with_gradient(new, [new.inputs[2]], lambda g: [rule(g, x)])

    return rebuild(nodes, replace)


def _is_relu(node: Node) -> bool:
    """Whether a node is where(x <= 0, 0, x), as `onegraph/ops/activation.py` builds it."""
    if node.op != "where" or node.inputs[0].op != "le" or not _is_zero(node.inputs[1]):
        return False
    x, limit = node.inputs[0].inputs
    beneath = node.inputs[2]
    return _is_zero(limit) and (beneath is x or (beneath.op == "where" and beneath.inputs[2] is x))


def _is_zero(node: Node) -> bool:
    while node.op in ("expand", "cast", "reshape"):
        node = node.inputs[0]
    if node.op != "constant":
        return False
    value = node.attributes.get("value")
    array = getattr(value, "array", value)
    return array is not None and not np.any(array)
