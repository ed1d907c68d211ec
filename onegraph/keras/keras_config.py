"""Descriptions of models as Keras 3 writes them into `config.json`, turned into onegraph's, without running anything.

Layers come out of the registry alone; what Keras would unpack into code is refused by name. Descriptions of Keras 2 (the
`model_config` of a `.h5`) are read, too. Read next: `keras_description.py` (the way back), `keras_files.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onegraph.errors import ArgumentError, StorageError, UnsupportedError
from onegraph.keras import constraints, initializers, registry, regularizers
from onegraph.keras.backend import snake_case
from onegraph.keras.layers.base import layers
from onegraph.keras.layers.configuration import constructor_names

_POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy")
_SMALL = (initializers.initializers, regularizers.regularizers, constraints.constraints)
# Arguments that onegraph has no use for, whatever they say.
_IGNORED = {"quantization_config", "build_config", "shared_object_id", "renorm_momentum", "batch_input_shape", "seed"}
_FUNCTIONAL = ("Functional", "Model")
_CALLED_OTHERWISE = {"GroupQueryAttention": "GroupedQueryAttention"}  # Keras' class, and its public name


def model_entry(entry: Any) -> dict[str, Any]:
    """Our description of a model, for Keras' one.

    Raises:
        StorageError: it is no description of a model.
        UnsupportedError: it holds code, or an operation that is not there.
        ArgumentError: a class or an argument is not known; the message names the layer.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping):
        raise StorageError("there is no description of a model in it")
    return _layer(entry)


def plain(value: Any, where: str) -> Any:
    """A value of a description: objects as class name and configuration."""
    if isinstance(value, (list, tuple)):
        return [plain(v, where) for v in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {k: plain(v, where) for k, v in value.items()}
    kind, config = str(value["class_name"]), value.get("config")
    if kind == "__keras_tensor__":
        return {"tensor": list(config["keras_history"])}  # type: ignore[index]
    if kind == "__lambda__":
        raise UnsupportedError(
            f"{where} holds a function as code, which is not run",
            hint="build the model with its own code and load_weights from the file",
        )
    if kind in ("__tensor__", "__numpy__"):
        return config["value"]  # type: ignore[index]
    if kind.startswith("__"):
        raise UnsupportedError(f"{where} holds a {kind.strip('_')}, which cannot be read from a file of Keras")
    if kind == "function":
        return _own_name(value, str(config))
    if kind in _POLICIES:
        return config["name"]  # type: ignore[index]
    if _is_layer(value, kind):
        return _layer(value)
    given = {k: plain(v, where) for k, v in (config or {}).items() if k != "shared_object_id"}
    return {"class_name": _own_name(value, kind), "config": _accepted(kind, given)}


def _own_name(value: Mapping[str, Any], name: str) -> str:
    """The name under which a class or function is known here: with its package, if it was registered with one."""
    registered = value.get("registered_name")
    return registered if isinstance(registered, str) and registered in registry._custom else name


def _is_layer(value: Mapping[str, Any], kind: str) -> bool:
    module = str(value.get("module") or "")
    return kind in layers.known and (module in ("", "keras") or "layers" in module or "models" in module)


def _accepted(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments without those that are not set and not known here, such as `input_axes` of an initializer."""
    for table in _SMALL:
        found = table.known.get(kind)
        if isinstance(found, type):
            names = constructor_names(found)
            return {k: v for k, v in given.items() if k in names or v is not None}
    return given


def _layer(entry: Mapping[str, Any]) -> dict[str, Any]:
    kind, config = str(entry["class_name"]), entry["config"]
    name = config.get("name") or entry.get("name")
    where = f"layer {name!r} ({kind})"
    if kind == "Lambda":
        _refuse_code(config, where)
    if "layers" in config and ("output_layers" in config or kind in _FUNCTIONAL):
        return _functional(kind, config)
    if kind == "Sequential":
        return _sequential(entry, config)
    known = _own_name(entry, _CALLED_OTHERWISE.get(kind, kind))
    found = layers.find(known)
    given = {k: plain(v, where) for k, v in config.items()}
    if kind == "InputLayer" and "batch_shape" not in given:
        given["batch_shape"] = given.pop("batch_input_shape", None)
    if isinstance(found, type) and found.__module__.startswith("onegraph.keras."):
        given = _known_arguments(found, given, where)
    else:
        given = {k: v for k, v in given.items() if k not in _IGNORED or v is not None}
    return {"class_name": known, "config": given}


def _refuse_code(config: Mapping[str, Any], where: str) -> None:
    """A Lambda of Keras 2 holds its code as a list, one of Keras 3 as an object."""
    function = config.get("function")
    if isinstance(function, (list, tuple)) or config.get("function_type") == "lambda":
        plain({"class_name": "__lambda__"}, where)


def _known_arguments(cls: type, given: dict[str, Any], where: str) -> dict[str, Any]:
    names = constructor_names(cls)
    own = {k: v for k, v in given.items() if k in names}
    spare = {k: v for k, v in given.items() if k not in names and k not in _IGNORED}
    strange = [
        k for k, v in spare.items() if v is not None and v is not False and (k, v) != ("data_format", "channels_last")
    ]
    if strange:
        raise ArgumentError(f"{where}: {cls.__name__} does not take {', '.join(strange)}", hint="save it with Keras 3")
    return own


def _sequential(entry: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    inside = [_layer(layer) for layer in config["layers"]]
    shape = config.get("build_input_shape") or (entry.get("build_config") or {}).get("input_shape")
    if inside and (inside[0]["class_name"] == "InputLayer" or inside[0]["config"].get("batch_input_shape")):
        shape = None
    return {
        "class_name": "Sequential",
        "config": {"name": config.get("name"), "layers": inside, "batch_input_shape": shape},
    }


# ---- functional models


def _functional(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    made = []
    for entry in config["layers"]:
        nodes = entry.get("inbound_nodes") or []
        if _is_operation(entry, nodes):
            made.append(_operation(entry, nodes))
            continue
        layer = _layer(entry)
        layer["config"].setdefault("name", entry.get("name"))
        where = f"layer {layer['config']['name']!r} ({entry['class_name']})"
        made.append({**layer, "calls": [_call(node, layer["class_name"], where) for node in nodes]})
    given = {
        "name": config.get("name"),
        "layers": made,
        "inputs": _ends(config["input_layers"]),
        "outputs": _ends(config["output_layers"]),
    }
    own = kind if kind in registry._custom else "Model"
    return {"class_name": own, "config": given}


def _is_operation(entry: Mapping[str, Any], nodes: list[Any]) -> bool:
    """Whether an entry is a function of `keras.ops`; without a module, as in a `.h5`, its arguments tell."""
    from onegraph.keras.ops.dispatch import OPERATIONS

    if entry.get("module"):
        return "ops" in str(entry["module"]).split(".")
    kind = str(entry["class_name"])
    if kind in registry._custom:
        return False
    if kind not in layers.known:
        return snake_case(kind) in OPERATIONS
    pair = bool(nodes) and isinstance(nodes[0], Mapping) and len(nodes[0].get("args", [])) == 2
    return pair and kind in ("Add", "Subtract", "Multiply", "Maximum", "Minimum")


def _ends(value: Any) -> Any:
    """Inputs or outputs: one place, or a list or dict of them."""
    if isinstance(value, Mapping):
        return {k: _ends(v) for k, v in value.items()}
    if len(value) == 3 and isinstance(value[0], str):
        return {"tensor": list(value)}
    return [_ends(v) for v in value]


def _call(node: Any, kind: str, where: str) -> dict[str, Any]:
    if isinstance(node, Mapping):
        args, kwargs = plain(node.get("args", []), where), plain(node.get("kwargs", {}), where)
    else:  # Keras 2: [[layer, call, output, {arguments}], ...]
        parts = [node] if isinstance(node[0], str) else node
        tensors = [{"tensor": list(part[:3])} for part in parts]
        args = [tensors[0] if len(tensors) == 1 else tensors]
        kwargs = {k: _place(v) for k, v in (parts[0][3] if len(parts[0]) > 3 else {}).items()}
    found = layers.known.get(kind)
    names = getattr(found, "_call_names", ()) if found is not None else tuple(kwargs)
    return {
        "args": args,
        "kwargs": {k: v for k, v in kwargs.items() if v is not None and (k in names or k == "training")},
    }


def _place(value: Any) -> Any:
    """A tensor among the keywords of a call in Keras 2."""
    is_place = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int)
    return {"tensor": value} if is_place else value


def _operation(entry: Mapping[str, Any], nodes: list[Any]) -> dict[str, Any]:
    """A call of `keras.ops`, which Keras writes as an object of a class with the function's name."""
    from onegraph.keras.ops.dispatch import OPERATIONS  # imported late: operations need layers

    operation = snake_case(str(entry["class_name"]))
    given = dict(entry["config"])
    name = given.pop("name", None) or entry.get("name")
    where = f"operation {name!r} ({entry['class_name']})"
    if operation not in OPERATIONS:
        raise UnsupportedError(f"{where} is not one of keras.ops here")
    options = {k: v for k, v in plain(given, where).items() if v is not None and k not in ("dtype", "trainable")}
    calls = []
    for node in nodes:
        kwargs = {k: v for k, v in plain(node.get("kwargs", {}), where).items() if v is not None}
        calls.append({"args": plain(node.get("args", []), where), "kwargs": {**options, **kwargs}})
    return {"class_name": "OperationLayer", "config": {"operation": operation, "name": name}, "calls": calls}
