"""Where Keras 3 puts each weight of a model inside of a `.weights.h5`: "layers/dense/vars/0", "layers/lstm/cell/vars/1".

Groups are called after classes and counted ("dense", "dense_1"), with the layer's own name as an attribute; layers inside
of layers are called after attributes. Needs h5py (`onegraph[h5]`).
Layout: `keras/src/saving/saving_lib.py` of Keras 3.15, `_save_state`. Read next: `keras_files.py`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from onegraph.errors import StateError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad
from onegraph.keras import backend
from onegraph.ops.shapes import show

# Attributes that MultiHeadAttention of Keras shows under other names, too, which it visits first.
_SHOWN = ("_query_dense", "_key_dense", "_value_dense", "_output_dense", "_query_gate_dense")


def places(model: Any) -> Iterator[tuple[str, Any, list[Any]]]:
    """The group of each layer in the file, the layer, and its own weights in Keras' order."""
    yield from _walk(model, "", set())


def _walk(module: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any, list[Any]]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    entries = [*module._parameters.items(), *module._buffers.items()]
    own = [t for name, t in entries if t is not None and name not in module._non_persistent_buffers_set]
    yield path, module, own
    prefix = f"{path}/" if path else ""
    if getattr(module, "_graph", None) is not None or hasattr(module, "_sequence"):
        yield from _container(module.layers, f"{prefix}layers", seen)
    inside = {name for names in getattr(module, "_tracked_names", {}).values() for name in names}
    shown = _SHOWN if any(cls.__name__ == "MultiHeadAttention" for cls in type(module).__mro__) else ()
    children: dict[str, Any] = {
        name.removeprefix("_") if name in shown else name: child
        for name, child in module._modules.items()
        if name not in inside and child is not None
    }
    for name, members in getattr(module, "_tracked_names", {}).items():
        children[name] = [module._modules[member] for member in members]
    for name in sorted(children, key=lambda n: f"~{n}" if n.startswith("_") else n):
        child = children[name]
        if isinstance(child, list):
            yield from _container(child, prefix + name, seen)
        else:
            yield from _walk(child, prefix + name, seen)


def _container(layers: list[Any], path: str, seen: set[int]) -> Iterator[tuple[str, Any, list[Any]]]:
    used: dict[str, int] = {}
    for layer in layers:
        kind = backend.snake_case(type(layer).__name__)
        number = used[kind] = used.get(kind, -1) + 1
        yield from _walk(layer, f"{path}/{kind}_{number}" if number else f"{path}/{kind}", seen)


def write(model: Any, library: Any) -> bytes:
    """The content of a `.weights.h5`."""
    stream = io.BytesIO()
    with library.File(stream, "w") as file:
        for path, layer, weights in places(model):
            group = file.create_group(f"{path}/vars" if path else "vars")
            if isinstance(getattr(layer, "name", None), str):
                group.attrs["name"] = layer.name
            for number, weight in enumerate(weights):
                group.create_dataset(str(number), data=np.array(weight.detach().numpy()))
    return stream.getvalue()


def fits(model: Any, file: Any) -> bool:
    """Whether the file has a group of the right shapes for each layer with weights, and no other."""
    found, problems = _found(model, file)
    return bool(found) and not problems


def read(model: Any, file: Any, path: str) -> None:
    """Take the weights of an open file; nothing is changed if some do not fit.

    Raises:
        StateError: lists what is missing or of another shape.
    """
    found, problems = _found(model, file)
    if problems:
        raise StateError(f"weights of {path!r} do not fit model {model.name!r}:\n" + "\n".join(problems))
    with no_grad():
        for tensor, variable in found:
            tensor.copy_(make_tensor(np.asarray(variable[()]), dtype=tensor.dtype))


def _found(model: Any, file: Any) -> tuple[list[tuple[Any, Any]], list[str]]:
    pairs: list[tuple[Any, Any]] = []
    problems: list[str] = []
    used = set()
    for path, layer, weights in places(model):
        if not weights:
            continue
        key = _by_name(file, path, getattr(layer, "name", None))
        used.add(key)
        variables = _variables(file.get(key))
        ours, theirs = [tuple(t.shape) for t in weights], [tuple(v.shape) for v in variables]
        if ours != theirs:
            shown = ", ".join(show(s) for s in theirs) or "nothing"
            wanted = ", ".join(show(s) for s in ours)
            problems.append(f"  {getattr(layer, 'name', path)} ({path}): {shown} in the file, {wanted} in the model")
        pairs += zip(weights, variables, strict=False)
    spare = [key for key in _filled(file) if key not in used and not _is_state(key)]
    return pairs, [*problems, *[f"  {key}: not in the model" for key in spare]]


def _by_name(file: Any, path: str, name: Any) -> str:
    """The key of the layer's group: that of its class and number, or a neighbour that carries its name."""
    parent, _, own = path.rpartition("/")
    around = file.get(parent) if parent.endswith("layers") else None
    if name is not None and around is not None:
        stem = own.rstrip("0123456789_")
        for key in around:
            inside = around[key].get("vars") if hasattr(around[key], "keys") else None
            if inside is not None and key.startswith(stem) and inside.attrs.get("name") == name:
                return f"{parent}/{key}/vars"
    return f"{path}/vars" if path else "vars"


def _variables(group: Any) -> list[Any]:
    if group is None or not hasattr(group, "keys"):
        return []
    return [group[number] for number in sorted((k for k in group if k.isdigit()), key=int)]


def _filled(file: Any) -> list[str]:
    """The groups of variables that hold some."""
    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if name.rpartition("/")[2] == "vars" and hasattr(item, "keys") and len(item):
            found.append(name)

    file.visititems(look)
    return found


def _is_state(key: str) -> bool:
    """Whether a group is no weight: of the optimizer, of metrics, or of random numbers."""
    return key.startswith(("optimizer/", "_metrics/", "metrics/")) or "seed_generator" in key
