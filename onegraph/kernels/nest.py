"""The loop-nest form of a kernel: statements in order, each valid at every step of the loops that it depends on.

A nest has outer loops (whose steps are independent, so they are split into tasks) and inner loops (which are reduced
over). Inner loops run once for each phase: a softmax has three (largest, sum, result). `nest_code.py` writes it as LLVM IR.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from onegraph.ir.dtype import DType, int32, int64
from onegraph.ops.index import Condition, Index, Var

LONG_TRANSPOSE = 256
"""Steps of a loop along vectors from which on transpositions are cut into squares."""
SHORT_VECTOR = 16
"""Steps of an outer loop along vectors below which it is merged with the one around it, whatever the addresses."""
LONG_ROW = 64
"""Steps of an inner loop along vectors from which on it is not merged with the one around it."""


@dataclass(frozen=True)
class Statement:
    """One value of a nest.

    kind, with its arguments (numbers of statements) and data:
        load: (buffer, offset, conditions); zero where the conditions do not hold
        constant: the number
        position: an Index, as int64
        apply: (op, attributes); arguments are the inputs
        choose: conditions; the first argument where they hold, else the second
        reduced: (op); the first argument reduced over the inner loops of its phase
        gather: (buffer, strides and sizes, offset, conditions): element at offset + sum of strides * arguments, which are checked
        random: (buffer with the key, Index of the element)
        given: something that the caller of the code generator supplies (the sum of a micro-kernel)
    """

    kind: str
    dtype: DType
    arguments: tuple[int, ...] = ()
    data: Any = None
    variables: frozenset[Var] = frozenset()


@dataclass(frozen=True)
class Store:
    """buffer[offset] = value, at every step of the loops that offset and value depend on."""

    buffer: int
    offset: Index
    value: int


@dataclass
class Phase:
    """One run of the inner loops: what is reduced and what is stored meanwhile."""

    reductions: list[int] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)


@dataclass
class Nest:
    """A kernel in loop-nest form.

    Attributes:
        statements: in an order in which they can be computed.
        buffers: dtypes of the buffers that loads and stores number.
        outer, inner: loop variables, outermost first.
        vector: the variable that runs along vector lanes (the last outer or the last inner one), or None.
        phases: what each run of the inner loops does.
        stores: what is stored after the phases, at the level of the outer loops.
        spills: see there.
        chunk: (outer variable, inner variable, size) when an inner loop is cut into chunks numbered by an outer one.
    """

    statements: list[Statement] = field(default_factory=list)
    buffers: list[DType] = field(default_factory=list)
    outer: list[Var] = field(default_factory=list)
    inner: list[Var] = field(default_factory=list)
    vector: Var | None = None
    phases: list[Phase] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    chunk: tuple[Var, Var, int] | None = None
    spills: dict[int, int] = field(default_factory=dict)
    """Statements that later phases read again from a buffer in scratch memory, instead of computing them again."""

    def __post_init__(self) -> None:
        self._memo: dict[Statement, int] = {s: i for i, s in enumerate(self.statements)}

    def add(self, statement: Statement) -> int:
        """The number of a statement, which is put down once."""
        number = self._memo.get(statement)
        if number is None:
            number = len(self.statements)
            self.statements.append(statement)
            self._memo[statement] = number
        return number

    # -------------------------------------------------------- statements

    def load(self, buffer: int, offset: Index, conditions: tuple[Condition, ...]) -> int:
        """An element of a buffer."""
        used = set(offset.variables())
        for condition in conditions:
            used |= condition.index.variables()
        return self.add(Statement("load", self.buffers[buffer], (), (buffer, offset, conditions), frozenset(used)))

    def constant(self, number: Any, dtype: DType) -> int:
        """A number."""
        return self.add(Statement("constant", dtype, (), _Exact(number)))

    def position(self, index: Index) -> int:
        """An index as a value."""
        return self.add(Statement("position", int64, (), index, frozenset(index.variables())))

    def apply(self, op: str, attributes: Any, arguments: Sequence[int], dtype: DType) -> int:
        """An elementwise op."""
        return self.add(Statement("apply", dtype, tuple(arguments), (op, attributes), self._of(arguments)))

    def choose(self, conditions: tuple[Condition, ...], yes: int, no: int) -> int:
        """One value where the conditions hold, another elsewhere."""
        used = set(self._of((yes, no)))
        for condition in conditions:
            used |= condition.index.variables()
        return self.add(Statement("choose", self.statements[yes].dtype, (yes, no), conditions, frozenset(used)))

    def gather(
        self,
        buffer: int,
        steps: Sequence[tuple[int, int]],
        offset: Index,
        indices: Sequence[int],
        conditions: tuple[Condition, ...] = (),
    ) -> int:
        """An element whose place depends on values: offset + sum of stride * index, each index in [0, size)."""
        used = self._of(indices) | offset.variables()
        for condition in conditions:
            used |= condition.index.variables()
        data = (buffer, tuple(steps), offset, conditions)
        return self.add(Statement("gather", self.buffers[buffer], tuple(indices), data, frozenset(used)))

    def random(self, buffer: int, index: Index) -> int:
        """A random word, by its number."""
        return self.add(Statement("random", int32, (), (buffer, index), frozenset(index.variables())))

    def given(self, dtype: DType, variables: Iterable[Var]) -> int:
        """A value that whoever runs the code generator supplies."""
        return self.add(Statement("given", dtype, (), None, frozenset(variables)))

    def reduced(self, op: str, value: int, inner: Iterable[Var], number: int) -> int:
        """A value reduced over the inner loops. `number` tells reductions of equal values in different phases apart."""
        used = self.statements[value].variables - frozenset(inner)
        return self.add(Statement("reduced", self.statements[value].dtype, (value,), (op, number), used))

    def _of(self, arguments: Iterable[int]) -> frozenset[Var]:
        used: frozenset[Var] = frozenset()
        for a in arguments:
            used |= self.statements[a].variables
        return used

    # ----------------------------------------------------------- queries

    def needed(self, roots: Iterable[int], stop: Iterable[int] = ()) -> list[int]:
        """Statements that the roots depend on, in order; not what statements of `stop` depend on."""
        ends = set(stop)
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            if i not in ends:
                stack.extend(self.statements[i].arguments)
        return sorted(seen)

    def key(self) -> tuple[Any, ...]:
        """Equal for nests that do the same, whatever their variables are."""
        variables = {v: (i, v.size) for i, v in enumerate([*self.outer, *self.inner])}

        def plain(index: Index) -> Any:
            return index.key(variables)

        def held(conditions: Iterable[Condition]) -> tuple[Any, ...]:
            return tuple([(plain(c.index), c.low, c.high, c.by) for c in conditions])

        def data(s: Statement) -> Any:
            if s.kind == "load":
                return s.data[0], plain(s.data[1]), held(s.data[2])
            if s.kind == "position":
                return plain(s.data)
            if s.kind == "choose":
                return held(s.data)
            if s.kind == "gather":
                return s.data[0], s.data[1], plain(s.data[2]), held(s.data[3])
            if s.kind == "random":
                return s.data[0], plain(s.data[1])
            return s.data

        def stores(some: Iterable[Store]) -> tuple[Any, ...]:
            return tuple([(s.buffer, plain(s.offset), s.value) for s in some])

        return (
            tuple([(s.kind, s.dtype, s.arguments, data(s)) for s in self.statements]),
            tuple(self.buffers),
            len(self.outer),
            tuple(variables.values()),
            None if self.vector is None else variables.get(self.vector, -1),
            tuple([(tuple(p.reductions), stores(p.stores)) for p in self.phases]),
            stores(self.stores),
            None if self.chunk is None else (variables[self.chunk[0]], variables[self.chunk[1]], self.chunk[2]),
            tuple(self.spills.items()),
        )

    def all_stores(self) -> list[Store]:
        """The stores of all phases and those after them."""
        return [s for p in self.phases for s in p.stores] + self.stores

    def offsets(self) -> list[Index]:
        """The offsets of all loads and stores, and the indices of all conditions and positions."""
        found = [s.offset for s in self.all_stores()]
        for s in self.statements:
            if s.kind == "load":
                found.append(s.data[1])
                found.extend(c.index for c in s.data[2])
            elif s.kind == "position":
                found.append(s.data)
            elif s.kind == "choose":
                found.extend(c.index for c in s.data)
            elif s.kind == "gather":
                found.append(s.data[2])
                found.extend(c.index for c in s.data[3])
            elif s.kind == "random":
                found.append(s.data[1])
        return found

    def substitute(self, values: dict[Var, Index]) -> None:
        """Other indices in place of loop variables, everywhere."""

        def conditions(old: tuple[Condition, ...]) -> tuple[Condition, ...]:
            return tuple(Condition(c.index.substitute(values), c.low, c.high, c.by) for c in old)

        replaced = set(values)
        new_statements = []
        for s in self.statements:
            data = s.data
            if s.variables & replaced:
                if s.kind == "load":
                    data = (data[0], data[1].substitute(values), conditions(data[2]))
                elif s.kind == "position":
                    data = data.substitute(values)
                elif s.kind == "choose":
                    data = conditions(data)
                elif s.kind == "gather":
                    data = (data[0], data[1], data[2].substitute(values), conditions(data[3]))
                elif s.kind == "random":
                    data = (data[0], data[1].substitute(values))
                used = set(s.variables - replaced)
                for v in s.variables & replaced:
                    used |= values[v].variables()
                s = Statement(s.kind, s.dtype, s.arguments, data, frozenset(used))
            new_statements.append(s)
        self.statements = new_statements
        self._memo = {s: i for i, s in enumerate(self.statements)}
        for stores in [*(p.stores for p in self.phases), self.stores]:
            stores[:] = [Store(s.buffer, s.offset.substitute(values), s.value) for s in stores]

    def collapse(self) -> None:
        """Merge neighbouring outer loops whose steps are those of one loop for every address.

        Inner loops decide in which order a reduction adds, which must depend on the sizes alone: of them the last ones
        are merged, whatever the addresses, until there is one that is long enough for vectors.
        """
        position = len(self.outer) - 2
        while position >= 0:
            a, b = self.outer[position], self.outer[position + 1]
            if all(merges(o, a, b) for o in self.offsets()):
                self._merge(self.outer, position)
            position -= 1
        while self.vector in self.outer[1:] and self.outer[-1].size < SHORT_VECTOR:
            self._merge(self.outer, len(self.outer) - 2)
        while self.vector in self.inner[1:] and self.inner[-1].size < LONG_ROW:
            self._merge(self.inner, len(self.inner) - 2)

    def tile(self) -> None:
        """Cut a transposition into squares: where some value lies along another loop than the vectors, and the loop
        along vectors is so long that lines of that value leave the cache before their next element is used.
        """
        v = self.vector
        if v is None or self.inner or v not in self.outer or v.size <= LONG_TRANSPOSE:
            return
        across = [s.offset for s in self.all_stores()] + [s.data[1] for s in self.statements if s.kind == "load"]
        for offset in across:
            if offset.stride(v) in (0, 1):
                continue
            along = next((u for u in self.outer if u is not v and offset.stride(u) == 1), None)
            if along is None:
                continue
            high = next((n for n in range(16, 3, -1) if along.size % n == 0), 0)
            wide = next((n for n in range(128, 15, -16) if v.size % n == 0), 0)
            if high and wide:
                self._cut_square(along, high, v, wide)
            return

    def _cut_square(self, along: Var, high: int, v: Var, wide: int) -> None:
        rows, row = Var(f"{along.name}o", along.size // high), Var(f"{along.name}i", high)
        runs, lane = Var(f"{v.name}o", v.size // wide), Var(f"{v.name}i", wide)
        self.substitute({along: Index.of(rows) * high + Index.of(row), v: Index.of(runs) * wide + Index.of(lane)})
        rest = [u for u in self.outer if u is not along and u is not v]
        self.outer = [u for u in (*rest, rows, runs, row, lane) if u.size != 1]
        self.vector = lane

    def _merge(self, loops: list[Var], position: int) -> None:
        a, b = loops[position], loops[position + 1]
        merged = Var(b.name, a.size * b.size)
        flat = Index.of(merged)
        self.substitute({a: flat // b.size, b: flat % b.size})
        loops[position : position + 2] = [merged]
        if self.vector in (a, b):
            self.vector = merged

    def __str__(self) -> str:
        return "\n".join(_lines(self))


class _Exact:
    """A number that is equal only to the same number (0.0 is not -0.0, and NaN is NaN)."""

    __slots__ = ("number",)

    def __init__(self, number: Any) -> None:
        self.number = number

    def _key(self) -> tuple[type, str]:
        return type(self.number), repr(self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Exact) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return repr(self.number)


def merges(offset: Index, a: Var, b: Var) -> bool:
    """Whether two loops, b inside of a, step through an index as one loop would."""
    outer, inner = offset.stride(a), offset.stride(b)
    return outer is not None and inner is not None and outer == inner * b.size


def _lines(nest: Nest) -> list[str]:
    """The nest as readable text."""
    depth = "".join(f"for {v.name} in {v.size}: " for v in nest.outer)
    lines = [depth or "once:"]
    shown: set[int] = set()

    def show(roots: Iterable[int], indent: str) -> None:
        for i in nest.needed(roots):
            if i not in shown:
                shown.add(i)
                lines.append(f"{indent}v{i} = {_text(nest.statements[i])}")

    for phase in nest.phases:
        indent = "  "
        if nest.inner:
            lines.append("  " + "".join(f"for {v.name} in {v.size}: " for v in nest.inner))
            indent = "    "
        show([nest.statements[r].arguments[0] for r in phase.reductions] + [s.value for s in phase.stores], indent)
        for store in phase.stores:
            lines.append(f"{indent}b{store.buffer}[{store.offset}] = v{store.value}")
        for r in phase.reductions:
            shown.add(r)
            lines.append(f"{indent}v{r} {nest.statements[r].data[0]}= v{nest.statements[r].arguments[0]}")
    show([s.value for s in nest.stores], "  ")
    lines.extend(f"  b{s.buffer}[{s.offset}] = v{s.value}" for s in nest.stores)
    return lines


def _text(s: Statement) -> str:
    arguments = ", ".join(f"v{a}" for a in s.arguments)
    if s.kind == "load":
        buffer, offset, conditions = s.data
        return f"b{buffer}[{offset}]" + (f" if {_when(conditions)}" if conditions else "")
    if s.kind == "apply":
        return f"{s.data[0]}({arguments})"
    if s.kind == "choose":
        return f"v{s.arguments[0]} if {_when(s.data)} else v{s.arguments[1]}"
    if s.kind == "gather":
        return f"b{s.data[0]}[{s.data[2]} + {arguments}]"
    return f"{s.kind}({s.data if s.data is not None else arguments})"


def _when(conditions: Sequence[Condition]) -> str:
    parts = []
    for c in conditions:
        parts.append(f"{c.low} <= {c.index} < {c.high}" + (f" and {c.index} % {c.by} == 0" if c.by > 1 else ""))
    return " and ".join(parts)
