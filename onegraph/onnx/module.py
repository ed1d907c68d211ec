"""`og.onnx.load`: an ONNX model as a module, whose numbers are parameters and buffers and whose `forward` records our graph.

Read next: `interpreter.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import onegraph as og
from onegraph.errors import FeedError, ShapeError, UnsupportedError
from onegraph.nn import Module, Parameter
from onegraph.onnx import operators  # noqa: F401  registers them
from onegraph.onnx.interpreter import Context, missing_operators, run_graph
from onegraph.onnx.reader import GraphDescription, ModelDescription, ValueType, read_model
from onegraph.onnx.values import COMPUTED, Value, given, numpy_dtype, tensor, type_name

# Inputs of operators that hold what training changes; the running statistics of BatchNormalization are not among them.
_LEARNED = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2), "GroupNormalization": (1, 2), "RMSNormalization": (1,),
    "PRelu": (1,), "Gather": (0,), "RNN": (1, 2, 3), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3), "Add": (0, 1), "Mul": (0, 1),
    "Einsum": (0, 1, 2), "Transpose": (0,), "Reshape": (0,), "Identity": (0,), "Unsqueeze": (0,), "Sub": (1,),
}  # fmt: skip


def load(source: Any) -> OnnxModule:
    """Load an ONNX model as a module.

    What it computes is recorded as our graph: it trains, is compiled, is saved with `og.save_model` and served like a
    model written here.

    Args:
        source: a path, bytes, a file object, or an `onnx.ModelProto`. Operator sets from 7 on are understood.

    Returns:
        A module in evaluation mode. Its `forward` takes the inputs of the model in order, or by name, and gives its output, or
        a tuple of them. Names in its `state_dict` are those in the file.

    Raises:
        StorageError, GraphError: the file cannot be read, or is no valid model.
        UnsupportedError: it uses operators that are not there; all of them are listed.

    Example:
        >>> import onnx
        >>> import onegraph as og
        >>> x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["batch", 2]) for n in "xy")
        >>> graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "small", [x], [y])
        >>> model = og.onnx.load(onnx.helper.make_model(graph))
        >>> model(og.tensor([[-1.0, 2.0]]))
        tensor([[0., 2.]])
    """
    description = read_model(source)
    context = Context(description.opsets, description.functions, file=description.name, graph=description.graph)
    missing = missing_operators(description.graph, context)
    if missing:
        raise UnsupportedError(
            f"{description.name!r} uses operators that are not there: {'; '.join(missing)}",
            hint="the operators that are: docs/reference/onnx-operators.md",
        )
    return OnnxModule(description, context).eval()


class OnnxModule(Module):
    """An ONNX model; made by `load`.

    Attributes:
        input_names, output_names: of the graph, in order.
        description: the nodes.
    """

    def __init__(self, description: ModelDescription, context: Context) -> None:
        super().__init__()
        graph = description.graph
        self.description, self._context = description, context
        learned = _learned(graph)
        self._places: dict[str, tuple[Module, str]] = {}
        self._fixed: dict[str, Any] = {}
        for name, array in graph.initializers.items():
            if array.dtype.name in COMPUTED and array.dtype.name.startswith(("float", "bfloat")) and array.size:
                self._places[name] = self._keep(name, tensor(np.array(array)), name in learned)
            else:
                self._fixed[name] = array
        self._inputs = [v for v in graph.inputs if v.name not in graph.initializers]
        self._defaults = [v for v in graph.inputs if v.name in graph.initializers]
        self._graph = GraphDescription(graph.name, graph.inputs, graph.outputs, {}, graph.nodes)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in order."""
        return [v.name for v in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return [v.name for v in self._graph.outputs]

    def _keep(self, name: str, value: og.Tensor, learned: bool) -> tuple[Module, str]:
        """Make a value a parameter or buffer whose name in `state_dict` is the one in the file."""
        *folders, last = name.split(".") if all(name.split(".")) else [name.replace(".", "_")]
        owner: Module = self
        for folder in folders:
            inner = owner._modules.get(folder)
            if inner is None:
                if hasattr(owner, folder) and not isinstance(owner, _Folder):
                    folders, last, owner = [], name.replace(".", "_"), self
                    break
                inner = _Folder()
                owner.add_module(folder, inner)
            owner = inner
        while last in owner._modules or (hasattr(owner, last) and last not in owner.__dict__.get("_parameters", {})):
            last = f"{last}_"
        if learned:
            owner.register_parameter(last, Parameter(value))
        else:
            owner.register_buffer(last, value)
        return owner, last

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Compute the outputs.

        Args:
            inputs: in the order of the graph.
            named: by name.

        Raises:
            FeedError, ShapeError: an input is missing, unknown, or does not fit the file.
        """
        results = self.run(*inputs, **named)
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, *inputs: Any, **named: Any) -> list[Value]:
        """All outputs, as operators left them: tensors, or arrays of types without arithmetic here, lists, None."""
        env = self._feed(inputs, named)
        return run_graph(self._graph, env, self._context)

    def _feed(self, inputs: Any, named: dict[str, Any]) -> dict[str, Value]:
        wanted = self._inputs
        every = {v.name: v for v in [*wanted, *self._defaults]}
        if len(inputs) > len(every):
            raise FeedError(
                f"{self.description.name!r} takes {len(wanted)} inputs ({self._signature()}), got {len(inputs)}"
            )
        values = dict(zip(every, inputs, strict=False))
        for name, value in named.items():
            if name not in every or name in values:
                problem = "is given twice" if name in values else "is not known"
                raise FeedError(f"input {name[:200]!r} {problem}: {self.description.name!r} takes {self._signature()}")
            values[name] = value
        for info in wanted:
            if info.name not in values and info.kind != "optional":
                raise FeedError(
                    f"input {info.name[:200]!r} is missing: {self.description.name!r} takes {self._signature()}"
                )
        env: dict[str, Value] = {name: getattr(*place) for name, place in self._places.items()}
        env.update(self._fixed)
        sizes: dict[str, Any] = {}
        for name, info in every.items():
            if name in values:
                env[name] = self._checked(info, given(values[name]), sizes)
            elif name not in env:
                env[name] = None
        return env

    def _checked(self, info: ValueType, value: Value, sizes: dict[str, Any]) -> Value:
        if info.kind != "tensor" or value is None or isinstance(value, list):
            return value
        if info.data_type:
            dtype = numpy_dtype(info.data_type)
            expected = "string" if dtype.kind == "O" else dtype.name
            if type_name(value) != expected:
                raise FeedError(
                    f"input {info.name!r} of {self.description.name!r} is of type {expected}, got {type_name(value)}",
                    hint="convert it first, for example with .to(...)",
                )
        if info.shape is None:
            return value
        shape = tuple(value.shape)
        fits = len(shape) == len(info.shape)
        for size, said in zip(shape, info.shape, strict=False):
            if isinstance(said, int) and isinstance(size, int):
                fits = fits and size == said
            elif isinstance(said, str) and isinstance(size, int):
                fits = fits and sizes.setdefault(said, size) == size
        if not fits:
            said_text = ", ".join("?" if s is None else str(s) for s in info.shape)
            raise ShapeError(
                f"input {info.name!r} of {self.description.name!r} has shape ({said_text}), got {shape}"
                + (f" with {sizes}" if sizes else "")
            )
        return value

    def _signature(self) -> str:
        parts = []
        for info in self._inputs:
            shape = (
                "" if info.shape is None else "[" + ", ".join("?" if s is None else str(s) for s in info.shape) + "]"
            )
            kind = numpy_dtype(info.data_type).name.replace("object", "string") if info.data_type else info.kind
            parts.append(f"{info.name}: {kind}{shape}")
        return ", ".join(parts) or "nothing"

    def extra_repr(self) -> str:
        """The inputs and outputs."""
        return f"{self.description.name}: ({self._signature()}) -> {', '.join(self.output_names)}"


class _Folder(Module):
    """Holds values whose names begin alike."""

    def forward(self) -> None:
        """Nothing: its values are read by the model that it is part of."""


def _learned(graph: GraphDescription) -> set[str]:
    found: set[str] = set()
    for node in graph.nodes:
        places = _LEARNED.get(node.op, ())
        found.update(node.inputs[i] for i in places if i < len(node.inputs))
        for attribute in node.attributes.values():
            if isinstance(attribute, GraphDescription):
                found |= _learned(attribute)
    fixed = {name for n in graph.nodes if n.op == "BatchNormalization" for name in n.inputs[3:5]}
    return {n for n in found if n in graph.initializers and graph.initializers[n].size > 1} - fixed
