"""Sizes that are not known yet: a `Dim` is a polynomial over named unknowns, e.g. a batch size.

Shape rules use ordinary arithmetic, so they work on integers and Dims alike. Before a graph runs, every
Dim is replaced by an integer (`passes/specialize.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from onegraph.errors import ShapeError

Atom: TypeAlias = "str | tuple[Dim, int]"  # an unknown's name, or (expression, n) for expression // n
Term: TypeAlias = tuple[Atom, ...]

MAX_TERMS: Final = 64  # real sizes have a few; a hostile text must not make one that takes minutes
MAX_DEGREE: Final = 16


def _atom_key(atom: Atom) -> str:
    return atom if isinstance(atom, str) else f"(({atom[0]})//{atom[1]})"


class Dim:
    """A size that depends on unknowns.

    >>> n = Dim.unknown("batch")
    >>> (2 * n + 4 - 5) // 2 + 1, n * 12 // 4
    (Dim('1 + ((-1 + 2*batch)//2)'), Dim('3*batch'))
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Mapping[Term, int]) -> None:
        if len(terms) > MAX_TERMS or any(len(term) > MAX_DEGREE for term in terms):
            raise ShapeError(f"a size may have {MAX_TERMS} terms of {MAX_DEGREE} factors, this one has more")
        kept = [(term, c) for term, c in terms.items() if c]
        kept.sort(key=lambda item: (len(item[0]), [_atom_key(atom) for atom in item[0]]))
        self.terms = dict(kept)
        self._hash = hash(tuple(self.terms.items()))

    @staticmethod
    def unknown(name: str) -> Dim:
        """A new unknown of that name."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ShapeError(f"an unknown size needs a name of letters, digits and _, got {name!r}")
        return Dim({(name,): 1})

    def _simple(self) -> Size:
        if not self.terms:
            return 0
        if len(self.terms) == 1 and () in self.terms:
            return self.terms[()]
        return self

    def unknowns(self) -> set[str]:
        """Names that the expression depends on."""
        found: set[str] = set()
        for term in self.terms:
            for atom in term:
                found |= {atom} if isinstance(atom, str) else atom[0].unknowns()
        return found

    def evaluate(self, values: Mapping[str, int]) -> Size:
        """Replace the unknowns that have a value; an int when none is left."""
        total: Size = 0
        for term, coefficient in self.terms.items():
            product: Size = coefficient
            for atom in term:
                if isinstance(atom, str):
                    product = product * values[atom] if atom in values else product * Dim({(atom,): 1})
                else:
                    product = product * (atom[0].evaluate(values) // atom[1])
            total = total + product
        return total

    def __add__(self, other: Any) -> Size:
        if isinstance(other, int):
            other = Dim({(): other})
        elif not isinstance(other, Dim):
            return NotImplemented
        terms = dict(self.terms)
        for term, c in other.terms.items():
            terms[term] = terms.get(term, 0) + c
        return Dim(terms)._simple()

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Any) -> Size:
        difference: Size = self + (-other)
        return difference

    def __rsub__(self, other: Any) -> Size:
        difference: Size = -self + other
        return difference

    def __mul__(self, other: Any) -> Size:
        if isinstance(other, int):
            other = Dim({(): other})
        elif not isinstance(other, Dim):
            return NotImplemented
        terms: dict[Term, int] = {}
        for ta, ca in self.terms.items():
            for tb, cb in other.terms.items():
                term = tuple(sorted(ta + tb, key=_atom_key))
                terms[term] = terms.get(term, 0) + ca * cb
        return Dim(terms)._simple()

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Size:
        if isinstance(other, Dim):
            return _divide_exactly(self, other)
        if not isinstance(other, int):
            return NotImplemented
        if other == 0:
            raise ShapeError(f"division of the size {self} by zero")
        if other == 1:
            return self
        if all(c % other == 0 for c in self.terms.values()):
            return Dim({t: c // other for t, c in self.terms.items()})._simple()
        return Dim({((self, other),): 1})

    def __rfloordiv__(self, other: Any) -> Size:
        if other == 0:
            return 0
        raise ShapeError(f"cannot divide {other} by the unknown size {self}")

    def __mod__(self, other: Any) -> Size:
        quotient = self // other
        remainder: Size = self - quotient * other
        return remainder

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def bounds(self) -> tuple[int | None, int | None]:
        """Least and greatest value while every unknown is at least 1; None for a side without a limit.

        >>> n = Dim.unknown("n")
        >>> (n // 2 + 3).bounds(), (4 - n).bounds()
        ((3, None), (None, 3))
        """
        low: int | None = 0
        high: int | None = 0
        for term, c in self.terms.items():
            least, most = _term_bounds(term)
            if c < 0:
                least, most = most, least
            low = None if low is None or least is None else low + c * least
            high = None if high is None or most is None else high + c * most
        return low, high

    def __lt__(self, other: Any) -> bool:
        return _is_less(self, other)

    def __le__(self, other: Any) -> bool:
        return not _is_less(other, self)

    def __gt__(self, other: Any) -> bool:
        return _is_less(other, self)

    def __ge__(self, other: Any) -> bool:
        return not _is_less(self, other)

    def __int__(self) -> int:
        raise ShapeError(f"the size {self} is not known yet", hint="give the placeholder its full shape")

    __index__ = __int__

    def __str__(self) -> str:
        parts = []
        for term, c in self.terms.items():
            factors = [_atom_key(a) for a in term]
            if c != 1 or not factors:
                factors.insert(0, str(c))
            parts.append("*".join(factors))
        return " + ".join(parts)

    def __repr__(self) -> str:
        return f"Dim({str(self)!r})"

    @staticmethod
    def parse(text: str) -> Size:
        """The inverse of `str`."""
        return _Parser(text).parse()


Size: TypeAlias = int | Dim


def _term_bounds(term: Term) -> tuple[int | None, int | None]:
    """Bounds of a product of atoms while every unknown is at least 1."""
    if not term:
        return 1, 1
    bounds = [_atom_bounds(atom) for atom in term]
    if len(bounds) == 1:
        return bounds[0]
    least = 1
    for low, _ in bounds:
        if low is None or low < 0:
            return None, None
        least *= low
    return least, None


def _atom_bounds(atom: Atom) -> tuple[int | None, int | None]:
    if isinstance(atom, str):
        return 1, None
    expression, divisor = atom
    low, high = expression.bounds()
    if divisor < 0:
        low, high = high, low
    return None if low is None else low // divisor, None if high is None else high // divisor


def _is_less(a: Size, b: Size) -> bool:
    """a < b, when that holds, or fails, for all unknowns that are at least 1."""
    difference = a - b
    low, high = (difference, difference) if isinstance(difference, int) else difference.bounds()
    if high is not None and high < 0:
        return True
    if low is not None and low >= 0:
        return False
    raise ShapeError(
        f"whether {a} is less than {b} depends on a size that is not known yet",
        hint="give the placeholder its full shape",
    )


def _divide_exactly(a: Dim, b: Dim) -> Size:
    """a // b where b is a single product that divides every term of a."""
    if a == b:
        return 1
    if len(b.terms) != 1:
        raise ShapeError(f"cannot divide the size {a} by {b}")
    ((divisor, coefficient),) = b.terms.items()
    terms: dict[Term, int] = {}
    for term, c in a.terms.items():
        left = list(term)
        for atom in divisor:
            if atom not in left or c % coefficient:
                raise ShapeError(f"the size {b} does not divide {a} for every batch size")
            left.remove(atom)
        terms[tuple(left)] = c // coefficient
    return Dim(terms)._simple()


class _Parser:
    """Recursive descent over + * // ( ) names and integers; length and depth are limited."""

    def __init__(self, text: str) -> None:
        self.tokens = re.findall(r"//|[+*()]|-?[0-9]+|[A-Za-z_][A-Za-z0-9_]*", text)
        if "".join(self.tokens) != re.sub(r"\s+", "", text) or len(self.tokens) > 400:
            raise ShapeError(f"not a size: {text[:80]!r}")
        self.text, self.at, self.depth = text, 0, 0

    def parse(self) -> Size:
        value = self.sum()
        if self.at != len(self.tokens):
            raise ShapeError(f"not a size: {self.text[:80]!r}")
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def sum(self) -> Size:
        value = self.product()
        while self.peek() == "+":
            self.at += 1
            value = value + self.product()
        return value

    def product(self) -> Size:
        value = self.atom()
        while self.peek() in ("*", "//"):
            operator = self.peek()
            self.at += 1
            right = self.atom()
            if operator == "//" and right == 0:
                raise ShapeError(f"division by zero in the size {self.text[:80]!r}")
            value = value * right if operator == "*" else value // right
        return value

    def atom(self) -> Size:
        token = self.peek()
        self.at += 1
        if token == "(":
            self.depth += 1
            if self.depth > 50:
                raise ShapeError("a size nested too deeply")
            value = self.sum()
            if self.peek() != ")":
                raise ShapeError(f"not a size: {self.text[:80]!r}")
            self.at += 1
            self.depth -= 1
            return value
        if re.fullmatch(r"-?[0-9]{1,20}", token):
            return int(token)
        if token and (token[0].isalpha() or token[0] == "_"):
            return Dim.unknown(token)
        raise ShapeError(f"not a size: {self.text[:80]!r}")


def evaluate_sizes(sizes: Iterable[Size], values: Mapping[str, int]) -> tuple[Size, ...]:
    """Replace the unknowns of a shape that have a value."""
    return tuple(s.evaluate(values) if isinstance(s, Dim) else s for s in sizes)
