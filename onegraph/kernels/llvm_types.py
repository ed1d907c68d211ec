"""Types of LLVM IR as text (`float`, `<16 x i32>`), and the operands of instructions.

Read next: `llvm.py`, which writes the instructions.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

_BITS = {
    "i1": 1,
    "i2": 2,
    "i4": 4,
    "i8": 8,
    "i16": 16,
    "i32": 32,
    "i64": 64,
    "half": 16,
    "bfloat": 16,
    "float": 32,
    "double": 64,
}


class Value:
    """An operand: its type and its text, and its number where it is a known integer."""

    __slots__ = ("number", "text", "type")

    def __init__(self, type_: str, text: str, number: int | None = None) -> None:
        self.type = type_
        self.text = text
        self.number = number

    def __repr__(self) -> str:
        return f"{self.type} {self.text}"


Number: TypeAlias = "Value | int"


def vector_type(element: str, lanes: int) -> str:
    """The type of `lanes` elements; one lane is the element itself.

    >>> vector_type("float", 16), vector_type("float", 1)
    ('<16 x float>', 'float')
    """
    return element if lanes == 1 else f"<{lanes} x {element}>"


def element_type(type_: str) -> str:
    """The type of one element of a vector (or of a scalar).

    >>> element_type("<16 x float>")
    'float'
    """
    return type_[type_.index(" x ") + 3 : -1] if type_[0] == "<" else type_


def lanes_of(type_: str) -> int:
    """How many elements a type has."""
    return int(type_[1 : type_.index(" x ")]) if type_[0] == "<" else 1


def bits_of(type_: str) -> int:
    """Bits of one element."""
    return _BITS[element_type(type_)]


def wrapped(type_: str, number: int) -> int:
    """The number as an integer of that type holds it."""
    bits = _BITS[type_]
    number &= (1 << bits) - 1
    return number - (1 << bits) if bits > 1 and number >> (bits - 1) else number


def float_text(type_: str, number: float) -> str:
    """A floating-point constant, exactly."""
    if type_ == "half":
        return "0xH" + struct.pack(">e", number).hex().upper()
    if type_ == "float":
        number = struct.unpack("f", struct.pack("f", number))[0] if abs(number) < 3.5e38 else number
    return "0x" + struct.pack(">d", number).hex().upper()


def bits_or_pointer(type_: str) -> int:
    """Bits of one element, where pointers count too."""
    element = element_type(type_)
    return 64 if element == "ptr" else _BITS[element]


def mangle(type_: str) -> str:
    """A type as it appears in the names of intrinsics.

    >>> mangle("<16 x float>"), mangle("i32")
    ('v16f32', 'i32')
    """
    short = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16", "ptr": "p0"}
    element = element_type(type_)
    name = short.get(element, element)
    return name if type_[0] != "<" else f"v{lanes_of(type_)}{name}"
