"""The reading half of the text form: a parser that trusts nothing it reads. Use it as `ir.text.from_text`.

Read next: `printer.py` (the other half), `ir/README.md` (the format).
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
import re
from typing import Any, Final, NoReturn

import numpy as np

from onegraph.errors import GraphError, OneGraphError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import ALL, DType, bool_
from onegraph.ir.graph import Graph
from onegraph.ir.node import EMPTY, Attributes, Literal, Node, Shape, bundle
from onegraph.ir.syntax import MAX_DEPTH, MAX_NDIM, NAME, literal_array

_DTYPES: Final = {d.short: d for d in (*ALL, bundle)}
_KEYWORDS: Final[dict[str, Any]] = {
    "None": None,
    "True": True,
    "False": False,
    "inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
}
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

# Blanks and comments are skipped; a character that begins no token is a token of its own, to be refused;
# a string without an end reaches to the end of its line. Nothing backtracks (`++`), so time is linear.
_TOKEN: Final = re.compile(
    r"""(?:[ \t\r\n]++|\#[^\n]*+)*+
    ( %[0-9]+
    | -?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?
    | [A-Za-z_][A-Za-z0-9_.]*
    | "[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"?
    | -inf\b | // | \Z | [^ \t\r\n\#] )""",
    re.VERBOSE,
)


def _attributes(found: dict[str, Any]) -> Attributes:
    return Attributes(found) if found else EMPTY


class Parser:
    """Recursive descent over the tokens; it recurses only where graphs or tuples nest, to a fixed depth."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = _TOKEN.findall(text)
        self.at = 0
        self.dims: dict[str, Size] = {}

    def fail(self, message: str, token: int | None = None) -> NoReturn:
        """Raise a GraphError for a token (the one just read, when not given)."""
        index = max(0, self.at - 1) if token is None else token
        match = next(itertools.islice(_TOKEN.finditer(self.text), index, None))
        position = match.start(1) if match[1] else len(self.text.rstrip())
        line = self.text.count("\n", 0, position) + 1
        raise GraphError(f"graph text, line {line}: {message}")

    def take(self) -> str:
        token = self.tokens[self.at]
        if token:
            self.at += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.tokens[self.at]
        if token != wanted:
            self.fail(f"expected {wanted!r}, found {_shown(token)}", self.at)
        self.at += 1

    def accept(self, wanted: str) -> bool:
        if self.tokens[self.at] == wanted:
            self.at += 1
            return True
        return False

    def parse(self) -> Graph:
        self.expect("graph")
        graph = self.graph(0)
        if self.tokens[self.at]:
            self.fail(f"expected the end of the text after the graph, found {_shown(self.tokens[self.at])}", self.at)
        return graph

    def graph(self, depth: int) -> Graph:
        """Everything after the word `graph`."""
        if depth > MAX_DEPTH:
            self.fail(f"graphs are nested more than {MAX_DEPTH} deep")
        name = self.name("the graph's name")
        nodes: dict[str, Node] = {}
        inputs: list[Node] = []
        self.expect("(")
        while not self.accept(")"):
            if inputs:
                self.expect(",")
            inputs.append(self.parameter(nodes, depth))
        self.expect("{")
        while not self.accept("return"):
            self.statement(nodes, depth)
        outputs: list[Node] = []
        while not self.accept("}"):
            if outputs:
                self.expect(",")
            outputs.append(self.reference(nodes))
        return Graph(inputs, outputs, name)

    def parameter(self, nodes: dict[str, Node], depth: int) -> Node:
        identifier = self.definition(nodes)
        shape, dtype = self.type()
        attributes = EMPTY
        if self.tokens[self.at].startswith('"'):
            attributes = Attributes(name=self.string(self.take()))
        elif self.accept("("):
            attributes = self.attributes(depth)
        node = nodes[identifier] = Node("input", (), attributes, shape, dtype)
        return node

    def statement(self, nodes: dict[str, Node], depth: int) -> None:
        identifier = self.definition(nodes)
        shape, dtype = self.type()
        self.expect("=")
        op = self.name("the name of an op")
        if op == "input":
            self.fail("an input belongs in the head of its graph")
        self.expect("(")
        inputs: list[Node] = []
        while self.tokens[self.at].startswith("%"):
            inputs.append(self.reference(nodes))
            if self.tokens[self.at] != ")":
                self.expect(",")
        attributes = self.attributes(depth)
        nodes[identifier] = Node(op, tuple(inputs), attributes, shape, dtype)

    def definition(self, nodes: dict[str, Node]) -> str:
        identifier = self.take()
        if not identifier.startswith("%") or identifier == "%":
            self.fail(f"expected a value such as %3, found {_shown(identifier)}")
        if identifier in nodes:
            self.fail(f"{_shown(identifier)} is defined twice")
        self.expect(":")
        return identifier

    def reference(self, nodes: dict[str, Node]) -> Node:
        identifier = self.take()
        node = nodes.get(identifier)
        if node is None:
            self.fail(
                f"{_shown(identifier)} is used before it is defined"
                if identifier.startswith("%")
                else f"expected a value such as %3, found {_shown(identifier)}"
            )
        return node

    def name(self, what: str) -> str:
        token = self.take()
        if token.startswith('"'):
            return self.string(token)
        if not NAME.fullmatch(token):
            self.fail(f"expected {what}, found {_shown(token)}")
        return token

    def string(self, token: str) -> str:
        try:
            value = json.loads(token)
        except ValueError:
            self.fail(f"not a string: {_shown(token)}")
        return str(value)

    def type(self) -> tuple[Shape, DType]:
        token = self.take()
        dtype = _DTYPES.get(token)
        if dtype is None:
            self.fail(f"no dtype is called {_shown(token)}; there are {', '.join(_DTYPES)}")
        shape = self.shape()
        if dtype is bundle and shape:
            self.fail("a bundle has no shape")
        return shape, dtype

    def shape(self) -> Shape:
        self.expect("[")
        sizes: list[Size] = []
        while not self.accept("]"):
            if sizes:
                self.expect(",")
            size = self.size((",", "]"))
            if isinstance(size, int) and not 0 <= size < 2**63:
                self.fail(f"a size must be between 0 and 2**63, got {size}")
            sizes.append(size)
        if len(sizes) > MAX_NDIM:
            self.fail(f"a shape has at most {MAX_NDIM} dimensions, got {len(sizes)}")
        return tuple(sizes)

    def size(self, ends: tuple[str, ...]) -> Size:
        """A size, up to (not including) one of the tokens that may follow it."""
        first = self.at
        depth = 0
        while (token := self.take()) and (depth or token not in ends):
            depth += (token == "(") - (token == ")")
        if not token:
            self.fail("the text ends within a size")
        self.at -= 1
        text = " ".join(self.tokens[first : self.at])
        known = self.dims.get(text)
        if known is None:
            try:
                known = self.dims[text] = Dim.parse(text)
            except OneGraphError as error:
                self.fail(error.message)
        return known

    def attributes(self, depth: int) -> Attributes:
        """name=value, ... up to and including the closing parenthesis."""
        found: dict[str, Any] = {}
        while not self.accept(")"):
            if found:
                self.expect(",")
            name = self.name("the name of an attribute")
            if name in found:
                self.fail(f"attribute {_shown(name)} is given twice")
            self.expect("=")
            if self.accept("graph"):
                found[name] = self.graph(depth + 1)
            else:
                found[name] = self.value(0)
        return _attributes(found)

    def value(self, depth: int) -> Any:
        token = self.take()
        if token.startswith('"'):
            return self.string(token)
        if token == "(":
            return self.tuple(depth)
        if _NUMBER.fullmatch(token):
            return self.number(token)
        if token in _KEYWORDS:
            return _KEYWORDS[token]
        if token in _DTYPES:
            return self.literal(_DTYPES[token]) if self.tokens[self.at] == "[" else _DTYPES[token]
        if token == "dim" and self.accept("("):
            size = self.size((")",))
            self.expect(")")
            if not isinstance(size, Dim):
                self.fail("dim() is for sizes with an unknown; write an integer plainly")
            return size
        self.fail(f"expected a value, found {_shown(token)}")

    def tuple(self, depth: int) -> tuple[Any, ...]:
        if depth >= MAX_DEPTH:
            self.fail(f"tuples are nested more than {MAX_DEPTH} deep")
        values: list[Any] = []
        while not self.accept(")"):
            values.append(self.value(depth + 1))
            if self.tokens[self.at] != ")":
                self.expect(",")
            elif len(values) == 1 and self.tokens[self.at - 1] != ",":
                self.fail("a tuple of one value needs a comma: (1,)")
        return tuple(values)

    def number(self, token: str) -> int | float:
        if not re.fullmatch(r"-?[0-9]+", token):
            value = float(token)
            if math.isinf(value):
                self.fail(f"{_shown(token)} is too large for a float")
            return value
        integer = int(token) if len(token) <= 20 else 2**64
        if not -(2**63) <= integer < 2**64:
            self.fail(f"an integer in a graph has at most 64 bits, got {_shown(token)}")
        return integer

    def literal(self, dtype: DType) -> Literal:
        """The rest of f32[2](1.0, 2.0) or f32[2]("base64")."""
        shape = self.shape()
        if dtype is bundle or not all(isinstance(n, int) for n in shape):
            self.fail("a literal needs a plain dtype and integer sizes")
        count = math.prod(int(n) for n in shape)
        self.expect("(")
        if self.tokens[self.at].startswith('"'):
            array = self.encoded(dtype, count)
            self.expect(")")
        else:
            array = self.listed(dtype, count)
        try:
            return Literal(array.reshape(tuple(int(n) for n in shape)), dtype)
        except ValueError:
            self.fail("a literal of a shape that no array can have")

    def encoded(self, dtype: DType, count: int) -> np.ndarray[Any, Any]:
        """Elements as base64 of their little-endian bytes."""
        try:
            content = base64.b64decode(self.string(self.take()), validate=True)
        except (binascii.Error, ValueError):
            self.fail("the elements of a literal are not base64")
        needed = count * dtype.numpy.itemsize
        if len(content) != needed:
            self.fail(f"a literal of {count} elements needs {needed} bytes, got {len(content)}")
        if dtype is bool_ and content.translate(None, b"\0\1"):
            self.fail("the bytes of a bool literal are 0 and 1")
        return np.frombuffer(content, dtype.numpy.newbyteorder("<")).astype(dtype.numpy)

    def listed(self, dtype: DType, count: int) -> np.ndarray[Any, Any]:
        """Elements one by one, up to and including the closing parenthesis."""
        elements: list[Any] = []
        kind = bool if dtype is bool_ else float if dtype.is_floating_point else int
        while not self.accept(")"):
            if elements:
                self.expect(",")
            token = self.take()
            element = self.number(token) if _NUMBER.fullmatch(token) else _KEYWORDS.get(token)
            if type(element) is not kind:
                self.fail(f"an element of a {dtype.name} literal must be a {kind.__name__}, found {_shown(token)}")
            elements.append(element)
        if len(elements) != count:
            self.fail(f"a literal of {count} elements, but {len(elements)} are written")
        try:
            return literal_array(elements, dtype)
        except OverflowError:
            self.fail(f"an element does not fit into {dtype.name}")


def _shown(token: str) -> str:
    return repr(token if len(token) <= 40 else token[:40] + "...") if token else "the end of the text"
