"""The graph of a functional model: the connections of layers between its inputs and its outputs.

Read next: `models.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.keras.layers.base import Layer, _plain, layers
from onegraph.keras.layers.core import InputLayer
from onegraph.keras.layers.symbolic import Connection, KerasTensor, flatten, map_structure


class LayerGraph:
    """Connections in the order in which they run.

    Args:
        inputs: KerasTensors, nested as the model is called.
        outputs: KerasTensors, nested as the model answers.

    Raises:
        ArgumentError: an output depends on an input that is not listed, or two layers have one name.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = inputs, outputs
        for tensor in (*flatten(inputs), *flatten(outputs)):
            if not isinstance(tensor, KerasTensor):
                raise ArgumentTypeError(
                    f"Model: inputs and outputs must come from keras.Input and layers called on it, got {type(tensor).__name__}"
                )
        self.input_layers = [_input_layer(t) for t in flatten(inputs)]
        self.connections = self._order()
        self.layers: list[Layer] = self._layer_order()
        names = [layer.name for layer in self.layers]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ArgumentError(f"layer names must differ within a model; used twice: {', '.join(twice)}")

    def _order(self) -> list[Connection]:
        known = {id(t) for t in flatten(self.inputs)}
        order: dict[Connection, None] = {}
        todo = [(t, False) for t in reversed(list(flatten(self.outputs)))]
        while todo:
            tensor, ready = todo.pop()
            if id(tensor) in known:
                continue
            connection = tensor.connection
            if connection is None:
                raise ArgumentError(
                    f"Model: the outputs depend on input {tensor.name!r} of shape {tensor.shape}, which is not among the model's inputs"
                )
            if connection in order:
                continue
            if ready:
                order[connection] = None
            else:
                todo.append((tensor, True))
                todo += [(t, False) for t in reversed(connection.inputs)]
        return list(order)

    def _layer_order(self) -> list[Layer]:
        """The layers in Keras' order: the further from the outputs the earlier, then as met on the way from the outputs."""
        sources = dict(zip([id(t) for t in flatten(self.inputs)], self.input_layers, strict=True))
        depth: dict[Layer, int] = dict.fromkeys(self.input_layers, 0)
        far: dict[Connection, int] = {}
        for connection in reversed(self.connections):
            own = max(far.get(connection, 0), depth.get(connection.layer, 0))
            depth[connection.layer] = own
            for tensor in connection.inputs:
                source = sources.get(id(tensor))
                if source is not None:
                    depth[source] = max(depth[source], own + 1)
                elif tensor.connection is not None:
                    far[tensor.connection] = max(far.get(tensor.connection, 0), own + 1)
        met: dict[Layer, None] = {}
        todo, seen = list(reversed(list(flatten(self.outputs)))), set()
        while todo:
            tensor = todo.pop()
            source = sources.get(id(tensor))
            if source is not None:
                met.setdefault(source)
            elif tensor.connection is not None and tensor.connection not in seen:
                seen.add(tensor.connection)
                met.setdefault(tensor.connection.layer)
                todo += reversed(tensor.connection.inputs)
        for layer in self.input_layers:
            met.setdefault(layer)
        return sorted(met, key=lambda layer: -depth[layer])

    def run(self, inputs: Any) -> Any:
        """Call the layers on values."""
        given = self.match(inputs)
        values = {id(t): v for t, v in zip(flatten(self.inputs), given, strict=True)}

        def value_of(item: Any) -> Any:
            return values[id(item)] if isinstance(item, KerasTensor) else item

        for connection in self.connections:
            result = connection.layer(
                *map_structure(value_of, connection.args), **map_structure(value_of, connection.kwargs)
            )
            for tensor, value in zip(flatten(connection.outputs), flatten(result), strict=True):
                values[id(tensor)] = value
        return map_structure(value_of, self.outputs)

    def match(self, inputs: Any) -> list[Any]:
        """The values in the order of the inputs; a dict is matched by the inputs' names."""
        names = [layer.name for layer in self.input_layers]
        if isinstance(inputs, dict):
            keys = list(self.inputs) if isinstance(self.inputs, dict) else names
            missing = [k for k in keys if k not in inputs]
            if missing:
                raise ArgumentError(f"the model's inputs are {', '.join(keys)}; missing: {', '.join(missing)}")
            return [inputs[k] for k in keys]
        given = list(flatten(inputs))
        if len(given) != len(names):
            raise ArgumentError(f"the model has {len(names)} inputs ({', '.join(names)}), {len(given)} were given")
        return given

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        """Layers and connections as JSON can hold them."""
        places = self._places()
        described = []
        for layer in self.layers:
            own = [c for c in self.connections if c.layer is layer]
            calls = [{"args": _describe(list(c.args), places), "kwargs": _describe(c.kwargs, places)} for c in own]
            described.append({"class_name": type(layer).__name__, "config": layer.get_config(), "calls": calls})
        return {
            "layers": described,
            "inputs": _describe(self.inputs, places),
            "outputs": _describe(self.outputs, places),
        }

    def _places(self) -> dict[int, list[Any]]:
        places: dict[int, list[Any]] = {}
        calls: dict[Layer, int] = {}
        for tensor, layer in zip(flatten(self.inputs), self.input_layers, strict=True):
            places[id(tensor)] = [layer.name, 0, 0]
        for connection in self.connections:
            number = calls.get(connection.layer, 0)
            calls[connection.layer] = number + 1
            for i, tensor in enumerate(flatten(connection.outputs)):
                places[id(tensor)] = [connection.layer.name, number, i]
        return places


def _input_layer(tensor: KerasTensor) -> Layer:
    layer: Layer | None = getattr(tensor, "layer", None)
    if layer is None:  # a model that starts inside another
        layer = InputLayer(input_tensor=tensor)
    return layer


def _describe(value: Any, places: dict[int, list[Any]]) -> Any:
    if isinstance(value, KerasTensor):
        return {"tensor": places[id(value)]}
    if isinstance(value, (list, tuple)):
        return [_describe(v, places) for v in value]
    if isinstance(value, dict):
        return {k: _describe(v, places) for k, v in value.items()}
    return _plain(value)


def graph_from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs that `get_config` described, with new layers."""
    made = {entry["config"]["name"]: layers.deserialize(entry) for entry in config["layers"]}
    tensors: dict[tuple[str, int, int], KerasTensor] = {}
    waiting: list[tuple[str, int, dict[str, Any]]] = []
    for entry in config["layers"]:
        name = entry["config"]["name"]
        if isinstance(made[name], InputLayer):
            tensors[(name, 0, 0)] = made[name].tensor
        waiting += [(name, i, call) for i, call in enumerate(entry["calls"])]

    def is_place(value: Any) -> bool:
        return isinstance(value, dict) and set(value) == {"tensor"}

    def find(value: Any) -> Any:
        if is_place(value):
            return tensors[tuple(value["tensor"])]
        if isinstance(value, list):
            return [find(v) for v in value]
        return {k: find(v) for k, v in value.items()} if isinstance(value, dict) else value

    while waiting:
        later = []
        for name, number, call in waiting:
            try:
                args, kwargs = find(call["args"]), find(call["kwargs"])
            except KeyError:  # an input that is made by a call further down
                later.append((name, number, call))
                continue
            for i, tensor in enumerate(flatten(made[name](*args, **kwargs))):
                tensors[(name, number, i)] = tensor
        if len(later) == len(waiting):
            raise ArgumentError(
                "the description of the model is broken: layers "
                + ", ".join(sorted({w[0] for w in later}))
                + " cannot be reached"
            )
        waiting = later
    return find(config["inputs"]), find(config["outputs"])
