"""`Model` and `Sequential`: layers put together, with `compile` and `fit` (`training.py`).

Read next: `functional.py` (the graph of a functional model), `training.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, UninitializedError
from onegraph.keras.export import export_model
from onegraph.keras.functional import LayerGraph, graph_from_config
from onegraph.keras.layers.base import Layer, _plain, layers
from onegraph.keras.layers.core import InputLayer
from onegraph.keras.layers.symbolic import KerasTensor, flatten, map_structure
from onegraph.keras.legacy import ClassMethods, GeneratorMethods
from onegraph.keras.saving import load_model, load_weights, save_model, save_weights
from onegraph.keras.summary import print_summary
from onegraph.keras.training import Trainer

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json"]


class Model(Trainer, GeneratorMethods, Layer):
    """A model: of symbolic inputs and outputs, or a subclass that defines `call`.

    Args:
        inputs: a KerasTensor of `keras.Input`, or a list or dict of them.
        outputs: what layers made of them.
        name: of the model.

    >>> from onegraph import keras
    >>> x = keras.Input((4,))
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> model.output_shape
    (None, 2)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any) -> None:
        inputs, outputs = kwargs.pop("input", inputs), kwargs.pop("output", outputs)  # Keras 1's names
        super().__init__(name=name, **kwargs)
        self._init_training()
        self._graph: LayerGraph | None = None
        if inputs is not None:
            if outputs is None:
                raise ArgumentError("Model: give outputs along with inputs")
            self._set_graph(LayerGraph(inputs, outputs))

    def _set_graph(self, graph: LayerGraph) -> None:
        self._graph = graph
        self.built = True
        self._build_shape = map_structure_shapes(graph.inputs)
        for layer in graph.layers:
            self._modules[layer.name] = layer
            layer.__dict__["_scope"] = layer.name

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Call the layers."""
        if self._graph is None:
            raise ArgumentError(f"{type(self).__name__} has neither inputs and outputs nor a `call` method")
        return self._graph.run(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for a shape of the input."""
        return super().compute_output_shape(input_shape)

    # ---- parts

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return [m for m in self._modules.values() if isinstance(m, Layer)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or number.

        Raises:
            ArgumentError: lists the layers' names.
        """
        found = self.layers
        if index is not None:
            if not -len(found) <= index < len(found):
                raise ArgumentError(f"get_layer: there are {len(found)} layers, index {index} is none of them")
            return found[index]
        for layer in found:
            if layer.name == name:
                return layer
        raise ArgumentError(
            f"get_layer: no layer is called {name!r}; there are {', '.join(layer.name for layer in found)}"
        )

    def _symbolic(self, what: str) -> Any:
        if self._graph is None:
            raise UninitializedError(
                f"model {self.name!r} has no {what}: it has not been built",
                hint="give its first layer an input_shape, or call it on data",
            )
        return getattr(self._graph, what)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs."""
        return list(flatten(self._symbolic("inputs")))

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs."""
        return list(flatten(self._symbolic("outputs")))

    @property
    def input(self) -> Any:
        """The symbolic input, nested as the model is called."""
        return self._symbolic("inputs")

    @property
    def output(self) -> Any:
        """The symbolic output, nested as the model answers."""
        return self._symbolic("outputs")

    @property
    def input_shape(self) -> Any:
        """The shape of the input."""
        return map_structure_shapes(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        return map_structure_shapes(self.output)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [] if self._graph is None else [layer.name for layer in self._graph.input_layers]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: those of the layers that make them, or the keys of a dict."""
        if self._graph is None:
            return []
        if isinstance(self._graph.outputs, dict):
            return list(self._graph.outputs)
        return [t.name for t in flatten(self._graph.outputs)]

    def reset_states(self) -> None:
        """Let all recurrent layers that are stateful start the next batch from zeros."""
        for layer in self.modules():
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
                layer.reset_state()

    reset_state = reset_states

    # ---- looking, saving

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None, **ignored: Any
    ) -> None:
        """Print layers, output shapes and counts of weights."""
        print_summary(self, line_length, print_fn or print)

    def save(self, path: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Write architecture, weights, and the optimizer with its state; whole or not at all.

        A path that ends in `.keras` or `.h5` becomes a file that Keras reads, too (needs h5py); any other a folder.
        """
        save_model(self, path, overwrite, include_optimizer)

    def export(self, filepath: Any, format: str = "onnx", verbose: bool | None = None, **options: Any) -> None:
        """Write the model for other runtimes, with Keras' name: any batch size, for evaluation.

        Args:
            filepath: the file.
            format: "onnx"; Keras' other formats belong to TensorFlow, LiteRT and OpenVINO.
            verbose: print the graph.
            options: of `og.onnx.export`, such as `opset_version`.

        Raises:
            UnsupportedError: another format; the package `onnx` is missing.
            UninitializedError: the model has not been built yet.
        """
        export_model(self, filepath, format, verbose, options)

    def save_weights(self, path: Any, overwrite: bool = True) -> None:
        """Write the weights: as Keras does for names that end in `.h5` or `.weights.h5`, else into a safetensors file."""
        save_weights(self, path, overwrite)

    def load_weights(self, path: Any, by_name: bool = False, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights`, `save` or Keras wrote.

        Args:
            path: a file (.h5, .weights.h5 and .keras are Keras' own) or a folder.
            by_name: only those whose names this model has.
            skip_mismatch: leave layers out whose shapes differ (Keras' files).
        """
        load_weights(self, path, by_name, skip_mismatch)

    def to_json(self, **options: Any) -> str:
        """The architecture as JSON."""
        import json

        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **options)

    def get_config(self) -> dict[str, Any]:
        """The architecture as JSON can hold it."""
        if self._graph is not None and type(self) is Model:
            return {"name": self.name, **self._graph.get_config()}
        return super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model from its architecture, with new weights."""
        if "layers" in config and "outputs" in config:
            inputs, outputs = graph_from_config(config)
            return cls(inputs, outputs, name=config["name"])
        return super().from_config(config)


Functional = Model


def map_structure_shapes(tensors: Any) -> Any:
    """The shape of a KerasTensor, or of each in a list or dict."""
    return map_structure(lambda t: t.shape, tensors)


class Sequential(ClassMethods, Model):
    """Layers called one after the other.

    Args:
        layers: a list of layers.
        name: of the model.

    >>> from onegraph.keras import Sequential, Dense
    >>> model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(1)])
    >>> model.output_shape, model.count_params()
    ((None, 1), 49)
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.__dict__["_sequence"] = []
        self._input: Any = None
        self._output: KerasTensor | None = None
        if layers is not None:
            for layer in layers if isinstance(layers, (list, tuple)) else [layers]:
                self.add(layer)

    def add(self, layer: Any) -> None:
        """Add a layer at the end.

        Args:
            layer: a layer, or a `keras.Input` at the beginning.
        """
        layer = getattr(layer, "layer", layer) if isinstance(layer, KerasTensor) else layer
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                f"Sequential.add: expected a layer, got {layer!r:.60}",
                hint="write Dense(10), not Dense; a function goes in Lambda(function)",
            )
        if isinstance(layer, InputLayer):
            if self._sequence or self._input is not None:
                raise ArgumentError("Sequential.add: an Input must come first")
            self._start(layer)
            return
        if any(layer.name == other.name for other in self._sequence):
            raise ArgumentError(f"Sequential.add: a layer is already called {layer.name!r}; names must differ")
        if getattr(layer, "branches", None) and not self._sequence:
            self._start_with_branches(layer)
            return
        if not self._sequence and self._input is None:
            shape = layer._batch_input_shape
            if (
                shape is None
                and isinstance(layer, Model)
                and layer._graph is not None
                and isinstance(layer.input, KerasTensor)
            ):
                shape = layer.input.shape
            if shape is not None:
                self._start(InputLayer(batch_shape=shape, name=f"{layer.name}_input"))
        if self._output is not None:
            output = layer(self._output)
            if not isinstance(output, KerasTensor):
                raise ArgumentError(
                    f"Sequential.add: layer {layer.name!r} has several outputs; use keras.Model for that"
                )
            self._output = output
        self._sequence.append(layer)
        self._modules[layer.name] = layer
        layer.__dict__["_scope"] = layer.name
        self._refresh()

    def _start_with_branches(self, layer: Any) -> None:
        """Begin with Keras 1's `Merge` of several models: their inputs are this one's."""
        self._input = [tensor for branch in layer.branches for tensor in branch.inputs]
        self._output = layer([branch.output for branch in layer.branches])
        self._sequence.append(layer)
        self._refresh()

    def pop(self) -> Layer:
        """Take the last layer out."""
        if not self._sequence:
            raise ArgumentError("Sequential.pop: there are no layers")
        layer: Layer = self._sequence.pop()
        del self._modules[layer.name]
        if self._output is not None and self._output.connection is not None:
            (self._output,) = self._output.connection.inputs
        self._refresh()
        return layer

    def _start(self, layer: InputLayer) -> None:
        self._input = self._output = layer.tensor

    def _refresh(self) -> None:
        self._forget_functions()
        if self._output is not None and self._sequence:
            self._graph = LayerGraph(self._input, self._output)
            self.built = True
            self._build_shape = map_structure_shapes(self._graph.inputs)
            if isinstance(self._input, list):  # the layers of several models
                for layer in self._graph.layers:
                    self._modules[layer.name] = layer
                    layer.__dict__["_scope"] = layer.name
        else:
            self._graph, self.built = None, False

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of all layers."""
        if input_shape is None:
            raise ArgumentError("Sequential.build: give an input_shape, with the batch: (None, 784)")
        if not self._sequence:
            raise ArgumentError("a Sequential model needs at least one layer", hint="model.add(Dense(10))")
        self._start(InputLayer(batch_shape=tuple(input_shape), name=f"{self._sequence[0].name}_input"))
        for layer in self._sequence:
            self._output = layer(self._output)
        self._refresh()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Call the layers one after the other."""
        if self._graph is not None and isinstance(self._input, list):
            return self._graph.run(inputs)
        if isinstance(inputs, dict) or (isinstance(inputs, (list, tuple)) and len(inputs) == 1):
            (inputs,) = flatten(inputs)
        for layer in self._sequence:
            inputs = layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers in their order."""
        return list(self._sequence)

    def get_config(self) -> dict[str, Any]:
        """The architecture as JSON can hold it."""
        described = [{"class_name": type(layer).__name__, "config": layer.get_config()} for layer in self._sequence]
        shape = None if self._input is None else list(self._input.shape)
        kind = None if self._input is None else self._input.dtype.name
        return {"name": self.name, "layers": described, "batch_input_shape": shape, "input_dtype": kind}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model from its architecture, with new weights."""
        model = cls(name=config["name"])
        if config.get("batch_input_shape") is not None:
            model.add(InputLayer(batch_shape=config["batch_input_shape"], dtype=config.get("input_dtype")))
        for entry in config["layers"]:
            model.add(layers.deserialize(entry))
        return model


def clone_model(model: Model) -> Any:
    """A model of the same architecture with new layers and new weights."""
    return type(model).from_config(_plain(model.get_config()))


def model_from_json(text: str, custom_objects: Any = None) -> Any:
    """A model from what `to_json` gave."""
    import json

    from onegraph.keras.registry import custom_object_scope

    with custom_object_scope(custom_objects):
        return layers.deserialize(json.loads(text))
