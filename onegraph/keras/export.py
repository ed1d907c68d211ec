"""`Model.export`: a Keras model as a file for other runtimes.

Read next: `onegraph/onnx/export/function.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onegraph as og
from onegraph.errors import UninitializedError, UnsupportedError
from onegraph.keras.layers.symbolic import flatten


class _Called:
    """A model that takes its inputs one by one, and has the names of its weights."""

    def __init__(self, model: Any, arrange: Any) -> None:
        self._model, self._arrange = model, arrange
        self.modules, self.eval = model.modules, model.eval
        self.named_parameters, self.named_buffers = model.named_parameters, model.named_buffers
        self.__name__ = model.name

    def __call__(self, *tensors: Any) -> Any:
        return self._model(self._arrange(list(tensors)))


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(size is None or isinstance(size, int) for size in value)


def _shapes(value: Any) -> list[Any]:
    if _is_shape(value):
        return [tuple(value)]
    values = value.values() if isinstance(value, Mapping) else value
    return [shape for each in values for shape in _shapes(each)]


def export_model(model: Any, filepath: Any, format: str, verbose: bool | None, options: Mapping[str, Any]) -> None:
    """Write a model; see `Model.export`."""
    if format != "onnx":
        raise UnsupportedError(
            f"Model.export: format {format!r} is not written here", hint='format="onnx", or model.save(path)'
        )
    described = model._build_shape
    if described is None:
        raise UninitializedError(
            f"Model.export: {model.name!r} has not been built, so that the shape of its input is not known",
            hint="call it once, or model.build((None, ...))",
        )
    graph = getattr(model, "_graph", None)
    symbols = [] if graph is None else list(flatten(graph.inputs))
    shapes = _shapes(described)
    names = [s.name for s in symbols] if symbols else [f"input_{i}" for i in range(len(shapes))]
    dtypes = [s.dtype for s in symbols] or [og.float32] * len(shapes)
    axes = {
        name: {i: "batch" if i == 0 else f"size_{name}_{i}" for i, size in enumerate(shape) if size is None}
        for name, shape in zip(names, shapes, strict=True)
    }
    examples = [og.zeros(*[s or 2 for s in shape], dtype=d) for shape, d in zip(shapes, dtypes, strict=True)]
    if isinstance(described, Mapping):
        keys = list(described)
        called = _Called(model, lambda tensors: dict(zip(keys, tensors, strict=True)))
    else:
        single = _is_shape(described)
        called = _Called(model, lambda tensors: tensors[0] if single else tensors)
    og.onnx.export(called, tuple(examples), filepath, input_names=names, dynamic_axes=axes, verbose=verbose, **options)
