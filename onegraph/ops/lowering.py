"""How an elementwise op is computed, one value at a time: `Pointwise`, in terms of the arithmetic `ScalarCode`.

A record says `lowering=Pointwise(lambda k, x: k.exp(x))`: k is the arithmetic, x a value. The kernels implement the
arithmetic as machine code for vectors of values (`kernels/scalar.py`); ops need not know how.

Read next: `record.py`, `kernels/scalar.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from onegraph.ir.dtype import DType
from onegraph.ops.index import Moved

V: TypeAlias = Any
"""A value of some dtype; only the arithmetic looks inside."""


class ScalarCode(Protocol):
    """Arithmetic on values. Two operands have one dtype; results have it too, unless a method says otherwise."""

    def constant(self, number: float, like: V) -> V:
        """A number in the dtype of a value."""

    def cast(self, x: V, dtype: DType) -> V:
        """The value in another dtype."""

    def where(self, condition: V, a: V, b: V) -> V:
        """a where the bool condition holds, else b."""

    def compare(self, how: str, a: V, b: V) -> V:
        """A bool; `how` is eq, ne, lt, le, gt or ge."""

    def add(self, a: V, b: V) -> V:
        """a + b; integers wrap, bools: or."""

    def sub(self, a: V, b: V) -> V:
        """a - b."""

    def mul(self, a: V, b: V) -> V:
        """a * b; bools: and."""

    def div(self, a: V, b: V) -> V:
        """a / b of floating values."""

    def floor_div(self, a: V, b: V) -> V:
        """a / b rounded down."""

    def mod(self, a: V, b: V) -> V:
        """The remainder with the sign of b."""

    def pow(self, a: V, b: V) -> V:
        """a to the power of b."""

    def atan2(self, a: V, b: V) -> V:
        """The angle of the point (b, a)."""

    def maximum(self, a: V, b: V) -> V:
        """The larger; NaN if either is."""

    def minimum(self, a: V, b: V) -> V:
        """The smaller; NaN if either is."""

    def logic(self, how: str, a: V, b: V) -> V:
        """Bits of integers or bools; `how` is and, or, or xor."""

    def invert(self, x: V) -> V:
        """All bits inverted; the logical not of a bool."""

    def shift_left(self, a: V, b: V) -> V:
        """Bits moved up; 0 where b is not in 0..bits-1."""

    def shift_right(self, a: V, b: V) -> V:
        """Bits moved down, the sign kept; all sign where b is not in 0..bits-1."""

    def neg(self, x: V) -> V:
        """-x."""

    def abs(self, x: V) -> V:
        """|x|."""

    def sign(self, x: V) -> V:
        """-1, 0 or 1; NaN of NaN."""

    def sqrt(self, x: V) -> V:
        """The square root."""

    def rounded(self, how: str, x: V) -> V:
        """A whole number near x; `how` is floor, ceil, trunc, or round (halves to even)."""

    def math(self, name: str, x: V) -> V:
        """A function of one floating value: exp, expm1, log, log1p, sin, cos, tan, asin, acos, atan, sinh, cosh,
        tanh, erf or sigmoid."""


@dataclass(frozen=True, eq=False)
class Pointwise:
    """Each element of the result is made of the elements of the inputs at its place.

    Attributes:
        function: (code, *values, **attributes) -> value.
        exact: whether half-precision results need no rounding when the inputs were rounded, as of a sign or a choice.
    """

    function: Callable[..., V]
    exact: bool = False


Lowering: TypeAlias = Pointwise | Moved
"""What a record may say of how it is computed."""
