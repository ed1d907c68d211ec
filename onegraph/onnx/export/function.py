"""`og.onnx.export`: torch.onnx.export's name, arguments and meaning.

Read next: `emitter.py`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from onegraph.frontend.convert import as_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dim import Dim
from onegraph.ir.graph import Graph
from onegraph.ir.node import Shape
from onegraph.onnx.export.control import value_info
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.program import ONNXProgram, Weight
from onegraph.onnx.values import onnx_package
from onegraph.passes.fold_constants import fold_constants
from onegraph.passes.simplify import simplify
from onegraph.passes.specialize import bind_sizes, specialize
from onegraph.storage.model import eval_mode, name_weights, trace_shapes
from onegraph.storage.serving import LoadedModel
from onegraph.storage.state import stored_tensor

DEFAULT_OPSET: Final = 18
"""Known to every runtime of the last years; from 20 on GELU is one operator, from 17 on layer normalization."""

OLDEST_OPSET: Final = 7


def export(
    model: Any,
    args: Any = (),
    f: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    verbose: bool | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    export_params: bool = True,
    keep_initializers_as_inputs: bool = False,
    do_constant_folding: bool = True,
    external_data: bool | None = None,
    training: Any = False,
    dynamo: bool = True,
) -> ONNXProgram:
    """Export a model as ONNX, for evaluation.

    Args:
        model: an `nn.Module`, a Keras model, a function of tensors, or what `load_model` gives. It is traced in
            eval mode: dropout does nothing, batch normalization uses its running statistics.
        args: an example tensor, or a tuple of them. Only shapes and dtypes matter. A loaded model takes any batch
            size without them, and only that of the examples with them.
        f: a path or a file opened for bytes; None writes nothing.
        kwargs: example tensors by argument name, after `args`.
        verbose: print the graph that was traced.
        input_names, output_names: by default the names of the arguments, and `output` or `output_0`, `output_1`, ...
        opset_version: of the standard operators, 7 to the newest of the package `onnx`; 18 by default.
        dynamic_axes: sizes that may change, as `{"x": {0: "batch"}}` or `{"x": [0]}`, by input name.
        dynamic_shapes: the same as a dict by input name, or a tuple or list with a dict (or None) for each input.
        export_params: False leaves the weights out: they become inputs.
        keep_initializers_as_inputs: whether weights are inputs as well, with their values as defaults.
        do_constant_folding: compute what depends on constants alone. Weights keep their names and values always.
        external_data: whether weights go into a file `F.data` beside the model; by default only above 2 GB.
        training: must be False (or 0, PyTorch's `TrainingMode.EVAL`); see UnsupportedError.
        dynamo: accepted and without effect: there is one exporter here.

    Returns:
        An `ONNXProgram` with `model_proto` and `save(path)`.

    Raises:
        UnsupportedError: `onnx` is not installed; `training=True`; an op that the opset, or ONNX, does not have
            (the message names op, opset, the first opset that has it, and the user's line).
        TraceError: the model looks at values, writes state or draws random numbers.
        ArgumentError, ArgumentTypeError: names, sizes or the opset are not usable.
        StorageError: the file cannot be written.

    Example:
        >>> import onegraph as og
        >>> model = og.nn.Sequential(og.nn.Conv2d(3, 8, 3), og.nn.ReLU(), og.nn.Flatten(), og.nn.Linear(8 * 36, 2))
        >>> program = export(model, og.zeros(1, 3, 8, 8), dynamic_axes={"input": {0: "batch"}})
        >>> program
        <ONNXProgram (input) -> (output): 4 nodes, 4 weights>
        >>> [node.op_type for node in program.model_proto.graph.node]
        ['Conv', 'Relu', 'Reshape', 'Gemm']
    """
    opset = _opset(opset_version)
    if getattr(training, "value", training):
        raise UnsupportedError(
            "onnx.export: models are exported for evaluation; dropout and batch statistics of training are not",
            hint="train in onegraph, and export afterwards",
        )
    if isinstance(model, LoadedModel):
        graph, weights, names = _loaded(model, args)
    else:
        graph, weights, names = _traced(model, args, kwargs, input_names, dynamic_axes, dynamic_shapes)
    inputs = _names("input", input_names, names[0])
    outputs = _names("output", output_names, names[1])
    graph = simplify(graph)
    if do_constant_folding:
        graph = fold_constants(graph)
    if verbose:
        print(graph)
    program = _write(graph, weights, inputs, outputs, opset, export_params, keep_initializers_as_inputs)
    if f is not None:
        program.save(os.fspath(f) if isinstance(f, os.PathLike) else f, external_data=external_data)
    return program


def _opset(given: int | None) -> int:
    newest = onnx_package().defs.onnx_opset_version()
    opset = DEFAULT_OPSET if given is None else given
    if not isinstance(opset, int) or not OLDEST_OPSET <= opset <= newest:
        raise ArgumentError(f"onnx.export: opset_version must be {OLDEST_OPSET} to {newest}, got {given!r}")
    return opset


def _names(kind: str, given: Sequence[str] | None, found: Sequence[str]) -> list[str]:
    names = list(found) if given is None else [given] if isinstance(given, str) else list(given)
    if not all(isinstance(name, str) and name for name in names):
        raise ArgumentTypeError(f"onnx.export: {kind}_names must be strings that are not empty, got {names!r}")
    if len(names) != len(found) or len(set(names)) != len(names):
        raise ArgumentError(f"onnx.export: {len(found)} {kind}s need as many different {kind}_names, got {names!r}")
    return names


def _loaded(model: LoadedModel, args: Any) -> tuple[Graph, dict[str, Weight], tuple[list[str], list[str]]]:
    signature, graph = model.signature, model.graph
    values = list(args) if isinstance(args, (tuple, list)) else [args]
    sizes: dict[str, int] = {}
    for value, example, node in zip(signature.inputs, values, graph.inputs, strict=False):
        bind_sizes(value.name, node.shape, tuple(example.shape), sizes)
    graph = specialize(graph, sizes) if sizes else graph
    weights = {name: _weight(tensor) for name, tensor in model.weights.items()}
    return graph, weights, ([v.name for v in signature.inputs], [v.name for v in signature.outputs])


def _weight(tensor: Tensor) -> Weight:
    return Weight(np.asarray(stored_tensor(tensor).data), tensor.dtype)


def _traced(
    model: Any, args: Any, kwargs: Any, input_names: Any, dynamic_axes: Any, dynamic_shapes: Any
) -> tuple[Graph, dict[str, Weight], tuple[list[str], list[str]]]:
    if not callable(model):
        raise ArgumentTypeError(f"onnx.export: expected a module or a function, got {type(model).__name__}")
    values = list(args) if isinstance(args, (tuple, list)) else [args]
    if values and isinstance(values[-1], Mapping):
        kwargs = {**values.pop(), **(kwargs or {})}
    named = dict(kwargs or {})
    for value in (*values, *named.values()):
        if not isinstance(value, (Tensor, np.ndarray, np.generic)):
            raise ArgumentTypeError(
                f"onnx.export: an example input is a tensor or an array, got {type(value).__name__}",
                hint="bind other arguments first: export(lambda x: model(x, flag=True), x, path)",
            )
    if not values and not named:
        raise ArgumentError("onnx.export: give at least one example input in args")
    own = [*_argument_names(model, len(values)), *named]
    examples = [v if isinstance(v, Tensor) else as_tensor(v) for v in (*values, *named.values())]
    names = _names("input", input_names, own)
    shapes = _shapes(names, own, examples, dynamic_axes, dynamic_shapes)

    def call(*tensors: Tensor) -> Any:
        return model(*tensors[: len(values)], **dict(zip(named, tensors[len(values) :], strict=True)))

    with eval_mode(model):
        graph, captured, found, _ = trace_shapes(call, None, examples, names, shapes)
    weights = {name: _weight(tensor) for name, tensor in name_weights(model, captured, names).items()}
    outputs = ["output" if n == "value" else f"output_{n}" if n.isdecimal() else n for n in found]
    return graph, weights, (names, outputs)


def _argument_names(model: Any, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(getattr(model, "forward", model)).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return found[:count] if len(found) >= count else [f"input_{i}" if count > 1 else "input" for i in range(count)]


def _shapes(
    names: list[str], own: list[str], examples: list[Tensor], dynamic_axes: Any, dynamic_shapes: Any
) -> list[Shape]:
    """The shapes to trace with: unknown sizes where the caller says so."""
    given: dict[str, Any] = dict(dynamic_axes or {})
    if isinstance(dynamic_shapes, (tuple, list)):
        given |= dict(zip(names, dynamic_shapes, strict=False))
    elif dynamic_shapes:
        given |= dict(dynamic_shapes)
    found = []
    for name, own_name, example in zip(names, own, examples, strict=True):
        axes = given.get(name, given.get(own_name))
        found.append(_shape(name, tuple(int(size) for size in example.shape), axes))
    return found


def _shape(name: str, shape: tuple[int, ...], axes: Any) -> Shape:
    if not axes:
        return shape
    pairs = axes.items() if isinstance(axes, Mapping) else [(a, a) for a in axes] if _plain(axes) else enumerate(axes)
    sizes: list[Any] = list(shape)
    for axis, called in pairs:
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            raise ArgumentError(f"onnx.export: input {name!r} of shape {shape} has no dimension {axis!r}")
        if called is None:
            continue
        if isinstance(called, int):
            called = f"{name}_dynamic_axes_{axis % len(shape)}"
        text = called if isinstance(called, str) else getattr(called, "__name__", str(called))
        sizes[axis] = Dim.unknown("".join(c if c.isalnum() or c == "_" else "_" for c in text))
    return tuple(sizes)


def _plain(axes: Any) -> bool:
    """Whether a list says which dimensions, rather than giving a name for each."""
    return all(isinstance(axis, int) for axis in axes)


def _write(
    graph: Graph,
    weights: dict[str, Weight],
    inputs: list[str],
    outputs: list[str],
    opset: int,
    export_params: bool,
    weights_as_inputs: bool,
) -> ONNXProgram:
    onnx = onnx_package()
    emitter = Emitter(graph, opset)
    for name, node in zip([*inputs, *weights], graph.inputs, strict=True):
        emitter.values[node] = emitter.names.fresh(name)
    for name in outputs:
        emitter.names.fresh(name)
    for name, produced in zip(outputs, emitter.emit(), strict=True):
        if name not in emitter.values.values():
            emitter.node("Identity", [produced], outputs=[name])
    _skip_identities(emitter, set(outputs))
    infos = [value_info(emitter.values[n], n.dtype, n.shape) for n in graph.inputs]
    results = [value_info(name, n.dtype, n.shape) for name, n in zip(outputs, graph.outputs, strict=True)]
    listed = infos if weights_as_inputs or not export_params else infos[: len(inputs)]
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(emitter.nodes, graph.name or "model", listed, results, emitter.initializers.values()),
        producer_name="onegraph",
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    proto.ir_version = max(4, onnx.helper.find_min_ir_version_for(proto.opset_import))
    return ONNXProgram(proto, weights if export_params else {}, (inputs, outputs))


def _skip_identities(emitter: Emitter, outputs: set[str]) -> None:
    """Give a result its final name at once, where an Identity at the end alone reads it."""
    producers = {name: node for node in emitter.nodes for name in node.output}
    read: dict[str, int] = {}
    for node in emitter.nodes:
        for name in _reads(node):
            read[name] = read.get(name, 0) + 1
    for node in [n for n in emitter.nodes if n.op_type == "Identity" and n.output[0] in outputs]:
        source = node.input[0]
        if source in producers and read[source] == 1 and source not in outputs:
            made = producers[source]
            made.output[list(made.output).index(source)] = node.output[0]
            emitter.nodes.remove(node)


def _reads(node: Any) -> list[str]:
    """The values that a node reads, also in its subgraphs."""
    found, pending = [], [node]
    while pending:
        current = pending.pop()
        found += current.input
        for attribute in current.attribute:
            pending += attribute.g.node
    return found
