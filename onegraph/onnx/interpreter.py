"""Running a graph of ONNX operators on tensors: node by node, so that what is recorded is our graph.

Operators are looked up in `registry.py`; one that is not there is computed by the function body that the model or the ONNX
standard has for it. Read next: `operators/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import onegraph as og
from onegraph.errors import GraphError, OneGraphError, UnsupportedError
from onegraph.onnx.reader import DEPTH_LIMIT, GraphDescription, NodeDescription, Reader, Reference
from onegraph.onnx.registry import OPERATORS, find
from onegraph.onnx.values import ELEMENT_TYPES, Value, array, element_type, is_host, onnx_package, tensor, type_name

# What Python raises when a function is called with other inputs, or an attribute is of another kind, than it is written for.
_INVALID = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError, MemoryError)


@dataclass
class Context:
    """What nodes of a graph share.

    Attributes:
        opsets: version of each operator set by domain.
        functions: of the model.
        bodies: function bodies by node, found once.
        file: for messages.
        depth: of function calls.
        attributes: of the function that runs.
        graph: the outermost graph, for operators that look at it.
    """

    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str, str], Any]
    bodies: dict[Any, Any] = field(default_factory=dict)
    file: str = "the model"
    depth: int = 0
    attributes: Mapping[str, Any] | None = None
    graph: Any = None


class Call:
    """One use of an operator, as its function sees it.

    Attributes:
        node: the node.
        context: of its graph.
        version: of its operator set.
        scope: values by name around it, for bodies of branches and loops.
    """

    def __init__(self, node: NodeDescription, context: Context, scope: Mapping[str, Value]) -> None:
        self.node, self.context, self.scope = node, context, scope
        self.version = context.opsets.get(node.domain, 1)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an attribute."""
        value = self.node.attributes.get(name, default)
        if isinstance(value, Reference):
            found = (self.context.attributes or {}).get(value.name)
            return default if found is None else found
        return value

    def has(self, name: str) -> bool:
        """Whether an attribute is given."""
        return self.get(name) is not None

    @property
    def outputs(self) -> int:
        """How many outputs the node has."""
        return len(self.node.outputs)

    def wants(self, position: int) -> bool:
        """Whether anything asks for an output."""
        return position < len(self.node.outputs) and bool(self.node.outputs[position])

    def body(self, name: str, values: Sequence[Value]) -> list[Value]:
        """Run the graph in an attribute on values for its inputs."""
        graph: GraphDescription = self.get(name)
        if len(values) > len(graph.inputs):
            raise self.error(f"its {name} takes {len(graph.inputs)} inputs, got {len(values)}")
        env = dict(self.scope)
        env.update(zip([v.name for v in graph.inputs], values, strict=False))
        return run_graph(graph, env, self.context)

    def error(self, problem: str) -> GraphError:
        """An error that names the node and the file."""
        return GraphError(f"{describe(self.node)} of {self.context.file}: {problem}")

    def unsupported(self, problem: str, hint: str | None = None) -> UnsupportedError:
        """An error for what is left out."""
        return UnsupportedError(f"{describe(self.node)} of {self.context.file}: {problem}", hint=hint)


def describe(node: NodeDescription) -> str:
    """A node in words."""
    domain = f"{node.domain}." if node.domain else ""
    return f"{domain}{node.op}" + (f" (node {node.name[:200]!r})" if node.name else "")


def run_graph(graph: GraphDescription, env: dict[str, Value], context: Context) -> list[Value]:
    """Run all nodes of a graph.

    Args:
        graph: what to run.
        env: values of its inputs, and of all around it; results of nodes are added.
        context: what nodes share.
    """
    env.update(graph.initializers)
    left = graph.last_uses
    for position, node in enumerate(graph.nodes):
        results = run_node(node, [env[i] if i else None for i in node.inputs], env, context)
        for name, value in zip(node.outputs, results, strict=False):
            if name:
                env[name] = value
        for name in left.get(position, ()):
            env.pop(name, None)  # so that memory can be used again
    return [env.get(v.name) for v in graph.outputs]  # optional outputs of functions may be made by nothing


def run_node(
    node: NodeDescription, inputs: Sequence[Value], scope: Mapping[str, Value], context: Context
) -> Sequence[Value]:
    """Run one node; its outputs in order."""
    call = Call(node, context, scope)
    key = (node.domain, node.op, str(getattr(node.proto, "overload", "")))
    try:
        if key in context.functions:
            return _run_function(call, inputs, *context.functions[key])
        entry = find(node.domain, node.op, call.version)
        if entry is None:
            return _run_standard_function(call, inputs)
        there = [v for v in inputs if v is not None]
        if entry.host is not None and all(is_host(v) for v in there) and (there or entry.raw):
            result = entry.host(call, *inputs)
        elif entry.raw:
            result = entry.function(call, *inputs)
        else:
            result = entry.function(call, *[tensor(v) if is_host(v) else v for v in inputs])
    except OneGraphError as error:
        if describe(node) not in error.message:
            error.message = f"{describe(node)} of {context.file}: {error.message}"
            error.args = (error.message,)
        raise
    except _INVALID as error:  # a file may give any operator any number and kind of inputs and attributes
        raise GraphError(
            f"{describe(node)} of {context.file}: its inputs or attributes are not those of this operator: {error}"
        ) from error
    return result if isinstance(result, tuple) else (result,)


def _run_function(
    call: Call, inputs: Sequence[Value], body: GraphDescription, defaults: Mapping[str, Any], opsets: Mapping[str, int]
) -> Sequence[Value]:
    """Run the body of a function in place of a node."""
    context = call.context
    if context.depth >= DEPTH_LIMIT:
        raise call.error(f"functions call each other more than {DEPTH_LIMIT} deep")
    given = {name: call.get(name) for name in call.node.attributes}
    inner = Context(
        {**context.opsets, **opsets},
        context.functions,
        context.bodies,
        context.file,
        context.depth + 1,
        {**defaults, **given},
    )
    env: dict[str, Value] = {v.name: None for v in body.inputs}
    env.update(zip([v.name for v in body.inputs], inputs, strict=False))
    return run_graph(body, env, inner)


def _run_standard_function(call: Call, inputs: Sequence[Value]) -> Sequence[Value]:
    """Run the body that the ONNX standard gives for an operator, if there is one."""
    node, types = call.node, tuple((_type_number(v), _shape_of(v)) for v in inputs)
    key = (id(node), types)
    found = call.context.bodies.get(key)
    if found is None:
        found = call.context.bodies[key] = _standard_body(call, types)
    return _run_function(call, inputs, *found)


def _shape_of(value: Value) -> tuple[int | None, ...]:
    sizes = getattr(value, "shape", ())
    return tuple(s if isinstance(s, int) else None for s in sizes)


def _standard_body(
    call: Call, types: Sequence[tuple[int, Any]]
) -> tuple[GraphDescription, dict[str, Any], dict[str, int]]:
    """The body, the values that attributes have when they are not given, and the operator sets of the body."""
    onnx = onnx_package()
    defs, node = onnx_package("onnx.defs"), call.node
    try:
        schema = defs.get_schema(node.op, call.version, node.domain)
    except Exception as error:
        raise call.unsupported("there is no such operator in this version of the operator set") from error
    function = None
    if schema.has_function:
        function = schema.function_body
    elif schema.has_context_dependent_function:
        kinds = [onnx.helper.make_tensor_type_proto(*t).SerializeToString() for t in types]
        content = schema.get_context_dependent_function(node.proto.SerializeToString(), kinds)
        function = onnx.FunctionProto()
        function.ParseFromString(content)
    if function is None or not function.node:
        raise call.unsupported(
            "this operator is not implemented", "the operators that are: docs/reference/onnx-operators.md"
        )
    reader = Reader(call.context.file, None)
    body, defaults, opsets = reader.function(function)
    given = {a.name: a.default_value for a in schema.attributes.values() if a.default_value.type}
    of_schema = {name: reader.attribute(value, 0, set()) for name, value in given.items()}
    return body, {**defaults, **of_schema}, opsets or {node.domain: schema.since_version}


def _type_number(value: Value) -> int:
    if not isinstance(value, og.Tensor) and not is_host(value):
        return 0
    name = type_name(value)
    return 8 if name == "string" else ELEMENT_TYPES.get(name) or element_type(np.asarray(value).dtype)


def missing_operators(graph: GraphDescription, context: Context) -> list[str]:
    """All operators that a graph uses and that cannot be computed, in words."""
    found: dict[str, None] = {}
    for node in graph.nodes:
        for attribute in node.attributes.values():
            for inner in attribute if isinstance(attribute, list) else [attribute]:
                if isinstance(inner, GraphDescription):
                    found.update(dict.fromkeys(missing_operators(inner, context)))
        key = (node.domain, node.op, str(getattr(node.proto, "overload", "")))
        version = context.opsets.get(node.domain, 1)
        if key in context.functions or find(node.domain, node.op, version) is not None or _has_body(node, version):
            continue
        older = (node.domain, node.op) in OPERATORS
        reason = f"only from a later version on, this is {version}" if older else f"operator set {version}"
        found[f"{describe(node)}, {reason}"] = None
    return list(found)


def _has_body(node: NodeDescription, version: int) -> bool:
    try:
        schema = onnx_package("onnx.defs").get_schema(node.op, version, node.domain)
    except Exception:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def outputs_as_arrays(values: Sequence[Value]) -> list[Any]:
    """Outputs as NumPy arrays, lists of them, or None."""
    tensors = [v for v in values if isinstance(v, og.Tensor)]
    if tensors:
        og.eval(*tensors)
    return [[array(x) for x in v] if isinstance(v, list) else v if v is None else array(v) for v in values]
