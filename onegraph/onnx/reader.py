"""Reading a model file: nodes, attributes, tensors and types as plain Python values, checked before anything is built.

Read next: `interpreter.py`, which runs it; `external_data.py`, for tensors in other files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.errors import GraphError, StorageError
from onegraph.onnx.expansion import check_expansion
from onegraph.onnx.external_data import ExternalFiles, byte_count
from onegraph.onnx.values import Array, numpy_dtype, onnx_package
from onegraph.storage.manifest import read_bytes

DEPTH_LIMIT = 64
"""Graphs inside of graphs, and functions that call functions."""

MOST_DIMENSIONS = 64

MOST_BYTES = 1 << 31
"""Protocol buffers hold no more; larger weights are in files beside the model."""


@dataclass(frozen=True)
class ValueType:
    """What an input or output is said to be.

    Attributes:
        name: of the value.
        kind: "tensor", "sequence", "optional", or another kind of ONNX.
        data_type: number of the element type of a tensor; 0 when it is not said.
        shape: sizes, names of sizes, or None for unknown ones; None for an unknown rank.
    """

    name: str
    kind: str
    data_type: int = 0
    shape: tuple[int | str | None, ...] | None = None


@dataclass
class NodeDescription:
    """One use of an operator."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    proto: Any


@dataclass
class GraphDescription:
    """A graph: of a model, of a branch or loop body, or the body of a function.

    Attributes:
        name: of the graph.
        inputs, outputs: in order; names only for functions.
        initializers: arrays by name.
        nodes: in an order in which each comes after what it reads.
    """

    name: str
    inputs: list[ValueType]
    outputs: list[ValueType]
    initializers: dict[str, Array] = field(default_factory=dict)
    nodes: list[NodeDescription] = field(default_factory=list)

    @cached_property
    def last_uses(self) -> dict[int, list[str]]:
        """Results that nothing reads after a node, by its position. Bodies of branches and loops may read anything: none then."""
        if any(isinstance(a, GraphDescription) for n in self.nodes for a in n.attributes.values()):
            return {}
        last: dict[str, int] = {}
        for position, node in enumerate(self.nodes):
            for name in (*node.inputs, *node.outputs):
                last[name] = position
        made = {o for n in self.nodes for o in n.outputs} - {v.name for v in self.outputs}
        found: dict[int, list[str]] = {}
        for name in made:
            found.setdefault(last[name], []).append(name)
        return found


@dataclass
class ModelDescription:
    """A model file.

    Attributes:
        name: of the file, for messages.
        graph: the outermost graph.
        opsets: version of each operator set by domain.
        functions: of the model itself, by (domain, name, overload), as (graph, attribute defaults, opsets).
        proto: the message itself.
    """

    name: str
    graph: GraphDescription
    opsets: dict[str, int]
    functions: dict[tuple[str, str, str], Any]
    proto: Any


def read_model(source: Any) -> ModelDescription:
    """Read a model.

    Args:
        source: a path, bytes, an object with `read`, or an `onnx.ModelProto`.

    Raises:
        StorageError: the file cannot be read, or is no model.
        GraphError: what it says is no valid graph; names the node and the rule.
        ExternalDataError: it names files that it may not name.
    """
    onnx = onnx_package()
    name, folder, model = "the model", None, source
    if not isinstance(source, onnx.ModelProto):
        content: bytes
        if isinstance(source, (str, os.PathLike)):
            name, folder = os.fspath(source), Path(source).resolve().parent
            content = read_bytes(Path(source), MOST_BYTES)
        else:
            content = bytes(source.read() if hasattr(source, "read") else source)
        model = onnx.ModelProto()
        try:
            model.ParseFromString(content)
        except Exception as error:  # protobuf's own kinds
            raise StorageError(f"cannot read {name!r}: it is no ONNX model, or it is damaged: {error}") from error
    if not model.HasField("graph") or not model.opset_import:
        raise StorageError(f"cannot read {name!r}: it is no ONNX model, or it is empty: no graph or no operator sets")
    reader = Reader(name, folder)
    graph = reader.graph(model.graph, 0, set())
    opsets = {_domain(o.domain): int(o.version) for o in model.opset_import}
    functions = {}
    for function in model.functions:
        key = (_domain(function.domain), function.name, getattr(function, "overload", ""))
        functions[key] = reader.function(function)
    check_expansion(name, graph, functions)
    return ModelDescription(name, graph, opsets, functions, model)


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


class Reader:
    """Turns messages into descriptions."""

    def __init__(self, name: str, folder: Path | None) -> None:
        self.name = name
        self.files = None if folder is None else ExternalFiles(folder)

    def fail(self, problem: str) -> GraphError:
        """An error that names the file."""
        return GraphError(f"cannot use {self.name!r}: {problem}")

    def graph(self, proto: Any, depth: int, outer: set[str]) -> GraphDescription:
        """A graph, with what it may read from around it."""
        if depth > DEPTH_LIMIT:
            raise self.fail(f"graphs are nested more than {DEPTH_LIMIT} deep")
        self.text(proto.name, *proto_names(proto.initializer))
        found = GraphDescription(
            proto.name, [self.value(v) for v in proto.input], [self.value(v) for v in proto.output]
        )
        for initializer in proto.initializer:
            if initializer.name in found.initializers:
                raise self.fail(f"two initializers are called {initializer.name[:200]!r}")
            found.initializers[initializer.name] = self.tensor(initializer)
        for sparse in proto.sparse_initializer:
            found.initializers[sparse.values.name] = self.sparse(sparse)
        known = outer | {v.name for v in found.inputs} | set(found.initializers)
        made: set[str] = set()
        for node in proto.node:
            found.nodes.append(self.node(node, depth, known | made, made))
        for value in found.outputs:
            if value.name not in known and value.name not in made:
                raise self.fail(f"output {value.name[:200]!r} of graph {proto.name[:200]!r} is made by no node")
        return found

    def text(self, *names: Any) -> None:
        """Refuse names that are no text: protobuf gives bytes for what is not valid UTF-8."""
        for name in names:
            if not isinstance(name, str):
                raise self.fail(f"the name {name[:200]!r} is no valid text")

    def node(self, proto: Any, depth: int, known: set[str], made: set[str]) -> NodeDescription:
        """A node, whose inputs must exist already."""
        self.text(proto.name, proto.op_type, proto.domain, *proto.input, *proto.output, *proto_names(proto.attribute))
        where = f"node {proto.name[:200]!r} ({proto.op_type[:100]})"
        missing = [i for i in proto.input if i and i not in known]
        if missing:
            raise self.fail(
                f"{where} reads {missing[0][:200]!r}, which nothing before it makes (a cycle, or a wrong order)"
            )
        attributes = {a.name: self.attribute(a, depth, known) for a in proto.attribute}
        for output in proto.output:
            if output and output in made:
                raise self.fail(f"{where} makes {output[:200]!r}, which is made already")
        made.update(o for o in proto.output if o)
        return NodeDescription(
            proto.op_type, _domain(proto.domain), proto.name, tuple(proto.input), tuple(proto.output), attributes, proto
        )

    def attribute(self, proto: Any, depth: int, known: set[str]) -> Any:
        """The value of an attribute."""
        if proto.ref_attr_name:
            return Reference(proto.ref_attr_name)
        kind = proto.type
        if kind == 1:
            return float(proto.f)
        if kind == 2:
            return int(proto.i)
        if kind == 3:
            return proto.s.decode("utf-8", "surrogateescape")
        if kind == 4:
            return self.tensor(proto.t)
        if kind == 5:
            return self.graph(proto.g, depth + 1, known)
        if kind == 6:
            return [float(f) for f in proto.floats]
        if kind == 7:
            return [int(i) for i in proto.ints]
        if kind == 8:
            return [s.decode("utf-8", "surrogateescape") for s in proto.strings]
        if kind == 9:
            return [self.tensor(t) for t in proto.tensors]
        if kind == 10:
            return [self.graph(g, depth + 1, known) for g in proto.graphs]
        if kind == 11:
            return self.sparse(proto.sparse_tensor)
        if kind == 13:
            return _value_type("", proto.tp)
        raise self.fail(f"attribute {proto.name[:200]!r} is of kind {kind}, which is not known")

    def value(self, proto: Any) -> ValueType:
        """What an input or output is said to be."""
        self.text(proto.name)
        found = _value_type(proto.name, proto.type)
        for size in found.shape or ():
            if isinstance(size, int) and size < 0:
                raise self.fail(f"{proto.name[:200]!r} has a negative size: {found.shape}")
        return found

    def tensor(self, proto: Any) -> Array:
        """The array of a tensor. Sizes are compared with the bytes that are there before anything is allocated."""
        shape = tuple(int(d) for d in proto.dims)
        name = f"tensor {proto.name[:200]!r}"
        if len(shape) > MOST_DIMENSIONS:
            raise self.fail(f"{name} has {len(shape)} dimensions; {MOST_DIMENSIONS} is the limit")
        if any(d < 0 for d in shape):
            raise self.fail(f"{name} has a negative size: {shape}")
        numpy_dtype(proto.data_type)
        if proto.data_location == 1:
            if self.files is None:
                raise self.fail(f"{name} is in another file, and the model came without a folder; load it by its path")
            return self._external(proto, shape)
        if proto.data_type != 8:
            self._check_bytes(proto, shape, name)
        elif len(proto.string_data) != math.prod(shape):
            raise self.fail(f"{name} of shape {shape} has {len(proto.string_data)} texts")
        try:
            found = onnx_package("onnx.numpy_helper").to_array(proto)
        except Exception as error:
            raise self.fail(f"{name} of shape {shape} cannot be read: {error}") from error
        if proto.data_type == 8:
            flat = [b.decode("utf-8", "surrogateescape") if isinstance(b, bytes) else str(b) for b in found.reshape(-1)]
            texts = np.empty(len(flat), object)
            texts[:] = flat
            return texts.reshape(shape)
        return found  # type: ignore[no-any-return]

    def _external(self, proto: Any, shape: tuple[int, ...]) -> Array:
        assert self.files is not None
        content = self.files.read(proto)
        dtype = numpy_dtype(proto.data_type)
        if dtype.itemsize * math.prod(shape) == len(content) and dtype.kind != "V":
            return np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape)
        whole = onnx_package().TensorProto(dims=shape, data_type=proto.data_type, raw_data=bytes(content))
        return onnx_package("onnx.numpy_helper").to_array(whole)  # type: ignore[no-any-return]

    def _check_bytes(self, proto: Any, shape: tuple[int, ...], name: str) -> None:
        count = math.prod(shape)
        wanted = byte_count(proto.data_type, shape)
        if proto.HasField("raw_data"):
            if len(proto.raw_data) != wanted:
                raise self.fail(f"{name} of shape {shape} has {len(proto.raw_data)} bytes and needs {wanted}")
            return
        there = sum(
            len(f) for f in (proto.float_data, proto.int32_data, proto.int64_data, proto.double_data, proto.uint64_data)
        )
        if there < count // 4 or (count and not there):
            raise self.fail(f"{name} of shape {shape} has {there} values and needs {count}")

    def sparse(self, proto: Any) -> Array:
        """A sparse tensor, as an ordinary array."""
        values, indices = self.tensor(proto.values), self.tensor(proto.indices)
        shape = tuple(int(d) for d in proto.dims)
        if any(d < 0 for d in shape) or math.prod(shape) > max(1 << 24, 64 * values.size):
            raise self.fail(
                f"a sparse tensor of shape {shape} with {values.size} values is too large as an ordinary one"
            )
        found = np.zeros(shape, values.dtype)
        try:
            if indices.ndim == 2:
                found[tuple(indices.T)] = values
            else:
                found.reshape(-1)[indices] = values
        except (IndexError, ValueError) as error:
            raise self.fail(f"a sparse tensor of shape {shape}: {error}") from error
        return found

    def function(self, proto: Any) -> tuple[GraphDescription, dict[str, Any], dict[str, int]]:
        """A function: its body, the values that attributes have when they are not given, and its operator sets."""
        self.text(proto.name, proto.domain, *proto.input, *proto.output)
        names = [ValueType(n, "") for n in proto.input], [ValueType(n, "") for n in proto.output]
        body = GraphDescription(proto.name, *names)
        made: set[str] = set()
        for node in proto.node:
            body.nodes.append(self.node(node, 0, {*proto.input, *made}, made))
        defaults = {a.name: self.attribute(a, 0, set()) for a in getattr(proto, "attribute_proto", ())}
        return body, defaults, {_domain(o.domain): int(o.version) for o in proto.opset_import}


@dataclass(frozen=True)
class Reference:
    """An attribute inside of a function that is an attribute of the function."""

    name: str


def proto_names(protos: Any) -> list[Any]:
    """The names of messages."""
    return [proto.name for proto in protos]


def _value_type(name: str, proto: Any) -> ValueType:
    kind = (proto.WhichOneof("value") or "").removesuffix("_type")
    if kind != "tensor":
        return ValueType(name, kind)
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return ValueType(name, kind, int(tensor.elem_type))
    return ValueType(name, kind, int(tensor.elem_type), tuple(_sizes(tensor.shape)))


def _sizes(shape: Any) -> Iterator[int | str | None]:
    for size in shape.dim:
        which = size.WhichOneof("value")
        yield int(size.dim_value) if which == "dim_value" else (size.dim_param or None) if which else None
