"""Descriptions of models as Keras 3 reads them from `config.json`: class, module and arguments of each layer, and the calls.

Read next: `keras_config.py` (the way back), `keras_files.py` (the files they stand in).
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import UnsupportedError
from onegraph.keras import constraints, initializers, registry, regularizers
from onegraph.keras.layers.base import layers
from onegraph.keras.layers.symbolic import flatten

# Arguments that Keras 3 does not take, at all or in one layer, and the values that mean nothing.
_OURS: dict[str, tuple[Any, ...]] = {
    "input_dim": (None,),
    "input_length": (None,),
    "zero_output_for_mask": (False,),
    "weights": (None,),
    "data_format": (None,),
    "BatchNormalization.mode": (0, None),
    "Embedding.dropout": (0.0, None),
}
_ARITHMETIC = {
    "add": "Add",
    "sub": "Subtract",
    "mul": "Multiply",
    "truediv": "TrueDivide",
    "pow": "Power",
    "matmul": "Matmul",
}
# Operations of tensors alone, whose class in Keras has their name, and takes no arguments.
_ALONE = ("absolute", "cos", "exp", "log", "negative", "sin", "sqrt", "square", "tanh")
_PAIRS = ("add", "subtract", "multiply", "divide", "true_divide", "power", "matmul", "maximum", "minimum")
_Shapes = dict[tuple[Any, ...], tuple[list[Any], str]]


def describe(model: Any) -> dict[str, Any]:
    """A model as Keras describes it.

    Raises:
        UnsupportedError: a part of it cannot be described as data, or Keras has no such layer.
    """
    return _layer({"class_name": type(model).__name__, "config": model.get_config()}, model)


def _modules() -> list[tuple[str, dict[str, Any]]]:
    from onegraph.keras import losses, metrics, optimizers
    from onegraph.keras.optimizers import schedules

    return [
        ("keras.initializers", initializers.initializers.known),
        ("keras.regularizers", regularizers.regularizers.known),
        ("keras.constraints", constraints.constraints.known),
        ("keras.optimizers", optimizers.optimizers.known),
        ("keras.optimizers.schedules", schedules.schedules.known),
        ("keras.losses", losses.losses.known),
        ("keras.metrics", metrics.metrics.known),
    ]


def values(value: Any) -> Any:
    """A value with the objects in it, as Keras writes them."""
    if isinstance(value, (list, tuple)):
        return [values(v) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"class_name", "config"}:
        return {k: values(v) for k, v in value.items()}
    kind = value["class_name"]
    if kind in layers.known or _is_layer(kind):
        return _layer(value)
    for module, known in _modules():
        if kind in known and kind not in registry._custom:
            return _object(module, known[kind].__name__, values(value["config"]))
    return _own(kind, values(value["config"]))


def _is_layer(kind: str) -> bool:
    from onegraph.keras.layers.base import Layer

    found = registry._custom.get(kind)
    return isinstance(found, type) and issubclass(found, Layer)


def _object(module: str, kind: str, config: Any, registered: str | None = None) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": registered}


def _own(kind: str, config: Any) -> dict[str, Any]:
    """An object of the user's, whom Keras asks for it by the name that it was registered with."""
    found = registry._custom.get(kind)
    names = [name for name, other in registry._custom.items() if other is found and ">" in name]
    module = getattr(found, "__module__", None)
    return _object(str(module), kind, config, names[0] if names else kind)


def _layer(entry: dict[str, Any], layer: Any = None) -> dict[str, Any]:
    """A layer's description; `layer`, where it is at hand, tells the shapes of a model's tensors."""
    kind, config = entry["class_name"], entry["config"]
    if kind == "Sequential":
        return _sequential(config, layer)
    if "layers" in config and "outputs" in config:
        return _functional(kind, config, layer)
    name = config.get("name")
    if kind == "InputLayer":
        return _object("keras.layers", kind, _input(config))
    given = {k: values(v) for k, v in config.items()}
    for place, nothing in _OURS.items():
        owner, _, key = place.rpartition(".")
        if key not in given or owner not in ("", kind):
            continue
        if given[key] in nothing:
            del given[key]
        elif owner:
            raise UnsupportedError(
                f"layer {name!r} ({kind}): Keras 3 has no argument {key!r}", hint="save into a folder"
            )
    if kind in registry._custom or kind not in layers.known:
        return _own(kind, given)
    if kind == "Lambda":
        raise UnsupportedError(
            f"layer {name!r} (Lambda) cannot be written into a file of Keras",
            hint="save into a folder (a path without an ending), or make it a layer of its own",
        )
    if layers.known[kind].__name__ != kind or kind in ("Arithmetic", "GetItem", "OperationLayer"):
        raise UnsupportedError(f"layer {name!r} ({kind}) does not exist in Keras 3", hint="save into a folder")
    kind = "GroupQueryAttention" if kind == "GroupedQueryAttention" else kind  # Keras' public name
    return _object("keras.layers", kind, given)


def _input(config: dict[str, Any]) -> dict[str, Any]:
    shape = config.get("batch_shape")
    if shape is None:
        shape = [config.get("batch_size"), *_as_list(config["shape"])]
    kind = config.get("dtype") or "float32"
    return {
        "batch_shape": list(shape),
        "dtype": kind,
        "sparse": False,
        "ragged": False,
        "name": config["name"],
        "optional": bool(config.get("optional")),
    }


def _as_list(value: Any) -> list[Any]:
    return [value] if isinstance(value, int) else list(value)


def _sequential(config: dict[str, Any], model: Any) -> dict[str, Any]:
    members = {} if model is None else {layer.name: layer for layer in model.layers}
    described = [_layer(entry, members.get(entry["config"].get("name"))) for entry in config["layers"]]
    shape = config.get("batch_input_shape")
    if shape is not None:
        tensor = None if model is None else model._input
        name = getattr(tensor, "name", None) or f"{config['name']}_input"
        given = {"batch_shape": shape, "dtype": config.get("input_dtype"), "name": name}
        described.insert(0, _object("keras.layers", "InputLayer", _input(given)))
    own = {"name": config["name"], "trainable": True, "dtype": "float32", "layers": described}
    if shape is not None:
        own["build_input_shape"] = list(shape)
    return _object("keras", "Sequential", own)


# ---- functional models


def _functional(kind: str, config: dict[str, Any], model: Any) -> dict[str, Any]:
    shapes = _shapes(model)
    members = {} if model is None else {layer.name: layer for layer in model.layers}
    described = []
    for entry in config["layers"]:
        name = entry["config"]["name"]
        calls = entry["calls"]
        if entry["class_name"] in ("Arithmetic", "OperationLayer"):
            layer, calls = _operation(entry)
        else:
            layer = _layer({k: entry[k] for k in ("class_name", "config")}, members.get(name))
        nodes = [{key: _tensors(call[key], shapes) for key in ("args", "kwargs")} for call in calls]
        described.append({**layer, "name": name, "inbound_nodes": nodes})
    own = {
        "name": config["name"],
        "trainable": True,
        "layers": described,
        "input_layers": _ends(config["inputs"]),
        "output_layers": _ends(config["outputs"]),
    }
    if kind in ("Model", "Functional"):
        return _object("keras.src.models.functional", "Functional", own, "Functional")
    return _own(kind, own)


def _shapes(model: Any) -> _Shapes:
    graph = getattr(model, "_graph", None)
    if graph is None:
        return {}
    found: _Shapes = {}
    tensors = [*flatten(graph.inputs), *[t for c in graph.connections for t in flatten(c.outputs)]]
    places = graph._places()
    for tensor in tensors:
        found[tuple(places[id(tensor)])] = list(tensor.shape), tensor.dtype.name
    return found


def _tensors(value: Any, shapes: _Shapes) -> Any:
    if isinstance(value, list):
        return [_tensors(v, shapes) for v in value]
    if isinstance(value, dict) and set(value) == {"tensor"}:
        shape, kind = shapes.get(tuple(value["tensor"]), ([], "float32"))
        config = {"shape": shape, "dtype": kind, "keras_history": value["tensor"]}
        return {"class_name": "__keras_tensor__", "config": config}
    return {k: _tensors(v, shapes) for k, v in value.items()} if isinstance(value, dict) else value


def _ends(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"tensor"}:
        return value["tensor"]
    return {k: _ends(v) for k, v in value.items()} if isinstance(value, dict) else [_ends(v) for v in value]


def _operation(entry: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """An operator on tensors as an object of Keras' class for it, and its calls."""
    config, calls = entry["config"], entry["calls"]
    name = config["name"]
    if entry["class_name"] == "Arithmetic":
        kind = _ARITHMETIC[config["op"]]
        made = []
        for call in calls:
            (given,) = call["args"]
            pair = list(given) if isinstance(given, list) else [given, config["number"]]
            made.append({"args": pair[::-1] if config.get("reflected") else pair, "kwargs": {}})
        return _object("keras.src.ops.numpy", kind, {"name": name}, kind), made
    if config["operation"] not in (*_ALONE, *_PAIRS) or any(call["kwargs"] for call in calls):
        raise UnsupportedError(
            f"operation {name!r} (keras.ops.{config['operation']}) cannot be written into a file of Keras",
            hint="save into a folder: a path without an ending",
        )
    kind = config["operation"].title().replace("_", "")
    return _object("keras.src.ops.numpy", kind, {"name": name}, kind), calls
