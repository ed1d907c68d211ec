"""Random graphs of nodes: all kinds of ops, dtypes and shapes, views of views, gradients.

Values are small whole numbers, also the floating ones, so that every sum is exact and its order does not matter: an
element from a wrong place shows. With `rounding` values are any numbers. Read next: `check_graphs.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.autodiff import gradient
from onegraph.errors import OneGraphError
from onegraph.ir.dtype import ALL, DType, bfloat16, bool_, float16, float32, float64, int32, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, bundle, input_node
from onegraph.ops import OPS
from onegraph.ops.evaluate import execute_node, to_computed, to_stored
from onegraph.ops.leaf import constant, iota

Array = np.ndarray[Any, Any]

SIZES = [1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33]
LONG = [63, 64, 65, 100, 127, 128, 129, 255, 257, 1000, 4099]
MOST = 40_000
EXACT = 1 << 11
"""Whole numbers up to which values are let grow (in float16 they are exact up to there)."""


@dataclass
class Made:
    """A node with its value as the reference computes it."""

    node: Node
    value: Array


class GraphWriter:
    """Writes the graph of a seed.

    Args:
        rounding: use any numbers, and operations that round.
        large: sometimes use long dimensions.
    """

    def __init__(self, seed: int, rounding: bool = False, large: bool = False) -> None:
        self.choose = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.rounding, self.large = rounding, large
        self.inputs: list[Made] = []
        self.made: list[Made] = []
        self.known: dict[Node, Array] = {}

    # ------------------------------------------------------------------ parts

    def size(self) -> int:
        """A size of a dimension."""
        if self.large and self.choose.random() < 0.3:
            return self.choose.choice(LONG)
        return 0 if self.choose.random() < 0.02 else self.choose.choice(SIZES)

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        """A shape that is not too large."""
        rank = self.choose.choice([0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5]) if rank is None else rank
        while True:
            shape = tuple(self.size() for _ in range(rank))
            if np.prod(shape, dtype=float) <= MOST:
                return shape

    def array(self, shape: tuple[int, ...], dtype: DType) -> Array:
        """Random values in storage form."""
        if dtype is bool_:
            return self.numbers.random(shape) < 0.5
        if self.rounding and dtype.kind == "float":
            return to_stored(self.numbers.standard_normal(shape), dtype)
        low = 0 if dtype.kind == "uint" else -4
        return to_stored(self.numbers.integers(low, 5, shape), dtype)

    def dtype(self) -> DType:
        """Mostly float32."""
        if self.choose.random() < 0.6:
            return float32
        return self.choose.choice(ALL)

    def input(self, shape: tuple[int, ...], dtype: DType) -> Made:
        """A new input, or now and then a constant."""
        node, value = input_node(shape, dtype), self.array(shape, dtype)
        if dtype is not bfloat16 and self.choose.random() < 0.15:
            node = OPS["constant"](value=constant_value(value))
            return self.keep(node, value)
        made = Made(node, value)
        self.inputs.append(made)
        return self.keep(node, value)

    def keep(self, node: Node, value: Array) -> Made:
        """Remember a node."""
        made = Made(node, value)
        self.known[node] = value
        self.made.append(made)
        return made

    def pick(self, wanted: Callable[[Node], bool] = lambda n: True) -> Made:
        """Something that is there already, late ones rather than early ones, or a new input."""
        found = [m for m in self.made if wanted(m.node)]
        if not found:
            raise Unsuitable
        return found[min(int(self.choose.expovariate(0.4)), len(found) - 1) * -1 - 1]

    def evaluate(self, node: Node) -> Array:
        """The value of a node, and of the nodes in between."""
        stack = [node]
        while stack:
            n = stack[-1]
            missing = [i for i in n.inputs if i not in self.known]
            if n in self.known:
                stack.pop()
            elif missing:
                stack.extend(missing)
            else:
                stack.pop()
                value = execute_node(n, [self.known[i] for i in n.inputs])
                self.known[n] = value  # type: ignore[assignment]
        return self.known[node]

    def add(self, node: Node) -> None:
        """Put a node into the graph, with its values brought into range."""
        if np.prod(node.shape, dtype=float) > 4 * MOST:
            raise Unsuitable
        value = self.evaluate(node)
        if node.dtype.kind in ("float", "int") and node.dtype.bits > 8 and value.size:
            size = np.abs(to_computed(value, node.dtype).astype(np.float64))
            if not self.rounding and (size[np.isfinite(size)] % 1).any():
                raise Unsuitable  # the gradient of a maximum divides
            if not np.isfinite(size).all() or size.max() > EXACT / 8:
                if self.rounding:
                    if node.dtype.kind == "float" and np.isfinite(size).all():
                        node = OPS["div"](node, constant(float(size.max()), node.dtype))
                elif np.isfinite(size).all() and size.max() <= exact_limit(node.dtype):
                    node = OPS["sub"](OPS["mod"](node, constant(7, node.dtype)), constant(3, node.dtype))
                else:
                    raise Unsuitable
                value = self.evaluate(node)
        self.keep(node, value)

    # -------------------------------------------------------------- operations

    def unary(self) -> None:
        """An elementwise op of one value."""
        x = self.pick().node
        names = ["neg", "abs", "sign", "detach", "not"]
        if x.dtype.kind == "float":
            names += ["floor", "ceil", "round", "trunc", "isnan", "isfinite"]
            if self.rounding and x.dtype.bits >= 32:
                names = ["exp", "tanh", "sin", "sigmoid", "erf", "neg", "abs", "sqrt", "cos", "atan"]
        self.add(OPS[self.choose.choice(names)](x))

    def cast(self) -> None:
        """To another dtype."""
        x = self.pick().node
        self.add(OPS["cast"](x, dtype=self.choose.choice([self.dtype(), float32, x.dtype])))

    def binary(self) -> None:
        """An elementwise op of two values that broadcast."""
        a = self.pick()
        names = ["add", "sub", "mul", "maximum", "minimum", "add", "mul"]
        if not self.rounding:
            names += ["eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor"]
        b = self.other(a.node)
        pair = (a.node, b) if self.choose.random() < 0.5 else (b, a.node)
        node = OPS[self.choose.choice(names)](*pair)
        self.add(node)

    def divide(self) -> None:
        """Division of whole numbers by something that is not zero."""
        a = self.pick(lambda n: n.dtype is not bool_).node
        b = self.other(a)
        one = constant(1, a.dtype)
        divisor = OPS["add"](OPS["abs"](b), one) if b.dtype.kind != "uint" else OPS["maximum"](b, one)
        name = "div" if self.rounding and a.dtype.kind == "float" else self.choose.choice(["mod", "floor_div"])
        if self.rounding and name != "div":
            raise Unsuitable
        self.add(OPS[name](a, divisor))

    def where(self) -> None:
        """A choice."""
        condition = self.pick(lambda n: n.dtype is bool_).node
        a = self.pick().node
        self.add(OPS["where"](condition, a, self.other(a)))

    def other(self, x: Node) -> Node:
        """Something of the same dtype that broadcasts with a value."""
        kind = self.choose.random()
        if kind < 0.5:
            found = [m.node for m in self.made if m.node.dtype is x.dtype and broadcasts(m.node.shape, x.shape)]
            if found:
                return self.choose.choice(found[-6:])
        if kind < 0.65:
            return constant(self.choose.choice([0, 1, 2, 3]), x.dtype)
        shape = tuple(int(s) if self.choose.random() < 0.7 else 1 for s in x.shape)
        return self.input(shape[self.choose.choice([0, 0, 1]) :], x.dtype).node

    def reduce(self) -> None:
        """A reduction, and often something with its result and its input."""
        x = self.pick(lambda n: len(n.shape) > 0 and n.dtype is not bool_).node
        rank = len(x.shape)
        dims = tuple(sorted(self.choose.sample(range(rank), self.choose.randint(1, rank))))
        names = ["sum", "sum", "max", "min"] + ["prod"] * (self.rounding and x.dtype.kind == "float")
        name = self.choose.choice(names)
        if name in ("max", "min") and 0 in x.shape:
            raise Unsuitable
        keepdim = self.choose.random() < 0.6
        node = OPS[name](x, dims=dims, keepdim=keepdim)
        self.add(node)
        if keepdim and self.choose.random() < 0.7:
            self.add(OPS[self.choose.choice(["sub", "mul", "maximum"])](x, self.made[-1].node))
            if self.choose.random() < 0.5:
                self.add(OPS["sum"](self.made[-1].node, dims=dims, keepdim=True))

    def position(self) -> None:
        """The place of the extreme value."""
        x = self.pick(lambda n: len(n.shape) > 0 and 0 not in n.shape).node
        if self.rounding:
            raise Unsuitable
        dim = self.choose.randrange(len(x.shape))
        name = self.choose.choice(["argmax", "argmin", "argsort", "cumsum", "cummax"])
        if name == "argsort":
            self.add(OPS[name](x, dim=dim, descending=self.choose.random() < 0.5))
        elif name in ("cumsum", "cummax"):
            self.add(OPS[name](x, dim=dim, reverse=self.choose.random() < 0.5))
        else:
            self.add(OPS[name](x, dim=dim, keepdim=self.choose.random() < 0.5))

    def move(self) -> None:
        """One or several movements in a row."""
        x = self.pick().node
        for _ in range(self.choose.choice([1, 1, 2, 3, 4])):
            x = self.moved(x)
        self.add(x)

    def moved(self, x: Node) -> Node:
        """A movement of a value."""
        shape = tuple(int(s) for s in x.shape)
        rank, c = len(shape), self.choose
        kind = c.choice(["reshape", "permute", "expand", "pad", "slice", "flip", "concat", "set_slice", "windows"])
        if kind == "reshape":
            return OPS["reshape"](x, shape=self.regrouped(shape))
        if kind == "expand":
            wanted = tuple(self.size() if s == 1 and c.random() < 0.5 else s for s in shape)
            wanted = tuple([self.size()] if c.random() < 0.3 else []) + wanted
            return OPS["expand"](x, shape=wanted)
        if rank == 0:
            return OPS["reshape"](x, shape=(1, 1))
        if kind == "permute":
            dims = list(range(rank))
            c.shuffle(dims)
            return OPS["permute"](x, dims=tuple(dims))
        if kind == "flip":
            return OPS["flip"](x, dims=tuple(sorted(c.sample(range(rank), c.randint(1, rank)))))
        if kind == "concat":
            dim = c.randrange(rank)
            fits = [m.node for m in self.made if m.node.dtype is x.dtype and joins(m.node.shape, shape, dim)]
            others = [c.choice([*fits, x]) for _ in range(c.randint(1, 2))]
            return OPS["concat"](x, *others, dim=dim)
        if kind == "windows":
            dim = c.randrange(rank)
            size, dilation = c.randint(1, 3), c.randint(1, 2)
            if shape[dim] < (size - 1) * dilation + 1:
                raise Unsuitable
            return OPS["windows"](x, dims=(dim,), sizes=(size,), strides=(c.randint(1, 3),), dilations=(dilation,))
        starts, stops, steps = self.range_of(shape)
        if kind == "slice":
            return OPS["slice"](x, starts=starts, stops=stops, steps=steps)
        if kind == "set_slice":
            inside = tuple(max(0, -(-(b - a) // s)) for a, b, s in zip(starts, stops, steps, strict=True))
            fits = [m.node for m in self.made if m.node.dtype is x.dtype and tuple(m.node.shape) == inside]
            value = c.choice(fits) if fits else self.input(inside, x.dtype).node
            return OPS["set_slice"](x, value, starts=starts, stops=stops, steps=steps)
        padding = tuple(
            (c.choice([0, 0, 1, 2, -1]), c.choice([0, 0, 1, 3, -1]), c.choice([0, 0, 0, 1, 2])) for _ in shape
        )
        return OPS["pad"](x, constant(c.choice([0, 0, 1]), x.dtype), padding=padding)

    def range_of(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """A slice of each dimension."""
        c = self.choose
        starts = tuple(c.randint(0, s) if c.random() < 0.4 else 0 for s in shape)
        stops = tuple(c.randint(a, s) if c.random() < 0.4 else s for a, s in zip(starts, shape, strict=True))
        return starts, stops, tuple(c.choice([1, 1, 1, 2, 3]) for _ in shape)

    def regrouped(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Another shape with as many elements."""
        c = self.choose
        parts: list[int] = []
        for s in shape:
            factor = next((f for f in (2, 3, 5, 7) if s % f == 0 and s > f), 0)
            parts += [factor, s // factor] if factor and c.random() < 0.5 else [s]
        out: list[int] = []
        for p in parts:
            if out and c.random() < 0.4:
                out[-1] *= p
            else:
                out.append(p)
            if c.random() < 0.1:
                out.append(1)
        return tuple(out)

    def take(self) -> None:
        """Elements chosen by indices."""
        x = self.pick(lambda n: len(n.shape) > 0).node
        dim = self.choose.randrange(len(x.shape))
        count = self.choose.choice([1, 1, 1, min(2, len(x.shape) - dim)])
        shape = self.shape(self.choose.choice([0, 1, 1, 2]))
        indices = []
        for d in range(dim, dim + count):
            size = int(x.shape[d])
            if size == 0:
                raise Unsuitable
            index = input_node(shape, int64)
            made = Made(index, self.numbers.integers(0, size, shape))
            self.inputs.append(made)
            self.known[index] = made.value
            indices.append(index)
        self.add(OPS["take"](x, *indices, dim=dim))

    def scatter(self) -> None:
        """Elements written where indices say."""
        x = self.pick(lambda n: len(n.shape) > 0 and n.dtype is not bool_).node
        dim, size = 0, int(x.shape[0])
        count = self.choose.randint(0, size)
        index, value = input_node((count,), int64), self.numbers.permutation(size)[:count].astype(np.int64)
        mode = self.choose.choice(["set", "add", "max"])
        if mode == "add" and size:
            value = self.numbers.integers(0, size, (count,))
        self.inputs.append(Made(index, value))
        self.known[index] = value
        source = self.input((count, *map(int, x.shape[1:])), x.dtype).node
        self.add(OPS["scatter"](x, index, source, dim=dim, mode=mode))

    def matmul(self) -> None:
        """A product of matrices, or of something seen as matrices."""
        a = self.pick(lambda n: len(n.shape) >= 2 and n.dtype is not bool_).node
        k = int(a.shape[-1])
        fits = [m.node for m in self.made if m.node.dtype is a.dtype and len(m.node.shape) >= 2]
        fits = [n for n in fits if n.shape[-2] == k and broadcasts(n.shape[:-2], a.shape[:-2])]
        if fits and self.choose.random() < 0.5:
            b = self.choose.choice(fits)
        elif self.choose.random() < 0.4:
            b = OPS["permute"](self.input((self.size(), k), a.dtype).node, dims=(1, 0))
        else:
            lead = tuple(map(int, a.shape[:-2])) if self.choose.random() < 0.4 else ()
            b = self.input((*lead, k, self.size()), a.dtype).node
        self.add(OPS["matmul"](a, b))

    def convolution(self) -> None:
        """A convolution of something with three to five dimensions, and now and then its gradients."""
        c = self.choose
        x = self.pick(lambda n: 3 <= len(n.shape) <= 5 and n.dtype.kind == "float").node
        shape = tuple(map(int, x.shape))
        rank, inside = len(shape) - 2, shape[1]
        groups = c.choice([1, 1, 1, *[g for g in (2, 3, 4, inside) if g and inside % g == 0]])
        outside = groups * c.choice([1, 2, 3, 5, 8, 16])
        kernel = tuple(c.choice([1, 1, 2, 3, 3, 5]) for _ in range(rank))
        stride = tuple(c.choice([1, 1, 1, 2, 3]) for _ in range(rank))
        dilation = tuple(c.choice([1, 1, 1, 2, 3]) for _ in range(rank))
        padding = tuple((c.choice([0, 0, 1, 2]), c.choice([0, 0, 1, 2])) for _ in range(rank))
        for size, k, (low, high), d in zip(shape[2:], kernel, padding, dilation, strict=True):
            if size + low + high < (k - 1) * d + 1:
                raise Unsuitable
        if inside == 0:
            raise Unsuitable
        w = self.input((outside, inside // groups, *kernel), x.dtype).node
        node = OPS["conv"](x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
        self.add(node)
        y = self.made[-1].node
        if c.random() < 0.4:
            for target in c.choice([(x,), (w,), (x, w)]):
                squares = OPS["sum"](OPS["mul"](y, y), dims=tuple(range(len(y.shape))), keepdim=False)
                (g,) = gradient([squares], [None], [target])
                if g is not None:
                    self.add(g)

    def gradient(self) -> None:
        """The gradient of something by something else."""
        y = self.pick(lambda n: n.dtype in (float32, float64) and 0 not in n.shape).node
        x = self.pick(lambda n: n.dtype in (float32, float64)).node
        if x is y:
            raise Unsuitable
        seed = self.input(tuple(map(int, y.shape)), y.dtype).node
        (g,) = gradient([y], [seed], [x])
        if g is None:
            raise Unsuitable
        self.add(g)

    def pool(self) -> None:
        """The largest, or the sum, in windows, and the way back."""
        c = self.choose
        x = self.pick(lambda n: len(n.shape) in (3, 4) and n.dtype is not bool_ and min(n.shape) > 1).node
        dims = (2,) if len(x.shape) == 3 else (2, 3)
        sizes = tuple(c.choice([1, 2, 2, 3]) for _ in dims)
        strides = tuple(c.choice([1, 2, 2, 3]) for _ in dims)
        if any(int(x.shape[d]) < s for d, s in zip(dims, sizes, strict=True)):
            raise Unsuitable
        cut = OPS["windows"](x, dims=dims, sizes=sizes, strides=strides, dilations=(1,) * len(dims))
        last = tuple(range(len(cut.shape) - len(dims), len(cut.shape)))
        self.add(OPS[c.choice(["max", "sum"])](cut, dims=last, keepdim=False))
        if c.random() < 0.4:
            out = tuple(int(x.shape[d]) for d in dims)
            self.add(
                OPS["fold"](cut, dims=dims, sizes=sizes, strides=strides, dilations=(1,) * len(dims), output_size=out)
            )

    def count(self) -> None:
        """Counting, and random words."""
        if self.choose.random() < 0.7:
            n = iota(self.size(), self.choose.choice([int64, float32, int32]))
            self.keep(n, self.evaluate(n))
            return
        key = input_node((2,), int64)
        value = self.numbers.integers(0, 1 << 40, (2,))
        self.inputs.append(Made(key, value))
        self.known[key] = value
        bits = OPS["random_bits"](key, shape=self.shape())
        self.add(OPS["and"](bits, constant(7, bits.dtype)))

    # ------------------------------------------------------------------- graph

    def write(self, length: int) -> Graph:
        """A graph of about so many steps."""
        for _ in range(self.choose.choice([1, 2, 2, 3])):
            rank = self.choose.choice([None, 2, 3, 4])
            self.input(self.shape(rank), self.dtype())
        steps = [
            *[self.unary] * 2, *[self.binary] * 5, *[self.reduce] * 4, *[self.move] * 5, *[self.matmul] * 2,
            *[self.convolution] * 2, self.cast, self.divide, self.where, self.position, self.take, self.scatter,
            self.gradient, self.pool, self.count,
        ]  # fmt: skip
        done = 0
        for _ in range(length * 4):
            if done >= length:
                break
            try:
                self.choose.choice(steps)()
                done += 1
            except (Unsuitable, OneGraphError, ZeroDivisionError):
                continue
        inputs = list(dict.fromkeys(m.node for m in self.inputs))
        made = [m.node for m in self.made if m.node.dtype is not bundle]
        outputs = [made[-1]] + [n for n in made if self.choose.random() < 0.25]
        return Graph(inputs, outputs)

    def arrays(self, graph: Graph) -> list[Array]:
        """Values of the inputs."""
        return [self.known[n] for n in graph.inputs]


class Unsuitable(Exception):
    """A step that cannot be taken here."""


def constant_value(array: Array) -> Any:
    """An array as an attribute."""
    from onegraph.ops.elementwise import numpy_constant

    return numpy_constant(array).attributes["value"]


def exact_limit(dtype: DType) -> float:
    """Whole numbers up to which a dtype is exact."""
    return {float16: 2.0**11, bfloat16: 2.0**8, float32: 2.0**24, float64: 2.0**53}.get(
        dtype, 2.0 ** (dtype.bits - 1) - 1
    )


def broadcasts(a: Any, b: Any) -> bool:
    """Whether two shapes broadcast."""
    return all(x == y or x == 1 or y == 1 for x, y in zip(reversed(a), reversed(b), strict=False))


def joins(a: Any, b: Any, dim: int) -> bool:
    """Whether two shapes can be joined along a dimension."""
    return len(a) == len(b) and all(x == y or d == dim for d, (x, y) in enumerate(zip(a, b, strict=True)))
