"""The text form: exact round trips, readable output, and typed errors with line numbers for hostile texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from onegraph.errors import ArgumentTypeError, GraphError
from onegraph.ir import Attributes, Dim, Graph, Literal, Node, input_node
from onegraph.ir.dtype import bfloat16, bool_, float16, float32, int32, int64, uint8
from onegraph.ir.graphviz import to_graphviz
from onegraph.ir.node import EMPTY, Opaque
from onegraph.ir.text import from_text, to_text
from onegraph.ir.verify import verify
from tests.ir.graphs import as_float32, graphs, loop, node

GOLDEN = """\
graph train(%0: f32[batch, 1000] "x", %1: f32[1000, 10], %2: i64[] (name="step", slot=3)) {
  %3: f32[batch, 10] = matmul(%0, %1)
  %4: f32[] = constant(value=f32[](0.5))
  %5: f32[batch, 10] = mul(%3, %4)
  %6: i64[1 + 2*batch] = view(%5, axes=(1,), empty=(), sizes=(dim(2*batch), -1), to=f16, why="\\"\\n\\u00e9")
  %7: bundle[] = branch(%2, then=graph "a b"(%0: f32[]) {
    %1: f32[] = exp(%0)
    return %1, %0
  }, limit=-inf, keep=True, none=None)
  return %6, %7, %6
}
"""


def round_trip(graph: Graph) -> Graph:
    text = to_text(graph)
    back = from_text(text)
    assert back.key() == graph.key()
    assert to_text(back) == text  # names, types and the order of attributes, which the key leaves out
    assert back == graph and hash(back) == hash(graph)
    return back


def attribute_round_trip(value: Any) -> Any:
    back = round_trip(Graph([], [node("constant", value=value)])).outputs[0].attributes["value"]
    assert type(back) is type(value)
    return back


def refuse(text: str, message: str, line: int) -> None:
    with pytest.raises(GraphError) as caught:
        from_text(text)
    assert f"line {line}: " in caught.value.message and message in caught.value.message, caught.value.message


def test_the_format() -> None:
    graph = from_text(GOLDEN)
    assert to_text(graph) == str(graph) == GOLDEN
    assert graph.name == "train" and [n.shape for n in graph.inputs[1:]] == [(1000, 10), ()]
    reshape = graph.outputs[0]
    batch = Dim.unknown("batch")
    assert reshape.shape == (2 * batch + 1,) and reshape.dtype is int64
    assert reshape.attributes == {
        "axes": (1,),
        "empty": (),
        "sizes": (2 * batch, -1),
        "to": float16,
        "why": '"\né',
    }
    assert graph.outputs[1].attributes["limit"] == -math.inf
    verify(graph)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_round_trip_of_random_graphs(graph: Graph) -> None:
    round_trip(graph)


def test_round_trip_of_control_flow() -> None:
    back = round_trip(loop())
    both = back.outputs[0].inputs[0]
    assert both.attributes["body"].outputs[0].attributes["function"].name == "inner"


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        1e-320,
        1.7976931348623157e308,
        1e16,
        -0.0,
        2.0**-1074,
        math.inf,
        -math.inf,
        math.nan,
        2**64 - 1,
        -(2**63),
    ],
)
def test_numbers_are_exact(value: float) -> None:
    back = attribute_round_trip(value)
    assert math.copysign(1, back) == math.copysign(1, value) and (back == value or back != back)


@pytest.mark.parametrize(
    "value", ["", '"', "\\", "\x00\x1f\x7f", "# not a comment", "é\u2028", "\ud800", "}\n%9: f32[]"]
)
def test_strings_are_exact(value: str) -> None:
    assert attribute_round_trip(value) == value
    x = input_node((), float32, value)
    graph = round_trip(Graph([x], [Node("an op " + value, (x,), EMPTY, (), float32)], value))
    assert graph.name == value and graph.inputs[0].attributes["name"] == value


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (as_float32([0.1, -0.0, math.inf, math.nan]), "f32[4](0.1, -0.0, inf, nan)"),
        (as_float32([0.1, 1e20, -3], bf16=True), "bf16[3](0.099609375, 9.972771e+19, -3.0)"),
        (Literal(np.array([[True], [False]]), bool_), "bool[2, 1](True, False)"),
        (Literal(np.array(2**63 - 1), int64), "i64[](9223372036854775807)"),
        (Literal(np.zeros((0, 3), np.int32), int32), "i32[0, 3]()"),
        (Literal(np.array([0.1, 6e-8], np.float16), float16), "f16[2](0.1, 6e-08)"),
        (Literal(np.arange(17, dtype=np.uint8), uint8), 'u8[17]("AAECAwQFBgcICQoLDA0ODxA=")'),
        (Literal(np.array([0xFFC00001], np.uint32).view(np.float32), float32), 'f32[1]("AQDA/w==")'),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_literals_are_exact_and_short(literal: Literal, text: str) -> None:
    assert attribute_round_trip(literal) == literal
    assert f"value={text})" in to_text(Graph([], [node("constant", value=literal)]))


def test_sources_are_comments_that_cannot_break_out() -> None:
    x = input_node((), float32)
    y = Node("exp", (x,), EMPTY, (), float32, ("/home/me/train.py", 12, "model/layer"))
    z = Node("neg", (y,), EMPTY, (), float32, ("a\n}.py", 1, "s\n%9: f32[] = evil()"))
    graph = Graph([x], [z])
    text = to_text(graph, sources=True)
    assert "= exp(%0)  # train.py:12 model/layer\n" in text
    assert text.count("\n") == to_text(graph).count("\n")
    assert from_text(text) == graph and "#" not in to_text(graph)


def test_comments_and_blanks_may_stand_anywhere() -> None:
    spread = GOLDEN.replace(" ", " \t").replace(", ", ' , # c " } \r\n ').replace('"a \tb"', '"a b"')
    spread = "# head\n" + spread + "# tail"
    assert from_text(spread) == from_text(GOLDEN)
    assert from_text("graph g(){return}") == Graph([], [], "g")


@pytest.mark.parametrize("value", [[1], np.float32(1), 2**64, object(), (1, [2]), Literal(np.ones(2), float32)])
def test_values_that_graphs_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(GraphError, match=r"exp: attribute 'x': "):
        to_text(Graph([], [node("exp", x=value)]))


def test_values_of_this_process_print_only_when_asked() -> None:
    class Function(Opaque):
        def __repr__(self) -> str:
            return "<function\n%9>"

    graph = Graph([], [node("exp", x=(1, Function()))])
    verify(graph)
    assert "exp(x=(1, <function\\n%9>))" in str(graph) == to_text(graph, opaque=True)
    assert "<function\\\\n%9>" in to_graphviz(graph)
    with pytest.raises(GraphError, match="cannot be saved"):
        to_text(graph)
    refuse(str(graph), "expected a value, found '<'", 2)


def nested_graphs(depth: int) -> Graph:
    graph = Graph([], [])
    for _ in range(depth):
        graph = Graph([], [node("call", f=graph)])
    return graph


def nested_tuples(depth: int) -> Graph:
    value: Any = ()
    for _ in range(depth - 1):
        value = (value,)
    return Graph([], [node("f", x=value)])


def test_nesting_has_a_limit_that_both_directions_share() -> None:
    round_trip(nested_graphs(32))
    round_trip(nested_tuples(32))
    for make in (nested_graphs, nested_tuples):
        with pytest.raises(GraphError, match="nested more than 32 deep"):
            to_text(make(33))
    opening = "graph g() { %0: f32[] = f(x="
    refuse(opening * 100_000, "nested more than 32", 1)
    refuse(opening + "(" * 100_000, "nested more than 32", 1)
    refuse(opening + "f32[1](" * 100_000, "must be a float", 1)


HEAD = "graph g(%0: f32[2]) {\n"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "expected 'graph', found the end of the text", 1),
        ("\n\n# only a comment", "the end of the text", 3),
        ("graph 3() { return }", "expected the graph's name", 1),
        ("graph g(%0: f32[2], %0: f32[2]) { return }", "'%0' is defined twice", 1),
        ("graph g(x: f32[2]) { return }", "expected a value such as %3", 1),
        (HEAD + "%0: f32[2] = exp(%0)\nreturn %0 }", "'%0' is defined twice", 2),
        (HEAD + "\n%1: f32[2] = exp(%1)\nreturn %1 }", "'%1' is used before it is defined", 3),
        (HEAD + "%1: f32[2] = add(%0, %2)\n%2: f32[2] = exp(%0)\nreturn %2 }", "'%2' is used before", 2),
        (HEAD + "return %7 }", "'%7' is used before", 2),
        (HEAD + "return %0", "found the end of the text", 2),
        (HEAD + "return %0 }\nrm", "the end of the text after the graph", 3),
        (HEAD + "%1: f31[2] = exp(%0)", "no dtype is called 'f31'", 2),
        (HEAD + "%1: object[2] = exp(%0)", "no dtype is called 'object'", 2),
        (HEAD + "%1: bundle[2] = exp(%0)", "a bundle has no shape", 2),
        (HEAD + "%1: f32[-1] = exp(%0)", "a size must be between", 2),
        (HEAD + "%1: f32[9223372036854775808] = exp(%0)", "a size must be between", 2),
        (HEAD + "%1: f32[" + "9" * 10_000 + "] = exp(%0)", "not a size", 2),
        (HEAD + "%1: f32[" + "1, " * 64 + "1] = exp(%0)", "at most 64 dimensions", 2),
        (HEAD + "%1: f32[n // 0] = exp(%0)", "division by zero", 2),
        (HEAD + "%1: f32[n n] = exp(%0)", "not a size", 2),
        (HEAD + "%1: f32[n", "ends within a size", 2),
        (HEAD + "%1: f32[" + "(" * 100_000, "ends within a size", 2),
        (HEAD + "%1: f32[2] = input()", "belongs in the head", 2),
        (HEAD + "%1: f32[2] = (%0)", "expected the name of an op", 2),
        (HEAD + "%1: f32[2] = f(%0 %0)", "expected ','", 2),
        (HEAD + "%1: f32[2] = f(a=1, %0)", "expected the name of an attribute", 2),
        (HEAD + "%1: f32[2] = f(a=1, a=2)", "attribute 'a' is given twice", 2),
        (HEAD + "%1: f32[2] = f(a=)", "expected a value, found ')'", 2),
        (HEAD + "%1: f32[2] = f(a=open('x'))", "expected a value, found 'open'", 2),
        (HEAD + "%1: f32[2] = f(a=true)", "expected a value", 2),
        (HEAD + "%1: f32[2] = f(a=(1))", "needs a comma", 2),
        (HEAD + "%1: f32[2] = f(a=-)", "expected a value", 2),
        (HEAD + "%1: f32[2] = f(a=²)", "expected a value", 2),
        (HEAD + "%1: f32[2] = f(a=1e999)", "too large for a float", 2),
        (HEAD + "%1: f32[2] = f(a=" + "9" * 100_000 + ")", "at most 64 bits", 2),
        (HEAD + "%1: f32[2] = f(a=18446744073709551616)", "at most 64 bits", 2),
        (HEAD + '%1: f32[2] = f(a="\n")', "not a string", 2),
        (HEAD + '%1: f32[2] = f(a="\\x")', "not a string", 2),
        (HEAD + '%1: f32[2] = f(a="' + '\\"' * 100_000, "not a string", 2),
        (HEAD + "%1: f32[2] = f(a=dim(3))", "write an integer plainly", 2),
        (HEAD + "%1: f32[2] = f(a=dim(n)", "expected ','", 2),
        (HEAD + "%1: f32[2] = f(a=f32[2](1.0))", "2 elements, but 1 are written", 2),
        (HEAD + "%1: f32[2] = f(a=f32[99999999999, 99999999](1.0))", "elements, but 1 are written", 2),
        (HEAD + '%1: f32[2] = f(a=f32[999999999999]("AAAA"))', "needs 3999999999996 bytes, got 3", 2),
        (HEAD + "%1: f32[2] = f(a=f32[0, 9223372036854775807, 999999999]())", "no array can have", 2),
        (HEAD + '%1: f32[2] = f(a=f32[1]("****"))', "not base64", 2),
        (HEAD + '%1: f32[2] = f(a=f32[1]("é"))', "not base64", 2),
        (HEAD + '%1: f32[2] = f(a=bool[3]("AAEC"))', "bytes of a bool literal", 2),
        (HEAD + "%1: f32[2] = f(a=u8[1](256))", "does not fit into uint8", 2),
        (HEAD + "%1: f32[2] = f(a=f16[1](1e6))", "does not fit into float16", 2),
        (HEAD + "%1: f32[2] = f(a=bf16[2](inf, 3.4e38))", "does not fit into bfloat16", 2),
        (HEAD + "%1: f32[2] = f(a=i32[1](1.0))", "must be a int", 2),
        (HEAD + "%1: f32[2] = f(a=i32[1](True))", "must be a int", 2),
        (HEAD + "%1: f32[2] = f(a=f32[n](1.0))", "integer sizes", 2),
        (HEAD + "%1: f32[2] = f(a=bundle[]())", "plain dtype", 2),
        (HEAD + "%1: f32[2] = f(g=graph h() { return %0 })", "'%0' is used before", 2),
    ],
)  # fmt: skip
def test_hostile_texts_are_refused_with_their_line(text: str, message: str, line: int) -> None:
    refuse(text, message, line)


def test_only_text_is_read() -> None:
    with pytest.raises(ArgumentTypeError, match="bytes"):
        from_text(b"graph g() { return }")  # type: ignore[arg-type]


def read_or_refuse(text: str) -> None:
    """Either a GraphError, or a graph that prints, reads back and verifies, or that the verifier refuses."""
    try:
        graph = from_text(text)
    except GraphError as error:
        assert "graph text, line " in error.message
        return
    assert from_text(to_text(graph)) == graph
    try:
        verify(graph)
    except GraphError as error:
        assert "more elements than can be counted" in error.message


TOKENS = """%0 %1 %3 %99 ( ) [ ] { } , = : " \\ # - 1 -1 1e9 0.5 f32 bundle n // * + None inf -inf nan é \x00
    99999999999999999999 graph return dim("""
pieces = st.sampled_from([*TOKENS.split(" "), "\n", "graph ", "return "])
changes = st.tuples(st.integers(0, len(GOLDEN)), st.integers(0, 8), pieces | st.text(max_size=3))


@settings(max_examples=300)
@given(st.lists(changes, min_size=1, max_size=4))
@example([(0, 0, "#")])
def test_mutated_texts_never_do_anything_else(edits: list[tuple[int, int, str]]) -> None:
    text = GOLDEN
    for at, removed, inserted in edits:
        text = text[:at] + inserted + text[at + removed :]
    read_or_refuse(text)


@given(st.lists(pieces, max_size=30).map("".join))
def test_random_texts_never_do_anything_else(text: str) -> None:
    read_or_refuse("graph g(%0: f32[2]) {\n %1: f32[2] = f(%0, a=" + text)


def test_an_attribute_order_is_kept_but_does_not_matter() -> None:
    a = Graph([], [Node("f", (), Attributes(a=1, b=2), (), float32)])
    b = Graph([], [Node("f", (), Attributes(b=2, a=1), (), float32)])
    assert a == b and "b=2, a=1" in to_text(b)


def test_bfloat16_literals_keep_their_bits() -> None:
    bits = np.arange(2**16, dtype=np.uint32).astype(np.uint16).reshape(-1, 16)
    constants = [node("constant", value=Literal(row, bfloat16)) for row in bits]
    back = round_trip(Graph([], constants))
    assert np.array_equal(np.stack([n.attributes["value"].array for n in back.outputs]), bits)
