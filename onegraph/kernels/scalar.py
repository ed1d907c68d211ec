"""The arithmetic of elementwise ops as machine code: `Code` writes LLVM IR for one value, or a vector of values.

What is in memory and what is in a register differ: a bool is a byte in memory and one bit in a register; half
precision is two bytes in memory and float32 in a register, already rounded. Everything here is plain IEEE
arithmetic; only the functions of `vector_math.py` contract multiply-adds. The meaning is that of the NumPy references
of the ops.

Read next: `integer.py` (division, powers), `half.py` (rounding to half precision), `vector_math.py`.

>>> from onegraph.ir.dtype import float32
>>> from onegraph.kernels.llvm import Module
>>> f = Module().function("f", [("<8 x float>", "x")], "<8 x float>")
>>> code = Code(f, 8)
>>> x = Scalar(f.arguments[0], float32)
>>> code.apply("add", [x, code.constant(1.0, x)], {}, float32)
Scalar(value=<8 x float> %v1, dtype=onegraph.float32)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from onegraph.errors import GraphError
from onegraph.ir.dtype import DType, bfloat16, bool_, float16, float32, float64, int32, int64
from onegraph.kernels import half, integer, philox, vector_math
from onegraph.kernels.llvm import Function, Value, vector_type
from onegraph.kernels.target import Target
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import OPS

_MEMORY = {bool_: "i8", float16: "half", bfloat16: "i16", float32: "float", float64: "double"}
_REGISTER = {bool_: "i1", float16: "float", bfloat16: "float", float32: "float", float64: "double"}
_ROUNDING = {"floor": "llvm.floor", "ceil": "llvm.ceil", "trunc": "llvm.trunc", "round": "llvm.rint"}
_COMPARE_FLOAT = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


def memory_type(dtype: DType) -> str:
    """The LLVM type of one element in memory.

    >>> memory_type(bool_), memory_type(bfloat16), memory_type(int64)
    ('i8', 'i16', 'i64')
    """
    return _MEMORY.get(dtype) or f"i{dtype.bits}"


def register_type(dtype: DType) -> str:
    """The LLVM type of one element in a register.

    >>> register_type(bool_), register_type(bfloat16), register_type(int64)
    ('i1', 'float', 'i64')
    """
    return _REGISTER.get(dtype) or f"i{dtype.bits}"


class Scalar(NamedTuple):
    """One value, or one in each lane of a vector, as it is in a register."""

    value: Value
    dtype: DType


class Code:
    """Writes the arithmetic of `ops.lowering.ScalarCode` into a function.

    Args:
        function: where the instructions go.
        lanes: how many values each operation works on; results do not depend on it.
        fma: whether the target has a multiply-add instruction. Only the functions of `math` use it.
        half_instructions: whether the target converts float16 by itself.
        scale: whether the target has AVX-512's `vscalef`. It makes exponentials faster, with the same results.
        on_error: called with a mask of the lanes in which an integer is divided by zero. The mask may be true in
            lanes that are not in use (tails of vectors): the caller must leave those out.
    """

    def __init__(
        self,
        function: Function,
        lanes: int = 1,
        *,
        fma: bool = True,
        half_instructions: bool = True,
        scale: bool = False,
        on_error: Callable[[Value], None] | None = None,
    ) -> None:
        self.function = function
        self.lanes = lanes
        self.fma = fma
        self.half_instructions = half_instructions
        self.scale = scale
        self.on_error = on_error

    @classmethod
    def for_target(
        cls, function: Function, lanes: int, target: Target, on_error: Callable[[Value], None] | None = None
    ) -> Code:
        """Code that uses what a target has."""
        features = target.features.split(",")
        half_instructions = "+f16c" in features or target.triple.startswith(("aarch64", "arm64"))
        return cls(
            function,
            lanes,
            fma=target.has_fma,
            half_instructions=half_instructions,
            scale="+avx512f" in features and "+avx512vl" in features,
            on_error=on_error,
        )

    def apply(self, op: str, inputs: Sequence[Scalar], attributes: Mapping[str, Any], dtype: DType) -> Scalar:
        """The value of an elementwise op from the values of its inputs.

        Args:
            op: its name.
            inputs: one value for each input of the node; their dtypes are those of the inputs.
            attributes: of the node.
            dtype: of the node.

        Raises:
            GraphError: the op is not elementwise.
        """
        lowering = OPS[op].lowering
        if not isinstance(lowering, Pointwise):
            raise GraphError(f"{op} is not computed element by element")
        result: Scalar = lowering.function(self, *inputs, **attributes)
        if result.dtype is not dtype:
            raise GraphError(f"{op}: the lowering gave {result.dtype.name}, the node is {dtype.name}")
        return result if lowering.exact else self.round(result)

    # ------------------------------------------------------------------------------------- memory and registers

    def type(self, element: str) -> str:
        """The type of all lanes."""
        return vector_type(element, self.lanes)

    def load_convert(self, value: Value, dtype: DType) -> Scalar:
        """What was read from memory, as it is in a register."""
        f = self.function
        if dtype is bool_:
            value = f.compare("ne", value, f.constant(value.type, 0))
        elif dtype is bfloat16:
            value = half.widen_bfloat16(f, value)
        elif dtype is float16:
            value = half.widen_float16(f, value, self.half_instructions)
        return Scalar(value, dtype)

    def store_convert(self, x: Scalar) -> Value:
        """The value as it is in memory."""
        f = self.function
        if x.dtype is bool_:
            return f.convert("zext", x.value, self.type("i8"))
        if x.dtype is bfloat16:
            return half.narrow_bfloat16(f, x.value)
        if x.dtype is float16:
            return half.narrow_float16(f, x.value, self.half_instructions)
        return x.value

    def round(self, x: Scalar) -> Scalar:
        """The value rounded to its dtype, if that is half precision: operations leave more digits."""
        if x.dtype is float16:
            return Scalar(half.round_float16(self.function, x.value, self.half_instructions), x.dtype)
        if x.dtype is bfloat16:
            return Scalar(half.round_bfloat16(self.function, x.value), x.dtype)
        return x

    def number(self, number: float, dtype: DType) -> Scalar:
        """A constant; half precision must be rounded already."""
        return Scalar(self.function.constant(self.type(register_type(dtype)), number), dtype)

    def constant(self, number: float, like: Scalar) -> Scalar:
        """A constant in the dtype of a value."""
        return self.number(number, like.dtype)

    def splat(self, x: Scalar) -> Scalar:
        """A single value in every lane."""
        return Scalar(self.function.splat(x.value, self.lanes), x.dtype)

    # -------------------------------------------------------------------------------------------------- casts

    def cast(self, x: Scalar, dtype: DType) -> Scalar:
        """The value in another dtype, rounded; floating values outside of an integer's range wrap as from int64."""
        if x.dtype is dtype:
            return x
        f, floating = self.function, x.dtype.is_floating_point
        if dtype is bool_:
            zero = f.constant(x.value.type, 0)
            return Scalar(f.fcompare("une", x.value, zero) if floating else f.compare("ne", x.value, zero), dtype)
        if dtype.is_floating_point:
            return self.round(Scalar(self._to_float(x, dtype), dtype))
        if floating:
            x = self._truncated(x)
        op = "trunc" if x.dtype.bits > dtype.bits else "sext" if x.dtype.is_signed else "zext"
        return Scalar(f.convert(op, x.value, self.type(register_type(dtype))), dtype)

    def _to_float(self, x: Scalar, dtype: DType) -> Value:
        f, type_ = self.function, self.type(register_type(dtype))
        if not x.dtype.is_floating_point:
            return f.convert("sitofp" if x.dtype.is_signed else "uitofp", x.value, type_)
        if x.dtype is float64:
            if dtype is float16:  # rounded once, though it goes through float32
                return half.narrow_to_odd(f, x.value)
            return f.convert("fptrunc", x.value, type_)
        return f.convert("fpext", x.value, type_)

    def _truncated(self, x: Scalar) -> Scalar:
        """Toward zero, to int64; NaN and what is out of range become the lowest integer, as on x86."""
        f, type_ = self.function, x.value.type
        size = f.intrinsic("llvm.fabs", type_, [x.value])
        fits = f.fcompare("olt", size, f.constant(type_, 2.0**63))
        safe = f.select(fits, x.value, f.constant(type_, -(2.0**63)))
        return Scalar(f.convert("fptosi", safe, self.type("i64")), int64)

    def where(self, condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
        """a where the condition holds, else b."""
        return Scalar(self.function.select(condition.value, a.value, b.value), a.dtype)

    # ----------------------------------------------------------------------------------- arithmetic and logic

    def _two(self, integer_op: str, float_op: str, a: Scalar, b: Scalar) -> Scalar:
        op = float_op if a.dtype.is_floating_point else integer_op
        x = a.value
        return Scalar(self.function.emit(x.type, f"{op} {x.type} {x.text}, {b.value.text}"), a.dtype)

    def add(self, a: Scalar, b: Scalar) -> Scalar:
        """a + b; for bools, or."""
        return self._two("or" if a.dtype is bool_ else "add", "fadd", a, b)

    def sub(self, a: Scalar, b: Scalar) -> Scalar:
        """a - b."""
        return self._two("sub", "fsub", a, b)

    def mul(self, a: Scalar, b: Scalar) -> Scalar:
        """a * b; for bools, and."""
        return self._two("and" if a.dtype is bool_ else "mul", "fmul", a, b)

    def div(self, a: Scalar, b: Scalar) -> Scalar:
        """a / b of floating values."""
        return Scalar(self.function.fdiv(a.value, b.value), a.dtype)

    def logic(self, how: str, a: Scalar, b: Scalar) -> Scalar:
        """Bits of integers or bools; `how` is and, or, or xor."""
        return self._two(how, "", a, b)

    def invert(self, x: Scalar) -> Scalar:
        """All bits inverted."""
        return self.logic("xor", x, self.constant(-1, x))

    def compare(self, how: str, a: Scalar, b: Scalar) -> Scalar:
        """A bool; `how` is eq, ne, lt, le, gt or ge."""
        f = self.function
        if a.dtype.is_floating_point:
            return Scalar(f.fcompare(_COMPARE_FLOAT[how], a.value, b.value), bool_)
        sign = "" if how in ("eq", "ne") else "s" if a.dtype.is_signed else "u"
        return Scalar(f.compare(sign + how, a.value, b.value), bool_)

    def maximum(self, a: Scalar, b: Scalar) -> Scalar:
        """The larger; NaN if either is; b where they are equal."""
        return self._extreme("gt", a, b)

    def minimum(self, a: Scalar, b: Scalar) -> Scalar:
        """The smaller; NaN if either is; b where they are equal."""
        return self._extreme("lt", a, b)

    def _extreme(self, how: str, a: Scalar, b: Scalar) -> Scalar:
        f = self.function
        if not a.dtype.is_floating_point:
            return self.where(self.compare(how, a, b), a, b)
        chosen = f.select(f.fcompare("u" + how, a.value, b.value), a.value, b.value)
        return Scalar(f.select(f.fcompare("uno", b.value, b.value), b.value, chosen), a.dtype)

    def neg(self, x: Scalar) -> Scalar:
        """-x; integers wrap."""
        if x.dtype.is_floating_point:
            return Scalar(self.function.fneg(x.value), x.dtype)
        return self.sub(self.constant(0, x), x)

    def abs(self, x: Scalar) -> Scalar:
        """|x|; the lowest integer stays as it is."""
        if x.dtype.is_floating_point:
            return Scalar(self.function.intrinsic("llvm.fabs", x.value.type, [x.value]), x.dtype)
        return self.where(self.compare("lt", x, self.constant(0, x)), self.neg(x), x)

    def sign(self, x: Scalar) -> Scalar:
        """-1, 0 or 1; NaN of NaN."""
        zero = self.constant(0, x)
        out = self.where(self.compare("gt", x, zero), self.constant(1, x), zero)
        if x.dtype.is_signed:
            out = self.where(self.compare("lt", x, zero), self.constant(-1, x), out)
        if x.dtype.is_floating_point:
            out = self.where(self.compare("ne", x, x), x, out)
        return out

    def shift_left(self, a: Scalar, b: Scalar) -> Scalar:
        """Bits moved up; 0 where b is not in 0..bits-1."""
        return Scalar(integer.shift(self.function, "shl", a.value, b.value), a.dtype)

    def shift_right(self, a: Scalar, b: Scalar) -> Scalar:
        """Bits moved down, the sign kept; all sign where b is not in 0..bits-1."""
        op = "ashr" if a.dtype.is_signed else "lshr"
        return Scalar(integer.shift(self.function, op, a.value, b.value), a.dtype)

    # ---------------------------------------------------------------------------------- division and powers

    def floor_div(self, a: Scalar, b: Scalar) -> Scalar:
        """a / b rounded down."""
        return self._divided(a, b)[0]

    def mod(self, a: Scalar, b: Scalar) -> Scalar:
        """The remainder with the sign of b."""
        return self._divided(a, b)[1]

    def _divided(self, a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
        f = self.function
        if a.dtype.is_floating_point:
            quotient, remainder = _floor_float(f, a.value, b.value)
        else:
            quotient, remainder = integer.floor_divide(f, a.value, b.value, a.dtype.is_signed, self.on_error)
        return Scalar(quotient, a.dtype), Scalar(remainder, a.dtype)

    def pow(self, a: Scalar, b: Scalar) -> Scalar:
        """a to the power of b."""
        if a.dtype.is_floating_point:
            return self._call("pow", a, b)
        return Scalar(integer.power(self.function, a.value, b.value, a.dtype.is_signed), a.dtype)

    # -------------------------------------------------------------------------------------- floating functions

    def sqrt(self, x: Scalar) -> Scalar:
        """The square root."""
        return Scalar(self.function.intrinsic("llvm.sqrt", x.value.type, [x.value]), x.dtype)

    def rounded(self, how: str, x: Scalar) -> Scalar:
        """A whole number near x; `how` is floor, ceil, trunc, or round (halves to even)."""
        return Scalar(self.function.intrinsic(_ROUNDING[how], x.value.type, [x.value]), x.dtype)

    def atan2(self, a: Scalar, b: Scalar) -> Scalar:
        """The angle of the point (b, a)."""
        return self._call("atan2", a, b)

    def math(self, name: str, x: Scalar) -> Scalar:
        """One of the functions of `vector_math`, such as exp."""
        return self._call(name, x)

    def _call(self, name: str, *values: Scalar) -> Scalar:
        arguments = [v.value for v in values]
        return Scalar(vector_math.call(self.function, name, arguments, self.fma, self.scale), values[0].dtype)

    def multiply_add(self, a: Scalar, b: Scalar, c: Scalar) -> Scalar:
        """a * b + c, rounded once where the target can. Not for ops: fusing must not change results."""
        if self.fma:
            return Scalar(self.function.fma(a.value, b.value, c.value), a.dtype)
        return self.add(self.mul(a, b), c)

    # ------------------------------------------------------------------------------------------- random numbers

    def random_bits(self, seed: Value, stream: Value, index: Value) -> Scalar:
        """Elements of the result of `random_bits`, int32.

        Args:
            seed, stream: the key, one i64 each.
            index: i64, the number of the element in each lane (row-major).
        """
        return Scalar(philox.words_at(self.function, seed, stream, index), int32)

    def random_bits_run(self, seed: Value, stream: Value, first: Value) -> Scalar:
        """The same for elements first, first + 1, ...; about twice as fast.

        Args:
            seed, stream: the key, one i64 each.
            first: one i64, the number of the first element.
        """
        return Scalar(philox.words_from(self.function, seed, stream, first, self.lanes), int32)


def _floor_float(f: Function, a: Value, b: Value) -> tuple[Value, Value]:
    """Quotient rounded down and remainder with the sign of b, as Python's divmod (and NumPy's) defines them."""
    type_ = a.type
    zero = f.constant(type_, 0.0)

    def sign_of(size: Value, sign: Value) -> Value:
        return f.intrinsic("llvm.copysign", type_, [size, sign])

    r = f.emit(type_, f"frem {type_} {a.text}, {b.text}")  # exact
    quotient = f.fdiv(f.fsub(a, r), b)
    exact = f.fcompare("oeq", r, zero)
    differ = f.emit(
        f.fcompare("olt", b, zero).type,
        f"xor {exact.type} {f.fcompare('olt', b, zero).text}, {f.fcompare('olt', r, zero).text}",
    )
    adjusted = f.select(differ, f.fadd(r, b), r)
    remainder = f.select(exact, sign_of(zero, b), adjusted)
    lowered = f.select(differ, f.fsub(quotient, f.constant(type_, 1.0)), quotient)
    quotient = f.select(exact, quotient, lowered)
    floor = f.intrinsic("llvm.floor", type_, [quotient])
    up = f.fcompare("ogt", f.fsub(quotient, floor), f.constant(type_, 0.5))  # the division was not exact
    floor = f.select(up, f.fadd(floor, f.constant(type_, 1.0)), floor)
    true_quotient = f.fdiv(a, b)
    floor = f.select(f.fcompare("oeq", quotient, zero), sign_of(zero, true_quotient), floor)
    by_zero = f.fcompare("oeq", b, zero)
    nan = f.constant(type_, math.nan)
    return f.select(by_zero, true_quotient, floor), f.select(by_zero, nan, remainder)
