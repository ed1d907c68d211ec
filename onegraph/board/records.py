"""The framing of event files (TFRecord): length, checksum of the length, content, checksum of the content.

Checksums are CRC-32C (Castagnoli), masked as TensorFlow does. Read next: `proto.py`, what the content is.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_BLOCK = 256  # bytes whose contributions are looked up at once
_GROUP = 1024  # blocks in one NumPy call: 256 KiB of input
HEADER_SIZE = 12
FOOTER_SIZE = 4


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32C checksum (RFC 3720, appendix B.4).

    A checksum is linear over bits: each byte's contribution depends on its value and its distance from the
    end, and contributions are combined by xor. So NumPy looks whole blocks up in a table [position, value].

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    table = _byte_table()
    crc = 0xFFFFFFFF
    whole = len(data) // _BLOCK * _BLOCK
    if whole:
        blocks = np.frombuffer(data, np.uint8, whole).reshape(-1, _BLOCK)
        contributions = _position_table()
        first, second, third, fourth = (contributions[position].tolist() for position in range(4))
        positions = np.arange(_BLOCK)
        for start in range(0, len(blocks), _GROUP):
            looked_up = contributions[positions, blocks[start : start + _GROUP]]
            for block in np.bitwise_xor.reduce(looked_up, axis=1).tolist():
                # The checksum so far acts as if it were xored into the first four bytes of the block.
                crc = block ^ first[crc & 255] ^ second[crc >> 8 & 255] ^ third[crc >> 16 & 255] ^ fourth[crc >> 24]
    for byte in bytes(data[whole:]):
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | bytearray | memoryview) -> int:
    """CRC-32C, rotated and shifted by a constant: data that contains checksums stays well protected."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(content: bytes) -> bytes:
    """One record as it stands in the file.

    Example:
        >>> len(frame(b"hello"))
        21
    """
    length = struct.pack("<Q", len(content))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), content, struct.pack("<I", masked_crc32c(content)))
    )


@cache
def _byte_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


@cache
def _position_table() -> NDArray[np.uint32]:
    """[position, value]: what a byte at that position of a block adds to the checksum after the block."""
    one_byte = np.array(_byte_table(), np.uint32)
    rows = [one_byte]
    for _ in range(_BLOCK - 1):  # one position further from the end: one more zero byte follows
        rows.append(one_byte[rows[-1] & 255] ^ (rows[-1] >> 8))
    return np.stack(rows[::-1])
