"""The nodes that graphs are made of: immutable, each with an op, inputs, attributes, shape and dtype.

A node has an op, inputs, attributes, and the shape and dtype of its value. Three ops are leaves:
`input` (a value given from outside), `constant` (a value that is part of the graph), and `iota`-like
ops without inputs. An op with several results (control flow) has dtype `bundle`; `item` nodes pick one.

Read next: `ir/graph.py` (closed graphs), `ir/traverse.py` (walking), `ops/record.py` (what an op is).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np

from onegraph.errors import _internal, is_internal
from onegraph.ir.dim import Size
from onegraph.ir.dtype import DType

Shape: TypeAlias = tuple[Size, ...]
Source: TypeAlias = tuple[str, int, str]  # file, line, scope (the layer that was running)

bundle: Final = DType("bundle", "bundle", "bundle", 0, np.void, -1)
"""The dtype of a node with several results; `item` nodes pick one of them."""


def _exact(value: Any) -> Any:
    """Tells apart what Python holds equal (1, 1.0 and True; 0.0 and -0.0), and makes NaN equal to itself."""
    kind = type(value)
    if kind is float:
        return (float, value.hex())
    if kind is bool:
        return (bool, value)
    if kind is tuple:
        return tuple([_exact(v) for v in value])
    return value


class Attributes(dict[str, Any]):
    """The attributes of a node: a dict that never changes, so that it can be hashed.

    Equality is exact, since equal nodes are merged and share compiled code.

    >>> Attributes(value=0.0) == Attributes(value=-0.0), Attributes(a=1, b=2) == Attributes(b=2, a=1)
    (False, True)
    """

    __slots__ = ("_hash", "_key")

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the attributes of a node never change")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            self._hash: int = hash(self.key())
            return self._hash

    def key(self) -> tuple[Any, ...]:
        """The pairs in the order of their names, in a form whose equality is exact."""
        try:
            return self._key
        except AttributeError:
            self._key: tuple[Any, ...] = tuple([(name, _exact(self[name])) for name in sorted(self)])
            return self._key

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Attributes):
            return self is other or self.key() == other.key()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce__(self) -> Any:
        return (Attributes, (dict(self),))


EMPTY: Final = Attributes()


class Opaque:
    """Base of attribute values that live in this process only, such as a user's function.

    They are compared by identity. Graphs with such values run and print, but cannot be saved.
    """


class Literal:
    """An array inside a graph: read-only, compared by content; bfloat16 is kept as its uint16 storage."""

    __slots__ = ("_hash", "array", "dtype")

    def __init__(self, array: np.ndarray[Any, Any], dtype: DType) -> None:
        self.array: Final = np.array(array, order="C")
        self.array.flags.writeable = False
        self.dtype: Final = dtype
        self._hash: Final = hash((dtype.name, self.array.shape, self.array.tobytes()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Literal)
            and self._hash == other._hash
            and self.dtype is other.dtype
            and self.array.shape == other.array.shape
            and self.array.tobytes() == other.array.tobytes()
        )

    def __repr__(self) -> str:
        return f"Literal({self.array.tolist()!r}, {self.dtype.short})"


class Scopes(threading.local):
    """The names of the layers (or name scopes) that this thread is calling, outermost first."""

    def __init__(self) -> None:
        self.path = ""
        self.source: Source | None = None
        """The source of all nodes that are made now, while one call of the user makes many (a gradient)."""

    def enter(self, name: str) -> str:
        """Go into a scope; returns the path to hand to `leave`."""
        before = self.path
        self.path = f"{before}/{name}" if before else name
        return before

    def leave(self, before: str) -> None:
        """Return to the path that `enter` gave."""
        self.path = before


scopes: Final = Scopes()


def capture_source() -> Source | None:
    """File, line and scope of the user's call that is running."""
    if scopes.source is not None:
        return scopes.source
    frame = sys._getframe(2)
    while frame is not None:
        filename = frame.f_code.co_filename
        known = _internal.get(filename)
        if not known and (known is False or not is_internal(filename)):
            return (filename, frame.f_lineno, scopes.path)
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Node:
    """One operation of a graph. Immutable, compared by identity.

    Attributes:
        op: name of the op; its record is in `onegraph.ops`.
        inputs: the nodes that it reads.
        attributes: everything else that decides its value.
        shape, dtype: of its value.
        source: file, line and scope of the user's call, or None.
        value: a memo for the runtime (the buffer of a realized node or of an `input`); not part of the graph.
        times_computed: a count for the runtime: in how many plans the node was computed; not part of the graph.
    """

    __slots__ = ("__weakref__", "attributes", "dtype", "inputs", "op", "shape", "source", "times_computed", "value")

    def __init__(
        self,
        op: str,
        inputs: tuple[Node, ...],
        attributes: Attributes,
        shape: Shape,
        dtype: DType,
        source: Source | None = None,
        value: Any = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.source = source
        self.value = value
        self.times_computed = 0

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> Size:
        """Number of elements."""
        count: Size = 1
        for n in self.shape:
            count = count * n
        return count

    def __repr__(self) -> str:
        return f"<{self.op} {self.dtype.short}{list(self.shape)}>"


def input_node(shape: Shape, dtype: DType, name: str | None = None, value: Any = None) -> Node:
    """A leaf whose value comes from outside."""
    attributes = EMPTY if name is None else Attributes(name=name)
    return Node("input", (), attributes, shape, dtype, None, value)


class Region:
    """A piece of graph: outputs, and the inputs that they may depend on. `ir/graph.py` makes it a `Graph`.

    Attributes of nodes may hold one (the branches and bodies of control flow).
    """

    __slots__ = ("inputs", "name", "outputs")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node], name: str) -> None:
        self.inputs: Final = tuple(inputs)
        self.outputs: Final = tuple(outputs)
        self.name: Final = name
