"""Hashes of strings that are the same everywhere and always: FarmHash and SipHash, and how two of them are joined.

Keras puts strings into bins with these, through TensorFlow; the numbers here are the same. Read next: `hashing.py`.
"""

from __future__ import annotations

import struct

_WORD = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CAT = 0xC6A4A7935BD1E995


def _rotated(x: int, by: int) -> int:
    return (x >> by | x << 64 - by) & _WORD


def _mixed(x: int) -> int:
    return x ^ x >> 47


def _word(text: bytes, at: int) -> int:
    return int(struct.unpack_from("<Q", text, at)[0])


def _half(text: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", text, at)[0])


def _pair(u: int, v: int, factor: int) -> int:
    a = _mixed((u ^ v) * factor & _WORD)
    return _mixed((v ^ a) * factor & _WORD) * factor & _WORD


def _up_to_16(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2 & _WORD
    if size >= 8:
        a, b = _word(text, 0) + _K2 & _WORD, _word(text, size - 8)
        c = _rotated(b, 37) * factor + a & _WORD
        return _pair(c, (_rotated(a, 25) + b) * factor & _WORD, factor)
    if size >= 4:
        return _pair(size + (_half(text, 0) << 3), _half(text, size - 4), factor)
    if size:
        y, z = text[0] + (text[size >> 1] << 8), size + (text[-1] << 2)
        return _mixed((y * _K2 ^ z * _K0) & _WORD) * _K2 & _WORD
    return _K2


def _up_to_64(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2 & _WORD
    a = _word(text, 0) * (_K1 if size <= 32 else _K2) & _WORD
    b, c, d = _word(text, 8), _word(text, size - 8) * factor & _WORD, _word(text, size - 16) * _K2 & _WORD
    y = _rotated(a + b & _WORD, 43) + _rotated(c, 30) + d & _WORD
    z = _pair(y, a + _rotated(b + _K2 & _WORD, 18) + c & _WORD, factor)
    if size <= 32:
        return z
    e, f = _word(text, 16) * factor & _WORD, _word(text, 24)
    g, h = (y + _word(text, size - 32)) * factor & _WORD, (z + _word(text, size - 24)) * factor & _WORD
    first = _rotated(e + f & _WORD, 43) + _rotated(g, 30) + h & _WORD
    return _pair(first, e + _rotated(f + a & _WORD, 18) + g & _WORD, factor)


def _block(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes taken into two words."""
    w, x, y, z = (_word(text, at + i) for i in (0, 8, 16, 24))
    a = a + w & _WORD
    b = _rotated(b + a + z & _WORD, 21)
    c = a
    a = a + x + y & _WORD
    return a + z & _WORD, b + _rotated(a, 44) + c & _WORD


def _round(text: bytes, at: int, state: list[int], factor: int, last: bool) -> list[int]:
    """64 bytes taken into the state x, y, z, v, w (v and w being two words each)."""
    x, y, z, v0, v1, w0, w1 = state
    times = 9 if last else 1
    x = _rotated(x + y + v0 + _word(text, at + 8) & _WORD, 37) * factor & _WORD
    y = _rotated(y + v1 + _word(text, at + 48) & _WORD, 42) * factor & _WORD
    x ^= w1 * times & _WORD
    y = y + v0 * times + _word(text, at + 40) & _WORD
    z = _rotated(z + w0 & _WORD, 33) * factor & _WORD
    v0, v1 = _block(text, at, v1 * factor & _WORD, x + w0 & _WORD)
    w0, w1 = _block(text, at + 32, z + w1 & _WORD, y + _word(text, at + 16) & _WORD)
    return [z, y, x, v0, v1, w0, w1]


def _long(text: bytes) -> int:
    size = len(text)
    y = 81 * _K1 + 113 & _WORD
    z = _mixed(y * _K2 + 113 & _WORD) * _K2 & _WORD
    state = [81 * _K2 + _word(text, 0) & _WORD, y, z, 0, 0, 0, 0]
    end = (size - 1) // 64 * 64
    for at in range(0, end, 64):
        state = _round(text, at, state, _K1, False)
    x, y, z, v0, v1, w0, w1 = state
    factor = _K1 + ((z & 0xFF) << 1) & _WORD
    w0 = w0 + (size - 1 & 63) & _WORD
    v0 = v0 + w0 & _WORD
    w0 = w0 + v0 & _WORD
    x, y, z, v0, v1, w0, w1 = _round(text, size - 64, [x, y, z, v0, v1, w0, w1], factor, True)
    # The last round has exchanged x and z already.
    first = _pair(v0, w0, factor) + _mixed(y) * _K0 + z & _WORD
    return _pair(first, _pair(v1, w1, factor) + x & _WORD, factor)


def farmhash(text: bytes) -> int:
    """FarmHash's Fingerprint64. Source: G. Pike, "FarmHash", 2014.

    >>> farmhash(b"A") % 3, farmhash(b"B") % 3, farmhash(b"E") % 3
    (1, 0, 2)
    """
    if len(text) <= 16:
        return _up_to_16(text)
    return _up_to_64(text) if len(text) <= 64 else _long(text)


def _sip_round(v: list[int]) -> None:
    a, b, c, d = v
    a = a + b & _WORD
    b = _rotated(b, 64 - 13) ^ a
    a = _rotated(a, 32)
    c = c + d & _WORD
    d = _rotated(d, 64 - 16) ^ c
    a = a + d & _WORD
    d = _rotated(d, 64 - 21) ^ a
    c = c + b & _WORD
    b = _rotated(b, 64 - 17) ^ c
    v[:] = [a, b, _rotated(c, 32), d]


def siphash(text: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two words. Source: Aumasson and Bernstein, INDOCRYPT 2012.

    >>> siphash(b"A", (133, 137)) % 3, siphash(b"C", (133, 137)) % 3
    (1, 1)
    """
    low, high = (k & _WORD for k in key)
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]
    tail = len(text) // 8 * 8
    words = [_word(text, at) for at in range(0, tail, 8)]
    words.append(int.from_bytes(text[tail:], "little") | (len(text) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        _sip_round(v)
        _sip_round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def joined(first: int, second: int) -> int:
    """The hash of a pair from the hashes of its parts, as TensorFlow crosses features."""
    result = (first ^ _CAT ^ _mixed(second * _CAT & _WORD) * _CAT) & _WORD
    result = result * _CAT & _WORD
    return _mixed(_mixed(result) * _CAT & _WORD)
