"""`plot_model`: a model's layers as a picture, through Graphviz; its text form needs nothing."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.keras.layers.symbolic import flatten, map_structure


class Dot:
    """A graph in Graphviz' language.

    Attributes:
        source: its text.
    """

    def __init__(self, source: str, dpi: int) -> None:
        self.source, self.dpi = source, dpi

    def to_string(self) -> str:
        """The text."""
        return self.source

    __str__ = to_string

    def create(self, prog: str = "dot", format: str = "png") -> bytes:
        """A picture.

        Raises:
            UnsupportedError: Graphviz is not installed.
        """
        program = shutil.which(prog)
        if program is None:
            raise UnsupportedError(
                f"drawing a {format} picture needs Graphviz' program {prog!r}, which is not installed",
                hint="install Graphviz (graphviz.org), or write the text with to_file='model.dot'",
            )
        done = subprocess.run([program, f"-T{format}"], input=self.source.encode(), capture_output=True, check=False)
        if done.returncode:
            raise UnsupportedError(f"{prog} failed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def write(self, path: Any, prog: str = "dot", format: str | None = None) -> None:
        """Write the picture, or the text for .dot and .gv."""
        ending = format or Path(path).suffix.lstrip(".") or "png"
        content = self.source.encode() if ending in ("dot", "gv", "raw") else self.create(prog, ending)
        Path(path).write_bytes(content)


def _shapes(tensors: Any) -> str:
    found = map_structure(lambda t: t.shape, tensors)
    return str(found[0] if isinstance(found, list) and len(found) == 1 else found)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Dot:
    """A model's layers and connections in Graphviz' language.

    Args:
        model: a functional or a built Sequential model.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what boxes tell.
        rankdir: 'TB' from top to bottom, 'LR' from left to right.
        expand_nested: draw the layers of models inside.
        dpi: of pictures.
    """
    if model._graph is None:
        raise ArgumentError(
            f"model {model.name!r} has no graph to draw", hint="give its first layer an input_shape, or call it on data"
        )
    lines = ["digraph G {", f"  graph [rankdir={rankdir}, dpi={dpi}, splines={splines}];", "  node [shape=box];"]
    edges: list[str] = []
    shown = {"shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "nested": expand_nested}
    shown.update(active=show_layer_activations, trained=show_trainable)
    _draw(model, lines, edges, "", shown)
    return Dot("\n".join([*lines, *edges, "}"]) + "\n", dpi)


def _label(layer: Any, made: list[Any], shown: dict[str, bool]) -> str:
    rows = [f"{layer.name} ({type(layer).__name__})" if shown["names"] else type(layer).__name__]
    if shown["active"] and getattr(layer, "activation", None) is not None:
        rows.append(f"activation: {getattr(layer.activation, '__name__', layer.activation)}")
    if shown["shapes"] and made[0] is not None:
        rows.append(f"output: {_shapes(made)}")
    if shown["dtype"] and made[0] is not None:
        rows.append(f"dtype: {made[0].dtype.name}")
    if shown["trained"]:
        rows.append("trainable" if layer.trainable else "not trainable")
    return "<br/>".join(html.escape(row) for row in rows)


def _draw(model: Any, lines: list[str], edges: list[str], prefix: str, shown: dict[str, bool]) -> None:
    graph = model._graph
    number: dict[Any, str] = {}
    outputs: dict[Any, list[Any]] = {}
    for connection in graph.connections:
        outputs.setdefault(connection.layer, []).extend(flatten(connection.outputs))
    for layer in graph.layers:
        number[layer] = f"{prefix}n{len(number)}"
        label = _label(layer, outputs.get(layer) or [getattr(layer, "tensor", None)], shown)
        if shown["nested"] and getattr(layer, "_graph", None) is not None:
            lines.append(f"  subgraph cluster_{number[layer]} {{ label=<{label}>;")
            _draw(layer, lines, edges, f"{number[layer]}_", shown)
            lines.append(f"    {number[layer]} [label=<{html.escape(layer.name)}>]; }}")
        else:
            lines.append(f"  {number[layer]} [label=<{label}>];")
    source = {id(t): layer for t, layer in zip(flatten(graph.inputs), graph.input_layers, strict=True)}
    for connection in graph.connections:
        for tensor in connection.inputs:
            before = source.get(id(tensor))
            if before is None and tensor.connection is not None:
                before = tensor.connection.layer
            if before in number:
                edges.append(f"  {number[before]} -> {number[connection.layer]};")


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Write a picture of a model: PNG, SVG, PDF, or Graphviz' text for .dot; arguments as for `model_to_dot`.

    Returns:
        In a notebook the picture; else None.

    Raises:
        UnsupportedError: Graphviz is needed and not installed.
    """
    dot = model_to_dot(
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
        show_layer_activations=show_layer_activations, show_trainable=show_trainable, splines=splines,
    )  # fmt: skip
    dot.write(to_file)
    try:
        from IPython import get_ipython
        from IPython.display import Image
    except ImportError:
        return None
    picture = get_ipython() is not None and os.fspath(to_file).endswith((".png", ".jpg"))
    return Image(filename=os.fspath(to_file)) if picture else None
