"""Damage: cuts, flipped bits, sizes that are negative or too large, repeated and exchanged parts, deep nesting. Read next: `harness.py`."""

from __future__ import annotations

import random
import re
import struct

_EXTREME = (
    0,
    1,
    -1,
    127,
    128,
    255,
    2**15,
    2**16 - 1,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**40,
    2**62,
    2**63 - 1,
    -(2**63),
)
_TEXTS = (
    b"-1",
    b"0",
    b"99999999999",
    b"9223372036854775807",
    b"1e308",
    b"NaN",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"../x",
    b"/etc/passwd",
)


def mutate(content: bytes, chance: random.Random) -> bytes:
    """A damaged copy: one to three changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(_WAYS)(content, chance)
    return content


def _place(content: bytes, chance: random.Random) -> int:
    # Headers are at the beginning of most formats, and at the end of archives.
    where = chance.random()
    size = max(len(content), 1)
    if where < 0.4:
        return chance.randrange(min(size, 128))
    if where < 0.55:
        return size - 1 - chance.randrange(min(size, 160))
    return chance.randrange(size)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: _place(content, chance)]


def _flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[_place(changed, chance) % len(changed)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _number(content: bytes, chance: random.Random) -> bytes:
    """An extreme number in place of some bytes."""
    width, order = chance.choice(((1, "b"), (2, "h"), (4, "i"), (8, "q"))), chance.choice("<>")
    value = chance.choice(_EXTREME) % (1 << (8 * width[0]))
    place = _place(content, chance)
    return content[:place] + struct.pack(order + width[1].upper(), value) + content[place + width[0] :]


def _text_number(content: bytes, chance: random.Random) -> bytes:
    """Another text in place of a number or a quoted word."""
    found = list(re.finditer(rb'-?\d+|"[^"]{0,40}"', content[: 1 << 16]))
    if not found:
        return _number(content, chance)
    match = chance.choice(found)
    return content[: match.start()] + chance.choice(_TEXTS) + content[match.end() :]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    start = _place(content, chance)
    part = content[start : start + chance.choice((1, 4, 16, 64, 256))]
    return content[:start] + part * chance.choice((2, 3, 50)) + content[start + len(part) :]


def _remove(content: bytes, chance: random.Random) -> bytes:
    start = _place(content, chance)
    return content[:start] + content[start + chance.choice((1, 4, 16, 64)) :]


def _exchange(content: bytes, chance: random.Random) -> bytes:
    a, b = sorted((_place(content, chance), _place(content, chance)))
    size = min(chance.choice((1, 4, 16)), b - a)
    return content[:a] + content[b : b + size] + content[a + size : b] + content[a : a + size] + content[b + size :]


def _nest(content: bytes, chance: random.Random) -> bytes:
    start = _place(content, chance)
    opening = chance.choice((b"[", b'{"a":', b"(", b"\x28", b"]", b"}"))
    return content[:start] + opening * chance.choice((10, 1000, 100_000)) + content[start:]


def _append(content: bytes, chance: random.Random) -> bytes:
    return content + chance.randbytes(chance.choice((1, 16, 1000)))


_WAYS = (_cut, _flip, _flip, _number, _number, _text_number, _repeat, _remove, _exchange, _nest, _append)
