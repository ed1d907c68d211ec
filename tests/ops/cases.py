"""Samples of records made into graphs with inputs, and derivatives by finite differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from onegraph.backends.reference import evaluate
from onegraph.ir.dtype import ALL, DType, bfloat16, float64, from_numpy
from onegraph.ir.node import Node, bundle, input_node
from onegraph.ops import OPS, Kind, Op
from onegraph.ops.binary import add, mul
from onegraph.ops.cast import cast
from onegraph.ops.reduction import sum_

Array = np.ndarray[Any, Any]

STEP = 1e-5  # of central differences in float64
FEW = 12  # inputs with at most that many elements are checked element by element


@dataclass(eq=False)
class Case:
    """One sample of an op: the node, what it reads, and the arrays to feed.

    `casts` stand between what is fed and what the op reads, so that half precision needs no own arrays.
    """

    op: Op
    index: int
    arrays: list[Array]
    attributes: dict[str, Any]
    differentiable: bool = False
    casts: dict[int, tuple[DType, ...]] = field(default_factory=dict)
    inputs: list[Node] = field(init=False)
    node: Node = field(init=False)
    results: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = [input_node(a.shape, from_numpy(a.dtype)) for a in self.arrays]
        read = []
        for i, x in enumerate(self.inputs):
            for dtype in self.casts.get(i, ()):
                x = cast(x, dtype)
            read.append(x)
        self.node = self.op(*read, **self.attributes)
        self.results = _items(self.node) if self.node.dtype is bundle else [self.node]
        floating = any(n.dtype.is_floating_point for n in self.inputs)
        self.differentiable = self.differentiable and floating and all(r.dtype.is_floating_point for r in self.results)

    def __str__(self) -> str:
        return f"{self.op.name}-{self.index}"

    def feed(self) -> dict[Node, Array]:
        """Inputs and their values."""
        return dict(zip(self.inputs, self.arrays, strict=True))

    def values(self) -> list[Array]:
        """The results, computed by the reference backend."""
        with np.errstate(all="ignore"):
            return evaluate(self.results, self.feed())

    def values_as_float(self) -> list[Array]:
        """The results as float64 arrays, whatever they are stored as."""
        with np.errstate(all="ignore"):
            return evaluate([cast(r, float64) for r in self.results], self.feed())

    def random(self, shape: Any) -> Array:
        """A cotangent, the same every time."""
        return np.random.default_rng(len(shape) + self.index).standard_normal(shape)

    def varied(self) -> list[int]:
        """Which inputs take part when the dtype is changed: those with the dtype of the first number."""
        numbers = [a for a in self.arrays if a.dtype != np.bool_] if "bool" in self.op.dtypes else self.arrays
        if not numbers:
            return []
        return [i for i, a in enumerate(self.arrays) if a.dtype == numbers[0].dtype]

    def other_dtypes(self) -> list[DType]:
        """The dtypes to try beside the sample's own."""
        varied = self.varied()
        if not varied or self.op.kind in (Kind.CONTROL, Kind.RANDOM):
            return []  # the graphs in the attributes, or the form of a random key, decide the dtypes
        own = from_numpy(self.arrays[varied[0]].dtype)
        kinds = self.op.dtypes if varied[0] == 0 else ("bool", "uint", "int", "float")
        finite = all(np.isfinite(self.arrays[i]).all() for i in varied)
        return [d for d in ALL if d.kind in kinds and d is not own and (finite or d.is_floating_point)]

    def in_dtype(self, dtype: DType) -> Case:
        """The same sample with its numbers in another dtype; fractions are scaled up for integers."""
        arrays, casts = list(self.arrays), {}
        for i in self.varied():
            a = arrays[i]
            if dtype is bfloat16:
                casts[i] = (dtype,)
            elif dtype.kind == "bool":
                arrays[i] = np.asarray(a > 0)
            elif not dtype.is_floating_point and a.dtype.kind == "f":
                whole = np.round(a * 3)
                arrays[i] = np.asarray(np.abs(whole) if dtype.kind == "uint" else whole).astype(dtype.numpy)
            else:
                arrays[i] = a.astype(dtype.numpy)
        return Case(self.op, self.index, arrays, self.attributes, self.differentiable, casts)

    def with_inputs_rounded(self, rounded: DType, read: DType) -> Case:
        """The sample with its float32 inputs rounded to one dtype and then read in another."""
        casts = dict.fromkeys(self.varied(), (rounded, read))
        arrays = [a.astype(np.float32) if i in casts else a for i, a in enumerate(self.arrays)]
        return Case(self.op, self.index, arrays, self.attributes, False, casts)


def _items(node: Node) -> list[Node]:
    """The results of a node with several."""
    from onegraph.ops.control import items_of

    return list(items_of(node))


def as_case(op: Op, arrays: Sequence[Array], attributes: dict[str, Any], index: int = 0) -> Case:
    """A case that is not among the op's samples."""
    return Case(op, index, list(arrays), attributes)


@cache
def _cases(name: str) -> tuple[Case, ...]:
    op = OPS[name]
    return tuple(
        Case(
            op,
            i,
            [np.asarray(a) for a in s.arrays],
            s.attributes,
            s.differentiable and op.gradient is not None,
        )
        for i, s in enumerate(op.samples())
    )


def cases_of(op: Op) -> tuple[Case, ...]:
    """The samples of an op as graphs."""
    return _cases(op.name)


def sum_of_products(nodes: Sequence[Node], weights: Sequence[Node]) -> Node:
    """A scalar whose gradient with respect to `nodes` is `weights`."""
    total = sum_(mul(nodes[0], weights[0]))
    for node, weight in zip(nodes[1:], weights[1:], strict=True):
        total = add(total, sum_(mul(node, weight)))
    return total


def directional_derivatives(
    total: Node, inputs: Sequence[Node], feed: dict[Node, Array]
) -> Iterator[tuple[list[Array], float]]:
    """Directions in the space of all inputs, and a scalar's derivative along each by central differences.

    Few elements: one direction an element. Many: four random directions, which no wrong gradient
    passes but by an accident of probability 0.
    """
    count = sum(feed[x].size for x in inputs)
    rng = np.random.default_rng(count)
    for trial in range(count if count <= FEW else 4):
        flat = np.zeros(count) if count <= FEW else rng.standard_normal(count)
        if count <= FEW:
            flat[trial] = 1.0
        cuts = np.cumsum([feed[x].size for x in inputs])[:-1]
        parts = np.split(flat, cuts)
        directions = [p.reshape(feed[x].shape) for p, x in zip(parts, inputs, strict=True)]
        sides = []
        for sign in (1, -1):
            moved = dict(feed)
            for x, d in zip(inputs, directions, strict=True):
                moved[x] = feed[x] + sign * STEP * d
            sides.append(float(evaluate([total], moved)[0]))
        yield directions, (sides[0] - sides[1]) / (2 * STEP)
