"""The weights of a layer: making them, giving them out as arrays, and which of them are learned.

Read next: `base.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ShapeError, StateError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad, tracing
from onegraph.frontend.tensor import Tensor
from onegraph.keras import constraints, initializers, regularizers
from onegraph.keras.dtype_policies import DTypePolicy
from onegraph.keras.layers.tracking import may_hold_layers, track
from onegraph.keras.variable import State, Weight
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.ops.shapes import show


class _ComputeDtype(threading.local):
    """What the layer that is being called computes in, where that is not what its weights are kept in."""

    current: Any = None


compute_dtype = _ComputeDtype()


class Weights(Module):
    """The part of `Layer` that deals with weights."""

    built: bool
    _name: str
    _trainable: bool
    _policy: DTypePolicy
    _tracked_names: dict[str, list[str]]
    _kept_dtype: set[str]
    _regularized: list[tuple[Tensor, Any]]
    _constrained: list[tuple[Tensor, Any]]

    def add_weight(
        self,
        *args: Any,
        shape: Any = (),
        initializer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: Any = None,
        autocast: bool = True,
        **ignored: Any,
    ) -> Any:
        """Make a weight.

        Args:
            args: (shape, initializer) as in Keras 3, or (name, shape) as in Keras 2.
            shape: its shape.
            initializer: its first value; glorot_uniform, or zeros for one that is not trained.
            name: by which `state_dict` and saved files know it.
            trainable: a parameter if so, else state such as a running mean.
            regularizer: a penalty added to the loss.
            constraint: a condition kept after each step.
            dtype: its element type.
            autocast: whether a layer that computes in half precision sees it in that.
        """
        names = ("name", "shape") if args and isinstance(args[0], str) else ("shape", "initializer")
        given = dict(zip(names, args, strict=False))
        shape, initializer, name = (
            given.get("shape", shape),
            given.get("initializer", initializer),
            given.get("name", name),
        )
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = dtype or self._policy.variable_dtype
        if any(size is None for size in shape):
            raise ShapeError(
                f"layer {self.name!r}: a weight of shape {shape} needs sizes that are not known",
                hint="give the input's full shape",
            )
        draw = initializers.get(initializer) or initializers.get("glorot_uniform" if trainable else "zeros")
        name = self._free_name((name or f"weight_{len(self._parameters) + len(self._buffers)}").replace(".", "_"))
        with no_grad(), tracing(None):
            value = draw(shape, dtype)
            value = value if isinstance(value, Tensor) else make_tensor(np.asarray(value), dtype=dtype)
            if tuple(value.shape) != shape:
                raise ShapeError(
                    f"the initializer of weight {name!r} gave shape {show(value.shape)}, not {show(shape)}"
                )
            weight = Weight(value, requires_grad=value.dtype.is_floating_point) if trainable else State(value)
        weight.name = f"{self.name}/{name}"
        (self._parameters if trainable else self._buffers)[name] = weight
        if not autocast:
            self._kept_dtype.add(name)
        if regularizer is not None:
            self._regularized.append((weight, regularizers.get(regularizer)))
        if constraint is not None:
            self._constrained.append((weight, constraints.get(constraint)))
        return weight

    def _free_name(self, name: str) -> str:
        """The name, or one with a number if there is such a weight already."""
        taken, wanted = {*self._parameters, *self._buffers}, name
        number = 1
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        wanted = compute_dtype.current
        if wanted is not None and isinstance(value, Tensor) and name not in self._kept_dtype:
            return value.to(wanted) if value.dtype.is_floating_point else value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and "_parameters" in self.__dict__:
            if self.__dict__.get(name, self) is None:
                del self.__dict__[name]  # `self.bias = None` before: the weight takes its place
            for table in (self._parameters, self._buffers):
                old = next((k for k, v in table.items() if v is value and k != name), None)
                if old is not None and name not in table:
                    table.pop(old)  # add_weight's name gives way to the attribute's
                    if old in self._kept_dtype:
                        self._kept_dtype.add(name)
        if "_tracked_names" in self.__dict__ and name != "_tracked_names":
            if isinstance(value, tuple) and value and all(isinstance(v, Module) for v in value):
                for i, module in enumerate(value):
                    self._modules[f"{name}_{i}"] = module
                object.__setattr__(self, name, value)
                return
            if may_hold_layers(value):
                value = track(value, self, name)
        super().__setattr__(name, value)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self._name

    @property
    def trainable(self) -> bool:
        """Whether the weights are learned; setting it sets it for all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for module in self.modules():
            if isinstance(module, Weights):
                module.__dict__["_trainable"] = bool(value)
        self.requires_grad_(bool(value))

    def _all_weights(self) -> list[tuple[str, Tensor, bool]]:
        """Path, tensor and whether it is trained, each tensor once, in the order of making."""
        found: list[tuple[str, Tensor, bool]] = []
        seen: set[int] = set()
        for path, module in self.named_modules():
            trained = module.trainable if isinstance(module, Weights) else True
            entries = [*module._parameters.items(), *module._buffers.items()]
            for name, tensor in entries:
                if name in module._non_persistent_buffers_set:
                    continue  # state of a run, such as that of a stateful recurrent layer
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    found.append(
                        (f"{path}.{name}" if path else name, tensor, trained and isinstance(tensor, Parameter))
                    )
        return found

    @property
    def trainable_weights(self) -> list[Tensor]:
        """Weights that are learned."""
        return [t for _, t, trained in self._all_weights() if trained]

    @property
    def non_trainable_weights(self) -> list[Tensor]:
        """Weights that are not learned."""
        return [t for _, t, trained in self._all_weights() if not trained]

    @property
    def weights(self) -> list[Tensor]:
        """All weights, in the order of `get_weights`: layer by layer."""
        return self._weights_in_order()

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """Copies of all weights as arrays, in the layers' order."""
        return [np.array(t.detach().numpy()) for t in self._weights_in_order()]

    def _weights_in_order(self) -> list[Tensor]:
        return [t for _, t, _ in self._all_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights with arrays, in the order of `get_weights`.

        Raises:
            StateError: for another number of arrays, or another shape; nothing is changed then.
        """
        targets = self._all_weights()
        arrays = [w.detach().numpy() if isinstance(w, Tensor) else np.asarray(w) for w in weights]
        if len(arrays) != len(targets):
            raise StateError(
                f"layer {self.name!r} has {len(targets)} weights, {len(arrays)} arrays were given",
                hint=self._hint_to_build(),
            )
        for (path, tensor, _), array in zip(targets, arrays, strict=True):
            if tuple(tensor.shape) != array.shape:
                raise StateError(
                    f"layer {self.name!r}: weight {path!r} has shape {show(tensor.shape)}, the array {show(array.shape)}"
                )
        with no_grad():
            for (_, tensor, _), array in zip(targets, arrays, strict=True):
                tensor.copy_(make_tensor(array, dtype=tensor.dtype))

    def _hint_to_build(self) -> str | None:
        return None if self.built else "the layer has no weights yet: call it on data or give it an input_shape first"

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(t.shape.numel() for t in self.weights)

    @property
    def losses(self) -> list[Tensor]:
        """The penalties on weights, as scalars."""
        found = []
        for module in self.modules():
            if isinstance(module, Weights) and module.trainable:
                found += [regularizer(weight) for weight, regularizer in module._regularized]
        return found
