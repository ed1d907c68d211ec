"""Index arithmetic: where an element of a result comes from, as a function of loop variables.

An `Index` is a sum of loop variables, and of quotients and remainders of such sums, each times a number. The rules
of division here turn what reshapes do into plain strides wherever that is possible. Movement ops say with it what they
read (`Moved` in their records); the loop generator turns it into addresses.

>>> i, j = Var("i", 4), Var("j", 6)
>>> flat = Index.of(i) * 6 + Index.of(j)
>>> flat // 6, flat % 6, flat % 3
(i, j, j%3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from onegraph.ir.node import Node


class Var:
    """A loop variable: 0 <= value < size."""

    __slots__ = ("name", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Quotient:
    """floor(of / by)."""

    of: Index
    by: int

    def __repr__(self) -> str:
        return f"{_group(self.of)}//{self.by}"


@dataclass(frozen=True)
class Remainder:
    """of modulo by."""

    of: Index
    by: int

    def __repr__(self) -> str:
        return f"{_group(self.of)}%{self.by}"


@dataclass(frozen=True)
class Known:
    """`of`, which is known to be in 0 <= of < size wherever it is used (elsewhere conditions do not hold)."""

    of: Index
    size: int

    def __repr__(self) -> str:
        return f"({self.of!r})"


Atom: TypeAlias = Var | Quotient | Remainder | Known


class Index:
    """constant + sum of number * atom. Immutable, compared by content."""

    __slots__ = ("_hash", "constant", "high", "low", "terms")

    def __init__(self, terms: dict[Atom, int], constant: int = 0) -> None:
        self.terms = terms
        self.constant = constant
        low = high = constant
        for atom, factor in terms.items():
            bottom, top = _bounds(atom)
            low += factor * (bottom if factor > 0 else top)
            high += factor * (top if factor > 0 else bottom)
        self.low = low
        self.high = high
        self._hash = hash((frozenset(terms.items()), constant))

    @staticmethod
    def of(x: Var | int) -> Index:
        """A loop variable or a number; a variable of size 1 is 0."""
        if isinstance(x, int):
            return Index({}, x)
        return Index({x: 1}) if x.size != 1 else ZERO

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index)
            and self._hash == other._hash
            and self.constant == other.constant
            and self.terms == other.terms
        )

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.constant + other) if other else self
        if not other.terms:
            return self + other.constant
        if not self.terms and not self.constant:
            return other
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            total = terms.get(atom, 0) + factor
            if total:
                terms[atom] = total
            else:
                del terms[atom]
        return _recombine(terms, self.constant + other.constant)

    def __sub__(self, other: Index | int) -> Index:
        return self + (other * -1)

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Index({a: f * factor for a, f in self.terms.items()}, self.constant * factor)

    def _split(self, by: int) -> tuple[Index, Index]:
        """(q, r) with self = by * q + r, r as small as can be seen."""
        whole, rest = {}, {}
        for atom, factor in self.terms.items():
            q, r = divmod(factor, by)
            if r and by - r < r and factor < 0:  # keep small negative factors as they are
                q, r = q + 1, r - by
            if q:
                whole[atom] = q
            if r:
                rest[atom] = r
        q, r = divmod(self.constant, by)
        return Index(whole, q), Index(rest, r)

    def __floordiv__(self, by: int) -> Index:
        if by == 1:
            return self
        q, r = self._split(by)
        if r.low >= 0 and r.high < by:
            return q
        common = gcd(by, *r.terms.values())
        if common > 1:  # (g a + c) // (g b) = (a + c // g) // b
            r = Index({a: f // common for a, f in r.terms.items()}, r.constant // common)
            return q + (r // (by // common))
        for step in sorted({f for f in r.terms.values() if f > 1 and by % f == 0}):  # (s a + b) // (s c), b < s: a // c
            a, b = r._split(step)
            if b.low >= 0 and b.high < step:
                return q + (a // (by // step))
        if len(r.terms) == 1 and not r.constant:
            ((atom, factor),) = r.terms.items()
            if factor == 1 and isinstance(atom, Quotient) and atom.of.low >= 0:  # (x // a) // b = x // (a b)
                return q + (atom.of // (atom.by * by))
            if factor == 1 and isinstance(atom, Remainder) and atom.by % by == 0:
                return q + ((atom.of // by) % (atom.by // by))
        return q + Index({Quotient(r, by): 1})

    def __mod__(self, by: int) -> Index:
        if by == 1:
            return ZERO
        _, r = self._split(by)
        if r.low >= 0 and r.high < by:
            return r
        common = gcd(by, *r.terms.values())
        if common > 1 and len(r.terms):  # (g a + c) % (g b) = g ((a + c // g) % b) + c % g
            inner = Index({a: f // common for a, f in r.terms.items()}, r.constant // common)
            return (inner % (by // common)) * common + r.constant % common
        for step in sorted({f for f in r.terms.values() if f > 1 and by % f == 0}):
            a, b = r._split(step)
            if b.low >= 0 and b.high < step:
                return (a % (by // step)) * step + b
        if len(r.terms) == 1 and not r.constant:
            ((atom, factor),) = r.terms.items()
            if factor == 1 and isinstance(atom, Remainder) and atom.by % by == 0:
                return atom.of % by
        return Index({Remainder(r, by): 1})

    def variables(self) -> set[Var]:
        """The loop variables that it depends on."""
        found: set[Var] = set()
        for atom in self.terms:
            if isinstance(atom, Var):
                found.add(atom)
            else:
                found |= atom.of.variables()
        return found

    def stride(self, variable: Var) -> int | None:
        """By how much the value grows with the variable; None where that is not one number."""
        total = self.terms.get(variable, 0)
        for atom, factor in self.terms.items():
            if not isinstance(atom, Var) and variable in atom.of.variables():
                inside = atom.of.stride(variable) if isinstance(atom, Known) else None
                if inside is None:
                    return None
                total += factor * inside
        return total

    def key(self, names: dict[Var, Any]) -> Any:
        """A form in which variables are told apart by these names alone."""
        parts: list[Any] = []
        for atom, factor in self.terms.items():
            if isinstance(atom, Var):
                parts.append((names.get(atom, atom), factor))
            else:
                by = atom.size if isinstance(atom, Known) else atom.by
                parts.append((type(atom).__name__, atom.of.key(names), by, factor))
        return self.constant, frozenset(parts)

    def substitute(self, values: dict[Var, Index]) -> Index:
        """The index with other indices in place of its variables."""
        total = Index({}, self.constant)
        for atom, factor in self.terms.items():
            if isinstance(atom, Var):
                part = values.get(atom)
                part = Index({atom: 1}) if part is None else part
            elif isinstance(atom, Quotient):
                part = atom.of.substitute(values) // atom.by
            elif isinstance(atom, Known):
                part = known(atom.of.substitute(values), atom.size)
            else:
                part = atom.of.substitute(values) % atom.by
            total = total + part * factor
        return total

    def __repr__(self) -> str:
        parts = [f"{f}*{_group_atom(a)}" if f != 1 else repr(a) for a, f in self.terms.items()]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return "+".join(parts).replace("+-", "-")


def _bounds(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, Quotient):
        return atom.of.low // atom.by, atom.of.high // atom.by
    if isinstance(atom, Remainder):
        return 0, atom.by - 1
    return 0, atom.size - 1


def known(index: Index, size: int) -> Index:
    """The index, with the knowledge that it is in 0 <= index < size wherever it is used."""
    if index.low >= 0 and index.high < size:
        return index
    for step in sorted({f for f in index.terms.values() if f > 1 and size % f == 0}, reverse=True):
        a, b = index._split(step)  # 0 <= s a + b < s n, 0 <= b < s: 0 <= a < n
        if b.low >= 0 and b.high < step:
            return known(a, size // step) * step + b
    return Index({Known(index, size): 1})


def _recombine(terms: dict[Atom, int], constant: int) -> Index:
    """d * (x // d) + x % d is x."""
    for atom, factor in terms.items():
        if isinstance(atom, Remainder):
            partner = Quotient(atom.of, atom.by)
            if terms.get(partner) == factor * atom.by:
                rest = {a: f for a, f in terms.items() if a not in (atom, partner)}
                return Index(rest, constant) + atom.of * factor
    return Index(terms, constant)


def _group(x: Index) -> str:
    text = repr(x)
    return text if len(x.terms) == 1 and not x.constant and next(iter(x.terms.values())) == 1 else f"({text})"


def _group_atom(atom: Atom) -> str:
    return repr(atom) if isinstance(atom, Var) else f"({atom!r})"


ZERO = Index({})

Position: TypeAlias = tuple[Index, ...]
"""One index for each dimension."""


def linear(position: Sequence[Index], shape: Sequence[int]) -> Index:
    """The number of an element in row-major order."""
    total, step = ZERO, 1
    for index, size in zip(reversed(position), reversed(shape), strict=True):
        total = total + index * step
        step *= size
    return total


def from_linear(flat: Index, shape: Sequence[int]) -> Position:
    """The position of an element, from its number in row-major order.

    >>> i = Var("i", 24)
    >>> from_linear(Index.of(i), (2, 3, 4))
    (i//12, i//4%3, i%4)
    >>> j = Var("j", 5)
    >>> from_linear(Index.of(i) * 5 + Index.of(j), (6, 20))
    (i//4, 5*(i%4)+j)
    """
    out, step = [], prod(shape)
    if step == 0:
        return (ZERO,) * len(shape)
    for number, size in enumerate(shape):
        step //= size
        part = flat // step
        out.append(ZERO if size == 1 else part if number == 0 or flat.high < step * size else part % size)
    return tuple(out)


@dataclass(frozen=True)
class Condition:
    """low <= index < high, and index divisible by `by`."""

    index: Index
    low: int
    high: int
    by: int = 1

    def always(self) -> bool:
        """Whether it is true wherever it is asked."""
        return self.by == 1 and self.low <= self.index.low and self.index.high < self.high

    def never(self) -> bool:
        """Whether it is false wherever it is asked."""
        return self.index.high < self.low or self.index.low >= self.high


@dataclass(frozen=True)
class Read:
    """Where an element comes from: which input, at which position, if the conditions hold."""

    input: int
    position: Position
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Moved:
    """How a movement op is computed.

    `function(node, position)` says what the element at that position is: the first of the reads whose conditions hold.
    """

    function: Callable[[Node, Position], Sequence[Read]]


def shape_of(node: Any) -> tuple[int, ...]:
    """The shape, when all its sizes are known."""
    return tuple([int(s) for s in node.shape])
