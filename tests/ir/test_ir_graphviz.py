"""Pictures of graphs: clusters follow scopes, labels are escaped, Graphviz (if installed) accepts them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings

from onegraph.ir import Dim, Graph, Node, input_node
from onegraph.ir.dtype import float32
from onegraph.ir.graphviz import to_graphviz
from onegraph.ir.node import EMPTY
from tests.ir.graphs import graphs, loop, node

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def scoped(op: str, scope: str, *inputs: Node) -> Node:
    return Node(op, inputs, EMPTY, (Dim.unknown("n"), 2), float32, ("train.py", 3, scope))


def check_structure(dot: str) -> None:
    """Braces match outside strings, strings end on their line, and every edge joins declared nodes."""
    bare = STRING.sub("S", dot)
    assert '"' not in bare
    assert bare.count("{") == bare.count("}")
    declared = set(re.findall(r"^ *(g\d+_\w+) \[", bare, re.MULTILINE))
    used = set(re.findall(r"(g\d+_\w+) ->", bare)) | set(re.findall(r"-> (g\d+_\w+)", bare))
    assert used <= declared
    clusters = re.findall(r"subgraph (\w+)", bare)
    assert len(clusters) == len(set(clusters))


def test_scopes_become_nested_clusters_that_open_once() -> None:
    x = input_node((Dim.unknown("n"), 2), float32, "x")
    a = scoped("conv", "model/layer1/conv", x)
    b = scoped("head", "model/head", a)
    c = scoped("norm", "model/layer1", b)  # layer1 again, after the head
    d = scoped("loss", "", c)
    dot = to_graphviz(Graph([x], [d], "train"))
    check_structure(dot)
    labels = re.findall(r'^( *)label="(.*)";', dot, re.MULTILINE)
    assert sorted((len(indent), label) for indent, label in labels) == [
        (4, "model"),
        (6, "head"),
        (6, "layer1"),
        (8, "conv"),
    ]
    assert dot.count('[label="f32[n, 2]"]') == 5
    model = dot[dot.index('label="model"') :]
    assert "loss" not in model and "norm" in model


def test_held_graphs_are_drawn_and_joined() -> None:
    dot = to_graphviz(loop())
    check_structure(dot)
    assert re.findall(r'label="(\w+: \w+)"', dot) == ["body: body", "condition: condition", "function: inner"]
    assert dot.count("style=dashed") == 3


def test_labels_are_escaped_and_shortened() -> None:
    evil = 'a"b\\c\nd\x00"];} x -> y'
    dot = to_graphviz(Graph([], [Node(evil, (), EMPTY, (), float32, ("f", 1, evil)), node("f", s="x" * 500)], evil))
    check_structure(dot)
    assert '\\"b\\\\c\\nd ' in dot
    assert max(map(len, dot.splitlines())) < 120


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_any_graph_can_be_drawn(graph: Graph) -> None:
    check_structure(to_graphviz(graph))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_accepts_it() -> None:
    drawn = subprocess.run(["dot", "-Tsvg"], input=to_graphviz(loop()), capture_output=True, text=True, check=True)
    assert "<svg" in drawn.stdout
