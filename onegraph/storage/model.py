"""Saved models: the graph as text, the weights as safetensors, the signature as JSON. They run without the code that made them.

    model/graph.txt              the computation (`ir/text.py`); parameters are named inputs
    model/weights.safetensors    their values
    model/signature.json         names, dtypes and shapes of inputs and outputs, `extra`, checksums of the other two

Loading runs no code: the text is parsed, the graph is checked against the rules of its ops, and every size and type is
checked before anything is computed.

Read next: `serving.py` (what `load_model` gives), `frontend/capture.py` (tracing), `ir/verify.py`, `state.py`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, GraphError, OneGraphError, TraceError
from onegraph.frontend.capture import capture
from onegraph.frontend.convert import as_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dim import Dim
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape, input_node
from onegraph.ir.text import from_text, to_text
from onegraph.ir.traverse import substitute, topological
from onegraph.ir.verify import verify
from onegraph.ops.record import check_rule
from onegraph.passes.simplify import simplify
from onegraph.passes.specialize import specialize
from onegraph.storage.atomic import atomic_directory, read_directory
from onegraph.storage.manifest import damaged, from_json, read_bytes, read_manifest, to_json, write_manifest
from onegraph.storage.safetensors import StoredArray, load_file, save_file
from onegraph.storage.serving import LoadedModel, Signature, signature_of
from onegraph.storage.state import Encoder, origin, stored_tensor

_KIND: Final = "onegraph model"
_VERSION: Final = 1
_GRAPH: Final = "graph.txt"
_WEIGHTS: Final = "weights.safetensors"
_SIGNATURE: Final = "signature.json"
_MAX_GRAPH: Final = 64 << 20
_BATCH: Final = "batch"
_Traced: TypeAlias = tuple[Graph, list[tuple[Tensor, Node]], list[str], Any]
"""Graph, captured tensors, default names of the outputs, and how the result is arranged."""


def save_model(
    path: str | os.PathLike[str],
    target: Any,
    example_inputs: Any,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_batch: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Keep a model, whole or not at all, so that it runs without the code that made it.

    Args:
        path: the folder to write; one that is there is replaced.
        target: an `nn.Module`, which is traced in eval mode, or a function of tensors.
        example_inputs: a tensor or an array, a list or tuple of them, or a dict by argument name. Only shapes and
            dtypes matter.
        input_names: names of the inputs; by default those of the arguments.
        output_names: names of the outputs; by default the keys of a dict, else `output` or `output_0`, `output_1`, ...
        dynamic_batch: whether dimension 0 of every input is a batch size that is not known yet, the same for all.
        extra: anything that JSON holds, such as class names, preprocessing and metrics.

    Raises:
        TraceError: the model looks at values, writes state or draws random numbers; or it does not work for an
            unknown batch size (the message says what to do).
        ArgumentError, ArgumentTypeError: inputs, names or `extra` are not usable.
        StorageError: the folder cannot be written.

    >>> import tempfile
    >>> import onegraph as og
    >>> weight = og.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> folder = os.path.join(tempfile.mkdtemp(), "model")
    >>> save_model(folder, lambda x: (x @ weight).relu(), og.ones(8, 2), extra={"classes": ["cat", "dog"]})
    >>> model = load_model(folder)
    >>> model(np.ones((3, 2), np.float32))
    tensor([[4., 6.],
            [4., 6.],
            [4., 6.]])
    >>> model.extra, str(model.signature)
    ({'classes': ['cat', 'dog']}, '(x: float32[batch, 2]) -> (output: float32[batch, 2])')
    """
    if not callable(target):
        raise ArgumentTypeError(f"save_model: expected a module or a function, got {type(target).__name__}")
    keywords, examples = _examples(example_inputs)
    names = _input_names(target, keywords, len(examples), input_names)
    graph, captured, found, result = _trace(target, keywords, examples, names, dynamic_batch)
    outputs = _output_names(found, output_names)
    weights = name_weights(target, captured, names)
    graph = simplify(_rename(graph, len(names), list(weights)))  # what is saved needs no marks of gradients
    _check(graph, examples, dynamic_batch)
    content = {
        "format": _KIND,
        "version": _VERSION,
        "onegraph": _own_version(),
        "name": _name_of(target),
        "inputs": _describe(names, graph.inputs[: len(names)]),
        "outputs": _describe(outputs, graph.outputs),
        "result": result,
        "extra": _plain(extra),
    }
    _write(path, to_text(graph), {name: stored_tensor(tensor) for name, tensor in weights.items()}, content)


def _write(path: str | os.PathLike[str], text: str, weights: dict[str, StoredArray], content: dict[str, Any]) -> None:
    with atomic_directory(path) as folder:
        (folder / _GRAPH).write_text(text, encoding="utf-8")
        save_file(weights, folder / _WEIGHTS)
        write_manifest(folder / _SIGNATURE, content, [_GRAPH, _WEIGHTS])


# ---- what goes in


def _examples(given: Any) -> tuple[list[str] | None, list[Tensor]]:
    """Argument names, where they are given, and the examples as tensors."""
    if isinstance(given, Mapping):
        keywords, values = [str(k) for k in given], list(given.values())
    else:
        keywords, values = None, list(given) if isinstance(given, (list, tuple)) else [given]
    if not values:
        raise ArgumentError("save_model: give at least one example input")
    for value in values:
        if not isinstance(value, (Tensor, np.ndarray, np.generic)):
            raise ArgumentTypeError(
                f"save_model: an example input is a tensor or an array, got {type(value).__name__}",
                hint="bind other arguments first: save_model(path, lambda x: model(x, flag=True), x)",
            )
    return keywords, [v if isinstance(v, Tensor) else as_tensor(v) for v in values]


def _input_names(target: Any, keywords: list[str] | None, count: int, given: Sequence[str] | None) -> list[str]:
    if given is None and keywords is not None:
        return keywords
    if given is None:
        try:
            parameters = inspect.signature(getattr(target, "forward", target)).parameters.values()
        except (TypeError, ValueError):
            parameters = []  # type: ignore[assignment]
        found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        given = found[:count] if len(found) >= count else [f"input_{i}" for i in range(count)]
    return _checked_names("input", given, count)


def _output_names(found: list[str], given: Sequence[str] | None) -> list[str]:
    if given is None:
        given = ["output" if n == "value" else f"output_{n}" if n.isdecimal() else n for n in found]
    return _checked_names("output", given, len(found))


def _checked_names(kind: str, names: Sequence[str], count: int) -> list[str]:
    found = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) and name for name in found):
        raise ArgumentTypeError(f"save_model: {kind}_names must be strings that are not empty, got {found!r}")
    if len(found) != count or len(set(found)) != count:
        raise ArgumentError(f"save_model: there are {count} {kind}s, which need as many different names; got {found!r}")
    return found


def _plain(extra: Mapping[str, Any] | None) -> Any:
    """`extra` as JSON holds it; an error when it does not."""
    try:
        found = from_json(to_json(dict(extra or {})), "extra")
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(
            f"save_model: extra is not plain JSON ({str(error).splitlines()[0]})",
            hint="keep strings, finite numbers, bools, None, lists, and dicts with text keys",
        ) from None
    return found


# ---- tracing


def _trace(
    target: Any, keywords: list[str] | None, examples: list[Tensor], names: list[str], dynamic_batch: bool
) -> _Traced:
    """Trace in eval mode; when only an unknown batch size is in the way, say so."""
    with eval_mode(target):
        if not dynamic_batch:
            return trace_shapes(target, keywords, examples, names, [tuple(t.shape) for t in examples])
        shapes = _batch_shapes(examples, names)
        try:
            return trace_shapes(target, keywords, examples, names, shapes)
        except Exception as error:
            # An error that has nothing to do with the batch size is raised from here as it is.
            trace_shapes(target, keywords, examples, names, [tuple(t.shape) for t in examples])
            reason = error.message if isinstance(error, OneGraphError) else f"{type(error).__name__}: {error}"
            raise TraceError(
                f"save_model: {_name_of(target)} cannot be traced for an unknown batch size: {reason}",
                hint="use x.shape[0] only as a size (x.reshape(x.shape[0], -1), x.flatten(1)), "
                "or save for the example's batch size: save_model(..., dynamic_batch=False)",
                location=error.location if isinstance(error, OneGraphError) else None,
            ) from error


def _batch_shapes(examples: list[Tensor], names: list[str]) -> list[Shape]:
    sizes = {name: t.shape[0] for name, t in zip(names, examples, strict=True) if t.ndim}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise ArgumentError(
            f"save_model: dimension 0 of the example inputs is not one batch size ({listed})",
            hint="give examples of one batch, or save with dynamic_batch=False",
        )
    return [(Dim.unknown(_BATCH), *t.shape[1:]) if t.ndim else () for t in examples]


def trace_shapes(
    target: Any, keywords: list[str] | None, examples: list[Tensor], names: list[str], shapes: list[Shape]
) -> _Traced:
    inputs = [input_node(s, t.dtype, n) for s, t, n in zip(shapes, examples, names, strict=True)]
    encoder = _Results("save_model")
    structure: list[Any] = []

    def run(arguments: list[Tensor]) -> list[Tensor]:
        named = dict(zip(keywords, arguments, strict=True)) if keywords is not None else {}
        result = target(**named) if keywords is not None else target(*arguments)
        structure.append(encoder.encode(result))
        return list(encoder.tensors.values())

    graph, captured = capture(run, inputs, "model")
    if encoder.arrays or not encoder.tensors:
        raise TraceError(f"the result of {_name_of(target)} must be tensors, or lists, tuples, dicts of them")
    return graph, captured, list(encoder.tensors), structure[0]


class _Results(Encoder):
    """Refers to the tensors of a result by their numbers."""

    def _tensor(self, tensor: Tensor, path: tuple[str, ...]) -> Any:
        name = self._name(tensor, path, self.tensors, tensor)
        return {"tensor": str(list(self.tensors).index(name))}


@contextmanager
def eval_mode(target: Any) -> Iterator[None]:
    """A module, and the one that a bound method belongs to, in eval mode; restored afterwards."""
    owner = target if hasattr(target, "modules") else getattr(target, "__self__", None)
    modules = list(owner.modules()) if owner is not None and hasattr(owner, "modules") else []
    before = [m.training for m in modules]
    try:
        if modules:
            owner.eval()  # type: ignore[union-attr]
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


def _name_of(target: Any) -> str:
    named = getattr(target, "_get_name", None)  # a module, also one under `jit`
    return str(named() if callable(named) else getattr(target, "__name__", type(target).__name__))


def name_weights(target: Any, captured: list[tuple[Tensor, Node]], taken: list[str]) -> dict[str, Tensor]:
    """Captured tensors by name, in order: parameters and buffers have those of the module."""
    known: dict[int, str] = {}
    for method in ("named_parameters", "named_buffers"):
        for name, tensor in getattr(target, method, dict[str, Any]().items)():
            known.setdefault(id(origin(tensor)), name)
    used, found = {*taken, "__metadata__"}, {}
    for position, (tensor, _) in enumerate(captured):
        base = known.get(id(origin(tensor))) or tensor.name or f"constant_{position}"
        name, number = base, 2
        while name in used:
            name, number = f"{base}#{number}", number + 1
        used.add(name)
        found[name] = tensor
    return found


def _rename(graph: Graph, first: int, names: list[str]) -> Graph:
    """The graph with these names for its inputs from position `first` on."""
    old = graph.inputs[first:]
    new = [input_node(n.shape, n.dtype, name) for n, name in zip(old, names, strict=True)]
    outputs = substitute(graph.outputs, dict(zip(old, new, strict=True)))
    return Graph([*graph.inputs[:first], *new], outputs, graph.name)


def _check(graph: Graph, examples: list[Tensor], dynamic_batch: bool) -> None:
    """Whether the graph is sound and fits batches of 1 and of the example's size, before anything is written."""
    verify(graph, check_rule)
    if dynamic_batch:
        for size in {1, *(int(t.shape[0]) for t in examples if t.ndim)}:
            specialize(graph, {_BATCH: size})


def _describe(names: Sequence[str], nodes: Sequence[Node]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": n.dtype.name, "shape": [str(s) if isinstance(s, Dim) else s for s in n.shape]}
        for name, n in zip(names, nodes, strict=True)
    ]


def _own_version() -> str:
    # The package itself imports what is below it, so that it is asked for here rather than imported.
    return str(sys.modules["onegraph"].__version__)


# ---- loading


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Read what `save_model` wrote. Nothing in it is trusted, and no code of it runs.

    Raises:
        StorageError: a file is missing, truncated, changed, or does not fit the others; the message names it.
        GraphError: `graph.txt` is no graph, or breaks a rule of its ops.
    """
    return read_directory(path, _load_folder)


def _load_folder(folder: Path) -> LoadedModel:
    content = read_manifest(folder / _SIGNATURE, _KIND, _VERSION, {_GRAPH, _WEIGHTS})
    _refuse_other_files(folder)
    signature = signature_of(content, folder / _SIGNATURE)
    graph = _in_file(folder / _GRAPH, lambda: _read_graph(folder / _GRAPH))
    values, _ = load_file(folder / _WEIGHTS)
    _fit(graph, signature, folder)
    count = len(signature.inputs)
    names = [str(n.attributes.get("name")) for n in graph.inputs[count:]]
    if len(set(names)) != len(names) or set(names) != values.keys():
        differing = sorted(map(str, set(names) ^ values.keys())) or ["a name that is there twice"]
        damaged(folder / _WEIGHTS, f"its weights are not those of {_GRAPH}: {', '.join(differing)[:200]}")
    for name, node in zip(names, graph.inputs[count:], strict=True):
        stored = values[name]
        if stored.data.shape != node.shape or stored.dtype != node.dtype.name:
            damaged(
                folder / _WEIGHTS,
                f"weight {name[:200]!r} is {stored.dtype}{list(stored.data.shape)}, "
                f"{_GRAPH} needs {node.dtype.name}[{', '.join(map(str, node.shape))}]",
            )
    return LoadedModel(graph, signature, [values[name] for name in names], names)


def _refuse_other_files(folder: Path) -> None:
    known = {_GRAPH, _WEIGHTS, _SIGNATURE}
    for name in sorted(os.listdir(folder)):
        if name not in known and not name.startswith("."):
            damaged(folder / name, "it is no part of a saved model", "keep other files beside the folder of the model")


def _read_graph(file: Path) -> Graph:
    try:
        text = read_bytes(file, _MAX_GRAPH).decode("utf-8")
    except UnicodeDecodeError as error:
        damaged(file, f"it is no text ({error.reason})")
    graph = from_text(text)
    verify(graph, check_rule)
    return graph


def _in_file(file: Path, read: Callable[[], Graph]) -> Graph:
    """Name the file in errors about the graph in it."""
    try:
        return read()
    except GraphError as error:
        raise GraphError(f"{os.fspath(file)}: {error.message}", hint=error.hint) from None


def _fit(graph: Graph, signature: Signature, folder: Path) -> None:
    """Whether the signature describes the graph."""
    count = len(signature.inputs)
    if len(graph.inputs) < count or len(graph.outputs) != len(signature.outputs):
        damaged(folder / _SIGNATURE, f"it has {count} inputs and {len(signature.outputs)} outputs, {_GRAPH} has others")
    pairs = [*zip(signature.inputs, graph.inputs[:count], strict=True)]
    pairs += zip(signature.outputs, graph.outputs, strict=True)
    for value, node in pairs:
        shape = tuple([str(s) if isinstance(s, Dim) else s for s in node.shape])
        if value.dtype is not node.dtype or value.shape != shape:
            damaged(
                folder / _SIGNATURE,
                f"{value.name[:100]!r} is {value}, {_GRAPH} has {node.dtype.name}[{', '.join(map(str, shape))}]",
            )
    known = {str(s) for n in graph.inputs[:count] for s in n.shape if isinstance(s, Dim)}
    lost = _unknowns(graph) - known
    if lost:
        damaged(folder / _GRAPH, f"its size {min(lost)!r} cannot be told from the shapes of the inputs")


def _unknowns(graph: Graph) -> set[str]:
    """The names of all unknown sizes in shapes and attributes."""
    found: set[str] = set()
    pending: list[Any] = [graph]
    while pending:
        value = pending.pop()
        if isinstance(value, Dim):
            found |= value.unknowns()
        elif isinstance(value, tuple):
            pending += [v for v in value if isinstance(v, (Dim, tuple, Graph))]
        elif isinstance(value, Graph):
            for node in topological((*value.inputs, *value.outputs)):
                pending += [node.shape, *node.attributes.values()]
    return found
