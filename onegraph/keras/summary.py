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
    shown = model._graph.layers if model._graph is not None and branching else model.layers
    titles = ["Layer (type)", "Output Shape", "Param #", "Connected to"][: 4 if branching else 3]
    rows = [titles, *(row for layer in shown for row in _rows(layer, model, branching))]
    shares = (0.33, 0.55, 0.67, 1.0) if branching else (0.45, 0.85, 1.0)
    length = line_length or (98 if branching else 65)
    columns = [int(length * s) for s in shares]
    if line_length is None:  # as wide as the longest name needs, so that nothing is cut
        columns = _widened(columns, rows)
        length = columns[-1]
    print_fn(f'Model: "{model.name}"')
    print_fn("_" * length)
    print_fn(_row(titles, columns))
    print_fn("=" * length)
    for row in rows[1:]:
        print_fn(_row(row, columns))
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
        room = end if end == columns[-1] else end - 1
        line = (f"{line} {field}" if field or line else "")[:room].ljust(end)
    return line.rstrip()


def _widened(columns: list[int], rows: list[list[str]]) -> list[int]:
    """Where columns end, each at least as wide as its longest field, with a space around."""
    ends, end, before = [], 0, 0
    for i, usual in enumerate(columns):
        end += max(usual - before, max(len(row[i]) for row in rows) + 2)
        before = usual
        ends.append(end)
    return ends


def _rows(layer: Any, model: Any, branching: bool) -> list[list[str]]:
    """The fields of a layer's lines: one line, and one more for each further layer that it is connected to."""
    fields = [f"{layer.name} ({type(layer).__name__})", _shape(layer), f"{layer.count_params():,}"]
    if not branching:
        return [fields]
    sources = _sources(layer, model)
    return [[*fields, sources[0] if sources else ""], *(["", "", "", source] for source in sources[1:])]


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
