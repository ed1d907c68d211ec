"""The intermediate representation: dtypes, sizes, nodes, graphs, their text form and their verifier."""

from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType
from onegraph.ir.graph import Graph
from onegraph.ir.node import Attributes, Literal, Node, Shape, input_node, scopes
from onegraph.ir.traverse import rebuild, structure_key, substitute, topological

__all__ = [
    "Attributes", "DType", "Dim", "Graph", "Literal", "Node", "Shape", "Size",
    "input_node", "rebuild", "scopes", "structure_key", "substitute", "topological",
]  # fmt: skip
