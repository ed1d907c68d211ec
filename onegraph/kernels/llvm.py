"""Writing LLVM IR as text: values, one function at a time, loops that carry values, vectors, memory.

Text is faster to make than objects that are printed afterwards; integer arithmetic on known numbers is done here.
Read next: `llvm_types.py`, `vector_math.py`, `nest_code.py`, `contraction.py`.

>>> module = Module()
>>> f = module.function("sum", [("ptr", "x"), ("i64", "n")], "float")
>>> x, n = f.arguments
>>> def add_one(i, carried):
...     return [f.fadd(carried[0], f.load("float", f.element(x, "float", i)))]
>>> (total,) = f.loop(0, n, 1, add_one, [f.constant("float", 0.0)])
>>> f.ret(total)
>>> "phi float" in str(module)
True
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from onegraph.kernels.llvm_types import (
    Number,
    Value,
    bits_of,
    bits_or_pointer,
    element_type,
    float_text,
    lanes_of,
    mangle,
    vector_type,
    wrapped,
)  # fmt: skip

__all__ = ["Function", "Module", "Number", "Value", "bits_of", "element_type", "lanes_of", "mangle", "vector_type"]


class Module:
    """Functions, and what they call."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.declarations: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self.made: dict[str, str] = {}
        """Helper functions by what they compute, so that each is written once."""

    def function(
        self, name: str, arguments: Sequence[tuple[str, str]], result: str = "void", *, private: bool = False
    ) -> Function:
        """A new function. A private one is inlined wherever it is called."""
        function = Function(self, name, arguments, result, private)
        self.functions[name] = function
        return function

    def declare(self, name: str, result: str, arguments: Sequence[str]) -> None:
        """Something from outside: an intrinsic, or a function of the C library."""
        self.declarations.setdefault(name, f"declare {result} @{name}({', '.join(arguments)})")

    def table(self, element: str, items: Sequence[int] | Sequence[float], align: int = 64) -> Value:
        """A read-only array of numbers; the pointer to it."""
        texts = [str(i) if element[0] == "i" else float_text(element, i) for i in items]
        body = f"[{len(items)} x {element}] [{', '.join(f'{element} {t}' for t in texts)}]"
        for name, text in self.globals.items():
            if text == body:
                return Value("ptr", f"@{name}")
        name = f"table.{len(self.globals)}"
        self.globals[name] = body
        return Value("ptr", f"@{name}")

    def __str__(self) -> str:
        parts = [f"@{name} = private constant {body}, align 64" for name, body in self.globals.items()]
        parts += [str(f) for f in self.functions.values()]
        parts += self.declarations.values()
        return "\n".join(parts) + "\n"


Body: TypeAlias = "Callable[[Value, list[Value]], Sequence[Value] | None]"


class Function:
    """One function being written. Methods append an instruction and give back its value."""

    def __init__(
        self, module: Module, name: str, arguments: Sequence[tuple[str, str]], result: str, private: bool
    ) -> None:
        self.module = module
        self.name = name
        self.result = result
        self.private = private
        self.arguments = [Value(t, f"%{n}") for t, n in arguments]
        self.attributes = ["noalias " if t == "ptr" and n.startswith("restrict") else "" for t, n in arguments]
        self.lines: list[str] = []
        self.entry: list[str] = []
        self.block = "entry"
        self._count = 0

    def __str__(self) -> str:
        arguments = ", ".join(f"{a.type} {n}{a.text}" for a, n in zip(self.arguments, self.attributes, strict=True))
        kind = "define private" if self.private else "define"
        tail = "alwaysinline nounwind" if self.private else "nounwind"
        body = "\n".join(["entry:", *self.entry, *self.lines])
        return f"{kind} {self.result} @{self.name}({arguments}) {tail} {{\n{body}\n}}"

    def _name(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def emit(self, type_: str, text: str) -> Value:
        """An instruction with a result."""
        name = self._name()
        self.lines.append(f"  {name} = {text}")
        return Value(type_, name)

    def line(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append("  " + text)

    def constant(self, type_: str, number: int | float) -> Value:
        """A number of a scalar or vector type (in every lane)."""
        element = element_type(type_)
        if element[0] == "i":
            number = wrapped(element, int(number))
            text = str(number) if element != "i1" else "true" if number else "false"
        else:
            text = float_text(element, float(number))
        lanes = lanes_of(type_)
        if lanes == 1:
            return Value(type_, text, int(number) if element[0] == "i" else None)
        return Value(type_, "<" + ", ".join([f"{element} {text}"] * lanes) + ">")

    def vector_constant(self, element: str, items: Sequence[int] | Sequence[float]) -> Value:
        """A vector of given numbers."""
        texts = [str(int(i)) if element[0] == "i" else float_text(element, i) for i in items]
        return Value(vector_type(element, len(texts)), "<" + ", ".join(f"{element} {t}" for t in texts) + ">")

    def as_value(self, x: Number, type_: str = "i64") -> Value:
        """A Python int as a constant."""
        return x if isinstance(x, Value) else self.constant(type_, x)

    def _pair(self, a: Number, b: Number) -> tuple[Value, Value]:
        if isinstance(a, Value):
            return a, b if isinstance(b, Value) else self.constant(a.type, b)
        if isinstance(b, Value):
            return self.constant(b.type, a), b
        return self.constant("i64", a), self.constant("i64", b)

    # ------------------------------------------------------------ integers

    def add(self, a: Number, b: Number) -> Value:
        """Integer a + b."""
        x, y = self._pair(a, b)
        if x.number is not None and y.number is not None:
            return self.constant(x.type, x.number + y.number)
        if y.number == 0:
            return x
        if x.number == 0:
            return y
        return self.emit(x.type, f"add {x.type} {x.text}, {y.text}")

    def sub(self, a: Number, b: Number) -> Value:
        """Integer a - b."""
        x, y = self._pair(a, b)
        if x.number is not None and y.number is not None:
            return self.constant(x.type, x.number - y.number)
        if y.number == 0:
            return x
        return self.emit(x.type, f"sub {x.type} {x.text}, {y.text}")

    def mul(self, a: Number, b: Number) -> Value:
        """Integer a * b."""
        x, y = self._pair(a, b)
        if x.number is not None and y.number is not None:
            return self.constant(x.type, x.number * y.number)
        if x.number is not None:
            x, y = y, x
        if y.number == 1:
            return x
        if y.number == 0:
            return y
        return self.emit(x.type, f"mul {x.type} {x.text}, {y.text}")

    def integer(self, op: str, a: Number, b: Number) -> Value:
        """Any other integer instruction: sdiv, srem, udiv, urem, and, or, xor, shl, lshr, ashr."""
        x, y = self._pair(a, b)
        if y.number is not None and x.number is not None and y.number > 0 and x.number >= 0:
            if op in ("sdiv", "udiv"):
                return self.constant(x.type, x.number // y.number)
            if op in ("srem", "urem"):
                return self.constant(x.type, x.number % y.number)
        if y.number == 1 and op in ("sdiv", "udiv"):
            return x
        if y.number == 1 and op in ("srem", "urem"):
            return self.constant(x.type, 0)
        return self.emit(x.type, f"{op} {x.type} {x.text}, {y.text}")

    def divide(self, a: Number, b: Number) -> Value:
        """a / b of integers that are not negative."""
        return self.integer("udiv", a, b)

    def modulo(self, a: Number, b: Number) -> Value:
        """a % b of integers that are not negative."""
        return self.integer("urem", a, b)

    def minimum(self, a: Number, b: Number) -> Value:
        """The smaller of two signed integers."""
        x, y = self._pair(a, b)
        if x.number is not None and y.number is not None:
            return self.constant(x.type, min(x.number, y.number))
        return self.select(self.compare("slt", x, y), x, y)

    def maximum(self, a: Number, b: Number) -> Value:
        """The larger of two signed integers."""
        x, y = self._pair(a, b)
        if x.number is not None and y.number is not None:
            return self.constant(x.type, max(x.number, y.number))
        return self.select(self.compare("sgt", x, y), x, y)

    def compare(self, how: str, a: Number, b: Number) -> Value:
        """Integer comparison: eq, ne, slt, sle, sgt, sge, ult, ule, ugt, uge."""
        x, y = self._pair(a, b)
        return self.emit(vector_type("i1", lanes_of(x.type)), f"icmp {how} {x.type} {x.text}, {y.text}")

    # ------------------------------------------------------ floating point

    def _float(self, op: str, a: Value, b: Value) -> Value:
        return self.emit(a.type, f"{op} {a.type} {a.text}, {b.text}")

    def fadd(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self._float("fadd", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self._float("fsub", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        """a * b."""
        return self._float("fmul", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self._float("fdiv", a, b)

    def fneg(self, a: Value) -> Value:
        """-a."""
        return self.emit(a.type, f"fneg {a.type} {a.text}")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", a.type, [a, b, c])

    def fcompare(self, how: str, a: Value, b: Value) -> Value:
        """Comparison: oeq, one, olt, ole, ogt, oge, ord, ueq, une, ult, ule, ugt, uge, uno."""
        return self.emit(vector_type("i1", lanes_of(a.type)), f"fcmp {how} {a.type} {a.text}, {b.text}")

    # --------------------------------------------------- values and vectors

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the condition is true, else b."""
        text = f"select {condition.type} {condition.text}, {a.type} {a.text}, {b.type} {b.text}"
        return self.emit(a.type, text)

    def convert(self, op: str, a: Value, type_: str) -> Value:
        """zext, sext, trunc, sitofp, uitofp, fptosi, fptoui, fpext, fptrunc, bitcast, ptrtoint, inttoptr."""
        if a.type == type_:
            return a
        if a.number is not None and op in ("zext", "sext", "trunc") and a.number >= 0:
            return self.constant(type_, a.number)
        return self.emit(type_, f"{op} {a.type} {a.text} to {type_}")

    def splat(self, a: Value, lanes: int) -> Value:
        """The scalar in every lane."""
        if lanes == 1:
            return a
        if a.number is not None:
            return self.constant(vector_type(a.type, lanes), a.number)
        type_ = vector_type(a.type, lanes)
        one = self.emit(type_, f"insertelement {type_} poison, {a.type} {a.text}, i32 0")
        return self.emit(type_, f"shufflevector {type_} {one.text}, {type_} poison, <{lanes} x i32> zeroinitializer")

    def shuffle(self, a: Value, b: Value | None, order: Sequence[int]) -> Value:
        """Lanes of a (and, numbered after them, of b) in an order."""
        mask = "<" + ", ".join(f"i32 {i}" for i in order) + ">"
        other = "poison" if b is None else b.text
        type_ = vector_type(element_type(a.type), len(order))
        return self.emit(type_, f"shufflevector {a.type} {a.text}, {a.type} {other}, <{len(order)} x i32> {mask}")

    def extract(self, a: Value, lane: Number) -> Value:
        """One lane."""
        i = self.as_value(lane, "i32")
        return self.emit(element_type(a.type), f"extractelement {a.type} {a.text}, {i.type} {i.text}")

    def insert(self, a: Value, item: Value, lane: Number) -> Value:
        """The vector with one lane replaced."""
        i = self.as_value(lane, "i32")
        return self.emit(a.type, f"insertelement {a.type} {a.text}, {item.type} {item.text}, {i.type} {i.text}")

    def lane_numbers(self, lanes: int, element: str = "i64") -> Value:
        """<0, 1, 2, ...>."""
        return self.vector_constant(element, list(range(lanes)))

    # --------------------------------------------------------------- memory

    def element(self, pointer: Value, type_: str, index: Number) -> Value:
        """The address of an element."""
        i = self.as_value(index)
        if i.number == 0:
            return pointer
        return self.emit("ptr", f"getelementptr {type_}, ptr {pointer.text}, {i.type} {i.text}")

    def load(self, type_: str, pointer: Value, align: int | None = None) -> Value:
        """The value at an address; the alignment is that of one element unless told."""
        return self.emit(
            type_, f"load {type_}, ptr {pointer.text}, align {align or max(1, bits_or_pointer(type_) // 8)}"
        )

    def store(self, value: Value, pointer: Value, align: int | None = None) -> None:
        """Put a value at an address."""
        align = align or max(1, bits_or_pointer(value.type) // 8)
        self.line(f"store {value.type} {value.text}, ptr {pointer.text}, align {align}")

    def masked_load(self, type_: str, pointer: Value, mask: Value, default: Value | None = None) -> Value:
        """A vector of which only lanes with a true mask are read; the others are `default` (or undefined)."""
        other = "poison" if default is None else default.text
        align = max(1, bits_of(type_) // 8)
        name = f"llvm.masked.load.{mangle(type_)}.p0"
        self.module.declare(name, type_, ["ptr", "i32", mask.type, type_])
        arguments = f"ptr {pointer.text}, i32 {align}, {mask.type} {mask.text}, {type_} {other}"
        return self.emit(type_, f"call {type_} @{name}({arguments})")

    def opaque(self, value: Value) -> Value:
        """The same value, of which LLVM for x86 does not know how it was made.

        When one lane is stored, code generation of LLVM 22.1 for AVX-512 merges a truncation with the masked store and then
        stores all bits from before the truncation: more than is there. Elements of 32 bits and more are not concerned.
        """
        if lanes_of(value.type) == 1 or bits_of(value.type) >= 32:
            return value
        lanes, whole = lanes_of(value.type), value
        if lanes * bits_of(value.type) < 128:  # less than a register
            whole = self.shuffle(value, None, [i % lanes for i in range(128 // bits_of(value.type))])
        same = self.emit(whole.type, f'call {whole.type} asm "", "=v,0"({whole.type} {whole.text})')
        return same if whole is value else self.shuffle(same, None, range(lanes))

    def masked_store(self, value: Value, pointer: Value, mask: Value) -> None:
        """Only lanes with a true mask are written."""
        name = f"llvm.masked.store.{mangle(value.type)}.p0"
        self.module.declare(name, "void", [value.type, "ptr", "i32", mask.type])
        align = max(1, bits_of(value.type) // 8)
        arguments = f"{value.type} {value.text}, ptr {pointer.text}, i32 {align}, {mask.type} {mask.text}"
        self.line(f"call void @{name}({arguments})")

    def gather(self, type_: str, base: Value, indices: Value, mask: Value, default: Value) -> Value:
        """Elements base[indices[lane]] where the mask is true, else the default."""
        element, lanes = element_type(type_), lanes_of(type_)
        pointers = self.emit(
            f"<{lanes} x ptr>", f"getelementptr {element}, ptr {base.text}, {indices.type} {indices.text}"
        )
        name = f"llvm.masked.gather.{mangle(type_)}.v{lanes}p0"
        self.module.declare(name, type_, [pointers.type, "i32", mask.type, type_])
        arguments = f"{pointers} , i32 {max(1, bits_of(type_) // 8)}, {mask}, {type_} {default.text}"
        return self.emit(type_, f"call {type_} @{name}({arguments})")

    def scatter(self, value: Value, base: Value, indices: Value, mask: Value) -> None:
        """base[indices[lane]] = value[lane] where the mask is true."""
        element, lanes = element_type(value.type), lanes_of(value.type)
        pointers = self.emit(
            f"<{lanes} x ptr>", f"getelementptr {element}, ptr {base.text}, {indices.type} {indices.text}"
        )
        name = f"llvm.masked.scatter.{mangle(value.type)}.v{lanes}p0"
        self.module.declare(name, "void", [value.type, pointers.type, "i32", mask.type])
        self.line(f"call void @{name}({value}, {pointers}, i32 {max(1, bits_of(value.type) // 8)}, {mask})")

    def stack(self, type_: str, count: int = 1, align: int = 64) -> Value:
        """Memory of this call, made once at its start however often the code runs."""
        name = self._name()
        self.entry.append(f"  {name} = alloca {type_}, i64 {count}, align {align}")
        return Value("ptr", name)

    # ---------------------------------------------------------------- calls

    def call(self, name: str, result: str, arguments: Sequence[Value]) -> Value:
        """Call a function of this module, or one that was declared."""
        text = f"call {result} @{name}({', '.join(map(repr, arguments))})"
        if result == "void":
            self.line(text)
            return Value("void", "")
        return self.emit(result, text)

    def call_pointer(self, function: Value, result: str, arguments: Sequence[Value]) -> Value:
        """Call through a pointer."""
        text = f"call {result} {function.text}({', '.join(map(repr, arguments))})"
        if result == "void":
            self.line(text)
            return Value("void", "")
        return self.emit(result, text)

    def external(self, name: str, result: str, arguments: Sequence[Value]) -> Value:
        """Call a function of the C library."""
        self.module.declare(name, result, [a.type for a in arguments])
        return self.call(name, result, arguments)

    def intrinsic(self, name: str, result: str, arguments: Sequence[Value]) -> Value:
        """Call an intrinsic that is overloaded on its result type, such as llvm.fma or llvm.floor."""
        return self.external(f"{name}.{mangle(result)}", result, arguments)

    # --------------------------------------------------------- control flow

    def new_block(self) -> str:
        """A label for `start`."""
        self._count += 1
        return f"b{self._count}"

    def start(self, block: str) -> None:
        """Instructions go to this block from now on."""
        self.lines.append(f"{block}:")
        self.block = block

    def branch(self, block: str) -> None:
        """Go there."""
        self.line(f"br label %{block}")

    def branch_if(self, condition: Value, then: str, otherwise: str) -> None:
        """Go to one of two blocks."""
        self.line(f"br i1 {condition.text}, label %{then}, label %{otherwise}")

    def loop(self, start: Number, stop: Number, step: Number, body: Body, carried: Sequence[Value] = ()) -> list[Value]:
        """for i in range(start, stop, step): carried = body(i, carried). Gives the carried values at the end."""
        first, last = self.as_value(start), self.as_value(stop)
        if first.number is not None and last.number is not None:
            if first.number >= last.number:
                return list(carried)
            if isinstance(step, int) and first.number + step >= last.number:  # runs once
                return list(body(first, list(carried)) or [])
        known = first.number is not None and last.number is not None
        before, head, after = self.block, self.new_block(), self.new_block()
        if known:
            self.branch(head)
        else:
            self.branch_if(self.compare("slt", first, last), head, after)
        self.start(head)
        i = Value("i64", self._name())
        phis = [Value(v.type, self._name()) for v in carried]
        place = len(self.lines)
        results = list(body(i, phis) or [])
        following = self.add(i, step)
        again = self.compare("slt", following, last)
        latch = self.block
        self.branch_if(again, head, after)
        lines = [f"  {i.text} = phi i64 [ {first.text}, %{before} ], [ {following.text}, %{latch} ]"]
        for phi, old, new in zip(phis, carried, results, strict=True):
            lines.append(f"  {phi.text} = phi {phi.type} [ {old.text}, %{before} ], [ {new.text}, %{latch} ]")
        self.lines[place:place] = lines
        self.start(after)
        if known:
            return results
        out = []
        for old, new in zip(carried, results, strict=True):
            text = f"phi {old.type} [ {old.text}, %{before} ], [ {new.text}, %{latch} ]"
            out.append(self.emit(old.type, text))
        return out

    def if_(
        self,
        condition: Value,
        then: Callable[[], Sequence[Value] | None],
        otherwise: Callable[[], Sequence[Value] | None] | None = None,
    ) -> list[Value]:
        """Run one of two pieces of code; their values (as many from each) are merged."""
        yes, no, after = self.new_block(), self.new_block(), self.new_block()
        self.branch_if(condition, yes, no)
        self.start(yes)
        first = list(then() or [])
        from_yes = self.block
        self.branch(after)
        self.start(no)
        second = list((otherwise() if otherwise is not None else None) or [])
        from_no = self.block
        self.branch(after)
        self.start(after)
        merged = []
        for a, b in zip(first, second, strict=True):
            merged.append(self.emit(a.type, f"phi {a.type} [ {a.text}, %{from_yes} ], [ {b.text}, %{from_no} ]"))
        return merged

    @contextlib.contextmanager
    def only_if(self, condition: Value) -> Iterator[None]:
        """A `with` block whose code runs only if the condition is true."""
        yes, after = self.new_block(), self.new_block()
        self.branch_if(condition, yes, after)
        self.start(yes)
        yield
        self.branch(after)
        self.start(after)

    def ret(self, value: Value | None = None) -> None:
        """Return."""
        self.line("ret void" if value is None else f"ret {value.type} {value.text}")
