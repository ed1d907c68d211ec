"""`model.summary()`: a table of layers, output shapes and counts of weights, laid out as Keras does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import UninitializedError
from onegraph.keras.layers.symbolic import KerasTensor, flatten


def print_summary(model: Any, line_length: int | None, print_fn: Callable[[str], Any]) -> None:
    """Print the table.

    Raises:
        UninitializedError: the model has no weights yet, because the shape of its input is unknown.
    """
    if not model.built:
        raise UninitializedError(
            f"model {model.name!r} has not been built, so it has no weights to count",
            hint="give the first layer an input_shape, call build(input_shape), or call the model on data",
        )
    branching = model._graph is not None and any(len(c.inputs) != 1 for c in model._graph.connections)
    length = line_length or (98 if branching else 65)
    shares = (0.33, 0.55, 0.67, 1.0) if branching else (0.45, 0.85, 1.0)
    columns = [int(length * s) for s in shares]
    titles = ["Layer (type)", "Output Shape", "Param #", "Connected to"][: len(columns)]
    print_fn(f'Model: "{model.name}"')
    print_fn("_" * length)
    print_fn(_row(titles, columns))
    print_fn("=" * length)
    shown = model._graph.layers if model._graph is not None and branching else model.layers
    for layer in shown:
        for line in _lines(layer, model, branching, columns):
            print_fn(line)
    print_fn("=" * length)
    trained = sum(t.shape.numel() for t in model.trainable_weights)
    total = model.count_params()
    print_fn(f"Total params: {total:,}")
    print_fn(f"Trainable params: {trained:,}")
    print_fn(f"Non-trainable params: {total - trained:,}")
    print_fn("_" * length)


def _row(fields: list[str], columns: list[int]) -> str:
    line = ""
    for field, end in zip(fields, columns, strict=True):
        line = (f"{line} {field}" if field or line else "")[: end - 1].ljust(end)
    return line.rstrip()


def _lines(layer: Any, model: Any, branching: bool, columns: list[int]) -> list[str]:
    fields = [f"{layer.name} ({type(layer).__name__})", _shape(layer), f"{layer.count_params()}"]
    if not branching:
        return [_row(fields, columns)]
    sources = _sources(layer, model)
    lines = [_row([*fields, sources[0] if sources else ""], columns)]
    return lines + [_row(["", "", "", s], columns) for s in sources[1:]]


def _shape(layer: Any) -> str:
    tensor = getattr(layer, "tensor", None)
    if isinstance(tensor, KerasTensor):
        return f"[{tensor.shape}]"
    if layer._connections:
        shapes = list(dict.fromkeys(str(t.shape) for c in layer._connections for t in flatten(c.outputs)))
        return shapes[0] if len(shapes) == 1 else "multiple"
    return "?"


def _sources(layer: Any, model: Any) -> list[str]:
    found = []
    for connection in model._graph.connections:
        if connection.layer is layer:
            for tensor in connection.inputs:
                outputs = [tensor] if tensor.connection is None else list(flatten(tensor.connection.outputs))
                position = next(i for i, t in enumerate(outputs) if t is tensor)
                number = (
                    0 if tensor.connection is None else tensor.connection.layer._connections.index(tensor.connection)
                )
                found.append(f"{tensor.name}[{number}][{position}]")
    return found
