"""Writes one of our graphs as ONNX nodes: names, sizes that are not known yet, and what differs between opsets.

An exporter (`registry.py`) turns one node of ours into ONNX nodes; a raising (`raising.py`) recognizes several nodes
that are one ONNX operator. Read next: `registry.py`, then `elementwise.py`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from onegraph.errors import UnsupportedError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.onnx.export.registry import EXPORTERS, Raised, find_raising
from onegraph.onnx.values import ELEMENT_TYPES, onnx_package


def tensor_proto(name: str, array: np.ndarray[Any, Any], dtype: DType) -> Any:
    """A TensorProto with its data inside; bfloat16 comes as its uint16 storage."""
    proto = onnx_package().TensorProto(name=name, data_type=ELEMENT_TYPES[dtype.name], dims=array.shape)
    proto.raw_data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return proto


class Names:
    """Names of values and nodes that are used once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def fresh(self, base: str) -> str:
        """The base, or the base with a number."""
        name = base
        while name in self._taken or not name:
            self._counts[base] = self._counts.get(base, 0) + 1
            name = f"{base}_{self._counts[base]}"
        self._taken.add(name)
        return name


class Emitter:
    """The ONNX nodes of one graph or subgraph.

    Args:
        graph: ours.
        opset: version of the standard operators.
        parent: the emitter of the graph around, whose values can be used.
    """

    def __init__(self, graph: Graph, opset: int, parent: Emitter | None = None) -> None:
        self.graph: Final = graph
        self.opset: Final = opset
        self.parent: Final = parent
        self.names: Final[Names] = Names() if parent is None else parent.names
        self.nodes: Final[list[Any]] = []
        self.initializers: Final[dict[str, Any]] = {} if parent is None else parent.initializers
        self.values: Final[dict[Node, str]] = {}
        self.results: Final[dict[Node, list[str]]] = {}
        """The names of all results of control-flow nodes."""
        self.uses: Final[dict[Node, int]] = {}
        self._constants: Final[dict[Any, str]] = {} if parent is None else parent._constants
        self._sizes: Final[dict[str, str]] = {}
        self._now: Node | None = None
        for node in graph.nodes():
            for x in node.inputs:
                self.uses[x] = self.uses.get(x, 0) + 1
        for node in graph.outputs:
            self.uses[node] = self.uses.get(node, 0) + 1

    # ---- walking

    def emit(self) -> list[str]:
        """Write everything that the outputs need; returns their names."""
        pending = list(reversed(self.graph.outputs))
        raised: dict[Node, Raised | None] = {}
        while pending:
            node = pending[-1]
            if node in self.values:
                pending.pop()
                continue
            if node not in raised:
                raised[node] = find_raising(self, node)
            match = raised[node]
            missing = [x for x in (node.inputs if match is None else match.inputs) if x not in self.values]
            if missing:
                pending += reversed(missing)
                continue
            self._now = node
            self.values[node] = self._export(node) if match is None else match.emit(self)
            pending.pop()
        return [self.values[node] for node in self.graph.outputs]

    def _export(self, node: Node) -> str:
        if node.op not in EXPORTERS:
            self.refuse(f"ONNX has no operator for `{node.op}`")
        return EXPORTERS[node.op](self, node)

    def refuse(self, reason: str, hint: str | None = None) -> Any:
        """Raise the typed error for what cannot be said, naming the user's line."""
        source = None if self._now is None else self._now.source
        scope = f" in layer {source[2].replace('/', '.')}" if source and source[2] else ""
        raise UnsupportedError(
            f"onnx.export: {reason}{scope}", hint=hint, location=None if source is None else source[:2]
        )

    def need(self, opset: int, what: str) -> None:
        """Refuse what an older opset cannot say."""
        if self.opset < opset:
            name = "?" if self._now is None else self._now.op
            self.refuse(
                f"`{name}` needs {what}, which opset {self.opset} does not have; the first that has it is {opset}",
                hint=f"export with opset_version={opset} or newer",
            )

    # ---- writing

    def node(
        self, op: str, inputs: Sequence[str], count: int = 1, outputs: Sequence[str] = (), **attributes: Any
    ) -> Any:
        """Append an ONNX node; returns its output, or the list of outputs when there are several."""
        helper = onnx_package().helper
        source = None if self._now is None else self._now.source
        scope = f"/{source[2]}" if source and source[2] else ""
        names = list(outputs) or [self.names.fresh(f"{scope}/{op}_output") for _ in range(count)]
        given = {key: value for key, value in attributes.items() if value is not None}
        made = helper.make_node(op, list(inputs), names, name=self.names.fresh(f"{scope}/{op}"), **given)
        if source is not None:
            made.doc_string = f"{os.path.basename(source[0])}:{source[1]}"
        self.nodes.append(made)
        return names[0] if count == 1 else names

    def value(self, node: Node) -> str:
        """The name of a value that was written before."""
        return self.values[node]

    def constant(self, value: Any, dtype: DType, shape: tuple[int, ...] | None = None) -> str:
        """A constant of plain numbers, as an initializer of the model."""
        array = np.asarray(value, dtype.numpy)
        return self.array(array if shape is None else array.reshape(shape), dtype)

    def array(self, array: np.ndarray[Any, Any], dtype: DType) -> str:
        """A constant array in the dtype's storage; equal ones are kept once."""
        key = (dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.names.fresh(f"constant_{len(self._constants)}")
            self.initializers[name] = tensor_proto(name, array, dtype)
            self._constants[key] = name
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.constant(list(values), int64, (len(values),))

    # ---- sizes

    def root(self) -> Emitter:
        """The emitter of the outermost graph."""
        return self if self.parent is None else self.parent.root()

    def size(self, size: Size) -> str:
        """A size as an int64 vector of one element, computed when it depends on unknown sizes."""
        if isinstance(size, int):
            return self.integers(size)
        if self.parent is not None:
            return self.root().size(size)
        key = str(size)
        if key not in self._sizes:
            self._sizes[key] = self._compute(size)
        return self._sizes[key]

    def _compute(self, size: Dim) -> str:
        total: str | None = None
        for term, coefficient in size.terms.items():
            factors = [self._atom(atom) for atom in term]
            if coefficient != 1 or not factors:
                factors.insert(0, self.integers(coefficient))
            product = factors[0]
            for factor in factors[1:]:
                product = self.node("Mul", [product, factor])
            total = product if total is None else self.node("Add", [total, product])
        assert total is not None
        return total

    def _atom(self, atom: Any) -> str:
        if isinstance(atom, str):
            return self._unknown(atom)
        inner, divisor = self.size(atom[0]), self.integers(atom[1])
        low, _ = atom[0].bounds() if isinstance(atom[0], Dim) else (atom[0], None)
        if low is None or low < 0:  # ONNX divides integers toward zero; ours rounds down
            self.need(10, "Mod")
            inner = self.node("Sub", [inner, self.node("Mod", [inner, divisor])])
        return str(self.node("Div", [inner, divisor]))

    def _unknown(self, name: str) -> str:
        if name not in self._sizes:
            wanted = Dim.unknown(name)
            for x in self.graph.inputs:
                for dimension, size in enumerate(x.shape):
                    if size == wanted:
                        shape = self.node("Shape", [self.values[x]])
                        self._sizes[name] = self.slice(shape, [0], [dimension], [dimension + 1])
                        return self._sizes[name]
            self.refuse(f"the size {name} is not the size of any input", "name each unknown size alone in an input")
        return self._sizes[name]

    def shape(self, shape: Sequence[Size]) -> str:
        """A shape as an int64 vector."""
        if all(isinstance(size, int) for size in shape):
            return self.integers(*[int(size) for size in shape])
        return str(self.node("Concat", [self.size(size) for size in shape], axis=0))

    def reshape(self, x: str, shape: Sequence[Size]) -> str:
        """Reshape; one unknown size is left to be found when the model runs."""
        unknown = [i for i, size in enumerate(shape) if not isinstance(size, int)]
        if len(unknown) == 1 and 0 not in shape:
            return str(self.node("Reshape", [x, self.integers(*[s if isinstance(s, int) else -1 for s in shape])]))
        if 0 in shape:
            self.need(14, "Reshape with sizes of 0")
            return str(self.node("Reshape", [x, self.shape(shape)], allowzero=1))
        return str(self.node("Reshape", [x, self.shape(shape)]))

    # ---- operators that changed between opsets

    def slice(self, x: str, axes: Sequence[int], starts: Sequence[Any], stops: Sequence[Any], steps: Any = None) -> str:
        """Slice along some axes; bounds may be unknown sizes."""
        plain = all(isinstance(v, int) for v in (*starts, *stops))
        stepped = steps is not None and any(step != 1 for step in steps)
        if self.opset < 10:
            if stepped or not plain:
                self.need(10, "Slice with steps or computed bounds")
            return str(self.node("Slice", [x], axes=list(axes), starts=list(starts), ends=list(stops)))
        inputs = [x, self.shape(starts), self.shape(stops), self.integers(*axes)]
        return str(self.node("Slice", [*inputs, self.integers(*steps)] if stepped else inputs))

    def reduce(self, op: str, x: str, axes: Sequence[int], keep: bool) -> str:
        """ReduceSum and its like: the axes became an input in opset 13 or 18."""
        if not axes:
            return x
        since = 13 if op == "ReduceSum" else 18
        if self.opset >= since:
            return str(self.node(op, [x, self.integers(*axes)], keepdims=int(keep)))
        return str(self.node(op, [x], axes=list(axes), keepdims=int(keep)))

    def unsqueeze(self, x: str, axis: int) -> str:
        """A new dimension of size 1."""
        if self.opset >= 13:
            return str(self.node("Unsqueeze", [x, self.integers(axis)]))
        return str(self.node("Unsqueeze", [x], axes=[axis]))

    def squeeze(self, x: str, axis: int) -> str:
        """Without a dimension of size 1."""
        if self.opset >= 13:
            return str(self.node("Squeeze", [x, self.integers(axis)]))
        return str(self.node("Squeeze", [x], axes=[axis]))

    def cast(self, x: str, dtype: DType) -> str:
        """The value in another dtype."""
        return str(self.node("Cast", [x], to=ELEMENT_TYPES[dtype.name]))

    def permute(self, x: str, dims: Sequence[int]) -> str:
        """Transpose, unless the order stays."""
        return x if list(dims) == list(range(len(dims))) else str(self.node("Transpose", [x], perm=list(dims)))
