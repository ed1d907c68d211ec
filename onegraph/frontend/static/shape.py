"""Shapes as TensorFlow 1 shows them, and sizes that are computed while the graph is built.

`known_value` follows a node such as `tf.shape(x)[0] * 2` back to a number or to an unknown size (`Dim`), so that
`tf.reshape(y, [tf.shape(x)[0], -1])` has a shape that fits every batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.node import Node, Shape
from onegraph.ir.traverse import topological
from onegraph.ops.shapes import same_size, show


class KnownDimension(int):
    """A size that is known: an int with a `value`, as TensorFlow 1's."""

    @property
    def value(self) -> int:
        """The size."""
        return int(self)


class UnknownDimension(Dim):
    """A size that is not known while the graph is built."""

    __slots__ = ()

    @property
    def value(self) -> None:
        """None."""
        return None


def dimension(size: Size) -> KnownDimension | UnknownDimension:
    """A size as TensorFlow 1 shows it."""
    return UnknownDimension(size.terms) if isinstance(size, Dim) else KnownDimension(size)


class TensorShape:
    """The shape of a tensor; sizes that are not known are None in `as_list()`.

    >>> import onegraph.static as tf
    >>> x = tf.placeholder(tf.float32, (None, 10))
    >>> x.get_shape().as_list(), x.shape.ndims, x.shape[1].value
    ([None, 10], 2, 10)
    """

    __slots__ = ("_sizes",)

    def __init__(self, sizes: Any) -> None:
        if isinstance(sizes, TensorShape):
            sizes = sizes._sizes
        elif sizes is None:
            raise ArgumentError(
                "a shape of unknown rank is not supported", hint="use None for single sizes, e.g. (None, None, 3)"
            )
        elif not isinstance(sizes, (list, tuple)):
            sizes = (sizes,)
        self._sizes: tuple[Any, ...] = tuple(
            [None if s is None else s if isinstance(s, Dim) else int(s) for s in sizes]
        )

    @property
    def ndims(self) -> int:
        """Number of dimensions."""
        return len(self._sizes)

    rank = ndims

    @property
    def dims(self) -> list[Any]:
        """The sizes, each with a `value`."""
        return list(self)

    def as_list(self) -> list[int | None]:
        """The sizes, None where one is not known."""
        return [s if isinstance(s, int) else None for s in self._sizes]

    def is_fully_defined(self) -> bool:
        """Whether all sizes are known."""
        return all(isinstance(s, int) for s in self._sizes)

    def num_elements(self) -> int | None:
        """How many elements such a tensor has, None when that is not known."""
        return int(np.prod(self._sizes, dtype=np.int64)) if self.is_fully_defined() else None

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor may have both shapes."""
        theirs = TensorShape(other).as_list()
        mine = self.as_list()
        return len(mine) == len(theirs) and all(
            a is None or b is None or a == b for a, b in zip(mine, theirs, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """A ShapeError unless a tensor may have both shapes."""
        if not self.is_compatible_with(other):
            raise ShapeError(f"shapes {self} and {TensorShape(other)} are not compatible")

    def merge_with(self, other: Any) -> TensorShape:
        """The shape with what both know."""
        self.assert_is_compatible_with(other)
        return TensorShape(
            [b if a is None else a for a, b in zip(self.as_list(), TensorShape(other).as_list(), strict=True)]
        )

    def concatenate(self, other: Any) -> TensorShape:
        """This shape followed by another."""
        return TensorShape([*self._sizes, *TensorShape(other)._sizes])

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Any]:
        return iter([_shown(s) for s in self._sizes])

    def __getitem__(self, index: Any) -> Any:
        found = self._sizes[index]
        return TensorShape(found) if isinstance(index, slice) else _shown(found)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (TensorShape, list, tuple)):
            return NotImplemented
        return self.as_list() == TensorShape(other).as_list()

    def __hash__(self) -> int:
        return hash(tuple(self.as_list()))

    def __repr__(self) -> str:
        return f"TensorShape({self.as_list()})"

    def __str__(self) -> str:
        inner = ", ".join("?" if s is None else str(s) for s in self.as_list())
        return f"({inner},)" if len(self._sizes) == 1 else f"({inner})"


def _shown(size: Any) -> Any:
    return None if size is None else dimension(size)


def refined(name: str, have: Shape, wanted: Any) -> Shape:
    """A shape with sizes filled in that another knows; a ShapeError where the two contradict each other."""
    asked = TensorShape(wanted)._sizes
    if len(asked) != len(have) or not all(b is None or same_size(a, b) for a, b in zip(have, asked, strict=True)):
        raise ShapeError(f"{name} has shape {show(have)}, which cannot be {TensorShape(wanted)}")
    return tuple([b if isinstance(a, Dim) and isinstance(b, int) else a for a, b in zip(have, asked, strict=True)])


# ------------------------------------------------------------------------------------- sizes that are computed

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floor_div": lambda a, b: a // b,
    "neg": lambda a: -a,
    "cast": lambda a, dtype: a,
    "reshape": lambda a, shape: a.reshape(shape),
    "expand": lambda a, shape: np.broadcast_to(a, shape),
    "permute": lambda a, dims: a.transpose(dims),
    "flip": lambda a, dims: np.flip(a, dims),
    "concat": lambda *parts, dim: np.concatenate(parts, dim),
    "sum": lambda a, dims, keepdim: np.sum(a, axis=dims, keepdims=keepdim),
    "prod": lambda a, dims, keepdim: np.prod(a, axis=dims, keepdims=keepdim),
    "slice": lambda a, starts, stops, steps: a[tuple(slice(*s) for s in zip(starts, stops, steps, strict=True))],
}


def known_value(node: Node) -> np.ndarray[Any, Any] | None:
    """The value of an integer node as an array of ints and Dims, when it follows from constants and shapes."""
    if node.dtype.kind not in ("int", "uint"):
        return None
    values: dict[Node, Any] = {}
    for n in topological([node]):
        if n.op == "constant":
            array = n.attributes["value"].array
            values[n] = array.astype(object) if array.dtype.kind in "iu" else None
        elif n.op == "dimension":
            values[n] = np.array(n.attributes["size"], object)
        elif n.op == "iota" and not isinstance(n.shape[0], Dim):
            values[n] = np.arange(n.shape[0]).astype(object)
        else:
            function = _FUNCTIONS.get(n.op)
            inputs = [values[i] for i in n.inputs]
            if function is None or any(i is None for i in inputs):
                values[n] = None
                continue
            values[n] = np.asarray(function(*inputs, **n.attributes), object)
    found: np.ndarray[Any, Any] | None = values[node]
    return found


def sizes_of(op: str, value: Any) -> tuple[Any, ...]:
    """Sizes (ints, -1 and Dims) from a shape, a list in which nodes may stand, or a node such as `tf.shape(x)`."""
    if isinstance(value, TensorShape):
        if None in value._sizes:
            raise ArgumentError(f"{op}: the shape {value} has sizes that are not known", hint="use tf.shape(x)")
        return value._sizes
    if isinstance(value, Node):
        found = known_value(value)
        if found is None:
            raise ArgumentError(
                f"{op}: a shape must be known when the graph is built, or be computed from shapes of tensors",
                hint="tf.shape(x) and arithmetic on it are fine; numbers that are fed or computed from data are not",
            )
        return tuple([_plain(v) for v in found.reshape(-1)])
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple([s for item in value for s in _one_size(op, item)])
    return _one_size(op, value)


def _one_size(op: str, item: Any) -> tuple[Any, ...]:
    if isinstance(item, Node):
        found = sizes_of(op, item)
        if len(found) != 1:
            raise ArgumentError(f"{op}: a single size must be a number, got a tensor of {len(found)}")
        return found
    if item is None:
        raise ArgumentTypeError(f"{op}: a size cannot be None here", hint="use tf.shape(x)[i], or -1 in tf.reshape")
    return (_plain(item),)


def _plain(value: Any) -> Any:
    if isinstance(value, Dim):
        return Dim(value.terms) if type(value) is not Dim else value
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"a size must be an int, got {value!r}")
    return int(value)


def ints_of(op: str, value: Any) -> tuple[int, ...]:
    """Ints from an int, a sequence, an array or a constant node; a typed error where one is not known."""
    for v in (found := sizes_of(op, value)):
        if isinstance(v, Dim):
            raise ShapeError(f"{op}: {v} must be known when the graph is built")
    return found


def static_shape(op: str, sizes: Sequence[Any]) -> tuple[int, ...]:
    """A shape all of whose sizes are known; a ShapeError otherwise."""
    for s in sizes:
        if not isinstance(s, int):
            raise ShapeError(f"{op}: the shape {show(sizes)} must be fully known")
    return tuple(sizes)
